#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/deliver.h"
#include "cache/flight.h"
#include "cache/inside.h"
#include "cache/layer.h"
#include "github/answer.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"
#include "metrics/metrics.h"
#include "store/entry.h"
#include "store/epochs.h"

#define SPARE_MAX 16
#define FUTURE_S 60		/* a timestamp further ahead than this is not believed */

/* ---- what layers ask ---- */

struct loop *lookup_loop(const struct lookup *lk)
{
	return lk->cache->p.loop;
}

struct metrics *lookup_metrics(const struct lookup *lk)
{
	return lk->cache->p.metrics;
}

bool lookup_overtaken(const struct lookup *lk, int64_t time)
{
	cache_epochs(lk->cache);
	return epochs_known(lk->cache->p.epochs, span_of(lk->req->id->tag), buf_span(&lk->req->target)) >=
	    time;
}

static int64_t lifetime(const struct lookup *lk, const struct entry *e)
{
	int64_t ttl = e->ttl < lk->req->ttl ? e->ttl : lk->req->ttl;

	if (lk->ask.max_age >= 0)	/* but a redirect is never kept longer than it was stored for */
		ttl = e->status == 301 && e->ttl < lk->ask.max_age ? e->ttl : lk->ask.max_age;
	if (lk->ask.limit_age && lk->ask.age_limit < ttl)
		ttl = lk->ask.age_limit;
	return ttl < lk->cache->p.permission_s ? ttl : lk->cache->p.permission_s;
}

int64_t lookup_ttl_left(const struct lookup *lk, const struct entry *e)
{
	int64_t left = e->timestamp + lifetime(lk, e) * CLOCK_SEC - lk->now;

	return left >= 0 ? left / CLOCK_SEC : -((-left + CLOCK_SEC - 1) / CLOCK_SEC);
}

static bool is_of_the_future(const struct lookup *lk, const struct entry *e)
{
	return e->timestamp > lk->now + FUTURE_S * CLOCK_SEC;
}

bool lookup_fresh(const struct lookup *lk, const struct entry *e)
{
	if (lk->ask.refresh || is_of_the_future(lk, e))
		return false;
	if (e->timestamp + lifetime(lk, e) * CLOCK_SEC <= lk->now)
		return false;
	return !lookup_overtaken(lk, e->timestamp);
}

bool lookup_may_stand_in(const struct lookup *lk)
{
	const struct entry *e = lk->own;

	if (e == NULL || is_of_the_future(lk, e) || lookup_overtaken(lk, e->timestamp))
		return false;
	return lk->now - (e->timestamp + lifetime(lk, e) * CLOCK_SEC) <=
	    lk->cache->p.stale_if_error_s * CLOCK_SEC;
}

void lookup_set_own(struct lookup *lk, struct entry *e, const char *layer)
{
	entry_unref(lk->own);
	lk->own = e;
	lk->own_layer = layer;
}

void lookup_note_stale(const struct lookup *lk, struct span prefix, int64_t time)
{
	struct err err;

	err_init(&err);
	lk->cache->epochs_pass = 0;
	if (epochs_add(lk->cache->p.epochs, span_of(lk->req->id->tag), &prefix, 1, time, &err) != 0)
		log_warn("stored answers below %.*s may be served although they are to be asked again: %s",
		    (int)prefix.n, prefix.p, err.msg);
}

void lookup_note_refusal(const struct lookup *lk, struct span prefix)
{
	lookup_note_stale(lk, prefix.n > 0 ? prefix : span_of("/"), clock_wall());
}

bool lookup_store(struct lookup *lk, struct entry *e)
{
	bool kept = false;

	if (lk->ask.no_store)
		return false;
	for (size_t i = 0; i < lk->at; i++)
		if (lk->cache->p.layers[i]->store != NULL)
			kept = lk->cache->p.layers[i]->store(lk->cache->p.layers[i], e);
	for (size_t i = 0; lk->at + 1 == lk->cache->p.nlayers && i < lk->at; i++)
		if (lk->cache->p.layers[i]->tell != NULL)
			lk->cache->p.layers[i]->tell(lk->cache->p.layers[i], e);
	return kept;
}

void lookup_judged(const struct lookup *lk, bool confirmed)
{
	struct cache_params *p = &lk->cache->p;

	for (size_t i = 0; lk->candidate_from.n > 0 && i < p->nlayers; i++)
		if (p->layers[i]->judged != NULL)
			p->layers[i]->judged(p->layers[i], lk, confirmed);
}

/* ---- the end of a look-up ---- */

