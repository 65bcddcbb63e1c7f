#include <stdlib.h>

#include "p2p/streams.h"

/* Room for what multistream-select says, beside the owner's bytes */
#define OUT_MORE ((size_t)8 << 10)

static struct stream *of_timer(struct timer *t)
{
	return (struct stream *)(void *)((char *)t - offsetof(struct stream, timer));
}

static void tell(struct stream *st, enum stream_event ev)
{
	if (!st->gone && st->fn != NULL)
		st->fn(st->arg, st, ev);
}

/* ---- deadlines ---- */

static void schedule(struct stream *st)
{
	int64_t due = st->due;

	if (st->negotiate_due != 0 && (due == 0 || st->negotiate_due < due))
		due = st->negotiate_due;
	if (due != 0)
		timer_set(st->s->p.loop, &st->timer, due);
	else
		timer_clear(st->s->p.loop, &st->timer);
}

/* Over both ways by our own will. */
static void cut(struct stream *st, uint32_t code)
{
	st->over = true;
	yamux_reset(&st->s->yamux, st->y, code);
	buf_clear(&st->out);
	session_wake(st->s);
}

/* A stream that nobody owns. */
static void drop(struct stream *st, uint32_t code)
{
	stream_free(st, code);
}

static void on_timer(struct timer *t)
{
	struct stream *st = of_timer(t);
	struct session *s = st->s;

	session_enter(s);
	if (st->gone) {
		cut(st, 0);		/* the rest found no reader in time */
	} else if (st->ms != NULL && !st->ours) {
		drop(st, YAMUX_RESET_NEGOTIATION);
	} else {
		if (st->negotiate_due != 0 && loop_now(s->p.loop) >= st->negotiate_due)
			cut(st, YAMUX_RESET_NEGOTIATION);
		st->due = 0;
		tell(st, STREAM_TIMEOUT);
	}
	session_leave(s);
}

/* ---- coming and going ---- */

static struct stream *make(struct session *s, bool ours)
{
	struct stream *st = calloc(1, sizeof(*st));
	struct multistream *ms = calloc(1, sizeof(*ms));

	if (st == NULL || ms == NULL) {
		free(st);
		free(ms);
		return NULL;
	}
	st->s = s;
	st->ms = ms;
	st->ours = ours;
	st->timer.fire = on_timer;
	st->negotiate_due = loop_now(s->p.loop) + SESSION_NEGOTIATE_MS;
	buf_init(&st->in, BUF_MAX_ANY);
	buf_init(&st->out, STREAM_OUT_MAX + OUT_MORE);
	buf_init(&st->hold, STREAM_OUT_MAX);
	return st;
}

static void link_in(struct stream *st, struct yamux_stream *y)
{
	struct session *s = st->s;

	st->y = y;
	y->arg = st;
	if (s->last != NULL)
		s->last->next = st;
	else
		s->first = st;
	s->last = st;
	s->nstreams++;
	s->used = loop_now(s->p.loop);
	schedule(st);
}

int stream_open(struct session *s, const char *const *protocols, size_t n, stream_fn *fn, void *arg,
    struct stream **out, struct err *err)
{
	struct yamux_stream *y;
	struct stream *st;

