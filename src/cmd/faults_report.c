/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/faults_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/fault_place.h"
#include "model/bad_access.h"
#include "model/vma_name.h"
#include "util/number.h"

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

static double share_of(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / whole : 0;
}

static void put_text_or_unknown(struct out *out, const char *key, const char *text)
{
	if (text)
		out__text(out, key, text);
	else
		out__unknown(out, key);
}

/* --- processes --------------------------------------------------------------------------------------------
 */

static const struct out_column process_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.key = "processes", .heading = "EXITED", .flags = OUT_IF_ANY},
	{.key = "ppid", .flags = OUT_JSON_ONLY},
	{.key = "faults", .heading = "FAULTS"},
	{.key = "minor", .heading = "MINOR"},
	{.key = "major", .heading = "MAJOR"},
	{.key = "untrapped", .heading = "NO-TRAP", .flags = OUT_IF_ANY},
	{.key = "kernel_mode", .heading = "KERNEL"},
	{.key = "segv", .heading = "SEGV", .flags = OUT_IF_ANY},
	{.key = "sigbus", .heading = "SIGBUS", .flags = OUT_IF_ANY},
	{.key = "share", .heading = "SHARE"},
};
static const struct out_table process_table = {"process", "Processes", process_columns,
					       COUNT(process_columns)};

static void put_pid(struct out *out, const struct process_row *p)
{
	if (p->key.tgid)
		out__count(out, "pid", p->key.tgid);
	else
		out__unknown(out, "pid");
}

/* Faults that the kernel counted and no exception announced: MAP_POPULATE, mlock, the arguments of exec. */
static uint64_t untrapped(const struct process_row *p)
{
	uint64_t completed = p->minor + p->major, trapped = p->counts.faults - p->counts.failed;

	return completed > trapped ? completed - trapped : 0;
}

static void put_process(struct out *out, const struct process_row *p, uint64_t total)
{
	out__row(out);
	put_pid(out, p);
	out__text(out, "comm", p->comm);
	if (p->key.tgid)
		out__unknown(out, "processes");
	else
		out__count(out, "processes", p->processes);
	if (p->key.tgid)
		out__count(out, "ppid", p->ppid);
	else
		out__unknown(out, "ppid");
	out__count(out, "faults", p->counts.faults);
	out__count(out, "minor", p->minor);
	out__count(out, "major", p->major);
	if (p->counters_known)
		out__count(out, "untrapped", untrapped(p));
	else
		out__unknown(out, "untrapped");
	out__count(out, "kernel_mode", p->counts.kernel_mode);
	out__count(out, "segv", p->segv);
	out__count(out, "sigbus", p->sigbus);
	out__share(out, "share", share_of(p->counts.faults, total));
	out__row_end(out);
}

void faults_report__processes(struct out *out, const struct fault_table *table, size_t top)
{
	uint64_t total = fault_table__total(table)->faults;
	size_t n, shown;
	struct process_row **rows = fault_table__processes(table, &n);

	shown = top && top < n ? top : n;
	out__begin(out, &process_table);
	for (size_t i = 0; i < shown; i++)
		put_process(out, rows[i], total);
	out__end(out, n - shown);
	free(rows);
}

/* --- VMAs -------------------------------------------------------------------------------------------------
 */

static const struct out_column vma_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "class", .heading = "CLASS", .flags = OUT_LEFT},
	{.key = "faults", .heading = "FAULTS"},
	{.key = "minor", .heading = "MINOR"},
	{.key = "major", .heading = "MAJOR"},
	{.key = "share", .heading = "SHARE"},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.flags = OUT_TABLE_ONLY | OUT_DETAIL}, /* range */
	{.key = "start", .flags = OUT_JSON_ONLY},
	{.key = "end", .flags = OUT_JSON_ONLY},
	{.key = "perms", .flags = OUT_DETAIL},
	{.key = "kinds", .flags = OUT_DETAIL},
	{.key = "kernel_mode", .flags = OUT_JSON_ONLY},
	{.key = "failed", .flags = OUT_JSON_ONLY},
	{.key = "thread", .flags = OUT_JSON_ONLY},
	{.key = "latency_ns.count", .flags = OUT_JSON_ONLY},
	{.key = "latency_ns.p50", .flags = OUT_JSON_ONLY},
	{.key = "latency_ns.p99", .flags = OUT_JSON_ONLY},
	{.key = "latency_ns.max", .flags = OUT_JSON_ONLY},
};
static const struct out_table vma_table = {"vma", "VMAs", vma_columns, COUNT(vma_columns)};

