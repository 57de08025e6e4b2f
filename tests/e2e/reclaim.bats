#!/usr/bin/env bats
# memtrace reclaim, beside what perf counts of the same tracepoints, /proc/vmstat, and programs that know what was taken
# from them. Memory is made short in a memory cgroup of the test's own, with swap on a zram device of its own.

load lib

PAGES=6000
LIMIT=$((8 << 20))

setup() {
	common_setup
	need_root
}
teardown() {
	common_teardown
	cgroup_down
	zram_down
}

# reclaim ARGS...: the stream of memtrace reclaim --json, which has to be sound
reclaim() {
	mt reclaim --json "${ALL[@]}" "$@"
	check_stream "$MT_OUT"
}

# short_of_memory ARGS...: the swapper in a cgroup that is too small for it
short_of_memory() {
	zram_up 64
	cgroup_up $LIMIT
	reclaim "$@" -- "${IN_CG[@]}" "$PROGS/swapper" limit $PAGES
	equal status "$MT_STATUS" 0
	PID=$(value pid)
}

# beside_perf EVENTS ARGS...: memtrace reclaim ARGS, while perf records those events of all CPUs. What it saw is in
# $WITNESS: tid, time in s, event, and its fields.
beside_perf() {
	local events=$1 data=$BATS_TEST_TMPDIR/perf.data

	shift
	WITNESS=$BATS_TEST_TMPDIR/witness
	command -v perf >/dev/null || skip "no perf"
	rm -f "$PROG_OUT"
	# tracefs is perf's alone: other tests run without it.
	timeout -k 10 "$BOUND" unshare -m sh -c '
		mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing || exit 77
		events=$1 data=$2 out=$3 err=$4 witness=$5
		shift 5
		perf record -q -a -m 1024 -e "$events" -o "$data" -- "$@" >"$out" 2>"$err" &&
			perf script -i "$data" -F tid,time,event,trace --ns >"$witness"' sh \
		"$events" "$data" "$MT_OUT" "$MT_ERR" "$WITNESS" "$MEMTRACE" reclaim --json "${ALL[@]}" "$@" </dev/null 3>&- ||
		fail "perf and memtrace ended with $?"
	check_stream "$MT_OUT"
	! grep -i lost "$MT_ERR" || fail "perf lost events"
}

# witnessed NAME [TID]: how many of these events perf has seen, and the sum of the number in their field nr_reclaimed,
# nr_scanned or in whichever FIELD says
witnessed() {
	awk -v name="$1:" -v tid="${2:-}" '$3 == name && (tid == "" || $1 == tid)' "$WITNESS" | wc -l
}
witnessed_sum() {
	awk -v name="$1:" -v tid="$2" -v field="$3" '
		$3 == name && $1 == tid && match($0, field "=[0-9]+") {
			sum += substr($0, RSTART + length(field) + 1, RLENGTH - length(field) - 1)
		}
		END { printf "%.0f\n", sum }' "$WITNESS"
}
# from BEGIN to END of each, in ns
witnessed_ns() {
	awk -v begin="$1:" -v end="$2:" -v tid="$3" '
		$1 != tid { next }
		{ split($2, at, /[.:]/); now = at[1] * 1e9 + at[2] }
		$3 == begin { began = now }
		$3 == end && began { sum += now - began; began = 0 }
		END { printf "%.0f\n", sum }' "$WITNESS"
}

stall() {
	j "[.[] | select(.type == \"stall\" and $1)] | if length == 1 then .[0] else \"\\(length) rows\" end"
}

# within WHAT GOT WANT PERCENT
within() {
	awk -v got="$2" -v want="$3" -v percent="$4" 'BEGIN {
		off = got - want; if (off < 0) off = -off
		exit !(got > 0 && want > 0 && off <= want * percent / 100)
	}' || fail "$1: got $2, want $3 within $4 %"
}

