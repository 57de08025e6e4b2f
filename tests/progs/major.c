// SPDX-License-Identifier: GPL-2.0
/*
 * major - map a file and read each page once, in random order, without read-ahead.
 *
 *	major FILE
 *
 * The caller has dropped the page cache. What is still in it is counted (mincore) before the first touch:
 *each page that is not must be read from the disk, one major fault each.
 */
#include "prog.h"

static size_t count_cached(char *at, size_t pages)
{
	unsigned char *present = calloc(pages, 1);
	size_t cached = 0;

	if (!present || mincore(at, pages * page_size(), present))
		die("mincore");
	for (size_t i = 0; i < pages; i++)
		cached += present[i] & 1;
	free(present);
	return cached;
}

/* A permutation from a fixed seed: the same order in every run. */
static size_t *shuffled(size_t pages)
{
	size_t *order = malloc(pages * sizeof(*order));
	uint64_t state = 0x9e3779b97f4a7c15;

	if (!order)
		die("malloc");
	for (size_t i = 0; i < pages; i++)
		order[i] = i;
	for (size_t i = pages; i > 1; i--) {
		size_t j, other;

		state = state * 6364136223846793005 + 1442695040888963407;
		j = (state >> 33) % i;
		other = order[i - 1];
		order[i - 1] = order[j];
		order[j] = other;
	}
	return order;
}

int main(int argc, char **argv)
{
	size_t pages, cached, *order;
	struct usage start, spent;
	struct stat st;
	char *at;
	int fd;

	if (argc != 2)
		usage_error("FILE");
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die("%s", argv[1]);
	pages = (size_t)st.st_size / page_size();
	if (!pages)
		usage_error("FILE (of a page or more)");
	warm_up();
	at = map_alone(pages, PROT_READ, MAP_PRIVATE, fd);
	if (madvise(at, pages * page_size(), MADV_RANDOM))
		die("madvise: MADV_RANDOM");
	order = shuffled(pages);
	cached = count_cached(at, pages);
	start = usage_now();
	for (size_t i = 0; i < pages; i++)
		touch_read(at + order[i] * page_size(), 1);
	spent = usage_since(start);

	say_region("file", at, pages);
	say("file.name=%s", argv[1]);
	say("file.cached=%zu", cached);
	say_measured("file", spent);
	say_self();
	return 0;
}
