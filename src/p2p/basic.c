#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "p2p/basic.h"
#include "p2p/ping.h"
#include "p2p/session.h"
#include "p2p/wire.h"

#define ECHO_UNREAD_MAX ((size_t)8 << 10)	/* 256 pings whose answers are not read */

enum { SERVE_ID, SERVE_PUSH, SERVE_PING };

const char *const basic_serves[BASIC_SERVES + 1] = { IDENTIFY_ID, IDENTIFY_PUSH, PING_PROTOCOL, NULL };
static const char *const ask_protocol[] = { IDENTIFY_ID };
static const char *const push_protocol[] = { IDENTIFY_PUSH };
static const char *const ping_protocol[] = { PING_PROTOCOL };

struct echo {				/* a ping stream of the peer's */
	struct basic *b;
	struct stream *st;		/* NULL: free */
	struct ping ping;
};

struct basic {
	struct loop *loop;
	struct session *session;
	const struct basic_self *self;
	void (*on_known)(void *arg, const struct basic_peer *);
	void *arg;
	struct basic_peer peer;
	struct stream *ask, *push;	/* both are read into a reader */
	struct identify_reader asked, pushed;
	struct stream *answer, *told;	/* told: a push of ours */
	struct echo echoes[PING_INBOUND_MAX];
	/* our ping */
	struct stream *ping;
	struct ping block;
	struct job fail;
	int64_t pinged;			/* µs */
	bool pinging;
	void (*done)(void *arg, int64_t us);
	void *done_arg;
};

/* ---- what the peer says of itself ---- */

static bool is_its_key(const struct basic *b, struct span key)
{
	struct peerid_key parsed;
	struct peerid id;

	if (key.n == 0)
		return true;
	if (!peerid_key_parse(key, &parsed))
		return false;
	peerid_of_key(&id, key);
	return peerid_same(&id, session_peer(b->session));
}

/* What is not said stays as it was. */
static bool learn(struct basic *b, const struct identify_reader *r)
{
	struct basic_peer *p = &b->peer;
	struct identify id;

	if (identify_reader_end(r, &id) != 0 || !is_its_key(b, id.key))
		return false;
	p->known = true;
	if (id.agent.n > 0)
		span_copy(p->agent, sizeof(p->agent), span_sub(id.agent, 0, sizeof(p->agent) - 1));
	if (id.naddrs > 0) {
		memcpy(p->addrs, id.addrs, id.naddrs * sizeof(id.addrs[0]));
		p->naddrs = id.naddrs;
	}
	if (id.has_observed) {
		p->has_observed = true;
		p->observed = id.observed;
	}
	if (id.nprotocols > 0) {
		p->speaks_cache = identify_speaks(&id, WIRE_PROTOCOL);
		p->speaks_accelerate = identify_speaks(&id, WIRE_ACCELERATE);
	}
	return true;
}

static void read_into(struct identify_reader *r, struct stream *st)
{
	struct buf *in = stream_in(st);

	identify_reader_feed(r, buf_data(in), buf_len(in));
	stream_consume(st, buf_len(in));
}

static void end_ask(struct basic *b, bool good)
{
	struct stream *st = b->ask;

	b->ask = NULL;
	if (good) {
		good = learn(b, &b->asked);
		stream_shutdown(st);
	}
	stream_free(st, 0);
	identify_reader_free(&b->asked);
	if (good || !b->peer.known)
		b->on_known(b->arg, &b->peer);
}

static void on_ask(void *arg, struct stream *st, enum stream_event ev)
{
	struct basic *b = arg;

	switch (ev) {
	case STREAM_OPEN:
	case STREAM_LOWAT:
		break;
	case STREAM_DATAIN:
		read_into(&b->asked, st);
		break;
	case STREAM_EOF:
		end_ask(b, true);
		break;
	case STREAM_REFUSED:
	case STREAM_TIMEOUT:
	case STREAM_RESET:
		end_ask(b, false);
		break;
	}
}

static void on_push(void *arg, struct stream *st, enum stream_event ev)
{
	struct basic *b = arg;
	bool good;

	if (ev == STREAM_DATAIN) {
		read_into(&b->pushed, st);
		return;
	}
	if (ev == STREAM_LOWAT || ev == STREAM_OPEN)
		return;
	b->push = NULL;
	good = ev == STREAM_EOF && learn(b, &b->pushed);
	stream_shutdown(st);
	stream_free(st, 0);
	identify_reader_free(&b->pushed);
	if (good)
		b->on_known(b->arg, &b->peer);
}

