/*
 * /ipfs/ping/1.0.0 (specs/ping/ping.md): 32 bytes and their echo, until the dialer closes its side. Pure.
 */
#ifndef P2P_PING_H
#define P2P_PING_H

#include <stddef.h>
#include <stdint.h>

struct buf;

#define PING_PROTOCOL "/ipfs/ping/1.0.0"
#define PING_LEN 32
#define PING_INBOUND_MAX 2		/* streams at once: the listener SHOULD take two */

struct ping {
	uint8_t block[PING_LEN];
	size_t have;
};

/* Listener: append the echo of every whole block. */
void ping_echo(struct ping *, const void *, size_t n, struct buf *out);

/* Dialer: the block to send (random, the caller's), then what comes back: 1 the whole echo is there, 0 more
 * is to come, -1 it is another or longer. */
void ping_start(struct ping *, const uint8_t block[static PING_LEN], struct buf *out);
int ping_check(struct ping *, const void *, size_t n);

#endif
