/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cmd/oom_minute.h"
#include "cmd/phrase.h"
#include "model/vma_name.h"

#define NS_PER_SEC    1000000000ull
#define PREFERRED_ADJ 100 /* oom_score_adj that outweighs a tenth of what there is */

/* --- the line ---------------------------------------------------------------------------------------------
 */

void oom_text__clock(uint64_t wall_ns, bool iso, char *buf, size_t size)
{
	time_t seconds = wall_ns / NS_PER_SEC;
	char date[64] = "";
	struct tm tm;

	if (iso) {
		gmtime_r(&seconds, &tm);
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(buf, size, "%s.%03" PRIu64 "Z", date, wall_ns / 1000000 % 1000);
		return;
	}
	localtime_r(&seconds, &tm);
	strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
}

static bool triggered_itself(const struct oom_kill *kill)
{
	return kill->trigger.pid == kill->victim.pid;
}

static void add_limit(struct phrase *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);

	if (!hit)
		return;
	phrase__bytes(t, kill->hit_memsw ? hit->memsw_limit : hit->limit);
	phrase__add(t, "%s", kill->hit_memsw ? " of memory and swap" : "");
}

static void add_nodes(struct phrase *t, uint64_t nodes)
{
	bool any = false;

	for (int i = 0; i < 64 && nodes != OOM_UNKNOWN; i++) {
		if (!(nodes >> i & 1))
			continue;
		phrase__add(t, "%s%d", any ? ", " : " (", i);
		any = true;
	}
	phrase__add(t, "%s", any ? ")" : "");
}

static void add_cause(struct phrase *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);

	if (kill->by_hand) {
		phrase__add(t, "asked for by hand (sysrq-f)");
	} else if (hit) {
		phrase__add(t, "limit of %s (", hit->cgroup);
		add_limit(t, kill);
		phrase__add(t, ")");
	} else if (kill->constraint == OOM_MEMCG) {
		phrase__add(t, "a memory cgroup's limit");
	} else if (kill->constraint == OOM_CPUSET || kill->constraint == OOM_MEMORY_POLICY) {
		phrase__add(t, "no memory on the nodes that its %s allows",
			    kill->constraint == OOM_CPUSET ? "cpuset" : "memory policy");
		add_nodes(t, kill->nodes);
	} else if (kill->constraint == OOM_NONE || kill->request_known) {
		phrase__add(t, "the machine is out of memory");
	} else {
		phrase__add(t, "cause not known");
	}
}

static void add_cause_and_trigger(struct phrase *t, const struct oom_kill *kill)
{
	add_cause(t, kill);
	if (!kill->by_hand && kill->trigger.pid != OOM_UNKNOWN && !triggered_itself(kill))
		phrase__add(t, ", hit by %s/%" PRIu64, kill->trigger.comm, kill->trigger.pid);
}

/* In full where it is the only line; else the cause, whose paths can be long, comes below. */
void oom_text__line(struct out *out, const struct oom_kill *kill, bool full)
{
	uint64_t resident = oom_size__resident(&kill->size);
	struct phrase t = {};

	phrase__add(&t, "%s %s/%" PRIu64, kill->was_dying ? "let die" : "killed", kill->victim.comm,
		    kill->victim.pid);
	if (kill->also_count)
		phrase__add(&t, " and %zu more", kill->also_count);
	if (resident != OOM_UNKNOWN) {
		phrase__add(&t, ", ");
		phrase__bytes(&t, resident);
	}
	if (full) {
		phrase__add(&t, ": ");
		add_cause_and_trigger(&t, kill);
	}
	out__text(out, NULL, t.buf);
}

/* --- the block --------------------------------------------------------------------------------------------
 */

static void add_who(struct phrase *t, const struct oom_who *who, uint64_t now_ns)
{
	phrase__add(t, "%s, pid %" PRIu64, who->comm, who->pid);
	if (who->tid != OOM_UNKNOWN && who->tid != who->pid)
		phrase__add(t, " (thread %" PRIu64 ")", who->tid);
	if (who->ns_pid != OOM_UNKNOWN && who->ns_pid != who->pid)
		phrase__add(t, " (%" PRIu64 " in its pid namespace)", who->ns_pid);
	if (who->uid != OOM_UNKNOWN)
		phrase__add(t, ", uid %" PRIu64, who->uid);
	if (*who->user)
		phrase__add(t, " (%s)", who->user);
	if (who->oom_score_adj != OOM_ADJ_UNKNOWN)
		phrase__add(t, ", oom_score_adj %" PRId32, who->oom_score_adj);
	if (who->start_ns != OOM_UNKNOWN && now_ns > who->start_ns) {
		phrase__add(t, ", had run ");
		phrase__ns(t, now_ns - who->start_ns);
	}
	if (*who->cgroup)
		phrase__add(t, ", cgroup %s", who->cgroup);
	if (*who->command)
		phrase__add(t, ": %s", who->command);
}

