#!/usr/bin/env bats
# Bad usage: exit 2, one line on stderr that names the option, nothing on stdout. No privilege is needed to be told.

load lib

setup() { common_setup; }
teardown() { common_teardown; }

# refused NAME ARGS...: memtrace faults ARGS is bad usage, and the message says NAME
refused() {
	local name=$1

	shift
	mt faults "$@"
	equal "status of faults $*" "$MT_STATUS" 2
	check_one_line
	grep -qF -- "$name" "$MT_ERR" || fail "faults $*: the message does not name '$name'"
	equal "bytes on stdout of faults $*" "$(wc -c <"$MT_OUT")" 0
}

@test "an unknown command is named" {
	mt no-such-command
	equal status "$MT_STATUS" 2
	check_one_line
	grep -qF no-such-command "$MT_ERR"
}

@test "an unknown option is named" {
	refused --no-such-option --no-such-option
	refused --no-such-option --no-such-option=3
	refused -Z -Z
}

@test "options are not abbreviated" {
	refused --pi --pi 1
	refused --dur --dur 1
	refused --late --late
	refused --js --js
}

@test "pids are strict" {
	local bad

	for bad in '' abc 12x -1 0 '1,' ',1' '1,,2' '1,x' 99999999999999999999 0x10 ' 1' +1 1.5; do
		refused --pid --pid "$bad"
	done
	refused -p -p abc
}

@test "durations are strict" {
	local bad

	for bad in '' x -1 1x nan inf 1e999 ' 1'; do
		refused --duration --duration "$bad"
		refused --interval --interval "$bad"
	done
	refused --interval --interval 0
}

@test "counts are strict" {
	local bad

	for bad in '' x -1 1x 1.5 99999999999999999999999 ' 1'; do
		refused --top --top "$bad"
		refused --min-latency --min-latency "$bad"
		refused --buffer --buffer "$bad"
		refused --max-vmas --max-vmas "$bad"
	done
	refused --buffer --buffer 0
	refused --max-vmas --max-vmas 0
}

@test "an option without its value is named" {
	local option

	for option in --pid --comm --cgroup --duration --interval --top --min-latency --buffer --max-vmas; do
		refused "$option" "$option"
	done
}

@test "a flag takes no value" {
	refused --json --json=1
	refused --major --major=yes
}

@test "an argument that belongs to nothing is named" {
	refused stray-argument stray-argument
	refused stray-argument --json stray-argument
}

@test "a program is missing after --" {
	refused -- --
}

@test "a comm longer than the kernel keeps matches nothing: told, not waited for" {
	refused --comm --comm 0123456789abcdef
}

@test "--help says every option, on stdout, exit 0" {
	local option

	mt faults --help
	equal status "$MT_STATUS" 0
	equal "bytes on stderr" "$(wc -c <"$MT_ERR")" 0
	for option in --pid --follow --comm --cgroup --duration --interval --top --latency --kinds --events \
		--min-latency --major --buffer --max-vmas --json; do
		grep -qe "$option" "$MT_OUT" || fail "--help does not mention $option"
	done
	check_width "$MT_OUT" 100
	mt --help
	equal status "$MT_STATUS" 0
	grep -qw faults "$MT_OUT"
}

@test "--version is one line, exit 0" {
	mt --version
	equal status "$MT_STATUS" 0
	equal lines "$(wc -l <"$MT_OUT")" 1
	grep -Eq '[0-9]+\.[0-9]+' "$MT_OUT"
}

@test "--help on a full device fails" {
	[[ -c /dev/full ]] || skip "no /dev/full"
	MT_STATUS=0
	timeout "$BOUND" "$MEMTRACE" faults --help >/dev/full 2>"$MT_ERR" || MT_STATUS=$?
	equal status "$MT_STATUS" 1
}
