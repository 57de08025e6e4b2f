/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports: one description of a row, shown as a table or as JSON Lines.
 *
 * A command describes a kind of row once (struct out_table) and then fills rows with one call a field, in the
 * order of the columns; the same calls make the text and the JSON, so the two cannot disagree. A field that
 * is not known is skipped with out__unknown(): "-" in a table, absent in JSON. Strings are hostile and made
 * safe here.
 *
 * Keys with a dot ("vma.start") make nested JSON objects.
 */
#ifndef MEMTRACE_OUT_H
#define MEMTRACE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/frame.h"

enum out_format { OUT_TABLE, OUT_JSON };

enum out_flag {
	OUT_LEFT = 1,	     /* align left */
	OUT_FILL = 2,	     /* takes what the line has left, shortened if need be; at most one a table */
	OUT_PATH = 4,	     /* shorten at the head */
	OUT_DETAIL = 8,	     /* on indented lines after the first */
	OUT_STACK = 128,     /* on indented lines after that, one a frame */
	OUT_JSON_ONLY = 16,  /* not in tables */
	OUT_TABLE_ONLY = 32, /* not in JSON */
	OUT_IF_ANY = 64,     /* the table drops the column when every cell is zero, empty or unknown */
};

struct out_column {
	const char *key;     /* JSON; NULL with OUT_TABLE_ONLY */
	const char *heading; /* NULL with OUT_JSON_ONLY */
	unsigned flags;	     /* enum out_flag */
	unsigned width;	     /* at least so wide; 0: as its cells */
};

struct out_table {
	const char *type;  /* JSON "type" */
	const char *title; /* NULL: none */
	const struct out_column *columns;
	size_t count;
};

/* One part of a composite field: {"anon_write":12,"cow":3}. */
struct out_part {
	const char *name;
	uint64_t value;
};

struct out;

/* Writes to file, which stays the caller's. width: columns of a table; 0: no limit. NULL: no memory. */
struct out *out__new(FILE *file, enum out_format format, unsigned width);
void out__free(struct out *out);
enum out_format out__format(const struct out *out);

/* Rows of one kind. A table is printed by out__end(), which also says how many rows were left out. */
void out__begin(struct out *out, const struct out_table *table);
void out__end(struct out *out, size_t left_out);

/* One row outside any table, at once: JSON of that type; in a table's stead a line made of its cells. */
void out__line(struct out *out, const struct out_table *table);

void out__row(struct out *out);
void out__row_end(struct out *out);

/* Fields, in the order of the columns; key must be that of the column (checked by assert). */
void out__count(struct out *out, const char *key, uint64_t n);
void out__integer(struct out *out, const char *key, int64_t n);
void out__bytes(struct out *out, const char *key, uint64_t bytes); /* with a unit in a table */
void out__change(struct out *out, const char *key, int64_t bytes); /* the same, with its sign */
void out__text(struct out *out, const char *key, const char *text);
void out__address(struct out *out, const char *key, uint64_t address); /* "0x..." */
void out__range(struct out *out, uint64_t start, uint64_t end);	       /* table only: as in /proc/PID/maps */
void out__ns(struct out *out, const char *key, uint64_t ns);	       /* with a unit in a table */
void out__seconds(struct out *out, const char *key, uint64_t ns);      /* table only: with six decimals */
void out__share(struct out *out, const char *key, double ratio);       /* as per cent in a table */
void out__real(struct out *out, const char *key, double value);
void out__flag(struct out *out, const char *key, bool value);
void out__parts(struct out *out, const char *key, const struct out_part *parts,
		size_t n); /* zeroes are left out */
void out__counts(struct out *out, const char *key, const uint64_t *counts, size_t n); /* JSON array */
/*
 * A call stack, innermost frame first: lines in a table, an array in JSON. note: why it ends where it ends,
 * or NULL. No frames and no note: as out__unknown().
 */
void out__stack(struct out *out, const char *key, const struct frame *frames, size_t n, const char *note);
/*
 * A list of rows as a field, in JSON only: {"key":[{...},...]}. Between the two, rows of `rows` (whose type
 * is not shown) are made as usual; not nested any further.
 */
void out__list(struct out *out, const char *key, const struct out_table *rows);
void out__list_end(struct out *out);
void out__null(struct out *out, const char *key); /* JSON null */
void out__unknown(struct out *out, const char *key);

/* A log2 histogram as bars, in a table's output only: bucket i holds [2^i, 2^(i+1)) ns. */
void out__bars(struct out *out, const char *title, const uint64_t *buckets, size_t n);

/* Prose, broken to fit the width, and an empty line: in a table's output only. The text may be hostile. */
void out__blank(struct out *out);
void out__say(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Flush. 0, or -errno of the first write that failed (-EPIPE: the reader has gone). */
int out__flush(struct out *out);

/* "1.2 ms", "3.4 MiB": three significant digits at most. */
void out__format_ns(uint64_t ns, char *buf, size_t size);
void out__format_bytes(uint64_t bytes, char *buf, size_t size);
void out__format_change(int64_t bytes, char *buf, size_t size); /* "+3.4 MiB", "-12 KiB", "0 B" */

#endif
