/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/privileges.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/file.h"

/* The sets of this thread, as capget(2) has them: 64 bits in two halves. */
struct sets {
	uint64_t effective, permitted, inheritable;
};

static int get_sets(struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, halves))
		return -errno;
	sets->effective = halves[0].effective | (uint64_t)halves[1].effective << 32;
	sets->permitted = halves[0].permitted | (uint64_t)halves[1].permitted << 32;
	sets->inheritable = halves[0].inheritable | (uint64_t)halves[1].inheritable << 32;
	return 0;
}

static int set_sets(const struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3];

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		halves[i].effective = sets->effective >> 32 * i;
		halves[i].permitted = sets->permitted >> 32 * i;
		halves[i].inheritable = sets->inheritable >> 32 * i;
	}
	return syscall(SYS_capset, &header, halves) ? -errno : 0;
}

bool privileges__has(int capability)
{
	struct sets sets;

	return !get_sets(&sets) && sets.effective & CAPABILITY(capability);
}

int privileges__drop(uint64_t keep, uint64_t aside)
{
	struct sets sets;
	int err = get_sets(&sets);

	if (err)
		return err;
	sets.permitted &= keep;
	sets.effective &= keep & ~aside;
	sets.inheritable = 0; /* and with it what is ambient */
	err = set_sets(&sets);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	return err;
}

/* Debian's kernels know a 3 (in a patch of theirs): CAP_PERFMON is then not enough. */
const char *privileges__why_no_event(int err)
{
	char *paranoid = err == -EACCES ? file__read("/proc/sys/kernel/perf_event_paranoid", NULL) : NULL;
	bool strict = paranoid && atoi(paranoid) > 2 && !privileges__has(CAP_SYS_ADMIN);

	free(paranoid);
	return strict ? ": CAP_SYS_ADMIN is missing, as sysctl kernel.perf_event_paranoid is above 2" : "";
}

bool privileges__raise(int capability)
{
	struct sets sets;

	if (get_sets(&sets) || !(sets.permitted & ~sets.effective & CAPABILITY(capability)))
		return false;
	sets.effective |= CAPABILITY(capability);
	return !set_sets(&sets);
}

void privileges__lower(int capability, bool raised)
{
	struct sets sets;

	if (!raised || get_sets(&sets))
		return;
	sets.effective &= ~CAPABILITY(capability);
	set_sets(&sets);
}
