#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/gitrefs.h"

#define SYMREF_DEPTH 5		/* git's own limit */
#define LOOSE_MAX ((size_t)4096)
#define REFLOG_MAX ((size_t)65536)	/* a longer one is of a tree that lives long */

static bool is_id(struct span s, enum objid_format f)
{
	return s.n == 2 * objid_len(f) && hex_is(s, false);
}

bool gitrefs_packed(struct span text, struct span name, enum objid_format f, char out[static OBJID_HEX_MAX])
{
	size_t hex = 2 * objid_len(f);
	struct span line;

	while (span_cut(&text, '\n', &line))
		if (line.n == hex + 1 + name.n && line.p[hex] == ' ' &&
		    span_same(span_sub(line, hex + 1, name.n), name) && is_id(span_sub(line, 0, hex), f))
			return span_copy(out, OBJID_HEX_MAX, span_sub(line, 0, hex));
	return false;
}

/* A name that git makes; above all, one that stays in its folder. */
static bool name_ok(struct span name)
{
	struct span part, rest = name;

	if (!span_starts(name, "refs/") || name.n >= GITREFS_NAME_MAX || name.p[name.n - 1] == '/')
		return false;
	while (span_cut(&rest, '/', &part))
		if (part.n == 0 || part.p[0] == '.' || span_find(part, "..") >= 0)
			return false;
	return memchr(name.p, 0, name.n) == NULL;
}

static bool read_small(const char *dir, const char *name, size_t max, struct buf *out)
{
	char path[PATH_MAX];

	buf_clear(out);
	return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) &&
	    file_read(path, max, true, out, NULL) == 0;
}

/* Refs of one work tree alone; all others are shared. */
static const char *home_of(const struct gitrepo *r, const char *name)
{
	struct span s = span_of(name);
	bool own = !span_starts(s, "refs/") || span_starts(s, "refs/bisect/") ||
	    span_starts(s, "refs/worktree/") || span_starts(s, "refs/rewritten/");

	return own ? r->gitdir : r->common;
}

/* One step: an id (1), another name in `name` (0), neither (-1). */
static int step(const struct gitrepo *r, char name[static GITREFS_NAME_MAX],
    char commit[static OBJID_HEX_MAX], struct buf *text)
{
	if (!read_small(home_of(r, name), name, LOOSE_MAX, text)) {
		if (read_small(r->common, "packed-refs", GITREFS_PACKED_MAX, text) &&
		    gitrefs_packed(buf_span(text), span_of(name), r->format, commit))
			return 1;
		return -1;
	}
	struct span s = buf_span(text), line;
	if (!span_cut(&s, '\n', &line))
		return -1;
	line = span_trim(line);
	if (is_id(line, r->format))
		return span_copy(commit, OBJID_HEX_MAX, line) ? 1 : -1;
	if (!span_starts(line, "ref:"))
		return -1;
	line = span_trim(span_sub(line, 4, line.n));
	return name_ok(line) && span_copy(name, GITREFS_NAME_MAX, line) ? 0 : -1;
}

void gitrefs_head(const struct gitrepo *r, struct gitrefs_head *h)
{
	char name[GITREFS_NAME_MAX] = "HEAD";
	struct buf text;

	*h = (struct gitrefs_head){ .reftable = r->reftable };
	if (r->gitdir[0] == '\0' || r->reftable)
		return;
	buf_init(&text, GITREFS_PACKED_MAX);
	for (int i = 0; i <= SYMREF_DEPTH; i++) {
		int rc = step(r, name, h->commit, &text);

		if (rc == 0)
			snprintf(h->ref, sizeof(h->ref), "%s", name);
		if (rc != 0)
			break;
	}
	buf_free(&text);
}

/* "OLD NEW who when\tmessage", a line a move; OLD of the first is zeros unless older lines have expired. */
bool gitrefs_moved(const struct gitrepo *r)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	size_t hex = 2 * objid_len(r->format);
	struct gitrefs_head head;
	struct span line, rest, first;
	bool moved = true;
	struct buf text;

	gitrefs_head(r, &head);
	first = span_of(head.commit);
	buf_init(&text, REFLOG_MAX);
	if (first.n == hex && read_small(r->gitdir, "logs/HEAD", REFLOG_MAX, &text)) {
		rest = buf_span(&text);
		moved = rest.n < hex || memcmp(rest.p, zeros, hex) != 0;
		while (!moved && rest.n > 0 && span_cut(&rest, '\n', &line))
			moved = !span_same(span_sub(line, hex + 1, hex), first);
	}
	buf_free(&text);
	return moved;
}

bool gitrefs_replaced(const struct gitrepo *r)
{
	char path[PATH_MAX];
	struct buf text;
	bool is = snprintf(path, sizeof(path), "%s/refs/replace", r->common) >= (int)sizeof(path) ||
	    access(path, F_OK) == 0;

	buf_init(&text, GITREFS_PACKED_MAX);
	if (!is && read_small(r->common, "packed-refs", GITREFS_PACKED_MAX, &text))
		is = span_find(buf_span(&text), " refs/replace/") >= 0;
	buf_free(&text);
	return is;
}
