/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables (strings, functions, mappings, locations) grow as the samples are gone through, twice: first for
 * the mappings alone, since how far a file's addresses reach is known only then. A Profile may be written in
 * pieces: protobuf joins messages that follow each other, so each sample is a piece and none has to be kept.
 */
#include "out/pprof.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <zlib.h>

#include "out/frame_name.h"
#include "out/profile.pb-c.h"
#include "util/text.h"

#define PAGE	 4096ULL
#define FIRST	 0x10000ULL	 /* of the addresses given out */
#define GAP	 0x10000ULL	 /* between mappings, which readers join when they touch */
#define SPAN_MAX (1ULL << 47)	 /* what one file may span: as much as a process */
#define LAST	 (INT64_MAX / 2) /* no address above */

#define CHAIN_MAX 64 /* functions inlined at one address, and the one they are in */

/* A text by its content. */
struct string_entry {
	UT_hash_handle hh;
	uint32_t index;
	char text[];
};

/* The same by where the caller has it, so that long names are hashed once. */
struct pointer_entry {
	UT_hash_handle hh;
	const char *text;
	uint32_t index;
};

struct function_entry {
	struct function_key {
		uint32_t name, file;
	} key;
	uint32_t id;
	UT_hash_handle hh;
};

struct mapping_entry {
	struct mapping_key {
		uint32_t file, build_id;
	} key;
	uint32_t id;
	uint64_t low, high;   /* addresses in the file: first, last */
	uint64_t start, size; /* given to it; size 0: there was no room */
	bool has_functions, has_filenames, has_lines, has_inlined;
	UT_hash_handle hh; /* keeps the order in which they were added */
};

struct line_key {
	uint32_t function, line;
};

struct location_entry {
	UT_hash_handle hh;
	uint32_t id, count;
	struct location_key {
		uint64_t address;
		uint32_t mapping, padding;
		struct line_key lines[CHAIN_MAX];
	} key; /* allocated as long as count says */
};

struct writer {
	FILE *file;
	z_stream z;
	int error;
	ProtobufCBuffer sink; /* into z */
	struct frame_names *names;
	struct string_entry *strings;
	struct pointer_entry *pointers;
	struct function_entry *functions;
	struct mapping_entry *mappings;
	struct location_entry *locations;
	uint64_t *ids; /* locations of one sample */
	size_t ids_room;
};

static void fail(struct writer *w, int err)
{
	if (!w->error)
		w->error = err;
}

/* --- bytes ------------------------------------------------------------------------------------------------
 */

static void compress_bytes(struct writer *w, const uint8_t *data, size_t size, int flush)
{
	uint8_t out[1 << 14];

	w->z.next_in = (Bytef *)(uintptr_t)data; /* zlib reads it only */
	w->z.avail_in = size;
	do {
		size_t n;

		w->z.next_out = out;
		w->z.avail_out = sizeof(out);
		deflate(&w->z, flush);
		n = sizeof(out) - w->z.avail_out;
		errno = 0;
		if (!w->error && fwrite(out, 1, n, w->file) != n)
			fail(w, errno ? -errno : -EIO);
	} while (!w->z.avail_out);
}

static void append_to_sink(ProtobufCBuffer *sink, size_t size, const uint8_t *data)
{
	struct writer *w = (struct writer *)((char *)sink - offsetof(struct writer, sink));

	compress_bytes(w, data, size, Z_NO_FLUSH);
}

/* A piece of the profile. */
static void put(struct writer *w, const Pprof__Profile *piece)
{
	if (!w->error)
		protobuf_c_message_pack_to_buffer(&piece->base, &w->sink);
}

/* --- strings ----------------------------------------------------------------------------------------------
 */

/* Its index in the string table; 0 is "", and what NULL is. */
static uint32_t string_of_text(struct writer *w, const char *text)
{
	char valid[FRAME_NAME_MAX];
	struct string_entry *e;
	size_t length;

	text__to_utf8(text, valid, sizeof(valid));
	length = strlen(valid);
	HASH_FIND(hh, w->strings, valid, length, e);
	if (e)
		return e->index;
	e = malloc(sizeof(*e) + length + 1);
	if (!e) {
		fail(w, -ENOMEM);
		return 0;
	}
	memcpy(e->text, valid, length + 1);
	e->index = HASH_COUNT(w->strings);
	HASH_ADD(hh, w->strings, text, length, e);
	return e->index;
}

