/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace doctor: what this kernel offers, and what memtrace makes of it.
 *
 * Two kinds of table say it all. `features` has a line for each thing to look for; a command has a table of
 * ways in which its parts can be done, best first, each with the features that it takes. Another hook is a
 * line more in `features` and one in the command's table; another command is a table, and a line in
 * `commands`.
 */
#include <assert.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/options.h"
#include "cmd/report.h"
#include "commands.h"
#include "trace/features.h"
#include "trace/probe.h"
#include "util/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what to look for ---------------------------------------------------------------------------------- */

enum group { GROUP_KERNEL, GROUP_PRIVILEGE, GROUP_TRACEPOINT, GROUP_EVENT, GROUP_BPF, GROUP_MEMORY, GROUPS };

static const struct out_column feature_columns[] = {
	{.key = "group", .flags = OUT_JSON_ONLY},
	{.key = "status", .heading = "STATUS", .flags = OUT_LEFT},
	{.key = "name", .heading = "WHAT", .flags = OUT_LEFT},
	{.key = "used_for", .heading = "USED FOR", .flags = OUT_LEFT},
	{.key = "note", .heading = "NOTE", .flags = OUT_LEFT | OUT_FILL},
	{.key = "missing_costs", .flags = OUT_JSON_ONLY},
	{.key = "remedy", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_DETAIL},
};

/* clang-format off */
#define FEATURE_TABLE(title) {"feature", title, feature_columns, COUNT(feature_columns)}

static const struct {
	const char *name;
	struct out_table table;
} groups[GROUPS] = {
	[GROUP_KERNEL] = {"kernel", FEATURE_TABLE("Kernel")},
	[GROUP_PRIVILEGE] = {"privilege", FEATURE_TABLE("Privileges")},
	[GROUP_TRACEPOINT] = {"tracepoint", FEATURE_TABLE("Tracepoints")},
	[GROUP_EVENT] = {"event", FEATURE_TABLE("Software and hardware events")},
	[GROUP_BPF] = {"bpf", FEATURE_TABLE("BPF programs, maps and helpers")},
	[GROUP_MEMORY] = {"memory", FEATURE_TABLE("Memory")},
};
/* clang-format on */

/* Texts are short: at 80 columns, what is missing and its remedy share a line. */
struct feature {
	enum group group;
	const char *name;
	probe_fn *probe;
	const char *argument; /* of the probe; NULL: the name */
	const char *used_for;
	const char *missing_costs; /* NULL: it is never missing */
	const char *remedy;	   /* NULL: none */
};

#define NO_TRACING  "nothing can be traced"
#define NO_FAULTS   "faults cannot run"
#define NO_CALLS    "no brk-vs-mmap"
#define NO_KILLS    "oom cannot run"
#define NO_RECLAIM  "reclaim cannot run"
#define NEWER(what) "kernel " what " or later"
#define SUDO	    "run with sudo"

