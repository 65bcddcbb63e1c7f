#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "config/value.h"

static struct value of(const char *key, const char *text)
{
	struct value v;

	assert_int_equal(value_of_text(table_find(key), text, "here", &v, NULL), 0);
	return v;
}

static void num_is(const char *key, const char *text, int64_t want)
{
	struct value v = of(key, text);

	if (v.num != want)
		fail_msg("%s = %s: %lld", key, text, (long long)v.num);
	assert_string_equal(v.text, text);
	value_wipe(&v);
	assert_null(v.text);
}

static void refused(const char *key, const char *text, const char *want)
{
	struct value v;
	struct err e;

	err_init(&e);
	assert_int_equal(value_of_text(table_find(key), text, "here", &v, &e), ERR_CONFIG);
	assert_null(v.text);
	assert_string_equal(e.msg, want);
}

static void test_scalars(void **state)
{
	static const char *const yes[] = { "true", "True", "YES", "on", "1" };
	static const char *const no[] = { "false", "no", "Off", "0" };

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		num_is("cache.enabled", yes[i], 1);
	for (size_t i = 0; i < COUNT(no); i++)
		num_is("cache.enabled", no[i], 0);
	num_is("cache.max_size", "10000000", 10000000);
	num_is("cache.default_ttl", "1h30m", 5400);
	num_is("cache.max_body", "1KiB", 1024);
	num_is("cache_protocol.broadcast.strategy", "closest", 2);
	refused("cache.enabled", "", "here: cache.enabled: '' is neither true nor false");
	refused("cache.max_size", "10000001",
	    "here: cache.max_size: '10000001' is out of bounds (1 to 10000000)");
	refused("cache.max_size", "5k", "here: cache.max_size: '5k' is no whole number");
	refused("cache_protocol.broadcast.strategy", "al",
	    "here: cache_protocol.broadcast.strategy: 'al' is none of all|random|closest");
}

static void test_lists(void **state)
{
	const char *const items[] = { "", "a,b", "c" };
	struct value v = of("p2p.bootstrap_peers", " a ,, b\t,");

	(void)state;
	assert_int_equal(v.n, 2);
	assert_string_equal(v.items[0], "a");
	assert_string_equal(v.items[1], "b");
	value_wipe(&v);
	assert_int_equal(value_of_items(items, 3, &v, NULL), 0);
	assert_int_equal(v.n, 2);
	assert_string_equal(v.items[0], "a,b");
	assert_string_equal(v.text, "a,b,c");
	value_wipe(&v);
	assert_int_equal(value_of_items(NULL, 0, &v, NULL), 0);
	assert_string_equal(v.text, "");
	value_wipe(&v);
}

static void shown(const char *text, const char *want)
{
	struct value v = of("network.proxy", text);

	if (want)
		assert_string_equal(v.shown, want);
	else
		assert_null(v.shown);
	value_wipe(&v);
}

static void test_passwords(void **state)
{
	(void)state;
	shown("http://proxy:3128", NULL);
	shown("http://u:p@proxy:3128/", "http://***@proxy:3128/");
	shown("http://u:p/@w@proxy", "http://***@proxy");
	shown("u:p@proxy", "***@proxy");
	shown("name@host", NULL);
	shown("", NULL);
}

static void stricter(const char *key, const char *from, const char *to, bool same, bool lower, bool higher)
{
	const struct setting *row = table_find(key);
	struct value a = of(key, from), b = of(key, to);

	assert_int_equal(value_same(row, &a, &b), same);
	assert_int_equal(value_lower(row, &a, &b), lower);
	assert_int_equal(value_higher(row, &a, &b), higher);
	value_wipe(&a);
	value_wipe(&b);
}

static void test_stricter(void **state)
{
	(void)state;
	stricter("cache.permission_ttl", "60", "1m", true, false, false);
	stricter("cache.permission_ttl", "60", "59", false, true, false);
	stricter("cache.permission_ttl", "60", "61", false, false, true);
	stricter("p2p.enabled", "true", "off", false, true, false);
	stricter("p2p.share", "all", "own", false, true, false);
	stricter("p2p.share_operations", "a,b", "b,a", true, true, true);
	stricter("p2p.share_operations", "a,b", "b", false, true, false);
	stricter("p2p.share_operations", "a", "a,b", false, false, true);
	stricter("p2p.share_operations", "a", "b", false, false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_stricter),
	};

	return cmocka_run_group_tests_name("config/value", tests, NULL, NULL);
}
