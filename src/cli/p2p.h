/*
 * Sharing as the daemon composes it from the settings: what peers may have of the store, what is believed of
 * their announcements, and the layer that asks them (p2p/source.h, cache/layer.h).
 */
#ifndef CLI_P2P_H
#define CLI_P2P_H

#include <stdbool.h>
#include <stdint.h>

struct app;
struct cache_layer;
struct err;
struct json;
struct share;
struct swarm_params;

/* The layer, still without a network. NULL: no memory. */
struct cache_layer *p2p_layer(struct app *);
/* The share and its swarm; `app` outlives it. The group key is copied. */
int p2p_open(struct app *, const uint8_t *group_key, const struct swarm_params *, struct share **,
    struct err *);
/* What was asked, served and heard, as numbers under `sharing` of a JSON object. */
void p2p_report(const struct share *, struct json *);
/* The layer asks nobody any more, and the share is freed. NULL is fine. */
void p2p_close(struct app *, struct share *);

#endif
