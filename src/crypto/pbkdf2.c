#include <string.h>

#include <bearssl.h>

#include "base/wipe.h"
#include "crypto/pbkdf2.h"

#define BLOCK 32

static void mac(const br_hmac_key_context *key, struct span a, struct span b, uint8_t out[static BLOCK])
{
	br_hmac_context c;

	br_hmac_init(&c, key, 0);
	br_hmac_update(&c, a.p, a.n);
	br_hmac_update(&c, b.p, b.n);
	br_hmac_out(&c, out);
	wipe(&c, sizeof(c));
}

/*
 * A round is two compressions: the state after the inner pad and one block, then the state after the outer
 * pad and one block. BearSSL's contexts do the rest of the work (copies, padding) anew in each round, a third
 * of the time. Its vtable gives out states and takes them back, so the padded blocks are laid out once.
 */
struct rounds {
	br_sha256_context inner, outer;		/* 64 bytes of the pads are in */
	br_sha256_context run;
};

static void start(struct rounds *r, const uint8_t pad_key[static 64])
{
	uint8_t pad[64];

	for (size_t i = 0; i < 64; i++)
		pad[i] = pad_key[i] ^ 0x36;
	br_sha256_init(&r->inner);
	br_sha256_update(&r->inner, pad, 64);
	for (size_t i = 0; i < 64; i++)
		pad[i] = pad_key[i] ^ 0x5C;
	br_sha256_init(&r->outer);
	br_sha256_update(&r->outer, pad, 64);
	wipe(pad, sizeof(pad));
}

static void round_once(struct rounds *r, uint8_t u[static BLOCK])
{
	r->run = r->inner;
	br_sha256_update(&r->run, u, BLOCK);
	br_sha256_out(&r->run, u);
	r->run = r->outer;
	br_sha256_update(&r->run, u, BLOCK);
	br_sha256_out(&r->run, u);
}

static void block(const br_hmac_key_context *key, struct rounds *r, struct span salt, uint32_t rounds,
    uint32_t index, uint8_t t[static BLOCK])
{
	uint8_t count[4] = { (uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8),
		(uint8_t)index };
	uint8_t u[BLOCK];

	mac(key, salt, span_make(count, sizeof(count)), u);
	memcpy(t, u, BLOCK);
	for (uint32_t i = 1; i < rounds; i++) {
		round_once(r, u);
		for (size_t k = 0; k < BLOCK; k++)
			t[k] ^= u[k];
	}
	wipe(u, sizeof(u));
}

void pbkdf2_sha256(uint8_t *out, size_t n, struct span secret, struct span salt, uint32_t rounds)
{
	br_hmac_key_context key;
	uint8_t pad_key[64] = { 0 }, t[BLOCK];
	br_sha256_context h;
	struct rounds r;

	/* RFC 2104: a longer key is hashed */
	if (secret.n > sizeof(pad_key)) {
		br_sha256_init(&h);
		br_sha256_update(&h, secret.p, secret.n);
		br_sha256_out(&h, pad_key);
		wipe(&h, sizeof(h));
	} else if (secret.n > 0) {
		memcpy(pad_key, secret.p, secret.n);
	}
	br_hmac_key_init(&key, &br_sha256_vtable, pad_key, sizeof(pad_key));
	start(&r, pad_key);
	for (uint32_t i = 1; n > 0; i++) {
		size_t some = n < BLOCK ? n : BLOCK;

		block(&key, &r, salt, rounds, i, t);
		memcpy(out, t, some);
		out += some;
		n -= some;
	}
	wipe(&key, sizeof(key));
	wipe(&r, sizeof(r));
	wipe(pad_key, sizeof(pad_key));
	wipe(t, sizeof(t));
}
