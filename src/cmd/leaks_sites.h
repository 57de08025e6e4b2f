/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where processes grow: by the ledgers of their address spaces and by who touches their pages first. */
#ifndef MEMTRACE_LEAKS_SITES_H
#define MEMTRACE_LEAKS_SITES_H

#include "cmd/leaks.h"
#include "cmd/memory_watch.h"
#include "trace/loss.h"
#include "trace/session.h"

struct leaks_sites;

/* Load, attach, begin. Says what is wrong and returns NULL then. options and session must outlive it. */
struct leaks_sites *leaks_sites__open(struct leaks_options *options, struct session *session);
void leaks_sites__close(struct leaks_sites *s);

/* Before the ring is drained. */
void leaks_sites__follow_mappings(struct leaks_sites *s);

/* Every second. 0 or -errno. */
int leaks_sites__collect(struct leaks_sites *s);

/* Measure what the sites hold, if it is time to: often. 0 or -errno. */
int leaks_sites__sample(struct leaks_sites *s);

/* The processes that are traced, for those who watch them, too. */
void leaks_sites__tell_processes(const struct leaks_sites *s, struct memory_watch *watch);

/* No more is to come. 0 or -errno. */
int leaks_sites__finish(struct leaks_sites *s);

/* The sites at which a process grows: a table; into the profile. top: 0: all. 0 or -errno. */
int leaks_sites__report(struct leaks_sites *s, struct out *out, uint32_t pid, size_t top);

/* How the stacks were taken; then the files that are to be written. 0 or -errno. */
void leaks_sites__report_sampling(const struct leaks_sites *s, struct out *out);
int leaks_sites__write_profile(struct leaks_sites *s);

int leaks_sites__targets_fd(const struct leaks_sites *s);
int leaks_sites__loss(const struct leaks_sites *s, struct loss *loss);
void leaks_sites__overhead(const struct leaks_sites *s, double measured_share, struct overhead *overhead);

#endif
