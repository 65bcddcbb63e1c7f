#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/heads.h"
#include "net/conn.h"
#include "net/listen.h"

#define LINGER_MAX ((size_t)256 << 10)
#define CUT_SHORT "the request was not sent to its end"
#define LINGER_MS 2000
#define TOO_LONG "its body is longer than daemon.max_request_body"
#define RESERVED_MS 500			/* for the head on a reserved connection */
#define UPSTREAM_SPARE 32	/* descriptors clients leave to what is asked for them; of few, a quarter */

static const char *const names[] = { "IDLE", "HEAD", "BODY", "ANSWER", "CLOSING", "DEAD" };

void exchange_enter(struct exchange *x, enum exchange_state st)
{
	log_debug("client %p: %s -> %s", (void *)x, names[x->st], names[st]);
	x->st = st;
}

void exchange_arm(struct exchange *x, int64_t ms)
{
	conn_deadline(x->conn, ms > 0 ? loop_now(x->server->p.loop) + ms : 0);
}

static void dispose(struct exchange *x)
{
	*x->link = x->next;
	if (x->next != NULL)
		x->next->link = x->link;
	x->server->nclients--;
	job_cancel(x->server->p.loop, &x->step);
	conn_free(x->conn);
	buf_wipe(&x->text);
	free(x);
}

/* Is the application holding this exchange? */
static bool is_held(const struct exchange *x)
{
	return (x->st == S_BODY || x->st == S_ANSWER) && !x->ended;
}

static void drop(struct exchange *x)
{
	if (is_held(x)) {
		exchange_enter(x, S_DEAD);
		x->server->p.ops.on_gone(x->server->p.ops.arg, x);
	}
	dispose(x);
}

/* ---- the request ---- */

/* A request that cannot be one: the status that says so, and the end of the connection. */
static void refuse(struct exchange *x, int status, const char *why)
{
	struct http_field f[] = { { span_of("Content-Type"), span_of("text/plain; charset=utf-8") },
		{ span_of("Retry-After"), span_of("1") } };
	char text[200];
	int n = snprintf(text, sizeof(text), "%.198s\n", why);

	log_msg(log_ration(&x->server->said), "a request %s was refused with %d: %s",
	    x->is_unix ? "on the unix socket" : "on TCP", status, why);
	x->head.method = span_of("GET");
	x->head.minor = 1;
	x->keep = false;
	x->body_over = x->half_closed;	/* else it may go on sending: see on_last_byte */
	exchange_enter(x, S_ANSWER);
	exchange_head(x, status, span_of(""), f, status == 503 ? 2 : 1, n);
	exchange_body(x, text, (size_t)n);
	exchange_end(x);
}

static int status_of_head(const char *why, size_t n)
{
	if (n >= HTTP_HEAD_MAX || strstr(why, "too many fields") != NULL)
		return 431;
	return strncmp(why, "a version", 9) == 0 ? 505 : 400;
}

static bool is_too_long(const struct exchange *x)
{
	return x->server->p.max_body > 0 && x->left > x->server->p.max_body;
}

static bool start_body(struct exchange *x)
{
	const char *why;

	if (http_request_framing(&x->head, &x->framing, &x->left, &why) != 0) {
		refuse(x, strstr(why, "coding other") != NULL ? 501 : 400, why);
		return false;
	}
	http_chunk_init(&x->chunk);
	if (x->framing == HTTP_BODY_LENGTH && is_too_long(x)) {
		refuse(x, 413, TOO_LONG);
		return false;
	}
	x->body_over = x->framing == HTTP_BODY_NONE;
	x->keep = !x->reserved && !http_field_has(&x->head, "Connection", "close") &&
	    (x->head.minor == 1 || http_field_has(&x->head, "Connection", "keep-alive"));
	x->no_body = x->chunked = x->head_sent = x->ended = false;
	if (!x->body_over && http_field_has(&x->head, "Expect", "100-continue"))
		conn_write(x->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return true;
}

static void move_span(struct span *s, const char *from, const char *to)
{
	s->p = to + (s->p - from);
}

static void move_spans(struct http_head *h, const char *from, const char *to)
{
	move_span(&h->method, from, to);
	move_span(&h->target, from, to);
	for (size_t i = 0; i < h->nfields; i++) {
		move_span(&h->fields[i].name, from, to);
		move_span(&h->fields[i].value, from, to);
	}
}

/* RFC 9112 §3.2.2: of an absolute target the host counts, and the Host field does not. */
static void take_absolute(struct http_head *h)
{
	struct span rest = h->target, authority;
	size_t scheme = span_istarts(rest, "http://") ? 7 : span_istarts(rest, "https://") ? 8 : 0;

	if (scheme == 0)
		return;
	rest = span_sub(rest, scheme, rest.n);
	authority = span_before(span_before(rest, '/'), '?');
	h->target = span_sub(rest, authority.n, rest.n);
	if (h->target.n == 0 || h->target.p[0] != '/')
		h->target = span_of("/");
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, "host"))
			h->fields[i].value = authority;
}

