/*
 * The records of /github-cache/1.0.0, and how they follow each other on a stream (FORMATS §3, §4). Pure but
 * for the nonces, which are random. What a header says is message.h's.
 *
 *   message = uvarint(length) ‖ sealed(header)
 *   body    = (uvarint(length) ‖ sealed(record))…, of which the last is marked so
 *   sealed  = 01 ‖ nonce(12) ‖ AES-256-GCM of (kind ‖ payload) ‖ tag(16)
 *   key     = HKDF(group key, salt = field(dialer's id) ‖ field(listener's id),
 *             info = "/github-cache/1.0.0 i" for what the dialer sends, "… r" for what the listener sends)
 *   AAD     = "/github-cache/1.0.0" ‖ kind, on every protocol id
 *   field(x) = uvarint(length) ‖ x
 *
 * Limits count the payload; what is sealed is WIRE_OVERHEAD longer.
 *
 * A stream whose first bytes are WIRE_FERNET_MARK is the reference's form and never comes in here.
 */
#ifndef P2P_WIRE_H
#define P2P_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/str.h"
#include "crypto/aead.h"
#include "p2p/peerid.h"

struct err;

#define WIRE_PROTOCOL "/github-cache/1.0.0"
#define WIRE_ACCELERATE "/ipfs-accelerate/cache/1.0.0"	/* answered alike */
#define WIRE_FERNET_MARK "gAAAAA"
#define WIRE_GROUP_KEY_LEN 32
#define WIRE_VERSION 0x01
#define WIRE_OVERHEAD (1 + AEAD_NONCE_LEN + 1 + AEAD_TAG_LEN)	/* sealed, less the payload */
#define WIRE_EARLY_MAX ((size_t)16 << 10)	/* a message before peer_info */
#define WIRE_REQUEST_MAX ((size_t)4 << 10)
#define WIRE_HEADER_MAX ((size_t)64 << 10)
#define WIRE_RECORD_MAX ((size_t)16 << 10)	/* payload of a body record */
#define WIRE_BODY_MAX ((uint64_t)8 << 20)

enum wire_kind { WIRE_HEADER = 1, WIRE_RECORD = 2, WIRE_LAST = 3 };

/* ---- sealing ---- */

struct wire_keys {
	struct aead send, receive;
};

void wire_keys_init(struct wire_keys *, const uint8_t group[static WIRE_GROUP_KEY_LEN],
    const struct peerid *dialer, const struct peerid *listener, bool we_dialled);
void wire_keys_wipe(struct wire_keys *);

/* Append one record with its length. ERR_LIMIT: longer than its kind allows; ERR_IO: no entropy. */
int wire_seal(const struct wire_keys *, enum wire_kind, struct span payload, struct buf *, struct err *);
/* With a nonce of the caller's: for tests. The payload has its kind's size. */
void wire_seal_with(const struct aead *, const uint8_t nonce[static AEAD_NONCE_LEN], enum wire_kind,
    struct span payload, struct buf *);

/* ---- reading a stream ---- */

enum wire_event {
	WIRE_MORE,		/* all input is used */
	WIRE_GOT_HEADER,	/* `payload` is JSON, not yet looked at */
	WIRE_GOT_BODY,		/* a piece of the body */
	WIRE_GOT_LAST		/* its last piece (perhaps empty): sizes fit */
};

struct wire_reader {
	const struct wire_keys *keys;
	size_t max;			/* a header's */
	bool body;			/* records are awaited, not a header */
	uint64_t left;			/* of the body */
	struct buf in;			/* one record, and what was in it */
	uint8_t len[9];
	size_t nlen, need;		/* need == 0: the length is not known yet */
	bool told;			/* the last call gave what is in `in` */
	const char *why;		/* after -1: a sentence without subject */
	bool unsealed;			/* after -1: it was the seal (another group, or forged) */
};

void wire_reader_init(struct wire_reader *, const struct wire_keys *, size_t header_max);
void wire_reader_free(struct wire_reader *);
/* A body of exactly so many bytes follows the header just read (`size` <= WIRE_BODY_MAX). */
void wire_reader_expect(struct wire_reader *, uint64_t size);
/* Consume up to an event: bytes consumed, -1 not in order (sticky). `payload` is good until the next call. */
ssize_t wire_reader_feed(struct wire_reader *, const void *, size_t n, enum wire_event *,
    struct span *payload);
/* Nothing begun and no body awaited: the stream may end here. */
bool wire_reader_idle(const struct wire_reader *);

#endif
