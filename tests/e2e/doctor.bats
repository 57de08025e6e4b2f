#!/usr/bin/env bats
# memtrace doctor: the report agrees with the machine, with and without privilege, and fits the screen.

load lib

setup() { common_setup; }
teardown() {
	common_teardown
}

# doctor: the report as JSON Lines
doctor() {
	mt doctor --json
	check_stream "$MT_OUT"
}

# feature NAME KEY: of its row
feature() {
	j ".[] | select(.type == \"feature\" and .name == \"$1\") | .$2"
}

# shellcheck disable=SC2016 # expanded by the shell that runs it
NO_TRACEFS='for dir in $(findmnt -nt tracefs -o TARGET | tac); do umount "$dir" || exit; done'

@test "the report fits 80 columns and exits 0 where every command is usable" {
	need_root
	COLUMNS=80 mt doctor
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
	equal "bytes on stderr" "$(wc -c <"$MT_ERR")" 0
	equal status "$MT_STATUS" 0
	grep -Eq '^faults +(ready|limited)' "$MT_OUT" || fail "no verdict on faults"
}

@test "-v explains everything, and every explanation fits its line" {
	COLUMNS=80 mt doctor -v
	check_width "$MT_OUT" 80
	equal "explanations that were cut" "$(grep -c '^        .*…' "$MT_OUT")" 0
	at_least explanations "$(grep -c '^        without: ' "$MT_OUT")" 30
}

@test "JSON: features, uses and verdicts, each complete" {
	doctor
	equal "features without a key" "$(j '[.[] | select(.type == "feature") |
		select((.group and .name and .status and .used_for and .note) | not)] | length')" 0
	equal "statuses that there are not" "$(j '[.[] | select(.type == "feature") | .status |
		select(IN("yes", "no", "refused", "unknown", "unneeded") | not)] | length')" 0
	equal "features that come twice" "$(j '[.[] | select(.type == "feature") | .name] | length - (unique | length)')" 0
	equal "names that hold control characters" "$(j '[.. | strings | select(test("[[:cntrl:]]"))] | length')" 0
	equal "commands counted" "$(j '[.[] | select(.type == "command")] | length')" "$(j '.[-1].commands')"
	equal "usable commands" "$(j '[.[] | select(.type == "command" and .status != "cannot")] | length')" \
		"$(j '.[-1].usable')"
	equal "uses that no text names" "$(j '[.[] | select(.type == "use") | select((.by | not) and .status != "no")] |
		length')" 0
}

@test "every command but doctor has a verdict" {
	local command

	doctor
	while read -r command; do
		equal "verdicts on $command" "$(j "[.[] | select(.type == \"command\" and .command == \"$command\")] | length")" 1
	done < <("$MEMTRACE" --help | awk '/^Commands:/ { on = 1; next } !NF { on = 0 } on && $1 != "doctor" { print $1 }')
}

@test "kernel, architecture and settings are those of the machine" {
	doctor
	equal release "$(feature release note)" "$(uname -r)"
	equal architecture "$(feature architecture note)" "$(uname -m)"
	equal BTF "$(feature BTF status)" "$([[ -r /sys/kernel/btf/vmlinux ]] && echo yes || echo no)"
	if [[ -r /proc/sys/net/core/bpf_jit_enable ]]; then
		equal JIT "$(feature 'BPF JIT' note)" "net.core.bpf_jit_enable = $(cat /proc/sys/net/core/bpf_jit_enable)"
	fi
	if (($(wc -l </proc/swaps) > 1)); then
		equal swap "$(feature swap status)" yes
	else
		equal swap "$(feature swap status)" no
	fi
}

@test "the memory cgroup is the one that is mounted" {
	local v1 v2

	doctor
	v1=$(findmnt -nt cgroup -O memory -o TARGET | head -n 1)
	v2=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	if [[ -n $v1 ]]; then
		equal note "$(feature 'memory cgroup' note)" "v1 at $v1"
	elif [[ -n $v2 ]]; then
		matches note "$(feature 'memory cgroup' note)" "^v2 at $v2(, without the memory controller)?$"
	else
		equal status "$(feature 'memory cgroup' status)" no
	fi
}

@test "kprobes are there exactly if the kernel has a source of them" {
	need_root
	doctor
	if [[ -e /sys/bus/event_source/devices/kprobe/type ]]; then
		matches status "$(feature kprobe status)" '^(yes|refused|no)$'
		matches note "$(feature kprobe note)" '^(opened and attached|[A-Z]+ at )'
	else
		equal status "$(feature kprobe status)" no
		equal note "$(feature kprobe note)" "not in this kernel"
	fi
}

@test "a hook that is refused is told with the error and the step" {
	need_root
	doctor
	equal "refusals that do not say why" "$(j '[.[] | select(.type == "feature" and .group == "bpf" and
		.status == "refused") | select(.note | test("^(E[A-Z]+ at [a-z]+|not offered)$") | not)] | length')" 0
}

