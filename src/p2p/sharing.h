/*
 * Inside p2p/ only: what share.c (members, the control stream), share_tell.c (announcements), share_ask.c
 * (look-ups) and share_serve.c (answers) have in common.
 */
#ifndef P2P_SHARING_H
#define P2P_SHARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "p2p/holders.h"
#include "p2p/message.h"
#include "p2p/session.h"
#include "p2p/share.h"
#include "p2p/share_named.h"
#include "p2p/standing.h"
#include "p2p/swarm.h"
#include "p2p/wire.h"

#define SHARING_FETCHES 256		/* "you fetch" remembered */
#define SHARING_SERVES 4			/* protocols of others served beside ours */
#define SHARING_LEGS 3			/* peers asked for one look-up */
#define SHARING_ROOM (WIRE_HEADER_MAX + 1024)	/* one sealed header */

struct member {				/* what is kept for a peer */
	struct member *next;
	struct share *share;
	struct peer *peer;
	struct wire_keys keys;
	struct wire_reader reader;	/* of the control stream */
	struct stream *control;
	bool informed;			/* its peer_info has opened: a member */
	bool reference;			/* has earned the reference's form, or is named for it */
	struct timer info, refill;
	struct standing *past;		/* of its id: outlives the connection */
	size_t nserving;
	struct serving *servings;
	size_t nlegs;
	struct leg *legs;
	size_t nnaming;
	struct naming *namings;
	struct peerid knows[MESSAGE_PEERS_MAX];
	size_t nknows;
	unsigned legs_gone;		/* a number that changes when one of `legs` is freed */
	int64_t gave;			/* loop time when it last had what nobody announced; 0: never */
};

struct fetching {			/* who was told to fetch what */
	uint8_t key[16];
	int64_t until;
};

struct told;
struct wrote;

struct asked {				/* for one look-up */
	const struct member *who[SHARING_LEGS];
	size_t n;
};

struct share {
	struct share_params p;
	const char *serves[2 + SHARING_SERVES];
	struct swarm_ops others;	/* on_stream of those beside ours */
	uint8_t group[WIRE_GROUP_KEY_LEN];
	char network[MESSAGE_TEXT_MAX + 1], shared[MESSAGE_TEXT_MAX + 1], agent[MESSAGE_TEXT_MAX + 1];
	char tmp_dir[256];
	struct loop *loop;
	struct swarm *swarm;
	struct holders *holders;
	struct member *members;
	struct share_call *calls;
	struct message message;		/* the one being read */
	struct told *told;		/* announcements that wait for company */
	size_t ntold;
	struct timer gather, news;	/* to tell what is told; to tell members whom we know now */
	int64_t gather_due, news_due, evicted;	/* loop time; 0: none */
	int64_t told_at;		/* loop time of the last ones sent */
	struct wrote *writes;		/* paths written to, of which members are to hear */
	size_t nwrites;
	int64_t wrote_at;		/* µs, wall clock: the last of them */
	struct timer writing;
	int64_t writes_told, writes_free;	/* loop time: of the last message; of none to wait for */
	struct fetching fetching[SHARING_FETCHES];
	struct standing standings[STANDINGS_MAX];
	unsigned npassing;		/* requests of peers that we ask others about */
	uint64_t flight, lent;		/* bytes of bodies on their way: to us, from us */
	struct share_named named;
	struct share_stats stats;
	bool closing;
};

/* ---- share.c ---- */

/* Take a message or bytes out of a bucket; false: wait, the member's streams are pumped when it fills. */
bool member_may_read(struct member *);
void member_took(struct member *, int64_t messages, int64_t bytes);
/* Seal a header and write it; ERR_LIMIT: the stream is full. */
int member_write(struct member *, struct stream *, struct span json);
/* What came did not open, or broke the form: the peer goes. */
void member_broke(struct member *, const struct wire_reader *);
bool member_is(const struct member *);	/* informed, and its connection is up */

/* ---- share_tell.c ---- */

void tell_on_entries(struct member *, const struct message *);
void tell_on_invalidate(struct member *, const struct message *);
void tell_forget(struct share *, const struct member *);	/* NULL: all that waits */
void tell_on_gather(struct timer *);
void tell_on_writes(struct timer *);
void tell_forget_writes(struct share *);

/* ---- share_ask.c ---- */

void ask_heard(struct share *, struct span key);	/* an announcement of this key came */
void ask_forget(struct member *);			/* its connection is down */
void ask_pump(struct member *);				/* the bucket has filled again */

/* ---- share_choose.c ---- */

/* Who is asked next: who announced it, with so many `hops`; else (CHOOSE_UNTOLD) the coordinator, or with
 * `unannounced` any. NULL: nobody. */
#define CHOOSE_UNTOLD MESSAGE_HOPS_ANY
struct member *choose_member(struct share *, const struct share_want *, const struct asked *,
    unsigned *hops);
/* Are the candidates of that peer, or those that it only passed on, left alone? */
bool choose_shuns(const struct member *, bool passed);
/* true: it said "busy" too often with no announcement after it. */
bool choose_note_busy(struct share *, struct member *, struct span key);
/* It keeps its place for so long. */
void choose_note_useful(const struct share *, struct standing *, int64_t ms);
void choose_forgive(struct share *, struct span key);	/* the announcement came */

/* ---- share_serve.c ---- */

void serve_take(struct member *, struct stream *);
void serve_pump(struct member *);			/* informed, or the bucket has filled */
void serve_forget(struct member *);
/* Was somebody told in the last second to fetch this? With `note`: from now on. */
bool serve_is_fetched(struct share *, struct span key, bool note);

#endif
