/*
 * p2p/identify: the first byte chooses the size of the feeds. Feeds of that size end as one feed does; what
 * was understood, said again, is understood alike.
 *
 * max_len: 40000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/identify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(struct identify_reader *r, const uint8_t *p, size_t n, size_t step, struct identify *id)
{
	int rc = 0;

	identify_reader_init(r);
	for (size_t at = 0; at < n && rc == 0; at += step)
		rc = identify_reader_feed(r, p + at, n - at < step ? n - at : step);
	return rc == 0 ? identify_reader_end(r, id) : rc;
}

static void say_again(struct identify *id)
{
	static struct identify back;
	struct identify_reader r;
	struct buf b;

	buf_init(&b, 65536);
	/* A key or text of any length is not ours to say. */
	id->key = span_sub(id->key, 0, 1000);
	identify_encode(id, &b);
	assert(!b.failed && buf_len(&b) <= IDENTIFY_SEND_MAX);
	if (read_all(&r, buf_data(&b), buf_len(&b), 1000, &back) != 0)
		abort();
	assert(span_same(back.key, id->key) && span_same(back.agent, id->agent));
	assert(back.naddrs <= id->naddrs && back.nprotocols <= id->nprotocols);
	for (size_t i = 0; i < back.naddrs; i++)
		assert(multiaddr_same(&back.addrs[i], &id->addrs[i]));
	identify_reader_free(&r);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct identify a, b;
	struct identify_reader ra, rb;
	int one, many;

	if (size == 0)
		return 0;
	one = read_all(&ra, data + 1, size - 1, size, &a);
	many = read_all(&rb, data + 1, size - 1, data[0] + 1u, &b);
	assert((one == 0) == (many == 0));
	if (one == 0) {
		assert(a.naddrs == b.naddrs && a.nprotocols == b.nprotocols && span_same(a.key, b.key));
		say_again(&a);
	}
	identify_reader_free(&ra);
	identify_reader_free(&rb);
	return 0;
}
