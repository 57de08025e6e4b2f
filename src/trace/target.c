/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/target.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "util/log.h"
#include "util/number.h"

int target__add_pids(struct target *target, const char *list)
{
	char *copy = strdup(list), *rest = copy, *item;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (item = strsep(&rest, ","))) {
		pid_t *pids = reallocarray(target->pids, target->pid_count + 1, sizeof(*pids));
		uint64_t pid;

		if (!pids) {
			err = -ENOMEM;
			break;
		}
		target->pids = pids;
		err = number__parse(item, 1, INT_MAX, &pid);
		if (!err)
			target->pids[target->pid_count++] = pid;
	}
	free(copy);
	return err;
}

void target__free(struct target *target)
{
	run_as__free(&target->run_as);
	free(target->pids);
	target->pids = NULL;
	target->pid_count = 0;
}

int target__check_pids(const struct target *target)
{
	for (size_t i = 0; i < target->pid_count; i++) {
		char path[64], line[256];
		FILE *file;
		bool is_leader = false;

		snprintf(path, sizeof(path), "/proc/%d/status", target->pids[i]);
		file = fopen(path, "re");
		if (!file) {
			log__error("no process with pid %d (-p)", target->pids[i]);
			return -ESRCH;
		}
		while (fgets(line, sizeof(line), file)) {
			int tgid;

			if (sscanf(line, "Tgid: %d", &tgid) == 1)
				is_leader = tgid == target->pids[i];
		}
		fclose(file);
		if (!is_leader) {
			log__error("%d is a thread, not a process: give the pid of its process (-p)",
				   target->pids[i]);
			return -ESRCH;
		}
	}
	return 0;
}

/*
 * The kernel side sees the pids of the initial namespace. PROC_PID_INIT_INO (include/linux/proc_ns.h) is the
 * inode number of that namespace, on every kernel.
 */
static int check_pid_namespace(const struct target *target)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == 0xeffffffc)
		return 0;
	if (!target->pid_count && !target->program)
		return 0;
	log__error("%s: memtrace runs in a pid namespace of its own, and the kernel side knows other pids: "
		   "run it outside, or use --cgroup or --comm",
		   target->program ? target->program[0] : "-p, --pid");
	return -EXDEV;
}

int target__configure(const struct target *target, struct target_config *config)
{
	int err;

	config->self = getpid();
	config->follow = target->follow || target->program;
	config->by_pid = target->pid_count > 0 || target->program;
	if (target->program)
		config->launcher = getpid();
	if (target->comm)
		strncpy(config->comm, target->comm, COMM_SIZE - 1);
	err = check_pid_namespace(target);
	if (!err)
		err = target__check_pids(target);
	if (!err && target->cgroup) {
		bool is_v1;
		uint64_t id;

		err = cgroup__find(target->cgroup, &id, &is_v1);
		config->cgroup_id = id;
		config->cgroup_v1 = is_v1;
	}
	return err;
}

int target__fill(const struct target *target, int map_fd)
{
	for (size_t i = 0; i < target->pid_count; i++) {
		__u32 tgid = target->pids[i], any_image = 0;

		if (bpf_map_update_elem(map_fd, &tgid, &any_image, BPF_ANY)) {
			int err = -errno;

			log__error("cannot tell the kernel to trace pid %u: %s", tgid, strerror(-err));
			return err;
		}
	}
	return 0;
}

bool target__is_gone(const struct target *target, int map_fd)
{
	__u32 tgid;

	if (!target->pid_count || target->program)
		return false;
	return bpf_map_get_next_key(map_fd, NULL, &tgid) && errno == ENOENT;
}

void target__describe(const struct target *target, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	if (target->program) {
		snprintf(buf, size, "%s and its children", target->program[0]);
		return;
	}
	for (size_t i = 0; i < target->pid_count && used < size; i++)
		used += snprintf(buf + used, size - used, "%s%d", i ? ", " : "pid ", target->pids[i]);
	if (target->pid_count && target->follow && used < size)
		used += snprintf(buf + used, size - used, " and children");
	if (target->comm && used < size)
		used += snprintf(buf + used, size - used, "%scomm %s", used ? ", " : "", target->comm);
	if (target->cgroup && used < size)
		used += snprintf(buf + used, size - used, "%scgroup %s", used ? ", " : "", target->cgroup);
	if (!used)
		snprintf(buf, size, "all processes");
}
