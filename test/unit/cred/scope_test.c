#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "cred/scope.h"

static void test_names(void **state)
{
	static const char *const good[] = { "A", "_", "a1", "API_TOKEN", "_9" };
	static const char *const bad[] = { "", "1A", "A-B", "A B", "A\n", "A=", "\xc3\xa4", "A.B",
		"A@repo:o/r" };
	char longest[SCOPE_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(scope_name_ok(span_of(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(scope_name_ok(span_of(bad[i])));
	assert_false(scope_name_ok(span_make("A\0B", 3)));
	memset(longest, 'x', sizeof(longest));
	assert_true(scope_name_ok(span_make(longest, SCOPE_NAME_MAX)));
	assert_false(scope_name_ok(span_make(longest, SCOPE_NAME_MAX + 1)));
}

static void test_words(void **state)
{
	static const char *const words[] = { "global", "repo", "workflow", "runner" };
	enum scope s;

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		assert_true(scope_parse(span_of(words[i]), &s));
		assert_string_equal(scope_name(s), words[i]);
	}
	/* the reference takes an unknown one for global */
	assert_false(scope_parse(span_of("Global"), &s));
	assert_false(scope_parse(span_of(""), &s));
}

static void test_match(void **state)
{
	const struct scope_caller c = { span_of("o/r"), span_of("build"), span_make(NULL, 0) };

	(void)state;
	assert_true(scope_match(SCOPE_GLOBAL, span_make(NULL, 0), &c));
	assert_true(scope_match(SCOPE_REPO, span_of("o/r"), &c));
	assert_false(scope_match(SCOPE_REPO, span_of("O/r"), &c));
	assert_false(scope_match(SCOPE_REPO, span_make(NULL, 0), &c));
	assert_true(scope_match(SCOPE_WORKFLOW, span_of("build"), &c));
	assert_false(scope_match(SCOPE_WORKFLOW, span_of("o/r"), &c));
	/* who names none is in none */
	assert_false(scope_match(SCOPE_RUNNER, span_of(""), &c));
	assert_false(scope_match(SCOPE_RUNNER, span_make(NULL, 0), &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_words),
		cmocka_unit_test(test_match) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
