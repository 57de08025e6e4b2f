#!/usr/bin/env bats
# Without privilege: one clear line, exit 1.

load lib

setup() {
	common_setup
	if ((EUID == 0)); then
		# A place that another user can reach, wherever the tree is.
		OPEN_DIR=$(mktemp -d /tmp/memtrace-test.XXXXXX)
		chmod 755 "$OPEN_DIR"
		cp "$MEMTRACE" "$OPEN_DIR/memtrace"
		chmod 755 "$OPEN_DIR/memtrace"
		AS_NOBODY=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all)
	else
		OPEN_DIR=${MEMTRACE%/*}
		AS_NOBODY=()
	fi
}
teardown() {
	common_teardown
	((EUID != 0)) || rm -rf "$OPEN_DIR"
}

@test "not root: one line that says what to do, exit 1, nothing on stdout" {
	MT_STATUS=0
	(cd / && timeout "$BOUND" "${AS_NOBODY[@]}" "$OPEN_DIR/memtrace" faults -d 1) >"$MT_OUT" 2>"$MT_ERR" </dev/null ||
		MT_STATUS=$?
	equal status "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" 'root|sudo|CAP_'
	equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
}

@test "not root: the program is not run" {
	MT_STATUS=0
	(cd / && timeout "$BOUND" "${AS_NOBODY[@]}" "$OPEN_DIR/memtrace" faults -- sh -c 'echo I ran') >"$MT_OUT" 2>"$MT_ERR" \
		</dev/null || MT_STATUS=$?
	equal status "$MT_STATUS" 1
	equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
}

@test "not root: --help and bad usage are the same" {
	(cd / && timeout "$BOUND" "${AS_NOBODY[@]}" "$OPEN_DIR/memtrace" faults --help) >"$MT_OUT"
	grep -qe --pid "$MT_OUT"
	MT_STATUS=0
	(cd / && timeout "$BOUND" "${AS_NOBODY[@]}" "$OPEN_DIR/memtrace" faults --no-such-option) 2>"$MT_ERR" || MT_STATUS=$?
	equal status "$MT_STATUS" 2
}
