#include "cm.h"
#include "base/siphash.h"

/* The paper's Appendix A: the key 00 01 … 0f, the message 00 01 … of n bytes. */
static void test_vectors(void **state)
{
	static const struct {
		size_t n;
		uint64_t want;
	} known[] = { { 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 } };
	const struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t i = 0; i < COUNT(known); i++)
		assert_true(siphash(&key, span_make(text, known[i].n)) == known[i].want);
}

static void test_the_key_counts(void **state)
{
	const struct siphash_key a = { { 1, 2 } }, b = { { 2, 1 } };

	(void)state;
	assert_true(siphash(&a, span_of("x")) != siphash(&b, span_of("x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_the_key_counts) };

	return cmocka_run_group_tests_name("base/siphash", tests, NULL, NULL);
}
