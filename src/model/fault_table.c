/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/fault_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/vma_name.h"
#include "util/intern.h"

#define PAGE_SHIFT 12
#define KEEP_VMAS  16384 /* rows of one process; sysctl vm.max_map_count is 65,530 by default */

struct fault_table {
	struct process_row *processes; /* hash by key */
	struct intern *names;
	struct fault_counts total;
	uint64_t seen;
	size_t keep_exited;
};

struct fault_table *fault_table__new(size_t keep_exited)
{
	struct fault_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->keep_exited = keep_exited;
	t->names = intern__new();
	if (!t->names) {
		free(t);
		return NULL;
	}
	return t;
}

static void free_vma(struct process_row *p, struct vma_row *v)
{
	HASH_DEL(p->vmas, v);
	stack_counts__free(&v->stacks);
	free(v->latency);
	free(v);
}

static void free_process(struct fault_table *t, struct process_row *p)
{
	struct vma_row *v, *next;

	HASH_ITER(hh, p->vmas, v, next)
		free_vma(p, v);
	HASH_DEL(t->processes, p);
	free(p);
}

void fault_table__free(struct fault_table *t)
{
	struct process_row *p, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->processes, p, next)
		free_process(t, p);
	intern__free(t->names);
	free(t);
}

/* --- counts -----------------------------------------------------------------------------------------------
 */

uint64_t fault_counts__minor(const struct fault_counts *c)
{
	uint64_t others = c->major + c->failed;

	return c->faults > others ? c->faults - others : 0;
}

void fault_counts__add(struct fault_counts *to, const struct fault_counts *from)
{
	to->faults += from->faults;
	to->major += from->major;
	to->kernel_mode += from->kernel_mode;
	to->failed += from->failed;
	for (int i = 0; i < KINDS; i++)
		to->kinds[i] += from->kinds[i];
}

static struct fault_counts counts_of_stats(const struct vma_stats *s)
{
	struct fault_counts c = {
		.faults = s->faults,
		.major = s->major,
		.kernel_mode = s->kernel_mode,
		.failed = s->failed,
	};

	for (int i = 0; i < KINDS; i++)
		c.kinds[i] = s->kinds[i];
	return c;
}

static struct fault_counts counts_of_other(const struct process_stats *now, const struct process_stats *shown)
{
	struct fault_counts c = {
		.faults = now->other_faults - shown->other_faults,
		.major = now->other_major - shown->other_major,
		.kernel_mode = now->other_kernel_mode - shown->other_kernel_mode,
		.failed = now->other_failed - shown->other_failed,
	};

	for (int i = 0; i < KINDS; i++)
		c.kinds[i] = now->other_kinds[i] - shown->other_kinds[i];
	return c;
}

/* --- rows -------------------------------------------------------------------------------------------------
 */

static struct process_row *find_process(const struct fault_table *t, const struct process_key *key)
{
	struct process_row *p;

	HASH_FIND(hh, t->processes, key, sizeof(*key), p);
	return p;
}

static struct process_row *get_process(struct fault_table *t, const struct process_key *key)
{
	struct process_row *p = find_process(t, key);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = *key;
	p->processes = 1;
	HASH_ADD(hh, t->processes, key, sizeof(p->key), p);
	return p;
}

static void set_comm(struct process_row *p, const char comm[COMM_SIZE], uint32_t ppid)
{
	snprintf(p->comm, sizeof(p->comm), "%.*s", COMM_SIZE, comm);
	p->ppid = ppid;
}

static struct vma_row *find_vma(const struct process_row *p, const struct vma_key *key)
{
	struct vma_row *v;

	HASH_FIND(hh, p->vmas, key, sizeof(*key), v);
	return v;
}

static struct vma_row *get_vma(struct process_row *p, const struct vma_key *key)
{
	struct vma_row *v = find_vma(p, key);

	if (v)
		return v;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->key = *key;
	v->name = "";
	HASH_ADD(hh, p->vmas, key, sizeof(v->key), v);
	return v;
}

