#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cm.h"
#include "../netns.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"
#include "p2p/basic.h"
#include "p2p/noise.h"
#include "p2p/swarm.h"

#define ECHO "/echo/1"

static const char *const serves[] = { ECHO };

struct node {
	struct swarm *sw;
	struct ed25519_key key;
	struct peerid id;
	struct multiaddr at;		/* with its id */
	unsigned ups, downs, known, shorts, streams;
	struct basic_peer told;
};

struct rig {
	struct loop *loop;
	struct node node[3];
	struct swarm_params p;
};

struct wait {				/* of swarm_dial and peer_ping */
	struct peer *peer;
	struct err err;
	int64_t us;
	bool done;
};

static void on_up(void *arg, struct peer *p)
{
	peer_set(p, arg);
	((struct node *)arg)->ups++;
}

static void on_down(void *arg, struct peer *p)
{
	assert_ptr_equal(peer_get(p), arg);
	((struct node *)arg)->downs++;
}

static void on_stream(void *arg, struct peer *p, struct stream *st, size_t protocol)
{
	(void)p;
	(void)st;
	assert_int_equal(protocol, 0);
	((struct node *)arg)->streams++;
}

static void on_identify(void *arg, struct peer *p, const struct basic_peer *b)
{
	struct node *n = arg;

	(void)p;
	n->known += b->known;
	n->told = *b;
}

static void on_short(void *arg)
{
	((struct node *)arg)->shorts++;
}

/* Node i with r->p, which listens on a free port of 127.0.0.1. */
static struct node *make(struct rig *r, unsigned i)
{
	struct node *n = &r->node[i];
	uint8_t seed[ED25519_SEED_LEN];
	const struct multiaddr *addrs;

	memset(n, 0, sizeof(*n));
	memset(seed, (int)i + 1, sizeof(seed));
	ed25519_keygen(&n->key, seed);
	r->p.key = &n->key;
	r->p.ops = (struct swarm_ops){ on_up, on_down, on_stream, on_identify, on_short, n };
	assert_int_equal(swarm_new(&r->p, &n->sw, NULL), 0);
	assert_int_equal(swarm_listen(n->sw, NULL), 0);
	n->id = *swarm_id(n->sw);
	if (swarm_addrs(n->sw, &addrs) > 0)
		n->at = addrs[0];
	n->at.peer = n->id;
	return n;
}

static struct addr local;

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_int_equal(loop_new(&r->loop, NULL), 0);
	addr_parse(&local, span_of("127.0.0.1"), 0);
	r->p = (struct swarm_params){ .loop = r->loop, .agent = "test/1", .listen = &local, .nlisten = 1,
		.max_peers = 20, .min_peers = 1, .outbound_max = 8, .handshake_ms = 5000, .serves = serves,
		.nserves = 1 };
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 3; i++)
		swarm_free(r->node[i].sw);
	loop_free(r->loop);
	free(r);
	return 0;
}

static void nudge(struct timer *t)
{
	(void)t;
}

struct end {
	struct job job;
	bool done;
};

static void on_end(struct job *j)
{
	((struct end *)(void *)j)->done = true;
}

#define UNTIL(r, what) \
	do { \
		int64_t until = clock_mono() + 10000; \
		while (!(what)) { \
			assert_true(clock_mono() < until); \
			pass(r); \
		} \
	} while (0)

/* One pass that waits for at most 10 ms. */
static void pass(struct rig *r)
{
	struct timer t = { .fire = nudge };
	struct end e = { .job.run = on_end };

	timer_set(r->loop, &t, loop_now(r->loop) + 10);
	job_queue(r->loop, &e.job);
	assert_int_equal(loop_run(r->loop, &e.done, NULL), 0);
	timer_clear(r->loop, &t);
}

static void on_dialled(void *arg, struct peer *p, const struct err *err)
{
	struct wait *w = arg;

	w->peer = p;
	if (p == NULL)
		w->err = *err;
	w->done = true;
}

static void on_pong(void *arg, int64_t us)
{
	struct wait *w = arg;

	w->us = us;
	w->done = true;
}

