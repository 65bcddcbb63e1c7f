#include <string.h>

#include "../guard.h"
#include "base/varint.h"
#include "cm.h"

/* From the table of multiformats/unsigned-varint, and the ends of each length. */
static const struct {
	uint64_t v;
	size_t n;
	uint8_t bytes[VARINT_MAX_LEN];
} table[] = {
	{ 0, 1, { 0x00 } },
	{ 1, 1, { 0x01 } },
	{ 127, 1, { 0x7f } },
	{ 128, 2, { 0x80, 0x01 } },
	{ 255, 2, { 0xff, 0x01 } },
	{ 300, 2, { 0xac, 0x02 } },
	{ 16383, 2, { 0xff, 0x7f } },
	{ 16384, 3, { 0x80, 0x80, 0x01 } },
	{ UINT64_C(1) << 56, 9, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 } },
	{ (UINT64_C(1) << 56) - 1, 8, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
	{ (UINT64_C(1) << 63) - 1, 9, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
};

static void test_table(void **state)
{
	uint8_t out[VARINT_MAX_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t v = 5;
		assert_int_equal(varint_put(out, table[i].v), table[i].n);
		assert_memory_equal(out, table[i].bytes, table[i].n);
		for (size_t n = 0; n < table[i].n; n++)
			assert_int_equal(varint_get(guard_put(out, n), n, &v), -2);
		assert_true(v == 5);
		assert_int_equal(varint_get(guard_put(out, table[i].n), table[i].n, &v), table[i].n);
		assert_true(v == table[i].v);
	}
}

static void test_every_length(void **state)
{
	uint8_t out[VARINT_MAX_LEN];

	(void)state;
	for (unsigned bit = 0; bit < 63; bit++)
		for (int off = -1; off <= 1; off++) {
			uint64_t v = 0, want = ((UINT64_C(1) << bit) + (uint64_t)off) & (UINT64_MAX >> 1);
			size_t n = varint_put(out, want);
			assert_int_equal(varint_get(guard_put(out, n), n, &v), n);
			assert_true(v == want);
		}
}

static void test_bad(void **state)
{
	static const struct {
		size_t n;
		uint8_t bytes[10];
	} bad[] = {
		{ 2, { 0x80, 0x00 } },
		{ 2, { 0xff, 0x00 } },
		{ 3, { 0x81, 0x80, 0x00 } },
		{ 9, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 } },
		{ 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 } },
	};
	uint64_t v = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(varint_get(guard_put(bad[i].bytes, bad[i].n), bad[i].n, &v), -1);
	assert_true(v == 5);
	/* What follows is not touched. */
	assert_int_equal(varint_get("\x01\x80", 2, &v), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
