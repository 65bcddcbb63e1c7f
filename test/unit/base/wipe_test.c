#include <string.h>

#include "base/str.h"
#include "base/wipe.h"
#include "cm.h"

static bool zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i])
			return false;
	return true;
}

static void test_wipe(void **state)
{
	char text[] = "0123456789";

	(void)state;
	wipe(text + 2, 3);
	assert_memory_equal(text,
	    "01\0\0\0"
	    "56789",
	    10);
	wipe(text, 0);
	wipe(NULL, 0);
	assert_int_equal(text[0], '0');
}

static void test_secret(void **state)
{
	char big[SECRET_MAX + 1];
	struct secret s;

	(void)state;
	memset(big, 'k', sizeof big);
	memset(&s, 'x', sizeof s);
	secret_init(&s);
	assert_true(zero(&s, sizeof s));
	assert_true(secret_set(&s, span_of("k")) && secret_is_set(&s));
	secret_wipe(&s);
	assert_false(secret_is_set(&s));
	assert_true(secret_set(&s, span_make(big, SECRET_MAX)));
	assert_int_equal(s.len, SECRET_MAX);
	/* A shorter one leaves nothing of the longer behind it. */
	assert_true(secret_set(&s, span_of("token")));
	assert_true(secret_is_set(&s));
	assert_int_equal(s.len, 5);
	assert_memory_equal(s.bytes, "token", 5);
	assert_true(zero(s.bytes + 5, SECRET_MAX - 5));
	assert_true(secret_set(&s, span_make(s.bytes + 1, 3)));
	assert_memory_equal(s.bytes, "oke", 3);
	assert_true(zero(s.bytes + 3, SECRET_MAX - 3));
	assert_false(secret_set(&s, span_make(big, sizeof big)));
	assert_true(zero(&s, sizeof s));
	assert_true(secret_set(&s, span_of(NULL)));
	assert_false(secret_is_set(&s));
	secret_set(&s, span_of("x"));
	secret_wipe(&s);
	assert_true(zero(&s, sizeof s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
