/*
 * A CARv1 file (store/car.h) whose root is a JSON list of the blocks it holds, [{"name":…,"cid":…}…]: written
 * to a descriptor, and read from one twice: checked as a whole, then taken block by block.
 *
 * What the blocks are is the caller's. One block is in memory at a time, at most CAR_BLOCK_MAX.
 */
#ifndef STORE_CARFILE_H
#define STORE_CARFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "store/car.h"

struct err;

struct carfile_writer {
	int fd;				/* borrowed, can be sought */
	struct buf block, list;
	size_t n;			/* blocks so far */
	uint64_t size;			/* bytes so far */
};

/* Each 0 or ERR_*. carfile_end writes the list and goes back to name it in the header. */
int carfile_begin(struct carfile_writer *, int fd, struct err *);
int carfile_add(struct carfile_writer *, const char *name, struct span bytes, struct err *);
int carfile_end(struct carfile_writer *, struct err *);
void carfile_writer_free(struct carfile_writer *);

/* Takes a block; negative ends the reading with that. */
typedef int carfile_fn(void *arg, const uint8_t digest[static CAR_DIGEST_LEN], struct span block,
    struct err *);

/* All blocks but the list, from the file's start. ERR_DAMAGED: a CID does not fit, or it is cut. With
 * `checked` also: the blocks are exactly those of the list, each once; `fn` has been called for all of them
 * by then, so it only looks. *n: how many. */
int carfile_each(int fd, bool checked, carfile_fn *fn, void *arg, size_t *n, struct err *);

#endif
