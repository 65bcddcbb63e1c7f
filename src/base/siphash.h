/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012): a hash under a key, for tables
 * whose keys come from strangers or hold secrets. Without the key nobody can make two inputs collide, or
 * learn from a look-up's time how much of a guess was right. Not a MAC for files or messages: 64 bits.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stdint.h>

#include "base/str.h"

struct siphash_key {
	uint64_t k[2];			/* random */
};

uint64_t siphash(const struct siphash_key *, struct span);

#endif
