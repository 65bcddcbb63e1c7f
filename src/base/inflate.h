/*
 * Unpacks a zlib stream (RFC 1950, RFC 1951) that is whole in memory: git's objects. An engine, small and not
 * fast (about 50 MB/s): 2 KiB of program where zlib's own would be 12.
 *
 * The Adler-32 behind the stream is not looked at: who asks knows a hash of what comes out. What stands
 * behind the stream is not looked at either, as nobody may know where it ends.
 */
#ifndef BASE_INFLATE_H
#define BASE_INFLATE_H

#include "base/str.h"

struct buf;

/* Append to `out`. 0; ERR_DAMAGED; ERR_LIMIT: `out` takes no more. What came until then stays. */
int inflate_zlib(struct span in, struct buf *out);

#endif
