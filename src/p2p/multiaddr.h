/*
 * Multiaddresses that a TCP node can use (multiformats/multiaddr): an IP address or a DNS name, a TCP port,
 * perhaps a peer id.
 *
 * Others (QUIC, WebSocket, relays, unknown codes) are well-formed and not for us: they are told apart from
 * broken ones, because peers send lists in which they must be passed over. A value: copied freely.
 */
#ifndef P2P_MULTIADDR_H
#define P2P_MULTIADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "p2p/peerid.h"

struct addr;
struct buf;

#define MULTIADDR_NAME_MAX 253		/* RFC 1035 §2.3.4 */
#define MULTIADDR_TEXT_MAX 400		/* with its NUL */
#define MULTIADDR_BIN_MAX 320
#define MULTIADDR_COMPONENTS_MAX 16

enum multiaddr_host {
	MULTIADDR_NONE,			/* a bare /p2p/ID: an id without an address */
	MULTIADDR_IP4,
	MULTIADDR_IP6,
	MULTIADDR_DNS,			/* any family */
	MULTIADDR_DNS4,
	MULTIADDR_DNS6
};

struct multiaddr {
	enum multiaddr_host host;
	uint8_t ip[16];			/* 4 or 16 of them */
	char name[MULTIADDR_NAME_MAX + 1];
	uint16_t port;
	struct peerid peer;		/* n == 0: not named */
};

/* 1: one of ours; 0: well-formed, not for us; -1: not a multiaddr. In text an unknown protocol's name is 0.
 */
int multiaddr_parse(struct multiaddr *, struct span text);
int multiaddr_decode(struct multiaddr *, struct span binary);

void multiaddr_text(const struct multiaddr *, char out[static MULTIADDR_TEXT_MAX]);
/* Append the binary form, without /p2p/… unless `with_peer`. */
void multiaddr_encode(const struct multiaddr *, bool with_peer, struct buf *);

/* From a socket's address, and back (false: no IP address in it). No peer id. */
void multiaddr_of_addr(struct multiaddr *, const struct addr *);
bool multiaddr_addr(const struct multiaddr *, struct addr *);
/* What dial_start takes as a host: the literal or the name. false: a bare id. */
bool multiaddr_dial_host(const struct multiaddr *, char out[static MULTIADDR_NAME_MAX + 1]);

/* Host and port are the same; peer ids are not looked at. */
bool multiaddr_same(const struct multiaddr *, const struct multiaddr *);

#define MULTIADDR_PORT_MIN 1024

/*
 * May an address that another peer named be dialled (FORMATS §4)? An IP address, with a peer id, a port of at
 * least MULTIADDR_PORT_MIN, unicast, not unspecified, not link-local (169.254/16, fe80::/10); loopback only
 * if it was heard over loopback. IPv4 inside IPv6 counts as what it is. NULL: yes; else why not.
 */
const char *multiaddr_refusal(const struct multiaddr *, bool over_loopback);

#endif
