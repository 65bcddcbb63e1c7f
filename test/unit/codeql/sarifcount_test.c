#include <stdlib.h>

#include "../base/cm.h"
#include "file.h"
#include "base/err.h"
#include "codeql/sarifcount.h"

static const char *const words = "-nwe";		/* none, note, warning, error */

/* One letter a result, and the security severities as digits. */
static void expect(const char *text, const char *levels, const char *severities);

struct log {
	char levels[64], severities[64];
	size_t n;
};

static int note(void *arg, const struct sarif_result *r, struct err *err)
{
	struct log *l = arg;

	(void)err;
	l->levels[l->n] = words[r->level];
	l->severities[l->n++] = (char)('0' + r->severity);
	return 0;
}

static void expect(const char *text, const char *levels, const char *severities)
{
	struct log log = { .n = 0 };
	struct sarif_counts counts;
	struct sarif s;
	struct err err;
	int fd = file_of(span_of(text));

	err_init(&err);
	assert_int_equal(sarif_read(fd, &s, NULL, NULL, &err), 0);
	assert_int_equal(sarifcount_walk(fd, &s, &counts, note, &log, &err), 0);
	assert_string_equal(log.levels, levels);
	assert_string_equal(log.severities, severities);
	assert_int_equal(counts.results, strlen(levels));
	sarif_free(&s);
	close(fd);
}

#define E                                                                                                    \
	"{\"id\":\"e\",\"defaultConfiguration\":{\"level\":\"error\"},\"properties\":{\"security-"           \
	"severity\":\"9.0\"}}"
#define N                                                                                                    \
	"{\"id\":\"n/"                                                                                       \
	"x\",\"defaultConfiguration\":{\"level\":\"note\"},\"properties\":{\"security-severity\":\"HIGH\"}}"

/* SARIF 2.1.0 §3.27.10 */
static void test_levels(void **state)
{
	(void)state;
	expect(RUN(E "," N, "{\"ruleId\":\"e\"},{\"ruleId\":\"n/x\"},{\"ruleId\":\"z\"},{}"), "enww", "4000");
	expect(RUN(E "," N, "{\"ruleIndex\":0},{\"ruleIndex\":1},{\"ruleIndex\":2},{\"ruleIndex\":-1}"),
	    "enww", "4000");
	expect(RUN(E, "{\"ruleId\":\"e\",\"level\":\"note\"},{\"ruleId\":\"e\",\"level\":null}"), "ne", "44");
	expect(RUN(E,
		   "{\"ruleId\":\"e\",\"kind\":\"pass\"},{\"ruleId\":\"e\",\"kind\":\"pass\",\"level\":"
		   "\"error\"}"),
	    "--", "44");
	expect(RUN(E, "{\"ruleId\":\"e\",\"kind\":\"fail\"},{\"ruleId\":\"e\",\"level\":\"none\"}"), "e-",
	    "44");
	expect(RUN(E "," N, "{\"ruleId\":\"n/x/1\"},{\"ruleId\":\"e/1/2\"},{\"rule\":{\"id\":\"e\"}}"), "nee",
	    "044");
	expect(RUN(E "," N, "{\"ruleId\":\"e\",\"rule\":{\"index\":1}}"), "n", "0");
}

/* Rules that stand behind the results, and in an extension. */
static void test_extensions(void **state)
{
	(void)state;
	expect("{\"version\":\"2.1.0\",\"runs\":[{\"results\":["
	       "{\"rule\":{\"index\":0,\"toolComponent\":{\"index\":0}}},{\"rule\":{\"index\":0,"
	       "\"toolComponent\":{\"index\":1}}},"
	       "{\"ruleId\":\"e\"},{\"ruleIndex\":0},{\"ruleId\":\"n/"
	       "x\",\"rule\":{\"toolComponent\":{\"index\":0}}},"
	       "{\"ruleIndex\":0,\"ruleId\":\"e\",\"rule\":{\"toolComponent\":{\"index\":7}}}],"
	       "\"tool\":{\"extensions\":[{\"rules\":[" E "]},{\"rules\":[" N
	       "]}],\"driver\":{\"name\":\"T\"}}}]}",
	    "enewww", "404000");
}

static void test_overrides(void **state)
{
	(void)state;
	expect("{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"T\",\"rules\":[" E "," N
	       "]}},\"invocations\":["
	       "{},{\"ruleConfigurationOverrides\":[{\"descriptor\":{\"index\":0},\"configuration\":{"
	       "\"level\":\"note\"}},"
	       "{\"descriptor\":{\"id\":\"n/x\"},\"configuration\":{\"level\":\"error\"}}]}],\"results\":["
	       "{\"ruleId\":\"e\",\"provenance\":{\"invocationIndex\":1}},{\"ruleId\":\"e\",\"provenance\":{"
	       "\"invocationIndex\":0}},"
	       "{\"ruleId\":\"n/x\",\"provenance\":{\"invocationIndex\":1}},{\"ruleId\":\"e\"},"
	       "{\"ruleId\":\"e\",\"level\":\"warning\",\"provenance\":{\"invocationIndex\":1}}]}]}",
	    "neeew", "44044");
}

static void test_counts(void **state)
{
	struct sarif_counts c = { .results = 9, .level = { 1, 2, 3, 3 }, .severity = { 0, 1, 2, 3, 1 } };

	(void)state;
	assert_int_equal(sarifcount_at_least(&c, "critical"), 1);
	assert_int_equal(sarifcount_at_least(&c, "high"), 4);
	assert_int_equal(sarifcount_at_least(&c, "medium"), 6);
	assert_int_equal(sarifcount_at_least(&c, "low"), 7);
	assert_int_equal(sarifcount_at_least(&c, "error"), 3);
	assert_int_equal(sarifcount_at_least(&c, "warning"), 6);
	assert_int_equal(sarifcount_at_least(&c, "note"), 8);
	assert_int_equal(sarifcount_at_least(&c, "any"), 9);
	assert_int_equal(sarifcount_at_least(&c, "none"), -1);
	assert_int_equal(sarifcount_at_least(&c, ""), -1);
}

static void digest_of(const char *text, struct sarif_counts *counts)
{
	struct sarif s;
	struct err err;
	int fd = file_of(span_of(text));

	err_init(&err);
	assert_int_equal(sarif_read(fd, &s, NULL, NULL, &err), 0);
	assert_int_equal(sarifcount_walk(fd, &s, counts, NULL, NULL, &err), 0);
	sarif_free(&s);
	close(fd);
}

#define AT(rule, line)                                                                                       \
	"{\"ruleId\":\"" rule                                                                                \
	"\",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"a\"},"                     \
	"\"region\":{\"startLine\":" line "}}},{\"physicalLocation\":{\"region\":{\"startLine\":9}}}]}"

/* The same results in another order are the same set; a line, a rule or a second one more are not. */
static void test_the_digest_is_of_a_set(void **state)
{
	struct sarif_counts a, b;

	(void)state;
	digest_of(RUN("", AT("x", "1") "," AT("y", "12")), &a);
	digest_of(RUN("", AT("y", "12") "," AT("x", "1")), &b);
	assert_memory_equal(a.digest, b.digest, sizeof(a.digest));
	digest_of(RUN("", AT("y", "21") "," AT("x", "1")), &b);
	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
	digest_of(RUN("", AT("y", "12") "," AT("z", "1")), &b);
	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
	digest_of(RUN("", AT("y", "12") "," AT("x", "1") "," AT("x", "1")), &b);
	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_the_digest_is_of_a_set),
	};

	return cmocka_run_group_tests_name("codeql/sarifcount", tests, NULL, NULL);
}