static void put_cause(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	phrase__add(&t, "Cause: ");
	add_cause_and_trigger(&t, kill);
	phrase__put(&t, out);
}

static void put_victim(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	phrase__add(&t, "Victim: ");
	add_who(&t, &kill->victim, kill->time_ns);
	phrase__put(&t, out);
}

static void put_memory(struct out *out, const struct oom_kill *kill)
{
	const struct oom_size *size = &kill->size;
	struct phrase t = {};

	if (size->anon != OOM_UNKNOWN) {
		phrase__add(&t, "Memory: ");
		phrase__bytes(&t, oom_size__resident(size));
		phrase__add(&t, " resident (anonymous ");
		phrase__bytes(&t, size->anon);
		phrase__add(&t, ", files ");
		phrase__bytes(&t, size->file);
		phrase__add(&t, ", shared ");
		phrase__bytes(&t, size->shmem);
		phrase__add(&t, ")");
		if (size->swap && size->swap != OOM_UNKNOWN) {
			phrase__add(&t, ", swapped out ");
			phrase__bytes(&t, size->swap);
		}
		if (size->pgtables != OOM_UNKNOWN) {
			phrase__add(&t, ", page tables ");
			phrase__bytes(&t, size->pgtables);
		}
		if (size->total_vm != OOM_UNKNOWN) {
			phrase__add(&t, "; address space ");
			phrase__bytes(&t, size->total_vm);
		}
	}
	phrase__put(&t, out);
}

static void put_mappings(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	for (unsigned class = 0; class < OOM_CLASSES; class ++) {
		const struct oom_class *c = &kill->classes[class];

		if (!c->count)
			continue;
		phrase__add(&t, "%s%s ", t.used ? ", " : "Mapped: ",
			    class == OOM_RESERVED ? "reserved only" : vma_class__name(class));
		phrase__bytes(&t, c->bytes);
		if (c->count > 1)
			phrase__add(&t, " in %" PRIu64, (uint64_t)c->count);
	}
	if (kill->vma_count && t.used)
		phrase__add(&t, " (not all of it touched)");
	phrase__put(&t, out);
}

static void add_shortages(struct phrase *t, const struct oom_limit *limit)
{
	const struct oom_shortages *s = &limit->shortages;

	if (s->failures != OOM_UNKNOWN)
		phrase__add(t, "; it was reached %" PRIu64 " times so far", s->failures);
	if (s->max != OOM_UNKNOWN)
		phrase__add(t, "; it was reached %" PRIu64 " times so far", s->max);
	if (s->high != OOM_UNKNOWN && s->high)
		phrase__add(t, ", throttled at memory.high %" PRIu64 " times", s->high);
	if (s->kills && s->kills != OOM_UNKNOWN)
		phrase__add(t, ", %" PRIu64 " killed for it", s->kills);
	if (limit->stalled_some > 0)
		phrase__add(t, "; its tasks waited for memory %.1f %% of the last minute",
			    limit->stalled_some * 100);
}

static void put_limits(struct out *out, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);
	struct phrase t = {};

	if (hit) {
		phrase__add(&t, "Limit: cgroup %s may have ", hit->cgroup);
		add_limit(&t, kill);
		phrase__add(&t, " and had ");
		phrase__bytes(&t, kill->hit_memsw ? hit->memsw_usage : hit->usage);
		if (kill->hit > 0)
			phrase__add(&t, "; it is %s the victim's cgroup",
				    kill->hit == 1 ? "the parent of" : "further out than");
		add_shortages(&t, hit);
	} else if (kill->constraint == OOM_MEMCG) {
		phrase__add(&t, "Limit: which memory cgroup was at its limit is not known");
	}
	for (size_t i = 0; i < kill->limit_count; i++) {
		const struct oom_limit *l = &kill->limits[i];

		if (!t.used || (int)i == kill->hit || l->limit == OOM_UNKNOWN)
			continue;
		phrase__add(&t, "; %s ", l->cgroup);
		phrase__bytes(&t, l->usage);
		phrase__add(&t, " of ");
		phrase__bytes(&t, l->limit);
	}
	phrase__put(&t, out);
}

