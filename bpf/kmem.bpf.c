/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of the kernel that is allocated and not freed, by the tracepoints of its allocators.
 *
 * They are hit in all contexts but NMI, and with locks of the allocators held: nothing here may allocate. So
 * all maps have their memory beforehand, and there is no buffer of a CPU that an interrupt might use in
 * between.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "kmem.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct kmem_config config;

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"

#define GFP_MOVABLE 0x8 /* ___GFP_MOVABLE: user memory and page cache */
#define PAGE_BYTES  4096ull

/* What user space changes while programs run. */
struct {
	__u32 enabled;
} control_block = {};

/* Sizes are set by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct heap_block_key);
	__type(value, struct heap_block);
} blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct heap_site_key);
	__type(value, struct heap_site);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct heap_site_key);
	__type(value, struct kmem_cache_name);
} caches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 65536); /* two stacks that want one place: the second is lost */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, KMEM_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HEAP_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 what, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &what);

	if (value)
		__sync_fetch_and_add(value, n);
}

static __always_inline struct heap_site *site_of(const struct heap_site_key *key)
{
	struct heap_site *site = bpf_map_lookup_elem(&sites, key), none = {};

	if (site)
		return site;
	bpf_map_update_elem(&sites, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sites, key);
}

static __always_inline void count_free(const struct heap_block *block, struct heap_process via)
{
	struct heap_site_key key = {.stack = block->stack, .process = via};
	struct heap_site *site = bpf_map_lookup_elem(&sites, &key);

	if (!site)
		return;
	__sync_fetch_and_add(&site->frees, 1);
	__sync_fetch_and_add(&site->freed_bytes, block->size);
}

static __always_inline void name_cache(const struct heap_site_key *key, __u64 cache)
{
	struct kmem_cache_name name = {};

	if (bpf_map_lookup_elem(&caches, key))
		return;
	bpf_probe_read_kernel_str(name.name, sizeof(name.name),
				  (void *)kread_address(struct kmem_cache, cache, name));
	bpf_map_update_elem(&caches, key, &name, BPF_NOEXIST);
}

/* False: no room, which is counted. */
static __always_inline bool keep_block(const struct heap_block_key *key, const struct heap_block *block)
{
	struct heap_block *known;

	if (!bpf_map_update_elem(&blocks, key, block, BPF_NOEXIST))
		return true;
	known = bpf_map_lookup_elem(&blocks, key);
	if (known) { /* its free has been missed */
		count(HEAP_SEEN_TWICE, 1);
		count_free(known, key->process);
		if (!bpf_map_update_elem(&blocks, key, block, BPF_ANY))
			return true;
	}
	count_loss(LOSS_MAP);
	count(HEAP_NO_ROOM, 1);
	count(HEAP_NO_ROOM_BYTES, block->size);
	return false;
}

static __always_inline bool is_wanted(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!control_block.enabled || tgid == config.target.self)
		return false;
	return !config.has_target || target_selects(bpf_get_current_task(), tgid);
}

/* call_site: 0: the stack tells. */
static __always_inline int allocated(void *ctx, __u32 kind, __u64 address, __u64 size, __u64 call_site,
				     __u64 cache)
{
	struct heap_process via = {.tgid = kind};
	struct heap_block_key key = {.address = address, .process = via};
	struct heap_block block = {.size = size, .stack = call_site};
	struct heap_site_key site_key = {.process = via};
	struct heap_site *site;
	long stack;

	if (!address || !is_wanted())
		return 0;
	count(HEAP_ALLOCATIONS, 1);
	count(HEAP_ALLOCATED_BYTES, size);
	if (!call_site || config.stacks) {
		stack = bpf_get_stackid(ctx, &stacks, 0);
		if (stack >= 0)
			block.stack = stack + 1;
		else /* another stack has its place */
			count_loss(LOSS_STACK);
	}
	block.time_ns = bpf_ktime_get_ns();
	if (!keep_block(&key, &block))
		return 0;
	site_key.stack = block.stack;
	site = site_of(&site_key);
	if (!site) {
		count_loss(LOSS_MAP);
		return 0;
	}
	__sync_fetch_and_add(&site->allocations, 1);
	__sync_fetch_and_add(&site->allocated_bytes, size);
	if (cache && site->allocations < 2)
		name_cache(&site_key, cache);
	return 0;
}

static __always_inline int freed(__u32 kind, __u64 address)
{
	struct heap_process via = {.tgid = kind};
	struct heap_block_key key = {.address = address, .process = via};
	struct heap_block *known, block;

	if (!control_block.enabled || !address)
		return 0;
	known = bpf_map_lookup_elem(&blocks, &key);
	if (!known) {
		if (!config.has_target) {
			count(HEAP_FREES, 1);
			count(HEAP_FREES_UNKNOWN, 1);
		}
		return 0;
	}
	block = *known;
	if (bpf_map_delete_elem(&blocks, &key))
		return 0;
	count(HEAP_FREES, 1);
	count_free(&block, via);
	return 0;
}

