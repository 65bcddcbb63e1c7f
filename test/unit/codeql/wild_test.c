#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "codeql/wild.h"

/* gitignore(5), "Pattern format", and git's own t3070-wildmatch in spirit: pattern, path, answer. */
static const struct {
	const char *pattern, *path;
	enum wild_answer answer;
} cases[] = {
	{ "foo", "foo", WILD_YES },
	{ "foo", "d/foo", WILD_YES },
	{ "foo", "food", WILD_NO },
	{ "/foo", "d/foo", WILD_NO },
	{ "/foo", "foo", WILD_YES },
	{ "d/foo", "x/d/foo", WILD_NO },
	{ "*.c", "d/a.c", WILD_YES },
	{ "*.c", ".c", WILD_YES },
	{ "*.c", "a.cc", WILD_NO },
	{ "d/*.c", "d/a.c", WILD_YES },
	{ "d/*.c", "d/e/a.c", WILD_NO },
	{ "d/*", "d/", WILD_YES },
	{ "**/foo", "foo", WILD_YES },
	{ "**/foo", "a/b/foo", WILD_YES },
	{ "**/foo", "a/xfoo", WILD_NO },
	{ "foo/**", "foo/a/b", WILD_YES },
	{ "foo/**", "foo", WILD_NO },
	{ "foo/**", "foo/", WILD_NO },
	{ "a/**/b", "a/b", WILD_YES },
	{ "a/**/b", "a/x/y/b", WILD_YES },
	{ "a/**/b", "a/xb", WILD_NO },
	{ "a/**/b/*/c", "a/b/b/x/c", WILD_YES },
	{ "**", "a/b", WILD_YES },
	{ "***", "a", WILD_YES },
	{ "a?c", "abc", WILD_YES },
	{ "a?c", "a/c", WILD_NO },
	{ "/a?c", "a/c", WILD_NO },
	{ "a[/]c/d", "a/c/d", WILD_NO },
	{ "[a-c]x", "bx", WILD_YES },
	{ "[a-c]x", "dx", WILD_NO },
	{ "[!a-c]x", "dx", WILD_YES },
	{ "[^a-c]x", "ax", WILD_NO },
	{ "[]]", "]", WILD_YES },
	{ "[]-]", "-", WILD_YES },
	{ "[!]a]", "b", WILD_YES },
	{ "[\\]]", "]", WILD_YES },
	{ "[[:digit:]]", "7", WILD_YES },
	{ "[[:digit:]]", "x", WILD_NO },
	{ "[[:alpha:][:digit:]]", "x", WILD_YES },
	{ "[[:nonsense:]]", "n", WILD_NO },
	{ "[a", "[a", WILD_NO },
	{ "[", "[", WILD_NO },
	{ "\\*", "*", WILD_YES },
	{ "\\*", "a", WILD_NO },
	{ "a\\", "a\\", WILD_YES },
	{ "*a*b*c", "xaxbxc", WILD_YES },
	{ "*a*b*c", "xaxcxb", WILD_NO },
	{ "*/*/x", "a/b/x", WILD_YES },
	{ "*/*/x", "a/x", WILD_NO },
	{ "a**", "ab", WILD_UNSURE },
	{ "x/a**", "y/ab", WILD_NO },
	{ "*", "", WILD_YES },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = strlen(cases[i].pattern), m = strlen(cases[i].path);
		struct wild w;

		assert_true(wild_init(&w, span_make(guard_put(cases[i].pattern, n), n)));
		/* guard_put has one place: the text is plain there */
		enum wild_answer a = wild_match(&w, span_make(cases[i].path, m));
		if (a != cases[i].answer)
			fail_msg("%s with %s: %d", cases[i].pattern, cases[i].path, (int)a);
	}
}

static void test_init(void **state)
{
	struct wild w;

	(void)state;
	assert_false(wild_init(&w, span_of("")));
	assert_false(wild_init(&w, span_of("/")));
	assert_true(wild_init(&w, span_of("out/")));
	assert_true(w.folder && w.last);
	assert_true(wild_init(&w, span_of("/out/")));
	assert_true(w.folder && !w.last);
	assert_true(wild_init(&w, span_of("*.c")) && w.suffix);
	assert_true(wild_init(&w, span_of("*.[ch]")) && !w.suffix);
}

/* No pattern takes long. */
static void test_time(void **state)
{
	char pattern[2000] = "", text[4001];
	struct wild w;

	(void)state;
	for (int i = 0; i < 200; i++)
		strcat(pattern, "**/*a*");
	strcat(pattern, "b");
	for (int i = 0; i < 4000; i++)
		text[i] = i % 2 ? '/' : 'a';
	text[4000] = '\0';
	assert_true(wild_init(&w, span_of(pattern)));
	for (int i = 0; i < 20; i++)
		assert_int_not_equal(wild_match(&w, span_of(text)), WILD_YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
