/*
 * What the daemon did last: a ring of requests, times by operation, and how the counters grew.
 *
 * Fixed slots, overwritten in turn; nothing is allocated for a request. What is kept of one is for people to
 * look at: no token, no query, no field of either head. Times are ms of the loop's clock. Bounded:
 * RECENT_REQUESTS requests, RECENT_OPS operations (more are not counted), RECENT_SAMPLES samples.
 */
#ifndef PROXY_RECENT_H
#define PROXY_RECENT_H

#include <stdint.h>

#include "base/str.h"

#define RECENT_REQUESTS 64
#define RECENT_OPS 32
#define RECENT_SAMPLES 60
#define RECENT_SAMPLE_MS 10000
#define RECENT_PATH_MAX 128		/* a longer path is cut and ends in dots */
#define RECENT_TAG_LEN 8		/* of a token's tag */

struct cache_outcome;
struct json;
struct recent;

struct recent_request {
	int64_t begun;				/* ms */
	struct span method;
	struct span host;			/* in front of the path; empty: the API's */
	struct span target;			/* what follows its "?" is not kept */
	const char *op;				/* static text */
	int status;				/* sent to the client; 0: none, or not known */
	const struct cache_outcome *outcome;	/* NULL: there is none; its detail is static text */
	const char *note;			/* static text, in its place or after it; NULL: none */
	const char *tag;			/* "public", or hex; NULL: not known */
};

/* NULL: no memory. */
struct recent *recent_new(void);
void recent_free(struct recent *);

/* A request is over. NULL recent: nothing happens. */
void recent_add(struct recent *, const struct recent_request *, int64_t now);

/* The counters as they are now: every RECENT_SAMPLE_MS their growth becomes a sample. Call it about once a
 * second; the first call is where counting begins. */
struct recent_counters {
	uint64_t requests, hits, saved;
};
void recent_tick(struct recent *, const struct recent_counters *, int64_t now);

/* Into an object: "recent", newest first; "routes", slowest first; "history", oldest first. */
void recent_write(const struct recent *, struct json *, int64_t now);

#endif
