/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A system call on memory in words, as a line of a trace shows it. */
#ifndef MEMTRACE_CALL_TEXT_H
#define MEMTRACE_CALL_TEXT_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "model/frame.h"

struct call_text {
	const char *call; /* "mmap", "munlockall" */
	char what[96];	  /* "132 KiB anon rw-p fixed", "+132 KiB", "64 KiB DONTNEED" */
	char result[48];  /* "0x7f..", "0", "ENOMEM" */
	uint64_t size;	  /* bytes that it is about */
	uint64_t address; /* that it is about, or was asked for; 0: none */
	int error;	  /* positive; 0: it has not failed */
};

/* file: the path that was mapped, or NULL. */
void call_text__make(const struct call_record *r, const char *file, struct call_text *text);

/*
 * The first frame of a stack that is worth showing: the program's call of malloc, or of mmap where malloc has
 * no part in it. 0 if that cannot be told.
 */
size_t call_text__first_frame(const struct frame *frames, size_t n);

/*
 * Who called, outermost first: "main→load→malloc". Of a deep stack the innermost few; what malloc does inside
 * is left out. "" if nothing is known.
 */
void call_text__callers(const struct frame *frames, size_t n, char *buf, size_t size);

#endif
