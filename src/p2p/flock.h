/*
 * Inside p2p/ only: a swarm's inside, for swarm.c, which listens and lets peers in, and swarm_dial.c, which
 * looks for them.
 */
#ifndef P2P_FLOCK_H
#define P2P_FLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "p2p/basic.h"
#include "p2p/book.h"
#include "p2p/noise.h"
#include "p2p/swarm.h"

#define FLOCK_LISTEN_MAX 8
#define FLOCK_ADDRS_MAX 16

struct dial;
struct flock_names;
struct listener;
struct resolve;

/* A connection from its first step to its last; a peer to others while `up`. */
struct peer {
	struct swarm *sw;
	struct peer *next;
	struct multiaddr target;	/* dialled */
	struct book_entry *entry;	/* by choice; NULL: it came, or was asked for */
	struct resolve *resolve;
	struct flock_names *names;	/* the addresses a name has; NULL: none, or no more are tried */
	struct dial *dial;
	struct session *session;
	struct addr addr;
	struct peerid id;
	bool up;
	bool leaving;			/* another connection of the same peer stays */
	bool bootstrap;
	bool visitor;			/* all places are taken: it stays until peer_info was exchanged */
	enum peer_kind kind;
	struct basic *basic;
	void *state;
	/* asked for by swarm_dial */
	bool asked;
	void (*done)(void *arg, struct peer *, const struct err *);
	void *arg;
};

struct swarm {
	struct swarm_params p;
	struct loop *loop;
	struct noise_identity self;
	uint8_t key[PEERID_OWN_KEY_LEN];
	char *agent;
	struct addr *listen;
	struct peerid *allow, *block;
	const char **serves;		/* basic_serves, then the caller's */
	size_t nserves;
	struct session_budget budget;
	struct basic_self basic;
	struct swarm_stats stats;
	struct listener *listeners;
	struct addr bound[FLOCK_LISTEN_MAX];
	size_t nbound;
	uint64_t told;			/* a hash of `addrs` as peers were told them */
	unsigned moves;
	int64_t tended;			/* loop time when that was looked at */
	struct multiaddr addrs[FLOCK_ADDRS_MAX];
	struct peer *peers;
	size_t npeers;			/* of any state */
	struct book book;
	bool dialling, stopping;
	struct timer tick;
	struct job look;
	int64_t minute;			/* its start */
	unsigned minute_dials;
	int64_t short_told;
};

/* ---- swarm.c ---- */

struct peer *flock_add(struct swarm *);
void flock_drop(struct peer *);		/* out of the list, and its memory */
/* The fd is connected: a session begins. False: told and dropped. */
bool flock_begin(struct peer *, int fd, const struct peerid *expect);
/* It never came up: tell and drop. */
void flock_failed(struct peer *, const struct err *);
/* How many count against max_peers. */
unsigned flock_taken(const struct swarm *);

/* Once a second: who is idle goes; our addresses are looked at. */
void flock_tend(struct swarm *);

/* ---- swarm_dial.c ---- */

/* Dial what is due, when the loop comes to it. */
void flock_look(struct swarm *);
void flock_init_dialling(struct swarm *);
void flock_end_dialling(struct swarm *);
void flock_cancel_dial(struct peer *);
/* Its address failed: the next one of its name is dialled (true); else *err tells of all of them. */
bool flock_try_next(struct peer *, struct err *);

#endif
