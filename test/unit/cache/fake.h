/*
 * Layers that do what a test says, and a sink that keeps what it hears.
 */
#ifndef UNIT_CACHE_FAKE_H
#define UNIT_CACHE_FAKE_H

#include <stdlib.h>
#include <unistd.h>

#include "../github/heads.h"
#include "asked.h"
#include "cache/layer.h"
#include "cache/status.h"
#include "github/answer.h"
#include "loop/loop.h"
#include "metrics/metrics.h"

#define FAKE_KEPT 8

/* Has one own entry and one candidate to show, and keeps what it is given. References are its own. */
struct fake_disk {
	struct cache_layer layer;
	struct entry *own, *candidate;
	unsigned asked;
	struct entry *kept[FAKE_KEPT];
	size_t nkept;
};

static inline enum layer_result fake_disk_lookup(struct cache_layer *l, struct lookup *lk)
{
	struct fake_disk *d = (struct fake_disk *)(void *)l;

	d->asked++;
	if (d->own != NULL && (lk->own == NULL || lk->own->timestamp < d->own->timestamp))
		lookup_set_own(lk, entry_ref(d->own), "disk");
	if (d->candidate != NULL && lk->own == NULL)
		lk->candidate = entry_ref(d->candidate);
	return LAYER_NEXT;
}

static inline bool fake_disk_store(struct cache_layer *l, struct entry *e)
{
	struct fake_disk *d = (struct fake_disk *)(void *)l;

	assert_true(d->nkept < FAKE_KEPT);
	d->kept[d->nkept++] = entry_ref(e);
	return true;
}

static inline void fake_disk_init(struct fake_disk *d)
{
	*d = (struct fake_disk){ .layer = { "disk", fake_disk_lookup, fake_disk_store, NULL } };
}

static inline void fake_disk_wipe(struct fake_disk *d)
{
	entry_unref(d->own);
	entry_unref(d->candidate);
	while (d->nkept > 0)
		entry_unref(d->kept[--d->nkept]);
	d->own = d->candidate = NULL;
}

/* What a client hears. */
struct heard {
	struct cache_sink sink;
	struct lookup *lookup;
	bool done;
	unsigned heads, ends;
	int status;
	char body[400], cache_status[CACHE_STATUS_MAX], age[24], from_cache[8];
	struct cache_outcome outcome;
	struct err err;
	int body_says;
};

static inline void heard_head(void *arg, const struct http_head *h, const struct cache_outcome *o)
{
	struct heard *x = arg;

	assert_int_equal(x->ends, 0);
	x->heads++;
	x->status = h->status;
	x->outcome = *o;
	assert_true(h->nfields > 0);
	span_copy(x->cache_status, sizeof(x->cache_status), h->fields[h->nfields - 1].value);
	assert_true(span_ieq(h->fields[h->nfields - 1].name, "cache-status"));
	span_copy(x->age, sizeof(x->age), http_field(h, "age"));
	span_copy(x->from_cache, sizeof(x->from_cache), http_field(h, "x-from-cache"));
}

static inline int heard_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct heard *x = arg;

	assert_int_equal(x->heads, 1);
	assert_true(strlen(x->body) + n < sizeof(x->body));
	strncat(x->body, p, n);
	return x->body_says != 0 ? err_set(err, x->body_says, "not taken") : 0;
}

static inline void heard_done(void *arg, const struct err *err)
{
	struct heard *x = arg;

	x->ends++;
	x->done = true;
	x->err = *err;
	x->lookup = NULL;
	assert_true(err->cls != 0 || x->heads == 1);
}

static inline void heard_init(struct heard *x)
{
	memset(x, 0, sizeof(*x));
	err_init(&x->err);
	x->sink = (struct cache_sink){ .on_head = heard_head, .on_body = heard_body,
		.on_done = heard_done, .arg = x };
}

/* Start, and see that nothing is told before it has returned. */
static inline void heard_start(struct heard *x, struct cache *c, const struct asked *q,
    const struct cache_ask *ask)
{
	heard_init(x);
	assert_int_equal(cache_start(c, &q->req, ask, &x->sink, &x->lookup, NULL), 0);
	assert_int_equal(x->heads + x->ends, 0);
}

static inline void heard_wait(struct heard *x, struct loop *l)
{
	alarm(10);
	assert_int_equal(loop_run(l, &x->done, NULL), 0);
	alarm(0);
	assert_int_equal(x->ends, 1);
}

static inline void heard_is(const struct heard *x, int status, const char *body, const char *cache_status)
{
	assert_string_equal(x->err.msg, "");
	assert_int_equal(x->err.cls, 0);
	assert_int_equal(x->status, status);
	assert_string_equal(x->body, body);
	assert_string_equal(x->cache_status, cache_status);
	assert_string_equal(x->from_cache, x->outcome.served_entry ? "1" : "");
	assert_int_equal(x->age[0] != '\0', x->outcome.served_entry);
}

#endif
