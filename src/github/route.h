/*
 * What a GitHub API path is about: the operation and its lifetime, as one table (CLI.md, "Operations"). Pure.
 *
 * Patterns match whole paths, segment by segment, before the query: `{x}` one segment, `{n}` one of digits,
 * `{40hex}` one of 40 or 64 hex digits, a trailing `…` any rest (`/…` at least one segment), a leading `…`
 * the owner (a repository, organisation, user, enterprise, team, or nothing) and any segments after it.
 * `/repositories/{n}`, `/organizations/{n}`, `/user/{n}` stand for `/repos/{o}/{r}`, `/orgs/{o}`,
 * `/users/{u}`: GitHub's Link headers use them. Rows are tried in order; the specific stand before the
 * general. Paths are compared as sent, case included; what is not canonical is refused by route_target_ok and
 * passed through.
 */
#ifndef GITHUB_ROUTE_H
#define GITHUB_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum route_policy {
	ROUTE_TTL,		/* kept for the operation's TTL */
	ROUTE_ASK,		/* kept, asked again every time (TTL 0) */
	ROUTE_IMMUTABLE,	/* addressed by hash */
	ROUTE_NEVER		/* not stored */
};

struct route {
	const char *op;		/* "get_repo_info"; "other" for the last row; operation names are [a-z_]+ */
	enum route_policy policy;
	int32_t ttl;		/* default, seconds */
};

/* The row for a GET (or HEAD) of this path (query cut off by the caller or not: it is ignored), or for POST
 * /graphql. Never NULL: the last row matches any GET; another method gets one that is not in the table,
 * "other" with ROUTE_NEVER. Rows without an operation of their own (ROUTE_ASK, ROUTE_NEVER) are "other" too:
 * look at the policy before the TTL. */
const struct route *route_find(struct span method, struct span target);
/* By operation name, for `cache get/put` and TTL settings; "other" is the last row. NULL: there is none. */
const struct route *route_by_op(struct span op);
/* The rows in order, for help and man page: pattern text as the user reads it. NULL past the end. */
const struct route *route_at(size_t i, const char **pattern);

/* May an answer to this target be stored at all? No: a path with `.` or `..` segments, `//`, a backslash, an
 * encoded slash, backslash, control or unreserved character (RFC 3986 §2.3: it would be another spelling of a
 * path in the table), `%` without two hex digits; a query with access_token, client_secret, token, sig or
 * X-Amz-* (names, without case, decoded). */
bool route_target_ok(struct span target);

/* "/repos/{o}/{r}" at the front of a target (for .epochs and invalidation): the span of exactly that prefix,
 * or of "/repositories/{id}"; empty if the target is not below a repository. */
struct span route_repo_prefix(struct span target);

/* How many elements a full page of this list has: per_page of the query, 30 by default and for what is no
 * number, 100 at most. A last page that is full may get a successor without changing its ETag. */
int route_per_page(struct span target);

#endif
