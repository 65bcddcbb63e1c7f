/*
 * CARv1 archives (ipld.io/specs/transport/car/carv1) as a reader and a writer: header and blocks, no policy.
 *
 * header = uvarint length ‖ dag-cbor {"roots": [CID], "version": 1}; block = uvarint length ‖ CID ‖ bytes,
 * with CIDv1 raw sha2-256 CIDs throughout (`01 55 12 20` ‖ digest). The writer needs the root's digest first.
 * The reader checks every block against its CID and refuses anything else: other CID kinds, several roots,
 * blocks above CAR_BLOCK_MAX, truncation.
 */
#ifndef STORE_CAR_H
#define STORE_CAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct buf;
struct err;

#define CAR_BLOCK_MAX ((size_t)72 << 20)
#define CAR_DIGEST_LEN 32

/* Append to `out`. */
void car_put_header(struct buf *out, const uint8_t root[static CAR_DIGEST_LEN]);
void car_put_block(struct buf *out, const uint8_t digest[static CAR_DIGEST_LEN], const void *, size_t);

/* Parse at [p, p+n): bytes consumed, -1 bad (sentence in err), -2 more are needed. */
ssize_t car_get_header(const void *p, size_t n, uint8_t root[static CAR_DIGEST_LEN], struct err *);
/* The block's bytes point into p; the digest has been checked. */
ssize_t car_get_block(const void *p, size_t n, uint8_t digest[static CAR_DIGEST_LEN], struct span *block,
    struct err *);

#endif
