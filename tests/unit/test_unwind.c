/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions by hand; then stacks of this program itself, compared with those that the compiler's own
 * unwinder finds. It is built without frame pointers, as what memtrace looks at mostly is.
 */
#include <dwarf.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cmocka.h>

#include "sym/arch.h"
#include "sym/expression.h"
#include "sym/sym.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* --- expressions -----------------------------------------------------------------------------------------
 */

static const uint64_t words[4] = {0x1111, 0x2222, 0xfffffffffffffff0, 7};

static struct machine machine(void)
{
	struct machine m = {.known = 1 << 6 | 1 << 7 | 1 << 16,
			    .cfa = 0x1018,
			    .stack = (const uint8_t *)words,
			    .stack_start = 0x1000,
			    .stack_size = sizeof(words)};

	m.regs[6] = 0x1008;
	m.regs[7] = 0x1000;
	m.regs[16] = 0x40102b;
	return m;
}

#define eval(ops, result) expression__eval(ops, LENGTH(ops), &m, true, result)

static void simple_forms(void **state)
{
	const Dwarf_Op offset[] = {{.atom = DW_OP_call_frame_cfa},
				   {.atom = DW_OP_plus_uconst, .number = (Dwarf_Word)-8}};
	const Dwarf_Op breg[] = {{.atom = DW_OP_breg7, .number = 8}};
	const Dwarf_Op bregx[] = {{.atom = DW_OP_bregx, .number = 6, .number2 = (Dwarf_Word)-8}};
	const Dwarf_Op reg[] = {{.atom = DW_OP_reg6}};
	const Dwarf_Op value[] = {{.atom = DW_OP_breg7}, {.atom = DW_OP_deref}, {.atom = DW_OP_stack_value}};
	struct machine m = machine();
	uint64_t result;

	(void)state;
	assert_int_equal(eval(offset, &result), EXPRESSION_MEMORY);
	assert_int_equal(result, 0x1010);
	assert_int_equal(eval(breg, &result), EXPRESSION_MEMORY);
	assert_int_equal(result, 0x1008);
	assert_int_equal(eval(bregx, &result), EXPRESSION_MEMORY);
	assert_int_equal(result, 0x1000);
	assert_int_equal(eval(reg, &result), EXPRESSION_VALUE);
	assert_int_equal(result, 0x1008);
	assert_int_equal(eval(value, &result), EXPRESSION_VALUE);
	assert_int_equal(result, 0x1111);
}

/* As the linker writes it for the PLT: rsp + 8, and 8 more from the eleventh byte of an entry on. */
static void procedure_linkage_table(void **state)
{
	const Dwarf_Op ops[] = {{.atom = DW_OP_breg7, .number = 8},
				{.atom = DW_OP_breg16},
				{.atom = DW_OP_lit15},
				{.atom = DW_OP_and},
				{.atom = DW_OP_lit11},
				{.atom = DW_OP_ge},
				{.atom = DW_OP_lit3},
				{.atom = DW_OP_shl},
				{.atom = DW_OP_plus}};
	struct machine m = machine();
	uint64_t result;

	(void)state;
	assert_int_equal(eval(ops, &result), EXPRESSION_MEMORY);
	assert_int_equal(result, 0x1010);
	m.regs[16] = 0x401026;
	assert_int_equal(eval(ops, &result), EXPRESSION_MEMORY);
	assert_int_equal(result, 0x1008);
}

static uint64_t of_two(int64_t a, int64_t b, uint8_t atom)
{
	const Dwarf_Op ops[] = {{.atom = DW_OP_const8s, .number = (Dwarf_Word)a},
				{.atom = DW_OP_const8s, .number = (Dwarf_Word)b},
				{.atom = atom}};
	struct machine m = machine();
	uint64_t result;

	assert_int_equal(eval(ops, &result), EXPRESSION_MEMORY);
	return result;
}

static void arithmetic(void **state)
{
	(void)state;
	assert_int_equal(of_two(5, 3, DW_OP_minus), 2);
	assert_int_equal(of_two(5, -3, DW_OP_mul), (uint64_t)-15);
	assert_int_equal(of_two(-7, 2, DW_OP_div), (uint64_t)-3);
	assert_int_equal(of_two(INT64_MIN, -1, DW_OP_div), (uint64_t)INT64_MIN);
	assert_int_equal(of_two(7, 4, DW_OP_mod), 3);
	assert_int_equal(of_two(-8, 1, DW_OP_shra), (uint64_t)-4);
	assert_int_equal(of_two(-8, 70, DW_OP_shra), UINT64_MAX);
	assert_int_equal(of_two(1, 64, DW_OP_shl), 0);
	assert_int_equal(of_two(-1, 1, DW_OP_lt), 1);
	assert_int_equal(of_two(1, 1, DW_OP_ne), 0);
	assert_int_equal(of_two(6, 3, DW_OP_xor), 5);
	assert_int_equal(of_two(1, 2, DW_OP_swap), 1);
	assert_int_equal(of_two(1, 2, DW_OP_over), 1);
}

