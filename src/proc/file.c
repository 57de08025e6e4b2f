/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

char *file__read(const char *path, size_t *size)
{
	size_t used = 0, capacity = 4096;
	char *text = malloc(capacity);
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	while (text && fd >= 0) {
		ssize_t n = read(fd, text + used, capacity - used - 1);
		char *grown;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = errno;
		if (n <= 0)
			break;
		used += n;
		if (used + 1 < capacity)
			continue;
		grown = realloc(text, capacity *= 2);
		if (!grown)
			err = ENOMEM;
		if (err)
			break;
		text = grown;
	}
	if (fd < 0 || err) {
		err = err ? err : errno;
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	if (!text) {
		errno = err ? err : ENOMEM;
		return NULL;
	}
	text[used] = '\0';
	if (size)
		*size = used;
	return text;
}
