/*
 * p2p/multistream: the first byte chooses role, greeting and the size of the feeds. Feeds of that size end as
 * one feed does: the same state, the same answers, the same bytes left over.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "p2p/multistream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "/noise", "/yamux/1.0.0", "/a" };

struct outcome {
	struct multistream m;
	struct buf out;
	size_t used;
};

static void run(struct outcome *o, uint8_t how, const uint8_t *p, size_t n, size_t step)
{
	buf_init(&o->out, 8192);
	o->used = 0;
	if (how & 1)
		multistream_dial(&o->m, names, 3, &o->out);
	else
		multistream_listen(&o->m, names, 3, how & 2, &o->out);
	while (o->used < n && o->m.state == MULTISTREAM_RUNNING) {
		size_t part = n - o->used < step ? n - o->used : step;
		ssize_t used = multistream_feed(&o->m, p + o->used, part, &o->out);

		assert(used <= (ssize_t)part && (used >= 0) == (o->m.state != MULTISTREAM_BAD));
		if (used < 0)
			break;
		assert(used == (ssize_t)part || o->m.state != MULTISTREAM_RUNNING);
		o->used += (size_t)used;
	}
	assert(!o->out.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome a, b;

	if (size == 0)
		return 0;
	run(&a, data[0], data + 1, size - 1, size);
	run(&b, data[0], data + 1, size - 1, data[0] / 4 + 1u);
	assert(a.m.state == b.m.state && a.m.agreed == b.m.agreed);
	assert(a.m.state == MULTISTREAM_BAD || a.used == b.used);
	assert(buf_len(&a.out) == buf_len(&b.out) &&
	    memcmp(buf_data(&a.out) ? buf_data(&a.out) : (uint8_t *)"",
		buf_data(&b.out) ? buf_data(&b.out) : (uint8_t *)"", buf_len(&a.out)) == 0);
	buf_free(&a.out);
	buf_free(&b.out);
	return 0;
}
