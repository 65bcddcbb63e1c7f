#include <stdlib.h>
#include <string.h>

#include "codeql/gitindex.h"

#define HEAD_LEN 12
#define STAT_LEN 40
#define EXTENDED 0x4000u
#define STAGE 0x3000u
#define NAME_LEN 0x0fffu

/* What is being read, and where. */
struct reader {
	const uint8_t *p;
	size_t at, end;			/* end: where the trailer begins */
	size_t idlen;
	const char **why;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static enum gitindex_result bad(struct reader *r, const char *why)
{
	*r->why = why;
	return GITINDEX_DAMAGED;
}

bool gitindex_checksum_ok(struct span file, enum objid_format f)
{
	size_t idlen = objid_len(f);
	uint8_t id[OBJID_MAX];
	struct objid_hash h;

	if (file.n < HEAD_LEN + idlen)
		return false;
	const uint8_t *trailer = (const uint8_t *)file.p + file.n - idlen;
	if (objid_is_zero(trailer, f))
		return true;
	objid_start(&h, f);
	objid_add(&h, file.p, file.n - idlen);
	objid_out(&h, id);
	return memcmp(id, trailer, idlen) == 0;
}

const uint8_t *gitindex_id(const struct gitindex_entry *e)
{
	return e->raw + STAT_LEN;
}

unsigned gitindex_stage(const struct gitindex_entry *e)
{
	return (e->flags & STAGE) >> 12;
}

void gitindex_stat(const struct gitindex_entry *e, struct gitindex_stat *st)
{
	const uint8_t *p = e->raw;

	*st = (struct gitindex_stat){ be32(p), be32(p + 4), be32(p + 8), be32(p + 12), be32(p + 16),
		be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32), be32(p + 36) };
}

/* A file's permissions are 644 or 755; very old versions of git kept others. */
uint32_t gitindex_mode(const struct gitindex_entry *e)
{
	uint32_t mode = be32(e->raw + 24);

	if ((mode & 0170000) != 0100000)
		return mode;
	return mode & 0100 ? 0100755 : 0100644;
}

static bool mode_ok(uint32_t mode)
{
	return (mode & ~07777u) == 0100000 || mode == 0120000 || mode == 0160000 || mode == GITINDEX_DIR;
}

/* Relative, and no component that leads elsewhere. A sparse folder's path ends with a slash. */
static bool path_ok(const char *p, size_t n, bool dir)
{
	if (dir && (n < 2 || p[--n] != '/'))
		return false;
	for (size_t from = 0; from <= n;) {
		const char *slash = from < n ? memchr(p + from, '/', n - from) : NULL;
		struct span part = span_make(p + from, (slash ? (size_t)(slash - p) : n) - from);

		if (part.n == 0 || (part.p[0] == '.' &&
		    (part.n == 1 || (part.n == 2 && part.p[1] == '.') || span_ieq(part, ".git"))))
			return false;
		from += part.n + 1;
	}
	return true;
}

/* The order of the index: by the paths' bytes, then by stage. */
static int entry_cmp(const struct gitindex_entry *a, const struct gitindex_entry *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = str_bytes(a->path, b->path, n);

	if (c != 0)
		return c;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return (int)gitindex_stage(a) - (int)gitindex_stage(b);
}

/* A path as version 2 and 3 have it: in place, ended by 1 to 8 NULs. */
static enum gitindex_result plain_path(struct reader *r, struct gitindex_entry *e)
{
	size_t said = e->flags & NAME_LEN, start = (size_t)(e->raw - r->p);
	const uint8_t *name = r->p + r->at, *end;

	if (said < NAME_LEN && r->at + said >= r->end)
		return bad(r, "an entry is cut off");
	end = said < NAME_LEN ? name + said : memchr(name, 0, r->end - r->at);
	if (end == NULL || *end != 0 || (size_t)(end - name) < said)
		return bad(r, "a path is not ended");
	e->path = (const char *)name;
	e->len = (uint32_t)(end - name);
	size_t next = start + ((r->at - start + e->len + 8) & ~(size_t)7);
	if (next > r->end)
		return bad(r, "an entry is cut off");
	r->at = next;
	return GITINDEX_OK;
}

