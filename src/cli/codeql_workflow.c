/* The workflow that this job is of: is it in the tree, and with it in the key, and what does it call? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "cli/codeql.h"
#include "codeql/gitobject.h"
#include "codeql/manifest.h"
#include "codeql/wfuses.h"

#define FILE_MAX ((size_t)1 << 20)
#define FILES_MAX 32

/* ---- in the tree ---- */

/* Without .git the tree is the workspace, and the checkout may be a folder of it: one that the source is in.
 */
static bool find_below(const struct codeql *c, struct span path, struct manifest_rec *r)
{
	char folder[PATH_MAX], file[2 * PATH_MAX], *slash = folder;

	if (c->fp.indexed || strcmp(c->source_root, ".") == 0)
		return false;
	snprintf(folder, sizeof(folder), "%s", c->source_root);
	for (; slash != NULL; slash = strrchr(folder, '/')) {
		if (slash != folder)
			*slash = '\0';
		snprintf(file, sizeof(file), "%s/%.*s", folder, (int)path.n, path.p);
		if (manifest_find(c->fp.manifest, span_of(file), r))
			return true;
	}
	return false;
}

/* The record of the file, or of the sparse folder that it is in. */
static bool find(const struct codeql *c, struct span path, struct manifest_rec *r)
{
	if (manifest_find(c->fp.manifest, path, r))
		return true;
	for (size_t n = path.n; n > 0; n--)
		if (path.p[n - 1] == '/' && manifest_find(c->fp.manifest, span_sub(path, 0, n), r))
			return true;
	return find_below(c, path, r);
}

static bool read_text(const struct codeql *c, struct span path, struct buf *out)
{
	char file[2 * PATH_MAX], hex[OBJID_HEX_MAX];
	const struct fingerprint *fp = &c->fp;
	struct manifest_rec r;

	if (!find(c, path, &r))
		return false;
	if (r.mode == MANIFEST_FILE || r.mode == MANIFEST_EXEC)
		return snprintf(file, sizeof(file), "%s/%.*s", fp->top, (int)r.path.n, r.path.p) <
		    (int)sizeof(file) &&
		    file_read(file, FILE_MAX, true, out, NULL) == 0;
	/* not on disk: what the index names is a blob, or the tree of a sparse folder */
	hex_encode(hex, r.id, objid_len(fp->format));
	if (r.mode != MANIFEST_GITLINK)
		return false;
	return r.path.n == path.n ? gitobject_read(fp->objects, fp->format, hex, "blob", out)
				  : gitobject_file(fp->objects, fp->format, hex,
					span_sub(path, r.path.n, path.n), out);
}

/* Is it certain that the tree has another file there than the commit? A step may have written it. */
static bool is_changed(const struct codeql *c, const char *commit, const char *path)
{
	const struct fingerprint *fp = &c->fp;
	char tree[OBJID_HEX_MAX];
	struct buf was, is;
	bool differs;

	buf_init(&was, GITOBJECT_MAX);
	buf_init(&is, FILE_MAX);
	differs = gitobject_tree(fp->objects, fp->format, commit, tree) &&
	    gitobject_file(fp->objects, fp->format, tree, span_of(path), &was) &&
	    read_text(c, span_of(path), &is) && !span_same(buf_span(&was), buf_span(&is));
	buf_free(&was);
	buf_free(&is);
	return differs;
}

/* Is the file of the tree the one that runs? GitHub takes it from the commit GITHUB_WORKFLOW_SHA. */
static bool is_ours(const struct codeql *c, const char *sha)
{
	const char *ref = codeql_env("GITHUB_WORKFLOW_REF");
	const char *head = c->fp.commit[0] != '\0' ? c->fp.commit : codeql_env("GITHUB_SHA");
	size_t n = strlen(c->want.repo);
	struct manifest_rec r;

	return ref != NULL && strlen(ref) > n && ref[n] == '/' && span_istarts(span_of(ref), c->want.repo) &&
	    find(c, span_of(c->workflow), &r) &&
	    (sha == NULL || (head != NULL && strcmp(sha, head) == 0 && !is_changed(c, sha, c->workflow)));
}

/* ---- what it calls ---- */

struct calls {
	struct codeql *c;
	size_t n;
	bool away;			/* one of another repository */
	char paths[FILES_MAX][256];	/* those seen, and those to be read */
};

static void on_use(void *arg, struct span word, bool local)
{
	struct calls *calls = arg;

	if (!local && !wfuses_pinned(word))
		configkey_unpinned(&calls->c->config, "the workflow %.*s has no commit",
		    (int)(word.n < 200 ? word.n : 200), word.p);
	calls->away |= !local;
	if (!local)
		return;
	for (size_t i = 0; i < calls->n; i++)
		if (span_eq(word, calls->paths[i]))
			return;
	if (calls->n == FILES_MAX || !span_copy(calls->paths[calls->n++], sizeof(calls->paths[0]), word))
		configkey_unpinned(&calls->c->config, "too many workflows call each other");
}

/* Does it call any? `sha`: of which these files should be, or NULL. */
static bool read_calls(struct codeql *c, const char *sha)
{
	struct calls calls = { .c = c, .n = 1 };
	bool changed = false;
	struct buf text;

	if (!span_copy(calls.paths[0], sizeof(calls.paths[0]), span_of(c->workflow)))
		calls.n = 0;
	for (size_t i = 0; i < calls.n; i++) {
		buf_init(&text, FILE_MAX);
		if (read_text(c, span_of(calls.paths[i]), &text))
			wfuses_walk(buf_span(&text), on_use, &calls);
		else
			configkey_unpinned(&c->config,
			    "the workflow %s cannot be read, so what it calls is not known", calls.paths[i]);
		buf_free(&text);
		changed |= i > 0 && sha != NULL && is_changed(c, sha, calls.paths[i]);
	}
	if (changed)
		configkey_add(&c->config, "called-workflow-commit", span_of(sha));
	return calls.away || calls.n != 1;
}

/* A called workflow may be called twice, and its job sees neither by whom nor, here, with which inputs. */
static void take_inputs(struct codeql *c, const char *why)
{
	const char *inputs = getenv("GHOARD_INPUTS");

	if (inputs != NULL && inputs[0] != '\0' && strcmp(inputs, "null") != 0)
		configkey_add(&c->config, "inputs", span_of(inputs));
	else if (inputs == NULL && why != NULL && c->o->extra.n == 0 && codeql_in_actions())
		configkey_unpinned(&c->config,
		    "the workflow %s, and the inputs of this job's are not known "
		    "(set GHOARD_INPUTS to ${{ toJSON(inputs) }}, or name what differs by --extra-key)", why);
}

void codeql_take_workflow(struct codeql *c)
{
	const char *sha = codeql_env("GITHUB_WORKFLOW_SHA");
	struct manifest_rec r;

	if (c->fp.reason != FP_USABLE)
		return;
	if (c->workflow[0] == '\0') {
		if (codeql_in_actions())
			configkey_unpinned(&c->config,
			    "GITHUB_WORKFLOW_REF does not say which workflow this is");
		take_inputs(c, NULL);
		return;
	}
	if (!is_ours(c, sha) && sha != NULL)
		configkey_add(&c->config, "workflow-commit", span_of(sha));
	else if (!is_ours(c, sha))
		configkey_unpinned(&c->config,
		    "the workflow %s is not in this tree, and GITHUB_WORKFLOW_SHA is not set", c->workflow);
	if (!find(c, span_of(c->workflow), &r))
		take_inputs(c, "is not found in this tree");
	else
		take_inputs(c, read_calls(c, sha) ? "calls others" : NULL);
}
