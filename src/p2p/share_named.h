/*
 * Inside p2p/ only: the reference's form on streams (FORMATS §4, "The reference's own peers"). A stream of it
 * is one token one way, a word of answer the other; p2p/legacy knows what is in a token.
 *
 * Limits: SHARE_STREAMS a peer, NAMED_TOKENS that come at once from all, each within SHARE_STALL_MS and the
 * peer's buckets.
 */
#ifndef P2P_SHARE_NAMED_H
#define P2P_SHARE_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct member;
struct stream;

#define NAMED_TOKENS 4
#define NAMED_SEEN 128			/* tokens that count no second time */
#define NAMED_ONCE 64			/* peers remembered to have been members */
#define NAMED_LATELY 16			/* entries that a peer is sent later */
#define NAMED_LATELY_MS 30000

struct named_lately {			/* an entry put by name */
	char key[256];
	size_t n;
	int64_t until;			/* loop time */
};

struct share_named {			/* of a share */
	size_t coming;			/* tokens */
	uint64_t seen[NAMED_SEEN], once[NAMED_ONCE];
	size_t nseen, nonce, nlately;
	struct named_lately lately[NAMED_LATELY];
};

/* What does a stream begin with, of which nothing is read? 1: the reference's form, and the stream is taken
 * over; 0: ours; -2: more must come. */
int named_take(struct member *, struct stream *);
/* It completed peer_info: no more of the form, now and when it returns. */
void named_on_member(struct member *);
/* No peer_info came: may it have the form all the same? */
bool named_on_silent(struct member *);
void named_pump(struct member *);			/* the bucket has filled */
void named_forget(struct member *);

#endif
