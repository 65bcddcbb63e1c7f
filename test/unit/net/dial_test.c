#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "ports.h"
#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/dial.h"

#define CROWD 64

struct fixture {
	struct loop *loop;
	struct dial *d;
	unsigned calls;
	bool done;
	int fd;
	struct err err;
	int64_t began, took;
	size_t fds;			/* open before the test */
};

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

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->fds = open_fds();
	f->fd = -1;
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	err_init(&f->err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	if (f->fd >= 0)
		close(f->fd);
	assert_int_equal(open_fds(), f->fds);
	free(f);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return 0;
}

static void on_done(void *arg, int fd, const struct err *err)
{
	struct fixture *f = arg;

	f->calls++;
	f->done = true;
	f->fd = fd;
	f->err = *err;
	f->d = NULL;
	f->took = clock_mono() - f->began;
	assert_int_equal(fd >= 0, err->cls == 0);
}

/* Some passes, or until it is over. */
static void end_pass(struct job *j)
{
	*(bool *)(void *)(j + 1) = true;
}

static void passes(struct fixture *f, unsigned n)
{
	struct {
		struct job job;
		bool over;
	} p = { { .run = end_pass }, false };

	while (n-- > 0) {
		p.over = false;
		job_queue(f->loop, &p.job);
		assert_int_equal(loop_run(f->loop, &p.over, NULL), 0);
	}
}

static void start(struct fixture *f, const char *host, uint16_t port, int64_t timeout_ms)
{
	passes(f, 1);			/* the loop's time is now */
	f->began = clock_mono();
	assert_int_equal(dial_start(f->loop, span_of(host), port, timeout_ms, on_done, f, &f->d, &f->err), 0);
	assert_int_equal(f->calls, 0);
}

static void run(struct fixture *f)
{
	alarm(10);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
}

static void connected_to(struct fixture *f, int family, uint16_t port)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	int on = 0;

	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.cls, 0);
	assert_int_equal(getpeername(f->fd, (struct sockaddr *)(void *)&a, &n), 0);
	assert_int_equal(a.sin6_family, family);
	assert_int_equal(ntohs(a.sin6_port), port);
	assert_true(fcntl(f->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
	n = sizeof(on);
	assert_int_equal(getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &on, &n), 0);
	assert_int_equal(on, 0);
}

static void test_connects(void **state)
{
	struct fixture *f = *state;
	uint16_t port = 0;
	int l = port_listen(AF_INET, &port);

	start(f, "127.0.0.1", port, 5000);
	run(f);
	connected_to(f, AF_INET, port);
	close(l);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	int bound = port_bind(AF_INET, 0);
	uint16_t port = port_of(bound);
	char want[200];

	start(f, "127.0.0.1", port, 5000);
	run(f);
	snprintf(want, sizeof(want), "connecting to 127.0.0.1 (127.0.0.1:%u): Connection refused", port);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.cls, ERR_UNAVAIL);
	assert_string_equal(f->err.msg, want);
	close(bound);
}

/* localhost is 127.0.0.1, then ::1: the refusal of the first costs nothing. */
static void test_second_address(void **state)
{
	struct fixture *f = *state;
	int dead = port_bind(AF_INET, 0), live;
	uint16_t port = port_of(dead);

	live = port_listen(AF_INET6, &port);
	if (live < 0) {
		close(dead);
		skip();
	}
	start(f, "localhost", port, 5000);
	run(f);
	connected_to(f, AF_INET6, port);
	assert_in_range(f->took, 0, 200);
	close(live);
	close(dead);
}

static void test_first_address(void **state)
{
	struct fixture *f = *state;
	uint16_t port = 0;
	int live = port_listen(AF_INET, &port), dead = port_bind(AF_INET6, port);

	start(f, "localhost", port, 5000);
	run(f);
	connected_to(f, AF_INET, port);
	close(live);
	if (dead >= 0)
		close(dead);
}

static void test_none(void **state)
{
	struct fixture *f = *state;
	int dead = port_bind(AF_INET, 0), dead6 = port_bind(AF_INET6, port_of(dead));
	char want[200];

	start(f, "localhost", port_of(dead), 5000);
	run(f);
	snprintf(want, sizeof(want),
	    "none of 2 addresses of localhost answered: connecting to localhost (127.0.0.1:%u): Connection "
	    "refused",
	    port_of(dead));
	assert_int_equal(f->err.cls, ERR_UNAVAIL);
	assert_string_equal(f->err.msg, want);
	assert_in_range(f->took, 0, 200);
	close(dead);
	if (dead6 >= 0)
		close(dead6);
}

