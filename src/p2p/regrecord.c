#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/rand.h"
#include "base/varint.h"
#include "base/wipe.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "crypto/kdf.h"
#include "p2p/registry.h"

#define SEALED_VERSION 0x01
#define RECORD_VERSION 0x01
#define RECORD_FIXED (1 + 4 + ED25519_PUB_LEN)
#define SEAL_OVER (1 + AEAD_NONCE_LEN + AEAD_TAG_LEN)
#define INFO "p2p-peers"

static void put_field(struct buf *b, struct span s)
{
	uint8_t len[VARINT_MAX_LEN];

	buf_add(b, len, varint_put(len, s.n));
	buf_addspan(b, s);
}

void registry_front(const struct registry_scope *sc, struct buf *b)
{
	uint8_t digest[SHA256_LEN];
	char hex[9];

	hash_sha256(digest, sc->network_id, strlen(sc->network_id));
	hex_encode(hex, digest, 4);
	buf_addf(b, "%s-%s-", sc->prefix, hex);
}

static void put_clear(const struct registry_scope *sc, const struct peerid *id, struct buf *b)
{
	uint8_t mac[HMAC_LEN];
	struct hmac h;
	char hex[9];

	registry_front(sc, b);
	hmac_init(&h, sc->group_key, WIRE_GROUP_KEY_LEN);
	hmac_add(&h, id->bytes, id->n);
	hmac_out(&h, mac);
	hex_encode(hex, mac, 4);
	buf_addf(b, "%s-", hex);
}

static void seal_key(struct aead *a, const struct registry_scope *sc)
{
	uint8_t key[AEAD_KEY_LEN];

	kdf_hkdf(key, sizeof(key), span_make(sc->group_key, WIRE_GROUP_KEY_LEN), span_of(sc->network_id),
	    INFO);
	aead_init(a, key);
	wipe(key, sizeof(key));
}

static void put_aad(const struct registry_scope *sc, struct span clear, struct buf *b)
{
	put_field(b, clear);
	put_field(b, span_of(sc->repository));
}

/* The record; addresses as long as the whole key keeps to its limit. */
static void put_record(struct buf *b, const uint8_t *pub, int64_t expiry, const struct multiaddr *addrs,
    size_t n, size_t clear)
{
	const uint8_t head[] = { RECORD_VERSION, (uint8_t)(expiry >> 24), (uint8_t)(expiry >> 16),
		(uint8_t)(expiry >> 8), (uint8_t)expiry };
	struct buf one;

	buf_add(b, head, sizeof(head));
	buf_add(b, pub, ED25519_PUB_LEN);
	buf_init(&one, MULTIADDR_BIN_MAX);
	for (size_t i = 0; i < n && i < REGISTRY_ADDRS_MAX; i++) {
		size_t before = buf_len(b);

		buf_clear(&one);
		multiaddr_encode(&addrs[i], false, &one);
		put_field(b, buf_span(&one));
		if (clear + ((buf_len(b) + SEAL_OVER) * 4 + 2) / 3 <= REGISTRY_KEY_MAX)
			continue;
		buf_truncate(b, before);
		break;
	}
	buf_free(&one);
}