/* clang-format off */
static const struct feature features[] = {
	{GROUP_KERNEL, "release", probe__release, NULL, "named in reports", NULL, NULL},
	{GROUP_KERNEL, "architecture", probe__architecture, NULL, "registers, page size", NULL, NULL},
	{GROUP_KERNEL, "BTF", probe__btf, NULL, "layout of structures",
	 NO_TRACING, "CONFIG_DEBUG_INFO_BTF, or --btf FILE"},
	{GROUP_KERNEL, "BPF JIT", probe__jit, NULL, "programs at full speed",
	 "slower hooks", "sysctl net.core.bpf_jit_enable=1"},
	{GROUP_KERNEL, "lockdown", probe__lockdown, NULL, "reading kernel memory",
	 NO_TRACING, "boot without lockdown=confidentiality"},
	{GROUP_KERNEL, "run-time statistics", probe__run_time, NULL, "cost of tracing",
	 "reports lack the CPU time of BPF", SUDO},
	{GROUP_KERNEL, "tracefs", probe__tracefs, NULL, "tracepoints of system calls",
	 NO_CALLS, "mount -t tracefs nodev /sys/kernel/tracing"},
	{GROUP_KERNEL, "private mounts", probe__private_tracefs, NULL, "tracefs, for memtrace alone",
	 "tracefs has to be mounted", SUDO},

	{GROUP_PRIVILEGE, "privileges", probe__privileges, NULL, "tracing at all", NO_TRACING, SUDO},
	{GROUP_PRIVILEGE, "CAP_BPF", probe__capability, NULL, "programs and maps", NO_TRACING, SUDO},
	{GROUP_PRIVILEGE, "CAP_PERFMON", probe__capability, NULL, "hooks and events", NO_TRACING, SUDO},
	{GROUP_PRIVILEGE, "CAP_SYS_ADMIN", probe__capability, NULL, "statistics, private mounts",
	 "reports lack the CPU time of BPF", SUDO},
	{GROUP_PRIVILEGE, "CAP_SYS_PTRACE", probe__capability, NULL, "/proc/PID/maps of others",
	 "brk-vs-mmap: nothing from before tracing", SUDO},
	{GROUP_PRIVILEGE, "CAP_SYS_RESOURCE", probe__capability, NULL, "oom: not to be killed itself",
	 "oom can itself be killed", SUDO},
	{GROUP_PRIVILEGE, "CAP_DAC_READ_SEARCH", probe__capability, NULL, "tracefs, which is root's", NO_CALLS, SUDO},
	{GROUP_PRIVILEGE, "CAP_SYSLOG", probe__capability, NULL, "names of the kernel, its log",
	 "no names of kernel functions", SUDO},
	{GROUP_PRIVILEGE, "unprivileged_bpf_disabled", probe__unprivileged_bpf, NULL, "programs and maps",
	 NO_TRACING, SUDO},
	{GROUP_PRIVILEGE, "perf_event_paranoid", probe__perf_paranoid, NULL, "events of all processes",
	 NO_TRACING, SUDO},

	{GROUP_TRACEPOINT, "page_fault_user", probe__tracepoint, NULL, "exceptions, user mode",
	 "read, write, execute not told (as on arm64)", NULL},
	{GROUP_TRACEPOINT, "page_fault_kernel", probe__tracepoint, NULL, "exceptions, kernel mode",
	 "read, write, execute not told (as on arm64)", NULL},
	{GROUP_TRACEPOINT, "sched_switch", probe__tracepoint, NULL, "faults: faults that sleep", NO_FAULTS, NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_direct_reclaim_begin", probe__tracepoint, NULL,
	 "faults: exact kinds; oom, reclaim", "no --kinds, no --latency, no oom, no reclaim", NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_memcg_reclaim_begin", probe__tracepoint, NULL,
	 "faults: exact kinds; oom, reclaim", "no --kinds, no --latency, no oom, no reclaim", NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_direct_reclaim_end", probe__tracepoint, NULL, "oom, reclaim: time",
	 "oom and reclaim cannot run", NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_memcg_reclaim_end", probe__tracepoint, NULL, "oom, reclaim: time",
	 "oom and reclaim cannot run", NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_kswapd_wake", probe__tracepoint, NULL, "reclaim: kswapd", NO_RECLAIM, NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_lru_shrink_inactive", probe__tracepoint, NULL, "reclaim: pages looked at",
	 NO_RECLAIM, NULL},
	{GROUP_TRACEPOINT, "mm_vmscan_throttled", probe__tracepoint, NULL, "reclaim: pauses",
	 "reclaim: only congestion is told", NEWER("5.17")},
	{GROUP_TRACEPOINT, "mm_compaction_begin", probe__tracepoint, NULL, "reclaim: compaction",
	 "reclaim: no compaction", "a kernel with CONFIG_COMPACTION"},
	{GROUP_TRACEPOINT, "rss_stat", probe__tracepoint, NULL, "reclaim: pages swapped out",
	 "reclaim: swapped out, but not of whom", NULL},
	{GROUP_TRACEPOINT, "signal_generate", probe__tracepoint, NULL, "faults: SIGSEGV, SIGBUS; oom: kills",
	 "faults and oom cannot run", NULL},
	{GROUP_TRACEPOINT, "mark_victim", probe__tracepoint, NULL, "oom: kills", NO_KILLS, NULL},
	{GROUP_TRACEPOINT, "wake_reaper", probe__tracepoint, NULL, "oom: victims that linger", NO_KILLS, NULL},
	{GROUP_TRACEPOINT, "finish_task_reaping", probe__tracepoint, NULL, "oom: victims that linger", NO_KILLS, NULL},
	{GROUP_TRACEPOINT, "skip_task_reaping", probe__tracepoint, NULL, "oom: victims that linger", NO_KILLS, NULL},
	{GROUP_TRACEPOINT, "exit_mmap", probe__tracepoint, NULL, "oom: memory is back",
	 "oom: only the exit is timed", NEWER("6.1")},
	{GROUP_TRACEPOINT, "kmalloc", probe__tracepoint, NULL, "leaks --kernel: kmalloc", "leaks --kernel: no kmalloc", NULL},
	{GROUP_TRACEPOINT, "kmem_cache_alloc", probe__tracepoint, NULL, "leaks --kernel: slab caches",
	 "leaks --kernel: no slab caches", NULL},
	{GROUP_TRACEPOINT, "mm_page_alloc", probe__tracepoint, NULL, "leaks --kernel: pages", "leaks --kernel: no pages", NULL},
	{GROUP_TRACEPOINT, "alloc_vmap_area", probe__tracepoint, NULL, "leaks --kernel: vmalloc",
	 "leaks --kernel: no vmalloc", NEWER("6.3")},
	{GROUP_TRACEPOINT, "tlb_flush", probe__tracepoint, NULL, "tlb: flushes", "tlb cannot run (only x86 has it)", NULL},
	{GROUP_TRACEPOINT, "sched_process_fork", probe__tracepoint, NULL, "children", NO_TRACING, NULL},
	{GROUP_TRACEPOINT, "sched_process_exec", probe__tracepoint, NULL, "programs", NO_TRACING, NULL},
	{GROUP_TRACEPOINT, "sched_process_exit", probe__tracepoint, NULL, "ends of processes", NO_TRACING, NULL},

	{GROUP_EVENT, "page-faults", probe__software_event, NULL, "exceptions, second choice",
	 NO_FAULTS, "a kernel with CONFIG_PERF_EVENTS"},
	{GROUP_EVENT, "minor-faults", probe__software_event, NULL, "faults: ends of minor faults",
	 "minor faults are not timed", "a kernel with CONFIG_PERF_EVENTS"},
	{GROUP_EVENT, "major-faults", probe__software_event, NULL, "faults: ends of major faults",
	 NO_FAULTS, "a kernel with CONFIG_PERF_EVENTS"},

	{GROUP_EVENT, "TLB misses", probe__tlb_misses, NULL, "tlb: what page walks cost",
	 "tlb: only estimates", "hardware counters, seldom in a VM"},

	{GROUP_BPF, "tp_btf", probe__tp_btf, "sched_process_exec", "every tracepoint above",
	 NO_TRACING, "run it outside the container"},
	{GROUP_BPF, "iter/task", probe__iterator, "task", "threads and processes", NO_TRACING, NEWER("5.8")},
	{GROUP_BPF, "fentry", probe__fentry, NULL, "oom: the kernel's decision", "oom: kprobe, or the log",
	 "a kernel that allows it"},
	{GROUP_BPF, "kprobe", probe__kprobe, NULL, "oom: the kernel's decision", "oom: fentry, or the log",
	 "a kernel that allows it"},
	{GROUP_BPF, "uprobe", probe__uprobe, NULL, "leaks --heap: allocators", "no leaks --heap",
	 "a kernel that allows it"},
	{GROUP_BPF, "ring buffer", probe__ring_buffer, NULL, "names, signals, --events", NO_TRACING, NEWER("5.8")},
	{GROUP_BPF, "bpf_probe_read_kernel", probe__kernel_reads, NULL, "reading kernel memory",
	 NO_TRACING, "boot without lockdown=confidentiality"},
	{GROUP_BPF, "bpf_rdonly_cast", probe__function, NULL, "direct reads: VMA lookup",
	 "lookups take 100-200 ns more", NEWER("6.2")},
	{GROUP_BPF, "run queues", probe__run_queues, NULL, "tlb: who comes after whom",
	 "tlb: each switch is followed", "a kernel with CONFIG_KALLSYMS_ALL"},
	{GROUP_BPF, "bpf_task_pt_regs", probe__task_registers, NULL, "faults: ip of a bad access",
	 "ip of some SIGSEGV not known", NEWER("5.15")},

	{GROUP_MEMORY, "maple tree", probe__member, "mm_struct.mm_mt", "address to VMA",
	 "the rb-tree is used", NEWER("6.1")},
	{GROUP_MEMORY, "rb-tree", probe__member, "mm_struct.mm_rb", "address to VMA, before 6.1",
	 "the maple tree is used", NULL},
	{GROUP_MEMORY, "task->rss_stat", probe__member, "task_struct.rss_stat", "exact kinds, before 6.2",
	 "no --kinds, no --latency", NULL},
	{GROUP_MEMORY, "percpu counters", probe__member, "percpu_counter.counters", "exact kinds, from 6.2",
	 "no --kinds, no --latency", NEWER("6.2")},
	{GROUP_MEMORY, "memory cgroup", probe__memory_cgroup, NULL, "--cgroup",
	 "no --cgroup", "mount -t cgroup2 nodev /sys/fs/cgroup"},
	{GROUP_MEMORY, "pressure (PSI)", probe__pressure, NULL, "oom: stalls before a kill",
	 "oom: stalls are not told", "boot with psi=1"},
	{GROUP_MEMORY, "swap", probe__swap, NULL, "faults: swap-ins", "there are no swap-ins to see", NULL},
};
/* clang-format on */

