/*
 * Under which key the body of a CID is held here: of what was announced or served since the start, so that a
 * peer may ask by CID for what it was told. The key's entry may have changed since; who looks it up compares.
 *
 * SHELF_ROWS places, found by the CID's digest; a newer CID of the same place takes it.
 */
#ifndef P2P_SHELF_H
#define P2P_SHELF_H

#include <stdbool.h>

#include "base/str.h"

#define SHELF_ROWS 4096		/* as many announcements as others keep of one peer */

struct shelf;

struct shelf *shelf_new(void);		/* NULL: no memory */
void shelf_free(struct shelf *);
/* No CID of ours, or no memory: nothing happens. Both are copied. */
void shelf_put(struct shelf *, struct span cid, struct span key);
/* The key, good until the next shelf_put; empty: not known. */
struct span shelf_find(const struct shelf *, struct span cid);

#endif
