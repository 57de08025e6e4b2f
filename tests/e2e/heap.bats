#!/usr/bin/env bats
# memtrace leaks --heap: blocks outstanding by call site, with the numbers that the programs say, and valgrind.

load lib

FIXTURES=$TOP/tests/fixtures

setup_file() {
	command -v gcc g++ >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return
	gcc -O2 -g -static -D_GNU_SOURCE -pthread -I"$TOP/tests/progs" "$TOP/tests/progs/heap.c" -o static
	g++ -O2 -g -pthread "$FIXTURES/heap.cc" -o objects
	gcc -O2 -g "$FIXTURES/heap_late.c" -o late
	gcc -O2 -g "$FIXTURES/heap_usdt.c" -o usdt
	gcc -O2 -g -fPIC -shared -DLIBRARY "$FIXTURES/heap_late.c" -o liblate.so
}

setup() {
	common_setup
	need_root
}
teardown() { common_teardown; }

need_compiled() {
	[[ -x $BATS_FILE_TMPDIR/$1 ]] || skip "no compiler here"
}

# heap ARGS...: memtrace leaks --heap --json, and the stream has to be sound
heap() {
	mt leaks --heap --json "${ALL[@]}" "$@"
	check_stream "$MT_OUT"
}

# at FUNCTION KEY [PID]: the sum of KEY over the sites with that function on their stack
at() {
	j "[.[] | select(.type == \"site\" and ([.stack[]?.symbol] | index(\"$1\")) ${3:+and .pid == $3}) | .$2] | add // 0"
}

counts() {
	j ".[] | select(.type == \"heap_counts\") | .$1"
}

# Outstanding are the blocks of the program's own sites, as it says; nothing of the sites that do not leak.
check_sites() {
	local site

	for site in leak_malloc leak_calloc leak_realloc; do
		equal "bytes of $site" "$(at $site outstanding_bytes)" "$(value $site.bytes)" || return
		equal "blocks of $site" "$(at $site outstanding_count)" "$(value $site.count)" || return
	done
	equal "sites of what was freed" "$(at no_leak_malloc outstanding_count)" 0 || return
	equal "sites of what was freed" "$(at no_leak_strdup outstanding_count)" 0
}

@test "five sites, three of which leak: these, to the byte, with whole stacks" {
	heap -- "$PROGS/heap" sites 1000
	equal status "$MT_STATUS" 0
	check_sites
	equal "allocations and frees by no_leak_malloc" "$(j '[.[] | select(.type == "heap")] | .[0].allocations - .[0].frees - .[0].outstanding_count')" 0
	equal "stacks cut short" "$(j '[.[] | select(.type == "site" and .truncated)] | length')" 0
	equal "outermost functions" "$(j '[.[] | select(.type == "site") | .stack[-1].symbol] | unique | join(" ")')" _start
	equal "via" "$(j '[.[] | select(.type == "site") | .via] | unique | join(" ")')" malloc
	equal lost "$(lost)" 0
	equal "frees of what was not seen" "$(counts frees_unknown)" 0
	matches "what was probed" "$(j '.[] | select(.type == "allocator") | .path')" 'libc'
}

@test "the table fits the terminal and names the site" {
	COLUMNS=80 mt leaks --heap -- "$PROGS/heap" sites 1000
	equal status "$MT_STATUS" 0
	check_clean "$MT_OUT"
	check_width "$MT_OUT" 80
	matches "what is probed" "$(cat "$MT_OUT")" 'Probed: [0-9]+ functions in .*libc'
	matches "the site" "$(cat "$MT_OUT")" 'leak_calloc'
	! grep -q no_leak "$MT_OUT" || fail "a site that does not leak is shown"
}

@test "realloc: moved, failed, to nothing, from nothing" {
	heap -- "$PROGS/heap" realloc
	for site in moved failed from_nothing; do
		equal "bytes of $site" "$(at $site outstanding_bytes)" "$(value $site.bytes)"
	done
	equal "what realloc gave back" "$(at given_back outstanding_count)" 0
	equal "failed" "$(counts failed)" 10
	equal "frees of what was not seen" "$(counts frees_unknown)" 0
}

