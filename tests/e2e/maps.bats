#!/usr/bin/env bats
# memtrace maps: against /proc/PID/smaps row by row, and against programs that know their own pages.

load lib

setup() {
	common_setup
	CHILDREN=()
}
teardown() {
	for child in "${CHILDREN[@]}"; do
		kill -KILL "$child" 2>/dev/null || true
		wait "$child" 2>/dev/null || true
	done
	cgroup_down
	zram_down
	common_teardown
}

maps() {
	mt maps --json "$@"
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

# A python3 that runs the code, then says a line, SAID, and waits: PYTHON is its pid.
python_waits() {
	local said=$BATS_TEST_TMPDIR/said.$RANDOM

	mkfifo "$said"
	"${AS[@]}" python3 -c "
import ctypes, mmap, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE
def region(size):
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return m, ctypes.addressof(ctypes.c_char.from_buffer(m))
def entry(address):
    with open('/proc/self/pagemap', 'rb') as f:
        f.seek(address // page * 8)
        return struct.unpack('Q', f.read(8))[0]
$1
time.sleep(60)" >"$said" 3>&- &
	PYTHON=$!
	CHILDREN+=("$PYTHON")
	IFS= read -r -t 20 SAID <"$said" || fail "python3 does not answer"
}

# A process that shares nothing with others, so that they cannot change what it has: HERMIT is its pid.
hermit_start() {
	PROG_OUT=$BATS_TEST_TMPDIR/hermit "$PROGS/leaker-static" start 60 3>&- &
	HERMIT=$!
	CHILDREN+=("$HERMIT")
	for ((i = 0; i < 200; i++)); do
		[[ $(awk '$1 == "Rss:" { n += $2 } END { print n }' "/proc/$HERMIT/smaps") -ge 16384 ]] && return
		read -r -t 0.05 _ <> <(:) || true
	done
	fail "it has not taken its memory"
}

@test "each mapping has what smaps tells of it" {
	hermit_start
	maps -p "$HERMIT"
	j '.[] | select(.type == "vma") | [.start, .end, .perms, .size_bytes, .rss_bytes, .pss_bytes, .shared_clean_bytes,
		.shared_dirty_bytes, .private_clean_bytes, .private_dirty_bytes, .anonymous_bytes, .swap_bytes, .locked_bytes,
		.vm_flags, (if .name == "[anon]" then "" else .name end)] | map(tostring) | join(" ")' >"$BATS_TEST_TMPDIR/shown"
	awk '
		function flush() { if (range) print range, perms, v["Size"], v["Rss"], v["Pss"], v["Shared_Clean"], v["Shared_Dirty"],
			v["Private_Clean"], v["Private_Dirty"], v["Anonymous"], v["Swap"], v["Locked"], flags, name }
		/^[0-9a-f]+-[0-9a-f]+ / { flush(); split($1, a, "-"); sub(/^0+/, "", a[1]); sub(/^0+/, "", a[2]); range = "0x" a[1] " 0x" a[2]; perms = $2; name = $6; next }
		/^VmFlags:/ { flags = $0; sub(/^VmFlags: /, "", flags); sub(/ +$/, "", flags); next }
		{ v[substr($1, 1, length($1) - 1)] = $2 * 1024 }
		END { flush() }' "/proc/$HERMIT/smaps" >"$BATS_TEST_TMPDIR/there"
	at_least mappings "$(wc -l <"$BATS_TEST_TMPDIR/there")" 8
	diff "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/shown"
}

@test "mappings and gaps make up the address space" {
	hermit_start
	maps -p "$HERMIT"
	# 64-bit addresses are more than jq's numbers: their last digits are compared.
	equal "breaks in it" "$(j '[.[] | select((.type == "vma" or .type == "gap") and (.start | startswith("0xffffffff") | not))] |
		[.[1:], .[:-1]] | transpose | map(select(.[0].start != .[1].end)) | length')" 0
	at_least gaps "$(j '[.[] | select(.type == "gap")] | length')" 1
}

@test "the layout is where the kernel put it" {
	local stat

	hermit_start
	maps -p "$HERMIT"
	stat=$(sed 's/.*) //' "/proc/$HERMIT/stat")
	equal "start of the code" "$(j '.[] | select(.type == "process").code_start')" "$(printf '0x%x' "$(cut -d ' ' -f 24 <<<"$stat")")"
	equal "start of the heap" "$(j '.[] | select(.type == "process").heap_start')" "$(printf '0x%x' "$(cut -d ' ' -f 45 <<<"$stat")")"
	equal "end of the environment" "$(j '.[] | select(.type == "process").environment_end')" "$(printf '0x%x' "$(cut -d ' ' -f 49 <<<"$stat")")"
	equal "class of the heap" "$(j '.[] | select(.type == "vma" and .name == "[heap]").class')" heap
	equal "class of the code" "$(j '.[] | select(.type == "vma" and .perms == "r-xp" and (.name | endswith("leaker-static"))).class')" text
}

@test "an address: its physical page, as the program itself reads it" {
	local address frame

	need_root
	python_waits 'm, at = region(4 * page)
m.write(b"x" * 4 * page)
libc.mlock(ctypes.c_void_p(at), ctypes.c_size_t(4 * page))
print(hex(at + page + 0x123), hex(entry(at + page) & (1 << 55) - 1), flush=True)'
	read -r address frame <<<"$SAID"
	[[ $frame != 0x0 ]] || skip "frames are not told here"
	maps -p "$PYTHON" --address "$address"
	equal state "$(j '.[] | select(.type == "address").state')" present
	equal frame "$(j '.[] | select(.type == "address").frame')" "$frame"
	equal physical "$(j '.[] | select(.type == "address").physical')" "$(printf '0x%x' $((frame * $(getconf PAGESIZE) + 0x123)))"
	equal class "$(j '.[] | select(.type == "address").vma.class')" anon
	equal exclusive "$(j '.[] | select(.type == "address").exclusive')" true
	equal "times mapped" "$(j '.[] | select(.type == "address").mapped_times')" 1
	matches flags "$(j '.[] | select(.type == "address").page_flags')" 'mlocked|unevictable'
}

@test "an address that was never touched, one in swap, and one outside every mapping" {
	local untouched swapped

	need_root
	zram_up 64
	cgroup_up
	AS=("${IN_CG[@]}")
	python_waits 'm, at = region(64 * page)
m.write(b"x" * 8 * page)
libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(8 * page), 21)
print(hex(at + 32 * page), hex(at) if entry(at) >> 62 & 1 else "none", flush=True)'
	AS=()
	read -r untouched swapped <<<"$SAID"
	maps -p "$PYTHON" --address "$untouched" --address 0x10
	equal "state of an untouched page" "$(j '[.[] | select(.type == "address")][0].state')" absent
	equal "VMA of an address outside" "$(j '[.[] | select(.type == "address")][1] | has("vma") and .vma == null')" true
	[[ $swapped != none ]] || skip "the kernel has not written it to swap"
	maps -p "$PYTHON" --address "$swapped"
	equal "state of a page in swap" "$(j '.[] | select(.type == "address").state')" swapped
	maps -p "$PYTHON" --picture
	at_least "pages in swap, in the picture" "$(j '[.[] | select(.type == "vma") | .cells_swapped[]?] | add')" 8
}

