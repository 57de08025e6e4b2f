/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OOM kills: which limit was hit, badness, requests in words, the minute before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/cgroup_recorder.h"
#include "model/memory_recorder.h"
#include "model/oom_kill.h"
#include "proc/memory_cgroup.h"
#include "proc/memory_files.h"
#include "proc/users.h"

#define PAGE   4096ull
#define MIB    256ull /* pages */
#define NONE   (1ull << 51)
#define SECOND 1000000000ull

/* --- limits -----------------------------------------------------------------------------------------------
 */

static struct oom_kill_record record;
static struct oom_kill told;

static void add_name(struct oom_cgroup *c, const char *name)
{
	memcpy(c->path + c->path_size, name, strlen(name) + 1);
	c->path_size += strlen(name) + 1;
}

static void add_level(struct oom_cgroup *c, const char *name, uint64_t memcg, uint64_t usage, uint64_t max)
{
	c->levels[c->level_count++] = (struct oom_level){.memcg = memcg, .usage = usage, .max = max};
	add_name(c, name);
}

/* /pod/app, where the victim is; the trigger is in /pod/other. */
static void begin(uint32_t kind, uint64_t app_usage, uint64_t app_max, uint64_t pod_usage, uint64_t pod_max)
{
	memset(&record, 0, sizeof(record));
	record.time_ns = 100 * SECOND;
	record.reclaim.kind = kind;
	record.reclaim.time_ns = record.time_ns - 1000;
	record.victim.process.tgid = 10;
	record.trigger.process.tgid = record.trigger.tid = 11;
	add_level(&record.victim_cgroup, "app", 1, app_usage, app_max);
	add_level(&record.victim_cgroup, "pod", 2, pod_usage, pod_max);
	add_level(&record.victim_cgroup, "", 3, 4 * pod_usage, NONE);
	add_level(&record.trigger_cgroup, "other", 4, 10, NONE);
	add_level(&record.trigger_cgroup, "pod", 2, pod_usage, pod_max);
	add_level(&record.trigger_cgroup, "", 3, 4 * pod_usage, NONE);
}

static void the_parent_is_hit(void **state)
{
	(void)state;
	/* The victim's own cgroup is at its limit, too, but the request was not charged to it. */
	begin(RECLAIM_MEMCG, 10 * MIB, 10 * MIB, 64 * MIB - 3, 64 * MIB);
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.constraint, OOM_MEMCG);
	assert_int_equal(told.hit, 1);
	assert_string_equal(told.limits[1].cgroup, "/pod");
	assert_string_equal(told.limits[0].cgroup, "/pod/app");
	assert_string_equal(told.limits[2].cgroup, "/");
	assert_int_equal(told.limits[1].limit, 64 * MIB * PAGE);
	assert_true(told.limits[2].limit == OOM_UNKNOWN);
	assert_string_equal(told.trigger.cgroup, "/pod/other");
	assert_int_equal(told.order, -1);
}

/* Somebody outside, not in the cgroup, lowered its limit. */
static void the_victims_own_is_hit_from_outside(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, 10 * MIB, 8 * MIB, 20 * MIB, NONE);
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.hit, 0);
	assert_int_equal(told.limits[0].usage, 10 * MIB * PAGE);
}

static void none_is_at_its_limit(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, 10 * MIB, 20 * MIB, 20 * MIB, NONE);
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.constraint, OOM_MEMCG);
	assert_int_equal(told.hit, -1);
}

static void the_only_limit_is_near(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, 10 * MIB, NONE, 19 * MIB, 20 * MIB);
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.hit, 1);
	begin(RECLAIM_MEMCG, 10 * MIB, 20 * MIB, 19 * MIB, 20 * MIB);
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.hit, -1);
}

static void the_kernel_tells_which(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, 10 * MIB, 10 * MIB, 20 * MIB, 32 * MIB);
	record.reclaim.memcg = 2;
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.hit, 1);
}

static void memory_and_swap(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, MIB, NONE, 20 * MIB, 32 * MIB);
	record.victim_cgroup.levels[1].memsw_usage = 40 * MIB - 1;
	record.victim_cgroup.levels[1].memsw_max = 40 * MIB;
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.hit, 1);
	assert_true(told.hit_memsw);
	assert_int_equal(told.limits[1].memsw_limit, 40 * MIB * PAGE);
}

