/*
 * What provably does not matter to a language's scan: a deny list. A file that is not named here counts, so a
 * hole in the table costs a scan and never hides one.
 *
 * Named are kinds of files that no rule of the extractor reads: prose, pictures, fonts, sound, and for
 * languages whose extractor takes files by their names the sources of other languages. Nothing is named for
 * languages whose compiler may open any file (C, C++, Go with embed, Rust with include_str, Swift), where a
 * build runs, and for a language that is not known. Links, gitlinks, executable files, names that a tool
 * gives a meaning (requirements.txt), and all below .github/ always count. In a tree with a symbolic link
 * nothing is denied: a link gives its target another name, by which an extractor may take it.
 *
 * The table's version is part of the narrow key: a new table makes old keys unreachable.
 */
#ifndef CODEQL_DENY_H
#define CODEQL_DENY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;

#define DENY_VERSION 2u

struct deny {
	uint32_t languages;	/* bits of the table */
	bool nothing;		/* all counts */
};

/* Languages by name or alias as in codeql-action's `languages`. */
void deny_init(struct deny *, const struct span *languages, size_t n, bool built);
/* A small number for a language, the same for all its names; -1: not known. */
int deny_language(struct span name);
/* Irrelevant to each of the languages? */
bool deny_path(const struct deny *, struct span path, uint32_t mode);
/* "java,python": the names an alias stands for, in one order, each once; an unknown one as it was
 * given. Into the narrow key. */
void deny_names(const struct span *languages, size_t n, struct buf *out);

#endif
