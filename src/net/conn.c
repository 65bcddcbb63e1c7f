#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/engine.h"

#define READ_SLICE ((size_t)32 << 10)

struct conn {
	struct io io;
	struct loop *loop;
	struct timer deadline;
	struct job kick;		/* bytes that came before the engine did */
	struct engine *engine;		/* NULL: plain */
	bool secured;			/* CONN_SECURED was told */
	bool eof;			/* read() gave 0 */
	bool paused;			/* conn_pause */
	bool half_open, eof_told;	/* conn_half_open */
	bool over;			/* a last event was told */
	bool timed_out;			/* and that was CONN_TIMEOUT */
	bool drained;			/* CONN_LOWAT was told for what was written */
	struct buf in, out, early;	/* plaintext both ways; raw bytes for a new engine */
	struct err err;
	conn_fn *fn;
	void *arg;
};

#define CONN_OF(member, ptr) ((struct conn *)(void *)((char *)(ptr) - offsetof(struct conn, member)))

static void tell(struct conn *c, enum conn_event ev)
{
	if (c->io.dead || c->over)
		return;
	c->over = (ev == CONN_EOF && !c->half_open) || ev == CONN_TIMEOUT || ev == CONN_ERROR;
	c->timed_out = ev == CONN_TIMEOUT;
	c->fn(c->arg, ev);
}

static unsigned engine_state(const struct conn *c)
{
	return c->engine->ops->state(c->engine);
}

static bool room(const struct conn *c)
{
	return buf_len(&c->in) < CONN_IN_MAX && !c->eof && !c->paused;
}

static unsigned want(struct io *io)
{
	struct conn *c = CONN_OF(io, io);
	unsigned st, bits = 0;

	if (c->over)
		return 0;
	if (c->engine == NULL)
		return (room(c) ? LOOP_READ : 0) | (buf_len(&c->out) > 0 ? LOOP_WRITE : 0);
	st = engine_state(c);
	if (room(c) && (st & ENGINE_NET_IN))
		bits |= LOOP_READ;
	if (st & ENGINE_NET_OUT)
		bits |= LOOP_WRITE;
	/* The session has consumed: what comes next waits in the engine or before it, not in the socket. */
	if (room(c) && ((st & ENGINE_APP_OUT) || ((st & ENGINE_NET_IN) && buf_len(&c->early) > 0)))
		job_queue(c->loop, &c->kick);
	return bits;
}

static void fail_sys(struct conn *c, const char *what)
{
	err_sys(&c->err, ERR_UNAVAIL, "%s", what);
}

/* Bytes written, 0: not now or failed (c->err). */
static size_t send_some(struct conn *c, const void *p, size_t n)
{
	ssize_t k = send(c->io.fd, p, n, MSG_NOSIGNAL);

	if (k >= 0)
		return (size_t)k;
	if (errno != EAGAIN && errno != EINTR)
		fail_sys(c, "sending");
	return 0;
}

