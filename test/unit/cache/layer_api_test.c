#include "../http/script.h"
#include "fake.h"
#include "cache/mem.h"
#include "http/client.h"
#include "http/origin.h"
#include "store/epochs.h"

#define PATH "/repos/o/r"	/* get_repo_info: 300 s */
#define HOUR 3600
#define OLD "{\"v\":1}"
#define NEW "{\"v\":2}"

static const struct cache_ask plain = { .max_age = -1 };

struct fixture {
	struct loop *loop;
	struct http_env env;
	struct http_client *http;
	struct script server;
	struct step steps[8];
	char replies[8][700];
	size_t nsteps;
	struct cache *cache;
	struct cache_layer *layers[2];
	struct fake_disk disk;
	struct epochs *epochs;
	struct metrics *metrics;
	struct asked a, b;		/* the same question of two tokens */
	struct heard heard;
	bool over;
};

static int setup(void **state)
{
	struct http_timeouts t = { .first_byte_ms = 3000 };
	struct fixture *f = calloc(1, sizeof(*f));
	struct layer_api_params p;
	struct cache_params c;

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	http_env_init(&f->env, f->loop);
	assert_int_equal(http_client_new(&f->env, &t, &f->http, NULL), 0);
	f->epochs = epochs_new(NULL);
	f->metrics = metrics_open(NULL);
	fake_disk_init(&f->disk);
	p = (struct layer_api_params){ .loop = f->loop, .http = f->http, .metrics = f->metrics,
		.max_body = 200, .max_wait_s = 2 };
	f->layers[0] = &f->disk.layer;
	f->layers[1] = layer_api_new(&p);
	c = (struct cache_params){ .loop = f->loop, .layers = f->layers, .nlayers = 2, .epochs = f->epochs,
		.metrics = f->metrics, .permission_s = HOUR, .stale_if_error_s = HOUR };
	assert_int_equal(cache_new(&c, &f->cache, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cache_free(f->cache);
	layer_free(f->layers[1]);
	http_client_free(f->http);
	alarm(5);
	f->over = false;
	loop_run(f->loop, &f->over, NULL);	/* until nothing is held */
	alarm(0);
	script_stop(&f->server);
	fake_disk_wipe(&f->disk);
	epochs_free(f->epochs);
	metrics_free(f->metrics);
	http_env_wipe(&f->env);
	loop_free(f->loop);
	asked_wipe(&f->a);
	asked_wipe(&f->b);
	memset(&upstream, 0, sizeof(upstream));
	free(f);
	return 0;
}

/* ---- the stand-in's words; each answer over a connection of its own ---- */

static void says(struct fixture *f, const char *head, const char *fields, const char *body)
{
	snprintf(f->replies[f->nsteps], sizeof(f->replies[0]),
	    "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s", head, fields, strlen(body),
	    body);
	f->steps[f->nsteps] = (struct step){ .first = true, .send = f->replies[f->nsteps], .close = true };
	f->nsteps++;
}

static void says_tag(struct fixture *f, const char *head, const char *etag, const char *body)
{
	char fields[200];

	snprintf(fields, sizeof(fields), "ETag: %s\r\n", etag);
	says(f, head, fields, body);
}

/* The tags of a token do not depend on where the stand-in listens. */
static const char *tag_of(const char *token, const char *body)
{
	struct asked q;
	const char *tag;

	asked_get(&q, token, PATH);
	tag = tag_for(&q, body);
	asked_wipe(&q);
	return tag;
}

static void begin(struct fixture *f)
{
	char url[64];

	script_start(&f->server, f->steps, f->nsteps);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", f->server.port);
	memset(&upstream, 0, sizeof(upstream));
	assert_int_equal(upstream_parse(&upstream, url, NULL), 0);
	upstream.agent = "ghoard/test";
	asked_get(&f->a, TOKEN_A, PATH);
	asked_get(&f->b, TOKEN_B, PATH);
}

static void look_up(struct fixture *f, const struct asked *q)
{
	heard_start(&f->heard, f->cache, q, &plain);
	heard_wait(&f->heard, f->loop);
}

static void asked_times(struct fixture *f, size_t n)
{
	script_stop(&f->server);
	assert_int_equal(f->server.nrequests, n);
}

/* The condition of the i-th request; NULL: it had none. */
static void condition_is(struct fixture *f, size_t i, const char *want)
{
	char line[300];
	const char *p = strcasestr(f->server.requests[i], "\r\nIf-None-Match: ");

	if (want == NULL) {
		assert_null(p);
		return;
	}
	snprintf(line, sizeof(line), "\r\nIf-None-Match: %s\r\n", want);
	if (p == NULL || strncmp(p, line, strlen(line)) != 0)
		fail_msg("not %s but %.150s", line, p == NULL ? "none" : p);
}

static uint64_t count_of(struct fixture *f, enum metric m)
{
	return metrics_get(f->metrics, m);
}

static bool is_overtaken(struct fixture *f, const char *tag, const char *target)
{
	return epochs_latest(f->epochs, span_of(tag), span_of(target)) > 0;
}

/* ---- 200 ---- */

static void test_miss(void **state)
{
	struct fixture *f = *state;

	says_tag(f, "200 OK", tag_of(TOKEN_A, NEW), NEW);
	begin(f);
	look_up(f, &f->a);
	heard_is(&f->heard, 200, NEW, "ghoard; fwd=uri-miss; fwd-status=200; stored");
	asked_times(f, 1);
	condition_is(f, 0, tag_of(TOKEN_A, "[]"));	/* a list may be empty: then it costs nothing */
	assert_int_equal(f->disk.nkept, 1);
	assert_true(span_eq(f->disk.kept[0]->auth, f->a.id.tag));
	assert_true(entry_proof_ok(f->disk.kept[0], f->a.id.proof_key));
	assert_int_equal(f->disk.kept[0]->ttl, 300);
	assert_int_equal(count_of(f, M_ETAG_AGREE), 1);
	assert_int_equal(count_of(f, M_ETAG_DIFFER), 0);
	assert_int_equal(count_of(f, M_UPSTREAM_BILLABLE), 1);
	assert_int_equal(count_of(f, M_MISS), 1);
}

/* The body that every token may have guessed. */
static void test_empty_list(void **state)
{
	struct fixture *f = *state;

	says_tag(f, "304 Not Modified", tag_of(TOKEN_A, "[]"), "");
	begin(f);
	look_up(f, &f->a);
	heard_is(&f->heard, 200, "[]", "ghoard; fwd=uri-miss; fwd-status=304; stored; detail=candidate");
	asked_times(f, 1);
	assert_int_equal(f->disk.nkept, 1);
	assert_true(entry_proof_ok(f->disk.kept[0], f->a.id.proof_key));
	assert_int_equal(count_of(f, M_UPSTREAM_BILLABLE), 0);
}

static void test_not_stored(void **state)
{
	static const struct {
		const char *head, *fields;
		int status;
	} answers[] = { { "200 OK", "Cache-Control: no-store\r\n", 200 },
		{ "200 OK", "Set-Cookie: a=b\r\n", 200 }, { "302 Found", "Location: /x\r\n", 302 },
		{ "418 Teapot", "", 418 }, { "503 Down", "", 503 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(answers); i++)
		says(f, answers[i].head, answers[i].fields, NEW);
	begin(f);
	for (size_t i = 0; i < COUNT(answers); i++) {
		char want[100];

		look_up(f, &f->a);
		snprintf(want, sizeof(want), "ghoard; fwd=uri-miss; fwd-status=%d", answers[i].status);
		heard_is(&f->heard, answers[i].status, NEW, want);
	}
	assert_int_equal(f->disk.nkept, 0);
}

static void test_too_large(void **state)
{
	struct fixture *f = *state;
	char body[300];

	memset(body, '1', sizeof(body));
	body[250] = '\0';
	says(f, "200 OK", "", body);
	begin(f);
	look_up(f, &f->a);
	assert_int_equal(f->heard.err.cls, 0);	/* passed on as a stream, and not kept */
	assert_int_equal(f->heard.status, 200);
	assert_int_equal(strlen(f->heard.body), 250);
	assert_int_equal(f->disk.nkept, 0);
}

/* ---- 304 ---- */

static void test_revalidated(void **state)
{
	struct fixture *f = *state;
	const char *tag = tag_of(TOKEN_A, OLD);

	says_tag(f, "304 Not Modified", tag, "");
	begin(f);
	f->disk.own = entry_for(&f->a, 400, OLD, tag);
	look_up(f, &f->a);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=stale; fwd-status=304; detail=revalidated");
	assert_string_equal(f->heard.age, "0");
	asked_times(f, 1);
	condition_is(f, 0, tag);
	assert_int_equal(f->disk.nkept, 1);
	assert_true(f->disk.kept[0]->timestamp > clock_wall() - 5 * CLOCK_SEC);
	assert_int_equal(count_of(f, M_REVALIDATED), 1);
	assert_int_equal(count_of(f, M_UPSTREAM), 1);
	assert_int_equal(count_of(f, M_UPSTREAM_BILLABLE), 0);	/* free */
	assert_int_equal(count_of(f, M_CALLS_SAVED), 1);
}

static void test_refresh(void **state)
{
	static const struct cache_ask refresh = { .refresh = true, .max_age = -1 };
	struct fixture *f = *state;
	const char *tag = tag_of(TOKEN_A, OLD);

	says_tag(f, "304 Not Modified", tag, "");
	begin(f);
	f->disk.own = entry_for(&f->a, 1, OLD, tag);
	heard_start(&f->heard, f->cache, &f->a, &refresh);
	heard_wait(&f->heard, f->loop);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=request; fwd-status=304; detail=no-cache");
}

/* Another spelling of the same token: one identity, two Authorization values, two tags. */
static void test_both_spellings(void **state)
{
	static const char bearer[] = "Bearer ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct fixture *f = *state;
	const char *stored = tag_of(TOKEN_A, OLD), *derived = tag_of(bearer, OLD);
	struct asked q;
	char both[200];

	says_tag(f, "304 Not Modified", derived, "");
	begin(f);
	asked_get(&q, bearer, PATH);
	assert_string_equal(q.id.tag, f->a.id.tag);
	f->disk.own = entry_for(&f->a, 400, OLD, stored);
	look_up(f, &q);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=stale; fwd-status=304; detail=revalidated");
	asked_times(f, 1);
	snprintf(both, sizeof(both), "%s, %s", stored, derived);
	condition_is(f, 0, both);
	assert_true(span_eq(entry_header(f->disk.kept[0], "etag"), derived));
	asked_wipe(&q);
}

static void test_candidate(void **state)
{
	struct fixture *f = *state;
	const char *theirs = tag_of(TOKEN_B, OLD), *mine = tag_of(TOKEN_A, OLD);

	says_tag(f, "304 Not Modified", mine, "");
	begin(f);
	f->disk.candidate = entry_for(&f->b, 5000, OLD, theirs);
	look_up(f, &f->a);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=uri-miss; fwd-status=304; stored; detail=candidate");
	asked_times(f, 1);
	condition_is(f, 0, mine);
	assert_int_equal(f->disk.nkept, 1);
	assert_true(span_eq(f->disk.kept[0]->auth, f->a.id.tag));
	assert_true(entry_proof_ok(f->disk.kept[0], f->a.id.proof_key));
	assert_true(span_eq(entry_header(f->disk.kept[0], "etag"), mine));
	assert_int_equal(count_of(f, M_CANDIDATE), 1);
	assert_int_equal(count_of(f, M_UPSTREAM_BILLABLE), 0);
}

/* GitHub says the body is another one by now. */
static void test_candidate_refuted(void **state)
{
	struct fixture *f = *state;

	says_tag(f, "200 OK", tag_of(TOKEN_A, NEW), NEW);
	begin(f);
	f->disk.candidate = entry_for(&f->b, 5, OLD, tag_of(TOKEN_B, OLD));
	look_up(f, &f->a);
	heard_is(&f->heard, 200, NEW, "ghoard; fwd=uri-miss; fwd-status=200; stored");
	assert_int_equal(count_of(f, M_CANDIDATE), 0);
}

/* A candidate without a tag, or a full last page, is not offered. */
static void test_no_condition(void **state)
{
	struct fixture *f = *state;
	struct asked list;

	says(f, "200 OK", "", NEW);
	says(f, "200 OK", "", "[1,2]");
	says(f, "200 OK", "", NEW);
	begin(f);
	f->disk.candidate = entry_for(&f->b, 5, OLD, NULL);
	look_up(f, &f->a);
	fake_disk_wipe(&f->disk);
	asked_get(&list, TOKEN_A, PATH "/issues?per_page=2");
	f->disk.own = entry_for(&list, 5000, "[1,2]", "\"x\"");
	look_up(f, &list);
	heard_is(&f->heard, 200, "[1,2]", "ghoard; fwd=stale; fwd-status=200; stored");
	fake_disk_wipe(&f->disk);
	f->disk.own = entry_for(&f->a, 5000, OLD, "not a tag");
	look_up(f, &f->a);
	asked_times(f, 3);
	for (size_t i = 0; i < 3; i++)
		condition_is(f, i, NULL);
	asked_wipe(&list);
}

/* A 304 speaks only for the validator it echoes. */
static void test_foreign_304(void **state)
{
	static const char *const foreign[] = { "\"foreign\"", "" };
	struct fixture *f = *state;
	const char *mine = tag_of(TOKEN_A, OLD);

	for (size_t i = 0; i < COUNT(foreign); i++) {
		says_tag(f, "304 Not Modified", foreign[i], "");
		says_tag(f, "200 OK", tag_of(TOKEN_A, NEW), NEW);
	}
	begin(f);
	for (size_t i = 0; i < COUNT(foreign); i++) {
		fake_disk_wipe(&f->disk);
		f->disk.candidate = entry_for(&f->b, 5, OLD, "\"y\"");
		look_up(f, &f->a);
		heard_is(&f->heard, 200, NEW, "ghoard; fwd=uri-miss; fwd-status=200; stored");
	}
	asked_times(f, 4);
	condition_is(f, 0, mine);
	condition_is(f, 1, NULL);
	condition_is(f, 2, mine);
	condition_is(f, 3, NULL);
}

static void test_304_to_no_condition(void **state)
{
	struct fixture *f = *state;

	says_tag(f, "304 Not Modified", "\"x\"", "");
	says_tag(f, "304 Not Modified", "\"x\"", "");
	begin(f);
	look_up(f, &f->a);
	assert_int_equal(f->heard.err.cls, ERR_PROTO);
	assert_int_equal(f->heard.heads, 0);
	asked_times(f, 2);
}

static void test_breaker(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++)
		says_tag(f, "200 OK", i == 4 ? tag_of(TOKEN_A, NEW) : "\"made otherwise\"", NEW);
	begin(f);
	f->disk.candidate = entry_for(&f->b, 5, OLD, "\"y\"");
	for (int i = 0; i < 5; i++)
		look_up(f, &f->a);
	asked_times(f, 5);
	for (size_t i = 0; i < 5; i++)
		condition_is(f, i, i < 3 ? tag_of(TOKEN_A, OLD) : NULL);
	assert_int_equal(count_of(f, M_ETAG_DIFFER), 4);
	assert_int_equal(count_of(f, M_ETAG_AGREE), 1);
}

/* ---- refusals ---- */

static const struct {
	const char *head;
	bool own;			/* is one held? */
	const char *target;		/* asked again after it; NULL: nothing is noted */
	const char *other;		/* not asked again */
} refusals[] = {
	{ "401 Who", true, "/user/x", NULL },
	{ "401 Who", false, "/user/x", NULL },
	{ "404 Gone", true, PATH "/issues", "/repos/o/other" },
	{ "410 Gone", true, PATH, "/user" },
	{ "451 Law", true, PATH, "/user" },
	{ "403 No", true, PATH, "/user" },
	{ "404 Gone", false, NULL, PATH },
	{ "403 No", false, NULL, PATH },
	{ "422 Hm", true, NULL, PATH },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct fixture *f = *state;
		char want[100];

		says(f, refusals[i].head, "", "{\"message\":\"no\"}");
		begin(f);
		if (refusals[i].own)
			f->disk.own = entry_for(&f->a, 400, OLD, "\"x\"");
		look_up(f, &f->a);
		snprintf(want, sizeof(want), "ghoard; fwd=%s; fwd-status=%.3s",
		    refusals[i].own ? "stale" : "uri-miss", refusals[i].head);
		heard_is(&f->heard, atoi(refusals[i].head), "{\"message\":\"no\"}", want);
		if (refusals[i].target != NULL && !is_overtaken(f, f->a.id.tag, refusals[i].target))
			fail_msg("%s: %s is not asked again", refusals[i].head, refusals[i].target);
		if (refusals[i].other != NULL)
			assert_false(is_overtaken(f, f->a.id.tag, refusals[i].other));
		assert_false(is_overtaken(f, f->b.id.tag, PATH));	/* nobody else's */
		teardown(state);
		setup(state);
	}
}

static void test_server_fails(void **state)
{
	struct fixture *f = *state;

	says(f, "502 Bad", "", "oops");
	says(f, "502 Bad", "", "oops");
	says(f, "500 Bad", "", "oops");
	begin(f);
	f->disk.own = entry_for(&f->a, 400, OLD, "\"x\"");
	look_up(f, &f->a);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=stale; fwd-status=502; detail=stale-if-error");
	assert_string_equal(f->heard.age, "400");
	assert_int_equal(count_of(f, M_HIT_STALE), 1);
	fake_disk_wipe(&f->disk);
	f->disk.own = entry_for(&f->a, 2 * HOUR, OLD, "\"x\"");	/* too old */
	look_up(f, &f->a);
	heard_is(&f->heard, 502, "oops", "ghoard; fwd=stale; fwd-status=502");
	fake_disk_wipe(&f->disk);
	look_up(f, &f->a);
	heard_is(&f->heard, 500, "oops", "ghoard; fwd=uri-miss; fwd-status=500");
}

static void test_no_network(void **state)
{
	struct fixture *f = *state;

	begin(f);
	script_stop(&f->server);
	look_up(f, &f->a);
	assert_int_equal(f->heard.err.cls, ERR_UNAVAIL);
	assert_non_null(strstr(f->heard.err.msg, "Connection refused"));
	f->disk.own = entry_for(&f->a, 400, OLD, "\"x\"");
	look_up(f, &f->a);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=stale; detail=stale-if-error");
	assert_int_equal(count_of(f, M_UPSTREAM), 0);
}

/* ---- limits ---- */

#define LIMIT "403 Limit", "Retry-After: 30\r\n", "{\"message\":\"secondary rate limit\"}"

static void test_limit_with_own(void **state)
{
	struct fixture *f = *state;

	says(f, LIMIT);
	begin(f);
	f->disk.own = entry_for(&f->a, 400, OLD, "\"x\"");
	look_up(f, &f->a);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=stale; fwd-status=403; detail=stale-if-error");
	look_up(f, &f->a);		/* now it is known, and nothing is sent */
	heard_is(&f->heard, 200, OLD, "ghoard; hit; ttl=-101; detail=rate-limited");
	asked_times(f, 1);
	assert_false(is_overtaken(f, f->a.id.tag, PATH));
}

static void test_limit_without_own(void **state)
{
	struct fixture *f = *state;

	says(f, LIMIT);
	begin(f);
	look_up(f, &f->a);		/* longer than anybody waits */
	heard_is(&f->heard, 403, "{\"message\":\"secondary rate limit\"}",
	    "ghoard; fwd=uri-miss; fwd-status=403");
	assert_int_equal(count_of(f, M_RATE_WAITS), 0);
}

static void test_short_wait(void **state)
{
	struct fixture *f = *state;
	int64_t began = clock_mono();

	says(f, "429 Wait", "Retry-After: 1\r\n", "{}");
	says(f, "200 OK", "", NEW);
	says(f, "429 Wait", "Retry-After: 0\r\n", "{}");
	says(f, "429 Wait", "Retry-After: 0\r\n", "{}");
	begin(f);
	look_up(f, &f->a);
	heard_is(&f->heard, 200, NEW, "ghoard; fwd=uri-miss; fwd-status=200; stored");
	assert_in_range(clock_mono() - began, 990, 4000);
	look_up(f, &f->a);		/* once, not twice */
	heard_is(&f->heard, 429, "{}", "ghoard; fwd=uri-miss; fwd-status=429");
	asked_times(f, 4);
	assert_int_equal(count_of(f, M_RATE_WAITS), 2);
}

/* ---- overtaken ---- */

static void wait_ms(struct fixture *f, int64_t ms);

static void test_overtaken(void **state)
{
	struct fixture *f = *state;
	const char *tag = tag_of(TOKEN_A, OLD);

	says(f, "200 OK", "", NEW);
	says_tag(f, "304 Not Modified", tag, "");
	f->steps[0].pause_ms = f->steps[1].pause_ms = 80;
	begin(f);
	heard_start(&f->heard, f->cache, &f->a, &plain);
	wait_ms(f, 30);			/* the request has left */
	cache_note_write(f->cache, span_of(PATH));
	heard_wait(&f->heard, f->loop);
	heard_is(&f->heard, 200, NEW, "ghoard; fwd=uri-miss; fwd-status=200");
	assert_int_equal(f->disk.nkept, 0);
	f->disk.own = entry_for(&f->a, 400, OLD, tag);
	heard_start(&f->heard, f->cache, &f->a, &plain);
	wait_ms(f, 30);
	cache_note_write(f->cache, span_of(PATH));
	heard_wait(&f->heard, f->loop);
	heard_is(&f->heard, 200, OLD, "ghoard; fwd=stale; fwd-status=304; detail=revalidated");
	assert_int_equal(f->disk.nkept, 0);
}

static void stop_soon(struct timer *t)
{
	*(bool *)(void *)(t + 1) = true;
}

static void wait_ms(struct fixture *f, int64_t ms)
{
	struct {
		struct timer timer;
		bool over;
	} t = { { .fire = stop_soon }, false };

	timer_set(f->loop, &t.timer, clock_mono() + ms);
	assert_int_equal(loop_run(f->loop, &t.over, NULL), 0);
}

/* ---- passed through ---- */

static const struct {
	const char *method, *target, *body, *head;
	const char *noted;		/* a target that is asked again then, by everybody; NULL: none */
	bool of_token;			/* all of the token's */
} writes[] = {
	{ "POST", PATH "/issues", "{}", "201 Made", PATH "/issues?page=2", false },
	{ "DELETE", PATH, NULL, "204 Done", "/users/o/repos", false },
	{ "PATCH", PATH "/issues/5", "{}", "500 Oops", PATH "/issues/5", false },	/* who knows */
	{ "PUT", PATH "/issues/5", "{}", "422 No", NULL, false },
	{ "POST", "/graphql", "{\"query\":\"mutation{a}\"}", "200 OK", NULL, true },
	{ "POST", "/graphql", "{\"query\":\"\\u006dutation{a}\"}", "200 OK", NULL, true },
	{ "POST", "/graphql", "[{\"query\":\"{a}\"}]", "200 OK", NULL, true },
};

static void test_writes(void **state)
{
	for (size_t i = 0; i < COUNT(writes); i++) {
		struct fixture *f = *state;
		struct asked q;

		says(f, writes[i].head, "", strncmp(writes[i].head, "204", 3) == 0 ? "" : "{}");
		begin(f);
		asked_with(&q, TOKEN_A, writes[i].method, writes[i].target, writes[i].body);
		look_up(f, &q);
		assert_string_equal(f->heard.cache_status, "ghoard; fwd=method");
		assert_int_equal(f->heard.status, atoi(writes[i].head));
		assert_int_equal(f->disk.nkept + f->disk.asked, 0);
		if (writes[i].noted != NULL)
			assert_true(is_overtaken(f, f->b.id.tag, writes[i].noted));
		if (is_overtaken(f, f->a.id.tag, "/anything/else") != writes[i].of_token)
			fail_msg("write %zu", i);
		assert_false(is_overtaken(f, f->b.id.tag, "/anything/else"));
		if (writes[i].noted == NULL)
			assert_false(is_overtaken(f, f->b.id.tag, writes[i].target));
		asked_wipe(&q);
		teardown(state);
		setup(state);
	}
}

/* The connection dies: it may have happened. */
static void test_write_cut_off(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	f->steps[f->nsteps++] = (struct step){ .first = true, .close = true };
	begin(f);
	asked_with(&q, TOKEN_A, "POST", PATH "/issues", "{}");
	look_up(f, &q);
	assert_int_equal(f->heard.err.cls, ERR_UNAVAIL);
	assert_true(is_overtaken(f, f->b.id.tag, PATH "/issues"));
	asked_wipe(&q);
}

/* Nobody waits for the answer any more: it may have happened all the same. */
static void test_write_cancelled(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	says(f, "201 Made", "", "{}");
	f->steps[0].pause_ms = 100;
	begin(f);
	asked_with(&q, TOKEN_A, "POST", PATH "/issues", "{}");
	heard_start(&f->heard, f->cache, &q, &plain);
	wait_ms(f, 40);
	cache_cancel(f->heard.lookup);
	assert_true(is_overtaken(f, f->b.id.tag, PATH "/issues"));
	asked_wipe(&q);
}

static void test_streamed(void **state)
{
	struct fixture *f = *state;
	struct asked head, get;

	says(f, "200 OK", "ETag: \"x\"\r\n", "");
	says(f, "200 OK", "ETag: \"x\"\r\n", NEW);
	begin(f);
	asked_with(&head, TOKEN_A, "HEAD", PATH, NULL);
	asked_get(&get, TOKEN_A, "/rate_limit");
	look_up(f, &head);
	heard_is(&f->heard, 200, "", "ghoard; fwd=uri-miss; fwd-status=200");
	look_up(f, &get);
	heard_is(&f->heard, 200, NEW, "ghoard; fwd=bypass");
	assert_int_equal(f->disk.nkept, 0);
	asked_wipe(&head);
	asked_wipe(&get);
}

/* ---- cancelled ---- */

static void test_cancel(void **state)
{
	struct fixture *f = *state;

	says(f, "429 Wait", "Retry-After: 1\r\n", "{}");
	says(f, "200 OK", "", NEW);
	f->steps[1].pause_ms = 100;
	begin(f);
	heard_start(&f->heard, f->cache, &f->a, &plain);
	wait_ms(f, 100);		/* it waits for the limit */
	assert_int_equal(count_of(f, M_RATE_WAITS), 1);
	cache_cancel(f->heard.lookup);
	heard_start(&f->heard, f->cache, &f->a, &plain);
	wait_ms(f, 40);			/* it waits for the answer */
	cache_cancel(f->heard.lookup);
	wait_ms(f, 120);
	assert_int_equal(f->heard.heads + f->heard.ends, 0);
	assert_int_equal(f->disk.nkept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(miss),
		T(empty_list),
		T(not_stored),
		T(too_large),
		T(revalidated),
		T(refresh),
		T(both_spellings),
		T(candidate),
		T(candidate_refuted),
		T(no_condition),
		T(foreign_304),
		T(304_to_no_condition),
		T(breaker),
		T(refusals),
		T(server_fails),
		T(no_network),
		T(limit_with_own),
		T(limit_without_own),
		T(short_wait),
		T(overtaken),
		T(writes),
		T(write_cut_off),
		T(write_cancelled),
		T(streamed),
		T(cancel),
	};

	return cmocka_run_group_tests_name("cache/layer_api", tests, NULL, NULL);
}
