#include <ctype.h>
#include <string.h>

#include "../base/cm.h"
#include "base/str.h"
#include "metrics/page.h"

#define DEPTH_MAX 32

/* A tag's name, "" where this "<" begins none. */
static struct span name_at(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]))
		n++;
	return span_make(p, n);
}

static bool is_void(struct span name)
{
	return span_eq(name, "meta") || span_eq(name, "link") || span_eq(name, "br") || span_eq(name, "img");
}

/* What stands in these is not markup. */
static const char *skip_text(const char *p, struct span name)
{
	const char *end = span_eq(name, "script") ? "</script>" : span_eq(name, "style") ? "</style>" : NULL;

	return end == NULL ? p : strstr(p, end);
}

static void tags_are_balanced(void **state)
{
	struct span open[DEPTH_MAX], name;
	size_t depth = 0;

	(void)state;
	for (const char *p = strchr(page_html, '<'); p != NULL; p = strchr(p, '<')) {
		bool closes = *++p == '/';

		name = name_at(p + closes);
		if (name.n == 0) {
			assert_memory_equal(p, "!doctype html>", 14);
		} else if (closes) {
			assert_true(depth > 0 && span_same(open[depth - 1], name));
			depth--;
		} else if (!is_void(name)) {
			assert_true(depth < DEPTH_MAX);
			open[depth++] = name;
			p = skip_text(p, name);
			assert_non_null(p);
		}
	}
	assert_int_equal(depth, 0);
}

static void it_is_small_and_whole(void **state)
{
	(void)state;
	assert_true(strlen(page_html) < PAGE_MAX);
	assert_memory_equal(page_html, "<!doctype html>\n", 16);
	assert_true(span_ends(span_of(page_html), "</html>\n"));
	assert_true(span_utf8(span_of(page_html)));
}

/* No address but `stats` beside it, no way for data to become markup or code. */
static void it_asks_nobody_and_trusts_no_data(void **state)
{
	static const char *const banned[] = { "innerHTML", "outerHTML", "insertAdjacent",
		"document.write", "eval(", "Function(", "src=", "href=", "url(", "@import", "https://",
		"onclick=", "localStorage" };
	const char *at;

	(void)state;
	for (size_t i = 0; i < sizeof(banned) / sizeof(banned[0]); i++)
		if (strstr(page_html, banned[i]) != NULL)
			fail_msg("the page has %s", banned[i]);
	at = strstr(page_html, "http://");
	assert_non_null(at);		/* a name of XML's, which nobody asks for */
	assert_memory_equal(at, "http://www.w3.org/2000/svg'", 27);
	assert_null(strstr(at + 1, "http://"));
	at = strstr(page_html, "fetch(");
	assert_memory_equal(at, "fetch('stats' + location.search", 31);
	assert_null(strstr(at + 1, "fetch("));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_balanced),
		cmocka_unit_test(it_is_small_and_whole),
		cmocka_unit_test(it_asks_nobody_and_trusts_no_data),
	};

	return cmocka_run_group_tests_name("metrics/page", tests, NULL, NULL);
}
