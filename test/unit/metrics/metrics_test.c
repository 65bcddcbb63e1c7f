#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cm.h"
#include "metrics/metrics.h"

#define FILE_LEN (16 + 64 * METRICS_MAX)

static char dir[64], path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/ghoard-metrics-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/.stats", dir);
	return 0;
}

static int tear_down(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd);
}

static uint64_t named(const struct metrics *m, const char *want)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;

	for (size_t at = 0; metrics_next(m, &at, name, &n);)
		if (strcmp(name, want) == 0)
			return n;
	return 0;
}

static void test_merge(void **state)
{
	struct metrics *a = metrics_open(NULL), *b = metrics_open(NULL);

	(void)state;
	metrics_add(a, M_REQUESTS, 1);
	metrics_add(b, M_REQUESTS, 2);
	metrics_add(b, M_CODEQL_HITS, 3);
	metrics_add_named(a, "codeql.hit_tree", 4);
	metrics_add_named(b, "codeql.hit_tree", 5);
	metrics_merge(a, b);
	assert_int_equal(metrics_get(a, M_REQUESTS), 3);
	assert_int_equal(metrics_get(a, M_CODEQL_HITS), 3);
	assert_int_equal(named(a, "codeql.hit_tree"), 9);
	assert_int_equal(metrics_get(b, M_REQUESTS), 2);
	metrics_merge(a, NULL);
	assert_int_equal(metrics_get(a, M_REQUESTS), 3);
	metrics_free(a);
	metrics_free(b);
}

static void test_memory(void **state)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;
	size_t at = 0;

	(void)state;
	struct metrics *m = metrics_open(NULL);
	assert_non_null(m);
	assert_false(metrics_is_shared(m));
	assert_false(metrics_next(m, &at, name, &n));
	metrics_add(m, M_GC_REMOVED, 3);
	metrics_add(m, M_GC_REMOVED, 4);
	assert_int_equal(metrics_get(m, M_GC_REMOVED), 7);
	assert_int_equal(metrics_get(m, M_REQUESTS), 0);
	metrics_add_named(m, "route.other", 2);
	metrics_add_named(m, "layer.mem", 1);
	metrics_add_named(m, "route.other", 2);
	assert_int_equal(named(m, "route.other"), 4);
	assert_int_equal(named(m, "layer.mem"), 1);
	metrics_free(m);
	metrics_add(NULL, M_MISS, 1);
	metrics_add_named(NULL, "x.a", 1);
	assert_int_equal(metrics_get(NULL, M_MISS), 0);
	metrics_free(NULL);
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"", "a", ".a", "a.", "a.A", "a.b c", "a.\n", "a.\"", "a.b:c", "a.b-c", "a.\xc3\xa4",
		"a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};

	(void)state;
	assert_string_equal(metrics_name(M_REQUESTS), "total_requests");
	assert_string_equal(metrics_name(M_CALLS_SAVED), "api_calls_saved");
	for (int i = 0; i < M_COUNT; i++) {
		assert_non_null(metrics_name((enum metric)i));
		assert_non_null(metrics_help((enum metric)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(metrics_name((enum metric)i), metrics_name((enum metric)k));
	}
	struct metrics *m = metrics_open(NULL);
	for (size_t i = 0; i < COUNT(bad); i++)
		metrics_add_named(m, bad[i], 1);
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;
	size_t at = 0;
	assert_false(metrics_next(m, &at, name, &n));
	metrics_add_named(m, metrics_name(M_STORED), 1);
	assert_int_equal(metrics_get(m, M_STORED), 0);
	metrics_add_named(m, "a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 5);
	assert_true(metrics_next(m, &at, name, &n));
	assert_int_equal(n, 5);
	metrics_free(m);
}

static void test_kept(void **state)
{
	struct stat st;

	(void)state;
	struct metrics *m = metrics_open(dir);
	assert_true(metrics_is_shared(m));
	metrics_add(m, M_STORED, 5);
	metrics_add_named(m, "route.x", 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, FILE_LEN);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(st.st_blocks * 512 >= FILE_LEN);
	struct metrics *other = metrics_open(dir);
	assert_int_equal(metrics_get(other, M_STORED), 5);
	assert_int_equal(named(other, "route.x"), 6);
	metrics_free(m);
	metrics_add_named(other, "route.x", 1);
	metrics_free(other);
	m = metrics_open(dir);
	assert_int_equal(named(m, "route.x"), 7);
	metrics_free(m);
}

#define ROUNDS 100000

static void count_up(void)
{
	struct metrics *m = metrics_open(dir);

	if (!metrics_is_shared(m))
		_exit(1);
	for (int i = 0; i < ROUNDS; i++) {
		metrics_add(m, M_REQUESTS, 1);
		metrics_add_named(m, "route.same", 1);
	}
	metrics_free(m);
	_exit(0);
}

static void end_well(int children)
{
	int status;

	for (int i = 0; i < children; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

static void test_two_processes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			count_up();
	end_well(2);
	struct metrics *m = metrics_open(dir);
	assert_int_equal(metrics_get(m, M_REQUESTS), 2 * ROUNDS);
	assert_int_equal(named(m, "route.same"), 2 * ROUNDS);
	metrics_free(m);
}

#define CLAIMS 200

static void claim_all(int start)
{
	char name[32], c;

	/* Until the parent closes its end. */
	if (read(start, &c, 1) != 0)
		_exit(1);
	struct metrics *m = metrics_open(dir);
	for (int i = 0; i < CLAIMS; i++) {
		snprintf(name, sizeof name, "who.n%d", i);
		metrics_add_named(m, name, 1);
	}
	metrics_free(m);
	_exit(0);
}

/* No file at the start: each may be the one that makes it, and all claim the same names at once. */
static void test_claims(void **state)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;

	(void)state;
	for (int round = 0; round < 20; round++) {
		int start[2];
		assert_int_equal(pipe(start), 0);
		for (int i = 0; i < 3; i++) {
			if (fork() == 0) {
				close(start[1]);
				claim_all(start[0]);
			}
		}
		close(start[0]);
		close(start[1]);
		end_well(3);
		struct metrics *m = metrics_open(dir);
		size_t at = 0, seen = 0;
		for (; metrics_next(m, &at, name, &n); seen++)
			assert_int_equal(n, 3);
		assert_int_equal(seen, CLAIMS);
		metrics_free(m);
		unlink(path);
	}
}

/* Who waits for the lock of a file that is then taken away counts in the one that stands there now. */
static void test_replaced_while_waiting(void **state)
{
	int fd, status;

	(void)state;
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(fd);
		struct metrics *m = metrics_open(dir);
		metrics_add(m, M_STORED, 3);
		bool shared = metrics_is_shared(m);
		metrics_free(m);
		_exit(shared ? 0 : 1);
	}
	usleep(100000);
	unlink(path);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct metrics *m = metrics_open(dir);
	assert_int_equal(metrics_get(m, M_STORED), 3);
	metrics_free(m);
}

static void spill(const void *p, size_t n, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, at), (ssize_t)n);
	close(fd);
}

