/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/process_snapshot.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "proc/file.h"
#include "proc/process_files.h"
#include "proc/smaps.h"
#include "trace/session.h"
#include "util/log.h"

#define SMALL_FILE   8192
#define USERS_KEPT   64
#define FIRST_RATE   2.8e-3 /* ns a byte of RSS, 3 ms a GiB, until it is known better */
#define WORTH_A_RATE (16ull << 20)

/* What reading takes along from one process to the next. */
struct reader {
	struct snapshot *to;
	const struct snapshot_options *options;
	char cgroup[PATH_MAX]; /* of --cgroup, below the mount of its hierarchy; "": any */
	bool cgroup_is_v1, cgroup_known;
	double ns_per_byte; /* that smaps takes */
	size_t capacity, mapping_capacity;
	struct {
		uint32_t uid;
		const char *name;
	} users[USERS_KEPT];
	struct smaps_entry entry; /* being read */
	char text[SMALL_FILE];
};

/* A file of /proc/PID, the first SMALL_FILE - 1 bytes of it; NULL: it could not be read (errno). */
static const char *read_small(struct reader *r, int dir, const char *name, size_t *size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), saved;
	size_t used = 0;
	ssize_t n = 0;

	if (fd < 0)
		return NULL;
	while (used + 1 < sizeof(r->text) && (n = read(fd, r->text + used, sizeof(r->text) - 1 - used)) > 0)
		used += n;
	saved = errno;
	close(fd);
	errno = saved;
	r->text[used] = '\0';
	if (size)
		*size = used;
	return n < 0 && !used ? NULL : r->text;
}

