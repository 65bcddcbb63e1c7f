#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "cache/cache.h"
#include "github/answer.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/url.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "proxy/pass.h"
#include "proxy/proxy.h"
#include "proxy/readdress.h"
#include "proxy/recent.h"
#include "proxy/repeat.h"
#include "proxy/rules.h"
#include "proxy/who.h"
#include "proxy/word.h"

#define COLLECT_MAX ((size_t)1 << 20)	/* of a POST that may be keyed by its body */
#define COLLECT_ALL ((size_t)32 << 20)	/* of all these together */
#define SPARE_MAX 16
#define AHEAD_MAX                                                                                            \
	((size_t)256 << 10) /* written to one side and not yet taken by it, before the other is paused */

struct proxy {
	struct proxy_params p;
	struct who *who;
	struct visit *visits;
	struct visit *spare;		/* to be used again */
	size_t nspare;
	size_t collected;		/* bytes in bodies that may be keys */
	struct log_ration said;		/* of failures and of who was turned away */
	char base[600];			/* the upstream's addresses begin so */
};

/* One client's request on its way. */
struct visit {
	struct proxy *proxy;
	struct visit *next;
	struct exchange *x;
	struct who_ref *who;
	struct request req;
	bool has_req;
	struct lookup *lookup;
	struct pass *pass;		/* or it goes to another host */
	struct job flush;		/* what came of the body before the look-up's first pass */
	struct buf body;		/* collected, or waiting for flush */
	size_t collected;		/* bytes of it that count in the proxy's */
	bool collect;			/* the request starts when its body is whole */
	bool streaming;			/* the look-up takes the body as it comes */
	bool body_over;
	struct span if_none_match;	/* the client's; in the exchange's head */
	struct readdress addresses;
	struct answer held;		/* with --rewrite all: the answer, until its body is whole */
	bool rewriting;
	bool dropped;			/* the client gets a 304: the body is not for it */
	int64_t begun;			/* ms */
	int status;			/* that went to the client; 0: none yet */
	struct cache_outcome outcome;	/* once there is a status */
};

static void dispose(struct visit *v)
{
	struct visit **at = &v->proxy->visits;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	cache_cancel(v->lookup);
	pass_cancel(v->pass);
	job_cancel(v->proxy->p.loop, &v->flush);
	if (v->has_req)
		request_wipe(&v->req);
	who_release(v->who);
	v->proxy->collected -= v->collected;
	buf_wipe(&v->body);
	readdress_free(&v->addresses);
	answer_free(&v->held);
	if (v->proxy->nspare == SPARE_MAX) {
		free(v);
		return;
	}
	v->proxy->nspare++;
	v->next = v->proxy->spare;
	v->proxy->spare = v;
}

/* musl gives a lone block of this size back to the kernel at once and gets it anew: 4 us a request in page
 * faults. */
static struct visit *take_spare(struct proxy *p)
{
	struct visit *v = p->spare;

	if (v == NULL)
		return calloc(1, sizeof(*v));
	p->spare = v->next;
	p->nspare--;
	memset(v, 0, sizeof(*v));
	return v;
}

/* For who looks at the daemon: before the exchange ends, for its head lies in it. */
static struct recent_request shown(const struct visit *v, int status, bool with_outcome, const char *text)
{
	const struct http_head *h = exchange_request(v->x);

	return (struct recent_request){ .begun = v->begun, .method = h->method, .target = h->target,
		.op = v->has_req ? v->req.route->op : "other", .status = status,
		.outcome = with_outcome ? &v->outcome : NULL, .note = text,
		.host = v->pass != NULL ? http_field(h, "host") : (struct span){ NULL, 0 },
		.tag = v->who != NULL ? who_identity(v->who)->tag : NULL };
}

static void note(const struct visit *v, int status, bool with_outcome, const char *text)
{
	struct recent_request q = shown(v, status, with_outcome, text);

	recent_add(v->proxy->p.recent, &q, loop_now(v->proxy->p.loop));
}

