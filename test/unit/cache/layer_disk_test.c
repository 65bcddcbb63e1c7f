#include <fcntl.h>

#include "fake.h"
#include "store/store.h"

static struct store *store;
static struct metrics *metrics;
static struct cache_layer *layer;
static struct asked a, b;
static unsigned told;

static void after_store(void *arg)
{
	assert_ptr_equal(arg, &told);
	told++;
}

static int setup(void **state)
{
	static unsigned number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "store-%u", number++);
	assert_int_equal(store_open(name, &store, NULL), 0);
	metrics = metrics_open(NULL);
	layer = layer_disk_new(store, metrics, after_store, &told);
	told = 0;
	asked_get(&a, TOKEN_A, "/user");
	asked_get(&b, TOKEN_B, "/user");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	layer_free(layer);
	metrics_free(metrics);
	store_free(store);
	asked_wipe(&a);
	asked_wipe(&b);
	return 0;
}

static struct lookup looked_up(const struct asked *q)
{
	struct lookup lk = { .req = &q->req };

	assert_int_equal(layer->lookup(layer, &lk), LAYER_NEXT);
	return lk;
}

static void drop(struct lookup *lk)
{
	entry_unref(lk->own);
	entry_unref(lk->candidate);
}

static void keep(const struct asked *q, int64_t age, const char *body)
{
	struct entry *e = entry_for(q, age, body, "\"x\"");

	assert_true(layer->store(layer, e));
	entry_unref(e);
}

static void test_own(void **state)
{
	struct lookup lk = looked_up(&a);

	(void)state;
	assert_null(lk.own);
	assert_null(lk.candidate);
	keep(&a, 10, "{\"of\":\"a\"}");
	assert_int_equal(told, 1);
	assert_int_equal(metrics_get(metrics, M_STORED), 1);
	lk = looked_up(&a);
	assert_string_equal(lk.own_layer, "disk");
	assert_true(span_eq(lk.own->body, "{\"of\":\"a\"}"));
	assert_null(lk.candidate);
	drop(&lk);
}

/* Another token's newest is a candidate, for one that has nothing of its own. */
static void test_candidate(void **state)
{
	struct lookup lk;

	(void)state;
	keep(&a, 10, "{\"of\":\"a\"}");
	lk = looked_up(&b);
	assert_null(lk.own);
	assert_true(span_eq(lk.candidate->body, "{\"of\":\"a\"}"));
	drop(&lk);
	keep(&b, 1000, "{\"of\":\"b\"}");
	lk = looked_up(&b);
	assert_true(span_eq(lk.own->body, "{\"of\":\"b\"}"));
	assert_null(lk.candidate);
	drop(&lk);
}

/* What memory gave stays, unless the disk has a newer one. */
static void test_the_newer(void **state)
{
	struct lookup lk;

	(void)state;
	keep(&a, 10, "{\"on\":\"disk\"}");
	for (int64_t age = 5; age < 20; age += 10) {
		lk = (struct lookup){
			.req = &a.req, .own = entry_for(&a, age, "{}", NULL), .own_layer = "memory"
		};
		assert_int_equal(layer->lookup(layer, &lk), LAYER_NEXT);
		assert_string_equal(lk.own_layer, age < 10 ? "memory" : "disk");
		drop(&lk);
	}
}

/* Under the same name and key, but another request: the file says so. */
static void test_other_variant(void **state)
{
	const struct asked *who[] = { &a, &b };
	struct entry_parts p = { .key = buf_span(&a.req.key), .url = buf_span(&a.req.url),
		.auth = span_of(a.id.tag), .variant = span_of("{\"profile\":\"other\"}"),
		.proof_key = a.id.proof_key, .timestamp = clock_wall(), .ttl = 300, .status = 200,
		.body = span_of("{}") };
	struct entry *e = NULL;

	(void)state;
	assert_int_equal(entry_build(&p, &e, NULL), 0);
	assert_true(layer->store(layer, e));
	entry_unref(e);
	for (size_t i = 0; i < COUNT(who); i++) {
		struct lookup lk = looked_up(who[i]);

		assert_null(lk.own);
		assert_null(lk.candidate);
		drop(&lk);
	}
	assert_int_equal(metrics_get(metrics, M_CORRUPT), 0);
}

static void test_damaged(void **state)
{
	char name[STORE_NAME_MAX + 1];
	struct lookup lk;
	int fd;

	(void)state;
	keep(&a, 10, "{\"of\":\"a\"}");
	assert_true(store_name(name, buf_span(&a.req.key), span_of(a.id.tag)));
	fd = openat(store_dirfd(store), name, O_RDWR);
	assert_true(fd >= 0);
	off_t end = lseek(fd, 0, SEEK_END);
	assert_int_equal(pwrite(fd, "b", 1, end - 4), 1);	/* in the body: "a" becomes "b" */
	close(fd);
	lk = looked_up(&a);
	assert_null(lk.own);
	assert_null(lk.candidate);
	assert_true(metrics_get(metrics, M_CORRUPT) > 0);
	drop(&lk);
}

/* A folder that is gone takes nothing: counted, and no fault of the answer. */
static void test_disk_refuses(void **state)
{
	struct entry *e = entry_for(&a, 1, "{}", NULL);

	(void)state;
	unlinkat(store_dirfd(store), "last", AT_REMOVEDIR);
	unlinkat(store_dirfd(store), "corrupt", AT_REMOVEDIR);
	unlinkat(store_dirfd(store), ".lock", 0);
	assert_int_equal(rmdir(store_path(store)), 0);
	assert_false(layer->store(layer, e));
	assert_false(layer->store(layer, e));
	assert_int_equal(metrics_get(metrics, M_STORE_FAILED), 2);
	assert_int_equal(told, 0);
	entry_unref(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(own), T(candidate), T(the_newer), T(other_variant), T(damaged), T(disk_refuses),
	};

	return cmocka_run_group_tests_name("cache/layer_disk", tests, NULL, NULL);
}