/* The head is copied out of the connection's buffer, which goes on filling. */
static bool take_head(struct exchange *x)
{
	struct buf *in = conn_in(x->conn);
	const char *why = "";
	ssize_t n = http_parse_request(buf_data(in), buf_len(in), &x->head, &why);

	if (n == -2)
		return false;
	if (n < 0) {
		refuse(x, status_of_head(why, buf_len(in)), why);
		return false;
	}
	buf_clear(&x->text);
	buf_add(&x->text, buf_data(in), (size_t)n);
	move_spans(&x->head, (const char *)buf_data(in), (const char *)buf_data(&x->text));
	buf_consume(in, (size_t)n);
	take_absolute(&x->head);
	return start_body(x);
}

/* A head that came before, and an answer that is still right: no more than a look and a send. */
static bool answered_again(struct exchange *x)
{
	struct server *s = x->server;
	struct heads_slot *slot;
	struct span parts[2];
	size_t n;

	if (s->heads == NULL || s->stopping)
		return false;
	slot = heads_find(s->heads, x->is_unix, buf_span(conn_in(x->conn)), &n, loop_now(s->p.loop));
	if (slot == NULL)
		return false;
	if (!s->p.ops.on_again(s->p.ops.arg, slot->note, &parts[1])) {
		heads_drop(s->heads, slot);
		return false;
	}
	parts[0] = buf_span(&slot->answer);
	buf_consume(conn_in(x->conn), n);
	s->exchanges++;
	s->repeats++;
	conn_push_lent(x->conn, parts, 2,
	    &(struct conn_lender){ s->p.ops.hold, s->p.ops.release, slot->note });
	return true;
}

static void begin(struct exchange *x)
{
	struct server_ops *ops = &x->server->p.ops;

	x->server->exchanges++;
	exchange_enter(x, x->body_over ? S_ANSWER : S_BODY);
	exchange_arm(x, x->body_over ? 0 : x->server->p.stall_ms);
	ops->on_request(ops->arg, x);
	if (x->body_over && is_held(x))
		ops->on_body_end(ops->arg, x);
}

/* One stretch of body: bytes consumed, or -1. */
static ssize_t take_body(struct exchange *x, const uint8_t *p, size_t n, const char **why)
{
	struct server_ops *ops = &x->server->p.ops;
	const uint8_t *data = p;
	size_t len = n;
	ssize_t used;

	if (x->framing == HTTP_BODY_LENGTH) {
		used = (ssize_t)(len = len > x->left ? (size_t)x->left : len);
		x->left -= len;
		x->body_over = x->left == 0;
	} else {
		used = http_chunk_feed(&x->chunk, p, n, &data, &len, why);
		x->body_over = x->chunk.done;
		x->left += len;
		if (used >= 0 && is_too_long(x)) {
			*why = TOO_LONG;
			return -1;
		}
	}
	if (used >= 0 && len > 0 && !x->ended)
		ops->on_body(ops->arg, x, data, len);
	return used;
}

static void on_body_data(struct exchange *x)
{
	struct server_ops *ops = &x->server->p.ops;
	struct buf *in = conn_in(x->conn);
	const char *why;

	while (x->st == S_BODY && !x->body_over && buf_len(in) > 0) {
		ssize_t used = take_body(x, buf_data(in), buf_len(in), &why);

		if (used < 0) {
			/* The body's end is lost: whatever answer is under way, nothing more can be read
			 * here. */
			if (!x->ended)
				ops->on_gone(ops->arg, x);
			if (x->head_sent)
				exchange_abort(x);
			else
				refuse(x, is_too_long(x) ? 413 : 400, why);
			return;
		}
		buf_consume(in, (size_t)used);
	}
	if (x->st != S_BODY)
		return;
	exchange_arm(x, x->server->p.stall_ms);
	if (x->body_over) {
		exchange_enter(x, S_ANSWER);
		exchange_arm(x, 0);
		if (!x->ended)
			ops->on_body_end(ops->arg, x);
	}
}

