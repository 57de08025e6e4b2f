/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Blocks that allocators hand out and take back, by uprobes on their functions.
 *
 * What is outstanding is kept here, by address; user space reads it when it reports. Of functions that call
 * one another only the outermost counts. The stack is followed at the entry, by steps that user space has
 * told for the return addresses on it (unwind_step.h): where one is missing, registers and stack are copied,
 * and user space unwinds them and tells the steps. So stacks cost a look-up a frame, whether code has frame
 * pointers or not.
 *
 * Programs of uprobes may be preempted by others of their kind on the same CPU: what they need is kept by
 * thread.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>
#include "alloc.h"
#include "heap.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct heap_config config;
const volatile __u32 logarithms[HEAP_LOG_ENTRIES];

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"
#include "vma.bpf.h"

/* What user space changes while programs run. */
struct {
	__u32 enabled;
	__u32 generation; /* as stack.bpf.h wants it */
} control_block = {};

#include "stack.bpf.h"

/* An allocator's function between its entry and its return, and what is known of its thread. */
struct heap_thread {
	__u64 sp;	       /* at the entry */
	__u64 size;	       /* that was asked for */
	__u64 pointer;	       /* posix_memalign: where the block is stored; realloc: the old block */
	__u64 stack;	       /* as in struct heap_block */
	__u64 freed;	       /* the block that was freed last, if none was allocated since */
	__s64 distance;	       /* bytes to the next sample; 0: not drawn yet */
	struct heap_block old; /* of realloc; time_ns 0: it is not known */
	__u8 is_inside;	       /* the outermost function has not returned yet */
	__u8 is_tracked;       /* its block is to be kept */
	__u8 function;	       /* enum heap_function */
	__u8 pad[5];
	__u64 ips[STACK_FRAMES]; /* of the stack; ips[0] is in the allocator */
	__u32 frames;
	__u32 is_cut;
};

/* Sizes and whether they are allocated beforehand: set by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct heap_thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct heap_block_key);
	__type(value, struct heap_block);
} blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct heap_site_key);
	__type(value, struct heap_site);
} sites SEC(".maps");

/* Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct heap_step_key);
	__type(value, struct unwind_step);
} steps SEC(".maps");

/* To make entries from: never written to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct heap_thread);
} blank_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HEAP_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

/*
 * Since 6.13 (commit a76ab5731e32) a program of this type has its stack in memory of the CPU, and if it is
 * preempted by another thread that runs it, that thread's values are in its variables. Programs with tail
 * calls have theirs on the stack of the kernel. This one is never made, and there is nothing to call.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} no_programs SEC(".maps"), no_usdt_programs SEC(".maps"); /* the kernel does not let them share one */

#define keep_own_stack(ctx, map)                     \
	do {                                         \
		if (config.never)                    \
			bpf_tail_call(ctx, &map, 0); \
	} while (0)

static __always_inline void count(__u32 what, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &what);

	if (value)
		__sync_fetch_and_add(value, n);
}

static __always_inline struct heap_process current_process(void)
{
	struct heap_process process = {
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.image = kread(struct task_struct, bpf_get_current_task(), self_exec_id),
	};

	return process;
}

static __always_inline bool is_traced(void)
{
	if (!control_block.enabled)
		return false;
	return !config.everywhere || target_selects(bpf_get_current_task(), bpf_get_current_pid_tgid() >> 32);
}

static __always_inline struct heap_thread *thread_of(__u32 tid)
{
	struct heap_thread *t = bpf_map_lookup_elem(&threads, &tid), *blank;
	__u32 zero = 0;

	if (t)
		return t;
	blank = bpf_map_lookup_elem(&blank_threads, &zero);
	if (!blank)
		return NULL;
	bpf_map_update_elem(&threads, &tid, blank, BPF_NOEXIST);
	t = bpf_map_lookup_elem(&threads, &tid);
	if (!t)
		count_loss(LOSS_MAP);
	return t;
}

/* --- stacks -----------------------------------------------------------------------------------------------
 */

