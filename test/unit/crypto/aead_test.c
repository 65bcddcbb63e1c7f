#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "wycheproof.h"

#define CAVP "/usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/GCM/"

typedef void (*init_fn)(struct aead *, const uint8_t[static AEAD_KEY_LEN]);

static const init_fn inits[] = { aead_init, aead_init_portable };

struct vector {
	const uint8_t *key, *nonce, *tag;
	struct span aad, msg, ct;
	bool valid;
};

static void try(init_fn init, const struct vector *v)
{
	uint8_t *data = malloc(v->ct.n + 1), tag[AEAD_TAG_LEN];
	struct aead a;
	int rc;

	init(&a, v->key);
	memcpy(data, v->ct.p, v->ct.n);
	rc = aead_open(&a, v->nonce, span_make(guard_put(v->aad.p, v->aad.n), v->aad.n), data, v->ct.n,
	    v->tag);
	assert_int_equal(rc, v->valid ? 0 : ERR_DAMAGED);
	if (v->valid) {
		assert_memory_equal(data, v->msg.p, v->msg.n);
		aead_seal(&a, v->nonce, v->aad, data, v->msg.n, tag);
		assert_memory_equal(data, v->ct.p, v->ct.n);
		assert_memory_equal(tag, v->tag, sizeof(tag));
	} else {
		for (size_t i = 0; i < v->ct.n; i++)
			assert_int_equal(data[i], 0);
	}
	aead_wipe(&a);
	free(data);
}

static void try_both(const struct vector *v)
{
	for (size_t i = 0; i < COUNT(inits); i++)
		try(inits[i], v);
}

/* ---- the examples of the GCM paper, cases 13 to 16 ---- */

static const struct {
	const char *key, *nonce, *aad, *msg, *ct, *tag;
} cases[] = {
	{ "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
	    "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
	    "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
	    "d0d1c8a799996bf0265b98b5d48ab919" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	    "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	    "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static struct span hex(const char *text, uint8_t *room)
{
	size_t n = strlen(text) / 2;

	assert_true(n == 0 || hex_decode(room, n, span_of(text)));
	return span_make(room, n);
}

static void test_paper(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t key[32], nonce[12], tag[16], aad[64], msg[64], ct[64];
		struct vector v = { .key = key, .nonce = nonce, .tag = tag, .valid = true };

		hex(cases[i].key, key);
		hex(cases[i].nonce, nonce);
		hex(cases[i].tag, tag);
		v.aad = hex(cases[i].aad, aad);
		v.msg = hex(cases[i].msg, msg);
		v.ct = hex(cases[i].ct, ct);
		try_both(&v);
	}
}

/* What one implementation seals the other opens, at every length around the steps; no bit may be turned. */
static void test_lengths(void **state)
{
	static const uint8_t key[AEAD_KEY_LEN] = { 7 }, nonce[AEAD_NONCE_LEN] = { 9 };
	static const size_t lengths[] = { 0, 1, 15, 16, 17, 63, 64, 4095, 4096, 4097, 10000 };
	uint8_t data[10000], want[10000], tag[AEAD_TAG_LEN], bad[AEAD_TAG_LEN];
	struct aead a, b;

	(void)state;
	aead_init(&a, key);
	aead_init_portable(&b, key);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		for (size_t k = 0; k < lengths[i]; k++)
			data[k] = want[k] = (uint8_t)(k * 31 + i);
		aead_seal(&a, nonce, span_of("about"), data, lengths[i], tag);
		assert_int_equal(aead_open(&b, nonce, span_of("about"), data, lengths[i], tag), 0);
		assert_memory_equal(data, want, lengths[i]);
		aead_seal(&b, nonce, span_of("about"), data, lengths[i], tag);
		memcpy(want, data, lengths[i]);
		assert_int_equal(aead_open(&a, nonce, span_of("abouT"), data, lengths[i], tag), ERR_DAMAGED);
		memcpy(bad, tag, sizeof(bad));
		bad[i % 16] ^= 1;
		memcpy(data, want, lengths[i]);
		assert_int_equal(aead_open(&a, nonce, span_of("about"), data, lengths[i], bad), ERR_DAMAGED);
	}
}

static void test_every_bit(void **state)
{
	static const uint8_t key[AEAD_KEY_LEN] = { 1 }, nonce[AEAD_NONCE_LEN] = { 2 };
	uint8_t sealed[20 + AEAD_TAG_LEN] = "a secret of 20 byte", copy[sizeof(sealed)];
	struct aead a;

	(void)state;
	aead_init(&a, key);
	aead_seal(&a, nonce, span_of(""), sealed, 20, sealed + 20);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		memcpy(copy, sealed, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(aead_open(&a, nonce, span_of(""), copy, 20, copy + 20), ERR_DAMAGED);
	}
	assert_int_equal(aead_open(&a, nonce, span_of(""), sealed, 20, sealed + 20), 0);
	assert_string_equal((char *)sealed, "a secret of 20 byte");
}

