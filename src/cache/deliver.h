/*
 * The fields of an answer as the client sees them: what the entry or GitHub said, and what the cache adds
 * (Cache-Status, Age, X-From-Cache).
 */
#ifndef CACHE_DELIVER_H
#define CACHE_DELIVER_H

#include "http/parse.h"

struct cache_outcome;
struct entry;
struct ratelimit;

struct delivery {
	struct http_head head;
	char status[128], age[24], limit[4][24];	/* what head's added fields point to */
};

/* Head of a stored answer, with the limits GitHub last told this token (NULL: none). Spans into the entry,
 * the limits and the delivery. */
void deliver_entry(struct delivery *, const struct entry *, const struct cache_outcome *,
    const struct ratelimit *);
/* X-RateLimit-*, as a client of GitHub expects them; never those of the day an entry was made. */
void deliver_limits(struct delivery *, const struct ratelimit *);
/* GitHub's head, without the fields of the connection (RFC 9110 §7.6.1) and of the framing. Spans into `from`
 * and the delivery. */
void deliver_answer(struct delivery *, const struct http_head *from, const struct cache_outcome *);

#endif