/* Farther away than this, what is in the register of the frame pointer is something else. */
#define FRAME_MAX (16u << 20)

#if defined(__TARGET_ARCH_arm64)
#define CODE_MASK ((1ull << 48) - 1) /* a return address may be signed in the bits above */
#else
#define CODE_MASK (~0ull)
#endif

enum walk_end { WALK_WHOLE, WALK_CUT, WALK_UNKNOWN };

struct walk {
	__u64 ip, sp, fp;
};

/* Where the call has left its return address. */
static __always_inline bool first_caller(const struct pt_regs *regs, struct walk *w)
{
	w->sp = PT_REGS_SP(regs);
	w->fp = PT_REGS_FP(regs);
#if defined(__TARGET_ARCH_arm64)
	w->ip = PT_REGS_RET(regs) & CODE_MASK;
	return true;
#else
	if (bpf_probe_read_user(&w->ip, sizeof(w->ip), (void *)w->sp))
		return false;
	w->sp += sizeof(w->ip);
	return true;
#endif
}

static __always_inline bool step_out(struct walk *w, const struct unwind_step *step)
{
	__u64 cfa = (step->kind == STEP_FROM_SP ? w->sp : w->fp) + step->cfa_offset, fp_at;

	if (step->kind == STEP_AT_FP && bpf_probe_read_user(&cfa, sizeof(cfa), (void *)cfa))
		return false;
	fp_at = step->kind == STEP_AT_FP ? w->fp : step->fp_offset ? cfa + step->fp_offset : 0;
	if (cfa <= w->sp || cfa - w->sp > FRAME_MAX ||
	    bpf_probe_read_user(&w->ip, sizeof(w->ip), (void *)(cfa + step->ra_offset)))
		return false;
	if (fp_at && bpf_probe_read_user(&w->fp, sizeof(w->fp), (void *)fp_at))
		return false;
	w->ip &= CODE_MASK;
	w->sp = cfa;
	return true;
}

/* One multiplication and a shift a frame: the finaliser of MurmurHash3 has these constants (A. Appleby). */
static __always_inline __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdull;
	return hash ^ hash >> 33;
}

/* The return addresses, into t->ips, and their hash, into t->stack. */
static __always_inline enum walk_end follow_stack(struct pt_regs *regs, struct heap_thread *t,
						  struct heap_process process, bool is_entry)
{
	struct heap_step_key key = {.process = process};
	enum walk_end end = WALK_CUT;
	struct unwind_step *step;
	__u64 hash = PT_REGS_IP(regs);
	struct walk w;
	__u32 n = 1;

	t->ips[0] = hash;
	if (is_entry) {
		if (!first_caller(regs, &w))
			return WALK_UNKNOWN;
	} else {
		/* Steps are told by return addresses, which are behind what was executed last. */
		key.ip = hash + 1;
		step = bpf_map_lookup_elem(&steps, &key);
		w.sp = PT_REGS_SP(regs);
		w.fp = PT_REGS_FP(regs);
		if (!step || !step_out(&w, step))
			return WALK_UNKNOWN;
	}
	for (int i = 1; i < STACK_FRAMES; i++) {
		if (!w.ip) {
			end = WALK_WHOLE;
			break;
		}
		t->ips[i] = w.ip;
		hash = mix(hash, w.ip);
		n = i + 1;
		key.ip = w.ip;
		step = bpf_map_lookup_elem(&steps, &key);
		if (!step)
			return WALK_UNKNOWN;
		if (step->kind == STEP_OUTERMOST) {
			end = WALK_WHOLE;
			break;
		}
		if (step->kind == STEP_CUT || !step_out(&w, step))
			break;
	}
	t->frames = n;
	t->is_cut = end == WALK_CUT;
	t->stack = hash ? hash : 1;
	return end;
}

struct followed_stack {
	__u8 head[__builtin_offsetof(struct stack_record, data)];
	__u64 ips[STACK_FRAMES];
};

