#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "net/conn.h"
#include "p2p/noise.h"
#include "p2p/streams.h"

#define FAREWELL_MS 1000	/* for the GoAway to leave */

static const char *const state_names[] = { "greeting", "securing", "muxing", "up", "closing", "dead" };
static const char *const security[] = { NOISE_PROTOCOL };
static const char *const muxers[] = { YAMUX_PROTOCOL };

static struct session *of_job(struct job *j)
{
	return (struct session *)(void *)((char *)j - offsetof(struct session, work));
}

static struct session *of_timer(struct timer *t)
{
	return (struct session *)(void *)((char *)t - offsetof(struct session, tick));
}

static void set_state(struct session *s, enum session_state state)
{
	char text[ADDR_TEXT_LEN];

	addr_text(&s->addr, text);
	log_debug("peer at %s: %s", text, state_names[state]);
	s->state = state;
}

/* ---- memory ---- */

static void bury(struct session *s, bool all)
{
	struct stream *st = s->first;

	s->first = s->last = NULL;
	while (st != NULL) {
		struct stream *next = st->next;

		st->next = NULL;
		if (all || stream_is_spent(st)) {
			stream_bury(st);
		} else {
			if (s->last != NULL)
				s->last->next = st;
			else
				s->first = st;
			s->last = st;
		}
		st = next;
	}
}

static void destroy(struct session *s)
{
	bury(s, true);
	yamux_free(&s->yamux);
	buf_free(&s->out);
	conn_free(s->conn);
	job_cancel(s->p.loop, &s->work);
	timer_clear(s->p.loop, &s->tick);
	free(s);
}

void session_enter(struct session *s)
{
	s->busy++;
}

void session_leave(struct session *s)
{
	if (--s->busy > 0)
		return;
	if (s->gone)
		destroy(s);
	else
		bury(s, false);
}

void session_free(struct session *s)
{
	if (s == NULL || s->gone)
		return;
	s->gone = true;
	set_state(s, S_DEAD);
	if (s->busy == 0)
		destroy(s);
}

/* ---- the end ---- */

static void tell_streams(struct session *s)
{
	for (struct stream *st = s->first; st != NULL && !s->gone; st = st->next)
		stream_on_reset(st, 0);
}

/* The last of the session: on_down, once. */
static void finish(struct session *s)
{
	if (s->gone)
		return;
	set_state(s, S_DEAD);
	tell_streams(s);
	if (s->gone)
		return;
	s->gone = true;
	s->p.ops.on_down(s->p.ops.arg, s, &s->err);
}

static void drain(struct session *s)
{
	struct buf *out = &s->yamux.out;

	if (buf_len(out) == 0 || conn_unsent(s->conn) >= SESSION_UNSENT_MAX)
		return;
	if (conn_write(s->conn, buf_data(out), buf_len(out)) != 0)
		err_set(&s->err, ERR_INTERNAL, "no memory to send");
	buf_consume(out, buf_len(out));
}

/* A GoAway is in the muxer's buffer: it leaves, then all is over. */
static void part(struct session *s)
{
	set_state(s, S_CLOSING);
	tell_streams(s);
	if (s->gone)
		return;
	timer_clear(s->p.loop, &s->tick);
	drain(s);
	conn_deadline(s->conn, loop_now(s->p.loop) + FAREWELL_MS);
}

static void close_if_idle(struct session *s)
{
	if (s->state != S_UP || !s->closing)
		return;
	if (s->first != NULL && loop_now(s->p.loop) < s->close_due)
		return;
	yamux_goaway(&s->yamux, YAMUX_NORMAL);
	part(s);
}

/* ---- streams' turn ---- */

static void rotate(struct session *s)
{
	struct stream *st = s->first;

	if (st == s->last)
		return;
	s->first = st->next;
	st->next = NULL;
	s->last->next = st;
	s->last = st;
}

