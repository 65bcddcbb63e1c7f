/*
 * tls/validity: the front of a certificate. Times are digits; what a front says, the whole says too.
 *
 * max_len: 1024
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/validity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of its own size, so that the sanitizer sees a byte too far. */
static bool parse(const uint8_t *data, size_t n, struct validity *v)
{
	uint8_t *copy = malloc(n ? n : 1);
	bool ok;

	memcpy(copy, data, n);
	ok = validity_parse(span_make(copy, n), v);
	free(copy);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct validity whole, front;
	bool ok;

	if (size == 0)
		return 0;
	ok = parse(data, size, &whole);
	if (ok) {
		assert(strspn(whole.not_before, "0123456789") == VALIDITY_LEN &&
		    strlen(whole.not_before) == VALIDITY_LEN);
		assert(strspn(whole.not_after, "0123456789") == VALIDITY_LEN &&
		    strlen(whole.not_after) == VALIDITY_LEN);
	}
	for (size_t n = 0; n < size && n < 256; n++)
		if (parse(data, n, &front)) {
			assert(ok);
			assert(memcmp(&front, &whole, sizeof(whole)) == 0);
		}
	return 0;
}
