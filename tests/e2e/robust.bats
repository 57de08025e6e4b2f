#!/usr/bin/env bats
# memtrace killed at any moment leaves nothing behind; several do not disturb each other; whatever becomes of its output,
# it says so and ends.

load lib

setup() {
	common_setup
	need_root
}
teardown() {
	common_teardown
	cgroup_down
}

COMMANDS=('faults' 'faults --stacks --latency' 'brk-vs-mmap' 'leaks' 'leaks --heap' 'leaks --kernel' 'oom' 'oom --stacks' 'reclaim --stacks')

# --- killed ----------------------------------------------------------------------------------------------------

# bpf_ids PID: its programs, maps and links, by its descriptors: 'prog 12', a line each
bpf_ids() {
	sed -nE 's/^(prog|map|link)_id:[[:space:]]*([0-9]+)$/\1 \2/p' /proc/"$1"/fdinfo/* 2>/dev/null | sort -u || true # it may have ended
}

# ids_gone IDS: until none of them is there any more (RCU takes a moment), 10 s at most
ids_gone() {
	local ids=$1 until=$((SECONDS + 10)) kind id left

	while :; do
		left=
		while read -r kind id; do
			[[ -z $kind ]] || ! "$BPFTOOL" "$kind" show id "$id" >/dev/null 2>&1 || left+="$kind $id "
		done <<<"$ids"
		[[ -n $left ]] || return 0
		((SECONDS < until)) || fail "left in the kernel: $left" || return
		sleep 0.1
	done
}

# descendants PID: children, and theirs
descendants() {
	local pid

	for pid in $(pgrep -P "$1"); do
		echo "$pid"
		descendants "$pid"
	done
}

# state_of PID: a letter; nothing if it has gone
state_of() {
	awk '/^State:/ { print $2 }' "/proc/$1/status" 2>/dev/null || true
}

# kill_at_random ARGS...: start memtrace, stop it some time later to see what it has, kill it. What it had in the kernel is
# gone, and of the processes that it started none is stopped, and each ends by itself.
kill_at_random() {
	local pid ids children child state until

	"$MEMTRACE" "$@" >/dev/null 2>"$MT_ERR" </dev/null 3>&- &
	pid=$!
	sleep "$(printf '0.%03d' $((RANDOM % 600)))" # the moment; not to wait for anything
	kill -STOP "$pid" 2>/dev/null || return 0
	until=$((SECONDS + 10))
	while [[ $(state_of "$pid") == [RSD] ]] && ((SECONDS < until)); do :; done
	ids=$(bpf_ids "$pid")
	children=$(descendants "$pid")
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	[[ -z $ids ]] || HAD=$((HAD + 1))
	ids_gone "$ids" || return
	for child in $children; do
		until=$((SECONDS + 20))
		while [[ -e /proc/$child ]]; do
			state=$(state_of "$child")
			[[ $state != [tT] ]] || fail "memtrace $*: its child $child is left stopped" || return
			[[ $state != Z ]] || break
			((SECONDS < until)) || fail "memtrace $*: its child $child does not end" || return
			sleep 0.05
		done
	done
}

# bytes_of_libc PID: how many bytes of the code of its libc are not as in the file: the traps that uprobes set
bytes_of_libc() {
	python3 - "$1" <<-'END'
		import sys
		differ = 0
		with open(f"/proc/{sys.argv[1]}/mem", "rb") as memory:
		    for line in open(f"/proc/{sys.argv[1]}/maps"):
		        word = line.split()
		        if len(word) < 6 or "libc.so" not in word[5] or "x" not in word[1]:
		            continue
		        start, end = (int(x, 16) for x in word[0].split("-"))
		        with open(word[5], "rb") as file:
		            file.seek(int(word[2], 16))
		            on_disk = file.read(end - start)
		        memory.seek(start)
		        in_memory = memory.read(len(on_disk))
		        differ += sum(a != b for a, b in zip(on_disk, in_memory))
		print(differ)
	END
}

@test "killed at any moment, with a program: nothing in the kernel, no process stopped" {
	local command i

	BPFTOOL=$(PATH=$PATH:/usr/sbin command -v bpftool) || skip "no bpftool"
	HAD=0
	for command in "${COMMANDS[@]}"; do
		[[ $command != oom* && $command != *--kernel ]] || continue
		for i in 1 2 3 4; do
			# shellcheck disable=SC2086 # words
			kill_at_random $command -o /dev/null -- "$PROGS/storm" -n 2048 -r 50
		done
	done
	at_least "times that there was something in the kernel" "$HAD" 5
}

@test "killed at any moment, on a process that runs: nothing in the kernel, and the process goes on" {
	local command i

	BPFTOOL=$(PATH=$PATH:/usr/sbin command -v bpftool) || skip "no bpftool"
	HAD=0
	for command in "${COMMANDS[@]}"; do
		sleeper_start
		for i in 1 2 3; do
			# shellcheck disable=SC2046,SC2086 # words
			kill_at_random $command -o /dev/null $([[ $command == oom* ]] || echo -p "$SLEEPER_PID")
		done
		tell "touch 100"
		equal "what the process has done" "$ANSWER" "ok touched=100"
		sleeper_quit
	done
	at_least "times that there was something in the kernel" "$HAD" 8
}

@test "killed while it probes malloc: no trap is left in the code of the process" {
	command -v python3 >/dev/null || skip "no python3"
	sleeper_start
	equal "bytes of libc that differ before" "$(bytes_of_libc "$SLEEPER_PID")" 0
	mt_start leaks --heap --json -p "$SLEEPER_PID"
	at_least "bytes of libc that differ while it is probed" "$(bytes_of_libc "$SLEEPER_PID")" 5
	kill -KILL "$MT_SELF"
	wait "$MT_PID" || true
	equal "bytes of libc that differ afterwards" "$(bytes_of_libc "$SLEEPER_PID")" 0
	[[ ! -e /sys/kernel/tracing/uprobe_events ]] || equal "uprobe_events" "$(cat /sys/kernel/tracing/uprobe_events)" ""
	tell "touch 10"
	sleeper_quit
}

@test "killed with --exec: the helper ends, too" {
	local helper

	mt_start oom --json --exec 'cat >/dev/null'
	helper=$(pgrep -P "$MT_SELF")
	[[ -n $helper ]] || fail "there is no helper"
	kill -KILL "$MT_SELF"
	wait "$MT_PID" || true
	timeout 20 tail --pid="$helper" -s 0.1 -f /dev/null || fail "the helper, $helper, is still there"
}

# --- beside each other, stopped ----------------------------------------------------------------------------------

@test "two at once see the same faults, each all of them" {
	local first_self first_pid first_out=$BATS_TEST_TMPDIR/first

	sleeper_start
	mt_start faults --json "${ALL[@]}" -p "$SLEEPER_PID" -o "$first_out"
	first_pid=$MT_PID first_self=$MT_SELF
	mt_start faults --json "${ALL[@]}" --latency -p "$SLEEPER_PID"
	tell "touch 5000"
	mt_stop
	kill -INT "$first_self"
	wait "$first_pid"
	check_stream "$MT_OUT"
	near "faults, by the second" "$(process "$SLEEPER_PID" | jq .faults)" 5000
	equal "lost, by the second" "$(lost)" 0
	mv "$first_out" "$MT_OUT"
	check_stream "$MT_OUT"
	near "faults, by the first" "$(process "$SLEEPER_PID" | jq .faults)" 5000
	equal "lost, by the first" "$(lost)" 0
	sleeper_quit
}

@test "two at once on the same malloc: the same blocks" {
	local first=$BATS_TEST_TMPDIR/first second=$BATS_TEST_TMPDIR/second who bytes

	mt leaks --heap --everywhere --json "${ALL[@]}" -o "$second" -- \
		"$MEMTRACE" leaks --heap --json "${ALL[@]}" -o "$first" -- "$PROGS/heap" sites 200
	equal status "$MT_STATUS" 0
	for who in "$first" "$second"; do
		cp "$who" "$MT_OUT"
		check_stream "$MT_OUT"
		bytes=$(j "[.[] | select(.type == \"site\" and ([.stack[]?.symbol] | index(\"leak_malloc\"))).outstanding_bytes] | add")
		equal "bytes of leak_malloc, by the ${who##*/}" "$bytes" "$(value leak_malloc.bytes)"
	done
}

