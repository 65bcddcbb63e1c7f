/*
 * The chunked transfer coding (RFC 9112 §7.1): an engine that strips the framing.
 *
 * Strict: sizes are 1 to 15 hex digits, lines end in CRLF, extensions are skipped but bounded, no bare CR
 * or LF. Trailer fields are checked for form, counted against HTTP_HEAD_MAX and dropped. Feeds of any
 * size give the same result.
 */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_CHUNK_LINE_MAX 4096	/* a size line with its extensions and CRLF */

struct http_chunk {
	uint64_t left;		/* of the current chunk */
	uint32_t line;		/* bytes of the current line */
	uint32_t trailer;	/* bytes of the trailer section */
	uint8_t st;
	bool done;		/* the last chunk and its trailers have been read */
	bool bad;		/* sticky */
};

void http_chunk_init(struct http_chunk *);

/*
 * Consume from [p, p+n); *data and *ndata give a stretch of body bytes inside what was consumed (maybe
 * empty). Returns the bytes consumed, -1 bad (*why a phrase). Stops after one stretch of data, after the
 * end (`done`), or when all is consumed: call again while it returns > 0. A call that returns -1 gives no
 * data.
 */
ssize_t http_chunk_feed(struct http_chunk *, const void *p, size_t n, const uint8_t **data, size_t *ndata,
    const char **why);

#endif
