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
	uint32_t hash;			/* of both: a full file is read in 10 ms instead of 200 */
	uint32_t repo;			/* repo_of the prefix */
	char *prefix;
};

struct epochs {
	struct store *store;		/* NULL: memory only */
	struct row *rows;
	size_t n, cap;
	size_t said;			/* of them by peers, but for their row of "/" */
	uint64_t version;
	ino_t ino;			/* of the file last read: each write is a new file */
	struct timespec mtime;
};

static void clear(struct epochs *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->rows[i].prefix);
	e->n = e->said = 0;
}

static bool is_said(const struct row *r)
{
	return strcmp(r->auth, EPOCHS_SAID) == 0;
}

/* Does it take one of their places? */
static bool is_placed(const struct row *r)
{
	return is_said(r) && r->prefix[1] != '\0';
}

static uint32_t hash_of(uint32_t h, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 16777619;	/* FNV-1a */
	return h;
}

/* Of "/repos/o/r" at a path's begin, without case; 0: a row of that may match others, too. Without it 1,024
 * rows cost each entry that a peer announces 90 us. */
static uint32_t repo_of(struct span path)
{
	uint32_t h = 2166136261;
	size_t n = 0, slashes = 0;

	for (; n < path.n && (path.p[n] != '/' || ++slashes < 4); n++) {
		char c = path.p[n];

		if (c == '*')
			return 0;
		h = (h ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c)) * 16777619;
	}
	return slashes < 3 ? 0 : h | 1;
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The oldest quarter goes; all that is older than the newest of it is asked again, whoever's and wherever. So
 * a full list makes questions, which are mostly free, and no stale answer. The row for that, in the place of
 * the first that went. */
static void make_room(struct epochs *e)
{
	int64_t times[EPOCHS_MAX], limit;
	struct row all = { .prefix = NULL };
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		times[i] = e->rows[i].time;
	qsort(times, e->n, sizeof(times[0]), by_time);
	limit = times[e->n / 4];
	e->said = 0;
	for (size_t i = 0; i < e->n; i++) {
		if (e->rows[i].time > limit) {
			e->said += is_placed(&e->rows[i]);
			e->rows[n++] = e->rows[i];
			continue;
		}
		free(all.prefix);
		all = e->rows[i];
	}
	/* One that goes becomes the row for everything: there is room for "/" where a path was. */
	all.prefix[0] = '/';
	all.prefix[1] = '\0';
	all.auth[0] = '*';
	all.auth[1] = '\0';
	all.hash = hash_of(hash_of(2166136261, span_of("*")), span_of("/"));
	all.repo = 0;
	all.time = limit;
	e->rows[n++] = all;
	e->n = n;
}

static struct row *room(struct epochs *e)
{
	if (e->n >= EPOCHS_MAX)
		make_room(e);
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

/* NULL: there is room. */
static struct row *oldest_said(struct epochs *e)
{
	struct row *oldest = NULL;

	for (size_t i = 0; e->said >= EPOCHS_SAID_MAX && i < e->n; i++)
		if (is_placed(&e->rows[i]) && (oldest == NULL || e->rows[i].time < oldest->time))
			oldest = &e->rows[i];
	return oldest;
}

/* Whole segments: a shorter prefix matches more, which costs a question; none at all would serve what is
 * stale. */
static struct span shortened(struct span prefix)
{
	size_t n = PREFIX_MAX;

