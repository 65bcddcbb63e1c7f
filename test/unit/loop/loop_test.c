#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"

/* What happened, a letter an event. */
static char story[256];

static void note(char c)
{
	size_t n = strlen(story);

	assert_true(n + 1 < sizeof(story));
	story[n] = c;
	story[n + 1] = '\0';
}

struct fixture {
	struct loop *loop;
	bool done;
};

/* An end of a socketpair in the loop, with what its handlers shall do. */
struct sock {
	struct io io;
	struct fixture *f;
	int peer;
	char name;
	unsigned bits;
	unsigned asked;			/* times that want() was */
	struct sock *kill;		/* marked dead by ready() */
	struct job *job;		/* queued by ready() */
	struct timer *set, *clear;	/* by ready(), set for at once */
};

struct tick {
	struct timer timer;
	struct fixture *f;
	char name;
	int again;			/* times it sets itself anew, for at once */
	struct tick *clear, *move;	/* by fire(): move for at once */
	bool stop;
};

struct work {
	struct job job;
	struct fixture *f;
	char name;
	int again;			/* times it queues itself again */
	struct work *cancel;
	bool stop;
};

static unsigned sock_want(struct io *io)
{
	struct sock *s = (struct sock *)(void *)io;

	s->asked++;
	return s->bits;
}

static void sock_ready(struct io *io, unsigned got)
{
	struct sock *s = (struct sock *)(void *)io;
	char c;

	assert_true(got != 0 && (got & ~s->bits) == 0);
	if (got & LOOP_READ)
		assert_true(read(io->fd, &c, 1) >= 0);
	note(s->name);
	if (s->kill != NULL)
		s->kill->io.dead = true;
	if (s->job != NULL)
		job_queue(s->f->loop, s->job);
	if (s->set != NULL)
		timer_set(s->f->loop, s->set, 1);
	if (s->clear != NULL)
		timer_clear(s->f->loop, s->clear);
}

/* Reaping is told by the name in capitals. */
static void sock_reap(struct io *io)
{
	struct sock *s = (struct sock *)(void *)io;

	note((char)(s->name - 'a' + 'A'));
	close(io->fd);
	close(s->peer);
}

static void tick_fire(struct timer *t)
{
	struct tick *k = (struct tick *)(void *)t;

	note(k->name);
	if (k->again-- > 0)
		timer_set(k->f->loop, t, loop_now(k->f->loop));
	if (k->clear != NULL)
		timer_clear(k->f->loop, &k->clear->timer);
	if (k->move != NULL)
		timer_set(k->f->loop, &k->move->timer, 1);
	if (k->stop)
		k->f->done = true;
}

static void work_run(struct job *j)
{
	struct work *w = (struct work *)(void *)j;

	note(w->name);
	if (w->again-- > 0)
		job_queue(w->f->loop, j);
	if (w->cancel != NULL)
		job_cancel(w->f->loop, &w->cancel->job);
	if (w->stop)
		w->f->done = true;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	story[0] = '\0';
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	free(f);
	return 0;
}

static void add_sock(struct fixture *f, struct sock *s, char name, const char *waiting)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*s = (struct sock){ .io = { pair[0], sock_want, sock_ready, sock_reap, false, NULL },
		.f = f, .peer = pair[1], .name = name, .bits = LOOP_READ };
	assert_int_equal(write(pair[1], waiting, strlen(waiting)), (ssize_t)strlen(waiting));
	assert_int_equal(loop_add(f->loop, &s->io, NULL), 0);
}

static struct tick tick_of(struct fixture *f, char name)
{
	return (struct tick){ .timer = { .fire = tick_fire }, .f = f, .name = name };
}

static struct work work_of(struct fixture *f, char name)
{
	return (struct work){ .job = { .run = work_run }, .f = f, .name = name };
}

static void run(struct fixture *f)
{
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
}

/* Sockets in the order they were added, then timers by their due time, then jobs, then the reaping. */
static void test_order(void **state)
{
	struct fixture *f = *state;
	struct sock a, b;
	struct tick t = tick_of(f, 't'), u = tick_of(f, 'u');
	struct work j = work_of(f, 'j'), k = work_of(f, 'k');

	add_sock(f, &a, 'a', "1");
	add_sock(f, &b, 'b', "1");
	a.kill = &a;
	b.kill = &b;
	timer_set(f->loop, &u.timer, 2);
	timer_set(f->loop, &t.timer, 1);
	job_queue(f->loop, &j.job);
	job_queue(f->loop, &k.job);
	job_queue(f->loop, &j.job);	/* queued twice runs once */
	run(f);
	assert_string_equal(story, "abtujkAB");
}

