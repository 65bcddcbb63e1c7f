#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/siphash.h"
#include "crypto/hash.h"
#include "p2p/holders.h"
#include "p2p/message.h"

#define BUCKETS 4096
#define SEC ((int64_t)1000000)

struct row {
	struct row *next;		/* of its bucket */
	struct row *newer, *older;	/* by when it was last announced */
	size_t bucket;
	struct span key, cid, auth, url;	/* in `text` */
	int64_t timestamp, until;
	uint64_t size;
	const void *peers[HOLDERS_PEERS_MAX];
	uint8_t hops[HOLDERS_PEERS_MAX], least;	/* of each; the fewest ever */
	size_t npeers, bytes;
	char text[];
};

struct owner {				/* which rows name this peer: how many, how large */
	struct owner *next;
	const void *peer;
	size_t rows, bytes;
};

struct holders {
	struct siphash_key hash;
	struct row *buckets[BUCKETS];
	struct row *newest, *oldest;
	struct owner *owners;
	size_t n, bytes;
};

struct holders *holders_new(void)
{
	struct holders *h = calloc(1, sizeof(*h));

	/* Without entropy the table is only easier to fill unevenly. */
	if (h != NULL)
		rand_bytes(&h->hash, sizeof(h->hash), NULL);
	return h;
}

/* ---- whose rows ---- */

static struct owner *owner_of(struct holders *h, const void *peer, bool make)
{
	struct owner *o = h->owners;

	while (o != NULL && o->peer != peer)
		o = o->next;
	if (o != NULL || !make || (o = calloc(1, sizeof(*o))) == NULL)
		return o;
	o->peer = peer;
	o->next = h->owners;
	h->owners = o;
	return o;
}

static void disown(struct holders *h, const struct row *r, const void *peer)
{
	for (struct owner **at = &h->owners; *at != NULL; at = &(*at)->next) {
		struct owner *o = *at;

		if (o->peer != peer)
			continue;
		o->bytes -= r->bytes;
		if (--o->rows == 0) {
			*at = o->next;
			free(o);
		}
		return;
	}
}

/* ---- rows ---- */

static void unlink_age(struct holders *h, struct row *r)
{
	*(r->newer != NULL ? &r->newer->older : &h->newest) = r->older;
	*(r->older != NULL ? &r->older->newer : &h->oldest) = r->newer;
	r->newer = r->older = NULL;
}

static void link_newest(struct holders *h, struct row *r)
{
	r->newer = NULL;
	r->older = h->newest;
	*(h->newest != NULL ? &h->newest->newer : &h->oldest) = r;
	h->newest = r;
}

static void drop(struct holders *h, struct row *r)
{
	struct row **at = &h->buckets[r->bucket];

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	unlink_age(h, r);
	for (size_t i = 0; i < r->npeers; i++)
		disown(h, r, r->peers[i]);
	h->bytes -= r->bytes;
	h->n--;
	free(r);
}

/* false: that was the row's last. */
static bool forget_peer(struct holders *h, struct row *r, const void *peer)
{
	for (size_t i = 0; i < r->npeers; i++) {
		if (r->peers[i] != peer)
			continue;
		disown(h, r, peer);
		r->peers[i] = r->peers[--r->npeers];
		r->hops[i] = r->hops[r->npeers];
		break;
	}
	if (r->npeers > 0)
		return true;
	drop(h, r);
	return false;
}

static bool names(const struct row *r, const void *peer)
{
	for (size_t i = 0; i < r->npeers; i++)
		if (r->peers[i] == peer)
			return true;
	return false;
}

