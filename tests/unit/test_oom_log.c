/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OOM kills in the kernel log: texts of Debian's 5.10, 6.1, 6.12 and 7.2 (cgroup v2), and of 6.18 with v1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proc/kmsg.h"
#include "proc/oom_log.h"

#define KIB	 1024ull
#define KILLS	 4
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct oom_kill kills[KILLS];
static enum oom_log_result results[KILLS];

/* All that lines tell; how many results. */
static size_t read_log(const char *const *lines, size_t count)
{
	struct oom_log *log = oom_log__new();
	size_t n = 0;

	assert_non_null(log);
	for (size_t i = 0; i < count; i++) {
		enum oom_log_result result;

		assert_true(n < KILLS);
		oom_kill__init(&kills[n]);
		result = oom_log__line(log, lines[i], 1000 * i, &kills[n]);
		if (result != OOM_LOG_NOTHING)
			results[n++] = result;
	}
	oom_log__free(log);
	return n;
}

static const char *const v2_510[] = {
	"oomer invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=5",
	"CPU: 1 PID: 101 Comm: oomer Not tainted 5.10.0-32-amd64 #1 Debian 5.10.223-1",
	"memory: usage 65536kB, limit 65536kB, failcnt 84",
	"swap: usage 0kB, limit 9007199254740988kB, failcnt 0",
	"Memory cgroup stats for /a:",
	"Tasks state (memory values in pages):",
	"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
	"[     99]     0    99     1641     1353    49152        0             0 oomer",
	"[    101]     0   101    51784    15550   163840        0             5 oomer",
	"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task="
	"oomer,pid=101,uid=0",
	"Memory cgroup out of memory: Killed process 101 (oomer) total-vm:207136kB, anon-rss:60940kB, file-rss:4kB, "
	"shmem-rss:1256kB, UID:0 pgtables:160kB oom_score_adj:5",
	"Tasks in /a are going to be killed due to memory.oom.group set",
	"Memory cgroup out of memory: Killed process 99 (oomer) total-vm:6564kB, anon-rss:4172kB, file-rss:4kB, "
	"shmem-rss:1236kB, UID:0 pgtables:48kB oom_score_adj:0",
};

static void a_memory_cgroup(void **state)
{
	const struct oom_kill *k = &kills[0];

	(void)state;
	assert_int_equal(read_log(v2_510, COUNT(v2_510)), 2);
	assert_int_equal(results[0], OOM_LOG_KILL);
	assert_int_equal(results[1], OOM_LOG_ALSO);
	assert_int_equal(k->victim.pid, 101);
	assert_string_equal(k->victim.comm, "oomer");
	assert_int_equal(k->victim.uid, 0);
	assert_int_equal(k->victim.oom_score_adj, 5);
	assert_string_equal(k->victim.cgroup, "/a/b");
	assert_int_equal(k->size.total_vm, 207136 * KIB);
	assert_int_equal(k->size.anon, 60940 * KIB);
	assert_int_equal(k->size.file, 4 * KIB);
	assert_int_equal(k->size.shmem, 1256 * KIB);
	assert_int_equal(k->size.pgtables, 160 * KIB);
	assert_true(k->size.swap == OOM_UNKNOWN);
	assert_int_equal(k->trigger.pid, 101);
	assert_int_equal(k->constraint, OOM_MEMCG);
	assert_int_equal(k->hit, 0);
	assert_string_equal(k->limits[0].cgroup, "/a");
	assert_int_equal(k->limits[0].limit, 65536 * KIB);
	assert_int_equal(k->limits[0].usage, 65536 * KIB);
	assert_int_equal(k->gfp, 0xcc0);
	assert_int_equal(k->order, 0);
	assert_int_equal(k->candidate_count, 2);
	assert_int_equal(k->candidates[0].pid, 101);
	assert_int_equal(k->candidates[0].resident, 15550 * 4096);
	assert_int_equal(k->candidates[1].pgtables, 49152);
	assert_int_equal(k->time_ns, 10 * 1000 * 1000);
	assert_int_equal(kills[1].victim.pid, 99);
}

