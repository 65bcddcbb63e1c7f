#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "crypto/pbkdf2.h"
#include "wycheproof.h"

/* RFC 7914 §11 */
static const struct {
	const char *secret, *salt, *want;
	uint32_t rounds;
} cases[] = {
	{ "passwd", "salt",
	    "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	    "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
	    1 },
	{ "Password", "NaCl",
	    "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
	    "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
	    80000 },
};

static void test_rfc7914(void **state)
{
	uint8_t want[64], got[65];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(hex_decode(want, sizeof(want), span_of(cases[i].want)));
		for (size_t n = 1; n <= 64; n += 21) {
			memset(got, 0xA5, sizeof(got));
			pbkdf2_sha256(got, n, span_of(cases[i].secret), span_of(cases[i].salt),
			    cases[i].rounds);
			assert_memory_equal(got, want, n);
			assert_int_equal(got[n], 0xA5);
		}
	}
}

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t secret[WYCHEPROOF_BYTES], salt[WYCHEPROOF_BYTES], dk[WYCHEPROOF_BYTES],
	    out[WYCHEPROOF_BYTES];
	struct span s = wycheproof_hex(test, "password", secret), t = wycheproof_hex(test, "salt", salt),
		    want = wycheproof_hex(test, "dk", dk);

	(void)group;
	pbkdf2_sha256(out, want.n, s, t, (uint32_t)wycheproof_number(test, "iterationCount"));
	assert_int_equal(memcmp(out, want.p, want.n) == 0, wycheproof_valid(test));
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("pbkdf2_hmacsha256_test.json", &b);
	assert_int_equal(wycheproof_each(buf_span(&b), wycheproof_one),
	    wycheproof_number(buf_span(&b), "numberOfTests"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7914),
		cmocka_unit_test(test_wycheproof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