static struct span keep(char **at, struct span s)
{
	struct span kept = span_make(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

static size_t bucket_of(const struct holders *h, struct span key)
{
	return (size_t)(siphash(&h->hash, key) % BUCKETS);
}

static struct row *find_row(struct holders *h, const struct message_entry *e)
{
	struct row *r = h->buckets[bucket_of(h, e->key)];

	while (r != NULL &&
	    !(r->timestamp == e->timestamp && span_same(r->key, e->key) && span_same(r->cid, e->cid)))
		r = r->next;
	return r;
}

static size_t row_bytes(const struct message_entry *e)
{
	return sizeof(struct row) + e->key.n + e->cid.n + e->auth.n + e->url.n;
}

static struct row *make_row(struct holders *h, const struct message_entry *e)
{
	struct row *r = calloc(1, row_bytes(e));
	char *at;

	if (r == NULL)
		return NULL;
	at = r->text;
	r->key = keep(&at, e->key);
	r->cid = keep(&at, e->cid);
	r->auth = keep(&at, e->auth);
	r->url = keep(&at, e->url);
	r->timestamp = e->timestamp;
	r->size = e->size;
	r->bucket = bucket_of(h, e->key);
	r->next = h->buckets[r->bucket];
	h->buckets[r->bucket] = r;
	link_newest(h, r);
	r->least = UINT8_MAX;
	r->bytes = row_bytes(e);
	h->bytes += r->bytes;
	h->n++;
	return r;
}

static void drop_oldest_of(struct holders *h, const void *peer)
{
	struct row *r = h->oldest;

	while (r != NULL && !names(r, peer))
		r = r->newer;
	if (r != NULL)
		forget_peer(h, r, peer);
}

/* The peer's own oldest goes before it may take a place of another's. */
static void make_room(struct holders *h, const void *peer, size_t bytes)
{
	const struct owner *o;

	while ((o = owner_of(h, peer, false)) != NULL &&
	    (o->rows >= HOLDERS_PER_PEER || o->bytes + bytes > HOLDERS_BYTES_MAX / 2))
		drop_oldest_of(h, peer);
	while (h->n >= HOLDERS_MAX || (h->n > 0 && h->bytes + bytes > HOLDERS_BYTES_MAX))
		drop(h, h->oldest);
}

/* Its time counts as at most `now`, its TTL as at most ours. */
static int64_t life_end(const struct message_entry *e, int64_t now, int64_t ttl_max)
{
	int64_t from = e->timestamp < now ? e->timestamp : now;

	return from + (e->ttl < ttl_max ? e->ttl : ttl_max) * SEC;
}

bool holders_names(struct holders *h, const void *peer, const struct message_entry *e)
{
	const struct row *r = find_row(h, e);

	return r != NULL && names(r, peer);
}

static void note_hops(struct row *r, const void *peer, unsigned hops)
{
	uint8_t n = hops < UINT8_MAX ? (uint8_t)hops : UINT8_MAX;

	for (size_t i = 0; i < r->npeers; i++)
		if (r->peers[i] == peer && n < r->hops[i])
			r->hops[i] = n;
	if (n < r->least)
		r->least = n;
}

enum holders_added holders_add(struct holders *h, const void *peer, const struct message_entry *e,
    int64_t now, int64_t ttl_max)
{
	enum holders_added what = HOLDERS_KNOWN;
	struct owner *o;
	struct row *r;

	if (e->key.n == 0 || e->key.n > HOLDERS_KEY_MAX || e->timestamp > now + HOLDERS_AHEAD_US ||
	    e->ttl < 0 || ttl_max < 0 || e->url.n > 2 * HOLDERS_KEY_MAX || life_end(e, now, ttl_max) <= now)
		return HOLDERS_DROPPED;
	r = find_row(h, e);
	if (r != NULL && names(r, peer)) {
		note_hops(r, peer, e->hops);
		unlink_age(h, r);
		link_newest(h, r);
		return HOLDERS_KNOWN;
	}
	if (r == NULL) {
		make_room(h, peer, row_bytes(e));
		r = make_row(h, e);
		what = HOLDERS_NEW;
	} else if (r->npeers == HOLDERS_PEERS_MAX) {
		return HOLDERS_KNOWN;
	}
	if (r == NULL)
		return HOLDERS_DROPPED;
	o = owner_of(h, peer, true);
	if (o == NULL) {
		if (r->npeers == 0)
			drop(h, r);
		return HOLDERS_DROPPED;
	}
	o->rows++;
	o->bytes += r->bytes;
	r->hops[r->npeers] = UINT8_MAX;
	r->peers[r->npeers++] = peer;
	note_hops(r, peer, e->hops);
	r->until = life_end(e, now, ttl_max);
	return what;
}

/* ---- looking ---- */

static bool before(const struct holder *a, const struct holder *b, struct span auth)
{
	if (auth.n > 0 && span_same(a->auth, auth) != span_same(b->auth, auth))
		return span_same(a->auth, auth);
	return a->timestamp != b->timestamp ? a->timestamp > b->timestamp : a->hops < b->hops;
}

static struct holder holder_of(const struct row *r, size_t i)
{
	return (struct holder){ r->peers[i], r->cid, r->auth, r->timestamp, r->until, r->size, r->hops[i],
		r->hops[i] <= r->least };
}

static size_t insert(struct holder *out, size_t n, size_t max, const struct holder *x, struct span auth)
{
	size_t at = n;

	while (at > 0 && before(x, &out[at - 1], auth))
		at--;
	if (at == max)
		return n;
	if (n == max)
		n--;
	memmove(&out[at + 1], &out[at], (n - at) * sizeof(*out));
	out[at] = *x;
	return n + 1;
}

size_t holders_find(struct holders *h, struct span key, struct span auth, int64_t after, int64_t now,
    struct holder *out, size_t max)
{
	size_t n = 0;

	for (const struct row *r = h->buckets[bucket_of(h, key)]; r != NULL; r = r->next) {
		if (!span_same(r->key, key) || r->timestamp <= after || r->until <= now)
			continue;
		for (size_t i = 0; i < r->npeers; i++) {
			struct holder x = holder_of(r, i);

			n = insert(out, n, max, &x, auth);
		}
	}
	return n;
}

size_t holders_find_cid(struct holders *h, struct span cid, int64_t now, struct holder *out, size_t max)
{
	size_t n = 0;

	for (const struct row *r = h->newest; r != NULL && n < max; r = r->older)
		for (size_t i = 0; span_same(r->cid, cid) && r->until > now && i < r->npeers && n < max; i++)
			out[n++] = holder_of(r, i);
	return n;
}

/* ---- forgetting ---- */

void holders_remove(struct holders *h, const void *peer, struct span key)
{
	struct row *next;

	for (struct row *r = h->buckets[bucket_of(h, key)]; r != NULL; r = next) {
		next = r->next;
		if (span_same(r->key, key))
			forget_peer(h, r, peer);
	}
}

void holders_remove_peer(struct holders *h, const void *peer)
{
	struct row *older;

	for (struct row *r = h->newest; r != NULL; r = older) {
		older = r->older;
		forget_peer(h, r, peer);
	}
}

/* Whole segments, wherever in the path: an upstream may have a path of its own before every target. */
static bool is_below(struct span url, struct span prefix)
{
	struct span path = span_before(url, '?');

	if (prefix.n == 0)
		return false;
	for (size_t at = 0; at + prefix.n <= path.n; at++)
		if (memcmp(path.p + at, prefix.p, prefix.n) == 0 &&
		    (at + prefix.n == path.n || path.p[at + prefix.n] == '/'))
			return true;
	return false;
}

void holders_invalidate(struct holders *h, struct span prefix, int64_t time)
{
	struct row *older;

	for (struct row *r = h->newest; r != NULL; r = older) {
		older = r->older;
		if (r->timestamp < time && is_below(r->url, prefix))
			drop(h, r);
	}
}

size_t holders_count(const struct holders *h)
{
	return h->n;
}

void holders_free(struct holders *h)
{
	if (h == NULL)
		return;
	while (h->newest != NULL)
		drop(h, h->newest);
	free(h);
}

/* ---- the coordinator ---- */

size_t holders_coordinator(struct span key, const struct peerid *const *ids, size_t n)
{
	uint8_t least[SHA256_LEN], digest[SHA256_LEN];
	struct hash_sha256 c;
	size_t which = 0;

	for (size_t i = 0; i < n; i++) {
		hash_sha256_init(&c);
		hash_sha256_field(&c, key);
		hash_sha256_field(&c, peerid_span(ids[i]));
		hash_sha256_out(&c, digest);
		if (i > 0 && memcmp(digest, least, SHA256_LEN) >= 0)
			continue;
		memcpy(least, digest, SHA256_LEN);
		which = i;
	}
	return which;
}
