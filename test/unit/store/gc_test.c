#include "base/clock.h"
#include "folder.h"
#include "store/gc.h"
#include "store/lock.h"

#define HOUR 3600
#define DAY 86400
#define LIVE 100000000		/* a TTL that is not over */

static int64_t now;		/* s */

static const char *name_of(unsigned i, const char *auth)
{
	static char path[STORE_NAME_MAX + 3];
	char key[40], name[STORE_NAME_MAX + 1];

	snprintf(key, sizeof(key), "other:/x/%u:0123456789abcdef", i);
	assert_true(store_name(name, span_of(key), span_of(auth)));
	snprintf(path, sizeof(path), "s/%s", name);
	return path;
}

/* Entry number i of this token, fetched two hours ago, last used `age` seconds ago. */
static void add(unsigned i, const char *auth, int64_t ttl, int64_t age)
{
	struct entry_parts p = made_parts();
	struct entry *e;
	char key[40];

	now = clock_wall() / CLOCK_SEC;
	snprintf(key, sizeof(key), "other:/x/%u:0123456789abcdef", i);
	p.key = span_of(key);
	p.auth = span_of(auth);
	p.ttl = ttl;
	p.timestamp = (now - 2 * HOUR) * CLOCK_SEC;
	e = made(&p);
	assert_int_equal(store_put(store, e, NULL), 0);
	entry_unref(e);
	set_mtime(name_of(i, auth), now - age);
}

/* Collect to the end; the number of steps. */
static unsigned collect(size_t max, int64_t later, size_t seen, size_t removed)
{
	struct gc *g = NULL;
	unsigned steps = 1;

	assert_int_equal(gc_start(store, max, (clock_wall() / CLOCK_SEC + later) * CLOCK_SEC, &g, NULL), 1);
	while (gc_step(g) == 1)
		assert_true(++steps < 10000);
	assert_int_equal(gc_step(g), 0);
	assert_int_equal(gc_seen(g), seen);
	assert_int_equal(gc_removed(g), removed);
	gc_free(g);
	return steps;
}

/* Twelve: one expired, one of a token unseen for a day, one older than both of a token that is seen; the rest
 * fresh. */
static void add_twelve(void)
{
	add(0, TAG, 60, 0);
	add(1, TAG2, LIVE, 25 * HOUR);
	add(2, TAG, LIVE, 30 * HOUR);
	for (unsigned i = 3; i < 12; i++)
		add(i, TAG, LIVE, 1000 - i);
}

static void test_order(void **state)
{
	(void)state;
	add_twelve();
	assert_int_equal(unlink(name_of(11, TAG)), 0);
	collect(10, 0, 11, 2);
	assert_false(is_there(name_of(0, TAG)) || is_there(name_of(1, TAG2)));
	assert_true(is_there(name_of(2, TAG)));
	add_twelve();
	collect(11, 0, 12, 3);
	assert_false(is_there(name_of(0, TAG)) || is_there(name_of(1, TAG2)) || is_there(name_of(2, TAG)));
	for (unsigned i = 3; i < 12; i++)
		assert_true(is_there(name_of(i, TAG)));
	/* and now by last use */
	collect(6, 0, 9, 4);
	for (unsigned i = 3; i < 12; i++)
		assert_int_equal(is_there(name_of(i, TAG)), i >= 7);
}

/* One use of any of its entries and a token is seen; public entries have no token to be seen. */
static void test_seen_tokens(void **state)
{
	(void)state;
	add(0, TAG2, LIVE, 40 * HOUR);
	add(1, TAG2, LIVE, 0);
	add(2, ENTRY_PUBLIC, LIVE, 41 * HOUR);
	add(3, TAG, LIVE, 30 * HOUR);
	for (unsigned i = 4; i < 11; i++)
		add(i, ENTRY_PUBLIC, LIVE, 10);
	collect(10, 0, 11, 2);
	/* the unseen token's, then the oldest */
	assert_false(is_there(name_of(3, TAG)) || is_there(name_of(2, ENTRY_PUBLIC)));
	assert_true(is_there(name_of(0, TAG2)));
}

static void test_ninety_percent(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		add(i, TAG, 60, i);		/* all expired: that alone removes nothing */
	collect(20, 0, 20, 0);
	collect(10, 0, 20, 11);
	collect(9, 0, 9, 0);
	assert_int_equal(count_files("s", NULL), 9 + 1);	/* .lock */
}

