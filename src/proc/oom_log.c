/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/oom_log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS	  16	       /* of the table of tasks */
#define NO_LIMIT  (1ull << 50) /* KiB: the kernel's "no limit" is 9007199254740988 */
#define SLACK_KIB 256	       /* what CPUs may have charged in advance */
#define PAGE	  4096ull

enum column { TGID, RSS, PGTABLES, SWAP, ADJ, COLUMN_COUNT };

struct oom_log {
	struct oom_kill event; /* what is known of the kill to come */
	bool group;	       /* those that come now are of the same event */
	uint64_t failures;     /* of memory.failcnt; OOM_UNKNOWN */
	uint64_t usage_kib, limit_kib, memsw_usage_kib, memsw_limit_kib;
	int at[COLUMN_COUNT]; /* where the table has them; -1: nowhere */
	int name_at;	      /* words before the name; 0: no table is being read */
};

static void begin_event(struct oom_log *log)
{
	memset(log, 0, sizeof(*log));
	oom_kill__init(&log->event);
	log->event.from_log = true;
	log->failures = OOM_UNKNOWN;
}

struct oom_log *oom_log__new(void)
{
	struct oom_log *log = calloc(1, sizeof(*log));

	if (log)
		begin_event(log);
	return log;
}

void oom_log__free(struct oom_log *log)
{
	free(log);
}

/* --- pieces of a line -------------------------------------------------------------------------------------
 */

/* The last place of needle: what stands before it may be a name, which may hold anything. */
static const char *find_last(const char *text, const char *needle)
{
	const char *found = NULL;

	for (const char *s = text; (s = strstr(s, needle)); s++)
		found = s;
	return found;
}

/* The number after key, which must be there; false: it is not. */
static bool number_after(const char *text, const char *key, uint64_t *n)
{
	const char *at = text ? find_last(text, key) : NULL;

	return at && isdigit((unsigned char)at[strlen(key)]) &&
	       sscanf(at + strlen(key), "%18" SCNu64, n) == 1;
}

static bool kib_after(const char *text, const char *key, uint64_t *bytes)
{
	uint64_t kib;

	if (!number_after(text, key, &kib) || kib > NO_LIMIT)
		return false;
	*bytes = kib * 1024;
	return true;
}

static void copy(char *buf, size_t size, const char *from, const char *to)
{
	size_t n = to > from ? to - from : 0;

	snprintf(buf, size, "%.*s", (int)(n < size ? n : size - 1), from);
}

/* "key=VALUE," up to the last `stop` after it. */
static void value_between(char *buf, size_t size, const char *text, const char *key, const char *stop)
{
	const char *at = strstr(text, key), *end = at ? find_last(at, stop) : NULL;

	if (at && end)
		copy(buf, size, at + strlen(key), end);
}

/* --- lines ------------------------------------------------------------------------------------------------
 */

/* "NAME invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0" */
static bool take_invocation(struct oom_log *log, const char *line)
{
	static const char mark[] = " invoked oom-killer: gfp_mask=0x";
	const char *at = find_last(line, mark), *order = at ? strstr(at, ", order=") : NULL,
		   *adj = order ? strstr(order, ", oom_score_adj=") : NULL;
	struct oom_kill *e = &log->event;

	if (!adj || sscanf(at + strlen(mark), "%" SCNx32, &e->gfp) != 1 ||
	    sscanf(order, ", order=%d", &e->order) != 1 ||
	    sscanf(adj, ", oom_score_adj=%" SCNd32, &e->trigger.oom_score_adj) != 1)
		return false;
	copy(e->trigger.comm, sizeof(e->trigger.comm), line, at);
	e->request_known = true;
	e->by_hand = e->order == -1; /* is_sysrq_oom() */
	return true;
}

/* "CPU: 0 PID: 123 Comm: ..."; from 6.12 with UID. */
static void take_cpu(struct oom_log *log, const char *line)
{
	struct oom_who *trigger = &log->event.trigger;
	const char *comm = strstr(line, " Comm: ");
	char head[96];

	if (!log->event.request_known || !comm || trigger->pid != OOM_UNKNOWN)
		return;
	copy(head, sizeof(head), line, comm);
	number_after(head, " PID: ", &trigger->pid); /* a thread's */
	trigger->tid = trigger->pid;
	number_after(head, " UID: ", &trigger->uid);
}

