/*
 * Inside p2p/ only: what session.c, which leads a connection, and stream.c, which leads its streams, share.
 */
#ifndef P2P_STREAMS_H
#define P2P_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "p2p/multistream.h"
#include "p2p/peerid.h"
#include "p2p/session.h"
#include "p2p/yamux.h"

struct conn;
struct engine;

enum session_state { S_GREETING, S_SECURING, S_MUXING, S_UP, S_CLOSING, S_DEAD };

struct session {
	struct session_params p;
	enum session_state state;
	struct conn *conn;
	struct engine *noise;		/* the conn's */
	bool dialled;
	bool closing;			/* session_close: the last stream ends it */
	unsigned busy;			/* calls out of here under way: nothing is freed before they return */
	bool gone;			/* free it then */
	struct peerid expect, peer;
	struct addr addr;
	struct multistream ms;		/* before UP */
	struct buf out;			/* its */
	struct yamux yamux;
	struct stream *first, *last;
	size_t nstreams;		/* that have an owner, or will */
	struct job work;
	struct timer tick;
	int64_t since, used, heard, rtt;
	int64_t pinged;			/* when our ping left; 0: none is under way */
	int64_t close_due;
	int64_t flood_from;		/* the second in which `floods` pings of theirs came */
	unsigned floods;
	struct err err;
};

struct stream {
	struct session *s;
	struct stream *next;
	struct yamux_stream *y;
	struct multistream *ms;		/* NULL: agreed, or over */
	stream_fn *fn;
	void *arg;
	struct buf in, out, hold;	/* hold: written while more than one protocol is proposed */
	struct timer timer;
	int64_t due, negotiate_due;
	size_t protocol;
	uint32_t code;
	bool ours, eof, shut, over;
	bool owned;			/* theirs: accepted */
	bool gone;			/* its owner has let it go; what is written may still leave */
	bool lowat_due;
};

/* Calls out are made between these; leave frees what was let go meanwhile. */
void session_enter(struct session *);
void session_leave(struct session *);
/* Soon: let streams write. */
void session_wake(struct session *);

/* The muxer's events that are a stream's. */
void stream_on_opened(struct session *, struct yamux_stream *);
void stream_on_data(struct stream *, struct span);
void stream_on_eof(struct stream *);
void stream_on_reset(struct stream *, uint32_t code);
/* Hand bytes to the muxer: true if some went. */
bool stream_push(struct stream *);
/* What became of it, when the muxer has taken bytes. */
void stream_on_pushed(struct stream *);
/* Has it been let go, and nothing is left to be done? */
bool stream_is_spent(const struct stream *);
/* Give its memory back; it is out of the list. */
void stream_bury(struct stream *);

#endif
