/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a process went to swap, and what it had to read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/reclaim_report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE	     4096ull

/* Of one process, with what other processes made reclaim take from it. */
struct swapper {
	struct process_key process;
	char comm[COMM_SIZE + 1];
	size_t processes;
	uint64_t swapped_out;			   /* pages */
	uint64_t swapped_in, files_read;	   /* faults */
	struct histogram in_latency, file_latency; /* of those that waited: major ones */
};

static const struct out_column swap_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "swapped_out_bytes", .heading = "OUT"},
	{.key = "swap_ins", .heading = "SWAP-INS"},
	{.key = "swap_in_ns.p50", .heading = "IN P50"},
	{.key = "swap_in_ns.p99", .heading = "IN P99"},
	{.key = "swap_in_ns.max", .heading = "IN MAX"},
	{.key = "swap_in_ns.log2_buckets", .flags = OUT_JSON_ONLY},
	{.key = "file_reads", .heading = "FILES READ"},
	{.key = "file_read_ns.p50", .flags = OUT_JSON_ONLY},
	{.key = "file_read_ns.p99", .heading = "READ P99"},
	{.key = "file_read_ns.max", .flags = OUT_JSON_ONLY},
};
static const struct out_table swap_table = {"swap", "Whose memory went to swap, and what was read back",
					    swap_columns, COUNT(swap_columns)};

/* A VMA's faults are swap-ins or read files, but for private mappings of files, which may do both: their
 * latency counts where most of them are. */
static void add_vma(struct swapper *s, const struct vma_row *v)
{
	uint64_t major = v->counts.major,
		 in = v->counts.kinds[KIND_SWAPIN] > 0 ? v->counts.kinds[KIND_SWAPIN] : 0;

	if (v->class == CLASS_SHMEM)
		in = major;
	if (in > major)
		major = in;
	s->swapped_in += in;
	s->files_read += major - in;
	if (v->latency)
		histogram__add(in * 2 >= major ? &s->in_latency : &s->file_latency, v->latency);
}

static struct swapper *swapper_of(struct swapper *all, size_t *n, const struct process_key *key,
				  const char *comm)
{
	for (size_t i = 0; i < *n; i++)
		if (key->tgid ? !memcmp(&all[i].process, key, sizeof(*key))
			      : !all[i].process.tgid && !strcmp(all[i].comm, comm))
			return &all[i];
	all[*n].process = *key;
	snprintf(all[*n].comm, sizeof(all[*n].comm), "%s", comm);
	return &all[(*n)++];
}

static void add_faults(struct swapper *all, size_t *n, struct process_row *const *processes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct swapper sum = {}, *s;

		for (struct vma_row *v = processes[i]->vmas; v; v = v->hh.next)
			add_vma(&sum, v);
		if (!sum.swapped_in && !sum.files_read)
			continue;
		s = swapper_of(all, n, &processes[i]->key, processes[i]->comm);
		s->processes = processes[i]->processes;
		s->swapped_in += sum.swapped_in;
		s->files_read += sum.files_read;
		histogram__add(&s->in_latency, &sum.in_latency);
		histogram__add(&s->file_latency, &sum.file_latency);
	}
}

static int most_swapped_first(const void *a, const void *b)
{
	const struct swapper *p = a, *q = b;
	uint64_t x = p->swapped_out + p->swapped_in + p->files_read,
		 y = q->swapped_out + q->swapped_in + q->files_read;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void put_latency(struct out *out, const struct histogram *h, const char *const keys[3])
{
	bool any = histogram__count(h);

	for (int i = 0; i < 3; i++)
		if (!any)
			out__unknown(out, keys[i]);
		else
			out__ns(out, keys[i], i == 2 ? h->max_ns : histogram__percentile(h, i ? 99 : 50));
}

static void put_swapper(struct out *out, const struct reclaim_view *view, const struct swapper *s)
{
	static const char *const in_keys[] = {"swap_in_ns.p50", "swap_in_ns.p99", "swap_in_ns.max"};
	static const char *const file_keys[] = {"file_read_ns.p50", "file_read_ns.p99", "file_read_ns.max"};

	out__row(out);
	if (s->process.tgid)
		out__count(out, "pid", s->process.tgid);
	else
		out__unknown(out, "pid");
	out__text(out, "comm", s->comm);
	if (s->process.tgid || !s->processes)
		out__unknown(out, "processes");
	else
		out__count(out, "processes", s->processes);
	if (view->swap_outs_known)
		out__bytes(out, "swapped_out_bytes", s->swapped_out * PAGE);
	else
		out__unknown(out, "swapped_out_bytes");
	if (view->faults)
		out__count(out, "swap_ins", s->swapped_in);
	else
		out__unknown(out, "swap_ins");
	put_latency(out, &s->in_latency, in_keys);
	out__counts(out, "swap_in_ns.log2_buckets", s->in_latency.buckets, LATENCY_BUCKETS);
	if (view->faults)
		out__count(out, "file_reads", s->files_read);
	else
		out__unknown(out, "file_reads");
	put_latency(out, &s->file_latency, file_keys);
	out__row_end(out);
}

void reclaim_report__swap(struct out *out, const struct reclaim_view *view)
{
	size_t n = 0, rows, faulted = 0, shown;
	struct reclaim_row **out_of = reclaim_table__rows(view->table, 1u << WORK_SWAPOUT, &rows);
	struct process_row **processes = view->faults ? fault_table__processes(view->faults, &faulted) : NULL;
	struct swapper *all = calloc(rows + faulted + 1, sizeof(*all));

	for (size_t i = 0; all && i < rows; i++) {
		struct swapper *s = swapper_of(all, &n, &out_of[i]->key.process, out_of[i]->comm);

		s->swapped_out += out_of[i]->got;
		s->processes += out_of[i]->processes;
	}
	if (all && processes)
		add_faults(all, &n, processes, faulted);
	if (n)
		qsort(all, n, sizeof(*all), most_swapped_first);
	shown = reclaim_view__shown(view, n);
	out__begin(out, &swap_table);
	for (size_t i = 0; i < shown; i++)
		put_swapper(out, view, &all[i]);
	out__end(out, n - shown);
	free(all);
	free(processes);
	free(out_of);
}
