#include <string.h>
#include <zlib.h>

#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/inflate.h"
#include "cm.h"

#define MAX ((size_t)300000)

static uint8_t plain[MAX], packed[2 * MAX];

/* Words that come again near and far, bytes that do not, and one that never ends. */
static size_t make(int kind, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		plain[i] = (uint8_t)(kind == 0 ? x >> 24 : kind == 1 ? 'a' :
		    (uint8_t)"the quick brown fox "[(x >> 28) + i % 5]);
	}
	return n;
}

static size_t pack(size_t n, int level, int strategy)
{
	z_stream z = {
		.next_in = plain, .avail_in = (uInt)n, .next_out = packed, .avail_out = sizeof(packed)
	};

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15, 9, strategy), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static int unpack(size_t n, size_t max, struct buf *out)
{
	buf_init(out, max);
	buf_adds(out, "x");
	return inflate_zlib(span_make(guard_put(packed, n), n), out);
}

static void test_what_zlib_packs(void **state)
{
	static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE };
	static const size_t sizes[] = { 0, 1, 2, 300, 70000, MAX };
	struct buf out;

	(void)state;
	for (size_t s = 0; s < COUNT(sizes); s++)
		for (int kind = 0; kind < 3; kind++)
			for (int level = 0; level <= 9; level += 3)
				for (size_t k = 0; k < COUNT(strategies); k++) {
					size_t n = make(kind, sizes[s]), m = pack(n, level, strategies[k]);

					assert_int_equal(unpack(m, MAX + 1, &out), 0);
					assert_int_equal(buf_len(&out), n + 1);
					assert_memory_equal(buf_data(&out) + 1, plain, n);
					buf_free(&out);
				}
}

static void test_a_limit(void **state)
{
	struct buf out;

	(void)state;
	for (int kind = 0; kind < 3; kind++)
		for (int level = 0; level <= 6; level += 6) {
			size_t m = pack(make(kind, 5000), level, Z_DEFAULT_STRATEGY);

			assert_int_equal(unpack(m, 5000, &out), ERR_LIMIT);
			buf_free(&out);
			assert_int_equal(unpack(m, 5001, &out), 0);
			buf_free(&out);
		}
}

/* All but the four bytes of the Adler-32 are needed. */
static void test_cut_short(void **state)
{
	struct buf out;

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		size_t m = pack(make(kind, 2000), kind == 0 ? 0 : 9, Z_DEFAULT_STRATEGY);

		for (size_t n = 0; n <= m; n++) {
			assert_int_equal(unpack(n, 9000, &out), n < m - 4 ? ERR_DAMAGED : 0);
			buf_free(&out);
		}
	}
}

/* Every bit turned: an answer that is one of three, and nothing above the limit. */
static void test_damage(void **state)
{
	struct buf out;
	size_t m = pack(make(2, 600), 9, Z_DEFAULT_STRATEGY), good = 0;

	(void)state;
	for (size_t bit = 0; bit < 8 * (m - 4); bit++) {
		packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		int rc = unpack(m, 9000, &out);
		assert_true(rc == 0 || rc == ERR_DAMAGED || rc == ERR_LIMIT);
		assert_true(buf_len(&out) <= 9000);
		good += rc == 0 && buf_len(&out) == 601 && memcmp(buf_data(&out) + 1, plain, 600) == 0;
		buf_free(&out);
		packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(good < 8 * m / 20);
}

static void expect(const char *bytes, size_t n, int rc)
{
	struct buf out;

	memcpy(packed, bytes, n);
	assert_int_equal(unpack(n, 9000, &out), rc);
	buf_free(&out);
}

static void test_what_is_no_stream(void **state)
{
	(void)state;
	expect("\x78\x9c\x03\x00", 4, 0);				/* nothing, packed */
	expect("\x78\x9d\x03\x00", 4, ERR_DAMAGED);			/* the head's check */
	expect("\x79\x9b\x03\x00", 4, ERR_DAMAGED);			/* not deflate */
	expect("\x78\xbb\x03\x00", 4, ERR_DAMAGED);			/* a preset dictionary */
	expect("\x78\x9c\x07\x00", 4, ERR_DAMAGED);			/* the fourth kind of block */
	expect("\x78\x9c\x01\x01\x00\xff\xff"
	       "a",
	    8, ERR_DAMAGED); /* a length that is not its complement's */
	expect("\x78\x9c\x03\x02\x00", 5, ERR_DAMAGED);			/* back beyond the beginning */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_zlib_packs), cmocka_unit_test(test_a_limit),
		cmocka_unit_test(test_cut_short), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_what_is_no_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
