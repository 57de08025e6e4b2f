/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_before.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/cgroup_recorder.h"
#include "model/memory_recorder.h"
#include "proc/cgroup.h"
#include "proc/file.h"
#include "proc/memory_cgroup.h"
#include "proc/memory_files.h"
#include "proc/users.h"
#include "proc/zones.h"
#include "trace/session.h"
#include "util/log.h"

#define PAGE		4096ull
#define LEAST_CANDIDATE 256 /* pages; of the whole machine */
#define PAUSE_FACTOR	20  /* looking at all processes may take a 20th of the time */
#define COMMANDS	8   /* command lines read in a round */
#define SAMPLES		RECORDER_SAMPLES
#define LOOK_NS		50000000ull /* between two looks at the machine, at least */

/* What has happened on the machine up to then; OOM_UNKNOWN where it is not told. */
struct look {
	uint64_t time_ns, some_us, full_us;
	uint64_t major_faults, pages_in, pages_out, reclaim_ns;
};

struct oom_before {
	struct memory_recorder *recorder;
	struct cgroup_recorder *cgroups;
	struct {
		int fd;		/* its usage; -1: not open */
		uint64_t owner; /* whose it is: cgroup_recorder__owner() */
	} usage[RECORDER_CGROUPS];
	struct memory_hierarchy hierarchy;
	struct users *users;
	int meminfo_fd, pressure_fd, vmstat_fd, zoneinfo_fd, buddyinfo_fd;
	char text[65536]; /* of the last two */
	struct oom_machine machine;
	struct look looks[SAMPLES]; /* a ring */
	uint64_t look_count;	    /* that have been in it */
	uint64_t list_again_ns;
	struct oom_kill *kill; /* that is being told */
	uint64_t total_bytes;  /* what its badness is measured by */
};

struct oom_before *oom_before__new(void)
{
	struct oom_before *b = calloc(1, sizeof(*b));
	char *passwd;

	if (!b)
		return NULL;
	passwd = file__read("/etc/passwd", NULL);
	if (passwd)
		b->users = users__new(passwd);
	free(passwd);
	for (int i = 0; i < RECORDER_CGROUPS; i++)
		b->usage[i].fd = -1;
	b->recorder = memory_recorder__new();
	b->cgroups = cgroup_recorder__new();
	b->meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	b->pressure_fd = open("/proc/pressure/memory", O_RDONLY | O_CLOEXEC);
	b->vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	b->zoneinfo_fd = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);
	b->buddyinfo_fd = open("/proc/buddyinfo", O_RDONLY | O_CLOEXEC);
	memory_hierarchy__find(&b->hierarchy);
	b->machine = (struct oom_machine){OOM_UNKNOWN, OOM_UNKNOWN, OOM_UNKNOWN, OOM_UNKNOWN, -1, -1, 0};
	if (b->recorder && b->cgroups)
		return b;
	oom_before__free(b);
	return NULL;
}

void oom_before__free(struct oom_before *b)
{
	if (!b)
		return;
	if (b->meminfo_fd >= 0)
		close(b->meminfo_fd);
	if (b->pressure_fd >= 0)
		close(b->pressure_fd);
	if (b->vmstat_fd >= 0)
		close(b->vmstat_fd);
	if (b->zoneinfo_fd >= 0)
		close(b->zoneinfo_fd);
	if (b->buddyinfo_fd >= 0)
		close(b->buddyinfo_fd);
	for (int i = 0; i < RECORDER_CGROUPS; i++)
		if (b->usage[i].fd >= 0)
			close(b->usage[i].fd);
	memory_recorder__free(b->recorder);
	cgroup_recorder__free(b->cgroups);
	users__free(b->users);
	free(b);
}

/* --- every second -----------------------------------------------------------------------------------------
 */

