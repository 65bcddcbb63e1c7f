#include <string.h>

#include "../github/heads.h"
#include "../guard.h"
#include "cli/pages.h"
#include "output.h"

static void test_head(void **state)
{
	char *text;

	(void)state;
	output_begin();
	pages_head(head_of(200,
	    "x-ratelimit-limit: 60\r\nETag: \"a\"\r\ncontent-type: text/plain\r\nEmpty:\r\nCONTENT-LENGTH: "
	    "5\r\n"));
	text = output_end();
	assert_string_equal(text,
	    "HTTP/1.1 200 Words\nContent-Length: 5\r\nContent-Type: text/plain\r\nEmpty: \r\nEtag: \"a\"\r\n"
	    "X-Ratelimit-Limit: 60\r\n\r\n");
	free(text);
	output_begin();
	pages_head(head_of(404, ""));
	text = output_end();
	assert_string_equal(text, "HTTP/1.1 404 Words\n\r\n");
	free(text);
}

static const struct {
	const char *pages[4], *want;
} joins[] = {
	{ { "[1,2]" }, "[1,2]" },
	{ { "[1,2]", "[3]", "[]", "[4,5]" }, "[1,2,3,4,5]" },
	{ { "[]", "[]" }, "[]" },
	{ { "[]", "[{\"a\":[1]}]" }, "[{\"a\":[1]}]" },
	{ { " [ 1 ]\n", "\t[2]\r\n" }, "[1,2]" },
	{ { "[ \n ]", "[1]" }, "[1]" },
	{ { "{\"a\":1}" }, "{\"a\":1}" },
	{ { "{\"a\":1}", "{\"b\":2}" }, "{\"a\":1}{\"b\":2}" },
	{ { " text\n" }, " text\n" },
	{ { "" }, "" },
	{ { "[1]", "{\"a\":1}", "[2]" }, "[1]{\"a\":1}[2]" }
};

static void test_join(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(joins); i++) {
		struct pages p = { 0 };
		char *text;

		output_begin();
		for (size_t j = 0; j < 4 && joins[i].pages[j] != NULL; j++) {
			const char *s = joins[i].pages[j];

			pages_add(&p, span_make(guard_put(s, strlen(s)), strlen(s)));
		}
		pages_end(&p);
		text = output_end();
		assert_string_equal(text, joins[i].want);
		free(text);
	}
}

static const struct {
	const char *body, *info;	/* info NULL: none */
} infos[] = { { "{\"data\":{\"a\":{\"nodes\":[{\"x\":1}],\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":"
		"\"Y\"}}}}",
		  "{\"hasNextPage\":true,\"endCursor\":\"Y\"}" },
	{ "{\"pageInfo\":{}}", "{}" },
	{ "[[{\"pageInfo\" : { \"a\": {\"b\": [{}]} } }]]", "{ \"a\": {\"b\": [{}]} }" },
	{ "{\"pageInfo\":null,\"x\":{\"pageInfo\":{\"a\":1}},\"pageInfo\":{\"a\":2}}", "{\"a\":1}" },
	{ "{\"a\":\"pageInfo\",\"b\":{\"c\":1}}", NULL }, { "[\"pageInfo\",{\"c\":1}]", NULL },
	{ "{\"pageInfo\":[{\"a\":1}]}", NULL }, { "{\"pageInfos\":{\"a\":1}}", NULL },
	{ "{\"pageInfo\":5}", NULL }, { "{\"page\\u0049nfo\":{\"a\":1}}", "{\"a\":1}" },
	{ "{\"pageInfo\":{\"a\":1", NULL }, { "{\"pageInfo\":{\"a\":}}", NULL }, { "not json", NULL },
	{ "", NULL } };

static void test_info(void **state)
{
	struct span info;

	(void)state;
	for (size_t i = 0; i < COUNT(infos); i++) {
		size_t n = strlen(infos[i].body);
		bool found = pages_info(span_make(guard_put(infos[i].body, n), n), &info);

		assert_int_equal(found, infos[i].info != NULL);
		if (found)
			assert_true(span_eq(info, infos[i].info));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