/* What a socket's handler sets or queues happens in the same pass. */
static void test_same_pass(void **state)
{
	struct fixture *f = *state;
	struct sock a;
	struct tick t = tick_of(f, 't');
	struct work j = work_of(f, 'j');

	add_sock(f, &a, 'a', "1");
	a.kill = &a;
	a.set = &t.timer;
	a.job = &j.job;
	run(f);
	assert_string_equal(story, "atjA");
}

static void test_dead_is_not_told(void **state)
{
	struct fixture *f = *state;
	struct sock a, b, c;
	struct work j = work_of(f, 'j');

	add_sock(f, &a, 'a', "12");
	add_sock(f, &b, 'b', "12");
	add_sock(f, &c, 'c', "1");
	a.kill = &b;			/* ready in this pass too, and not told any more */
	b.bits |= LOOP_WRITE;
	c.kill = &c;
	c.job = &j.job;
	j.stop = true;
	run(f);
	assert_string_equal(story, "acjBC");
	assert_int_equal(b.asked, 1);
	f->done = false;
	a.kill = &a;
	run(f);
	assert_string_equal(story, "acjBCaA");
}

/* Also what was marked from outside the loop, with nothing else that would end the wait. */
static void test_dead_before_the_run(void **state)
{
	struct fixture *f = *state;
	struct sock a, b;

	add_sock(f, &a, 'a', "1");
	add_sock(f, &b, 'b', "");
	a.io.dead = b.io.dead = true;
	alarm(3);			/* a select that waits for nobody */
	run(f);
	alarm(0);
	assert_string_equal(story, "AB");
	assert_int_equal(a.asked + b.asked, 0);
}

static void test_write_and_silence(void **state)
{
	struct fixture *f = *state;
	struct sock w, quiet, mute;
	struct tick t = tick_of(f, 't');

	add_sock(f, &w, 'w', "");
	add_sock(f, &quiet, 'q', "");	/* nothing comes */
	add_sock(f, &mute, 'm', "1");	/* does not want what comes */
	w.bits = LOOP_WRITE;
	w.kill = &w;
	mute.bits = 0;
	t.stop = true;
	timer_set(f->loop, &t.timer, loop_now(f->loop) + 20);
	run(f);
	assert_string_equal(story, "wWt");
	loop_free(f->loop);		/* reaps what is still held, dead or not */
	assert_string_equal(story, "wWtQM");
	assert_int_equal(loop_new(&f->loop, NULL), 0);
}

/* Whoever slices its work by jobs or by timers for at once lets the sockets in between. */
static void test_nobody_starves(void **state)
{
	struct fixture *f = *state;
	struct sock a, b;
	struct work j = work_of(f, 'j');
	struct tick t = tick_of(f, 't');

	add_sock(f, &a, 'a', "123");
	add_sock(f, &b, 'b', "123");
	j.again = t.again = 2;
	job_queue(f->loop, &j.job);
	timer_set(f->loop, &t.timer, 1);
	while (strlen(story) < 12) {	/* a pass at a time: `x` ends it, the last job */
		struct work x = work_of(f, 'x');

		x.stop = true;
		job_queue(f->loop, &x.job);
		f->done = false;
		run(f);
		assert_int_equal(strlen(story) % 5, 0);
	}
	assert_string_equal(story, "abtjxabtjxabtjx");
	a.io.dead = b.io.dead = true;
	f->done = false;
	run(f);
}

static void test_timers_in_handlers(void **state)
{
	struct fixture *f = *state;
	struct tick a = tick_of(f, 'a'), b = tick_of(f, 'b'), c = tick_of(f, 'c'), d = tick_of(f, 'd');

	a.clear = &b;			/* due now, and never fires */
	c.move = &d;			/* far away, and fires now */
	timer_set(f->loop, &a.timer, 1);
	timer_set(f->loop, &b.timer, 2);
	timer_set(f->loop, &c.timer, 3);
	timer_set(f->loop, &d.timer, loop_now(f->loop) + 1000000);
	run(f);
	assert_string_equal(story, "acd");
	assert_int_equal(b.timer.due, 0);
	assert_true(a.timer.link == NULL && b.timer.link == NULL && c.timer.link == NULL &&
	    d.timer.link == NULL);
	timer_clear(f->loop, &b.timer);	/* of one that is not set: fine */
}

