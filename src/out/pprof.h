/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile in the format of pprof: a gzipped protobuf, see profile.proto. */
#ifndef MEMTRACE_PPROF_H
#define MEMTRACE_PPROF_H

#include <stdio.h>

#include "model/profile.h"

/*
 * All types of the profile, the first the default; each sample as it is, labelled with comm and pid. What is
 * missing of a stack is told by the functions "[truncated]" and "[no stack]", as folded stacks tell it.
 *
 * Frames of many processes are one, so addresses are those of no process: each file gets a range of its own,
 * and an address is its place in the file counted from there.
 *
 * The file stays the caller's. 0, -ENOMEM, or -errno of a write that failed.
 */
int pprof__write(FILE *file, const struct profile *profile);

#endif
