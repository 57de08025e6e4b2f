/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/maps_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/fault_source.h"
#include "trace/features.h"
#include "trace/session.h"
#include "util/log.h"

#define KEEP_EXITED 16

struct maps_trace {
	struct session session;
	struct features features;
	struct fault_table *table;
	struct fault_source *source;
	struct vma_ref *rows;
	size_t n;
};

static int collect(void *context)
{
	struct maps_trace *t = context;

	return fault_source__collect(t->source, COLLECT_COUNTS);
}

static bool needs_collecting(void *context)
{
	struct maps_trace *t = context;

	return fault_source__needs_collecting(t->source);
}

static int report(void *context)
{
	(void)context;
	return 0;
}

static void status(void *context, char *buf, size_t size)
{
	struct maps_trace *t = context;

	snprintf(buf, size, "%llu faults", (unsigned long long)fault_table__seen(t->table));
}

static int trace_for(struct maps_trace *t, const struct common_options *common, uint64_t ns)
{
	static const struct session_ops ops = {collect, needs_collecting, report, status};
	struct fault_source_options options = {};
	struct fault_handlers handlers = {};
	int err = features__open(&t->features, common->without, common->btf);

	if (err)
		return err;
	t->session.duration_ns = ns;
	t->table = fault_table__new(KEEP_EXITED);
	if (!t->table)
		return -ENOMEM;
	t->source =
		fault_source__open(&options, &common->target, &t->features, &t->session, t->table, &handlers);
	err = t->source ? fault_source__begin(t->source) : -EINVAL;
	if (!err)
		err = session__run(&t->session, &common->target, fault_source__targets_fd(t->source), &ops,
				   t);
	if (!err)
		err = fault_source__collect(t->source, COLLECT_LAST);
	if (!err) {
		fault_table__settle(t->table);
		t->rows = fault_table__vmas(t->table, &t->n);
	}
	return err;
}

struct maps_trace *maps_trace__run(const struct common_options *common, uint64_t ns)
{
	struct maps_trace *t = calloc(1, sizeof(*t));
	int err = t ? 0 : -ENOMEM;

	if (t) {
		session__init(&t->session);
		err = trace_for(t, common, ns);
		session__close(&t->session, err);
		fault_source__close(t->source);
		t->source = NULL;
		features__close(&t->features);
	}
	if (err == -ENOMEM)
		log__error("no memory");
	if (err) {
		maps_trace__free(t);
		return NULL;
	}
	return t;
}

void maps_trace__free(struct maps_trace *t)
{
	if (!t)
		return;
	free(t->rows);
	fault_table__free(t->table);
	free(t);
}

void maps_trace__faults(const struct maps_trace *t, uint32_t pid, uint64_t start, uint64_t end,
			struct fault_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i].process->key.tgid == pid && t->rows[i].vma && t->rows[i].vma->start < end &&
		    t->rows[i].vma->end > start)
			fault_counts__add(counts, &t->rows[i].vma->counts);
}

double maps_trace__seconds(const struct maps_trace *t)
{
	return session__seconds(&t->session);
}
