# shellcheck shell=bash
# lib.bash - what the end-to-end tests share: memtrace run and bounded, its output read, the machine prepared.
#
# MEMTRACE	the binary under test (build/memtrace)
# PROGS		where the test programs are (build/tests/progs)
#
# Nothing here sleeps in order to wait: what is awaited says so (a line on a FIFO, an exit), and each wait has a bound.

set -o pipefail
unset SUDO_UID SUDO_GID # programs after -- run as who runs the tests, under sudo, too

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
MEMTRACE=${MEMTRACE:-build/memtrace}
PROGS=${PROGS:-build/tests/progs}
[[ $MEMTRACE == /* ]] || MEMTRACE=$TOP/$MEMTRACE
[[ $PROGS == /* ]] || PROGS=$TOP/$PROGS

BOUND=${BOUND:-40}	# seconds after which a run is ended, and has failed
ALL=(-n 100000)		# every row, not the top of them

# --- saying what went wrong ------------------------------------------------------------------------------------

fail() {
	printf 'FAILED: %s\n' "$*"
	if [[ -s ${MT_ERR:-} ]]; then
		printf -- '--- stderr of memtrace\n'
		tail -n 20 "$MT_ERR" | cat -v
	fi
	return 1
}

# equal WHAT GOT WANT
equal() {
	[[ $2 == "$3" ]] || fail "$1: got '$2', want '$3'"
}

# at_least WHAT GOT LEAST
at_least() {
	[[ $2 =~ ^[0-9]+$ && $2 -ge $3 ]] || fail "$1: got '$2', want at least $3"
}

# at_most WHAT GOT MOST
at_most() {
	[[ $2 =~ ^[0-9]+$ && $2 -le $3 ]] || fail "$1: got '$2', want at most $3"
}

# near WHAT GOT WANT: within 1 %, or 60 where that is more
near() {
	local slack=$(($3 / 100)) off

	((slack >= 60)) || slack=60
	[[ $2 =~ ^[0-9]+$ ]] || fail "$1: got '$2', want $3" || return
	off=$(($2 - $3))
	((${off#-} <= slack)) || fail "$1: got $2, want $3 within $slack"
}

# matches WHAT TEXT EXTENDED-REGEX (case does not matter)
matches() {
	grep -Eiq -- "$3" <<<"$2" || fail "$1: '$2' does not match /$3/"
}

# --- running memtrace ------------------------------------------------------------------------------------------

need_binaries() {
	[[ -x $MEMTRACE ]] || fail "$MEMTRACE: not built" || return
	[[ -x $PROGS/regions ]] || fail "$PROGS/regions: not built"
}

need_root() {
	((EUID == 0)) || skip "tracing needs root"
}

# Every file's setup(): fresh file names, and the tools that all use.
common_setup() {
	need_binaries
	MT_OUT=$BATS_TEST_TMPDIR/out
	MT_ERR=$BATS_TEST_TMPDIR/err
	PROG_OUT=$BATS_TEST_TMPDIR/prog
	export PROG_OUT
	MT_PIDS=()
	true >"$MT_OUT"
	true >"$MT_ERR"
}

# Ends what a failed test left behind: only processes that the test started.
common_teardown() {
	[[ -z ${OPEN_DIR:-} ]] || rm -rf "$OPEN_DIR"
	local pid

	for pid in "${MT_PIDS[@]:-}" "${SLEEPER_PID:-}"; do
		[[ -n $pid ]] && kill -KILL "$pid" 2>/dev/null
	done
	return 0
}

# mt ARGS...: run memtrace to its end; its status in MT_STATUS, its output in MT_OUT and MT_ERR
mt() {
	MT_STATUS=0
	rm -f "$PROG_OUT"
	timeout -k 10 "$BOUND" "$MEMTRACE" "$@" >"$MT_OUT" 2>"$MT_ERR" </dev/null 3>&- || MT_STATUS=$?
	((MT_STATUS != 124)) || fail "memtrace $*: not finished after $BOUND s"
}

# faults ARGS...: the same for memtrace faults --json with every row, and the stream has to be sound
faults() {
	mt faults --json "${ALL[@]}" "$@"
	check_stream "$MT_OUT"
}

# mt_in_mounts SCRIPT ARGS...: mt in mounts of its own, which the shell SCRIPT has changed
mt_in_mounts() {
	local script=$1

	shift
	MT_STATUS=0
	timeout -k 10 "$BOUND" unshare -m sh -c "($script) >&2 || exit 77"'; exec "$@"' sh "$MEMTRACE" "$@" \
		>"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
	((MT_STATUS != 77)) || skip "cannot change mounts here: $(head -n 1 "$MT_ERR")"
}

# mt_start ARGS...: run memtrace in the background, until it says that it is ready. Its supervisor (timeout, which passes
# on signals and the status) is MT_PID, memtrace itself MT_SELF.
mt_start() {
	local fifo line fd

	fifo=$(mktemp -u "$BATS_TEST_TMPDIR/stderr.XXXXXX")
	mkfifo "$fifo"
	timeout --foreground -k 10 "$BOUND" "$MEMTRACE" "$@" >"$MT_OUT" 2>"$fifo" </dev/null 3>&- &
	MT_PID=$!
	exec {fd}<"$fifo"
	rm -f "$fifo"
	while IFS= read -r -t "$BOUND" -u "$fd" line; do
		printf '%s\n' "$line" >>"$MT_ERR"
		[[ $line != "memtrace: ready" ]] || break
	done
	if [[ $line != "memtrace: ready" ]]; then
		exec {fd}<&-
		fail "memtrace $*: never ready"
		return
	fi
	# The rest of stderr goes on into the file; the reader ends with memtrace.
	cat <&"$fd" >>"$MT_ERR" 3>&- &
	exec {fd}<&-
	MT_SELF=$(pgrep -P "$MT_PID") || true
	MT_PIDS+=("$MT_PID" "$MT_SELF")
}

# mt_wait: until the memtrace of mt_start ends by itself
mt_wait() {
	MT_STATUS=0
	wait "$MT_PID" || MT_STATUS=$?
	((MT_STATUS != 124 && MT_STATUS != 137)) || fail "memtrace did not end (status $MT_STATUS)"
}

# mt_stop [SIGNAL]: ask it to end, and wait
mt_stop() {
	kill -"${1:-INT}" "$MT_PID"
	mt_wait
}

# mt_as_nobody ARGS...: mt, without any privilege
mt_as_nobody() {
	local program=$MEMTRACE as=()

	if ((EUID == 0)); then
		# A place that another user can reach, wherever the tree is.
		OPEN_DIR=$(mktemp -d /tmp/memtrace-test.XXXXXX)
		chmod 755 "$OPEN_DIR"
		install -m 755 "$MEMTRACE" "$OPEN_DIR/memtrace"
		program=$OPEN_DIR/memtrace
		as=(setpriv --reuid 65534 --clear-groups)
	fi
	MT_STATUS=0
	(cd / && timeout "$BOUND" "${as[@]}" "$program" "$@") >"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
}

# wait_for PATTERN COUNT: until MT_OUT, which memtrace is still writing, has COUNT lines that match
wait_for() {
	local seen

	seen=$(grep -Ecm "$2" "$1" < <(exec timeout 20 tail -n +1 -f --pid="$MT_PID" "$MT_OUT" 2>/dev/null 3>&-)) || true
	equal "lines matching $1 within 20 s" "$seen" "$2"
}

# --- reading what it said --------------------------------------------------------------------------------------

# j FILTER: jq over the array of all rows, raw output
j() {
	jq -rs "$1" "$MT_OUT"
}

# sum FILTER KEY: the sum of KEY over the rows that FILTER selects
sum() {
	j "[.[] | select($1) | .$2 // 0] | add // 0"
}

# Every line is an object with type first; the first is start, the last is end, and there is one of each.
check_stream() {
	local bad

	[[ -s $1 ]] || fail "no output" || return
	jq -e . "$1" >/dev/null || fail "not JSON Lines" || return
	bad=$(grep -cv '^{"type":' "$1") || true
	equal "lines that do not begin with the type" "$bad" 0 || return
	equal "first line" "$(head -n 1 "$1" | jq -r .type)" start || return
	equal "last line" "$(tail -n 1 "$1" | jq -r .type)" end || return
	equal "start and end lines" "$(jq -r 'select(.type == "start" or .type == "end") | .type' "$1" | wc -l)" 2
}

# What holds of every summary, whatever was traced.
check_sums() {
	equal "VMAs whose kinds do not add up to their faults" \
		"$(j '[.[] | select(.type == "vma") | select(([.kinds[]] | add // 0) != .faults)] | length')" 0
	equal "VMAs with more minor and major faults than faults" \
		"$(j '[.[] | select(.type == "vma") | select(.minor + .major > .faults)] | length')" 0
	equal "faults of all VMAs" "$(sum '.type == "vma"' faults)" "$(sum '.type == "process"' faults)"
}

# Nothing was lost; or it was, and is told.
lost() {
	j '[.[] | select(.type == "end") | .lost[]] | add'
}

# value KEY [FILE]: what a test program said
value() {
	sed -n "s/^$1=//p" "${2:-$PROG_OUT}"
}

# Hexadecimal addresses are compared as memtrace and the programs both write them: lower case, no zeros before.
# vma PID NAME: the row of the region NAME of a test program, in process PID
vma() {
	j "[.[] | select(.type == \"vma\" and .pid == $1 and .start == \"$(value "$2.start")\")] |
		if length == 1 then .[0] else \"\\(length) rows\" end"
}

# field ROW FILTER: of a row that vma or process found, or what they found instead of one
field() {
	if [[ $1 == "{"* ]]; then
		jq -r "$2" <<<"$1"
	else
		printf '%s\n' "$1"
	fi
}

# process PID [COMM]: the row of a process
process() {
	j "[.[] | select(.type == \"process\" and .pid == $1 ${2:+and .comm == \"$2\"})] |
		if length == 1 then .[0] else \"\\(length) rows\" end"
}

# No control byte but the newline, nothing that is not UTF-8, no control character of Latin-1 (CSI in one character).
check_clean() {
	local byte c1

	byte=$(LC_ALL=C grep -acP '[\x00-\x09\x0b-\x1f\x7f]' "$1") || true
	c1=$(LC_ALL=C grep -acP '\xc2[\x80-\x9f]' "$1") || true
	equal "lines with control bytes in $1" "$byte" 0 || return
	equal "lines with C1 control characters in $1" "$c1" 0 || return
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || fail "$1 is not UTF-8"
}

# check_width FILE COLUMNS
check_width() {
	at_most "widest line of $1" "$(LC_ALL=C.UTF-8 wc -L <"$1")" "$2"
}

# One line on stderr, as long as it says something.
check_one_line() {
	equal "lines on stderr" "$(wc -l <"$MT_ERR")" 1
	at_least "length of the message" "$(wc -c <"$MT_ERR")" 15
}

# --- a process to attach to ------------------------------------------------------------------------------------

# sleeper_start: SLEEPER_PID waits for orders (see tests/progs/sleeper.c)
sleeper_start() {
	local orders=$BATS_TEST_TMPDIR/orders.$RANDOM answers=$BATS_TEST_TMPDIR/answers.$RANDOM

	mkfifo "$orders" "$answers"
	SLEEPER_OUT=$BATS_TEST_TMPDIR/sleeper.$RANDOM
	PROG_OUT=$SLEEPER_OUT timeout --foreground -k 1 "$BOUND" "${1:-$PROGS/sleeper}" <"$orders" >"$answers" 3>&- &
	SLEEPER_SUPERVISOR=$!
	exec {SLEEPER_IN}>"$orders" {SLEEPER_ANSWERS}<"$answers"
	sleeper_answer
	# shellcheck disable=SC2034 # the region is for the tests
	SLEEPER_PID=${ANSWER#ok pid=} SLEEPER_PID=${SLEEPER_PID% region=*} SLEEPER_REGION=${ANSWER#* region=}
}

sleeper_answer() {
	IFS= read -r -t 20 -u "$SLEEPER_ANSWERS" ANSWER || fail "the sleeper does not answer"
	[[ $ANSWER == ok* ]] || fail "the sleeper says: $ANSWER"
}

# tell ORDER: and wait until it is done; what it answered in ANSWER
tell() {
	printf '%s\n' "$1" >&"$SLEEPER_IN"
	sleeper_answer
}

# sleeper_quit: afterwards value KEY "$SLEEPER_OUT"
sleeper_quit() {
	printf 'quit\n' >&"$SLEEPER_IN"
	exec {SLEEPER_IN}>&-
	wait "$SLEEPER_SUPERVISOR" || fail "the sleeper ended with $?"
	exec {SLEEPER_ANSWERS}<&-
	SLEEPER_PID=
}

# --- the machine -----------------------------------------------------------------------------------------------

# disk_dir: a directory of the test's own on a filesystem with a device under it, in DISK_DIR
disk_dir() {
	local at

	for at in "$BATS_TEST_TMPDIR" "$PROGS" /var/tmp; do
		case $(stat -f -c %T "$at") in
		tmpfs | ramfs) continue ;;
		esac
		DISK_DIR=$(mktemp -d "$at/memtrace-test.XXXXXX") && return
	done
	skip "no directory on a disk: $BATS_TEST_TMPDIR, $PROGS and /var/tmp are in memory"
}

# disk_dir_gone: the directory and what the test put into it
disk_dir_gone() {
	[[ -z ${DISK_DIR:-} ]] || rm -rf "$DISK_DIR"
}

# cgroup_up [BYTES]: a memory cgroup of the test's own in CG, limited to BYTES
cgroup_up() {
	local root parent limit

	root=$(findmnt -nt cgroup -O memory -o TARGET | head -n 1)
	if [[ -n $root ]]; then
		parent=$root limit=memory.limit_in_bytes
	else
		root=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
		[[ -n $root ]] || skip "no memory cgroup: neither v1 nor v2 is mounted"
		grep -qw memory "$root/cgroup.controllers" || skip "no memory controller in $root"
		parent=$root limit=memory.max
		grep -qw memory "$root/cgroup.subtree_control" || echo +memory >"$root/cgroup.subtree_control" ||
			skip "$root: the memory controller cannot be delegated"
	fi
	export CG=$parent/memtrace-test.$$.$RANDOM
	mkdir "$CG" || skip "cannot create $CG"
	[[ -z ${1:-} ]] || echo "$1" >"$CG/$limit"
}

# cgroup2_up: a cgroup of the unified hierarchy in CG, without a controller
cgroup2_up() {
	local root

	root=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	[[ -n $root ]] || skip "no cgroup2 mounted"
	export CG=$root/memtrace-test.$$.$RANDOM
	mkdir "$CG" || skip "cannot create $CG"
}

# Before a program and its arguments: runs it in the cgroup CG.
# shellcheck disable=SC2016,SC2034 # expanded by the shell that is started, used by the tests
IN_CG=(sh -c 'echo $$ >"$CG/cgroup.procs" && exec "$@"' sh)

# A dying process leaves its cgroup a moment after it was reaped: bounded tries, as rmdir has no way to wait.
cgroup_down() {
	local i dir

	[[ -n ${CG:-} && -d $CG ]] || return 0
	for ((i = 0; i < 100; i++)); do
		for dir in "$CG"/*/ "$CG"; do
			[[ ! -d $dir ]] || rmdir "$dir" 2>/dev/null || true
		done
		[[ -d $CG ]] || return 0
		sleep 0.05
	done
	fail "$CG is still busy"
}

# zram_up MIB: swap of the test's own, of higher priority than any other, on a zram device in ZRAM
zram_up() {
	local control=/sys/class/zram-control id

	[[ -d $control ]] || modprobe zram 2>/dev/null || true
	[[ -e $control/hot_add ]] || skip "no zram on this kernel"
	id=$(cat "$control/hot_add") || skip "zram gives no device"
	ZRAM=$id
	echo "${1}M" >"/sys/block/zram$id/disksize"
	[[ -b /dev/zram$id ]] || mknod "/dev/zram$id" b "$(tr : ' ' <"/sys/block/zram$id/dev" | cut -d ' ' -f 1)" "$id"
	mkswap "/dev/zram$id" >/dev/null
	swapon -p 32767 "/dev/zram$id" || skip "this machine allows no swap"
}

zram_down() {
	[[ -n ${ZRAM:-} ]] || return 0
	swapoff "/dev/zram$ZRAM" 2>/dev/null || true
	echo 1 >"/sys/block/zram$ZRAM/reset"
	echo "$ZRAM" >/sys/class/zram-control/hot_remove
}

# drop_caches FILE: written back, it leaves the page cache
drop_caches() {
	sync "$1"
	echo 1 >/proc/sys/vm/drop_caches || skip "drop_caches is refused here"
}
