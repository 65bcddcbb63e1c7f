#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "p2p/legacy.h"
#include "p2p/sharing.h"

#define ANSWER_MAX 256		/* bytes of the peer's that are looked at */
#define SLICE ((size_t)64 << 10)

static const char *const protocols[] = { WIRE_PROTOCOL };

/* One token on its way, and what is said to it. */
struct naming {
	struct naming *next;
	struct member *member;
	struct stream *stream;
	bool ours;			/* we send it */
	bool over;			/* all is said; the peer's end is awaited */
	size_t sent;
	int64_t due;			/* loop time by which it must have come */
	struct buf text;		/* the token; of ours, once it is sent, the answer */
};

static void end(struct naming *v)
{
	struct naming **at = &v->member->namings;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	v->member->nnaming--;
	v->member->share->named.coming -= !v->ours;
	buf_free(&v->text);
	stream_free(v->stream, 0);
	free(v);
}

static struct naming *begin(struct member *m, bool ours)
{
	struct share *s = m->share;
	struct naming *v;

	if (m->nnaming >= SHARE_STREAMS || (!ours && s->named.coming >= NAMED_TOKENS) ||
	    (v = calloc(1, sizeof(*v))) == NULL)
		return NULL;
	v->member = m;
	v->ours = ours;
	v->due = loop_now(s->loop) + SHARE_STALL_MS;
	buf_init(&v->text, LEGACY_MAX);
	v->next = m->namings;
	m->namings = v;
	m->nnaming++;
	s->named.coming += !ours;
	return v;
}

/* ---- who may have the form ---- */

static uint64_t mark_of(const struct peerid *id)
{
	struct span s = peerid_span(id);
	uint8_t digest[SHA256_LEN];
	uint64_t mark;

	hash_sha256(digest, s.p, s.n);
	memcpy(&mark, digest, sizeof(mark));
	return mark;
}

void named_on_member(struct member *m)
{
	struct share *s = m->share;

	m->reference = false;
	s->named.once[s->named.nonce++ % NAMED_ONCE] = mark_of(peer_id(m->peer));
}

/* Who ever completed peer_info could do so again: to it the form would be a step down. */
static bool was_member(const struct member *m)
{
	uint64_t mark = mark_of(peer_id(m->peer));

	for (size_t i = 0; i < NAMED_ONCE && i < m->share->named.nonce; i++)
		if (m->share->named.once[i] == mark)
			return true;
	return false;
}

static bool may_have(const struct member *m)
{
	return m->share->p.reference && !m->informed && !was_member(m);
}

static bool is_named(const struct member *m)
{
	const struct share_params *p = &m->share->p;

	for (size_t i = 0; i < p->nreference_peers; i++)
		if (peerid_same(&p->reference_peers[i], peer_id(m->peer)))
			return true;
	return false;
}

static void send_lately(struct member *m);

static bool earn(struct member *m)
{
	timer_clear(m->share->loop, &m->info);
	if (m->reference)
		return true;
	/* It reads our peer_info to its end. No reset: it answers all the same, and py-libp2p 0.8 takes no
	 * stream any more when it has written to one that was reset. */
	if (session_dialled(peer_session(m->peer)) && m->control != NULL)
		stream_shutdown(m->control);
	if (!peer_set_kind(m->peer, PEER_REFERENCE))
		return false;
	m->reference = true;
	send_lately(m);
	return true;
}

bool named_on_silent(struct member *m)
{
	return may_have(m) && (m->reference || (is_named(m) && earn(m)));
}

/* ---- what comes ---- */

/* The time in a token is good for two minutes: within them none counts twice, nor one of ours that comes
 * back. */
static bool is_replay(struct share *s, struct span token)
{
	uint8_t digest[SHA256_LEN];
	uint64_t mark;

	hash_sha256(digest, token.p, token.n);
	memcpy(&mark, digest, sizeof(mark));
	for (size_t i = 0; i < NAMED_SEEN; i++)
		if (s->named.seen[i] == mark)
			return true;
	s->named.seen[s->named.nseen++ % NAMED_SEEN] = mark;
	return false;
}

