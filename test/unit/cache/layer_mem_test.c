#include "fake.h"
#include "cache/mem.h"

static void test_lookup_and_store(void **state)
{
	struct mem *m = mem_new(10, 1 << 20);
	struct cache_layer *l = layer_mem_new(m);
	struct asked a, b;
	struct lookup lk;

	(void)state;
	asked_get(&a, TOKEN_A, "/user");
	asked_get(&b, TOKEN_B, "/user");
	assert_string_equal(l->name, "memory");
	lk = (struct lookup){ .req = &a.req };
	assert_int_equal(l->lookup(l, &lk), LAYER_NEXT);
	assert_null(lk.own);
	struct entry *e = entry_for(&a, 5, "{}", NULL);
	assert_true(l->store(l, e));
	assert_int_equal(e->refs, 2);
	assert_int_equal(l->lookup(l, &lk), LAYER_NEXT);
	assert_ptr_equal(lk.own, e);
	assert_string_equal(lk.own_layer, "memory");
	assert_int_equal(e->refs, 3);		/* the look-up's own */
	mem_clear(m);
	assert_true(span_eq(lk.own->body, "{}"));
	lookup_set_own(&lk, NULL, NULL);
	lk.req = &b.req;			/* another token's is not found, nor offered */
	l->store(l, e);
	assert_int_equal(l->lookup(l, &lk), LAYER_NEXT);
	assert_null(lk.own);
	assert_null(lk.candidate);
	entry_unref(e);
	layer_free(l);
	layer_free(NULL);
	mem_free(m);
	asked_wipe(&a);
	asked_wipe(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lookup_and_store) };

	return cmocka_run_group_tests_name("cache/layer_mem", tests, NULL, NULL);
}
