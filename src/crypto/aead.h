/*
 * AES-256-GCM (NIST SP 800-38D) with a nonce of 96 bits and a tag of 128, in place.
 *
 * With AES-NI and PCLMULQDQ where the processor has them, else with constant-time code in C; chosen at run
 * time. A nonce must never be used twice under one key: random ones are good for 2^32 messages. The struct
 * holds the scheduled key, has no pointers and may be shared by readers; who declared it wipes it.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define AEAD_KEY_LEN 32
#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN 16

struct aead {
	bool fast;			/* with the processor's instructions */
	uint64_t opaque[40];
};

void aead_init(struct aead *, const uint8_t key[static AEAD_KEY_LEN]);
/* The same in C, whatever the processor has: for tests. */
void aead_init_portable(struct aead *, const uint8_t key[static AEAD_KEY_LEN]);
void aead_wipe(struct aead *);

/* Encrypt `n` bytes (less than 2^36) and write the tag. */
void aead_seal(const struct aead *, const uint8_t nonce[static AEAD_NONCE_LEN], struct span aad,
    uint8_t *data, size_t n, uint8_t tag[static AEAD_TAG_LEN]);
/* Decrypt. 0; or ERR_DAMAGED when the tag is another's: then `data` is wiped. */
int aead_open(const struct aead *, const uint8_t nonce[static AEAD_NONCE_LEN], struct span aad, uint8_t *data,
    size_t n, const uint8_t tag[static AEAD_TAG_LEN]);

#endif
