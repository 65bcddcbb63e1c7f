/*
 * GitHub's ETags: entity tags as RFC 9110 §8.8.3 has them, and the rule by which GitHub makes them.
 *
 * ETag = SHA-256 over `Accept` ":" `Authorization` ":" body (each header only if sent; no Cookie is ever
 * sent), in hex, in quotes. So a body that one token fetched gives the ETag another token would get. The rule
 * is nowhere promised: a breaker watches it on every 200, and three disagreements in a row switch the
 * derivation off for that Accept class.
 */
#ifndef GITHUB_ETAG_H
#define GITHUB_ETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ETAG_LEN 66			/* "\"<64 hex>\"" */
#define ETAG_BREAK_AFTER 3

/* `authorization` empty: none was sent. */
void etag_derive(char out[static ETAG_LEN + 1], struct span accept, struct span authorization,
    struct span body);
/* Weak comparison (RFC 9110 §8.8.3.2): W/ does not count. */
bool etag_same(struct span, struct span);
/* A well-formed entity tag that may stand in If-None-Match? */
bool etag_ok(struct span);

struct etag_breaker {
	unsigned differ;		/* in a row */
	bool open;			/* derivation is off */
	bool warned;
};

/* Tell what a 200 showed. true when this opened the breaker. */
bool etag_breaker_note(struct etag_breaker *, bool agrees);

#endif
