#include <fcntl.h>
#include <stdio.h>
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
#include "store/carfile.h"
#include "store/entry.h"
#include "store/store.h"

#define PROGRESS_EVERY 64
/* Whose an entry becomes that came without a proof: nobody's own, so that it is only ever a candidate. */
#define IMPORTED "imported"

/* ---- the check of a block, before anything is written ---- */

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

static int check_block(void *arg, const uint8_t digest[static CAR_DIGEST_LEN], struct span block,
    struct err *err)
{
	size_t *n = arg;
	struct entry *e;
	int rc = take_block(block, &e, err);

	(void)digest;
	entry_unref(e);
	if (++*n % PROGRESS_EVERY == 0)
		app_progress("entries checked:", *n, 0, false);
	return rc;
}

/* ---- import ---- */

struct importer {
	struct app *app;
	size_t seen, total;
	struct cache_imported n;
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
		im->n.nameless++; /* the reference's older form: its key is in the file's name, which an
				   archive must not choose */
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
		im->n.kept++;
	else if ((rc = put(im->app->store, e, err)) == 0)
		im->n.imported++;
	entry_unref(made);
	return rc;
}

static int write_block(void *arg, const uint8_t digest[static CAR_DIGEST_LEN], struct span block,
    struct err *err)
{
	struct importer *im = arg;
	struct entry *e = NULL;
	int rc = take_block(block, &e, err);

	(void)digest;
	if (rc == 0)
		rc = take_entry(im, e, err);
	entry_unref(e);
	if (++im->seen % PROGRESS_EVERY == 0)
		app_progress("entries imported:", im->seen, im->total, im->seen == im->total);
	return rc;
}

int cache_import_from(struct app *a, int fd, const char *file, struct cache_imported *out, struct err *err)
{
	struct importer im = { .app = a };
	size_t checked = 0;
	int rc;

	if (store_is_read_only(a->store))
		return err_set(err, ERR_IO, "the cache folder %s cannot be written", a->cache_dir);
	rc = carfile_each(fd, true, check_block, &checked, &im.total, err);
	if (checked >= PROGRESS_EVERY)
		app_progress("entries checked:", checked, checked, true);
	if (rc != 0)
		err_prefix(err, "importing %s, nothing was changed", file);
	else if ((rc = carfile_each(fd, false, write_block, &im, &im.total, err)) != 0)
		err_prefix(err, "importing %s, after %zu entries", file, im.n.imported);
	a->collect = im.n.imported > 0;
	*out = im.n;
	return rc;
}

/* Read twice, so a pipe is copied into the cache folder first. */
static int import_stdin(struct app *a, struct cache_imported *n, struct err *err)
{
	struct file_hold h;
	int rc = file_hold(&h, store_dirfd(a->store), "import", err), fd;

	if (rc != 0)
		return rc;
	rc = cache_sub_copy(STDIN_FILENO, h.fd, "keeping standard input in the cache folder", err);
	fd = rc == 0 ? cache_sub_reopen(&h, err) : rc;
	if (fd >= 0) {
		rc = cache_import_from(a, fd, "standard input", n, err);
		close(fd);
	} else {
		rc = fd;
	}
	file_rollback(&h);
	return rc;
}

static int import_file(struct app *a, const char *file, struct cache_imported *n, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(err, ERR_IO, "opening the archive %s", file);
	rc = cache_import_from(a, fd, file, n, err);
	close(fd);
	return rc;
}

int cache_import_run(const struct cache_sub *c, struct err *err)
{
	struct cache_imported n = { .imported = 0 };
	int rc;

	if (store_is_read_only(c->app->store))
		rc = err_set(err, ERR_IO, "the cache folder %s cannot be written", c->app->cache_dir);
	else
		rc = cache_sub_is_dash(c->arg[0]) ? import_stdin(c->app, &n, err) :
						    import_file(c->app, c->arg[0], &n, err);
	if (rc != 0)
		return cli_exit_code(err);
	if (c->json)
		printf("{\"imported\":%zu,\"kept\":%zu,\"nameless\":%zu}\n", n.imported, n.kept,
		    n.nameless);
	else
		printf("%zu entr%s imported, %zu already here as new or newer\n", n.imported,
		    n.imported == 1 ? "y" : "ies", n.kept);
	if (n.nameless > 0)
		log_warn("%zu entr%s of the reference's older form left out: they hold no key", n.nameless,
		    n.nameless == 1 ? "y" : "ies");
	return XC_OK;
}
