#!/usr/bin/env bats
# memtrace oom where the whole machine is out of memory: only in a guest that can be spared (tests/vm), which is to be
# small, or it takes long.

load lib

AS=() # a command before the program

setup() {
	common_setup
	need_root
	[[ -e /payload ]] || skip "not in a guest"
}
teardown() {
	common_teardown
}

# of FILTER: of the only kill that was told
of() {
	j "[.[] | select(.type == \"oom\")] | if length == 1 then .[0] | $1 else \"\\(length) kills\" end"
}

# logged KEY: a number of what the kernel's log says of the kill, in KiB
logged() {
	dmesg | grep "Killed process $PID (" | tail -n 1 | sed -n "s/.*[ ,]$1:\\(-\\{0,1\\}[0-9]*\\).*/\\1/p"
}

# out_of_memory CONSTRAINT OPTIONS-OF-OOMER MEMTRACE-OPTIONS...: and it is told as such
out_of_memory() {
	local status=0 constraint=$1 how=$2

	shift 2
	mt_start oom --json "$@"
	# shellcheck disable=SC2086 # words
	"${AS[@]}" "$PROGS/oomer" $how -a 500 -s 3 -n 30 400 >/dev/null 2>&1 3>&- &
	PID=$!
	wait "$PID" || status=$?
	equal "status of the victim" "$status" 137
	wait_for '^\{"type":"oom"' 1
	mt_stop
	equal "status of memtrace" "$MT_STATUS" 0
	equal victim "$(of .victim.pid)" "$PID"
	equal "no limit of a cgroup" "$(of '"\(.constraint) \(.limit)"')" "$constraint null"
}

two_nodes() {
	[[ -d /sys/devices/system/node/node1 ]] || skip "one node (numa=fake=2 makes two)"
}

@test "a machine out of memory: the victim as the log has it, zones below their watermarks, who grew" {
	out_of_memory none ''
	# Counters lag behind by what each CPU holds back.
	anon=$(logged anon-rss)
	at_least "anonymous memory in KiB" "$(of '.victim.anon_rss_bytes / 1024')" $((anon - 1024))
	at_most "anonymous memory in KiB" "$(of '.victim.anon_rss_bytes / 1024')" $((anon + 1024))
	equal "oom_score_adj" "$(of .victim.oom_score_adj)" "$(logged oom_score_adj)"
	equal "zones that are short" "$(of 'any(.zones[]; .free_bytes < .low_bytes)')" true
	equal "the request" "$(of '.order >= 0 and (.gfp_flags | test("GFP_"))')" true
	at_most "memory of the machine" "$(of .machine.total_bytes)" $((256 << 20))
	equal "who grew most" "$(of '.growers[0].pid')" "$PID"
}

@test "the same where the kernel's log cannot be read: zones of a moment later" {
	out_of_memory none '' --without kernel_log
	equal "zones" "$(of '.zones_after_ms >= 0 and any(.zones[]; .low_bytes > 0)')" true
}

@test "a memory policy: memory is left, but not on the node that it allows" {
	two_nodes
	for without in '' '--without fentry,kprobe'; do
		# shellcheck disable=SC2086 # words
		out_of_memory memory_policy '-b 1' $without
		equal "nodes, $without" "$(of .nodes)" 0x2
		equal "zones that the log has" "$(of '[.zones[].node] | unique | tojson')" "[1]"
	done
}

@test "a cpuset: the same" {
	local set=/sys/fs/cgroup/nodes.$$

	two_nodes
	echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control || skip "no cpuset controller"
	mkdir "$set"
	echo 1 >"$set/cpuset.mems"
	# shellcheck disable=SC2016 # of the shell that is started
	AS=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$set")
	for without in '' '--without fentry,kprobe'; do
		# shellcheck disable=SC2086 # words
		out_of_memory cpuset '' $without
		equal "nodes, $without" "$(of .nodes)" 0x2
	done
	rmdir "$set"
}
