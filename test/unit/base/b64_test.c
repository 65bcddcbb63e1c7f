#include <string.h>

#include "../guard.h"
#include "base/b64.h"
#include "base/buf.h"
#include "base/str.h"
#include "cm.h"

/* RFC 4648 §10; base32 in lower case and without its padding. */
static const struct {
	const char *bytes, *b64, *b32;
} rfc[] = {
	{ "", "", "" },
	{ "f", "Zg==", "my" },
	{ "fo", "Zm8=", "mzxq" },
	{ "foo", "Zm9v", "mzxw6" },
	{ "foob", "Zm9vYg==", "mzxw6yq" },
	{ "fooba", "Zm9vYmE=", "mzxw6ytb" },
	{ "foobar", "Zm9vYmFy", "mzxw6ytboi" },
};

typedef ssize_t decoder(uint8_t *, size_t, struct span);

/* Decodes to just these bytes, into just enough room and not into less. */
static void expect(decoder *decode, const char *text, const void *bytes, size_t n)
{
	uint8_t out[300];
	struct span s = span_make(guard_put(text, strlen(text)), strlen(text));

	memset(out, 0xaa, sizeof out);
	assert_int_equal(decode(out, n, s), n);
	if (n)
		assert_memory_equal(out, bytes, n);
	assert_int_equal(out[n], 0xaa);
	if (n)
		assert_int_equal(decode(out, n - 1, s), -1);
}

static void refuse(decoder *decode, const char *text)
{
	uint8_t out[300];

	if (decode(out, sizeof out, span_make(guard_put(text, strlen(text)), strlen(text))) != -1)
		fail_msg("taken: %s", text);
}

static void test_rfc(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < COUNT(rfc); i++) {
		size_t n = strlen(rfc[i].bytes);
		buf_clear(&b);
		b64_encode(&b, rfc[i].bytes, n);
		assert_string_equal(buf_cstr(&b), rfc[i].b64);
		expect(b64_decode, rfc[i].b64, rfc[i].bytes, n);
		expect(b64url_decode, rfc[i].b64, rfc[i].bytes, n);
		buf_clear(&b);
		b64url_encode(&b, rfc[i].bytes, n);
		assert_int_equal(buf_len(&b), strcspn(rfc[i].b64, "="));
		expect(b64url_decode, buf_cstr(&b), rfc[i].bytes, n);
		buf_clear(&b);
		b32_encode(&b, rfc[i].bytes, n);
		assert_string_equal(buf_cstr(&b), rfc[i].b32);
		expect(b32_decode, rfc[i].b32, rfc[i].bytes, n);
	}
	buf_free(&b);
}

static void test_alphabets(void **state)
{
	static const uint8_t high[] = { 0xfb, 0xff, 0xbf };
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	b64_encode(&b, high, 3);
	assert_string_equal(buf_cstr(&b), "+/+/");
	expect(b64_decode, "+/+/", high, 3);
	refuse(b64url_decode, "+/+/");
	buf_clear(&b);
	b64url_encode(&b, high, 3);
	assert_string_equal(buf_cstr(&b), "-_-_");
	expect(b64url_decode, "-_-_", high, 3);
	refuse(b64_decode, "-_-_");
	expect(b32_decode, "MZXW6YTBOI", "foobar", 6);
	buf_free(&b);
}

static void test_strict(void **state)
{
	static const char *const bad64[] = {
		"Zg",
		"Zg=",
		"Zg===",
		"Z===",
		"====",
		"=",
		"Zm9v=",
		"Zm9vZ",
		"Zm 9v",
		" Zm9v",
		"Zm9v\n",
		"Zm9v\r\n\r\n",
		"Zh==",
		"Zm9=",
		"Zm=v",
		"Z=9v",
		"Zg==Zg==",
		"Zm9v====",
		"Zm9*",
	};
	static const char *const bad_url[] = { "Z", "Zg=", "Zh", "Zm9", "Zm9vZ", "Zg==\n", "=" };
	static const char *const bad32[] = { "m", "mz", "mzx", "mzxqa0", "my======", "my1", "m8", "mzxw6a",
		"my " };

	(void)state;
	for (size_t i = 0; i < COUNT(bad64); i++)
		refuse(b64_decode, bad64[i]);
	for (size_t i = 0; i < COUNT(bad_url); i++)
		refuse(b64url_decode, bad_url[i]);
	for (size_t i = 0; i < COUNT(bad32); i++)
		refuse(b32_decode, bad32[i]);
}

/* Each letter stands for one value, and nothing else is a letter. */
static void test_every_character(void **state)
{
	static decoder *const decoders[] = { b64_decode, b64url_decode, b32_decode };
	static const int letters[] = { 64, 64, 58 };

	(void)state;
	for (size_t d = 0; d < COUNT(decoders); d++) {
		int taken = 0;
		for (int c = 0; c < 256; c++) {
			char text[] = { (char)c, 'A', 'A', 'A', 'A', 'A', 'A', 'A' };
			uint8_t out[8];
			taken += decoders[d](out, sizeof out, span_make(guard_put(text, 8), 8)) >= 0;
		}
		assert_int_equal(taken, letters[d]);
	}
}

