#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "crypto/cid.h"
#include "store/car.h"
#include "store/entry.h"
#include "store/store.h"

#define STEP ((size_t)256 << 10)	/* read at a time */
#define PROGRESS_EVERY 64
/* Whose an entry becomes that came without a proof: nobody's own, so that it is only ever a candidate. */
#define IMPORTED "imported"

/* ---- reading an archive ---- */

struct reader {
	int fd;
	struct buf in;
	size_t used;			/* by the block that was handed out last */
	bool eof;
	uint8_t root[CAR_DIGEST_LEN];
};

static int fill(struct reader *r, struct err *err)
{
	uint8_t *to = buf_reserve(&r->in, STEP);
	ssize_t n;

	if (to == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to read the archive");
	do
		n = read(r->fd, to, STEP);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, ERR_IO, "reading the archive");
	r->eof = n == 0;
	buf_commit(&r->in, (size_t)n);
	return 0;
}

/* 1 a block, 0 the end. */
static int next_block(struct reader *r, uint8_t digest[static CAR_DIGEST_LEN], struct span *block,
    struct err *err)
{
	ssize_t used;
	int rc = 0;

	buf_consume(&r->in, r->used);
	r->used = 0;
	while ((used = car_get_block(buf_data(&r->in), buf_len(&r->in), digest, block, err)) == -2 &&
	    rc == 0) {
		if (r->eof && buf_len(&r->in) == 0)
			return 0;
		if (r->eof)
			return err_set(err, ERR_DAMAGED, "the archive ends in the middle of a block");
		rc = fill(r, err);
	}
	if (used < 0)
		return rc != 0 ? rc : ERR_DAMAGED;
	r->used = (size_t)used;
	return 1;
}

static int start(struct reader *r, struct err *err)
{
	ssize_t used;
	int rc = 0;

	buf_clear(&r->in);
	r->used = 0;
	r->eof = false;
	if (lseek(r->fd, 0, SEEK_SET) != 0)
		return err_sys(err, ERR_IO, "going to the archive's start");
	while ((used = car_get_header(buf_data(&r->in), buf_len(&r->in), r->root, err)) == -2 && rc == 0) {
		if (r->eof)
			return err_set(err, ERR_DAMAGED, "the archive ends before its header does");
		rc = fill(r, err);
	}
	r->used = used > 0 ? (size_t)used : 0;
	return used > 0 ? 0 : rc != 0 ? rc : ERR_DAMAGED;
}

/* ---- the check of the whole, before anything is written ---- */

struct seen {
	uint8_t digest[CAR_DIGEST_LEN];
	bool listed;
};

struct plan {
	struct seen *seen;
	size_t n, cap;
	struct buf list;
	bool has_list;
};

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct seen *)a)->digest, ((const struct seen *)b)->digest, CAR_DIGEST_LEN);
}

static int note_digest(struct plan *p, const uint8_t digest[static CAR_DIGEST_LEN], struct err *err)
{
	if (p->n == p->cap) {
		size_t cap = p->cap == 0 ? 256 : p->cap * 2;
		struct seen *list = realloc(p->seen, cap * sizeof(*list));

		if (list == NULL)
			return err_set(err, ERR_INTERNAL, "no memory to check the archive");
		p->seen = list;
		p->cap = cap;
	}
	memcpy(p->seen[p->n].digest, digest, CAR_DIGEST_LEN);
	p->seen[p->n++].listed = false;
	return 0;
}

static bool is_operation(struct span op)
{
	for (size_t i = 0; i < op.n; i++)
		if ((op.p[i] < 'a' || op.p[i] > 'z') && op.p[i] != '_')
			return false;
	return op.n > 0;
}

static bool is_tag(struct span auth)
{
	return (auth.n == ENTRY_AUTH_LEN && hex_is(auth, false)) || span_eq(auth, ENTRY_PUBLIC) ||
	    span_eq(auth, IMPORTED);
}

/* Operation and tag become parts of a file's name: what could lead out of the folder is no entry of ours. */
static const char *refusal(const struct entry *e)
{
	char name[STORE_NAME_MAX + 1];

	if (!cache_sub_is_sound(e, ""))
		return "holds an entry whose data is not that of its CID";
	if (e->url.n > 0 && (!is_operation(e->op) || !is_tag(e->auth)))
		return "holds an entry whose operation or token tag is none";
	if (e->key.n > 0 && !store_name(name, e->key, e->url.n > 0 ? e->auth : span_of("")))
		return "holds an entry whose key cannot be one";
	return NULL;
}

