#include "base/buf.h"
#include "http/parse.h"
#include "cases.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* ---- one case: whole, every prefix, against a guard page ---- */

/* Which of the two is tested. */
static ssize_t (*parse)(const void *, size_t, struct http_head *, const char **) = http_parse_response;

/* Above this, prefixes are sampled: a head of 64 KiB has as many, of as many bytes. */
#define EVERY 4096

static bool sampled(size_t i, size_t n)
{
	return i < EVERY || i + 70 > n || i % 977 == 0 || i == HTTP_HEAD_MAX || i == HTTP_HEAD_MAX - 1;
}

static ssize_t parse_copy(const char *bytes, size_t n, struct http_head *h, const char **why)
{
	char *copy = malloc(n ? n : 1);
	ssize_t r;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	r = parse(copy, n, h, why);
	free(copy);
	return r;
}

static void check_prefixes(const char *name, const char *bytes, size_t n, ssize_t want, const char *want_why)
{
	static struct http_head h;
	bool answered = false;

	for (size_t i = 0; i < n; i++) {
		const char *why = NULL;

		if (!sampled(i, n))
			continue;
		ssize_t r = parse_copy(bytes, i, &h, &why);
		if (r == -2 && !answered)
			continue;
		answered = true;
		if (r != want || (r > 0 && (size_t)r > i))
			fail_msg("%s: %zu bytes give %zd, all of them %zd", name, i, r, want);
		if (r == -1 && strcmp(why, want_why) != 0)
			fail_msg("%s: %zu bytes give '%s', all of them '%s'", name, i, why, want_why);
	}
}

static ssize_t parse_all_ways(const char *name, const char *bytes, size_t n, struct http_head *h,
    const char **why)
{
	const char *again_why = NULL;
	static struct http_head again;
	ssize_t r;

	*why = NULL;
	r = parse(bytes, n, h, why);
	assert_int_equal(parse(guard_put(bytes, n), n, &again, &again_why), r);
	assert_true(r != -1 || (*why && **why));
	check_prefixes(name, bytes, n, r, *why);
	return r;
}

/* "name=value|name=value" */
static char *fields_text(const struct http_field *f, size_t n)
{
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s=%.*s", i ? "|" : "",
		    (int)f[i].name.n, f[i].name.p, (int)f[i].value.n, f[i].value.p);
	return text;
}

/* ---- heads that are taken ---- */

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	size_t taken;		/* 0: all of them */
	int minor, status;
	const char *reason;
	const char *fields;
} good[] = {
	{ "RFC 9112 §4 status line", B(OK "\r\n"), 0, 1, 200, "OK", "" },
	{ "RFC 9112 §4 empty reason", B("HTTP/1.1 200 \r\n\r\n"), 0, 1, 200, "", "" },
	{ "RFC 9112 §4 no space, no reason", B("HTTP/1.1 200\r\n\r\n"), 0, 1, 200, "", "" },
	{ "RFC 9112 §4 reason of words and tabs", B("HTTP/1.1 404 Not\tFound here\r\n\r\n"), 0, 1, 404,
	    "Not\tFound here", "" },
	{ "RFC 9112 §4 obs-text in the reason", B("HTTP/1.1 500 \xc3\xa9\xff\r\n\r\n"), 0, 1, 500,
	    "\xc3\xa9\xff", "" },
	{ "RFC 9112 §4 reason of a space", B("HTTP/1.1 200  \r\n\r\n"), 0, 1, 200, " ", "" },
	{ "RFC 9112 §2.3 HTTP/1.0", B("HTTP/1.0 200 OK\r\n\r\n"), 0, 0, 200, "OK", "" },
	{ "RFC 9110 §15 status 100", B("HTTP/1.1 100 Continue\r\n\r\n"), 0, 1, 100, "Continue", "" },
	{ "RFC 9110 §15 status 599", B("HTTP/1.1 599 x\r\n\r\n"), 0, 1, 599, "x", "" },
	{ "RFC 9110 §15.2 a 1xx head ends before the final one",
	    B("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), 53, 1,
	    103, "Early Hints", "Link=</a>; rel=preload" },
	{ "RFC 9112 §6 what follows the head is left", B(OK "A: b\r\n\r\nA: c\r\n\r\n"), 25, 1, 200, "OK",
	    "A=b" },
	{ "RFC 9112 §5 one field", B(OK "Server: x\r\n\r\n"), 0, 1, 200, "OK", "Server=x" },
	{ "RFC 9112 §5 no white space", B(OK "A:b\r\n\r\n"), 0, 1, 200, "OK", "A=b" },
	{ "RFC 9112 §5.1 white space around", B(OK "A: \t b c \t\r\n\r\n"), 0, 1, 200, "OK", "A=b c" },
	{ "RFC 9112 §5 tab inside", B(OK "A: b\tc\r\n\r\n"), 0, 1, 200, "OK", "A=b\tc" },
	{ "RFC 9112 §5 empty value", B(OK "A:\r\nB: \r\nC:\t\r\n\r\n"), 0, 1, 200, "OK", "A=|B=|C=" },
	{ "RFC 9112 §5 colons in a value", B(OK "A: b:c::d\r\n\r\n"), 0, 1, 200, "OK", "A=b:c::d" },
	{ "RFC 9110 §5.5 obs-text in a value", B(OK "A: \x80\xff\r\n\r\n"), 0, 1, 200, "OK", "A=\x80\xff" },
	{ "RFC 9110 §5.6.2 every token character",
	    B(OK "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n"), 0, 1, 200, "OK", "!#$%&'*+-.^_`|~09azAZ=x" },
	{ "RFC 9110 §5.2 lines of one name stay apart", B(OK "A: 1\r\na: 2\r\n\r\n"), 0, 1, 200, "OK",
	    "A=1|a=2" },
};

static void takes_heads(void **state)
{
	static struct http_head h;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		ssize_t r = parse_all_ways(good[i].name, good[i].bytes, good[i].n, &h, &why);
		size_t want = good[i].taken ? good[i].taken : good[i].n;

		if (r != (ssize_t)want)
			fail_msg("%s: %zd (%s), not %zu", good[i].name, r, why ? why : "", want);
		if (h.minor != good[i].minor || h.status != good[i].status || !span_eq(h.reason,
		    good[i].reason))
			fail_msg("%s: HTTP/1.%d %d '%.*s'", good[i].name, h.minor, h.status, (int)h.reason.n,
			    h.reason.p);
		assert_string_equal(fields_text(h.fields, h.nfields), good[i].fields);
	}
}

