#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/str.h"
#include "store/entry.h"
#include "store/gc.h"
#include "store/lock.h"
#include "store/store.h"

#define KEEP_PERCENT 90
#define TOKEN_UNSEEN_S 86400
#define TMP_AGE_S 3600
#define CORRUPT_AGE_S (7 * 86400)
#define PEEK 512		/* bytes of an entry that hold its timestamp and ttl */

enum phase { P_SCAN, P_RANK, P_REMOVE, P_LAST, P_CORRUPT, P_DONE };

struct victim {
	char *name;
	uint32_t auth;		/* the 8 hex digits in the name; 0: by name or public */
	int64_t used;		/* mtime, s */
	uint8_t rank;		/* 0 goes first */
};

struct token {
	uint32_t auth;
	int64_t seen;
};

struct gc {
	struct store *store;
	int lock;
	size_t max;
	int64_t now;		/* s */
	enum phase phase;
	DIR *dir;
	struct victim *list;
	size_t n, cap, at;
	size_t excess, removed;
};

static DIR *open_sub(struct gc *g, const char *name)
{
	int fd = openat(store_dirfd(g->store), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL && fd >= 0)
		close(fd);
	return d;
}

int gc_start(struct store *s, size_t max_entries, int64_t now, struct gc **out, struct err *err)
{
	struct gc *g;
	int lock = lock_take(s, LOCK_COLLECTION, false);

	if (lock < 0)
		return 0;
	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		lock_release(lock);
		return err_set(err, ERR_INTERNAL, "no memory to collect the cache");
	}
	g->store = s;
	g->lock = lock;
	g->max = max_entries;
	g->now = now / CLOCK_SEC;
	g->dir = open_sub(g, ".");
	*out = g;
	return 1;
}

/* op-<32 hex>-<8 hex>.json */
static uint32_t auth_of(const char *name)
{
	struct span s = span_of(name);
	struct span tail = s.n > 14 ? span_sub(s, s.n - 13, 8) : span_of("");
	uint8_t b[4];

	if (tail.n != 8 || s.p[s.n - 14] != '-' || !hex_decode(b, sizeof(b), tail))
		return 0;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Number after `"name":` in the first bytes of an entry, whole seconds; -1: not there. */
static int64_t peek_number(struct span head, const char *name)
{
	ptrdiff_t at = span_find(head, name);
	int64_t v = 0;
	size_t i;

	if (at < 0)
		return -1;
	for (i = (size_t)at + strlen(name); i < head.n && head.p[i] == ' '; i++)
		;
	if (i >= head.n || head.p[i] < '0' || head.p[i] > '9')
		return -1;
	for (; i < head.n && head.p[i] >= '0' && head.p[i] <= '9' && v < (int64_t)1 << 50; i++)
		v = v * 10 + (head.p[i] - '0');
	return v;
}

static bool expired(struct gc *g, const char *name)
{
	char text[PEEK];
	int fd = openat(store_dirfd(g->store), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	int64_t timestamp, ttl;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	timestamp = peek_number(span_make(text, (size_t)n), "\"timestamp\":");
	ttl = peek_number(span_make(text, (size_t)n), "\"ttl\":");
	return timestamp >= 0 && ttl >= 0 && timestamp + ttl < g->now;
}

static void note(struct gc *g, const char *name, const struct stat *st)
{
	struct victim *v;

	if (g->n == g->cap) {
		size_t cap = g->cap == 0 ? 256 : g->cap * 2;
		struct victim *list = realloc(g->list, cap * sizeof(*list));

		if (list == NULL)
			return;
		g->list = list;
		g->cap = cap;
	}
	v = &g->list[g->n];
	*v = (struct victim){ .name = str_dup(name), .auth = auth_of(name), .used = st->st_mtime, .rank = 2 };
	if (v->name != NULL)
		g->n++;
}

static void scan_one(struct gc *g, const char *name)
{
	struct stat st;

	if (fstatat(store_dirfd(g->store), name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return;
	if (file_is_tmp(name)) {
		if (g->now - st.st_mtime > TMP_AGE_S)
			store_remove(g->store, name, NULL);
	} else if (name[0] != '.' && span_ends(span_of(name), ".json")) {
		note(g, name, &st);
	}
}

/* Up to GC_SLICE names of the open folder go to `one`; false: the folder is through, and closed. */
static bool walk(struct gc *g, void (*one)(struct gc *, const char *))
{
	struct dirent *de;

	for (unsigned i = 0; g->dir != NULL && i < GC_SLICE; i++) {
		de = readdir(g->dir);
		if (de == NULL) {
			closedir(g->dir);
			g->dir = NULL;
		} else {
			one(g, de->d_name);
		}
	}
	return g->dir != NULL;
}

static int64_t last_seen(const struct token *t, size_t n, uint32_t auth)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].auth == auth)
			return t[i].seen;
	return INT64_MAX;		/* more tokens than are tracked: not called unseen */
}

static void rank_tokens(struct gc *g)
{
	struct token t[256];
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		size_t k = 0;

		while (k < n && t[k].auth != g->list[i].auth)
			k++;
		if (k == n && n < sizeof(t) / sizeof(t[0]))
			t[n++] = (struct token){ g->list[i].auth, g->list[i].used };
		else if (k < n && g->list[i].used > t[k].seen)
			t[k].seen = g->list[i].used;
	}
	for (size_t i = 0; i < g->n; i++)
		if (g->list[i].auth != 0 && last_seen(t, n, g->list[i].auth) < g->now - TOKEN_UNSEEN_S)
			g->list[i].rank = 1;
}

