#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xor.h"
#include "base/buf.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "net/conn.h"

#define BIG ((size_t)1 << 20)

struct fixture {
	struct loop *loop;
	struct conn *c;
	int peer;
	int freed;			/* engines */
	char story[4096];		/* a letter an event: S D L E T X */
	size_t n;
	bool done;
	char stop_at, free_at;		/* the event that ends the run, that frees the conn */
	bool eat;			/* consume what comes, into `got` */
	struct buf got;
	void (*hook)(struct fixture *, char ev);
	bool inside;			/* a call into conn is under way: no event may come */
};

static void on_event(void *arg, enum conn_event ev)
{
	static const char letters[] = { [CONN_SECURED] = 'S', [CONN_DATAIN] = 'D', [CONN_LOWAT] = 'L',
		[CONN_EOF] = 'E', [CONN_TIMEOUT] = 'T', [CONN_ERROR] = 'X' };
	struct fixture *f = arg;
	char c = letters[ev];

	assert_false(f->inside);
	assert_true(f->n + 1 < sizeof(f->story));
	f->story[f->n++] = c;
	f->story[f->n] = '\0';
	if (f->eat && c == 'D') {
		buf_addspan(&f->got, buf_span(conn_in(f->c)));
		buf_consume(conn_in(f->c), buf_len(conn_in(f->c)));
	}
	if (f->hook != NULL)
		f->hook(f, c);
	if (f->free_at == c) {
		conn_free(f->c);
		f->c = NULL;
	}
	f->done = f->done || f->stop_at == c;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2], small = 4096;

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	f->peer = pair[1];
	buf_init(&f->got, BUF_MAX_ANY);
	assert_int_equal(conn_new(f->loop, pair[0], on_event, f, &f->c, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	conn_free(f->c);
	loop_free(f->loop);
	if (f->peer >= 0)
		close(f->peer);
	buf_free(&f->got);
	free(f);
	return 0;
}

static void end_pass(struct job *j)
{
	*(bool *)(void *)(j + 1) = true;
}

/* Passes that wait for nothing. */
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

/* Until the event. */
static void run_to(struct fixture *f, char ev)
{
	f->stop_at = ev;
	f->done = false;
	alarm(5);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
	f->stop_at = '\0';
}

static void story_is(struct fixture *f, const char *want)
{
	assert_string_equal(f->story, want);
	f->story[f->n = 0] = '\0';
}

static void peer_says(struct fixture *f, const char *text)
{
	assert_int_equal(write(f->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void conn_says(struct fixture *f, const void *p, size_t n)
{
	f->inside = true;
	assert_int_equal(conn_write(f->c, p, n), 0);
	f->inside = false;
}

static void peer_hears(struct fixture *f, const char *want)
{
	char text[100];
	ssize_t n = read(f->peer, text, sizeof(text) - 1);

	assert_int_equal(n, (ssize_t)strlen(want));
	assert_memory_equal(text, want, (size_t)n);
}

static uint8_t big_byte(size_t i)
{
	return (uint8_t)((i * 7 + i / 251) % 128);	/* XORed neither 0xFF nor 0xEE */
}

static uint8_t *big_new(uint8_t mask)
{
	uint8_t *p = malloc(BIG);

	assert_non_null(p);
	for (size_t i = 0; i < BIG; i++)
		p[i] = big_byte(i) ^ mask;
	return p;
}

static void is_big(const void *data, size_t n, uint8_t mask)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		if (p[i] != (big_byte(i) ^ mask))
			fail_msg("byte %zu of %zu differs", i, n);
}

/* The peer writes what goes, from offset *at of `p`. */
static void peer_fills(struct fixture *f, const uint8_t *p, size_t *at, size_t end)
{
	ssize_t n;

	while (*at < end && (n = write(f->peer, p + *at, end - *at)) > 0)
		*at += (size_t)n;
}

static void handshake(struct fixture *f)
{
	conn_secure(f->c, xor_new(&f->freed));
	passes(f, 2);
	peer_hears(f, "H");
	peer_says(f, "h");
	passes(f, 2);
	story_is(f, "S");
}

/* ---- plain ---- */

static void test_small_pieces(void **state)
{
	struct fixture *f = *state;

	f->eat = true;
	for (const char *p = "ping"; *p != '\0'; p++) {
		assert_int_equal(write(f->peer, p, 1), 1);
		passes(f, 1);
	}
	story_is(f, "DDDD");
	assert_string_equal(buf_cstr(&f->got), "ping");
	conn_says(f, "po", 2);
	conn_says(f, "n", 1);
	conn_says(f, "g", 1);
	assert_int_equal(conn_unsent(f->c), 4);
	passes(f, 3);
	story_is(f, "L");		/* once for all of it */
	assert_int_equal(conn_unsent(f->c), 0);
	peer_hears(f, "pong");
	passes(f, 3);
	story_is(f, "");
}

static int push(struct fixture *f, const char *a, const char *b)
{
	struct span parts[2] = { span_of(a), span_of(b) };
	int rc;

	f->inside = true;
	rc = conn_push(f->c, parts, 2);
	f->inside = false;
	return rc;
}

/* At once, behind what was queued. */
static void test_pushed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(push(f, "a", "b"), 0);
	assert_int_equal(conn_unsent(f->c), 0);
	peer_hears(f, "ab");
	conn_says(f, "c", 1);
	assert_int_equal(push(f, "", "d"), 0);
	peer_hears(f, "cd");
	passes(f, 3);
	story_is(f, "L");		/* for what was written */
	assert_int_equal(conn_stage(f->c, "e", 1), 0);
	assert_int_equal(push(f, "f", ""), 0);
	peer_hears(f, "ef");
	assert_int_equal(conn_stage(f->c, "g", 1), 0);
	passes(f, 3);
	peer_hears(f, "g");		/* also without a push */
	story_is(f, "");
	assert_int_equal(push(f, "", ""), 0);
	passes(f, 3);
	story_is(f, "");
}

/* What the socket does not take is queued, in order, and told of when it has left. */
static void test_pushed_too_much(void **state)
{
	struct fixture *f = *state;
	uint8_t *p = big_new(0), *q = malloc(BIG);
	struct span parts[3] = { span_make(p, BIG / 4), span_make(p + BIG / 4, BIG / 4),
		span_make(p + BIG / 2, BIG / 2) };
	size_t got = 0;

	f->inside = true;
	assert_int_equal(conn_push(f->c, parts, 3), 0);
	f->inside = false;
	assert_in_range(conn_unsent(f->c), BIG / 2, BIG - 1);
	for (unsigned i = 0; got < BIG && i < 100000; i++) {
		ssize_t n = read(f->peer, q + got, BIG - got);

		if (n > 0)
			got += (size_t)n;
		passes(f, 1);
	}
	assert_int_equal(got, BIG);
	is_big(q, BIG, 0);
	story_is(f, "L");
	free(p);
	free(q);
}

/* Who waits for what was queued hears of it, also when a later push took it along. */
static void test_pushed_along(void **state)
{
	struct fixture *f = *state;
	uint8_t *p = big_new(0), *q = malloc(BIG);
	struct span all = span_make(p, BIG);
	size_t got = 0, told = 0;

	assert_int_equal(conn_push(f->c, &all, 1), 0);
	assert_true(conn_unsent(f->c) > 0);
	while (got < BIG || conn_unsent(f->c) > 0) {
		ssize_t n = read(f->peer, q, BIG);

		got += n > 0 ? (size_t)n : 0;
		assert_int_equal(push(f, "", ""), 0);
		assert_true(++told < 100000);
	}
	story_is(f, "");
	passes(f, 2);
	story_is(f, "L");
	free(p);
	free(q);
}

static void test_pushed_to_nobody(void **state)
{
	struct fixture *f = *state;

	close(f->peer);
	f->peer = -1;
	assert_int_equal(push(f, "a", "b"), 0);
	passes(f, 3);
	assert_non_null(strchr(f->story, 'X'));
	assert_int_equal(conn_error(f->c)->cls, ERR_UNAVAIL);
}

static void test_pushed_through_an_engine(void **state)
{
	struct fixture *f = *state;

	handshake(f);
	assert_int_equal(push(f, "a", "b"), 0);
	assert_in_range(conn_unsent(f->c), 1, 3);
	passes(f, 3);
	story_is(f, "L");
}

/* DATAIN means more than before: what the session leaves is not told again. */
static void test_not_consumed(void **state)
{
	struct fixture *f = *state;

	peer_says(f, "ab");
	passes(f, 3);
	story_is(f, "D");
	peer_says(f, "c");
	passes(f, 3);
	story_is(f, "D");
	assert_int_equal(buf_len(conn_in(f->c)), 3);
	buf_consume(conn_in(f->c), 3);
	passes(f, 3);
	story_is(f, "");
}

static void push_back(struct fixture *f, uint8_t mask)
{
	uint8_t *p = big_new(0), *q = malloc(BIG);
	size_t got = 0, before;
	ssize_t n;

	conn_says(f, p, BIG);
	passes(f, 20);
	before = conn_unsent(f->c);
	assert_in_range(before, BIG / 2, BIG);		/* the peer does not read */
	passes(f, 20);
	assert_in_range(conn_unsent(f->c), before > XOR_ROOM ? before - XOR_ROOM : 0, before);
	story_is(f, "");
	for (unsigned i = 0; got < BIG && i < 100000; i++) {
		n = read(f->peer, q + got, 3000 < BIG - got ? 3000 : BIG - got);
		if (n > 0) {
			got += (size_t)n;
			if (got < BIG && conn_unsent(f->c) > 10000)
				assert_int_equal(f->n, 0);
		} else {
			passes(f, 1);
		}
	}
	passes(f, 3);
	assert_int_equal(got, BIG);
	is_big(q, BIG, mask);
	story_is(f, "L");
	free(p);
	free(q);
}

static void test_push_back(void **state)
{
	push_back(*state, 0);
}

/* A session that does not consume is not read for. */
static void pause_and_resume(struct fixture *f, uint8_t mask)
{
	uint8_t *p = big_new(mask);
	size_t sent = 0, held, told;

	for (unsigned i = 0; i < 200; i++) {
		peer_fills(f, p, &sent, BIG);
		passes(f, 1);
	}
	held = buf_len(conn_in(f->c));
	assert_in_range(held, CONN_IN_MAX, CONN_IN_MAX + ((size_t)32 << 10));
	assert_in_range(sent, held, BIG - 1);
	is_big(buf_data(conn_in(f->c)), held, 0);
	told = f->n;
	passes(f, 5);
	assert_int_equal(f->n, told);			/* paused */
	assert_int_equal(buf_len(conn_in(f->c)), held);
	f->eat = true;
	buf_addspan(&f->got, buf_span(conn_in(f->c)));
	buf_consume(conn_in(f->c), held);
	for (unsigned i = 0; i < 5000 && buf_len(&f->got) < BIG; i++) {
		peer_fills(f, p, &sent, BIG);
		passes(f, 1);
	}
	assert_int_equal(buf_len(&f->got), BIG);
	is_big(buf_data(&f->got), BIG, 0);
	free(p);
}

static void test_pause(void **state)
{
	pause_and_resume(*state, 0);
}

static void test_eof(void **state)
{
	struct fixture *f = *state;

	peer_says(f, "last words");
	close(f->peer);
	f->peer = -1;
	run_to(f, 'E');
	story_is(f, "DE");
	assert_true(conn_clean(f->c));
	assert_int_equal(buf_len(conn_in(f->c)), 10);
	passes(f, 3);
	story_is(f, "");
}

/* What the peer had said before it went is heard before the failure to write to it. */
static void test_broken_pipe(void **state)
{
	struct fixture *f = *state;

	peer_says(f, "413");
	close(f->peer);
	f->peer = -1;
	conn_says(f, "a large request", 15);
	passes(f, 3);
	assert_int_equal(f->story[0], 'D');
	assert_int_equal(f->n, 2);
	assert_true(f->story[1] == 'X' || f->story[1] == 'E');
	assert_int_equal(buf_len(conn_in(f->c)), 3);
}

static void test_error(void **state)
{
	struct fixture *f = *state;

	shutdown(f->peer, SHUT_RD);
	conn_says(f, "x", 1);
	run_to(f, 'X');
	story_is(f, "X");
	assert_int_equal(conn_error(f->c)->cls, ERR_UNAVAIL);
	assert_string_equal(conn_error(f->c)->msg, "sending: Broken pipe");
	peer_says(f, "too late");
	conn_deadline(f->c, 1);
	passes(f, 3);
	story_is(f, "");		/* nothing after the last event */
}

static void test_free_inside(void **state)
{
	for (const char *ev = "DLETX"; *ev != '\0'; ev++) {
		struct fixture *f;

		teardown(state);
		setup(state);
		f = *state;
		f->free_at = *ev;
		if (*ev != 'X')
			peer_says(f, "data");
		if (*ev == 'L')
			conn_says(f, "x", 1);
		if (*ev == 'T')
			conn_deadline(f->c, 1);
		if (*ev == 'X') {
			shutdown(f->peer, SHUT_RD);
			conn_says(f, "x", 1);
		}
		if (*ev == 'E' || *ev == 'D')
			shutdown(f->peer, SHUT_WR);
		passes(f, 4);
		assert_null(f->c);
		assert_int_equal(f->story[f->n - 1], *ev);
		errno = 0;		/* the socket is closed by now */
		assert_int_equal(send(f->peer, "x", 1, MSG_NOSIGNAL), -1);
		assert_int_equal(errno, EPIPE);
	}
}

static void test_free_outside(void **state)
{
	struct fixture *f = *state;

	peer_says(f, "x");
	conn_says(f, "y", 1);
	conn_deadline(f->c, 1);
	conn_free(f->c);
	f->c = NULL;
	conn_free(NULL);
	alarm(5);
	f->done = false;
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);	/* until nothing is held */
	alarm(0);
	story_is(f, "");
}

static void test_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t start;

	passes(f, 1);
	start = clock_mono();
	conn_deadline(f->c, loop_now(f->loop) + 1000);
	conn_deadline(f->c, loop_now(f->loop) + 30);	/* moved */
	run_to(f, 'T');
	assert_in_range(clock_mono() - start, 29, 900);
	story_is(f, "T");
	peer_says(f, "x");
	passes(f, 3);
	story_is(f, "");
}

