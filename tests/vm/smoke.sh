#!/bin/bash
# smoke.sh - does memtrace work at all on this kernel? Run as root, here or in a guest (run.sh).
#
# Usage: smoke.sh
#   MEMTRACE  the binary under test (build/memtrace)
#   PROGS     where the test programs are (build/tests/progs)
# Prints for each check 'ok COMMAND: WHAT', 'ok COMMAND: WHAT # skip WHY', or 'not ok COMMAND: WHAT' and then what was
# said, behind '# '. Exit status: 0 no check failed; 1 some did.
#
# To add a check, add a line below 'The checks'. `check NAME COMMAND [ARGS]` passes if COMMAND exits 0, and skips if it
# exits 77. COMMAND can be json, for what memtrace prints, or a function of its own.
set -u
unset SUDO_UID SUDO_GID # programs after -- run as who runs this, under sudo, too

cd "$(dirname "$0")/../.." || exit
MEMTRACE=$(readlink -f "${MEMTRACE:-build/memtrace}")
PROGS=$(readlink -f "${PROGS:-build/tests/progs}")
BOUND=${BOUND:-40} # seconds for one run of memtrace

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
failures=0

check() {
	local name=$1 status
	shift
	"$@" > "$work/said" 2>&1 < /dev/null
	status=$?
	case $status in
	0) echo "ok $name" ;;
	77) echo "ok $name # skip $(tail -n 1 "$work/said")" ;;
	*)
		failures=$((failures + 1))
		echo "not ok $name"
		{ echo "status $status from: $*"; tail -n 30 "$work/said"; } | sed 's/^/# /'
		;;
	esac
}

# skip WHY: end a function with `skip 'no zram'` (that is, return its status)
skip() { echo "$1"; return 77; }

memtrace() { timeout -k 5 "$BOUND" "$MEMTRACE" "$@"; }

# json FILTER ARGS...: `memtrace ARGS` exits 0 and prints JSON Lines, and the jq FILTER is true of the array of them all
json() {
	local filter=$1 status
	shift
	rm -f "$work/out"
	memtrace "$@" > "$work/stdout"
	status=$?
	[ -s "$work/out" ] || mv "$work/stdout" "$work/out"
	[ $status = 0 ] && jq -es "$filter" "$work/out" > "$work/result" && return
	[ $status != 0 ] || { echo "not true of the output: $filter"; status=1; }
	grep '"type":"process"' "$work/out"
	tail -n 10 "$work/out"
	return $status
}

# --- The checks ------------------------------------------------------------------------------------------------

check 'doctor: exits 0' memtrace doctor

check 'faults: --json starts with start and ends with end' \
	json '.[0].type == "start" and .[-1].type == "end"' faults --json -- /bin/true
check 'faults: --json has the process' \
	json 'any(.[]; .type == "process" and .faults > 0)' faults --json -- /bin/true

# The storm touches 3 x 2,048 pages of one VMA, and nothing else comes near that.
storm='any(.[]; .type == "vma" and .class == "anon" and .kinds.anon_write >= 6144 and .kinds.anon_write < 6200)'
no_loss='.[-1].lost | .ring == 0 and .map == 0 and .names == 0'
# Before 6.12, exec touches a page of the new image without an exception.
as_counted='([.[] | select(.type == "process" and .comm == "storm")][0] | .minor + .major - .faults | 0 <= . and . <= 3)'
for how in '' --latency --kinds --events; do
	# shellcheck disable=SC2086 # no option, or one
	check "faults: ${how:-summary}: a storm is counted, as the kernel counts it" \
		json "($storm) and ($no_loss) and $as_counted" faults --json $how -o "$work/out" -- \
		"$PROGS/storm" -n 2048 -r 3
done
# 300 pages that read(2) fills, and 300 that write(2) reads.
check 'faults: the kernel faults on behalf of a program, in its memory' \
	json '[.[] | select(.type == "vma" and .kernel_mode >= 300 and .faults == .kernel_mode)] | length == 2' \
	faults --json -n 1000 -o "$work/out" -- "$PROGS/kernelmode" 300