static void widen(struct vma_row *v, uint64_t start, uint64_t end)
{
	if (!end)
		return;
	if (!v->end || start < v->start) {
		if (v->end && v->key.file)
			v->pgoff -= (v->start - start) >> PAGE_SHIFT;
		v->start = start;
	}
	if (end > v->end)
		v->end = end;
}

static void add_latency(struct vma_row *v, const struct histogram *h)
{
	if (!v->latency)
		v->latency = calloc(1, sizeof(*v->latency));
	if (v->latency)
		histogram__add(v->latency, h);
}

void fault_table__vma_seen(struct fault_table *t, const struct vma_record *record, size_t size)
{
	struct process_row *p;
	struct vma_row *v;
	char name[VMA_NAME_SIZE];

	if (size < offsetof(struct vma_record, name) ||
	    record->name_size > size - offsetof(struct vma_record, name))
		return;
	p = get_process(t, &record->key.process);
	v = p ? get_vma(p, &record->key) : NULL;
	if (!v)
		return;
	if (!p->comm[0])
		set_comm(p, record->comm, record->ppid);
	vma_name__build(record, name, sizeof(name));
	v->name = intern__string(t->names, name);
	v->named = true;
	v->class = record->class;
	v->vm_flags = record->flags;
	v->pgoff = record->pgoff;
	widen(v, record->start, record->end);
}

uint64_t fault_table__seen(const struct fault_table *t)
{
	return t->seen;
}

const struct vma_row *fault_table__vma(const struct fault_table *t, const struct vma_key *key)
{
	struct process_row *p = find_process(t, &key->process);

	return p ? find_vma(p, key) : NULL;
}

static void set_stack(struct vma_row *v, uint32_t tid)
{
	if (tid)
		v->stack_tid = tid;
}

const struct vma_row *fault_table__vma_of_event(struct fault_table *t, const struct fault_record *record)
{
	struct process_row *p = find_process(t, &record->key.process);
	struct vma_row *v = p ? find_vma(p, &record->key) : NULL;

	if (!v || !v->named)
		return NULL;
	set_stack(v, record->stack_tid);
	return v;
}

void fault_table__add_stats(struct fault_table *t, const struct vma_key *key, const struct vma_stats *stats)
{
	struct process_row *p = get_process(t, &key->process);
	struct vma_row *v = p ? get_vma(p, key) : NULL;
	struct fault_counts c = counts_of_stats(stats);
	struct histogram h = {};

	if (!v)
		return;
	t->seen += c.faults;
	fault_counts__add(&v->counts, &c);
	widen(v, stats->start, stats->end);
	set_stack(v, stats->stack_tid);
	if (!v->class)
		v->class = stats->class;
	if (!v->vm_flags)
		v->vm_flags = key->anchor & VM_PERMS;
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		h.buckets[i] = stats->latency[i];
	h.max_ns = stats->max_ns;
	if (histogram__count(&h))
		add_latency(v, &h);
}

struct fault_record fault_record__of(const struct event_batch *batch, const struct fault_event *event)
{
	struct fault_record r = {
		.key = {.process = batch->process, .anchor = event->anchor, .file = event->file},
		.time_ns = event->time_ns,
		.latency_ns = event->latency_ns,
		.address = event->address,
		.ip = event->ip,
		.tid = batch->tid,
		.error = event->error,
		.kind = event->kind,
		.class = event->class,
		.major = event->flags & FAULT_MAJOR,
		.kernel_mode = event->flags & FAULT_KERNEL_MODE,
		.timed = event->flags & FAULT_TIMED,
		.stack_tid = event->flags & FAULT_OWN_STACK ? batch->tid : 0,
	};

	memcpy(r.comm, batch->comm, sizeof(r.comm));
	if (event->vma_size) {
		r.start = (event->anchor & ~(uint64_t)VM_PERMS) -
			  (event->flags & FAULT_GROWS_DOWN ? event->vma_size : 0);
		r.end = r.start + event->vma_size;
	}
	return r;
}

