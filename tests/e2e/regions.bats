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

# wanted HOW NAME: what the program says of a region, a KEY=VALUE a line
wanted() {
	sed -n "s/^$2\.//p" "$PROG_OUT" | sed -n -e "s/^$1\./kinds./p" -e 's/^measured_//p' \
		-e '/^\(end\|perms\|class\|name\|faults\)=/p' | sort
}

# reported ROW: what memtrace says of it. (A private writable mapping of a file may be called data, as a program's is.)
reported() {
	jq -r '"end=\(.end)", "perms=\(.perms)", "name=\(.name)", "faults=\(.faults)", "minor=\(.minor)", "major=\(.major)",
		"class=\(if .class == "data" and .perms == "rw-p" then "file" else .class end)",
		(.kinds | to_entries[] | select(.value > 0) | "kinds.\(.key)=\(.value)")' <<<"$1" | sort
}

# check_region HOW PID NAME: what is wanted is reported; a kind that is not wanted is not.
check_region() {
	local row wanted reported

	row=$(vma "$2" "$3")
	[[ $row == "{"* ]] || fail "$3: $row at $(value "$3.start")"
	wanted=$(wanted "$1" "$3")
	reported=$(reported "$row")
	[[ $wanted == *faults=* ]] || fail "$3: the program says nothing of it"
	equal "$3: wanted and not reported, of $(tr "\n" " " <<<"$reported")" "$(comm -23 <(echo "$wanted") <(echo "$reported"))" ""
	equal "$3: kinds that were not there" "$(comm -13 <(echo "$wanted") <(echo "$reported") | grep '^kinds')" ""
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
	matches kinds "$(reported "$(vma "$PID" huge)" | grep ^kinds)" "^kinds.(anon_write|hugetlb)=$(value huge.faults)$"
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
