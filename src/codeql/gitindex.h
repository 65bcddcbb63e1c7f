/*
 * The index of a git work tree: an engine (bytes in, entries out). gitformat-index(5), versions 2, 3 and 4,
 * with the extensions TREE, link (a split index) and sdir (a sparse index); others that begin with a capital
 * letter are skipped, others are refused.
 *
 * What comes out has been checked: entries ascend by path and stage, a path is relative and has no empty, "."
 * or ".." component and none called ".git", a mode is one git writes. So a path may be opened below the root
 * of the work tree without leaving it, but for symbolic links on the disk.
 *
 * Entries borrow from the file's bytes, which must outlive the gitindex; paths of version 4 are its own.
 * Memory: 24 bytes an entry, and the paths in version 4.
 */
#ifndef CODEQL_GITINDEX_H
#define CODEQL_GITINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "codeql/objid.h"

#define GITINDEX_FILE_MAX ((size_t)512 << 20)
#define GITINDEX_PATH_MAX 4096
#define GITINDEX_NAMES_MAX ((size_t)512 << 20)	/* paths of a version 4 index together */

enum gitindex_result {
	GITINDEX_OK,
	GITINDEX_DAMAGED,
	GITINDEX_VERSION,	/* not 2, 3 or 4 */
	GITINDEX_EXTENSION,	/* one that must be understood is not known */
	GITINDEX_LIMIT		/* a path or a file above the limits, no memory */
};

/* Of `flags` and `more`, as on disk. */
#define GITINDEX_VALID 0x8000u		/* flags: assume-valid */
#define GITINDEX_SKIP 0x4000u		/* more: skip-worktree */
#define GITINDEX_INTENT 0x2000u		/* more: intent-to-add */
#define GITINDEX_DIR 040000u		/* mode of a sparse folder; its path ends with '/' */

struct gitindex_entry {
	const uint8_t *raw;		/* ten words of stat data, then the id */
	const char *path;		/* not terminated */
	uint32_t len;
	uint16_t flags, more;
};

/* Stat data as git keeps them: the lower 32 bits of each. */
struct gitindex_stat {
	uint32_t ctime_s, ctime_ns, mtime_s, mtime_ns, dev, ino, mode, uid, gid, size;
};

enum gitindex_root { GITINDEX_ROOT_MISSING, GITINDEX_ROOT_INVALID, GITINDEX_ROOT_VALID };

struct gitindex {
	enum objid_format format;
	unsigned version;
	size_t n;
	struct gitindex_entry *list;
	struct buf names;
	enum gitindex_root root;	/* the first record of TREE */
	const uint8_t *root_id;		/* when VALID */
	bool sparse;
	const uint8_t *shared_id;	/* split: names sharedindex.<hex>; NULL: whole in itself */
	struct span bitmaps;		/* of link: which of the shared entries are deleted, which replaced */
};

/* Does the trailer fit? An index written with index.skipHash has a trailer of zeros, which fits. */
bool gitindex_checksum_ok(struct span file, enum objid_format);

/* Parse. `why` gets a phrase if the answer is not OK. gitindex_free is due in every case. */
enum gitindex_result gitindex_parse(struct gitindex *, struct span file, enum objid_format, const char **why);

/* Make a split index whole: entries of `base` that are not deleted or replaced join `top`, borrowing from
 * base's bytes and names, so base must outlive top. */
enum gitindex_result gitindex_merge(struct gitindex *top, const struct gitindex *base, const char **why);

void gitindex_free(struct gitindex *);

void gitindex_stat(const struct gitindex_entry *, struct gitindex_stat *);
uint32_t gitindex_mode(const struct gitindex_entry *);
const uint8_t *gitindex_id(const struct gitindex_entry *);
unsigned gitindex_stage(const struct gitindex_entry *);

#endif
