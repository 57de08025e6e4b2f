// SPDX-License-Identifier: GPL-2.0
/*
 * regions - touch memory of every kind, each in a VMA of its own, a known number of times.
 *
 *	regions DIR	DIR takes a file, regions.data, that the caller removes
 *
 * For each region NAME:
 *	NAME.start .end .pages .perms .class	the VMA, as /proc/PID/maps would show it
 *	NAME.faults				exceptions a tracer must see in it
 *	NAME.untrapped				faults the kernel counts without an exception (populate,
 *mlock) NAME.light.KIND NAME.exact.KIND		their kinds, as told cheaply and as told exactly
 *	NAME.measured_minor .measured_major	getrusage around the work
 *
 * A number that depends on the kernel's fault-around is taken from getrusage.
 */
#include "prog.h"
#include <sys/wait.h>

static char path[4096];
static char *scratch; /* what the file is filled from */

static int make_file(const char *dir, size_t pages)
{
	int fd;

	if (snprintf(path, sizeof(path), "%s/regions.data", dir) >= (int)sizeof(path))
		die("%s: name too long", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s", path);
	for (size_t i = 0; i < pages; i++)
		if (write(fd, scratch, page_size()) != (ssize_t)page_size())
			die("write %s", path);
	/* Clean and in the page cache: a later touch does no I/O. */
	if (fsync(fd))
		die("fsync %s", path);
	return fd;
}

static void describe(const char *name, const void *at, size_t pages, const char *perms, const char *class)
{
	say_region(name, at, pages);
	say("%s.perms=%s", name, perms);
	say("%s.class=%s", name, class);
}

static void anon_write(void)
{
	size_t pages = 64;
	char *at = map_anon_alone(pages);
	struct usage start = usage_now();

	touch_write(at, pages);
	say_measured("anon_write", usage_since(start));
	describe("anon_write", at, pages, "rw-p", "anon");
	say("anon_write.faults=%zu", pages);
	say("anon_write.light.anon_write=%zu", pages);
	say("anon_write.exact.anon_write=%zu", pages);
}

static void anon_read_write(void)
{
	size_t pages = 48;
	char *at = map_anon_alone(pages);
	struct usage start = usage_now();

	touch_read(at, pages);
	touch_write(at, pages);
	say_measured("anon_read_write", usage_since(start));
	describe("anon_read_write", at, pages, "rw-p", "anon");
	say("anon_read_write.faults=%zu", 2 * pages);
	say("anon_read_write.light.anon_read=%zu", pages);
	say("anon_read_write.light.cow=%zu", pages);
	say("anon_read_write.exact.anon_read=%zu", pages);
	say("anon_read_write.exact.anon_write=%zu", pages);
}

static void shared_anon(void)
{
	size_t pages = 40;
	char *at = map_alone(pages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	struct usage start = usage_now();

	touch_write(at, pages);
	say_measured("shared_anon", usage_since(start));
	describe("shared_anon", at, pages, "rw-s", "shmem");
	say("shared_anon.faults=%zu", pages);
	say("shared_anon.light.shmem=%zu", pages);
	say("shared_anon.exact.shmem=%zu", pages);
}

static void file_private_write(int fd)
{
	size_t pages = 56;
	char *at = map_alone(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	struct usage start = usage_now();

	touch_write(at, pages);
	say_measured("file_private_write", usage_since(start));
	describe("file_private_write", at, pages, "rw-p", "file");
	say("file_private_write.name=%s", path);
	say("file_private_write.faults=%zu", pages);
	say("file_private_write.light.file_write=%zu", pages);
	say("file_private_write.exact.file_write=%zu", pages);
}

static void file_read(int fd)
{
	size_t pages = 64;
	char *at = map_alone(pages, PROT_READ, MAP_PRIVATE, fd);
	struct usage start = usage_now(), spent;

	touch_read(at, pages);
	spent = usage_since(start);
	say_measured("file_read", spent);
	describe("file_read", at, pages, "r--p", "file");
	say("file_read.name=%s", path);
	say("file_read.faults=%ld", spent.minor + spent.major);
	say("file_read.light.file_read=%ld", spent.minor + spent.major);
	say("file_read.exact.file_read=%ld", spent.minor + spent.major);
}

static void file_read_write(int fd)
{
	size_t pages = 32;
	char *at = map_alone(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	struct usage start = usage_now(), reads, all;

	touch_read(at, pages);
	reads = usage_since(start);
	touch_write(at, pages);
	all = usage_since(start);
	say_measured("file_read_write", all);
	describe("file_read_write", at, pages, "rw-p", "file");
	say("file_read_write.name=%s", path);
	say("file_read_write.faults=%ld", reads.minor + reads.major + (long)pages);
	say("file_read_write.light.file_read=%ld", reads.minor + reads.major);
	say("file_read_write.light.cow=%zu", pages);
	say("file_read_write.exact.file_read=%ld", reads.minor + reads.major);
	say("file_read_write.exact.file_write=%zu", pages);
}

static void file_shared_write(int fd)
{
	size_t pages = 24;
	char *at = map_alone(pages, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	struct usage start = usage_now();

	touch_write(at, pages);
	say_measured("file_shared_write", usage_since(start));
	describe("file_shared_write", at, pages, "rw-s", "file");
	say("file_shared_write.name=%s", path);
	say("file_shared_write.faults=%zu", pages);
	say("file_shared_write.light.file_write=%zu", pages);
	say("file_shared_write.exact.file_write=%zu", pages);
}

static void populate(void)
{
	size_t pages = 80;
	struct usage start = usage_now(), spent;
	char *at = map_alone(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);

	touch_write(at, pages); /* already there: no fault */
	spent = usage_since(start);
	say_measured("populate", spent);
	describe("populate", at, pages, "rw-p", "anon");
	say("populate.faults=0");
	say("populate.untrapped=%ld", spent.minor + spent.major);
}

static void locked(void)
{
	size_t pages = 20;
	char *at = map_anon_alone(pages);
	struct usage start = usage_now(), spent;

	if (mlock(at, pages * page_size()))
		die("mlock %zu pages", pages);
	touch_write(at, pages);
	spent = usage_since(start);
	say_measured("locked", spent);
	describe("locked", at, pages, "rw-p", "anon");
	say("locked.faults=0");
	say("locked.untrapped=%ld", spent.minor + spent.major);
}

static void reserve(void)
{
	size_t pages = 1024;
	char *at = map_alone(pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	describe("reserve", at, pages, "---p", "anon");
	say("reserve.faults=0");
}

/* The child copies each page; once it is gone the parent is the only owner and its writes reuse the page. */
static void fork_cow(void)
{
	size_t pages = 72;
	char *at = map_anon_alone(pages);
	struct usage start = usage_now(), child_spent;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		die("pipe2");
	touch_write(at, pages);
	child_spent = usage_since(start);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		/* Once more over a page that is not counted: the loop's own stack is copied here, not below.
		 */
		touch_write(scratch, 1);
		start = usage_now();
		touch_write(at, pages);
		child_spent = usage_since(start);
		_exit(write(ends[1], &child_spent, sizeof(child_spent)) != sizeof(child_spent));
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("child failed (status %d)", status);
	if (read(ends[0], &child_spent, sizeof(child_spent)) != sizeof(child_spent))
		die("read from the child");
	close(ends[0]);
	close(ends[1]);
	touch_write(scratch, 1);
	start = usage_now();
	touch_write(at, pages);
	say_measured("fork_cow_again", usage_since(start));
	say_measured("fork_cow_child", child_spent);
	say("fork_cow_child.pid=%d", pid);
	describe("fork_cow_child", at, pages, "rw-p", "anon");
	say("fork_cow_child.faults=%zu", pages);
	say("fork_cow_child.light.cow=%zu", pages);
	say("fork_cow_child.exact.cow=%zu", pages);
	describe("fork_cow", at, pages, "rw-p", "anon");
	say("fork_cow.faults=%zu", 2 * pages);
	say("fork_cow.light.anon_write=%zu", pages);
	say("fork_cow.light.cow=%zu", pages);
	say("fork_cow.exact.anon_write=%zu", pages);
	say("fork_cow.exact.cow=%zu", pages);
}

/* Transparent huge pages, if the kernel gives any: the count is the kernel's. */
static void huge(void)
{
	size_t pages = 4 * REGION_ALIGN / page_size();
	char *at = map_anon_alone(pages);
	struct usage start, spent;

	madvise(at, pages * page_size(), MADV_HUGEPAGE);
	start = usage_now();
	touch_write(at, pages);
	spent = usage_since(start);
	say_measured("huge", spent);
	describe("huge", at, pages, "rw-p", "anon");
	say("huge.faults=%ld", spent.minor + spent.major);
}

/* Pages of the hugetlb pool, if the caller reserved any. */
static void hugetlb(void)
{
	size_t huge_pages = 3, pages = huge_pages * REGION_ALIGN / page_size();
	char *at = mmap(NULL, huge_pages * REGION_ALIGN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);
	struct usage start = usage_now();

	if (at == MAP_FAILED) {
		say("hugetlb.absent=%s", strerror(errno));
		return;
	}
	touch_write(at, pages);
	say_measured("hugetlb", usage_since(start));
	describe("hugetlb", at, pages, "rw-p", "hugetlb");
	say("hugetlb.faults=%zu", huge_pages);
	say("hugetlb.light.hugetlb=%zu", huge_pages);
	say("hugetlb.exact.hugetlb=%zu", huge_pages);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		usage_error("DIR");
	warm_up();
	scratch = map_anon_alone(1);
	memset(scratch, 'x', page_size());
	fd = make_file(argv[1], 64);
	anon_write();
	anon_read_write();
	shared_anon();
	file_private_write(fd);
	file_read(fd);
	file_read_write(fd);
	file_shared_write(fd);
	populate();
	locked();
	reserve();
	fork_cow();
	huge();
	hugetlb();
	say_self();
	return 0;
}
