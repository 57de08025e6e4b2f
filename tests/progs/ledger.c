/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ledger - changes its address space in known ways, and says what a ledger of it should have.
 *
 *   nothing        what the start of any program does
 *   sequence       each kind of system call, a known number of times with known sizes
 *   hard           what ledgers get wrong: MAP_FIXED over others, holes, moves, partial unmapping, failures
 *   untouched MIB  malloc() that is never touched
 *   blocks KIB N   malloc() and touch N blocks, pin the top of the heap, free them
 *   huge MIB       memory of huge pages, one byte of each touched; waits for a second and a half
 *   vfork          a child that shares the address space, and one that does not
 *
 * After `sequence`, `hard` and `vfork` the last thing it does is to write /proc/self/maps to LEDGER_MAPS.
 */
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "prog.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

/* Calls of this program's own, and the bytes that they obtained and returned. */
static struct {
	unsigned brk, mmap, munmap, mremap, failed_mmap, failed_brk, failed_munmap;
	size_t brk_grown, brk_shrunk, mapped, unmapped;
} did;

static char *map(void *at, size_t size, int prot, int flags)
{
	void *p = mmap(at, size, prot, flags, -1, 0);

	did.mmap++;
	if (p == MAP_FAILED) {
		did.failed_mmap++;
		return NULL;
	}
	did.mapped += size;
	return p;
}

static void unmap(char *at, size_t size)
{
	did.munmap++;
	if (munmap(at, size))
		did.failed_munmap++;
	else
		did.unmapped += size;
}

static char *move_break(char *to)
{
	did.brk++;
	return (char *)syscall(SYS_brk, to);
}

static void touch(char *at, size_t size)
{
	for (size_t i = 0; i < size; i += page_size())
		at[i] = 1;
}

static void write_maps(void)
{
	static char buf[1 << 16];
	const char *path = getenv("LEDGER_MAPS");
	int in, out;
	ssize_t n;

	if (!path)
		return;
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	in = open("/proc/self/maps", O_RDONLY);
	if (in < 0 || out < 0)
		die("%s", path);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			die("%s", path);
}

static void say_did(void)
{
	say("brk=%u\nbrk.grown=%zu\nbrk.shrunk=%zu", did.brk, did.brk_grown, did.brk_shrunk);
	say("brk.failed=%u", did.failed_brk);
	say("mmap=%u\nmmap.failed=%u\nmmap.bytes=%zu", did.mmap, did.failed_mmap, did.mapped);
	say("munmap=%u\nmunmap.failed=%u\nmunmap.bytes=%zu", did.munmap, did.failed_munmap, did.unmapped);
	say("mremap=%u", did.mremap);
	say("pid=%d", getpid());
}

static void sequence(void)
{
	size_t page = page_size();
	char *heap = move_break(NULL), *p;

	if (move_break(heap + 100 * page) != heap + 100 * page ||
	    move_break(heap + 40 * page) != heap + 40 * page)
		die("brk");
	did.brk_grown = 100 * page;
	did.brk_shrunk = 60 * page;
	if (move_break((char *)(1ul << 60)) != heap + 40 * page)
		die("brk beyond the address space");
	did.failed_brk = 1;
	for (int i = 1; i <= 20; i++) {
		p = map(NULL, i * 10 * page, RW, ANON);
		touch(p, i * page);
		if (i % 2)
			unmap(p, i * 10 * page);
	}
	p = map(NULL, 64 * page, PROT_NONE, ANON | MAP_NORESERVE);
	if (mprotect(p, 16 * page, RW))
		die("mprotect");
	touch(p, 8 * page);
	usleep(1000); /* times of touched pages are coarse */
	if (madvise(p, 4 * page, MADV_DONTNEED))
		die("madvise");
	map(NULL, 0, RW, ANON);
	unmap((char *)1, page);
	say("reserved=%zu", 48 * page);
	say("grown.resident=%zu", 4 * page);
}

