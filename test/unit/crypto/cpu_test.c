#include <stdio.h>
#include <string.h>

#include "../base/cm.h"
#include "crypto/cpu.h"

static char flags[8192];

static int setup(void **state)
{
	char line[8192];
	FILE *f = fopen("/proc/cpuinfo", "r");

	(void)state;
	if (f == NULL)
		return 0;
	while (flags[0] == '\0' && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "flags", 5) == 0)
			snprintf(flags, sizeof(flags), " %s ", strchr(line, ':') + 1);
	fclose(f);
	flags[strcspn(flags, "\n")] = ' ';
	return 0;
}

static bool has(const char *flag)
{
	char word[32];

	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(flags, word) != NULL;
}

/* What the kernel says of it, which has asked by itself. Below an emulator it speaks of the machine that runs
 * the emulator: elsewhere than on x86-64 there are none of the three, whatever it says. */
static void test_as_the_kernel_says(void **state)
{
	(void)state;
#ifdef __x86_64__
	if (flags[0] == '\0')
		skip();
#else
	flags[0] = '\0';
#endif
	for (int again = 0; again < 2; again++) {
		assert_int_equal(cpu_has_aes(), has("aes") && has("pclmulqdq"));
		assert_int_equal(cpu_has_sha(), has("sha_ni") && has("ssse3") && has("sse4_1"));
		assert_int_equal(cpu_has_avx2(), has("avx2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_as_the_kernel_says) };

	return cmocka_run_group_tests(tests, setup, NULL);
}
