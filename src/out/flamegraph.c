/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places are per cents of the width, so the picture fits any window without a script; flamegraph.js adds zoom
 * and search, from what the picture says. Each frame is an <svg> of its own inside its <g>: it clips its
 * text.
 */
#include "out/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "out/flamegraph.css.h"
#include "out/flamegraph.js.h"
#include "out/frame_name.h"
#include "out/out.h"
#include "out/stack_list.h"
#include "util/text.h"

#define WIDTH	     1200 /* of the window, until a script knows better */
#define VISIBLE	     0.1  /* in such a window; both in pixels, as all that follows */
#define COLUMN_WIDTH 6.7
#define TOP	     54 /* of the root */
#define ROW	     18
#define FOOT	     40
#define SHADES	     6		  /* of each kind, in flamegraph.css */
#define WHOLE	     100000000ULL /* places are integers, millionths of a per cent, so that widths add up */

struct box {
	const struct stack_label *label; /* NULL: the root */
	size_t depth;
	uint64_t start, end; /* in values, from the left */
	uint64_t parent;     /* value of it */
};

struct picture {
	FILE *file;
	const struct profile *profile;
	const struct stack_list *list;
	struct box *boxes; /* in document order; those that are still open are the path to the last */
	size_t count, room;
	size_t *path; /* the boxes that are open, by depth */
	size_t open, path_room;
	size_t left_out, max_depth;
	bool has_kind[FRAME_KERNEL + 1];
};

/* --- text -------------------------------------------------------------------------------------------------
 */

/* Printable text, for content and attributes. U+FFFE and U+FFFF are UTF-8, but not XML. */
static void put_xml(FILE *file, const char *text)
{
	for (const char *s = text; *s; s++) {
		if (strchr("&<>\"'", *s)) {
			fprintf(file, "&#%d;", *s);
		} else if (!strncmp(s, "\xef\xbf\xbe", 3) || !strncmp(s, "\xef\xbf\xbf", 3)) {
			fputs("\xef\xbf\xbd", file);
			s += 2;
		} else {
			putc(*s, file);
		}
	}
}

static void put_hostile(FILE *file, const char *text)
{
	char printable[FRAME_NAME_MAX];

	text__to_printable(text ? text : "", printable, sizeof(printable));
	put_xml(file, printable);
}

static void format_count(uint64_t n, char *buf, size_t size)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t used = 0;

	for (int i = 0; i < length && used + 2 < size; i++) {
		if (i && (length - i) % 3 == 0)
			buf[used++] = ',';
		buf[used++] = digits[i];
	}
	buf[used] = '\0';
}

/* "1,234 faults", "5.6 MiB": what a value says by itself. True: and of what. */
static bool put_value(const struct picture *p, uint64_t value)
{
	const struct profile_type *type = &p->profile->types[0];
	char text[64];

	if (type->unit && !strcmp(type->unit, "bytes")) {
		out__format_bytes(value, text, sizeof(text));
	} else if (type->unit && !strcmp(type->unit, "nanoseconds")) {
		out__format_ns(value, text, sizeof(text));
	} else {
		format_count(value, text, sizeof(text));
		fprintf(p->file, "%s ", text);
		put_hostile(p->file, type->name);
		return true;
	}
	fputs(text, p->file);
	return false;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100;
}

/* --- boxes ------------------------------------------------------------------------------------------------
 */

static bool open_box(struct picture *p, const struct stack_label *label, uint64_t start)
{
	if (p->count == p->room) {
		size_t room = p->room ? 2 * p->room : 1024;
		struct box *boxes = realloc(p->boxes, room * sizeof(*boxes));

		if (!boxes)
			return false;
		p->boxes = boxes;
		p->room = room;
	}
	if (p->open == p->path_room) {
		size_t room = p->path_room ? 2 * p->path_room : 64;
		size_t *path = realloc(p->path, room * sizeof(*path));

		if (!path)
			return false;
		p->path = path;
		p->path_room = room;
	}
	p->boxes[p->count] = (struct box){.label = label, .depth = p->open, .start = start};
	p->path[p->open++] = p->count++;
	return true;
}

/* The innermost open box ends. What is in a narrow one was narrow and is gone, so it is the last: it goes,
 * too. */
