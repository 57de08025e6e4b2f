/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/oom_kill.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/cgroup_path.h"
#include "model/vma_name.h"

#define PAGE	      4096ull
#define LIMIT_SLACK   64	    /* pages: what CPUs hold charged in advance (MEMCG_CHARGE_BATCH) */
#define GROUP_NS      2000000000ull /* the victims of one event follow one another at once */
#define MOST_ORDER    20	    /* more than any kernel has */
#define MUCH_FREE     4		    /* times what is wanted */
#define MARK_PATIENCE 10000000000ull

const char *oom_constraint__name(enum oom_constraint constraint)
{
	static const char *const names[] = {
		[OOM_NONE] = "none",
		[OOM_MEMCG] = "memcg",
		[OOM_CPUSET] = "cpuset",
		[OOM_MEMORY_POLICY] = "memory_policy",
	};

	return names[constraint];
}

static void init_who(struct oom_who *who)
{
	memset(who, 0, sizeof(*who));
	who->pid = who->tid = who->ns_pid = who->uid = who->start_ns = OOM_UNKNOWN;
	who->oom_score_adj = OOM_ADJ_UNKNOWN;
}

void oom_kill__init(struct oom_kill *kill)
{
	memset(kill, 0, sizeof(*kill));
	init_who(&kill->victim);
	init_who(&kill->trigger);
	memset(&kill->size, 0xff, sizeof(kill->size));
	kill->size.rough = false;
	kill->wall_ns = kill->exit_ns = kill->freed_ns = kill->reaped_ns = OOM_UNKNOWN;
	memset(&kill->contents, 0xff, sizeof(kill->contents));
	kill->stalled_ns = OOM_UNKNOWN;
	kill->total_pages = kill->nodes = OOM_UNKNOWN;
	kill->points = INT64_MIN;
	kill->order = kill->hit = -1;
	kill->machine = (struct oom_machine){OOM_UNKNOWN, OOM_UNKNOWN, OOM_UNKNOWN, OOM_UNKNOWN, -1, -1, 0};
}

const struct oom_limit *oom_kill__hit(const struct oom_kill *kill)
{
	return kill->hit >= 0 && (size_t)kill->hit < kill->limit_count ? &kill->limits[kill->hit] : NULL;
}

uint64_t oom_size__resident(const struct oom_size *size)
{
	return size->anon == OOM_UNKNOWN ? OOM_UNKNOWN : size->anon + size->file + size->shmem;
}

uint64_t oom_process__resident(const struct oom_process *p)
{
	return (p->file + p->anon + p->shmem) * PAGE;
}

/* --- cgroups ----------------------------------------------------------------------------------------------
 */

void oom_cgroup__path(const struct oom_cgroup *c, unsigned from, char *buf, size_t size)
{
	uint32_t end = c->path_size <= sizeof(c->path) ? c->path_size : sizeof(c->path);

	cgroup_path__build(c->path, end, c->is_cut || c->path_size >= OOM_PATH_MAX, from, buf, size);
}

bool oom_cgroup__container(const char *path, char id[65])
{
	bool found = false;

	for (const char *s = path; *s;) {
		size_t n = strspn(s, "0123456789abcdef");

		if (n == 64) {
			memcpy(id, s, 64);
			id[64] = '\0';
			found = true; /* of several, the innermost */
		}
		s += n ? n : 1;
	}
	return found;
}

static uint64_t limit_bytes(uint64_t pages)
{
	return !pages || pages >= OOM_NO_LIMIT ? OOM_UNKNOWN : pages * PAGE;
}

static bool is_at_limit(const struct oom_level *l, bool *memsw)
{
	*memsw = false;
	if (l->max < OOM_NO_LIMIT && l->usage + LIMIT_SLACK >= l->max)
		return true;
	*memsw = l->memsw_max && l->memsw_max < OOM_NO_LIMIT && l->memsw_usage + LIMIT_SLACK >= l->memsw_max;
	return *memsw;
}

static bool has_level(const struct oom_cgroup *c, uint64_t memcg)
{
	for (unsigned i = 0; i < c->level_count && i < OOM_LEVELS; i++)
		if (c->levels[i].memcg == memcg)
			return true;
	return false;
}

