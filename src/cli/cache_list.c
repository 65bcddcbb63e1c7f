#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "github/identity.h"
#include "store/entry.h"
#include "store/lock.h"
#include "store/store.h"

#define KEY_COLUMN 72		/* a longer key pushes its own line's numbers to the right */
#define PROGRESS_EVERY 64

/* ---- ls ---- */

struct row {
	char *key; /* of the reference's older form and of damaged files: the file's name */
	char *name;
	char auth[ENTRY_AUTH_LEN + 1];	/* empty: by name */
	int64_t age, ttl, left;		/* s */
	size_t size;
	bool damaged;
};

struct rows {
	const struct cache_sub *sub;
	int64_t now;
	struct row *row;
	size_t n, cap;
};

/* A key as its file name begins, for entries that hold none. */
static bool name_begins(const char *name, const char *prefix)
{
	for (; *prefix != '\0'; prefix++, name++)
		if (*name != (strchr("/:*", *prefix) != NULL ? '_' : *prefix))
			return false;
	return true;
}

static bool fits(const struct cache_sub *c, const char *name, const struct entry *e)
{
	if (c->prefix == NULL)
		return true;
	return e != NULL && e->key.n > 0 ? span_starts(e->key, c->prefix) : name_begins(name, c->prefix);
}

static struct row *room(struct rows *r)
{
	if (r->n == r->cap) {
		size_t cap = r->cap == 0 ? 64 : r->cap * 2;
		struct row *row = realloc(r->row, cap * sizeof(*row));

		if (row == NULL)
			return NULL;
		r->row = row;
		r->cap = cap;
	}
	r->row[r->n] = (struct row){ .key = NULL };
	return &r->row[r->n++];
}

static int add_row(void *arg, const char *name, struct entry *e)
{
	struct rows *r = arg;
	struct row *row;

	if (!fits(r->sub, name, e))
		return 0;
	row = room(r);
	if (row == NULL)
		return ERR_INTERNAL;
	row->name = str_dup(name);
	row->key = e != NULL && e->key.n > 0 ? span_dup(e->key) : str_dup(name);
	row->damaged = e == NULL;
	if (e != NULL) {
		row->age = (r->now - e->timestamp) / CLOCK_SEC;
		row->ttl = e->ttl;
		row->left = (entry_expires(e) - r->now) / CLOCK_SEC;
		row->size = buf_len(&e->image);
		if (e->url.n > 0 && !span_copy(row->auth, sizeof(row->auth), e->auth))
			row->damaged = true;
	}
	return row->name != NULL && row->key != NULL ? 0 : ERR_INTERNAL;
}

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int r = strcmp(x->key, y->key);

	return r != 0 ? r : strcmp(x->name, y->name);
}

static void print_row_json(const struct row *row, bool first)
{
	struct buf b;

	buf_init(&b, 65536);
	buf_adds(&b, first ? "\n{\"key\":" : ",\n{\"key\":");
	json_quote(&b, span_of(row->key), false);
	buf_adds(&b, ",\"name\":");
	json_quote(&b, span_of(row->name), false);
	if (row->auth[0] != '\0')
		buf_addf(&b, ",\"auth\":\"%s\"", row->auth);
	if (row->damaged)
		buf_adds(&b, ",\"damaged\":true}");
	else
		buf_addf(&b, ",\"age\":%" PRId64 ",\"ttl\":%" PRId64 ",\"left\":%" PRId64 ",\"size\":%zu}",
		    row->age, row->ttl, row->left, row->size);
	fwrite(buf_data(&b), 1, buf_len(&b), stdout);
	buf_free(&b);
}

static void print_row(const struct row *row, int width)
{
	char age[CLOCK_HUMAN_LEN], left[CLOCK_HUMAN_LEN] = "expired";

	cache_sub_print(span_of(row->key));
	printf("%*s", strlen(row->key) < (size_t)width ? (int)((size_t)width - strlen(row->key)) : 0, "");
	if (row->damaged) {
		printf("  damaged\n");
		return;
	}
	clock_human(age, row->age);
	if (row->left > 0)
		clock_human(left, row->left);
	printf("  %14s  %14s  %10zu\n", age, left, row->size);
}

static void print_rows(struct rows *r)
{
	size_t width = 0;

	if (r->n > 0)
		qsort(r->row, r->n, sizeof(r->row[0]), by_key);
	for (size_t i = 0; i < r->n; i++)
		if (strlen(r->row[i].key) > width)
			width = strlen(r->row[i].key);
	if (r->sub->json)
		putchar('[');
	for (size_t i = 0; i < r->n; i++)
		if (r->sub->json)
			print_row_json(&r->row[i], i == 0);
		else
			print_row(&r->row[i], width > KEY_COLUMN ? KEY_COLUMN : (int)width);
	if (r->sub->json)
		printf("]\n");
}

