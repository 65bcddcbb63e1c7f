#include <string.h>

#include "../base/cm.h"
#include "crypto/cid.h"
#include "p2p/shelf.h"

static struct span cid_of_number(char room[static CID_TEXT_LEN + 1], int n)
{
	char text[32];

	snprintf(text, sizeof(text), "body %d", n);
	cid_of(room, text, strlen(text));
	return span_of(room);
}

static void test_put_and_find(void **state)
{
	struct shelf *s = shelf_new();
	char room[CID_TEXT_LEN + 1];
	struct span cid = cid_of_number(room, 1);

	(void)state;
	assert_int_equal(shelf_find(s, cid).n, 0);
	shelf_put(s, cid, span_of("a:/repos/o/r:0"));
	assert_true(span_eq(shelf_find(s, cid), "a:/repos/o/r:0"));
	shelf_put(s, cid, span_of("b:/repos/o/r:1"));
	assert_true(span_eq(shelf_find(s, cid), "b:/repos/o/r:1"));
	shelf_put(s, span_of("no CID"), span_of("c"));
	assert_int_equal(shelf_find(s, span_of("no CID")).n, 0);
	assert_int_equal(shelf_find(s, span_of("")).n, 0);
	shelf_free(s);
}

/* It stays as large as it is: of many the newest are found, and never another's key. */
static void test_full(void **state)
{
	struct shelf *s = shelf_new();
	char room[CID_TEXT_LEN + 1], key[32];
	int found = 0;

	(void)state;
	for (int i = 0; i < 3 * SHELF_ROWS; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		shelf_put(s, cid_of_number(room, i), span_of(key));
	}
	for (int i = 0; i < 3 * SHELF_ROWS; i++) {
		struct span got = shelf_find(s, cid_of_number(room, i));

		snprintf(key, sizeof(key), "key %d", i);
		if (got.n > 0)
			assert_true(span_eq(got, key));
		found += got.n > 0;
		if (i == 3 * SHELF_ROWS - 1)
			assert_true(got.n > 0);
	}
	assert_in_range(found, SHELF_ROWS / 2, SHELF_ROWS);
	shelf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_find),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("p2p/shelf", tests, NULL, NULL);
}
