/*
 * HMAC-SHA256 (RFC 2104).
 */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/hash.h"

#define HMAC_LEN 32

/* A copy of one that hmac_init has made is as good as another hmac_init with that key. */
struct hmac {
	struct hash_sha256 inner, outer;
};

void hmac_init(struct hmac *, const void *key, size_t keylen);
void hmac_add(struct hmac *, const void *, size_t n);
/* A field preceded by its length as a uvarint. */
void hmac_field(struct hmac *, struct span);
/* Writes the MAC and wipes the struct. */
void hmac_out(struct hmac *, uint8_t out[static HMAC_LEN]);

#endif
