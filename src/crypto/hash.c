#include <assert.h>
#include <string.h>

#include <bearssl.h>

#include "base/varint.h"
#include "crypto/hash.h"

static_assert(sizeof(br_sha256_context) <= sizeof(struct hash_sha256), "struct hash_sha256 is too small");

static br_sha256_context *ctx(struct hash_sha256 *h)
{
	return (br_sha256_context *)(void *)h->opaque;
}

void hash_sha256(uint8_t out[static SHA256_LEN], const void *p, size_t n)
{
	br_sha256_context c;

	br_sha256_init(&c);
	br_sha256_update(&c, p, n);
	br_sha256_out(&c, out);
}

void hash_sha256_init(struct hash_sha256 *h)
{
	memset(h, 0, sizeof(*h));
	br_sha256_init(ctx(h));
}

void hash_sha256_add(struct hash_sha256 *h, const void *p, size_t n)
{
	br_sha256_update(ctx(h), p, n);
}

void hash_sha256_out(const struct hash_sha256 *h, uint8_t out[static SHA256_LEN])
{
	struct hash_sha256 copy = *h;

	br_sha256_out(ctx(&copy), out);
}

void hash_sha256_field(struct hash_sha256 *h, struct span f)
{
	uint8_t len[VARINT_MAX_LEN];

	hash_sha256_add(h, len, varint_put(len, f.n));
	hash_sha256_add(h, f.p, f.n);
}
