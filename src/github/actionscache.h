/*
 * A client of the Actions cache service, version 2, on the loop: keep a blob under a key, get one back.
 * What stands in the words is github/cachewire.h; keys of other branches are listed and deleted through the
 * REST API (github/cachelist.h).
 *
 * Keeping is CreateCacheEntry, one PUT to a signed URL (at most CACHEWIRE_PUT_MAX; the blocks that Azure
 * wants above it are not implemented), FinalizeCacheEntryUpload. Getting is GetCacheEntryDownloadURL and one
 * GET. The token goes to the service alone: not to signed URLs, which other hosts serve, nor along redirects,
 * which only the GET follows. As the official client does, 500, 502, 503, 504 and a failing network are tried
 * ACTIONSCACHE_TRIES times, 3 s apart and each time half as long again; 429 never.
 *
 * One operation at a time. Nothing here blocks.
 */
#ifndef GITHUB_ACTIONSCACHE_H
#define GITHUB_ACTIONSCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "github/cachewire.h"

struct actionscache;
struct err;
struct http_client;
struct loop;

#define ACTIONSCACHE_TRIES 5
#define ACTIONSCACHE_RETRY_MS 3000

struct actionscache_params {
	struct loop *loop;
	struct http_client *http;
	const char *url;		/* ACTIONS_RESULTS_URL */
	struct span token;		/* ACTIONS_RUNTIME_TOKEN */
	const char *mode;		/* ACTIONS_CACHE_MODE; may be NULL */
	const char *server;		/* GITHUB_SERVER_URL; may be NULL */
	const char *agent;
	int64_t retry_ms;		/* 0: ACTIONSCACHE_RETRY_MS */
};

/* All is copied but loop, http and agent. ERR_CONFIG: the URL is none of https (or loopback), no token. */
int actionscache_new(const struct actionscache_params *, struct actionscache **, struct err *);
/* Cancels. NULL is fine. */
void actionscache_free(struct actionscache *);
const struct cachewire_rights *actionscache_rights(const struct actionscache *);

struct actionscache_end {
	const struct err *err;		/* cls 0: as follows */
	bool ok; /* put: it is kept; false: the key is taken. get: false: there is none */
	struct span matched;		/* get: the key of what came */
};
/* Once, not before the call that started it has returned; may start the next. */
typedef void actionscache_done(void *arg, const struct actionscache_end *);

struct actionscache_blob {
	struct span bytes;		/* p NULL: the file, from its start */
	int fd;
	uint64_t size;			/* of the file */
};

/* `key`, `version` are copied; the blob's bytes or fd must last until the end. ERR_DENIED: may not write;
 * ERR_LIMIT: too large, or one runs. */
int actionscache_put(struct actionscache *, struct span key, struct span version,
    const struct actionscache_blob *, actionscache_done *, void *arg, struct err *);
/* The newest entry of `key`, else of what begins with one of `restore`. `on_body` gets the content; a
 * negative return ends it with that class and err. */
int actionscache_get(struct actionscache *, const struct cachewire_ask *,
    int (*on_body)(void *arg, const void *, size_t, struct err *), actionscache_done *, void *arg,
    struct err *);
/* From the first byte of content on: the key of what comes. */
struct span actionscache_matched(const struct actionscache *);
/* No end is told. */
void actionscache_cancel(struct actionscache *);

#endif
