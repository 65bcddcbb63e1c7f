/*
 * Sharing entries with members (FORMATS §4): the control stream, announcements and invalidations, requests
 * and answers, the coordinator. Policy over swarm.c's peers and holders.c's index; it keeps no entry.
 *
 * A member is a peer whose peer_info opened with our group key and names a network_id of ours. The dialer
 * opens the control stream at once and speaks first; nothing sealed is answered before. Who sends what does
 * not open, names another network, or calls itself ghoard and stays silent for SHARE_INFO_MS, is shunned. Who
 * answers `na` is a plain peer.
 *
 * Requests: a look-up asks only when the index says that a peer holds something newer, or, for a key nobody
 * announced, its coordinator. One peer is asked, a second SHARE_HEDGE_MS later, the answer that comes first
 * counts; at the budget's end the caller goes on. At most SHARE_STREAMS are open to a peer. A body is checked
 * against its CID here; whose it is and whether it may be served is the caller's to judge.
 *
 * The reference's form: a stream that begins with a Fernet token (p2p/legacy.h) is taken while `reference`
 * holds, from peers that are and were no members. Who sent a token that verifies, or is among
 * `reference_peers` and sends no peer_info, is sent what is put by name. A token counts once, from whomever.
 *
 * Answers: what was only passed on is asked for in turn, of who is nearer to a holder and is told so. At most
 * SHARE_STREAMS a peer at once, below the buckets of messages and bytes, which withhold window and drop
 * nothing; "busy" while SHARE_FLIGHT_MAX are on their way. Above SHARE_MEMORY_BODY a body comes into a file.
 */
#ifndef P2P_SHARE_H
#define P2P_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "p2p/message.h"
#include "p2p/peerid.h"
#include "p2p/source.h"
#include "p2p/wire.h"

struct err;
struct loop;
struct member;
struct share;
struct share_call;
struct swarm_params;
struct swarm;

#define SHARE_INFO_MS 5000
#define SHARE_HEDGE_MS 20
#define SHARE_BUDGET_MS 50
#define SHARE_STALL_MS 10000		/* a stream that moves nothing is reset */
#define SHARE_GATHER_MS 50		/* announcements wait so long for company */
#define SHARE_NEWS_MS 1000		/* and peer_info after members came or went */
#define SHARE_STREAMS 16		/* /github-cache streams of one peer's */
#define SHARE_MEMORY_BODY ((size_t)64 << 10)
#define SHARE_CANDIDATE_MAX ((uint64_t)1 << 20)
#define SHARE_FLIGHT_MAX ((uint64_t)16 << 20)	/* bodies on their way, all peers, each direction */
#define SHARE_INVALIDATES_PER_MIN 10
#define SHARE_INVALIDATE_AGE_US 60000000
#define SHARE_FETCH_MS 1000		/* "you fetch" is remembered so long */
#define SHARE_DISTRUST 3		/* busy without news, or candidates unconfirmed, in a row */
#define SHARE_BUSY_SHUN_MS 60000	/* such a coordinator is passed over */
#define SHARE_CANDIDATE_SHUN_MS 900000	/* such a peer's candidates are not asked for */

struct share_params {
	const uint8_t *group_key;		/* WIRE_GROUP_KEY_LEN bytes; copied */
	const char *network_id;
	const char *shared_network_id;		/* NULL: only ours */
	const char *agent;
	unsigned messages_per_s;
	uint64_t bytes_per_s;			/* of each peer */
	uint64_t body_max;			/* at most WIRE_BODY_MAX */
	bool broadcast;				/* announce new entries */
	enum { SHARE_TO_ALL, SHARE_TO_RANDOM, SHARE_TO_CLOSEST } strategy;
	unsigned peer_count;			/* of the last two */
	bool reference;				/* speak with the reference's peers by name */
	const struct peerid *reference_peers; /* have the form unasked (bootstrap, allow-list); borrowed */
	size_t nreference_peers;
	const char *tmp_dir;			/* for large bodies; NULL: none are taken */
	const struct swarm_source *source;	/* outlives the share */
	void (*on_short)(void *arg);		/* the swarm's; may be NULL */
	void *arg;
};

struct share_stats {
	uint64_t asked, hits, misses, late;	/* look-ups that asked peers */
	uint64_t denied, cleared, unasked;	/* a holder said miss; the coordinator; none to ask */
	uint64_t served, refused, passed;	/* requests of peers; passed: served, and fetched for it */
	uint64_t announced, heard, dropped;	/* announced entries: sent, kept, thrown away */
	uint64_t invalidated, busy_sent, busy_heard;
	uint64_t named_in, named_out;		/* entries of the reference's form */
	uint64_t bad_body, bad_seal, bad_message;
	uint64_t bytes_in, bytes_out;		/* of bodies */
};

/* Makes the swarm with these params and owns it. Of their ops only on_stream is kept, for what they serve. */
int share_new(const struct swarm_params *, const struct share_params *, struct share **, struct err *);
void share_free(struct share *);	/* cancels all calls */
struct swarm *share_swarm(struct share *);
const struct share_stats *share_stats(const struct share *);

/* ---- asking ---- */

struct share_want {
	struct span key;
	struct span cid; /* instead of a key: the body of that CID, from whoever announced it */
	struct span auth;		/* the asker's tag: its own entries are asked for first */
	bool own_only;			/* of what was announced, only those of this tag */
	int64_t after;			/* µs: of what is held already; 0: nothing */
	bool candidate;	/* anybody's body up to SHARE_CANDIDATE_MAX, of peers whose candidates prove right */
	bool unannounced;		/* ask up to three members though none announced it (CodeQL) */
	const struct member *passed_to;	/* share's own: whose request it is, with this `hops` */
	unsigned hops;
	int64_t budget_ms;
};

enum share_outcome { SHARE_HIT, SHARE_MISS, SHARE_LATE };

struct share_answer {			/* all of it good during the call only */
	enum share_outcome outcome;
	const struct message_entry *entry; /* a hit: the key is the one asked for, the body fits the CID */
	struct span file;			/* raw JSON: message_entry_image's */
	struct span body;
	const struct peerid *from;
	bool passed;			/* which only passed it on, as it says */
};

/* Once, not before share_start has returned, not after share_cancel. */
typedef void share_done(void *arg, const struct share_answer *);

/* 0: `done` follows within the budget. 1: nobody to ask, go on (nothing is called). Spans are copied.
 * Negative: no memory. */
int share_start(struct share *, const struct share_want *, share_done *, void *arg, struct share_call **,
    struct err *);
void share_cancel(struct share_call *);
/* Would share_start ask? For the cache to skip the layer at no cost. */
bool share_would_ask(struct share *, const struct share_want *);

/* GitHub's, its proof's or its CID's word on what that peer gave; apart if passed on: it could not know. */
void share_confirmed(struct share *, const struct peerid *from, bool passed, bool confirmed);

/* ---- telling ---- */

/* A new entry of ours that peers may have: gathered and announced. Spans are copied. */
void share_announce(struct share *, const struct message_entry *);
/* Everybody's entries below this path from before `time` (µs) are stale. Told at once after a pause; what
 * comes then waits for company, or until members take more. */
void share_invalidate(struct share *, struct span prefix, int64_t time);
void share_flush(struct share *);	/* the end is near: tell what waits, as far as one message holds it */
/* An entry by name was put here: what source.get_named gives of it goes to the reference's peers that have
 * the form, and to those that earn it within 30 s. The form has no request. */
void share_put_named(struct share *, struct span key);

#endif
