#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "codeql/treelink.h"
#include "codeql/walk.h"
#include "codeql/worktree.h"

struct span walk_path(const struct walk *w)
{
	return span_make(w->path, w->len);
}

int walk_refuse(struct walk *w, enum fingerprint_reason reason, const char *detail)
{
	return worktree_refuse(w->fp, reason, walk_path(w), detail);
}

int walk_refuse_errno(struct walk *w)
{
	return walk_refuse(w, FP_UNREADABLE, strerror(errno));
}

int walk_no_memory(struct walk *w)
{
	err_set(w->err, ERR_INTERNAL, "no memory for the list of files in %s", w->root);
	return -1;
}

bool walk_push(struct walk *w, const char *name, size_t n)
{
	if (w->len + n + 2 > sizeof(w->path))
		return false;
	memcpy(w->path + w->len, name, n);
	w->len += n;
	return true;
}

/* ---- records ---- */

static bool always_counts(const struct walk *w)
{
	struct span path = walk_path(w);

	for (size_t i = 0; i < w->opt->nalways; i++) {
		const char *text = w->opt->always[i];
		struct span one = span_of(text[0] == '.' && text[1] == '/' ? text += 2 : text);

		if (span_same(path, one) || (span_ends(one, "/") && span_starts(path, text)))
			return true;
	}
	return false;
}

bool walk_acts_unseen(const struct walk *w)
{
	struct span path = walk_path(w);

	if (span_starts(path, ".github/") || always_counts(w))
		return true;
	for (size_t i = 0; span_ends(path, "/") && i < w->opt->nalways; i++) {
		const char *one = w->opt->always[i];

		if (span_same(span_sub(span_of(one[0] == '.' && one[1] == '/' ? one + 2 : one), 0, path.n),
			path))
			return true;
	}
	return false;
}

int walk_emit(struct walk *w, uint32_t mode, unsigned flags, const uint8_t *id)
{
	struct fingerprint_counts *n = &w->fp->counts;

	if (deny_path(&w->deny, walk_path(w), mode) && !always_counts(w))
		flags |= MANIFEST_DENIED;
	struct manifest_rec r = { .path = walk_path(w), .mode = mode, .flags = flags, .id = id };
	int rc = manifest_add(w->fp->manifest, &r);
	if (rc == ERR_INTERNAL)
		return walk_no_memory(w);
	if (rc < 0)
		return walk_refuse(w, rc == ERR_LIMIT ? FP_LIMIT : FP_DAMAGED, "its path cannot be listed");
	n->dirty += (flags & MANIFEST_DIRTY) != 0;
	if (flags & MANIFEST_GONE)
		return 0;
	n->files++;
	w->links |= mode == MANIFEST_LINK;
	n->tracked += (flags & MANIFEST_TRACKED) != 0;
	n->untracked += !(flags & MANIFEST_TRACKED);
	n->denied += (flags & MANIFEST_DENIED) != 0;
	return 0;
}

/* ---- one file ---- */

static void find_conversion(struct level *l, struct walk *w, struct subject *s)
{
	const struct part *p = l->part;
	struct gitattr a = { 0 };

	if (p->index == NULL)
		return;
	if (!gitattr_empty(p->info) || !gitattr_empty(l->attrs))
		gitattr_look(p->info, l->attrs, span_make(w->path + p->at, w->len - p->at), &a);
	convert_init(&s->convert, p->repo, &a);
}

/* Read it. 1: it has gone; 0; -1. */
static int read_file(struct walk *w, struct level *l, struct subject *s)
{
	w->fp->counts.read++;
	switch (filehash_file(&w->hash, l->fd, s->name, &s->st, s->id)) {
	case FILEHASH_OK:
		return 0;
	case FILEHASH_GONE:
		return 1;
	case FILEHASH_UNREADABLE:
		return walk_refuse_errno(w);
	case FILEHASH_CHANGING:
		break;
	}
	return walk_refuse(w, FP_CHANGING, "it changes while it is read");
}

