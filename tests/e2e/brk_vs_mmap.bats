#!/usr/bin/env bats
# memtrace brk-vs-mmap: every call is in the ledger, with what it changed; strace and /proc/self/maps are the witnesses.

load lib

setup() {
	common_setup
	need_root
	LEDGER_MAPS=$BATS_TEST_TMPDIR/maps
	export LEDGER_MAPS
}
teardown() {
	common_teardown
	[[ -z ${REDIS_PID:-} ]] || kill -KILL "$REDIS_PID" 2>/dev/null || true
}

# ledger ARGS...: memtrace brk-vs-mmap --json, and the stream has to be sound
ledger() {
	mt brk-vs-mmap --json "$@"
	check_stream "$MT_OUT"
}

# figure PID FILTER: of a process's row
figure() {
	field "$(process "$1")" "$2"
}

# as_strace PROGRAM ARGS...: totals of calls and bytes of each process are those of strace, of the same run
as_strace() {
	local line pid got

	command -v strace >/dev/null || skip "no strace"
	mt brk-vs-mmap --json --stacks=off -o "$MT_OUT.json" -- \
		strace -f -o "$BATS_TEST_TMPDIR/strace" -e trace=brk,mmap,munmap,mremap "$@"
	equal status "$MT_STATUS" 0
	mv "$MT_OUT.json" "$MT_OUT"
	check_stream "$MT_OUT"
	equal lost "$(lost)" 0
	python3 "$TOP/tests/e2e/strace_sum.py" "$BATS_TEST_TMPDIR/strace" >"$BATS_TEST_TMPDIR/sums"
	at_least processes "$(wc -l <"$BATS_TEST_TMPDIR/sums")" "${AT_LEAST_PROCESSES:-1}"
	while read -r line; do
		pid=$(jq .pid <<<"$line")
		# Of each of its images: what ran before exec is strace's own.
		got=$(jq -cs --argjson pid "$pid" '[.[] | select(.type == "process" and .pid == $pid and .comm != "strace")] | {
			pid: $pid,
			brk: {calls: map(.brk.calls) | add, failed: map(.brk.failed) | add,
				grown: map(.brk.grown_bytes) | add, shrunk: map(.brk.shrunk_bytes) | add},
			mmap: {calls: map(.mmap.calls) | add, failed: map(.mmap.failed) | add,
				bytes: map(.mmap.mapped_bytes) | add},
			munmap: {calls: map(.mmap.munmap_calls) | add, failed: map(.mmap.munmap_failed) | add,
				bytes: map(.mmap.unmapped_bytes) | add},
			mremap: {calls: map(.mmap.mremap_calls) | add, failed: map(.mmap.mremap_failed) | add,
				grown: map(.mmap.mremap_grown_bytes) | add, shrunk: map(.mmap.mremap_shrunk_bytes) | add}
			}' "$MT_OUT")
		equal "process $pid" "$got" "$(jq -c . <<<"$line")"
	done <"$BATS_TEST_TMPDIR/sums"
}

# same_maps PID: the mappings are those that the process last saw
same_maps() {
	python3 "$TOP/tests/e2e/same_maps.py" "$1" "$MT_OUT" "$LEDGER_MAPS" || fail "the mappings of $1 differ"
}

@test "python3: calls and bytes as strace has them" {
	as_strace /usr/bin/python3 -c 'import json, re; x = [bytearray(300000) for i in range(30)]'
}

@test "gcc and its children: calls and bytes as strace has them" {
	AT_LEAST_PROCESSES=3 as_strace gcc -O2 -c "$TOP/tests/progs/storm.c" -o "$BATS_TEST_TMPDIR/storm.o"
}

@test "sqlite3: calls and bytes as strace has them" {
	command -v sqlite3 >/dev/null || skip "no sqlite3"
	as_strace sqlite3 :memory: "create table t(a, b);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
		insert into t select i, hex(randomblob(200)) from n; select count(*) from t;"
}

@test "realloc: what mremap adds and takes away as strace has it" {
	as_strace /usr/bin/python3 -c 'b = bytearray(1 << 20)
for i in range(50): b.extend(bytes(1 << 18))
del b[1000:]'
}

