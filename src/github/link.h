/*
 * The Link field (RFC 8288 §3), as GitHub uses it for pages: absolute targets, rel next, prev, first, last.
 * Pure.
 */
#ifndef GITHUB_LINK_H
#define GITHUB_LINK_H

#include <stdbool.h>

#include "base/str.h"

struct buf;

/* Cut one `<url>; params` off the front; false at the end. */
bool link_next(struct span *rest, struct span *url, struct span *params);
/* The target with this rel; false: there is none. */
bool link_rel(struct span link, const char *rel, struct span *url);
/* One absolute URL is of this origin ("https://api.github.com")? */
bool link_of_origin(struct span url, const char *origin);
/* Every target is of this origin ("https://api.github.com")? True for an empty value. */
bool link_within(struct span link, const char *origin);
/*
 * What of another token's Link may be believed: append it without rel=last, if every target is of this origin
 * and has the path of `target` (or its /repositories/{id} form), `base` in front. Appends nothing otherwise.
 */
void link_believable(struct span link, const char *origin, const char *base, struct span target,
    struct buf *out);

#endif
