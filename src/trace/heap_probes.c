/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/heap_probes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/file.h"
#include "proc/maps.h"
#include "sym/allocator.h"
#include "sym/elf_file.h"
#include "trace/loader_list.h"
#include "trace/perf_event.h"
#include "trace/privileges.h"
#include "trace/uprobe_multi.h"
#include "util/log.h"

#define EVERYBODY 0 /* in the place of a pid */

/* A file with code, looked at once. */
struct object {
	struct object *next;
	dev_t device;
	ino_t inode;
	struct timespec changed;
	char *path; /* as the process that was first seen with it named it */
	struct allocator allocator;
	size_t processes;
};

/* The probes on an object in a process. */
struct attachment {
	struct attachment *next;
	pid_t pid;
	struct object *object;
	struct perf_links links;
	int entered, returned;	  /* links of many probes each; -1: none */
	struct bpf_link *told[2]; /* USDT */
};

/* A file that the program to be run will map. */
struct ahead {
	struct ahead *next;
	char *path;
};

struct heap_probes {
	struct heap_programs programs;
	const char *prefix;
	const char *object_path;
	struct stat object_stat; /* of object_path */
	int type;
	bool everywhere;
	bool refused; /* and that was told */
	struct object *objects;
	struct attachment *attachments;
	struct ahead *ahead;
	struct maps_entry *entry; /* room for a line of /proc/PID/maps */
};

/* Each probe is two files. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

struct heap_probes *heap_probes__open(const struct heap_programs *programs, const char *object,
				      const char *prefix, bool everywhere)
{
	struct heap_probes *p = calloc(1, sizeof(*p));

	if (p)
		p->entry = malloc(sizeof(*p->entry));
	if (!p || !p->entry) {
		log__error("no memory");
		heap_probes__close(p);
		return NULL;
	}
	p->programs = *programs;
	p->prefix = prefix;
	p->object_path = object;
	p->everywhere = everywhere;
	p->type = perf_uprobe__type();
	if (p->type < 0) {
		log__error("cannot probe an allocator: this kernel has no uprobes "
			   "(/sys/bus/event_source/devices/uprobe: %s)",
			   strerror(-p->type));
		heap_probes__close(p);
		return NULL;
	}
	if (object && stat(object, &p->object_stat)) {
		log__error("--object: cannot read %s: %s", object, strerror(errno));
		heap_probes__close(p);
		return NULL;
	}
	raise_file_limit();
	return p;
}

static void free_object(struct object *o)
{
	if (!o)
		return;
	allocator__free(&o->allocator);
	free(o->path);
	free(o);
}

static void end_attachment(struct attachment *a)
{
	perf_links__detach(&a->links);
	if (a->entered >= 0)
		close(a->entered);
	if (a->returned >= 0)
		close(a->returned);
	for (int i = 0; i < 2; i++)
		bpf_link__destroy(a->told[i]);
	free(a);
}

void heap_probes__close(struct heap_probes *p)
{
	struct object *o;
	struct attachment *a;
	struct ahead *ahead;

	if (!p)
		return;
	while ((ahead = p->ahead)) {
		p->ahead = ahead->next;
		free(ahead->path);
		free(ahead);
	}
	while ((a = p->attachments)) {
		p->attachments = a->next;
		end_attachment(a);
	}
	while ((o = p->objects)) {
		p->objects = o->next;
		free_object(o);
	}
	free(p->entry);
	free(p);
}

/* --- files ------------------------------------------------------------------------------------------------
 */

static bool is_wanted(const struct heap_probes *p, const struct stat *st)
{
	return !p->object_path ||
	       (st->st_dev == p->object_stat.st_dev && st->st_ino == p->object_stat.st_ino);
}

/* The object behind fd, which is closed. NULL: not wanted, or no memory. */
static struct object *object_of(struct heap_probes *p, int fd, const char *path)
{
	struct object *o;
	struct stat st;

	if (fstat(fd, &st) || !is_wanted(p, &st)) {
		close(fd);
		return NULL;
	}
	for (o = p->objects; o; o = o->next)
		if (o->device == st.st_dev && o->inode == st.st_ino &&
		    o->changed.tv_sec == st.st_mtim.tv_sec && o->changed.tv_nsec == st.st_mtim.tv_nsec) {
			close(fd);
			return o;
		}
	o = calloc(1, sizeof(*o));
	if (o)
		o->path = strdup(path);
	if (!o || !o->path || allocator__find(fd, p->prefix, &o->allocator)) {
		if (!o || !o->path)
			close(fd);
		free_object(o);
		return NULL;
	}
	o->device = st.st_dev;
	o->inode = st.st_ino;
	o->changed = st.st_mtim;
	o->next = p->objects;
	p->objects = o;
	return o;
}

