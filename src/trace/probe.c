/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "proc/file.h"
#include "trace/privileges.h"
#include "trace/tracefs.h"
#include "trace/walk_counter.h"

static void __attribute__((format(printf, 3, 4)))
tell(struct finding *finding, enum found found, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finding->found = found;
	vsnprintf(finding->note, sizeof(finding->note), format, args);
	va_end(args);
}

static void tell_error(struct finding *finding, const char *step, int error)
{
	enum found found = error == EPERM || error == EACCES ? FOUND_REFUSED : FOUND_NO;
	const char *name = strerrorname_np(error);

	/* The kernel also returns numbers that are none of user space's: 524, ENOTSUPP. */
	if (name)
		tell(finding, found, "%s at %s", name, step);
	else
		tell(finding, found, "error %d at %s", error, step);
}

/* The first line of a small file, without its end; the caller frees it. NULL: told. */
static char *first_line(const char *path, struct finding *finding)
{
	char *text = file__read(path, NULL);

	if (text)
		text[strcspn(text, "\n")] = '\0';
	else
		tell(finding, FOUND_UNKNOWN, "cannot read %s", path);
	return text;
}

/* --- the kernel ---------------------------------------------------------------------------------------- */

void probe__release(const struct features *features, const char *name, struct finding *finding)
{
	struct utsname uts = {};

	(void)features, (void)name;
	uname(&uts);
	tell(finding, FOUND_YES, "%s", uts.release);
}

void probe__architecture(const struct features *features, const char *name, struct finding *finding)
{
	struct utsname uts = {};

	(void)features, (void)name;
	uname(&uts);
	tell(finding, FOUND_YES, "%s", uts.machine);
}

void probe__btf(const struct features *features, const char *name, struct finding *finding)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";

	(void)name;
	if (features->kernel_btf && features->btf_file)
		tell(finding, FOUND_YES, "from --btf");
	else if (features->btf_file)
		tell(finding, FOUND_NO, "--btf: it has none");
	else if (features->kernel_btf)
		tell(finding, FOUND_YES, "%s", access(path, F_OK) ? "from a vmlinux on disk" : path);
	else if (access(path, F_OK))
		tell(finding, FOUND_NO, "no %s", path);
	else
		tell(finding, FOUND_REFUSED, "cannot read %s", path);
}

void probe__jit(const struct features *features, const char *name, struct finding *finding)
{
	char *mode = first_line("/proc/sys/net/core/bpf_jit_enable", finding);

	(void)features, (void)name;
	if (mode)
		tell(finding, strcmp(mode, "0") ? FOUND_YES : FOUND_NO, "net.core.bpf_jit_enable = %s", mode);
	free(mode);
}

/* "none [integrity] confidentiality": the brackets mark the mode. Confidentiality forbids BPF to read the
 * kernel. */
void probe__lockdown(const struct features *features, const char *name, struct finding *finding)
{
	char *modes = file__read("/sys/kernel/security/lockdown", NULL);
	char *mode = modes ? strchr(modes, '[') : NULL;

	(void)features, (void)name;
	if (mode) {
		mode++;
		mode[strcspn(mode, "]")] = '\0';
		tell(finding, strcmp(mode, "confidentiality") ? FOUND_YES : FOUND_REFUSED, "lockdown = %s",
		     mode);
	} else if (!access("/sys/kernel/security/lsm", F_OK)) {
		tell(finding, FOUND_YES, "a kernel without lockdown");
	} else {
		tell(finding, FOUND_UNKNOWN, "no securityfs mounted");
		finding->remedy = "mount -t securityfs nodev /sys/kernel/security";
	}
	free(modes);
}

/* Where a filesystem of that type is first mounted, from the text of /proc/self/mounts. */
static bool find_mount(const char *mounts, const char *type, char *dir, size_t size)
{
	char at[PATH_MAX], is[64];

	for (const char *line = mounts; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (sscanf(line, "%*s %4095s %63s", at, is) == 2 && !strcmp(is, type)) {
			snprintf(dir, size, "%s", at);
			return true;
		}
	}
	return false;
}

