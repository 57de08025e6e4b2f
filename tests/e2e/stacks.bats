#!/usr/bin/env bats
# Call stacks: true on what distributions ship (no frame pointers, stripped), for programs that are gone, in containers,
# and adding up to the faults. gdb, the programs themselves and their sources are the witnesses.

load lib

FIXTURES=$TOP/tests/fixtures

setup_file() {
	command -v gcc g++ >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return
	gcc -O2 -fomit-frame-pointer -fPIC -shared "$FIXTURES/chain_lib.c" -o libchain.so
	strip -s libchain.so
	# shellcheck disable=SC2016 # for the loader
	gcc -O2 -fomit-frame-pointer "$FIXTURES/chain.c" -L. -lchain -Wl,-rpath,'$ORIGIN' -o chain
	gcc -O2 -fomit-frame-pointer -no-pie "$FIXTURES"/chain{,_lib}.c -o fixed
	gcc -O2 -fomit-frame-pointer -static "$FIXTURES"/chain{,_lib}.c -o static
	gcc -O2 -fno-omit-frame-pointer -g "$FIXTURES"/chain{,_lib}.c -o framed
	g++ -O2 -fomit-frame-pointer "$FIXTURES/basket.cc" -o basket
	gcc -O2 "$FIXTURES/jit.c" -o jit
}

setup() {
	common_setup
	need_root
	cd "$BATS_FILE_TMPDIR" || return
	[[ -x chain ]] || skip "no compiler here"
}
teardown() { common_teardown; }

# region_stacks: what was called, innermost first, in the stacks of the region that a program says it touched; a line each
region_stacks() {
	j "[.[] | select(.type == \"stack\" and .vma.start == \"$(value start)\")] | sort_by(-.faults)[] |
		[.stack[] | .symbol // \"?\"] | join(\" \")"
}

# region FILTER: of those rows
region() {
	j "[.[] | select(.type == \"stack\" and .vma.start == \"$(value start)\")] | $1"
}

# The faults of every report are divided among stacks, and nothing is left over.
check_stacks() {
	equal "faults of all stacks" "$(sum '.type == "stack"' faults)" "$(sum '.type == "process"' faults)" || return
	equal "samples told and seen" "$(sum '.type == "sampling"' samples)" "$(sum '.type == "stack"' samples)"
}

CHAIN="level_three level_two level_one work main"

@test "a stripped library without frame pointers: the whole chain, as gdb has it" {
	local ours theirs

	faults --stacks -- ./chain 64
	check_stacks
	equal "stacks of the region" "$(region length)" 1
	equal faults "$(region '.[0].faults')" 64
	equal "why it is cut short" "$(region '.[0].truncated')" null
	ours=$(region_stacks)
	theirs=$(gdb -batch -nx -ex 'set breakpoint pending on' -ex 'set backtrace past-main on' -ex 'break level_three' \
		-ex run -ex bt ./chain 2>&1 | sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([^ ]+) .*/\2/p' | paste -sd ' ')
	matches gdb "$theirs" "^$CHAIN "
	# One function has two names; gdb shows that of its debug information.
	equal chain "${ours/__libc_start_main /__libc_start_main_impl }" \
		"${theirs/__libc_start_main /__libc_start_main_impl }"
}

@test "each frame has its file, its build id, and an address that nm has under that name" {
	local symbol address

	faults --stacks=dwarf -- ./chain 64
	equal modules "$(region '[.[0].stack[:5][].module | split("/") | last] | unique | join(" ")')" "chain libchain.so"
	equal "build id of the library" "$(region '.[0].stack[0].build_id')" \
		"$(readelf -n libchain.so | sed -n 's/.*Build ID: //p')"
	for symbol in work main; do
		address=$(region "[.[0].stack[] | select(.symbol == \"$symbol\")][0].module_offset")
		equal "function at $address" "$(addr2line -fe chain "$(printf '0x%x' $((address - 1)))" | head -n 1)" "$symbol"
	done
}

@test "by frame pointers: whole where there are any, and marked as cut short where there are none" {
	faults --stacks=fp -- ./framed 64
	check_stacks
	equal "samples of the region" "$(region 'map(.samples) | add')" 64
	matches "with frame pointers" "$(region_stacks)" "^$CHAIN"
	faults --stacks=fp -- ./chain 64
	[[ "$(region_stacks)" != "$CHAIN "* ]] || fail "frame pointers where there are none"
	matches "mark" "$(region '.[0].truncated')" "frame pointers"
}

@test "a program at a fixed address, and a static one" {
	local program

	for program in fixed static; do
		faults --stacks -- "./$program" 64
		matches "$program" "$(region_stacks)" "^$CHAIN __libc_start_call_main __libc_start_main(_impl)? _start\$"
	done
}

@test "C++ is demangled" {
	faults --stacks -- ./basket
	matches names "$(region '.[0].stack[0].symbol')" '^shop::Basket<int>::fill\(char\*, unsigned long\)$'
	matches names "$(region '.[0].stack[1].symbol')" '^shop::checkout\(shop::Container&, char\*, unsigned long\)'
}

@test "source lines and inlined functions, where there is debug information" {
	faults --stacks=dwarf -- ./framed 64
	equal source "$(region '.[0].stack[0].file | split("/") | last')" chain_lib.c
	equal line "$(region '.[0].stack[0].line')" "$(grep -n 'volatile char \*)page =' "$FIXTURES/chain_lib.c" | cut -d : -f 1)"
}

@test "programs that exit at once are told as those that stay" {
	faults --stacks -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ./chain 8; done'
	check_stacks
	equal "faults at level three" "$(j '[.[] | select(.type == "stack" and .vma.class == "anon" and
		([.stack[].symbol][:5] == ["level_three", "level_two", "level_one", "work", "main"])) | .faults] | add')" 160
}

