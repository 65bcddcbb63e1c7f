/*
 * Finding peers of the group on the LAN: mDNS on UDP 5353 (RFC 6762; libp2p specs, discovery/mdns.md) under a
 * service name derived from the group key, so that nobody else's nodes are found, nor we by them. Who knows
 * the name is no member by it: an address found here is only one to dial.
 *
 * On every interface that is up and does multicast, and on loopback, IPv4 and IPv6. Each round asks and tells
 * at once, so that both sides find each other by either's datagram: a moment after the start, a second later,
 * then every `interval_ms` doubling to MDNS_ASK_MAX_MS (MDNS_ASK_SHORT_MS while peers are too few), always
 * with jitter; interfaces are looked up in each. Others' questions are answered by multicast, after a short
 * random wait and at most once a second. Datagrams of a port other than 5353 and beyond MDNS_PACKETS_PER_S
 * are not looked at. Loopback addresses are told on the loopback interface alone, the others everywhere.
 */
#ifndef P2P_MDNS_H
#define P2P_MDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p2p/multiaddr.h"

struct err;
struct loop;
struct mdns;

#define MDNS_PORT 5353
#define MDNS_GROUP4 "224.0.0.251"
#define MDNS_GROUP6 "ff02::fb"
#define MDNS_ASK_MAX_MS 300000
#define MDNS_ASK_SHORT_MS 60000
#define MDNS_PACKETS_PER_S 50		/* read; more are left in the socket */
#define MDNS_INTERFACES_MAX 16

struct mdns_params {
	struct loop *loop;
	const uint8_t *group_key;	/* WIRE_GROUP_KEY_LEN bytes; not kept */
	const struct peerid *self;
	int64_t interval_ms;
	uint32_t ttl_s;
	size_t (*addrs)(void *arg, const struct multiaddr **);	/* as swarm_addrs */
	/* A peer's address, never our own id. `local`: the datagram came over loopback. */
	void (*found)(void *arg, const struct multiaddr *, bool local);
	bool (*is_short)(void *arg);	/* are peers too few? */
	void *arg;
};

struct mdns_stats {
	uint64_t sent, heard, found;	/* datagrams; of our service; addresses handed on */
};

/* Begins at once. ERR_IO: no socket, or no interface that does multicast. */
int mdns_new(const struct mdns_params *, struct mdns **, struct err *);
void mdns_free(struct mdns *);		/* NULL is fine */
/* Our addresses have changed: ask and tell now, and often again for a while. */
void mdns_again(struct mdns *);
const struct mdns_stats *mdns_stats(const struct mdns *);

#endif
