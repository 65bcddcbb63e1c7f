#include <assert.h>

#include <bearssl.h>

#include "base/varint.h"
#include "base/wipe.h"
#include "crypto/hmac.h"

static_assert(sizeof(br_hmac_context) <= sizeof(struct hmac), "struct hmac is too small");

static br_hmac_context *ctx(struct hmac *h)
{
	return (br_hmac_context *)(void *)h->opaque;
}

void hmac_init(struct hmac *h, const void *key, size_t keylen)
{
	br_hmac_key_context kc;

	br_hmac_key_init(&kc, &br_sha256_vtable, key, keylen);
	br_hmac_init(ctx(h), &kc, 0);
	wipe(&kc, sizeof(kc));
}

void hmac_add(struct hmac *h, const void *p, size_t n)
{
	br_hmac_update(ctx(h), p, n);
}

void hmac_field(struct hmac *h, struct span f)
{
	uint8_t len[VARINT_MAX_LEN];

	hmac_add(h, len, varint_put(len, f.n));
	hmac_add(h, f.p, f.n);
}

void hmac_out(struct hmac *h, uint8_t out[static HMAC_LEN])
{
	br_hmac_out(ctx(h), out);
	wipe(h, sizeof(*h));
}