static void the_machine(void **state)
{
	(void)state;
	begin(RECLAIM_DIRECT, 10 * MIB, 10 * MIB, 20 * MIB, 32 * MIB);
	record.reclaim.order = 2;
	record.reclaim.gfp = 0x100cca;
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.constraint, OOM_NONE);
	assert_int_equal(told.hit, -1);
	assert_int_equal(told.order, 2);
	assert_int_equal(told.gfp, 0x100cca);
}

/* The kernel's own decision outweighs what reclaim and usage tell. */
static void the_kernel_has_decided(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, 10 * MIB, 10 * MIB, 20 * MIB, 32 * MIB);
	record.decision = (struct oom_decision){.time_ns = record.time_ns - 1,
						.memcg = 2,
						.total = 32 * MIB,
						.points = 77,
						.order = 3,
						.gfp = 0x100cca,
						.constraint = 3};
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.constraint, OOM_MEMCG);
	assert_int_equal(told.hit, 1);
	assert_int_equal(told.order, 3);
	assert_int_equal(told.gfp, 0x100cca);
	assert_int_equal(told.points, 77);
	assert_int_equal(told.total_pages, 32 * MIB);
	assert_true(told.nodes == OOM_UNKNOWN);
	record.decision.constraint = 1;
	record.decision.nodes = 2;
	oom_kill__from_record(&told, &record);
	assert_int_equal(told.constraint, OOM_CPUSET);
	assert_int_equal(told.nodes, 2);
	assert_int_equal(told.hit, -1);
	record.decision.constraint = 0;
	record.decision.order = -1;
	oom_kill__from_record(&told, &record);
	assert_true(told.by_hand);
	assert_false(told.request_known);
}

/* The kernel's log fills in what the record did not know, and no more than that. */
static void the_log_adds(void **state)
{
	static struct oom_kill log;
	uint64_t a, b;

	(void)state;
	oom_kill__init(&log);
	log.constraint = OOM_CPUSET;
	log.request_known = true;
	log.order = 2;
	log.gfp = 0xcc0;
	log.zones[0] = (struct oom_zone){.node = 0, .name = "DMA", .free = 5, .largest = 4};
	log.zones[1] = (struct oom_zone){.node = 1, .name = "Normal", .free = 7, .largest = 6};
	log.zone_count = 2;
	begin(RECLAIM_DIRECT, 10 * MIB, 10 * MIB, 20 * MIB, 32 * MIB);
	oom_kill__from_record(&told, &record);
	assert_false(oom_kill__free_memory(&told, &a, &b));
	oom_kill__take_log(&told, &log);
	assert_int_equal(told.constraint, OOM_CPUSET);
	assert_int_equal(told.order, 2);
	assert_int_equal(told.gfp, 0xcc0);
	assert_true(oom_kill__free_memory(&told, &a, &b));
	assert_int_equal(a, 12);
	assert_int_equal(b, 6);
	log.constraint = OOM_MEMCG;
	log.hit = 0;
	log.limit_count = 1;
	strcpy(log.limits[0].cgroup, "/pod");
	oom_kill__from_record(&told, &record);
	oom_kill__take_log(&told, &log);
	assert_int_equal(told.hit, 1);
	record.decision = (struct oom_decision){.time_ns = 1, .order = 9, .constraint = 0};
	oom_kill__from_record(&told, &record);
	oom_kill__take_log(&told, &log);
	assert_int_equal(told.constraint, OOM_NONE);
	assert_int_equal(told.order, 9);
}

static void by_hand(void **state)
{
	(void)state;
	begin(RECLAIM_NONE, 10 * MIB, 10 * MIB, 20 * MIB, 32 * MIB);
	record.trigger_is_kernel = 1;
	oom_kill__from_record(&told, &record);
	assert_true(told.by_hand);
	assert_int_equal(told.constraint, OOM_CONSTRAINT_UNKNOWN);
	/* A reclaim of long ago says nothing. */
	begin(RECLAIM_DIRECT, 10 * MIB, 10 * MIB, 20 * MIB, 32 * MIB);
	record.trigger_is_kernel = 1;
	record.reclaim.time_ns = record.time_ns - 60 * SECOND;
	oom_kill__from_record(&told, &record);
	assert_true(told.by_hand);
	assert_false(told.request_known);
}

static void one_event_with_two_victims(void **state)
{
	(void)state;
	begin(RECLAIM_MEMCG, 10 * MIB, 10 * MIB, 64 * MIB, 64 * MIB);
	oom_kill__from_record(&told, &record);
	record.victim.process.tgid = 12;
	assert_true(oom_kill__same_event(&told, &record));
	oom_kill__add_victim(&told, &record);
	assert_int_equal(told.also_count, 1);
	assert_int_equal(told.also[0].pid, 12);
	record.reclaim.time_ns++;
	assert_false(oom_kill__same_event(&told, &record));
}