int cache_list_ls(const struct cache_sub *c, struct err *err)
{
	struct rows r = { .sub = c, .now = clock_wall() };
	int rc = store_each(c->app->store, add_row, &r, err);

	if (rc == 0)
		print_rows(&r);
	else
		err_set(err, ERR_INTERNAL, "no memory to list the entries");
	for (size_t i = 0; i < r.n; i++) {
		free(r.row[i].key);
		free(r.row[i].name);
	}
	free(r.row);
	return rc != 0 ? cli_exit_code(err) : XC_OK;
}

/* ---- rm ---- */

struct removal {
	const struct cache_sub *sub;
	const char
	    *http; /* "op-<32 hex>-": the front of the names of all tokens' entries; "" for rm --prefix */
	size_t removed;
	struct err *err;
};

/* An HTTP entry's name is op-<32 hex>-<8>.json; its link is called by the hex. Removed after the entries, it
 * was their newest. */
static void remove_link(struct store *s, const char *name)
{
	char last[STORE_NAME_MAX + 16];
	size_t n = strlen(name);

	if (n < 47 || name[n - 14] != '-' || name[n - 47] != '-')
		return;
	snprintf(last, sizeof(last), "last/%.32s", name + n - 46);
	store_remove(s, last, NULL);
}

static int remove_one(struct removal *r, const char *name)
{
	int rc = store_remove(r->sub->app->store, name, r->err);

	if (rc == 0) {
		r->removed++;
		remove_link(r->sub->app->store, name);
	}
	return rc;
}

static int remove_if_key(void *arg, const char *name)
{
	struct removal *r = arg;

	return span_starts(span_of(name), r->http) ? remove_one(r, name) : 0;
}

static int remove_if_prefix(void *arg, const char *name, struct entry *e)
{
	struct removal *r = arg;

	return fits(r->sub, name, e) ? remove_one(r, name) : 0;
}

/* Two keys may share a name under the reference's rule: the key inside decides. */
static int remove_named(struct removal *r, struct span key)
{
	char name[STORE_NAME_MAX + 1];
	struct entry *e = NULL;

	if (!store_name(name, key, span_of("")) || store_get_named(r->sub->app->store, key, &e, NULL) != 1)
		return 0;
	entry_unref(e);
	return remove_one(r, name);
}

static int remove_key(struct removal *r, const char *key)
{
	char front[STORE_NAME_MAX + 1];
	int rc = remove_named(r, span_of(key));

	if (rc != 0 || !store_name(front, span_of(key), span_of("x")))
		return rc;
	front[strlen(front) - strlen("x.json")] = '\0';
	r->http = front;
	return store_each_name(r->sub->app->store, remove_if_key, r, r->err);
}

static int told(const struct cache_sub *c, size_t removed)
{
	if (c->json)
		printf("{\"removed\":%zu}\n", removed);
	else
		printf("%zu entr%s removed\n", removed, removed == 1 ? "y" : "ies");
	return XC_OK;
}

static int writable(const struct cache_sub *c, struct err *err)
{
	if (!store_is_read_only(c->app->store))
		return 0;
	return err_set(err, ERR_IO, "the cache folder %s cannot be written", c->app->cache_dir);
}

int cache_list_rm(const struct cache_sub *c, struct err *err)
{
	struct removal r = { .sub = c, .http = "", .err = err };
	int rc = writable(c, err);

	if (rc != 0)
		return cli_exit_code(err);
	if ((c->nargs == 1) == (c->prefix != NULL) || (c->prefix != NULL && c->prefix[0] == '\0')) {
		err_set(err, ERR_USAGE,
		    "rm takes a KEY, or --prefix with at least a letter; 'ghoard cache clear' removes "
		    "everything");
		return XC_USAGE;
	}
	rc = c->prefix != NULL ? store_each(c->app->store, remove_if_prefix, &r, err)
			       : remove_key(&r, c->arg[0]);
	if (rc != 0)
		return cli_exit_code(err);
	if (r.removed == 0) {
		err_set(err, ERR_NOTFOUND, "no entry in %s has %s '%s'; 'ghoard cache ls' lists them",
		    c->app->cache_dir, c->prefix != NULL ? "a key that begins with" : "the key",
		    c->prefix != NULL ? c->prefix : c->arg[0]);
		return XC_NO;
	}
	return told(c, r.removed);
}

