/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/leaks_sites.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ledger_source.h"
#include "cmd/stack_profile.h"
#include "cmd/stack_report.h"
#include "model/call_text.h"
#include "model/site_growth.h"
#include "util/log.h"

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))
#define KEEP_ENDED     64
#define STEP_LEAST_NS  100000000ull
#define STEPS	       100 /* in a run that is long enough */
#define SHARE_LEAST    0.01
#define PAUSE	       100 /* times the CPU time of measuring until the next time */

/* The sites of one process image. */
struct process_sites {
	struct process_key key;
	struct site_growth *growth;
	bool ended;
	UT_hash_handle hh;
};

/* A stack, and the same without what an allocator does inside. */
struct trimmed_stack {
	uint32_t stack, trimmed;
	UT_hash_handle hh;
};

struct leaks_sites {
	struct leaks_options *options;
	struct session *session;
	struct features features;
	struct ledger_source source;
	struct stacks *stacks;
	struct stack_profile *profile; /* NULL: no file is to be written */
	struct process_sites *all;
	struct trimmed_stack *trimmed;
	uint64_t next_ns;
	uint64_t touches, touch_samples; /* page faults that the latter stand for */
};

/* --- opening ----------------------------------------------------------------------------------------------
 */

static struct process_sites *find(const struct leaks_sites *s, const struct process_key *key)
{
	struct process_sites *p;

	HASH_FIND(hh, s->all, key, sizeof(*key), p);
	return p;
}

static struct process_sites *get(struct leaks_sites *s, const struct process_key *key)
{
	struct process_sites *p = find(s, key);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (p)
		p->growth = site_growth__new(session__now());
	if (!p || !p->growth) {
		free(p);
		return NULL;
	}
	p->key = *key;
	HASH_ADD(hh, s->all, key, sizeof(p->key), p);
	return p;
}

/* Where in malloc() the first touch happens is chance: what counts is who called it. */
static uint32_t trim(struct leaks_sites *s, uint32_t stack)
{
	struct trimmed_stack *t;
	struct frame *frames;
	const char *note;
	size_t n;

	HASH_FIND_INT(s->trimmed, &stack, t);
	if (t)
		return t->trimmed;
	frames = stacks__frames(s->stacks, stack, false, &n, &note);
	t = calloc(1, sizeof(*t));
	if (!t || !frames) {
		free(t);
		free(frames);
		return stack;
	}
	t->stack = stack;
	t->trimmed = stacks__without(s->stacks, stack, call_text__first_frame(frames, n));
	free(frames);
	HASH_ADD_INT(s->trimmed, stack, t);
	return t->trimmed;
}

static int take_touch(void *context, const struct stack_record *record, uint32_t stack)
{
	struct leaks_sites *s = context;
	struct process_sites *p = get(s, &record->key.process);
	struct touch_sample sample = {
		.address = record->key.anchor,
		.ns = record->time_ns,
		.stack = trim(s, stack),
		.weight = record->weight,
	};

	s->touches += record->weight;
	s->touch_samples++;
	return p ? site_growth__touch(p->growth, &sample) : -ENOMEM;
}

static int open_all(struct leaks_sites *s)
{
	struct alloc_source_options source = {.buffer_bytes = s->options->buffer_bytes, .touch_stacks = true};
	struct ledger_handlers handlers = {NULL, take_touch, s};
	int err = features__open(&s->features, s->options->common.without, s->options->common.btf);

	if (err)
		return err;
	s->stacks = stacks__open(true);
	if (stack_options__wants_profile(&s->options->stacks))
		s->profile = stack_profile__new();
	if (!s->stacks || (stack_options__wants_profile(&s->options->stacks) && !s->profile))
		return -ENOMEM;
	ledger_source__choose_stacks(&source, &s->options->stacks);
	s->source.stacks = s->stacks;
	return ledger_source__open(&s->source, &source, &s->options->common.target, &s->features, s->session,
				   &handlers, KEEP_ENDED);
}

struct leaks_sites *leaks_sites__open(struct leaks_options *options, struct session *session)
{
	struct leaks_sites *s = calloc(1, sizeof(*s));

	if (!s) {
		log__error("no memory");
		return NULL;
	}
	s->options = options;
	s->session = session;
	if (!open_all(s))
		return s;
	leaks_sites__close(s);
	return NULL;
}

static void forget(struct leaks_sites *s, struct process_sites *p)
{
	HASH_DEL(s->all, p);
	site_growth__free(p->growth);
	free(p);
}

