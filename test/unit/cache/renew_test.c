#include "../github/heads.h"
#include "asked.h"
#include "cache/renew.h"
#include "github/answer.h"

#define LIST "/repos/o/r/issues?per_page=2"
#define O "https://api.github.com"

/* GitHub's words, as if they had come just now. */
static void answer(struct answer *a, int status, const char *fields, const char *body)
{
	answer_init(a, 1 << 20);
	assert_int_equal(answer_take_head(a, head_of(status, fields)), 0);
	buf_adds(&a->body, body);
	a->sent = clock_wall() - 2000;
	a->received = clock_wall();
}

static void header_is(const struct entry *e, const char *name, const char *want)
{
	struct span v = entry_header(e, name);

	if (want == NULL)
		assert_null(v.p);
	else if (!span_eq(v, want))
		fail_msg("%s is '%.*s', not '%s'", name, (int)v.n, v.p, want);
}

/* It is this request's and this token's, and says so with a proof. */
static void belongs(const struct entry *e, const struct asked *a)
{
	assert_true(span_same(e->key, buf_span(&a->req.key)));
	assert_true(span_same(e->url, buf_span(&a->req.url)));
	assert_true(span_eq(e->auth, a->id.tag));
	assert_true(entry_cid_ok(e));
	if (!a->id.is_public)
		assert_true(entry_proof_ok(e, a->id.proof_key));
}

static void test_200(void **state)
{
	struct asked q;
	struct answer a;
	struct entry *e;
	unsigned dropped = 0;

	(void)state;
	asked_get(&q, TOKEN_A, "/repos/o/r");
	answer(&a, 200,
	    "Content-Type: application/json\r\nETag: \"x\"\r\nDate: d\r\nServer: s\r\nX-OAuth-Scopes: "
	    "repo\r\n"
	    "Link: <https://evil/>; rel=\"prev\"\r\n",
	    "{\"updated_at\":\"2026-01-01T00:00:00Z\"}");
	assert_int_equal(renew_from_200(&q.req, &a, 77, &dropped, &e, NULL), 0);
	belongs(e, &q);
	assert_int_equal(e->timestamp, a.received);
	assert_int_equal(e->ttl, 77);
	assert_int_equal(e->status, 200);
	assert_int_equal(e->nheaders, 3);
	header_is(e, "etag", "\"x\"");
	header_is(e, "link", NULL);
	header_is(e, "x-oauth-scopes", NULL);
	assert_int_equal(dropped, 1);
	assert_true(span_eq(e->body, "{\"updated_at\":\"2026-01-01T00:00:00Z\"}"));
	assert_true(e->content_hash.n > 0);	/* get_repo_info has validation fields */
	entry_unref(e);
	answer_free(&a);
	asked_wipe(&q);
}

/* Where the way on leads away from the upstream, the rest would say something else than the answer did. */
static void test_leads_away(void **state)
{
	static const struct {
		int status;
		const char *fields;
	} away[] = { { 200, "Link: <https://evil/>; rel=\"next\"\r\n" },
		{ 200, "Link: <" O "/x>; rel=\"prev\", <http://api.github.com/>; rel=\"next\"\r\n" },
		{ 301, "Location: https://evil/\r\n" }, { 301, "Location: //evil/\r\n" } };
	struct asked q;

	(void)state;
	asked_get(&q, TOKEN_A, "/repos/o/r");
	for (size_t i = 0; i < COUNT(away); i++) {
		struct answer a;
		struct entry *e = NULL;
		unsigned dropped = 0;

		answer(&a, away[i].status, away[i].fields, "[]");
		if (renew_from_200(&q.req, &a, 77, &dropped, &e, NULL) != ERR_DENIED)
			fail_msg("%d %s", away[i].status, away[i].fields);
		assert_null(e);
		assert_int_equal(dropped, 1);
		answer_free(&a);
	}
	asked_wipe(&q);
}

