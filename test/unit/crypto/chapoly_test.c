#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/err.h"
#include "crypto/chapoly.h"
#include "wycheproof.h"

/* RFC 8439 §2.8.2 */
static const char text[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
    "future, sunscreen would be it.";
static const uint8_t nonce[12] = { 7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47 };
static const uint8_t aad[12] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };

static void test_rfc8439(void **state)
{
	uint8_t key[32], data[114], tag[16], want[16];
	char hex[33];

	(void)state;
	for (uint8_t i = 0; i < 32; i++)
		key[i] = 0x80 + i;
	memcpy(data, text, sizeof(data));
	chapoly_seal(key, nonce, span_make(aad, sizeof(aad)), data, sizeof(data), tag);
	hex_encode(hex, data, 16);
	assert_string_equal(hex, "d31a8d34648e60db7b86afbc53ef7ec2");
	hex_encode(hex, data + 98, 16);
	assert_string_equal(hex, "def08e4b7a9de576d26586cec64b6116");
	assert_true(hex_decode(want, 16, span_of("1ae10b594f09e26a7e902ecbd0600691")));
	assert_memory_equal(tag, want, 16);
	assert_int_equal(chapoly_open(key, nonce, span_make(aad, sizeof(aad)), data, sizeof(data), tag), 0);
	assert_memory_equal(data, text, sizeof(data));
}

/* Any one bit of ciphertext, tag or AAD; and nothing is left of what was decrypted. */
static void test_forged(void **state)
{
	uint8_t key[32] = { 1 }, zeros[40] = { 0 }, sealed[40], data[40], tag[16], a[5] = "hello";

	(void)state;
	memcpy(sealed, text, sizeof(sealed));
	chapoly_seal(key, nonce, span_make(a, 5), sealed, sizeof(sealed), tag);
	for (unsigned bit = 0; bit < 8 * (40 + 16 + 5); bit++) {
		unsigned at = bit / 8;
		uint8_t *b = at < 40 ? data + at : at < 56 ? tag + at - 40 : a + at - 56;

		memcpy(data, sealed, sizeof(data));
		*b ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(chapoly_open(key, nonce, span_make(a, 5), data, sizeof(data), tag),
		    ERR_DAMAGED);
		assert_memory_equal(data, zeros, sizeof(data));
		if (at >= 40)
			*b ^= (uint8_t)(1u << bit % 8);
	}
}

static void wycheproof_one(struct span group, struct span test)
{
	static uint8_t key[WYCHEPROOF_BYTES], iv[WYCHEPROOF_BYTES], add[WYCHEPROOF_BYTES],
	    msg[WYCHEPROOF_BYTES], ct[WYCHEPROOF_BYTES], tag[WYCHEPROOF_BYTES];
	struct span a = wycheproof_hex(test, "aad", add), m = wycheproof_hex(test, "msg", msg),
		    c = wycheproof_hex(test, "ct", ct);
	uint8_t mine[16];
	int rc;

	(void)group;
	assert_int_equal(wycheproof_hex(test, "key", key).n, 32);
	/* Another nonce is not expressible here. */
	if (wycheproof_hex(test, "iv", iv).n != 12)
		return;
	assert_int_equal(wycheproof_hex(test, "tag", tag).n, 16);
	rc = chapoly_open(key, iv, a, ct, c.n, tag);
	assert_int_equal(rc == 0, wycheproof_valid(test));
	if (rc != 0)
		return;
	assert_memory_equal(ct, msg, m.n);
	chapoly_seal(key, iv, a, ct, m.n, mine);
	assert_memory_equal(mine, tag, 16);
}

static void test_wycheproof(void **state)
{
	struct buf b;

	(void)state;
	wycheproof_open("chacha20_poly1305_test.json", &b);
	assert_int_equal(wycheproof_each(buf_span(&b), wycheproof_one),
	    wycheproof_number(buf_span(&b), "numberOfTests"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8439),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_wycheproof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
