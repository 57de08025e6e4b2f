/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page faults per process and VMA.
 *
 * Two depths, chosen by config.complete before loading:
 *   summary   the exception is counted at once (VMA, kind as far as error code and VMA tell). Only a fault that
 *             may become major or bad is remembered, so that its completion or its signal finds it.
 *   complete  the exception is only remembered; it is counted when its software event (MIN or MAJ) says that
 *             it is done, with latency, and the exact kind from the RSS counters that changed meanwhile.
 * A fault that ends in neither (a signal, a retry) is counted when that is known.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "faults.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct faults_config config;

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"
#include "vma.bpf.h"
#include "name.bpf.h"

#define PF_MEMALLOC 0x800 /* include/linux/sched.h: in reclaim */
#define RLIMIT_STACK 3
#define SIGBUS 7
#define SIGSEGV 11
#define E2BIG 7

/* Signals of one process that are sent in detail; more are only counted (a JVM makes thousands by design). */
#define SIGNALS_IN_DETAIL 16

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, MM_COUNTERS };

/* What user space changes while programs run. */
struct {
	__u32 enabled;	/* count */
	__u32 swap_on;	/* an anonymous fault can be major */
	__u32 visited;	/* threads up to this pid have been visited by the first task iteration */
	__u32 baseline; /* that iteration has ended */
	__u64 began_ns; /* when it began: a thread that started later needs no visit */
	__u64 first_seen; /* VMAs entered since the maps were last taken */
	__u64 unattributed; /* faults that found room neither in the VMA map nor in that of processes */
} control_block = {};

struct vma_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* set by the loader, like the value size */
	__type(key, struct vma_key);
	__type(value, struct vma_stats);
} vmas_a SEC(".maps"), vmas_b SEC(".maps");

/*
 * The map in use. User space takes the counts by putting the other one here: that update returns after a grace
 * period, when no program writes to the old map any more, so nothing is lost and nothing counted twice.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct vma_map);
} vmas SEC(".maps") = {.values = {&vmas_a}};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct process_key);
	__type(value, struct process_stats);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CLASSES * 2); /* class * 2 + major */
	__type(key, __u32);
	__type(value, struct class_latency);
} class_latencies SEC(".maps");

/* A fault between its exception and its end. */
struct fault {
	struct vma_key key;
	__u64 time_ns;
	__u64 address, ip, sp, mm;
	__u64 start, end; /* of the VMA; 0 if there is none */
	__u32 vm_flags;
	__u32 error;
	__u32 tid;
	__u8 class;
	__u8 kind;
	__u8 kernel_mode;
	__u8 grows_stack;
};

/* What is remembered of a task. */
struct slot {
	struct fault fault;
	__u32 active;  /* the fault has not ended yet, as far as is known */
	__u32 members; /* RSS counters that changed since, a bit each */
	int rss_events, rss_count[MM_COUNTERS]; /* task->rss_stat at the exception, where that exists */
	__u32 announced_class;
	struct vma_key announced; /* --events: the last VMA whose name was sent for this task */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct slot);
} slots_by_task SEC(".maps");

/* For kernels without task storage, and where it cannot be had (7.2 on a CPU without cmpxchg16b). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct slot);
} slots_by_tid SEC(".maps");

/*
 * Room for what the stack cannot hold. One each for the hooks that may interrupt one another on a CPU: a kernel
 * with preemptible tracepoints runs the exception hook in the middle of a process hook.
 */
enum context { IN_EXCEPTION, IN_COMPLETION, IN_PROCESS, IN_SIGNAL, CONTEXTS };

struct scratch {
	struct vma_record vma;
	struct slot blank;
	struct process_stats process;
	struct vma_stats stats;
	struct fault_record fault;
	struct signal_record signal;
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

static __always_inline struct process_key process_key_of(__u64 task)
{
	__u64 leader = (__u64)kread(struct task_struct, task, group_leader);
	struct process_key key = {
		.start_ns = kread(struct task_struct, leader, start_time),
		.tgid = kread(struct task_struct, task, tgid),
		.image = kread(struct task_struct, task, self_exec_id),
	};

	return key;
}

/* What is remembered of the current task. NULL: nothing, or no room to make it. */
static __always_inline struct slot *slot_of_current(bool create, __u32 context)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct slot *slot;