@test "a cgroup at its limit: as often, as long, as many pages as its tracepoints say" {
	zram_up 64
	cgroup_up $LIMIT
	beside_perf vmscan:mm_vmscan_memcg_reclaim_begin,vmscan:mm_vmscan_memcg_reclaim_end,vmscan:mm_vmscan_lru_shrink_inactive \
		-- "${IN_CG[@]}" "$PROGS/swapper" limit $PAGES
	PID=$(value pid)
	row=$(stall ".work == \"memcg\" and .pid == $PID")
	equal count "$(field "$row" .count)" "$(witnessed vmscan:mm_vmscan_memcg_reclaim_end "$PID")"
	at_least count "$(field "$row" .count)" 100
	equal freed "$(field "$row" '.freed_bytes / 4096')" "$(witnessed_sum vmscan:mm_vmscan_memcg_reclaim_end "$PID" nr_reclaimed)"
	equal "looked at" "$(field "$row" '.scanned_bytes / 4096')" \
		"$(witnessed_sum vmscan:mm_vmscan_lru_shrink_inactive "$PID" nr_scanned)"
	equal "freed from the lists" "$(field "$row" '(.anon_reclaimed_bytes + .file_reclaimed_bytes) / 4096')" \
		"$(witnessed_sum vmscan:mm_vmscan_lru_shrink_inactive "$PID" nr_reclaimed)"
	within time "$(field "$row" .time_ns)" \
		"$(witnessed_ns vmscan:mm_vmscan_memcg_reclaim_begin vmscan:mm_vmscan_memcg_reclaim_end "$PID")" 10
	equal "in the histogram" "$(field "$row" '.log2_buckets | add')" "$(field "$row" .count)"
	equal lost "$(lost)" 0
}

@test "a map of one row: the rest counts in (other), and that is told" {
	zram_up 64
	cgroup_up $LIMIT
	beside_perf vmscan:mm_vmscan_memcg_reclaim_end --max-rows 1 -- "${IN_CG[@]}" sh -c \
		"$PROGS/swapper limit $PAGES & PROG_OUT=$PROG_OUT.2 $PROGS/swapper limit $PAGES; wait"
	equal "stalls of all rows" "$(sum '.type == "stall" and .work == "memcg"' count)" \
		"$(witnessed vmscan:mm_vmscan_memcg_reclaim_end)"
	at_least "stalls without a row" "$(sum '.type == "stall" and .comm == "(other)"' count)" 1
	at_least "told as lost" "$(j '.[-1].lost.map')" 1
}

@test "compaction, a zone at a time" {
	beside_perf compaction:mm_compaction_begin,compaction:mm_compaction_end -- \
		sh -c "echo \$\$ >$BATS_TEST_TMPDIR/pid; echo 1 >/proc/sys/vm/compact_memory"
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
	row=$(stall ".work == \"compaction\" and .pid == $pid")
	at_least zones "$(field "$row" .count)" 1
	equal zones "$(field "$row" .count)" "$(witnessed compaction:mm_compaction_end "$pid")"
	within time "$(field "$row" .time_ns)" \
		"$(witnessed_ns compaction:mm_compaction_begin compaction:mm_compaction_end "$pid")" 10
	equal "pages got" "$(field "$row" '.freed_bytes // "none"')" none
}

@test "what was swapped out is that of the process, to the page; what came back is as getrusage counts" {
	[[ $(uname -r) != 5.10.* ]] || skip "MADV_PAGEOUT of 5.10 does not say that it reclaims"
	zram_up 64
	cgroup_up
	reclaim -- "${IN_CG[@]}" "$PROGS/swapper" pageout $PAGES
	PID=$(value pid)
	at_least "pages in swap, as pagemap says" "$(value region.swapped)" 1000
	row=$(j "[.[] | select(.type == \"swap\" and .pid == $PID)][0]")
	equal "swapped out" "$(field "$row" '.swapped_out_bytes / 4096')" "$(value region.swapped)"
	at_least swap-ins "$(field "$row" .swap_ins)" "$(value second.measured_major)"
	at_most swap-ins "$(field "$row" .swap_ins)" "$(value region.swapped)"
	equal "timed" "$(field "$row" '.swap_in_ns.log2_buckets | add')" "$(field "$row" .swap_ins)"
	field "$row" '.swap_in_ns | if .p50 > 0 and .p50 <= .p99 and .p99 <= .max then "ordered" else . end' | grep -qx ordered
}