/* ---- heads that are refused ---- */

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	const char *why;
} refused[] = {
	{ "RFC 9112 §2.2 bare LF after the status line", B("HTTP/1.1 200 OK\nA: b\r\n\r\n"),
	    "a bare LF ends a line" },
	{ "RFC 9112 §2.2 bare LF after a field", B(OK "A: b\nC: d\r\n\r\n"), "a bare LF ends a line" },
	{ "RFC 9112 §2.2 bare LF as the empty line", B(OK "A: b\r\n\n"), "a bare LF ends a line" },
	{ "RFC 9112 §2.2 bare CR in a value", B(OK "A: b\rC: d\r\n\r\n"), "a bare CR in a line" },
	{ "RFC 9112 §2.2 bare CR in the reason", B("HTTP/1.1 200 O\rK\r\n\r\n"), "a bare CR in a line" },
	{ "RFC 9112 §2.2 CR CR LF", B(OK "A: b\r\r\n\r\n"), "a bare CR in a line" },
	{ "RFC 9112 §2.2 an empty line first", B("\r\n" OK "\r\n"), "not an HTTP/1 response" },
	{ "RFC 9112 §2.2 white space before the first field", B(OK " A: b\r\n\r\n"), "a folded line" },
	{ "RFC 9110 §5.5 NUL in a value", B(OK "A: b\0c\r\n\r\n"), "a NUL byte" },
	{ "RFC 9110 §5.5 NUL in a name", B(OK "A\0: b\r\n\r\n"), "a NUL byte" },
	{ "RFC 9110 §5.5 NUL in the reason", B("HTTP/1.1 200 \0\r\n\r\n"), "a NUL byte" },
	{ "RFC 9110 §5.5 VT in a value", B(OK "A: b\vc\r\n\r\n"), "a control character" },
	{ "RFC 9110 §5.5 DEL in a value", B(OK "A: b\x7f\r\n\r\n"), "a control character" },
	{ "RFC 9112 §5.2 obs-fold with a space", B(OK "A: b\r\n c\r\n\r\n"), "a folded line" },
	{ "RFC 9112 §5.2 obs-fold with a tab", B(OK "A: b\r\n\tc\r\n\r\n"), "a folded line" },
	{ "RFC 9112 §5.2 obs-fold of an empty line", B(OK "A: b\r\n \r\n\r\n"), "a folded line" },
	{ "RFC 9112 §5.1 space before the colon", B(OK "Content-Length : 5\r\n\r\n"),
	    "white space before the colon of a field" },
	{ "RFC 9112 §5.1 tab before the colon", B(OK "A\t: 5\r\n\r\n"),
	    "white space before the colon of a field" },
	{ "RFC 9112 §5 space in a name", B(OK "A B: c\r\n\r\n"), "a malformed field name" },
	{ "RFC 9112 §5 empty name", B(OK ": c\r\n\r\n"), "a malformed field name" },
	{ "RFC 9112 §5 no colon", B(OK "Abc\r\n\r\n"), "a field line without a colon" },
	{ "RFC 9110 §5.6.2 separator in a name", B(OK "A(b): c\r\n\r\n"), "a malformed field name" },
	{ "RFC 9110 §5.6.2 obs-text in a name", B(OK "A\xc3\xa9: c\r\n\r\n"), "a malformed field name" },
	{ "RFC 9112 §2.3 HTTP/1.2", B("HTTP/1.2 200 OK\r\n\r\n"),
	    "a version other than HTTP/1.0 and HTTP/1.1" },
	{ "RFC 9112 §2.3 HTTP/1.10", B("HTTP/1.10 200 OK\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §2.3 HTTP/1. and nothing", B("HTTP/1.\r\n\r\n"),
	    "a version other than HTTP/1.0 and HTTP/1.1" },
	{ "RFC 9112 §2.3 HTTP/1.1 and nothing", B("HTTP/1.1\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §2.3 HTTP/2.0", B("HTTP/2.0 200 OK\r\n\r\n"), "not an HTTP/1 response" },
	{ "RFC 9112 §2.3 no dot", B("HTTP/1,1 200 OK\r\n\r\n"), "not an HTTP/1 response" },
	{ "RFC 9112 §2.3 case of the name", B("http/1.1 200 OK\r\n\r\n"), "not an HTTP/1 response" },
	{ "RFC 9112 §2.3 another protocol", B("SSH-2.0-OpenSSH\r\n"), "not an HTTP/1 response" },
	{ "RFC 9112 §2.3 a request", B("GET / HTTP/1.1\r\n\r\n"), "not an HTTP/1 response" },
	{ "RFC 9112 §4 two spaces", B("HTTP/1.1  200 OK\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §4 tab for a space", B("HTTP/1.1\t200 OK\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §4 two digits", B("HTTP/1.1 20 OK\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §4 two digits and the end", B("HTTP/1.1 20\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §4 four digits", B("HTTP/1.1 2000 OK\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §4 four digits and the end", B("HTTP/1.1 2000\r\n\r\n"), "a malformed status line" },
	{ "RFC 9112 §4 a letter", B("HTTP/1.1 2x0 OK\r\n\r\n"), "a malformed status code" },
	{ "RFC 9112 §4 a sign", B("HTTP/1.1 +20 OK\r\n\r\n"), "a malformed status code" },
	{ "RFC 9110 §15 status 099", B("HTTP/1.1 099 OK\r\n\r\n"), "a malformed status code" },
	{ "RFC 9110 §15 status 600", B("HTTP/1.1 600 OK\r\n\r\n"), "a malformed status code" },
};

static void refuses_heads(void **state)
{
	static struct http_head h;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		ssize_t r = parse_all_ways(refused[i].name, refused[i].bytes, refused[i].n, &h, &why);

		if (r != -1)
			fail_msg("%s: %zd", refused[i].name, r);
		if (strcmp(why, refused[i].why) != 0)
			fail_msg("%s: '%s', not '%s'", refused[i].name, why, refused[i].why);
	}
}

/* A peer that is no HTTP server must be found out although it never ends a line. */
static void refuses_another_protocol_at_once(void **state)
{
	static struct http_head h;
	const char *why;

	(void)state;
	h.nfields = 5;
	assert_int_equal(http_parse_response("S", 1, &h, &why), -1);
	assert_int_equal(h.nfields, 0);
	assert_int_equal(http_parse_response("HTTP/2", 6, &h, &why), -1);
	assert_int_equal(http_parse_response("HTTP/1.1 200 \n", 14, &h, &why), -1);
	assert_int_equal(http_parse_response(NULL, 0, &h, &why), -2);
}

/* ---- limits ---- */

static void head_of(struct buf *b, size_t total)
{
	buf_init(b, BUF_MAX_ANY);
	buf_adds(b, OK "A: ");
	while (buf_len(b) < total - 4)
		buf_addc(b, 'x');
	buf_adds(b, "\r\n\r\n");
	assert_int_equal(buf_len(b), total);
}

static ssize_t parse_buf(const char *name, struct buf *b, struct http_head *h, const char **why)
{
	ssize_t r = parse_all_ways(name, (const char *)buf_data(b), buf_len(b), h, why);

	buf_free(b);
	return r;
}

static void limits_the_head(void **state)
{
	static struct http_head h;
	const char *why;
	struct buf b;

	(void)state;
	head_of(&b, HTTP_HEAD_MAX);
	assert_int_equal(parse_buf("64 KiB", &b, &h, &why), HTTP_HEAD_MAX);
	head_of(&b, HTTP_HEAD_MAX + 1);
	assert_int_equal(parse_buf("64 KiB and a byte", &b, &h, &why), -1);
	assert_string_equal(why, "a head of more than 64 KiB");
	head_of(&b, HTTP_HEAD_MAX + 5000);
	assert_int_equal(parse_buf("more than 64 KiB", &b, &h, &why), -1);
	head_of(&b, HTTP_HEAD_MAX);
	buf_adds(&b, "the body");
	assert_int_equal(parse_buf("64 KiB and a body", &b, &h, &why), HTTP_HEAD_MAX);
}

/* One byte less could still have become a head of 64 KiB. */
static void says_too_long_at_the_limit(void **state)
{
	static struct http_head h;
	const char *why;
	struct buf b;

	(void)state;
	head_of(&b, HTTP_HEAD_MAX + 1);
	assert_int_equal(http_parse_response(buf_data(&b), HTTP_HEAD_MAX - 1, &h, &why), -2);
	assert_int_equal(http_parse_response(buf_data(&b), HTTP_HEAD_MAX, &h, &why), -1);
	buf_free(&b);
}

static void limits_the_fields(void **state)
{
	static struct http_head h;
	const char *why;
	struct buf b;

	(void)state;
	for (int n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
		buf_init(&b, BUF_MAX_ANY);
		buf_adds(&b, OK);
		for (int i = 0; i < n; i++)
			buf_addf(&b, "F%d: %d\r\n", i, i);
		buf_adds(&b, "\r\n");
		size_t len = buf_len(&b);
		ssize_t r = parse_buf("many fields", &b, &h, &why);
		assert_int_equal(r, n == HTTP_FIELDS_MAX ? (ssize_t)len : -1);
		if (r < 0)
			assert_string_equal(why, "too many fields");
		else
			assert_int_equal(h.nfields, n);
	}
}

/* ---- trailer fields ---- */

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	ssize_t want;
	const char *fields;
} trailers[] = {
	{ "RFC 9112 §7.1.2 none", B("\r\n"), 2, "" },
	{ "RFC 9112 §7.1.2 two", B("A: 1\r\nB:2\r\n\r\nrest"), 13, "A=1|B=2" },
	{ "RFC 9112 §7.1.2 as many as fit", B("A: 1\r\nB: 2\r\nC: 3\r\n\r\n"), 20, "A=1|B=2|C=3" },
	{ "RFC 9112 §7.1.2 one more", B("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"), -1, NULL },
	{ "RFC 9112 §7.1.2 not ended", B("A: 1\r\n"), -2, NULL },
	{ "RFC 9112 §7.1.2 bad name", B("A B: 1\r\n\r\n"), -1, NULL },
	{ "RFC 9112 §7.1.2 no colon", B("HTTP/1.1 200 OK\r\n\r\n"), -1, NULL },
	{ "RFC 9112 §2.2 bare LF", B("A: 1\n\n"), -1, NULL },
	{ "RFC 9112 §5.2 obs-fold", B("A: 1\r\n 2\r\n\r\n"), -1, NULL },
};

static void takes_trailers(void **state)
{
	struct http_field f[3];
	const char *why = NULL;
	size_t n = 99;

	(void)state;
	for (size_t i = 0; i < COUNT(trailers); i++) {
		size_t len = trailers[i].n;
		ssize_t r = http_parse_fields(guard_put(trailers[i].bytes, len), len, f, COUNT(f), &n, &why);

		if (r != trailers[i].want)
			fail_msg("%s: %zd", trailers[i].name, r);
		if (r > 0)
			assert_string_equal(fields_text(f, n), trailers[i].fields);
		for (size_t k = 0; k < len; k++) {
			ssize_t part = http_parse_fields(guard_put(trailers[i].bytes, k), k, f, COUNT(f), &n,
			    &why);
			if (part != -2 && part != r)
				fail_msg("%s: %zu bytes give %zd", trailers[i].name, k, part);
		}
	}
}

static void limits_trailers(void **state)
{
	struct http_field f[3];
	const char *why = NULL;
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	buf_adds(&b, "A: ");
	while (buf_len(&b) < HTTP_HEAD_MAX)
		buf_addc(&b, 'x');
	assert_int_equal(http_parse_fields(buf_data(&b), HTTP_HEAD_MAX - 1, f, 3, &n, &why), -2);
	assert_int_equal(http_parse_fields(buf_data(&b), HTTP_HEAD_MAX, f, 3, &n, &why), -1);
	memcpy(buf_data(&b) + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(http_parse_fields(buf_data(&b), HTTP_HEAD_MAX, f, 3, &n, &why), HTTP_HEAD_MAX);
	buf_free(&b);
}

/* ---- look-up ---- */

static struct http_head *head(const char *bytes)
{
	static struct http_head h;
	const char *why = NULL;

	if (http_parse_response(bytes, strlen(bytes), &h, &why) <= 0)
		fail_msg("%s: %s", bytes, why);
	return &h;
}

static void finds_fields_without_case(void **state)
{
	struct http_head *h = head(OK "content-length: 5\r\nX-A: 1\r\nx-a: 2\r\nE:\r\n\r\n");

	(void)state;
	assert_true(span_eq(http_field(h, "Content-Length"), "5"));
	assert_true(span_eq(http_field(h, "CONTENT-LENGTH"), "5"));
	assert_true(span_eq(http_field(h, "X-a"), "1"));
	assert_int_equal(http_field_count(h, "x-A"), 2);
	assert_int_equal(http_field_count(h, "x"), 0);
	assert_null(http_field(h, "x").p);
	assert_int_equal(http_field(h, "x").n, 0);
	assert_non_null(http_field(h, "E").p);
	assert_int_equal(http_field(h, "E").n, 0);
	/* what an earlier, longer head has left in the struct is not seen */
	h = head(OK "X-A: 1\r\n\r\n");
	assert_int_equal(http_field_count(h, "x-a"), 1);
	assert_null(http_field(h, "E").p);
	h = head(OK "\r\n");
	assert_null(http_field(h, "X-A").p);
	assert_false(http_field_has(h, "X-A", "1"));
}

static const struct {
	const char *fields;
	bool has;
} lists[] = {
	{ "Connection: close\r\n", true },
	{ "Connection: Close\r\n", true },
	{ "connection: keep-alive, CLOSE\r\n", true },
	{ "Connection: a,\t close ,b\r\n", true },
	{ "Connection: ,,close,\r\n", true },
	{ "Connection: a,close,b\r\n", true },
	{ "Connection: keep-alive\r\nConnection: close\r\n", true },
	{ "Connection: \"a\\\"b\", close\r\n", true },
	{ "Connection: keep-alive\r\n", false },
	{ "Connection: closed\r\n", false },
	{ "Connection: enclose\r\n", false },
	{ "Connection: close;q=1\r\n", false },
	{ "Connection: \"a, close, b\"\r\n", false },
	{ "Connection: \"a\\\", close\"\r\n", false },
	{ "Connection:\r\n", false },
	{ "Connections: close\r\n", false },
};

static void reads_lists(void **state)
{
	char bytes[256];

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		snprintf(bytes, sizeof(bytes), OK "%s\r\n", lists[i].fields);
		if (http_field_has(head(bytes), "Connection", "close") != lists[i].has)
			fail_msg("%s", lists[i].fields);
	}
}

/* Lists that end where memory does, in and out of quotes. */
static void reads_no_list_too_far(void **state)
{
	static const char *const values[] = { "", "a", "a,", "\"", "\"a", "\"\\", "\"\\\"", "\"\\\\" };
	static struct http_head h = { .nfields = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		size_t n = strlen(values[i]);

		h.fields[0].name = span_of("Connection");
		h.fields[0].value = span_make(guard_put(values[i], n), n);
		assert_false(http_field_has(&h, "Connection", "close"));
	}
}

/* ---- framing and reuse ---- */

#define BAD -1

static const struct {
	const char *name;
	const char *bytes;
	bool was_head;
	int want;
	uint64_t length;
	bool keep;
	const char *why;
} framings[] = {
	{ "RFC 9112 §6.3 (1) HEAD", OK "Content-Length: 5\r\n\r\n", true, HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) HEAD, chunked", OK "Transfer-Encoding: chunked\r\n\r\n", true, HTTP_BODY_NONE, 0,
	    true, NULL },
	{ "RFC 9112 §6.3 (1) HEAD, CL and TE", OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
	    true, HTTP_BODY_NONE, 0, false, NULL },
	{ "RFC 9112 §6.3 (1) HEAD, nothing said", OK "\r\n", true, HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) 100", "HTTP/1.1 100 Continue\r\n\r\n", false, HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) 103", "HTTP/1.1 103 E\r\nLink: x\r\n\r\n", false, HTTP_BODY_NONE, 0, true,
	    NULL },
	{ "RFC 9112 §6.3 (1) 199 with a length", "HTTP/1.1 199 x\r\nContent-Length: 5\r\n\r\n", false,
	    HTTP_BODY_NONE, 0, false, NULL },
	{ "RFC 9110 §15.2.2 101", "HTTP/1.1 101 Switching\r\n\r\n", false, HTTP_BODY_NONE, 0, false, NULL },
	{ "RFC 9112 §6.3 (1) 204", "HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) 204 with length 0", "HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", false,
	    HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) 204 with a length", "HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\n", false,
	    HTTP_BODY_NONE, 0, false, NULL },
	{ "RFC 9112 §6.1 204 with a coding", "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", false,
	    HTTP_BODY_NONE, 0, false, NULL },
	{ "RFC 9112 §6.3 (1) 304", "HTTP/1.1 304 x\r\n\r\n", false, HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) 304 with a length", "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", false,
	    HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.1 304 with a coding", "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", false,
	    HTTP_BODY_NONE, 0, true, NULL },
	{ "RFC 9112 §6.3 (1) 304 with a malformed length", "HTTP/1.1 304 x\r\nContent-Length: x\r\n\r\n",
	    false, HTTP_BODY_NONE, 0, false, NULL },
	{ "RFC 9112 §9.3 304, close", "HTTP/1.1 304 x\r\nConnection: close\r\n\r\n", false, HTTP_BODY_NONE, 0,
	    false, NULL },

	{ "RFC 9112 §6.3 (3) CL and TE", OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false,
	    BAD, 0, false, "both Transfer-Encoding and Content-Length" },
	{ "RFC 9112 §6.3 (3) TE and CL, lower case",
	    OK "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n", false, BAD, 0, false,
	    "both Transfer-Encoding and Content-Length" },
	{ "RFC 9112 §6.3 (4) chunked", OK "Transfer-Encoding: chunked\r\n\r\n", false, HTTP_BODY_CHUNKED, 0,
	    true, NULL },
	{ "RFC 9112 §6.3 (4) lower-case name, coding without case", OK "transfer-encoding:  cHunked \r\n\r\n",
	    false, HTTP_BODY_CHUNKED, 0, true, NULL },
	{ "RFC 9112 §6.1 chunked, chunked", OK "Transfer-Encoding: chunked, chunked\r\n\r\n", false, BAD, 0,
	    false, "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 chunked twice",
	    OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", false, BAD, 0, false,
	    "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", false, BAD, 0, false,
	    "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 chunked, gzip", OK "Transfer-Encoding: chunked, gzip\r\n\r\n", false, BAD, 0, false,
	    "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 identity", OK "Transfer-Encoding: identity\r\n\r\n", false, BAD, 0, false,
	    "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 xchunked", OK "Transfer-Encoding: xchunked\r\n\r\n", false, BAD, 0, false,
	    "a transfer coding other than chunked" },
	{ "RFC 9112 §7 a parameter of chunked", OK "Transfer-Encoding: chunked;a=b\r\n\r\n", false, BAD, 0,
	    false, "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 empty", OK "Transfer-Encoding:\r\n\r\n", false, BAD, 0, false,
	    "a transfer coding other than chunked" },
	{ "RFC 9112 §6.1 HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, BAD, 0,
	    false, "Transfer-Encoding in HTTP/1.0" },

	{ "RFC 9112 §6.3 (6) length", OK "Content-Length: 42\r\n\r\n", false, HTTP_BODY_LENGTH, 42, true,
	    NULL },
	{ "RFC 9112 §6.3 (6) lower-case name", OK "content-length: 42\r\n\r\n", false, HTTP_BODY_LENGTH, 42,
	    true, NULL },
	{ "RFC 9112 §6.3 (6) zero", OK "Content-Length: 0\r\n\r\n", false, HTTP_BODY_LENGTH, 0, true, NULL },
	{ "RFC 9110 §8.6 leading zeros", OK "Content-Length: 0007\r\n\r\n", false, HTTP_BODY_LENGTH, 7, true,
	    NULL },
	{ "RFC 9110 §8.6 2^63-1", OK "Content-Length: 9223372036854775807\r\n\r\n", false, HTTP_BODY_LENGTH,
	    INT64_MAX, true, NULL },
	{ "RFC 9110 §8.6 2^63", OK "Content-Length: 9223372036854775808\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9110 §8.6 2^64+5", OK "Content-Length: 18446744073709551621\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9110 §8.6 many digits", OK "Content-Length: 99999999999999999999999999999999\r\n\r\n", false,
	    BAD, 0, false, "a malformed Content-Length" },
	{ "RFC 9112 §6.3 (5) twice the same", OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", false, BAD,
	    0, false, "more than one Content-Length" },
	{ "RFC 9112 §6.3 (5) conflict", OK "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", false, BAD, 0,
	    false, "more than one Content-Length" },
	{ "RFC 9112 §6.3 (5) list", OK "Content-Length: 5, 5\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9112 §6.3 (5) negative", OK "Content-Length: -5\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9112 §6.3 (5) plus", OK "Content-Length: +5\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9112 §6.3 (5) hexadecimal", OK "Content-Length: 0x5\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9112 §6.3 (5) space inside", OK "Content-Length: 5 5\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },
	{ "RFC 9112 §6.3 (5) empty", OK "Content-Length:\r\n\r\n", false, BAD, 0, false,
	    "a malformed Content-Length" },

	{ "RFC 9112 §6.3 (8) neither", OK "\r\n", false, HTTP_BODY_CLOSE, 0, false, NULL },
	{ "RFC 9112 §6.3 (8) neither, keep-alive", OK "Connection: keep-alive\r\n\r\n", false,
	    HTTP_BODY_CLOSE, 0, false, NULL },
	{ "RFC 9112 §9.3 close", OK "Content-Length: 5\r\nConnection: close\r\n\r\n", false, HTTP_BODY_LENGTH,
	    5, false, NULL },
	{ "RFC 9112 §9.3 close in a list", OK "Content-Length: 5\r\nconnection: x, Close\r\n\r\n", false,
	    HTTP_BODY_LENGTH, 5, false, NULL },
	{ "RFC 9112 §9.3 close wins over keep-alive",
	    OK "Content-Length: 5\r\nConnection: keep-alive, close\r\n\r\n", false, HTTP_BODY_LENGTH, 5,
	    false, NULL },
	{ "RFC 9112 §9.3 HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_LENGTH,
	    5, false, NULL },
	{ "RFC 9112 §9.3 HTTP/1.0, keep-alive",
	    "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", false, HTTP_BODY_LENGTH,
	    5, true, NULL },
};

static void decides_framing_and_reuse(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(framings); i++) {
		struct http_head *h = head(framings[i].bytes);
		enum http_framing framing = HTTP_BODY_CLOSE;
		uint64_t length = 99;
		const char *why = NULL;
		int r = http_framing(h, framings[i].was_head, &framing, &length, &why);

		if ((r == 0 ? (int)framing : r) != framings[i].want)
			fail_msg("%s: %d, framing %d", framings[i].name, r, framing);
		if (r < 0 && strcmp(why, framings[i].why) != 0)
			fail_msg("%s: '%s'", framings[i].name, why);
		if (r == 0 && length != framings[i].length)
			fail_msg("%s: length %llu", framings[i].name, (unsigned long long)length);
		if (r == 0 && http_keep_alive(h, framing) != framings[i].keep)
			fail_msg("%s: keep-alive", framings[i].name);
	}
}

/* ---- requests ---- */

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	size_t taken;		/* 0: all of them */
	int minor;
	const char *method, *target;
	const char *fields;
} good_requests[] = {
	{ "RFC 9112 §3 request line", B(GET HOST "\r\n"), 0, 1, "GET", "/", "Host=h" },
	{ "RFC 9112 §3 HTTP/1.0 needs no Host", B("GET / HTTP/1.0\r\n\r\n"), 0, 0, "GET", "/", "" },
	{ "RFC 9112 §3 HTTP/1.0 may have one", B("GET / HTTP/1.0\r\n" HOST "\r\n"), 0, 0, "GET", "/",
	    "Host=h" },
	{ "RFC 9112 §3.2 empty Host", B(GET "Host:\r\n\r\n"), 0, 1, "GET", "/", "Host=" },
	{ "RFC 9112 §3.2 Host is not the first, and in capitals", B(GET "A: b\r\nHOST: h\r\n\r\n"), 0, 1,
	    "GET", "/", "A=b|HOST=h" },
	{ "RFC 9112 §3.2.1 a query, every mark",
	    B("GET /a/%20?b=c&d=~!$'()*+,;:@[]|\"<>^`{} HTTP/1.1\r\n" HOST "\r\n"), 0, 1, "GET",
	    "/a/%20?b=c&d=~!$'()*+,;:@[]|\"<>^`{}", "Host=h" },
	{ "RFC 9112 §3.2.2 absolute", B("GET http://h/x HTTP/1.1\r\n" HOST "\r\n"), 0, 1, "GET", "http://h/x",
	    "Host=h" },
	{ "RFC 9112 §3.2.3 authority", B("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"), 0, 1, "CONNECT", "h:443",
	    "Host=h" },
	{ "RFC 9112 §3.2.4 asterisk", B("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 0, 1, "OPTIONS", "*",
	    "Host=h" },
	{ "RFC 9110 §9.1 a method nobody knows", B("M-SEARCH~! /x HTTP/1.1\r\n" HOST "\r\n"), 0, 1,
	    "M-SEARCH~!", "/x", "Host=h" },
	{ "RFC 9110 §9.1 methods have a case", B("get / HTTP/1.1\r\n" HOST "\r\n"), 0, 1, "get", "/",
	    "Host=h" },
	{ "RFC 9112 §6 the body is left", B("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"), 47, 1,
	    "POST", "/", "Host=h|Content-Length=3" },
	{ "RFC 9112 §9.3.2 a pipelined request is left", B(GET HOST "\r\n" GET HOST "\r\n"), 27, 1, "GET",
	    "/", "Host=h" },
	{ "RFC 9110 §5.5 obs-text in a value", B(GET HOST "A: \x80\xff\r\n\r\n"), 0, 1, "GET", "/",
	    "Host=h|A=\x80\xff" },
};

static void takes_requests(void **state)
{
	static struct http_head h;
	const char *why;

	(void)state;
	parse = http_parse_request;
	for (size_t i = 0; i < COUNT(good_requests); i++) {
		const char *name = good_requests[i].name;
		ssize_t r = parse_all_ways(name, good_requests[i].bytes, good_requests[i].n, &h, &why);
		size_t want = good_requests[i].taken ? good_requests[i].taken : good_requests[i].n;

		if (r != (ssize_t)want)
			fail_msg("%s: %zd (%s), not %zu", name, r, why ? why : "", want);
		if (h.minor != good_requests[i].minor || !span_eq(h.method, good_requests[i].method) ||
		    !span_eq(h.target, good_requests[i].target))
			fail_msg("%s: '%.*s' '%.*s' HTTP/1.%d", name, (int)h.method.n, h.method.p,
			    (int)h.target.n, h.target.p, h.minor);
		assert_string_equal(fields_text(h.fields, h.nfields), good_requests[i].fields);
	}
	parse = http_parse_response;
}

#define LINE "a malformed request line"
#define TARGET "a malformed request target"
#define VERSION "a version other than HTTP/1.0 and HTTP/1.1"

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	const char *why;
} refused_requests[] = {
	{ "RFC 9112 §2.2 an empty line first", B("\r\n" GET HOST "\r\n"), LINE },
	{ "RFC 9112 §2.2 bare LF after the request line", B("GET / HTTP/1.1\n" HOST "\r\n"),
	    "a bare LF ends a line" },
	{ "RFC 9112 §2.2 bare LF hides a field", B(GET HOST "A: b\nTransfer-Encoding: chunked\r\n\r\n"),
	    "a bare LF ends a line" },
	{ "RFC 9112 §2.2 bare LF as the empty line", B(GET HOST "\n"), "a bare LF ends a line" },
	{ "RFC 9112 §2.2 bare CR in the target", B("GET /\r HTTP/1.1\r\n" HOST "\r\n"),
	    "a bare CR in a line" },
	{ "RFC 9112 §2.2 bare CR hides a field", B(GET HOST "A: b\rContent-Length: 5\r\n\r\n"),
	    "a bare CR in a line" },
	{ "RFC 9112 §2.2 white space before the first field", B(GET " " HOST "\r\n"), "a folded line" },
	{ "RFC 9112 §3 two spaces before the target", B("GET  / HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3 two spaces after it", B("GET /  HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3 a space in the target", B("GET /a b HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3 a space first", B(" GET / HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3 a space at the end", B("GET / HTTP/1.1 \r\n" HOST "\r\n"), VERSION },
	{ "RFC 9112 §3 a tab for a space", B("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3 a tab in the target", B("GET /\t HTTP/1.1\r\n" HOST "\r\n"), TARGET },
	{ "RFC 9112 §3 another request behind the target", B("GET / HTTP/1.1 GET /x HTTP/1.1\r\n\r\n"),
	    VERSION },
	{ "RFC 9112 §3 HTTP/0.9", B("GET /\r\n\r\n"), LINE },
	{ "RFC 9112 §3 the method alone", B("GET\r\n\r\n"), LINE },
	{ "RFC 9112 §3 no target", B("GET HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3 a response", B("HTTP/1.1 200 OK\r\n\r\n"), LINE },
	{ "RFC 9110 §9.1 a separator in the method", B("G(T / HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9110 §9.1 obs-text in the method", B("G\xc3\xa9T / HTTP/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3.2 obs-text in the target", B("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"), TARGET },
	{ "RFC 9112 §3.2 NUL in the target", B("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), "a NUL byte" },
	{ "RFC 9112 §3.2 DEL in the target", B("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"),
	    "a control character" },
	{ "RFC 9112 §2.3 HTTP/1.2", B("GET / HTTP/1.2\r\n" HOST "\r\n"), VERSION },
	{ "RFC 9112 §2.3 HTTP/1.10", B("GET / HTTP/1.10\r\n" HOST "\r\n"), VERSION },
	{ "RFC 9112 §2.3 HTTP/2.0", B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), VERSION },
	{ "RFC 9112 §2.3 case of the name", B("GET / http/1.1\r\n" HOST "\r\n"), LINE },
	{ "RFC 9112 §3.2 no Host", B(GET "\r\n"), "no Host field" },
	{ "RFC 9112 §3.2 two Hosts", B(GET HOST HOST "\r\n"), "more than one Host field" },
	{ "RFC 9112 §3.2 two Hosts in HTTP/1.0", B("GET / HTTP/1.0\r\n" HOST "hOST: x\r\n\r\n"),
	    "more than one Host field" },
	{ "RFC 9112 §5.1 space before the colon", B(GET HOST "Transfer-Encoding : chunked\r\n\r\n"),
	    "white space before the colon of a field" },
	{ "RFC 9112 §5.2 obs-fold", B(GET HOST "Transfer-Encoding:\r\n chunked\r\n\r\n"), "a folded line" },
	{ "RFC 9112 §5 no colon", B(GET HOST "GET /x HTTP/1.1\r\n\r\n"), "a field line without a colon" },
	{ "RFC 9112 §5 an empty name", B(GET HOST ": chunked\r\n\r\n"), "a malformed field name" },
	{ "RFC 9110 §5.5 VT before a coding", B(GET HOST "Transfer-Encoding: \vchunked\r\n\r\n"),
	    "a control character" },
	{ "RFC 9110 §5.5 NUL in a name", B(GET HOST "Content\0-Length: 5\r\n\r\n"), "a NUL byte" },
};

static void refuses_requests(void **state)
{
	static struct http_head h;
	const char *why;

	(void)state;
	parse = http_parse_request;
	for (size_t i = 0; i < COUNT(refused_requests); i++) {
		const char *name = refused_requests[i].name;
		ssize_t r = parse_all_ways(name, refused_requests[i].bytes, refused_requests[i].n, &h, &why);

		if (r != -1)
			fail_msg("%s: %zd", name, r);
		if (strcmp(why, refused_requests[i].why) != 0)
			fail_msg("%s: '%s', not '%s'", name, why, refused_requests[i].why);
	}
	parse = http_parse_response;
}

static void request_of(struct buf *b, size_t total)
{
	buf_init(b, BUF_MAX_ANY);
	buf_adds(b, GET HOST "A: ");
	while (buf_len(b) < total - 4)
		buf_addc(b, 'x');
	buf_adds(b, "\r\n\r\n");
}

static void limits_the_request(void **state)
{
	static struct http_head h;
	const char *why;
	struct buf b;

	(void)state;
	parse = http_parse_request;
	request_of(&b, HTTP_HEAD_MAX);
	assert_int_equal(parse_buf("64 KiB", &b, &h, &why), HTTP_HEAD_MAX);
	request_of(&b, HTTP_HEAD_MAX + 1);
	assert_int_equal(parse_buf("64 KiB and a byte", &b, &h, &why), -1);
	assert_string_equal(why, "a head of more than 64 KiB");
	for (int n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
		buf_init(&b, BUF_MAX_ANY);
		buf_adds(&b, GET HOST);
		for (int i = 1; i < n; i++)
			buf_addf(&b, "F%d: %d\r\n", i, i);
		buf_adds(&b, "\r\n");
		ssize_t len = (ssize_t)buf_len(&b);
		assert_int_equal(parse_buf("many fields", &b, &h, &why), n == HTTP_FIELDS_MAX ? len : -1);
	}
	assert_string_equal(why, "too many fields");
	parse = http_parse_response;
}

#define CODING "a transfer coding other than chunked"
#define LENGTH "a malformed Content-Length"

static const struct {
	const char *name;
	const char *fields;
	int minor, want;
	uint64_t length;
	const char *why;
} request_framings[] = {
	{ "RFC 9112 §6.3 (7) neither", "", 1, HTTP_BODY_NONE, 0, NULL },
	{ "RFC 9112 §6.3 (7) neither in HTTP/1.0", "", 0, HTTP_BODY_NONE, 0, NULL },
	{ "RFC 9112 §6.3 (6) length 0", "Content-Length: 0\r\n", 1, HTTP_BODY_NONE, 0, NULL },
	{ "RFC 9112 §6.3 (6) length", "content-length: 42\r\n", 1, HTTP_BODY_LENGTH, 42, NULL },
	{ "RFC 9112 §6.3 (6) length in HTTP/1.0", "Content-Length: 42\r\n", 0, HTTP_BODY_LENGTH, 42, NULL },
	{ "RFC 9110 §8.6 2^63-1", "Content-Length: 9223372036854775807\r\n", 1, HTTP_BODY_LENGTH, INT64_MAX,
	    NULL },
	{ "RFC 9112 §6.3 (4) chunked", "Transfer-Encoding: Chunked\r\n", 1, HTTP_BODY_CHUNKED, 0, NULL },
	{ "CL.TE", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 1, BAD, 0,
	    "both Transfer-Encoding and Content-Length" },
	{ "TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 1, BAD, 0,
	    "both Transfer-Encoding and Content-Length" },
	{ "TE.0: HTTP/1.0", "Transfer-Encoding: chunked\r\n", 0, BAD, 0, "Transfer-Encoding in HTTP/1.0" },
	{ "TE.TE twice", "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", 1, BAD, 0, CODING },
	{ "TE.TE an unknown one after", "Transfer-Encoding: chunked, x\r\n", 1, BAD, 0, CODING },
	{ "TE.TE an unknown one before", "Transfer-Encoding: x, chunked\r\n", 1, BAD, 0, CODING },
	{ "TE.TE xchunked", "Transfer-Encoding: xchunked\r\n", 1, BAD, 0, CODING },
	{ "TE.TE quoted", "Transfer-Encoding: \"chunked\"\r\n", 1, BAD, 0, CODING },
	{ "TE.TE obs-text", "Transfer-Encoding: chunked\xa0\r\n", 1, BAD, 0, CODING },
	{ "TE.TE empty", "Transfer-Encoding:\r\n", 1, BAD, 0, CODING },
	{ "TE.TE identity", "Transfer-Encoding: identity\r\n", 1, BAD, 0, CODING },
	{ "CL.CL twice the same", "Content-Length: 5\r\nContent-Length: 5\r\n", 1, BAD, 0,
	    "more than one Content-Length" },
	{ "CL.CL differing", "Content-Length: 0\r\ncontent-length: 5\r\n", 1, BAD, 0,
	    "more than one Content-Length" },
	{ "CL a list", "Content-Length: 5, 5\r\n", 1, BAD, 0, LENGTH },
	{ "CL a sign", "Content-Length: +5\r\n", 1, BAD, 0, LENGTH },
	{ "CL negative", "Content-Length: -1\r\n", 1, BAD, 0, LENGTH },
	{ "CL hexadecimal", "Content-Length: 0x5\r\n", 1, BAD, 0, LENGTH },
	{ "CL 2^63", "Content-Length: 9223372036854775808\r\n", 1, BAD, 0, LENGTH },
	{ "CL 2^64", "Content-Length: 18446744073709551616\r\n", 1, BAD, 0, LENGTH },
	{ "CL empty", "Content-Length:\r\n", 1, BAD, 0, LENGTH },
};

static void decides_framing_of_requests(void **state)
{
	static struct http_head h;

	(void)state;
	for (size_t i = 0; i < COUNT(request_framings); i++) {
		enum http_framing framing = HTTP_BODY_CLOSE;
		uint64_t length = 99;
		const char *why = NULL;
		char bytes[256];

		snprintf(bytes, sizeof(bytes), "POST / HTTP/1.%d\r\n" HOST "%s\r\n",
		    request_framings[i].minor, request_framings[i].fields);
		assert_int_equal(http_parse_request(bytes, strlen(bytes), &h, &why), strlen(bytes));
		int r = http_request_framing(&h, &framing, &length, &why);
		if ((r == 0 ? (int)framing : r) != request_framings[i].want)
			fail_msg("%s: %d, framing %d", request_framings[i].name, r, framing);
		if (r < 0 && strcmp(why, request_framings[i].why) != 0)
			fail_msg("%s: '%s'", request_framings[i].name, why);
		if (r == 0 && length != request_framings[i].length)
			fail_msg("%s: length %llu", request_framings[i].name, (unsigned long long)length);
		if (r == 0 && http_keep_alive(&h, framing) != (request_framings[i].minor == 1))
			fail_msg("%s: keep-alive", request_framings[i].name);
	}
}

/* ---- what may stand in a request ---- */

static void knows_tokens_and_values(void **state)
{
	(void)state;
	assert_true(http_is_token(span_of("!#$%&'*+-.^_`|~09azAZ")));
	for (int c = 0; c < 256; c++) {
		char b = (char)c;
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool mark = c != 0 && strchr("!#$%&'*+-.^_`|~", c);

		assert_int_equal(http_is_token(span_make(&b, 1)), alnum || mark);
		assert_int_equal(http_is_value(span_make(&b, 1)), c > ' ' && c != 0x7f);
	}
	assert_false(http_is_token(span_of("")));
	assert_false(http_is_token(span_of("a b")));
	assert_true(http_is_value(span_of("")));
	assert_true(http_is_value(span_of("a \t b")));
	assert_false(http_is_value(span_of(" a")));
	assert_false(http_is_value(span_of("a\t")));
	assert_false(http_is_value(span_of("a\r\nB: c")));
	assert_false(http_is_value(span_make(B("a\0b"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_heads),
		cmocka_unit_test(refuses_heads),
		cmocka_unit_test(refuses_another_protocol_at_once),
		cmocka_unit_test(limits_the_head),
		cmocka_unit_test(says_too_long_at_the_limit),
		cmocka_unit_test(limits_the_fields),
		cmocka_unit_test(takes_trailers),
		cmocka_unit_test(limits_trailers),
		cmocka_unit_test(finds_fields_without_case),
		cmocka_unit_test(reads_lists),
		cmocka_unit_test(reads_no_list_too_far),
		cmocka_unit_test(decides_framing_and_reuse),
		cmocka_unit_test(takes_requests),
		cmocka_unit_test(refuses_requests),
		cmocka_unit_test(limits_the_request),
		cmocka_unit_test(decides_framing_of_requests),
		cmocka_unit_test(knows_tokens_and_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
