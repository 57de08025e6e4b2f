#!/usr/bin/env bats
# Real programs: minor and major faults equal getrusage of the same run, within 1 % or 60; losses are told.

load lib

setup() {
	common_setup
	need_root
	WORK=$(mktemp -d "$BATS_TEST_TMPDIR/work.XXXXXX")
	cd "$WORK"
}
teardown() { common_teardown; }

# against_rusage PROGRAM ARGS...: run it under rusage under memtrace, compare both sums of the whole family
against_rusage() {
	local parent

	faults -- "$PROGS/rusage" "$WORK/rusage" "$@"
	equal "status of $1" "$MT_STATUS" 0
	parent=$(value pid "$WORK/rusage")
	# All but rusage itself, which wait4 does not count. A row that folds many processes has no pid.
	near "minor faults of $1" "$(sum ".type == \"process\" and .pid != $parent" minor)" "$(value min_flt "$WORK/rusage")"
	near "major faults of $1" "$(sum ".type == \"process\" and .pid != $parent" major)" "$(value maj_flt "$WORK/rusage")"
	equal "lost is a number" "$(j '.[-1].lost | [.[] | type] | unique | join(" ")')" number
}

@test "python3: imports, and a bytearray of 100 MB" {
	local python

	python=$(PATH=/usr/bin:/usr/local/bin:$PATH command -v python3) || skip "python3 is not installed"
	against_rusage "$python" -c 'import json, re, subprocess, decimal, email.mime.text; b = bytearray(100 << 20)'
}

@test "gcc and its children" {
	command -v gcc >/dev/null || skip "gcc is not installed"
	cat >prog.c <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		int main(int argc, char **argv) { printf("%d %s\n", argc, argv[0]); return 0; }
	END
	against_rusage gcc -O2 -g -o prog prog.c
	equal "compilers seen" "$(j '[.[] | select(.type == "process" and .comm == "cc1")] | length')" 1
	[[ -x prog ]]
}

@test "sort, with threads" {
	seq 400000 | awk '{ print ($1 * 7919) % 1000003 }' >numbers
	against_rusage sort --parallel=2 -S 20M -o sorted numbers
	sort -c sorted
}

@test "a shell loop of 2,000 /bin/true" {
	local processes

	# shellcheck disable=SC2016
	against_rusage sh -c 'i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i + 1)); done'
	processes=$(j '[.[] | select(.type == "process" and .comm == "true") | .processes // 1] | add // 0')
	if [[ $(lost) == 0 ]]; then
		equal "processes named true" "$processes" 2000
	else
		at_most "processes named true" "$processes" 2000
	fi
}

@test "threads that fault at once" {
	against_rusage "$PROGS/storm" -t 4 -n 3000 -r 5
	equal "faults of the first thread's region" "$(j "[.[] | select(.type == \"vma\" and
		.start == \"$(value region0.start)\").faults] | add")" "$(value region0.faults)"
	equal "faults of the last thread's region" "$(j "[.[] | select(.type == \"vma\" and
		.start == \"$(value region3.start)\").faults] | add")" "$(value region3.faults)"
}

@test "mappings that come and go at the same address" {
	against_rusage "$PROGS/storm" -t 2 -n 1000 -r 20 -m munmap
	equal "faults of the region" "$(j "[.[] | select(.type == \"vma\" and
		.start == \"$(value region0.start)\").faults] | add")" "$(value region0.faults)"
}