static struct peer *dial(struct rig *r, struct node *from, const struct multiaddr *to, struct wait *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(swarm_dial(from->sw, to, on_dialled, w, NULL), 0);
	assert_false(w->done);
	UNTIL(r, w->done);
	return w->peer;
}

static void test_two_meet(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1);
	struct peer *p, *q;
	struct wait w;
	struct buf json;

	p = dial(r, a, &b->at, &w);
	assert_non_null(p);
	assert_true(peerid_same(peer_id(p), &b->id));
	UNTIL(r, a->known == 1 && b->known == 1);
	assert_string_equal(a->told.agent, "test/1");
	assert_int_equal(a->told.naddrs, 1);
	assert_true(multiaddr_same(&a->told.addrs[0], &b->at));
	assert_true(a->told.has_observed);
	assert_false(a->told.speaks_cache);
	q = swarm_peer(b->sw, &a->id);
	assert_non_null(q);
	assert_false(session_dialled(peer_session(q)));
	assert_int_equal(swarm_count(b->sw, PEER_NEW), 1);
	assert_null(swarm_next(a->sw, p));
	memset(&w, 0, sizeof(w));
	assert_true(peer_ping(q, on_pong, &w));
	assert_false(peer_ping(q, on_pong, &w));
	UNTIL(r, w.done);
	assert_in_range(w.us, 1, 5000000);
	buf_init(&json, 65536);
	swarm_report(b->sw, &json);
	assert_non_null(strstr(buf_cstr(&json), "\"direction\":\"in\""));
	assert_non_null(strstr(buf_cstr(&json), "\"agent\":\"test/1\""));
	buf_free(&json);
}

static void test_nobody_there(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1), *c = make(r, 2);
	struct multiaddr wrong = b->at;
	struct wait w;

	wrong.peer = c->id;
	assert_null(dial(r, a, &wrong, &w));
	assert_int_equal(w.err.cls, ERR_DENIED);
	swarm_free(b->sw);
	b->sw = NULL;
	pass(r);
	assert_null(dial(r, a, &b->at, &w));
	assert_true(w.err.msg[0] != '\0');
	assert_int_equal(swarm_stats(a->sw)->failed, 2);
}

static void test_lists(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b, *c;
	struct wait w;

	r->p.block = &a->id;
	r->p.nblock = 1;
	b = make(r, 1);
	r->p.nblock = 0;
	r->p.allow = &b->id;
	r->p.nallow = 1;
	c = make(r, 2);
	dial(r, a, &b->at, &w);
	UNTIL(r, swarm_stats(b->sw)->refused_id == 1);
	dial(r, a, &c->at, &w);
	UNTIL(r, swarm_stats(c->sw)->refused_id == 1);
	UNTIL(r, swarm_next(a->sw, NULL) == NULL);
	assert_non_null(dial(r, b, &c->at, &w));
	UNTIL(r, c->ups == 1);
	assert_int_equal(b->ups, 1);
	dial(r, a, &a->at, &w);
	assert_null(w.peer);
}

static void test_full(void **state)
{
	struct rig *r = *state;
	struct node *a, *b, *c;
	struct wait w;

	r->p.max_peers = 1;
	a = make(r, 0);
	b = make(r, 1);
	c = make(r, 2);
	dial(r, b, &a->at, &w);
	UNTIL(r, a->ups == 1);
	dial(r, c, &a->at, &w);
	UNTIL(r, swarm_stats(a->sw)->refused_full == 1);
	/* who is known to be no member does not count */
	assert_true(peer_set_kind(swarm_peer(a->sw, &b->id), PEER_PLAIN));
	dial(r, c, &a->at, &w);
	UNTIL(r, a->ups == 2);
}

