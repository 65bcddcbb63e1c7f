#include "github/answer.h"
#include "base/err.h"
#include "github/identity.h"
#include "github/request.h"
#include "heads.h"

#define O "https://api.github.com"
#define LIST "Link: <" O "/repos/o/r/issues?page=2>; rel=\"next\"\r\n"

static struct upstream github;
static struct identity nobody;

static void make(struct request *r, const struct request_in *in)
{
	assert_int_equal(request_init(r, &github, &nobody, in, NULL), 0);
	assert_null(r->bypass);
}

static bool storable_for(const struct request_in *in, int status, const char *fields, const char *body)
{
	struct request r;
	struct answer a;
	bool yes;

	make(&r, in);
	answer_init(&a, 1000);
	assert_int_equal(answer_take_head(&a, head_of(status, fields)), 0);
	buf_adds(&a.body, body);
	yes = answer_storable(&a, &r);
	answer_free(&a);
	request_wipe(&r);
	return yes;
}

static bool storable(int status, const char *fields)
{
	const struct request_in get = { .method = "GET", .target = span_of("/user") };

	return storable_for(&get, status, fields, "{\"errors\":[1]}");
}

static void test_storable(void **state)
{
	static const int never[] = { 204, 206, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 422, 429,
		451, 500, 502 };
	static const char *const good[] = { "", "Cache-Control: private, max-age=60, s-maxage=60\r\n",
		"Vary: Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, "
		"X-Requested-With\r\n",
		"Vary: \r\n", "Vary: accept\r\nVary: AUTHORIZATION\r\n", "X-Note: no-store\r\n",
		"Cache-Control: no-cache\r\n" };
	static const char *const bad[] = { "Set-Cookie: a=b\r\n", "set-cookie: \r\n",
		"Cache-Control: no-store\r\n", "Cache-Control: private, No-Store\r\n",
		"Cache-Control: private\r\ncache-control: no-store\r\n", "Vary: *\r\n",
		"Vary: Accept, User-Agent\r\n", "Vary: Accept\r\nVary: Accept-Language\r\n",
		"Vary: Acceptx\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(never); i++)
		assert_false(storable(never[i], ""));
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(storable(200, good[i]) && storable(301, good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(storable(200, bad[i]) || storable(301, bad[i]));
}

static void test_storable_graphql(void **state)
{
	const struct request_in post = { .method = "POST", .target = span_of("/graphql"), .has_body = true,
		.body = span_of("{\"query\":\"{viewer{login}}\"}") };

	(void)state;
	assert_true(storable_for(&post, 200, "", "{\"data\":{\"viewer\":{\"login\":\"errors\"}}}"));
	assert_false(storable_for(&post, 200, "", "{\"data\":null,\"errors\":[{\"message\":\"no\"}]}"));
	assert_false(storable_for(&post, 200, "", "{\"\\u0065rrors\":[{}],\"data\":{}}"));
	assert_false(storable_for(&post, 200, "", "<html>"));
	assert_false(storable_for(&post, 200, "", ""));
	assert_false(storable_for(&post, 301, "", "{\"data\":{}}"));
}

/* What the client said in `name` is in the key, keeps the answer from being kept, or does not go upstream. */
static bool covered(const char *name, const char *value)
{
	const struct http_header h = { span_of(name), span_of(value) };
	struct request_in in = { .method = "GET", .target = span_of("/user") };
	struct request with, without;
	bool yes;

	make(&without, &in);
	in.headers = &h;
	in.nheaders = 1;
	assert_int_equal(request_init(&with, &github, &nobody, &in, NULL), 0);
	yes = with.bypass != NULL || !span_same(buf_span(&with.key), buf_span(&without.key)) ||
	    span_same(request_header(&with, name), request_header(&without, name));
	request_wipe(&with);
	request_wipe(&without);
	return yes;
}

static void test_vary_is_covered(void **state)
{
	static const char *const names[] = { "Accept", "Authorization", "Cookie", "X-GitHub-OTP",
		"Accept-Encoding", "X-Requested-With", "Origin", "User-Agent", "Accept-Language",
		"X-GitHub-Api-Version", "Referer", "Time-Zone" };
	char vary[100];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(vary, sizeof(vary), "Vary: %s\r\n", names[i]);
		if (storable(200, vary))
			assert_true(covered(names[i], "application/x-other"));
	}
}

static void test_take_head(void **state)
{
	struct answer a;
	const struct http_head *h =
	    head_of(200, "ETag: \"x\"\r\nX-RateLimit-Remaining: 3\r\nX-RateLimit-Reset: 9\r\nEmpty:\r\n");

	(void)state;
	answer_init(&a, 1000);
	assert_int_equal(answer_take_head(&a, h), 0);
	head_of(404, "Other: head of the same length, or longer: the first is overwritten now\r\n");
	assert_int_equal(a.head.status, 200);
	assert_int_equal(a.head.minor, 1);
	assert_true(span_eq(a.head.reason, "Words"));
	assert_int_equal(a.head.nfields, 4);
	assert_true(span_eq(http_field(&a.head, "etag"), "\"x\""));
	assert_true(span_eq(http_field(&a.head, "empty"), ""));
	assert_true(a.limit.known);
	assert_int_equal(a.limit.remaining, 3);
	answer_free(&a);
}

static void test_take_largest_head(void **state)
{
	static char fields[60001];
	struct answer a;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, "X-%03d: %0590d\r\n", i, i);
	answer_init(&a, 0);
	assert_int_equal(answer_take_head(&a, head_of(200, fields)), 0);
	assert_int_equal(a.head.nfields, 100);
	assert_true(span_eq(a.head.fields[99].name, "X-099"));
	assert_int_equal(a.head.fields[99].value.n, 590);
	answer_free(&a);
}

static size_t kept(struct answer *a, const char *fields, struct entry_header out[ENTRY_HEADERS_MAX],
    unsigned *dropped)
{
	answer_init(a, 1000);
	assert_int_equal(answer_take_head(a, head_of(200, fields)), 0);
	*dropped = 0;
	return answer_headers(a, O, out, dropped);
}

static void test_headers(void **state)
{
	struct entry_header h[ENTRY_HEADERS_MAX];
	struct answer a;
	unsigned dropped;

	(void)state;
	assert_int_equal(kept(&a,
			     "Server: x\r\nETag: W/\"1\"\r\nX-RateLimit-Limit: 1\r\nCONTENT-TYPE: "
			     "text/plain\r\n" LIST "Location: " O
			     "/repositories/42\r\nX-OAuth-Scopes: repo\r\n",
			     h, &dropped),
	    4);
	assert_int_equal(dropped, 0);
	assert_true(span_eq(h[0].name, "etag") && span_eq(h[0].value, "W/\"1\""));
	assert_true(span_eq(h[1].name, "content-type") && span_eq(h[1].value, "text/plain"));
	assert_true(span_eq(h[2].name, "link") && span_eq(h[3].name, "location"));
	answer_free(&a);
	assert_int_equal(
	    kept(&a, "Link: <https://evil/x>; rel=\"next\"\r\nLocation: https://evil/\r\nETag: \"1\"\r\n", h,
		&dropped),
	    1);
	assert_int_equal(dropped, 2);
	answer_free(&a);
	assert_int_equal(kept(&a, "Location: https://api.github.com.evil/\r\n", h, &dropped), 0);
	assert_int_equal(dropped, 1);
	answer_free(&a);
	assert_int_equal(
	    kept(&a, "Location: //evil/\r\nLink: </x>; rel=next\r\nLocation: http://api.github.com/\r\n", h,
		&dropped),
	    0);
	assert_int_equal(dropped, 3);
	answer_free(&a);
}

static void test_headers_end(void **state)
{
	struct entry_header h[ENTRY_HEADERS_MAX];
	struct answer a;
	char fields[2000] = "";
	unsigned dropped;

	(void)state;
	for (int i = 0; i < ENTRY_HEADERS_MAX + 10; i++)
		strcat(fields, "Deprecation: true\r\n");
	assert_int_equal(kept(&a, fields, h, &dropped), ENTRY_HEADERS_MAX);
	answer_free(&a);
}

static void test_kept_name(void **state)
{
	static const char *const yes[] = { "content-type", "etag", "last-modified", "link", "location",
		"date", "cache-control", "vary", "x-poll-interval", "x-github-media-type",
		"x-github-api-version-selected", "deprecation", "sunset" };
	static const char *const no[] = { "", "X-OAuth-Scopes", "X-Accepted-OAuth-Scopes",
		"X-RateLimit-Remaining", "GitHub-Authentication-Token-Expiration", "X-GitHub-SSO",
		"X-GitHub-Request-Id", "Set-Cookie", "Access-Control-Allow-Origin", "Content-Length",
		"Transfer-Encoding", "Content-Encoding", "Connection", "etagx" };
	char upper[64];

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++) {
		assert_string_equal(answer_kept_name(span_of(yes[i])), yes[i]);
		for (size_t j = 0; j <= strlen(yes[i]); j++)
			upper[j] = (char)(yes[i][j] >= 'a' && yes[i][j] <= 'z' ? yes[i][j] - 32 : yes[i][j]);
		assert_string_equal(answer_kept_name(span_of(upper)), yes[i]);
	}
	for (size_t i = 0; i < COUNT(no); i++)
		assert_null(answer_kept_name(span_of(no[i])));
}

static int setup(void **state)
{
	(void)state;
	return upstream_parse(&github, O, NULL) == 0 && identity_init(&nobody, span_of("")) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storable),
		cmocka_unit_test(test_storable_graphql),
		cmocka_unit_test(test_vary_is_covered),
		cmocka_unit_test(test_take_head),
		cmocka_unit_test(test_take_largest_head),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_headers_end),
		cmocka_unit_test(test_kept_name),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
