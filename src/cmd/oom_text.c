/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "model/vma_name.h"

#define TEXT	      1536
#define NS_PER_SEC    1000000000ull
#define PLOT_COLUMNS  20
#define PREFERRED_ADJ 100 /* oom_score_adj that outweighs a tenth of what there is */

/* --- pieces of text ---------------------------------------------------------------------------------------
 */

struct text {
	char buf[TEXT];
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->used >= sizeof(t->buf))
		return;
	va_start(args, format);
	n = vsnprintf(t->buf + t->used, sizeof(t->buf) - t->used, format, args);
	va_end(args);
	t->used += n > 0 ? n : 0;
}

static void add_bytes(struct text *t, uint64_t bytes)
{
	char buf[32];

	out__format_bytes(bytes, buf, sizeof(buf));
	add(t, "%s", bytes == OOM_UNKNOWN ? "?" : buf);
}

static void add_ns(struct text *t, uint64_t ns)
{
	char buf[32];

	if (ns >= 600 * NS_PER_SEC) {
		uint64_t minutes = ns / NS_PER_SEC / 60;

		if (minutes >= 48 * 60)
			add(t, "%" PRIu64 " days", minutes / 60 / 24);
		else
			add(t, "%" PRIu64 " h %" PRIu64 " min", minutes / 60, minutes % 60);
		return;
	}
	out__format_ns(ns, buf, sizeof(buf));
	add(t, "%s", buf);
}

static void put_detail(struct out *out, const struct text *t)
{
	out__text(out, NULL, t->used ? t->buf : "");
}

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

static void add_limit(struct text *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);

	if (!hit)
		return;
	add_bytes(t, kill->hit_memsw ? hit->memsw_limit : hit->limit);
	add(t, "%s", kill->hit_memsw ? " of memory and swap" : "");
}

static void add_cause(struct text *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);

	if (kill->by_hand) {
		add(t, "asked for by hand (sysrq-f)");
	} else if (hit) {
		add(t, "limit of %s (", hit->cgroup);
		add_limit(t, kill);
		add(t, ")");
	} else if (kill->constraint == OOM_MEMCG) {
		add(t, "a memory cgroup's limit");
	} else if (kill->constraint == OOM_CPUSET || kill->constraint == OOM_MEMORY_POLICY) {
		add(t, "the nodes it may use are full");
	} else if (kill->constraint == OOM_NONE || kill->request_known) {
		add(t, "the machine is out of memory");
	} else {
		add(t, "cause not known");
	}
}

static void add_cause_and_trigger(struct text *t, const struct oom_kill *kill)
{
	add_cause(t, kill);
	if (!kill->by_hand && kill->trigger.pid != OOM_UNKNOWN && !triggered_itself(kill))
		add(t, ", hit by %s/%" PRIu64, kill->trigger.comm, kill->trigger.pid);
}

/* In full where it is the only line; else the cause, whose paths can be long, comes below. */
void oom_text__line(struct out *out, const struct oom_kill *kill, bool full)
{
	uint64_t resident = oom_size__resident(&kill->size);
	struct text t = {};

	add(&t, "%s %s/%" PRIu64, kill->was_dying ? "let die" : "killed", kill->victim.comm,
	    kill->victim.pid);
	if (kill->also_count)
		add(&t, " and %zu more", kill->also_count);
	if (resident != OOM_UNKNOWN) {
		add(&t, ", ");
		add_bytes(&t, resident);
	}
	if (full) {
		add(&t, ": ");
		add_cause_and_trigger(&t, kill);
	}
	out__text(out, NULL, t.buf);
}

/* --- the block --------------------------------------------------------------------------------------------
 */

