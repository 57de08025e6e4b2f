/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records from the rings, whatever is in them: the first byte chooses the type, the rest is the record. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/bad_access.h"
#include "model/fault_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as large as what came, so that reading beyond it is seen; fixed records are filled up with zeroes.
 */
static void *copy_of(const uint8_t *data, size_t size, size_t at_least)
{
	void *record = calloc(1, size > at_least ? size : at_least);

	if (record)
		memcpy(record, data, size);
	return record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault_table *t = fault_table__new(2);
	char text[200];

	for (int turn = 0; t && size > 1 && turn < 3; turn++) {
		void *record = copy_of(data + 1, size - 1, sizeof(struct signal_record));

		switch (data[0] % 4) {
		case 0:
			fault_table__vma_seen(t, record, size - 1);
			break;
		case 1:
			fault_table__vma_of_event(t, record);
			break;
		case 2:
			bad_access__explain(record, t, text, sizeof(text));
			break;
		default:
			fault_table__add_stats(t, record, record);
		}
		free(record);
		fault_table__settle(t);
	}
	fault_table__free(t);
	return 0;
}
