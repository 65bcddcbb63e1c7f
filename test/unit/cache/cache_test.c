#include "fake.h"
#include "cache/mem.h"
#include "store/epochs.h"

#define PATH "/repos/o/r"	/* get_repo_info: 300 s */
#define HOUR 3600

static const struct cache_ask plain = { .max_age = -1 };

/* The last layer: answers 200 with "new" at once or a pass later, or fails. */
struct fake_api {
	struct cache_layer layer;
	struct fixture *f;
	struct job job;
	struct lookup *pending;
	bool later, fails;
	unsigned asked, cancelled;
	bool stand_in;			/* what lookup_may_stand_in said */
};

struct fixture {
	struct loop *loop;
	struct cache *cache;
	struct mem *mem;
	struct cache_layer *layers[3];
	struct fake_disk disk;
	struct fake_api api;
	struct epochs *epochs;
	struct metrics *metrics;
	struct asked a, b;		/* the same question of two tokens */
	struct heard heard;
};

static void api_answer(struct fake_api *api)
{
	struct lookup *lk = api->pending;
	struct answer a;
	struct entry *e;

	api->pending = NULL;
	lk->layer_state = NULL;
	if (api->fails) {
		err_set(&lk->err, ERR_UNAVAIL, "no network");
		lookup_done(lk);
		return;
	}
	answer_init(&a, 1000);
	assert_int_equal(answer_take_head(&a, head_of(200, "Content-Type: application/json\r\n")), 0);
	buf_adds(&a.body, "\"new\"");
	lk->outcome.fwd = lk->own != NULL ? FWD_STALE : FWD_URI_MISS;
	lk->outcome.fwd_status = 200;
	if (lk->req->bypass == NULL) {
		e = entry_for(&api->f->a, 0, "\"new\"", "\"n\"");
		lk->outcome.stored = lookup_store(lk, e);
		entry_unref(e);
	} else {
		lk->outcome.fwd = FWD_BYPASS;
	}
	lk->answer = &a;
	lookup_done(lk);
	answer_free(&a);
}

static void api_job(struct job *j)
{
	api_answer((struct fake_api *)(void *)((char *)j - offsetof(struct fake_api, job)));
}

static enum layer_result api_lookup(struct cache_layer *l, struct lookup *lk)
{
	struct fake_api *api = (struct fake_api *)(void *)l;

	api->asked++;
	api->pending = lk;
	api->stand_in = lookup_may_stand_in(lk);
	lk->layer_state = api;
	if (api->later)
		job_queue(api->f->loop, &api->job);
	else
		api_answer(api);
	return LAYER_PENDING;
}

static void api_cancelled(struct cache_layer *l, struct lookup *lk)
{
	struct fake_api *api = (struct fake_api *)(void *)l;

	assert_ptr_equal(api->pending, lk);
	api->cancelled++;
	job_cancel(api->f->loop, &api->job);
	api->pending = NULL;
}