/* Into the ring directly: a buffer of this CPU might be used by another thread in between. */
static __noinline bool tell_followed(struct heap_thread *t)
{
	struct followed_stack *f;
	struct stack_record *r;

	if (!t)
		return false;
	f = bpf_ringbuf_reserve(&events, sizeof(*f), 0);
	if (!f) {
		count_loss(LOSS_STACK);
		return false;
	}
	r = (void *)f;
	r->header.type = RECORD_STACK;
	r->header.size = sizeof(*f);
	r->key.process.start_ns = 0;
	r->key.process.tgid = bpf_get_current_pid_tgid() >> 32;
	r->key.process.image = kread(struct task_struct, bpf_get_current_task(), self_exec_id);
	r->key.anchor = t->stack;
	r->key.file = 0;
	r->time_ns = bpf_ktime_get_ns();
	r->tid = bpf_get_current_pid_tgid();
	r->weight = 1;
	r->method = STACK_BY_STEPS;
	r->has_registers = 0;
	r->kernel_frames = 0;
	r->user_frames = t->frames;
	r->copy_size = 0;
	r->holes = t->is_cut;
	bpf_get_current_comm(r->comm, COMM_SIZE);
	bpf_probe_read_kernel(f->ips, sizeof(f->ips), t->ips);
	bpf_ringbuf_submit(f, BPF_RB_NO_WAKEUP);
	return true;
}

/*
 * Registers and stack, for user space to unwind, which is woken at once: until it has told the steps, each
 * block of this stack is copied. The buffer is the CPU's: a thread that came in between has changed the
 * number in it, and then it is done again. User space takes the last record of a number.
 */
static __noinline bool tell_copy(__u32 tgid, __u32 image, __u64 stack)
{
	struct stack_record *r = stack_buffer(STACK_OF_EVENT);
	bool sent = false;
	__u64 size;

	if (!r)
		return false;
	for (int i = 0; i < 2; i++) {
		r->key.anchor = stack;
		r->key.file = 0;
		r->key.process.tgid = tgid;
		r->key.process.image = image;
		r->header.type = RECORD_STACK;
		r->kernel_frames = r->user_frames = r->copy_size = 0;
		r->time_ns = bpf_ktime_get_ns();
		r->tid = bpf_get_current_pid_tgid();
		r->weight = 1;
		bpf_get_current_comm(r->comm, COMM_SIZE);
		if (!copy_stack(STACK_OF_EVENT, false))
			return false;
		size = stack_record_size(r);
		r->header.size = size;
		if (*(volatile __u64 *)&r->key.anchor != stack)
			continue;
		if (bpf_ringbuf_output(&events, r, size, BPF_RB_FORCE_WAKEUP)) {
			count_loss(LOSS_STACK);
			return sent;
		}
		sent = true;
		if (*(volatile __u64 *)&r->key.anchor == stack)
			break;
	}
	return sent;
}

/* The entry of t's site. NULL: no room. */
static __always_inline struct heap_site *site_of(struct heap_thread *t, struct heap_process process)
{
	struct heap_site_key key = {.stack = t->stack, .process = process};
	struct heap_site *site = bpf_map_lookup_elem(&sites, &key), none = {};

	if (site)
		return site;
	bpf_map_update_elem(&sites, &key, &none, BPF_NOEXIST);
	site = bpf_map_lookup_elem(&sites, &key);
	if (!site)
		count_loss(LOSS_STACK);
	return site;
}

/* Find out the stack, into t->stack; 0: it could not be told. */
static __always_inline void take_heap_stack(struct pt_regs *regs, struct heap_thread *t,
					    struct heap_process process, bool is_entry)
{
	bool is_told = false;
	struct heap_site *site;

	if (config.stacks == STACK_NONE) {
		t->stack = 0;
		site_of(t, process);
		return;
	}
	if (follow_stack(regs, t, process, is_entry) == WALK_UNKNOWN) {
		t->stack = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;
		count(HEAP_COPIES, 1);
		is_told = tell_copy(process.tgid, process.image, t->stack);
		if (!is_told)
			t->stack = 0;
	}
	site = site_of(t, process);
	if (!site)
		t->stack = 0;
	else if (t->stack && !site->is_told)
		site->is_told = is_told || tell_followed(t);
}

