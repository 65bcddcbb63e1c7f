/*
 * The message of /ipfs/id/1.0.0 and /ipfs/id/push/1.0.0 (specs/identify/README.md): who a peer is and where
 * it listens. Length-prefixed; a peer may send several, which count as one (the fields of a message that is
 * cut in two), until it closes. Pure.
 */
#ifndef P2P_IDENTIFY_H
#define P2P_IDENTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/str.h"
#include "p2p/multiaddr.h"

#define IDENTIFY_ID "/ipfs/id/1.0.0"
#define IDENTIFY_PUSH "/ipfs/id/push/1.0.0"
#define IDENTIFY_VERSION "ipfs/0.1.0"		/* protocolVersion: what go, js and rust send */
#define IDENTIFY_SEND_MAX 4096			/* rust reads no more */
#define IDENTIFY_MESSAGE_MAX 8192		/* as go and js */
#define IDENTIFY_MESSAGES_MAX 10
#define IDENTIFY_TOTAL_MAX ((size_t)32 << 10)
#define IDENTIFY_ADDRS_MAX 16			/* kept; the rest is passed over */
#define IDENTIFY_PROTOCOLS_MAX 64
#define IDENTIFY_TEXT_MAX 256			/* bytes kept of agent and version */

struct identify {
	struct span key;			/* PublicKey message; empty: not sent */
	struct span agent, version;
	bool has_observed;
	struct multiaddr observed;		/* how they see us */
	struct multiaddr addrs[IDENTIFY_ADDRS_MAX]; /* those we could dial, without broken and foreign ones */
	size_t naddrs;
	struct span protocols[IDENTIFY_PROTOCOLS_MAX];
	size_t nprotocols;
};

/* Append one message with its length. Addresses and protocols that would not fit into IDENTIFY_SEND_MAX are
 * left out, the last first. */
void identify_encode(const struct identify *, struct buf *);

struct identify_reader {
	struct buf body;			/* of the messages so far, their lengths cut out */
	uint8_t len[9];				/* private from here on */
	size_t nlen, left;
	unsigned messages;
	bool bad;
};

void identify_reader_init(struct identify_reader *);
void identify_reader_free(struct identify_reader *);
/* 0, or ERR_PROTO / ERR_LIMIT (sticky). */
int identify_reader_feed(struct identify_reader *, const void *, size_t n);
/* At the end of the stream: ERR_PROTO if a message is cut or is none. Spans into the reader. An agent that is
 * not printable UTF-8 is empty. */
int identify_reader_end(const struct identify_reader *, struct identify *);
bool identify_speaks(const struct identify *, const char *protocol);

#endif