	if (prefix.n <= n)
		return prefix;
	while (n > 0 && prefix.p[n] != '/')
		n--;
	return n > 0 ? span_sub(prefix, 0, n) : span_of("/");
}

static bool is_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

bool epochs_prefix_ok(struct span prefix, bool wild)
{
	return is_visible(prefix) && prefix.p[0] == '/' && (wild || span_chr(prefix, '*') < 0);
}

/* The same (auth, prefix) again only moves its time. */
static int put(struct epochs *e, int64_t time, struct span auth, struct span prefix, bool search)
{
	struct row *r, *last = NULL;
	uint32_t hash;
	char *copy;

	if (auth.n > AUTH_MAX || !is_visible(auth) || !epochs_prefix_ok(prefix, true))
		return ERR_PROTO;
	prefix = shortened(prefix);
	e->version++;
	hash = hash_of(hash_of(2166136261, auth), prefix);
	for (size_t i = 0; search && i < e->n; i++) {
		r = &e->rows[i];
		if (r->hash != hash || !span_eq(auth, r->auth) || !span_eq(prefix, r->prefix))
			continue;
		if (time > r->time)
			r->time = time;
		return 0;
	}
	if (span_eq(auth, EPOCHS_SAID) && prefix.n > 1 && (last = oldest_said(e)) != NULL) {
		if (put(e, last->time, auth, span_of("/"), true) != 0)
			return ERR_INTERNAL;
		last = oldest_said(e);	/* the rows may have moved */
	}
	r = last != NULL ? last : room(e);
	if (r == NULL || (copy = span_dup(prefix)) == NULL)
		return ERR_INTERNAL;
	if (last != NULL)
		free(last->prefix);
	r->prefix = copy;
	r->time = time;
	r->hash = hash;
	r->repo = repo_of(prefix);
	span_copy(r->auth, sizeof(r->auth), auth);
	if (last == NULL) {
		e->n++;
		e->said += is_placed(r);
	}
	return 0;
}

static void parse(struct epochs *e, struct span text)
{
	struct span line, time, auth;
	uint64_t t;

	/* A file has no row twice: into an empty list they are not searched for, which 4096 of them would
	 * take 16 ms. */
	bool search = e->n > 0;

	while (span_cut(&text, '\n', &line))
		if (span_cut(&line, '\t', &time) && span_cut(&line, '\t', &auth) &&
		    span_u64(time, INT64_MAX, &t))
			put(e, (int64_t)t, auth, line, search);
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

uint64_t epochs_version(struct epochs *e)
{
	if (e == NULL)
		return 0;
	reload(e);
	return e->version;
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
		/* Without case, as GitHub has owners and repositories: where case counts, one question too
		 * many is asked. */
		if (!span_eq(want, "*") && !span_isame(want, have))
			return false;
	}
	return true;
}

int64_t epochs_latest(struct epochs *e, struct span auth, struct span target)
{
	if (e != NULL)
		reload(e);
	return epochs_known(e, auth, target);
}

int64_t epochs_known(const struct epochs *e, struct span auth, struct span target)
{
	struct span path = span_before(target, '?');
	uint32_t repo = repo_of(path);
	int64_t latest = 0;

	if (e == NULL)
		return 0;
	for (size_t i = 0; i < e->n; i++) {
		const struct row *r = &e->rows[i];

		if (r->time > latest && (r->repo == 0 || r->repo == repo) &&
		    (strcmp(r->auth, "*") == 0 || is_said(r) || span_eq(auth, r->auth)) &&
		    prefix_matches(span_of(r->prefix), path))
			latest = r->time;
	}
	return latest;
}

/* Not with printf: a full list takes it 3 ms. */
static void save_row(struct buf *b, const struct row *r)
{
	buf_addi(b, r->time);
	buf_addc(b, '\t');
	buf_adds(b, r->auth);
	buf_addc(b, '\t');
	buf_adds(b, r->prefix);
	buf_addc(b, '\n');
}

static int save(struct epochs *e, struct err *err)
{
	/* A row of the far future, which a wrong clock wrote, would never leave. */
	int64_t now = clock_wall(), oldest = now - EPOCHS_KEEP_S * CLOCK_SEC,
		latest = now + EPOCHS_KEEP_S * CLOCK_SEC;
	struct stat st;
	struct buf b;
	int rc;

	buf_init(&b, FILE_MAX);
	for (size_t i = 0; i < e->n; i++)
		if (e->rows[i].time >= oldest && e->rows[i].time <= latest)
			save_row(&b, &e->rows[i]);
	rc = b.failed
	    ? ERR_LIMIT
	    : file_write(store_dirfd(e->store), FILE_NAME, 0600, false, buf_data(&b), buf_len(&b), err);
	buf_free(&b);
	/* What we wrote under the lock we need not read: a full list would take 10 ms. */
	if (rc == 0 && fstatat(store_dirfd(e->store), FILE_NAME, &st, 0) == 0) {
		e->ino = st.st_ino;
		e->mtime = st.st_mtim;
	}
	return rc;
}

int epochs_add(struct epochs *e, struct span auth, const struct span *prefixes, size_t n, int64_t time,
    struct err *err)
{
	int fd, rc = 0;

	if (e == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!epochs_prefix_ok(prefixes[i], true) || !is_visible(auth) || auth.n > AUTH_MAX)
			return err_set(err, ERR_PROTO, "no path of GitHub's has the bytes of this one");
	fd = e->store != NULL ? lock_take(e->store, LOCK_EPOCHS, true) : -1;
	reload(e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put(e, time, auth, prefixes[i], true);
	if (rc == 0 && fd >= 0)
		rc = save(e, err);
	else if (rc == 0 && e->store != NULL)
		rc = err_set(err, ERR_IO, "%s cannot be locked for writing", store_path(e->store));
	lock_release(fd);
	return rc;
}