/* ---- the answer, towards the client ---- */

static bool wants_rewriting(const struct visit *v, const struct http_head *h)
{
	return v->proxy->p.rewrite == REWRITE_ALL && readdress_is_on(&v->addresses) && !v->req.is_head &&
	    span_ifind(http_field(h, "content-type"), "json") >= 0;
}

/* For the server, which will get the same bytes again from clients that poll. */
static void remember(struct visit *v)
{
	struct recent_request seen;

	if (v->outcome.fwd != FWD_NONE || !exchange_came_before(v->x))
		return;
	seen = shown(v, v->status, true, NULL);
	exchange_remember(v->x, repeat_new(v->lookup, &seen, !v->dropped));
}

/* There If-None-Match is the write's own condition (RFC 9110 §13.1.2), and GitHub's to judge. */
static bool talks_of_a_write(const struct visit *v)
{
	struct span m = exchange_request(v->x)->method;

	return !span_eq(m, "GET") && !span_eq(m, "HEAD");
}

static void on_head(void *arg, const struct http_head *h, const struct cache_outcome *o)
{
	struct visit *v = arg;
	struct http_head head;

	readdress_head(&v->addresses, h, &head);
	v->status = head.status;
	v->outcome = *o;
	if (h->status == 200 && !talks_of_a_write(v) &&
	    rules_etag_in(v->if_none_match, http_field(h, "etag"))) {
		v->dropped = true;
		v->status = 304;
		remember(v);
		exchange_head(v->x, 304, span_of(""), head.fields, head.nfields, -1);
	} else if (wants_rewriting(v, h)) {
		v->rewriting = true;
		answer_init(&v->held, v->proxy->p.max_body);
		answer_take_head(&v->held, &head);
	} else {
		remember(v);
		exchange_head(v->x, head.status, head.reason, head.fields, head.nfields, o->length);
	}
}

/* Many may read one entry slowly: its body is there once, whoever has yet to take it. */
static void send_body(struct visit *v, const void *p, size_t n)
{
	struct entry *e = cache_served(v->lookup);
	struct conn_lender lender = { repeat_hold_entry, repeat_release, e };

	if (e != NULL)
		exchange_body_lent(v->x, p, n, &lender);
	else
		exchange_body(v->x, p, n);
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct visit *v = arg;

	if (v->dropped)
		return 0;
	if (v->rewriting) {
		buf_add(&v->held.body, p, n);
		return v->held.body.failed
		    ? err_set(err, ERR_LIMIT, "the answer is too large to be rewritten")
		    : 0;
	}
	send_body(v, p, n);
	if (exchange_unsent(v->x) > AHEAD_MAX)
		cache_pause(v->lookup, true);
	return 0;
}

/* The held answer, every address of the upstream made ours. */
static void send_rewritten(struct visit *v)
{
	struct http_head *h = &v->held.head;
	struct buf out;

	buf_init(&out, 4 * v->proxy->p.max_body);
	readdress_body(&v->addresses, buf_span(&v->held.body), &out);
	if (out.failed) {
		word_say(v->x, 502, "the answer is too large to be rewritten");
	} else {
		exchange_head(v->x, h->status, h->reason, h->fields, h->nfields, (int64_t)buf_len(&out));
		exchange_body(v->x, buf_data(&out), buf_len(&out));
		exchange_end(v->x);
	}
	buf_free(&out);
}