	if (s->state != S_UP || s->closing)
		return err_set(err, ERR_UNAVAIL, "the connection is being closed");
	st = make(s, true);
	if (st == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a stream");
	y = yamux_open(&s->yamux, NULL);
	if (y == NULL) {
		free(st->ms);
		free(st);
		return err_set(err, ERR_LIMIT, "%d streams to this peer are open already",
		    YAMUX_OUTBOUND_MAX);
	}
	st->fn = fn;
	st->arg = arg;
	st->owned = true;
	multistream_dial(st->ms, protocols, n, &st->out);
	link_in(st, y);
	session_wake(s);
	*out = st;
	return 0;
}

void stream_on_opened(struct session *s, struct yamux_stream *y)
{
	struct stream *st = s->closing ? NULL : make(s, false);

	if (st == NULL) {
		yamux_reset(&s->yamux, y, YAMUX_RESET_LIMIT);
		yamux_release(&s->yamux, y);
		return;
	}
	multistream_listen(st->ms, s->p.serves, s->p.nserves, false, &st->out);
	link_in(st, y);
}

void stream_accept(struct stream *st, stream_fn *fn, void *arg)
{
	st->owned = true;
	st->fn = fn;
	st->arg = arg;
}

void stream_free(struct stream *st, uint32_t code)
{
	struct session *s;

	if (st == NULL || st->gone)
		return;
	s = st->s;
	st->gone = true;
	s->nstreams--;
	s->used = loop_now(s->p.loop);
	s->p.budget->used -= buf_len(&st->in);
	buf_free(&st->in);
	st->due = st->negotiate_due = 0;
	if (s->state == S_UP && st->eof && st->shut && !st->over && st->ms == NULL)
		st->due = loop_now(s->p.loop) + SESSION_NEGOTIATE_MS;
	else if (s->state == S_UP)
		cut(st, code);
	schedule(st);
	session_wake(s);
}

bool stream_is_spent(const struct stream *st)
{
	return st->gone && (st->over || st->s->state != S_UP || yamux_is_over(st->y));
}

void stream_bury(struct stream *st)
{
	struct session *s = st->s;

	timer_clear(s->p.loop, &st->timer);
	yamux_release(&s->yamux, st->y);
	if (!st->gone)
		s->p.budget->used -= buf_len(&st->in);
	buf_free(&st->in);
	buf_free(&st->out);
	buf_free(&st->hold);
	free(st->ms);
	free(st);
}

/* ---- what comes ---- */

static void take(struct stream *st, struct span data)
{
	struct session_budget *b = st->s->p.budget;

	if (data.n == 0 || st->gone || st->over)
		return;
	if (b->used + data.n > b->max) {
		cut(st, YAMUX_RESET_LIMIT);
		tell(st, STREAM_RESET);
		return;
	}
	buf_addspan(&st->in, data);
	if (st->in.failed) {
		cut(st, YAMUX_RESET_LIMIT);
		tell(st, STREAM_RESET);
		return;
	}
	b->used += data.n;
	tell(st, STREAM_DATAIN);
}

static void agreed(struct stream *st)
{
	struct session *s = st->s;

	st->protocol = st->ms->agreed;
	free(st->ms);
	st->ms = NULL;
	st->negotiate_due = 0;
	schedule(st);
	buf_addspan(&st->out, buf_span(&st->hold));
	buf_free(&st->hold);
	if (st->ours)
		tell(st, STREAM_OPEN);
	else
		s->p.ops.on_stream(s->p.ops.arg, s, st, st->protocol);
	if (!st->owned && !st->gone)
		drop(st, YAMUX_RESET_LIMIT);
}

/* No agreement: whoever owns it is told, who does not exist is not. */
static void disagreed(struct stream *st, enum stream_event ev)
{
	if (!st->ours) {
		drop(st, YAMUX_RESET_NEGOTIATION);
		return;
	}
	cut(st, YAMUX_RESET_NEGOTIATION);
	st->negotiate_due = 0;
	schedule(st);
	tell(st, ev);
}

/* How many bytes were the negotiation's. */
static size_t negotiate(struct stream *st, struct span data)
{
	ssize_t n = multistream_feed(st->ms, data.p, data.n, &st->out);

	if (n >= 0)
		yamux_consumed(&st->s->yamux, st->y, (size_t)n);
	switch (st->ms->state) {
	case MULTISTREAM_RUNNING:
		break;
	case MULTISTREAM_AGREED:
		agreed(st);
		break;
	case MULTISTREAM_REFUSED:
		disagreed(st, STREAM_REFUSED);
		break;
	case MULTISTREAM_BAD:
		disagreed(st, STREAM_RESET);
		break;
	}
	return n < 0 ? data.n : (size_t)n;
}

void stream_on_data(struct stream *st, struct span data)
{
	size_t used;

	if (st->gone || st->over)
		return;
	if (st->ms != NULL) {
		used = negotiate(st, data);
		data = span_sub(data, used, data.n);
	}
	take(st, data);
}

void stream_on_eof(struct stream *st)
{
	if (st->gone || st->over)
		return;
	st->eof = true;
	if (st->ms != NULL)
		disagreed(st, STREAM_RESET);
	else
		tell(st, STREAM_EOF);
}

void stream_on_reset(struct stream *st, uint32_t code)
{
	bool was_over = st->over;

	st->over = true;
	st->code = code;
	if (!st->ours && !st->owned)
		drop(st, 0);
	else if (!was_over)
		tell(st, STREAM_RESET);
}

/* ---- what goes ---- */

static bool may_write(const struct stream *st)
{
	return !st->over && !st->shut && !st->gone && st->s->state == S_UP;
}

int stream_write(struct stream *st, const void *data, size_t n)
{
	if (!may_write(st))
		return ERR_UNAVAIL;
	if (stream_unsent(st) + n > STREAM_OUT_MAX)
		return ERR_LIMIT;
	/* Behind a single proposal data may follow at once; behind one of several they could meet another. */
	buf_add(st->ms != NULL && st->ms->nprotocols > 1 ? &st->hold : &st->out, data, n);
	st->lowat_due = true;
	session_wake(st->s);
	return st->out.failed || st->hold.failed ? ERR_LIMIT : 0;
}

void stream_shutdown(struct stream *st)
{
	st->shut = true;
	session_wake(st->s);
}

bool stream_push(struct stream *st)
{
	struct yamux *y = &st->s->yamux;
	size_t n = buf_len(&st->out), sent;

	if (st->over)
		return false;
	/* A turn is one frame, so that streams share the way. */
	sent = n > 0 ? yamux_write(y, st->y, buf_data(&st->out), n < YAMUX_SEND_MAX ? n : YAMUX_SEND_MAX) : 0;
	buf_consume(&st->out, sent);
	/* Behind the agreement: js resets a stream whose FIN comes along with the proposal. */
	if (buf_len(&st->out) == 0 && st->shut && st->ms == NULL)
		yamux_close(y, st->y);
	return sent > 0;
}

void stream_on_pushed(struct stream *st)
{
	if (!st->lowat_due || st->ms != NULL || buf_len(&st->out) >= STREAM_LOWAT_BYTES)
		return;
	st->lowat_due = false;
	if (!st->over)
		tell(st, STREAM_LOWAT);
}

/* ---- asked by the owner ---- */

struct session *stream_session(const struct stream *st)
{
	return st->s;
}

size_t stream_protocol(const struct stream *st)
{
	return st->protocol;
}

uint32_t stream_code(const struct stream *st)
{
	return st->code;
}

struct buf *stream_in(struct stream *st)
{
	return &st->in;
}

void stream_consume(struct stream *st, size_t n)
{
	buf_consume(&st->in, n);
	st->s->p.budget->used -= n;
	if (st->s->state == S_UP && !st->over) {
		yamux_consumed(&st->s->yamux, st->y, n);
		session_wake(st->s);
	}
}

bool stream_eof(const struct stream *st)
{
	return st->eof;
}

size_t stream_unsent(const struct stream *st)
{
	return buf_len(&st->out) + buf_len(&st->hold);
}

void stream_deadline(struct stream *st, int64_t due)
{
	st->due = due;
	schedule(st);
}