/* --- blocks -----------------------------------------------------------------------------------------------
 */

static __always_inline void count_free(const struct heap_block *block, struct heap_process process)
{
	struct heap_site_key key = {.stack = block->stack, .process = process};
	struct heap_site *site = bpf_map_lookup_elem(&sites, &key);

	if (!site)
		return;
	__sync_fetch_and_add(&site->frees, 1);
	__sync_fetch_and_add(&site->freed_bytes, block->size);
}

static __always_inline void count_allocation(const struct heap_block *block, struct heap_process process)
{
	struct heap_site_key key = {.stack = block->stack, .process = process};
	struct heap_site *site = bpf_map_lookup_elem(&sites, &key);

	if (!site)
		return;
	__sync_fetch_and_add(&site->allocations, 1);
	__sync_fetch_and_add(&site->allocated_bytes, block->size);
}

/* The entry for a block. False: no room. */
static __always_inline bool keep_block(const struct heap_block_key *key, const struct heap_block *block)
{
	struct heap_block *known;
	long err = bpf_map_update_elem(&blocks, key, block, BPF_NOEXIST);

	if (!err)
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

/* A block is freed, or realloc is about to: its entry, which is no more. False: there was none. */
static __always_inline bool take_block(const struct heap_block_key *key, struct heap_block *block)
{
	struct heap_block *known = bpf_map_lookup_elem(&blocks, key);

	if (!known)
		return false;
	*block = *known;
	return !bpf_map_delete_elem(&blocks, key);
}

static __always_inline bool is_sampled(struct heap_thread *t, __u64 size)
{
	if (size < config.min_size || size > config.max_size)
		return false;
	if (!config.sample_scale)
		return true;
	if (!t->distance)
		t->distance = heap_distance(bpf_get_prandom_u32(), logarithms, config.sample_scale);
	t->distance -= size;
	if (t->distance > 0)
		return false;
	t->distance = heap_distance(bpf_get_prandom_u32(), logarithms, config.sample_scale);
	return true;
}

/* --- functions of allocators ------------------------------------------------------------------------------
 */

/*
 * Is this call made by another one that is counted? Stacks grow downwards: what was entered deeper down has
 * been left without a return, by an exception or longjmp(). At the same place it is a jump of the former, if
 * it is another function.
 */
static __always_inline bool is_nested(const struct heap_thread *t, __u64 sp, __u32 function)
{
	return t->is_inside && (sp < t->sp || (sp == t->sp && function != t->function));
}

static __always_inline int allocation_entered(struct pt_regs *regs, __u32 function, __u64 size, __u64 pointer)
{
	__u64 id = bpf_get_current_pid_tgid(), sp = PT_REGS_SP(regs);
	struct heap_process process = current_process();
	struct heap_block_key old = {.process = process};
	struct heap_thread *t;

	if (!is_traced())
		return 0;
	t = thread_of(id);
	if (!t || is_nested(t, sp, function))
		return 0;
	t->is_inside = 1;
	t->sp = sp;
	t->function = function;
	t->size = size;
	t->pointer = pointer;
	t->old.time_ns = 0;
	if ((function == HEAP_REALLOC || function == HEAP_REALLOCARRAY) && pointer) {
		old.address = pointer;
		/* At once: as soon as it is freed another thread may be given the same address. */
		if (!take_block(&old, &t->old))
			t->old.time_ns = 0;
	}
	t->is_tracked = is_sampled(t, size);
	if (t->is_tracked)
		take_heap_stack(regs, t, process, true);
	return 0;
}

static __always_inline __u64 returned_block(struct pt_regs *regs, const struct heap_thread *t)
{
	__u64 block = PT_REGS_RC(regs);

	if (t->function != HEAP_POSIX_MEMALIGN)
		return block;
	if ((__u32)block || bpf_probe_read_user(&block, sizeof(block), (void *)t->pointer))
		return 0;
	return block;
}

/* realloc() that fails leaves the old block as it was; of size 0 it may free it and return nothing. */
static __always_inline void settle_old(struct heap_thread *t, __u64 address, struct heap_process process)
{
	struct heap_block_key key = {.address = t->pointer, .process = process};
	bool is_realloc = t->function == HEAP_REALLOC || t->function == HEAP_REALLOCARRAY;

	if (!is_realloc || !t->pointer)
		return;
	if (!address && t->size) {
		if (t->old.time_ns)
			keep_block(&key, &t->old);
		return;
	}
	count(HEAP_FREES, 1);
	if (t->old.time_ns)
		count_free(&t->old, process);
	else
		count(HEAP_FREES_UNKNOWN, 1);
}

static __always_inline void block_allocated(struct heap_thread *t, __u64 address, struct heap_process process)
{
	struct heap_block_key key = {.address = address, .process = process};
	struct heap_block block = {.size = t->size, .stack = t->stack};

	count(HEAP_ALLOCATIONS, 1);
	count(HEAP_ALLOCATED_BYTES, t->size);
	t->freed = 0;
	if (!t->is_tracked)
		return;
	block.time_ns = bpf_ktime_get_ns();
	if (keep_block(&key, &block))
		count_allocation(&block, process);
}

/* Return addresses are on the stack on x86-64, and are gone when the function has returned. */
#if defined(__TARGET_ARCH_arm64)
#define RETURN_SIZE 0
#else
#define RETURN_SIZE 8
#endif

static __always_inline int returned(struct pt_regs *regs)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct heap_thread *t = bpf_map_lookup_elem(&threads, &tid);
	struct heap_process process;
	__u64 address;

	keep_own_stack(regs, no_programs);
	if (!t || !t->is_inside || PT_REGS_SP(regs) != t->sp + RETURN_SIZE)
		return 0;
	t->is_inside = 0;
	process = current_process();
	address = returned_block(regs, t);
	settle_old(t, address, process);
	if (address)
		block_allocated(t, address, process);
	else if (t->size)
		count(HEAP_FAILED, 1);
	return 0;
}

