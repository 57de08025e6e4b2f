/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/oom_minute.h"

#include <inttypes.h>

#include "cmd/phrase.h"

#define NS_PER_SEC 1000000000ull
#define FEW_FAULTS 50 /* a second: major faults that are not worth a word */

/* --- growth -----------------------------------------------------------------------------------------------
 */

/* Of what was resident, the first and the last are shown, and of those between some. */
static void add_plot(struct phrase *t, const struct oom_point *points, size_t n)
{
	size_t columns = n < PHRASE_BARS ? n : PHRASE_BARS;
	uint64_t values[PHRASE_BARS];

	for (size_t i = 0; i < columns; i++)
		values[i] = points[columns > 1 ? i * (n - 1) / (columns - 1) : n - 1].resident;
	phrase__bars(t, values, columns);
}

static bool is_grower(const struct oom_kill *kill, uint64_t pid)
{
	for (size_t i = 0; i < kill->grower_count; i++)
		if (kill->growers[i].pid == pid)
			return true;
	return false;
}

/* Of a victim that is not among those that grew. */
void oom_minute__victim(struct out *out, const struct oom_kill *kill)
{
	struct phrase t = {};

	if (kill->history_count > 1 && !is_grower(kill, kill->victim.pid)) {
		phrase__add(&t, "Before: the victim ");
		add_plot(&t, kill->history, kill->history_count);
		phrase__add(&t, " ");
		phrase__bytes(&t, kill->history[0].resident);
		phrase__add(&t, " to ");
		phrase__bytes(&t, kill->history[kill->history_count - 1].resident);
		phrase__add(&t, " in ");
		phrase__ns(&t, kill->history[0].before_ns);
	}
	phrase__put(&t, out);
}

static void add_growth(struct phrase *t, uint64_t bytes, uint64_t over_ns)
{
	phrase__add(t, " +");
	phrase__bytes(t, bytes);
	phrase__add(t, " in ");
	phrase__ns(t, over_ns);
	if (over_ns >= NS_PER_SEC) {
		phrase__add(t, ", ");
		phrase__bytes(t, (double)bytes * NS_PER_SEC / over_ns);
		phrase__add(t, " a second");
	}
}

void oom_minute__grower(struct out *out, const struct oom_kill *kill, size_t i)
{
	const struct oom_grower *g = &kill->growers[i];
	struct phrase t = {};

	if (i < kill->grower_count) {
		phrase__add(&t, "%s %s/%" PRIu64 "%s ", i ? "Grew:" : "Grew most:", g->comm, g->pid,
			    g->pid == kill->victim.pid ? " (the victim)"
			    : g->gone		       ? " (gone since)"
						       : "");
		add_plot(&t, g->points, g->count);
		add_growth(&t, g->bytes, g->over_ns);
	}
	phrase__put(&t, out);
}

void oom_minute__limit(struct out *out, const struct oom_kill *kill)
{
	const struct oom_cgroup_growth *g = &kill->limit_growth;
	struct phrase t = {};

	if (g->count > 1) {
		phrase__add(&t, "The cgroup: %s ", g->cgroup);
		add_plot(&t, g->points, g->count);
		if (g->bytes) {
			add_growth(&t, g->bytes, g->over_ns);
		} else {
			phrase__add(&t, ", no less ");
			phrase__ns(&t, g->over_ns);
			phrase__add(&t, " before");
		}
	}
	phrase__put(&t, out);
}

void oom_minute__cgroup(struct out *out, const struct oom_kill *kill, size_t i)
{
	const struct oom_cgroup_growth *g = &kill->cgroups[i];
	struct phrase t = {};

	if (i < kill->cgroup_count) {
		phrase__add(&t, "%s: %s ", kill->hit >= 0 ? "In it grew" : "Grew, cgroup", g->cgroup);
		add_plot(&t, g->points, g->count);
		add_growth(&t, g->bytes, g->over_ns);
	}
	phrase__put(&t, out);
}

/* --- the machine ------------------------------------------------------------------------------------------
 */

enum strain { MAJOR_FAULTS, SWAPPED_IN, SWAPPED_OUT, RECLAIM, STALLED, STRAINS };

static uint64_t strain_of(const struct oom_strain *s, enum strain which)
{
	switch (which) {
	case MAJOR_FAULTS:
		return s->major_faults;
	case SWAPPED_IN:
		return s->swapped_in;
	case SWAPPED_OUT:
		return s->swapped_out;
	case RECLAIM:
		return s->reclaim_ns;
	default:
		return s->stalled < 0 ? OOM_UNKNOWN : s->stalled * s->over_ns;
	}
}

static void add_strain_amount(struct phrase *t, enum strain which, double per_second)
{
	if (which == MAJOR_FAULTS) {
		phrase__add(t, "%.0f", per_second);
	} else if (which == RECLAIM || which == STALLED) {
		phrase__ns(t, per_second);
	} else {
		phrase__bytes(t, per_second);
	}
}

/* One kind: its plot, and how much a second, on average and at worst. Nothing, if there was none. */
static void add_strain(struct phrase *t, const struct oom_kill *kill, enum strain which, const char *what)
{
	uint64_t rates[OOM_POINTS], over = 0;
	double sum = 0, worst = 0;

	for (size_t i = 0; i < kill->strain_count; i++) {
		const struct oom_strain *s = &kill->strain[i];
		uint64_t n = strain_of(s, which);
		double rate = n == OOM_UNKNOWN || !s->over_ns ? 0 : (double)n * NS_PER_SEC / s->over_ns;

		rates[i] = rate;
		over += s->over_ns;
		sum += n == OOM_UNKNOWN ? 0 : n;
		worst = rate > worst ? rate : worst;
	}
	if (sum <= 0 || worst < (which == MAJOR_FAULTS ? FEW_FAULTS : 1) || !over)
		return;
	phrase__add(t, "%s%s ", t->used ? "; " : "Strain: ", what);
	phrase__bars(t, rates, kill->strain_count);
	phrase__add(t, " ");
	add_strain_amount(t, which, sum * NS_PER_SEC / over);
	phrase__add(t, " a second, at worst ");
	add_strain_amount(t, which, worst);
}

/* What the machine went through in the minute before. */
void oom_minute__strain(struct out *out, const struct oom_kill *kill)
{
	static const char *const words[STRAINS] = {"major faults", "swapped in", "swapped out",
						   "reclaim by tasks themselves", "waiting for memory"};
	struct phrase t = {};

	for (int i = 0; i < STRAINS; i++)
		add_strain(&t, kill, i, words[i]);
	phrase__put(&t, out);
}
