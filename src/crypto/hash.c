#include <string.h>

#include <bearssl.h>

#include "base/varint.h"
#include "base/wipe.h"
#include "crypto/hash.h"
#include "crypto/shani.h"

#define BLOCK 64

typedef void hash_blocks(uint32_t *state, const uint8_t *, size_t n);

static bool portable;

void hash_portable(bool yes)
{
	portable = yes;
}

static void put_be(uint8_t *out, const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t be = __builtin_bswap32(words[i]);

		memcpy(out + 4 * i, &be, 4);
	}
}

static void get_be(uint32_t *words, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t be;

		memcpy(&be, in + 4 * i, 4);
		words[i] = __builtin_bswap32(be);
	}
}

static void sha1_blocks(uint32_t *state, const uint8_t *p, size_t n)
{
	uint8_t bytes[SHA1_LEN];
	br_sha1_context c;

	if (!portable && shani_there()) {
		shani_sha1(state, p, n);
		return;
	}
	br_sha1_init(&c);
	put_be(bytes, state, 5);
	br_sha1_set_state(&c, bytes, 0);
	br_sha1_update(&c, p, n * BLOCK);
	br_sha1_state(&c, bytes);
	get_be(state, bytes, 5);
}

static void sha256_blocks(uint32_t *state, const uint8_t *p, size_t n)
{
	uint8_t bytes[SHA256_LEN];
	br_sha256_context c;

	if (!portable && shani_there()) {
		shani_sha256(state, p, n);
		return;
	}
	br_sha256_init(&c);
	put_be(bytes, state, 8);
	br_sha256_set_state(&c, bytes, 0);
	br_sha256_update(&c, p, n * BLOCK);
	br_sha256_state(&c, bytes);
	get_be(state, bytes, 8);
}

/* Both hashes take blocks of 64 bytes and the same padding (§5.1.1). */
struct stream {
	uint64_t *count;
	uint32_t *state;
	uint8_t *part;
	hash_blocks *blocks;
};

static void stream_add(struct stream s, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t have = *s.count % BLOCK;

	if (n == 0)
		return;
	*s.count += n;
	if (have > 0) {
		size_t take = n < BLOCK - have ? n : BLOCK - have;

		memcpy(s.part + have, p, take);
		p += take;
		n -= take;
		if (have + take < BLOCK)
			return;
		s.blocks(s.state, s.part, 1);
	}
	if (n >= BLOCK)
		s.blocks(s.state, p, n / BLOCK);
	memcpy(s.part, p + n / BLOCK * BLOCK, n % BLOCK);
}

static void stream_end(struct stream s)
{
	uint8_t end[2 * BLOCK] = { 0 };
	size_t have = *s.count % BLOCK, n = have < BLOCK - 8 ? 1 : 2;
	uint64_t bits = __builtin_bswap64(*s.count * 8);

	memcpy(end, s.part, have);
	end[have] = 0x80;
	memcpy(end + n * BLOCK - 8, &bits, 8);
	s.blocks(s.state, end, n);
}

static struct stream sha256_stream(struct hash_sha256 *h)
{
	return (struct stream){ &h->count, h->state, h->part, sha256_blocks };
}

void hash_sha256_init(struct hash_sha256 *h)
{
	/* §5.3.3 */
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
		0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	h->count = 0;
	memcpy(h->state, start, sizeof(start));
}

void hash_sha256_add(struct hash_sha256 *h, const void *p, size_t n)
{
	stream_add(sha256_stream(h), p, n);
}

void hash_sha256_out(const struct hash_sha256 *h, uint8_t out[static SHA256_LEN])
{
	struct hash_sha256 copy = *h;

	stream_end(sha256_stream(&copy));
	put_be(out, copy.state, 8);
	wipe(&copy, sizeof(copy));		/* of a MAC's: its state stands for the key */
}

void hash_sha256(uint8_t out[static SHA256_LEN], const void *p, size_t n)
{
	struct hash_sha256 h;

	hash_sha256_init(&h);
	hash_sha256_add(&h, p, n);
	hash_sha256_out(&h, out);
}

void hash_sha256_field(struct hash_sha256 *h, struct span f)
{
	uint8_t len[VARINT_MAX_LEN];

	hash_sha256_add(h, len, varint_put(len, f.n));
	hash_sha256_add(h, f.p, f.n);
}

static struct stream sha1_stream(struct hash_sha1 *h)
{
	return (struct stream){ &h->count, h->state, h->part, sha1_blocks };
}

void hash_sha1_init(struct hash_sha1 *h)
{
	/* §5.3.1 */
	static const uint32_t start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

	h->count = 0;
	memcpy(h->state, start, sizeof(start));
}

void hash_sha1_add(struct hash_sha1 *h, const void *p, size_t n)
{
	stream_add(sha1_stream(h), p, n);
}

void hash_sha1_out(const struct hash_sha1 *h, uint8_t out[static SHA1_LEN])
{
	struct hash_sha1 copy = *h;

	stream_end(sha1_stream(&copy));
	put_be(out, copy.state, 5);
}