static int take_block(struct span block, struct entry **out, struct err *err)
{
	const char *why;
	struct buf image;

	*out = NULL;
	buf_init(&image, ENTRY_FILE_MAX);
	buf_addspan(&image, block);
	if (image.failed) {
		buf_free(&image);
		return err_set(err, ERR_INTERNAL, "no memory for an entry");
	}
	if (entry_parse(&image, out, NULL) != 0)
		return err_set(err, ERR_DAMAGED, "the archive holds a block that is no cache entry");
	why = refusal(*out);
	return why == NULL ? 0 : err_set(err, ERR_DAMAGED, "the archive %s", why);
}

static int check_block(struct plan *p, const struct reader *r, const uint8_t digest[static CAR_DIGEST_LEN],
    struct span block, struct err *err)
{
	struct entry *e;
	int rc;

	if (memcmp(digest, r->root, CAR_DIGEST_LEN) == 0 && !p->has_list) {
		p->has_list = true;
		buf_addspan(&p->list, block);
		return 0;
	}
	rc = take_block(block, &e, err);
	entry_unref(e);
	return rc != 0 ? rc : note_digest(p, digest, err);
}

static bool is_listed(struct plan *p, struct span item)
{
	struct span raw;
	char cid[CID_TEXT_LEN + 1];
	struct seen key, *found;

	if (jscan_member(item, "name", &raw) != 1 || jscan_member(item, "cid", &raw) != 1 ||
	    !jscan_str(raw, cid, sizeof(cid)) || !cid_parse(span_of(cid), key.digest) || p->n == 0)
		return false;
	found = bsearch(&key, p->seen, p->n, sizeof(key), by_digest);
	if (found == NULL || found->listed)
		return false;
	found->listed = true;
	return true;
}

static int check_list(struct plan *p, struct err *err)
{
	struct span key, item;
	size_t at = 0, n = 0;
	int rc;

	if (!p->has_list || !jscan_valid(buf_span(&p->list)) || buf_data(&p->list)[0] != '[')
		return err_set(err, ERR_DAMAGED, "the archive's root is no list of entries");
	if (p->n > 0)
		qsort(p->seen, p->n, sizeof(p->seen[0]), by_digest);
	while ((rc = jscan_next(buf_span(&p->list), &at, &key, &item)) == 1 && is_listed(p, item))
		n++;
	if (rc != 0 || n != p->n)
		return err_set(err, ERR_DAMAGED, "the archive's blocks are not those that its root lists");
	return 0;
}

static int check(struct reader *r, size_t *entries, struct err *err)
{
	struct plan p = { .n = 0 };
	uint8_t digest[CAR_DIGEST_LEN];
	struct span block;
	int rc = start(r, err);

	buf_init(&p.list, CAR_BLOCK_MAX + 1);
	while (rc == 0 && (rc = next_block(r, digest, &block, err)) == 1) {
		rc = check_block(&p, r, digest, block, err);
		if (p.n % PROGRESS_EVERY == 0 && p.n > 0)
			app_progress("entries checked:", p.n, 0, false);
	}
	if (rc == 0)
		rc = check_list(&p, err);
	if (p.n >= PROGRESS_EVERY)
		app_progress("entries checked:", p.n, p.n, true);
	*entries = p.n;
	free(p.seen);
	buf_free(&p.list);
	return rc;
}

/* ---- import ---- */

struct importer {
	struct app *app;
	size_t imported, kept, nameless;
};

/* An answer without a proof would be served as the local answer to everybody who has no token: it is filed as
 * nobody's. */
static int as_candidate(const struct entry *e, struct entry **out, struct err *err)
{
	struct entry_parts p = { .key = e->key,
		.url = e->url,
		.auth = span_of(IMPORTED),
		.variant = e->variant,
		.timestamp = e->timestamp,
		.ttl = e->ttl,
		.status = e->status,
		.headers = e->headers,
		.nheaders = e->nheaders,
		.body = e->body };
	struct span fields;

	if (jscan_member(buf_span(&e->image), "validation_fields", &fields) == 1 && fields.p[0] == '{')
		p.fields = fields;
	return entry_build(&p, out, err);
}

/* Is what stands under this name the same or newer, or another key's? A damaged file is set aside. */
static bool is_taken(struct store *s, const char *name, const struct entry *e)
{
	struct entry *here = NULL;
	int got = cache_sub_load(s, name, &here);
	bool taken = false;

	if (got == ERR_DAMAGED || (got == 1 && !cache_sub_is_sound(here, name)))
		store_set_aside(s, name, NULL);
	else if (got == 1)
		taken = here->timestamp >= e->timestamp || (here->key.n > 0 && !span_same(here->key, e->key));
	entry_unref(here);
	return taken;
}

