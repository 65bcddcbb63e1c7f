#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "crypto/hmac.h"
#include "wycheproof.h"

/* RFC 4231 §4; a number is repeated that often. */
static const struct {
	const char *key;
	unsigned nkey;		/* 0: the text once */
	const char *data;
	unsigned ndata;
	const char *want;
} cases[] = { { "\x0b", 20, "Hi There", 0,
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "Jefe", 0, "what do ya want for nothing?", 0,
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "\xaa", 20, "\xdd", 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	{ "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18"
	  "\x19",
	    0, "\xcd", 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
	{ "\x0c", 20, "Test With Truncation", 0,
	    "a3b6167473100ee06e0c796c2955552bfa6f7c0a6a8aef8b93f860aab0cd20c5" },
	{ "\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 0,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	{ "\xaa", 131,
	    "This is a test using a larger than block-size key and a larger than block-size data. The key "
	    "needs to be hashed before being used by the HMAC algorithm.",
	    0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" } };

static struct span repeated(char room[static 200], const char *text, unsigned times)
{
	if (times == 0)
		return span_of(text);
	memset(room, text[0], times);
	return span_make(room, times);
}

static void mac(uint8_t out[static HMAC_LEN], struct span key, struct span data, size_t step)
{
	struct hmac h;

	hmac_init(&h, key.p, key.n);
	for (size_t at = 0; at < data.n; at += step) {
		struct span part = span_sub(data, at, step);

		hmac_add(&h, guard_put(part.p, part.n), part.n);
	}
	hmac_out(&h, out);
}

static void test_rfc4231(void **state)
{
	uint8_t out[HMAC_LEN];
	char k[200], d[200], hex[2 * HMAC_LEN + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t step = 1; step < 200; step += 33) {
			mac(out, repeated(k, cases[i].key, cases[i].nkey),
			    repeated(d, cases[i].data, cases[i].ndata), step);
			hex_encode(hex, out, sizeof(out));
			assert_string_equal(hex, cases[i].want);
		}
}

/* Python: hmac.new(b"k", b"\0" + b"\xc8\1" + b"x" * 200, "sha256") */
static void test_fields(void **state)
{
	struct hmac h;
	uint8_t out[HMAC_LEN];
	char x[200], hex[2 * HMAC_LEN + 1];

	(void)state;
	memset(x, 'x', sizeof(x));
	hmac_init(&h, "k", 1);
	hmac_field(&h, span_of(""));
	hmac_field(&h, span_make(x, sizeof(x)));
	hmac_out(&h, out);
	hex_encode(hex, out, sizeof(out));
	assert_string_equal(hex, "75f50d9382c8b66eaca2626220ead1c8e3663f38d67fec5f25da87498a9147fe");
}

static void test_out_wipes(void **state)
{
	static const struct hmac empty;
	struct hmac h;
	uint8_t out[HMAC_LEN];

	(void)state;
	hmac_init(&h, "key", 3);
	hmac_add(&h, "data", 4);
	assert_memory_not_equal(&h, &empty, sizeof(h));
	hmac_out(&h, out);
	assert_memory_equal(&h, &empty, sizeof(h));
}

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t k[WYCHEPROOF_BYTES], m[WYCHEPROOF_BYTES], t[WYCHEPROOF_BYTES];
	uint8_t out[HMAC_LEN];
	struct span want = wycheproof_hex(test, "tag", t);

	assert_int_equal(want.n, wycheproof_number(group, "tagSize") / 8);
	mac(out, wycheproof_hex(test, "key", k), wycheproof_hex(test, "msg", m), 64);
	assert_int_equal(memcmp(out, want.p, want.n) == 0, wycheproof_valid(test));
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("hmac_sha256_test.json", &b);
	assert_int_equal(wycheproof_each(buf_span(&b), wycheproof_one),
	    wycheproof_number(buf_span(&b), "numberOfTests"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4231),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_out_wipes),
		cmocka_unit_test(test_wycheproof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