/* What the cgroup was full of, which need not be the memory of processes. */
static void put_contents(struct out *out, const struct oom_kill *kill)
{
	const struct oom_contents *c = &kill->contents;
	struct phrase t = {};

	if (c->anon != OOM_UNKNOWN) {
		phrase__add(&t, "Full of: anonymous ");
		phrase__bytes(&t, c->anon);
		phrase__add(&t, ", files ");
		phrase__bytes(&t, c->file);
		phrase__add(&t, ", shared and tmpfs ");
		phrase__bytes(&t, c->shmem);
		if (c->kernel != OOM_UNKNOWN) {
			phrase__add(&t, ", kernel ");
			phrase__bytes(&t, c->kernel);
		}
		if (c->swap && c->swap != OOM_UNKNOWN) {
			phrase__add(&t, "; swapped out ");
			phrase__bytes(&t, c->swap);
		}
	}
	phrase__put(&t, out);
}

static void add_request(struct phrase *t, const struct oom_kill *kill)
{
	char flags[256];

	if (!kill->request_known)
		return;
	oom_gfp__format(kill->gfp, flags, sizeof(flags));
	if (kill->order > 0) {
		phrase__add(t, "; it wanted ");
		phrase__bytes(t, 4096ull << (kill->order < 20 ? kill->order : 20));
		phrase__add(t, " in one piece (order %d)", kill->order);
	} else if (!kill->order) {
		phrase__add(t, "; it wanted a page");
	}
	if (kill->constraint != OOM_MEMCG)
		phrase__add(t, " %s", oom_gfp__meaning(kill->gfp));
	phrase__add(t, "%s%s", kill->order < 0 ? "; " : ", ", flags);
}

static void put_trigger(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	if (kill->trigger.pid != OOM_UNKNOWN && !kill->by_hand) {
		phrase__add(&t, "Request: ");
		if (triggered_itself(kill))
			phrase__add(&t, "by the victim itself");
		else
			add_who(&t, &kill->trigger, kill->time_ns);
		add_request(&t, kill);
	}
	phrase__put(&t, out);
}

static void put_machine(struct out *out, const struct oom_kill *kill)
{
	const struct oom_machine *m = &kill->machine;
	struct phrase t = {};

	if (m->available != OOM_UNKNOWN) {
		phrase__add(&t, "Machine: ");
		phrase__bytes(&t, m->available);
		phrase__add(&t, " of ");
		phrase__bytes(&t, m->total);
		phrase__add(&t, " available");
		if (m->swap_total && m->swap_total != OOM_UNKNOWN) {
			phrase__add(&t, ", swap ");
			phrase__bytes(&t, m->swap_free);
			phrase__add(&t, " of ");
			phrase__bytes(&t, m->swap_total);
			phrase__add(&t, " free");
		} else if (!m->swap_total) {
			phrase__add(&t, ", no swap");
		}
	}
	phrase__put(&t, out);
}

/* Zones with less than they shall have; and how large a piece is to be had where one was wanted. */
static void put_zones(struct out *out, const struct oom_kill *kill)
{
	uint64_t free, largest;
	struct phrase t = {};

	for (size_t i = 0; i < kill->zone_count && !kill->by_hand; i++) {
		const struct oom_zone *z = &kill->zones[i];

		if (z->free >= z->low)
			continue;
		phrase__add(&t, "%snode %d %s has ", t.used ? ", " : "Zones short: ", z->node, z->name);
		phrase__bytes(&t, z->free);
		phrase__add(&t, " free, below its %s watermark of ", z->free < z->min ? "min" : "low");
		phrase__bytes(&t, z->free < z->min ? z->min : z->low);
	}
	if (kill->zone_count && !t.used && !kill->by_hand)
		phrase__add(&t, "Zones short: none is below its watermarks");
	if (t.used && kill->zones_after_ns) {
		phrase__add(&t, ", ");
		phrase__ns(&t, kill->zones_after_ns);
		phrase__add(&t, " after the kill (the kernel's log cannot be read)");
	}
	if (t.used && oom_kill__free_memory(kill, &free, &largest)) {
		phrase__add(&t, "; free in all ");
		phrase__bytes(&t, free);
		phrase__add(&t, ", in one piece at most ");
		phrase__bytes(&t, largest);
	}
	phrase__put(&t, out);
}

static void put_after(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	if (!kill->exit_ns) {
		phrase__add(&t, "After: exited at once");
	} else if (kill->exit_ns != OOM_UNKNOWN) {
		phrase__add(&t, "After: exited in ");
		phrase__ns(&t, kill->exit_ns);
	}
	if (kill->freed_ns != OOM_UNKNOWN) {
		phrase__add(&t, "%smemory back in ", t.used ? ", " : "After: ");
		phrase__ns(&t, kill->freed_ns);
	}
	if (kill->reaped_ns != OOM_UNKNOWN) {
		phrase__add(&t, "%sreaped by the kernel in ", t.used ? ", " : "After: ");
		phrase__ns(&t, kill->reaped_ns);
	}
	if (!kill->from_log && !t.used)
		phrase__add(&t, "After: not seen to exit");
	if (kill->not_taken)
		phrase__add(&t, "; the reaper left it alone");
	if (kill->stalled_ns != OOM_UNKNOWN && !kill->by_hand) {
		phrase__add(&t, "; the request had tried to reclaim for ");
		phrase__ns(&t, kill->stalled_ns);
	}
	phrase__put(&t, out);
}

