/*
 * Entries by name between the store and the reference's peers (FORMATS §4): what they may have, and what of
 * theirs is kept. In their form an entry is {data,timestamp,ttl,content_hash,validation_fields}.
 *
 * Sent: live JSON of the operations that p2p.share_operations lists. Kept: what would also be read from a
 * file of the reference's: its hash fits, its time is not ahead, it still lives. It lives no longer than our
 * own would, and replaces nothing newer.
 */
#ifndef CLI_P2P_NAMED_H
#define CLI_P2P_NAMED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "p2p/peerid.h"

struct app;
struct buf;

#define P2P_NAMED_PEERS_MAX 64

bool p2p_named_is_listed(const struct app *, struct span op);
/* The ids that bootstrap_peers and peer_allowlist name, as far as these stand outside the checkout: how many.
 */
size_t p2p_named_peers(const struct app *, struct peerid out[static P2P_NAMED_PEERS_MAX]);

/* swarm_source's; `arg` is the app. */
bool p2p_named_get(void *arg, struct span key, struct buf *json);
bool p2p_named_put(void *arg, struct span key, struct span json);

#endif