/* --- attaching --------------------------------------------------------------------------------------------
 */

static bool is_attached(const struct heap_probes *p, pid_t pid, const struct object *o)
{
	for (const struct attachment *a = p->attachments; a; a = a->next)
		if (a->pid == pid && a->object == o)
			return true;
	return false;
}

/* Does a file of the process tell of its blocks itself? Then what it calls to get them is no second source.
 */
static bool tells_itself(const struct heap_probes *p, pid_t pid)
{
	for (const struct attachment *a = p->attachments; a; a = a->next)
		if (a->pid == pid && a->object->allocator.tells_itself)
			return true;
	return false;
}

/* A function's return first: once its entry is seen, so is its return. */
static int attach_probe(struct heap_probes *p, struct attachment *a, const struct allocator_probe *probe,
			const char *path)
{
	int err = 0;

	if (probe->function != HEAP_FREE)
		err = perf_links__attach_uprobe(&a->links, p->programs.returned, p->type, path, probe->offset,
						a->pid, true);
	if (!err)
		err = perf_links__attach_uprobe(&a->links, p->programs.entered[probe->function], p->type,
						path, probe->offset, a->pid, false);
	if (err)
		log__verbose("cannot probe %s in %s for %d: %s", probe->name, a->object->path, a->pid,
			     strerror(-err));
	return err;
}

static int attach_each(struct heap_probes *p, struct attachment *a, const char *path)
{
	const struct allocator *allocator = &a->object->allocator;
	int err = 0, n = 0;

	for (size_t i = 0; i < allocator->count; i++) {
		int e = attach_probe(p, a, &allocator->probes[i], path);

		if (e)
			err = e;
		else
			n++;
	}
	return n ? n : err;
}

static int attach_together(struct heap_probes *p, struct attachment *a, const char *path)
{
	const struct allocator *allocator = &a->object->allocator;
	unsigned long long entries[ALLOCATOR_PROBES_MAX], cookies[ALLOCATOR_PROBES_MAX],
		returns[ALLOCATOR_PROBES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < allocator->count; i++) {
		entries[i] = allocator->probes[i].offset;
		cookies[i] = allocator->probes[i].function;
		if (allocator->probes[i].function != HEAP_FREE)
			returns[n++] = entries[i];
	}
	if (n) {
		a->returned = uprobe_multi__attach(bpf_program__fd(p->programs.any_returned), path, returns,
						   NULL, n, a->pid, true);
		if (a->returned < 0)
			return a->returned;
	}
	a->entered = uprobe_multi__attach(bpf_program__fd(p->programs.any_entered), path, entries, cookies,
					  allocator->count, a->pid, false);
	return a->entered < 0 ? a->entered : (int)allocator->count;
}

/* libbpf finds the probes, their arguments and semaphores. */
static int attach_told(struct heap_probes *p, struct attachment *a, const char *path)
{
	pid_t pid = a->pid == EVERYBODY ? -1 : a->pid;

	a->told[0] =
		bpf_program__attach_usdt(p->programs.block_told, pid, path, "otel_memory", "alloc", NULL);
	if (!a->told[0])
		return -errno;
	a->told[1] = bpf_program__attach_usdt(p->programs.free_told, pid, path, "otel_memory", "free", NULL);
	return a->told[1] ? 2 : -errno;
}

static int attach_any(struct heap_probes *p, struct attachment *a, const char *path)
{
	bool raised = privileges__raise(CAP_SYS_ADMIN);
	int n;

	if (a->object->allocator.tells_itself)
		n = attach_told(p, a, path);
	else if (p->programs.any_entered)
		n = attach_together(p, a, path);
	else
		n = attach_each(p, a, path);
	if (n == -EACCES && !privileges__has(CAP_SYS_ADMIN) && !p->refused) {
		p->refused = true;
		log__warn(
			"CAP_SYS_ADMIN is missing: the kernel takes it for uprobes that are set one by one, as "
			"before 6.6 all are, and those of USDT");
	}
	privileges__lower(CAP_SYS_ADMIN, raised);
	if (n < 0)
		log__verbose("cannot probe %s for %d: %s", a->object->path, a->pid, strerror(-n));
	else
		log__verbose("%d: %d %s of %s are probed", a->pid, n,
			     a->object->allocator.tells_itself ? "USDT probes" : "functions",
			     a->object->path);
	return n;
}

