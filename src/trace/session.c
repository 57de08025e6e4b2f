/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/session.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trace/privileges.h"
#include "util/log.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS  1000000ull
#define POLL_NS	   (50 * NS_PER_MS)
#define DRAIN_NS   (100 * NS_PER_MS)
#define MEASURE_NS (20 * NS_PER_MS)

static volatile sig_atomic_t signal_caught;

uint64_t session__now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

uint64_t session__cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* A message may be a whole verifier log: line by line. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *rest, *line;

	if (!log__is_verbose() || level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log__verbose("%s", line);
	free(text);
	return 0;
}

void session__init(struct session *session)
{
	memset(session, 0, sizeof(*session));
	session->stats_fd = -1;
	libbpf_set_print(print_libbpf);
}

static void catch_signal(int signal)
{
	signal_caught = signal;
}

void session__catch_signals(void)
{
	struct sigaction action = {.sa_handler = catch_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, told as such */
}

bool session__interrupted(void)
{
	return signal_caught;
}

void session__sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};

	while (!signal_caught && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void stop_measuring(struct session *session)
{
	if (session->stats_fd < 0)
		return;
	close(session->stats_fd);
	session->stats_fd = -1;
	session->stats_on_ns += session__now() - session->stats_since_ns;
}

static void start_measuring(struct session *session)
{
	bool raised;

	if (session->stats_fd >= 0 || session->measures_itself)
		return;
	raised = privileges__raise(CAP_SYS_ADMIN);
	session->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	privileges__lower(CAP_SYS_ADMIN, raised);
	session->stats_since_ns = session__now();
	if (session->stats_fd < 0)
		log__verbose("the kernel does not add up the time of BPF programs: %s", strerror(errno));
}

double session__measured_share(const struct session *session)
{
	uint64_t ns = session->ended_ns - session->began_ns;

	return ns && session->stats_on_ns < ns ? (double)session->stats_on_ns / ns : session->stats_on_ns > 0;
}

bool session__drained_enough(struct session *session)
{
	return session->drain_until && ++session->drained % 256 == 0 && session__now() > session->drain_until;
}

int session__drain(struct session *session, bool all)
{
	int n;

	if (session->before_draining)
		session->before_draining(session->draining_context);
	session->drain_until = all ? 0 : session__now() + DRAIN_NS;
	n = session->control ? ring_buffer__consume(session->control) : 0;
	if (n >= 0 && session->events)
		n = ring_buffer__consume(session->events);
	if (n < 0 && n != -EAGAIN)
		return n;
	return session->after_draining ? session->after_draining(session->draining_context) : 0;
}

static void show_status(const struct session *session, const struct session_ops *ops, void *context)
{
	char text[160], detail[96] = "";

	if (!isatty(STDERR_FILENO))
		return;
	ops->status(context, detail, sizeof(detail));
	snprintf(text, sizeof(text), "memtrace: %.0f s, %s (Ctrl-C ends and reports)",
		 (session__now() - session->began_ns) / (double)NS_PER_SEC, detail);
	log__status(text);
}

/* Why the session is over: an explanation for -v, or NULL. */
static const char *reason_to_end(struct session *session, const struct target *target, int targets_fd,
				 uint64_t now)
{
	if (session__interrupted()) {
		if (signal_caught != SIGINT) /* a terminal sends SIGINT to the program, too */
			program__signal(&session->program, signal_caught);
		return "a signal";
	}
	if (session->duration_ns && now - session->began_ns >= session->duration_ns)
		return "the duration";
	if (program__poll(&session->program))
		return "the end of the program";
	if (session->is_over ? session->is_over(session->over_context) : target__is_gone(target, targets_fd))
		return "the end of the last process that was traced";
	return NULL;
}

/* Wait for a ring that has passed its watermark, a signal, or the next thing that is due. */
static void wait_a_little(const struct session *session, uint64_t until)
{
	uint64_t now = session__now(), ns = until > now ? until - now : 0;
	uint64_t longest = session->poll_ns ? session->poll_ns : POLL_NS;
	struct timespec ts = {.tv_nsec = ns < longest ? ns : longest};
	struct pollfd fds[2];
	nfds_t n = 0;

	if (session->control)
		fds[n++] = (struct pollfd){.fd = ring_buffer__epoll_fd(session->control), .events = POLLIN};
	if (session->events)
		fds[n++] = (struct pollfd){.fd = ring_buffer__epoll_fd(session->events), .events = POLLIN};
	ppoll(fds, n, &ts, NULL);
}

/* When the next interval ends; never, if the report at the end tells what little would be left for it. */
static uint64_t report_after(const struct session *session, uint64_t last)
{
	uint64_t next = last + session->interval_ns, end = session->began_ns + session->duration_ns;

	if (!session->interval_ns || (session->duration_ns && next + session->interval_ns / 20 >= end))
		return UINT64_MAX;
	return next;
}

static int loop(struct session *session, const struct target *target, int targets_fd,
		const struct session_ops *ops, void *context)
{
	uint64_t next_collect = session->began_ns + NS_PER_SEC,
		 next_report = report_after(session, session->began_ns);
	uint64_t end = session->began_ns + session->duration_ns;
	const char *reason;
	int err = 0;

	while (!err) {
		uint64_t now = session__now(), until = next_collect;

		reason = reason_to_end(session, target, targets_fd, now);
		if (reason) {
			log__verbose("ended by %s", reason);
			break;
		}
		if (next_report < until)
			until = next_report;
		if (session->duration_ns && end < until)
			until = end;
		if (session->stats_fd >= 0 && session->stats_since_ns + MEASURE_NS < until)
			until = session->stats_since_ns + MEASURE_NS;
		wait_a_little(session, until);
		err = session__drain(session, false);
		now = session__now();
		if (now - session->stats_since_ns >= MEASURE_NS)
			stop_measuring(session);
		if (!err && (now >= next_collect || ops->needs_collecting(context))) {
			err = ops->collect(context);
			show_status(session, ops, context);
			next_collect = now + NS_PER_SEC;
			start_measuring(session);
		}
		if (!err && now >= next_report && !session__interrupted()) {
			log__status(NULL);
			err = ops->report(context);
			next_report = report_after(session, next_report);
		}
	}
	return err;
}

/*
 * What goes on needs: CAP_BPF to read maps (older kernels ask for it), CAP_SYS_PTRACE (newer kernels take
 * CAP_PERFMON for it) and CAP_DAC_READ_SEARCH for the maps and files of processes, CAP_SYSLOG for the
 * kernel's symbols, CAP_KILL for a program that runs as another user. CAP_SYS_ADMIN is in effect only while
 * statistics are switched on, and while uprobes are set.
 */
static void drop_privileges(const struct session *session)
{
	uint64_t keep = CAPABILITY(CAP_BPF) | CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_DAC_READ_SEARCH) |
			CAPABILITY(CAP_SYSLOG);
	uint64_t aside = session->measures_itself ? 0 : CAPABILITY(CAP_SYS_ADMIN);
	int err;

	if (session->attaches_later || !privileges__has(CAP_SYS_PTRACE))
		keep |= CAPABILITY(CAP_PERFMON);
	if (session->locks_memory) /* or memory would end at RLIMIT_MEMLOCK */
		keep |= CAPABILITY(CAP_IPC_LOCK);
	if (session->program.pid)
		keep |= CAPABILITY(CAP_KILL);
	err = privileges__drop(keep | aside, aside);
	if (err)
		log__verbose("privileges are kept, as they cannot be dropped: %s", strerror(-err));
}

