#!/usr/bin/env bats
# Much more of everything than usual, and targets that do not stay what they are: what has to hold afterwards.
# SPAWN_SECONDS: for how long programs are started one after the other.

load lib

SPAWN_SECONDS=${SPAWN_SECONDS:-5}

setup() {
	common_setup
	need_root
	BOUND=120
}
teardown() {
	[[ -z ${CROWD_IN:-} ]] || exec {CROWD_IN}>&-
	common_teardown
}

# crowd_up COUNT PAGES: so many processes, which wait
crowd_up() {
	local in=$BATS_TEST_TMPDIR/crowd.in out=$BATS_TEST_TMPDIR/crowd.out line fd

	mkfifo "$in" "$out"
	PROG_OUT=$BATS_TEST_TMPDIR/crowd timeout -k 1 "$BOUND" "$PROGS/crowd" "$@" <"$in" >"$out" 3>&- &
	CROWD=$!
	exec {CROWD_IN}>"$in" {fd}<"$out"
	IFS= read -r -t "$BOUND" -u "$fd" line || fail "no crowd"
	exec {fd}<&-
	equal "the crowd says" "$line" "done"
}

crowd_down() {
	exec {CROWD_IN}>&-
	CROWD_IN=
	wait "$CROWD" || fail "the crowd ended with $?"
}

nothing_lost() {
	equal "lost" "$(j '.[-1].lost | with_entries(select(.value > 0)) | tojson')" '{}'
}

@test "faults: 10,000 processes at once, each with its row" {
	mt_start faults --json -n 1000000 --comm crowd
	crowd_up 10000 4
	mt_stop
	crowd_down
	check_stream "$MT_OUT"
	equal processes "$(j '[.[] | select(.type == "process" and .comm == "crowd") | .processes // 1] | add')" 10001
	near "pages written" "$(sum '.type == "vma"' kinds.anon_write)" 40000
	check_sums
	# More VMAs in a second than have room: those without count in (other), and that is told.
	equal "faults in (other), and what is told" \
		"$(j '([.[] | select(.type == "vma" and .name == "(other)").faults] | add // 0) >= .[-1].lost.map')" true
}

@test "ps, leaks, oom, brk-vs-mmap beside 10,000 processes" {
	crowd_up 10000 4
	mt ps --json -n 100000 --comm crowd
	equal status "$MT_STATUS" 0
	equal "rows of ps" "$(j '[.[] | select(.type == "process" and .comm == "crowd")] | length')" 10001
	mt leaks --json -d 3 --comm crowd
	equal "status of leaks" "$MT_STATUS" 0
	equal "growing" "$(j '[.[] | select(.type == "process" and .verdict == "growing")] | length')" 0
	mt leaks --json --stacks=off -- bash -c 'sleep 2; true'
	[[ ! -e /proc/thread-self/children ]] || equal "rows of a child that does not live long" \
		"$(j '[.[] | select(.type == "process" and .comm == "sleep")] | length')" 1
	mt oom --json -d 3
	equal "status of oom" "$MT_STATUS" 0
	equal "kills" "$(j '[.[] | select(.type == "oom")] | length')" 0
	nothing_lost
	mt brk-vs-mmap --json -d 2 -p "$CROWD"
	equal "status of brk-vs-mmap" "$MT_STATUS" 0
	crowd_down
}

@test "a process with 60,000 VMAs: counted, listed, read" {
	for room in 65536 64; do
		faults --max-vmas $room -- "$PROGS/vmas" 30000
		equal status "$MT_STATUS" 0
		near "pages written, with room for $room" "$(sum ".type == \"vma\" and .pid == $(value pid)" kinds.anon_write)" 30000
		near "faults as the kernel counts" "$(sum ".type == \"process\" and .pid == $(value pid)" faults)" "$(value self.minor)"
		((room < 30000)) || nothing_lost
	done
	equal "faults without room are told" "$(j '.[-1].lost.map > 0')" true
	mt brk-vs-mmap --json -- "$PROGS/vmas" 30000
	equal "status of brk-vs-mmap" "$MT_STATUS" 0
	check_stream "$MT_OUT"
	nothing_lost
}

