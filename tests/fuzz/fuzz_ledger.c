/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that no kernel would report: the intervals stay a sorted set of pages, and the accounts add up. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
	uint64_t ns;
};

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t value = 0;

	bytes = bytes < in->left ? bytes : in->left;
	memcpy(&value, in->at, bytes);
	in->at += bytes;
	in->left -= bytes;
	return value;
}

/* Mostly one of a few pages, so that ranges meet; now and then anything. */
static uint64_t take_number(struct input *in)
{
	uint8_t how = take(in, 1);

	if (how < 200)
		return how % 50 * LEDGER_PAGE;
	if (how < 220)
		return take(in, 1);
	if (how < 235)
		return 0 - take(in, 2);
	if (how < 245)
		return take(in, 2) * LEDGER_PAGE;
	return take(in, 8);
}

static struct call_record take_record(struct input *in)
{
	struct call_record r = {.call = take(in, 1) % (CALLS + 1)};

	for (int i = 0; i < 6; i++)
		r.args[i] = i == 2 || i == 3 ? take(in, 4) : take_number(in);
	r.result = take_number(in);
	if (r.call == CALL_BRK && take(in, 1) % 2)
		r.args[0] = r.result;
	r.brk_before = take_number(in);
	r.end = take_number(in);
	r.start = take_number(in);
	r.vm_flags = take(in, 1);
	r.class = take(in, 1) % CLASSES;
	r.stack_weight = take(in, 1);
	in->ns += take(in, 1);
	r.exit_ns = in->ns;
	r.enter_ns = in->ns - take(in, 1);
	return r;
}

static void check(const struct ledger *l)
{
	uint64_t end = 0, bytes[VIAS] = {}, net = 0, all = 0;
	size_t count = 0;

	for (const struct ledger_interval *i = ledger__from(l, 0); i; i = ledger__from(l, i->end)) {
		if (i->start < end || i->start >= i->end || (i->start | i->end) & (LEDGER_PAGE - 1) ||
		    i->via >= VIAS || i->kind >= LEDGER_KINDS)
			abort();
		end = i->end;
		bytes[i->via] += i->end - i->start;
		if (!(i->flags & LEDGER_FOUND))
			all += i->end - i->start;
		count++;
	}
	if (count != ledger__count(l))
		abort();
	for (int via = 0; via < VIAS; via++)
		if (bytes[via] != (uint64_t)ledger_account__net(ledger__account(l, via)))
			abort();
	for (const struct ledger_site *s = ledger__sites(l); s; s = s->hh.next)
		net += (uint64_t)ledger_account__net(&s->account);
	if (net != all)
		abort();
}

static void do_other(struct input *in, struct ledger **l)
{
	struct ledger_mapping m[2] = {
		{.start = take_number(in), .end = take_number(in), .perms = take(in, 1)},
		{.start = take_number(in), .end = take_number(in), .perms = take(in, 1)}};
	struct ledger *child;

	switch (take(in, 1) % 4) {
	case 0:
		ledger__seed(*l, &m[0], take(in, 1) % (VIAS + 1), in->ns);
		break;
	case 1:
		if (!ledger__reconcile(*l, m, take(in, 1) % 3, in->ns, NULL) && ledger__is_inconsistent(*l))
			abort();
		break;
	case 2:
		ledger__add_faults(*l, m[0].start, m[0].end, take(in, 2));
		break;
	case 3:
		child = ledger__fork(*l, in->ns);
		if (child) {
			check(*l);
			ledger__free(*l);
			*l = child;
		}
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size, 1000};
	struct ledger *l = ledger__new();

	while (l && in.left) {
		struct call_record r;

		if (take(&in, 1) % 8 == 0) {
			do_other(&in, &l);
		} else {
			r = take_record(&in);
			ledger__apply(l, &r, take(&in, 1) % 4);
		}
		check(l);
	}
	ledger__free(l);
	return 0;
}
