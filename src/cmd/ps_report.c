/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/ps_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- columns ----------------------------------------------------------------------------------------------
 */

enum kind { IS_NUMBER, IS_BYTES, IS_TEXT };

static const struct {
	const char *name, *heading, *key; /* key: in JSON */
	enum kind kind;
	int value; /* of enum process_value; -1: none */
	unsigned flags;
} columns[PS_COLUMNS] = {
	[PS_PID] = {"pid", "PID", "pid", IS_NUMBER, -1, 0},
	[PS_PPID] = {"ppid", "PPID", "ppid", IS_NUMBER, -1, 0},
	[PS_USER] = {"user", "USER", "user", IS_TEXT, -1, OUT_LEFT},
	[PS_VSS] = {"vss", "VSS", "vss_bytes", IS_BYTES, VALUE_VSS, 0},
	[PS_RSS] = {"rss", "RSS", "rss_bytes", IS_BYTES, VALUE_RSS, 0},
	[PS_SHARED] = {"shared", "SHARED", "shared_bytes", IS_BYTES, VALUE_SHARED, 0},
	[PS_PSS] = {"pss", "PSS", "pss_bytes", IS_BYTES, VALUE_PSS, 0},
	[PS_USS] = {"uss", "USS", "uss_bytes", IS_BYTES, VALUE_USS, 0},
	[PS_SWAP] = {"swap", "SWAP", "swap_bytes", IS_BYTES, VALUE_SWAP, OUT_IF_ANY},
	[PS_PGTABLES] = {"pgtables", "PGTAB", "pgtables_bytes", IS_BYTES, VALUE_PGTABLES, 0},
	[PS_HUGE] = {"thp", "THP", "thp_bytes", IS_BYTES, VALUE_HUGE, 0},
	[PS_LOCKED] = {"locked", "LOCKED", "locked_bytes", IS_BYTES, VALUE_LOCKED, 0},
	[PS_MINOR] = {"minor", "MINOR", "minor", IS_NUMBER, VALUE_MINOR, 0},
	[PS_MAJOR] = {"major", "MAJOR", "major", IS_NUMBER, VALUE_MAJOR, 0},
	[PS_OOM] = {"oom", "OOM", "oom_score", IS_NUMBER, VALUE_OOM_SCORE, 0},
	[PS_ADJ] = {"adj", "ADJ", "oom_score_adj", IS_NUMBER, -1, 0},
	[PS_CHANGE] = {"change", "CHANGE", NULL, IS_TEXT, -1, OUT_LEFT | OUT_IF_ANY},
	[PS_CGROUP] = {"cgroup", "CGROUP", "cgroup", IS_TEXT, -1, OUT_LEFT | OUT_PATH},
	[PS_COMM] = {"comm", "COMM", "comm", IS_TEXT, -1, OUT_LEFT},
	[PS_COMMAND] = {"command", "COMMAND", "command", IS_TEXT, -1, OUT_LEFT | OUT_FILL},
};

int ps_column__find(const char *name)
{
	for (int i = 0; i < PS_COLUMNS; i++)
		if (!strcmp(columns[i].name, name))
			return i;
	return -1;
}

const char *ps_column__name(enum ps_column column)
{
	return columns[column].name;
}

int ps_column__value(enum ps_column column)
{
	return columns[column].value;
}

/* --- cells ------------------------------------------------------------------------------------------------
 */

static void put_value(struct out *out, const char *key, enum kind kind, uint64_t value)
{
	if (value == PROCESS_VALUE_UNKNOWN)
		out__unknown(out, key);
	else if (kind == IS_BYTES)
		out__bytes(out, key, value);
	else
		out__count(out, key, value);
}

static void put_text(struct out *out, const char *key, const char *text)
{
	if (text)
		out__text(out, key, text);
	else
		out__unknown(out, key);
}