int registry_seal(const struct registry_scope *sc, const uint8_t pub[static ED25519_PUB_LEN], int64_t expiry,
    const struct multiaddr *addrs, size_t n, struct buf *key, struct err *err)
{
	uint8_t head[1 + AEAD_NONCE_LEN] = { SEALED_VERSION }, tag[AEAD_TAG_LEN];
	struct buf clear, record, aad;
	struct peerid id;
	struct aead a;
	int rc = rand_bytes(head + 1, AEAD_NONCE_LEN, err);

	if (rc != 0)
		return rc;
	peerid_of_ed25519(&id, pub);
	buf_init(&clear, REGISTRY_KEY_MAX);
	buf_init(&record, REGISTRY_KEY_MAX);
	buf_init(&aad, (size_t)2 * REGISTRY_KEY_MAX);
	put_clear(sc, &id, &clear);
	buf_add(&record, head, sizeof(head));
	put_record(&record, pub, expiry, addrs, n, buf_len(&clear) - sizeof(head));
	put_aad(sc, buf_span(&clear), &aad);
	seal_key(&a, sc);
	aead_seal(&a, head + 1, buf_span(&aad), buf_data(&record) + sizeof(head),
	    buf_len(&record) - sizeof(head), tag);
	aead_wipe(&a);
	buf_add(&record, tag, sizeof(tag));
	buf_addspan(key, buf_span(&clear));
	b64url_encode(key, buf_data(&record), buf_len(&record));
	if (clear.failed || record.failed || aad.failed || key->failed)
		rc = err_set(err, ERR_LIMIT, "the names of the network and the repository are too long");
	buf_free(&clear);
	buf_free(&record);
	buf_free(&aad);
	return rc;
}

static bool read_record(const uint8_t *p, size_t n, struct registry_record *r)
{
	if (n < RECORD_FIXED || p[0] != RECORD_VERSION)
		return false;
	r->expiry = (int64_t)p[1] << 24 | (int64_t)p[2] << 16 | (int64_t)p[3] << 8 | p[4];
	peerid_of_ed25519(&r->id, p + 5);
	for (size_t at = RECORD_FIXED; at < n;) {
		uint64_t len;
		int k = varint_get(p + at, n - at, &len);
		struct multiaddr m;
		int kind;

		if (k <= 0 || len > n - at - (size_t)k)
			return false;
		kind = multiaddr_decode(&m, span_make(p + at + k, (size_t)len));
		if (kind < 0)
			return false;
		at += (size_t)k + (size_t)len;
		if (kind == 0 || m.host == MULTIADDR_NONE || r->naddrs == REGISTRY_ADDRS_MAX)
			continue;
		m.peer = r->id;
		r->addrs[r->naddrs++] = m;
	}
	return true;
}

static bool open_sealed(const struct registry_scope *sc, struct span clear, uint8_t *p, size_t n)
{
	const size_t head = 1 + AEAD_NONCE_LEN;
	struct buf aad;
	struct aead a;
	int rc;

	if (n < SEAL_OVER || p[0] != SEALED_VERSION)
		return false;
	buf_init(&aad, (size_t)2 * REGISTRY_KEY_MAX);
	put_aad(sc, clear, &aad);
	seal_key(&a, sc);
	rc = aad.failed ? ERR_LIMIT
			: aead_open(&a, p + 1, buf_span(&aad), p + head, n - SEAL_OVER, p + n - AEAD_TAG_LEN);
	aead_wipe(&a);
	buf_free(&aad);
	return rc == 0;
}

bool registry_open(const struct registry_scope *sc, struct span key, struct registry_record *r)
{
	uint8_t sealed[REGISTRY_KEY_MAX];
	struct buf clear;
	struct span front;
	ssize_t n = -1;
	bool ok = false;

	memset(r, 0, sizeof(*r));
	if (key.n > REGISTRY_KEY_MAX)
		return false;
	buf_init(&clear, REGISTRY_KEY_MAX);
	registry_front(sc, &clear);
	front = span_sub(key, 0, buf_len(&clear) + 9);	/* 8 hex and a dash */
	if (front.n == buf_len(&clear) + 9 && front.p[front.n - 1] == '-')
		n = b64url_decode(sealed, sizeof(sealed), span_sub(key, front.n, key.n));
	if (n > 0 && open_sealed(sc, front, sealed, (size_t)n) &&
	    read_record(sealed + 1 + AEAD_NONCE_LEN, (size_t)n - SEAL_OVER, r)) {
		/* Nothing is signed: whoever has the group key can make a record of any id. It costs a dial
		 * that ends in Noise, which only the holder of that id's key passes. */
		buf_clear(&clear);
		put_clear(sc, &r->id, &clear);
		ok = span_same(buf_span(&clear), front);
	}
	buf_free(&clear);
	return ok;
}
