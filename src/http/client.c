#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "http/chunk.h"
#include "http/client.h"
#include "http/origin.h"
#include "http/parse.h"
#include "http/url.h"
#include "loop/loop.h"
#include "net/conn.h"

enum state { S_ORIGIN, S_HEAD, S_BODY, S_DONE };
static const char *const names[] = { "ORIGIN", "HEAD", "BODY", "DONE" };

struct idle {				/* a kept-open connection */
	struct http_client *client;
	struct conn *conn;
	struct timer expire;
	char origin[URL_HOST_MAX + 32];
	struct idle *next;
};

struct http_client {
	struct http_env *env;
	struct http_timeouts timeouts;
	struct http_call *calls;
	struct idle *idle;
	size_t nidle;
};

struct http_call {
	struct http_client *client;
	struct http_call *next;
	enum state st;
	struct origin *opening;
	struct conn *conn;
	struct timer total;
	bool reused;			/* on a kept-open connection */
	bool retried;
	bool is_head, idempotent;
	bool streamed, chunked_out;	/* the request's body */
	bool paused;
	bool keep;			/* after this answer */
	enum http_framing framing;
	uint64_t left;			/* of HTTP_BODY_LENGTH */
	uint64_t got;			/* body bytes so far */
	struct http_chunk chunk;
	struct buf wire;		/* the request as sent: kept for a second try */
	char url[URL_MAX + 1];
	struct url parsed;
	char origin[URL_HOST_MAX + 32];
	struct err err;
	struct http_sink sink;
};

static void on_conn(void *arg, enum conn_event ev);
static int open_origin(struct http_call *c, struct err *err);

static void enter(struct http_call *c, enum state st)
{
	log_debug("http %s: %s -> %s", c->origin, names[c->st], names[st]);
	c->st = st;
}

