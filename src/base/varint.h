/*
 * Unsigned varint (multiformats/unsigned-varint): 7 bits a byte, least significant first, at most 9 bytes (63
 * bits), shortest form only.
 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX_LEN 9

/* Writes 1..9 bytes and returns how many; `v` < 2^63. */
size_t varint_put(uint8_t out[static VARINT_MAX_LEN], uint64_t v);
/* Bytes consumed; -1 not a varint (too long, not shortest); -2 more bytes are needed. */
int varint_get(const void *, size_t n, uint64_t *v);

#endif
