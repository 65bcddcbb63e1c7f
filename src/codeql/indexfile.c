#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/indexfile.h"

static enum fingerprint_reason reason_of(enum gitindex_result r)
{
	switch (r) {
	case GITINDEX_OK:
		return FP_USABLE;
	case GITINDEX_DAMAGED:
		return FP_DAMAGED;
	case GITINDEX_VERSION:
		return FP_VERSION;
	case GITINDEX_EXTENSION:
		return FP_EXTENSION;
	case GITINDEX_LIMIT:
		return FP_LIMIT;
	}
	return FP_DAMAGED;
}

static int read_one(int dir, const char *name, struct buf *bytes, struct timespec *written)
{
	struct stat st = { 0 };
	int rc = file_read_at(dir, name, GITINDEX_FILE_MAX, bytes, &st, NULL);

	*written = st.st_mtim;
	return rc;
}

static enum fingerprint_reason parse_one(struct gitindex *ix, const struct buf *bytes, enum objid_format f,
    const char **why)
{
	*why = "its checksum is wrong";
	if (!gitindex_checksum_ok(buf_span(bytes), f))
		return FP_DAMAGED;
	return reason_of(gitindex_parse(ix, buf_span(bytes), f, why));
}

/* The file must be the one that its name says it is: its trailer. */
static enum fingerprint_reason read_shared(struct indexfile *x, int dir, const char **why)
{
	char name[32 + OBJID_HEX_MAX] = "sharedindex.";
	size_t idlen = objid_len(x->index.format);

	hex_encode(name + strlen(name), x->index.shared_id, idlen);
	*why = "its shared index cannot be read";
	if (read_one(dir, name, &x->shared_bytes, &x->shared_written) < 0)
		return FP_DAMAGED;
	enum fingerprint_reason reason = parse_one(&x->shared, &x->shared_bytes, x->index.format, why);
	if (reason != FP_USABLE)
		return reason;
	*why = "its shared index is another one";
	const uint8_t *end = buf_data(&x->shared_bytes) + buf_len(&x->shared_bytes);
	if (memcmp(end - idlen, x->index.shared_id, idlen) != 0)
		return FP_DAMAGED;
	return reason_of(gitindex_merge(&x->index, &x->shared, why));
}

/* Entries that leave open what the tree is. */
static enum fingerprint_reason open_questions(const struct gitindex *ix, struct span *where)
{
	for (size_t i = 0; i < ix->n; i++) {
		const struct gitindex_entry *e = &ix->list[i];

		*where = span_make(e->path, e->len);
		if (gitindex_stage(e) != 0)
			return FP_CONFLICT;
		if (e->more & GITINDEX_INTENT)
			return FP_INTENT;
	}
	return FP_USABLE;
}

static enum fingerprint_reason read_from(struct indexfile *x, int dir, enum objid_format f,
    struct span *where)
{
	const char *why = "the index cannot be read";
	enum fingerprint_reason reason = FP_USABLE;
	int rc = read_one(dir, "index", &x->bytes, &x->written);

	x->index.format = f;
	if (rc == ERR_NOTFOUND)
		return FP_USABLE;
	if (rc < 0)
		reason = rc == ERR_LIMIT ? FP_LIMIT : FP_UNREADABLE;
	if (reason == FP_USABLE)
		reason = parse_one(&x->index, &x->bytes, f, &why);
	if (reason == FP_USABLE && x->index.shared_id)
		reason = read_shared(x, dir, &why);
	*where = span_of(why);
	return reason == FP_USABLE ? open_questions(&x->index, where) : reason;
}

int indexfile_read(struct indexfile *x, const struct gitrepo *r, enum fingerprint_reason *reason,
    struct span *where, struct err *err)
{
	*x = (struct indexfile){ 0 };
	buf_init(&x->bytes, GITINDEX_FILE_MAX);
	buf_init(&x->shared_bytes, GITINDEX_FILE_MAX);
	objid_blob(x->empty, r->format, NULL, 0);
	int dir = open(r->gitdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, ERR_IO, "opening %s", r->gitdir);
	*reason = read_from(x, dir, r->format, where);
	close(dir);
	return 0;
}

void indexfile_free(struct indexfile *x)
{
	gitindex_free(&x->index);
	gitindex_free(&x->shared);
	buf_free(&x->bytes);
	buf_free(&x->shared_bytes);
}

static bool older(uint32_t s, uint32_t ns, const struct timespec *than, bool whole_seconds)
{
	uint32_t ts = (uint32_t)than->tv_sec;

	return s < ts || (s == ts && !whole_seconds && ns < (uint32_t)than->tv_nsec);
}

bool indexfile_fresh(const struct indexfile *x, const struct gitindex_entry *e, const struct stat *st)
{
	const uint8_t *shared = buf_data(&x->shared_bytes);
	struct gitindex_stat s;

	gitindex_stat(e, &s);
	if (s.mtime_s != (uint32_t)st->st_mtim.tv_sec || s.mtime_ns != (uint32_t)st->st_mtim.tv_nsec ||
	    s.ctime_s != (uint32_t)st->st_ctim.tv_sec || s.ctime_ns != (uint32_t)st->st_ctim.tv_nsec ||
	    s.size != (uint32_t)st->st_size || s.ino != (uint32_t)st->st_ino || s.uid != st->st_uid ||
	    s.gid != st->st_gid || (s.mode & S_IFMT) != (st->st_mode & S_IFMT))
		return false;
	/* git marks entries it does not trust so ("smudged") */
	if (s.size == 0 && memcmp(gitindex_id(e), x->empty, objid_len(x->index.format)) != 0)
		return false;
	bool from_shared = shared && e->raw >= shared && e->raw < shared + buf_len(&x->shared_bytes);
	const struct timespec *than = from_shared ? &x->shared_written : &x->written;
	/* a file system that keeps no fractions may stand beside one that does */
	bool whole = s.mtime_ns == 0 && s.ctime_ns == 0;
	return older(s.mtime_s, s.mtime_ns, than, whole) && older(s.ctime_s, s.ctime_ns, than, whole);
}
