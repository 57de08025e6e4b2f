#!/usr/bin/env bats
# The tool's own memory is bounded: system-wide, while the machine is busy.

load lib

BOUND=100 # a busy machine that is busy with something else too

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
	sh -c 'i=0; while [ $i -lt 800 ]; do /bin/true; i=$((i + 1)); done' &
	"$PROGS/storm" -t 2 -n 20000 -r 8 >/dev/null
	"$PROGS/vmas" 5000 >/dev/null
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
	local ids id deadline

	PATH=$PATH:/usr/sbin
	command -v bpftool >/dev/null || skip "bpftool is not installed"
	mt_start faults --json
	ids=$(awk '$1 == "prog_id:" { print $2 }' "/proc/$MT_SELF"/fdinfo/* | sort -u)
	[[ -n $ids ]] || fail "memtrace holds no program"
	mt_stop
	# The kernel frees a program after a grace period: a moment is allowed, not more.
	deadline=$((SECONDS + 10))
	for id in $ids; do
		while bpftool prog show id "$id" >/dev/null 2>&1; do
			((SECONDS < deadline)) || fail "program $id is still loaded after 10 s"
		done
	done
}
