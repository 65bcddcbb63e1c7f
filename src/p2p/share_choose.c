#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "crypto/hash.h"
#include "p2p/sharing.h"

#define HOLDERS_LOOKED_AT 8
#define PASSED_SHUN_MS 60000	/* nothing that it only passes on: others' junk, or a liar's that says so */

/* ---- who is asked ---- */

static bool was_asked(const struct asked *c, const struct member *m)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->who[i] == m)
			return true;
	return false;
}

bool choose_shuns(const struct member *m, bool passed)
{
	return m->past->candidates_until[passed] > loop_now(m->share->loop);
}

static bool may_ask(const struct share_want *w, const struct member *m, bool passed)
{
	return member_is(m) && !(w->candidate && choose_shuns(m, passed));
}

/* It left so many questions open that it is not asked for a while. */
static bool is_silent(const struct share *s, const struct member *m)
{
	return m->past->late_until > loop_now(s->loop);
}

/* The next who announced it; NULL. On behalf of another only who is nearer than it took us for. */
static struct member *next_holder(struct share *s, const struct share_want *w, const struct asked *c,
    unsigned *hops)
{
	struct holder found[HOLDERS_LOOKED_AT];
	int64_t now = clock_wall();
	size_t n = w->cid.n > 0
	    ? holders_find_cid(s->holders, w->cid, now, found, HOLDERS_LOOKED_AT)
	    : holders_find(s->holders, w->key, w->auth, w->after, now, found, HOLDERS_LOOKED_AT);

	for (size_t i = 0; i < n; i++) {
		struct member *m = (struct member *)(uintptr_t)found[i].peer;

		bool own = w->auth.n > 0 && span_same(found[i].auth, w->auth);

		*hops = found[i].hops;
		if (w->passed_to != NULL &&
		    (w->passed_to == m || !found[i].nearest || found[i].hops >= w->hops))
			continue;
		if (!own && (w->own_only || (w->candidate && found[i].size > SHARE_CANDIDATE_MAX)))
			continue;
		if (found[i].size <= s->p.body_max && !was_asked(c, m) && !is_silent(s, m) &&
		    (own ? member_is(m) : may_ask(w, m, found[i].hops > 0)))
			return m;
	}
	return NULL;
}

#define MEMBERS_MAX 64

/* NULL: we are it, or nobody else is there. */
static struct member *coordinator(struct share *s, const struct share_want *w)
{
	const struct peerid *ids[MEMBERS_MAX + 1] = { swarm_id(s->swarm) };
	struct member *members[MEMBERS_MAX + 1] = { NULL };
	size_t n = 1;

	for (struct member *m = s->members; m != NULL && n <= MEMBERS_MAX; m = m->next) {
		if (!may_ask(w, m, false) || is_silent(s, m) || m->past->busy_until > loop_now(s->loop))
			continue;
		ids[n] = peer_id(m->peer);
		members[n++] = m;
	}
	return members[holders_coordinator(w->key, ids, n)];
}

/* By key anyone, each as likely. By CID who gave something last: it was the entry that names this body. */
static struct member *next_unannounced(struct share *s, const struct share_want *w,
    const struct asked *c)
{
	struct member *best = NULL;
	uint32_t n = 0;

	for (struct member *m = s->members; m != NULL; m = m->next) {
		int64_t later = w->cid.n > 0 && best != NULL ? m->gave - best->gave : 0;

		if (!may_ask(w, m, false) || was_asked(c, m) || later < 0)
			continue;
		if (later > 0)
			n = 0;
		if (rand_below(++n) == 0)
			best = m;
	}
	return best;
}

/* The coordinator has its say when nobody announced it, and when nothing is held here. */
struct member *choose_member(struct share *s, const struct share_want *w, const struct asked *c,
    unsigned *hops)
{
	struct member *m = next_holder(s, w, c, hops);

	if (m == NULL)
		*hops = CHOOSE_UNTOLD;
	if (m == NULL && w->unannounced)
		return next_unannounced(s, w, c);
	if (m != NULL || w->cid.n > 0 || w->passed_to != NULL)
		return m;
	return c->n == 0 ? coordinator(s, w) : NULL;
}

/* ---- is what a busy one says true? ---- */

#define OWED_MS 5000		/* GitHub's slow answers come within this */

static void key_digest(uint8_t out[static SHA256_LEN], struct span key)
{
	hash_sha256(out, key.p, key.n);
}

/* true: it said so too often with no announcement after it. */
bool choose_note_busy(struct share *s, struct member *m, struct span key)
{
	uint8_t digest[SHA256_LEN];
	int64_t now = loop_now(s->loop);
	struct standing *p = m->past;

	if (p->owed_until > now)	/* one at a time is watched */
		return false;
	if (p->owed_until != 0)
		p->busy++;
	key_digest(digest, key);
	memcpy(p->owed, digest, sizeof(p->owed));
	p->owed_until = now + OWED_MS;
	if (p->busy < SHARE_DISTRUST)
		return false;
	p->busy = 0;
	p->owed_until = 0;
	p->busy_until = now + SHARE_BUSY_SHUN_MS;
	return true;
}

void choose_forgive(struct share *s, struct span key)
{
	uint8_t digest[SHA256_LEN];

	bool done = false;

	for (struct member *m = s->members; m != NULL; m = m->next) {
		struct standing *p = m->past;

		if (p->owed_until == 0)
			continue;
		if (!done)
			key_digest(digest, key);
		done = true;
		if (memcmp(p->owed, digest, sizeof(p->owed)) == 0) {
			p->owed_until = 0;
			p->busy = 0;
		}
	}
}

/* ---- and what it gives? ---- */

void choose_note_useful(const struct share *s, struct standing *p, int64_t ms)
{
	int64_t until = loop_now(s->loop) + ms;

	if (p->useful_until < until)
		p->useful_until = until;
}

void share_confirmed(struct share *s, const struct peerid *from, bool passed, bool confirmed)
{
	struct standing *p = standing_find(s->standings, from);
	char text[PEERID_TEXT_MAX];

	if (p == NULL)
		return;
	p->unconfirmed[passed] = confirmed ? 0 : p->unconfirmed[passed] + 1;
	if (confirmed)
		choose_note_useful(s, p, STANDING_SERVED_MS);
	if (p->unconfirmed[passed] < SHARE_DISTRUST)
		return;
	p->unconfirmed[passed] = 0;
	p->candidates_until[passed] = loop_now(s->loop) + (passed ? PASSED_SHUN_MS : SHARE_CANDIDATE_SHUN_MS);
	peerid_text(from, text);
	log_info("peer %s is asked for no more that it %s: none of three proved right", text,
	    passed ? "passes on" : "offers");
}