/* Writing an entry makes it the newest of its request key; where another's is newer, that one is linked
 * again. */
static int put(struct store *s, const struct entry *e, struct err *err)
{
	struct entry *newest = NULL;
	int rc;

	if (e->url.n > 0)
		store_get_last(s, e->key, &newest, NULL);
	rc = store_put(s, e, err);
	if (rc == 0 && newest != NULL && newest->timestamp > e->timestamp &&
	    !span_same(newest->auth, e->auth))
		store_link_last(s, newest);
	entry_unref(newest);
	return rc;
}

static int take_entry(struct importer *im, const struct entry *given, struct err *err)
{
	char name[STORE_NAME_MAX + 1];
	struct entry *made = NULL;
	const struct entry *e = given;
	int rc = 0;

	if (e->key.n == 0) {
		im->nameless++; /* the reference's older form: its key is in the file's name, which an archive
				   must not choose */
		return 0;
	}
	if (e->url.n > 0 && (e->proof.n == 0 || e->auth.n != ENTRY_AUTH_LEN)) {
		rc = as_candidate(given, &made, err);
		e = made;
	}
	if (rc != 0)
		return rc;
	if (!store_name(name, e->key, e->url.n > 0 ? e->auth : span_of("")) ||
	    is_taken(im->app->store, name, e))
		im->kept++;
	else if ((rc = put(im->app->store, e, err)) == 0)
		im->imported++;
	entry_unref(made);
	return rc;
}

static int write_entries(struct importer *im, struct reader *r, size_t total, struct err *err)
{
	uint8_t digest[CAR_DIGEST_LEN];
	struct span block;
	size_t n = 0;
	int rc = start(r, err);

	while (rc == 0 && (rc = next_block(r, digest, &block, err)) == 1) {
		struct entry *e = NULL;

		rc = 0;
		if (memcmp(digest, r->root, CAR_DIGEST_LEN) == 0)
			continue;
		rc = take_block(block, &e, err);
		if (rc == 0)
			rc = take_entry(im, e, err);
		entry_unref(e);
		if (++n % PROGRESS_EVERY == 0)
			app_progress("entries imported:", n, total, n == total);
	}
	return rc;
}

static int import_from(struct importer *im, int fd, const char *file, struct err *err)
{
	struct reader r = { .fd = fd };
	size_t entries = 0;
	int rc;

	buf_init(&r.in, CAR_BLOCK_MAX + 2 * STEP);
	rc = check(&r, &entries, err);
	if (rc != 0)
		err_prefix(err, "importing %s, nothing was changed", file);
	else if ((rc = write_entries(im, &r, entries, err)) != 0)
		err_prefix(err, "importing %s, after %zu entries", file, im->imported);
	buf_free(&r.in);
	return rc;
}

/* Read twice, so a pipe is copied into the cache folder first. */
static int import_stdin(struct importer *im, struct err *err)
{
	struct file_hold h;
	int rc = file_hold(&h, store_dirfd(im->app->store), "import", err), fd;

	if (rc != 0)
		return rc;
	rc = cache_sub_copy(STDIN_FILENO, h.fd, "keeping standard input in the cache folder", err);
	fd = rc == 0 ? cache_sub_reopen(&h, err) : rc;
	if (fd >= 0) {
		rc = import_from(im, fd, "standard input", err);
		close(fd);
	} else {
		rc = fd;
	}
	file_rollback(&h);
	return rc;
}

static int import_file(struct importer *im, const char *file, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(err, ERR_IO, "opening the archive %s", file);
	rc = import_from(im, fd, file, err);
	close(fd);
	return rc;
}

int cache_import_run(const struct cache_sub *c, struct err *err)
{
	struct importer im = { .app = c->app };
	int rc;

	if (store_is_read_only(c->app->store))
		rc = err_set(err, ERR_IO, "the cache folder %s cannot be written", c->app->cache_dir);
	else
		rc = cache_sub_is_dash(c->arg[0]) ? import_stdin(&im, err) : import_file(&im, c->arg[0], err);
	c->app->collect = im.imported > 0;
	if (rc != 0)
		return cli_exit_code(err);
	if (c->json)
		printf("{\"imported\":%zu,\"kept\":%zu,\"nameless\":%zu}\n", im.imported, im.kept,
		    im.nameless);
	else
		printf("%zu entr%s imported, %zu already here as new or newer\n", im.imported,
		    im.imported == 1 ? "y" : "ies", im.kept);
	if (im.nameless > 0)
		log_warn("%zu entr%s of the reference's older form left out: they hold no key", im.nameless,
		    im.nameless == 1 ? "y" : "ies");
	return XC_OK;
}