/* What the kernel side sends is bounded, whatever it is. */
static void nonsense(void **state)
{
	(void)state;
	memset(&record, 0xff, sizeof(record));
	oom_kill__from_record(&told, &record);
	assert_true(told.limit_count <= OOM_LEVELS);
	for (int i = 0; i < 100; i++)
		oom_kill__add_victim(&told, &record);
	assert_int_equal(told.also_count, 100);
}

/* --- words and measures -----------------------------------------------------------------------------------
 */

static void flags_in_words(void **state)
{
	char buf[256];

	(void)state;
	oom_gfp__format(0xcc0, buf, sizeof(buf));
	assert_string_equal(buf, "GFP_KERNEL");
	oom_gfp__format(0x400dc0, buf, sizeof(buf));
	assert_string_equal(buf, "GFP_KERNEL_ACCOUNT|__GFP_ZERO");
	oom_gfp__format(0x100cca, buf, sizeof(buf));
	assert_string_equal(buf, "GFP_HIGHUSER_MOVABLE");
	oom_gfp__format(0x80000000, buf, sizeof(buf));
	assert_string_equal(buf, "0x80000000");
	oom_gfp__format(0, buf, sizeof(buf));
	assert_string_equal(buf, "0x0");
}

static void containers(void **state)
{
	char id[65];

	(void)state;
	assert_false(oom_cgroup__container("/system.slice/x.service", id));
	assert_false(oom_cgroup__container("/0123456789abcdef", id));
	assert_true(oom_cgroup__container(
		"/kubepods.slice/pod12/cri-containerd-"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",
		id));
	assert_string_equal(id, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

static void badness(void **state)
{
	(void)state;
	assert_int_equal(oom_badness(100 * PAGE, 20 * PAGE, 3 * PAGE, 0, 0), 123);
	assert_int_equal(oom_badness(100 * PAGE, 0, 0, 500, 10000 * PAGE), 100 + 5000);
	assert_int_equal(oom_badness(100 * PAGE, 0, 0, -500, 10000 * PAGE), 100 - 5000);
	assert_true(oom_badness(100 * PAGE, 0, 0, -1000, 10000 * PAGE) == INT64_MIN);
}

static void the_worst_candidates_are_kept(void **state)
{
	(void)state;
	oom_kill__init(&told);
	for (int i = 0; i < 3 * OOM_CANDIDATES; i++) {
		struct oom_candidate c = {.pid = i, .badness = (i * 7) % (3 * OOM_CANDIDATES)};

		oom_kill__add_candidate(&told, &c);
	}
	assert_int_equal(told.candidate_count, OOM_CANDIDATES);
	assert_int_equal(told.candidates_seen, 3 * OOM_CANDIDATES);
	for (int i = 0; i < OOM_CANDIDATES; i++)
		assert_int_equal(told.candidates[i].badness, 3 * OOM_CANDIDATES - 1 - i);
}

/* --- the minute before ------------------------------------------------------------------------------------
 */

static struct process_key key_of(uint32_t pid, uint64_t start_ns)
{
	return (struct process_key){.start_ns = start_ns, .tgid = pid, .image = 1};
}

static void take(struct memory_recorder *r, const struct process_key *key, uint64_t pages)
{
	struct oom_process p = {.process = *key, .anon = pages, .comm = "x"};

	memory_recorder__take(r, &p);
}

static void it_grows(void **state)
{
	struct memory_recorder *r = memory_recorder__new();
	struct process_key key = key_of(7, SECOND);
	struct oom_point points[OOM_POINTS];
	uint64_t now = 0;
	size_t n;

	(void)state;
	for (int i = 0; i < 200; i++) {
		now = (100 + i) * SECOND;
		memory_recorder__begin(r, now);
		take(r, &key, 1000 + i);
	}
	now += SECOND / 2;
	n = memory_recorder__history(r, &key, now, 5000 * PAGE, points);
	assert_in_range(n, 60, OOM_POINTS);
	assert_int_equal(points[n - 1].before_ns, 0);
	assert_int_equal(points[n - 1].resident, 5000 * PAGE);
	assert_int_equal(points[n - 2].resident, 1199 * PAGE);
	assert_int_equal(points[n - 2].before_ns, SECOND / 2);
	for (size_t i = 1; i < n; i++)
		assert_true(points[i - 1].before_ns > points[i].before_ns);
	oom_kill__init(&told);
	oom_kill__add_grower(&told, &key, "x", false, points, n);
	assert_int_equal(told.grower_count, 1);
	assert_in_range(told.growers[0].over_ns, 59 * SECOND, 61 * SECOND);
	assert_int_equal(told.growers[0].bytes, 5000 * PAGE - points[0].resident);
	points[n - 1].resident = 10; /* it has shrunk */
	oom_kill__add_grower(&told, &key, "x", false, points, n);
	assert_int_equal(told.grower_count, 1);
	memory_recorder__free(r);
}

static void those_that_grow_most(void **state)
{
	struct oom_point points[2] = {{.before_ns = SECOND}, {.before_ns = 0}};

	(void)state;
	oom_kill__init(&told);
	for (unsigned i = 0; i < 3 * OOM_GROWERS; i++) {
		struct process_key key = {.tgid = i};

		points[1].resident = 1 + (i * 5) % (3 * OOM_GROWERS);
		oom_kill__add_grower(&told, &key, "x", false, points, 2);
	}
	assert_int_equal(told.grower_count, OOM_GROWERS);
	for (unsigned i = 0; i < OOM_GROWERS; i++)
		assert_int_equal(told.growers[i].bytes, 3 * OOM_GROWERS - i);
}

/* It was never seen, but it is younger than a minute: it began with nothing. */
static void it_has_just_begun(void **state)
{
	struct memory_recorder *r = memory_recorder__new();
	struct process_key key = key_of(7, 100 * SECOND), old = key_of(8, SECOND);
	struct oom_point points[OOM_POINTS];

	(void)state;
	assert_int_equal(memory_recorder__history(r, &key, 102 * SECOND, PAGE, points), 2);
	assert_int_equal(points[0].resident, 0);
	assert_int_equal(points[0].before_ns, 2 * SECOND);
	assert_int_equal(memory_recorder__history(r, &old, 102 * SECOND, PAGE, points), 1);
	memory_recorder__free(r);
}

static void the_small_give_way(void **state)
{
	struct memory_recorder *r = memory_recorder__new();
	struct oom_point points[OOM_POINTS];
	struct process_key key;
	uint64_t least;

	(void)state;
	for (int round = 0; round < 3; round++) {
		memory_recorder__begin(r, (100 + round) * SECOND);
		for (uint32_t pid = 1; pid <= 2 * RECORDER_PROCESSES; pid++) {
			key = key_of(pid, 1);
			take(r, &key, pid * 256);
		}
	}
	least = memory_recorder__begin(r, 103 * SECOND);
	assert_int_equal(least, (RECORDER_PROCESSES + 1) * 256 * PAGE);
	key = key_of(2 * RECORDER_PROCESSES, 1);
	assert_int_equal(memory_recorder__history(r, &key, 103 * SECOND, PAGE, points), 4);
	key = key_of(1, 1);
	assert_int_equal(memory_recorder__history(r, &key, 103 * SECOND, PAGE, points), 1);
	memory_recorder__free(r);
}

static unsigned untold_count;
static struct untold last_untold;

static void note_untold(void *context, const struct untold *u)
{
	(void)context;
	untold_count++;
	last_untold = *u;
}

/* Of the last round, those that were not told of; as they were then. */
static void those_that_are_gone(void **state)
{
	struct memory_recorder *r = memory_recorder__new();
	struct process_key a = key_of(1, 1), b = key_of(2, 1), c = key_of(3, 1);

	(void)state;
	memory_recorder__begin(r, SECOND);
	take(r, &a, 10); /* is not there in the second round */
	take(r, &b, 20);
	take(r, &c, 30);
	memory_recorder__begin(r, 2 * SECOND);
	take(r, &b, 21);
	take(r, &c, 31);
	memory_recorder__set_cgroup(r, &b, 5);
	memory_recorder__tell(r, &c, 7);
	memory_recorder__untold(r, 7, note_untold, NULL);
	assert_int_equal(untold_count, 1);
	assert_int_equal(last_untold.process->process.tgid, 2);
	assert_int_equal(oom_process__resident(last_untold.process), 21 * PAGE);
	assert_int_equal(last_untold.cgroup, 5);
	assert_false(last_untold.killed);
	memory_recorder__killed(r, &b);
	memory_recorder__untold(r, 7, note_untold, NULL);
	assert_true(last_untold.killed);
	memory_recorder__untold(r, 8, note_untold, NULL); /* another kill: nobody has been told of */
	assert_int_equal(untold_count, 4);
	memory_recorder__free(r);
}

static void commands(void **state)
{
	struct memory_recorder *r = memory_recorder__new();
	struct process_key a = key_of(1, 1), b = key_of(2, 1);

	(void)state;
	memory_recorder__begin(r, SECOND);
	take(r, &a, 10);
	take(r, &b, 20);
	assert_int_equal(memory_recorder__wants_command(r)->tgid, 2);
	memory_recorder__set_command(r, &b, "b -x");
	assert_int_equal(memory_recorder__wants_command(r)->tgid, 1);
	assert_null(memory_recorder__wants_command(r));
	assert_string_equal(memory_recorder__command(r, &b), "b -x");
	assert_string_equal(memory_recorder__command(r, &a), "");
	memory_recorder__free(r);
}

static void files(void **state)
{
	uint64_t a = 0, b = 0;

	(void)state;
	assert_true(meminfo__find("MemTotal:       100 kB\nMemFree:  7 kB\n", "MemFree", &a));
	assert_int_equal(a, 7 * 1024);
	assert_false(meminfo__find("MemTotal:       100 kB\n", "Total", &a));
	assert_false(meminfo__find("HugePages_Total:    0\n", "HugePages_Total", &a));
	assert_true(pressure__parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=12\n"
				    "full avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
				    &a, &b));
	assert_int_equal(a, 12);
	assert_int_equal(b, 3);
	assert_false(pressure__parse("some avg10=0.00\nfull total=3\n", &a, &b));
	assert_true(counter__find("low 0\noom 3\noom_kill 2\n", "oom", &a));
	assert_int_equal(a, 3);
	assert_false(counter__find("oom_kill 2\n", "oom", &a));
	assert_false(counter__find("oom\n", "oom", &a));
}

static void contents(void **state)
{
	struct oom_contents c;

	(void)state;
	memset(&c, 0xff, sizeof(c));
	assert_true(memory_stat__contents("anon 100\nfile 50\nkernel 7\nslab 3\nshmem 20\n", false, &c));
	assert_int_equal(c.anon, 100);
	assert_int_equal(c.file, 30);
	assert_int_equal(c.shmem, 20);
	assert_int_equal(c.kernel, 7);
	assert_true(c.swap == OOM_UNKNOWN);
	assert_true(memory_stat__contents("anon 1\nfile 5\nkernel_stack 7\nslab 3\nshmem 2\n", false, &c));
	assert_int_equal(c.kernel, 10);
	assert_true(memory_stat__contents("rss 1\ntotal_cache 9\ntotal_rss 4\ntotal_shmem 5\ntotal_swap 6\n",
					  true, &c));
	assert_int_equal(c.anon, 4);
	assert_int_equal(c.file, 4);
	assert_int_equal(c.swap, 6);
	assert_false(memory_stat__contents("anon 1\n", false, &c));
}

static void names_of_users(void **state)
{
	struct users *users =
		users__new("root:x:0:0:root:/root:/bin/sh\nbad line\nno:uid\nx:x:4294967296:0:::\n"
			   "www-data:x:33:33::/:/bin/false\nagain:x:33:1:::\nlast:x:7:7");

	(void)state;
	assert_string_equal(users__name(users, 0), "root");
	assert_string_equal(users__name(users, 33), "www-data");
	assert_string_equal(users__name(users, 7), "last");
	assert_null(users__name(users, 1));
	assert_null(users__name(NULL, 0));
	users__free(users);
}

/* 4 MiB are free, in pieces of 8 KiB at most. */
static void fragmented_or_gone(void **state)
{
	struct oom_kill kill = {.zone_count = 1};

	(void)state;
	kill.zones[0] = (struct oom_zone){.free = 4 << 20, .largest = 8192};
	for (kill.order = 0; kill.order < 12; kill.order++)
		assert_int_equal(oom_kill__is_fragmented(&kill), kill.order >= 2 && kill.order <= 8);
	kill.order = 3;
	kill.zones[0].largest = OOM_UNKNOWN;
	assert_false(oom_kill__is_fragmented(&kill));
	kill.zone_count = 0;
	assert_false(oom_kill__is_fragmented(&kill));
}

/* Each second it grows by 10; the children of one of them by 9 and 1. */
static void the_minute_of_cgroups(void **state)
{
	struct cgroup_recorder *r = cgroup_recorder__new();
	static struct oom_kill grown;
	struct oom_point points[OOM_POINTS];
	int most, little, other;

	(void)state;
	cgroup_recorder__begin(r, SECOND);
	most = cgroup_recorder__place(r, "/a/most");
	little = cgroup_recorder__place(r, "/a/little");
	other = cgroup_recorder__place(r, "/ab");
	assert_int_equal(cgroup_recorder__place(r, "/"), -1);
	assert_int_equal(cgroup_recorder__place(r, "/a/most"), most);
	for (uint64_t i = 1; i <= 100; i++) {
		if (i > 1)
			cgroup_recorder__begin(r, i * SECOND);
		cgroup_recorder__touch(r, most);
		cgroup_recorder__touch(r, little);
		cgroup_recorder__touch(r, other);
		for (int place = 0; place < RECORDER_CGROUPS; place++) {
			const char *path = cgroup_recorder__wanted(r, place);

			if (path)
				cgroup_recorder__take(r, place,
						      i * (!strcmp(path, "/a")	      ? 10
							   : !strcmp(path, "/a/most") ? 9
										      : 1));
		}
	}
	assert_int_equal(cgroup_recorder__history(r, "/a", 101 * SECOND, 2000, points), RECORDER_SAMPLES + 1);
	assert_int_equal(points[0].resident, 400);
	assert_int_equal(points[RECORDER_SAMPLES].resident, 2000);
	assert_int_equal(cgroup_recorder__history(r, "/not/there", 101 * SECOND, 2000, points), 0);
	assert_true(cgroup_recorder__is_under(r, most, "/a"));
	assert_false(cgroup_recorder__is_under(r, other, "/a"));
	cgroup_recorder__growers(r, "/a", 101 * SECOND, &grown);
	assert_int_equal(grown.cgroup_count, 2);
	assert_string_equal(grown.cgroups[0].cgroup, "/a/most");
	assert_int_equal(grown.cgroups[0].bytes, 9 * 60);
	grown.cgroup_count = 0;
	cgroup_recorder__growers(r, NULL, 101 * SECOND, &grown); /* without /a, which /a/most explains */
	assert_string_equal(grown.cgroups[0].cgroup, "/a/most");
	cgroup_recorder__free(r);
}

/* A place is given to another when nobody has been there for some rounds, and not before. */
static void cgroups_give_way(void **state)
{
	struct cgroup_recorder *r = cgroup_recorder__new();
	char path[32];
	uint64_t owner;

	(void)state;
	cgroup_recorder__begin(r, SECOND);
	for (int i = 0; i < RECORDER_CGROUPS; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		assert_int_equal(cgroup_recorder__place(r, path), i);
	}
	assert_int_equal(cgroup_recorder__place(r, "/x"), -1);
	owner = cgroup_recorder__owner(r, 0);
	for (uint64_t i = 2; i < 20; i++) {
		cgroup_recorder__begin(r, i * SECOND);
		for (int place = 1; place < RECORDER_CGROUPS; place++)
			cgroup_recorder__touch(r, place);
	}
	assert_int_equal(cgroup_recorder__place(r, "/x"), 0);
	assert_int_equal(cgroup_recorder__owner(r, 0), owner + 1);
	assert_string_equal(cgroup_recorder__wanted(r, 63), "/63");
	cgroup_recorder__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parent_is_hit),
		cmocka_unit_test(the_victims_own_is_hit_from_outside),
		cmocka_unit_test(none_is_at_its_limit),
		cmocka_unit_test(the_only_limit_is_near),
		cmocka_unit_test(the_kernel_tells_which),
		cmocka_unit_test(memory_and_swap),
		cmocka_unit_test(the_machine),
		cmocka_unit_test(the_kernel_has_decided),
		cmocka_unit_test(the_log_adds),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(one_event_with_two_victims),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(flags_in_words),
		cmocka_unit_test(containers),
		cmocka_unit_test(badness),
		cmocka_unit_test(the_worst_candidates_are_kept),
		cmocka_unit_test(it_grows),
		cmocka_unit_test(those_that_grow_most),
		cmocka_unit_test(it_has_just_begun),
		cmocka_unit_test(the_small_give_way),
		cmocka_unit_test(those_that_are_gone),
		cmocka_unit_test(commands),
		cmocka_unit_test(files),
		cmocka_unit_test(contents),
		cmocka_unit_test(names_of_users),
		cmocka_unit_test(fragmented_or_gone),
		cmocka_unit_test(the_minute_of_cgroups),
		cmocka_unit_test(cgroups_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
