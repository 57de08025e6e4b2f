/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writers of profiles. With PROFILE_DIR set, three profiles (plain, hostile, large) are left in that
 * directory as NAME.folded, NAME.pb.gz and NAME.svg, with NAME.total, for tests that read them with other
 * programs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "out/flamegraph.h"
#include "out/folded.h"
#include "out/frame_name.h"
#include "out/pprof.h"
#include "out/profile.pb-c.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- profiles ---------------------------------------------------------------------------------------------
 */

#define LIBC .module = "/lib/libc.so.6", .build_id = "aabb"
#define PROG .module = "/usr/bin/prog", .build_id = "ccdd"
#define MAIN                                                                                  \
	{                                                                                     \
		.symbol = "main", PROG, .module_offset = 0x1200, .file = "prog.c", .line = 10 \
	}
#define START                                                     \
	{                                                         \
		.symbol = "_start", PROG, .module_offset = 0x1100 \
	}

static const struct frame inlined_stack[] = {
	{.symbol = "std::copy<int>",
	 PROG,
	 .module_offset = 0x1300,
	 .file = "algo.h",
	 .line = 7,
	 .inlined = true},
	{.symbol = "fill", PROG, .module_offset = 0x1300, .file = "prog.c", .line = 20},
	MAIN,
	START,
};
static const struct frame memset_stack[] = {
	{.symbol = "memset", LIBC, .module_offset = 0x9f123}, MAIN, START};
static const struct frame memset_again[] = {
	{.symbol = "memset", LIBC, .module_offset = 0x9f125}, MAIN, START};
static const struct frame kernel_stack[] = {
	{.symbol = "clear_page", .module = "[kernel]", .module_offset = 0xffffffff81234567, .kernel = true},
	{LIBC, .module_offset = 0x28000},
	{.ip = 0x7f0000001000},
	{.symbol = ""},
};

static const struct profile_sample plain_samples[] = {
	{"prog", 7, memset_stack, 3, false, {5, 20480}}, {"prog", 7, inlined_stack, 4, false, {2, 8192}},
	{"prog", 8, memset_again, 3, false, {4, 16384}}, {"other", 0, kernel_stack, 4, true, {1, 4096}},
	{"other", 9, NULL, 0, false, {3, 12288}},	 {"zero", 9, memset_stack, 3, false, {0, 1}},
};
static const struct profile plain = {"Page faults of prog",
				     {{"faults", "count"}, {"memory", "bytes"}},
				     2,
				     1700000000000000000,
				     2100000000,
				     plain_samples,
				     COUNT(plain_samples)};

#define ATTACK "</title></text></svg><script>window.pwned=1</script>]]>"
#define QUOTES "\"' onload='window.pwned=1' x=\"&lt;&#0;"

static const struct frame hostile_stack[] = {
	{.symbol = ATTACK, .module = "/tmp/" ATTACK, .file = "<file>", .build_id = "]]>"},
	{.symbol = "a;b\nc\033[31m\x7f\xc2\x85", .module = QUOTES, .module_offset = UINT64_MAX},
	{.symbol = "\xff\xfe bad \xed\xa0\x80 \xef\xbf\xbf \xef\xbf\xbe", .module = QUOTES, .inlined = true},
	{.symbol = QUOTES, .module = QUOTES, .inlined = true, .line = UINT32_MAX},
	{.symbol = "pretends_[k]", .kernel = false},
};
static const struct profile_sample hostile_samples[] = {
	{ATTACK, UINT32_MAX, hostile_stack, 5, true, {3}},
	{"", 1, hostile_stack, 1, false, {2}},
	{NULL, 1, hostile_stack + 3, 2, false, {1}},
};
static const struct profile hostile = {
	"Hostile " ATTACK QUOTES "\001", {{"faults", "count"}}, 1, 0, UINT64_MAX, hostile_samples,
	COUNT(hostile_samples)};

/* Some hundred stacks through a call graph, the same ones in each run. */
#define LARGE_STACKS 600
#define LARGE_DEPTH  28

struct large {
	struct profile profile;
	struct profile_sample samples[LARGE_STACKS];
	struct frame frames[LARGE_STACKS][LARGE_DEPTH + 8];
	char names[64][48];
};

