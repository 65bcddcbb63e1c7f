#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cm.h"
#include "loop/loop.h"
#include "loop/signal.h"

struct fixture {
	struct loop *loop;
	unsigned told;
	int got[4];
	bool done;
};

static void on_signal(void *arg, int sig)
{
	struct fixture *f = arg;

	if (f->told < 4)
		f->got[f->told] = sig;
	f->told++;
	f->done = true;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(signal_catch(f->loop, on_signal, f, NULL), 0);
	*state = f;
	return 0;
}

/* Released, the loop holds nothing any more: it ends by itself. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	signal_release();
	signal_release();		/* again: fine */
	f->done = false;
	alarm(5);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void run(struct fixture *f)
{
	f->done = false;
	alarm(5);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
}

static void tells_in_the_loop_s_time(void **state)
{
	struct fixture *f = *state;

	raise(SIGTERM);
	assert_int_equal(f->told, 0);
	run(f);
	assert_int_equal(f->told, 1);
	assert_int_equal(f->got[0], SIGTERM);
}

static void tells_of_each_in_order(void **state)
{
	struct fixture *f = *state;

	raise(SIGINT);
	raise(SIGTERM);
	raise(SIGINT);
	run(f);
	assert_int_equal(f->told, 3);
	assert_int_equal(f->got[0], SIGINT);
	assert_int_equal(f->got[1], SIGTERM);
	assert_int_equal(f->got[2], SIGINT);
}

/* A select that is under way ends. */
static void wakes_the_loop(void **state)
{
	struct fixture *f = *state;
	pid_t self = getpid(), child = fork();

	if (child == 0) {
		usleep(50000);
		kill(self, SIGTERM);
		_exit(0);
	}
	run(f);
	assert_int_equal(f->got[0], SIGTERM);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* More than the pipe holds: none blocks, errno is nobody's business, and the loop is told. */
static void survives_a_flood(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 70000; i++) {
		errno = 42;
		raise(SIGTERM);
		if (errno != 42)
			fail_msg("errno is %d after %d signals", errno, i);
	}
	run(f);
	assert_in_range(f->told, 4096, 70000);
}

static void gives_the_signals_back(void **state)
{
	struct fixture *f = *state;
	struct sigaction sa;
	pid_t child;
	int status;

	signal_release();
	assert_int_equal(sigaction(SIGINT, NULL, &sa), 0);
	assert_ptr_equal(sa.sa_handler, SIG_DFL);
	child = fork();
	if (child == 0) {
		raise(SIGTERM);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(f->told, 0);
}

/* As a keeper's child has them until it can hear. */
static void tells_of_what_came_while_blocked(void **state)
{
	struct fixture *f = *state;
	sigset_t set;

	signal_release();
	run(f);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTERM);
	assert_int_equal(signal_catch(f->loop, on_signal, f, NULL), 0);
	run(f);
	assert_int_equal(f->told, 1);
	raise(SIGTERM);
	run(f);
	assert_int_equal(f->told, 2);
}

static void catches_again(void **state)
{
	struct fixture *f = *state;

	signal_release();
	f->done = false;
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	assert_int_equal(signal_catch(f->loop, on_signal, f, NULL), 0);
	raise(SIGINT);
	run(f);
	assert_int_equal(f->told, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_in_the_loop_s_time, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_of_each_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(wakes_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_a_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_the_signals_back, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_of_what_came_while_blocked, setup, teardown),
		cmocka_unit_test_setup_teardown(catches_again, setup, teardown),
	};

	return cmocka_run_group_tests_name("loop/signal", tests, NULL, NULL);
}
