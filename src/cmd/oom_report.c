/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/vma_name.h"

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))
#define TEXT	       1536
#define NS_PER_SEC     1000000000ull
#define PLOT_COLUMNS   20
#define PREFERRED_ADJ  100 /* oom_score_adj that outweighs a tenth of what there is */

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

static void format_clock(uint64_t wall_ns, bool iso, char *buf, size_t size)
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

static const struct oom_limit *hit_of(const struct oom_kill *kill)
{
	return kill->hit >= 0 && (size_t)kill->hit < kill->limit_count ? &kill->limits[kill->hit] : NULL;
}

static bool triggered_itself(const struct oom_kill *kill)
{
	return kill->trigger.pid == kill->victim.pid;
}

static void add_limit(struct text *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = hit_of(kill);

	if (!hit)
		return;
	add_bytes(t, kill->hit_memsw ? hit->memsw_limit : hit->limit);
	add(t, "%s", kill->hit_memsw ? " of memory and swap" : "");
}

static void add_cause(struct text *t, const struct oom_kill *kill)
{
	const struct oom_limit *hit = hit_of(kill);

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
static void put_line(struct out *out, const struct oom_kill *kill, bool full)
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
	const struct oom_limit *hit = hit_of(kill);
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
	const struct oom_limit *hit = hit_of(kill);

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

/* --- lists ------------------------------------------------------------------------------------------------
 */

static const struct out_column vma_columns[] = {
	{.key = "size_bytes", .heading = "SIZE"},
	{.key = "class", .heading = "CLASS", .flags = OUT_LEFT},
	{.key = "perms", .heading = "PERMS", .flags = OUT_LEFT},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
};
static const struct out_table vma_table = {"vma", "Largest mappings of the victim", vma_columns,
					   COUNT(vma_columns)};

static void put_vmas(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->vmas_kept; i++) {
		out__row(out);
		out__bytes(out, "size_bytes", kill->vmas[i].size);
		out__text(out, "class", vma_class__name(kill->vmas[i].class));
		out__text(out, "perms", kill->vmas[i].perms);
		out__text(out, "name", kill->vmas[i].name);
		out__row_end(out);
	}
}

static const struct out_column candidate_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "rss_bytes", .heading = "RESIDENT"},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "oom_score_adj", .heading = "ADJ"},
	{.key = "badness_pages", .heading = "BADNESS"},
	{.key = "victim", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .heading = ""},
};
static const struct out_table candidate_table = {
	"candidate", "Candidates, by badness: pages, and oom_score_adj thousandths of what there is",
	candidate_columns, COUNT(candidate_columns)};

static void put_candidates(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->candidate_count; i++) {
		const struct oom_candidate *c = &kill->candidates[i];
		bool is_victim = c->pid == kill->victim.pid;

		out__row(out);
		out__count(out, "pid", c->pid);
		out__text(out, "comm", c->comm);
		out__bytes(out, "rss_bytes", c->resident);
		out__bytes(out, "swap_bytes", c->swap);
		out__integer(out, "oom_score_adj", c->oom_score_adj);
		if (c->badness == INT64_MIN)
			out__unknown(out, "badness_pages");
		else
			out__integer(out, "badness_pages", c->badness);
		out__flag(out, "victim", is_victim);
		out__text(out, NULL, is_victim ? "killed" : c->badness == INT64_MIN ? "never killed" : "");
		out__row_end(out);
	}
}

static const struct out_column limit_columns[] = {
	{.key = "cgroup", .flags = OUT_JSON_ONLY},
	{.key = "limit_bytes", .flags = OUT_JSON_ONLY},
	{.key = "usage_bytes", .flags = OUT_JSON_ONLY},
	{.key = "memsw_limit_bytes", .flags = OUT_JSON_ONLY},
	{.key = "memsw_usage_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table limit_table = {"limit", NULL, limit_columns, COUNT(limit_columns)};

static void put_bytes_or_unknown(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == OOM_UNKNOWN)
		out__unknown(out, key);
	else
		out__bytes(out, key, bytes);
}

static void put_all_limits(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->limit_count; i++) {
		const struct oom_limit *l = &kill->limits[i];

		out__row(out);
		out__text(out, "cgroup", l->cgroup);
		put_bytes_or_unknown(out, "limit_bytes", l->limit);
		put_bytes_or_unknown(out, "usage_bytes", l->usage);
		put_bytes_or_unknown(out, "memsw_limit_bytes", l->memsw_limit);
		put_bytes_or_unknown(out, "memsw_usage_bytes", l->memsw_usage);
		out__row_end(out);
	}
}

static const struct out_column class_columns[] = {
	{.key = "class", .flags = OUT_JSON_ONLY},
	{.key = "size_bytes", .flags = OUT_JSON_ONLY},
	{.key = "count", .flags = OUT_JSON_ONLY},
};
static const struct out_table class_table = {"class", NULL, class_columns, COUNT(class_columns)};

