/*
 * Collection: brings the store down to 90 % of its size, in slices. First the expired go, then entries of
 * tokens not seen for 24 h, then the oldest by last use. Also removed: temporary files older than an hour,
 * last/ links whose entry is gone, corrupt/ files older than a week.
 */
#ifndef STORE_GC_H
#define STORE_GC_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct gc;
struct store;

#define GC_SLICE 64		/* files a step: about 1 ms */

/* 1 with *out, 0: another process collects, ERR_*. `max_entries` is the store's size; `now` in µs. */
int gc_start(struct store *, size_t max_entries, int64_t now, struct gc **out, struct err *);
/* One slice: 1 there is more, 0 done. */
int gc_step(struct gc *);
size_t gc_removed(const struct gc *);
size_t gc_seen(const struct gc *);
void gc_free(struct gc *);

#endif
