#!/usr/bin/env bash
# calls.sh - what tracing mmap and munmap costs a program that does nothing else, beside the peers, in one run.
#
#	calls.sh [-r ROUNDS] [-n PAIRS]
#
# tests/progs/mapstorm under each tracer in turn, ROUNDS times (7), and untraced before each. Printed are medians of what a
# call took and of what the tracer added to it, and that as a ratio to bpftrace. Nothing is asserted.
#
# MEMTRACE PROGS	where the binaries are (build/...)
set -euo pipefail

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
MEMTRACE=${MEMTRACE:-$TOP/build/memtrace}
PROGS=${PROGS:-$TOP/build/tests/progs}
rounds=7
pairs=200000
work=
tracer=

die() {
	echo "calls.sh: $*" >&2
	exit 1
}

cleanup() {
	[[ -z $tracer ]] || kill -KILL "$tracer" 2>/dev/null || true
	[[ -z $work ]] || rm -rf "$work"
}

# storm PAIRS [TRACER...]: ns a call
storm() {
	local n=$1

	shift
	rm -f "$work/said"
	PROG_OUT=$work/said "$@" "$PROGS/mapstorm" "$n" >/dev/null 2>>"$work/stderr" || true
	awk -F = '$1 == "ns_per_pair" { print int($2 / 2) }' "$work/said"
}

# Summed as memtrace does: what calls that succeeded asked for, by process.
BPFTRACE='tracepoint:syscalls:sys_enter_mmap { @m[tid] = args->len; }
	tracepoint:syscalls:sys_exit_mmap /@m[tid]/ { if (args->ret > 0) { @mapped[pid] = sum(@m[tid]); } delete(@m[tid]); }
	tracepoint:syscalls:sys_enter_munmap { @u[tid] = args->len; }
	tracepoint:syscalls:sys_exit_munmap /@u[tid]/ { if (args->ret == 0) { @unmapped[pid] = sum(@u[tid]); } delete(@u[tid]); }
	interval:ms:100 { printf("on\n"); }'

traced() {
	local n=$((pairs / 20)) i

	case $1 in
	memtrace) storm "$pairs" "$MEMTRACE" brk-vs-mmap -o /dev/null -- ;;
	memtrace-off) storm "$pairs" "$MEMTRACE" brk-vs-mmap --stacks=off -o /dev/null -- ;;
	memtrace-events) storm "$pairs" "$MEMTRACE" brk-vs-mmap --events -o /dev/null -- ;;
	strace) storm "$n" strace -c -o /dev/null ;;
	perf) storm "$n" perf trace -s -o /dev/null ;;
	bpftrace)
		timeout -k 5 60 bpftrace -B line -e "$BPFTRACE" >"$work/bpftrace" 2>>"$work/stderr" &
		tracer=$!
		for ((i = 0; i < 300; i++)); do
			! grep -q on "$work/bpftrace" || break
			sleep 0.1
		done
		storm "$pairs"
		kill -INT "$tracer"
		wait "$tracer" || true
		tracer=
		;;
	esac
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}

run() {
	local round name

	for ((round = 0; round < rounds; round++)); do
		for name in "${names[@]}"; do
			echo "$name $(storm "$pairs") $(traced "$name")" >>"$work/data"
		done
	done
}

report() {
	local name ns added base

	base=$(awk '$1 == "bpftrace" { print $3 - $2 }' "$work/data" | median)
	printf '| %-42s | %9s | %9s | %10s |\n' '' ns/call 'added ns' 'x bpftrace'
	printf '|%s|%s|%s|%s|\n' "$(printf '%.0s-' {1..44})" ----------: ----------: -----------:
	printf '| %-42s | %9s | %9s | %10s |\n' untraced "$(awk '{ print $2 }' "$work/data" | median)" - -
	for name in "${names[@]}"; do
		ns=$(awk -v name="$name" '$1 == name { print $3 }' "$work/data" | median)
		added=$(awk -v name="$name" '$1 == name { print $3 - $2 }' "$work/data" | median)
		printf '| %-42s | %9s | %9s | %10s |\n' "${label[$name]}" "$ns" "$added" \
			"$([[ $base == - ]] || awk "BEGIN { printf \"%.2f\", $added / $base }")"
	done
}

while getopts r:n: option; do
	case $option in
	r) rounds=$OPTARG ;;
	n) pairs=$OPTARG ;;
	*) exit 2 ;;
	esac
done
((EUID == 0)) || die "tracing needs root"
if [[ -z ${BENCH_MOUNTS:-} ]]; then
	BENCH_MOUNTS=private exec unshare -m "${BASH_SOURCE[0]}" "$@"
fi
trap cleanup EXIT
work=$(mktemp -d)
[[ -d /sys/kernel/tracing/events ]] || mount -t tracefs nodev /sys/kernel/tracing || die "no tracefs"
declare -A label=([memtrace]="memtrace brk-vs-mmap" [memtrace-off]="memtrace brk-vs-mmap --stacks=off"
	[memtrace-events]="memtrace brk-vs-mmap --events" [strace]="strace -c" [perf]="perf trace -s"
	[bpftrace]="bpftrace, sums of calls that succeeded")
names=(memtrace-off memtrace memtrace-events)
for name in strace perf bpftrace; do
	command -v $name >/dev/null && names+=("$name") || echo "Left out: $name: not installed"
done
run
report
