/*
 * The files a step may append to: $GITHUB_STEP_SUMMARY (Markdown).
 */
#ifndef ACTIONS_SUMMARY_H
#define ACTIONS_SUMMARY_H

#include "base/str.h"

struct err;

#define SUMMARY_MAX ((size_t)1 << 20)	/* of one step: the runner drops a larger one */

/* Append to the file at `path` under O_APPEND; ERR_LIMIT if it would pass SUMMARY_MAX, ERR_IO. A
 * pipe that nobody reads is ERR_IO, too: no command waits for its reader. */
int summary_append(const char *path, struct span markdown, struct err *);

#endif
