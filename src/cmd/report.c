/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "util/log.h"

#define SCHEMA 1

static const struct out_column start_columns[] = {
	{.key = "command", .flags = OUT_JSON_ONLY}, {.key = "schema", .flags = OUT_JSON_ONLY},
	{.key = "version", .flags = OUT_JSON_ONLY}, {.key = "kernel", .flags = OUT_JSON_ONLY},
	{.key = "time", .flags = OUT_JSON_ONLY},
};
static const struct out_table start_table = {"start", NULL, start_columns, 5};

static const struct out_column end_columns[] = {
	{.key = "duration_s", .flags = OUT_JSON_ONLY},
	{.key = "events", .flags = OUT_JSON_ONLY},
	{.key = "lost.ring", .flags = OUT_JSON_ONLY},
	{.key = "lost.map", .flags = OUT_JSON_ONLY},
	{.key = "lost.stack", .flags = OUT_JSON_ONLY},
	{.key = "lost.names", .flags = OUT_JSON_ONLY},
	{.key = "lost.missed", .flags = OUT_JSON_ONLY},
	{.key = "overhead.bpf_ns", .flags = OUT_JSON_ONLY},
	{.key = "overhead.loader_ns", .flags = OUT_JSON_ONLY},
	{.key = "overhead.map_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table end_table = {"end", NULL, end_columns,
					   sizeof(end_columns) / sizeof(end_columns[0])};

void report__start(struct out *out, const char *command)
{
	char now[64] = "", millis[80];
	struct utsname uts = {};
	struct timespec ts;
	struct tm tm;

	if (out__format(out) != OUT_JSON)
		return;
	uname(&uts);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(millis, sizeof(millis), "%s.%03ldZ", now, ts.tv_nsec / 1000000);
	out__line(out, &start_table);
	out__text(out, "command", command);
	out__count(out, "schema", SCHEMA);
	out__text(out, "version", MEMTRACE_VERSION);
	out__text(out, "kernel", uts.release);
	out__text(out, "time", millis);
	out__row_end(out);
}

static const struct out_column interval_columns[] = {
	{.key = "from_s", .flags = OUT_JSON_ONLY},
	{.key = "to_s", .flags = OUT_JSON_ONLY},
};
static const struct out_table interval_table = {"interval", NULL, interval_columns, 2};

void report__interval(struct out *out, double from_s, double to_s)
{
	if (out__format(out) != OUT_JSON)
		return;
	out__line(out, &interval_table);
	out__real(out, "from_s", from_s);
	out__real(out, "to_s", to_s);
	out__row_end(out);
}

static void end_json(struct out *out, const struct session *session, uint64_t events, const struct loss *loss,
		     const struct overhead *overhead)
{
	out__line(out, &end_table);
	out__real(out, "duration_s", session__seconds(session));
	out__count(out, "events", events);
	out__count(out, "lost.ring", loss->causes[LOSS_RING]);
	out__count(out, "lost.map", loss->causes[LOSS_MAP]);
	out__count(out, "lost.stack", loss->causes[LOSS_STACK]);
	out__count(out, "lost.names", loss->causes[LOSS_NAMES]);
	out__count(out, "lost.missed", loss->missed);
	if (overhead->bpf_known)
		out__count(out, "overhead.bpf_ns", overhead->bpf_ns);
	else
		out__unknown(out, "overhead.bpf_ns");
	out__count(out, "overhead.loader_ns", overhead->loader_ns);
	out__count(out, "overhead.map_bytes", overhead->map_bytes);
	out__row_end(out);
}

static void say_loss(struct out *out, const struct report_words *words, const struct loss *loss)
{
	for (int cause = 0; cause < LOSS_CAUSES; cause++)
		if (loss->causes[cause])
			out__say(out, "Lost: %" PRIu64 " %s.", loss->causes[cause], words->lost[cause]);
	if (loss->missed)
		out__say(out, "Lost: %" PRIu64 " events that the kernel did not hand over (recursion).",
			 loss->missed);
}

void report__end(struct out *out, const struct session *session, const struct report_words *words,
		 uint64_t events, const struct loss *loss, const struct overhead *overhead)
{
	char cost[96] = "BPF not measured", bpf[32], loader[32], maps[32];
	double seconds = session__seconds(session);

	if (out__format(out) == OUT_JSON) {
		end_json(out, session, events, loss, overhead);
		return;
	}
	out__format_ns(overhead->bpf_ns, bpf, sizeof(bpf));
	out__format_ns(overhead->loader_ns, loader, sizeof(loader));
	out__format_bytes(overhead->map_bytes, maps, sizeof(maps));
	if (overhead->bpf_known)
		snprintf(cost, sizeof(cost), "BPF about %s", bpf);
	out__blank(out);
	if (!overhead->map_bytes)
		out__say(out, "%" PRIu64 " %s in %.1f s. No BPF; memtrace took %s of CPU.", events,
			 words->events, seconds, loader);
	else
		out__say(out,
			 "%" PRIu64
			 " %s in %.1f s, %s. Tracing: %s, memtrace %s of CPU (loading included), %s of maps.",
			 events, words->events, seconds, loss__any(loss) ? "with losses" : "none lost", cost,
			 loader, maps);
	say_loss(out, words, loss);
}

int report__flush(struct out *out)
{
	int err = out__flush(out);

	if (err && err != -EPIPE)
		log__error("cannot write the report: %s", strerror(-err));
	return err;
}