void probe__tracefs(const struct features *features, const char *name, struct finding *finding)
{
	char *mounts = file__read("/proc/self/mounts", NULL), *types = file__read("/proc/filesystems", NULL);
	char dir[PATH_MAX], events[PATH_MAX + 8];

	(void)features, (void)name;
	if (!mounts || !types) {
		tell(finding, FOUND_UNKNOWN, "cannot read /proc");
	} else if (find_mount(mounts, "tracefs", dir, sizeof(dir))) {
		snprintf(events, sizeof(events), "%s/events", dir);
		tell(finding, access(events, R_OK | X_OK) ? FOUND_REFUSED : FOUND_YES, "at %s", dir);
		if (finding->found == FOUND_REFUSED && !features__may_trace())
			finding->remedy = "run with sudo";
		else if (finding->found == FOUND_REFUSED)
			finding->remedy = "a kernel that allows it";
	} else if (strstr(types, "\ttracefs\n")) {
		tell(finding, FOUND_NO, "not mounted");
	} else {
		tell(finding, FOUND_NO, "not in this kernel");
		finding->remedy = "a kernel with CONFIG_FTRACE";
	}
	free(mounts);
	free(types);
}

void probe__private_tracefs(const struct features *features, const char *name, struct finding *finding)
{
	int fd = tracefs__mount();

	(void)features, (void)name;
	if (fd < 0) {
		tell_error(finding, "mount of tracefs", -fd);
		if (finding->found == FOUND_REFUSED && privileges__has(CAP_SYS_ADMIN))
			finding->remedy = "run it outside the container";
		return;
	}
	close(fd);
	tell(finding, FOUND_YES, "mounted where nobody sees it");
}

/* --- privileges ---------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int number;
} capabilities[] = {
	{"CAP_BPF", CAP_BPF},
	{"CAP_PERFMON", CAP_PERFMON},
	{"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
	{"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
	{"CAP_SYS_RESOURCE", CAP_SYS_RESOURCE},
	{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
	{"CAP_SYSLOG", CAP_SYSLOG},
};

void probe__privileges(const struct features *features, const char *name, struct finding *finding)
{
	bool enough = features__may_trace();

	(void)features, (void)name;
	tell(finding, enough ? FOUND_YES : FOUND_NO, "uid %u", geteuid());
}

/* CAP_BPF and CAP_PERFMON (5.8) are parts of what CAP_SYS_ADMIN allowed before, and still does. */
void probe__capability(const struct features *features, const char *name, struct finding *finding)
{
	(void)features;
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		int number = capabilities[i].number;

		if (strcmp(capabilities[i].name, name))
			continue;
		if (privileges__has(number))
			tell(finding, FOUND_YES, "effective");
		else if ((number == CAP_BPF || number == CAP_PERFMON) && privileges__has(CAP_SYS_ADMIN))
			tell(finding, FOUND_YES, "by CAP_SYS_ADMIN");
		else
			tell(finding, FOUND_NO, "not effective");
	}
}

void probe__unprivileged_bpf(const struct features *features, const char *name, struct finding *finding)
{
	char *value = first_line("/proc/sys/kernel/unprivileged_bpf_disabled", finding);

	(void)features, (void)name;
	if (value && features__may_trace())
		tell(finding, FOUND_YES, "%s: we are privileged", value);
	else if (value)
		tell(finding, FOUND_REFUSED, "%s", value);
	free(value);
}

void probe__perf_paranoid(const struct features *features, const char *name, struct finding *finding)
{
	char *value = first_line("/proc/sys/kernel/perf_event_paranoid", finding);

	(void)features, (void)name;
	if (value && features__may_trace())
		tell(finding, FOUND_YES, "%s: we are privileged", value);
	else if (value) /* above 0: no events of a whole CPU */
		tell(finding, atoi(value) <= 0 ? FOUND_YES : FOUND_REFUSED, "%s", value);
	free(value);
}

/* --- by BTF -------------------------------------------------------------------------------------------- */

