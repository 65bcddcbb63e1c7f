/*
 * The store's `.lock`: what must not run twice at once takes a byte of it each. Readers and writers of
 * entries take none.
 *
 * Locks of the open file description (fcntl(2), Linux 3.15), which end with the descriptor; flock(2), which
 * is one lock for all, where the kernel has none.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>

struct store;

enum lock_what { LOCK_EPOCHS, LOCK_COLLECTION };

/* An fd to hand to lock_release, -1: somebody else has it (without `wait`), or the store is read-only. */
int lock_take(struct store *, enum lock_what, bool wait);
void lock_release(int fd);

#endif
