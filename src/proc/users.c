/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/users.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS_MAX 4096
#define NAME_SIZE 33 /* LOGIN_NAME_MAX of most systems */

struct user {
	uint32_t uid;
	char name[NAME_SIZE];
};

struct users {
	size_t count;
	struct user users[];
};

/* "name:password:uid:...". False: another line. */
static bool parse_line(const char *line, struct user *user)
{
	size_t length = strcspn(line, ":\n");
	const char *password = line[length] == ':' ? line + length + 1 : NULL;
	const char *uid = password ? password + strcspn(password, ":\n") : NULL;
	char *end;
	unsigned long value;

	if (!uid || *uid != ':' || !isdigit((unsigned char)uid[1]) || !length || length >= NAME_SIZE)
		return false;
	value = strtoul(uid + 1, &end, 10);
	if (*end != ':' || value > UINT32_MAX)
		return false;
	user->uid = value;
	snprintf(user->name, sizeof(user->name), "%.*s", (int)length, line);
	return true;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n < USERS_MAX ? n : USERS_MAX;
}

struct users *users__new(const char *text)
{
	size_t room = count_lines(text);
	struct users *users = malloc(sizeof(*users) + room * sizeof(users->users[0]));

	if (!users)
		return NULL;
	users->count = 0;
	while (text && *text && users->count < room) {
		users->count += parse_line(text, &users->users[users->count]);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return users;
}

void users__free(struct users *users)
{
	free(users);
}

/* Of several with that number the first counts, as for getpwuid(). */
const char *users__name(const struct users *users, uint32_t uid)
{
	for (size_t i = 0; users && i < users->count; i++)
		if (users->users[i].uid == uid)
			return users->users[i].name;
	return NULL;
}
