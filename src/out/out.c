/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/out.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "out/frame_row.h"
#include "out/grid.h"
#include "out/prose.h"
#include "util/buffer.h"
#include "util/number.h"
#include "util/text.h"

#define TEXT_MAX   4096
#define STACK_HEAD 20 /* frames of a deep stack that a table shows at either end */
#define STACK_TAIL 6

struct outer {
	const struct out_table *table;
	const struct out_column *column; /* the list's */
	size_t field;
	json_t *object, *list; /* NULL: no list is being made */
};

struct out {
	FILE *file;
	enum out_format format;
	unsigned width;
	int error;
	const struct out_table *table;
	bool single; /* out__line() */
	size_t field;
	json_t *object;	    /* the row, in JSON */
	struct outer outer; /* the row that a list is a field of */
	struct grid grid;   /* the rows, in a table */
	struct buffer text; /* being put together */
};

struct out *out__new(FILE *file, enum out_format format, unsigned width)
{
	struct out *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->file = file;
	out->format = format;
	out->width = width;
	return out;
}

void out__free(struct out *out)
{
	if (!out)
		return;
	grid__free(&out->grid);
	buffer__free(&out->text);
	if (out->outer.list) {
		json_decref(out->outer.list);
		json_decref(out->outer.object);
	}
	json_decref(out->object);
	free(out);
}

enum out_format out__format(const struct out *out)
{
	return out->format;
}

static void note_error(struct out *out, int err)
{
	if (!out->error)
		out->error = err;
}

/* What has been put together goes to the file. */
static void write_text(struct out *out)
{
	if (out->text.failed || out->grid.text.failed)
		note_error(out, -ENOMEM);
	if (out->text.length && fwrite(out->text.data, out->text.length, 1, out->file) != 1)
		note_error(out, errno ? -errno : -EIO);
	buffer__clear(&out->text);
}

int out__flush(struct out *out)
{
	if (fflush(out->file) == EOF)
		note_error(out, errno ? -errno : -EIO);
	return out->error;
}

void out__blank(struct out *out)
{
	if (out->format != OUT_TABLE)
		return;
	buffer__add_text(&out->text, "\n");
	write_text(out);
}

void out__say(struct out *out, const char *format, ...)
{
	char text[TEXT_MAX], safe[TEXT_MAX];
	va_list args;

	if (out->format != OUT_TABLE)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text__to_printable(text, safe, sizeof(safe));
	prose__wrap(&out->text, safe, out->width, "", "  ");
	write_text(out);
}

void out__begin(struct out *out, const struct out_table *table)
{
	grid__begin(&out->grid, table);
	out->table = table;
	out->single = false;
}

void out__line(struct out *out, const struct out_table *table)
{
	out__begin(out, table);
	out->single = true;
	out__row(out);
}

/* --- rows -------------------------------------------------------------------------------------------------
 */

void out__row(struct out *out)
{
	out->field = 0;
	if (out->format == OUT_JSON) {
		out->object = json_object();
		if (!out->outer.list)
			json_object_set_new(out->object, "type", json_string(out->table->type));
		return;
	}
	if (!grid__add_row(&out->grid))
		note_error(out, -ENOMEM);
}

/* jansson leaves DEL as it is, which is a control character like the others. */
static void put_json(struct out *out, const char *text)
{
	const char *del;

	for (; (del = strchr(text, 0x7f)); text = del + 1) {
		buffer__add(&out->text, text, del - text);
		buffer__add_text(&out->text, "\\u007f");
	}
	buffer__add_text(&out->text, text);
	buffer__add_text(&out->text, "\n");
	write_text(out);
}

void out__row_end(struct out *out)
{
	assert(out->field == out->table->count);
	if (out->outer.list) {
		json_array_append_new(out->outer.list, out->object);
		out->object = NULL;
		return;
	}
	if (out->format == OUT_JSON) {
		char *text =
			json_dumps(out->object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));

		if (text)
			put_json(out, text);
		else
			note_error(out, -ENOMEM);
		free(text);
		json_decref(out->object);
		out->object = NULL;
		return;
	}
	if (!out->single || !out->grid.rows)
		return;
	grid__print_line(&out->grid, &out->text, out->width);
	write_text(out);
	grid__begin(&out->grid, out->table);
}

/* The column that comes next. Columns of the other format are passed over by the calls for them. */
static const struct out_column *next_column(struct out *out, const char *key)
{
	const struct out_column *column = &out->table->columns[out->field];

	assert(out->field < out->table->count);
	assert(key == column->key || (key && column->key && !strcmp(key, column->key)));
	(void)key;
	out->field++;
	return column;
}

/* Columns of the other format cost nothing: --events fills in two dozen fields a line. */
static bool is_unused(const struct out *out, const struct out_column *column)
{
	return column->flags & (out->format == OUT_JSON ? OUT_TABLE_ONLY : OUT_JSON_ONLY);
}