static void test_deadline_cleared(void **state)
{
	struct fixture *f = *state;

	conn_deadline(f->c, 1);
	conn_deadline(f->c, 0);
	passes(f, 3);
	peer_says(f, "x");
	passes(f, 1);
	story_is(f, "D");
}

/* The second target of a connection that changes hands writes small letters. */
static void on_event_2(void *arg, enum conn_event ev)
{
	struct fixture *f = arg;

	on_event(arg, ev);
	f->story[f->n - 1] = (char)(f->story[f->n - 1] | 0x20);
}

static void hand_over(struct fixture *f, char ev)
{
	if (ev == 'D')
		conn_retarget(f->c, on_event_2, f);
}

static void test_retarget(void **state)
{
	struct fixture *f = *state;

	f->hook = hand_over;
	peer_says(f, "x");
	conn_says(f, "y", 1);
	shutdown(f->peer, SHUT_WR);
	passes(f, 3);
	story_is(f, "Dle");		/* also what comes of the same readiness */
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	struct rlimit was, lim;
	struct conn *c = NULL;
	struct err err;
	int pair[2];

	assert_int_equal(conn_write(f->c, "x", CONN_OUT_MAX + 1), ERR_LIMIT);
	assert_int_equal(conn_unsent(f->c), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	lim = was;
	lim.rlim_cur = FD_SETSIZE + 10;
	if (setrlimit(RLIMIT_NOFILE, &lim) != 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(dup2(pair[0], FD_SETSIZE + 1), FD_SETSIZE + 1);
	close(pair[0]);
	err_init(&err);
	assert_int_equal(conn_new(f->loop, FD_SETSIZE + 1, on_event, f, &c, &err), ERR_LIMIT);
	assert_int_equal(fcntl(FD_SETSIZE + 1, F_GETFD), -1); /* it took the descriptor over, and closed it */
	setrlimit(RLIMIT_NOFILE, &was);
	close(pair[1]);
}

/* ---- with an engine ---- */

static void test_engine(void **state)
{
	struct fixture *f = *state;

	f->eat = true;
	conn_says(f, "hey", 3);		/* before the handshake is over: waits for it */
	conn_secure(f->c, xor_new(&f->freed));
	passes(f, 3);
	story_is(f, "");
	assert_int_equal(conn_unsent(f->c) > 0, 1);
	peer_says(f, "h");
	passes(f, 3);
	story_is(f, "SL");
	peer_hears(f, "H\x3D\x30\x2C");
	for (const char *p = "\x3D\x30\x2C"; *p != '\0'; p++) {
		assert_int_equal(write(f->peer, p, 1), 1);
		passes(f, 1);
	}
	story_is(f, "DDD");
	assert_string_equal(buf_cstr(&f->got), "hey");
	passes(f, 3);
	story_is(f, "");
}

static void test_engine_push_back(void **state)
{
	struct fixture *f = *state;

	handshake(f);
	push_back(f, 0x55);
}

static void test_engine_pause(void **state)
{
	struct fixture *f = *state;

	handshake(f);
	pause_and_resume(f, 0x55);
}

static void test_engine_ends(void **state)
{
	struct fixture *f = *state;

	handshake(f);
	peer_says(f, "\x34\x35\xFF");	/* "a`", goodbye: before the socket's own end */
	passes(f, 3);
	story_is(f, "DE");
	assert_true(conn_clean(f->c));
	assert_string_equal(buf_cstr(conn_in(f->c)), "a`");
	conn_free(f->c);
	f->c = NULL;
	passes(f, 1);
	assert_int_equal(f->freed, 1);
}

static void test_engine_cut_off(void **state)
{
	struct fixture *f = *state;

	handshake(f);
	peer_says(f, "\x34");
	shutdown(f->peer, SHUT_WR);
	passes(f, 3);
	story_is(f, "DE");
	assert_false(conn_clean(f->c));
}

static void test_engine_cut_off_early(void **state)
{
	struct fixture *f = *state;

	conn_secure(f->c, xor_new(&f->freed));
	shutdown(f->peer, SHUT_WR);
	passes(f, 3);
	story_is(f, "E");
	assert_false(conn_clean(f->c));
}

static void test_engine_error(void **state)
{
	struct fixture *f = *state;

	handshake(f);
	peer_says(f, "\x34\xEE\x34");
	passes(f, 3);
	story_is(f, "DX");
	assert_int_equal(conn_error(f->c)->cls, ERR_PROTO);
	assert_string_equal(conn_error(f->c)->msg, "the toy is broken");
}

static void secure_after_line(struct fixture *f, char ev)
{
	struct buf *in = conn_in(f->c);

	if (ev == 'D' && f->freed == 0 && buf_len(in) > 4 && memcmp(buf_data(in), "200\n", 4) == 0) {
		buf_consume(in, 4);
		conn_secure(f->c, xor_new(&f->freed));
	}
}

/* As after a proxy's answer: bytes for the engine came along with it. */
static void test_early_bytes(void **state)
{
	struct fixture *f = *state;

	f->hook = secure_after_line;
	peer_says(f, "200\nh\x34\x35");
	passes(f, 4);
	story_is(f, "DSD");
	assert_string_equal(buf_cstr(conn_in(f->c)), "a`");
	peer_hears(f, "H");
}

/* More of them than a session that is slow will take: the rest follows without a word from the peer. */
static void test_many_early_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t *p = big_new(0x55);
	size_t sent = 0;

	peer_says(f, "h");
	for (unsigned i = 0; i < 200; i++) {
		peer_fills(f, p, &sent, CONN_IN_MAX - 10 + (i > 100 ? 20000 : 0));
		passes(f, 1);
	}
	assert_int_equal(buf_len(conn_in(f->c)), CONN_IN_MAX - 10 + 20000 + 1);
	conn_secure(f->c, xor_new(&f->freed));
	passes(f, 5);
	assert_in_range(buf_len(conn_in(f->c)), CONN_IN_MAX, CONN_IN_MAX + XOR_ROOM);
	f->eat = true;
	buf_addspan(&f->got, buf_span(conn_in(f->c)));
	buf_consume(conn_in(f->c), buf_len(conn_in(f->c)));
	passes(f, 20);
	assert_int_equal(buf_len(&f->got), CONN_IN_MAX - 10 + 20000);
	is_big(buf_data(&f->got), buf_len(&f->got), 0);
	free(p);
}

static void test_engine_free_inside(void **state)
{
	for (const char *ev = "SDLEX"; *ev != '\0'; ev++) {
		struct fixture *f;

		teardown(state);
		setup(state);
		f = *state;
		f->free_at = *ev;
		conn_secure(f->c, xor_new(&f->freed));
		conn_says(f, "x", 1);
		peer_says(f, *ev == 'S' || *ev == 'L' ? "h" : *ev == 'X' ? "h\xEE" : "h\x34\xFF");
		passes(f, 4);
		assert_null(f->c);
		assert_int_equal(f->freed, 1);
		assert_int_equal(f->story[f->n - 1], *ev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(small_pieces),
		T(pushed),
		T(pushed_too_much),
		T(pushed_to_nobody), T(pushed_along),
		T(pushed_through_an_engine),
		T(not_consumed),
		T(push_back),
		T(pause),
		T(eof),
		T(broken_pipe),
		T(error),
		T(free_inside),
		T(free_outside),
		T(deadline),
		T(deadline_cleared),
		T(retarget),
		T(limits),
		T(engine),
		T(engine_push_back),
		T(engine_pause),
		T(engine_ends),
		T(engine_cut_off),
		T(engine_cut_off_early),
		T(engine_error),
		T(early_bytes),
		T(many_early_bytes),
		T(engine_free_inside),
	};

	return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