static void tell_in_btf(struct finding *finding, const struct features *features, bool present)
{
	if (!features->kernel_btf)
		tell(finding, FOUND_UNKNOWN, "no BTF to look in");
	else
		tell(finding, present ? FOUND_YES : FOUND_NO, "%s",
		     present ? "found in BTF" : "not in this kernel");
}

void probe__tracepoint(const struct features *features, const char *name, struct finding *finding)
{
	tell_in_btf(finding, features, features__has_tracepoint(features, name));
}

void probe__function(const struct features *features, const char *name, struct finding *finding)
{
	tell_in_btf(finding, features, features__has_function(features, name));
}

void probe__run_queues(const struct features *features, const char *name, struct finding *finding)
{
	(void)name;
	if (features->run_queues)
		tell(finding, FOUND_YES, "in BTF and /proc/kallsyms");
	else
		tell_in_btf(finding, features, false);
}

void probe__member(const struct features *features, const char *name, struct finding *finding)
{
	const char *dot = strchr(name, '.');
	char type[64];

	snprintf(type, sizeof(type), "%.*s", (int)(dot - name), name);
	tell_in_btf(finding, features, features__has_member(features, type, dot + 1));
}

/* --- by trying ----------------------------------------------------------------------------------------- */

/* return 0; */
static const struct bpf_insn do_nothing[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	{.code = BPF_JMP | BPF_EXIT},
};

/* The kernel's own test function, which nothing calls; where that is not built, one that is seldom called. */
static const char *const quiet_functions[] = {"bpf_fentry_test1", "oom_kill_process"};

/* The result of a trial that features__look() has made. */
static void tell_tried(struct finding *finding, bool works)
{
	tell(finding, works ? FOUND_YES : FOUND_NO, "%s", works ? "tried" : "not in this kernel");
}

static bool may_try(struct finding *finding)
{
	if (features__may_trace())
		return true;
	tell(finding, FOUND_UNKNOWN, "needs privilege");
	return false;
}

/* fd as it is; if it is -1, with errno, that is told. */
static int checked(struct finding *finding, const char *step, int fd)
{
	if (fd < 0)
		tell_error(finding, step, errno);
	return fd;
}

static int load(struct finding *finding, enum bpf_prog_type type, const struct bpf_prog_load_opts *opts)
{
	return checked(finding, "load", bpf_prog_load(type, "memtrace_probe", "GPL", do_nothing, 2, opts));
}

/* Load a program for a BTF id and attach it. */
static void try_tracing(struct finding *finding, enum bpf_attach_type attach, int btf_id)
{
	struct bpf_prog_load_opts opts = {
		.sz = sizeof(opts),
		.expected_attach_type = attach,
		.attach_btf_id = btf_id,
	};
	int prog = -1, link = -1;

	if (btf_id <= 0)
		tell(finding, FOUND_NO, "not in this kernel");
	else
		prog = load(finding, BPF_PROG_TYPE_TRACING, &opts);
	if (prog >= 0)
		link = checked(finding, "attach",
			       attach == BPF_TRACE_ITER ? bpf_link_create(prog, 0, attach, NULL)
							: bpf_raw_tracepoint_open(NULL, prog));
	if (link >= 0) {
		tell(finding, FOUND_YES, "loaded and attached");
		close(link);
	}
	if (prog >= 0)
		close(prog);
}

void probe__tp_btf(const struct features *features, const char *name, struct finding *finding)
{
	char type[128];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	if (may_try(finding))
		try_tracing(finding, BPF_TRACE_RAW_TP,
			    features->kernel_btf
				    ? btf__find_by_name_kind(features->kernel_btf, type, BTF_KIND_TYPEDEF)
				    : -ENOENT);
}

static int function_id(const struct features *features, const char *name)
{
	return features->kernel_btf ? btf__find_by_name_kind(features->kernel_btf, name, BTF_KIND_FUNC)
				    : -ENOENT;
}

void probe__iterator(const struct features *features, const char *name, struct finding *finding)
{
	char function[64];

	snprintf(function, sizeof(function), "bpf_iter_%s", name);
	if (may_try(finding))
		try_tracing(finding, BPF_TRACE_ITER, function_id(features, function));
}

