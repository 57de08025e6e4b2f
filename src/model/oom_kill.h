/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An OOM kill, whatever it is known from: a record of the kernel side (oom_kill__from_record) or the kernel's
 * own log (proc/oom_log). Sizes in bytes, times in ns. What is not known is OOM_UNKNOWN.
 */
#ifndef MEMTRACE_OOM_KILL_H
#define MEMTRACE_OOM_KILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"
#include "oom.h"

#define OOM_UNKNOWN	 UINT64_MAX
#define OOM_ADJ_UNKNOWN	 INT32_MAX
#define OOM_CGROUP_SIZE	 (OOM_PATH_MAX + 64)
#define OOM_COMMAND_SIZE 256
#define OOM_ALSO	 32 /* other victims of one event that are named */
#define OOM_CANDIDATES	 10
#define OOM_POINTS	 64
#define OOM_GROWERS	 3
#define OOM_SITES	 3 /* of a process */
#define OOM_ZONES	 24

enum oom_constraint { OOM_CONSTRAINT_UNKNOWN, OOM_NONE, OOM_MEMCG, OOM_CPUSET, OOM_MEMORY_POLICY };

/* "none", "memcg", ...; NULL: not known. */
const char *oom_constraint__name(enum oom_constraint constraint);

struct oom_who {
	uint64_t pid, tid, ns_pid, uid; /* pid OOM_UNKNOWN: nothing is known of it */
	uint64_t start_ns;		/* CLOCK_MONOTONIC */
	int32_t oom_score_adj;
	bool is_kernel;
	char comm[COMM_SIZE + 1];
	char user[33];			/* the uid's name; "": not known */
	char cgroup[OOM_CGROUP_SIZE];	/* "": not known */
	char command[OOM_COMMAND_SIZE]; /* "": not known */
};

struct oom_size {
	uint64_t total_vm, anon, file, shmem, swap, pgtables;
	bool rough;
};

/* How often a memory cgroup was short, since it was made; what its files do not tell is OOM_UNKNOWN. */
struct oom_shortages {
	uint64_t high, max, oom, kills; /* v2: memory.events; v1: only kills, of memory.oom_control */
	uint64_t failures;		/* v1: memory.failcnt */
};

/* What a memory cgroup consisted of, in bytes, just after the kill. */
struct oom_contents {
	uint64_t anon, file, shmem, kernel, swap;
};

/* A cgroup between the victim's and the root. */
struct oom_limit {
	struct oom_shortages shortages;
	double stalled_some, stalled_full; /* share of the last minute; < 0: not told */
	uint64_t memcg;			   /* the kernel's address of it */
	char cgroup[OOM_CGROUP_SIZE];
	uint64_t limit, usage; /* limit OOM_UNKNOWN: none is set */
	uint64_t memsw_limit, memsw_usage;
};

struct oom_vma {
	uint64_t size;
	uint64_t grown;	 /* bytes, in the time of the stacks; OOM_UNKNOWN */
	uint64_t faults; /* since tracing began, about; OOM_UNKNOWN */
	struct vma_key key;
	char perms[5];
	uint8_t class;
	char name[256];
};

struct oom_also {
	uint64_t pid, resident, exit_ns;
	char comm[COMM_SIZE + 1];
};

struct oom_candidate {
	uint64_t pid, start_ns, resident, swap, pgtables;
	uint64_t growth_per_s; /* OOM_UNKNOWN, or bytes; only of those that grew */
	int32_t oom_score_adj;
	int64_t badness; /* pages, as the kernel weighs them */
	char comm[COMM_SIZE + 1];
	bool gone; /* it was like this in the last second before */
};

/* How much was resident, so long before the kill. */
struct oom_point {
	uint64_t before_ns, resident;
};

/* Who grew in the minute before, and by how much. */
struct oom_grower {
	struct process_key key;
	uint64_t pid, bytes, over_ns;
	char comm[COMM_SIZE + 1];
	bool gone;			     /* it ended right after the kill, or within the second before */
	struct oom_point points[OOM_POINTS]; /* as the history of the victim */
	size_t count;
};

