/*
 * Doors of the network in the repository's Actions cache (FORMATS §5): a record of where a node listens,
 * sealed into the key of a cache entry of one byte; and when to list, to register, to beat and to take back.
 *
 *   key    = CLEAR ‖ base64url(sealed)
 *   CLEAR  = PREFIX "-" 8 hex of SHA-256(network_id) "-" 8 hex of HMAC(group key, peer id) "-"
 *   sealed = 01 ‖ nonce(12) ‖ AES-256-GCM of record ‖ tag(16)
 *   record = 01 ‖ expiry (u32, big-endian, s) ‖ Ed25519 public key ‖ field(multiaddr without /p2p)…
 *   key of the seal = HKDF(group key, salt = network_id, info = "p2p-peers")
 *   AAD    = field(CLEAR) ‖ field(owner/repo)
 *   field(x) = uvarint(length) ‖ x
 *
 * How the service is asked is the registry_io's; no call blocks.
 */
#ifndef P2P_REGISTRY_H
#define P2P_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/ed25519.h"
#include "p2p/multiaddr.h"
#include "p2p/wire.h"

struct buf;
struct err;
struct loop;
struct registry;

#define REGISTRY_PREFIX "p2p-peers"
#define REGISTRY_KEY_MAX 512
#define REGISTRY_ADDRS_MAX 8
#define REGISTRY_LIST_MAX 100		/* keys on the one page */
#define REGISTRY_LIVE 8			/* so many live records: there are doors enough */
#define REGISTRY_BEAT_MS 300000		/* ± 20 % */
#define REGISTRY_TTL_S 900
#define REGISTRY_RELIST_MIN_MS 60000	/* doubling to */
#define REGISTRY_RELIST_MAX_MS 900000	/* with full jitter */

/* ---- records, pure ---- */

struct registry_scope {			/* what all records of a network share */
	const uint8_t *group_key;
	const char *prefix;		/* REGISTRY_PREFIX, or the setting's */
	const char *network_id;
	const char *repository;		/* owner/repo */
};

struct registry_record {
	struct peerid id;
	int64_t expiry;			/* s, wall clock */
	struct multiaddr addrs[REGISTRY_ADDRS_MAX];	/* each with the id */
	size_t naddrs;
};

/* Append the key; addresses that would not fit into REGISTRY_KEY_MAX are left out, the last first. ERR_IO: no
 * entropy. */
int registry_seal(const struct registry_scope *, const uint8_t pub[static ED25519_PUB_LEN], int64_t expiry,
    const struct multiaddr *, size_t n, struct buf *key, struct err *);
/* false: not of this network, does not open, or damaged. Expiry is the caller's to look at. */
bool registry_open(const struct registry_scope *, struct span key, struct registry_record *);
/* The front of all keys of the network ("p2p-peers-1a2b3c4d-"), what a listing asks for. */
void registry_front(const struct registry_scope *, struct buf *);

/* ---- the driver ---- */

/* The service. Each call answers through its `done` once, never before it has returned; one runs at a time.
 * `cancel` ends the running one without a call. */
struct registry_io {
	void *arg;
	/* The newest keys that begin so, with their ids, at most one page. cls ERR_DENIED: may not; others:
	 * later. */
	int (*list)(void *arg, struct span front,
	    void (*done)(void *p, const struct span *keys, const uint64_t *ids, size_t n, const struct err *),
	    void *p, struct err *);
	int (*create)(void *arg, struct span key, void (*done)(void *p, const struct err *), void *p,
	    struct err *);
	int (*remove)(void *arg, uint64_t id, struct span key, void (*done)(void *p, const struct err *),
	    void *p);
	void (*cancel)(void *arg);
	bool may_write;			/* false: a read-only token, or ACTIONS_CACHE_MODE: only list */
};

struct registry_params {
	struct loop *loop;
	struct registry_scope scope;		/* copied */
	const struct ed25519_key *key;
	struct registry_io io;
	unsigned max_taken;			/* peers taken from one listing */
	int64_t ttl_s, beat_ms;
	/* A live record that is not ours. */
	void (*found)(void *arg, const struct registry_record *);
	/* Where we are to be found now (swarm_addrs): how many. */
	size_t (*addrs)(void *arg, const struct multiaddr **);
	void *arg;
};

struct registry_stats {
	uint64_t listed, registered, removed, failed, records,
	    foreign; /* foreign: did not open, or too old */
	char last_error[160];		/* "": what failed went well since */
};

int registry_new(const struct registry_params *, struct registry **, struct err *);
/* List once, then register unless REGISTRY_LIVE were found. */
void registry_start(struct registry *);
/* Fewer peers than wanted (swarm's on_short): list again, after a pause that doubles. */
void registry_nudge(struct registry *);
/* Take the last own entry back, and one that was being made; `done` when that is over or after 2 s. */
void registry_stop(struct registry *, void (*done)(void *arg), void *arg);
void registry_free(struct registry *);
const struct registry_stats *registry_stats(const struct registry *);
/* For commands: list, or register, once and now. Not 0: last_error says why, and `done` is not called. */
int registry_discover_now(struct registry *, void (*done)(void *arg, const struct err *), void *arg);
int registry_register_now(struct registry *, void (*done)(void *arg, const struct err *), void *arg);

#endif
