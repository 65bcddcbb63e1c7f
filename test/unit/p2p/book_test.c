#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "p2p/book.h"

static struct multiaddr at(uint8_t host, uint16_t port, uint8_t peer)
{
	struct multiaddr m = { .host = MULTIADDR_IP4, .ip = { 10, 0, 0, host }, .port = port };

	if (peer > 0)
		m.peer = (struct peerid){ .n = 3, .bytes = { 0, 1, peer } };
	return m;
}

static bool skip_none(void *arg, const struct multiaddr *m)
{
	(void)arg;
	(void)m;
	return false;
}

static bool skip_host(void *arg, const struct multiaddr *m)
{
	return m->ip[3] == *(uint8_t *)arg;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct book));
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void test_order(void **state)
{
	struct book *b = *state;
	struct multiaddr x = at(1, 4000, 1), y = at(2, 4000, 2), z = at(3, 4000, 3);
	uint8_t host = 2;

	book_learn(b, &x, SWARM_EXCHANGE);
	book_learn(b, &y, SWARM_BOOTSTRAP);
	book_learn(b, &z, SWARM_MDNS);
	book_learn(b, &z, SWARM_REGISTRY);
	assert_int_equal(b->n, 3);
	assert_int_equal(book_next(b, 1, skip_none, NULL)->addr.ip[3], 2);
	assert_int_equal(book_next(b, 1, skip_host, &host)->addr.ip[3], 3);
	book_next(b, 1, skip_none, NULL)->busy = true;
	book_next(b, 1, skip_none, NULL)->busy = true;
	assert_int_equal(book_next(b, 1, skip_none, NULL)->addr.ip[3], 1);
	book_next(b, 1, skip_none, NULL)->busy = true;
	assert_null(book_next(b, 1, skip_none, NULL));
	assert_int_equal(book_due(b), 0);
}

static void test_learning_the_id(void **state)
{
	struct book *b = *state;
	struct multiaddr bare = at(1, 4000, 0), full = at(1, 4000, 7), other = at(1, 4000, 8);

	book_learn(b, &bare, SWARM_BOOTSTRAP);
	book_learn(b, &full, SWARM_EXCHANGE);
	assert_int_equal(b->n, 1);
	assert_true(peerid_same(&b->entries[0].addr.peer, &full.peer));
	book_learn(b, &other, SWARM_EXCHANGE);
	assert_int_equal(b->n, 2);
}

static void test_pauses_grow(void **state)
{
	struct book *b = *state;
	struct multiaddr m = at(1, 4000, 1);
	struct book_entry *e;
	int64_t now = 1000, top = SWARM_BACKOFF_MIN;

	book_learn(b, &m, SWARM_BOOTSTRAP);
	e = book_next(b, now, skip_none, NULL);
	for (int i = 0; i < 30; i++) {
		e->busy = true;
		book_done(e, false, now);
		assert_in_range(e->next, now + top / 10, now + top);
		assert_null(book_next(b, e->next - 1, skip_none, NULL));
		assert_int_equal(book_due(b), e->next);
		now = e->next;
		assert_ptr_equal(book_next(b, now, skip_none, NULL), e);
		top = top * 2 < SWARM_BACKOFF_MAX ? top * 2 : SWARM_BACKOFF_MAX;
	}
	book_done(e, true, now);
	assert_in_range(e->next, now, now + SWARM_BACKOFF_MIN);
}

static void test_given_up(void **state)
{
	struct book *b = *state;
	struct multiaddr m = at(1, 4000, 1), again = at(2, 4000, 2);
	struct book_entry *e;

	book_learn(b, &m, SWARM_EXCHANGE);
	e = &b->entries[0];
	for (int i = 0; i < SWARM_FAILS_MAX; i++) {
		assert_ptr_equal(book_next(b, INT64_MAX, skip_none, NULL), e);
		book_done(e, false, 1000);
	}
	assert_null(book_next(b, INT64_MAX, skip_none, NULL));
	assert_int_equal(book_due(b), 0);
	assert_null(book_find(b, &m));
	book_learn(b, &again, SWARM_EXCHANGE);
	assert_int_equal(b->n, 1);
}

