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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
