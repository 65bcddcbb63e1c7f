#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "cache/deliver.h"
#include "cache/status.h"
#include "http/client.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/url.h"
#include "proxy/pass.h"
#include "proxy/rules.h"

#define AHEAD_MAX ((size_t)256 << 10)

struct pass {
	struct exchange *x;
	struct http_call *call;
	void (*on_over)(void *arg);
	void *arg;
};

static void on_head(void *arg, const struct http_head *h)
{
	struct pass *p = arg;
	struct cache_outcome o = { .fwd = FWD_BYPASS, .fwd_status = h->status };
	struct delivery d;
	uint64_t length;

	if (!span_u64(http_field(h, "content-length"), INT64_MAX, &length))
		length = UINT64_MAX;
	deliver_answer(&d, h, &o);
	exchange_head(p->x, d.head.status, d.head.reason, d.head.fields, d.head.nfields, (int64_t)length);
}

static int on_body(void *arg, const void *data, size_t n, struct err *err)
{
	struct pass *p = arg;

	(void)err;
	exchange_body(p->x, data, n);
	if (exchange_unsent(p->x) > AHEAD_MAX)
		http_call_pause(p->call, true);
	return 0;
}

static void on_done(void *arg, const struct err *err)
{
	struct pass *p = arg;

	if (err->cls == 0) {
		exchange_end(p->x);
	} else if (exchange_has_head(p->x)) {
		exchange_abort(p->x);
	} else {
		log_info("%s", err->msg);
		exchange_reply(p->x, err->cls == ERR_TIMEOUT ? 504 : 502, "text/plain; charset=utf-8",
		    span_of("the host did not answer\n"));
	}
	p->on_over(p->arg);
	free(p);
}

static void on_drained(void *arg)
{
	exchange_pause(((struct pass *)arg)->x, false);
}

static bool goes_along(struct span name, bool auth)
{
	static const char *const stay[] = { "connection", "keep-alive", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade", "content-length", "host", "expect", "proxy-authorization" };

	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
		if (span_ieq(name, stay[i]))
			return false;
	return auth || (!span_ieq(name, "authorization") && !span_ieq(name, "cookie"));
}

static size_t headers_of(const struct http_head *h, bool auth, struct http_header out[HTTP_FIELDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < h->nfields; i++)
		if (goes_along(h->fields[i].name, auth) && !rules_is_hop(h, h->fields[i].name))
			out[n++] = (struct http_header){ h->fields[i].name, h->fields[i].value };
	return n;
}

int pass_start(struct http_client *http, struct exchange *x, bool auth, void (*on_over)(void *arg), void *arg,
    struct pass **out, struct err *err)
{
	const struct http_head *h = exchange_request(x);
	struct http_header headers[HTTP_FIELDS_MAX];
	char method[16] = "";
	struct buf url;
	struct http_request r = {
		.method = method, .headers = headers, .nheaders = headers_of(h, auth, headers)
	};
	struct http_sink sink = {
		.on_head = on_head, .on_body = on_body, .on_done = on_done, .on_drained = on_drained
	};
	struct pass *p = calloc(1, sizeof(*p));
	uint64_t n;
	int rc;

	if (p == NULL || !span_copy(method, sizeof(method), h->method)) {
		free(p);
		return err_set(err, ERR_USAGE, "the request cannot be passed on");
	}
	*p = (struct pass){ .x = x, .on_over = on_over, .arg = arg };
	sink.arg = p;
	r.streamed =
	    http_field(h, "transfer-encoding").p != NULL || http_field(h, "content-length").p != NULL;
	r.length = span_u64(http_field(h, "content-length"), INT64_MAX, &n) ? (int64_t)n : -1;
	buf_init(&url, URL_MAX);
	buf_addf(&url, "https://%.*s%.*s", (int)http_field(h, "host").n, http_field(h, "host").p,
	    (int)h->target.n, h->target.p);
	r.url = buf_span(&url);
	rc = http_client_start(http, &r, &sink, &p->call, err);
	buf_free(&url);
	if (rc != 0)
		free(p);
	else
		*out = p;
	return rc;
}

void pass_body(struct pass *p, const void *data, size_t n)
{
	http_call_send(p->call, data, n);
	if (http_call_unsent(p->call) > AHEAD_MAX)
		exchange_pause(p->x, true);
}

void pass_body_end(struct pass *p)
{
	http_call_send_end(p->call);
}

void pass_drained(struct pass *p)
{
	http_call_pause(p->call, false);
}

void pass_cancel(struct pass *p)
{
	if (p == NULL)
		return;
	http_call_cancel(p->call);
	free(p);
}