/* ---- the connection ---- */

/* RFC 9112 §9.6: who is still sending its body would not hear an answer that is followed by a reset. So only
 * our side is closed, and what comes is thrown away for a while. */
static void on_last_byte(struct exchange *x)
{
	if (x->body_over || x->lingered > LINGER_MAX) {
		/* Callers look at the state once more: the loop disposes of it. */
		exchange_enter(x, S_DEAD);
		job_queue(x->server->p.loop, &x->step);
		return;
	}
	conn_shutdown(x->conn);
	exchange_arm(x, LINGER_MS);
}

static void linger(struct exchange *x)
{
	x->lingered += buf_len(conn_in(x->conn));
	buf_clear(conn_in(x->conn));
	if (x->lingered > LINGER_MAX)
		dispose(x);
}

static void close_after_last_byte(struct exchange *x)
{
	exchange_enter(x, S_CLOSING);
	if (conn_unsent(x->conn) == 0)
		on_last_byte(x);
}

/* What is pipelined has its turn after the others'. Who does not take the answers gets no more of them: the
 * next request waits for CONN_LOWAT. */
static void become_idle(struct exchange *x)
{
	exchange_enter(x, S_IDLE);
	/* who has yet to take the answer is not idle */
	exchange_arm(x, conn_unsent(x->conn) > 0 ? x->server->p.stall_ms : x->server->p.idle_ms);
	if (buf_len(conn_in(x->conn)) > 0)
		job_queue(x->server->p.loop, &x->step);
	else if (x->half_closed)
		close_after_last_byte(x);
}

static void after_answer(struct exchange *x)
{
	if (!x->keep) {
		close_after_last_byte(x);
		return;
	}
	if (x->server->stopping && buf_len(conn_in(x->conn)) == 0)
		close_after_last_byte(x);
	else
		become_idle(x);
}

static void say_no_room(struct exchange *x)
{
	refuse(x, 503, "the daemon has all the connections that it takes");
}

static bool is_turned_away(const struct exchange *x)
{
	return x->reserved && !span_starts(x->head.target, x->server->p.reserved_for);
}

static void on_head_data(struct exchange *x)
{
	if (!x->reserved && answered_again(x)) {
		become_idle(x);
	} else if (take_head(x)) {
		if (is_turned_away(x))
			say_no_room(x);
		else
			begin(x);
	} else if (x->st == S_HEAD && x->half_closed) {
		refuse(x, 400, CUT_SHORT);
	}
}

static void on_data(struct exchange *x)
{
	if (x->st == S_IDLE && buf_len(conn_in(x->conn)) > 0 && conn_unsent(x->conn) <= EXCHANGE_AHEAD_MAX) {
		exchange_enter(x, S_HEAD);
		if (!x->reserved)
			exchange_arm(x, x->server->p.head_ms);
	}
	if (x->st == S_HEAD)
		on_head_data(x);
	if (x->st == S_BODY)
		on_body_data(x);
	else if (x->st == S_CLOSING)
		linger(x);
}

static void on_step(struct job *job)
{
	struct exchange *x = (struct exchange *)(void *)((char *)job - offsetof(struct exchange, step));

	if (x->st == S_DEAD)
		dispose(x);
	else if ((x->st == S_ANSWER || x->st == S_BODY) && x->ended)
		after_answer(x);
	else if (x->st == S_IDLE)
		on_data(x);
}

static void on_timeout(struct exchange *x)
{
	if (x->reserved && (x->st == S_IDLE || x->st == S_HEAD))
		say_no_room(x);
	else if (x->st == S_HEAD)
		refuse(x, 408, "the request did not come in time");
	else
		drop(x);
}

/* The client has said all it will. Whole requests are still answered; whoever is gone for good is found out
 * by the answer. */
static void on_half_closed(struct exchange *x)
{
	bool pending = conn_unsent(x->conn) > 0 || x->step.queued;

	x->half_closed = true;
	if (x->st == S_ANSWER || (pending && (x->st == S_CLOSING || x->st == S_IDLE)))
		return;
	if (x->st == S_HEAD || (x->st == S_BODY && !x->head_sent)) {
		if (is_held(x))
			x->server->p.ops.on_gone(x->server->p.ops.arg, x);
		refuse(x, 400, CUT_SHORT);
		return;
	}
	drop(x);
}

