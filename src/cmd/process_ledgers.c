/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/process_ledgers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/file.h"
#include "proc/maps.h"
#include "trace/session.h"
#include "util/log.h"

#define IMAGE_KEY (2 * sizeof(__u32)) /* tgid and image of a struct process_key and a struct touched_key */

_Static_assert(offsetof(struct process_key, image) == offsetof(struct process_key, tgid) + 4, "one key");
_Static_assert(offsetof(struct touched_key, image) == offsetof(struct touched_key, tgid) + 4, "one key");

struct process_ledgers {
	struct process_ledger *all, *by_image; /* the latter by tgid and image, as touched pages are */
	bool huge_pages;
	void (*refresh)(void *context, const struct process_key *key, uint64_t start, uint64_t end);
	void *refresh_context;
	size_t keep_ended, ended;
	struct folded_ledgers folded;
	struct mapped_file file; /* the last one announced */
	struct process_key file_of;
};

struct process_ledgers *process_ledgers__new(size_t keep_ended, bool huge_pages)
{
	struct process_ledgers *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->keep_ended = keep_ended;
	set->huge_pages = huge_pages;
	return set;
}

static void forget(struct process_ledgers *set, struct process_ledger *s)
{
	struct process_ledger *same;

	HASH_DEL(set->all, s);
	HASH_FIND(hh_image, set->by_image, &s->key.tgid, IMAGE_KEY, same);
	if (same == s)
		HASH_DELETE(hh_image, set->by_image, s);
	process_ledger__free_pages(s);
	set->ended -= s->ended;
	if (!s->shares)
		ledger__free(s->ledger);
	free(s);
}

void process_ledgers__free(struct process_ledgers *set)
{
	struct process_ledger *s, *next;

	if (!set)
		return;
	HASH_ITER(hh, set->all, s, next)
		forget(set, s);
	free(set);
}

struct process_ledger *process_ledgers__all(const struct process_ledgers *set)
{
	return set->all;
}

const struct folded_ledgers *process_ledgers__folded(const struct process_ledgers *set)
{
	return &set->folded;
}

struct process_ledger *process_ledgers__find(const struct process_ledgers *set, const struct process_key *key)
{
	struct process_ledger *s;

	HASH_FIND(hh, set->all, key, sizeof(*key), s);
	return s;
}

static struct process_ledger *add(struct process_ledgers *set, const struct process_key *key,
				  const char *comm, uint64_t began_ns)
{
	struct process_ledger *s = calloc(1, sizeof(*s)), *same;

	if (!s)
		return NULL;
	s->key = *key;
	s->began_ns = began_ns;
	s->limits = memory_limits__unknown();
	snprintf(s->comm, sizeof(s->comm), "%.*s", COMM_SIZE, comm);
	HASH_ADD(hh, set->all, key, sizeof(s->key), s);
	/* A pid may be another's again: the later one counts. */
	HASH_FIND(hh_image, set->by_image, &s->key.tgid, IMAGE_KEY, same);
	if (same)
		HASH_DELETE(hh_image, set->by_image, same);
	HASH_ADD_KEYPTR(hh_image, set->by_image, &s->key.tgid, IMAGE_KEY, s);
	return s;
}

/* --- /proc/PID/maps --------------------------------------------------------------------------------------
 */

static bool starts_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* False: no mapping of the process. */
static bool mapping_of(const struct maps_entry *e, struct ledger_mapping *m)
{
	if (!strcmp(e->name, "[vsyscall]"))
		return false;
	*m = (struct ledger_mapping){.start = e->start, .end = e->end, .perms = e->perms};
	if (starts_with(e->name, "/dev/zero (deleted)") || starts_with(e->name, "/SYSV"))
		m->kind = LEDGER_SHARED;
	else if (e->inode)
		m->kind = LEDGER_FILE;
	if (starts_with(e->name, "[stack"))
		m->flags = LEDGER_STACK;
	return true;
}

/* The mappings of a process; the caller frees them. NULL: cannot be read, or there are none. */
static struct ledger_mapping *read_maps(uint32_t pid, size_t *count)
{
	struct ledger_mapping *maps = NULL, *grown;
	struct maps_entry *entry = malloc(sizeof(*entry));
	char path[64], *text;
	const char *at;
	size_t room = 0;

