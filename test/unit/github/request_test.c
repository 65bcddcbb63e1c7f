#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/err.h"
#include "base/jscan.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"

#define H(n, v) { { n, sizeof(n) - 1 }, { v, sizeof(v) - 1 } }

static struct upstream github;
static struct identity nobody, somebody;

/* A request that is taken. */
static void make(struct request *r, const char *method, const char *target, const struct http_header *h,
    size_t n)
{
	struct request_in in = { .method = method, .target = span_of(target), .headers = h, .nheaders = n };

	assert_int_equal(request_init(r, &github, &nobody, &in, NULL), 0);
}

static void expect_key(const char *target, const struct http_header *h, size_t n, const char *key)
{
	struct request r;

	make(&r, "GET", target, h, n);
	assert_null(r.bypass);
	assert_string_equal(buf_cstr(&r.key), key);
	assert_true(jscan_valid(buf_span(&r.variant)));
	request_wipe(&r);
}

/* ---- where GitHub is ---- */

static const struct {
	const char *url, *origin, *base;	/* origin NULL: refused */
} upstreams[] = {
	{ "https://api.github.com", "https://api.github.com", "" },
	{ "https://api.github.com/", "https://api.github.com", "" },
	{ "https://ghe.example/api/v3", "https://ghe.example", "/api/v3" },
	{ "https://ghe.example:8443/api/v3/", "https://ghe.example:8443", "/api/v3" },
	{ "http://127.0.0.1:8080", "http://127.0.0.1:8080", "" },
	{ "http://localhost/x", "http://localhost", "/x" },
	{ "http://[::1]:99", "http://[::1]:99", "" },
	{ "http://api.github.com", NULL, NULL },
	{ "http://localhost.evil", NULL, NULL },
	{ "http://127.0.0.1.evil", NULL, NULL },
	{ "https://api.github.com?x=1", NULL, NULL },
	{ "https://api.github.com/?x=1", NULL, NULL },
	{ "https://ghe.example/api/v3?x=1", NULL, NULL },
	{ "https://user:secret@api.github.com", NULL, NULL },
	{ "api.github.com", NULL, NULL },
	{ "ftp://api.github.com", NULL, NULL },
	{ "", NULL, NULL }
};

static void test_upstream(void **state)
{
	struct upstream u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(upstreams); i++) {
		err_init(&e);
		if (upstreams[i].origin != NULL) {
			assert_int_equal(upstream_parse(&u, upstreams[i].url, &e), 0);
			assert_string_equal(u.origin, upstreams[i].origin);
			assert_string_equal(u.base, upstreams[i].base);
		} else {
			assert_int_equal(upstream_parse(&u, upstreams[i].url, &e), ERR_CONFIG);
			assert_non_null(strstr(e.msg, upstreams[i].url));
		}
	}
}

static void test_upstream_base_too_long(void **state)
{
	struct upstream u;
	char url[400] = "https://h/";

	(void)state;
	memset(url + 10, 'x', 254);
	url[264] = '\0';		/* a base of 255 */
	assert_int_equal(upstream_parse(&u, url, NULL), 0);
	assert_int_equal(strlen(u.base), 255);
	strcat(url, "x");
	assert_int_equal(upstream_parse(&u, url, NULL), ERR_CONFIG);
}