static void open_cache(struct fixture *f, int64_t permission_s, int64_t stale_if_error_s)
{
	struct cache_params p = { .loop = f->loop, .layers = f->layers, .nlayers = 3, .epochs = f->epochs,
		.metrics = f->metrics, .permission_s = permission_s, .stale_if_error_s = stale_if_error_s };

	cache_free(f->cache);
	assert_int_equal(cache_new(&p, &f->cache, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	f->mem = mem_new(10, 1 << 20);
	f->epochs = epochs_new(NULL);
	f->metrics = metrics_open(NULL);
	fake_disk_init(&f->disk);
	f->api = (struct fake_api){ .layer = { "api", api_lookup, NULL, api_cancelled }, .f = f,
		.job = { .run = api_job } };
	f->layers[0] = layer_mem_new(f->mem);
	f->layers[1] = &f->disk.layer;
	f->layers[2] = &f->api.layer;
	asked_get(&f->a, TOKEN_A, PATH);
	asked_get(&f->b, TOKEN_B, PATH);
	open_cache(f, HOUR, HOUR);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cache_free(f->cache);
	layer_free(f->layers[0]);
	mem_free(f->mem);
	fake_disk_wipe(&f->disk);
	epochs_free(f->epochs);
	metrics_free(f->metrics);
	loop_free(f->loop);
	asked_wipe(&f->a);
	asked_wipe(&f->b);
	free(f);
	return 0;
}

static void look_up(struct fixture *f, const struct asked *q, const struct cache_ask *ask)
{
	heard_start(&f->heard, f->cache, q, ask);
	heard_wait(&f->heard, f->loop);
}

static void remember(struct fixture *f, const struct asked *q, int64_t age, const char *body)
{
	struct entry *e = entry_for(q, age, body, "\"x\"");

	mem_put(f->mem, e);
	entry_unref(e);
}

static uint64_t count_of(struct fixture *f, enum metric m)
{
	return metrics_get(f->metrics, m);
}

/* ---- the walk ---- */

static void test_miss_fills(void **state)
{
	struct fixture *f = *state;

	look_up(f, &f->a, &plain);
	heard_is(&f->heard, 200, "\"new\"", "ghoard; fwd=uri-miss; fwd-status=200; stored");
	assert_int_equal(f->disk.nkept, 1);
	assert_int_equal(mem_count(f->mem), 1);
	look_up(f, &f->a, &plain);
	assert_int_equal(strncmp(f->heard.cache_status, "ghoard; hit; ttl=", 17), 0);
	assert_non_null(strstr(f->heard.cache_status, "; detail=memory"));
	assert_string_equal(f->heard.body, "\"new\"");
	assert_int_equal(f->api.asked, 1);
	assert_int_equal(f->disk.asked, 1);
	assert_int_equal(f->disk.nkept, 1);	/* a hit in memory is written nowhere */
}

static void test_disk_fills_memory(void **state)
{
	struct fixture *f = *state;

	f->disk.own = entry_for(&f->a, 10, "\"disk\"", NULL);
	look_up(f, &f->a, &plain);
	heard_is(&f->heard, 200, "\"disk\"", "ghoard; hit; ttl=289; detail=disk");
	assert_string_equal(f->heard.age, "10");
	assert_int_equal(f->disk.nkept, 0);
	look_up(f, &f->a, &plain);
	heard_is(&f->heard, 200, "\"disk\"", "ghoard; hit; ttl=289; detail=memory");
	assert_int_equal(f->api.asked, 0);
}

/* Another process may have renewed on disk what memory still has. */
static void test_newer_on_disk(void **state)
{
	struct fixture *f = *state;

	remember(f, &f->a, 400, "\"old\"");
	f->disk.own = entry_for(&f->a, 10, "\"disk\"", NULL);
	look_up(f, &f->a, &plain);
	heard_is(&f->heard, 200, "\"disk\"", "ghoard; hit; ttl=289; detail=disk");
	look_up(f, &f->a, &plain);
	heard_is(&f->heard, 200, "\"disk\"", "ghoard; hit; ttl=289; detail=memory");
}

/* Nothing is served across tokens, whatever is held of others. */
static void test_tokens_are_apart(void **state)
{
	struct fixture *f = *state;

	remember(f, &f->b, 1, "\"theirs\"");
	f->disk.candidate = entry_for(&f->b, 1, "\"theirs\"", "\"x\"");
	look_up(f, &f->a, &plain);
	assert_string_equal(f->heard.body, "\"new\"");
	assert_int_equal(f->api.asked, 1);
}

static void test_bypass(void **state)
{
	struct fixture *f = *state;
	struct asked post;

	asked_with(&post, TOKEN_A, "POST", PATH "/issues", "{}");
	look_up(f, &post, &plain);
	heard_is(&f->heard, 200, "\"new\"", "ghoard; fwd=bypass");
	assert_int_equal(f->disk.asked, 0);
	assert_int_equal(f->disk.nkept + mem_count(f->mem), 0);
	assert_int_equal(count_of(f, M_BYPASS), 1);
	asked_wipe(&post);
}

static void test_head(void **state)
{
	struct fixture *f = *state;
	struct asked head;

	asked_with(&head, TOKEN_A, "HEAD", PATH, NULL);
	remember(f, &f->a, 10, "\"mem\"");
	look_up(f, &head, &plain);
	heard_is(&f->heard, 200, "", "ghoard; hit; ttl=289; detail=memory");
	asked_wipe(&head);
}

/* ---- freshness ---- */

static const struct {
	int64_t age;			/* of an entry with a TTL of 300 */
	int64_t permission_s, max_age;
	bool refresh, fresh;
	int64_t ttl;
} ages[] = {
	{ 0, HOUR, -1, false, true, 299 },
	{ 298, HOUR, -1, false, true, 1 },
	{ 300, HOUR, -1, false, false, 0 },
	{ 301, HOUR, -1, false, false, 0 },
	{ -50, HOUR, -1, false, true, 349 },		/* clocks differ a little */
	{ -70, HOUR, -1, false, false, 0 },		/* the future is not believed */
	{ 59, 60, -1, false, true, 0 },
	{ 60, 60, -1, false, false, 0 },		/* permission, whatever the TTL */
	{ 60, 60, 1000, false, false, 0 },
	{ 1, 0, -1, false, false, 0 },
	{ 10, HOUR, 20, false, true, 9 },
	{ 20, HOUR, 20, false, false, 0 },
	{ 500, HOUR, 1000, false, true, 499 },		/* the client takes older ones */
	{ 0, HOUR, 0, false, false, 0 },
	{ 0, HOUR, -1, true, false, 0 },
};

static void test_freshness(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(ages); i++) {
		struct cache_ask ask = { .refresh = ages[i].refresh, .max_age = ages[i].max_age };
		char want[100];

		mem_clear(f->mem);
		fake_disk_wipe(&f->disk);
		open_cache(f, ages[i].permission_s, HOUR);
		remember(f, &f->a, ages[i].age, "\"mem\"");
		look_up(f, &f->a, &ask);
		snprintf(want, sizeof(want), "ghoard; hit; ttl=%d; detail=memory", (int)ages[i].ttl);
		if (ages[i].fresh)
			heard_is(&f->heard, 200, "\"mem\"", want);
		else
			heard_is(&f->heard, 200, "\"new\"", "ghoard; fwd=stale; fwd-status=200; stored");
	}
}

/* The shorter of what it was stored for and what is asked for now. */
static void test_shorter_ttl(void **state)
{
	struct fixture *f = *state;

	remember(f, &f->a, 100, "\"mem\"");
	f->a.req.ttl = 50;
	look_up(f, &f->a, &plain);
	assert_string_equal(f->heard.body, "\"new\"");
	mem_clear(f->mem);
	remember(f, &f->a, 100, "\"mem\"");	/* stored for 50 */
	f->a.req.ttl = 1000;
	look_up(f, &f->a, &plain);
	assert_string_equal(f->heard.body, "\"new\"");
}

/* May an entry of this age stand in for GitHub? TTL 300 and stale-if-error. */
static void test_stand_in(void **state)
{
	static const struct {
		int64_t age, permission_s, stale_s;
		bool may;
	} cases[] = { { 310, HOUR, 60, true }, { 355, HOUR, 60, true }, { 365, HOUR, 60, false },
		{ 301, HOUR, 0, false }, { 70, 60, 60, true }, { 125, 60, 60, false },
		{ -70, HOUR, 60, false } };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		mem_clear(f->mem);
		open_cache(f, cases[i].permission_s, cases[i].stale_s);
		remember(f, &f->a, cases[i].age, "\"mem\"");
		look_up(f, &f->a, &plain);
		if (f->api.stand_in != cases[i].may)
			fail_msg("case %zu", i);
	}
	mem_clear(f->mem);
	look_up(f, &f->a, &plain);
	assert_false(f->api.stand_in);		/* nothing is held */
}

