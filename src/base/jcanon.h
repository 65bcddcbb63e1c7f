/*
 * JSON as Python's json.dumps(x, sort_keys=True) prints it: keys sorted by code point, ", " and ": ",
 * non-ASCII as \uXXXX, integers as they are, floats by repr(). The reference's content hashes are taken over
 * this text. Duplicate keys: the last one counts, as in Python's dict.
 */
#ifndef BASE_JCANON_H
#define BASE_JCANON_H

#include "base/str.h"

struct buf;

/* Append the canonical form of one JSON text; 0, ERR_PROTO (not JSON, nested deeper than JSCAN_DEPTH, or a
 * number beyond double such as 1e999, which Python would print as Infinity), ERR_LIMIT (more than 1 MiB, or
 * than fits the buffer) or ERR_INTERNAL (no memory). */
int jcanon(struct span text, struct buf *);

#endif
