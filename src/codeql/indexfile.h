/*
 * A repository's index from its files: read, checksum, parsed, and where it is split its shared half too.
 */
#ifndef CODEQL_INDEXFILE_H
#define CODEQL_INDEXFILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "codeql/gitindex.h"
#include "codeql/gitrepo.h"

struct indexfile {
	struct gitindex index;
	struct gitindex shared;
	struct buf bytes, shared_bytes;
	struct timespec written, shared_written;	/* when the files were */
	uint8_t empty[OBJID_MAX];			/* the id of the empty blob */
};

/*
 * Read it. 0; no index at all is an empty one. *reason says why it cannot be used, *where on what (borrowed
 * from the index). ERR_INTERNAL. indexfile_free is due in every case.
 */
int indexfile_read(struct indexfile *, const struct gitrepo *, enum fingerprint_reason *reason,
    struct span *where, struct err *);
void indexfile_free(struct indexfile *);

/*
 * Do the stat data prove that the file still has the bytes it had when git last looked? Seconds and
 * nanoseconds of both times, owner, inode, size and type must be equal, and the file older than the index
 * that says so: one of the same tick may have been written after git looked (git's technical/racy-git). No
 * bit and no setting that tells git to look away is asked.
 */
bool indexfile_fresh(const struct indexfile *, const struct gitindex_entry *, const struct stat *);

#endif
