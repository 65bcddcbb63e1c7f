/*
 * github/cachewire and cachelist: the input is an answer of the cache service, a token, and a list of caches.
 * What is taken has an address that may be asked, and keys inside the text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "github/cachelist.h"
#include "github/cachewire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(enum cachewire_call call, struct span json)
{
	struct cachewire_answer a;
	struct err e;
	int rc;

	err_init(&e);
	rc = cachewire_read(call, json, &a, &e);
	assert(rc == e.cls && (rc == 0 || rc == ERR_PROTO));
	if (rc == 0 && a.ok && call != CACHEWIRE_FINALIZE) {
		struct span url = buf_span(&a.url);

		assert(span_istarts(url, "https://") || span_istarts(url, "http://"));
		assert(call != CACHEWIRE_LOOKUP || a.matched[0] != '\0');
	}
	cachewire_answer_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size), keys[CACHELIST_MAX];
	uint64_t ids[CACHELIST_MAX];
	struct cachewire_rights r;
	struct buf text;
	struct err e;

	for (int call = CACHEWIRE_CREATE; call <= CACHEWIRE_LOOKUP; call++)
		answer((enum cachewire_call)call, in);
	err_init(&e);
	assert(cachewire_refusal("x", 500, in, 0, &e) == ERR_UNAVAIL && e.msg[0] != '\0');
	cachewire_judge(in, NULL, NULL, &r);
	assert((r.why == NULL) == (r.read && r.write));
	buf_init(&text, CACHELIST_BODY_MAX);
	int n = cachelist_read(in, &text, keys, ids);
	assert(n >= -1 && n <= CACHELIST_MAX);
	for (int i = 0; i < n; i++)
		assert(keys[i].n == 0 ||
		    ((uint8_t *)keys[i].p >= buf_data(&text) &&
			(uint8_t *)keys[i].p + keys[i].n <= buf_data(&text) + buf_len(&text)));
	buf_free(&text);
	return 0;
}