static void branches(void **state)
{
	const Dwarf_Op ops[] = {{.atom = DW_OP_lit1, .offset = 0},
				{.atom = DW_OP_bra, .number = 1, .offset = 1},
				{.atom = DW_OP_lit5, .offset = 4},
				{.atom = DW_OP_lit6, .offset = 5}};
	const Dwarf_Op endless[] = {{.atom = DW_OP_lit1, .offset = 0},
				    {.atom = DW_OP_skip, .number = (Dwarf_Word)-3, .offset = 1}};
	const Dwarf_Op astray[] = {{.atom = DW_OP_const1u, .number = 1, .offset = 0},
				   {.atom = DW_OP_skip, .number = (Dwarf_Word)-4, .offset = 2}};
	struct machine m = machine();
	uint64_t result;

	(void)state;
	assert_int_equal(eval(ops, &result), EXPRESSION_MEMORY);
	assert_int_equal(result, 6);
	assert_int_equal(eval(endless, &result), EXPRESSION_BAD);
	assert_int_equal(eval(astray, &result), EXPRESSION_BAD);
}

static void bad_ones_fail(void **state)
{
	const Dwarf_Op beyond[] = {{.atom = DW_OP_breg7, .number = 25}, {.atom = DW_OP_deref}};
	const Dwarf_Op within[] = {{.atom = DW_OP_breg7}, {.atom = DW_OP_deref}};
	const Dwarf_Op below[] = {{.atom = DW_OP_breg7, .number = (Dwarf_Word)-8}, {.atom = DW_OP_deref}};
	const Dwarf_Op unknown_register[] = {{.atom = DW_OP_breg3}};
	const Dwarf_Op no_register[] = {{.atom = DW_OP_regx, .number = 1000}};
	const Dwarf_Op by_zero[] = {{.atom = DW_OP_lit1}, {.atom = DW_OP_lit0}, {.atom = DW_OP_div}};
	const Dwarf_Op underflow[] = {{.atom = DW_OP_lit1}, {.atom = DW_OP_plus}};
	const Dwarf_Op useless[] = {{.atom = DW_OP_push_object_address}};
	Dwarf_Op overflow[40] = {{.atom = DW_OP_lit1}};
	struct machine m = machine();
	uint64_t result;

	(void)state;
	for (size_t i = 1; i < LENGTH(overflow); i++)
		overflow[i].atom = DW_OP_dup;
	assert_int_equal(eval(beyond, &result), EXPRESSION_COPY);
	assert_int_equal(eval(below, &result), EXPRESSION_COPY);
	assert_int_equal(eval(unknown_register, &result), EXPRESSION_BAD);
	assert_int_equal(eval(no_register, &result), EXPRESSION_BAD);
	assert_int_equal(eval(by_zero, &result), EXPRESSION_BAD);
	assert_int_equal(eval(underflow, &result), EXPRESSION_BAD);
	assert_int_equal(eval(useless, &result), EXPRESSION_BAD);
	assert_int_equal(eval(within, &result), EXPRESSION_MEMORY);
	m.holes = 1;
	assert_int_equal(eval(within, &result), EXPRESSION_COPY);
	m.holes = 0;
	assert_int_equal(eval(overflow, &result), EXPRESSION_BAD);
	assert_int_equal(expression__eval(NULL, 0, &m, true, &result), EXPRESSION_BAD);
}

/* --- stacks of this program ------------------------------------------------------------------------------
 */

#define COPY_MAX (64u << 10)

/* What the tracing side would have sent, and what is to come out of it. */
struct capture {
	struct sym_sample sample;
	uint64_t regs[SYM_REGS];
	uint8_t stack[COPY_MAX + 256];
	uint64_t expected[SYM_STACK_MAX];
	size_t n_expected;
};

