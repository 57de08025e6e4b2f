#!/usr/bin/env bats
# Least privilege: which capabilities are enough, what is told when one is missing, what is given up when tracing has
# begun, and whom the program after -- runs as.

load lib

setup() {
	common_setup
	need_root
	# A place that another user can reach, wherever the tree is.
	OPEN_DIR=$(mktemp -d /tmp/memtrace-test.XXXXXX)
	chmod 1777 "$OPEN_DIR" # programs write there what they did
	PROG_OUT=$OPEN_DIR/said
	install -m 755 "$MEMTRACE" "$PROGS/storm" "$PROGS/mapstorm" "$PROGS/heap" "$PROGS/sleeper" "$OPEN_DIR/"
	NOBODY=65534
	# Debian's kernels take CAP_SYS_ADMIN above 2. A guest is the tests' own.
	PARANOID=$(cat /proc/sys/kernel/perf_event_paranoid)
	if ((PARANOID > 2)) && [[ -e /payload ]]; then
		echo 2 >/proc/sys/kernel/perf_event_paranoid
	fi
}
teardown() {
	[[ ! -e /payload ]] || echo "$PARANOID" >/proc/sys/kernel/perf_event_paranoid
	common_teardown
}

# Four capabilities are then not enough for events.
need_perfmon() {
	(($(cat /proc/sys/kernel/perf_event_paranoid) <= 2)) || skip "kernel.perf_event_paranoid is above 2 here"
}

