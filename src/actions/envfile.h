/*
 * $GITHUB_ENV and $GITHUB_OUTPUT: NAME<<delimiter, value, delimiter. And the names that a secret must not
 * have there.
 */
#ifndef ACTIONS_ENVFILE_H
#define ACTIONS_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf;
struct err;

#define ENVFILE_EXTRA 512	/* of an entry beside its value */

/* Append one entry with a random delimiter that does not occur in the value. ERR_USAGE: NUL, or not UTF-8
 * (the runner reads text); ERR_INTERNAL: no random bytes. */
int envfile_entry(struct buf *, const char *name, struct span value, struct err *);
/* Append to the runner's file, in one write, behind a newline if its last line has none. ERR_IO: also if it
 * is not there, or no regular file. */
int envfile_append(const char *path, struct span entries, struct err *);

/* The pattern of the deny-list (without case) that the name falls under, or NULL. */
const char *envfile_denied(struct span name);
/* The list itself: NULL past the end. */
const char *envfile_pattern(size_t i);

#endif
