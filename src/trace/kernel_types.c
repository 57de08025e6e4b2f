/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/kernel_types.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/log.h"

struct btf *kernel_types__open(const char *file)
{
	struct btf *types = file ? btf__parse(file, NULL) : btf__load_vmlinux_btf();
	int err = libbpf_get_error(types);

	if (!err)
		return types;
	errno = -err;
	return NULL;
}

int kernel_types__check(const struct btf *types)
{
	/* return 0; */
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct bpf_prog_load_opts opts = {.sz = sizeof(opts), .expected_attach_type = BPF_TRACE_RAW_TP};
	int id = btf__find_by_name_kind(types, "btf_trace_sched_process_exec", BTF_KIND_TYPEDEF), fd;

	if (id < 0)
		return -EINVAL;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "memtrace_types", "GPL", nothing, 2, &opts);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* --- in libbpf's place ------------------------------------------------------------------------------------
 */

/* What the thread is given, and its result. */
struct loading {
	const struct btf *types;
	struct bpf_object_skeleton *skeleton;
	int err;
};

static int write_types(const struct btf *types, const char *path)
{
	__u32 size;
	const char *data = btf__raw_data(types, &size);
	int fd = data ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1, err = 0;

	if (fd < 0)
		return -errno;
	for (ssize_t n; size; data += n, size -= n) {
		n = write(fd, data, size);
		if (n <= 0) {
			err = n ? -errno : -EIO;
			break;
		}
	}
	close(fd);
	return err;
}

/* In mounts that are this thread's own from here on. */
static int put_in_place(const struct btf *types)
{
	/* All that the kernel shows there is hidden; loading a program looks for nothing else. */
	bool bare = access("/sys/kernel", X_OK);

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", bare ? "/sys" : "/sys/kernel", "tmpfs", 0, "mode=0700"))
		return -errno;
	if ((bare && mkdir("/sys/kernel", 0700)) || mkdir("/sys/kernel/btf", 0700))
		return -errno;
	return write_types(types, "/sys/kernel/btf/vmlinux");
}

static void *load_apart(void *context)
{
	struct loading *loading = context;

	loading->err = put_in_place(loading->types);
	if (loading->err)
		log__error("--btf: cannot put it in the place of /sys/kernel/btf/vmlinux, which takes "
			   "CAP_SYS_ADMIN and a directory /sys: %s",
			   strerror(-loading->err));
	else
		loading->err = bpf_object__load_skeleton(loading->skeleton);
	return NULL;
}

int kernel_types__load(const struct btf *types, struct bpf_object_skeleton *skeleton)
{
	struct loading loading = {types, skeleton, 0};
	pthread_t thread;
	int err;

	if (!types)
		return bpf_object__load_skeleton(skeleton);
	libbpf_num_possible_cpus(); /* libbpf keeps it: the file that tells may be hidden below */
	err = pthread_create(&thread, NULL, load_apart, &loading);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	return loading.err;
}
