/*
 * http/parse: a response head and trailer fields. The answer for a prefix is "more" or that of the
 * whole, spans lie inside the input, what was taken is well-formed.
 *
 * max_len: 70000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(struct span s, const uint8_t *data, size_t size)
{
	if (s.n == 0)
		return;
	assert((const uint8_t *)s.p >= data && (const uint8_t *)s.p + s.n <= data + size);
	assert(!memchr(s.p, '\r', s.n) && !memchr(s.p, '\n', s.n) && !memchr(s.p, 0, s.n));
}

static void check_fields(const struct http_field *f, size_t n, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		check_span(f[i].name, data, size);
		check_span(f[i].value, data, size);
		assert(http_is_token(f[i].name) && http_is_value(f[i].value));
	}
}

static void check_meaning(const struct http_head *h)
{
	enum http_framing framing;
	const char *why = NULL;
	uint64_t length;

	assert(h->status >= 100 && h->status <= 599 && (h->minor == 0 || h->minor == 1));
	for (int was_head = 0; was_head < 2; was_head++) {
		if (http_framing(h, was_head, &framing, &length, &why) < 0) {
			assert(why && !was_head);
			continue;
		}
		bool keep = http_keep_alive(h, framing);
		assert(!keep || !http_field_has(h, "connection", "close"));
		assert(!keep || framing != HTTP_BODY_CLOSE);
		assert(length <= INT64_MAX && (framing == HTTP_BODY_LENGTH || length == 0));
	}
}

/* Of its own size, so that the sanitizer sees a byte too far. */
static ssize_t parse_prefix(const uint8_t *data, size_t n)
{
	static struct http_head h;
	uint8_t *copy = malloc(n ? n : 1);
	const char *why;
	ssize_t r;

	memcpy(copy, data, n);
	r = http_parse_response(copy, n, &h, &why);
	free(copy);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_field f[HTTP_FIELDS_MAX];
	static struct http_head h;
	const char *why = NULL;
	size_t nfields;
	ssize_t r;

	if (size == 0)
		return 0;
	r = http_parse_response(data, size, &h, &why);
	assert(r == -2 || (r == -1 && why) || (r > 0 && (size_t)r <= size && (size_t)r <= HTTP_HEAD_MAX));
	if (r > 0) {
		assert(memcmp(data + r - 4, "\r\n\r\n", 4) == 0);
		check_span(h.reason, data, size);
		check_fields(h.fields, h.nfields, data, size);
		check_meaning(&h);
	}
	for (size_t step = size / 16 + 1, n = 0; n < size; n += step) {
		ssize_t part = parse_prefix(data, n);
		assert(part == -2 || part == r);
	}
	if (http_parse_fields(data, size, f, HTTP_FIELDS_MAX, &nfields, &why) > 0)
		check_fields(f, nfields, data, size);
	return 0;
}
