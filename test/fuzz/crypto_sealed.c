/*
 * crypto/sealed: the input is an archive, or, from its second half, what is sealed and then changed at one
 * place. Nothing but what was sealed comes out, in pieces of any size.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "an invented secret of the fuzz targets"

static int opened(const uint8_t *p, size_t n, size_t step, struct buf *out)
{
	struct sealed s;
	struct err e;
	int rc = 0;

	err_init(&e);
	sealed_init(&s, span_of(SECRET), span_of("name"), NULL);
	for (size_t at = 0; at < n && rc == 0; at += step)
		rc = sealed_open(&s, p + at, n - at < step ? n - at : step, out, &e);
	if (rc == 0)
		rc = sealed_open_end(&s, out, &e);
	assert((rc == 0 || rc == ERR_DAMAGED) && rc == e.cls);
	sealed_wipe(&s);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size > 0 ? data[0] + 1u : 1, at;
	struct buf in, out;
	struct sealed s;

	buf_init(&in, BUF_MAX_ANY);
	buf_init(&out, BUF_MAX_ANY);
	assert(opened(data, size, step, &out) == ERR_DAMAGED && buf_len(&out) == 0);
	sealed_init(&s, span_of(SECRET), span_of("name"), NULL);
	assert(sealed_begin(&s, &in, NULL) == 0 && sealed_add(&s, data, size, &in, NULL) == 0 &&
	    sealed_end(&s, &in, NULL) == 0);
	sealed_wipe(&s);
	assert(opened(buf_data(&in), buf_len(&in), step, &out) == 0 && buf_len(&out) == size);
	assert(size == 0 || memcmp(buf_data(&out), data, size) == 0);
	buf_clear(&out);
	at = size > 2 ? (data[1] << 8 | data[2]) % buf_len(&in) : 0;
	buf_data(&in)[at] ^= 1;
	assert(opened(buf_data(&in), buf_len(&in), step, &out) == ERR_DAMAGED);
	assert(buf_len(&out) <= size);
	assert(buf_len(&out) == 0 || memcmp(buf_data(&out), data, buf_len(&out)) == 0);
	buf_free(&in);
	buf_free(&out);
	return 0;
}
