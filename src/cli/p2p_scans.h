/*
 * Scans through peers (FORMATS §4, §6): what peers may have of ours, and asking them for a command.
 *
 * Only entries that everybody's checks may use and that a key of codeql.trusted_keys signed travel, and the
 * SARIF that such an entry names. They are not announced: up to three members are asked by key.
 */
#ifndef CLI_P2P_SCANS_H
#define CLI_P2P_SCANS_H

#include <stdbool.h>

#include "base/str.h"

struct app;
struct exchange;
struct scan_peers;
struct share;
struct swarm_held;

/* As swarm_source's find, whose release lets it go. */
bool p2p_scans_find(struct app *, struct span key, struct span cid, struct swarm_held *);
/* Answer a GET of /_ghoard/scan?key= or ?cid=: the entry's file, or the SARIF; else 404. `share`: NULL, none.
 */
void p2p_scans_ask(struct share *, struct exchange *, struct span query);
/* The exchange has gone; one that never asked is fine. */
void p2p_scans_gone(struct exchange *);

/* For scans_open: through the daemon on app's socket, if it is ours. `app` outlives it. */
void p2p_scans_peers(struct app *, struct scan_peers *);

#endif
