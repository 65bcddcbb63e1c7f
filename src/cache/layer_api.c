#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/deliver.h"
#include "cache/layer.h"
#include "cache/renew.h"
#include "github/answer.h"
#include "github/api.h"
#include "github/etag.h"
#include "github/graphql.h"
#include "github/identity.h"
#include "github/link.h"
#include "github/request.h"
#include "github/route.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "store/entry.h"

#define CLASSES_MAX 8
#define ACCEPT_MAX 80

struct accept_class {			/* the derivation's breaker, by Accept value */
	char accept[ACCEPT_MAX];
	struct etag_breaker breaker;
};

struct layer_api {
	struct cache_layer layer;
	struct layer_api_params p;
	struct accept_class classes[CLASSES_MAX];
	char limited_tag[IDENTITY_TAG_LEN + 1];	/* whose limit was last seen spent */
	int64_t limited_until;			/* s since the epoch */
};

/* One look-up's conversation with GitHub. */
struct talk {
	struct layer_api *layer;
	struct lookup *lk;
	struct api_call *call;
	struct timer wait;
	char own[ETAG_LEN * 4], derived[ETAG_LEN + 1],
	    candidate[ETAG_LEN + 1];	/* validators offered; "" none */
	bool plain;			/* ask without condition */
	bool waited;
};

static struct layer_api *of(struct cache_layer *l)
{
	return (struct layer_api *)(void *)l;
}

static void ask(struct talk *t);

static void finish(struct talk *t)
{
	struct lookup *lk = t->lk;

	timer_clear(t->layer->p.loop, &t->wait);
	lk->layer_state = NULL;
	free(t);
	lookup_done(lk);
}

/* ---- validators ---- */

static struct etag_breaker *breaker(struct layer_api *l, struct span accept)
{
	struct accept_class *free_row = NULL;

	for (size_t i = 0; i < CLASSES_MAX; i++) {
		if (span_eq(accept, l->classes[i].accept))
			return &l->classes[i].breaker;
		if (l->classes[i].accept[0] == '\0' && free_row == NULL)
			free_row = &l->classes[i];
	}
	if (free_row == NULL || !span_copy(free_row->accept, sizeof(free_row->accept), accept))
		return NULL;
	return &free_row->breaker;
}

static bool derivable(struct talk *t)
{
	const struct etag_breaker *b = breaker(t->layer, t->lk->req->accept);

	return b != NULL && !b->open;
}

static void derive(struct talk *t, const struct entry *e, char out[static ETAG_LEN + 1])
{
	const struct request *r = t->lk->req;

	etag_derive(out, r->accept, span_make(r->id->authorization.bytes, r->id->authorization.len), e->body);
}

/* What to put into If-None-Match: the own entry's tag, also as this Authorization would get it, or a
 * candidate's. */
static void choose_validators(struct talk *t, struct buf *b)
{
	struct lookup *lk = t->lk;
	struct span stored = lk->own != NULL ? entry_header(lk->own, "etag") : span_of("");

	t->own[0] = t->derived[0] = t->candidate[0] = '\0';
	if (t->plain || (lk->own != NULL && renew_is_full_last_page(lk->req, lk->own)))
		return;
	if (lk->own == NULL && lk->candidate != NULL && derivable(t) &&
	    renew_is_usable_candidate(lk->req, lk->candidate)) {
		derive(t, lk->candidate, t->candidate);
		buf_adds(b, t->candidate);
	}
	if (!etag_ok(stored) || !span_copy(t->own, sizeof(t->own), stored))
		return;
	buf_adds(b, t->own);
	if (lk->own->status == 200 && derivable(t)) {
		derive(t, lk->own, t->derived);
		if (etag_same(span_of(t->derived), stored))
			t->derived[0] = '\0';
		else
			buf_addf(b, ", %s", t->derived);
	}
}

