#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "crypto/cid.h"
#include "p2p/sharing.h"

#define LATE_MAX 8		/* questions left open, or bodies that are not theirs, in a row, */
#define LATE_SHUN_MS 10000	/* after which it is not asked for so long */
#define FULL_MS 4		/* until one that has too many streams is asked */

static const char *const protocols[] = { WIRE_PROTOCOL };

/* One peer being asked. */
struct leg {
	struct leg *next;		/* of its member */
	struct share_call *call;
	struct member *member;
	struct stream *stream;
	struct wire_reader reader;
	struct message *answer;		/* once its header is here; a hit */
	struct buf body;
	struct hash_sha256 hash;
	uint64_t size, got;
	int fd;				/* of a large body; -1 */
	bool announced;			/* that is why it is asked */
};

struct share_call {
	struct share_call *next;
	struct share *share;
	share_done *done;
	void *arg;
	struct share_want want;
	struct buf text;		/* what the want's spans point into */
	struct asked asked;
	struct leg *legs[SHARING_LEGS];
	size_t nlegs;
	int64_t due, hedge, retry;	/* loop time; 0: not set */
	struct timer timer;
	bool waiting;			/* for the announcement of who is fetching it */
	bool denied;			/* one that announced it said miss */
	bool again;			/* has asked the busy one once more */
	const struct member *coordinator;
};

static void on_event(void *arg, struct stream *, enum stream_event);
static void go_on(struct share_call *);

/* ---- the end of legs and calls ---- */

static void free_leg(struct leg *g)
{
	struct leg **at = &g->member->legs;
	struct share_call *c = g->call;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	g->member->legs_gone++;
	g->member->nlegs--;
	for (size_t i = 0; i < c->nlegs; i++)
		if (c->legs[i] == g)
			c->legs[i] = c->legs[--c->nlegs];
	c->share->flight -= g->size;
	if (g->fd >= 0)
		close(g->fd);
	if (g->answer != NULL)
		message_free(g->answer);
	free(g->answer);
	buf_free(&g->body);
	wire_reader_free(&g->reader);
	stream_free(g->stream, 0);
	free(g);
}

void share_cancel(struct share_call *c)
{
	struct share_call **at;

	if (c == NULL)
		return;
	while (c->nlegs > 0)
		free_leg(c->legs[0]);
	at = &c->share->calls;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	timer_clear(c->share->loop, &c->timer);
	buf_free(&c->text);
	free(c);
}

static void note_late(const struct leg *g)
{
	struct standing *p = g->member->past;

	if (++p->late < LATE_MAX)
		return;
	p->late--;	/* one more will do */
	p->late_until = loop_now(g->call->share->loop) + LATE_SHUN_MS;
}

static void end(struct share_call *c, enum share_outcome outcome)
{
	struct share_answer a = { .outcome = outcome };
	share_done *done = c->done;
	struct share *s = c->share;
	void *arg = c->arg;

	if (c->want.passed_to == NULL) {
		*(outcome == SHARE_MISS ? &s->stats.misses : &s->stats.late) += 1;
		s->stats.denied += outcome == SHARE_MISS && c->denied;
		s->stats.cleared += outcome == SHARE_MISS && !c->denied && !c->again;
	}
	for (size_t i = 0; outcome == SHARE_LATE && i < c->nlegs; i++)
		note_late(c->legs[i]);
	share_cancel(c);
	done(arg, &a);
}

/* ---- asking one ---- */

static int ask(struct share_call *c, struct member *m, unsigned hops)
{
	struct leg *g = calloc(1, sizeof(*g));
	struct buf json;
	int rc;

	c->asked.who[c->asked.n++] = m;
	if (g == NULL)
		return ERR_INTERNAL;
	g->call = c;
	g->member = m;
	g->announced = hops != CHOOSE_UNTOLD;
	g->fd = -1;
	buf_init(&g->body, WIRE_BODY_MAX);
	hash_sha256_init(&g->hash);
	wire_reader_init(&g->reader, &m->keys, WIRE_HEADER_MAX);
	g->next = m->legs;
	m->legs = g;
	m->nlegs++;
	c->legs[c->nlegs++] = g;
	buf_init(&json, WIRE_REQUEST_MAX);
	message_put_request(&json, c->want.key, c->want.cid, hops);
	rc = json.failed ? ERR_LIMIT
			 : stream_open(peer_session(m->peer), protocols, 1, on_event, g, &g->stream, NULL);
	if (rc == 0)
		rc = member_write(m, g->stream, buf_span(&json));
	if (rc == 0)
		stream_shutdown(g->stream);
	else
		free_leg(g);
	buf_free(&json);
	return rc;
}