static void close_box(struct picture *p, uint64_t end)
{
	struct box *box = &p->boxes[p->path[--p->open]];

	box->end = end;
	if (!box->label)
		return;
	if ((double)(end - box->start) * WIDTH < VISIBLE * (double)p->list->total) {
		p->left_out++;
		p->count--;
		return;
	}
	p->has_kind[box->label->kind] = true;
	if (box->depth > p->max_depth)
		p->max_depth = box->depth;
}

/* Parents are closed after their children, so what they are worth is told at the end. */
static void note_parents(struct picture *p)
{
	size_t depth = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct box *parent;

		depth = p->boxes[i].depth;
		parent = &p->boxes[depth ? p->path[depth - 1] : 0];
		p->boxes[i].parent = parent->end - parent->start;
		p->path[depth] = i;
	}
}

static size_t common_depth(const struct stack *a, const struct stack *b)
{
	size_t n = 0;

	while (n < a->depth && n < b->depth && a->labels[n] == b->labels[n])
		n++;
	return n;
}

static bool make_boxes(struct picture *p)
{
	const struct stack_list *list = p->list;
	uint64_t at = 0;

	if (!open_box(p, NULL, 0))
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const struct stack *s = &list->stacks[i];
		size_t shared = i ? common_depth(s - 1, s) : 0;

		while (p->open > 1 + shared)
			close_box(p, at);
		for (size_t j = shared; j < s->depth; j++)
			if (!open_box(p, &list->labels[s->labels[j]], at))
				return false;
		at += s->value;
	}
	while (p->open)
		close_box(p, at);
	note_parents(p);
	return true;
}

/* --- frames -----------------------------------------------------------------------------------------------
 */

/* FNV-1a (draft-eastlake-fnv): a file has one shade, in whichever picture. */
static unsigned shade_of(const char *text)
{
	uint32_t hash = 2166136261;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619;
	return (hash ^ hash >> 16) % SHADES;
}

/* The comm, and what stands for code that is not known. */
static bool is_code(const struct box *box)
{
	return box->depth > 1 && (box->label->module || box->label->name[0] != '[');
}

/* The kernel is one file: there, functions have shades. */
static void put_class(const struct picture *p, const struct box *box)
{
	static const char kinds[] = {[FRAME_USER] = 'u', [FRAME_INLINED] = 'i', [FRAME_KERNEL] = 'k'};
	const char *by;

	if (!is_code(box)) {
		fputs("n", p->file);
		return;
	}
	by = box->label->module && box->label->kind != FRAME_KERNEL ? frame_name__base(box->label->module)
								    : box->label->name;
	fprintf(p->file, "%c%u", kinds[box->label->kind], shade_of(by));
}

static void put_title(const struct picture *p, const struct box *box)
{
	static const char *const kinds[] = {
		[FRAME_USER] = "", [FRAME_INLINED] = "inlined", [FRAME_KERNEL] = "kernel"};
	const char *module = box->label ? frame_name__base(box->label->module) : NULL;
	const char *kind = box->label ? kinds[box->label->kind] : "";
	uint64_t value = box->end - box->start;

	fputs("<title>", p->file);
	put_hostile(p->file, box->label ? box->label->name : p->profile->title);
	putc('\n', p->file);
	put_value(p, value);
	fprintf(p->file, ", %.1f%% of all", share(value, p->list->total));
	if (box->depth)
		fprintf(p->file, ", %.1f%% of its parent", share(value, box->parent));
	if (*kind || module)
		fprintf(p->file, "\n%s%s", kind, module ? (*kind ? ", in " : "in ") : "");
	if (module)
		put_hostile(p->file, module);
	fputs("</title>", p->file);
}

static int put_text(const struct picture *p, const struct box *box, double width)
{
	const char *name = box->label ? box->label->name : p->profile->title;
	char printable[FRAME_NAME_MAX], *fitting;

	if (width < 6 + 3 * COLUMN_WIDTH)
		return 0;
	text__to_printable(name ? name : "", printable, sizeof(printable));
	fitting = text__shortened(printable, (size_t)((width - 6) / COLUMN_WIDTH), false);
	if (!fitting)
		return -ENOMEM;
	fputs("<text x=\"3\" y=\"12.5\">", p->file);
	put_xml(p->file, fitting);
	fputs("</text>", p->file);
	free(fitting);
	return 0;
}

