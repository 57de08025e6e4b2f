/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_last.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/report.h"
#include "proc/kmsg.h"
#include "proc/oom_log.h"
#include "trace/session.h"
#include "util/log.h"

struct last {
	const struct common_options *common;
	enum oom_detail detail;
	struct out *out;
	struct oom_log *log;
	struct oom_kill held; /* until it is known that no other belongs to it */
	bool holds;
	uint64_t kills, raw, overwritten;
	uint64_t boot_wall_ns; /* when the log's clock was 0 */
};

static const struct out_column end_columns[] = {
	{.key = "events", .flags = OUT_JSON_ONLY},
	{.key = "not_understood", .flags = OUT_JSON_ONLY},
	{.key = "lost.log", .flags = OUT_JSON_ONLY},
};
static const struct out_table end_table = {"end", NULL, end_columns, 3};

static void put_held(struct last *l)
{
	const char *comm = l->common->target.comm;

	if (!l->holds)
		return;
	l->holds = false;
	if (comm && strcmp(comm, l->held.victim.comm))
		return;
	if (l->kills++ && l->detail == OOM_BLOCK)
		out__blank(l->out);
	oom_report__kill(l->out, &l->held, l->detail);
}

static void add_also(struct oom_kill *kill, const struct oom_kill *other)
{
	struct oom_also *also;

	if (other->victim.pid == kill->victim.pid)
		return; /* the group includes the one that was chosen */
	for (size_t i = 0; i < kill->also_count && i < OOM_ALSO; i++)
		if (kill->also[i].pid == other->victim.pid)
			return;
	if (kill->also_count++ >= OOM_ALSO)
		return;
	also = &kill->also[kill->also_count - 1];
	also->pid = other->victim.pid;
	also->resident = oom_size__resident(&other->size);
	memcpy(also->comm, other->victim.comm, sizeof(also->comm));
}

static void take_line(struct last *l, const char *line, uint64_t us)
{
	struct oom_kill kill;

	switch (oom_log__line(l->log, line, us, &kill)) {
	case OOM_LOG_KILL:
		put_held(l);
		l->held = kill;
		l->held.wall_ns = l->boot_wall_ns + kill.time_ns;
		l->holds = true;
		break;
	case OOM_LOG_ALSO:
		if (l->holds)
			add_also(&l->held, &kill);
		break;
	case OOM_LOG_REAPED:
		if (l->holds && kill.victim.pid == l->held.victim.pid)
			l->held.reaped_ns = kill.time_ns - l->held.time_ns;
		break;
	case OOM_LOG_RAW:
		put_held(l);
		l->raw++;
		oom_report__raw(l->out, line);
		break;
	case OOM_LOG_NOTHING:
		break;
	}
}

static int read_log(struct last *l)
{
	int fd = kmsg__open(false), err = 1;
	char line[KMSG_RECORD_MAX];
	uint64_t us;

	if (fd < 0) {
		log__error("cannot read the kernel log, /dev/kmsg: %s%s", strerror(-fd),
			   fd == -EPERM || fd == -EACCES ? ": root or CAP_SYSLOG is missing" : "");
		return fd;
	}
	while (err == 1 || err == -EPIPE) {
		err = kmsg__next(fd, line, sizeof(line), &us);
		if (err == 1)
			take_line(l, line, us);
		l->overwritten += err == -EPIPE;
	}
	close(fd);
	if (err)
		log__error("cannot read the kernel log: %s", strerror(-err));
	return err;
}

static void put_end(struct last *l)
{
	if (out__format(l->out) == OUT_TABLE) {
		if (!l->kills && !l->raw)
			out__say(l->out, "The kernel log has no OOM kill%s.",
				 l->common->target.comm ? " of that name" : "");
		return;
	}
	out__line(l->out, &end_table);
	out__count(l->out, "events", l->kills);
	out__count(l->out, "not_understood", l->raw);
	out__count(l->out, "lost.log", l->overwritten);
	out__row_end(l->out);
}

int oom_last__run(const struct common_options *common, enum oom_detail detail)
{
	struct last l = {.common = common, .detail = detail, .log = oom_log__new()};
	struct timespec ts;
	int err = -ENOMEM;

	clock_gettime(CLOCK_REALTIME, &ts);
	l.boot_wall_ns = ts.tv_sec * 1000000000ull + ts.tv_nsec - session__now();
	l.out = options__output(common);
	if (l.log && l.out) {
		report__start(l.out, "oom");
		err = read_log(&l);
		put_held(&l);
		if (!err)
			put_end(&l);
		err = report__flush(l.out) ?: err;
	}
	out__free(l.out);
	oom_log__free(l.log);
	return err;
}
