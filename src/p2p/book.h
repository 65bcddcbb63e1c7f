/*
 * The addresses a swarm knows: how each came, when it may be dialled next, which peers are left alone. Pure:
 * the caller tells the time.
 *
 * Bootstrap addresses stay for ever; others go after SWARM_FAILS_MAX failures in a row. Where the book is
 * full the one of the worst source that failed most makes room, if the new one's is no worse: what peers name
 * pushes out no address that was good, nor one of mDNS or the registry.
 */
#ifndef P2P_BOOK_H
#define P2P_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p2p/multiaddr.h"
#include "p2p/swarm.h"

#define BOOK_SHUNNED_MAX 64

struct book_entry {
	struct multiaddr addr;		/* with the peer's id as soon as it is known */
	enum swarm_via via;
	bool busy;			/* being dialled, or connected by it */
	bool proven;			/* a peer was connected by it, and stayed */
	unsigned fails;
	int64_t next;			/* not to be dialled before */
};

struct book_shun {
	struct peerid id;
	unsigned times;
	int64_t until;
};

struct book {
	struct book_entry entries[SWARM_KNOWN_MAX];
	size_t n;
	struct book_shun shunned[BOOK_SHUNNED_MAX];
	size_t nshunned;
};

/* Known ones are not added twice; a better source counts. */
void book_learn(struct book *, const struct multiaddr *, enum swarm_via);
/* The best that may be dialled now: by source, then the one that waited longest. `skip`: not these. NULL:
 * none. */
struct book_entry *book_next(struct book *, int64_t now, bool (*skip)(void *arg, const struct multiaddr *),
    void *arg);
/* When the next becomes free; 0: never. */
int64_t book_due(const struct book *);
/* What came of a dial: `good`, it was up (and is over). */
void book_done(struct book_entry *, bool good, int64_t now);
struct book_entry *book_find(struct book *, const struct multiaddr *);

void book_shun(struct book *, const struct peerid *, int64_t now);
bool book_is_shunned(const struct book *, const struct peerid *, int64_t now);

#endif
