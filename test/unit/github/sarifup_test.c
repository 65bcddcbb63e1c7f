#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "github/sarifup.h"

static void test_refs(void **state)
{
	static const struct {
		const char *ref;
		bool ok;
	} table[] = { { "refs/heads/main", true }, { "refs/heads/a/b", true }, { "refs/tags/v1", true },
		{ "refs/pull/7/merge", true }, { "refs/pull/7/head", true }, { "main", false },
		{ "refs/heads/", false }, { "refs/tags/", false }, { "refs/pull/x/merge", false },
		{ "refs/pull/7", false }, { "refs/pull/7/merge/x", false }, { "refs/heads/a b", false },
		{ "refs/heads/a\n", false }, { "", false }, { "refs/notes/x", false } };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(sarifup_ref_ok(span_of(table[i].ref)), table[i].ok);
}

static int body_of(const char *commit, const char *ref, struct buf *b)
{
	struct sarifup u = { .commit = commit, .ref = ref, .tool = "T \"x\"", .started = 1763800000000000 };
	int fd = memfd_create("sarif", MFD_CLOEXEC), rc;
	struct err err;

	err_init(&err);
	assert_int_equal(write(fd, "{}", 2), 2);
	buf_init(b, SARIFUP_BODY_MAX);
	rc = sarifup_body(&u, fd, b, &err);
	close(fd);
	return rc;
}

static void test_body(void **state)
{
	static const char commit[] = "0123456789012345678901234567890123456789";
	struct span v;
	struct buf b;

	(void)state;
	assert_int_equal(body_of(commit, "refs/heads/main", &b), 0);
	assert_true(jscan_valid(buf_span(&b)));
	assert_int_equal(jscan_member(buf_span(&b), "commit_sha", &v), 1);
	assert_true(jscan_str_eq(v, commit));
	assert_int_equal(jscan_member(buf_span(&b), "started_at", &v), 1);
	assert_true(jscan_str_eq(v, "2025-11-22T08:26:40Z"));
	assert_int_equal(jscan_member(buf_span(&b), "tool_name", &v), 1);
	assert_true(jscan_str_eq(v, "T \"x\""));
	assert_int_equal(jscan_member(buf_span(&b), "checkout_uri", &v), 0);
	assert_int_equal(jscan_member(buf_span(&b), "sarif", &v), 1);
	assert_true(span_starts(v, "\"H4sI"));		/* gzip's magic in base64 */
	buf_free(&b);
	assert_int_equal(body_of("main", "refs/heads/main", &b), ERR_USAGE);
	buf_free(&b);
	assert_int_equal(body_of(commit, "main", &b), ERR_USAGE);
	buf_free(&b);
}

static void test_answers(void **state)
{
	char id[64];
	struct buf why;

	(void)state;
	assert_true(sarifup_id(span_of("{\"id\":\"47177e22-5596\",\"url\":\"u\"}"), id, sizeof(id)));
	assert_string_equal(id, "47177e22-5596");
	assert_false(sarifup_id(span_of("{\"id\":\"../x\"}"), id, sizeof(id)));
	assert_false(sarifup_id(span_of("{\"id\":\"\"}"), id, sizeof(id)));
	assert_false(sarifup_id(span_of("{\"id\":7}"), id, sizeof(id)));
	assert_false(sarifup_id(span_of("no"), id, sizeof(id)));
	buf_init(&why, 4096);
	assert_int_equal(sarifup_status(span_of("{\"processing_status\":\"pending\"}"), &why),
	    SARIFUP_PENDING);
	assert_int_equal(sarifup_status(span_of("{\"processing_status\":\"complete\"}"), &why),
	    SARIFUP_COMPLETE);
	assert_int_equal(sarifup_status(span_of("{\"processing_status\":\"odd\"}"), &why), SARIFUP_ODD);
	assert_int_equal(sarifup_status(span_of("{}"), &why), SARIFUP_ODD);
	assert_int_equal(sarifup_status(span_of("["), &why), SARIFUP_ODD);
	assert_int_equal(buf_len(&why), 0);
	assert_int_equal(
	    sarifup_status(span_of("{\"processing_status\":\"failed\",\"errors\":[\"a\",\"b\"]}"), &why),
	    SARIFUP_FAILED);
	assert_string_equal(buf_cstr(&why), "a; b");
	buf_free(&why);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_refs), cmocka_unit_test(test_body),
		cmocka_unit_test(test_answers) };

	return cmocka_run_group_tests_name("github/sarifup", tests, NULL, NULL);
}
