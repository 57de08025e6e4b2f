/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/maps.h"

#include <errno.h>
#include <string.h>

#define DELETED " (deleted)"

/* Digits up to `stop`, which is skipped. False: no digits, too many for 64 bits, or something else. */
static bool number(const char **at, unsigned base, char stop, uint64_t *value)
{
	const char *s = *at;
	uint64_t n = 0;

	for (;; s++) {
		unsigned digit = *s >= '0' && *s <= '9'	  ? (unsigned)(*s - '0')
				 : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
							  : base;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	if (s == *at || *s != stop)
		return false;
	*at = s + 1;
	*value = n;
	return true;
}

static bool small_number(const char **at, char stop, unsigned *value)
{
	uint64_t n;

	if (!number(at, 16, stop, &n) || n > UINT32_MAX)
		return false;
	*value = n;
	return true;
}

static bool perms(const char **at, unsigned *value)
{
	static const char letters[4][2] = {"-r", "-w", "-x", "ps"};
	const char *s = *at;

	*value = 0;
	for (unsigned i = 0; i < 4; i++, s++) {
		if (*s == letters[i][1])
			*value |= 1u << i;
		else if (*s != letters[i][0])
			return false;
	}
	if (*s != ' ')
		return false;
	*at = s + 1;
	return true;
}

/* The kernel writes a newline of a name as \012, and nothing else that way: a backslash stays one. */
static bool copy_name(struct maps_entry *entry, const char *name, const char *end)
{
	size_t n = 0, suffix = strlen(DELETED);

	while (name < end) {
		if (n + 1 >= sizeof(entry->name))
			return false;
		if (end - name >= 4 && !memcmp(name, "\\012", 4)) {
			entry->name[n++] = '\n';
			name += 4;
		} else {
			entry->name[n++] = *name++;
		}
	}
	entry->name[n] = '\0';
	entry->name_length = n;
	entry->deleted = n > suffix && !strcmp(entry->name + n - suffix, DELETED);
	entry->bare_length = entry->deleted ? n - suffix : n;
	return true;
}

static bool parse_line(const char *s, const char *end, struct maps_entry *entry)
{
	const char *inode;

	if (!number(&s, 16, '-', &entry->start) || !number(&s, 16, ' ', &entry->end) ||
	    entry->start >= entry->end || !perms(&s, &entry->perms) || !number(&s, 16, ' ', &entry->pgoff) ||
	    !small_number(&s, ':', &entry->major) || !small_number(&s, ' ', &entry->minor))
		return false;
	inode = s;
	if (!number(&s, 10, ' ', &entry->inode)) {
		/* Without a name, even the space may be missing. */
		return number(&inode, 10, *end, &entry->inode) && inode == end + 1 &&
		       copy_name(entry, end, end);
	}
	while (s < end && *s == ' ')
		s++;
	return copy_name(entry, s, end);
}

int maps__next(const char **text, struct maps_entry *entry)
{
	const char *line = *text, *end;

	if (!*line)
		return 0;
	end = strchrnul(line, '\n');
	*text = *end ? end + 1 : end;
	return parse_line(line, end, entry) ? 1 : -EINVAL;
}

void maps__perms(const struct maps_entry *entry, char perms[5])
{
	perms[0] = entry->perms & MAPS_READ ? 'r' : '-';
	perms[1] = entry->perms & MAPS_WRITE ? 'w' : '-';
	perms[2] = entry->perms & MAPS_EXEC ? 'x' : '-';
	perms[3] = entry->perms & MAPS_SHARED ? 's' : 'p';
	perms[4] = '\0';
}