static void on_done(void *arg, const struct err *err)
{
	struct visit *v = arg;
	int status = v->proxy->p.offline ? 504 : word_status(err);

	v->lookup = NULL;
	note(v, v->status != 0 ? v->status : status, v->status != 0,
	    err->cls != 0 ? "failed" : NULL);
	if (err->cls == 0 && v->rewriting)
		send_rewritten(v);
	else if (err->cls == 0)
		exchange_end(v->x);
	else if (exchange_has_head(v->x))
		exchange_abort(v->x);
	else if (v->proxy->p.offline)
		word_offline(v->x, err->msg);
	else
		word_fail(v->x, err, cache_limits(v->proxy->p.cache, &v->req));
	if (err->cls != 0 && err->cls != ERR_NOTFOUND && !v->proxy->p.offline)
		log_msg(log_ration(&v->proxy->said), "%s", err->msg);
	else if (err->cls != 0)
		log_info("%s", err->msg);
	dispose(v);
}

static void on_upload_drained(void *arg)
{
	exchange_pause(((struct visit *)arg)->x, false);
}

/* ---- the request, towards the cache ---- */

/* How the client calls us, if by a name of ours: then the upstream's addresses in answers become that. */
static void note_own(struct visit *v, const struct http_head *h)
{
	struct span host = http_field(h, "host");
	struct url url = { .host = rules_name(host), .v6 = span_chr(host, '[') >= 0 };

	if (v->proxy->p.rewrite == REWRITE_NONE ||
	    !(url_is_loopback(&url) || (v->proxy->p.any_ip && url_is_ip(&url))) ||
	    rules_is_authority(v->proxy->p.upstream, host))
		return;
	readdress_to(&v->addresses, host, span_starts(h->target, "/api/v3/") ? "/api/v3" : "");
}

/* An answer to a POST may belong to its body, which must then be whole before anything is asked. */
static bool may_be_keyed(const struct proxy *p, const struct http_head *h, struct span target)
{
	if (!span_eq(h->method, "POST"))
		return false;
	if (span_eq(target, "/graphql"))
		return true;
	for (size_t i = 0; i < p->p.nbody_paths; i++)
		if (span_eq(target, p->p.body_paths[i]))
			return true;
	return false;
}

static size_t client_headers(struct visit *v, const struct http_head *h,
    struct http_header out[HTTP_FIELDS_MAX])
{
	static const char *const handled[] = { "cache-control", "pragma", "if-none-match", "origin",
		"referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest" };
	size_t n = 0;

	for (size_t i = 0; i < h->nfields; i++) {
		bool ours = rules_is_hop(h, h->fields[i].name);

		for (size_t k = 0; k < sizeof(handled) / sizeof(handled[0]); k++)
			ours = ours || span_ieq(h->fields[i].name, handled[k]);
		if (!ours)
			out[n++] = (struct http_header){ h->fields[i].name, h->fields[i].value };
	}
	v->if_none_match = http_field(h, "if-none-match");
	return n;
}

static int make_request(struct visit *v, struct err *err)
{
	const struct http_head *h = exchange_request(v->x);
	const struct proxy_params *p = &v->proxy->p;
	struct http_header headers[HTTP_FIELDS_MAX];
	char method[16] = "";
	struct request_in in = { .method = method,
		.target = rules_target(h->target),
		.headers = headers,
		.has_body = rules_has_body(h),
		.body = v->streaming ? span_of("") : buf_span(&v->body),
		.streamed = v->streaming,
		.length = rules_body_length(h),
		.body_paths = p->body_paths,
		.nbody_paths = p->nbody_paths };
	int rc;

	if (!span_copy(method, sizeof(method), h->method))
		return err_set(err, ERR_USAGE, "a method that is too long");
	in.nheaders = client_headers(v, h, headers);
	rc = request_init(&v->req, p->upstream, who_identity(v->who), &in, err);
	if (rc != 0)
		return rc;
	v->has_req = true;
	v->req.ttl = p->ttl(p->arg, v->req.route);
	return 0;
}

