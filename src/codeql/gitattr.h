/*
 * gitattributes(5): the six attributes by which git changes a file between repository and work tree. An
 * engine.
 *
 * A chain of files is asked from the one nearest to the path outwards; within a file the last line that says
 * something about an attribute wins. Macros other than `binary` that touch the six make everything below
 * unsure, as does a pattern that takes too long: who asks then reads the file.
 */
#ifndef CODEQL_GITATTR_H
#define CODEQL_GITATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define GITATTR_FILE_MAX ((size_t)1 << 20)

enum gitattr_name { GITATTR_TEXT, GITATTR_CRLF, GITATTR_EOL, GITATTR_IDENT, GITATTR_FILTER, GITATTR_ENCODING,
	GITATTR_COUNT };
enum gitattr_state { GITATTR_SILENT, GITATTR_UNSPECIFIED, GITATTR_SET, GITATTR_UNSET, GITATTR_VALUE };

struct gitattr {
	enum gitattr_state state[GITATTR_COUNT];
	struct span value[GITATTR_COUNT];	/* of GITATTR_VALUE; borrowed from the file */
	bool unsure;
};

struct gitattr_file;

/* Parse a file whose patterns are relative to the folder with that prefix ("" or ending with '/'). The text
 * is copied. Asked before `outer`, which is borrowed. NULL: no memory. */
struct gitattr_file *gitattr_parse(struct span text, struct span prefix, const struct gitattr_file *outer);
/* One that knows nothing and says so for all below. */
struct gitattr_file *gitattr_unsure(const struct gitattr_file *outer);
/* This one alone, not the outer ones. */
void gitattr_free(struct gitattr_file *);

/* It and its outer ones say nothing: no path needs to be looked up. */
bool gitattr_empty(const struct gitattr_file *);
/* What holds for a path (relative to where the prefixes are). `first` (info/attributes, without outer ones)
 * is asked before the chain; either may be NULL. */
void gitattr_look(const struct gitattr_file *first, const struct gitattr_file *innermost, struct span path,
    struct gitattr *);

#endif
