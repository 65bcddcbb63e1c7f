#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/varint.h"
#include "codeql/manifest.h"

#define MAGIC "ghoard manifest 1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define KINDS 4
#define FLAGS_ALL 31u

/* 48 bytes with a SHA-256 id, 36 with a SHA-1 one: the id has the length of the format. */
struct rec {
	uint64_t path;		/* offset in `paths` */
	uint16_t len;
	uint8_t kind;
	uint8_t flags;
};

struct manifest {
	enum objid_format format;
	bool indexed;
	struct buf recs, ids, paths;
};

static const uint32_t modes[KINDS] = { MANIFEST_FILE, MANIFEST_EXEC, MANIFEST_LINK, MANIFEST_GITLINK };

struct manifest *manifest_new(enum objid_format f, bool indexed)
{
	struct manifest *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->format = f;
	m->indexed = indexed;
	buf_init(&m->recs, BUF_MAX_ANY);
	buf_init(&m->ids, BUF_MAX_ANY);
	buf_init(&m->paths, BUF_MAX_ANY);
	return m;
}

void manifest_free(struct manifest *m)
{
	if (m == NULL)
		return;
	buf_free(&m->recs);
	buf_free(&m->ids);
	buf_free(&m->paths);
	free(m);
}

enum objid_format manifest_format(const struct manifest *m)
{
	return m->format;
}

bool manifest_indexed(const struct manifest *m)
{
	return m->indexed;
}

size_t manifest_count(const struct manifest *m)
{
	return buf_len(&m->recs) / sizeof(struct rec);
}

static const struct rec *rec_at(const struct manifest *m, size_t i)
{
	return (const struct rec *)(const void *)buf_data(&m->recs) + i;
}

static struct span path_at(const struct manifest *m, size_t i)
{
	const struct rec *r = rec_at(m, i);

	return span_make(buf_data(&m->paths) + r->path, r->len);
}

struct manifest_rec manifest_at(const struct manifest *m, size_t i)
{
	const struct rec *r = rec_at(m, i);

	return (struct manifest_rec){ .path = path_at(m, i),
		.mode = modes[r->kind],
		.flags = r->flags,
		.id = buf_data(&m->ids) + i * objid_len(m->format) };
}

static int kind_of(uint32_t mode)
{
	for (int i = 0; i < KINDS; i++)
		if (modes[i] == mode)
			return i;
	return -1;
}

int manifest_add(struct manifest *m, const struct manifest_rec *rec)
{
	size_t n = manifest_count(m);
	int kind = kind_of(rec->mode);

	if (rec->path.n == 0 || rec->path.n >= MANIFEST_PATH_MAX)
		return ERR_LIMIT;
	if (kind < 0 || (rec->flags & ~FLAGS_ALL) != 0 ||
	    (n > 0 && span_cmp(path_at(m, n - 1), rec->path) >= 0))
		return ERR_USAGE;
	struct rec r = { .path = buf_len(&m->paths),
		.len = (uint16_t)rec->path.n,
		.kind = (uint8_t)kind,
		.flags = (uint8_t)rec->flags };
	buf_add(&m->paths, rec->path.p, rec->path.n);
	buf_add(&m->ids, rec->id, objid_len(m->format));
	buf_add(&m->recs, &r, sizeof(r));
	return m->paths.failed || m->ids.failed || m->recs.failed ? ERR_INTERNAL : 0;
}

void manifest_undeny(struct manifest *m)
{
	for (size_t i = 0, n = manifest_count(m); i < n; i++) {
		struct rec *r = (struct rec *)(void *)buf_data(&m->recs) + i;

		r->flags &= (uint8_t)~MANIFEST_DENIED;
	}
}

