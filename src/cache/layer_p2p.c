#include <stdlib.h>
#include <string.h>

#include "cache/layer.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"
#include "metrics/metrics.h"
#include "p2p/share.h"
#include "store/entry.h"

struct layer_p2p {
	struct cache_layer layer;
	struct layer_p2p_params p;
	struct share *share;		/* NULL: no network */
	struct asking *asking;
};

struct asking {				/* of one look-up */
	struct asking *next;
	struct layer_p2p *layer;
	struct lookup *lk;
	struct share_call *call;
};

static struct layer_p2p *of(struct cache_layer *l)
{
	return (struct layer_p2p *)(void *)l;
}

/* ---- what came ---- */

static struct entry *entry_of(const struct lookup *lk, const struct share_answer *a)
{
	struct entry *e = NULL;
	struct buf image;

	buf_init(&image, ENTRY_FILE_MAX);
	message_entry_image(&image, a->file, buf_span(&lk->req->variant), a->body);
	if (image.failed || entry_parse(&image, &e, NULL) != 0)
		return NULL;
	if (e->ours && span_same(e->key, buf_span(&lk->req->key)) &&
	    span_same(e->variant, buf_span(&lk->req->variant)) && span_same(e->cid, a->entry->cid) &&
	    entry_cid_ok(e))
		return e;
	entry_unref(e);
	return NULL;
}

static bool is_own(const struct lookup *lk, const struct entry *e)
{
	const uint8_t *key = identity_key(lk->req->id);

	return key != NULL && span_eq(e->auth, lk->req->id->tag) && entry_proof_ok(e, key);
}

/* "/orgs/x" of "/orgs/", and nothing behind it. */
static bool is_one(struct span path, const char *front)
{
	struct span name = span_sub(path, strlen(front), path.n);

	return span_starts(path, front) && name.n > 0 && span_chr(name, '/') < 0;
}

/* Where members trust each other: what is about a repository, an organisation or a user, as GitHub showed it
 * to the token that asked first (its permissions, its drafts, its own plan). Any other path (/issues, /gists,
 * /orgs/x/repos, /search) may be answered by who asks, and is a token's own; so is what cannot be asked again
 * for free. */
static bool may_be_anybodys(const struct lookup *lk, const struct entry *e)
{
	static const char *const askers[] = { "/subscription", "/notifications", "/codespaces" };
	struct span path = span_before(buf_span(&lk->req->target), '?'), repo = route_repo_prefix(path);
	struct span rest = span_sub(path, repo.n, path.n);

	for (size_t i = 0; i < sizeof(askers) / sizeof(askers[0]); i++)
		if (span_starts(rest, askers[i]))
			return false;
	return (repo.n > 0 || is_one(path, "/orgs/") || is_one(path, "/users/")) &&
	    entry_header(e, "etag").n > 0;
}

/* Takes the reference. */
static void take(struct layer_p2p *l, struct lookup *lk, struct entry *e, const struct share_answer *a)
{
	bool own = is_own(lk, e), same = span_eq(e->auth, lk->req->id->tag);

	/* whoever has the token made it; under its tag and with another proof it is junk */
	if (own || (same && !lk->req->id->is_public))
		share_confirmed(l->share, a->from, a->passed, own);
	if (own || (!l->p.verify && may_be_anybodys(lk, e) && lookup_fresh(lk, e))) {
		if (lk->own == NULL || lk->own->timestamp < e->timestamp)
			lookup_set_own(lk, entry_ref(e), "p2p");
	} else if (lk->own == NULL && lk->candidate == NULL && !lk->req->has_body &&
	    e->body.n <= SHARE_CANDIDATE_MAX && !same) {
		lk->candidate = entry_ref(e);
		lk->candidate_from = *a->from;
		lk->candidate_passed = a->passed;
	}
	entry_unref(e);
}

static void forget(struct asking *k)
{
	struct asking **at = &k->layer->asking;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->lk->layer_state = NULL;
	free(k);
}

