/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/memory_watch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proc/file.h"
#include "proc/maps.h"
#include "trace/session.h"
#include "util/log.h"

#define MS		1000000ull
#define STEP_LEAST_NS	(100 * MS)
#define STEP_MOST_NS	(1000 * MS)
#define STEPS		200 /* in a run, if it is not too short or too long for that */
#define PAUSE		200 /* times what a look takes until the next one: half a per cent of a core */
#define SCAN_NS		(1000 * MS)
#define ROLLUP_PAGE_NS	12	  /* for each resident page; 10.6 were measured */
#define ROLLUP_PAUSE	200	  /* the same for smaps_rollup */
#define ROLLUP_AT_ONCE	(50 * MS) /* what a reading may be expected to take */
#define ROLLUP_AT_FIRST (10 * MS) /* what all may take when it begins */
#define KEEP_ENDED	256
#define FILES_MOST	65536 /* open, at most */

struct memory_watch {
	const struct target *target;
	struct watched *all; /* hash by pid, of those that run */
	struct watched *ended;
	size_t ended_count;
	struct watched_cgroup *cgroup;
	uint64_t began_ns, next_ns, next_scan_ns;
	uint64_t step_ns;    /* between the last two looks */
	uint64_t rollups_ns; /* that smaps_rollup took in this look: it has a pace of its own */
	/* What reading smaps_rollup has taken in all; whose turn it is: those that were not tried since. */
	uint64_t spent_ns, turn_ns;
	uint64_t samples, left_out;
	char buf[16384];
};

/* Each process takes one open file. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max < FILES_MOST ? limit.rlim_max : FILES_MOST;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_cgroup(struct memory_watch *w)
{
	struct watched_cgroup *c;
	uint64_t id;

	if (!w->target->cgroup)
		return 0;
	c = w->cgroup = calloc(1, sizeof(*c));
	if (!c) {
		log__error("no memory");
		return -ENOMEM;
	}
	snprintf(c->path, sizeof(c->path), "%s", w->target->cgroup);
	return cgroup__find_dir(w->target->cgroup, c->dir, sizeof(c->dir), &id, &c->is_v1);
}

struct memory_watch *memory_watch__new(const struct target *target)
{
	struct memory_watch *w = calloc(1, sizeof(*w));

	if (!w) {
		log__error("no memory");
		return NULL;
	}
	w->target = target;
	if (!target->program) /* it would have the limit, too */
		allow_many_files();
	if (open_cgroup(w)) {
		memory_watch__free(w);
		return NULL;
	}
	return w;
}

static void free_all(struct watched **list)
{
	struct watched *p, *next;

	HASH_ITER(hh, *list, p, next) {
		HASH_DEL(*list, p);
		if (p->dir >= 0)
			close(p->dir);
		free(p);
	}
}

void memory_watch__free(struct memory_watch *w)
{
	if (!w)
		return;
	free_all(&w->all);
	free_all(&w->ended);
	free(w->cgroup);
	free(w);
}

/* --- files ------------------------------------------------------------------------------------------------
 */

/* A file of /proc/PID, as much as there is room for; NULL: the process has ended, or it is not ours to read.
 */
static const char *read_of(struct memory_watch *w, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 0;

	while (fd >= 0 && used + 1 < sizeof(w->buf) &&
	       (n = read(fd, w->buf + used, sizeof(w->buf) - 1 - used)) > 0)
		used += n;
	if (fd >= 0)
		close(fd);
	w->buf[used] = '\0';
	return used && n >= 0 ? w->buf : NULL;
}

