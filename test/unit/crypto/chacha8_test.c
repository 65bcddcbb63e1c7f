#include <string.h>

#include <bearssl.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/rand.h"
#include "crypto/chacha8.h"
#include "crypto/chapoly.h"

#define MOST (4 * CHACHA8_BYTES)

/* The library's plain code is the judge, on any key, and where the counter wraps. */
static void test_as_the_library(void **state)
{
	static const uint32_t counters[] = { 0, 1, 0x7ffffffc, 0xfffffff8, 0xfffffffc, 0xffffffff };
	uint8_t key[32], nonce[12], data[MOST], theirs[MOST];

	(void)state;
	if (!chacha8_there())
		skip();
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		for (size_t n = 0; n <= MOST; n += CHACHA8_BYTES) {
			assert_int_equal(rand_bytes(key, sizeof(key), NULL), 0);
			assert_int_equal(rand_bytes(nonce, sizeof(nonce), NULL), 0);
			assert_int_equal(rand_bytes(data, n, NULL), 0);
			memcpy(theirs, data, n);
			uint8_t *ours = (uint8_t *)(uintptr_t)guard_put(data, n);

			chacha8_run(key, nonce, counters[i], ours, n);
			br_chacha20_ct_run(key, nonce, counters[i], theirs, n);
			assert_memory_equal(ours, theirs, n);
		}
}

/* The eights and the rest join: every length around them opens again with the library's plain code. */
static void test_lengths(void **state)
{
	uint8_t key[32], nonce[12], data[MOST], plain[MOST], tag[16], theirs[16];

	(void)state;
	assert_int_equal(rand_bytes(key, sizeof(key), NULL), 0);
	assert_int_equal(rand_bytes(nonce, sizeof(nonce), NULL), 0);
	assert_int_equal(rand_bytes(plain, sizeof(plain), NULL), 0);
	for (size_t n = 0; n <= MOST; n += n % 511 == 0 ? 1 : 7) {
		memcpy(data, plain, n);
		chapoly_seal(key, nonce, span_make("aad", 3), data, n, tag);
		br_poly1305_ctmul_run(key, nonce, data, n, "aad", 3, theirs, br_chacha20_ct_run, 0);
		assert_memory_equal(data, plain, n);
		assert_memory_equal(tag, theirs, sizeof(tag));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_library),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
