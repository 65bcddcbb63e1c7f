#include "cases.h"
#include "http/heads.h"

#define ASK "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: token a\r\n\r\n"

static unsigned forgotten[1000];

static void forget(void *arg, void *note)
{
	assert_ptr_equal(arg, forgotten);
	forgotten[(uintptr_t)note]++;
}

static int setup(void **state)
{
	memset(forgotten, 0, sizeof(forgotten));
	*state = heads_new(forget, forgotten);
	return *state == NULL;
}

static int teardown(void **state)
{
	heads_free(*state);
	return 0;
}

static void *note(uintptr_t n)
{
	return (void *)n;
}

static void keep(struct heads *h, unsigned door, const char *ask, uintptr_t n, int64_t now)
{
	assert_non_null(heads_keep(h, door, span_of(ask), note(n), now));
}

static uintptr_t find(struct heads *h, unsigned door, const char *in, int64_t now)
{
	size_t len = 0;
	struct heads_slot *s = heads_find(h, door, span_of(in), &len, now);

	if (s == NULL)
		return 0;
	assert_int_equal(len, buf_len(&s->ask));
	return (uintptr_t)s->note;
}

static void test_the_same_bytes(void **state)
{
	struct heads *h = *state;

	assert_int_equal(find(h, 0, ASK, 5), 0);
	keep(h, 0, ASK, 1, 5);
	assert_int_equal(find(h, 0, ASK, 5), 1);
	assert_int_equal(find(h, 0, ASK ASK, 5), 1);		/* pipelined */
	assert_int_equal(find(h, 0, ASK "GET /", 5), 1);
	assert_int_equal(find(h, 1, ASK, 5), 0);		/* by another door */
	for (size_t i = 0; i + 1 < sizeof(ASK); i++) { /* every byte counts, and every one must be there */
		char other[sizeof(ASK)] = ASK;

		other[i] = (char)(other[i] ^ 1);
		assert_int_equal(find(h, 0, other, 5), 0);
		memcpy(other, ASK, sizeof(ASK));
		other[i] = '\0';
		assert_int_equal(find(h, 0, other, 5), 0);
	}
	assert_int_equal(forgotten[1], 0);
}

static void test_its_time(void **state)
{
	struct heads *h = *state;

	keep(h, 0, ASK, 1, 100);
	assert_int_equal(find(h, 0, ASK, 100 + HEADS_MS - 1), 1);
	assert_int_equal(find(h, 0, ASK, 100 + HEADS_MS), 0);
	assert_int_equal(forgotten[1], 1);
	keep(h, 0, ASK, 2, 100);
	heads_sweep(h, 100 + HEADS_MS - 1);
	assert_int_equal(forgotten[2], 0);
	heads_sweep(h, 100 + HEADS_MS);
	assert_int_equal(forgotten[2], 1);
	assert_int_equal(find(h, 0, ASK, 100), 0);
}

static void test_replaced_and_dropped(void **state)
{
	struct heads *h = *state;
	size_t len;

	keep(h, 0, ASK, 1, 0);
	keep(h, 0, ASK, 2, 0);
	assert_int_equal(forgotten[1], 1);
	assert_int_equal(find(h, 0, ASK, 1), 2);
	heads_drop(h, heads_find(h, 0, span_of(ASK), &len, 1));
	assert_int_equal(forgotten[2], 1);
	assert_int_equal(find(h, 0, ASK, 1), 0);
}

static void test_seen(void **state)
{
	struct heads *h = *state;
	char longer[HEADS_LEN_MAX + 2];

	assert_false(heads_seen(h, 0, span_of(ASK)));
	assert_true(heads_seen(h, 0, span_of(ASK)));
	assert_false(heads_seen(h, 1, span_of(ASK)));
	memset(longer, 'x', sizeof(longer));
	for (int i = 0; i < 2; i++) {
		assert_false(heads_seen(h, 0, span_make(longer, HEADS_LEN_MAX + 1)));
		assert_int_equal(heads_seen(h, 0, span_make(longer, HEADS_LEN_MAX)), i);
	}
	assert_null(heads_keep(h, 0, span_make(longer, HEADS_LEN_MAX + 1), note(7), 0));
	assert_int_equal(forgotten[7], 1);
}

/* More than there is room for: never more notes than slots, each forgotten once. */
static void test_full(void **state)
{
	struct heads *h = *state;
	unsigned kept = 0;
	char ask[64];

	for (uintptr_t i = 1; i < 1000; i++) {
		snprintf(ask, sizeof(ask), "GET /%u HTTP/1.1\r\n\r\n", (unsigned)i);
		keep(h, 0, ask, i, (int64_t)i);
		assert_int_equal(find(h, 0, ask, (int64_t)i), i);
	}
	for (uintptr_t i = 1; i < 1000; i++) {
		assert_in_range(forgotten[i], 0, 1);
		kept += forgotten[i] == 0;
	}
	assert_in_range(kept, HEADS_SETS, HEADS_SETS * HEADS_WAYS);
	heads_free(h);
	*state = NULL;
	for (uintptr_t i = 1; i < 1000; i++)
		assert_int_equal(forgotten[i], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(the_same_bytes), T(its_time), T(replaced_and_dropped), T(seen), T(full),
	};

	return cmocka_run_group_tests_name("http/heads", tests, NULL, NULL);
}