/* "▲ 1.20 MiB", "▼ 4.00 KiB", "new"; "" for none. */
static void format_change(uint64_t was, uint64_t is, bool is_bytes, char buf[48])
{
	char amount[32];
	uint64_t by = is > was ? is - was : was - is;

	buf[0] = '\0';
	if (was == PROCESS_VALUE_UNKNOWN || is == PROCESS_VALUE_UNKNOWN || was == is)
		return;
	if (is_bytes)
		out__format_bytes(by, amount, sizeof(amount));
	else
		snprintf(amount, sizeof(amount), "%llu", (unsigned long long)by);
	snprintf(buf, 48, "%s %s", is > was ? "\xe2\x96\xb2" : "\xe2\x96\xbc", amount);
}

/* A row, and what it was when the last report was made. */
struct shown {
	const struct process_memory *row, *was; /* was NULL: it is new, or there was no report */
	const struct ps_view *view;
};

static void put_change(struct out *out, const struct shown *s)
{
	int value = columns[s->view->sort].value;
	char text[48] = "";

	if (s->view->changes && !s->was)
		snprintf(text, sizeof(text), "new");
	else if (s->was)
		format_change(s->was->values[value], s->row->values[value],
			      columns[s->view->sort].kind == IS_BYTES, text);
	out__text(out, NULL, text);
}

static void put_cell(struct out *out, const struct shown *s, enum ps_column column, const char *key)
{
	const struct process_memory *p = s->row;

	switch (column) {
	case PS_PID:
		out__count(out, key, p->pid);
		break;
	case PS_PPID:
		out__count(out, key, p->ppid);
		break;
	case PS_USER:
		put_text(out, key, p->user);
		break;
	case PS_ADJ:
		out__integer(out, key, p->oom_score_adj);
		break;
	case PS_CHANGE:
		put_change(out, s);
		break;
	case PS_CGROUP:
		put_text(out, key, p->cgroup);
		break;
	case PS_COMM:
		put_text(out, key, p->comm);
		break;
	case PS_COMMAND:
		put_text(out, key, p->command);
		break;
	default:
		put_value(out, key, columns[column].kind, p->values[columns[column].value]);
	}
}

/* --- processes --------------------------------------------------------------------------------------------
 */

static void put_process_table(struct out *out, const struct shown *rows, size_t n, size_t left_out,
			      const struct ps_view *view)
{
	struct out_column chosen[PS_COLUMNS];
	struct out_table table = {NULL, "Processes", chosen, 0};

	for (int i = 0; i < PS_COLUMNS; i++)
		if (view->columns[i])
			chosen[table.count++] = (struct out_column){
				.heading = columns[i].heading, .flags = OUT_TABLE_ONLY | columns[i].flags};
	out__begin(out, &table);
	for (size_t i = 0; i < n; i++) {
		out__row(out);
		for (int j = 0; j < PS_COLUMNS; j++)
			if (view->columns[j])
				put_cell(out, &rows[i], j, NULL);
		out__row_end(out);
	}
	out__end(out, left_out);
}

