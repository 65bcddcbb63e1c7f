/*
 * The messages of the reference's peers (FORMATS §4, "The reference's own peers"): one Fernet token of
 * {"key":…,"entry":{data,timestamp,ttl,content_hash,validation_fields}}, answered `OK` or `ERROR: …`. Pure.
 *
 * The reference marks no end: a token is whole at the stream's end or after LEGACY_SILENCE_MS without a byte.
 */
#ifndef P2P_LEGACY_H
#define P2P_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "p2p/wire.h"

#define LEGACY_MAX ((size_t)1 << 20)	/* letters of a token */
#define LEGACY_SILENCE_MS 100
#define LEGACY_SKEW_S 60

struct legacy_message {
	struct span key;		/* unescaped, in `room` */
	struct span entry;		/* raw JSON object, in `room` */
	struct buf room;
};

/* Do these first bytes begin a token? 1 yes, 0 no, -2 more are needed. */
int legacy_is_token(const void *, size_t n);
/* Do they begin plain JSON, which the reference once took? Likewise. */
int legacy_is_plain(const void *, size_t n);
/* Open a whole token with the bare group key; `now_s` wall clock. 0; ERR_DENIED: it does not verify or is
 * older or newer than LEGACY_SKEW_S; ERR_PROTO: what it holds is no such message. Free the message in any
 * case. */
int legacy_open(struct legacy_message *, const uint8_t group[static WIRE_GROUP_KEY_LEN], struct span token,
    int64_t now_s, struct err *);
void legacy_free(struct legacy_message *);
/* Append a token; ERR_LIMIT above LEGACY_MAX, ERR_IO: no entropy. */
int legacy_seal(const uint8_t group[static WIRE_GROUP_KEY_LEN], struct span key, struct span entry,
    int64_t now_s, struct buf *, struct err *);

#endif
