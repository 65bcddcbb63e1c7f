/*
 * Random bytes from the kernel: getrandom(2), and where the kernel does not know it (before Linux 3.17),
 * /dev/urandom after /dev/random has shown readable once. Failure is an error the caller must act on: nothing
 * is made up.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct err;

int rand_bytes(void *, size_t n, struct err *);
/* Below `bound` (> 0), for jitter and names: not a secret; falls back to the clock. */
uint32_t rand_below(uint32_t bound);

#endif