/* What a row of VMAs says, wherever it comes from. */
struct vma_line {
	const struct process_row *process;
	const struct vma_row *vma; /* NULL: "(other)" */
	const struct fault_counts *counts;
};

static int by_value(const void *a, const void *b)
{
	const struct out_part *p = a, *q = b;

	return p->value > q->value ? -1 : p->value < q->value;
}

static void put_kinds(struct out *out, const int64_t kinds[KINDS])
{
	struct out_part parts[KINDS];

	for (int i = 0; i < KINDS; i++)
		parts[i] = (struct out_part){fault_kind__name(i), kinds[i] > 0 ? kinds[i] : 0};
	qsort(parts, KINDS, sizeof(parts[0]), by_value);
	out__parts(out, "kinds", parts, KINDS);
}

static void put_place(struct out *out, const struct vma_row *v)
{
	char perms[5];

	if (v && v->end) {
		out__range(out, v->start, v->end);
		out__address(out, "start", v->start);
		out__address(out, "end", v->end);
	} else {
		out__unknown(out, NULL);
		out__unknown(out, "start");
		out__unknown(out, "end");
	}
	if (v && (v->end || v->named) && v->class) {
		vma_name__perms(v->vm_flags, perms);
		out__text(out, "perms", perms);
	} else {
		out__unknown(out, "perms");
	}
}

static void put_latency(struct out *out, const struct vma_row *v)
{
	static const char *const keys[] = {"latency_ns.count", "latency_ns.p50", "latency_ns.p99",
					   "latency_ns.max"};

	if (v && v->latency) {
		out__count(out, keys[0], histogram__count(v->latency));
		out__count(out, keys[1], histogram__percentile(v->latency, 50));
		out__count(out, keys[2], histogram__percentile(v->latency, 99));
		out__count(out, keys[3], v->latency->max_ns);
		return;
	}
	for (size_t i = 0; i < COUNT(keys); i++)
		out__unknown(out, keys[i]);
}

static void put_vma(struct out *out, const struct vma_line *line, uint64_t total)
{
	const struct vma_row *v = line->vma;
	char name[64];

	out__row(out);
	put_pid(out, line->process);
	out__text(out, "comm", line->process->comm);
	if (line->process->key.tgid)
		out__unknown(out, "processes");
	else
		out__count(out, "processes", line->process->processes);
	if (v)
		out__text(out, "class", vma_class__name(fault_place__class(v)));
	else
		out__unknown(out, "class");
	out__count(out, "faults", line->counts->faults);
	out__count(out, "minor", fault_counts__minor(line->counts));
	out__count(out, "major", line->counts->major);
	out__share(out, "share", share_of(line->counts->faults, total));
	out__text(out, "name", fault_place__name(v, name));
	put_place(out, v);
	put_kinds(out, line->counts->kinds);
	out__count(out, "kernel_mode", line->counts->kernel_mode);
	out__count(out, "failed", line->counts->failed);
	if (v && v->stack_tid)
		out__count(out, "thread", v->stack_tid);
	else
		out__unknown(out, "thread");
	put_latency(out, v);
	out__row_end(out);
}

static int lines_by_faults(const void *a, const void *b)
{
	const struct vma_line *p = a, *q = b;

	return p->counts->faults > q->counts->faults ? -1 : p->counts->faults < q->counts->faults;
}