static const struct {
	const char *upstream, *url, *target;	/* target NULL: elsewhere */
} targets[] = {
	{ "https://api.github.com", "https://api.github.com/user", "/user" },
	{ "https://api.github.com", "https://api.github.com/user?page=2", "/user?page=2" },
	{ "https://api.github.com", "HTTPS://API.GitHub.COM:443/user", "/user" },
	{ "https://api.github.com", "https://api.github.com", "/" },
	{ "https://api.github.com", "https://api.github.com.evil/user", NULL },
	{ "https://api.github.com", "https://api.github.com@evil/user", NULL },
	{ "https://api.github.com", "https://evil@api.github.com/user", NULL },
	{ "https://api.github.com", "https://evil/https://api.github.com/user", NULL },
	{ "https://api.github.com", "https://evil#https://api.github.com/user", NULL },
	{ "https://api.github.com", "https://evil\\@api.github.com/user", NULL },
	{ "https://api.github.com", "https://xapi.github.com/user", NULL },
	{ "https://api.github.com", "https://github.com/user", NULL },
	{ "https://api.github.com", "http://api.github.com/user", NULL },
	{ "https://api.github.com", "http://api.github.com:443/user", NULL },
	{ "https://api.github.com", "https://api.github.com:444/user", NULL },
	{ "https://api.github.com", "//api.github.com/user", NULL },
	{ "https://api.github.com", "/user", NULL },
	{ "https://api.github.com", "", NULL },
	{ "https://ghe.example/api/v3", "https://ghe.example/api/v3/user", "/user" },
	{ "https://ghe.example/api/v3", "https://ghe.example/api/v3x/user", NULL },
	{ "https://ghe.example/api/v3", "https://ghe.example/api/v3", NULL },
	{ "https://ghe.example/api/v3", "https://ghe.example/api/v3?a=/", NULL },
	{ "https://ghe.example/api/v3", "https://ghe.example/user", NULL },
	{ "https://ghe.example/api/v3", "https://ghe.example.evil/api/v3/user", NULL },
	{ "https://ghe.example:8443", "https://ghe.example/user", NULL },
	{ "http://[::1]:99", "http://[::1]:99/user", "/user" }
};

static void test_target(void **state)
{
	struct upstream u;
	struct span t;

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		const char *url = targets[i].url;

		assert_int_equal(upstream_parse(&u, targets[i].upstream, NULL), 0);
		bool here = upstream_target(&u, span_make(guard_put(url, strlen(url)), strlen(url)), &t);
		assert_int_equal(here, targets[i].target != NULL);
		if (here)
			assert_true(span_eq(t, targets[i].target));
	}
}

/* ---- the key ---- */

/* The variants by Python, from FORMATS §2: SHA-256 over the length-prefixed list, 16 hex. */
static void test_key(void **state)
{
	static const struct http_header version[] = { H("x-github-api-version", "2022-11-28") },
	    diff[] = { H("Accept", "application/vnd.github.diff") },
	    two[] = { H("X-GitHub-Stuff", "Z"), H("X-GitHub-Next-Global-ID", "1") },
	    turned[] = { H("x-github-next-global-id", "1"), H("X-GITHUB-STUFF", "Z") };

	(void)state;
	expect_key("/repos/o/r", NULL, 0, "get_repo_info:/repos/o/r:ade22ba59d58f9a1");
	expect_key("/repos/o/r?b=1&a=2", NULL, 0, "get_repo_info:/repos/o/r?b=1&a=2:ade22ba59d58f9a1");
	expect_key("/user", version, 1, "other:/user:303778d5fae71193");
	expect_key("/user", diff, 1, "other:/user:3fbd83ea258385d8");
	expect_key("/user", two, 2, "other:/user:ca434ba09dc496bd");
	expect_key("/user", turned, 2, "other:/user:ca434ba09dc496bd");
}

static void test_accept_classes(void **state)
{
	static const char *const same[] = { "", "*/*", "application/json", "Application/JSON",
		"application/vnd.github+json", "application/vnd.github.v3+json", "  application/json\t" };
	static const char *const own[] = { "application/vnd.github.raw+json", "application/vnd.github.diff",
		"text/html", "application/json, */*", "application/json;q=0.9",
		"application/vnd.github.v4+json" };
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++) {
		struct http_header h = { span_of("accept"), span_of(same[i]) };

		make(&r, "GET", "/user", &h, 1);
		assert_true(span_eq(r.accept, "application/vnd.github+json"));
		assert_true(span_eq(request_header(&r, "Accept"), "application/vnd.github+json"));
		assert_string_equal(buf_cstr(&r.key), "other:/user:ade22ba59d58f9a1");
		request_wipe(&r);
	}
	for (size_t i = 0; i < COUNT(own); i++) {
		struct http_header h = { span_of("ACCEPT"), span_of(own[i]) };

		make(&r, "GET", "/user", &h, 1);
		assert_true(span_eq(r.accept, own[i]));
		assert_true(span_eq(request_header(&r, "accept"), own[i]));
		assert_string_not_equal(buf_cstr(&r.key), "other:/user:ade22ba59d58f9a1");
		request_wipe(&r);
	}
}

