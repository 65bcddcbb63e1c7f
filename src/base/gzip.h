/*
 * Compression to gzip (RFC 1952) through zlib: the only file that knows it. Nothing here unpacks.
 *
 * The output is appended to a buf as it comes; the same input gives the same bytes (no name, no time).
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include <stddef.h>

struct buf;
struct gzip;

/* About 270 KiB while it lives. NULL: no memory. `out` is borrowed until gzip_free. */
struct gzip *gzip_new(struct buf *out);
/* 0, or ERR_LIMIT when `out` takes no more. */
int gzip_add(struct gzip *, const void *, size_t n);
int gzip_end(struct gzip *);
void gzip_free(struct gzip *);

#endif