static void test_timer_from_a_socket(void **state)
{
	struct fixture *f = *state;
	struct sock a;
	struct tick t = tick_of(f, 't');

	add_sock(f, &a, 'a', "1");
	a.clear = &t.timer;
	a.kill = &a;
	timer_set(f->loop, &t.timer, 1);
	run(f);
	assert_string_equal(story, "aA");
}

static void test_timer_waits(void **state)
{
	struct fixture *f = *state;
	struct tick a = tick_of(f, 'a'), b = tick_of(f, 'b');
	int64_t start = clock_mono();

	timer_set(f->loop, &a.timer, start + 1000000);
	timer_set(f->loop, &a.timer, start + 60);	/* again: moved */
	timer_set(f->loop, &b.timer, start + 30);
	run(f);
	assert_string_equal(story, "ba");
	assert_in_range(clock_mono() - start, 59, 1000);
	assert_in_range(loop_now(f->loop) - start, 59, 1000);
}

static void test_jobs(void **state)
{
	struct fixture *f = *state;
	struct work a = work_of(f, 'a'), b = work_of(f, 'b'), c = work_of(f, 'c');

	job_cancel(f->loop, &a.job);	/* not queued: fine */
	job_queue(f->loop, &a.job);
	job_queue(f->loop, &b.job);
	job_queue(f->loop, &c.job);
	job_cancel(f->loop, &c.job);	/* the last: the next goes behind b */
	a.cancel = &b;
	job_queue(f->loop, &c.job);
	run(f);
	assert_string_equal(story, "ac");
	assert_false(a.job.queued || b.job.queued || c.job.queued);
}

static void test_ends(void **state)
{
	struct fixture *f = *state;
	struct work j = work_of(f, 'j');

	run(f);				/* nothing is held */
	f->done = true;
	job_queue(f->loop, &j.job);
	run(f);				/* done before it began */
	assert_string_equal(story, "");
	f->done = false;
	run(f);
	assert_string_equal(story, "j");
}

static void test_fd_limit(void **state)
{
	struct fixture *f = *state;
	struct rlimit was, lim = { FD_SETSIZE + 10, FD_SETSIZE + 10 };
	struct sock a;
	struct err err;
	int low, room;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	if (was.rlim_max < lim.rlim_max)
		skip();
	lim.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	loop_free(f->loop);		/* it asks for the limit once */
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	room = loop_room(f->loop);
	assert_int_equal(room, FD_SETSIZE - LOOP_FILES);
	add_sock(f, &a, 'a', "1");
	a.kill = &a;
	run(f);
	assert_string_equal(story, "aA");
	low = dup(0);
	assert_int_equal(dup2(low, room), room);
	err_init(&err);
	a.io.fd = room;
	assert_int_equal(loop_add(f->loop, &a.io, &err), ERR_LIMIT);
	assert_string_equal(err.msg, "too many open files: descriptor 1008 is above the limit of 1007");
	a.io.fd = -1;
	assert_int_equal(loop_add(f->loop, &a.io, NULL), ERR_LIMIT);
	run(f);				/* it holds neither */
	/* the last that fits */
	assert_int_equal(dup2(low, room - 1), room - 1);
	a.io.fd = room - 1;
	a.peer = dup(low);
	assert_int_equal(loop_add(f->loop, &a.io, NULL), 0);
	close(low);
	close(room);
	setrlimit(RLIMIT_NOFILE, &was);
	run(f);				/* standard input is /dev/null: readable */
	assert_string_equal(story, "aAaA");
}

/* A process that may open few files keeps some of them for files. */
static void test_fewer_fds(void **state)
{
	struct fixture *f = *state;
	struct rlimit was, lim;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	lim = (struct rlimit){ 100, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	loop_free(f->loop);
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(loop_room(f->loop), 100 - LOOP_FILES);
	lim.rlim_cur = LOOP_FILES;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	loop_free(f->loop);
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(loop_room(f->loop), LOOP_FILES / 2);
	setrlimit(RLIMIT_NOFILE, &was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_is_not_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_before_the_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_and_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_starves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timers_in_handlers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_from_a_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jobs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fd_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fewer_fds, setup, teardown),
	};

	return cmocka_run_group_tests_name("loop/loop", tests, NULL, NULL);
}
