#include "base/hex.h"
#include "crypto/hash.h"
#include "github/etag.h"

static void add_header(struct hash_sha256 *h, struct span value)
{
	if (value.n == 0)
		return;
	hash_sha256_add(h, value.p, value.n);
	hash_sha256_add(h, ":", 1);
}

void etag_derive(char out[static ETAG_LEN + 1], struct span accept, struct span authorization,
    struct span body)
{
	struct hash_sha256 h;
	uint8_t digest[SHA256_LEN];

	hash_sha256_init(&h);
	add_header(&h, accept);
	add_header(&h, authorization);
	hash_sha256_add(&h, body.p, body.n);
	hash_sha256_out(&h, digest);
	out[0] = '"';
	hex_encode(out + 1, digest, sizeof(digest));
	out[ETAG_LEN - 1] = '"';
	out[ETAG_LEN] = '\0';
}

static struct span opaque(struct span tag)
{
	return span_starts(tag, "W/") ? span_sub(tag, 2, tag.n) : tag;
}

bool etag_same(struct span a, struct span b)
{
	return a.n > 0 && b.n > 0 && span_same(opaque(a), opaque(b));
}

bool etag_ok(struct span tag)
{
	struct span t = opaque(tag);

	if (t.n < 2 || t.p[0] != '"' || t.p[t.n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < t.n; i++)
		if ((uint8_t)t.p[i] < 0x21 || t.p[i] == '"' || t.p[i] == 0x7F)
			return false;
	return true;
}

bool etag_breaker_note(struct etag_breaker *b, bool agrees)
{
	b->differ = agrees ? 0 : b->differ + 1;
	if (agrees || b->open || b->differ < ETAG_BREAK_AFTER)
		return false;
	b->open = true;
	return true;
}