/* --- what commands do with it -------------------------------------------------------------------------- */

enum grade {
	GRADE_BEST,
	GRADE_SLOWER,  /* the same, at a higher cost */
	GRADE_LIMITED, /* the command says less */
	GRADE_UNKNOWN, /* could not look */
	GRADE_NONE,    /* the command cannot work */
};

static const char *const grade_names[] = {"yes", "slower", "limited", "unknown", "no"};

/* Ways of the same part follow one another: the first whose features are there is taken. */
struct way {
	const char *part;
	enum grade grade;
	const char *by;
	const char *takes[4]; /* names of features */
};

/* clang-format off */
static const struct way faults_ways[] = {
	{"privileges", GRADE_BEST, "root, or CAP_BPF and CAP_PERFMON", {"privileges"}},
	{"kernel structures", GRADE_BEST, "BTF", {"BTF", "bpf_probe_read_kernel"}},
	{"exceptions", GRADE_BEST, "tp_btf page_fault_user, page_fault_kernel",
	 {"page_fault_user", "page_fault_kernel", "tp_btf"}},
	{"exceptions", GRADE_LIMITED, "software event page-faults: access not told", {"page-faults"}},
	{"major faults", GRADE_BEST, "software event major-faults", {"major-faults"}},
	{"minor faults", GRADE_BEST, "software event minor-faults (--latency, --kinds)", {"minor-faults"}},
	{"minor faults", GRADE_LIMITED, "not timed: no --latency, --kinds", {}},
	{"VMA", GRADE_BEST, "maple tree, direct reads", {"maple tree", "bpf_rdonly_cast"}},
	{"VMA", GRADE_SLOWER, "maple tree, bpf_probe_read_kernel", {"maple tree"}},
	{"VMA", GRADE_SLOWER, "rb-tree, bpf_probe_read_kernel", {"rb-tree"}},
	{"exact kinds", GRADE_BEST, "task->rss_stat, by difference (--kinds)", {"task->rss_stat"}},
	{"exact kinds", GRADE_BEST, "mm->rss_stat, by difference (--kinds)", {"percpu counters"}},
	{"exact kinds", GRADE_LIMITED, "not told: no --kinds, no --latency", {}},
	{"fault in progress", GRADE_BEST, "tp_btf sched_switch", {"sched_switch", "tp_btf"}},
	{"SIGSEGV, SIGBUS", GRADE_BEST, "tp_btf signal_generate, bpf_task_pt_regs",
	 {"signal_generate", "tp_btf", "bpf_task_pt_regs"}},
	{"SIGSEGV, SIGBUS", GRADE_LIMITED, "tp_btf signal_generate; ip not always known", {"signal_generate", "tp_btf"}},
	{"processes", GRADE_BEST, "tp_btf sched_process_fork, _exec, _exit",
	 {"sched_process_fork", "sched_process_exec", "sched_process_exit", "tp_btf"}},
	{"totals", GRADE_BEST, "counters of each thread, by iter/task", {"iter/task"}},
	{"names, events", GRADE_BEST, "ring buffers", {"ring buffer"}},
	{"cost of tracing", GRADE_BEST, "BPF_ENABLE_STATS", {"run-time statistics"}},
	{"cost of tracing", GRADE_LIMITED, "the CPU time of BPF is not told", {}},
	{"--cgroup", GRADE_BEST, "id of the cgroup, in the kernel", {"memory cgroup"}},
	{"--cgroup", GRADE_LIMITED, "no --cgroup", {}},
};

