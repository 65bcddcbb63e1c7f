/*
 * Ed25519 signatures (RFC 8032 §5.1, the pure form). Deterministic; the secret's bits take part in no branch
 * and no address.
 *
 * Verifying is strict, as libsodium's: S below the group's order, the public key in its one encoding, neither
 * the public key nor R of small order. So a signature has one form and binds one key. It depends on time only
 * through public bytes. Curve arithmetic is libsodium's, SHA-512 BearSSL's; only ed25519.c knows.
 */
#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ED25519_SEED_LEN 32
#define ED25519_PUB_LEN 32
#define ED25519_SIG_LEN 64

/* The public half is always that of the seed: signing with another would give the secret away. */
struct ed25519_key {
	uint8_t seed[ED25519_SEED_LEN];
	uint8_t pub[ED25519_PUB_LEN];
};

/* About 60 us, as are signing and verifying a short message. */
void ed25519_keygen(struct ed25519_key *, const uint8_t seed[static ED25519_SEED_LEN]);
void ed25519_sign(uint8_t sig[static ED25519_SIG_LEN], const struct ed25519_key *, const void *msg, size_t n);
bool ed25519_verify(const uint8_t sig[static ED25519_SIG_LEN], const uint8_t pub[static ED25519_PUB_LEN],
    const void *msg, size_t n);
void ed25519_wipe(struct ed25519_key *);

#endif
