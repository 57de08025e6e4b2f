/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tells of processes that are gone: their addresses have names for all that. Needs root; the
 * records themselves are taken apart without.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/file.h"
#include "sym/sym.h"
#include "trace/map_events.h"
#include "trace/map_record.h"

#define EXECS 500

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- records ---------------------------------------------------------------------------------------------
 */

static void malformed_records_are_passed_over(void **state)
{
	struct {
		struct perf_event_header header;
		char bytes[120];
	} record;
	struct sym *sym = sym__new();

	(void)state;
	for (unsigned type = 0; type < 24; type++) {
		for (unsigned size = 0; size <= sizeof(record); size += 8) {
			memset(&record, 0xff, sizeof(record));
			record.header = (struct perf_event_header){type, 0xffff, size};
			map_record__deliver(&record.header, sym);
		}
	}
	sym__free(sym);
}

/* --- a program of its own --------------------------------------------------------------------------------
 */

/* What it tells of itself, at the end of a pipe. */
struct told {
	uint64_t address, time_ns;
};

/* In a directory that nobody else sees: load the library there, tell an address of it, and wait to end. */
static int run_program(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	struct told told = {0};
	char byte;

	if (handle)
		told.address = (uintptr_t)dlsym(handle, "_cmocka_run_group_tests");
	told.time_ns = now_ns();
	if (!handle || write(STDOUT_FILENO, &told, sizeof(told)) != sizeof(told))
		return 1;
	return read(STDIN_FILENO, &byte, 1) < 0;
}

static void copy_file(const char *from, const char *to, int mode)
{
	size_t size = 0;
	char *bytes = file__read(from, &size);
	FILE *file = fopen(to, "w");

	if (!bytes || !file || fwrite(bytes, 1, size, file) != size || fchmod(fileno(file), mode))
		_exit(3);
	fclose(file);
	free(bytes);
}

static void make_private_directory(const char *dir)
{
	char path[PATH_MAX];
	Dl_info info;

	if (unshare(CLONE_NEWNS | CLONE_NEWPID) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", dir, "tmpfs", 0, NULL) ||
	    !dladdr((void *)(uintptr_t)_cmocka_run_group_tests, &info))
		_exit(2);
	snprintf(path, sizeof(path), "%s/library.so", dir);
	copy_file(info.dli_fname, path, 0644);
	snprintf(path, sizeof(path), "%s/program", dir);
	copy_file("/proc/self/exe", path, 0755);
}

struct container {
	pid_t first, program; /* the one that made it, and the one that runs in it */
	int told, finish;     /* pipes: what it tells; closed, it ends the program */
	int gone, leave;      /* the same for the first: that the program is gone, and what ends the first */
};

static void run_container(const char *dir, int told, int finish, int gone, int leave)
{
	char program[PATH_MAX], library[PATH_MAX], byte;
	pid_t pid;

	make_private_directory(dir);
	snprintf(program, sizeof(program), "%s/program", dir);
	snprintf(library, sizeof(library), "%s/library.so", dir);
	pid = fork();
	if (!pid) {
		dup2(finish, STDIN_FILENO);
		dup2(told, STDOUT_FILENO);
		execl(program, program, "run", library, NULL);
		_exit(4);
	}
	close(finish);
	close(told);
	if (write(gone, &pid, sizeof(pid)) < 0 || waitpid(pid, NULL, 0) != pid || write(gone, "", 1) < 0 ||
	    read(leave, &byte, 1) < 0)
		_exit(5);
	_exit(0);
}

static void start_container(struct container *c, const char *dir)
{
	int told[2], finish[2], gone[2], leave[2];

	assert_int_equal(pipe2(told, O_CLOEXEC) | pipe2(finish, O_CLOEXEC) | pipe2(gone, O_CLOEXEC) |
				 pipe2(leave, O_CLOEXEC),
			 0);
	c->first = fork();
	if (!c->first) {
		close(finish[1]);
		close(leave[1]);
		run_container(dir, told[1], finish[0], gone[1], leave[0]);
	}
	close(told[1]);
	close(finish[0]);
	close(gone[1]);
	close(leave[0]);
	c->told = told[0];
	c->finish = finish[1];
	c->gone = gone[0];
	c->leave = leave[1];
	assert_int_equal(read(c->gone, &c->program, sizeof(c->program)), sizeof(c->program));
}

