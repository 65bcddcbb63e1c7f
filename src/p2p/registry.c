#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/str.h"
#include "loop/loop.h"
#include "p2p/registry.h"

#define STOP_MS 2000

enum doing { D_NOTHING, D_LISTING, D_CREATING, D_REMOVING };

struct registry {
	struct registry_params p;
	uint8_t group[WIRE_GROUP_KEY_LEN];
	char prefix[64], network[257], repository[257];
	struct peerid self;
	enum doing doing;
	bool join;			/* register after the listing, if doors are few */
	bool stopping;
	bool unlisted;			/* the last error is a listing's */
	struct buf key, last;		/* being made, or that was; the last own entry, empty: none */
	struct timer beat, relist, stop;
	int64_t pause;			/* before the next listing: doubles */
	void (*done)(void *arg, const struct err *);	/* a command's */
	void *done_arg;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct registry_stats stats;
};

static void begin_create(struct registry *);
static void begin_remove(struct registry *);

/* ---- ends ---- */

static void on_stopped(struct registry *r)
{
	void (*stopped)(void *) = r->stopped;

	timer_clear(r->p.loop, &r->stop);
	r->stopped = NULL;
	if (stopped != NULL)
		stopped(r->stopped_arg);
}

static void note(struct registry *r, const struct err *err)
{
	r->stats.failed += err->cls != 0;
	r->unlisted = false;
	snprintf(r->stats.last_error, sizeof(r->stats.last_error), "%.150s", err->msg);
}

/* A command hears of the end of what it asked for, once. */
static void settle(struct registry *r, const struct err *err)
{
	void (*done)(void *, const struct err *) = r->done;

	r->doing = D_NOTHING;
	if (err->cls != 0)
		note(r, err);
	r->done = NULL;
	if (done != NULL)
		done(r->done_arg, err);
}

static void settle_well(struct registry *r)
{
	struct err err;

	err_init(&err);
	settle(r, &err);
}

/* ---- listing ---- */

/* How many live ones that are not ours. */
static unsigned read_keys(struct registry *r, const struct span *keys, size_t n)
{
	int64_t now = clock_wall() / CLOCK_SEC;
	struct registry_record *rec = malloc(sizeof(*rec));
	unsigned live = 0;

	for (size_t i = 0; rec != NULL && i < n; i++) {
		if (!registry_open(&r->p.scope, keys[i], rec) || rec->expiry <= now ||
		    rec->expiry > now + r->p.ttl_s + 60) {
			r->stats.foreign++;
			continue;
		}
		r->stats.records++;
		if (peerid_same(&rec->id, &r->self))
			continue;
		if (live++ < r->p.max_taken)
			r->p.found(r->p.arg, rec);
	}
	free(rec);
	return live;
}

static void on_list(void *arg, const struct span *keys, const uint64_t *ids, size_t n, const struct err *err)
{
	struct registry *r = arg;
	unsigned live;

	(void)ids;
	if (err->cls != 0) {
		settle(r, err);
		r->unlisted = true;
		return;
	}
	if (r->unlisted)
		note(r, err);
	r->stats.listed++;
	live = read_keys(r, keys, n);
	r->doing = D_NOTHING;
	if (r->join && live < REGISTRY_LIVE && r->p.io.may_write && !r->stopping)
		begin_create(r);
	else
		settle_well(r);
}

static int begin_list(struct registry *r, bool join)
{
	struct buf front;
	struct err err;
	int rc;

	err_init(&err);
	if (r->doing != D_NOTHING || r->stopping)
		return ERR_LIMIT;
	buf_init(&front, REGISTRY_KEY_MAX);
	registry_front(&r->p.scope, &front);
	r->join = join;
	r->doing = D_LISTING;
	rc = r->p.io.list(r->p.io.arg, buf_span(&front), on_list, r, &err);
	if (rc != 0) {
		r->doing = D_NOTHING;
		note(r, &err);
		r->unlisted = true;
	}
	buf_free(&front);
	return rc;
}

/* ---- registering ---- */

static void set_beat(struct registry *r)
{
	int64_t fifth = r->p.beat_ms / 5;

	timer_set(r->p.loop, &r->beat,
	    loop_now(r->p.loop) + r->p.beat_ms - fifth + rand_below((uint32_t)(2 * fifth + 1)));
}

static void on_create(void *arg, const struct err *err)
{
	struct registry *r = arg;

	r->doing = D_NOTHING;
	if (err->cls != ERR_DENIED)	/* who may not, need not try again */
		set_beat(r);
	if (err->cls != 0) {
		if (err->cls == ERR_DENIED)
			buf_clear(&r->key);
		settle(r, err);
		return;
	}
	r->stats.registered++;
	note(r, err);
	if (buf_len(&r->last) > 0) {
		begin_remove(r);
		return;
	}
	buf_addspan(&r->last, buf_span(&r->key));
	settle_well(r);
}

static void begin_create(struct registry *r)
{
	const struct multiaddr *addrs;
	size_t n = r->p.addrs(r->p.arg, &addrs);
	struct err err;
	int rc;

	err_init(&err);
	buf_clear(&r->key);
	rc = n == 0 ? err_set(&err, ERR_UNAVAIL, "this node listens nowhere that others could reach") : 0;
	if (rc == 0)
		rc = registry_seal(&r->p.scope, r->p.key->pub, clock_wall() / CLOCK_SEC + r->p.ttl_s, addrs,
		    n, &r->key, &err);
	if (rc == 0) {
		r->doing = D_CREATING;
		rc = r->p.io.create(r->p.io.arg, buf_span(&r->key), on_create, r, &err);
	}
	if (rc != 0) {
		set_beat(r);
		settle(r, &err);
	}
}

