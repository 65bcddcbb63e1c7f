#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "base/json.h"
#include "github/graphql.h"

static bool is_query(const char *body)
{
	return graphql_is_query(span_make(guard_put(body, strlen(body)), strlen(body)));
}

/* The document as the member `query` of a body. */
static bool document(const char *text)
{
	struct buf b;
	bool yes;

	buf_init(&b, BUF_MAX_ANY);
	buf_adds(&b, "{\"query\":");
	json_quote(&b, span_of(text), false);
	buf_adds(&b, ",\"variables\":{\"a\":\"mutation\"}}");
	yes = is_query(buf_cstr(&b));
	buf_free(&b);
	return yes;
}

static void test_queries(void **state)
{
	static const char *const yes[] = { "{viewer{login}}", " \n\t, { a } ", "query{a}", "query Q{a}",
		"query Q($n: Int = 3, $o: In = {a: {b: [1, \"}\"]}}) @live(if: {x: 1}) { a(n: $n) { b } }",
		"query A{a} query B{b}", "{a ...F} fragment F on Query{b}", "fragment F on Query{b} {a ...F}",
		"fragment F on Mutation{b} query Q{a}", "query mutation{a}", "query Q{mutation subscription}",
		"{a(b: \"mutation { x }\")}", "{a(b: \"}\\\" mutation {\")}", "{a(b: \"\")}",
		"{a(b: \"\\\\\")}", "{a(b: \"\"\"block \" \"\" } \\\"\"\" mutation { \"\"\")}",
		"{a(b: \"\"\"\"\"\")}", "# mutation { x }\n{a}", "{a} # mutation", "{a # }\n}", "{a #\r}",
		"\xEF\xBB\xBF{a}", "query Q { ... on Repository @include(if: $x) { id } }", "{a:b}",
		"{ \xE2\x82\xAC }" };

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		if (!document(yes[i]))
			fail_msg("%s", yes[i]);
}

static void test_others(void **state)
{
	static const char *const no[] = { "", " ", "#{a}", "query", "query Q", "mutation{a}", "mutation M{a}",
		"subscription{a}", "{a} mutation{b}", "mutation{b} {a}", "query Q{a} mutation M{b}",
		"query Q{a}mutation M{b}", "fragment F on X{a} mutation{b}", "{a}\nsubscription S{b}",
		"schema{query:Q}", "type T{a:Int}", "extend type T{a:Int}", "\"described\" {a}",
		"\"\"\"described\"\"\" type T{a:Int}", "{a", "a}", "{a}}", "{{a}", "{a)}", "({a}", "{a(b:[1}",
		"{a(b:\"x)}", "{a(b:\"x\n\")}", "{a(b:\"\"\"x)}", "{a(b:\"\"\"x\"\")}", "{a(b:\"x\\",
		"Query{a}", "queryx{a}", "query_{a}", "{a} b", "{a} 1", "# {a}", "[]", "()", "(query{a})x",
		"{a}query" };

	(void)state;
	for (size_t i = 0; i < COUNT(no); i++)
		if (document(no[i]))
			fail_msg("%s", no[i]);
}

static void test_bodies(void **state)
{
	static const char *const yes[] = { "{\"query\":\"{a}\"}",
		" {\"a\":1,\"\\u0071uery\":\"{a}\",\"operationName\":null} ",
		"{\"query\":\"\\u007Ba\\u007d\"}", "{\"queryx\":\"mutation{a}\",\"query\":\"{a}\"}",
		"{\"variables\":{\"query\":\"mutation{a}\"},\"query\":\"{a}\"}" };
	static const char *const no[] = { "", " ", "null", "5", "\"{a}\"", "[]", "{}",
		"[{\"query\":\"{a}\"}]", "{\"query\":\"{a}\"},{\"query\":\"mutation{a}\"}",
		"{\"query\":\"{a}\",\"query\":\"{a}\"}", "{\"query\":\"{a}\",\"query\":\"mutation{a}\"}",
		"{\"query\":\"{a}\",\"\\u0071uery\":\"mutation{a}\"}",
		"{\"\\u0071uery\":\"{a}\",\"query\":null}", "{\"query\":null}", "{\"query\":[\"{a}\"]}",
		"{\"query\":{\"query\":\"{a}\"}}", "{\"Query\":\"{a}\"}", "{\"query\":\"{a}\"",
		"{\"query\":\"{a}\"} x", "{\"query\":\"{a}\\ud800\"}", "{'query':'{a}'}", "query={a}",
		"{\"query\":\"\\u006dutation{a}\"}", "\xEF\xBB\xBF{\"query\":\"{a}\"}",
		"{\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"x\"}}}" };

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		if (!is_query(yes[i]))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < COUNT(no); i++)
		if (is_query(no[i]))
			fail_msg("%s", no[i]);
}

/* No byte beyond, wherever it ends; and no front part of a query with an operation in it is one. */
static void test_cut_off(void **state)
{
	static const char body[] =
	    "{\"query\":\"query Q($a: X = {b: \\\"}\\\"}) { a(b: \\\"\\\"\\\"x\\\"\\\"\\\") # c\\n }\"}";

	(void)state;
	assert_true(is_query(body));
	for (size_t n = 0; n < sizeof(body) - 1; n++)
		assert_false(graphql_is_query(span_make(guard_put(body, n), n)));
}

static void test_large(void **state)
{
	size_t n = (size_t)3 << 20;
	char *text = malloc(n + 1);

	(void)state;
	memset(text, ' ', n);
	text[n] = '\0';
	memcpy(text, "{\"query\":\"{a", 12);
	memcpy(text + n - 3, "}\"}", 3);
	assert_false(graphql_is_query(span_make(text, n)));	/* above what is looked at: in doubt */
	memcpy(text + (1 << 19), "}\"}", 3);
	assert_true(graphql_is_query(span_make(text, n - 3)));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests_name("github/graphql", tests, NULL, NULL);
}