static int open_process(uint32_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u", pid);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The heap is the first thing after the program, or nearly so. */
static uint64_t heap_of(struct memory_watch *w, int dir)
{
	const char *text = read_of(w, dir, "maps");
	struct maps_entry *entry = malloc(sizeof(*entry));
	uint64_t size = PROCESS_UNKNOWN;

	while (entry && text && size == PROCESS_UNKNOWN && maps__next(&text, entry) > 0)
		if (!strcmp(entry->name, "[heap]"))
			size = entry->end - entry->start;
	free(entry);
	return size;
}

/* --- who --------------------------------------------------------------------------------------------------
 */

static struct watched *find(const struct memory_watch *w, uint32_t pid)
{
	struct watched *p;

	HASH_FIND_INT(w->all, &pid, p);
	return p;
}

static struct watched *add(struct memory_watch *w, uint32_t pid, int dir)
{
	struct watched *p = calloc(1, sizeof(*p));

	if (!p) {
		close(dir);
		w->left_out++;
		return NULL;
	}
	p->pid = pid;
	p->dir = dir;
	p->heap = PROCESS_UNKNOWN;
	p->began_ns = session__now();
	HASH_ADD_INT(w->all, pid, p);
	return p;
}

void memory_watch__add(struct memory_watch *w, uint32_t pid)
{
	int dir = find(w, pid) ? -1 : open_process(pid);

	if (dir >= 0)
		add(w, pid, dir);
}

/* The kernel's ends of names are those of --comm; what status shows of one is escaped. */
static bool has_comm(struct memory_watch *w, int dir, const char *comm)
{
	const char *text = read_of(w, dir, "comm");

	return text && strcspn(text, "\n") == strlen(comm) && !strncmp(text, comm, strlen(comm));
}

/* Are those wanted whose parent is watched? */
static bool follows_children(const struct target *t)
{
	return t->program || (t->pid_count && t->follow);
}

/* Is it to be watched because of its parent or its name? Those of a cgroup come from its own list. */
static bool is_wanted(struct memory_watch *w, int dir)
{
	const struct target *t = w->target;
	bool by_parent = follows_children(t);
	struct process_status status;
	const char *text = read_of(w, dir, "status");

	if (!text || !process_status__parse(text, &status) || (pid_t)status.tgid == getpid())
		return false;
	if (by_parent && !find(w, status.ppid))
		return false;
	if (t->pid_count && !by_parent)
		return false;
	return !t->comm || has_comm(w, dir, t->comm);
}

static void consider(struct memory_watch *w, uint32_t pid)
{
	int dir;

	if (find(w, pid))
		return;
	dir = open_process(pid);
	if (dir < 0) {
		w->left_out += errno == EMFILE;
		return;
	}
	if (is_wanted(w, dir))
		add(w, pid, dir);
	else
		close(dir);
}

static void scan_proc(struct memory_watch *w)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			consider(w, strtoul(entry->d_name, NULL, 10));
	if (proc)
		closedir(proc);
}

/* path: of a file of pids, with one of `ends` after each. */
static void scan_pids_file(struct memory_watch *w, const char *path, const char *ends)
{
	char *text = file__read(path, NULL), *rest = text, *pid;

	while (rest && (pid = strsep(&rest, ends)))
		if (*pid)
			consider(w, strtoul(pid, NULL, 10));
	free(text);
}

/* Does the kernel list the children of a thread (CONFIG_PROC_CHILDREN)? */
static bool lists_children(void)
{
	return !access("/proc/thread-self/children", R_OK);
}

static void scan_children(struct memory_watch *w, uint32_t pid)
{
	char path[64 + NAME_MAX];
	struct dirent *entry;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/task/%s/children", pid, entry->d_name);
		scan_pids_file(w, path, " ");
	}
	if (threads)
		closedir(threads);
}

/* Children of children are at the end of the table, and so are found as well. */
static void scan_families(struct memory_watch *w)
{
	for (struct watched *p = w->all; p; p = p->hh.next)
		scan_children(w, p->pid);
}

static void scan_cgroup(struct memory_watch *w)
{
	char *const paths[] = {w->cgroup->dir, NULL};
	char path[PATH_MAX * 2 + 32];
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	while (tree && (entry = fts_read(tree))) {
		if (entry->fts_info != FTS_D)
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.procs", entry->fts_path);
		scan_pids_file(w, path, "\n");
	}
	if (tree)
		fts_close(tree);
}

/* Who is there? Paced by what it takes to find out. */
static void scan(struct memory_watch *w, uint64_t now)
{
	const struct target *t = w->target;
	uint64_t took, began = session__cpu();

	for (size_t i = 0; i < t->pid_count && now == w->began_ns; i++)
		memory_watch__add(w, t->pids[i]);
	if (t->pid_count && !t->follow)
		return;
	if (w->cgroup)
		scan_cgroup(w);
	else if (follows_children(t) && lists_children())
		scan_families(w);
	else
		scan_proc(w);
	took = session__cpu() - began;
	w->next_scan_ns = now + (took * PAUSE > SCAN_NS ? took * PAUSE : SCAN_NS);
}

