/*
 * p2p/noise: the first byte chooses what the rest is: a listener's whole input; the payload of a dialer's or
 * of a listener's proof; frames behind a good handshake. It ends in one sticky error or waits, and does not
 * let plaintext out that was not sealed.
 *
 * max_len: 70000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/engine.h"
#include "p2p/noise.h"
#include "p2p/noisexx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct noise_identity self;
static uint8_t room[80000];

static void begin(void)
{
	static const uint8_t seed[32] = { 1 }, fixed[32] = { 2 };
	struct ed25519_key key;

	if (self.npayload > 0)
		return;
	ed25519_keygen(&key, seed);
	if (noise_identity_init(&self, &key, fixed, NULL) != 0)
		abort();
}

/* Feed; the plaintext that came of it. */
static size_t put(struct engine *e, const uint8_t *p, size_t n)
{
	size_t plain = 0, k;

	for (;;) {
		unsigned st = e->ops->state(e);

		if (st & ENGINE_APP_OUT) {
			e->ops->app_out(e, &k);
			assert(k > 0);
			plain += k;
			e->ops->app_out_ack(e, k);
			continue;
		}
		if (n == 0 || !(st & ENGINE_NET_IN))
			return plain;
		uint8_t *to = e->ops->net_in(e, &k);
		assert(to != NULL && k > 0);
		k = k < n ? k : n;
		memcpy(to, p, k);
		e->ops->net_in_ack(e, k);
		p += k;
		n -= k;
	}
}

static struct engine *victim(bool dialer)
{
	static const uint8_t ephemeral[32] = { 3 };
	struct noise_params p = { .self = &self, .dialer = dialer, .ephemeral = ephemeral };
	struct engine *e;

	if (noise_new(&p, &e, NULL) != 0)
		abort();
	return e;
}

static void forger(struct noisexx *x, bool dialer)
{
	static const uint8_t ephemeral[32] = { 4 };

	noisexx_init(x, dialer, self.static_key, self.static_pub, ephemeral, span_of(""));
}

static void send_to(struct engine *e, struct noisexx *x, struct span payload)
{
	size_t n = noisexx_write(x, payload, room + 2);

	room[0] = (uint8_t)(n >> 8);
	room[1] = (uint8_t)n;
	put(e, room, n + 2);
}

static void hear(struct engine *e, struct noisexx *x)
{
	struct span payload;
	size_t n;
	const uint8_t *p = e->ops->net_out(e, &n);

	memcpy(room, p, n);
	e->ops->net_out_ack(e, n);
	if (!noisexx_read(x, room + 2, n - 2, &payload))
		abort();
}

/* A handshake in which we hold the other side's pen, up to its proof. */
static struct engine *shake(struct noisexx *x, bool dialer, struct span payload)
{
	struct engine *e = victim(!dialer);

	forger(x, dialer);
	if (dialer)
		send_to(e, x, span_of(""));
	hear(e, x);
	send_to(e, x, payload);
	return e;
}

static void check_end(struct engine *e)
{
	struct err err;

	err_init(&err);
	if (e->ops->error(e, &err) != 0)
		assert(err.msg[0] != '\0' && e->ops->state(e) == ENGINE_CLOSED);
	e->ops->free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine *e;
	struct noisexx x;

	begin();
	if (size == 0 || size > 60000)
		return 0;
	switch (data[0] % 4) {
	case 0:
		e = victim(false);
		put(e, data + 1, size - 1);
		break;
	case 1:
	case 2:
		if (size > 4000)
			return 0;
		e = shake(&x, data[0] % 4 == 1, span_make(data + 1, size - 1));
		break;
	default:
		e = shake(&x, true, span_make(self.payload, self.npayload));
		assert(e->ops->state(e) & ENGINE_APP_IN);
		/* no tag fits: nothing comes out */
		assert(put(e, data + 1, size - 1) == 0);
	}
	check_end(e);
	return 0;
}
