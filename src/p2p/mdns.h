/*
 * Finding peers of the group on the LAN: mDNS on UDP 5353 under a service name derived from the group key, so
 * that nobody else's nodes are found, nor we by them.
 *
 * Asks at start and every `interval_ms` (with jitter, doubling to MDNS_ASK_MAX_MS while peers suffice);
 * answers at most once a second. The port is shared (SO_REUSEPORT); where multicast cannot be joined it says
 * so once and is silent. Loopback addresses are not told to others, but are to this machine.
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
#define MDNS_PACKETS_PER_S 50		/* read; more are left in the socket */

struct mdns_params {
	struct loop *loop;
	const uint8_t *group_key;	/* WIRE_GROUP_KEY_LEN bytes */
	const struct peerid *self;
	int64_t interval_ms;
	uint32_t ttl_s;
	size_t (*addrs)(void *arg, const struct multiaddr **);	/* swarm_addrs */
	/* A peer's address, never our own id. `local`: the datagram came from this machine. */
	void (*found)(void *arg, const struct multiaddr *, bool local);
	void *arg;
};

/* ERR_IO: no socket, or no interface that does multicast. */
int mdns_new(const struct mdns_params *, struct mdns **, struct err *);
void mdns_free(struct mdns *);

#endif
