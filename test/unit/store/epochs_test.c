#include "base/clock.h"
#include "folder.h"
#include "store/epochs.h"

static int64_t t0;		/* µs, now: older rows would be dropped */

static int setup(void **state)
{
	t0 = clock_wall();
	return folder_setup(state);
}

static void add(struct epochs *e, const char *auth, const char *prefix, int64_t time)
{
	struct span p = span_of(prefix);

	assert_int_equal(epochs_add(e, span_of(auth), &p, 1, time, NULL), 0);
}

static int64_t latest(struct epochs *e, const char *auth, const char *target)
{
	return epochs_latest(e, span_of(auth), span_of(target));
}

static const struct {
	const char *prefix, *target;
	bool matches;
} matches[] = { { "/repos/o/r", "/repos/o/r", true }, { "/repos/o/r", "/repos/o/r/issues/5", true },
	{ "/repos/o/r", "/repos/o/r?page=2", true }, { "/repos/o/r", "/repos/o/r/issues?a=/b", true },
	{ "/repos/o/r", "/repos/o/rx", false }, { "/repos/o/r", "/repos/o", false },
	{ "/repos/o/r", "/repos/o/", false }, { "/repos/o/r", "/repos/O/r", true },
	{ "/repos/o/r", "/x/repos/o/r", false }, { "/repos/o/r", "/repos/x?a=/repos/o/r", false },
	{ "/repos/o/r", "/", false }, { "/repos/*/r", "/repos/o/r", true },
	{ "/repos/*/r", "/repos/p/r/x", true }, { "/repos/*/r", "/repos/o/s", false },
	{ "/repos/*/r", "/repos/o/x/r", false }, { "/repos/*/r", "/repos/r", false },
	{ "/repositories/*/issues", "/repositories/42/issues?page=2", true },
	{ "/repositories/*/issues", "/repositories/42/pulls", false },
	{ "/repositories/*", "/repositories/42", true }, { "/repositories/*", "/repositories", false },
	{ "/repos/o*", "/repos/oo", false }, { "/repos/o/", "/repos/o/x", false },
	{ "/repos/O/R/x", "/repos/o/r/x?y", true }, { "/", "/", true }, { "/", "/user", true },
	{ "/", "/repos/o/r?x", true } };

static void test_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(matches); i++) {
		struct epochs *e = epochs_new(NULL);

		add(e, "*", matches[i].prefix, t0);
		assert_int_equal(latest(e, TAG, matches[i].target), matches[i].matches ? t0 : 0);
		epochs_free(e);
	}
}

static void test_whose(void **state)
{
	struct epochs *e = epochs_new(NULL);

	(void)state;
	assert_int_equal(latest(e, TAG, "/user"), 0);
	add(e, TAG, "/user", t0);
	assert_int_equal(latest(e, TAG, "/user"), t0);
	assert_int_equal(latest(e, TAG2, "/user"), 0);
	assert_int_equal(latest(e, ENTRY_PUBLIC, "/user"), 0);
	assert_int_equal(latest(e, "*", "/user"), 0);
	add(e, "*", "/", t0 - 5);
	assert_int_equal(latest(e, TAG, "/user"), t0);
	assert_int_equal(latest(e, TAG2, "/user"), t0 - 5);
	/* the same row again moves its time, and only forward */
	add(e, TAG, "/user", t0 + 5);
	add(e, TAG, "/user", t0 - 9);
	assert_int_equal(latest(e, TAG, "/user"), t0 + 5);
	epochs_free(e);
	assert_int_equal(epochs_latest(NULL, span_of(TAG), span_of("/user")), 0);
	assert_int_equal(epochs_add(NULL, span_of(TAG), NULL, 0, t0, NULL), 0);
	epochs_free(NULL);
}

