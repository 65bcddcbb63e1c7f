/*
 * `::add-mask::` lines for a secret: what the runner's log then shows as ***. A pure writer.
 *
 * Given are: the value on one line (% CR LF as %25 %0D %0A); each of its lines of 4 characters or more,
 * trimmed; its base64 forms that the runner does not make itself (without padding and the last, undecided
 * character, for each of the three alignments; the URL alphabet; the 76-column lines of base64(1)); the
 * string leaves of a JSON value. White space alone is not masked: the runner refuses it.
 */
#ifndef ACTIONS_MASK_H
#define ACTIONS_MASK_H

#include <stddef.h>

#include "base/str.h"

struct buf;

#define MASK_LINE_LEAST 4
/* Room that `mask_write` takes at most for a value of `n` bytes, and `mask_each` for its scratch. */
#define MASK_ROOM(n) (48 * (n) + 4096)
#define MASK_SCRATCH(n) (8 * (n) + 256)

/* Call `one` for each text that is to be hidden. `scratch` is empty, has room for MASK_SCRATCH and is used.
 */
void mask_each(struct span value, struct buf *scratch, void (*one)(void *arg, struct span), void *arg);
/* What a filter of our own looks for as well, and the runner makes itself: base64 that needs no padding, the
 * value in a JSON string, and with %XX as the common encoders write it. */
void mask_forms(struct span value, struct buf *scratch, void (*one)(void *arg, struct span), void *arg);
/* The lines; out->failed where there was no room. */
void mask_write(struct span value, struct buf *scratch, struct buf *out);

#endif
