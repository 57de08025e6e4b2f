#!/usr/bin/env bats
# Names are right for processes that are long gone: 1,000 short programs.

load lib

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

# names COMM: the names of its VMAs, one a line
names() {
	j ".[] | select(.type == \"vma\" and .comm == \"$1\") | .name"
}

@test "a loop of 1,000 short programs: every VMA is named, none wrongly" {
	local true_path libc loader named wrong

	true_path=$(realpath /bin/true)
	libc=$(ldd "$true_path" | awk '/libc\.so/ { print $3 }')
	loader=$(ldd "$true_path" | awk '/ld-linux|ld-musl/ { print $1 }')
	faults -- bash -c 'for ((i = 0; i < 1000; i++)); do /bin/true; done'
	equal status "$MT_STATUS" 0
	equal "VMAs without a name" "$(j '[.[] | select(.type == "vma") | select((.name // "") == "")] | length')" 0
	named=$(names true | sort -u)
	for wanted in "$true_path" "$(realpath "$libc")" "$(realpath "$loader")" '[stack]'; do
		grep -qxF "$wanted" <<<"$named" || fail "no VMA named $wanted"
	done
	# The image before the exec is the shell's, and called so.
	if grep -F "$(realpath "$(command -v bash)")" <<<"$named"; then
		fail "VMAs of the shell are attributed to true"
	fi
	wrong=$(j '[.[] | select(.type == "vma" and (.class == "text" or .class == "data" or .class == "file")) |
		.name | select(startswith("/") | not)] | unique | join(" ")')
	matches "names of file mappings that are no path" "$wrong" '^(\(other\))?$'
	# What is named exists: a path cut short, or of another mount, would not.
	while IFS= read -r name; do
		[[ -e $name ]] || fail "a VMA of true is named $name, which is not there"
	done < <(grep '^/' <<<"$named")
}

@test "classes go with names" {
	faults -- "$PROGS/regions" "$BATS_TEST_TMPDIR"
	equal "class of [heap]" "$(j '[.[] | select(.name == "[heap]").class] | unique | join(" ")')" heap
	equal "class of [stack]" "$(j '[.[] | select(.name == "[stack]").class] | unique | join(" ")')" stack
	equal "classes that are not known" "$(j '[.[] | select(.type == "vma" and .name != "(other)").class] | unique -
		["heap","stack","anon","file","shmem","text","data","vdso","hugetlb"] | join(" ")')" ""
	equal "perms of text" "$(j '[.[] | select(.type == "vma" and .class == "text").perms] | unique | join(" ")')" r-xp
}

@test "an image is a row of its own: one process, three programs" {
	local name bin=$BATS_TEST_TMPDIR/bin

	mkdir "$bin"
	for name in first second third; do
		cp "$PROGS/execs" "$bin/$name"
	done
	faults -- "$bin/first" 40 "$bin/second" "$bin/third"
	equal status "$MT_STATUS" 0
	equal "images of the process" \
		"$(j "[.[] | select(.type == \"process\" and .pid == $(value pid)).comm] | sort | join(\" \")")" \
		"first second third"
	for name in first second third; do
		equal "faults of the region of $name" "$(j "[.[] | select(.type == \"vma\" and .comm == \"$name\" and
			.start == \"$(value $name.start)\").faults] | add")" 40
		j ".[] | select(.type == \"vma\" and .comm == \"$name\" and .class == \"text\").name" | grep -xF "$bin/$name" >/dev/null
	done
}

@test "a file that was deleted, and one in a directory with spaces and non-ASCII letters" {
	local dir="$BATS_TEST_TMPDIR/a b/Größe/ファイル"

	mkdir -p "$dir"
	cp "$PROGS/regions" "$dir/regions"
	mt faults --json "${ALL[@]}" -- "$dir/regions" "$BATS_TEST_TMPDIR"
	check_stream "$MT_OUT"
	j '.[] | select(.type == "vma" and .class == "text").name' | grep -xF "$dir/regions" >/dev/null
	rm -f "$PROG_OUT"
	# shellcheck disable=SC2016
	faults -- sh -c '"$0" "$1" & while read -r comm </proc/$!/comm && [ "$comm" != regions ]; do :; done; rm "$0"; wait' "$dir/regions" "$BATS_TEST_TMPDIR"
	j '.[] | select(.type == "vma").name' | grep -F "$dir/regions" >/dev/null
}

@test "a long path is whole" {
	local dir=$BATS_TEST_TMPDIR i part

	part=$(printf 'd%.0s' {1..120})
	for ((i = 0; i < 8; i++)); do
		dir+=/$part$i
	done
	mkdir -p "$dir"
	cp "$PROGS/regions" "$dir/regions"
	faults -- "$dir/regions" "$BATS_TEST_TMPDIR"
	equal status "$MT_STATUS" 0
	# Whole; or cut, and then marked as cut and ending in what tells it from others.
	j '.[] | select(.type == "vma" and .class == "text").name' | grep -xF "$dir/regions" >/dev/null ||
		j '.[] | select(.type == "vma" and .class == "text").name' | grep '\.\.\..*/regions$' >/dev/null ||
		fail "no VMA of a path of ${#dir} bytes: $(j '[.[] | select(.type == "vma" and .class == "text").name][0]')"
}

@test "a path within another mount" {
	local dir=$BATS_TEST_TMPDIR/mounted

	mkdir "$dir"
	mount -t tmpfs tmpfs "$dir" || skip "mounting is not allowed here"
	cp "$PROGS/regions" "$dir/regions"
	faults -- "$dir/regions" "$BATS_TEST_TMPDIR" || { umount "$dir"; return 1; }
	umount "$dir"
	j '.[] | select(.type == "vma" and .class == "text").name' | grep -xF "$dir/regions" >/dev/null
}

@test "threads' stacks are told from other anonymous memory" {
	local i row

	faults -- "$PROGS/threads" 3 120
	for i in 0 1 2; do
		row=$(vma "$(value pid)" thread$i)
		equal "faults of the stack of thread $i" "$(field "$row" .faults)" "$(value thread$i.faults)"
		equal "class of the stack of thread $i" "$(field "$row" .class)" stack
	done
}

@test "the main stack grows, a fault a page" {
	faults -- "$PROGS/threads" 1 10
	equal "stack_grow" "$(j "[.[] | select(.type == \"vma\" and .pid == $(value pid) and .name == \"[stack]\") |
		.kinds.stack_grow // 0] | add")" "$(value main.stack_grow)"
}