/* ---- epochs ---- */

static void row(struct fixture *f, const char *auth, const char *prefix, int64_t age)
{
	struct span p = span_of(prefix);

	assert_int_equal(epochs_add(f->epochs, span_of(auth), &p, 1, clock_wall() - age * CLOCK_SEC, NULL),
	    0);
}

static void test_epochs(void **state)
{
	static const struct {
		const char *auth, *prefix;	/* auth NULL: the asker's tag */
		int64_t age;			/* of the row; the entry's is 100 s */
		bool fresh;
	} rows[] = { { NULL, "/", 50, false }, { NULL, PATH, 50, false }, { "*", PATH, 50, false },
		{ "*", "/repos/o", 50, false }, { "*", "/repos/*/r", 50, false }, { NULL, "/", 150, true },
		{ "*", "/repos/o/r2", 50, true }, { "*", PATH "/issues", 50, true },
		{ "00112233445566778899aabbccddeeff", "/", 50, true }, { "public", "/", 50, true } };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		epochs_free(f->epochs);
		f->epochs = epochs_new(NULL);
		open_cache(f, HOUR, HOUR);
		mem_clear(f->mem);
		remember(f, &f->a, 100, "\"mem\"");
		row(f, rows[i].auth != NULL ? rows[i].auth : f->a.id.tag, rows[i].prefix, rows[i].age);
		look_up(f, &f->a, &plain);
		if ((strcmp(f->heard.body, "\"mem\"") == 0) != rows[i].fresh)
			fail_msg("row %zu: %s", i, f->heard.cache_status);
		if (!rows[i].fresh)
			assert_false(f->api.stand_in);	/* nor does it stand in */
	}
}

