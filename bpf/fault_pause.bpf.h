/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fault that is interrupted: its task is switched out, and another CPU may go on with it; or it has to
 * reclaim memory first.
 */
#ifndef MEMTRACE_FAULT_PAUSE_BPF_H
#define MEMTRACE_FAULT_PAUSE_BPF_H

/* What follows is not the fault's doing: note what it has changed so far. */
static __always_inline void pause_fault(struct cpu_state *state, __u64 task)
{
	struct slot *slot = &state->slot;

	if (config.exact_kinds && !slot->in_reclaim)
		slot->members |= rss_changes(task, cpu_offset(state), slot->fault.mm, &slot->rss);
}

static __always_inline void resume_fault(struct cpu_state *state, __u64 task)
{
	struct slot *slot = &state->slot;

	if (config.exact_kinds && !slot->in_reclaim)
		read_rss(task, cpu_offset(state), slot->fault.mm, &slot->rss);
}

static __always_inline void park(struct cpu_state *state, __u64 task)
{
	struct slot *slot = &state->slot;
	__u32 tid = slot->fault.tid;

	slot->active = 0;
	/* The summary is not told the end of a minor fault. */
	if (!config.complete && completed_faults(task) != slot->completed)
		return;
	withdraw_event(slot);
	pause_fault(state, task);
	if (!bpf_map_update_elem(&parked_slots, &tid, slot, BPF_ANY))
		__sync_fetch_and_add(&control_block.parked, 1);
	else if (config.complete)
		count_other(&slot->fault, false, false, IN_EXCEPTION);
	else
		count_loss(LOSS_MAP);
}

/* Some switches come unseen: there are machines whose kernel passes over those from certain tasks. */
static __always_inline void unpark(struct cpu_state *state, __u64 task)
{
	__u32 tid = kread(struct task_struct, task, pid);
	struct slot *parked = bpf_map_lookup_elem(&parked_slots, &tid);

	if (!parked)
		return;
	state->slot = *parked;
	state->slot.active = 1;
	bpf_map_delete_elem(&parked_slots, &tid);
	__sync_fetch_and_add(&control_block.parked, -1);
	resume_fault(state, task);
	hold_event(&state->slot, task);
}

/* (preempt, prev, next), and from 5.18 prev_state. */
SEC("tp_btf/sched_switch")
int task_switched(__u64 *ctx)
{
	struct cpu_state *state = cpu_state();

	if (!state)
		return 0;
	if (state->slot.active)
		park(state, ctx[1]);
	if (config.events)
		flush_this_cpu();
	if (control_block.parked)
		unpark(state, ctx[2]);
	return 0;
}

static __always_inline int reclaim_began(void)
{
	struct cpu_state *state = fault_in_progress();

	if (!state)
		return 0;
	pause_fault(state, bpf_get_current_task());
	state->slot.in_reclaim = 1;
	return 0;
}

static __always_inline int reclaim_ended(void)
{
	struct cpu_state *state = fault_in_progress();

	if (!state)
		return 0;
	state->slot.in_reclaim = 0;
	resume_fault(state, bpf_get_current_task());
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_reclaim_began(__u64 *ctx)
{
	return reclaim_began();
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int direct_reclaim_ended(__u64 *ctx)
{
	return reclaim_ended();
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int memcg_reclaim_began(__u64 *ctx)
{
	return reclaim_began();
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int memcg_reclaim_ended(__u64 *ctx)
{
	return reclaim_ended();
}

#endif