/* A few are kept: see proxy.c on musl's malloc. */
static void recycle(struct lookup *lk)
{
	struct cache *c = lk->cache;

	if (c->nspare == SPARE_MAX) {
		free(lk);
		return;
	}
	c->nspare++;
	lk->next = c->spare;
	c->spare = lk;
}

static struct lookup *take_spare(struct cache *c)
{
	struct lookup *lk = c->spare;

	if (lk == NULL)
		return calloc(1, sizeof(*lk));
	c->spare = lk->next;
	c->nspare--;
	memset(lk, 0, sizeof(*lk));
	return lk;
}

static void dispose(struct lookup *lk)
{
	struct lookup **at = &lk->cache->lookups;

	while (*at != lk)
		at = &(*at)->next;
	*at = lk->next;
	job_cancel(lk->cache->p.loop, &lk->job);
	entry_unref(lk->own);
	entry_unref(lk->candidate);
	entry_unref(lk->made);
	recycle(lk);
}

static void count(const struct lookup *lk)
{
	const struct cache_outcome *o = &lk->outcome;
	struct metrics *m = lk->cache->p.metrics;
	char route[METRICS_NAME_MAX + 1];
	bool stale = o->served_entry && (o->fwd == FWD_NONE ? o->ttl < 0 : o->fwd_status != 304);

	if (lk->ask.beside)	/* nobody's request: the one that was answered meanwhile has been counted */
		return;
	snprintf(route, sizeof(route), "route.%s", lk->req->route->op);
	metrics_add_named(m, route, 1);
	if (o->fwd == FWD_BYPASS || o->fwd == FWD_METHOD) {
		metrics_add(m, M_BYPASS, 1);
	} else if (o->collapsed && !stale) {
		metrics_add(m, M_CALLS_SAVED, 1);
	} else if (!o->served_entry) {
		metrics_add(m, M_MISS, 1);
	} else {
		metrics_add(m, M_CALLS_SAVED, 1);
		metrics_add(m, M_BYTES_SAVED, lk->own->body.n);
		if (stale)
			metrics_add(m, M_HIT_STALE, 1);
		else if (o->fwd != FWD_NONE)
			metrics_add(m,
			    o->detail != NULL && strcmp(o->detail, "candidate") == 0 ? M_CANDIDATE
										     : M_REVALIDATED,
			    1);
		else
			metrics_add(m,
			    strcmp(o->detail, "memory") == 0  ? M_HIT_MEM
				: strcmp(o->detail, "p2p") == 0 ? M_HIT_P2P
								: M_HIT_DISK,
			    1);
	}
}

static void finish(struct lookup *lk)
{
	struct cache_sink sink = lk->sink;
	struct err err = lk->err;

	dispose(lk);
	sink.on_done(sink.arg, &err);
}

static void send_own(struct lookup *lk)
{
	struct delivery d;
	const struct entry *e = lk->own;

	lk->outcome.age = (lk->now - e->timestamp) / CLOCK_SEC;
	lk->outcome.length = (int64_t)e->body.n;
	deliver_entry(&d, e, &lk->outcome, cache_limits(lk->cache, lk->req));
	lk->sink.on_head(lk->sink.arg, &d.head, &lk->outcome);
	if (!lk->req->is_head && e->body.n > 0)
		lk->sink.on_body(lk->sink.arg, e->body.p, e->body.n, &lk->err);
}

struct entry *cache_served(const struct lookup *lk)
{
	return lk->serve_own ? lk->own : lk->serve_made ? lk->made : NULL;
}

static void send_answer(struct lookup *lk)
{
	struct delivery d;
	struct span body = buf_span(&lk->answer->body);

	/* the same bytes, which will outlive the answer */
	lk->serve_made = lk->made != NULL && span_same(lk->made->body, body);
	body = lk->serve_made ? lk->made->body : body;
	lk->outcome.length = (int64_t)body.n;
	deliver_answer(&d, &lk->answer->head, &lk->outcome);
	lk->sink.on_head(lk->sink.arg, &d.head, &lk->outcome);
	if (body.n > 0)
		lk->sink.on_body(lk->sink.arg, body.p, body.n, &lk->err);
}

void lookup_done(struct lookup *lk)
{
	flight_land(lk);
	lookup_deliver(lk);
}

void lookup_deliver(struct lookup *lk)
{
	if (lk->err.cls == 0) {
		lk->outcome.served_entry = lk->serve_own;
		count(lk);
		if (lk->serve_own)
			send_own(lk);
		else if (!lk->head_sent)
			send_answer(lk);
	}
	finish(lk);
}

/* ---- the walk ---- */