static void test_301(void **state)
{
	struct asked q;
	struct answer a;
	struct entry *e;
	unsigned dropped = 0;

	(void)state;
	asked_get(&q, NULL, "/repos/o/r");
	answer(&a, 301, "Location: " O "/repositories/1\r\n", "{}");
	assert_int_equal(renew_from_200(&q.req, &a, 86400, &dropped, &e, NULL), 0);
	belongs(e, &q);
	assert_int_equal(e->status, 301);
	assert_int_equal(e->ttl, RENEW_301_TTL);
	assert_int_equal(e->proof.n, 0);	/* public */
	header_is(e, "location", O "/repositories/1");
	entry_unref(e);
	assert_int_equal(renew_from_200(&q.req, &a, 20, &dropped, &e, NULL), 0);
	assert_int_equal(e->ttl, 20);
	entry_unref(e);
	answer_free(&a);
	asked_wipe(&q);
}

/* RFC 9111 §4.3.4: what the 304 says replaces, what it does not say stays. */
static void test_304(void **state)
{
	const struct entry_header had[] = { { span_of("content-type"), span_of("application/json") },
		{ span_of("etag"), span_of("\"x\"") }, { span_of("date"), span_of("then") },
		{ span_of("vary"), span_of("Accept") }, { span_of("vary"), span_of("Authorization") },
		{ span_of("link"), span_of("<" O "/repos/o/r/issues?page=2>; rel=\"next\"") } };
	struct asked q;
	struct answer a;
	struct entry_parts p;
	struct entry *own = NULL, *e = NULL;

	(void)state;
	asked_get(&q, TOKEN_A, LIST);
	p = (struct entry_parts){ .key = buf_span(&q.req.key), .url = buf_span(&q.req.url),
		.auth = span_of(q.id.tag), .variant = buf_span(&q.req.variant), .proof_key = q.id.proof_key,
		.timestamp = 5, .ttl = 300, .status = 200, .headers = had, .nheaders = COUNT(had),
		.body = span_of("[1,2]") };
	assert_int_equal(entry_build(&p, &own, NULL), 0);
	answer(&a, 304, "ETag: W/\"x\"\r\nDATE: now\r\nVary: Accept\r\nSunset: soon\r\nSet-Cookie: a=b\r\n"
		"X-RateLimit-Remaining: 5\r\n", "");
	assert_int_equal(renew_from_304(&q.req, own, &a, 60, &e, NULL), 0);
	belongs(e, &q);
	assert_int_equal(e->timestamp, a.received);
	assert_int_equal(e->ttl, 60);
	assert_true(span_eq(e->body, "[1,2]"));
	header_is(e, "content-type", "application/json");
	header_is(e, "etag", "W/\"x\"");
	header_is(e, "date", "now");
	header_is(e, "vary", "Accept");
	header_is(e, "sunset", "soon");
	header_is(e, "set-cookie", NULL);
	header_is(e, "link", "<" O "/repos/o/r/issues?page=2>; rel=\"next\"");
	assert_int_equal(e->nheaders, 6);	/* both Vary went for the new one */
	entry_unref(e);
	entry_unref(own);
	answer_free(&a);
	asked_wipe(&q);
}

static struct entry *adopted(const char *target, const char *link, const char *fields)
{
	struct asked q, other;
	struct answer a;
	struct entry_parts p;
	struct entry *c = NULL, *e = NULL;

	asked_get(&q, TOKEN_A, target);
	asked_get(&other, TOKEN_B, target);
	const struct entry_header had[] = { { span_of("content-type"), span_of("application/json") },
		{ span_of("etag"), span_of("\"theirs\"") }, { span_of("date"), span_of("then") },
		{ span_of("cache-control"), span_of("public") }, { span_of("x-poll-interval"), span_of("1") },
		{ span_of("location"), span_of(O "/x") }, { span_of("sunset"), span_of("soon") },
		{ span_of("link"), span_of(link) } };
	p = (struct entry_parts){ .key = buf_span(&q.req.key), .url = buf_span(&q.req.url),
		.auth = span_of(other.id.tag), .variant = buf_span(&q.req.variant),
		.proof_key = other.id.proof_key, .timestamp = 5, .ttl = 300, .status = 200, .headers = had,
		.nheaders = COUNT(had) - (link[0] == '\0'), .body = span_of("[1,2]") };
	assert_int_equal(entry_build(&p, &c, NULL), 0);
	answer(&a, 304, fields, "");
	assert_int_equal(renew_from_candidate(&q.req, c, &a, 60, &e, NULL), 0);
	belongs(e, &q);
	assert_true(span_eq(e->body, "[1,2]"));
	assert_int_equal(e->timestamp, a.received);
	entry_unref(c);
	answer_free(&a);
	asked_wipe(&q);
	asked_wipe(&other);
	return e;
}

