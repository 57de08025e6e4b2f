/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/stacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/file.h"
#include "proc/maps.h"
#include "trace/map_events.h"
#include "trace/session.h"
#include "util/log.h"

#define FRAMES_MAX SYM_STACK_MAX

/* How a stack ends that the kernel followed: whether it is whole is for its outermost function to say. */
#define BY_FRAME_POINTER UNWIND_ENDS

/* The stack that was taken last, as it was in its process. */
struct last_stack {
	uint32_t id, tid, pid;
	enum unwind_end end;
	uint64_t time_ns;
	uint64_t ips[FRAMES_MAX + STACK_KERNEL_FRAMES];
	uint32_t places[FRAMES_MAX + STACK_KERNEL_FRAMES];
	size_t count;
};

struct stacks {
	struct sym *sym;
	struct map_events *maps;
	struct stack_table *table;
	struct last_stack last;
	struct stacks_stats stats;
	bool keeps_exceptions;
};

struct stacks *stacks__open(bool follow)
{
	struct stacks *s = calloc(1, sizeof(*s));

	if (s) {
		s->sym = sym__new();
		s->table = stack_table__new();
	}
	if (!s || !s->sym || !s->table) {
		log__error("no memory");
		stacks__close(s);
		return NULL;
	}
	if (!follow)
		return s;
	if (map_events__open(&s->maps)) {
		stacks__close(s);
		return NULL;
	}
	sym__read_maps(s->sym, 0);
	stacks__follow(s);
	return s;
}

void stacks__close(struct stacks *s)
{
	if (!s)
		return;
	map_events__close(s->maps);
	stack_table__free(s->table);
	sym__free(s->sym);
	free(s);
}

void stacks__keep_exceptions(struct stacks *s)
{
	s->keeps_exceptions = true;
}

void stacks__on_mapped(struct stacks *s, void (*mapped)(void *context, uint32_t pid), void *context)
{
	map_events__on_mapped(s->maps, mapped, context);
}

void stacks__follow(struct stacks *s)
{
	map_events__consume(s->maps, s->sym, 0);
}

/* --- records ----------------------------------------------------------------------------------------------
 */

/*
 * The kernel's registers by DWARF number (System V psABI for x86-64, figure 3.36; for arm64 the two orders
 * are the same: DWARF for the Arm 64-bit Architecture, table 4.1, and user_pt_regs).
 */
static void dwarf_registers(const __u64 *from, uint64_t *to)
{
#if defined(__x86_64__)
	/* Where rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8-r15 and rip are in struct pt_regs, in words. */
	static const uint8_t order[] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16};

	memset(to, 0, SYM_REGS * sizeof(*to));
	for (size_t i = 0; i < sizeof(order); i++)
		to[i] = from[order[i]];
#else
	for (size_t i = 0; i < SYM_REGS; i++)
		to[i] = from[i];
#endif
}

#if defined(__x86_64__)
enum { DWARF_SP = 7, DWARF_IP = 16 };
#else
enum { DWARF_SP = 31, DWARF_IP = 32 };
#endif

/* The user part of a stack that came as a copy. Returns how it ends. */
static enum unwind_end unwind_copy(struct stacks *s, const struct stack_record *r, const uint8_t *copy,
				   struct last_stack *last)
{
	uint64_t regs[SYM_REGS];
	struct sym_sample sample = {
		.pid = r->key.process.tgid,
		.time_ns = r->time_ns,
		.regs = regs,
		.stack = copy,
		.holes = r->holes,
		.stack_size = r->copy_size,
	};
	enum unwind_end end = UNWIND_COPY;

	if (!r->has_registers)
		return end;
	dwarf_registers(r->registers, regs);
	sample.ip = regs[DWARF_IP];
	sample.sp = regs[DWARF_SP];
	last->count += sym__stack(s->sym, &sample, &last->ips[last->count], &last->places[last->count],
				  FRAMES_MAX, &end);
	return end;
}

static enum unwind_end take_addresses(struct stacks *s, const struct stack_record *r, const uint8_t *data,
				      struct last_stack *last)
{
	size_t n = r->user_frames < FRAMES_MAX ? r->user_frames : FRAMES_MAX;