@test "an address in a library: file offset and symbol" {
	# Not that of the program: in one that is not position-independent malloc has an address of its own, in the PLT.
	python_waits 'print(hex(ctypes.cast(ctypes.CDLL("libc.so.6").malloc, ctypes.c_void_p).value), flush=True)'
	maps -p "$PYTHON" --address "$SAID"
	matches symbol "$(j '.[] | select(.type == "address").symbol')" '^(__libc_)?malloc$'
	equal "offset in it" "$(j '.[] | select(.type == "address").symbol_offset')" 0
	equal class "$(j '.[] | select(.type == "address").vma.class')" text
}

@test "the picture shows what was touched" {
	python_waits 'size = 64 << 20
m, at = region(size)
libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(size), 15)
for i in range(0, size // 4, page): m[i] = 1
print(hex(at), flush=True)'
	maps -p "$PYTHON" --picture
	equal "pages of the first 17 of 64 cells" \
		"$(j ".[] | select(.type == \"vma\" and .start <= \"$SAID\" and .end > \"$SAID\" and .size_bytes == (64 * 1048576)) | .cells_present[:17] | join(\" \")")" \
		"$(printf '256 %.0s' {1..16})0"
	mt maps -p "$PYTHON" --picture
	grep -q '|████████████████················································|' "$MT_OUT" || fail "$(cat "$MT_OUT")"
}

