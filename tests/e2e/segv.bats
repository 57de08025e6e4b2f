#!/usr/bin/env bats
# SIGSEGV and SIGBUS, explained: signal, code, address, access, VMA, instruction (tests/progs/segv.c).

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

# bad MODE STATUS: run it, find its one segv row (ROW), check what every mode has
bad() {
	faults -- "$PROGS/segv" "$1"
	equal "status of $1" "$MT_STATUS" "$2"
	PID=$(value pid)
	ROW=$(j "[.[] | select(.type == \"segv\" and .pid == $PID)] |
		if length == 1 then .[0] else \"\\(length) segv rows\" end")
	[[ $ROW == "{"* ]] || fail "$1: $ROW"
	equal "$1: signal" "$(field "$ROW" .signal)" "$(value expect.signal)"
	equal "$1: code" "$(field "$ROW" .code)" "$(value expect.code)"
	equal "$1: comm" "$(field "$ROW" .comm)" segv
	equal "$1: tid" "$(field "$ROW" '.tid | type')" number
	at_least "$1: length of the explanation" "$(field "$ROW" '.explanation | length')" 10
}

access_and_address() {
	equal access "$(field "$ROW" .access)" "$(value expect.access)"
	equal address "$(field "$ROW" .address)" "$(value expect.address)"
}

# The instruction lies in the function that the program named. Without a fault (a general protection exception raises none)
# it is in the task's registers alone, which programs can read from 5.15 on.
ip_in_function() {
	local ip

	ip=$(field "$ROW" .ip)
	if [[ $ip == null ]] && "$MEMTRACE" doctor --json | grep '"status":"no","name":"bpf_task_pt_regs"' >/dev/null; then
		equal "address, which comes with a fault" "$(field "$ROW" .address)" null
		return
	fi
	[[ $ip =~ ^0x[0-9a-f]+$ ]] || fail "ip: $ip"
	((ip >= $(value ip_start) && ip < $(value ip_end))) ||
		fail "ip $ip is not within $(value ip_start)-$(value ip_end)"
}

in_vma() {
	equal "VMA start" "$(field "$ROW" .vma.start)" "$(value vma.start)"
	equal "VMA end" "$(field "$ROW" .vma.end)" "$(value vma.end)"
}

counted() {
	equal "segv of the process" "$(field "$(process "$PID" segv)" .segv)" "$1"
	equal "sigbus of the process" "$(field "$(process "$PID" segv)" .sigbus)" "$2"
}

@test "a wild pointer: outside every VMA" {
	bad wild 139
	access_and_address
	ip_in_function
	equal VMA "$(field "$ROW" .vma)" null
	counted 1 0
}

@test "NULL: the offset is told" {
	bad null 139
	access_and_address
	ip_in_function
	equal VMA "$(field "$ROW" .vma)" null
	matches explanation "$(field "$ROW" .explanation)" 'null'
	matches explanation "$(field "$ROW" .explanation)" '0x18|24'
}

@test "a write to text: the VMA forbids it" {
	bad write-text 139
	access_and_address
	ip_in_function
	in_vma
	equal perms "$(field "$ROW" .vma.perms)" r-xp
	equal name "$(field "$ROW" .vma.name)" "$(realpath "$PROGS/segv")"
	matches explanation "$(field "$ROW" .explanation)" 'text|code|read-only|not writable|no permission|write'
	counted 1 0
}

@test "an execution of the heap: the VMA forbids it" {
	bad exec-heap 139
	access_and_address
	in_vma
	equal ip "$(field "$ROW" .ip)" "$(value expect.address)"
	equal class "$(field "$ROW" .vma.class)" heap
	equal name "$(field "$ROW" .vma.name)" '[heap]'
	matches explanation "$(field "$ROW" .explanation)" 'execut'
}

@test "beyond the end of a file: SIGBUS" {
	bad beyond-eof 135
	access_and_address
	ip_in_function
	in_vma
	matches explanation "$(field "$ROW" .explanation)" 'end of (the )?file|beyond|past'
	counted 0 1
}

@test "reserved memory: PROT_NONE" {
	bad reserved 139
	access_and_address
	ip_in_function
	in_vma
	equal perms "$(field "$ROW" .vma.perms)" ---p
}

@test "a stack that may grow no more" {
	local address

	bad stack-overflow 139
	ip_in_function
	equal access "$(field "$ROW" .access)" write
	address=$(field "$ROW" .address)
	# Just below the limit: what the frame that did not fit would have touched.
	((address < $(value stack.end) - $(value stack.limit) + (256 << 10) &&
		address > $(value stack.end) - $(value stack.limit) - (2 << 20))) || fail "address $address"
	matches explanation "$(field "$ROW" .explanation)" 'stack'
}

@test "a thread's stack that runs onto its guard pages" {
	local address

	bad thread-overflow 139
	ip_in_function
	address=$(field "$ROW" .address)
	((address < $(value stack.start) && address >= $(value stack.start) - 4096)) || fail "address $address"
	[[ $(field "$ROW" .tid) != "$PID" ]] || fail "the thread is not the main thread"
	matches explanation "$(field "$ROW" .explanation)" 'stack|guard'
}

@test "an address that no page table can hold: not taken for NULL" {
	[[ $(uname -m) == x86_64 ]] || skip "an x86-64 rule"
	bad noncanonical 139
	ip_in_function
	if grep -Eiq 'null' <<<"$(field "$ROW" .explanation)"; then
		fail "the explanation takes it for NULL"
	fi
}

@test "a SIGSEGV that a handler recovers from is counted each time" {
	faults -- "$PROGS/segv" handled
	equal status "$MT_STATUS" 0
	PID=$(value pid)
	equal caught "$(value caught)" 3
	counted 3 0
	equal "addresses" "$(j '[.[] | select(.type == "segv").address] | unique | join(" ")')" "$(value expect.address)"
	equal "codes" "$(j '[.[] | select(.type == "segv").code] | unique | join(" ")')" SEGV_ACCERR
}

@test "a SIGSEGV sent by kill(2) is no fault" {
	faults -- "$PROGS/segv" sent
	equal status "$MT_STATUS" 139
	equal "segv rows" "$(j '[.[] | select(.type == "segv")] | length')" 0
	equal "segv of the process" "$(field "$(process "$(value pid)" segv)" '.segv // 0')" 0
}

@test "the three cases of the textbook are legible in the text" {
	mt faults -- "$PROGS/segv" wild
	grep -q SIGSEGV "$MT_OUT"
	grep -qF "$(value expect.address)" "$MT_OUT"
	grep -Eqi 'MAPERR|outside|no mapping|not mapped|no VMA' "$MT_OUT"
	check_width "$MT_OUT" 80
	mt faults -- "$PROGS/segv" write-text
	grep -q SIGSEGV "$MT_OUT"
	grep -Eqi 'ACCERR|permission|not writable|read-only' "$MT_OUT"
	check_width "$MT_OUT" 80
	mt faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "lines with SIGSEGV" "$(grep -c SIGSEGV "$MT_OUT")" 0
	grep -qi minor "$MT_OUT"
	grep -qi major "$MT_OUT"
}

@test "the stream of events tells it too" {
	mt faults --json --events -- "$PROGS/segv" wild
	check_stream "$MT_OUT"
	equal addresses "$(j '[.[] | select(.type == "segv").address] | join(" ")')" "$(value expect.address)"
}
