#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "github/fields.h"

/* The first five are what the reference itself stored; the SHA-256 of `want` is its content_hash there. */
static const struct {
	const char *op, *body, *want;	/* want NULL: there are none */
} cases[] = {
	/* 91b5fc71e373277da770d6c400d82953ab08e23554bbd2837737ac30f1e85364 */
	{ "get_repo_info",
	    "{\"name\": \"hello\", \"updatedAt\": \"2026-11-01T00:00:00Z\", \"pushedAt\": "
	    "\"2026-11-02T00:00:00Z\", \"stargazerCount\": 42, \"ratio\": 0.1, \"big\": "
	    "12345678901234567890}",
	    "{\"pushedAt\": \"2026-11-02T00:00:00Z\", \"updatedAt\": \"2026-11-01T00:00:00Z\"}" },
	/* 79d81d93e7977ed3e0a52e9dd2d3cfa204cc5d44f97d8d094144c28bd7127ea0 */
	{ "get_runner_status",
	    "{\"id\": 3, \"name\": \"runner-17\", \"status\": \"online\", \"busy\": false}",
	    "{\"busy\": false, \"status\": \"online\"}" },
	/* ae73cc43cd7c9cbdd93bc8e63bc495f4d0735f67426f3b687844c5a7605bd481 */
	{ "get_workflow_runs",
	    "[{\"databaseId\": 7, \"status\": \"completed\", \"conclusion\": \"success\", \"updatedAt\": "
	    "\"2026-11-03T00:00:00Z\"}]",
	    "{\"7\": {\"conclusion\": \"success\", \"status\": \"completed\", \"updatedAt\": "
	    "\"2026-11-03T00:00:00Z\"}}" },
	/* e155b4b2eed191b2b895402e73b04d519b0f3692f52cc768ca2e908f83bff03b */
	{ "list_repos",
	    "[{\"name\": \"hello\", \"url\": \"https://github.com/octo/hello\", \"updatedAt\": "
	    "\"2026-11-01T00:00:00Z\", \"pushedAt\": \"2026-11-02T00:00:00Z\"}, {\"name\": "
	    "\"na\\u00efve-\\u2603\", "
	    "\"updatedAt\": null, \"pushedAt\": \"2026-10-02T00:00:00Z\"}]",
	    "{\"hello\": {\"pushedAt\": \"2026-11-02T00:00:00Z\", \"updatedAt\": \"2026-11-01T00:00:00Z\"}, "
	    "\"na\\u00efve-\\u2603\": {\"pushedAt\": \"2026-10-02T00:00:00Z\", \"updatedAt\": null}}" },
	{ "copilot_completion", "{\"text\": \"line\"}", NULL },
	/* keys sort as text, whatever they were */
	{ "get_workflow_runs",
	    "[{\"id\":9,\"status\":\"queued\",\"updated_at\":\"y\"},{\"id\":10,\"status\":\"completed\","
	    "\"updated_at\":\"x\"}]",
	    "{\"10\": {\"conclusion\": null, \"status\": \"completed\", \"updatedAt\": \"x\"}, "
	    "\"9\": {\"conclusion\": null, \"status\": \"queued\", \"updatedAt\": \"y\"}}" },
	/* REST: other names, wrapped lists */
	{ "get_repo_info", "{\"id\":1,\"updated_at\":\"u\",\"pushed_at\":\"p\"}",
	    "{\"pushedAt\": \"p\", \"updatedAt\": \"u\"}" },
	{ "get_repo_info", "{\"updatedAt\":null,\"updated_at\":\"u\"}",
	    "{\"pushedAt\": null, \"updatedAt\": null}" },
	{ "list_repos", "{\"total_count\":1,\"repositories\":[{\"name\":\"a\",\"pushed_at\":\"p\"}]}",
	    "{\"a\": {\"pushedAt\": \"p\", \"updatedAt\": null}}" },
	{ "list_workflows",
	    "{\"total_count\":1,\"workflows\":[{\"id\":5,\"state\":\"active\",\"updated_at\":\"u\"}]}",
	    "{\"5\": {\"conclusion\": null, \"status\": null, \"updatedAt\": \"u\"}}" },
	{ "get_workflow_runs", " {\"total_count\":1,\"workflow_runs\":[{\"id\":5,\"status\":\"s\"}]} \n",
	    "{\"5\": {\"conclusion\": null, \"status\": \"s\", \"updatedAt\": null}}" },
	{ "get_workflow_run",
	    "{\"total_count\":1,\"jobs\":[{\"id\":5,\"status\":\"s\",\"conclusion\":\"c\"}]}",
	    "{\"5\": {\"conclusion\": \"c\", \"status\": \"s\", \"updatedAt\": null}}" },
	{ "get_workflow_run", "{\"id\":5,\"status\":\"s\",\"conclusion\":null,\"updated_at\":\"u\"}",
	    "{\"conclusion\": null, \"status\": \"s\", \"updatedAt\": \"u\"}" },
	{ "list_runners",
	    "{\"total_count\":2,\"runners\":[{\"id\":5,\"status\":\"online\",\"busy\":true},{\"name\":\"x\"}]"
	    "}",
	    "{\"5\": {\"busy\": true, \"status\": \"online\"}, \"x\": {\"busy\": null, \"status\": null}}" },
	{ "list_runners", "{\"total_count\":0,\"runners\":[]}", NULL },
	{ "list_runners", "{\"runners\":[{\"id\":5}]}", "{\"busy\": null, \"status\": null}" },
	/* Python's ways: or, str(), keys, the last of duplicates */
	{ "list_repos", "[{\"name\":\"\",\"url\":\"u\"}]",
	    "{\"u\": {\"pushedAt\": null, \"updatedAt\": null}}" },
	{ "list_repos", "[{\"name\":-0.0e9,\"url\":\"u\"},{\"name\":0.5,\"url\":\"v\"}]",
	    "{\"0.5\": {\"pushedAt\": null, \"updatedAt\": null}, \"u\": {\"pushedAt\": null, \"updatedAt\": "
	    "null}}" },
	{ "list_repos", "[{\"name\":null}]", "{\"\": {\"pushedAt\": null, \"updatedAt\": null}}" },
	{ "list_repos", "[{\"url\":null}]", "{\"null\": {\"pushedAt\": null, \"updatedAt\": null}}" },
	{ "list_repos", "[1,\"a\",null,[{\"name\":\"a\"}]]", NULL },
	{ "list_repos_of_user", "[{\"name\":\"a\"}]", "{\"a\": {\"pushedAt\": null, \"updatedAt\": null}}" },
	{ "list_runners", "[{\"id\":null},{\"id\":true},{\"id\":1.50},{}]",
	    "{\"\": {\"busy\": null, \"status\": null}, \"1.5\": {\"busy\": null, \"status\": null}, "
	    "\"None\": {\"busy\": null, \"status\": null}, \"True\": {\"busy\": null, \"status\": null}}" },
	{ "list_runners", "[{\"id\":[1]},{\"id\":2}]", "{\"2\": {\"busy\": null, \"status\": null}}" },
	{ "list_runners", "[{\"id\":2},{\"id\":{}},{\"id\":3}]",
	    "{\"2\": {\"busy\": null, \"status\": null}, \"3\": {\"busy\": null, \"status\": null}}" },
	{ "list_runners", "[{\"id\":[1]}]", NULL },
	{ "get_runner_status", "{\"busy\":true,\"b\\u0075sy\":{\"z\":1,\"a\":[]}}",
	    "{\"busy\": {\"a\": [], \"z\": 1}, \"status\": null}" },
	{ "list_repos", "[{\"name\":\"a\",\"updatedAt\":1},{\"name\":\"\\u0061\",\"updatedAt\":2}]",
	    "{\"a\": {\"pushedAt\": null, \"updatedAt\": 2}}" },
	/* by name */
	{ "list_issues", "[{\"number\":4,\"state\":\"OPEN\",\"updatedAt\":\"\",\"updated_at\":\"u\"}]",
	    "{\"4\": {\"comments\": 0, \"state\": \"OPEN\", \"updatedAt\": \"u\"}}" },
	{ "list_issues", "[{\"id\":4,\"comments\":[{\"b\":1}]}]",
	    "{\"4\": {\"comments\": [{\"b\": 1}], \"state\": null, \"updatedAt\": null}}" },
	{ "list_pull_requests",
	    "[{\"number\":4,\"mergeable\":false,\"mergeableState\":\"dirty\",\"reviews\":{\"totalCount\":3}}"
	    "]",
	    "{\"4\": {\"mergeable\": \"dirty\", \"reviews\": 3, \"state\": null, \"updatedAt\": null}}" },
	{ "get_pr", "{\"mergeable\":true,\"reviews\":[1,2]}",
	    "{\"mergeable\": true, \"reviews\": 0, \"state\": null, \"updatedAt\": null}" },
	{ "get_pr", "{\"mergeable\":false}",
	    "{\"mergeable\": null, \"reviews\": 0, \"state\": null, \"updatedAt\": null}" },
	{ "get_comment", "{\"body\":\"a\\u00e9\\ud83d\\uddddb\",\"updated_at\":\"u\"}",
	    "{\"bodyLength\": 4, \"updatedAt\": \"u\"}" },
	{ "list_commits", "[{\"oid\":\"ab\",\"commit\":{\"committer\":{\"date\":\"d\"}}}]",
	    "{\"ab\": {\"date\": \"d\", \"sha\": \"ab\"}}" },
	{ "get_commit", "{\"sha\":\"ab\",\"committedDate\":\"e\"}", "{\"date\": \"e\", \"sha\": \"ab\"}" },
	{ "list_releases", "[{\"tag_name\":\"v1\",\"id\":3}]",
	    "{\"3\": {\"publishedAt\": null, \"tagName\": \"v1\"}}" },
	{ "list_branches", "[{\"name\":\"m\",\"commit\":{\"sha\":\"ab\"}}]",
	    "{\"m\": {\"name\": \"m\", \"protected\": false, \"sha\": \"ab\"}}" },
	{ "get_tag", "{\"name\":\"v1\",\"commit\":1}", "{\"name\": \"v1\", \"sha\": \"\"}" },
	{ "get_deployment", "{\"id\":7}", "{\"id\": \"7\", \"state\": null, \"updatedAt\": null}" },
	{ "get_deployment", "{\"id\":{}}", "{\"id\": null, \"state\": null, \"updatedAt\": null}" },
	{ "list_checks", "[{\"id\":7,\"completed_at\":\"c\"}]",
	    "{\"7\": {\"completedAt\": \"c\", \"conclusion\": null, \"status\": null}}" },
	/* none */
	{ "git_object", "{\"sha\":\"ab\"}", NULL },
	{ "graphql_query", "{\"data\":1}", NULL },
	{ "codeql_results", "{\"data\":1}", NULL },
	{ "other", "{\"status\":1}", NULL },
	{ "", "{\"status\":1}", NULL },
	{ "copilot_workflow", "{\"status\":1}", NULL },
	{ "get_repo_information", "{\"updatedAt\":1}", NULL },
	{ "list_repos", "[]", NULL },
	{ "list_repos", " [ ] ", NULL },
	{ "list_repos", "{}", NULL },
	{ "list_repos", "null", NULL },
	{ "list_repos", "\"\"", NULL },
	{ "list_repos", "0", NULL },
	{ "list_repos", "-0.0e7", NULL },
	{ "list_repos", "false", NULL },
	{ "list_repos", "true", NULL },
	{ "list_repos", "7", NULL },
	{ "list_repos", "\"text\"", NULL },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span body = span_of(cases[i].body);
		struct buf out;
		buf_init(&out, BUF_MAX_ANY);
		buf_adds(&out, "x");
		int r = fields_of(span_of(cases[i].op), span_make(guard_put(body.p, body.n), body.n), &out);
		if (r != (cases[i].want != NULL))
			fail_msg("%s %s: %d", cases[i].op, cases[i].body, r);
		buf_consume(&out, 1);
		if (!span_eq(buf_span(&out), cases[i].want ? cases[i].want : ""))
			fail_msg("%s %s: %s", cases[i].op, cases[i].body, buf_cstr(&out));
		buf_free(&out);
	}
}

