/*
 * Content identifiers: CIDv1, raw codec, sha2-256, in base32: 59 characters that begin with "bafkrei"
 * (multiformats/cid).
 */
#ifndef CRYPTO_CID_H
#define CRYPTO_CID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/hash.h"

#define CID_TEXT_LEN 59
#define CID_BIN_LEN 36		/* 01 55 12 20, then the digest */

void cid_text(char out[static CID_TEXT_LEN + 1], const uint8_t digest[static SHA256_LEN]);
void cid_of(char out[static CID_TEXT_LEN + 1], const void *, size_t n);
/* Only this kind of CID, lower case; false otherwise. */
bool cid_parse(struct span, uint8_t digest[static SHA256_LEN]);

#endif