static void add_who(struct text *t, const struct oom_who *who, uint64_t now_ns)
{
	add(t, "%s, pid %" PRIu64, who->comm, who->pid);
	if (who->tid != OOM_UNKNOWN && who->tid != who->pid)
		add(t, " (thread %" PRIu64 ")", who->tid);
	if (who->ns_pid != OOM_UNKNOWN && who->ns_pid != who->pid)
		add(t, " (%" PRIu64 " in its pid namespace)", who->ns_pid);
	if (who->uid != OOM_UNKNOWN)
		add(t, ", uid %" PRIu64, who->uid);
	if (who->oom_score_adj != OOM_ADJ_UNKNOWN)
		add(t, ", oom_score_adj %" PRId32, who->oom_score_adj);
	if (who->start_ns != OOM_UNKNOWN && now_ns > who->start_ns) {
		add(t, ", had run ");
		add_ns(t, now_ns - who->start_ns);
	}
	if (*who->cgroup)
		add(t, ", cgroup %s", who->cgroup);
	if (*who->command)
		add(t, ": %s", who->command);
}

static void put_cause(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	add(&t, "Cause: ");
	add_cause_and_trigger(&t, kill);
	put_detail(out, &t);
}

static void put_victim(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	add(&t, "Victim: ");
	add_who(&t, &kill->victim, kill->time_ns);
	put_detail(out, &t);
}

static void put_memory(struct out *out, const struct oom_kill *kill)
{
	const struct oom_size *size = &kill->size;
	struct text t = {};

	if (size->anon != OOM_UNKNOWN) {
		add(&t, "Memory: ");
		add_bytes(&t, oom_size__resident(size));
		add(&t, " resident (anonymous ");
		add_bytes(&t, size->anon);
		add(&t, ", files ");
		add_bytes(&t, size->file);
		add(&t, ", shared ");
		add_bytes(&t, size->shmem);
		add(&t, ")");
		if (size->swap && size->swap != OOM_UNKNOWN) {
			add(&t, ", swapped out ");
			add_bytes(&t, size->swap);
		}
		if (size->pgtables != OOM_UNKNOWN) {
			add(&t, ", page tables ");
			add_bytes(&t, size->pgtables);
		}
		if (size->total_vm != OOM_UNKNOWN) {
			add(&t, "; address space ");
			add_bytes(&t, size->total_vm);
		}
	}
	put_detail(out, &t);
}

static void put_mappings(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	for (unsigned class = 0; class < OOM_CLASSES; class ++) {
		const struct oom_class *c = &kill->classes[class];

		if (!c->count)
			continue;
		add(&t, "%s%s ", t.used ? ", " : "Mapped: ",
		    class == OOM_RESERVED ? "reserved only" : vma_class__name(class));
		add_bytes(&t, c->bytes);
		if (c->count > 1)
			add(&t, " in %" PRIu64, (uint64_t)c->count);
	}
	if (kill->vma_count && t.used)
		add(&t, " (not all of it touched)");
	put_detail(out, &t);
}

static void put_limits(struct out *out, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);
	struct text t = {};

	if (hit) {
		add(&t, "Limit: cgroup %s may have ", hit->cgroup);
		add_limit(&t, kill);
		add(&t, " and had ");
		add_bytes(&t, kill->hit_memsw ? hit->memsw_usage : hit->usage);
		if (kill->hit > 0)
			add(&t, "; it is %s the victim's cgroup",
			    kill->hit == 1 ? "the parent of" : "further out than");
	} else if (kill->constraint == OOM_MEMCG) {
		add(&t, "Limit: which memory cgroup was at its limit is not known");
	}
	for (size_t i = 0; i < kill->limit_count; i++) {
		const struct oom_limit *l = &kill->limits[i];

		if (!t.used || (int)i == kill->hit || l->limit == OOM_UNKNOWN)
			continue;
		add(&t, "; %s ", l->cgroup);
		add_bytes(&t, l->usage);
		add(&t, " of ");
		add_bytes(&t, l->limit);
	}
	put_detail(out, &t);
}

