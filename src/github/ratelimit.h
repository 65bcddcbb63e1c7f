/*
 * What GitHub says of its limits (docs: "Rate limits for the REST API"): the X-RateLimit-* fields, and
 * whether a refusal is a limit or a no.
 */
#ifndef GITHUB_RATELIMIT_H
#define GITHUB_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct http_head;

#define RATELIMIT_RESOURCE_MAX 32

struct ratelimit {
	bool known;
	int64_t limit, remaining, used;
	int64_t reset;				/* s since the epoch */
	char resource[RATELIMIT_RESOURCE_MAX];	/* "core" */
};

/* Read the fields of a head; `known` only if remaining and reset are there. */
void ratelimit_read(const struct http_head *, struct ratelimit *);

/*
 * Is this 403 or 429 a limit, and how long must one wait? A 429; a 403 with Retry-After, with remaining 0, or
 * whose body speaks of a secondary rate limit. Returns false for every other answer. *wait in seconds:
 * Retry-After, else until the reset when remaining is 0, else 60.
 */
bool ratelimit_is_limit(const struct http_head *, struct span body, int64_t now_s, int64_t *wait);

#endif
