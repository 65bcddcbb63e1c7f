/*
 * What is remembered of a peer beyond its connection, by its id (FORMATS §4): what it has used up of its
 * limits, and how well it did. Pure: the caller tells the time.
 *
 * STANDINGS_MAX ids, more than connections there can be. A new one takes the place of an outsider that is
 * gone, else of the member that has been gone longest, so that to come again, or over a second connection,
 * makes no limit new.
 */
#ifndef P2P_STANDING_H
#define P2P_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "p2p/peerid.h"

#define STANDINGS_MAX 128
#define STANDING_ASKED_MS 60000		/* so long after an answer it keeps its place, */
#define STANDING_SERVED_MS 600000	/* and after an entry that was right */

struct bucket {				/* full at one second's worth */
	int64_t left, rate, at;
};

struct standing {
	struct peerid id;
	unsigned users;			/* connections of it */
	bool member;			/* it was one: outsiders' rows go first */
	int64_t gone;			/* when the last of them ended */
	struct bucket messages, bytes;	/* rate 0: new, the caller fills them */
	unsigned invalidates;
	int64_t minute;			/* when the count of invalidates began */
	unsigned busy, unconfirmed[2];	/* [1]: of what it only passed on */
	uint8_t owed[16];		/* a key it said somebody fetches: an announcement is to follow */
	int64_t owed_until;		/* loop time; 0: none */
	int64_t busy_until, candidates_until[2];
	unsigned late; /* questions in a row without a whole answer in time, or a right one */
	int64_t late_until;
	int64_t useful_until;		/* of such ones few lose their place to newcomers */
};

/* NULL: it is not known. */
struct standing *standing_find(struct standing *, const struct peerid *);
/* Its row, good until standing_leave; NULL: all are in use. Those are STANDINGS_MAX rows, zeroed at first. */
struct standing *standing_enter(struct standing *, const struct peerid *);
void standing_leave(struct standing *, int64_t now);

#endif
