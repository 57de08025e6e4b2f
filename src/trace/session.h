/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a tracing command, whatever it traces: signals, the program after `--`, rings, time, status,
 * the end.
 *
 * A command opens and configures its own BPF skeleton, loads and attaches it, and gives session__run() what
 * to do when time has passed.
 */
#ifndef MEMTRACE_SESSION_H
#define MEMTRACE_SESSION_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "trace/program.h"
#include "trace/target.h"

struct session_ops {
	/* Every second, and when needs_collecting() says so: take the counts out of the maps. 0 or -errno
	 * (ends it). */
	int (*collect)(void *context);
	bool (*needs_collecting)(void *context);
	/* Every interval. 0 or -errno (ends it). */
	int (*report)(void *context);
	/* For the status line: one short text. */
	void (*status)(void *context, char *buf, size_t size);
};

struct session {
	uint64_t duration_ns; /* 0: until a signal */
	uint64_t interval_ns; /* 0: one report, at the end */
	/* For one that seldom has anything to do. */
	uint64_t poll_ns;     /* longest wait for a ring that wakes at once; 0: 50 ms */
	bool measures_itself; /* its BPF programs tell their CPU time */
	/* Consumed in this order, so that names come before what they name. NULL: none. */
	struct ring_buffer *control, *events;
	/* Called before they are consumed: to learn what is needed to understand the records. NULL: nothing.
	 */
	void (*before_draining)(void *context);
	/* And after: to show what has come. 0, or -errno to end the session. NULL: nothing. */
	int (*after_draining)(void *context);
	void *draining_context;
	/* Is there nothing left to trace? For a command without the map `targets`. NULL: that map tells. */
	bool (*is_over)(void *context);
	void *over_context;
	/* Called with the pid of the program after `--` before it is exec'd; it returns 0, or -errno, told,
	 * to keep it from that. NULL: nothing. */
	int (*before_exec)(void *context, pid_t pid);
	uint64_t drain_until;	 /* CLOCK_MONOTONIC; 0: until the rings are empty */
	unsigned drained;	 /* records since it was set */
	int stats_fd;		 /* of BPF_ENABLE_STATS; -1: off */
	uint64_t stats_since_ns; /* when it was last switched on */
	uint64_t stats_on_ns;	 /* how long it has been on */
	uint64_t began_ns;	 /* CLOCK_MONOTONIC */
	uint64_t ended_ns;
	bool reads_maps;     /* of processes that run already: it says so if it may not */
	bool attaches_later; /* probes, to what is mapped meanwhile: it keeps the privilege */
	bool locks_memory;   /* all of it, also what it gets later: the same */
	struct program program;
};

/* Messages of libbpf go to the log: errors as they are, the rest with -v. Call once, before any libbpf call.
 */
void session__init(struct session *session);

/* Ask for SIGINT, SIGTERM and SIGHUP to end the session instead of the process. */
void session__catch_signals(void);

/* Has one of them arrived? */
bool session__interrupted(void);

/* Until that time (CLOCK_MONOTONIC, ns), or a signal that session__catch_signals() catches. */
void session__sleep_until(uint64_t ns);

/*
 * Say "ready", start the target's program if it has one, and run until a signal, the duration, the end of the
 * program or of all targets, or an error. 0 or -errno. targets_fd: the map `targets`; -1: none.
 */
int session__run(struct session *session, const struct target *target, int targets_fd,
		 const struct session_ops *ops, void *context);

/*
 * Take what waits in the rings, or, unless all is asked for, as much as can be taken in a tenth of a second:
 * a kernel that fills them faster than they are emptied must not keep the session from ending. 0 or -errno.
 */
int session__drain(struct session *session, bool all);

/* For the callbacks of the rings: time is up, return -EAGAIN. */
bool session__drained_enough(struct session *session);

/* The size of a ring buffer for at least so many bytes: a power of two, of pages. */
uint32_t session__ring_bytes(uint64_t bytes);

double session__seconds(const struct session *session);

/*
 * How much of the run the kernel has added up the CPU time of BPF programs: 0 (not allowed) to 1. It does so
 * for 20 ms of every second, because reading the clock twice a run costs as much again as a short program,
 * and switching it on and off half a millisecond.
 */
double session__measured_share(const struct session *session);

/*
 * Release what the session holds. If the program still runs it is ended (program__end()); but if it
 * was an error that ended the session (err), just waited for. Its exit status, or 0.
 */
int session__close(struct session *session, int err);

/* CLOCK_MONOTONIC in ns. */
uint64_t session__now(void);

/* CPU time of this thread in ns: what something costs, whatever else the machine does. */
uint64_t session__cpu(void);

#endif