/* All rows in one order: VMAs, and what found no room among them. */
static struct vma_line *all_lines(const struct fault_table *table, size_t *count)
{
	size_t vmas, processes, n = 0;
	struct vma_ref *refs = fault_table__vmas(table, &vmas);
	struct process_row **rows = fault_table__processes(table, &processes);
	struct vma_line *lines = calloc(vmas + processes + 1, sizeof(*lines));

	for (size_t i = 0; lines && i < vmas; i++)
		lines[n++] = (struct vma_line){refs[i].process, refs[i].vma, &refs[i].vma->counts};
	for (size_t i = 0; lines && i < processes; i++)
		if (rows[i]->other.faults)
			lines[n++] = (struct vma_line){rows[i], NULL, &rows[i]->other};
	if (n)
		qsort(lines, n, sizeof(*lines), lines_by_faults);
	free(refs);
	free(rows);
	*count = n;
	return lines;
}

void faults_report__vmas(struct out *out, const struct fault_table *table, size_t top)
{
	uint64_t total = fault_table__total(table)->faults;
	size_t n, shown;
	struct vma_line *lines = all_lines(table, &n);

	shown = top && top < n ? top : n;
	out__begin(out, &vma_table);
	for (size_t i = 0; i < shown; i++)
		put_vma(out, &lines[i], total);
	out__end(out, n - shown);
	free(lines);
}

/* --- kinds ------------------------------------------------------------------------------------------------
 */

static const struct out_column kind_columns[] = {
	{.key = "kind", .heading = "KIND", .flags = OUT_LEFT},
	{.key = "faults", .heading = "FAULTS"},
	{.key = "share", .heading = "SHARE"},
	{.key = "meaning", .heading = "MEANING", .flags = OUT_LEFT | OUT_FILL},
};
static const struct out_table kind_table = {"kind", "Why", kind_columns, COUNT(kind_columns)};

void faults_report__kinds(struct out *out, const struct fault_table *table)
{
	const struct fault_counts *total = fault_table__total(table);
	struct out_part parts[KINDS];

	for (unsigned i = 0; i < KINDS; i++)
		parts[i] = (struct out_part){(const char *)(uintptr_t)i,
					     total->kinds[i] > 0 ? total->kinds[i] : 0};
	qsort(parts, KINDS, sizeof(parts[0]), by_value);
	out__begin(out, &kind_table);
	for (unsigned i = 0; i < KINDS && parts[i].value; i++) {
		unsigned kind = (uintptr_t)parts[i].name;

		out__row(out);
		out__text(out, "kind", fault_kind__name(kind));
		out__count(out, "faults", parts[i].value);
		out__share(out, "share", share_of(parts[i].value, total->faults));
		out__text(out, "meaning", fault_kind__meaning(kind));
		out__row_end(out);
	}
	out__end(out, 0);
}

/* --- latency ----------------------------------------------------------------------------------------------
 */

static const struct out_column latency_columns[] = {
	{.key = "class", .heading = "CLASS", .flags = OUT_LEFT},
	{.key = "fault", .heading = "FAULT", .flags = OUT_LEFT},
	{.key = "count", .heading = "COUNT"},
	{.key = "faults", .flags = OUT_JSON_ONLY},
	{.key = "p50_ns", .heading = "P50"},
	{.key = "p90_ns", .heading = "P90"},
	{.key = "p99_ns", .heading = "P99"},
	{.key = "max_ns", .heading = "MAX"},
	{.key = "log2_buckets", .flags = OUT_JSON_ONLY},
};
static const struct out_table latency_table = {"latency", "Latency", latency_columns, COUNT(latency_columns)};

/* Of a class whose turn to be timed did not come nothing is known but how many there were. */
static void put_percentiles(struct out *out, const struct histogram *h)
{
	static const struct {
		const char *key;
		double percent;
	} percentiles[] = {{"p50_ns", 50}, {"p90_ns", 90}, {"p99_ns", 99}};
	bool known = histogram__count(h);

	for (size_t i = 0; i < COUNT(percentiles); i++) {
		if (known)
			out__ns(out, percentiles[i].key, histogram__percentile(h, percentiles[i].percent));
		else
			out__unknown(out, percentiles[i].key);
	}
	if (known)
		out__ns(out, "max_ns", h->max_ns);
	else
		out__unknown(out, "max_ns");
}

