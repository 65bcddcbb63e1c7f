/*
 * A place a look-up may be answered. cache.c knows layers only through this; each adapter is one file.
 *
 * `lookup` adds to what is known (an own entry that is newer, a candidate) and says whether more will come.
 * The cache then judges freshness; `store` hands every layer before the answering one the new entry.
 */
#ifndef CACHE_LAYER_H
#define CACHE_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cache/cache.h"
#include "loop/loop.h"
#include "p2p/peerid.h"

struct answer;
struct entry;
struct request;

enum layer_result {
	LAYER_NEXT,		/* what it had is in the lookup; ask the next */
	LAYER_PENDING		/* lookup_done follows; it may come out of the call itself */
};

struct lookup {
	struct cache *cache;
	const struct request *req;
	struct cache_ask ask;
	struct cache_sink sink;
	struct entry *own;		/* the asking token's, newest known; a reference */
	const char *own_layer;		/* "memory", "disk" */
	struct entry *candidate;	/* another token's, or offline anybody's; a reference */
	struct peerid candidate_from;	/* the peer it came from; n == 0: it was held here */
	size_t at;			/* the layer asked now */
	int64_t now;			/* µs, when the look-up began */
	/* what the last layer leaves: */
	struct cache_outcome outcome;
	struct answer *answer;		/* GitHub's words, to be passed on; borrowed during lookup_done */
	bool serve_own;			/* answer with `own` */
	bool head_sent;			/* streamed: the sink has had it */
	struct err err;
	void *layer_state;		/* the pending layer's */
	struct entry *made;		/* of a new answer, for those who wait; a reference */
	bool serve_made;		/* its body goes out, not the answer's */
	struct job job;			/* the cache's, as is the rest */
	bool walked;			/* only the last layer is left to ask */
	bool flying, waited_across, alone, took_over;	/* see cache/flight.h */
	bool away; /* its question is with GitHub: others' tokens may wait for the body */
	int64_t asked;			/* µs, when the flight began */
	struct lookup *leader, *waiters, *next_waiter;
	struct lookup *next;
};

struct cache_layer {
	const char *name;
	enum layer_result (*lookup)(struct cache_layer *, struct lookup *);
	bool (*store)(struct cache_layer *, struct entry *);	/* did it keep it? NULL: it keeps nothing */
	void (*cancel)(struct cache_layer *, struct lookup *);
	/* Of the last layer: its state goes on for another look-up; a stretch of a streamed request body (p
	 * == NULL: its end), back-pressure on the answer. */
	void (*hand_over)(struct cache_layer *, struct lookup *from, struct lookup *to);
	void (*stream)(struct cache_layer *, struct lookup *, const void *p, size_t n);
	void (*pause)(struct cache_layer *, struct lookup *, bool);
	size_t (*unsent)(const struct cache_layer *, const struct lookup *);
	/* GitHub's limits as last told to this token; NULL: not known. */
	const struct ratelimit *(*limits)(const struct cache_layer *, const struct request *);
	uint64_t (*changes)(const struct cache_layer *);	/* a number that changes with them */
	/* All of them, see cache_next_limit; NULL: none are known. */
	bool (*next_limit)(const struct cache_layer *, unsigned *, const char **, const struct ratelimit **);
	/* Told of what GitHub answered; keeps nothing. And: it did or did not confirm the candidate; below
	 * this path something was written at `time` (µs). Each may be NULL. */
	void (*tell)(struct cache_layer *, const struct entry *);
	void (*judged)(struct cache_layer *, const struct lookup *, bool confirmed);
	void (*wrote)(struct cache_layer *, struct span prefix, int64_t time);
};

/* A pending layer has finished: err is set, or serve_own, or answer, or (streamed) head_sent. It is gone
 * after.
 */
void lookup_done(struct lookup *);
/* A pending layer that is not the last has added what it knows: the walk goes on. It may be gone after. */
void lookup_go_on(struct lookup *);
/* GitHub confirmed the candidate, or sent another body: who offered it is told. */
void lookup_judged(const struct lookup *, bool confirmed);
/* Let every layer before the one asked now keep this entry; true if the last of them did. */
bool lookup_store(struct lookup *, struct entry *);

/* For flights: all look-ups of its cache; run its last layer again; its outcome; another's conversation. */
struct lookup *lookup_first(const struct lookup *);
void lookup_wake(struct lookup *);
void lookup_deliver(struct lookup *);
void lookup_hand_over(struct lookup *from, struct lookup *to);

/* For layers: is this own entry servable without asking (age, permission, epochs)? */
bool lookup_fresh(const struct lookup *, const struct entry *);
/* Seconds it may still be served; negative: since when not. */
int64_t lookup_ttl_left(const struct lookup *, const struct entry *);
/* May it stand in when GitHub fails (stale-if-error)? */
bool lookup_may_stand_in(const struct lookup *);
void lookup_set_own(struct lookup *, struct entry *, const char *layer);	/* takes the reference */
/* Was anything that matches this request made stale after `time` (µs)? */
bool lookup_overtaken(const struct lookup *, int64_t time);
/* A refusal or a failure of the token itself: rows in .epochs. `prefix` empty: the whole token. */
void lookup_note_refusal(const struct lookup *, struct span prefix);
/* What this token holds below `prefix` from before `time` (µs) is to be asked again. */
void lookup_note_stale(const struct lookup *, struct span prefix, int64_t time);

struct loop *lookup_loop(const struct lookup *);
struct metrics *lookup_metrics(const struct lookup *);

/* ---- the adapters ---- */
struct mem;
struct store;
struct http_client;
struct etag_breaker;
struct share;

struct cache_layer *layer_mem_new(struct mem *);
/* `after_store` (may be NULL) is told of every entry written. */
struct cache_layer *layer_disk_new(struct store *, struct metrics *, void (*after_store)(void *arg),
    void *arg);

struct layer_p2p_params {
	bool verify;		/* others' entries are only candidates */
	int64_t budget_ms;
	bool (*may_share)(void *arg, const struct entry *);	/* may peers have it? */
	bool (*may_ask)(void *arg, struct span op);	/* and be asked for what belongs to a POST's body? */
	void *arg;
};
/* Behind the disk: a peer is asked only for what is fresher than all that is held here. */
struct cache_layer *layer_p2p_new(const struct layer_p2p_params *);
/* The network has come up; NULL: it is gone (its calls are cancelled by share_free). */
void layer_p2p_set(struct cache_layer *, struct share *);

struct layer_api_params {
	struct loop *loop;
	struct http_client *http;
	struct metrics *metrics;
	size_t max_body;
	int64_t max_wait_s;		/* longest wait for a limit */
	int64_t warning_threshold, aggressive_threshold;	/* remaining requests */
	bool cache_first;		/* below the aggressive one, stored answers stand in */
};
struct cache_layer *layer_api_new(const struct layer_api_params *);
void layer_free(struct cache_layer *);	/* any of them; what they borrow stays */

#endif
