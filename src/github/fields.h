/*
 * The reference's validation fields: a few members of a body, by operation, whose change makes an entry stale
 * there. Pure.
 *
 * A REST body says updated_at where the reference's gh-shaped body says updatedAt; both are read and written
 * under the reference's names (databaseId falls back to id, and so on). The result is the canonical JSON text
 * (base/jcanon) of an object, or nothing where the reference has none: an empty body, copilot_*, an operation
 * without fields.
 */
#ifndef GITHUB_FIELDS_H
#define GITHUB_FIELDS_H

#include "base/str.h"

struct buf;

/* Append the canonical validation fields of `body` (one JSON text). 1 written, 0 there are none, ERR_PROTO
 * not JSON, ERR_LIMIT: larger than jcanon takes (none are written then either). */
int fields_of(struct span op, struct span body, struct buf *);

#endif