/* A key is of one upstream: origin counts, and what says the same is the same. */
static void test_key_and_upstream(void **state)
{
	static const char *const urls[] = { "https://ghe.example", "https://ghe.example:8443",
		"http://localhost" };
	struct request_in in = { .method = "GET", .target = span_of("/user") };
	struct upstream u;
	struct request r;
	char seen[4][200] = { "other:/user:ade22ba59d58f9a1" };

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		assert_int_equal(upstream_parse(&u, urls[i], NULL), 0);
		assert_int_equal(request_init(&r, &u, &nobody, &in, NULL), 0);
		for (size_t j = 0; j <= i; j++)
			assert_string_not_equal(buf_cstr(&r.key), seen[j]);
		snprintf(seen[i + 1], sizeof(seen[i + 1]), "%s", buf_cstr(&r.key));
		request_wipe(&r);
	}
	assert_int_equal(upstream_parse(&u, "https://ghe.example/api/v3", NULL), 0);
	assert_int_equal(request_init(&r, &u, &nobody, &in, NULL), 0);
	assert_string_equal(buf_cstr(&r.url), "https://ghe.example/api/v3/user");
	request_wipe(&r);
}

/* Whose request it is, is not in the key. */
static void test_key_and_identity(void **state)
{
	struct request_in in = { .method = "GET", .target = span_of("/user") };
	static const struct http_header order[] = { H("X-GitHub-B", "2"), H("Accept", "*/*"),
		H("X-GitHub-A", "1"), H("Other", "x") },
					other[] = { H("other", "y"), H("x-github-a", "1"),
						H("x-github-b", "2") };
	struct request a, b;

	(void)state;
	assert_int_equal(request_init(&a, &github, &somebody, &in, NULL), 0);
	assert_string_equal(buf_cstr(&a.key), "other:/user:ade22ba59d58f9a1");
	assert_null(strstr(buf_cstr(&a.variant), "ghp_"));
	request_wipe(&a);
	make(&a, "GET", "/user", order, COUNT(order));
	make(&b, "GET", "/user", other, COUNT(other));
	assert_string_equal(buf_cstr(&a.key), buf_cstr(&b.key));
	request_wipe(&a);
	request_wipe(&b);
}

static void test_head_is_looked_up_as_get(void **state)
{
	struct request r;

	(void)state;
	make(&r, "HEAD", "/repos/o/r", NULL, 0);
	assert_true(r.is_head);
	assert_null(r.bypass);
	assert_string_equal(r.method, "HEAD");
	assert_string_equal(buf_cstr(&r.key), "get_repo_info:/repos/o/r:ade22ba59d58f9a1");
	assert_string_equal(r.route->op, "get_repo_info");
	assert_int_equal(r.ttl, r.route->ttl);
	request_wipe(&r);
}

