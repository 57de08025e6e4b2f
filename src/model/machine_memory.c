/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/machine_memory.h"

#include <stddef.h>

/* 0 if it is not told. */
static uint64_t known(uint64_t value)
{
	return value == MACHINE_UNKNOWN ? 0 : value;
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

/* Pages in the swap cache that no process maps: on the LRU lists, and in no other counter that is used here.
 */
static uint64_t unmapped_swap_cache(const struct machine_memory *m)
{
	uint64_t lists = known(m->active) + known(m->inactive) + known(m->unevictable);
	uint64_t rest = less(lists, known(m->anon) + known(m->cached) + known(m->buffers));

	return rest < known(m->swap_cached) ? rest : known(m->swap_cached);
}

struct memory_sum machine_memory__sum(const struct machine_memory *m)
{
	struct memory_sum sum = {
		.buffers = known(m->buffers),
		.cache = known(m->cached) + known(m->slab_reclaimable),
		.free = known(m->free),
	};

	sum.used = less(known(m->total), sum.buffers + sum.cache + sum.free);
	return sum;
}

/*
 * Cached holds Shmem. Kernel stacks are allocated with vmalloc on all kernels that are supported
 * (CONFIG_VMAP_STACK: default on x86-64 and arm64), so VmallocUsed holds KernelStack.
 */
unsigned machine_memory__parts(const struct machine_memory *m, struct memory_part parts[MACHINE_PARTS])
{
	const struct {
		const char *name;
		uint64_t from;	/* MACHINE_UNKNOWN: left out */
		uint64_t bytes; /* if it is known */
		const char *words;
	} all[] = {
		{"free", m->free, m->free, "nobody uses it"},
		{"cpu_lists", m->in_cpu_lists, m->in_cpu_lists, "free pages that CPUs keep at hand"},
		{"anonymous", m->anon, m->anon, "programs: heaps, stacks, data they changed"},
		{"shared", m->shmem, m->shmem, "tmpfs and memory that programs share"},
		{"file_cache", m->cached, less(m->cached, known(m->shmem)),
		 "contents of files, can be had back"},
		{"buffers", m->buffers, m->buffers, "cache of block devices: file system metadata"},
		{"swap_cache", m->swap_cached, unmapped_swap_cache(m),
		 "in memory and in swap, in no program"},
		{"slab_cache", m->slab_reclaimable, m->slab_reclaimable,
		 "kernel: inodes, names; can be had back"},
		{"slab", m->slab_unreclaimable, m->slab_unreclaimable, "kernel: objects in use"},
		{"kernel_cache", m->reclaimable, less(m->reclaimable, known(m->slab_reclaimable)),
		 "kernel: other pages that can be had back"},
		{"page_tables", m->page_tables, known(m->page_tables) + known(m->sec_page_tables),
		 "from virtual addresses to physical ones"},
		{"kernel_stacks", m->kernel_stack, m->kernel_stack, "one for each thread"},
		{"vmalloc", m->vmalloc, less(m->vmalloc, known(m->kernel_stack)),
		 "kernel: large buffers, modules, BPF maps"},
		{"percpu", m->percpu, m->percpu, "kernel: a copy for each CPU"},
		{"hugetlb", m->hugetlb, m->hugetlb, "huge pages set aside, used or not"},
		{"compressed", m->zspages, m->zspages, "in zram and zswap, compressed"},
	};
	uint64_t told = 0;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].from == MACHINE_UNKNOWN)
			continue;
		parts[n++] = (struct memory_part){all[i].name, (int64_t)all[i].bytes, all[i].words};
		told += all[i].bytes;
	}
	parts[n++] = (struct memory_part){"unaccounted", (int64_t)(known(m->total) - told),
					  "what nothing counts: drivers, above all"};
	return n;
}
