#!/usr/bin/env bats
# memtrace tlb: flushes of a program that says how many it makes, beside bpftrace, /proc/PID/status and smaps_rollup.

load lib

setup() {
	common_setup
	need_root
	[[ $(uname -m) == x86_64 ]] || skip "only x86 traces flushes of the TLB"
}
teardown() {
	common_teardown
	[[ -z ${WITNESS:-} ]] || kill "$WITNESS" 2>/dev/null || true
}

# trace ARGS...: start it on tlbstorm, which waits for orders
trace_start() {
	# Its address space is made on the CPU where it stays: another that had it would be asked to flush, too.
	printf '#!/bin/sh\nexec taskset -c 0 %s\n' "$PROGS/tlbstorm" >"$BATS_TEST_TMPDIR/on_cpu_0"
	chmod +x "$BATS_TEST_TMPDIR/on_cpu_0"
	sleeper_start "$BATS_TEST_TMPDIR/on_cpu_0"
	[[ -z ${PARTNER:-} ]] || tell partner
	mt_start tlb --json "${ALL[@]}" -p "$SLEEPER_PID" "$@"
}

trace_stop() {
	mt_stop
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	# What each process has, and all together.
	equal "reasons whose rows do not add up" "$(j '[.[] | select(.type == "process")] as $rows |
		[.[] | select(.type == "reason") | .reason as $r |
			select(.flushes != ([$rows[][$r].flushes] | add // 0) or .pages != ([$rows[][$r].pages] | add // 0) or
				.full != ([$rows[][$r].full] | add // 0))] | length')" 0
	equal "events lost" "$(j '.[-1].lost | .map + .missed')" 0
}

# of REASON KEY: of the process that was told
of() {
	j "[.[] | select(.type == \"process\" and .pid == ${SLEEPER_PID:-$PID}) | .$1.$2] | add // 0"
}

two_cpus() {
	(($(nproc) >= 2)) || skip "one CPU"
}

@test "a thread alone: as many flushes of its own CPU as it makes, and no other CPU's" {
	trace_start
	tell flush:3000:1
	tell flush:500:8
	trace_stop
	equal flushes "$(of local flushes)" 3500
	equal pages "$(of local pages)" $((3000 + 500 * 8))
	equal full "$(of local full)" 0
	# Since 6.14 a CPU that it ran on before is asked once, in vain.
	at_most sent "$(of sent flushes)" 1
	equal received "$(of received flushes)" 0
	equal "of one page" "$(j '.[] | select(.type == "pages" and .from_pages == 1) | .local')" 3000
	equal "of 8 to 15 pages" "$(j '.[] | select(.type == "pages" and .from_pages == 8) | .local')" 500
}

@test "many pages are one full flush" {
	trace_start
	tell flush:200:512
	trace_stop
	equal flushes "$(of local flushes)" 200
	equal full "$(of local full)" 200
	equal pages "$(of local pages)" 0
	equal "row of all" "$(j '.[] | select(.type == "pages" and .pages == "all") | .local')" 200
}

# Where the partner loses its CPU to somebody else it has nothing to flush.
@test "a thread on another CPU: one sends, the other receives" {
	local sent received

	two_cpus
	PARTNER=1 trace_start
	tell flush:500:2
	trace_stop
	equal local "$(of local flushes)" 500
	sent=$(of sent flushes) received=$(of received flushes)
	at_least sent "$sent" 250
	at_most sent "$sent" 500
	at_most received "$received" "$sent"
	at_least received "$received" $((sent / 2))
	equal "pages sent" "$(of sent pages)" $((sent * 2))
}

@test "who is interrupted is another row than who sends, and both are known system-wide" {
	two_cpus
	mt tlb --json "${ALL[@]}" -o "$BATS_TEST_TMPDIR/all" -- "$PROGS/tlbstorm" partner flush:500:1
	cp "$BATS_TEST_TMPDIR/all" "$MT_OUT"
	check_stream "$MT_OUT"
	at_least "sent" "$(sum '.type == "process" and .comm == "tlbstorm"' sent.flushes)" 250
	at_least "local" "$(sum '.type == "process" and .comm == "tlbstorm"' local.flushes)" 500
	at_least "loads" "$(sum '.type == "process" and .comm == "tlbstorm"' switch.flushes)" 1
}

# witness: bpftrace counts the same, of one process
witness_start() {
	local fifo=$BATS_TEST_TMPDIR/witness.fifo line fd

	command -v bpftrace >/dev/null || skip "bpftrace is not installed"
	mkfifo "$fifo"
	# shellcheck disable=SC2016 # of the shell that is started
	timeout --foreground "$BOUND" unshare -m sh -c 'mount -t tracefs nodev /sys/kernel/tracing; exec bpftrace -e "$1"' sh "
		tracepoint:tlb:tlb_flush /pid == $SLEEPER_PID && args->reason != 0/ { @n[args->reason] = count(); @p[args->reason] = sum(args->pages); }
		interval:ms:100 { printf(\"on\n\"); }" >"$fifo" 2>&1 3>&- &
	WITNESS=$!
	exec {fd}<"$fifo"
	while IFS= read -r -t 30 -u "$fd" line && [[ $line != on ]]; do :; done
	[[ $line == on ]] || skip "bpftrace cannot count here"
	cat <&"$fd" >"$BATS_TEST_TMPDIR/witness" 3>&- &
	WITNESS_READER=$!
	exec {fd}<&-
}

witness_stop() {
	kill -INT "$(pgrep -P "$WITNESS")"
	wait "$WITNESS" || true
	wait "$WITNESS_READER"
	WITNESS=
}

# witnessed MAP REASON: a number of the witness
witnessed() {
	sed -n "s/^@$1\[$2\]: //p" "$BATS_TEST_TMPDIR/witness" | grep . || echo 0
}

@test "bpftrace counts the same: sent, received, local, and their pages" {
	two_cpus
	PARTNER=1 trace_start
	witness_start
	tell flush:2000:3
	tell flush:300:100
	witness_stop
	trace_stop
	at_least "sent" "$(of sent flushes)" 400
	# enum tlb_flush_reason
	equal "sent" "$(of sent flushes)" "$(witnessed n 4)"
	equal "received" "$(of received flushes)" "$(witnessed n 1)"
	equal "local" "$(of local flushes)" "$(witnessed n 3)"
	equal "reclaim" "$(of reclaim flushes)" "$(witnessed n 2)"
	# A full flush counts as -1.
	equal "pages sent" "$(($(of sent pages) - $(of sent full)))" "$(witnessed p 4)"
	equal "pages received" "$(($(of received pages) - $(of received full)))" "$(witnessed p 1)"
}

# switches KEY: of all threads of the process, as the kernel tells
switches() {
	cat /proc/"$SLEEPER_PID"/task/*/status | awk -v key="$1:" '$1 == key { n += $2 } END { print n }'
}

# Until it waits for its next order.
asleep() {
	local i

	for ((i = 0; i < 200; i++)); do
		[[ $(cut -d ' ' -f 3 /proc/"$SLEEPER_PID"/stat) != S ]] || return 0
		read -r -t 0.01 <> <(:) || true
	done
	fail "the program does not wait"
}

@test "context switches are those of /proc/PID/status" {
	local voluntary involuntary

	sleeper_start "$PROGS/tlbstorm"
	asleep
	voluntary=$(switches voluntary_ctxt_switches) involuntary=$(switches nonvoluntary_ctxt_switches)
	mt_start tlb --json "${ALL[@]}" -p "$SLEEPER_PID"
	tell sleep:300
	asleep
	trace_stop
	at_least voluntary "$(j '.[] | select(.type == "process") | .voluntary_switches')" 200
	equal voluntary "$(j '.[] | select(.type == "process") | .voluntary_switches')" \
		$(($(switches voluntary_ctxt_switches) - voluntary))
	equal involuntary "$(j '.[] | select(.type == "process") | .involuntary_switches')" \
		$(($(switches nonvoluntary_ctxt_switches) - involuntary))
}

@test "context switches of a program, with threads that end, are those of getrusage" {
	two_cpus
	mt tlb --json "${ALL[@]}" -o "$BATS_TEST_TMPDIR/all" -- "$PROGS/tlbstorm" partner sleep:2000
	cp "$BATS_TEST_TMPDIR/all" "$MT_OUT"
	near voluntary "$(j '.[] | select(.type == "process" and .comm == "tlbstorm") | .voluntary_switches')" \
		"$(sed -n 's/^voluntary=//p' "$PROG_OUT")"
	near involuntary "$(j '.[] | select(.type == "process" and .comm == "tlbstorm") | .involuntary_switches')" \
		"$(sed -n 's/^involuntary=//p' "$PROG_OUT")"
	equal ended "$(j '.[] | select(.type == "process" and .comm == "tlbstorm") | .ended')" true
}

@test "a process that sleeps has its address space loaded, and the idle task has not its loads" {
	trace_start
	tell sleep:500
	trace_stop
	# Not at each: a CPU that was idle in between still has it.
	at_least loads "$(of switch flushes)" 1
	at_most loads "$(of switch flushes)" 2000
	equal "rows of others" "$(j "[.[] | select(.type == \"process\" and .pid != $SLEEPER_PID)] | length")" 0
}

# Two that sleep in turn on one CPU, each of whose address spaces is loaded, mostly after the idle task.
@test "loads belong to the task that comes, by the run queue as by sched_switch" {
	local how mine idle

	for how in none run_queues; do
		# shellcheck disable=SC2046 # no option, or one
		mt_start tlb --json "${ALL[@]}" $([[ $how == none ]] || echo "--without $how")
		"$PROGS/tlbstorm" sleep:500 3>&- &
		"$PROGS/tlbstorm" sleep:500
		wait $!
		mt_stop
		check_stream "$MT_OUT"
		mine=$(sum '.type == "process" and .comm == "tlbstorm"' switch.flushes)
		idle=$(sum '.type == "process" and .pid == 0' switch.flushes)
		at_least "loads, without $how" "$mine" 100
		at_most "loads of the idle task, without $how" "$idle" "$mine"
	done
}

@test "memory: page tables and huge pages as /proc has them; reach by what the TLB holds" {
	local huge rss tables

	sleeper_start "$PROGS/tlbstorm"
	tell huge:64
	mt_start tlb --json "${ALL[@]}" --entries 1024 -p "$SLEEPER_PID"
	tell flush:10:1
	asleep
	trace_stop
	huge=$(awk '/^(AnonHugePages|ShmemPmdMapped|FilePmdMapped):/ { n += $2 } END { print n * 1024 }' /proc/"$SLEEPER_PID"/smaps_rollup)
	rss=$(awk '/^Rss:/ { print $2 * 1024 }' /proc/"$SLEEPER_PID"/smaps_rollup)
	tables=$(awk '/^VmPTE:/ { print $2 * 1024 }' /proc/"$SLEEPER_PID"/status)
	equal huge_bytes "$(j '.[] | select(.type == "memory") | .huge_bytes')" "$huge"
	equal rss_bytes "$(j '.[] | select(.type == "memory") | .rss_bytes')" "$rss"
	equal pgtables_bytes "$(j '.[] | select(.type == "memory") | .pgtables_bytes')" "$tables"
	equal tlb_entries "$(j '.[] | select(.type == "memory") | .tlb_entries')" $(((rss - huge) / 4096 + huge / 2097152))
	equal "reach within the resident memory" "$(j '.[] | select(.type == "memory") |
		.reach_bytes > 0 and .reach_bytes <= .rss_bytes and .reach_share <= 1')" true
}

@test "--sort: most first, (other) last" {
	local by key

	while read -r by key; do
		mt tlb --json "${ALL[@]}" -d 0.5 --sort "$by"
		equal "status of --sort $by" "$MT_STATUS" 0
		equal "rows out of order by $by" "$(j "[.[] | select(.type == \"process\" and .comm != \"(other)\") | $key // 0] |
			. as \$v | [range(1; length) | select(\$v[.] > \$v[. - 1])] | length")" 0
	done <<-'END'
		sent .sent.flushes
		received (.received.flushes+.in_vain.flushes)
		local (.local.flushes+.reclaim.flushes)
		empty .switch.full
		switches (.voluntary_switches+.involuntary_switches)
	END
}

@test "what page walks cost: measured, or why not" {
	mt tlb --json -d 0.2
	check_stream "$MT_OUT"
	equal walks "$(j '[.[] | select(.type == "walks")] | length')" 1
	equal "numbers without counters" "$(j '.[] | select(.type == "walks") |
		if .measured then has("load_misses") and (has("why_not") | not) else has("why_not") and (has("load_misses") | not) end')" true
	COLUMNS=80 mt tlb -d 0.2
	matches report "$(cat "$MT_OUT")" 'page walks cost is not measured|TLB misses of the whole machine'
}

@test "-i: intervals add up, and each tells what is new" {
	trace_start -i 0.3
	wait_for '"type":"interval"' 1
	tell flush:1000:1
	wait_for '"type":"interval"' 3
	tell flush:700:1
	mt_stop
	check_stream "$MT_OUT"
	equal flushes "$(of local flushes)" 1700
	at_least intervals "$(j '[.[] | select(.type == "interval")] | length')" 3
	equal "events" "$(j '.[-1].events')" "$(j '[.[] | select(.type == "reason") | .flushes] | add')"
}

@test "too many processes: counted in (other), and told" {
	# The shell has the one place.
	mt tlb --json "${ALL[@]}" --max-processes 1 -o "$BATS_TEST_TMPDIR/all" -- sh -c '"$0" flush:300:1; true' "$PROGS/tlbstorm"
	cp "$BATS_TEST_TMPDIR/all" "$MT_OUT"
	check_stream "$MT_OUT"
	at_least "lost room" "$(j '.[-1].lost.map')" 300
	equal "flushes in (other)" "$(j '[.[] | select(.type == "process" and .comm == "(other)") |
		.sent, .received, .in_vain, .local, .reclaim, .switch, .other | .flushes] | add')" "$(j '.[-1].lost.map')"
	equal "of reasons" "$(j '[.[] | select(.type == "reason") | .flushes] | add')" \
		"$(j '[.[] | select(.type == "process") | .sent, .received, .in_vain, .local, .reclaim, .switch, .other | .flushes] | add')"
	COLUMNS=80 mt tlb --max-processes 1 -o "$BATS_TEST_TMPDIR/table" -- sh -c '"$0" flush:300:1; true' "$PROGS/tlbstorm"
	matches report "$(cat "$BATS_TEST_TMPDIR/table")" 'Lost: [0-9]+ flushes are of processes that found no room'
}

@test "a table of 80 columns, also of a process with a hostile name" {
	COLUMNS=80 mt tlb -d 0.5
	equal status "$MT_STATUS" 0
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
	COLUMNS=80 mt tlb -o "$BATS_TEST_TMPDIR/table" -- "$PROGS/hostile"
	check_width "$BATS_TEST_TMPDIR/table" 80
	check_clean "$BATS_TEST_TMPDIR/table"
}

@test "the program's exit status is ours; a target that dies ends it" {
	mt tlb -- sh -c 'exit 7'
	equal status "$MT_STATUS" 7
	sleeper_start "$PROGS/tlbstorm"
	mt_start tlb --json -p "$SLEEPER_PID"
	kill -KILL "$SLEEPER_PID"
	mt_wait
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

@test "bad usage is one line, exit 2; no such process, no privilege: exit 1" {
	local option

	for option in --no-such-option '--sort wrong' '--entries 0' '--max-processes x' '--follow' stray; do
		# shellcheck disable=SC2086 # words
		mt tlb $option
		equal "status of tlb $option" "$MT_STATUS" 2
		check_one_line
	done
	mt tlb -p 4194304
	equal "status without a process" "$MT_STATUS" 1
	check_one_line
	mt_as_nobody tlb -d 1
	equal "status without privilege" "$MT_STATUS" 1
	check_one_line
	"$MEMTRACE" tlb --json -d 0.2 2>"$MT_ERR" | head -n 1 >"$MT_OUT" || true
	equal "first line" "$(jq -r .type "$MT_OUT")" start
}
