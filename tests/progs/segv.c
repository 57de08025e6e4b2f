// SPDX-License-Identifier: GPL-2.0
/*
 * segv - one bad access, of a kind that is asked for.
 *
 *	segv [-w] MODE
 *
 *	wild		write outside every mapping
 *	null		read a member of a structure at NULL (offset 0x18)
 *	write-text	write to the program's own code
 *	exec-heap	jump into malloc'ed memory
 *	beyond-eof	read a mapping beyond the last page of its file
 *	reserved	read memory that is only reserved (PROT_NONE)
 *	stack-overflow	recurse until the main stack may grow no more
 *	thread-overflow	the same in a thread, onto its guard pages
 *	noncanonical	an address that no page table can hold (x86-64)
 *	handled		three bad writes, each caught by a handler that recovers; exits 0
 *	efault		read(2) into nowhere: an error, not a signal; exits 0
 *	sent		SIGSEGV by kill(2): no fault at all
 *
 * Before the access it prints expect.* and the address range of the function that does it (ip_start, ip_end).
 *With -w a handler prints what the kernel says (seen.*), and exits with 128 + signal, as a shell tells a
 *death.
 */
#include "prog.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>

#define STACK_LIMIT  (1UL << 20)
#define THREAD_STACK (256UL << 10)
#define THREAD_GUARD (64UL << 10)
#define CODE_SPAN    512 /* no accessor below is longer */

static sigjmp_buf recover;
static volatile sig_atomic_t caught;
static bool witness; /* -w */
static char alternate_stack[64 << 10];

struct expect {
	const char *signal, *code, *access;
	uintptr_t address;
};

__attribute__((noinline)) static void store_byte(uintptr_t address)
{
	*(volatile char *)address = 1;
}

__attribute__((noinline)) static int load_byte(uintptr_t address)
{
	return *(volatile char *)address;
}

__attribute__((noinline)) static int recurse(int depth)
{
	volatile char frame[1024];

	frame[0] = (char)depth;
	/* No stack is a billion frames deep: the end that keeps the compiler from calling this endless. */
	if (depth == 1 << 30)
		return 0;
	return recurse(depth + 1) + frame[0];
}

static void say_expect(struct expect want, uintptr_t code)
{
	say("pid=%d", getpid());
	say("expect.signal=%s", want.signal);
	say("expect.code=%s", want.code);
	say("expect.access=%s", want.access);
	if (want.address)
		say("expect.address=%#lx", (unsigned long)want.address);
	if (code) {
		say("ip_start=%#lx", (unsigned long)code);
		say("ip_end=%#lx", (unsigned long)code + CODE_SPAN);
	}
}

static void say_vma(uintptr_t start, uintptr_t end)
{
	say("vma.start=%#lx", (unsigned long)start);
	say("vma.end=%#lx", (unsigned long)end);
}

/* The mapping that holds address, as /proc tells it; false if none does. */
static bool find_mapping(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4400];
	bool found = false;

	if (!maps)
		die("/proc/self/maps");
	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && address >= from && address < to) {
			*start = from;
			*end = to;
			found = true;
		}
	}
	fclose(maps);
	return found;
}

static void say_mapping_of(uintptr_t address)
{
	uintptr_t start, end;

	if (!find_mapping(address, &start, &end))
		die("%#lx is not mapped", (unsigned long)address);
	say_vma(start, end);
}

static void wild(void)
{
	/* Far from everything, and the same in every run. */
	uintptr_t address = 0x123456789abcUL, start, end;

	if (find_mapping(address, &start, &end))
		die("%#lx is mapped", (unsigned long)address);
	say_expect((struct expect){"SIGSEGV", "SEGV_MAPERR", "write", address}, (uintptr_t)store_byte);
	store_byte(address);
}

static void null(void)
{
	say_expect((struct expect){"SIGSEGV", "SEGV_MAPERR", "read", 0x18}, (uintptr_t)load_byte);
	load_byte(0x18);
}

static void write_text(void)
{
	uintptr_t address = (uintptr_t)load_byte;

	say_mapping_of(address);
	say_expect((struct expect){"SIGSEGV", "SEGV_ACCERR", "write", address}, (uintptr_t)store_byte);
	store_byte(address);
}

static void exec_heap(void)
{
	/* Below the mmap threshold, so that it lies in [heap]. */
	char *code = malloc(100);
	void (*call)(void);

	if (!code)
		die("malloc");
	memset(code, 0xc3, 100);
	memcpy(&call, &code, sizeof(call));
	say_mapping_of((uintptr_t)code);
	say_expect((struct expect){"SIGSEGV", "SEGV_ACCERR", "exec", (uintptr_t)code}, 0);
	call();
}

static void beyond_eof(void)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	uintptr_t at;
	int fd;

	snprintf(path, sizeof(path), "%s/short-file.XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	/* A page and a bit: the second page is there, the third and fourth have no file behind them. */
	if (fd < 0 || unlink(path) || ftruncate(fd, (off_t)page_size() + 100))
		die("%s", path);
	at = (uintptr_t)map_alone(4, PROT_READ, MAP_SHARED, fd);
	load_byte(at + page_size());
	say_vma(at, at + 4 * page_size());
	say_expect((struct expect){"SIGBUS", "BUS_ADRERR", "read", at + 2 * page_size() + 5},
		   (uintptr_t)load_byte);
	load_byte(at + 2 * page_size() + 5);
}