static const struct way brk_vs_mmap_ways[] = {
	{"privileges", GRADE_BEST, "root, or CAP_BPF and CAP_PERFMON", {"privileges"}},
	{"kernel structures", GRADE_BEST, "BTF", {"BTF", "bpf_probe_read_kernel"}},
	{"system calls", GRADE_BEST, "tracepoints of brk, mmap, ...; numbers from tracefs", {"tracefs"}},
	{"system calls", GRADE_BEST, "the same; tracefs mounted for memtrace alone", {"private mounts"}},
	{"touched pages", GRADE_BEST, "tp_btf page_fault_user, page_fault_kernel",
	 {"page_fault_user", "page_fault_kernel", "tp_btf"}},
	{"touched pages", GRADE_SLOWER, "software event page-faults", {"page-faults"}},
	{"mappings of files", GRADE_BEST, "maple tree, direct reads", {"maple tree", "bpf_rdonly_cast"}},
	{"mappings of files", GRADE_SLOWER, "maple tree, bpf_probe_read_kernel", {"maple tree"}},
	{"mappings of files", GRADE_SLOWER, "rb-tree, bpf_probe_read_kernel", {"rb-tree"}},
	{"processes", GRADE_BEST, "tp_btf sched_process_fork, _exec, _exit",
	 {"sched_process_fork", "sched_process_exec", "sched_process_exit", "tp_btf"}},
	{"what was there before", GRADE_BEST, "iter/task and /proc/PID/maps", {"iter/task", "CAP_SYS_PTRACE"}},
	{"what was there before", GRADE_LIMITED, "/proc/PID/maps of one's own processes", {"iter/task"}},
	{"calls, stacks", GRADE_BEST, "ring buffer", {"ring buffer"}},
	{"cost of tracing", GRADE_BEST, "BPF_ENABLE_STATS", {"run-time statistics"}},
	{"cost of tracing", GRADE_LIMITED, "the CPU time of BPF is not told", {}},
	{"--cgroup", GRADE_BEST, "id of the cgroup, in the kernel", {"memory cgroup"}},
	{"--cgroup", GRADE_LIMITED, "no --cgroup", {}},
};
static const struct way leaks_ways[] = {
	{"trend", GRADE_BEST, "/proc of every process", {"CAP_SYS_PTRACE"}},
	{"trend", GRADE_LIMITED, "/proc; of others' processes no USS, PSS", {}},
	{"call sites", GRADE_BEST, "as brk-vs-mmap", {"privileges", "BTF", "ring buffer", "tracefs"}},
	{"call sites", GRADE_BEST, "as brk-vs-mmap, with tracefs mounted for memtrace alone",
	 {"privileges", "BTF", "ring buffer", "private mounts"}},
	{"call sites", GRADE_LIMITED, "not told: only the trend", {}},
	{"--heap", GRADE_BEST, "uprobes on the functions of allocators", {"privileges", "BTF", "ring buffer", "uprobe"}},
	{"--heap", GRADE_LIMITED, "not possible", {}},
	{"--kernel", GRADE_BEST, "tracepoints of kmalloc, slab, vmalloc, pages",
	 {"privileges", "kmalloc", "mm_page_alloc", "alloc_vmap_area"}},
	{"--kernel", GRADE_LIMITED, "tracepoints; vmalloc is not told",
	 {"privileges", "kmalloc", "mm_page_alloc"}},
	{"--kernel", GRADE_LIMITED, "not possible", {}},
	{"limits", GRADE_BEST, "memory cgroups and /proc/meminfo", {"memory cgroup"}},
	{"limits", GRADE_LIMITED, "/proc/meminfo", {}},
	{"cost of tracing", GRADE_BEST, "BPF_ENABLE_STATS", {"run-time statistics"}},
	{"cost of tracing", GRADE_LIMITED, "the CPU time of BPF is not told", {}},
};

