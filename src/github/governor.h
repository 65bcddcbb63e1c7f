/*
 * GitHub's limits as they stand, and whether a request may leave now.
 *
 * Kept by token tag and resource from the X-RateLimit-* fields of every answer: at zero, or after a
 * Retry-After, nothing leaves until the reset. Beside them the secondary limits: at most GOVERNOR_CONCURRENT
 * requests at once, GOVERNOR_TOKEN of them by one token, and GOVERNOR_POINTS a minute by token and operation
 * (1 a read, 5 a write). Who may not leave now is forgotten last when rows run out. Pure bookkeeping: the
 * caller owns the clock and the queue.
 */
#ifndef GITHUB_GOVERNOR_H
#define GITHUB_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

#include "github/ratelimit.h"

struct request;

#define GOVERNOR_CONCURRENT 100
#define GOVERNOR_TOKEN 90		/* of these by one token: others find a place */
#define GOVERNOR_POINTS 900
#define GOVERNOR_ROWS 64

struct governor_row {
	char tag[33];
	struct ratelimit limit;
	int64_t frozen_until;		/* s: Retry-After, whatever the resource */
	bool warned;			/* of this window */
	int64_t used;			/* s: for replacing the least recently used */
};

struct governor_points {
	char tag[33];
	const char *op;
	int64_t minute;			/* since the epoch */
	unsigned points;
};

struct governor_away {
	char tag[33];
	unsigned n;			/* 0: the row is free */
};

struct governor {
	int64_t warning, aggressive;	/* remaining requests */
	unsigned running;
	struct governor_away away[GOVERNOR_CONCURRENT];
	uint64_t changes;		/* grows with whatever an answer says */
	struct governor_row rows[GOVERNOR_ROWS];
	struct governor_points points[GOVERNOR_ROWS];
};

enum governor_word {
	GOVERNOR_GO,
	GOVERNOR_SPARE, /* go if you must: below the aggressive threshold a stored answer should do */
	GOVERNOR_STOP,	/* spent: not before *until */
	GOVERNOR_LATER	/* too many at once, or this minute: not before *until (0: when one has ended) */
};

void governor_init(struct governor *, int64_t warning, int64_t aggressive);
/* May it leave? `now` in s; *until in s. Counts nothing. */
enum governor_word governor_ask(struct governor *, const struct request *, int64_t now, int64_t *until);
/* It leaves; it has ended. */
void governor_leave(struct governor *, const struct request *, int64_t now);
void governor_back(struct governor *, const struct request *);
/* How many of a token's requests are under way. */
unsigned governor_away(const struct governor *, const char *tag);
/* What an answer said. true: this token's remaining requests fell below the warning threshold, for the first
 * time in this window. */
bool governor_note(struct governor *, const struct request *, const struct ratelimit *, int64_t now);
/* GitHub said: nothing for `wait` s. */
void governor_freeze(struct governor *, const struct request *, int64_t until, int64_t now);
/* The last known limits for what this request would use; NULL: none. */
const struct ratelimit *governor_limits(const struct governor *, const struct request *);

#endif