/* Numbers of DWARF in the order of greg_t. */
static void take_registers(struct capture *c, const ucontext_t *context)
{
#if defined(__x86_64__)
	static const uint8_t greg[17] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
					 REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
					 REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (int i = 0; i < 17; i++)
		c->regs[i] = context->uc_mcontext.gregs[greg[i]];
#else
	for (int i = 0; i < 31; i++)
		c->regs[i] = context->uc_mcontext.regs[i];
	c->regs[ARCH_SP] = context->uc_mcontext.sp;
	c->regs[ARCH_IP] = context->uc_mcontext.pc;
#endif
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Until the stack ends: it is read as that of another process, so that its end is no fault. */
static size_t copy_stack(uint8_t *to, uint64_t sp)
{
	size_t n = 0;

	while (n < COPY_MAX) {
		struct iovec here = {to + n, 256}, there = {(void *)(uintptr_t)(sp + n), 256};
		ssize_t got = syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0);

		if (got <= 0)
			break;
		n += got;
	}
	return n < COPY_MAX ? n : COPY_MAX;
}

/* Above the outermost frame, a 0 is told. */
static _Unwind_Reason_Code expect(struct _Unwind_Context *context, void *arg)
{
	struct capture *c = arg;

	if (_Unwind_GetIP(context) && c->n_expected < SYM_STACK_MAX)
		c->expected[c->n_expected++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

/* Both begin in here: what is above is the same. */
static __attribute__((noinline)) void capture(struct capture *c)
{
	ucontext_t context;

	getcontext(&context);
	take_registers(c, &context);
	c->n_expected = 0;
	_Unwind_Backtrace(expect, c);
	c->sample = (struct sym_sample){
		.pid = getpid(),
		.time_ns = now_ns(),
		.regs = c->regs,
		.ip = c->regs[ARCH_IP],
		.sp = c->regs[ARCH_SP],
		.stack = c->stack,
	};
	c->sample.stack_size = copy_stack(c->stack, c->sample.sp);
	__asm__ volatile("" ::: "memory");
}

static struct capture *captured;

static __attribute__((noinline)) int level(int n)
{
	volatile char room[100 + 16 * (n & 3)];

	room[0] = n;
	if (!n)
		capture(captured);
	else
		room[1] = level(n - 1);
	return room[0] + room[1];
}

static int compare(const void *a, const void *b)
{
	volatile int unused = level(2);

	(void)unused;
	captured->sample.pid = getpid();
	return *(const int *)a - *(const int *)b;
}

static void *run_thread(void *arg)
{
	volatile int unused = level(5);

	(void)unused;
	return arg;
}

static void handle(int signal)
{
	volatile int unused = level(1);

	(void)unused;
	(void)signal;
}

/* All frames but the innermost, whose address differs by the calls within capture(). */
static void assert_same(const struct capture *c, enum unwind_end wanted)
{
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX];
	enum unwind_end end;
	size_t n;

	assert_non_null(sym);
	n = sym__unwind(sym, &c->sample, ips, SYM_STACK_MAX, &end);
	for (size_t i = 1; i < n && i < c->n_expected; i++)
		assert_int_equal(ips[i], c->expected[i]);
	assert_string_equal(unwind_end__explain(end), unwind_end__explain(wanted));
	assert_int_equal(n, c->n_expected);
	sym__free(sym);
}

static void agrees_with_the_compilers_unwinder(void **state)
{
	(void)state;
	level(12);
	assert_true(captured->n_expected > 14);
	assert_same(captured, UNWIND_COMPLETE);
}

static void passes_a_library(void **state)
{
	int numbers[] = {2, 1};

	(void)state;
	qsort(numbers, 2, sizeof(int), compare);
	assert_same(captured, UNWIND_COMPLETE);
}

static void passes_a_signal(void **state)
{
	(void)state;
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	assert_same(captured, UNWIND_COMPLETE);
}

static void ends_with_a_thread(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_thread, NULL), 0);
	pthread_join(thread, NULL);
	assert_same(captured, UNWIND_COMPLETE);
}

/* The code that ends a signal, and what was interrupted: neither has called. */
static void knows_who_was_interrupted(void **state)
{
	struct sym *sym = sym__new();
	uint32_t places[SYM_STACK_MAX];
	uint64_t ips[SYM_STACK_MAX];
	const struct sym_sample *s = &captured->sample;
	enum unwind_end end;
	unsigned exact = 0;
	size_t n;

	(void)state;
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	n = sym__stack(sym, s, ips, places, SYM_STACK_MAX, &end);
	for (size_t i = 0; i < n; i++) {
		bool is_exact = places[i] == sym__place(sym, s->pid, s->time_ns, ips[i], false);

		assert_true(is_exact || places[i] == sym__place(sym, s->pid, s->time_ns, ips[i], true));
		exact += is_exact;
	}
	assert_int_equal(exact, 3); /* with the innermost */
	sym__free(sym);
}

#if defined(__x86_64__)
/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret: no unwind information knows of it. */
static const uint8_t machine_code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

