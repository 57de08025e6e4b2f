/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/iterator.h"

#include <errno.h>
#include <unistd.h>

ssize_t iterator__records(int fd, void *records, size_t size, size_t max)
{
	size_t used = 0;

	/* A read may end within a record: go on until it is whole. */
	do {
		ssize_t n = read(fd, (char *)records + used, max * size - used);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		used += n;
	} while (!used || used % size);
	return used / size;
}
