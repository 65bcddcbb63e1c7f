#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "store/epochs.h"
#include "store/lock.h"
#include "store/store.h"

#define FILE_NAME ".epochs"
#define FILE_MAX ((size_t)4 << 20)
#define AUTH_MAX 32
#define PREFIX_MAX 512

struct row {
	int64_t time;
	char auth[AUTH_MAX + 1];
	char *prefix;
};

struct epochs {
	struct store *store;		/* NULL: memory only */
	struct row *rows;
	size_t n, cap;
	ino_t ino;			/* of the file last read: each write is a new file */
	struct timespec mtime;
};

static void clear(struct epochs *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->rows[i].prefix);
	e->n = 0;
}

static void drop_oldest(struct epochs *e)
{
	size_t oldest = 0;

	for (size_t i = 1; i < e->n; i++)
		if (e->rows[i].time < e->rows[oldest].time)
			oldest = i;
	free(e->rows[oldest].prefix);
	e->rows[oldest] = e->rows[--e->n];
}

static struct row *room(struct epochs *e)
{
	if (e->n >= EPOCHS_MAX)
		drop_oldest(e);
	if (e->n == e->cap) {
		size_t cap = e->cap == 0 ? 16 : e->cap * 2;
		struct row *rows = realloc(e->rows, cap * sizeof(*rows));

		if (rows == NULL)
			return NULL;
		e->rows = rows;
		e->cap = cap;
	}
	return &e->rows[e->n];
}

/* The same (auth, prefix) again only moves its time. */
static int put(struct epochs *e, int64_t time, struct span auth, struct span prefix)
{
	struct row *r;

	if (auth.n > AUTH_MAX || prefix.n > PREFIX_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < e->n; i++) {
		r = &e->rows[i];
		if (!span_eq(auth, r->auth) || !span_eq(prefix, r->prefix))
			continue;
		if (time > r->time)
			r->time = time;
		return 0;
	}
	r = room(e);
	if (r == NULL || (r->prefix = span_dup(prefix)) == NULL)
		return ERR_INTERNAL;
	r->time = time;
	span_copy(r->auth, sizeof(r->auth), auth);
	e->n++;
	return 0;
}

static void parse(struct epochs *e, struct span text)
{
	struct span line, time, auth;
	uint64_t t;

	while (span_cut(&text, '\n', &line))
		if (span_cut(&line, '\t', &time) && span_cut(&line, '\t', &auth) &&
		    span_u64(time, INT64_MAX, &t) && line.n > 0)
			put(e, (int64_t)t, auth, line);
}

static void reload(struct epochs *e)
{
	struct stat st;
	struct buf b;

	if (e->store == NULL || fstatat(store_dirfd(e->store), FILE_NAME, &st, 0) != 0)
		return;
	if (st.st_ino == e->ino && st.st_mtim.tv_sec == e->mtime.tv_sec &&
	    st.st_mtim.tv_nsec == e->mtime.tv_nsec)
		return;
	buf_init(&b, FILE_MAX);
	if (file_read_at(store_dirfd(e->store), FILE_NAME, FILE_MAX, &b, &st, NULL) == 0) {
		/* Rows of ours that could not be written stay: parse adds. */
		parse(e, buf_span(&b));
		e->ino = st.st_ino;
		e->mtime = st.st_mtim;
	}
	buf_free(&b);
}

struct epochs *epochs_new(struct store *s)
{
	struct epochs *e = calloc(1, sizeof(*e));

	if (e != NULL)
		e->store = s;
	return e;
}

void epochs_free(struct epochs *e)
{
	if (e == NULL)
		return;
	clear(e);
	free(e->rows);
	free(e);
}

/* Whole segments; `*` matches one. */
static bool prefix_matches(struct span prefix, struct span path)
{
	struct span want, have;

	if (span_eq(prefix, "/"))
		return true;
	while (span_cut(&prefix, '/', &want)) {
		if (!span_cut(&path, '/', &have))
			return false;
		if (!span_eq(want, "*") && !span_same(want, have))
			return false;
	}
	return true;
}

int64_t epochs_latest(struct epochs *e, struct span auth, struct span target)
{
	ptrdiff_t q = span_chr(target, '?');
	struct span path = q < 0 ? target : span_sub(target, 0, (size_t)q);
	int64_t latest = 0;

	if (e == NULL)
		return 0;
	reload(e);
	for (size_t i = 0; i < e->n; i++) {
		const struct row *r = &e->rows[i];

		if (r->time > latest && (strcmp(r->auth, "*") == 0 || span_eq(auth, r->auth)) &&
		    prefix_matches(span_of(r->prefix), path))
			latest = r->time;
	}
	return latest;
}

static int save(struct epochs *e, struct err *err)
{
	int64_t oldest = clock_wall() - EPOCHS_KEEP_S * CLOCK_SEC;
	struct buf b;
	int rc;

	buf_init(&b, FILE_MAX);
	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].time >= oldest)
			buf_addf(&b, "%" PRId64 "\t%s\t%s\n", e->rows[i].time, e->rows[i].auth,
			    e->rows[i].prefix);
	rc = b.failed
	    ? ERR_LIMIT
	    : file_write(store_dirfd(e->store), FILE_NAME, 0600, false, buf_data(&b), buf_len(&b), err);
	buf_free(&b);
	return rc;
}

int epochs_add(struct epochs *e, struct span auth, const struct span *prefixes, size_t n, int64_t time,
    struct err *err)
{
	int fd, rc = 0;

	if (e == NULL)
		return 0;
	fd = e->store != NULL ? lock_take(e->store, true) : -1;
	reload(e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put(e, time, auth, prefixes[i]);
	if (rc == 0 && fd >= 0)
		rc = save(e, err);
	lock_release(fd);
	return rc;
}
