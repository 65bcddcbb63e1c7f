#include <stdlib.h>
#include <string.h>

#include "../guard.h"
#include "base/str.h"
#include "cm.h"

static struct span guarded(const char *s)
{
	return span_make(guard_put(s, strlen(s)), strlen(s));
}

static void test_compare(void **state)
{
	(void)state;
	assert_int_equal(span_of(NULL).n, 0);
	assert_true(span_eq(guarded("abc"), "abc"));
	assert_false(span_eq(guarded("abc"), "abd"));
	assert_false(span_eq(guarded("abc"), "ab"));
	assert_true(span_eq(span_of(NULL), ""));
	assert_false(span_eq(guarded("ab"), "abc"));
	assert_false(span_ieq(guarded("ab"), "abc"));
	assert_false(span_ieq(guarded("abc"), "ab"));
	assert_false(span_eq(span_make("a\0b", 3), "a")); /* a NUL is a byte like others, and ends no span */
	assert_false(span_ieq(span_make("a\0b", 3), "a"));
	assert_false(span_eq(span_make("a\0", 2), "a"));
	assert_true(span_ieq(guarded("aBc-[`{@"), "AbC-[`{@"));
	assert_false(span_ieq(guarded("["), "{"));
	assert_false(span_ieq(guarded("\xc4"), "\xe4"));
	assert_true(span_same(span_of("x"), guarded("x")));
	assert_true(span_isame(span_of("X"), guarded("x")));
	assert_false(span_isame(span_of("X"), guarded("xx")));
	assert_true(span_starts(guarded("abc"), "ab"));
	assert_true(span_starts(guarded("abc"), ""));
	assert_false(span_starts(guarded("abc"), "abcd"));
	assert_true(span_istarts(guarded("ABc"), "aB"));
	assert_false(span_istarts(guarded("a"), "ab"));
	assert_true(span_ends(guarded("abc"), "bc"));
	assert_true(span_ends(span_of(NULL), ""));
	assert_true(span_iends(guarded("aBC"), "bC"));
	assert_true(span_iends(guarded("bc"), "BC"));
	assert_false(span_iends(guarded("c"), "bc"));
	assert_false(span_iends(guarded("bd"), "bc"));
	assert_false(span_ends(guarded("bc"), "abc"));
	assert_false(span_ends(guarded("abc"), "ab"));
	assert_true(span_cmp(span_of("a"), span_of("b")) < 0);
	assert_true(span_cmp(span_of("ab"), span_of("a")) > 0);
	assert_true(span_cmp(span_of("a"), span_of("ab")) < 0);
	assert_true(span_cmp(span_of("\x7f"), span_of("\x80")) < 0);
	assert_int_equal(span_cmp(span_of("ab"), span_of("ab")), 0);
	assert_int_equal(span_cmp(span_of(NULL), span_of("")), 0);
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(span_chr(guarded("abcb"), 'b'), 1);
	assert_int_equal(span_chr(guarded("abc"), 'x'), -1);
	assert_int_equal(span_chr(span_of(NULL), 'x'), -1);
	assert_int_equal(span_find(guarded("aabaab"), "aab"), 0);
	assert_int_equal(span_find(guarded("xaxab"), "ab"), 3);
	assert_int_equal(span_find(guarded("xaxa"), "ab"), -1);
	assert_int_equal(span_find(guarded("a"), "ab"), -1);
	assert_int_equal(span_find(guarded("ab"), "ab"), 0);
	assert_int_equal(span_find(guarded("a"), ""), 0);
	assert_int_equal(span_find(guarded("aB"), "b"), -1);
	assert_int_equal(span_ifind(guarded("xxKeep-Alive"), "keep"), 2);
	assert_int_equal(span_ifind(guarded("kee"), "keep"), -1);
}

static void test_cut_and_trim(void **state)
{
	struct span rest = guarded("a,,b,"), out;

	(void)state;
	assert_true(span_cut(&rest, ',', &out) && span_eq(out, "a"));
	assert_true(span_cut(&rest, ',', &out) && span_eq(out, ""));
	assert_true(span_cut(&rest, ',', &out) && span_eq(out, "b"));
	assert_true(span_cut(&rest, ',', &out) && span_eq(out, ""));
	assert_false(span_cut(&rest, ',', &out));
	rest = span_of("");
	assert_true(span_cut(&rest, ',', &out) && out.n == 0);
	assert_false(span_cut(&rest, ',', &out));
	rest = span_of(NULL);
	assert_false(span_cut(&rest, ',', &out) || span_cut_line(&rest, &out));
	rest = guarded("a\rb\r\nc");
	assert_true(span_cut_line(&rest, &out) && span_eq(out, "a"));
	assert_true(span_cut_line(&rest, &out) && span_eq(out, "b"));
	assert_true(span_cut_line(&rest, &out) && span_eq(out, ""));
	assert_true(span_cut_line(&rest, &out) && span_eq(out, "c") && !span_cut_line(&rest, &out));
	assert_true(span_eq(span_trim(guarded(" \t a b\t ")), "a b"));
	assert_true(span_eq(span_trim(guarded(" \t ")), ""));
	assert_true(span_eq(span_trim(guarded("\na\n")), "\na\n"));
	assert_true(span_eq(span_sub(guarded("abcdef"), 2, 3), "cde"));
	assert_true(span_eq(span_sub(guarded("abc"), 2, SIZE_MAX), "c"));
	assert_true(span_eq(span_sub(guarded("abc"), 9, 1), ""));
	assert_true(span_eq(span_sub(span_of(NULL), 1, 1), ""));
}

