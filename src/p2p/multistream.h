/*
 * multistream-select 1.0 (multiformats/multistream-select): which protocol does this stream speak? Both
 * roles, pure.
 *
 * What is to be sent is appended to a buffer of the caller's. The dialer's first flight (header and first
 * proposal) is there at once and waits for nothing; the caller may put data of the proposed protocol behind
 * it before the answer is there (lazy), if it proposes just one. A dialer never waits for the header of the
 * other side; a listener answers what it does not know, and `ls`, with `na` and goes on. Bytes behind the
 * agreement are not consumed: they belong to the next layer.
 */
#ifndef P2P_MULTISTREAM_H
#define P2P_MULTISTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct buf;

#define MULTISTREAM_HEADER "/multistream/1.0.0"
#define MULTISTREAM_MESSAGE_MAX 1024	/* as go and js: the length, which counts the line's end */
#define MULTISTREAM_TRIES_MAX 32	/* proposals a listener answers before it gives up */

enum multistream_state {
	MULTISTREAM_RUNNING,
	MULTISTREAM_AGREED,		/* on protocols[agreed] */
	MULTISTREAM_REFUSED,		/* dialer: the other side speaks none of ours */
	MULTISTREAM_BAD			/* sticky: `why` is a sentence for a person */
};

struct multistream {
	enum multistream_state state;
	size_t agreed;
	const char *why;
	/* private from here on */
	const char *const *protocols;
	size_t nprotocols, proposed;
	unsigned tries;
	bool dialer, greeted, header_sent;
	size_t want, have;		/* of the message being read; want == 0: its length is not known */
	uint8_t message[MULTISTREAM_MESSAGE_MAX];
};

/* The table is borrowed until the agreement. The header and protocols[0] go to `out`. */
void multistream_dial(struct multistream *, const char *const *protocols, size_t n, struct buf *out);
/* `greet`: send the header now (a new connection); else when the dialer's has come (a stream), so that it and
 * the answer to a proposal that came along leave in one piece. */
void multistream_listen(struct multistream *, const char *const *protocols, size_t n, bool greet,
    struct buf *out);

/* Bytes consumed, all of them while RUNNING; see `state` after. -1 in state BAD. */
ssize_t multistream_feed(struct multistream *, const void *, size_t n, struct buf *out);

#endif
