#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/exchange.h"
#include "http/heads.h"
#include "net/conn.h"

static void put_date(struct buf *b)
{
	static time_t at;
	static char text[40];
	time_t now = time(NULL);
	struct tm tm;

	if (now != at) {
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		at = now;
	}
	buf_adds(b, text);
}

static bool status_has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static void choose_framing(struct exchange *x, int status, int64_t length, struct buf *b)
{
	x->no_body = span_eq(x->head.method, "HEAD") || status_has_no_body(status);
	if (length >= 0 && status >= 200 && status != 204) {
		buf_adds(b, "Content-Length: ");
		buf_addi(b, length);
		buf_adds(b, "\r\n");
	} else if (length < 0 && !status_has_no_body(status)) {
		x->chunked = x->head.minor == 1;
		if (x->chunked)
			buf_adds(b, "Transfer-Encoding: chunked\r\n");
		else
			x->keep = false; /* HTTP/1.0: the end of the connection is the end of the body */
	}
	x->keep = x->keep && !x->server->stopping;
	if (!x->keep)
		buf_adds(b, "Connection: close\r\n");
	else if (x->head.minor == 0)
		buf_adds(b, "Connection: keep-alive\r\n");
}

/* Only what leaves the connection as it is: the next request on it is read as this one was. */
bool exchange_came_before(const struct exchange *x)
{
	return x->server->heads != NULL && x->keep && x->framing == HTTP_BODY_NONE &&
	    heads_seen(x->server->heads, x->is_unix, buf_span(&x->text));
}

void exchange_remember(struct exchange *x, void *note)
{
	x->note = note;
}

static void remember(struct exchange *x, struct span answer)
{
	struct server *s = x->server;
	void *note = x->note;
	struct heads_slot *slot;

	x->note = NULL;
	if (note == NULL)
		return;
	if (!x->keep || x->chunked) {
		s->p.ops.forget(s->p.ops.arg, note);
		return;
	}
	slot = heads_keep(s->heads, x->is_unix, buf_span(&x->text), note, loop_now(s->p.loop));
	if (slot == NULL)
		return;
	buf_addspan(&slot->answer, answer);
	if (slot->answer.failed)
		heads_drop(s->heads, slot);
}

void exchange_head(struct exchange *x, int status, struct span reason, const struct http_field *f, size_t n,
    int64_t length)
{
	struct buf *b = &x->server->scratch;
	bool dated = false;

	buf_clear(b);
	if (reason.n == 0)
		reason = span_of(server_reason(status));
	buf_adds(b, "HTTP/1.1 ");
	buf_addi(b, status);
	buf_addc(b, ' ');
	buf_addspan(b, reason);
	buf_adds(b, "\r\n");
	for (size_t i = 0; i < n; i++) {
		dated = dated || span_ieq(f[i].name, "date");
		buf_addspan(b, f[i].name);
		buf_add(b, ": ", 2);
		buf_addspan(b, f[i].value);
		buf_add(b, "\r\n", 2);
	}
	if (!dated)
		put_date(b);
	choose_framing(x, status, length, b);
	buf_adds(b, "\r\n");
	conn_stage(x->conn, buf_data(b), buf_len(b));
	remember(x, buf_span(b));
	x->head_sent = true;
}

void exchange_body(struct exchange *x, const void *p, size_t n)
{
	struct span parts[2] = { span_make(p, n), span_of("\r\n") };
	char size[20];

	if (x->no_body || n == 0)
		return;
	if (x->chunked)
		conn_stage(x->conn, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n));
	conn_push(x->conn, parts, x->chunked ? 2 : 1);
	exchange_arm(x, x->server->p.stall_ms);
}

/* After the answer's last byte the connection waits for the next head, or closes: also where the client has
 * not sent all of its body by then (server.c lingers, so that it hears the answer). */
void exchange_end(struct exchange *x)
{
	if (x->chunked && !x->no_body)
		conn_stage(x->conn, "0\r\n\r\n", 5);
	if (conn_unsent(x->conn) > 0)
		conn_push(x->conn, NULL, 0);
	x->ended = true;
	x->app = NULL;
	if (!x->body_over)
		x->keep = false;
	exchange_arm(x, x->server->p.stall_ms);
	job_queue(x->server->p.loop, &x->step);
}

void exchange_abort(struct exchange *x)
{
	x->ended = true;
	x->app = NULL;
	exchange_enter(x, S_DEAD);
	job_queue(x->server->p.loop, &x->step);
}

void exchange_reply(struct exchange *x, int status, const char *type, struct span body)
{
	struct http_field f = { span_of("Content-Type"), span_of(type) };

	exchange_head(x, status, span_of(""), &f, 1, (int64_t)body.n);
	exchange_body(x, body.p, body.n);
	exchange_end(x);
}

const struct http_head *exchange_request(const struct exchange *x)
{
	return &x->head;
}

bool exchange_is_unix(const struct exchange *x)
{
	return x->is_unix;
}

uid_t exchange_peer(const struct exchange *x)
{
	return x->peer;
}

bool exchange_has_head(const struct exchange *x)
{
	return x->head_sent;
}

void exchange_set(struct exchange *x, void *state)
{
	x->app = state;
}

void *exchange_get(const struct exchange *x)
{
	return x->app;
}

void exchange_pause(struct exchange *x, bool pause)
{
	conn_pause(x->conn, pause);
}

size_t exchange_unsent(const struct exchange *x)
{
	return conn_unsent(x->conn);
}

const char *server_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} list[] = { { 100, "Continue" }, { 200, "OK" }, { 204, "No Content" }, { 301, "Moved Permanently" },
		{ 304, "Not Modified" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 413, "Content Too Large" }, { 421, "Misdirected Request" },
		{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" } };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i].status == status)
			return list[i].reason;
	return "";
}
