#!/usr/bin/env bash
# bench.sh - what tracing page faults costs, beside the peers, in one run.
#
#	bench.sh [-r ROUNDS] [-n PAGES] [-o FILE]
#
# A storm of anonymous faults (tests/progs/storm.c), of one thread and of two, under each tracer in turn, ROUNDS times over
# (7), and untraced before each: every tracer traces the whole machine, is awaited until it traces, and is stopped by
# SIGINT. The order turns from round to round. Printed are medians, and the least, of what each tracer added, and that as a
# ratio to perf record and to bpftrace. Nothing is asserted. -o keeps the measurements, as table.awk reads them.
#
# MEMTRACE PROGS EMPTY EMPTY_BPF	where the binaries are (build/...)
set -euo pipefail

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
MEMTRACE=${MEMTRACE:-$TOP/build/memtrace}
PROGS=${PROGS:-$TOP/build/tests/progs}
EMPTY=${EMPTY:-$TOP/build/tests/bench/empty}
EMPTY_BPF=${EMPTY_BPF:-$EMPTY.bpf.o}
BOUND=120	# seconds: no tracer runs longer

rounds=7
passes=15	# over the pages, in one storm
pages=16384
keep=
work=
tracer=
watcher=

say() {
	printf 'bench: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

usage() {
	echo "usage: bench.sh [-r ROUNDS] [-n PAGES] [-o FILE]" >&2
	exit 2
}

cleanup() {
	[[ -z $tracer ]] || kill -KILL "$tracer" 2>/dev/null || true
	[[ -z $work ]] || rm -rf "$work"
}

# --- what is measured ------------------------------------------------------------------------------------------

# One line a variant: how it is called here, and in the table. Those that cannot run are taken out, and named.
declare -A label
order=()
absent=()

variant() {
	order+=("$1")
	label[$1]=$2
}

without() {
	absent+=("$1")
}

has_option() {
	"$MEMTRACE" faults --help 2>/dev/null | grep -qe "$1"
}

choose_variants() {
	if [[ -x $EMPTY && -r $EMPTY_BPF ]]; then
		variant empty-tp "empty program, page_fault_user"
		variant empty-sw "empty program, software events"
	else
		without "the empty programs: $EMPTY is not built"
	fi
	if [[ -x $MEMTRACE ]]; then
		variant summary "memtrace faults"
		variant kinds "memtrace faults --kinds"
		variant latency "memtrace faults --latency"
		variant latency=all "memtrace faults --latency=all"
		if has_option --stacks; then
			variant stacks "memtrace faults --stacks"
		fi
		variant events "memtrace faults --events"
	else
		without "memtrace: $MEMTRACE is not built"
	fi
	if command -v perf >/dev/null; then
		variant perf "perf record -e page-faults -c 1"
	else
		without "perf: not installed"
	fi
	if command -v bpftrace >/dev/null; then
		variant bpftrace-tp "bpftrace count, page_fault_user"
		variant bpftrace-sw "bpftrace count, software event"
	else
		without "bpftrace: not installed"
	fi
}

# --- tracers, in the background, awaited -----------------------------------------------------------------------

# launch PROGRAM ARGS...: bounded; tracer is the supervisor, which passes on SIGINT and the status
launch() {
	timeout --foreground -k 10 "$BOUND" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null &
	tracer=$!
}

# The tracer says that it is ready, by a line on stderr.
launch_and_read() {
	local ready=$1 fifo=$work/fifo line fd

	shift
	rm -f "$fifo"
	mkfifo "$fifo"
	timeout --foreground -k 10 "$BOUND" "$@" >/dev/null 2>"$fifo" </dev/null &
	tracer=$!
	exec {fd}<"$fifo"
	while IFS= read -r -t 30 -u "$fd" line; do
		[[ $line != "$ready" ]] || break
		printf '%s\n' "$line" >>"$work/stderr"
	done
	[[ ${line:-} == "$ready" ]] || die "$1 was never ready: $(tail -n 1 "$work/stderr")"
	cat <&"$fd" >>"$work/stderr" &
	watcher=$!
	exec {fd}<&-
}

# perf starts with its events off, and acknowledges when it has turned them on.
launch_perf() {
	local control=$work/control ack=$work/ack answer

	rm -f "$control" "$ack"
	mkfifo "$control" "$ack"
	exec {control_fd}<>"$control" {ack_fd}<>"$ack"
	launch perf record -e page-faults -c 1 -a -o /dev/null -D -1 --control "fifo:$control,$ack"
	echo enable >&"$control_fd"
	IFS= read -r -t 30 -u "$ack_fd" answer || die "perf record was never ready: $(tail -n 1 "$work/stderr")"
	[[ $answer == ack* ]] || die "perf record answers: $answer"
	exec {control_fd}>&- {ack_fd}>&-
}

# bpftrace says nothing when it is attached: it prints what it has counted, ten times a second for the first seconds, while this
# makes faults for it to count. What it prints when it ends is held against what the storm did (check_bpftrace).
launch_bpftrace() {
	local deadline=$((SECONDS + 30))

	launch bpftrace -B line -e "$1 { @[pid, comm] = count(); } interval:ms:100 /@n < 20/ { print(@); @n++; }"
	until grep -q '^@\[' "$work/stdout"; do
		if ((SECONDS >= deadline)) || ! kill -0 "$tracer" 2>/dev/null; then
			die "bpftrace was never ready: $(tail -n 1 "$work/stderr")"
		fi
		/bin/true
	done
}

start() {
	true >"$work/stderr"
	case $1 in
	empty-tp) launch_and_read "empty: ready" "$EMPTY" "$EMPTY_BPF" tp ;;
	empty-sw) launch_and_read "empty: ready" "$EMPTY" "$EMPTY_BPF" sw ;;
	summary) launch_and_read "memtrace: ready" "$MEMTRACE" faults ;;
	perf) launch_perf ;;
	bpftrace-tp) launch_bpftrace tracepoint:exceptions:page_fault_user ;;
	bpftrace-sw) launch_bpftrace software:page-faults:1 ;;
	*) launch_and_read "memtrace: ready" "$MEMTRACE" faults "--$1" ;;
	esac
}

