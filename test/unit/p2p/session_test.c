#include "wirepair.h"

#include "net/conn.h"
#include "p2p/multistream.h"
#include "p2p/yamux.h"

#define ECHO "/echo/1"
#define SINK "/sink/1"
#define WINDOW ((size_t)YAMUX_WINDOW)
#define AGREEING ((size_t)29)	/* of the window: what agrees on SINK */

static const char *const serves[] = { ECHO, SINK };
static const char *const only_echo[] = { ECHO };
static const char *const only_sink[] = { SINK };
static const char *const none_of_them[] = { "/no/1" };
static const char *const second[] = { "/no/1", "/no/2", ECHO };

struct side {
	struct rig *rig;
	struct noise_identity self;
	struct session_params p;
	struct session *s;
	bool up, refuse, free_when_up, ignore;
	unsigned downs;
	struct err err;
	unsigned taken;			/* streams of the peer's */
	size_t protocol;
	struct stream *held;		/* of SINK: the last, nothing is consumed */
};

struct rig {
	struct loop *loop;
	struct wire wire;
	struct side side[2];		/* 0 dials */
	struct session_budget budget;
};

/* A stream of ours, and what became of it. */
struct call {
	struct stream *st;
	char story[64];			/* O F D L E T R */
	size_t n;
	struct buf got;
	bool keep;			/* do not consume */
	char free_at;
	uint32_t code;
	size_t protocol;
};

static void on_call(void *arg, struct stream *st, enum stream_event ev)
{
	static const char letters[] = { [STREAM_OPEN] = 'O', [STREAM_REFUSED] = 'F', [STREAM_DATAIN] = 'D',
		[STREAM_LOWAT] = 'L', [STREAM_EOF] = 'E', [STREAM_TIMEOUT] = 'T', [STREAM_RESET] = 'R' };
	struct call *c = arg;
	char e = letters[ev];

	if (c->n + 1 < sizeof(c->story) && !(e == 'D' && c->n > 0 && c->story[c->n - 1] == 'D') && e != 'L')
		c->story[c->n++] = e;
	c->protocol = stream_protocol(st);
	if (e == 'D' && !c->keep) {
		buf_addspan(&c->got, buf_span(stream_in(st)));
		stream_consume(st, buf_len(stream_in(st)));
	}
	if (e == 'R')
		c->code = stream_code(st);
	if (e == 'R' || e == 'F' || e == c->free_at) {
		stream_free(st, 7);
		c->st = NULL;
	}
}

static void on_echo(void *arg, struct stream *st, enum stream_event ev)
{
	struct buf *in = stream_in(st);

	(void)arg;
	if (ev == STREAM_RESET) {
		stream_free(st, 0);
		return;
	}
	while (buf_len(in) > 0) {
		size_t n = buf_len(in) < 10000 ? buf_len(in) : 10000;

		if (stream_write(st, buf_data(in), n) != 0)
			return;
		stream_consume(st, n);
	}
	if (stream_eof(st)) {
		stream_shutdown(st);
		stream_free(st, 0);
	}
}

static void on_sink(void *arg, struct stream *st, enum stream_event ev)
{
	struct side *side = arg;

	if (ev == STREAM_RESET) {
		stream_free(st, 0);
		side->held = NULL;
	}
}

static bool on_up(void *arg, struct session *s)
{
	struct side *side = arg;

	assert_ptr_equal(s, side->s);
	side->up = true;
	if (side->free_when_up) {
		session_free(s);
		side->s = NULL;
	}
	return !side->refuse;
}

static void on_stream(void *arg, struct session *s, struct stream *st, size_t protocol)
{
	struct side *side = arg;

	assert_ptr_equal(stream_session(st), s);
	side->taken++;
	side->protocol = protocol;
	if (side->ignore)
		return;
	if (protocol == 1)
		side->held = st;
	stream_accept(st, protocol == 0 ? on_echo : on_sink, side);
}

static void on_down(void *arg, struct session *s, const struct err *err)
{
	struct side *side = arg;

	assert_ptr_equal(s, side->s);
	side->downs++;
	side->err = *err;
	side->s = NULL;
}

