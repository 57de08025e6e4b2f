/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_before.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/memory_recorder.h"
#include "proc/memory_files.h"
#include "trace/session.h"

#define PAGE		4096ull
#define LEAST_CANDIDATE 256 /* pages; of the whole machine */
#define PAUSE_FACTOR	20  /* looking at all processes may take a 20th of the time */
#define COMMANDS	8   /* command lines read in a round */
#define SAMPLES		RECORDER_SAMPLES

struct pressure {
	uint64_t time_ns, some_us, full_us;
};

struct oom_before {
	struct memory_recorder *recorder;
	int meminfo_fd, pressure_fd;
	struct oom_machine machine;
	struct pressure pressure[SAMPLES]; /* a ring */
	uint64_t pressures;		   /* that have been in it */
	uint64_t list_again_ns;
	struct oom_kill *kill; /* that is being told */
	uint64_t total_bytes;  /* what its badness is measured by */
};

struct oom_before *oom_before__new(void)
{
	struct oom_before *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->recorder = memory_recorder__new();
	b->meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	b->pressure_fd = open("/proc/pressure/memory", O_RDONLY | O_CLOEXEC);
	b->machine = (struct oom_machine){OOM_UNKNOWN, OOM_UNKNOWN, OOM_UNKNOWN, OOM_UNKNOWN, -1, -1, 0};
	if (b->recorder)
		return b;
	oom_before__free(b);
	return NULL;
}

void oom_before__free(struct oom_before *b)
{
	if (!b)
		return;
	if (b->meminfo_fd >= 0)
		close(b->meminfo_fd);
	if (b->pressure_fd >= 0)
		close(b->pressure_fd);
	memory_recorder__free(b->recorder);
	free(b);
}

/* --- every second -----------------------------------------------------------------------------------------
 */

