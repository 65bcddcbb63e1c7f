#include <string.h>

#include "../base/cm.h"
#include "p2p/standing.h"

static struct standing list[STANDINGS_MAX];

static struct standing *enter(int n)
{
	struct peerid id = { .n = 4, .bytes = { 0, 2, (uint8_t)n, (uint8_t)(n >> 8) } };

	return standing_enter(list, &id);
}

/* Who comes again, or twice at once, has what it had. */
static void test_it_is_kept(void **state)
{
	struct standing *s, *twice;

	(void)state;
	memset(list, 0, sizeof(list));
	s = enter(1);
	s->invalidates = 7;
	twice = enter(1);
	assert_ptr_equal(twice, s);
	standing_leave(s, 10);
	assert_int_equal(s->users, 1);
	standing_leave(s, 20);
	assert_int_equal(enter(2)->invalidates, 0);
	assert_int_equal(enter(1)->invalidates, 7);
}

/* The one that has been gone longest is forgotten, none that is here. */
static void test_it_is_bounded(void **state)
{
	(void)state;
	memset(list, 0, sizeof(list));
	for (int i = 0; i < STANDINGS_MAX; i++)
		enter(i)->invalidates = 1 + (unsigned)i;
	assert_null(enter(1000));
	standing_leave(&list[40], 200);
	standing_leave(&list[50], 100);
	standing_leave(&list[60], 300);
	assert_ptr_equal(enter(1000), &list[50]);
	assert_int_equal(list[50].invalidates, 0);
	assert_int_equal(enter(60)->invalidates, 61);
	assert_ptr_equal(enter(1001), &list[40]);
	assert_null(enter(50));
}

/* Who never was a member cannot make a member's row go, however often it comes. */
static void test_outsiders_go_first(void **state)
{
	(void)state;
	memset(list, 0, sizeof(list));
	for (int i = 0; i < STANDINGS_MAX; i++) {
		struct standing *s = enter(i);

		s->member = i != 7 && i != 9;
		standing_leave(s, 1000 - i);
	}
	for (int i = 0; i < 300; i++)
		standing_leave(enter(2000 + i), 2000 + i);
	for (int i = 0; i < STANDINGS_MAX; i++)
		assert_int_equal(list[i].member, i != 7 && i != 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_kept),
		cmocka_unit_test(test_it_is_bounded),
		cmocka_unit_test(test_outsiders_go_first),
	};

	return cmocka_run_group_tests_name("p2p/standing", tests, NULL, NULL);
}