static unsigned next_random(uint32_t *state, unsigned below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

static struct frame large_frame(struct large *l, unsigned function)
{
	static const char *const modules[] = {"/usr/bin/python3.11",
					      "/usr/lib/x86_64-linux-gnu/libc.so.6",
					      "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
					      "/usr/lib/python3/numpy/core/_multiarray_umath.so",
					      "/usr/lib/x86_64-linux-gnu/libopenblas.so.0",
					      "[vdso]"};
	static const char *const verbs[] = {"eval",  "resize", "copy",	"parse",
					    "alloc", "gemm",   "visit", "std::vector<double>::insert"};
	static const char *const nouns[] = {"frame",   "_array",  "_table", "node",
					    "_buffer", "_kernel", "dict",   "_slow_path"};

	snprintf(l->names[function], sizeof(l->names[0]), "%s%s", verbs[function % 8], nouns[function / 8]);
	return (struct frame){.symbol = function % 13 ? l->names[function] : NULL,
			      .module = modules[function % 6],
			      .module_offset = 0x1000 + 0x40 * function,
			      .file = function % 3 ? "source.c" : NULL,
			      .line = function % 3 ? function : 0,
			      .inlined = function % 7 == 3};
}

static struct large *new_large(void)
{
	static const char *const entry[] = {"clear_page_erms", "clear_huge_page",    "do_anonymous_page",
					    "handle_mm_fault", "do_user_addr_fault", "asm_exc_page_fault"};
	struct large *l = calloc(1, sizeof(*l));
	uint32_t state = 1;

	for (unsigned i = 0; i < LARGE_STACKS; i++) {
		struct frame stack[LARGE_DEPTH + 8], *to = l->frames[i];
		unsigned depth = 3 + next_random(&state, LARGE_DEPTH - 3), kernel = next_random(&state, 3),
			 n = 0;
		uint32_t walk = next_random(&state, 4);

		stack[n++] = (struct frame){
			.symbol = "_start", .module = "/usr/bin/python3.11", .module_offset = 0x800};
		/* What is called depends on the caller and few choices, so that stacks have beginnings in
		 * common. */
		for (unsigned j = 0; j < depth; j++) {
			walk = walk * 31 + (next_random(&state, 12) == 0);
			stack[n++] = large_frame(l, (walk ^ walk >> 5) % 64);
		}
		stack[n - 1].inlined = false;
		for (unsigned j = 0; kernel && j < 6; j++)
			stack[n++] = (struct frame){.symbol = entry[5 - j],
						    .module = "[kernel]",
						    .kernel = true,
						    .module_offset = 0xffffffff81000000 + 64 * j};
		for (unsigned j = 0; j < n; j++)
			to[j] = stack[n - 1 - j];
		l->samples[i] =
			(struct profile_sample){i % 5 ? "python3" : "worker",
						100 + i % 5,
						to,
						n,
						i % 50 == 0,
						{1 + next_random(&state, 40) * next_random(&state, 40)}};
	}
	l->profile = (struct profile){"Page faults of python3, 2.1 s",
				      {{"faults", "count"}},
				      1,
				      1700000000000000000,
				      2100000000,
				      l->samples,
				      LARGE_STACKS};
	return l;
}

/* --- how they are written ---------------------------------------------------------------------------------
 */

typedef int writer(FILE *file, const struct profile *profile);

/* What it writes, with a NUL after it; the caller frees it. */
static char *written(writer *write_it, const struct profile *profile, size_t *size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, size);

	assert_int_equal(write_it(file, profile), 0);
	fclose(file);
	return text;
}

static uint64_t total_of(const struct profile *profile, size_t type)
{
	uint64_t total = 0;

	for (size_t i = 0; i < profile->count; i++)
		total += profile->samples[i].values[type];
	return total;
}

static void leave_file(const char *dir, const char *name, const char *suffix, writer *write_it,
		       const struct profile *profile)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(write_it(file, profile), 0);
	assert_int_equal(fclose(file), 0);
}

static int write_total(FILE *file, const struct profile *profile)
{
	return fprintf(file, "%" PRIu64 "\n", total_of(profile, 0)) < 0 ? -EIO : 0;
}

static void leave_files(const char *dir, const char *name, const struct profile *profile)
{
	leave_file(dir, name, "folded", folded__write, profile);
	leave_file(dir, name, "pb.gz", pprof__write, profile);
	leave_file(dir, name, "svg", flamegraph__write, profile);
	leave_file(dir, name, "total", write_total, profile);
}

/* --- names ------------------------------------------------------------------------------------------------
 */

