/*
 * Which commit HEAD is: gitrepository-layout(5), "HEAD", "refs", "packed-refs". A label, never part of a key.
 */
#ifndef CODEQL_GITREFS_H
#define CODEQL_GITREFS_H

#include <stdbool.h>

#include "codeql/gitrepo.h"

#define GITREFS_NAME_MAX 256
#define GITREFS_PACKED_MAX ((size_t)256 << 20)

struct gitrefs_head {
	char commit[OBJID_HEX_MAX];	/* "": unborn, or cannot be known */
	char ref[GITREFS_NAME_MAX];	/* the branch HEAD names; "": detached, or cannot be known */
	bool reftable;			/* the names are in a form that is not read here */
};

/* Through symbolic, loose and packed refs; never fails, what cannot be resolved is left empty. */
void gitrefs_head(const struct gitrepo *, struct gitrefs_head *);

/* Has another commit been checked out here before? Also where no reflog says, or no longer. Then git, which
 * compares times and sizes, may leave a file as the attributes of that commit had made it. */
bool gitrefs_moved(const struct gitrepo *);

/* Does git put other objects in place of some (git-replace(1))? */
bool gitrefs_replaced(const struct gitrepo *);

/* The id of one ref in the text of packed-refs; false: it is not there. An engine. */
bool gitrefs_packed(struct span text, struct span name, enum objid_format, char out[static OBJID_HEX_MAX]);

#endif
