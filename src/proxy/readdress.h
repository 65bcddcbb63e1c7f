/*
 * Answers in which the upstream's addresses become the daemon's own: Link and Location, and on request JSON
 * bodies. The stored bytes stay as GitHub sent them.
 */
#ifndef PROXY_READDRESS_H
#define PROXY_READDRESS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

struct http_head;

struct readdress {
	const char *base;		/* the upstream's addresses begin so; borrowed */
	struct buf own;			/* what that becomes; empty: it stays */
	struct buf values;		/* rewritten field values */
};

void readdress_init(struct readdress *, const char *base);
void readdress_free(struct readdress *);
/* The client calls us by this authority, and by this path before every target. */
void readdress_to(struct readdress *, struct span authority, const char *path);
bool readdress_is_on(const struct readdress *);

/* `from` as it goes to the client, which is no web page: without Access-Control-*. The values of `to` are
 * good until the next call. */
void readdress_head(struct readdress *, const struct http_head *from, struct http_head *to);
/* Appended to `out`, which may be `failed` after. */
void readdress_body(const struct readdress *, struct span body, struct buf *out);

#endif
