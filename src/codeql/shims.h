/*
 * Version managers: a program in PATH that stands for another one, found by files and variables when it runs.
 * rustup, and pyenv with its likes, are followed here, without running any: all versions that are installed
 * are described, and which is chosen; of bazelisk, the version it would fetch. Of the others (asdf, mise,
 * volta) it is only known that they are such.
 */
#ifndef CODEQL_SHIMS_H
#define CODEQL_SHIMS_H

#include <stddef.h>

struct shims_place {
	const char *source;			/* the folder that is scanned */
	const char *(*env)(const void *arg, const char *name); /* NULL: not set or empty */
	const void *arg;
};

enum shims_answer {
	SHIMS_NONE,	/* a program like any other */
	SHIMS_KNOWN,	/* `out` says what is behind it */
	SHIMS_UNKNOWN,	/* nobody knows; `out` says what was chosen, or "" */
	SHIMS_WRAPPER	/* it calls the next one in PATH (ccache) */
};

/* `file` is the program `tool` as PATH has it, `real` the same behind its links. */
enum shims_answer shims_look(const struct shims_place *, const char *tool, const char *file, const char *real,
    char *out, size_t size);

#endif
