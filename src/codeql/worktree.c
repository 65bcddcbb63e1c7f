#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/ahead.h"
#include "codeql/gitobject.h"
#include "codeql/gitrefs.h"
#include "codeql/walk.h"
#include "codeql/worktree.h"

/* Of so few files the stat data are there before a child is. */
#define AHEAD_MIN 8192

static int walk_folder(struct walk *, struct level *, const struct gitattr_file *outer);

int worktree_refuse(struct fingerprint *fp, enum fingerprint_reason reason, struct span path,
    const char *detail)
{
	if (fp->reason == FP_USABLE) {
		fp->reason = reason;
		snprintf(fp->where, sizeof(fp->where), "%.*s%s%s", (int)path.n, path.p,
		    path.n && detail[0] ? ": " : "", detail);
	}
	return -1;
}

/* ---- entries that are not on disk ---- */

/* What acts on a scan although it is not on disk (the workflow: GitHub reads it elsewhere) counts with the id
 * that the index has; as a gitlink, which is just that, so that it is not taken for the file itself. */
static int missing(struct walk *w, struct level *l, const struct gitindex_entry *e)
{
	bool rightly = gitindex_mode(e) == GITINDEX_DIR || e->more & GITINDEX_SKIP;
	unsigned flags = rightly ? MANIFEST_TRACKED : MANIFEST_TRACKED | MANIFEST_DIRTY;
	size_t len = w->len, skip = len - l->part->at;
	int rc = 0;

	if (!walk_push(w, e->path + skip, e->len - skip))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	w->fp->counts.absent += rightly;
	if (walk_acts_unseen(w))
		rc = walk_emit(w, MANIFEST_GITLINK, flags, gitindex_id(e));
	else if (!rightly)
		rc = walk_emit(w, gitindex_mode(e), flags | MANIFEST_GONE, gitindex_id(e));
	w->len = len;
	return rc;
}

