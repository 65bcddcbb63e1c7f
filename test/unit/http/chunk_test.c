#include "base/buf.h"
#include "base/str.h"
#include "http/chunk.h"
#include "http/parse.h"
#include "cases.h"

/* What a body gave: its data, and how far it was read. */
struct outcome {
	struct buf data;
	size_t taken;
	bool done;
	const char *why;	/* NULL: not bad */
};

/* Offer at most `step` bytes at a time. */
static void decode(const char *name, const char *bytes, size_t n, size_t step, struct outcome *o)
{
	const uint8_t *data;
	struct http_chunk c;
	ssize_t r = 1;
	size_t ndata;
	const char *again;

	*o = (struct outcome){ 0 };
	buf_init(&o->data, BUF_MAX_ANY);
	http_chunk_init(&c);
	while (o->taken < n && r > 0) {
		size_t k = n - o->taken < step ? n - o->taken : step;
		const char *at = guard_put(bytes + o->taken, k);

		r = http_chunk_feed(&c, at, k, &data, &ndata, &o->why);
		if (r > (ssize_t)k || (r >= 0 && (const char *)data + ndata > at + r))
			fail_msg("%s: took %zd of %zu", name, r, k);
		if (r < 0 && ndata > 0)
			fail_msg("%s: data from a feed that failed", name);
		buf_add(&o->data, data, ndata);
		o->taken += r > 0 ? (size_t)r : 0;
	}
	o->done = c.done;
	assert_int_equal(r == -1, o->why != NULL);
	assert_int_equal(r == -1, c.bad);
	if (c.bad)
		assert_int_equal(http_chunk_feed(&c, "0", 1, &data, &ndata, &again), -1);
	if (c.done)
		assert_int_equal(http_chunk_feed(&c, "0", 1, &data, &ndata, &again), 0);
}

static void check_steps(const char *name, const char *bytes, size_t n, const struct outcome *whole)
{
	static const size_t steps[] = { 1, 2, 3, 5, 7, 64, 4096 };

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct outcome o;

		decode(name, bytes, n, steps[i], &o);
		if (!span_same(buf_span(&o.data), buf_span(&whole->data)) || o.done != whole->done)
			fail_msg("%s: other data in steps of %zu", name, steps[i]);
		if (!o.why != !whole->why || (o.why && strcmp(o.why, whole->why) != 0) ||
		    (!o.why && o.taken != whole->taken))
			fail_msg("%s: another end in steps of %zu", name, steps[i]);
		buf_free(&o.data);
	}
}

/* A prefix is never done, and is bad only where the whole is. */
static void check_prefixes(const char *name, const char *bytes, size_t n, const struct outcome *whole)
{
	for (size_t i = 0; i < n && i < 4096; i++) {
		struct outcome o;

		decode(name, bytes, i, n, &o);
		if (o.done && (!whole->done || i < whole->taken))
			fail_msg("%s: done after %zu bytes", name, i);
		if (o.why && !whole->why)
			fail_msg("%s: %zu bytes are bad: %s", name, i, o.why);
		if (!span_same(buf_span(&o.data), span_sub(buf_span(&whole->data), 0, buf_len(&o.data))))
			fail_msg("%s: other data in %zu bytes", name, i);
		buf_free(&o.data);
	}
}