/* Of another token's headers only those of the content are believed. */
static void test_candidate(void **state)
{
	struct entry *e = adopted(LIST, "", "ETag: \"mine\"\r\nDate: now\r\nCache-Control: private\r\n");

	(void)state;
	header_is(e, "content-type", "application/json");
	header_is(e, "sunset", "soon");
	header_is(e, "etag", "\"mine\"");
	header_is(e, "date", "now");
	header_is(e, "cache-control", "private");
	header_is(e, "x-poll-interval", NULL);
	header_is(e, "location", NULL);
	header_is(e, "link", NULL);
	assert_int_equal(e->nheaders, 5);
	entry_unref(e);
	e = adopted(LIST, "", "ETag: \"mine\"\r\n");
	header_is(e, "date", NULL);
	header_is(e, "cache-control", NULL);
	entry_unref(e);
}

static const struct {
	const char *target, *link, *want;
} links[] = {
	{ LIST, "<" O LIST "&page=2>; rel=\"next\", <" O LIST "&page=9>; rel=\"last\"",
	    "<" O LIST "&page=2>; rel=\"next\"" },
	{ LIST, "<" O "/repositories/7/issues?page=2>; rel=\"next\"",
	    "<" O "/repositories/7/issues?page=2>; rel=\"next\"" },
	{ LIST, "<" O LIST "&page=9>; rel=\"last\"", NULL },
	{ LIST, "<" O LIST "&page=2>; rel=\"next\", <https://evil/x>; rel=\"prev\"", NULL },
	{ LIST, "<" O "/repos/o/other/issues?page=2>; rel=\"next\"", NULL },
	{ LIST, "<" O "/repositories/7/pulls?page=2>; rel=\"next\"", NULL },
	{ LIST, "<http://api.github.com" LIST "&page=2>; rel=\"next\"", NULL },
	{ LIST, "<" LIST "&page=2>; rel=\"next\"", NULL },
	{ "/user/repos", "<" O "/user/repos?page=2>; rel=\"next\"",
	    "<" O "/user/repos?page=2>; rel=\"next\"" },
	{ "/user/repos", "<" O "/users/o/repos?page=2>; rel=\"next\"", NULL },
};

static void test_candidate_link(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		struct entry *e = adopted(links[i].target, links[i].link, "ETag: \"mine\"\r\n");

		header_is(e, "link", links[i].want);
		entry_unref(e);
	}
	/* the 304's own is this token's own */
	struct entry *e =
	    adopted(LIST, links[0].link, "Link: <" O "/repositories/7/issues?page=3>; rel=\"next\"\r\n");
	header_is(e, "link", "<" O "/repositories/7/issues?page=3>; rel=\"next\"");
	entry_unref(e);
}

static const struct {
	const char *target, *body, *link;
	bool full;
} pages[] = {
	{ LIST, "[1,2]", NULL, true },
	{ LIST, " [ [1,2,3] , {} ] ", NULL, true },
	{ LIST, "[1]", NULL, false },
	{ LIST, "[]", NULL, false },
	{ LIST, "[1,2]", "<" O LIST "&page=2>; rel=\"next\"", false },
	{ LIST, "[1,2]", "<" O LIST "&page=1>; rel=\"prev\"", true },
	{ "/repos/o/r/issues?per_page=3", "[1,2]", NULL, false },
	{ "/repos/o/r/issues?per_page=1", "[1,2]", NULL, true },
	{ "/repos/o/r/issues", "[1,2]", NULL, false },
	{ LIST, "{\"total_count\":9,\"workflow_runs\":[1,2]}", NULL, true },
	{ LIST, "{\"workflow_runs\":[1,2],\"total_count\":9}", NULL, true },
	{ LIST, "{\"total_count\":9,\"workflow_runs\":[1]}", NULL, false },
	{ LIST, "{\"workflow_runs\":[1,2]}", NULL, false },
	{ LIST, "{\"total_count\":9}", NULL, false },
	{ LIST, "\"text\"", NULL, false },
	{ LIST, "not JSON", NULL, false },
	{ LIST, "", NULL, false },
};

