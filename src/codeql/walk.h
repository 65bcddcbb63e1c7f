/*
 * What the walk of codeql/worktree knows while it goes, and one file of it: read, compared with its entry of
 * the index, put on the list. Only worktree.c and this module's own .c know these structs.
 *
 * Functions that return -1 have set fp->reason or an error, and the walk ends.
 */
#ifndef CODEQL_WALK_H
#define CODEQL_WALK_H

#include <sys/stat.h>

#include "codeql/deny.h"
#include "codeql/dirlist.h"
#include "codeql/filehash.h"
#include "codeql/fingerprint.h"
#include "codeql/gitattr.h"
#include "codeql/gitindex.h"
#include "codeql/gitrepo.h"
#include "codeql/indexfile.h"
#include "codeql/wild.h"

struct ahead;

struct walk {
	const struct fingerprint_options *opt;
	struct fingerprint *fp;
	struct err *err;
	const char *root;		/* of the tree, absolute */
	int top;
	int depth;
	char path[MANIFEST_PATH_MAX];	/* of what is looked at, below root */
	size_t len;
	struct dirlist names;
	struct filehash hash;
	struct deny deny;
	bool links;			/* one that counts was seen */
	struct wild *ignore;
};

/* One repository of the tree: the tree's own, or a submodule's. */
struct part {
	const struct gitrepo *repo;
	const struct gitindex *index;	/* NULL: none */
	const struct indexfile *file;
	struct ahead *ahead;		/* NULL: none */
	size_t at;			/* in walk.path: where its root's names begin */
	bool read_plain;		/* stat data do not say what the bytes are */
	struct gitattr_file *system, *user, *info;
};

/* One folder of the walk: its names and its entries of the index. */
struct level {
	struct part *part;
	int fd;
	size_t next, end;		/* entries */
	size_t name;
	struct dirlist_part names;
	const struct gitattr_file *attrs;
};

/* What it is on disk, and what git's index has for it. */
struct subject {
	const char *name;
	struct stat st;
	const struct gitindex_entry *entry;	/* NULL: untracked */
	uint32_t mode;
	uint8_t id[OBJID_MAX];
	struct convert convert;
};

struct span walk_path(const struct walk *);
int walk_refuse(struct walk *, enum fingerprint_reason, const char *detail);
int walk_refuse_errno(struct walk *);
int walk_no_memory(struct walk *);
/* Append to the path; false: too long. There is always room for one '/' more. */
bool walk_push(struct walk *, const char *name, size_t n);

/* Does what is at walk.path (a file, or a sparse folder, which ends with '/') bear on a scan although it is
 * not on disk: is it one of .github/ or of options.always, or a folder with such? */
bool walk_acts_unseen(const struct walk *);

/* Put what is at walk.path on the list. 0 or -1. */
int walk_emit(struct walk *, uint32_t mode, unsigned flags, const uint8_t *id);

/* The regular file or link whose path is pushed (`folder` is its length without the name), with name, st and
 * entry set: find its id and put it on the list. 0, -1, or 1 if it has gone meanwhile. */
int walk_take_file(struct walk *, struct level *, struct subject *, size_t folder);

#endif
