#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "p2p/sharing.h"
#include "p2p/yamux.h"

#define RETRY_MS 40		/* asks again within the budget of a look-up */
#define PASS_MS 40		/* to ask others on a peer's behalf, within its budget */
#define PASSES 16		/* so many at once */
#define SENDERS 4		/* bodies of one peer's that move at once: more only hold memory */
#define AHEAD ((size_t)64 << 10)	/* sealed and not yet taken by the muxer, of each */
#define REQUEST_BYTES (WIRE_REQUEST_MAX + WIRE_OVERHEAD + 9)	/* all that a request's stream may hold */

/* One request of a peer's, and its answer. */
struct serving {
	struct serving *next;
	struct member *member;
	struct stream *stream;
	struct wire_reader reader;
	struct swarm_held held;
	size_t sent;			/* of the body */
	uint64_t lent;			/* of it, counted in share's `lent`: once for an entry */
	bool answered, has_body;
	struct share_call *call;	/* asking another on its behalf */
	struct buf passed;		/* the key, then the body that came of it; `held` has no entry then */
};

/* ---- bodies in hand ---- */

/* Another who is sent the same. */
static struct serving *sharer(const struct serving *v)
{
	for (struct member *m = v->member->share->members; m != NULL; m = m->next)
		for (struct serving *x = m->servings; x != NULL; x = x->next)
			if (x != v && x->has_body && x->held.entry != NULL && x->held.entry == v->held.entry)
				return x;
	return NULL;
}

/* false: too much is under way already. */
static bool borrow(struct serving *v)
{
	struct share *s = v->member->share;

	v->lent = sharer(v) == NULL ? v->held.body.n : 0;
	if (s->lent + v->lent > SHARE_FLIGHT_MAX) {
		v->lent = 0;
		return false;
	}
	s->lent += v->lent;
	v->has_body = true;
	return true;
}

static void give_back(struct serving *v)
{
	struct share *s = v->member->share;
	struct serving *x = v->lent > 0 ? sharer(v) : NULL;

	if (x != NULL)
		x->lent = v->lent;
	else
		s->lent -= v->lent;
	v->lent = 0;
	v->has_body = false;
	if (buf_len(&v->passed) > 0)
		buf_free(&v->passed);
	else
		s->p.source->release(s->p.source->arg, &v->held);
}

static void next_turn(struct member *);

static void stop_passing(struct serving *v)
{
	if (v->call == NULL)
		return;
	v->member->share->npassing--;
	share_cancel(v->call);
	v->call = NULL;
}

static void end(struct serving *v, uint32_t code)
{
	struct member *m = v->member;
	struct serving **at = &m->servings;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	m->nserving--;
	stop_passing(v);
	if (v->has_body)
		give_back(v);
	buf_free(&v->passed);
	wire_reader_free(&v->reader);
	stream_free(v->stream, code);
	free(v);
	next_turn(m);
}

/* ---- who fetches what ---- */

bool serve_is_fetched(struct share *s, struct span key, bool note)
{
	uint8_t digest[SHA256_LEN];
	int64_t now = loop_now(s->loop);
	struct fetching *f;
	size_t at;

	hash_sha256(digest, key.p, key.n);
	at = (digest[30] * (size_t)256 + digest[31]) % SHARING_FETCHES;
	f = &s->fetching[at];
	if (f->until > now && memcmp(f->key, digest, sizeof(f->key)) == 0)
		return true;
	if (note) {			/* what stood there is forgotten early: a fetch more */
		memcpy(f->key, digest, sizeof(f->key));
		f->until = now + SHARE_FETCH_MS;
	}
	return false;
}

/* ---- answering ---- */

static void touch(struct serving *v)
{
	stream_deadline(v->stream, loop_now(v->member->share->loop) + SHARE_STALL_MS);
}

static void say(struct serving *v, const struct buf *json)
{
	if (member_write(v->member, v->stream, buf_span(json)) != 0) {
		end(v, 0);
		return;
	}
	touch(v);
	if (!v->has_body)
		stream_shutdown(v->stream);
}

/* The older ones come first. */
static bool has_turn(const struct serving *v)
{
	unsigned before = 0;

	for (const struct serving *x = v->next; x != NULL; x = x->next)
		before += x->has_body;
	return before < SENDERS;
}

/* false: the file has become shorter. */
static bool next_part(const struct serving *v, uint8_t room[static WIRE_RECORD_MAX], struct span *part)
{
	if (v->held.fd < 0) {
		*part = span_sub(v->held.body, v->sent, WIRE_RECORD_MAX);
		return true;
	}
	part->p = (const char *)room;
	part->n = v->held.body.n - v->sent < WIRE_RECORD_MAX ? v->held.body.n - v->sent : WIRE_RECORD_MAX;
	return pread(v->held.fd, room, part->n, (off_t)(v->held.at + v->sent)) == (ssize_t)part->n;
}