static void begin(struct rig *r, const struct peerid *expect)
{
	int fds[2];

	wire_init(&r->wire, fds);
	for (int i = 0; i < 2; i++) {
		struct side *side = &r->side[i];

		side->rig = r;
		side->up = false;
		side->downs = 0;
		assert_int_equal(session_new(&side->p, fds[i], i == 0 ? expect : NULL, &side->s, NULL), 0);
	}
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_int_equal(loop_new(&r->loop, NULL), 0);
	r->budget.max = (size_t)4 << 20;
	for (int i = 0; i < 2; i++) {
		struct side *side = &r->side[i];

		identity(&side->self, (uint8_t)(i + 1));
		side->p = (struct session_params){ .loop = r->loop, .self = &side->self, .serves = serves,
			.nserves = 2, .budget = &r->budget, .handshake_ms = 5000,
			.ops = { on_up, on_stream, on_down, side } };
	}
	r->wire.end[0] = r->wire.end[1] = -1;
	*state = r;
	return 0;
}

static void end(struct rig *r)
{
	for (int i = 0; i < 2; i++) {
		session_free(r->side[i].s);
		r->side[i].s = NULL;
	}
	wire_close(&r->wire);
	pass_one(r->loop);
}

static int teardown(void **state)
{
	struct rig *r = *state;

	end(r);
	assert_int_equal(r->budget.used, 0);
	loop_free(r->loop);
	free(r);
	return 0;
}

static void passes(struct rig *r, unsigned n)
{
	while (n-- > 0) {
		wire_pass(&r->wire);
		pass_one(r->loop);
	}
}

#define UNTIL(r, what) \
	do { \
		for (unsigned tries = 0; !(what); tries++) { \
			assert_true(tries < 200000); \
			passes(r, 1); \
		} \
	} while (0)

static void connect_both(struct rig *r)
{
	begin(r, &r->side[1].self.id);
	UNTIL(r, r->side[0].up && r->side[1].up);
}

static void call_open(struct rig *r, int from, const char *const *protocols, size_t n, struct call *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->got, BUF_MAX_ANY);
	assert_int_equal(stream_open(r->side[from].s, protocols, n, on_call, c, &c->st, NULL), 0);
}

static void echo_once(struct rig *r, int from, const char *const *protocols, size_t n, const char *text)
{
	struct call c;

	call_open(r, from, protocols, n, &c);
	c.free_at = 'E';
	assert_int_equal(stream_write(c.st, text, strlen(text)), 0);
	stream_shutdown(c.st);
	UNTIL(r, c.st == NULL);
	assert_string_equal(c.story, "ODE");
	assert_string_equal(buf_cstr(&c.got), text);
	assert_int_equal(c.protocol, n - 1);
	buf_free(&c.got);
}

/* ---- the handshake ---- */

static void test_pieces_of_any_size(void **state)
{
	static const size_t steps[] = { 1, 2, 7, 100, 65536 };
	struct rig *r = *state;

	for (size_t i = 0; i < COUNT(steps); i++) {
		begin(r, &r->side[1].self.id);
		r->wire.step = steps[i];
		UNTIL(r, r->side[0].up && r->side[1].up);
		for (int k = 0; k < 2; k++) {
			assert_true(session_is_up(r->side[k].s));
			assert_int_equal(session_dialled(r->side[k].s), k == 0);
			assert_true(peerid_same(session_peer(r->side[k].s), &r->side[1 - k].self.id));
		}
		echo_once(r, 0, only_echo, 1, "from the dialer");
		echo_once(r, 1, only_echo, 1, "from the listener");
		end(r);
	}
}

static void test_another_identity(void **state)
{
	struct rig *r = *state;
	struct noise_identity other;

	identity(&other, 9);
	begin(r, &other.id);
	UNTIL(r, r->side[0].downs == 1 && r->side[1].downs == 1);
	assert_int_equal(r->side[0].err.cls, ERR_DENIED);
	assert_int_equal(r->side[1].err.cls, ERR_UNAVAIL);
	assert_false(r->side[0].up || r->side[1].up);
}

static void test_handshake_deadline(void **state)
{
	struct rig *r = *state;
	int64_t begun = loop_now(r->loop);

	r->side[0].p.handshake_ms = r->side[1].p.handshake_ms = 30;
	begin(r, &r->side[1].self.id);
	r->wire.stopped = true;
	while (r->side[0].downs + r->side[1].downs < 2) {
		assert_true(loop_now(r->loop) - begun < 9000);
		passes(r, 1);
	}
	assert_true(loop_now(r->loop) - begun >= 30);
	assert_int_equal(r->side[0].err.cls, ERR_TIMEOUT);
	assert_int_equal(r->side[1].err.cls, ERR_TIMEOUT);
}

