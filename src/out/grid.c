/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/grid.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "out/prose.h"
#include "util/text.h"

#define MIN_TEXT      8 /* columns that a text keeps when a line is too long */
#define NARROWEST     40
#define FIRST_ROWS    32
#define DETAIL_INDENT "        "
#define STACK_INDENT  "          "

void grid__begin(struct grid *grid, const struct out_table *table)
{
	if (table->count > (grid->table ? grid->table->count : 0)) { /* the same memory holds fewer rows */
		free(grid->cells);
		grid->cells = NULL;
		grid->capacity = 0;
	}
	grid->table = table;
	grid->rows = 0;
	buffer__clear(&grid->text);
}

void grid__free(struct grid *grid)
{
	free(grid->cells);
	buffer__free(&grid->text);
	*grid = (struct grid){};
}

bool grid__add_row(struct grid *grid)
{
	size_t columns = grid->table->count;

	if (grid->rows == grid->capacity) {
		size_t capacity = grid->capacity ? grid->capacity * 2 : FIRST_ROWS;
		struct cell *cells = realloc(grid->cells, capacity * columns * sizeof(*cells));

		if (!cells)
			return false;
		grid->cells = cells;
		grid->capacity = capacity;
	}
	memset(&grid->cells[grid->rows * columns], 0, columns * sizeof(*grid->cells));
	grid->rows++;
	return true;
}

void grid__set(struct grid *grid, const struct out_column *column, const char *text, bool blank)
{
	size_t row = grid->rows - 1, i = column - grid->table->columns;
	struct cell *cell = &grid->cells[row * grid->table->count + i];

	cell->at = grid->text.length;
	cell->length = strlen(text);
	cell->columns = text__columns(text);
	buffer__add(&grid->text, text, cell->length + 1);
	cell->known = !grid->text.failed;
	cell->blank = blank;
}

static const struct cell *cell_at(const struct grid *grid, size_t row, size_t column)
{
	return &grid->cells[row * grid->table->count + column];
}

static const char *text_of(const struct grid *grid, const struct cell *cell)
{
	return cell->known ? grid->text.data + cell->at : "";
}

/* --- tables -----------------------------------------------------------------------------------------------
 */

static bool is_shown(const struct grid *grid, size_t column)
{
	unsigned flags = grid->table->columns[column].flags;

	if (flags & (OUT_JSON_ONLY | OUT_DETAIL | OUT_STACK))
		return false;
	if (!(flags & OUT_IF_ANY))
		return true;
	for (size_t row = 0; row < grid->rows; row++)
		if (cell_at(grid, row, column)->known && !cell_at(grid, row, column)->blank)
			return true;
	return false;
}

/* Take `excess` columns from the one that fills the line, and what it cannot give from the other texts. */
static void narrow(const struct grid *grid, size_t *widths, size_t fill, size_t excess)
{
	for (size_t i = 0; i <= grid->table->count && excess; i++) {
		size_t column = i ? i - 1 : fill, give;

		if (column >= grid->table->count || !(grid->table->columns[column].flags & OUT_LEFT))
			continue;
		give = widths[column] > MIN_TEXT ? widths[column] - MIN_TEXT : 0;
		give = give < excess ? give : excess;
		widths[column] -= give;
		excess -= give;
	}
}

/* The width of each column of the first line, 0 for those that are not in it. */
static void measure(const struct grid *grid, size_t *widths, size_t width)
{
	size_t total = 0, fill = grid->table->count;

	for (size_t i = 0; i < grid->table->count; i++) {
		const struct out_column *column = &grid->table->columns[i];

		if (!is_shown(grid, i))
			continue;
		widths[i] = column->heading ? text__columns(column->heading) : 1;
		widths[i] = column->width > widths[i] ? column->width : widths[i];
		for (size_t row = 0; row < grid->rows; row++)
			if (cell_at(grid, row, i)->columns > widths[i])
				widths[i] = cell_at(grid, row, i)->columns;
		total += widths[i] + 1;
		if (column->flags & OUT_FILL)
			fill = i;
	}
	if (width && total > width + 1)
		narrow(grid, widths, fill, total - 1 - width);
}

/* At most so wide; how wide it has become. */
static size_t print_shortened(struct buffer *b, const char *text, size_t columns, bool keep_tail)
{
	char *shown = text__shortened(text, columns, keep_tail);
	size_t has = shown ? text__columns(shown) : 0;

	if (shown)
		buffer__add_text(b, shown);
	else
		b->failed = true;
	free(shown);
	return has;
}