static void put_also(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	for (size_t i = 0; i < kill->also_count && i < OOM_ALSO; i++) {
		phrase__add(&t, "%s%s/%" PRIu64 " (",
			    i ? ", " : "Killed with it (memory.oom.group): ", kill->also[i].comm,
			    kill->also[i].pid);
		phrase__bytes(&t, kill->also[i].resident);
		phrase__add(&t, ")");
	}
	if (kill->also_count > OOM_ALSO)
		phrase__add(&t, " and %zu more", kill->also_count - OOM_ALSO);
	phrase__put(&t, out);
}

/* --- what to do about it ----------------------------------------------------------------------------------
 */

/* What no kill gives back is worth more than the name of the victim. */
static void add_what_fills(struct phrase *t, const struct oom_kill *kill)
{
	const struct oom_contents *c = &kill->contents;
	uint64_t usage = oom_kill__hit(kill)->usage;

	if (c->shmem != OOM_UNKNOWN && c->shmem > usage / 2)
		phrase__add(
			t,
			"most of it is shared memory or files in a tmpfs, which killing frees only with their "
			"last user: look at what is in /dev/shm and /tmp of %s. Or ",
			kill->victim.comm);
	else if (c->kernel != OOM_UNKNOWN && c->kernel > usage / 2)
		phrase__add(
			t,
			"most of it is the kernel's own (memory.stat: slab, sock, ...), not of processes. Or ");
}

static void add_next_step(struct phrase *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);

	if (kill->by_hand) {
		phrase__add(
			t,
			"somebody wrote f to /proc/sysrq-trigger or pressed the key; memory need not be short.");
	} else if (hit) {
		add_what_fills(t, kill);
		phrase__add(t, "raise the limit of %s, or ", hit->cgroup);
	} else if (kill->constraint == OOM_CPUSET || kill->constraint == OOM_MEMORY_POLICY) {
		phrase__add(t, "let it have more memory nodes, or ");
	} else if (oom_kill__is_fragmented(kill)) {
		phrase__add(t, "memory is fragmented rather than gone: such a piece was not to be had. ");
		return;
	} else if (kill->constraint == OOM_NONE || kill->request_known) {
		phrase__add(t,
			    "give the machine memory or swap, limit what may grow by a memory cgroup, or ");
	}
}

/* Why this one, and what an engineer can do now. */
static void put_next(struct out *out, const struct oom_kill *kill)
{
	const struct oom_grower *g = kill->grower_count ? &kill->growers[0] : NULL;
	bool other = g && g->pid != kill->victim.pid && !g->gone;
	struct phrase t = {};

	phrase__add(&t, "Next: ");
	add_next_step(&t, kill);
	if (!kill->by_hand && other)
		phrase__add(&t,
			    "look at %s/%" PRIu64
			    ", which grew most and lives: memtrace brk-vs-mmap -p %" PRIu64
			    " tells through which calls.",
			    g->comm, g->pid, g->pid);
	else if (!kill->by_hand && kill->order <= 3)
		phrase__add(
			&t,
			"find out why %s grows: memtrace brk-vs-mmap --comm '%s' tells through which calls.",
			kill->victim.comm, kill->victim.comm);
	if (kill->trigger_first && triggered_itself(kill))
		phrase__add(&t, " It died because it asked: vm.oom_kill_allocating_task is set.");
	else if (kill->victim.oom_score_adj != OOM_ADJ_UNKNOWN && kill->victim.oom_score_adj >= PREFERRED_ADJ)
		phrase__add(&t,
			    " Its oom_score_adj of %" PRId32
			    " made it a preferred victim, whatever its size.",
			    kill->victim.oom_score_adj);
	phrase__put(&t, out);
}

void oom_text__block(struct out *out, const struct oom_kill *kill)
{
	put_cause(out, kill);
	put_victim(out, kill);
	put_also(out, kill);
	put_memory(out, kill);
	put_mappings(out, kill);
	put_limits(out, kill);
	put_contents(out, kill);
	put_trigger(out, kill);
	oom_minute__victim(out, kill);
	for (size_t i = 0; i < OOM_GROWERS; i++)
		oom_minute__grower(out, kill, i);
	oom_minute__limit(out, kill);
	for (size_t i = 0; i < OOM_GROWERS; i++)
		oom_minute__cgroup(out, kill, i);
	oom_minute__strain(out, kill);
	put_machine(out, kill);
	put_zones(out, kill);
	put_after(out, kill);
	put_next(out, kill);
}