static void check_derivation(struct talk *t, const struct answer *a)
{
	const struct request *r = t->lk->req;
	struct etag_breaker *b = breaker(t->layer, r->accept);
	struct span tag = http_field(&a->head, "etag");
	char want[ETAG_LEN + 1];
	bool agrees;

	if (b == NULL || tag.n == 0)
		return;
	etag_derive(want, r->accept, span_make(r->id->authorization.bytes, r->id->authorization.len),
	    buf_span(&a->body));
	agrees = etag_same(tag, span_of(want));
	metrics_add(t->layer->p.metrics, agrees ? M_ETAG_AGREE : M_ETAG_DIFFER, 1);
	if (etag_breaker_note(b, agrees))
		log_warn("GitHub's ETags are no longer made the known way for %.*s: answers of other tokens "
			 "are not offered any more",
		    (int)r->accept.n, r->accept.p);
}

/* ---- what came back ---- */

static enum cache_fwd why_forwarded(const struct lookup *lk)
{
	if (lk->ask.refresh)
		return FWD_REQUEST;
	return lk->own != NULL ? FWD_STALE : FWD_URI_MISS;
}

static int64_t ttl_to_store(const struct lookup *lk)
{
	return lk->ask.max_age >= 0 ? lk->ask.max_age : lk->req->ttl;
}

/* The entry becomes the token's own; kept unless the answer forbids it or something made it stale while it
 * was on its way. */
static void adopt(struct talk *t, struct entry *e, const struct answer *a)
{
	struct lookup *lk = t->lk;

	if (answer_fields_storable(a) && !lookup_overtaken(lk, a->sent))
		lk->outcome.stored = lookup_store(lk, e);
	lookup_set_own(lk, e, "api");
}

static void stand_in(struct talk *t, int status)
{
	struct lookup *lk = t->lk;

	lk->outcome.fwd = why_forwarded(lk);
	lk->outcome.fwd_status = status;
	lk->outcome.detail = "stale-if-error";
	lk->serve_own = true;
	err_init(&lk->err);
	finish(t);
}

static void pass_on(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;

	lk->outcome.fwd = why_forwarded(lk);
	lk->outcome.fwd_status = a->head.status;
	lk->answer = a;
	finish(t);
}

static void on_304(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;
	struct span tag = http_field(&a->head, "etag");
	struct entry *e = NULL;
	int rc = 0;

	lk->outcome.fwd = why_forwarded(lk);
	lk->outcome.fwd_status = 304;
	if (etag_same(tag, span_of(t->own)) || etag_same(tag, span_of(t->derived))) {
		rc = renew_from_304(lk->req, lk->own, a, ttl_to_store(lk), &e, &lk->err);
		lk->outcome.detail = lk->ask.refresh ? "no-cache" : "revalidated";
	} else if (etag_same(tag, span_of(t->candidate))) {
		rc = renew_from_candidate(lk->req, lk->candidate, a, ttl_to_store(lk), &e, &lk->err);
		lk->outcome.detail = "candidate";
	} else if (!t->plain) {		/* it speaks for a validator that is not ours */
		t->plain = true;
		ask(t);
		return;
	} else {
		rc = err_set(&lk->err, ERR_PROTO, "GitHub answered 304 to a request without a condition");
	}
	if (rc == 0) {
		adopt(t, e, a);
		/* "stored" belongs to what is new in the store; a revalidation says so by its detail. */
		lk->outcome.stored = lk->outcome.stored && strcmp(lk->outcome.detail, "candidate") == 0;
		lk->now = lk->own->timestamp;
		lk->serve_own = true;
	}
	/* GitHub confirmed what is held: it is served, even where it cannot be written anew. */
	if (rc != 0 && (lk->serve_own = lk->own != NULL && lk->outcome.detail != NULL))
		err_init(&lk->err);
	finish(t);
}

/* A Link that leaves the upstream is not handed on either: who follows it would take the token along. */
static void drop_foreign_links(const struct request *r, struct http_head *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->nfields; i++)
		if (!span_ieq(h->fields[i].name, "link") ||
		    link_within(h->fields[i].value, r->upstream->origin))
			h->fields[kept++] = h->fields[i];
	h->nfields = kept;
}