@test "aligned blocks and reallocarray; posix_memalign that fails" {
	heap -- "$PROGS/heap" aligned
	equal bytes "$(at aligned outstanding_bytes)" "$(value all.bytes)"
	equal blocks "$(at aligned outstanding_count)" "$(value all.count)"
	equal failed "$(counts failed)" 10
}

@test "several threads" {
	heap -- "$PROGS/heap" threads 4 500
	for site in leak_malloc leak_calloc leak_realloc; do
		equal "bytes of $site" "$(at $site outstanding_bytes)" "$(value $site.bytes)"
	done
	equal "sites of what was freed" "$(at no_leak_malloc outstanding_count)" 0
	equal "outermost" "$(j '[.[] | select(.type == "site" and ([.stack[]?.symbol] | index("sites"))) |
		.stack[-1].symbol] | unique | length')" 1
}

@test "a child has its own blocks: what it inherited counts once" {
	heap -- "$PROGS/heap" fork
	equal "bytes of the parent" "$(at sites outstanding_bytes "$(value pid)")" "$(value all.bytes)"
	equal "bytes of the child" "$(at sites outstanding_bytes "$(value child.pid)")" "$(value child.bytes)"
	at_least "frees of what it inherited" "$(counts frees_unknown)" 111
	equal "probed late" "$(counts processes_probed_late)" 1
}

@test "children that end at once: told; with --everywhere, watched from their first instruction" {
	heap -- bash -c '"$1" sites 100; "$1" sites 100; true' bash "$PROGS/heap"
	at_least "late, or not probed at all" "$(($(counts processes_probed_late) + $(counts processes_not_probed)))" 2
	heap --everywhere -- bash -c '"$1" sites 100; "$1" sites 100; true' bash "$PROGS/heap"
	equal "late, or not probed at all" "$(($(counts processes_probed_late) + $(counts processes_not_probed)))" 0
	equal "bytes of both" "$(at sites outstanding_bytes)" 90000
	equal "processes with sites" "$(j '[.[] | select(.type == "site" and ([.stack[]?.symbol] | index("sites"))) | .pid] | unique | length')" 2
}

@test "exec clears" {
	heap -- "$PROGS/heap" exec 100
	check_sites
	equal "processes" "$(j '[.[] | select(.type == "heap")] | length')" 1
}

@test "a process that runs: what it allocated before is not known, what it frees of it is counted" {
	sleeper_start "$PROGS/heap"
	tell "sites 100"
	mt_start leaks --heap --json "${ALL[@]}" -p "$SLEEPER_PID"
	tell free
	tell "sites 1000"
	mt_stop
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal "bytes of leak_malloc" "$(at leak_malloc outstanding_bytes)" 100000
	equal "bytes of leak_calloc" "$(at leak_calloc outstanding_bytes)" 300000
	equal "frees of older blocks" "$(counts frees_unknown)" 111
	tell free
	sleeper_quit
}

@test "by age and by size" {
	sleeper_start "$PROGS/heap"
	mt_start leaks --heap --json "${ALL[@]}" -p "$SLEEPER_PID" --older 3600
	tell "sites 100"
	mt_stop
	equal "blocks older than an hour" "$(j '[.[] | select(.type == "site")] | length')" 0
	equal "allocations" "$(j '[.[] | select(.type == "heap")] | .[0].allocations')" 312
	mt_start leaks --heap --json "${ALL[@]}" -p "$SLEEPER_PID" --min-size 3000 --max-size 4999
	tell "sites 100"
	mt_stop
	equal "bytes of leak_calloc" "$(at leak_calloc outstanding_bytes)" 30000
	equal "other sites" "$(j '[.[] | select(.type == "site")] | length')" 1
	equal "frees of unknown blocks" "$(counts frees_unknown)" null
	sleeper_quit
}

