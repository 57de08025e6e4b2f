/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a frame is called wherever frames are shown, so that all of memtrace calls it the same. */
#ifndef MEMTRACE_FRAME_NAME_H
#define MEMTRACE_FRAME_NAME_H

#include <stddef.h>

#include "model/frame.h"

#define FRAME_NAME_MAX 4096 /* bytes, with the NUL: a template's name can fill pages */

/*
 * The name in printable UTF-8: the symbol; else "libc.so.6+0x1234", the file and the address in it; else the
 * address, or "[unknown]". Never empty. That a frame is inlined or the kernel's is left for the caller to
 * say.
 */
void frame_name__format(const struct frame *frame, char *buf, size_t size);

/* The last part of a path, in the path itself: "libc.so.6". NULL for NULL. */
const char *frame_name__base(const char *path);

/* The same for millions of frames, few of them different: each name is made and kept once. */
struct frame_names;

/* NULL: no memory. */
struct frame_names *frame_names__new(void);
void frame_names__free(struct frame_names *names);

/* Equal names are one string, valid until frame_names__free(). NULL: no memory. */
const char *frame_names__get(struct frame_names *names, const struct frame *frame);

#endif
