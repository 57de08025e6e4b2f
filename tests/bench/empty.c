// SPDX-License-Identifier: GPL-2.0
/*
 * empty - attach programs that do nothing, until SIGINT.
 *
 *	empty OBJECT tp		to the tracepoint exceptions:page_fault_user
 *	empty OBJECT sw		to the software events of minor and major faults, each of them, on every CPU
 *
 * Says "empty: ready" on stderr when they are attached. OBJECT is the compiled empty.bpf.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int fail(const char *what)
{
	fprintf(stderr, "empty: %s: %s\n", what, strerror(errno));
	return -1;
}

/* The links and events live as long as the process: nothing is kept of them. */
static int attach_tracepoint(struct bpf_object *obj)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, "fault_entered");

	if (!prog || !bpf_program__attach(prog))
		return fail("attach to page_fault_user");
	return 0;
}

static int attach_event(struct bpf_program *prog, unsigned long long event, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = event,
		.sample_period = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	/* A CPU that is offline has no faults. */
	if (fd < 0)
		return errno == ENODEV ? 0 : fail("perf_event_open");
	if (!bpf_program__attach_perf_event(prog, fd))
		return fail("attach to the software event");
	return 0;
}

static int attach_software_events(struct bpf_object *obj)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, "fault_completed");
	int cpus = libbpf_num_possible_cpus();

	if (!prog || cpus < 0)
		return fail("software events");
	for (int cpu = 0; cpu < cpus; cpu++)
		if (attach_event(prog, PERF_COUNT_SW_PAGE_FAULTS_MIN, cpu) ||
		    attach_event(prog, PERF_COUNT_SW_PAGE_FAULTS_MAJ, cpu))
			return -1;
	return 0;
}

static int load(struct bpf_object *obj, bool tracepoint)
{
	const char *unused = tracepoint ? "fault_completed" : "fault_entered";
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, unused);

	if (!prog || bpf_program__set_autoload(prog, false) || bpf_object__load(obj))
		return fail("load");
	return tracepoint ? attach_tracepoint(obj) : attach_software_events(obj);
}

int main(int argc, char **argv)
{
	struct bpf_object *obj;
	sigset_t stop;
	int sig;

	if (argc != 3 || (strcmp(argv[2], "tp") && strcmp(argv[2], "sw"))) {
		fprintf(stderr, "usage: empty OBJECT tp|sw\n");
		return 2;
	}
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	obj = bpf_object__open(argv[1]);
	if (!obj) {
		fail(argv[1]);
		return 1;
	}
	if (load(obj, !strcmp(argv[2], "tp")))
		return 1;
	fprintf(stderr, "empty: ready\n");
	sigwait(&stop, &sig);
	bpf_object__close(obj);
	return 0;
}
