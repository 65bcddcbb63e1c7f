/*
 * SHA-256 (FIPS 180-4), whole or in pieces.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SHA256_LEN 32

/* Room for the library's context, which only hash.c knows (checked there). */
struct hash_sha256 {
	uint64_t opaque[16];
};

void hash_sha256(uint8_t out[static SHA256_LEN], const void *, size_t n);

void hash_sha256_init(struct hash_sha256 *);
void hash_sha256_add(struct hash_sha256 *, const void *, size_t n);
/* The digest of what was added so far; more may be added after. */
void hash_sha256_out(const struct hash_sha256 *, uint8_t out[static SHA256_LEN]);

/* A list of fields, each preceded by its length as a uvarint, so that no two different lists hash alike. */
void hash_sha256_field(struct hash_sha256 *, struct span);

#endif
