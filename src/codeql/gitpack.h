/*
 * Git's packs (gitformat-pack): where an object is, by an index of version 2, and what stands there. An
 * engine: files in memory, no system calls; nothing here unpacks or hashes.
 */
#ifndef CODEQL_GITPACK_H
#define CODEQL_GITPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "codeql/objid.h"

struct buf;

enum { GITPACK_COMMIT = 1, GITPACK_TREE, GITPACK_BLOB, GITPACK_TAG, GITPACK_NEAR = 6, GITPACK_FAR };

struct gitpack_entry {
	unsigned type;			/* one of the above; the last two are deltas */
	uint64_t size;			/* of what `data` unpacks to */
	uint64_t base_at;		/* NEAR: offset of the base in the same pack */
	const uint8_t *base_id;		/* FAR: its id */
	struct span data;		/* the zlib stream, and all behind it */
};

/* The object's offset in the pack; false: it is not in it, or the index is none. */
bool gitpack_find(struct span idx, enum objid_format, const uint8_t *id, uint64_t *at);
/* What stands at `at`; false: the pack is damaged. */
bool gitpack_entry(struct span pack, enum objid_format, uint64_t at, struct gitpack_entry *);
/* Append what the unpacked `delta` makes of `base`; false: damaged, or `out` takes no more. */
bool gitpack_delta(struct span base, struct span delta, struct buf *out);

#endif