static uint32_t string_of(struct writer *w, const char *text)
{
	struct pointer_entry *e;

	if (!text)
		return 0;
	HASH_FIND_PTR(w->pointers, &text, e);
	if (e)
		return e->index;
	e = malloc(sizeof(*e));
	if (!e) {
		fail(w, -ENOMEM);
		return 0;
	}
	e->text = text;
	e->index = string_of_text(w, text);
	HASH_ADD_PTR(w->pointers, text, e);
	return e->index;
}

static void put_strings(struct writer *w)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	struct string_entry *e, *next;
	char *text;

	piece.n_string_table = 1;
	piece.string_table = &text;
	HASH_ITER(hh, w->strings, e, next) {
		text = e->text;
		put(w, &piece);
	}
}

/* --- functions --------------------------------------------------------------------------------------------
 */

static uint32_t function_of(struct writer *w, const struct frame *frame)
{
	const char *name = frame_names__get(w->names, frame);
	struct function_key key = {.file = string_of(w, frame->file)};
	struct function_entry *e;

	if (!name) {
		fail(w, -ENOMEM);
		return 0;
	}
	key.name = string_of(w, name);
	HASH_FIND(hh, w->functions, &key, sizeof(key), e);
	if (e)
		return e->id;
	e = calloc(1, sizeof(*e));
	if (!e) {
		fail(w, -ENOMEM);
		return 0;
	}
	e->key = key;
	e->id = HASH_COUNT(w->functions) + 1;
	HASH_ADD(hh, w->functions, key, sizeof(e->key), e);
	return e->id;
}

static void put_functions(struct writer *w)
{
	Pprof__Function function = PPROF__FUNCTION__INIT, *one = &function;
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	struct function_entry *e, *next;

	piece.n_function = 1;
	piece.function = &one;
	HASH_ITER(hh, w->functions, e, next) {
		function.id = e->id;
		function.name = e->key.name;
		function.filename = e->key.file;
		put(w, &piece);
	}
}

/* --- mappings ---------------------------------------------------------------------------------------------
 */

static struct mapping_entry *find_mapping(struct writer *w, const struct frame *frame)
{
	struct mapping_key key = {string_of(w, frame->module), string_of(w, frame->build_id)};
	struct mapping_entry *m;

	HASH_FIND(hh, w->mappings, &key, sizeof(key), m);
	return m;
}

static void note_mapping(struct writer *w, const struct frame *frame)
{
	struct mapping_entry *m;

	if (!frame->module || !*frame->module)
		return;
	m = find_mapping(w, frame);
	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m) {
			fail(w, -ENOMEM);
			return;
		}
		m->key = (struct mapping_key){string_of(w, frame->module), string_of(w, frame->build_id)};
		m->id = HASH_COUNT(w->mappings) + 1;
		m->low = m->high = frame->module_offset;
		HASH_ADD(hh, w->mappings, key, sizeof(m->key), m);
	}
	if (frame->module_offset < m->low)
		m->low = frame->module_offset;
	if (frame->module_offset > m->high)
		m->high = frame->module_offset;
	m->has_functions |= frame->symbol && *frame->symbol;
	m->has_filenames |= frame->file && *frame->file;
	m->has_lines |= frame->line != 0;
	m->has_inlined |= frame->inlined;
}

/* Outermost first: the program's own file, where stacks begin, comes first, as readers expect of it. */
static void note_mappings(struct writer *w, const struct profile *profile)
{
	for (size_t i = 0; i < profile->count; i++)
		for (size_t j = profile->samples[i].frame_count; j > 0; j--)
			note_mapping(w, &profile->samples[i].frames[j - 1]);
}

/*
 * A file is mapped from its beginning, as far as it is known to reach; but where that is too far (the kernel,
 * whose addresses are high) from its first known address on.
 */