static void hit(struct lookup *lk, const char *detail)
{
	lk->outcome.fwd = FWD_NONE;
	lk->outcome.detail = detail;
	lk->outcome.ttl = lookup_ttl_left(lk, lk->own);
	lk->serve_own = true;
	lookup_store(lk, lk->own);
	lookup_done(lk);
}

/* An own answer, else anybody's: whoever runs this, or may open the daemon's socket, could read the files. */
static void offline(struct lookup *lk)
{
	struct span path = span_before(buf_span(&lk->req->target), '?');
	bool own = lk->own != NULL;

	if (!own && lk->candidate != NULL && !lk->ask.own_only)
		lookup_set_own(lk, entry_ref(lk->candidate), "disk");
	if (lk->own != NULL) {
		lk->at = 0;			/* nothing is written */
		hit(lk, own && lookup_fresh(lk, lk->own) ? lk->own_layer : "offline");
		return;
	}
	err_set(&lk->err, ERR_UNAVAIL, "%.*s is not stored, and with --offline nobody is asked", (int)path.n,
	    path.p);
	finish(lk);
}

static void not_cached(struct lookup *lk)
{
	/* a query may hold a secret */
	struct span path = span_before(buf_span(&lk->req->target), '?');

	err_set(&lk->err, ERR_NOTFOUND, "%.*s is not stored, and the request wants a stored answer",
	    (int)path.n, path.p);
	finish(lk);
}

/* Ask GitHub, or wait for who is asking. */
static void fly(struct lookup *lk)
{
	struct cache_layer *last = lk->cache->p.layers[lk->at];

	if (!flight_join(lk))
		last->lookup(last, lk);
}

struct lookup *lookup_first(const struct lookup *lk)
{
	return lk->cache->lookups;
}

void lookup_wake(struct lookup *lk)
{
	job_queue(lk->cache->p.loop, &lk->job);
}

void lookup_hand_over(struct lookup *from, struct lookup *to)
{
	struct cache_layer *last = from->cache->p.layers[from->at];

	last->hand_over(last, from, to);
}

/* ---- stale while revalidate ---- */

/* A look-up of our own, for nobody: it only renews. */
struct renewal {
	struct request req;
	struct identity id;
};

static void ignore_head(void *arg, const struct http_head *h, const struct cache_outcome *o)
{
	(void)arg;
	(void)h;
	(void)o;
}

static int ignore_body(void *arg, const void *p, size_t n, struct err *err)
{
	(void)arg;
	(void)p;
	(void)n;
	(void)err;
	return 0;
}

static void on_renewed(void *arg, const struct err *err)
{
	struct renewal *r = arg;

	if (err->cls != 0)
		log_debug("renewing beside a stale answer: %s", err->msg);
	request_wipe(&r->req);
	identity_wipe(&r->id);
	free(r);
}

static void renew_beside(struct lookup *lk)
{
	struct renewal *r = calloc(1, sizeof(*r));
	struct cache_ask ask = { .max_age = -1, .beside = true };
	struct cache_sink sink = {
		.on_head = ignore_head, .on_body = ignore_body, .on_done = on_renewed, .arg = r
	};
	struct lookup *started;

	if (r == NULL)
		return;
	r->id = *lk->req->id;
	if (request_copy(&r->req, lk->req, &r->id) != 0) {
		identity_wipe(&r->id);
		free(r);
		return;
	}
	if (cache_start(lk->cache, &r->req, &ask, &sink, &started, NULL) != 0)
		on_renewed(r, &(struct err){ .cls = ERR_INTERNAL });
}

/* Old, but not by much, and nothing else is wrong with it: served now, renewed beside. */
static bool may_serve_meanwhile(const struct lookup *lk)
{
	const struct entry *e = lk->own;

	if (e == NULL || lk->ask.beside || lk->ask.refresh || lk->ask.limit_age || lk->ask.only_if_cached ||
	    lk->ask.max_age >= 0 || lk->req->route->policy == ROUTE_ASK || lk->req->has_body ||
	    is_of_the_future(lk, e))
		return false;
	if (lk->now - e->timestamp > lk->cache->p.permission_s * CLOCK_SEC ||
	    lookup_overtaken(lk, e->timestamp))
		return false;
	return -lookup_ttl_left(lk, e) <= lk->cache->p.stale_while_revalidate_s;
}

/* What the last layer asked left is fresh: served. */
static bool settled(struct lookup *lk)
{
	if (lk->own == NULL || lk->ask.offline || !lookup_fresh(lk, lk->own))
		return false;
	hit(lk, lk->own_layer);
	return true;
}

