#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "base/jscan.h"
#include "codeql/configkey.h"

static void fill(struct configkey *k, const char *const *pairs)
{
	struct err err;

	err_init(&err);
	configkey_init(k);
	for (; pairs[0] != NULL; pairs += 2) {
		if (strncmp(pairs[0], "env.", 4) == 0)
			configkey_add_hidden(k, pairs[0], span_of(pairs[1]));
		else
			configkey_add(k, pairs[0], span_of(pairs[1]));
	}
	assert_int_equal(configkey_finish(k, &err), 0);
}

static void expect_hash(const char *const *a, const char *const *b, bool same)
{
	struct configkey x, y;

	fill(&x, a);
	fill(&y, b);
	assert_int_equal(strlen(x.hash), CONFIGKEY_LEN);
	assert_int_equal(strcmp(x.hash, y.hash) == 0, same);
	configkey_free(&x);
	configkey_free(&y);
}

#define P(...) (const char *const[]){ __VA_ARGS__, NULL }

static void test_hash(void **state)
{
	(void)state;
	expect_hash(P("a", "1", "b", "2"), P("b", "2", "a", "1"), true);
	expect_hash(P("a", "1", "b", "2"), P("a", "1", "b", "3"), false);
	expect_hash(P("a", "1", "b", "2"), P("a", "1"), false);
	expect_hash(P("a", "1b"), P("a1", "b"), false);
	expect_hash(P("a", ""), P("b", ""), false);
	expect_hash(P("env.X", "secret"), P("env.X", "secret2"), false);
}

static void note(void *arg, const char *name, const char *was, const char *is)
{
	buf_addf(arg, "%s:%s>%s ", name, was != NULL ? was : "-", is != NULL ? is : "-");
}

static void test_differences(void **state)
{
	struct configkey was, is;
	struct buf json, log;

	(void)state;
	fill(&was, P("a", "1", "b", "2", "gone", "x", "env.T", "hush"));
	fill(&is, P("a", "1", "b", "3", "new", "y", "env.T", "hush!"));
	buf_init(&json, 65536);
	buf_init(&log, 65536);
	configkey_json(&was, &json);
	assert_true(jscan_valid(buf_span(&json)));
	assert_true(span_find(buf_span(&json), "hush") < 0);
	assert_int_equal(configkey_diff(buf_span(&json), &is, note, &log), 0);
	assert_true(span_find(buf_span(&log), "b:2>3") >= 0 && span_find(buf_span(&log), "gone:x>-") >= 0);
	assert_true(span_find(buf_span(&log), "new:->y") >= 0 &&
	    span_find(buf_span(&log), "env.T:hidden:") >= 0);
	assert_true(span_find(buf_span(&log), "a:") < 0);
	assert_int_equal(configkey_diff(span_of("[1]"), &is, note, &log), -1);
	assert_int_equal(configkey_diff(span_of("{\"a\":1}"), &is, note, &log), -1);
	assert_int_equal(configkey_diff(span_of("{"), &is, note, &log), -1);
	buf_free(&json);
	buf_free(&log);
	configkey_free(&was);
	configkey_free(&is);
}

static void test_a_name_stands_once(void **state)
{
	struct configkey k;
	struct err err;

	(void)state;
	err_init(&err);
	configkey_init(&k);
	configkey_add(&k, "a", span_of("1"));
	configkey_add(&k, "a", span_of("1"));
	assert_int_equal(configkey_finish(&k, &err), ERR_USAGE);
	configkey_free(&k);
}

static void test_unpinned(void **state)
{
	struct configkey k;

	(void)state;
	configkey_init(&k);
	for (int i = 0; i < 1000; i++)
		configkey_unpinned(&k, "pack %d is not", i);
	assert_true(span_starts(buf_span(&k.unpinned), "pack 0 is not; pack 1 is not"));
	configkey_free(&k);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_hash),
		cmocka_unit_test(test_differences), cmocka_unit_test(test_a_name_stands_once),
		cmocka_unit_test(test_unpinned) };

	return cmocka_run_group_tests_name("codeql/configkey", tests, NULL, NULL);
}