static void place_mappings(struct writer *w)
{
	struct mapping_entry *m, *next;
	uint64_t start = FIRST;

	HASH_ITER(hh, w->mappings, m, next) {
		m->low = m->high < SPAN_MAX ? 0 : m->low / PAGE * PAGE;
		m->size = m->high - m->low < SPAN_MAX ? ((m->high - m->low) / PAGE + 1) * PAGE : SPAN_MAX;
		if (start + m->size > LAST) {
			m->size = 0;
			continue;
		}
		m->start = start;
		start += m->size + GAP;
	}
}

static void put_mappings(struct writer *w)
{
	Pprof__Mapping mapping = PPROF__MAPPING__INIT, *one = &mapping;
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	struct mapping_entry *m, *next;

	piece.n_mapping = 1;
	piece.mapping = &one;
	HASH_ITER(hh, w->mappings, m, next) {
		if (!m->size)
			continue;
		mapping.id = m->id;
		mapping.memory_start = m->start;
		mapping.memory_limit = m->start + m->size;
		mapping.file_offset = m->low;
		mapping.filename = m->key.file;
		mapping.build_id = m->key.build_id;
		mapping.has_functions = m->has_functions;
		mapping.has_filenames = m->has_filenames;
		mapping.has_line_numbers = m->has_lines;
		mapping.has_inline_frames = m->has_inlined;
		put(w, &piece);
	}
}

/* --- locations --------------------------------------------------------------------------------------------
 */

/* Where the frame is, in the terms of place_mappings(). In no mapping: as it was in the process. */
static void set_address(struct writer *w, const struct frame *frame, struct location_key *key)
{
	const struct mapping_entry *m = frame->module && *frame->module ? find_mapping(w, frame) : NULL;

	key->address = frame->ip;
	if (m && frame->module_offset - m->low < m->size) {
		key->mapping = m->id;
		key->address = m->start + (frame->module_offset - m->low);
	}
}

static uint64_t location_of(struct writer *w, const struct frame *frames, size_t count)
{
	size_t size = offsetof(struct location_key, lines) + count * sizeof(struct line_key);
	struct location_key key = {0};
	struct location_entry *e;

	set_address(w, &frames[count - 1], &key);
	for (size_t i = 0; i < count; i++)
		key.lines[i] = (struct line_key){function_of(w, &frames[i]), frames[i].line};
	HASH_FIND(hh, w->locations, &key, size, e);
	if (e)
		return e->id;
	e = malloc(offsetof(struct location_entry, key) + size);
	if (!e) {
		fail(w, -ENOMEM);
		return 0;
	}
	memcpy(&e->key, &key, size);
	e->count = count;
	e->id = HASH_COUNT(w->locations) + 1;
	HASH_ADD(hh, w->locations, key, size, e);
	return e->id;
}

static void put_locations(struct writer *w)
{
	Pprof__Location location = PPROF__LOCATION__INIT, *one = &location;
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Line lines[CHAIN_MAX], *line[CHAIN_MAX];
	struct location_entry *e, *next;

	piece.n_location = 1;
	piece.location = &one;
	location.line = line;
	for (size_t i = 0; i < CHAIN_MAX; i++) {
		pprof__line__init(&lines[i]);
		line[i] = &lines[i];
	}
	HASH_ITER(hh, w->locations, e, next) {
		location.id = e->id;
		location.mapping_id = e->key.mapping;
		location.address = e->key.address;
		location.n_line = e->count;
		for (size_t i = 0; i < e->count; i++) {
			lines[i].function_id = e->key.lines[i].function;
			lines[i].line = e->key.lines[i].line;
		}
		put(w, &piece);
	}
}

/* --- samples ----------------------------------------------------------------------------------------------
 */

/* Frames at i that are one location: those inlined into each other, and the one they are in. */
static size_t chain_length(const struct profile_sample *s, size_t i)
{
	size_t n = 1;

	while (n < CHAIN_MAX && i + n < s->frame_count && s->frames[i + n - 1].inlined)
		n++;
	return n;
}

