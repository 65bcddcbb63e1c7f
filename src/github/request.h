/*
 * One GitHub API request in canonical form: which route it is, whether its answer may be kept, under which
 * key, and exactly what goes upstream. Pure.
 *
 * Request key = operation ‖ ":" ‖ method if not GET ‖ target ‖ ":" ‖ variant; variant = 16 hex of SHA-256
 * over the length-prefixed list: profile, upstream's address, Accept class, API version, other X-GitHub-*
 * fields (sorted), SHA-256 of a keyed body. Accept absent, empty, `*` `/` `*`, application/json,
 * application/vnd.github+json and …v3+json are one class, sent as its canonical value, so every client gets
 * the same bytes. Upstream go our own User-Agent and no Accept-Encoding but identity; never
 * If-Modified-Since.
 */
#ifndef GITHUB_REQUEST_H
#define GITHUB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/client.h"

struct err;
struct identity;
struct route;

#define REQUEST_HEADERS_MAX 48
#define REQUEST_PROFILE "ghoard-1"

/* Where GitHub is: GITHUB_API_URL in its parts. */
struct upstream {
	char origin[300];		/* "https://api.github.com" */
	uint16_t host_at, host_len;	/* its host in it */
	char base[256];			/* path before every target: "" or "/api/v3" */
	const char *agent;		/* our User-Agent, "ghoard/1.2.3"; the caller's to set */
};

/* https anywhere, http on loopback only; no query. ERR_CONFIG with a sentence. */
int upstream_parse(struct upstream *, const char *url, struct err *);
struct span upstream_host(const struct upstream *);
/* The target of an absolute URL below this upstream ("/user" of "https://api.github.com/user"); false: it is
 * elsewhere. */
bool upstream_target(const struct upstream *, struct span url, struct span *target);

struct request {
	const struct upstream *upstream;
	const struct identity *id;
	char method[16];
	struct buf target;		/* path and query as sent */
	struct http_header headers[REQUEST_HEADERS_MAX]; /* what goes upstream, without If-None-Match */
	size_t nheaders;
	struct buf text;		/* what the headers point into; wiped */
	bool has_body;
	struct span body;		/* borrowed; empty where it is streamed */
	bool streamed;			/* the body comes after cache_start, by cache_send */
	int64_t length;			/* of a streamed body; -1: chunked */
	const struct route *route;
	const char
	    *bypass; /* NULL: may be kept; else why not: "method", "body", "route", "header", "target" */
	bool is_head;			/* HEAD: looked up as GET, stores nothing */
	struct span accept;		/* as sent upstream */
	struct buf key, variant, url;	/* "" where bypass is set, but url */
	int64_t ttl;			/* s: set by request_init from the route; the caller may change it */
};

struct request_in {
	const char *method;
	struct span target;		/* begins with "/" */
	const struct http_header
	    *headers; /* the client's, any; Authorization, Host, Content-Length are ignored */
	size_t nheaders;
	bool has_body;
	struct span body;
	bool streamed;			/* never keyed by its body */
	int64_t length;
	const char *const *body_paths;	/* POST to these is keyed by body (copilot_completion) */
	size_t nbody_paths;
};

/* Copies what it is given but `body`, `upstream` and `id`, which must outlive it. ERR_USAGE: method, target
 * or a header is malformed. */
int request_init(struct request *, const struct upstream *, const struct identity *,
    const struct request_in *, struct err *);
/* A copy of a request without a body, for an identity that lives longer; ERR_INTERNAL. */
int request_copy(struct request *to, const struct request *from, const struct identity *);
void request_wipe(struct request *);

/* Value of a header that goes upstream; p == NULL: none. */
struct span request_header(const struct request *, const char *name);

#endif
