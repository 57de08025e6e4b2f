/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/number.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define NS_PER_SEC  1000000000ull
#define MAX_SECONDS (10ull * 366 * 24 * 3600)

int number__parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;
	bool over = false;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		over |= __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n);
	}
	if (over || n < min || n > max)
		return -ERANGE;
	*value = n;
	return 0;
}

int number__parse_seconds(const char *text, uint64_t *ns)
{
	uint64_t seconds = 0, fraction = 0, unit = NS_PER_SEC;
	size_t digits = 0;

	for (; *text >= '0' && *text <= '9'; text++, digits++) {
		seconds = seconds * 10 + (*text - '0');
		if (seconds > MAX_SECONDS)
			return -ERANGE;
	}
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++, digits++) {
			unit /= 10;
			fraction += (*text - '0') * unit;
		}
	}
	if (*text || !digits)
		return -EINVAL;
	if (!seconds && !fraction)
		return -ERANGE;
	*ns = seconds * NS_PER_SEC + fraction;
	return 0;
}

static size_t reversed(const char *digits, size_t n, char *buf)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = digits[n - 1 - i];
	buf[n] = '\0';
	return n;
}

size_t number__decimal(uint64_t n, char buf[NUMBER_SIZE])
{
	return number__fixed(n, 0, buf);
}

size_t number__hex(uint64_t n, char buf[NUMBER_SIZE])
{
	char digits[NUMBER_SIZE];
	size_t used = 0;

	do
		digits[used++] = "0123456789abcdef"[n % 16];
	while (n /= 16);
	buf[0] = '0';
	buf[1] = 'x';
	return 2 + reversed(digits, used, buf + 2);
}

size_t number__fixed(uint64_t n, unsigned decimals, char buf[NUMBER_SIZE])
{
	char digits[NUMBER_SIZE];
	size_t used = 0;

	for (unsigned i = 0; i < decimals; i++, n /= 10)
		digits[used++] = '0' + n % 10;
	if (decimals)
		digits[used++] = '.';
	do
		digits[used++] = '0' + n % 10;
	while (n /= 10);
	return reversed(digits, used, buf);
}
