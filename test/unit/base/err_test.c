#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "cm.h"

static void test_first_wins(void **state)
{
	struct err e;

	(void)state;
	memset(&e, 'x', sizeof e);
	err_init(&e);
	assert_string_equal(e.msg, "");
	assert_int_equal(err_set(&e, ERR_LIMIT, "%d of %d", 3, 2), ERR_LIMIT);
	assert_int_equal(err_set(&e, ERR_IO, "later"), ERR_IO);
	assert_int_equal(err_sys(&e, ERR_IO, "later"), ERR_IO);
	assert_int_equal(e.cls, ERR_LIMIT);
	assert_string_equal(e.msg, "3 of 2");
}

static void test_null(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_PROTO, "x"), ERR_PROTO);
	assert_int_equal(err_sys(NULL, ERR_IO, "x"), ERR_IO);
	err_prefix(NULL, "x");
}

static void test_sys(void **state)
{
	struct err e;

	(void)state;
	err_init(&e);
	errno = ENOSPC;
	assert_int_equal(err_sys(&e, ERR_IO, "writing %s", "/x"), ERR_IO);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(e.cls, ERR_IO);
	assert_string_equal(e.msg, "writing /x: No space left on device");
}

static void test_sys_keeps_the_cause_of_a_long_sentence(void **state)
{
	char path[2 * ERR_MSG_MAX];
	struct err e;

	(void)state;
	memset(path, 'p', sizeof path);
	path[sizeof path - 1] = '\0';
	err_init(&e);
	errno = EROFS;
	err_sys(&e, ERR_IO, "writing %s", path);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	assert_non_null(strstr(e.msg, "ppp: Read-only file system"));
}

static void test_prefix(void **state)
{
	char word[2 * ERR_MSG_MAX];
	struct err e;

	(void)state;
	err_init(&e);
	err_prefix(&e, "nothing to put it before");
	assert_int_equal(e.cls, 0);
	assert_string_equal(e.msg, "");
	err_set(&e, ERR_CONFIG, "bad");
	errno = EINTR;
	err_prefix(&e, "line %d", 7);
	assert_string_equal(e.msg, "line 7: bad");
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_int_equal(errno, EINTR);
	memset(word, 'w', sizeof word);
	word[sizeof word - 1] = '\0';
	err_prefix(&e, "%s", word);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
}

/* A wide character that the locale lacks makes printf fail and set errno: the class stays, and the errno of
 * before. */
static void test_unprintable(void **state)
{
	struct err e;

	(void)state;
	memset(&e, 'x', sizeof e);
	e.cls = 0;
	errno = ENOENT;
	assert_int_equal(err_set(&e, ERR_IO, "%ls", L"\x6771"), ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(e.msg, "");
	memset(&e, 'x', sizeof e);
	e.cls = 0;
	assert_int_equal(err_sys(&e, ERR_IO, "%ls", L"\x6771"), ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(e.msg, ": No such file or directory");
	err_prefix(&e, "%ls", L"\x6771");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(e.msg, ": : No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_wins),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_sys),
		cmocka_unit_test(test_sys_keeps_the_cause_of_a_long_sentence),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_unprintable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
