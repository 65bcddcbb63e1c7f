/*
 * SHA-256 and SHA-1 (FIPS 180-4), whole or in pieces. Where the processor has instructions for them
 * (crypto/shani) those do the work, five times as fast; else BearSSL does.
 *
 * SHA-1 is for git's object ids and checksums alone: it protects nothing here.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SHA256_LEN 32
#define SHA1_LEN 20

struct hash_sha256 {
	uint64_t count;			/* bytes added */
	uint32_t state[8];
	uint8_t part[64];		/* of a block that is not whole yet */
};

struct hash_sha1 {
	uint64_t count;
	uint32_t state[5];
	uint8_t part[64];
};

void hash_sha256(uint8_t out[static SHA256_LEN], const void *, size_t n);

void hash_sha256_init(struct hash_sha256 *);
void hash_sha256_add(struct hash_sha256 *, const void *, size_t n);
/* The digest of what was added so far; more may be added after. */
void hash_sha256_out(const struct hash_sha256 *, uint8_t out[static SHA256_LEN]);

/* A list of fields, each preceded by its length as a uvarint, so that no two different lists hash alike. */
void hash_sha256_field(struct hash_sha256 *, struct span);

void hash_sha1_init(struct hash_sha1 *);
void hash_sha1_add(struct hash_sha1 *, const void *, size_t n);
void hash_sha1_out(const struct hash_sha1 *, uint8_t out[static SHA1_LEN]);

/* For tests: BearSSL on any processor. */
void hash_portable(bool);

#endif
