#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "crypto/x25519.h"
#include "wycheproof.h"

static void bytes(uint8_t out[static 32], const char *hex)
{
	assert_true(hex_decode(out, 32, span_of(hex)));
}

static void expect(const char *key, const char *pub, const char *secret)
{
	uint8_t k[32], p[32], s[32], out[32];

	bytes(k, key);
	bytes(p, pub);
	bytes(s, secret);
	assert_true(x25519(out, k, p));
	assert_memory_equal(out, s, 32);
	/* in place */
	assert_true(x25519(p, k, p));
	assert_memory_equal(p, s, 32);
}

/* RFC 7748 §5.2 and §6.1 */
static void test_rfc7748(void **state)
{
	uint8_t k[32], pub[32], want[32];

	(void)state;
	expect("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	expect("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	    "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
	bytes(k, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	bytes(want, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	x25519_public(pub, k);
	assert_memory_equal(pub, want, 32);
}

/* Points of small order give nothing away, and nothing. */
static void test_small_order(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"
	};
	uint8_t k[32], p[32], out[32];

	(void)state;
	memset(k, 7, sizeof(k));
	for (size_t i = 0; i < COUNT(points); i++) {
		bytes(p, points[i]);
		assert_false(x25519(out, k, p));
	}
}

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t priv[WYCHEPROOF_BYTES], pub[WYCHEPROOF_BYTES], shared[WYCHEPROOF_BYTES];
	static const uint8_t zeros[32];
	uint8_t out[32];

	(void)group;
	assert_int_equal(wycheproof_hex(test, "private", priv).n, 32);
	assert_int_equal(wycheproof_hex(test, "public", pub).n, 32);
	assert_int_equal(wycheproof_hex(test, "shared", shared).n, 32);
	/* "acceptable" ones have non-canonical or twisted points: computed alike; zero results are refused */
	assert_int_equal(x25519(out, priv, pub), memcmp(shared, zeros, 32) != 0);
	assert_memory_equal(out, shared, 32);
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("x25519_test.json", &b);
	assert_int_equal(wycheproof_each(buf_span(&b), wycheproof_one),
	    wycheproof_number(buf_span(&b), "numberOfTests"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7748),
		cmocka_unit_test(test_small_order),
		cmocka_unit_test(test_wycheproof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
