#!/usr/bin/env bats
# memtrace oom: kills in a memory cgroup of the test's own, against what the kernel's log says of them.

load lib

setup() {
	common_setup
	need_root
	cgroup_up
	if [[ -e $CG/memory.limit_in_bytes ]]; then
		LIMIT=memory.limit_in_bytes
	else
		LIMIT=memory.max
	fi
}

teardown() {
	common_teardown
	cgroup_down
}

# child NAME [BYTES]: a cgroup in CG
child() {
	[[ $LIMIT != memory.max ]] || echo +memory >"$CG/cgroup.subtree_control"
	mkdir "$CG/$1"
	[[ -z ${2:-} ]] || echo "$2" >"$CG/$1/$LIMIT"
}

# in_cg DIR PROGRAM ARGS...: run it in that cgroup, in the background; its pid in PID
in_cg() {
	local dir=$1

	shift
	# shellcheck disable=SC2016 # expanded by the shell that is started
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$dir" "$@" >"$PROG_OUT" 2>&1 3>&- &
	PID=$!
	MT_PIDS+=("$PID")
}

# killed DIR PROGRAM ARGS...: the same, until it is killed
killed() {
	local status=0

	in_cg "$@"
	wait "$PID" || status=$?
	equal "status of $2" "$status" 137
}

# oom_rows COUNT: until memtrace has told so many kills
oom_rows() {
	wait_for '^\{"type":"oom"' "$1"
}

# row FILTER: of the row about PID
row() {
	j "[.[] | select(.type == \"oom\" and .victim.pid == $PID)] | if length == 1 then .[0] | $1 else \"\\(length) rows\" end"
}

# log_line: what the kernel said of the kill of PID
log_line() {
	dmesg | grep "Killed process $PID (" | tail -n 1
}

# logged KEY: a number of that line, in KiB
logged() {
	log_line | sed -n "s/.*[ ,]$1:\\(-\\{0,1\\}[0-9]*\\).*/\\1/p"
}

# between WHAT GOT LEAST MOST
between() {
	at_least "$1" "$2" "$3"
	at_most "$1" "$2" "$4"
}