/* --- kmalloc and slab caches ------------------------------------------------------------------------------
 */

/*
 * The size as it was rounded up is the argument after that which was asked for. Both are read: the verifier
 * wants constant offsets, and all kernels have as many.
 */
static __always_inline __u64 rounded_size(const __u64 *args, __u32 asked)
{
	__u64 fourth = *(const volatile __u64 *)&args[3], fifth = *(const volatile __u64 *)&args[4];

	return asked == 2 ? fourth : fifth;
}

/* (call_site, ptr, [cache,] bytes_req, bytes_alloc, ...) */
static __always_inline int kmalloc(struct bpf_raw_tracepoint_args *ctx)
{
	return allocated(ctx, KMEM_KMALLOC, ctx->args[1], rounded_size(ctx->args, config.kmalloc_size),
			 ctx->args[0], 0);
}

/* (call_site, ptr, bytes_req, bytes_alloc, ...) before 5.19, then with the cache, and since 6.1 without
 * sizes. */
static __always_inline int cache_alloc(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 cache = config.cache ? ctx->args[2] : 0, size;

	if (config.cache_size)
		size = rounded_size(ctx->args, config.cache_size);
	else
		size = kread(struct kmem_cache, cache, size);
	return allocated(ctx, KMEM_SLAB, ctx->args[1], size, ctx->args[0], cache);
}

SEC("raw_tp/kmalloc")
int kmalloc_called(struct bpf_raw_tracepoint_args *ctx)
{
	return kmalloc(ctx);
}

/* Joined with kmalloc in 6.1 (commit 11e9734bcb6a); the same of caches. */
SEC("raw_tp/kmalloc_node")
int kmalloc_node_called(struct bpf_raw_tracepoint_args *ctx)
{
	return kmalloc(ctx);
}

SEC("raw_tp/kmem_cache_alloc")
int cache_alloc_called(struct bpf_raw_tracepoint_args *ctx)
{
	return cache_alloc(ctx);
}

SEC("raw_tp/kmem_cache_alloc_node")
int cache_alloc_node_called(struct bpf_raw_tracepoint_args *ctx)
{
	return cache_alloc(ctx);
}

/* kfree() takes what a cache has handed out, too. */
SEC("raw_tp/kfree")
int kfree_called(struct bpf_raw_tracepoint_args *ctx)
{
	struct heap_process slab = {.tgid = KMEM_SLAB};
	struct heap_block_key key = {.address = ctx->args[1], .process = slab};

	return freed(bpf_map_lookup_elem(&blocks, &key) ? KMEM_SLAB : KMEM_KMALLOC, ctx->args[1]);
}

SEC("raw_tp/kmem_cache_free")
int cache_free_called(struct bpf_raw_tracepoint_args *ctx)
{
	return freed(KMEM_SLAB, ctx->args[1]);
}

/* --- vmalloc ----------------------------------------------------------------------------------------------
 */

/* (addr, size, align, vstart, vend, failed), since 6.3 (commit cf243da6ab39) */
SEC("raw_tp/alloc_vmap_area")
int vmap_area_allocated(struct bpf_raw_tracepoint_args *ctx)
{
	if ((__u32)ctx->args[5])
		return 0;
	return allocated(ctx, KMEM_VMALLOC, ctx->args[0], ctx->args[1], 0, 0);
}

/* (va_start, nr_lazy, nr_lazy_max) */
SEC("raw_tp/free_vmap_area_noflush")
int vmap_area_freed(struct bpf_raw_tracepoint_args *ctx)
{
	return freed(KMEM_VMALLOC, ctx->args[0]);
}

/* --- pages ------------------------------------------------------------------------------------------------
 */

/* (page, order, gfp_flags, migratetype). What can be moved is user memory or page cache, and no leak of the
 * kernel's. */
SEC("raw_tp/mm_page_alloc")
int page_allocated(struct bpf_raw_tracepoint_args *ctx)
{
	if (ctx->args[2] & GFP_MOVABLE)
		return 0;
	return allocated(ctx, KMEM_PAGE, ctx->args[0], PAGE_BYTES << (ctx->args[1] & 63), 0, 0);
}

static __always_inline bool is_kept_page(__u64 page)
{
	struct heap_process via = {.tgid = KMEM_PAGE};
	struct heap_block_key key = {.address = page, .process = via};

	return bpf_map_lookup_elem(&blocks, &key);
}

/* (page, order): of movable ones, too, which are not known here. */
SEC("raw_tp/mm_page_free")
int page_freed(struct bpf_raw_tracepoint_args *ctx)
{
	return is_kept_page(ctx->args[0]) ? freed(KMEM_PAGE, ctx->args[0]) : 0;
}

/* --- whom -------------------------------------------------------------------------------------------------
 */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid),
	      tgid = kread(struct task_struct, child, tgid);

	if (tgid != parent_tgid)
		target_forked(parent_tgid, (__u64)child, tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	if (!BPF_CORE_READ(task, signal, live.counter))
		target_exited(kread(struct task_struct, task, tgid));
	return 0;
}
