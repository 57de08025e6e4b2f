/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace system: where the memory of the machine is, how close it is to reclaim, and what it has to do to
 * find room. Reads /proc alone, and needs no privilege.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"
#include "cmd/report.h"
#include "cmd/system_cgroup.h"
#include "cmd/system_report.h"
#include "commands.h"
#include "proc/file.h"
#include "trace/session.h"
#include "util/log.h"

#define NS_PER_SEC	1000000000ull
#define NS_PER_MS	1000000ull
#define DEFAULT_RATE_NS NS_PER_SEC

static const struct argp_option own_options[] = {
	{"cgroup", KEY_CGROUP, "PATH", 0, "Also this memory cgroup, and each that it is in", 1},
	{"interval", 'i', "SEC", 0, "Report every SEC seconds, with what has changed", 1},
	{"duration", 'd', "SEC", 0, "Stop after SEC seconds; without -i, one report of that time (default 1)",
	 1},
	{"output", 'o', "FILE", 0, "Write the report to FILE", 2},
	{"json", KEY_JSON, NULL, 0, "JSON Lines instead of text", 2},
	{"verbose", 'v', NULL, 0, "Say on stderr what is done, and what it takes", 2},
	{"help", KEY_HELP, NULL, 0, "Show this help", -1},
	{},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	return common_argp.parser(key, arg, state);
}

/* -1: go on; else the exit status. */
static int parse(struct common_options *common, int argc, char **argv)
{
	static const struct argp argp = {
		.options = own_options,
		.parser = take_option,
		.doc = "Where the memory of the machine is; swap, watermarks, fragmentation, pressure, and what "
		       "the machine had to do to find room.",
	};
	int status = options__parse(&argp, argc, argv, common, common);

	if (status < 0 && common->target.program) {
		log__error("system is about the whole machine: it runs no program");
		return EXIT_USAGE;
	}
	return status;
}

/* --- reading ----------------------------------------------------------------------------------------------
 */

/* Says what is wrong and returns NULL then. */
static char *read_file(const char *path)
{
	char *text = file__read(path, NULL);

	if (!text)
		log__error("cannot read %s: %s", path, strerror(errno));
	return text;
}

static int take_zones(struct system_state *state, const char *zoneinfo, const char *buddyinfo)
{
	const char *at = zoneinfo;
	struct zone zone;
	int result;

	state->n_zones = 0;
	while ((result = zoneinfo__next(&at, &zone)) == 1 && state->n_zones < SYSTEM_ZONES)
		if (zone.managed)
			state->zones[state->n_zones++] = zone;
	if (result == 1)
		state->zones_left_out = true;
	return result < 0 ? result : buddyinfo__read(buddyinfo, state->zones, state->n_zones);
}

static void add_zones_to_memory(struct system_state *state, uint64_t page_size)
{
	uint64_t pages, sum = 0;

	for (size_t i = 0; i < state->n_zones; i++)
		sum += state->zones[i].in_cpu_lists;
	if (state->n_zones)
		state->memory.in_cpu_lists = sum * page_size;
	if (counter__find(state->vmstat, "nr_zspages", &pages))
		state->memory.zspages = pages * page_size;
}

static void forget(struct system_state *state)
{
	free(state->vmstat);
	free(state->swaps);
	free(state->pressure);
	memset(state, 0, sizeof(*state));
}

/* Zones, swap and pressure are not told everywhere (a container, an old kernel): then they are left out. */
static int read_state(struct system_state *state)
{
	char *meminfo = read_file("/proc/meminfo"), *zoneinfo = file__read("/proc/zoneinfo", NULL),
	     *buddyinfo = file__read("/proc/buddyinfo", NULL);
	int err = 0;

	state->vmstat = read_file("/proc/vmstat");
	state->swaps = file__read("/proc/swaps", NULL);
	state->pressure = file__read("/proc/pressure/memory", NULL);
	state->read_ns = session__now();
	if (!meminfo || !state->vmstat)
		err = -EIO;
	if (!err && !meminfo__parse(meminfo, &state->memory)) {
		log__error("/proc/meminfo is not as any known kernel writes it");
		err = -EINVAL;
	}
	if (!err && zoneinfo && buddyinfo && take_zones(state, zoneinfo, buddyinfo)) {
		log__error("/proc/zoneinfo or /proc/buddyinfo is not as any known kernel writes it");
		err = -EINVAL;
	}
	if (!err)
		add_zones_to_memory(state, (uint64_t)sysconf(_SC_PAGESIZE));
	free(meminfo);
	free(zoneinfo);
	free(buddyinfo);
	return err;
}

/* --- running ----------------------------------------------------------------------------------------------
 */

/* One report at least, even if a signal cuts its time short. */
static int watch(struct out *out, const struct common_options *common)
{
	uint64_t step = common->interval_ns   ? common->interval_ns
			: common->duration_ns ? common->duration_ns
					      : DEFAULT_RATE_NS;
	struct system_state before = {}, now = {};
	int err = read_state(&before);
	uint64_t began = before.read_ns, next = began, reports = 0;

	if (!err && common->interval_ns)
		log__info("ready");
	while (!err) {
		next += step;
		session__sleep_until(next);
		err = read_state(&now);
		if (err)
			break;
		system_report__print(out, &before, &now, began, common->interval_ns > 0);
		if (common->target.cgroup)
			err = system_cgroup__print(out, common->target.cgroup);
		reports++;
		err = report__flush(out) ?: err;
		forget(&before);
		before = now;
		memset(&now, 0, sizeof(now));
		if (!common->interval_ns || session__interrupted() ||
		    (common->duration_ns && next + step > began + common->duration_ns + NS_PER_MS))
			break;
	}
	if (!err) {
		system_report__end(out, (before.read_ns - began) / 1e9, reports);
		err = report__flush(out);
	}
	forget(&before);
	forget(&now);
	return err;
}

int cmd_system(int argc, char **argv)
{
	struct common_options common = {};
	int status = parse(&common, argc, argv), err;
	struct out *out = NULL;

	if (status < 0) {
		session__catch_signals();
		out = options__output(&common);
		err = out ? 0 : -ENOMEM;
		if (!err) {
			report__start(out, "system");
			err = watch(out, &common);
		}
		status = err && err != -EPIPE ? EXIT_FAILED : EXIT_OK;
	}
	out__free(out);
	target__free(&common.target);
	return status;
}