	*count = 0;
	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	text = file__read(path, NULL);
	at = text;
	while (entry && at && maps__next(&at, entry) > 0) {
		if (*count == room) {
			room = room ? room * 2 : 64;
			grown = reallocarray(maps, room, sizeof(*maps));
			if (!grown)
				break;
			maps = grown;
		}
		*count += mapping_of(entry, &maps[*count]);
	}
	free(text);
	free(entry);
	return maps;
}

/* What is there: from before tracing. */
static void seed(struct process_ledger *s)
{
	size_t count;
	uint64_t now = session__now();
	struct ledger_mapping *maps = read_maps(s->key.tgid, &count);

	s->maps_unread = !count;
	for (size_t i = 0; i < count; i++)
		ledger__seed(s->ledger, &maps[i], VIA_BEFORE, now);
	free(maps);
}

/* The clock is read first: what happens while /proc is read may be in it or not, and is applied. */
static void correct(struct process_ledger *s)
{
	uint64_t now = session__now();
	struct ledger_difference diff = {};
	size_t count;
	struct ledger_mapping *maps = read_maps(s->key.tgid, &count);

	if (count && !ledger__reconcile(s->ledger, maps, count, now, &diff)) {
		s->corrected.unseen += diff.unseen;
		s->corrected.gone += diff.gone;
		s->corrected.changed += diff.changed;
	}
	free(maps);
}

static void end(struct process_ledgers *set, struct process_ledger *s, uint64_t time_ns)
{
	if (s->ended)
		return;
	s->ended = true;
	s->ended_ns = time_ns;
	set->ended++;
}

/* The notice that a process has ended may have been lost. */
static void end_those_gone(struct process_ledgers *set)
{
	for (struct process_ledger *s = set->all; s; s = s->hh.next)
		if (!s->ended && kill(s->key.tgid, 0) && errno == ESRCH)
			end(set, s, session__now());
}

void process_ledgers__correct(struct process_ledgers *set, bool all)
{
	end_those_gone(set);
	for (struct process_ledger *s = set->all; s; s = s->hh.next)
		if (!s->ended && !s->shares && (all || s->is_32bit || ledger__is_inconsistent(s->ledger)))
			correct(s);
}

/* --- processes -------------------------------------------------------------------------------------------
 */

/* With a ledger of its own, seeded. */
static struct process_ledger *add_running(struct process_ledgers *set, const struct process_key *key,
					  const char *comm)
{
	struct process_ledger *s = add(set, key, comm, session__now());

	if (!s)
		return NULL;
	s->ledger = ledger__new();
	s->touched = touched__new();
	if (!s->ledger || !s->touched) {
		forget(set, s);
		return NULL;
	}
	seed(s);
	return s;
}

void process_ledgers__listed(struct process_ledgers *set, const struct process_listed *listed)
{
	struct process_ledger *s = process_ledgers__find(set, &listed->process);

	if (!s)
		s = add_running(set, &listed->process, listed->comm);
	if (s)
		s->is_32bit = listed->is_32bit;
}

/* Those that share the memory of s go on with a copy: it is about to be gone. */
static void unshare(struct process_ledgers *set, struct process_ledger *s)
{
	if (s->shares)
		return;
	for (struct process_ledger *other = set->all; other; other = other->hh.next) {
		if (other == s || !other->shares || other->ledger != s->ledger)
			continue;
		other->ledger = ledger__new();
		other->shares = false;
	}
}

static int forked(struct process_ledgers *set, const struct process_record *r)
{
	struct process_ledger *parent = process_ledgers__find(set, &r->parent), *s;

	if (process_ledgers__find(set, &r->process))
		return 0;
	if (!parent) {
		s = add_running(set, &r->process, r->comm);
		if (!s)
			return -ENOMEM;
		s->is_32bit = r->is_32bit;
		return 0;
	}
	s = add(set, &r->process, r->comm, r->time_ns);
	if (!s)
		return -ENOMEM;
	s->is_32bit = r->is_32bit;
	s->from_its_start = true;
	s->shares = r->shares_memory;
	s->ledger = r->shares_memory ? parent->ledger : ledger__fork(parent->ledger, r->time_ns);
	if (!s->shares && parent->touched)
		s->touched = touched__copy(parent->touched);
	if (s->ledger)
		return 0;
	forget(set, s);
	return -ENOMEM;
}