# The namespace outlives the program by a little: what is in no directory that is left cannot be opened.
@test "a program in its own mount and pid namespace, with a library that nobody else can open" {
	faults --stacks -- unshare --mount --pid --fork sh -c '
		mount -t tmpfs none /mnt && cp chain libchain.so /mnt && /mnt/chain 64; sleep 0.3'
	[[ ! -e /mnt/libchain.so ]] || fail "the library is visible outside"
	matches chain "$(region_stacks)" "^$CHAIN __libc_start_call_main"
	equal module "$(region '.[0].stack[0].module')" /mnt/libchain.so
}

@test "a library replaced on disk is not taken for the one that runs" {
	mkdir copy
	cp chain libchain.so copy
	gcc -O2 -fPIC -shared -x c - -o copy/other.so <<<'long lies(long a) { return a + 1; } long level_one(void) { return lies(1); }'
	faults --stacks -- sh -c 'copy/chain 64 & pid=$!; mv copy/other.so copy/libchain.so.new
		while ! grep -q libchain /proc/$pid/maps 2>/dev/null && kill -0 $pid 2>/dev/null; do :; done
		mv copy/libchain.so.new copy/libchain.so; wait $pid'
	rm -rf copy
	equal "names of the other library" "$(j '[.[] | select(.type == "stack") | .stack[]? | select(.symbol == "lies")] | length')" 0
	# Opened in time or not, it is the right one or none.
	matches innermost "$(region_stacks)" '^(level_three|\?)'
}

@test "python3: the native function that first touches a buffer" {
	faults --stacks -- python3 -c 'buffer = bytearray(64 << 20)'
	check_stacks
	matches "most faults" "$(j '[.[] | select(.type == "stack")] | max_by(.faults) | [.stack[].symbol // "?"] | join(" ")')" \
		'^(__)?mem(set|clr|move|cpy)[^ ]* .*(bytearray|calloc|PyByteArray|PyObject).* main|^(__)?mem[^ ]* .*Py.* _start'
	at_least "its share of the faults" "$(j '[.[] | select(.type == "stack")] | max_by(.faults).faults')" 12000
}

@test "the sample is bounded, and every fault is counted" {
	faults --stacks -- ./chain 20000 3
	check_stacks
	equal "faults of the region" "$(region 'map(.faults) | add')" 60000
	at_most "stacks taken" "$(sum '.type == "sampling"' samples)" 6000
	at_least "stacks taken" "$(sum '.type == "sampling"' samples)" 300
}

@test "stacks that find no room are told, and no fault is lost" {
	faults --stacks=dwarf --buffer 64 -- ./chain 20000
	check_stacks
	at_least "stacks lost" "$(sum '.type == "end"' lost.stack)" 1
	equal "faults of the region" "$(region 'map(.faults) | add')" 20000
}

@test "a stack deeper than its copy is cut short, and says so" {
	faults --stacks=dwarf --stack-size 1 -- python3 -c 'pass'
	at_least "stacks cut short" "$(j '[.[] | select(.type == "stack" and ((.truncated // "") | test("stack-size")))] | length')" 1
	at_least "ends of copies" "$(sum '.type == "sampling"' ends.copy_too_short)" 1
}

@test "each event has its stack, innermost first, with addresses" {
	faults --stacks --events -- ./chain 64
	equal "events of the region" "$(j "[.[] | select(.type == \"fault\" and .vma.start == \"$(value start)\" and
		([.stack[].symbol][:5] | join(\" \")) == \"$CHAIN\" and .stack[0].ip == .ip)] | length")" 64
}

@test "a bad access has its stack" {
	faults --stacks -- "$PROGS/segv" wild || true
	equal signals "$(j '[.[] | select(.type == "segv")] | length')" 1
	matches stack "$(j '.[] | select(.type == "segv") | [.stack[].symbol] | join(" ")')" 'main .*_start$'
	equal "symbol of the instruction" "$(j '.[] | select(.type == "segv") | .symbol == .stack[0].symbol')" true
}

@test "what the kernel was doing: read(2) into a fresh buffer" {
	faults --kernel-stacks -- "$PROGS/kernelmode" 512
	check_stacks
	equal "faults in read(2) by main" "$(j '[.[] | select(.type == "stack" and ([.stack[]?.symbol] | join(" ") |
		test("vfs_read.*entry_SYSCALL_64.* main "))) | .faults] | add')" 512
}

