/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls that change an address space, and the pages of it that are touched.
 *
 * A call is told when it has returned: one that failed changes nothing. All records go through one ring, so
 * that they come in order: the image that exec made, then what the process does with it. What finds no room
 * there is added up per process and call (lost_calls): totals do not move by it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "alloc.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct alloc_config config;

#define MAP_ANONYMOUS 0x20
#define MAP_GROWSDOWN 0x100
#define MAP_HUGETLB   0x40000
#define CPUS_MAX      512	   /* that are looked at for a thread that was moved to another */
#define EXEC_VMAS     24	   /* of a new image: program, its interpreter, stack, vdso */
#define STACK_ALWAYS  (1ull << 20) /* a call that obtains this much is not left to chance */

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"
#include "vma.bpf.h"
#include "name.bpf.h"

/* What user space changes while programs run. */
struct {
	__u32 enabled;
	__u32 generation; /* of sampled stacks: stack.bpf.h */
} control_block = {};

/* Hooks that may interrupt one another on a CPU have room of their own. */
enum context { IN_CALL, IN_PROCESS, CONTEXTS };

struct scratch {
	struct vma_record vma;
	struct call_record call;
	struct process_record process;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CONTEXTS);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch(__u32 context)
{
	return bpf_map_lookup_elem(&scratches, &context);
}

#include "describe.bpf.h"
#include "stack.bpf.h"

/* --- system calls -----------------------------------------------------------------------------------------
 */

/* A call between its entry and its return. A multiple of a cache line: CPUs do not share one. */
struct call_state {
	__u64 enter_ns;
	__u64 args[6];
	__u64 brk;
	__u32 call;
	__u32 tid;	/* 0: none */
	__u64 switches; /* of the thread, at the entry */
	__u64 pad[6];
};

/*
 * The last call that was entered on each CPU: it nearly always returns there, before another is entered. A
 * state that is not used up stays until the next call on that CPU, which moves it to calls_elsewhere. So a
 * thread's current call is in one of them, and if there are several of its calls, the latest is.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* CPUs, set by the loader */
	__type(key, __u32);
	__type(value, struct call_state);
} calls_here SEC(".maps");

/* How many have returned on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} calls_returned SEC(".maps");

/* By thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct call_state);
} calls_elsewhere SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct lost_key);
	__type(value, struct lost_calls);
} lost_calls SEC(".maps");

/* struct syscall_tp_t in kernel/trace/trace_syscalls.c: what BPF programs get, whatever the event's format.
 */
struct syscall_entered {
	__u64 common;
	__u64 nr;
	__u64 args[6];
};

struct syscall_returned {
	__u64 common;
	__u64 nr;
	__s64 result;
};

#define WAKE_EVERY 16

/* Returned by the hooks of system calls: 0 would keep the event from perf and others who trace it. */
#define LET_OTHERS_SEE 1

/*
 * How often a thread has left a CPU. A thread that has not since it entered a call is still where it entered
 * it; if it has, its state here may be left over from an earlier call that returned elsewhere.
 */
static __always_inline __u64 switches_of(__u64 task)
{
	return kread(struct task_struct, task, nvcsw) + kread(struct task_struct, task, nivcsw);
}

static __always_inline struct call_state *state_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&calls_here, &cpu);
}

/*
 * Another thread needs the slot. What it holds may be a call in progress, or be left over from one that
 * returned on another CPU: that has left a newer or equal state, see mark_returned().
 */
static __noinline int move_elsewhere(struct call_state *state)
{
	struct call_state *known;
	__u32 tid;

	if (!state)
		return 0;
	tid = state->tid;
	known = bpf_map_lookup_elem(&calls_elsewhere, &tid);
	if (known && known->enter_ns >= state->enter_ns)
		return 0;
	if (bpf_map_update_elem(&calls_elsewhere, &tid, state, BPF_ANY))
		count_loss(LOSS_MAP);
	return 0;
}

