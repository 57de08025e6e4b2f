/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/zoneinfo and /proc/buddyinfo, zone by zone, from their text. Numbers of pages. */
#ifndef MEMTRACE_ZONES_H
#define MEMTRACE_ZONES_H

#include <stddef.h>
#include <stdint.h>

#include "model/zone.h"

/*
 * The zone at *text, which moves to the next one. 1: *zone is filled, but for its blocks; 0: the text is at
 * its end; -EINVAL: it is not one that the kernel writes.
 */
int zoneinfo__next(const char **text, struct zone *zone);

/* Give the zones the free blocks that the text of /proc/buddyinfo tells. 0, or -EINVAL as above. */
int buddyinfo__read(const char *text, struct zone *zones, size_t n);

#endif