static void test_slices(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5 * GC_SLICE; i++)
		add(i, TAG, LIVE, i);
	/* at least as many steps as slices are needed to look at every name twice, and for each removal */
	assert_true(collect(GC_SLICE, 0, 5 * GC_SLICE, 5 * GC_SLICE - GC_SLICE * 9 / 10) >= 5 + 5 + 4 + 5);
}

static void test_temporary_files(void **state)
{
	(void)state;
	now = clock_wall() / CLOCK_SEC;
	write_text("s/old.json.tmp-1-0123456789abcdef", "x");
	set_mtime("s/old.json.tmp-1-0123456789abcdef", now - HOUR - 60);
	write_text("s/.epochs.tmp-1-0123456789abcdef", "x");
	set_mtime("s/.epochs.tmp-1-0123456789abcdef", now - HOUR - 60);
	write_text("s/new.json.tmp-1-0123456789abcdef", "x");
	set_mtime("s/new.json.tmp-1-0123456789abcdef", now - HOUR + 60);
	write_text("s/notes.txt", "x");
	set_mtime("s/notes.txt", now - 9 * DAY);
	collect(100, 0, 0, 0);
	assert_false(is_there("s/old.json.tmp-1-0123456789abcdef") ||
	    is_there("s/.epochs.tmp-1-0123456789abcdef"));
	assert_true(is_there("s/new.json.tmp-1-0123456789abcdef") && is_there("s/notes.txt"));
}

static void test_orphaned_links(void **state)
{
	(void)state;
	add(0, TAG, LIVE, 0);
	add(1, TAG, LIVE, 0);
	assert_int_equal(unlink(name_of(0, TAG)), 0);
	assert_int_equal(count_files("s/last", NULL), 2);
	collect(100, 0, 1, 0);
	assert_int_equal(count_files("s/last", NULL), 1);
	assert_true(is_there(name_of(1, TAG)));
	/* what a collection removes is gone from last/ in the same one */
	collect(0, 0, 1, 1);
	assert_int_equal(count_files("s/last", NULL), 0);
}

/* A put that ended between making its link and moving it: neither link may outlive the entry for good. */
static void test_link_under_a_temporary_name(void **state)
{
	char last[300] = "";
	DIR *d;

	(void)state;
	add(0, TAG, LIVE, 0);
	d = opendir("s/last");
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			snprintf(last, sizeof(last), "s/last/%s.tmp-1-0123456789abcdef", e->d_name);
	closedir(d);
	assert_int_equal(link(name_of(0, TAG), last), 0);
	collect(100, 0, 1, 0);
	assert_true(is_there(last));
	assert_int_equal(unlink(name_of(0, TAG)), 0);
	collect(100, 2 * HOUR, 0, 0);
	collect(100, 2 * HOUR, 0, 0);
	assert_int_equal(count_files("s/last", NULL), 0);
}

static void test_corrupt_files(void **state)
{
	(void)state;
	write_text("s/a.json", "damaged");
	assert_int_equal(store_set_aside(store, "a.json", NULL), 0);
	collect(100, 6 * DAY, 0, 0);
	assert_true(is_there("s/corrupt/a.json"));
	collect(100, 8 * DAY, 0, 0);
	assert_false(is_there("s/corrupt/a.json"));
}

/* The reference's files, and such as nobody can read, are entries too. */
static void test_others_files(void **state)
{
	(void)state;
	add(0, TAG, LIVE, 0);
	write_text("s/list_repos_owner=octo.json", "{\"data\": [], \"timestamp\": 5, \"ttl\": 600}");
	write_text("s/damaged.json", "x");
	set_mtime("s/damaged.json", clock_wall() / CLOCK_SEC - 5);
	collect(2, 0, 3, 2);
	assert_true(is_there(name_of(0, TAG)));
}

static void test_one_at_a_time(void **state)
{
	struct gc *g = NULL, *other = NULL;
	int fd;

	(void)state;
	assert_int_equal(gc_start(store, 10, clock_wall(), &g, NULL), 1);
	assert_int_equal(gc_start(store, 10, clock_wall(), &other, NULL), 0);
	gc_free(g);		/* given up before its end */
	fd = lock_take(store, LOCK_COLLECTION, false);
	assert_true(fd >= 0);
	assert_int_equal(gc_start(store, 10, clock_wall(), &g, NULL), 0);
	lock_release(fd);
	collect(10, 0, 0, 0);
	gc_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_seen_tokens),
		TEST(test_ninety_percent),
		TEST(test_slices),
		TEST(test_temporary_files),
		TEST(test_orphaned_links),
		TEST(test_link_under_a_temporary_name),
		TEST(test_corrupt_files),
		TEST(test_others_files),
		TEST(test_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