static bool push_all(struct session *s)
{
	bool moved = false;
	size_t n = 0;

	for (const struct stream *st = s->first; st != NULL; st = st->next)
		n++;
	for (; n > 0 && conn_unsent(s->conn) < SESSION_UNSENT_MAX; n--) {
		moved |= stream_push(s->first);
		drain(s);
		rotate(s);
	}
	return moved;
}

static void work(struct session *s)
{
	if (s->state != S_UP)
		return;
	drain(s);
	while (push_all(s))
		;
	for (struct stream *st = s->first; st != NULL && s->state == S_UP; st = st->next)
		stream_on_pushed(st);
	if (s->state == S_UP && s->err.cls != 0)
		finish(s);
	if (s->state == S_UP)
		bury(s, false);
	close_if_idle(s);
}

static void on_work(struct job *j)
{
	struct session *s = of_job(j);

	session_enter(s);
	work(s);
	session_leave(s);
}

void session_wake(struct session *s)
{
	if (s->state == S_UP)
		job_queue(s->p.loop, &s->work);
}

/* ---- time ---- */

/* A pong waits behind what the peer had to send before: while that comes, it lives. */
static int64_t pong_due(const struct session *s)
{
	return (s->heard > s->pinged ? s->heard : s->pinged) + SESSION_PONG_MS;
}

static void schedule(struct session *s)
{
	int64_t due = 0;

	if (s->p.keepalive_ms > 0)
		due = s->pinged != 0 ? pong_due(s) : s->heard + s->p.keepalive_ms;
	if (s->closing && (due == 0 || s->close_due < due))
		due = s->close_due;
	if (due != 0)
		timer_set(s->p.loop, &s->tick, due);
	else
		timer_clear(s->p.loop, &s->tick);
}

static void keep_alive(struct session *s, int64_t now)
{
	if (s->p.keepalive_ms <= 0)
		return;
	if (s->pinged != 0 && now >= pong_due(s)) {
		err_set(&s->err, ERR_TIMEOUT, "the peer did not answer a ping within %d s",
		    SESSION_PONG_MS / 1000);
		finish(s);
	} else if (s->pinged == 0 && now >= s->heard + s->p.keepalive_ms &&
	    yamux_ping(&s->yamux, rand_below(UINT32_MAX))) {
		s->pinged = now;
		drain(s);
	}
}

static void on_tick(struct timer *t)
{
	struct session *s = of_timer(t);

	session_enter(s);
	keep_alive(s, loop_now(s->p.loop));
	close_if_idle(s);
	if (s->state == S_UP)
		schedule(s);
	session_leave(s);
}

/* ---- up ---- */

static void on_pinged(struct session *s)
{
	int64_t now = loop_now(s->p.loop);

	if (now - s->flood_from >= 1000) {
		s->flood_from = now;
		s->floods = 0;
	}
	if (++s->floods <= SESSION_PINGS_MAX)
		return;
	err_set(&s->err, ERR_LIMIT, "the peer sent more than %d pings in a second", SESSION_PINGS_MAX);
	yamux_goaway(&s->yamux, YAMUX_PROTOCOL_ERROR);
	part(s);
}

static void on_pong(struct session *s)
{
	s->rtt = loop_now(s->p.loop) - s->pinged;
	s->pinged = 0;
	schedule(s);
}

static void on_goaway(struct session *s, uint32_t code)
{
	if (code == YAMUX_PROTOCOL_ERROR)
		err_set(&s->err, ERR_PROTO, "the peer says that we broke the rules of yamux");
	finish(s);
}

static void on_event(struct session *s, const struct yamux_event *ev)
{
	switch (ev->type) {
	case YAMUX_NONE:
	case YAMUX_WRITABLE:		/* work() follows all input */
		break;
	case YAMUX_OPENED:
		stream_on_opened(s, ev->stream);
		break;
	case YAMUX_DATA:
		stream_on_data(ev->stream->arg, ev->data);
		break;
	case YAMUX_EOF:
		stream_on_eof(ev->stream->arg);
		break;
	case YAMUX_RESET:
		stream_on_reset(ev->stream->arg, ev->value);
		break;
	case YAMUX_PONG:
		on_pong(s);
		break;
	case YAMUX_PINGED:
		on_pinged(s);
		break;
	case YAMUX_GOAWAY:
		on_goaway(s, ev->value);
		break;
	}
}