/* The wire breaks after each byte of the dialer's: each side hears of it once, and nothing stays behind. */
static void test_cut_at_every_byte(void **state)
{
	struct rig *r = *state;
	struct call c;
	size_t whole;

	connect_both(r);
	call_open(r, 0, only_echo, 1, &c);
	UNTIL(r, c.n > 0);
	whole = r->wire.passed[0];
	stream_free(c.st, 0);
	end(r);
	assert_in_range(whole, 250, 2000);
	for (size_t at = 1; at <= whole; at++) {
		begin(r, &r->side[1].self.id);
		r->wire.cut_at = at;
		memset(&c, 0, sizeof(c));
		for (unsigned i = 0; i < 2000 && r->side[0].downs + r->side[1].downs < 2; i++) {
			passes(r, 1);
			if (r->side[0].s != NULL && session_is_up(r->side[0].s) && c.st == NULL && c.n == 0)
				call_open(r, 0, only_echo, 1, &c);
		}
		assert_int_equal(r->side[0].downs, 1);
		assert_int_equal(r->side[1].downs, 1);
		assert_null(c.st);
		end(r);
	}
}

static void test_no_libp2p(void **state)
{
	struct rig *r = *state;
	char text[100] = "";

	begin(r, &r->side[1].self.id);
	r->wire.stopped = true;
	/* 'G' is a length of 71 */
	memcpy(text, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_int_equal(send(r->wire.end[1], text, sizeof(text), 0), sizeof(text));
	UNTIL(r, r->side[1].downs == 1);
	assert_int_equal(r->side[1].err.cls, ERR_PROTO);
	assert_non_null(strstr(r->side[1].err.msg, "no libp2p"));
}

static void test_not_wanted(void **state)
{
	struct rig *r = *state;

	r->side[1].refuse = true;
	begin(r, &r->side[1].self.id);
	UNTIL(r, r->side[0].downs == 1 && r->side[1].downs == 1);
	assert_int_equal(r->side[1].err.cls, ERR_DENIED);
	assert_int_equal(r->side[0].err.cls, 0);	/* a GoAway came */
}

static void test_free_when_up(void **state)
{
	struct rig *r = *state;

	r->side[0].free_when_up = true;
	begin(r, &r->side[1].self.id);
	UNTIL(r, r->side[0].s == NULL && r->side[1].downs == 1);
	assert_int_equal(r->side[0].downs, 0);
}

/* A peer that is no session: what it says inside Noise is the test's. It names no muxer there (as rust and
 * py), so that multistream-select follows. */
struct raw {
	struct conn *c;
	bool secured, over;
};

static const char hello[] = "\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n";
#define HELLO (sizeof(hello) - 1)

static void raw_event(void *arg, enum conn_event ev)
{
	struct raw *raw = arg;

	raw->secured = raw->secured || ev == CONN_SECURED;
	raw->over = raw->over || ev == CONN_EOF || ev == CONN_ERROR;
}

static void raw_dial(struct rig *r, struct raw *raw)
{
	static const char greet[] = "\x13/multistream/1.0.0\n\x07/noise\n";
	struct noise_params np = { .self = &r->side[0].self, .dialer = true, .plain = true };
	struct engine *noise;
	int fds[2];

	memset(raw, 0, sizeof(*raw));
	wire_init(&r->wire, fds);
	assert_int_equal(session_new(&r->side[1].p, fds[1], NULL, &r->side[1].s, NULL), 0);
	assert_int_equal(send(fds[0], greet, 28, 0), 28);
	passes(r, 20);
	assert_int_equal(recv(fds[0], (char[28]){ 0 }, 28, 0), 28);
	assert_int_equal(conn_new(r->loop, fds[0], raw_event, raw, &raw->c, NULL), 0);
	assert_int_equal(noise_new(&np, &noise, NULL), 0);
	conn_secure(raw->c, noise);
	UNTIL(r, raw->secured);
	assert_false(r->side[1].up);
	conn_write(raw->c, hello, HELLO);
	UNTIL(r, r->side[1].up && buf_len(conn_in(raw->c)) >= HELLO);
	assert_memory_equal(buf_data(conn_in(raw->c)), hello, HELLO);
}

/* One frame of yamux. */
static void raw_say(struct raw *raw, uint8_t type, uint8_t flags, uint8_t id, uint8_t length,
    const char *body)
{
	uint8_t h[YAMUX_HEADER_LEN] = { 0, type, 0, flags, 0, 0, 0, id, 0, 0, 0, length };

	conn_write(raw->c, h, sizeof(h));
	conn_write(raw->c, body, strlen(body));
}

static void test_muxer_by_multistream(void **state)
{
	struct rig *r = *state;
	struct raw raw;

	raw_dial(r, &raw);
	conn_free(raw.c);
}

static void test_ping_flood(void **state)
{
	struct rig *r = *state;
	struct raw raw;

	raw_dial(r, &raw);
	for (uint8_t i = 0; i < SESSION_PINGS_MAX; i++)
		raw_say(&raw, 2, 1, 0, i, "");
	UNTIL(r, buf_len(conn_in(raw.c)) == HELLO + SESSION_PINGS_MAX * YAMUX_HEADER_LEN);
	assert_int_equal(r->side[1].downs, 0);
	raw_say(&raw, 2, 1, 0, 99, "");
	UNTIL(r, r->side[1].downs == 1);
	assert_int_equal(r->side[1].err.cls, ERR_LIMIT);
	conn_free(raw.c);
}

/* Frames of streams that never were are passed over; a broken rule ends it with a GoAway. */
static void test_odd_frames(void **state)
{
	struct rig *r = *state;
	struct raw raw;

	raw_dial(r, &raw);
	raw_say(&raw, 0, 0, 7, 3, "abc");
	raw_say(&raw, 1, 8, 9, 0, "");
	raw_say(&raw, 0, 1 | 4, 1, 3, "abc");	/* no multistream-select, and its end */
	raw_say(&raw, 1, 1, 3, 0, "");		/* opened and left */
	passes(r, 30);
	assert_int_equal(r->side[1].downs, 0);
	assert_int_equal(session_streams(r->side[1].s), 1);
	raw_say(&raw, 1, 1, 2, 0, "");		/* an id of the other side's */
	UNTIL(r, r->side[1].downs == 1);
	assert_int_equal(r->side[1].err.cls, ERR_PROTO);
	UNTIL(r, raw.over);
	assert_int_equal(buf_data(conn_in(raw.c))[buf_len(conn_in(raw.c)) - YAMUX_HEADER_LEN + 1], 3);
	conn_free(raw.c);
}

static void test_goaway_under_way(void **state)
{
	struct rig *r = *state;
	struct raw raw;
	struct call c;

	raw_dial(r, &raw);
	call_open(r, 1, only_sink, 1, &c);
	stream_write(c.st, "x", 1);
	raw_say(&raw, 3, 0, 0, 0, "");
	UNTIL(r, r->side[1].downs == 1);
	assert_int_equal(r->side[1].err.cls, 0);
	assert_null(c.st);
	conn_free(raw.c);
}

/* ---- streams ---- */

static void test_refused(void **state)
{
	struct rig *r = *state;
	struct call c;

	connect_both(r);
	call_open(r, 0, none_of_them, 1, &c);
	UNTIL(r, c.st == NULL);
	assert_string_equal(c.story, "F");
	echo_once(r, 0, second, 3, "the third was taken");
	assert_int_equal(r->side[1].taken, 1);
}

static void test_not_accepted(void **state)
{
	struct rig *r = *state;
	struct call c;

	connect_both(r);
	r->side[1].ignore = true;
	call_open(r, 0, only_echo, 1, &c);
	UNTIL(r, c.st == NULL);
	assert_int_equal(c.story[c.n - 1], 'R');
	assert_int_equal(c.code, YAMUX_RESET_LIMIT);
	assert_int_equal(session_streams(r->side[1].s), 0);
}

static void test_many_in_a_row(void **state)
{
	struct rig *r = *state;

	connect_both(r);
	for (int i = 0; i < 300; i++)
		echo_once(r, i % 2, only_echo, 1, "again");
	assert_int_equal(r->side[0].taken + r->side[1].taken, 300);
	passes(r, 5);
	assert_int_equal(session_streams(r->side[0].s), 0);
	assert_int_equal(session_streams(r->side[1].s), 0);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)((i % 65521) * 7 + ((i % 65521) >> 8));
}