static void on_success(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;
	struct entry *e = NULL;
	unsigned dropped = 0;
	struct err ignored;

	if (a->head.status == 200)
		check_derivation(t, a);
	err_init(&ignored);
	if (answer_storable(a, lk->req) &&
	    renew_from_200(lk->req, a, ttl_to_store(lk), &dropped, &e, &ignored) == 0 &&
	    !lookup_overtaken(lk, a->sent))
		lk->outcome.stored = lookup_store(lk, e);
	entry_unref(e);
	metrics_add(t->layer->p.metrics, M_LINK_DROPPED, dropped);
	if (dropped > 0)
		drop_foreign_links(lk->req, &a->head);
	pass_on(t, a);
}

/* The repository of a path, or the path itself: what a refusal speaks of. */
static struct span refused_prefix(const struct request *r)
{
	struct span target = buf_span(&r->target), repo = route_repo_prefix(target);

	return repo.n > 0 ? repo : span_before(target, '?');
}

static void on_wait_over(struct timer *timer)
{
	ask((struct talk *)(void *)((char *)timer - offsetof(struct talk, wait)));
}

/* GitHub says wait. A stored answer stands in; else a short wait is waited once; else the refusal is passed
 * on. false: the last. */
static bool on_limit(struct talk *t, int status, int64_t wait_s)
{
	struct layer_api *l = t->layer;

	memcpy(l->limited_tag, t->lk->req->id->tag, sizeof(l->limited_tag));
	l->limited_until = clock_wall() / CLOCK_SEC + wait_s;
	if (lookup_may_stand_in(t->lk)) {
		stand_in(t, status);
		return true;
	}
	if (t->waited || wait_s > l->p.max_wait_s)
		return false;
	t->waited = true;
	metrics_add(l->p.metrics, M_RATE_WAITS, 1);
	log_warn("GitHub limits the requests of this token; waiting %" PRId64 " s as it asks", wait_s);
	timer_set(l->p.loop, &t->wait, loop_now(l->p.loop) + wait_s * 1000);
	return true;
}

/* What a refusal that is no limit says of the token: all of it, or what it was shown of this repository. */
static void note_refusal(const struct lookup *lk, int status)
{
	if (status == 401)
		lookup_note_refusal(lk, span_of(""));
	else if ((status == 403 || status == 404 || status == 410 || status == 451) && lk->own != NULL)
		lookup_note_refusal(lk, refused_prefix(lk->req));
}

static void on_refusal(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;
	int status = a->head.status;
	int64_t wait_s = 0;

	if (ratelimit_is_limit(&a->head, buf_span(&a->body), clock_wall() / CLOCK_SEC, &wait_s)) {
		if (on_limit(t, status, wait_s))
			return;
	} else if (status >= 500 && lookup_may_stand_in(lk)) {
		stand_in(t, status);
		return;
	} else {
		note_refusal(lk, status);
	}
	pass_on(t, a);
}

static void count_upstream(struct talk *t, int status)
{
	struct metrics *m = t->layer->p.metrics;

	metrics_add(m, M_UPSTREAM, 1);
	/* Neither an authorized 304 nor a look at the limits themselves is billed. */
	if ((status != 304 || t->lk->req->id->is_public) &&
	    !span_eq(buf_span(&t->lk->req->target), "/rate_limit"))
		metrics_add(m, M_UPSTREAM_BILLABLE, 1);
}

static void on_failure(struct talk *t, const struct err *err)
{
	bool network = err->cls == ERR_UNAVAIL || err->cls == ERR_TIMEOUT || err->cls == ERR_PROTO ||
	    err->cls == ERR_IO || err->cls == ERR_DENIED;

	t->lk->err = *err;
	if (network && lookup_may_stand_in(t->lk)) {
		log_warn("%s; a stored answer stands in", err->msg);
		stand_in(t, 0);
		return;
	}
	finish(t);
}

static void on_done(void *arg, struct answer *a, const struct err *err)
{
	struct talk *t = arg;

	t->call = NULL;
	if (err->cls != 0) {
		on_failure(t, err);
		return;
	}
	count_upstream(t, a->head.status);
	if (a->head.status == 304)
		on_304(t, a);
	else if (a->head.status >= 200 && a->head.status < 400)
		on_success(t, a);
	else
		on_refusal(t, a);
}

/* ---- streamed: what is not kept ---- */

