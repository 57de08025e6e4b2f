/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/frame_row.h"

#include <inttypes.h>
#include <stdio.h>

#include "out/frame_name.h"
#include "util/text.h"

#define TEXT_MAX 4096

static void set_hostile(json_t *object, const char *key, const char *text)
{
	char safe[TEXT_MAX];

	if (!text)
		return;
	text__to_utf8(text, safe, sizeof(safe));
	json_object_set_new(object, key, json_string(safe));
}

static void set_address(json_t *object, const char *key, uint64_t address)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	json_object_set_new(object, key, json_string(text));
}

json_t *frame_row__object(const struct frame *f)
{
	json_t *object = json_object();

	if (f->ip)
		set_address(object, "ip", f->ip);
	set_hostile(object, "symbol", f->symbol);
	if (f->symbol && !f->inlined)
		json_object_set_new(object, "offset", json_integer(f->offset));
	set_hostile(object, "module", f->module);
	if (f->module && f->module_offset)
		set_address(object, "module_offset", f->module_offset);
	set_hostile(object, "build_id", f->build_id);
	set_hostile(object, "file", f->file);
	if (f->file && f->line)
		json_object_set_new(object, "line", json_integer(f->line));
	if (f->inlined)
		json_object_set_new(object, "inlined", json_true());
	if (f->kernel)
		json_object_set_new(object, "kernel", json_true());
	return object;
}

void frame_row__text(const struct frame *f, char *buf, size_t size)
{
	char name[1024], source[512] = "";

	frame_name__format(f, name, sizeof(name));
	if (f->file)
		snprintf(source, sizeof(source), "  %.500s:%u", f->file, f->line);
	if (f->symbol && f->inlined)
		snprintf(buf, size, "%s (inlined)%s", name, source);
	else if (f->symbol)
		snprintf(buf, size, "%s+0x%" PRIx64 "  %s%s", name, f->offset,
			 frame_name__base(f->module) ?: "", source);
	else
		snprintf(buf, size, "%s%s%.12s%s", name, f->build_id ? " [" : "", f->build_id ?: "",
			 f->build_id ? "]" : "");
}
