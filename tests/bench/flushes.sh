#!/usr/bin/env bash
# flushes.sh - what counting flushes of the TLB costs a program that makes them, beside the peers, in one run.
#
#	flushes.sh [-r ROUNDS] [-n FLUSHES]
#
# tests/progs/tlbstorm, alone, so that it is not two CPUs that are measured: each round is a page fault and a flush. Under
# each tracer in turn, ROUNDS times (9), and untraced before each; printed are medians of its CPU time, and what was added
# as a ratio to bpftrace. Nothing is asserted.
#
# MEMTRACE PROGS	where the binaries are (build/...)
set -euo pipefail

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
MEMTRACE=${MEMTRACE:-$TOP/build/memtrace}
PROGS=${PROGS:-$TOP/build/tests/progs}
rounds=9
flushes=200000
work=
tracer=

die() {
	echo "flushes.sh: $*" >&2
	exit 1
}

cleanup() {
	[[ -z $tracer ]] || kill -KILL "$tracer" 2>/dev/null || true
	[[ -z $work ]] || rm -rf "$work"
}

# storm [TRACER...]: ns a flush
storm() {
	rm -f "$work/said"
	PROG_OUT=$work/said "$@" "$PROGS/tlbstorm" "flush:$flushes:1" >/dev/null 2>>"$work/stderr" || true
	sed -n 's/^ns_per_flush=//p' "$work/said"
}

# beside WORD TRACER...: the same under a tracer of the whole machine, which has said WORD when it is ready
beside() {
	local word=$1 i

	shift
	: >"$work/tracer"
	timeout -k 5 60 "$@" >"$work/tracer" 2>&1 &
	tracer=$!
	for ((i = 0; i < 300; i++)); do
		! grep -q "$word" "$work/tracer" || break
		sleep 0.1
	done
	storm
	kill -INT "$tracer"
	wait "$tracer" || true
	tracer=
}

traced() {
	case $1 in
	memtrace) storm "$MEMTRACE" tlb -o /dev/null -- ;;
	memtrace-all) beside ready "$MEMTRACE" tlb -o /dev/null ;;
	perf) storm perf stat -o /dev/null -e tlb:tlb_flush -- ;;
	bpftrace)
		beside on bpftrace -B line -e 'tracepoint:tlb:tlb_flush { @n[pid, args->reason] = count(); @p[pid, args->reason] = sum(args->pages); }
			interval:ms:100 { printf("on\n"); }'
		;;
	esac
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}

while getopts r:n: option; do
	case $option in
	r) rounds=$OPTARG ;;
	n) flushes=$OPTARG ;;
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
names=(memtrace memtrace-all)
for name in perf bpftrace; do
	command -v $name >/dev/null && names+=("$name") || echo "Left out: $name: not installed"
done
for ((round = 0; round < rounds; round++)); do
	for name in "${names[@]}"; do
		echo "$name $(storm) $(traced "$name")" >>"$work/data"
	done
done

declare -A label=([memtrace]="memtrace tlb -- PROGRAM" [memtrace-all]="memtrace tlb, of all processes" [perf]="perf stat, one number"
	[bpftrace]="bpftrace, by process and reason")
base=$(awk '$1 == "bpftrace" { print $3 - $2 }' "$work/data" | median)
printf '| %-34s | %9s | %9s | %10s |\n' '' ns/flush 'added ns' 'x bpftrace'
printf '|%s|%s|%s|%s|\n' "$(printf '%.0s-' {1..36})" ----------: ----------: -----------:
printf '| %-34s | %9s | %9s | %10s |\n' untraced "$(awk '{ print $2 }' "$work/data" | median)" - -
for name in "${names[@]}"; do
	added=$(awk -v name="$name" '$1 == name { print $3 - $2 }' "$work/data" | median)
	printf '| %-34s | %9s | %9s | %10s |\n' "${label[$name]}" "$(awk -v name="$name" '$1 == name { print $3 }' "$work/data" | median)" \
		"$added" "$([[ $base == - ]] || awk "BEGIN { printf \"%.2f\", $added / $base }")"
done