# Of n blocks of s bytes, with probability p each, the estimate n/p * ... has the standard deviation s sqrt(n (1-p)) / p:
# four of it are exceeded once in 16,000 runs.
within_four_sigma() {
	local what=$1 got=$2 error=$3 want=$4 off

	at_least "standard error of $what" "$error" 1 || return
	off=$((got - want))
	((${off#-} <= 4 * error)) || fail "$what: got $got +- $error, want $want"
}

@test "a sample: within its stated error, and nothing of what was freed" {
	heap --sample 20000 -- "$PROGS/heap" sites 60000
	for site in leak_malloc leak_calloc leak_realloc; do
		within_four_sigma "bytes of $site" "$(at $site outstanding_bytes)" "$(at $site bytes_standard_error)" \
			"$(value $site.bytes)"
		within_four_sigma "blocks of $site" "$(at $site outstanding_count)" "$(at $site count_standard_error)" \
			"$(value $site.count)"
		at_most "error of $site, in per cent" \
			"$((100 * $(at $site bytes_standard_error) / $(value $site.bytes)))" 10
	done
	equal "sites of what was freed" "$(at no_leak_malloc outstanding_count)" 0
	equal "allocations, sampled or not" "$(counts allocations)" 187202
	at_most "blocks that were sampled" "$(j '[.[] | select(.type == "site") | .sampled_count] | add')" 6000
}

@test "a sample says that each call is trapped" {
	mt leaks --heap --sample 20000 -- "$PROGS/heap" sites 10
	matches "the sample" "$(tr '\n' ' ' <"$MT_OUT")" 'estimates.*each call is still  *trapped'
}

@test "more blocks than there is room for: told, and what is there is right" {
	heap --blocks 1000 -- "$PROGS/heap" many 5000
	equal "blocks kept and left out" "$(($(at many outstanding_count) + $(counts no_room_count)))" \
		"$(($(value all.count) + 1))" ||
		equal "blocks kept and left out" "$(($(sum '.type == "site"' outstanding_count) + $(counts no_room_count)))" 5002
	at_least "left out" "$(counts no_room_count)" 3900
	at_least "lost" "$(j '.[-1].lost.map')" 3900
	mt leaks --heap --blocks 1000 -- "$PROGS/heap" many 5000
	matches "the table" "$(tr '\n' ' ' <"$MT_OUT")" 'are missing above: there is room for 1000'
}

@test "C++: operator new counts once, threads together" {
	need_compiled objects
	heap -- "$BATS_FILE_TMPDIR/objects" 1000
	equal "bytes of new" "$(j '[.[] | select(.type == "site" and ([.stack[]?.symbol] | map(select(. // "" | startswith("keep_node"))) |
		length > 0)) | .outstanding_bytes] | add')" 800000
	equal "what the map had" "$(j '[.[] | select(.type == "site" and ([.stack[]?.symbol] | map(select(. // "" | startswith("churn"))) |
		length > 0))] | length')" 0
}

@test "a leak in a library that is loaded while tracing" {
	local orders=$BATS_TEST_TMPDIR/orders answers=$BATS_TEST_TMPDIR/answers in out line pid

	need_compiled late
	mkfifo "$orders" "$answers"
	"$BATS_FILE_TMPDIR/late" "$BATS_FILE_TMPDIR/liblate.so" <"$orders" >"$answers" 3>&- &
	pid=$!
	MT_PIDS+=("$pid")
	exec {in}>"$orders" {out}<"$answers"
	IFS= read -r -t 20 -u "$out" line
	mt_start leaks --heap --json "${ALL[@]}" -p "$pid"
	echo load >&"$in"
	IFS= read -r -t 20 -u "$out" line
	mt_stop
	echo quit >&"$in"
	wait "$pid"
	equal "bytes of the library" "$(at leak_in_library outstanding_bytes)" $((500 * 321))
	equal "its stack" "$(j '[.[] | select(.type == "site" and ([.stack[]?.symbol] | index("leak_in_library")))] | .[0].stack |
		map(.symbol)[1:4] | join(" ")')" "leak_in_library work main"
}