/*
 * The only level that has a limit, by the victim's cgroups, and is near it: what CPUs hold back and what
 * others gave back in the meantime is more than LIMIT_SLACK now and then. -1: there is none, or more than one
 * that it might be.
 */
static int only_limit(const struct oom_cgroup *c)
{
	int only = -1;

	for (unsigned i = 0; i < c->level_count && i < OOM_LEVELS; i++) {
		const struct oom_level *l = &c->levels[i];

		if (l->memsw_max && l->memsw_max < OOM_NO_LIMIT)
			return -1;
		if (l->max >= OOM_NO_LIMIT)
			continue;
		if (only >= 0)
			return -1;
		only = i;
	}
	return only >= 0 && !c->is_cut && c->levels[only].usage >= c->levels[only].max / 8 * 7 ? only : -1;
}

/*
 * Of the victim's cgroups that the request was charged to as well, the innermost at its limit: charging goes
 * from the inside to the outside. Else of the victim's: somebody outside lowered the limit. 7.2 tells.
 */
static void find_hit(struct oom_kill *kill, const struct oom_kill_record *r)
{
	uint64_t its_memcg = r->decision.time_ns ? r->decision.memcg : r->reclaim.memcg;
	const struct oom_cgroup *c = &r->victim_cgroup;
	bool memsw;

	for (int shared = 1; shared >= 0; shared--) {
		for (unsigned i = 0; i < kill->limit_count; i++) {
			bool told = its_memcg && its_memcg == c->levels[i].memcg;

			if (its_memcg && !told)
				continue;
			if (shared && !told && !has_level(&r->trigger_cgroup, c->levels[i].memcg))
				continue;
			if (!is_at_limit(&c->levels[i], &memsw) && !told)
				continue;
			kill->hit = i;
			kill->hit_memsw = memsw;
			return;
		}
	}
	if (!its_memcg)
		kill->hit = only_limit(c);
}

static void read_limits(struct oom_kill *kill, const struct oom_kill_record *r)
{
	const struct oom_cgroup *c = &r->victim_cgroup;

	for (unsigned i = 0; i < c->level_count && i < OOM_LEVELS; i++) {
		struct oom_limit *limit = &kill->limits[kill->limit_count++];

		memset(&limit->shortages, 0xff, sizeof(limit->shortages));
		limit->stalled_some = limit->stalled_full = -1;
		limit->memcg = c->levels[i].memcg;
		oom_cgroup__path(c, i, limit->cgroup, sizeof(limit->cgroup));
		limit->limit = limit_bytes(c->levels[i].max);
		limit->usage = c->levels[i].usage * PAGE;
		limit->memsw_limit = limit_bytes(c->levels[i].memsw_max);
		limit->memsw_usage = c->levels[i].memsw_max ? c->levels[i].memsw_usage * PAGE : OOM_UNKNOWN;
	}
}

/* --- a record ---------------------------------------------------------------------------------------------
 */

static void read_who(struct oom_who *who, const struct oom_task *t, const struct oom_cgroup *c)
{
	who->pid = t->process.tgid;
	who->tid = t->tid;
	who->ns_pid = t->ns_pid ? t->ns_pid : OOM_UNKNOWN;
	who->uid = t->uid;
	who->start_ns = t->process.start_ns;
	who->oom_score_adj = t->oom_score_adj;
	memcpy(who->comm, t->comm, COMM_SIZE);
	oom_cgroup__path(c, 0, who->cgroup, sizeof(who->cgroup));
}

/* What a kernel thread without a request kills for is a hand at the keyboard; a memcg's says its reclaim. */
static void judge_cause(struct oom_kill *kill, const struct oom_kill_record *r)
{
	bool recent = r->reclaim.kind != RECLAIM_NONE && r->time_ns - r->reclaim.time_ns < MARK_PATIENCE;

	kill->by_hand = r->trigger_is_kernel && !recent;
	if (!recent)
		return;
	kill->request_known = true;
	kill->order = r->reclaim.order;
	kill->gfp = r->reclaim.gfp;
	kill->reclaim_ns = r->reclaim.time_ns;
	kill->stalled_ns = r->time_ns - r->reclaim.first_ns;
	if (r->reclaim.kind == RECLAIM_MEMCG) {
		kill->order = -1; /* the kernel says 0 there, whatever it was */
		kill->gfp &= OOM_GFP_RECLAIM;
		kill->constraint = OOM_MEMCG;
		find_hit(kill, r);
	} else {
		kill->constraint = OOM_NONE;
	}
}

