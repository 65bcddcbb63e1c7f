/*
 * New entries out of answers: from a 200, from a 304 on what we hold, from a 304 on another token's body. And
 * the conditions that ask for them. Pure.
 */
#ifndef CACHE_RENEW_H
#define CACHE_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct answer;
struct entry;
struct err;
struct request;

#define RENEW_301_TTL 300

/* A stored body of this request. ERR_DENIED: a Link to the next page, or a Location, leaves the upstream:
 * without it the entry would say something else than the answer. */
int renew_from_200(const struct request *, const struct answer *, int64_t ttl, unsigned *dropped,
    struct entry **, struct err *);
/* The same body, with the 304's fields laid over the stored ones (RFC 9111 §4.3.4). */
int renew_from_304(const struct request *, const struct entry *own, const struct answer *, int64_t ttl,
    struct entry **, struct err *);
/* Another token's body, proven for this one: only its content's fields are believed (FORMATS §2). */
int renew_from_candidate(const struct request *, const struct entry *candidate, const struct answer *,
    int64_t ttl, struct entry **, struct err *);

/*
 * A list's full page without a rel=next: a successor page may have appeared without changing these bytes or
 * their ETag, so it is asked without condition.
 */
bool renew_is_full_last_page(const struct request *, const struct entry *);

/* Is this body a list (an array, or {"total_count":…,"things":[…]})? Its other pages are cut from the same
 * things. */
bool renew_is_list(struct span body);

/* The body "[]", proven by its derived tag: an empty list. */
int renew_from_empty(const struct request *, const struct answer *, int64_t ttl, struct entry **,
    struct err *);

/* May another token's body be offered as a condition? It came with an ETag, it is no full last page, and its
 * link to the next page, if it has one, can be believed: else its 304 would make a list look shorter than it
 * is. */
bool renew_is_usable_candidate(const struct request *, const struct entry *);

#endif
