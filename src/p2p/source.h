/*
 * What the P2P side needs from the rest of the program, which it may not include: cli hands it in. All calls
 * answer at once, none blocks above 5 ms, none calls back into p2p/.
 */
#ifndef P2P_SOURCE_H
#define P2P_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct message_entry;

/* An entry as it is served: spans good until `release`. */
struct swarm_held {
	struct span image;		/* its file up to the value of `data`: message_put_hit's */
	struct span body;		/* with `fd` without a pointer: so many bytes of that file, */
	uint64_t at;			/* from here on */
	int fd;				/* -1 when `find` is called */
	uint64_t read;			/* bytes that `find` read for it, also in vain */
	void *entry;			/* the source's; the same for the same body */
};

struct swarm_source {
	/*
	 * The newest live entry of this key, or any of this CID (the other span is empty), that peers may
	 * have: own token's, or all with p2p.share, less the operations never shared. true with *held.
	 */
	bool (*find)(void *arg, struct span key, struct span cid, struct swarm_held *held);
	void (*release)(void *arg, struct swarm_held *);
	/* An announcement: is its key the one our own table makes of its url on our upstream, of an operation
	 * that is announced, and not overtaken by a local write? The longest life (s) we give it; negative:
	 * no. */
	int64_t (*judge)(void *arg, const struct message_entry *);
	/* Is somebody here asking GitHub for this key now? */
	bool (*asking)(void *arg, struct span key);
	/* A member says that what it holds below these paths (`/repos/o/r…`) from before `time` (µs, at most
	 * now) is stale: our lives may only get shorter. Once a message. */
	void (*invalidate)(void *arg, const struct span *prefixes, size_t n, int64_t time);
	/* By name, for the reference's peers: an entry's JSON
	 * {data,timestamp,ttl,content_hash,validation_fields}. get: false, none that may be shared. put:
	 * false, refused. */
	bool (*get_named)(void *arg, struct span key, struct buf *json);
	bool (*put_named)(void *arg, struct span key, struct span json);
	void *arg;
};

#endif