/* As much of the body as the stream takes; on with it at STREAM_LOWAT. One that breaks off is none to the
 * asker. */
static void send_body(struct serving *v)
{
	uint8_t room[WIRE_RECORD_MAX];
	struct span part;
	struct buf b;
	bool last = false;

	buf_init(&b, WIRE_RECORD_MAX + WIRE_OVERHEAD + 16);
	while (!last && stream_unsent(v->stream) < AHEAD) {
		if (!next_part(v, room, &part)) {
			last = true;
			break;
		}
		last = v->sent + part.n == v->held.body.n;
		buf_clear(&b);
		if (wire_seal(&v->member->keys, last ? WIRE_LAST : WIRE_RECORD, part, &b, NULL) != 0 ||
		    stream_write(v->stream, buf_data(&b), buf_len(&b)) != 0)
			break;
		v->sent += part.n;
		v->member->share->stats.bytes_out += part.n;
		touch(v);
	}
	buf_free(&b);
	if (!last)
		return;
	give_back(v);
	stream_shutdown(v->stream);
	next_turn(v->member);
}

static void next_turn(struct member *m)
{
	for (struct serving *x = m->servings; x != NULL; x = x->next)
		if (x->has_body && has_turn(x))
			send_body(x);
}

/* `full`: it is held, but too much is under way. */
static bool put_hit(struct serving *v, const struct message *in, struct buf *json, bool *full)
{
	struct share *s = v->member->share;
	bool found;

	v->held.fd = -1;
	found = s->p.source->find(s->p.source->arg, in->key, in->cid, &v->held);
	/* What is read costs as much as what is sent: it comes out of the asker's bucket. */
	member_took(v->member, 0, (int64_t)v->held.read);
	if (!found)
		return false;
	if (v->held.body.n <= s->p.body_max && message_put_hit(json, v->held.image, v->held.body.n) == 0 &&
	    buf_len(json) <= WIRE_HEADER_MAX) {
		if (borrow(v)) {
			s->stats.served++;
			return true;
		}
		*full = true;
	}
	s->p.source->release(s->p.source->arg, &v->held);
	v->held = (struct swarm_held){ .fd = -1 };
	buf_clear(json);
	return false;
}

/* `full`: not now. Busy, too, while it is fetched; else it is a miss, and the peer's to fetch. */
static void put_none(struct serving *v, struct span key, bool full, struct buf *json)
{
	struct share *s = v->member->share;
	bool busy = full || (key.n > 0 &&
	    (s->p.source->asking(s->p.source->arg, key) || serve_is_fetched(s, key, true)));

	s->stats.refused++;
	s->stats.busy_sent += busy;
	buf_clear(json);
	if (busy)
		message_put_busy(json, RETRY_MS);
	else
		message_put_miss(json);
}

static bool is_held(const struct member *, const struct serving *);
static void pump(struct serving *);

/* On behalf of the peer: what came goes on as it is. */
static void on_passed(void *arg, const struct share_answer *a)
{
	struct serving *v = arg;
	struct member *m = v->member;
	struct share *s = m->share;
	struct buf json, key = v->passed;
	bool hit = a->outcome == SHARE_HIT && a->body.n > 0;

	v->call = NULL;			/* it ends by itself */
	s->npassing--;
	buf_init(&json, WIRE_HEADER_MAX);
	buf_init(&v->passed, SHARE_CANDIDATE_MAX);
	if (hit) {
		buf_addspan(&v->passed, a->body);
		v->held.body = buf_span(&v->passed);
		message_put_passed(&json, a->file, a->body.n);
		hit = !v->passed.failed && !json.failed;
	}
	if (hit && borrow(v)) {
		s->stats.served++;
		s->stats.passed++;
	} else {
		buf_free(&v->passed);
		put_none(v, buf_span(&key), hit, &json);
	}
	buf_free(&key);
	say(v, &json);
	buf_free(&json);
	if (is_held(m, v))
		pump(v);
}

/* Who passed an announcement on need not hold the entry: it asks who told it with the fewest hops, and hands
 * on what comes without keeping it. Each has a lower number than who asks it, and is told so: who is asked as
 * one that holds it itself asks nobody. false: there is nobody, or (`full`) no room now. */
static bool pass_on(struct serving *v, const struct message *in, bool *full)
{
	struct share *s = v->member->share;
	struct share_want want = { .key = in->key,
		.candidate = true,
		.passed_to = v->member,
		.hops = in->hops,
		.budget_ms = PASS_MS };

	if (in->key.n == 0 || !share_would_ask(s, &want))
		return false;
	buf_addspan(&v->passed, in->key);
	*full = s->npassing >= PASSES || share_start(s, &want, on_passed, v, &v->call, NULL) != 0;
	s->npassing += !*full;
	return !*full;
}