@test "stopped and continued: the counts are as if nothing had been" {
	sleeper_start
	mt_start faults --json "${ALL[@]}" -p "$SLEEPER_PID"
	kill -STOP "$MT_SELF"
	tell "touch 5000"
	kill -CONT "$MT_SELF"
	tell "touch 1000"
	mt_stop
	check_stream "$MT_OUT"
	near faults "$(process "$SLEEPER_PID" | jq .faults)" 6000
	equal lost "$(lost)" 0
	sleeper_quit
}

# --- what becomes of the output -----------------------------------------------------------------------------------

# output_commands: commands with a report at hand, a line each
output_commands() {
	local command

	for command in "${COMMANDS[@]}"; do
		if [[ $command == *heap* ]]; then
			echo "$command -p $$ -d 0.3"
		else
			echo "$command -d 0.3"
		fi
	done
	printf '%s\n' 'ps' "maps -p $$" 'system -d 0.1' 'doctor' 'oom --last'
}

# report_to REDIRECTION ARGS...: memtrace with its stdout there, in MT_STATUS and MT_ERR
report_to() {
	local to=$1

	shift
	MT_STATUS=0
	timeout -k 10 "$BOUND" bash -c 'to=$1; shift; eval "exec >$to"; exec "$@"' bash "$to" "$MEMTRACE" "$@" 2>"$MT_ERR" \
		</dev/null || MT_STATUS=$?
}