/* A small file that stays open, into a buffer of ours: no allocation. */
static bool read_again(int fd, char *buf, size_t size)
{
	ssize_t n = fd >= 0 ? pread(fd, buf, size - 1, 0) : -1;

	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void read_machine(struct oom_before *b, uint64_t now)
{
	struct pressure *p = &b->pressure[b->pressures % SAMPLES];
	char text[4096];

	if (read_again(b->meminfo_fd, text, sizeof(text))) {
		meminfo__find(text, "MemTotal", &b->machine.total);
		meminfo__find(text, "MemAvailable", &b->machine.available);
		meminfo__find(text, "SwapTotal", &b->machine.swap_total);
		meminfo__find(text, "SwapFree", &b->machine.swap_free);
	}
	if (!read_again(b->pressure_fd, text, sizeof(text)) ||
	    !pressure__parse(text, &p->some_us, &p->full_us))
		return;
	p->time_ns = now;
	b->pressures++;
}

static void take_sample(void *context, const struct oom_process *p)
{
	struct oom_before *b = context;

	memory_recorder__take(b->recorder, &p->process, (p->file + p->anon + p->shmem) * PAGE);
}

/* Arguments are separated by NUL. */
static void read_command(struct memory_recorder *recorder, const struct process_key *key)
{
	char path[64], text[RECORDER_COMMAND];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", key->tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	memory_recorder__set_command(recorder, key, text);
}

int oom_before__watch(struct oom_before *b, struct oom_source *source)
{
	uint64_t now = session__now(), least = memory_recorder__begin(b->recorder, now);
	const struct process_key *key;
	int err;

	read_machine(b, now);
	err = oom_source__list(source, 0, least / PAGE, false, take_sample, b);
	for (int i = 0; i < COMMANDS && (key = memory_recorder__wants_command(b->recorder)); i++)
		read_command(b->recorder, key);
	return err;
}

/* --- at a kill --------------------------------------------------------------------------------------------
 */

static void tell_machine(const struct oom_before *b, struct oom_kill *kill)
{
	uint64_t n = b->pressures, oldest = n > SAMPLES ? n - SAMPLES : 0;
	const struct pressure *first = &b->pressure[oldest % SAMPLES],
			      *last = &b->pressure[(n ? n - 1 : 0) % SAMPLES];
	double us;

	kill->machine = b->machine;
	if (n < 2 || last->time_ns <= first->time_ns)
		return;
	kill->machine.stall_over_ns = last->time_ns - first->time_ns;
	us = kill->machine.stall_over_ns / 1e3;
	kill->machine.stall_some = (last->some_us - first->some_us) / us;
	kill->machine.stall_full = (last->full_us - first->full_us) / us;
}

static void add_grower(struct oom_before *b, const struct process_key *key, const char *comm,
		       uint64_t resident)
{
	struct oom_point points[OOM_POINTS];
	char name[COMM_SIZE + 1] = "";
	size_t n = memory_recorder__history(b->recorder, key, b->kill->time_ns, resident, points);

	memcpy(name, comm, COMM_SIZE);
	oom_kill__add_grower(b->kill, key, name, points, n);
}

static void add_candidate(struct oom_before *b, const struct process_key *key, const char *comm,
			  uint64_t resident, uint64_t swap, uint64_t pgtables, int32_t adj)
{
	struct oom_candidate c = {
		.pid = key->tgid,
		.resident = resident,
		.swap = swap,
		.pgtables = pgtables,
		.oom_score_adj = adj,
		.badness = oom_badness(resident, swap, pgtables, adj, b->total_bytes),
	};

	memcpy(c.comm, comm, COMM_SIZE);
	oom_kill__add_candidate(b->kill, &c);
	add_grower(b, key, comm, resident);
}

static void take_candidate(void *context, const struct oom_process *p)
{
	struct oom_before *b = context;

	if (p->process.tgid == b->kill->victim.pid)
		return; /* it is known from the moment of the kill */
	add_candidate(b, &p->process, p->comm, (p->file + p->anon + p->shmem) * PAGE, p->swap * PAGE,
		      p->pgtables_bytes, p->oom_score_adj);
}

/* What there is to share: of the limit, or of the machine. */
static uint64_t total_bytes(const struct oom_before *b, const struct oom_kill *kill)
{
	uint64_t swap = b->machine.swap_total == OOM_UNKNOWN ? 0 : b->machine.swap_total;
	uint64_t total = b->machine.total == OOM_UNKNOWN ? 0 : b->machine.total;

	if (kill->total_pages != OOM_UNKNOWN)
		return kill->total_pages * PAGE;
	if (kill->hit >= 0 && kill->limits[kill->hit].limit != OOM_UNKNOWN)
		total = kill->limits[kill->hit].limit;
	return total + swap;
}

/* In a memory cgroup whose limit is not known, others are not looked at: they are not to be had. */
static void look_at_others(struct oom_before *b, struct oom_source *source, const struct oom_kill *kill)
{
	uint64_t began = session__now(), memcg = kill->hit >= 0 ? kill->limits[kill->hit].memcg : 0;

	if (began < b->list_again_ns || (kill->constraint == OOM_MEMCG && !memcg))
		return;
	oom_source__list(source, memcg, memcg ? 0 : LEAST_CANDIDATE, memcg, take_candidate, b);
	b->list_again_ns = began + (session__now() - began) * PAUSE_FACTOR;
}

void oom_before__tell(struct oom_before *b, struct oom_source *source, const struct oom_kill_record *record,
		      struct oom_kill *kill)
{
	const struct process_key *key = &record->victim.process;
	uint64_t resident = oom_size__resident(&kill->size);

	b->kill = kill;
	b->total_bytes = total_bytes(b, kill);
	tell_machine(b, kill);
	kill->history_count =
		memory_recorder__history(b->recorder, key, kill->time_ns, resident, kill->history);
	snprintf(kill->victim.command, sizeof(kill->victim.command), "%s",
		 memory_recorder__command(b->recorder, key));
	snprintf(kill->trigger.command, sizeof(kill->trigger.command), "%s",
		 memory_recorder__command(b->recorder, &record->trigger.process));
	look_at_others(b, source, kill);
	if (kill->candidates_seen)
		add_candidate(b, key, kill->victim.comm, resident, kill->size.swap, kill->size.pgtables,
			      kill->victim.oom_score_adj);
	else
		add_grower(b, key, kill->victim.comm, resident);
}
