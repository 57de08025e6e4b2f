#!/usr/bin/env bats
# -i: each interval tells what is new in it, and all of them together the whole.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

# wait_for_intervals COUNT: until so many have told of faults in the sleeper's region
wait_for_intervals() {
	wait_for "\"start\": ?\"$SLEEPER_REGION\"" "$1"
}

@test "the intervals add up to the whole" {
	local pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -i 1 -p "$pid"
	tell "touch 100"
	wait_for_intervals 1
	tell "touch 250"
	wait_for_intervals 2
	tell "touch 50"
	mt_stop
	sleeper_quit
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal "faults of the region" "$(sum ".type == \"vma\" and .start == \"$SLEEPER_REGION\"" faults)" 400
	equal "faults of the process" "$(sum '.type == "process"' faults)" "$(j '.[-1].events')"
	at_least "intervals with faults in the region" \
		"$(j "[.[] | select(.type == \"vma\" and .start == \"$SLEEPER_REGION\" and .faults > 0)] | length")" 3
	equal "minor and major of the intervals" \
		"$(($(sum '.type == "vma"' minor) + $(sum '.type == "vma"' major)))" "$(sum '.type == "vma"' faults)"
}

@test "a quiet interval has no rows of faults that were told before" {
	local pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -i 1 -d 4 -p "$pid"
	tell "touch 300"
	mt_wait
	sleeper_quit
	check_stream "$MT_OUT"
	equal "faults of the region" \
		"$(sum ".type == \"vma\" and .start == \"$SLEEPER_REGION\"" faults)" 300
}

@test "each interval is printed when it ends" {
	sleeper_start
	mt_start faults --json "${ALL[@]}" -i 1 -p "$SLEEPER_PID"
	tell "touch 10"
	wait_for_intervals 1
	kill -0 "$MT_PID" || fail "memtrace has ended"
	mt_stop
	sleeper_quit
}

@test "processes that come and go within and across intervals are counted once" {
	local file=$BATS_TEST_TMPDIR/rusage parent

	# shellcheck disable=SC2016
	faults -i 1 -- "$PROGS/rusage" "$file" sh -c 'i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i + 1)); done'
	parent=$(value pid "$file")
	near "minor faults of the family" "$(sum ".type == \"process\" and .pid != $parent" minor)" "$(value min_flt "$file")"
	near "major faults of the family" "$(sum ".type == \"process\" and .pid != $parent" major)" "$(value maj_flt "$file")"
}

@test "tables of intervals fit 80 columns" {
	mt faults -i 1 -d 2
	equal status "$MT_STATUS" 0
	check_width "$MT_OUT" 80
}