static void say_if_blind(void)
{
	int fd;

	if (privileges__has(CAP_SYS_PTRACE))
		return;
	fd = open("/proc/1/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		log__warn(
			"CAP_SYS_PTRACE is missing: what other users' processes have mapped already, and the names "
			"of their code, are not known");
	else
		close(fd);
}

int session__run(struct session *session, const struct target *target, int targets_fd,
		 const struct session_ops *ops, void *context)
{
	int err = 0;

	session->began_ns = session__now();
	start_measuring(session);
	if (session->reads_maps && !target->program)
		say_if_blind();
	if (!target->program)
		drop_privileges(session);
	log__info("ready");
	if (target->program) {
		err = program__start(&session->program, target->program, &target->run_as,
				     session->before_exec, context);
		drop_privileges(session);
	}
	if (!err)
		err = loop(session, target, targets_fd, ops, context);
	stop_measuring(session);
	session->ended_ns = session__now();
	log__status(NULL);
	return err;
}

uint32_t session__ring_bytes(uint64_t bytes)
{
	uint32_t size = getpagesize();

	while (size < bytes && size < 1u << 30)
		size *= 2;
	return size;
}

double session__seconds(const struct session *session)
{
	uint64_t end = session->ended_ns ? session->ended_ns : session__now();

	return (end - session->began_ns) / (double)NS_PER_SEC;
}

int session__close(struct session *session, int err)
{
	int status;

	if (session->program.pid && !program__poll(&session->program)) {
		if (err)
			program__wait(&session->program);
		else
			program__end(&session->program, session__interrupted() ? signal_caught : SIGTERM);
	}
	status = session->program.status;
	ring_buffer__free(session->control);
	ring_buffer__free(session->events);
	session->control = session->events = NULL;
	stop_measuring(session);
	return status;
}
