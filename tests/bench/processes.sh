#!/usr/bin/env bash
# processes.sh - what it takes to read the memory of all processes, beside the peers, in one run.
#
#	processes.sh [-r ROUNDS] [COUNT...]
#
# With COUNT (50 and 2000) processes more than there are: each reader in turn, ROUNDS times (7). Printed are medians of the
# time on the clock, and that as a ratio to smem. Nothing is asserted.
#
# MEMTRACE	where the binary is (build/memtrace)
set -euo pipefail

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
MEMTRACE=${MEMTRACE:-$TOP/build/memtrace}
rounds=7
sleepers=()
work=

die() {
	echo "processes.sh: $*" >&2
	exit 1
}

cleanup() {
	((${#sleepers[@]} == 0)) || kill "${sleepers[@]}" 2>/dev/null || true
	sleepers=()
	[[ -z $work ]] || rm -rf "$work"
}

# run READER
run() {
	case $1 in
	memtrace) "$MEMTRACE" ps -n 1000000 ;;
	memtrace-fast) "$MEMTRACE" ps --fast -n 1000000 ;;
	memtrace-mapping) "$MEMTRACE" ps --by mapping -n 1000000 ;;
	smem) smem ;;
	smem-mapping) smem -m ;;
	ps) ps aux ;;
	esac >/dev/null
}

declare -A label=([memtrace]="memtrace ps" [smem]="smem" [ps]="ps aux (RSS only)")
label[memtrace-fast]="memtrace ps --fast (RSS only)"
label[memtrace-mapping]="memtrace ps --by mapping"
label[smem-mapping]="smem -m"
order=(smem memtrace memtrace-fast ps smem-mapping memtrace-mapping)

# Milliseconds that a run takes, on the clock.
measure() {
	local began=$EPOCHREALTIME ended

	run "$1"
	ended=$EPOCHREALTIME
	echo "$(((${ended/./} - ${began/./}) / 10)) $1" >>"$work/times"
}

median() {
	awk -v name="$1" '$2 == name { print $1 }' "$work/times" | sort -n | awk '{ v[NR] = $1 } END { printf "%.2f\n", v[int((NR + 1) / 2)] / 100 }'
}

bench() {
	local round i reader reference

	: >"$work/times"
	for ((i = 0; i < $1; i++)); do
		sleep 600 &
		sleepers+=($!)
	done
	for ((round = 0; round < rounds; round++)); do
		for ((i = 0; i < ${#order[@]}; i++)); do
			measure "${order[$(((i + round) % ${#order[@]}))]}"
		done
	done
	reference=$(median smem)
	printf '\n%d processes more:\n\n' "$1"
	printf '| %-31s | %9s | %6s |\n|%s|%s:|%s:|\n' "" "ms" "x smem" "---------------------------------" "----------" "-------"
	for reader in "${order[@]}"; do
		printf '| %-31s | %9s | %6s |\n' "${label[$reader]}" "$(median "$reader")" \
			"$(awk -v a="$(median "$reader")" -v b="$reference" 'BEGIN { printf "%.2f", a / b }')"
	done
	kill "${sleepers[@]}"
	wait "${sleepers[@]}" 2>/dev/null || true
	sleepers=()
}

trap cleanup EXIT
while getopts r: option; do
	case $option in
	r) rounds=$OPTARG ;;
	*) die "usage: processes.sh [-r ROUNDS] [COUNT...]" ;;
	esac
done
shift $((OPTIND - 1))
command -v smem >/dev/null || die "smem is not installed: make deps"
work=$(mktemp -d)
for count in "${@:-50}"; do
	bench "$count"
done
(($# > 0)) || bench 2000