# A tracer that does not end as it should, or did not trace all the time, has no measurement; the run goes on.
stop() {
	local status=0

	kill -INT "$tracer"
	wait "$tracer" || status=$?
	tracer=
	if [[ -n $watcher ]]; then
		wait "$watcher" || true
		watcher=
	fi
	grep -i lost "$work/stderr" | tail -n 1 >"$work/lost.$1" || true
	# perf's status is that of its death by SIGINT.
	if [[ $status != 0 && ! ($1 == perf && $status == 130) ]]; then
		say "left out: ${label[$1]} ended with status $status: $(tail -n 1 "$work/stderr")"
		return 1
	fi
	[[ $1 != bpftrace-* ]] || check_bpftrace "$1"
}

# A tracer that counted less than was there was not tracing all the time.
check_bpftrace() {
	local counted

	counted=$(awk -F '[][,:] *' '$3 == "storm" { last[$2] = $NF } END { for (p in last) n += last[p]; print n + 0 }' "$work/stdout")
	if ((counted < faults)); then
		say "left out: ${label[$1]} counted $counted of $faults faults"
		return 1
	fi
}

# --- the run ---------------------------------------------------------------------------------------------------

# storm THREADS: ns per fault
storm() {
	"$PROGS/storm" -t "$1" -n "$pages" -r "$passes" | sed -n 's/^ns_per_fault=//p'
}

# Each measurement has its own untraced one, a moment before. Before each, a storm that is not counted: what it costs to
# load or to take down a tracer (text patched, memory freed behind it) is not part of what a fault costs.
measure() {
	local one two traced_one traced_two

	storm 1 >/dev/null
	one=$(storm 1)
	two=$(storm 2)
	start "$1"
	storm 1 >/dev/null
	traced_one=$(storm 1)
	traced_two=$(storm 2)
	faults=$((4 * passes * pages))
	stop "$1" || return 0
	printf 'ns %s %d %d %d\n' "$1" 1 "$one" "$traced_one" "$1" 2 "$two" "$traced_two" >>"$work/data"
}

run_rounds() {
	local round i name

	for name in "${order[@]}"; do
		echo "order $name ${label[$name]}" >>"$work/data"
	done
	for ((round = 0; round < rounds; round++)); do
		say "round $((round + 1)) of $rounds"
		for ((i = 0; i < ${#order[@]}; i++)); do
			measure "${order[(i + round) % ${#order[@]}]}"
		done
	done
}

# --- what is said ----------------------------------------------------------------------------------------------

first_line() {
	"$@" 2>&1 | head -n 1
}

describe_machine() {
	local virt

	virt=$(systemd-detect-virt --vm 2>/dev/null) || virt=$(sed -n '/^flags.*\bhypervisor\b/{s/.*/a virtual machine/p;q}' /proc/cpuinfo)
	echo "Machine:  $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs," \
		"$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo)${virt:+, $virt}"
	echo "Kernel:   $(uname -sr) $(uname -m)"
	printf 'Versions: '
	[[ ! -x $MEMTRACE ]] || printf '%s; ' "$(first_line "$MEMTRACE" --version)"
	! command -v perf >/dev/null || printf '%s; ' "$(first_line perf --version)"
	! command -v bpftrace >/dev/null || printf '%s' "$(first_line bpftrace --version)"
	printf '\nLoad:     %s runnable before the first round\n' "$load"
	printf 'Storm:    %s pages a thread, %s times, the mean of them;\n          medians of %s such, each beside its own untraced one, tracers in turn\n' \
		"$pages" "$passes" "$rounds"
}

say_absent() {
	local what

	for what in "${absent[@]}"; do
		echo "Left out: $what"
	done
}

say_lost() {
	local file

	for file in "$work"/lost.*; do
		[[ ! -s $file ]] || echo "${label[${file##*/lost.}]}: $(cat "$file")"
	done
}

# --- bpftrace needs tracefs: in a mount namespace of our own, not on the machine ---------------------------------

mount_tracefs() {
	[[ ! -d /sys/kernel/tracing/events ]] || return 0
	mount -t tracefs nodev /sys/kernel/tracing 2>/dev/null || say "no tracefs: bpftrace may not find its tracepoint"
}

while getopts r:n:o: option; do
	case $option in
	r) rounds=$OPTARG ;;
	n) pages=$OPTARG ;;
	o) keep=$OPTARG ;;
	*) usage ;;
	esac
done
[[ $OPTIND -gt $# && $rounds =~ ^[1-9][0-9]*$ && $pages =~ ^[1-9][0-9]*$ ]] || usage
((EUID == 0)) || die "tracing needs root"
[[ -x $PROGS/storm ]] || die "$PROGS/storm: not built"
if [[ -z ${BENCH_MOUNTS:-} ]]; then
	BENCH_MOUNTS=private exec unshare -m "${BASH_SOURCE[0]}" "$@"
fi

trap cleanup EXIT
work=$(mktemp -d)
mount_tracefs
load=$(cut -d ' ' -f 1 /proc/loadavg)
choose_variants
run_rounds
describe_machine
say_absent
awk -f "$TOP/tests/bench/table.awk" "$work/data"
say_lost
[[ -z $keep ]] || cp "$work/data" "$keep"