# close_to WHAT GOT KIB SLACK-KIB: got in bytes
close_to() {
	local off=$(($2 / 1024 - $3))

	((${off#-} <= $4)) || fail "$1: got $2 bytes, the kernel says $3 KiB"
}

@test "who was killed: as the kernel's log has it" {
	local slack

	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" -a 7 300
	oom_rows 1
	mt_stop
	check_stream "$MT_OUT"
	equal comm "$(row .victim.comm)" oomer
	equal uid "$(row .victim.uid)" 0
	equal oom_score_adj "$(row .victim.oom_score_adj)" "$(logged oom_score_adj)"
	equal total_vm "$(($(row .victim.total_vm_bytes) / 1024))" "$(logged total-vm)"
	equal pgtables "$(($(row .victim.pgtables_bytes) / 1024))" "$(logged pgtables)"
	# Before 7.2 the log leaves out what each CPU has not yet folded into the counter: a batch, of 32 pages or 2 a CPU.
	slack=$(nproc)
	slack=$((slack * (slack > 16 ? 2 * slack : 32) * 4))
	close_to anon "$(row .victim.anon_rss_bytes)" "$(logged anon-rss)" "$slack"
	close_to file "$(row .victim.file_rss_bytes)" "$(logged file-rss)" "$slack"
	close_to shmem "$(row .victim.shmem_rss_bytes)" "$(logged shmem-rss)" "$slack"
	equal cgroup "$(row .victim.cgroup)" "/${CG##*/}"
	equal "events lost" "$(lost)" 0
}

@test "resident memory is exact: no more than the limit, and no less than what was charged" {
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" 300
	oom_rows 1
	mt_stop
	at_most "anonymous memory" "$(row .victim.anon_rss_bytes)" $((64 << 20))
	at_least "anonymous memory" "$(row .victim.anon_rss_bytes)" $((62 << 20))
}

@test "which limit: that of the cgroup, its usage, and that it was the victim's own request" {
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" 300
	oom_rows 1
	mt_stop
	equal constraint "$(row .constraint)" memcg
	equal cgroup "$(row .limit.cgroup)" "/${CG##*/}"
	equal limit "$(row .limit.limit_bytes)" $((64 << 20))
	at_least usage "$(row .limit.usage_bytes)" $((63 << 20))
	equal trigger "$(row .trigger.pid)" "$PID"
	matches gfp "$(row .gfp_flags)" 'GFP_(KERNEL|HIGHUSER)'
	equal sysrq "$(row .sysrq)" false
	equal "was dying" "$(row .was_dying)" false
}

@test "the limit of a parent is told as such, with the levels between" {
	child inner 1G
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG/inner" "$PROGS/oomer" 300
	oom_rows 1
	mt_stop
	equal "cgroup of the victim" "$(row .victim.cgroup)" "/${CG##*/}/inner"
	equal "cgroup of the limit" "$(row .limit.cgroup)" "/${CG##*/}"
	equal "limit of the inner one" "$(row '.limits[0].limit_bytes')" $((1 << 30))
	equal "limit of the outer one" "$(row '.limits[1].limit_bytes')" $((64 << 20))
	equal "the last level" "$(row '.limits[-1].cgroup')" /
}

@test "who asked need not be who died" {
	local victim trigger

	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	in_cg "$CG" "$PROGS/oomer" -k -a 1000 -c preferred 20
	victim=$PID
	until grep -q done "$PROG_OUT"; do :; done
	in_cg "$CG" "$PROGS/oomer" -k -s 1 -n 20 52
	trigger=$PID
	oom_rows 1
	kill -KILL "$trigger" 2>/dev/null || true # it may have been the next victim
	mt_stop
	PID=$victim
	equal victim "$(row .victim.comm)" preferred
	equal trigger "$(row .trigger.pid)" "$trigger"
	equal "trigger's name" "$(row .trigger.comm)" oomer
	equal "trigger's cgroup" "$(row .trigger.cgroup)" "/${CG##*/}"
}

@test "mappings of the victim, the largest first; and what became of it" {
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" 300
	oom_rows 1
	mt_stop
	equal "size of the largest" "$(row '.vmas[0].size_bytes')" $((300 << 20))
	equal "class of the largest" "$(row '.vmas[0].class')" anon
	equal "in order" "$(row '.vmas | map(.size_bytes) | . == (sort | reverse)')" true
	equal "the program is among them" "$(row 'any(.vmas[]; .name | endswith("libc.so.6"))')" true
	at_least "mappings" "$(row .vma_count)" 8
	equal "exited after a while" "$(row '.exit_ms > 0 and .exit_ms < 5000')" true
	! grep -q ' exit_mmap' /sys/kernel/tracing/available_events 2>/dev/null ||
		equal "memory came back" "$(row '.freed_ms > 0 and .freed_ms < 5000')" true
}

@test "three kills in a row" {
	local pids=() i

	echo 32M >"$CG/$LIMIT"
	mt_start oom --json
	for i in 1 2 3; do
		killed "$CG" "$PROGS/oomer" 100
		pids+=("$PID")
	done
	oom_rows 3
	mt_stop
	equal victims "$(j '[.[] | select(.type == "oom") | .victim.pid] | join(" ")')" "${pids[*]}"
	equal "kills counted" "$(j '.[-1].events')" 3
}

@test "a storm of 200 kills, without loss" {
	local i pids=()

	echo 8M >"$CG/$LIMIT"
	BOUND=90 mt_start oom --json
	for ((i = 0; i < 200; i++)); do
		in_cg "$CG" "$PROGS/oomer" 40
		pids+=("$PID")
		((i % 4 != 3)) || wait "${pids[@]: -4}" || true
	done
	mt_stop
	check_stream "$MT_OUT"
	# On one busy CPU 7.2 does not run some programs (recursion_misses), which is told.
	equal "records lost" "$(j '.[-1].lost | del(.missed) | add')" 0
	equal "kills told" "$(grep -c '^{"type":"oom"' "$MT_OUT")" "$(j '.[-1].events')"
	at_least "kills" "$(j '.[-1].events')" 190
}

@test "a victim of many threads is told once" {
	echo 32M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" -t 16 200
	oom_rows 1
	mt_stop
	equal "rows" "$(j '[.[] | select(.type == "oom")] | length')" 1
	equal "was dying" "$(row .was_dying)" false
	equal kills "$(j '.[-1].events')" 1
}

@test "a hostile name does no harm, in text and in JSON" {
	local name=$'a\x1b[31m"\xff\n%s'

	echo 32M >"$CG/$LIMIT"
	mt_start oom
	killed "$CG" "$PROGS/oomer" -c "$name" 100
	wait_for 'killed a' 1
	mt_stop
	check_clean "$MT_OUT"
	check_width "$MT_OUT" 80
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" -c "$name" 100
	oom_rows 1
	mt_stop
	check_stream "$MT_OUT"
	check_clean "$MT_OUT"
	matches comm "$(row .victim.comm)" '^a'
}

@test "--brief is a line a kill" {
	echo 32M >"$CG/$LIMIT"
	mt_start oom --brief
	killed "$CG" "$PROGS/oomer" 100
	wait_for "killed oomer/$PID, .* MiB: limit of /${CG##*/} \(32.0 MiB\)$" 1
	mt_stop
	equal "lines before the end" "$(sed '/^$/,$d' "$MT_OUT" | wc -l)" 1
}

@test "the block fits 80 columns and says what to do next" {
	echo 32M >"$CG/$LIMIT"
	COLUMNS=80 mt_start oom
	killed "$CG" "$PROGS/oomer" 100
	wait_for 'Next: ' 1
	mt_stop
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
	for what in "Grew most" Cause Victim Memory Mapped Limit Request After Next; do
		grep -q "^ *$what: " "$MT_OUT" || fail "no $what"
	done
}

@test "--log appends JSON, --exec gets it on stdin" {
	local log=$BATS_TEST_TMPDIR/log got=$BATS_TEST_TMPDIR/got

	echo 32M >"$CG/$LIMIT"
	echo '{"type":"before"}' >"$log"
	mt_start oom --json --log "$log" --exec "cat >>'$got'; kill -0 \$PPID"
	killed "$CG" "$PROGS/oomer" 100
	oom_rows 1
	mt_stop
	equal "types in the log" "$(jq -rs '[.[].type] | join(" ")' "$log")" "before oom"
	equal "victim in the log" "$(tail -n 1 "$log" | jq .victim.pid)" "$PID"
	equal "what the command got" "$(cat "$got")" "$(tail -n 1 "$log")"
	equal "the same as on stdout" "$(grep '"type":"oom"' "$MT_OUT")" "$(tail -n 1 "$log")"
}

@test "a log that cannot be written is told before anything is traced" {
	mt oom --log /nonexistent/log -d 1
	equal status "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" '/nonexistent/log'
}

@test "--comm and --cgroup select by the victim" {
	echo 32M >"$CG/$LIMIT"
	child inner
	child other
	mt_start oom --json --comm wanted
	killed "$CG/other" "$PROGS/oomer" -c other 100
	killed "$CG/other" "$PROGS/oomer" -c wanted 100
	oom_rows 1
	mt_stop
	equal victims "$(j '[.[] | select(.type == "oom") | .victim.comm] | join(" ")')" wanted
	mt_start oom --json --cgroup "$CG/inner"
	killed "$CG/other" "$PROGS/oomer" 100
	killed "$CG/inner" "$PROGS/oomer" 100
	oom_rows 1
	mt_stop
	equal "victim's cgroup" "$(j '[.[] | select(.type == "oom") | .victim.cgroup] | join(" ")')" "/${CG##*/}/inner"
}

@test "memory.oom.group: one event with several victims" {
	[[ -e $CG/memory.oom.group ]] || skip "cgroup v1 has no memory.oom.group"
	echo 64M >"$CG/$LIMIT"
	echo 1 >"$CG/memory.oom.group"
	mt_start oom --json
	in_cg "$CG" "$PROGS/oomer" -k 5
	until grep -q done "$PROG_OUT"; do :; done
	in_cg "$CG" "$PROGS/oomer" 100
	oom_rows 1
	mt_stop
	equal "rows" "$(j '[.[] | select(.type == "oom")] | length')" 1
	equal "others killed" "$(row '.also_killed | length')" 1
}

@test "the minute before: how the victim grew, and who grew most, which is another" {
	local victim grower

	child small
	child large
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	in_cg "$CG/small" "$PROGS/oomer" -k -a 1000 -c small 16
	victim=$PID
	until grep -q done "$PROG_OUT"; do :; done
	in_cg "$CG/large" "$PROGS/oomer" -k -s 3 -n 30 -c large 54
	grower=$PID
	oom_rows 1
	kill -KILL "$grower" 2>/dev/null || true
	mt_stop
	PID=$victim
	equal "who grew most" "$(row '.growers[0].pid')" "$grower"
	at_least "by how much" "$(row '.growers[0].grown_bytes')" $((40 << 20))
	equal "the victim's command line" "$(row .victim.command)" "$PROGS/oomer -k -a 1000 -c small 16"
	at_least "points of the victim's history" "$(row '.history | length')" 3
	equal "faults of mappings, without --stacks" "$(row '[.vmas[] | has("faults")] | any')" false
	equal "the first one" "$(row '.history[0].rss_bytes')" 0
	equal "the last one is the kill" "$(row '.history[-1] | .t_s == 0 and .rss_bytes > 8388608')" true
	equal "candidates" "$(row '.candidates | map(.comm) | join(" ")')" "small large"
	equal "marked as the victim" "$(row '.candidates | map(.victim) | tostring')" "[true,false]"
	equal "sorted by badness" "$(row '.candidates | map(.badness_pages) | . == (sort | reverse)')" true
	at_least "memory of the machine" "$(row .machine.available_bytes)" 1
}

@test "the minute before: who grew most is told, though it is gone when others are looked at; and how the cgroups grew" {
	local victim grower i

	child small
	child large
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	in_cg "$CG/small" "$PROGS/oomer" -k -a 1000 -c small 16
	victim=$PID
	until grep -q done "$PROG_OUT"; do :; done
	in_cg "$CG/large" "$PROGS/oomer" -k -s 5 -n 50 -c large 54
	grower=$PID
	# When it has grown for some seconds nobody looks any more until both are gone.
	until (($(awk '/^VmRSS/ { print $2 }' "/proc/$grower/status") > 38000)); do :; done
	kill -STOP "$MT_SELF"
	wait "$victim" || true
	kill -KILL "$grower"
	wait "$grower" || true
	kill -CONT "$MT_SELF"
	oom_rows 1
	mt_stop
	PID=$victim
	equal "who grew most" "$(row '.growers[0] | "\(.pid) \(.comm) \(.gone)"')" "$grower large true"
	at_least "by how much" "$(row '.growers[0].grown_bytes')" $((10 << 20))
	equal "candidates, as they were in the second before" \
		"$(row '.candidates | map("\(.comm) \(.victim) \(.gone)") | join(", ")')" "small true null, large false true"
	at_least "what the one that is gone had" "$(row '.candidates[1].rss_bytes')" $((10 << 20))
	equal "the cgroup's usage at the kill" "$(row '.limit_history[-1] | .t_s == 0 and .usage_bytes > 60000000')" true
	equal "and before" "$(row '.limit_history | length > 2 and .[0].t_s < .[1].t_s and .[0].usage_bytes < .[-1].usage_bytes')" true
	equal "the cgroup that grew" "$(row '.cgroups | map(.cgroup) | join(" ")')" "/${CG##*/}/large"
	at_least "by how much" "$(row '.cgroups[0].grown_bytes')" $((5 << 20))
}

@test "how often the limit was reached, what its cgroup is full of, and the strain of the minute" {
	local told

	echo 64M >"$CG/$LIMIT"
	in_cg "$CG" "$PROGS/oomer" -k 40
	until grep -q done "$PROG_OUT"; do :; done
	mt_start oom --json
	killed "$CG" "$PROGS/oomer" -a 500 -s 4 -n 40 300
	oom_rows 1
	mt_stop
	equal user "$(row .victim.user)" "$(sed -n "s/:[^:]*:0:.*//p" /etc/passwd | head -n 1)"
	equal "killed for it" "$(row '.limits[0].events.oom_kill')" 1
	if [[ $LIMIT == memory.max ]]; then
		told=$(row '.limits[0].events.max')
		between "times that it was reached" "$told" 1 "$(sed -n 's/^max //p' "$CG/memory.events")"
	else
		told=$(row '.limits[0].failcnt')
		between "times that it was reached" "$told" 1 "$(cat "$CG/memory.failcnt")"
	fi
	# It is looked at when the victim may be gone; the other one stays.
	between "anonymous memory in it" "$(row .contents.anon_bytes)" $((40 << 20)) $((64 << 20))
	at_least "looks at the machine" "$(row '.strain | length')" 1
	equal "in order" "$(row '.strain | map(.t_s) | . == sort')" true
	equal "the request reclaimed" "$(row '.stalled_ms > 0')" true
	equal "and so did the machine" "$(row '[.strain[].direct_reclaim_ns] | add > 0')" true
	equal "major faults are told" "$(row 'all(.strain[]; .major_faults >= 0 and .swap_in_bytes >= 0)')" true
}

@test "with a hook in oom_kill_process and without: what both can tell is the same, and the kernel's log agrees" {
	local variant filter

	# In a memory cgroup its order, and what reclaim does not go by of gfp, are not known without.
	filter='[.[] | select(.type == "oom") | [.victim, .trigger, .constraint, .limit, .sysrq, .was_dying,
		(.limits | map([.cgroup, .limit_bytes]))] | del(.[].age_ns?, .[].command?)] | tostring'
	child inner 1G
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	for variant in kernel_log fentry,kprobe fentry,kprobe,kernel_log; do
		"$MEMTRACE" oom --json -d "$BOUND" --without "$variant" -o "$BATS_TEST_TMPDIR/$variant" \
			2>"$BATS_TEST_TMPDIR/ready.$variant" 3>&- &
		MT_PIDS+=($!)
		until grep -q 'memtrace: ready' "$BATS_TEST_TMPDIR/ready.$variant"; do
			kill -0 "${MT_PIDS[-1]}" || fail "--without $variant: not ready"
		done
	done
	killed "$CG/inner" "$PROGS/oomer" -a 9 300
	oom_rows 1
	mt_stop
	for variant in kernel_log fentry,kprobe fentry,kprobe,kernel_log; do
		until grep -q '^{"type":"oom"' "$BATS_TEST_TMPDIR/$variant"; do sleep 0.1; done
		equal "without $variant" "$(jq -rs "$filter" "$BATS_TEST_TMPDIR/$variant")" "$(j "$filter")"
	done
	# mm/internal.h, GFP_RECLAIM_MASK
	equal "gfp that reclaim goes by" "$(jq -r 'select(.type == "oom").gfp' "$BATS_TEST_TMPDIR/fentry,kprobe,kernel_log")" \
		"$(printf '0x%x' $(($(row .gfp) & 0xbece0)))"
	equal "gfp by the log" "$(jq -r 'select(.type == "oom").gfp' "$BATS_TEST_TMPDIR/fentry,kprobe")" "$(row .gfp)"
	equal "order by the log" "$(jq -r 'select(.type == "oom").order' "$BATS_TEST_TMPDIR/fentry,kprobe")" "$(row .order)"
}

@test "--stacks: the call sites of the victim's growth, and the faults of its largest mapping" {
	local grown

	echo 128M >"$CG/$LIMIT"
	mt_start oom --json --stacks
	killed "$CG" "$PROGS/oomer" -q -s 1 -n 40 400
	oom_rows 1
	mt_stop
	check_stream "$MT_OUT"
	grown=$(row .site_grown_bytes)
	between "growth that stacks stand for" "$grown" $((118 << 20)) $((128 << 20))
	at_least "stacks" "$(row .site_samples)" 40
	equal "who wrote most" "$(row '.sites[0].stack[0].symbol')" write_much
	equal "its caller" "$(row '.sites[0].stack[1].symbol')" main
	equal "who wrote less" "$(row '.sites[1].stack[0].symbol')" write_little
	between "the share of the former, which is three quarters" "$(row '.sites[0].grown_bytes')" $((grown * 6 / 10)) $((grown * 9 / 10))
	equal "sites add up" "$(row '([.sites[].grown_bytes] | add) <= .site_grown_bytes')" true
	between "faults of the largest mapping" "$(row '.vmas[0].faults')" 30000 33000
	between "growth of the largest mapping" "$(row '.vmas[0].grown_bytes')" $((grown * 9 / 10)) "$grown"
	COLUMNS=80 mt_start oom --stacks
	killed "$CG" "$PROGS/oomer" -q -s 1 -n 40 400
	wait_for 'stacks of the victim' 1
	mt_stop
	check_width "$MT_OUT" 80
	grep -Eq '^ +write_much\+0x' "$MT_OUT" || fail "write_much is not in the text"
}

@test "--last: the same from the kernel's log" {
	local live

	child inner
	echo 64M >"$CG/$LIMIT"
	mt_start oom --json
	killed "$CG/inner" "$PROGS/oomer" -a 7 100
	oom_rows 1
	mt_stop
	live=$(row '[.victim.pid, .victim.comm, .victim.uid, .victim.oom_score_adj, .victim.cgroup, .victim.total_vm_bytes,
		.victim.pgtables_bytes, .trigger.comm, .trigger.pid, .constraint, .limit.cgroup, .limit.limit_bytes, .gfp] | tostring')
	mt oom --last --json
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal "what the log says" "$(row '[.victim.pid, .victim.comm, .victim.uid, .victim.oom_score_adj, .victim.cgroup,
		.victim.total_vm_bytes, .victim.pgtables_bytes, .trigger.comm, .trigger.pid, .constraint, .limit.cgroup,
		.limit.limit_bytes, .gfp] | tostring')" "$live"
	COLUMNS=80 mt oom --last --comm oomer
	check_width "$MT_OUT" 80
	grep -q "killed oomer/$PID" "$MT_OUT" || fail "not in the text"
	mt oom --last --comm nobody.of.it
	grep -q 'no OOM kill of that name' "$MT_OUT" || fail "not told that there is none"
}