static const struct {
	const char *written, *target;
	bool stale;
} writes[] = {
	{ "/repos/o/r/issues", "/repos/o/r/issues?page=2", true },
	{ "/repos/o/r/issues/5", "/repos/o/r/issues/5", true },
	{ "/repos/o/r/issues/5", "/repos/o/r/issues", true },
	{ "/repos/o/r/issues/5/labels?x=y", "/repos/o/r/issues/5", true },
	{ "/repos/o/r/issues/5", "/repositories/7/issues?page=2", true },
	{ "/repos/o/r/issues/5", "/repositories/8/issues", true },
	{ "/repositories/7/issues/5", "/repos/any/any/issues", true },
	{ "/repositories/7/issues/5", "/repositories/7/issues", true },
	{ "/repos/o/r/issues/5", "/repos/o/r/pulls", false },
	{ "/repos/o/r/issues/5", "/repos/o/r", false },
	{ "/repos/o/r/issues/5", "/repos/o/r2/issues", false },
	{ "/repos/o/r/issues/5", "/repositories/7/pulls", false },
	{ "/repos/o/r", "/repos/o/r", true },
	{ "/repos/o/r", "/repos/o/r/issues/5", true },
	{ "/repos/o/r", "/users/o/repos?per_page=3", true },
	{ "/repos/o/r", "/orgs/o/repos", true },
	{ "/repos/o/r", "/user/repos", true },
	{ "/repos/o/r", "/users/p/repos", false },
	{ "/repos/o/r", "/repositories/7", true },
	{ "/gists/5", "/gists/5", true },
	{ "/gists/5", "/gists?since=x", true },
	{ "/gists/5", "/users/o", false },
	{ "/orgs/o/teams", "/orgs/o", true },
	{ "/user", "/user", true },
	{ "/user", "/users/o", false },
	{ "/user/starred/o/r", "/user/starred/o", true },
};

static void test_writes(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(writes); i++) {
		epochs_free(f->epochs);
		f->epochs = epochs_new(NULL);
		open_cache(f, HOUR, HOUR);
		int64_t before = clock_wall();
		cache_note_write(f->cache, span_of(writes[i].written));
		int64_t row_time = epochs_latest(f->epochs, span_of(TOKEN_B), span_of(writes[i].target));
		if ((row_time != 0) != writes[i].stale)
			fail_msg("a write to %s, and %s", writes[i].written, writes[i].target);
		assert_true(row_time == 0 || row_time >= before);
	}
}

/* ---- offline ---- */

static void test_offline(void **state)
{
	static const struct cache_ask ask = { .offline = true, .max_age = -1 };
	struct fixture *f = *state;

	look_up(f, &f->a, &ask);
	assert_int_equal(f->heard.err.cls, ERR_UNAVAIL);
	assert_string_equal(f->heard.err.msg, "/repos/o/r is not stored, and with --offline nobody is asked");
	assert_int_equal(f->heard.heads, 0);
	/* another token's, fresh or not, is marked as what it is */
	f->disk.candidate = entry_for(&f->b, 10, "\"theirs\"", NULL);
	look_up(f, &f->a, &ask);
	heard_is(&f->heard, 200, "\"theirs\"", "ghoard; hit; ttl=289; detail=offline");
	/* the own one is preferred, and fresh it is an ordinary hit */
	f->disk.own = entry_for(&f->a, 400, "\"mine\"", NULL);
	look_up(f, &f->a, &ask);
	heard_is(&f->heard, 200, "\"mine\"", "ghoard; hit; ttl=-101; detail=offline");
	remember(f, &f->a, 20, "\"mem\"");
	look_up(f, &f->a, &ask);
	heard_is(&f->heard, 200, "\"mem\"", "ghoard; hit; ttl=279; detail=memory");
	assert_int_equal(f->api.asked, 0);
	assert_int_equal(f->disk.nkept, 0);	/* nothing is written */
	assert_int_equal(mem_count(f->mem), 1);
	assert_int_equal(count_of(f, M_HIT_STALE), 1);
}

/* What is passed through cannot be answered without GitHub. */
static void test_offline_bypass(void **state)
{
	static const struct cache_ask ask = { .offline = true, .max_age = -1 };
	struct fixture *f = *state;
	struct asked post;

	asked_with(&post, TOKEN_A, "POST", PATH "/issues", "{}");
	look_up(f, &post, &ask);
	assert_int_equal(f->heard.err.cls, ERR_UNAVAIL);
	assert_int_equal(f->api.asked, 0);
	asked_wipe(&post);
}

/* ---- failures, cancelling ---- */