void leaks_sites__close(struct leaks_sites *s)
{
	struct process_sites *p, *next;
	struct trimmed_stack *t, *next_trimmed;

	if (!s)
		return;
	ledger_source__close(&s->source);
	HASH_ITER(hh, s->all, p, next)
		forget(s, p);
	HASH_ITER(hh, s->trimmed, t, next_trimmed) {
		HASH_DEL(s->trimmed, t);
		free(t);
	}
	stack_profile__free(s->profile);
	stacks__close(s->stacks);
	features__close(&s->features);
	free(s);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

/* Processes of which no ledger is kept any more. */
static void forget_folded(struct leaks_sites *s)
{
	struct process_sites *p, *next;

	HASH_ITER(hh, s->all, p, next)
		if (!process_ledgers__find(s->source.ledgers, &p->key))
			forget(s, p);
}

void leaks_sites__follow_mappings(struct leaks_sites *s)
{
	stacks__follow(s->stacks);
}

int leaks_sites__collect(struct leaks_sites *s)
{
	int err = ledger_source__collect(&s->source);

	forget_folded(s);
	return err;
}

static int measure(struct leaks_sites *s)
{
	uint64_t now = session__now();
	int err = 0;

	for (struct process_ledger *l = process_ledgers__all(s->source.ledgers); l && !err; l = l->hh.next) {
		struct process_sites *p;

		if (l->shares || !l->touched)
			continue;
		p = get(s, &l->key);
		if (!p)
			return -ENOMEM;
		if (p->ended)
			continue;
		/* Once more after its end, when all of its pages are known. */
		p->ended = l->ended;
		err = site_growth__measure(p->growth, l->ledger, l->touched, l->ended ? l->ended_ns : now);
	}
	return err;
}

int leaks_sites__sample(struct leaks_sites *s)
{
	uint64_t now = session__now(), began = session__cpu(), step, took;
	int err;

	if (now < s->next_ns)
		return 0;
	err = ledger_source__collect_touched(&s->source);
	if (!err)
		err = measure(s);
	took = session__cpu() - began;
	step = (now - s->session->began_ns) / STEPS;
	step = step < STEP_LEAST_NS ? STEP_LEAST_NS : step;
	s->next_ns = now + (step < took * PAUSE ? took * PAUSE : step);
	return err;
}

void leaks_sites__tell_processes(const struct leaks_sites *s, struct memory_watch *watch)
{
	for (const struct process_ledger *l = process_ledgers__all(s->source.ledgers); l; l = l->hh.next)
		if (!l->ended)
			memory_watch__add(watch, l->key.tgid);
}

int leaks_sites__finish(struct leaks_sites *s)
{
	int err;

	alloc_source__stop(s->source.alloc);
	err = session__drain(s->session, true);
	if (!err)
		err = ledger_source__collect(&s->source);
	return err ? err : measure(s);
}

/* --- the report -------------------------------------------------------------------------------------------
 */

static const struct out_column site_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "via", .heading = "VIA", .flags = OUT_LEFT},
	{.flags = OUT_TABLE_ONLY, .heading = "RATE"},
	{.key = "outstanding_bytes", .heading = "HELD"},
	{.key = "outstanding_count", .flags = OUT_JSON_ONLY},
	{.key = "share", .heading = "SHARE"},
	{.key = "bytes_per_s", .flags = OUT_JSON_ONLY},
	{.key = "verdict", .heading = "VERDICT", .flags = OUT_LEFT},
	{.key = "samples", .flags = OUT_JSON_ONLY},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};

/* "touch", or "brk", "mmap", "before". */
static const char *via_of(const struct grown_site *site)
{
	return site->key.view == SITE_TOUCHED ? "touch" : ledger_via__name(site->key.via);
}

static void put_stack(struct leaks_sites *s, struct out *out, const struct grown_site *site)
{
	size_t n, first = 0;
	const char *note;
	struct frame *frames = stacks__frames(s->stacks, site->key.stack, false, &n, &note);

	if (note)
		out__text(out, "truncated", note);
	else
		out__unknown(out, "truncated");
	if (!n && !note && site->key.view == SITE_OBTAINED)
		note = site->key.via == VIA_BRK || site->key.via == VIA_MMAP
			       ? "no stack was taken of these calls (--stacks=dwarf takes all)"
			       : "address space that was there when tracing began, or that the kernel made";
	if (out__format(out) == OUT_TABLE)
		first = call_text__first_frame(frames, n);
	out__stack(out, "stack", frames ? frames + first : NULL, n - first, note);
	free(frames);
}