check 'faults: names of programs that have ended' \
	json 'any(.[]; .type == "vma" and .class == "text" and (.name | endswith("/true")))' \
	faults --json -- bash -c 'for i in 1 2 3; do /bin/true; done'

# By copy a stack reaches the outermost frame, whatever it was compiled with; by frame pointer it begins well.
whole='any(.[]; .type == "stack" and .faults > 5000 and .truncated == null and
	([.stack[].symbol] | .[0] == "touch_write" and index("work")))'
begun='any(.[]; .type == "stack" and .faults > 5000 and .stack[0].symbol == "touch_write")'
adds_up='([.[] | select(.type == "stack") | .faults] | add) == ([.[] | select(.type == "process") | .faults] | add)'
for how in --stacks --stacks=dwarf '--stacks --latency' '--stacks --kernel-stacks'; do
	# shellcheck disable=SC2086 # one option, or two
	check "faults: $how: the stack of a storm, to its end" \
		json "($whole) and ($adds_up) and ($no_loss)" faults --json $how -o "$work/out" -- \
		"$PROGS/storm" -n 2048 -r 3
done
check 'faults: --stacks=fp: the stack of a storm' \
	json "($begun) and ($adds_up)" faults --json --stacks=fp -o "$work/out" -- "$PROGS/storm" -n 2048 -r 3
check 'faults: --stacks --events: every fault has a stack' \
	json 'any(.[]; .type == "fault") and all(.[] | select(.type == "fault" and .mode == "user"); .stack[0].ip == .ip)' \
	faults --json --stacks --events -o "$work/out" -- /bin/true

clock_steps() {
	[ -e /payload ] || { skip 'not in a guest'; return; }
	local steps
	( sleep 0.5; date -s "@$(($(date +%s) + 86400))"; sleep 0.5; date -s "@$(($(date +%s) - 172800))" ) > "$work/dates" &
	steps=$!
	json '.[-1].duration_s >= 2 and .[-1].duration_s < 30 and ([.[] | select(.type == "interval")] | length) >= 2' \
		faults --json -d 2 -i 0.5 -o "$work/out"
	set -- $?
	wait $steps
	return "$1"
}
check 'faults: the clock is set, forth and back' clock_steps

# segv MODE STATUS FILTER: the program dies of it, and one row says of what
segv() {
	memtrace faults --json -- "$PROGS/segv" "$1" > "$work/out"
	[ $? = "$2" ] || { echo "not ended by the signal"; return 1; }
	grep '^{' "$work/out" | jq -es "[.[] | select(.type == \"segv\")] | length == 1 and (.[0] | $3)" > "$work/result" ||
		{ tail -n 3 "$work/out"; return 1; }
}
check 'faults: a wild pointer' segv wild 139 '.code == "SEGV_MAPERR" and .vma == null'
check 'faults: a write to text' segv write-text 139 '.code == "SEGV_ACCERR" and .vma.class == "text"'
check 'faults: beyond the end of a file' segv beyond-eof 135 '.signal == "SIGBUS" and .code == "BUS_ADRERR"'

# 20,000 pairs and what a program begins with; a call that fails.
# shellcheck disable=SC2016 # of jq
storm='any(.[]; .type == "process" and .comm == "mapstorm" and .mmap.munmap_calls >= 20000 and .mmap.munmap_calls < 20010 and
	.mmap.unmapped_bytes >= 20000 * 65536 and .mmap.net_bytes < 10000000)'
check 'brk-vs-mmap: every call of a storm' json "$storm and (.[-1].lost.map == 0)" brk-vs-mmap --json --stacks=off \
	--buffer 65536 -o "$work/out" -- "$PROGS/mapstorm" 20000
check 'brk-vs-mmap: the same with a ring buffer that is too small' json "$storm" brk-vs-mmap --json --buffer 4 \
	-o "$work/out" -- "$PROGS/mapstorm" 20000