static void from_compiled_code(void)
{
	volatile int unused = level(2);

	(void)unused;
}

static void compiled_code_is_passed_by_its_frame_pointer(void **state)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX];
	enum unwind_end end;
	void (*call)(void (*)(void)) = (void (*)(void (*)(void)))(uintptr_t)code;
	size_t n, i;

	(void)state;
	memcpy(code, machine_code, sizeof(machine_code));
	assert_int_equal(mprotect(code, 4096, PROT_READ | PROT_EXEC), 0);
	call(from_compiled_code);
	n = sym__unwind(sym, &captured->sample, ips, SYM_STACK_MAX, &end);
	for (i = 0; i < n && ips[i] != (uintptr_t)code + 6; i++)
		;
	assert_true(i + 1 < n);
	assert_in_range(ips[i + 1] - (uintptr_t)compiled_code_is_passed_by_its_frame_pointer, 1, 400);
	/* Whoever compiled it may have used registers that it has not said where it saved. */
	assert_true(end == UNWIND_COMPLETE || end == UNWIND_BAD);
	munmap(code, 4096);
	sym__free(sym);
}
#endif

static struct sym_sample sample_of_level(int n)
{
	level(n);
	return captured->sample;
}

static void a_short_copy_ends_early(void **state)
{
	struct sym_sample sample = sample_of_level(12);
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX];
	enum unwind_end end;
	struct sym_stats stats;
	size_t n;

	(void)state;
	sample.stack_size = 3000;
	n = sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end);
	assert_int_equal(end, UNWIND_COPY);
	assert_in_range(n, 2, captured->n_expected - 1);
	assert_int_equal(ips[n - 1], captured->expected[n - 1]);
	assert_int_equal(sym__unwind(sym, &sample, ips, 2, &end), 2);
	assert_int_equal(end, UNWIND_FRAMES);
	sym__stats(sym, &stats);
	assert_int_equal(stats.ends[UNWIND_COPY], 1);
	assert_int_equal(stats.ends[UNWIND_FRAMES], 1);
	sym__free(sym);
}

/* A call through a pointer that leads nowhere: the return address is on top of the stack. */
static void a_wild_call_is_traced_to_its_caller(void **state)
{
	struct sym_sample sample = sample_of_level(3);
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX], all[SYM_STACK_MAX];
	enum unwind_end end;
	uint8_t *stack = malloc(COPY_MAX + 8);
	size_t n, n_all;

	(void)state;
	n_all = sym__unwind(sym, &sample, all, SYM_STACK_MAX, &end);
	memcpy(stack, &sample.ip, 8);
	memcpy(stack + 8, sample.stack, sample.stack_size);
	sample.stack = stack;
	sample.stack_size += 8;
	sample.sp -= 8;
	sample.ip = 0x10;
	n = sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end);
#if ARCH_RA_ON_STACK
	assert_int_equal(n, n_all + 1);
	assert_memory_equal(ips + 1, all, n_all * sizeof(*all));
	assert_int_equal(end, UNWIND_COMPLETE);
#endif
	memset(stack, 0, 8);
	n = sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end);
	assert_int_equal(n, 1);
	assert_int_equal(end, UNWIND_NO_CODE);
	free(stack);
	sym__free(sym);
}

/* As _init() is: the assembler was told nothing about its frame. */
void without_information(void);
__asm__(".text\n.globl without_information\n.type without_information, %function\n"
	"without_information:\nnop\nnop\nret\n.size without_information, .-without_information\n");

static void a_function_is_left_as_it_is_entered(void **state)
{
	struct sym_sample sample = sample_of_level(3);
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX], all[SYM_STACK_MAX];
	enum unwind_end end;
	uint8_t *stack = malloc(COPY_MAX + 8);
	size_t n, n_all;

	(void)state;
	n_all = sym__unwind(sym, &sample, all, SYM_STACK_MAX, &end);
	memcpy(stack, &sample.ip, 8);
	memcpy(stack + 8, sample.stack, sample.stack_size);
	sample.stack = stack;
	sample.stack_size += 8;
	sample.sp -= 8;
	sample.ip = (uintptr_t)without_information;
	n = sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end);
#if ARCH_RA_ON_STACK
	assert_int_equal(n, n_all + 1);
	assert_memory_equal(ips + 1, all, n_all * sizeof(*all));
#endif
	assert_int_equal(end, UNWIND_COMPLETE);
	free(stack);
	sym__free(sym);
}