@test "a known sequence is told exactly" {
	local pid nothing

	ledger -- "$PROGS/ledger" nothing
	pid=$(value pid)
	nothing=$(process "$pid")
	ledger -- "$PROGS/ledger" sequence
	equal status "$MT_STATUS" 0
	equal lost "$(lost)" 0
	pid=$(value pid)
	# What the start of any program does, and the buffer of the lines, is in both.
	more() { echo $(($(figure "$pid" "$1") - $(jq "$1" <<<"$nothing"))); }
	equal "brk failed" "$(more .brk.failed)" "$(value brk.failed)"
	equal "brk calls" "$(more .brk.calls)" "$(value brk)"
	equal "grown by brk" "$(more .brk.grown_bytes)" "$(value brk.grown)"
	equal "shrunk by brk" "$(more .brk.shrunk_bytes)" "$(value brk.shrunk)"
	equal "mmap calls" "$(more .mmap.calls)" "$(value mmap)"
	equal "mmap failed" "$(more .mmap.failed)" "$(value mmap.failed)"
	equal "mapped" "$(more .mmap.mapped_bytes)" "$(value mmap.bytes)"
	equal "munmap calls" "$(more .mmap.munmap_calls)" "$(value munmap)"
	equal "munmap failed" "$(more .mmap.munmap_failed)" "$(value munmap.failed)"
	equal "unmapped" "$(more .mmap.unmapped_bytes)" "$(value munmap.bytes)"
	equal "reserved" "$(more .mmap.reserved_bytes)" "$(value reserved)"
	same_maps "$pid"
}