static void set_timer(struct share_call *c)
{
	int64_t due = c->due;

	if (c->hedge != 0 && c->hedge < due)
		due = c->hedge;
	if (c->retry != 0 && c->retry < due)
		due = c->retry;
	timer_set(c->share->loop, &c->timer, due);
}

/* Ask one more, if there is one: true. A peer that has as many streams as it takes would reset one more: if
 * there is none but such ones, a little later again. */
static bool ask_next(struct share_call *c)
{
	struct share *s = c->share;
	struct member *m;
	struct asked passed = c->asked;	/* with those that have too many streams */
	bool full = false;
	unsigned hops;

	while (passed.n < SHARING_LEGS && c->nlegs < SHARING_LEGS &&
	    (m = choose_member(s, &c->want, &passed, &hops)) != NULL) {
		passed.who[passed.n++] = m;
		if (m->nlegs >= SHARE_STREAMS) {
			full = true;
			continue;
		}
		if (ask(c, m, hops) != 0)
			continue;
		c->coordinator = hops != CHOOSE_UNTOLD || c->want.unannounced ? NULL : m;
		c->hedge = loop_now(s->loop) + SHARE_HEDGE_MS;
		set_timer(c);
		return true;
	}
	c->hedge = 0;
	if (!full || c->nlegs > 0)
		return false;
	c->hedge = loop_now(s->loop) + FULL_MS;
	set_timer(c);
	return true;
}

static void go_on(struct share_call *c)
{
	if (c->nlegs > 0 || ask_next(c))
		return;
	if (!c->waiting)
		end(c, SHARE_MISS);
	else
		set_timer(c);
}

static void on_timer(struct timer *t)
{
	struct share_call *c = (struct share_call *)(void *)((char *)t - offsetof(struct share_call, timer));
	int64_t now = loop_now(c->share->loop);

	if (now >= c->due) {
		end(c, c->waiting && c->nlegs == 0 ? SHARE_MISS : SHARE_LATE);
	} else if (c->retry != 0 && now >= c->retry) {
		c->retry = 0;
		c->waiting = false;
		if (c->coordinator != NULL && member_is(c->coordinator) && !c->again) {
			c->again = true;
			c->asked.n = 0;
		}
		go_on(c);
	} else {
		c->hedge = 0;
		if (c->nlegs == 0) {	/* all it could ask had too many streams */
			go_on(c);
			return;
		}
		ask_next(c);
		set_timer(c);
	}
}

void ask_heard(struct share *s, struct span key)
{
	struct share_call *c = s->calls;

	choose_forgive(s, key);
	while (c != NULL) {
		if (!c->waiting || !span_same(c->want.key, key)) {
			c = c->next;
			continue;
		}
		c->waiting = false;
		c->retry = 0;
		c->asked.n = 0;
		go_on(c);
		c = s->calls;		/* who was told may have ended others */
	}
}

/* ---- what comes back ---- */

static void give_up(struct leg *g)
{
	struct share_call *c = g->call;

	free_leg(g);
	go_on(c);
}

/* It has answered, and in time: not with the mere promise of a body. */
static void note_answer(const struct leg *g)
{
	g->member->past->late = 0;
	choose_note_useful(g->call->share, g->member->past, STANDING_ASKED_MS);
}

static void on_miss(struct leg *g)
{
	g->call->denied |= g->announced;
	if (g->call->want.key.n > 0)
		holders_remove(g->member->share->holders, g->member, g->call->want.key);
	give_up(g);
}

/* Somebody fetches it: wait for the announcement, or once for that long. */
static void on_busy(struct leg *g, int64_t retry_ms)
{
	struct share_call *c = g->call;
	struct share *s = c->share;
	struct member *m = g->member;

	s->stats.busy_heard++;
	note_answer(g);
	if (!c->again && c->want.passed_to == NULL && !choose_note_busy(s, m, c->want.key)) {
		c->waiting = true;
		c->coordinator = m;
		c->retry = loop_now(s->loop) + (retry_ms > 0 ? retry_ms : 1);
		set_timer(c);
	}
	give_up(g);
}