/* The kernel lets a program read as many arguments as the call has. */
static __always_inline int call_entered(const struct syscall_entered *ctx, __u32 call, int args)
{
	__u64 id = bpf_get_current_pid_tgid(), task;
	struct call_state *state;

	if (!control_block.enabled)
		return LET_OTHERS_SEE;
	task = bpf_get_current_task();
	state = state_here();
	if (!state || !target_selects(task, id >> 32))
		return LET_OTHERS_SEE;
	if (state->tid && state->tid != (__u32)id)
		move_elsewhere(state);
	*(volatile __u32 *)&state->tid = 0; /* who copies it sees that it changes: call_returned() */
	for (int i = 0; i < 6; i++)
		state->args[i] = i < args ? ctx->args[i < args ? i : 0] : 0;
	state->call = call;
	if (call == CALL_BRK)
		state->brk = kread(struct mm_struct, kread_address(struct task_struct, task, mm), brk);
	state->switches = switches_of(task);
	state->enter_ns = bpf_ktime_get_ns();
	*(volatile __u32 *)&state->tid = id;
	return LET_OTHERS_SEE;
}

/*
 * The call of a thread that returns on another CPU than it began on, or after another call there. The hash
 * comes last: what leaves a slot meanwhile is there by then.
 */
static __noinline struct call_state *find_state(__u32 tid)
{
	struct call_state *found = NULL, *state;

	for (__u32 i = 0; i < CPUS_MAX && i < config.cpus; i++) {
		__u32 cpu = i;

		state = bpf_map_lookup_elem(&calls_here, &cpu);
		if (state && state->tid == tid && (!found || state->enter_ns > found->enter_ns))
			found = state;
	}
	state = bpf_map_lookup_elem(&calls_elsewhere, &tid);
	return state && (!found || state->enter_ns > found->enter_ns) ? state : found;
}

/*
 * A call has returned whose state is in the slot of another CPU, which is not ours to empty: what is in the
 * hash says that nothing as old is in progress, so that it is not moved there over a later call's.
 */
static __noinline int mark_returned(__u32 tid, __u64 enter_ns)
{
	struct call_state returned = {.enter_ns = enter_ns, .tid = tid};
	struct call_state *known = bpf_map_lookup_elem(&calls_elsewhere, &tid);

	if (known && known->enter_ns >= enter_ns)
		return 0;
	if (bpf_map_update_elem(&calls_elsewhere, &tid, &returned, BPF_ANY))
		count_loss(LOSS_MAP);
	return 0;
}

/* No room in the ring: what the totals need. */
static __noinline int count_lost_call(struct call_record *r)
{
	struct lost_key key = {};
	struct lost_calls none = {}, *lost;

	if (!r)
		return 0;
	key.process = r->process;
	key.call = r->call;
	lost = bpf_map_lookup_elem(&lost_calls, &key);
	if (!lost) {
		bpf_map_update_elem(&lost_calls, &key, &none, BPF_NOEXIST);
		lost = bpf_map_lookup_elem(&lost_calls, &key);
	}
	if (!lost) {
		count_loss(LOSS_MAP);
		return 0;
	}
	__sync_fetch_and_add(&lost->calls, 1);
	__sync_fetch_and_add(&lost->ns, r->exit_ns - r->enter_ns);
	if (call_record__failed(r))
		__sync_fetch_and_add(&lost->failed, 1);
	__sync_fetch_and_add(&lost->obtained_bytes, call_record__obtained(r));
	__sync_fetch_and_add(&lost->returned_bytes, call_record__returned(r));
	return 0;
}

/* Is there more to know of what it mapped than its arguments say? */
static __always_inline bool is_of_interest(const struct call_record *r)
{
	if (r->call == CALL_MMAP)
		return (r->args[3] & (MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_HUGETLB)) != MAP_ANONYMOUS;
	return r->call == CALL_SHMAT;
}

