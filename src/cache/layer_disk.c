#include <stdlib.h>

#include "base/log.h"
#include "cache/layer.h"
#include "github/identity.h"
#include "github/request.h"
#include "metrics/metrics.h"
#include "store/entry.h"
#include "store/store.h"

struct layer_disk {
	struct cache_layer layer;
	struct store *store;
	struct metrics *metrics;
	void (*after_store)(void *arg);
	void *arg;
	bool warned;			/* of a disk that takes nothing: once */
};

static struct layer_disk *of(struct cache_layer *l)
{
	return (struct layer_disk *)(void *)l;
}

/* The key holds 64 bits of the variant; the file all of it. A difference is a plain miss. */
static bool same_variant(const struct entry *e, const struct request *r)
{
	return span_same(e->variant, buf_span(&r->variant));
}

static void find_own(struct layer_disk *d, struct lookup *lk, unsigned *corrupt)
{
	const struct identity *id = lk->req->id;
	struct entry *e = NULL;

	if (store_get(d->store, buf_span(&lk->req->key), span_of(id->tag), identity_key(id), &e, corrupt) !=
	    1)
		return;
	/* Another process may have renewed what memory holds, or the other way round. */
	if (!same_variant(e, lk->req) || (lk->own != NULL && lk->own->timestamp >= e->timestamp)) {
		entry_unref(e);
		return;
	}
	store_touch(d->store, e);
	lookup_set_own(lk, e, "disk");
}

static enum layer_result lookup(struct cache_layer *l, struct lookup *lk)
{
	struct layer_disk *d = of(l);
	unsigned corrupt = 0;

	find_own(d, lk, &corrupt);
	if (lk->own == NULL && lk->candidate == NULL &&
	    store_get_last(d->store, buf_span(&lk->req->key), &lk->candidate, &corrupt) == 1 &&
	    !same_variant(lk->candidate, lk->req)) {
		entry_unref(lk->candidate);
		lk->candidate = NULL;
	}
	metrics_add(d->metrics, M_CORRUPT, corrupt);
	return LAYER_NEXT;
}

static bool store(struct cache_layer *l, struct entry *e)
{
	struct layer_disk *d = of(l);
	struct err err;

	if (store_is_read_only(d->store))	/* said when it was opened */
		return false;
	err_init(&err);
	if (store_put(d->store, e, &err) != 0) {
		metrics_add(d->metrics, M_STORE_FAILED, 1);
		if (!d->warned)
			log_warn("%s; the answer is served all the same", err.msg);
		d->warned = true;
		return false;
	}
	metrics_add(d->metrics, M_STORED, 1);
	if (d->after_store != NULL)
		d->after_store(d->arg);
	return true;
}

struct cache_layer *layer_disk_new(struct store *s, struct metrics *m, void (*after_store)(void *arg),
    void *arg)
{
	struct layer_disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->layer = (struct cache_layer){ .name = "disk", .lookup = lookup, .store = store };
	d->store = s;
	d->metrics = m;
	d->after_store = after_store;
	d->arg = arg;
	return &d->layer;
}
