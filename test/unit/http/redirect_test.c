#include "base/buf.h"
#include "http/redirect.h"
#include "http/url.h"
#include "cases.h"

static void knows_redirects(void **state)
{
	(void)state;
	for (int status = 100; status < 600; status++) {
		bool want = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
		assert_int_equal(http_is_redirect(status), want);
	}
}

/* ---- methods ---- */

static const struct {
	const char *name;
	int status;
	const char *method, *next;
	bool drop_body;
} methods[] = {
	{ "RFC 9110 §15.4.2", 301, "GET", "GET", false },
	{ "RFC 9110 §15.4.2", 301, "HEAD", "HEAD", false },
	{ "RFC 9110 §15.4.2", 301, "POST", "GET", true },
	{ "RFC 9110 §15.4.2", 301, "PUT", "PUT", false },
	{ "RFC 9110 §15.4.3", 302, "GET", "GET", false },
	{ "RFC 9110 §15.4.3", 302, "POST", "GET", true },
	{ "RFC 9110 §15.4.3", 302, "DELETE", "DELETE", false },
	{ "RFC 9110 §9.1 methods have case", 302, "post", "post", false },
	{ "RFC 9110 §15.4.4", 303, "GET", "GET", true },
	{ "RFC 9110 §15.4.4", 303, "HEAD", "HEAD", true },
	{ "RFC 9110 §15.4.4", 303, "POST", "GET", true },
	{ "RFC 9110 §15.4.4", 303, "PATCH", "GET", true },
	{ "RFC 9110 §15.4.8", 307, "POST", "POST", false },
	{ "RFC 9110 §15.4.8", 307, "GET", "GET", false },
	{ "RFC 9110 §15.4.9", 308, "POST", "POST", false },
	{ "RFC 9110 §15.4.9", 308, "DELETE", "DELETE", false },
};

static const char *last_why;

static int redirect(int status, const char *method, const char *from, const char *location, struct buf *next,
    struct http_redirect *r)
{
	const char *why = NULL;
	struct url u;

	assert_int_equal(url_parse(span_of(from), &u, &why), 0);
	size_t n = location ? strlen(location) : 0;
	struct span at = location ? span_make(guard_put(location, n), n) : (struct span){ NULL, 0 };
	int ret = http_redirect(status, method, &u, at, next, r, &why);
	assert_int_equal(ret < 0, why != NULL);
	last_why = why;
	return ret;
}

static void chooses_methods(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		struct http_redirect r;
		struct buf b;

		buf_init(&b, BUF_MAX_ANY);
		if (redirect(methods[i].status, methods[i].method, "https://h/", "/x", &b, &r) < 0)
			fail_msg("%s", methods[i].name);
		if (strcmp(r.method, methods[i].next) != 0 || r.drop_body != methods[i].drop_body ||
		    r.drop_auth)
			fail_msg("%s: %d %s gives %s, body %d", methods[i].name, methods[i].status,
			    methods[i].method, r.method, !r.drop_body);
		buf_free(&b);
	}
}

/* ---- places ---- */

static const struct {
	const char *name, *from, *location, *next;	/* next NULL: refused */
	bool drop_auth;
} places[] = {
	{ "path", "https://h/a/b?c", "/x?y", "https://h/x?y", false },
	{ "relative", "https://h/a/b?c", "x", "https://h/a/x", false },
	{ "RFC 9110 §10.2.2 fragment", "https://h/a#f", "/x#g", "https://h/x", false },
	{ "same origin", "https://h/a", "https://H:443/x", "https://H:443/x", false },
	{ "same origin with a port", "https://h:8443/a", "/x", "https://h:8443/x", false },
	{ "RFC 9110 §15.4 another host", "https://h/a", "https://i/x", "https://i/x", true },
	{ "RFC 9110 §15.4 another host, relative", "https://h/a", "//i/x", "https://i/x", true },
	{ "RFC 9110 §15.4 a subdomain", "https://h.com/a", "https://x.h.com/", "https://x.h.com/", true },
	{ "RFC 9110 §15.4 another port", "https://h/a", "https://h:444/x", "https://h:444/x", true },
	{ "http to https", "http://h/a", "https://h/a", "https://h/a", true },
	{ "http to http", "http://h/a", "http://h/b", "http://h/b", false },
	{ "https to http", "https://h/a", "http://h/a", NULL, false },
	{ "https to http, same port", "https://h:8443/a", "http://h:8443/a", NULL, false },
	{ "no Location", "https://h/a", NULL, NULL, false },
	{ "empty Location", "https://h/a", "", NULL, false },
	{ "userinfo", "https://h/a", "https://u:p@h/", NULL, false },
	{ "another scheme", "https://h/a", "ftp://h/", NULL, false },
	{ "file", "https://h/a", "file:///etc/passwd", NULL, false },
	{ "space", "https://h/a", "/a b", NULL, false },
	{ "CR LF", "https://h/a", "/a\r\nX: y", NULL, false },
};

static void chooses_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct http_redirect r = { .method = "untouched" };
		struct buf b;

		buf_init(&b, BUF_MAX_ANY);
		buf_adds(&b, "kept ");
		int ret = redirect(302, "GET", places[i].from, places[i].location, &b, &r);
		if (ret != (places[i].next ? 0 : -1))
			fail_msg("%s: %d, %s", places[i].name, ret, buf_cstr(&b));
		if (ret == 0 && r.drop_auth != places[i].drop_auth)
			fail_msg("%s: drop_auth %d", places[i].name, r.drop_auth);
		if (ret < 0)
			assert_string_equal(r.method, "untouched");
		if (strncmp(buf_cstr(&b), "kept ", 5) != 0 || strcmp(buf_cstr(&b) + 5,
		    ret ? "" : places[i].next) != 0)
			fail_msg("%s: '%s'", places[i].name, buf_cstr(&b));
		buf_free(&b);
	}
}

static void says_why(void **state)
{
	struct http_redirect r;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	assert_int_equal(redirect(302, "GET", "https://h/", NULL, &b, &r), -1);
	assert_string_equal(last_why, "a redirect without a Location");
	assert_int_equal(redirect(302, "GET", "https://h/", "http://h/", &b, &r), -1);
	assert_string_equal(last_why, "a redirect from https to http");
	assert_int_equal(redirect(302, "GET", "https://h/", "//u@h/", &b, &r), -1);
	assert_string_equal(last_why, "a user name or password in a URL");
	buf_free(&b);
}

static void refuses_other_statuses(void **state)
{
	static const int statuses[] = { 200, 300, 304, 305, 306, 309, 400 };
	struct http_redirect r;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	for (size_t i = 0; i < COUNT(statuses); i++)
		assert_int_equal(redirect(statuses[i], "GET", "https://h/", "/x", &b, &r), -1);
	assert_string_equal(last_why, "a status that is not a redirect");
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_redirects),
		cmocka_unit_test(chooses_methods),
		cmocka_unit_test(chooses_places),
		cmocka_unit_test(says_why),
		cmocka_unit_test(refuses_other_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
