#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jcanon.h"
#include "cm.h"

static void expect(const char *text, const char *want)
{
	struct buf b;

	buf_init(&b, BUF_MAX_ANY);
	assert_int_equal(jcanon(span_make(guard_put(text, strlen(text)), strlen(text)), &b), 0);
	assert_string_equal(buf_cstr(&b), want);
	/* It is its own canonical form. */
	char *again = span_dup(buf_span(&b));
	buf_clear(&b);
	assert_int_equal(jcanon(span_of(again), &b), 0);
	assert_string_equal(buf_cstr(&b), again);
	free(again);
	buf_free(&b);
}

/* Validation fields of the Python reference, with what it printed. */
static const struct {
	const char *text, *want;
} reference[] = {
	{ "{\"updatedAt\":\"2026-11-01T00:00:00Z\",\"pushedAt\":null}",
	    "{\"pushedAt\": null, \"updatedAt\": \"2026-11-01T00:00:00Z\"}" },
	{ "{\"b\":{\"z\":1,\"a\":2},\"a\":[1,2.5,true,null,-0.0,1e+16,1e-07,123456789012345678901234567890]}",
	    "{\"a\": [1, 2.5, true, null, -0.0, 1e+16, 1e-07, 123456789012345678901234567890], \"b\": "
	    "{\"a\": 2, \"z\": 1}}" },
	{ "{\"\303\251\":\"\346\235\261\344\272\254\",\"emoji\":\"\360\237\227\235\",\"ctl\":"
	  "\"\\u0001\177\342\200\250\",\"q\":\"\\\"\\\\/\"}",
	    "{\"ctl\": \"\\u0001\\u007f\\u2028\", \"emoji\": \"\\ud83d\\udddd\", \"q\": \"\\\"\\\\/\", "
	    "\"\\u00e9\": \"\\u6771\\u4eac\"}" },
	{ "{\"hello\":{\"updatedAt\":\"2026-11-01T00:00:00Z\",\"pushedAt\":\"2026-11-02T00:00:00Z\"}}",
	    "{\"hello\": {\"pushedAt\": \"2026-11-02T00:00:00Z\", \"updatedAt\": "
	    "\"2026-11-01T00:00:00Z\"}}" },
	{ "{\"10\":{\"status\":\"completed\",\"conclusion\":null,\"updatedAt\":\"x\"},\"9\":{\"status\":"
	  "\"queued\",\"conclusion\":null,\"updatedAt\":\"y\"}}",
	    "{\"10\": {\"conclusion\": null, \"status\": \"completed\", \"updatedAt\": \"x\"}, \"9\": "
	    "{\"conclusion\": null, \"status\": \"queued\", \"updatedAt\": \"y\"}}" },
};

static void test_reference(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(reference); i++)
		expect(reference[i].text, reference[i].want);
}

/* json.dumps(json.loads(x)) of Python 3.11. */
static const struct {
	const char *text, *want;
} floats[] = {
	{ "0.1", "0.1" },
	{ "-0.0", "-0.0" },
	{ "0.0", "0.0" },
	{ "0e5", "0.0" },
	{ "-0E-1", "-0.0" },
	{ "1e0", "1.0" },
	{ "1E5", "100000.0" },
	{ "1e15", "1000000000000000.0" },
	{ "1e16", "1e+16" },
	{ "123456789012345.6", "123456789012345.6" },
	{ "9999999999999998.0", "9999999999999998.0" },
	{ "99999999999999990.0", "9.999999999999998e+16" },
	{ "1e-4", "0.0001" },
	{ "1e-5", "1e-05" },
	{ "0.00012345", "0.00012345" },
	{ "1.5e300", "1.5e+300" },
	{ "5e-324", "5e-324" },
	{ "4.9e-324", "5e-324" },
	{ "1e-323", "1e-323" },
	{ "2.2250738585072014e-308", "2.2250738585072014e-308" },
	{ "2.225073858507201e-308", "2.225073858507201e-308" },
	{ "1.7976931348623157e308", "1.7976931348623157e+308" },
	{ "5.6843418860808015e-14", "5.684341886080802e-14" },
	{ "9007199254740993.0", "9007199254740992.0" },
	{ "0.30000000000000004", "0.30000000000000004" },
	{ "1e22", "1e+22" },
	{ "1e23", "1e+23" },
	{ "8.41e21", "8.41e+21" },
	{ "4.35", "4.35" },
	{ "9.5367431640625e-7", "9.5367431640625e-07" },
	{ "1e-400", "0.0" },
	{ "-1.5E+10", "-15000000000.0" },
	{ "179769313486231570000000000000000000000e270", "1.7976931348623157e+308" },
	{ "1.23456789012345678901234567890", "1.2345678901234567" },
	{ "7.2057594037927933e16", "7.205759403792794e+16" },
	{ "4.4501477170144023e-308", "4.4501477170144023e-308" },
};

static void test_floats(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(floats); i++)
		expect(floats[i].text, floats[i].want);
}

static void test_integers(void **state)
{
	(void)state;
	expect("0", "0");
	expect("-0", "0");
	expect(" -17 ", "-17");
	expect("123456789012345678901234567890", "123456789012345678901234567890");
	expect("[9007199254740993,-9223372036854775809]", "[9007199254740993, -9223372036854775809]");
}

