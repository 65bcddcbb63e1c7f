/*
 * http/parse: a request head and how its body ends. The answer for a prefix is "more" or that of the whole,
 * spans lie inside the input, what was taken says in one way only how long it is.
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

static void check_head(const struct http_head *h, const uint8_t *data, size_t size)
{
	size_t hosts = http_field_count(h, "host");

	check_span(h->method, data, size);
	check_span(h->target, data, size);
	assert(http_is_token(h->method) && h->target.n > 0 && (h->minor == 0 || h->minor == 1));
	assert(hosts == 1 || (hosts == 0 && h->minor == 0));
	for (size_t i = 0; i < h->target.n; i++)
		assert(h->target.p[i] > ' ' && h->target.p[i] < 0x7f);
	for (size_t i = 0; i < h->nfields; i++) {
		check_span(h->fields[i].name, data, size);
		check_span(h->fields[i].value, data, size);
		assert(http_is_token(h->fields[i].name) && http_is_value(h->fields[i].value));
	}
}

static void check_framing(const struct http_head *h)
{
	size_t lengths = http_field_count(h, "content-length"),
	       codings = http_field_count(h, "transfer-encoding");
	enum http_framing framing;
	const char *why = NULL;
	uint64_t length;

	if (http_request_framing(h, &framing, &length, &why) < 0) {
		assert(why && lengths + codings > 0);
		return;
	}
	assert(lengths + codings <= 1 && length <= INT64_MAX);
	assert(framing != HTTP_BODY_CLOSE && (framing == HTTP_BODY_LENGTH) == (length > 0));
	assert((framing == HTTP_BODY_CHUNKED) == (codings == 1));
	assert(!http_keep_alive(h, framing) || !http_field_has(h, "connection", "close"));
}

/* Of its own size, so that the sanitizer sees a byte too far. */
static ssize_t parse_prefix(const uint8_t *data, size_t n)
{
	static struct http_head h;
	uint8_t *copy = malloc(n ? n : 1);
	const char *why;
	ssize_t r;

	memcpy(copy, data, n);
	r = http_parse_request(copy, n, &h, &why);
	free(copy);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head h;
	const char *why = NULL;
	ssize_t r;

	if (size == 0)
		return 0;
	r = http_parse_request(data, size, &h, &why);
	assert(r == -2 || (r == -1 && why) || (r > 0 && (size_t)r <= size && (size_t)r <= HTTP_HEAD_MAX));
	if (r > 0) {
		assert(memcmp(data + r - 4, "\r\n\r\n", 4) == 0);
		check_head(&h, data, size);
		check_framing(&h);
	}
	for (size_t step = size / 16 + 1, n = 0; n < size; n += step) {
		ssize_t part = parse_prefix(data, n);
		assert(part == -2 || part == r);
	}
	return 0;
}
