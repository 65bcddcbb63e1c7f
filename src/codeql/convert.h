/*
 * What git does to a file's bytes between the repository and the work tree: which files, and for the
 * conversions that need no program what `git add` would make of them. gitattributes(5), git-config(1)
 * core.autocrlf, core.eol.
 */
#ifndef CODEQL_CONVERT_H
#define CODEQL_CONVERT_H

#include <stdbool.h>

#include "codeql/gitattr.h"
#include "codeql/gitrepo.h"

struct buf;

enum convert_crlf { CONVERT_NONE, CONVERT_AUTO, CONVERT_TEXT };

struct convert {
	bool any;		/* the bytes on disk may differ from the blob's */
	enum convert_crlf crlf;	/* AUTO: if it looks like text */
	bool ident;
	bool lfs;		/* filter=lfs: the blob is a pointer */
	bool beyond;		/* another filter or encoding: not made here */
};

void convert_init(struct convert *, const struct gitrepo *, const struct gitattr *);

/* The bytes of the blob that `git add` would make from these, appended. False: nothing would change, or it
 * is beyond us. */
bool convert_clean(const struct convert *, struct span bytes, struct buf *out);

#endif