/* What the call mapped, and its name. */
static __always_inline void tell_mapping(struct scratch *s, __u64 task)
{
	struct call_record *r = &s->call;
	__u32 size;

	if (!is_of_interest(r) || call_record__failed(r) ||
	    !describe_vma(kread_address(struct task_struct, task, mm), r->result, IN_CALL))
		return;
	r->start = s->vma.start;
	r->end = s->vma.end;
	r->vm_flags = s->vma.flags;
	r->class = s->vma.class;
	if (!s->vma.key.file)
		return;
	s->vma.key.process = r->process;
	size = finish_vma_record(&s->vma);
	emit(events, &s->vma, size, config.ring_wake_bytes, LOSS_NAMES);
}

/* The call stack, of one that obtains memory; of every call if every stack is wanted. */
static __always_inline void tell_stack(void *ctx, struct call_record *r)
{
	__u64 obtained = call_record__obtained(r);
	struct vma_key key = {};
	struct stack_record *stack;
	__u32 weight;

	if (!obtained && !config.every_stack)
		return;
	weight = stack_weight(SAMPLER_OF_EVENTS, obtained >= STACK_ALWAYS);
	if (!weight)
		return;
	stack = take_stack(ctx, STACK_OF_EVENT, config.stacks == STACK_BY_COPY, false);
	if (!stack)
		return;
	key.process = r->process;
	if (send_stack(events, stack, key, r->exit_ns, weight, config.ring_wake_bytes))
		r->stack_weight = weight > 65535 ? 65535 : weight;
}

/* Whether it is time to wake user space is asked only now and then: the question costs a fifth of the answer.
 */
static __always_inline bool send_call(struct call_record *r)
{
	__u32 zero = 0;
	__u64 flags = BPF_RB_NO_WAKEUP, *returned = bpf_map_lookup_elem(&calls_returned, &zero);

	if (returned && ++*returned % WAKE_EVERY == 0)
		flags = wake_flags(bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA), config.ring_wake_bytes,
				   WAKE_EVERY * sizeof(*r));
	if (!bpf_ringbuf_output(&events, r, sizeof(*r), flags))
		return true;
	count_loss(LOSS_RING);
	return false;
}

static __always_inline void copy_state(struct call_record *r, const struct call_state *state)
{
	r->enter_ns = state->enter_ns;
	__builtin_memcpy(r->args, state->args, sizeof(r->args));
	r->brk_before = state->brk;
	r->call = state->call;
}

SEC("tp/syscalls/sys_exit")
int call_returned(struct syscall_returned *ctx)
{
	struct scratch *s = scratch(IN_CALL);
	struct call_state *here = state_here(), *state = here;
	struct call_record *r;
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 task = bpf_get_current_task();

	if (!here || !s)
		return LET_OTHERS_SEE;
	if (state->tid != tid || state->switches != switches_of(task)) {
		if (!control_block.enabled || !target_selects(task, bpf_get_current_pid_tgid() >> 32))
			return LET_OTHERS_SEE;
		state = find_state(tid);
		if (!state)
			return LET_OTHERS_SEE; /* it was entered before tracing */
	}
	r = &s->call;
	r->exit_ns = bpf_ktime_get_ns();
	copy_state(r, state);
	if (state == here)
		here->tid = 0; /* those of other CPUs are theirs */
	else if (state->tid != tid || state->enter_ns != r->enter_ns) {
		state = find_state(tid); /* it was moved while it was copied */
		if (!state)
			return LET_OTHERS_SEE;
		copy_state(r, state);
	}
	if (state != here)
		mark_returned(tid, r->enter_ns);
	r->header.type = RECORD_CALL;
	r->header.size = sizeof(*r);
	r->process = process_key_of(task);
	r->result = ctx->result;
	r->start = r->end = r->vm_flags = 0;
	r->tid = tid;
	r->class = CLASS_UNKNOWN;
	r->stack_weight = 0;
	bpf_get_current_comm(r->comm, COMM_SIZE);
	tell_mapping(s, task);
	tell_stack(ctx, r);
	if (!send_call(r))
		count_lost_call(r);
	return LET_OTHERS_SEE;
}

