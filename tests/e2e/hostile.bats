#!/usr/bin/env bats
# comm, paths and cgroups are hostile text: no control byte ever reaches stdout (tests/progs/hostile.c).

load lib

setup() {
	common_setup
	need_root
	disk_dir
}
teardown() {
	common_teardown
	disk_dir_gone
}

@test "JSON: clean, valid, and the rows are there" {
	local row

	faults -- "$PROGS/hostile" "$DISK_DIR"
	equal status "$MT_STATUS" 139
	check_clean "$MT_OUT"
	equal end "$(grep -c '"type":"end"' <(jq -c 'select(.type == "end") | {type}' "$MT_OUT"))" 1
	row=$(vma "$(value pid)" file)
	equal "faults of the file" "$(field "$row" .faults)" "$(value file.faults)"
	# What is printable is still there to be recognised.
	matches name "$(field "$row" .name | tr '\n' ' ')" '/ev.*owned.*il.*31m'
	matches comm "$(field "$row" .comm | tr '\n' ' ')" '31m'
	equal "faults of the child" "$(field "$(vma "$(value child.pid)" child)" .faults)" "$(value child.faults)"
	equal "SIGSEGV" "$(j "[.[] | select(.type == \"segv\" and .pid == $(value pid))] | length")" 1
}

@test "a decoded name has no control character that a terminal would obey unescaped" {
	faults -- "$PROGS/hostile" "$DISK_DIR"
	# In the stream itself they are \u escapes or replaced: the raw bytes are what check_clean looks for.
	equal "lines of the stream" "$(wc -l <"$MT_OUT")" "$(jq -c . "$MT_OUT" | wc -l)"
}

@test "table: clean, one row a line, within 80 columns" {
	mt faults "${ALL[@]}" -- "$PROGS/hostile" "$DISK_DIR"
	check_clean "$MT_OUT"
	check_width "$MT_OUT" 80
	at_least "rows with the name" "$(grep -c 'owned\|31m' "$MT_OUT")" 1
}

@test "events: clean, in text and in JSON" {
	mt faults --events --buffer 16384 -- "$PROGS/hostile" "$DISK_DIR"
	check_clean "$MT_OUT"
	mt faults --events --json --buffer 16384 -- "$PROGS/hostile" "$DISK_DIR"
	check_clean "$MT_OUT"
	check_stream "$MT_OUT"
}

@test "stderr: clean when it is no terminal" {
	mt faults -v -- "$PROGS/hostile" "$DISK_DIR"
	check_clean "$MT_ERR"
}

@test "a hostile option is quoted cleanly" {
	mt faults --comm $'\e[31mred' -d 1
	check_clean "$MT_ERR"
	check_clean "$MT_OUT"
	mt faults $'--\e[31mred\n'
	equal status "$MT_STATUS" 2
	check_one_line
	check_clean "$MT_ERR"
	mt faults --cgroup $'/no/\e[31mred\nsuch'
	equal status "$MT_STATUS" 1
	check_one_line
	check_clean "$MT_ERR"
}

@test "a program with a hostile path" {
	local dir=$DISK_DIR/$'e\e[2J\nvil\xff'

	mkdir "$dir"
	cp "$PROGS/regions" "$dir/"$'reg\e[31m\n'
	mt faults "${ALL[@]}" -- "$dir/"$'reg\e[31m\n' "$DISK_DIR"
	check_clean "$MT_OUT"
	check_clean "$MT_ERR"
	faults -- "$dir/"$'reg\e[31m\n' "$DISK_DIR"
	check_clean "$MT_OUT"
}