static bool fits(const struct leg *g, const struct message *in)
{
	const struct share_call *c = g->call;
	const struct share_want *w = &c->want;
	bool own = w->auth.n > 0 && span_same(in->entries[0].auth, w->auth);

	if (in->size > c->share->p.body_max)
		return false;
	if (w->candidate && !own && (in->size > SHARE_CANDIDATE_MAX || choose_shuns(g->member, in->hops > 0)))
		return false;
	return w->cid.n > 0 ? span_same(in->entries[0].cid, w->cid) : span_same(in->entries[0].key, w->key);
}

/* An unlinked file for what is too large to be held twice. */
static bool make_room(struct leg *g)
{
	char path[300];

	if (g->size <= SHARE_MEMORY_BODY)
		return true;
	if (g->member->share->tmp_dir[0] == '\0')
		return false;
	snprintf(path, sizeof(path), "%s/.peer-XXXXXX", g->member->share->tmp_dir);
	g->fd = mkstemp(path);
	if (g->fd < 0)
		return false;
	unlink(path);
	fcntl(g->fd, F_SETFD, FD_CLOEXEC);
	return true;
}

/* true: a body follows. */
static bool on_header(struct leg *g, struct span json)
{
	struct message *in = malloc(sizeof(*in));

	if (in == NULL) {
		give_up(g);
		return false;
	}
	message_init(in);
	g->answer = in;
	if (message_parse(in, json, NULL) != 0) {
		g->member->share->stats.bad_message++;
		give_up(g);
	} else if (in->type != MESSAGE_CACHE_RESPONSE || !in->has_result) {
		give_up(g);
	} else if (in->result == MESSAGE_BUSY) {
		on_busy(g, in->retry_ms);
	} else if (in->result == MESSAGE_MISS) {
		note_answer(g);
		on_miss(g);
	} else if (in->nentries != 1 || !fits(g, in)) {
		on_miss(g);
	} else if (g->member->share->flight + in->size > SHARE_FLIGHT_MAX) {
		give_up(g);		/* for lack of room here: it holds it all the same */
	} else {
		g->size = in->size;
		g->member->share->flight += g->size;
		wire_reader_expect(&g->reader, g->size);
		if (make_room(g))
			return true;
		give_up(g);
	}
	return false;
}

static void on_whole(struct leg *g)
{
	struct share_call *c = g->call;
	struct share_answer a = {
		.outcome = SHARE_HIT, .entry = &g->answer->entries[0], .file = g->answer->file,
		.passed = g->answer->hops > 0
	};
	uint8_t digest[SHA256_LEN], want[SHA256_LEN];
	struct peerid from = *peer_id(g->member->peer);
	void *map = MAP_FAILED;

	hash_sha256_out(&g->hash, digest);
	if (!cid_parse(a.entry->cid, want) || memcmp(digest, want, SHA256_LEN) != 0) {
		c->share->stats.bad_body++;
		share_confirmed(c->share, &from, a.passed, false);
		note_late(g);	/* of its own token's entries, too, it is not asked for ever */
		on_miss(g);
		return;
	}
	note_answer(g);
	a.from = &from;
	a.body = buf_span(&g->body);
	if (g->fd >= 0) {
		map = mmap(NULL, g->size, PROT_READ, MAP_PRIVATE, g->fd, 0);
		if (map == MAP_FAILED) {
			give_up(g);
			return;
		}
		a.body = span_make(map, g->size);
	}
	if (c->want.unannounced)
		g->member->gave = loop_now(c->share->loop);
	timer_clear(c->share->loop, &c->timer);
	c->share->stats.hits += c->want.passed_to == NULL;
	c->done(c->arg, &a);
	if (map != MAP_FAILED)
		munmap(map, g->size);
	share_cancel(c);
}

/* false: it is over. */
static bool on_piece(struct leg *g, struct span p)
{
	g->got += p.n;
	g->member->share->stats.bytes_in += p.n;
	hash_sha256_add(&g->hash, p.p, p.n);
	if (g->fd < 0)
		buf_addspan(&g->body, p);
	if (g->body.failed || (g->fd >= 0 && file_write_all(g->fd, p.p, p.n) != 0)) {
		give_up(g);
		return false;
	}
	return true;
}

