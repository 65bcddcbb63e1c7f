#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/safe.h"
#include "base/str.h"
#include "cm.h"

static void test_take(void **state)
{
	struct safe s;
	uint8_t *a, *b;

	(void)state;
	assert_int_equal(safe_new(&s, 4096, NULL), 0);
	a = safe_take(&s, 5);
	b = safe_take(&s, 16);
	assert_ptr_equal(b, a + 16);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(b[i], 0);
	assert_null(safe_take(&s, 4096));
	assert_null(safe_take(&s, SIZE_MAX - 3));
	assert_non_null(safe_take(&s, 4096 - 32));
	assert_null(safe_take(&s, 1));
	safe_free(&s);
	safe_free(&s);
	assert_null(safe_take(&s, 1));
}

/* It neither grows nor moves, and forgets when told. */
static void test_buf(void **state)
{
	struct safe s;
	struct buf b;
	uint8_t *base;

	(void)state;
	assert_int_equal(safe_new(&s, 4096, NULL), 0);
	safe_buf(&s, &b, 100);
	base = b.base;
	for (int i = 0; i < 100; i++)
		buf_addc(&b, 'x');
	assert_false(b.failed);
	assert_string_equal(buf_cstr(&b) + 90, "xxxxxxxxxx");
	buf_addc(&b, 'y');
	assert_true(b.failed);
	assert_ptr_equal(b.base, base);
	safe_buf_clear(&b);
	assert_false(b.failed);
	for (int i = 0; i < 100; i++)
		assert_int_equal(base[i], 0);
	safe_buf(&s, &b, 100000);
	assert_true(b.failed);
	buf_adds(&b, "nothing");
	assert_int_equal(buf_len(&b), 0);
	safe_free(&s);
}

/* The kernel says of the mapping: dd (do not dump), and locked pages where that is allowed. */
static void test_flags(void **state)
{
	char line[256], want[32], flags[256] = "";
	struct safe s;
	FILE *f;
	bool here = false;

	(void)state;
	assert_int_equal(safe_new(&s, 8192, NULL), 0);
	snprintf(want, sizeof(want), "%lx-", (unsigned long)(uintptr_t)s.base);
	f = fopen("/proc/self/smaps", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, want, strlen(want)) == 0)
			here = true;
		if (here && strncmp(line, "VmFlags:", 8) == 0) {
			memcpy(flags, line, sizeof(flags));
			break;
		}
	}
	fclose(f);
	assert_non_null(strstr(flags, " dd"));
	if (s.locked)
		assert_non_null(strstr(flags, " lo"));
	safe_free(&s);
}

static void test_harden(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct rlimit before = { 0 }, now = { 0 };
		int bad = 0;

		/* ASan may have set it to 0 */
		getrlimit(RLIMIT_CORE, &before);
		before.rlim_cur = before.rlim_max;
		setrlimit(RLIMIT_CORE, &before);
		safe_harden();
		getrlimit(RLIMIT_CORE, &now);
		bad |= prctl(PR_GET_DUMPABLE) != 0 || now.rlim_cur != 0 || now.rlim_max != before.rlim_max;
		safe_harden();
		safe_soften();
		getrlimit(RLIMIT_CORE, &now);
		bad |= now.rlim_cur != before.rlim_cur;
		_exit(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_harden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