static void decode_all_ways(const char *name, const char *bytes, size_t n, struct outcome *o)
{
	decode(name, bytes, n, n + 1, o);
	check_steps(name, bytes, n, o);
	check_prefixes(name, bytes, n, o);
}

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	const char *data;
	size_t left;		/* bytes after the end */
} good[] = {
	{ "RFC 9112 §7.1 empty body", B("0\r\n\r\n"), "", 0 },
	{ "RFC 9112 §7.1 one chunk", B("5\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1 two chunks", B("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "hello world", 0 },
	{ "RFC 9112 §7.1 hex of both cases", B("a\r\n0123456789\r\nB\r\nabcdefghijk\r\n0\r\n\r\n"),
	    "0123456789abcdefghijk", 0 },
	{ "RFC 9112 §7.1 nine", B("9\r\n123456789\r\n0\r\n\r\n"), "123456789", 0 },
	{ "RFC 9112 §7.1 F", B("F\r\n123456789abcdef\r\n0\r\n\r\n"), "123456789abcdef", 0 },
	{ "RFC 9112 §7.1 leading zeros", B("00005\r\nhello\r\n000\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1 fifteen digits", B("000000000000005\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1 data that look like framing", B("7\r\n0\r\n\r\n5\r\r\n0\r\n\r\n"), "0\r\n\r\n5\r",
	    0 },
	{ "RFC 9112 §7.1 what follows is left", B("1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"), "x", 17 },
	{ "RFC 9112 §7.1.1 extension", B("5;a=b\r\nhello\r\n0;last\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1.1 quoted extension", B("5;a=\"x;y\";c\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1.1 white space before the ';'", B("5 \t ; a = b\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1.1 obs-text in an extension", B("5;a=\"\xff\"\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
	{ "RFC 9112 §7.1.2 trailers", B("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), "x", 0 },
	{ "RFC 9112 §7.1.2 trailers change no framing", B("0\r\nContent-Length: 5\r\n\r\nhello"), "", 5 },
};

static void takes_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct outcome o;

		decode_all_ways(good[i].name, good[i].bytes, good[i].n, &o);
		if (o.why || !o.done || o.taken != good[i].n - good[i].left)
			fail_msg("%s: %s, took %zu", good[i].name, o.why ? o.why : "", o.taken);
		assert_string_equal(buf_cstr(&o.data), good[i].data);
		buf_free(&o.data);
	}
}

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	const char *why;
} refused[] = {
	{ "RFC 9112 §7.1 no size", B("\r\n"), "a chunk without a size" },
	{ "RFC 9112 §7.1 extension and no size", B(";a\r\nx"), "a chunk without a size" },
	{ "RFC 9112 §7.1 minus", B("-5\r\nhello\r\n"), "a chunk without a size" },
	{ "RFC 9112 §7.1 plus", B("+5\r\nhello\r\n"), "a chunk without a size" },
	{ "RFC 9112 §7.1 space first", B(" 5\r\nhello\r\n"), "a chunk without a size" },
	{ "RFC 9112 §7.1 space after", B("5 \r\nhello\r\n"), "white space after a chunk size" },
	{ "RFC 9112 §7.1 tab after", B("5\t\r\nhello\r\n"), "white space after a chunk size" },
	{ "RFC 9112 §7.1 space inside", B("1 0\r\nhello\r\n"), "white space after a chunk size" },
	{ "RFC 9112 §7.1 0x", B("0x5\r\nhello\r\n"), "a malformed chunk size" },
	{ "RFC 9112 §7.1 g", B("g\r\nhello\r\n"), "a chunk without a size" },
	{ "RFC 9112 §7.1 underscore", B("1_0\r\nhello\r\n"), "a malformed chunk size" },
	{ "RFC 9112 §7.1 comma", B("5,5\r\nhello\r\n"), "a malformed chunk size" },
	{ "RFC 9112 §7.1 NUL", B("5\0\r\nhello\r\n"), "a malformed chunk size" },
	{ "RFC 9112 §7.1 sixteen digits", B("0000000000000005\r\nhello\r\n"),
	    "a chunk size of more than 15 digits" },
	{ "RFC 9112 §7.1 sixteen digits, a zero at the end", B("5000000000000000\r\nhello\r\n"),
	    "a chunk size of more than 15 digits" },
	{ "RFC 9112 §7.1 2^64+5", B("10000000000000005\r\nhello\r\n"),
	    "a chunk size of more than 15 digits" },
	{ "RFC 9112 §2.2 bare LF after a size", B("5\nhello\r\n"), "a malformed chunk size" },
	{ "RFC 9112 §2.2 bare CR after a size", B("5\rhello\r\n"), "a bare CR in the chunked coding" },
	{ "RFC 9112 §2.2 bare LF after the last size", B("0\n\r\n"), "a malformed chunk size" },
	{ "RFC 9112 §7.1.1 bare LF in an extension", B("5;a\nhello\r\n"),
	    "a control character in a chunk extension" },
	{ "RFC 9112 §7.1.1 bare LF in a quoted extension", B("5;a=\"\n\"\r\nhello\r\n"),
	    "a control character in a chunk extension" },
	{ "RFC 9112 §7.1.1 bare CR in an extension", B("5;a\rb\r\nhello\r\n"),
	    "a bare CR in the chunked coding" },
	{ "RFC 9112 §7.1.1 NUL in an extension", B("5;a\0\r\nhello\r\n"),
	    "a control character in a chunk extension" },
	{ "RFC 9112 §7.1 data too long", B("5\r\nhello!\r\n"), "chunk data that run past their size" },
	{ "RFC 9112 §7.1 data too short", B("5\r\nhell\r\n0\r\n\r\n"),
	    "chunk data that run past their size" },
	{ "RFC 9112 §7.1 bare LF after data", B("5\r\nhello\n0\r\n\r\n"),
	    "chunk data that run past their size" },
	{ "RFC 9112 §7.1 bare CR after data", B("5\r\nhello\r0\r\n\r\n"), "a bare CR in the chunked coding" },
	{ "RFC 9112 §7.1.2 trailer name with a space", B("0\r\nA B: c\r\n\r\n"),
	    "a malformed trailer field" },
	{ "RFC 9112 §7.1.2 space before the colon", B("0\r\nA : c\r\n\r\n"), "a malformed trailer field" },
	{ "RFC 9112 §7.1.2 empty trailer name", B("0\r\n: c\r\n\r\n"), "a malformed trailer field" },
	{ "RFC 9112 §7.1.2 trailer without a colon", B("0\r\nabc\r\n\r\n"), "a malformed trailer field" },
	{ "RFC 9112 §7.1.2 folded trailer", B("0\r\nA: b\r\n c\r\n\r\n"), "a malformed trailer field" },
	{ "RFC 9112 §7.1.2 obs-text in a trailer name", B("0\r\n\xc3: b\r\n\r\n"),
	    "a malformed trailer field" },
	{ "RFC 9112 §7.1.2 bare LF in a trailer", B("0\r\nA: b\n\r\n"),
	    "a control character in a trailer field" },
	{ "RFC 9112 §7.1.2 bare CR in a trailer", B("0\r\nA: b\rc\r\n\r\n"),
	    "a bare CR in the chunked coding" },
	{ "RFC 9112 §7.1.2 NUL in a trailer", B("0\r\nA: \0\r\n\r\n"),
	    "a control character in a trailer field" },
	{ "RFC 9112 §7.1 bare LF ends the body", B("0\r\n\n"), "a malformed trailer field" },
	{ "RFC 9112 §7.1 bare CR ends the body", B("0\r\n\rx"), "a bare CR in the chunked coding" },
	{ "RFC 9112 §7.1 the next head for the end", B("0\r\nHTTP/1.1 200 OK\r\n\r\n"),
	    "a malformed trailer field" },
};

static void refuses_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct outcome o;

		decode_all_ways(refused[i].name, refused[i].bytes, refused[i].n, &o);
		if (!o.why || o.done)
			fail_msg("%s: taken", refused[i].name);
		if (strcmp(o.why, refused[i].why) != 0)
			fail_msg("%s: '%s', not '%s'", refused[i].name, o.why, refused[i].why);
		buf_free(&o.data);
	}
}

/* Data that came before the fault are the caller's: they count for what is logged. */
static void gives_data_before_a_fault(void **state)
{
	static const char bytes[] = "5\r\nhello\r\n3\r\nabcX";
	struct outcome o;

	(void)state;
	decode_all_ways("a fault after data", bytes, sizeof(bytes) - 1, &o);
	assert_non_null(o.why);
	assert_string_equal(buf_cstr(&o.data), "helloabc");
	buf_free(&o.data);
}

static void fill(struct buf *b, const char *start, size_t total, const char *end)
{
	buf_init(b, BUF_MAX_ANY);
	buf_adds(b, start);
	while (buf_len(b) < total - strlen(end))
		buf_addc(b, 'x');
	buf_adds(b, end);
}

static const char *why_of(struct buf *b)
{
	struct outcome o;

	decode_all_ways("limit", (const char *)buf_data(b), buf_len(b), &o);
	buf_free(&o.data);
	buf_free(b);
	if (!o.why)
		assert_true(o.done);
	return o.why ? o.why : "";
}

static void limits_size_lines(void **state)
{
	struct buf b;

	(void)state;
	fill(&b, "0;", HTTP_CHUNK_LINE_MAX, "\r\n");
	buf_adds(&b, "\r\n");
	assert_string_equal(why_of(&b), "");
	fill(&b, "0;", HTTP_CHUNK_LINE_MAX + 1, "\r\n");
	buf_adds(&b, "\r\n");
	assert_string_equal(why_of(&b), "a chunk size line of more than 4096 bytes");
}

/* The limit is of one line, not of all of them. */
static void counts_each_size_line(void **state)
{
	struct buf b, line;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	for (int i = 0; i < 3; i++) {
		fill(&line, "1;", HTTP_CHUNK_LINE_MAX, "\r\n");
		buf_addspan(&b, buf_span(&line));
		buf_adds(&b, "y\r\n");
		buf_free(&line);
	}
	buf_adds(&b, "0\r\n\r\n");
	assert_string_equal(why_of(&b), "");
}

static void limits_trailers(void **state)
{
	struct buf b;

	(void)state;
	fill(&b, "0\r\nA: ", 3 + HTTP_HEAD_MAX, "\r\n\r\n");
	assert_string_equal(why_of(&b), "");
	fill(&b, "0\r\nA: ", 3 + HTTP_HEAD_MAX + 1, "\r\n\r\n");
	assert_string_equal(why_of(&b), "a trailer section of more than 64 KiB");
}

/* A chunk larger than any memory is read as it comes. */
static void takes_a_huge_chunk(void **state)
{
	const char *why = NULL;
	const uint8_t *data;
	struct http_chunk c;
	size_t n;

	(void)state;
	http_chunk_init(&c);
	assert_int_equal(http_chunk_feed(&c, "fffffffffffffff\r\nab", 19, &data, &n, &why), 19);
	assert_int_equal(n, 2);
	assert_memory_equal(data, "ab", 2);
	assert_true(c.left == 0xffffffffffffffd);
	assert_false(c.done);
}

static void takes_nothing(void **state)
{
	const char *why = NULL;
	const uint8_t *data;
	struct http_chunk c;
	size_t n = 9;

	(void)state;
	http_chunk_init(&c);
	assert_int_equal(http_chunk_feed(&c, NULL, 0, &data, &n, &why), 0);
	assert_int_equal(n, 0);
	assert_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_bodies),
		cmocka_unit_test(refuses_bodies),
		cmocka_unit_test(gives_data_before_a_fault),
		cmocka_unit_test(limits_size_lines),
		cmocka_unit_test(counts_each_size_line),
		cmocka_unit_test(limits_trailers),
		cmocka_unit_test(takes_a_huge_chunk),
		cmocka_unit_test(takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
