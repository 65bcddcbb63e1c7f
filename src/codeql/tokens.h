/*
 * base/jscan with its tokens: for each event the text of the key, string or number, also where it straddles
 * two pieces of the input.
 *
 * A token above TOKENS_MAX is given as an empty span with p == NULL; its offsets are right all the same.
 */
#ifndef CODEQL_TOKENS_H
#define CODEQL_TOKENS_H

#include "base/buf.h"
#include "base/jscan.h"
#include "base/str.h"

#define TOKENS_MAX ((size_t)64 << 10)

struct tokens {
	struct jscan scan;
	struct buf held;		/* of a token whose end has not come */
	uint64_t held_at;		/* its offset */
};

/* `raw` (with quotes) is good during the call. A negative return ends the walk and is returned. */
typedef int tokens_fn(void *arg, enum jscan_event, struct span raw);

void tokens_init(struct tokens *);
void tokens_free(struct tokens *);
/* 0, ERR_DAMAGED: not JSON, or what `fn` returned. scan.start and scan.end are those of the event. */
int tokens_feed(struct tokens *, const void *, size_t n, tokens_fn *fn, void *arg);
/* The input is over: 0, or ERR_DAMAGED. */
int tokens_end(struct tokens *, tokens_fn *fn, void *arg);

#endif