static void make(void)
{
	struct metrics *m = metrics_open(dir);

	metrics_add(m, M_STORED, 9);
	metrics_free(m);
}

/* Replaced: counting goes on from zero, and is kept. */
static void starts_anew(void)
{
	struct metrics *m = metrics_open(dir);

	assert_true(metrics_is_shared(m));
	assert_int_equal(metrics_get(m, M_STORED), 0);
	metrics_add(m, M_STORED, 1);
	metrics_free(m);
	m = metrics_open(dir);
	assert_int_equal(metrics_get(m, M_STORED), 1);
	metrics_free(m);
	unlink(path);
}

static void test_damaged(void **state)
{
	char z[64];

	(void)state;
	make();
	assert_int_equal(truncate(path, FILE_LEN - 1), 0);
	starts_anew();
	make();
	spill("x", 1, FILE_LEN);
	starts_anew();
	make();
	spill("G", 1, 0);
	starts_anew();
	make();
	memset(z, 'z', sizeof z);
	spill(z, 48, 16 + 64 * 100);		/* a name without an end */
	starts_anew();
	make();
	spill("abc", 4, 16 + 64 * 100);		/* after a free slot */
	starts_anew();
	make();
	spill("\x01", 1, 16 + 64 * 100 + 50);	/* a number without a name */
	starts_anew();
	make();
	spill("\x01", 1, 16 + 60);		/* the zeros */
	starts_anew();
	make();
	spill("\x1b", 1, 16 + 2);		/* a character that no name has */
	starts_anew();
	make();
	spill("y", 1, 16 + 40);			/* after the name's end */
	starts_anew();
	spill("short", 5, 0);
	starts_anew();
	spill("", 0, 0);
	starts_anew();
}

