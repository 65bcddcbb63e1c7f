#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "codeql/deny.h"
#include "codeql/filehash.h"
#include "codeql/fingerprint.h"
#include "codeql/gitrefs.h"
#include "codeql/gitrepo.h"
#include "codeql/indexfile.h"
#include "codeql/worktree.h"

/* Changes when the meaning of a key does. */
#define WHOLE_DOMAIN "ghoard tree 1"
#define NARROW_DOMAIN "ghoard tree 1 narrow"
#define BATCH ((size_t)16 << 10)

const char *fingerprint_reason_name(enum fingerprint_reason r)
{
	static const char *const names[] = {
		[FP_USABLE] = "usable",
		[FP_CONFLICT] = "conflict",
		[FP_INTENT] = "intent-to-add",
		[FP_EXTENSION] = "index-extension",
		[FP_VERSION] = "index-version",
		[FP_DAMAGED] = "index-damaged",
		[FP_LINK_OUT] = "link-leaves-tree",
		[FP_UNREADABLE] = "unreadable",
		[FP_CHANGING] = "changing",
		[FP_WORKTREE] = "worktree-elsewhere",
		[FP_FORMAT] = "repository-format",
		[FP_LIMIT] = "limit",
	};

	return names[r];
}

/* ---- keys ---- */

/* Records go to the hash in batches: three small pieces each cost more than the hash itself. */
struct key {
	struct hash_sha256 hash;
	size_t n;
	uint8_t batch[BATCH];
};

static void key_flush(struct key *k)
{
	hash_sha256_add(&k->hash, k->batch, k->n);
	k->n = 0;
}

/* Mode, id, length of the path, path: no two lists of records give the same bytes. */
static void key_record(struct key *k, const struct manifest_rec *r, size_t idlen)
{
	if (k->n + 8 + idlen + r->path.n > BATCH)
		key_flush(k);
	uint8_t *to = k->batch + k->n;
	to[0] = (uint8_t)(r->mode >> 8);
	to[1] = (uint8_t)r->mode;
	to[2] = (uint8_t)(r->path.n >> 8);
	to[3] = (uint8_t)r->path.n;
	memcpy(to + 4, r->id, idlen);
	memcpy(to + 4 + idlen, r->path.p, r->path.n);
	k->n += 4 + idlen + r->path.n;
}

