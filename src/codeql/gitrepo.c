#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "codeql/gitconfig.h"
#include "codeql/gitrepo.h"

#define INCLUDE_DEPTH 10
#define LINE_MAX_LEN ((size_t)PATH_MAX + 64)

/* dir + "/" + name, or name alone if it is absolute. False: too long. */
static bool join(char out[static PATH_MAX], const char *dir, struct span name)
{
	bool absolute = name.n > 0 && name.p[0] == '/';
	int n = snprintf(out, PATH_MAX, "%s%s%.*s", absolute ? "" : dir, absolute ? "" : "/", (int)name.n,
	    name.p);

	return n > 0 && n < PATH_MAX && !memchr(name.p, 0, name.n);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The one line of a small file, without its end. False: there is none. */
static bool read_line(const char *dir, const char *name, char out[static LINE_MAX_LEN])
{
	char path[PATH_MAX];
	struct buf text;

	buf_init(&text, LINE_MAX_LEN);
	bool ok = join(path, dir, span_of(name)) && file_read(path, LINE_MAX_LEN - 1, true, &text, NULL) == 0;
	struct span line = buf_span(&text);
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	ok = ok && span_copy(out, LINE_MAX_LEN, line);
	buf_free(&text);
	return ok;
}

/* HEAD, and objects or a commondir that has them: what git takes for a repository. */
static bool looks_right(struct gitrepo *r, const char *gitdir)
{
	char path[PATH_MAX], line[LINE_MAX_LEN];
	struct stat st;

	if (!join(path, gitdir, span_of("HEAD")) || lstat(path, &st) < 0)
		return false;
	if (!read_line(gitdir, "commondir", line))
		snprintf(r->common, sizeof(r->common), "%s", gitdir);
	else if (!join(r->common, gitdir, span_of(line)))
		return false;
	return join(path, r->common, span_of("objects")) && is_dir(path);
}

/* `.git` in `dir`. False: there is none at all. */
static bool look_in(struct gitrepo *r, const char *dir)
{
	char dot[PATH_MAX], line[LINE_MAX_LEN], to[PATH_MAX];
	struct stat st;

	if (!join(dot, strcmp(dir, "/") == 0 ? "" : dir, span_of(".git")) || stat(dot, &st) < 0)
		return false;
	snprintf(r->root, sizeof(r->root), "%s", dir);
	r->gitdir[0] = '\0';
	if (S_ISDIR(st.st_mode)) {
		snprintf(to, sizeof(to), "%s", dot);
	} else {
		if (!read_line(dir, ".git", line) || !span_starts(span_of(line), "gitdir: ") ||
		    !join(to, dir, span_of(line + strlen("gitdir: "))))
			return true;
	}
	if (looks_right(r, to))
		snprintf(r->gitdir, sizeof(r->gitdir), "%s", to);
	return true;
}

/* ---- settings ---- */

struct reading {
	struct gitrepo *r;
	const struct gitrepo_home *home;
	const char *dir;		/* of the file being read, for relative includes */
	bool own;			/* the repository's: only there are extensions believed */
	bool conditional;
	int depth;
	int version;
	bool unknown_extension, worktree_config, bad_format;
	char worktree[PATH_MAX];	/* core.worktree */
};

static void read_config(struct reading *, const char *path);

/* A path of a setting: "~/" is the user's home. */
static bool expand(struct reading *g, struct span v, char out[static PATH_MAX])
{
	if (v.n == 0)
		return false;
	if (v.p[0] != '~')
		return join(out, g->dir, v);
	return v.n > 1 && v.p[1] == '/' && g->home->home && join(out, g->home->home, span_sub(v, 2, v.n));
}

static void include(struct reading *g, const struct gitconfig_var *v)
{
	char path[PATH_MAX], dir[PATH_MAX];
	struct reading was = *g;

	if (v->value.p == NULL || g->depth >= INCLUDE_DEPTH || !expand(g, v->value, path)) {
		g->r->unsure = true;
		return;
	}
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	g->dir = dir;
	g->depth++;
	g->conditional = g->conditional || span_ieq(v->section, "includeif");
	read_config(g, path);
	g->dir = was.dir;
	g->depth = was.depth;
	g->conditional = was.conditional;
}

static void on_crlf(struct reading *g, struct span v)
{
	enum gitrepo_crlf now = span_ieq(v, "input") ? CRLF_INPUT
	    : gitconfig_bool(v, true) ? CRLF_TRUE : CRLF_FALSE;

	/* where a condition would decide, the files are read */
	if (g->conditional)
		g->r->unsure = g->r->unsure || now != g->r->autocrlf;
	else
		g->r->autocrlf = now;
}

/* Any other path git takes from where it runs, or by rules of its newer versions. */
static bool rooted(struct span path)
{
	return path.n > 0 && (path.p[0] == '/' || path.p[0] == '~');
}

static void on_core(struct reading *g, const struct gitconfig_var *v)
{
	struct gitrepo *r = g->r;

	if (span_ieq(v->key, "autocrlf"))
		on_crlf(g, v->value);
	else if (span_ieq(v->key, "eol"))
		r->crlf_eol = v->value.p && span_ieq(v->value, "crlf");
	else if (span_ieq(v->key, "filemode"))
		r->filemode = gitconfig_bool(v->value, true);
	else if (span_ieq(v->key, "attributesfile"))
		r->unsure = r->unsure || g->conditional || !rooted(v->value) ||
		    !expand(g, v->value, r->attributes);
	else if (span_ieq(v->key, "ignorecase"))	/* our patterns have a case */
		r->unsure = r->unsure || gitconfig_bool(v->value, true);
	else if (span_ieq(v->key, "worktree") && v->value.p && g->own)
		g->bad_format |= !join(g->worktree, r->gitdir, v->value);
	else if (span_ieq(v->key, "repositoryformatversion") && g->own)
		g->version = span_eq(v->value, "0") ? 0 : span_eq(v->value, "1") ? 1 : 2;
}

static void on_extension(struct reading *g, const struct gitconfig_var *v)
{
	static const char *const harmless[] = { "noop", "noop-v1", "partialclone", "preciousobjects",
		"relativeworktrees", "compatobjectformat" };

	if (span_ieq(v->key, "objectformat")) {
		g->bad_format |= !span_eq(v->value, "sha1") && !span_eq(v->value, "sha256");
		g->r->format = span_eq(v->value, "sha256") ? OBJID_SHA256 : OBJID_SHA1;
		return;
	}
	if (span_ieq(v->key, "refstorage")) {
		g->r->reftable = !span_eq(v->value, "files");
		return;
	}
	if (span_ieq(v->key, "worktreeconfig")) {
		g->worktree_config = gitconfig_bool(v->value, false);
		return;
	}
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (span_ieq(v->key, harmless[i]))
			return;
	g->unknown_extension = true;
}

static void on_variable(void *ctx, const struct gitconfig_var *v)
{
	struct reading *g = ctx;

	if ((span_ieq(v->section, "include") || span_ieq(v->section, "includeif")) &&
	    span_ieq(v->key, "path")) {
		struct gitconfig_var copy = *v;
		char path[GITCONFIG_VALUE_MAX + 1];

		/* the value is the parser's, which runs again for the included file */
		if (v->value.p && span_copy(path, sizeof(path), v->value))
			copy.value = span_of(path);
		include(g, &copy);
	} else if (span_ieq(v->section, "core") && v->sub.n == 0) {
		on_core(g, v);
	} else if (span_ieq(v->section, "attr") && span_ieq(v->key, "tree")) {
		g->r->unsure = true;
	} else if (span_ieq(v->section, "extensions") && v->sub.n == 0 && g->own) {
		on_extension(g, v);
	}
}

static void read_config(struct reading *g, const char *path)
{
	struct buf text;

	buf_init(&text, GITCONFIG_FILE_MAX);
	int rc = file_read(path, GITCONFIG_FILE_MAX, true, &text, NULL);
	if (rc == 0 && !gitconfig_each(buf_span(&text), on_variable, g)) {
		g->r->unsure = true;
		g->bad_format |= g->own;
	} else if (rc < 0 && rc != ERR_NOTFOUND) {
		g->r->unsure = true;
		g->bad_format |= g->own;
	}
	buf_free(&text);
}

static void read_below(struct reading *g, const char *dir, const char *name)
{
	char path[PATH_MAX], folder[PATH_MAX];

	if (dir == NULL || dir[0] == '\0' || !join(path, dir, span_of(name)))
		return;
	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	g->dir = folder;
	read_config(g, path);
}

static void read_users(struct reading *g)
{
	char xdg[PATH_MAX] = "", path[PATH_MAX];
	const char *home = g->home->home;

	if (g->home->xdg_config && g->home->xdg_config[0])
		snprintf(xdg, sizeof(xdg), "%s", g->home->xdg_config);
	else if (home && !join(xdg, home, span_of(".config")))
		xdg[0] = '\0';
	if (xdg[0] && join(path, xdg, span_of("git/attributes")))
		snprintf(g->r->attributes, sizeof(g->r->attributes), "%s", path);
	read_below(g, "/etc", "gitconfig");
	read_below(g, xdg, "git/config");
	read_below(g, home, ".gitconfig");
}

static bool same_folder(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static enum fingerprint_reason read_settings(struct gitrepo *r, const struct gitrepo_home *home,
    const char **where)
{
	struct reading g = { .r = r, .home = home };

	read_users(&g);
	g.own = true;
	read_below(&g, r->common, "config");
	/* that of the main work tree says nothing about a linked one */
	if (strcmp(r->common, r->gitdir) != 0)
		g.worktree[0] = '\0';
	if (g.worktree_config)
		read_below(&g, r->gitdir, "config.worktree");
	*where = "the repository's format is not known";
	if (g.version > 1 || g.bad_format || (g.version == 1 && g.unknown_extension))
		return FP_FORMAT;
	*where = "core.worktree names another folder";
	if (g.worktree[0] && !same_folder(g.worktree, r->root))
		return FP_WORKTREE;
	return FP_USABLE;
}

int gitrepo_find(struct gitrepo *r, const char *path, bool up, const struct gitrepo_home *home,
    enum fingerprint_reason *reason, const char **where, struct err *err)
{
	char at[PATH_MAX];

	*r = (struct gitrepo){ .filemode = true };
	*reason = FP_USABLE;
	*where = "";
	if (realpath(path, r->root) == NULL || !is_dir(r->root))
		return err_set(err, ERR_NOTFOUND, "%s is not a folder: name the checkout with --source",
		    path);
	snprintf(at, sizeof(at), "%s", r->root);
	while (!look_in(r, at)) {
		char *slash = strrchr(at, '/');

		if (!up || strcmp(at, "/") == 0)
			return 0;
		slash[slash == at] = '\0';
	}
	if (r->gitdir[0])
		*reason = read_settings(r, home, where);
	return 0;
}
