/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/perf_event.h"

#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/file.h"
#include "trace/privileges.h"
#include "util/log.h"
#include "util/number.h"

static int open_event(unsigned long long config, unsigned long long period, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = config,
		.sample_period = period,
	};

	return syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* fd is the link's then, or closed. */
static int attach_event(struct perf_links *links, const struct bpf_program *prog, int fd)
{
	struct bpf_link **grown = reallocarray(links->links, links->count + 1, sizeof(*grown)), *link;

	if (!grown) {
		close(fd);
		return -ENOMEM;
	}
	links->links = grown;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link) {
		int err = -errno;

		close(fd);
		return err;
	}
	links->links[links->count++] = link; /* closes fd, too */
	return 0;
}

static int attach_cpu(struct perf_links *links, const struct bpf_program *prog, unsigned long long config,
		      unsigned long long period, int cpu)
{
	int fd = open_event(config, period, cpu);

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno; /* the CPU is offline */
	return attach_event(links, prog, fd);
}

int perf_links__attach(struct perf_links *links, const struct bpf_program *prog, unsigned long long config,
		       unsigned long long period)
{
	int cpus = libbpf_num_possible_cpus(), err = cpus < 0 ? cpus : 0;
	size_t before = links->count;

	for (int cpu = 0; cpu < cpus && !err; cpu++)
		err = attach_cpu(links, prog, config, period, cpu);
	if (!err && links->count == before)
		err = -ENODEV;
	if (err)
		log__error("cannot attach %s to a software event: %s%s", bpf_program__name(prog),
			   strerror(-err), privileges__why_no_event(err));
	return err;
}

/*
 * A tracepoint runs its programs for everybody, from the moment that an event refers to it. The event itself
 * is of no use: it stays disabled, so that the kernel makes no sample. (libbpf would enable it.)
 */
int perf_links__attach_tracepoint(struct perf_links *links, const struct bpf_program *prog, int id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.disabled = 1,
	};
	int *grown = reallocarray(links->tracepoints, links->tracepoint_count + 1, sizeof(*grown)), fd, err;

	if (!grown)
		return -ENOMEM;
	links->tracepoints = grown;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(prog))) {
		err = -errno;
		close(fd);
		return err;
	}
	links->tracepoints[links->tracepoint_count++] = fd;
	return 0;
}

int perf_uprobe__type(void)
{
	char *text = file__read("/sys/bus/event_source/devices/uprobe/type", NULL);
	int err = errno;
	uint64_t type;

	if (!text)
		return -err;
	text[strcspn(text, "\n")] = '\0';
	err = number__parse(text, 0, INT_MAX, &type);
	free(text);
	return err ? err : (int)type;
}

int perf_links__attach_uprobe(struct perf_links *links, const struct bpf_program *prog, int type,
			      const char *path, unsigned long long offset, pid_t pid, bool is_return)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = is_return, /* PERF_PROBE_CONFIG_IS_RETPROBE in kernel/events/core.c */
		.uprobe_path = (uintptr_t)path,
		.probe_offset = offset,
	};
	/* The program is run on all CPUs, whichever is named. */
	int fd = syscall(SYS_perf_event_open, &attr, pid ? pid : -1, pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : attach_event(links, prog, fd);
}

void perf_links__detach(struct perf_links *links)
{
	for (size_t i = 0; i < links->count; i++)
		bpf_link__destroy(links->links[i]);
	free(links->links);
	for (size_t i = 0; i < links->tracepoint_count; i++)
		close(links->tracepoints[i]);
	free(links->tracepoints);
	memset(links, 0, sizeof(*links));
}
