#include <string.h>

#include "../guard.h"
#include "base/buf.h"
#include "base/jscan.h"
#include "cm.h"

static const char letters[] = " {}[]ksntfz"; /* by enum jscan_event */

/* What the scanner says to `text`, fed in pieces of at most `step` bytes: a letter, start-end and depth for
 * each event. */
static void trace(struct span text, size_t step, struct buf *out)
{
	enum jscan_event ev = JSCAN_NONE;
	struct jscan s;
	size_t at = 0;

	buf_clear(out);
	jscan_init(&s);
	while (at < text.n) {
		size_t n = text.n - at < step ? text.n - at : step;
		ssize_t r = jscan_feed(&s, guard_put(text.p + at, n), n, &ev);
		if (r < 0) {
			assert_true(s.bad);
			assert_int_equal(jscan_feed(&s, " ", 1, &ev), -1);
			assert_int_equal(jscan_end(&s, &ev), -1);
			buf_adds(out, "bad");
			return;
		}
		assert_true(ev != JSCAN_NONE || (size_t)r == n);
		at += (size_t)r;
		assert_int_equal(s.pos, at);
		if (ev != JSCAN_NONE)
			buf_addf(out, "%c%u-%u.%u ", letters[ev], (unsigned)s.start, (unsigned)s.end,
			    s.depth);
		/* The state is the struct: a copy goes on where the original was. */
		struct jscan copy;
		memcpy(&copy, &s, sizeof s);
		memset(&s, 0xee, sizeof s);
		s = copy;
	}
	if (jscan_end(&s, &ev) < 0) {
		buf_adds(out, "short");
		return;
	}
	assert_true(s.done);
	if (ev != JSCAN_NONE)
		buf_addf(out, "%c%u-%u.%u ", letters[ev], (unsigned)s.start, (unsigned)s.end, s.depth);
	buf_adds(out, "ok");
}

/* However it is cut, the answer is the same. */
static void expect(struct span text, const char *want)
{
	struct buf out;

	buf_init(&out, BUF_MAX_ANY);
	for (size_t step = 1; step != SIZE_MAX; step = step < 40 ? step + 1
		 : step < text.n				 ? text.n
								 : SIZE_MAX) {
		trace(text, step, &out);
		if (want[0] == '*' ? strcmp(buf_cstr(&out) + buf_len(&out) - strlen(want + 1), want + 1) != 0
				   : strcmp(buf_cstr(&out), want) != 0)
			fail_msg("%.*s by %zu: %s, not %s", (int)text.n, text.p, step, buf_cstr(&out), want);
	}
	bool ok = strcmp(buf_cstr(&out) + (buf_len(&out) >= 2 ? buf_len(&out) - 2 : 0), "ok") == 0;
	assert_int_equal(jscan_valid(span_make(guard_put(text.p, text.n), text.n)), ok);
	buf_free(&out);
}

static void test_events(void **state)
{
	(void)state;
	expect(span_of("{\"a\": [1, -2.5e3,true,false ,null], \"b\":{}, \"\":\"x\"}"),
	    "{0-1.1 k1-4.1 [6-7.2 n7-8.2 n10-16.2 t17-21.2 f22-27.2 z29-33.2 ]33-34.1 k36-39.1 {40-41.2 "
	    "}41-42.1 "
	    "k44-46.1 s47-50.1 }50-51.0 ok");
	expect(span_of(" [ ] "), "[1-2.1 ]3-4.0 ok");
	expect(span_of("[[],{}]"), "[0-1.1 [1-2.2 ]2-3.1 {4-5.2 }5-6.1 ]6-7.0 ok");
	expect(span_of("\"a\\\"b\""), "s0-6.0 ok");
	expect(span_of("\t\n\r true \r"), "t4-8.0 ok");
	expect(span_of("12"), "n0-2.0 ok");
	expect(span_of("12 "), "n0-2.0 ok");
	expect(span_of("1x"), "bad");
	expect(span_of("1,"), "bad");
	expect(span_of("1]"), "bad");
	expect(span_of("[1]]"), "[0-1.1 n1-2.1 ]2-3.0 bad");
	expect(span_of("{} {}"), "{0-1.1 }1-2.0 bad");
}

