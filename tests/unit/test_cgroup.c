/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the memory cgroups are, by /proc/self/mounts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proc/cgroup.h"

#define PROC	"proc /proc proc rw,relatime 0 0\n"
#define CPU_V1	"cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n"
#define MEM_V1	"cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n"
#define UNIFIED "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0\n"

enum version { V1, V2 };

static void found(const char *mounts, enum version version, const char *where)
{
	char dir[256] = "untouched";
	bool is_v1 = version != V1;

	assert_int_equal(cgroup__memory_mount(mounts, dir, sizeof(dir), &is_v1), 0);
	assert_string_equal(dir, where);
	assert_int_equal(is_v1, version == V1);
}

static void not_found(const char *mounts)
{
	char dir[256];
	bool is_v1;

	assert_int_equal(cgroup__memory_mount(mounts, dir, sizeof(dir), &is_v1), -ENOENT);
}

static void v1_has_the_option(void **state)
{
	(void)state;
	found(PROC CPU_V1 MEM_V1, V1, "/sys/fs/cgroup/memory");
	found("cgroup /cg cgroup memory,rw 0 0\n", V1, "/cg");
	found("cgroup /cg cgroup rw,cpu,memory,pids 0 0\n", V1, "/cg");
	found("cgroup /cg cgroup memory 0 0", V1, "/cg");
}

static void v2_serves_where_v1_has_no_memory(void **state)
{
	(void)state;
	found(PROC UNIFIED, V2, "/sys/fs/cgroup/unified");
	found(CPU_V1 UNIFIED CPU_V1, V2, "/sys/fs/cgroup/unified");
}

static void v1_goes_before_v2(void **state)
{
	(void)state;
	found(UNIFIED MEM_V1, V1, "/sys/fs/cgroup/memory");
	found(MEM_V1 UNIFIED, V1, "/sys/fs/cgroup/memory");
}

static void the_first_of_a_kind_is_taken(void **state)
{
	(void)state;
	found("a /first cgroup2 rw 0 0\na /second cgroup2 rw 0 0\n", V2, "/first");
	found("a /first cgroup memory 0 0\na /second cgroup memory 0 0\n", V1, "/first");
}

/* Options are whole words, and the type is the third word: nothing else is taken for it. */
static void likenesses_are_not_taken(void **state)
{
	(void)state;
	not_found("cgroup /cg cgroup rw,memory_other 0 0\n");
	not_found("cgroup /cg cgroup rw,nomemory 0 0\n");
	not_found("cgroup /memory cgroup rw,cpu 0 0\n");
	not_found("memory /cg tmpfs rw,memory 0 0\n");
	not_found("cgroup2 /cg tmpfs rw 0 0\n");
	found("cgroup /cg cgroup rw,nomemory,memory_other,memory 0 0\n", V1, "/cg");
}

static void broken_text_is_no_mount(void **state)
{
	(void)state;
	not_found("");
	not_found("\n\n");
	not_found(PROC CPU_V1);
	not_found("cgroup");
	not_found("cgroup /cg");
	not_found("cgroup /cg cgroup");
	not_found("cgroup /cg cgroup \n");
	found("cgroup\n\n \ncgroup2 /cg cgroup2", V2, "/cg");
}

static void a_long_path_is_cut(void **state)
{
	char dir[8];
	bool is_v1;

	(void)state;
	assert_int_equal(cgroup__memory_mount(MEM_V1, dir, sizeof(dir), &is_v1), 0);
	assert_string_equal(dir, "/sys/fs");
}

static void the_text_is_left_alone(void **state)
{
	static const char text[] = PROC CPU_V1 UNIFIED MEM_V1;
	char copy[sizeof(text)], dir[256];
	bool is_v1;

	(void)state;
	memcpy(copy, text, sizeof(text));
	assert_int_equal(cgroup__memory_mount(copy, dir, sizeof(dir), &is_v1), 0);
	assert_memory_equal(copy, text, sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v1_has_the_option),
		cmocka_unit_test(v2_serves_where_v1_has_no_memory),
		cmocka_unit_test(v1_goes_before_v2),
		cmocka_unit_test(the_first_of_a_kind_is_taken),
		cmocka_unit_test(likenesses_are_not_taken),
		cmocka_unit_test(broken_text_is_no_mount),
		cmocka_unit_test(a_long_path_is_cut),
		cmocka_unit_test(the_text_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