/* A small file that stays open, into a buffer of ours: no allocation. */
static bool read_again(int fd, char *buf, size_t size)
{
	ssize_t n = fd >= 0 ? pread(fd, buf, size - 1, 0) : -1;

	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void read_machine(struct oom_before *b)
{
	char text[4096];

	if (!read_again(b->meminfo_fd, text, sizeof(text)))
		return;
	meminfo__find(text, "MemTotal", &b->machine.total);
	meminfo__find(text, "MemAvailable", &b->machine.available);
	meminfo__find(text, "SwapTotal", &b->machine.swap_total);
	meminfo__find(text, "SwapFree", &b->machine.swap_free);
}

static void look_at_strain(struct oom_before *b, const struct oom_source *source, uint64_t now)
{
	struct look *l = &b->looks[b->look_count++ % SAMPLES];
	char text[16384];

	memset(l, 0xff, sizeof(*l));
	l->time_ns = now;
	l->reclaim_ns = oom_source__reclaim_ns(source);
	if (read_again(b->pressure_fd, text, sizeof(text)) &&
	    !pressure__parse(text, &l->some_us, &l->full_us))
		l->some_us = l->full_us = OOM_UNKNOWN;
	if (!read_again(b->vmstat_fd, text, sizeof(text)))
		return;
	counter__find(text, "pgmajfault", &l->major_faults);
	counter__find(text, "pswpin", &l->pages_in);
	counter__find(text, "pswpout", &l->pages_out);
}

static void take_sample(void *context, const struct oom_process *p)
{
	struct oom_before *b = context;

	memory_recorder__take(b->recorder, p);
	cgroup_recorder__touch(b->cgroups, memory_recorder__cgroup(b->recorder, &p->process));
}

/* Arguments are separated by NUL. */
static void read_command(struct memory_recorder *recorder, const struct process_key *key)
{
	char path[64], text[RECORDER_COMMAND];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", key->tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	memory_recorder__set_command(recorder, key, text);
}

/* Where it was when it was first of note: processes seldom move. */
static void read_cgroup(struct oom_before *b, const struct process_key *key)
{
	char path[64], text[4096], cgroup[OOM_CGROUP_SIZE];
	int fd, place = -1;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", key->tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read_again(fd, text, sizeof(text)) &&
	    !cgroup__of_process(text, b->hierarchy.is_v1, cgroup, sizeof(cgroup)))
		place = cgroup_recorder__place(b->cgroups, cgroup);
	close(fd);
	memory_recorder__set_cgroup(b->recorder, key, place);
	cgroup_recorder__touch(b->cgroups, place);
}

/* Each file stays open as long as its cgroup has its place. */
static void look_at_cgroup(struct oom_before *b, int place, const char *cgroup)
{
	char path[sizeof(b->hierarchy.dir) + OOM_CGROUP_SIZE + 32], text[32];
	uint64_t owner = cgroup_recorder__owner(b->cgroups, place);

	if (b->usage[place].owner != owner) {
		if (b->usage[place].fd >= 0)
			close(b->usage[place].fd);
		snprintf(path, sizeof(path), "%s%s/%s", b->hierarchy.dir, cgroup,
			 b->hierarchy.is_v1 ? "memory.usage_in_bytes" : "memory.current");
		b->usage[place].fd = open(path, O_RDONLY | O_CLOEXEC);
		b->usage[place].owner = owner;
	}
	if (read_again(b->usage[place].fd, text, sizeof(text)))
		cgroup_recorder__take(b->cgroups, place, strtoull(text, NULL, 10));
}

static void look_at_cgroups(struct oom_before *b)
{
	const char *cgroup;

	for (int place = 0; *b->hierarchy.dir && place < RECORDER_CGROUPS; place++)
		if ((cgroup = cgroup_recorder__wanted(b->cgroups, place)))
			look_at_cgroup(b, place, cgroup);
}

