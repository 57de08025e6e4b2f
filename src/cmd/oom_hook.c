/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"

#define AT_ONCE	      4		   /* commands that run side by side */
#define MESSAGE_MAX   (256u << 10) /* a kill in JSON has some 10 KiB */
#define PIPE_BYTES    (1 << 20)	   /* kills that wait for the helper */
#define PATIENCE_MS   5000
#define PATIENCE_STEP 20

/* --- the helper -------------------------------------------------------------------------------------------
 */

/* False: the other end was closed. */
static bool read_all(int fd, void *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

/* The command with the message as its stdin: in a file without a name, as nobody need then wait for its
 * reading. */
static void run_command(const char *command, const char *message, size_t size)
{
	int fd = memfd_create("oom-kill", 0);
	pid_t pid;

	if (fd < 0 || write(fd, message, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET)) {
		log__error("--exec: no memory for the command's input: %s", strerror(errno));
	} else if ((pid = fork()) < 0) {
		log__error("--exec: cannot start the command: %s", strerror(errno));
	} else if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		dup2(fd, STDIN_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (fd >= 0)
		close(fd);
}

static int count_running(int running, int options)
{
	while (running && waitpid(-1, NULL, options) > 0) {
		running--;
		options |= WNOHANG;
	}
	return running;
}

/* Until the pipe is closed; then until the last command has ended. What commands print goes to stderr. */
static void __attribute__((noreturn)) serve(int fd, const char *command)
{
	char *message = malloc(MESSAGE_MAX);
	int running = 0;
	uint32_t size;

	/* A Ctrl-C is for memtrace, which then closes the pipe. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	while (message && read_all(fd, &size, sizeof(size)) && size <= MESSAGE_MAX &&
	       read_all(fd, message, size)) {
		running = count_running(running, running < AT_ONCE ? WNOHANG : 0);
		run_command(command, message, size);
		running++;
	}
	while (running)
		running = count_running(running, 0);
	_exit(0);
}

static int start_helper(struct oom_hook *hook, const char *command)
{
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC)) {
		err = -errno;
		log__error("--exec: %s", strerror(-err));
		return err;
	}
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	hook->helper = fork();
	if (hook->helper < 0) {
		err = -errno;
		log__error("--exec: cannot start the helper: %s", strerror(-err));
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (!hook->helper) {
		close(fds[1]);
		serve(fds[0], command);
	}
	close(fds[0]);
	hook->helper_fd = fds[1];
	return 0;
}

/* --- both -------------------------------------------------------------------------------------------------
 */

int oom_hook__open(struct oom_hook *hook, const char *log, const char *command)
{
	hook->log_fd = hook->helper_fd = -1;
	hook->log = log;
	if (log) {
		hook->log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (hook->log_fd < 0) {
			int err = -errno;

			log__error("cannot write %s (--log): %s", log, strerror(-err));
			return err;
		}
	}
	return command ? start_helper(hook, command) : 0;
}

static bool write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		size -= n;
	}
	return true;
}

/* All of a message or nothing: what is in the pipe already cannot be taken back. */
static bool has_room(int fd, size_t size)
{
	int waiting = 0, capacity = fcntl(fd, F_GETPIPE_SZ);

	return !ioctl(fd, FIONREAD, &waiting) && capacity > 0 && waiting + size + 4096 <= (size_t)capacity;
}

/* All of it, on the disk, or nothing: half a line would spoil the next. False, with errno. */
static bool append(int fd, const char *json, size_t size)
{
	struct stat before;
	bool known = !fstat(fd, &before) && S_ISREG(before.st_mode);
	int err;

	if (write_all(fd, json, size) && (!fsync(fd) || errno == EINVAL)) /* a pipe cannot be synced */
		return true;
	err = errno;
	if (known && ftruncate(fd, before.st_size))
		log__verbose("--log: half a line stays: %s", strerror(errno));
	errno = err;
	return false;
}

void oom_hook__tell(struct oom_hook *hook, const char *json, size_t size)
{
	uint32_t length = size;

	if (hook->log_fd >= 0 && !append(hook->log_fd, json, size) && !hook->not_logged++)
		log__error("cannot write %s (--log): %s", hook->log, strerror(errno));
	if (hook->helper_fd < 0)
		return;
	if (size > MESSAGE_MAX || !has_room(hook->helper_fd, sizeof(length) + size) ||
	    !write_all(hook->helper_fd, (char *)&length, sizeof(length)) ||
	    !write_all(hook->helper_fd, json, size))
		hook->not_run++;
}

int oom_hook__close(struct oom_hook *hook)
{
	int waited = 0;

	if (hook->helper_fd >= 0)
		close(hook->helper_fd);
	if (hook->helper > 0) {
		for (; !waitpid(hook->helper, NULL, WNOHANG) && waited < PATIENCE_MS; waited += PATIENCE_STEP)
			poll(NULL, 0, PATIENCE_STEP);
		if (waited >= PATIENCE_MS)
			log__warn("--exec: commands still run; they are left to it");
	}
	if (hook->not_run)
		log__warn("--exec: not run for %" PRIu64 " kills: too many at once", hook->not_run);
	if (hook->not_logged)
		log__error("%s (--log) lacks %" PRIu64 " of the kills", hook->log, hook->not_logged);
	if (hook->log_fd >= 0)
		close(hook->log_fd);
	hook->helper = 0;
	hook->helper_fd = hook->log_fd = -1;
	return hook->not_logged ? -EIO : 0;
}
