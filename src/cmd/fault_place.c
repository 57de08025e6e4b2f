/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/fault_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/vma_name.h"
#include "out/frame_name.h"

const char *fault_place__name(const struct vma_row *v, char buf[FAULT_PLACE_NAME])
{
	if (!v)
		return "(other)";
	if (v->stack_tid && v->class == CLASS_ANON) {
		snprintf(buf, FAULT_PLACE_NAME, "[stack:%u]", v->stack_tid);
		return buf;
	}
	if (!v->class && !v->end)
		return "(no VMA)";
	if (!v->named)
		return "?";
	return v->name;
}

unsigned fault_place__class(const struct vma_row *v)
{
	return v->stack_tid && v->class == CLASS_ANON ? CLASS_STACK : v->class;
}

void fault_place__put_no_vma(struct out *out)
{
	out__unknown(out, "vma.start");
	out__unknown(out, "vma.end");
	out__unknown(out, "vma.perms");
	out__unknown(out, "vma.class");
	out__unknown(out, "vma.name");
	out__null(out, "vma");
}

void fault_place__put_vma(struct out *out, const struct vma_row *v, uint64_t start, uint64_t end,
			  uint64_t flags)
{
	char perms[5], name[FAULT_PLACE_NAME];

	if (!end) {
		fault_place__put_no_vma(out);
		return;
	}
	vma_name__perms(flags, perms);
	out__address(out, "vma.start", start);
	out__address(out, "vma.end", end);
	out__text(out, "vma.perms", perms);
	if (v) {
		out__text(out, "vma.class", vma_class__name(fault_place__class(v)));
		out__text(out, "vma.name", fault_place__name(v, name));
	} else {
		out__unknown(out, "vma.class");
		out__unknown(out, "vma.name");
	}
	out__unknown(out, "vma");
}

struct code code__at(struct stacks *stacks, const struct vma_row *v, uint64_t start, uint64_t pgoff,
		     uint32_t pid, uint64_t ip)
{
	struct code code = {v, start, pgoff, ip, NULL};

	if (v && v->key.file && *v->name)
		code.frame = stacks__function(stacks, pid, v->name, ip - start + (pgoff << 12));
	return code;
}

void code__format(const struct code *code, char *buf, size_t size)
{
	const struct vma_row *v = code->vma;
	const struct frame *frame = code->frame;
	const char *file = frame_name__base(frame && frame->module ? frame->module : v ? v->name : "");

	if (frame && frame->symbol && frame->inlined)
		snprintf(buf, size, "%s (%s)", frame->symbol, file);
	else if (frame && frame->symbol)
		snprintf(buf, size, "%s+0x%" PRIx64 " (%s)", frame->symbol, frame->offset, file);
	else if (frame && *file)
		snprintf(buf, size, "%s+0x%" PRIx64, file,
			 frame->module_offset ?: code->ip - code->start + (code->pgoff << 12));
	else if (v && *v->name)
		snprintf(buf, size, "0x%" PRIx64 " in %s", code->ip, v->name);
	else
		snprintf(buf, size, "0x%" PRIx64, code->ip);
}

/* --- names of instructions, kept for a while --------------------------------------------------------------
 */

void recent_codes__forget(struct recent_codes *recent)
{
	for (size_t i = 0; i < RECENT_CODES; i++)
		recent->codes[i].ip = 0;
}

const char *recent_codes__name(struct recent_codes *recent, const struct process_key *process,
			       uint64_t time_ns, uint64_t ip)
{
	struct recent_code *r = &recent->codes[(ip ^ ip >> 8 ^ process->tgid) % RECENT_CODES];
	struct code code = {.ip = ip};

	if (r->ip == ip && ip && !memcmp(&r->process, process, sizeof(*process)))
		return r->name;
	code.frame = stacks__code(recent->stacks, process->tgid, time_ns, ip);
	code__format(&code, r->name, sizeof(r->name));
	r->process = *process;
	r->ip = ip;
	return r->name;
}