#define CALL(name, call, args)                                \
	SEC("tp/syscalls/sys_enter_" #name)                   \
	int name##_entered(const struct syscall_entered *ctx) \
	{                                                     \
		return call_entered(ctx, call, args);         \
	}

CALL(brk, CALL_BRK, 1)
CALL(mmap, CALL_MMAP, 6)
CALL(munmap, CALL_MUNMAP, 2)
CALL(mremap, CALL_MREMAP, 5)
CALL(mprotect, CALL_MPROTECT, 3)
CALL(pkey_mprotect, CALL_MPROTECT, 3)
CALL(madvise, CALL_MADVISE, 3)
CALL(mlock, CALL_MLOCK, 2)
CALL(mlock2, CALL_MLOCK, 3)
CALL(munlock, CALL_MUNLOCK, 2)
CALL(mlockall, CALL_MLOCKALL, 1)
CALL(munlockall, CALL_MLOCKALL, 0)
CALL(shmat, CALL_SHMAT, 3)
CALL(shmdt, CALL_SHMDT, 1)

/* --- touched pages ----------------------------------------------------------------------------------------
 */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, struct touched_key);
	__type(value, struct touched_value);
} touched SEC(".maps");

/* To make entries from: never written to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct touched_value);
} untouched SEC(".maps");

static __always_inline struct touched_value *touched_value_of(const struct touched_key *key)
{
	struct touched_value *value = bpf_map_lookup_elem(&touched, key), *none;
	__u32 zero = 0;

	if (value)
		return value;
	none = bpf_map_lookup_elem(&untouched, &zero);
	if (!none)
		return NULL;
	bpf_map_update_elem(&touched, key, none, BPF_NOEXIST);
	value = bpf_map_lookup_elem(&touched, key);
	if (!value)
		count_loss(LOSS_MAP);
	return value;
}

enum { STACK_OF_FAULT = STACK_OF_SIGNAL }; /* none is taken of signals here */

/* Who touched it, if it is this fault's turn. */
static __always_inline void tell_toucher(void *ctx, __u64 task, __u64 address, __u64 time_ns,
					 bool kernel_mode)
{
	__u32 weight = stack_weight(SAMPLER_OF_OTHERS, false);
	struct vma_key key = {};
	struct stack_record *stack;

	if (!weight)
		return;
	stack = take_stack(ctx, STACK_OF_FAULT, config.stacks == STACK_BY_COPY, kernel_mode);
	if (!stack)
		return;
	key.process = process_key_of(task);
	key.anchor = address;
	send_stack(events, stack, key, time_ns, weight, config.ring_wake_bytes);
}

static __always_inline int page_touched(void *ctx, __u64 address, bool kernel_mode)
{
	__u64 id = bpf_get_current_pid_tgid(), task, now;
	struct touched_value *value;
	struct touched_key key;

	if (!control_block.enabled || (__s64)address < 0)
		return 0;
	task = bpf_get_current_task();
	if (!target_selects(task, id >> 32))
		return 0;
	/* A probe of the kernel's own: it is not resolved but given up. */
	if (kernel_mode && faults_are_off(task))
		return 0;
	key.chunk = address >> TOUCHED_SHIFT;
	key.tgid = id >> 32;
	key.image = kread(struct task_struct, task, self_exec_id);
	value = touched_value_of(&key);
	if (!value)
		return 0;
	now = bpf_ktime_get_ns();
	value->time[(address >> TOUCHED_PAGE_SHIFT) & (TOUCHED_PAGES - 1)] = touched_time(now);
	__sync_fetch_and_add(&value->faults, 1);
	if (config.touch_stacks)
		tell_toucher(ctx, task, address, now, kernel_mode);
	return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address)
{
	return page_touched(ctx, address, false);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long address)
{
	return page_touched(ctx, address, true);
}

