#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "cm.h"

static char dir[] = "file_test.XXXXXX";
static int dirfd_;

/* Each test starts in an empty folder of its own. */
static int setup(void **state)
{
	(void)state;
	strcpy(dir, "file_test.XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return -1;
	dirfd_ = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dirfd_);
	return chdir("..");
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write(AT_FDCWD, name, 0644, false, text, strlen(text), NULL), 0);
}

static void expect(const char *name, const char *text)
{
	struct buf b;

	buf_init(&b, BUF_MAX_ANY);
	assert_int_equal(file_read(name, 1 << 20, false, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), text);
	buf_free(&b);
}

static unsigned entries(unsigned *tmp)
{
	unsigned n = 0;

	*tmp = 0;
	DIR *d = opendir(".");
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		n += e->d_name[0] != '.';
		*tmp += file_is_tmp(e->d_name);
	}
	closedir(d);
	return n;
}

static void test_read(void **state)
{
	struct buf b;
	struct err e;
	struct stat st;

	(void)state;
	put("f", "0123456789");
	buf_init(&b, 100);
	buf_adds(&b, "before ");
	assert_int_equal(file_read("f", 10, false, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "before 0123456789");
	assert_int_equal(file_read_at(dirfd_, "f", 10, &b, &st, NULL), 0);
	assert_int_equal(st.st_size, 10);
	assert_int_equal(buf_len(&b), 27);
	err_init(&e);
	assert_int_equal(file_read("f", 9, false, &b, &e), ERR_LIMIT);
	assert_int_equal(buf_len(&b), 27);
	assert_string_equal(e.msg, "reading f: too large");
	buf_free(&b);
	buf_init(&b, 9);
	assert_int_equal(file_read("f", 10, false, &b, NULL), ERR_LIMIT);
	assert_int_equal(buf_len(&b), 0);
	assert_false(b.failed);
	/* The ceiling is on all that the buffer holds. */
	buf_adds(&b, "ab");
	put("eight", "01234567");
	assert_int_equal(file_read("eight", 10, false, &b, NULL), ERR_LIMIT);
	assert_false(b.failed);
	buf_clear(&b);
	put("empty", "");
	assert_int_equal(file_read("empty", 0, false, &b, NULL), 0);
	assert_int_equal(file_read_at(dirfd_, "f", 10, &b, NULL, NULL), ERR_LIMIT);
	buf_free(&b);
}

static void test_read_refuses(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 100);
	put("f", "x");
	assert_int_equal(symlink("f", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	err_init(&e);
	assert_int_equal(file_read("link", 10, false, &b, &e), ERR_IO);
	assert_string_equal(e.msg, "reading link: a symbolic link");
	assert_int_equal(file_read("link", 10, true, &b, NULL), 0);
	assert_int_equal(file_read_at(dirfd_, "link", 10, &b, NULL, NULL), ERR_IO);
	assert_int_equal(file_read("fifo", 10, true, &b, NULL), ERR_IO);
	assert_int_equal(file_read(".", 10, true, &b, NULL), ERR_IO);
	assert_int_equal(file_read("none", 10, true, &b, NULL), ERR_NOTFOUND);
	assert_int_equal(file_read("f/none", 10, true, &b, NULL), ERR_NOTFOUND);
	assert_string_equal(buf_cstr(&b), "x");
	err_init(&e);
	assert_int_equal(file_read_at(dirfd_, "none", 10, &b, NULL, &e), ERR_NOTFOUND);
	assert_non_null(strstr(e.msg, dir));
	assert_non_null(strstr(e.msg, "/none: No such file or directory"));
	err_init(&e);
	assert_int_equal(file_read_at(999, "none", 10, &b, NULL, &e), ERR_IO);
	assert_string_equal(e.msg, "opening none: Bad file descriptor");
	buf_free(&b);
}

/* Files in /proc say that they are empty. */
static void test_read_unsized(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	err_init(&e);
	buf_init(&b, BUF_MAX_ANY);
	assert_int_equal(file_read("/proc/self/status", 1 << 20, false, &b, NULL), 0);
	size_t n = buf_len(&b);
	assert_true(n > 100);
	assert_int_equal(file_read("/proc/self/status", 10, false, &b, &e), ERR_LIMIT);
	assert_string_equal(e.msg, "reading /proc/self/status: too large");
	assert_int_equal(buf_len(&b), n);
	buf_free(&b);
}

static void test_hold(void **state)
{
	struct file_hold h;
	struct stat st;
	unsigned tmp;

	(void)state;
	put("f", "old");
	assert_int_equal(file_hold(&h, dirfd_, "f", NULL), 0);
	assert_int_equal(fstat(h.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(h.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(file_hold_write(&h, "new", 3, NULL), 0);
	expect("f", "old");
	assert_int_equal(entries(&tmp), 2);
	assert_int_equal(tmp, 1);
	assert_int_equal(file_commit(&h, "f", 0640, true, NULL), 0);
	assert_int_equal(h.fd, -1);
	assert_string_equal(h.tmp, "");
	expect("f", "new");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(entries(&tmp), 1);
	file_rollback(&h);
	expect("f", "new");
}

static void test_rollback(void **state)
{
	struct file_hold h;
	unsigned tmp;

	(void)state;
	put("f", "old");
	assert_int_equal(file_hold(&h, dirfd_, "f", NULL), 0);
	assert_int_equal(file_hold_write(&h, "new", 3, NULL), 0);
	file_rollback(&h);
	assert_int_equal(h.fd, -1);
	assert_string_equal(h.tmp, "");
	file_rollback(&h);
	assert_int_equal(entries(&tmp), 1);
	expect("f", "old");
	/* A folder cannot be replaced by a file: the failed commit leaves nothing. */
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_hold(&h, dirfd_, "d", NULL), 0);
	assert_int_equal(file_commit(&h, "d", 0600, false, NULL), ERR_IO);
	assert_int_equal(h.fd, -1);
	assert_int_equal(entries(&tmp), 2);
	assert_int_equal(tmp, 0);
}

static void test_hold_does_not_follow(void **state)
{
	struct stat st;

	(void)state;
	put("target", "kept");
	assert_int_equal(symlink("target", "link"), 0);
	put("link", "new");
	expect("target", "kept");
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void test_long_and_nested_names(void **state)
{
	char name[256], longer[2000];
	struct err e;
	unsigned tmp;

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	put(name, "x");
	expect(name, "x");
	assert_int_equal(file_mkdirs("a/b", 0700, NULL), 0);
	assert_int_equal(file_write(dirfd_, "a/b/c", 0600, true, "y", 1, NULL), 0);
	expect("a/b/c", "y");
	assert_int_equal(entries(&tmp), 2);
	memset(longer, 'n', sizeof longer);
	for (size_t i = 0; i < sizeof longer; i += 100)
		longer[i] = '/';
	longer[sizeof longer - 1] = '\0';
	err_init(&e);
	assert_int_equal(file_write(AT_FDCWD, longer, 0600, false, "", 0, &e), ERR_IO);
	assert_non_null(strstr(e.msg, strerror(ENAMETOOLONG)));	/* each libc has its own words */
}

static void test_errors_name_the_path(void **state)
{
	struct rlimit was, small = { 10, 10 };
	struct err e;
	unsigned tmp;

	(void)state;
	err_init(&e);
	assert_int_equal(file_write(dirfd_, "no/where", 0600, false, "x", 1, &e), ERR_IO);
	assert_non_null(strstr(e.msg, "creating /"));
	assert_non_null(strstr(e.msg, "/no/where: No such file or directory"));
	/* A write that the machine cuts short; ENOSPC takes the same way. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	err_init(&e);
	int r = file_write(dirfd_, "big", 0600, false, "01234567890123456789", 20, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(r, ERR_IO);
	assert_non_null(strstr(e.msg, "/big.tmp-"));
	assert_non_null(strstr(e.msg, ": File too large"));
	assert_int_equal(entries(&tmp), 0);
	err_init(&e);
	int full = open("/dev/full", O_WRONLY);
	if (full >= 0) {
		assert_int_equal(file_write_all(full, "x", 1), -1);
		assert_int_equal(errno, ENOSPC);
		close(full);
	}
}

/* What stands behind the descriptor refuses chmod, or fsync. */
static void test_commit_fails(void **state)
{
	struct file_hold h;
	unsigned tmp;
	int p[2];

	(void)state;
	put("f", "old");
	assert_int_equal(file_hold(&h, dirfd_, "f", NULL), 0);
	int path = open(".", O_PATH);
	dup2(path, h.fd);
	assert_int_equal(file_commit(&h, "f", 0600, true, NULL), ERR_IO);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(file_hold(&h, dirfd_, "f", NULL), 0);
	dup2(p[1], h.fd);
	assert_int_equal(file_commit(&h, "f", 0600, true, NULL), ERR_IO);
	close(path);
	close(p[0]);
	close(p[1]);
	expect("f", "old");
	assert_int_equal(entries(&tmp), 1);
}

static void test_move(void **state)
{
	struct err e;

	(void)state;
	put("a", "1");
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_move(dirfd_, "a", dirfd_, "d/b", NULL), 0);
	expect("d/b", "1");
	assert_int_equal(file_move(dirfd_, "a", dirfd_, "d/b", NULL), ERR_NOTFOUND);
	err_init(&e);
	assert_int_equal(file_move(dirfd_, "d/b", dirfd_, "d", &e), ERR_IO);
	assert_non_null(strstr(e.msg, "/d/b: "));
}

static void test_is_there(void **state)
{
	(void)state;
	assert_false(file_is_there(dirfd_, "a"));
	put("a", "x");
	assert_true(file_is_there(dirfd_, "a"));
	assert_int_equal(symlinkat("nowhere", dirfd_, "b"), 0);
	assert_true(file_is_there(dirfd_, "b"));
}

static void test_is_tmp(void **state)
{
	struct file_hold h;

	(void)state;
	assert_int_equal(file_hold(&h, AT_FDCWD, "x.tmp-1", NULL), 0);
	assert_true(file_is_tmp(h.tmp));
	file_rollback(&h);
	assert_true(file_is_tmp(".tmp-1-0123456789abcdef"));
	static const char *const no[] = {
		"",
		"f",
		"f.tmp",
		"f.tmp-",
		"f.tmp-1",
		"f.tmp-1-",
		"f.tmp-1-0123456789abcde",
		"f.tmp-1-0123456789abcdef0",
		"f.tmp-1-0123456789abcdeF",
		"f.tmp--0123456789abcdef",
		"f.tmp-x-0123456789abcdef",
		"f.tmp-1-0123456789abcdef.json",
	};
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(file_is_tmp(no[i]));
}

static void test_mkdirs(void **state)
{
	struct stat st;
	struct err e;

	(void)state;
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(file_mkdirs("a//b/c/", 0700, NULL), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(file_mkdirs("a/b/c", 0700, NULL), 0);
	assert_int_equal(file_mkdirs("/", 0700, NULL), 0);
	assert_int_equal(file_mkdirs(".", 0700, NULL), 0);
	assert_int_equal(symlink("a", "l"), 0);
	assert_int_equal(file_mkdirs("l/x", 0700, NULL), 0);
	put("f", "x");
	err_init(&e);
	assert_int_equal(file_mkdirs("f/x", 0700, &e), ERR_IO);
	assert_string_equal(e.msg, "creating folder f: File exists");
	assert_int_equal(file_mkdirs("f", 0700, NULL), ERR_IO);
	assert_int_equal(file_mkdirs("", 0700, NULL), ERR_IO);
}

/* Stopped before each system call in turn, a write leaves the old text or the new one, never a part. */
static void test_faults(void **state)
{
	unsigned n, tmp, old = 0;

	(void)state;
	for (n = 1; n < 50; n++) {
		int status;
		put("f", "old");
		pid_t pid = fork();
		if (pid == 0) {
			file_fault_after(n);
			_exit(file_write(dirfd_, "f", 0600, true, "new", 3, NULL) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), 137);
		struct buf b;
		buf_init(&b, 100);
		assert_int_equal(file_read("f", 100, false, &b, NULL), 0);
		assert_true(span_eq(buf_span(&b), "old") || span_eq(buf_span(&b), "new"));
		old += span_eq(buf_span(&b), "old");
		buf_free(&b);
	}
	/* open, write, fchmod, fsync, close, rename, fsync of the folder */
	assert_int_equal(n, 8);
	assert_int_equal(old, 6);
	expect("f", "new");
	assert_int_equal(entries(&tmp), 1 + 5);
	assert_int_equal(tmp, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_unsized, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rollback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold_does_not_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_and_nested_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_name_the_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_tmp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mkdirs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