static void feed_muxer(struct session *s)
{
	struct buf *in = conn_in(s->conn);
	struct yamux_event ev;

	s->heard = loop_now(s->p.loop);
	do {
		ssize_t n = yamux_feed(&s->yamux, buf_data(in), buf_len(in), &ev, &s->err);

		if (n < 0) {
			part(s);
			return;
		}
		on_event(s, &ev);
		if (s->state != S_UP)
			return;
		buf_consume(in, (size_t)n);
	} while (ev.type != YAMUX_NONE);
}

static void come_up(struct session *s)
{
	set_state(s, S_UP);
	yamux_init(&s->yamux, s->dialled);
	conn_deadline(s->conn, 0);
	s->since = s->heard = s->used = loop_now(s->p.loop);
	schedule(s);
	if (!s->p.ops.on_up(s->p.ops.arg, s) && !s->gone) {
		err_set(&s->err, ERR_DENIED, "the connection is not wanted");
		yamux_goaway(&s->yamux, YAMUX_NORMAL);
		part(s);
	}
}

/* ---- before ---- */

static void negotiate(struct session *s, const char *const *protocols)
{
	if (s->dialled)
		multistream_dial(&s->ms, protocols, 1, &s->out);
	else
		multistream_listen(&s->ms, protocols, 1, true, &s->out);
}

static void send_out(struct session *s)
{
	conn_write(s->conn, buf_data(&s->out), buf_len(&s->out));
	buf_clear(&s->out);
}

/* Feed multistream-select what came; true: agreed. */
static bool agree(struct session *s, const char *what)
{
	struct buf *in = conn_in(s->conn);
	ssize_t n = multistream_feed(&s->ms, buf_data(in), buf_len(in), &s->out);

	if (n > 0)
		buf_consume(in, (size_t)n);
	if (buf_len(&s->out) > 0)
		send_out(s);
	switch (s->ms.state) {
	case MULTISTREAM_RUNNING:
		return false;
	case MULTISTREAM_AGREED:
		return true;
	case MULTISTREAM_REFUSED:
		err_set(&s->err, ERR_PROTO, "the peer does not speak %s", what);
		break;
	case MULTISTREAM_BAD:
		err_set(&s->err, ERR_PROTO, "this is no libp2p peer: %s", s->ms.why);
		break;
	}
	finish(s);
	return false;
}

/* What is agreed in the clear has left, so that the engine takes nothing of it. */
static void secure(struct session *s)
{
	struct noise_params np = { .self = s->p.self,
		.dialer = s->dialled,
		.expect = s->dialled && s->expect.n > 0 ? &s->expect : NULL };

	if (s->ms.state != MULTISTREAM_AGREED || conn_unsent(s->conn) > 0)
		return;
	if (noise_new(&np, &s->noise, &s->err) != 0) {
		finish(s);
		return;
	}
	set_state(s, S_SECURING);
	conn_secure(s->conn, s->noise);
}

static void on_secured(struct session *s)
{
	s->peer = *noise_peer(s->noise);
	if (noise_has_muxer(s->noise)) {
		come_up(s);
		return;
	}
	set_state(s, S_MUXING);
	negotiate(s, muxers);
	send_out(s);
}

/* ---- the transport ---- */

static void on_data(struct session *s)
{
	if (s->state == S_GREETING && s->ms.state == MULTISTREAM_RUNNING)
		agree(s, NOISE_PROTOCOL);
	if (s->state == S_GREETING)
		secure(s);
	if (s->state == S_MUXING && buf_len(conn_in(s->conn)) > 0 && agree(s, YAMUX_PROTOCOL))
		come_up(s);
	if (s->state == S_UP) {
		feed_muxer(s);
		work(s);
	}
	if (s->state == S_CLOSING)
		buf_consume(conn_in(s->conn), buf_len(conn_in(s->conn)));
}