static void test_copy(void **state)
{
	char dst[4] = "zzz";

	(void)state;
	assert_true(span_copy(dst, sizeof dst, guarded("abc")));
	assert_string_equal(dst, "abc");
	assert_false(span_copy(dst, sizeof dst, guarded("abcd")));
	assert_string_equal(dst, "");
	assert_false(span_copy(dst, sizeof dst, span_make("a\0b", 3)));
	assert_string_equal(dst, "");
	assert_false(span_copy(dst, sizeof dst, span_make("\0b", 2)));
	memcpy(dst, "zzz", 4);
	assert_true(span_copy(dst, sizeof dst, guarded("a")));
	assert_string_equal(dst, "a");
	assert_true(span_copy(dst, sizeof dst, span_of(NULL)));
	assert_false(span_copy(dst, 0, span_of("")));
	char *s = span_dup(guarded("dup")), *t = str_dup("dup"), *u = span_dup(span_of(NULL));
	assert_string_equal(s, "dup");
	assert_string_equal(t, "dup");
	assert_string_equal(u, "");
	free(s);
	free(t);
	free(u);
}

static void test_numbers(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;

	(void)state;
	assert_true(span_u64(guarded("0"), 0, &u) && u == 0);
	assert_true(span_u64(guarded("18446744073709551615"), UINT64_MAX, &u) && u == UINT64_MAX);
	u = 7;
	assert_false(span_u64(guarded("18446744073709551616"), UINT64_MAX, &u));
	assert_false(span_u64(guarded("99999999999999999999999"), UINT64_MAX, &u));
	assert_false(span_u64(guarded("11"), 10, &u));
	assert_true(span_u64(guarded("0010"), 10, &u) && u == 10);
	u = 7;
	static const char *const bad[] = { "", "+1", "-1", " 1", "1 ", "1x", "0x1", "1.0", "\xd9\xa1" };
	for (size_t k = 0; k < COUNT(bad); k++)
		assert_false(span_u64(guarded(bad[k]), UINT64_MAX, &u));
	assert_int_equal(u, 7);
	assert_true(span_i64(guarded("-9223372036854775808"), &i) && i == INT64_MIN);
	assert_true(span_i64(guarded("9223372036854775807"), &i) && i == INT64_MAX);
	assert_true(span_i64(guarded("+5"), &i) && i == 5);
	assert_true(span_i64(guarded("-0"), &i) && i == 0);
	i = 7;
	assert_false(span_i64(guarded("9223372036854775808"), &i));
	assert_false(span_i64(guarded("-9223372036854775809"), &i));
	assert_false(span_i64(guarded("--1"), &i));
	assert_false(span_i64(guarded("-"), &i));
	assert_false(span_i64(guarded(""), &i));
	assert_int_equal(i, 7);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} table[] = {
		{ "0", 0 },
		{ "300", 300 },
		{ "5m", 300 },
		{ "24h", 86400 },
		{ "7d", 604800 },
		{ "2w", 1209600 },
		{ "1h30m", 5400 },
		{ "1w2d3h4m5s", 604800 + 2 * 86400 + 3 * 3600 + 245 },
		{ "0s", 0 },
		{ "315360000", 315360000 },
		{ "3650d", 315360000 },
		{ "315360001", -1 },
		{ "3650d1s", -1 },
		{ "", -1 },
		{ "m", -1 },
		{ "1h30", -1 },
		{ "30m1h", -1 },
		{ "1h1h", -1 },
		{ "-5", -1 },
		{ "5 m", -1 },
		{ "5M", -1 },
		{ "1.5h", 5400 },
		{ "0.25d", 21600 },
		{ "1h0.5m", 3630 },
		{ "1.000001w", 604801 },
		{ "1500ms", 2 },
		{ "1m30s1ms", 91 },
		{ "0.4s", 1 },
		{ "0.001ms", 1 },
		{ "0ms", 0 },
		{ "0.0h", 0 },
		{ "315360000000ms", 315360000 },
		{ "315360000001ms", -1 },
		{ "3650.1d", -1 },
		{ "1.5", -1 },
		{ "1.h", -1 },
		{ ".5h", -1 },
		{ "1.5h30m", -1 },
		{ "1.1234567h", -1 },
		{ "1.5.5h", -1 },
		{ "1,5h", -1 },
		{ "1ms1s", -1 },
		{ "5us", -1 },
		{ "5y", -1 },
		{ "99999999999999999999w", -1 },
		{ "999999999999999w", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		int64_t got = -1;
		assert_int_equal(span_duration(guarded(table[i].text), &got), table[i].want >= 0);
		assert_int_equal(got, table[i].want);
	}
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
		bool ok;
	} table[] = {
		{ "16777216", 16777216, true },
		{ "16MiB", 16777216, true },
		{ "4k", 4096, true },
		{ "4K", 4096, true },
		{ "4KiB", 4096, true },
		{ "4kB", 4000, true },
		{ "1GB", 1000000000, true },
		{ "1G", 1 << 30, true },
		{ "3M", 3 << 20, true },
		{ "3MB", 3000000, true },
		{ "0", 0, true },
		{ "18446744073709551615", UINT64_MAX, true },
		{ "17179869183G", 17179869183u << 30, true },
		{ "17179869184G", 0, false },
		{ "18446744073709551616", 0, false },
		{ "", 0, false },
		{ "k", 0, false },
		{ "1x", 0, false },
		{ "1B", 0, false },
		{ "1KiBB", 0, false },
		{ "1Ki", 0, false },
		{ "1 k", 0, false },
		{ "-1", 0, false },
		{ "1.5M", 0, false },
		{ "1T", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t got = 0;
		assert_int_equal(span_size(guarded(table[i].text), &got), table[i].ok);
		assert_true(got == table[i].want);
	}
	uint64_t got;
	assert_false(span_size(span_make("1\0", 2), &got));
	assert_false(span_size(span_make("1k\0", 3), &got));
}