/* ---- Wycheproof ---- */

static unsigned tried;

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t key[WYCHEPROOF_BYTES], iv[WYCHEPROOF_BYTES], aad[WYCHEPROOF_BYTES],
	    msg[WYCHEPROOF_BYTES], ct[WYCHEPROOF_BYTES], tag[WYCHEPROOF_BYTES];
	struct vector v = { .key = key, .nonce = iv, .tag = tag };

	if (wycheproof_number(group, "keySize") != 256 || wycheproof_number(group, "ivSize") != 96 ||
	    wycheproof_number(group, "tagSize") != 128)
		return;
	wycheproof_hex(test, "key", key);
	wycheproof_hex(test, "iv", iv);
	wycheproof_hex(test, "tag", tag);
	v.aad = wycheproof_hex(test, "aad", aad);
	v.msg = wycheproof_hex(test, "msg", msg);
	v.ct = wycheproof_hex(test, "ct", ct);
	v.valid = wycheproof_valid(test);
	try_both(&v);
	tried++;
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("aes_gcm_test.json", &b);
	tried = 0;
	wycheproof_each(buf_span(&b), wycheproof_one);
	assert_true(tried >= 60);
	buf_free(&b);
}

/* ---- NIST CAVP: "Key = hex" lines, an empty line or FAIL ends a case ---- */

struct cavp {
	unsigned keys, ivs, tags;	/* bits, of the section */
	uint8_t key[32], iv[12], aad[256], msg[256], ct[256], tag[16];
	size_t naad, nmsg, nct;
	bool fail, some;
	unsigned cases, failing;
};

static size_t cavp_hex(struct span v, uint8_t *to, size_t most)
{
	if (v.n / 2 > most)
		return 0;		/* of a section that is not ours */
	assert_true(v.n == 0 || hex_decode(to, v.n / 2, v));
	return v.n / 2;
}

static void cavp_end(struct cavp *c)
{
	struct vector v = { c->key, c->iv, c->tag, span_make(c->aad, c->naad), span_make(c->msg, c->nmsg),
		span_make(c->ct, c->nct), !c->fail };

	if (c->some && c->ivs == 96 && c->tags == 128) {
		try_both(&v);
		c->cases++;
		c->failing += c->fail;
	}
	c->some = c->fail = false;
}

static void cavp_line(struct cavp *c, struct span line)
{
	ptrdiff_t eq = span_chr(line, '=');
	struct span name = span_trim(span_before(line, '=')), v;

	if (span_eq(name, "FAIL"))
		c->fail = true;
	if (eq < 0)
		return;
	v = span_trim(span_sub(line, (size_t)eq + 1, line.n));
	if (span_eq(name, "[IVlen"))
		c->ivs = (unsigned)strtoul(v.p, NULL, 10);
	else if (span_eq(name, "[Taglen"))
		c->tags = (unsigned)strtoul(v.p, NULL, 10);
	else if (span_eq(name, "Count"))
		cavp_end(c);
	else if (span_eq(name, "Key"))
		c->some = cavp_hex(v, c->key, 32) == 32;
	else if (span_eq(name, "IV"))
		cavp_hex(v, c->iv, 12);
	else if (span_eq(name, "PT"))
		c->nmsg = cavp_hex(v, c->msg, 256);
	else if (span_eq(name, "AAD"))
		c->naad = cavp_hex(v, c->aad, 256);
	else if (span_eq(name, "CT"))
		c->nct = cavp_hex(v, c->ct, 256);
	else if (span_eq(name, "Tag"))
		cavp_hex(v, c->tag, 16);
}

static void cavp_file(const char *path, struct cavp *c)
{
	struct buf b;
	struct span rest, line;

	memset(c, 0, sizeof(*c));
	buf_init(&b, 16 << 20);
	if (file_read(path, 16 << 20, true, &b, NULL) != 0) {
		print_message("skipped: no %s (package python3-cryptography-vectors)\n", path);
		skip();
	}
	rest = buf_span(&b);
	while (span_cut(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > 2 && line.p[0] == '[')
			cavp_end(c);
		cavp_line(c, line);
	}
	cavp_end(c);
	buf_free(&b);
}

static void test_cavp(void **state)
{
	struct cavp c;

	(void)state;
	cavp_file(CAVP "gcmEncryptExtIV256.rsp", &c);
	assert_int_equal(c.cases, 375);
	cavp_file(CAVP "gcmDecrypt256.rsp", &c);
	assert_int_equal(c.cases, 375);
	assert_true(c.failing > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paper),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_wycheproof),
		cmocka_unit_test(test_cavp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
