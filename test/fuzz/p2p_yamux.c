/*
 * p2p/yamux: the first byte chooses the role and the size of the feeds; the peer's streams are answered and
 * closed as they go. Feeds of any size give the same events, answers and end; what is counted is what is
 * there.
 *
 * max_len: 20000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "p2p/yamux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct yamux y;
	struct hash_sha256 events;	/* of all but how data were cut */
	struct buf out;
	uint64_t bytes;
	int error;
};

static void note(struct outcome *o, const struct yamux_event *ev)
{
	uint32_t word[3] = { ev->type, ev->stream != NULL ? ev->stream->id : 0, ev->value };

	assert(ev->stream == NULL || ev->stream->id != 0);
	if (ev->type == YAMUX_DATA) {
		hash_sha256_add(&o->events, ev->data.p, ev->data.n);
		o->bytes += ev->data.n;
		assert(ev->data.n > 0);
	} else if (ev->type != YAMUX_NONE) {
		hash_sha256_add(&o->events, word, sizeof(word));
	}
}

/* A caller that echoes, half-closes back, and lets go what is over. */
static void react(struct outcome *o, const struct yamux_event *ev)
{
	struct yamux_stream *s = ev->stream;

	switch (ev->type) {
	case YAMUX_DATA:
		yamux_consumed(&o->y, s, ev->data.n);
		break;
	case YAMUX_OPENED:
		yamux_write(&o->y, s, "answer", 6);
		break;
	case YAMUX_EOF:
		yamux_close(&o->y, s);
		break;
	case YAMUX_RESET:
		yamux_release(&o->y, s);
		break;
	case YAMUX_NONE:
	case YAMUX_WRITABLE:
	case YAMUX_PONG:
	case YAMUX_PINGED:
	case YAMUX_GOAWAY:
		break;
	}
}

static void check_counts(struct yamux *y)
{
	unsigned in = 0, out = 0;

	for (size_t i = 0; i < sizeof(y->streams) / sizeof(y->streams[0]); i++) {
		if (y->streams[i].id == 0)
			continue;
		in += !y->streams[i].ours;
		out += y->streams[i].ours;
		assert(y->streams[i].window <= YAMUX_WINDOW && y->streams[i].credit <= YAMUX_CREDIT_MAX);
		assert((y->streams[i].id % 2 == 1) == (y->dialer == y->streams[i].ours));
	}
	assert(in == y->inbound && out == y->outbound && in <= YAMUX_INBOUND_MAX &&
	    out <= YAMUX_OUTBOUND_MAX);
}

static void run(struct outcome *o, uint8_t how, const uint8_t *p, size_t n, size_t step)
{
	yamux_init(&o->y, how & 1);
	hash_sha256_init(&o->events);
	buf_init(&o->out, 1 << 22);
	o->bytes = 0;
	o->error = 0;
	yamux_write(&o->y, yamux_open(&o->y, NULL), "hello", 5);
	yamux_ping(&o->y, 1);
	for (size_t at = 0;;) {
		size_t part = n - at < step ? n - at : step;
		struct yamux_event ev;
		ssize_t used = yamux_feed(&o->y, p + at, part, &ev, NULL);

		if (used < 0) {
			o->error = (int)used;
			break;
		}
		assert((size_t)used <= part && (ev.type != YAMUX_NONE || (size_t)used == part));
		note(o, &ev);
		react(o, &ev);
		buf_addspan(&o->out, buf_span(&o->y.out));
		buf_clear(&o->y.out);
		at += (size_t)used;
		if (at == n && ev.type == YAMUX_NONE)
			break;
	}
	buf_addspan(&o->out, buf_span(&o->y.out));
	check_counts(&o->y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome a, b;
	uint8_t ha[SHA256_LEN], hb[SHA256_LEN];

	if (size == 0)
		return 0;
	run(&a, data[0], data + 1, size - 1, size);
	run(&b, data[0], data + 1, size - 1, data[0] / 2 + 1u);
	hash_sha256_out(&a.events, ha);
	hash_sha256_out(&b.events, hb);
	assert(a.error == b.error && a.bytes == b.bytes && memcmp(ha, hb, sizeof(ha)) == 0);
	assert(buf_len(&a.out) == buf_len(&b.out) &&
	    memcmp(buf_data(&a.out), buf_data(&b.out), buf_len(&a.out)) == 0);
	yamux_free(&a.y);
	yamux_free(&b.y);
	buf_free(&a.out);
	buf_free(&b.out);
	return 0;
}
