/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_MODULE "[kernel]"

/*
 * kallsyms tells no sizes: a function ends where the next symbol begins, of data too. Behind the last one of
 * a region (the kernel's text, a module's) that is no end: no function is as large as this.
 */
#define FUNCTION_MAX (1ul << 20)

/* An offset into `names`; 0 is no name: a symbol that only ends the one before. */
struct function {
	uint64_t address;
	uint32_t name, module;
};

struct kallsyms {
	struct function *functions;
	size_t n, capacity;
	char *names; /* each NUL-terminated, the first empty, the second KERNEL_MODULE */
	size_t size, size_capacity;
};

struct line {
	uint64_t address;
	char type;
	const char *name, *module; /* not terminated; no module: length 0 */
	size_t name_length, module_length;
};

/* "ffffffff81000000 T _text" or "ffffffffc0a01000 t init\t[loop]", up to end. */
static bool parse_line(const char *s, const char *end, struct line *line)
{
	const char *digits = s, *tab;

	*line = (struct line){0};
	for (; s < end && *s != ' '; s++) {
		unsigned digit = *s >= '0' && *s <= '9'	  ? (unsigned)(*s - '0')
				 : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
							  : 16;

		if (digit == 16 || s - digits == 16)
			return false;
		line->address = line->address << 4 | digit;
	}
	if (s == digits || end - s < 4 || s[2] != ' ')
		return false;
	line->type = s[1];
	line->name = s + 3;
	tab = memchr(line->name, '\t', end - line->name);
	line->name_length = (tab ? tab : end) - line->name;
	if (tab) {
		line->module = tab + 1;
		line->module_length = end - line->module;
	}
	return line->name_length;
}

/* Mapping symbols ($x, $d of arm64) and labels of the compiler say nothing about functions. */
static bool is_label(const struct line *line)
{
	return line->name[0] == '$' || (line->name_length > 1 && !memcmp(line->name, ".L", 2));
}

static bool is_text(char type)
{
	return type == 'T' || type == 't' || type == 'W' || type == 'w';
}

/* The offset of a copy of the text, or 0: no memory, or more than 32 bits of it. */
static uint32_t keep(struct kallsyms *k, const char *text, size_t length)
{
	uint32_t offset = k->size;

	if (k->size + length + 1 > UINT32_MAX)
		return 0;
	if (k->size + length + 1 > k->size_capacity) {
		size_t capacity = (k->size + length + 1) * 2;
		char *grown = realloc(k->names, capacity);

		if (!grown)
			return 0;
		k->names = grown;
		k->size_capacity = capacity;
	}
	memcpy(k->names + k->size, text, length);
	k->names[k->size + length] = '\0';
	k->size += length + 1;
	return offset;
}

/* Symbols of a module come together: its name is kept once for each run of them. */
static uint32_t keep_module(struct kallsyms *k, const struct line *line)
{
	uint32_t last = k->n ? k->functions[k->n - 1].module : 0;

	if (!line->module_length)
		return 1;
	if (last && strlen(k->names + last) == line->module_length &&
	    !memcmp(k->names + last, line->module, line->module_length))
		return last;
	return keep(k, line->module, line->module_length);
}

static int add(struct kallsyms *k, const struct line *line)
{
	struct function function = {.address = line->address};

	if (k->n == k->capacity) {
		size_t capacity = k->capacity ? k->capacity * 2 : 4096;
		struct function *grown = realloc(k->functions, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		k->functions = grown;
		k->capacity = capacity;
	}
	function.module = keep_module(k, line);
	if (is_text(line->type))
		function.name = keep(k, line->name, line->name_length);
	if (!function.module || (is_text(line->type) && !function.name))
		return -ENOMEM;
	k->functions[k->n++] = function;
	return 0;
}

static unsigned underscores(const char *name)
{
	return strspn(name, "_");
}

/* Of several names of one address, the best first: what is called most plainly. */
static int compare(const void *a, const void *b, void *names)
{
	const struct function *x = a, *y = b;
	unsigned more, less;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (!x->name || !y->name)
		return !x->name - !y->name;
	more = underscores((char *)names + x->name);
	less = underscores((char *)names + y->name);
	if (more != less)
		return more < less ? -1 : 1;
	return x->name < y->name ? -1 : 1;
}

/* One symbol an address, and no run of symbols that only end what is before. */
static void settle(struct kallsyms *k)
{
	struct function *f = k->functions;
	size_t n = 0;

	qsort_r(f, k->n, sizeof(*f), compare, k->names);
	for (size_t i = 0; i < k->n; i++)
		if (!n || (f[i].address != f[n - 1].address && (f[i].name || f[n - 1].name)))
			f[n++] = f[i];
	k->n = n;
	f = realloc(k->functions, n * sizeof(*f));
	if (f)
		k->functions = f;
}

static int parse(struct kallsyms *k, const char *text)
{
	bool any_text = false, any_address = false;
	struct line line;
	const char *end;
	int err;

	if (keep(k, "", 0) || keep(k, KERNEL_MODULE, strlen(KERNEL_MODULE)) != 1)
		return -ENOMEM;
	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		if (!parse_line(text, end, &line) || is_label(&line))
			continue;
		any_text |= is_text(line.type);
		any_address |= line.address;
		err = line.address ? add(k, &line) : 0;
		if (err)
			return err;
	}
	if (!any_text)
		return -ENODATA;
	if (!any_address)
		return -EPERM;
	settle(k);
	return 0;
}

int kallsyms__parse(const char *text, struct kallsyms **result)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	int err = k ? parse(k, text) : -ENOMEM;

	if (err) {
		kallsyms__free(k);
		k = NULL;
	}
	*result = k;
	return err;
}

void kallsyms__free(struct kallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	free(kallsyms->functions);
	free(kallsyms->names);
	free(kallsyms);
}

const char *kallsyms__find(const struct kallsyms *kallsyms, uint64_t address, uint64_t *offset,
			   const char **module)
{
	size_t low = 0, high = kallsyms->n;
	const struct function *f;

	while (low < high) { /* to the first beyond the address */
		size_t middle = low + (high - low) / 2;

		if (kallsyms->functions[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	f = &kallsyms->functions[low - 1];
	if (!f->name || address - f->address >= FUNCTION_MAX)
		return NULL;
	*offset = address - f->address;
	*module = kallsyms->names + f->module;
	return kallsyms->names + f->name;
}