static void set_json(struct out *out, const struct out_column *column, json_t *value)
{
	const char *dot = column->key ? strchr(column->key, '.') : NULL;
	json_t *parent = out->object;

	if (column->flags & OUT_TABLE_ONLY) {
		json_decref(value);
		return;
	}
	if (dot) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(dot - column->key), column->key);
		parent = json_object_get(out->object, name);
		if (!json_is_object(parent)) {
			parent = json_object();
			json_object_set_new(out->object, name, parent);
		}
	}
	if (json_object_set_new(parent, dot ? dot + 1 : column->key, value))
		note_error(out, -ENOMEM);
}

static void set_cell(struct out *out, const struct out_column *column, const char *text, bool blank)
{
	if (out->grid.rows && !(column->flags & OUT_JSON_ONLY))
		grid__set(&out->grid, column, text, blank);
}

void out__count(struct out *out, const char *key, uint64_t n)
{
	const struct out_column *column = next_column(out, key);
	char text[NUMBER_SIZE];

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON) {
		set_json(out, column, json_integer(n));
		return;
	}
	number__decimal(n, text);
	set_cell(out, column, text, !n);
}

void out__integer(struct out *out, const char *key, int64_t n)
{
	const struct out_column *column = next_column(out, key);
	char text[32];

	if (out->format == OUT_JSON) {
		set_json(out, column, json_integer(n));
		return;
	}
	snprintf(text, sizeof(text), "%" PRId64, n);
	set_cell(out, column, text, !n);
}

void out__bytes(struct out *out, const char *key, uint64_t bytes)
{
	const struct out_column *column = next_column(out, key);
	char text[32];

	if (out->format == OUT_JSON) {
		set_json(out, column, json_integer(bytes));
		return;
	}
	out__format_bytes(bytes, text, sizeof(text));
	set_cell(out, column, text, !bytes);
}

void out__change(struct out *out, const char *key, int64_t bytes)
{
	const struct out_column *column = next_column(out, key);
	char text[40];

	if (out->format == OUT_JSON) {
		set_json(out, column, json_integer(bytes));
		return;
	}
	out__format_change(bytes, text, sizeof(text));
	set_cell(out, column, text, !bytes);
}

void out__text(struct out *out, const char *key, const char *text)
{
	const struct out_column *column = next_column(out, key);
	char safe[TEXT_MAX];

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON) {
		text__to_utf8(text, safe, sizeof(safe));
		set_json(out, column, json_string(safe));
		return;
	}
	text__to_printable(text, safe, sizeof(safe));
	set_cell(out, column, safe, !*safe);
}

void out__address(struct out *out, const char *key, uint64_t address)
{
	const struct out_column *column = next_column(out, key);
	char text[NUMBER_SIZE];

	if (is_unused(out, column))
		return;
	number__hex(address, text);
	if (out->format == OUT_JSON)
		set_json(out, column, json_string(text));
	else
		set_cell(out, column, text, false);
}

void out__range(struct out *out, uint64_t start, uint64_t end)
{
	const struct out_column *column = next_column(out, NULL);
	char text[48];

	snprintf(text, sizeof(text), "%" PRIx64 "-%" PRIx64, start, end);
	if (out->format == OUT_TABLE)
		set_cell(out, column, text, false);
}

static void scaled(struct out *out, const char *key, uint64_t n, void (*format)(uint64_t, char *, size_t))
{
	const struct out_column *column = next_column(out, key);
	char text[32];

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON) {
		set_json(out, column, json_integer(n));
		return;
	}
	format(n, text, sizeof(text));
	set_cell(out, column, text, !n);
}

void out__ns(struct out *out, const char *key, uint64_t ns)
{
	scaled(out, key, ns, out__format_ns);
}

void out__seconds(struct out *out, const char *key, uint64_t ns)
{
	const struct out_column *column = next_column(out, key);
	char text[NUMBER_SIZE];

	if (is_unused(out, column))
		return;
	number__fixed(ns / 1000, 6, text);
	set_cell(out, column, text, false);
}

void out__share(struct out *out, const char *key, double ratio)
{
	const struct out_column *column = next_column(out, key);
	char text[32];

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON) {
		set_json(out, column, json_real(ratio));
		return;
	}
	snprintf(text, sizeof(text), "%.1f%%", ratio * 100);
	set_cell(out, column, text, ratio == 0);
}

void out__real(struct out *out, const char *key, double value)
{
	const struct out_column *column = next_column(out, key);
	char text[48];

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON) {
		set_json(out, column, json_real(value));
		return;
	}
	snprintf(text, sizeof(text), "%.3f", value);
	set_cell(out, column, text, value == 0);
}

void out__flag(struct out *out, const char *key, bool value)
{
	const struct out_column *column = next_column(out, key);

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON)
		set_json(out, column, json_boolean(value));
	else
		set_cell(out, column, value ? "yes" : "no", !value);
}