/* "memory: usage 65536kB, limit 65536kB, failcnt 22" */
static void take_usage(const char *line, uint64_t *usage, uint64_t *limit)
{
	number_after(line, "usage ", usage);
	number_after(line, "limit ", limit);
}

static void take_limits(struct oom_log *log)
{
	struct oom_kill *e = &log->event;
	struct oom_limit *l = &e->limits[0];

	e->limit_count = 1;
	e->hit = 0;
	memset(&l->shortages, 0xff, sizeof(l->shortages));
	l->shortages.failures = log->failures;
	l->stalled_some = l->stalled_full = -1;
	l->limit = log->limit_kib && log->limit_kib < NO_LIMIT ? log->limit_kib * 1024 : OOM_UNKNOWN;
	l->usage = log->limit_kib ? log->usage_kib * 1024 : OOM_UNKNOWN;
	l->memsw_limit = log->memsw_limit_kib && log->memsw_limit_kib < NO_LIMIT ? log->memsw_limit_kib * 1024
										 : OOM_UNKNOWN;
	l->memsw_usage = log->memsw_limit_kib ? log->memsw_usage_kib * 1024 : OOM_UNKNOWN;
	e->hit_memsw = log->usage_kib + SLACK_KIB < log->limit_kib &&
		       log->memsw_usage_kib + SLACK_KIB >= log->memsw_limit_kib;
}

/* "0-1,3," as a mask; OOM_UNKNOWN: not that, or beyond 64. */
static uint64_t parse_nodes(const char *text)
{
	uint64_t mask = 0;
	unsigned first, last;
	int end;

	for (; isdigit((unsigned char)*text); text += end) {
		if (sscanf(text, "%4u%n-%4u%n", &first, &end, &last, &end) < 2)
			last = first;
		if (first > last || last > 63)
			return OOM_UNKNOWN;
		for (unsigned i = first; i <= last; i++)
			mask |= 1ull << i;
		end += text[end] == ',';
	}
	return mask ? mask : OOM_UNKNOWN;
}

/* Of the nodes that a constraint allowed. */
static void take_nodes(struct oom_kill *e, const char *line)
{
	const char *key = e->constraint == OOM_CPUSET ? ",mems_allowed=" : ",nodemask=",
		   *at = strstr(line, key);

	if (at && (e->constraint == OOM_CPUSET || e->constraint == OOM_MEMORY_POLICY))
		e->nodes = parse_nodes(at + strlen(key));
}

/* "oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/a,task_memcg=/a,task=NAME,pid=1,uid=0" */
static bool take_summary(struct oom_log *log, const char *line)
{
	static const char *const names[] = {
		[OOM_NONE] = "CONSTRAINT_NONE,",
		[OOM_MEMCG] = "CONSTRAINT_MEMCG,",
		[OOM_CPUSET] = "CONSTRAINT_CPUSET,",
		[OOM_MEMORY_POLICY] = "CONSTRAINT_MEMORY_POLICY,",
	};
	static const char mark[] = "oom-kill:constraint=";
	const char *at = line + strlen(mark);
	struct oom_kill *e = &log->event;

	e->constraint = OOM_CONSTRAINT_UNKNOWN;
	for (size_t i = OOM_NONE; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(at, names[i], strlen(names[i])))
			e->constraint = i;
	if (!e->constraint || !strstr(line, ",task_memcg=") || !find_last(line, ",pid=") ||
	    !number_after(line, ",uid=", &e->victim.uid))
		return false;
	take_nodes(e, line);
	value_between(e->victim.cgroup, sizeof(e->victim.cgroup), line, ",task_memcg=", ",task=");
	if (strstr(line, ",oom_memcg=")) {
		take_limits(log);
		value_between(e->limits[0].cgroup, sizeof(e->limits[0].cgroup), line,
			      ",oom_memcg=", ",task_memcg=");
	}
	return true;
}

/* "... Killed process 1 (NAME) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB
 * ..." */
