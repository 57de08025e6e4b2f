/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/cgroup_path.h"

#include <stdio.h>
#include <string.h>

void cgroup_path__build(const char *names, size_t size, bool is_cut, unsigned from, char *buf,
			size_t buf_size)
{
	const char *starts[CGROUP_PATH_LEVELS];
	unsigned count = 0;
	size_t used = 0;

	for (size_t at = 0; at < size && count < CGROUP_PATH_LEVELS; count++) {
		const char *stop = memchr(names + at, 0, size - at);

		if (!stop)
			break;
		starts[count] = names + at;
		at = stop - names + 1;
	}
	buf[0] = '\0';
	if (is_cut)
		used += snprintf(buf, buf_size, "...");
	/* The outermost is the root, whose name is empty, or "/" on old kernels. */
	for (unsigned i = count; i-- > from && used < buf_size;)
		if (*starts[i] && strcmp(starts[i], "/"))
			used += snprintf(buf + used, buf_size - used, "/%s", starts[i]);
	if (!used && count)
		snprintf(buf, buf_size, "/");
}
