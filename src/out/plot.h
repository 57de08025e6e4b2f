/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values over time, drawn in one line of text. */
#ifndef MEMTRACE_PLOT_H
#define MEMTRACE_PLOT_H

#include <stddef.h>
#include <stdint.h>

#define PLOT_SIZE(columns) ((columns)*3 + 1) /* bytes: UTF-8 */

/*
 * A column for each value, or each part of the values if there are more than columns; its mark is as high as
 * the largest there: blank at `low` and below, full at `high`. buf has PLOT_SIZE(columns) bytes.
 */
void plot__line(const int64_t *values, size_t n, size_t columns, int64_t low, int64_t high, char *buf);

#endif
