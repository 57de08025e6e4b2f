#!/usr/bin/env bats
# Faults that the kernel takes on a program's memory: read(2) into, and write(2) from, a buffer never touched.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

check_kernel_mode() {
	local name row

	faults "$@" -- "$PROGS/kernelmode" 300
	for name in filled drained; do
		row=$(vma "$(value pid)" $name)
		equal "$name: faults" "$(field "$row" .faults)" "$(value $name.faults)"
		equal "$name: kind" "$(field "$row" ".kinds.$(value $name.kind)")" "$(value $name.faults)"
		equal "$name: minor" "$(field "$row" .minor)" "$(value $name.measured_minor)"
	done
	row=$(process "$(value pid)" kernelmode)
	at_least "kernel-mode faults of the process" "$(field "$row" .kernel_mode)" 600
	at_most "kernel-mode faults of the process" "$(field "$row" .kernel_mode)" 650
	near "minor faults of the process" "$(field "$row" .minor)" "$(value self.minor)"
}

@test "faults in kernel mode are counted in their VMA, by kind, and marked" {
	check_kernel_mode
}

@test "the same, where the kernel is read by calls" {
	check_kernel_mode --without rdonly_cast
}

@test "an event says in which mode it was taken" {
	mt faults --json --events --buffer 4096 -- "$PROGS/kernelmode" 100
	check_stream "$MT_OUT"
	equal "modes in the buffer that was filled" \
		"$(j "[.[] | select(.type == \"fault\" and .vma.start == \"$(value filled.start)\").mode] | unique | join(\" \")")" kernel
	equal "accesses in the buffer that was filled" \
		"$(j "[.[] | select(.type == \"fault\" and .vma.start == \"$(value filled.start)\").access] | unique | join(\" \")")" write
	equal "accesses in the buffer that was drained" \
		"$(j "[.[] | select(.type == \"fault\" and .vma.start == \"$(value drained.start)\").access] | unique | join(\" \")")" read
}

@test "a bad address given to the kernel is an error, not a SIGSEGV" {
	faults -- "$PROGS/segv" efault
	equal status "$MT_STATUS" 0
	equal "SIGSEGVs" "$(j '[.[] | select(.type == "segv")] | length')" 0
	equal "SIGSEGVs of the process" "$(field "$(process "$(value pid)" segv)" '.segv // 0')" 0
}

@test "an access that is refused belongs to no VMA, and is no event" {
	local how row

	for how in "" --kinds; do
		# shellcheck disable=SC2086 # no option, or one
		faults $how -- "$PROGS/refused" 3
		row=$(j ".[] | select(.type == \"vma\" and .pid == $(value pid) and .name == \"(no VMA)\")")
		equal "faults ($how)" "$(field "$row" '"\(.faults) \(.failed) \(.kernel_mode)"')" "3 3 3"
		equal "failed in VMAs ($how)" "$(sum ".type == \"vma\" and .pid == $(value pid)" failed)" 3
	done
	mt faults --json --events --buffer 4096 -- "$PROGS/refused" 3
	check_stream "$MT_OUT"
	equal "events where nothing is" "$(j '[.[] | select(.type == "fault" and .address == "0x1000")] | length')" 0
}
