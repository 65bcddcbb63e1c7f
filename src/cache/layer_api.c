#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/renew.h"
#include "cache/talk.h"
#include "github/answer.h"
#include "github/api.h"
#include "github/identity.h"
#include "github/request.h"
#include "metrics/metrics.h"
#include "store/entry.h"

#define REFUSAL_MAX ((size_t)8 << 10)

static struct layer_api *of(struct cache_layer *l)
{
	return (struct layer_api *)(void *)l;
}

/* Back from GitHub: there is a place for another. */
void talk_come_back(struct talk *t)
{
	if (!t->away)
		return;
	t->away = false;
	t->lk->away = false;
	governor_back(&t->layer->governor, t->lk->req);
	turns_wake(t->layer);
}

static void talk_free(struct talk *t)
{
	timer_clear(t->layer->p.loop, &t->wait);
	turns_leave(t);
	talk_come_back(t);
	t->lk->layer_state = NULL;
	buf_wipe(&t->body);
	buf_free(&t->refusal);
	free(t);
}

void talk_finish(struct talk *t)
{
	struct lookup *lk = t->lk;

	talk_free(t);
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

	t->own[0] = t->derived[0] = t->candidate[0] = t->empty[0] = '\0';
	t->clients_own = false;
	if (t->plain || (lk->own != NULL && renew_is_full_last_page(lk->req, lk->own)))
		return;
	if (lk->own == NULL && lk->candidate != NULL && derivable(t) &&
	    renew_is_usable_candidate(lk->req, lk->candidate)) {
		derive(t, lk->candidate, t->candidate);
		buf_adds(b, t->candidate);
	}
	if (buf_len(b) == 0 && lk->own == NULL && lk->candidate == NULL && lk->ask.if_none_match.n == 0 &&
	    !lk->req->has_body && derivable(t)) {
		etag_derive(t->empty, lk->req->accept,
		    span_make(lk->req->id->authorization.bytes, lk->req->id->authorization.len),
		    span_of("[]"));
		buf_adds(b, t->empty);
	}
	if (t->candidate[0] == '\0' && lk->own == NULL && lk->ask.if_none_match.n > 0) {
		t->clients_own = true;
		buf_addf(b, "%s%.*s", buf_len(b) > 0 ? ", " : "", (int)lk->ask.if_none_match.n,
		    lk->ask.if_none_match.p);
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

void talk_check_derivation(struct talk *t, const struct answer *a)
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

/* ---- asking ---- */

static void on_wait_over(struct timer *timer)
{
	talk_ask((struct talk *)(void *)((char *)timer - offsetof(struct talk, wait)));
}

static void serve_spared(struct talk *t)
{
	struct lookup *lk = t->lk;

	lk->outcome.fwd = FWD_NONE;
	lk->outcome.ttl = lookup_ttl_left(lk, lk->own);
	lk->outcome.detail = "rate-limited";
	lk->serve_own = true;
	talk_finish(t);
}

/* Spent: a stored answer stands in; else the reset is awaited, if it is near; else the client is told. */
void talk_on_spent(struct talk *t, int64_t until)
{
	struct layer_api *l = t->layer;
	int64_t wait_s = until - clock_wall() / CLOCK_SEC;

	if (lookup_may_stand_in(t->lk)) {
		serve_spared(t);
	} else if (!t->waited && wait_s <= l->p.max_wait_s) {
		t->waited = true;
		metrics_add(l->p.metrics, M_RATE_WAITS, 1);
		log_warn("GitHub's rate limit of this token is spent; waiting %" PRId64 " s for the reset",
		    wait_s);
		timer_set(l->p.loop, &t->wait, loop_now(l->p.loop) + wait_s * 1000);
	} else {
		err_set(&t->lk->err, ERR_SPENT,
		    "GitHub's rate limit of this token is spent for %" PRId64 " s more", wait_s);
		t->lk->err.retry_s = wait_s > 0 && wait_s < INT_MAX ? (int)wait_s : 1;
		talk_finish(t);
	}
}

/* May it leave now? true: it is served, waits or has failed. */
static bool held_back(struct talk *t)
{
	struct layer_api *l = t->layer;
	int64_t until;

	if (t->ready) {			/* it has waited, and was chosen */
		t->ready = false;
		return false;
	}
	switch (governor_ask(&l->governor, t->lk->req, clock_wall() / CLOCK_SEC, &until)) {
	case GOVERNOR_GO:
		if (!turns_are_due(l))
			return false;
		turns_wait(t);
		return true;
	case GOVERNOR_SPARE:
		if (!l->p.cache_first || !lookup_may_stand_in(t->lk))
			return false;
		serve_spared(t);
		return true;
	case GOVERNOR_STOP:
		talk_on_spent(t, until);
		return true;
	case GOVERNOR_LATER:
		turns_wait(t);
		return true;
	}
	return false;
}

static void leave(struct talk *t, struct span validators, const struct api_sink *sink)
{
	struct lookup *lk = t->lk;

	governor_leave(&t->layer->governor, lk->req, clock_wall() / CLOCK_SEC);
	t->away = true;
	lk->away = true;
	if (api_start(t->layer->p.http, lk->req, validators, t->layer->p.max_body, sink, &t->call,
		&lk->err) != 0) {
		struct err err = lk->err;

		err_init(&lk->err);
		talk_on_failure(t, &err);
		return;
	}
	if (lk->req->streamed)
		talk_flush(t);
}

void talk_ask(struct talk *t)
{
	struct lookup *lk = t->lk;
	bool stream = lk->req->bypass != NULL || lk->req->is_head;
	struct api_sink sink = { .on_done = talk_on_done, .on_large = talk_on_large, .arg = t };
	struct buf validators;

	turns_leave(t);
	if (held_back(t))
		return;
	if (stream)
		sink = talk_stream_sink(t);
	buf_init(&validators, 4096);
	if (stream)		/* nothing of it is held: the client's own goes along as it is */
		buf_addspan(&validators, lk->ask.if_none_match);
	else
		choose_validators(t, &validators);
	leave(t, buf_span(&validators), &sink);
	buf_free(&validators);
}

static uint64_t changes(const struct cache_layer *l)
{
	return ((const struct layer_api *)(const void *)l)->governor.changes;
}

static const struct ratelimit *limits(const struct cache_layer *l, const struct request *r)
{
	return governor_limits(&((const struct layer_api *)(const void *)l)->governor, r);
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
	buf_init(&t->body, BUF_MAX_ANY);
	buf_init(&t->refusal, REFUSAL_MAX);
	lk->layer_state = t;
	talk_ask(t);
	return LAYER_PENDING;
}

static void cancel(struct cache_layer *l, struct lookup *lk)
{
	struct talk *t = lk->layer_state;

	(void)l;
	/* Nobody waits for the answer any more; what was sent may happen all the same. */
	if (t->call != NULL && lk->req->bypass != NULL && talk_is_write(lk->req))
		talk_note_write(t);
	api_cancel(t->call);
	talk_free(t);
}

static void hand_over(struct cache_layer *l, struct lookup *from, struct lookup *to)
{
	struct talk *t = from->layer_state;

	(void)l;
	t->lk = to;
	to->layer_state = t;
	to->away = from->away;
	from->layer_state = NULL;
	if (t->call != NULL)
		api_rebind(t->call, to->req);
}

struct cache_layer *layer_api_new(const struct layer_api_params *p)
{
	struct layer_api *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->layer = (struct cache_layer){ .name = "api",
		.lookup = lookup,
		.cancel = cancel,
		.hand_over = hand_over,
		.limits = limits,
		.changes = changes,
		.stream = talk_stream,
		.pause = talk_pause,
		.unsent = talk_unsent };
	l->p = *p;
	governor_init(&l->governor, p->warning_threshold, p->aggressive_threshold);
	turns_init(l);
	return &l->layer;
}
