/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of users, taken down beforehand: looked up later, they would take files, memory, perhaps a
 * network. */
#ifndef MEMTRACE_USERS_H
#define MEMTRACE_USERS_H

#include <stdint.h>

struct users;

/* From the text of /etc/passwd. NULL: no memory. */
struct users *users__new(const char *text);
void users__free(struct users *users);

/* NULL: it has none, or users is NULL. Hostile text; valid until users__free(). */
const char *users__name(const struct users *users, uint32_t uid);

#endif