static void put_classes(struct out *out, const struct oom_kill *kill)
{
	for (unsigned class = 0; class < OOM_CLASSES; class ++) {
		if (!kill->classes[class].count)
			continue;
		out__row(out);
		out__text(out, "class", class == OOM_RESERVED ? "reserved" : vma_class__name(class));
		out__bytes(out, "size_bytes", kill->classes[class].bytes);
		out__count(out, "count", kill->classes[class].count);
		out__row_end(out);
	}
}

static const struct out_column also_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "comm", .flags = OUT_JSON_ONLY},
	{.key = "rss_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table also_table = {"also", NULL, also_columns, COUNT(also_columns)};

static void put_all_also(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->also_count && i < OOM_ALSO; i++) {
		out__row(out);
		out__count(out, "pid", kill->also[i].pid);
		out__text(out, "comm", kill->also[i].comm);
		out__bytes(out, "rss_bytes", kill->also[i].resident);
		out__row_end(out);
	}
}

static const struct out_column point_columns[] = {
	{.key = "t_s", .flags = OUT_JSON_ONLY},
	{.key = "rss_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table point_table = {"point", NULL, point_columns, COUNT(point_columns)};

static void put_history(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->history_count; i++) {
		out__row(out);
		out__real(out, "t_s", -(double)kill->history[i].before_ns / NS_PER_SEC);
		out__bytes(out, "rss_bytes", kill->history[i].resident);
		out__row_end(out);
	}
}

static const struct out_column grower_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},		{.key = "comm", .flags = OUT_JSON_ONLY},
	{.key = "grown_bytes", .flags = OUT_JSON_ONLY}, {.key = "over_ns", .flags = OUT_JSON_ONLY},
	{.key = "bytes_per_s", .flags = OUT_JSON_ONLY},
};
static const struct out_table grower_table = {"grower", NULL, grower_columns, COUNT(grower_columns)};

static void put_all_growers(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->grower_count; i++) {
		const struct oom_grower *g = &kill->growers[i];

		out__row(out);
		out__count(out, "pid", g->pid);
		out__text(out, "comm", g->comm);
		out__bytes(out, "grown_bytes", g->bytes);
		out__ns(out, "over_ns", g->over_ns);
		out__bytes(out, "bytes_per_s", g->over_ns ? (double)g->bytes * NS_PER_SEC / g->over_ns : 0);
		out__row_end(out);
	}
}

/* A list is a field of the row in JSON; in text a table of its own follows, where there is one. */
static void put_list(struct out *out, const char *key, const struct out_table *table,
		     const struct oom_kill *kill, bool any,
		     void (*rows)(struct out *out, const struct oom_kill *kill))
{
	if (out__format(out) != OUT_JSON || !any) {
		out__unknown(out, key);
		return;
	}
	out__list(out, key, table);
	rows(out, kill);
	out__list_end(out);
}

static void put_table(struct out *out, const struct out_table *table, const struct oom_kill *kill,
		      void (*rows)(struct out *out, const struct oom_kill *kill))
{
	out__begin(out, table);
	rows(out, kill);
	out__end(out, 0);
}

/* --- the row ----------------------------------------------------------------------------------------------
 */

#define JSON(name)                                  \
	{                                           \
		.key = name, .flags = OUT_JSON_ONLY \
	}
#define DETAIL_COLUMN                                \
	{                                            \
		.flags = OUT_TABLE_ONLY | OUT_DETAIL \
	}

/* clang-format off */
static const struct out_column kill_columns[] = {
	{.flags = OUT_TABLE_ONLY | OUT_LEFT}, {.flags = OUT_TABLE_ONLY | OUT_LEFT},
	JSON("time"),
	JSON("victim.pid"), JSON("victim.tid"), JSON("victim.ns_pid"), JSON("victim.comm"), JSON("victim.uid"),
	JSON("victim.oom_score_adj"), JSON("victim.age_ns"), JSON("victim.cgroup"), JSON("victim.command"),
	JSON("victim.total_vm_bytes"), JSON("victim.anon_rss_bytes"), JSON("victim.file_rss_bytes"),
	JSON("victim.shmem_rss_bytes"), JSON("victim.swap_bytes"), JSON("victim.pgtables_bytes"),
	JSON("victim.rss_exact"), JSON("victim.container"),
	JSON("trigger.pid"), JSON("trigger.tid"), JSON("trigger.ns_pid"), JSON("trigger.comm"), JSON("trigger.uid"),
	JSON("trigger.oom_score_adj"), JSON("trigger.age_ns"), JSON("trigger.cgroup"), JSON("trigger.command"),
	JSON("was_dying"), JSON("constraint"), JSON("sysrq"), JSON("order"), JSON("gfp"), JSON("gfp_flags"),
	JSON("limit.cgroup"), JSON("limit.kind"), JSON("limit.limit_bytes"), JSON("limit.usage_bytes"),
	JSON("limits"), JSON("exit_ms"), JSON("freed_ms"), JSON("reap_ms"), JSON("reaper_skipped"),
	JSON("also_killed"), JSON("vma_count"), JSON("mapped"), JSON("vmas"), JSON("history"), JSON("growers"),
	JSON("candidates"), JSON("candidates_seen"),
	JSON("machine.total_bytes"), JSON("machine.available_bytes"), JSON("machine.swap_total_bytes"),
	JSON("machine.swap_free_bytes"), JSON("machine.stalled_some"), JSON("machine.stalled_full"),
	DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, 
	DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN,
};
/* clang-format on */
static const struct out_table kill_table = {"oom", NULL, kill_columns, COUNT(kill_columns)};

