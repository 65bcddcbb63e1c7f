/*
 * ChaCha20-Poly1305 (RFC 8439 §2.8) with a nonce of 96 bits, in place; on AVX2 or SSE2 where the
 * processor has it.
 */
#ifndef CRYPTO_CHAPOLY_H
#define CRYPTO_CHAPOLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define CHAPOLY_KEY_LEN 32
#define CHAPOLY_NONCE_LEN 12
#define CHAPOLY_TAG_LEN 16

void chapoly_seal(const uint8_t key[static CHAPOLY_KEY_LEN], const uint8_t nonce[static CHAPOLY_NONCE_LEN],
    struct span aad, uint8_t *data, size_t n, uint8_t tag[static CHAPOLY_TAG_LEN]);
/* 0; or ERR_DAMAGED when the tag is another's: then `data` is wiped. */
int chapoly_open(const uint8_t key[static CHAPOLY_KEY_LEN], const uint8_t nonce[static CHAPOLY_NONCE_LEN],
    struct span aad, uint8_t *data, size_t n, const uint8_t tag[static CHAPOLY_TAG_LEN]);

#endif
