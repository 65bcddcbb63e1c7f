#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "github/answer.h"
#include "github/api.h"
#include "github/request.h"
#include "http/client.h"
#include "http/url.h"

struct api_call {
	struct http_call *http;
	const struct request *req;
	struct answer answer;
	struct err err;			/* our own; the call ends with it */
	size_t max_body;
	struct api_sink sink;
};

/* More than is kept. */
static int go_on_streaming(struct api_call *c, struct err *err)
{
	struct api_sink next = { .on_done = NULL };

	if (c->sink.on_large == NULL || c->sink.on_large(c->sink.arg, &c->answer, &next) != 0)
		return err_set(err, ERR_LIMIT, "the answer is larger than %zu bytes (cache.max_body)",
		    c->max_body);
	buf_free(&c->answer.body);
	c->sink = next;
	return 0;
}

static void on_head(void *arg, const struct http_head *h)
{
	struct api_call *c = arg;
	uint64_t length;

	if (answer_take_head(&c->answer, h) != 0)
		err_set(&c->err, ERR_INTERNAL, "no memory for the answer's head");
	c->answer.received = clock_wall();
	if (c->err.cls == 0 && c->sink.on_body != NULL && c->sink.on_head != NULL)
		c->sink.on_head(c->sink.arg, &c->answer.head);
	else if (c->err.cls == 0 && span_u64(http_field(h, "content-length"), UINT64_MAX, &length) &&
	    length > c->max_body)
		go_on_streaming(c, &c->err);
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct api_call *c = arg;

	if (c->err.cls != 0)
		return c->err.cls;
	if (c->sink.on_body == NULL && buf_len(&c->answer.body) + n > c->max_body) {
		int rc = go_on_streaming(c, err);

		if (rc != 0)
			return rc;
	}
	if (c->sink.on_body != NULL)
		return c->sink.on_body(c->sink.arg, p, n, err);
	buf_add(&c->answer.body, p, n);
	return c->answer.body.failed ? err_set(err, ERR_INTERNAL, "no memory for the answer") : 0;
}

static void on_done(void *arg, const struct err *result)
{
	struct api_call *c = arg;
	struct err err = c->err.cls != 0 ? c->err : *result;
	struct span url = url_shown(buf_span(&c->req->url));

	if (err.cls != 0)
		err_prefix(&err, "%s %.*s", c->req->method, (int)url.n, url.p);
	c->sink.on_done(c->sink.arg, &c->answer, &err);
	answer_free(&c->answer);
	free(c);
}

static void on_drained(void *arg)
{
	struct api_call *c = arg;

	if (c->sink.on_drained != NULL)
		c->sink.on_drained(c->sink.arg);
}

int api_start(struct http_client *http, const struct request *req, struct span if_none_match, size_t max_body,
    const struct api_sink *sink, struct api_call **out, struct err *err)
{
	struct http_header headers[REQUEST_HEADERS_MAX + 1];
	struct http_request r = { .method = req->method, .url = buf_span(&req->url), .headers = headers,
		.nheaders = req->nheaders, .has_body = req->has_body, .body = req->body,
		.streamed = req->streamed, .length = req->length };
	struct http_sink to = {
		.on_head = on_head, .on_body = on_body, .on_done = on_done, .on_drained = on_drained
	};
	struct api_call *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a request");
	memcpy(headers, req->headers, req->nheaders * sizeof(headers[0]));
	if (if_none_match.n > 0)
		headers[r.nheaders++] = (struct http_header){ span_of("If-None-Match"), if_none_match };
	c->req = req;
	c->sink = *sink;
	c->max_body = max_body;
	err_init(&c->err);
	answer_init(&c->answer, max_body);
	c->answer.sent = clock_wall();
	to.arg = c;
	rc = http_client_start(http, &r, &to, &c->http, err);
	if (rc != 0) {
		answer_free(&c->answer);
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void api_cancel(struct api_call *c)
{
	if (c == NULL)
		return;
	http_call_cancel(c->http);
	answer_free(&c->answer);
	free(c);
}

void api_send(struct api_call *c, const void *p, size_t n)
{
	http_call_send(c->http, p, n);
}

void api_send_end(struct api_call *c)
{
	http_call_send_end(c->http);
}

size_t api_unsent(const struct api_call *c)
{
	return http_call_unsent(c->http);
}

void api_pause(struct api_call *c, bool pause)
{
	http_call_pause(c->http, pause);
}

void api_rebind(struct api_call *c, const struct request *req)
{
	c->req = req;
}
