#!/usr/bin/env bats
# Types of the kernel (BTF): their want is told, and --btf takes them from a file.

load lib

setup() {
	common_setup
	need_root
	[[ -r /sys/kernel/btf/vmlinux ]] || skip "this kernel has no BTF"
	TYPES=$BATS_TEST_TMPDIR/types
	cp /sys/kernel/btf/vmlinux "$TYPES"
	compgen -G "/boot/vmlinux-$(uname -r)" >/dev/null && skip "libbpf finds /boot/vmlinux-$(uname -r)"
	return 0
}
teardown() { common_teardown; }

HIDDEN='mount -t tmpfs none /sys/kernel/btf'

@test "no BTF: one line with what is missing, what that costs and what helps; exit 1, and the program is not run" {
	local command

	for command in faults brk-vs-mmap oom reclaim "leaks --heap -p $$" 'leaks --kernel'; do
		# shellcheck disable=SC2086 # words
		mt_in_mounts "$HIDDEN" $command -d 1
		equal "status of $command" "$MT_STATUS" 1
		check_one_line
		matches "message of $command" "$(cat "$MT_ERR")" \
			'BTF.*/sys/kernel/btf/vmlinux is missing.*nothing can be traced.*CONFIG_DEBUG_INFO_BTF.*--btf FILE'
		equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
	done
	mt_in_mounts "$HIDDEN" faults -- sh -c 'echo I ran'
	equal status "$MT_STATUS" 1
	equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
}

@test "no BTF: what reads /proc works, and leaks has the trend" {
	mt_in_mounts "$HIDDEN" ps -n 1
	equal "status of ps" "$MT_STATUS" 0
	mt_in_mounts "$HIDDEN" maps -p $$
	equal "status of maps" "$MT_STATUS" 0
	mt_in_mounts "$HIDDEN" leaks --json -p $$ -d 0.5
	equal "status of leaks" "$MT_STATUS" 0
	equal "processes of leaks" "$(j '[.[] | select(.type == "process")] | length')" 1
	matches warning "$(cat "$MT_ERR")" 'no call sites'
}

@test "no BTF: doctor says so, exit 1; with --btf all is well" {
	mt_in_mounts "$HIDDEN" doctor --json
	equal status "$MT_STATUS" 1
	equal BTF "$(j '.[] | select(.type == "feature" and .name == "BTF") | .status')" no
	matches remedy "$(j '.[] | select(.type == "feature" and .name == "BTF") | .remedy')" '--btf FILE'
	mt_in_mounts "$HIDDEN" doctor --json --btf "$TYPES"
	equal "status with --btf" "$MT_STATUS" 0
	equal "BTF with --btf" "$(j '.[] | select(.type == "feature" and .name == "BTF") | .status')" yes
}

@test "--btf: a storm is counted, page by page, as with the kernel's own file" {
	mt_in_mounts "$HIDDEN" faults --json "${ALL[@]}" --btf "$TYPES" -o "$BATS_TEST_TMPDIR/report" -- \
		"$PROGS/storm" -n 2048 -r 3
	equal status "$MT_STATUS" 0
	mv "$BATS_TEST_TMPDIR/report" "$MT_OUT"
	check_stream "$MT_OUT"
	check_sums
	near "faults of the storm" "$(j '[.[] | select(.type == "vma" and .class == "anon") | .faults] | max')" 6144
	equal lost "$(lost)" 0
}

@test "--btf: every command that traces takes it; the file may be named from where one is" {
	local command

	for command in brk-vs-mmap oom reclaim "leaks --heap -p $$" 'leaks --kernel'; do
		# shellcheck disable=SC2086 # words
		(cd "$BATS_TEST_TMPDIR" && mt_in_mounts "$HIDDEN" $command --json --btf types -d 0.2 &&
			equal "status of $command" "$MT_STATUS" 0) || return
		check_stream "$MT_OUT"
	done
	mt_in_mounts "$HIDDEN" maps --json -p $$ --trace 0.2 --btf "$TYPES"
	equal "status of maps" "$MT_STATUS" 0
	at_least "mappings with faults told" "$(j '[.[] | select(.type == "vma" and has("faults"))] | length')" 1
}

@test "--btf leaves the mounts and the directory of memtrace and its program as they are" {
	mt_in_mounts "$HIDDEN; cat /proc/self/mountinfo >$BATS_TEST_TMPDIR/before" faults --btf "$TYPES" \
		-o "$BATS_TEST_TMPDIR/report" -- sh -c 'pwd; cat /proc/self/mountinfo'
	equal status "$MT_STATUS" 0
	equal directory "$(head -n 1 "$MT_OUT")" "$PWD"
	equal mounts "$(tail -n +2 "$MT_OUT")" "$(cat "$BATS_TEST_TMPDIR/before")"
}

@test "--btf: a file without types, without a kernel's, cut short, absent: one line that names it, exit 1" {
	local file

	head -c 100000 "$TYPES" >"$BATS_TEST_TMPDIR/cut"
	for file in /etc/passwd "$MEMTRACE" "$BATS_TEST_TMPDIR/cut" /nonexistent; do
		mt faults --btf "$file" -d 1
		equal "status of $file" "$MT_STATUS" 1
		check_one_line
		matches message "$(cat "$MT_ERR")" "^memtrace: --btf: .*$file"
	done
	mt faults --btf '' -d 1
	equal "status of an empty name" "$MT_STATUS" 2
}

@test "--btf: types of another kernel are refused" {
	local other

	sed 's/btf_trace_sched_process_exec/btf_trace_sched_process_none/' "$TYPES" >"$BATS_TEST_TMPDIR/other"
	for other in "$BATS_TEST_TMPDIR/other" "$TOP"/build/kernels/*/vmlinux; do
		[[ -r $other ]] || continue
		mt faults --btf "$other" -d 1
		equal "status of $other" "$MT_STATUS" 1
		check_one_line
		matches message "$(cat "$MT_ERR")" 'does not have the types of the running kernel'
	done
}
