/*
 * Inside http/ only: one accepted connection and the exchange on it. server.c reads requests and drives the
 * states, exchange.c writes answers.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "http/chunk.h"
#include "http/parse.h"
#include "http/server.h"
#include "loop/loop.h"

#define EXCHANGE_AHEAD_MAX ((size_t)256 << 10)	/* unsent: no further request is begun */

enum exchange_state { S_IDLE, S_HEAD, S_BODY, S_ANSWER, S_CLOSING, S_DEAD };

/* One accepted connection, and the exchange on it. */
struct exchange {
	struct server *server;
	struct exchange *next, **link;
	enum exchange_state st;
	struct conn *conn;
	struct job step;		/* look at the buffer again */
	bool is_unix;
	uid_t peer;
	void *app;
	/* the request */
	struct buf text;		/* its head, kept while head points into it */
	struct http_head head;
	enum http_framing framing;
	uint64_t left;
	struct http_chunk chunk;
	bool body_over;
	bool half_closed;		/* the client says no more */
	/* the answer */
	void *note;			/* to be remembered with its head */
	bool no_body, chunked, keep, head_sent, ended;
	size_t lingered;		/* bytes thrown away after it */
};

struct server {
	struct server_params p;
	struct listener *listeners;
	struct buf scratch;		/* a head is written here first */
	struct heads *heads;		/* NULL: nothing is remembered */
	struct exchange *clients;
	size_t nclients;
	uint64_t exchanges, repeats;
	bool stopping;
};

/* The one assignment of the state. */
void exchange_enter(struct exchange *, enum exchange_state);
/* A deadline from now, in ms; 0: none. */
void exchange_arm(struct exchange *, int64_t ms);

#endif