int oom_before__watch(struct oom_before *b, struct oom_source *source)
{
	uint64_t now = session__now(), least = memory_recorder__begin(b->recorder, now);
	const struct process_key *key;
	int err;

	read_machine(b);
	look_at_strain(b, source, now);
	cgroup_recorder__begin(b->cgroups, now);
	err = oom_source__list(source, 0, least / PAGE, false, take_sample, b);
	for (int i = 0; i < COMMANDS && (key = memory_recorder__wants_command(b->recorder)); i++) {
		read_command(b->recorder, key);
		read_cgroup(b, key);
	}
	look_at_cgroups(b);
	return err;
}

/* --- at a kill --------------------------------------------------------------------------------------------
 */

/* What was added between two looks; OOM_UNKNOWN. */
static uint64_t added(uint64_t from, uint64_t to)
{
	return from == OOM_UNKNOWN || to == OOM_UNKNOWN || to < from ? OOM_UNKNOWN : to - from;
}

static double share_of(uint64_t us, uint64_t over_ns)
{
	double share = us * 1e3 / over_ns;

	return us == OOM_UNKNOWN ? -1 : share > 1 ? 1 : share;
}

static void tell_strain(const struct look *from, const struct look *to, struct oom_kill *kill)
{
	uint64_t over = to->time_ns - from->time_ns, in = added(from->pages_in, to->pages_in),
		 out = added(from->pages_out, to->pages_out);

	if (to->time_ns <= from->time_ns || kill->strain_count >= OOM_POINTS)
		return;
	kill->strain[kill->strain_count++] = (struct oom_strain){
		.before_ns = kill->time_ns > to->time_ns ? kill->time_ns - to->time_ns : 0,
		.over_ns = over,
		.stalled = share_of(added(from->some_us, to->some_us), over),
		.major_faults = added(from->major_faults, to->major_faults),
		.swapped_in = in == OOM_UNKNOWN ? in : in * PAGE,
		.swapped_out = out == OOM_UNKNOWN ? out : out * PAGE,
		.reclaim_ns = to->reclaim_ns - from->reclaim_ns,
	};
}

/* The minute; the last look is taken now, so that the time since the one before it is not missing. */
static void tell_machine(struct oom_before *b, const struct oom_source *source, struct oom_kill *kill)
{
	const struct look *first, *last = &b->looks[(b->look_count - 1) % SAMPLES];
	uint64_t now = session__now(), oldest;

	kill->machine = b->machine;
	if (now - last->time_ns > LOOK_NS)
		look_at_strain(b, source, now);
	oldest = b->look_count > SAMPLES ? b->look_count - SAMPLES : 0;
	for (uint64_t i = oldest; i + 1 < b->look_count; i++)
		tell_strain(&b->looks[i % SAMPLES], &b->looks[(i + 1) % SAMPLES], kill);
	first = &b->looks[oldest % SAMPLES];
	last = &b->looks[(b->look_count - 1) % SAMPLES];
	if (last->time_ns <= first->time_ns)
		return;
	kill->machine.stall_over_ns = last->time_ns - first->time_ns;
	kill->machine.stall_some =
		share_of(added(first->some_us, last->some_us), kill->machine.stall_over_ns);
	kill->machine.stall_full =
		share_of(added(first->full_us, last->full_us), kill->machine.stall_over_ns);
}

/* resident OOM_UNKNOWN: it is gone. */
static void add_grower(struct oom_before *b, const struct process_key *key, const char *comm,
		       uint64_t resident)
{
	struct oom_point points[OOM_POINTS];
	char name[COMM_SIZE + 1] = "";
	size_t n;

	if (key->tgid == (uint32_t)getpid()) /* what it has was reserved at the start */
		return;
	n = memory_recorder__history(b->recorder, key, b->kill->time_ns, resident, points);
	memcpy(name, comm, COMM_SIZE);
	oom_kill__add_grower(b->kill, key, name, resident == OOM_UNKNOWN, points, n);
	memory_recorder__tell(b->recorder, key, b->kill->time_ns);
}

