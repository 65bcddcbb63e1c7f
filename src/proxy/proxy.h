/*
 * The daemon's policy: requests of local clients, answered through the cache or passed through. It never adds
 * a credential.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct cache;
struct err;
struct exchange;
struct http_client;
struct loop;
struct proxy;
struct recent;
struct route;
struct upstream;

enum proxy_rewrite { REWRITE_NONE, REWRITE_LINKS, REWRITE_ALL };

struct proxy_params {
	struct loop *loop;
	struct cache *cache;
	struct http_client *http;		/* for what is passed through */
	const struct upstream *upstream;
	struct recent *recent;			/* told of every answer that ended; NULL: nobody is */
	bool offline;		/* nobody is asked; clients of the unix socket get any token's answers */
	enum proxy_rewrite rewrite;
	bool any_ip;				/* clients may call us by any address (--listen-any) */
	size_t max_body;			/* of an answer that is rewritten */
	const char *const *body_paths;
	size_t nbody_paths;
	int64_t (*ttl)(void *arg, const struct route *);	/* the TTL in force */
	/* A request for /_ghoard…: answers it, and returns true; false: no such path. The exchange is whole
	 * (its body was thrown away). */
	bool (*control)(void *arg, struct exchange *, struct span path);
	void (*control_gone)(void *arg, struct exchange *);	/* perhaps before its answer */
	void *arg;
};

int proxy_new(const struct proxy_params *, struct proxy **, struct err *);
void proxy_free(struct proxy *);

/* The server's callbacks; `arg` is the proxy. */
void proxy_on_request(void *arg, struct exchange *);
void proxy_on_body(void *arg, struct exchange *, const void *, size_t);
void proxy_on_body_end(void *arg, struct exchange *);
void proxy_on_drained(void *arg, struct exchange *);
void proxy_on_gone(void *arg, struct exchange *);
bool proxy_on_again(void *arg, void *note, struct span *body);
void proxy_forget(void *arg, void *note);

#endif