static void test_round_trip(void **state)
{
	uint8_t in[256], out[256];
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 167 + 13);
	buf_init(&b, 1000);
	for (size_t n = 0; n <= sizeof in; n++) {
		buf_clear(&b);
		b64_encode(&b, in, n);
		assert_int_equal(buf_len(&b), (n + 2) / 3 * 4);
		assert_int_equal(b64_decode(out, sizeof out, buf_span(&b)), n);
		assert_memory_equal(in, out, n);
		buf_clear(&b);
		b64url_encode(&b, in, n);
		assert_int_equal(b64url_decode(out, sizeof out, buf_span(&b)), n);
		assert_memory_equal(in, out, n);
		buf_clear(&b);
		b32_encode(&b, in, n);
		assert_int_equal(buf_len(&b), (n * 8 + 4) / 5);
		assert_int_equal(b32_decode(out, sizeof out, buf_span(&b)), n);
		assert_memory_equal(in, out, n);
	}
	buf_free(&b);
	buf_init(&b, 5);
	b64_encode(&b, in, 6);
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

/* multiformats/multibase tests: basic, leading_zero, two_leading_zeros, without the letter for the base. */
static void test_multibase(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *b32, *b58, *b64url;
	} table[] = {
		{ "yes mani !", 10, "pfsxgidnmfxgsibb", "7paNL19xttacUY", "eWVzIG1hbmkgIQ" },
		{ "\0yes mani !", 11, "ab4wk4zanvqw42jaee", "17paNL19xttacUY", "AHllcyBtYW5pICE" },
		{ "\0\0yes mani !", 12, "aaahszltebwwc3tjeaqq", "117paNL19xttacUY", "AAB5ZXMgbWFuaSAh" },
		{ "hello world", 11, "nbswy3dpeb3w64tmmq", "StV1DL6CwTryKyV", "aGVsbG8gd29ybGQ" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < COUNT(table); i++) {
		b32_encode(&b, table[i].bytes, table[i].n);
		assert_string_equal(buf_cstr(&b), table[i].b32);
		expect(b32_decode, table[i].b32, table[i].bytes, table[i].n);
		buf_clear(&b);
		assert_int_equal(b58_encode(&b, table[i].bytes, table[i].n), 0);
		assert_string_equal(buf_cstr(&b), table[i].b58);
		expect(b58_decode, table[i].b58, table[i].bytes, table[i].n);
		expect(b64url_decode, table[i].b64url, table[i].bytes, table[i].n);
		buf_clear(&b);
	}
	expect(b32_decode, "PfSxGiDnMfXgSiBb", "yes mani !", 10);
	buf_free(&b);
}

static void test_base58(void **state)
{
	uint8_t in[B58_MAX + 1], out[B58_MAX];
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (int fill = 0; fill < 256; fill += 51)
		for (size_t n = 0; n <= B58_MAX; n++) {
			memset(in, fill, sizeof in);
			in[0] = n % 3 == 0 ? 0 : in[0];
			buf_clear(&b);
			assert_int_equal(b58_encode(&b, in, n), 0);
			assert_int_equal(b58_decode(out, n, buf_span(&b)), n);
			assert_memory_equal(in, out, n);
		}
	buf_clear(&b);
	assert_int_equal(b58_encode(&b, in, B58_MAX + 1), -1);
	assert_int_equal(buf_len(&b), 0);
	memset(in, 255, sizeof in);
	b58_encode(&b, in, B58_MAX);
	buf_addc(&b, '1');
	assert_int_equal(b58_decode(out, sizeof out, buf_span(&b)), -1);
	expect(b58_decode, "", "", 0);
	expect(b58_decode, "1", "\0", 1);
	refuse(b58_decode, "0");
	refuse(b58_decode, "O");
	refuse(b58_decode, "I");
	refuse(b58_decode, "l");
	refuse(b58_decode, "7paNL19xttacU ");
	/* the multibase tables' base36 and base36upper, the prefix left out */
	expect(b36_decode, "2lcpzo5yikidynfl", "yes mani !", 10);
	expect(b36_decode, "2LCPZO5YIKIDYNFL", "yes mani !", 10);
	expect(b36_decode, "02lcpzo5yikidynfl", "\0yes mani !", 11);
	expect(b36_decode, "002lcpzo5yikidynfl", "\0\0yes mani !", 12);
	expect(b36_decode, "", "", 0);
	for (int c = 1; c < 256; c++) {
		char text[2] = { (char)c, '\0' };
		bool is = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		assert_int_equal(b36_decode(out, sizeof out, span_make(text, 1)) == 1, is);
	}
	assert_int_equal(b58_decode(out, sizeof out, span_make("2\0", 2)), -1);
	/* Beyond the conversion's room, however it is made up. */
	char ones[200], zs[200];
	memset(ones, '1', sizeof ones);
	memset(zs, 'z', sizeof zs);
	for (size_t n = 0; n <= 200; n++) {
		assert_int_equal(b58_decode(out, sizeof out, span_make(guard_put(ones, n), n)),
		    n <= 128 ? (int)n : -1);
		assert_int_equal(b58_decode(out, sizeof out, span_make(guard_put(zs, n), n)) >= 0, n <= 174);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_alphabets),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_every_character),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_multibase),
		cmocka_unit_test(test_base58),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
