#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "codeql/manifest.h"

static const uint8_t ids[4][OBJID_MAX] = { { 1 }, { 2, 2 }, { 3, 3, 3 }, { [31] = 4 } };

static int add(struct manifest *m, const char *path, uint32_t mode, unsigned flags, int id)
{
	struct manifest_rec r = { .path = span_of(path), .mode = mode, .flags = flags, .id = ids[id] };

	return manifest_add(m, &r);
}

static struct manifest *some(enum objid_format f)
{
	struct manifest *m = manifest_new(f, true);

	assert_int_equal(add(m, "a", MANIFEST_FILE, MANIFEST_TRACKED, 0), 0);
	assert_int_equal(add(m, "a.c", MANIFEST_EXEC, MANIFEST_TRACKED | MANIFEST_DIRTY, 1), 0);
	assert_int_equal(add(m, "a/b", MANIFEST_LINK, MANIFEST_TRACKED | MANIFEST_DENIED, 2), 0);
	assert_int_equal(add(m, "a/c", MANIFEST_GITLINK, MANIFEST_TRACKED, 3), 0);
	assert_int_equal(add(m, "gone", MANIFEST_FILE, MANIFEST_TRACKED | MANIFEST_GONE, 1), 0);
	assert_int_equal(add(m, "untracked\n\xff", MANIFEST_FILE, 0, 1), 0);
	return m;
}

static void test_records(void **state)
{
	struct manifest *m = some(OBJID_SHA256);
	struct manifest_rec r;
	char path[MANIFEST_PATH_MAX + 1];

	(void)state;
	assert_int_equal(manifest_count(m), 6);
	assert_true(manifest_find(m, span_of("a/c"), &r));
	assert_int_equal(r.mode, MANIFEST_GITLINK);
	assert_memory_equal(r.id, ids[3], OBJID_MAX);
	assert_false(manifest_find(m, span_of("a/"), &r));
	assert_false(manifest_find(m, span_of(""), &r));
	assert_false(manifest_find(m, span_of("zzz"), &r));
	/* order, modes, lengths */
	assert_int_equal(add(m, "b", MANIFEST_FILE, 0, 0), ERR_USAGE);
	assert_int_equal(add(m, "untracked\n\xff", MANIFEST_FILE, 0, 0), ERR_USAGE);
	assert_int_equal(add(m, "v", 040000, 0, 0), ERR_USAGE);
	assert_int_equal(add(m, "v", MANIFEST_FILE, 32, 0), ERR_USAGE);
	assert_int_equal(add(m, "", MANIFEST_FILE, 0, 0), ERR_LIMIT);
	memset(path, 'v', MANIFEST_PATH_MAX);
	path[MANIFEST_PATH_MAX] = '\0';
	assert_int_equal(add(m, path, MANIFEST_FILE, 0, 0), ERR_LIMIT);
	path[MANIFEST_PATH_MAX - 1] = '\0';
	assert_int_equal(add(m, path, MANIFEST_FILE, 0, 0), 0);
	manifest_free(m);
}

static void test_file(void **state)
{
	(void)state;
	for (int f = 0; f < 2; f++) {
		struct manifest *m = some((enum objid_format)f), *again;
		struct err e;
		struct buf b;

		buf_init(&b, BUF_MAX_ANY);
		err_init(&e);
		assert_int_equal(manifest_write(m, &b, &e), 0);
		again = manifest_read(span_make(guard_put(buf_data(&b), buf_len(&b)), buf_len(&b)), &e);
		assert_non_null(again);
		assert_int_equal(manifest_format(again), f);
		assert_true(manifest_indexed(again));
		assert_int_equal(manifest_count(again), manifest_count(m));
		for (size_t i = 0; i < manifest_count(m); i++) {
			struct manifest_rec x = manifest_at(m, i), y = manifest_at(again, i);

			assert_true(span_same(x.path, y.path));
			assert_int_equal(x.mode, y.mode);
			assert_int_equal(x.flags, y.flags);
			assert_memory_equal(x.id, y.id, objid_len((enum objid_format)f));
		}
		manifest_free(again);
		/* no byte may be another, none missing, none more */
		for (size_t i = 0; i < buf_len(&b); i++) {
			buf_data(&b)[i] ^= 0x10;
			err_init(&e);
			assert_null(manifest_read(buf_span(&b), &e));
			assert_int_equal(e.cls, ERR_DAMAGED);
			buf_data(&b)[i] ^= 0x10;
			assert_null(manifest_read(span_make(guard_put(buf_data(&b), i), i), NULL));
		}
		buf_addc(&b, 0);
		assert_null(manifest_read(buf_span(&b), NULL));
		buf_free(&b);
		manifest_free(m);
	}
}

