// SPDX-License-Identifier: GPL-2.0
/*
 * rusage - run a program and write down what the kernel counted for it and the children it waited for.
 *
 *	rusage FILE PROGRAM [ARGS]
 *
 * FILE gets pid (of rusage), child (of PROGRAM), status (as wait4 returns it), min_flt and maj_flt. What the
 * child did between fork and exec counts, as it does for wait4. Exits with the status of PROGRAM.
 */
#include "prog.h"
#include <sys/wait.h>

int main(int argc, char **argv)
{
	struct rusage ru;
	int status;
	pid_t pid;
	FILE *out;

	if (argc < 3)
		usage_error("FILE PROGRAM [ARGS]");
	out = fopen(argv[1], "we");
	if (!out)
		die("%s", argv[1]);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (wait4(pid, &status, 0, &ru) != pid)
		if (errno != EINTR)
			die("wait4");
	fprintf(out, "pid=%d\nchild=%d\nstatus=%d\nmin_flt=%ld\nmaj_flt=%ld\n", getpid(), pid, status,
		ru.ru_minflt, ru.ru_majflt);
	if (fclose(out))
		die("%s", argv[1]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