@test "--events: each call of a known sequence, in order, with result and running net" {
	local pid

	ledger --events -- "$PROGS/ledger" sequence
	pid=$(value pid)
	equal "calls of mmap" "$(j "[.[] | select(.type == \"call\" and .pid == $pid and .call == \"mmap\" and
		(.what | startswith(\"40 KiB anon rw-p\")))] | length")" 1
	equal "sizes of the 20 mappings" "$(j "[.[] | select(.type == \"call\" and .pid == $pid and .call == \"mmap\" and
		.what == \"\\(.size_bytes / 1024) KiB anon rw-p\" and .size_bytes % 40960 == 0).size_bytes / 40960] | .[-20:] |
		map(tostring) | join(\" \")")" "$(seq -s ' ' 20)"
	equal errors "$(j "[.[] | select(.type == \"call\" and .pid == $pid and .error)] | map(.call + \" \" + .error) | join(\", \")")" \
		"brk ENOMEM, mmap EINVAL, munmap EINVAL"
	equal "net after the last call" "$(j "[.[] | select(.type == \"call\" and .pid == $pid)][-1].net_bytes")" \
		"$(figure "$pid" .net_bytes)"
	at_least "stacks with the function" "$(j "[.[] | select(.type == \"call\" and .pid == $pid and
		any(.stack[]?; .symbol == \"sequence\"))] | length")" 20
	mt brk-vs-mmap --events -- "$PROGS/ledger" sequence
	grep -Eq 'mmap +256 KiB anon ---p noreserve += 0x[0-9a-f]+ net \+.*main→sequence→map' "$MT_OUT" ||
		fail "no line for the reservation"
}

@test "hard cases: fixed over others, holes, moves, files, failures: as /proc/self/maps has it at the end" {
	ledger -- "$PROGS/ledger" hard
	equal status "$MT_STATUS" 0
	same_maps "$(value pid)"
	equal errors "$(j '[.[] | select(.type == "failure")] | map(.call + " " + .error) | sort | join(", ")')" \
		"mmap EEXIST, mmap ENOMEM, mprotect ENOMEM"
}

@test "children: one that shares the memory until exec, one that has a copy" {
	local pid child

	ledger -- "$PROGS/ledger" vfork
	pid=$(value pid) child=$(value child)
	same_maps "$pid"
	equal "mapped by the copy" "$(figure "$child" .mmap.mapped_bytes)" $((44 * 4096))
	equal "programs run by the other" "$(j '[.[] | select(.type == "process" and .comm == "true")] | length')" 1
}

@test "attached: what was there before, and what has come since, is what /proc/PID/maps has" {
	sleeper_start
	mt_start brk-vs-mmap --json -p "$SLEEPER_PID"
	tell "touch 100"
	cp "/proc/$SLEEPER_PID/maps" "$LEDGER_MAPS"
	mt_stop
	check_stream "$MT_OUT"
	same_maps "$SLEEPER_PID"
	at_least "bytes from before" "$(figure "$SLEEPER_PID" .before_bytes)" 1000000
	sleeper_quit
}

@test "the ring buffer is too small: totals do not move, and the loss is told" {
	local pid unmapped=20000

	[[ ! -e /etc/ld.so.cache ]] || unmapped=20001 # the loader maps it, and gives it back
	ledger --buffer 4 -- "$PROGS/mapstorm" 20000
	equal status "$MT_STATUS" 0
	pid=$(value pid)
	at_least "lost calls" "$(figure "$pid" .lost_calls)" 1
	equal "munmap calls" "$(figure "$pid" .mmap.munmap_calls)" "$unmapped"
	at_least "mmap calls" "$(figure "$pid" .mmap.calls)" 20001
	at_least "unmapped" "$(figure "$pid" .mmap.unmapped_bytes)" $((20000 * 65536))
	at_most "unmapped" "$(figure "$pid" .mmap.unmapped_bytes)" $((20000 * 65536 + 262144))
	mt brk-vs-mmap --buffer 4 -- "$PROGS/mapstorm" 20000
	grep -q "^Lost: [0-9]* calls did not fit" "$MT_OUT" || fail "the loss is not told"
}

@test "threads that move between CPUs in the middle of their calls: each call is told once, with its own arguments" {
	local pid missed calls

	ledger --stacks=off --buffer 65536 -- "$PROGS/mapstorm" 20000 6
	pid=$(value pid)
	# A program that is preempted keeps the next one on its CPU from running, on a kernel where it can be (7.2).
	missed=$(j '[.[] | select(.type == "end").lost.missed] | add')
	calls=$(j '[.[] | select(.type == "sizes" and .via == "mmap" and .from_bytes == 65536).calls] | add')
	equal "lost otherwise" "$(lost)" "$missed"
	at_least "mmaps of 64 KiB, and what was missed" $((calls + missed)) 120000
	at_most "mmaps of 64 KiB" "$calls" 120000
	at_least "munmap calls, and what was missed" $(($(figure "$pid" .mmap.munmap_calls) + missed)) 120000
	at_most "munmap calls" "$(figure "$pid" .mmap.munmap_calls)" 120040
}

@test "malloc(100 MB), untouched: committed, and not resident" {
	local pid

	ledger -- "$PROGS/ledger" untouched 100
	pid=$(value pid)
	at_least "committed" "$(figure "$pid" .mmap.committed_bytes)" $((100 << 20))
	at_most "resident" "$(figure "$pid" .mmap.resident_bytes)" $((3 << 20))
	at_most "resident of it" "$(j "[.[] | select(.type == \"mapping\" and .pid == $pid and .size_bytes >= 104857600)] |
		map(.resident_bytes) | add")" 16384
}

@test "malloc of 128 KiB comes by mmap and goes back; of 64 KiB by brk, and stays" {
	local pid

	ledger -- "$PROGS/ledger" blocks 128 40
	pid=$(value pid)
	# The first may have found room in the heap.
	at_least "unmapped" "$(figure "$pid" .mmap.unmapped_bytes)" $((39 * 132 * 1024))
	at_most "the heap" "$(figure "$pid" .brk.net_bytes)" $((1 << 20))
	ledger -- "$PROGS/ledger" blocks 64 40
	pid=$(value pid)
	at_most "unmapped" "$(figure "$pid" .mmap.unmapped_bytes)" $((1 << 20))
	at_least "the heap" "$(figure "$pid" .brk.net_bytes)" $((40 * 64 * 1024))
	at_least "resident in the heap" "$(figure "$pid" .brk.resident_bytes)" $((40 * 64 * 1024))
}

@test "huge pages: one fault, and all of it is resident" {
	local pid

	ledger --stacks=off -- "$PROGS/ledger" huge 32
	pid=$(value pid)
	(($(value huge) >= 16 << 20)) || skip "the kernel has no huge pages for us"
	at_least "resident" "$(figure "$pid" .mmap.resident_bytes)" "$(value huge)"
	at_most "faults" "$(figure "$pid" .mmap.faults)" 4000
}

@test "--smaps: resident memory is the kernel's figure, and the faults tell nearly the same" {
	local rss told

	sleeper_start
	mt_start brk-vs-mmap --json --smaps -p "$SLEEPER_PID"
	tell "touch 500"
	rss=$(awk '/^Rss:/ { n += $2 } END { print n * 1024 }' "/proc/$SLEEPER_PID/smaps")
	mt_stop
	check_stream "$MT_OUT"
	told=$(j "[.[] | select(.type == \"mapping\" and .pid == $SLEEPER_PID).resident_bytes] | add")
	# Shared pages of the vdso are in the one and not in the other.
	at_least resident "$told" $((rss - 65536))
	at_most resident "$told" $((rss + 65536))
	sleeper_quit
}

@test "findings: churn is found in what maps and unmaps, and nothing in what does not" {
	ledger --stacks=off -- "$PROGS/mapstorm" 20000
	equal findings "$(j '[.[] | select(.type == "finding").code] | join(" ")')" mmap_churn
	ledger --stacks=off -- "$PROGS/ledger" sequence
	equal findings "$(j '[.[] | select(.type == "finding").code] | join(" ")')" ""
}

@test "-i: the list is repeated, and the details come once" {
	sleeper_start
	mt_start brk-vs-mmap -i 1 -d 3 -p "$SLEEPER_PID"
	tell "touch 100"
	mt_wait
	equal status "$MT_STATUS" 0
	at_least "lists" "$(grep -c "^ *$SLEEPER_PID sleeper" "$MT_OUT")" 3
	equal "details" "$(grep -c '^committed now' "$MT_OUT")" 1
	sleeper_quit
}

@test "the report fits 80 columns and says what it is about" {
	COLUMNS=80 mt brk-vs-mmap -- "$PROGS/ledger" sequence
	equal status "$MT_STATUS" 0
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
	grep -q "^reserved now .*192 KiB" "$MT_OUT" || fail "no line for what is reserved"
	grep -q "ENOMEM" "$MT_OUT" || fail "no line for the call that failed"
}

@test "the whole machine: a list, and no details" {
	mt_start brk-vs-mmap
	"$PROGS/mapstorm" 1000
	mt_stop
	equal status "$MT_STATUS" 0
	grep -Eq "mapstorm" "$MT_OUT" || fail "mapstorm is not in the list"
	! grep -q "^committed now" "$MT_OUT" || fail "details of a process"
}

@test "redis-server under load: attached, and everything it obtains is told" {
	command -v redis-server >/dev/null || skip "no redis-server"
	local sock=$BATS_TEST_TMPDIR/redis

	redis-server --port 0 --unixsocket "$sock" --save '' --appendonly no --dir "$BATS_TEST_TMPDIR" \
		>"$BATS_TEST_TMPDIR/redis.log" 2>&1 3>&- &
	REDIS_PID=$!
	timeout 20 sh -c 'until redis-cli -s "$1" ping; do :; done' sh "$sock" >/dev/null 2>&1 || fail "redis never answered"
	mt_start brk-vs-mmap --json -p "$REDIS_PID"
	redis-cli -s "$sock" eval 'for i = 1, 200000 do redis.call("set", "key" .. i, string.rep("x", 100)) end' 0 >/dev/null
	cp "/proc/$REDIS_PID/maps" "$LEDGER_MAPS"
	mt_stop
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	same_maps "$REDIS_PID"
	at_least "net growth" "$(figure "$REDIS_PID" .net_bytes)" $((16 << 20))
	kill "$REDIS_PID"
	wait "$REDIS_PID" || true
	REDIS_PID=
}

@test "the target ends: the report is of its end, exit 0" {
	sleeper_start
	local pid=$SLEEPER_PID

	mt_start brk-vs-mmap --json -p "$pid"
	tell "touch 10"
	sleeper_quit
	mt_wait
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal ended "$(figure "$pid" .ended)" true
}

@test "no such process: one line, exit 1" {
	mt brk-vs-mmap -p 4194303
	equal status "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" "no process with pid 4194303"
}

@test "no tracefs and no right to mount it: one line that says what to do, exit 1" {
	MT_STATUS=0
	unshare -m bash -c 'for d in /sys/kernel/tracing /sys/kernel/debug/tracing; do umount -l $d 2>/dev/null; done
		[ ! -d /sys/kernel/tracing/events ] || exit 77
		exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"' bash \
		timeout "$BOUND" "$MEMTRACE" brk-vs-mmap -d 1 >"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
	((MT_STATUS != 77)) || skip "tracefs cannot be unmounted here"
	equal status "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" "tracefs.*mount -t tracefs"
}

@test "tracefs that is not mounted is mounted for memtrace alone: the program does not see it" {
	MT_STATUS=0
	unshare -m sh -c 'for d in /sys/kernel/tracing /sys/kernel/debug/tracing; do umount -l $d 2>/dev/null; done
		[ ! -d /sys/kernel/tracing/events ] || exit 77; exec "$@"' sh \
		timeout "$BOUND" "$MEMTRACE" brk-vs-mmap --stacks=off -- cat /proc/self/mounts >"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
	((MT_STATUS != 77)) || skip "tracefs cannot be unmounted here"
	equal status "$MT_STATUS" 0
	equal "mounts of tracefs" "$(grep -c '^[^ ]* [^ ]* tracefs' "$MT_OUT")" 0
	grep -q "^committed now" "$MT_OUT" || fail "no report"
}
