#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cm.h"
#include "actions/summary.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

static char dir[64], path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/ghoard-summary-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/summary.md", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void content_is(const char *want)
{
	struct buf b;

	buf_init(&b, BUF_MAX_ANY);
	assert_int_equal(file_read(path, 4096, true, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void test_appends(void **state)
{
	(void)state;
	assert_int_equal(summary_append(path, span_of("a\n"), NULL), 0);
	assert_int_equal(summary_append(path, span_of(""), NULL), 0);
	assert_int_equal(summary_append(path, span_of("b\n"), NULL), 0);
	content_is("a\nb\n");
}

/* Neither without a reader nor with one that does not read. */
static void test_a_pipe_is_not_waited_for(void **state)
{
	char much[4096] = { 0 };
	struct err e;
	int fd, rc = 0;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	err_init(&e);
	assert_int_equal(summary_append(path, span_of("a"), &e), ERR_IO);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(summary_append(path, span_of("a"), &e), 0);
	assert_int_equal(read(fd, much, 2), 1);
	for (int i = 0; rc == 0 && i < 1000; i++)
		rc = summary_append(path, span_make(much, sizeof much), &e);
	assert_int_equal(rc, ERR_IO);
	close(fd);
}

static void test_limit(void **state)
{
	struct stat st;
	struct err e;

	(void)state;
	char *much = calloc(1, SUMMARY_MAX + 1);
	assert_non_null(much);
	err_init(&e);
	assert_int_equal(summary_append(path, span_make(much, SUMMARY_MAX + 1), &e), ERR_LIMIT);
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(summary_append(path, span_make(much, SUMMARY_MAX - 1), NULL), 0);
	assert_int_equal(summary_append(path, span_of("ab"), NULL), ERR_LIMIT);
	assert_int_equal(summary_append(path, span_of("a"), NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, SUMMARY_MAX);
	free(much);
}

static void test_no_file(void **state)
{
	struct err e;

	(void)state;
	err_init(&e);
	assert_int_equal(summary_append("/nonexistent/summary", span_of("x"), &e), ERR_IO);
	assert_non_null(strstr(e.msg, "/nonexistent/summary: No such file"));
	assert_int_equal(summary_append(dir, span_of("x"), NULL), ERR_IO);
	assert_int_equal(summary_append("/dev/full", span_of("x"), NULL), ERR_IO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_appends), TEST(test_a_pipe_is_not_waited_for),
		TEST(test_limit), TEST(test_no_file) };

	return cmocka_run_group_tests_name("actions/summary", tests, NULL, NULL);
}
