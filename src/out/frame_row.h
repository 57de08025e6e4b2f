/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One frame of a call stack in a report. */
#ifndef MEMTRACE_FRAME_ROW_H
#define MEMTRACE_FRAME_ROW_H

#include <jansson.h>
#include <stddef.h>

#include "model/frame.h"

/* As JSON, with what is known. The caller's reference. */
json_t *frame_row__object(const struct frame *frame);

/* As a line of a table; what is hostile in it is for the caller to escape. */
void frame_row__text(const struct frame *frame, char *buf, size_t size);

#endif
