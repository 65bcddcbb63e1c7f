#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/wipe.h"
#include "cm.h"

static void test_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_span(&b).n, 0);
	assert_string_equal(buf_cstr(&b), "");
	assert_false(b.failed);
	buf_consume(&b, 0);
	buf_free(&b);
	buf_wipe(&b);
}

static void test_append_and_consume(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	buf_adds(&b, "hello");
	buf_addc(&b, ' ');
	buf_addspan(&b, span_of("world"));
	buf_add(&b, NULL, 0);
	buf_addf(&b, " %d", 42);
	assert_string_equal(buf_cstr(&b), "hello world 42");
	buf_consume(&b, 6);
	buf_truncate(&b, 5);
	assert_true(span_eq(buf_span(&b), "world"));
	assert_string_equal(buf_cstr(&b), "world");
	buf_consume(&b, 5);
	assert_int_equal(buf_len(&b), 0);
	buf_adds(&b, "x");
	buf_clear(&b);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

static void test_numbers(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_addi(&b, 0);
	buf_addc(&b, ' ');
	buf_addi(&b, -7);
	buf_addc(&b, ' ');
	buf_addi(&b, INT64_MAX);
	buf_addc(&b, ' ');
	buf_addi(&b, INT64_MIN);
	assert_string_equal(buf_cstr(&b), "0 -7 9223372036854775807 -9223372036854775808");
	buf_free(&b);
}

static void test_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_adds(&b, "12345");
	assert_false(b.failed);
	assert_string_equal(buf_cstr(&b), "12345");
	buf_addc(&b, '6');
	assert_true(b.failed);
	/* Sticky: even what would fit now is not taken, so the content is a prefix of what was written. */
	buf_truncate(&b, 2);
	buf_addc(&b, '3');
	buf_addf(&b, "%s", "3");
	assert_int_equal(buf_len(&b), 2);
	assert_null(buf_reserve(&b, 0));
	assert_string_equal(buf_cstr(&b), "");
	buf_clear(&b);
	assert_false(b.failed);
	/* The ceiling is on the content, not on what has passed through. */
	for (int i = 0; i < 1000; i++) {
		buf_adds(&b, "abc");
		buf_consume(&b, 3);
	}
	buf_addf(&b, "%s", "12345");
	assert_false(b.failed);
	buf_addf(&b, "%s", "6");
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 5);
	buf_free(&b);
	assert_false(b.failed);
	buf_addf(&b, "%s", "123456");
	assert_true(b.failed);
	buf_free(&b);
}

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_no_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_adds(&b, "x");
	assert_null(buf_reserve(&b, SIZE_MAX - 8));
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 1);
	/* Within the ceiling, beyond the machine: from a small block and from a large one. */
	for (size_t n = 1; n <= (size_t)1 << 21; n <<= 21) {
		buf_clear(&b);
		memset(buf_reserve(&b, n), 'x', n);
		buf_commit(&b, n);
		assert_null(buf_reserve(&b, BUF_MAX_ANY - n));
		assert_true(b.failed);
		assert_int_equal(buf_len(&b), n);
		assert_int_equal(buf_data(&b)[n - 1], 'x');
	}
	buf_free(&b);
}

/* Text that just fills the block, or lacks one byte to it: printf's NUL needs its place too. */
static void test_exact_fit(void **state)
{
	struct buf b;

	(void)state;
	for (size_t n = 50; n < 140; n++) {
		buf_init(&b, n);
		for (size_t i = 0; i < n - 5; i++)
			buf_addc(&b, 'x');
		buf_addf(&b, "%s", "");
		buf_addf(&b, "%05d", 7);
		assert_false(b.failed);
		assert_int_equal(buf_len(&b), n);
		assert_int_equal(strlen(buf_cstr(&b)), n);
		assert_true(b.cap <= n + 1 || b.cap == 64);
		buf_addf(&b, "%s", "");
		assert_false(b.failed);
		buf_addf(&b, "%c", 'y');
		assert_true(b.failed);
		buf_free(&b);
	}
	buf_init(&b, 100);
	buf_addf(&b, "%ls", L"\x6771");
	assert_true(b.failed);
	buf_free(&b);
}

static void test_reserve(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	memset(buf_reserve(&b, 100), 'a', 100);
	assert_int_equal(buf_len(&b), 0);
	buf_commit(&b, 60);
	assert_int_equal(buf_len(&b), 60);
	assert_int_equal(buf_data(&b)[59], 'a');
	assert_non_null(buf_reserve(&b, 4096 - 60));
	assert_null(buf_reserve(&b, 4096 - 59));
	buf_free(&b);
}

/* Against a plain array: sizes around the doublings, with a consumer that keeps the buffer half full. */
static void test_random_pieces(void **state)
{
	static uint8_t in[200000], out[200000];
	size_t wrote = 0, got = 0, most = 0;
	uint32_t x = 1;
	struct buf b;

	(void)state;
	buf_init(&b, 5000);
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 131 >> 3);
	while (got < sizeof in) {
		x = x * 1664525 + 1013904223;
		size_t n = (x >> 16) % 700;
		n = n > sizeof in - wrote ? sizeof in - wrote : n;
		n = n > 5000 - buf_len(&b) ? 5000 - buf_len(&b) : n;
		buf_add(&b, in + wrote, n);
		wrote += n;
		x = x * 1664525 + 1013904223;
		n = (x >> 16) % 650;
		n = n > buf_len(&b) ? buf_len(&b) : n;
		if (n)
			memcpy(out + got, buf_data(&b), n);
		buf_consume(&b, n);
		got += n;
		most = b.cap > most ? b.cap : most;
		assert_false(b.failed);
	}
	assert_memory_equal(in, out, sizeof in);
	assert_true(most <= 2 * 5001);
	buf_free(&b);
}

static void test_large(void **state)
{
	struct buf b;
	char piece[1000];

	(void)state;
	memset(piece, 'z', sizeof piece);
	buf_init(&b, BUF_MAX_ANY);
	for (int i = 0; i < 5000; i++)
		buf_add(&b, piece, sizeof piece);
	buf_addc(&b, '!');
	assert_int_equal(buf_len(&b), 5000001);
	assert_int_equal(buf_data(&b)[4999999], 'z');
	assert_int_equal(buf_data(&b)[5000000], '!');
	buf_free(&b);
}

/* In place of base/wipe.c: the memory itself cannot be looked at once it is freed. */
static size_t wiped;

void wipe(void *p, size_t n)
{
	if (n)
		memset(p, 0, n);
	wiped += n;
}

static void test_wipe(void **state)
{
	struct buf b;

	(void)state;
	/* What growth leaves behind: 64 and 128 bytes. */
	buf_init(&b, 1000);
	wiped = 0;
	for (int i = 0; i < 200; i++)
		buf_addc(&b, 's');
	assert_int_equal(wiped, 64 + 128);
	buf_wipe(&b);
	assert_int_equal(wiped, 64 + 128 + 256);
	buf_init(&b, 100);
	buf_adds(&b, "secret");
	buf_wipe(&b);
	assert_null(b.base);
	assert_int_equal(b.cap, 0);
	assert_int_equal(b.max, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_append_and_consume),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_exact_fit),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_random_pieces),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
