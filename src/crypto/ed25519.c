#include <string.h>

#include <bearssl.h>

#include "base/str.h"
#include "base/wipe.h"
#include "crypto/curve25519.h"
#include "crypto/ed25519.h"

#define SHA512_LEN 64

/* RFC 8032 §5.1: y = 4/5, x even. */
static const uint8_t base_point[32] = { 0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66 };

/* r = s * B, without the library's table of multiples of B: 30 KiB for 35 us, once a process. */
static void times_base(uint8_t r[static 32], const uint8_t s[static 32])
{
	ge25519_p3 b, p;

	ge25519_frombytes(&b, base_point);
	ge25519_scalarmult(&p, s, &b);
	ge25519_p3_tobytes(r, &p);
	wipe(&p, sizeof(p));
}

/* §5.1.5: the first half, clamped, is the scalar; the second is the prefix of what makes nonces. */
static void expand(uint8_t out[static SHA512_LEN], const uint8_t seed[static ED25519_SEED_LEN])
{
	br_sha512_context c;

	br_sha512_init(&c);
	br_sha512_update(&c, seed, ED25519_SEED_LEN);
	br_sha512_out(&c, out);
	curve25519_clamp(out);
	wipe(&c, sizeof(c));
}

/* k = SHA-512(R || A || M) mod the order */
static void challenge(uint8_t k[static SHA512_LEN], const uint8_t r[static 32], const uint8_t pub[static 32],
    const void *msg, size_t n)
{
	br_sha512_context c;

	br_sha512_init(&c);
	br_sha512_update(&c, r, 32);
	br_sha512_update(&c, pub, 32);
	br_sha512_update(&c, msg, n);
	br_sha512_out(&c, k);
	sc25519_reduce(k);
}

void ed25519_keygen(struct ed25519_key *key, const uint8_t seed[static ED25519_SEED_LEN])
{
	uint8_t az[SHA512_LEN];

	expand(az, seed);
	memmove(key->seed, seed, ED25519_SEED_LEN);
	times_base(key->pub, az);
	wipe(az, sizeof(az));
}

void ed25519_sign(uint8_t sig[static ED25519_SIG_LEN], const struct ed25519_key *key, const void *msg,
    size_t n)
{
	uint8_t az[SHA512_LEN], nonce[SHA512_LEN], k[SHA512_LEN];
	br_sha512_context c;

	expand(az, key->seed);
	br_sha512_init(&c);
	br_sha512_update(&c, az + 32, 32);
	br_sha512_update(&c, msg, n);
	br_sha512_out(&c, nonce);
	sc25519_reduce(nonce);
	times_base(sig, nonce);
	challenge(k, sig, key->pub, msg, n);
	sc25519_muladd(sig + 32, k, az, nonce);
	wipe(az, sizeof(az));
	wipe(nonce, sizeof(nonce));
	wipe(&c, sizeof(c));
}

bool ed25519_verify(const uint8_t sig[static ED25519_SIG_LEN], const uint8_t pub[static ED25519_PUB_LEN],
    const void *msg, size_t n)
{
	uint8_t k[SHA512_LEN], r[32];
	ge25519_p3 minus_a;
	ge25519_p2 p;

	if (!sc25519_is_canonical(sig + 32) || ge25519_has_small_order(sig))
		return false;
	if (!ge25519_is_canonical(pub) || ge25519_has_small_order(pub))
		return false;
	if (ge25519_frombytes_negate_vartime(&minus_a, pub) != 0)
		return false;
	challenge(k, sig, pub, msg, n);
	/* S * B - k * A must be R: compared as bytes, so an R in another encoding fails. */
	ge25519_double_scalarmult_vartime(&p, k, &minus_a, sig + 32);
	ge25519_tobytes(r, &p);
	return mem_same_ct(r, sig, sizeof(r));
}

void ed25519_wipe(struct ed25519_key *key)
{
	wipe(key, sizeof(*key));
}
