#include <string.h>

#include "base/wipe.h"
#include "crypto/hmac.h"

#define BLOCK 64

static void begin(struct hash_sha256 *h, const uint8_t key[static BLOCK], uint8_t with)
{
	uint8_t pad[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		pad[i] = key[i] ^ with;
	hash_sha256_init(h);
	hash_sha256_add(h, pad, BLOCK);
	wipe(pad, BLOCK);
}

/* §2 */
void hmac_init(struct hmac *h, const void *key, size_t keylen)
{
	uint8_t block[BLOCK] = { 0 };

	if (keylen > BLOCK)
		hash_sha256(block, key, keylen);
	else if (keylen > 0)
		memcpy(block, key, keylen);
	begin(&h->inner, block, 0x36);
	begin(&h->outer, block, 0x5c);
	wipe(block, BLOCK);
}

void hmac_add(struct hmac *h, const void *p, size_t n)
{
	hash_sha256_add(&h->inner, p, n);
}

void hmac_field(struct hmac *h, struct span f)
{
	hash_sha256_field(&h->inner, f);
}

void hmac_out(struct hmac *h, uint8_t out[static HMAC_LEN])
{
	hash_sha256_out(&h->inner, out);
	hash_sha256_add(&h->outer, out, HMAC_LEN);
	hash_sha256_out(&h->outer, out);
	wipe(h, sizeof(*h));
}
