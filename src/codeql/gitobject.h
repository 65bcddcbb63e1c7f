/*
 * One of git's objects by its id, from loose files, packs and alternates; for the few that say something
 * about a scan: the commit of HEAD, the workflow file that a sparse checkout leaves out. What comes out has
 * been hashed: it is the object of that id, whatever the files are.
 */
#ifndef CODEQL_GITOBJECT_H
#define CODEQL_GITOBJECT_H

#include <stdbool.h>

#include "base/str.h"
#include "codeql/objid.h"

struct buf;

#define GITOBJECT_MAX ((size_t)4 << 20)

/* Append the object's bytes to `out`. `objects` is the repository's folder of that name, `type` "commit",
 * "tree" or "blob". false: it is not there, cannot be read, is above GITOBJECT_MAX or of another type. */
bool gitobject_read(const char *objects, enum objid_format, const char *hex, const char *type,
    struct buf *out);
/* The tree of a commit. */
bool gitobject_tree(const char *objects, enum objid_format, const char *commit,
    char tree[static OBJID_HEX_MAX]);
/* The file at `path` below a tree. */
bool gitobject_file(const char *objects, enum objid_format, const char *tree, struct span path,
    struct buf *out);

#endif
