#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/flight.h"
#include "cache/renew.h"
#include "cache/talk.h"
#include "crypto/cid.h"
#include "github/answer.h"
#include "github/identity.h"
#include "github/link.h"
#include "github/request.h"
#include "github/route.h"
#include "metrics/metrics.h"
#include "store/entry.h"

enum cache_fwd talk_why_forwarded(const struct lookup *lk)
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

	lk->outcome.fwd = talk_why_forwarded(lk);
	lk->outcome.fwd_status = status;
	lk->outcome.detail = "stale-if-error";
	lk->serve_own = true;
	err_init(&lk->err);
	talk_finish(t);
}

static void pass_on(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;

	lk->outcome.fwd = talk_why_forwarded(lk);
	lk->outcome.fwd_status = a->head.status;
	lk->answer = a;
	talk_finish(t);
}

/* Is the tag one of those the client offered? */
static bool client_has(const struct lookup *lk, struct span tag)
{
	struct span rest = lk->ask.if_none_match, item;

	while (span_cut(&rest, ',', &item))
		if (etag_same(span_trim(item), tag))
			return true;
	return false;
}

static void on_304(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;
	struct span tag = http_field(&a->head, "etag");
	struct entry *e = NULL;
	int rc = 0;

	lk->outcome.fwd = talk_why_forwarded(lk);
	lk->outcome.fwd_status = 304;
	if (etag_same(tag, span_of(t->own)) || etag_same(tag, span_of(t->derived))) {
		rc = renew_from_304(lk->req, lk->own, a, ttl_to_store(lk), &e, &lk->err);
		lk->outcome.detail = lk->ask.refresh ? "no-cache" : "revalidated";
	} else if (etag_same(tag, span_of(t->candidate))) {
		rc = renew_from_candidate(lk->req, lk->candidate, a, ttl_to_store(lk), &e, &lk->err);
		lk->outcome.detail = "candidate";
		lookup_judged(lk, true);
	} else if (etag_same(tag, span_of(t->empty))) {
		rc = renew_from_empty(lk->req, a, ttl_to_store(lk), &e, &lk->err);
		lk->outcome.detail = "candidate";
	} else if (t->clients_own &&
	    client_has(lk, tag)) { /* the client's copy is good; nothing of it is held here */
		pass_on(t, a);
		return;
	} else if (!t->plain) { /* it speaks for a validator that is not ours */
		t->plain = true;
		talk_ask(t);
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
	talk_finish(t);
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

/* A page of a list has other bytes than before: what stands on the other pages may have moved. They are older
 * than this answer. */
static void note_changed_page(const struct lookup *lk, const struct answer *a)
{
	char cid[CID_TEXT_LEN + 1];

	if (lk->own == NULL || a->head.status != 200 || !renew_is_list(buf_span(&a->body)))
		return;
	cid_of(cid, buf_data(&a->body), buf_len(&a->body));
	if (!span_eq(lk->own->cid, cid))
		lookup_note_stale(lk, span_before(buf_span(&lk->req->target), '?'), a->received - 1);
}

static void on_success(struct talk *t, struct answer *a)
{
	struct lookup *lk = t->lk;
	struct entry *e = NULL;
	unsigned dropped = 0;
	struct err ignored;

	if (a->head.status == 200)
		talk_check_derivation(t, a);
	if (t->candidate[0] != '\0')
		lookup_judged(lk, false);
	err_init(&ignored);
	if (answer_storable(a, lk->req) &&
	    renew_from_200(lk->req, a, ttl_to_store(lk), &dropped, &e, &ignored) == 0 &&
	    !lookup_overtaken(lk, a->sent))
		lk->outcome.stored = lookup_store(lk, e);
	lk->made = e;
	note_changed_page(lk, a);
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

/* A spent resource is known by its own fields; anything else holds the token back altogether. */
void talk_freeze(struct talk *t, const struct answer *a, int64_t wait_s)
{
	int64_t now = clock_wall() / CLOCK_SEC;

	if (!a->limit.known || a->limit.remaining > 0)
		governor_freeze(&t->layer->governor, t->lk->req, now + wait_s, now);
	turns_wake(t->layer);		/* those of its lanes are to be told */
}

/* GitHub says wait. A stored answer stands in; else a short wait is waited once; else the refusal is passed
 * on. false: the last. */
static bool on_limit(struct talk *t, const struct answer *a, int64_t wait_s)
{
	struct layer_api *l = t->layer;

	talk_freeze(t, a, wait_s);
	if (lookup_may_stand_in(t->lk)) {
		stand_in(t, a->head.status);
		return true;
	}
	if (t->waited || wait_s > l->p.max_wait_s)
		return false;
	t->waited = true;
	flight_part(t->lk);
	metrics_add(l->p.metrics, M_RATE_WAITS, 1);
	log_warn("GitHub limits the requests of this token; waiting %" PRId64 " s as it asks", wait_s);
	timer_set(l->p.loop, &t->wait, loop_now(l->p.loop) + wait_s * 1000);
	return true;
}

/* What a refusal that is no limit says of the token: all of it, or what it was shown of this repository. */
void talk_note_refusal(const struct lookup *lk, int status)
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
		if (on_limit(t, a, wait_s))
			return;
	} else if (status >= 500 && lookup_may_stand_in(lk)) {
		stand_in(t, status);
		return;
	} else {
		talk_note_refusal(lk, status);
	}
	pass_on(t, a);
}

void talk_count_upstream(struct talk *t, int status)
{
	struct metrics *m = t->layer->p.metrics;

	metrics_add(m, M_UPSTREAM, 1);
	/* Neither an authorized 304 nor a look at the limits themselves is billed. */
	if ((status != 304 || t->lk->req->id->is_public) &&
	    !span_eq(buf_span(&t->lk->req->target), "/rate_limit"))
		metrics_add(m, M_UPSTREAM_BILLABLE, 1);
}

void talk_on_failure(struct talk *t, const struct err *err)
{
	/* but a certificate that is not GitHub's (ERR_DENIED): that is no failure to be hidden */
	bool network = err->cls == ERR_UNAVAIL || err->cls == ERR_TIMEOUT || err->cls == ERR_PROTO ||
	    err->cls == ERR_IO || err->cls == ERR_LIMIT;

	t->lk->err = *err;
	if (network && lookup_may_stand_in(t->lk)) {
		log_warn("%s; a stored answer stands in", err->msg);
		stand_in(t, 0);
		return;
	}
	talk_finish(t);
}

void talk_note_limits(struct talk *t, const struct answer *a)
{
	const struct ratelimit *l = &a->limit;

	if (governor_note(&t->layer->governor, t->lk->req, l, clock_wall() / CLOCK_SEC))
		log_warn("token %.8s has %" PRId64 " of %" PRId64 " %s requests left until %" PRId64
			 " s from now",
		    t->lk->req->id->tag, l->remaining, l->limit, l->resource,
		    l->reset - clock_wall() / CLOCK_SEC);
}

void talk_on_done(void *arg, struct answer *a, const struct err *err)
{
	struct talk *t = arg;

	t->call = NULL;
	talk_come_back(t);
	if (err->cls != 0) {
		talk_on_failure(t, err);
		return;
	}
	talk_count_upstream(t, a->head.status);
	talk_note_limits(t, a);
	if (a->head.status == 304)
		on_304(t, a);
	else if (a->head.status >= 200 && a->head.status < 400)
		on_success(t, a);
	else
		on_refusal(t, a);
}
