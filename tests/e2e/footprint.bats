#!/usr/bin/env bats
# The tool's own memory is bounded: system-wide, while the machine is busy.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

# peak: the most that memtrace has had resident, in KiB
peak() {
	awk '/^VmHWM:/ { print $2 }' "/proc/$MT_SELF/status"
}

# Many processes, many VMAs, many faults.
busy() {
	# shellcheck disable=SC2016
	sh -c 'i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i + 1)); done' &
	"$PROGS/storm" -t 2 -n 20000 -r 20 >/dev/null
	"$PROGS/vmas" 10000 >/dev/null
	wait $!
}

@test "system-wide on a busy machine: under 64 MiB resident" {
	mt_start faults --json
	busy
	at_most "KiB resident" "$(peak)" 65536
	mt_stop
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

@test "the same with events, of which nobody reads fast enough" {
	mt_start faults --events --buffer 1024
	busy
	at_most "KiB resident" "$(peak)" 65536
	mt_stop
	equal status "$MT_STATUS" 0
}

@test "the same with intervals: what has been told is forgotten" {
	mt_start faults --json -i 1
	busy
	at_most "KiB resident" "$(peak)" 65536
	mt_stop
	check_stream "$MT_OUT"
}

@test "nothing stays behind in the kernel" {
	local ids id

	PATH=$PATH:/usr/sbin
	command -v bpftool >/dev/null || skip "bpftool is not installed"
	mt_start faults --json
	ids=$(bpftool -j prog show | jq --argjson pid "$MT_SELF" '.[] | select(any(.pids[]?; .pid == $pid)).id')
	[[ -n $ids ]] || skip "this bpftool does not tell whose programs are whose"
	mt_stop
	for id in $ids; do
		if bpftool prog show id "$id" >/dev/null 2>&1; then
			fail "program $id is still loaded"
		fi
	done
}