/* --- one look ---------------------------------------------------------------------------------------------
 */

static uint64_t known(uint64_t bytes)
{
	return bytes == PROCESS_UNKNOWN ? 0 : bytes;
}

static void forget_one(struct memory_watch *w)
{
	struct watched *oldest = w->ended;

	for (struct watched *p = w->ended; p; p = p->hh.next)
		if (p->ended_ns < oldest->ended_ns)
			oldest = p;
	HASH_DEL(w->ended, oldest);
	free(oldest);
	w->ended_count--;
}

static void keep_ended(struct memory_watch *w, struct watched *p, uint64_t now)
{
	if (p->dir >= 0)
		close(p->dir);
	p->dir = -1;
	p->ended_ns = now;
	if (!p->series.count) {
		free(p);
		return;
	}
	if (w->ended_count == KEEP_ENDED)
		forget_one(w);
	/* A pid may be there more than once: no one looks for it. */
	HASH_ADD_INT(w->ended, pid, p);
	w->ended_count++;
}

/* May it be read now? Of all the time it may take a ROLLUP_PAUSE-th, and a little at first. */
static bool may_read_rollup(const struct memory_watch *w, const struct watched *p, uint64_t now)
{
	uint64_t expected = p->status.rss / 4096 * ROLLUP_PAGE_NS;

	if (p->tried_ns > w->turn_ns || w->spent_ns > ROLLUP_AT_FIRST + (now - w->began_ns) / ROLLUP_PAUSE)
		return false;
	/* The walk holds a lock that the process needs to map memory: a large one is read when there is time
	 * for it. */
	return expected < ROLLUP_AT_ONCE || expected < (now - w->began_ns) / ROLLUP_PAUSE;
}

/* True: it was read now. */
static bool read_rollup(struct memory_watch *w, struct watched *p, uint64_t now)
{
	struct smaps_rollup rollup;
	uint64_t began = session__cpu();
	const char *text;
	bool done;

	if (!may_read_rollup(w, p, now))
		return false;
	text = read_of(w, p->dir, "smaps_rollup");
	done = text && smaps_rollup__parse(text, &rollup);
	if (done) {
		p->rollup = rollup;
		p->has_rollup = true;
		p->heap = heap_of(w, p->dir);
	}
	p->tried_ns = now;
	w->rollups_ns += session__cpu() - began;
	return done;
}

/* Exec makes another program of it. A change of the name alone may be its own doing. */
static bool has_executed(const struct process_status *before, const struct process_status *now)
{
	return strcmp(before->comm, now->comm) && (before->text != now->text || before->peak > now->peak);
}

static struct watched *begin_anew(struct memory_watch *w, struct watched *p, uint64_t now)
{
	struct watched *next;
	int dir;

	dir = p->dir;
	p->dir = -1;
	HASH_DEL(w->all, p);
	keep_ended(w, p, now);
	next = add(w, p->pid, dir);
	return next;
}

static void look(struct memory_watch *w, struct watched *p, uint64_t now)
{
	const char *text = read_of(w, p->dir, "status");
	struct process_status status;
	uint64_t anon, swap;

	if (!text || !process_status__parse(text, &status)) {
		HASH_DEL(w->all, p);
		keep_ended(w, p, now);
		return;
	}
	if (p->series.count && has_executed(&p->status, &status))
		p = begin_anew(w, p, now);
	if (!p)
		return;
	p->status = status;
	anon = status.anon;
	swap = known(status.swap);
	/* Counters of a kernel between 6.2 and 6.15 lag behind by up to 32 pages a CPU (f1a7941243c1,
	 * 82241a83cd15). */
	if (!read_rollup(w, p, session__now()))
		p->by_status = true;
	if (!p->by_status) {
		anon = p->rollup.anon;
		swap = known(p->rollup.swap);
	}
	/* Shared memory is not its alone: a process that looks at more and more of it does not leak. */
	p->held = anon + swap + known(status.hugetlb);
	series__add(&p->series, now, p->held);
	w->samples++;
}