/* The kernel's own, which says all that judge_cause() concludes, and more. */
static void take_decision(struct oom_kill *kill, const struct oom_kill_record *r)
{
	static const enum oom_constraint constraints[] = {OOM_NONE, OOM_CPUSET, OOM_MEMORY_POLICY, OOM_MEMCG};
	const struct oom_decision *d = &r->decision;

	if (!d->time_ns || d->constraint >= sizeof(constraints) / sizeof(constraints[0]))
		return;
	kill->decided = true;
	kill->constraint = constraints[d->constraint];
	kill->by_hand = d->order == -1; /* is_sysrq_oom() */
	kill->request_known = !kill->by_hand;
	kill->order = d->order;
	kill->gfp = d->gfp;
	kill->points = d->points;
	kill->hit = -1;
	if (d->total)
		kill->total_pages = d->total;
	if (kill->constraint == OOM_CPUSET || kill->constraint == OOM_MEMORY_POLICY)
		kill->nodes = d->nodes;
	if (kill->constraint == OOM_MEMCG)
		find_hit(kill, r);
}

static void read_size(struct oom_kill *kill, const struct oom_memory *m)
{
	kill->size = (struct oom_size){
		.total_vm = m->total_vm * PAGE,
		.anon = m->anon * PAGE,
		.file = m->file * PAGE,
		.shmem = m->shmem * PAGE,
		.swap = m->swap * PAGE,
		.pgtables = m->pgtables_bytes,
		.rough = m->is_rough,
	};
}

void oom_kill__from_record(struct oom_kill *kill, const struct oom_kill_record *r)
{
	oom_kill__init(kill);
	kill->time_ns = r->time_ns;
	read_who(&kill->victim, &r->victim, &r->victim_cgroup);
	read_who(&kill->trigger, &r->trigger, &r->trigger_cgroup);
	kill->trigger.is_kernel = r->trigger_is_kernel;
	kill->was_dying = r->was_dying;
	read_size(kill, &r->memory);
	read_limits(kill, r);
	judge_cause(kill, r);
	take_decision(kill, r);
	memcpy(kill->classes, r->classes, sizeof(kill->classes));
	kill->vma_count = r->vmas;
	if (r->has_exited)
		kill->exit_ns = 0;
}

void oom_kill__add_vma(struct oom_kill *kill, const struct vma_record *r)
{
	size_t at = kill->vmas_kept < OOM_VMAS ? kill->vmas_kept++ : OOM_VMAS - 1;
	uint64_t size = r->end - r->start;
	char name[VMA_NAME_SIZE];

	for (; at && kill->vmas[at - 1].size < size; at--)
		kill->vmas[at] = kill->vmas[at - 1];
	kill->vmas[at].size = size;
	kill->vmas[at].grown = kill->vmas[at].faults = OOM_UNKNOWN;
	kill->vmas[at].key = r->key;
	kill->vmas[at].class = r->class;
	vma_name__perms(r->flags, kill->vmas[at].perms);
	vma_name__build(r, name, sizeof(name));
	snprintf(kill->vmas[at].name, sizeof(kill->vmas[at].name), "%.*s",
		 (int)sizeof(kill->vmas[at].name) - 1, name);
}

bool oom_kill__same_event(const struct oom_kill *kill, const struct oom_kill_record *r)
{
	return kill->reclaim_ns && r->reclaim.time_ns == kill->reclaim_ns &&
	       r->trigger.tid == kill->trigger.tid && r->victim.process.tgid != kill->victim.pid &&
	       r->time_ns - kill->time_ns < GROUP_NS;
}

void oom_kill__add_victim(struct oom_kill *kill, const struct oom_kill_record *r)
{
	struct oom_also *also;

	if (kill->also_count++ >= OOM_ALSO)
		return;
	also = &kill->also[kill->also_count - 1];
	also->pid = r->victim.process.tgid;
	also->resident = (r->memory.anon + r->memory.file + r->memory.shmem) * PAGE;
	also->exit_ns = OOM_UNKNOWN;
	memcpy(also->comm, r->victim.comm, COMM_SIZE);
}

