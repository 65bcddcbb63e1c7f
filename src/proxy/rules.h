/*
 * What the daemon decides before anything is asked: whose host a request names, whether a web page sent it,
 * what its Cache-Control wants, and how addresses in answers are rewritten. Pure.
 */
#ifndef PROXY_RULES_H
#define PROXY_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct cache_ask;
struct http_head;
struct upstream;

enum rules_host {
	RULES_API,		/* the upstream, or a name for us: answered through the cache */
	RULES_PASS,		/* a host GitHub sends its clients to: passed through, on the unix socket */
	RULES_FOREIGN		/* anything else: 421 */
};

/* Of a Host value or an absolute target's authority, without port: api.github.com, uploads.github.com, the
 * upstream's own name, loopback names; github.com, codeload.github.com (archives), *.githubusercontent.com,
 * *.actions.githubusercontent.com, *.blob.core.windows.net. */
enum rules_host rules_host(struct span host, const struct upstream *);
/* May Authorization and Cookie go to this host, may methods other than GET and HEAD? */
bool rules_gets_auth(struct span host, const struct upstream *);
bool rules_read_only(struct span host);

/* Did a web page of another origin send this (Origin, Sec-Fetch-Site)? `authority` is what the client calls
 * us. */
bool rules_is_foreign_page(const struct http_head *, struct span authority);

/* Named by the message's Connection: between the client and us alone (RFC 9110 §7.6.1). */
bool rules_is_hop(const struct http_head *, struct span name);

/* The path as the upstream has it: "/api/v3" cut off, "/api/graphql" and "/api/v3/graphql" made "/graphql".
 * Points into target or static text. */
struct span rules_target(struct span target);

/* Cache-Control of a request (RFC 9111 §5.2.1). */
void rules_cache_control(const struct http_head *, struct cache_ask *);

/* Does an If-None-Match value (a list, or "*") match this tag, weakly? */
bool rules_etag_in(struct span list, struct span tag);

/* Replace every `from` that is followed by "/", "?", a quote, ">" or the end by `to`. */
void rules_rewrite(struct span text, struct span from, struct span to, struct buf *out);

#endif
