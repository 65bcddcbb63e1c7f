#include <string.h>

#include "base/wipe.h"
#include "crypto/kdf.h"
#include "p2p/noisexx.h"

/* §5.2: 32 bytes, so the hash begins as the name itself. */
static const char name[] = "Noise_XX_25519_ChaChaPoly_SHA256";

/* ---- ciphers ---- */

static void make_nonce(uint8_t out[static CHAPOLY_NONCE_LEN], uint64_t n)
{
	memset(out, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(n >> 8 * i);
}

static bool seal(struct noisexx_cipher *c, struct span ad, uint8_t *data, size_t n)
{
	uint8_t nonce[CHAPOLY_NONCE_LEN];

	if (c->n == UINT64_MAX)
		return false;
	make_nonce(nonce, c->n++);
	chapoly_seal(c->key, nonce, ad, data, n, data + n);
	return true;
}

static bool open(struct noisexx_cipher *c, struct span ad, uint8_t *data, size_t n)
{
	uint8_t nonce[CHAPOLY_NONCE_LEN];

	if (c->n == UINT64_MAX || n < NOISEXX_TAG_LEN)
		return false;
	make_nonce(nonce, c->n);
	if (chapoly_open(c->key, nonce, ad, data, n - NOISEXX_TAG_LEN, data + n - NOISEXX_TAG_LEN) != 0)
		return false;
	c->n++;
	return true;
}

bool noisexx_seal(struct noisexx_cipher *c, uint8_t *data, size_t n)
{
	return seal(c, span_of(""), data, n);
}

bool noisexx_open(struct noisexx_cipher *c, uint8_t *data, size_t n)
{
	return open(c, span_of(""), data, n);
}

/* ---- §5.2: the symmetric state ---- */

static void mix_hash(struct noisexx *x, const void *p, size_t n)
{
	struct hash_sha256 h;

	hash_sha256_init(&h);
	hash_sha256_add(&h, x->h, sizeof(x->h));
	hash_sha256_add(&h, p, n);
	hash_sha256_out(&h, x->h);
}

/* §4.3: two outputs of HKDF, which is RFC 5869's with an empty info. */
static void derive(struct noisexx *x, struct span ikm, uint8_t out[static 2 * SHA256_LEN])
{
	kdf_hkdf(out, 2 * SHA256_LEN, ikm, span_make(x->ck, sizeof(x->ck)), "");
}

/* false: no secret came of it */
static bool mix_dh(struct noisexx *x, const uint8_t *key, const uint8_t *pub)
{
	uint8_t secret[X25519_LEN], out[2 * SHA256_LEN];
	bool ok = x25519(secret, key, pub);

	derive(x, span_make(secret, sizeof(secret)), out);
	memcpy(x->ck, out, SHA256_LEN);
	memcpy(x->k.key, out + SHA256_LEN, SHA256_LEN);
	x->k.n = 0;
	x->has_key = true;
	wipe(secret, sizeof(secret));
	wipe(out, sizeof(out));
	return ok;
}

static size_t encrypt_and_hash(struct noisexx *x, struct span plain, uint8_t *out)
{
	size_t n = plain.n;

	memcpy(out, plain.p, n);
	if (x->has_key) {
		seal(&x->k, span_make(x->h, sizeof(x->h)), out, n);
		n += NOISEXX_TAG_LEN;
	}
	mix_hash(x, out, n);
	return n;
}

/* In place; *plain gets what was in it. */
static bool decrypt_and_hash(struct noisexx *x, uint8_t *data, size_t n, struct span *plain)
{
	struct noisexx before = *x;
	size_t tag = x->has_key ? NOISEXX_TAG_LEN : 0;
	bool ok = n >= tag;

	/* The hash is of the ciphertext, which is gone afterwards. */
	if (ok)
		mix_hash(x, data, n);
	if (ok && x->has_key)
		ok = open(&x->k, span_make(before.h, sizeof(before.h)), data, n);
	*plain = span_make(data, ok ? n - tag : 0);
	wipe(&before, sizeof(before));
	return ok;
}

static void split(struct noisexx *x)
{
	uint8_t out[2 * SHA256_LEN];
	bool first = x->dialer;

	derive(x, span_of(""), out);
	memcpy(x->send.key, first ? out : out + SHA256_LEN, SHA256_LEN);
	memcpy(x->receive.key, first ? out + SHA256_LEN : out, SHA256_LEN);
	x->send.n = x->receive.n = 0;
	wipe(out, sizeof(out));
	wipe(x->ck, sizeof(x->ck));
	wipe(&x->k, sizeof(x->k));
	wipe(x->e, sizeof(x->e));
}

/* ---- §5.3: the handshake ---- */

void noisexx_init(struct noisexx *x, bool dialer, const uint8_t s[static X25519_LEN],
    const uint8_t s_pub[static X25519_LEN], const uint8_t e[static X25519_LEN], struct span prologue)
{
	memset(x, 0, sizeof(*x));
	x->dialer = dialer;
	memcpy(x->h, name, sizeof(x->h));
	memcpy(x->ck, name, sizeof(x->ck));
	memcpy(x->s, s, X25519_LEN);
	memcpy(x->s_pub, s_pub, X25519_LEN);
	memcpy(x->e, e, X25519_LEN);
	x25519_public(x->e_pub, e);
	mix_hash(x, prologue.p, prologue.n);
}

void noisexx_wipe(struct noisexx *x)
{
	wipe(x, sizeof(*x));
}

bool noisexx_writes(const struct noisexx *x)
{
	return x->turn < 3 && (x->turn % 2 == 0) == x->dialer;
}

static size_t put_e(struct noisexx *x, uint8_t *out)
{
	memcpy(out, x->e_pub, X25519_LEN);
	mix_hash(x, x->e_pub, X25519_LEN);
	return X25519_LEN;
}

size_t noisexx_write(struct noisexx *x, struct span payload, uint8_t *out)
{
	struct span s = span_make(x->s_pub, X25519_LEN);
	bool ok = true;
	size_t n = 0;

	if (x->turn < 2)
		n += put_e(x, out);
	if (x->turn == 1)
		ok = mix_dh(x, x->e, x->re);
	if (x->turn > 0) {
		n += encrypt_and_hash(x, s, out + n);
		ok = mix_dh(x, x->s, x->re) && ok;
	}
	n += encrypt_and_hash(x, payload, out + n);
	if (++x->turn == 3)
		split(x);
	return ok ? n : 0;
}

static bool get_e(struct noisexx *x, uint8_t **p, size_t *n)
{
	if (*n < X25519_LEN)
		return false;
	memcpy(x->re, *p, X25519_LEN);
	mix_hash(x, x->re, X25519_LEN);
	*p += X25519_LEN;
	*n -= X25519_LEN;
	return true;
}

static bool get_s(struct noisexx *x, uint8_t **p, size_t *n)
{
	struct span s;

	if (*n < X25519_LEN + NOISEXX_TAG_LEN || !decrypt_and_hash(x, *p, X25519_LEN + NOISEXX_TAG_LEN, &s))
		return false;
	memcpy(x->rs, s.p, X25519_LEN);
	*p += X25519_LEN + NOISEXX_TAG_LEN;
	*n -= X25519_LEN + NOISEXX_TAG_LEN;
	return true;
}

bool noisexx_read(struct noisexx *x, uint8_t *message, size_t n, struct span *payload)
{
	*payload = span_of("");
	if (x->turn < 2 && !get_e(x, &message, &n))
		return false;
	if (x->turn == 1 && !mix_dh(x, x->e, x->re))
		return false;
	if (x->turn > 0 && (!get_s(x, &message, &n) || !mix_dh(x, x->e, x->rs)))
		return false;
	if (!decrypt_and_hash(x, message, n, payload))
		return false;
	if (++x->turn == 3)
		split(x);
	return true;
}
