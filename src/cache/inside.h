/*
 * Inside cache/ only: what cache.c, pin.c and writes.c share.
 */
#ifndef CACHE_INSIDE_H
#define CACHE_INSIDE_H

#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"

struct cache {
	struct cache_params p;
	struct lookup *lookups;
	struct lookup *spare;		/* to be used again */
	size_t nspare;
	uint64_t epochs, epochs_pass;	/* their version, and the loop's pass that looked; 0: look again */
};

/* The version of .epochs, which is looked at once a pass: what is asked in it was sent before. */
uint64_t cache_epochs(struct cache *);

#endif
