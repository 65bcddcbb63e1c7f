#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "github/etag.h"

#define GITHUB "application/vnd.github+json"
#define BODY "{\"a\":1}"

/* Python: sha256(accept + ":" + authorization + ":" + body), a header only if it was sent */
static const struct {
	const char *accept, *authorization, *want;
} derived[] = {
	{ GITHUB, "token abc", "\"0f8b97189c5cd7ac2df80c82e92bdd2ff3c735ccef3c95af8eddf57afc07a5c2\"" },
	{ GITHUB, "", "\"455b50304a0c421dde8d8077a8b4e23884f916a5d3797c17391880304f364b2f\"" },
	{ "", "", "\"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862\"" }
};

static void test_derive(void **state)
{
	char tag[ETAG_LEN + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(derived); i++) {
		etag_derive(tag, span_of(derived[i].accept), span_of(derived[i].authorization),
		    span_of(BODY));
		assert_string_equal(tag, derived[i].want);
		assert_true(etag_ok(span_of(tag)));
	}
	/* one byte of any of the three */
	etag_derive(tag, span_of(GITHUB), span_of("token abd"), span_of(BODY));
	assert_string_not_equal(tag, derived[0].want);
	etag_derive(tag, span_of(GITHUB), span_of("token abc"), span_of(BODY "\n"));
	assert_string_not_equal(tag, derived[0].want);
	etag_derive(tag, span_of(""), (struct span){ NULL, 0 }, span_of(BODY));
	assert_string_equal(tag, derived[2].want);
}

static void test_same(void **state)
{
	(void)state;
	/* the table of RFC 9110 §8.8.3.2, weak comparison */
	assert_true(etag_same(span_of("W/\"1\""), span_of("W/\"1\"")));
	assert_false(etag_same(span_of("W/\"1\""), span_of("W/\"2\"")));
	assert_true(etag_same(span_of("W/\"1\""), span_of("\"1\"")));
	assert_true(etag_same(span_of("\"1\""), span_of("\"1\"")));
	assert_false(etag_same(span_of("\"1\""), span_of("\"11\"")));
	assert_false(etag_same(span_of("\"a\""), span_of("\"A\"")));
	assert_false(etag_same(span_of("w/\"1\""), span_of("\"1\"")));
	/* what is not there is never the same */
	assert_false(etag_same(span_of(""), span_of("")));
	assert_false(etag_same((struct span){ NULL, 0 }, span_of("\"1\"")));
}

static void test_ok(void **state)
{
	static const char *const good[] = { "\"\"", "\"a\"", "W/\"\"", "W/\"a\"", "\"!#~\"", "\"\x80\xff\"",
		"\"W/\"", "\"a,b\"", "\"\\\"" };
	static const char *const bad[] = { "", "\"", "W/", "W/\"", "a", "\"a", "a\"", "w/\"a\"", "W/W/\"a\"",
		"\"a\"b\"", "\"a b\"", "\"a\t\"", "\"a\r\nX: y\"", "\"\x7f\"", " \"a\"", "\"a\" ", "*",
		"\"a\", \"b\"" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(etag_ok(span_make(guard_put(good[i], strlen(good[i])), strlen(good[i]))));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(etag_ok(span_make(guard_put(bad[i], strlen(bad[i])), strlen(bad[i]))));
	assert_false(etag_ok((struct span){ NULL, 0 }));
	assert_false(etag_ok(span_make("\"a\0b\"", 5)));
}

static void test_breaker(void **state)
{
	struct etag_breaker b = { 0 };

	(void)state;
	assert_false(etag_breaker_note(&b, true));
	assert_false(etag_breaker_note(&b, false));
	assert_false(etag_breaker_note(&b, false));
	/* an agreement between them begins anew */
	assert_false(etag_breaker_note(&b, true));
	assert_false(etag_breaker_note(&b, false));
	assert_false(etag_breaker_note(&b, false));
	assert_false(b.open);
	assert_true(etag_breaker_note(&b, false));
	assert_true(b.open);
	/* told once */
	assert_false(etag_breaker_note(&b, false));
	assert_true(b.open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_derive),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_breaker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
