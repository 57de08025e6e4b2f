/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of cells, and how they are laid out as text: tables with headings, and single lines. */
#ifndef MEMTRACE_GRID_H
#define MEMTRACE_GRID_H

#include <stdint.h>

#include "out/out.h"
#include "util/buffer.h"

struct cell {
	size_t at; /* of its text, which ends with a NUL, in the grid's buffer */
	uint32_t length, columns;
	bool known;
	bool blank; /* zero, empty or unknown: for OUT_IF_ANY */
};

/* {} is an empty grid. Its memory is kept from one table to the next. */
struct grid {
	const struct out_table *table;
	struct cell *cells; /* row by row */
	size_t rows, capacity;
	struct buffer text;
};

/* Forget the rows; those to come are of that kind. */
void grid__begin(struct grid *grid, const struct out_table *table);
void grid__free(struct grid *grid);

/* A new row, of cells that are not known. False: no memory. */
bool grid__add_row(struct grid *grid);

/* A cell of the last row. The text is printable (see util/text). */
void grid__set(struct grid *grid, const struct out_column *column, const char *text, bool blank);

/* The rows under their headings, the columns as wide as their cells, in at most `width` columns (0: no
 * limit). */
void grid__print(const struct grid *grid, struct buffer *b, size_t width);

/* The only row, as wide as the columns ask for, without headings. */
void grid__print_line(const struct grid *grid, struct buffer *b, size_t width);

#endif
