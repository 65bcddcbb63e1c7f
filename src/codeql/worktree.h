/*
 * The walk: one pass over the folders of a tree beside its sorted index, which gives every file that is
 * there, tracked or not, and every tracked one that is not. Relative system calls alone; no link is followed.
 *
 * A submodule is walked beside its own index, with its own settings and attributes. A folder without any
 * repository is the same walk beside an empty index.
 */
#ifndef CODEQL_WORKTREE_H
#define CODEQL_WORKTREE_H

#include "codeql/fingerprint.h"

struct gitrepo;
struct indexfile;

#define WORKTREE_DEPTH_MAX 256		/* folders in folders: one open descriptor each */

/*
 * Walk the tree of `repo` beside `index` (NULL: none) and add what is there to fp->manifest and fp->counts.
 * Where that shows that no key can be had, sets fp->reason and fp->where, and stops. 0, ERR_IO or
 * ERR_INTERNAL.
 */
int worktree_walk(const struct fingerprint_options *, const struct gitrepo *repo,
    const struct indexfile *index, struct fingerprint *fp, struct err *);

/* Set reason and where ("path: detail", each may be empty) unless one is set; returns -1. */
int worktree_refuse(struct fingerprint *, enum fingerprint_reason, struct span path, const char *detail);

#endif