static void look_at_cgroup(struct watched_cgroup *c, uint64_t now)
{
	struct cgroup_memory *m = &c->memory;

	if (cgroup_memory__read(m, c->dir, c->is_v1))
		return;
	series__add(&c->series, now,
		    m->anon + (m->shmem == CGROUP_UNKNOWN ? 0 : m->shmem) +
			    (m->swap == CGROUP_UNKNOWN ? 0 : m->swap));
}

/* 200 looks, if they can be between a tenth of a second and a second apart; less often if they take long. */
static uint64_t step(const struct memory_watch *w, uint64_t now, uint64_t took)
{
	uint64_t ns = (now - w->began_ns) / STEPS;

	ns = ns < STEP_LEAST_NS ? STEP_LEAST_NS : ns > STEP_MOST_NS ? STEP_MOST_NS : ns;
	return ns < took * PAUSE ? took * PAUSE : ns;
}

void memory_watch__sample(struct memory_watch *w, uint64_t now)
{
	struct watched *p, *next;
	uint64_t began;

	if (now < w->next_ns)
		return;
	if (!w->began_ns)
		w->began_ns = w->next_ns = now;
	if (now >= w->next_scan_ns)
		scan(w, now);
	now = session__now();
	began = session__cpu();
	w->rollups_ns = 0;
	w->turn_ns = now;
	HASH_ITER(hh, w->all, p, next)
		w->turn_ns = p->tried_ns < w->turn_ns ? p->tried_ns : w->turn_ns;
	HASH_ITER(hh, w->all, p, next)
		look(w, p, now);
	w->spent_ns += w->rollups_ns;
	if (w->cgroup)
		look_at_cgroup(w->cgroup, now);
	w->step_ns = step(w, now, session__cpu() - began - w->rollups_ns);
	/* A look that came late does not put off those after it. */
	w->next_ns = now < w->next_ns + w->step_ns ? w->next_ns + w->step_ns : now + w->step_ns;
}

bool memory_watch__is_over(const struct memory_watch *w)
{
	return w->target->pid_count && w->began_ns && !w->all;
}

/* --- what it has ------------------------------------------------------------------------------------------
 */

/* Those that grow, by rate; then what may, what does not, what shrinks, each by size; then those that have
 * ended. */
static int by_growth(struct watched *a, struct watched *b)
{
	static const int order[GROWTH_VERDICTS] = {
		[GROWTH_GROWING] = 0,
		[GROWTH_UNCLEAR] = 1,
		[GROWTH_STABLE] = 2,
		[GROWTH_SHRINKING] = 3,
	};
	int p = order[a->growth.verdict], q = order[b->growth.verdict];

	if (p != q)
		return p - q;
	if (!a->ended_ns != !b->ended_ns)
		return a->ended_ns ? 1 : -1;
	if (a->growth.verdict == GROWTH_GROWING && a->growth.rate != b->growth.rate)
		return a->growth.rate > b->growth.rate ? -1 : 1;
	if (a->held != b->held)
		return a->held > b->held ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

void memory_watch__judge(struct memory_watch *w)
{
	for (struct watched *p = w->all; p; p = p->hh.next)
		growth__judge(&p->series, &p->growth);
	for (struct watched *p = w->ended; p; p = p->hh.next)
		growth__judge(&p->series, &p->growth);
	HASH_SORT(w->all, by_growth);
	HASH_SORT(w->ended, by_growth);
	if (w->cgroup)
		growth__judge(&w->cgroup->series, &w->cgroup->growth);
}

struct watched *memory_watch__processes(const struct memory_watch *w)
{
	return w->all;
}

struct watched *memory_watch__ended(const struct memory_watch *w)
{
	return w->ended;
}

struct watched_cgroup *memory_watch__cgroup(const struct memory_watch *w)
{
	return w->cgroup;
}

uint64_t memory_watch__samples(const struct memory_watch *w)
{
	return w->samples;
}

uint64_t memory_watch__left_out(const struct memory_watch *w)
{
	return w->left_out;
}