/* Write up to `size` bytes of the pattern, as much as is taken. */
static void feed(struct call *c, size_t *sent, size_t size)
{
	uint8_t piece[5000];

	while (c->st != NULL && *sent < size) {
		size_t n = size - *sent < sizeof(piece) ? size - *sent : sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(*sent + i);
		if (stream_write(c->st, piece, n) != 0)
			return;
		*sent += n;
		if (*sent == size)
			stream_shutdown(c->st);
	}
}

static void test_large_bodies_at_once(void **state)
{
	enum { N = 16, SIZE = 1 << 20 };
	struct rig *r = *state;
	struct call c[N];
	size_t sent[N] = { 0 };
	unsigned left = N;

	connect_both(r);
	for (int i = 0; i < N; i++) {
		call_open(r, i % 2, only_echo, 1, &c[i]);
		c[i].free_at = 'E';
	}
	for (unsigned tries = 0; left > 0; tries++) {
		assert_true(tries < 100000);
		left = 0;
		for (int i = 0; i < N; i++) {
			feed(&c[i], &sent[i], SIZE);
			left += c[i].st != NULL;
		}
		passes(r, 1);
	}
	for (int i = 0; i < N; i++) {
		assert_int_equal(buf_len(&c[i].got), SIZE);
		for (size_t k = 0; k < SIZE; k += 1001)
			assert_int_equal(buf_data(&c[i].got)[k], pattern(k));
		buf_free(&c[i].got);
	}
}