/* The same of a memory cgroup. */
struct oom_cgroup_growth {
	char cgroup[OOM_CGROUP_SIZE];
	uint64_t bytes, over_ns; /* bytes 0: it has not grown */
	struct oom_point points[OOM_POINTS];
	size_t count; /* 0: not known */
};

/* A call site, and by how much a process grew there. */
struct oom_site {
	uint64_t pid, bytes, samples;
	uint32_t stack;	      /* of model/stack_table */
	struct frame *frames; /* innermost first; whoever filled them in frees them. NULL: not yet, or none */
	size_t frame_count;
	const char *note; /* why the stack is cut short; NULL: it is not */
	char comm[COMM_SIZE + 1];
};

/* Of the victim, and then of whoever grew most, if that is another; each the largest first. */
struct oom_sites {
	struct oom_site sites[OOM_SITES * 2];
	size_t count;
	uint64_t bytes, samples; /* of the victim, at all sites, those left out as well */
	uint64_t over_ns;	 /* before the kill, in which no stack has been dropped for want of room */
	bool taken;		 /* stacks are taken at all */
};

/* The machine's memory, as it was last seen before the kill; OOM_UNKNOWN. Stalls: of the minute, share of the
 * time. */
struct oom_machine {
	uint64_t total, available, swap_total, swap_free;
	double stall_some, stall_full; /* < 0: not known */
	uint64_t stall_over_ns;
};

/* A zone of the machine's memory at the kill, as the kernel's log has it. */
struct oom_zone {
	int node;
	char name[16];
	uint64_t free, min, low;
	uint64_t largest; /* piece that is free; OOM_UNKNOWN */
};

/* How the machine did from one look to the next, which ended so long before the kill. */
struct oom_strain {
	uint64_t before_ns, over_ns;
	double stalled; /* share of the time that some task waited for memory; < 0: not known */
	uint64_t major_faults, swapped_in, swapped_out; /* bytes; OOM_UNKNOWN */
	uint64_t reclaim_ns;				/* of tasks that had to reclaim themselves */
};

struct oom_kill {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t wall_ns; /* CLOCK_REALTIME; OOM_UNKNOWN */
	struct oom_who victim, trigger;
	struct oom_size size;
	enum oom_constraint constraint;
	bool from_log;	    /* the kernel's own, not a record */
	bool was_dying;	    /* nobody was killed: it was dying, and asked for memory */
	bool trigger_first; /* vm.oom_kill_allocating_task: who asks dies, whatever its badness */
	bool by_hand;	    /* sysrq-f, not a request for memory */
	bool request_known;
	bool decided;	      /* the kernel's own decision is known: gfp is all of it */
	uint64_t total_pages; /* that were to be shared; OOM_UNKNOWN */
	uint64_t nodes; /* of memory that may be used, where the constraint is one of nodes; OOM_UNKNOWN */
	int64_t points; /* the victim's, as the kernel weighed them; INT64_MIN: not known */
	int order;	/* -1: not known */
	uint32_t gfp;	/* in a memory cgroup only what reclaim goes by: OOM_GFP_RECLAIM */
	struct oom_limit limits[OOM_LEVELS]; /* innermost first */
	size_t limit_count;
	int hit;	     /* which of them was reached; -1: none, or not known */
	bool hit_memsw;	     /* it was that of memory and swap */
	uint64_t reclaim_ns; /* of the request: tells whether two kills are of one event */
	struct oom_class classes[OOM_CLASSES];
	uint64_t vma_count;
	struct oom_vma vmas[OOM_VMAS]; /* largest first */
	size_t vmas_kept;
	uint64_t exit_ns, freed_ns, reaped_ns; /* after the kill */
	bool not_taken;			       /* the reaper passed it over */
	struct oom_also also[OOM_ALSO];	       /* killed for the same request: memory.oom.group */
	size_t also_count;		       /* of all, named or not */
	struct oom_candidate candidates[OOM_CANDIDATES];
	size_t candidate_count;
	uint64_t candidates_seen;	      /* processes that were compared */
	struct oom_point history[OOM_POINTS]; /* of the victim, oldest first; the last is the kill itself */
	size_t history_count;
	struct oom_grower growers[OOM_GROWERS]; /* of those that the limit is for, most first */
	size_t grower_count;
	struct oom_cgroup_growth limit_growth;	       /* of the cgroup whose limit was hit */
	struct oom_cgroup_growth cgroups[OOM_GROWERS]; /* below it, or of the machine, most first */
	size_t cgroup_count;
	struct oom_sites sites;
	struct oom_machine machine;
	struct oom_strain strain[OOM_POINTS]; /* of the minute, oldest first */
	size_t strain_count;
	struct oom_contents contents;	  /* of the limit that was hit */
	struct oom_zone zones[OOM_ZONES]; /* of a kill for want of the machine's memory */
	size_t zone_count;
	uint64_t zones_after_ns; /* they were read so long after the kill; 0: they are the kernel's log's, of
				    the kill */
	uint64_t stalled_ns;	 /* how long the request had gone on reclaiming; OOM_UNKNOWN */
};