static const char *quiet_function(const struct features *features)
{
	return quiet_functions[function_id(features, quiet_functions[0]) > 0 ? 0 : 1];
}

void probe__fentry(const struct features *features, const char *name, struct finding *finding)
{
	(void)name;
	if (may_try(finding))
		try_tracing(finding, BPF_TRACE_FENTRY, function_id(features, quiet_function(features)));
}

/* Open a disabled event on a CPU that is online (cpu < 0: of this process), and give it a program. */
static void try_perf_event(struct finding *finding, enum bpf_prog_type type, struct perf_event_attr *attr,
			   int pid)
{
	int cpus = pid < 0 ? libbpf_num_possible_cpus() : 0, cpu = pid < 0 ? 0 : -1, event, prog = -1;

	attr->size = sizeof(*attr);
	attr->disabled = 1;
	do {
		event = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	} while (event < 0 && errno == ENODEV && ++cpu < cpus);
	if (checked(finding, "open", event) < 0)
		return;
	prog = load(finding, type, NULL);
	if (prog >= 0) {
		if (checked(finding, "attach", ioctl(event, PERF_EVENT_IOC_SET_BPF, prog)) >= 0)
			tell(finding, FOUND_YES, "opened and attached");
		close(prog);
	}
	close(event);
}

void probe__software_event(const struct features *features, const char *name, struct finding *finding)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .sample_period = 1};

	(void)features;
	if (!strcmp(name, "minor-faults"))
		attr.config = PERF_COUNT_SW_PAGE_FAULTS_MIN;
	else if (!strcmp(name, "major-faults"))
		attr.config = PERF_COUNT_SW_PAGE_FAULTS_MAJ;
	else
		attr.config = PERF_COUNT_SW_PAGE_FAULTS;
	if (may_try(finding))
		try_perf_event(finding, BPF_PROG_TYPE_PERF_EVENT, &attr, -1);
}

void probe__tlb_misses(const struct features *features, const char *name, struct finding *finding)
{
	struct walk_counter *counter;

	(void)features;
	(void)name;
	if (!may_try(finding))
		return;
	counter = walk_counter__open();
	if (counter)
		tell(finding, FOUND_YES, "opened");
	else
		tell_error(finding, "open", errno);
	walk_counter__close(counter);
}

/* The number of a source of perf events, which `config` makes a kernel have. 0: told. */
static unsigned event_type(const char *source, const char *config, struct finding *finding)
{
	char path[128], *text;
	unsigned type = 0;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", source);
	text = file__read(path, NULL);
	if (text)
		type = strtoul(text, NULL, 10);
	else if (access("/sys/bus/event_source", F_OK))
		tell(finding, FOUND_UNKNOWN, "no /sys to look in");
	else
		tell(finding, FOUND_NO, "not in this kernel");
	finding->remedy = text ? NULL : config;
	free(text);
	return type;
}

void probe__kprobe(const struct features *features, const char *name, struct finding *finding)
{
	struct perf_event_attr attr = {
		.type = event_type("kprobe", "a kernel with CONFIG_KPROBES", finding),
		.kprobe_func = (uintptr_t)quiet_function(features),
	};

	(void)name;
	if (attr.type && may_try(finding))
		try_perf_event(finding, BPF_PROG_TYPE_KPROBE, &attr, -1);
}

/* For the uprobe to sit on, in this process only. */
static void __attribute__((noinline, used)) never_called(void)
{
	__asm__ volatile("");
}

/* Turn the address *data within this program into an offset in its file. */
static int to_file_offset(struct dl_phdr_info *info, size_t size, void *data)
{
	uint64_t *address = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || *address < start || *address >= start + segment->p_filesz)
			continue;
		*address = *address - start + segment->p_offset;
		return 1;
	}
	return 0;
}

