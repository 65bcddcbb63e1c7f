#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/params.h"

static const struct opt raw = { "raw-field", 'f', OPT_LIST, "K=V", 0, "" },
			typed = { "field", 'F', OPT_LIST, "K=V", 0, "" };

/* Fields as on a command line: "|" stands for -F. NULL ends. */
static struct opt_list list_of(const char *const *words)
{
	struct opt_list l = { 0 };

	for (; *words != NULL; words++, l.n++) {
		l.item[l.n].opt = **words == '|' ? &typed : &raw;
		l.item[l.n].value = *words + (**words == '|');
	}
	return l;
}

#define BODY(want, graphql, cursor, ...) do { \
	const char *const words[] = { __VA_ARGS__, NULL }; \
	expect_body(words, graphql, cursor, want); \
} while (0)

static void expect_body(const char *const *words, bool graphql, const char *cursor, const char *want)
{
	struct opt_list l = list_of(words);
	struct span c = { cursor, cursor != NULL ? strlen(cursor) : 0 };
	struct err err;
	struct buf b;

	err_init(&err);
	buf_init(&b, PARAMS_MAX);
	int rc = params_body(&l, graphql, c, &b, &err);
	if (want[0] == '{') {
		assert_int_equal(rc, 0);
		assert_string_equal(buf_cstr(&b), want);
	} else {
		assert_true(rc < 0);
		assert_non_null(strstr(err.msg, want));
	}
	buf_free(&b);
}

static void test_body(void **state)
{
	(void)state;
	BODY("{}", false, NULL, NULL);
	BODY("{\"a\":\"1\",\"b\":\"true\",\"c\":\"\"}", false, NULL, "a=1", "b=true", "c=");
	BODY("{\"a\":1,\"b\":true,\"c\":false,\"d\":null,\"e\":\"x\",\"f\":\"\"}", false, NULL, "|a=1",
	    "|b=true", "|c=false", "|d=null", "|e=x", "|f=");
	BODY("{\"a\":-5,\"b\":\"1.5\",\"c\":\"1e3\",\"d\":\"True\"}", false, NULL, "|a=-5", "|b=1.5",
	    "|c=1e3", "|d=True");
	BODY("{\"a\":9007199254740993}", false, NULL, "|a=9007199254740993");
	BODY("{\"a\":\"b=c\",\"d\":\"\\\"\\\\ \xc3\xa9\"}", false, NULL, "a=b=c", "d=\"\\ \xc3\xa9");
	BODY("key=value", false, NULL, "a");
	BODY("key=value", false, NULL, "=x");
}

/* As gh has them. */
static void test_nested(void **state)
{
	(void)state;
	BODY("{\"a\":{\"b\":\"1\",\"c\":{\"d\":2}}}", false, NULL, "a[b]=1", "|a[c][d]=2");
	BODY("{\"a\":[\"1\",2]}", false, NULL, "a[]=1", "|a[]=2");
	BODY("{\"a\":{\"b\":[\"1\",\"2\"]}}", false, NULL, "a[b][]=1", "a[b][]=2");
	BODY("{\"a\":[{\"x\":\"1\",\"y\":\"2\"},{\"x\":\"3\"}]}", false, NULL, "a[][x]=1", "a[][y]=2",
	    "a[][x]=3");
	BODY("two different kinds", false, NULL, "a=1", "a[b]=2");
	BODY("two different kinds", false, NULL, "a[]=1", "a[b]=2");
	BODY("two different kinds", false, NULL, "a[b]=1", "a[]=2");
	BODY("malformed", false, NULL, "a[b=1");
	BODY("malformed", false, NULL, "a[b]c=1");
	BODY("malformed", false, NULL, "[a]=1");
}

static void test_graphql(void **state)
{
	(void)state;
	BODY("{\"variables\":{\"n\":5},\"query\":\"{x}\",\"operationName\":\"o\"}", true, NULL, "query={x}",
	    "|n=5", "operationName=o");
	BODY("{\"variables\":{\"endCursor\":\"Y3==\"},\"query\":\"{x}\"}", true, "Y3==", "query={x}");
	BODY("{\"variables\":{\"endCursor\":\"new\"}}", true, "new", "endCursor=old");
}