static void add_request(struct text *t, const struct oom_kill *kill)
{
	char flags[256];

	if (!kill->request_known)
		return;
	oom_gfp__format(kill->gfp, flags, sizeof(flags));
	if (kill->order > 0) {
		add(t, "; it wanted ");
		add_bytes(t, 4096ull << (kill->order < 20 ? kill->order : 20));
		add(t, " in one piece (order %d)", kill->order);
	} else if (!kill->order) {
		add(t, "; it wanted a page");
	}
	if (kill->constraint != OOM_MEMCG)
		add(t, " %s", oom_gfp__meaning(kill->gfp));
	add(t, "%s%s", kill->order < 0 ? "; " : ", ", flags);
}

static void put_trigger(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	if (kill->trigger.pid != OOM_UNKNOWN && !kill->by_hand) {
		add(&t, "Request: ");
		if (triggered_itself(kill))
			add(&t, "by the victim itself");
		else
			add_who(&t, &kill->trigger, kill->time_ns);
		add_request(&t, kill);
	}
	put_detail(out, &t);
}

static void put_machine(struct out *out, const struct oom_kill *kill)
{
	const struct oom_machine *m = &kill->machine;
	struct text t = {};

	if (m->available != OOM_UNKNOWN) {
		add(&t, "Machine: ");
		add_bytes(&t, m->available);
		add(&t, " of ");
		add_bytes(&t, m->total);
		add(&t, " available");
		if (m->swap_total && m->swap_total != OOM_UNKNOWN) {
			add(&t, ", swap ");
			add_bytes(&t, m->swap_free);
			add(&t, " of ");
			add_bytes(&t, m->swap_total);
			add(&t, " free");
		} else if (!m->swap_total) {
			add(&t, ", no swap");
		}
		if (m->stall_some >= 0) {
			add(&t, "; in the ");
			add_ns(&t, m->stall_over_ns);
			add(&t, " before, tasks waited for memory %.1f %% of the time", m->stall_some * 100);
		}
	}
	put_detail(out, &t);
}

static void put_after(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	if (kill->exit_ns != OOM_UNKNOWN) {
		add(&t, "After: exited in ");
		add_ns(&t, kill->exit_ns);
	}
	if (kill->freed_ns != OOM_UNKNOWN) {
		add(&t, "%smemory back in ", t.used ? ", " : "After: ");
		add_ns(&t, kill->freed_ns);
	}
	if (kill->reaped_ns != OOM_UNKNOWN) {
		add(&t, "%sreaped by the kernel in ", t.used ? ", " : "After: ");
		add_ns(&t, kill->reaped_ns);
	}
	if (!kill->from_log && !t.used)
		add(&t, "After: not seen to exit");
	put_detail(out, &t);
}

static void put_also(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	for (size_t i = 0; i < kill->also_count && i < OOM_ALSO; i++) {
		add(&t, "%s%s/%" PRIu64 " (",
		    i ? ", " : "Killed with it (memory.oom.group): ", kill->also[i].comm, kill->also[i].pid);
		add_bytes(&t, kill->also[i].resident);
		add(&t, ")");
	}
	if (kill->also_count > OOM_ALSO)
		add(&t, " and %zu more", kill->also_count - OOM_ALSO);
	put_detail(out, &t);
}

/* --- the minute before ------------------------------------------------------------------------------------
 */

