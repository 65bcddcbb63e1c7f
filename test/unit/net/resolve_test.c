#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/resolve.h"

struct fixture {
	struct loop *loop;
	struct resolve *r;
	unsigned calls;
	bool done;
	struct addr addrs[RESOLVE_MAX];
	size_t n;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	err_init(&f->err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	free(f);
	/* no child is left, running or dead */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return 0;
}

static void on_done(void *arg, const struct addr *addrs, size_t n, const struct err *err)
{
	struct fixture *f = arg;

	f->calls++;
	f->done = true;
	f->n = n;
	f->err = *err;
	f->r = NULL;
	memcpy(f->addrs, addrs, n * sizeof(*addrs));
}

static void start(struct fixture *f, const char *host, uint16_t port)
{
	assert_int_equal(resolve_start(f->loop, span_of(host), port, on_done, f, &f->r, &f->err), 0);
	assert_int_equal(f->calls, 0);
}

static void run(struct fixture *f)
{
	alarm(15);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
}

static void address_is(const struct fixture *f, size_t i, const char *want)
{
	char text[ADDR_TEXT_LEN];

	assert_true(i < f->n);
	addr_text(&f->addrs[i], text);
	assert_string_equal(text, want);
}

static void start_again(struct fixture *f, const char *host, uint16_t port)
{
	assert_int_equal(resolve_start(f->loop, span_of(host), port, on_done, f, &f->r, &f->err), 0);
	run(f);
}

static void test_literal(void **state)
{
	struct fixture *f = *state;

	start(f, "192.0.2.7", 443);
	run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->err.cls, 0);
	address_is(f, 0, "192.0.2.7:443");
	f->done = false;
	start_again(f, "2001:db8::1", 80);
	address_is(f, 0, "[2001:db8::1]:80");
	assert_int_equal(f->calls, 2);
}

static void test_localhost(void **state)
{
	struct fixture *f = *state;

	start(f, "LocalHost", 9014);
	run(f);
	assert_int_equal(f->n, 2);
	address_is(f, 0, "127.0.0.1:9014");
	address_is(f, 1, "[::1]:9014");
}

/* RFC 6761 §6.4: it never resolves. With a name server or without one the answer is a sentence. */
static void test_unknown(void **state)
{
	struct fixture *f = *state;

	start(f, "no-such-host.invalid", 443);
	run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->n, 0);
	assert_int_equal(f->err.cls, ERR_UNAVAIL);
	assert_non_null(strstr(f->err.msg, "looking up no-such-host.invalid: "));
	/* reaped at the end of the pass */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* The name of this machine stands in /etc/hosts, or does not; either way a child has answered. */
static void test_child_answers(void **state)
{
	struct fixture *f = *state;
	char name[256];

	assert_int_equal(gethostname(name, sizeof(name)), 0);
	start(f, name, 8080);
	run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->n == 0, f->err.cls != 0);
	for (size_t i = 0; i < f->n; i++) {
		char text[ADDR_TEXT_LEN];

		addr_text(&f->addrs[i], text);
		assert_string_equal(strrchr(text, ':'), ":8080");
	}
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void test_cancel(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost", "no-such-host.invalid" };
	struct fixture *f = *state;
	size_t fds = open_fds();

	for (size_t i = 0; i < COUNT(hosts); i++) {
		start(f, hosts[i], 80);
		resolve_cancel(f->r);
		/* at once, not at the end of the pass */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		run(f);
		assert_int_equal(f->calls, 0);
	}
	resolve_cancel(NULL);
	assert_int_equal(open_fds(), fds);
}

/* By a timer, with the child on its way. */
struct later {
	struct timer timer;
	struct fixture *f;
};

static void cancel_now(struct timer *t)
{
	struct later *l = (struct later *)(void *)t;

	resolve_cancel(l->f->r);
}

static void test_cancel_later(void **state)
{
	struct fixture *f = *state;
	struct later l = { { .fire = cancel_now }, f };

	start(f, "no-such-host.invalid", 80);
	timer_set(f->loop, &l.timer, 1);
	run(f);
	/* If the child was faster than the pass, the answer came and r is NULL: that is fine too. */
	assert_in_range(f->calls, 0, 1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_bad_names(void **state)
{
	struct fixture *f = *state;
	char name[257];

	memset(name, 'a', 256);
	name[256] = '\0';
	assert_int_equal(resolve_start(f->loop, span_of(name), 80, on_done, f, &f->r, &f->err), ERR_USAGE);
	assert_string_equal(f->err.msg, "a host name longer than 255 bytes");
	err_init(&f->err);
	assert_int_equal(resolve_start(f->loop, span_make("a\0b", 3), 80, on_done, f, &f->r, &f->err),
	    ERR_USAGE);
	run(f);
	assert_int_equal(f->calls, 0);
}

static void test_no_descriptors(void **state)
{
	struct fixture *f = *state;
	struct rlimit was, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int rc = resolve_start(f->loop, span_of("no-such-host.invalid"), 80, on_done, f, &f->r, &f->err);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_int_equal(rc, ERR_IO);
	assert_string_equal(f->err.msg, "looking up no-such-host.invalid: Too many open files");
	run(f);
	assert_int_equal(f->calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_literal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_localhost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_child_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests_name("net/resolve", tests, NULL, NULL);
}