/* Into w->ids, innermost first. How many. */
static size_t find_locations(struct writer *w, const struct profile_sample *s)
{
	const struct frame missing = {.symbol = s->frame_count ? "[truncated]" : "[no stack]"};
	size_t count = 0;

	if (w->ids_room < s->frame_count + 1) {
		uint64_t *ids = realloc(w->ids, (s->frame_count + 1) * 2 * sizeof(*ids));

		if (!ids) {
			fail(w, -ENOMEM);
			return 0;
		}
		w->ids = ids;
		w->ids_room = (s->frame_count + 1) * 2;
	}
	for (size_t i = 0, n; i < s->frame_count; i += n) {
		n = chain_length(s, i);
		w->ids[count++] = location_of(w, &s->frames[i], n);
	}
	if (s->truncated || !s->frame_count)
		w->ids[count++] = location_of(w, &missing, 1);
	return count;
}

static int64_t signed_value(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void put_sample(struct writer *w, const struct profile *profile, const struct profile_sample *s)
{
	Pprof__Label comm = PPROF__LABEL__INIT, pid = PPROF__LABEL__INIT, *labels[] = {&comm, &pid};
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *one = &sample;
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	int64_t values[PROFILE_VALUES];

	for (size_t i = 0; i < profile->type_count; i++)
		values[i] = signed_value(s->values[i]);
	comm.key = string_of(w, "comm");
	comm.str = string_of(w, s->comm ? s->comm : "[unknown]");
	pid.key = string_of(w, "pid");
	pid.num = s->pid;
	sample.n_location_id = find_locations(w, s);
	sample.location_id = w->ids;
	sample.n_value = profile->type_count;
	sample.value = values;
	sample.n_label = s->pid ? 2 : 1;
	sample.label = labels;
	piece.n_sample = 1;
	piece.sample = &one;
	put(w, &piece);
}

/* --- all of it --------------------------------------------------------------------------------------------
 */

static void put_head(struct writer *w, const struct profile *profile)
{
	Pprof__ValueType types[PROFILE_VALUES], *type[PROFILE_VALUES];
	Pprof__Profile head = PPROF__PROFILE__INIT;
	int64_t comment = string_of(w, profile->title);

	for (size_t i = 0; i < profile->type_count; i++) {
		pprof__value_type__init(&types[i]);
		types[i].type = string_of(w, profile->types[i].name);
		types[i].unit = string_of(w, profile->types[i].unit);
		type[i] = &types[i];
	}
	head.n_sample_type = profile->type_count;
	head.sample_type = type;
	head.default_sample_type = types[0].type;
	head.time_nanos = signed_value(profile->time_ns);
	head.duration_nanos = signed_value(profile->duration_ns);
	if (profile->types[0].unit && !strcmp(profile->types[0].unit, "count")) { /* each one is in it */
		head.period_type = type[0];
		head.period = 1;
	}
	if (comment) {
		head.n_comment = 1;
		head.comment = &comment;
	}
	put(w, &head);
}

#define FREE_ALL(entries)                          \
	do {                                       \
		typeof(entries) first_;            \
                                                   \
		while ((first_ = (entries))) {     \
			HASH_DEL(entries, first_); \
			free(first_);              \
		}                                  \
	} while (0)

static void free_tables(struct writer *w)
{
	FREE_ALL(w->strings);
	FREE_ALL(w->pointers);
	FREE_ALL(w->functions);
	FREE_ALL(w->mappings);
	FREE_ALL(w->locations);
	frame_names__free(w->names);
	free(w->ids);
}

static void put_profile(struct writer *w, const struct profile *profile)
{
	string_of(w, ""); /* index 0 */
	note_mappings(w, profile);
	place_mappings(w);
	put_head(w, profile);
	for (size_t i = 0; i < profile->count && !w->error; i++)
		put_sample(w, profile, &profile->samples[i]);
	put_mappings(w);
	put_locations(w);
	put_functions(w);
	put_strings(w);
}

int pprof__write(FILE *file, const struct profile *profile)
{
	struct writer w = {.file = file, .sink.append = append_to_sink};

	/* 16: with the header of gzip, not that of zlib. */
	if (deflateInit2(&w.z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -ENOMEM;
	w.names = frame_names__new();
	if (w.names)
		put_profile(&w, profile);
	else
		fail(&w, -ENOMEM);
	compress_bytes(&w, NULL, 0, Z_FINISH);
	errno = 0;
	if (fflush(file) == EOF)
		fail(&w, errno ? -errno : -EIO);
	deflateEnd(&w.z);
	free_tables(&w);
	return w.error;
}