void fault_table__add_stack(struct fault_table *t, const struct vma_key *key, uint32_t stack, uint32_t weight)
{
	struct process_row *p = get_process(t, &key->process);
	struct vma_row *v = p ? get_vma(p, key) : NULL;

	if (v)
		stack_counts__add(&v->stacks, stack, 1, weight);
}

bool fault_table__set_process(struct fault_table *t, const struct process_key *key,
			      const struct process_stats *stats, bool last)
{
	struct process_row *p = get_process(t, key);
	bool exiting = stats->flags & PROCESS_EXITED;

	if (!p)
		return false;
	set_comm(p, stats->comm, stats->ppid);
	t->seen += stats->other_faults - p->stats.other_faults;
	p->stats = *stats;
	if (stats->flags & PROCESS_COMPLETE)
		p->counters_known = true;
	p->exited = exiting && (p->exiting || last);
	p->exiting = exiting;
	return p->exited;
}

void fault_table__add_thread(struct fault_table *t, const struct thread_counters *thread)
{
	struct process_row *p = find_process(t, &thread->process);

	if (!p)
		return; /* not in the kernel's map either */
	snprintf(p->comm, sizeof(p->comm), "%.*s", COMM_SIZE, thread->comm);
	p->minor_alive += thread->minor;
	p->major_alive += thread->major;
}

void fault_table__begin_threads(struct fault_table *t)
{
	for (struct process_row *p = t->processes; p; p = p->hh.next)
		p->minor_alive = p->major_alive = 0;
}

/* --- settling ---------------------------------------------------------------------------------------------
 */

static bool same_memory(const struct vma_row *a, const struct vma_row *b)
{
	return a->key.file == b->key.file && a->class == b->class && a->name == b->name &&
	       (a->vm_flags & VM_PERMS) == (b->vm_flags & VM_PERMS) && a->start < b->end && b->start < a->end;
}

static void absorb(struct process_row *p, struct vma_row *into, struct vma_row *v)
{
	fault_counts__add(&into->counts, &v->counts);
	widen(into, v->start, v->end);
	set_stack(into, v->stack_tid);
	stack_counts__merge(&into->stacks, v->stacks);
	if (v->latency)
		add_latency(into, v->latency);
	free_vma(p, v);
}

