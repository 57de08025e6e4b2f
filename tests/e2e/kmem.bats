#!/usr/bin/env bats
# memtrace leaks --kernel: what the kernel allocated for a program that says what it had it do, and /proc/slabinfo.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

# kernel ARGS...: start it on the sleeper
kernel_start() {
	sleeper_start "$PROGS/kmem"
	mt_start leaks --kernel --json "${ALL[@]}" -p "$SLEEPER_PID" "$@"
}

kernel_stop() {
	mt_stop
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

# at VIA FUNCTION KEY: the sum of KEY over the sites of that kind with that function on their stack
at() {
	j "[.[] | select(.type == \"site\" and .via == \"$1\" and
		([.stack[]?.symbol // \"\" | split(\".\")[0]] | index(\"$2\"))) | .$3] | add // 0"
}

# slab NAME: its objects, as the kernel has it
slab() {
	awk -v name="$1" '$1 == name { print $2 }' /proc/slabinfo
}

@test "pipes: two objects by kmalloc each, and two files of their cache" {
	kernel_start
	tell "pipes 1000"
	kernel_stop
	near "objects of pipes" "$(at kmalloc alloc_pipe_info outstanding_count)" 2000
	near "files" "$(j '[.[] | select(.type == "site" and .via == "slab" and .cache == "filp") | .outstanding_count] | add')" 2000 ||
		near "files, whose cache this kernel does not name" "$(at slab alloc_empty_file outstanding_count)$(at slab __alloc_file outstanding_count)" 02000
	at_least "bytes of pipes" "$(at kmalloc alloc_pipe_info outstanding_bytes)" $((1000 * (96 + 16 * 40)))
	tell close
	sleeper_quit
}

@test "what is given back is not outstanding" {
	kernel_start
	tell "pipes 1000"
	tell close
	kernel_stop
	at_most "objects of pipes" "$(at kmalloc alloc_pipe_info outstanding_count)" 60
	at_least "allocations" "$(j '[.[] | select(.type == "kernel_memory" and .via == "kmalloc")] | .[0].allocations')" 2000
	sleeper_quit
}

@test "pages, with the stack that asked for them" {
	kernel_start
	tell "pipes 1000"
	tell fill
	kernel_stop
	near "pages of pipes" "$(($(at page pipe_write outstanding_count) + $(at page anon_pipe_write outstanding_count)))" 1000
	tell close
	sleeper_quit
}

@test "vmalloc: the stacks of threads; or the kernel does not tell, and that is said" {
	kernel_start
	tell "threads 100"
	kernel_stop
	if [[ $(j '[.[] | select(.type == "kernel_memory" and .via == "vmalloc")] | .[0].allocations') == null ]]; then
		mt leaks --kernel -d 0.1
		matches "the table" "$(cat "$MT_OUT")" 'vmalloc .*not told by this kernel'
	else
		# The kernel keeps a few stacks in reserve.
		at_least "stacks" "$(at vmalloc copy_process outstanding_count)" 90
		at_most "stacks" "$(at vmalloc copy_process outstanding_count)" 100
		at_least "bytes" "$(at vmalloc copy_process outstanding_bytes)" $((90 * 20480))
	fi
	sleeper_quit
}

@test "the same as /proc/slabinfo counts" {
	sleeper_start "$PROGS/kmem"
	mt_start leaks --kernel --json "${ALL[@]}"
	tell "pipes 4000"
	kernel_stop
	[[ $(slab filp) -gt 8000 ]] || fail "no pipes in slabinfo"
	# Within what CPUs hold in reserve and others do.
	at_least "files in slabinfo" "$(j '.[] | select(.type == "kernel_count" and .name == "filp") | .change_count')" 7000
	at_most "files in slabinfo" "$(j '.[] | select(.type == "kernel_count" and .name == "filp") | .change_count')" 9000
	at_least "objects of pipes" "$(at kmalloc alloc_pipe_info outstanding_count)" 8000
	at_most "objects of pipes" "$(at kmalloc alloc_pipe_info outstanding_count)" 8400
	tell close
	sleeper_quit
}

@test "whole stacks of kmalloc, on demand; folded and pprof" {
	kernel_start --kernel-stacks --folded "$BATS_TEST_TMPDIR/folded"
	tell "pipes 1000"
	kernel_stop
	# And what interrupts have allocated that came in between: they are on the same stack.
	at_least "objects of pipes" "$(at kmalloc alloc_pipe_info outstanding_count)" 2000
	at_least "objects beneath the system call" "$(at kmalloc do_pipe2 outstanding_count)" 2000
	grep -q 'alloc_pipe_info' "$BATS_TEST_TMPDIR/folded" || fail "no pipes in the folded stacks"
	equal "frames of tracing itself" "$(j '[.[] | select(.type == "site") | .stack[0].symbol // "" | select(startswith("bpf_"))] | length')" 0
	sleeper_quit
}

@test "full: told" {
	kernel_start --blocks 500
	tell "pipes 1000"
	kernel_stop
	at_least "blocks left out" "$(j '.[] | select(.type == "kernel_counts") | .no_room_count')" 1000
	at_least "lost" "$(j '.[-1].lost.map')" 1000
	sleeper_quit
}

@test "the table fits 80 columns; --heap and --kernel exclude each other" {
	COLUMNS=80 mt leaks --kernel -d 0.5
	equal status "$MT_STATUS" 0
	check_width "$MT_OUT" 80
	check_clean "$MT_OUT"
	for word in kmalloc slab vmalloc page; do
		matches "the kinds" "$(cat "$MT_OUT")" "$word "
	done
	mt leaks --kernel --heap -- true
	equal status "$MT_STATUS" 2
	check_one_line
}