/* ---- clear ---- */

static void empty_folder(struct store *s, const char *folder)
{
	int fd = openat(store_dirfd(s), folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			unlinkat(fd, de->d_name, 0);
	closedir(d);
	unlinkat(store_dirfd(s), folder, AT_REMOVEDIR);
}

static int remove_any(void *arg, const char *name)
{
	struct removal *r = arg;
	int rc = store_remove(r->sub->app->store, name, r->err);

	r->removed += rc == 0;
	return rc;
}

int cache_list_clear(const struct cache_sub *c, struct err *err)
{
	struct removal r = { .sub = c, .err = err };
	struct store *s = c->app->store;
	int lock = -1, rc = writable(c, err);

	if (rc == 0) {
		lock = lock_take(s, LOCK_COLLECTION, true);
		rc = store_each_name(s, remove_any, &r, err);
	}
	if (rc == 0) {
		empty_folder(s, "last");
		empty_folder(s, "corrupt");
		rc = store_remove(s, ".epochs", err);
	}
	lock_release(lock);
	return rc != 0 ? cli_exit_code(err) : told(c, r.removed);
}

/* ---- verify ---- */

struct check {
	const struct cache_sub *sub;
	struct identity id;		/* of the environment's token: its proofs can be checked */
	size_t n, total, damaged;
};

static const char *fault_of(const struct check *k, const char *name, const struct entry *e)
{
	char want[STORE_NAME_MAX + 1];

	if (e == NULL)
		return "is no cache entry";
	if (!entry_cid_ok(e))
		return "the data is not that of its CID";
	if (!cache_named_hash_ok(e, name))
		return "the data is not that of its content_hash";
	if (e->key.n > 0 &&
	    (!store_name(want, e->key, e->url.n > 0 ? e->auth : span_of("")) || strcmp(want, name) != 0))
		return "stands under another entry's name";
	if (!k->id.is_public && e->url.n > 0 && span_eq(e->auth, k->id.tag) &&
	    !entry_proof_ok(e, k->id.proof_key))
		return "the proof is not of its token";
	return NULL;
}

static void tell_fault(const struct check *k, const char *name, const char *fault)
{
	struct buf b;

	if (!k->sub->json) {
		cache_sub_print(span_of(name));
		printf(": %s\n", fault);
		return;
	}
	buf_init(&b, 4096);
	buf_adds(&b, k->damaged > 1 ? ",\n{\"name\":" : "\n{\"name\":");
	json_quote(&b, span_of(name), false);
	printf("%s,\"fault\":\"%s\"}", buf_cstr(&b), fault);
	buf_free(&b);
}

static int check_one(void *arg, const char *name, struct entry *e)
{
	struct check *k = arg;
	const char *fault = fault_of(k, name, e);

	if (++k->n % PROGRESS_EVERY == 0)
		app_progress("entries checked:", k->n, k->n > k->total ? k->n : k->total, false);
	if (fault != NULL) {
		k->damaged++;
		tell_fault(k, name, fault);
	}
	return 0;
}

static void take_identity(struct check *k)
{
	const char *token = app_token();
	char value[SECRET_MAX];

	if (token == NULL || (size_t)snprintf(value, sizeof(value), "token %s", token) >= sizeof(value) ||
	    !identity_init(&k->id, span_of(value)))
		k->id.is_public = true;
	wipe(value, sizeof(value));
}

int cache_list_verify(const struct cache_sub *c, struct err *err)
{
	struct check k = { .sub = c };
	int64_t entries = 0, bytes = 0;
	int rc = store_usage(c->app->store, &entries, &bytes, err);

	k.total = (size_t)entries;
	take_identity(&k);
	if (c->json)
		printf("{\"damaged\":[");
	if (rc == 0)
		rc = store_each(c->app->store, check_one, &k, err);
	if (k.n >= PROGRESS_EVERY)
		app_progress("entries checked:", k.n, k.n, true);
	if (c->json)
		printf("],\"checked\":%zu}\n", k.n);
	else if (rc == 0 && k.damaged == 0)
		printf("%zu entr%s, %" PRId64 " bytes: all sound\n", k.n, k.n == 1 ? "y" : "ies", bytes);
	identity_wipe(&k.id);
	if (rc == 0 && k.damaged > 0)
		err_set(err, ERR_DAMAGED,
		    "%zu of %zu entries in %s are damaged; each is set aside when it is next asked for, or "
		    "delete the file",
		    k.damaged, k.n, c->app->cache_dir);
	return rc != 0 || k.damaged > 0 ? cli_exit_code(err) : XC_OK;
}
