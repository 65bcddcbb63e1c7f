#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "codeql/linehash.h"

static bool note(void *arg, uint32_t line, struct linehash_value v)
{
	char text[LINEHASH_TEXT_MAX];
	struct linehash_value back;

	linehash_text(v, text);
	assert_true(linehash_parse(span_of(text), &back) && back.hash == v.hash && back.count == v.count);
	buf_addf(arg, "%u=%s ", line, text);
	return true;
}

static void expect(struct span text, const char *want)
{
	struct buf got;

	buf_init(&got, 1 << 20);
	assert_int_equal(linehash_walk(text, note, &got), 0);
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
}

/* Published with github/codeql-action, src/fingerprints.test.ts. */
static void test_vectors(void **state)
{
	static const char four[] = "1=e9496ae3ebfced30:1 2=fb7c023a8b9ccb3f:1 3=ce8ba1a563dcdaca:1 "
		"4=e20e36e16fcb0cc8:1 5=b3edc88f2938467e:1 6=c8e28b0b4002a3a0:1 7=c129715d7a2bc9a3:1 ";
	struct buf ten;

	(void)state;
	expect(span_of(""), "1=c129715d7a2bc9a3:1 ");
	expect(span_of(" a\nb\n  \t\tc\n d"),
	    "1=271789c17abda88f:1 2=54703d4cd895b18:1 3=180aee12dab6264:1 4=a23a3dc5e078b07b:1 ");
	expect(span_of(" hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End"),
	    "1=8b7cf3e952e7aeb2:1 2=b1ae1287ec4718d9:1 3=bff680108adb0fcc:1 4=c6805c5e1288b612:1 "
	    "5=b86d3392aea1be30:1 6=e6ceba753e1a442:1 ");
	expect(span_of(" hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n"), four);
	expect(span_of(" hello; \t\nworld!!!\r\r\r  \t\tGreetings\r End\r"), four);
	expect(span_of(" hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n"), four);
	expect(span_of(" hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n"), four);
	buf_init(&ten, 4096);
	for (int i = 0; i < 10; i++)
		buf_adds(&ten, "Lorem ipsum dolor sit amet.\n");
	expect(buf_span(&ten), "1=a7f2ff13bc495cf2:1 2=a7f2ff13bc495cf2:2 3=a7f2ff13bc495cf2:3 "
	    "4=a7f2ff13bc495cf2:4 5=a7f2ff13bc495cf2:5 6=a7f2ff13bc495cf2:6 7=a7f2ff1481e87703:1 "
	    "8=a9cf91f7bbf1862b:1 9=55ec222b86bcae53:1 10=cc97dc7b1d7d8f7b:1 11=c129715d7a2bc9a3:1 ");
	buf_free(&ten);
}

static void expect_same(struct span a, struct span b)
{
	struct buf log;

	buf_init(&log, 1 << 20);
	assert_int_equal(linehash_walk(a, note, &log), 0);
	expect(b, buf_cstr(&log));
	buf_free(&log);
}

/* Each part that cannot be continued is one U+FFFD (WHATWG Encoding, UTF-8 decoder). */
static void test_bytes_that_are_no_utf8(void **state)
{
	static const struct {
		const char *bytes;
		int n;
	} table[] = { { "\xff", 1 }, { "\x80\x80", 2 }, { "\xc0\xaf", 2 }, { "\xe0\x80\xaf", 3 },
		{ "\xe2\x82", 1 }, { "\xf0\x9f\x8e", 1 }, { "\xed\xa0\x80", 3 }, { "\xf4\x90\x80\x80", 4 },
		{ "\xf0\x9f\xe2", 2 }, { "\xc3\xc3", 2 }, { "\xf5\x80", 2 }, { "\xe1\x80\xe1\x80", 2 } };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct buf a, b;
		buf_init(&a, 256);
		buf_init(&b, 256);
		buf_addf(&a, "x%sz\n", table[i].bytes);
		buf_addc(&b, 'x');
		for (int k = 0; k < table[i].n; k++)
			buf_adds(&b, "\xef\xbf\xbd");
		buf_adds(&b, "z\n");
		expect_same(buf_span(&a), buf_span(&b));
		buf_free(&a);
		buf_free(&b);
	}
}

static void test_many_lines(void **state)
{
	struct buf text, log;

	(void)state;
	buf_init(&text, 1 << 24);
	buf_init(&log, 1 << 24);
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "%d\n", i % 7);
	assert_int_equal(linehash_walk(buf_span(&text), note, &log), 0);
	assert_true(span_find(buf_span(&log), "20001=c129715d7a2bc9a3:1") > 0);
	buf_free(&text);
	buf_free(&log);
}

static bool stop_at_two(void *arg, uint32_t line, struct linehash_value v)
{
	(void)v;
	*(uint32_t *)arg = line;
	return line < 2;
}

static void test_it_can_be_stopped(void **state)
{
	uint32_t last = 0;

	(void)state;
	assert_int_equal(linehash_walk(span_of("a\nb\nc\nd"), stop_at_two, &last), 0);
	assert_int_equal(last, 2);
}

static void test_parse(void **state)
{
	static const char *const wrong[] = { "", ":", "1", "1:", ":1", "1:0", "1:01", "01:1", "g:1", "A:1",
		"1:1 ", "12345678901234567:1", "1:4294967296", "1:-1", "1:1:1" };
	struct linehash_value v;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_false(linehash_parse(span_of(wrong[i]), &v));
	assert_true(linehash_parse(span_of("0:1"), &v) && v.hash == 0 && v.count == 1);
	assert_true(linehash_parse(span_of("ffffffffffffffff:4294967295"), &v) && v.hash == UINT64_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_bytes_that_are_no_utf8),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_it_can_be_stopped),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests_name("codeql/linehash", tests, NULL, NULL);
}