/* Both dial at once, and again: one connection stays, the same for both. */
static void test_duplicates(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1);
	struct wait w[3];

	memset(w, 0, sizeof(w));
	assert_int_equal(swarm_dial(a->sw, &b->at, on_dialled, &w[0], NULL), 0);
	assert_int_equal(swarm_dial(b->sw, &a->at, on_dialled, &w[1], NULL), 0);
	UNTIL(r, w[0].done && w[1].done);
	UNTIL(r, a->ups - a->downs == 1 && b->ups - b->downs == 1 && a->known > 0 && b->known > 0);
	for (int i = 0; i < 20; i++)
		pass(r);
	assert_int_equal(session_dialled(peer_session(swarm_next(a->sw, NULL))),
	    peerid_cmp(&a->id, &b->id) < 0);
	assert_int_not_equal(session_dialled(peer_session(swarm_next(a->sw, NULL))),
	    session_dialled(peer_session(swarm_next(b->sw, NULL))));
	dial(r, a, &b->at, &w[2]);
	UNTIL(r, a->ups - a->downs == 1 && b->ups - b->downs == 1);
	assert_int_equal(swarm_count(a->sw, PEER_NEW), 1);
}

static void test_bootstrap_that_returns(void **state)
{
	struct rig *r = *state;
	struct node *b = make(r, 1), *a;
	uint16_t port = b->at.port;

	r->p.bootstrap = &b->at;
	r->p.nbootstrap = 1;
	a = make(r, 0);
	r->p.nbootstrap = 0;
	swarm_start(a->sw);
	UNTIL(r, a->ups == 1);
	assert_true(peer_is_bootstrap(swarm_next(a->sw, NULL)));
	swarm_free(b->sw);
	b->sw = NULL;
	UNTIL(r, a->downs == 1);
	r->p.port = port;
	make(r, 1);
	UNTIL(r, a->ups == 2);
}

static void test_short_of_peers(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1);
	struct multiaddr self = a->at, low = b->at;

	low.port = 80;
	swarm_start(a->sw);
	UNTIL(r, a->shorts >= 1);
	swarm_learn(a->sw, &self, SWARM_MDNS, true);
	swarm_learn(a->sw, &low, SWARM_MDNS, true);
	swarm_learn(a->sw, &b->at, SWARM_EXCHANGE, false);	/* loopback, heard from afar */
	for (int i = 0; i < 10; i++)
		pass(r);
	assert_int_equal(swarm_stats(a->sw)->dialled, 0);
	swarm_learn(a->sw, &b->at, SWARM_EXCHANGE, true);
	UNTIL(r, a->ups == 1 && b->ups == 1);
}

static void test_shunned(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1);
	struct wait w;

	assert_non_null(dial(r, a, &b->at, &w));
	UNTIL(r, b->ups == 1);
	peer_shun(swarm_next(b->sw, NULL), "a test");
	UNTIL(r, a->downs == 1 && b->downs == 1);
	dial(r, a, &b->at, &w);
	UNTIL(r, swarm_next(a->sw, NULL) == NULL);
	assert_int_equal(b->ups, 1);
	assert_int_equal(swarm_stats(b->sw)->shunned, 2);
}

static void test_half_open(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1);
	int fds[SWARM_UNFINISHED_MAX + 3];
	struct addr to;
	struct wait w;

	assert_true(multiaddr_addr(&a->at, &to));
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&to.ss, to.len), 0);
	}
	UNTIL(r, swarm_stats(a->sw)->refused_handshakes == 3);
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	UNTIL(r, swarm_stats(a->sw)->failed == SWARM_UNFINISHED_MAX);
	assert_non_null(dial(r, b, &a->at, &w));
}

static void test_next_port(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b;
	struct swarm *third;
	struct err err;

	r->p.port = a->at.port;
	r->p.first = (uint16_t)(a->at.port < 60000 ? a->at.port + 1 : a->at.port - 20);
	r->p.last = (uint16_t)(r->p.first + 10);
	b = make(r, 1);
	assert_in_range(b->at.port, r->p.first, r->p.last);
	r->p.first = r->p.last = 0;
	assert_int_equal(swarm_new(&r->p, &third, NULL), 0);
	err_init(&err);
	assert_int_equal(swarm_listen(third, &err), ERR_IO);
	assert_non_null(strstr(err.msg, "no port"));
	swarm_free(third);
}

static void test_stop(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0), *b = make(r, 1);
	struct wait w;

	assert_non_null(dial(r, a, &b->at, &w));
	UNTIL(r, a->known == 1 && b->known == 1);
	swarm_stop(a->sw, 2000);
	UNTIL(r, a->downs == 1 && b->downs == 1);
	assert_null(swarm_next(a->sw, NULL));
	assert_null(dial(r, b, &a->at, &w));
}

