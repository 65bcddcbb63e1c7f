#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "p2p/holders.h"
#include "p2p/message.h"

#define NOW ((int64_t)1795353600000000)
#define SEC ((int64_t)1000000)
#define URL "https://api.github.com/repos/o/r/pulls?page=2"

static struct holders *h;
static int a, b, c;		/* peers */
static struct holder out[4];

static int begin(void **state)
{
	(void)state;
	h = holders_new();
	return h == NULL;
}

static int finish(void **state)
{
	(void)state;
	holders_free(h);
	return 0;
}

static struct message_entry entry(const char *key, const char *cid, int64_t time)
{
	return (struct message_entry){ .key = span_of(key),
		.url = span_of(URL),
		.cid = span_of(cid),
		.auth = span_of("aa"),
		.timestamp = time,
		.ttl = 300,
		.size = 12 };
}

static enum holders_added add(const void *peer, const char *key, const char *cid, int64_t time)
{
	struct message_entry e = entry(key, cid, time);

	return holders_add(h, peer, &e, NOW, 300);
}

static size_t find(const char *key, int64_t after)
{
	return holders_find(h, span_of(key), span_of(""), after, NOW, out, 4);
}

static void test_order(void **state)
{
	struct message_entry e = entry("k", "old", NOW - 9 * SEC);

	(void)state;
	assert_int_equal(add(&a, "k", "c1", NOW - 3 * SEC), HOLDERS_NEW);
	assert_int_equal(add(&b, "k", "c1", NOW - 3 * SEC), HOLDERS_KNOWN);
	assert_int_equal(add(&b, "k", "c1", NOW - 3 * SEC), HOLDERS_KNOWN);
	assert_int_equal(add(&c, "k", "c2", NOW - 1 * SEC), HOLDERS_NEW);
	e.auth = span_of("mine");
	assert_int_equal(holders_add(h, &a, &e, NOW, 300), HOLDERS_NEW);
	assert_int_equal(holders_count(h), 3);
	assert_int_equal(find("k", 0), 4);
	assert_ptr_equal(out[0].peer, &c);
	assert_true(span_eq(out[3].cid, "old"));
	assert_int_equal(find("k", NOW - 3 * SEC), 1);
	assert_int_equal(find("other", 0), 0);
	assert_int_equal(holders_find(h, span_of("k"), span_of("mine"), 0, NOW, out, 1), 1);
	assert_true(span_eq(out[0].cid, "old"));
	assert_int_equal(holders_find_cid(h, span_of("c1"), NOW, out, 4), 2);
}

static void test_life(void **state)
{
	struct message_entry e = entry("k", "c", NOW + 30 * SEC);

	(void)state;
	/* from the future: its life is reckoned from now */
	assert_int_equal(holders_add(h, &a, &e, NOW, 10), HOLDERS_NEW);
	assert_int_equal(find("k", 0), 1);
	assert_int_equal(out[0].until, NOW + 10 * SEC);
	assert_int_equal(holders_find(h, span_of("k"), span_of(""), 0, NOW + 10 * SEC, out, 4), 0);
	assert_int_equal(add(&a, "k2", "c", NOW + 61 * SEC), HOLDERS_DROPPED);
	assert_int_equal(add(&a, "k2", "c", NOW - 301 * SEC), HOLDERS_DROPPED);
	assert_int_equal(holders_add(h, &b, &e, NOW, -1), HOLDERS_DROPPED);
	e.key = span_of("");
	assert_int_equal(holders_add(h, &b, &e, NOW, 10), HOLDERS_DROPPED);
}

static void test_forgetting(void **state)
{
	(void)state;
	add(&a, "k", "c", NOW - 2 * SEC);
	add(&b, "k", "c", NOW - 2 * SEC);
	add(&a, "l", "c", NOW - 2 * SEC);
	holders_remove(h, &a, span_of("k"));
	assert_int_equal(find("k", 0), 1);
	assert_ptr_equal(out[0].peer, &b);
	holders_remove_peer(h, &a);
	assert_int_equal(find("l", 0), 0);
	assert_int_equal(holders_count(h), 1);
	/* whole segments, older ones only */
	holders_invalidate(h, span_of("/repos/o/r/pull"), NOW);
	holders_invalidate(h, span_of("/repos/o/r"), NOW - 2 * SEC);
	assert_int_equal(holders_count(h), 1);
	holders_invalidate(h, span_of("/repos/o/r"), NOW);
	assert_int_equal(holders_count(h), 0);
}

/* One that announces without end takes no place of the others'. */
static void test_flood(void **state)
{
	char key[32];

	(void)state;
	add(&b, "mine", "c", NOW - SEC);
	for (int i = 0; i < HOLDERS_MAX + 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(add(&a, key, "c", NOW - SEC), HOLDERS_NEW);
	}
	assert_int_equal(holders_count(h), HOLDERS_PER_PEER + 1);
	assert_int_equal(find("mine", 0), 1);
	assert_int_equal(find("k0", 0), 0);
	for (int i = 0; i < HOLDERS_PER_PEER; i++) {
		snprintf(key, sizeof(key), "c%d", i);
		add(&c, key, "c", NOW - SEC);
	}
	assert_int_equal(holders_count(h), HOLDERS_MAX);
}

/* Nor may it hold more memory than all have. */
static void test_flood_of_long_ones(void **state)
{
	char key[HOLDERS_KEY_MAX], number[16];
	size_t n;

	(void)state;
	add(&b, "mine", "c", NOW - SEC);
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	for (int i = 0; i < HOLDERS_PER_PEER; i++) {
		snprintf(number, sizeof(number), "%07d", i);
		memcpy(key, number, 7);
		assert_int_equal(add(&a, key, "c", NOW - SEC), HOLDERS_NEW);
	}
	n = holders_count(h);
	assert_true(n * sizeof(key) < HOLDERS_BYTES_MAX / 2);
	assert_true(n > HOLDERS_BYTES_MAX / 2 / (2 * sizeof(key)));
	assert_int_equal(find("mine", 0), 1);
	holders_remove_peer(h, &a);
	assert_int_equal(holders_count(h), 1);
}

static void test_coordinator(void **state)
{
	struct peerid ids[3];
	const struct peerid *const all[] = { &ids[0], &ids[1], &ids[2] };
	const struct peerid *const turned[] = { &ids[2], &ids[0], &ids[1] };
	size_t seen[3] = { 0 };
	char key[16];

	(void)state;
	for (int i = 0; i < 3; i++)
		ids[i] = (struct peerid){ .n = 2, .bytes = { 0, (uint8_t)i } };
	for (int i = 0; i < 300; i++) {
		size_t at;

		snprintf(key, sizeof(key), "k%d", i);
		at = holders_coordinator(span_of(key), all, 3);
		assert_ptr_equal(all[at], turned[holders_coordinator(span_of(key), turned, 3)]);
		seen[at]++;
	}
	assert_true(seen[0] > 60 && seen[1] > 60 && seen[2] > 60);
	/* as Python's hashlib has it */
	assert_int_equal(holders_coordinator(span_of("k0"), all, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, begin, finish),
		cmocka_unit_test_setup_teardown(test_life, begin, finish),
		cmocka_unit_test_setup_teardown(test_forgetting, begin, finish),
		cmocka_unit_test_setup_teardown(test_flood, begin, finish),
		cmocka_unit_test_setup_teardown(test_flood_of_long_ones, begin, finish),
		cmocka_unit_test(test_coordinator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