/* Where there is no such tracepoint (arm64). */
SEC("perf_event")
int fault_software(struct bpf_perf_event_data *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return page_touched(ctx, ctx->addr, !(ctx->regs.cs & 3));
#else
	return page_touched(ctx, ctx->addr, ctx->regs.pstate & 0xf);
#endif
}

/* --- the life of processes --------------------------------------------------------------------------------
 */

/* Its address space ends where that of 32-bit programs does. */
static __always_inline bool is_32bit(__u64 task)
{
	__u64 mm = kread_address(struct task_struct, task, mm);

	return mm && kread(struct mm_struct, mm, task_size) <= 1ull << 32;
}

static __always_inline struct process_record *process_record_of(__u64 task, __u32 event)
{
	struct scratch *s = scratch(IN_PROCESS);
	struct process_record *r;
	__u64 leader;

	if (!s)
		return NULL;
	r = &s->process;
	__builtin_memset(r, 0, sizeof(*r));
	r->header.type = RECORD_PROCESS;
	r->header.size = sizeof(*r);
	r->process = process_key_of(task);
	r->time_ns = bpf_ktime_get_ns();
	r->event = event;
	r->is_32bit = is_32bit(task);
	leader = kread_address(struct task_struct, task, group_leader);
	bpf_core_read(r->comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
	return r;
}

#define send_process(r) emit(events, r, sizeof(*(r)), config.ring_wake_bytes, LOSS_NAMES)

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid),
	      tgid = kread(struct task_struct, child, tgid);
	struct process_record *r;

	if (tgid == parent_tgid)
		return 0; /* a thread */
	target_forked(parent_tgid, (__u64)child, tgid);
	if (!control_block.enabled || !target_selects((__u64)child, tgid))
		return 0;
	r = process_record_of((__u64)child, PROCESS_FORKED);
	if (!r)
		return 0;
	r->parent = process_key_of((__u64)parent);
	r->shares_memory =
		kread_address(struct task_struct, child, mm) == kread_address(struct task_struct, parent, mm);
	send_process(r);
	return 0;
}

/* The VMA at addr, or the next one above it, as a record. Returns where it ends; 0: there is none. */
static __noinline __u64 send_next_vma(__u64 mm, __u64 addr)
{
	struct scratch *s = scratch(IN_PROCESS);
	__u32 size;

	if (!s)
		return 0;
	if (!describe_vma(mm, addr, IN_PROCESS)) {
		addr = vma_next(mm, addr);
		if (!addr || !describe_vma(mm, addr, IN_PROCESS))
			return 0;
	}
	s->vma.key.process = s->process.process;
	size = finish_vma_record(&s->vma);
	emit(events, &s->vma, size, config.ring_wake_bytes, LOSS_NAMES);
	return s->vma.end;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_execed, struct task_struct *task)
{
	__u64 mm = kread_address(struct task_struct, task, mm), addr = 0;
	struct process_record *r;

	if (!control_block.enabled ||
	    !target_selects((__u64)task, (__u32)kread(struct task_struct, task, tgid)))
		return 0;
	r = process_record_of((__u64)task, PROCESS_EXECED);
	if (!r || !send_process(r))
		return 0;
	for (int i = 0; i < EXEC_VMAS; i++) {
		addr = send_next_vma(mm, addr);
		if (!addr)
			break;
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	__u32 tid = kread(struct task_struct, task, pid), tgid = kread(struct task_struct, task, tgid);
	struct process_record *r;

	bpf_map_delete_elem(&calls_elsewhere, &tid); /* killed in the middle of a call */
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	if (control_block.enabled && target_selects((__u64)task, tgid)) {
		r = process_record_of((__u64)task, PROCESS_ENDED);
		if (r)
			send_process(r);
	}
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
	p.is_32bit = is_32bit((__u64)task);
	bpf_seq_write(ctx->meta->seq, &p, sizeof(p));
	return 0;
}
