#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cache/deliver.h"
#include "cli/app.h"
#include "cli/fetch.h"
#include "config/layers.h"
#include "github/route.h"
#include "http/redirect.h"
#include "http/url.h"
#include "loop/loop.h"

struct run {
	struct app *app;
	const struct fetch *f;
	struct fetch_result *result;
	const char *method;		/* of the request now under way */
	struct buf url;			/* where the last redirect led; absolute */
	bool follow;			/* the head asked for another request: its body is dropped */
	bool drop_body;
	bool full;			/* the daemon itself said 503 */
	bool done;
	struct err err;
};

/* Does this head lead elsewhere? Then run->url says where; or run->err says why one cannot follow. */
static bool is_followed(struct run *r, const struct http_head *h, struct span from)
{
	struct http_redirect next;
	struct url base;
	struct buf to;
	const char *why;

	if (!http_is_redirect(h->status) || url_parse(from, &base, &why) != 0)
		return false;
	buf_init(&to, URL_MAX);
	if (http_redirect(h->status, r->method, &base, http_field(h, "location"), &to, &next, &why) != 0) {
		buf_free(&to);
		err_set(&r->err, ERR_PROTO, "%s %.*s: GitHub redirects (%d), but %s", r->method,
		    (int)url_shown(from).n, from.p, h->status, why);
		return true;
	}
	buf_free(&r->url);
	r->url = to;
	r->method = next.method;
	r->drop_body = r->drop_body || next.drop_body;
	return true;
}

static void take_head(struct run *r, const struct http_head *h, struct span from)
{
	r->follow = is_followed(r, h, from);
	answer_free(&r->result->answer);
	answer_init(&r->result->answer, BUF_MAX_ANY);
	if (answer_take_head(&r->result->answer, h) != 0)
		err_set(&r->err, ERR_INTERNAL, "no memory for the answer's head");
	else if (!r->follow && r->f->on_head != NULL)
		r->f->on_head(r->f->arg, h);
}

static int take_body(struct run *r, const void *p, size_t n, struct err *err)
{
	if (r->follow || r->full)
		return 0;
	if (r->f->on_body != NULL)
		return r->f->on_body(r->f->arg, p, n, err);
	buf_add(&r->result->answer.body, p, n);
	return r->result->answer.body.failed ? err_set(err, ERR_INTERNAL, "no memory for the answer") : 0;
}

/* Until the request under way is done. */
static int run_loop(struct run *r)
{
	if (loop_run(r->app->loop, &r->done, &r->err) == 0 && !r->done)
		err_set(&r->err, ERR_INTERNAL, "the request was lost");
	return r->err.cls;
}

/* ---- through the cache ---- */

struct through {
	struct run *run;
	struct request req;
};

static void on_cache_head(void *arg, const struct http_head *h, const struct cache_outcome *o)
{
	struct through *t = arg;

	t->run->result->outcome = *o;
	take_head(t->run, h, buf_span(&t->req.url));
}

static int on_cache_body(void *arg, const void *p, size_t n, struct err *err)
{
	return take_body(((struct through *)arg)->run, p, n, err);
}

static void on_cache_done(void *arg, const struct err *err)
{
	struct run *r = ((struct through *)arg)->run;

	if (r->err.cls == 0)
		r->err = *err;
	r->done = true;
}

static void set_ttl(const struct run *r, struct request *req)
{
	req->ttl = app_ttl(r->app, req->route);
}

static int ask_cache(struct run *r, struct span target)
{
	struct through t = { .run = r };
	struct cache_sink sink = {
		.on_head = on_cache_head, .on_body = on_cache_body, .on_done = on_cache_done, .arg = &t
	};
	struct request_in in = r->f->in;
	struct lookup *lk;
	int rc;

	in.target = target;
	in.method = r->method;
	in.has_body = in.has_body && !r->drop_body;
	in.nbody_paths = settings_list(r->app->settings, "cache.copilot_paths", &in.body_paths);
	rc = request_init(&t.req, &r->app->upstream, &r->app->id, &in, &r->err);
	if (rc != 0)
		return rc;
	set_ttl(r, &t.req);
	r->done = false;
	rc = cache_start(r->app->cache, &t.req, &r->f->ask, &sink, &lk, &r->err);
	if (rc == 0)
		rc = run_loop(r);
	request_wipe(&t.req);
	return rc;
}

/* ---- elsewhere: archives, logs, assets ---- */

static void on_plain_head(void *arg, const struct http_head *h)
{
	struct run *r = arg;
	char from[URL_MAX + 1];
	struct delivery d;

	r->result->outcome = (struct cache_outcome){ .fwd = FWD_BYPASS, .fwd_status = h->status };
	deliver_answer(&d, h, &r->result->outcome);
	/* is_followed replaces run->url, which `from` must not point into */
	span_copy(from, sizeof(from), buf_span(&r->url));
	take_head(r, &d.head, span_of(from));
}

static int on_plain_body(void *arg, const void *p, size_t n, struct err *err)
{
	return take_body(arg, p, n, err);
}

static void on_plain_done(void *arg, const struct err *err)
{
	struct run *r = arg;
	struct span url = url_shown(buf_span(&r->url));

	if (r->err.cls == 0 && err->cls != 0) {
		r->err = *err;
		err_prefix(&r->err, "%s %.*s", r->method, (int)url.n, url.p);
	}
	r->done = true;
}