static const struct way tlb_ways[] = {
	{"privileges", GRADE_BEST, "root, or CAP_BPF and CAP_PERFMON", {"privileges"}},
	{"kernel structures", GRADE_BEST, "BTF", {"BTF", "bpf_probe_read_kernel"}},
	{"flushes", GRADE_BEST, "tp_btf tlb_flush", {"tlb_flush", "tp_btf"}},
	{"loads", GRADE_BEST, "tp_btf tlb_flush; the next task by the run queue", {"run queues"}},
	{"loads", GRADE_SLOWER, "tp_btf tlb_flush; the next task by sched_switch", {"sched_switch", "tp_btf"}},
	{"context switches", GRADE_BEST, "counters of each thread, by iter/task", {"iter/task"}},
	{"processes", GRADE_BEST, "tp_btf sched_process_fork, _exec, _exit",
	 {"sched_process_fork", "sched_process_exec", "sched_process_exit", "tp_btf"}},
	{"huge pages, page tables", GRADE_BEST, "/proc/PID of all users", {"CAP_SYS_PTRACE"}},
	{"huge pages, page tables", GRADE_LIMITED, "huge pages of one's own processes only", {}},
	{"cost of page walks", GRADE_BEST, "TLB misses by hardware counters", {"TLB misses"}},
	{"cost of page walks", GRADE_LIMITED, "not measured: what the memory needs is estimated", {}},
	{"cost of tracing", GRADE_BEST, "BPF_ENABLE_STATS", {"run-time statistics"}},
	{"cost of tracing", GRADE_LIMITED, "the CPU time of BPF is not told", {}},
	{"--cgroup", GRADE_BEST, "id of the cgroup, in the kernel", {"memory cgroup"}},
	{"--cgroup", GRADE_LIMITED, "no --cgroup", {}},
};

static const struct way ps_ways[] = {
	{"memory of processes", GRADE_BEST, "/proc/PID of all users", {"CAP_SYS_PTRACE"}},
	{"memory of processes", GRADE_LIMITED, "PSS and USS of one's own processes only", {}},
	{"--cgroup", GRADE_BEST, "/proc/PID/cgroup", {"memory cgroup"}},
	{"--cgroup", GRADE_LIMITED, "no --cgroup", {}},
};
static const struct way maps_ways[] = {
	{"mappings", GRADE_BEST, "/proc/PID/smaps, pagemap of all users", {"CAP_SYS_PTRACE"}},
	{"mappings", GRADE_LIMITED, "of one's own processes", {}},
	{"physical pages", GRADE_BEST, "/proc/kpageflags, kpagecount", {"CAP_SYS_ADMIN"}},
	{"physical pages", GRADE_LIMITED, "not told", {}},
	{"--trace", GRADE_BEST, "as faults", {"privileges", "BTF", "page-faults"}},
	{"--trace", GRADE_LIMITED, "no --trace", {}},
};

