/*
 * A helper program run to its end within a time: what it needs to know goes to its standard input, never into
 * argv.
 */
#ifndef CRED_TOOL_H
#define CRED_TOOL_H

#include <stdint.h>

#include "base/str.h"

struct buf;
struct err;

struct tool {
	const char *const *argv;	/* argv[0] is an absolute path */
	char *const *envp;
	struct span in;			/* at most 64 KiB: what a pipe holds */
	int64_t timeout_ms;		/* after which it is killed */
};

/* Appends its standard output to `out` (may be NULL); its standard error is dropped. It passes file_fault at
 * each step. The exit status (0 to 255), or ERR_UNAVAIL (it is not there, or was ended by a signal),
 * ERR_TIMEOUT, ERR_IO. */
int tool_run(const struct tool *, struct buf *out, struct err *);

#endif