@test "compiled code has the names of its perf map" {
	[[ $(uname -m) == x86_64 ]] || skip "the code is for x86-64"
	faults --stacks=dwarf -- ./jit
	rm -f "$(value map)"
	matches stack "$(region_stacks | tail -n 1)" '^compiled function call.* main '
}

@test "folded stacks, pprof and flame graph: the faults of the report, and no others" {
	local total

	faults --folded folded --pprof profile.pb.gz --flamegraph graph.svg -- ./chain 2000
	total=$(sum '.type == "process"' faults)
	equal folded "$(awk '{ sum += $NF } END { print sum }' folded)" "$total"
	grep -qE '^chain;_start;.*;main;work;level_one;level_two;level_three [0-9]+$' folded || fail "$(head folded)"
	equal pprof "$(python3 "$TOP/tests/e2e/pprof_decode.py" profile.pb.gz | jq .totals.faults)" "$total"
	equal "unsound in pprof" "$(python3 "$TOP/tests/e2e/pprof_decode.py" profile.pb.gz | jq '.bad | length')" 0
	matches "root of the flame graph" "$(grep -m 1 ' of all</title>' graph.svg)" "^$((total / 1000)),$(printf %03d $((total % 1000))) faults, 100.0% of all"
	python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' graph.svg
}

@test "with -i the files hold the whole run" {
	faults --folded folded -i 0.2 -- sh -c './chain 2000; sleep 0.5; ./chain 2000'
	equal faults "$(awk '{ sum += $NF } END { print sum }' folded)" "$(sum '.type == "process"' faults)"
}

# site VIA: what was called, innermost first, at the one site of that kind that the library's innermost level led to
site() {
	j "[.[] | select(.type == \"site\" and .via == \"$1\" and ([.stack[]?.symbol] | index(\"obtain_three\")))] |
		[.[0].stack[] | .symbol // \"?\"] | join(\" \")"
}

@test "malloc three levels down in that library: the whole chain from main to brk and to mmap, as gdb has it" {
	local theirs

	mt brk-vs-mmap --json "${ALL[@]}" --stacks=dwarf -- ./chain malloc 1048576
	matches brk "$(site brk)" "^brk sbrk .*malloc obtain_three obtain_two obtain_one obtain main "
	matches mmap "$(site mmap)" "^[_A-Z]*mmap(64)? .*malloc obtain_three obtain_two obtain_one obtain main "
	theirs=$(gdb -batch -nx -ex 'set breakpoint pending on' -ex 'set backtrace past-main on' -ex 'break obtain_three' \
		-ex 'ignore 1 2' -ex run -ex 'catch syscall mmap' -ex 'continue' -ex bt --args ./chain malloc 1048576 2>&1 |
		sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([^ ]+) .*/\2/p' | paste -sd ' ')
	matches gdb "$theirs" "mmap.*malloc obtain_three obtain_two obtain_one obtain main "
	# From malloc on; inside it the two know the same functions by different names.
	equal chain "$(sed 's/.* obtain_three/obtain_three/; s/__libc_start_main_impl/__libc_start_main/' <<<"$(site mmap)")" \
		"$(sed 's/.* obtain_three/obtain_three/; s/__libc_start_main_impl/__libc_start_main/' <<<"$theirs")"
}

@test "a file that cannot be written is told before anything runs" {
	mt faults --flamegraph /nowhere/graph.svg -- touch ran
	equal status "$MT_STATUS" 1
	check_one_line
	[[ ! -e ran ]] || fail "the program has run"
}

@test "bad usage of the options" {
	local words

	for words in "--stacks=deep" "--stack-size 4" "--stack-size 65 --stacks" "--stacks=fp --stack-size 4" "--folded"; do
		# shellcheck disable=SC2086 # words
		mt faults $words
		equal "status of $words" "$MT_STATUS" 2
		check_one_line
	done
}

@test "the machine for ten seconds, with compilers at work: less than 256 MiB resident" {
	mt_start faults --stacks --json "${ALL[@]}"
	for _ in 1 2 3 4 5 6; do
		gcc -O2 -c -o /dev/null "$FIXTURES/chain.c"
		g++ -O2 -c -o /dev/null "$FIXTURES/basket.cc"
		python3 -c 'import json, decimal, http.client'
	done
	at_most "MiB resident" "$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$MT_SELF/status")" 256
	mt_stop
	check_stream "$MT_OUT"
	check_stacks
}