@test "it looks after itself: its memory is locked and it is not to be killed; where that is refused, -v says so" {
	mt_start oom -v
	[[ $(</proc/"$MT_SELF"/oom_score_adj) == -1000 ]] || grep -q 'oom_score_adj cannot be set' "$MT_ERR" ||
		fail "neither protected nor told"
	grep -Eq '^VmLck:[^0]*[1-9]' "/proc/$MT_SELF/status" || grep -q 'memory is not locked' "$MT_ERR" ||
		fail "neither locked nor told"
	mt_stop
	equal status "$MT_STATUS" 0
}

@test "while nothing happens it takes next to nothing of a CPU" {
	local before after

	mt_start oom
	before=$(cut -d ' ' -f 1 "/proc/$MT_SELF/schedstat")
	sleep 3
	after=$(cut -d ' ' -f 1 "/proc/$MT_SELF/schedstat")
	mt_stop
	# 0.06 % was measured where nothing else ran; emulation and other tests have their share.
	at_most "microseconds of CPU in 3 s" $(((after - before) / 1000)) $((3000 * 10))
}

@test "nothing happens: a start and an end, exit 0" {
	mt oom --json -d 0.3
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal kills "$(j '.[-1].events')" 0
}

@test "bad usage is one line, exit 2" {
	local option

	for option in --no-such-option -p --pid --log --interval --stacks=no --without=none stray; do
		mt oom "$option"
		equal "status of oom $option" "$MT_STATUS" 2
		check_one_line
	done
	mt oom -- true
	equal "status of oom -- true" "$MT_STATUS" 2
	check_one_line
}

@test "not root: one line that says what to do, exit 1" {
	local dir

	dir=$(mktemp -d /tmp/memtrace-test.XXXXXX)
	chmod 755 "$dir"
	install -m 755 "$MEMTRACE" "$dir/memtrace"
	MT_STATUS=0
	(cd / && timeout "$BOUND" setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$dir/memtrace" oom -d 1) \
		>"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
	rm -rf "$dir"
	equal status "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" 'root|sudo|CAP_'
}
