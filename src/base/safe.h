/*
 * Memory for secrets: a region of its own that is kept out of swap and core files and is overwritten before
 * it goes.
 *
 * A region is one mapping of fixed size, locked where the limit allows it (MLOCK_ONFAULT: a page counts when
 * it is used), marked MADV_DONTDUMP. Pieces are taken from its front and go all at once with safe_free.
 * Values, keys and what is made of values (masks, lines of an environment file, a child's environment) live
 * here and nowhere else; the struct is owned by who declared it.
 */
#ifndef BASE_SAFE_H
#define BASE_SAFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

struct safe {
	uint8_t *base;
	size_t size, used;
	bool locked;			/* what is in it is never swapped */
};

/* 0, or ERR_INTERNAL: no memory. Not being allowed to lock is no failure. */
int safe_new(struct safe *, size_t size, struct err *);
/* Keep it out of swap where that is allowed: safe_new did, but a fork's copy is not locked. */
void safe_lock(struct safe *);
/* Overwrites and unmaps; fine twice. */
void safe_free(struct safe *);

/* `n` bytes of zeros, aligned to 16; NULL: the region is full. */
void *safe_take(struct safe *, size_t n);
/* A buffer with the ceiling `max` in the region, which never moves; `failed` if the region is full. It is not
 * freed: buf_clear after a wipe, or nothing. */
void safe_buf(struct safe *, struct buf *, size_t max);
/* Empty such a buffer and overwrite what it held. */
void safe_buf_clear(struct buf *);

/* No core file and no look from other processes of the same user (PR_SET_DUMPABLE, the soft RLIMIT_CORE).
 * Both go back at execve but the limit: safe_soften gives that back, in a child before it runs a program. */
void safe_harden(void);
void safe_soften(void);

/* Overwrite the stack below the caller, where what it called may have left pieces of keys. */
void safe_scrub_stack(void);

#endif