static void put_class_latency(struct out *out, unsigned class, bool major,
			      const struct fault_latency *latency)
{
	const struct histogram *h = &latency->timed;

	out__row(out);
	out__text(out, "class", vma_class__name(class));
	out__text(out, "fault", major ? "major" : "minor");
	out__count(out, "count", histogram__count(h));
	out__count(out, "faults", histogram__count(h) + latency->untimed);
	put_percentiles(out, h);
	out__counts(out, "log2_buckets", h->buckets, LATENCY_BUCKETS);
	out__row_end(out);
}

static void say_sampled(struct out *out, struct fault_latency (*latencies)[2])
{
	uint64_t timed = 0, untimed = 0;

	for (unsigned class = 0; class < CLASSES; class ++) {
		timed += histogram__count(&latencies[class][0].timed);
		untimed += latencies[class][0].untimed;
	}
	if (untimed)
		out__say(
			out,
			"Of %" PRIu64 " minor faults %" PRIu64
			" were timed: every %dth, while a CPU had more than %d a second. --latency=all times them all.",
			timed + untimed, timed, MINOR_SAMPLE, 1000000000 / MINOR_SAMPLED_BELOW_NS);
}

void faults_report__latency(struct out *out, struct fault_latency (*latencies)[2], bool bars)
{
	out__begin(out, &latency_table);
	for (unsigned class = 0; class < CLASSES; class ++)
		for (int major = 0; major < 2; major++)
			if (histogram__count(&latencies[class][major].timed) +
			    latencies[class][major].untimed)
				put_class_latency(out, class, major, &latencies[class][major]);
	out__end(out, 0);
	say_sampled(out, latencies);
	for (unsigned class = 0; bars && class < CLASSES; class ++) {
		for (int major = 0; major < 2; major++) {
			char title[64];

			snprintf(title, sizeof(title), "%s, %s", vma_class__name(class),
				 major ? "major" : "minor");
			out__bars(out, title, latencies[class][major].timed.buckets, LATENCY_BUCKETS);
		}
	}
}

/* --- call stacks ------------------------------------------------------------------------------------------
 */

static const struct out_column stack_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "faults", .heading = "FAULTS"},
	{.key = "share", .heading = "SHARE"},
	{.key = "samples", .heading = "SAMPLES"},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .heading = "CLASS"},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT | OUT_FILL | OUT_PATH, .heading = "NAME"},
	NESTED_VMA_COLUMNS,
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table stack_table = {"stack", "Call stacks", stack_columns, COUNT(stack_columns)};

static void put_stack(struct out *out, struct stacks *stacks, const struct fault_stack *row, uint64_t total)
{
	const struct vma_row *v = row->vma;
	struct fault_stack_shown shown;
	char name[64];

	shown.frames = stacks__frames(stacks, row->stack, false, &shown.count, &shown.note);
	out__row(out);
	put_pid(out, row->process);
	out__text(out, "comm", row->process->comm);
	if (row->process->key.tgid)
		out__unknown(out, "processes");
	else
		out__count(out, "processes", row->process->processes);
	out__count(out, "faults", row->faults);
	out__share(out, "share", share_of(row->faults, total));
	out__count(out, "samples", row->samples);
	out__text(out, NULL, v ? vma_class__name(fault_place__class(v)) : "-");
	out__text(out, NULL, fault_place__name(v, name));
	if (v)
		fault_place__put_vma(out, v, v->start, v->end, v->vm_flags);
	else
		fault_place__put_no_vma(out);
	put_text_or_unknown(out, "truncated", shown.note);
	if (!shown.count && !shown.note)
		shown.note = row->samples ? "no stack could be had" : "none of these faults was sampled";
	out__stack(out, "stack", shown.frames, shown.count, shown.note);
	out__row_end(out);
	free(shown.frames);
}

