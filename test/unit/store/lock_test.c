#include "folder.h"
#include "store/lock.h"

static int expect_taken(void *arg)
{
	struct store *s;

	(void)arg;
	CHECK(store_open("s", &s, NULL) == 0);
	CHECK(lock_take(s, LOCK_EPOCHS, false) < 0);
	return 0;
}

static int expect_other_free(void *arg)
{
	(void)arg;
	CHECK(lock_take(store, LOCK_COLLECTION, false) >= 0);
	return 0;
}

static int take_and_end(void *arg)
{
	(void)arg;
	CHECK(lock_take(store, LOCK_EPOCHS, false) >= 0);
	return 0;
}

static void test_one_has_it(void **state)
{
	int fd = lock_take(store, LOCK_EPOCHS, false), flags;

	(void)state;
	assert_true(fd >= 0);
	flags = fcntl(fd, F_GETFD);
	assert_true(flags >= 0 && (flags & FD_CLOEXEC));
	assert_int_equal(lock_take(store, LOCK_EPOCHS, false), -1);
	assert_int_equal(in_child(expect_taken, NULL), 0);
	lock_release(fd);
	fd = lock_take(store, LOCK_EPOCHS, true);
	assert_true(fd >= 0);
	/* collecting is another matter */
	assert_int_equal(in_child(expect_other_free, NULL), 0);
	lock_release(fd);
	lock_release(-1);
	/* who ends has let go */
	assert_int_equal(in_child(take_and_end, NULL), 0);
	fd = lock_take(store, LOCK_EPOCHS, false);
	assert_true(fd >= 0);
	lock_release(fd);
}

/* Who waits gets it when the other lets go, and not before. */
static void test_wait(void **state)
{
	int held[2], status, fd;
	struct stat st;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(held), 0);
	pid = fork();
	if (pid == 0) {
		fd = lock_take(store, LOCK_EPOCHS, false);
		if (fd < 0 || write(held[1], "x", 1) != 1)
			_exit(1);
		usleep(50000);
		_exit(close(open("s/done", O_CREAT | O_WRONLY, 0600)));
	}
	char c;
	assert_int_equal(read(held[0], &c, 1), 1);
	fd = lock_take(store, LOCK_EPOCHS, true);
	assert_true(fd >= 0);
	assert_int_equal(stat("s/done", &st), 0);
	lock_release(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(held[0]);
	close(held[1]);
}

static int expect_none(void *arg)
{
	struct store *s = NULL;

	(void)arg;
	CHECK(!be_nobody());
	CHECK(store_open("s", &s, NULL) == ERR_IO && s != NULL);
	CHECK(lock_take(s, LOCK_EPOCHS, false) == -1 && lock_take(s, LOCK_EPOCHS, true) == -1);
	store_free(s);
	return 0;
}

static void test_read_only(void **state)
{
	(void)state;
	make_read_only();
	assert_int_equal(in_child(expect_none, NULL), 0);
	assert_int_equal(chmod("s", 0700), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_has_it),
		TEST(test_wait),
		TEST(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
