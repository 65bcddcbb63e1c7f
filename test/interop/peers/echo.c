#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/varint.h"
#include "crypto/hash.h"
#include "peers/echo.h"
#include "loop/loop.h"
#include "p2p/swarm.h"

#define PROTOCOL "/ghoard-test/echo/1.0.0"
#define PERIOD ((size_t)65521)
#define BODY_MAX ((uint64_t)64 << 20)
#define PIECE ((size_t)32 << 10)
#define STALL_MS 30000

static const char *const protocols[] = { PROTOCOL };

/* The pattern from there on, and how much of it there is in one piece. */
static const uint8_t *pattern_at(uint64_t i, size_t *n)
{
	static uint8_t all[PERIOD];

	if (all[1] == 0)
		for (size_t k = 0; k < PERIOD; k++)
			all[k] = (uint8_t)(7 * k + (k >> 8));
	*n = PERIOD - (size_t)(i % PERIOD);
	return all + i % PERIOD;
}

static void put_header(struct stream *st, bool with_mode, char mode, uint64_t n)
{
	uint8_t h[1 + VARINT_MAX_LEN];
	size_t len = varint_put(h + 1, n);

	h[0] = (uint8_t)mode;
	stream_write(st, with_mode ? h : h + 1, with_mode ? len + 1 : len);
}

/* Bytes of the pattern from *at to n, as many as are taken. */
static void put_pattern(struct stream *st, uint64_t *at, uint64_t n)
{
	while (*at < n) {
		size_t part;
		const uint8_t *p = pattern_at(*at, &part);

		part = part < PIECE ? part : PIECE;
		part = n - *at < part ? (size_t)(n - *at) : part;
		if (stream_write(st, p, part) != 0)
			return;
		*at += part;
	}
}

/* ---- the server ---- */

struct served {
	struct stream *st;
	struct loop *loop;
	char mode;			/* 0: not read yet */
	uint64_t n, in, out;
	bool ended;
	struct hash_sha256 sha;
};

static void end(struct served *s)
{
	stream_free(s->st, 0);
	free(s);
}

/* 1: the head is read; 0: more is to come; -1: it is none. */
static int read_head(struct served *s)
{
	struct buf *in = stream_in(s->st);
	uint8_t *p = buf_data(in);
	int k;

	if (buf_len(in) < 2)
		return 0;
	k = varint_get(p + 1, buf_len(in) - 1, &s->n);
	if (k == -2)
		return 0;
	if (k < 0 || s->n > BODY_MAX || memchr("edur", p[0], 4) == NULL)
		return -1;
	s->mode = (char)p[0];
	stream_consume(s->st, (size_t)k + 1);
	hash_sha256_init(&s->sha);
	if (s->mode != 'u')
		put_header(s->st, false, 0, s->n);
	return 1;
}

static bool take(struct served *s)
{
	struct buf *in = stream_in(s->st);

	while (buf_len(in) > 0) {
		size_t part = buf_len(in) < PIECE ? buf_len(in) : PIECE;

		if (s->mode == 'e' && stream_write(s->st, buf_data(in), part) != 0)
			return true;
		hash_sha256_add(&s->sha, buf_data(in), part);
		s->in += part;
		stream_consume(s->st, part);
	}
	return s->in <= (s->mode == 'e' || s->mode == 'u' ? s->n : 0);
}

static void put_sum(struct served *s)
{
	uint8_t sum[SHA256_LEN];

	put_header(s->st, false, 0, s->in);
	hash_sha256_out(&s->sha, sum);
	stream_write(s->st, sum, sizeof(sum));
}

