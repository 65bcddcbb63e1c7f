/*
 * An HTTP/1.1 client on the loop (RFC 9110, 9112): one call is one request and one response; connections are
 * kept open and reused.
 *
 * It knows no redirects, no cache and no policy. Interim responses (1xx) are skipped, 101 is refused. An
 * idempotent request (RFC 9110 §9.2.2) that a kept-open connection swallowed without a byte of answer is sent
 * once more on a new one; other methods always get a new connection. What breaks RFC 9112 ends the call with
 * ERR_PROTO and a sentence; a body that ends early is never reported as complete.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;
struct http_call;
struct http_client;
struct http_env;
struct http_head;

#define HTTP_IDLE_MAX 8			/* connections kept open */
#define HTTP_IDLE_MS 30000		/* for how long: GitHub closes after about 60 s */

struct http_header {
	struct span name, value;
};

struct http_request {
	const char *method;
	struct span url;			/* absolute */
	const struct http_header *headers;	/* all but Host, Content-Length, Connection */
	size_t nheaders;
	bool has_body;
	struct span body;
	bool streamed;				/* the body comes by http_call_send; it is never sent twice */
	int64_t length;				/* of a streamed body; -1: not known, chunked */
};

/* The answer, as it comes. on_head once; on_body for each stretch (a negative return ends the call with that
 * class, on_done follows); on_done once, last: err->cls == 0 means the whole answer came. None is called
 * before http_client_start has returned or after http_call_cancel; on_done may start new calls. */
struct http_sink {
	void (*on_head)(void *arg, const struct http_head *);	/* spans good during the call only */
	int (*on_body)(void *arg, const void *, size_t, struct err *);
	void (*on_done)(void *arg, const struct err *);
	void (*on_drained)(void *arg);		/* may be NULL: what was sent so far has left */
	void *arg;
};

struct http_timeouts {
	int64_t first_byte_ms;		/* longest silence: after the request, and within the answer */
	int64_t total_ms;		/* of the whole call; 0: none */
};

int http_client_new(struct http_env *, const struct http_timeouts *, struct http_client **, struct err *);
/* Cancels what runs and closes what is kept open. */
void http_client_free(struct http_client *);

/* The request's spans are copied. ERR_USAGE: a malformed URL, method or header. */
int http_client_start(struct http_client *, const struct http_request *, const struct http_sink *,
    struct http_call **, struct err *);
/* Not from inside this call's own on_head or on_body: a negative return of on_body ends it there. */
void http_call_cancel(struct http_call *);

/* A streamed body, and its end. What is sent before the connection stands is kept until it does. */
void http_call_send(struct http_call *, const void *, size_t);
void http_call_send_end(struct http_call *);
size_t http_call_unsent(const struct http_call *);
/* Read no more of the answer for now. */
void http_call_pause(struct http_call *, bool);

#endif
