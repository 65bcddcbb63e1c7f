/*
 * primaryLocationLineHash, the one fingerprint by which GitHub knows an alert again: for each line of a file
 * the rolling hash of the 100 UTF-16 units from its start, and how often it came before
 * (github/codeql-action, src/fingerprints.ts; vectors in the unit test).
 *
 * h = 37 h + unit - 37^100 * (the unit that leaves), mod 2^64; space and tab are left out, CR and CRLF are
 * LF; the end is 65535 and 100 zeros. Bytes that are not UTF-8 are U+FFFD, one for each part that cannot be
 * continued (WHATWG Encoding).
 */
#ifndef CODEQL_LINEHASH_H
#define CODEQL_LINEHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define LINEHASH_UNITS 100
#define LINEHASH_TEXT_MAX 40		/* 16 hex, ':', a count, NUL */

struct linehash_value {
	uint64_t hash;
	uint32_t count;			/* from 1; 0: no value */
};

/* Called for each line, from 1, in order; false ends the walk. */
typedef bool linehash_fn(void *arg, uint32_t line, struct linehash_value);

/* 0, or ERR_INTERNAL (no memory for the counts). */
int linehash_walk(struct span text, linehash_fn *fn, void *arg);

void linehash_text(struct linehash_value, char out[static LINEHASH_TEXT_MAX]);
/* "c129715d7a2bc9a3:1"; false: of another form. */
bool linehash_parse(struct span text, struct linehash_value *);

#endif
