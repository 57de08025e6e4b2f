#!/usr/bin/env bats
# memtrace system: the memory of the machine, against /proc as awk reads it.

load lib

setup() { common_setup; }
teardown() {
	[[ -z ${HOLDER:-} ]] || kill "$HOLDER" 2>/dev/null || true
	cgroup_down
	zram_down
	common_teardown
}

system() {
	mt system --json "$@"
	equal status "$MT_STATUS" 0
	check_stream "$MT_OUT"
}

# kib NAME: of /proc/meminfo, in bytes
kib() {
	awk -v name="$1:" '$1 == name { printf "%.0f\n", $2 * 1024 }' /proc/meminfo
}

@test "the parts are the whole, and the sum is that of free(1)" {
	local total

	system -d 0.1
	total=$(kib MemTotal)
	equal total "$(j '.[] | select(.type == "memory").total_bytes')" "$total"
	equal "sum of the parts" "$(j '[.[] | select(.type == "part").bytes] | add')" "$total"
	equal "used + buffers + cache + free" \
		"$(j '.[] | select(.type == "memory") | .used_bytes + .buffers_bytes + .cache_bytes + .free_bytes')" "$total"
	equal "parts below nothing" "$(j '[.[] | select(.type == "part" and .name != "unaccounted" and .bytes < 0)] | length')" 0
}

@test "a number that moves lies between what was before and after" {
	local before after shown

	before=$(kib Buffers)
	system -d 0.1
	after=$(kib Buffers)
	shown=$(j '.[] | select(.type == "part" and .name == "buffers").bytes')
	at_least buffers "$shown" $((before < after ? before : after))
	at_most buffers "$shown" $((before < after ? after : before))
}

@test "memory that a program takes is anonymous, and memory in tmpfs shared" {
	local taken=$((256 << 20)) change i

	mt_start system --json -i 1 -d 40
	wait_for '"type":"memory"' 1
	head -c "$taken" /dev/zero >/dev/shm/memtrace.$$
	python3 -c "import sys; b = bytearray($taken); print('ok', flush=True); sys.stdin.read()" \
		< <(exec sleep 30) 3>&- >"$BATS_TEST_TMPDIR/said" &
	SLEEP=$!
	for ((i = 0; i < 400; i++)); do
		[[ ! -s $BATS_TEST_TMPDIR/said ]] || break
		read -r -t 0.05 _ <> <(:) || true
	done
	wait_for '"type":"memory"' $(($(grep -c '"type":"memory"' "$MT_OUT") + 2))
	mt_stop
	kill "$SLEEP"
	rm /dev/shm/memtrace.$$
	for part in anonymous shared; do
		change=$(j "[.[] | select(.type == \"part\" and .name == \"$part\").bytes] | max - first")
		at_least "growth of $part" "$change" $((taken * 9 / 10))
	done
	at_least "its change is told" "$(j '[.[] | select(.type == "part" and .name == "shared").change_bytes] | max')" $((taken / 8))
}

@test "zones: sizes and watermarks are those of /proc/zoneinfo" {
	system -d 0.1
	j '[.[] | select(.type == "zone") | [.node, .zone, .managed_bytes, .min_bytes, .low_bytes, .high_bytes] | map(tostring) |
		join(" ")] | .[]' >"$BATS_TEST_TMPDIR/shown"
	awk -v page="$(getconf PAGESIZE)" '
		function flush() { if (zone != "" && size) printf "%d %s %.0f %.0f %.0f %.0f\n", node, zone, size, low0, low, high; size = 0 }
		/^Node/ { flush(); node = $2 + 0; zone = $4; lists = 0 }
		/^  pagesets/ { lists = 1 }
		!lists && $1 == "min" { low0 = $2 * page }
		!lists && $1 == "low" { low = $2 * page }
		!lists && $1 == "high" { high = $2 * page }
		$1 == "managed" { size = $2 * page }
		END { flush() }' /proc/zoneinfo >"$BATS_TEST_TMPDIR/there"
	diff "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/shown"
}

@test "free blocks, and fragmentation as the kernel computes it" {
	local dir=$BATS_TEST_TMPDIR/debug

	need_root
	system -d 0.1
	equal "blocks of the highest order" "$(j '[.[] | select(.type == "free_blocks")] | group_by(.zone) | map(max_by(.order).order) | unique | length')" 1
	equal "shares that are none" "$(j '[.[] | select(.type == "free_blocks" and .unusable_share != null and (.unusable_share < 0 or .unusable_share > 1))] | length')" 0
	mkdir "$dir"
	mount -t debugfs none "$dir" 2>/dev/null || skip "no debugfs to compare with"
	cp "$dir/extfrag/unusable_index" "$BATS_TEST_TMPDIR/index" || true
	umount "$dir"
	[[ -s $BATS_TEST_TMPDIR/index ]] || skip "no extfrag to compare with"
	# The machine goes on between the two: a twentieth is near.
	j '.[] | select(.type == "free_blocks") | "\(.node) \(.zone) \(.order) \(.unusable_share)"' | awk '
		NR == FNR { for (i = 5; i <= NF; i++) there[$2 + 0, $4, i - 5] = $i; next }
		{ off = there[$1, $2, $3] - $4; seen++; if (off > .05 || off < -.05) { print; bad++ } }
		END { exit bad || !seen }' "$BATS_TEST_TMPDIR/index" -
}

@test "swap areas, and what is in them" {
	need_root
	zram_up 64
	system -d 0.1
	equal "kind and size" "$(j ".[] | select(.type == \"swap\" and .name == \"/dev/zram$ZRAM\") | \"\(.kind) \(.size_bytes)\"")" \
		"partition $(((64 << 20) - $(getconf PAGESIZE)))"
	equal "sum of the machine" "$(j '.[] | select(.type == "memory").swap_total_bytes')" "$(kib SwapTotal)"
	equal "all of it" "$(j '[.[] | select(.type == "swap").size_bytes] | add')" "$(kib SwapTotal)"
}