static void test_not_json(void **state)
{
	static const char *const bad[] = { "", "{", "[", "[{\"name\":\"a\"},]", "{\"a\":1}x", "{\"a\"}",
		"tru", "[1" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct buf out;
		buf_init(&out, BUF_MAX_ANY);
		size_t n = strlen(bad[i]);
		assert_int_equal(fields_of(span_of("list_repos"), span_make(guard_put(bad[i], n), n), &out),
		    ERR_PROTO);
		assert_int_equal(buf_len(&out), 0);
		buf_free(&out);
	}
}

/* A large body is fine as long as its fields are small. */
static void test_limit(void **state)
{
	struct buf body, out;

	(void)state;
	buf_init(&body, BUF_MAX_ANY);
	buf_init(&out, BUF_MAX_ANY);
	buf_adds(&body, "[");
	for (int i = 0; i < 9000; i++)
		buf_addf(&body, "%s{\"name\":\"%d\",\"x\":\"%0200d\"}", i ? "," : "", i, 0);
	buf_adds(&body, "]");
	assert_true(buf_len(&body) > (size_t)1 << 20);
	assert_int_equal(fields_of(span_of("list_repos"), buf_span(&body), &out), 1);
	buf_clear(&out);
	buf_truncate(&body, buf_len(&body) - 1);
	for (int i = 0; i < 10000; i++)
		buf_addf(&body, ",{\"name\":\"%0100d\"}", i);
	buf_adds(&body, "]");
	assert_int_equal(fields_of(span_of("list_repos"), buf_span(&body), &out), ERR_LIMIT);
	assert_int_equal(buf_len(&out), 0);
	buf_free(&body);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("github/fields", tests, NULL, NULL);
}
