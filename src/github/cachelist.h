/*
 * Entries of a repository's Actions cache by GitHub's REST API: the newest keys that begin so, of all
 * branches, and deleting one. Contents are not to be had here (github/actionscache.h). Needs a token with
 * actions: read, to delete actions: write.
 */
#ifndef GITHUB_CACHELIST_H
#define GITHUB_CACHELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct cachelist;
struct err;
struct http_client;
struct identity;
struct upstream;

#define CACHELIST_MAX 100		/* one page */
#define CACHELIST_BODY_MAX ((size_t)256 << 10)

struct cachelist_params {
	struct http_client *http;
	const struct upstream *upstream;
	const struct identity *id;	/* these three outlive the call */
	const char *repository;		/* owner/repo */
};

/* Once, not before the return, not after a cancel. Keys are good during the call. Of a deletion n is 0, and
 * what was not there counts as deleted. ERR_DENIED: the token may not; others: later. */
typedef void cachelist_done(void *arg, const struct span *keys, const uint64_t *ids, size_t n,
    const struct err *);

/* Is it owner/repo? */
bool cachelist_names(const char *repository);
/* The newest CACHELIST_MAX keys that begin with `front`. ERR_USAGE: no owner/repo. */
int cachelist_list(const struct cachelist_params *, struct span front, cachelist_done *, void *arg,
    struct cachelist **, struct err *);
/* By id, or with id 0 all of this key. */
int cachelist_delete(const struct cachelist_params *, uint64_t id, struct span key, cachelist_done *,
    void *arg, struct cachelist **, struct err *);
void cachelist_cancel(struct cachelist *);

/* The rows of an answer, decoded into `text`; how many, -1: it is no such list. */
struct buf;
int cachelist_read(struct span json, struct buf *text, struct span keys[static CACHELIST_MAX],
    uint64_t ids[static CACHELIST_MAX]);

#endif
