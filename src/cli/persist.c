#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/persist.h"
#include "cli/runtime.h"
#include "crypto/hash.h"
#include "github/actionscache.h"
#include "loop/loop.h"
#include "store/store.h"

#define PIECE ((size_t)65536)

struct run {
	struct persist *p;
	struct sealed seal;
	bool begun, done, ok;
	int fd;
	uint64_t size;
	struct buf out;
	struct err *err;
};

int persist_word(const char *word, bool *saves, struct err *err)
{
	*saves = strcmp(word, "save") == 0;
	return *saves || strcmp(word, "restore") == 0
	    ? 0
	    : err_set(err, ERR_USAGE, "persist takes restore or save, not '%s'", word);
}

/* Entries of one form: another one would have another version. */
static struct span version(void)
{
	static char text[2 * SHA256_LEN + 1];
	uint8_t digest[SHA256_LEN];

	hash_sha256(digest, "ghoard persist 1", 16);
	hex_encode(text, digest, sizeof(digest));
	return span_of(text);
}

/* ---- opening ---- */

int persist_open(struct persist *p, struct app *a, bool saves, bool keep_runtime, struct err *err)
{
	const struct cachewire_rights *rights;
	struct runtime r;
	int rc = 0;

	memset(p, 0, sizeof(*p));
	p->app = a;
	p->saves = saves;
	p->json = a->globals->json;
	p->secret = span_of(getenv("GHOARD_PERSIST_SECRET"));
	runtime_take(&r, keep_runtime);		/* first, for its file must not stay */
	if (a->globals->offline)
		rc = err_set(err, ERR_DENIED, "--offline asks nobody");
	else if (p->secret.n == 0)
		rc = err_set(err, ERR_DENIED,
		    "GHOARD_PERSIST_SECRET is not set, and whoever can open a pull request could read the "
		    "cache");
	else if (p->secret.n < SEALED_SECRET_MIN)
		rc = err_set(err, ERR_DENIED,
		    "GHOARD_PERSIST_SECRET has fewer than 32 characters; 'openssl rand -hex 32' makes a good "
		    "one");
	if (rc == 0)
		rc = runtime_open(&r, a, &p->service, err);
	runtime_wipe(&r);
	if (rc != 0)
		return rc;
	rights = actionscache_rights(p->service);
	return (saves ? rights->write : rights->read) ? 0 : err_set(err, ERR_DENIED, "%s", rights->why);
}

void persist_close(struct persist *p)
{
	actionscache_free(p->service);
	p->service = NULL;
}

/* ---- getting ---- */

static int flush(struct run *r, struct err *err)
{
	int rc = file_write_all(r->fd, buf_data(&r->out), buf_len(&r->out)) == 0
	    ? 0
	    : err_sys(err, ERR_IO, "writing the opened archive");

	buf_clear(&r->out);
	return rc;
}

static int on_content(void *arg, const void *bytes, size_t n, struct err *err)
{
	struct run *r = arg;
	int rc = 0;

	r->size += n;
	if (r->size > CACHEWIRE_PUT_MAX)
		return err_set(err, ERR_LIMIT, "the archive is larger than 128 MiB");
	if (!r->begun)
		rc = sealed_init(&r->seal, r->p->secret, actionscache_matched(r->p->service), err);
	r->begun = true;
	if (rc == 0)
		rc = sealed_open(&r->seal, bytes, n, &r->out, err);
	return rc != 0 ? rc : flush(r, err);
}

static void on_done(void *arg, const struct actionscache_end *e)
{
	struct run *r = arg;

	if (r->err->cls == 0)
		*r->err = *e->err;
	r->ok = e->ok;
	span_copy(r->p->key, sizeof(r->p->key), e->matched);
	r->done = true;
}

static int wait_for(struct run *r)
{
	if (loop_run(r->p->app->loop, &r->done, r->err) == 0 && !r->done)
		err_set(r->err, ERR_INTERNAL, "the cache service's answer was lost");
	return r->err->cls;
}