static void reserved(void)
{
	uintptr_t at = (uintptr_t)map_alone(16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	say_mapping_of(at);
	say_expect((struct expect){"SIGSEGV", "SEGV_ACCERR", "read", at + 3}, (uintptr_t)load_byte);
	load_byte(at + 3);
}

static void stack_overflow(void)
{
	struct rlimit limit = {STACK_LIMIT, STACK_LIMIT};
	uintptr_t start, end;

	if (setrlimit(RLIMIT_STACK, &limit))
		die("setrlimit");
	if (!find_mapping((uintptr_t)&limit, &start, &end))
		die("no stack");
	say("stack.end=%#lx", (unsigned long)end);
	say("stack.limit=%lu", STACK_LIMIT);
	say_expect((struct expect){"SIGSEGV", "SEGV_MAPERR", "write", 0}, (uintptr_t)recurse);
	recurse(0);
}

/* A handler cannot run on the stack that has just overflowed. */
static void use_alternate_stack(void)
{
	stack_t alternate = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};

	if (sigaltstack(&alternate, NULL))
		die("sigaltstack");
}

static void *overflow_thread(void *arg)
{
	if (arg)
		use_alternate_stack();
	recurse(0);
	return NULL;
}

static void thread_overflow(void)
{
	/* A stack of our own, on PROT_NONE pages: what a guard is, wherever glibc would have put it. */
	size_t pages = THREAD_STACK / page_size(), guard = THREAD_GUARD / page_size();
	char *at = map_alone(guard + pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *stack = at + guard * page_size();
	pthread_attr_t attr;
	pthread_t thread;

	if (mprotect(stack, pages * page_size(), PROT_READ | PROT_WRITE))
		die("mprotect");
	say("stack.start=%#lx", (unsigned long)(uintptr_t)stack);
	say("stack.end=%#lx", (unsigned long)(uintptr_t)(stack + pages * page_size()));
	say_expect((struct expect){"SIGSEGV", "SEGV_ACCERR", "write", 0}, (uintptr_t)recurse);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, pages * page_size());
	if (pthread_create(&thread, &attr, overflow_thread, witness ? &witness : NULL))
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void noncanonical(void)
{
	/* The processor refuses before it looks at any page table: the kernel gets no address. */
	say_expect((struct expect){"SIGSEGV", "SI_KERNEL", "", 0}, (uintptr_t)load_byte);
	load_byte(0x8123456789abcdefUL);
}

static void on_recoverable(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	caught++;
	siglongjmp(recover, 1);
}

static void handled(void)
{
	struct sigaction act = {.sa_sigaction = on_recoverable, .sa_flags = SA_SIGINFO};
	uintptr_t at = (uintptr_t)map_alone(4, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	sigaction(SIGSEGV, &act, NULL);
	say_vma(at, at + 4 * page_size());
	say_expect((struct expect){"SIGSEGV", "SEGV_ACCERR", "write", at}, (uintptr_t)store_byte);
	while (caught < 3)
		if (!sigsetjmp(recover, 1))
			store_byte(at);
	say("caught=%d", (int)caught);
	exit(0);
}

static void efault(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	say("pid=%d", getpid());
	if (fd < 0)
		die("/dev/zero");
	if (syscall(SYS_read, fd, 0x123456789000UL, page_size()) != -1 || errno != EFAULT)
		die("read(2) into nowhere did not fail with EFAULT");
	exit(0);
}

static void sent(void)
{
	say("pid=%d", getpid());
	kill(getpid(), SIGSEGV);
}

static const char *code_name(int sig, int code)
{
	if (code == SI_KERNEL)
		return "SI_KERNEL";
	if (code == SI_USER)
		return "SI_USER";
	if (sig == SIGSEGV && code == SEGV_MAPERR)
		return "SEGV_MAPERR";
	if (sig == SIGSEGV && code == SEGV_ACCERR)
		return "SEGV_ACCERR";
	if (sig == SIGBUS && code == BUS_ADRERR)
		return "BUS_ADRERR";
	return "?";
}

/* Not async-signal-safe in general; the bad accesses above interrupt nothing of stdio. */
static void on_witness(int sig, siginfo_t *info, void *context)
{
	(void)context;
	say("seen.signal=%s", sig == SIGSEGV ? "SIGSEGV" : "SIGBUS");
	say("seen.code=%s", code_name(sig, info->si_code));
	say("seen.address=%#lx", (unsigned long)(uintptr_t)info->si_addr);
	_exit(128 + sig);
}

static void install_witness(void)
{
	struct sigaction act = {.sa_sigaction = on_witness, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	witness = true;
	use_alternate_stack();
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{"wild", wild},
	{"null", null},
	{"write-text", write_text},
	{"exec-heap", exec_heap},
	{"beyond-eof", beyond_eof},
	{"reserved", reserved},
	{"stack-overflow", stack_overflow},
	{"thread-overflow", thread_overflow},
	{"noncanonical", noncanonical},
	{"handled", handled},
	{"efault", efault},
	{"sent", sent},
};

int main(int argc, char **argv)
{
	const struct rlimit no_core = {0, 0};
	const char *synopsis = "[-w] MODE";
	const char *mode = argv[argc - 1];

	if (argc == 3 && !strcmp(argv[1], "-w"))
		install_witness();
	else if (argc != 2)
		usage_error(synopsis);
	setrlimit(RLIMIT_CORE, &no_core);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(mode, modes[i].name)) {
			modes[i].run();
			return 0;
		}
	usage_error(synopsis);
}