/* 100 pages of which every hard case takes some: what it looks like at the end, /proc/self/maps tells. */
static void hard(void)
{
	size_t page = page_size();
	char *p = map(NULL, 100 * page, RW, ANON), *q, *file;
	int fd = memfd_create("ledger", 0);

	if (fd < 0 || ftruncate(fd, 32 * page))
		die("memfd_create");
	touch(p, 100 * page);
	map(p + 10 * page, 5 * page, PROT_READ, ANON | MAP_FIXED);
	map(p + 10 * page, page, RW, ANON | MAP_FIXED_NOREPLACE); /* EEXIST */
	unmap(p + 20 * page, 10 * page);
	unmap(p + 15 * page, 10 * page); /* half of it is a hole already */
	if (mprotect(p + 40 * page, 10 * page, PROT_NONE) || mprotect(p + 45 * page, 2 * page, PROT_READ))
		die("mprotect");
	if (mprotect(p + 18 * page, 8 * page, PROT_READ) != -1) /* ENOMEM: a hole */
		die("mprotect of a hole");
	q = mremap(p + 60 * page, 10 * page, 30 * page, MREMAP_MAYMOVE);
	if (q == MAP_FAILED || mremap(q, 30 * page, 12 * page, 0) != q)
		die("mremap");
	did.mremap += 2;
	file = mmap(NULL, 32 * page, RW, MAP_SHARED, fd, 0);
	did.mmap++;
	if (file == MAP_FAILED ||
	    mmap(file + 8 * page, 4 * page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		die("mmap of a file");
	did.mmap++;
	unmap(file + 30 * page, 8 * page); /* beyond its end */
	map(NULL, 16 * page, RW, ANON | MAP_POPULATE);
	map(NULL, 7 * page + 5, RW, MAP_SHARED | MAP_ANONYMOUS);
	map(NULL, 1ul << 46, RW, ANON); /* ENOMEM */
	madvise(p, 5 * page, MADV_DONTNEED);
	mlock(p, 2 * page);
}

static void untouched(size_t mib)
{
	char *p = malloc(mib << 20);

	if (!p)
		die("malloc");
	say("address=%p", p);
	say("pid=%d", getpid());
}

static void blocks(size_t kib, size_t n)
{
	char **block = calloc(n, sizeof(*block));
	void *pin;

	for (size_t i = 0; i < n; i++) {
		block[i] = malloc(kib << 10);
		if (!block[i])
			die("malloc");
		touch(block[i], kib << 10);
	}
	pin = malloc(100);
	for (size_t i = 0; i < n; i++)
		free(block[i]);
	say("bytes=%zu", n * kib << 10);
	say("pinned=%d", pin != NULL);
	say("pid=%d", getpid());
}

/* Says how much of it the kernel has made of huge pages. */
static void huge(size_t mib)
{
	size_t size = mib << 20, kib, total = 0;
	char *p = map(NULL, size + REGION_ALIGN, RW, ANON), line[256];
	FILE *smaps;

	p = (char *)(((uintptr_t)p + REGION_ALIGN) & ~(REGION_ALIGN - 1));
	madvise(p, size, MADV_HUGEPAGE);
	for (size_t i = 0; i < size; i += REGION_ALIGN)
		p[i + 5000] = 1;
	smaps = fopen("/proc/self/smaps", "r");
	while (smaps && fgets(line, sizeof(line), smaps))
		if (sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			total += kib;
	say("huge=%zu", total << 10);
	usleep(1500000);
}

static void with_children(void)
{
	char *const argv[] = {"true", NULL};
	pid_t pid;

	map(NULL, 33 * page_size(), RW, ANON);
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) || waitpid(pid, NULL, 0) != pid)
		die("posix_spawn");
	pid = fork();
	if (!pid) {
		map(NULL, 44 * page_size(), RW, ANON);
		_exit(0);
	}
	if (waitpid(pid, NULL, 0) != pid)
		die("fork");
	say("child=%d", pid);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	prog_out();
	if (!strcmp(what, "nothing"))
		say("pid=%d", getpid());
	else if (!strcmp(what, "sequence"))
		sequence();
	else if (!strcmp(what, "hard"))
		hard();
	else if (!strcmp(what, "vfork"))
		with_children();
	else if (!strcmp(what, "huge") && argc == 3)
		huge(strtoul(argv[2], NULL, 10));
	else if (!strcmp(what, "untouched") && argc == 3)
		untouched(strtoul(argv[2], NULL, 10));
	else if (!strcmp(what, "blocks") && argc == 4)
		blocks(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	else
		usage_error("nothing|sequence|hard|vfork|huge MIB|untouched MIB|blocks KIB N");
	if (did.mmap)
		say_did();
	write_maps();
	_exit(0);
}
