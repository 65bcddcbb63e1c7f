#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>

#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cm.h"

static struct span guarded(const char *s)
{
	return span_make(guard_put(s, strlen(s)), strlen(s));
}

static void expect(const struct json *o, bool pretty, const char *want)
{
	struct buf b;

	buf_init(&b, BUF_MAX_ANY);
	assert_int_equal(json_print(o, pretty, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void test_build(void **state)
{
	struct json *o = json_object();

	(void)state;
	json_put_str(o, "s", "a\"b\n");
	json_put_str(o, "none", NULL);
	json_put_int(o, "min", INT64_MIN);
	json_put_int(o, "max", INT64_MAX);
	json_put_num(o, "half", 0.5);
	json_put_num(o, "nan", NAN);
	json_put_bool(o, "yes", true);
	json_put_bool(o, "no", false);
	json_put_null(o, "null");
	json_put_raw(o, "raw", span_of(" { \"x\" : [ 1 ,2 ] } "));
	json_put_raw(o, "bad", span_of("{"));
	struct json *a = json_put_array(o, "a");
	json_put_int(a, NULL, 1);
	json_put_str(json_put_object(a, NULL), "k", "v");
	json_put_array(a, NULL);
	assert_true(json_is_object(o) && !json_is_array(o));
	assert_true(json_is_array(json_get(o, "a")));
	assert_string_equal(json_str(json_get(o, "s")), "a\"b\n");
	assert_null(json_str(json_get(o, "a")));
	assert_null(json_get(o, "S"));
	assert_null(json_get(a, "k"));
	assert_null(json_get(NULL, "k"));
	assert_true(json_is_array(json_last(a)));
	assert_null(json_last(json_last(a)));
	json_put_str(json_last(a), NULL, "only");
	assert_string_equal(json_str(json_last(json_last(a))), "only");
	assert_null(json_last(o));
	assert_null(json_last(NULL));
	expect(o, false,
	    "{\"s\":\"a\\\"b\\n\",\"none\":null,\"min\":-9223372036854775808,\"max\":9223372036854775807,"
	    "\"half\":0.5,"
	    "\"nan\":null,\"yes\":true,\"no\":false,\"null\":null,\"raw\":{\"x\":[1,2]},\"bad\":null,"
	    "\"a\":[1,{\"k\":\"v\"},[\"only\"]]}");
	json_free(o);
	json_free(NULL);
}

static void test_pretty(void **state)
{
	struct json *o;

	(void)state;
	assert_int_equal(json_parse(guarded("{\"a\":[1,[],{}, {\"b\":null}],\"c\":\"x y\"}"), &o), 0);
	expect(o, true,
	    "{\n  \"a\": [\n    1,\n    [],\n    {},\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": \"x "
	    "y\"\n}");
	json_free(o);
	o = json_array();
	expect(o, true, "[]");
	json_free(o);
	assert_int_equal(json_parse(guarded("12"), &o), 0);
	expect(o, true, "12");
	json_free(o);
}

static void test_replace(void **state)
{
	struct json *o = json_object();

	(void)state;
	json_put_int(o, "a", 1);
	json_put_int(o, "b", 2);
	json_put_str(o, "a", "new");
	expect(o, false, "{\"a\":\"new\",\"b\":2}");
	json_free(o);
}

static void test_text_is_cleaned(void **state)
{
	struct json *o = json_object();

	(void)state;
	json_put_span(o, "nul", span_make("\xc3\xa9\0b", 4));
	json_put_span(o, "bad", span_of("x\xffy\xc3"));
	json_put_str(o, "\xfe", "\xe6\x9d\xb1");
	expect(o, false,
	    "{\"nul\":\"\xc3\xa9\\u0000b\",\"bad\":\"x\xef\xbf\xbdy\xef\xbf\xbd\",\"\xef\xbf\xbd\":"
	    "\"\xe6\x9d\xb1\"}");
	json_free(o);
}

static void test_misuse_fails_to_print(void **state)
{
	struct json *o = json_object();
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_adds(&b, "kept");
	assert_int_equal(json_print(NULL, false, &b), ERR_INTERNAL);
	json_put_int(NULL, "a", 1);
	assert_null(json_put_object(NULL, "a"));
	/* An object below takes the whole with it. */
	struct json *in = json_put_object(o, "in");
	json_put_int(in, NULL, 1);
	assert_int_equal(json_print(o, false, &b), ERR_INTERNAL);
	json_free(o);
	o = json_array();
	json_put_int(o, "key", 1);
	assert_int_equal(json_print(o, false, &b), ERR_INTERNAL);
	json_free(o);
	o = json_object();
	for (int i = 0; i < 20; i++)
		json_put_int(json_put_object(o, (char[]){ (char)('a' + i), 0 }), "k", i);
	assert_int_equal(json_print(o, false, &b), ERR_INTERNAL);
	assert_int_equal(buf_len(&b), 4);
	json_free(o);
	buf_free(&b);
}

static void test_parse(void **state)
{
	static const char text[] =
	    "{\"big\":123456789012345678901234567890,\"f\":1.50,\"e\":1E5,\"m\":-0,\"a\":"
	    "[9007199254740993,{\"n\":-9223372036854775809}],\"s\":\"\xc3\xa9\\u00e9\",\"t\":true}";
	struct json *o;

	(void)state;
	assert_int_equal(json_parse(guarded(text), &o), 0);
	expect(o, false,
	    "{\"big\":123456789012345678901234567890,\"f\":1.50,\"e\":1E5,\"m\":-0,\"a\":"
	    "[9007199254740993,{\"n\":-9223372036854775809}],\"s\":\"\xc3\xa9\xc3\xa9\",\"t\":true}");
	assert_string_equal(json_str(json_get(o, "s")), "\xc3\xa9\xc3\xa9");
	json_put_int(o, "big", 1);
	assert_string_equal(json_str(json_get(o, "s")), "\xc3\xa9\xc3\xa9");
	json_free(o);
	for (size_t n = 0; n < sizeof text - 1; n++)
		assert_int_equal(json_parse(span_make(guard_put(text, n), n), &o), ERR_PROTO);
	assert_int_equal(json_parse(guarded("\"\\\\u0000\""), &o), 0);
	assert_string_equal(json_str(o), "\\u0000");
	json_free(o);
}

static void test_parse_bad(void **state)
{
	static const char *const table[] = {
		"",
		" ",
		"01",
		"1.",
		"+1",
		"{\"a\":1}x",
		"\"\t\"",
		"\"\xff\"",
		"\"a\\u0000b\"",
		"{\"\\u0000\":1}",
		"nul",
		"{\"a\":01}",
		"[1,]",
		"\xef\xbb\xbf{}",
	};
	static char big[JSON_MAX + 1];
	struct json *o = NULL;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (json_parse(guarded(table[i]), &o) != ERR_PROTO)
			fail_msg("taken: %s", table[i]);
	/* Older cJSON reads 63 characters of a number and no more. */
	memset(big, '1', 300);
	assert_int_equal(json_parse(span_make(big, 300), &o), 0);
	json_free(o);
	memset(big, ' ', sizeof big);
	big[0] = '1';
	assert_int_equal(json_parse(span_make(big, sizeof big), &o), ERR_LIMIT);
	assert_int_equal(json_parse(span_make(big, sizeof big - 1), &o), 0);
	json_free(o);
	buf_init(&b, BUF_MAX_ANY);
	for (int i = 0; i < 101; i++)
		buf_addc(&b, '[');
	for (int i = 0; i < 101; i++)
		buf_addc(&b, ']');
	assert_int_equal(json_parse(buf_span(&b), &o), ERR_PROTO);
	assert_int_equal(json_parse(span_sub(buf_span(&b), 1, 200), &o), 0);
	json_free(o);
	buf_free(&b);
}

static void test_quote(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *utf8, *ascii;
	} table[] = {
		{ "", 0, "\"\"", "\"\"" },
		{ "a\"\\/b", 5, "\"a\\\"\\\\/b\"", "\"a\\\"\\\\/b\"" },
		{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"", "\"\\b\\f\\n\\r\\t\"" },
		{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"", "\"\\u0000\\u0001\\u001f\\u007f\"" },
		{ "\xc3\xa9", 2, "\"\xc3\xa9\"", "\"\\u00e9\"" },
		{ "\xf0\x9f\x97\x9d", 4, "\"\xf0\x9f\x97\x9d\"", "\"\\ud83d\\udddd\"" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		    "\"\\ud800\\udc00\\udbff\\udfff\"" },
		{ "a\xff\xc3", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\"", "\"a\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		    "\"\\ufffd\\ufffd\\ufffd\"" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct span text = span_make(guard_put(table[i].text, table[i].n), table[i].n);
		buf_clear(&b);
		json_quote(&b, text, false);
		assert_string_equal(buf_cstr(&b), table[i].utf8);
		buf_clear(&b);
		json_quote(&b, text, true);
		assert_string_equal(buf_cstr(&b), table[i].ascii);
	}
	buf_free(&b);
}

static int allocations_left;

static void *failing_malloc(size_t n)
{
	return allocations_left-- > 0 ? malloc(n) : NULL;
}

/* Whichever allocation fails, the whole text comes out or an error. */
static void test_no_memory(void **state)
{
	cJSON_Hooks hooks = { failing_malloc, free };
	struct buf b;
	int n, r;

	(void)state;
	buf_init(&b, 100);
	cJSON_InitHooks(&hooks);
	for (n = 0, r = -1; r < 0; n++) {
		allocations_left = n;
		struct json *o = json_object();
		json_put_str(o, "a", "x");
		json_put_int(json_put_array(o, "b"), NULL, 1);
		json_put_str(json_put_object(o, "c"), "d", "y");
		json_put_span(o, "a", span_make("\0", 1));
		r = json_print(o, false, &b);
		json_free(o);
		assert_int_equal(r == 0, buf_len(&b) > 0);
	}
	assert_string_equal(buf_cstr(&b), "{\"a\":\"\\u0000\",\"b\":[1],\"c\":{\"d\":\"y\"}}");
	assert_true(n > 15);
	struct json *o;
	for (n = 0, r = -1; r < 0; n++) {
		allocations_left = n;
		r = json_parse(span_of("{\"a\":[1,2,\"x\"],\"b\":12345678901234567890}"), &o);
		assert_true(r == 0 || r == ERR_INTERNAL);
	}
	allocations_left = 100;
	expect(o, false, "{\"a\":[1,2,\"x\"],\"b\":12345678901234567890}");
	assert_true(n > 8);
	cJSON_InitHooks(NULL);
	json_free(o);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_text_is_cleaned),
		cmocka_unit_test(test_misuse_fails_to_print),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_bad),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