	if (config.task_storage) {
		slot = bpf_task_storage_get(&slots_by_task, bpf_get_current_task_btf(), NULL,
					    create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
		if (slot)
			return slot;
	}
	slot = bpf_map_lookup_elem(&slots_by_tid, &tid);
	if (!slot && create) {
		struct scratch *s = scratch(context);

		if (!s || bpf_map_update_elem(&slots_by_tid, &tid, &s->blank, BPF_ANY)) {
			count_loss(LOSS_MAP);
			return NULL;
		}
		slot = bpf_map_lookup_elem(&slots_by_tid, &tid);
	}
	return slot;
}

/* The entry of a process image, made if it is not there. NULL: no room. */
static __noinline struct process_stats *process_of(const struct process_key *key, __u64 task, __u32 flags, __u32 context)
{
	struct process_stats *p;
	struct scratch *s;
	__u64 leader;

	if (!key)
		return NULL;
	p = bpf_map_lookup_elem(&processes, key);
	s = scratch(context);
	if (p || !s)
		return p;
	leader = (__u64)kread(struct task_struct, task, group_leader);
	__builtin_memset(&s->process, 0, sizeof(s->process));
	s->process.flags = flags;
	s->process.ppid = BPF_CORE_READ((struct task_struct *)leader, real_parent, tgid);
	bpf_core_read(s->process.comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
	if (bpf_map_update_elem(&processes, key, &s->process, BPF_NOEXIST) == -E2BIG)
		count_loss(LOSS_MAP);
	return bpf_map_lookup_elem(&processes, key);
}

/* --- where ------------------------------------------------------------------------------------------------ */

static __always_inline void set_vma(struct fault *f, const struct vma *vma)
{
	f->start = vma->start;
	f->end = vma->end;
	f->vm_flags = vma->flags;
	f->key.anchor = (vma->flags & VM_GROWSDOWN ? vma->end : vma->start) | (vma->flags & VM_PERMS);
	f->key.file = vma->file;
}

/* The exception came before the kernel has grown the stack: is the address where it will? */
static __always_inline bool will_grow_stack(const struct fault *f, const struct vma *stack, __u64 task)
{
	__u64 limit, signal = (__u64)kread(struct task_struct, task, signal);

	bpf_core_read(&limit, sizeof(limit), (void *)signal + bpf_core_field_offset(struct signal_struct, rlim) +
						     RLIMIT_STACK * sizeof(struct rlimit));
	return (stack->flags & VM_GROWSDOWN) && f->address < stack->start && stack->end - f->address <= limit;
}

static __always_inline void locate(struct fault *f, __u64 task)
{
	struct vma vma;

	if (vma_find(f->mm, f->address, &vma)) {
		set_vma(f, &vma);
	} else if (vma_find(f->mm, kread(struct mm_struct, f->mm, start_stack), &vma) &&
		   will_grow_stack(f, &vma, task)) {
		set_vma(f, &vma);
		f->grows_stack = 1;
	}
}

/* Send what a VMA is called. vma == NULL: the key stands for "no VMA". */
static __noinline void announce(const struct vma_key *key, const struct vma *vma, __u8 class, __u32 context)
{
	struct scratch *s = scratch(context);
	__u64 task = bpf_get_current_task(), leader;
	struct vma_record *r;
	__u32 size;

	if (!s || !key)
		return;
	r = &s->vma;
	__builtin_memset(r, 0, __builtin_offsetof(struct vma_record, name));
	r->header.type = RECORD_VMA;
	r->key = *key;
	r->class = class;
	leader = (__u64)kread(struct task_struct, task, group_leader);
	bpf_core_read(r->comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
	r->ppid = BPF_CORE_READ((struct task_struct *)leader, real_parent, tgid);
	if (vma) {
		r->start = vma->start;
		r->end = vma->end;
		r->flags = vma->flags;
		r->pgoff = kread(struct vm_area_struct, vma->address, vm_pgoff);
		append_name(r, vma);
	}
	size = r->name_size;
	if (size > sizeof(r->name))
		size = sizeof(r->name);
	size += __builtin_offsetof(struct vma_record, name);
	r->header.size = size;
	emit(control, r, size, config.control_wake_bytes);
}

/*
 * A VMA without an entry in the map: make it, and send its name. The VMA is looked up again by its start: the
 * fault may have slept since it was located.
 */
static __noinline int first_seen(struct fault *f, __u32 context)
{
	struct scratch *s = scratch(context);
	struct vma vma = {};
	__u32 zero = 0;
	bool found;
	void *map;

	if (!s || !f)
		return 0;
	map = bpf_map_lookup_elem(&vmas, &zero);
	if (!map)
		return 0;
	found = f->end && vma_find(f->mm, f->start, &vma) && vma.file == f->key.file;
	f->class = found ? class_of(f->mm, &vma) : CLASS_UNKNOWN;
	process_of(&f->key.process, bpf_get_current_task(), 0, context);
	__builtin_memset(&s->stats, 0, sizeof(s->stats));
	s->stats.class = f->class;
	if (bpf_map_update_elem(map, &f->key, &s->stats, BPF_NOEXIST))
		return 0; /* full, or another CPU was first */
	__sync_fetch_and_add(&control_block.first_seen, 1);
	announce(&f->key, found ? &vma : NULL, f->class, context);
	return 0;
}

/* The counters of f's VMA; NULL: the map is full. Decides f->class. */
static __always_inline struct vma_stats *stats_of(struct fault *f, __u32 context)
{
	struct vma_stats *stats;
	struct vma vma;
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&vmas, &zero);

	if (!map)
		return NULL;
	stats = bpf_map_lookup_elem(map, &f->key);
	if (!stats) {
		first_seen(f, context);
		return bpf_map_lookup_elem(map, &f->key);
	}
	if (stats->class == CLASS_UNKNOWN && f->end && vma_find(f->mm, f->start, &vma))
		stats->class = class_of(f->mm, &vma); /* made on another CPU */
	f->class = stats->class;
	return stats;
}

/* --- why -------------------------------------------------------------------------------------------------- */

/* The VMA does not permit the access (access_error() of arch/x86/mm/fault.c). */
static __always_inline bool denied(const struct fault *f)
{
	if (f->error & ERROR_UNKNOWN)
		return false;
	if (f->error & ERROR_WRITE)
		return !(f->vm_flags & VM_WRITE);
	if (f->error & ERROR_EXEC)
		return !(f->vm_flags & VM_EXEC);
	return !(f->vm_flags & (VM_READ | VM_WRITE | VM_EXEC));
}

static __always_inline bool is_file_class(__u8 class)
{
	return class == CLASS_FILE || class == CLASS_TEXT || class == CLASS_DATA || class == CLASS_SHMEM;
}

/* What error code and VMA tell at the exception. */
static __always_inline __u8 kind_at_exception(const struct fault *f)
{
	bool write = f->error & ERROR_WRITE, present = f->error & ERROR_PRESENT, shared = f->vm_flags & VM_SHARED;

	if (!f->end)
		return KIND_OTHER;
	if (f->grows_stack)
		return KIND_STACK_GROW;
	if (denied(f))
		return KIND_PROTECTION;
	if (f->class == CLASS_HUGETLB)
		return KIND_HUGETLB;
	if (f->class == CLASS_SHMEM && (shared || !(write || (f->error & ERROR_UNKNOWN))))
		return KIND_SHMEM;
	if (f->class == CLASS_VDSO)
		return KIND_OTHER;
	if ((f->error & ERROR_UNKNOWN) && (f->vm_flags & VM_WRITE))
		return KIND_OTHER;
	if (write && is_file_class(f->class))
		return shared || !present ? KIND_FILE_WRITE : KIND_COW;
	if (write)
		return present ? KIND_COW : KIND_ANON_WRITE;
	if (present)
		return KIND_OTHER;
	return is_file_class(f->class) ? KIND_FILE_READ : KIND_ANON_READ;
}

/* The RSS counters that the fault changed tell a copy from a new page, and a swap-in from both. */
static __always_inline __u8 exact_kind(const struct fault *f, __u32 members)
{
	bool write = f->error & ERROR_WRITE, anon = members & (1 << MM_ANONPAGES);
	bool private_file = is_file_class(f->class) && !(f->vm_flags & VM_SHARED);

	if (f->kind == KIND_HUGETLB || f->kind == KIND_STACK_GROW || f->kind == KIND_PROTECTION || !f->end)
		return f->kind;
	if (members & (1 << MM_SWAPENTS))
		return KIND_SWAPIN;
	if (private_file && anon)
		return KIND_FILE_WRITE;
	if (private_file && write)
		return KIND_COW;
	if (is_file_class(f->class))
		return f->kind;
	if (anon)
		return write || (f->error & ERROR_UNKNOWN) ? KIND_ANON_WRITE : KIND_ANON_READ;
	if (f->kind == KIND_ANON_WRITE)
		return KIND_OTHER; /* nothing was added: another thread was first */
	return f->kind;
}

static __always_inline bool is_anon_kind(__u8 kind)
{
	return kind == KIND_ANON_READ || kind == KIND_ANON_WRITE || kind == KIND_COW;
}

/* --- counting --------------------------------------------------------------------------------------------- */

static __always_inline __u32 latency_bucket(__u64 ns)
{
	__u32 bucket = 0;

	for (int shift = 32; shift; shift >>= 1) {
		if (ns >> shift) {
			ns >>= shift;
			bucket += shift;
		}
	}
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* No room for the VMA: the fault counts for its process, and if there is no room for that either, at all. */
static __noinline int count_other(struct fault *f, bool major, bool failed, __u32 context)
{
	struct process_stats *p;
	__u32 kind;

	if (!f)
		return 0;
	count_loss(LOSS_MAP);
	p = process_of(&f->key.process, bpf_get_current_task(), 0, context);
	if (!p) {
		__sync_fetch_and_add(&control_block.unattributed, 1);
		return 0;
	}
	kind = f->kind;
	__sync_fetch_and_add(&p->other_faults, 1);
	if (kind < KINDS)
		__sync_fetch_and_add(&p->other_kinds[kind], 1);
	if (major)
		__sync_fetch_and_add(&p->other_major, 1);
	if (f->kernel_mode)
		__sync_fetch_and_add(&p->other_kernel_mode, 1);
	if (failed)
		__sync_fetch_and_add(&p->other_failed, 1);
	return 0;
}

static __always_inline void count_kind(struct vma_stats *stats, __u32 kind, int n)
{
	if (kind < KINDS)
		stats->kinds[kind] += n;
}

static __always_inline void count_fault(struct vma_stats *stats, const struct fault *f)
{
	stats->faults++;
	stats->kernel_mode += f->kernel_mode;
	count_kind(stats, f->kind, 1);
	if (!stats->end || f->start < stats->start)
		stats->start = f->start;
	if (f->end > stats->end)
		stats->end = f->end;
	/* The kernel marks no thread's stack: it is where a thread, other than the first, keeps its pointer. */
	if (f->class == CLASS_ANON && f->sp >= f->start && f->sp < f->end && f->tid != f->key.process.tgid)
		stats->stack_tid = f->tid;
}

static __always_inline void count_major(struct vma_stats *stats, __u64 latency_ns)
{
	stats->major++;
	if (!latency_ns)
		return;
	stats->major_timed++;
	stats->major_ns += latency_ns;
	if (latency_ns > stats->major_max_ns)
		stats->major_max_ns = latency_ns;
}

static __always_inline void count_latency(struct vma_stats *stats, __u8 class, bool major, __u64 latency_ns)
{
	__u32 index = class * 2 + major, bucket = latency_bucket(latency_ns);
	struct class_latency *l = bpf_map_lookup_elem(&class_latencies, &index);

	if (bucket >= LATENCY_BUCKETS)
		return;
	if (l) {
		l->buckets[bucket]++;
		if (latency_ns > l->max_ns)
			l->max_ns = latency_ns;
	}
	if (!config.complete || !stats)
		return;
	stats->latency[bucket]++;
	if (latency_ns > stats->max_ns)
		stats->max_ns = latency_ns;
}

/* --- events ----------------------------------------------------------------------------------------------- */

/* A fault that --events asks for was sent. False: it was not asked for, or there was no room for it. */
static __always_inline bool send_fault(const struct fault *f, bool major, __u64 latency_ns)
{
	struct scratch *s = scratch(IN_COMPLETION);
	struct fault_record *r;

	if (!s || (config.major_only && !major) || latency_ns < config.min_latency_ns)
		return false;
	r = &s->fault;
	r->header.type = RECORD_FAULT;
	r->header.size = sizeof(*r);
	r->key = f->key;
	r->time_ns = f->time_ns;
	r->latency_ns = latency_ns;
	r->address = f->address;
	r->ip = f->ip;
	r->start = f->start;
	r->end = f->end;
	r->tid = f->tid;
	r->error = f->error;
	r->kind = f->kind;
	r->class = f->class;
	r->major = major;
	r->kernel_mode = f->kernel_mode;
	r->stack_tid = 0;
	if (f->class == CLASS_ANON && f->sp >= f->start && f->sp < f->end && f->tid != f->key.process.tgid)
		r->stack_tid = f->tid;
	bpf_get_current_comm(r->comm, COMM_SIZE);
	return emit(events, r, sizeof(*r), config.ring_wake_bytes);
}

static __always_inline bool same_vma(const struct vma_key *a, const struct vma_key *b)
{
	return a->anchor == b->anchor && a->file == b->file && a->process.tgid == b->process.tgid &&
	       a->process.image == b->process.image && a->process.start_ns == b->process.start_ns;
}

/* --- a fault's life --------------------------------------------------------------------------------------- */

static __always_inline void read_rss(__u64 task, int *events, int count[MM_COUNTERS])
{
	struct task_struct___rss *t = (void *)task;

	if (!bpf_core_field_exists(struct task_struct___rss, rss_stat))
		return;
	*events = BPF_CORE_READ(t, rss_stat.events);
	bpf_core_read(count, MM_COUNTERS * sizeof(int), &t->rss_stat.count);
}

/*
 * Before 6.2: which of task->rss_stat.count[] changed. handle_mm_fault() first folds the counts into the mm when
 * `events`, which it increments, has passed a threshold: then they start from 0.
 */
static __always_inline __u32 rss_members_changed(const struct slot *slot, __u64 task)
{
	int events = 0, count[MM_COUNTERS] = {};
	__u32 members = 0;

	if (!bpf_core_field_exists(struct task_struct___rss, rss_stat))
		return slot->members;
	read_rss(task, &events, count);
	for (int i = 0; i < MM_COUNTERS; i++) {
		int before = events > slot->rss_events ? slot->rss_count[i] : 0;

		if (count[i] != before)
			members |= 1 << i;
	}
	return members;
}

/* The exception, in the summary: count it now. */
static __always_inline void count_at_exception(struct fault *f)
{
	struct vma_stats *stats = stats_of(f, IN_EXCEPTION);

	f->kind = kind_at_exception(f);
	if (stats)
		count_fault(stats, f);
	else
		count_other(f, false, false, IN_EXCEPTION);
}

/* A fault that was followed ended otherwise than by completion: count it now. */
static __always_inline void count_unfinished(struct fault *f, bool failed, __u32 context)
{
	struct vma_stats *stats = stats_of(f, context);

	f->kind = f->end && denied(f) ? KIND_PROTECTION : KIND_OTHER;
	if (!stats) {
		count_other(f, false, failed, context);
		return;
	}
	count_fault(stats, f);
	stats->failed += failed;
}

static __always_inline void remember(struct fault *f, struct slot *slot, __u64 task)
{
	if (config.complete && slot->active)
		count_unfinished(&slot->fault, false, IN_EXCEPTION);
	f->time_ns = bpf_ktime_get_ns();
	slot->fault = *f;
	slot->members = 0;
	if (config.exact_kinds)
		read_rss(task, &slot->rss_events, slot->rss_count);
	slot->active = 1;
}

static __always_inline int fault_raised(__u64 address, __u64 ip, __u64 sp, __u32 error, bool kernel_mode)
{
	__u64 id = bpf_get_current_pid_tgid(), task = bpf_get_current_task();
	struct fault f = {};
	struct slot *slot;

	if (!control_block.enabled || (kernel_mode && (__s64)address < 0))
		return 0;
	if (!target_selects(task, id >> 32))
		return 0;
	/* A probe of the kernel's own (copy_from_user_nofault): it is not resolved but given up. */
	if (kernel_mode && kread(struct task_struct, task, pagefault_disabled))
		return 0;
	f.mm = (__u64)kread(struct task_struct, task, mm);
	if (!f.mm)
		return 0;
	f.address = address;
	f.ip = ip;
	f.sp = sp;
	f.error = error;
	f.tid = id;
	f.kernel_mode = kernel_mode;
	f.key.process = process_key_of(task);
	locate(&f, task);
	if (config.complete && (slot = slot_of_current(true, IN_EXCEPTION))) {
		remember(&f, slot, task);
		return 0;
	}
	count_at_exception(&f);
	/* Anonymous memory without swap neither waits nor fails. */
	if ((f.key.file || control_block.swap_on || !f.end || f.kind == KIND_PROTECTION || f.grows_stack) &&
	    (slot = slot_of_current(true, IN_EXCEPTION)))
		remember(&f, slot, task);
	return 0;
}

/* The summary learns that a fault was major; it was counted when it was raised. */
static __always_inline void major_completed(struct fault *f, __u64 latency_ns)
{
	struct vma_stats *stats = stats_of(f, IN_COMPLETION);

	if (latency_ns)
		count_latency(NULL, f->class, true, latency_ns);
	if (!stats) {
		struct process_stats *p = bpf_map_lookup_elem(&processes, &f->key.process);

		if (p)
			__sync_fetch_and_add(&p->other_major, 1);
		return;
	}
	count_major(stats, latency_ns);
	if (!is_file_class(f->class) && is_anon_kind(f->kind)) {
		count_kind(stats, f->kind, -1);
		count_kind(stats, KIND_SWAPIN, 1);
	}
}

/* Make sure that user space has the name of the VMA that the event refers to, without a map lookup per event. */
static __always_inline void announce_for_event(struct slot *slot, struct fault *f)
{
	if (same_vma(&slot->announced, &f->key)) {
		f->class = slot->announced_class;
		return;
	}
	stats_of(f, IN_COMPLETION);
	slot->announced = f->key;
	slot->announced_class = f->class;
}

static __always_inline void followed_completed(struct slot *slot, bool major, __u64 latency_ns, __u64 task)
{
	struct fault *f = &slot->fault;
	struct vma_stats *stats = NULL;

	if (config.events)
		announce_for_event(slot, f);
	else
		stats = stats_of(f, IN_COMPLETION);
	f->kind = kind_at_exception(f);
	if (config.exact_kinds)
		f->kind = exact_kind(f, rss_members_changed(slot, task));
	else if (major && !is_file_class(f->class) && is_anon_kind(f->kind))
		f->kind = KIND_SWAPIN;
	if (config.events && send_fault(f, major, latency_ns))
		return; /* user space counts it */
	if (config.events)
		stats = stats_of(f, IN_COMPLETION);
	count_latency(stats, f->class, major, latency_ns);
	if (!stats) {
		count_other(f, major, false, IN_COMPLETION);
		return;
	}
	count_fault(stats, f);
	if (major)
		count_major(stats, latency_ns);
}

static __always_inline int fault_completed(__u64 address, bool major)
{
	__u64 id = bpf_get_current_pid_tgid(), task = bpf_get_current_task(), latency_ns;
	struct fault f = {};
	struct slot *slot;

	if (!control_block.enabled || !target_selects(task, id >> 32))
		return 0;
	slot = slot_of_current(false, IN_COMPLETION);
	if (slot && slot->active && slot->fault.address == address) {
		slot->active = 0;
		latency_ns = bpf_ktime_get_ns() - slot->fault.time_ns;
		if (config.complete)
			followed_completed(slot, major, latency_ns, task);
		else
			major_completed(&slot->fault, latency_ns);
		return 0;
	}
	if (!major || (config.complete && slot))
		return 0; /* raised before counting began */
	f.mm = (__u64)kread(struct task_struct, task, mm);
	f.address = address;
	f.key.process = process_key_of(task);
	locate(&f, task);
	f.kind = KIND_OTHER;
	major_completed(&f, 0);
	return 0;
}

/* --- hooks: exceptions and completions -------------------------------------------------------------------- */

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return fault_raised(address, PT_REGS_IP(regs), PT_REGS_SP(regs), error_code, false);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return fault_raised(address, PT_REGS_IP(regs), 0, error_code, true);
}

/* Where there is no such tracepoint (arm64): the software event PAGE_FAULTS, without the kind of access. */
SEC("perf_event")
int fault_software(struct bpf_perf_event_data *ctx)
{
#if defined(__TARGET_ARCH_x86)
	bool kernel_mode = !(ctx->regs.cs & 3);
#else
	bool kernel_mode = ctx->regs.pstate & 0xf;
#endif
	__u64 sp = kernel_mode ? 0 : PT_REGS_SP(&ctx->regs);

	return fault_raised(ctx->addr, PT_REGS_IP(&ctx->regs), sp, ERROR_UNKNOWN, kernel_mode);
}

SEC("perf_event")
int fault_major(struct bpf_perf_event_data *ctx)
{
	return fault_completed(ctx->addr, true);
}

SEC("perf_event")
int fault_minor(struct bpf_perf_event_data *ctx)
{
	return fault_completed(ctx->addr, false);
}

/* 6.2 and later: a counter of an mm changed. Reclaim inside the fault changes counters too: not its doing. */
SEC("tp_btf/rss_stat")
int BPF_PROG(rss_changed, struct mm_struct *mm, int member)
{
	__u64 task = bpf_get_current_task();
	struct slot *slot;

	if (!control_block.enabled || (kread(struct task_struct, task, flags) & PF_MEMALLOC) || (unsigned int)member > 31)
		return 0;
	slot = slot_of_current(false, IN_COMPLETION);
	if (slot && slot->active && slot->fault.mm == (__u64)mm)
		slot->members |= 1u << (member & 31);
	return 0;
}

/* --- hooks: signals --------------------------------------------------------------------------------------- */

static __always_inline void extent_of(struct vma_extent *extent, const struct process_key *process, const struct vma *vma)
{
	struct fault f = {.key.process = *process};

	set_vma(&f, vma);
	extent->key = f.key;
	extent->start = vma->start;
	extent->end = vma->end;
	extent->flags = vma->flags;
	extent->pgoff = kread(struct vm_area_struct, vma->address, vm_pgoff);
}

/* Describe the VMA at address, or the neighbours if there is none; each of them is announced. */
static __noinline int describe(struct signal_record *r, __u64 mm, __u64 address, bool code)
{
	struct vma vma = {};
	struct vma_gap gap;
	struct file *file;

	if (!r)
		return 0;
	if (vma_find_gap(mm, address, &vma, &gap)) {
		extent_of(code ? &r->code_at : &r->at, &r->process, &vma);
		announce(code ? &r->code_at.key : &r->at.key, &vma, class_of(mm, &vma), IN_SIGNAL);
		file = (void *)vma.file;
		if (!code && file)
			r->file_size = BPF_CORE_READ(file, f_inode, i_size);
		return 0;
	}
	if (code)
		return 0;
	if (gap.first && vma_find(mm, gap.first - 1, &vma)) {
		extent_of(&r->below, &r->process, &vma);
		announce(&r->below.key, &vma, class_of(mm, &vma), IN_SIGNAL);
	}
	if (gap.last != ~0ull && vma_find(mm, gap.last + 1, &vma)) {
		extent_of(&r->above, &r->process, &vma);
		announce(&r->above.key, &vma, class_of(mm, &vma), IN_SIGNAL);
	}
	return 0;
}

static __always_inline bool has_handler(__u64 task, int signal)
{
	__u64 sighand = (__u64)kread(struct task_struct, task, sighand), handler = 0;

	bpf_core_read(&handler, sizeof(handler),
		      (void *)sighand + bpf_core_field_offset(struct sighand_struct, action) +
			      (signal - 1) * bpf_core_type_size(struct k_sigaction) +
			      bpf_core_field_offset(struct k_sigaction, sa) +
			      bpf_core_field_offset(struct sigaction, sa_handler));
	return handler > 1; /* SIG_DFL, SIG_IGN */
}

static __always_inline void send_signal_record(const struct fault *f, __u64 task, int signal, int code, __u64 address)
{
	struct scratch *s = scratch(IN_SIGNAL);
	struct signal_record *r;
	__u64 mm = (__u64)kread(struct task_struct, task, mm);

	if (!s)
		return;
	r = &s->signal;
	__builtin_memset(r, 0, sizeof(*r));
	r->header.type = RECORD_SIGNAL;
	r->header.size = sizeof(*r);
	r->process = process_key_of(task);
	r->time_ns = bpf_ktime_get_ns();
	r->address = address;
	r->signal = signal;
	r->code = code;
	r->tid = (__u32)bpf_get_current_pid_tgid();
	r->handled = has_handler(task, signal);
	r->error = ERROR_UNKNOWN;
	bpf_get_current_comm(r->comm, COMM_SIZE);
	if (f) {
		r->ip = f->ip;
		r->sp = f->sp;
		r->error = f->error;
	} else if (config.task_registers) {
		struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

		r->ip = PT_REGS_IP_CORE(regs);
		r->sp = PT_REGS_SP_CORE(regs);
	}
	if (f)
		describe(r, mm, address, false);
	if (r->ip)
		describe(r, mm, r->ip, true);
	emit(control, r, sizeof(*r), config.control_wake_bytes);
}

/*
 * A signal for what the thread itself just did: si_code > 0 says that the kernel found it, and the address is
 * that of the fault remembered. siginfo may be 0 or 1 (SEND_SIG_NOINFO, SEND_SIG_PRIV): then it is a kill().
 */
SEC("tp_btf/signal_generate")
int signal_raised(__u64 *ctx)
{
	__u64 task = bpf_get_current_task(), id = bpf_get_current_pid_tgid(), address;
	struct kernel_siginfo *info = (void *)ctx[1];
	int signal = ctx[0], code;
	struct process_stats *p;
	struct process_key key;
	struct slot *slot;
	__u32 sent;
	bool ours;

	if ((signal != SIGSEGV && signal != SIGBUS) || ctx[2] != task || (__u64)info < 2)
		return 0;
	if (!control_block.enabled || !target_selects(task, id >> 32))
		return 0;
	code = BPF_CORE_READ(info, si_code);
	if (code <= 0)
		return 0;
	address = (__u64)BPF_CORE_READ(info, _sifields._sigfault._addr);
	key = process_key_of(task);
	slot = slot_of_current(false, IN_SIGNAL);
	ours = slot && slot->active && slot->fault.address == address;
	if (ours) {
		slot->active = 0;
		if (config.complete) {
			count_unfinished(&slot->fault, true, IN_SIGNAL);
		} else {
			struct vma_stats *stats = stats_of(&slot->fault, IN_SIGNAL);

			if (stats)
				stats->failed++;
		}
	}
	p = process_of(&key, task, 0, IN_SIGNAL);
	if (!p)
		return 0;
	sent = p->segv + p->sigbus;
	__sync_fetch_and_add(signal == SIGSEGV ? &p->segv : &p->sigbus, 1);
	if (sent < SIGNALS_IN_DETAIL)
		send_signal_record(ours ? &slot->fault : NULL, task, signal, code, address);
	return 0;
}

/* --- hooks: the life of processes ------------------------------------------------------------------------- */

/*
 * minor and major of a process image are, by the kernel's own counters: what its threads had when they exited or
 * exec'd, less what they brought along. The first task iteration takes what was there when tracing began; the
 * last adds what living threads have.
 */
static __always_inline void add_counters(struct process_stats *p, __u64 task, int sign)
{
	__sync_fetch_and_add(&p->minor, sign * (__s64)kread(struct task_struct, task, min_flt));
	__sync_fetch_and_add(&p->major, sign * (__s64)kread(struct task_struct, task, maj_flt));
}

/* Has the first iteration taken what this thread brought along (or had it nothing to bring)? */
static __always_inline bool baseline_taken(__u64 task)
{
	return control_block.baseline || kread(struct task_struct, task, start_time) >= control_block.began_ns ||
	       (__u32)kread(struct task_struct, task, pid) <= control_block.visited;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid), tgid = kread(struct task_struct, child, tgid);
	struct process_key key;

	if (tgid == parent_tgid)
		return 0; /* a thread */
	target_forked(parent_tgid, (__u64)child, tgid);
	if (!target_selects((__u64)child, tgid))
		return 0;
	key = process_key_of((__u64)child);
	process_of(&key, (__u64)child, PROCESS_SEEN_BORN, IN_PROCESS);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_execed, struct task_struct *task)
{
	struct process_key key = process_key_of((__u64)task);
	struct process_stats *p;

	if (!baseline_taken((__u64)task))
		return 0;
	if (target_selects((__u64)task, key.tgid)) {
		p = process_of(&key, (__u64)task, PROCESS_SEEN_BORN, IN_PROCESS);
		if (p) {
			add_counters(p, (__u64)task, -1);
			p->flags |= PROCESS_SEEN_BORN;
		}
	}
	key.image--;
	p = bpf_map_lookup_elem(&processes, &key);
	if (p) {
		add_counters(p, (__u64)task, 1);
		p->flags |= PROCESS_EXITED;
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	struct process_key key = process_key_of((__u64)task);
	struct process_stats *p;
	__u32 tid = kread(struct task_struct, task, pid);
	bool last = BPF_CORE_READ(task, signal, live.counter) == 0;

	bpf_map_delete_elem(&slots_by_tid, &tid);
	if (target_selects((__u64)task, key.tgid) && baseline_taken((__u64)task)) {
		p = process_of(&key, (__u64)task, 0, IN_PROCESS);
		if (p) {
			add_counters(p, (__u64)task, 1);
			if (last)
				p->flags |= PROCESS_EXITED;
		}
	}
	if (last)
		target_exited(key.tgid);
	return 0;
}

SEC("iter/task")
int thread_counters(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_counters c = {};
	__u64 leader;

	if (!task)
		return 0;
	c.process = process_key_of((__u64)task);
	if (kread(struct task_struct, task, mm) && target_selects((__u64)task, c.process.tgid)) {
		leader = (__u64)kread(struct task_struct, task, group_leader);
		bpf_core_read(c.comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
		c.ppid = BPF_CORE_READ((struct task_struct *)leader, real_parent, tgid);
		c.minor = kread(struct task_struct, task, min_flt);
		c.major = kread(struct task_struct, task, maj_flt);
		bpf_seq_write(ctx->meta->seq, &c, sizeof(c));
	}
	if (!control_block.baseline)
		control_block.visited = kread(struct task_struct, task, pid);
	return 0;
}