static void on_answer(void *arg, const struct share_answer *a)
{
	struct asking *k = arg;
	struct lookup *lk = k->lk;
	struct entry *e = a->outcome == SHARE_HIT ? entry_of(lk, a) : NULL;

	if (a->outcome == SHARE_LATE)
		metrics_add(lookup_metrics(lk), M_PEERS_LATE, 1);
	if (e != NULL)
		take(k->layer, lk, e, a);
	forget(k);
	lookup_go_on(lk);
}

/* ---- asking ---- */

static bool is_for_peers(const struct layer_p2p *l, const struct lookup *lk)
{
	const struct request *r = lk->req;

	return !lk->ask.offline && !lk->ask.only_if_cached && !lk->ask.refresh && !lk->ask.no_store &&
	    lk->ask.max_age != 0 && r->ttl > 0 && r->route->policy != ROUTE_NEVER &&
	    r->route->policy != ROUTE_ASK &&
	    (!r->has_body || l->p.may_ask(l->p.arg, span_of(r->route->op)));
}

static enum layer_result lookup(struct cache_layer *base, struct lookup *lk)
{
	struct layer_p2p *l = of(base);
	const struct request *r = lk->req;
	struct share_want want = { .key = buf_span(&r->key),
		.auth = r->id->is_public ? span_of("") : span_of(r->id->tag),
		.after = lk->own != NULL ? lk->own->timestamp : 0,
		.candidate = l->p.verify,
		.own_only = r->has_body || (l->p.verify && (lk->own != NULL || lk->candidate != NULL)),
		.budget_ms = l->p.budget_ms };
	struct asking *k;

	if (l->share == NULL || !is_for_peers(l, lk) || (k = calloc(1, sizeof(*k))) == NULL)
		return LAYER_NEXT;
	k->layer = l;
	k->lk = lk;
	if (share_start(l->share, &want, on_answer, k, &k->call, NULL) != 0) {
		free(k);
		return LAYER_NEXT;
	}
	k->next = l->asking;
	l->asking = k;
	lk->layer_state = k;
	return LAYER_PENDING;
}

static void cancel(struct cache_layer *base, struct lookup *lk)
{
	struct asking *k = lk->layer_state;

	(void)base;
	share_cancel(k->call);
	forget(k);
}

/* ---- telling ---- */

static void tell(struct cache_layer *base, const struct entry *e)
{
	struct layer_p2p *l = of(base);
	struct message_entry m = { .key = e->key,
		.url = e->url,
		.cid = e->cid,
		.auth = e->auth,
		.proof = e->proof,
		.timestamp = e->timestamp,
		.ttl = e->ttl,
		.size = e->body.n };

	if (l->share != NULL && l->p.may_share(l->p.arg, e))
		share_announce(l->share, &m);
}

static void judged(struct cache_layer *base, const struct lookup *lk, bool confirmed)
{
	if (of(base)->share != NULL)
		share_confirmed(of(base)->share, &lk->candidate_from, lk->candidate_passed, confirmed);
}

static void wrote(struct cache_layer *base, struct span prefix, int64_t time)
{
	if (of(base)->share != NULL)
		share_invalidate(of(base)->share, prefix, time);
}

struct cache_layer *layer_p2p_new(const struct layer_p2p_params *p)
{
	struct layer_p2p *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->layer = (struct cache_layer){ .name = "p2p",
		.lookup = lookup,
		.tell = tell,
		.judged = judged,
		.wrote = wrote,
		.cancel = cancel };
	l->p = *p;
	return &l->layer;
}

void layer_p2p_set(struct cache_layer *base, struct share *share)
{
	struct layer_p2p *l = of(base);

	for (struct asking *k = l->asking; k != NULL && share == NULL; k = k->next) {
		share_cancel(k->call);
		k->call = NULL;
	}
	l->share = share;
}
