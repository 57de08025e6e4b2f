/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/PID/status and smaps_rollup, memory.stat and /proc/PID/cgroup, as kernels write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proc/cgroup.h"
#include "proc/process_files.h"

#define KIB 1024ull

static const char status_text[] =
	"Name:\tRssAnon: 1 kB\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1234\nNgid:\t0\nPid:\t1234\nPPid:\t77\n"
	"VmPeak:\t    5000 kB\nVmRSS:\t    3000 kB\nRssAnon:\t    2000 kB\nRssFile:\t     900 kB\n"
	"RssShmem:\t     100 kB\nVmData:\t    2500 kB\nVmPTE:\t      60 kB\nVmSwap:\t       8 kB\n"
	"HugetlbPages:\t       0 kB\nThreads:\t1\n";

static void status_is_read(void **state)
{
	struct process_status s;

	(void)state;
	assert_true(process_status__parse(status_text, &s));
	assert_string_equal(s.comm, "RssAnon: 1 kB"); /* a name is no line of its own */
	assert_int_equal(s.tgid, 1234);
	assert_int_equal(s.ppid, 77);
	assert_int_equal(s.rss, 3000 * KIB);
	assert_int_equal(s.anon, 2000 * KIB);
	assert_int_equal(s.file, 900 * KIB);
	assert_int_equal(s.shmem, 100 * KIB);
	assert_int_equal(s.swap, 8 * KIB);
	assert_int_equal(s.hugetlb, 0);
	assert_int_equal(s.data, 2500 * KIB);
}

static void what_is_not_told_is_unknown(void **state)
{
	struct process_status s;

	(void)state;
	/* A kernel without swap, and a kernel thread. */
	assert_true(
		process_status__parse("Name:\tx\nTgid:\t1\nPPid:\t0\nVmRSS:\t4 kB\nRssAnon:\t4 kB\n", &s));
	assert_int_equal(s.swap, PROCESS_UNKNOWN);
	assert_int_equal(s.file, PROCESS_UNKNOWN);
	assert_false(process_status__parse("Name:\tkthreadd\nTgid:\t2\nPPid:\t0\nThreads:\t1\n", &s));
	assert_false(process_status__parse("", &s));
	assert_false(
		process_status__parse("Name:\tx\nTgid:\t1\nPPid:\t0\nVmRSS:\t-4 kB\nRssAnon:\t4 MB\n", &s));
}

static void rollup_is_read(void **state)
{
	static const char text[] =
		"559750c1b000-7fff8b632000 ---p 00000000 00:00 0                          [rollup]\n"
		"Rss:                1756 kB\nPss:                 478 kB\nPss_Dirty:           112 kB\n"
		"Shared_Clean:       1592 kB\nPrivate_Clean:        52 kB\nPrivate_Dirty:       112 kB\n"
		"Anonymous:           112 kB\nPrivate_Hugetlb:    2048 kB\nSwap:                 16 kB\n"
		"SwapPss:               4 kB\nShmemPmdMapped:     2048 kB\nFilePmdMapped:      4096 kB\n";
	struct smaps_rollup r;

	(void)state;
	assert_true(smaps_rollup__parse(text, &r));
	assert_int_equal(r.rss, 1756 * KIB);
	assert_int_equal(r.pss, 478 * KIB);
	assert_int_equal(r.uss, (52 + 112 + 2048) * KIB);
	assert_int_equal(r.anon, 112 * KIB);
	assert_int_equal(r.swap, 16 * KIB);
	assert_int_equal(r.huge_shared, 6144 * KIB);
	assert_false(smaps_rollup__parse("Rss: 1 kB\nPss: 1 kB\n", &r));
	assert_false(smaps_rollup__parse("", &r));
}

static void memory_stat_is_read(void **state)
{
	struct cgroup_memory m = {};

	(void)state;
	assert_true(cgroup_memory__parse_stat(
		&m,
		"cache 1\nrss 2\ntotal_rss 300\ntotal_rss_huge 7\ntotal_shmem 40\ntotal_swap 5\n"
		"total_inactive_file 60\ntotal_active_file 7\n",
		true));
	assert_int_equal(m.anon, 300);
	assert_int_equal(m.shmem, 40);
	assert_int_equal(m.swap, 5);
	assert_int_equal(m.cache, 67);
	assert_true(cgroup_memory__parse_stat(
		&m,
		"anon 11\nfile 12\nkernel 1\nshmem 13\ninactive_anon 9\ninactive_file 14\nactive_file 15\n",
		false));
	assert_int_equal(m.anon, 11);
	assert_int_equal(m.shmem, 13);
	assert_int_equal(m.cache, 29);
	assert_false(cgroup_memory__parse_stat(&m, "anonymous 4\n", false));
	assert_int_equal(m.shmem, CGROUP_UNKNOWN);
}

static void in(const char *text, bool is_v1, const char *want)
{
	char path[64] = "";

	assert_int_equal(cgroup__of_process(text, is_v1, path, sizeof(path)), want ? 0 : -ENOENT);
	assert_string_equal(path, want ? want : "");
}

static void the_cgroup_of_a_process(void **state)
{
	static const char both[] = "9:name=systemd:/a\n4:cpu,memory,pids:/b:c/d\n1:memoryless:/e\n0::/f\n";

	(void)state;
	in(both, true, "/b:c/d");
	in(both, false, "/f");
	in("1:memoryless:/e\n", true, NULL);
	in("4:memory:/x", true, "/x");
	in("0::/\n", false, "/");
	in("", true, NULL);
	in("memory\n:\n::\n", true, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_read),	   cmocka_unit_test(what_is_not_told_is_unknown),
		cmocka_unit_test(rollup_is_read),	   cmocka_unit_test(memory_stat_is_read),
		cmocka_unit_test(the_cgroup_of_a_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
