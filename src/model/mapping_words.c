/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/mapping_words.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vma.h"

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static bool has_flag(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);

	return at && (at == flags || at[-1] == ' ') && (!at[2] || at[2] == ' ');
}

unsigned mapping__class(const char *name, bool of_file, const char *perms, const char *flags)
{
	if (has_flag(flags, "ht"))
		return CLASS_HUGETLB;
	if (begins(name, "[heap]"))
		return CLASS_HEAP;
	if (begins(name, "[stack"))
		return CLASS_STACK;
	if (begins(name, "[v"))
		return CLASS_VDSO;
	if (begins(name, "[anon_shmem:") || begins(name, "/dev/zero (deleted)") || begins(name, "/memfd:") ||
	    begins(name, "/SYSV") || begins(name, "/dev/shm/"))
		return CLASS_SHMEM;
	if (!of_file)
		return CLASS_ANON;
	if (perms[2] == 'x')
		return CLASS_TEXT;
	return perms[1] == 'w' && perms[3] == 'p' ? CLASS_DATA : CLASS_FILE;
}

/* Documentation/filesystems/proc.rst; "" is for those that the permissions or the class show. */
static const struct {
	char flag[3];
	const char *words;
} flag_words[] = {
	{"rd", ""},
	{"wr", ""},
	{"ex", ""},
	{"sh", ""},
	{"mr", ""},
	{"mw", ""},
	{"me", ""},
	{"ms", ""},
	{"ac", ""},
	{"sd", ""},
	{"ht", ""},
	{"gd", "grows down"},
	{"pf", "pages of a device"},
	{"lo", "locked"},
	{"io", "device memory"},
	{"sr", "read sequentially"},
	{"rr", "read at random"},
	{"dc", "not copied on fork"},
	{"de", "cannot grow"},
	{"nr", "no swap reserved"},
	{"sf", "synchronous faults"},
	{"wf", "wiped on fork"},
	{"dd", "not in core dumps"},
	{"mm", "mixed pages"},
	{"hg", "huge pages wanted"},
	{"nh", "no huge pages"},
	{"mg", "KSM may merge"},
	{"bt", "branch targets guarded"},
	{"mt", "memory tagging"},
	{"um", "userfaultfd, missing"},
	{"uw", "userfaultfd, write-protect"},
	{"ui", "userfaultfd, minor"},
	{"ss", "shadow stack"},
	{"sl", "sealed"},
	{"lf", "locked when touched"},
	{"dp", "droppable"},
	{"gu", "guard pages"},
};

static const char *words_of(const char *flag)
{
	for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++)
		if (!strncmp(flag_words[i].flag, flag, 2))
			return flag_words[i].words;
	return NULL;
}

void mapping__words(const char *flags, char buf[MAPPING_WORDS_SIZE])
{
	size_t used = 0;

	buf[0] = '\0';
	while (strlen(flags) >= 2) {
		const char *words = words_of(flags);
		char flag[3] = {flags[0], flags[1], '\0'};

		if (!words)
			words = flag;
		if (*words && used < MAPPING_WORDS_SIZE)
			used += snprintf(buf + used, MAPPING_WORDS_SIZE - used, "%s%s", used ? ", " : "",
					 words);
		flags += 2 + strspn(flags + 2, " ");
	}
}