static void put_site(struct leaks_sites *s, struct out *out, uint32_t pid, const struct grown_site *site,
		     double all)
{
	char text[40], rate[48];

	out__format_change(llround(site->rate), text, sizeof(text));
	snprintf(rate, sizeof(rate), "%s/s", text);
	out__row(out);
	out__count(out, "pid", pid);
	out__text(out, "via", via_of(site));
	out__text(out, NULL, rate);
	out__bytes(out, "outstanding_bytes", site->held);
	out__count(out, "outstanding_count", site->held / LEDGER_PAGE);
	out__share(out, "share", all > 0 ? site->rate / all : 0);
	out__real(out, "bytes_per_s", site->rate);
	out__text(out, "verdict", growth_verdict__name(site->growth.verdict));
	if (site->key.view == SITE_TOUCHED)
		out__count(out, "samples", site->samples);
	else
		out__unknown(out, "samples");
	put_stack(s, out, site);
	out__row_end(out);
}

/* Those of one view that grow; a table leaves out what is next to nothing. */
static void report_view(struct leaks_sites *s, struct out *out, uint32_t pid, const struct site_growth *g,
			enum site_view view, size_t top)
{
	static const struct out_table tables[SITE_VIEWS] = {
		[SITE_TOUCHED] = {"site", "  Who first touched the pages by which it grew in the second half",
				  site_columns, COUNT(site_columns)},
		[SITE_OBTAINED] = {"site", "  Who obtained the address space of pages by which it grew",
				   site_columns, COUNT(site_columns)},
	};
	size_t shown = 0, left = 0;
	double all = 0;

	for (const struct grown_site *site = g->sites; site; site = site->hh.next)
		if (site->key.view == view && site->rate > 0)
			all += site->rate;
	out__begin(out, &tables[view]);
	for (const struct grown_site *site = g->sites; site; site = site->hh.next) {
		if (site->key.view != view || site->rate <= 0)
			continue;
		if (top && site->rate < all * SHARE_LEAST)
			continue;
		if (top && shown == top) {
			left++;
			continue;
		}
		put_site(s, out, pid, site, all);
		shown++;
	}
	out__end(out, left);
}

/* Grown in the second half: what the files have. */
static int add_to_profile(struct leaks_sites *s, const struct process_ledger *l, const struct site_growth *g)
{
	double half = session__seconds(s->session) / 2;
	int err = 0;

	for (const struct grown_site *site = g->sites; site && s->profile && !err; site = site->hh.next)
		if (site->key.view == SITE_TOUCHED && site->rate * half >= LEDGER_PAGE)
			err = stack_profile__add(s->profile, l->key.tgid, l->comm, site->key.stack,
						 llround(site->rate * half));
	return err;
}

/* The last image of it. */
static const struct process_ledger *ledger_of(const struct leaks_sites *s, uint32_t pid)
{
	const struct process_ledger *last = NULL;

	for (const struct process_ledger *l = process_ledgers__all(s->source.ledgers); l; l = l->hh.next)
		if (l->key.tgid == pid && !l->shares && (!last || l->began_ns > last->began_ns))
			last = l;
	return last;
}

int leaks_sites__report(struct leaks_sites *s, struct out *out, uint32_t pid, size_t top)
{
	const struct process_ledger *l = ledger_of(s, pid);
	struct process_sites *p = l ? find(s, &l->key) : NULL;

	if (!p)
		return 0;
	site_growth__judge(p->growth, s->session->began_ns, l->ended ? l->ended_ns : s->session->ended_ns);
	report_view(s, out, pid, p->growth, SITE_TOUCHED, top);
	report_view(s, out, pid, p->growth, SITE_OBTAINED, top);
	return add_to_profile(s, l, p->growth);
}

void leaks_sites__report_sampling(const struct leaks_sites *s, struct out *out)
{
	if (s->touches)
		stack_report__sampling(out, s->stacks, "page faults", s->touches, s->touch_samples);
}

int leaks_sites__write_profile(struct leaks_sites *s)
{
	static const struct stack_profile_words words = {"Memory that was taken and kept by", "growth",
							 "bytes"};

	if (!s->profile)
		return 0;
	return stack_profile__write(s->profile, s->stacks, &s->options->stacks, s->session,
				    &s->options->common.target, 0.5, &words);
}

int leaks_sites__targets_fd(const struct leaks_sites *s)
{
	return alloc_source__targets_fd(s->source.alloc);
}

int leaks_sites__loss(const struct leaks_sites *s, struct loss *loss)
{
	return alloc_source__loss(s->source.alloc, loss);
}

void leaks_sites__overhead(const struct leaks_sites *s, double measured_share, struct overhead *overhead)
{
	alloc_source__overhead(s->source.alloc, measured_share, overhead);
}