@test "a full device, a closed stdout: every command says so in one line, exit 1" {
	local command to json
	local -A JSON=([/dev/full]='--json -v' ['&-']=--json)

	while read -r command; do
		for to in /dev/full '&-'; do
			for json in ${JSON[$to]}; do
				# shellcheck disable=SC2086 # words
				report_to "$to" $command $json
				sed -i '/^memtrace: .*\(cannot write\|[Nn]o space\|[Bb]ad file\)/!d' "$MT_ERR"
				equal "status of $command $json >$to" "$MT_STATUS" 1
				check_one_line
				matches "message of $command $json >$to" "$(cat "$MT_ERR")" 'cannot write|no space|bad file'
			done
		done
	done < <(output_commands)
}

@test "a reader that comes late gets everything, or is told how much not" {
	local fifo=$BATS_TEST_TMPDIR/fifo got

	mkfifo "$fifo"
	timeout -k 10 "$BOUND" "$MEMTRACE" faults --json --events --buffer 64 -- "$PROGS/storm" -n 4096 -r 3 >"$fifo" 2>"$MT_ERR" \
		</dev/null 3>&- &
	MT_PID=$!
	exec {got}<"$fifo"
	# It reads when the program has ended: PROG_OUT says when.
	timeout 20 sh -c 'until [ -s "$PROG_OUT" ]; do sleep 0.05; done' || fail "the program does not end while nobody reads"
	cat <&"$got" >"$MT_OUT"
	exec {got}<&-
	wait "$MT_PID"
	check_stream "$MT_OUT"
	equal "events and losses, against faults" \
		"$(j '([.[] | select(.type == "fault")] | length) + .[-1].lost.ring')" "$(j '[.[] | select(.type == "process").faults] | add')"
	near "faults of all" "$(j '[.[] | select(.type == "process").faults] | add')" 12288
}

@test "--log on a disk that is full: told once, the kill is reported all the same, and memtrace goes on" {
	local disk=$BATS_TEST_TMPDIR/disk

	mkdir "$disk"
	mount -t tmpfs -o size=4k none "$disk" || skip "no mounts here"
	head -c 4096 /dev/zero >"$disk/fill" || true
	cgroup_up $((32 << 20))
	mt_start oom --json --log "$disk/log"
	"${IN_CG[@]}" "$PROGS/oomer" 100 >/dev/null 2>&1 || true
	wait_for '^\{"type":"oom"' 1
	"${IN_CG[@]}" "$PROGS/oomer" 100 >/dev/null 2>&1 || true
	wait_for '^\{"type":"oom"' 2
	mt_stop
	umount "$disk"
	cgroup_down
	check_stream "$MT_OUT"
	equal "lines about the log" "$(grep -c -- '--log.*No space left' "$MT_ERR")" 1
	matches "what is missing" "$(tail -n 1 "$MT_ERR")" 'lacks 2 of the kills'
	equal status "$MT_STATUS" 1
}
