#!/bin/bash
# smoke.sh - does memtrace work at all on this kernel? Run as root, here or in a guest (run.sh).
#
# Usage: smoke.sh
#   MEMTRACE  the binary under test (build/memtrace)
#   PROGS     where the test programs are (build/tests/progs)
# Prints for each check 'ok COMMAND: WHAT', 'ok COMMAND: WHAT # skip WHY', or 'not ok COMMAND: WHAT' and then what was
# said, behind '# '. Exit status: 0 no check failed; 1 some did.
#
# To add a check, add a line below 'The checks'. `check NAME COMMAND [ARGS]` passes if COMMAND exits 0, and skips if it
# exits 77. COMMAND can be json, for what memtrace prints, or a function of its own.
set -u

cd "$(dirname "$0")/../.." || exit
MEMTRACE=$(readlink -f "${MEMTRACE:-build/memtrace}")
PROGS=$(readlink -f "${PROGS:-build/tests/progs}")
BOUND=${BOUND:-40} # seconds for one run of memtrace

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
failures=0

check() {
	local name=$1 status
	shift
	"$@" > "$work/said" 2>&1 < /dev/null
	status=$?
	case $status in
	0) echo "ok $name" ;;
	77) echo "ok $name # skip $(tail -n 1 "$work/said")" ;;
	*)
		failures=$((failures + 1))
		echo "not ok $name"
		{ echo "status $status from: $*"; tail -n 30 "$work/said"; } | sed 's/^/# /'
		;;
	esac
}

# skip WHY: end a function with `skip 'no zram'` (that is, return its status)
skip() { echo "$1"; return 77; }

memtrace() { timeout -k 5 "$BOUND" "$MEMTRACE" "$@"; }

# json FILTER ARGS...: `memtrace ARGS` exits 0 and prints JSON Lines, and the jq FILTER is true of the array of them all
json() {
	local filter=$1 status
	shift
	memtrace "$@" > "$work/out"
	status=$?
	[ $status = 0 ] && jq -es "$filter" "$work/out" > "$work/result" && return
	[ $status != 0 ] || { echo "not true of the output: $filter"; status=1; }
	tail -n 10 "$work/out"
	return $status
}

# --- The checks ------------------------------------------------------------------------------------------------

check 'doctor: exits 0' memtrace doctor

check 'faults: --json starts with start and ends with end' \
	json '.[0].type == "start" and .[-1].type == "end"' faults --json -- /bin/true
check 'faults: --json has the process' \
	json 'any(.[]; .type == "process" and .faults > 0)' faults --json -- /bin/true

[ $failures = 0 ]