@test "in another root, with program and library deleted" {
	local root=$BATS_TEST_TMPDIR/root file orders=$BATS_TEST_TMPDIR/orders answers=$BATS_TEST_TMPDIR/answers pid in out line

	for file in ldd chroot unshare; do
		command -v "$file" >/dev/null || skip "no $file here"
	done
	while IFS= read -r file; do
		mkdir -p "$root/${file%/*}"
		cp "$file" "$root/$file"
	done < <(ldd "$PROGS/heap" | grep -oE '/\S+')
	cp "$PROGS/heap" "$root/heap"
	mkfifo "$orders" "$answers"
	env -u PROG_OUT unshare -m chroot "$root" /heap <"$orders" >"$answers" 3>&- &
	pid=$!
	MT_PIDS+=("$pid")
	exec {in}>"$orders" {out}<"$answers"
	IFS= read -r -t 20 -u "$out" line
	rm -rf "$root"
	mt_start leaks --heap --json "${ALL[@]}" -p "$pid"
	echo "sites 100" >&"$in"
	IFS= read -r -t 20 -u "$out" line
	mt_stop
	echo quit >&"$in"
	wait "$pid"
	equal "bytes of leak_calloc" "$(at leak_calloc outstanding_bytes)" 30000
	equal "bytes of leak_malloc" "$(at leak_malloc outstanding_bytes)" 10000
}

@test "a program that is linked statically" {
	need_compiled static
	heap -- "$BATS_FILE_TMPDIR/static" sites 1000
	check_sites
	matches "what was probed" "$(j '.[] | select(.type == "allocator") | .path')" static
}

@test "jemalloc and tcmalloc, preloaded" {
	local library tried=0

	for library in /usr/lib/*/libjemalloc.so.2 /usr/lib/*/libtcmalloc_minimal.so.4; do
		[[ -e $library ]] || continue
		tried=$((tried + 1))
		LD_PRELOAD=$library heap -- "$PROGS/heap" sites 1000
		check_sites
		equal "what was probed of $library" \
			"$(j "[.[] | select(.type == \"allocator\" and .path == \"$library\")] | length")" 1
	done
	((tried)) || skip "neither is installed"
}

@test "an allocator that tells of its blocks by USDT: this, and not what it calls" {
	need_compiled usdt
	heap -- "$BATS_FILE_TMPDIR/usdt"
	equal "bytes kept" "$(at kept_in_arena outstanding_bytes)" 300000
	equal "blocks freed" "$(at freed_in_arena outstanding_count)" 0
	equal "all that is outstanding" "$(sum '.type == "site"' outstanding_bytes)" 300000
	equal "allocations and frees" "$(j '.[] | select(.type == "heap") | "\(.allocations) \(.frees)"')" "1000 700"
	equal "where" "$(j '[.[] | select(.type == "allocator") | .usdt] | tostring')" '[true]'
	equal "its stack" "$(j '[.[] | select(.type == "site")] | .[0].stack | map(.symbol)[:3] | join(" ")')" "arena_alloc kept_in_arena main"
}

@test "one object, one prefix: only what is asked for" {
	local library

	library=$(sed -n 's/.* r-xp .* \(\/.*\/libc[.-].*\)/\1/p' /proc/$$/maps | head -n 1)
	heap --object "$library" -- "$PROGS/heap" sites 100
	check_sites
	mt leaks --heap --prefix nobody_has_this_ -- "$PROGS/heap" sites 100
	equal status "$MT_STATUS" 1
	matches "the message" "$(cat "$MT_ERR")" 'no allocator was found .*--prefix'
}

@test "nothing to probe is an error, not a program without leaks" {
	local pid

	cp "$(command -v busybox || command -v true)" "$BATS_TEST_TMPDIR/plain"
	strip "$BATS_TEST_TMPDIR/plain" 2>/dev/null || skip "no strip here"
	sleeper_start "$PROGS/heap"
	mt leaks --heap --object "$BATS_TEST_TMPDIR/plain" -p "$SLEEPER_PID" -d 1
	equal status "$MT_STATUS" 1
	matches "the message" "$(cat "$MT_ERR")" 'no allocator was found.*nothing was traced'
	equal "lines of output" "$(wc -l <"$MT_OUT")" 0
	sleeper_quit
}

@test "without a target it is bad usage, and so are its options alone" {
	mt leaks --heap
	equal status "$MT_STATUS" 2
	check_one_line
	mt leaks --older 5
	equal status "$MT_STATUS" 2
	check_one_line
	mt leaks --heap --sample 10 -- true
	equal status "$MT_STATUS" 2
	check_one_line
	mt leaks --heap --min-size 10 --max-size 5 -- true
	equal status "$MT_STATUS" 2
	check_one_line
}

@test "memtrace killed leaves no probe behind, and the process goes on" {
	command -v python3 >/dev/null || skip "no python3 to read the memory of a process with"
	sleeper_start "$PROGS/heap"
	mt_start leaks --heap --json -p "$SLEEPER_PID"
	tell "sites 100"
	equal "breakpoints while it runs" "$(probed "$SLEEPER_PID")" yes
	kill -KILL "$MT_SELF"
	wait "$MT_PID" || true
	# The next call of a function takes its breakpoint away, if nobody wants it any more: the kernel lets go of links in
	# a thread of its own, some time after their owner's end.
	for ((i = 0; i < 50; i++)); do
		tell "sites 1000"
		tell free
		[[ $(probed "$SLEEPER_PID") != no ]] || break
	done
	equal "breakpoints afterwards" "$(probed "$SLEEPER_PID")" no
	sleeper_quit
}

# probed PID: has its malloc a breakpoint (int3, brk), instead of what is in the file?
probed() {
	python3 - "$1" <<'EOF'
import re, subprocess, sys
pid = sys.argv[1]
for line in open(f"/proc/{pid}/maps"):
    found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) \S+ \d+ +(\S*libc[.-]\S*)", line)
    if found:
        start, end, offset = (int(found[i], 16) for i in (1, 2, 3))
        with open(f"/proc/{pid}/mem", "rb") as mem, open(found[4], "rb") as file:
            mem.seek(start)
            file.seek(offset)
            print("yes" if mem.read(end - start) != file.read(end - start) else "no")
EOF
}

