/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "util/number.h"

/* fsopen() and fsmount() are of 5.2. */
int tracefs__mount(void)
{
	int fs = fsopen("tracefs", FSOPEN_CLOEXEC), fd, err;

	if (fs < 0)
		return -errno;
	fd = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (fd >= 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	err = errno;
	close(fs);
	return fd < 0 ? -err : fd;
}

int tracefs__open(void)
{
	bool refused = false;
	int mounted;

	static const char *const dirs[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		refused |= fd < 0 && errno == EACCES;
		if (fd >= 0 && !faccessat(fd, "events/syscalls", R_OK | X_OK, AT_EACCESS))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	mounted = tracefs__mount();
	return mounted < 0 && refused ? -EACCES : mounted;
}

int tracefs__tracepoint(int tracefs, const char *name)
{
	char path[256], text[32];
	uint64_t id;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "events/%s/id", name);
	fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return number__parse(text, 1, INT_MAX, &id) ? -EINVAL : (int)id;
}