@test "huge pages are in the picture, after tracing, too, when privileges have been given up" {
	local huge='[.[] | select(.type == "vma") | .cells_huge[]?] | add // 0' without

	python_waits 'size = 16 << 20
m, at = region(size)
libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(size), 14)
for i in range(0, size, page): m[i] = 1
print(hex(at), flush=True)'
	grep -q '^AnonHugePages: *[1-9]' "/proc/$PYTHON/smaps" || skip "this machine gives no huge pages"
	maps -p "$PYTHON" --picture
	without=$(j "$huge")
	at_least "huge pages, of 4 KiB" "$without" 512
	maps -p "$PYTHON" --picture --trace 0.1
	equal "huge pages after tracing" "$(j "$huge")" "$without"
}

@test "--segments: the sections that lie in a mapping, as readelf places them" {
	hermit_start
	maps -p "$HERMIT" --segments
	matches "segments of the code" \
		"$(j '.[] | select(.type == "vma" and .perms == "r-xp" and (.name | endswith("leaker-static"))).segments')" '^LOAD r-x: .*\.text'
	readelf -SW "$PROGS/leaker-static" | grep -q ' \.text ' || fail "readelf sees no .text"
	matches "segments of its data" \
		"$(j '[.[] | select(.type == "vma" and .perms == "rw-p" and (.name | endswith("leaker-static"))).segments] | join(" ")')" '\.data'
}

@test "--by file: sums of the mappings" {
	python_waits 'print("ok", flush=True)'
	maps -p "$PYTHON"
	sum=$(j '[.[] | select(.type == "vma" and (.name | endswith("libc.so.6"))).size_bytes] | add')
	count=$(j '[.[] | select(.type == "vma" and (.name | endswith("libc.so.6")))] | length')
	maps -p "$PYTHON" --by file
	equal size "$(j '.[] | select(.type == "file" and (.name | endswith("libc.so.6"))).size_bytes')" "$sum"
	equal mappings "$(j '.[] | select(.type == "file" and (.name | endswith("libc.so.6"))).mappings')" "$count"
}

@test "--trace: the faults of each mapping meanwhile" {
	need_root
	sleeper_start
	mt_start maps --json -p "$SLEEPER_PID" --trace 3
	tell "touch 100"
	mt_wait
	equal status "$MT_STATUS" 0
	equal "faults of the region" "$(j "[.[] | select(.type == \"vma\" and .start == \"$SLEEPER_REGION\").faults] | add")" 100
	equal "their kind" "$(j "[.[] | select(.type == \"vma\" and .start == \"$SLEEPER_REGION\").kinds.anon_write] | add")" 100
	sleeper_quit
}

@test "without privilege: another's process is refused in a line, one's own has no frames" {
	need_root
	mt_as_nobody maps -p $$
	equal status "$MT_STATUS" 1
	check_one_line
	setpriv --reuid 65534 --clear-groups sleep 60 3>&- &
	CHILDREN+=($!)
	until [[ $(<"/proc/$!/comm") == sleep ]]; do sleep 0.05; done
	mt_as_nobody maps --json -p $! --address "0x$(head -n 1 /proc/$!/maps | cut -d - -f 1)"
	equal status "$MT_STATUS" 0
	equal "a frame" "$(j '.[] | select(.type == "address") | has("frame")')" false
	equal state "$(j '.[] | select(.type == "address").state')" present
}

@test "tables fit and are clean; bad usage is one line, exit 2; no such process, exit 1" {
	local args

	python_waits 'print("ok", flush=True)'
	for args in "" "--details --segments --picture" "--by file" "--address 0x1234"; do
		# shellcheck disable=SC2086 # words
		COLUMNS=80 mt maps -p "$PYTHON" $args
		equal "status of $args" "$MT_STATUS" 0
		check_clean "$MT_OUT"
		COLUMNS=80 check_width "$MT_OUT" 80
	done
	for args in "" "-p $$ --address x" "-p $$ --by user" "-p $$ --address 1 --by file" "-p $$ --by file --picture" "-- true" \
		"-p $$ --trace 0"; do
		# shellcheck disable=SC2086 # words
		mt maps $args
		equal "status of $args" "$MT_STATUS" 2
		check_one_line
	done
	mt maps -p 4194304
	equal status "$MT_STATUS" 1
	check_one_line
}