static void test_keyed_by_body(void **state)
{
	static const char *const paths[] = { "/other", "/copilot/chat" };
	struct request_in in = { .method = "POST", .target = span_of("/copilot/chat"), .has_body = true,
		.body = span_of("{\"prompt\":\"x\"}"), .body_paths = paths, .nbody_paths = 2 };
	struct request r;

	(void)state;
	assert_int_equal(request_init(&r, &github, &nobody, &in, NULL), 0);
	assert_null(r.bypass);
	assert_string_equal(buf_cstr(&r.key), "copilot_completion:POST/copilot/chat:bab7a2003120a7e3");
	request_wipe(&r);
	in.body = span_of("{\"prompt\":\"y\"}");
	assert_int_equal(request_init(&r, &github, &nobody, &in, NULL), 0);
	assert_null(strstr(buf_cstr(&r.key), "bab7a2003120a7e3"));
	request_wipe(&r);
	in.target = span_of("/copilot/chat/");
	assert_int_equal(request_init(&r, &github, &nobody, &in, NULL), 0);
	assert_string_equal(r.bypass, "method");
	request_wipe(&r);
	in.target = span_of("/copilot/chat");
	in.method = "PUT";
	assert_int_equal(request_init(&r, &github, &nobody, &in, NULL), 0);
	assert_string_equal(r.bypass, "method");
	request_wipe(&r);
}

/* ---- what is never kept ---- */

static void expect_bypass(const char *method, const char *target, const struct http_header *h, size_t n,
    const char *why)
{
	struct request r;
	char url[300];

	make(&r, method, target, h, n);
	assert_non_null(r.bypass);
	assert_string_equal(r.bypass, why);
	assert_int_equal(buf_len(&r.key), 0);
	assert_int_equal(buf_len(&r.variant), 0);
	snprintf(url, sizeof(url), "https://api.github.com%s", target);
	assert_string_equal(buf_cstr(&r.url), url);
	request_wipe(&r);
}

static void test_bypass(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "X-NEW" };
	static const char *const paths[] = { "/repos/o/../r", "/repos/./o", "//user", "/repos/o%2Fr",
		"/user?access_token=x", "/x?client_secret=s", "/x?token=t", "/x?sig=s",
		"/x?X-Amz-Signature=s", "/x%" };
	static const char *const names[] = { "Cookie", "X-GitHub-OTP", "Range", "range" };

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++)
		expect_bypass(methods[i], "/user", NULL, 0, "method");
	for (size_t i = 0; i < COUNT(paths); i++)
		expect_bypass("GET", paths[i], NULL, 0, "target");
	for (size_t i = 0; i < COUNT(names); i++) {
		struct http_header h = { span_of(names[i]), span_of("bytes=0-1") };

		expect_bypass("GET", "/user", &h, 1, "header");
		h.value = span_of("");
		expect_bypass("HEAD", "/user", &h, 1, "header");
	}
}

/* Each path that the table says is never stored. */
static void test_bypass_route(void **state)
{
	static const char *const paths[] = { "/repos/o/r/actions/jobs/3/logs",
		"/repos/o/r/actions/runs/3/logs" };
	struct request_in in = {
		.method = "GET", .target = span_of("/user"), .has_body = true, .body = span_of("x")
	};
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++)
		if (route_find(span_of("GET"), span_of(paths[i]))->policy == ROUTE_NEVER)
			expect_bypass("GET", paths[i], NULL, 0, "route");
	/* a GET with a body is not one the key knows */
	assert_int_equal(request_init(&r, &github, &nobody, &in, NULL), 0);
	assert_non_null(r.bypass);
	assert_int_equal(buf_len(&r.key), 0);
	request_wipe(&r);
}

/* ---- what goes upstream ---- */