/* ---- taking back ---- */

/* The one made after it; none, if that was it. */
static void next_last(struct registry *r)
{
	if (span_same(buf_span(&r->last), buf_span(&r->key)))
		buf_clear(&r->key);
	buf_clear(&r->last);
	buf_addspan(&r->last, buf_span(&r->key));
}

static void on_remove(void *arg, const struct err *err)
{
	struct registry *r = arg;

	if (err->cls == 0)
		r->stats.removed++;
	next_last(r);
	settle(r, err);
	if (r->stopping && buf_len(&r->last) > 0)
		begin_remove(r);
	else if (r->stopping)
		on_stopped(r);
}

static void begin_remove(struct registry *r)
{
	r->doing = D_REMOVING;
	if (r->p.io.remove(r->p.io.arg, 0, buf_span(&r->last), on_remove, r) == 0)
		return;
	r->doing = D_NOTHING;
	settle_well(r);
	if (r->stopping)
		timer_set(r->p.loop, &r->stop, loop_now(r->p.loop));
}

/* ---- when ---- */

static void on_beat(struct timer *t)
{
	struct registry *r = (struct registry *)(void *)((char *)t - offsetof(struct registry, beat));

	if (r->doing == D_NOTHING && !r->stopping)
		begin_create(r);
	else
		set_beat(r);
}

static void on_relist(struct timer *t)
{
	struct registry *r = (struct registry *)(void *)((char *)t - offsetof(struct registry, relist));

	begin_list(r, r->beat.due == 0);
}

static void on_stop(struct timer *t)
{
	struct registry *r = (struct registry *)(void *)((char *)t - offsetof(struct registry, stop));

	if (r->doing != D_NOTHING)
		r->p.io.cancel(r->p.io.arg);
	r->doing = D_NOTHING;
	on_stopped(r);
}

/* ---- life ---- */

int registry_new(const struct registry_params *p, struct registry **out, struct err *err)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the registry of peers");
	r->p = *p;
	memcpy(r->group, p->scope.group_key, sizeof(r->group));
	if (!span_copy(r->prefix, sizeof(r->prefix), span_of(p->scope.prefix)) ||
	    !span_copy(r->network, sizeof(r->network), span_of(p->scope.network_id)) ||
	    !span_copy(r->repository, sizeof(r->repository), span_of(p->scope.repository))) {
		free(r);
		return err_set(err, ERR_CONFIG, "the network's or the repository's name is too long");
	}
	r->p.scope = (struct registry_scope){ r->group, r->prefix, r->network, r->repository };
	peerid_of_ed25519(&r->self, p->key->pub);
	buf_init(&r->key, 2 * REGISTRY_KEY_MAX);
	buf_init(&r->last, 2 * REGISTRY_KEY_MAX);
	r->pause = REGISTRY_RELIST_MIN_MS;
	r->beat.fire = on_beat;
	r->relist.fire = on_relist;
	r->stop.fire = on_stop;
	*out = r;
	return 0;
}

void registry_start(struct registry *r)
{
	begin_list(r, true);
}

void registry_nudge(struct registry *r)
{
	if (r->stopping || r->relist.due != 0)
		return;
	timer_set(r->p.loop, &r->relist, loop_now(r->p.loop) + 1 + rand_below((uint32_t)r->pause));
	if (r->pause < REGISTRY_RELIST_MAX_MS)
		r->pause = r->pause * 2 < REGISTRY_RELIST_MAX_MS ? r->pause * 2 : REGISTRY_RELIST_MAX_MS;
}

void registry_stop(struct registry *r, void (*done)(void *arg), void *arg)
{
	bool idle = r->doing == D_NOTHING;

	r->stopping = true;
	r->stopped = done;
	r->stopped_arg = arg;
	timer_clear(r->p.loop, &r->beat);
	timer_clear(r->p.loop, &r->relist);
	if (!idle && r->doing != D_REMOVING)
		r->p.io.cancel(r->p.io.arg);
	/* What was being made may stand there too; on_remove comes to it. */
	if (buf_len(&r->last) == 0)
		buf_addspan(&r->last, buf_span(&r->key));
	timer_set(r->p.loop, &r->stop, loop_now(r->p.loop) + (buf_len(&r->last) > 0 ? STOP_MS : 0));
	if (r->doing != D_REMOVING && buf_len(&r->last) > 0)
		begin_remove(r);
	else if (r->doing != D_REMOVING)
		r->doing = D_NOTHING;
}

void registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	if (r->doing != D_NOTHING)
		r->p.io.cancel(r->p.io.arg);
	timer_clear(r->p.loop, &r->beat);
	timer_clear(r->p.loop, &r->relist);
	timer_clear(r->p.loop, &r->stop);
	buf_free(&r->key);
	buf_free(&r->last);
	memset(r->group, 0, sizeof(r->group));
	free(r);
}

const struct registry_stats *registry_stats(const struct registry *r)
{
	return &r->stats;
}

/* ---- commands ---- */

int registry_discover_now(struct registry *r, void (*done)(void *arg, const struct err *), void *arg)
{
	int rc = begin_list(r, false);

	if (rc != 0)
		return rc;
	r->done = done;
	r->done_arg = arg;
	return 0;
}

int registry_register_now(struct registry *r, void (*done)(void *arg, const struct err *), void *arg)
{
	if (r->doing != D_NOTHING || r->stopping || !r->p.io.may_write)
		return r->p.io.may_write ? ERR_LIMIT : ERR_DENIED;
	begin_create(r);
	if (r->doing == D_NOTHING)
		return ERR_UNAVAIL;
	r->done = done;
	r->done_arg = arg;
	return 0;
}