/* What can be done now; false: the stream is to be reset. */
static bool work(struct served *s)
{
	bool all_in;

	if (s->mode == 0 && read_head(s) < 0)
		return false;
	if (s->mode == 0)
		return !stream_eof(s->st);
	if (!take(s))
		return false;
	if (s->mode == 'd' || s->mode == 'r')
		put_pattern(s->st, &s->out, s->n);
	if (s->mode == 'r')
		return s->out < s->n || stream_unsent(s->st) > 0;
	all_in = stream_eof(s->st) && buf_len(stream_in(s->st)) == 0;
	if (s->mode != 'd' && all_in && s->in < s->n)
		return false;
	if (!s->ended && (s->mode == 'd' ? s->out == s->n : all_in)) {
		if (s->mode == 'u')
			put_sum(s);
		stream_shutdown(s->st);
		s->ended = true;
	}
	return true;
}

static void on_event(void *arg, struct stream *st, enum stream_event ev)
{
	struct served *s = arg;

	if (ev == STREAM_RESET || ev == STREAM_TIMEOUT || !work(s) || (s->ended && stream_eof(st)))
		end(s);
	else
		stream_deadline(st, loop_now(s->loop) + STALL_MS);
}

static void on_stream(void *arg, struct peer *p, struct stream *st, size_t protocol)
{
	struct served *s = calloc(1, sizeof(*s));

	(void)p;
	(void)protocol;
	if (s == NULL)
		return;
	s->st = st;
	s->loop = arg;
	stream_accept(st, on_event, s);
}

void echo_serve(struct swarm_params *p)
{
	p->serves = protocols;
	p->nserves = 1;
	p->ops.on_stream = on_stream;
	p->ops.arg = p->loop;
}

/* ---- the client ---- */

struct run {
	const struct echo_ask *ask;
	struct peer *peer;
	struct loop *loop;
	uint64_t begun, done, moved;
	int64_t *us;
	struct err *err;
	bool over;
};

