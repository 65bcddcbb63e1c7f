#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/err.h"
#include "crypto/fernet.h"
#include "p2p/group.h"
#include "p2p/legacy.h"

/* A token that the reference made, and the second it did. */
#define SECRET "ghp_0123456789abcdefghijABCDEFGHIJ012345"
#define NOW 1795353600
#define TOKEN                                                                                                \
	"gAAAAABrAuwAwb6cxcG7EE_gVT7hKzRL4HRaRyayAcznKamE6BlegJM7E-9ZsaX-1bEyl_4mNLreNTE_Wm5hec5x_9z-"       \
	"B6X9jJ66"                                                                                           \
	"7Xhf64MMTkbtHzEQWYp26UcoBAmLKZqg-CtjO5SdqIIvm4U4kJCOlxmvv_"                                         \
	"ylqnPIgVvOmYQZbHXQ897MCDASRe66rr75dpVE57iv"                                                         \
	"704R4yOn0nuWLDb8Tchz473BqwcRo_9Qb5-"                                                                \
	"93i17j0hE5IvTPzbtiVwbU3JyWfQenfWhWxaGF5w1TU8dF0huRND5QE0JZnkjYwjc"                                  \
	"ouxTaBSt1xY="
#define ENTRY                                                                                                \
	"{\"data\": {\"name\": \"hello\"}, \"timestamp\": 1795353600.25, \"ttl\": 300, \"content_hash\": "   \
	"null, "                                                                                             \
	"\"validation_fields\": null}"

static uint8_t group[WIRE_GROUP_KEY_LEN];

static int try_open(struct span token, int64_t now_s, struct legacy_message *m)
{
	struct err err;

	err_init(&err);
	return legacy_open(m, group, span_make(guard_put(token.p, token.n), token.n), now_s, &err);
}

static void test_theirs(void **state)
{
	static const int offs[] = { -LEGACY_SKEW_S, 0, LEGACY_SKEW_S, -LEGACY_SKEW_S - 1, LEGACY_SKEW_S + 1 };
	struct legacy_message m;

	(void)state;
	for (size_t i = 0; i < COUNT(offs); i++) {
		assert_int_equal(try_open(span_of(TOKEN), NOW + offs[i], &m), i < 3 ? 0 : ERR_DENIED);
		if (i < 3) {
			assert_true(span_eq(m.key, "get_repo_info:octo/hello"));
			assert_true(span_eq(m.entry, ENTRY));
		}
		legacy_free(&m);
	}
	group[0] ^= 1;
	assert_int_equal(try_open(span_of(TOKEN), NOW, &m), ERR_DENIED);
	legacy_free(&m);
	group[0] ^= 1;
}

static void test_ours(void **state)
{
	struct legacy_message m;
	struct err err;
	struct buf b;

	(void)state;
	err_init(&err);
	buf_init(&b, LEGACY_MAX);
	assert_int_equal(legacy_seal(group, span_of("op:\"\xc3\xa4"), span_of(ENTRY), NOW, &b, &err), 0);
	assert_int_equal(legacy_is_token(buf_data(&b), buf_len(&b)), 1);
	assert_int_equal(try_open(buf_span(&b), NOW, &m), 0);
	assert_true(span_eq(m.key, "op:\"\xc3\xa4") && span_eq(m.entry, ENTRY));
	legacy_free(&m);
	buf_free(&b);
}

/* The largest that fits, and one more block. */
static void test_largest(void **state)
{
	size_t max = LEGACY_MAX / 4 * 3;
	char *text = malloc(max + 1);
	struct legacy_message m;
	struct err err;
	struct buf b;
	size_t n = max;

	(void)state;
	memset(text, ' ', max);
	memcpy(text, "{\"data\":1", 9);
	while (FERNET_LETTERS(n + sizeof("{\"key\": \"k\", \"entry\": }") - 1) > LEGACY_MAX)
		n--;
	text[n - 1] = '}';
	err_init(&err);
	buf_init(&b, LEGACY_MAX);
	assert_int_equal(legacy_seal(group, span_of("k"), span_make(text, n), NOW, &b, &err), 0);
	assert_true(buf_len(&b) <= LEGACY_MAX && buf_len(&b) > LEGACY_MAX - 64);
	assert_int_equal(try_open(buf_span(&b), NOW, &m), 0);
	assert_int_equal(m.entry.n, n);
	legacy_free(&m);
	buf_clear(&b);
	assert_int_equal(legacy_seal(group, span_of("k"), span_make(text, n + 1), NOW, &b, &err), ERR_LIMIT);
	buf_free(&b);
	free(text);
}

static void test_others(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"key\":\"k\"}", "{\"entry\":{\"data\":1}}",
		"{\"key\":1,\"entry\":{\"data\":1}}", "{\"key\":\"\",\"entry\":{\"data\":1}}",
		"{\"key\":\"k\",\"entry\":[1]}", "{\"key\":\"k\",\"entry\":{}}",
		"{\"key\":\"k\",\"entry\":{\"data\":1}} x" };
	static const uint8_t iv[FERNET_IV_LEN];
	struct legacy_message m;
	struct fernet f;
	struct buf b;

	(void)state;
	fernet_init(&f, group);
	for (size_t i = 0; i < COUNT(bad); i++) {
		buf_init(&b, LEGACY_MAX);
		assert_int_equal(fernet_seal(&f, iv, NOW, span_of(bad[i]), &b), 0);
		assert_int_equal(try_open(buf_span(&b), NOW, &m), ERR_PROTO);
		legacy_free(&m);
		buf_clear(&b);
		assert_int_equal(fernet_seal(&f, iv, UINT64_MAX - i, span_of(bad[i]), &b), 0);
		assert_int_equal(try_open(buf_span(&b), NOW, &m), ERR_DENIED);
		legacy_free(&m);
		buf_free(&b);
	}
}

static void test_beginnings(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int token, plain;
	} cases[] = { { "", 0, -2, -2 }, { "g", 1, -2, 0 }, { "gAAAA", 5, -2, 0 }, { "gAAAAA", 6, 1, 0 },
		{ "gAAAAAx", 7, 1, 0 }, { "gAAAAB", 6, 0, 0 }, { "g\1", 2, 0, 0 }, { "{", 1, 0, -2 },
		{ "{\"", 2, 0, 1 }, { "{\1", 2, 0, 0 }, { "x", 1, 0, 0 } };

	(void)state;
	assert_true(legacy_is_token(NULL, 0) == -2 && legacy_is_plain(NULL, 0) == -2);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const void *p = guard_put(cases[i].text, cases[i].n);

		assert_int_equal(legacy_is_token(p, cases[i].n), cases[i].token);
		assert_int_equal(legacy_is_plain(p, cases[i].n), cases[i].plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_theirs),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_beginnings),
	};

	group_derive(group, span_of(SECRET));
	return cmocka_run_group_tests_name("p2p/legacy", tests, NULL, NULL);
}
