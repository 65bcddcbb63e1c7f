/*
 * p2p/regrecord: the first byte chooses what the rest is: a key as a listing gives it; a record that a member
 * sealed in its own name. What opens keeps to the limits, whatever it says.
 *
 * max_len: 512
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "p2p/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRONT_LEN 28			/* prefix, 8 hex, 8 hex, each with its dash */
#define RECORD_LEN 320

static const uint8_t group[WIRE_GROUP_KEY_LEN] = { 1 }, pub[ED25519_PUB_LEN] = { 2 };
static const struct registry_scope scope = { group, REGISTRY_PREFIX, "net", "o/r" };

static void check(struct span key)
{
	struct registry_record r;

	if (!registry_open(&scope, key, &r))
		return;
	assert(r.naddrs <= REGISTRY_ADDRS_MAX && r.expiry >= 0 && r.expiry <= UINT32_MAX);
	for (size_t i = 0; i < r.naddrs; i++)
		assert(peerid_same(&r.addrs[i].peer, &r.id));
}

static void put_field(struct buf *b, struct span s)
{
	assert(s.n < 128);
	buf_addc(b, (char)s.n);
	buf_addspan(b, s);
}

/* Version, time and public key are in order; what follows is the input's. */
static void seal(struct buf *key, const uint8_t *p, size_t n)
{
	uint8_t record[1 + AEAD_NONCE_LEN + 37 + RECORD_LEN + AEAD_TAG_LEN] = { 1 }, k[AEAD_KEY_LEN];
	uint8_t *at = record + 1 + AEAD_NONCE_LEN;
	struct buf aad;
	struct aead a;

	if (registry_seal(&scope, pub, 1, NULL, 0, key, NULL) != 0)
		abort();
	buf_truncate(key, FRONT_LEN);
	buf_init(&aad, 512);
	put_field(&aad, buf_span(key));
	put_field(&aad, span_of(scope.repository));
	at[0] = 1;
	memcpy(at + 5, pub, sizeof(pub));
	memcpy(at + 37, p, n);
	kdf_hkdf(k, sizeof(k), span_make(group, sizeof(group)), span_of(scope.network_id), "p2p-peers");
	aead_init(&a, k);
	aead_seal(&a, record + 1, buf_span(&aad), at, 37 + n, at + 37 + n);
	b64url_encode(key, record, 1 + AEAD_NONCE_LEN + 37 + n + AEAD_TAG_LEN);
	buf_free(&aad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registry_record r;
	struct buf key;

	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		check(span_make(data + 1, size - 1));
		return 0;
	}
	if (size - 1 > RECORD_LEN)
		return 0;
	buf_init(&key, 1024);
	seal(&key, data + 1, size - 1);
	check(buf_span(&key));
	/* else the record is not what it is taken for here */
	if (size == 1)
		assert(registry_open(&scope, buf_span(&key), &r) && r.naddrs == 0 && r.expiry == 0);
	buf_free(&key);
	return 0;
}
