#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/varint.h"
#include "crypto/hash.h"
#include "p2p/peerid.h"

/* multihash codes (multiformats/multicodec), and the codec of a CID that is a peer id */
#define HASH_IDENTITY 0x00
#define HASH_SHA256 0x12
#define CID_V1 0x01
#define CODEC_LIBP2P_KEY 0x72

#define OWN_PREFIX "\x08\x01\x12\x20"

/* ---- keys ---- */

/* Sizes of the data: raw points, and for the others the DER form of a SubjectPublicKeyInfo. */
static const struct {
	const char *name;
	size_t min, max;
} types[] = {
	[PEERID_RSA] = { "RSA", 160, 1100 },
	[PEERID_ED25519] = { "Ed25519", 32, 32 },
	[PEERID_SECP256K1] = { "secp256k1", 33, 33 },
	[PEERID_ECDSA] = { "ECDSA", 59, 160 }
};

void peerid_own_key(uint8_t out[static PEERID_OWN_KEY_LEN], const uint8_t pub[static ED25519_PUB_LEN])
{
	memcpy(out, OWN_PREFIX, 4);
	memcpy(out + 4, pub, ED25519_PUB_LEN);
}

const char *peerid_key_name(enum peerid_key_type type)
{
	return types[type].name;
}

static bool is_of_type(const struct peerid_key *key)
{
	const char *p = key->data.p;

	if (key->data.n < types[key->type].min || key->data.n > types[key->type].max)
		return false;
	switch (key->type) {
	case PEERID_ED25519:
		return true;
	case PEERID_SECP256K1:
		return p[0] == 2 || p[0] == 3;	/* compressed */
	case PEERID_RSA:
	case PEERID_ECDSA:
		return p[0] == 0x30;		/* a SEQUENCE */
	}
	return false;
}

bool peerid_key_parse(struct span m, struct peerid_key *key)
{
	uint64_t len;
	int n;

	if (m.n < 4 || m.n > PEERID_KEY_MAX || m.p[0] != 0x08 || (uint8_t)m.p[1] > PEERID_ECDSA ||
	    m.p[2] != 0x12)
		return false;
	n = varint_get(m.p + 3, m.n - 3, &len);
	if (n < 0 || len != m.n - 3 - (size_t)n)
		return false;
	key->type = (enum peerid_key_type)m.p[1];
	key->data = span_sub(m, 3 + (size_t)n, (size_t)len);
	return is_of_type(key);
}

/* ---- ids ---- */

void peerid_of_key(struct peerid *id, struct span message)
{
	memset(id, 0, sizeof(*id));
	if (message.n <= PEERID_INLINE_MAX) {
		id->bytes[0] = HASH_IDENTITY;
		id->bytes[1] = (uint8_t)message.n;
		memcpy(id->bytes + 2, message.p, message.n);
		id->n = (uint8_t)(2 + message.n);
	} else {
		id->bytes[0] = HASH_SHA256;
		id->bytes[1] = SHA256_LEN;
		hash_sha256(id->bytes + 2, message.p, message.n);
		id->n = 2 + SHA256_LEN;
	}
}

void peerid_of_ed25519(struct peerid *id, const uint8_t pub[static ED25519_PUB_LEN])
{
	uint8_t key[PEERID_OWN_KEY_LEN];

	peerid_own_key(key, pub);
	peerid_of_key(id, span_make(key, sizeof(key)));
}

bool peerid_ed25519(const struct peerid *id, uint8_t pub[static ED25519_PUB_LEN])
{
	struct peerid_key key;

	if (id->n < 2 || id->bytes[0] != HASH_IDENTITY ||
	    !peerid_key_parse(span_make(id->bytes + 2, id->n - 2u), &key) || key.type != PEERID_ED25519)
		return false;
	memcpy(pub, key.data.p, ED25519_PUB_LEN);
	return true;
}

bool peerid_decode(struct peerid *id, struct span hash)
{
	struct peerid_key key;
	uint8_t code, len;

	memset(id, 0, sizeof(*id));
	if (hash.n < 2 || hash.n > PEERID_MAX)
		return false;
	code = (uint8_t)hash.p[0];
	len = (uint8_t)hash.p[1];
	if (len != hash.n - 2 || (code != HASH_IDENTITY && !(code == HASH_SHA256 && len == SHA256_LEN)))
		return false;
	if (code == HASH_IDENTITY && !peerid_key_parse(span_sub(hash, 2, len), &key))
		return false;
	memcpy(id->bytes, hash.p, hash.n);
	id->n = (uint8_t)hash.n;
	return true;
}

/* ---- text ---- */

/* A multibase string (multiformats/multibase) of one of the bases that CIDs are written in. */
static ssize_t multibase(uint8_t *out, size_t size, struct span text)
{
	struct span rest = span_sub(text, 1, text.n);

	switch (text.p[0]) {
	case 'b':
	case 'B':
		return b32_decode(out, size, rest);
	case 'k':
	case 'K':
		return b36_decode(out, size, rest);
	case 'z':
		return b58_decode(out, size, rest);
	case 'f':
	case 'F':
		if (rest.n / 2 > size || !hex_decode(out, rest.n / 2, rest))
			return -1;
		return (ssize_t)(rest.n / 2);
	}
	return -1;
}

bool peerid_parse(struct peerid *id, struct span text)
{
	uint8_t room[2 + PEERID_MAX];
	ssize_t n;

	id->n = 0;
	if (text.n < 2 || text.n >= 2 * PEERID_TEXT_MAX)
		return false;
	if (text.p[0] == '1' || span_starts(text, "Qm")) {
		n = b58_decode(room, PEERID_MAX, text);
		return n > 0 && peerid_decode(id, span_make(room, (size_t)n));
	}
	n = multibase(room, sizeof(room), text);
	return n > 2 && room[0] == CID_V1 && room[1] == CODEC_LIBP2P_KEY &&
	    peerid_decode(id, span_make(room + 2, (size_t)n - 2));
}

static void take_text(struct buf *b, char out[static PEERID_TEXT_MAX])
{
	if (!span_copy(out, PEERID_TEXT_MAX, buf_span(b)))
		out[0] = '\0';
	buf_free(b);
}

void peerid_text(const struct peerid *id, char out[static PEERID_TEXT_MAX])
{
	struct buf b;

	buf_init(&b, PEERID_TEXT_MAX);
	b58_encode(&b, id->bytes, id->n);
	take_text(&b, out);
}

void peerid_cid(const struct peerid *id, char out[static PEERID_TEXT_MAX])
{
	uint8_t cid[2 + PEERID_MAX] = { CID_V1, CODEC_LIBP2P_KEY };
	struct buf b;

	buf_init(&b, PEERID_TEXT_MAX);
	memcpy(cid + 2, id->bytes, id->n);
	buf_addc(&b, 'b');
	b32_encode(&b, cid, 2u + id->n);
	take_text(&b, out);
}

bool peerid_same(const struct peerid *a, const struct peerid *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

int peerid_cmp(const struct peerid *a, const struct peerid *b)
{
	return span_cmp(peerid_span(a), peerid_span(b));
}

struct span peerid_span(const struct peerid *id)
{
	return span_make(id->bytes, id->n);
}