static void test_full_last_page(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pages); i++) {
		const struct entry_header h[] = { { span_of("link"), span_of(pages[i].link) } };
		struct asked q;
		struct entry *e = NULL;

		asked_get(&q, TOKEN_A, pages[i].target);
		struct entry_parts p = { .key = buf_span(&q.req.key), .url = buf_span(&q.req.url),
			.auth = span_of(q.id.tag), .variant = buf_span(&q.req.variant), .timestamp = 5,
			.ttl = 300, .status = 200, .headers = h, .nheaders = pages[i].link != NULL,
			.body = span_of(pages[i].body), .proof_key = q.id.proof_key };
		assert_int_equal(entry_build(&p, &e, NULL), 0);
		if (renew_is_full_last_page(&q.req, e) != pages[i].full)
			fail_msg("%s %s", pages[i].target, pages[i].body);
		entry_unref(e);
		asked_wipe(&q);
	}
}

static const struct {
	int status;
	const char *etag, *link, *body;
	bool usable;
} candidates[] = {
	{ 200, "\"x\"", "", "[1]", true },
	{ 200, "\"x\"", "<" O LIST "&page=2>; rel=\"next\"", "[1,2]", true },
	{ 200, "\"x\"", "<" O "/repositories/7/issues?page=2>; rel=\"next\"", "[1,2]", true },
	{ 200, "", "", "[1]", false },
	{ 301, "\"x\"", "", "[1]", false },
	{ 200, "\"x\"", "", "[1,2]", false },
	{ 200, "\"x\"", "<" O "/repos/o/other/issues?page=2>; rel=\"next\"", "[1,2]", false },
	{ 200, "\"x\"", "<https://evil/>; rel=\"next\"", "[1,2]", false },
	{ 200, "\"x\"", "<" O LIST "&page=2>; rel=\"next\", <https://evil/>; rel=\"prev\"", "[1,2]", false },
	{ 200, "\"x\"", "<https://evil/>; rel=\"prev\"", "[1]", true },	/* dropped, and nothing is missing */
};

static void test_usable_candidate(void **state)
{
	struct asked q;

	(void)state;
	asked_get(&q, TOKEN_A, LIST);
	for (size_t i = 0; i < COUNT(candidates); i++) {
		struct entry_header h[2];
		struct entry *e = NULL;
		size_t n = 0;

		if (candidates[i].etag[0] != '\0')
			h[n++] = (struct entry_header){ span_of("etag"), span_of(candidates[i].etag) };
		if (candidates[i].link[0] != '\0')
			h[n++] = (struct entry_header){ span_of("link"), span_of(candidates[i].link) };
		struct entry_parts p = { .key = buf_span(&q.req.key), .url = buf_span(&q.req.url),
			.auth = span_of("00112233445566778899aabbccddeeff"), .proof_key = q.id.proof_key,
			.variant = buf_span(&q.req.variant), .timestamp = 5, .ttl = 300,
			.status = candidates[i].status, .headers = h, .nheaders = n,
			.body = span_of(candidates[i].body) };
		assert_int_equal(entry_build(&p, &e, NULL), 0);
		if (renew_is_usable_candidate(&q.req, e) != candidates[i].usable)
			fail_msg("candidate %zu", i);
		entry_unref(e);
	}
	asked_wipe(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_200),
		cmocka_unit_test(test_leads_away),
		cmocka_unit_test(test_301),
		cmocka_unit_test(test_304),
		cmocka_unit_test(test_candidate),
		cmocka_unit_test(test_candidate_link),
		cmocka_unit_test(test_full_last_page),
		cmocka_unit_test(test_usable_candidate),
	};

	return cmocka_run_group_tests_name("cache/renew", tests, NULL, NULL);
}