static __always_inline int block_freed(struct pt_regs *regs, __u64 address)
{
	struct heap_block_key key = {.address = address, .process = current_process()};
	__u32 tid = bpf_get_current_pid_tgid();
	struct heap_block block;
	struct heap_thread *t;

	if (!key.address || !is_traced())
		return 0;
	t = thread_of(tid);
	if (!t || is_nested(t, PT_REGS_SP(regs), HEAP_FREE))
		return 0;
	if (take_block(&key, &block)) {
		count(HEAP_FREES, 1);
		count_free(&block, key.process);
	} else if (t->freed != key.address) { /* else operator delete has just called free() */
		count(HEAP_FREES, 1);
		count(HEAP_FREES_UNKNOWN, 1);
	}
	t->freed = key.address;
	return 0;
}

static __always_inline int entered(struct pt_regs *regs, __u32 function)
{
	__u64 first = PT_REGS_PARM1(regs), second = PT_REGS_PARM2(regs), third = PT_REGS_PARM3(regs);
	__u64 size = second, pointer = 0;

	keep_own_stack(regs, no_programs);
	if (function == HEAP_FREE)
		return block_freed(regs, first);
	if (function == HEAP_MALLOC)
		size = first;
	else if (function == HEAP_CALLOC)
		size = first * second;
	else if (function == HEAP_REALLOCARRAY)
		size = second * third;
	else if (function == HEAP_POSIX_MEMALIGN)
		size = third;
	if (function >= HEAP_REALLOC && function != HEAP_MEMALIGN)
		pointer = first;
	return allocation_entered(regs, function, size, pointer);
}

/* Many probes, told apart by their cookies. */
SEC("uprobe")
int any_entered(struct pt_regs *regs)
{
	return entered(regs, bpf_get_attach_cookie(regs));
}

SEC("uretprobe")
int any_returned(struct pt_regs *regs)
{
	return returned(regs);
}