static const char *const global_72[] = {
	"oomer invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP), order=0, oom_score_adj=500",
	"CPU: 1 UID: 33 PID: 130 Comm: oomer Not tainted 7.2.13+deb14-amd64 #1 PREEMPT(lazy)  Debian 7.2.13-1",
	"Mem-Info:",
	"Free swap  = 12kB",
	"Total swap = 100kB",
	"262014 pages RAM",
	"Tasks state (memory values in pages):",
	"[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name",
	"[    122]     0   122     1018      770       86        2       682    49152        0         -1000 run",
	"[    130]     0   130  4096586   208754   208462        1       291  1720320        0           500 oomer",
	"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=oomer,pid="
	"130,uid=33",
	"Out of memory: Killed process 130 (oomer) total-vm:16386344kB, anon-rss:833848kB, file-rss:4kB, shmem-rss:1164kB, "
	"UID:33 pgtables:1680kB oom_score_adj:500",
	"oom_reaper: reaped process 130 (oomer), now anon-rss:0kB, file-rss:4kB, shmem-rss:1164kB",
};

static void the_machine(void **state)
{
	const struct oom_kill *k = &kills[0];

	(void)state;
	assert_int_equal(read_log(global_72, COUNT(global_72)), 2);
	assert_int_equal(results[0], OOM_LOG_KILL);
	assert_int_equal(results[1], OOM_LOG_REAPED);
	assert_int_equal(kills[1].victim.pid, 130);
	assert_int_equal(k->constraint, OOM_NONE);
	assert_int_equal(k->hit, -1);
	assert_int_equal(k->limit_count, 0);
	assert_int_equal(k->victim.uid, 33);
	assert_int_equal(k->trigger.uid, 33);
	assert_string_equal(k->victim.cgroup, "/");
	assert_int_equal(k->machine.total, 262014ull * 4096);
	assert_int_equal(k->machine.swap_total, 100 * KIB);
	assert_int_equal(k->machine.swap_free, 12 * KIB);
	assert_false(k->by_hand);
	assert_int_equal(k->candidate_count, 2);
	assert_int_equal(k->candidates[0].pid, 130);
	assert_int_equal(k->candidates[0].badness, 208754 + 420 + 500 * (262014 / 1000));
	assert_true(k->candidates[1].badness == INT64_MIN);
}

static const char *const sysrq_61[] = {
	"kworker/1:1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0",
	"CPU: 1 PID: 29 Comm: kworker/1:1 Not tainted 6.1.0-50-amd64 #1  Debian 6.1.176-1",
	"Workqueue: events moom_callback",
	"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=oomer,pid="
	"117,uid=0",
	"Out of memory: Killed process 117 (oomer) total-vm:6564kB, anon-rss:4184kB, file-rss:4kB, shmem-rss:1144kB, UID:0 "
	"pgtables:56kB oom_score_adj:900",
};

static void by_hand(void **state)
{
	(void)state;
	assert_int_equal(read_log(sysrq_61, COUNT(sysrq_61)), 1);
	assert_true(kills[0].by_hand);
	assert_string_equal(kills[0].trigger.comm, "kworker/1:1");
	assert_int_equal(kills[0].trigger.pid, 29);
}

/* cgroup v1, where the limit of memory and swap can be the one that is hit. */
static const char *const v1_618[] = {
	"leaker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
	"CPU: 0 UID: 0 PID: 30213 Comm: leaker Not tainted 6.18.44 #1 PREEMPT(none) ",
	"memory: usage 90000kB, limit 102400kB, failcnt 42",
	"memory+swap: usage 120000kB, limit 120000kB, failcnt 7",
	"kmem: usage 404kB, limit 9007199254740988kB, failcnt 0",
	"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/x,task_memcg=/x/a,task="
	"cache,pid=30212,uid=0",
	"Memory cgroup out of memory: Killed process 30212 (cache) total-vm:22824kB, anon-rss:20480kB, file-rss:1228kB, "
	"shmem-rss:0kB, UID:0 pgtables:84kB oom_score_adj:800",
};