void out__parts(struct out *out, const char *key, const struct out_part *parts, size_t n)
{
	const struct out_column *column = next_column(out, key);
	json_t *object = out->format == OUT_JSON ? json_object() : NULL;
	char text[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!parts[i].value)
			continue;
		if (object)
			json_object_set_new(object, parts[i].name, json_integer(parts[i].value));
		else if (used < sizeof(text))
			used += snprintf(text + used, sizeof(text) - used, "%s%s %" PRIu64, used ? ", " : "",
					 parts[i].name, parts[i].value);
	}
	if (object)
		set_json(out, column, object);
	else
		set_cell(out, column, text, !used);
}

void out__counts(struct out *out, const char *key, const uint64_t *counts, size_t n)
{
	const struct out_column *column = next_column(out, key);
	json_t *array;

	if (out->format != OUT_JSON)
		return;
	array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_integer(counts[i]));
	set_json(out, column, array);
}

/* The lines of a stack, in one cell; of a deep one its ends. JSON has them all. */
static void set_stack_cell(struct out *out, const struct out_column *column, const struct frame *frames,
			   size_t n, const char *note)
{
	char line[2048], safe[2048], *text = NULL;
	size_t size = 0;
	FILE *lines = open_memstream(&text, &size);

	if (!lines) {
		note_error(out, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (n > STACK_HEAD + STACK_TAIL + 1 && i == STACK_HEAD) {
			fprintf(lines, "\n(%zu frames more)", n - STACK_HEAD - STACK_TAIL);
			i = n - STACK_TAIL;
		}
		frame_row__text(&frames[i], line, sizeof(line));
		text__to_printable(line, safe, sizeof(safe));
		fprintf(lines, "%s%s", i ? "\n" : "", safe);
	}
	if (note)
		fprintf(lines, "%s... %s", n ? "\n" : "", note);
	if (fclose(lines))
		note_error(out, -ENOMEM);
	else
		set_cell(out, column, text, !size);
	free(text);
}

void out__stack(struct out *out, const char *key, const struct frame *frames, size_t n, const char *note)
{
	const struct out_column *column = next_column(out, key);
	json_t *array;

	if (!n && !note)
		return;
	if (out->format == OUT_TABLE) {
		set_stack_cell(out, column, frames, n, note);
		return;
	}
	array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, frame_row__object(&frames[i]));
	set_json(out, column, array);
}

void out__list(struct out *out, const char *key, const struct out_table *rows)
{
	const struct out_column *column = next_column(out, key);

	assert(out->format == OUT_JSON && !out->outer.list);
	out->outer = (struct outer){out->table, column, out->field, out->object, json_array()};
	out->table = rows;
	out->object = NULL;
}

void out__list_end(struct out *out)
{
	json_t *list = out->outer.list;

	out->table = out->outer.table;
	out->field = out->outer.field;
	out->object = out->outer.object;
	out->outer.list = NULL;
	set_json(out, out->outer.column, list);
}

void out__null(struct out *out, const char *key)
{
	const struct out_column *column = next_column(out, key);

	if (out->format == OUT_JSON)
		set_json(out, column, json_null());
}

void out__unknown(struct out *out, const char *key)
{
	const struct out_column *column = next_column(out, key);

	if (out->format == OUT_TABLE)
		set_cell(out, column, "-", true);
}

void out__bars(struct out *out, const char *title, const uint64_t *buckets, size_t n)
{
	size_t first = n, last = 0, bar = out->width > 60 ? 40 : 20;
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		if (!buckets[i])
			continue;
		first = i < first ? i : first;
		last = i;
		most = buckets[i] > most ? buckets[i] : most;
	}
	if (!most || out->format != OUT_TABLE)
		return;
	out__blank(out);
	out__say(out, "%s", title);
	for (size_t i = first; i <= last; i++) {
		static const char marks[] = "########################################";
		int length = (int)((buckets[i] * bar + most - 1) / most);
		char from[32], line[96];

		out__format_ns(i ? 1ull << i : 0, from, sizeof(from));
		snprintf(line, sizeof(line), "  from %8s %10" PRIu64 " |%-*.*s|\n", from, buckets[i],
			 (int)bar, length, marks);
		buffer__add_text(&out->text, line);
	}
	write_text(out);
}

void out__end(struct out *out, size_t left_out)
{
	if (out->format == OUT_JSON)
		return;
	if (out->grid.rows) {
		if (out->table->title) {
			out__blank(out);
			out__say(out, "%s", out->table->title);
		}
		grid__print(&out->grid, &out->text, out->width);
		write_text(out);
		if (left_out)
			out__say(out, "(%zu more; -n %zu shows all)", left_out, out->grid.rows + left_out);
	}
	grid__begin(&out->grid, out->table);
}