static void assert_name(const struct frame *frame, const char *name)
{
	char text[FRAME_NAME_MAX];

	frame_name__format(frame, text, sizeof(text));
	assert_string_equal(text, name);
}

static void a_frame_is_called_what_is_known_of_it(void **state)
{
	(void)state;
	assert_name(&(struct frame){.symbol = "f(int)", LIBC}, "f(int)");
	assert_name(&(struct frame){LIBC, .module_offset = 0x1f}, "libc.so.6+0x1f");
	assert_name(&(struct frame){.module = "[vdso]", .ip = 1}, "[vdso]+0x0");
	assert_name(&(struct frame){.module = "/odd/", .ip = 1}, "/odd/+0x0");
	assert_name(&(struct frame){.ip = 0x7f00}, "0x7f00");
	assert_name(&(struct frame){0}, "[unknown]");
	assert_name(&(struct frame){.symbol = "\n\xff"}, "\\x0a\xef\xbf\xbd");
}

static void equal_names_are_one_string(void **state)
{
	struct frame_names *names = frame_names__new();
	char copy[] = "memset";

	(void)state;
	assert_ptr_equal(frame_names__get(names, &memset_stack[0]),
			 frame_names__get(names, &memset_again[0]));
	assert_ptr_equal(frame_names__get(names, &memset_stack[0]),
			 frame_names__get(names, &(struct frame){.symbol = copy}));
	assert_ptr_not_equal(frame_names__get(names, &(struct frame){LIBC, .module_offset = 1}),
			     frame_names__get(names, &(struct frame){LIBC, .module_offset = 2}));
	frame_names__free(names);
	frame_names__free(NULL);
}

/* --- folded -----------------------------------------------------------------------------------------------
 */

static void folded_merges_equal_stacks_and_says_what_is_missing(void **state)
{
	size_t size;
	char *text = written(folded__write, &plain, &size);

	(void)state;
	assert_string_equal(text,
			    "other;[no stack] 3\n"
			    "other;[truncated];[unknown];0x7f0000001000;libc.so.6+0x28000;clear_page_[k] 1\n"
			    "prog;_start;main;fill;std::copy<int>_[i] 2\n"
			    "prog;_start;main;memset 9\n");
	free(text);
}

static void folded_names_cannot_break_its_lines(void **state)
{
	size_t size, lines = 0;
	char *text = written(folded__write, &hostile, &size);

	(void)state;
	for (const char *s = text; *s; s++) {
		assert_true(*s == '\n' || (unsigned char)*s >= 0x20);
		lines += *s == '\n';
	}
	assert_int_equal(lines, 3);
	free(text);
}

static void no_name_outgrows_its_buffer(void **state)
{
	char *name = malloc(2 * FRAME_NAME_MAX);
	struct frame frames[] = {{.symbol = name, .kernel = true}};
	const struct profile_sample sample = {"c", 1, frames, 1, false, {1}};
	const struct profile profile = {"t", {{"n", "count"}}, 1, 0, 0, &sample, 1};

	(void)state;
	for (size_t length = FRAME_NAME_MAX - 10; length < FRAME_NAME_MAX + 2; length++) {
		size_t size;
		char *text;

		for (size_t i = 0; i < length; i += 2)
			memcpy(name + i, "\xc3\xa9", 3);
		text = written(folded__write, &profile, &size);
		assert_true(size < FRAME_NAME_MAX + 8);
		assert_string_equal(text + size - 9, "\xc3\xa9_[k] 1\n");
		free(text);
		free(written(pprof__write, &profile, &size));
		free(written(flamegraph__write, &profile, &size));
	}
	free(name);
}

/* --- pprof ------------------------------------------------------------------------------------------------
 */

static Pprof__Profile *read_back(const struct profile *profile)
{
	static uint8_t plain_bytes[1 << 22];
	size_t size;
	char *bytes = written(pprof__write, profile, &size);
	z_stream z = {.next_in = (Bytef *)bytes,
		      .avail_in = size,
		      .next_out = plain_bytes,
		      .avail_out = sizeof(plain_bytes)};
	Pprof__Profile *p;

	assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	p = pprof__profile__unpack(NULL, z.total_out, plain_bytes);
	inflateEnd(&z);
	free(bytes);
	assert_non_null(p);
	return p;
}

