/*
 * An HTTP/1.1 server on the loop (RFC 9110, 9112): listeners, connections, one exchange at a time on each. It
 * knows no routes and no policy.
 *
 * A request's head is read under a deadline and parsed strictly; what breaks RFC 9112 is answered (400, 413,
 * 431, 501, 505) and the connection closed. Its body comes in stretches. The answer goes out as it is made,
 * framed by Content-Length or, to HTTP/1.1, chunked. Pipelined requests wait in the connection's buffer for
 * their turn.
 *
 * An exchange ends once: by exchange_end, exchange_abort, or `on_gone` (the client left: forget the pointer).
 * No callback comes out of a call made here.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct addr;
struct conn_lender;
struct err;
struct exchange;
struct http_field;
struct http_head;
struct loop;
struct server;

struct server_ops {
	/* The head is there; spans in exchange_request stay good until the exchange ends. */
	void (*on_request)(void *arg, struct exchange *);
	/* A stretch of the request's body, and its end (also of an empty one; once, after on_request). */
	void (*on_body)(void *arg, struct exchange *, const void *, size_t);
	void (*on_body_end)(void *arg, struct exchange *);
	/* What was written has left. */
	void (*on_drained)(void *arg, struct exchange *);
	void (*on_gone)(void *arg, struct exchange *);
	/* A request came again, byte for byte, whose answer was remembered with this note. true: it is
	 * answered as before, with this body, and nothing else is told of it; false: the note is forgotten,
	 * and on_request follows. NULL: nothing is ever remembered. */
	bool (*on_again)(void *arg, void *note, struct span *body);
	void (*forget)(void *arg, void *note);
	/* Of that body, when a client does not take it at once: keep it where it is; let go (net/conn.h). */
	void *(*hold)(void *note);
	void (*release)(void *held);
	void *arg;
};

struct server_params {
	struct loop *loop;
	size_t max_clients;		/* above, or when descriptors run short: 503 and closed */
	/* Above that, this many more on the unix socket from our own uid or root, each for one request whose
	 * target begins so and comes at once; for others they get the 503. */
	size_t reserve;
	const char *reserved_for;
	int64_t head_ms;		/* a head's first to last byte */
	int64_t idle_ms;		/* between requests */
	int64_t stall_ms;		/* without a byte of body, or of the answer taken; while an answer
					 * leaves, the others wait for it */
	uint64_t max_body;		/* of a request; above: 413 and closed. 0: any */
	struct server_ops ops;
};

int server_new(const struct server_params *, struct server **, struct err *);
/* Closes everything at once; no callback. */
void server_free(struct server *);

/* Listen on a unix socket (0600, bound under umask 077; a dead socket file is replaced, a live one is
 * ERR_DENIED), or on an address; *port gets the one taken. */
int server_listen_unix(struct server *, const char *path, struct err *);
int server_listen_tcp(struct server *, const struct addr *, uint16_t *port, struct err *);
/* On what net/listen.h opened; `path` as there. */
int server_listen_fd(struct server *, int fd, const char *path, struct err *);

/* Take no more connections or requests; running exchanges finish. `drained` is told by server_clients == 0.
 */
void server_stop(struct server *);
size_t server_clients(const struct server *);
bool server_busy(const struct server *);		/* is an exchange running? */
void server_sweep(struct server *);			/* once a second: forget old notes */
uint64_t server_exchanges(const struct server *);	/* begun so far */
uint64_t server_repeats(const struct server *);		/* of these, answered as before */

/* ---- an exchange ---- */

const struct http_head *exchange_request(const struct exchange *);
bool exchange_is_unix(const struct exchange *);
uid_t exchange_peer(const struct exchange *);		/* of a unix socket: who connected */
void exchange_set(struct exchange *, void *state);	/* the caller's own pointer */
void *exchange_get(const struct exchange *);

/* Stop reading the request's body for now. */
void exchange_pause(struct exchange *, bool);

/*
 * Answer. Fields are written as given; Content-Length, Transfer-Encoding, Connection and (where there is
 * none) Date are the server's. `length` < 0: not known. To HEAD, and with 1xx, 204 and 304, no body is sent
 * whatever is given.
 */
void exchange_head(struct exchange *, int status, struct span reason, const struct http_field *, size_t n,
    int64_t length);
bool exchange_has_head(const struct exchange *);		/* has exchange_head been called? */
void exchange_body(struct exchange *, const void *, size_t);
/* Bytes that the lender can keep where they are while the client takes them (net/conn.h). */
void exchange_body_lent(struct exchange *, const void *, size_t, const struct conn_lender *);
void exchange_end(struct exchange *);
/* The answer cannot be finished: cut the connection, so that the client sees it. */
void exchange_abort(struct exchange *);
/* Did this request come before, of late, and may its answer be remembered? */
bool exchange_came_before(const struct exchange *);
/* Then, before exchange_head: the same request may be answered so again (http/heads.h). The note is the
 * server's from here on; it may be forgotten within this call or exchange_head. */
void exchange_remember(struct exchange *, void *note);
/* A whole short answer: status, text/plain or another type, body. */
void exchange_reply(struct exchange *, int status, const char *type, struct span body);
/* Bytes not yet taken by the client. */
size_t exchange_unsent(const struct exchange *);

const char *server_reason(int status);			/* "Not Found" */

#endif
