/*
 * One peer's connection, from a connected socket to streams (libp2p specs, connections/README.md):
 * multistream-select for /noise, Noise, the muxer (agreed inside Noise or by multistream-select), yamux; then
 * on each stream multistream-select for its protocol. Both roles.
 *
 * A session knows no protocol above streams and no other session: that is swarm.c and what it serves. What a
 * stream's owner does not consume is not given back as window. Bytes held for owners count in a budget that
 * all sessions share; the stream whose data pass it is reset.
 *
 * States: GREETING (multistream for /noise) → SECURING (Noise) → MUXING (multistream for yamux; left out when
 * Noise agreed) → UP → CLOSING → DEAD. One deadline for all before UP.
 *
 * Ownership: the session owns its conn, engines and streams. Events come from the loop, never out of a call
 * made here. After on_down the session is gone; session_free ends it without a call. A stream is its owner's
 * from stream_open or on_stream to stream_free, which the owner calls once, in any event or later; when the
 * session goes down each stream that was not told its end is told STREAM_RESET first and must be freed in it.
 */
#ifndef P2P_SESSION_H
#define P2P_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "p2p/peerid.h"

struct buf;
struct err;
struct loop;
struct noise_identity;
struct session;
struct stream;

#define SESSION_HANDSHAKE_MS 10000	/* accept or connect to UP */
#define SESSION_NEGOTIATE_MS 10000	/* a stream's multistream-select */
#define SESSION_PONG_MS 10000		/* a ping of ours without answer, or any byte: it is dead */
#define SESSION_PINGS_MAX 64		/* of the peer's, within a second; more is a flood */
#define SESSION_UNSENT_MAX ((size_t)128 << 10)	/* in the conn: above it no stream may send */
#define STREAM_OUT_MAX ((size_t)256 << 10)	/* written and not yet taken by the muxer */
#define STREAM_LOWAT_BYTES ((size_t)32 << 10)

struct session_budget {
	size_t used, max;		/* bytes held in stream_in, of all sessions */
};

struct session_ops {
	/* The peer is known and the muxer runs. false: it is not wanted (allow-list, a second connection). */
	bool (*on_up)(void *arg, struct session *);
	/* The peer opened a stream that speaks serves[protocol]. The owner says so by stream_accept, in the
	 * call; a stream not accepted is reset. */
	void (*on_stream)(void *arg, struct session *, struct stream *, size_t protocol);
	/* Over, for the reason that err tells (cls 0: by a GoAway or an orderly end). */
	void (*on_down)(void *arg, struct session *, const struct err *);
	void *arg;
};

struct session_params {
	struct loop *loop;
	const struct noise_identity *self;
	const char *const *serves;	/* protocols the peer may open; borrowed */
	size_t nserves;
	struct session_budget *budget;
	int64_t handshake_ms;
	int64_t keepalive_ms;		/* silence after which we ping; 0: never */
	struct session_ops ops;
};

/* Takes the fd over (closes it on failure too). `expect` NULL: we were dialled; else whom we dialled. */
int session_new(const struct session_params *, int fd, const struct peerid *expect, struct session **,
    struct err *);
/* At once, without a call; fine in an event; NULL is fine. Streams are gone without being told. */
void session_free(struct session *);
/* Open no more streams, and when the last is over say GoAway; on_down follows. At most `ms`. */
void session_close(struct session *, int64_t ms);

bool session_is_up(const struct session *);
bool session_dialled(const struct session *);			/* by us */
const struct peerid *session_peer(const struct session *);	/* from on_up on */
const struct addr *session_addr(const struct session *);	/* the other end of the socket */
size_t session_streams(const struct session *);
int64_t session_since(const struct session *);			/* loop time when it came up */
int64_t session_heard(const struct session *);			/* loop time of the last byte */
int64_t session_used(const struct session *);	/* loop time when a stream last came or went */
int64_t session_rtt(const struct session *); /* ms of the last ping of ours; -1: none yet */

/* ---- streams: the words of a conn ---- */

enum stream_event {
	STREAM_OPEN,		/* ours: the protocol is agreed; stream_protocol says on which */
	STREAM_REFUSED,		/* ours: the peer speaks none of them; over */
	STREAM_DATAIN,		/* stream_in has more */
	STREAM_LOWAT,		/* less than STREAM_LOWAT_BYTES of what was written is unsent */
	STREAM_EOF,		/* the peer will send no more */
	STREAM_TIMEOUT,		/* the deadline passed */
	STREAM_RESET		/* over both ways; stream_code tells the peer's reason */
};

typedef void stream_fn(void *arg, struct stream *, enum stream_event);

/* Open one, proposing these in turn (borrowed until STREAM_OPEN). What is written meanwhile leaves with a
 * single proposal, else after the agreement. ERR_LIMIT: too many are open. */
int stream_open(struct session *, const char *const *protocols, size_t n, stream_fn *, void *arg,
    struct stream **, struct err *);
void stream_accept(struct stream *, stream_fn *, void *arg);
/* Unless it is over it is reset with `code` (YAMUX_RESET_*, 0); one that was shut down and whose peer has
 * ended is over: what was written still leaves, within SESSION_NEGOTIATE_MS. NULL is fine. */
void stream_free(struct stream *, uint32_t code);

struct session *stream_session(const struct stream *);
size_t stream_protocol(const struct stream *);
uint32_t stream_code(const struct stream *);

/* What came; owner consumes by stream_consume, which opens the window again. */
struct buf *stream_in(struct stream *);
void stream_consume(struct stream *, size_t n);
bool stream_eof(const struct stream *);
/* Queue bytes: all, or ERR_LIMIT above STREAM_OUT_MAX, or ERR_UNAVAIL once it is over. */
int stream_write(struct stream *, const void *, size_t);
size_t stream_unsent(const struct stream *);
/* Half close, behind what was written and the agreement (js resets a stream whose FIN comes along with the
 * proposal). */
void stream_shutdown(struct stream *);
/* One deadline, in loop time; 0 clears. A stream that is being negotiated has the session's. */
void stream_deadline(struct stream *, int64_t due);

#endif
