#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../guard.h"
#include "base/buf.h"
#include "p2p/registry.h"

static const uint8_t group[WIRE_GROUP_KEY_LEN] = { 1, 2, 3 }, other_group[WIRE_GROUP_KEY_LEN] = { 9 };
static const uint8_t pub[ED25519_PUB_LEN] = { 4, 5, 6 };
static const struct registry_scope scope = { group, REGISTRY_PREFIX, "net", "o/r" };
static struct multiaddr addrs[REGISTRY_ADDRS_MAX];
static struct registry_record r;

static void make(struct buf *key, size_t naddrs)
{
	char text[64];

	for (size_t i = 0; i < naddrs; i++) {
		snprintf(text, sizeof(text), "/ip4/192.0.2.%zu/tcp/9000", i + 1);
		assert_int_equal(multiaddr_parse(&addrs[i], span_of(text)), 1);
	}
	buf_init(key, 1024);
	assert_int_equal(registry_seal(&scope, pub, 1795353600, addrs, naddrs, key, NULL), 0);
}

static void test_there_and_back(void **state)
{
	struct peerid id;
	struct buf key, front;

	(void)state;
	peerid_of_ed25519(&id, pub);
	for (size_t n = 0; n <= REGISTRY_ADDRS_MAX; n++) {
		make(&key, n);
		assert_true(registry_open(&scope, buf_span(&key), &r));
		assert_int_equal(r.naddrs, n);
		assert_int_equal(r.expiry, 1795353600);
		assert_true(peerid_same(&r.id, &id));
		for (size_t i = 0; i < n; i++)
			assert_true(multiaddr_same(&r.addrs[i], &addrs[i]) &&
			    peerid_same(&r.addrs[i].peer, &id));
		assert_int_equal(span_chr(buf_span(&key), ','), -1);
		buf_free(&key);
	}
	/* SHA-256("net"), by another program */
	buf_init(&front, 64);
	registry_front(&scope, &front);
	assert_true(span_eq(buf_span(&front), "p2p-peers-a08a0fcb-"));
	buf_free(&front);
}

static void test_limit(void **state)
{
	char name[MULTIADDR_NAME_MAX + 32];
	struct buf key;

	(void)state;
	for (size_t i = 0; i < REGISTRY_ADDRS_MAX; i++) {
		snprintf(name, sizeof(name), "/dns4/%0100zu.test/tcp/9000", i);
		assert_int_equal(multiaddr_parse(&addrs[i], span_of(name)), 1);
	}
	buf_init(&key, 1024);
	assert_int_equal(registry_seal(&scope, pub, 1, addrs, REGISTRY_ADDRS_MAX, &key, NULL), 0);
	assert_true(buf_len(&key) <= REGISTRY_KEY_MAX);
	assert_true(registry_open(&scope, buf_span(&key), &r));
	assert_int_equal(r.naddrs, 2);
	buf_free(&key);
}

static void test_others(void **state)
{
	const struct registry_scope scopes[] = { { other_group, REGISTRY_PREFIX, "net", "o/r" },
		{ group, REGISTRY_PREFIX, "ten", "o/r" }, { group, REGISTRY_PREFIX, "net", "o/x" },
		{ group, "other", "net", "o/r" } };
	struct buf key;

	(void)state;
	make(&key, 2);
	for (size_t i = 0; i < 4; i++)
		assert_false(registry_open(&scopes[i], buf_span(&key), &r));
	buf_free(&key);
}

static void test_damage(void **state)
{
	struct buf key;

	(void)state;
	make(&key, 2);
	for (size_t i = 0; i < buf_len(&key); i++) {
		assert_false(registry_open(&scope, span_make(guard_put(buf_data(&key), i), i), &r));
		buf_data(&key)[i] ^= 1;
		/* but the bits of the last character that stand for nothing */
		if (i + 1 < buf_len(&key))
			assert_false(registry_open(&scope, buf_span(&key), &r));
		buf_data(&key)[i] ^= 1;
	}
	assert_true(registry_open(&scope, buf_span(&key), &r));
	buf_free(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_limit), cmocka_unit_test(test_others), cmocka_unit_test(test_damage) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
