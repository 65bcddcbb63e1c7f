/*
 * A connected socket, two buffers, perhaps an engine, and one deadline. A session sees one stream of
 * plaintext and six events.
 *
 * Reading pauses while `in` holds CONN_IN_MAX bytes: what the session does not consume is not read. Writes
 * are queued and leave in the loop's own time, pushes leave at once as far as the socket takes them. Events
 * come from the loop, never out of a call made here.
 * After CONN_EOF, CONN_TIMEOUT or CONN_ERROR no further event comes; the session frees the conn, which it may
 * do inside any event. After CONN_TIMEOUT it may also write a last word: then events go on.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct conn;
struct engine;
struct err;
struct loop;

#define CONN_IN_MAX ((size_t)128 << 10)
#define CONN_OUT_MAX ((size_t)80 << 20)

enum conn_event {
	CONN_SECURED,		/* the engine's handshake is over (only with an engine) */
	CONN_DATAIN,		/* conn_in has more than before */
	CONN_LOWAT,		/* all that was written or had to wait has left */
	CONN_EOF,		/* the peer ended the stream; conn_clean tells how */
	CONN_TIMEOUT,		/* the deadline passed */
	CONN_ERROR		/* conn_error says what */
};

typedef void conn_fn(void *arg, enum conn_event);

/* Takes the fd over (closes it on failure too). */
int conn_new(struct loop *, int fd, conn_fn *, void *arg, struct conn **, struct err *);
/* Close at once; fine inside an event; NULL is fine. */
void conn_free(struct conn *);
/* Later events go to somebody else (a kept-open connection changes hands). */
void conn_retarget(struct conn *, conn_fn *, void *arg);

/* From now on the stream goes through this engine, which becomes the conn's. Bytes already read and not
 * consumed go into it first. */
void conn_secure(struct conn *, struct engine *);

/* Queue bytes. ERR_LIMIT above CONN_OUT_MAX. */
int conn_write(struct conn *, const void *, size_t);
#define CONN_PARTS_MAX 3
/* Queue bytes that a push will follow: no CONN_LOWAT is owed for them. */
int conn_stage(struct conn *, const void *, size_t);
/* What is queued and then these parts, as much as the socket takes now; the rest is queued. Of a conn with an
 * engine: conn_write. */
int conn_push(struct conn *, const struct span *parts, size_t n);
/* What came; consume with buf_consume. */
struct buf *conn_in(struct conn *);
size_t conn_unsent(const struct conn *);
/* The peer's end of stream does not end the conn: CONN_EOF is told once, what is written still leaves. Plain
 * conns alone. */
void conn_half_open(struct conn *);
/* Close our side of a plain conn: the peer reads an end of stream, and may go on sending. */
void conn_shutdown(struct conn *);
/* Read nothing more until it is undone: back-pressure by whoever cannot take what comes. */
void conn_pause(struct conn *, bool);

/* One deadline, in loop time; 0 clears. */
void conn_deadline(struct conn *, int64_t due);

/* After CONN_EOF: the end was announced (TLS close_notify), or the stream is plain. */
bool conn_clean(const struct conn *);
/* After CONN_ERROR: class and sentence. */
const struct err *conn_error(const struct conn *);

#endif
