#include <string.h>

#include "../guard.h"
#include "base/buf.h"
#include "base/jscan.h"
#include "cm.h"

static struct span guarded(const char *s)
{
	return span_make(guard_put(s, strlen(s)), strlen(s));
}

static const char *const doc =
    " {\"rate\": {\"limit\":\t60 , \"a.b\":1},\"list\":[ {\"id\":7},[],\"x\" ],\"n\\u0061me\":\"v\","
    "\"dup\":1,\"dup\":2,\"\":\"empty\",\"last\":{ }} ";

static void expect_path(const char *text, const char *path, const char *want)
{
	struct span value = span_of("untouched");
	int r = jscan_path(guarded(text), path, &value);

	assert_int_equal(r, want ? 1 : 0);
	if (!span_eq(value, want ? want : "untouched"))
		fail_msg("%s: %.*s", path, (int)value.n, value.p);
}

static void test_path(void **state)
{
	(void)state;
	expect_path(doc, "rate.limit", "60");
	expect_path(doc, "rate", "{\"limit\":\t60 , \"a.b\":1}");
	expect_path(doc, "list", "[ {\"id\":7},[],\"x\" ]");
	expect_path(doc, "list.0.id", "7");
	expect_path(doc, "list.1", "[]");
	expect_path(doc, "list.2", "\"x\"");
	expect_path(doc, "name", "\"v\"");
	expect_path(doc, "dup", "1");
	expect_path(doc, "last", "{ }");
	expect_path(doc, "list.3", NULL);
	expect_path(doc, "list.x", NULL);
	expect_path(doc, "list.-1", NULL);
	expect_path(doc, "list.18446744073709551615", NULL);
	expect_path(doc, "list.18446744073709551616", NULL);
	expect_path(doc, "list.0.id.x", NULL);
	expect_path(doc, "list.2.0", NULL);
	expect_path(doc, "nam", NULL);
	expect_path(doc, "namee", NULL);
	expect_path("[5, 6]", "1", "6");
	expect_path("[5, 6]", "2", NULL);
	expect_path("5", "a", NULL);
	expect_path("\"a\"", "0", NULL);
}

static void test_member(void **state)
{
	struct span v;

	(void)state;
	assert_int_equal(jscan_member(guarded(doc), "", &v), 1);
	assert_true(span_eq(v, "\"empty\""));
	assert_int_equal(jscan_member(guarded("{\"a.b\":1}"), "a.b", &v), 1);
	assert_int_equal(jscan_member(guarded("{}"), "a", &v), 0);
	assert_int_equal(jscan_member(guarded("[1]"), "0", &v), 0);
	assert_int_equal(jscan_member(guarded("1"), "a", &v), 0);
	assert_int_equal(jscan_member(guarded(""), "a", &v), -1);
	assert_int_equal(jscan_member(guarded("[1"), "a", &v), -1);
	assert_int_equal(jscan_member(guarded("{\"a\":tru}"), "a", &v), -1);
	assert_int_equal(jscan_member(guarded("{\"a\":1} x"), "b", &v), -1);
	/* What stands behind the answer is not looked at. */
	assert_int_equal(jscan_member(guarded("{\"a\":1 x"), "a", &v), 1);
}

/* Cut short anywhere, a text gives an answer or -1, and never reads on. */
static void test_every_prefix(void **state)
{
	struct span v;

	(void)state;
	for (size_t n = 0; n < strlen(doc) - 1; n++) {
		int r = jscan_path(span_make(guard_put(doc, n), n), "last", &v);
		assert_int_equal(r, n < strlen(doc) - 2 ? -1 : 1);
		assert_int_equal(jscan_path(span_make(guard_put(doc, n), n), "none", &v), -1);
		size_t at = 0;
		struct span key, text = span_make(guard_put(doc, n), n);
		while ((r = jscan_next(text, &at, &key, &v)) > 0)
			;
		assert_int_equal(r, -1);
	}
}

static void test_next(void **state)
{
	static const char *const keys[] = { "rate", "list", "name", "dup", "dup", "", "last" };
	struct span key, value, text = guarded(doc);
	size_t at = 0, n = 0;

	(void)state;
	for (; jscan_next(text, &at, &key, &value) == 1; n++) {
		assert_true(n < COUNT(keys));
		assert_true(jscan_str_eq(key, keys[n]));
	}
	assert_int_equal(n, COUNT(keys));
	/* The end stays the end. */
	assert_int_equal(jscan_next(text, &at, &key, &value), 0);

	text = guarded(" [1,[2,3], \"x\"]");
	at = 0;
	assert_int_equal(jscan_next(text, &at, &key, &value), 1);
	assert_true(span_eq(value, "1") && key.n == 0);
	assert_int_equal(jscan_next(text, &at, &key, &value), 1);
	assert_true(span_eq(value, "[2,3]"));
	assert_int_equal(jscan_next(text, &at, &key, &value), 1);
	assert_true(span_eq(value, "\"x\""));
	assert_int_equal(jscan_next(text, &at, &key, &value), 0);
}

