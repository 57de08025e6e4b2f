#!/usr/bin/env bats
# Totals are exact or marked: a ring buffer that overflows, a VMA map that fills.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

@test "a ring buffer of 4 KiB loses events, tells it, and keeps the totals" {
	local events lost

	mt faults --json "${ALL[@]}" --events --buffer 4 -- "$PROGS/storm" -n 10000 -r 5
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	events=$(j '[.[] | select(.type == "fault")] | length')
	lost=$(j '.[-1].lost.ring')
	at_least "lost events" "$lost" 1
	at_least "events" "$events" 1
	equal "events and losses make the whole" $((events + lost)) "$(j '.[-1].events')"
	near "the whole" "$(j '.[-1].events')" "$(value self.minor)"
	equal "faults of the processes" "$(sum '.type == "process"' faults)" "$(j '.[-1].events')"
	near "minor faults of the process" "$(field "$(process "$(value pid)" storm)" .minor)" "$(value self.minor)"
	equal "faults of the region" "$(field "$(vma "$(value pid)" region0)" .faults)" "$(value region0.faults)"
}

@test "a loss is told on stderr too" {
	mt faults --events --buffer 4 -- "$PROGS/storm" -n 10000 -r 5
	grep -qi lost "$MT_ERR" "$MT_OUT" || fail "nothing says that events were lost"
}

@test "a large ring buffer loses nothing: every fault is an event" {
	mt faults --json "${ALL[@]}" --events --buffer 65536 -- "$PROGS/storm" -n 2000 -r 5
	check_stream "$MT_OUT"
	equal "lost events" "$(lost)" 0
	equal "events of the region" "$(j "[.[] | select(.type == \"fault\" and .vma.start == \"$(value region0.start)\")] |
		length")" "$(value region0.faults)"
}

@test "a VMA map of 64 entries: the rest in (other), the totals exact" {
	local pid named other whole

	faults --max-vmas 64 -- "$PROGS/vmas" 1000
	equal status "$MT_STATUS" 0
	pid=$(value pid)
	near "faults of the process" "$(field "$(process "$pid" vmas)" .faults)" "$(value self.minor)"
	near "minor faults of the process" "$(field "$(process "$pid" vmas)" .minor)" "$(value self.minor)"
	named=$(sum ".type == \"vma\" and .pid == $pid and .name != \"(other)\"" faults)
	other=$(sum ".type == \"vma\" and .pid == $pid and .name == \"(other)\"" faults)
	whole=$(field "$(process "$pid" vmas)" .faults)
	equal "(other) rows" "$(j "[.[] | select(.type == \"vma\" and .pid == $pid and .name == \"(other)\")] | length")" 1
	at_least "faults in (other)" "$other" $((1000 - 64))
	equal "all faults" $((named + other)) "$whole"
	at_most "named VMAs" "$(j '[.[] | select(.type == "vma" and .name != "(other)")] | length')" 64
	at_least "VMAs told as lost" "$(j '.[-1].lost.map')" 1
	check_sums
}

@test "a VMA map of the usual size takes 1,000 VMAs" {
	faults -- "$PROGS/vmas" 1000
	equal lost "$(lost)" 0
	equal "VMAs of one page" "$(j "[.[] | select(.type == \"vma\" and .pid == $(value pid) and .faults == 1 and
		.start >= \"$(value all.start)\" and .end <= \"$(value all.end)\")] | length")" 1000
}

@test "every report tells events, losses and overhead" {
	faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "what the end line tells" "$(j '.[-1] | [.duration_s, .events, .lost.ring, .lost.map, .lost.stack,
		.overhead.loader_ns, .overhead.map_bytes] | map(type) | unique | join(" ")')" number
	equal "events" "$(j '.[-1].events')" "$(sum '.type == "process"' faults)"
	mt faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	grep -qi lost "$MT_OUT" || fail "the text does not tell what was lost"
}
