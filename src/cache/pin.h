/*
 * An answer from memory that may be given again: what was true when it was made, and whether it still is.
 *
 * For a caller that gets the same request, byte for byte, many times a second (http/heads). The same request
 * means the same token, key, directives and lifetime. What else goes into an answer is looked at each time:
 * the entry is still the one in memory, the clock is in the same second of its age (so that Age, ttl and
 * freshness are unchanged), no row of .epochs came for it, the limits shown are the last. .epochs is looked
 * at once a pass of the loop: a request that is read in it was sent before.
 */
#ifndef CACHE_PIN_H
#define CACHE_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "cache/status.h"
#include "github/ratelimit.h"

struct cache;
struct entry;
struct lookup;

#define PIN_BODY_MAX ((size_t)256 << 10)	/* a pin keeps its entry, also if memory drops it meanwhile */

struct cache_pin {
	struct entry *entry;		/* a reference */
	int64_t from, until;		/* µs, on the wall clock */
	uint64_t epochs, changes;	/* versions */
	const struct ratelimit
	    *limit; /* the last layer's row for the token, which told `was`; NULL: it had none */
	struct ratelimit was;
	uint64_t *route;		/* the operation's counter */
	struct cache_outcome outcome;
};

/* From inside on_head. false: this answer is none to be given again. */
bool cache_pin(struct lookup *, struct cache_pin *);
void cache_unpin(struct cache_pin *);
/* Is it right as it was? Then it is counted as a look-up, and *body is good until the loop's next pass. */
bool cache_again(struct cache *, struct cache_pin *, struct span *body);

#endif
