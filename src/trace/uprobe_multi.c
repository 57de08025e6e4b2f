/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/uprobe_multi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RETURNS 1 /* BPF_F_UPROBE_MULTI_RETURN */

/* union bpf_attr for BPF_LINK_CREATE, in 6.6 and later. */
struct link_create {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags;
	int32_t pid;
	uint32_t pad;
};

static int create(struct link_create *attr)
{
	int fd;

	attr->attach_type = UPROBE_MULTI_ATTACH_TYPE;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof(*attr));
	return fd < 0 ? -errno : fd;
}

/* The kernel looks at the pid before it looks at the file, since it looks at it properly. */
bool uprobe_multi__works(void)
{
	const struct bpf_insn returns_0[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = UPROBE_MULTI_ATTACH_TYPE);
	int prog_fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", returns_0, 2, &options), fd;
	unsigned long long offset = 0;
	struct link_create attr = {.path = (uintptr_t) "/", .offsets = (uintptr_t)&offset, .count = 1};
	bool works;

	if (prog_fd < 0)
		return false;
	attr.prog_fd = prog_fd;
	fd = create(&attr); /* a directory: EBADF */
	works = fd == -EBADF;
	if (fd >= 0)
		close(fd);
	attr.pid = -1;
	fd = create(&attr);
	works &= fd == -EINVAL;
	if (fd >= 0)
		close(fd);
	close(prog_fd);
	return works;
}

int uprobe_multi__attach(int prog_fd, const char *path, const unsigned long long *offsets,
			 const unsigned long long *cookies, size_t n, pid_t pid, bool is_return)
{
	struct link_create attr = {
		.prog_fd = prog_fd,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.cookies = (uintptr_t)cookies,
		.count = n,
		.multi_flags = is_return ? RETURNS : 0,
		.pid = pid,
	};

	return create(&attr);
}
