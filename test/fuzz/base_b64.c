/*
 * Base64, base64url, base32, base58: bytes survive the way there and back, and each text that is taken is the
 * one that its bytes are written as.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(int which, struct buf *b, const void *p, size_t n)
{
	if (which == 0)
		b64_encode(b, p, n);
	else if (which == 1)
		b64url_encode(b, p, n);
	else if (which == 2)
		b32_encode(b, p, n);
	else
		assert(b58_encode(b, p, n) == 0);
}

static ssize_t decode(int which, uint8_t *out, size_t size, struct span text)
{
	ssize_t (*const decoders[])(uint8_t *, size_t, struct span) = { b64_decode, b64url_decode, b32_decode,
		b58_decode };

	return decoders[which](out, size, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[8192];
	struct buf b;

	if (size < 1 || size > 4096)
		return 0;
	int which = data[0] & 3;
	size_t n = which == 3 && size - 1 > B58_MAX ? B58_MAX : size - 1;
	buf_init(&b, BUF_MAX_ANY);
	encode(which, &b, data + 1, n);
	assert(decode(which, out, n, buf_span(&b)) == (ssize_t)n && memcmp(out, data + 1, n) == 0);
	assert(n == 0 || decode(which, out, n - 1, buf_span(&b)) == -1);
	buf_clear(&b);

	ssize_t r = decode(which, out, sizeof out, span_make(data + 1, size - 1));
	if (r >= 0) {
		encode(which, &b, out, (size_t)r);
		struct span again = buf_span(&b), text = span_make(data + 1, size - 1);
		while (which == 1 && span_ends(text, "="))
			text.n--;
		assert(which == 2 ? span_isame(again, text) : span_same(again, text));
	}
	buf_free(&b);
	return 0;
}
