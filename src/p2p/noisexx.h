/*
 * Noise_XX_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34): three messages, then two ciphers. Pure:
 * no framing and no identity, which are noise.c's.
 *
 *   -> e        <- e, ee, s, es        -> s, se
 *
 * Each side calls write and read in turn; the struct holds keys: wipe it.
 */
#ifndef P2P_NOISEXX_H
#define P2P_NOISEXX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/chapoly.h"
#include "crypto/hash.h"
#include "crypto/x25519.h"

#define NOISEXX_TAG_LEN CHAPOLY_TAG_LEN
/* What a message adds to its payload, at most (the second's) */
#define NOISEXX_OVERHEAD (X25519_LEN + X25519_LEN + 2 * NOISEXX_TAG_LEN)

struct noisexx_cipher {
	uint8_t key[CHAPOLY_KEY_LEN];
	uint64_t n;			/* messages so far */
};

struct noisexx {
	bool dialer;
	unsigned turn;			/* messages so far; 3: over */
	uint8_t h[SHA256_LEN], ck[SHA256_LEN];
	bool has_key;
	struct noisexx_cipher k;
	uint8_t s[X25519_LEN], s_pub[X25519_LEN], e[X25519_LEN], e_pub[X25519_LEN];
	uint8_t rs[X25519_LEN], re[X25519_LEN];	/* the other side's, public */
	struct noisexx_cipher send, receive;	/* when over */
};

void noisexx_init(struct noisexx *, bool dialer, const uint8_t s[static X25519_LEN],
    const uint8_t s_pub[static X25519_LEN], const uint8_t e[static X25519_LEN], struct span prologue);
void noisexx_wipe(struct noisexx *);

/* Is the next message ours to write? */
bool noisexx_writes(const struct noisexx *);
/* Write the next message: its length, at most payload.n + NOISEXX_OVERHEAD; 0: the other side's key is none.
 */
size_t noisexx_write(struct noisexx *, struct span payload, uint8_t *out);
/* Read one, in place; false: too short, forged, or with a key that is none. Nothing more may be done then. */
bool noisexx_read(struct noisexx *, uint8_t *message, size_t n, struct span *payload);

/* Transport, in place; `data` has room for the tag. false: forged, or the counter's end (§5.1). */
bool noisexx_seal(struct noisexx_cipher *, uint8_t *data, size_t n);	/* n: without the tag */
bool noisexx_open(struct noisexx_cipher *, uint8_t *data, size_t n);	/* n: with the tag */

#endif
