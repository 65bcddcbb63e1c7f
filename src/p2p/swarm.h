/*
 * All peers of this node: listening, dialling, who is connected, who is let in. Policy over sessions; it
 * knows no message of ours (that is share.c).
 *
 * Listening: each address on `port`, then on first…last where it is taken. Refused before Noise, at the
 * accepted socket: above SWARM_FDS_MAX descriptors, SWARM_UNFINISHED_MAX handshakes, SWARM_PER_ADDRESS
 * connections of one address (loopback exempt). Refused when the id is known: ids on the block-list, ids not
 * on an allow-list that has any, above `max_peers` and a few visitors, a second connection (that whose dialer
 * has the smaller id stays; of two of one dialer, the newer), oneself.
 *
 * Dialling: known addresses by source, the best first, at most SWARM_DIALS at once, SWARM_DIALS_PER_MIN a
 * minute and `outbound_max` connected by choice, none while there is no place; bootstrap addresses come back
 * for ever, others until they failed SWARM_FAILS_MAX times; full-jitter back-off from SWARM_BACKOFF_MIN to
 * SWARM_BACKOFF_MAX. Addresses that others named pass multiaddr_refusal first. Of a name every address of
 * its family is tried in turn, each under its own deadlines, until one is a peer.
 *
 * Ownership: the swarm owns sessions and peers; a struct peer lives from on_up to the end of on_down.
 */
#ifndef P2P_SWARM_H
#define P2P_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/ed25519.h"
#include "net/addr.h"
#include "p2p/multiaddr.h"
#include "p2p/peerid.h"
#include "p2p/session.h"

struct basic_peer;
struct buf;
struct peer;
struct swarm;

#define SWARM_FDS_MAX 96
#define SWARM_UNFINISHED_MAX 32
#define SWARM_PER_ADDRESS 8
#define SWARM_PLAIN_MAX 8		/* peers that are no members */
#define SWARM_VISITORS 4		/* above max_peers, for as long as peer_info takes */
#define SWARM_STAYED_MS 10000		/* a connection that lasted so long was a good one */
#define SWARM_KNOWN_MAX 256		/* addresses remembered */
#define SWARM_DIALS 4
#define SWARM_DIALS_PER_MIN 20
#define SWARM_DIAL_MS 5000		/* TCP */
#define SWARM_BACKOFF_MIN 1000		/* ms */
#define SWARM_BACKOFF_MAX 900000
#define SWARM_FAILS_MAX 5
#define SWARM_SHUN_MIN 60000		/* ms a peer that broke the rules is left alone, doubling to */
#define SWARM_SHUN_MAX 900000
#define SWARM_ADDRS_MS 5000		/* go takes a push of one address every 5 s */
#define SWARM_IDLE_MS 120000		/* who came, is no member and has no stream for so long, goes */
#define SWARM_MEMORY_MAX ((size_t)4 << 20)	/* bytes held in all streams */

enum swarm_via { SWARM_BOOTSTRAP, SWARM_MDNS, SWARM_REGISTRY, SWARM_EXCHANGE };	/* how an address came */
enum peer_kind { PEER_NEW, PEER_MEMBER, PEER_REFERENCE, PEER_PLAIN };

struct swarm_ops {
	void (*on_up)(void *arg, struct peer *);
	void (*on_down)(void *arg, struct peer *);
	/* A stream for serves[protocol]: stream_accept it in the call, or it is reset. */
	void (*on_stream)(void *arg, struct peer *, struct stream *, size_t protocol);
	/* The peer told who it is (identify); it may never. */
	void (*on_identify)(void *arg, struct peer *, const struct basic_peer *);
	/* Fewer than min_peers are connected and no address is left to dial: discovery should go on. At most
	 * once a second. */
	void (*on_short)(void *arg);
	void *arg;
};