check 'brk-vs-mmap: --events has results and errors' \
	json 'any(.[]; .type == "call" and .call == "brk" and .error == "ENOMEM") and
		any(.[]; .type == "call" and .call == "mmap" and .size_bytes == 262144 and (.what | startswith("256 KiB anon ---p")))' \
	brk-vs-mmap --json --events -o "$work/out" -- "$PROGS/ledger" sequence
ledger_maps() {
	LEDGER_MAPS=$work/maps PROG_OUT=$work/said_by memtrace brk-vs-mmap --json -o "$work/out" -- "$PROGS/ledger" hard || return
	# Without python: the ends of all mappings that are writable and private.
	awk '$2 == "rw-p" { sub(/-.*/, "", $1); print "0x" $1 }' "$work/maps" | sort -u > "$work/want"
	jq -r 'select(.type == "mapping" and .perms == "rw-p").start' "$work/out" | sort -u > "$work/got"
	[ -s "$work/want" ] || return
	comm -23 "$work/want" "$work/got" > "$work/missing"
	[ ! -s "$work/missing" ] || { cat "$work/missing"; return 1; }
}
check 'brk-vs-mmap: mappings as in /proc/self/maps' ledger_maps

# Long enough for an emulated machine, on which memtrace looks less often.
leaker() { PROG_OUT=$work/said_by "$PROGS/leaker" "$1" 90 > "$work/leaker" & target=$!; }
leaks() {
	local status filter=$1
	leaker "$2"
	json "$filter" leaks --json -p $target -d 20
	status=$?
	kill $target
	wait $target
	return $status
}
# How evenly it grows, the host of the emulation decides: unclear is no mistake there.
check 'leaks: a leak grows, and who touches its pages is found' \
	leaks 'any(.[]; .type == "process" and (.verdict == "growing" or .verdict == "unclear")) and
		any(.[]; .type == "site" and .via == "touch" and .share > 0.2 and any(.stack[]; .symbol == "leak_three_pages"))' leak
check 'leaks: what is freed does not grow' \
	leaks 'any(.[]; .type == "process" and .verdict == "stable")' stable

# The program says what it leaks; what it frees is not told.
heap_sites() {
	PROG_OUT=$work/said_by memtrace leaks --heap --json -n 1000 -o "$work/out" -- "$PROGS/heap" sites 300 || return
	for site in leak_malloc leak_calloc leak_realloc no_leak_malloc; do
		want=$(sed -n "s/^$site.bytes=//p" "$work/said_by")
		jq -es "[.[] | select(.type == \"site\" and ([.stack[]?.symbol] | index(\"$site\"))).outstanding_bytes] | add // 0 |
			. == ${want:-0}" "$work/out" > "$work/result" || { grep "$site" "$work/out" "$work/said_by"; return 1; }
	done
}
check 'leaks: --heap: blocks that are not freed, to the byte' heap_sites
kernel_pipes() {
	printf 'pipes 500\nclose\nquit\n' | PROG_OUT=$work/said_by memtrace leaks --kernel --json -o "$work/out" -- "$PROGS/kmem" \
		> "$work/answers" || return
	jq -es 'any(.[]; .type == "kernel_memory" and .via == "kmalloc" and .allocations >= 1000 and .frees >= 1000)' "$work/out"
}
check 'leaks: --kernel: what pipes take and give back' kernel_pipes

# awaited SECONDS COMMAND...: until COMMAND succeeds
awaited() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || return
		sleep 0.1
	done
}

