/*
 * Who holds what: an index of announcements, and the coordinator of a key (FORMATS §4). Pure: time is passed
 * in.
 *
 * A row is (key, CID, time) and the peers that announced it. At most HOLDERS_MAX rows, the least recently
 * announced goes first; a peer has at most HOLDERS_PER_PEER of them, and half the bytes, so that none can
 * push out the others'. A row lives as its TTL says, reckoned from its time, which counts as at most when it
 * came.
 */
#ifndef P2P_HOLDERS_H
#define P2P_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "p2p/peerid.h"

struct holders;
struct message_entry;

#define HOLDERS_MAX 8192
#define HOLDERS_PER_PEER 4096
#define HOLDERS_BYTES_MAX ((size_t)4 << 20)	/* of all rows; one peer's hold half of it */
#define HOLDERS_PEERS_MAX 8		/* peers remembered for one row */
#define HOLDERS_AHEAD_US 60000000	/* an announcement from further ahead is dropped */
#define HOLDERS_HOPS_MAX 2
#define HOLDERS_KEY_MAX 1024		/* longer keys are not indexed */

struct holder {
	const void *peer;		/* the caller's pointer */
	struct span cid, auth;		/* good until the next change of the index */
	int64_t timestamp;		/* µs, as announced */
	int64_t until;			/* µs, wall clock: when its life ends */
	uint64_t size;
	unsigned hops;			/* as it told them: 0, it holds it itself */
	bool nearest;			/* nobody ever told fewer */
};

enum holders_added { HOLDERS_NEW, HOLDERS_KNOWN, HOLDERS_DROPPED };

struct holders *holders_new(void);
void holders_free(struct holders *);

/* `now` µs; `ttl_max` s is ours for that operation. HOLDERS_NEW: first heard of, may be passed on;
 * HOLDERS_KNOWN: another holder of it; HOLDERS_DROPPED: out of bounds. */
enum holders_added holders_add(struct holders *, const void *peer, const struct message_entry *, int64_t now,
    int64_t ttl_max);
/* Has this peer announced just this (key, CID, time)? */
bool holders_names(struct holders *, const void *peer, const struct message_entry *);
/* Those of this key that live at `now` and are newer than `after` (µs; 0: any), the newest first, of those
 * who hold before who passed on; with `auth` not empty those of that tag come first. How many. */
size_t holders_find(struct holders *, struct span key, struct span auth, int64_t after, int64_t now,
    struct holder *out, size_t max);
/* Those that hold a body of this CID, the newest announced first. */
size_t holders_find_cid(struct holders *, struct span cid, int64_t now, struct holder *out, size_t max);
/* It does not hold this key after all. */
void holders_remove(struct holders *, const void *peer, struct span key);
void holders_remove_peer(struct holders *, const void *peer);
/* Rows whose url's path begins so and that are older than `time`: their life is over. */
void holders_invalidate(struct holders *, struct span prefix, int64_t time);
size_t holders_count(const struct holders *);

/* The coordinator of a key: of these ids the one with the smallest SHA-256(field(key) ‖ field(id)), with
 * field(x) = uvarint(length) ‖ x. Its place; n > 0. */
size_t holders_coordinator(struct span key, const struct peerid *const *ids, size_t n);

#endif