static int by_start(const struct vma_row *a, const struct vma_row *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

/* A VMA that grew at its start, or was joined with a neighbour, was counted under several keys. */
static void join_extents(struct process_row *p)
{
	struct vma_row *v, *next, *last = NULL;

	HASH_SORT(p->vmas, by_start);
	HASH_ITER(hh, p->vmas, v, next) {
		if (last && last->end && same_memory(last, v))
			absorb(p, last, v);
		else
			last = v;
	}
}

static void settle_process(struct process_row *p)
{
	int64_t minor, major;

	if (!p->key.tgid)
		return;
	join_extents(p);
	p->other = counts_of_other(&p->stats, &p->stats_shown);
	fault_counts__add(&p->other, &p->rest);
	p->counts = p->other;
	for (struct vma_row *v = p->vmas; v; v = v->hh.next)
		fault_counts__add(&p->counts, &v->counts);
	p->segv = p->stats.segv - p->stats_shown.segv;
	p->sigbus = p->stats.sigbus - p->stats_shown.sigbus;
	minor = p->stats.minor + p->minor_alive - p->minor_shown;
	major = p->stats.major + p->major_alive - p->major_shown;
	if (p->counters_known && minor >= 0 && major >= 0) {
		p->minor = minor;
		p->major = major;
	} else {
		p->counters_known = false;
		p->minor = fault_counts__minor(&p->counts);
		p->major = p->counts.major;
	}
}

/* The row that stands for exited processes of one name. Its key has no pid; start_ns tells the names apart.
 */
static struct process_row *folded_row(struct fault_table *t, const char *comm)
{
	struct process_key key = {};
	struct process_row *p;

	for (p = t->processes; p; p = p->hh.next)
		if (!p->key.tgid && !strcmp(p->comm, comm))
			return p;
	key.start_ns = (uintptr_t)intern__string(t->names, comm);
	p = get_process(t, &key);
	if (!p)
		return NULL;
	snprintf(p->comm, sizeof(p->comm), "%s", comm);
	p->processes = 0;
	p->exited = p->counters_known = true;
	return p;
}

/* VMAs of the same class, name and permissions are one row there; addresses mean nothing any more. */
static void fold_vma(struct process_row *into, const struct vma_row *v)
{
	struct vma_key key = {
		.process = into->key,
		.anchor = (uint64_t)v->class << 32 | (v->vm_flags & VM_PERMS),
		.file = (uintptr_t)v->name,
	};
	struct vma_row *row = get_vma(into, &key);

	if (!row)
		return;
	row->class = v->class;
	row->vm_flags = v->vm_flags;
	row->name = v->name;
	row->named = v->named;
	fault_counts__add(&row->counts, &v->counts);
	stack_counts__merge(&row->stacks, v->stacks);
	if (v->latency)
		add_latency(row, v->latency);
}

static void fold_process(struct fault_table *t, struct process_row *into, struct process_row *p)
{
	into->processes += p->processes;
	into->counters_known &= p->counters_known;
	into->minor += p->minor;
	into->major += p->major;
	into->segv += p->segv;
	into->sigbus += p->sigbus;
	fault_counts__add(&into->counts, &p->counts);
	fault_counts__add(&into->other, &p->other);
	for (struct vma_row *v = p->vmas; v; v = v->hh.next)
		fold_vma(into, v);
	free_process(t, p);
}

struct name_count {
	char comm[COMM_SIZE + 1];
	size_t processes;
	bool fold;
	UT_hash_handle hh;
};

static int by_processes(const struct name_count *a, const struct name_count *b)
{
	return a->processes > b->processes ? -1 : a->processes < b->processes;
}

static struct name_count *count_exited(const struct fault_table *t, size_t *exited)
{
	struct name_count *names = NULL, *n;

	*exited = 0;
	for (struct process_row *p = t->processes; p; p = p->hh.next) {
		if (!p->exited || !p->key.tgid)
			continue;
		++*exited;
		HASH_FIND_STR(names, p->comm, n);
		if (!n) {
			n = calloc(1, sizeof(*n));
			if (!n)
				continue;
			strcpy(n->comm, p->comm);
			HASH_ADD_STR(names, comm, n);
		}
		n->processes++;
	}
	return names;
}

/* Too many have exited: fold whole names, the most frequent first, until half of the limit is left. */
static void fold_exited(struct fault_table *t)
{
	size_t exited;
	struct name_count *names = count_exited(t, &exited), *n, *next_name;
	struct process_row *p, *next;

	if (exited > t->keep_exited) {
		HASH_SORT(names, by_processes);
		for (n = names; n && exited > t->keep_exited / 2; n = n->hh.next) {
			n->fold = true;
			exited -= n->processes;
		}
		HASH_ITER(hh, t->processes, p, next) {
			struct process_row *into;

			HASH_FIND_STR(names, p->comm, n);
			if (!p->exited || !p->key.tgid || !n || !n->fold)
				continue;
			into = folded_row(t, p->comm);
			if (into)
				fold_process(t, into, p);
		}
	}
	HASH_ITER(hh, names, n, next_name) {
		HASH_DEL(names, n);
		free(n);
	}
}

static int fewest_faults_last(const struct vma_row *a, const struct vma_row *b)
{
	return a->counts.faults > b->counts.faults ? -1 : a->counts.faults < b->counts.faults;
}

/* A process that maps and unmaps without end: keep the VMAs that fault most, count the others in one row. */
static void bound_vmas(struct process_row *p)
{
	struct vma_row *v, *next;
	size_t n = 0;

	if (HASH_COUNT(p->vmas) <= KEEP_VMAS)
		return;
	join_extents(p);
	if (HASH_COUNT(p->vmas) <= KEEP_VMAS)
		return;
	HASH_SORT(p->vmas, fewest_faults_last);
	HASH_ITER(hh, p->vmas, v, next) {
		if (n++ < KEEP_VMAS / 2)
			continue;
		fault_counts__add(&p->rest, &v->counts);
		free_vma(p, v);
	}
}

void fault_table__fold(struct fault_table *t)
{
	for (struct process_row *p = t->processes; p; p = p->hh.next) {
		bound_vmas(p);
		if (p->exited)
			settle_process(p);
	}
	fold_exited(t);
}

void fault_table__settle(struct fault_table *t)
{
	struct process_row *p;

	for (p = t->processes; p; p = p->hh.next)
		settle_process(p);
	fold_exited(t);
	memset(&t->total, 0, sizeof(t->total));
	for (p = t->processes; p; p = p->hh.next)
		fault_counts__add(&t->total, &p->counts);
}

const struct fault_counts *fault_table__total(const struct fault_table *t)
{
	return &t->total;
}

/* --- reporting --------------------------------------------------------------------------------------------
 */

static uint64_t weight(const struct process_row *p)
{
	uint64_t completed = p->minor + p->major;

	return p->counts.faults > completed ? p->counts.faults : completed;
}

static int by_faults(const void *a, const void *b)
{
	const struct process_row *p = *(struct process_row *const *)a, *q = *(struct process_row *const *)b;

	if (weight(p) != weight(q))
		return weight(p) > weight(q) ? -1 : 1;
	return p->key.tgid < q->key.tgid ? -1 : p->key.tgid > q->key.tgid;
}

struct process_row **fault_table__processes(const struct fault_table *t, size_t *n)
{
	struct process_row **rows = calloc(HASH_COUNT(t->processes) + 1, sizeof(*rows));

	*n = 0;
	if (!rows)
		return NULL;
	for (struct process_row *p = t->processes; p; p = p->hh.next)
		if (weight(p) || p->segv || p->sigbus)
			rows[(*n)++] = p;
	qsort(rows, *n, sizeof(*rows), by_faults);
	return rows;
}

static int vmas_by_faults(const void *a, const void *b)
{
	const struct vma_ref *v = a, *w = b;

	if (v->vma->counts.faults != w->vma->counts.faults)
		return v->vma->counts.faults > w->vma->counts.faults ? -1 : 1;
	if (v->process != w->process)
		return v->process->key.tgid < w->process->key.tgid ? -1 : 1;
	return v->vma->start < w->vma->start ? -1 : v->vma->start > w->vma->start;
}

struct vma_ref *fault_table__vmas(const struct fault_table *t, size_t *n)
{
	size_t capacity = 1;
	struct vma_ref *rows;

	*n = 0;
	for (struct process_row *p = t->processes; p; p = p->hh.next)
		capacity += HASH_COUNT(p->vmas);
	rows = calloc(capacity, sizeof(*rows));
	if (!rows)
		return NULL;
	for (struct process_row *p = t->processes; p; p = p->hh.next)
		for (struct vma_row *v = p->vmas; v; v = v->hh.next)
			if (v->counts.faults)
				rows[(*n)++] = (struct vma_ref){p, v};
	qsort(rows, *n, sizeof(*rows), vmas_by_faults);
	return rows;
}

void fault_table__next_interval(struct fault_table *t)
{
	struct process_row *p, *next;

	HASH_ITER(hh, t->processes, p, next) {
		struct vma_row *v, *next_vma;

		if (p->exited) {
			free_process(t, p);
			continue;
		}
		p->minor_shown += p->counters_known ? p->minor : 0;
		p->major_shown += p->counters_known ? p->major : 0;
		p->stats_shown = p->stats;
		memset(&p->rest, 0, sizeof(p->rest));
		HASH_ITER(hh, p->vmas, v, next_vma) {
			if (!v->counts.faults) { /* it will be named again if it faults again */
				free_vma(p, v);
				continue;
			}
			memset(&v->counts, 0, sizeof(v->counts));
			stack_counts__free(&v->stacks);
			free(v->latency);
			v->latency = NULL;
		}
	}
}
