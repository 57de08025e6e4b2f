/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/tlb_shape.h"

#include <stddef.h>
#include <string.h>

#define SMALL_BYTES 4096ull
#define LARGE_BYTES (2ull << 20)

/* One array of translations. */
struct array {
	unsigned level;
	bool small, large;
	uint32_t entries;
};

/* The largest level of each page size; a level comes in one array or in two. */
struct largest {
	struct array small, large;
};

static void take(struct largest *to, const struct array *a)
{
	if (a->small && a->entries && a->level >= to->small.level)
		to->small = *a;
	if (a->large && a->entries && a->level >= to->large.level)
		to->large = *a;
}

static struct tlb_shape shape_of(const struct largest *l)
{
	struct tlb_shape shape = {};

	if (l->small.small && l->small.large && l->large.small && l->small.level == l->large.level)
		shape.either = l->small.entries;
	else
		shape = (struct tlb_shape){.small = l->small.entries, .large = l->large.entries};
	return shape;
}

/* --- Intel ------------------------------------------------------------------------------------------------
 */

/* Deterministic address translation parameters: one array a subleaf. */
static void read_leaf_18(struct largest *l, cpuid_fn *cpuid, void *context)
{
	uint32_t last = cpuid(context, 0x18, 0).eax;

	for (uint32_t i = 0; i <= last && i < 64; i++) {
		struct cpuid_words w = cpuid(context, 0x18, i);
		unsigned type = w.edx & 0x1f; /* 1 data, 2 code, 3 both, 4 loads, 5 stores */
		struct array a = {
			.level = w.edx >> 5 & 7,
			.small = w.ebx & 1,
			.large = w.ebx & 2,
			.entries = (w.ebx >> 16) * w.ecx,
		};

		if (type == 1 || type == 3 || type == 4)
			take(l, &a);
	}
}

static const struct {
	uint8_t byte;
	struct array array;
} descriptors[] = {
	{0x03, {1, true, false, 64}},  {0x04, {1, false, true, 8}},   {0x05, {1, false, true, 32}},
	{0x56, {1, false, true, 16}},  {0x57, {1, true, false, 16}},  {0x59, {1, true, false, 16}},
	{0x5a, {1, false, true, 32}},  {0x5b, {1, true, true, 64}},   {0x5c, {1, true, true, 128}},
	{0x5d, {1, true, true, 256}},  {0x63, {1, false, true, 32}},  {0x64, {1, true, false, 512}},
	{0x6b, {2, true, false, 256}}, {0x6c, {2, false, true, 128}}, {0xa0, {1, true, false, 32}},
	{0xb3, {1, true, false, 128}}, {0xb4, {1, true, false, 256}}, {0xba, {1, true, false, 64}},
	{0xc0, {1, true, true, 8}},    {0xc1, {2, true, true, 1024}}, {0xc2, {1, true, true, 16}},
	{0xc3, {2, true, true, 1536}}, {0xc4, {1, false, true, 32}},  {0xca, {2, true, false, 512}},
};

static void read_leaf_2(struct largest *l, cpuid_fn *cpuid, void *context)
{
	struct cpuid_words w = cpuid(context, 2, 0);
	uint32_t words[] = {w.eax & ~0xffu, w.ebx, w.ecx, w.edx};

	for (size_t i = 0; i < 16; i++) {
		uint8_t byte = words[i / 4] >> i % 4 * 8;

		if (words[i / 4] >> 31) /* no descriptors */
			continue;
		for (size_t d = 0; d < sizeof(descriptors) / sizeof(descriptors[0]); d++)
			if (descriptors[d].byte == byte)
				take(l, &descriptors[d].array);
	}
}

/* --- AMD --------------------------------------------------------------------------------------------------
 */

static void read_amd(struct largest *l, cpuid_fn *cpuid, void *context)
{
	struct cpuid_words first = cpuid(context, 0x80000005, 0), second = cpuid(context, 0x80000006, 0);
	struct array arrays[] = {
		{1, false, true, first.eax >> 16 & 0xff},
		{1, true, false, first.ebx >> 16 & 0xff},
		{2, false, true, second.eax >> 16 & 0xfff},
		{2, true, false, second.ebx >> 16 & 0xfff},
	};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		take(l, &arrays[i]);
}

bool tlb_shape__read(struct tlb_shape *shape, cpuid_fn *cpuid, void *context)
{
	struct cpuid_words zero = cpuid(context, 0, 0);
	struct largest l = {};
	char vendor[13] = "";

	memcpy(vendor, &zero.ebx, 4);
	memcpy(vendor + 4, &zero.edx, 4);
	memcpy(vendor + 8, &zero.ecx, 4);
	if (!strcmp(vendor, "AuthenticAMD") || !strcmp(vendor, "HygonGenuine")) {
		if (cpuid(context, 0x80000000, 0).eax >= 0x80000006)
			read_amd(&l, cpuid, context);
	} else if (!strcmp(vendor, "GenuineIntel")) {
		if (zero.eax >= 0x18)
			read_leaf_18(&l, cpuid, context);
		if (zero.eax >= 2 && !l.small.entries)
			read_leaf_2(&l, cpuid, context);
	}
	*shape = shape_of(&l);
	return shape->small || shape->either;
}

/* --- reach ------------------------------------------------------------------------------------------------
 */

uint64_t tlb_shape__entries(uint64_t rss, uint64_t huge)
{
	uint64_t small = rss > huge ? rss - huge : 0;

	return (small + SMALL_BYTES - 1) / SMALL_BYTES + (huge + LARGE_BYTES - 1) / LARGE_BYTES;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t tlb_shape__reach(const struct tlb_shape *shape, uint64_t rss, uint64_t huge)
{
	uint64_t small = rss > huge ? rss - huge : 0, either = shape->either, bytes;
	uint64_t pages = (huge + LARGE_BYTES - 1) / LARGE_BYTES;
	uint64_t mapped = least(pages, shape->large + either);

	if (mapped > shape->large)
		either -= mapped - shape->large;
	bytes = least(mapped * LARGE_BYTES, huge);
	return bytes + least((shape->small + either) * SMALL_BYTES, small);
}