static size_t recv_some(struct conn *c, void *p, size_t n)
{
	ssize_t k;

	if (buf_len(&c->early) > 0) {
		size_t have = buf_len(&c->early) < n ? buf_len(&c->early) : n;

		memcpy(p, buf_data(&c->early), have);
		buf_consume(&c->early, have);
		return have;
	}
	k = recv(c->io.fd, p, n, 0);
	if (k > 0)
		return (size_t)k;
	if (k == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		fail_sys(c, "receiving");
	return 0;
}

static void read_plain(struct conn *c)
{
	uint8_t *p = buf_reserve(&c->in, READ_SLICE);

	if (p == NULL)
		err_set(&c->err, ERR_INTERNAL, "no memory to receive");
	else
		buf_commit(&c->in, recv_some(c, p, READ_SLICE));
}

static void write_plain(struct conn *c)
{
	if (buf_len(&c->out) > 0)
		buf_consume(&c->out, send_some(c, buf_data(&c->out), buf_len(&c->out)));
}

static size_t pump_net_out(struct conn *c)
{
	const struct engine_ops *op = c->engine->ops;
	size_t n = 0, sent;
	const uint8_t *p = op->net_out(c->engine, &n);

	sent = send_some(c, p, n);
	op->net_out_ack(c->engine, sent);
	return sent;
}

static size_t pump_app_out(struct conn *c)
{
	const struct engine_ops *op = c->engine->ops;
	size_t n = 0;
	const uint8_t *p = op->app_out(c->engine, &n);

	buf_add(&c->in, p, n);
	if (c->in.failed)
		err_set(&c->err, ERR_INTERNAL, "no memory to receive");
	op->app_out_ack(c->engine, n);
	return n;
}

static size_t pump_app_in(struct conn *c)
{
	const struct engine_ops *op = c->engine->ops;
	size_t n = 0;
	uint8_t *p = op->app_in(c->engine, &n);

	if (n > buf_len(&c->out))
		n = buf_len(&c->out);
	memcpy(p, buf_data(&c->out), n);
	op->app_in_ack(c->engine, n);
	buf_consume(&c->out, n);
	if (buf_len(&c->out) == 0)
		op->flush(c->engine);
	return n;
}

static size_t pump_net_in(struct conn *c)
{
	const struct engine_ops *op = c->engine->ops;
	size_t n = 0, got;
	uint8_t *p = op->net_in(c->engine, &n);

	got = recv_some(c, p, n);
	op->net_in_ack(c->engine, got);
	return got;
}

/* One step of progress through whichever port can move, in the order that frees the engine soonest. */
static bool pump_step(struct conn *c, bool readable)
{
	unsigned st = engine_state(c);

	if ((st & ENGINE_NET_OUT) && pump_net_out(c) > 0)
		return true;
	if ((st & ENGINE_APP_OUT) && buf_len(&c->in) < CONN_IN_MAX)
		return pump_app_out(c) > 0;
	if ((st & ENGINE_APP_IN) && buf_len(&c->out) > 0)
		return pump_app_in(c) > 0;
	if ((st & ENGINE_NET_IN) && room(c) && (readable || buf_len(&c->early) > 0))
		return pump_net_in(c) > 0;
	return false;
}

static void pump(struct conn *c, bool readable)
{
	bool more = true;

	while (more && c->err.cls == 0)
		more = pump_step(c, readable);
	if (c->err.cls == 0)
		c->engine->ops->error(c->engine, &c->err);
}

static bool at_end(const struct conn *c)
{
	if (c->engine == NULL)
		return c->eof;
	if (engine_state(c) & ENGINE_APP_OUT)
		return false;
	return c->eof || (engine_state(c) & ENGINE_CLOSED) != 0;
}

/* What the transport's new state means to the session. Every tell may have freed the conn (io.dead): tell
 * checks. */
static void report(struct conn *c, size_t had)
{
	if (c->engine != NULL && !c->secured && (engine_state(c) & ENGINE_APP_IN)) {
		c->secured = true;
		tell(c, CONN_SECURED);
	}
	if (buf_len(&c->in) > had)
		tell(c, CONN_DATAIN);
	if (c->err.cls != 0) {
		tell(c, CONN_ERROR);
	} else if (at_end(c) && !c->eof_told) {
		c->eof_told = true;
		tell(c, CONN_EOF);
	} else if (!c->drained && conn_unsent(c) == 0) {
		c->drained = true;
		tell(c, CONN_LOWAT);
	}
}

static void ready(struct io *io, unsigned got)
{
	struct conn *c = CONN_OF(io, io);
	size_t had = buf_len(&c->in);

	if (c->over)
		return;
	if (c->engine != NULL) {
		pump(c, (got & LOOP_READ) != 0);
	} else {
		/* Reading first: a peer that has answered and gone is heard before the write to it fails. */
		if (got & LOOP_READ)
			read_plain(c);
		if ((got & LOOP_WRITE) && c->err.cls == 0 && (!c->eof || c->half_open))
			write_plain(c);
	}
	report(c, had);
}

static void on_kick(struct job *job)
{
	ready(&CONN_OF(kick, job)->io, 0);
}

static void on_deadline(struct timer *t)
{
	tell(CONN_OF(deadline, t), CONN_TIMEOUT);
}

static void reap(struct io *io)
{
	struct conn *c = CONN_OF(io, io);

	close(io->fd);
	if (c->engine != NULL)
		c->engine->ops->free(c->engine);
	buf_wipe(&c->in);
	buf_wipe(&c->out);
	buf_wipe(&c->early);
	timer_clear(c->loop, &c->deadline);
	job_cancel(c->loop, &c->kick);
	free(c);
}

int conn_new(struct loop *loop, int fd, conn_fn *fn, void *arg, struct conn **out, struct err *err)
{
	struct conn *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		close(fd);
		return err_set(err, ERR_INTERNAL, "no memory for a connection");
	}
	c->io = (struct io){ .fd = fd, .want = want, .ready = ready, .reap = reap };
	c->loop = loop;
	c->deadline.fire = on_deadline;
	c->kick.run = on_kick;
	c->drained = true;
	c->fn = fn;
	c->arg = arg;
	buf_init(&c->in, CONN_IN_MAX + 2 * READ_SLICE);
	buf_init(&c->out, CONN_OUT_MAX);
	buf_init(&c->early, CONN_IN_MAX + 2 * READ_SLICE);
	err_init(&c->err);
	rc = loop_add(loop, &c->io, err);
	if (rc != 0) {
		close(fd);
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	c->io.dead = true;
	timer_clear(c->loop, &c->deadline);
	job_cancel(c->loop, &c->kick);
}

void conn_retarget(struct conn *c, conn_fn *fn, void *arg)
{
	c->fn = fn;
	c->arg = arg;
}

void conn_secure(struct conn *c, struct engine *e)
{
	c->engine = e;
	buf_addspan(&c->early, buf_span(&c->in));
	buf_clear(&c->in);
	job_queue(c->loop, &c->kick);
}

int conn_write(struct conn *c, const void *p, size_t n)
{
	c->drained = false;
	return conn_stage(c, p, n);
}

int conn_stage(struct conn *c, const void *p, size_t n)
{
	buf_add(&c->out, p, n);
	c->over = c->over && !c->timed_out;	/* a last word */
	if (c->engine != NULL)
		job_queue(c->loop, &c->kick);
	return c->out.failed ? ERR_LIMIT : 0;
}

/* What the socket takes of the queue and the parts; what goes wrong is told by the loop. */
static size_t send_parts(struct conn *c, const struct span *parts, size_t n)
{
	struct iovec iov[1 + CONN_PARTS_MAX] = { { buf_data(&c->out), buf_len(&c->out) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 + (int)n };	/* int in musl */
	ssize_t k;

	for (size_t i = 0; i < n; i++)
		iov[1 + i] = (struct iovec){ (void *)(uintptr_t)parts[i].p, parts[i].n };
	if (iov[0].iov_len == 0) {
		msg.msg_iov++;
		msg.msg_iovlen--;
	}
	k = sendmsg(c->io.fd, &msg, MSG_NOSIGNAL);
	if (k >= 0)
		return (size_t)k;
	if (errno != EAGAIN && errno != EINTR) {
		fail_sys(c, "sending");
		job_queue(c->loop, &c->kick);
	}
	return 0;
}

int conn_push(struct conn *c, const struct span *parts, size_t n)
{
	size_t sent = 0, queued = buf_len(&c->out);

	c->over = c->over && !c->timed_out;	/* a last word */
	if (c->engine == NULL && c->err.cls == 0 && !c->io.dead)
		sent = send_parts(c, parts, n);
	if (sent < queued) {
		buf_consume(&c->out, sent);
		sent = 0;
	} else {
		buf_consume(&c->out, queued);
		sent -= queued;
	}
	for (size_t i = 0; i < n; i++) {
		size_t gone = sent < parts[i].n ? sent : parts[i].n;

		sent -= gone;
		if (gone < parts[i].n)
			conn_write(c, parts[i].p + gone, parts[i].n - gone);
	}
	/* Whoever saw bytes wait is owed a word when they have left, also if they left here. */
	if (buf_len(&c->out) > 0)
		c->drained = false;
	else if (!c->drained)
		job_queue(c->loop, &c->kick);
	return c->out.failed ? ERR_LIMIT : 0;
}

struct buf *conn_in(struct conn *c)
{
	return &c->in;
}

size_t conn_unsent(const struct conn *c)
{
	size_t n = buf_len(&c->out);

	if (c->engine != NULL && (engine_state(c) & ENGINE_NET_OUT))
		n++;
	return n;
}

void conn_half_open(struct conn *c)
{
	c->half_open = true;
}

void conn_shutdown(struct conn *c)
{
	shutdown(c->io.fd, SHUT_WR);
}

void conn_pause(struct conn *c, bool pause)
{
	c->paused = pause;
}

void conn_deadline(struct conn *c, int64_t due)
{
	if (due == 0)
		timer_clear(c->loop, &c->deadline);
	else
		timer_set(c->loop, &c->deadline, due);
}

bool conn_clean(const struct conn *c)
{
	return c->engine == NULL || c->engine->ops->ended(c->engine);
}

const struct err *conn_error(const struct conn *c)
{
	return &c->err;
}
