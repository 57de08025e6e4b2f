/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_fields.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/oom_text.h"
#include "model/vma_name.h"

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))
#define NS_PER_SEC     1000000000ull

/* --- what may be unknown ----------------------------------------------------------------------------------
 */

static void put_bytes_or_unknown(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == OOM_UNKNOWN)
		out__unknown(out, key);
	else
		out__bytes(out, key, bytes);
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

/* It is only told when it is so. */
static void put_flag_if(struct out *out, const char *key, bool flag)
{
	if (flag)
		out__flag(out, key, true);
	else
		out__unknown(out, key);
}

static void put_share(struct out *out, const char *key, double share)
{
	if (share < 0)
		out__unknown(out, key);
	else
		out__real(out, key, share);
}

/* --- lists ------------------------------------------------------------------------------------------------
 */

static const struct out_column vma_columns[] = {
	{.key = "size_bytes", .heading = "SIZE"},
	{.key = "grown_bytes", .heading = "GREW", .flags = OUT_IF_ANY},
	{.key = "faults", .heading = "FAULTS", .flags = OUT_IF_ANY},
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
		put_bytes_or_unknown(out, "grown_bytes", kill->vmas[i].grown);
		put_number(out, "faults", kill->vmas[i].faults);
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
	{.key = "gone", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .heading = ""},
};
static const struct out_table candidate_table = {
	"candidate", "Candidates, by badness: pages, and oom_score_adj thousandths of what there is",
	candidate_columns, COUNT(candidate_columns)};

static const char *fate_of(const struct oom_candidate *c, bool is_victim)
{
	if (is_victim)
		return "killed";
	if (c->badness == INT64_MIN)
		return "never killed";
	return c->gone ? "gone since" : "";
}

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
		put_flag_if(out, "gone", c->gone);
		out__text(out, NULL, fate_of(c, is_victim));
		out__row_end(out);
	}
}

static const struct out_column limit_columns[] = {
	{.key = "cgroup", .flags = OUT_JSON_ONLY},
	{.key = "limit_bytes", .flags = OUT_JSON_ONLY},
	{.key = "usage_bytes", .flags = OUT_JSON_ONLY},
	{.key = "memsw_limit_bytes", .flags = OUT_JSON_ONLY},
	{.key = "memsw_usage_bytes", .flags = OUT_JSON_ONLY},
	{.key = "events.high", .flags = OUT_JSON_ONLY},
	{.key = "events.max", .flags = OUT_JSON_ONLY},
	{.key = "events.oom", .flags = OUT_JSON_ONLY},
	{.key = "events.oom_kill", .flags = OUT_JSON_ONLY},
	{.key = "failcnt", .flags = OUT_JSON_ONLY},
	{.key = "stalled_some", .flags = OUT_JSON_ONLY},
	{.key = "stalled_full", .flags = OUT_JSON_ONLY},
};
static const struct out_table limit_table = {"limit", NULL, limit_columns, COUNT(limit_columns)};

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
		put_number(out, "events.high", l->shortages.high);
		put_number(out, "events.max", l->shortages.max);
		put_number(out, "events.oom", l->shortages.oom);
		put_number(out, "events.oom_kill", l->shortages.kills);
		put_number(out, "failcnt", l->shortages.failures);
		put_share(out, "stalled_some", l->stalled_some);
		put_share(out, "stalled_full", l->stalled_full);
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

