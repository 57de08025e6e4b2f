#!/usr/bin/env bats
# Which tasks are traced: -p, --follow, --comm, --cgroup, everything; two memtraces at once.

load lib

setup() {
	common_setup
	need_root
}
teardown() {
	common_teardown
	cgroup_down
}

# region_faults PID [START]: in the sleeper's region, by that process
region_faults() {
	j "[.[] | select(.type == \"vma\" and .pid == $1 and .start == \"${2:-$SLEEPER_REGION}\").faults] | add // 0"
}

# pids: every process that has a row
pids() {
	j '[.[] | select(.type == "process").pid] | unique | join(" ")'
}

@test "-p: from when it is ready until the end, exactly" {
	local pid row

	sleeper_start
	pid=$SLEEPER_PID
	tell "touch 500"
	mt_start faults --json "${ALL[@]}" -p "$pid"
	tell "touch 123"
	mt_stop
	tell "touch 77"
	sleeper_quit
	check_stream "$MT_OUT"
	equal processes "$(pids)" "$pid"
	equal "faults of the region" "$(region_faults "$pid")" 123
	row=$(process "$pid")
	at_least minor "$(field "$row" .minor)" 123
	at_most minor "$(field "$row" .minor)" 150
}

@test "-p: all threads of the process, those that come later too" {
	local pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -p "$pid"
	tell "thread 111"
	tell "touch 9"
	mt_stop
	sleeper_quit
	equal processes "$(pids)" "$pid"
	equal "faults of the region" "$(region_faults "$pid")" 120
}

@test "-p without --follow leaves children alone" {
	local pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -p "$pid"
	tell "fork 200"
	tell "exec true"
	mt_stop
	sleeper_quit
	equal processes "$(pids)" "$pid"
	equal "faults of the region" "$(region_faults "$pid")" 0
}

@test "-p --follow takes the children that it forks, and their programs" {
	local pid child

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -p "$pid" --follow
	tell "fork 200"
	child=${ANSWER#ok child=}
	tell "exec true"
	mt_stop
	sleeper_quit
	equal "faults of the child in the region" "$(region_faults "$child")" 200
	equal "programs named true" "$(j '[.[] | select(.type == "process" and .comm == "true")] | length')" 1
}

@test "-p PID,PID: both, and nobody else" {
	local first second region in answers supervisor

	sleeper_start
	first=$SLEEPER_PID region=$SLEEPER_REGION
	in=$SLEEPER_IN answers=$SLEEPER_ANSWERS supervisor=$SLEEPER_SUPERVISOR
	sleeper_start
	second=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -p "$first,$second"
	tell "touch 31"
	SLEEPER_IN=$in SLEEPER_ANSWERS=$answers tell "touch 17"
	/bin/true
	mt_stop
	sleeper_quit
	SLEEPER_IN=$in SLEEPER_ANSWERS=$answers SLEEPER_SUPERVISOR=$supervisor
	sleeper_quit
	equal "faults of the second" "$(region_faults "$second")" 31
	equal "faults of the first" "$(region_faults "$first" "$region")" 17
	equal processes "$(pids)" "$(printf '%s\n' "$first" "$second" | sort -n | paste -sd ' ')"
}

@test "-- PROGRAM: the whole family, nobody else" {
	local i pid

	faults -- "$PROGS/children" 3 60
	for i in 0 1 2; do
		for pid in "$(value child$i.pid)" "$(value grandchild$i.pid)"; do
			equal "faults of $pid in the region" "$(field "$(vma "$pid" region)" .faults)" 60
		done
	done
	equal "names of the family" "$(j '[.[] | select(.type == "process").comm] | unique | join(" ")')" children
}

@test "--comm: every process of that name, and no other" {
	local pid

	cp "$PROGS/sleeper" "$BATS_TEST_TMPDIR/the chosen one"
	sleeper_start "$BATS_TEST_TMPDIR/the chosen one"
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" --comm "the chosen one"
	tell "touch 64"
	tell "exec true"
	"$PROGS/regions" "$BATS_TEST_TMPDIR"
	mt_stop
	sleeper_quit
	check_stream "$MT_OUT"
	equal "names" "$(j '[.[] | select(.type == "process").comm] | unique | join(",")')" "the chosen one"
	equal "faults of the region" "$(region_faults "$pid")" 64
}

@test "--comm: a program of that name that starts later" {
	mt_start faults --json "${ALL[@]}" --comm regions
	"$PROGS/regions" "$BATS_TEST_TMPDIR"
	mt_stop
	equal "faults of the region" "$(field "$(vma "$(value pid)" anon_write)" .faults)" "$(value anon_write.faults)"
}

@test "--cgroup: the processes in it and below, and no other" {
	cgroup2_up
	mkdir "$CG/below"
	mt_start faults --json "${ALL[@]}" --cgroup "$CG"
	"${IN_CG[@]}" "$PROGS/regions" "$BATS_TEST_TMPDIR"
	/bin/true
	CG=$CG/below "${IN_CG[@]}" "$PROGS/vmas" 50
	mt_stop
	check_stream "$MT_OUT"
	equal names "$(j '[.[] | select(.type == "process").comm] | unique - ["sh"] | join(" ")')" "regions vmas"
	equal "faults of the region" "$(field "$(vma "$(value pid | head -n 1)" anon_write)" .faults)" \
		"$(value anon_write.faults)"
}

@test "everything: a process that started before, one that starts after" {
	local pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}"
	tell "touch 91"
	"$PROGS/regions" "$BATS_TEST_TMPDIR"
	mt_stop
	sleeper_quit
	check_stream "$MT_OUT"
	equal "faults of the old one" "$(region_faults "$pid")" 91
	equal "faults of the new one" "$(field "$(vma "$(value pid)" anon_write)" .faults)" "$(value anon_write.faults)"
}

@test "two memtraces at once see the same" {
	local pid first_out first_pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json "${ALL[@]}" -p "$pid"
	first_out=$MT_OUT first_pid=$MT_PID
	MT_OUT=$BATS_TEST_TMPDIR/out.second
	mt_start faults --json "${ALL[@]}"
	tell "touch 400"
	tell "thread 100"
	mt_stop
	sleeper_quit
	equal "faults seen by the second" "$(region_faults "$pid")" 500
	MT_OUT=$first_out MT_PID=$first_pid
	# Its target is gone: it may have ended by itself already.
	kill -INT "$MT_PID" 2>/dev/null || true
	mt_wait
	check_stream "$MT_OUT"
	equal "faults seen by the first" "$(region_faults "$pid")" 500
}
