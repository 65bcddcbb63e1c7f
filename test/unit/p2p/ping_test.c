#include "../guard.h"
#include "bytes.h"
#include "p2p/ping.h"

static void test_echo(void **state)
{
	uint8_t data[100];

	(void)state;
	for (uint8_t i = 0; i < sizeof(data); i++)
		data[i] = i;
	for (size_t step = 1; step <= sizeof(data); step++) {
		struct ping g = { .have = 0 };
		struct buf out;

		buf_init(&out, 200);
		for (size_t at = 0; at < sizeof(data); at += step) {
			size_t n = sizeof(data) - at < step ? sizeof(data) - at : step;

			ping_echo(&g, guard_put(data + at, n), n, &out);
			/* whole blocks only, as soon as they are whole */
			assert_int_equal(buf_len(&out), (at + n) / PING_LEN * PING_LEN);
		}
		assert_memory_equal(buf_data(&out), data, 96);
		buf_free(&out);
	}
}

static void test_check(void **state)
{
	uint8_t block[PING_LEN], other[PING_LEN + 1] = { 0 };
	struct ping g;
	struct buf out;

	(void)state;
	memset(block, 7, sizeof(block));
	buf_init(&out, 100);
	ping_start(&g, block, &out);
	assert_int_equal(buf_len(&out), PING_LEN);
	for (size_t i = 0; i < PING_LEN; i++)
		assert_int_equal(ping_check(&g, guard_put(block + i, 1), 1), i == PING_LEN - 1);
	assert_int_equal(ping_check(&g, block, 1), -1);
	ping_start(&g, block, &out);
	assert_int_equal(ping_check(&g, other, PING_LEN), -1);
	memcpy(other, block, PING_LEN);
	assert_int_equal(ping_check(&g, other, PING_LEN + 1), -1);
	assert_int_equal(ping_check(&g, other, PING_LEN), 1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("p2p/ping", tests, NULL, NULL);
}
