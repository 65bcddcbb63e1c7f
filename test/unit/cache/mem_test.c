#include <stdio.h>
#include <stdlib.h>

#include "../store/made.h"
#include "cache/mem.h"

static struct entry *numbered(unsigned n, const char *auth, size_t body)
{
	struct entry_parts p = made_parts();
	char key[64], *text = malloc(body + 3);

	snprintf(key, sizeof(key), "op:/repos/o/%u:0123456789abcdef", n);
	memset(text, ' ', body + 2);
	text[0] = '[';
	text[body + 1] = ']';
	p.key = span_of(key);
	p.auth = span_of(auth);
	p.body = span_make(text, body + 2);
	struct entry *e = made(&p);
	free(text);
	return e;
}

/* The memory's own reference alone holds it. */
static void put(struct mem *m, unsigned n, const char *auth, size_t body)
{
	struct entry *e = numbered(n, auth, body);

	mem_put(m, e);
	entry_unref(e);
}

static struct entry *get(struct mem *m, unsigned n, const char *auth)
{
	char key[64];

	snprintf(key, sizeof(key), "op:/repos/o/%u:0123456789abcdef", n);
	return mem_get(m, span_of(key), span_of(auth));
}

static void test_get_and_replace(void **state)
{
	struct mem *m = mem_new(10, 1 << 20);
	struct entry *e = numbered(1, TAG, 10), *other = numbered(1, TAG, 20);

	(void)state;
	assert_null(get(m, 1, TAG));
	mem_put(m, e);
	mem_put(m, e);			/* the same again: nothing */
	assert_int_equal(e->refs, 2);
	assert_ptr_equal(get(m, 1, TAG), e);
	assert_int_equal(e->refs, 2);	/* borrowed */
	assert_null(get(m, 1, TAG2));
	assert_null(get(m, 2, TAG));
	assert_int_equal(mem_count(m), 1);
	assert_int_equal(mem_bytes(m), entry_size(e));
	mem_put(m, other);
	assert_int_equal(e->refs, 1);
	assert_ptr_equal(get(m, 1, TAG), other);
	assert_int_equal(mem_count(m), 1);
	assert_int_equal(mem_bytes(m), entry_size(other));
	put(m, 1, TAG2, 5);		/* another token's, side by side */
	assert_ptr_equal(get(m, 1, TAG), other);
	assert_int_equal(mem_count(m), 2);
	mem_drop(m, other->key, span_of(TAG));
	mem_drop(m, other->key, span_of(TAG));
	assert_null(get(m, 1, TAG));
	assert_non_null(get(m, 1, TAG2));
	assert_int_equal(other->refs, 1);
	mem_clear(m);
	assert_int_equal(mem_count(m) + mem_bytes(m), 0);
	entry_unref(e);
	entry_unref(other);
	mem_free(m);
	mem_free(NULL);
}

static void test_oldest_goes(void **state)
{
	struct mem *m = mem_new(3, 1 << 20);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		put(m, i, TAG, 10);
	assert_non_null(get(m, 0, TAG));	/* used: now 1 is the oldest */
	put(m, 3, TAG, 10);
	assert_null(get(m, 1, TAG));
	put(m, 4, TAG, 10);
	assert_null(get(m, 2, TAG));
	assert_non_null(get(m, 0, TAG));
	assert_non_null(get(m, 3, TAG));
	assert_int_equal(mem_count(m), 3);
	mem_free(m);
}

static void test_bytes(void **state)
{
	struct entry *e = numbered(0, TAG, 1000);
	size_t one = entry_size(e);
	struct mem *m = mem_new(100, 3 * one + one / 2);

	(void)state;
	entry_unref(e);
	for (unsigned i = 0; i < 10; i++) {
		put(m, i, TAG, 1000);
		assert_true(mem_bytes(m) <= 3 * one + one / 2);
	}
	assert_int_equal(mem_count(m), 3);
	assert_non_null(get(m, 9, TAG));
	assert_non_null(get(m, 7, TAG));
	assert_null(get(m, 6, TAG));
	put(m, 10, TAG, 100000);		/* larger than all: not kept, and nothing goes for it */
	assert_null(get(m, 10, TAG));
	assert_int_equal(mem_count(m), 3);
	put(m, 9, TAG, 100000);			/* but what it replaces is not served any more */
	assert_null(get(m, 9, TAG));
	assert_int_equal(mem_count(m), 2);
	mem_free(m);
}

static void test_nothing_is_kept(void **state)
{
	struct mem *none = mem_new(0, 1 << 20), *empty = mem_new(10, 0);

	(void)state;
	put(none, 1, TAG, 1);
	put(empty, 1, TAG, 1);
	assert_null(get(none, 1, TAG));
	assert_null(get(empty, 1, TAG));
	mem_free(none);
	mem_free(empty);
}

/* Against a plain array: thousands of random steps give the same. */
static void test_like_a_list(void **state)
{
	enum { ROOM = 40, NAMES = 100 };
	struct mem *m = mem_new(ROOM, 1 << 20);
	unsigned order[ROOM], n = 0, seed = 7;

	(void)state;
	for (unsigned step = 0; step < 4000; step++) {
		unsigned name = (seed = seed * 1103515245 + 12345) >> 16 & 0x7FFF, at = 0;
		bool write = name % 3 == 0;

		name %= NAMES;
		while (at < n && order[at] != name)
			at++;
		if (write)
			put(m, name, TAG, 5);
		else
			assert_int_equal(get(m, name, TAG) != NULL, at < n);
		if (at == n && !write)
			continue;
		if (at == n && n < ROOM)
			n++;
		if (at == ROOM)
			at = ROOM - 1;
		memmove(order + 1, order, at * sizeof(order[0]));
		order[0] = name;
		assert_int_equal(mem_count(m), n);
	}
	assert_int_equal(n, ROOM);
	mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_and_replace),
		cmocka_unit_test(test_oldest_goes),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_nothing_is_kept),
		cmocka_unit_test(test_like_a_list),
	};

	return cmocka_run_group_tests_name("cache/mem", tests, NULL, NULL);
}
