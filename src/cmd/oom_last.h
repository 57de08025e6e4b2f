/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace oom --last: the kills that the kernel log still has. */
#ifndef MEMTRACE_OOM_LAST_H
#define MEMTRACE_OOM_LAST_H

#include "cmd/oom_report.h"
#include "cmd/options.h"

/* Says what is wrong; 0 or -errno. */
int oom_last__run(const struct common_options *common, enum oom_detail detail);

#endif
