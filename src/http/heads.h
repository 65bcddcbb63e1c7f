/*
 * Requests that come again: heads of this server's last requests, byte for byte, each with the head of the
 * answer it got and the application's note on it.
 *
 * Clients that poll send the same bytes again and again. The same bytes mean the same request, by the same
 * token, so nothing has to be parsed or derived anew; whether the same answer is still right is the
 * application's to say, each time. An answer's head holds times, so a note is good for a second or so and
 * then forgotten: that also bounds how long a head, with its Authorization, stays here. All of it is wiped.
 *
 * HEADS_SETS × HEADS_WAYS slots, heads up to HEADS_LEN_MAX. Heads are found by SipHash under a random key and
 * then compared whole: a stranger's guess at a token learns nothing from the time it takes.
 */
#ifndef HTTP_HEADS_H
#define HTTP_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct heads;

#define HEADS_SETS 64
#define HEADS_WAYS 4
#define HEADS_LEN_MAX 2048
#define HEADS_SEEN 1024			/* hashes of heads that came once */
#define HEADS_MS 1000			/* so long after it was made a note is forgotten */

struct heads_slot {
	uint64_t hash;
	unsigned door;			/* by which listener it came: others have other rules */
	struct buf ask, answer;		/* the two heads, with their empty lines */
	void *note;			/* NULL: the slot is free */
	int64_t due;			/* ms */
};

/* `forget` is told of every note that is dropped. NULL: no memory, or no random key. */
struct heads *heads_new(void (*forget)(void *arg, void *note), void *arg);
void heads_free(struct heads *);

/* The slot of a request head that starts `in`, whose own empty line ends it; *len becomes its length. NULL:
 * not known. Good until the next call of any kind. */
struct heads_slot *heads_find(struct heads *, unsigned door, struct span in, size_t *len, int64_t now);

/* Did this head come before, of late? To be asked before a note is made: of what comes once none is wanted.
 */
bool heads_seen(struct heads *, unsigned door, struct span ask);
/* Take a note, and make room for the answer's head: the caller fills `answer`. NULL, and the note is
 * forgotten: there is no memory. */
struct heads_slot *heads_keep(struct heads *, unsigned door, struct span ask, void *note, int64_t now);
void heads_drop(struct heads *, struct heads_slot *);
/* Forget what is due; once a second. */
void heads_sweep(struct heads *, int64_t now);

#endif