static void test_unknown_name(void **state)
{
	struct fixture *f = *state;

	start(f, "no-such-host.invalid", 80, 9000);
	run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.cls, ERR_UNAVAIL);
	assert_int_equal(strncmp(f->err.msg, "looking up no-such-host.invalid: ", 33), 0);
}

/* A port that lets nobody in and turns nobody away: its queue is full. */
struct crowd {
	int listener, fds[CROWD], n;
	uint16_t port;
	bool silent;
};

static void crowd_make(struct crowd *c)
{
	*c = (struct crowd){ .listener = port_bind(AF_INET, 0) };
	assert_true(c->listener >= 0);
	c->port = port_of(c->listener);
	assert_int_equal(listen(c->listener, 0), 0);
	while (c->n < CROWD && !c->silent) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(c->port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		assert_true(fd >= 0);
		if (connect(fd, (struct sockaddr *)(void *)&a, sizeof(a)) != 0)
			c->silent = poll(&p, 1, 50) == 0;
		c->fds[c->n++] = fd;
	}
}

static void crowd_free(struct crowd *c)
{
	while (c->n > 0)
		close(c->fds[--c->n]);
	close(c->listener);
}

static void test_deadline(void **state)
{
	struct fixture *f = *state;
	struct crowd c;

	crowd_make(&c);
	if (!c.silent) {
		crowd_free(&c);
		skip();
	}
	start(f, "127.0.0.1", c.port, 150);
	run(f);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.cls, ERR_TIMEOUT);
	assert_string_equal(f->err.msg, "connecting to 127.0.0.1: no answer within 0 s");
	assert_in_range(f->took, 149, 1500);
	crowd_free(&c);
}

static void test_head_start(void **state)
{
	struct fixture *f = *state;
	struct crowd c;
	int live;

	crowd_make(&c);
	live = port_listen(AF_INET6, &c.port);
	if (!c.silent || live < 0) {
		close(live);
		crowd_free(&c);
		skip();
	}
	start(f, "localhost", c.port, 5000);
	run(f);
	connected_to(f, AF_INET6, c.port);
	assert_in_range(f->took, 245, 1500);
	close(live);
	crowd_free(&c);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct crowd c;
	uint16_t port = 0;
	int l = port_listen(AF_INET, &port);

	crowd_make(&c);
	for (unsigned n = 0; n < 4; n++) {
		start(f, "localhost", n % 2 == 0 && c.silent ? c.port : port, 5000);
		if (n < 2)
			passes(f, n);	/* looked up, under way */
		else
			passes(f, 1);
		if (f->d == NULL)	/* it was faster */
			f->calls = 0;
		dial_cancel(f->d);
		if (f->fd >= 0)
			close(f->fd);
		f->fd = -1;
		f->done = false;
		passes(f, 3);
		assert_int_equal(f->calls, 0);
	}
	start(f, "no-such-host.invalid", port, 5000);
	dial_cancel(f->d);
	dial_cancel(NULL);
	run(f);				/* nothing is held, no timer is left */
	assert_int_equal(f->calls, 0);
	crowd_free(&c);
	close(l);
}

static void test_bad_host(void **state)
{
	struct fixture *f = *state;
	char name[300];

	memset(name, 'a', sizeof(name));
	assert_int_equal(dial_start(f->loop, span_make(name, sizeof(name)), 1, 100, on_done, f, &f->d,
			     &f->err),
	    ERR_USAGE);
	run(f);
	assert_int_equal(f->calls, 0);
}

/* Who listens on a unix socket is found on the connection that is used, whoever listened a moment ago. */
static void test_unix_peer(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int own, other;

	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/dial-test-%ld.sock", (long)getpid());
	own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(own, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(own, 5), 0);
	assert_int_equal(dial_unix(f->loop, a.sun_path, on_done, f, &f->d, &f->err), 0);
	assert_int_equal(f->calls, 0);
	run(f);
	assert_true(f->fd >= 0);
	close(f->fd);
	f->fd = -1;
	close(own);
	unlink(a.sun_path);
	if (geteuid() != 0)
		skip();
	other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(other, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(seteuid(65534), 0);	/* the kernel notes who calls listen() */
	assert_int_equal(listen(other, 5), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(dial_unix(f->loop, a.sun_path, on_done, f, &f->d, &f->err), ERR_UNAVAIL);
	assert_non_null(strstr(f->err.msg, "another user's (uid 65534)"));
	close(other);
	unlink(a.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unix_peer, setup, teardown),
	};

	return cmocka_run_group_tests_name("net/dial", tests, NULL, NULL);
}