struct seen {
	char text[256];
	int stop;
};

static bool note(void *ctx, enum manifest_change c, const struct manifest_rec *was,
    const struct manifest_rec *is)
{
	struct seen *s = ctx;
	const struct manifest_rec *r = is ? is : was;
	size_t n = strlen(s->text);

	assert_int_equal(was == NULL, c == MANIFEST_ADDED);
	assert_int_equal(is == NULL, c == MANIFEST_REMOVED);
	snprintf(s->text + n, sizeof(s->text) - n, "%c%.*s ", "+-~"[c], (int)r->path.n, r->path.p);
	return --s->stop != 0;
}

static void expect_diff(const struct manifest *a, const struct manifest *b, int how, const char *want)
{
	struct seen s = { .stop = -1 };
	size_t n = how == 2 ? manifest_since(a, b, note, &s) : manifest_diff(a, b, how, note, &s),
	       spaces = 0;

	for (const char *p = s.text; *p; p++)
		spaces += *p == ' ';
	assert_string_equal(s.text, want);
	assert_int_equal(n, spaces);
	assert_int_equal(how == 2 ? manifest_since(a, b, NULL, NULL)
				  : manifest_diff(a, b, how, NULL, NULL),
	    n);
}

static void test_diff(void **state)
{
	struct manifest *a = some(OBJID_SHA1), *b = manifest_new(OBJID_SHA1, true),
			*c = manifest_new(OBJID_SHA1, false);
	struct seen s = { .stop = 2 };

	(void)state;
	expect_diff(a, a, 0, "");
	expect_diff(a, b, 0, "-a -a.c -a/b -a/c -untracked\n\xff ");
	expect_diff(b, a, 0, "+a +a.c +a/b +a/c +untracked\n\xff ");
	/* to others that are denied, or not tracked */
	expect_diff(a, b, 1, "-a -a.c -a/c -untracked\n\xff ");
	expect_diff(a, b, 2, "-a -a.c -a/b -a/c -untracked\n\xff ");
	assert_int_equal(manifest_diff(a, b, false, note, &s), 2);
	assert_string_equal(s.text, "-a -a.c ");
	add(b, "a", MANIFEST_EXEC, MANIFEST_TRACKED, 0);
	add(b, "a.c", MANIFEST_EXEC, MANIFEST_TRACKED, 1);
	add(b, "a/b", MANIFEST_LINK, MANIFEST_TRACKED | MANIFEST_DENIED, 0);
	add(b, "a/c", MANIFEST_GITLINK, 0, 0);
	add(b, "gone", MANIFEST_FILE, MANIFEST_TRACKED, 1);
	add(b, "new", MANIFEST_FILE, 0, 1);
	add(b, "untracked\n\xff", MANIFEST_FILE, MANIFEST_GONE, 1);
	expect_diff(a, b, 0, "~a ~a/b ~a/c +gone +new -untracked\n\xff ");
	expect_diff(a, b, 1, "~a ~a/c +gone +new -untracked\n\xff ");
	/* a build's new file is no matter; what was there, or was tracked and is no more, is */
	expect_diff(a, b, 2, "~a ~a/b ~a/c +gone -untracked\n\xff ");
	/* without an index all that was there is source */
	add(c, "a", MANIFEST_FILE, 0, 0);
	add(c, "b", MANIFEST_FILE, 0, 0);
	add(c, "untracked\n\xff", MANIFEST_FILE, 0, 2);
	struct manifest *d = manifest_new(OBJID_SHA1, false);
	add(d, "a", MANIFEST_FILE, 0, 0);
	add(d, "built", MANIFEST_FILE, 0, 0);
	add(d, "untracked\n\xff", MANIFEST_FILE, 0, 1);
	expect_diff(c, d, 2, "-b ~untracked\n\xff ");
	expect_diff(c, d, 0, "-b +built ~untracked\n\xff ");
	/* ids of two formats are never the same */
	struct manifest *e = some(OBJID_SHA256);
	expect_diff(a, e, 0, "~a ~a.c ~a/b ~a/c ~untracked\n\xff ");
	manifest_free(a);
	manifest_free(b);
	manifest_free(c);
	manifest_free(d);
	manifest_free(e);
	manifest_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