static void walk(struct lookup *lk)
{
	struct cache_params *p = &lk->cache->p;

	if (lk->req->bypass != NULL)
		lk->at = p->nlayers - 1;
	for (; lk->at + 1 < p->nlayers; lk->at++) {
		if (p->layers[lk->at]->lookup(p->layers[lk->at], lk) == LAYER_PENDING)
			return;
		if (settled(lk))
			return;
	}
	lk->walked = true;
	if (!lk->ask.offline && lk->req->bypass == NULL && may_serve_meanwhile(lk)) {
		renew_beside(lk);
		lk->at = 0;			/* what is stale is not handed on */
		hit(lk, "stale-while-revalidate");
		return;
	}
	if (lk->ask.offline)
		offline(lk);
	else if (lk->ask.only_if_cached)
		not_cached(lk);
	else
		fly(lk);
}

void lookup_go_on(struct lookup *lk)
{
	if (settled(lk))
		return;
	lk->at++;
	walk(lk);
}

static void on_job(struct job *job)
{
	struct lookup *lk = (struct lookup *)(void *)((char *)job - offsetof(struct lookup, job));

	if (lk->walked)
		fly(lk);
	else
		walk(lk);
}

const struct ratelimit *cache_limits(const struct cache *c, const struct request *req)
{
	const struct cache_layer *last = c->p.layers[c->p.nlayers - 1];

	return last->limits != NULL ? last->limits(last, req) : NULL;
}

int cache_start(struct cache *c, const struct request *req, const struct cache_ask *ask,
    const struct cache_sink *sink, struct lookup **out, struct err *err)
{
	struct lookup *lk = take_spare(c);

	if (lk == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a look-up");
	lk->cache = c;
	lk->req = req;
	lk->ask = *ask;
	lk->sink = *sink;
	lk->now = clock_wall();
	lk->job.run = on_job;
	err_init(&lk->err);
	lk->next = c->lookups;
	c->lookups = lk;
	if (!ask->beside)
		metrics_add(c->p.metrics, M_REQUESTS, 1);
	job_queue(c->p.loop, &lk->job);
	*out = lk;
	return 0;
}

void cache_cancel(struct lookup *lk)
{
	struct cache_layer *layer;

	if (lk == NULL)
		return;
	flight_leave(lk);
	layer = lk->cache->p.layers[lk->at];
	if (lk->layer_state != NULL && layer->cancel != NULL)
		layer->cancel(layer, lk);
	dispose(lk);
}

/* ---- streams ---- */

static struct cache_layer *streaming(const struct lookup *lk)
{
	struct cache_layer *last = lk->cache->p.layers[lk->cache->p.nlayers - 1];

	return lk->layer_state != NULL && lk->at + 1 == lk->cache->p.nlayers ? last : NULL;
}

void cache_send(struct lookup *lk, const void *p, size_t n)
{
	if (streaming(lk) != NULL && n > 0)
		streaming(lk)->stream(streaming(lk), lk, p, n);
}

void cache_send_end(struct lookup *lk)
{
	if (streaming(lk) != NULL)
		streaming(lk)->stream(streaming(lk), lk, NULL, 0);
}

size_t cache_unsent(const struct lookup *lk)
{
	return streaming(lk) != NULL ? streaming(lk)->unsent(streaming(lk), lk) : 0;
}

void cache_pause(struct lookup *lk, bool pause)
{
	if (streaming(lk) != NULL)
		streaming(lk)->pause(streaming(lk), lk, pause);
}

bool cache_next_limit(const struct cache *c, unsigned *at, const char **tag, const struct ratelimit **limit)
{
	const struct cache_layer *last = c->p.layers[c->p.nlayers - 1];

	return last->next_limit != NULL && last->next_limit(last, at, tag, limit);
}

bool cache_is_asking(const struct cache *c, struct span key)
{
	for (const struct lookup *lk = c->lookups; lk != NULL; lk = lk->next)
		if (lk->walked && lk->req->bypass == NULL && span_same(buf_span(&lk->req->key), key))
			return true;
	return false;
}

int cache_new(const struct cache_params *p, struct cache **out, struct err *err)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the cache");
	c->p = *p;
	*out = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	while (c->lookups != NULL) {
		struct lookup *lk = c->lookups;
		void *renewal = lk->ask.beside ? lk->sink.arg : NULL;

		cache_cancel(lk);
		if (renewal != NULL)
			on_renewed(renewal, &(struct err){ .cls = 0 });
	}
	while (c->spare != NULL) {
		struct lookup *lk = c->spare;

		c->spare = lk->next;
		free(lk);
	}
	free(c);
}