/* --- the log ----------------------------------------------------------------------------------------------
 */

static int limit_named(const struct oom_kill *kill, const char *cgroup)
{
	for (size_t i = 0; i < kill->limit_count; i++)
		if (!strcmp(kill->limits[i].cgroup, cgroup))
			return i;
	return -1;
}

void oom_kill__take_log(struct oom_kill *kill, const struct oom_kill *log)
{
	memcpy(kill->zones, log->zones, sizeof(kill->zones));
	kill->zone_count = log->zone_count;
	if (log->machine.swap_total != OOM_UNKNOWN && log->machine.swap_free != OOM_UNKNOWN) {
		kill->machine.swap_total = log->machine.swap_total;
		kill->machine.swap_free = log->machine.swap_free;
	}
	if (kill->decided || kill->was_dying)
		return;
	if (log->constraint) {
		kill->constraint = log->constraint;
		kill->nodes = log->nodes;
		kill->hit = log->constraint == OOM_MEMCG && log->hit >= 0
				    ? limit_named(kill, log->limits[log->hit].cgroup)
				    : -1;
		kill->hit_memsw = kill->hit >= 0 && log->hit_memsw;
	}
	if (!log->request_known)
		return;
	kill->request_known = !log->by_hand;
	kill->by_hand = log->by_hand;
	kill->order = log->order;
	kill->gfp = log->gfp;
	kill->decided = true;
}

bool oom_kill__free_memory(const struct oom_kill *kill, uint64_t *free, uint64_t *largest)
{
	*free = *largest = 0;
	for (size_t i = 0; i < kill->zone_count; i++) {
		const struct oom_zone *z = &kill->zones[i];

		*free += z->free;
		if (z->largest == OOM_UNKNOWN)
			return false;
		if (z->largest > *largest)
			*largest = z->largest;
	}
	return kill->zone_count;
}

bool oom_kill__is_fragmented(const struct oom_kill *kill)
{
	uint64_t free, largest, wanted;

	if (kill->order <= 0 || kill->order > MOST_ORDER || !oom_kill__free_memory(kill, &free, &largest))
		return false;
	wanted = PAGE << kill->order;
	return largest < wanted && free >= MUCH_FREE * wanted;
}

/* --- requests ---------------------------------------------------------------------------------------------
 */

/* include/linux/gfp_types.h. Combined ones first. */
static const struct {
	uint32_t bits;
	const char *name;
} gfp_names[] = {
	{0x100cca, "GFP_HIGHUSER_MOVABLE"},
	{0x100cc2, "GFP_HIGHUSER"},
	{0x100cc0, "GFP_USER"},
	{0x400cc0, "GFP_KERNEL_ACCOUNT"},
	{0xcc0, "GFP_KERNEL"},
	{0xc40, "GFP_NOFS"},
	{0xc00, "GFP_NOIO"},
	{0x20, "__GFP_HIGH"},
	{0x1, "__GFP_DMA"},
	{0x2, "__GFP_HIGHMEM"},
	{0x4, "GFP_DMA32"},
	{0x8, "__GFP_MOVABLE"},
	{0x10, "__GFP_RECLAIMABLE"},
	{0x40, "__GFP_IO"},
	{0x80, "__GFP_FS"},
	{0x100, "__GFP_ZERO"},
	{0x400, "__GFP_DIRECT_RECLAIM"},
	{0x800, "__GFP_KSWAPD_RECLAIM"},
	{0x1000, "__GFP_WRITE"},
	{0x2000, "__GFP_NOWARN"},
	{0x4000, "__GFP_RETRY_MAYFAIL"},
	{0x8000, "__GFP_NOFAIL"},
	{0x10000, "__GFP_NORETRY"},
	{0x20000, "__GFP_MEMALLOC"},
	{0x40000, "__GFP_COMP"},
	{0x80000, "__GFP_NOMEMALLOC"},
	{0x100000, "__GFP_HARDWALL"},
	{0x200000, "__GFP_THISNODE"},
	{0x400000, "__GFP_ACCOUNT"},
};

