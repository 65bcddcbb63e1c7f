/*
 * http/chunk: the first byte chooses the size of the feeds, the rest is the body. Feeds of that size
 * give what one feed gives; trailers are taken exactly where http_parse_fields takes them.
 *
 * max_len: 70000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/chunk.h"
#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint8_t *body;
	size_t nbody;
	size_t taken;
	bool done, bad;
};

static void decode(const uint8_t *p, size_t n, size_t step, struct outcome *o)
{
	const uint8_t *data;
	const char *why = NULL;
	struct http_chunk c;
	ssize_t r = 1;
	size_t ndata;

	*o = (struct outcome){ .body = malloc(n ? n : 1) };
	http_chunk_init(&c);
	while (o->taken < n && r > 0) {
		size_t k = n - o->taken < step ? n - o->taken : step;

		r = http_chunk_feed(&c, p + o->taken, k, &data, &ndata, &why);
		if (r <= 0)
			break;
		assert((size_t)r <= k && data >= p + o->taken && data + ndata <= p + o->taken + r);
		memcpy(o->body + o->nbody, data, ndata);
		o->nbody += ndata;
		o->taken += (size_t)r;
	}
	assert(r >= 0 || (why && c.bad));
	assert(c.done || c.bad || o->taken == n);
	o->done = c.done;
	o->bad = c.bad;
}

/* "0 CRLF" and then the input: the trailer section alone. */
static void compare_trailers(const uint8_t *p, size_t n)
{
	static struct http_field f[HTTP_HEAD_MAX / 4];
	uint8_t *text = malloc(n + 3);
	const char *why;
	struct outcome o;
	size_t nfields;
	ssize_t r = http_parse_fields(p, n, f, sizeof(f) / sizeof(f[0]), &nfields, &why);

	memcpy(text, "0\r\n", 3);
	if (n)
		memcpy(text + 3, p, n);
	decode(text, n + 3, n + 3, &o);
	assert(o.done == (r > 0));
	assert(!o.done || o.taken == (size_t)r + 3);
	/* the chunk engine finds a fault within a line, the other at its end */
	assert(r != -1 || o.bad || n >= HTTP_HEAD_MAX);
	free(o.body);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, parts;

	if (size == 0)
		return 0;
	decode(data + 1, size - 1, size, &whole);
	decode(data + 1, size - 1, data[0] % 16 + 1u, &parts);
	assert(whole.done == parts.done && whole.bad == parts.bad && whole.nbody == parts.nbody);
	assert(memcmp(whole.body, parts.body, whole.nbody) == 0);
	assert(whole.bad || whole.taken == parts.taken);
	compare_trailers(data + 1, size - 1);
	free(whole.body);
	free(parts.body);
	return 0;
}