static void test_valid(void **state)
{
	static const char *const table[] = {
		"0",
		"-0",
		"-1",
		"10",
		"1.0",
		"0.1",
		"-0.0e0",
		"1e1",
		"1E+1",
		"1e-1",
		"1e00",
		"123456789012345678901234567890",
		"1.5E10",
		"\"\"",
		"\" \"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\u0000\"",
		"\"\\uD834\\uDd1e\"",
		"\"\\u00e9\\ud7ff\\ue000\\uffff\"",
		"\"\x7f\"",
		"\"\xc2\x80\xdf\xbf\"",
		"\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\"",
		"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		"\"\xef\xbb\xbf\"",
		"[]",
		"{}",
		"[[[[]]]]",
		"{\"\":{\"\":{}}}",
		"{\"a\":1,\"a\":2}",
		"[0,0]",
		"[\"a\",\"b\"]",
		" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n",
		"{ \"a\" : 1 , \"b\" : [ ] }",
		"null",
		"true",
		"false",
		"[null,true,false]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		expect(span_of(table[i]), "*ok");
		/* No shorter text is whole, but a number may be, and what stands before trailing white space.
		 */
		for (size_t n = 0; n < strlen(table[i]); n++) {
			struct span cut = span_make(guard_put(table[i], n), n);
			bool number = table[i][0] == '-' || (table[i][0] >= '0' && table[i][0] <= '9');
			if (!number && !strchr(" \t\r\n", table[i][n]))
				assert_false(jscan_valid(cut));
		}
	}
}

static void test_invalid(void **state)
{
	static const char *const table[] = {
		"",
		" ",
		"\xef\xbb\xbf{}",
		"-",
		"+1",
		"01",
		"-01",
		"00",
		"1.",
		".1",
		"1.e1",
		"1e",
		"1e+",
		"1e1.0",
		"0x1",
		"1_0",
		"--1",
		"-a",
		"1e1e1",
		"NaN",
		"Infinity",
		"-Infinity",
		"nul",
		"nulL",
		"True",
		"truee",
		"tru e",
		"t",
		"fals",
		"\"",
		"\"a",
		"'a'",
		"\"\\\"",
		"\"\\a\"",
		"\"\\x41\"",
		"\"\\U0041\"",
		"\"\\u\"",
		"\"\\u12\"",
		"\"\\u123g\"",
		"\"\\u 123\"",
		"\"\\\n\"",
		"\"\t\"",
		"\"\n\"",
		"\"\x1f\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800x\"",
		"\"\\ud800\\n\"",
		"\"\\ud800xudc00\"",
		"\"\\ud800\\xdc00\"",
		"\"\\ud800\\u0041\"",
		"\"\\ud800\\ud800\\udc00\"",
		"\"\\ud800\\\"",
		"\"\\udc00\\ud800\"",
		"\"\\ud800\xed\xb0\x80\"",
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xc1\xbf\"",
		"\"\xe0\x9f\xbf\"",
		"\"\xed\xa0\x80\"",
		"\"\xf0\x8f\xbf\xbf\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\xff\"",
		"\"\xc3\"",
		"\"\xe6\x9d\"",
		"\"\xf0\x9f\x97\"",
		"\"\xc3\\n\"",
		"\"\xe6\x9d\x22",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[,]",
		"[1 2]",
		"[1:2]",
		"[\"a\":1]",
		"[}",
		"[1}",
		"{",
		"}",
		"{]",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{,}",
		"{\"a\"}",
		"{\"a\" 1}",
		"{\"a\"::1}",
		"{\"a\",1}",
		"{a:1}",
		"{1:1}",
		"{'a':1}",
		"{\"a\":1]",
		"{[]:1}",
		"{\"a\":1 \"b\":2}",
		"{null:1}",
		"{}}",
		"[]]",
		"[][]",
		"1 2",
		"nulltrue",
		"[truefalse]",
		"[1true]",
		"[true1]",
		"[\"a\"1]",
		"[1\"a\"]",
		"//\n1",
		"/**/1",
		"1 // x",
		"[1]x",
		"\xa0[]",
		"\v[]",
		"\f[]",
		"[\xc2\xa0]",
		"\\u0020[]",
		"{\"a\":}",
		"{\"\xff\":1}",
		"{\"\\ud800\":1}",
		"#",
		"[*]",
		"[1,,2]",
		"{\"a\":1,,\"b\":2}",
		"(1)",
		"{\"a\":01}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct buf out;
		buf_init(&out, BUF_MAX_ANY);
		trace(span_of(table[i]), SIZE_MAX, &out);
		bool bad = strcmp(buf_cstr(&out) + buf_len(&out) - 2, "ok") != 0;
		if (!bad)
			fail_msg("taken: %s", table[i]);
		char want[1000];
		snprintf(want, sizeof want, "%s", buf_cstr(&out));
		expect(span_of(table[i]), want);
		buf_free(&out);
	}
	/* A NUL is no white space, no end, and no part of a string. */
	static const char *const with_nul[] = { "[]\0", "\0[]", "[\0]", "\"a\0", "1\0 ", "[1\0]", "tru\0",
		"\"\\\0\"" };
	static const size_t sizes[] = { 3, 3, 3, 3, 3, 4, 4, 4 };
	for (size_t i = 0; i < COUNT(with_nul); i++)
		expect(span_make(with_nul[i], sizes[i]), "*bad");
}

