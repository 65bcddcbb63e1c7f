/*
 * The cache: layers asked in the order of one array, until one has an answer that may be served. Policy, no
 * bytes of any protocol.
 *
 * An entry belongs to one token and is that token's permission, for at most `permission_s` after GitHub
 * showed it, whatever its TTL. Nothing is served across tokens but offline; another token's body is a
 * candidate that the last layer offers to GitHub as a condition. A completion never fires before cache_start
 * has returned; cache_cancel never calls back.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cache/status.h"

struct cache;
struct cache_layer;
struct entry;
struct err;
struct http_head;
struct loop;
struct lookup;
struct metrics;
struct ratelimit;
struct request;

/* How a client asks; zero is the ordinary way. */
struct cache_ask {
	bool refresh;			/* revalidate even if fresh (Cache-Control: no-cache) */
	bool offline;			/* ask nobody; any token's stored answer will do */
	bool own_only;			/* and yet the asking token's alone */
	bool beside;			/* a renewal beside a stale answer: it is not answered with one */
	bool no_store;			/* keep nothing of this answer */
	bool only_if_cached;		/* ERR_UNAVAIL rather than asking GitHub */
	int64_t max_age;		/* s: the TTL, whatever the operation's; -1: the entry's own */
	bool limit_age; /* not older than age_limit (s), however long its TTL (Cache-Control: max-age) */
	int64_t age_limit;
	struct span if_none_match; /* the client's own, offered to GitHub where nothing is held; borrowed */
};

/* A whole or streamed answer. `head`'s Connection-level fields mean nothing here; the fields of a stored
 * answer come from its entry. */
struct cache_sink {
	/* status, fields and what Cache-Status says; spans good during the call. Once, unless on_done brings
	 * an error. */
	void (*on_head)(void *arg, const struct http_head *, const struct cache_outcome *);
	int (*on_body)(void *arg, const void *, size_t, struct err *);
	void (*on_done)(void *arg, const struct err *);
	void (*on_drained)(void *arg);	/* of a streamed request body; may be NULL */
	void *arg;
};

struct cache_params {
	struct loop *loop;
	struct cache_layer **layers;	/* in the order they are asked; the last asks GitHub. Borrowed. */
	size_t nlayers;
	struct epochs *epochs;		/* NULL: none */
	struct metrics *metrics;	/* NULL: not counted */
	int64_t permission_s;
	int64_t stale_if_error_s;
	int64_t
	    stale_while_revalidate_s; /* this long past its life an answer is served while GitHub is asked */
};

int cache_new(const struct cache_params *, struct cache **, struct err *);
void cache_free(struct cache *);

/* Look a request up; it must live until on_done or cache_cancel. */
int cache_start(struct cache *, const struct request *, const struct cache_ask *, const struct cache_sink *,
    struct lookup **, struct err *);
/* Not from inside this look-up's own on_head or on_body: a negative return of on_body ends it there. */
void cache_cancel(struct lookup *);

/* GitHub's limits as last told for what this request would use; NULL: not known. Good until the next answer.
 */
const struct ratelimit *cache_limits(const struct cache *, const struct request *);

/* From inside on_body: the entry whose body these bytes are, to be kept by a reference instead of a copy;
 * NULL: they are nobody's. Borrowed. */
struct entry *cache_served(const struct lookup *);

/* A request that says `streamed`: its body, its end; nothing before the first pass of the loop after
 * cache_start. What is unsent is kept. */
void cache_send(struct lookup *, const void *, size_t);
void cache_send_end(struct lookup *);
size_t cache_unsent(const struct lookup *);
/* The client cannot take more of a streamed answer for now. */
void cache_pause(struct lookup *, bool);

/* Is GitHub being asked for this request key? */
bool cache_is_asking(const struct cache *, struct span key);

/* What a write makes stale, for every token: the item, the lists above it, its alias (FORMATS §2). Also for a
 * method unknown to us. */
void cache_note_write(struct cache *, struct span target);
/* A repository has two names, and which number belongs to which is not known here: what is below `prefix` of
 * every one's under the other name ("/repos/o/r/issues" gives the issues of all of /repositories). It may
 * borrow from `out`. Empty: not of a repository. */
struct span cache_alias(struct span prefix, char *out, size_t size);

/* GitHub's limits as last told, by the tag of a token ("public": without one) and resource, one a call; *at
 * from 0. false: no more. */
bool cache_next_limit(const struct cache *, unsigned *at, const char **tag, const struct ratelimit **);

#endif
