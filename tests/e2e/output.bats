#!/usr/bin/env bats
# What a reader sees: stdout is data, the table fits, the terminal is used, the stream is sound.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

@test "JSON: start line, end line, and what they say" {
	faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal start "$(j '.[0] | [.command, .schema, .kernel] | join(" ")')" "faults 1 $(uname -r)"
	matches time "$(j '.[0].time')" '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?Z$'
	equal "process rows without their figures" "$(j '[.[] | select(.type == "process") |
		[.comm, .faults, .minor, .major, .kernel_mode, .segv, .sigbus, .untrapped] | select(any(. == null))] | length')" 0
	equal "VMA rows without their figures" "$(j '[.[] | select(.type == "vma" and .name != "(other)") |
		[.comm, .start, .end, .perms, .class, .name, .faults, .minor, .major, .kinds] | select(any(. == null))] | length')" 0
	equal "negative figures" "$(j '[.[] | .. | numbers | select(. < 0)] | length')" 0
}

@test "JSON: addresses are strings, lower case, and make sense" {
	faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "odd addresses" "$(j '[.[] | select(.type == "vma" and .name != "(other)") | .start, .end |
		select(test("^0x(0|[1-9a-f][0-9a-f]*)$") | not)] | length')" 0
	equal "odd perms" "$(j '[.[] | select(.type == "vma" and .name != "(other)").perms |
		select(test("^[r-][w-][x-][ps]$") | not)] | length')" 0
}

@test "stdout is data: nothing of it on stderr, nothing of stderr in it" {
	faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "rows on stderr" "$(grep -c '"type"' "$MT_ERR")" 0
	grep -qx 'memtrace: ready' "$MT_ERR"
	mt faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "ready on stdout" "$(grep -c 'memtrace: ready' "$MT_OUT")" 0
	check_clean "$MT_ERR"
}

@test "the table fits 80 columns and has no control bytes" {
	# shellcheck disable=SC2016
	mt faults -n 1000 -- sh -c '"$0" "$1"; for i in 1 2 3 4 5; do /bin/true; done' "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal status "$MT_STATUS" 0
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
	grep -q regions "$MT_OUT"
	grep -qF '[heap]' "$MT_OUT"
	equal "lines with blanks at their end" "$(grep -c ' $' "$MT_OUT")" 0
}

@test "the table fits 80 columns whatever runs" {
	local dir=$BATS_TEST_TMPDIR/a-directory-with-a-name-that-is-much-longer-than-a-column-of-a-table-could-ever-be

	mkdir -p "$dir"
	cp "$PROGS/storm" "$dir/a-program-with-a-long-name"
	mt faults -n 1000 -- "$dir/a-program-with-a-long-name" -n 200000 -r 5
	check_width "$MT_OUT" 80
	COLUMNS=60 mt faults -d 1
	check_width "$MT_OUT" 80
}

@test "-n limits the rows, and says how many it left out" {
	mt faults -n 3 -- "$PROGS/vmas" 50
	at_most "lines" "$(wc -l <"$MT_OUT")" 40
	grep -Eqi 'more|of [0-9]+|left out|not shown' "$MT_OUT"
}

@test "on a terminal: it widens, and a live status goes to stderr" {
	local wide narrow

	command -v script >/dev/null || skip "script is not installed"
	narrow=$BATS_TEST_TMPDIR/narrow wide=$BATS_TEST_TMPDIR/wide
	script -qec "stty cols 80 rows 24; timeout --foreground $BOUND '$MEMTRACE' faults -n 40 -- '$PROGS/regions' '$BATS_TEST_TMPDIR' \
		2>'$MT_ERR'" /dev/null </dev/null 3>&- | tr -d '\r' >"$narrow"
	script -qec "stty cols 200 rows 24; timeout --foreground $BOUND '$MEMTRACE' faults -n 40 -- '$PROGS/regions' '$BATS_TEST_TMPDIR' \
		2>'$MT_ERR'" /dev/null </dev/null 3>&- | tr -d '\r' >"$wide"
	check_width "$narrow" 80
	check_width "$wide" 200
	grep -q regions "$narrow"
	grep -q regions "$wide"
	# stdout to a file, stderr to the terminal: the status is drawn there, and drawn over
	script -qec "stty cols 80 rows 24; timeout --foreground $BOUND '$MEMTRACE' faults -d 2 >'$MT_OUT'" /dev/null </dev/null 3>&- \
		>"$BATS_TEST_TMPDIR/status"
	grep -q $'\r' "$BATS_TEST_TMPDIR/status"
	check_clean "$MT_OUT"
}

@test "-v tells what the maps take" {
	mt faults -v -d 1
	equal status "$MT_STATUS" 0
	grep -Eiq 'map.*[0-9]|[0-9].*map' "$MT_ERR" || fail "-v says nothing of maps on stderr"
}

@test "any locale: the same numbers" {
	LC_ALL=de_DE.UTF-8 faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	LC_ALL=C faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
}

@test "-o: the report goes to a file, what the program prints to stdout" {
	local file=$BATS_TEST_TMPDIR/report

	mt faults --json -o "$file" -- echo hello
	equal status "$MT_STATUS" 0
	equal stdout "$(cat "$MT_OUT")" hello
	equal "last line" "$(tail -n 1 "$file" | jq -r .type)" end
	mt faults -o "$BATS_TEST_TMPDIR/no/such/directory" -- true
	equal status "$MT_STATUS" 1
	equal "lines on stderr" "$(wc -l <"$MT_ERR")" 1
}