void faults_report__stacks(struct out *out, struct stacks *stacks, const struct fault_stack *rows, size_t n,
			   size_t top, uint64_t total)
{
	size_t shown = top && top < n ? top : n;

	out__begin(out, &stack_table);
	for (size_t i = 0; i < shown; i++)
		put_stack(out, stacks, &rows[i], total);
	out__end(out, n - shown);
}

/* --- bad accesses -----------------------------------------------------------------------------------------
 */

static const struct out_column signal_columns[] = {
	{.flags = OUT_TABLE_ONLY | OUT_LEFT},	      {.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "tid", .flags = OUT_JSON_ONLY},	      {.key = "comm", .flags = OUT_JSON_ONLY},
	{.key = "signal", .flags = OUT_LEFT},	      {.key = "code", .flags = OUT_LEFT},
	{.key = "access", .flags = OUT_LEFT},	      {.key = "address", .flags = OUT_LEFT},
	{.key = "ip", .flags = OUT_JSON_ONLY},	      {.key = "symbol", .flags = OUT_JSON_ONLY},
	{.key = "module", .flags = OUT_JSON_ONLY},    {.key = "module_offset", .flags = OUT_JSON_ONLY},
	{.key = "handled", .flags = OUT_JSON_ONLY},   NESTED_VMA_COLUMNS,
	{.key = "explanation", .flags = OUT_DETAIL},  {.flags = OUT_TABLE_ONLY | OUT_DETAIL},
	{.key = "truncated", .flags = OUT_JSON_ONLY}, {.key = "stack", .flags = OUT_STACK},
};
static const struct out_table signal_table = {"segv", NULL, signal_columns, COUNT(signal_columns)};

static void put_code_place(struct out *out, const struct code *code)
{
	if (code->ip)
		out__address(out, "ip", code->ip);
	else
		out__unknown(out, "ip");
	put_text_or_unknown(out, "symbol", code->frame ? code->frame->symbol : NULL);
	if (code->frame) {
		out__text(out, "module", code->vma->name);
		out__address(out, "module_offset",
			     code->frame->module_offset ?: code->ip - code->start + (code->pgoff << 12));
	} else {
		out__unknown(out, "module");
		out__unknown(out, "module_offset");
	}
}

void faults_report__signal(struct out *out, const struct fault_table *table, const struct signal_record *r,
			   const struct fault_stack_shown *stack, struct stacks *stacks)
{
	struct code code = code__at(stacks, bad_access__vma(table, &r->code_at), r->code_at.start,
				    r->code_at.pgoff, r->process.tgid, r->ip);
	char who[64], comm[COMM_SIZE + 1], where[300] = "", place[320], explanation[1024];

	snprintf(comm, sizeof(comm), "%.*s", COMM_SIZE, r->comm);
	snprintf(who, sizeof(who), "%s/%u:", comm, r->tid);
	if (r->ip)
		code__format(&code, where, sizeof(where));
	snprintf(place, sizeof(place), "by %s%s", *where ? where : "an unknown place",
		 r->handled ? "; the process has a handler" : "");
	bad_access__explain(r, table, explanation, sizeof(explanation));
	out__line(out, &signal_table);
	out__text(out, NULL, who);
	out__count(out, "pid", r->process.tgid);
	out__count(out, "tid", r->tid);
	out__text(out, "comm", comm);
	put_text_or_unknown(out, "signal", bad_access__signal(r->signal));
	put_text_or_unknown(out, "code", bad_access__code(r->signal, r->code));
	put_text_or_unknown(out, "access", bad_access__access(r->error));
	if (r->code == 128)
		out__unknown(out, "address");
	else
		out__address(out, "address", r->address);
	put_code_place(out, &code);
	out__flag(out, "handled", r->handled);
	fault_place__put_vma(out, bad_access__vma(table, &r->at), r->at.start, r->at.end, r->at.flags);
	out__text(out, "explanation", explanation);
	out__text(out, NULL, place);
	put_text_or_unknown(out, "truncated", stack->note);
	out__stack(out, "stack", stack->frames, stack->count, stack->note);
	out__row_end(out);
}