static bool take_killed(struct oom_log *log, const char *line, struct oom_kill *kill)
{
	static const char mark[] = "Killed process ";
	const char *at = strstr(line, mark), *numbers = at ? find_last(at, ") total-vm:") : NULL,
		   *name = at ? strchr(at, '(') : NULL, *adj;
	struct oom_size size = log->event.size;
	uint64_t pid;

	if (!numbers || !name || name > numbers || !number_after(at, mark, &pid) ||
	    !kib_after(numbers, "total-vm:", &size.total_vm) ||
	    !kib_after(numbers, "anon-rss:", &size.anon) || !kib_after(numbers, "file-rss:", &size.file) ||
	    !kib_after(numbers, "shmem-rss:", &size.shmem))
		return false;
	kib_after(numbers, "pgtables:", &size.pgtables);
	*kill = log->event;
	kill->size = size;
	kill->victim.pid = pid;
	number_after(numbers, "UID:", &kill->victim.uid);
	adj = find_last(numbers, "oom_score_adj:");
	if (adj)
		sscanf(adj, "oom_score_adj:%" SCNd32, &kill->victim.oom_score_adj);
	copy(kill->victim.comm, sizeof(kill->victim.comm), name + 1, numbers);
	return true;
}

/* --- the table of tasks -----------------------------------------------------------------------------------
 */

/* "[  pid  ]   uid  tgid total_vm      rss ... name": which columns there are has changed. */
static void take_heading(struct oom_log *log, const char *line)
{
	static const char *const names[COLUMN_COUNT] = {"tgid", "rss", "pgtables_bytes", "swapents",
							"oom_score_adj"};
	char words[256], *rest = words, *word;
	int n = 1; /* the pid, whatever it is in */

	copy(words, sizeof(words), line, line + strlen(line));
	memset(log->at, 0xff, sizeof(log->at));
	log->name_at = 0;
	rest = strchr(words, ']');
	if (!rest)
		return;
	rest++;
	while ((word = strsep(&rest, " "))) {
		for (int i = 0; i < COLUMN_COUNT; i++)
			if (!strcmp(word, names[i]))
				log->at[i] = n;
		if (!strcmp(word, "name"))
			log->name_at = n;
		n += *word != '\0';
	}
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (log->at[i] < 0 || log->name_at > COLUMNS)
			log->name_at = 0;
}

static void take_task(struct oom_log *log, const char *line)
{
	const char *at = strchr(line, ']');
	long long values[COLUMNS + 1] = {0};
	struct oom_candidate c = {};
	uint64_t total;
	char *end;

	if (!at || sscanf(line, "[ %lld]", &values[0]) != 1)
		return;
	at++;
	for (int i = 1; i < log->name_at; i++, at = end) {
		values[i] = strtoll(at, &end, 10);
		if (end == at)
			return;
	}
	if (*at != ' ' || values[log->at[RSS]] < 0 || values[log->at[RSS]] > (1ll << 40) ||
	    values[log->at[SWAP]] < 0 || values[log->at[SWAP]] > (1ll << 40) || values[log->at[PGTABLES]] < 0)
		return;
	total = log->limit_kib && log->limit_kib < NO_LIMIT ? log->limit_kib * 1024
		: log->event.machine.total == OOM_UNKNOWN   ? 0
							    : log->event.machine.total;
	c.pid = values[log->at[TGID]];
	c.resident = values[log->at[RSS]] * PAGE;
	c.swap = values[log->at[SWAP]] * PAGE;
	c.pgtables = values[log->at[PGTABLES]];
	c.oom_score_adj = values[log->at[ADJ]];
	c.badness = oom_badness(c.resident, c.swap, c.pgtables, c.oom_score_adj, total);
	copy(c.comm, sizeof(c.comm), at + 1, at + strlen(at));
	oom_kill__add_candidate(&log->event, &c);
}

/* --- the log ----------------------------------------------------------------------------------------------
 */

static void take_machine(struct oom_log *log, const char *line)
{
	struct oom_machine *m = &log->event.machine;
	uint64_t pages;
	int end = 0;

	if (sscanf(line, "%12" SCNu64 " pages RAM%n", &pages, &end) == 1 && end)
		m->total = pages * PAGE;
	else if (!strncmp(line, "Total swap = ", 13))
		kib_after(line, "Total swap = ", &m->swap_total);
	else if (!strncmp(line, "Free swap  = ", 13))
		kib_after(line, "Free swap  = ", &m->swap_free);
}