static void unlink_call(struct http_call *c)
{
	struct http_call **at = &c->client->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static void dispose(struct http_call *c)
{
	unlink_call(c);
	origin_cancel(c->opening);
	conn_free(c->conn);
	timer_clear(c->client->env->loop, &c->total);
	buf_wipe(&c->wire);
	free(c);
}

/* ---- connections kept open ---- */

static void drop_idle(struct idle *i)
{
	struct idle **at = &i->client->idle;

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	i->client->nidle--;
	timer_clear(i->client->env->loop, &i->expire);
	conn_free(i->conn);
	free(i);
}

/* Whatever a server says between requests, the connection is of no more use. */
static void on_idle_conn(void *arg, enum conn_event ev)
{
	if (ev != CONN_LOWAT)
		drop_idle(arg);
}

static void on_idle_expired(struct timer *t)
{
	drop_idle((struct idle *)(void *)((char *)t - offsetof(struct idle, expire)));
}

static void keep_conn(struct http_call *c)
{
	struct http_client *h = c->client;
	struct idle *i;

	if (h->nidle >= HTTP_IDLE_MAX || buf_len(conn_in(c->conn)) > 0 || conn_unsent(c->conn) > 0)
		return;
	i = calloc(1, sizeof(*i));
	if (i == NULL)
		return;
	i->client = h;
	i->conn = c->conn;
	c->conn = NULL;
	memcpy(i->origin, c->origin, sizeof(i->origin));
	i->expire.fire = on_idle_expired;
	i->next = h->idle;
	h->idle = i;
	h->nidle++;
	conn_retarget(i->conn, on_idle_conn, i);
	conn_pause(i->conn, false);
	conn_deadline(i->conn, 0);
	timer_set(h->env->loop, &i->expire, loop_now(h->env->loop) + HTTP_IDLE_MS);
}

static struct conn *take_idle(struct http_client *h, const char *origin)
{
	for (struct idle *i = h->idle; i != NULL; i = i->next) {
		struct conn *conn = i->conn;

		if (strcmp(i->origin, origin) != 0)
			continue;
		i->conn = NULL;
		drop_idle(i);
		return conn;
	}
	return NULL;
}

/* ---- the end of a call ---- */

static void finish(struct http_call *c)
{
	struct http_sink sink = c->sink;
	struct err err = c->err;

	enter(c, S_DONE);
	if (err.cls == 0 && c->keep)
		keep_conn(c);
	dispose(c);
	sink.on_done(sink.arg, &err);
}

static int retry(struct http_call *c)
{
	log_debug("http %s: the kept-open connection was dead; asking again on a new one", c->origin);
	c->retried = true;
	c->reused = false;
	conn_free(c->conn);
	c->conn = NULL;
	err_init(&c->err);
	return open_origin(c, &c->err);
}

/* The connection ended before the answer did. */
static void on_lost(struct http_call *c)
{
	bool untouched = c->st == S_HEAD && buf_len(conn_in(c->conn)) == 0 && !c->streamed;

	if (untouched && c->reused && !c->retried && c->idempotent && retry(c) == 0)
		return;
	finish(c);
}

/* ---- the answer ---- */

static bool body_over(const struct http_call *c)
{
	switch (c->framing) {
	case HTTP_BODY_NONE:
		return true;
	case HTTP_BODY_LENGTH:
		return c->left == 0;
	case HTTP_BODY_CHUNKED:
		return c->chunk.done;
	case HTTP_BODY_CLOSE:
		return false;
	}
	return false;
}

/* Silence ends the call: before the head, and between any two stretches of the body. */
static void arm(struct http_call *c)
{
	conn_deadline(c->conn, loop_now(c->client->env->loop) + c->client->timeouts.first_byte_ms);
}

/* One stretch of body out of the connection's buffer: bytes consumed, negative on an error. */
static ssize_t take_body(struct http_call *c, const uint8_t *p, size_t n)
{
	const uint8_t *data = p;
	size_t len = n;
	ssize_t used = (ssize_t)n;
	const char *why;
	int rc;

	if (c->framing == HTTP_BODY_LENGTH && len > c->left)
		used = (ssize_t)(len = (size_t)c->left);
	if (c->framing == HTTP_BODY_CHUNKED) {
		used = http_chunk_feed(&c->chunk, p, n, &data, &len, &why);
		if (used < 0)
			return err_set(&c->err, ERR_PROTO, "the answer's chunked body is malformed: %s", why);
	}
	c->left -= c->framing == HTTP_BODY_LENGTH ? len : 0;
	c->got += len;
	rc = len > 0 ? c->sink.on_body(c->sink.arg, data, len, &c->err) : 0;
	return rc < 0 ? rc : used;
}

static void on_body_data(struct http_call *c)
{
	struct buf *in = conn_in(c->conn);

	while (c->err.cls == 0 && !body_over(c) && buf_len(in) > 0) {
		ssize_t used = take_body(c, buf_data(in), buf_len(in));

		if (used < 0)
			err_set(&c->err, (int)used, "the answer was not taken");
		else
			buf_consume(in, (size_t)used);
	}
	if (c->err.cls != 0 || body_over(c))
		finish(c);
	else
		arm(c);
}

/* false: not the final head */
static bool take_head(struct http_call *c, const struct http_head *head)
{
	const char *why;

	if (head->status == 101) {
		err_set(&c->err, ERR_PROTO, "the server switched protocols without being asked");
		return true;
	}
	if (head->status < 200)
		return false;
	if (http_framing(head, c->is_head, &c->framing, &c->left, &why) != 0) {
		err_set(&c->err, ERR_PROTO, "the answer's head cannot be trusted: %s", why);
		return true;
	}
	c->keep = http_keep_alive(head, c->framing);
	http_chunk_init(&c->chunk);
	arm(c);
	c->sink.on_head(c->sink.arg, head);
	enter(c, S_BODY);
	return true;
}

static void on_head_data(struct http_call *c)
{
	struct buf *in = conn_in(c->conn);
	struct http_head head;
	const char *why;
	ssize_t n;
	bool final = false;

	c->reused = false;	/* it answers: no second try, whatever becomes of it */
	while (!final && (n = http_parse_response(buf_data(in), buf_len(in), &head, &why)) != -2) {
		if (n < 0) {
			err_set(&c->err, ERR_PROTO, "the answer's head is malformed: %s", why);
			break;
		}
		final = take_head(c, &head);
		buf_consume(in, (size_t)n);
	}
	if (c->err.cls != 0)
		finish(c);
	else if (final)
		on_body_data(c);
}

static void on_eof(struct http_call *c)
{
	if (c->st == S_BODY && c->framing == HTTP_BODY_CLOSE && conn_clean(c->conn)) {
		finish(c);
		return;
	}
	if (c->st == S_HEAD && buf_len(conn_in(c->conn)) > 0)
		err_set(&c->err, ERR_PROTO, "the answer was cut off within its head");
	else if (c->st == S_HEAD)
		err_set(&c->err, ERR_UNAVAIL, "the server closed the connection without an answer");
	else if (c->framing == HTTP_BODY_LENGTH)
		err_set(&c->err, ERR_PROTO, "the answer was cut off: %llu of %llu bytes came",
		    (unsigned long long)c->got, (unsigned long long)(c->got + c->left));
	else
		err_set(&c->err, ERR_PROTO, "the answer was cut off after %llu bytes",
		    (unsigned long long)c->got);
	on_lost(c);
}

static void on_conn(void *arg, enum conn_event ev)
{
	struct http_call *c = arg;

	switch (ev) {
	case CONN_SECURED:
		break;
	case CONN_LOWAT:
		if (c->st == S_HEAD)
			arm(c);
		if (c->streamed && c->sink.on_drained != NULL)
			c->sink.on_drained(c->sink.arg);
		break;
	case CONN_DATAIN:
		if (c->st == S_HEAD)
			on_head_data(c);
		else if (c->st == S_BODY)
			on_body_data(c);
		break;
	case CONN_EOF:
		on_eof(c);
		break;
	case CONN_TIMEOUT:
		err_set(&c->err, ERR_TIMEOUT,
		    c->st == S_BODY ? "the answer stopped: nothing more came for %lld s"
				    : "no answer came within %lld s",
		    (long long)(c->client->timeouts.first_byte_ms / 1000));
		finish(c);
		break;
	case CONN_ERROR:
		c->err = *conn_error(c->conn);
		on_lost(c);
		break;
	}
}

/* ---- the request ---- */

static int send_request(struct http_call *c, struct err *err)
{
	enter(c, S_HEAD);
	conn_retarget(c->conn, on_conn, c);
	conn_pause(c->conn, c->paused);
	if (conn_write(c->conn, buf_data(&c->wire), buf_len(&c->wire)) != 0)
		return err_set(err, ERR_INTERNAL, "no memory to send the request");
	if (c->streamed)
		buf_wipe(&c->wire);
	return 0;
}

static void on_origin(void *arg, struct conn *conn, const struct err *err)
{
	struct http_call *c = arg;

	c->opening = NULL;
	if (conn == NULL) {
		c->err = *err;
		finish(c);
		return;
	}
	c->conn = conn;
	if (send_request(c, &c->err) != 0)
		finish(c);
}

static int open_origin(struct http_call *c, struct err *err)
{
	enter(c, S_ORIGIN);
	return origin_open(c->client->env, &c->parsed, on_origin, c, &c->opening, err);
}

static void on_total(struct timer *t)
{
	struct http_call *c = (struct http_call *)(void *)((char *)t - offsetof(struct http_call, total));

	err_set(&c->err, ERR_TIMEOUT, "the answer did not come whole within %lld s",
	    (long long)(c->client->timeouts.total_ms / 1000));
	finish(c);
}

static bool expects_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static int write_request(struct http_call *c, const struct http_request *r, struct err *err)
{
	struct buf *w = &c->wire;

	buf_addf(w, "%s %.*s HTTP/1.1\r\nHost: ", r->method, (int)c->parsed.target.n, c->parsed.target.p);
	url_authority(&c->parsed, w);
	buf_adds(w, "\r\n");
	for (size_t i = 0; i < r->nheaders; i++) {
		const struct http_header *h = &r->headers[i];

		if (!http_is_token(h->name) || !http_is_value(h->value))
			return err_set(err, ERR_USAGE, "a header that HTTP does not allow: '%.*s'",
			    (int)h->name.n, h->name.p);
		buf_addspan(w, h->name);
		buf_adds(w, ": ");
		buf_addspan(w, h->value);
		buf_adds(w, "\r\n");
	}
	/* RFC 9110 §8.6: a method that expects a body says so when there is none. */
	if (r->streamed && r->length < 0)
		buf_adds(w, "Transfer-Encoding: chunked\r\n");
	else if (r->streamed)
		buf_addf(w, "Content-Length: %" PRId64 "\r\n", r->length);
	else if (r->has_body || expects_body(r->method))
		buf_addf(w, "Content-Length: %zu\r\n", r->has_body ? r->body.n : 0);
	buf_adds(w, "\r\n");
	if (r->has_body)
		buf_addspan(w, r->body);
	return w->failed ? err_set(err, ERR_LIMIT, "the request is too large") : 0;
}

static bool is_idempotent(const char *method)
{
	static const char *const list[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (strcmp(method, list[i]) == 0)
			return true;
	return false;
}

static int prepare(struct http_call *c, const struct http_request *r, struct err *err)
{
	const char *why;
	struct buf origin;

	if (!http_is_token(span_of(r->method)))
		return err_set(err, ERR_USAGE, "'%s' is not an HTTP method", r->method);
	if (!span_copy(c->url, sizeof(c->url), r->url))
		return err_set(err, ERR_USAGE, "a URL longer than %d bytes", URL_MAX);
	if (url_parse(span_of(c->url), &c->parsed, &why) != 0)
		return err_set(err, ERR_USAGE, "'%s' is not a URL ghoard can ask: %s", c->url, why);
	buf_init(&origin, sizeof(c->origin) - 1);
	url_origin(&c->parsed, &origin);
	snprintf(c->origin, sizeof(c->origin), "%s", buf_cstr(&origin));
	buf_free(&origin);
	c->is_head = strcmp(r->method, "HEAD") == 0;
	c->idempotent = is_idempotent(r->method) && !r->streamed;
	c->streamed = r->streamed;
	c->chunked_out = r->streamed && r->length < 0;
	return write_request(c, r, err);
}

static int begin(struct http_call *c, struct err *err)
{
	c->conn = c->idempotent ? take_idle(c->client, c->origin) : NULL;
	if (c->conn == NULL)
		return open_origin(c, err);
	c->reused = true;
	return send_request(c, err);
}

int http_client_start(struct http_client *h, const struct http_request *r, const struct http_sink *sink,
    struct http_call **out, struct err *err)
{
	struct http_call *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a request");
	c->client = h;
	c->sink = *sink;
	c->total.fire = on_total;
	buf_init(&c->wire, CONN_OUT_MAX);
	err_init(&c->err);
	c->next = h->calls;
	h->calls = c;
	rc = prepare(c, r, err);
	if (rc == 0)
		rc = begin(c, err);
	if (rc != 0) {
		dispose(c);
		return rc;
	}
	if (h->timeouts.total_ms > 0)
		timer_set(h->env->loop, &c->total, loop_now(h->env->loop) + h->timeouts.total_ms);
	*out = c;
	return 0;
}

void http_call_cancel(struct http_call *c)
{
	if (c != NULL)
		dispose(c);
}

static void send_raw(struct http_call *c, const void *p, size_t n)
{
	if (c->conn != NULL)
		conn_write(c->conn, p, n);
	else
		buf_add(&c->wire, p, n);
}

void http_call_send(struct http_call *c, const void *p, size_t n)
{
	char size[20];

	if (n == 0)
		return;
	if (c->chunked_out)
		send_raw(c, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n));
	send_raw(c, p, n);
	if (c->chunked_out)
		send_raw(c, "\r\n", 2);
}

void http_call_send_end(struct http_call *c)
{
	if (c->chunked_out)
		send_raw(c, "0\r\n\r\n", 5);
}

size_t http_call_unsent(const struct http_call *c)
{
	return c->conn != NULL ? conn_unsent(c->conn) : buf_len(&c->wire);
}

void http_call_pause(struct http_call *c, bool pause)
{
	c->paused = pause;
	if (c->conn != NULL)
		conn_pause(c->conn, pause);
	if (c->conn != NULL && c->st == S_BODY)
		conn_deadline(c->conn, 0);
	if (c->conn != NULL && c->st == S_BODY && !pause)
		arm(c);
}

int http_client_new(struct http_env *env, const struct http_timeouts *t, struct http_client **out,
    struct err *err)
{
	struct http_client *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the HTTP client");
	h->env = env;
	h->timeouts = *t;
	*out = h;
	return 0;
}

void http_client_free(struct http_client *h)
{
	if (h == NULL)
		return;
	while (h->calls != NULL)
		dispose(h->calls);
	while (h->idle != NULL)
		drop_idle(h->idle);
	free(h);
}