void oom_gfp__format(uint32_t gfp, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(gfp_names) / sizeof(gfp_names[0]) && used < size; i++) {
		if ((gfp & gfp_names[i].bits) != gfp_names[i].bits)
			continue;
		used += snprintf(buf + used, size - used, "%s%s", used ? "|" : "", gfp_names[i].name);
		gfp &= ~gfp_names[i].bits;
	}
	if ((gfp || !used) && used < size)
		snprintf(buf + used, size - used, "%s0x%" PRIx32, used ? "|" : "", gfp);
}

const char *oom_gfp__meaning(uint32_t gfp)
{
	if (gfp & 0x1000)
		return "to write a file";
	if ((gfp & 0x100008) == 0x100008)
		return "for the memory of a process";
	if (gfp & 0x400000)
		return "for the kernel, charged to the cgroup";
	if (gfp & 0x100000)
		return "for a process";
	return "for the kernel";
}

/* --- badness ----------------------------------------------------------------------------------------------
 */

/* mm/oom_kill.c, oom_badness(). */
int64_t oom_badness(uint64_t resident, uint64_t swap, uint64_t pgtables, int32_t adj, uint64_t total_bytes)
{
	int64_t points = (resident + swap + pgtables) / PAGE;

	return adj <= -1000 ? INT64_MIN : points + (int64_t)adj * (int64_t)(total_bytes / PAGE / 1000);
}

void oom_kill__add_candidate(struct oom_kill *kill, const struct oom_candidate *c)
{
	size_t at = kill->candidate_count;

	kill->candidates_seen++;
	if (at == OOM_CANDIDATES) {
		if (kill->candidates[at - 1].badness >= c->badness)
			return;
		at--;
	} else {
		kill->candidate_count++;
	}
	for (; at && kill->candidates[at - 1].badness < c->badness; at--)
		kill->candidates[at] = kill->candidates[at - 1];
	kill->candidates[at] = *c;
}

void oom_kill__add_grower(struct oom_kill *kill, const struct process_key *key, const char *comm, bool gone,
			  const struct oom_point *points, size_t count)
{
	uint64_t bytes, now = count ? points[count - 1].resident : 0;
	size_t at = kill->grower_count;
	struct oom_grower *g;

	if (count < 2 || count > OOM_POINTS || points[0].resident >= now)
		return;
	bytes = now - points[0].resident;
	if (at < OOM_GROWERS)
		kill->grower_count++;
	else if (kill->growers[--at].bytes >= bytes)
		return;
	for (; at && kill->growers[at - 1].bytes < bytes; at--)
		kill->growers[at] = kill->growers[at - 1];
	g = &kill->growers[at];
	*g = (struct oom_grower){.key = *key,
				 .pid = key->tgid,
				 .bytes = bytes,
				 .over_ns = points[0].before_ns - points[count - 1].before_ns,
				 .gone = gone,
				 .count = count};
	snprintf(g->comm, sizeof(g->comm), "%s", comm);
	memcpy(g->points, points, count * sizeof(*points));
}

void oom_cgroup_growth__set(struct oom_cgroup_growth *g, const char *cgroup, const struct oom_point *points,
			    size_t count)
{
	memset(g, 0, sizeof(*g));
	snprintf(g->cgroup, sizeof(g->cgroup), "%s", cgroup);
	if (!count || count > OOM_POINTS)
		return;
	if (points[count - 1].resident > points[0].resident)
		g->bytes = points[count - 1].resident - points[0].resident;
	g->over_ns = points[0].before_ns - points[count - 1].before_ns;
	g->count = count;
	memcpy(g->points, points, count * sizeof(*points));
}

void oom_kill__add_cgroup(struct oom_kill *kill, const char *cgroup, const struct oom_point *points,
			  size_t count)
{
	struct oom_cgroup_growth g;
	size_t at = kill->cgroup_count;

	oom_cgroup_growth__set(&g, cgroup, points, count);
	if (!g.bytes)
		return;
	if (at < OOM_GROWERS)
		kill->cgroup_count++;
	else if (kill->cgroups[--at].bytes >= g.bytes)
		return;
	for (; at && kill->cgroups[at - 1].bytes < g.bytes; at--)
		kill->cgroups[at] = kill->cgroups[at - 1];
	kill->cgroups[at] = g;
}