/* argc, argv[0], NULL: the loader has not yet run. */
static void a_process_begins_without_a_frame(void **state)
{
	uint64_t stack[8] = {1, 0x7ffc00001000}, regs[SYM_REGS] = {0}, ips[4];
	struct sym_sample sample = {.pid = getpid(),
				    .time_ns = now_ns(),
				    .regs = regs,
				    .ip = (uintptr_t)without_information,
				    .sp = 0x7ffc00000000,
				    .stack = (const uint8_t *)stack,
				    .stack_size = sizeof(stack)};
	struct sym *sym = sym__new();
	enum unwind_end end;

	(void)state;
	assert_int_equal(sym__unwind(sym, &sample, ips, 4, &end), 1);
	assert_int_equal(end, UNWIND_COMPLETE);
	stack[2] = 1;
	assert_int_equal(sym__unwind(sym, &sample, ips, 4, &end), 1);
	assert_int_equal(end, UNWIND_NO_CFI);
	sym__free(sym);
}

/* What faults in the new address space while the old program's registers are still there. */
static void a_fault_within_exec_is_the_callers(void **state)
{
	struct sym_sample sample = sample_of_level(3);
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX];
	enum unwind_end end;

	(void)state;
	sym__read_maps(sym, getpid());
	sym__execed(sym, getpid(), sample.time_ns - 1000);
	assert_int_equal(sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end), captured->n_expected);
	assert_int_equal(sym__place(sym, getpid(), sample.time_ns, ips[1], true),
			 sym__place(sym, getpid(), sample.time_ns - 2000, ips[1], true));
	sample.time_ns += 1000000000;
	assert_int_equal(sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end), 1);
	assert_int_equal(end, UNWIND_NO_CODE);
	sym__free(sym);
}

static void garbage_comes_to_an_end(void **state)
{
	struct sym_sample sample = sample_of_level(3);
	struct sym *sym = sym__new();
	uint64_t ips[SYM_STACK_MAX], regs[SYM_REGS];
	enum unwind_end end;

	(void)state;
	srandom(1);
	for (int run = 0; run < 2000; run++) {
		for (size_t i = 0; i < SYM_REGS; i++)
			regs[i] = (uint64_t)random() << 33 ^ random();
		for (size_t i = 0; i + 8 <= sample.stack_size; i += 8) {
			uint64_t word = random() % 3 ? captured->expected[random() % captured->n_expected]
						     : sample.sp + random() % COPY_MAX;

			memcpy(captured->stack + i, &word, 8);
		}
		sample.regs = regs;
		sample.ip = captured->expected[random() % captured->n_expected] - random() % 64;
		assert_in_range(sym__unwind(sym, &sample, ips, SYM_STACK_MAX, &end), 1, SYM_STACK_MAX);
	}
	sym__free(sym);
}

/* Not a test: what a stack costs. */
static void tell_speed(void **state)
{
	struct sym_sample sample = sample_of_level(10);
	struct sym *sym = sym__new();
	uint64_t began, first, ips[SYM_STACK_MAX];
	uint32_t places[SYM_STACK_MAX];
	enum unwind_end end;
	size_t n = 0;

	(void)state;
	began = now_ns();
	n = sym__stack(sym, &sample, ips, places, SYM_STACK_MAX, &end);
	first = now_ns() - began;
	began = now_ns();
	for (int i = 0; i < 2000; i++)
		sym__stack(sym, &sample, ips, places, SYM_STACK_MAX, &end);
	print_message("%zu frames: %.1f us, the first time %.0f us\n", n, (now_ns() - began) / 2000 / 1000.0,
		      first / 1000.0);
	sym__free(sym);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_forms),
		cmocka_unit_test(procedure_linkage_table),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(branches),
		cmocka_unit_test(bad_ones_fail),
		cmocka_unit_test(agrees_with_the_compilers_unwinder),
		cmocka_unit_test(passes_a_library),
		cmocka_unit_test(passes_a_signal),
		cmocka_unit_test(ends_with_a_thread),
		cmocka_unit_test(knows_who_was_interrupted),
#if defined(__x86_64__)
		cmocka_unit_test(compiled_code_is_passed_by_its_frame_pointer),
#endif
		cmocka_unit_test(a_short_copy_ends_early),
		cmocka_unit_test(a_wild_call_is_traced_to_its_caller),
		cmocka_unit_test(a_function_is_left_as_it_is_entered),
		cmocka_unit_test(a_process_begins_without_a_frame),
		cmocka_unit_test(a_fault_within_exec_is_the_callers),
		cmocka_unit_test(garbage_comes_to_an_end),
		cmocka_unit_test(tell_speed),
	};

	int failed;

	captured = calloc(1, sizeof(*captured));
	if (!captured)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(captured);
	return failed;
}