void probe__uprobe(const struct features *features, const char *name, struct finding *finding)
{
	struct perf_event_attr attr = {
		.type = event_type("uprobe", "a kernel with CONFIG_UPROBES", finding),
		.uprobe_path = (uintptr_t) "/proc/self/exe",
	};
	uint64_t offset = (uintptr_t)never_called;

	(void)features, (void)name;
	if (!attr.type || !may_try(finding))
		return;
	dl_iterate_phdr(to_file_offset, &offset);
	attr.probe_offset = offset;
	try_perf_event(finding, BPF_PROG_TYPE_KPROBE, &attr, 0);
}

void probe__ring_buffer(const struct features *features, const char *name, struct finding *finding)
{
	int fd;

	(void)features, (void)name;
	if (!may_try(finding))
		return;
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, getpagesize(), NULL);
	if (checked(finding, "creation", fd) < 0)
		return;
	tell(finding, FOUND_YES, "created");
	close(fd);
}

void probe__run_time(const struct features *features, const char *name, struct finding *finding)
{
	int fd;

	(void)features, (void)name;
	if (!may_try(finding))
		return;
	fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (checked(finding, "BPF_ENABLE_STATS", fd) < 0)
		return;
	tell(finding, FOUND_YES, "BPF_ENABLE_STATS works");
	close(fd);
}

void probe__task_registers(const struct features *features, const char *name, struct finding *finding)
{
	(void)name;
	if (may_try(finding))
		tell_tried(finding, features->task_registers);
}

void probe__kernel_reads(const struct features *features, const char *name, struct finding *finding)
{
	(void)features, (void)name;
	if (!may_try(finding))
		return;
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_probe_read_kernel, NULL) == 1)
		tell_tried(finding, true);
	else
		tell(finding, FOUND_REFUSED, "not offered");
}

/* --- memory -------------------------------------------------------------------------------------------- */

/* Is the memory controller on in this hierarchy of cgroup v2? */
static bool has_memory_controller(const char *dir)
{
	char path[PATH_MAX + 32], *controllers, *rest, *word;
	bool has = false;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
	controllers = rest = file__read(path, NULL);
	while (rest && !has && (word = strsep(&rest, " \n")))
		has = !strcmp(word, "memory");
	free(controllers);
	return has;
}

void probe__memory_cgroup(const struct features *features, const char *name, struct finding *finding)
{
	char *mounts = file__read("/proc/self/mounts", NULL), dir[PATH_MAX];
	bool is_v1 = false;

	(void)features, (void)name;
	if (!mounts)
		tell(finding, FOUND_UNKNOWN, "cannot read /proc");
	else if (cgroup__memory_mount(mounts, dir, sizeof(dir), &is_v1))
		tell(finding, FOUND_NO, "not mounted");
	else if (is_v1)
		tell(finding, FOUND_YES, "v1 at %s", dir);
	else
		tell(finding, FOUND_YES, "v2 at %s%s", dir,
		     has_memory_controller(dir) ? "" : ", without the memory controller");
	free(mounts);
}

void probe__pressure(const struct features *features, const char *name, struct finding *finding)
{
	char *text = file__read("/proc/pressure/memory", NULL);

	(void)features, (void)name;
	if (text)
		tell(finding, FOUND_YES, "/proc/pressure/memory");
	else if (errno == EOPNOTSUPP)
		tell(finding, FOUND_NO, "switched off");
	else if (errno == ENOENT)
		tell(finding, FOUND_NO, "no /proc/pressure");
	else
		tell_error(finding, "open", errno);
	free(text);
}

void probe__swap(const struct features *features, const char *name, struct finding *finding)
{
	char *text = file__read("/proc/swaps", NULL), *line = text ? strchr(text, '\n') : NULL;
	unsigned devices = 0, zram = 0;

	(void)features, (void)name;
	for (; line && line[1]; line = strchr(line + 1, '\n')) {
		devices++;
		zram += !strncmp(line + 1, "/dev/zram", strlen("/dev/zram"));
	}
	if (!text && errno != ENOENT)
		tell(finding, FOUND_UNKNOWN, "cannot read /proc/swaps");
	else if (!devices)
		tell(finding, FOUND_NO, "%s", text ? "off" : "not in this kernel");
	else
		tell(finding, FOUND_YES, "%u on, %u of them zram", devices, zram);
	free(text);
}