/* All sequences of one to three bytes, and the four-byte ones with a fixed tail, against the definition. */
static void test_utf8_exhaustive(void **state)
{
	uint8_t s[4];

	(void)state;
	for (unsigned v = 0; v < 1u << 24; v++) {
		s[0] = (uint8_t)(v >> 16);
		s[1] = (uint8_t)(v >> 8);
		s[2] = (uint8_t)v;
		s[3] = 0xbf;
		bool t1 = s[1] >> 6 == 2, t2 = s[2] >> 6 == 2;
		unsigned cp3 = (s[0] & 15u) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u);
		unsigned cp4 = (s[0] & 7u) << 18 | (s[1] & 63u) << 12 | (s[2] & 63u) << 6 | 63;
		bool ok = (cp3 >= 0x800 && (cp3 < 0xd800 || cp3 > 0xdfff) && s[0] >> 4 == 14 && t1 && t2) ||
		    (s[0] < 0x80 && s[1] < 0x80 && s[2] < 0x80) ||
		    (s[0] < 0x80 && s[1] >= 0xc2 && s[1] < 0xe0 && t2) ||
		    (s[2] < 0x80 && s[0] >= 0xc2 && s[0] < 0xe0 && t1);
		if (span_utf8(span_make(s, 3)) != ok)
			fail_msg("%02x %02x %02x", s[0], s[1], s[2]);
		bool ok4 = (ok && 0) || (s[0] >> 3 == 30 && t1 && t2 && cp4 >= 0x10000 && cp4 <= 0x10ffff) ||
		    (s[0] < 0x80 && s[1] >> 4 == 14 && t2 && span_utf8(span_make(s + 1, 3))) ||
		    (s[2] >= 0xc2 && s[2] < 0xe0 && span_utf8(span_make(s, 2)));
		if (span_utf8(span_make(s, 4)) != ok4)
			fail_msg("%02x %02x %02x bf", s[0], s[1], s[2]);
	}
}

static void test_utf8_cut(void **state)
{
	static const char text[] = "a\xc3\xa9\xe6\x9d\xb1\xf0\x9f\x97\x9d";

	(void)state;
	/* Ends of characters after 0, 1, 3, 6 and 10 bytes. */
	for (size_t n = 0; n <= 10; n++)
		assert_int_equal(span_utf8(span_make(guard_put(text, n), n)), (0x44b >> n) & 1);
}

