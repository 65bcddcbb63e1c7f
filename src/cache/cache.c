#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/deliver.h"
#include "cache/layer.h"
#include "github/answer.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"
#include "metrics/metrics.h"
#include "store/entry.h"
#include "store/epochs.h"

#define FUTURE_S 60		/* a timestamp further ahead than this is not believed */

struct cache {
	struct cache_params p;
	struct lookup *lookups;
};

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
	return epochs_latest(lk->cache->p.epochs, span_of(lk->req->id->tag), buf_span(&lk->req->target)) >=
	    time;
}

static int64_t lifetime(const struct lookup *lk, const struct entry *e)
{
	int64_t ttl = e->ttl < lk->req->ttl ? e->ttl : lk->req->ttl;

	if (lk->ask.max_age >= 0)	/* but a redirect is never kept longer than it was stored for */
		ttl = e->status == 301 && e->ttl < lk->ask.max_age ? e->ttl : lk->ask.max_age;
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

void lookup_note_refusal(const struct lookup *lk, struct span prefix)
{
	struct span all = span_of("/");
	struct err err;

	err_init(&err);
	if (epochs_add(lk->cache->p.epochs, span_of(lk->req->id->tag), prefix.n > 0 ? &prefix : &all, 1,
		clock_wall(), &err) != 0)
		log_warn("that GitHub refused this token is not noted, stored answers may still be served to "
			 "it: %s",
		    err.msg);
}

bool lookup_store(struct lookup *lk, struct entry *e)
{
	bool kept = false;

	for (size_t i = 0; i < lk->at; i++)
		if (lk->cache->p.layers[i]->store != NULL)
			kept = lk->cache->p.layers[i]->store(lk->cache->p.layers[i], e);
	return kept;
}

/* ---- the end of a look-up ---- */

static void dispose(struct lookup *lk)
{
	struct lookup **at = &lk->cache->lookups;

	while (*at != lk)
		at = &(*at)->next;
	*at = lk->next;
	job_cancel(lk->cache->p.loop, &lk->job);
	entry_unref(lk->own);
	entry_unref(lk->candidate);
	free(lk);
}

static void count(const struct lookup *lk)
{
	const struct cache_outcome *o = &lk->outcome;
	struct metrics *m = lk->cache->p.metrics;
	char route[METRICS_NAME_MAX + 1];

	snprintf(route, sizeof(route), "route.%s", lk->req->route->op);
	metrics_add_named(m, route, 1);
	if (o->fwd == FWD_BYPASS || o->fwd == FWD_METHOD) {
		metrics_add(m, M_BYPASS, 1);
	} else if (!o->served_entry) {
		metrics_add(m, M_MISS, 1);
	} else {
		bool stale = o->fwd == FWD_NONE ? o->ttl < 0 : o->fwd_status != 304;

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
			metrics_add(m, strcmp(o->detail, "memory") == 0 ? M_HIT_MEM : M_HIT_DISK, 1);
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
	deliver_entry(&d, e, &lk->outcome);
	lk->sink.on_head(lk->sink.arg, &d.head, &lk->outcome);
	if (!lk->req->is_head && e->body.n > 0)
		lk->sink.on_body(lk->sink.arg, e->body.p, e->body.n, &lk->err);
}

static void send_answer(struct lookup *lk)
{
	struct delivery d;
	struct span body = buf_span(&lk->answer->body);

	deliver_answer(&d, &lk->answer->head, &lk->outcome);
	lk->sink.on_head(lk->sink.arg, &d.head, &lk->outcome);
	if (body.n > 0)
		lk->sink.on_body(lk->sink.arg, body.p, body.n, &lk->err);
}

void lookup_done(struct lookup *lk)
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

/* An own answer, else anybody's: whoever runs this could read the files. */
static void offline(struct lookup *lk)
{
	struct span path = span_before(buf_span(&lk->req->target), '?');
	bool own = lk->own != NULL;

	if (!own && lk->candidate != NULL)
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

static void walk(struct lookup *lk)
{
	struct cache_params *p = &lk->cache->p;

	if (lk->req->bypass != NULL)
		lk->at = p->nlayers - 1;
	for (; lk->at + 1 < p->nlayers; lk->at++) {
		if (p->layers[lk->at]->lookup(p->layers[lk->at], lk) == LAYER_PENDING)
			return;
		if (lk->own != NULL && !lk->ask.offline && lookup_fresh(lk, lk->own)) {
			hit(lk, lk->own_layer);
			return;
		}
	}
	if (lk->ask.offline)
		offline(lk);
	else
		p->layers[lk->at]->lookup(p->layers[lk->at], lk);
}

static void on_job(struct job *job)
{
	walk((struct lookup *)(void *)((char *)job - offsetof(struct lookup, job)));
}

int cache_start(struct cache *c, const struct request *req, const struct cache_ask *ask,
    const struct cache_sink *sink, struct lookup **out, struct err *err)
{
	struct lookup *lk = calloc(1, sizeof(*lk));

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
	layer = lk->cache->p.layers[lk->at];
	if (lk->layer_state != NULL && layer->cancel != NULL)
		layer->cancel(layer, lk);
	dispose(lk);
}

/* ---- writes ---- */

/* "/repos/o/r/issues/5/labels" → "/repos/o/r/issues": the collection holds the item, its pages and everything
 * below it. */
static struct span collection(struct span path, struct span repo)
{
	struct span rest = span_sub(path, repo.n, path.n);
	ptrdiff_t end = rest.n > 1 ? span_chr(span_sub(rest, 1, rest.n), '/') : -1;

	return end < 0 ? path : span_sub(path, 0, repo.n + 1 + (size_t)end);
}

static size_t repo_prefixes(struct span path, struct span repo, struct span out[8], char alias[512],
    char lists[3][300])
{
	struct span item = collection(path, repo), owner = span_sub(repo, 7, repo.n);
	struct span tail = span_sub(item, repo.n, item.n);
	ptrdiff_t slash = span_chr(owner, '/');
	size_t n = 0;

	out[n++] = item;
	/* A repository has two names, and which number belongs to which is not known here: every one's
	 * collection of that name is asked again under the other. */
	snprintf(alias, 512, "%s%.*s", span_starts(repo, "/repos/") ? "/repositories/*" : "/repos/*/*",
	    (int)tail.n, tail.p);
	out[n++] = span_of(alias);
	if (tail.n > 0 || !span_starts(repo, "/repos/") || slash < 0)
		return n;
	snprintf(lists[0], 300, "/users/%.*s/repos", (int)slash, owner.p);
	snprintf(lists[1], 300, "/orgs/%.*s/repos", (int)slash, owner.p);
	snprintf(lists[2], 300, "/user/repos");
	for (size_t i = 0; i < 3; i++)
		out[n++] = span_of(lists[i]);
	return n;
}

/* Outside a repository: the item and the list above it. */
static size_t other_prefixes(struct span path, struct span out[8])
{
	size_t end = path.n;

	while (end > 1 && path.p[end - 1] != '/')
		end--;
	out[0] = path;
	if (end <= 2)
		return 1;
	out[1] = span_sub(path, 0, end - 1);
	return 2;
}

void cache_note_write(struct cache *c, struct span target)
{
	struct span path = span_before(target, '?'), repo = route_repo_prefix(path), prefixes[8];
	char alias[512], lists[3][300];
	struct err err;
	size_t n;

	err_init(&err);
	n = repo.n > 0 ? repo_prefixes(path, repo, prefixes, alias, lists) : other_prefixes(path, prefixes);
	if (epochs_add(c->p.epochs, span_of("*"), prefixes, n, clock_wall(), &err) != 0)
		log_warn("stored answers below %.*s may be served although it was written to: %s",
		    (int)path.n, path.p, err.msg);
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
	while (c->lookups != NULL)
		cache_cancel(c->lookups);
	free(c);
}