static const char *key_of(char *buf, size_t size, const char *object, const char *name)
{
	snprintf(buf, size, "%s.%s", object, name);
	return buf;
}

static void put_number(struct out *out, const char *key, uint64_t n)
{
	if (n == OOM_UNKNOWN)
		out__unknown(out, key);
	else
		out__count(out, key, n);
}

static void put_string(struct out *out, const char *key, const char *text)
{
	if (*text)
		out__text(out, key, text);
	else
		out__unknown(out, key);
}

static void put_who(struct out *out, const char *object, const struct oom_who *who, uint64_t now_ns)
{
	bool aged = who->start_ns != OOM_UNKNOWN && now_ns >= who->start_ns;
	char key[64];

	put_number(out, key_of(key, sizeof(key), object, "pid"), who->pid);
	put_number(out, key_of(key, sizeof(key), object, "tid"), who->tid);
	put_number(out, key_of(key, sizeof(key), object, "ns_pid"), who->ns_pid);
	put_string(out, key_of(key, sizeof(key), object, "comm"), who->comm);
	put_number(out, key_of(key, sizeof(key), object, "uid"), who->uid);
	if (who->oom_score_adj == OOM_ADJ_UNKNOWN)
		out__unknown(out, key_of(key, sizeof(key), object, "oom_score_adj"));
	else
		out__integer(out, key_of(key, sizeof(key), object, "oom_score_adj"), who->oom_score_adj);
	put_number(out, key_of(key, sizeof(key), object, "age_ns"),
		   aged ? now_ns - who->start_ns : OOM_UNKNOWN);
	put_string(out, key_of(key, sizeof(key), object, "cgroup"), who->cgroup);
	put_string(out, key_of(key, sizeof(key), object, "command"), who->command);
}

static void put_size(struct out *out, const struct oom_size *size)
{
	put_bytes_or_unknown(out, "victim.total_vm_bytes", size->total_vm);
	put_bytes_or_unknown(out, "victim.anon_rss_bytes", size->anon);
	put_bytes_or_unknown(out, "victim.file_rss_bytes", size->file);
	put_bytes_or_unknown(out, "victim.shmem_rss_bytes", size->shmem);
	put_bytes_or_unknown(out, "victim.swap_bytes", size->swap);
	put_bytes_or_unknown(out, "victim.pgtables_bytes", size->pgtables);
}

static void put_more(struct out *out, const struct oom_kill *kill)
{
	char id[65];

	if (kill->from_log)
		out__unknown(out, "victim.rss_exact");
	else
		out__flag(out, "victim.rss_exact", !kill->size.rough);
	put_string(out, "victim.container", oom_cgroup__container(kill->victim.cgroup, id) ? id : "");
}

static void put_request(struct out *out, const struct oom_kill *kill)
{
	const char *constraint = oom_constraint__name(kill->constraint);
	char flags[256];

	out__flag(out, "was_dying", kill->was_dying);
	put_string(out, "constraint", constraint ? constraint : "");
	out__flag(out, "sysrq", kill->by_hand);
	if (!kill->request_known) {
		out__unknown(out, "order");
		out__unknown(out, "gfp");
		out__unknown(out, "gfp_flags");
		return;
	}
	oom_gfp__format(kill->gfp, flags, sizeof(flags));
	put_number(out, "order", kill->order < 0 ? OOM_UNKNOWN : (uint64_t)kill->order);
	out__address(out, "gfp", kill->gfp);
	out__text(out, "gfp_flags", flags);
}