static void answer(struct naming *v, const char *text)
{
	v->over = true;
	buf_free(&v->text);
	stream_consume(v->stream, buf_len(stream_in(v->stream)));
	stream_write(v->stream, text, strlen(text));
	stream_shutdown(v->stream);
	stream_deadline(v->stream, loop_now(v->member->share->loop) + SHARE_STALL_MS);
}

static const char *judge(struct naming *v, struct legacy_message *in, struct err *err)
{
	struct share *s = v->member->share;
	struct span token = buf_span(&v->text);

	if (legacy_open(in, s->group, token, clock_wall() / CLOCK_SEC, err) != 0)
		return err->cls == ERR_PROTO ? "ERROR: no key and entry" : "ERROR: the token does not verify";
	if (is_replay(s, token))
		return "ERROR: the token came before";
	return NULL;
}

static void take_token(struct naming *v)
{
	struct member *m = v->member;
	struct share *s = m->share;
	struct legacy_message in;
	struct err err;
	const char *why;

	err_init(&err);
	why = judge(v, &in, &err);
	if (why != NULL) {
		log_debug("a peer in the reference's form: %s", err.cls != 0 ? err.msg : why);
		s->stats.bad_message++;
	} else if (!earn(m)) {		/* no room: the connection goes */
		why = "ERROR: too many peers";
	} else if (!s->p.source->put_named(s->p.source->arg, in.key, in.entry)) {
		why = "ERROR: the entry is refused";
		s->stats.dropped++;
	} else {
		s->stats.named_in++;
	}
	legacy_free(&in);
	answer(v, why != NULL ? why : "OK");
}

static void set_silence(struct naming *v)
{
	int64_t due = loop_now(v->member->share->loop) + LEGACY_SILENCE_MS;

	/* What waits for the buckets is no silence. */
	if (buf_len(stream_in(v->stream)) > 0 || due > v->due)
		due = v->due;
	stream_deadline(v->stream, due);
}

static void read_token(struct naming *v)
{
	struct buf *in = stream_in(v->stream);
	size_t n = buf_len(in);

	if (v->over) {
		stream_consume(v->stream, n);
		return;
	}
	if (n > 0 && member_may_read(v->member)) {
		buf_add(&v->text, buf_data(in), n);
		stream_consume(v->stream, n);
		member_took(v->member, 0, (int64_t)n);
	}
	if (v->text.failed)
		answer(v, "ERROR: a token has at most 1 MiB");
	else if (stream_eof(v->stream) && buf_len(in) == 0)
		take_token(v);
	else
		set_silence(v);
}

static void on_in(void *arg, struct stream *st, enum stream_event ev)
{
	struct naming *v = arg;

	switch (ev) {
	case STREAM_DATAIN:
	case STREAM_EOF:
		read_token(v);
		if (v->over && stream_eof(st))
			end(v);		/* what is written still leaves */
		break;
	case STREAM_TIMEOUT:
		if (v->over || loop_now(v->member->share->loop) >= v->due)
			end(v);
		else
			take_token(v);
		break;
	case STREAM_RESET:
	case STREAM_REFUSED:
		end(v);
		break;
	case STREAM_OPEN:
	case STREAM_LOWAT:
		break;
	}
}

int named_take(struct member *m, struct stream *st)
{
	struct buf *in = stream_in(st);
	int token = legacy_is_token(buf_data(in), buf_len(in));
	int plain = legacy_is_plain(buf_data(in), buf_len(in));
	struct naming *v;

	if (buf_len(in) == 0 || (token != 1 && plain != 1))
		return buf_len(in) == 0 || token == -2 || plain == -2 ? -2 : 0;
	v = begin(m, false);
	if (v == NULL) {
		stream_free(st, 0);
		return 1;
	}
	v->stream = st;
	stream_accept(st, on_in, v);
	member_took(m, 1, 0);
	if (plain == 1 || !may_have(m)) {
		m->share->stats.bad_message++;
		answer(v, plain == 1 ? "ERROR: plain JSON is not taken" : "ERROR: this form is not for you");
	}
	on_in(v, st, STREAM_DATAIN);
	return 1;
}

