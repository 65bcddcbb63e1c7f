#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hex.h"
#include "codeql/deny.h"
#include "codeql/fingerprint.h"
#include "codeql/gitrefs.h"
#include "codeql/gitrepo.h"
#include "codeql/indexfile.h"
#include "codeql/treekey.h"
#include "codeql/worktree.h"

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

static int make_keys(struct fingerprint *fp, const struct fingerprint_options *opt, struct err *err)
{
	if (treekey_make(fp, opt, false, fp->whole) < 0 ||
	    (opt->nlanguages > 0 && treekey_make(fp, opt, true, fp->narrow) < 0))
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
	int rc =
	    gitrepo_find(repo, opt->source ? opt->source : ".", !opt->alone, &home, &reason, &where, err);
	if (rc < 0)
		goto out;
	fp->indexed = repo->gitdir[0] != '\0';
	if (!fp->indexed && opt->root != NULL)
		snprintf(repo->root, sizeof(repo->root), "%s", opt->root);
	snprintf(fp->top, sizeof(fp->top), "%s", repo->root);
	if (fp->indexed && snprintf(fp->objects, sizeof(fp->objects), "%s/objects", repo->common) >= PATH_MAX)
		fp->objects[0] = '\0';
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
