#include <stdlib.h>

#include "../base/cm.h"
#include "file.h"
#include "base/err.h"
#include "codeql/sarif.h"

static void test_severities(void **state)
{
	static const struct {
		const char *text;
		enum sarif_severity want;
		bool odd;
	} table[] = { { "0.0", SEVERITY_NONE, false }, { "0", SEVERITY_NONE, false },
		{ "0.1", SEVERITY_LOW, false }, { "0.000000001", SEVERITY_LOW, false },
		{ "3.9", SEVERITY_LOW, false }, { "3.999999999", SEVERITY_LOW, false },
		{ "4.0", SEVERITY_MEDIUM, false }, { "6.9", SEVERITY_MEDIUM, false },
		{ "7", SEVERITY_HIGH, false }, { "8.9999", SEVERITY_HIGH, false },
		{ "9.0", SEVERITY_CRITICAL, false }, { "10.0", SEVERITY_CRITICAL, false },
		{ "10.1", SEVERITY_NONE, false }, { "-1", SEVERITY_NONE, true },
		{ "HIGH", SEVERITY_NONE, true }, { "", SEVERITY_NONE, true }, { "9.", SEVERITY_NONE, true },
		{ ".9", SEVERITY_NONE, true }, { "9.x", SEVERITY_NONE, true },
		{ "1e1", SEVERITY_NONE, true } };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		bool odd;
		assert_int_equal(sarif_severity_of(span_of(table[i].text), &odd), table[i].want);
		assert_int_equal(odd, table[i].odd);
	}
}

static int read_text(const char *text, struct sarif *s, struct err *err)
{
	int fd = file_of(span_of(text)), rc;

	err_init(err);
	rc = sarif_read(fd, s, NULL, NULL, err);
	close(fd);
	return rc;
}

static void expect_evidence(const char *text, int want)
{
	struct sarif s;
	struct err err;

	assert_int_equal(read_text(text, &s, &err), 0);
	assert_int_equal(sarif_evidence(&s, &err), want);
	assert_int_equal(err.msg[0] != '\0', want != 0);
	sarif_free(&s);
}

#define ONE(members) "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"T\"}}," members "}]}"

static void test_evidence(void **state)
{
	(void)state;
	expect_evidence(ONE("\"results\":[]"), 0);
	expect_evidence(ONE("\"results\":[{}]"), 0);
	expect_evidence(ONE("\"results\":null"), ERR_PROTO);
	expect_evidence(ONE("\"x\":1"), ERR_PROTO);
	expect_evidence(ONE("\"results\":[],\"invocations\":[{\"executionSuccessful\":true}]"), 0);
	expect_evidence(ONE("\"results\":[],\"invocations\":[{},{\"executionSuccessful\":false}]"),
	    ERR_PROTO);
	expect_evidence("{\"version\":\"2.1.0\",\"runs\":null}", ERR_PROTO);
	expect_evidence("{\"version\":\"2.1.0\"}", ERR_PROTO);
	expect_evidence("{\"version\":\"2.1.0\",\"runs\":[]}", ERR_PROTO);
	expect_evidence("{\"version\":\"2.1.0\",\"runs\":[{\"results\":[]}]}", ERR_PROTO);
#define TWO(a, b)                                                                                            \
	"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"T\"}},\"automationDetails\":{"   \
	"\"id\":\"" a                                                                                        \
	"\"},\"results\":[]},{\"tool\":{\"driver\":{\"name\":\"T\"}},\"automationDetails\":{\"id\":\"" b     \
	"\"},\"results\":[]}]}"
	expect_evidence(TWO("a/", "b/"), 0);
	expect_evidence(TWO("a/", "a/"), ERR_PROTO);
}

static void test_facts(void **state)
{
	struct sarif s;
	struct err err;

	(void)state;
	assert_int_equal(read_text(ONE("\"results\":[],\"automationDetails\":{\"id\":\"c/"
				       "1\"},\"properties\":{"
				       "\"incrementalMode\":\"diff-informed\"},\"artifacts\":[{\"location\":{"
				       "\"uri\":\"a\"}},{},"
				       "{\"location\":{\"uri\":\"b\\u0020c\"}}]"),
			     &s, &err),
	    0);
	assert_string_equal(s.runs[0].category, "c/1");
	assert_string_equal(sarif_incremental(&s), "diff-informed");
	assert_string_equal(sarif_artifact(&s, &s.runs[0], 0), "a");
	assert_string_equal(sarif_artifact(&s, &s.runs[0], 1), "");
	assert_string_equal(sarif_artifact(&s, &s.runs[0], 2), "b c");
	assert_null(sarif_artifact(&s, &s.runs[0], 3));
	assert_null(sarif_artifact(&s, &s.runs[0], -1));
	assert_null(sarif_rule_at(&s, &s.runs[0], 0, 0));
	sarif_free(&s);
}

static void test_refused(void **state)
{
	static const char *const wrong[] = { "{}", "{\"version\":\"2.0.0\"}",
		"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":"
		"{\"driver\":{\"rules\":[{\"defaultConfiguration\":{\"level\":\"fatal\"}}]}}}]}" };
	struct buf many;
	struct sarif s;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(read_text(wrong[i], &s, &err), ERR_DAMAGED);
		sarif_free(&s);
	}
	buf_init(&many, 1 << 20);
	buf_adds(&many, "{\"version\":\"2.1.0\",\"runs\":[{}");
	for (int i = 0; i < SARIF_RUNS_MAX; i++)
		buf_adds(&many, ",{}");
	buf_adds(&many, "]}");
	assert_int_equal(read_text(buf_cstr(&many), &s, &err), ERR_LIMIT);
	sarif_free(&s);
	buf_free(&many);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("codeql/sarif", tests, NULL, NULL);
}