	if (r->method == STACK_NONE) /* of the kernel alone */
		return UNWIND_COMPLETE;
	for (size_t i = 0; i < n; i++) {
		uint64_t ip;

		memcpy(&ip, data + i * sizeof(ip), sizeof(ip));
		if (!ip) /* the outermost frame has none to return to */
			break;
		last->places[last->count] = sym__place(s->sym, r->key.process.tgid, r->time_ns, ip, i > 0);
		last->ips[last->count++] = ip;
	}
	if (r->user_frames >= STACK_FRAMES)
		return UNWIND_FRAMES;
	if (r->method == STACK_BY_STEPS)
		return r->holes ? UNWIND_STEP : UNWIND_COMPLETE;
	return BY_FRAME_POINTER;
}

/* The entry of an exception is of no interest: what counts is what it interrupted. */
static bool is_exception_entry(const char *symbol)
{
	return symbol && (!strcmp(symbol, "asm_exc_page_fault") || !strcmp(symbol, "el1h_64_sync") ||
			  !strcmp(symbol, "el0t_64_sync"));
}

/* How the kernel came to tell of it: innermost in each stack that a hook takes. */
static bool is_tracing(const char *symbol)
{
	static const char *const starts[] = {"bpf_prog_",    "bpf_trace_run",	"__bpf_trace_",
					     "__traceiter_", "bpf_trampoline_", "__bpf_prog_"};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (symbol && !strncmp(symbol, starts[i], strlen(starts[i])))
			return true;
	return false;
}

/* Does the stack begin only after this frame? Where the kernel alone is of interest, so is what it did in an
 * exception. */
static bool begins_after(const struct stacks *s, const struct stack_record *r, const struct last_stack *last,
			 const char *symbol)
{
	if (!last->count && is_tracing(symbol))
		return true;
	return r->method != STACK_NONE && !s->keeps_exceptions && is_exception_entry(symbol);
}

static void take_kernel_part(struct stacks *s, const struct stack_record *r, struct last_stack *last)
{
	size_t n;

	for (size_t i = 0; i < r->kernel_frames && i < STACK_KERNEL_FRAMES; i++) {
		uint64_t ip;
		uint32_t place;

		memcpy(&ip, &r->data[i * sizeof(ip)], sizeof(ip));
		place = sym__kernel_place(s->sym, ip, last->count > 0);
		if (begins_after(s, r, last, sym__frames(s->sym, place, &n)->symbol)) {
			last->count = 0;
			continue;
		}
		last->places[last->count] = place;
		last->ips[last->count++] = ip;
	}
}

static bool is_sound(const struct stack_record *r, size_t size)
{
	return size >= offsetof(struct stack_record, data) &&
	       (r->kernel_frames + (uint64_t)r->user_frames) * 8 + r->copy_size <=
		       size - offsetof(struct stack_record, data) &&
	       r->kernel_frames <= STACK_KERNEL_FRAMES;
}

uint32_t stacks__take(struct stacks *s, const struct stack_record *r, size_t size)
{
	struct last_stack *last = &s->last;
	const uint8_t *user = r->data + r->kernel_frames * 8;
	enum unwind_end end;

	if (!is_sound(r, size))
		return STACK_UNKNOWN;
	if (s->maps)
		map_events__consume(s->maps, s->sym, r->time_ns);
	s->stats.taken++;
	s->stats.by_copy += r->method == STACK_BY_COPY;
	last->count = 0;
	take_kernel_part(s, r, last);
	if (r->method == STACK_BY_COPY)
		end = unwind_copy(s, r, user, last);
	else
		end = take_addresses(s, r, user, last);
	last->tid = r->tid;
	last->pid = r->key.process.tgid;
	last->end = end;
	last->time_ns = r->time_ns;
	last->id = stack_table__add(s->table, last->places, last->count, end);
	return last->id;
}

uint32_t stacks__last(const struct stacks *s, uint32_t tid, uint64_t time_ns)
{
	return s->last.tid == tid && s->last.time_ns == time_ns ? s->last.id : STACK_UNKNOWN;
}

/* An address of each is asked for, whatever is there. */
void stacks__prepare(struct stacks *s, uint32_t pid)
{
	struct maps_entry *entry = malloc(sizeof(*entry));
	char path[32], *text;
	const char *rest;
	int found;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	rest = text = entry ? file__read(path, NULL) : NULL;
	while (text && (found = maps__next(&rest, entry)))
		if (found > 0 && entry->perms & MAPS_EXEC && entry->name[0] == '/')
			sym__step(s->sym, pid, session__now(), entry->start + 1);
	free(text);
	free(entry);
}

