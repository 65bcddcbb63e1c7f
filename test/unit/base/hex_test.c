#include <string.h>

#include "../guard.h"
#include "base/hex.h"
#include "base/str.h"
#include "cm.h"

static void test_round_trip(void **state)
{
	uint8_t all[256], back[256];
	char text[513];

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	hex_encode(text, all, sizeof all);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text + 2 * 0x9f, "9fa0", 4);
	assert_true(hex_decode(back, sizeof back, span_of(text)));
	assert_memory_equal(all, back, sizeof all);
	hex_encode(text, all, 0);
	assert_string_equal(text, "");
	assert_true(hex_decode(back, 0, span_of("")));
}

static void test_decode_strict(void **state)
{
	uint8_t out[2];

	(void)state;
	assert_true(hex_decode(out, 2, span_of("aBFf")));
	assert_int_equal(out[0], 0xab);
	assert_int_equal(out[1], 0xff);
	for (int c = 0; c < 256; c++) {
		char text[4] = { '0', '0', (char)c, '0' };
		bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		assert_int_equal(hex_decode(out, 2, span_make(guard_put(text, 4), 4)), digit);
		text[2] = '0';
		text[3] = (char)c;
		assert_int_equal(hex_decode(out, 2, span_make(guard_put(text, 4), 4)), digit);
	}
	for (size_t n = 0; n < 8; n++)
		if (n != 4)
			assert_false(hex_decode(out, 2, span_make(guard_put("00000000", n), n)));
}

static void test_is(void **state)
{
	(void)state;
	assert_true(hex_is(span_of("0123456789abcdef"), false));
	assert_false(hex_is(span_of("0123456789abcdeF"), false));
	assert_true(hex_is(span_of("0123456789abcdeF"), true));
	assert_true(hex_is(span_of("a"), false));
	assert_false(hex_is(span_of(""), true));
	assert_false(hex_is(span_of("A"), false));
	assert_false(hex_is(span_of("F"), false));
	assert_false(hex_is(span_of("g"), true));
	assert_false(hex_is(span_of("a "), true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_decode_strict),
		cmocka_unit_test(test_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