/* One program a probe, where there is no cookie to tell them apart. */
#define FUNCTION(name, function)                 \
	SEC("uprobe")                            \
	int name##_entered(struct pt_regs *regs) \
	{                                        \
		return entered(regs, function);  \
	}

FUNCTION(malloc, HEAP_MALLOC)
FUNCTION(calloc, HEAP_CALLOC)
FUNCTION(realloc, HEAP_REALLOC)
FUNCTION(reallocarray, HEAP_REALLOCARRAY)
FUNCTION(memalign, HEAP_MEMALIGN)
FUNCTION(posix_memalign, HEAP_POSIX_MEMALIGN)
FUNCTION(free, HEAP_FREE)

SEC("uretprobe")
int allocation_returned(struct pt_regs *regs)
{
	return returned(regs);
}

/* --- what allocators tell themselves ----------------------------------------------------------------------
 */

/* USDT otel_memory:alloc(block, size): when it has been allocated. */
SEC("usdt")
int BPF_USDT(block_told, __u64 address, __u64 size)
{
	struct heap_process process = current_process();
	struct heap_thread *t;

	keep_own_stack(ctx, no_usdt_programs);
	if (!address || !is_traced())
		return 0;
	t = thread_of(bpf_get_current_pid_tgid());
	if (!t)
		return 0;
	t->is_inside = 0;
	t->size = size;
	t->is_tracked = is_sampled(t, size);
	if (t->is_tracked)
		take_heap_stack(ctx, t, process, false);
	block_allocated(t, address, process);
	return 0;
}

/* USDT otel_memory:free(block) */
SEC("usdt")
int BPF_USDT(free_told, __u64 address)
{
	keep_own_stack(ctx, no_usdt_programs);
	return block_freed(ctx, address);
}

/* --- the life of processes --------------------------------------------------------------------------------
 */

static __always_inline void send_process(__u64 task, __u64 parent, __u32 event)
{
	struct process_record *r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	__u64 leader = kread_address(struct task_struct, task, group_leader);

	if (!r) {
		count_loss(LOSS_NAMES);
		return;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->header.type = RECORD_PROCESS;
	r->header.size = sizeof(*r);
	r->process = process_key_of(task);
	r->time_ns = bpf_ktime_get_ns();
	r->event = event;
	if (parent) {
		r->parent = process_key_of(parent);
		r->shares_memory = kread_address(struct task_struct, task, mm) ==
				   kread_address(struct task_struct, parent, mm);
	}
	bpf_core_read(r->comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP); /* its probes have to be set */
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid),
	      tgid = kread(struct task_struct, child, tgid);

	if (tgid == parent_tgid)
		return 0; /* a thread */
	target_forked(parent_tgid, (__u64)child, tgid);
	if (control_block.enabled && target_selects((__u64)child, tgid))
		send_process((__u64)child, (__u64)parent, PROCESS_FORKED);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_execed, struct task_struct *task)
{
	if (control_block.enabled &&
	    target_selects((__u64)task, (__u32)kread(struct task_struct, task, tgid)))
		send_process((__u64)task, 0, PROCESS_EXECED);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	__u32 tid = kread(struct task_struct, task, pid), tgid = kread(struct task_struct, task, tgid);

	bpf_map_delete_elem(&threads, &tid); /* perhaps killed in the middle of malloc() */
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	if (control_block.enabled && target_selects((__u64)task, tgid))
		send_process((__u64)task, 0, PROCESS_ENDED);
	target_exited(tgid);
	return 0;
}

SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_listed p = {};

	if (!task || !kread_address(struct task_struct, task, mm) ||
	    kread(struct task_struct, task, pid) != kread(struct task_struct, task, tgid))
		return 0;
	p.process = process_key_of((__u64)task);
	if (!target_selects((__u64)task, p.process.tgid))
		return 0;
	bpf_core_read(p.comm, COMM_SIZE, &task->comm);
	bpf_seq_write(ctx->meta->seq, &p, sizeof(p));
	return 0;
}
