/*
 * How much a store holds, counted in slices: for who must not block. Entries alone count, as in store_usage.
 */
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include <stdint.h>

struct store;
struct usage;

#define USAGE_SLICE 128		/* names looked at in one step: about 0.2 ms */

/* NULL: the folder cannot be read. */
struct usage *usage_start(struct store *);
void usage_free(struct usage *);	/* NULL is fine */
/* 1: there is more; 0: it is over, and the two are counted. */
int usage_step(struct usage *, int64_t *entries, int64_t *bytes);

#endif