/* Every address of a name is tried in turn: here is one that is silent, then ours. */
static void test_names(void **state)
{
	struct rig *r = *state;
	struct node *a, *b;
	struct multiaddr m;
	struct addr six, at;
	struct wait w;
	char text[80];
	int silent = socket(AF_INET, SOCK_STREAM, 0);

	addr_parse(&six, span_of("::1"), 0);
	r->p.handshake_ms = 300;
	a = make(r, 0);
	r->p.listen = &six;
	b = make(r, 1);
	assert_int_equal(b->at.host, MULTIADDR_IP6);
	addr_parse(&at, span_of("127.0.0.1"), b->at.port);
	assert_int_equal(bind(silent, (struct sockaddr *)&at.ss, at.len), 0);
	assert_int_equal(listen(silent, 5), 0);
	/* with an id or without, by either kind of name, or the literal */
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = { "dns/localhost", "dns6/localhost", "ip6/::1",
			"dns4/localhost", "dns/localhost" };

		snprintf(text, sizeof(text), "/%s/tcp/%u", names[i], b->at.port);
		assert_int_equal(multiaddr_parse(&m, span_of(text)), 1);
		if (i != 0)
			m.peer = i == 4 ? a->id : b->id;
		assert_int_equal(dial(r, a, &m, &w) != NULL, i < 3);
		if (i < 3)
			assert_true(peerid_same(peer_id(w.peer), &b->id));
		else
			assert_int_equal(w.err.cls, ERR_TIMEOUT);
		if (i == 4)
			assert_non_null(strstr(w.err.msg, "none of 2 addresses of localhost"));
		UNTIL(r, a->ups - a->downs <= 1);
	}
	close(silent);
}

static bool alone;

/* A new address of ours is pushed to who is connected. */
static void test_push(void **state)
{
	struct rig *r = *state;
	struct node *a, *b;
	struct addr any;
	struct wait w;
	unsigned known;

	if (!alone)
		skip();
	b = make(r, 1);
	addr_parse(&any, span_of("0.0.0.0"), 0);
	r->p.listen = &any;
	a = make(r, 0);
	assert_non_null(dial(r, a, &b->at, &w));
	UNTIL(r, b->known == 1 && a->known == 1);
	assert_int_equal(b->told.naddrs, 1);
	known = b->known;
	swarm_start(a->sw);
	assert_true(netns_add("10.9.8.7"));
	UNTIL(r, b->known > known);
	assert_int_equal(swarm_moves(a->sw), 1);
	assert_int_equal(b->told.naddrs, 2);
	assert_int_equal(b->told.addrs[0].ip[0], 10);
	assert_int_equal(b->told.addrs[0].port, a->at.port);
}

/* Who came, is no member and does nothing, goes; a member and whom we dialled stay. */
static void test_idle(void **state)
{
	struct rig *r = *state;
	struct node *a, *b, *c;
	struct wait w;

	r->p.idle_ms = 400;
	a = make(r, 0);
	b = make(r, 1);
	c = make(r, 2);
	swarm_start(a->sw);
	swarm_start(b->sw);
	assert_non_null(dial(r, b, &a->at, &w));
	assert_non_null(dial(r, c, &a->at, &w));
	UNTIL(r, a->ups == 2);
	assert_true(peer_set_kind(swarm_peer(a->sw, &c->id), PEER_MEMBER));
	UNTIL(r, b->downs == 1);
	assert_int_equal(a->downs, 1);
	for (int i = 0; i < 150; i++)
		pass(r);
	assert_int_equal(a->downs, 1);
	assert_int_equal(c->downs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(two_meet), T(nobody_there), T(lists), T(full), T(duplicates), T(bootstrap_that_returns),
		T(short_of_peers), T(shunned), T(half_open), T(next_port), T(stop), T(names), T(push),
		T(idle),
	};

	alone = netns_enter();
	return cmocka_run_group_tests_name("p2p/swarm", tests, NULL, NULL);
}