static void start(struct visit *v)
{
	struct cache_sink sink = { .on_head = on_head,
		.on_body = on_body,
		.on_done = on_done,
		.on_drained = on_upload_drained,
		.arg = v };
	struct proxy *p = v->proxy;
	struct cache_ask ask = {
		.max_age = -1, .offline = p->p.offline, .own_only = !exchange_is_unix(v->x)
	};
	struct err err;

	err_init(&err);
	rules_cache_control(exchange_request(v->x), &ask);
	if (make_request(v, &err) == 0) {
		ask.if_none_match = v->if_none_match;
		cache_start(p->p.cache, &v->req, &ask, &sink, &v->lookup, &err);
	}
	if (err.cls != 0) {
		note(v, word_status(&err), false, "failed");
		word_say(v->x, word_status(&err), err.msg);
		dispose(v);
		return;
	}
	if (v->streaming)
		job_queue(v->proxy->p.loop, &v->flush);
}

static void forward(struct visit *v)
{
	cache_send(v->lookup, buf_data(&v->body), buf_len(&v->body));
	buf_clear(&v->body);
	if (v->body_over)
		cache_send_end(v->lookup);
	else if (cache_unsent(v->lookup) > AHEAD_MAX)
		exchange_pause(v->x, true);
}

/* The look-up's first pass has run: it takes the body now. */
static void on_flush(struct job *job)
{
	forward((struct visit *)(void *)((char *)job - offsetof(struct visit, flush)));
}

/* ---- the server's callbacks ---- */

static struct visit *visit_new(struct proxy *p, struct exchange *x)
{
	struct visit *v = take_spare(p);

	if (v == NULL)
		return NULL;
	v->proxy = p;
	v->x = x;
	v->begun = loop_now(p->p.loop);
	v->flush.run = on_flush;
	buf_init(&v->body, COLLECT_MAX + ((size_t)256 << 10));
	readdress_init(&v->addresses, p->base);
	v->next = p->visits;
	p->visits = v;
	exchange_set(x, v);
	return v;
}

/* Whoever may not ask is told so; true: the exchange is answered. */
static bool turned_away(struct proxy *p, struct exchange *x, const struct http_head *h)
{
	struct span host = http_field(h, "host");

	if (!exchange_is_unix(x) && rules_is_foreign_page(h, host)) {
		log_msg(log_ration(&p->said), "a request on TCP was refused with 403: a web page sent it");
		word_say(x, 403, "requests of web pages are not answered");
		return true;
	}
	if (h->target.p[0] != '/' || !rules_answers_for(h, exchange_is_unix(x), p->p.upstream, p->p.any_ip)) {
		log_msg(log_ration(&p->said), "a request %s was refused with 421: it is for another host",
		    exchange_is_unix(x) ? "on the unix socket" : "on TCP");
		word_say(x, 421, "this is not a host that ghoard answers for");
		return true;
	}
	if (span_eq(h->target, "/favicon.ico")) {	/* browsers ask of their own accord */
		word_say(x, 404, "there is none");
		return true;
	}
	return span_starts(h->target, "/_ghoard") &&
	    rules_meaning(h, p->p.upstream, p->p.any_ip) == RULES_API &&
	    p->p.control(p->p.arg, x, h->target);
}

static void on_passed(void *arg)
{
	struct visit *v = arg;

	note(v, 0, false, "passed through");
	v->pass = NULL;
	dispose(v);
}

static void pass(struct visit *v)
{
	struct span host = rules_name(http_field(exchange_request(v->x), "host"));
	const char *origin = NULL;
	struct err err;

	err_init(&err);
	if (v->proxy->p.offline) {
		word_offline(v->x, "with --offline nobody is asked");
		dispose(v);
		return;
	}
	if (rules_is_authority(v->proxy->p.upstream, http_field(exchange_request(v->x), "host")))
		origin = v->proxy->p.upstream->origin;
	if (pass_start(v->proxy->p.http, v->x, origin, rules_gets_auth(host, v->proxy->p.upstream), on_passed,
		v, &v->pass, &err) == 0)
		return;
	word_say(v->x, word_status(&err), err.msg);
	dispose(v);
}

