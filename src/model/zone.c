/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/zone.h"

enum zone_state zone__state(const struct zone *zone)
{
	if (!zone->managed)
		return ZONE_EMPTY;
	if (zone->free < zone->min)
		return ZONE_BELOW_MIN;
	if (zone->free < zone->low)
		return ZONE_BELOW_LOW;
	return zone->free < zone->high ? ZONE_BELOW_HIGH : ZONE_AT_EASE;
}

double zone__unusable(const struct zone *zone, unsigned order)
{
	double free = 0, usable = 0;

	for (unsigned i = 0; i < zone->orders; i++) {
		double pages = (double)zone->blocks[i] * (1ull << i);

		free += pages;
		usable += i >= order ? pages : 0;
	}
	return free > 0 ? (free - usable) / free : -1;
}
