/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of an attacker through the writers of profiles: lines stay lines, values stay, markup stays ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out/flamegraph.h"
#include "out/folded.h"
#include "out/pprof.h"

#define FRAMES	12
#define SAMPLES 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
	char *texts[FRAMES * 4 + SAMPLES];
	size_t text_count;
};

static uint8_t next_byte(struct input *in)
{
	return in->size ? in->size--, *in->data++ : 0;
}

static uint64_t next_number(struct input *in)
{
	uint64_t n = 0;

	for (int i = next_byte(in) % 9; i > 0; i--)
		n = n << 8 | next_byte(in);
	return n;
}

/* Of up to 31 bytes, or NULL. */
static const char *next_text(struct input *in)
{
	size_t length = next_byte(in) % 33;
	char *text;

	if (length == 32 || !(text = calloc(1, length + 1)))
		return NULL;
	for (size_t i = 0; i < length; i++)
		text[i] = (char)next_byte(in);
	in->texts[in->text_count++] = text;
	return text;
}

static struct frame next_frame(struct input *in)
{
	uint8_t flags = next_byte(in);

	return (struct frame){
		.ip = flags & 1 ? next_number(in) : 0,
		.symbol = next_text(in),
		.module = next_text(in),
		.module_offset = next_number(in),
		.build_id = flags & 2 ? next_text(in) : NULL,
		.file = flags & 4 ? next_text(in) : NULL,
		.line = flags & 8 ? (unsigned)next_number(in) : 0,
		.inlined = flags & 16,
		.kernel = flags & 32,
	};
}

static char *written(int (*write_it)(FILE *file, const struct profile *profile),
		     const struct profile *profile)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file || write_it(file, profile))
		abort();
	fclose(file);
	return text;
}

static void check_folded(const struct profile *profile)
{
	char *text = written(folded__write, profile);
	uint64_t sum = 0, want = 0;

	for (size_t i = 0; i < profile->count; i++)
		want += profile->samples[i].values[0];
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
		if (!strrchr(line, ' '))
			abort();
		sum += strtoull(strrchr(line, ' '), NULL, 10);
		for (const char *s = line; *s; s++)
			if ((unsigned char)*s < 0x20 || *s == 0x7f)
				abort();
	}
	if (sum != want)
		abort();
	free(text);
}

static void check_flamegraph(const struct profile *profile)
{
	char *text = written(flamegraph__write, profile);
	const char *frames = strstr(text, "<g class=\"frames\">"), *end = strstr(text, "<script><![CDATA[");

	if (!frames || !end || strstr(end + 1, "<script"))
		abort();
	for (const char *s = frames; (s = strchr(s, '<')) && s < end; s++) {
		static const char *const ours[] = {"<g class=\"", "</g>",      "<title>",
						   "</title>",	  "<svg x=\"", "</svg>",
						   "<rect ",	  "<text ",    "</text>"};
		size_t i = 0;

		while (i < sizeof(ours) / sizeof(ours[0]) && strncmp(s, ours[i], strlen(ours[i])))
			i++;
		if (i == sizeof(ours) / sizeof(ours[0]))
			abort();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .size = size};
	struct frame frames[FRAMES];
	struct profile_sample samples[SAMPLES];
	const struct profile profile = {
		"fuzz", {{"n", next_byte(&in) & 1 ? "bytes" : "count"}}, 1, 0, 0, samples, SAMPLES};

	for (size_t i = 0; i < FRAMES; i++)
		frames[i] = next_frame(&in);
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t first = next_byte(&in) % FRAMES, count = next_byte(&in) % (FRAMES - first + 1);

		samples[i] = (struct profile_sample){next_text(&in),	 next_byte(&in),
						     frames + first,	 count,
						     next_byte(&in) & 1, {(uint32_t)next_number(&in)}};
	}
	check_folded(&profile);
	check_flamegraph(&profile);
	free(written(pprof__write, &profile));
	for (size_t i = 0; i < in.text_count; i++)
		free(in.texts[i]);
	return 0;
}
