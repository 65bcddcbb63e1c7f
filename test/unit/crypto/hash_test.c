#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/hex.h"
#include "crypto/hash.h"

/* FIPS 180-4 examples and NIST's byte-oriented short messages; 55, 56 and 64 bytes are the edges of the
 * padding. */
static const struct {
	const char *text, *want;
} cases[] = { { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmn"
	  "opqrst"
	  "nopqrstu",
	    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	{ "\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1" },
	{ "\x11\xaf", "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98" } };

static void expect(const uint8_t digest[static SHA256_LEN], const char *want)
{
	char hex[2 * SHA256_LEN + 1];

	hex_encode(hex, digest, SHA256_LEN);
	assert_string_equal(hex, want);
}

static void test_known(void **state)
{
	uint8_t d[SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = strlen(cases[i].text);

		hash_sha256(d, guard_put(cases[i].text, n), n);
		expect(d, cases[i].want);
	}
}

/* FIPS 180-4 examples; NIST's short messages; 55, 56 and 119 bytes are the edges of the padding (sha1sum). */
static const struct {
	const char *text, *want;
} sha1_cases[] = { { "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
	{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	{ "\x36", "c1dfd96eea8cc2b62785275bca38ac261256e278" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aa"
	  "aaaaaaaaaaaaaaaaaaa",
	    "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56" } };

static void expect_sha1(const struct hash_sha1 *h, const char *want)
{
	char hex[2 * SHA1_LEN + 1];
	uint8_t d[SHA1_LEN];

	hash_sha1_out(h, d);
	hex_encode(hex, d, SHA1_LEN);
	assert_string_equal(hex, want);
}

static void test_sha1(void **state)
{
	struct hash_sha1 h;

	(void)state;
	for (size_t i = 0; i < COUNT(sha1_cases); i++)
		for (size_t cut = 0, n = strlen(sha1_cases[i].text); cut <= n; cut++) {
			const char *p = guard_put(sha1_cases[i].text, n);

			hash_sha1_init(&h);
			hash_sha1_add(&h, p, cut);
			hash_sha1_add(&h, p + cut, n - cut);
			expect_sha1(&h, sha1_cases[i].want);
			expect_sha1(&h, sha1_cases[i].want);
		}
}

/* FIPS 180-4's third example of each, added in uneven pieces. */
static void test_sha1_million(void **state)
{
	struct hash_sha1 h;
	char a[1000];

	(void)state;
	memset(a, 'a', sizeof(a));
	hash_sha1_init(&h);
	for (size_t done = 0, n; done < 1000000; done += n) {
		n = done % 997 + 1;
		n = n < 1000000 - done ? n : 1000000 - done;
		hash_sha1_add(&h, a, n);
	}
	expect_sha1(&h, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void test_pieces(void **state)
{
	struct hash_sha256 h;
	uint8_t d[SHA256_LEN], part[SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t cut = 0, n = strlen(cases[i].text); cut <= n; cut++) {
			hash_sha256_init(&h);
			hash_sha256_add(&h, cases[i].text, cut);
			hash_sha256_out(&h, part);
			hash_sha256_add(&h, cases[i].text + cut, n - cut);
			/* asked for twice, and once in between: the state is not spent */
			hash_sha256_out(&h, d);
			expect(d, cases[i].want);
			hash_sha256_out(&h, d);
			expect(d, cases[i].want);
			hash_sha256(d, cases[i].text, cut);
			assert_memory_equal(d, part, SHA256_LEN);
		}
}

static void test_million(void **state)
{
	struct hash_sha256 h;
	uint8_t d[SHA256_LEN];
	char a[1000];

	(void)state;
	memset(a, 'a', sizeof(a));
	hash_sha256_init(&h);
	for (int i = 0; i < 1000; i++)
		hash_sha256_add(&h, a, sizeof(a));
	hash_sha256_out(&h, d);
	expect(d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Python: sha256(b"\0" + b"\1a" + b"\xac\2" + b"x" * 300) */
static void test_fields(void **state)
{
	struct hash_sha256 h;
	uint8_t d[SHA256_LEN], other[SHA256_LEN];
	char x[300];

	(void)state;
	memset(x, 'x', sizeof(x));
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of(""));
	hash_sha256_field(&h, span_of("a"));
	hash_sha256_field(&h, span_make(x, sizeof(x)));
	hash_sha256_out(&h, d);
	expect(d, "d862037d053252d881c11b4152e6bfbc9bac569f70a1cdad48891da39c86c609");
	/* the same bytes, otherwise divided */
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of("ab"));
	hash_sha256_field(&h, span_of("c"));
	hash_sha256_out(&h, d);
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of("a"));
	hash_sha256_field(&h, span_of("bc"));
	hash_sha256_out(&h, other);
	assert_memory_not_equal(d, other, SHA256_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_sha1),
		cmocka_unit_test(test_sha1_million),
	};

	/* as the processor has it, then by the portable code alone */
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	hash_portable(true);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
