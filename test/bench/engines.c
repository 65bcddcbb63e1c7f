/*
 * How fast the engines of p2p/ move a body, on one core and without a socket: sealed records, yamux, Noise,
 * and all of it back; and what a handshake costs.
 *
 *   engines [MIB]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rand.h"
#include "net/engine.h"
#include "p2p/noise.h"
#include "p2p/wire.h"
#include "p2p/yamux.h"

struct side {
	struct noise_identity self;
	struct engine *noise;
	struct yamux y;
	struct wire_keys keys;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void make(struct side *s)
{
	struct ed25519_key key;
	uint8_t seed[ED25519_SEED_LEN];

	if (rand_bytes(seed, sizeof(seed), NULL) != 0)
		abort();
	ed25519_keygen(&key, seed);
	if (noise_identity_init(&s->self, &key, NULL, NULL) != 0)
		abort();
}

/* What one has for the network goes to the other; false: nothing. */
static bool carry(struct engine *from, struct engine *to)
{
	const struct engine_ops *op = from->ops;
	size_t n, room;

	if (!(op->state(from) & ENGINE_NET_OUT) || !(to->ops->state(to) & ENGINE_NET_IN))
		return false;
	const uint8_t *p = op->net_out(from, &n);
	uint8_t *q = to->ops->net_in(to, &room);
	n = n < room ? n : room;
	memcpy(q, p, n);
	op->net_out_ack(from, n);
	to->ops->net_in_ack(to, n);
	return true;
}

static void shake(struct side *a, struct side *b)
{
	struct noise_params pa = { .self = &a->self, .dialer = true, .expect = &b->self.id };
	struct noise_params pb = { .self = &b->self };

	if (noise_new(&pa, &a->noise, NULL) != 0 || noise_new(&pb, &b->noise, NULL) != 0)
		abort();
	while (carry(a->noise, b->noise) || carry(b->noise, a->noise))
		continue;
	if (!noise_has_muxer(a->noise) || !noise_has_muxer(b->noise))
		abort();
}

static void handshakes(struct side *a, struct side *b)
{
	const unsigned n = 200;
	double t = now();

	for (unsigned i = 0; i < n; i++) {
		shake(a, b);
		a->noise->ops->free(a->noise);
		b->noise->ops->free(b->noise);
	}
	printf("handshake, both sides        %8.0f us\n", (now() - t) / n * 1e6);
}

/* Muxer's output into Noise, as a session does. */
static void push(struct side *s)
{
	while (buf_len(&s->y.out) > 0 && (s->noise->ops->state(s->noise) & ENGINE_APP_IN)) {
		size_t room, n = buf_len(&s->y.out);
		uint8_t *to = s->noise->ops->app_in(s->noise, &room);

		n = n < room ? n : room;
		memcpy(to, buf_data(&s->y.out), n);
		s->noise->ops->app_in_ack(s->noise, n);
		buf_consume(&s->y.out, n);
	}
	if (s->noise->ops->state(s->noise) & ENGINE_APP_IN)
		s->noise->ops->flush(s->noise);
}

struct receiver {
	struct wire_reader r;
	uint64_t got;
	bool headed, over;
};

static void on_data(struct receiver *v, struct span data, uint64_t total)
{
	while (data.n > 0) {
		enum wire_event ev;
		struct span payload;
		ssize_t n = wire_reader_feed(&v->r, data.p, data.n, &ev, &payload);

		if (n < 0)
			abort();
		if (ev == WIRE_GOT_HEADER)
			wire_reader_expect(&v->r, total);
		else
			v->got += payload.n;
		v->over = v->over || ev == WIRE_GOT_LAST;
		data = span_sub(data, (size_t)n, data.n);
	}
}

static void pull(struct side *s, struct receiver *v, uint64_t total)
{
	while (s->noise->ops->state(s->noise) & ENGINE_APP_OUT) {
		size_t n, at = 0;
		const uint8_t *p = s->noise->ops->app_out(s->noise, &n);

		while (at < n) {
			struct yamux_event ev;
			ssize_t used = yamux_feed(&s->y, p + at, n - at, &ev, NULL);

			if (used < 0)
				abort();
			at += (size_t)used;
			if (ev.type == YAMUX_DATA && v != NULL) {
				on_data(v, ev.data, total);
				yamux_consumed(&s->y, ev.stream, ev.data.n);
			}
		}
		s->noise->ops->app_out_ack(s->noise, n);
	}
}

static void body(struct side *a, struct side *b, uint64_t total)
{
	static uint8_t data[WIRE_RECORD_MAX];
	struct yamux_stream *s = yamux_open(&a->y, NULL);
	struct receiver v = { .got = 0 };
	struct buf out;
	uint64_t left = total;

	buf_init(&out, 1 << 20);
	wire_reader_init(&v.r, &b->keys, WIRE_HEADER_MAX);
	wire_seal(&a->keys, WIRE_HEADER, span_of("{}"), &out, NULL);
	while (!v.over) {
		while (left > 0 && buf_len(&out) < 3 * WIRE_RECORD_MAX) {
			size_t n = left < sizeof(data) ? (size_t)left : sizeof(data);

			left -= n;
			wire_seal(&a->keys, left > 0 ? WIRE_RECORD : WIRE_LAST, span_make(data, n), &out,
			    NULL);
		}
		buf_consume(&out, yamux_write(&a->y, s, buf_data(&out), buf_len(&out)));
		push(a);
		while (carry(a->noise, b->noise))
			pull(b, &v, total);
		push(b);
		while (carry(b->noise, a->noise))
			pull(a, NULL, 0);
	}
	if (v.got != total)
		abort();
	yamux_release(&a->y, s);
	wire_reader_free(&v.r);
	buf_free(&out);
}

int main(int argc, char **argv)
{
	static struct side a, b;
	uint8_t group[WIRE_GROUP_KEY_LEN] = { 1 };
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 8;

	make(&a);
	make(&b);
	handshakes(&a, &b);
	shake(&a, &b);
	yamux_init(&a.y, true);
	yamux_init(&b.y, false);
	wire_keys_init(&a.keys, group, &a.self.id, &b.self.id, true);
	wire_keys_init(&b.keys, group, &a.self.id, &b.self.id, false);
	for (unsigned i = 0; i < 5; i++) {
		double t = now();

		body(&a, &b, mib << 20);
		t = now() - t;
		printf("%3llu MiB, sealed and opened   %8.1f ms  %6.1f MB/s\n", (unsigned long long)mib,
		    t * 1e3, (double)(mib << 20) / 1e6 / t);
	}
	yamux_free(&a.y);
	yamux_free(&b.y);
	a.noise->ops->free(a.noise);
	b.noise->ops->free(b.noise);
	return 0;
}