static void take_push(struct basic *b, struct stream *st)
{
	if (b->push != NULL)
		return;
	b->push = st;
	identify_reader_init(&b->pushed);
	stream_accept(st, on_push, b);
	stream_deadline(st, loop_now(b->loop) + BASIC_IDENTIFY_MS);
}

/* ---- what we say ---- */

static void on_answer(void *arg, struct stream *st, enum stream_event ev)
{
	struct basic *b = arg;

	if (ev == STREAM_DATAIN)
		stream_consume(st, buf_len(stream_in(st)));
	if (ev == STREAM_EOF || ev == STREAM_TIMEOUT || ev == STREAM_RESET) {
		b->answer = NULL;
		stream_free(st, 0);
	}
}

static void say(struct basic *b, struct stream *st)
{
	const struct basic_self *self = b->self;
	struct identify id;
	struct buf out;

	memset(&id, 0, sizeof(id));
	id.key = span_make(self->key, PEERID_OWN_KEY_LEN);
	id.agent = span_of(self->agent);
	id.version = span_of(IDENTIFY_VERSION);
	id.has_observed = session_addr(b->session)->len > 0;
	if (id.has_observed)
		multiaddr_of_addr(&id.observed, session_addr(b->session));
	for (; id.naddrs < self->naddrs && id.naddrs < IDENTIFY_ADDRS_MAX; id.naddrs++)
		id.addrs[id.naddrs] = self->addrs[id.naddrs];
	for (; id.nprotocols < self->nprotocols && id.nprotocols < IDENTIFY_PROTOCOLS_MAX; id.nprotocols++)
		id.protocols[id.nprotocols] = span_of(self->protocols[id.nprotocols]);
	buf_init(&out, (size_t)2 * IDENTIFY_SEND_MAX);
	identify_encode(&id, &out);
	stream_write(st, buf_data(&out), buf_len(&out));
	stream_shutdown(st);
	buf_free(&out);
}

static void take_ask(struct basic *b, struct stream *st)
{
	if (b->answer != NULL)
		return;
	b->answer = st;
	stream_accept(st, on_answer, b);
	stream_deadline(st, loop_now(b->loop) + BASIC_IDENTIFY_MS);
	say(b, st);
}

static void on_told(void *arg, struct stream *st, enum stream_event ev)
{
	struct basic *b = arg;

	if (ev == STREAM_DATAIN)
		stream_consume(st, buf_len(stream_in(st)));
	if (ev == STREAM_OPEN || ev == STREAM_DATAIN || ev == STREAM_LOWAT)
		return;
	b->told = NULL;
	stream_free(st, 0);
}

void basic_push(struct basic *b)
{
	stream_free(b->told, 0);	/* says less than the new one */
	b->told = NULL;
	if (stream_open(b->session, push_protocol, 1, on_told, b, &b->told, NULL) != 0)
		return;
	say(b, b->told);
	stream_deadline(b->told, loop_now(b->loop) + BASIC_IDENTIFY_MS);
}

/* ---- the peer's pings ---- */

static void on_echo(void *arg, struct stream *st, enum stream_event ev)
{
	struct echo *e = arg;
	struct buf *in = stream_in(st), out;

	if (ev == STREAM_DATAIN || ev == STREAM_LOWAT) {
		buf_init(&out, STREAM_OUT_MAX);
		ping_echo(&e->ping, buf_data(in), buf_len(in), &out);
		/* Who sends pings and reads no answers is cut off. */
		if (out.failed || stream_write(st, buf_data(&out), buf_len(&out)) != 0 ||
		    stream_unsent(st) > ECHO_UNREAD_MAX)
			ev = STREAM_TIMEOUT;
		stream_consume(st, buf_len(in));
		buf_free(&out);
		stream_deadline(st, loop_now(e->b->loop) + BASIC_STREAM_MS);
	}
	if (ev == STREAM_EOF)
		stream_shutdown(st);
	if (ev == STREAM_EOF || ev == STREAM_TIMEOUT || ev == STREAM_RESET) {
		e->st = NULL;
		stream_free(st, 0);
	}
}