/* What is not consumed stops the sender at a window, and its owner at STREAM_OUT_MAX. */
static void test_push_back(void **state)
{
	struct rig *r = *state;
	struct call c;
	size_t sent = 0, all = 4 * WINDOW;

	connect_both(r);
	call_open(r, 0, only_sink, 1, &c);
	for (int i = 0; i < 200; i++) {
		feed(&c, &sent, all);
		passes(r, 1);
	}
	assert_non_null(r->side[1].held);
	assert_int_equal(buf_len(stream_in(r->side[1].held)), WINDOW - AGREEING);
	assert_int_equal(r->budget.used, WINDOW - AGREEING);
	assert_int_equal(stream_unsent(c.st), sent + AGREEING - WINDOW);
	assert_in_range(stream_unsent(c.st), STREAM_OUT_MAX - 5000, STREAM_OUT_MAX);
	stream_consume(r->side[1].held, WINDOW - AGREEING);
	for (int i = 0; i < 200; i++) {
		feed(&c, &sent, all);
		passes(r, 1);
	}
	assert_int_equal(buf_len(stream_in(r->side[1].held)), WINDOW);
	stream_free(c.st, 0);
	UNTIL(r, r->side[1].held == NULL);
	assert_int_equal(r->budget.used, 0);
}

static void test_budget(void **state)
{
	struct rig *r = *state;
	struct call c;
	size_t sent = 0;

	r->budget.max = 100000;
	connect_both(r);
	call_open(r, 0, only_sink, 1, &c);
	while (c.st != NULL) {
		feed(&c, &sent, WINDOW);
		passes(r, 1);
	}
	assert_int_equal(c.code, YAMUX_RESET_LIMIT);
	assert_null(r->side[1].held);
	assert_true(session_is_up(r->side[0].s));
}

static void test_resets(void **state)
{
	struct rig *r = *state;
	struct call c;

	connect_both(r);
	call_open(r, 0, only_sink, 1, &c);
	UNTIL(r, r->side[1].held != NULL);
	stream_free(r->side[1].held, 0x1234);
	UNTIL(r, c.st == NULL);
	assert_string_equal(c.story, "OR");
	assert_int_equal(c.code, 0x1234);
	call_open(r, 0, only_sink, 1, &c);
	r->side[1].held = NULL;
	UNTIL(r, r->side[1].held != NULL && c.n > 0);
	assert_int_equal(stream_write(c.st, "x", 1), 0);
	stream_free(c.st, 5);
	UNTIL(r, r->side[1].held == NULL);
	assert_true(session_is_up(r->side[0].s) && session_is_up(r->side[1].s));
}