/* What unwinding made of the outermost frame, it will make of it again; but where the copy ended, it has not
 * tried. */
static struct unwind_step step_of_outermost(struct stacks *s, uint64_t ip)
{
	const struct last_stack *last = &s->last;

	if (last->end == UNWIND_COPY || last->end == UNWIND_FRAMES)
		return sym__step(s->sym, last->pid, last->time_ns, ip);
	return (struct unwind_step){.kind = last->end == UNWIND_COMPLETE ? STEP_OUTERMOST : STEP_CUT};
}

size_t stacks__steps(struct stacks *s, struct stacks_step *steps, size_t max)
{
	const struct last_stack *last = &s->last;
	size_t n = 0;

	/* The first is no return address: it stands for the next byte's, which a return address would be. */
	if (last->count && max) {
		steps[n].ip = last->ips[0] + 1;
		steps[n++].step = sym__step(s->sym, last->pid, last->time_ns, last->ips[0] + 1);
	}
	for (size_t i = 1; i < last->count && n < max; i++, n++) {
		steps[n].ip = last->ips[i];
		steps[n].step = i + 1 < last->count
					? sym__step(s->sym, last->pid, last->time_ns, last->ips[i])
					: step_of_outermost(s, last->ips[i]);
	}
	return n;
}

/* --- names ------------------------------------------------------------------------------------------------
 */

/* Where programs and threads of the C library begin. */
static bool is_outermost(const struct frame *f)
{
	static const char *const names[] = {"_start",	"clone",	"clone3",	  "__clone",
					    "__clone3", "start_thread", "_dl_start_user", "__restore_rt"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (f->symbol && !strcmp(f->symbol, names[i]))
			return true;
	return false;
}

struct frame *stacks__frames(struct stacks *s, uint32_t stack, bool ips, size_t *n, const char **note)
{
	size_t count, total = 0, inlined;
	uint32_t end;
	const uint32_t *places = stack_table__get(s->table, stack, &count, &end);
	struct frame *frames;

	*n = 0;
	*note = NULL;
	for (size_t i = 0; i < count; i++) {
		sym__frames(s->sym, places[i], &inlined);
		total += inlined;
	}
	frames = total ? calloc(total, sizeof(*frames)) : NULL;
	for (size_t i = 0; i < count && frames; i++) {
		const struct frame *at = sym__frames(s->sym, places[i], &inlined);

		for (size_t j = 0; j < inlined; j++) {
			frames[*n] = at[j];
			frames[(*n)++].ip = ips && stack == s->last.id ? s->last.ips[i] : 0;
		}
	}
	if (frames && end == BY_FRAME_POINTER)
		*note = is_outermost(&frames[*n - 1]) ? NULL : "the frame pointers end here (--stacks=dwarf)";
	else if (frames && end != UNWIND_COMPLETE)
		*note = unwind_end__explain(end);
	return frames;
}

uint32_t stacks__without(struct stacks *s, uint32_t stack, size_t frames)
{
	size_t count, first = 0, left_out = 0, inlined;
	uint32_t end, rest[FRAMES_MAX + STACK_KERNEL_FRAMES];
	const uint32_t *places = stack_table__get(s->table, stack, &count, &end);

	while (first < count && left_out < frames) {
		sym__frames(s->sym, places[first], &inlined);
		left_out += inlined;
		if (left_out <= frames)
			first++;
	}
	if (!first || first >= count || count > sizeof(rest) / sizeof(rest[0]))
		return stack;
	memcpy(rest, places + first, (count - first) * sizeof(*rest));
	return stack_table__add(s->table, rest, count - first, end);
}

const struct frame *stacks__function(struct stacks *s, uint32_t pid, const char *path, uint64_t file_offset)
{
	size_t n;

	return sym__frames(s->sym, sym__file_place(s->sym, pid, path, file_offset, false), &n);
}

const struct frame *stacks__code(struct stacks *s, uint32_t pid, uint64_t time_ns, uint64_t ip)
{
	size_t n;

	return sym__frames(s->sym, sym__place(s->sym, pid, time_ns, ip, false), &n);
}

void stacks__stats(const struct stacks *s, struct stacks_stats *stats)
{
	*stats = s->stats;
	stats->without_room = stack_table__left_out(s->table);
	sym__stats(s->sym, &stats->sym);
}
