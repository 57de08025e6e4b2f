/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile as a picture: an SVG file for a browser, with all it needs in itself. */
#ifndef MEMTRACE_FLAMEGRAPH_H
#define MEMTRACE_FLAMEGRAPH_H

#include <stdio.h>

#include "model/profile.h"

/*
 * Values of the profile's first type. The root, on top, bears the title; each frame is as wide as its share
 * of the total, and what is too narrow to be seen is left out, and counted. The file stays the caller's. 0,
 * -ENOMEM, or -errno of a write that failed.
 */
int flamegraph__write(FILE *file, const struct profile *profile);

#endif
