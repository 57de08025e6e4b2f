/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Its text ends at the newline: what follows are properties. \xNN stands for a byte that is not printable. */
int kmsg__parse(const char *record, uint64_t *us, char *text, size_t size)
{
	const char *from = strchr(record, ';');
	size_t used = 0;

	if (!from || sscanf(record, "%*u,%*u,%18" SCNu64, us) != 1)
		return -EINVAL;
	for (from++; *from && *from != '\n' && used + 1 < size; from++) {
		if (from[0] == '\\' && from[1] == 'x' && hex_digit(from[2]) >= 0 && hex_digit(from[3]) >= 0) {
			char byte = hex_digit(from[2]) << 4 | hex_digit(from[3]);

			text[used++] = byte ? byte : '?';
			from += 3;
			continue;
		}
		text[used++] = *from;
	}
	text[used] = '\0';
	return 0;
}

int kmsg__open(bool from_now)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (from_now && lseek(fd, 0, SEEK_END) < 0) {
		err = -errno;
		close(fd);
	}
	return err ? err : fd;
}

int kmsg__next(int fd, char *line, size_t size, uint64_t *us)
{
	char record[KMSG_RECORD_MAX + 1];

	for (;;) {
		ssize_t n = read(fd, record, KMSG_RECORD_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return !n || errno == EAGAIN ? 0 : -errno;
		record[n] = '\0';
		if (!kmsg__parse(record, us, line, size))
			return 1;
	}
}
