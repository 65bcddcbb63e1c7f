/*
 * Fernet tokens (version 0x80 of the specification): AES-128-CBC with PKCS #7 padding, then HMAC-SHA256 over
 * all that stands before it. Only the reference's peers speak it (p2p/legacy).
 *
 *   token = base64url of 80 ‖ time, s (8, big-endian) ‖ IV (16) ‖ ciphertext ‖ MAC (32); padded with =
 *   key   = signing half (16) ‖ encrypting half (16)
 *
 * The MAC is compared in constant time and before anything is decrypted, so the padding tells nobody
 * anything. AES runs by the processor's instructions where it has them, else in constant time in C. Whoever
 * declared the struct wipes it.
 */
#ifndef CRYPTO_FERNET_H
#define CRYPTO_FERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define FERNET_KEY_LEN 32
#define FERNET_IV_LEN 16
#define FERNET_MAC_LEN 32
/* Letters of a token that holds `n` bytes. */
#define FERNET_LETTERS(n) ((9 + FERNET_IV_LEN + (n) / 16 * 16 + 16 + FERNET_MAC_LEN + 2) / 3 * 4)

struct fernet {
	bool fast;			/* with the processor's instructions */
	uint8_t key[FERNET_KEY_LEN];
};

void fernet_init(struct fernet *, const uint8_t key[static FERNET_KEY_LEN]);
/* The same in C, whatever the processor has: for tests. */
void fernet_init_portable(struct fernet *, const uint8_t key[static FERNET_KEY_LEN]);
void fernet_wipe(struct fernet *);

/* Append the plaintext and tell when it was sealed, which is not judged here. 0; ERR_DAMAGED: it is no token
 * of this key, and nothing is appended; ERR_LIMIT: `out` is too small. */
int fernet_open(const struct fernet *, struct span token, struct buf *out, uint64_t *time_s);
/* Append a token. The IV must be random; it is the caller's so that tests can give one. 0, or ERR_LIMIT. */
int fernet_seal(const struct fernet *, const uint8_t iv[static FERNET_IV_LEN], uint64_t time_s, struct span,
    struct buf *out);

#endif
