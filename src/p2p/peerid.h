/*
 * Peer ids and the public keys they are made of (libp2p specs, peer-ids/peer-ids.md).
 *
 * A peer id is the multihash of a PublicKey message: the message itself up to 42 bytes (Ed25519, secp256k1),
 * else its SHA-256. All four key types are read; only Ed25519, which is also what we are, can be verified. A
 * value: copied freely, compared by bytes.
 */
#ifndef P2P_PEERID_H
#define P2P_PEERID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/ed25519.h"

#define PEERID_INLINE_MAX 42		/* §"Peer IDs": a longer key is hashed */
#define PEERID_MAX (2 + PEERID_INLINE_MAX)
#define PEERID_TEXT_MAX 80		/* either text form, with its NUL */
#define PEERID_KEY_MAX 1200		/* a PublicKey message: RSA of 8192 bits has about 1,070 bytes */
#define PEERID_OWN_KEY_LEN 36		/* ours: 08 01 12 20, then the key */

struct peerid {
	uint8_t n;			/* 0: none */
	uint8_t bytes[PEERID_MAX];	/* the multihash */
};

enum peerid_key_type { PEERID_RSA, PEERID_ED25519, PEERID_SECP256K1, PEERID_ECDSA };	/* as on the wire */

struct peerid_key {
	enum peerid_key_type type;
	struct span data;		/* into what was parsed */
};

/* ---- keys ---- */

/* The PublicKey message of an Ed25519 key. */
void peerid_own_key(uint8_t out[static PEERID_OWN_KEY_LEN], const uint8_t pub[static ED25519_PUB_LEN]);
/* A PublicKey message in its one form (both fields, in order, nothing else) whose key has the size of its
 * type. */
bool peerid_key_parse(struct span message, struct peerid_key *);
const char *peerid_key_name(enum peerid_key_type);	/* "Ed25519" */

/* ---- ids ---- */

/* Of a PublicKey message that peerid_key_parse took. */
void peerid_of_key(struct peerid *, struct span message);
void peerid_of_ed25519(struct peerid *, const uint8_t pub[static ED25519_PUB_LEN]);
/* The key inside, if the id is an inlined Ed25519 key. */
bool peerid_ed25519(const struct peerid *, uint8_t pub[static ED25519_PUB_LEN]);

/* A whole multihash of one of the two kinds; false otherwise. */
bool peerid_decode(struct peerid *, struct span multihash);
/* Base58 (12D3KooW…, 16Uiu2…, Qm…) or a CIDv1 of codec libp2p-key in base32 (bafz…, either case), base36
 * (k51…), base58 or hexadecimal multibase; false otherwise. */
bool peerid_parse(struct peerid *, struct span text);
void peerid_text(const struct peerid *, char out[static PEERID_TEXT_MAX]);	/* base58 */
void peerid_cid(const struct peerid *, char out[static PEERID_TEXT_MAX]);	/* bafz… */

bool peerid_same(const struct peerid *, const struct peerid *);
int peerid_cmp(const struct peerid *, const struct peerid *);	/* by bytes, shorter first */
struct span peerid_span(const struct peerid *);			/* the multihash; lives as long as the id */

#endif
