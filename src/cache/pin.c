#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cache/inside.h"
#include "cache/layer.h"
#include "cache/pin.h"
#include "github/request.h"
#include "github/route.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "store/entry.h"
#include "store/epochs.h"

uint64_t cache_epochs(struct cache *c)
{
	if (c->epochs_pass != loop_pass(c->p.loop)) {
		c->epochs_pass = loop_pass(c->p.loop);
		c->epochs = epochs_version(c->p.epochs);
	}
	return c->epochs;
}

static const struct cache_layer *last(const struct cache *c)
{
	return c->p.layers[c->p.nlayers - 1];
}

static uint64_t changes_now(const struct cache *c)
{
	return last(c)->changes != NULL ? last(c)->changes(last(c)) : 0;
}

/* A row is overwritten in place, perhaps with another token's: it counts by what it says. */
static bool limits_hold(const struct cache *c, const struct cache_pin *p)
{
	if (p->limit == NULL)
		return changes_now(c) == p->changes;
	return p->limit->remaining == p->was.remaining && p->limit->used == p->was.used &&
	    p->limit->reset == p->was.reset && p->limit->limit == p->was.limit;
}

/* "operation:/path?query:variant" */
static struct span target_of(const struct entry *e)
{
	struct span target = span_sub(e->key, e->op.n + 1, e->key.n);

	while (target.n > 0 && target.p[target.n - 1] != ':')
		target.n--;
	return span_sub(target, 0, target.n > 0 ? target.n - 1 : 0);
}

static bool epochs_hold(struct cache *c, struct cache_pin *p)
{
	uint64_t now = cache_epochs(c);

	if (now == p->epochs)
		return true;
	p->epochs = now;
	return epochs_known(c->p.epochs, p->entry->auth, target_of(p->entry)) < p->entry->timestamp;
}

bool cache_pin(struct lookup *lk, struct cache_pin *p)
{
	const struct cache_outcome *o = &lk->outcome;
	const struct ratelimit *limit;
	char route[METRICS_NAME_MAX + 1];

	if (!lk->serve_own || o->fwd != FWD_NONE || o->ttl < 0 || lk->req->is_head || !lk->own->held ||
	    strcmp(o->detail, "memory") != 0 || lk->own->body.n > PIN_BODY_MAX)
		return false;
	snprintf(route, sizeof(route), "route.%s", lk->req->route->op);
	limit = cache_limits(lk->cache, lk->req);
	*p = (struct cache_pin){ .entry = entry_ref(lk->own),
		.from = lk->now,
		.until = lk->own->timestamp + (o->age + 1) * CLOCK_SEC,
		.epochs = cache_epochs(lk->cache),
		.changes = changes_now(lk->cache),
		.limit = limit,
		.route = metrics_counter(lk->cache->p.metrics, route),
		.outcome = *o };
	if (limit != NULL)
		p->was = *limit;
	return true;
}

void cache_unpin(struct cache_pin *p)
{
	entry_unref(p->entry);
	p->entry = NULL;
}

bool cache_again(struct cache *c, struct cache_pin *p, struct span *body)
{
	int64_t now = clock_wall();

	if (!p->entry->held || now < p->from || now >= p->until || !epochs_hold(c, p) ||
	    !limits_hold(c, p))
		return false;
	metrics_add(c->p.metrics, M_REQUESTS, 1);
	metrics_add(c->p.metrics, M_HIT_MEM, 1);
	metrics_add(c->p.metrics, M_CALLS_SAVED, 1);
	metrics_add(c->p.metrics, M_BYTES_SAVED, p->entry->body.n);
	metrics_count(p->route, 1);
	*body = p->entry->body;
	return true;
}
