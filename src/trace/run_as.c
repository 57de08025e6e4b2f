/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/run_as.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "trace/privileges.h"
#include "util/log.h"
#include "util/number.h"

#define ID_MAX 0xfffffffeu /* (uid_t)-1 means none */

static int copy_text(char **to, const char *text)
{
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

/* The groups that a login of this user would have. */
static int take_groups(struct run_as *as, const char *name)
{
	int room = 16, count = room, known;

	for (;;) {
		gid_t *groups = reallocarray(as->groups, room, sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		as->groups = groups;
		count = room;
		known = getgrouplist(name, as->gid, groups, &count);
		if (known >= 0)
			break;
		room = count > room ? count : room * 2;
	}
	as->group_count = count;
	return 0;
}

/* gid: -1: that of passwd, or else the uid's number. */
static int take_user(struct run_as *as, uid_t uid, gid_t gid, const struct passwd *entry)
{
	int err = 0;

	as->changes = true;
	as->uid = uid;
	as->gid = gid != (gid_t)-1 ? gid : entry ? entry->pw_gid : uid;
	if (entry) {
		err = copy_text(&as->name, entry->pw_name);
		if (!err)
			err = copy_text(&as->home, entry->pw_dir);
		if (!err)
			err = copy_text(&as->shell, *entry->pw_shell ? entry->pw_shell : "/bin/sh");
		if (!err)
			err = take_groups(as, entry->pw_name);
	} else {
		as->groups = calloc(1, sizeof(*as->groups)); /* none */
		err = as->groups ? 0 : -ENOMEM;
	}
	if (err)
		log__error("cannot look up the groups of user %u: %s", uid, strerror(-err));
	return err;
}

static int choose_named(struct run_as *as, const char *user)
{
	struct passwd *entry = getpwnam(user);
	uint64_t uid;

	if (entry)
		return take_user(as, entry->pw_uid, -1, entry);
	if (number__parse(user, 0, ID_MAX, &uid)) {
		log__error("--user: there is no user '%s'", user);
		return -EINVAL;
	}
	return take_user(as, uid, -1, getpwuid(uid));
}

/* The user whom sudo says that it was called by. */
static int choose_caller(struct run_as *as, const char *sudo_uid, const char *sudo_gid)
{
	uint64_t uid, gid;

	if (number__parse(sudo_uid, 0, ID_MAX, &uid) || !sudo_gid ||
	    number__parse(sudo_gid, 0, ID_MAX, &gid)) {
		log__error(
			"SUDO_UID and SUDO_GID are no numbers of a user and a group: --user says whom to run "
			"the program as");
		return -EINVAL;
	}
	return uid ? take_user(as, uid, gid, getpwuid(uid)) : 0;
}

int run_as__choose(struct run_as *as, const char *user)
{
	const char *sudo_uid = getenv("SUDO_UID");
	int err = 0;

	if (user) {
		err = choose_named(as, user);
	} else if (getuid() != geteuid()) {
		as->changes = true;
		as->uid = getuid();
		as->gid = getgid();
	} else if (!getuid() && sudo_uid) {
		err = choose_caller(as, sudo_uid, getenv("SUDO_GID"));
	}
	if (!err && as->changes && as->uid == getuid() && getuid() == geteuid())
		as->changes = false; /* as which it runs anyway */
	if (!err && as->changes && (!privileges__has(CAP_SETUID) || !privileges__has(CAP_SETGID))) {
		log__error("to run a program as another user takes root, or CAP_SETUID and CAP_SETGID");
		err = -EPERM;
	}
	return err;
}

static int set_environment(const struct run_as *as)
{
	if (!as->name)
		return 0;
	if (setenv("HOME", as->home, 1) || setenv("USER", as->name, 1) || setenv("LOGNAME", as->name, 1) ||
	    setenv("SHELL", as->shell, 1))
		return -errno;
	return 0;
}

int run_as__become(const struct run_as *as)
{
	/* Given to memtrace, to trace with. A kernel without ambient capabilities has none to clear. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!as->changes)
		return 0;
	if (as->groups && setgroups(as->group_count, as->groups))
		return -errno;
	if (setresgid(as->gid, as->gid, as->gid) || setresuid(as->uid, as->uid, as->uid))
		return -errno;
	return set_environment(as);
}

void run_as__free(struct run_as *as)
{
	free(as->groups);
	free(as->name);
	free(as->home);
	free(as->shell);
	memset(as, 0, sizeof(*as));
}