static const Pprof__Function *function_of(const Pprof__Profile *p, uint64_t id)
{
	for (size_t i = 0; i < p->n_function; i++)
		if (p->function[i]->id == id)
			return p->function[i];
	fail_msg("no function %" PRIu64, id);
	return NULL;
}

static const Pprof__Location *location_of(const Pprof__Profile *p, uint64_t id)
{
	for (size_t i = 0; i < p->n_location; i++)
		if (p->location[i]->id == id)
			return p->location[i];
	fail_msg("no location %" PRIu64, id);
	return NULL;
}

static const Pprof__Mapping *mapping_of(const Pprof__Profile *p, const char *file)
{
	for (size_t i = 0; i < p->n_mapping; i++)
		if (!strcmp(p->string_table[p->mapping[i]->filename], file))
			return p->mapping[i];
	fail_msg("no mapping %s", file);
	return NULL;
}

static const char *line_name(const Pprof__Profile *p, const Pprof__Location *l, size_t line)
{
	return p->string_table[function_of(p, l->line[line]->function_id)->name];
}

/* What every reader relies on. */
static void check_sound(const Pprof__Profile *p)
{
	assert_string_equal(p->string_table[0], "");
	for (size_t i = 0; i < p->n_location; i++) {
		const Pprof__Mapping *m = NULL;

		assert_true(p->location[i]->n_line > 0);
		for (size_t j = 0; j < p->n_mapping; j++)
			if (p->mapping[j]->id == p->location[i]->mapping_id)
				m = p->mapping[j];
		assert_int_equal(!m, !p->location[i]->mapping_id);
		if (m)
			assert_in_range(p->location[i]->address, m->memory_start, m->memory_limit - 1);
		for (size_t j = 0; j < p->location[i]->n_line; j++)
			assert_true(*line_name(p, p->location[i], j));
	}
	for (size_t i = 1; i < p->n_mapping; i++)
		assert_true(p->mapping[i - 1]->memory_limit < p->mapping[i]->memory_start);
	for (size_t i = 0; i < p->n_function; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(p->function[i]->name != p->function[j]->name ||
				    p->function[i]->filename != p->function[j]->filename);
}

static void check_totals(const Pprof__Profile *p, const struct profile *profile)
{
	assert_int_equal(p->n_sample_type, profile->type_count);
	assert_int_equal(p->n_sample, profile->count);
	for (size_t type = 0; type < profile->type_count; type++) {
		uint64_t total = 0;

		for (size_t i = 0; i < p->n_sample; i++)
			total += p->sample[i]->value[type];
		assert_int_equal(total, total_of(profile, type));
	}
}

static void pprof_has_all_that_the_profile_has(void **state)
{
	Pprof__Profile *p = read_back(&plain);

	(void)state;
	check_sound(p);
	check_totals(p, &plain);
	assert_string_equal(p->string_table[p->sample_type[0]->type], "faults");
	assert_string_equal(p->string_table[p->sample_type[0]->unit], "count");
	assert_string_equal(p->string_table[p->sample_type[1]->type], "memory");
	assert_string_equal(p->string_table[p->sample_type[1]->unit], "bytes");
	assert_string_equal(p->string_table[p->default_sample_type], "faults");
	assert_string_equal(p->string_table[p->comment[0]], plain.title);
	assert_int_equal(p->time_nanos, plain.time_ns);
	assert_int_equal(p->duration_nanos, plain.duration_ns);
	assert_string_equal(p->string_table[p->sample[0]->label[0]->key], "comm");
	assert_string_equal(p->string_table[p->sample[0]->label[0]->str], "prog");
	assert_string_equal(p->string_table[p->sample[0]->label[1]->key], "pid");
	assert_int_equal(p->sample[0]->label[1]->num, 7);
	assert_int_equal(p->sample[3]->n_label, 1); /* of several processes */
	pprof__profile__free_unpacked(p, NULL);
}

static void pprof_tells_mappings_and_what_is_known_in_them(void **state)
{
	Pprof__Profile *p = read_back(&plain);
	const Pprof__Mapping *prog = mapping_of(p, "/usr/bin/prog"), *libc = mapping_of(p, "/lib/libc.so.6");

	(void)state;
	assert_ptr_equal(p->mapping[0], prog); /* the program first */
	assert_int_equal(p->n_mapping, 3);
	assert_string_equal(p->string_table[prog->build_id], "ccdd");
	assert_true(prog->has_functions && prog->has_filenames && prog->has_line_numbers &&
		    prog->has_inline_frames);
	assert_true(libc->has_functions && !libc->has_filenames && !libc->has_line_numbers &&
		    !libc->has_inline_frames);
	assert_int_equal(libc->file_offset, 0);
	assert_int_equal(location_of(p, p->sample[0]->location_id[0])->address - libc->memory_start, 0x9f123);
	assert_int_equal(mapping_of(p, "[kernel]")->file_offset, 0xffffffff81234000);
	pprof__profile__free_unpacked(p, NULL);
}

static void pprof_puts_inlined_functions_into_one_location(void **state)
{
	Pprof__Profile *p = read_back(&plain);
	const Pprof__Location *l = location_of(p, p->sample[1]->location_id[0]);

	(void)state;
	assert_int_equal(p->sample[1]->n_location_id, 3);
	assert_int_equal(l->n_line, 2);
	assert_string_equal(line_name(p, l, 0), "std::copy<int>");
	assert_int_equal(l->line[0]->line, 7);
	assert_string_equal(line_name(p, l, 1), "fill");
	assert_int_equal(l->line[1]->line, 20);
	/* main is one location, in whichever stack */
	assert_int_equal(p->sample[1]->location_id[1], p->sample[0]->location_id[1]);
	assert_int_equal(p->sample[3]->n_location_id, 5);
	assert_string_equal(line_name(p, location_of(p, p->sample[3]->location_id[4]), 0), "[truncated]");
	assert_string_equal(line_name(p, location_of(p, p->sample[4]->location_id[0]), 0), "[no stack]");
	pprof__profile__free_unpacked(p, NULL);
}

static void pprof_is_sound_whatever_names_and_addresses_are(void **state)
{
	struct large *l = new_large();
	Pprof__Profile *p = read_back(&hostile);

	(void)state;
	check_sound(p);
	check_totals(p, &hostile);
	pprof__profile__free_unpacked(p, NULL);
	p = read_back(&l->profile);
	check_sound(p);
	check_totals(p, &l->profile);
	pprof__profile__free_unpacked(p, NULL);
	free(l);
}

/* --- flame graph ------------------------------------------------------------------------------------------
 */

struct shown {
	double x, width;
	unsigned y;
};

/* One line a frame: where it is. */
static size_t read_frames(const char *svg, struct shown *shown, size_t max)
{
	size_t n = 0;

	for (const char *s = svg; n < max && (s = strstr(s, "<svg x=\"")); n++, s++)
		assert_int_equal(sscanf(s, "<svg x=\"%lf%%\" y=\"%u\" width=\"%lf%%\"", &shown[n].x,
					&shown[n].y, &shown[n].width),
				 3);
	return n;
}

/* Of frame i, which the frames inside follow, until one is as far out. Rounding is to a millionth. */
static void check_children(const struct shown *shown, size_t n, size_t i)
{
	double sum = 0;

	for (size_t j = i + 1; j < n && shown[j].y > shown[i].y; j++) {
		assert_true(shown[j].x > shown[i].x - 1e-9);
		assert_true(shown[j].x + shown[j].width < shown[i].x + shown[i].width + 1e-9);
		if (shown[j].y == shown[i].y + 18)
			sum += shown[j].width;
	}
	assert_true(sum < shown[i].width + 1e-9);
}

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *s = text; (s = strstr(s, what)); s++)
		n++;
	return n;
}