int persist_fetch(struct persist *p, const char *key, const char *front, int fd, struct err *err)
{
	struct span restore = span_of(front);
	struct cachewire_ask ask = { span_of(key), version(), &restore, 1, 0 };
	struct run r = { .p = p, .fd = fd, .err = err };
	int rc;

	buf_init(&r.out, 4 * PIECE + CACHEWIRE_ANSWER_MAX);
	rc = actionscache_get(p->service, &ask, on_content, on_done, &r, err);
	if (rc == 0)
		rc = wait_for(&r);
	if (rc == 0 && !r.ok)
		rc = err_set(err, ERR_NOTFOUND, "there is none yet under %s…", front);
	else if (rc == 0 && (!r.begun || !span_starts(span_of(p->key), front)))
		rc = err_set(err, ERR_DAMAGED, "what the cache service gave for %s is no archive", p->key);
	else if (rc == 0 && (rc = sealed_open_end(&r.seal, &r.out, err)) == 0)
		rc = flush(&r, err);
	if (r.begun)
		sealed_wipe(&r.seal);
	buf_wipe(&r.out);
	return rc;
}

/* ---- keeping ---- */

static int seal_file(struct run *r, int from, struct file_hold *to, struct err *err)
{
	static uint8_t piece[PIECE];
	off_t at = 0;
	ssize_t n = 0;
	int rc = sealed_begin(&r->seal, &r->out, err);

	r->fd = to->fd;
	while (rc == 0 && (n = pread(from, piece, sizeof(piece), at)) > 0) {
		at += n;
		rc = sealed_add(&r->seal, piece, (size_t)n, &r->out, err);
		if (rc == 0)
			rc = flush(r, err);
	}
	if (rc == 0 && n < 0)
		rc = err_sys(err, ERR_IO, "reading the archive");
	if (rc == 0)
		rc = sealed_end(&r->seal, &r->out, err);
	return rc != 0 ? rc : flush(r, err);
}

/* What is held can only be written; the service's client reads. */
static int open_again(const struct file_hold *h, struct actionscache_blob *blob, struct err *err)
{
	struct stat st;

	blob->fd = openat(h->dirfd, h->tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (blob->fd < 0 || fstat(blob->fd, &st) != 0)
		return err_sys(err, ERR_IO, "reading %s", h->tmp);
	blob->size = (uint64_t)st.st_size;
	return 0;
}

int persist_keep(struct persist *p, const char *key, int fd, struct err *err)
{
	struct actionscache_blob blob = { .fd = -1 };
	struct run r = { .p = p, .err = err };
	struct file_hold h = { .fd = -1 };
	int rc;

	snprintf(p->key, sizeof(p->key), "%s", key);
	buf_init(&r.out, 4 * PIECE);
	rc = sealed_init(&r.seal, p->secret, span_of(key), err);
	if (rc == 0)
		rc = file_hold(&h, store_dirfd(p->app->store), "persist", err);
	if (rc == 0)
		rc = seal_file(&r, fd, &h, err);
	if (rc == 0)
		rc = open_again(&h, &blob, err);
	if (rc == 0)
		rc = actionscache_put(p->service, span_of(key), version(), &blob, on_done, &r, err);
	if (rc == 0)
		rc = wait_for(&r);
	snprintf(p->key, sizeof(p->key), "%s", key);
	if (rc == 0 && !r.ok)
		rc = err_set(err, ERR_NOTFOUND, "%s is kept already, or by another job just now", key);
	if (blob.fd >= 0)
		close(blob.fd);
	file_rollback(&h);
	sealed_wipe(&r.seal);
	buf_wipe(&r.out);
	return rc;
}

/* ---- telling ---- */

int persist_tell(const struct persist *p, size_t entries, struct err *err)
{
	const char *what = p->saves ? "saved" : "restored";
	struct json *o;
	struct buf b;

	if (err->cls == ERR_USAGE || err->cls == ERR_CONFIG)
		return cli_exit_code(err);
	if (err->cls == ERR_DAMAGED || err->cls == ERR_PROTO || err->cls == ERR_IO)
		log_warn("nothing was %s: %s", what, err->msg);
	if (p->json) {
		o = json_object();
		json_put_bool(o, what, err->cls == 0);
		if (err->cls == 0) {
			json_put_str(o, "key", p->key);
			json_put_int(o, "entries", (int64_t)entries);
		} else {
			json_put_str(o, "reason", err->msg);
		}
		buf_init(&b, 8192);
		json_print(o, false, &b);
		printf("%s\n", buf_cstr(&b));
		buf_free(&b);
		json_free(o);
	} else if (err->cls == 0) {
		printf("%s: %zu entr%s, %s\n", what, entries, entries == 1 ? "y" : "ies", p->key);
	} else {
		printf("not %s: %s\n", what, err->msg);
	}
	return err->cls == 0 ? XC_OK : XC_NO;
}
