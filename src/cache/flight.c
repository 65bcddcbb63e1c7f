#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cache/flight.h"
#include "cache/layer.h"
#include "github/identity.h"
#include "github/request.h"
#include "store/entry.h"

static bool same_token(const struct lookup *a, const struct lookup *b)
{
	return strcmp(a->req->id->tag, b->req->id->tag) == 0;
}

/* Also who brings a validator where nothing is held: GitHub may answer it with a 304 that means something to
 * nobody else. */
static bool flies_alone(const struct lookup *lk)
{
	if (lk->alone || (lk->ask.if_none_match.n > 0 && lk->own == NULL))
		return true;
	return lk->ask.refresh || lk->ask.no_store || lk->req->bypass != NULL || lk->req->is_head;
}

/* May this look-up wait for that one? Another token's body is worth waiting for only if none is held here. */
static bool may_wait_for(const struct lookup *lk, const struct lookup *other)
{
	if (!other->flying || !span_same(buf_span(&lk->req->key), buf_span(&other->req->key)))
		return false;
	if (lookup_overtaken(lk, other->asked))
		return false;
	return same_token(lk, other) ||
	    (other->away && lk->own == NULL && lk->candidate == NULL && !lk->waited_across);
}

static void append(struct lookup *leader, struct lookup *lk)
{
	struct lookup **at = &leader->waiters;

	while (*at != NULL)
		at = &(*at)->next_waiter;
	*at = lk;
	lk->next_waiter = NULL;
	lk->leader = leader;
}

/* Of its own token, if there is one. */
static struct lookup *find_leader(struct lookup *lk)
{
	struct lookup *found = NULL;

	for (struct lookup *l = lookup_first(lk); l != NULL; l = l->next)
		if (l != lk && may_wait_for(lk, l) && (found == NULL || same_token(lk, l)))
			found = l;
	return found;
}

bool flight_join(struct lookup *lk)
{
	struct lookup *leader;

	if (flies_alone(lk))
		return false;
	leader = find_leader(lk);
	if (leader != NULL) {
		append(leader, lk);
		return true;
	}
	lk->flying = true;
	lk->asked = clock_wall();
	return false;
}

static struct lookup *take_waiters(struct lookup *leader)
{
	struct lookup *w = leader->waiters;

	leader->waiters = NULL;
	leader->flying = false;
	return w;
}

/* The body another token was shown: to be offered to GitHub, never to be served. */
static void wake_with_candidate(struct lookup *w, struct entry *body)
{
	w->waited_across = true;
	if (body != NULL && w->candidate == NULL)
		w->candidate = entry_ref(body);
	lookup_wake(w);
}

static void share(struct lookup *w, const struct lookup *leader)
{
	w->outcome.fwd = leader->outcome.fwd;
	w->outcome.fwd_status = leader->outcome.fwd_status;
	w->outcome.collapsed = true;
	w->outcome.ttl = leader->outcome.ttl;
	/* of an answer that stands in, both say so */
	w->outcome.detail =
	    leader->serve_own && leader->outcome.fwd_status != 304 ? leader->outcome.detail : NULL;
	w->now = leader->now;
	w->answer = leader->answer;
	if (leader->made != NULL && w->made == NULL)
		w->made = entry_ref(leader->made);
	w->serve_own = leader->serve_own;
	w->err = leader->err;
	if (leader->serve_own)
		lookup_set_own(w, entry_ref(leader->own), leader->own_layer);
	lookup_deliver(w);
}

static void take_over(struct lookup *w)
{
	w->took_over = true;
	lookup_wake(w);
}

void flight_land(struct lookup *leader)
{
	struct lookup *w = take_waiters(leader), *next;
	struct entry *body = leader->serve_own ? leader->own : leader->made;

	for (; w != NULL; w = next) {
		next = w->next_waiter;
		w->leader = NULL;
		if (!same_token(w, leader))
			wake_with_candidate(w, leader->err.cls == 0 ? body : NULL);
		else if (leader->err.cls != 0 && !leader->took_over)
			take_over(w);		/* the first to wake leads, the others join it */
		else
			share(w, leader);
	}
}

static void leave_leader(struct lookup *lk)
{
	struct lookup **at = &lk->leader->waiters;

	while (*at != lk)
		at = &(*at)->next_waiter;
	*at = lk->next_waiter;
	lk->leader = NULL;
}

/* The conversation goes on for the first waiter of the same token, with what the leader knew. */
static void hand_over(struct lookup *from, struct lookup *to)
{
	struct entry *own = from->own, *candidate = from->candidate;

	from->own = to->own;
	from->candidate = to->candidate;
	to->own = own;
	to->candidate = candidate;
	to->candidate_from = from->candidate_from;
	to->candidate_passed = from->candidate_passed;
	to->own_layer = from->own_layer;
	to->flying = true;
	to->asked = from->asked;
	to->leader = NULL;
	lookup_hand_over(from, to);
}

void flight_part(struct lookup *leader)
{
	struct lookup **at = &leader->waiters;

	while (*at != NULL) {
		struct lookup *w = *at;

		if (same_token(w, leader)) {
			at = &w->next_waiter;
			continue;
		}
		*at = w->next_waiter;
		w->leader = NULL;
		wake_with_candidate(w, NULL);
	}
}

void flight_dissolve(struct lookup *leader)
{
	struct lookup *w = take_waiters(leader), *next;

	for (; w != NULL; w = next) {
		next = w->next_waiter;
		w->leader = NULL;
		w->alone = true;
		lookup_wake(w);
	}
}

void flight_leave(struct lookup *lk)
{
	struct lookup *heir = NULL, *w, *next;

	if (lk->leader != NULL)
		leave_leader(lk);
	for (w = take_waiters(lk); w != NULL; w = next) {
		next = w->next_waiter;
		w->leader = NULL;
		if (heir == NULL && lk->layer_state != NULL && same_token(w, lk)) {
			heir = w;
			hand_over(lk, w);
		} else if (heir != NULL) {
			append(heir, w);
		} else {
			lookup_wake(w);
		}
	}
}