# oom_told FILTER COMMAND...: of what COMMAND does to memory, memtrace oom tells one kill, and the jq FILTER is true of it
oom_told() {
	local filter=$1 recorder status=1
	shift
	rm -f "$work/out" "$work/ready"
	# shellcheck disable=SC2086 # an option and its value, or none
	timeout -k 5 "$BOUND" "$MEMTRACE" oom --json ${without-} -o "$work/out" 2> "$work/ready" &
	recorder=$!
	if awaited "$BOUND" grep -q 'memtrace: ready' "$work/ready"; then
		"$@"
		awaited 20 grep -q '^{"type":"oom"' "$work/out"
	fi
	kill -INT $recorder
	wait $recorder || { cat "$work/ready"; return 1; }
	jq -es "[.[] | select(.type == \"oom\")] | length == 1 and (.[0] | $filter)" "$work/out" > "$work/result" && status=0
	[ $status = 0 ] || { cat "$work/out" "$work/ready"; dmesg | grep -i 'oom' | tail -n 5; }
	return $status
}

# memcg_up BYTES: a memory cgroup that may have so much, in $memcg
memcg_up() {
	local limit=memory.max
	memcg=/sys/fs/cgroup/smoke.$$
	if [ -d /sys/fs/cgroup/memory ]; then
		memcg=/sys/fs/cgroup/memory/smoke.$$ limit=memory.limit_in_bytes
	else
		echo +memory > /sys/fs/cgroup/cgroup.subtree_control || return
	fi
	mkdir "$memcg" && echo "$1" > "$memcg/$limit"
}

# in_memcg BYTES [GROUP]: oomers in a cgroup that may have so much
in_memcg() {
	local memcg
	memcg_up "$1" || return
	if [ -n "${2-}" ]; then
		echo 1 > "$memcg/memory.oom.group"
		sh -c "echo \$\$ > $memcg/cgroup.procs; exec $PROGS/oomer -k 4" > "$work/bystander" &
		awaited 20 grep -q 'done' "$work/bystander"
	fi
	sh -c "echo \$\$ > $memcg/cgroup.procs; exec $PROGS/oomer -a 5 200"
	awaited 10 rmdir "$memcg" 2> /dev/null
}

