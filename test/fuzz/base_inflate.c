/*
 * base/inflate: the input is a zlib stream. What was there before stays, and no more comes out than the
 * buffer takes. max_len: 4096
 */
#include <assert.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out;

	buf_init(&out, 65536);
	buf_addc(&out, 'x');
	int rc = inflate_zlib(span_make(data, size), &out);
	assert(rc == 0 || rc == ERR_DAMAGED || rc == ERR_LIMIT);
	assert(rc != 0 || (buf_len(&out) >= 1 && buf_data(&out)[0] == 'x' && !out.failed));
	buf_free(&out);
	return 0;
}