/* The same, however long. The caller frees it. */
static char *read_all(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0, size = 1 << 16;
	char *text = fd < 0 ? NULL : malloc(size);
	ssize_t n = 0;

	while (text && (n = read(fd, text + used, size - 1 - used)) > 0) {
		used += n;
		if (size - 1 - used < 8192) {
			char *larger = realloc(text, size *= 2);

			if (!larger)
				free(text);
			text = larger;
		}
	}
	if (text && n < 0) {
		free(text);
		text = NULL;
	}
	if (text)
		text[used] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* --- one process ------------------------------------------------------------------------------------------
 */

static const char *user_name(struct reader *r, uint32_t uid)
{
	size_t i = uid % USERS_KEPT;
	struct passwd *entry;
	char number[16];

	if (r->users[i].name && r->users[i].uid == uid)
		return r->users[i].name;
	entry = getpwuid(uid);
	snprintf(number, sizeof(number), "%u", uid);
	r->users[i].uid = uid;
	r->users[i].name = intern__string(r->to->strings, entry ? entry->pw_name : number);
	return r->users[i].name;
}

/* Its arguments, with a space after each but the last; what shows its name where it has none, as ps does. */
static const char *command_of(struct reader *r, int dir, const char *comm)
{
	size_t size = 0;
	char bracketed[80];

	if (!read_small(r, dir, "cmdline", &size) || !size) {
		snprintf(bracketed, sizeof(bracketed), "[%s]", comm);
		return intern__string(r->to->strings, bracketed);
	}
	for (size_t i = 0; i + 1 < size; i++)
		if (!r->text[i])
			r->text[i] = ' ';
	return intern__string(r->to->strings, r->text);
}

static const char *cgroup_of(struct reader *r, int dir)
{
	const char *text = read_small(r, dir, "cgroup", NULL);
	char path[PATH_MAX];

	if (!text || !r->cgroup_known || cgroup__of_process(text, r->cgroup_is_v1, path, sizeof(path)))
		return NULL;
	return intern__string(r->to->strings, path);
}

static bool is_in_cgroup(const struct reader *r, const char *cgroup)
{
	size_t length = strlen(r->cgroup);

	if (!length)
		return true;
	return cgroup && !strncmp(cgroup, r->cgroup, length) && (!cgroup[length] || cgroup[length] == '/');
}

static uint64_t number_in(struct reader *r, int dir, const char *name, int64_t *signed_value)
{
	const char *text = read_small(r, dir, name, NULL);
	char *end;
	long long value;

	if (!text)
		return PROCESS_VALUE_UNKNOWN;
	value = strtoll(text, &end, 10);
	if (end == text)
		return PROCESS_VALUE_UNKNOWN;
	*signed_value = value;
	return value < 0 ? 0 : (uint64_t)value;
}

/* smaps takes as long as there are pages to look at, and whoever maps memory meanwhile waits. */
static bool is_too_large(struct reader *r, const struct process_memory *p)
{
	return r->options->limit_ns && p->values[VALUE_RSS] != PROCESS_VALUE_UNKNOWN &&
	       (double)p->values[VALUE_RSS] * r->ns_per_byte > (double)r->options->limit_ns;
}

static void learn_rate(struct reader *r, uint64_t bytes, uint64_t ns)
{
	double rate = (double)ns / (double)(bytes ? bytes : 1);

	if (bytes >= WORTH_A_RATE && rate > r->ns_per_byte)
		r->ns_per_byte = rate;
}

/* False: the process has ended. */
static bool read_rollup(struct reader *r, int dir, struct process_memory *p)
{
	uint64_t began = session__now();
	struct smaps_rollup rollup;
	const char *text;

	if (is_too_large(r, p)) {
		r->to->too_large++;
		return true;
	}
	text = read_small(r, dir, "smaps_rollup", NULL);
	if (!text && (errno == EACCES || errno == EPERM)) {
		r->to->denied++;
		return true;
	}
	if (!text || !smaps_rollup__parse(text, &rollup))
		return errno != ESRCH;
	learn_rate(r, rollup.rss, session__now() - began);
	p->values[VALUE_RSS] = rollup.rss;
	p->values[VALUE_PSS] = rollup.pss;
	p->values[VALUE_USS] = rollup.uss;
	p->values[VALUE_SHARED] = rollup.shared;
	p->values[VALUE_SWAP] = rollup.swap;
	p->values[VALUE_SWAP_PSS] = rollup.swap_pss;
	p->values[VALUE_HUGE] = rollup.huge;
	p->values[VALUE_HUGE_SHARED] = rollup.huge_shared;
	p->values[VALUE_LOCKED] = rollup.locked;
	return true;
}

/* Room for one more at the end of a list. NULL: no memory. */
static struct process_memory *append(struct process_memory **rows, size_t *n, size_t *capacity)
{
	if (*n == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 256;
		struct process_memory *larger = realloc(*rows, more * sizeof(*larger));

		if (!larger)
			return NULL;
		*rows = larger;
		*capacity = more;
	}
	return memset(&(*rows)[(*n)++], 0, sizeof(**rows));
}

/* --- mappings ---------------------------------------------------------------------------------------------
 */

static struct process_memory of_mapping(struct reader *r, const struct smaps_entry *e)
{
	struct process_memory m = process_memory__none();

	m.values[VALUE_VSS] = e->map.end - e->map.start;
	m.values[VALUE_RSS] = e->rss;
	m.values[VALUE_PSS] = e->pss;
	m.values[VALUE_USS] = e->private_clean + e->private_dirty + e->private_hugetlb;
	m.values[VALUE_SHARED] = e->shared_clean + e->shared_dirty;
	m.values[VALUE_SWAP] = e->swap;
	m.values[VALUE_SWAP_PSS] = e->swap_pss;
	m.values[VALUE_HUGE] = e->anon_huge;
	m.values[VALUE_LOCKED] = e->locked;
	m.name = intern__string(r->to->strings, *e->map.name ? e->map.name : "[anon]");
	return m;
}

/* Rows of one process become one a name, each of which stands for a process. */
static bool add_grouped(struct reader *r, const struct process_memory *rows, size_t n)
{
	const char **names = calloc(n ? n : 1, sizeof(*names));
	struct process_memory *groups = NULL;
	size_t count = 0;

	for (size_t i = 0; names && i < n; i++)
		names[i] = rows[i].name;
	if (names)
		count = process_list__group(rows, names, n, &groups);
	for (size_t i = 0; i < count; i++) {
		struct process_memory *to =
			append(&r->to->mappings, &r->to->n_mappings, &r->mapping_capacity);

		if (!to)
			count = 0;
		else
			*to = groups[i];
		if (to)
			to->processes = 1;
	}
	free(groups);
	free(names);
	return count || !n;
}

/* Of a process that ends meanwhile, what was read is taken. */
static int read_mappings(struct reader *r, int dir, const struct process_memory *p)
{
	struct process_memory *rows = NULL, *row;
	size_t n = 0, capacity = 0;
	const char *at;
	char *text;
	int err = 0;

	if (is_too_large(r, p))
		return 0;
	text = read_all(dir, "smaps");
	at = text;
	while (text && !err && smaps__next(&at, &r->entry) == 1) {
		row = append(&rows, &n, &capacity);
		if (row)
			*row = of_mapping(r, &r->entry);
		else
			err = -ENOMEM;
	}
	if (!err && !add_grouped(r, rows, n))
		err = -ENOMEM;
	free(rows);
	free(text);
	return err;
}

/* --- all of them ------------------------------------------------------------------------------------------
 */

static bool is_asked_for(const struct reader *r, uint32_t pid)
{
	const struct target *t = r->options->target;

	for (size_t i = 0; i < t->pid_count; i++)
		if ((uint32_t)t->pids[i] == pid)
			return true;
	return !t->pid_count;
}

static void take_status(struct process_memory *p, const struct process_status *s,
			const struct process_stat *stat)
{
	*p = process_memory__none();
	p->ppid = s->ppid;
	p->uid = s->uid;
	p->start = stat->start_ticks;
	p->processes = 1;
	p->values[VALUE_VSS] = s->vss;
	p->values[VALUE_RSS] = s->rss;
	p->values[VALUE_SWAP] = s->swap;
	p->values[VALUE_PGTABLES] = s->pgtables;
	p->values[VALUE_LOCKED] = s->locked;
	p->values[VALUE_MINOR] = stat->minor;
	p->values[VALUE_MAJOR] = stat->major;
}

/* 1: *p is filled; 0: not a process to be shown, or it has ended. */
static int read_process(struct reader *r, int dir, uint32_t pid, struct process_memory *p)
{
	const struct target *t = r->options->target;
	struct process_status status;
	struct process_stat stat;
	const char *text = read_small(r, dir, "status", NULL);
	int64_t value = 0;

	if (!text || !process_status__parse(text, &status))
		return 0;
	if (r->options->uid != SNAPSHOT_ANY_USER && status.uid != r->options->uid)
		return 0;
	text = read_small(r, dir, "stat", NULL);
	if (!text || !process_stat__parse(text, &stat) || (t->comm && strcmp(stat.comm, t->comm)))
		return 0;
	take_status(p, &status, &stat);
	p->pid = pid;
	p->cgroup = cgroup_of(r, dir);
	if (!is_in_cgroup(r, p->cgroup))
		return 0;
	p->comm = intern__string(r->to->strings, stat.comm);
	p->user = user_name(r, status.uid);
	p->command = command_of(r, dir, stat.comm);
	p->values[VALUE_OOM_SCORE] = number_in(r, dir, "oom_score", &value);
	value = 0;
	number_in(r, dir, "oom_score_adj", &value);
	p->oom_score_adj = (int)value;
	if (!r->options->fast && !read_rollup(r, dir, p))
		return 0;
	p->without_pss = p->values[VALUE_PSS] == PROCESS_VALUE_UNKNOWN;
	return 1;
}

static int take_process(struct reader *r, uint32_t pid)
{
	struct process_memory p = {}, *to;
	char path[32];
	int dir, err = 0;

	snprintf(path, sizeof(path), "/proc/%u", pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return 0;
	if (read_process(r, dir, pid, &p)) {
		to = append(&r->to->rows, &r->to->n, &r->capacity);
		if (to)
			*to = p;
		else
			err = -ENOMEM;
		if (!err && r->options->mappings)
			err = read_mappings(r, dir, &p);
	}
	close(dir);
	return err;
}

/* The path of --cgroup as /proc/PID/cgroup has it. */
static int find_cgroup(struct reader *r)
{
	char dir[PATH_MAX * 2], mount[PATH_MAX], *mounts = file__read("/proc/self/mounts", NULL);
	uint64_t id;
	int err = 0;

	r->cgroup_known = mounts && !cgroup__memory_mount(mounts, mount, sizeof(mount), &r->cgroup_is_v1);
	free(mounts);
	if (r->options->target->cgroup)
		err = cgroup__find_dir(r->options->target->cgroup, dir, sizeof(dir), &id, &r->cgroup_is_v1);
	if (!err && r->options->target->cgroup && strlen(dir) > strlen(mount))
		snprintf(r->cgroup, sizeof(r->cgroup), "%s", dir + strlen(mount));
	return err;
}

int snapshot__read(struct snapshot *snapshot, const struct snapshot_options *options)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int err = 0;

	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->strings = intern__new();
	snapshot->limit_ns = options->limit_ns;
	snapshot->read_ns = session__now();
	if (!proc) {
		err = -errno;
		log__error("cannot read /proc: %s", strerror(errno));
	} else if (!r || !snapshot->strings) {
		err = -ENOMEM;
	}
	if (!err) {
		r->to = snapshot;
		r->options = options;
		r->ns_per_byte = FIRST_RATE;
		err = find_cgroup(r);
	}
	while (!err && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_asked_for(r, (uint32_t)strtoul(entry->d_name, NULL, 10)))
			err = take_process(r, (uint32_t)strtoul(entry->d_name, NULL, 10));
	if (err == -ENOMEM)
		log__error("no memory");
	if (proc)
		closedir(proc);
	free(r);
	return err;
}

void snapshot__free(struct snapshot *snapshot)
{
	free(snapshot->rows);
	free(snapshot->mappings);
	intern__free(snapshot->strings);
	memset(snapshot, 0, sizeof(*snapshot));
}