static int ask_elsewhere(struct run *r)
{
	static const struct http_header headers[] = {
		{ { "Accept", 6 }, { "*/*", 3 } }, { { "User-Agent", 10 }, { "ghoard", 6 } },
		{ { "Accept-Encoding", 15 }, { "identity", 8 } }
	};
	struct http_sink sink = {
		.on_head = on_plain_head, .on_body = on_plain_body, .on_done = on_plain_done, .arg = r
	};
	struct http_request q = {
		.method = r->method, .url = buf_span(&r->url), .headers = headers, .nheaders = 3
	};
	struct http_call *call;
	struct url u;
	const char *why;

	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
		return err_set(&r->err, ERR_DENIED,
		    "GitHub redirects %s to another host, where ghoard sends no body", r->method);
	if (url_parse(q.url, &u, &why) != 0 || (!u.tls && !url_is_loopback(&u)))
		return err_set(&r->err, ERR_DENIED, "GitHub redirects to %.*s, which is not https",
		    (int)url_shown(q.url).n, q.url.p);
	r->done = false;
	if (http_client_start(r->app->http, &q, &sink, &call, &r->err) != 0)
		return r->err.cls;
	return run_loop(r);
}

/* ---- through the daemon ---- */

static void on_daemon_head(void *arg, const struct http_head *h)
{
	struct run *r = arg;
	char from[URL_MAX + 1];

	/* of GitHub's own 503 it would say where it came from */
	r->full = h->status == 503 && http_field(h, "cache-status").p == NULL;
	if (r->full)
		return;
	span_copy(from, sizeof(from), buf_span(&r->url));
	r->result->outcome = (struct cache_outcome){ .fwd = FWD_BYPASS };
	take_head(r, h, span_of(from));
}

static size_t daemon_headers(const struct run *r, struct http_header out[REQUEST_HEADERS_MAX])
{
	const struct request_in *in = &r->f->in;
	const struct identity *id = &r->app->id;
	size_t n = 0;

	if (!id->is_public)
		out[n++] = (struct http_header){ span_of("Authorization"),
			span_make(id->authorization.bytes, id->authorization.len) };
	if (r->f->ask.refresh)
		out[n++] = (struct http_header){ span_of("Cache-Control"), span_of("no-cache") };
	for (size_t i = 0; i < in->nheaders && n < REQUEST_HEADERS_MAX; i++)
		out[n++] = in->headers[i];
	return n;
}

/* r->url is the upstream's own address, which the daemon on the socket answers for. */
static int ask_daemon(struct run *r, struct span target)
{
	struct http_header headers[REQUEST_HEADERS_MAX];
	struct http_sink sink = {
		.on_head = on_daemon_head, .on_body = on_plain_body, .on_done = on_plain_done, .arg = r
	};
	struct http_request q = { .method = r->method,
		.headers = headers,
		.nheaders = daemon_headers(r, headers),
		.has_body = r->f->in.has_body && !r->drop_body,
		.body = r->f->in.body };
	struct span origin = span_of(r->app->upstream.origin);
	struct http_call *call;
	struct buf plain;
	int rc;

	buf_clear(&r->url);
	buf_addf(&r->url, "%s%s%.*s", r->app->upstream.origin, r->app->upstream.base, (int)target.n,
	    target.p);
	buf_init(&plain, URL_MAX);		/* to a socket, in clear; the daemon speaks TLS */
	buf_adds(&plain, "http://");
	buf_addspan(&plain, span_sub(origin, (size_t)span_find(origin, "://") + 3, origin.n));
	if (strcmp(r->app->upstream.base, "/api/v3") == 0)	/* beside it the server has other things */
		buf_adds(&plain, r->app->upstream.base);
	buf_addspan(&plain, target);
	q.url = buf_span(&plain);
	r->app->env.unix_path = r->app->daemon;
	r->done = false;
	rc = http_client_start(r->app->http, &q, &sink, &call, &r->err);
	if (rc == 0)
		rc = run_loop(r);
	r->app->env.unix_path = NULL;
	buf_free(&plain);
	return rc;
}

/* The daemon where there is one, unless it went away before it said a word: then this process does the work.
 */
static int ask_upstream(struct run *r, struct span target)
{
	int rc;

	if (r->app->daemon[0] != '\0' && !r->f->ask.offline && r->f->ask.max_age < 0) {
		rc = ask_daemon(r, target);
		if (!r->full && (rc != ERR_UNAVAIL || r->result->answer.head.status != 0))
			return rc;
		if (r->full)
			log_warn("the daemon has all the connections that it takes; doing without");
		else
			log_info("the daemon does not answer; doing without");
		r->full = false;
		err_init(&r->err);
		r->app->daemon[0] = '\0';
	}
	return ask_cache(r, target);
}

static int next_hop(struct run *r)
{
	struct span target;
	char copy[URL_MAX + 1];

	if (!upstream_target(&r->app->upstream, buf_span(&r->url), &target))
		return ask_elsewhere(r);
	span_copy(copy, sizeof(copy), target);
	return ask_upstream(r, span_of(copy));
}

int fetch_run(struct app *app, const struct fetch *f, struct fetch_result *result, struct err *err)
{
	struct run r = { .app = app, .f = f, .result = result, .method = f->in.method };
	int rc;

	memset(result, 0, sizeof(*result));
	answer_init(&result->answer, BUF_MAX_ANY);
	buf_init(&r.url, URL_MAX);
	err_init(&r.err);
	rc = ask_upstream(&r, f->in.target);
	for (unsigned hops = 0; rc == 0 && r.follow; hops++) {
		if (hops == HTTP_REDIRECTS_MAX)
			rc = err_set(&r.err, ERR_PROTO, "GitHub redirects more than %d times",
			    HTTP_REDIRECTS_MAX);
		else
			rc = next_hop(&r);
	}
	buf_free(&r.url);
	if (rc != 0)
		*err = r.err;
	return rc;
}

void fetch_free(struct fetch_result *r)
{
	answer_free(&r->answer);
}
