/*
 * One request to GitHub: the request's headers, perhaps a condition, and an answer collected whole or handed
 * on as it comes.
 */
#ifndef GITHUB_API_H
#define GITHUB_API_H

#include <stdint.h>

#include "base/str.h"

struct answer;
struct api_call;
struct err;
struct http_client;
struct http_head;
struct request;

struct api_sink {
	/* With on_body set, the answer is streamed: on_head, on_body…, and `answer` in on_done has no body.
	 * Else it is collected, up to max_body; then `on_large` may go on with a streaming sink, which gets
	 * what comes after the answer so far (its body is the callee's to hand on, and is dropped after).
	 * Negative, or without it: the call ends with ERR_LIMIT. */
	void (*on_head)(void *arg, const struct http_head *);
	int (*on_body)(void *arg, const void *, size_t, struct err *);
	int (*on_large)(void *arg, struct answer *so_far, struct api_sink *next);
	/* Once, last. err->cls == 0: the answer is whole. It is valid during the call only. */
	void (*on_done)(void *arg, struct answer *, const struct err *);
	void (*on_drained)(void *arg);		/* of a streamed request body; may be NULL */
	void *arg;
};

/* `if_none_match` empty: unconditional. The request must live until on_done or api_cancel. An error's
 * sentence names the URL. */
int api_start(struct http_client *, const struct request *, struct span if_none_match, size_t max_body,
    const struct api_sink *, struct api_call **, struct err *);
/* As http_call_cancel. */
void api_cancel(struct api_call *);

/* The request this call was made from goes; an equal one takes its place. */
void api_rebind(struct api_call *, const struct request *);

/* A streamed request body, its end; and back-pressure on the answer. */
void api_send(struct api_call *, const void *, size_t);
void api_send_end(struct api_call *);
size_t api_unsent(const struct api_call *);
void api_pause(struct api_call *, bool);

#endif