/* One side has ended, the other still sends. */
static void test_half_close(void **state)
{
	struct rig *r = *state;
	struct call c;
	size_t sent = 0;

	connect_both(r);
	call_open(r, 0, only_sink, 1, &c);
	UNTIL(r, r->side[1].held != NULL);
	stream_shutdown(r->side[1].held);
	UNTIL(r, c.n == 2);
	assert_string_equal(c.story, "OE");
	feed(&c, &sent, 100000);
	UNTIL(r, buf_len(stream_in(r->side[1].held)) == 100000 && stream_eof(r->side[1].held));
	assert_int_equal(stream_write(c.st, "x", 1), ERR_UNAVAIL);
	stream_free(c.st, 0);
	stream_free(r->side[1].held, 0);
	passes(r, 5);
	assert_true(session_is_up(r->side[0].s) && session_is_up(r->side[1].s));
	echo_once(r, 1, only_echo, 1, "still there");
}

static void test_too_many(void **state)
{
	struct rig *r = *state;
	struct stream *st;
	struct call c[YAMUX_OUTBOUND_MAX];

	connect_both(r);
	for (size_t i = 0; i < YAMUX_OUTBOUND_MAX; i++)
		call_open(r, 0, only_sink, 1, &c[i]);
	assert_int_equal(stream_open(r->side[0].s, only_sink, 1, on_call, NULL, &st, NULL), ERR_LIMIT);
	UNTIL(r, r->side[1].taken == YAMUX_OUTBOUND_MAX);
	stream_free(c[0].st, 0);
	passes(r, 3);
	echo_once(r, 0, only_echo, 1, "one went");
}

static void test_deadline(void **state)
{
	struct rig *r = *state;
	struct call c;
	int64_t due;

	connect_both(r);
	call_open(r, 0, only_sink, 1, &c);
	UNTIL(r, c.n == 1);
	due = loop_now(r->loop) + 30;
	stream_deadline(c.st, due);
	c.free_at = 'T';
	UNTIL(r, c.st == NULL);
	assert_true(loop_now(r->loop) >= due);
	assert_string_equal(c.story, "OT");
}

/* ---- the end ---- */

static void test_orderly_end(void **state)
{
	struct rig *r = *state;
	struct call c;

	connect_both(r);
	call_open(r, 0, only_sink, 1, &c);
	UNTIL(r, c.n == 1);
	session_close(r->side[0].s, 5000);
	assert_int_equal(stream_open(r->side[0].s, only_sink, 1, on_call, NULL, &c.st, NULL), ERR_UNAVAIL);
	passes(r, 20);
	assert_int_equal(r->side[0].downs, 0);
	stream_free(c.st, 0);
	UNTIL(r, r->side[0].downs == 1 && r->side[1].downs == 1);
	assert_int_equal(r->side[0].err.cls, 0);
	assert_int_equal(r->side[1].err.cls, 0);
}

static void test_end_that_waits_no_longer(void **state)
{
	struct rig *r = *state;
	struct call c;

	connect_both(r);
	call_open(r, 1, only_sink, 1, &c);
	UNTIL(r, c.n == 1);
	session_close(r->side[0].s, 20);
	UNTIL(r, r->side[0].downs == 1 && r->side[1].downs == 1);
	assert_null(c.st);
	assert_int_equal(c.story[c.n - 1], 'R');
	assert_null(r->side[0].held);
}

static void test_keep_alive(void **state)
{
	struct rig *r = *state;

	r->side[0].p.keepalive_ms = 20;
	connect_both(r);
	assert_int_equal(session_rtt(r->side[0].s), -1);
	UNTIL(r, session_rtt(r->side[0].s) >= 0);
	assert_true(loop_now(r->loop) - session_since(r->side[0].s) >= 20);
	assert_int_equal(session_rtt(r->side[1].s), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(pieces_of_any_size), T(another_identity), T(handshake_deadline), T(cut_at_every_byte),
		T(no_libp2p), T(not_wanted), T(free_when_up), T(muxer_by_multistream),
		T(ping_flood), T(odd_frames), T(goaway_under_way), T(refused),
		T(not_accepted), T(many_in_a_row), T(large_bodies_at_once), T(push_back), T(budget),
		T(resets), T(half_close), T(too_many), T(deadline), T(orderly_end),
		T(end_that_waits_no_longer), T(keep_alive),
	};

	return cmocka_run_group_tests_name("p2p/session", tests, NULL, NULL);
}
