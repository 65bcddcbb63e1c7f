/*
 * A hit that may be given again as it is: the note that the proxy leaves with the server (http/heads), made
 * of the cache's pin and of what the page shows of a request.
 */
#ifndef PROXY_REPEAT_H
#define PROXY_REPEAT_H

#include <stdbool.h>

#include "base/str.h"

struct cache;
struct http_head;
struct lookup;
struct recent;
struct recent_request;
struct repeat;

/* From inside on_head, if this answer is one to be given again; NULL: it is not. `seen` is copied but for its
 * static texts; its outcome is the pin's. */
struct repeat *repeat_new(struct lookup *, const struct recent_request *seen, bool with_body);
void repeat_free(struct repeat *);

/* Once more? Then it is counted and noted, and *body is what goes out after the head. */
bool repeat_again(struct repeat *, struct cache *, struct recent *, int64_t now, struct span *body);

#endif