/* How the cgroup whose limit it was came to it, and which of those below it grew. */
static void tell_cgroups(struct oom_before *b, struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);
	struct oom_point points[OOM_POINTS];
	size_t n;

	if (!hit && kill->constraint == OOM_MEMCG)
		return;
	if (hit) {
		n = cgroup_recorder__history(b->cgroups, hit->cgroup, kill->time_ns, hit->usage, points);
		oom_cgroup_growth__set(&kill->limit_growth, hit->cgroup, points, n);
	}
	cgroup_recorder__growers(b->cgroups, hit ? hit->cgroup : NULL, kill->time_ns, kill);
}

static void add_candidate(struct oom_before *b, struct oom_candidate *c, const char *comm)
{
	c->badness = oom_badness(c->resident, c->swap, c->pgtables, c->oom_score_adj, b->total_bytes);
	memcpy(c->comm, comm, COMM_SIZE);
	oom_kill__add_candidate(b->kill, c);
}

/* The victim is one, too. */
static void add_victim(struct oom_before *b, const struct process_key *key, const struct oom_kill *kill)
{
	uint64_t resident = oom_size__resident(&kill->size);
	struct oom_candidate c = {
		.pid = key->tgid,
		.resident = resident,
		.swap = kill->size.swap,
		.pgtables = kill->size.pgtables,
		.oom_score_adj = kill->victim.oom_score_adj,
	};

	if (kill->candidates_seen)
		add_candidate(b, &c, kill->victim.comm);
	add_grower(b, key, kill->victim.comm, resident);
	memory_recorder__killed(b->recorder, key);
}

static void add_other(struct oom_before *b, const struct oom_process *p, bool gone)
{
	struct oom_candidate c = {
		.pid = p->process.tgid,
		.resident = oom_process__resident(p),
		.swap = p->swap * PAGE,
		.pgtables = p->pgtables_bytes,
		.oom_score_adj = p->oom_score_adj,
		.gone = gone,
	};

	add_candidate(b, &c, p->comm);
}

static void take_living(void *context, const struct oom_process *p)
{
	struct oom_before *b = context;

	if (p->process.tgid == b->kill->victim.pid)
		return; /* it is known from the moment of the kill */
	add_other(b, p, false);
	add_grower(b, &p->process, p->comm, oom_process__resident(p));
}

/* It was there a second ago, and is not any more: the next kill may have been its. */
static void take_gone(void *context, const struct untold *u)
{
	struct oom_before *b = context;
	const struct oom_process *p = u->process;
	const struct oom_limit *hit = oom_kill__hit(b->kill);

	if (p->process.tgid == b->kill->victim.pid ||
	    (hit && (u->cgroup < 0 || !cgroup_recorder__is_under(b->cgroups, u->cgroup, hit->cgroup))))
		return;
	if (!u->killed)
		add_other(b, p, true);
	add_grower(b, &p->process, p->comm, OOM_UNKNOWN);
}

/* What there is to share: of the limit, or of the machine. */
static uint64_t total_bytes(const struct oom_before *b, const struct oom_kill *kill)
{
	uint64_t swap = b->machine.swap_total == OOM_UNKNOWN ? 0 : b->machine.swap_total;
	uint64_t total = b->machine.total == OOM_UNKNOWN ? 0 : b->machine.total;

	if (kill->total_pages != OOM_UNKNOWN)
		return kill->total_pages * PAGE;
	if (kill->hit >= 0 && kill->limits[kill->hit].limit != OOM_UNKNOWN)
		total = kill->limits[kill->hit].limit;
	return total + swap;
}

static void look_at_limits(const struct oom_before *b, struct oom_kill *kill)
{
	struct oom_contents *c = &kill->contents;
	const struct oom_limit *hit = oom_kill__hit(kill);

	for (size_t i = 0; i < kill->limit_count; i++)
		memory_cgroup__shortages(&b->hierarchy, &kill->limits[i]);
	if (hit && memory_cgroup__contents(&b->hierarchy, hit->cgroup, c) &&
	    c->anon + c->file + c->shmem < hit->usage / 2)
		memset(c, 0xff, sizeof(*c)); /* the victim's is gone already */
}