/* In millionths of a per cent. */
static uint64_t place_of(const struct picture *p, uint64_t value)
{
	return p->list->total ? (uint64_t)((unsigned __int128)value * WHOLE / p->list->total) : 0;
}

static void put_place(const struct picture *p, const char *attribute, uint64_t place)
{
	fprintf(p->file, " %s=\"%" PRIu64 ".%06" PRIu64 "%%\"", attribute, place / 1000000, place % 1000000);
}

static int put_box(const struct picture *p, const struct box *box)
{
	uint64_t x = place_of(p, box->start);
	uint64_t width = box->depth ? place_of(p, box->end) - x : WHOLE;
	int err;

	fputs("<g class=\"", p->file);
	put_class(p, box);
	fputs("\">", p->file);
	put_title(p, box);
	fputs("<svg", p->file);
	put_place(p, "x", x);
	fprintf(p->file, " y=\"%zu\"", TOP + box->depth * ROW);
	put_place(p, "width", width);
	fprintf(p->file, " height=\"%d\"><rect width=\"100%%\" height=\"100%%\"/>", ROW - 1);
	err = put_text(p, box, (double)width / (double)WHOLE * WIDTH);
	fputs("</svg></g>\n", p->file);
	return err;
}

/* --- around them ------------------------------------------------------------------------------------------
 */

static void put_heading(const struct picture *p)
{
	fputs("<text class=\"heading\" x=\"10\" y=\"22\">", p->file);
	if (!put_value(p, p->list->total)) {
		putc(' ', p->file);
		put_hostile(p->file, p->profile->types[0].name);
	}
	fputs("</text>\n<text class=\"prose details\" x=\"10\" y=\"43\">"
	      "Callers are above what they call; a frame is as wide as its share.</text>\n",
	      p->file);
}

static void put_legend(const struct picture *p)
{
	static const char *const names[] = {
		[FRAME_USER] = "user", [FRAME_INLINED] = "inlined", [FRAME_KERNEL] = "kernel"};
	static const char *const classes[] = {
		[FRAME_USER] = "u0", [FRAME_INLINED] = "i0", [FRAME_KERNEL] = "k0"};
	size_t y = TOP + (p->max_depth + 1) * ROW + 12, x = 10;

	for (int i = 0; i <= FRAME_KERNEL; i++) {
		if (!p->has_kind[i])
			continue;
		fprintf(p->file,
			"<g class=\"%s\"><rect x=\"%zu\" y=\"%zu\" width=\"12\" height=\"12\" rx=\"2\"/></g>"
			"<text class=\"prose\" x=\"%zu\" y=\"%zu\">%s</text>\n",
			classes[i], x, y, x + 17, y + 10, names[i]);
		x += 80;
	}
	if (p->left_out)
		fprintf(p->file,
			"<text class=\"prose\" x=\"%zu\" y=\"%zu\">%zu frames are too narrow to be seen, and left "
			"out</text>\n",
			x, y + 10, p->left_out);
}

static int put_picture(const struct picture *p)
{
	int err = 0;

	fprintf(p->file,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg class=\"flamegraph\" xmlns=\"http://www.w3.org/2000/svg\" width=\"100%%\" height=\"%zu\">\n"
		"<title>",
		TOP + (p->max_depth + 1) * ROW + FOOT);
	put_hostile(p->file, p->profile->title);
	fprintf(p->file, "</title>\n<style><![CDATA[\n%s]]></style>\n", flamegraph_css);
	put_heading(p);
	fputs("<g class=\"frames\">\n", p->file);
	for (size_t i = 0; i < p->count && !err; i++)
		err = put_box(p, &p->boxes[i]);
	fputs("</g>\n", p->file);
	put_legend(p);
	fprintf(p->file, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flamegraph_js);
	return err;
}

int flamegraph__write(FILE *file, const struct profile *profile)
{
	struct stack_list *list = stack_list__new(profile, NULL);
	struct picture p = {.file = file, .profile = profile, .list = list};
	int err = -ENOMEM;

	if (!list)
		return -ENOMEM;
	errno = 0;
	if (make_boxes(&p))
		err = put_picture(&p);
	if (!err && (fflush(file) == EOF || ferror(file)))
		err = errno ? -errno : -EIO;
	free(p.boxes);
	free(p.path);
	stack_list__free(list);
	return err;
}
