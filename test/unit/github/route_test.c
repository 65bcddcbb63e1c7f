#include <string.h>

#include "../base/cm.h"
#include "github/route.h"

#define SHA1 "0123456789abcdef0123456789ABCDEF01234567"
#define SHA2 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct get_case {
	const char *target, *op;
	enum route_policy policy;
	int32_t ttl;
} gets[] = {
	{ "/user/repos", "list_repos", ROUTE_TTL, 600 },
	{ "/user/repos?per_page=100&page=2", "list_repos", ROUTE_TTL, 600 },
	{ "/users/octo/repos", "list_repos", ROUTE_TTL, 600 },
	{ "/user/583231/repos?page=2", "list_repos", ROUTE_TTL, 600 },
	{ "/orgs/github/repos", "list_repos", ROUTE_TTL, 600 },
	{ "/organizations/9919/repos", "list_repos", ROUTE_TTL, 600 },
	{ "/installation/repositories", "list_repos", ROUTE_TTL, 600 },
	{ "/user/octo/repos", "other", ROUTE_TTL, 300 },
	{ "/User/repos", "other", ROUTE_TTL, 300 },
	{ "/user/repos/", "other", ROUTE_TTL, 300 },
	{ "/user/reposx", "other", ROUTE_TTL, 300 },
	{ "/users/octo/repos/x", "other", ROUTE_TTL, 300 },
	{ "/users//repos", "other", ROUTE_TTL, 300 },
	{ "/installation/repositories/1", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r", "get_repo_info", ROUTE_TTL, 300 },
	{ "/repos/o/r?x=/actions/runs", "get_repo_info", ROUTE_TTL, 300 },
	{ "/repos/o/status", "get_repo_info", ROUTE_TTL, 300 },
	{ "/repos/members/logs", "get_repo_info", ROUTE_TTL, 300 },
	{ "/repositories/1300192", "get_repo_info", ROUTE_TTL, 300 },
	{ "/repositories", "other", ROUTE_TTL, 300 },
	{ "/repositories/abc", "other", ROUTE_TTL, 300 },
	{ "/repos/o", "other", ROUTE_TTL, 300 },
	{ "/repos/o/", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/contents/status", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/contents", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/contents/a/logs", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/workflows", "list_workflows", ROUTE_TTL, 300 },
	{ "/repositories/7/actions/workflows", "list_workflows", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/workflows/1", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/runs", "get_workflow_runs", ROUTE_TTL, 120 },
	{ "/repositories/7/actions/runs?page=2", "get_workflow_runs", ROUTE_TTL, 120 },
	{ "/repos/o/r/actions/workflows/ci.yml/runs", "get_workflow_runs", ROUTE_TTL, 120 },
	{ "/repos/o/r/actions/runs/17", "get_workflow_run", ROUTE_TTL, 60 },
	{ "/repos/o/r/actions/runs/17/jobs", "get_workflow_run", ROUTE_TTL, 60 },
	{ "/repos/o/r/actions/runs/17/attempts/2", "get_workflow_run", ROUTE_TTL, 60 },
	{ "/repos/o/r/actions/runs/17/attempts/2/jobs", "get_workflow_run", ROUTE_TTL, 60 },
	{ "/repos/o/r/actions/jobs/3", "get_workflow_run", ROUTE_TTL, 60 },
	{ "/repos/o/r/actions/runs/17/artifacts", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/runs/x17", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/runners", "list_runners", ROUTE_TTL, 300 },
	{ "/orgs/o/actions/runners", "list_runners", ROUTE_TTL, 300 },
	{ "/organizations/5/actions/runners", "list_runners", ROUTE_TTL, 300 },
	{ "/enterprises/e/actions/runners", "list_runners", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/runners/3", "get_runner_status", ROUTE_TTL, 60 },
	{ "/orgs/o/actions/runners/3", "get_runner_status", ROUTE_TTL, 60 },
	{ "/enterprises/e/actions/runners/3", "get_runner_status", ROUTE_TTL, 60 },
	{ "/repos/o/r/actions/runners/downloads", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/runners/3/labels", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/git/commits/" SHA1, "git_object", ROUTE_IMMUTABLE, 86400 },
	{ "/repos/o/r/git/trees/" SHA1 "?recursive=1", "git_object", ROUTE_IMMUTABLE, 86400 },
	{ "/repos/o/r/git/blobs/" SHA2, "git_object", ROUTE_IMMUTABLE, 86400 },
	{ "/repos/o/r/commits/" SHA1, "git_object", ROUTE_IMMUTABLE, 86400 },
	{ "/repositories/7/commits/" SHA1, "git_object", ROUTE_IMMUTABLE, 86400 },
	{ "/repos/o/r/commits/" SHA1 "0", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/commits/0123456789abcdef0123456789ABCDEF0123456", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/commits/g123456789abcdef0123456789ABCDEF01234567", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/git/trees/main", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/git/refs/" SHA1, "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/commits/" SHA1 "/comments", "other", ROUTE_TTL, 300 },
	{ "/graphql", "other", ROUTE_TTL, 300 },
	{ "/", "other", ROUTE_TTL, 300 },
	{ "", "other", ROUTE_TTL, 300 },
	{ "x", "other", ROUTE_TTL, 300 },
	{ "/apps/dependabot", "other", ROUTE_TTL, 300 },
	{ "/orgs/o/members", "other", ROUTE_TTL, 300 },
	{ "/orgs/logs", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/actions/artifacts/9", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/releases/1/assets", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/pulls", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/pulls/comments", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/pulls/5/files", "other", ROUTE_TTL, 300 },
	{ "/repos/status/r/issues", "other", ROUTE_TTL, 300 },
	{ "/repos/collaborators/r/issues", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/statusx", "other", ROUTE_TTL, 300 },
	{ "/repos/o/r/issues?q=/status", "other", ROUTE_TTL, 300 },
};

static const char *const asked[] = {
	"/repos/o/r/commits/main/status",
	"/repos/o/r/commits/feature/x/status",
	"/repositories/7/commits/main/status",
	"/repos/o/r/commits/" SHA1 "/statuses",
	"/repos/o/r/commits/" SHA1 "/check-runs",
	"/repos/o/r/check-runs/1/annotations",
	"/repos/o/r/check-suites/1/check-runs",
	"/repos/o/r/check-suites/1",
	"/repos/o/r/commits/main/check-suites",
	"/repos/o/r/deployments",
	"/repos/o/r/deployments/1/statuses",
	"/repos/o/r/pulls/5",
	"/repositories/7/pulls/5",
	"/repos/o/r/pulls/5/reviews",
	"/repos/o/r/pulls/5/reviews/1",
	"/notifications",
	"/notifications/threads/1",
	"/notifications?all=1",
};

static const char *const never[] = {
	"/rate_limit",
	"/app",
	"/app/installations/1",
	"/applications/x/token",
	"/applications/grants",
	"/repos/o/r/collaborators",
	"/repos/o/r/collaborators/u",
	"/repos/o/r/collaborators/u/permission",
	"/repositories/7/collaborators/u/permission",
	"/orgs/o/x/permission",
	"/orgs/o/members/u",
	"/teams/3/members/u",
	"/organizations/5/members/u",
	"/orgs/o/teams/t/memberships/u",
	"/user/memberships/orgs",
	"/orgs/o/memberships/u",
	"/repos/o/r/branches/a/b/protection",
	"/repos/o/r/branches/main/protection/restrictions/users",
	"/repos/o/r/actions/runs/1/logs",
	"/repos/o/r/actions/runs/1/attempts/1/logs",
	"/repos/o/r/actions/jobs/1/logs",
	"/repos/o/r/zipball",
	"/repos/o/r/zipball/heads/main",
	"/repos/o/r/tarball/main",
	"/repositories/7/tarball",
	"/repos/o/r/actions/artifacts/9/zip",
	"/repos/o/r/releases/assets/1",
};

static void check(const char *method, const char *target, const char *op, enum route_policy policy,
    int32_t ttl)
{
	const struct route *r = route_find(span_of(method), span_of(target));

	if (strcmp(r->op, op) != 0 || r->policy != policy || r->ttl != ttl)
		fail_msg("%s %s: %s, policy %d, ttl %d", method, target, r->op, (int)r->policy, (int)r->ttl);
}

static void test_rows_and_near_misses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gets); i++) {
		check("GET", gets[i].target, gets[i].op, gets[i].policy, gets[i].ttl);
		check("HEAD", gets[i].target, gets[i].op, gets[i].policy, gets[i].ttl);
	}
	for (size_t i = 0; i < COUNT(asked); i++)
		check("GET", asked[i], "other", ROUTE_ASK, 0);
	for (size_t i = 0; i < COUNT(never); i++)
		check("GET", never[i], "other", ROUTE_NEVER, 0);
}

static void test_methods(void **state)
{
	(void)state;
	check("POST", "/graphql", "graphql_query", ROUTE_TTL, 60);
	check("POST", "/graphql?x", "graphql_query", ROUTE_TTL, 60);
	check("POST", "/graphql/x", "other", ROUTE_NEVER, 0);
	check("POST", "/repos/o/r", "other", ROUTE_NEVER, 0);
	check("get", "/repos/o/r", "other", ROUTE_NEVER, 0);
	check("DELETE", "/repos/o/r", "other", ROUTE_NEVER, 0);
}

static void test_by_op(void **state)
{
	static const struct {
		const char *op;
		int32_t ttl;
	} want[] = {
		{ "list_repos", 600 },
		{ "get_repo_info", 300 },
		{ "list_workflows", 300 },
		{ "get_workflow_runs", 120 },
		{ "get_workflow_run", 60 },
		{ "list_runners", 300 },
		{ "get_runner_status", 60 },
		{ "copilot_completion", 3600 },
		{ "codeql_results", 86400 },
		{ "git_object", 86400 },
		{ "graphql_query", 60 },
		{ "other", 300 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct route *r = route_by_op(span_of(want[i].op));
		assert_non_null(r);
		assert_string_equal(r->op, want[i].op);
		assert_int_equal(r->ttl, want[i].ttl);
		assert_true(r->policy == ROUTE_TTL || r->policy == ROUTE_IMMUTABLE);
	}
	assert_ptr_equal(route_by_op(span_of("other")), route_find(span_of("GET"), span_of("/anything")));
	assert_null(route_by_op(span_of("get_repo")));
	assert_null(route_by_op(span_of("")));
}

static void test_at(void **state)
{
	const char *pattern = NULL;
	const struct route *r, *last = NULL;
	size_t i;

	(void)state;
	for (i = 0; (r = route_at(i, &pattern)); i++) {
		assert_non_null(pattern);
		for (const char *c = r->op; *c; c++)
			assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
		last = r;
	}
	assert_true(i > 30);
	assert_ptr_equal(last, route_find(span_of("GET"), span_of("/anything")));
	assert_null(route_at(i, &pattern));
	assert_null(route_at(SIZE_MAX, &pattern));
}

static void test_target_ok(void **state)
{
	static const char *const good[] = {
		"/",
		"/repos/o/r",
		"/repos/o/r/",
		"/repos/o/r?page=2",
		"/repos/o/r/contents/a%20b",
		"/repos/o/r/contents/%e2%82%ac",
		"/a/..b",
		"/a/b..",
		"/a/...",
		"/a/.b",
		"/x?",
		"/x?a=//..",
		"/x?tokens=1",
		"/x?my_token=1",
		"/x?sign=1",
		"/x?a=token=",
		"/x?xamz-=1",
		"/x?q=a%20b&sort=b",
		"/repos/o/r/labels/a%3Fb",
	};
	static const char *const bad[] = {
		"",
		"x",
		"?x",
		"*",
		"https://api.github.com/",
		"//",
		"//a",
		"/a//b",
		"/a//",
		"/.",
		"/..",
		"/a/../b",
		"/a/.",
		"/a/..",
		"/a/./b",
		"/%2e",
		"/a/%2E%2e/b",
		"/a%2fb",
		"/a%2Fb",
		"/a%5cb",
		"/a\\b",
		"/a%00b",
		"/a%0Ab",
		"/a%7fb",
		"/a%",
		"/a%2",
		"/a%zz",
		"/a%2g",
		"/repos/o/r/coll%61borators",
		"/a b",
		"/a\tb",
		"/a\x7f"
		"b",
		"/a\x80"
		"b",
		"/a#b",
		"/x?access_token=1",
		"/x?ACCESS_TOKEN=1",
		"/x?a=1&client_secret",
		"/x?a=1&token=2",
		"/x?a;token=2",
		"/x?sig=",
		"/x?Sig=1",
		"/x?X-Amz-Signature=1",
		"/x?x-amz-",
		"/x?to%6ben=1",
		"/x?token[]=1",
		"/x?token%5B%5D=1",
		"/x?access%5ftoken=1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (!route_target_ok(span_of(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (route_target_ok(span_of(bad[i])))
			fail_msg("accepted: %s", bad[i]);
	assert_false(route_target_ok(span_make("/a\0b", 4)));
	assert_false(route_target_ok(span_make(NULL, 0)));
}

static void prefix(const char *target, const char *want)
{
	struct span got = route_repo_prefix(span_of(target));

	if (!span_eq(got, want))
		fail_msg("%s: '%.*s'", target, (int)got.n, got.n ? got.p : "");
}

static void test_repo_prefix(void **state)
{
	(void)state;
	prefix("/repos/o/r", "/repos/o/r");
	prefix("/repos/o/r?a=b", "/repos/o/r");
	prefix("/repos/o/r/actions/runs?x=/repos/a/b", "/repos/o/r");
	prefix("/repositories/17/pulls", "/repositories/17");
	prefix("/repositories/17", "/repositories/17");
	prefix("/repositories/x", "");
	prefix("/repos/o", "");
	prefix("/repos//r", "");
	prefix("/repos/o/?x", "");
	prefix("/user/repos/o/r", "");
	prefix("/user", "");
	prefix("", "");
}

static void test_per_page(void **state)
{
	static const struct {
		const char *target;
		int want;
	} cases[] = {
		{ "/x", 30 },
		{ "/x?page=3", 30 },
		{ "/x?per_page=1", 1 },
		{ "/x?page=2&per_page=100", 100 },
		{ "/x?per_page=101", 100 },
		{ "/x?per_page=99999999999999999999", 30 },
		{ "/x?per_page=0", 30 },
		{ "/x?per_page=", 30 },
		{ "/x?per_page=-5", 30 },
		{ "/x?per_page=5&per_page=7", 7 },
		{ "/x?xper_page=5", 30 },
		{ "/x?per_page=50&", 50 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (route_per_page(span_of(cases[i].target)) != cases[i].want)
			fail_msg("%s", cases[i].target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_and_near_misses),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_by_op),
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_target_ok),
		cmocka_unit_test(test_repo_prefix),
		cmocka_unit_test(test_per_page),
	};

	return cmocka_run_group_tests_name("github/route", tests, NULL, NULL);
}
