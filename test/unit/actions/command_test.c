#include <string.h>

#include "../base/cm.h"
#include "actions/command.h"
#include "base/buf.h"

static void is(const char *name, const char *title, struct span data, const char *want)
{
	struct buf out;

	buf_init(&out, BUF_MAX_ANY);
	actions_command(&out, name, title, data);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void test_escapes(void **state)
{
	(void)state;
	is("warning", NULL, span_of("plain text: with, both"), "::warning::plain text: with, both\n");
	is("error", "a title", span_of("x"), "::error title=a title::x\n");
	is("add-mask", NULL, span_of(""), "::add-mask::\n");
	is("notice", "", span_of("x"), "::notice title=::x\n");
	is("warning", NULL, span_of("100%\r\n::set-output name=x::y"),
	    "::warning::100%25%0D%0A::set-output name=x::y\n");
	is("warning", "a:b,c%\r\nd::", span_of("x"), "::warning title=a%3Ab%2Cc%25%0D%0Ad%3A%3A::x\n");
	is("warning", NULL, span_of("%0A"), "::warning::%250A\n");
	is("warning", NULL, span_of("\xe2\x82\xac"), "::warning::\xe2\x82\xac\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_escapes) };

	return cmocka_run_group_tests_name("actions/command", tests, NULL, NULL);
}