/* It changes with what another process writes, and not by being asked for. */
static void test_version(void **state)
{
	struct epochs *a = epochs_new(store), *b = epochs_new(store);
	uint64_t before = epochs_version(a);

	(void)state;
	assert_true(epochs_version(a) == before);
	add(b, TAG, "/user", t0);
	assert_int_equal(epochs_known(a, span_of(TAG), span_of("/user")), 0);
	assert_true(epochs_version(a) != before);
	assert_int_equal(epochs_known(a, span_of(TAG), span_of("/user")), t0);
	before = epochs_version(a);
	assert_true(epochs_version(a) == before);
	add(a, TAG, "/user", t0 + 1);
	assert_true(epochs_version(a) != before);
	assert_true(epochs_version(NULL) == 0);
	assert_int_equal(epochs_known(NULL, span_of(TAG), span_of("/user")), 0);
	epochs_free(a);
	epochs_free(b);
}

static void test_file(void **state)
{
	struct epochs *a = epochs_new(store), *b = epochs_new(store);
	const struct span two[] = { span_of("/repos/o/r"), span_of("/user/repos") };
	struct stat st;
	struct buf text;
	char want[200];

	(void)state;
	assert_int_equal(epochs_add(a, span_of("*"), two, 2, t0, NULL), 0);
	assert_int_equal(stat("s/.epochs", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	buf_init(&text, 1000);
	assert_int_equal(file_read("s/.epochs", 1000, false, &text, NULL), 0);
	snprintf(want, sizeof(want), "%lld\t*\t/repos/o/r\n%lld\t*\t/user/repos\n", (long long)t0,
	    (long long)t0);
	assert_string_equal(buf_cstr(&text), want);
	buf_free(&text);
	/* the other sees it, and the first what the other adds */
	assert_int_equal(latest(b, TAG, "/repos/o/r/issues"), t0);
	add(b, TAG, "/user", t0 + 1);
	assert_int_equal(latest(a, TAG, "/user"), t0 + 1);
	epochs_free(a);
	epochs_free(b);
	a = epochs_new(store);
	assert_int_equal(latest(a, TAG, "/user"), t0 + 1);
	assert_int_equal(latest(a, TAG2, "/user/repos"), t0);
	epochs_free(a);
}

/* Each write drops what is older than any TTL allows. */
static void test_old_rows_go(void **state)
{
	struct epochs *e = epochs_new(store);
	struct stat st;

	(void)state;
	add(e, TAG, "/old", t0 - (EPOCHS_KEEP_S + 60) * CLOCK_SEC);
	add(e, TAG, "/kept", t0 - (EPOCHS_KEEP_S - 60) * CLOCK_SEC);
	epochs_free(e);
	e = epochs_new(store);
	assert_int_equal(latest(e, TAG, "/old"), 0);
	assert_true(latest(e, TAG, "/kept") > 0);
	epochs_free(e);
	assert_int_equal(stat("s/.epochs", &st), 0);
	assert_true(st.st_size < 70);
}

/* The oldest make room. All in one call: a write of 4096 rows each would be slow. */
/* A full list forgets no row: what is older than those that had to go is asked again, whatever it is. */
static void test_limit(void **state)
{
	enum { BATCH = 64, BATCHES = EPOCHS_MAX / BATCH + 1 };
	static char names[BATCHES][BATCH][24];
	struct epochs *e = epochs_new(store);
	struct span p[BATCH];
	int64_t limit = 0;

	(void)state;
	for (int i = 0; i < BATCHES; i++) {
		for (int k = 0; k < BATCH; k++)
			p[k] = span_make(names[i][k],
			    (size_t)snprintf(names[i][k], sizeof(names[i][k]), "/repos/o/%d", i * BATCH + k));
		assert_int_equal(epochs_add(e, span_of(TAG), p, BATCH, t0 - 1000 + i, NULL), 0);
	}
	for (int again = 0; again < 2; again++) {
		limit = latest(e, TAG2, "/elsewhere");
		assert_in_range(limit, t0 - 1000 + BATCHES / 4 - 1, t0 - 1000 + BATCHES / 4 + 1);
		for (int i = 0; i < BATCHES; i++)
			assert_true(latest(e, TAG, names[i][i % BATCH]) ==
			    (t0 - 1000 + i > limit ? t0 - 1000 + i : limit));
		epochs_free(e);
		e = epochs_new(store);
	}
	epochs_free(e);
}

/* What peers said pushes out its like alone, the oldest first, in the file too. */
static void test_said(void **state)
{
	enum { BATCH = 64, BATCHES = EPOCHS_MAX / BATCH + 4 };
	static char names[BATCHES][BATCH][16];
	struct epochs *e = epochs_new(store);
	struct span p[BATCH];

	(void)state;
	add(e, "*", "/ours", t0 - 5000);
	for (int i = 0; i < BATCHES; i++) {
		for (int k = 0; k < BATCH; k++)
			p[k] = span_make(names[i][k],
			    (size_t)snprintf(names[i][k], sizeof(names[i][k]), "/%d", i * BATCH + k));
		assert_int_equal(epochs_add(e, span_of(EPOCHS_SAID), p, BATCH, t0 - 1000 + i, NULL), 0);
	}
	add(e, EPOCHS_SAID, names[BATCHES - 1][0], t0);
	/* those that went are one row now, as late as the last of them */
	const int64_t gone = t0 - 1000 + BATCHES - EPOCHS_SAID_MAX / BATCH - 1;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(latest(e, TAG, "/elsewhere"), gone);
		assert_int_equal(latest(e, TAG2, "/ours"), gone);
		assert_int_equal(latest(e, TAG, names[BATCHES - 1][0]), t0);
		for (int i = 0; i < BATCHES; i++)
			assert_int_equal(latest(e, TAG, names[i][5]),
			    i < BATCHES - EPOCHS_SAID_MAX / BATCH ? gone : t0 - 1000 + i);
		epochs_free(e);
		e = epochs_new(store);
	}
	epochs_free(e);
}

/* A path may be long; what is written below it must count all the same. */
static void test_long_prefix(void **state)
{
	struct epochs *e = epochs_new(store);
	char path[2000];
	struct span two[2] = { span_make(path, sizeof(path)), span_of("/user") };

	(void)state;
	memset(path, 'x', sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 100)
		path[i] = '/';
	assert_int_equal(epochs_add(e, span_of("*"), two, 2, t0, NULL), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(epochs_latest(e, span_of(TAG), two[0]), t0);
		assert_int_equal(latest(e, TAG, "/user"), t0);
		assert_int_equal(latest(e, TAG, "/other"), 0);
		epochs_free(e);
		e = epochs_new(store);
	}
	epochs_free(e);
}

#define WRITERS 4
#define ROWS 60

static int add_many(void *arg)
{
	struct store *s;
	struct epochs *e;
	char prefix[40];

	CHECK(store_open("s", &s, NULL) == 0 && (e = epochs_new(s)) != NULL);
	for (int i = 0; i < ROWS; i++) {
		struct span p =
		    span_make(prefix, (size_t)snprintf(prefix, sizeof(prefix), "/w/%d/%d", *(int *)arg, i));

		CHECK(epochs_add(e, span_of(TAG), &p, 1, t0, NULL) == 0);
	}
	return 0;
}

static void test_nothing_is_lost(void **state)
{
	struct epochs *reader = epochs_new(store);
	pid_t pid[WRITERS];
	char target[40];
	int status;

	(void)state;
	for (int w = 0; w < WRITERS; w++)
		if ((pid[w] = fork()) == 0)
			_exit(add_many(&w));
	for (int w = 0; w < WRITERS; w++) {
		assert_int_equal(latest(reader, TAG, "/none"), 0);
		assert_int_equal(waitpid(pid[w], &status, 0), pid[w]);
		assert_int_equal(status, 0);
	}
	struct epochs *fresh = epochs_new(store);
	for (int w = 0; w < WRITERS; w++)
		for (int i = 0; i < ROWS; i++) {
			snprintf(target, sizeof(target), "/w/%d/%d", w, i);
			assert_int_equal(latest(fresh, TAG, target), t0);
			/* and who read all along missed no write, however close they were */
			assert_int_equal(latest(reader, TAG, target), t0);
		}
	epochs_free(fresh);
	epochs_free(reader);
}

/* Lines that are none are passed over; the next write makes the file whole. */
static void test_damaged(void **state)
{
	char text[1000];
	int n = snprintf(text, sizeof(text),
	    "garbage\n\n\t\t\n%lld\n%lld\t*\n%lld\t*\t\n-5\t*\t/a\nx\t*\t/b\n99999999999999999999\t*\t/c\n"
	    "%lld\t%065d\t/d\n%lld\t*\t/good\n%lld\t*\t/e\r\n%lld\t\x01\t/f\n%lld\t*\t/tor",
	    (long long)t0, (long long)t0, (long long)t0, (long long)t0, 0, (long long)t0, (long long)t0,
	    (long long)t0, (long long)t0);
	static const char *const none[] = { "/a", "/b", "/c", "/d", "/e", "/e\r", "/f", "/user" };

	(void)state;
	text[0] = '\0';		/* a NUL among it */
	write_file("s/.epochs", text, (size_t)n);
	struct epochs *e = epochs_new(store);
	for (size_t i = 0; i < COUNT(none); i++)
		assert_int_equal(latest(e, TAG, none[i]), 0);
	assert_int_equal(latest(e, TAG, "/good/x"), t0);
	add(e, TAG, "/new", t0);
	epochs_free(e);
	e = epochs_new(store);
	assert_int_equal(latest(e, TAG, "/good"), t0);
	assert_int_equal(latest(e, TAG, "/new"), t0);
	epochs_free(e);
	/* gone, or no file at all */
	assert_int_equal(unlink("s/.epochs"), 0);
	assert_int_equal(mkdir("s/.epochs", 0700), 0);
	e = epochs_new(store);
	struct span p = span_of("/here");
	assert_int_equal(epochs_add(e, span_of("*"), &p, 1, t0, NULL), ERR_IO);
	assert_int_equal(latest(e, TAG, "/here"), t0);
	epochs_free(e);
}

static const char *const bad_prefixes[] = { "", "x", "*", "/a\n1\t*\t/", "/a\tb", "/a\rb", "/a b", "/a\x7f",
	"/\xc3\xa9", "/a\x01", "\n/a" };

/* What would be another row, or one that matches by accident, is refused, from whomever; with it all that
 * came along. */
static void test_rows_that_are_none(void **state)
{
	struct epochs *e = epochs_new(store);
	struct span two[2] = { span_of("/fine") }, nul = span_make("/a\0b", 4);

	(void)state;
	for (size_t i = 0; i < COUNT(bad_prefixes); i++) {
		two[1] = span_of(bad_prefixes[i]);
		assert_false(epochs_prefix_ok(two[1], true));
		assert_int_equal(epochs_add(e, span_of("*"), two, 2, t0, NULL), ERR_PROTO);
	}
	assert_int_equal(epochs_add(e, span_of("*"), &nul, 1, t0, NULL), ERR_PROTO);
	assert_int_equal(epochs_add(e, span_of("a\tb"), two, 1, t0, NULL), ERR_PROTO);
	assert_int_equal(epochs_add(e, span_of(""), two, 1, t0, NULL), ERR_PROTO);
	assert_int_equal(latest(e, TAG, "/fine"), 0);
	assert_int_equal(latest(e, TAG, "/a"), 0);
	assert_int_equal(epochs_version(e), 0);
	assert_int_equal(access("s/.epochs", F_OK), -1);
	assert_true(epochs_prefix_ok(span_of("/repos/*/*/x"), true));
	assert_false(epochs_prefix_ok(span_of("/repos/*/*/x"), false));
	assert_true(epochs_prefix_ok(span_of("/repos/o/r~!"), false));
	epochs_free(e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_matches),
		TEST(test_whose),
		TEST(test_version),
		TEST(test_file),
		TEST(test_old_rows_go),
		TEST(test_limit),
		TEST(test_said),
		TEST(test_long_prefix),
		TEST(test_nothing_is_lost),
		TEST(test_damaged),
		TEST(test_rows_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
