/*
 * X25519 (RFC 7748), constant-time.
 */
#ifndef CRYPTO_X25519_H
#define CRYPTO_X25519_H

#include <stdbool.h>
#include <stdint.h>

#define X25519_LEN 32

void x25519_public(uint8_t pub[static X25519_LEN], const uint8_t key[static X25519_LEN]);
/* false: the other side's point is of small order, so that the secret is all zeros (RFC 7748 §6.1): no secret
 * at all. */
bool x25519(uint8_t secret[static X25519_LEN], const uint8_t key[static X25519_LEN],
    const uint8_t pub[static X25519_LEN]);

#endif