void proxy_on_request(void *arg, struct exchange *x)
{
	struct proxy *p = arg;
	const struct http_head *h = exchange_request(x);
	struct visit *v;

	if (turned_away(p, x, h))
		return;
	v = visit_new(p, x);
	if (v == NULL || (v->who = who_get(p->who, http_field(h, "authorization"))) == NULL) {
		word_say(x, 400, "the Authorization value is too long");
		if (v != NULL)
			dispose(v);
		return;
	}
	if (rules_meaning(h, p->p.upstream, p->p.any_ip) == RULES_PASS) {
		pass(v);
		return;
	}
	note_own(v, h);
	v->collect = rules_has_body(h) && may_be_keyed(p, h, rules_target(h->target));
	v->streaming = rules_has_body(h) && !v->collect;
	if (!v->collect)
		start(v);
}

void proxy_on_body(void *arg, struct exchange *x, const void *data, size_t n)
{
	struct visit *v = exchange_get(x);

	(void)arg;
	if (v == NULL)
		return;
	if (v->pass != NULL) {
		pass_body(v->pass, data, n);
		return;
	}
	buf_add(&v->body, data, n);
	if (v->collect) {
		v->collected += n;
		v->proxy->collected += n;
	}
	if (v->collect && v->proxy->collected > COLLECT_ALL) {
		log_msg(log_ration(&v->proxy->said), "a request was refused with 503: too many bodies");
		word_say(x, 503, "too many request bodies are being read at once");
		dispose(v);
	} else if (v->collect && buf_len(&v->body) > COLLECT_MAX) { /* no key: it passes through */
		v->proxy->collected -= v->collected;
		v->collected = 0;
		v->collect = false;
		v->streaming = true;
		start(v);
	} else if (v->streaming && !v->flush.queued) {
		forward(v);
	}
}

void proxy_on_body_end(void *arg, struct exchange *x)
{
	struct visit *v = exchange_get(x);

	(void)arg;
	if (v == NULL)
		return;
	v->body_over = true;
	if (v->pass != NULL)
		pass_body_end(v->pass);
	else if (v->collect)
		start(v);
	else if (v->streaming && !v->flush.queued)
		forward(v);
}

void proxy_on_drained(void *arg, struct exchange *x)
{
	struct visit *v = exchange_get(x);

	(void)arg;
	if (v != NULL && v->pass != NULL)
		pass_drained(v->pass);
	else if (v != NULL && v->lookup != NULL)
		cache_pause(v->lookup, false);
}

bool proxy_on_again(void *arg, void *note, struct span *body)
{
	struct proxy *p = arg;

	return repeat_again(note, p->p.cache, p->p.recent, loop_now(p->p.loop), body);
}

void proxy_forget(void *arg, void *note)
{
	(void)arg;
	repeat_free(note);
}

void proxy_on_gone(void *arg, struct exchange *x)
{
	struct proxy *p = arg;
	struct visit *v = exchange_get(x);

	if (v == NULL) {
		p->p.control_gone(p->p.arg, x);
		return;
	}
	note(v, v->status, v->status != 0, "client left");
	dispose(v);
}

int proxy_new(const struct proxy_params *params, struct proxy **out, struct err *err)
{
	struct proxy *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->who = who_new()) == NULL) {
		free(p);
		return err_set(err, ERR_INTERNAL, "no memory for the daemon");
	}
	p->p = *params;
	snprintf(p->base, sizeof(p->base), "%s%s", params->upstream->origin, params->upstream->base);
	*out = p;
	return 0;
}

void proxy_free(struct proxy *p)
{
	if (p == NULL)
		return;
	while (p->visits != NULL)
		dispose(p->visits);
	while (p->spare != NULL) {
		struct visit *v = p->spare;

		p->spare = v->next;
		free(v);
	}
	who_free(p->who);
	free(p);
}
