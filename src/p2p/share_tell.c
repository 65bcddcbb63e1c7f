#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "crypto/hash.h"
#include "p2p/sharing.h"

#define ENTRIES_A_MESSAGE 4	/* announced: so many more count as one in the bucket */

struct told {
	struct told *next;
	const struct member *from;	/* NULL: ours, or whoever it came from is gone */
	struct message_entry e;
	char text[];
};

/* ---- what waits to be told ---- */

static struct span keep(char **at, struct span s)
{
	struct span kept = span_make(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

/* After a pause at once: somebody may be waiting for just this. What is passed on waits: meanwhile most who
 * should have it show that they do. */
static void hurry(struct share *s, bool relayed)
{
	int64_t now = loop_now(s->loop), due = s->told_at + SHARE_GATHER_MS;

	if (relayed)
		due = now + SHARE_GATHER_MS;
	if (due < now)
		due = now;
	if (s->gather_due != 0 && s->gather_due <= due)
		return;
	s->gather_due = due;
	timer_set(s->loop, &s->gather, due);
}

static void queue(struct share *s, const struct member *from, const struct message_entry *e, unsigned hops)
{
	struct told *t, **at = &s->told;
	char *text;

	if (s->ntold == MESSAGE_ENTRIES_MAX)
		tell_on_gather(&s->gather);
	t = malloc(sizeof(*t) + e->key.n + e->url.n + e->cid.n + e->auth.n + e->proof.n);
	if (t == NULL)
		return;
	text = t->text;
	*t = (struct told){ .from = from, .e = *e };
	t->e.key = keep(&text, e->key);
	t->e.url = keep(&text, e->url);
	t->e.cid = keep(&text, e->cid);
	t->e.auth = keep(&text, e->auth);
	t->e.proof = keep(&text, e->proof);
	t->e.hops = hops;
	while (*at != NULL)
		at = &(*at)->next;
	*at = t;
	s->ntold++;
	hurry(s, hops > 0);
}

static bool knows(const struct member *m, const struct peerid *id)
{
	for (size_t i = 0; i < m->nknows; i++)
		if (peerid_same(&m->knows[i], id))
			return true;
	return false;
}

/* How near this peer is to the entry: any order will do that all have in common. */
static uint64_t nearness(const struct told *t, const struct peerid *id)
{
	uint64_t a = 0, b = 0;

	if (t->e.cid.n >= sizeof(a) && id->n >= sizeof(b)) {
		memcpy(&a, t->e.cid.p + t->e.cid.n - sizeof(a), sizeof(a));
		memcpy(&b, id->bytes + id->n - sizeof(b), sizeof(b));
	}
	return (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Of all to whom the sender told it and who know this member, the nearest passes it on. */
static bool is_ours(const struct told *t, const struct member *m)
{
	uint64_t mine = nearness(t, swarm_id(m->share->swarm));

	for (size_t i = 0; i < t->from->nknows; i++)
		if (nearness(t, &t->from->knows[i]) < mine && knows(m, &t->from->knows[i]))
			return false;
	return true;
}

/* The one it came from, and those it names as its peers, have it already. */
static bool has_it(const struct told *t, const struct member *m)
{
	if (holders_names(m->share->holders, m, &t->e))
		return true;
	if (t->from == NULL)
		return t->e.hops > 0;	/* heard from one that is gone */
	return t->from == m || knows(t->from, peer_id(m->peer)) || !is_ours(t, m);
}

static void send_to(struct share *s, struct member *m)
{
	struct message_entry list[MESSAGE_ENTRIES_MAX];
	size_t n = 0, done = 0, put;
	struct buf b;

	for (const struct told *t = s->told; t != NULL; t = t->next)
		if (!has_it(t, m))
			list[n++] = t->e;
	buf_init(&b, WIRE_HEADER_MAX);
	for (; done < n; done += put) {
		buf_clear(&b);
		put = message_put_entries(&b, list + done, n - done, WIRE_HEADER_MAX);
		/* A peer that does not read misses what is new: it will ask by key. */
		if (put == 0 || member_write(m, m->control, buf_span(&b)) != 0)
			break;
		s->stats.announced += put;
	}
	buf_free(&b);
}

/* ---- to whom ---- */

/* A number by which those are chosen that come first. */
static uint64_t rank(const struct member *m, const struct told *t, uint32_t salt)
{
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 c;
	uint64_t r;

	hash_sha256_init(&c);
	hash_sha256_add(&c, &salt, salt != 0 ? sizeof(salt) : 0);
	hash_sha256_field(&c, t->e.key);
	hash_sha256_field(&c, peerid_span(peer_id(m->peer)));
	hash_sha256_out(&c, digest);
	memcpy(&r, digest, sizeof(r));
	return r;
}

static void send_to_some(struct share *s)
{
	uint32_t salt = s->p.strategy == SHARE_TO_RANDOM ? 1 + rand_below(UINT32_MAX) : 0;
	uint64_t last = 0;

	for (unsigned sent = 0; sent < s->p.peer_count; sent++) {
		struct member *best = NULL;
		uint64_t least = UINT64_MAX;

		for (struct member *m = s->members; m != NULL; m = m->next) {
			uint64_t r = member_is(m) && m->control != NULL ? rank(m, s->told, salt) : UINT64_MAX;

			if (r < least && (r > last || (sent == 0 && r == 0))) {
				least = r;
				best = m;
			}
		}
		if (best == NULL)
			return;
		last = least;
		send_to(s, best);
	}
}

void tell_on_gather(struct timer *timer)
{
	struct share *s = (struct share *)(void *)((char *)timer - offsetof(struct share, gather));

	timer_clear(s->loop, timer);
	s->gather_due = 0;
	s->told_at = loop_now(s->loop);
	if (s->told != NULL && s->p.strategy != SHARE_TO_ALL && s->p.peer_count > 0) {
		send_to_some(s);
	} else if (s->told != NULL) {
		for (struct member *m = s->members; m != NULL; m = m->next)
			if (member_is(m) && m->control != NULL)
				send_to(s, m);
	}
	tell_forget(s, NULL);
}

void tell_forget(struct share *s, const struct member *m)
{
	struct told *next;

	for (struct told *t = s->told; t != NULL; t = next) {
		next = t->next;
		if (m == NULL)
			free(t);
		else if (t->from == m)
			t->from = NULL;
	}
	if (m == NULL) {
		s->told = NULL;
		s->ntold = 0;
	}
}

void share_announce(struct share *s, const struct message_entry *e)
{
	if (s->p.broadcast && s->members != NULL)
		queue(s, NULL, e, 0);
}

/* ---- hearing ---- */

void tell_on_entries(struct member *m, const struct message *in)
{
	struct share *s = m->share;
	int64_t now = clock_wall();

	/* A message more for each few: the bucket is to hold back what costs time. */
	member_took(m, (int64_t)(in->nentries / ENTRIES_A_MESSAGE), 0);
	for (size_t i = 0; i < in->nentries; i++) {
		const struct message_entry *e = &in->entries[i];
		int64_t ttl = e->hops > HOLDERS_HOPS_MAX ? -1 : s->p.source->judge(s->p.source->arg, e);
		enum holders_added added =
		    ttl < 0 ? HOLDERS_DROPPED : holders_add(s->holders, m, e, now, ttl);

		if (added == HOLDERS_DROPPED) {
			s->stats.dropped++;
			continue;
		}
		s->stats.heard++;
		if (added == HOLDERS_NEW && e->hops < HOLDERS_HOPS_MAX)
			queue(s, m, e, e->hops + 1);
		ask_heard(s, e->key);
	}
}

static bool may_invalidate(struct member *m)
{
	int64_t now = loop_now(m->share->loop);
	struct standing *p = m->past;

	if (now - p->minute >= 60000) {
		p->minute = now;
		p->invalidates = 0;
	}
	return p->invalidates++ < SHARE_INVALIDATES_PER_MIN;
}

/* "/repos/{o}/{r}" or below, of one repository, in bytes that a path has. */
static bool is_prefix(struct span p)
{
	unsigned slashes = 0;

	for (size_t i = 0; i < p.n; i++) {
		if (p.p[i] <= ' ' || p.p[i] >= 0x7f || p.p[i] == '*')
			return false;
		slashes += p.p[i] == '/' && i + 1 < p.n;
	}
	return span_starts(p, "/repos/") && slashes >= 3;
}

void tell_on_invalidate(struct member *m, const struct message *in)
{
	struct share *s = m->share;
	int64_t now = clock_wall(), time = in->time < now ? in->time : now;
	struct span list[MESSAGE_PREFIXES_MAX];
	size_t n = 0;

	if (now - in->time > SHARE_INVALIDATE_AGE_US || !may_invalidate(m))
		return;
	for (size_t i = 0; i < in->nprefixes; i++) {
		if (!is_prefix(in->prefixes[i]))
			continue;
		list[n++] = in->prefixes[i];
		holders_invalidate(s->holders, in->prefixes[i], time);
	}
	s->stats.invalidated += n;
	if (n > 0)
		s->p.source->invalidate(s->p.source->arg, list, n, time);
}

/* ---- what was written here ---- */

#define PREFIX_MAX 512		/* a longer one is told as its repository */
#define TELLS 5			/* messages at once; 9 within 65 s, and a last one of share_flush */
#define TELL_MS 13000
#define WRITES_MAX 256		/* paths that wait; then the oldest is not told */
#define LATE_US 30000000	/* of what waited long: well below the age that members take */

struct wrote {
	struct wrote *next;
	size_t n;
	char path[];
};

static struct span repository(struct span p)
{
	size_t n = 0, slashes = 0;

	while (n < p.n && (p.p[n] != '/' || ++slashes < 4))
		n++;
	return span_sub(p, 0, n);
}

static bool covers(struct span a, struct span b)
{
	return b.n >= a.n && memcmp(a.p, b.p, a.n) == 0 && (b.n == a.n || b.p[a.n] == '/');
}

static void drop_write(struct share *s, struct wrote **at)
{
	struct wrote *w = *at;

	*at = w->next;
	s->nwrites--;
	free(w);
}

static void add_write(struct share *s, struct span p)
{
	struct wrote *w, **at = &s->writes;

	while ((w = *at) != NULL && !covers(span_make(w->path, w->n), p)) {
		if (covers(p, span_make(w->path, w->n)))
			drop_write(s, at);
		else
			at = &w->next;
	}
	if (w != NULL || p.n > PREFIX_MAX || (w = malloc(sizeof(*w) + p.n)) == NULL)
		return;
	w->next = NULL;
	w->n = p.n;
	memcpy(w->path, p.p, p.n);
	*at = w;
	s->nwrites++;
}

/* More than one message holds: their repositories are fewer. */
static void widen(struct share *s)
{
	struct wrote *w = s->writes, *next;

	s->writes = NULL;
	s->nwrites = 0;
	for (; w != NULL; w = next) {
		next = w->next;
		add_write(s, repository(span_make(w->path, w->n)));
		free(w);
	}
	if (s->nwrites > WRITES_MAX)
		drop_write(s, &s->writes);
}

/* Whoever hears more than it takes in a minute drops the rest, and what it holds stays stale: so the messages
 * are few. */
static void plan(struct share *s)
{
	int64_t now = loop_now(s->loop), due = s->writes_told + SHARE_GATHER_MS,
		most = s->writes_free - (TELLS - 1) * TELL_MS;

	if (due < most)
		due = most;
	timer_set(s->loop, &s->writing, due > now ? due : now);
}

static void tell_writes(struct share *s)
{
	struct span list[MESSAGE_PREFIXES_MAX];
	int64_t now = loop_now(s->loop), late = clock_wall() - LATE_US;
	struct buf b;
	size_t n = 0;

	for (const struct wrote *w = s->writes; w != NULL && n < MESSAGE_PREFIXES_MAX; w = w->next)
		list[n++] = span_make(w->path, w->n);
	buf_init(&b, WIRE_HEADER_MAX);
	message_put_invalidate(&b, list, n, s->wrote_at > late ? s->wrote_at : late);
	for (struct member *m = s->members; m != NULL; m = m->next)
		if (member_is(m) && m->control != NULL)
			member_write(m, m->control, buf_span(&b));
	buf_free(&b);
	while (n-- > 0)
		drop_write(s, &s->writes);
	s->writes_told = now;
	s->writes_free = (s->writes_free > now ? s->writes_free : now) + TELL_MS;
}

void tell_on_writes(struct timer *t)
{
	struct share *s = (struct share *)(void *)((char *)t - offsetof(struct share, writing));

	timer_clear(s->loop, t);
	if (s->writes != NULL)
		tell_writes(s);
	if (s->writes != NULL)
		plan(s);
}

void tell_forget_writes(struct share *s)
{
	while (s->writes != NULL)
		drop_write(s, &s->writes);
}

void share_flush(struct share *s)
{
	if (s->writes != NULL)
		tell_writes(s);
}

void share_invalidate(struct share *s, struct span prefix, int64_t time)
{
	holders_invalidate(s->holders, prefix, time);
	if (!is_prefix(prefix) || s->members == NULL)
		return;
	add_write(s, prefix.n > PREFIX_MAX ? repository(prefix) : prefix);
	if (s->nwrites > MESSAGE_PREFIXES_MAX)
		widen(s);
	if (s->wrote_at < time)
		s->wrote_at = time;
	if (s->writes != NULL)
		plan(s);
}