static const struct way system_ways[] = {
	{"memory, zones, rates", GRADE_BEST, "/proc/meminfo, zoneinfo, buddyinfo, vmstat", {}},
	{"pressure", GRADE_BEST, "/proc/pressure/memory", {"pressure (PSI)"}},
	{"pressure", GRADE_LIMITED, "not told", {}},
};
static const struct way reclaim_ways[] = {
	{"privileges", GRADE_BEST, "root, or CAP_BPF and CAP_PERFMON", {"privileges"}},
	{"kernel structures", GRADE_BEST, "BTF", {"BTF", "bpf_probe_read_kernel"}},
	{"stalls", GRADE_BEST, "tp_btf mm_vmscan_direct_, memcg_reclaim_begin, _end",
	 {"mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end", "mm_vmscan_memcg_reclaim_end", "tp_btf"}},
	{"pages looked at", GRADE_BEST, "tp_btf mm_vmscan_lru_shrink_inactive", {"mm_vmscan_lru_shrink_inactive"}},
	{"kswapd", GRADE_BEST, "tp_btf mm_vmscan_kswapd_wake, _sleep, wakeup_kswapd", {"mm_vmscan_kswapd_wake"}},
	{"compaction", GRADE_BEST, "tp_btf mm_compaction_begin, _end", {"mm_compaction_begin"}},
	{"compaction", GRADE_LIMITED, "not told", {}},
	{"pauses", GRADE_BEST, "tp_btf mm_vmscan_throttled", {"mm_vmscan_throttled"}},
	{"pauses", GRADE_LIMITED, "tp_btf writeback_congestion_wait: only those", {}},
	{"pages swapped out", GRADE_BEST, "tp_btf rss_stat, if there is swap", {"rss_stat"}},
	{"pages swapped out", GRADE_LIMITED, "of the machine alone, from /proc/vmstat", {}},
	{"swap-ins, files read", GRADE_BEST, "as faults", {"page_fault_user", "major-faults"}},
	{"swap-ins, files read", GRADE_LIMITED, "as faults, at a higher cost", {"page-faults", "major-faults"}},
	{"cost of tracing", GRADE_BEST, "BPF_ENABLE_STATS", {"run-time statistics"}},
	{"cost of tracing", GRADE_LIMITED, "the CPU time of BPF is not told", {}},
	{"--cgroup", GRADE_BEST, "id of the cgroup, in the kernel", {"memory cgroup"}},
	{"--cgroup", GRADE_LIMITED, "no --cgroup", {}},
};
static const struct way oom_ways[] = {
	{"privileges", GRADE_BEST, "root, or CAP_BPF and CAP_PERFMON", {"privileges"}},
	{"kernel structures", GRADE_BEST, "BTF", {"BTF", "bpf_probe_read_kernel"}},
	{"kills", GRADE_BEST, "tp_btf mark_victim, signal_generate", {"mark_victim", "signal_generate", "tp_btf"}},
	{"requests, limits", GRADE_BEST, "tp_btf mm_vmscan_direct_ and memcg_reclaim_begin",
	 {"mm_vmscan_direct_reclaim_begin", "mm_vmscan_memcg_reclaim_begin", "tp_btf"}},
	{"the kernel's decision", GRADE_BEST, "fentry oom_kill_process", {"fentry"}},
	{"the kernel's decision", GRADE_BEST, "kprobe oom_kill_process", {"kprobe"}},
	{"the kernel's decision", GRADE_LIMITED, "the kernel's log: not in a storm of kills", {}},
	{"call sites (--stacks)", GRADE_BEST, "software event minor-faults", {"minor-faults"}},
	{"RSS of the victim", GRADE_BEST, "percpu counters, summed up", {"percpu counters"}},
	{"RSS of the victim", GRADE_LIMITED, "without what threads hold back (64 pages each)", {}},
	{"mappings of the victim", GRADE_BEST, "maple tree, direct reads", {"maple tree", "bpf_rdonly_cast"}},
	{"mappings of the victim", GRADE_SLOWER, "maple tree, bpf_probe_read_kernel", {"maple tree"}},
	{"mappings of the victim", GRADE_SLOWER, "rb-tree, bpf_probe_read_kernel", {"rb-tree"}},
	{"exit", GRADE_BEST, "tp_btf sched_process_exit", {"sched_process_exit", "tp_btf"}},
	{"memory back", GRADE_BEST, "tp_btf exit_mmap", {"exit_mmap", "tp_btf"}},
	{"memory back", GRADE_LIMITED, "not told: only the exit", {}},
	{"reaper", GRADE_BEST, "tp_btf wake_reaper, finish_, skip_task_reaping",
	 {"wake_reaper", "finish_task_reaping", "skip_task_reaping", "tp_btf"}},
	{"other processes", GRADE_BEST, "iter/task", {"iter/task"}},
	{"records", GRADE_BEST, "ring buffer", {"ring buffer"}},
	{"cost of tracing", GRADE_BEST, "the programs time themselves", {}},
	{"stalls of the machine", GRADE_BEST, "/proc/pressure/memory", {"pressure (PSI)"}},
	{"stalls of the machine", GRADE_LIMITED, "not told", {}},
	{"not to be killed itself", GRADE_BEST, "oom_score_adj -1000", {"CAP_SYS_RESOURCE"}},
	{"not to be killed itself", GRADE_LIMITED, "as any other process", {}},
	{"--cgroup", GRADE_BEST, "id of the cgroup, in the kernel", {"memory cgroup"}},
	{"--cgroup", GRADE_LIMITED, "no --cgroup", {}},
};
/* clang-format on */

static const struct out_column use_columns[] = {
	{.key = "command", .flags = OUT_JSON_ONLY},
	{.key = "status", .heading = "STATUS", .flags = OUT_LEFT},
	{.key = "part", .heading = "PART", .flags = OUT_LEFT},
	{.key = "by", .heading = "BY", .flags = OUT_LEFT | OUT_FILL},
};

/* clang-format off */
static const struct command {
	const char *name;
	struct out_table table;
	const struct way *ways;
	size_t count;
} commands[] = {
#define COMMAND(name, ways) \
	{name, {"use", "How " name " works here", use_columns, COUNT(use_columns)}, ways, COUNT(ways)}
	COMMAND("faults", faults_ways),
	COMMAND("brk-vs-mmap", brk_vs_mmap_ways),
	COMMAND("leaks", leaks_ways),
	COMMAND("oom", oom_ways),
	COMMAND("tlb", tlb_ways),
	COMMAND("ps", ps_ways),
	COMMAND("maps", maps_ways),
	COMMAND("system", system_ways),
	COMMAND("reclaim", reclaim_ways),
#undef COMMAND
};
/* clang-format on */

struct doctor {
	struct common_options common;
	struct features offered;
	struct finding findings[COUNT(features)];
	struct out *out;
};

/* --- options ------------------------------------------------------------------------------------------- */

static const struct argp_option doctor_options[] = {
	{"json", KEY_JSON, NULL, 0, "JSON Lines instead of tables", 0},
	{"verbose", 'v', NULL, 0,
	 "Say of everything what its absence would cost, not only of what is missing", 0},
	{"btf", KEY_BTF, "FILE", 0, "Types of this kernel, where /sys/kernel/btf/vmlinux is hidden", 0},
	{"help", KEY_HELP, NULL, 0, "Show this help", -1},
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	return common_argp.parser(key, arg, state);
}

static const struct argp argp = {
	doctor_options,
	parse_option,
	NULL,
	"Tells what this kernel offers, what each command uses of it, what is missing, and how to get it. "
	"Changes nothing. Exit status 1 if a command cannot work here.",
	NULL,
	NULL,
	NULL,
};

/* Returns -1 to go on, else the exit status. */
static int parse(struct common_options *common, int argc, char **argv)
{
	int status = options__parse(&argp, argc, argv, common, common);

	if (status < 0 && common->target.program) {
		log__error("--: doctor runs no program");
		return EXIT_USAGE;
	}
	return status;
}

