/*
 * Compressed bitmaps as git writes them (EWAH; gitformat-bitmap(5), Appendix A): an engine.
 *
 * u32 bits, u32 words, the words (u64), u32 the place of the last marker; all big-endian. A marker word says
 * how many words of one bit value follow by count (bits 1-32, the value in bit 0) and how many words stand as
 * they are (bits 33-63).
 */
#ifndef CODEQL_EWAH_H
#define CODEQL_EWAH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* Set bytes[i] = 1 for each bit i that is set, of `n`. Returns the bytes of `in` that the bitmap takes; -1:
 * it is malformed, cut off, or sets a bit that is not below n. */
ssize_t ewah_expand(struct span in, uint8_t *bytes, size_t n);

#endif