static void key_number(struct key *k, size_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", n);
	hash_sha256_field(&k->hash, span_of(text));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The globs as a set: order and repetition say nothing. */
static int key_globs(struct key *k, const struct fingerprint_options *opt)
{
	const char **list = calloc(opt->nignore + 1, sizeof(*list));
	size_t n = 0;

	if (list == NULL)
		return -1;
	for (size_t i = 0; i < opt->nignore; i++)
		list[i] = opt->ignore[i];
	qsort(list, opt->nignore, sizeof(*list), by_text);
	for (size_t i = 0; i < opt->nignore; i++)
		if (n == 0 || strcmp(list[n - 1], list[i]) != 0)
			list[n++] = list[i];
	key_number(k, n);
	for (size_t i = 0; i < n; i++)
		hash_sha256_field(&k->hash, span_of(list[i]));
	free(list);
	return 0;
}

static int key_languages(struct key *k, const struct fingerprint_options *opt)
{
	struct buf names;

	buf_init(&names, BUF_MAX_ANY);
	deny_names(opt->languages, opt->nlanguages, &names);
	bool ok = !names.failed;
	key_number(k, DENY_VERSION);
	key_number(k, opt->built);
	hash_sha256_field(&k->hash, buf_span(&names));
	buf_free(&names);
	return ok ? 0 : -1;
}

/* A file beside the tree, by its label and its bytes. */
static int key_extra(struct key *k, struct fingerprint *fp, const struct fingerprint_extra *x)
{
	uint8_t id[OBJID_MAX] = { 0 };
	struct filehash h;
	struct stat st;

	if (filehash_init(&h, fp->format) < 0)
		return -1;
	int fd = open(x->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    filehash_fd(&h, fd, &st, id) == FILEHASH_OK;
	if (fd >= 0)
		close(fd);
	filehash_free(&h);
	if (!ok)
		worktree_refuse(fp, FP_UNREADABLE, span_of(x->label), "it cannot be read");
	hash_sha256_field(&k->hash, span_of(x->label));
	hash_sha256_field(&k->hash, span_make(id, sizeof(id)));
	return 0;
}

static int make_key(struct fingerprint *fp, const struct fingerprint_options *opt, bool narrow,
    char out[static FINGERPRINT_LEN + 1])
{
	struct key *k = malloc(sizeof(*k));
	uint8_t digest[SHA256_LEN];
	int rc = -1;

	if (k == NULL)
		return -1;
	k->n = 0;
	hash_sha256_init(&k->hash);
	hash_sha256_field(&k->hash, span_of(narrow ? NARROW_DOMAIN : WHOLE_DOMAIN));
	hash_sha256_field(&k->hash, span_of(objid_name(fp->format)));
	if (key_globs(k, opt) < 0 || (narrow && key_languages(k, opt) < 0))
		goto out;
	key_number(k, opt->nextra);
	for (size_t i = 0; i < opt->nextra; i++)
		if (key_extra(k, fp, &opt->extra[i]) < 0)
			goto out;
	for (size_t i = 0, n = manifest_count(fp->manifest); i < n; i++) {
		struct manifest_rec r = manifest_at(fp->manifest, i);

		if (!(r.flags & MANIFEST_GONE) && !(narrow && r.flags & MANIFEST_DENIED))
			key_record(k, &r, objid_len(fp->format));
	}
	key_flush(k);
	hash_sha256_out(&k->hash, digest);
	hex_encode(out, digest, sizeof(digest));
	rc = 0;
out:
	free(k);
	return rc;
}

static int make_keys(struct fingerprint *fp, const struct fingerprint_options *opt, struct err *err)
{
	if (make_key(fp, opt, false, fp->whole) < 0 ||
	    (opt->nlanguages > 0 && make_key(fp, opt, true, fp->narrow) < 0))
		return err_set(err, ERR_INTERNAL, "no memory for the tree's key");
	return 0;
}

/* ---- the tree ---- */

static void label(struct fingerprint *fp, const struct gitrepo *repo)
{
	struct gitrefs_head h;

	gitrefs_head(repo, &h);
	memcpy(fp->commit, h.commit, sizeof(fp->commit));
	memcpy(fp->ref, h.ref, sizeof(fp->ref));
	fp->reftable = h.reftable;
}

static void label_root(struct fingerprint *fp, const struct gitindex *ix)
{
	static const enum fingerprint_root states[] = { [GITINDEX_ROOT_MISSING] = FP_TREE_MISSING,
		[GITINDEX_ROOT_INVALID] = FP_TREE_INVALID,
		[GITINDEX_ROOT_VALID] = FP_TREE_VALID };

	fp->root = states[ix->root];
	if (ix->root == GITINDEX_ROOT_VALID)
		hex_encode(fp->tree, ix->root_id, objid_len(ix->format));
}

static int take_from(const struct fingerprint_options *opt, struct fingerprint *fp,
    const struct gitrepo *repo, struct err *err)
{
	struct indexfile *file = calloc(1, sizeof(*file));
	struct span where = span_of("");
	enum fingerprint_reason reason = FP_USABLE;
	char detail[256] = "";
	int rc = 0;

	fp->manifest = manifest_new(fp->format, fp->indexed);
	if (file == NULL || fp->manifest == NULL) {
		free(file);
		return err_set(err, ERR_INTERNAL, "no memory for the list of files");
	}
	if (fp->indexed)
		rc = indexfile_read(file, repo, &reason, &where, err);
	if (rc == 0 && fp->indexed)
		label_root(fp, &file->index);
	if (rc == 0 && reason != FP_USABLE) {
		span_copy(detail, sizeof(detail), where);
		worktree_refuse(fp, reason, span_of("index"), detail);
	}
	if (rc == 0 && reason == FP_USABLE)
		rc = worktree_walk(opt, repo, fp->indexed ? file : NULL, fp, err);
	indexfile_free(file);
	free(file);
	return rc;
}

int fingerprint_take(const struct fingerprint_options *opt, struct fingerprint *fp, struct err *err)
{
	struct gitrepo_home home = { opt->home, opt->xdg_config };
	struct gitrepo *repo = malloc(sizeof(*repo));
	enum fingerprint_reason reason;
	const char *where;

	*fp = (struct fingerprint){ .deny_version = DENY_VERSION };
	if (repo == NULL)
		return err_set(err, ERR_INTERNAL, "no memory");
	int rc = gitrepo_find(repo, opt->source ? opt->source : ".", true, &home, &reason, &where, err);
	if (rc < 0)
		goto out;
	fp->indexed = repo->gitdir[0] != '\0';
	fp->format = fp->indexed ? repo->format : opt->format;
	if (reason == FP_USABLE)
		label(fp, repo);
	else
		worktree_refuse(fp, reason, span_of(".git"), where);
	if (fp->reason == FP_USABLE)
		rc = take_from(opt, fp, repo, err);
	if (rc == 0 && fp->reason == FP_USABLE)
		rc = make_keys(fp, opt, err);
	if (rc < 0 || fp->reason != FP_USABLE) {
		fp->whole[0] = fp->narrow[0] = '\0';
		manifest_free(fp->manifest);
		fp->manifest = NULL;
	}
out:
	free(repo);
	return rc;
}

void fingerprint_free(struct fingerprint *fp)
{
	manifest_free(fp->manifest);
	fp->manifest = NULL;
}
