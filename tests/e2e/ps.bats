#!/usr/bin/env bats
# memtrace ps: against smaps_rollup, smem, and programs that know what they share.

load lib

setup() {
	common_setup
	CHILDREN=()
}
teardown() {
	for child in "${CHILDREN[@]}"; do
		kill -KILL "$child" 2>/dev/null || true
		wait "$child" 2>/dev/null || true
	done
	common_teardown
}

ps_json() {
	mt ps --json "${ALL[@]}" "$@"
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

# of PID FILTER: of the row of a process
of() {
	j ".[] | select(.type == \"process\" and .pid == $1) | $2"
}

# rollup FILE KEY...: the sum of those lines, in bytes, of /proc/FILE/smaps_rollup or of a copy of one
rollup() {
	local file=$1

	[[ $file == /* ]] || file=/proc/$1/smaps_rollup
	shift
	awk -v keys=" $* " 'index(keys, " " substr($1, 1, length($1) - 1) " ") { sum += $2 } END { print sum * 1024 }' "$file"
}

# copy_rollups DIR: those of all processes, by pid
copy_rollups() {
	local file

	mkdir "$1"
	for file in /proc/[0-9]*/smaps_rollup; do
		cat "$file" >"$1/$(cut -d / -f 3 <<<"$file")" 2>/dev/null || true
	done
}

# A process that shares nothing with others, so that they cannot change its PSS: HERMIT is its pid.
hermit_start() {
	PROG_OUT=$BATS_TEST_TMPDIR/hermit "$PROGS/leaker-static" start 60 3>&- &
	HERMIT=$!
	CHILDREN+=("$HERMIT")
	for ((i = 0; i < 200; i++)); do
		[[ $(rollup "$HERMIT" Rss) -ge $((16 << 20)) ]] && return
		read -r -t 0.05 _ <> <(:) || true
	done
	fail "it has not taken its memory"
}

# A python3 that runs the code and then says "ok" and waits: PYTHON is its pid.
python_waits() {
	local said=$BATS_TEST_TMPDIR/said.$RANDOM

	mkfifo "$said"
	python3 -c "
import mmap, os, sys, time
$1
print('ok', flush=True)
time.sleep(60)" >"$said" 3>&- &
	PYTHON=$!
	CHILDREN+=("$PYTHON")
	read -r -t 20 _ <"$said" || fail "python3 does not answer"
}

@test "each process has what smaps_rollup tells, if it has not changed meanwhile" {
	local pid compared=0 was

	need_root
	hermit_start
	copy_rollups "$BATS_TEST_TMPDIR/before"
	ps_json
	copy_rollups "$BATS_TEST_TMPDIR/after"
	for was in "$BATS_TEST_TMPDIR/before"/*; do
		pid=${was##*/}
		[[ -s $was ]] && cmp -s "$was" "$BATS_TEST_TMPDIR/after/$pid" || continue
		[[ $(of "$pid" .pss_bytes) =~ ^[0-9]+$ ]] || continue
		equal "RSS of $pid" "$(of "$pid" .rss_bytes)" "$(rollup "$was" Rss)"
		# The others also change with those who share: here, with the programs that make the copies.
		equal "USS and shared of $pid" "$(of "$pid" '.uss_bytes + .shared_bytes')" "$(of "$pid" .rss_bytes)"
		at_least "PSS of $pid" "$(of "$pid" .pss_bytes)" "$(of "$pid" .uss_bytes)"
		at_most "PSS of $pid" "$(of "$pid" .pss_bytes)" "$(of "$pid" .rss_bytes)"
		equal "swap of $pid" "$(of "$pid" .swap_bytes)" "$(rollup "$was" Swap)"
		compared=$((compared + 1))
	done
	at_least "processes that have not changed" "$compared" 1
	equal "PSS of one that shares nothing" "$(of "$HERMIT" .pss_bytes)" "$(rollup "$HERMIT" Pss)"
	equal "and its USS" "$(of "$HERMIT" .uss_bytes)" "$(rollup "$HERMIT" Private_Clean Private_Dirty Private_Hugetlb)"
}

@test "and what smem tells of it" {
	local extra

	need_root
	command -v smem >/dev/null || fail "smem is not installed"
	hermit_start
	ps_json -p "$HERMIT"
	# The page [vsyscall], which smem adds where there is one, is the kernel's.
	extra=$(($(grep -cF '[vsyscall]' "/proc/$HERMIT/maps") * 4096)) || true
	equal "pss uss rss swap vss of smem" "$(smem -H -P leaker-static -c 'pid pss uss rss swap vss' |
		awk -v pid="$HERMIT" -v extra="$extra" '$1 == pid { printf "%d %d %d %d %d\n", $2 * 1024, $3 * 1024, $4 * 1024, $5 * 1024, $6 * 1024 - extra }')" \
		"$(of "$HERMIT" '"\(.pss_bytes) \(.uss_bytes) \(.rss_bytes) \(.swap_bytes) \(.vss_bytes)"')"
}

@test "what two processes share counts half in each" {
	local child size=$((64 << 20))

	need_root
	python_waits "
m = mmap.mmap(-1, $size)
m.write(b'x' * $size)
child = os.fork()
if not child:
    m[0:1] = m[0:1]
    sum(m[i] for i in range(0, $size, 4096))
    time.sleep(60)
open('$BATS_TEST_TMPDIR/child', 'w').write(str(child))"
	child=$(<"$BATS_TEST_TMPDIR/child")
	CHILDREN+=("$child")
	# The child reads all of it at its own pace.
	for ((i = 0; i < 200; i++)); do
		[[ $(rollup "$child" Rss) -ge $size ]] && break
		read -r -t 0.1 _ <> <(:) || true
	done
	ps_json -p "$PYTHON,$child"
	at_least "RSS of the child" "$(of "$child" .rss_bytes)" "$size"
	at_most "USS of the child" "$(of "$child" .uss_bytes)" $((size / 4))
	at_least "PSS of the child" "$(of "$child" .pss_bytes)" $((size / 2))
	at_most "PSS of the child" "$(of "$child" .pss_bytes)" $((size * 3 / 4))
	equal "RSS is USS and what is shared" "$(of "$child" '.rss_bytes - .uss_bytes - .shared_bytes')" 0
	equal "the sum" "$(j '.[] | select(.type == "total").pss_bytes')" "$(j '[.[] | select(.type == "process").pss_bytes] | add')"
}

@test "faults, oom_score_adj, page tables, command and parent are those of /proc" {
	local stat

	python_waits 'b = bytearray(8 << 20)'
	echo 321 >"/proc/$PYTHON/oom_score_adj"
	ps_json -p "$PYTHON"
	stat=$(sed 's/.*) //' "/proc/$PYTHON/stat")
	equal minor "$(of "$PYTHON" .minor)" "$(cut -d ' ' -f 8 <<<"$stat")"
	equal major "$(of "$PYTHON" .major)" "$(cut -d ' ' -f 10 <<<"$stat")"
	equal oom_score_adj "$(of "$PYTHON" .oom_score_adj)" 321
	equal oom_score "$(of "$PYTHON" .oom_score)" "$(<"/proc/$PYTHON/oom_score")"
	equal "page tables" "$(of "$PYTHON" .pgtables_bytes)" "$(awk '/^VmPTE/ { print $2 * 1024 }' "/proc/$PYTHON/status")"
	equal parent "$(of "$PYTHON" .ppid)" $$
	equal comm "$(of "$PYTHON" .comm)" "$(<"/proc/$PYTHON/comm")"
	equal command "$(of "$PYTHON" .command | tr -d '\n')" "$(tr '\0\n' ' \n' <"/proc/$PYTHON/cmdline" | tr -d '\n' | sed 's/ $//')"
}

@test "filters: pid, comm, user, cgroup" {
	local name

	need_root
	python_waits 'open("/proc/self/comm", "w").write("a (weird) name")'
	ps_json --comm "a (weird) name"
	equal "pids by comm" "$(j '[.[] | select(.type == "process").pid] | join(",")')" "$PYTHON"
	ps_json --user 65534
	equal "processes of nobody" "$(j '[.[] | select(.type == "process" and .uid != 65534)] | length')" 0
	ps_json --user root -p "$PYTHON"
	equal "pids of root" "$(j '[.[] | select(.type == "process").pid] | join(",")')" "$PYTHON"
	cgroup_up
	echo "$PYTHON" >"$CG/cgroup.procs"
	ps_json --cgroup "$CG"
	equal "pids of the cgroup" "$(j '[.[] | select(.type == "process").pid] | join(",")')" "$PYTHON"
	name=$(of "$PYTHON" .cgroup)
	ps_json --by cgroup
	equal "processes in it" "$(j ".[] | select(.type == \"group\" and .name == \"$name\").processes")" 1
}

@test "sums by user, comm and mapping are those of the rows" {
	need_root
	python_waits "m = mmap.mmap(-1, 32 << 20); m.write(b'x' * (32 << 20))"
	for by in user comm; do
		ps_json --by "$by" -p "$PYTHON,$$"
		equal "PSS by $by" "$(j '[.[] | select(.type == "group").pss_bytes] | add')" "$(j '.[] | select(.type == "total").pss_bytes')"
		equal "processes by $by" "$(j '[.[] | select(.type == "group").processes] | add')" 2
	done
	ps_json --by mapping -p "$PYTHON"
	equal "RSS by mapping" "$(j '[.[] | select(.type == "group").rss_bytes] | add')" "$(j '.[] | select(.type == "total").rss_bytes')"
	at_least "PSS of the mapping" "$(j '.[] | select(.type == "group" and (.name | startswith("/dev/zero"))).pss_bytes')" $((32 << 20))
}

@test "-i tells what has changed" {
	sleeper_start
	mt_start ps --json -i 0.3 -p "$SLEEPER_PID"
	wait_for '"type":"total"' 1
	tell "touch 2000"
	wait_for '"type":"total"' 4
	mt_stop
	sleeper_quit
	equal "change of RSS, in all" "$(j "[.[] | select(.type == \"process\").rss_change_bytes // 0] | add >= 2000 * 4096")" true
	equal "what was there first has not changed" "$(j '[.[] | select(.type == "process")][0] | has("rss_change_bytes")')" false
}

@test "processes that end while they are looked at are no error" {
	local i

	bash -c 'while :; do /bin/true & /bin/true; wait; done' 3>&- &
	CHILDREN+=($!)
	for ((i = 0; i < 40; i++)); do
		"$MEMTRACE" ps "${ALL[@]}" --by mapping >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || fail "ps failed: $(cat "$BATS_TEST_TMPDIR/err")"
		equal stderr "$(cat "$BATS_TEST_TMPDIR/err")" ""
	done
	kill -0 "${CHILDREN[0]}" || fail "there was nothing that ended"
}

@test "a process too large to look into is told, and nothing is made up" {
	need_root
	(($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) > 1300000)) || skip "no GiB to spare here"
	python_waits 'b = bytearray(1 << 30)'
	ps_json -p "$PYTHON" --read-limit 1
	equal "PSS" "$(of "$PYTHON" 'has("pss_bytes")')" false
	at_least "RSS" "$(of "$PYTHON" .rss_bytes)" $((1 << 30))
	equal "too large" "$(j '.[-1].too_large')" 1
	mt ps -p "$PYTHON" --read-limit 1
	grep -q -- '--read-limit' "$MT_OUT"
	ps_json -p "$PYTHON" --read-limit 0
	at_least "PSS" "$(of "$PYTHON" .pss_bytes)" $((1 << 30))
	ps_json -p "$PYTHON" --fast
	equal "PSS" "$(of "$PYTHON" 'has("pss_bytes")')" false
}

@test "without privilege: one's own processes, and what is not told of the others" {
	need_root
	mt_as_nobody ps --json "${ALL[@]}"
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	at_least "processes that are not for nobody" "$(j '.[-1].denied')" 1
	equal "PSS of this shell" "$(of $$ 'has("pss_bytes")')" false
	at_least "RSS of this shell" "$(of $$ .rss_bytes)" 1
}

@test "tables: columns, order, width, hostile names" {
	python_waits 'open("/proc/self/comm", "wb").write(b"\x1b[31mred\n\xff")'
	COLUMNS=80 mt ps -n 5
	equal status "$MT_STATUS" 0
	check_clean "$MT_OUT"
	COLUMNS=80 check_width "$MT_OUT" 80
	mt ps -p "$PYTHON" --columns pid,comm,adj
	grep -Eq "^ *$PYTHON .*\\\\x1b\[31mred" "$MT_OUT" || fail "$(cat -v "$MT_OUT")"
	check_clean "$MT_OUT"
	mt ps --json -n 3 --sort rss
	equal "in order" "$(j '[.[] | select(.type == "process").rss_bytes] | . == (sort | reverse) and length == 3')" true
}

@test "bad usage is one line, exit 2; no such process, exit 1" {
	local args

	for args in "--sort nothing" "--sort comm" "--by nothing" "--columns pid,x" "--fast --sort pss" "--fast --by mapping" \
		"--user no-such-user-here" "-- true" "--read-limit x"; do
		# shellcheck disable=SC2086 # words
		mt ps $args
		equal "status of $args" "$MT_STATUS" 2
		equal "lines about $args" "$(wc -l <"$MT_ERR")" 1
	done
	mt ps -p 4194304
	equal status "$MT_STATUS" 1
	equal lines "$(wc -l <"$MT_ERR")" 1
}
