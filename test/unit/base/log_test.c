#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cm.h"

static int stderr_was, pipe_in;
static char line[65536];

/* A datagram-like view of stderr: one read returns what one write wrote, if nothing else was written. */
static void capture(void)
{
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	stderr_was = dup(2);
	dup2(p[1], 2);
	close(p[1]);
	pipe_in = p[0];
}

static const char *captured(void)
{
	ssize_t n = read(pipe_in, line, sizeof line - 1);

	dup2(stderr_was, 2);
	close(stderr_was);
	close(pipe_in);
	line[n > 0 ? n : 0] = '\0';
	return line;
}

#define LOGGED(...) (capture(), log_msg(__VA_ARGS__), captured())

static void test_text(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, false, NULL);
	assert_string_equal(LOGGED(LOG_ERROR, "no %s", "way"), "ghoard: error: no way\n");
	assert_string_equal(LOGGED(LOG_WARN, "hm"), "ghoard: warning: hm\n");
	assert_string_equal(LOGGED(LOG_INFO, "so"), "ghoard: so\n");
	assert_string_equal(LOGGED(LOG_DEBUG, "x %d", 1), "ghoard: debug: x 1\n");
}

static void test_levels(void **state)
{
	enum log_level l;

	(void)state;
	assert_true(log_enabled(LOG_WARN));
	assert_false(log_enabled(LOG_INFO));
	assert_string_equal(LOGGED(LOG_INFO, "so"), "");
	log_setup(LOG_ERROR, false, NULL);
	assert_false(log_enabled(LOG_WARN));
	assert_string_equal(LOGGED(LOG_WARN, "hm"), "");
	assert_true(log_level_parse("warn", &l) && l == LOG_WARN);
	assert_true(log_level_parse("WARNING", &l) && l == LOG_WARN);
	assert_true(log_level_parse("error", &l) && l == LOG_ERROR);
	assert_true(log_level_parse("info", &l) && l == LOG_INFO);
	assert_true(log_level_parse("debug", &l) && l == LOG_DEBUG);
	assert_false(log_level_parse("", &l));
	assert_false(log_level_parse("loud", &l));
}

static void test_escapes(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, false, NULL);
	assert_string_equal(LOGGED(LOG_INFO, "a\nb\r\t\x1b[0m\x7f"),
	    "ghoard: a\\x0ab\\x0d\\x09\\x1b[0m\\x7f\n");
	assert_string_equal(LOGGED(LOG_INFO, "x##[error]y # ## ["), "ghoard: x\\x23#[error]y # ## [\n");
	assert_string_equal(LOGGED(LOG_INFO, "###[a]"), "ghoard: #\\x23#[a]\n");
	assert_string_equal(LOGGED(LOG_INFO, "a##["), "ghoard: a\\x23#[\n");
	assert_string_equal(LOGGED(LOG_INFO, "a##"), "ghoard: a##\n");
	assert_string_equal(LOGGED(LOG_INFO, "\xc2\xa0\xc2\x9f\xc2"), "ghoard: \xc2\xa0\\xc2\\x9f\\xc2\n");
	assert_string_equal(LOGGED(LOG_INFO, "\xc3\xa9\xe6\x9d\xb1\xf0\x9f\x97\x9d"),
	    "ghoard: \xc3\xa9\xe6\x9d\xb1\xf0\x9f\x97\x9d\n");
	assert_string_equal(LOGGED(LOG_INFO, "\xc2\x9b\xff\xe2\x80\xa8\xe6\x9d"),
	    "ghoard: \\xc2\\x9b\\xff\\xe2\\x80\\xa8\\xe6\\x9d\n");
	assert_string_equal(LOGGED(LOG_INFO, "\xe2\x80\xa7"), "ghoard: \xe2\x80\xa7\n");
}

static void test_json(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, true, NULL);
	const char *s = LOGGED(LOG_WARN, "a\"\\\n\xc3\xa9\xff##[x] %d", 5);
	assert_true(strncmp(s, "{\"time\":\"20", 11) == 0);
	assert_string_equal(s + 29,
	    "\",\"level\":\"warning\",\"msg\":"
	    "\"a\\\"\\\\\\u000a\xc3\xa9\\\\xff\\u0023#[x] 5\"}\n");
}

static void test_long(void **state)
{
	char big[20000];

	(void)state;
	memset(big, 1, sizeof big);
	big[sizeof big - 1] = '\0';
	log_setup(LOG_DEBUG, false, NULL);
	const char *s = LOGGED(LOG_ERROR, "%s", big);
	assert_int_equal(strlen(s), strlen("ghoard: error: \n") + 2047 * 4);
	assert_string_equal(s + strlen(s) - 5, "\\x01\n");
	log_setup(LOG_DEBUG, true, NULL);
	s = LOGGED(LOG_ERROR, "%s", big);
	assert_string_equal(s + strlen(s) - 9, "\\u0001\"}\n");
}

static enum log_level seen_level;
static char seen[512];

static void annotate(enum log_level level, const char *msg)
{
	seen_level = level;
	snprintf(seen, sizeof seen, "%s", msg);
}

static void test_annotate(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, false, annotate);
	assert_string_equal(LOGGED(LOG_ERROR, "bad\n%s", "##[x]"), "");
	assert_int_equal(seen_level, LOG_ERROR);
	assert_string_equal(seen, "bad\\x0a\\x23#[x]");
	assert_string_equal(LOGGED(LOG_WARN, "hm"), "");
	assert_string_equal(seen, "hm");
	assert_string_equal(LOGGED(LOG_INFO, "so"), "ghoard: so\n");
	assert_string_equal(seen, "hm");
}

static void test_errno_and_gone_stderr(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, false, NULL);
	stderr_was = dup(2);
	close(2);
	errno = ENOTTY;
	log_error("nobody reads this");
	assert_int_equal(errno, ENOTTY);
	dup2(stderr_was, 2);
	close(stderr_was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels), /* first: it looks at the state before log_setup */
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_annotate),
		cmocka_unit_test(test_errno_and_gone_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
