/*
 * Entries in memory, least recently used first out, bounded by count and bytes. Keyed by (request key, auth).
 */
#ifndef CACHE_MEM_H
#define CACHE_MEM_H

#include <stddef.h>

#include "base/str.h"

struct entry;
struct mem;

/* NULL: no memory. Limits of 0 keep nothing. */
struct mem *mem_new(size_t max_entries, size_t max_bytes);
void mem_free(struct mem *);
/* Borrowed, NULL if not there; marks it as used. */
struct entry *mem_get(struct mem *, struct span key, struct span auth);
/* Takes a reference; replaces an entry of the same key and auth. One larger than max_bytes is not kept. */
void mem_put(struct mem *, struct entry *);
void mem_drop(struct mem *, struct span key, struct span auth);
void mem_clear(struct mem *);
/* All that is held, the last used first. */
void mem_each(const struct mem *, void (*fn)(void *arg, const struct entry *), void *arg);
size_t mem_count(const struct mem *);
size_t mem_bytes(const struct mem *);

#endif