/* The varint of offset deltas: each further byte adds one, so that no number has two forms. */
static bool strip_number(struct reader *r, size_t *out)
{
	size_t v = 0;

	for (int i = 0; i < 5 && r->at < r->end; i++) {
		uint8_t b = r->p[r->at++];

		v = (i ? (v + 1) << 7 : 0) + (b & 0x7f);
		if (!(b & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* As version 4 has it: the end of the path before, less so many bytes, plus these. For the time being `path`
 * is an offset: the buffer moves while it grows. */
static enum gitindex_result packed_path(struct reader *r, struct gitindex *ix, struct gitindex_entry *e)
{
	const struct gitindex_entry *before = ix->n ? &ix->list[ix->n - 1] : NULL;
	size_t strip = 0, had = before ? before->len : 0;

	if (!strip_number(r, &strip) || strip > had)
		return bad(r, "a path takes more from the one before than that has");
	const uint8_t *end = memchr(r->p + r->at, 0, r->end - r->at);
	if (end == NULL)
		return bad(r, "a path is not ended");
	size_t keep = had - strip, rest = (size_t)(end - r->p) - r->at;
	if (keep + rest >= GITINDEX_PATH_MAX) {
		*r->why = "a path is too long";
		return GITINDEX_LIMIT;
	}
	size_t at = buf_len(&ix->names);
	uint8_t *to = buf_reserve(&ix->names, keep + rest + 1);
	if (to == NULL) {
		*r->why = "its paths take too much memory";
		return GITINDEX_LIMIT;
	}
	if (keep)
		memcpy(to, buf_data(&ix->names) + (size_t)(uintptr_t)before->path, keep);
	memcpy(to + keep, r->p + r->at, rest);
	buf_commit(&ix->names, keep + rest);
	e->path = (const char *)(uintptr_t)at;
	e->len = (uint32_t)(keep + rest);
	r->at += rest + 1;
	size_t said = e->flags & NAME_LEN;
	return said == (e->len < NAME_LEN ? e->len : NAME_LEN) ? GITINDEX_OK
							       : bad(r, "a path has another length");
}

static enum gitindex_result one_entry(struct reader *r, struct gitindex *ix)
{
	struct gitindex_entry e = { .raw = r->p + r->at };
	size_t fixed = STAT_LEN + r->idlen + 2;

	if (r->end - r->at < fixed)
		return bad(r, "an entry is cut off");
	e.flags = be16(e.raw + fixed - 2);
	r->at += fixed;
	if (e.flags & EXTENDED) {
		if (ix->version < 3 || r->end - r->at < 2)
			return bad(r, "an entry has flags that its version has not");
		e.more = be16(r->p + r->at);
		r->at += 2;
		if (e.more & ~(GITINDEX_SKIP | GITINDEX_INTENT))
			return bad(r, "an entry has flags that are not known");
	}
	if (!mode_ok(be32(e.raw + 24)))
		return bad(r, "an entry has a mode that git does not write");
	enum gitindex_result rc = ix->version == 4 ? packed_path(r, ix, &e) : plain_path(r, &e);
	if (rc == GITINDEX_OK)
		ix->list[ix->n++] = e;
	return rc;
}

static enum gitindex_result all_entries(struct reader *r, struct gitindex *ix, size_t count)
{
	/* the smallest entry, so that a count cannot ask for more memory than the file is worth */
	if (count > (r->end - r->at) / (STAT_LEN + r->idlen + 2))
		return bad(r, "it has fewer entries than it says");
	ix->list = malloc((count + 1) * sizeof(*ix->list));
	if (ix->list == NULL) {
		*r->why = "no memory";
		return GITINDEX_LIMIT;
	}
	for (size_t i = 0; i < count; i++) {
		enum gitindex_result rc = one_entry(r, ix);

		if (rc != GITINDEX_OK)
			return rc;
	}
	for (size_t i = 0; ix->version == 4 && i < count; i++)
		ix->list[i].path = (const char *)buf_data(&ix->names) + (size_t)(uintptr_t)ix->list[i].path;
	return GITINDEX_OK;
}

/* TREE: name NUL, entry count in ASCII (-1: changed since), number of subtrees, and unless -1 the id. Only
 * the first, the root's, is of interest. */
static bool tree_root(struct gitindex *ix, struct span ext, size_t idlen)
{
	ptrdiff_t nul = span_chr(ext, '\0'), line = span_chr(ext, '\n');
	int64_t count, subtrees;

	if (ext.n == 0)
		return true;
	if (nul != 0 || line < 0)
		return false;
	struct span numbers = span_sub(ext, 1, (size_t)line - 1), first;
	if (!span_cut(&numbers, ' ', &first) || !span_i64(first, &count) || !span_i64(numbers, &subtrees) ||
	    count < -1 || subtrees < 0)
		return false;
	ix->root = GITINDEX_ROOT_INVALID;
	ix->root_id = NULL;
	if (count < 0)
		return true;
	if (ext.n - (size_t)line - 1 < idlen)
		return false;
	ix->root = GITINDEX_ROOT_VALID;
	ix->root_id = (const uint8_t *)ext.p + line + 1;
	return true;
}

static enum gitindex_result extension(struct reader *r, struct gitindex *ix, const char *name,
    struct span ext)
{
	if (memcmp(name, "TREE", 4) == 0)
		return tree_root(ix, ext, r->idlen) ? GITINDEX_OK : bad(r, "its TREE extension is malformed");
	if (memcmp(name, "sdir", 4) == 0) {
		ix->sparse = true;
		return GITINDEX_OK;
	}
	if (memcmp(name, "link", 4) == 0) {
		if (ext.n < r->idlen)
			return bad(r, "its link extension is cut off");
		/* of zeros: split in form, and whole all the same */
		if (!objid_is_zero((const uint8_t *)ext.p, ix->format)) {
			ix->shared_id = (const uint8_t *)ext.p;
			ix->bitmaps = span_sub(ext, r->idlen, ext.n);
		}
		return GITINDEX_OK;
	}
	if (name[0] >= 'A' && name[0] <= 'Z')
		return GITINDEX_OK;
	*r->why = "it has an extension that must be understood and is not known";
	return GITINDEX_EXTENSION;
}

static enum gitindex_result extensions(struct reader *r, struct gitindex *ix)
{
	while (r->at < r->end) {
		if (r->end - r->at < 8)
			return bad(r, "an extension is cut off");
		const char *name = (const char *)r->p + r->at;
		size_t n = be32(r->p + r->at + 4);
		r->at += 8;
		if (n > r->end - r->at)
			return bad(r, "an extension is cut off");
		enum gitindex_result rc = extension(r, ix, name, span_make(r->p + r->at, n));
		if (rc != GITINDEX_OK)
			return rc;
		r->at += n;
	}
	return GITINDEX_OK;
}

/* Order and paths. Entries without a path stand first in a split index, and only there. */
static enum gitindex_result check(struct reader *r, const struct gitindex *ix)
{
	const struct gitindex_entry *before = NULL;

	for (size_t i = 0; i < ix->n; i++) {
		const struct gitindex_entry *e = &ix->list[i];
		bool dir = gitindex_mode(e) == GITINDEX_DIR;

		if (e->len == 0 && ix->shared_id && !before)
			continue;
		if (e->len >= GITINDEX_PATH_MAX) {
			*r->why = "a path is too long";
			return GITINDEX_LIMIT;
		}
		if (!path_ok(e->path, e->len, dir) || (dir && !ix->sparse))
			return bad(r, "a path is not one that git writes");
		if (before && entry_cmp(before, e) >= 0)
			return bad(r, "its entries are not in order");
		before = e;
	}
	return GITINDEX_OK;
}

enum gitindex_result gitindex_parse(struct gitindex *ix, struct span file, enum objid_format f,
    const char **why)
{
	struct reader r = { .p = (const uint8_t *)file.p, .idlen = objid_len(f), .why = why };

	*ix = (struct gitindex){ .format = f };
	buf_init(&ix->names, GITINDEX_NAMES_MAX);
	*why = "";
	if (file.n < HEAD_LEN + r.idlen || memcmp(r.p, "DIRC", 4) != 0)
		return bad(&r, "it is not an index");
	ix->version = be32(r.p + 4);
	if (ix->version < 2 || ix->version > 4) {
		*why = "it is of another version than 2, 3 or 4";
		return GITINDEX_VERSION;
	}
	r.at = HEAD_LEN;
	r.end = file.n - r.idlen;
	enum gitindex_result rc = all_entries(&r, ix, be32(r.p + 8));
	if (rc == GITINDEX_OK)
		rc = extensions(&r, ix);
	return rc == GITINDEX_OK ? check(&r, ix) : rc;
}

void gitindex_free(struct gitindex *ix)
{
	free(ix->list);
	buf_free(&ix->names);
	ix->list = NULL;
	ix->n = 0;
}
