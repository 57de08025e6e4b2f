#!/usr/bin/env bats
# A program of known regions: each VMA's count is exact and its kinds are right (tests/progs/regions.c).

load lib

setup() {
	common_setup
	need_root
	disk_dir
}
teardown() {
	common_teardown
	disk_dir_gone
	[[ -z ${POOL:-} ]] || echo "$POOL" >/proc/sys/vm/nr_hugepages
}

REGIONS="anon_write anon_read_write shared_anon file_private_write file_read file_read_write file_shared_write fork_cow"

# KIND=N lines, sorted: what a row says, and what the program says that it should
kinds_of() {
	jq -r '.kinds | to_entries[] | select(.value > 0) | "\(.key)=\(.value)"' <<<"$1" | sort
}

kinds_wanted() {
	sed -n "s/^$1\.$2\.//p" "$PROG_OUT" | sort
}

# check_region HOW PID NAME
check_region() {
	local row class

	row=$(vma "$2" "$3")
	[[ $row == "{"* ]] || fail "$3: $row at $(value "$3.start")"
	equal "$3: end" "$(field "$row" .end)" "$(value "$3.end")"
	equal "$3: perms" "$(field "$row" .perms)" "$(value "$3.perms")"
	class=$(field "$row" .class)
	# A private writable mapping of a file looks like a program's data.
	[[ $class/$(value "$3.class")/$(value "$3.perms") == data/file/rw-p ]] || equal "$3: class" "$class" "$(value "$3.class")"
	equal "$3: comm" "$(field "$row" .comm)" regions
	if [[ -n $(value "$3.name") ]]; then
		equal "$3: name" "$(field "$row" .name)" "$(value "$3.name")"
	fi
	equal "$3: faults" "$(field "$row" .faults)" "$(value "$3.faults")"
	equal "$3: kinds" "$(kinds_of "$row")" "$(kinds_wanted "$3" "$1")"
	# Two parts of fork_cow are measured apart: their sum is its faults.
	if [[ -n $(value "$3.measured_minor") ]]; then
		equal "$3: minor" "$(field "$row" .minor)" "$(value "$3.measured_minor")"
		equal "$3: major" "$(field "$row" .major)" "$(value "$3.measured_major")"
	fi
}

run_regions() {
	faults "$@" -- "$PROGS/regions" "$DISK_DIR"
	equal status "$MT_STATUS" 0
	equal lost "$(lost)" 0
	PID=$(value pid)
	CHILD=$(value fork_cow_child.pid)
}

@test "each region's count and kinds, told cheaply" {
	local name

	run_regions
	for name in $REGIONS; do
		check_region light "$PID" "$name"
	done
	check_region light "$CHILD" fork_cow_child
	check_sums
}

@test "each region's count and kinds, told exactly (--kinds)" {
	local name

	run_regions --kinds
	for name in $REGIONS; do
		check_region exact "$PID" "$name"
	done
	check_region exact "$CHILD" fork_cow_child
	check_sums
}

@test "--latency tells kinds exactly too" {
	local name

	run_regions --latency
	for name in $REGIONS; do
		check_region exact "$PID" "$name"
	done
}

@test "populated and locked memory raises no exception: untrapped, and no fault in its VMA" {
	local row

	run_regions
	for name in populate locked reserve; do
		equal "$name: faults" "$(j "[.[] | select(.type == \"vma\" and .start == \"$(value $name.start)\").faults] | add // 0")" 0
	done
	row=$(process "$PID" regions)
	at_least untrapped "$(field "$row" .untrapped)" $(($(value populate.untrapped) + $(value locked.untrapped)))
	near "minor faults of the process" "$(field "$row" .minor)" "$(value self.minor)"
	equal "major faults of the process" "$(field "$row" .major)" "$(value self.major)"
}

@test "the child is a process of its own" {
	run_regions
	equal "comm of the child" "$(field "$(process "$CHILD")" .comm)" regions
	at_least "faults of the child" "$(field "$(process "$CHILD")" .faults)" "$(value fork_cow_child.faults)"
}

@test "a huge page is one fault" {
	run_regions
	[[ $(value huge.faults) -lt $(value huge.pages) ]] || skip "this kernel gives no transparent huge pages"
	equal faults "$(field "$(vma "$PID" huge)" .faults)" "$(value huge.faults)"
	matches kinds "$(kinds_of "$(vma "$PID" huge)")" "^(anon_write|hugetlb)=$(value huge.faults)$"
}

@test "pages of the hugetlb pool" {
	[[ -w /proc/sys/vm/nr_hugepages ]] || skip "no hugetlb on this kernel"
	POOL=$(cat /proc/sys/vm/nr_hugepages)
	echo $((POOL + 3)) >/proc/sys/vm/nr_hugepages
	run_regions
	[[ -z $(value hugetlb.absent) ]] || skip "no hugetlb pages to be had: $(value hugetlb.absent)"
	check_region light "$PID" hugetlb
	run_regions --kinds
	check_region exact "$PID" hugetlb
}

@test "perf counts the same page faults" {
	local pages

	command -v perf >/dev/null || skip "perf is not installed"
	perf stat -e page-faults -x, -o "$BATS_TEST_TMPDIR/perf" -- "$PROGS/regions" "$DISK_DIR" 2>/dev/null ||
		skip "perf cannot count here"
	pages=$(awk -F, '/page-faults/ { print $1 }' "$BATS_TEST_TMPDIR/perf")
	[[ $pages =~ ^[0-9]+$ ]] || skip "perf counts no page faults here"
	run_regions
	near "exceptions of both processes" \
		"$(j '[.[] | select(.type == "process" and .comm == "regions").faults] | add')" "$pages"
}
