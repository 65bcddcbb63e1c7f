/*
 * HKDF-SHA256 (RFC 5869).
 */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* `salt` may be empty (RFC 5869 §2.2: a string of zeros); n <= 255 * 32. */
void kdf_hkdf(uint8_t *out, size_t n, struct span secret, struct span salt, const char *info);

#endif
