#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hex.h"
#include "codeql/deny.h"
#include "codeql/filehash.h"
#include "codeql/treekey.h"
#include "codeql/worktree.h"

/* Changes when the meaning of a key does. */
#define WHOLE_DOMAIN "ghoard tree 1"
#define NARROW_DOMAIN "ghoard tree 1 narrow"
#define BATCH ((size_t)16 << 10)

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

int treekey_make(struct fingerprint *fp, const struct fingerprint_options *opt, bool narrow,
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