/* The first entry from `next` on that is not below the folder that is pushed. */
static size_t below_until(const struct walk *w, const struct level *l)
{
	size_t n = w->len - l->part->at, low = l->next, step = 1, high;
	const struct gitindex_entry *list = l->part->index->list;
	const char *prefix = w->path + l->part->at;

	for (;;) {
		high = low + step < l->end ? low + step : l->end;
		if (high == l->end || list[high].len < n || str_bytes(list[high].path, prefix, n) != 0)
			break;
		low = high;
		step *= 2;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list[mid].len >= n && str_bytes(list[mid].path, prefix, n) == 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- submodules ---- */

/* Does what is checked out there differ from the commit that the gitlink names? */
static bool other_commit(struct walk *w, const struct gitrepo *sub, const uint8_t *id)
{
	struct gitrefs_head h;
	uint8_t at[OBJID_MAX];
	size_t n = objid_len(w->hash.format);

	gitrefs_head(sub, &h);
	return !hex_decode(at, n, span_of(h.commit)) || memcmp(at, id, n) != 0;
}

static int find_sub(struct walk *w, struct gitrepo *sub)
{
	struct gitrepo_home home = { w->opt->home, w->opt->xdg_config };
	enum fingerprint_reason reason;
	char path[PATH_MAX];
	const char *where;

	if (snprintf(path, sizeof(path), "%s/%.*s", w->root, (int)w->len, w->path) >= (int)sizeof(path))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	if (gitrepo_find(sub, path, false, &home, &reason, &where, NULL) < 0)
		return walk_refuse(w, FP_UNREADABLE, "it cannot be opened");
	if (reason == FP_USABLE && sub->gitdir[0] && sub->format != w->hash.format) {
		reason = FP_FORMAT;
		where = "the submodule's object format is another one";
	}
	return reason == FP_USABLE ? 0 : walk_refuse(w, reason, where);
}

/* The record of a gitlink. What is in its folder comes when the folder does. */
static int gitlink(struct walk *w, struct level *l, const struct gitindex_entry *e)
{
	size_t len = w->len, skip = len - l->part->at;
	struct span name = span_make(e->path + skip, e->len - skip);
	unsigned flags = MANIFEST_TRACKED;
	struct dirlist_name found;
	int rc = 0;

	if (!walk_push(w, name.p, name.n))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	if (!dirlist_find(&w->names, &l->names, name, true, &found)) {
		flags |= e->more & GITINDEX_SKIP ? 0 : MANIFEST_DIRTY;
	} else {
		struct gitrepo *sub = malloc(sizeof(*sub));

		rc = sub ? find_sub(w, sub) : walk_no_memory(w);
		if (rc == 0 && sub->gitdir[0] && other_commit(w, sub, gitindex_id(e)))
			flags |= MANIFEST_DIRTY;
		free(sub);
	}
	if (rc == 0)
		rc = walk_emit(w, MANIFEST_GITLINK, flags, gitindex_id(e));
	w->len = len;
	return rc;
}

static struct gitattr_file *attributes_at(int dir, const char *path, const struct gitattr_file *outer)
{
	struct buf text;
	struct gitattr_file *f;

	buf_init(&text, GITATTR_FILE_MAX);
	int rc = dir == AT_FDCWD ? file_read(path, GITATTR_FILE_MAX, true, &text, NULL)
				 : file_read_at(dir, path, GITATTR_FILE_MAX, &text, NULL, NULL);
	if (rc == 0 || rc == ERR_NOTFOUND)
		f = gitattr_parse(buf_span(&text), span_of(""), outer);
	else
		f = gitattr_unsure(outer);
	buf_free(&text);
	return f;
}

static int part_open(struct part *p)
{
	char path[PATH_MAX];

	if (p->index == NULL)
		return 0;
	p->system = attributes_at(AT_FDCWD, "/etc/gitattributes", NULL);
	p->user = p->repo->attributes[0] ? attributes_at(AT_FDCWD, p->repo->attributes, p->system)
					 : gitattr_parse(span_of(""), span_of(""), p->system);
	if (snprintf(path, sizeof(path), "%s/info/attributes", p->repo->common) < (int)sizeof(path))
		p->info = attributes_at(AT_FDCWD, path, NULL);
	return p->system && p->user && p->info ? 0 : -1;
}

static void part_close(struct part *p)
{
	gitattr_free(p->user);
	gitattr_free(p->system);
	gitattr_free(p->info);
}

/* May a file be as attributes made it that are neither on disk nor in the index, or of another blob? Not
 * where HEAD's commit is all that was ever checked out here. */
static bool may_be_stale(const struct part *p)
{
	const struct gitindex *ix = p->index;
	char objects[PATH_MAX], tree[OBJID_HEX_MAX];
	struct gitrefs_head head;
	uint8_t id[OBJID_MAX];
	size_t n;

	if (ix == NULL)
		return false;
	n = objid_len(ix->format);
	gitrefs_head(p->repo, &head);
	return gitrefs_moved(p->repo) || gitrefs_replaced(p->repo) || ix->root != GITINDEX_ROOT_VALID ||
	    snprintf(objects, sizeof(objects), "%s/objects", p->repo->common) >= (int)sizeof(objects) ||
	    !gitobject_tree(objects, ix->format, head.commit, tree) || !hex_decode(id, n, span_of(tree)) ||
	    memcmp(id, ix->root_id, n) != 0;
}

/* Walk one repository whose root is the folder `fd`, which is closed. */
static int walk_part(struct walk *w, struct part *p, int fd)
{
	struct level l = { .part = p, .fd = fd, .end = p->index ? p->index->n : 0 };
	int rc;

	p->at = w->len;
	p->read_plain = w->opt->read_plain || may_be_stale(p);
	if (part_open(p) < 0) {
		close(fd);
		rc = walk_no_memory(w);
	} else {
		rc = walk_folder(w, &l, p->user);
	}
	part_close(p);
	return rc;
}

struct sub {
	struct gitrepo repo;
	struct indexfile file;
};

static int walk_sub(struct walk *w, struct level *l, int fd)
{
	struct sub *s = calloc(1, sizeof(*s));
	struct span where = span_of("");
	enum fingerprint_reason reason = FP_USABLE;
	int rc = -1;

	w->len--;
	if (s == NULL || find_sub(w, &s->repo) < 0) {
		if (s == NULL)
			walk_no_memory(w);
		close(fd);
		goto out;
	}
	w->path[w->len++] = '/';
	if (s->repo.gitdir[0] == '\0') {
		/* not checked out: what is there all the same is nobody's */
		struct level inner = { .part = l->part, .fd = fd };

		rc = walk_folder(w, &inner, l->attrs);
		goto out;
	}
	if (indexfile_read(&s->file, &s->repo, &reason, &where, w->err) == 0 && reason == FP_USABLE) {
		struct part p = { .repo = &s->repo, .index = &s->file.index, .file = &s->file };

		rc = walk_part(w, &p, fd);
	} else {
		char detail[256];

		close(fd);
		if (reason != FP_USABLE && span_copy(detail, sizeof(detail), where))
			walk_refuse(w, reason, detail);
	}
	indexfile_free(&s->file);
out:
	free(s);
	return rc;
}

/* ---- one name ---- */

static bool is_ignored(struct walk *w, bool folder)
{
	/* where nothing is known to be untracked, nothing is left out */
	if (!w->fp->indexed)
		return false;
	for (size_t i = 0; i < w->opt->nignore; i++)
		if ((folder || !w->ignore[i].folder) && wild_match(&w->ignore[i], walk_path(w)) == WILD_YES)
			return true;
	return false;
}

static int enter(struct walk *w, struct level *l, const char *name, size_t until, bool sub)
{
	int fd = openat(l->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return errno == ENOENT ? walk_refuse(w, FP_CHANGING, "it changes while it is read")
				       : walk_refuse_errno(w);
	if (w->depth >= WORKTREE_DEPTH_MAX) {
		close(fd);
		return walk_refuse(w, FP_LIMIT, "folders are nested too deep");
	}
	w->path[w->len++] = '/';
	w->depth++;
	if (sub) {
		rc = walk_sub(w, l, fd);
	} else {
		struct level inner = { .part = l->part, .fd = fd, .next = l->next, .end = until };

		rc = walk_folder(w, &inner, l->attrs);
	}
	w->depth--;
	return rc;
}

/* Is the folder that is pushed (without its '/') a gitlink of the index? */
static bool is_gitlink(const struct walk *w, const struct part *p)
{
	struct span path = span_make(w->path + p->at, w->len - p->at);
	size_t low = 0, high = p->index ? p->index->n : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct gitindex_entry *e = &p->index->list[mid];
		int c = span_cmp(span_make(e->path, e->len), path);

		if (c == 0)
			return gitindex_mode(e) == MANIFEST_GITLINK;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static int untracked(struct walk *w, struct level *l, struct dirlist_name n)
{
	size_t len = w->len;
	const char *name = dirlist_text(&w->names, n);
	struct subject s = { .name = name };
	int rc = 0;

	if (!walk_push(w, name, n.len))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	bool folder = n.type == DT_DIR, sub = folder && is_gitlink(w, l->part);
	if (!sub && is_ignored(w, folder))
		w->fp->counts.ignored++;
	else if (folder)
		rc = enter(w, l, name, l->next, sub);
	else if (n.type != DT_UNKNOWN && fstatat(l->fd, name, &s.st, AT_SYMLINK_NOFOLLOW) < 0)
		rc = errno == ENOENT ? 0 : walk_refuse_errno(w);
	else if (S_ISREG(s.st.st_mode) || S_ISLNK(s.st.st_mode))
		rc = walk_take_file(w, l, &s, len);
	w->len = len;
	/* one that has gone meanwhile is not there; a socket or a pipe is nothing to scan */
	return rc > 0 ? 0 : rc;
}

static int stat_entry(const struct level *l, const struct gitindex_entry *e, const char *name,
    struct stat *st)
{
	const struct part *p = l->part;

	return p->ahead && ahead_stat(p->ahead, (size_t)(e - p->index->list), st)
	    ? 0 : fstatat(l->fd, name, st, AT_SYMLINK_NOFOLLOW);
}

static int tracked(struct walk *w, struct level *l, struct dirlist_name n, const struct gitindex_entry *e)
{
	struct subject s = { .name = dirlist_text(&w->names, n), .entry = e };
	size_t len = w->len;
	int rc = 1;

	if (!walk_push(w, s.name, n.len))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	if (stat_entry(l, e, s.name, &s.st) < 0)
		rc = errno == ENOENT ? 1 : walk_refuse_errno(w);
	else if (S_ISREG(s.st.st_mode) || S_ISLNK(s.st.st_mode))
		rc = walk_take_file(w, l, &s, len);
	w->len = len;
	return rc > 0 ? missing(w, l, e) : rc;
}

/* ---- one folder ---- */

/* The part of the next entry's path that lies in this folder, and whether that is a folder. */
static struct span component(const struct walk *w, const struct level *l, bool *folder)
{
	const struct gitindex_entry *e = &l->part->index->list[l->next];
	size_t skip = w->len - l->part->at;
	const char *p = e->path + skip, *slash = memchr(p, '/', e->len - skip);

	*folder = slash != NULL;
	return span_make(p, slash ? (size_t)(slash - p) : e->len - skip);
}

/* The next entry has nothing on disk that is like it. */
static int entry_alone(struct walk *w, struct level *l, struct span part, bool folder)
{
	const struct gitindex_entry *list = l->part->index->list;
	size_t len = w->len, end;
	int rc = 0;

	if (!folder) {
		const struct gitindex_entry *e = &list[l->next++];

		return gitindex_mode(e) == MANIFEST_GITLINK ? gitlink(w, l, e) : missing(w, l, e);
	}
	if (!walk_push(w, part.p, part.n))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	w->path[w->len++] = '/';
	end = below_until(w, l);
	w->len = len;
	for (; rc == 0 && l->next < end; l->next++)
		rc = missing(w, l, &list[l->next]);
	return rc;
}

/* A name and an entry that are like each other. */
static int both(struct walk *w, struct level *l, struct dirlist_name n, bool folder)
{
	size_t len = w->len;

	if (!folder)
		return tracked(w, l, n, &l->part->index->list[l->next++]);
	const char *name = dirlist_text(&w->names, n);
	if (!walk_push(w, name, n.len))
		return walk_refuse(w, FP_LIMIT, "a path is too long");
	w->path[w->len] = '/';
	w->len++;
	size_t end = below_until(w, l);
	w->len--;
	int rc = enter(w, l, name, end, false);
	l->next = end;
	w->len = len;
	return rc;
}

static int step(struct walk *w, struct level *l)
{
	bool have_name = l->name < l->names.n, have_entry = l->next < l->end, folder = false;
	struct dirlist_name n = { 0 };
	struct span part = span_of("");
	int c = have_entry ? 1 : -1;

	if (have_name)
		n = dirlist_at(&w->names, &l->names, l->name);
	if (have_entry)
		part = component(w, l, &folder);
	if (have_name && have_entry)
		c = dirlist_cmp(span_make(dirlist_text(&w->names, n), n.len), n.type == DT_DIR, part, folder);
	if (c > 0)
		return entry_alone(w, l, part, folder);
	l->name++;
	return c == 0 ? both(w, l, n, folder) : untracked(w, l, n);
}

static bool in_index(const struct walk *w, const struct level *l, const char *name)
{
	const struct gitindex *ix = l->part->index;
	size_t skip = w->len - l->part->at;

	for (size_t i = l->next; i < l->end; i++) {
		struct span rest = span_make(ix->list[i].path + skip, ix->list[i].len - skip);

		if (span_eq(rest, name))
			return true;
		if (span_cmp(rest, span_of(name)) > 0)
			return false;
	}
	return false;
}

/* The folder's own .gitattributes before `outer`; NULL with *rc < 0: no memory. */
static struct gitattr_file *own_attributes(struct walk *w, struct level *l, const struct gitattr_file *outer,
    int *rc)
{
	static const char name[] = ".gitattributes";
	struct gitattr_file *f = NULL;
	struct dirlist_name n;
	struct buf text;

	if (l->part->index == NULL)
		return NULL;
	if (dirlist_find(&w->names, &l->names, span_of(name), false, &n)) {
		buf_init(&text, GITATTR_FILE_MAX);
		if (n.type == DT_REG && file_read_at(l->fd, name, GITATTR_FILE_MAX, &text, NULL, NULL) == 0)
			f = gitattr_parse(buf_span(&text),
			    span_make(w->path + l->part->at, w->len - l->part->at), outer);
		else
			f = gitattr_unsure(outer);
		buf_free(&text);
	} else if (in_index(w, l, name)) {
		/* git would take it from there */
		f = gitattr_unsure(outer);
	} else {
		return NULL;
	}
	if (f == NULL)
		*rc = walk_no_memory(w);
	return f;
}

static int walk_folder(struct walk *w, struct level *l, const struct gitattr_file *outer)
{
	struct gitattr_file *own = NULL;
	int rc = dirlist_push(&w->names, l->fd, &l->names);

	if (rc < 0) {
		rc = rc == ERR_IO ? walk_refuse_errno(w) : walk_no_memory(w);
		goto out;
	}
	/* a sparse folder's own entry, whose folder is there all the same */
	if (l->next < l->end && l->part->index->list[l->next].len == w->len - l->part->at) {
		w->fp->counts.absent++;
		l->next++;
	}
	own = own_attributes(w, l, outer, &rc);
	l->attrs = own ? own : outer;
	while (rc == 0 && (l->name < l->names.n || l->next < l->end))
		rc = step(w, l);
	gitattr_free(own);
out:
	dirlist_pop(&w->names, &l->names);
	close(l->fd);
	return rc;
}

/* ---- all of it ---- */

static int compile_ignore(struct walk *w)
{
	w->ignore = calloc(w->opt->nignore + 1, sizeof(*w->ignore));
	if (w->ignore == NULL)
		return walk_no_memory(w);
	for (size_t i = 0; i < w->opt->nignore; i++)
		wild_init(&w->ignore[i], span_of(w->opt->ignore[i]));
	return 0;
}

int worktree_walk(const struct fingerprint_options *opt, const struct gitrepo *repo,
    const struct indexfile *index, struct fingerprint *fp, struct err *err)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct part p = { .repo = repo, .index = index ? &index->index : NULL, .file = index };
	struct err own;
	int rc = ERR_INTERNAL;

	if (w == NULL)
		return err_set(err, ERR_INTERNAL, "no memory");
	err_init(&own);
	*w = (struct walk){ .opt = opt, .fp = fp, .err = &own, .root = repo->root, .top = -1 };
	deny_init(&w->deny, opt->languages, opt->nlanguages, opt->built);
	if (dirlist_init(&w->names) < 0 || filehash_init(&w->hash, fp->format) < 0 || compile_ignore(w) < 0) {
		walk_no_memory(w);
		goto out;
	}
	w->top = open(repo->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = w->top < 0 ? -1 : fcntl(w->top, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		err_sys(&own, ERR_IO, "opening %s", repo->root);
		goto out;
	}
	if (p.index && p.index->n >= AHEAD_MIN && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		p.ahead = ahead_begin(w->top, p.index);
	walk_part(w, &p, fd);
	ahead_end(p.ahead);
	if (w->links) {		/* an extractor may read any file under another name */
		manifest_undeny(fp->manifest);
		fp->counts.denied = 0;
	}
	fp->counts.read_bytes = w->hash.bytes;
out:
	rc = own.cls ? err_set(err, own.cls, "%s", own.msg) : 0;
	if (w->top >= 0)
		close(w->top);
	dirlist_free(&w->names);
	filehash_free(&w->hash);
	free(w->ignore);
	free(w);
	return rc;
}
