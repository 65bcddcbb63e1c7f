#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/json.h"
#include "cache/status.h"
#include "proxy/recent.h"

static const char *written(const struct recent *r, int64_t now, struct buf *b)
{
	struct json *o = json_object();

	buf_init(b, (size_t)1 << 20);
	recent_write(r, o, now);
	assert_int_equal(json_print(o, false, b), 0);
	json_free(o);
	return buf_cstr(b);
}

static void has(const struct recent *r, int64_t now, const char *want, bool is)
{
	struct buf b;
	const char *text = written(r, now, &b);

	if ((strstr(text, want) != NULL) != is)
		fail_msg("'%s' %s in %s", want, is ? "is not" : "is", text);
	buf_free(&b);
}

static size_t count_of(const struct recent *r, const char *what)
{
	struct buf b;
	size_t n = 0;

	for (const char *p = written(r, 0, &b); (p = strstr(p, what)) != NULL; p++)
		n++;
	buf_free(&b);
	return n;
}

static struct recent_request asked(const char *target, const char *op)
{
	return (struct recent_request){ .begun = 1000, .method = span_of("GET"), .target = span_of(target),
		.op = op, .status = 200, .tag = "0123456789abcdef" };
}

static void empty(void **state)
{
	struct recent *r = recent_new();
	struct buf b;

	(void)state;
	assert_string_equal(written(r, 5, &b), "{\"recent\":[],\"routes\":[],\"history\":[]}");
	buf_free(&b);
	recent_add(NULL, NULL, 1);
	recent_free(r);
	recent_free(NULL);
}

static void a_request_is_shown_without_query_and_token(void **state)
{
	struct recent *r = recent_new();
	struct cache_outcome o = { .ttl = 287, .detail = "memory" };
	struct recent_request q = asked("/repos/a/b?access_token=hush", "get_repo_info");

	(void)state;
	q.outcome = &o;
	recent_add(r, &q, 1042);
	has(r, 1042, "\"method\":\"GET\",\"path\":\"/repos/a/b\",\"operation\":\"get_repo_info\","
	    "\"status\":200,\"cache\":\"hit; ttl=287; detail=memory\",\"ms\":42,"
	    "\"token\":\"01234567\"}", true);
	has(r, 1042, "hush", false);
	q.note = "client left";
	q.tag = "public";
	recent_add(r, &q, 1042);
	has(r, 1042, "\"hit; ttl=287; detail=memory; client left\"", true);
	has(r, 1042, "\"token\":\"public\"", true);
	q.outcome = NULL;
	q.tag = NULL;
	q.begun = 2000;			/* a clock that stands still is no negative time */
	recent_add(r, &q, 1042);
	has(r, 1042, "\"cache\":\"client left\",\"ms\":0,\"token\":\"\"", true);
	recent_free(r);
}

static void long_and_odd_ones_are_cut(void **state)
{
	struct recent *r = recent_new();
	char path[400], want[RECENT_PATH_MAX + 8];
	struct recent_request q = asked("/x", "other");

	(void)state;
	memset(path, 'p', sizeof(path));
	q.target = span_make(path, sizeof(path));
	q.method = span_of("PROPPATCHES");
	recent_add(r, &q, 1000);
	memset(want, 'p', sizeof(want));
	memcpy(want + RECENT_PATH_MAX - 4, "...\"", 5);
	has(r, 1000, want, true);
	has(r, 1000, "\"method\":\"PROP...\"", true);
	q.host = span_make(path, sizeof(path));
	recent_add(r, &q, 1000);
	q.host = span_of("github.com:443");
	q.target = span_of("/a\xff\"?b");
	recent_add(r, &q, 1000);
	has(r, 1000, "\"github.com:443/a\xef\xbf\xbd\\\"\"", true);
	q.target = (struct span){ NULL, 0 };
	q.method = (struct span){ NULL, 0 };
	recent_add(r, &q, 1000);
	recent_free(r);
}

static void the_ring_keeps_the_newest(void **state)
{
	struct recent *r = recent_new();
	char path[16];
	struct buf b;

	(void)state;
	for (int i = 0; i < 3 * RECENT_REQUESTS + 5; i++) {
		struct recent_request q = asked(path, "other");

		snprintf(path, sizeof(path), "/n/%d", i);
		q.target = span_of(path);
		recent_add(r, &q, 1000);
	}
	assert_int_equal(count_of(r, "\"path\""), RECENT_REQUESTS);
	assert_non_null(strstr(written(r, 0, &b), "/n/196"));
	assert_true(strstr(buf_cstr(&b), "/n/196") < strstr(buf_cstr(&b), "/n/195"));
	assert_null(strstr(buf_cstr(&b), "/n/132"));
	buf_free(&b);
	recent_free(r);
}

static void operations_come_slowest_first(void **state)
{
	static char names[RECENT_OPS + 8][8];
	struct recent *r = recent_new();
	struct recent_request q = asked("/x", "fast");

	(void)state;
	recent_add(r, &q, 1001);
	recent_add(r, &q, 1004);
	q = asked("/x", "slow");
	recent_add(r, &q, 1090);
	has(r, 0, "\"routes\":[{\"operation\":\"slow\",\"count\":1,\"max_ms\":90,\"mean_ms\":90},"
	    "{\"operation\":\"fast\",\"count\":2,\"max_ms\":4,\"mean_ms\":2.5}]", true);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(names[i], sizeof(names[i]), "op%zu", i);
		q = asked("/x", names[i]);
		recent_add(r, &q, 1000);
	}
	assert_int_equal(count_of(r, "max_ms"), RECENT_OPS);
	recent_free(r);
}

static void samples_are_growth(void **state)
{
	struct recent *r = recent_new();
	struct recent_counters c = { 100, 50, 20 };

	(void)state;
	recent_tick(r, &c, 1000);
	for (int i = 1; i <= 10; i++) {
		c.requests++;
		recent_tick(r, &c, 1000 + i * 1000);
	}
	has(r, 0, "\"history\":[{\"requests\":10,\"hits\":0,\"saved\":0}]", true);
	c = (struct recent_counters){ 113, 52, 21 };
	recent_tick(r, &c, 21005);	/* late by a little: the next one comes in time */
	recent_tick(r, &c, 31001);
	has(r, 0, "0},{\"requests\":3,\"hits\":2,\"saved\":1},"
	    "{\"requests\":0,\"hits\":0,\"saved\":0}]", true);
	for (int i = 0; i < 2 * RECENT_SAMPLES; i++) {
		c.saved = (uint64_t)(1000 + i);
		recent_tick(r, &c, 100000 + i * (int64_t)RECENT_SAMPLE_MS);
	}
	assert_int_equal(count_of(r, "\"saved\":1}"), RECENT_SAMPLES);
	assert_int_equal(count_of(r, "\"saved\""), RECENT_SAMPLES);
	recent_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(a_request_is_shown_without_query_and_token),
		cmocka_unit_test(long_and_odd_ones_are_cut),
		cmocka_unit_test(the_ring_keeps_the_newest),
		cmocka_unit_test(operations_come_slowest_first),
		cmocka_unit_test(samples_are_growth),
	};

	return cmocka_run_group_tests_name("proxy/recent", tests, NULL, NULL);
}
