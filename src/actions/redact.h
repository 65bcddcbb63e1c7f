/*
 * A filter that hides secrets in a stream: every occurrence of a given text becomes ***, also one that comes
 * in pieces.
 *
 * Pure: bytes in, bytes out. What could be the beginning of a text is held back until it is clear; redact_end
 * gives the rest. Overlapping occurrences become one ***. The texts are borrowed and must outlive the filter.
 */
#ifndef ACTIONS_REDACT_H
#define ACTIONS_REDACT_H

#include <stddef.h>

#include "base/str.h"

struct buf;
struct redact;

#define REDACT_MAX 4096		/* texts */

struct redact *redact_new(void);		/* NULL: no memory */
void redact_free(struct redact *);
/* Texts shorter than 1 byte are ignored; false: no memory, or more than REDACT_MAX. Before any redact_feed.
 */
int redact_hide(struct redact *, struct span text);

/* Append what is clear of the stream so far to `out`. */
void redact_feed(struct redact *, struct span in, struct buf *out);
void redact_end(struct redact *, struct buf *out);

#endif
