#!/usr/bin/env bats
# Major faults: a file that left the page cache is read page by page from its disk.

load lib

PAGES=400

setup() {
	common_setup
	need_root
	disk_dir
	head -c $((PAGES * 4096)) /dev/urandom >"$DISK_DIR/data"
	drop_caches "$DISK_DIR/data"
}
teardown() {
	common_teardown
	disk_dir_gone
}

run_major() {
	faults "$@" -- "$PROGS/major" "$DISK_DIR/data"
	equal status "$MT_STATUS" 0
	PID=$(value pid)
	at_least "major faults by getrusage" "$(value file.measured_major)" $((PAGES / 2))
	ROW=$(vma "$PID" file)
}

@test "each page read from the disk is a major fault of its VMA" {
	run_major
	equal major "$(field "$ROW" .major)" "$(value file.measured_major)"
	equal minor "$(field "$ROW" .minor)" "$(value file.measured_minor)"
	equal kind "$(field "$ROW" '.kinds.file_read')" "$(field "$ROW" .faults)"
	equal name "$(field "$ROW" .name)" "$DISK_DIR/data"
	equal class "$(field "$ROW" .class)" file
	near "major faults of the process" "$(field "$(process "$PID")" .major)" "$(value self.major)"
}

@test "exactly so with --kinds" {
	run_major --kinds
	equal major "$(field "$ROW" .major)" "$(value file.measured_major)"
	equal kind "$(field "$ROW" '.kinds.file_read')" "$(field "$ROW" .faults)"
}

@test "major faults have their latency without being asked" {
	run_major
	equal "latencies" "$(field "$ROW" '.latency_ns.count')" "$(field "$ROW" .major)"
	field "$ROW" '.latency_ns | if .p50 > 0 and .p50 <= .p99 and .p99 <= .max then "ordered" else . end' | grep -qx ordered
}

@test "--events --major streams the major faults only" {
	mt faults --json --events --major --buffer 4096 -- "$PROGS/major" "$DISK_DIR/data"
	check_stream "$MT_OUT"
	equal "minor events" "$(j '[.[] | select(.type == "fault" and .major == false)] | length')" 0
	equal "major events in the file" "$(j "[.[] | select(.type == \"fault\" and .pid == $(value pid) and
		.vma.start == \"$(value file.start)\")] | length")" "$(value file.measured_major)"
}

@test "--events tells major from minor, and has the latency of the major ones" {
	local in_file

	mt faults --json --events --buffer 4096 -- "$PROGS/major" "$DISK_DIR/data"
	equal lost "$(lost)" 0
	in_file=".type == \"fault\" and .pid == $(value pid) and .vma.start == \"$(value file.start)\""
	equal "major events in the file" "$(j "[.[] | select($in_file and .major)] | length")" "$(value file.measured_major)"
	equal "major events without a latency" "$(j "[.[] | select(.type == \"fault\" and .major and ((.latency_ns // 0) <= 0))] | length")" 0
	equal "minor events with one" "$(j '[.[] | select(.type == "fault" and (.major | not) and .latency_ns)] | length')" 0
	equal "all major events" "$(j '[.[] | select(.type == "fault" and .major)] | length')" \
		"$(j '[.[] | select(.type == "process").major] | add')"
}

@test "the text says that they were major" {
	mt faults -- "$PROGS/major" "$DISK_DIR/data"
	grep -F "$(value file.measured_major)" "$MT_OUT" | grep -q . || fail "$(value file.measured_major) is nowhere in the report"
}
