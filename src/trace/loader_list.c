/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/loader_list.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sym/elf_file.h"
#include "util/log.h"

#define SCRIPTS_MAX 4 /* as in the kernel: interpreters that are scripts */

/* As execvp() does. False: it is not there. */
static bool find_program(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(name, '/'))
		return snprintf(path, size, "%s", name) < (int)size;
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		if (end == dirs)
			snprintf(path, size, "./%s", name);
		else
			snprintf(path, size, "%.*s/%s", (int)(end - dirs), dirs, name);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

/* "#! /bin/sh -e": its first word into path. False: no script. */
static bool script_interpreter(char *path, size_t size)
{
	char line[PATH_MAX] = "", *word;
	int fd = elf_file__open_regular(path);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 2 || strncmp(line, "#!", 2))
		return false;
	line[strcspn(line, "\n")] = '\0';
	word = line + 2 + strspn(line + 2, " \t");
	word[strcspn(word, " \t")] = '\0';
	snprintf(path, size, "%s", word);
	return *word;
}

/* The dynamic loader that a program asks for. False: it is linked statically, or is no program. */
static bool dynamic_loader(const char *program, char *path, size_t size)
{
	int fd = elf_file__open_regular(program);
	Elf *elf = fd < 0 ? NULL : elf_file__open(fd);
	bool found = false;
	size_t n = 0, bytes = 0;
	const char *raw = elf ? elf_rawfile(elf, &bytes) : NULL;

	if (raw && elf_getphdrnum(elf, &n))
		n = 0;
	for (size_t i = 0; i < n && !found; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, i, &p) || p.p_type != PT_INTERP || p.p_offset >= bytes ||
		    p.p_filesz > bytes - p.p_offset || !p.p_filesz || p.p_filesz >= size)
			continue;
		snprintf(path, size, "%.*s", (int)p.p_filesz, raw + p.p_offset);
		found = path[0] == '/';
	}
	elf_end(elf);
	return found;
}

char *loader_list__path(char *line)
{
	char *arrow = strstr(line, "=> "), *path, *end;

	path = arrow ? arrow + 3 : line + strspn(line, " \t");
	end = strrchr(path, '(');
	if (*path != '/' || !end || end == path || end[-1] != ' ')
		return NULL;
	end[-1] = '\0';
	return path;
}

static void exec_loader(const char *loader, const char *program, int out)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(null, STDERR_FILENO);
	dup2(out, STDOUT_FILENO);
	execl(loader, loader, "--list", program, (char *)NULL);
	_exit(127);
}

static void list(const char *loader, const char *program, void (*take)(void *context, const char *path),
		 void *context)
{
	char line[2 * PATH_MAX], *path;
	int fds[2];
	pid_t pid;
	FILE *in;

	if (pipe2(fds, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid)
		exec_loader(loader, program, fds[1]);
	close(fds[1]);
	in = fdopen(fds[0], "r");
	while (in && pid > 0 && fgets(line, sizeof(line), in))
		if ((path = loader_list__path(line)))
			take(context, path);
	if (in)
		fclose(in);
	else
		close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void loader_list__of(const char *program, void (*take)(void *context, const char *path), void *context)
{
	char path[PATH_MAX], loader[PATH_MAX];

	if (!find_program(program, path, sizeof(path)))
		return;
	for (int i = 0; i < SCRIPTS_MAX && script_interpreter(path, sizeof(path)); i++)
		;
	take(context, path);
	if (dynamic_loader(path, loader, sizeof(loader)))
		list(loader, path, take, context);
	else
		log__verbose("%s has no dynamic loader", path);
}
