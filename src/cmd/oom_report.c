/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_report.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/oom_fields.h"
#include "cmd/oom_text.h"

void oom_report__kill(struct out *out, const struct oom_kill *kill, enum oom_detail detail)
{
	bool block = detail == OOM_BLOCK && out__format(out) == OUT_TABLE;
	char clock[64] = "-";

	out__line(out, &oom_fields__table);
	if (kill->wall_ns != OOM_UNKNOWN)
		oom_text__clock(kill->wall_ns, false, clock, sizeof(clock));
	out__text(out, NULL, clock);
	oom_text__line(out, kill, !block);
	oom_fields__time(out, kill);
	oom_fields__put(out, kill);
	if (block)
		oom_text__block(out, kill);
	else
		for (int i = 0; i < OOM_TEXT_LINES; i++)
			out__text(out, NULL, "");
	out__row_end(out);
	if (block)
		oom_fields__tables(out, kill);
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
static const struct out_table raw_table = {"log", NULL, raw_columns, 1};

void oom_report__raw(struct out *out, const char *line)
{
	out__line(out, &raw_table);
	out__text(out, "line", line);
	out__row_end(out);
}