/* What is there now; the victim may have given back some of its memory. */
static void read_zones(struct oom_before *b, struct oom_kill *kill)
{
	const char *at = b->text;
	struct zone zones[OOM_ZONES];
	size_t n = 0;

	if (!read_again(b->zoneinfo_fd, b->text, sizeof(b->text)))
		return;
	while (n < OOM_ZONES && zoneinfo__next(&at, &zones[n]) == 1)
		n += zones[n].managed != 0;
	kill->zones_after_ns = session__now() - kill->time_ns;
	if (!read_again(b->buddyinfo_fd, b->text, sizeof(b->text)) || buddyinfo__read(b->text, zones, n))
		b->text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		struct oom_zone *z = &kill->zones[kill->zone_count++];

		*z = (struct oom_zone){.node = zones[i].node,
				       .free = zones[i].free * PAGE,
				       .min = zones[i].min * PAGE,
				       .low = zones[i].low * PAGE,
				       .largest = *b->text ? 0 : OOM_UNKNOWN};
		snprintf(z->name, sizeof(z->name), "%s", zones[i].name);
		for (unsigned order = 0; *b->text && order < zones[i].orders; order++)
			if (zones[i].blocks[order])
				z->largest = PAGE << order;
	}
}

/* In a memory cgroup whose limit is not known, others are not looked at: they are not to be had. */
static void look_at_others(struct oom_before *b, struct oom_source *source, struct oom_kill *kill)
{
	uint64_t began = session__now(), memcg = kill->hit >= 0 ? kill->limits[kill->hit].memcg : 0;

	if (began < b->list_again_ns)
		return;
	look_at_limits(b, kill);
	if (kill->constraint == OOM_MEMCG && !memcg)
		return;
	oom_source__list(source, memcg, memcg ? 0 : LEAST_CANDIDATE, memcg, take_living, b);
	memory_recorder__untold(b->recorder, kill->time_ns, take_gone, b);
	b->list_again_ns = began + (session__now() - began) * PAUSE_FACTOR;
}

/* A number in /proc/sys/vm; 0 if it cannot be read. */
static unsigned sysctl_vm(const char *name)
{
	char path[64], text[32];
	unsigned value = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read_again(fd, text, sizeof(text)))
		sscanf(text, "%8u", &value);
	close(fd);
	return value;
}

void oom_before__warn(void)
{
	unsigned panic = sysctl_vm("panic_on_oom");

	if (panic)
		log__warn(
			"vm.panic_on_oom is %u: %s the machine panics instead of killing, and nothing is told",
			panic, panic > 1 ? "whatever is short of memory," : "when it is out of memory,");
}

static void tell_who(const struct oom_before *b, const struct process_key *key, struct oom_who *who)
{
	snprintf(who->user, sizeof(who->user), "%s", users__name(b->users, who->uid) ?: "");
	snprintf(who->command, sizeof(who->command), "%s", memory_recorder__command(b->recorder, key));
}

void oom_before__tell(struct oom_before *b, struct oom_source *source, bool has_log,
		      const struct oom_kill_record *record, struct oom_kill *kill)
{
	const struct process_key *key = &record->victim.process;
	uint64_t resident = oom_size__resident(&kill->size);

	b->kill = kill;
	b->total_bytes = total_bytes(b, kill);
	if (!has_log && kill->constraint != OOM_MEMCG && !kill->was_dying)
		read_zones(b, kill);
	tell_machine(b, source, kill);
	kill->history_count =
		memory_recorder__history(b->recorder, key, kill->time_ns, resident, kill->history);
	tell_who(b, key, &kill->victim);
	tell_who(b, &record->trigger.process, &kill->trigger);
	kill->trigger_first = kill->constraint != OOM_MEMCG && sysctl_vm("oom_kill_allocating_task");
	tell_cgroups(b, kill);
	look_at_others(b, source, kill);
	add_victim(b, key, kill);
}