static void test_full(void **state)
{
	struct book *b = *state;
	struct multiaddr m = at(1, 1, 0), more = at(9, 9, 9);

	for (uint16_t port = 1; port <= SWARM_KNOWN_MAX; port++) {
		m.port = port;
		book_learn(b, &m, SWARM_EXCHANGE);
	}
	assert_int_equal(b->n, SWARM_KNOWN_MAX);
	b->entries[77].fails = 3;
	b->entries[78].fails = 4;
	b->entries[78].busy = true;
	book_learn(b, &more, SWARM_EXCHANGE);
	assert_int_equal(b->n, SWARM_KNOWN_MAX);
	assert_int_equal(b->entries[77].addr.port, 9);
}

/* What peers name pushes out nothing that is better: a flood of it only itself. */
static void test_sources(void **state)
{
	struct book *b = *state;
	struct multiaddr good[4] = { at(1, 1, 1), at(2, 2, 2), at(3, 3, 3), at(4, 4, 4) }, m = at(9, 1, 0);

	book_learn(b, &good[0], SWARM_BOOTSTRAP);
	book_learn(b, &good[1], SWARM_MDNS);
	book_learn(b, &good[2], SWARM_REGISTRY);
	book_learn(b, &good[3], SWARM_EXCHANGE);
	book_done(book_find(b, &good[3]), true, 1000);
	for (int i = 1; i < 4; i++)
		book_find(b, &good[i])->fails = SWARM_FAILS_MAX - 1;
	for (uint16_t port = 1; port <= 2 * SWARM_KNOWN_MAX; port++) {
		m.port = port;
		book_learn(b, &m, SWARM_EXCHANGE);
		assert_true(port > SWARM_KNOWN_MAX || book_find(b, &m) != NULL);
	}
	for (int i = 0; i < 4; i++)
		assert_non_null(book_find(b, &good[i]));
	/* the LAN finds a place, of a quarter */
	for (uint16_t port = 1; port <= 2 * SWARM_KNOWN_MAX; port++) {
		m.ip[3] = 8;
		m.port = port;
		book_learn(b, &m, SWARM_MDNS);
	}
	size_t lan = 0;
	for (size_t i = 0; i < b->n; i++)
		lan += b->entries[i].via == SWARM_MDNS;
	assert_int_equal(lan, SWARM_KNOWN_MAX / 4);
	assert_non_null(book_find(b, &m));
	/* a better one finds a place, until all are as good */
	for (uint16_t port = 1; port <= 2 * SWARM_KNOWN_MAX; port++) {
		m.ip[3] = 7;
		m.port = port;
		book_learn(b, &m, SWARM_REGISTRY);
	}
	for (size_t i = 0; i < b->n; i++)
		assert_true(b->entries[i].via <= SWARM_REGISTRY || b->entries[i].proven);
	m.ip[3] = 6;
	book_learn(b, &m, SWARM_EXCHANGE);
	assert_null(book_find(b, &m));
	assert_non_null(book_find(b, &good[0]));
}

static void test_shunned(void **state)
{
	struct book *b = *state;
	struct multiaddr m = at(1, 4000, 1);
	int64_t now = 1000, ms = SWARM_SHUN_MIN;

	book_learn(b, &m, SWARM_BOOTSTRAP);
	for (int i = 0; i < 7; i++) {
		book_shun(b, &m.peer, now);
		assert_true(book_is_shunned(b, &m.peer, now + ms - 1));
		assert_null(book_next(b, now + ms - 1, skip_none, NULL));
		assert_false(book_is_shunned(b, &m.peer, now + ms));
		assert_non_null(book_next(b, now + ms, skip_none, NULL));
		ms = ms * 2 < SWARM_SHUN_MAX ? ms * 2 : SWARM_SHUN_MAX;
	}
	for (int i = 2; i < 200; i++) {
		struct peerid id = at(1, 1, (uint8_t)i).peer;

		book_shun(b, &id, now + i);
		assert_true(book_is_shunned(b, &id, now + i));
	}
	assert_int_equal(b->nshunned, BOOK_SHUNNED_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(order), T(learning_the_id), T(pauses_grow), T(given_up), T(full), T(sources), T(shunned),
	};

	return cmocka_run_group_tests_name("p2p/book", tests, NULL, NULL);
}
