/*
 * The DNS messages of libp2p's mDNS (specs/discovery/mdns.md; RFC 6762, RFC 1035 §4). Pure.
 *
 * Read: a question for our service's PTR; an answer's TXT records that hold `dnsaddr=MULTIADDR`. Names may be
 * compressed, pointers only backwards, at most MDNSMSG_JUMPS of them; everything else in a message is passed
 * over. Written: our question; an answer with one PTR and one TXT a multiaddress.
 */
#ifndef P2P_MDNSMSG_H
#define P2P_MDNSMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "p2p/multiaddr.h"

#define MDNSMSG_MAX 1472		/* one datagram on Ethernet */
#define MDNSMSG_RECEIVE_MAX 9000	/* RFC 6762 §17 */
#define MDNSMSG_JUMPS 16
#define MDNSMSG_ADDRS_MAX 16
#define MDNSMSG_NAME_LEN 32		/* our random instance name, lower-case letters and digits */
#define MDNSMSG_SERVICE_MAX 64

struct mdnsmsg {
	bool asks;			/* for our service */
	bool asks_unicast;		/* the QU bit: answer the asker alone */
	struct multiaddr addrs[MDNSMSG_ADDRS_MAX]; /* named in an answer for our service, with peer ids */
	size_t naddrs;
};

/* `_p2p-<16 hex of HKDF(group key, "ghoard mdns 1")>._udp.local`; the public name is `_p2p._udp.local`. */
void mdnsmsg_service(char out[static MDNSMSG_SERVICE_MAX], const uint8_t *group_key);
/* false: not a DNS message. */
bool mdnsmsg_parse(struct mdnsmsg *, const void *, size_t n, const char *service);
void mdnsmsg_put_question(struct buf *, const char *service);
/* Addresses without /p2p get `id`; those that do not fit into MDNSMSG_MAX are left out. */
void mdnsmsg_put_answer(struct buf *, const char *service, const char name[static MDNSMSG_NAME_LEN + 1],
    const struct peerid *id, const struct multiaddr *, size_t n, uint32_t ttl_s);

#endif
