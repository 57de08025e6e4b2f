/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities (capabilities(7)): which we have, and giving up those that are not needed any more.
 *
 * Loading and attaching takes much; going on takes little. What remains reads the files and memory of
 * processes that may be hostile, so it had better not be able to do more.
 */
#ifndef MEMTRACE_PRIVILEGES_H
#define MEMTRACE_PRIVILEGES_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPABILITY(number) (1ull << (number))

/* Is it effective? By number (linux/capability.h). */
bool privileges__has(int capability);

/* Give up for good all capabilities of this thread but `keep` (of CAPABILITY()s), and whatever exec could
 * bring back. Of those kept, `aside` are not in effect until privileges__raise() wants them. 0 or -errno. */
int privileges__drop(uint64_t keep, uint64_t aside);

/* Why the kernel may have refused an event of perf with -EACCES, as the end of a message; "": nothing known.
 */
const char *privileges__why_no_event(int err);

/* A capability that was kept aside comes into effect. False: it is already, or we do not have it. */
bool privileges__raise(int capability);

/* Out of effect again, if `raised`. */
void privileges__lower(int capability, bool raised);

#endif