static void answer(struct serving *v, const struct message *in)
{
	bool full = false;
	struct buf json;

	v->answered = true;
	buf_init(&json, WIRE_HEADER_MAX + 1024);
	if (!put_hit(v, in, &json, &full)) {
		if (!full && pass_on(v, in, &full)) {
			buf_free(&json);
			return;
		}
		put_none(v, in->key, full, &json);
	}
	say(v, &json);
	buf_free(&json);
}

static void refuse(struct serving *v, const char *code, const char *why)
{
	struct buf json;

	v->answered = true;
	v->member->share->stats.bad_message++;
	buf_init(&json, WIRE_HEADER_MAX);
	message_put_error(&json, code, why);
	say(v, &json);
	buf_free(&json);
}

static void on_request(struct serving *v, struct span json)
{
	struct message *in = &v->member->share->message;

	if (message_parse(in, json, NULL) != 0)
		refuse(v, "malformed", "the request is not in order");
	else if (in->type != MESSAGE_CACHE_REQUEST)
		refuse(v, "unexpected", "a stream takes a cache_request");
	else
		answer(v, in);
}

/* It begins in the reference's form, or that is not known yet. */
static bool is_named(struct serving *v)
{
	int rc = named_take(v->member, v->stream);

	if (rc == 1) {
		v->stream = NULL;
		end(v, 0);
	}
	return rc != 0;
}

/* true while it may go on reading. */
static bool read_some(struct serving *v)
{
	struct member *m = v->member;
	struct buf *in = stream_in(v->stream);
	enum wire_event ev;
	struct span json;
	ssize_t n;

	if (v->answered) {		/* nothing is awaited any more */
		stream_consume(v->stream, buf_len(in));
		return false;
	}
	if (wire_reader_idle(&v->reader) && is_named(v))
		return false;
	if (buf_len(in) == 0)
		return false;
	if (!m->informed || !member_may_read(m)) {
		if (buf_len(in) > REQUEST_BYTES)	/* no request is so long: it is not kept for later */
			end(v, YAMUX_RESET_LIMIT);
		return false;
	}
	n = wire_reader_feed(&v->reader, buf_data(in), buf_len(in), &ev, &json);
	if (n < 0) {
		member_broke(m, &v->reader);
		return false;
	}
	stream_consume(v->stream, (size_t)n);
	member_took(m, ev == WIRE_GOT_HEADER, n);
	touch(v);
	if (ev != WIRE_GOT_HEADER)
		return true;
	on_request(v, json);
	return false;
}

static bool is_held(const struct member *m, const struct serving *v)
{
	const struct serving *x = m->servings;

	while (x != NULL && x != v)
		x = x->next;
	return x != NULL;
}

static void pump(struct serving *v)
{
	struct member *m = v->member;

	while (read_some(v))
		;
	if (!session_is_up(peer_session(m->peer)) || !is_held(m, v))
		return;
	if (v->has_body && has_turn(v))
		send_body(v);
	/* What is written still leaves; before the peer's end it would be cut off. */
	if (v->answered && v->call == NULL && !v->has_body && stream_eof(v->stream))
		end(v, 0);
}

static void on_event(void *arg, struct stream *st, enum stream_event ev)
{
	struct serving *v = arg;

	(void)st;
	switch (ev) {
	case STREAM_DATAIN:
	case STREAM_LOWAT:
		pump(v);
		break;
	case STREAM_EOF:
		if (!v->answered && buf_len(stream_in(v->stream)) == 0)
			end(v, 0);
		else
			pump(v);
		break;
	case STREAM_TIMEOUT:
	case STREAM_RESET:
	case STREAM_REFUSED:
		end(v, 0);
		break;
	case STREAM_OPEN:
		break;
	}
}

void serve_take(struct member *m, struct stream *st)
{
	struct serving *v;

	if (m->nserving >= SHARE_STREAMS || (v = calloc(1, sizeof(*v))) == NULL)
		return;			/* not accepted: it is reset */
	v->member = m;
	v->stream = st;
	buf_init(&v->passed, SHARE_CANDIDATE_MAX);
	wire_reader_init(&v->reader, &m->keys, WIRE_REQUEST_MAX);
	v->next = m->servings;
	m->servings = v;
	m->nserving++;
	stream_accept(st, on_event, v);
	touch(v);
	pump(v);
}

void serve_pump(struct member *m)
{
	struct serving *next;

	for (struct serving *v = m->servings; v != NULL && m->informed; v = next) {
		next = v->next;
		pump(v);
	}
}

void serve_forget(struct member *m)
{
	while (m->servings != NULL)
		end(m->servings, 0);
}
