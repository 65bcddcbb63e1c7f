/* Stat data from the child equal one's own; what it could not stat is not there; no child is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codeql/ahead.h"

#define FILES 40

static char root[] = "/tmp/ahead-XXXXXX";
static char names[FILES][16];
static struct gitindex_entry entries[FILES];
static struct gitindex ix = { .n = FILES, .list = entries };
static int top;

static int plant(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	top = open(root, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < FILES; i++) {
		snprintf(names[i], sizeof(names[i]), "file%02zu", i);
		entries[i] = (struct gitindex_entry){ .path = names[i], .len = (uint32_t)strlen(names[i]) };
		int fd = openat(top, names[i], O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_int_equal(write(fd, root, i % 7), i % 7);
		close(fd);
	}
	return top < 0;
}

static int remove_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++)
		unlinkat(top, names[i], 0);
	close(top);
	return rmdir(root);
}

/* True once the child has been as far as entry 1, at which it ends. */
static bool all_known(struct ahead *a)
{
	struct stat st;

	for (int i = 0; i < 5000; i++, usleep(1000))
		if (ahead_stat(a, 1, &st))
			return true;
	return false;
}

static void test_same_as_own(void **state)
{
	struct ahead *a = ahead_begin(top, &ix);
	struct stat own, st;

	(void)state;
	assert_non_null(a);
	assert_true(all_known(a));
	for (size_t i = 1; i < FILES; i++) {
		memset(&own, 0, sizeof(own));
		assert_int_equal(fstatat(top, names[i], &own, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(ahead_stat(a, i, &st));
		assert_int_equal(st.st_ino, own.st_ino);
		assert_int_equal(st.st_size, i % 7);
		assert_int_equal(st.st_mode, own.st_mode);
		assert_int_equal(st.st_ctim.tv_nsec, own.st_ctim.tv_nsec);
	}
	ahead_end(a);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_what_has_gone_is_not_known(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(unlinkat(top, names[20], 0), 0);
	struct ahead *a = ahead_begin(top, &ix);
	assert_non_null(a);
	assert_true(all_known(a));
	assert_true(ahead_stat(a, 19, &st));
	assert_false(ahead_stat(a, 20, &st));
	assert_true(ahead_stat(a, 21, &st));
	ahead_end(a);
	ahead_end(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_own),
		cmocka_unit_test(test_what_has_gone_is_not_known),
	};

	return cmocka_run_group_tests(tests, plant, remove_all);
}