static void on_conn(void *arg, enum conn_event ev)
{
	struct exchange *x = arg;

	switch (ev) {
	case CONN_SECURED:
		break;
	case CONN_DATAIN:
		on_data(x);
		break;
	case CONN_LOWAT:
		if (x->st == S_CLOSING)
			on_last_byte(x);
		else if (x->st == S_IDLE)
			become_idle(x);
		else if (is_held(x) && x->head_sent) {
			exchange_arm(x, 0);
			x->server->p.ops.on_drained(x->server->p.ops.arg, x);
		}
		break;
	case CONN_TIMEOUT:
		on_timeout(x);
		break;
	case CONN_EOF:
		on_half_closed(x);
		break;
	case CONN_ERROR:
		drop(x);
		break;
	}
}

/* ---- listening ---- */

/* Said without a session: the fd may be one too many for anything else. */
static void say_full(int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: "
				   "1\r\nConnection: close\r\n\r\n";

	listen_say(fd, span_make(text, sizeof(text) - 1));
}

static bool is_full(const struct server *s, int fd)
{
	int room = loop_room(s->p.loop);

	return s->nclients >= s->p.max_clients ||
	    fd >= room - (room > 4 * UPSTREAM_SPARE ? UPSTREAM_SPARE : room / 4);
}

/* 900 connections of anybody must not keep the owner's commands out. */
static bool has_reserve(const struct server *s, int fd, bool is_unix, uid_t peer)
{
	return is_unix && (peer == geteuid() || peer == 0) && fd < loop_room(s->p.loop) &&
	    s->nclients < s->p.max_clients + s->p.reserve;
}

static void on_accept(void *arg, int fd, bool is_unix, uid_t peer)
{
	struct server *s = arg;
	struct exchange *x;
	bool full = is_full(s, fd);

	if (full && !has_reserve(s, fd, is_unix, peer)) {
		say_full(fd);
		return;
	}
	x = calloc(1, sizeof(*x));
	if (x == NULL || conn_new(s->p.loop, fd, on_conn, x, &x->conn, NULL) != 0) {
		if (x == NULL)
			say_full(fd);
		free(x);
		return;
	}
	conn_half_open(x->conn);
	conn_patience(x->conn, s->p.stall_ms);
	x->server = s;
	x->step.run = on_step;
	x->is_unix = is_unix;
	x->reserved = full;
	x->peer = peer;
	x->body_over = true;
	buf_init(&x->text, HTTP_HEAD_MAX);
	x->next = s->clients;
	x->link = &s->clients;
	if (x->next != NULL)
		x->next->link = &x->next;
	s->clients = x;
	s->nclients++;
	exchange_arm(x, full ? RESERVED_MS : s->p.idle_ms);
}

int server_listen_unix(struct server *s, const char *path, struct err *err)
{
	return listen_unix(s->p.loop, path, on_accept, s, &s->listeners, err);
}

int server_listen_tcp(struct server *s, const struct addr *a, uint16_t *port, struct err *err)
{
	return listen_tcp(s->p.loop, a, port, on_accept, s, &s->listeners, err);
}

int server_listen_fd(struct server *s, int fd, const char *path, struct err *err)
{
	return listen_take(s->p.loop, fd, path, on_accept, s, &s->listeners, err);
}

void server_stop(struct server *s)
{
	struct exchange *x, *next;

	s->stopping = true;
	listen_close(&s->listeners);
	for (x = s->clients; x != NULL; x = next) {
		next = x->next;
		if (x->st == S_IDLE || x->st == S_HEAD)
			dispose(x);
	}
}

int server_new(const struct server_params *p, struct server **out, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the server");
	s->p = *p;
	buf_init(&s->scratch, 4 * HTTP_HEAD_MAX);
	if (p->ops.on_again != NULL)	/* without it: every request the long way */
		s->heads = heads_new(p->ops.forget, p->ops.arg);
	*out = s;
	return 0;
}

void server_sweep(struct server *s)
{
	if (s->heads != NULL)
		heads_sweep(s->heads, loop_now(s->p.loop));
}

void server_free(struct server *s)
{
	if (s == NULL)
		return;
	heads_free(s->heads);
	buf_wipe(&s->scratch);
	listen_close(&s->listeners);
	while (s->clients != NULL)
		dispose(s->clients);
	free(s);
}

size_t server_clients(const struct server *s)
{
	return s->nclients;
}

bool server_busy(const struct server *s)
{
	for (const struct exchange *x = s->clients; x != NULL; x = x->next)
		if (is_held(x))
			return true;
	return false;
}

uint64_t server_exchanges(const struct server *s)
{
	return s->exchanges;
}

uint64_t server_repeats(const struct server *s)
{
	return s->repeats;
}