/* A column for each part of the time, as high as what was resident then. */
static void add_plot(struct text *t, const struct oom_point *points, size_t n)
{
	static const char *const bars[] = {"_", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	size_t columns = n < PLOT_COLUMNS ? n : PLOT_COLUMNS;
	uint64_t most = 1;

	for (size_t i = 0; i < n; i++)
		most = points[i].resident > most ? points[i].resident : most;
	add(t, "|");
	for (size_t i = 0; i < columns; i++) {
		uint64_t resident = points[columns > 1 ? i * (n - 1) / (columns - 1) : n - 1].resident;

		add(t, "%s", bars[(resident * 8 + most - 1) / most]);
	}
	add(t, "|");
}

static bool is_grower(const struct oom_kill *kill, uint64_t pid)
{
	for (size_t i = 0; i < kill->grower_count; i++)
		if (kill->growers[i].pid == pid)
			return true;
	return false;
}

/* Of a victim that is not among those that grew. */
static void put_before(struct out *out, const struct oom_kill *kill)
{
	struct text t = {};

	if (kill->history_count > 1 && !is_grower(kill, kill->victim.pid)) {
		add(&t, "Before: the victim ");
		add_plot(&t, kill->history, kill->history_count);
		add(&t, " ");
		add_bytes(&t, kill->history[0].resident);
		add(&t, " to ");
		add_bytes(&t, kill->history[kill->history_count - 1].resident);
		add(&t, " in ");
		add_ns(&t, kill->history[0].before_ns);
	}
	put_detail(out, &t);
}

static void put_grower(struct out *out, const struct oom_kill *kill, size_t i)
{
	const struct oom_grower *g = &kill->growers[i];
	struct text t = {};

	if (i < kill->grower_count) {
		add(&t, "%s %s/%" PRIu64 "%s ", i ? "Grew:" : "Grew most:", g->comm, g->pid,
		    g->pid == kill->victim.pid ? " (the victim)" : "");
		add_plot(&t, g->points, g->count);
		add(&t, " +");
		add_bytes(&t, g->bytes);
		add(&t, " in ");
		add_ns(&t, g->over_ns);
		if (g->over_ns >= NS_PER_SEC) {
			add(&t, ", ");
			add_bytes(&t, (double)g->bytes * NS_PER_SEC / g->over_ns);
			add(&t, " a second");
		}
	}
	put_detail(out, &t);
}

/* --- what to do about it ----------------------------------------------------------------------------------
 */

static void add_next_step(struct text *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = oom_kill__hit(kill);

	if (kill->by_hand) {
		add(t,
		    "somebody wrote f to /proc/sysrq-trigger or pressed the key; memory need not be short. ");
	} else if (hit) {
		add(t, "raise the limit of %s, or ", hit->cgroup);
	} else if (kill->order > 3) {
		add(t, "memory is fragmented rather than gone: such a piece was not to be had. ");
		return;
	} else if (kill->constraint == OOM_NONE || kill->request_known) {
		add(t, "give the machine memory or swap, limit what may grow by a memory cgroup, or ");
	}
}

/* Why this one, and what an engineer can do now. */
static void put_next(struct out *out, const struct oom_kill *kill)
{
	const struct oom_grower *g = kill->grower_count ? &kill->growers[0] : NULL;
	bool other = g && g->pid != kill->victim.pid;
	struct text t = {};

	add(&t, "Next: ");
	add_next_step(&t, kill);
	if (!kill->by_hand && other)
		add(&t,
		    "look at %s/%" PRIu64 ", which grew most and lives: memtrace brk-vs-mmap -p %" PRIu64
		    " tells through which calls.",
		    g->comm, g->pid, g->pid);
	else if (!kill->by_hand && kill->order <= 3)
		add(&t, "find out why %s grows: memtrace brk-vs-mmap --comm '%s' tells through which calls.",
		    kill->victim.comm, kill->victim.comm);
	if (kill->victim.oom_score_adj != OOM_ADJ_UNKNOWN && kill->victim.oom_score_adj >= PREFERRED_ADJ)
		add(&t, " Its oom_score_adj of %" PRId32 " made it a preferred victim, whatever its size.",
		    kill->victim.oom_score_adj);
	put_detail(out, &t);
}

void oom_text__block(struct out *out, const struct oom_kill *kill)
{
	put_cause(out, kill);
	put_victim(out, kill);
	put_also(out, kill);
	put_memory(out, kill);
	put_mappings(out, kill);
	put_limits(out, kill);
	put_trigger(out, kill);
	put_before(out, kill);
	for (size_t i = 0; i < OOM_GROWERS; i++)
		put_grower(out, kill, i);
	put_machine(out, kill);
	put_after(out, kill);
	put_next(out, kill);
}