static void take_ping(struct basic *b, struct stream *st)
{
	for (size_t i = 0; i < PING_INBOUND_MAX; i++) {
		struct echo *e = &b->echoes[i];

		if (e->st != NULL)
			continue;
		*e = (struct echo){ .b = b, .st = st };
		stream_accept(st, on_echo, e);
		stream_deadline(st, loop_now(b->loop) + BASIC_STREAM_MS);
		return;
	}
}

void basic_take(struct basic *b, struct stream *st, size_t protocol)
{
	if (protocol == SERVE_ID)
		take_ask(b, st);
	else if (protocol == SERVE_PUSH)
		take_push(b, st);
	else
		take_ping(b, st);
}

/* ---- our ping ---- */

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void end_ping(struct basic *b, int64_t us)
{
	struct stream *st = b->ping;

	b->ping = NULL;
	b->pinging = false;
	if (st != NULL) {
		stream_shutdown(st);
		stream_free(st, 0);
	}
	b->done(b->done_arg, us);
}

static void on_fail(struct job *j)
{
	end_ping((struct basic *)(void *)((char *)j - offsetof(struct basic, fail)), -1);
}

static void send_ping(struct basic *b, struct stream *st)
{
	uint8_t random[PING_LEN];
	struct buf out;

	buf_init(&out, PING_LEN);
	if (rand_bytes(random, sizeof(random), NULL) != 0)
		memset(random, 0x55, sizeof(random));
	ping_start(&b->block, random, &out);
	b->pinged = now_us();
	stream_write(st, buf_data(&out), buf_len(&out));
	buf_free(&out);
}

static void on_ping(void *arg, struct stream *st, enum stream_event ev)
{
	struct basic *b = arg;
	struct buf *in = stream_in(st);
	int rc;

	switch (ev) {
	case STREAM_OPEN:
		send_ping(b, st);
		break;
	case STREAM_DATAIN:
		rc = ping_check(&b->block, buf_data(in), buf_len(in));
		stream_consume(st, buf_len(in));
		if (rc != 0)
			end_ping(b, rc == 1 ? now_us() - b->pinged : -1);
		break;
	case STREAM_LOWAT:
		break;
	case STREAM_EOF:
	case STREAM_REFUSED:
	case STREAM_TIMEOUT:
	case STREAM_RESET:
		end_ping(b, -1);
		break;
	}
}

bool basic_ping(struct basic *b, void (*done)(void *arg, int64_t us), void *arg)
{
	if (b->pinging)
		return false;
	b->pinging = true;
	b->done = done;
	b->done_arg = arg;
	if (stream_open(b->session, ping_protocol, 1, on_ping, b, &b->ping, NULL) != 0)
		job_queue(b->loop, &b->fail);
	else
		stream_deadline(b->ping, loop_now(b->loop) + BASIC_PING_MS);
	return true;
}

/* ---- life ---- */

int basic_new(struct loop *loop, struct session *s, const struct basic_self *self,
    void (*on_known)(void *arg, const struct basic_peer *), void *arg, struct basic **out)
{
	struct basic *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return ERR_INTERNAL;
	b->loop = loop;
	b->session = s;
	b->self = self;
	b->on_known = on_known;
	b->arg = arg;
	b->fail.run = on_fail;
	identify_reader_init(&b->asked);
	identify_reader_init(&b->pushed);
	*out = b;
	return 0;
}

void basic_free(struct basic *b)
{
	if (b == NULL)
		return;
	job_cancel(b->loop, &b->fail);
	stream_free(b->ask, 0);
	stream_free(b->push, 0);
	stream_free(b->answer, 0);
	stream_free(b->told, 0);
	stream_free(b->ping, 0);
	for (size_t i = 0; i < PING_INBOUND_MAX; i++)
		stream_free(b->echoes[i].st, 0);
	identify_reader_free(&b->asked);
	identify_reader_free(&b->pushed);
	free(b);
}

void basic_start(struct basic *b)
{
	if (stream_open(b->session, ask_protocol, 1, on_ask, b, &b->ask, NULL) == 0)
		stream_deadline(b->ask, loop_now(b->loop) + BASIC_IDENTIFY_MS);
}

const struct basic_peer *basic_peer(const struct basic *b)
{
	return &b->peer;
}
