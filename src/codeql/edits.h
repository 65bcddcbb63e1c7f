/*
 * Changes to a text by offset: ranges that go and texts that come in, applied while the text is copied.
 *
 * So what came from elsewhere is handed on byte for byte but for them, and never parsed into a tree and
 * written again.
 */
#ifndef CODEQL_EDITS_H
#define CODEQL_EDITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct err;

struct edits {
	struct edit *list;
	size_t n, room;
	struct buf texts;
};

void edits_init(struct edits *);
void edits_free(struct edits *);
/* [from, to) goes. Ranges may touch, not overlap. ERR_INTERNAL: no memory. */
int edits_cut(struct edits *, uint64_t from, uint64_t to);
/* `text` comes in before the byte at `at`, and before a range that goes from there on. */
int edits_put(struct edits *, uint64_t at, struct span text);

/* Copy `fd` from offset 0 on to `out`. ERR_IO, ERR_DAMAGED (the text is shorter than the edits, or they
 * overlap), or what `out` returned. */
int edits_apply(struct edits *, int fd, int (*out)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *);

#endif