/* --- judging ------------------------------------------------------------------------------------------- */

static size_t feature_index(const char *name)
{
	size_t i = 0;

	while (i < COUNT(features) && strcmp(features[i].name, name))
		i++;
	assert(i < COUNT(features));
	return i;
}

static const struct finding *finding_of(const struct doctor *d, const struct feature *feature)
{
	return &d->findings[feature - features];
}

static const char *remedy_of(const struct doctor *d, const struct feature *feature)
{
	const char *remedy = finding_of(d, feature)->remedy;

	return remedy ? remedy : feature->remedy;
}

/* A feature that keeps us from going this way: one that is not there before one of which we do not know. */
static const struct feature *obstacle(const struct doctor *d, const struct way *way)
{
	const struct feature *unknown = NULL;

	for (size_t i = 0; i < COUNT(way->takes) && way->takes[i]; i++) {
		const struct feature *feature = &features[feature_index(way->takes[i])];
		enum found found = finding_of(d, feature)->found;

		if (found == FOUND_UNKNOWN)
			unknown = feature;
		else if (found != FOUND_YES)
			return feature;
	}
	return unknown;
}

/* How a part of a command is done. */
struct choice {
	const char *part;
	size_t alternatives;   /* ways of doing it */
	const struct way *way; /* the one taken; NULL: none can be */
	enum grade grade;
	const struct feature *missing; /* what the best way lacks; NULL: nothing */
};

/* For the part that begins at ways[0]. */
static struct choice choose(const struct doctor *d, const struct way *ways, size_t count)
{
	struct choice choice = {.part = ways->part, .grade = GRADE_NONE};

	for (size_t i = 0; i < count && !strcmp(ways[i].part, ways->part); i++) {
		const struct feature *missing = obstacle(d, &ways[i]);

		choice.alternatives++;
		if (!i)
			choice.missing = missing;
		if (choice.way || (missing && finding_of(d, missing)->found != FOUND_UNKNOWN))
			continue;
		choice.way = &ways[i];
		choice.grade = missing ? GRADE_UNKNOWN : ways[i].grade;
	}
	return choice;
}

static bool takes(const struct way *way, const char *feature)
{
	for (size_t i = 0; i < COUNT(way->takes) && way->takes[i]; i++)
		if (!strcmp(way->takes[i], feature))
			return true;
	return false;
}

/* Has it a use, and would none of its uses be better served by it than it is? */
static bool is_unneeded(const struct doctor *d, const struct feature *feature)
{
	bool used = false;

	for (size_t i = 0; i < COUNT(commands); i++) {
		const struct command *command = &commands[i];
		struct choice choice = {};

		for (size_t at = 0; at < command->count; at++) {
			const struct way *way = &command->ways[at];

			if (!at || strcmp(way->part, choice.part))
				choice = choose(d, way, command->count - at);
			if (!takes(way, feature->name))
				continue;
			if (!choice.way || choice.way->grade > way->grade)
				return false;
			used = true;
		}
	}
	return used;
}

static void append(char *buf, size_t size, const char *separator, const char *text)
{
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, "%s%s", used ? separator : "", text);
}

/* What comes of a command. */
struct verdict {
	enum grade grade;	       /* the worst of its parts */
	char parts[256];	       /* those of that grade */
	char uses[1024];	       /* "exceptions: software event page-faults; ..." */
	const struct feature *missing; /* for the first of those parts */
};

static void judge(const struct doctor *d, const struct command *command, struct verdict *verdict)
{
	struct choice choice;
	char use[160];

	memset(verdict, 0, sizeof(*verdict));
	for (size_t at = 0; at < command->count; at += choice.alternatives) {
		choice = choose(d, &command->ways[at], command->count - at);
		if (choice.way) {
			snprintf(use, sizeof(use), "%s: %s", choice.part, choice.way->by);
			append(verdict->uses, sizeof(verdict->uses), "; ", use);
		}
		if (choice.grade > verdict->grade) {
			verdict->grade = choice.grade;
			verdict->missing = choice.missing;
			verdict->parts[0] = '\0';
		}
		if (choice.grade == verdict->grade && choice.grade >= GRADE_LIMITED)
			append(verdict->parts, sizeof(verdict->parts), ", ", choice.part);
	}
}

/* --- the report ---------------------------------------------------------------------------------------- */

static void put_text_or_unknown(struct out *out, const char *key, const char *text)
{
	if (text)
		out__text(out, key, text);
	else
		out__unknown(out, key);
}

/* What goes on a line of its own: about what is missing, and with -v about everything. */
static void describe_absence(const struct doctor *d, const struct feature *feature, bool missing, char *buf,
			     size_t size)
{
	const struct finding *finding = finding_of(d, feature);
	const char *remedy = remedy_of(d, feature);

	*buf = '\0';
	if (finding->found == FOUND_UNKNOWN && finding->remedy)
		snprintf(buf, size, "to look: %s", remedy);
	else if (feature->missing_costs && (missing || d->common.verbose))
		snprintf(buf, size, "without: %s%s%s", feature->missing_costs, remedy ? "; " : "",
			 remedy ? remedy : "");
}

