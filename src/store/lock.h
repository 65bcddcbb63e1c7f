/*
 * The store's `.lock`: flock(2), for what must not run twice at once (epochs, collection). Readers and
 * writers of entries take none.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>

struct store;

/* An fd to hand to lock_release, -1: somebody else has it (without `wait`), or the store is read-only. */
int lock_take(struct store *, bool wait);
void lock_release(int fd);

#endif