static void on_stream_head(void *arg, const struct http_head *head)
{
	struct talk *t = arg;
	struct lookup *lk = t->lk;
	struct delivery d;

	lk->outcome.fwd = lk->req->bypass == NULL ? why_forwarded(lk) :
	    strcmp(lk->req->bypass, "method") == 0 ? FWD_METHOD : FWD_BYPASS;
	lk->outcome.fwd_status = head->status;
	lk->head_sent = true;
	deliver_answer(&d, head, &lk->outcome);
	lk->sink.on_head(lk->sink.arg, &d.head, &lk->outcome);
}

static int on_stream_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct talk *t = arg;

	return t->lk->sink.on_body(t->lk->sink.arg, p, n, err);
}

static bool is_write(const struct request *r)
{
	return strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0 &&
	    strcmp(r->method, "OPTIONS") != 0;
}

/* A GraphQL document's operations name no path: if it may hold a mutation, all of this token's entries are
 * asked again. */
static void note_write(struct talk *t)
{
	const struct request *r = t->lk->req;

	if (span_eq(span_before(buf_span(&r->target), '?'), "/graphql")) {
		if (!graphql_is_query(r->body))
			lookup_note_refusal(t->lk, span_of(""));
		return;
	}
	cache_note_write(t->lk->cache, buf_span(&r->target));
}

static void on_stream_done(void *arg, struct answer *a, const struct err *err)
{
	struct talk *t = arg;
	int status = err->cls == 0 ? a->head.status : 0;

	t->call = NULL;

	if (err->cls == 0) {
		count_upstream(t, status);
		note_refusal(t->lk, status);
	}
	/* Without an answer, or with one that speaks of a fault, nobody knows whether the write happened. */
	if (is_write(t->lk->req) && (status < 400 || status >= 500))
		note_write(t);
	t->lk->err = *err;
	finish(t);
}

/* ---- asking ---- */

/* The limit is known to be spent: nothing is sent. true: answered, or waiting. */
static bool held_back(struct talk *t)
{
	struct layer_api *l = t->layer;
	struct lookup *lk = t->lk;
	int64_t left = l->limited_until - clock_wall() / CLOCK_SEC;

	if (left <= 0 || strcmp(l->limited_tag, lk->req->id->tag) != 0 || !lookup_may_stand_in(lk))
		return false;
	lk->outcome.fwd = FWD_NONE;
	lk->outcome.ttl = lookup_ttl_left(lk, lk->own);
	lk->outcome.detail = "rate-limited";
	lk->serve_own = true;
	finish(t);
	return true;
}

static void ask(struct talk *t)
{
	struct lookup *lk = t->lk;
	bool stream = lk->req->bypass != NULL || lk->req->is_head;
	struct api_sink sink = { NULL, NULL, on_done, t };
	struct buf validators;

	if (stream)
		sink = (struct api_sink){ on_stream_head, on_stream_body, on_stream_done, t };
	else if (held_back(t))
		return;
	buf_init(&validators, 1024);
	if (!stream)
		choose_validators(t, &validators);
	if (api_start(t->layer->p.http, lk->req, buf_span(&validators), t->layer->p.max_body, &sink, &t->call,
		&lk->err) != 0)
		finish(t);
	buf_free(&validators);
}

static enum layer_result lookup(struct cache_layer *l, struct lookup *lk)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(&lk->err, ERR_INTERNAL, "no memory to ask GitHub");
		lookup_done(lk);
		return LAYER_PENDING;
	}
	t->layer = of(l);
	t->lk = lk;
	t->wait.fire = on_wait_over;
	lk->layer_state = t;
	ask(t);
	return LAYER_PENDING;
}

static void cancel(struct cache_layer *l, struct lookup *lk)
{
	struct talk *t = lk->layer_state;

	(void)l;
	/* Nobody waits for the answer any more; what was sent may happen all the same. */
	if (t->call != NULL && lk->req->bypass != NULL && is_write(lk->req))
		note_write(t);
	api_cancel(t->call);
	timer_clear(t->layer->p.loop, &t->wait);
	lk->layer_state = NULL;
	free(t);
}

struct cache_layer *layer_api_new(const struct layer_api_params *p)
{
	struct layer_api *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->layer = (struct cache_layer){ .name = "api", .lookup = lookup, .cancel = cancel };
	l->p = *p;
	return &l->layer;
}