static int execed(struct process_ledgers *set, const struct process_record *r)
{
	struct process_key former = r->process;
	struct process_ledger *s;

	former.image--;
	s = process_ledgers__find(set, &former);
	if (s && !s->calls) {
		unshare(set, s);
		forget(set, s);
	} else if (s) {
		end(set, s, r->time_ns);
	}
	s = process_ledgers__find(set, &r->process);
	if (!s)
		s = add(set, &r->process, r->comm, r->time_ns);
	if (!s)
		return -ENOMEM;
	if (!s->ledger)
		s->ledger = ledger__new();
	if (!s->touched)
		s->touched = touched__new();
	s->is_32bit = r->is_32bit;
	s->from_its_start = s->awaits_image = true;
	if (s->ledger)
		return 0;
	forget(set, s);
	return -ENOMEM;
}

int process_ledgers__process(struct process_ledgers *set, const struct process_record *r)
{
	struct process_ledger *s;

	switch (r->event) {
	case PROCESS_FORKED:
		return forked(set, r);
	case PROCESS_EXECED:
		return execed(set, r);
	default:
		s = process_ledgers__find(set, &r->process);
		if (s) {
			end(set, s, r->time_ns);
			snprintf(s->comm, sizeof(s->comm), "%.*s", COMM_SIZE, r->comm);
		}
		return 0;
	}
}

int process_ledgers__vma(struct process_ledgers *set, const struct vma_record *r)
{
	struct process_ledger *s = process_ledgers__find(set, &r->key.process);
	struct ledger_mapping m = {.start = r->start, .end = r->end, .perms = r->flags & VM_PERMS};

	if (s && s->awaits_image) {
		m.kind = r->key.file ? LEDGER_FILE : LEDGER_ANON;
		m.flags = r->class == CLASS_STACK ? LEDGER_STACK : 0;
		return ledger__seed(s->ledger, &m, VIA_OTHER, s->began_ns) == -ENOMEM ? -ENOMEM : 0;
	}
	set->file_of = r->key.process;
	set->file.start = r->start;
	set->file.end = r->end;
	vma_name__build(r, set->file.name, sizeof(set->file.name));
	return 0;
}

/* --- calls -----------------------------------------------------------------------------------------------
 */

void process_ledgers__on_move(struct process_ledgers *set,
			      void (*refresh)(void *context, const struct process_key *key, uint64_t start,
					      uint64_t end),
			      void *context)
{
	set->refresh = refresh;
	set->refresh_context = context;
}

/* mremap() takes the pages along. */
static int move_pages(struct process_ledgers *set, struct process_ledger *s, const struct call_record *r)
{
	uint64_t from = r->args[0],
		 bytes = call_page_align(r->args[1] < r->args[2] ? r->args[1] : r->args[2]);
	const struct ledger_interval *i = ledger__at(s->ledger, from);

	if (r->call != CALL_MREMAP || call_record__failed(r) || (uint64_t)r->result == from || !bytes || !i ||
	    !s->touched)
		return 0;
	if (set->refresh)
		set->refresh(set->refresh_context, &s->key, from, from + bytes);
	return touched__move(s->touched, from, r->result, bytes,
			     i->discarded_ns > i->since_ns ? i->discarded_ns : i->since_ns, r->exit_ns);
}

int process_ledgers__call(struct process_ledgers *set, const struct call_record *r, uint32_t site,
			  struct process_ledger **space, const struct mapped_file **file)
{
	struct process_ledger *s = process_ledgers__find(set, &r->process);

	if (!s)
		s = add_running(set, &r->process, r->comm);
	if (!s)
		return -ENOMEM;
	*space = s;
	*file = r->end && set->file.start == r->start &&
				!memcmp(&set->file_of, &r->process, sizeof(r->process))
			? &set->file
			: NULL;
	s->awaits_image = false;
	s->calls++;
	if (r->call < CALLS) {
		s->obtained[r->call] += call_record__obtained(r);
		s->returned[r->call] += call_record__returned(r);
	}
	/* While it is likely to be what it was when it failed. */
	if (call_record__failed(r) && !s->limits_read && !s->ended)
		process_ledger__read_limits(s);
	if (move_pages(set, s, r) == -ENOMEM)
		return -ENOMEM;
	return ledger__apply(s->ledger, r, site) == -ENOMEM ? -ENOMEM : 0;
}