@test "rates count what happened meanwhile" {
	local before after

	mt_start system --json -i 1 -d 30
	wait_for '"type":"memory"' 1
	before=$(awk '$1 == "pgfault" { print $2 }' /proc/vmstat)
	"$PROGS/storm" -n 16384 -r 3 3>&- >/dev/null
	after=$(awk '$1 == "pgfault" { print $2 }' /proc/vmstat)
	wait_for '"type":"memory"' 4
	mt_stop
	at_least "page faults" "$(j '[.[] | select(.type == "rate" and .name == "pgfault").count] | add')" 49152
	at_least "and /proc/vmstat" $((after - before)) 49152
	equal "those since boot" "$(j '[.[] | select(.type == "rate" and .name == "pgfault")] | [.[1:][].total] == [range(1; length) as $i | .[$i - 1].total + .[$i].count]')" true
}

@test "--cgroup: the cgroup and those that it is in" {
	local name

	need_root
	cgroup_up $((64 << 20))
	mkdir "$CG/inner"
	[[ ! -e $CG/cgroup.subtree_control ]] || echo +memory >"$CG/cgroup.subtree_control"
	python3 -c "
import sys
open('$CG/inner/cgroup.procs', 'w').write('0')
b = bytearray(20 << 20)
print('ok', flush=True)
sys.stdin.read()" < <(exec sleep 60) 3>&- >"$BATS_TEST_TMPDIR/said" &
	HOLDER=$!
	for ((i = 0; i < 200; i++)); do
		[[ -s $BATS_TEST_TMPDIR/said ]] && break
		read -r -t 0.05 _ <> <(:) || true
	done
	system -d 0.1 --cgroup "$CG/inner"
	kill "$HOLDER"
	wait "$HOLDER" || true
	name=${CG##*/}
	equal "cgroups, from it to the root" "$(j '[.[] | select(.type == "cgroup").cgroup] | join(" ")')" "/$name/inner /$name /"
	at_least "anonymous memory of the inner" "$(j ".[] | select(.type == \"cgroup\" and .cgroup == \"/$name/inner\").anon_bytes")" $((19 << 20))
	equal "limit of the outer" "$(j ".[] | select(.type == \"cgroup\" and .cgroup == \"/$name\").limit_bytes")" $((64 << 20))
	at_least "usage of the outer" "$(j ".[] | select(.type == \"cgroup\" and .cgroup == \"/$name\").usage_bytes")" $((20 << 20))
	equal "limit of the inner" "$(j ".[] | select(.type == \"cgroup\" and .cgroup == \"/$name/inner\") | has(\"limit_bytes\")")" false
	mt system -d 0.1 --cgroup "$CG/no-such"
	equal status "$MT_STATUS" 1
	check_one_line
}

@test "anyone may run it" {
	need_root
	cp "$MEMTRACE" "$BATS_TEST_TMPDIR/memtrace"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/memtrace"
	MEMTRACE=$BATS_TEST_TMPDIR/memtrace
	setpriv --reuid=65534 --regid=65534 --clear-groups "$MEMTRACE" system -d 0.1 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	grep -q '^Where it is' "$BATS_TEST_TMPDIR/out"
	equal stderr "$(cat "$BATS_TEST_TMPDIR/err")" ""
}

@test "the table fits 80 columns and says what to look at" {
	COLUMNS=80 mt system -d 0.1
	equal status "$MT_STATUS" 0
	check_clean "$MT_OUT"
	check_width "$MT_OUT" 80
	grep -q ' of memory = .* used + ' "$MT_OUT"
	grep -q '^Zones and their watermarks' "$MT_OUT"
	grep -q '^What it did' "$MT_OUT"
}

@test "watermarks that are raised for now are told below the zones" {
	local fake=$BATS_TEST_TMPDIR/zoneinfo

	need_root
	grep -q '^ *boost' /proc/zoneinfo || skip "this kernel does not raise watermarks, or does not say so"
	sed 's/^\( *boost  *\)[0-9]*/\11024/' /proc/zoneinfo >"$fake"
	COLUMNS=80 mt_in_mounts "mount --bind '$fake' /proc/zoneinfo" system -d 0.1
	equal status "$MT_STATUS" 0
	tr '\n' ' ' <"$MT_OUT" | grep -E "are raised by $(($(getconf PAGESIZE) / 1024)).00 MiB *for now" >/dev/null || fail "$(grep raised "$MT_OUT")"
	check_width "$MT_OUT" 80
}

@test "free blocks of a large machine fit, too" {
	local fake=$BATS_TEST_TMPDIR/buddyinfo

	need_root
	awk '{ for (i = 5; i <= NF; i++) $i = 98765432 / 2 ^ (2 * (i - 5)) } { print }' OFMT=%d CONVFMT=%d /proc/buddyinfo >"$fake"
	COLUMNS=80 mt_in_mounts "mount --bind '$fake' /proc/buddyinfo" system -d 0.1
	equal status "$MT_STATUS" 0
	grep -Eq ' 99M 25M 6173k 1543k 386k 96.5k 24.1k 6028 ' "$MT_OUT" || fail "$(grep -A 4 '^Free blocks' "$MT_OUT")"
	check_width "$MT_OUT" 80
}

@test "what it does not take is told" {
	mt system -p 1
	equal status "$MT_STATUS" 2
	equal lines "$(wc -l <"$MT_ERR")" 1
	mt system -- true
	equal status "$MT_STATUS" 2
	mt system -i 0
	equal status "$MT_STATUS" 2
}