static void on_lowat(struct session *s)
{
	if (s->state == S_GREETING)
		secure(s);
	else if (s->state == S_UP)
		work(s);
	else if (s->state == S_CLOSING && buf_len(&s->yamux.out) == 0)
		finish(s);
	else if (s->state == S_CLOSING)
		drain(s);
}

static void on_eof(struct session *s)
{
	if (s->state != S_UP && s->state != S_CLOSING)
		err_set(&s->err, ERR_UNAVAIL, "the peer hung up during the handshake (%s)",
		    state_names[s->state]);
	else if (s->state == S_UP && !conn_clean(s->conn))
		err_set(&s->err, ERR_PROTO, "the connection ended within a message");
	finish(s);
}

static void on_timeout(struct session *s)
{
	if (s->state != S_CLOSING)
		err_set(&s->err, ERR_TIMEOUT, "the peer did not end its handshake within %lld ms (%s)",
		    (long long)s->p.handshake_ms, state_names[s->state]);
	finish(s);
}

static void on_error(struct session *s)
{
	if (s->state != S_CLOSING)
		err_set(&s->err, conn_error(s->conn)->cls, "%s", conn_error(s->conn)->msg);
	finish(s);
}

static void on_conn(void *arg, enum conn_event ev)
{
	struct session *s = arg;

	session_enter(s);
	switch (ev) {
	case CONN_SECURED:
		on_secured(s);
		break;
	case CONN_DATAIN:
		on_data(s);
		break;
	case CONN_LOWAT:
		on_lowat(s);
		break;
	case CONN_EOF:
		on_eof(s);
		break;
	case CONN_TIMEOUT:
		on_timeout(s);
		break;
	case CONN_ERROR:
		on_error(s);
		break;
	}
	session_leave(s);
}

/* ---- for the caller ---- */

int session_new(const struct session_params *p, int fd, const struct peerid *expect, struct session **out,
    struct err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		close(fd);
		return err_set(err, ERR_INTERNAL, "no memory for a connection");
	}
	s->p = *p;
	s->dialled = expect != NULL;
	if (expect != NULL)
		s->expect = *expect;
	s->rtt = -1;
	s->work.run = on_work;
	s->tick.fire = on_tick;
	buf_init(&s->out, (size_t)64 << 10);
	addr_of_peer(&s->addr, fd);
	rc = conn_new(p->loop, fd, on_conn, s, &s->conn, err);
	if (rc != 0) {
		free(s);
		return rc;
	}
	conn_deadline(s->conn, loop_now(p->loop) + p->handshake_ms);
	negotiate(s, security);
	send_out(s);
	*out = s;
	return 0;
}

void session_close(struct session *s, int64_t ms)
{
	s->closing = true;
	s->close_due = loop_now(s->p.loop) + ms;
	if (s->state == S_UP) {
		schedule(s);
		session_wake(s);
	} else if (s->state != S_CLOSING && s->state != S_DEAD) {
		conn_deadline(s->conn, s->close_due);
	}
}

bool session_is_up(const struct session *s)
{
	return s->state == S_UP;
}

bool session_dialled(const struct session *s)
{
	return s->dialled;
}

const struct peerid *session_peer(const struct session *s)
{
	return &s->peer;
}

const struct addr *session_addr(const struct session *s)
{
	return &s->addr;
}

size_t session_streams(const struct session *s)
{
	return s->nstreams;
}

int64_t session_since(const struct session *s)
{
	return s->since;
}

int64_t session_heard(const struct session *s)
{
	return s->heard;
}

int64_t session_used(const struct session *s)
{
	return s->used;
}

int64_t session_rtt(const struct session *s)
{
	return s->rtt;
}
