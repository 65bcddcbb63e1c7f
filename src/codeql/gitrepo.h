/*
 * Where a work tree's repository is and what its settings say that matters here: gitrepository-layout(5),
 * git-config(1). Nothing in it is run, and whose files they are does not matter.
 *
 * Settings are read from /etc/gitconfig, the user's two files, the repository's and the work tree's, with
 * their includes; those of the environment are the caller's business (read_all of the fingerprint). A
 * conditional include counts as if its condition were met, but only towards reading more files. What cannot
 * be known sets `unsure`: then every file is read.
 */
#ifndef CODEQL_GITREPO_H
#define CODEQL_GITREPO_H

#include <limits.h>
#include <stdbool.h>

#include "codeql/fingerprint.h"
#include "codeql/objid.h"

struct err;

enum gitrepo_crlf { CRLF_FALSE, CRLF_TRUE, CRLF_INPUT };

struct gitrepo {
	char root[PATH_MAX];		/* the work tree, absolute, links resolved */
	char gitdir[PATH_MAX];		/* HEAD and index are here; "": no repository */
	char common[PATH_MAX];		/* refs, config and info/ are here */
	enum objid_format format;
	bool reftable;
	bool filemode;			/* core.fileMode */
	bool crlf_eol;			/* core.eol is crlf */
	enum gitrepo_crlf autocrlf;
	bool unsure;
	char attributes[PATH_MAX];	/* core.attributesFile or its default; "": none */
};

/* The user's folders; either may be NULL. */
struct gitrepo_home {
	const char *home, *xdg_config;
};

/*
 * Find the repository `path` lies in, going up (`up`) or not. 0; a `.git` that is there but leads nowhere
 * gives a repo without gitdir whose root is the folder that has it, and so does finding none (then root is
 * `path`). ERR_NOTFOUND: there is no such folder. *reason is set to FP_FORMAT or FP_WORKTREE, with *where, if
 * the repository cannot be used.
 */
int gitrepo_find(struct gitrepo *, const char *path, bool up, const struct gitrepo_home *,
    enum fingerprint_reason *reason, const char **where, struct err *);

#endif
