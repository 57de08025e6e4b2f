#!/usr/bin/env bash
# leaks.sh - what looking for leaks costs a program that does nothing but malloc and free, in one run.
#
#	leaks.sh [-r ROUNDS] [-n PAIRS]
#
# tests/progs/mallocstorm under each tracer in turn, ROUNDS times (7), and untraced before each. Printed are medians of what a
# pair of malloc and free took and of what the tracer added to it, and how much those differ from round to round. Nothing is
# asserted. What memtrace takes to start competes with the storm if there are not enough CPUs: a tenth of a second, once.
#
# MEMTRACE PROGS	where the binaries are (build/...)
set -euo pipefail

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
MEMTRACE=${MEMTRACE:-$TOP/build/memtrace}
PROGS=${PROGS:-$TOP/build/tests/progs}
rounds=7
pairs=200000000
work=

die() {
	echo "leaks.sh: $*" >&2
	exit 1
}

cleanup() {
	[[ -z $work ]] || rm -rf "$work"
}

# storm PAIRS [TRACER...]: ps a pair
storm() {
	local n=$1

	shift
	rm -f "$work/said"
	PROG_OUT=$work/said "$@" "$PROGS/mallocstorm" "$n" >/dev/null 2>>"$work/stderr" || true
	awk -F = '$1 == "ps_per_pair" { print $2 }' "$work/said"
}

# What is dear is measured with fewer pairs.
traced() {
	local fewer=$((pairs / 400))

	case $1 in
	heap) storm "$fewer" "$MEMTRACE" leaks --heap -o /dev/null -- ;;
	heap-sampled) storm "$fewer" "$MEMTRACE" leaks --heap --sample 524288 -o /dev/null -- ;;
	bpftrace) bpftraced $((fewer / 10)) ;;
	memleak) bpf_memleak $((fewer / 10)) ;;
	heaptrack) storm $((fewer * 10)) heaptrack -o "$work/heaptrack" ;;
	valgrind) storm $((fewer * 2)) valgrind -q --leak-check=full ;;
	again) storm "$pairs" ;;
	trend) storm "$pairs" "$MEMTRACE" leaks --stacks=off -o /dev/null -- ;;
	sites) storm "$pairs" "$MEMTRACE" leaks -o /dev/null -- ;;
	esac
}

# bpftraced PAIRS: what memtrace leaks --heap does, as far as bpftrace can, by one call stack a block
bpftraced() {
	cat >"$work/heap.bt" <<EOF
uprobe:$libc:malloc { @size[tid] = arg0; }
uretprobe:$libc:malloc /@size[tid]/ { @block[retval] = @size[tid]; @sum[ustack] = sum(@size[tid]); delete(@size[tid]); }
uprobe:$libc:free { delete(@block[arg0]); }
EOF
	rm -f "$work/said"
	PROG_OUT=$work/said bpftrace -q -o /dev/null -c "$PROGS/mallocstorm $1" "$work/heap.bt" >/dev/null 2>>"$work/stderr" || true
	awk -F = '$1 == "ps_per_pair" { print $2 }' "$work/said"
}

# bpf_memleak PAIRS: bcc's, which takes a command
bpf_memleak() {
	rm -f "$work/said"
	PROG_OUT=$work/said "$memleak" -c "$PROGS/mallocstorm $1" 5 1 >/dev/null 2>>"$work/stderr" || true
	awk -F = '$1 == "ps_per_pair" { print $2 }' "$work/said"
}

# quantile Q: of numbers, a line each
quantile() {
	sort -n | awk -v q="$1" '{ v[NR] = $1 } END { if (NR) printf "%.2f", v[1 + int((NR - 1) * q + 0.5)] / 1000; else print "-" }'
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
	local name

	printf '| %-42s | %8s | %9s | %15s |\n' '' ns/pair 'added ns' 'of all rounds'
	printf '|%s|%s|%s|%s|\n' "$(printf '%.0s-' {1..44})" ---------: ----------: ----------------:
	printf '| %-42s | %8s | %9s | %15s |\n' untraced "$(awk '{ print $2 }' "$work/data" | quantile 0.5)" - -
	for name in "${names[@]}"; do
		awk -v name="$name" '$1 == name { print $3 - $2 }' "$work/data" >"$work/added"
		printf '| %-42s | %8s | %9s | %15s |\n' "${label[$name]}" \
			"$(awk -v name="$name" '$1 == name { print $3 }' "$work/data" | quantile 0.5)" "$(quantile 0.5 <"$work/added")" \
			"$(quantile 0 <"$work/added")..$(quantile 1 <"$work/added")"
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
trap cleanup EXIT
work=$(mktemp -d)
declare -A label=([again]="untraced, once more" [trend]="memtrace leaks --stacks=off" [sites]="memtrace leaks"
	[heap]="memtrace leaks --heap" [heap-sampled]="memtrace leaks --heap --sample 524288"
	[bpftrace]="bpftrace, the same as --heap" [memleak]="bcc memleak" [heaptrack]="heaptrack" [valgrind]="valgrind")
names=(again trend sites heap heap-sampled)
libc=$(ldd "$PROGS/mallocstorm" | awk '$1 ~ /^libc\./ { print $3 }')
memleak=$(command -v memleak-bpfcc || command -v memleak || true)
for peer in bpftrace heaptrack valgrind; do
	! command -v $peer >/dev/null || names+=("$peer")
done
[[ -z $memleak ]] || names+=(memleak)
run
report
