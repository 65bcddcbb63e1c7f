/*
 * Does a symbolic link lead out of its tree? What it leads to in the tree is hashed there; anything else a
 * scan would read and no key would know.
 */
#ifndef CODEQL_TREELINK_H
#define CODEQL_TREELINK_H

#include <stdbool.h>

#include "base/str.h"

/* Is this path, below `top`, none that a link may go through? */
typedef bool treelink_stop(void *arg, struct span path);

/*
 * `folder` is the link's folder below `top` ("" or ending with '/'), `target` its text. Links on the way are
 * followed as the kernel would. True for an absolute target (where it leads depends on where the tree is),
 * for one that goes above `top`, one that goes through a `.git` or what `stop` names, and one too long to
 * tell. A link to nothing, or in a circle, stays inside.
 */
bool treelink_leaves(int top, struct span folder, struct span target, treelink_stop *, void *arg);

#endif
