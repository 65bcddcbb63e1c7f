#include <stdlib.h>

#include "../base/cm.h"
#include "file.h"
#include "base/err.h"
#include "codeql/edits.h"

static int append(void *arg, const void *p, size_t n, struct err *err)
{
	(void)err;
	buf_add(arg, p, n);
	return 0;
}

static int apply(struct edits *e, const char *text, struct buf *out)
{
	int fd = file_of(span_of(text)), rc;
	struct err err;

	err_init(&err);
	buf_clear(out);
	rc = edits_apply(e, fd, append, out, &err);
	close(fd);
	edits_free(e);
	edits_init(e);
	return rc;
}

static void test_edits(void **state)
{
	struct edits e;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	edits_init(&e);
	assert_int_equal(apply(&e, "0123456789", &out), 0);
	assert_string_equal(buf_cstr(&out), "0123456789");
	edits_put(&e, 10, span_of("end"));
	edits_cut(&e, 2, 4);
	edits_put(&e, 0, span_of("a"));
	edits_put(&e, 0, span_of("b"));
	edits_cut(&e, 4, 6);
	edits_put(&e, 2, span_of("[in]"));
	edits_cut(&e, 7, 7);
	assert_int_equal(apply(&e, "0123456789", &out), 0);
	assert_string_equal(buf_cstr(&out), "ab01[in]6789end");
	edits_cut(&e, 0, 10);
	assert_int_equal(apply(&e, "0123456789", &out), 0);
	assert_string_equal(buf_cstr(&out), "");
	edits_cut(&e, 2, 6);
	edits_cut(&e, 5, 7);
	assert_int_equal(apply(&e, "0123456789", &out), ERR_DAMAGED);
	edits_put(&e, 11, span_of("x"));
	assert_int_equal(apply(&e, "0123456789", &out), ERR_DAMAGED);
	edits_free(&e);
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_edits) };

	return cmocka_run_group_tests_name("codeql/edits", tests, NULL, NULL);
}