bool process_ledgers__lost(struct process_ledgers *set, const struct lost_key *key,
			   const struct lost_calls *lost)
{
	struct process_ledger *s = process_ledgers__find(set, &key->process);
	struct lost_calls *known;

	if (key->call >= CALLS)
		return true;
	if (!s)
		s = add_running(set, &key->process, "?");
	if (!s)
		return false;
	known = &s->lost[key->call];
	if (lost->calls == known->calls)
		return s->ended;
	s->calls += lost->calls - known->calls;
	*known = *lost;
	if (!s->ended && !s->shares)
		correct(s);
	return s->ended;
}

/* --- pages ----------------------------------------------------------------------------------------------
 */

/* Of one that is not known no call has come: all that it has touched was there before. */
bool process_ledgers__touched(struct process_ledgers *set, const struct touched_key *key,
			      const struct touched_value *value)
{
	struct process_ledger *s;

	HASH_FIND(hh_image, set->by_image, &key->tgid, IMAGE_KEY, s);
	return s ? process_ledger__set_pages(s, key, value) : true;
}

void process_ledgers__find_huge(struct process_ledgers *set)
{
	for (struct process_ledger *s = set->all; s && set->huge_pages; s = s->hh.next)
		if (!s->ended && !s->shares)
			process_ledger__find_huge(s);
}

void process_ledgers__read_smaps(struct process_ledgers *set)
{
	for (struct process_ledger *s = set->all; s; s = s->hh.next)
		if (!s->ended)
			process_ledger__read_smaps(s);
}

/* --- one of them -----------------------------------------------------------------------------------------
 */

uint64_t process_ledger__calls(const struct process_ledger *s, enum alloc_call call)
{
	return ledger__call(s->ledger, call)->calls + s->lost[call].calls;
}

uint64_t process_ledger__failed(const struct process_ledger *s, enum alloc_call call)
{
	return ledger__call(s->ledger, call)->failed + s->lost[call].failed;
}

bool process_ledger__has_lost(const struct process_ledger *s)
{
	for (enum alloc_call call = 0; call < CALLS; call++)
		if (s->lost[call].calls)
			return true;
	return false;
}

/* A call may return what a lost one has obtained, of which the ledger knows nothing. */
uint64_t process_ledger__obtained(const struct process_ledger *s, enum alloc_call call)
{
	if (process_ledger__has_lost(s))
		return s->obtained[call] + s->lost[call].obtained_bytes;
	return ledger__call(s->ledger, call)->obtained;
}

uint64_t process_ledger__returned(const struct process_ledger *s, enum alloc_call call)
{
	if (process_ledger__has_lost(s))
		return s->returned[call] + s->lost[call].returned_bytes;
	return ledger__call(s->ledger, call)->returned;
}

int64_t process_ledger__net(const struct process_ledger *s)
{
	int64_t net = 0;

	for (enum ledger_via via = 0; via < VIAS; via++) {
		const struct ledger_account *a = ledger__account(s->ledger, via);

		net += a->obtained - a->returned;
	}
	return net;
}

/* --- too many of them ------------------------------------------------------------------------------------
 */

static int by_end(struct process_ledger *a, struct process_ledger *b)
{
	uint64_t x = a->ended ? a->ended_ns : UINT64_MAX, y = b->ended ? b->ended_ns : UINT64_MAX;

	return x < y ? -1 : x > y;
}

static void fold(struct process_ledgers *set, struct process_ledger *s)
{
	struct folded_ledgers *f = &set->folded;

	f->processes++;
	f->calls += s->calls;
	for (enum alloc_call call = 0; call < CALLS && !s->shares; call++) {
		f->failed += process_ledger__failed(s, call);
		f->obtained_bytes += process_ledger__obtained(s, call);
		f->returned_bytes += process_ledger__returned(s, call);
	}
	unshare(set, s);
	forget(set, s);
}

void process_ledgers__fold(struct process_ledgers *set)
{
	struct process_ledger *s, *next;

	if (set->ended <= set->keep_ended)
		return;
	HASH_SORT(set->all, by_end);
	for (s = set->all; s && s->ended && set->ended > set->keep_ended; s = next) {
		next = s->hh.next;
		fold(set, s);
	}
}
