#include <signal.h>
#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "cred/tool.h"

static int run(const char *script, const char *in, int64_t ms, struct buf *out)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	char *envp[] = { NULL };
	const struct tool t = { argv, envp, span_of(in), ms };

	return tool_run(&t, out, NULL);
}

static void test_run(void **state)
{
	const char *const argv[] = { "/nonexistent/tool", NULL };
	char *envp[] = { NULL };
	const struct tool none = { argv, envp, span_of(""), 1000 };
	int64_t begin = clock_mono();
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_int_equal(run("cat; exit 3", "what it is told", 5000, &b), 3);
	assert_string_equal(buf_cstr(&b), "what it is told");
	assert_int_equal(run("env", "", 5000, &b), 0);
	assert_null(strstr(buf_cstr(&b), "HOME="));
	assert_int_equal(run("echo x >&2; exit 0", "", 5000, NULL), 0);
	assert_int_equal(run("kill -9 $$", "", 5000, NULL), ERR_UNAVAIL);
	/* it does not read what it is told */
	assert_int_equal(run("exit 0", "unread", 5000, NULL), 0);
	assert_int_equal(tool_run(&none, NULL, NULL), ERR_UNAVAIL);
	assert_true(clock_mono() - begin < 4000);
	begin = clock_mono();
	assert_int_equal(run("exec sleep 20", "", 200, &b), ERR_TIMEOUT);
	assert_true(clock_mono() - begin < 2000);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_run) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
