#!/usr/bin/env bats
# Swap-ins, from a zram device of the test's own, in a memory cgroup of its own.

load lib

PAGES=1500

setup() {
	common_setup
	need_root
	# Smaller than the region where the limit has to push it out; none where the program does it itself.
	zram_up 64
}
teardown() {
	common_teardown
	cgroup_down
	zram_down
}

run_swapper() {
	local how=$1

	shift
	faults "$@" -- "${IN_CG[@]}" "$PROGS/swapper" "$how" $PAGES
	equal status "$MT_STATUS" 0
	at_least "pages that went to swap" "$(value region.swapped)" 100
	PID=$(value pid)
	ROW=$(vma "$PID" region)
}

@test "pages pushed out: each comes back by one swap-in" {
	cgroup_up
	run_swapper pageout --kinds
	equal swap-ins "$(field "$ROW" '.kinds.swapin')" "$(value region.swapped)"
	equal "first touches" "$(field "$ROW" '.kinds.anon_write')" $PAGES
	equal faults "$(field "$ROW" .faults)" $((PAGES + $(value region.swapped)))
	equal major "$(field "$ROW" .major)" "$(value second.measured_major)"
}

@test "told cheaply: swap-ins from the device are named, the rest is not guessed" {
	cgroup_up
	run_swapper pageout
	equal faults "$(field "$ROW" .faults)" $((PAGES + $(value region.swapped)))
	equal major "$(field "$ROW" .major)" "$(value second.measured_major)"
	at_least swap-ins "$(field "$ROW" '.kinds.swapin // 0')" "$(value second.measured_major)"
	at_most swap-ins "$(field "$ROW" '.kinds.swapin // 0')" "$(value region.swapped)"
}

@test "a cgroup at its limit: what was first touched and what came back are told apart" {
	cgroup_up $((4 << 20))
	run_swapper limit --kinds
	equal "first touches" "$(field "$ROW" '.kinds.anon_write')" $PAGES
	at_least swap-ins "$(field "$ROW" '.kinds.swapin')" "$(value region.swapped)"
	equal "all faults" "$(field "$ROW" .faults)" $((PAGES + $(field "$ROW" '.kinds.swapin')))
}