/* Nothing known. */
void oom_kill__init(struct oom_kill *kill);

/* From a record and the VMAs that preceded it. */
void oom_kill__from_record(struct oom_kill *kill, const struct oom_kill_record *r);
void oom_kill__add_vma(struct oom_kill *kill, const struct vma_record *r);

/* Is this another victim of the same event? */
bool oom_kill__same_event(const struct oom_kill *kill, const struct oom_kill_record *r);
void oom_kill__add_victim(struct oom_kill *kill, const struct oom_kill_record *r);

/* The limit that was reached; NULL: none was, or it is not known. */
const struct oom_limit *oom_kill__hit(const struct oom_kill *kill);

/*
 * What the kernel's own log says of the same kill: what a record does not tell, zones among it; constraint
 * and request where the record could not know them.
 */
void oom_kill__take_log(struct oom_kill *kill, const struct oom_kill *log);

/* Was a piece of several pages wanted that was not to be had, although as much is free in smaller ones?
 * False, too, if what is free is not known. */
bool oom_kill__is_fragmented(const struct oom_kill *kill);

/* Free memory, and the largest free piece of it, of all zones but those with none. False: not known. */
bool oom_kill__free_memory(const struct oom_kill *kill, uint64_t *free, uint64_t *largest);

/* Bytes. The first is OOM_UNKNOWN if it is not known. */
uint64_t oom_size__resident(const struct oom_size *size);
uint64_t oom_process__resident(const struct oom_process *p);

/* The path of level `from` of a cgroup and those outside it: "/a/b". The root is "/". */
void oom_cgroup__path(const struct oom_cgroup *c, unsigned from, char *buf, size_t size);

/* mm/internal.h, GFP_RECLAIM_MASK: of the request's flags, those that are there in the reclaim of a memory
 * cgroup. */
#define OOM_GFP_RECLAIM 0xbece0u

/* "GFP_KERNEL|__GFP_ACCOUNT": the flags that have had the same place since 5.10. */
void oom_gfp__format(uint32_t gfp, char *buf, size_t size);

/* The id of the container whose cgroup this is: 64 hexadecimal digits. False: none is in the path. */
bool oom_cgroup__container(const char *path, char id[65]);

/* What such memory is for, as far as the flags tell. */
const char *oom_gfp__meaning(uint32_t gfp);

/* The kernel's measure: pages, plus oom_score_adj thousandths of what there is to share. */
int64_t oom_badness(uint64_t resident, uint64_t swap, uint64_t pgtables, int32_t adj, uint64_t total_bytes);

/* Put a process with that history, oldest first, among those that grew most, if it is one of them. */
void oom_kill__add_grower(struct oom_kill *kill, const struct process_key *key, const char *comm, bool gone,
			  const struct oom_point *points, size_t count);

/* The same of a memory cgroup. */
void oom_kill__add_cgroup(struct oom_kill *kill, const char *cgroup, const struct oom_point *points,
			  size_t count);

/* Fill in a cgroup's growth: bytes 0 if it has not grown. */
void oom_cgroup_growth__set(struct oom_cgroup_growth *g, const char *cgroup, const struct oom_point *points,
			    size_t count);

/* Put c among the candidates of the kill, highest badness first, if it is one of the highest. */
void oom_kill__add_candidate(struct oom_kill *kill, const struct oom_candidate *c);

#endif
