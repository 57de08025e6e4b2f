// SPDX-License-Identifier: GPL-2.0
/*
 * refused - let the kernel touch an address where nothing is.
 *
 *	refused TIMES
 *
 * So often it asks read(2) to write there, which is refused with EFAULT, without a signal; and after each it
 *runs in user mode for 150 ms, without a system call and a fault.
 */
#include "prog.h"
#include <time.h>

#define NOWHERE ((void *)0x1000)

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	size_t times;
	int zero;

	if (argc != 2)
		usage_error("TIMES");
	times = number(argv[1], "TIMES");
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (zero < 0)
		die("open");
	for (size_t i = 0; i < times; i++) {
		uint64_t end;

		if (read(zero, NOWHERE, 1) != -1 || errno != EFAULT)
			die("read");
		end = now_ms() + 150;
		while (now_ms() < end)
			;
	}
	say_self();
	say("refused=%zu", times);
	return 0;
}
