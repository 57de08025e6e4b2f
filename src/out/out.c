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
#include "util/text.h"

#define TEXT_MAX      4096
#define MIN_TEXT      8 /* columns that a text keeps when a line is too long */
#define DETAIL_INDENT "        "
#define STACK_INDENT  "          "
#define STACK_HEAD    20 /* frames of a deep stack that a table shows at either end */
#define STACK_TAIL    6

struct cell {
	char *text; /* NULL: unknown */
	bool blank; /* zero, empty or unknown: for OUT_IF_ANY */
};

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
	struct cell *cells; /* all rows, in a table */
	size_t rows, capacity;
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

static void free_rows(struct out *out)
{
	for (size_t i = 0; out->table && i < out->rows * out->table->count; i++)
		free(out->cells[i].text);
	free(out->cells);
	out->cells = NULL;
	out->rows = out->capacity = 0;
}

void out__free(struct out *out)
{
	if (!out)
		return;
	free_rows(out);
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

static void put(struct out *out, const char *text)
{
	if (fputs(text, out->file) == EOF)
		note_error(out, errno ? -errno : -EIO);
}

static void put_spaces(struct out *out, int n)
{
	while (n-- > 0)
		put(out, " ");
}

int out__flush(struct out *out)
{
	if (fflush(out->file) == EOF)
		note_error(out, errno ? -errno : -EIO);
	return out->error;
}

/* Prose, broken at spaces to fit the width; each line starts with indent, the first with `first`. */
static void put_wrapped(struct out *out, const char *text, const char *first, const char *indent)
{
	size_t room = out->width > 40 ? out->width - strlen(indent) : TEXT_MAX;
	const char *start = first;

	do {
		size_t length = 0, columns = 0, fits = 0;

		for (; text[length] && columns <= room; length++) {
			columns += (text[length] & 0xc0) != 0x80;
			if (text[length] == ' ')
				fits = length;
		}
		if (columns <= room)
			fits = length;
		else if (!fits) /* a word that is wider than the line */
			fits = length - 1;
		put(out, start);
		fprintf(out->file, "%.*s\n", (int)fits, text);
		text += fits + strspn(text + fits, " ");
		start = indent;
	} while (*text);
}

void out__blank(struct out *out)
{
	if (out->format == OUT_TABLE)
		put(out, "\n");
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
	put_wrapped(out, safe, "", "  ");
}

void out__begin(struct out *out, const struct out_table *table)
{
	free_rows(out);
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
	if (out->rows == out->capacity) {
		size_t capacity = out->capacity ? out->capacity * 2 : 32;
		struct cell *cells = realloc(out->cells, capacity * out->table->count * sizeof(*cells));

		if (!cells) {
			note_error(out, -ENOMEM);
			return;
		}
		out->cells = cells;
		out->capacity = capacity;
	}
	memset(&out->cells[out->rows * out->table->count], 0, out->table->count * sizeof(*out->cells));
}

/* jansson leaves DEL as it is, which is a control character like the others. */
static void put_json(struct out *out, const char *text)
{
	const char *del;

	for (; (del = strchr(text, 0x7f)); text = del + 1) {
		fwrite(text, 1, del - text, out->file);
		put(out, "\\u007f");
	}
	put(out, text);
	put(out, "\n");
}

static void print_line(struct out *out);

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
	if (out->rows < out->capacity)
		out->rows++;
	if (out->single)
		print_line(out);
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
	struct cell *cell = &out->cells[out->rows * out->table->count + (column - out->table->columns)];

	if (out->rows >= out->capacity || (column->flags & OUT_JSON_ONLY))
		return;
	cell->text = text ? strdup(text) : NULL;
	cell->blank = blank;
}

void out__count(struct out *out, const char *key, uint64_t n)
{
	const struct out_column *column = next_column(out, key);
	char text[32];

	if (is_unused(out, column))
		return;
	if (out->format == OUT_JSON) {
		set_json(out, column, json_integer(n));
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64, n);
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
	char text[32];

	if (is_unused(out, column))
		return;
	snprintf(text, sizeof(text), "0x%" PRIx64, address);
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

	if (out->format == OUT_TABLE) {
		set_stack_cell(out, column, frames, n, note);
		return;
	}
	if (!n && !note)
		return;
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
		char from[32];

		out__format_ns(i ? 1ull << i : 0, from, sizeof(from));
		fprintf(out->file, "  from %8s %10" PRIu64 " |%-*.*s|\n", from, buckets[i], (int)bar, length,
			marks);
	}
}

/* --- tables -----------------------------------------------------------------------------------------------
 */

static const struct cell *cell_at(const struct out *out, size_t row, size_t column)
{
	return &out->cells[row * out->table->count + column];
}

static bool is_shown(const struct out *out, size_t column)
{
	unsigned flags = out->table->columns[column].flags;

	if (flags & OUT_JSON_ONLY)
		return false;
	if (!(flags & OUT_IF_ANY))
		return true;
	for (size_t row = 0; row < out->rows; row++)
		if (!cell_at(out, row, column)->blank)
			return true;
	return false;
}

/* Take `excess` columns from the one that fills the line, and what it cannot give from the other texts. */
static void narrow(const struct out *out, size_t *widths, size_t fill, size_t excess)
{
	for (size_t i = 0; i <= out->table->count && excess; i++) {
		size_t column = i ? i - 1 : fill, give;

		if (column >= out->table->count || !(out->table->columns[column].flags & OUT_LEFT))
			continue;
		give = widths[column] > MIN_TEXT ? widths[column] - MIN_TEXT : 0;
		give = give < excess ? give : excess;
		widths[column] -= give;
		excess -= give;
	}
}