static void finish_program(struct container *c)
{
	char byte;

	close(c->finish);
	assert_int_equal(read(c->gone, &byte, 1), 1);
}

static void leave_container(struct container *c)
{
	int status;

	close(c->leave);
	assert_int_equal(waitpid(c->first, &status, 0), c->first);
	assert_int_equal(status, 0);
	close(c->told);
	close(c->gone);
}

struct watch {
	struct map_events *events;
	struct sym *sym;
	char dir[32];
};

static int start_watch(void **state)
{
	struct watch *w = calloc(1, sizeof(*w));

	*state = w;
	if (!w || geteuid())
		return 0;
	snprintf(w->dir, sizeof(w->dir), "/tmp/memtrace-test-XXXXXX");
	w->sym = sym__new();
	return !w->sym || !mkdtemp(w->dir) || map_events__open(&w->events) ? -1 : 0;
}

static int stop_watch(void **state)
{
	struct watch *w = *state;

	map_events__close(w->events);
	sym__free(w->sym);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void assert_named(const struct watch *w, const struct container *c, const struct told *told)
{
	uint32_t place = sym__place(w->sym, c->program, told->time_ns, told->address, false);
	const struct frame *frame;
	char path[64];
	size_t n;

	snprintf(path, sizeof(path), "%s/library.so", w->dir);
	frame = sym__frames(w->sym, place, &n);
	assert_string_equal(frame->module, path);
	assert_string_equal(frame->symbol, "_cmocka_run_group_tests");
	assert_int_equal(frame->offset, 0);
}

static void skip_without_root(void)
{
	if (!geteuid())
		return;
	print_message("(needs root)\n");
	skip();
}

/* Only somebody else who sees the same files is left. */
static void a_program_is_gone_before_it_is_heard_of(void **state)
{
	struct watch *w = *state;
	struct container c;
	struct told told;

	skip_without_root();
	start_container(&c, w->dir);
	assert_int_equal(read(c.told, &told, sizeof(told)), sizeof(told));
	finish_program(&c);
	map_events__consume(w->events, w->sym, 0);
	assert_named(w, &c, &told);
	leave_container(&c);
}

/* Nobody is left, nor the file: but when it was mapped, it could be had. */
static void a_container_is_gone_before_it_is_looked_at(void **state)
{
	struct watch *w = *state;
	struct container c;
	struct told told;

	skip_without_root();
	start_container(&c, w->dir);
	assert_int_equal(read(c.told, &told, sizeof(told)), sizeof(told));
	map_events__consume(w->events, w->sym, told.time_ns);
	finish_program(&c);
	leave_container(&c);
	map_events__consume(w->events, w->sym, 0);
	assert_named(w, &c, &told);
}

static void no_event_is_lost(void **state)
{
	struct watch *w = *state;
	char *argv[] = {"true", NULL};
	struct sym_stats stats;
	uint64_t last = now_ns(), began = last;

	skip_without_root();
	for (int i = 0; i < EXECS; i++) {
		pid_t pid;

		assert_int_equal(posix_spawnp(&pid, "true", NULL, NULL, argv, NULL), 0);
		waitpid(pid, NULL, 0);
		if (now_ns() - last < 50000000)
			continue;
		map_events__consume(w->events, w->sym, 0);
		last = now_ns();
	}
	print_message("%.0f execs a second\n", EXECS * 1e9 / (now_ns() - began));
	map_events__consume(w->events, w->sym, 0);
	sym__stats(w->sym, &stats);
	assert_int_equal(stats.mapping_events_lost, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_records_are_passed_over),
		cmocka_unit_test_setup_teardown(a_program_is_gone_before_it_is_heard_of, start_watch,
						stop_watch),
		cmocka_unit_test_setup_teardown(a_container_is_gone_before_it_is_looked_at, start_watch,
						stop_watch),
		cmocka_unit_test_setup_teardown(no_event_is_lost, start_watch, stop_watch),
	};

	if (argc == 3 && !strcmp(argv[1], "run"))
		return run_program(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
