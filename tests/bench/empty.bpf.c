// SPDX-License-Identifier: GPL-2.0
/*
 * empty - programs that do nothing, on the hooks that memtrace uses: what the hooks themselves cost.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/page_fault_user")
int fault_entered(void *ctx)
{
	return 0;
}

SEC("perf_event")
int fault_completed(void *ctx)
{
	return 0;
}
