#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "codeql/ewah.h"

/* bits, words, the words as (hi, lo), place of the last marker */
#define W(hi, lo) (hi) >> 24 & 0xff, (hi) >> 16 & 0xff, (hi) >> 8 & 0xff, (hi) & 0xff, (lo) >> 24 & 0xff, \
	(lo) >> 16 & 0xff, (lo) >> 8 & 0xff, (lo) & 0xff
#define HEAD(bits, words) 0, 0, (bits) >> 8, (bits) & 0xff, 0, 0, 0, words

static ssize_t expand(const uint8_t *p, size_t n, uint8_t *out, size_t bits)
{
	memset(out, 0, bits);
	return ewah_expand(span_make(guard_put(p, n), n), out, bits);
}

static void test_known(void **state)
{
	/* one word as it is: bits 0 and 3 */
	static const uint8_t literal[] = { HEAD(4, 2), W(2u, 0u), W(0u, 9u), 0, 0, 0, 0 };
	/* two words of zeros, one of ones, one literal with bit 1: 129 is not set, 128..191 are */
	static const uint8_t runs[] = { HEAD(194, 3), W(0u, 2u << 1), W(2u, 1u << 1 | 1), W(0u, 2u), 0, 0, 0,
		1 };
	static const uint8_t none[] = { HEAD(0, 1), W(0u, 0u), 0, 0, 0, 0 };
	uint8_t out[256];

	(void)state;
	assert_int_equal(expand(literal, sizeof(literal), out, 4), sizeof(literal));
	assert_memory_equal(out, "\1\0\0\1", 4);
	assert_int_equal(expand(runs, sizeof(runs), out, 194), sizeof(runs));
	for (int i = 0; i < 194; i++)
		assert_int_equal(out[i], (i >= 128 && i < 192) || i == 193);
	assert_int_equal(expand(none, sizeof(none), out, 0), sizeof(none));
	/* a bit that is not there */
	assert_int_equal(expand(literal, sizeof(literal), out, 3), -1);
	assert_int_equal(expand(runs, sizeof(runs), out, 193), -1);
	assert_int_equal(expand(runs, sizeof(runs), out, 150), -1);
	assert_int_equal(expand(runs, sizeof(runs), out, 100), -1);
	for (size_t n = 0; n < sizeof(runs); n++)
		assert_int_equal(expand(runs, n, out, 194), -1);
}

static void test_bad(void **state)
{
	/* more literals than words, more words than bytes, a run of 2^32 - 1 words of ones */
	static const uint8_t literals[] = { HEAD(4, 2), W(4u, 0u), W(0u, 9u), 0, 0, 0, 0 };
	static const uint8_t words[] = { HEAD(4, 3), W(2u, 0u), W(0u, 9u), 0, 0, 0, 0 };
	static const uint8_t run[] = { HEAD(4, 1), W(1u, 0xffffffffu), 0, 0, 0, 0 };
	uint8_t out[4];

	(void)state;
	assert_int_equal(expand(literals, sizeof(literals), out, 4), -1);
	assert_int_equal(expand(words, sizeof(words), out, 4), -1);
	assert_int_equal(expand(run, sizeof(run), out, 4), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
