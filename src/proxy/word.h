/*
 * The daemon's own word, where there is no answer of GitHub: JSON with a `message`, as GitHub words its
 * refusals.
 */
#ifndef PROXY_WORD_H
#define PROXY_WORD_H

struct err;
struct exchange;
struct ratelimit;

/* Answer the exchange; the Cache-Status is "ghoard; fwd=bypass": nothing was asked. */
void word_say(struct exchange *, int status, const char *sentence);
/* A look-up failed. A spent limit is told with Retry-After and the limits (NULL: not known). */
void word_fail(struct exchange *, const struct err *, const struct ratelimit *);
/* The HTTP status of a failure: 400, 429, 502 or 504. */
int word_status(const struct err *);

#endif
