/*
 * What every libp2p node does for every other, on one connection: identify both ways, push, ping
 * (/ipfs/id/1.0.0, /ipfs/id/push/1.0.0, /ipfs/ping/1.0.0).
 *
 * Identify is asked for once when the connection is up and answered, one message and FIN, whenever asked; a
 * push replaces what is known, and one of ours says the same as an answer. Two ping streams and one identify
 * stream of the peer's at a time; more are reset. Nothing waits on any of it: a peer that answers identify
 * with `na`, or not within BASIC_IDENTIFY_MS, is only one whose addresses and agent are not known.
 *
 * A struct basic is a member of what the swarm keeps for a peer and is bound to its session.
 */
#ifndef P2P_BASIC_H
#define P2P_BASIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "p2p/identify.h"
#include "p2p/multiaddr.h"

struct basic;
struct loop;
struct session;
struct stream;

#define BASIC_IDENTIFY_MS 5000
#define BASIC_PING_MS 10000
#define BASIC_STREAM_MS 30000		/* silence on a ping stream of the peer's */
#define BASIC_AGENT_MAX 64

/* What our own identify says; borrowed, and read again for each answer. */
struct basic_self {
	const uint8_t *key;			/* PEERID_OWN_KEY_LEN bytes */
	const char *agent;			/* "ghoard/0.1.0" */
	const struct multiaddr *addrs;		/* where we listen; none if we do not */
	size_t naddrs;
	const char *const *protocols;
	size_t nprotocols;
};

/* What the peer said of itself, when it has. */
struct basic_peer {
	bool known;
	char agent[BASIC_AGENT_MAX];
	struct multiaddr addrs[IDENTIFY_ADDRS_MAX];	/* as said: nothing is proven */
	size_t naddrs;
	bool has_observed;
	struct multiaddr observed;			/* where it sees us */
	bool speaks_cache, speaks_accelerate;		/* WIRE_PROTOCOL, WIRE_ACCELERATE */
};

/* `on_known` tells of every identify and push that was understood, and once of none (known false). */
int basic_new(struct loop *, struct session *, const struct basic_self *,
    void (*on_known)(void *arg, const struct basic_peer *), void *arg, struct basic **);
void basic_free(struct basic *);
/* Begin to ask: the session is up. */
void basic_start(struct basic *);
const struct basic_peer *basic_peer(const struct basic *);

/* Say anew who we are and where: what basic_self holds has changed. */
void basic_push(struct basic *);

/* The protocols served here, in this order, end with NULL: the front of what a session serves. */
#define BASIC_SERVES 3
extern const char *const basic_serves[BASIC_SERVES + 1];
/* A stream of the peer's for basic_serves[protocol]; it is accepted or reset. */
void basic_take(struct basic *, struct stream *, size_t protocol);

/* Ping once: `done` with µs, or -1 (refused, wrong echo, too late); never before the return. One at a time:
 * false, one runs. */
bool basic_ping(struct basic *, void (*done)(void *arg, int64_t us), void *arg);

#endif
