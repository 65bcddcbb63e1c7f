/*
 * What a redirect asks for (RFC 9110 §15.4), as a pure function.
 *
 * 301 and 302 turn POST into GET as every client does, 303 turns all but HEAD into GET, 307 and 308 keep
 * method and body. Authorization and Cookie go along only within one origin (scheme, host, port).
 */
#ifndef HTTP_REDIRECT_H
#define HTTP_REDIRECT_H

#include <stdbool.h>

#include "base/str.h"

#define HTTP_REDIRECTS_MAX 5

struct buf;
struct url;

struct http_redirect {
	const char *method;	/* the next method: the given one or "GET" */
	bool drop_body;
	bool drop_auth;		/* the next URL is of another origin */
};

bool http_is_redirect(int status);	/* 301 302 303 307 308 */

/*
 * The next request; its absolute URL is appended to `next`, which `from` must not point into. -1 with
 * *why and the buffer as it was: not a redirect, no or malformed Location, or https to http.
 */
int http_redirect(int status, const char *method, const struct url *from, struct span location,
    struct buf *next, struct http_redirect *, const char **why);

#endif
