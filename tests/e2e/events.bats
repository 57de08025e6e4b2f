#!/usr/bin/env bats
# --events: a line per fault as it happens, and what thins the stream.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

# events CONDITION: how many
events() {
	j "[.[] | select(.type == \"fault\" and ($1))] | length"
}

@test "each fault of each region is an event, with its address, kind and access" {
	local name pid

	mt faults --json --events --buffer 16384 -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal lost "$(lost)" 0
	pid=$(value pid)
	for name in anon_write shared_anon file_private_write file_read fork_cow; do
		equal "events of $name" "$(events ".pid == $pid and .vma.start == \"$(value $name.start)\"")" "$(value $name.faults)"
	done
	equal "pages of anon_write" "$(j "[.[] | select(.type == \"fault\" and .pid == $pid and
		.vma.start == \"$(value anon_write.start)\").address] | unique | length")" "$(value anon_write.pages)"
	equal "writes in anon_write" \
		"$(events ".vma.start == \"$(value anon_write.start)\" and .access == \"write\" and .mode == \"user\"")" \
		"$(value anon_write.faults)"
	equal "reads in file_read" "$(events ".vma.start == \"$(value file_read.start)\" and .access == \"read\"")" \
		"$(value file_read.faults)"
	at_least "executions" "$(events '.access == "exec"')" 1
}

@test "an event has its fields" {
	mt faults --json --events --buffer 16384 -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "types of the fields" "$(j '[.[] | select(.type == "fault") | [.time_ns, .pid, .tid, .comm, .address, .ip, .access,
		.mode, .major, .kind] | map(type) | join(" ")] | unique | join(",")')" \
		"number number number string string string string string boolean string"
	equal "addresses that are none" "$(j '[.[] | select(.type == "fault") | .address, .ip |
		select(test("^0x[0-9a-f]+$") | not)] | length')" 0
	equal "kinds that are not known" "$(j '[.[] | select(.type == "fault").kind] | unique - ["anon_read", "anon_write", "cow",
		"file_read", "file_write", "shmem", "swapin", "hugetlb", "stack_grow", "protection", "other"] | join(" ")')" ""
}

@test "events of one thread are in the order of time" {
	mt faults --json --events --buffer 16384 -- "$PROGS/storm" -n 3000 -r 1
	equal "steps back" "$(j '[.[] | select(.type == "fault")] | group_by(.tid) |
		map([.[].time_ns] | . == sort) | all')" true
}

@test "events come as they happen, not at the end" {
	sleeper_start
	mt_start faults --json --events -p "$SLEEPER_PID"
	tell "touch 20"
	wait_for '"type":"fault"' 1
	kill -0 "$MT_PID" || fail "memtrace has ended"
	mt_stop
	sleeper_quit
}

@test "--min-latency leaves the slow ones" {
	mt faults --json --events --min-latency 20 --buffer 16384 -- "$PROGS/storm" -n 20000 -r 3
	check_stream "$MT_OUT"
	equal "events below 20 us" "$(events '.latency_ns < 20000')" 0
	equal "events without a latency" "$(events '.latency_ns == null')" 0
	at_most events "$(events true)" 30000
	mt faults --json --events --min-latency 10000000 -- "$PROGS/storm" -n 1000 -r 1
	check_stream "$MT_OUT"
	equal "events slower than 10 s" "$(events true)" 0
}

@test "--latency gives each event its time" {
	mt faults --json --events --latency --buffer 16384 -- "$PROGS/storm" -n 1000 -r 1
	equal "events of the region without a latency" \
		"$(events ".vma.start == \"$(value region0.start)\" and ((.latency_ns // 0) <= 0)")" 0
	at_least "events of the region" "$(events ".vma.start == \"$(value region0.start)\"")" 1000
}

@test "a minor fault is not timed unless that is asked" {
	mt faults --json --events --buffer 16384 -- "$PROGS/storm" -n 1000 -r 1
	equal "events with a latency" "$(events '(.major | not) and has("latency_ns")')" 0
}

@test "a fault that ends in a signal is no event, and every other one is" {
	mt faults --json --events --buffer 16384 -- "$PROGS/segv" wild
	equal status "$MT_STATUS" 139
	equal signals "$(j '[.[] | select(.type == "segv")] | length')" 1
	equal "events at the bad address" "$(events ".address == \"$(value expect.address)\"")" 0
	equal "events" "$(events ".pid == $(value pid)")" \
		"$(j "[.[] | select(.type == \"process\" and .pid == $(value pid)).faults] | add - 1")"
}

@test "the instruction is named, though its code was mapped before tracing began" {
	sleeper_start
	mt_start faults --events -p "$SLEEPER_PID"
	tell "touch 20"
	wait_for 'touch[a-z_]*\+0x[0-9a-f]+ \(sleeper\) => ' 20
	mt_stop
	sleeper_quit
}

@test "the text has a line per fault, and they fit" {
	mt faults --events --buffer 16384 -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal status "$MT_STATUS" 0
	at_least lines "$(grep -c regions "$MT_OUT")" "$(value anon_write.faults)"
	check_clean "$MT_OUT"
}