static void put_hit(struct out *out, const struct oom_kill *kill)
{
	const struct oom_limit *hit = hit_of(kill);

	if (!hit) {
		out__unknown(out, "limit.cgroup");
		out__unknown(out, "limit.kind");
		out__unknown(out, "limit.limit_bytes");
		out__unknown(out, "limit.usage_bytes");
		return;
	}
	out__text(out, "limit.cgroup", hit->cgroup);
	out__text(out, "limit.kind", kill->hit_memsw ? "memory+swap" : "memory");
	put_bytes_or_unknown(out, "limit.limit_bytes", kill->hit_memsw ? hit->memsw_limit : hit->limit);
	put_bytes_or_unknown(out, "limit.usage_bytes", kill->hit_memsw ? hit->memsw_usage : hit->usage);
}

static void put_ms(struct out *out, const char *key, uint64_t ns)
{
	if (ns == OOM_UNKNOWN)
		out__unknown(out, key);
	else
		out__real(out, key, ns / 1e6);
}

static void put_share(struct out *out, const char *key, double share)
{
	if (share < 0)
		out__unknown(out, key);
	else
		out__real(out, key, share);
}

static void put_machine_fields(struct out *out, const struct oom_machine *m)
{
	put_bytes_or_unknown(out, "machine.total_bytes", m->total);
	put_bytes_or_unknown(out, "machine.available_bytes", m->available);
	put_bytes_or_unknown(out, "machine.swap_total_bytes", m->swap_total);
	put_bytes_or_unknown(out, "machine.swap_free_bytes", m->swap_free);
	put_share(out, "machine.stalled_some", m->stall_some);
	put_share(out, "machine.stalled_full", m->stall_full);
}

static void put_fields(struct out *out, const struct oom_kill *kill)
{
	put_who(out, "victim", &kill->victim, kill->time_ns);
	put_size(out, &kill->size);
	put_more(out, kill);
	put_who(out, "trigger", &kill->trigger, kill->time_ns);
	put_request(out, kill);
	put_hit(out, kill);
	put_list(out, "limits", &limit_table, kill, kill->limit_count, put_all_limits);
	put_ms(out, "exit_ms", kill->exit_ns);
	put_ms(out, "freed_ms", kill->freed_ns);
	put_ms(out, "reap_ms", kill->reaped_ns);
	out__flag(out, "reaper_skipped", kill->not_taken);
	put_list(out, "also_killed", &also_table, kill, kill->also_count, put_all_also);
	put_number(out, "vma_count", kill->vma_count ? kill->vma_count : OOM_UNKNOWN);
	put_list(out, "mapped", &class_table, kill, kill->vma_count, put_classes);
	put_list(out, "vmas", &vma_table, kill, kill->vmas_kept, put_vmas);
	put_list(out, "history", &point_table, kill, kill->history_count, put_history);
	put_list(out, "growers", &grower_table, kill, kill->grower_count, put_all_growers);
	put_list(out, "candidates", &candidate_table, kill, kill->candidate_count, put_candidates);
	put_number(out, "candidates_seen", kill->candidate_count ? kill->candidates_seen : OOM_UNKNOWN);
	put_machine_fields(out, &kill->machine);
}

static void put_block(struct out *out, const struct oom_kill *kill)
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

#define BLOCK_LINES 14

void oom_report__kill(struct out *out, const struct oom_kill *kill, enum oom_detail detail)
{
	bool block = detail == OOM_BLOCK && out__format(out) == OUT_TABLE;
	char clock[64] = "-";

	out__line(out, &kill_table);
	if (kill->wall_ns != OOM_UNKNOWN)
		format_clock(kill->wall_ns, false, clock, sizeof(clock));
	out__text(out, NULL, clock);
	put_line(out, kill, !block);
	if (kill->wall_ns != OOM_UNKNOWN)
		format_clock(kill->wall_ns, true, clock, sizeof(clock));
	put_string(out, "time", kill->wall_ns != OOM_UNKNOWN ? clock : "");
	put_fields(out, kill);
	if (block)
		put_block(out, kill);
	else
		for (int i = 0; i < BLOCK_LINES; i++)
			out__text(out, NULL, "");
	out__row_end(out);
	if (!block)
		return;
	if (kill->vmas_kept)
		put_table(out, &vma_table, kill, put_vmas);
	if (kill->candidate_count)
		put_table(out, &candidate_table, kill, put_candidates);
}

char *oom_report__json(const struct oom_kill *kill, size_t *size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, size);
	struct out *out = file ? out__new(file, OUT_JSON, 0) : NULL;
	bool failed = !out;

	if (out) {
		oom_report__kill(out, kill, OOM_BRIEF);
		failed = out__flush(out);
	}
	out__free(out);
	if (file)
		fclose(file);
	if (!failed)
		return text;
	free(text);
	return NULL;
}

static const struct out_column raw_columns[] = {{.key = "line", .flags = OUT_LEFT}};
static const struct out_table raw_table = {"log", NULL, raw_columns, COUNT(raw_columns)};

void oom_report__raw(struct out *out, const char *line)
{
	out__line(out, &raw_table);
	out__text(out, "line", line);
	out__row_end(out);
}