@test "programs started one after the other on every CPU: each is counted, and has its name" {
	mt_start faults --json "${ALL[@]}" --comm true
	PROG_OUT=$BATS_TEST_TMPDIR/one "$PROGS/spawner" "$SPAWN_SECONDS" /bin/true 3>&- &
	one=$!
	PROG_OUT=$BATS_TEST_TMPDIR/two "$PROGS/spawner" "$SPAWN_SECONDS" /bin/true 3>&-
	wait $one
	rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$MT_SELF/status")
	mt_stop
	check_stream "$MT_OUT"
	count=$(($(value count "$BATS_TEST_TMPDIR/one") + $(value count "$BATS_TEST_TMPDIR/two")))
	equal programs "$(j '[.[] | select(.type == "process" and .comm == "true") | .processes // 1] | add')" "$count"
	at_most "memory of memtrace in KiB" "$rss" 65536
	nothing_lost
}

@test "a storm on every CPU with --events and a small buffer: lines are lost, and told; no fault is" {
	mt_start faults --json --events --buffer 16 --comm storm
	PROG_OUT=$BATS_TEST_TMPDIR/storm "$PROGS/storm" -t 2 -n 16384 -r 5
	mt_stop
	check_stream "$MT_OUT"
	at_least faults "$(sum '.type == "process" and .comm == "storm"' faults)" $((2 * 16384 * 5))
	equal "faults, and lines with what was lost" "$(sum '.type == "process" and .comm == "storm"' faults)" \
		"$(($(j '[.[] | select(.type == "fault")] | length') + $(j '.[-1].lost.ring')))"
	at_least "lines lost" "$(j '.[-1].lost.ring')" 1
}

@test "targets that are killed, execute, take names and namespaces, leave threads behind: every page is counted" {
	for how in '' --kinds '--stacks --kernel-stacks'; do
		# shellcheck disable=SC2086 # words
		faults $how -- "$PROGS/churn" 300 16
		equal status "$MT_STATUS" 0
		at_least "pages written, $how" "$(sum '.type == "vma"' kinds.anon_write)" "$(value written)"
		check_sums
		nothing_lost
	done
}

# As when the machine, or the tracer alone, is suspended and goes on.
@test "memtrace stopped for a while: nothing is lost that is counted, and what no ring could hold is told" {
	mt_start faults --json --events --buffer 64 --comm storm
	kill -STOP "$MT_SELF"
	PROG_OUT=$BATS_TEST_TMPDIR/storm "$PROGS/storm" -n 4096 -r 4
	kill -CONT "$MT_SELF"
	mt_stop
	check_stream "$MT_OUT"
	at_least faults "$(sum '.type == "process" and .comm == "storm"' faults)" $((4096 * 4))
	equal "faults, and lines with what was lost" "$(sum '.type == "process" and .comm == "storm"' faults)" \
		"$(($(j '[.[] | select(.type == "fault")] | length') + $(j '.[-1].lost.ring')))"
	mt_start brk-vs-mmap --json --comm mapstorm
	kill -STOP "$MT_SELF"
	"$PROGS/mapstorm" 20000
	kill -CONT "$MT_SELF"
	mt_stop
	check_stream "$MT_OUT"
	at_least "calls of munmap" "$(sum '.type == "process" and .comm == "mapstorm"' mmap.munmap_calls)" 20000
	at_most "calls of munmap" "$(sum '.type == "process" and .comm == "mapstorm"' mmap.munmap_calls)" 20010
}

@test "the same, by brk-vs-mmap, leaks and reclaim" {
	mt brk-vs-mmap --json -- "$PROGS/churn" 300 16
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	nothing_lost
	mt leaks --json --heap -- "$PROGS/churn" 300 16
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	mt reclaim --json -- "$PROGS/churn" 300 16
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
	nothing_lost
}
