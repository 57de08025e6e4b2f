/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/zones.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LENGTH 1024

/* The line at *text without its newline, cut if it is long; *text moves on. False: there is none. */
static bool next_line(const char **text, char line[LINE_MAX_LENGTH])
{
	size_t length = strcspn(*text, "\n"), kept = length < LINE_MAX_LENGTH ? length : LINE_MAX_LENGTH - 1;

	if (!**text)
		return false;
	memcpy(line, *text, kept);
	line[kept] = '\0';
	*text += length + ((*text)[length] == '\n');
	return true;
}

/* "Node 0, zone   Normal": what follows, or NULL. */
static const char *parse_zone(const char *line, struct zone *zone)
{
	int end = 0;

	if (sscanf(line, "Node %9u, zone %15s%n", &zone->node, zone->name, &end) != 2 || !end)
		return NULL;
	return line + end;
}

/* What was found of a zone, so that none is told half. */
enum { SEEN_FREE = 1, SEEN_MIN = 2, SEEN_LOW = 4, SEEN_HIGH = 8, SEEN_MANAGED = 16, SEEN_ALL = 31 };

static unsigned take_value(struct zone *zone, const char *name, uint64_t value)
{
	const struct {
		const char *name;
		uint64_t *to;
		unsigned seen;
	} fields[] = {
		{"free", &zone->free, SEEN_FREE},
		{"min", &zone->min, SEEN_MIN},
		{"low", &zone->low, SEEN_LOW},
		{"high", &zone->high, SEEN_HIGH},
		{"managed", &zone->managed, SEEN_MANAGED},
		{"boost", &zone->boost, 0},
	};

	if (!strcmp(name, "count:")) /* of a CPU's list */
		zone->in_cpu_lists += value;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(name, fields[i].name))
			continue;
		*fields[i].to = value;
		return fields[i].seen;
	}
	return 0;
}

int zoneinfo__next(const char **text, struct zone *zone)
{
	char line[LINE_MAX_LENGTH], name[32];
	unsigned seen = 0;
	uint64_t value;

	memset(zone, 0, sizeof(*zone));
	if (!next_line(text, line))
		return 0;
	if (!parse_zone(line, zone))
		return -EINVAL;
	while (strncmp(*text, "Node ", 5) && next_line(text, line)) {
		const char *at = line + strspn(line, " ");

		if (!strncmp(at, "pages free", 10))
			at += 6;
		if (sscanf(at, "%31s %18" SCNu64, name, &value) == 2)
			seen |= take_value(zone, name, value);
	}
	return seen == SEEN_ALL ? 1 : -EINVAL;
}

static struct zone *find(struct zone *zones, size_t n, const struct zone *like)
{
	for (size_t i = 0; i < n; i++)
		if (zones[i].node == like->node && !strcmp(zones[i].name, like->name))
			return &zones[i];
	return NULL;
}

int buddyinfo__read(const char *text, struct zone *zones, size_t n)
{
	char line[LINE_MAX_LENGTH];

	while (next_line(&text, line)) {
		struct zone read = {}, *zone;
		const char *at = parse_zone(line, &read);
		int used = 0;

		while (at && read.orders < ZONE_ORDERS &&
		       sscanf(at, " %18" SCNu64 "%n", &read.blocks[read.orders], &used) == 1) {
			at += used;
			read.orders++;
		}
		if (!at || !read.orders || at[strspn(at, " ")])
			return -EINVAL;
		zone = find(zones, n, &read);
		if (!zone)
			continue;
		zone->orders = read.orders;
		memcpy(zone->blocks, read.blocks, sizeof(zone->blocks));
	}
	return 0;
}
