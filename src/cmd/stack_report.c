/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/stack_report.h"

#include <inttypes.h>

static const struct out_column sampling_columns[] = {
	{.key = "events", .flags = OUT_JSON_ONLY},	     {.key = "count", .flags = OUT_JSON_ONLY},
	{.key = "samples", .flags = OUT_JSON_ONLY},	     {.key = "by_copy", .flags = OUT_JSON_ONLY},
	{.key = "by_frame_pointer", .flags = OUT_JSON_ONLY}, {.key = "ends", .flags = OUT_JSON_ONLY},
	{.key = "files_replaced", .flags = OUT_JSON_ONLY},   {.key = "mappings_lost", .flags = OUT_JSON_ONLY},
};
static const struct out_table sampling_table = {"sampling", NULL, sampling_columns,
						sizeof(sampling_columns) / sizeof(sampling_columns[0])};

static void sampling_json(struct out *out, const struct stacks_stats *stats, const char *events,
			  uint64_t count, uint64_t samples)
{
	struct out_part ends[UNWIND_ENDS];

	for (unsigned i = 0; i < UNWIND_ENDS; i++)
		ends[i] = (struct out_part){unwind_end__name(i), stats->sym.ends[i]};
	out__line(out, &sampling_table);
	out__text(out, "events", events);
	out__count(out, "count", count);
	out__count(out, "samples", samples);
	out__count(out, "by_copy", stats->by_copy);
	out__count(out, "by_frame_pointer", stats->taken - stats->by_copy);
	out__parts(out, "ends", ends, UNWIND_ENDS);
	out__count(out, "files_replaced", stats->sym.replaced);
	out__count(out, "mappings_lost", stats->sym.mapping_events_lost);
	out__row_end(out);
}

static void say_ends(struct out *out, const struct stacks_stats *stats)
{
	for (unsigned i = 0; i < UNWIND_ENDS; i++)
		if (i != UNWIND_COMPLETE && stats->sym.ends[i])
			out__say(out, "  %" PRIu64 " cut short: %s", stats->sym.ends[i],
				 unwind_end__explain(i));
	if (stats->sym.replaced)
		out__say(out,
			 "  %" PRIu64 " files are not what was mapped any more, and were not used for names",
			 stats->sym.replaced);
	if (stats->sym.mapping_events_lost)
		out__say(out, "  Lost: %" PRIu64 " notices of mappings; code there has no name",
			 stats->sym.mapping_events_lost);
	if (stats->without_room)
		out__say(out, "  Lost: %" PRIu64 " stacks, beyond %u different ones", stats->without_room,
			 STACKS_MAX);
}

void stack_report__sampling(struct out *out, const struct stacks *stacks, const char *events, uint64_t count,
			    uint64_t samples)
{
	struct stacks_stats stats;

	stacks__stats(stacks, &stats);
	if (out__format(out) == OUT_JSON) {
		sampling_json(out, &stats, events, count, samples);
		return;
	}
	out__say(out, "%" PRIu64 " of %" PRIu64 " %s had their stack taken; they stand for the rest. %s",
		 samples, count, events,
		 stats.by_copy == stats.taken ? "Unwound from copies of registers and stack."
		 : stats.by_copy	      ? "Unwound from copies, or followed by frame pointers."
					      : "Followed by frame pointers.");
	say_ends(out, &stats);
}
