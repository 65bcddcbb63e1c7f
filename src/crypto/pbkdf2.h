/*
 * PBKDF2-HMAC-SHA256 (RFC 8018 §5.2): a key from a passphrase. 600,000 rounds take about 0.4 s, so nothing on
 * the loop calls it.
 */
#ifndef CRYPTO_PBKDF2_H
#define CRYPTO_PBKDF2_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* `rounds` >= 1; n <= 32 * (2^32 - 1). */
void pbkdf2_sha256(uint8_t *out, size_t n, struct span secret, struct span salt, uint32_t rounds);

#endif