@test "tracefs that is not mounted: told, with the mount that would help; nothing is mounted" {
	need_root
	grep -qw tracefs /proc/filesystems || skip "no tracefs in this kernel"
	mt_in_mounts "$NO_TRACEFS" doctor --json
	matches status "$(feature tracefs status)" '^(no|unneeded)$'
	equal note "$(feature tracefs note)" "not mounted"
	matches remedy "$(feature tracefs remedy)" '^mount -t tracefs '
}

@test "tracefs that is mounted: told where" {
	need_root
	grep -qw tracefs /proc/filesystems || skip "no tracefs in this kernel"
	mt_in_mounts "$NO_TRACEFS; mount -t tracefs nodev /sys/kernel/tracing" doctor --json
	equal status "$(feature tracefs status)" yes
	equal note "$(feature tracefs note)" "at /sys/kernel/tracing"
}

@test "lockdown: the mode is told where securityfs is mounted" {
	need_root
	grep -qw securityfs /proc/filesystems || skip "no securityfs in this kernel"
	mt_in_mounts "mountpoint -q /sys/kernel/security || mount -t securityfs nodev /sys/kernel/security" doctor --json
	matches note "$(feature lockdown note)" '^(lockdown = (none|integrity|confidentiality)|a kernel without lockdown)$'
}

@test "nothing is changed: mounts and settings are as before" {
	local before

	need_root
	# shellcheck disable=SC2317 # called below
	state() {
		cat /proc/self/mounts /proc/sys/kernel/bpf_stats_enabled /proc/sys/net/core/bpf_jit_enable 2>/dev/null
	}
	before=$(state)
	doctor
	[[ $(state) == "$before" ]] || fail "something has changed"
}

@test "without privilege: a report with privileges 'no', one line that says what to do, exit 1" {
	mt_as_nobody doctor
	equal status "$MT_STATUS" 1
	check_one_line
	matches message "$(cat "$MT_ERR")" 'faults.*(root|sudo)'
	COLUMNS=80 check_width "$MT_OUT" 80
	grep -Eq '^no +privileges ' "$MT_OUT" || fail "privileges are not told to be missing"
	grep -Eq '^faults +cannot' "$MT_OUT" || fail "no verdict on faults"
}

@test "without privilege: what was not tried is unknown, neither yes nor no" {
	mt_as_nobody doctor --json
	equal status "$MT_STATUS" 1
	check_stream "$MT_OUT"
	equal privileges "$(feature privileges status)" no
	equal CAP_BPF "$(feature CAP_BPF status)" no
	equal tp_btf "$(feature tp_btf status)" unknown
	equal "ring buffer" "$(feature 'ring buffer' status)" unknown
	equal page-faults "$(feature page-faults status)" unknown
	equal "commands that work" "$(j "[.[] | select(.type == \"command\" and .status != \"cannot\") | .command] | join(\" \")")" "leaks ps maps system"
	equal usable "$(j '.[-1].usable')" 4
}

@test "bad usage is one line, exit 2" {
	local option

	for option in --no-such-option -Z --pid --js --json=1 stray; do
		mt doctor "$option"
		equal "status of doctor $option" "$MT_STATUS" 2
		check_one_line
		grep -qF -- "${option%%=*}" "$MT_ERR" || fail "the message does not name $option"
		equal "bytes on stdout of doctor $option" "$(wc -c <"$MT_OUT")" 0
	done
	mt doctor -- true
	equal "status of doctor -- true" "$MT_STATUS" 2
	check_one_line
}

@test "--help says its options, exit 0" {
	mt doctor --help
	equal status "$MT_STATUS" 0
	grep -qe --json "$MT_OUT"
	check_width "$MT_OUT" 100
}

@test "a full device is told, exit 1; a closed pipe is no failure of ours" {
	[[ -c /dev/full ]] || skip "no /dev/full"
	MT_STATUS=0
	"$MEMTRACE" doctor --json >/dev/full 2>"$MT_ERR" || MT_STATUS=$?
	equal status "$MT_STATUS" 1
	"$MEMTRACE" doctor --json 2>"$MT_ERR" | head -n 1 >"$MT_OUT" || true
	equal "first line" "$(jq -r .type "$MT_OUT")" start
}