# As the kernel's log has it; up to 7.1 its counts are off by what CPUs hold back.
in_the_log() {
	local line anon pid
	line=$(dmesg | grep 'Killed process' | tail -n 1)
	anon=${line##*anon-rss:} pid=${line##*process }
	echo "$line"
	jq -es --argjson anon "${anon%%kB*}" --argjson pid "${pid%% *}" \
		'[.[] | select(.type == "oom")][0] | .victim.pid == $pid and
			(.victim.anon_rss_bytes / 1024 - $anon | fabs) <= 1024' "$work/out" > "$work/result"
}
# shellcheck disable=SC2016 # of jq
memcg='.constraint == "memcg" and .limit.limit_bytes == 67108864 and .victim.comm == "oomer" and .victim.oom_score_adj == 5 and
	(.limit.cgroup | startswith("/smoke.")) and .victim.cgroup == .limit.cgroup and .victim.pid == .trigger.pid and
	.vmas[0].size_bytes == 209715200 and .exit_ms >= 0 and (.gfp_flags | test("GFP_"))'
check 'oom: a kill in a memory cgroup' oom_told "$memcg" in_memcg 64M
check 'oom: resident memory is that of the log' in_the_log
grouped() {
	[ ! -d /sys/fs/cgroup/memory ] || { skip 'cgroup v1'; return; }
	oom_told '(.also_killed | length) == 1' in_memcg 64M group
}
check 'oom: memory.oom.group is one event' grouped
whole_machine() {
	[ -e /payload ] || { skip 'not in a guest'; return; }
	oom_told '.constraint == "none" and .victim.comm == "oomer" and .limit == null and .order >= 0 and .gfp_flags != null' \
		"$PROGS/oomer" -a 500 16000
}
check 'oom: the whole machine is out of memory' whole_machine
short_zones() {
	[ -e /payload ] || { skip 'not in a guest'; return; }
	jq -es '[.[] | select(.type == "oom")][0] | .machine.swap_total_bytes == 0 and .total_bytes > 100000000 and
		any(.zones[]; .free_bytes < .low_bytes and .largest_free_bytes <= .free_bytes)' "$work/out"
}
check 'oom: and zones are below their watermarks' short_zones
# Without the log, from /proc, when it is told.
late_zones() {
	[ -e /payload ] || { skip 'not in a guest'; return; }
	without='--without kernel_log' oom_told '.zones_after_ms >= 0 and any(.zones[]; .free_bytes > 0 and .low_bytes > 0)' \
		"$PROGS/oomer" -a 500 16000
}
check 'oom: zones without the log are those of a moment later' late_zones
by_hand() {
	[ -e /payload ] || { skip 'not in a guest'; return; }
	# shellcheck disable=SC2016 # of the shell that is started
	oom_told '.sysrq and .victim.comm == "oomer" and .limit == null and .order == null' sh -c \
		'"$0" -k -a 900 20 & while ! [ "$(cat /proc/$!/oom_score_adj)" = 900 ]; do :; done; echo f > /proc/sysrq-trigger; wait' \
		"$PROGS/oomer"
}
check 'oom: sysrq-f is a hand, not a want of memory' by_hand

# Every round is a flush; exec and the like make some more.
# shellcheck disable=SC2016 # of jq
flushed='any(.[]; .type == "process" and .comm == "tlbstorm" and .local.flushes >= 2001 and .local.flushes < 2200)'
for how in '' '--without run_queues'; do
	# shellcheck disable=SC2086 # no option, or one
	check "tlb: ${how:-summary}: every flush of a program" json "$flushed and (.[-1].lost | .map == 0 and .missed == 0)" \
		tlb --json $how -o "$work/out" -- "$PROGS/tlbstorm" flush:2000:1
done
shootdown() {
	[ "$(nproc)" -gt 1 ] || { skip 'one CPU'; return; }
	json 'any(.[]; .type == "process" and .comm == "tlbstorm" and .sent.flushes > 150 and .received.flushes > 100 and .received.flushes <= .sent.flushes)' \
		tlb --json -o "$work/out" -- "$PROGS/tlbstorm" partner flush:300:1
}
check 'tlb: another CPU is interrupted' shootdown
tlb_memory() {
	local busy status
	while :; do /bin/true; done & busy=$!
	json "any(.[]; .type == \"memory\" and .pid == $busy and .rss_bytes > 0 and .pgtables_bytes > 0) and any(.[]; .type == \"walks\") and
		all(.[] | select(.type == \"process\" and .pid > 1 and (.ended | not)); has(\"voluntary_switches\"))" tlb --json -d 2
	status=$?
	kill $busy
	wait $busy 2> /dev/null
	return $status
}
check 'tlb: memory of those that flush; every process has its context switches' tlb_memory

# --- Types of the kernel that are hidden

cp /sys/kernel/btf/vmlinux "$work/btf"
# without_btf ARGS...: memtrace where the kernel's own file is not to be seen
without_btf() { timeout -k 5 "$BOUND" unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh "$MEMTRACE" "$@"; }
hidden() { ! without_btf faults -d 1 2>&1 | grep -v '^memtrace: no types .*--btf' && without_btf "$@" --btf "$work/btf" -d 1; }
for command in faults brk-vs-mmap "leaks --heap -p $$" 'leaks --kernel' oom reclaim tlb; do
	# shellcheck disable=SC2086 # words
	check "${command%% *}: types from a file, for ${command% -p *} (--btf)" hidden $command
done

# --- The state beside the events

check 'ps: the sizes of this shell are those of /proc' \
	json "[.[] | select(.type == \"process\" and .pid == $$)][0] | .rss_bytes >= .pss_bytes and .pss_bytes >= .uss_bytes and
		.uss_bytes > 0 and .comm == \"$(cat /proc/$$/comm)\"" ps --json -n 100000
check 'ps: by what is mapped' json 'any(.[]; .type == "group" and .name == "[heap]" and .pss_bytes > 0)' ps --json --by mapping -n 100000
check 'maps: every mapping of this shell' \
	json "[.[] | select(.type == \"vma\")] | length >= $(($(wc -l < /proc/$$/maps) - 1))" maps --json -p $$ --picture --segments
code=0x$(grep -m 1 r-xp /proc/$$/maps | cut -d - -f 1)
check 'maps: an address of its code' \
	json '.[1] | .state == "present" and .vma.class == "text" and (.frame | startswith("0x"))' maps --json -p $$ --address "$code"
traced='any(.[]; .type == "vma" and has("faults") and has("kinds"))'
check 'maps: with faults beside it' json "$traced" maps --json -p $$ --trace 0.3
check 'system: the parts are the whole' \
	json "([.[] | select(.type == \"part\").bytes] | add) == $(awk '/^MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)" \
	system --json -d 0.1
check 'system: zones, free blocks, rates' json 'any(.[]; .type == "zone" and .state == "at_ease") and
	any(.[]; .type == "free_blocks" and .free_blocks > 0) and any(.[]; .type == "rate" and .name == "pgfault")' system --json -d 0.1

# --- Reclaim

# swap_on: 64 MiB of zram, for pages that do not compress; whatever ends the script, swap_off
swap_on() {
	local id
	[ -d /sys/class/zram-control ] || modprobe zram || return
	id=$(cat /sys/class/zram-control/hot_add) && echo 64M > "/sys/block/zram$id/disksize" || return
	[ -b "/dev/zram$id" ] || mknod "/dev/zram$id" b "$(cut -d : -f 1 "/sys/block/zram$id/dev")" "$id"
	mkswap "/dev/zram$id" > "$work/said" && swapon "/dev/zram$id" && zram=$id
}
swap_off() { swapoff "/dev/zram$zram"; echo 1 > "/sys/block/zram$zram/reset"; echo "$zram" > /sys/class/zram-control/hot_remove; }
short_of_memory() {
	local status memcg
	swap_on || { skip 'no zram'; return; }
	memcg_up 8M || return
	PROG_OUT=$work/said_by json "$1" reclaim --json -o "$work/out" -- sh -c \
		"echo \$\$ > $memcg/cgroup.procs; exec $PROGS/swapper limit 8000"
	status=$?
	awaited 10 rmdir "$memcg" 2> /dev/null
	swap_off
	return $status
}
# shellcheck disable=SC2016 # of jq
check 'reclaim: a cgroup at its limit stalls, swaps out, and reads back' short_of_memory \
	'any(.[]; .type == "stall" and .work == "memcg" and .comm == "swapper" and .count > 100 and .time_ns > 0 and .p50_ns > 0 and
		.max_ns >= .p50_ns and .freed_bytes > 10000000 and .anon_scanned_bytes >= .anon_reclaimed_bytes and
		(.cgroup | startswith("/smoke.")) and (.gfp | test("GFP_"))) and
	any(.[]; .type == "swap" and .comm == "swapper" and .swapped_out_bytes > 10000000 and .swap_ins > 1000 and .swap_in_ns.max > 0) and
	any(.[]; .type == "cgroup" and (.cgroup | startswith("/smoke.")) and .swapped_out_bytes > 10000000) and
	(.[-1].lost | add) == 0'
out_of_memory() {
	[ -e /payload ] || { skip 'not in a guest'; return; }
	rm -f "$work/out"
	memtrace reclaim --json -o "$work/out" -- "$PROGS/oomer" -a 500 16000 # which is killed
	jq -es "$1" "$work/out" || { grep -v '"rate"' "$work/out"; return 1; }
}
check 'reclaim: of the whole machine, by a task and by kswapd' out_of_memory \
	'any(.[]; .type == "stall" and .work == "direct" and .comm == "oomer") and
	any(.[]; .type == "kswapd" or (.type == "under_way" and .work == "kswapd")) and
	any(.[]; .type == "wakeup" and .comm == "oomer")'
compacted() {
	json 'any(.[]; .type == "stall" and .work == "compaction" and .count > 0)' reclaim --json -o "$work/out" -- \
		sh -c 'echo 1 > /proc/sys/vm/compact_memory'
}
check 'reclaim: compaction, a zone at a time' compacted

[ $failures = 0 ]