static const struct out_column usage_columns[] = {
	{.key = "t_s", .flags = OUT_JSON_ONLY},
	{.key = "usage_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table usage_table = {"usage", NULL, usage_columns, COUNT(usage_columns)};

static void put_limit_history(struct out *out, const struct oom_kill *kill)
{
	const struct oom_cgroup_growth *g = &kill->limit_growth;

	for (size_t i = 0; i < g->count; i++) {
		out__row(out);
		out__real(out, "t_s", -(double)g->points[i].before_ns / NS_PER_SEC);
		out__bytes(out, "usage_bytes", g->points[i].resident);
		out__row_end(out);
	}
}

static const struct out_column strain_columns[] = {
	{.key = "t_s", .flags = OUT_JSON_ONLY},
	{.key = "over_s", .flags = OUT_JSON_ONLY},
	{.key = "stalled_some", .flags = OUT_JSON_ONLY},
	{.key = "major_faults", .flags = OUT_JSON_ONLY},
	{.key = "swap_in_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_out_bytes", .flags = OUT_JSON_ONLY},
	{.key = "direct_reclaim_ns", .flags = OUT_JSON_ONLY},
};
static const struct out_table strain_table = {"strain", NULL, strain_columns, COUNT(strain_columns)};

static void put_strain(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->strain_count; i++) {
		const struct oom_strain *s = &kill->strain[i];

		out__row(out);
		out__real(out, "t_s", -(double)s->before_ns / NS_PER_SEC);
		out__real(out, "over_s", (double)s->over_ns / NS_PER_SEC);
		put_share(out, "stalled_some", s->stalled);
		put_number(out, "major_faults", s->major_faults);
		put_bytes_or_unknown(out, "swap_in_bytes", s->swapped_in);
		put_bytes_or_unknown(out, "swap_out_bytes", s->swapped_out);
		out__ns(out, "direct_reclaim_ns", s->reclaim_ns);
		out__row_end(out);
	}
}

static const struct out_column zone_columns[] = {
	{.key = "node", .flags = OUT_JSON_ONLY},       {.key = "zone", .flags = OUT_JSON_ONLY},
	{.key = "free_bytes", .flags = OUT_JSON_ONLY}, {.key = "min_bytes", .flags = OUT_JSON_ONLY},
	{.key = "low_bytes", .flags = OUT_JSON_ONLY},  {.key = "largest_free_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table zone_table = {"zone", NULL, zone_columns, COUNT(zone_columns)};

static void put_zones(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->zone_count; i++) {
		const struct oom_zone *z = &kill->zones[i];

		out__row(out);
		out__count(out, "node", z->node);
		out__text(out, "zone", z->name);
		out__bytes(out, "free_bytes", z->free);
		out__bytes(out, "min_bytes", z->min);
		out__bytes(out, "low_bytes", z->low);
		put_bytes_or_unknown(out, "largest_free_bytes", z->largest);
		out__row_end(out);
	}
}

static const struct out_column grower_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},		{.key = "comm", .flags = OUT_JSON_ONLY},
	{.key = "grown_bytes", .flags = OUT_JSON_ONLY}, {.key = "over_ns", .flags = OUT_JSON_ONLY},
	{.key = "bytes_per_s", .flags = OUT_JSON_ONLY}, {.key = "gone", .flags = OUT_JSON_ONLY},
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
		put_flag_if(out, "gone", g->gone);
		out__row_end(out);
	}
}

static const struct out_column cgroup_columns[] = {
	{.key = "cgroup", .flags = OUT_JSON_ONLY},
	{.key = "grown_bytes", .flags = OUT_JSON_ONLY},
	{.key = "over_ns", .flags = OUT_JSON_ONLY},
	{.key = "bytes_per_s", .flags = OUT_JSON_ONLY},
};
static const struct out_table cgroup_table = {"cgroup", NULL, cgroup_columns, COUNT(cgroup_columns)};

static void put_all_cgroups(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->cgroup_count; i++) {
		const struct oom_cgroup_growth *g = &kill->cgroups[i];

		out__row(out);
		out__text(out, "cgroup", g->cgroup);
		out__bytes(out, "grown_bytes", g->bytes);
		out__ns(out, "over_ns", g->over_ns);
		out__bytes(out, "bytes_per_s", g->over_ns ? (double)g->bytes * NS_PER_SEC / g->over_ns : 0);
		out__row_end(out);
	}
}

