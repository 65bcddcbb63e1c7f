/*
 * The text of the credential store, and a line of its log. Neither comes past its seal or MAC without the
 * key, but whoever has the key may have written anything.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cred/audit.h"
#include "cred/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[RECORD_KEY_LEN] = { 1 };
	struct span text = span_make(data, size);
	struct recordset s, again;
	struct audit a = { .has_key = true };
	struct audit_line l;
	uint64_t gen, high;
	char sha[65];
	struct buf b;

	recordset_init(&s);
	recordset_init(&again);
	buf_init(&b, RECORD_STORE_MAX);
	if (recordset_parse(&s, text, key, NULL) == 0) {
		for (size_t i = 0; i < s.n; i++)
			if (s.list[i].state == RECORD_UNBOUND)
				record_bind(&s, &s.list[i], 7, key);
		/* what is written reads back, with as many records, and what was bound is */
		if (recordset_print(&s, &b, NULL) == 0) {
			if (recordset_parse(&again, buf_span(&b), key, NULL) != 0 || again.n != s.n)
				abort();
			for (size_t i = 0; i < s.n; i++)
				if (again.list[i].state != s.list[i].state)
					abort();
		}
	}
	if (audit_parse(text, &l)) {
		audit_mac_ok(&a, &l);
		audit_line_gen(&l, &gen, &high, sha);
	}
	recordset_free(&s);
	recordset_free(&again);
	buf_free(&b);
	return 0;
}