struct swarm_params {
	struct loop *loop;
	const struct ed25519_key *key;
	const char *agent;			/* "ghoard/0.1.0" */
	const struct addr *listen;		/* without ports; none: we only dial */
	size_t nlisten;
	uint16_t port, first, last;		/* port 0: a free one */
	const struct multiaddr *bootstrap;
	size_t nbootstrap;
	const struct peerid *allow, *block;
	size_t nallow, nblock;
	unsigned max_peers, min_peers, outbound_max;
	int64_t handshake_ms, keepalive_ms, idle_ms;	/* 0: no keep-alive, nobody is idle */
	const char *const *serves;		/* beside identify, push and ping */
	size_t nserves;
	struct swarm_ops ops;
};

struct swarm_stats {
	uint64_t accepted, dialled, failed;	/* connections; failed ones of either kind */
	uint64_t refused_full, refused_address, refused_id, refused_handshakes;
	uint64_t duplicates, shunned;
	char failure[256];			/* of a dial, the last one: where and why; "": none */
};

/* Everything in the params is copied but `loop`, `serves` and what ops need. */
int swarm_new(const struct swarm_params *, struct swarm **, struct err *);
void swarm_free(struct swarm *);	/* closes all at once; on_down of each is not told */

/* ERR_IO: no address could be bound; the sentence names the ports tried. */
int swarm_listen(struct swarm *, struct err *);
/* Begin to dial. */
void swarm_start(struct swarm *);
/* Dial no more, take no more, say GoAway within `ms`; then swarm_count is 0. */
void swarm_stop(struct swarm *, int64_t ms);

const struct peerid *swarm_id(const struct swarm *);
/* Where others can reach us, without the id: the bound addresses; for 0.0.0.0 and :: those of the machine's
 * interfaces that are up, loopback last. Counted; good until the next call. */
size_t swarm_addrs(struct swarm *, const struct multiaddr **);
/* How often they have changed; looked at every SWARM_ADDRS_MS, and each change is pushed to all peers. */
unsigned swarm_moves(const struct swarm *);
const struct swarm_stats *swarm_stats(const struct swarm *);
struct session_budget *swarm_budget(struct swarm *);

/* An address was heard of. Ignored: our own id, refused ones, shunned peers, those known. `over_loopback`: it
 * came by a loopback connection, or from this machine. */
void swarm_learn(struct swarm *, const struct multiaddr *, enum swarm_via, bool over_loopback);
/* Dial this one now, whatever the limits, and tell, not before the return: `peer` NULL: why not. */
int swarm_dial(struct swarm *, const struct multiaddr *,
    void (*done)(void *arg, struct peer *, const struct err *), void *arg, struct err *);

/* ---- peers ---- */

size_t swarm_count(const struct swarm *, enum peer_kind);	/* connected ones of that kind */
struct peer *swarm_next(const struct swarm *, const struct peer *);	/* NULL: the first; NULL at the end */
struct peer *swarm_peer(const struct swarm *, const struct peerid *);	/* NULL: not connected */

const struct peerid *peer_id(const struct peer *);
struct session *peer_session(const struct peer *);
const struct basic_peer *peer_basic(const struct peer *);
enum peer_kind peer_kind(const struct peer *);
/* Members count against max_peers alone; of the others SWARM_PLAIN_MAX stay: false, it is closed. */
bool peer_set_kind(struct peer *, enum peer_kind);
void peer_set(struct peer *, void *state);		/* the caller's own pointer */
void *peer_get(const struct peer *);
/* There is no place for it: the caller tells it whom it may ask instead, and closes. */
bool peer_is_visitor(const struct peer *);
void peer_stays(struct peer *);		/* another's place is its now */
/* From bootstrap_peers: what the caller may trust more. */
bool peer_is_bootstrap(const struct peer *);
/* As basic_ping. */
bool peer_ping(struct peer *, void (*done)(void *arg, int64_t us), void *arg);
/* It broke the rules (a word why, for the log): closed, and left alone for a while that doubles each time. */
void peer_shun(struct peer *, const char *why);
/* "ls" as JSON: id, addr, direction, kind, agent, seconds up, rtt_ms. */
void swarm_report(const struct swarm *, struct buf *json);

#endif