bool manifest_find(const struct manifest *m, struct span path, struct manifest_rec *out)
{
	size_t low = 0, high = manifest_count(m);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = span_cmp(path_at(m, mid), path);

		if (c == 0) {
			*out = manifest_at(m, mid);
			return true;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static size_t shared(struct span a, struct span b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

static void put_number(struct buf *out, uint64_t v)
{
	uint8_t bytes[VARINT_MAX_LEN];

	buf_add(out, bytes, varint_put(bytes, v));
}

int manifest_write(const struct manifest *m, struct buf *out, struct err *err)
{
	size_t start = buf_len(out), count = manifest_count(m);
	struct span before = span_of("");
	uint8_t digest[SHA256_LEN];

	buf_adds(out, MAGIC);
	buf_addc(out, (char)('0' + m->format));
	buf_addc(out, m->indexed ? '1' : '0');
	put_number(out, count);
	for (size_t i = 0; i < count; i++) {
		struct manifest_rec r = manifest_at(m, i);
		size_t same = shared(before, r.path);

		buf_addc(out, (char)(rec_at(m, i)->kind << 5 | rec_at(m, i)->flags));
		put_number(out, same);
		put_number(out, r.path.n - same);
		buf_add(out, r.path.p + same, r.path.n - same);
		buf_add(out, r.id, objid_len(m->format));
		before = r.path;
	}
	if (out->failed)
		return err_set(err, ERR_INTERNAL, "no memory for a list of %zu files", count);
	hash_sha256(digest, buf_data(out) + start, buf_len(out) - start);
	buf_add(out, digest, sizeof(digest));
	return out->failed ? err_set(err, ERR_INTERNAL, "no memory for a list of %zu files", count) : 0;
}

static bool take_number(struct span *in, uint64_t max, uint64_t *v)
{
	int n = varint_get(in->p, in->n, v);

	if (n < 0 || *v > max)
		return false;
	*in = span_sub(*in, (size_t)n, in->n);
	return true;
}

/* One record; `path` holds the one before and becomes this one's. 0, ERR_DAMAGED or ERR_INTERNAL. */
static int take_record(struct manifest *m, struct span *in, char path[static MANIFEST_PATH_MAX], size_t *len)
{
	size_t idlen = objid_len(m->format);
	uint64_t same, rest;

	if (in->n == 0)
		return ERR_DAMAGED;
	uint8_t head = (uint8_t)in->p[0];
	*in = span_sub(*in, 1, in->n);
	if (head >> 5 >= KINDS || !take_number(in, *len, &same) ||
	    !take_number(in, MANIFEST_PATH_MAX - 1 - same, &rest) || in->n < rest + idlen)
		return ERR_DAMAGED;
	memcpy(path + same, in->p, rest);
	*len = same + rest;
	struct manifest_rec r = { .path = span_make(path, *len),
		.mode = modes[head >> 5],
		.flags = head & FLAGS_ALL,
		.id = (const uint8_t *)in->p + rest };
	int rc = memchr(path, 0, *len) ? ERR_DAMAGED : manifest_add(m, &r);
	*in = span_sub(*in, rest + idlen, in->n);
	return rc == 0 || rc == ERR_INTERNAL ? rc : ERR_DAMAGED;
}

/* What precedes the records, and the checksum. */
static struct manifest *take_head(struct span *in, uint64_t *count, int *rc)
{
	uint8_t digest[SHA256_LEN];
	struct manifest *m = NULL;

	*rc = ERR_DAMAGED;
	if (in->n < MAGIC_LEN + 2 + SHA256_LEN || !span_starts(*in, MAGIC))
		return NULL;
	size_t n = in->n - SHA256_LEN;
	hash_sha256(digest, in->p, n);
	if (memcmp(digest, in->p + n, SHA256_LEN) != 0)
		return NULL;
	char format = in->p[MAGIC_LEN], indexed = in->p[MAGIC_LEN + 1];
	*in = span_sub(*in, MAGIC_LEN + 2, n - MAGIC_LEN - 2);
	if ((format != '0' && format != '1') || (indexed != '0' && indexed != '1') ||
	    !take_number(in, MANIFEST_FILE_MAX, count))
		return NULL;
	m = manifest_new(format == '0' ? OBJID_SHA1 : OBJID_SHA256, indexed == '1');
	*rc = m ? 0 : ERR_INTERNAL;
	return m;
}

struct manifest *manifest_read(struct span in, struct err *err)
{
	char path[MANIFEST_PATH_MAX];
	uint64_t count = 0;
	size_t len = 0;
	int rc;
	struct manifest *m = take_head(&in, &count, &rc);

	for (uint64_t i = 0; rc == 0 && i < count; i++)
		rc = take_record(m, &in, path, &len);
	if (rc == 0 && in.n > 0)
		rc = ERR_DAMAGED;
	if (rc == 0)
		return m;
	manifest_free(m);
	err_set(err, rc, rc == ERR_DAMAGED ? "a list of files is damaged" : "no memory for a list of files");
	return NULL;
}

/* ---- differences ---- */

struct sides {
	const struct manifest *was, *is;
	bool narrow, since;
	manifest_visit *visit;
	void *ctx;
	size_t visited;
};

static bool counts(const struct manifest_rec *r, bool narrow)
{
	return r && !(r->flags & MANIFEST_GONE) && !(narrow && r->flags & MANIFEST_DENIED);
}

static bool is_tracked(const struct manifest_rec *r)
{
	return r && r->flags & MANIFEST_TRACKED;
}

static bool same_file(const struct sides *s, const struct manifest_rec *a, const struct manifest_rec *b)
{
	return s->was->format == s->is->format && a->mode == b->mode &&
	    memcmp(a->id, b->id, objid_len(s->is->format)) == 0;
}

/* One path, on one side or both. False: the visitor has had enough. */
static bool compare(struct sides *s, const struct manifest_rec *was, const struct manifest_rec *is)
{
	bool matters = !s->since || was || is_tracked(is);
	enum manifest_change change = MANIFEST_CHANGED;

	was = counts(was, s->narrow) ? was : NULL;
	is = counts(is, s->narrow) ? is : NULL;
	if (!matters || (!was && !is) || (was && is && same_file(s, was, is)))
		return true;
	if (!was)
		change = MANIFEST_ADDED;
	else if (!is)
		change = MANIFEST_REMOVED;
	s->visited++;
	return !s->visit || s->visit(s->ctx, change, was, is);
}

static size_t walk_both(struct sides *s)
{
	size_t i = 0, j = 0, n = manifest_count(s->was), m = manifest_count(s->is);
	bool go = true;

	while (go && (i < n || j < m)) {
		struct manifest_rec a = { 0 }, b = { 0 };
		int c = i == n ? 1 : j == m ? -1 : span_cmp(path_at(s->was, i), path_at(s->is, j));

		if (c <= 0)
			a = manifest_at(s->was, i++);
		if (c >= 0)
			b = manifest_at(s->is, j++);
		go = compare(s, c <= 0 ? &a : NULL, c >= 0 ? &b : NULL);
	}
	return s->visited;
}

size_t manifest_diff(const struct manifest *was, const struct manifest *is, bool narrow,
    manifest_visit *visit, void *ctx)
{
	struct sides s = { .was = was, .is = is, .narrow = narrow, .visit = visit, .ctx = ctx };

	return walk_both(&s);
}

size_t manifest_since(const struct manifest *was, const struct manifest *is, manifest_visit *visit,
    void *ctx)
{
	struct sides s = { .was = was, .is = is, .since = true, .visit = visit, .ctx = ctx };

	return walk_both(&s);
}