static void nest(struct buf *b, const char *open, const char *inner, const char *close, unsigned depth)
{
	buf_clear(b);
	for (unsigned i = 0; i < depth; i++)
		buf_adds(b, open);
	buf_adds(b, inner);
	for (unsigned i = 0; i < depth; i++)
		buf_adds(b, close);
}

static void test_depth(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	nest(&b, "[", "", "]", JSCAN_DEPTH);
	expect(buf_span(&b), "*ok");
	nest(&b, "[", "", "]", JSCAN_DEPTH + 1);
	expect(buf_span(&b), "*bad");
	nest(&b, "{\"a\":", "1", "}", JSCAN_DEPTH);
	expect(buf_span(&b), "*ok");
	nest(&b, "{\"a\":", "{}", "}", JSCAN_DEPTH);
	expect(buf_span(&b), "*bad");
	nest(&b, "[{\"a\":", "1", "}]", JSCAN_DEPTH / 2);
	expect(buf_span(&b), "*ok");
	/* The kinds are remembered at each depth: one wrong bracket anywhere is found. */
	nest(&b, "[{\"a\":", "1", "}]", 20);
	for (size_t i = buf_len(&b) - 40; i < buf_len(&b); i++) {
		uint8_t *p = buf_data(&b) + i;
		*p ^= ']' ^ '}';
		expect(buf_span(&b), "*bad");
		*p ^= ']' ^ '}';
	}
	buf_free(&b);
}

/* The fast path over strings takes eight bytes at once: each byte value at each place around it. */
static void test_every_byte_at_every_place(void **state)
{
	char text[32];

	(void)state;
	for (size_t n = 1; n <= 20; n++)
		for (size_t i = 0; i < n; i++)
			for (int c = 0; c < 256; c++) {
				memset(text, 'a', sizeof text);
				text[0] = text[n + 1] = '"';
				text[1 + i] = (char)c;
				bool ok = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
				if (c == '\\' && i + 1 < n) {
					text[2 + i] = 'n';
					ok = true;
				}
				if (jscan_valid(span_make(guard_put(text, n + 2), n + 2)) != ok)
					fail_msg("%02x at %zu of %zu", (unsigned)c, i, n);
			}
}

static void test_utf8_as_str(void **state)
{
	char text[6] = { '"', 0, 0, 0, 0, '"' };

	(void)state;
	for (unsigned v = 0x80; v < 0x1000000; v += 7) {
		text[1] = (char)(v >> 16);
		text[2] = (char)(v >> 8);
		text[3] = (char)v;
		text[4] = (char)0xbf;
		bool plain = true;
		for (int i = 1; i < 5; i++)
			plain = plain && (uint8_t)text[i] >= 0x20 && text[i] != '"' && text[i] != '\\';
		if (plain)
			assert_int_equal(jscan_valid(span_make(text, 6)), span_utf8(span_make(text + 1, 4)));
	}
}

static void test_resume(void **state)
{
	static const char text[] = "{\"a\":[1,2],\"b\":3}";
	enum jscan_event ev;
	struct jscan s;

	(void)state;
	jscan_init(&s);
	assert_int_equal(jscan_feed(&s, text, sizeof text - 1, &ev), 1);
	jscan_resume(&s, 10);
	assert_int_equal(jscan_feed(&s, text + 10, sizeof text - 11, &ev), 4);
	assert_int_equal(ev, JSCAN_KEY);
	assert_int_equal(s.start, 11);
	assert_int_equal(jscan_feed(&s, text + 14, 3, &ev), 2);
	assert_int_equal(jscan_feed(&s, text + 16, 1, &ev), 1);
	assert_int_equal(ev, JSCAN_OBJECT_END);
	assert_int_equal(jscan_end(&s, &ev), 0);
}

/* Offsets do not wrap at 4 GiB. */
static void test_far(void **state)
{
	enum jscan_event ev;
	struct jscan s;

	(void)state;
	jscan_init(&s);
	s.pos = UINT64_C(0x1fffffffe);
	assert_int_equal(jscan_feed(&s, "\"abc\"", 5, &ev), 5);
	assert_true(s.start == UINT64_C(0x1fffffffe) && s.end == UINT64_C(0x200000003));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_every_byte_at_every_place),
		cmocka_unit_test(test_utf8_as_str),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