/* path: where the kernel finds the file. How many functions, also if they were probed before; -errno: not
 * one. */
static int attach_object(struct heap_probes *p, pid_t pid, struct object *o, const char *path)
{
	struct attachment *a;
	int n;

	if (p->everywhere)
		pid = EVERYBODY;
	if (!o->allocator.tells_itself && (!o->allocator.count || tells_itself(p, pid)))
		return 0;
	if (is_attached(p, pid, o))
		return o->allocator.count + o->allocator.tells_itself;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = (struct attachment){.pid = pid, .object = o, .entered = -1, .returned = -1};
	n = attach_any(p, a, path);
	if (n <= 0) {
		end_attachment(a);
		return n;
	}
	if (o->allocator.tells_itself)
		heap_probes__detach(p, pid); /* or blocks would be told twice */
	a->next = p->attachments;
	p->attachments = a;
	o->processes++;
	return n;
}

/* What is mapped, whatever its name leads to by now; where that is not allowed, by its name. */
static int open_mapped(pid_t pid, const struct maps_entry *entry, char *path, size_t size)
{
	int fd;

	snprintf(path, size, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)entry->start,
		 (unsigned long long)entry->end);
	fd = elf_file__open_regular(path);
	if (fd >= 0)
		return fd;
	snprintf(path, size, "/proc/%d/root%s", pid, entry->name);
	return elf_file__open_regular(path);
}

int heap_probes__attach(struct heap_probes *p, pid_t pid)
{
	char path[PATH_MAX + 64], *text;
	int total = 0, err = 0, found;
	const char *rest;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	rest = text = file__read(path, NULL);
	if (!text)
		return -errno;
	while ((found = maps__next(&rest, p->entry))) {
		struct object *o;
		int fd, n;

		if (found < 0 || !(p->entry->perms & MAPS_EXEC) || p->entry->name[0] != '/')
			continue;
		fd = open_mapped(pid, p->entry, path, sizeof(path));
		o = fd < 0 ? NULL : object_of(p, fd, p->entry->name);
		n = o ? attach_object(p, pid, o, path) : 0;
		if (n < 0)
			err = n;
		else
			total += n;
	}
	free(text);
	return total ? total : err;
}

static void take_listed(void *context, const char *path)
{
	struct heap_probes *p = context;
	struct ahead *ahead = calloc(1, sizeof(*ahead)), **end = &p->ahead;

	if (ahead)
		ahead->path = strdup(path);
	if (!ahead || !ahead->path) {
		free(ahead);
		return;
	}
	while (*end)
		end = &(*end)->next;
	*end = ahead;
}

void heap_probes__look_ahead(struct heap_probes *p, const char *program)
{
	loader_list__of(program, take_listed, p);
}

int heap_probes__attach_ahead(struct heap_probes *p, pid_t pid)
{
	int total = 0, err = 0;

	for (const struct ahead *ahead = p->ahead; ahead; ahead = ahead->next) {
		int fd = elf_file__open_regular(ahead->path), n;
		struct object *o = fd < 0 ? NULL : object_of(p, fd, ahead->path);

		n = o ? attach_object(p, pid, o, ahead->path) : 0;
		if (n < 0)
			err = n;
		else
			total += n;
	}
	return total ? total : err;
}

void heap_probes__detach(struct heap_probes *p, pid_t pid)
{
	struct attachment **at = &p->attachments, *a;

	while ((a = *at)) {
		if (a->pid != pid) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		end_attachment(a);
	}
}

size_t heap_probes__objects(const struct heap_probes *p, struct heap_object *objects, size_t max)
{
	size_t n = 0;

	for (const struct object *o = p->objects; o && n < max; o = o->next) {
		if (!o->processes)
			continue;
		objects[n] =
			(struct heap_object){.path = o->path,
					     .functions = o->allocator.tells_itself ? 0 : o->allocator.count,
					     .processes = o->processes,
					     .tells_itself = o->allocator.tells_itself};
		for (size_t i = 0; i < objects[n].functions; i++)
			objects[n].slow += !o->allocator.probes[i].is_emulated;
		n++;
	}
	return n;
}