/* What a process leaves that dies between the two steps of a claim. */
static void test_half_claimed(void **state)
{
	(void)state;
	make();
	spill("\0oute.x", 8, 16 + 64 * M_COUNT);
	struct metrics *m = metrics_open(dir);
	assert_int_equal(metrics_get(m, M_STORED), 9);
	metrics_add_named(m, "x.b", 2);
	assert_int_equal(named(m, "x.b"), 2);
	metrics_free(m);
}

static void test_other_version(void **state)
{
	(void)state;
	make();
	spill("2", 1, 13);
	struct metrics *m = metrics_open(dir);
	assert_false(metrics_is_shared(m));
	assert_int_equal(metrics_get(m, M_STORED), 0);
	metrics_add(m, M_STORED, 1);
	assert_int_equal(metrics_get(m, M_STORED), 1);
	metrics_free(m);
	spill("1", 1, 13);
	m = metrics_open(dir);
	assert_int_equal(metrics_get(m, M_STORED), 9);
	metrics_free(m);
}

static void in_memory_only(const char *where)
{
	struct metrics *m = metrics_open(where);

	assert_non_null(m);
	assert_false(metrics_is_shared(m));
	metrics_add(m, M_MISS, 1);
	assert_int_equal(metrics_get(m, M_MISS), 1);
	metrics_free(m);
}

static void test_no_file(void **state)
{
	char elsewhere[96];

	(void)state;
	in_memory_only("/nonexistent/folder");
	assert_int_equal(mkdir(path, 0700), 0);
	in_memory_only(dir);
	assert_int_equal(rmdir(path), 0);
	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", dir);
	assert_int_equal(symlink(elsewhere, path), 0);
	in_memory_only(dir);
	assert_int_not_equal(access(elsewhere, F_OK), 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	in_memory_only(dir);
}

static void fill_up(struct metrics *m)
{
	char name[32];

	for (int i = 0; i < METRICS_MAX + 10; i++) {
		snprintf(name, sizeof name, "route.n%d", i);
		metrics_add_named(m, name, 1);
	}
}

static void test_full(void **state)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;
	size_t at = 0, seen = 0;

	(void)state;
	struct metrics *m = metrics_open(dir);
	fill_up(m);
	while (metrics_next(m, &at, name, &n))
		seen++;
	assert_int_equal(seen, METRICS_MAX - M_COUNT);
	fill_up(m);
	assert_int_equal(named(m, "route.n0"), 2);
	assert_int_equal(named(m, "route.n260"), 0);
	metrics_add(m, M_GC_REMOVED, 1);
	assert_int_equal(metrics_get(m, M_GC_REMOVED), 1);
	metrics_free(m);
	m = metrics_open(dir);
	assert_true(metrics_is_shared(m));
	assert_int_equal(named(m, "route.n0"), 2);
	metrics_free(m);
}

/* All slots were taken by names of another program version: fixed counters still count, here. */
static void test_no_room_for_fixed(void **state)
{
	char name[32];

	(void)state;
	make();
	for (int i = 0; i < METRICS_MAX; i++) {
		memset(name, 0, sizeof name);
		snprintf(name, sizeof name, "old.n%d", i);
		spill(name, sizeof name, 16 + 64 * i);
	}
	struct metrics *m = metrics_open(dir);
	assert_true(metrics_is_shared(m));
	metrics_add(m, M_STORED, 2);
	assert_int_equal(metrics_get(m, M_STORED), 2);
	metrics_free(m);
}

/* The file was taken away under us: what is mapped counts on, new names are dropped, nothing fails. */
static void test_file_removed(void **state)
{
	(void)state;
	struct metrics *m = metrics_open(dir);
	metrics_add_named(m, "x.a", 1);
	unlink(path);
	metrics_add_named(m, "x.a", 1);
	metrics_add_named(m, "x.b", 1);
	assert_int_equal(named(m, "x.a"), 2);
	assert_int_equal(named(m, "x.b"), 0);
	metrics_free(m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_memory), TEST(test_merge),
		TEST(test_names),
		TEST(test_kept),
		TEST(test_two_processes),
		TEST(test_claims),
		TEST(test_replaced_while_waiting),
		TEST(test_damaged),
		TEST(test_half_claimed),
		TEST(test_other_version),
		TEST(test_no_file),
		TEST(test_full),
		TEST(test_no_room_for_fixed),
		TEST(test_file_removed),
	};

	return cmocka_run_group_tests_name("metrics/metrics", tests, NULL, NULL);
}
