/*
 * What the sources of a scan are, as one hash, without git and without a network (FORMATS.md §6).
 *
 * The fingerprint is a function of what is on disk: path, mode and bytes of every file a scan could read,
 * tracked or not, ignored or not, and the commits that gitlinks name. The index only saves reading: where its
 * stat data prove that a file is what was last written into the index (they do not when the file is racy or
 * was touched), the file's id is taken from there. So a tree without .git (a REST archive, a container) has
 * the same fingerprint as its checkout, a dirty file counts by its new content, and so does a change that
 * assume-valid, skip-worktree, fsmonitor, core.checkStat, core.trustctime or core.fileMode hide from git. A
 * file that git converts (eol, text, ident, filter, working-tree-encoding, core.autocrlf) is always read,
 * because its id in the index is not that of its bytes. Only .git is left out, and empty folders are.
 *
 * Times, owners, inode numbers, the place of the tree and the commit are no part of it.
 *
 * The tree is that of the repository `source` lies in; where there is none, `source` itself. A folder below
 * it is the caller's business (it belongs into the configuration key).
 *
 * Not usable is an answer, not an error: `reason` and `where` say why no key can be had, and the caller
 * scans. Git decides nothing here: there is no process, no hook, no filter run.
 */
#ifndef CODEQL_FINGERPRINT_H
#define CODEQL_FINGERPRINT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "codeql/manifest.h"
#include "codeql/objid.h"

struct err;

#define FINGERPRINT_LEN 64			/* hex characters of a key */
#define FINGERPRINT_WHERE_MAX 512

enum fingerprint_reason {
	FP_USABLE,
	FP_CONFLICT,   /* an unmerged path */
	FP_INTENT,     /* intent-to-add: git add -N */
	FP_EXTENSION,  /* an index extension that must be understood and is not known */
	FP_VERSION,    /* an index of another version than 2, 3, 4 */
	FP_DAMAGED,    /* an index whose checksum or structure is wrong; its shared index is missing */
	FP_LINK_OUT,   /* a symbolic link leaves the tree, or goes into .git or what `ignore` names */
	FP_UNREADABLE, /* a file or folder cannot be read */
	FP_CHANGING,   /* a file changed while it was read */
	FP_WORKTREE,   /* .git names a repository whose work tree is another folder, or none */
	FP_FORMAT,     /* an object format, or a repository version, that is not known */
	FP_LIMIT       /* too deep, a path too long, an index above GITINDEX_FILE_MAX */
};
/* "conflict", "intent-to-add", "index-extension", … : for --json, stable. */
const char *fingerprint_reason_name(enum fingerprint_reason);

enum fingerprint_root { FP_TREE_MISSING, FP_TREE_INVALID, FP_TREE_VALID };

/* A file outside the tree that a scan reads too. The label, not the path, joins the key. */
struct fingerprint_extra {
	const char *label, *path;
};

struct fingerprint_options {
	const char *source;			/* --source; NULL: "." */
	const char *root; /* where there is no repository, the folder above `source` whose
			     tree counts; NULL: source itself */
	bool alone;		/* look for no repository above `source` */
	/* Languages or their aliases; none: no narrow key. An unknown one has an empty deny list. */
	const struct span *languages;
	size_t nlanguages;
	bool built;				/* a build runs (autobuild, manual), variables steer the
						   extractor, or the tool is another: anything may be
						   read, so nothing is denied */
	/* Untracked paths that do not count, gitignore's patterns without "!" and "#". They join the keys. In
	 * a tree without an index nothing is known to be untracked, and they leave nothing out. */
	const char *const *ignore;
	size_t nignore;
	/* Paths below the root, or folders with '/' at the end, that no deny list leaves out. */
	const char *const *always;
	size_t nalways;
	const struct fingerprint_extra *extra;
	size_t nextra;
	const char *home, *xdg_config; /* $HOME, $XDG_CONFIG_HOME, where git's own settings are; or NULL */
	enum objid_format format;		/* of the ids where no repository says it: OBJID_SHA256 if
						   GITHUB_SHA has 64 digits */
	bool read_all;				/* believe no stat data: read every file */
	bool read_plain;			/* read files that nothing converts, too (the others always
						   are). So does a tree in which HEAD has moved. */
};

struct fingerprint_counts {
	size_t files;			/* records that count, gitlinks and links too */
	size_t tracked, untracked;	/* of them */
	size_t ignored;			/* untracked files that `ignore` left out (a folder is one) */
	size_t dirty;			/* tracked: changed or gone */
	size_t absent;			/* tracked, skip-worktree, rightly not on disk */
	size_t denied;			/* not in the narrow key */
	size_t read;			/* files that had to be read */
	uint64_t read_bytes;
};

struct fingerprint {
	enum fingerprint_reason reason;
	char where[FINGERPRINT_WHERE_MAX];	/* path and detail; "" if usable */

	bool indexed;				/* false: there is no repository here */
	enum objid_format format;
	char whole[FINGERPRINT_LEN + 1];	/* "" unless usable */
	char narrow[FINGERPRINT_LEN + 1];	/* for these languages; "" unless some were given, and equal
						   to no other version's or language set's */
	unsigned deny_version;

	char commit[OBJID_HEX_MAX];		/* HEAD; "" unborn, reftable, no repository */
	char ref[256];				/* "refs/heads/main"; "" detached or not known */
	char top[PATH_MAX];			/* the folder that paths are below */
	char objects[PATH_MAX];			/* where git's objects are; "" no repository */
	bool reftable;				/* refs are in a form that is not read: use GITHUB_SHA */
	enum fingerprint_root root;		/* the TREE extension's first record: not VALID means that
						   changes are staged, or nobody knows */
	char tree[OBJID_HEX_MAX];		/* its id when VALID: equals HEAD^{tree} after a checkout */

	struct fingerprint_counts counts;
	struct manifest *manifest;		/* ours; NULL unless usable */
};

/*
 * Look at the tree. 0, also when it is not usable; ERR_NOTFOUND (no such folder), ERR_IO, ERR_INTERNAL. `fp`
 * needs fingerprint_free afterwards in every case. Blocks: 92,000 files take about 0.2 s with an index, 0.5 s
 * without.
 */
int fingerprint_take(const struct fingerprint_options *, struct fingerprint *, struct err *);

void fingerprint_free(struct fingerprint *);

#endif