/* "Node 0 DMA32 free:1kB boost:0kB min:1kB low:1kB ..."; boost is newer than 5.10. */
static void take_zone(struct oom_log *log, const char *line)
{
	struct oom_kill *e = &log->event;
	struct oom_zone *z = &e->zones[e->zone_count];
	int end = 0;

	if (e->zone_count >= OOM_ZONES ||
	    sscanf(line, "Node %d %15s free:%n", &z->node, z->name, &end) != 2 || !end ||
	    !kib_after(line, " free:", &z->free) || !kib_after(line, " min:", &z->min) ||
	    !kib_after(line, " low:", &z->low))
		return;
	z->largest = OOM_UNKNOWN;
	e->zone_count++;
}

/* "Node 0 DMA32: 3*4kB (UM) 0*8kB ... 1*4096kB (M) = 4108kB" */
static void take_pieces(struct oom_log *log, const char *line)
{
	uint64_t count, kib, largest = 0;
	char name[17];
	int node, end = 0;

	if (sscanf(line, "Node %d %16[^: ]:%n", &node, name, &end) != 2 || !end)
		return;
	for (const char *at = line + end; (at = strchr(at, ' ')); at++)
		if (sscanf(at, " %18" SCNu64 "*%18" SCNu64 "kB", &count, &kib) == 2 && count &&
		    kib < NO_LIMIT && kib > largest)
			largest = kib;
	for (size_t i = 0; i < log->event.zone_count; i++)
		if (log->event.zones[i].node == node && !strcmp(log->event.zones[i].name, name))
			log->event.zones[i].largest = largest * 1024;
}

static void take_node(struct oom_log *log, const char *line)
{
	if (!log->event.request_known)
		return;
	if (strstr(line, " free:"))
		take_zone(log, line);
	else
		take_pieces(log, line);
}

static bool starts(const char *line, const char *start)
{
	return !strncmp(line, start, strlen(start));
}

/* What tells something of the kill to come. */
static void take_detail(struct oom_log *log, const char *line)
{
	if (starts(line, "CPU: "))
		take_cpu(log, line);
	else if (starts(line, "memory: usage ")) {
		take_usage(line, &log->usage_kib, &log->limit_kib);
		number_after(line, "failcnt ", &log->failures);
	} else if (starts(line, "memory+swap: usage "))
		take_usage(line, &log->memsw_usage_kib, &log->memsw_limit_kib);
	else if (starts(line, "Node "))
		take_node(log, line);
	else if (starts(line, "[  pid  ]"))
		take_heading(log, line);
	else if (line[0] == '[' && log->name_at)
		take_task(log, line);
	else if (starts(line, "Tasks in ") &&
		 strstr(line, " are going to be killed due to memory.oom.group set"))
		log->group = true;
	else
		take_machine(log, line);
}

static enum oom_log_result take_reaped(const char *line, uint64_t us, struct oom_kill *kill)
{
	if (!number_after(line, "oom_reaper: reaped process ", &kill->victim.pid))
		return OOM_LOG_RAW;
	kill->time_ns = us * 1000;
	return OOM_LOG_REAPED;
}

enum oom_log_result oom_log__line(struct oom_log *log, const char *line, uint64_t us, struct oom_kill *kill)
{
	if (strstr(line, " invoked oom-killer: ")) {
		begin_event(log);
		return take_invocation(log, line) ? OOM_LOG_NOTHING : OOM_LOG_RAW;
	}
	if (starts(line, "oom-kill:")) {
		log->name_at = 0;
		return starts(line, "oom-kill:constraint=") && take_summary(log, line) ? OOM_LOG_NOTHING
										       : OOM_LOG_RAW;
	}
	if (starts(line, "oom_reaper: reaped process "))
		return take_reaped(line, us, kill);
	if ((starts(line, "Out of memory") || starts(line, "Memory cgroup out of memory")) &&
	    strstr(line, "ill")) {
		enum oom_log_result result = log->group ? OOM_LOG_ALSO : OOM_LOG_KILL;

		if (!take_killed(log, line, kill))
			return OOM_LOG_RAW;
		kill->time_ns = us * 1000;
		/* Without "invoked" the next kill is another event. */
		if (!log->event.request_known)
			begin_event(log);
		return result;
	}
	take_detail(log, line);
	return OOM_LOG_NOTHING;
}