struct linking {
	const struct walk *w;
	const struct part *part;
};

static bool in_part(const struct linking *l, struct span path)
{
	size_t at = l->part->at, n = path.n - at;

	if (l->part->index == NULL || path.n <= at || memcmp(path.p, l->w->path, at) != 0)
		return false;
	for (size_t i = 0; i < l->part->index->n; i++) {
		const struct gitindex_entry *e = &l->part->index->list[i];

		if (e->len >= n && memcmp(e->path, path.p + at, n) == 0 &&
		    (e->len == n || e->path[n] == '/'))
			return true;
	}
	return false;
}

/* What --ignore-untracked leaves out, or would if it were there, no link may name. */
static bool is_left_out(void *arg, struct span path)
{
	const struct walk *w = ((struct linking *)arg)->w;

	for (size_t i = 0; w->fp->indexed && i < w->opt->nignore; i++)
		if (wild_match(&w->ignore[i], path) != WILD_NO)
			return !in_part(arg, path);
	return false;
}

static int read_link(struct walk *w, struct level *l, struct subject *s, size_t folder)
{
	struct linking here = { w, l->part };
	char target[MANIFEST_PATH_MAX];
	ssize_t n = readlinkat(l->fd, s->name, target, sizeof(target));

	if (n < 0)
		return errno == ENOENT ? 1 : walk_refuse(w, FP_CHANGING, "it changes while it is read");
	if ((size_t)n == sizeof(target) ||
	    treelink_leaves(w->top, span_make(w->path, folder), span_make(target, (size_t)n), is_left_out,
		&here))
		return walk_refuse(w, FP_LINK_OUT,
		    "the link leads out of the tree, or to what may be left out");
	objid_blob(s->id, w->hash.format, target, (size_t)n);
	return 0;
}

static uint32_t mode_of(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return MANIFEST_LINK;
	return st->st_mode & S_IXUSR ? MANIFEST_EXEC : MANIFEST_FILE;
}

/* Would `git status` list it? */
static bool is_dirty(struct walk *w, struct level *l, struct subject *s)
{
	uint32_t mode = gitindex_mode(s->entry);
	bool file = S_ISREG(mode) && S_ISREG(s->mode);

	if (mode != s->mode && !(file && !l->part->repo->filemode))
		return true;
	if (!file)
		return memcmp(s->id, gitindex_id(s->entry), objid_len(w->hash.format)) != 0;
	return !filehash_same(&w->hash, l->fd, s->name, &s->convert, s->id, gitindex_id(s->entry));
}

/* Id and flags of what is on disk. The path is pushed; `folder` is its length without the name. */
int walk_take_file(struct walk *w, struct level *l, struct subject *s, size_t folder)
{
	bool link = S_ISLNK(s->st.st_mode), fresh = false;
	unsigned flags = 0;
	int rc = 0;

	if (s->entry) {
		flags = MANIFEST_TRACKED;
		fresh = !w->opt->read_all && indexfile_fresh(l->part->file, s->entry, &s->st);
		if (!link)
			find_conversion(l, w, s);
		/* The bytes may be what attributes made of them that are gone. */
		if (!s->convert.any && l->part->read_plain)
			fresh = false;
	}
	if (s->convert.any)
		flags |= MANIFEST_BYTES;
	if (link)
		rc = read_link(w, l, s, folder);
	else if (fresh && !s->convert.any)
		memcpy(s->id, gitindex_id(s->entry), objid_len(w->hash.format));
	else
		rc = read_file(w, l, s);
	if (rc != 0)
		return rc;
	s->mode = mode_of(&s->st);
	if (s->entry && !fresh && is_dirty(w, l, s))
		flags |= MANIFEST_DIRTY;
	return walk_emit(w, s->mode, flags, s->id);
}
