/*
 * An answer of GitHub, held whole: head and body, with when it was asked and what it said of limits.
 */
#ifndef GITHUB_ANSWER_H
#define GITHUB_ANSWER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "github/ratelimit.h"
#include "http/parse.h"
#include "store/entry.h"

struct request;

struct answer {
	struct http_head head;		/* spans into text */
	struct buf text, body;
	struct ratelimit limit;
	int64_t sent, received;		/* µs */
};

void answer_init(struct answer *, size_t max_body);
void answer_free(struct answer *);
/* Copy a head: its spans are the caller's only for a moment. Negative: no memory. */
int answer_take_head(struct answer *, const struct http_head *);

/*
 * May it be kept as an answer to this request, which is one that may be kept at all? 200, and 301 to a GET;
 * no Set-Cookie, no no-store, no Vary on a field the key does not cover, no GraphQL answer with errors.
 */
bool answer_storable(const struct answer *, const struct request *);
/* The part of it that also holds for a 304: Set-Cookie, no-store, Vary. */
bool answer_fields_storable(const struct answer *);

/*
 * The headers an entry keeps, in order; Link and Location only if every target has the upstream's origin,
 * else dropped and *dropped counted. Names point to static lower-case text, values into the answer.
 */
size_t answer_headers(const struct answer *, const char *origin, struct entry_header out[ENTRY_HEADERS_MAX],
    unsigned *dropped);

/* Is this one of the headers an entry keeps? Gives its static lower-case name, NULL if not. */
const char *answer_kept_name(struct span name);

#endif
