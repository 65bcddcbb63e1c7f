/*
 * store/entry: the input as a file, and as the body and a header of an entry that is built. What is read lies
 * inside the entry, and read again it is the same; what was built is believed.
 *
 * max_len: 16384
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[ENTRY_PROOF_KEY_LEN] = { 1, 2, 3 };

static struct entry *parse(const void *p, size_t n)
{
	struct entry *e = NULL;
	struct buf b;

	buf_init(&b, ENTRY_FILE_MAX);
	buf_add(&b, p, n);
	return entry_parse(&b, &e, NULL) == 0 ? e : NULL;
}

static bool inside(struct span s, const struct buf *b)
{
	return (const uint8_t *)s.p >= buf_data(b) && (const uint8_t *)s.p + s.n <= buf_data(b) + buf_len(b);
}

static void check_span(const struct entry *e, struct span s)
{
	assert(s.n == 0 || inside(s, &e->image) || inside(s, &e->text));
}

static void check(const struct entry *e)
{
	const struct span all[] = { e->key, e->op, e->content_hash, e->cid, e->url, e->auth, e->proof,
		e->variant, e->data, e->body };
	struct entry *again = parse(buf_data(&e->image), buf_len(&e->image));

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_span(e, all[i]);
	assert(e->nheaders <= ENTRY_HEADERS_MAX && e->status >= 0 && e->status <= 599 &&
	    entry_expires(e) >= e->timestamp);
	for (size_t i = 0; i < e->nheaders; i++) {
		check_span(e, e->headers[i].name);
		check_span(e, e->headers[i].value);
		assert(span_chr(e->headers[i].value, '\n') < 0 && span_chr(e->headers[i].value, '\r') < 0);
	}
	assert(again != NULL && span_same(e->body, again->body) && span_same(e->key, again->key));
	assert(entry_cid_ok(e) == entry_cid_ok(again) &&
	    entry_proof_ok(e, key) == entry_proof_ok(again, key));
	entry_unref(again);
}

static void check_built(struct span s)
{
	struct entry_header h = { span_of("etag"), span_sub(s, 0, s.n / 2) };
	struct entry_parts p = { .key = span_of("a:/b:c"),
		.url = span_of("https://h/b"),
		.auth = span_of("tag"),
		.proof_key = key,
		.timestamp = 1795353600250000,
		.ttl = 5,
		.status = 200,
		.headers = &h,
		.nheaders = 1,
		.body = s };
	struct entry *e = NULL;

	if (entry_build(&p, &e, NULL) != 0)
		return;		/* a header that could not stand in a head */
	assert(span_same(e->body, s) && entry_cid_ok(e) && entry_proof_ok(e, key));
	check(e);
	entry_unref(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct entry *e = parse(data, size);

	if (e != NULL)
		check(e);
	entry_unref(e);
	check_built(span_make(data, size));
	return 0;
}