static void print_cell(struct buffer *b, const char *text, const struct out_column *column, size_t width,
		       bool last)
{
	size_t columns = text__columns(text);

	if (columns < width && !(column->flags & OUT_LEFT))
		buffer__add_spaces(b, width - columns);
	columns = print_shortened(b, text, width, column->flags & OUT_PATH);
	if (columns < width && (column->flags & OUT_LEFT) && !last)
		buffer__add_spaces(b, width - columns);
}

/* row == -1: the headings. */
static void print_row(const struct grid *grid, struct buffer *b, ssize_t row, const size_t *widths)
{
	size_t last = 0;

	for (size_t i = 0; i < grid->table->count; i++)
		if (widths[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		const struct out_column *column = &grid->table->columns[i];
		const char *text = row < 0 ? column->heading : text_of(grid, cell_at(grid, row, i));

		if (!widths[i])
			continue;
		print_cell(b, text ? text : "", column, widths[i], i == last);
		buffer__add_text(b, i == last ? "" : " ");
	}
	buffer__add_text(b, "\n");
}

static void print_details(const struct grid *grid, struct buffer *b, size_t row, size_t width)
{
	struct buffer line = {};

	for (size_t i = 0; i < grid->table->count; i++) {
		const struct cell *cell = cell_at(grid, row, i);

		if (!(grid->table->columns[i].flags & OUT_DETAIL) || !cell->known || cell->blank)
			continue;
		buffer__add_text(&line, line.length ? "  " : "");
		buffer__add(&line, text_of(grid, cell), cell->length);
	}
	if (line.length) {
		buffer__add(&line, "", 1);
		if (!line.failed)
			prose__wrap(b, line.data, width, DETAIL_INDENT, DETAIL_INDENT);
	}
	b->failed |= line.failed;
	buffer__free(&line);
}

static void print_stack(struct buffer *b, const char *text, size_t width)
{
	char *copy = strdup(text), *rest = copy, *line;

	b->failed |= !copy;
	while (copy && (line = strsep(&rest, "\n"))) {
		buffer__add_text(b, STACK_INDENT);
		print_shortened(b, line, width > NARROWEST ? width - strlen(STACK_INDENT) : strlen(line) + 1,
				false);
		buffer__add_text(b, "\n");
	}
	free(copy);
}

static void print_stacks(const struct grid *grid, struct buffer *b, size_t row, size_t width)
{
	for (size_t i = 0; i < grid->table->count; i++) {
		const struct cell *cell = cell_at(grid, row, i);

		if ((grid->table->columns[i].flags & (OUT_STACK | OUT_JSON_ONLY)) == OUT_STACK &&
		    cell->known && !cell->blank)
			print_stack(b, text_of(grid, cell), width);
	}
}

void grid__print(const struct grid *grid, struct buffer *b, size_t width)
{
	size_t *widths = calloc(grid->table->count, sizeof(*widths));

	if (!widths) {
		b->failed = true;
		return;
	}
	measure(grid, widths, width);
	print_row(grid, b, -1, widths);
	for (size_t row = 0; row < grid->rows; row++) {
		print_row(grid, b, row, widths);
		print_details(grid, b, row, width);
		print_stacks(grid, b, row, width);
	}
	free(widths);
}

/* --- single lines -----------------------------------------------------------------------------------------
 */

void grid__print_line(const struct grid *grid, struct buffer *b, size_t width)
{
	const char *space = "";

	for (size_t i = 0; i < grid->table->count; i++) {
		const struct out_column *column = &grid->table->columns[i];
		const struct cell *cell = cell_at(grid, 0, i);
		size_t pad = column->width > cell->columns ? column->width - cell->columns : 0;

		if (!cell->known || (!cell->length && !pad) || (column->flags & (OUT_DETAIL | OUT_STACK)))
			continue;
		buffer__add_text(b, space);
		if (!(column->flags & OUT_LEFT))
			buffer__add_spaces(b, pad);
		buffer__add(b, text_of(grid, cell), cell->length);
		if (column->flags & OUT_LEFT)
			buffer__add_spaces(b, pad);
		space = " ";
	}
	buffer__add_text(b, "\n");
	for (size_t i = 0; i < grid->table->count; i++) {
		const struct cell *cell = cell_at(grid, 0, i);

		if ((grid->table->columns[i].flags & OUT_DETAIL) && cell->known && !cell->blank)
			prose__wrap(b, text_of(grid, cell), width, DETAIL_INDENT, DETAIL_INDENT);
	}
	print_stacks(grid, b, 0, width);
}