static void test_next_bad(void **state)
{
	static const struct {
		const char *text;
		int members, end;
	} table[] = {
		{ "[]", 0, 0 },
		{ "{} ", 0, 0 },
		{ "", 0, -1 },
		{ " ", 0, -1 },
		{ "5", 0, 0 },
		{ "5x", 0, -1 },
		{ "tru", 0, -1 },
		{ "[1,]", 1, -1 },
		{ "[1 2]", 1, -1 },
		{ "[1}", 1, -1 },
		{ "{\"a\":1]", 1, -1 },
		{ "[1] 2", 1, -1 },
		{ "{\"a\":1,}", 1, -1 },
		{ "{\"a\" 1}", 0, -1 },
		{ "[[]", 1, -1 },
		{ "[1,2", 1, -1 },
		{ "{1:2}", 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct span key, value, text = guarded(table[i].text);
		size_t at = 0;
		int n = 0, r;
		while ((r = jscan_next(text, &at, &key, &value)) == 1)
			n++;
		if (n != table[i].members || r != table[i].end)
			fail_msg("%s: %d members, then %d", table[i].text, n, r);
	}
	size_t beyond = 3;
	struct span key, value;
	assert_int_equal(jscan_next(guarded("[]"), &beyond, &key, &value), -1);
}

static const struct {
	const char *raw, *text;
} strings[] = {
	{ "\"\"", "" },
	{ "\"abc\"", "abc" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
	{ "\"x\\u0041y\"", "xAy" },
	{ "\"\\u09aF\\uAf19\\ufAB0\"", "\xe0\xa6\xaf\xea\xbc\x99\xef\xaa\xb0" },
	{ "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
	{ "\"\\ud83d\\uDDDD!\"", "\xf0\x9f\x97\x9d!" },
	{ "\"\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
	{ "\"\xe6\x9d\xb1\xe4\xba\xac\"", "\xe6\x9d\xb1\xe4\xba\xac" },
};

static void test_strings(void **state)
{
	char out[64];
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < COUNT(strings); i++) {
		size_t n = strlen(strings[i].text);
		buf_clear(&b);
		assert_int_equal(jscan_unescape(guarded(strings[i].raw), &b), 0);
		assert_string_equal(buf_cstr(&b), strings[i].text);
		assert_true(jscan_str(guarded(strings[i].raw), out, n + 1));
		assert_string_equal(out, strings[i].text);
		assert_false(jscan_str(guarded(strings[i].raw), out, n));
		for (size_t k = 0; k < COUNT(strings); k++)
			assert_int_equal(jscan_str_eq(guarded(strings[i].raw), strings[k].text), i == k);
		/* Longer and shorter by one. */
		snprintf(out, sizeof out, "%s.", strings[i].text);
		assert_false(jscan_str_eq(guarded(strings[i].raw), out));
		if (n)
			out[n - 1] = '\0';
		assert_int_equal(jscan_str_eq(guarded(strings[i].raw), n ? out : "x"), false);
		/* Cut, it is no string any more. */
		for (size_t k = 0; k < strlen(strings[i].raw); k++) {
			struct span cut = span_make(guard_put(strings[i].raw, k), k);
			assert_int_equal(jscan_unescape(cut, &b), -1);
			assert_false(jscan_str(cut, out, sizeof out));
			assert_false(jscan_str_eq(cut, strings[i].text));
		}
	}
	buf_free(&b);
}

/* jscan_str_eq does not check its token: one that is broken equals nothing, and is not read past its end. */
static void test_broken_tokens(void **state)
{
	static const struct {
		const char *raw, *text;
	} table[] = {
		{ "\"\\ud83dxudddd\"", "\xf0\x9f\x97\x9d" },
		{ "\"\\ud83d\\xdddd\"", "\xf0\x9f\x97\x9d" },
		{ "\"\\ud83d\\uddd\"", "\xf0\x9f\x97\x9d" },
		{ "\"\\ud83d\\u0041\"", "\xf0\x9f\x97\x9d" },
		{ "\"\\ud83d\"", "\xed\xa0\xbd" },
		{ "\"\\udddd\"", "\xed\xb7\x9d" },
		{ "\"\\udfff\"", "\xed\xbf\xbf" },
		{ "\"\\u00:1\"", "\xc2\xa1" },
		{ "\"\\u00g1\"", "\xc4\x81" },
		{ "\"\\u00@1\"", "\t1" },
		{ "\"\\u004\"", "\x04" },
		{ "\"\\x\"", "x" },
		{ "\"\\\"", "\\" },
		{ "\"", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (jscan_str_eq(guarded(table[i].raw), table[i].text))
			fail_msg("equal: %s", table[i].raw);
}

static void test_not_strings(void **state)
{
	static const char *const table[] = {
		"",
		"\"",
		"a",
		"1",
		"null",
		"{\"a\":1}",
		"[\"a\"]",
		" \"a\"",
		"\"a\" ",
		"\"a\",\"b\"",
		"\"a\"b\"",
		"\"\\ud800\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\\"",
		"\"\xff\"",
		"\"\n\"",
	};
	char out[8];
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_adds(&b, "kept");
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_int_equal(jscan_unescape(guarded(table[i]), &b), -1);
		strcpy(out, "zz");
		assert_false(jscan_str(guarded(table[i]), out, sizeof out));
		assert_string_equal(out, "");
		assert_false(jscan_str_eq(guarded(table[i]), "a"));
		assert_false(jscan_str_eq(guarded(table[i]), ""));
	}
	assert_string_equal(buf_cstr(&b), "kept");
	assert_int_equal(jscan_unescape(guarded("\"a\\u0000b\""), &b), 0);
	assert_int_equal(buf_len(&b), 7);
	assert_memory_equal(buf_data(&b), "kepta\0b", 7);
	assert_false(jscan_str(guarded("\"a\\u0000b\""), out, sizeof out));
	assert_false(jscan_str_eq(guarded("\"a\\u0000b\""), "a"));
	assert_false(jscan_str(guarded("\"\""), out, 0));
	buf_free(&b);
}

static void test_pick(void **state)
{
	static const char *const keys[] = { "dup", "name", "rate", "none" };
	struct span v[4];

	(void)state;
	assert_int_equal(jscan_pick(guarded(doc), keys, 4, v), 0);
	assert_true(span_eq(v[0], "1"));		/* the first */
	assert_true(span_eq(v[1], "\"v\""));		/* its key is escaped */
	assert_true(span_eq(v[2], "{\"limit\":\t60 , \"a.b\":1}"));
	assert_null(v[3].p);
	assert_int_equal(jscan_pick(guarded("{}"), keys, 4, v), 0);
	assert_null(v[0].p);
	for (size_t n = 0; n < strlen(doc) - 1; n++)
		assert_int_equal(jscan_pick(span_make(guard_put(doc, n), n), keys, 4, v), -1);
	assert_int_equal(jscan_pick(guarded("[1]"), keys, 4, v), -1);
	assert_int_equal(jscan_pick(guarded("1"), keys, 4, v), -1);
	assert_int_equal(jscan_pick(guarded("{\"dup\":1} x"), keys, 4, v), -1);
}

/* Keys, values left whole and values gone into, in one pass. */
static void test_walk(void **state)
{
	struct jscan_walk w;
	enum jscan_event ev;
	struct span v;

	(void)state;
	jscan_walk(&w, guarded("{\"a\":{\"b\":[1,{}]},\"c\":2}"));
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(ev, JSCAN_OBJECT);
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(ev, JSCAN_KEY);
	assert_true(jscan_str_eq(jscan_token(&w), "a"));
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(ev, JSCAN_OBJECT);
	assert_int_equal(w.s.depth, 2);
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_true(jscan_str_eq(jscan_token(&w), "b"));
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(jscan_rest(&w, ev, &v), 0);
	assert_true(span_eq(v, "[1,{}]"));
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(ev, JSCAN_OBJECT_END);
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_true(jscan_str_eq(jscan_token(&w), "c"));
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(jscan_rest(&w, ev, &v), 0);
	assert_true(span_eq(v, "2"));
	assert_int_equal(jscan_step(&w, &ev), 1);
	assert_int_equal(w.s.depth, 0);
	assert_int_equal(jscan_step(&w, &ev), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_bad),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_broken_tokens),
		cmocka_unit_test(test_not_strings),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
