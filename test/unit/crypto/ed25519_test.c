#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "crypto/ed25519.h"
#include "wycheproof.h"

/* RFC 8032 §7.1: tests 1, 2, 3 and "SHA(abc)" */
static const struct {
	const char *seed, *pub, *msg, *sig;
} cases[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
	    "d25bf5f0595bbe24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
	    "387b2eaeb4302aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
	    "4a7c15e9716ed28dc027beceea1ec40a" },
	{ "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
	    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
	    "454d4423643ce80e2a9ac94fa54ca49f",
	    "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
	    "3dca179c138ac17ad9bef1177331a704" }
};

static size_t bytes(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	assert_true(n == 0 || hex_decode(out, n, span_of(hex)));
	return n;
}

static void test_rfc8032(void **state)
{
	uint8_t seed[32], pub[32], msg[64], want[64], sig[64];
	struct ed25519_key key;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bytes(seed, cases[i].seed);
		bytes(pub, cases[i].pub);
		bytes(want, cases[i].sig);
		size_t n = bytes(msg, cases[i].msg);
		ed25519_keygen(&key, seed);
		assert_memory_equal(key.pub, pub, 32);
		assert_memory_equal(key.seed, seed, 32);
		ed25519_sign(sig, &key, guard_put(msg, n), n);
		assert_memory_equal(sig, want, 64);
		assert_true(ed25519_verify(sig, pub, guard_put(msg, n), n));
		assert_false(ed25519_verify(sig, pub, "other", 5));
		ed25519_wipe(&key);
		assert_memory_not_equal(key.seed, seed, 32);
	}
}

/* Any one bit of signature, key or message matters. */
static void test_every_bit(void **state)
{
	uint8_t pub[32], msg[2], sig[64];

	(void)state;
	bytes(pub, cases[2].pub);
	bytes(msg, cases[2].msg);
	bytes(sig, cases[2].sig);
	for (unsigned bit = 0; bit < 8 * (32 + 2 + 64); bit++) {
		unsigned at = bit / 8;
		uint8_t *b = at < 64 ? sig + at : at < 96 ? pub + at - 64 : msg + at - 96;

		*b ^= (uint8_t)(1u << bit % 8);
		assert_false(ed25519_verify(sig, pub, msg, 2));
		*b ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(ed25519_verify(sig, pub, msg, 2));
}

/* S and S + order satisfy the same equation; only the smaller is a signature. */
static void test_second_s(void **state)
{
	static const char order[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
	uint8_t pub[32], sig[64], l[32];
	unsigned carry = 0;

	(void)state;
	bytes(pub, cases[0].pub);
	bytes(sig, cases[0].sig);
	bytes(l, order);
	for (unsigned i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + l[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_false(ed25519_verify(sig, pub, "", 0));
}

/* With the neutral element as the key, R = B and S = 1 fit every message; so do its other encodings and, for
 * one message in eight, other points of small order. */
static void test_small_order(void **state)
{
	static const char *const keys[] = {
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
	};
	uint8_t pub[32], sig[64] = { 0x58 };

	(void)state;
	memset(sig + 1, 0x66, 31);
	sig[32] = 1;
	for (size_t i = 0; i < COUNT(keys); i++) {
		bytes(pub, keys[i]);
		for (uint8_t m = 0; m < 64; m++)
			assert_false(ed25519_verify(sig, pub, &m, 1));
	}
}

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t msg[WYCHEPROOF_BYTES], sig[WYCHEPROOF_BYTES], pub[WYCHEPROOF_BYTES];
	struct span key, m = wycheproof_hex(test, "msg", msg), s = wycheproof_hex(test, "sig", sig);

	assert_int_equal(jscan_member(group, "publicKey", &key), 1);
	assert_int_equal(wycheproof_hex(key, "pk", pub).n, 32);
	/* Another length is not expressible here. */
	if (s.n != ED25519_SIG_LEN)
		assert_false(wycheproof_valid(test));
	else
		assert_int_equal(ed25519_verify(sig, pub, guard_put(m.p, m.n), m.n), wycheproof_valid(test));
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("ed25519_test.json", &b);
	assert_int_equal(wycheproof_each(buf_span(&b), wycheproof_one),
	    wycheproof_number(buf_span(&b), "numberOfTests"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8032),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_second_s),
		cmocka_unit_test(test_small_order),
		cmocka_unit_test(test_wycheproof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