static void test_layer_fails(void **state)
{
	struct fixture *f = *state;

	f->api.fails = true;
	for (int later = 0; later < 2; later++) {
		f->api.later = later;
		look_up(f, &f->a, &plain);
		assert_int_equal(f->heard.err.cls, ERR_UNAVAIL);
		assert_string_equal(f->heard.err.msg, "no network");
		assert_int_equal(f->heard.heads, 0);
	}
	assert_int_equal(count_of(f, M_MISS), 0);
}

static void test_body_not_taken(void **state)
{
	struct fixture *f = *state;

	remember(f, &f->a, 1, "\"mem\"");
	heard_start(&f->heard, f->cache, &f->a, &plain);
	f->heard.body_says = ERR_IO;
	heard_wait(&f->heard, f->loop);
	assert_int_equal(f->heard.err.cls, ERR_IO);
	assert_string_equal(f->heard.err.msg, "not taken");
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	bool done = false;

	heard_start(&f->heard, f->cache, &f->a, &plain);
	cache_cancel(f->heard.lookup);		/* before anything */
	assert_int_equal(loop_run(f->loop, &done, NULL), 0);
	assert_int_equal(f->heard.heads + f->heard.ends + f->api.asked, 0);
	f->api.later = true;
	heard_start(&f->heard, f->cache, &f->a, &plain);
	struct heard other;
	remember(f, &f->b, 1, "\"b\"");
	heard_start(&other, f->cache, &f->b, &plain);
	heard_wait(&other, f->loop);		/* by now the first one waits for GitHub */
	assert_int_equal(f->api.asked, 1);
	if (f->heard.ends == 0) {
		cache_cancel(f->heard.lookup);
		assert_int_equal(f->api.cancelled, 1);
	}
	assert_int_equal(loop_run(f->loop, &done, NULL), 0);
	assert_int_equal(f->heard.ends, 0);
	cache_cancel(NULL);
}

/* Freeing the cache cancels what runs, in every state. */
static void test_cache_freed(void **state)
{
	struct fixture *f = *state;
	struct heard other;
	bool done = false;

	f->api.later = true;
	heard_start(&f->heard, f->cache, &f->a, &plain);
	remember(f, &f->b, 1, "\"b\"");
	heard_start(&other, f->cache, &f->b, &plain);
	heard_wait(&other, f->loop);
	heard_start(&other, f->cache, &f->b, &plain);
	cache_free(f->cache);
	f->cache = NULL;
	assert_int_equal(f->api.cancelled, 1);
	assert_int_equal(loop_run(f->loop, &done, NULL), 0);
	assert_int_equal(other.ends + f->heard.ends, 0);
}

static void test_metrics(void **state)
{
	static const struct cache_ask offline = { .offline = true, .max_age = -1 };
	struct fixture *f = *state;
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;
	size_t at = 0;

	look_up(f, &f->a, &plain);			/* a miss */
	look_up(f, &f->a, &plain);			/* from memory */
	mem_clear(f->mem);
	f->disk.own = entry_for(&f->a, 1, "\"disk\"", NULL);
	look_up(f, &f->a, &plain);			/* from disk */
	f->disk.candidate = entry_for(&f->b, 900, "\"theirs\"", NULL);
	entry_unref(f->disk.own);
	f->disk.own = NULL;
	mem_clear(f->mem);
	look_up(f, &f->a, &offline);			/* stale */
	assert_int_equal(count_of(f, M_REQUESTS), 4);
	assert_int_equal(count_of(f, M_MISS), 1);
	assert_int_equal(count_of(f, M_HIT_MEM), 1);
	assert_int_equal(count_of(f, M_HIT_DISK), 1);
	assert_int_equal(count_of(f, M_HIT_STALE), 1);
	assert_int_equal(count_of(f, M_CALLS_SAVED), 3);
	assert_int_equal(count_of(f, M_BYTES_SAVED), 5 + 6 + 8);
	assert_int_equal(count_of(f, M_BYPASS) + count_of(f, M_REVALIDATED) + count_of(f, M_CANDIDATE), 0);
	assert_true(metrics_next(f->metrics, &at, name, &n));
	assert_string_equal(name, "route.get_repo_info");
	assert_int_equal(n, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(miss_fills),
		T(disk_fills_memory),
		T(newer_on_disk),
		T(tokens_are_apart),
		T(bypass),
		T(head),
		T(freshness),
		T(shorter_ttl),
		T(stand_in),
		T(epochs),
		T(writes),
		T(offline),
		T(offline_bypass),
		T(layer_fails),
		T(body_not_taken),
		T(cancel),
		T(cache_freed),
		T(metrics),
	};

	return cmocka_run_group_tests_name("cache/cache", tests, NULL, NULL);
}