# mt_with CAPS ARGS...: mt as nobody with these capabilities (names with commas), and tracefs mounted where it belongs
mt_with() {
	local caps=-all${1:+,+${1//,/,+}}

	shift
	MT_STATUS=0
	timeout -k 10 "$BOUND" unshare -m bash -c 'mountpoint -q /sys/kernel/tracing ||
		mount -t tracefs nodev /sys/kernel/tracing || exit 77
		cd / && { ulimit -l unlimited || true; } 2>/dev/null && exec "$@"' bash setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups --inh-caps "$caps" \
		--ambient-caps "$caps" "$OPEN_DIR/memtrace" "$@" >"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
	((MT_STATUS != 77)) || skip "cannot mount tracefs here"
}

# capabilities SET PID: a set of /proc/PID/status, by name, sorted
capabilities() {
	local names=(chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
		net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace
		sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control
		setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore)
	local mask i

	mask=$((16#$(awk -v set="$1:" '$1 == set { print $2 }' "/proc/$2/status")))
	for ((i = 0; i < ${#names[@]}; i++)); do
		((!(mask >> i & 1))) || echo "${names[i]}"
	done | sort | paste -sd ' '
}

FOUR=bpf,perfmon,sys_ptrace,dac_read_search
# Where there are no multi-uprobes (before 6.6), uprobes take one more.
HEAP=$FOUR
grep -q '[[:space:]]bpf_uprobe_multi_link_attach$' /proc/kallsyms || HEAP+=,sys_admin

@test "four capabilities are enough: every command that traces, of processes of another user, says it all" {
	need_perfmon
	sleeper_start
	mt_with $FOUR faults --json "${ALL[@]}" --stacks -- "$OPEN_DIR/storm" -n 2048 -r 3
	equal "status of faults" "$MT_STATUS" 0
	at_least "faults of the storm" "$(grep '^{' "$MT_OUT" | jq -s '[.[] | select(.type == "vma").faults] | max')" 6144
	mt_with $FOUR brk-vs-mmap --json -p "$SLEEPER_PID" -d 0.3
	equal "status of brk-vs-mmap" "$MT_STATUS" 0
	at_least "mappings from before" "$(j '[.[] | select(.type == "mapping")] | length')" 5
	mt_with $FOUR leaks --json -p "$SLEEPER_PID" -d 0.5
	equal "status of leaks" "$MT_STATUS" 0
	at_least USS "$(j '[.[] | select(.type == "process").uss_bytes] | add')" 4096
	mt_with "$HEAP" leaks --heap --json -p "$SLEEPER_PID" -d 0.3
	equal "status of leaks --heap" "$MT_STATUS" 0
	matches "what is probed" "$(j '.[] | select(.type == "allocator") | .path')" libc
	mt_with $FOUR leaks --kernel --json -d 0.3
	equal "status of leaks --kernel" "$MT_STATUS" 0
	mt_with $FOUR oom --json --stacks -d 0.3
	equal "status of oom" "$MT_STATUS" 0
	check_stream "$MT_OUT"
	mt_with $FOUR reclaim --json --stacks -d 0.3
	equal "status of reclaim" "$MT_STATUS" 0
	check_stream "$MT_OUT"
	mt_with $FOUR maps --json -p "$SLEEPER_PID" --trace 0.2
	equal "status of maps" "$MT_STATUS" 0
	at_least "mappings with faults told" "$(j '[.[] | select(.type == "vma" and has("faults"))] | length')" 5
	sleeper_quit
}

# missing WHAT HAVE ARGS...: one line names it, exit 1
missing() {
	local what=$1 have=$2

	shift 2
	mt_with "$have" "$@"
	equal "status of $1 without $what" "$MT_STATUS" 1
	check_one_line
	matches "message of $1" "$(cat "$MT_ERR")" "$what"
}

@test "a capability that is missing is named" {
	need_perfmon
	sleeper_start
	missing 'CAP_BPF and CAP_PERFMON' '' faults -d 1
	missing 'CAP_PERFMON is missing' bpf,sys_ptrace,dac_read_search faults -d 1
	missing 'CAP_BPF is missing' perfmon,sys_ptrace,dac_read_search oom -d 1
	missing 'CAP_DAC_READ_SEARCH is missing' bpf,perfmon,sys_ptrace brk-vs-mmap -d 1
	missing 'CAP_SYS_PTRACE is missing' bpf,dac_read_search maps -p "$SLEEPER_PID"
	if setpriv --reuid "$NOBODY" --clear-groups --inh-caps +perfmon --ambient-caps +perfmon \
		grep -q . "/proc/$SLEEPER_PID/maps" 2>/dev/null; then
		sleeper_quit
		return # newer kernels take CAP_PERFMON for it
	fi
	mt_with bpf,perfmon,dac_read_search faults --stacks -p "$SLEEPER_PID" -d 0.2
	equal "status without CAP_SYS_PTRACE" "$MT_STATUS" 0
	matches "warning without CAP_SYS_PTRACE" "$(cat "$MT_ERR")" 'CAP_SYS_PTRACE is missing'
	mt_with bpf,perfmon,dac_read_search leaks --heap -p "$SLEEPER_PID" -d 0.2
	equal "status of leaks --heap" "$MT_STATUS" 1
	matches "warning of leaks --heap" "$(cat "$MT_ERR")" 'CAP_SYS_PTRACE is missing'
	sleeper_quit
}

@test "perf_event_paranoid above 2, as Debian has it: CAP_SYS_ADMIN is named" {
	[[ -e /payload && $PARANOID -gt 2 ]] || skip "not a guest with a kernel of Debian"
	echo "$PARANOID" >/proc/sys/kernel/perf_event_paranoid
	missing 'CAP_SYS_ADMIN is missing.*perf_event_paranoid' $FOUR faults -d 1
	missing 'CAP_SYS_ADMIN is missing.*perf_event_paranoid' $FOUR faults --stacks -d 1
}

# kept EFFECTIVE PERMITTED ARGS...: what memtrace has when it has said that it is ready. CAP_SYS_ADMIN is in effect for
# moments: one in which it is not comes within 20 s.
kept() {
	local effective=$1 permitted=$2 until=$((SECONDS + 20)) now

	shift 2
	mt_start "$@"
	while now=$(capabilities CapEff "$MT_SELF") && [[ $now != "$effective" ]] && ((SECONDS < until)); do
		sleep 0.02
	done
	equal "effective, $*" "$now" "$effective"
	equal "permitted, $*" "$(capabilities CapPrm "$MT_SELF")" "$permitted"
	equal "inheritable, $*" "$(capabilities CapInh "$MT_SELF")" ""
	equal "ambient, $*" "$(capabilities CapAmb "$MT_SELF")" ""
	equal "no_new_privs, $*" "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$MT_SELF/status")" 1
	mt_stop
	equal "status of $*" "$MT_STATUS" 0
}

@test "when tracing has begun, what is not needed any more is gone" {
	sleeper_start
	kept "bpf dac_read_search sys_ptrace syslog" "bpf dac_read_search sys_admin sys_ptrace syslog" \
		faults --json -p "$SLEEPER_PID"
	kept "bpf dac_read_search sys_ptrace syslog" "bpf dac_read_search sys_admin sys_ptrace syslog" \
		brk-vs-mmap --json -p "$SLEEPER_PID"
	kept "bpf dac_read_search perfmon sys_ptrace syslog" "bpf dac_read_search perfmon sys_admin sys_ptrace syslog" \
		leaks --heap --json -p "$SLEEPER_PID"
	kept "bpf dac_read_search ipc_lock sys_ptrace syslog" "bpf dac_read_search ipc_lock sys_ptrace syslog" oom --json
	sleeper_quit
}

@test "with a program: gone when it has begun; but not its own, and the report still has the time of BPF" {
	mt faults --json -o "$BATS_TEST_TMPDIR/report" -- sh -c 'sleep 0.3; cat /proc/$PPID/status >"$0.parent"; cat /proc/self/status >"$0"' \
		"$BATS_TEST_TMPDIR/own"
	equal status "$MT_STATUS" 0
	equal "effective, memtrace" "$(awk '/^CapEff/ { print $2 }' "$BATS_TEST_TMPDIR/own.parent")" \
		"$(printf '%016x' $((1 << 39 | 1 << 34 | 1 << 19 | 1 << 5 | 1 << 2)))"
	equal "effective, program" "$(awk '/^CapEff/ { print $2 }' "$BATS_TEST_TMPDIR/own")" \
		"$(awk '/^CapEff/ { print $2 }' /proc/self/status)"
	equal "no_new_privs, program" "$(awk '/^NoNewPrivs/ { print $2 }' "$BATS_TEST_TMPDIR/own")" 0
	at_least "time of BPF in ns" "$(jq 'select(.type == "end").overhead.bpf_ns | floor' "$BATS_TEST_TMPDIR/report")" 1
}

@test "a program gets nothing of what memtrace alone was given" {
	need_perfmon
	mt_with "$FOUR" faults -o /dev/null -- sh -c 'cat /proc/self/status'
	equal status "$MT_STATUS" 0
	equal "effective" "$(awk '/^CapEff/ { print $2 }' "$MT_OUT")" 0000000000000000
	equal "ambient" "$(awk '/^CapAmb/ { print $2 }' "$MT_OUT")" 0000000000000000
}

# whoami: what the program is asked to say of itself
WHOAMI='id -u; id -g; id -G; echo "$HOME $USER $LOGNAME"; grep -c "^CapEff:.0*$" /proc/self/status'

# nobody_says GROUPS: that, said by nobody
nobody_says() {
	local home

	home=$(getent passwd nobody 2>/dev/null || grep '^nobody:' /etc/passwd)
	home=$(cut -d : -f 6 <<<"$home")
	printf '%s\n' "$NOBODY" "$NOBODY" "$1" "$home nobody nobody" 1
}

@test "under sudo the program runs as who called it, with the groups and the environment of that user" {
	SUDO_UID=$NOBODY SUDO_GID=$NOBODY mt faults -o /dev/null -- sh -c "$WHOAMI"
	equal status "$MT_STATUS" 0
	equal "what it says" "$(cat "$MT_OUT")" "$(nobody_says "$NOBODY")"
	SUDO_UID=0 SUDO_GID=0 mt faults -o /dev/null -- id -u
	equal "root by sudo" "$(cat "$MT_OUT")" 0
	SUDO_UID=12x SUDO_GID=1 mt faults -- sh -c 'echo I ran'
	equal "status with a bad SUDO_UID" "$MT_STATUS" 1
	check_one_line
	equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
}

@test "--user: by name, by number, root; over what sudo says" {
	mt faults -o /dev/null --user nobody -- sh -c "$WHOAMI"
	equal "by name" "$(cat "$MT_OUT")" "$(nobody_says "$NOBODY")"
	mt faults -o /dev/null --user "$NOBODY" -- sh -c "$WHOAMI"
	equal "by number" "$(cat "$MT_OUT")" "$(nobody_says "$NOBODY")"
	mt faults -o /dev/null --user 54321 -- sh -c 'id -u; id -g; id -G'
	equal "a number of nobody's" "$(paste -sd ' ' "$MT_OUT")" "54321 54321 54321"
	SUDO_UID=$NOBODY SUDO_GID=$NOBODY mt faults -o /dev/null --user root -- sh -c 'id -u; id -g; echo "$HOME"'
	equal "root" "$(paste -sd ' ' "$MT_OUT")" "0 0 $HOME"
}

@test "--user: everything about such a program is still told, and it can be ended" {
	mt faults --json "${ALL[@]}" --stacks --user nobody -- "$OPEN_DIR/storm" -n 2048 -r 3
	equal status "$MT_STATUS" 0
	equal "stacks of the storm" "$(grep '^{' "$MT_OUT" |
		jq -s 'any(.[]; .type == "stack" and .faults > 5000 and .stack[0].symbol == "touch_write")')" true
	mt leaks --heap --json "${ALL[@]}" --user nobody -o "$BATS_TEST_TMPDIR/report" -- "$OPEN_DIR/heap" sites 100
	equal "status of leaks --heap" "$MT_STATUS" 0
	at_least "sites" "$(jq -s '[.[] | select(.type == "site")] | length' "$BATS_TEST_TMPDIR/report")" 3
	mt_start faults --json --user nobody -- sleep 1000
	kill -TERM "$MT_SELF"
	mt_wait
	equal "status of what was ended" "$MT_STATUS" 143
}

@test "--user: no such user, no program, not root, a program that the user may not run: one line" {
	mt faults --user no-such-user -- true
	equal "status of no such user" "$MT_STATUS" 2
	check_one_line
	matches message "$(cat "$MT_ERR")" "--user.*no-such-user"
	mt faults --user nobody -d 1
	equal "status without a program" "$MT_STATUS" 2
	check_one_line
	mt_with $FOUR faults --user root -- true
	equal "status of nobody" "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" 'CAP_SETUID and CAP_SETGID'
	install -m 700 "$PROGS/storm" "$OPEN_DIR/private"
	mt faults --user nobody -- "$OPEN_DIR/private"
	equal "status of a program of root" "$MT_STATUS" 1
	matches message "$(grep -v ready "$MT_ERR")" "cannot run .*private as user $NOBODY: Permission denied"
}

@test "oom: what --exec runs has what memtrace was started with" {
	cgroup_up $((32 << 20))
	mt_start oom -o /dev/null --exec "cat /proc/self/status >$BATS_TEST_TMPDIR/own; echo done >$BATS_TEST_TMPDIR/done"
	"${IN_CG[@]}" "$PROGS/oomer" 100 >/dev/null 2>&1 || true
	timeout 20 sh -c "until [ -s $BATS_TEST_TMPDIR/done ]; do sleep 0.05; done"
	mt_stop
	equal status "$MT_STATUS" 0
	equal "effective, command" "$(awk '/^CapEff/ { print $2 }' "$BATS_TEST_TMPDIR/own")" \
		"$(awk '/^CapEff/ { print $2 }' /proc/self/status)"
	cgroup_down
}