static void memory_and_swap(void **state)
{
	(void)state;
	assert_int_equal(read_log(v1_618, COUNT(v1_618)), 1);
	assert_true(kills[0].hit_memsw);
	assert_int_equal(kills[0].limits[0].memsw_limit, 120000 * KIB);
	assert_int_equal(kills[0].limits[0].limit, 102400 * KIB);
	assert_string_equal(kills[0].trigger.comm, "leaker");
	assert_string_equal(kills[0].victim.comm, "cache");
}

/* The log begins in the middle of it. */
static void only_the_end_is_there(void **state)
{
	(void)state;
	assert_int_equal(read_log(v1_618 + 6, 1), 1);
	assert_int_equal(results[0], OOM_LOG_KILL);
	assert_int_equal(kills[0].victim.pid, 30212);
	assert_int_equal(kills[0].constraint, OOM_CONSTRAINT_UNKNOWN);
	assert_true(kills[0].trigger.pid == OOM_UNKNOWN);
	assert_false(kills[0].request_known);
}

/* A name can hold anything, even what looks like the rest of the line. */
static const char *const hostile[] = {
	"a invoked oom-k invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
	"CPU: 0 UID: 0 PID: 77 Comm: x PID: 12 Comm Not tainted 6.18.44",
	"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/"
	",task=,pid=5,uid=6,pid=77,uid=9",
	"Out of memory: Killed process 77 () total-vm:1kB) total-vm:6564kB, anon-rss:4184kB, file-rss:4kB, shmem-rss:1144kB, "
	"UID:9 pgtables:56kB oom_score_adj:900",
};

static void hostile_names(void **state)
{
	(void)state;
	assert_int_equal(read_log(hostile, COUNT(hostile)), 1);
	assert_int_equal(results[0], OOM_LOG_KILL);
	assert_string_equal(kills[0].victim.comm, ") total-vm:1kB");
	assert_int_equal(kills[0].size.total_vm, 6564 * KIB);
	assert_int_equal(kills[0].victim.uid, 9);
	assert_int_equal(kills[0].trigger.pid, 77);
}

/* Of a form that is not known: as it is, never half of it. */
static const char *const unknown[] = {
	"x invoked oom-killer: reason=memory",
	"oom-kill:constraint=CONSTRAINT_NOVEL,task=x",
	"Out of memory: Killed process 1 (x) vsz:1kB",
	"Out of memory and no killable processes...",
};

static void unknown_forms(void **state)
{
	(void)state;
	assert_int_equal(read_log(unknown, COUNT(unknown)), COUNT(unknown));
	for (size_t i = 0; i < COUNT(unknown); i++)
		assert_int_equal(results[i], OOM_LOG_RAW);
}

/* 7.2 with 512 MB, and a line of 5.10, which has no boost. The largest free pieces come after the zones. */
static const char *const zones_72[] = {
	"oomer invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP), order=0, "
	"oom_score_adj=500",
	"CPU: 0 UID: 0 PID: 152 Comm: oomer Not tainted 7.2.13+deb14-amd64 #1 PREEMPT(lazy)  Debian 7.2.13-1",
	"Mem-Info:",
	"Node 0 active_anon:386288kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:34924kB",
	"Node 0 DMA free:1804kB boost:0kB min:92kB low:112kB high:132kB reserved_highatomic:0KB "
	"free_highatomic:0KB active_anon:13176kB free_pcp:0kB local_pcp:0kB free_cma:0kB",
	"lowmem_reserve[]: 0 413 413 413 413",
	"Node 0 DMA32 free:44kB boost:2048kB min:4556kB low:5180kB high:5804kB reserved_highatomic:0KB",
	"Node 1 Normal free:4204kB min:4560kB low:5188kB high:5816kB reserved_highatomic:0KB active_anon:3572kB",
	"Node 0 DMA: 1*4kB (M) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 1*256kB (U) 1*512kB (U) 1*1024kB (M) 0*2048kB "
	"0*4096kB = 1796kB",
	"Node 0 DMA32: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 0kB",
	"Node 1 Normal: 1*4kB (E) 7*8kB (UME) 9*16kB (UM) 17*32kB (UE) 0*64kB = 748kB",
	"Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB",
	"0 pages HighMem/MovableOnly",
	"Node 0 Broken free:xkB min:1kB low:2kB",
	"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=oomer,"
	"pid=152,uid=0",
	"Out of memory: Killed process 152 (oomer) total-vm:16386344kB, anon-rss:352144kB, file-rss:4kB, "
	"shmem-rss:1260kB, UID:0 pgtables:728kB oom_score_adj:500",
};