@test "swapped out by reclaim: as many pages as the machine wrote" {
	zram_up 64
	cgroup_up $LIMIT
	before=$(awk '/^pswpout/ { print $2 }' /proc/vmstat)
	reclaim -- "${IN_CG[@]}" "$PROGS/swapper" limit $PAGES
	after=$(awk '/^pswpout/ { print $2 }' /proc/vmstat)
	equal writes "$(sum '.type == "stall"' writes)" $((after - before))
	# A page that was read back and not changed goes without a write.
	at_least "pages swapped out" "$(j '[.[] | select(.type == "swap").swapped_out_bytes] | add / 4096')" $((after - before))
	equal "the machine's own count" "$(j '[.[] | select(.type == "rate" and .name == "pswpout").count][0]')" $((after - before))
	equal "that of the cgroup" "$(j "[.[] | select(.type == \"cgroup\").swapped_out_bytes] | add")" \
		"$(j '[.[] | select(.type == "swap").swapped_out_bytes] | add')"
}

@test "the cgroup is named, though it has gone before the report" {
	zram_up 64
	cgroup_up $LIMIT
	name=${CG##*/}
	reclaim -- sh -c "sh -c 'echo \$\$ >$CG/cgroup.procs && exec $PROGS/swapper limit $PAGES'
		n=0; until rmdir $CG || [ \$n = 200 ]; do n=\$((n + 1)); done"
	[[ ! -d $CG ]] || fail "the cgroup is still there"
	matches cgroup "$(stall '.comm == "swapper"' | jq -r .cgroup)" "/$name\$"
	equal "cgroups" "$(j "[.[] | select(.type == \"cgroup\" and (.cgroup | endswith(\"/$name\")))] | length")" 1
}

@test "only the target: -p, --comm, --cgroup" {
	zram_up 64
	cgroup_up $LIMIT
	sleeper_start
	reclaim -p "$SLEEPER_PID" -d 0.5
	equal "stalls of a sleeper" "$(j '[.[] | select(.type == "stall")] | length')" 0
	mt_start reclaim --json --comm swapper
	"${IN_CG[@]}" sh -c "PROG_OUT=$PROG_OUT $PROGS/swapper limit $PAGES; ln -s $PROGS/swapper $BATS_TEST_TMPDIR/another;
		PROG_OUT=$PROG_OUT.2 $BATS_TEST_TMPDIR/another limit $PAGES"
	mt_stop
	check_stream "$MT_OUT"
	at_least "stalls of that name" "$(sum '.type == "stall" and .comm == "swapper"' count)" 10
	equal "stalls of others" "$(sum '.type == "stall" and .comm != "swapper"' count)" 0
	mt_start reclaim --json --cgroup "$CG"
	PROG_OUT=$PROG_OUT "${IN_CG[@]}" "$PROGS/swapper" limit $PAGES
	mt_stop
	check_stream "$MT_OUT"
	at_least "stalls in the cgroup" "$(sum '.type == "stall"' count)" 10
	at_least "counters of the cgroup" "$(j '[.[] | select(.type == "rate" and .name == "workingset_refault_anon")] | length')" 2
	sleeper_quit
}

@test "--events: a line for each, which add up to the row" {
	short_of_memory --events
	row=$(stall ".work == \"memcg\" and .pid == $PID")
	events="[.[] | select(.type == \"reclaim\" and .pid == $PID)]"
	equal lines "$(j "$events | length")" "$(field "$row" .count)"
	equal time "$(j "$events | [.[].latency_ns] | add")" "$(field "$row" .time_ns)"
	equal pages "$(j "$events | [.[].freed_bytes] | add")" "$(field "$row" .freed_bytes)"
	equal longest "$(j "$events | [.[].latency_ns] | max")" "$(field "$row" .max_ns)"
	equal "out of order" "$(j "$events | [.[].time_ns] | if . == sort then 0 else 1 end")" 0
}

@test "--events --min-latency leaves out what was quicker, of the lines alone" {
	short_of_memory --events
	least=$(j "[.[] | select(.type == \"reclaim\").latency_ns] | max / 1000 | floor")
	cgroup_down
	zram_down
	short_of_memory --events --min-latency "$least"
	equal "quicker lines" "$(j "[.[] | select(.type == \"reclaim\" and .latency_ns < $least * 1000)] | length")" 0
	at_least "stalls in all" "$(sum '.type == "stall"' count)" "$(($(j '[.[] | select(.type == "reclaim")] | length') + 1))"
}

@test "a ring buffer of a page loses lines and tells it; the counts stay" {
	zram_up 64
	cgroup_up $LIMIT
	# Nobody reads it meanwhile.
	reclaim --events --buffer 4 -- "${IN_CG[@]}" sh -c "kill -STOP \$PPID; $PROGS/swapper limit $PAGES; kill -CONT \$PPID"
	count=$(sum '.type == "stall" and .work == "memcg"' count)
	at_least count "$count" 100
	at_least "lines lost" "$(j '.[-1].lost.ring')" 1
	equal "lines and what was lost of them" "$(j '([.[] | select(.type == "reclaim")] | length) + .[-1].lost.ring')" "$count"
}

@test "--stacks: who stalled where, and it adds up to the time" {
	short_of_memory --stacks
	equal "time of all stacks" "$(sum '.type == "stack" and .work == "memcg"' time_ns)" "$(sum '.type == "stall" and .work == "memcg"' time_ns)"
	at_least "time with the code that writes" \
		"$(j '[.[] | select(.type == "stack" and any(.stack[]; .symbol == "fill" or .symbol == "touch_write")).time_ns] | add')" \
		$(($(sum '.type == "stall" and .work == "memcg"' time_ns) * 8 / 10))
}

@test "--stacks --kernel-stacks, --folded: the way into reclaim" {
	short_of_memory --stacks --kernel-stacks --folded "$BATS_TEST_TMPDIR/folded"
	grep -q 'swapper.*fill.*try_to_free_mem_cgroup_pages' "$BATS_TEST_TMPDIR/folded" ||
		fail "no such line: $(head -n 3 "$BATS_TEST_TMPDIR/folded")"
}

@test "-i: each interval tells its own part" {
	zram_up 64
	cgroup_up $LIMIT
	reclaim -i 0.2 -- "${IN_CG[@]}" sh -c "for i in 1 2 3 4; do PROG_OUT=$PROG_OUT.\$i $PROGS/swapper limit $PAGES; sleep 0.1; done"
	at_least intervals "$(j '[.[] | select(.type == "interval")] | length')" 3
	equal "stalls of all intervals" "$(sum '.type == "stall" or (.type == "stall" and .work == "compaction")' count)" \
		"$(j '.[-1].events')"
}

@test "--no-faults: what is not traced is not told" {
	short_of_memory --no-faults
	row=$(j "[.[] | select(.type == \"swap\" and .pid == $PID)][0]")
	at_least "swapped out" "$(field "$row" .swapped_out_bytes)" 1000000
	equal swap-ins "$(field "$row" '.swap_ins // "absent"')" absent
	equal "their time" "$(field "$row" '.swap_in_ns.max // "absent"')" absent
}

@test "without swap, nothing is said of pages swapped out" {
	[[ $(wc -l </proc/swaps) -le 1 ]] || skip "this machine has swap"
	disk_dir
	cgroup_up $LIMIT
	reclaim -- "${IN_CG[@]}" sh -c "head -c 40000000 /dev/zero >$DISK_DIR/file; cat $DISK_DIR/file >/dev/null"
	disk_dir_gone
	at_least "file pages freed" "$(sum '.type == "stall" and .work == "memcg"' file_reclaimed_bytes)" 10000000
	equal "anonymous pages freed" "$(sum '.type == "stall" and .work == "memcg"' anon_reclaimed_bytes)" 0
	equal "swapped out" "$(j '[.[] | select(.type == "cgroup" or .type == "swap") | has("swapped_out_bytes")] | any')" false
}

@test "a table that can be read, and says what it means" {
	zram_up 64
	cgroup_up $LIMIT
	COLUMNS=80 mt reclaim -- "${IN_CG[@]}" "$PROGS/swapper" limit $PAGES
	grep -q '^Who had to find memory itself' "$MT_OUT"
	matches "what it means" "$(cat "$MT_OUT")" 'swapper stood still for .* memory cgroup'
	check_clean "$MT_OUT"
	check_width "$MT_OUT" 80
	mt reclaim -- true
	matches "nothing to tell" "$(cat "$MT_OUT")" 'Nobody had to reclaim memory'
}

@test "a hostile name is made safe" {
	zram_up 64
	cgroup_up $LIMIT
	name=$'\e[31mx\n\xff'
	ln -s "$PROGS/swapper" "$BATS_TEST_TMPDIR/$name"
	mt reclaim --events -- "${IN_CG[@]}" "$BATS_TEST_TMPDIR/$name" limit $PAGES
	matches row "$(cat "$MT_OUT")" 'memcg'
	check_clean "$MT_OUT"
}

@test "bad usage: one line, status 2" {
	for args in '--min-latency 5' '--buffer 4' '--events -i 1' '--max-rows 0' '--events --min-latency x' '--no-such'; do
		# shellcheck disable=SC2086 # words
		mt reclaim $args
		equal "status of $args" "$MT_STATUS" 2
		check_one_line
	done
	mt reclaim -p 4194303
	equal "no such process" "$MT_STATUS" 1
	check_one_line
}

@test "without privileges: one line" {
	mt_as_nobody reclaim -d 1
	equal status "$MT_STATUS" 1
	check_one_line
}
