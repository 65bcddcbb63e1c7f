/*
 * yamux (specs/yamux/README.md): many streams over one connection. Framing and window arithmetic, pure.
 *
 * Input is fed in pieces of any size; yamux_feed stops at each event. Bodies are handed on as they come and
 * never collected: an event's data points into the input. Output gathers in `out`, which the caller drains;
 * data enter it only while it holds less than YAMUX_OUT_DATA, answers always (a peer that makes more of them
 * than YAMUX_OUT_MAX without reading is an error). Pings are answered inside.
 *
 * Windows are deltas over 256 KiB and are given back when the caller says it has consumed (yamux_consumed):
 * to withhold that is back-pressure. The first frame back acknowledges a stream, whatever it is. Frames of
 * streams unknown or let go are passed over.
 *
 * A stream belongs to the engine and is lent to the caller from yamux_open or YAMUX_OPENED until
 * yamux_release, which the caller calls once for each, also after YAMUX_RESET. `arg` is the caller's.
 */
#ifndef P2P_YAMUX_H
#define P2P_YAMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/str.h"

struct err;

#define YAMUX_PROTOCOL "/yamux/1.0.0"
#define YAMUX_HEADER_LEN 12
#define YAMUX_WINDOW ((uint32_t)256 << 10)	/* "Flow Control": of each stream, each way */
#define YAMUX_INBOUND_MAX 64			/* ours: streams the peer has open; more are reset */
#define YAMUX_OUTBOUND_MAX 64			/* ours; all others take 256 unacknowledged */
#define YAMUX_SEND_MAX ((size_t)16 << 10)	/* a data frame of ours: rust reads no larger at once */
#define YAMUX_CREDIT_MAX ((uint64_t)1 << 30)	/* a send window grows no further */
#define YAMUX_OUT_DATA ((size_t)64 << 10)
#define YAMUX_OUT_MAX ((size_t)128 << 10)

enum yamux_goaway { YAMUX_NORMAL, YAMUX_PROTOCOL_ERROR, YAMUX_INTERNAL_ERROR };

/* Codes of a reset (go core/network/mux.go); 0 says nothing. */
#define YAMUX_RESET_NEGOTIATION 0x1001u
#define YAMUX_RESET_LIMIT 0x1002u
#define YAMUX_RESET_RATE 0x1003u
#define YAMUX_RESET_PROTOCOL 0x1004u

enum yamux_event_type {
	YAMUX_NONE,		/* all input is used */
	YAMUX_OPENED,		/* the peer opened `stream` */
	YAMUX_DATA,		/* `data` of `stream` */
	YAMUX_WRITABLE,		/* its send window was empty and is no longer */
	YAMUX_EOF,		/* the peer will send no more on it */
	YAMUX_RESET,		/* it is over both ways; `value` is the code */
	YAMUX_PONG,		/* the answer to yamux_ping; `value` is its */
	YAMUX_PINGED,		/* a ping was answered: for whoever counts them */
	YAMUX_GOAWAY		/* the connection is over; `value` is the code */
};

struct yamux_stream {
	void *arg;
	uint32_t id;		/* 0: the slot is free */
	/* private from here on */
	uint64_t credit;	/* bytes that may be sent */
	uint32_t window;	/* bytes the peer may still send */
	uint32_t consumed;	/* not yet given back */
	uint16_t pending;	/* ACK: goes with the next frame */
	bool ours, fin_in, fin_out, reset, starved;
};

struct yamux_event {
	enum yamux_event_type type;
	struct yamux_stream *stream;
	struct span data;
	uint32_t value;
};

struct yamux {
	struct buf out;
	/* private from here on */
	bool dialer, ended, ping_sent;
	const char *why;		/* not NULL: bad */
	uint32_t next_id, ping;
	uint8_t header[YAMUX_HEADER_LEN];
	size_t nheader;
	uint32_t left;			/* of the body being passed on */
	unsigned todo;			/* events of this frame not yet told */
	uint32_t value;			/* theirs */
	struct yamux_stream *stream;	/* of this frame; NULL: unknown, its body is dropped */
	unsigned inbound, outbound;
	struct yamux_stream streams[YAMUX_INBOUND_MAX + YAMUX_OUTBOUND_MAX];
};

void yamux_init(struct yamux *, bool dialer);
void yamux_free(struct yamux *);

/* Consume up to `n` bytes until an event: bytes consumed, or a negative class with its sentence (sticky; a
 * GoAway is in `out`). */
ssize_t yamux_feed(struct yamux *, const void *, size_t n, struct yamux_event *, struct err *);

/* Open a stream; NULL: YAMUX_OUTBOUND_MAX are open, or the connection is over. Nothing need be awaited. */
struct yamux_stream *yamux_open(struct yamux *, void *arg);
/* How much yamux_write would take now: the least of the window and the room in `out`. */
size_t yamux_room(const struct yamux *, const struct yamux_stream *);
/* Bytes taken, perhaps 0: then YAMUX_WRITABLE follows, or, if the window is open, `out` must be drained. */
size_t yamux_write(struct yamux *, struct yamux_stream *, const void *, size_t n);
/* The caller has done with so many bytes of this stream's data. */
void yamux_consumed(struct yamux *, struct yamux_stream *, size_t n);
void yamux_close(struct yamux *, struct yamux_stream *);	/* our side: half close */
void yamux_reset(struct yamux *, struct yamux_stream *, uint32_t code);
/* Over both ways: by two half closes or a reset. */
bool yamux_is_over(const struct yamux_stream *);
/* Give the stream back: reset (code 0) unless it is over. */
void yamux_release(struct yamux *, struct yamux_stream *);

/* One at a time: false, one is under way. */
bool yamux_ping(struct yamux *, uint32_t value);
/* The last frame: every implementation takes it as the end of the connection, so streams must be done. */
void yamux_goaway(struct yamux *, enum yamux_goaway);

#endif