static void check_graph(const struct profile *profile)
{
	static struct shown shown[10000];
	size_t size, n;
	char *svg = written(flamegraph__write, profile, &size);

	n = read_frames(svg, shown, COUNT(shown));
	assert_true(n > 0 && shown[0].width == 100);
	for (size_t i = 0; i < n; i++)
		check_children(shown, n, i);
	assert_int_equal(occurrences(svg, "<script"), 1);
	assert_int_equal(occurrences(svg, "</script"), 1);
	assert_int_equal(occurrences(svg, "<title>"), n + 1); /* and that of the document */
	assert_int_equal(occurrences(svg, "]]>"), 2);
	assert_int_equal(strlen(svg), size);
	free(svg);
}

static void widths_add_up_and_names_stay_text(void **state)
{
	struct large *l = new_large();

	(void)state;
	check_graph(&plain);
	check_graph(&hostile);
	check_graph(&l->profile);
	free(l);
}

static void a_frame_tells_its_value_and_share(void **state)
{
	struct profile bytes = plain;
	size_t size;
	char *svg = written(flamegraph__write, &plain, &size);

	(void)state;
	assert_non_null(strstr(svg, "<title>Page faults of prog\n15 faults, 100.0% of all</title>"));
	assert_non_null(strstr(
		svg, "<title>memset\n9 faults, 60.0% of all, 81.8% of its parent\nin libc.so.6</title>"));
	assert_non_null(strstr(svg,
			       "<title>std::copy&#60;int&#62;\n2 faults, 13.3% of all, 100.0% of its parent\n"
			       "inlined, in prog</title>"));
	assert_non_null(strstr(svg, "\nkernel, in [kernel]</title>"));
	free(svg);
	bytes.types[0] = (struct profile_type){"inuse_space", "bytes"};
	svg = written(flamegraph__write, &bytes, &size);
	assert_non_null(strstr(svg, "\n9 B, 60.0%"));
	assert_non_null(strstr(svg, ">15 B inuse_space</text>"));
	free(svg);
}