/* true while it may go on reading. */
static bool read_some(struct leg *g)
{
	struct member *m = g->member;
	struct buf *in = stream_in(g->stream);
	enum wire_event ev;
	struct span p;
	ssize_t n;

	if (buf_len(in) == 0 || !member_may_read(m))
		return false;
	n = wire_reader_feed(&g->reader, buf_data(in), buf_len(in), &ev, &p);
	if (n < 0) {
		member_broke(m, &g->reader);
		give_up(g);
		return false;
	}
	stream_consume(g->stream, (size_t)n);
	member_took(m, ev == WIRE_GOT_HEADER, n);
	switch (ev) {
	case WIRE_MORE:
		return true;
	case WIRE_GOT_HEADER:
		return on_header(g, p);
	case WIRE_GOT_BODY:
		return on_piece(g, p);
	case WIRE_GOT_LAST:
		if (on_piece(g, p))
			on_whole(g);
		return false;
	}
	return false;
}

static void on_event(void *arg, struct stream *st, enum stream_event ev)
{
	struct leg *g = arg;

	(void)st;
	switch (ev) {
	case STREAM_DATAIN:
		while (read_some(g))
			;
		break;
	case STREAM_EOF: /* before the answer was whole; what waits in the buffer comes first */
		if (buf_len(stream_in(g->stream)) == 0)
			give_up(g);
		break;
	case STREAM_REFUSED:
	case STREAM_TIMEOUT:
	case STREAM_RESET:
		give_up(g);
		break;
	case STREAM_OPEN:
	case STREAM_LOWAT:
		break;
	}
}

void ask_pump(struct member *m)
{
	struct leg *g = m->legs;

	while (g != NULL) {
		unsigned gone = m->legs_gone;

		while (read_some(g))
			;
		g = m->legs_gone == gone ? g->next : m->legs;
	}
}

void ask_forget(struct member *m)
{
	for (struct share_call *c = m->share->calls; c != NULL; c = c->next)
		if (c->coordinator == m)
			c->coordinator = NULL;
	while (m->legs != NULL)
		give_up(m->legs);
}

/* ---- starting ---- */

bool share_would_ask(struct share *s, const struct share_want *w)
{
	const struct asked nobody = { .n = 0 };
	unsigned hops;

	if (s->members == NULL)
		return false;
	return choose_member(s, w, &nobody, &hops) != NULL ||
	    (w->cid.n == 0 && w->passed_to == NULL && serve_is_fetched(s, w->key, false));
}

static struct span keep(struct buf *b, struct span s)
{
	size_t at = buf_len(b);

	buf_addspan(b, s);
	return span_make(buf_data(b) + at, s.n);
}

static struct share_call *new_call(struct share *s, const struct share_want *w)
{
	struct share_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->share = s;
	c->want = *w;
	buf_init(&c->text, BUF_MAX_ANY);
	if (buf_reserve(&c->text, w->key.n + w->cid.n + w->auth.n + 1) == NULL) {
		free(c);
		return NULL;
	}
	c->want.key = keep(&c->text, w->key);
	c->want.cid = keep(&c->text, w->cid);
	c->want.auth = keep(&c->text, w->auth);
	c->timer.fire = on_timer;
	c->next = s->calls;
	s->calls = c;
	return c;
}

int share_start(struct share *s, const struct share_want *w, share_done *done, void *arg,
    struct share_call **out, struct err *err)
{
	struct share_call *c;

	if (!share_would_ask(s, w)) {
		s->stats.unasked += s->members != NULL && w->passed_to == NULL;
		return 1;
	}
	c = new_call(s, w);
	if (c == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to ask peers");
	c->done = done;
	c->arg = arg;
	c->due = loop_now(s->loop) + w->budget_ms;
	if (!ask_next(c)) {
		if (w->cid.n > 0 || w->passed_to != NULL || !serve_is_fetched(s, w->key, false)) {
			share_cancel(c);
			return 1;
		}
		c->waiting = true;	/* we told another to fetch it */
		set_timer(c);
	}
	s->stats.asked += w->passed_to == NULL;
	*out = c;
	return 0;
}
