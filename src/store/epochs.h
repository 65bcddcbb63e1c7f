/*
 * `.epochs`: from when on stored answers must be asked again. Nothing is deleted by search; a row (who, path
 * prefix, time) makes every older entry it matches stale, at once and for all processes.
 *
 * Text, one row a line: time in µs, a tab, a token's tag or `*`, a tab, the prefix. A prefix matches whole
 * segments, `*` in it any one segment; the query does not count. It begins with `/` and has the bytes '!' to
 * '~' alone: a line that has others is none. At most EPOCHS_MAX rows: when
 * they are full the oldest quarter becomes one, for everybody and everything; rows older than EPOCHS_KEEP go
 * at each write. What peers said stands as EPOCHS_SAID in place of `*`: of those at most EPOCHS_SAID_MAX, and
 * one of "/" with the time of the last that had to go for the next: peers cannot fill the list, and what they
 * said is never forgotten.
 */
#ifndef STORE_EPOCHS_H
#define STORE_EPOCHS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct epochs;
struct err;
struct store;

#define EPOCHS_MAX 4096
#define EPOCHS_SAID "+"
#define EPOCHS_SAID_MAX 1024
#define EPOCHS_KEEP_S 604800		/* s: the longest TTL a setting allows */

/* Both NULL-safe: without a store, rows live in memory. NULL: no memory. */
struct epochs *epochs_new(struct store *);
void epochs_free(struct epochs *);

/* The newest row that matches, in µs; 0: none. Rereads the file when it has changed. */
int64_t epochs_latest(struct epochs *, struct span auth, struct span target);
/* The same of what is known, without a look at the file. */
int64_t epochs_known(const struct epochs *, struct span auth, struct span target);
/* A number that changes with every row that is added or moved. Rereads the file when it has changed. */
uint64_t epochs_version(struct epochs *);
/* May a row have this prefix? Without `wild` no `*`: who hears of it from elsewhere asks first. */
bool epochs_prefix_ok(struct span prefix, bool wild);
/* Add rows for one `auth` ("*" for all, EPOCHS_SAID: by a peer) at `time`, in one write. They count here even
 * if the file cannot be written (ERR_IO). ERR_PROTO: a prefix or `auth` that no row may have, and nothing was
 * added. */
int epochs_add(struct epochs *, struct span auth, const struct span *prefixes, size_t n, int64_t time,
    struct err *);

#endif
