// SPDX-License-Identifier: GPL-2.0
/*
 * sleeper - a process to attach to: it does what it is told, when it is told.
 *
 *	sleeper			obey lines on stdin, answer each with one line on stdout
 *	sleeper PAGES		touch PAGES a second until SIGTERM, then print what it did
 *
 * Orders (N pages never touched before, of one anonymous region):
 *	touch N		touch them here			ok touched=TOTAL
 *	fork N		a child touches them and exits	ok child=PID
 *	thread N	a thread touches them		ok tid=TID
 *	exec PROGRAM	a child executes it, alone	ok child=PID
 *	name TEXT	change comm			ok
 *	quit		print the region's figures and exit
 * The end of stdin is quit.
 */
#include "prog.h"
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define REGION_PAGES 65536

struct region {
	char *at;
	size_t touched; /* by whomever */
	size_t here;	/* by this process */
};

struct touch_job {
	char *at;
	size_t pages;
	pid_t tid;
};

static volatile sig_atomic_t told_to_stop;

static char *take(struct region *region, size_t pages)
{
	char *at = region->at + region->touched * page_size();

	if (region->touched + pages > REGION_PAGES) {
		fprintf(stderr, "sleeper: region exhausted\n");
		exit(97);
	}
	region->touched += pages;
	return at;
}

static pid_t wait_for(pid_t pid)
{
	int status;

	if (pid < 0)
		die("fork");
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return pid;
}

static pid_t touch_in_child(char *at, size_t pages)
{
	pid_t pid = fork();

	if (pid == 0) {
		touch_write(at, pages);
		_exit(0);
	}
	return wait_for(pid);
}

static pid_t run_in_child(const char *program)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp(program, program, (char *)NULL);
		_exit(127);
	}
	return wait_for(pid);
}

static void *touch_thread(void *arg)
{
	struct touch_job *job = arg;

	job->tid = gettid();
	touch_write(job->at, job->pages);
	return NULL;
}

static pid_t touch_in_thread(char *at, size_t pages)
{
	struct touch_job job = {.at = at, .pages = pages};
	pthread_t thread;

	if (pthread_create(&thread, NULL, touch_thread, &job) || pthread_join(thread, NULL))
		die("pthread_create");
	return job.tid;
}

/* Returns false when there is nothing more to obey. */
static bool obey(struct region *region, char *line)
{
	size_t pages = 0;
	char *word;

	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "quit"))
		return false;
	word = strchr(line, ' ');
	if (!word) {
		printf("error unknown order\n");
		return true;
	}
	*word++ = '\0';
	pages = strtoul(word, NULL, 10);
	if (!strcmp(line, "touch")) {
		touch_write(take(region, pages), pages);
		region->here += pages;
		printf("ok touched=%zu\n", region->touched);
	} else if (!strcmp(line, "fork")) {
		printf("ok child=%d\n", touch_in_child(take(region, pages), pages));
	} else if (!strcmp(line, "thread")) {
		printf("ok tid=%d\n", touch_in_thread(take(region, pages), pages));
		region->here += pages;
	} else if (!strcmp(line, "exec")) {
		printf("ok child=%d\n", run_in_child(word));
	} else if (!strcmp(line, "name")) {
		prctl(PR_SET_NAME, word, 0, 0, 0);
		printf("ok\n");
	} else {
		printf("error unknown order\n");
	}
	return true;
}

static void serve(struct region *region)
{
	char line[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ok pid=%d region=%#lx\n", getpid(), (unsigned long)(uintptr_t)region->at);
	while (fgets(line, sizeof(line), stdin) && obey(region, line))
		;
}

static void on_term(int sig)
{
	(void)sig;
	told_to_stop = 1;
}

static void run_at(struct region *region, size_t pages)
{
	struct sigaction act = {.sa_handler = on_term};
	const struct timespec tenth = {0, 100000000};

	sigaction(SIGTERM, &act, NULL);
	say("pid=%d", getpid());
	while (!told_to_stop && region->touched + pages / 10 + 1 <= REGION_PAGES) {
		size_t now = (pages + 9) / 10;

		touch_write(take(region, now), now);
		region->here += now;
		nanosleep(&tenth, NULL);
	}
}

int main(int argc, char **argv)
{
	struct region region = {0};

	if (argc > 2)
		usage_error("[PAGES]");
	warm_up();
	region.at = map_alone(REGION_PAGES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (argc == 2)
		run_at(&region, number(argv[1], "[PAGES]"));
	else
		serve(&region);
	say_region("region", region.at, REGION_PAGES);
	say("region.touched=%zu", region.touched);
	say("region.here=%zu", region.here);
	say_self();
	return 0;
}