static void test_utf8_char(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		uint32_t code;
	} table[] = {
		{ "", 0, 0 },
		{ "\x7f"
		  "a",
		    1, 0x7f },
		{ "\xc2\x80", 2, 0x80 },
		{ "\xdf\xbf"
		  "a",
		    2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 },
		{ "\xe6\x9d\xb1\xff", 3, 0x6771 },
		{ "\xf0\x9f\x97\x9d", 4, 0x1f5dd },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\x80", 0, 0 },
		{ "\xc3", 0, 0 },
		{ "\xc3"
		  "a",
		    0, 0 },
		{ "\xf0\x9f\x97", 0, 0 },
		{ "\xed\xa0\x80", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint32_t code = 0;
		assert_int_equal(span_utf8_char(guarded(table[i].text), &code), table[i].n);
		assert_int_equal(code, table[i].code);
		assert_int_equal(span_utf8_char(guarded(table[i].text), NULL), table[i].n);
	}
	assert_int_equal(span_utf8_char(span_of(NULL), NULL), 0);
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* By the definition, in exponential time. */
static size_t distance(struct span a, struct span b)
{
	if (a.n == 0 || b.n == 0)
		return a.n + b.n;
	struct span a1 = span_sub(a, 1, a.n), b1 = span_sub(b, 1, b.n);
	return min3(distance(a1, b) + 1, distance(a, b1) + 1, distance(a1, b1) + (a.p[0] != b.p[0]));
}

static void test_distance_by_definition(void **state)
{
	char text[10];
	uint32_t x = 7;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		for (size_t k = 0; k < sizeof text; k++) {
			x = x * 1664525 + 1013904223;
			text[k] = (char)('a' + (x >> 24) % 3);
		}
		struct span a = span_make(text, (x >> 8) % 6), b = span_make(text + 5, (x >> 16) % 6);
		assert_int_equal(span_distance(a, b, 99), distance(a, b));
	}
}

static void test_distance(void **state)
{
	char wide[65];

	(void)state;
	memset(wide, 'a', sizeof wide);
	assert_int_equal(span_distance(span_of("max_sise"), span_of("max_size"), 9), 1);
	assert_int_equal(span_distance(span_of("kitten"), span_of("sitting"), 9), 3);
	assert_int_equal(span_distance(span_of("kitten"), span_of("sitting"), 2), 2);
	assert_int_equal(span_distance(span_of(""), span_of("abc"), 9), 3);
	assert_int_equal(span_distance(span_of("abc"), span_of(NULL), 9), 3);
	assert_int_equal(span_distance(span_of("ab"), span_of("ba"), 9), 2);
	assert_int_equal(span_distance(span_make(wide, 64), span_make(wide, 63), 9), 1);
	assert_int_equal(span_distance(span_make(wide, 65), span_make(wide, 65), 9), 9);
}

static void test_glob(void **state)
{
	(void)state;
	assert_true(span_glob("*", guarded("")));
	assert_true(span_glob("*.json", guarded("a.json")));
	assert_false(span_glob("*.json", guarded("a.jsonx")));
	assert_true(span_glob("a?c", guarded("abc")));
	assert_false(span_glob("a?c", guarded("ac")));
	assert_true(span_glob("*ab*cd*", guarded("xxabaabycd")));
	assert_false(span_glob("*ab*cd", guarded("xxabcdx")));
	assert_true(span_glob("", guarded("")));
	assert_false(span_glob("", guarded("a")));
	assert_true(span_glob("a**", guarded("a")));
	assert_false(span_glob("a?", guarded("a")));
	assert_true(span_glob("*?", guarded("*")));
	assert_false(span_glob("a", span_make("a\0", 2)));
	/* Exponential in a naive matcher. */
	char many[2000];
	memset(many, 'a', sizeof many);
	assert_false(span_glob("*a*a*a*a*a*a*a*a*a*a*b", span_make(many, sizeof many)));
}

static void test_same_ct(void **state)
{
	(void)state;
	assert_true(mem_same_ct("abc", "abd", 2));
	assert_false(mem_same_ct("abc", "abd", 3));
	assert_false(mem_same_ct("\x80", "\0", 1));
	assert_true(mem_same_ct(NULL, NULL, 0));
}

/* Every length up to three words, a difference at every place, either way; memcmp(3) is the judge. */
static void test_bytes(void **state)
{
	char a[24], b[24];

	(void)state;
	for (size_t n = 0; n <= sizeof(a); n++) {
		memset(a, 'x', sizeof(a));
		memset(b, 'x', sizeof(b));
		b[n ? n - 1 : 0] = '\xf8';
		assert_int_equal(str_bytes(a, b, n ? n - 1 : 0), 0);
		for (size_t at = 0; at < n; at++) {
			memset(b, 'x', sizeof(b));
			b[at] = at & 1 ? '\x80' : 'a';
			if (at + 1 < n)
				b[at + 1] = at & 1 ? 'a' : '\x80';
			assert_int_equal(str_bytes(a, b, n) < 0, memcmp(a, b, n) < 0);
			assert_int_equal(str_bytes(b, a, n) < 0, memcmp(b, a, n) < 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cut_and_trim),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_utf8_exhaustive),
		cmocka_unit_test(test_utf8_cut),
		cmocka_unit_test(test_utf8_char),
		cmocka_unit_test(test_distance_by_definition),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_same_ct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
