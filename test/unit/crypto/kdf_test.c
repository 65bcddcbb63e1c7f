#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "crypto/kdf.h"
#include "wycheproof.h"

static void expect(const char *secret, const char *salt, const char *info, const char *want)
{
	uint8_t s[80], t[80], out[82], w[82];
	size_t ns = strlen(secret) / 2, nt = strlen(salt) / 2, n = strlen(want) / 2;

	assert_true(hex_decode(s, ns, span_of(secret)));
	assert_true(nt == 0 || hex_decode(t, nt, span_of(salt)));
	assert_true(hex_decode(w, n, span_of(want)));
	kdf_hkdf(out, n, span_make(s, ns), span_make(t, nt), info);
	assert_memory_equal(out, w, n);
	/* a shorter output is the front of a longer one */
	memset(out, 0, sizeof(out));
	kdf_hkdf(out, 7, span_make(s, ns), span_make(t, nt), info);
	assert_memory_equal(out, w, 7);
	assert_int_equal(out[7], 0);
}

/* RFC 5869 appendix A */
static void test_rfc5869(void **state)
{
	static const char long_info[] = "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0"
					"\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca"
					"\xcb\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb"
					"\xdc\xdd\xde\xdf\xe0\xe1\xe2\xe3\xe4\xe5"
					"\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6"
					"\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff";

	(void)state;
	expect("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
	    "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9",
	    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	expect("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2"
	       "e2f"
	       "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
	    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
	    "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	    long_info,
	    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
	    "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
	expect("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

/* Without a salt: a string of zeros. */
static void test_no_salt(void **state)
{
	static const uint8_t zeros[32];
	uint8_t a[40], b[40];

	(void)state;
	kdf_hkdf(a, sizeof(a), span_of("secret"), span_of(""), "info");
	kdf_hkdf(b, sizeof(b), span_of("secret"), span_make(zeros, sizeof(zeros)), "info");
	assert_memory_equal(a, b, sizeof(a));
	kdf_hkdf(b, sizeof(b), span_of("secret"), span_of(""), "other");
	assert_memory_not_equal(a, b, sizeof(a));
}

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t ikm[WYCHEPROOF_BYTES], salt[WYCHEPROOF_BYTES], info[WYCHEPROOF_BYTES],
	    okm[WYCHEPROOF_BYTES], out[WYCHEPROOF_BYTES];
	struct span i = wycheproof_hex(test, "info", info), want = wycheproof_hex(test, "okm", okm);
	uint64_t size = wycheproof_number(test, "size");

	(void)group;
	/* An info of ours is a C string; too long an output is not asked for. */
	if (span_chr(i, '\0') >= 0 || size > 255 * 32)
		return;
	info[i.n] = '\0';
	kdf_hkdf(out, size, wycheproof_hex(test, "ikm", ikm), wycheproof_hex(test, "salt", salt),
	    (const char *)info);
	assert_int_equal(memcmp(out, want.p, want.n) == 0, wycheproof_valid(test));
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("hkdf_sha256_test.json", &b);
	assert_int_equal(wycheproof_each(buf_span(&b), wycheproof_one),
	    wycheproof_number(buf_span(&b), "numberOfTests"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5869),
		cmocka_unit_test(test_no_salt),
		cmocka_unit_test(test_wycheproof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