static void test_upstream_headers(void **state)
{
	static const struct http_header given[] = { H("Authorization", "token other"), H("Host", "evil"),
		H("Content-Length", "5"), H("User-Agent", "curl/8"), H("Accept-Encoding", "gzip, br"),
		H("If-Modified-Since", "Sun, 22 Nov 2026 13:20:00 GMT"), H("Connection", "close"),
		H("Transfer-Encoding", "chunked"), H("X-Mine", " 1 ") };
	static const char *const absent[] = { "host", "content-length", "if-modified-since", "connection",
		"transfer-encoding" };
	struct request_in in = {
		.method = "GET", .target = span_of("/user"), .headers = given, .nheaders = COUNT(given)
	};
	struct request r;

	(void)state;
	assert_int_equal(request_init(&r, &github, &somebody, &in, NULL), 0);
	assert_true(span_eq(request_header(&r, "authorization"), "token ghp_x"));
	assert_true(span_eq(request_header(&r, "user-agent"), "ghoard/1.2.3"));
	assert_true(span_eq(request_header(&r, "accept-encoding"), "identity"));
	assert_true(span_eq(request_header(&r, "x-mine"), "1"));
	for (size_t i = 0; i < COUNT(absent); i++)
		assert_null(request_header(&r, absent[i]).p);
	for (size_t i = 0; i < r.nheaders; i++)
		assert_false(span_eq(r.headers[i].value, "token other"));
	request_wipe(&r);
	assert_int_equal(request_init(&r, &github, &nobody, &in, NULL), 0);
	assert_null(request_header(&r, "authorization").p);
	request_wipe(&r);
}

/* Target and headers are copied: what they were given in may go. */
static void test_copies(void **state)
{
	char target[] = "/user", name[] = "X-GitHub-A", value[] = "1";
	struct http_header h = { span_of(name), span_of(value) };
	struct request r;

	(void)state;
	make(&r, "GET", target, &h, 1);
	memset(target, '!', 5);
	memset(name, '!', 10);
	memset(value, '!', 1);
	assert_string_equal(buf_cstr(&r.target), "/user");
	assert_true(span_eq(request_header(&r, "x-github-a"), "1"));
	request_wipe(&r);
}

static void expect_refused(const char *method, struct span target, const struct http_header *h, size_t n)
{
	struct request_in in = { .method = method, .target = target, .headers = h, .nheaders = n };
	struct request r;
	struct err e;

	err_init(&e);
	assert_int_equal(request_init(&r, &github, &nobody, &in, &e), ERR_USAGE);
	assert_string_not_equal(e.msg, "");
}

static void test_malformed(void **state)
{
	static const char *const methods[] = { "", "GE T", "GET\r\n", "A-METHOD-OF-16-CH" };
	static const char *const paths[] = { "", "user", "https://api.github.com/user", "/a b", "/a\r\nX: y",
		"/\x7f", "/\xc3\xa9", "/a#b" };
	static const struct http_header bad[] = { H("A B", "x"), H("", "x"), H("A", "x\r\nB: y"),
		H("A", "\x01"), H("A:", "x"), H("A", "x\0y") };
	struct http_header many[REQUEST_HEADERS_MAX + 1];
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++)
		expect_refused(methods[i], span_of("/user"), NULL, 0);
	for (size_t i = 0; i < COUNT(paths); i++)
		expect_refused("GET", span_of(paths[i]), NULL, 0);
	expect_refused("GET", span_make("/a\0b", 4), NULL, 0);
	for (size_t i = 0; i < COUNT(bad); i++)
		expect_refused("GET", span_of("/user"), &bad[i], 1);
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = (struct http_header)H("A", "x");
	expect_refused("GET", span_of("/user"), many, COUNT(many));
	make(&r, "GET", "/user", many, REQUEST_HEADERS_MAX - 3);
	request_wipe(&r);
}

static int setup(void **state)
{
	(void)state;
	if (upstream_parse(&github, "https://api.github.com", NULL) != 0)
		return -1;
	github.agent = "ghoard/1.2.3";
	return identity_init(&nobody, span_of("")) && identity_init(&somebody, span_of("token ghp_x")) ? 0
												       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upstream),
		cmocka_unit_test(test_upstream_base_too_long),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_accept_classes),
		cmocka_unit_test(test_key_and_upstream),
		cmocka_unit_test(test_key_and_identity),
		cmocka_unit_test(test_head_is_looked_up_as_get),
		cmocka_unit_test(test_keyed_by_body),
		cmocka_unit_test(test_bypass),
		cmocka_unit_test(test_bypass_route),
		cmocka_unit_test(test_upstream_headers),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