/* The width of each column of the first line, 0 for those that are not in it. */
static void measure(const struct out *out, size_t *widths)
{
	size_t total = 0, fill = out->table->count;

	for (size_t i = 0; i < out->table->count; i++) {
		const struct out_column *column = &out->table->columns[i];

		widths[i] = 0;
		if (!is_shown(out, i) || (column->flags & (OUT_DETAIL | OUT_STACK)))
			continue;
		widths[i] = column->heading ? text__columns(column->heading) : 1;
		widths[i] = column->width > widths[i] ? column->width : widths[i];
		for (size_t row = 0; row < out->rows; row++) {
			size_t n = cell_at(out, row, i)->text ? text__columns(cell_at(out, row, i)->text) : 0;

			widths[i] = n > widths[i] ? n : widths[i];
		}
		total += widths[i] + 1;
		if (column->flags & OUT_FILL)
			fill = i;
	}
	if (out->width && total > out->width + 1)
		narrow(out, widths, fill, total - 1 - out->width);
}

static void print_cell(struct out *out, const char *text, const struct out_column *column, size_t width,
		       bool last)
{
	char *shown = text__shortened(text, width, column->flags & OUT_PATH);
	size_t pad;

	if (!shown) {
		note_error(out, -ENOMEM);
		return;
	}
	pad = width - text__columns(shown);
	if (column->flags & OUT_LEFT)
		fprintf(out->file, "%s%*s", shown, last ? 0 : (int)pad, "");
	else
		fprintf(out->file, "%*s%s", (int)pad, "", shown);
	free(shown);
}

/* row == -1: the headings. */
static void print_row(struct out *out, ssize_t row, const size_t *widths)
{
	size_t last = 0;

	for (size_t i = 0; i < out->table->count; i++)
		if (widths[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		const char *text = row < 0 ? out->table->columns[i].heading : cell_at(out, row, i)->text;

		if (!widths[i])
			continue;
		print_cell(out, text ? text : "", &out->table->columns[i], widths[i], i == last);
		put(out, i == last ? "" : " ");
	}
	put(out, "\n");
}

static void print_stack(struct out *out, const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;

	while (copy && (line = strsep(&rest, "\n"))) {
		char *shown = text__shortened(line, out->width > 40 ? out->width - 10 : TEXT_MAX, false);

		fprintf(out->file, STACK_INDENT "%s\n", shown ?: "");
		free(shown);
	}
	free(copy);
}

static void print_stacks(struct out *out, size_t row)
{
	for (size_t i = 0; i < out->table->count; i++)
		if ((out->table->columns[i].flags & (OUT_STACK | OUT_JSON_ONLY)) == OUT_STACK &&
		    !cell_at(out, row, i)->blank)
			print_stack(out, cell_at(out, row, i)->text);
}

static void print_detail(struct out *out, size_t row)
{
	char line[TEXT_MAX * 2];
	size_t used = 0;
	char *shown;

	for (size_t i = 0; i < out->table->count; i++) {
		const char *text = cell_at(out, row, i)->text;

		if (!(out->table->columns[i].flags & OUT_DETAIL) || !text || cell_at(out, row, i)->blank ||
		    used >= sizeof(line))
			continue;
		used += snprintf(line + used, sizeof(line) - used, "%s%s", used ? "  " : DETAIL_INDENT, text);
	}
	if (!used)
		return;
	shown = text__shortened(line, out->width ? out->width : sizeof(line), false);
	put(out, shown ? shown : "");
	put(out, "\n");
	free(shown);
}

/* A single row: its cells, without headings, as wide as the columns ask for; then the details. */
static void print_line(struct out *out)
{
	const char *space = "";

	for (size_t i = 0; i < out->table->count; i++) {
		const struct out_column *column = &out->table->columns[i];
		const char *text = cell_at(out, 0, i)->text;
		size_t columns = text ? text__columns(text) : 0;
		int pad = column->width > columns ? column->width - columns : 0;

		if (!text || (!*text && !pad) || (column->flags & (OUT_DETAIL | OUT_STACK)))
			continue;
		put(out, space);
		if (!(column->flags & OUT_LEFT))
			put_spaces(out, pad);
		put(out, text);
		if (column->flags & OUT_LEFT)
			put_spaces(out, pad);
		space = " ";
	}
	put(out, "\n");
	for (size_t i = 0; i < out->table->count; i++)
		if ((out->table->columns[i].flags & OUT_DETAIL) && !cell_at(out, 0, i)->blank &&
		    cell_at(out, 0, i)->text)
			put_wrapped(out, cell_at(out, 0, i)->text, DETAIL_INDENT, DETAIL_INDENT);
	print_stacks(out, 0);
	free_rows(out);
}

void out__end(struct out *out, size_t left_out)
{
	size_t *widths;

	if (out->format == OUT_JSON)
		return;
	widths = calloc(out->table->count, sizeof(*widths));
	if (!widths) {
		note_error(out, -ENOMEM);
		return;
	}
	if (out->rows) {
		measure(out, widths);
		if (out->table->title) {
			out__blank(out);
			out__say(out, "%s", out->table->title);
		}
		print_row(out, -1, widths);
		for (size_t row = 0; row < out->rows; row++) {
			print_row(out, row, widths);
			print_detail(out, row);
			print_stacks(out, row);
		}
		if (left_out)
			out__say(out, "(%zu more; -n %zu shows all)", left_out, out->rows + left_out);
	}
	free(widths);
	free_rows(out);
}