/* --- events -----------------------------------------------------------------------------------------------
 */

static const struct out_column event_columns[] = {
	{.flags = OUT_TABLE_ONLY, .width = 10}, /* seconds */
	{.key = "time_ns", .flags = OUT_JSON_ONLY},
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "tid", .flags = OUT_JSON_ONLY},
	{.key = "comm", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 16}, /* comm/tid */
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 5},  /* minor, major */
	{.key = "kind", .flags = OUT_LEFT, .width = 10},
	{.key = "access", .flags = OUT_LEFT, .width = 5},
	{.key = "address", .flags = OUT_LEFT, .width = 14},
	{.key = "latency_ns", .width = 7},
	{.key = "ip", .flags = OUT_JSON_ONLY},
	{.key = "mode", .flags = OUT_JSON_ONLY},
	{.key = "major", .flags = OUT_JSON_ONLY},
	NESTED_VMA_COLUMNS,
	{.flags = OUT_TABLE_ONLY | OUT_LEFT}, /* by => into */
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table event_table = {"fault", NULL, event_columns, COUNT(event_columns)};

/* "comm/tid". buf holds both. */
static void format_who(const char *comm, uint32_t tid, char *buf)
{
	size_t length = strlen(comm);

	memcpy(buf, comm, length);
	buf[length] = '/';
	number__decimal(tid, buf + length + 1);
}

/* As much of text as there is room for before end; where it ends. */
static char *append(char *at, const char *end, const char *text)
{
	while (*text && at < end)
		*at++ = *text++;
	*at = '\0';
	return at;
}

/* By which code, into what. */
static void format_place(struct recent_codes *codes, const struct fault_record *r, const struct vma_row *v,
			 char *buf, size_t size)
{
	const char *by =
		r->kernel_mode ? "[kernel]" : recent_codes__name(codes, &r->key.process, r->time_ns, r->ip);
	const char *end = buf + size - 1;
	char name[FAULT_PLACE_NAME], *at;

	at = append(buf, end, by);
	at = append(at, end, " => ");
	append(at, end, v ? fault_place__name(v, name) : r->end ? "?" : "(no VMA)");
}

void faults_report__event(struct out *out, struct recent_codes *codes, const struct fault_record *r,
			  const struct vma_row *v, uint64_t began_ns, const struct fault_stack_shown *stack)
{
	char comm[COMM_SIZE + 1] = "", who[COMM_SIZE + 1 + NUMBER_SIZE], place[1024] = "";

	memcpy(comm, r->comm, COMM_SIZE);
	format_who(comm, r->tid, who);
	if (out__format(out) == OUT_TABLE)
		format_place(codes, r, v, place, sizeof(place));
	out__line(out, &event_table);
	out__seconds(out, NULL, r->time_ns > began_ns ? r->time_ns - began_ns : 0);
	out__count(out, "time_ns", r->time_ns);
	out__count(out, "pid", r->key.process.tgid);
	out__count(out, "tid", r->tid);
	out__text(out, "comm", comm);
	out__text(out, NULL, who);
	out__text(out, NULL, r->major ? "major" : "minor");
	out__text(out, "kind", fault_kind__name(r->kind));
	put_text_or_unknown(out, "access", bad_access__access(r->error));
	out__address(out, "address", r->address);
	if (r->timed)
		out__ns(out, "latency_ns", r->latency_ns);
	else
		out__unknown(out, "latency_ns");
	out__address(out, "ip", r->ip);
	out__text(out, "mode", r->kernel_mode ? "kernel" : "user");
	out__flag(out, "major", r->major);
	fault_place__put_vma(out, v, r->start, r->end, r->key.anchor & VM_PERMS);
	out__text(out, NULL, place);
	put_text_or_unknown(out, "truncated", stack->note);
	out__stack(out, "stack", stack->frames, stack->count, stack->note);
	out__row_end(out);
}