static const struct out_column site_columns[] = {
	{.key = "grown_bytes", .heading = "GREW"},
	{.key = "samples", .heading = "STACKS"},
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table site_table = {"site", "Where it grew: call sites, innermost function first",
					    site_columns, COUNT(site_columns)};

static void put_sites(struct out *out, const struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->sites.count; i++) {
		const struct oom_site *s = &kill->sites.sites[i];

		out__row(out);
		out__bytes(out, "grown_bytes", s->bytes);
		out__count(out, "samples", s->samples);
		out__count(out, "pid", s->pid);
		out__text(out, "comm", s->comm);
		put_string(out, "truncated", s->note ? s->note : "");
		out__stack(out, "stack", s->frames, s->frame_count, s->note);
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
	JSON("victim.pid"), JSON("victim.tid"), JSON("victim.ns_pid"), JSON("victim.comm"), JSON("victim.uid"), JSON("victim.user"),
	JSON("victim.oom_score_adj"), JSON("victim.age_ns"), JSON("victim.cgroup"), JSON("victim.command"),
	JSON("victim.total_vm_bytes"), JSON("victim.anon_rss_bytes"), JSON("victim.file_rss_bytes"),
	JSON("victim.shmem_rss_bytes"), JSON("victim.swap_bytes"), JSON("victim.pgtables_bytes"),
	JSON("victim.rss_exact"), JSON("victim.container"),
	JSON("trigger.pid"), JSON("trigger.tid"), JSON("trigger.ns_pid"), JSON("trigger.comm"), JSON("trigger.uid"), JSON("trigger.user"),
	JSON("trigger.oom_score_adj"), JSON("trigger.age_ns"), JSON("trigger.cgroup"), JSON("trigger.command"),
	JSON("was_dying"), JSON("constraint"), JSON("sysrq"), JSON("order"), JSON("gfp"), JSON("gfp_flags"),
	JSON("limit.cgroup"), JSON("limit.kind"), JSON("limit.limit_bytes"), JSON("limit.usage_bytes"),
	JSON("limits"),
	JSON("contents.anon_bytes"), JSON("contents.file_bytes"), JSON("contents.shmem_bytes"),
	JSON("contents.kernel_bytes"), JSON("contents.swap_bytes"), JSON("nodes"), JSON("total_bytes"), JSON("stalled_ms"),
	JSON("exit_ms"), JSON("freed_ms"), JSON("reap_ms"), JSON("reaper_skipped"),
	JSON("also_killed"), JSON("vma_count"), JSON("mapped"), JSON("vmas"), JSON("history"), JSON("growers"),
	JSON("limit_history"), JSON("cgroups"),
	JSON("candidates"), JSON("candidates_seen"),
	JSON("sites"), JSON("site_samples"), JSON("site_grown_bytes"), JSON("site_over_ns"),
	JSON("machine.total_bytes"), JSON("machine.available_bytes"), JSON("machine.swap_total_bytes"),
	JSON("machine.swap_free_bytes"), JSON("machine.stalled_some"), JSON("machine.stalled_full"), JSON("strain"), JSON("zones_after_ms"), JSON("zones"),
	DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, 
	DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN,
	DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN, DETAIL_COLUMN,
};
/* clang-format on */
const struct out_table oom_fields__table = {"oom", NULL, kill_columns, COUNT(kill_columns)};

static const char *key_of(char *buf, size_t size, const char *object, const char *name)
{
	snprintf(buf, size, "%s.%s", object, name);
	return buf;
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
	put_string(out, key_of(key, sizeof(key), object, "user"), who->user);
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
	const struct oom_limit *hit = oom_kill__hit(kill);

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

static void put_machine_fields(struct out *out, const struct oom_machine *m)
{
	put_bytes_or_unknown(out, "machine.total_bytes", m->total);
	put_bytes_or_unknown(out, "machine.available_bytes", m->available);
	put_bytes_or_unknown(out, "machine.swap_total_bytes", m->swap_total);
	put_bytes_or_unknown(out, "machine.swap_free_bytes", m->swap_free);
	put_share(out, "machine.stalled_some", m->stall_some);
	put_share(out, "machine.stalled_full", m->stall_full);
}

static void put_contents(struct out *out, const struct oom_contents *c)
{
	put_bytes_or_unknown(out, "contents.anon_bytes", c->anon);
	put_bytes_or_unknown(out, "contents.file_bytes", c->file);
	put_bytes_or_unknown(out, "contents.shmem_bytes", c->shmem);
	put_bytes_or_unknown(out, "contents.kernel_bytes", c->kernel);
	put_bytes_or_unknown(out, "contents.swap_bytes", c->swap);
}

void oom_fields__put(struct out *out, const struct oom_kill *kill)
{
	uint64_t total = kill->total_pages == OOM_UNKNOWN ? OOM_UNKNOWN : kill->total_pages * 4096;

	put_who(out, "victim", &kill->victim, kill->time_ns);
	put_size(out, &kill->size);
	put_more(out, kill);
	put_who(out, "trigger", &kill->trigger, kill->time_ns);
	put_request(out, kill);
	put_hit(out, kill);
	put_list(out, "limits", &limit_table, kill, kill->limit_count, put_all_limits);
	put_contents(out, &kill->contents);
	if (kill->nodes == OOM_UNKNOWN)
		out__unknown(out, "nodes");
	else
		out__address(out, "nodes", kill->nodes);
	put_bytes_or_unknown(out, "total_bytes", total);
	put_ms(out, "stalled_ms", kill->stalled_ns);
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
	put_list(out, "limit_history", &usage_table, kill, kill->limit_growth.count, put_limit_history);
	put_list(out, "cgroups", &cgroup_table, kill, kill->cgroup_count, put_all_cgroups);
	put_list(out, "candidates", &candidate_table, kill, kill->candidate_count, put_candidates);
	put_number(out, "candidates_seen", kill->candidate_count ? kill->candidates_seen : OOM_UNKNOWN);
	put_list(out, "sites", &site_table, kill, kill->sites.count, put_sites);
	put_number(out, "site_samples", kill->sites.taken ? kill->sites.samples : OOM_UNKNOWN);
	put_bytes_or_unknown(out, "site_grown_bytes", kill->sites.taken ? kill->sites.bytes : OOM_UNKNOWN);
	if (kill->sites.taken)
		out__ns(out, "site_over_ns", kill->sites.over_ns);
	else
		out__unknown(out, "site_over_ns");
	put_machine_fields(out, &kill->machine);
	put_list(out, "strain", &strain_table, kill, kill->strain_count, put_strain);
	put_ms(out, "zones_after_ms", kill->zones_after_ns ? kill->zones_after_ns : OOM_UNKNOWN);
	put_list(out, "zones", &zone_table, kill, kill->zone_count, put_zones);
}

void oom_fields__time(struct out *out, const struct oom_kill *kill)
{
	char clock[64];

	if (kill->wall_ns == OOM_UNKNOWN) {
		out__unknown(out, "time");
		return;
	}
	oom_text__clock(kill->wall_ns, true, clock, sizeof(clock));
	out__text(out, "time", clock);
}

static void say_sites(struct out *out, const struct oom_sites *sites)
{
	char over[32], bytes[32];

	out__format_ns(sites->over_ns, over, sizeof(over));
	out__format_bytes(sites->bytes, bytes, sizeof(bytes));
	if (!sites->samples)
		out__say(
			out,
			"No stack of the victim is there: in the last %s it did not grow beyond what it had been, "
			"or by too little.",
			over);
	else
		out__say(out,
			 "%" PRIu64
			 " stacks of the victim, which stand for %s, of the last %s: each for the growth "
			 "since the one before it. One of 64 faults is looked at.",
			 sites->samples, bytes, over);
}

void oom_fields__tables(struct out *out, const struct oom_kill *kill)
{
	if (kill->vmas_kept)
		put_table(out, &vma_table, kill, put_vmas);
	if (kill->candidate_count)
		put_table(out, &candidate_table, kill, put_candidates);
	if (kill->sites.count)
		put_table(out, &site_table, kill, put_sites);
	if (kill->sites.taken)
		say_sites(out, &kill->sites);
}
