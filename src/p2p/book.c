#include "base/rand.h"
#include "p2p/book.h"

static bool is_same(const struct multiaddr *a, const struct multiaddr *b)
{
	return a->host != MULTIADDR_NONE && multiaddr_same(a, b) &&
	    (a->peer.n == 0 || b->peer.n == 0 || peerid_same(&a->peer, &b->peer));
}

struct book_entry *book_find(struct book *b, const struct multiaddr *m)
{
	for (size_t i = 0; i < b->n; i++)
		if (is_same(&b->entries[i].addr, m))
			return &b->entries[i];
	return NULL;
}

static int rank(const struct book_entry *e)
{
	return e->proven && e->via > SWARM_MDNS ? SWARM_MDNS : (int)e->via;
}

static bool is_worse(const struct book_entry *e, const struct book_entry *than)
{
	return rank(e) != rank(than) ? rank(e) > rank(than) : e->fails > than->fails;
}

/* Whoever is on the LAN may say anything: what it said and was not found true keeps to a quarter. */
static bool is_hearsay(const struct book_entry *e)
{
	return e->via == SWARM_MDNS && !e->proven && e->addr.host != MULTIADDR_NONE;
}

static bool lan_is_full(const struct book *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += is_hearsay(&b->entries[i]);
	return n >= SWARM_KNOWN_MAX / 4;
}

/* A place for one more: the last, or that of the worst that nobody uses. */
static struct book_entry *place(struct book *b, enum swarm_via via)
{
	bool instead = via == SWARM_MDNS && lan_is_full(b);
	struct book_entry *worst = NULL;

	for (size_t i = 0; !instead && i < b->n; i++)
		if (b->entries[i].addr.host == MULTIADDR_NONE)
			return &b->entries[i];
	if (!instead && b->n < SWARM_KNOWN_MAX)
		return &b->entries[b->n++];
	for (size_t i = 0; i < b->n; i++) {
		struct book_entry *e = &b->entries[i];

		if (!e->busy && e->via != SWARM_BOOTSTRAP && rank(e) >= (int)via &&
		    (!instead || is_hearsay(e)) && (worst == NULL || is_worse(e, worst)))
			worst = e;
	}
	return worst;
}

void book_learn(struct book *b, const struct multiaddr *m, enum swarm_via via)
{
	struct book_entry *e = book_find(b, m);

	if (e != NULL) {
		if (via < e->via)
			e->via = via;
		if (e->addr.peer.n == 0)
			e->addr.peer = m->peer;
		return;
	}
	e = place(b, via);
	if (e != NULL)
		*e = (struct book_entry){ .addr = *m, .via = via };
}

struct book_entry *book_next(struct book *b, int64_t now, bool (*skip)(void *arg, const struct multiaddr *),
    void *arg)
{
	struct book_entry *best = NULL;

	for (size_t i = 0; i < b->n; i++) {
		struct book_entry *e = &b->entries[i];

		if (e->busy || e->next > now || e->addr.host == MULTIADDR_NONE)
			continue;
		if (best != NULL && (e->via > best->via || (e->via == best->via && e->next >= best->next)))
			continue;
		if (!book_is_shunned(b, &e->addr.peer, now) && !skip(arg, &e->addr))
			best = e;
	}
	return best;
}

int64_t book_due(const struct book *b)
{
	int64_t due = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct book_entry *e = &b->entries[i];

		if (!e->busy && e->addr.host != MULTIADDR_NONE && (due == 0 || e->next < due))
			due = e->next > 0 ? e->next : 1;
	}
	return due;
}

/* Full jitter: anywhere up to a ceiling that doubles, but not at once. */
static int64_t pause_after(unsigned fails)
{
	int64_t top = SWARM_BACKOFF_MIN;

	for (unsigned i = 1; i < fails && top < SWARM_BACKOFF_MAX; i++)
		top *= 2;
	if (top > SWARM_BACKOFF_MAX)
		top = SWARM_BACKOFF_MAX;
	return top / 10 + rand_below((uint32_t)(top - top / 10));
}

void book_done(struct book_entry *e, bool good, int64_t now)
{
	e->busy = false;
	e->fails = good ? 1 : e->fails + 1;
	e->proven |= good;
	e->next = now + pause_after(e->fails);
	if (e->via != SWARM_BOOTSTRAP && e->fails >= SWARM_FAILS_MAX) {
		/* Entries are pointed at, so none may move: the place is free. */
		e->addr.host = MULTIADDR_NONE;
	}
}

/* Its line; a new one takes the place of the one that ends first. */
static struct book_shun *shun_of(struct book *b, const struct peerid *id)
{
	struct book_shun *first = &b->shunned[0];

	for (size_t i = 0; i < b->nshunned; i++) {
		if (peerid_same(&b->shunned[i].id, id))
			return &b->shunned[i];
		if (b->shunned[i].until < first->until)
			first = &b->shunned[i];
	}
	if (b->nshunned < BOOK_SHUNNED_MAX)
		first = &b->shunned[b->nshunned++];
	*first = (struct book_shun){ .id = *id };
	return first;
}

void book_shun(struct book *b, const struct peerid *id, int64_t now)
{
	struct book_shun *s = shun_of(b, id);
	int64_t ms = SWARM_SHUN_MIN;

	for (unsigned i = 0; i < s->times && ms < SWARM_SHUN_MAX; i++)
		ms *= 2;
	s->times++;
	s->until = now + (ms < SWARM_SHUN_MAX ? ms : SWARM_SHUN_MAX);
}

bool book_is_shunned(const struct book *b, const struct peerid *id, int64_t now)
{
	for (size_t i = 0; i < b->nshunned; i++)
		if (b->shunned[i].until > now && peerid_same(&b->shunned[i].id, id))
			return true;
	return false;
}
