/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/stack_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "out/frame_name.h"
#include "util/intern.h"

#define EXTRA_FRAMES 2 /* the comm; "[truncated]" or "[no stack]" */

/* From what a frame is called to the label for it. */
struct label_key {
	const char *name; /* of frame_names, which keeps each once */
	uint64_t kind;
};

struct label_entry {
	struct label_key key;
	uint32_t label;
	UT_hash_handle hh;
};

struct builder {
	struct stack_list list; /* first: what the caller sees */
	stack_namer *name_it;
	struct frame_names *frame_names;
	struct intern *strings;	     /* names of labels */
	struct label_entry *by_name; /* several may lead to one label */
	struct label_entry *by_text; /* the same by the label's own name, one each */
	size_t label_count, label_room;
	uint32_t *ids; /* of all stacks, one after the other */
};

enum frame_kind frame_kind__of(const struct frame *frame)
{
	return frame->kernel ? FRAME_KERNEL : frame->inlined ? FRAME_INLINED : FRAME_USER;
}

static void free_entries(struct label_entry **entries)
{
	struct label_entry *e, *next;

	HASH_ITER(hh, *entries, e, next) {
		HASH_DEL(*entries, e);
		free(e);
	}
}

/* What only the making of the list needs. */
static void free_scaffold(struct builder *b)
{
	free_entries(&b->by_name);
	free_entries(&b->by_text);
	frame_names__free(b->frame_names);
	b->frame_names = NULL;
}

void stack_list__free(struct stack_list *list)
{
	struct builder *b = (struct builder *)list;

	if (!b)
		return;
	free_scaffold(b);
	intern__free(b->strings);
	free(b->list.labels);
	free(b->list.stacks);
	free(b->ids);
	free(b);
}

/* --- labels -----------------------------------------------------------------------------------------------
 */

static struct label_entry *find_entry(struct label_entry *entries, const struct label_key *key)
{
	struct label_entry *e;

	HASH_FIND(hh, entries, key, sizeof(*key), e);
	return e;
}

static bool add_entry(struct label_entry **entries, const struct label_key *key, uint32_t label)
{
	struct label_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return false;
	e->key = *key;
	e->label = label;
	HASH_ADD(hh, *entries, key, sizeof(e->key), e);
	return true;
}

static bool add_label(struct builder *b, const struct label_key *key, const char *module)
{
	struct stack_label *labels = b->list.labels;

	if (b->label_count == b->label_room) {
		size_t room = b->label_room ? 2 * b->label_room : 256;

		labels = realloc(labels, room * sizeof(*labels));
		if (!labels)
			return false;
		b->list.labels = labels;
		b->label_room = room;
	}
	labels[b->label_count++] = (struct stack_label){key->name, (enum frame_kind)key->kind, module};
	return true;
}

/* The label called as name_it has it, new or not. */
static bool label_of_name(struct builder *b, const char *name, const struct frame *frame, uint32_t *label)
{
	enum frame_kind kind = frame_kind__of(frame);
	struct label_key key = {.kind = kind};
	char text[FRAME_NAME_MAX];
	struct label_entry *e;

	strcpy(text, name); /* which frame_name__format() made to fit */
	if (b->name_it)
		b->name_it(text, sizeof(text), kind);
	key.name = intern__string(b->strings, text);
	if (!*key.name)
		return false;
	e = find_entry(b->by_text, &key);
	if (e) {
		*label = e->label;
		return true;
	}
	*label = b->label_count;
	return add_label(b, &key, frame->module) && add_entry(&b->by_text, &key, *label);
}

static bool label_of(struct builder *b, const struct frame *frame, uint32_t *label)
{
	struct label_key key = {.kind = frame_kind__of(frame)};
	struct label_entry *e;

	key.name = frame_names__get(b->frame_names, frame);
	if (!key.name)
		return false;
	e = find_entry(b->by_name, &key);
	if (e) {
		*label = e->label;
		return true;
	}
	return label_of_name(b, key.name, frame, label) && add_entry(&b->by_name, &key, *label);
}

/* --- stacks -----------------------------------------------------------------------------------------------
 */

static bool add_stack(struct builder *b, const struct profile_sample *s, uint32_t *ids)
{
	const struct frame comm = {.symbol = s->comm};
	const struct frame missing = {.symbol = s->frame_count ? "[truncated]" : "[no stack]"};
	size_t depth = 0;

	if (!label_of(b, &comm, &ids[depth++]))
		return false;
	if ((s->truncated || !s->frame_count) && !label_of(b, &missing, &ids[depth++]))
		return false;
	for (size_t i = s->frame_count; i > 0; i--)
		if (!label_of(b, &s->frames[i - 1], &ids[depth++]))
			return false;
	b->list.stacks[b->list.count++] = (struct stack){ids, depth, s->values[0]};
	b->list.total += s->values[0];
	return true;
}

static int compare_labels(const struct stack_label *a, const struct stack_label *b)
{
	int order = strcmp(a->name, b->name);

	return order ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static int compare_stacks(const void *one, const void *other, void *labels)
{
	const struct stack *a = one, *b = other;
	const struct stack_label *label = labels;

	for (size_t i = 0; i < a->depth && i < b->depth; i++)
		if (a->labels[i] != b->labels[i])
			return compare_labels(&label[a->labels[i]], &label[b->labels[i]]);
	return (a->depth > b->depth) - (a->depth < b->depth);
}

static void merge_equal(struct stack_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (kept && !compare_stacks(&list->stacks[kept - 1], &list->stacks[i], list->labels))
			list->stacks[kept - 1].value += list->stacks[i].value;
		else
			list->stacks[kept++] = list->stacks[i];
	}
	list->count = kept;
}

static bool add_stacks(struct builder *b, const struct profile *profile)
{
	size_t used = 0, n = 0;

	for (size_t i = 0; i < profile->count; i++)
		n += profile->samples[i].frame_count + EXTRA_FRAMES;
	b->ids = malloc((n ? n : 1) * sizeof(*b->ids));
	b->list.stacks = malloc((profile->count ? profile->count : 1) * sizeof(*b->list.stacks));
	if (!b->ids || !b->list.stacks)
		return false;
	for (size_t i = 0; i < profile->count; i++) {
		const struct profile_sample *s = &profile->samples[i];

		if (s->values[0] && !add_stack(b, s, b->ids + used))
			return false;
		used += s->frame_count + EXTRA_FRAMES;
	}
	return true;
}

struct stack_list *stack_list__new(const struct profile *profile, stack_namer *name_it)
{
	struct builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->name_it = name_it;
	b->frame_names = frame_names__new();
	b->strings = intern__new();
	if (!b->frame_names || !b->strings || !add_stacks(b, profile)) {
		stack_list__free(&b->list);
		return NULL;
	}
	free_scaffold(b);
	qsort_r(b->list.stacks, b->list.count, sizeof(*b->list.stacks), compare_stacks, b->list.labels);
	merge_equal(&b->list);
	return &b->list;
}
