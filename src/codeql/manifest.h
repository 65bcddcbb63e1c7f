/*
 * What a scan would read: every file of a tree by path, mode and object id, in the order of the paths' bytes.
 *
 * It is made by codeql/fingerprint and kept for `explain` (what changed against that scan?) and for `store`
 * (is all that check saw as it was?). Paths are relative to the root of the tree, without "./", and
 * may hold any byte but NUL. The id is that of the bytes on disk as a blob, of a link's target, or of the
 * commit that a gitlink names.
 *
 * Size: about 48 bytes and the path for each file in memory (9 MB for 92,000 files), about 36 bytes a file as
 * manifest_write writes it (3.3 MB), where paths share their beginning with the one before.
 *
 * The manifest owns all its memory. A record borrows from it and is good until manifest_free or the next
 * manifest_add.
 */
#ifndef CODEQL_MANIFEST_H
#define CODEQL_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "codeql/objid.h"

struct buf;
struct err;
struct manifest;

#define MANIFEST_PATH_MAX 4096		/* longer paths are refused */
#define MANIFEST_FILE_MAX ((size_t)256 << 20)

enum {
	MANIFEST_TRACKED = 1,	/* in the index */
	MANIFEST_DIRTY = 2,	/* tracked, and `git status` would list it as changed in the work tree */
	MANIFEST_GONE = 4,	/* tracked and not on disk: listed so that it can be named, counts nowhere */
	MANIFEST_BYTES = 8,	/* git converts it (eol, ident, filter, encoding): always read */
	MANIFEST_DENIED = 16	/* counts in the whole-tree key only: the deny list names it */
};

#define MANIFEST_FILE 0100644u
#define MANIFEST_EXEC 0100755u
#define MANIFEST_LINK 0120000u
#define MANIFEST_GITLINK 0160000u

struct manifest_rec {
	struct span path;
	uint32_t mode;			/* one of the four above */
	unsigned flags;
	const uint8_t *id;		/* objid_len bytes */
};

/* NULL: no memory. `indexed`: there was an index, so that MANIFEST_TRACKED means something. */
struct manifest *manifest_new(enum objid_format, bool indexed);
void manifest_free(struct manifest *);
/* Append; paths must ascend. 0, ERR_INTERNAL (no memory), ERR_USAGE (order), ERR_LIMIT (a path too long). */
int manifest_add(struct manifest *, const struct manifest_rec *);

/* Nothing on the list is denied any more. */
void manifest_undeny(struct manifest *);

enum objid_format manifest_format(const struct manifest *);
bool manifest_indexed(const struct manifest *);
size_t manifest_count(const struct manifest *);
/* Record `i` < manifest_count. */
struct manifest_rec manifest_at(const struct manifest *, size_t i);
/* The record of that path by binary search; false: there is none. */
bool manifest_find(const struct manifest *, struct span path, struct manifest_rec *);

/* As a file ends with the SHA-256 of what precedes it; the reader takes nothing else. */
int manifest_write(const struct manifest *, struct buf *, struct err *);
/* NULL with ERR_DAMAGED in `err` (or ERR_INTERNAL: no memory). */
struct manifest *manifest_read(struct span, struct err *);

enum manifest_change { MANIFEST_ADDED, MANIFEST_REMOVED, MANIFEST_CHANGED };
/* `was` and `is` are NULL for an added and a removed path. false ends the walk. */
typedef bool manifest_visit(void *ctx, enum manifest_change, const struct manifest_rec *was,
    const struct manifest_rec *is);
/*
 * Differences of two manifests of one object format, by path; returns how many were visited. Flags are not
 * compared, and what is GONE is not there. With `narrow`, what is DENIED on every side it stands on is left
 * out. Manifests of different formats differ in every path.
 */
size_t manifest_diff(const struct manifest *was, const struct manifest *is, bool narrow, manifest_visit *,
    void *ctx);

/*
 * Is what the first of two looks at one tree saw still as it was? Visits every path of `was`, tracked or not,
 * that was removed or changed, and what is tracked since. What a build leaves beside the sources is not
 * visited. Returns how many were visited: 0 means `store` may go on.
 */
size_t manifest_since(const struct manifest *was, const struct manifest *is, manifest_visit *, void *ctx);

#endif
