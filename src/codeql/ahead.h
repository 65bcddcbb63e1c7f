/*
 * Stat data of an index's files, taken by a forked child from the last entry towards the first while the walk
 * goes from the first towards the last: where there are two processors, neither does all of it. git does the
 * same with threads (core.preloadIndex).
 *
 * What the child saw is as old as the walk at most, and is used as the walk's own: to find a file fresh
 * against the index, or as what it must still be when it is read. Names are looked up from the root, so a
 * folder that is a link is followed; the walk does not follow it and so never asks.
 */
#ifndef CODEQL_AHEAD_H
#define CODEQL_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "codeql/gitindex.h"

struct ahead;

/* Begin; `top` and the index must outlive it. NULL: no memory or no child, which is no error. */
struct ahead *ahead_begin(int top, const struct gitindex *);

/* The walk is at entry i, and never goes back. False: the child has not been there or could not stat it. */
bool ahead_stat(struct ahead *, size_t i, struct stat *);

/* Ends the child. NULL is allowed. */
void ahead_end(struct ahead *);

#endif