static void test_file(void **state)
{
	int in[2], saved;

	(void)state;
	assert_int_equal(file_write(AT_FDCWD, "in.txt", 0600, false, "line\n", 5, NULL), 0);
	BODY("{\"a\":\"line\\n\",\"b\":\"@in.txt\"}", false, NULL, "|a=@in.txt", "b=@in.txt");
	BODY("none.txt", false, NULL, "|a=@none.txt");
	assert_int_equal(pipe(in), 0);
	saved = dup(STDIN_FILENO);
	assert_true(dup2(in[0], STDIN_FILENO) >= 0);
	assert_int_equal(write(in[1], "piped", 5), 5);
	close(in[1]);
	BODY("{\"a\":\"piped\"}", false, NULL, "|a=@-");
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close(saved);
	close(in[0]);
}

static void expect_expanded(const char *text, const char *want)
{
	struct err err;
	struct buf b;

	err_init(&err);
	buf_init(&b, 1000);
	int rc = params_expand(span_of(text), &b, &err);
	if (want != NULL) {
		assert_int_equal(rc, 0);
		assert_string_equal(buf_cstr(&b), want);
	} else {
		assert_int_equal(rc, ERR_USAGE);
		assert_string_not_equal(err.msg, "");
	}
	buf_free(&b);
}

static void test_expand(void **state)
{
	(void)state;
	unsetenv("GH_REPO");
	unsetenv("GITHUB_REPOSITORY");
	unsetenv("GITHUB_REF_NAME");
	expect_expanded("repos/{owner}/{repo}", NULL);
	expect_expanded("{branch}", NULL);
	expect_expanded("/user", "/user");
	setenv("GITHUB_REPOSITORY", "octo/hello", 1);
	setenv("GITHUB_REF_NAME", "main", 1);
	expect_expanded("repos/{owner}/{repo}/branches/{branch}", "repos/octo/hello/branches/main");
	expect_expanded("{repo}{repo}", "hellohello");
	expect_expanded("{other} {owner", "{other} {owner");
	expect_expanded("}{owner}{", "}octo{");
	expect_expanded("{}{{owner}}", "{}{octo}");
	expect_expanded("query{repository(owner:\"{owner}\",name:\"{repo}\"){id}}",
	    "query{repository(owner:\"octo\",name:\"hello\"){id}}");
	setenv("GH_REPO", "", 1);
	expect_expanded("{owner}", "octo");
	setenv("GH_REPO", "cat/food", 1);
	expect_expanded("{owner}/{repo}", "cat/food");
	setenv("GH_REPO", "nothing", 1);
	expect_expanded("{owner}", NULL);
	setenv("GH_REPO", "cat/food", 1);
	BODY("{\"a\":\"cat\",\"b\":\"{owner}\"}", false, NULL, "|a={owner}", "b={owner}");
}

static void expect_query(const char *const *words, const char *target, const char *want)
{
	struct opt_list l = list_of(words);
	struct buf b;

	buf_init(&b, 1000);
	buf_adds(&b, target);
	assert_int_equal(params_query(&l, &b, NULL), want != NULL ? 0 : ERR_USAGE);
	if (want != NULL)
		assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void test_query(void **state)
{
	static const char *const none[] = { NULL }, *const two[] = { "a=1", "b=x y&z=\xc3\xa9/", NULL },
				 *const bad[] = { "a", NULL };

	(void)state;
	expect_query(none, "/user", "/user");
	expect_query(two, "/user", "/user?a=1&b=x%20y%26z%3D%C3%A9%2F");
	expect_query(two, "/user?p=2", "/user?p=2&a=1&b=x%20y%26z%3D%C3%A9%2F");
	expect_query(bad, "/user", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_graphql),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
