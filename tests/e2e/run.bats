#!/usr/bin/env bats
# How a run begins and ends: the program that is run, signals, targets that die, output that cannot be written.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

@test "the exit status is that of the program" {
	faults -- sh -c 'exit 7'
	equal status "$MT_STATUS" 7
	faults -- true
	equal status "$MT_STATUS" 0
}

@test "a program killed by a signal: 128 + signal" {
	# shellcheck disable=SC2016
	faults -- sh -c 'kill -TERM $$'
	equal status "$MT_STATUS" 143
	# shellcheck disable=SC2016
	faults -- sh -c 'kill -KILL $$'
	equal status "$MT_STATUS" 137
}

@test "a program that is not there: one line that names it" {
	mt faults -- /no/such/program
	[[ $MT_STATUS == 1 || $MT_STATUS == 127 ]] || fail "status $MT_STATUS"
	equal "lines on stderr that name it" "$(grep -c /no/such/program "$MT_ERR")" 1
	mt faults -- /etc/passwd
	[[ $MT_STATUS == 1 || $MT_STATUS == 126 ]] || fail "status $MT_STATUS"
	equal "lines on stderr that name it" "$(grep -c /etc/passwd "$MT_ERR")" 1
}

@test "the program gets its arguments, environment, stdin and directory" {
	local got

	cd "$BATS_TEST_TMPDIR"
	# shellcheck disable=SC2016
	got=$(echo input | MARK=here timeout "$BOUND" "$MEMTRACE" faults --json -- \
		sh -c 'read -r line; echo "$line|$MARK|$PWD|$1|$#" >&2' sh 'a  b' '' 2>&1 >/dev/null | grep '^input')
	equal "what the program saw" "$got" "input|here|$PWD|a  b|2"
}

@test "the program is traced from its first instruction" {
	faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	near "minor faults of the process" "$(field "$(process "$(value pid)" regions)" .minor)" "$(value self.minor)"
}

@test "the program inherits no blocked or ignored signal, and no descriptor" {
	local look="grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l"

	timeout "$BOUND" sh -c "exec >'$BATS_TEST_TMPDIR/untraced'; $look" </dev/null 2>/dev/null 3>&-
	faults -- sh -c "exec >'$BATS_TEST_TMPDIR/traced'; $look"
	equal "signals" "$(head -n 2 "$BATS_TEST_TMPDIR/traced")" "$(head -n 2 "$BATS_TEST_TMPDIR/untraced")"
	at_most "open descriptors" "$(tail -n 1 "$BATS_TEST_TMPDIR/traced")" "$(tail -n 1 "$BATS_TEST_TMPDIR/untraced")"
}

@test "-d ends the collection, exit 0" {
	local start=$SECONDS

	faults -d 1
	equal status "$MT_STATUS" 0
	at_most seconds $((SECONDS - start)) 10
	j '.[-1].duration_s | if . >= 1 and . < 3 then "ok" else . end' | grep -qx ok
}

@test "SIGINT and SIGTERM print the report, exit 0, and spare the target" {
	local signal

	sleeper_start
	for signal in INT TERM; do
		mt_start faults --json -p "$SLEEPER_PID"
		tell "touch 50"
		mt_stop "$signal"
		equal "status after SIG$signal" "$MT_STATUS" 0
		check_stream "$MT_OUT"
		at_least "faults after SIG$signal" "$(field "$(process "$SLEEPER_PID")" .faults)" 50
	done
	tell "touch 1"
	sleeper_quit
}

@test "SIGINT while a program runs: a report all the same" {
	mt_start faults --json -- sleep 30
	mt_stop INT
	at_most status "$MT_STATUS" 143
	check_stream "$MT_OUT"
}

@test "no such process: one line, exit 1" {
	local pid

	# A pid that was there a moment ago
	true &
	pid=$!
	wait "$pid"
	mt faults -d 1 -p "$pid"
	equal status "$MT_STATUS" 1
	check_one_line
	grep -qw "$pid" "$MT_ERR"
	equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
}

@test "no such cgroup: one line, exit 1" {
	mt faults -d 1 --cgroup /no/such/cgroup
	equal status "$MT_STATUS" 1
	check_one_line
	grep -qF /no/such/cgroup "$MT_ERR"
}

@test "a target that dies: its report, exit 0" {
	local pid

	sleeper_start
	pid=$SLEEPER_PID
	mt_start faults --json -d 10 -p "$pid"
	tell "touch 300"
	sleeper_quit
	mt_wait
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	at_least faults "$(field "$(process "$pid")" .faults)" 300
}

@test "a target that is killed while it faults: its report, exit 0" {
	local pid

	"$PROGS/sleeper" 2000 >/dev/null 3>&- &
	pid=$!
	mt_start faults --json -d 4 -p "$pid"
	kill -KILL "$pid"
	mt_wait
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

@test "a memtrace that is killed leaves its target alone" {
	sleeper_start
	mt_start faults --json -p "$SLEEPER_PID"
	kill -KILL "$MT_SELF"
	wait "$MT_PID" || true
	tell "touch 10"
	sleeper_quit
}

@test "a program without faults to report is a report all the same" {
	sleeper_start
	mt_start faults --json -p "$SLEEPER_PID"
	mt_stop
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	sleeper_quit
}

@test "a closed pipe is no crash, and the program runs to its end" {
	local status=$BATS_TEST_TMPDIR/status mark=$BATS_TEST_TMPDIR/mark format fd line

	mkfifo "$mark"
	exec {fd}<>"$mark"
	for format in --json --events; do
		{
			timeout -k 5 "$BOUND" "$MEMTRACE" faults $format -- \
				sh -c "'$PROGS/storm' -n 5000 -r 4 >/dev/null; echo done >'$mark'" 2>"$MT_ERR" </dev/null 3>&-
			echo $? >"$status"
		} | head -n 1 >/dev/null || true
		at_most "status with $format" "$(cat "$status")" 127
		[[ $(cat "$status") != 124 ]] || fail "not finished after $BOUND s"
		# memtrace may have left it running: the program itself says when it is done.
		IFS= read -r -t 20 -u "$fd" line || fail "$format: the program did not run to its end"
		equal "the program's last word" "$line" "done"
		at_most "lines on stderr" "$(grep -cv '^memtrace: ready' "$MT_ERR")" 3
	done
}

@test "a full device: one line, exit 1" {
	[[ -c /dev/full ]] || skip "no /dev/full"
	local format

	for format in '' --json --events; do
		MT_STATUS=0
		# shellcheck disable=SC2086
		timeout -k 5 "$BOUND" "$MEMTRACE" faults $format -d 1 >/dev/full 2>"$MT_ERR" </dev/null 3>&- || MT_STATUS=$?
		equal "status of '$format'" "$MT_STATUS" 1
		grep -qi 'no space left' "$MT_ERR" || fail "'$format': the reason is not told"
	done
}

@test "stdin may be closed" {
	MT_STATUS=0
	timeout -k 5 "$BOUND" "$MEMTRACE" faults --json -d 1 >"$MT_OUT" 2>"$MT_ERR" <&- 3>&- || MT_STATUS=$?
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}
