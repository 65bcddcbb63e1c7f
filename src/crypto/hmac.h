/*
 * HMAC-SHA256 (RFC 2104).
 */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define HMAC_LEN 32

struct hmac {
	uint64_t opaque[40];
};

void hmac_init(struct hmac *, const void *key, size_t keylen);
void hmac_add(struct hmac *, const void *, size_t n);
/* A field preceded by its length as a uvarint. */
void hmac_field(struct hmac *, struct span);
/* Writes the MAC and wipes the struct. */
void hmac_out(struct hmac *, uint8_t out[static HMAC_LEN]);

#endif