static void put_feature(const struct doctor *d, const struct feature *feature)
{
	static const char *const names[] = {"yes", "no", "refused", "unknown"};
	const struct finding *finding = finding_of(d, feature);
	bool absent = finding->found == FOUND_NO || finding->found == FOUND_REFUSED;
	bool unneeded = absent && is_unneeded(d, feature);
	char detail[256];

	describe_absence(d, feature, absent && !unneeded, detail, sizeof(detail));
	out__row(d->out);
	out__text(d->out, "group", groups[feature->group].name);
	out__text(d->out, "status", unneeded ? "unneeded" : names[finding->found]);
	out__text(d->out, "name", feature->name);
	out__text(d->out, "used_for", feature->used_for);
	out__text(d->out, "note", finding->note);
	put_text_or_unknown(d->out, "missing_costs", feature->missing_costs);
	put_text_or_unknown(d->out, "remedy", remedy_of(d, feature));
	out__text(d->out, NULL, detail);
	out__row_end(d->out);
}

static void put_group(const struct doctor *d, enum group group)
{
	out__begin(d->out, &groups[group].table);
	for (size_t i = 0; i < COUNT(features); i++)
		if (features[i].group == group)
			put_feature(d, &features[i]);
	out__end(d->out, 0);
}

static void put_uses(const struct doctor *d, const struct command *command)
{
	struct choice choice;

	out__begin(d->out, &command->table);
	for (size_t at = 0; at < command->count; at += choice.alternatives) {
		choice = choose(d, &command->ways[at], command->count - at);
		out__row(d->out);
		out__text(d->out, "command", command->name);
		out__text(d->out, "status", grade_names[choice.grade]);
		out__text(d->out, "part", choice.part);
		put_text_or_unknown(d->out, "by", choice.way ? choice.way->by : NULL);
		out__row_end(d->out);
	}
	out__end(d->out, 0);
}

static const struct out_column command_columns[] = {
	{.key = "command", .heading = "COMMAND", .flags = OUT_LEFT},
	{.key = "status", .heading = "STATUS", .flags = OUT_LEFT},
	{.key = "limited_by", .heading = "BECAUSE OF", .flags = OUT_LEFT | OUT_FILL | OUT_IF_ANY},
	{.key = "uses", .flags = OUT_JSON_ONLY},
};
static const struct out_table command_table = {"command", "Commands", command_columns,
					       COUNT(command_columns)};

/* One line for all commands that cannot work. */
static void complain(const struct doctor *d)
{
	char all[512] = "", one[256];
	struct verdict verdict;

	for (size_t i = 0; i < COUNT(commands); i++) {
		judge(d, &commands[i], &verdict);
		if (verdict.grade != GRADE_NONE)
			continue;
		snprintf(one, sizeof(one), "%s (%s%s%s)", commands[i].name, verdict.missing->name,
			 verdict.missing->remedy ? ": " : "",
			 verdict.missing->remedy ? verdict.missing->remedy : "");
		append(all, sizeof(all), ", ", one);
	}
	if (*all)
		log__error("cannot work here: %s", all);
}

/* How many of the commands can work. */
static size_t put_commands(const struct doctor *d)
{
	static const char *const statuses[] = {"ready", "ready", "limited", "limited", "cannot"};
	struct verdict verdict;
	size_t usable = 0;

	for (size_t i = 0; i < COUNT(commands); i++)
		put_uses(d, &commands[i]);
	out__begin(d->out, &command_table);
	for (size_t i = 0; i < COUNT(commands); i++) {
		judge(d, &commands[i], &verdict);
		usable += verdict.grade != GRADE_NONE;
		out__row(d->out);
		out__text(d->out, "command", commands[i].name);
		out__text(d->out, "status", statuses[verdict.grade]);
		put_text_or_unknown(d->out, "limited_by", *verdict.parts ? verdict.parts : NULL);
		out__text(d->out, "uses", verdict.uses);
		out__row_end(d->out);
	}
	out__end(d->out, 0);
	return usable;
}

static const struct out_column end_columns[] = {
	{.key = "commands", .flags = OUT_JSON_ONLY},
	{.key = "usable", .flags = OUT_JSON_ONLY},
};
static const struct out_table end_table = {"end", NULL, end_columns, COUNT(end_columns)};

static void put_end(struct out *out, size_t usable)
{
	if (out__format(out) != OUT_JSON)
		return;
	out__line(out, &end_table);
	out__count(out, "commands", COUNT(commands));
	out__count(out, "usable", usable);
	out__row_end(out);
}

static int run(struct doctor *d)
{
	size_t usable;
	int err;

	libbpf_set_print(NULL); /* what it warns of is in the report */
	d->out = options__output(&d->common);
	if (!d->out) {
		log__error("no memory");
		return EXIT_FAILED;
	}
	features__look(&d->offered, d->common.btf);
	for (size_t i = 0; i < COUNT(features); i++)
		features[i].probe(&d->offered, features[i].argument ? features[i].argument : features[i].name,
				  &d->findings[i]);
	report__start(d->out, "doctor");
	for (enum group group = 0; group < GROUPS; group++)
		put_group(d, group);
	usable = put_commands(d);
	put_end(d->out, usable);
	err = report__flush(d->out);
	complain(d);
	return (err && err != -EPIPE) || usable < COUNT(commands) ? EXIT_FAILED : EXIT_OK;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = {};
	int status = parse(&d.common, argc, argv);

	if (status < 0)
		status = run(&d);
	out__free(d.out);
	features__close(&d.offered);
	target__free(&d.common.target);
	return status;
}
