/*
 * A toy engine: says 'H' and wants to hear 'h', then every byte is XORed with 0x55. A raw 0xFF is the peer's
 * goodbye, a raw 0xEE breaks the protocol. Its buffers hold XOR_ROOM bytes; while there are bytes for the
 * network it takes no plaintext, as TLS does not.
 */
#ifndef UNIT_NET_XOR_H
#define UNIT_NET_XOR_H

#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "net/engine.h"

#define XOR_ROOM 1000
#define XOR_GOODBYE 0xFF
#define XOR_BROKEN 0xEE

struct xor_engine {
	struct engine engine;
	uint8_t raw[XOR_ROOM];		/* where net_in writes */
	uint8_t in[XOR_ROOM], out[XOR_ROOM];
	size_t nin, nout;
	bool ready, flushed, ended, broken;
	int *freed;			/* counts */
};

static inline struct xor_engine *xor_of(struct engine *e)
{
	return (struct xor_engine *)(void *)e;
}

static inline unsigned xor_state(struct engine *e)
{
	struct xor_engine *x = xor_of(e);
	unsigned st = x->nin > 0 ? ENGINE_APP_OUT : 0;

	if (x->ended || x->broken)
		return st | ENGINE_CLOSED;
	if (x->nin < XOR_ROOM)
		st |= ENGINE_NET_IN;
	if (x->nout > 0 && x->flushed)
		st |= ENGINE_NET_OUT;
	else if (x->ready)
		st |= ENGINE_APP_IN;
	return st;
}

static inline uint8_t *xor_net_in(struct engine *e, size_t *room)
{
	*room = XOR_ROOM - xor_of(e)->nin;
	return xor_of(e)->raw;
}

static inline void xor_net_in_ack(struct engine *e, size_t n)
{
	struct xor_engine *x = xor_of(e);

	assert_true(n <= XOR_ROOM - x->nin);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = x->raw[i];

		x->ended = x->ended || c == XOR_GOODBYE;
		x->broken = x->broken || c == XOR_BROKEN || (!x->ready && c != 'h');
		if (x->ended || x->broken)
			return;
		if (x->ready)
			x->in[x->nin++] = c ^ 0x55;
		x->ready = true;
	}
}

static inline const uint8_t *xor_net_out(struct engine *e, size_t *n)
{
	*n = xor_of(e)->nout;
	return xor_of(e)->out;
}

static inline void xor_net_out_ack(struct engine *e, size_t n)
{
	struct xor_engine *x = xor_of(e);

	assert_true(n <= x->nout);
	memmove(x->out, x->out + n, x->nout - n);
	x->nout -= n;
	x->flushed = x->nout > 0;
}

static inline uint8_t *xor_app_in(struct engine *e, size_t *room)
{
	*room = XOR_ROOM - xor_of(e)->nout;
	return xor_of(e)->out + xor_of(e)->nout;
}

static inline void xor_app_in_ack(struct engine *e, size_t n)
{
	struct xor_engine *x = xor_of(e);

	assert_true(n <= XOR_ROOM - x->nout);
	for (size_t i = 0; i < n; i++)
		x->out[x->nout + i] ^= 0x55;
	x->nout += n;
	x->flushed = x->flushed || x->nout == XOR_ROOM;
}

static inline const uint8_t *xor_app_out(struct engine *e, size_t *n)
{
	*n = xor_of(e)->nin;
	return xor_of(e)->in;
}

static inline void xor_app_out_ack(struct engine *e, size_t n)
{
	struct xor_engine *x = xor_of(e);

	assert_true(n <= x->nin);
	memmove(x->in, x->in + n, x->nin - n);
	x->nin -= n;
}

static inline void xor_flush(struct engine *e)
{
	xor_of(e)->flushed = xor_of(e)->nout > 0;
}

static inline void xor_close(struct engine *e)
{
	(void)e;
}

static inline int xor_error(struct engine *e, struct err *err)
{
	return xor_of(e)->broken ? err_set(err, ERR_PROTO, "the toy is broken") : 0;
}

static inline bool xor_ended(struct engine *e)
{
	return xor_of(e)->ended;
}

static inline void xor_free(struct engine *e)
{
	++*xor_of(e)->freed;
	free(e);
}

static inline struct engine *xor_new(int *freed)
{
	static const struct engine_ops ops = { xor_state, xor_net_in, xor_net_in_ack, xor_net_out,
		xor_net_out_ack, xor_app_in, xor_app_in_ack, xor_app_out, xor_app_out_ack, xor_flush,
		xor_close, xor_error, xor_ended, xor_free };
	struct xor_engine *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->engine.ops = &ops;
	x->freed = freed;
	x->out[0] = 'H';
	x->nout = 1;
	x->flushed = true;
	return &x->engine;
}

#endif