static void frames_too_narrow_to_see_are_left_out_and_counted(void **state)
{
	const struct frame outer[] = {{.symbol = "leaf"}, {.symbol = "narrow"}, {.symbol = "main"}};
	const struct profile_sample samples[] = {{"c", 1, outer, 3, false, {1}},
						 {"c", 1, outer + 2, 1, false, {1234566}},
						 {"d", 1, outer, 3, false, {1}}};
	const struct profile profile = {"t", {{"faults", "count"}}, 1, 0, 0, samples, 3};
	size_t size;
	char *svg = written(flamegraph__write, &profile, &size);

	(void)state;
	assert_null(strstr(svg, "<title>narrow\n"));
	assert_null(strstr(svg, "<title>leaf\n"));
	assert_null(strstr(svg, "<title>d\n"));
	assert_non_null(strstr(svg, "<title>main\n1,234,567 faults"));
	assert_non_null(strstr(svg, "<title>t\n1,234,568 faults"));
	assert_non_null(strstr(svg, ">6 frames are too narrow")); /* narrow, leaf; d, main, narrow, leaf */
	free(svg);
}

/* --- all of them ------------------------------------------------------------------------------------------
 */

static writer *const writers[] = {folded__write, pprof__write, flamegraph__write};

static void a_profile_may_be_empty(void **state)
{
	const struct profile empty = {NULL, {{"faults", "count"}}, 1, 0, 0, NULL, 0};
	Pprof__Profile *p = read_back(&empty);
	size_t size;
	char *text;

	(void)state;
	check_sound(p);
	pprof__profile__free_unpacked(p, NULL);
	check_graph(&empty);
	text = written(folded__write, &empty, &size);
	assert_int_equal(size, 0);
	free(text);
}

static void a_failed_write_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(writers); i++) {
		FILE *full = fopen("/dev/full", "w");

		assert_int_equal(writers[i](full, &plain), -ENOSPC);
		fclose(full);
	}
}

static void files_are_left_for_other_programs(void **state)
{
	const char *dir = getenv("PROFILE_DIR");
	struct large *l;

	(void)state;
	if (!dir)
		return;
	l = new_large();
	leave_files(dir, "plain", &plain);
	leave_files(dir, "hostile", &hostile);
	leave_files(dir, "large", &l->profile);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_called_what_is_known_of_it),
		cmocka_unit_test(equal_names_are_one_string),
		cmocka_unit_test(folded_merges_equal_stacks_and_says_what_is_missing),
		cmocka_unit_test(folded_names_cannot_break_its_lines),
		cmocka_unit_test(no_name_outgrows_its_buffer),
		cmocka_unit_test(pprof_has_all_that_the_profile_has),
		cmocka_unit_test(pprof_tells_mappings_and_what_is_known_in_them),
		cmocka_unit_test(pprof_puts_inlined_functions_into_one_location),
		cmocka_unit_test(pprof_is_sound_whatever_names_and_addresses_are),
		cmocka_unit_test(widths_add_up_and_names_stay_text),
		cmocka_unit_test(a_frame_tells_its_value_and_share),
		cmocka_unit_test(frames_too_narrow_to_see_are_left_out_and_counted),
		cmocka_unit_test(a_profile_may_be_empty),
		cmocka_unit_test(a_failed_write_is_told),
		cmocka_unit_test(files_are_left_for_other_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