static void zones(void **state)
{
	const struct oom_kill *k = &kills[0];
	uint64_t free, largest;

	(void)state;
	assert_int_equal(read_log(zones_72, COUNT(zones_72)), 1);
	assert_int_equal(k->constraint, OOM_NONE);
	assert_int_equal(k->zone_count, 3);
	assert_string_equal(k->zones[1].name, "DMA32");
	assert_int_equal(k->zones[1].free, 44 * KIB);
	assert_int_equal(k->zones[1].min, 4556 * KIB);
	assert_int_equal(k->zones[1].low, 5180 * KIB);
	assert_int_equal(k->zones[1].largest, 0);
	assert_int_equal(k->zones[2].node, 1);
	assert_int_equal(k->zones[2].free, 4204 * KIB);
	assert_int_equal(k->zones[2].largest, 32 * KIB);
	assert_true(oom_kill__free_memory(k, &free, &largest));
	assert_int_equal(free, (1804 + 44 + 4204) * KIB);
	assert_int_equal(largest, 1024 * KIB);
}

static void nodes(void **state)
{
	static const struct {
		const char *line;
		uint64_t nodes;
	} cases[] = {
		{"oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=one,mems_allowed=1,global_oom,"
		 "task_memcg=/,task=a,pid=1,uid=0",
		 2},
		{"oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=one,mems_allowed=0-2,63,global_oom,"
		 "task_memcg=/,task=a,pid=1,uid=0",
		 7 | 1ull << 63},
		{"oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=one,mems_allowed=0-64,global_oom,"
		 "task_memcg=/,task=a,pid=1,uid=0",
		 OOM_UNKNOWN},
		{"oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0,2,cpuset=/,mems_allowed=0-3,global_oom,"
		 "task_memcg=/,task=a,pid=1,uid=0",
		 5},
	};
	static const char *lines[3] = {
		"a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=5", NULL,
		"Out of memory: Killed process 1 (a) total-vm:1kB, anon-rss:1kB, file-rss:4kB, shmem-rss:1kB, "
		"UID:0 pgtables:1kB oom_score_adj:0"};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		lines[1] = cases[i].line;
		assert_int_equal(read_log(lines, COUNT(lines)), 1);
		assert_true(kills[0].nodes == cases[i].nodes);
	}
}

static void records_of_kmsg(void **state)
{
	char text[32];
	uint64_t us = 0;

	(void)state;
	assert_int_equal(
		kmsg__parse("6,339,5140900,-;NET: a\\x1bb\\x5c\n SUBSYSTEM=x\n", &us, text, sizeof(text)), 0);
	assert_int_equal(us, 5140900);
	assert_string_equal(text, "NET: a\x1b"
				  "b\\");
	assert_int_equal(kmsg__parse("3,1,2,-,caller=T12;y", &us, text, sizeof(text)), 0);
	assert_string_equal(text, "y");
	assert_int_equal(
		kmsg__parse("6,1,2,-;0123456789012345678901234567890123456789", &us, text, sizeof(text)), 0);
	assert_int_equal(strlen(text), sizeof(text) - 1);
	assert_true(kmsg__parse("no record", &us, text, sizeof(text)) < 0);
	assert_true(kmsg__parse("6,1;x", &us, text, sizeof(text)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_memory_cgroup),
		cmocka_unit_test(the_machine),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(memory_and_swap),
		cmocka_unit_test(only_the_end_is_there),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(unknown_forms),
		cmocka_unit_test(zones),
		cmocka_unit_test(nodes),
		cmocka_unit_test(records_of_kmsg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