@test "the same as valgrind finds" {
	local lost reachable

	command -v valgrind >/dev/null || skip "no valgrind"
	heap -- "$PROGS/heap" sites 1000
	valgrind --leak-check=full --show-leak-kinds=all "$PROGS/heap" sites 1000 >"$BATS_TEST_TMPDIR/said" \
		2>"$BATS_TEST_TMPDIR/valgrind"
	lost=$(sed -nE 's/,//g; s/.*definitely lost: ([0-9]+) bytes.*/\1/p' "$BATS_TEST_TMPDIR/valgrind")
	reachable=$(sed -nE 's/,//g; s/.*still reachable: ([0-9]+) bytes.*/\1/p' "$BATS_TEST_TMPDIR/valgrind")
	at_least "bytes that valgrind finds" "$((lost + reachable))" 450000
	# Beside the sites there is what stdio has allocated, which differs: valgrind's program writes to a file.
	near "outstanding bytes" "$(sum '.type == "site"' outstanding_bytes)" $((lost + reachable))
}

@test "profiles: folded, pprof and flame graph" {
	local dir=$BATS_TEST_TMPDIR

	command -v python3 >/dev/null || skip "no python3 here"
	mt leaks --heap --folded "$dir/folded" --pprof "$dir/pprof" --flamegraph "$dir/svg" -- "$PROGS/heap" sites 1000
	equal status "$MT_STATUS" 0
	equal "bytes in the folded stacks" "$(grep leak_calloc "$dir/folded" | awk '{ n += $NF } END { print n }')" 300000
	matches "the flame graph" "$(cat "$dir/svg")" 'leak_realloc'
	python3 "$TOP/tests/e2e/pprof_decode.py" "$dir/pprof" >"$MT_OUT"
	at_least "objects in the profile" "$(jq .totals.inuse_objects "$MT_OUT")" 1110
	equal "bytes of leak_calloc" "$(jq '[.stacks | to_entries[] | select(.key | contains("leak_calloc")) | .value] | add' "$MT_OUT")" 300000
}
