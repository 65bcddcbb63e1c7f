#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cm.h"
#include "actions/envfile.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

static void test_entry(void **state)
{
	char first[64], again[64];
	struct buf b;
	const char *text;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(envfile_entry(&b, "A", span_of("one\ntwo"), NULL), 0);
	text = buf_cstr(&b);
	assert_int_equal(sscanf(text, "A<<%63s", first), 1);
	assert_int_equal(strlen(first), strlen("ghoard_") + 32);
	assert_non_null(strstr(text, "\none\ntwo\nghoard_"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_string_equal(strstr(text, "two\n") + 4, strcat(strcpy(again, first), "\n"));
	/* another one each time */
	buf_clear(&b);
	assert_int_equal(envfile_entry(&b, "A", span_of(""), NULL), 0);
	assert_int_equal(sscanf(buf_cstr(&b), "A<<%63s", again), 1);
	assert_string_not_equal(first, again);
	assert_int_equal(envfile_entry(&b, "A", span_make("a\0b", 3), NULL), ERR_USAGE);
	assert_int_equal(envfile_entry(&b, "A", span_of("\xff"), NULL), ERR_USAGE);
	buf_free(&b);
}

static void expect(const char *path, const char *want)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(file_read(path, 4096, true, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

/* A full disk leaves nothing half. */
static void test_full(void **state)
{
	const struct rlimit little = { 8, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)state;
	assert_int_equal(close(open("full", O_WRONLY | O_CREAT, 0600)), 0);
	assert_int_equal(envfile_append("full", span_of("A=1\n"), NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	assert_int_equal(envfile_append("full", span_of("B<<x\nvalue\nx\n"), NULL), ERR_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	signal(SIGXFSZ, SIG_DFL);
	expect("full", "A=1\n");
}

static void test_append(void **state)
{
	(void)state;
	assert_int_equal(envfile_append("none", span_of("A=1\n"), NULL), ERR_IO);
	assert_int_equal(access("none", F_OK), -1);
	assert_int_equal(close(open("env", O_WRONLY | O_CREAT, 0600)), 0);
	assert_int_equal(envfile_append("env", span_of("A=1\n"), NULL), 0);
	assert_int_equal(envfile_append("env", span_of("B=2"), NULL), 0);
	assert_int_equal(envfile_append("env", span_of("C=3\n"), NULL), 0);
	expect("env", "A=1\nB=2\nC=3\n");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(envfile_append("fifo", span_of("A=1\n"), NULL), ERR_IO);
}

static void test_denied(void **state)
{
	static const struct {
		const char *name, *pattern;
	} cases[] = { { "PATH", "PATH" }, { "path", "PATH" }, { "PATHS", NULL }, { "LD_PRELOAD", "LD_*" },
		{ "LD_", "LD_*" }, { "LD", NULL }, { "https_proxy", "*_PROXY" }, { "PROXY", NULL },
		{ "PythonPath", "PYTHON*" }, { "ACTIONS_ALLOW_UNSECURE_COMMANDS", "ACTIONS_*" },
		{ "_JAVA_OPTIONS", "_JAVA_OPTIONS" }, { "JAVA_HOME", NULL }, { "MY_TOKEN", NULL },
		{ "GITHUB_TOKEN", "GITHUB_*" }, { "CREDENTIALS_DIR", "CREDENTIALS_DIR" },
		{ "ENVIRONMENT", NULL } };
	char longest[200];
	const char *got;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		got = envfile_denied(span_of(cases[i].name));
		if (cases[i].pattern == NULL)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].pattern);
	}
	memset(longest, 'A', sizeof(longest));
	assert_non_null(envfile_denied(span_make(longest, sizeof(longest))));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_entry), cmocka_unit_test(test_append),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_denied) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