struct call {
	struct run *run;
	struct stream *st;
	uint64_t out, in;
	int64_t begin;
	bool headed;
	struct hash_sha256 sha;
	uint8_t sum[SHA256_LEN];
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void begin_more(struct run *r);

static void fail(struct run *r, const char *why)
{
	err_set(r->err, ERR_PROTO, "echo: %s", why);
	r->over = true;
}

static void send_more(struct call *c)
{
	const struct echo_ask *a = c->run->ask;

	if (a->mode == 'd' || c->out == a->bytes)
		return;
	put_pattern(c->st, &c->out, a->bytes);
	if (c->out == a->bytes)
		stream_shutdown(c->st);
}

static bool check(struct call *c, const uint8_t *p, size_t n)
{
	const struct echo_ask *a = c->run->ask;

	for (size_t i = 0, part; i < n && a->mode != 'u'; i += part) {
		const uint8_t *want = pattern_at(c->in + i, &part);

		part = part < n - i ? part : n - i;
		if (memcmp(p + i, want, part) != 0)
			return false;
	}
	if (a->mode == 'u' && c->in + n <= SHA256_LEN)
		memcpy(c->sum + c->in, p, n);
	c->in += n;
	return c->in <= (a->mode == 'u' ? SHA256_LEN : a->bytes);
}

static bool receive(struct call *c)
{
	struct buf *in = stream_in(c->st);
	uint64_t n = 0;
	bool good;

	if (!c->headed) {
		int k = varint_get(buf_data(in), buf_len(in), &n);

		if (k == -2)
			return true;
		if (k < 0 || n != c->run->ask->bytes)
			return false;
		c->headed = true;
		stream_consume(c->st, (size_t)k);
	}
	good = check(c, buf_data(in), buf_len(in));
	stream_consume(c->st, buf_len(in));
	return good;
}

static bool is_whole(struct call *c)
{
	const struct echo_ask *a = c->run->ask;
	struct hash_sha256 sha;
	uint8_t sum[SHA256_LEN];
	size_t part;

	if (a->mode != 'u')
		return c->headed && c->in == a->bytes;
	hash_sha256_init(&sha);
	for (uint64_t i = 0; i < a->bytes; i += part) {
		const uint8_t *p = pattern_at(i, &part);

		part = a->bytes - i < part ? (size_t)(a->bytes - i) : part;
		hash_sha256_add(&sha, p, part);
	}
	hash_sha256_out(&sha, sum);
	return c->in == SHA256_LEN && memcmp(sum, c->sum, SHA256_LEN) == 0;
}

static void finish(struct call *c)
{
	struct run *r = c->run;

	r->us[r->done++] = now_us() - c->begin;
	if (!is_whole(c))
		fail(r, "the answer is not what was asked for");
	stream_shutdown(c->st);
	stream_free(c->st, 0);
	free(c);
	if (r->done == r->ask->times)
		r->over = true;
	else
		begin_more(r);
}

static void on_call(void *arg, struct stream *st, enum stream_event ev)
{
	struct call *c = arg;

	switch (ev) {
	case STREAM_OPEN:
	case STREAM_LOWAT:
		send_more(c);
		break;
	case STREAM_DATAIN:
		stream_deadline(st, loop_now(c->run->loop) + STALL_MS);
		if (!receive(c))
			fail(c->run, "another byte than was sent");
		break;
	case STREAM_EOF:
		finish(c);
		break;
	case STREAM_REFUSED:
	case STREAM_TIMEOUT:
	case STREAM_RESET:
		fail(c->run, ev == STREAM_REFUSED ? "refused" : ev == STREAM_RESET ? "reset" : "stalled");
		stream_free(st, 0);
		free(c);
		break;
	}
}

static void begin_more(struct run *r)
{
	/* The first alone: js allows no more than ten before it has set up its side. */
	uint64_t at_once = r->done > 0 ? r->ask->at_once : 1;

	while (!r->over && r->begun < r->ask->times && r->begun - r->done < at_once) {
		struct call *c = calloc(1, sizeof(*c));

		if (c == NULL ||
		    stream_open(peer_session(r->peer), protocols, 1, on_call, c, &c->st, r->err) != 0) {
			free(c);
			r->over = true;
			return;
		}
		c->run = r;
		c->begin = now_us();
		r->begun++;
		stream_deadline(c->st, loop_now(r->loop) + STALL_MS);
		put_header(c->st, true, r->ask->mode, r->ask->bytes);
		if (r->ask->mode == 'd')
			stream_shutdown(c->st);
		else
			send_more(c);
	}
}

static void on_peer(void *arg, struct peer *p, const struct err *err)
{
	struct run *r = arg;

	if (p == NULL) {
		err_set(r->err, ERR_UNAVAIL, "%s", err->msg);
		r->over = true;
		return;
	}
	r->peer = p;
	begin_more(r);
}

static void print(const struct run *r, int64_t took)
{
	double bytes = (double)r->ask->bytes * (double)r->done * (r->ask->mode == 'e' ? 2 : 1);

	printf("{\"done\":%llu,\"us\":[", (unsigned long long)r->done);
	for (uint64_t i = 0; i < r->done; i++)
		printf("%s%lld", i > 0 ? "," : "", (long long)r->us[i]);
	printf("],\"mbps\":%.1f}\n", took > 0 ? bytes / (double)took : 0.0);
}

int echo_run(struct swarm_params *p, const struct multiaddr *m, const struct echo_ask *ask, struct err *err)
{
	struct run r = { .ask = ask, .loop = p->loop, .err = err };
	struct swarm *sw = NULL;
	int64_t begin = now_us();

	r.us = calloc(ask->times, sizeof(*r.us));
	if (r.us == NULL)
		return err_set(err, ERR_INTERNAL, "no memory");
	if (swarm_new(p, &sw, err) == 0 && swarm_dial(sw, m, on_peer, &r, err) == 0)
		loop_run(p->loop, &r.over, err);
	if (err->cls == 0)
		print(&r, now_us() - begin);
	swarm_free(sw);
	free(r.us);
	return err->cls;
}
