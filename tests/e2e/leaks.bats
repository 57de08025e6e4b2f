#!/usr/bin/env bats
# memtrace leaks: what grows is found at its true rate and with its call site, whatever the allocator; what does not grow is
# not called so. tests/progs/leaker.c does it, and says what it did.

load lib

# An emulated machine takes longer for each look, and memtrace looks accordingly less often.
SLOW=1
[[ ! -e /payload ]] || SLOW=5

setup() {
	common_setup
	LEAKERS=()
	declare -gA PID=()
}
teardown() {
	local pid

	for pid in "${LEAKERS[@]:-}" "${REDIS_PID:-}" "${BENCHMARK_PID:-}"; do
		[[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
	done
	common_teardown
	cgroup_down
	[[ -z ${OPEN_DIR:-} ]] || rm -rf "$OPEN_DIR"
}

# leaker NAME PROGRAM ARGS...: in the background, from its first step on; what it says goes to the file NAME, its pid is
# in ${PID[NAME]}
leaker() {
	local name=$1

	PROG_OUT=$BATS_TEST_TMPDIR/$name "${@:2}" 3>&- &
	PID[$name]=$!
	LEAKERS+=("$!")
}

# leakers_end: all of them
leakers_end() {
	kill "${LEAKERS[@]}" 2>/dev/null || true
	wait "${LEAKERS[@]}" || fail "a leaker ended with $?"
	LEAKERS=()
}

# of PID FILTER: of the row of a process; TYPE for another type
of() {
	j "[.[] | select(.type == \"${TYPE:-process}\" and .pid == $1)] | last | $2"
}

# sites PID VIA SYMBOL FILTER: over the rows of sites with that function in their stack
sites() {
	j "[.[] | select(.type == \"site\" and .pid == $1 and .via == \"$2\" and any(.stack[]?; .symbol == \"$3\"))] | $4"
}

# within WHAT GOT WANT PERCENT: of an emulated machine the speed itself wanders
within() {
	awk -v got="$2" -v want="$3" -v percent="$(($4 * SLOW))" \
		'BEGIN { exit !(got != "" && (got - want) ^ 2 <= (want * percent / 100) ^ 2) }' ||
		fail "$1: got '$2', want $3 within $4 %"
}

# without_privilege ARGS...: mt, as a user who may nothing
without_privilege() {
	OPEN_DIR=$(mktemp -d /tmp/memtrace-test.XXXXXX)
	chmod 755 "$OPEN_DIR"
	install -m 755 "$MEMTRACE" "$OPEN_DIR/memtrace"
	install -m 755 "$PROGS/leaker" "$OPEN_DIR/leaker"
	MT_STATUS=0
	(cd / && unset PROG_OUT && timeout "$BOUND" setpriv --reuid 65534 --clear-groups "$OPEN_DIR/memtrace" "$@") >"$MT_OUT" \
		2>"$MT_ERR" </dev/null || MT_STATUS=$?
}

# anonymous PID: what it has of that, in bytes
anonymous() {
	awk '/^RssAnon:/ { print $2 * 1024 }' "/proc/$1/status"
}

@test "the textbook leak grows at its true rate; stable, cache, saw and start-up do not" {
	need_root
	local how list before grown

	for how in leak thread stable cache saw start; do
		leaker $how "$PROGS/leaker" $how 200
	done
	list=$(IFS=,; echo "${PID[*]}")
	mt_start leaks --json -p "$list" -d $((5 * SLOW))
	# A witness of our own, over part of the time.
	before=$(anonymous "${PID[leak]}")
	sleep $((2 * SLOW))
	grown=$(($(anonymous "${PID[leak]}") - before))
	mt_wait
	leakers_end
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	for how in leak thread; do
		equal "verdict on $how" "$(of "${PID[$how]}" .verdict)" growing
		within "rate of $how" "$(of "${PID[$how]}" .slope_bytes_per_s)" "$(value rate "$BATS_TEST_TMPDIR/$how")" 6
		equal "rate of $how within its interval" "$(of "${PID[$how]}" \
			'.slope_low_bytes_per_s <= .slope_bytes_per_s and .slope_bytes_per_s <= .slope_high_bytes_per_s')" true
		equal "limit of $how" "$(of "${PID[$how]}" '.limit.seconds > 0 and .limit.room_bytes > 0')" true
	done
	within "rate by /proc" "$(of "${PID[leak]}" .slope_bytes_per_s)" $((grown / (2 * SLOW))) 15
	for how in stable cache saw start; do
		[[ $(of "${PID[$how]}" .verdict) != growing ]] || fail "$how is called growing"
	done
	equal "verdict on stable" "$(of "${PID[stable]}" .verdict)" stable
	equal "verdict on start" "$(of "${PID[start]}" .verdict)" stable
	at_least "samples" "$(of "${PID[leak]}" .samples)" 40
	at_least "points of its history" "$(of "${PID[leak]}" '.history | length')" 40
	# At no time does it hold less than before, but for a page or two.
	equal "the history of the leak rises" "$(of "${PID[leak]}" '[.history[].held_bytes] | . == sort')" true
}

@test "its call site: who touches the pages, who obtains the address space, and the profiles" {
	need_root
	local pid rate want

	mt leaks --json -o "$BATS_TEST_TMPDIR/json" --folded "$BATS_TEST_TMPDIR/folded" --pprof "$BATS_TEST_TMPDIR/pprof" \
		--flamegraph "$BATS_TEST_TMPDIR/svg" -- "$PROGS/leaker" leak $((5 * SLOW))
	equal status "$MT_STATUS" 0
	MT_OUT=$BATS_TEST_TMPDIR/json
	check_stream "$MT_OUT"
	pid=$(value pid) rate=$(value rate)
	equal verdict "$(of "$pid" .verdict)" growing
	within "rate by touch" "$(sites "$pid" touch leak_three_pages 'map(.bytes_per_s) | add')" "$rate" 8
	within "rate by brk" "$(sites "$pid" brk leak_three_pages 'map(.bytes_per_s) | add')" "$rate" 8
	equal "its share" "$(sites "$pid" touch leak_three_pages 'map(.share) | add > 0.95')" true
	equal "largest site grows" "$(TYPE=site of "$pid" .type)" site
	equal "verdict on the site" "$(sites "$pid" touch leak_three_pages '.[0].verdict')" growing
	equal "whole stacks" "$(sites "$pid" touch leak_three_pages 'map(.truncated) | unique == [null]')" true
	# Held since tracing began: all that it has leaked.
	want=$(value leaked)
	within "held by touch" "$(sites "$pid" touch leak_three_pages 'map(.outstanding_bytes) | add')" "$want" 8
	# The second half, in bytes.
	within "bytes in the folded file" "$(awk '/leak_three_pages/ { n += $NF } END { printf "%.0f", n }' "$BATS_TEST_TMPDIR/folded")" \
		$((want / 2)) 10
	matches "flame graph" "$(head -n 400 "$BATS_TEST_TMPDIR/svg" | tr '\n' ' ')" 'leak_three_pages'
	equal "pprof is compressed" "$(od -An -tx1 -N2 "$BATS_TEST_TMPDIR/pprof" | tr -d ' ')" 1f8b
}

# under LIBRARY: a leaker with that allocator in the place of the C library's
under() {
	local library

	for library in "/usr/lib/$(gcc -dumpmachine 2>/dev/null || uname -m)/$1" /usr/lib/*/"$1" /usr/lib/"$1"; do
		[[ ! -e $library ]] || break
	done
	[[ -e $library ]] || return
	leaker "$1" env LD_PRELOAD="$library" "$PROGS/leaker" leak 200
}

@test "any allocator: static glibc, jemalloc, tcmalloc; and a library that is loaded later" {
	need_root
	local name list names=(static plugin)

	leaker static "$PROGS/leaker-static" leak 200
	leaker plugin "$PROGS/leaker" plugin 200 10 "$PROGS/leak_plugin.so"
	for name in libjemalloc.so.2 libtcmalloc_minimal.so.4; do
		under $name || skip "$name is not installed"
		names+=("$name")
	done
	list=$(IFS=,; echo "${PID[*]}")
	mt leaks --json -p "$list" -d $((5 * SLOW))
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	leakers_end
	for name in "${names[@]}"; do
		equal "verdict on $name" "$(of "${PID[$name]}" .verdict)" growing
		if [[ $name == plugin ]]; then
			# It loads the library after a second, perhaps before it was attached to.
			equal "the leaking library is found" "$(sites "${PID[plugin]}" touch plugin_leak 'map(.share) | add > 0.9')" true
			matches module "$(sites "${PID[plugin]}" touch plugin_leak '.[0].stack | map(.module) | join(" ")')" 'leak_plugin.so'
			continue
		fi
		within "rate of $name" "$(of "${PID[$name]}" .slope_bytes_per_s)" "$(value rate "$BATS_TEST_TMPDIR/$name")" 12
		within "rate of its site, $name" "$(sites "${PID[$name]}" touch leak_three_pages 'map(.bytes_per_s) | add')" \
			"$(value rate "$BATS_TEST_TMPDIR/$name")" 35 # by a sample of the touches
	done
}

@test "--cgroup: the cgroup's own memory, its processes, and how long its limit is away" {
	need_root
	cgroup_up 64M
	leaker leak "${IN_CG[@]}" "$PROGS/leaker" leak 200
	leaker stable "${IN_CG[@]}" "$PROGS/leaker" stable 200
	mt leaks --json --cgroup "$CG" -d $((5 * SLOW))
	leakers_end
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal "verdict on the cgroup" "$(j '[.[] | select(.type == "cgroup")] | last | .verdict')" growing
	within "rate of the cgroup" "$(j '[.[] | select(.type == "cgroup")] | last | .slope_bytes_per_s')" \
		"$(value rate "$BATS_TEST_TMPDIR/leak")" 10
	equal "its limit" "$(j '[.[] | select(.type == "cgroup")] | last | .limit_bytes')" $((64 << 20))
	equal "what limits the process" "$(of "${PID[leak]}" '.limit | .kind + " " + (.limit_bytes | tostring)')" "cgroup $((64 << 20))"
	equal "time until then" "$(of "${PID[leak]}" \
		'.limit.seconds - .limit.room_bytes / .slope_bytes_per_s | fabs < 1')" true
	equal "verdict on the other process" "$(of "${PID[stable]}" .verdict)" stable
	equal "processes" "$(j '[.[] | select(.type == "process") | .pid] | unique | length')" 2
}

@test "redis-server under redis-benchmark that sets and deletes is not called growing" {
	need_root
	command -v redis-benchmark >/dev/null || skip "no redis-benchmark"
	local sock=$BATS_TEST_TMPDIR/redis

	redis-server --port 0 --unixsocket "$sock" --save '' --appendonly no --dir "$BATS_TEST_TMPDIR" \
		>"$BATS_TEST_TMPDIR/redis.log" 2>&1 3>&- &
	REDIS_PID=$!
	timeout 20 sh -c 'until redis-cli -s "$1" ping; do :; done' sh "$sock" >/dev/null 2>&1 || fail "redis never answered"
	redis-benchmark -s "$sock" -q -n 100000000 -r 20000 -d 200 eval \
		"redis.call('set', KEYS[1], ARGV[1]); redis.call('del', KEYS[2])" 2 a__rand_int__ b__rand_int__ c >/dev/null 2>&1 3>&- &
	BENCHMARK_PID=$!
	mt leaks --json -p "$REDIS_PID" -d $((6 * SLOW))
	equal status "$MT_STATUS" 0
	[[ $(of "$REDIS_PID" .verdict) != growing ]] || fail "redis is called growing: $(of "$REDIS_PID" .)"
	at_least samples "$(of "$REDIS_PID" .samples)" 20
	kill "$BENCHMARK_PID" "$REDIS_PID"
	wait "$BENCHMARK_PID" "$REDIS_PID" || true
	BENCHMARK_PID='' REDIS_PID=''
}

@test "the report fits 80 columns, says how it is, and where" {
	need_root
	leaker leak "$PROGS/leaker" leak 200
	mt leaks -p "${PID[leak]}" -d $((4 * SLOW))
	equal status "$MT_STATUS" 0
	check_width "$MT_OUT" 80
	grep -Eq '^leaker, pid [0-9]+: growing steadily: \+[0-9.]+ [KM]iB/s' "$MT_OUT" || fail "no verdict: $(grep '^leaker' "$MT_OUT")"
	grep -q '^  at this rate, ' "$MT_OUT" || fail "no limit"
	grep -q '▁.*█' "$MT_OUT" || fail "no plot"
	grep -q 'leak_three_pages' "$MT_OUT" || fail "no site"
	mt leaks -- "$PROGS/leaker" stable $((3 * SLOW))
	grep -Eq '^leaker, pid [0-9]+: stable: no trend' "$MT_OUT" || fail "no verdict on the stable one"
	equal "sites of what does not grow" "$(grep -c leaker.c "$MT_OUT")" 0
}

@test "the whole machine: no BPF, a row for each process, the sizes that /proc has" {
	leaker stable "$PROGS/leaker" stable 200
	mt leaks --json -d $((3 * SLOW))
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	equal "bytes of maps" "$(j '.[-1].overhead.map_bytes')" 0
	equal "sites" "$(j '[.[] | select(.type == "site")] | length')" 0
	equal "verdict on the stable one" "$(of "${PID[stable]}" .verdict)" stable
	# It does not change any more: what memtrace saw last is what there is.
	equal "resident" "$(of "${PID[stable]}" .rss_bytes)" \
		"$(awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/${PID[stable]}/status")"
	equal "anonymous" "$(of "${PID[stable]}" .anon_bytes)" \
		"$(anonymous "${PID[stable]}")"
	equal "unique" "$(of "${PID[stable]}" .uss_bytes)" \
		"$(awk '/^Private_/ { n += $2 } END { print n * 1024 }' "/proc/${PID[stable]}/smaps_rollup")"
	equal "kernel threads" "$(j '[.[] | select(.type == "process" and .comm == "kthreadd")] | length')" 0
	at_least "processes" "$(j '[.[] | select(.type == "process")] | length')" 3
}

@test "without privilege: the trend of one's own processes, and a line that says what is missing" {
	((EUID == 0)) || skip "it is so in every other test"
	without_privilege leaks --json -- /usr/bin/env sleep $((3 * SLOW))
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	matches warning "$(cat "$MT_ERR")" 'no call sites.*(root|CAP_)'
	equal verdict "$(j '[.[] | select(.type == "process" and .comm == "sleep")] | last | .verdict')" stable
	without_privilege leaks --folded /dev/null -- true
	equal "status where call sites were asked for" "$MT_STATUS" 1
	check_one_line
}

@test "no tracefs and no right to mount it: the trend, and why there are no call sites" {
	need_root
	sh -c 'setpriv --help' 2>&1 | grep -q -- --bounding-set || skip "setpriv cannot take capabilities here"
	MT_STATUS=0
	unshare -m sh -c 'for d in /sys/kernel/tracing /sys/kernel/debug/tracing; do umount -l $d 2>/dev/null; done
		[ ! -d /sys/kernel/tracing/events ] || exit 77
		exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"' sh \
		timeout "$BOUND" "$MEMTRACE" leaks --json -d 1 -p $$ >"$MT_OUT" 2>"$MT_ERR" </dev/null || MT_STATUS=$?
	((MT_STATUS != 77)) || skip "tracefs cannot be unmounted here"
	equal status "$MT_STATUS" 0
	matches message "$(cat "$MT_ERR")" "tracefs"
	equal "the process" "$(of $$ .pid)" $$
}

@test "-i: sizes and verdicts so far; a short run is unclear, and says why" {
	mt leaks --json --stacks=off -i 0.5 -d 1.4 -p $$
	equal status "$MT_STATUS" 0
	equal intervals "$(j '[.[] | select(.type == "interval")] | length')" 3
	equal "each begins where the last ended" "$(j '[.[] | select(.type == "interval")] | .[0].from_s == 0 and
		.[1].from_s == .[0].to_s and .[2].from_s == .[1].to_s and .[2].to_s >= 1.4')" true
	equal "rows of the process" "$(j "[.[] | select(.type == \"process\" and .pid == $$)] | length")" 3
	equal "verdict" "$(of $$ '.verdict + ": " + .reason')" "unclear: too few samples yet"
	equal "what is not known is absent" "$(of $$ 'has("slope_bytes_per_s") or has("limit")')" false
	equal "histories" "$(j '[.[] | select(has("history"))] | length')" 1
}

@test "the target ends: its report, exit 0; none there: one line, exit 1" {
	leaker stable "$PROGS/leaker" stable 2
	mt leaks --json --stacks=off -p "${PID[stable]}"
	equal status "$MT_STATUS" 0
	equal ended "$(of "${PID[stable]}" .ended)" true
	leakers_end
	mt leaks -p "${PID[stable]}" -d 1
	equal "status without a target" "$MT_STATUS" 1
	check_one_line
	equal "bytes on stdout" "$(wc -c <"$MT_OUT")" 0
}

@test "exec begins anew, and children are followed" {
	mt leaks --json --stacks=off -- bash -c "sleep $((2 * SLOW)); exec sleep $((2 * SLOW))"
	equal status "$MT_STATUS" 0
	equal "names of the process that was started" \
		"$(j '[.[] | select(.type == "process")] | group_by(.pid) | map(select(length > 1)) | .[0] | map(.comm) | sort | join(" ")')" "bash sleep"
	equal "processes" "$(j '[.[] | select(.type == "process") | .pid] | unique | length')" 2
	mt leaks --stacks=off -- sh -c 'exit 7'
	equal "status of the program" "$MT_STATUS" 7
}

@test "a closed pipe is no failure; a hostile name is shown cleanly" {
	MT_STATUS=0
	{ "$MEMTRACE" leaks --json -d 1 2>"$MT_ERR" || echo $? >"$BATS_TEST_TMPDIR/status"; } | true
	[[ ! -e $BATS_TEST_TMPDIR/status ]] || fail "status $(cat "$BATS_TEST_TMPDIR/status")"
	cp "$PROGS/leaker" "$BATS_TEST_TMPDIR/"$'\e[31mred\nx'
	for json in '' --json; do
		# shellcheck disable=SC2086 # an option, or none
		mt leaks $json --stacks=off -- "$BATS_TEST_TMPDIR/"$'\e[31mred\nx' stable 1
		equal status "$MT_STATUS" 0
		check_clean "$MT_OUT"
		grep -q '31mred' "$MT_OUT" || fail "the name is gone"
	done
}

@test "bad usage is one line, exit 2" {
	local args

	for args in '--no-such-option' '-d x' '-i -1' '--buffer 0' '--stacks=maybe' '-p 0' 'stray' '--stack-size 4 --stacks=off'; do
		# shellcheck disable=SC2086 # words
		mt leaks $args
		equal "status of leaks $args" "$MT_STATUS" 2
		check_one_line
	done
}