void named_pump(struct member *m)
{
	struct naming *next;

	for (struct naming *v = m->namings; v != NULL; v = next) {
		next = v->next;
		if (!v->ours && !v->over)
			on_in(v, v->stream, STREAM_DATAIN);
	}
}

/* ---- what goes ---- */

static void send_more(struct naming *v)
{
	struct span text = buf_span(&v->text);

	while (!v->over && stream_unsent(v->stream) + SLICE < STREAM_OUT_MAX) {
		struct span part = span_sub(text, v->sent, SLICE);

		if (stream_write(v->stream, part.p, part.n) != 0)
			break;
		v->sent += part.n;
		v->over = v->sent == text.n;
	}
	stream_deadline(v->stream, loop_now(v->member->share->loop) + SHARE_STALL_MS);
	if (!v->over || v->sent == 0)
		return;
	v->sent = 0;
	v->member->share->stats.named_out++;
	buf_clear(&v->text);
	stream_shutdown(v->stream);	/* the reference reads to the end */
}

/* What it answers is for the log alone. */
static void note_answer(struct naming *v)
{
	struct buf *in = stream_in(v->stream);
	struct span text = span_sub(buf_span(in), 0, ANSWER_MAX);

	if (v->over && !span_eq(text, "OK"))
		log_info("a peer of the reference's form does not take an entry (%zu bytes of answer)",
		    text.n);
	stream_consume(v->stream, buf_len(in));
}

static void on_out(void *arg, struct stream *st, enum stream_event ev)
{
	struct naming *v = arg;

	(void)st;
	switch (ev) {
	case STREAM_OPEN:
	case STREAM_LOWAT:
		if (!v->over)
			send_more(v);
		break;
	case STREAM_DATAIN:
		note_answer(v);
		break;
	case STREAM_EOF:
	case STREAM_TIMEOUT:
	case STREAM_RESET:
	case STREAM_REFUSED:
		end(v);
		break;
	}
}

static void send_one(struct member *m, struct span key, struct span json)
{
	struct share *s = m->share;
	struct naming *v;

	if (!m->reference || !may_have(m) || (v = begin(m, true)) == NULL)
		return;
	if (legacy_seal(s->group, key, json, clock_wall() / CLOCK_SEC, &v->text, NULL) != 0 ||
	    stream_open(peer_session(m->peer), protocols, 1, on_out, v, &v->stream, NULL) != 0) {
		end(v);
		return;
	}
	is_replay(s, buf_span(&v->text));
	send_more(v);
}

/* ---- what was put lately ---- */

/* For peers of which it is not known yet whether they are members. */
static void send_lately(struct member *m)
{
	struct share *s = m->share;
	struct buf json;

	for (size_t i = 0; i < NAMED_LATELY; i++) {
		const struct named_lately *l = &s->named.lately[i];

		if (l->until < loop_now(s->loop) || l->n == 0)
			continue;
		buf_init(&json, LEGACY_MAX);
		if (s->p.source->get_named(s->p.source->arg, span_make(l->key, l->n), &json))
			send_one(m, span_make(l->key, l->n), buf_span(&json));
		buf_free(&json);
	}
}

void share_put_named(struct share *s, struct span key)
{
	struct named_lately *l = &s->named.lately[s->named.nlately++ % NAMED_LATELY];
	struct buf json;

	buf_init(&json, LEGACY_MAX);
	if (s->p.reference && key.n <= sizeof(l->key) &&
	    s->p.source->get_named(s->p.source->arg, key, &json)) {
		l->n = key.n;
		l->until = loop_now(s->loop) + NAMED_LATELY_MS;
		memcpy(l->key, key.p, key.n);
		for (struct member *m = s->members; m != NULL; m = m->next)
			send_one(m, key, buf_span(&json));
	}
	buf_free(&json);
}

void named_forget(struct member *m)
{
	while (m->namings != NULL)
		end(m->namings);
}