/* JSON has all that is known, whatever the table shows. */
static const enum process_value changing[] = {VALUE_RSS, VALUE_PSS, VALUE_USS, VALUE_SWAP};
static const struct out_column json_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "ppid", .flags = OUT_JSON_ONLY},
	{.key = "uid", .flags = OUT_JSON_ONLY},
	{.key = "user", .flags = OUT_JSON_ONLY},
	{.key = "comm", .flags = OUT_JSON_ONLY},
	{.key = "command", .flags = OUT_JSON_ONLY},
	{.key = "cgroup", .flags = OUT_JSON_ONLY},
	{.key = "vss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "rss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "pss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "uss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "shared_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_pss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "pgtables_bytes", .flags = OUT_JSON_ONLY},
	{.key = "thp_bytes", .flags = OUT_JSON_ONLY},
	{.key = "thp_shared_bytes", .flags = OUT_JSON_ONLY},
	{.key = "locked_bytes", .flags = OUT_JSON_ONLY},
	{.key = "oom_score", .flags = OUT_JSON_ONLY},
	{.key = "minor", .flags = OUT_JSON_ONLY},
	{.key = "major", .flags = OUT_JSON_ONLY},
	{.key = "oom_score_adj", .flags = OUT_JSON_ONLY},
	{.key = "rss_change_bytes", .flags = OUT_JSON_ONLY},
	{.key = "pss_change_bytes", .flags = OUT_JSON_ONLY},
	{.key = "uss_change_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_change_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table json_table = {"process", NULL, json_columns, COUNT(json_columns)};
#define FIRST_VALUE_KEY	 7
#define FIRST_CHANGE_KEY 22

static void put_values(struct out *out, const struct process_memory *p)
{
	for (int i = 0; i < PROCESS_VALUES; i++)
		put_value(out, json_columns[FIRST_VALUE_KEY + i].key,
			  i < VALUE_OOM_SCORE ? IS_BYTES : IS_NUMBER, p->values[i]);
}

static void put_changes(struct out *out, const struct shown *s)
{
	for (size_t i = 0; i < COUNT(changing); i++) {
		const char *key = json_columns[FIRST_CHANGE_KEY + i].key;
		uint64_t is = s->row->values[changing[i]], was = s->was ? s->was->values[changing[i]] : 0;

		if (!s->was || is == PROCESS_VALUE_UNKNOWN || was == PROCESS_VALUE_UNKNOWN)
			out__unknown(out, key);
		else
			out__change(out, key, (int64_t)(is - was));
	}
}

static void put_process_json(struct out *out, const struct shown *s)
{
	const struct process_memory *p = s->row;

	out__line(out, &json_table);
	out__count(out, "pid", p->pid);
	out__count(out, "ppid", p->ppid);
	out__count(out, "uid", p->uid);
	put_text(out, "user", p->user);
	put_text(out, "comm", p->comm);
	put_text(out, "command", p->command);
	put_text(out, "cgroup", p->cgroup);
	put_values(out, p);
	out__integer(out, "oom_score_adj", p->oom_score_adj);
	put_changes(out, s);
	out__row_end(out);
}

static void put_processes(struct out *out, struct snapshot *now, struct snapshot *before,
			  const struct ps_view *view)
{
	size_t n = view->top && view->top < now->n ? view->top : now->n;
	struct shown *rows = calloc(n ? n : 1, sizeof(*rows));

	process_list__sort(now->rows, now->n, columns[view->sort].value);
	if (before)
		process_list__index(before->rows, before->n);
	for (size_t i = 0; rows && i < n; i++) {
		rows[i] = (struct shown){&now->rows[i], NULL, view};
		if (before)
			rows[i].was = process_list__find(before->rows, before->n, now->rows[i].pid,
							 now->rows[i].start);
		if (out__format(out) == OUT_JSON)
			put_process_json(out, &rows[i]);
	}
	if (rows && out__format(out) == OUT_TABLE)
		put_process_table(out, rows, n, now->n - n, view);
	free(rows);
}

/* --- groups -----------------------------------------------------------------------------------------------
 */

static const struct {
	const char *by, *title, *heading;
} groups[] = {
	[PS_BY_USER] = {"user", "By user", "USER"},
	[PS_BY_CGROUP] = {"cgroup", "By memory cgroup", "CGROUP"},
	[PS_BY_COMM] = {"comm", "By name", "COMM"},
	[PS_BY_MAPPING] = {"mapping", "By what is mapped", "MAPPING"},
};

static const struct out_column sum_columns[] = {
	{.key = "by", .flags = OUT_JSON_ONLY},
	{.key = "processes", .heading = "PROCS"},
	{.key = "vss_bytes", .heading = "VSS"},
	{.key = "rss_bytes", .heading = "RSS"},
	{.key = "pss_bytes", .heading = "PSS"},
	{.key = "uss_bytes", .heading = "USS"},
	{.key = "shared_bytes", .heading = "SHARED"},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "swap_pss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "pgtables_bytes", .flags = OUT_JSON_ONLY},
	{.key = "thp_bytes", .flags = OUT_JSON_ONLY},
	{.key = "locked_bytes", .flags = OUT_JSON_ONLY},
	{.key = "minor", .flags = OUT_JSON_ONLY},
	{.key = "major", .flags = OUT_JSON_ONLY},
	{.key = "without_pss", .flags = OUT_JSON_ONLY},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
};
static const enum process_value sum_values[] = {VALUE_VSS,    VALUE_RSS,    VALUE_PSS,	    VALUE_USS,
						VALUE_SHARED, VALUE_SWAP,   VALUE_SWAP_PSS, VALUE_PGTABLES,
						VALUE_HUGE,   VALUE_LOCKED, VALUE_MINOR,    VALUE_MAJOR};

static void put_sums(struct out *out, const struct process_memory *p, const char *by, const char *name)
{
	out__row(out);
	put_text(out, "by", by);
	out__count(out, "processes", p->processes);
	for (size_t i = 0; i < COUNT(sum_values); i++)
		put_value(out, sum_columns[2 + i].key, sum_values[i] >= VALUE_MINOR ? IS_NUMBER : IS_BYTES,
			  p->values[sum_values[i]]);
	out__count(out, "without_pss", p->without_pss);
	if (by)
		put_text(out, "name", name);
	out__row_end(out);
}

static const char *group_name(const struct process_memory *p, enum ps_group by)
{
	if (by == PS_BY_USER)
		return p->user;
	if (by == PS_BY_CGROUP)
		return p->cgroup ? p->cgroup : "-";
	return by == PS_BY_COMM ? p->comm : p->name;
}

static void put_groups(struct out *out, const struct snapshot *now, const struct ps_view *view)
{
	const struct process_memory *rows = view->group == PS_BY_MAPPING ? now->mappings : now->rows;
	size_t n = view->group == PS_BY_MAPPING ? now->n_mappings : now->n, count = 0, shown;
	struct out_column titled[COUNT(sum_columns)];
	struct out_table table = {"group", groups[view->group].title, titled, COUNT(sum_columns)};
	const char **names = calloc(n ? n : 1, sizeof(*names));
	struct process_memory *sums = NULL;

	memcpy(titled, sum_columns, sizeof(titled));
	titled[COUNT(sum_columns) - 1].heading = groups[view->group].heading;
	for (size_t i = 0; names && i < n; i++)
		names[i] = group_name(&rows[i], view->group);
	if (names)
		count = process_list__group(rows, names, n, &sums);
	process_list__sort(sums, count, columns[view->sort].value);
	shown = view->top && view->top < count ? view->top : count;
	out__begin(out, &table);
	for (size_t i = 0; i < shown; i++)
		put_sums(out, &sums[i], groups[view->group].by, sums[i].name);
	out__end(out, count - shown);
	free(sums);
	free(names);
}

/* --- the sum ----------------------------------------------------------------------------------------------
 */

/* Without a name. */
static const struct out_table total_table = {"total", "Together", sum_columns, COUNT(sum_columns) - 1};

static void say_what_it_means(struct out *out, const struct snapshot *now, bool pss_known)
{
	if (pss_known)
		out__say(
			out,
			"PSS is USS and a share of what is shared: a page that n processes map counts 1/n. So it "
			"adds up, and RSS does not.");
	if (now->denied)
		out__say(
			out,
			"%zu of %zu processes cannot be looked into by this user: the sums of PSS, USS and SHARED are "
			"without them.",
			now->denied, now->n);
	if (now->too_large)
		out__say(out,
			 "In %zu of %zu processes it would take more than %llu ms to look for what is shared "
			 "(--read-limit): the sums of PSS, USS and SHARED are without them.",
			 now->too_large, now->n, (unsigned long long)(now->limit_ns / 1000000));
}

static void put_total(struct out *out, const struct snapshot *now)
{
	struct process_memory sum = process_memory__none();

	for (size_t i = 0; i < now->n; i++)
		process_memory__add(&sum, &now->rows[i]);
	out__begin(out, &total_table);
	put_sums(out, &sum, NULL, NULL);
	out__end(out, 0);
	say_what_it_means(out, now, now->n && sum.values[VALUE_PSS] != PROCESS_VALUE_UNKNOWN);
}

void ps_report__print(struct out *out, struct snapshot *now, struct snapshot *before,
		      const struct ps_view *view)
{
	if (view->group == PS_BY_PROCESS)
		put_processes(out, now, before, view);
	else
		put_groups(out, now, view);
	put_total(out, now);
}