static void test_keys(void **state)
{
	(void)state;
	expect("{}", "{}");
	expect("{\"b\":1,\"a\":2,\"\":3,\"aa\":4,\"B\":5,\"10\":6,\"9\":7}",
	    "{\"\": 3, \"10\": 6, \"9\": 7, \"B\": 5, \"a\": 2, \"aa\": 4, \"b\": 1}");
	/* U+FFFF sorts before U+10000, as code points do and UTF-16 units do not. */
	expect("{\"\\ud800\\udc00\":1,\"\\uffff\":2,\"\xc3\xa9\":3,\"z\":4}",
	    "{\"z\": 4, \"\\u00e9\": 3, \"\\uffff\": 2, \"\\ud800\\udc00\": 1}");
	/* What a key means counts, not how it is written. */
	expect("{\"b\":1,\"\\u0061\":2}", "{\"a\": 2, \"b\": 1}");
	expect("{\"a\":1,\"b\":2,\"\\u0061\":{\"x\":3}}", "{\"a\": {\"x\": 3}, \"b\": 2}");
	expect("{\"a\":1,\"a\":2,\"a\":3}", "{\"a\": 3}");
	expect("{\"z\":{\"d\":1,\"c\":{\"b\":1,\"a\":2}},\"y\":[{\"f\":1,\"e\":2}]}",
	    "{\"y\": [{\"e\": 2, \"f\": 1}], \"z\": {\"c\": {\"a\": 2, \"b\": 1}, \"d\": 1}}");
	expect("{\"\\u0000\":1,\"\":2}", "{\"\": 2, \"\\u0000\": 1}");
}

static void test_text(void **state)
{
	(void)state;
	expect("[ ]", "[]");
	expect(" [true , false,null,[[]]]\n", "[true, false, null, [[]]]");
	expect("\"\\/ \\u00e9 \\n \x7f\"", "\"/ \\u00e9 \\n \\u007f\"");
	expect("{\"a\":\"\\ud83d\\uddDD\"}", "{\"a\": \"\\ud83d\\udddd\"}");
}

static void test_bad(void **state)
{
	static const char *const table[] = {
		"",
		"{",
		"[1,]",
		"{\"a\":1,}",
		"01",
		"\"\\ud800\"",
		"1 2",
		"1e400",
		"-1e400",
		"[1e309]",
		"NaN",
	};
	static char big[(1 << 20) + 1];
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_adds(&b, "kept");
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(jcanon(span_make(guard_put(table[i], strlen(table[i])), strlen(table[i])),
				     &b),
		    ERR_PROTO);
	memset(big, ' ', sizeof big);
	big[0] = '1';
	assert_int_equal(jcanon(span_make(big, sizeof big), &b), ERR_LIMIT);
	memset(big, '1', sizeof big);
	assert_int_equal(jcanon(span_make(big, sizeof big - 1), &b), ERR_LIMIT);
	assert_int_equal(buf_len(&b), 4);
	buf_clear(&b);
	memset(big + 1, ' ', sizeof big - 1);
	assert_int_equal(jcanon(span_make(big, sizeof big - 1), &b), 0);
	assert_string_equal(buf_cstr(&b), "1");
	buf_free(&b);
}

static void test_every_prefix(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	for (size_t i = 0; i < COUNT(reference); i++)
		for (size_t n = 0; n < strlen(reference[i].text); n++)
			assert_int_equal(jcanon(span_make(guard_put(reference[i].text, n), n), &b),
			    ERR_PROTO);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

/* The hard cases for the shortest form: all powers of two read back as themselves. */
static void test_powers_of_two(void **state)
{
	char text[400];
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	for (int e = -1074; e < 1024; e++) {
		double v = ldexp(1, e), back = 0;
		snprintf(text, sizeof text, "%.25e", v);
		buf_clear(&b);
		assert_int_equal(jcanon(span_of(text), &b), 0);
		assert_int_equal(sscanf(buf_cstr(&b), "%lf", &back), 1);
		assert_true(back == v);
	}
	buf_free(&b);
}

static void test_many_and_deep(void **state)
{
	struct buf in, out;

	(void)state;
	buf_init(&in, BUF_MAX_ANY);
	buf_init(&out, BUF_MAX_ANY);
	for (int i = 0; i < 40000; i++)
		buf_addf(&in, "%c\"%05d\":[{}]", i ? ',' : '{', 39999 - i);
	buf_addc(&in, '}');
	assert_int_equal(jcanon(buf_span(&in), &out), 0);
	assert_true(span_starts(buf_span(&out), "{\"00000\": [{}], \"00001\": [{}], "));
	assert_true(span_ends(buf_span(&out), "\"39998\": [{}], \"39999\": [{}]}"));
	buf_clear(&in);
	for (int i = 0; i < 128; i++)
		buf_adds(&in, "{\"b\":1,\"a\":");
	buf_adds(&in, "null");
	for (int i = 0; i < 128; i++)
		buf_addc(&in, '}');
	buf_clear(&out);
	assert_int_equal(jcanon(buf_span(&in), &out), 0);
	assert_true(span_starts(buf_span(&out), "{\"a\": {\"a\": "));
	assert_true(span_ends(buf_span(&out), ", \"b\": 1}, \"b\": 1}"));
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_powers_of_two),
		cmocka_unit_test(test_many_and_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
