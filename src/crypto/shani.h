/*
 * The block functions of SHA-1 and SHA-256 by the processor's own instructions (Intel's SHA extensions, on
 * x86-64 since Goldmont and Zen). Only crypto/hash calls them, after shani_there() said yes.
 */
#ifndef CRYPTO_SHANI_H
#define CRYPTO_SHANI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool shani_there(void);
/* `n` blocks of 64 bytes each. */
void shani_sha1(uint32_t state[static 5], const uint8_t *, size_t n);
void shani_sha256(uint32_t state[static 8], const uint8_t *, size_t n);

#endif