static int by_rank(const void *a, const void *b)
{
	const struct victim *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->used < y->used ? -1 : x->used > y->used;
}

/* Which are expired is asked file by file, so only when something must go. */
static bool rank_some(struct gc *g)
{
	for (unsigned i = 0; i < GC_SLICE && g->at < g->n; i++, g->at++)
		if (expired(g, g->list[g->at].name))
			g->list[g->at].rank = 0;
	if (g->at < g->n)
		return true;
	qsort(g->list, g->n, sizeof(*g->list), by_rank);
	g->at = 0;
	return false;
}

static bool remove_some(struct gc *g)
{
	for (unsigned i = 0; i < GC_SLICE && g->at < g->excess; i++, g->at++)
		if (store_remove(g->store, g->list[g->at].name, NULL) == 0)
			g->removed++;
	return g->at < g->excess;
}

static void last_one(struct gc *g, const char *name)
{
	char path[STORE_NAME_MAX + 16];
	struct stat st;

	if (name[0] == '.' || (size_t)snprintf(path, sizeof(path), "last/%s", name) >= sizeof(path))
		return;
	if (fstatat(store_dirfd(g->store), path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	/* A link under a temporary name would keep the one beside it from being the only one. */
	if (st.st_nlink == 1 || (file_is_tmp(name) && g->now - st.st_ctime > TMP_AGE_S))
		store_remove(g->store, path, NULL);
}

static void corrupt_one(struct gc *g, const char *name)
{
	char path[STORE_NAME_MAX + 16];
	struct stat st;

	if (name[0] == '.' || (size_t)snprintf(path, sizeof(path), "corrupt/%s", name) >= sizeof(path))
		return;
	if (fstatat(store_dirfd(g->store), path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    g->now - st.st_ctime > CORRUPT_AGE_S)
		store_remove(g->store, path, NULL);
}

static enum phase after_scan(struct gc *g)
{
	size_t keep = g->max / 100 * KEEP_PERCENT + g->max % 100 * KEEP_PERCENT / 100;

	if (g->n <= g->max)
		return P_LAST;
	g->excess = g->n - keep;
	rank_tokens(g);
	return P_RANK;
}

static void next_phase(struct gc *g)
{
	switch (g->phase) {
	case P_SCAN:
		g->phase = after_scan(g);
		break;
	case P_RANK:
		g->phase = P_REMOVE;
		break;
	case P_REMOVE:
		g->phase = P_LAST;
		break;
	case P_LAST:
		g->phase = P_CORRUPT;
		break;
	case P_CORRUPT:
	case P_DONE:
		g->phase = P_DONE;
		break;
	}
	if (g->phase == P_LAST)
		g->dir = open_sub(g, "last");
	else if (g->phase == P_CORRUPT)
		g->dir = open_sub(g, "corrupt");
}

int gc_step(struct gc *g)
{
	bool more = false;

	switch (g->phase) {
	case P_SCAN:
		more = walk(g, scan_one);
		break;
	case P_RANK:
		more = rank_some(g);
		break;
	case P_REMOVE:
		more = remove_some(g);
		break;
	case P_LAST:
		more = walk(g, last_one);
		break;
	case P_CORRUPT:
		more = walk(g, corrupt_one);
		break;
	case P_DONE:
		return 0;
	}
	if (!more)
		next_phase(g);
	return g->phase != P_DONE;
}

size_t gc_removed(const struct gc *g)
{
	return g->removed;
}

size_t gc_seen(const struct gc *g)
{
	return g->n;
}

void gc_free(struct gc *g)
{
	if (g == NULL)
		return;
	if (g->dir != NULL)
		closedir(g->dir);
	for (size_t i = 0; i < g->n; i++)
		free(g->list[i].name);
	free(g->list);
	lock_release(g->lock);
	free(g);
}
