/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom a program runs as, and giving up capabilities: as far as both go without privilege. */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace/privileges.h"
#include "trace/run_as.h"

static void forget_sudo(void)
{
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
}

static void no_option_and_no_sudo_change_nothing(void **state)
{
	struct run_as as = {};

	(void)state;
	forget_sudo();
	assert_int_equal(run_as__choose(&as, NULL), 0);
	assert_false(as.changes);
	assert_int_equal(run_as__become(&as), 0);
	run_as__free(&as);
}

static void oneself_is_no_change(void **state)
{
	struct passwd *entry = getpwuid(getuid());
	struct run_as as = {};
	char number[32];

	(void)state;
	snprintf(number, sizeof(number), "%u", getuid());
	assert_int_equal(run_as__choose(&as, number), 0);
	assert_false(as.changes);
	run_as__free(&as);
	if (!entry)
		return;
	assert_int_equal(run_as__choose(&as, entry->pw_name), 0);
	assert_false(as.changes);
	run_as__free(&as);
}

static void no_such_user(void **state)
{
	static const char *const names[] = {"no such user", "-1", "0x0", "4294967295", "99999999999", ""};
	struct run_as as = {};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(run_as__choose(&as, names[i]), -EINVAL);
		run_as__free(&as);
	}
}

/* Only root asks who called sudo; the numbers are as strict as options. */
static void sudo_must_make_sense(void **state)
{
	static const char *const uids[] = {"", "x", "1x", "-1", "4294967295"};
	struct run_as as = {};

	(void)state;
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		setenv("SUDO_UID", uids[i], 1);
		setenv("SUDO_GID", "1", 1);
		assert_int_equal(run_as__choose(&as, NULL), getuid() ? 0 : -EINVAL);
		run_as__free(&as);
	}
	setenv("SUDO_UID", "1", 1);
	unsetenv("SUDO_GID");
	assert_int_equal(run_as__choose(&as, NULL), getuid() ? 0 : -EINVAL);
	run_as__free(&as);
	setenv("SUDO_UID", "0", 1);
	setenv("SUDO_GID", "0", 1);
	assert_int_equal(run_as__choose(&as, NULL), 0);
	assert_false(as.changes);
	run_as__free(&as);
	forget_sudo();
}

/* In a process of its own, which says by its status what did not hold. */
static int drop_in_child(void)
{
	bool had = privileges__has(CAP_SYS_ADMIN), raised;

	if (privileges__drop(CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_KILL), CAPABILITY(CAP_SYS_ADMIN)))
		return 1;
	if (privileges__has(CAP_SYS_ADMIN) || privileges__has(CAP_CHOWN) || privileges__raise(CAP_CHOWN))
		return 2;
	raised = privileges__raise(CAP_SYS_ADMIN);
	if (raised != had || privileges__has(CAP_SYS_ADMIN) != had || privileges__raise(CAP_SYS_ADMIN))
		return 3;
	privileges__lower(CAP_SYS_ADMIN, false);
	if (privileges__has(CAP_SYS_ADMIN) != had)
		return 4;
	privileges__lower(CAP_SYS_ADMIN, raised);
	if (privileges__has(CAP_SYS_ADMIN))
		return 5;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 6;
}

static void what_is_dropped_is_gone_and_what_is_aside_comes_back(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid)
		_exit(drop_in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_option_and_no_sudo_change_nothing),
		cmocka_unit_test(oneself_is_no_change),
		cmocka_unit_test(no_such_user),
		cmocka_unit_test(sudo_must_make_sense),
		cmocka_unit_test(what_is_dropped_is_gone_and_what_is_aside_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
