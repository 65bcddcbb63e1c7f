/*
 * What commands share: settings in force, the store, and the way to GitHub. Built in steps, each only when a
 * command needs it.
 */
#ifndef CLI_APP_H
#define CLI_APP_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/cache.h"
#include "github/identity.h"
#include "github/request.h"
#include "http/origin.h"

struct err;
struct gc;
struct globals;
struct settings;

struct app {
	const struct globals *globals;
	struct settings *settings;
	char *cache_dir;		/* as in force */
	struct store *store;		/* NULL: none could be opened */
	struct metrics *metrics;
	struct epochs *epochs;
	/* the way to GitHub */
	struct loop *loop;
	struct http_env env;
	struct http_client *http;
	struct upstream upstream;
	struct identity id;		/* of the environment's token */
	struct mem *mem;
	struct cache_layer *layers[4];
	struct cache_layer *peers;	/* the one of them that asks peers; NULL: none */
	size_t nlayers;
	struct cache *cache;
	bool is_daemon;			/* lives on: stale answers may be renewed beside */
	char daemon[256];		/* the running daemon's socket; "" none */
	bool collect;			/* enough was stored: collect before exit */
};

/* Settings alone. ERR_CONFIG. */
int app_open(struct app *, const struct globals *, struct err *);
/* The store and the counters. A folder that must not be used is ERR_DENIED; one that cannot be written is a
 * warning (and, with `need`, ERR_IO). */
int app_open_store(struct app *, bool need, struct err *);
/* Identity, loop, HTTP, layers, cache. `authorization` (p == NULL: the environment's token) is what -H gave.
 */
int app_open_cache(struct app *, struct span authorization, struct err *);
/* Count what a collection did. */
void app_note_collection(struct app *, const struct gc *);
/* The credential folder's counters, to be freed; NULL: there is no such folder. */
struct metrics *app_cred_metrics(const struct app *);
/* Collect if enough was stored, then close everything. NULL-safe members throughout. */
void app_close(struct app *);
/* The same, but it is as after app_open, with the settings that it had. */
void app_reopen(struct app *);

/* All counters: those of the cache and those of the folder of scans; metrics_free it. NULL: no memory. */
struct metrics *app_all_metrics(const struct app *);
/* The environment's token: GH_TOKEN, then GITHUB_TOKEN; NULL: none. */
const char *app_token(void);
/* TTL in force for an operation: the setting where there is one, else the route's. */
int64_t app_ttl(const struct app *, const struct route *);

/* One progress line on a terminal's stderr, rewritten; nothing elsewhere. `total` 0: not known. `done` ends
 * the line. */
void app_progress(const char *what, size_t n, size_t total, bool done);

#endif
