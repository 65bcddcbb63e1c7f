/*
 * Inside cache/ only: the conversation of one look-up with GitHub, which layer_api.c leads, talk_answer.c
 * understands and talk_stream.c passes through.
 */
#ifndef CACHE_TALK_H
#define CACHE_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cache/layer.h"
#include "github/etag.h"
#include "github/governor.h"
#include "loop/loop.h"

struct answer;
struct api_call;
struct api_sink;

#define CLASSES_MAX 8
#define ACCEPT_MAX 80

struct accept_class {			/* the derivation's breaker, by Accept value */
	char accept[ACCEPT_MAX];
	struct etag_breaker breaker;
};

struct layer_api {
	struct cache_layer layer;
	struct layer_api_params p;
	struct accept_class classes[CLASSES_MAX];
	struct governor governor;
	struct lane *lanes;			/* who waits for a place: turns.c */
	struct job run;				/* see who may leave now */
	struct timer again;			/* when the next minute's points are there */
};

/* One look-up's conversation with GitHub. */
struct talk {
	struct layer_api *layer;
	struct lookup *lk;
	struct api_call *call;
	struct timer wait;
	struct lane *lane;		/* where it waits; NULL: it does not */
	struct talk *next;		/* in the lane */
	bool away;			/* counted by the governor as under way */
	bool ready;			/* has had its turn: leaves without asking again */
	struct buf body;		/* streamed by the client while it waited */
	bool body_over;
	uint64_t noted;			/* the loop's pass in which a write was noted; 0: not yet */
	char own[ETAG_LEN * 4], derived[ETAG_LEN + 1], candidate[ETAG_LEN + 1],
	    empty[ETAG_LEN + 1];	/* validators offered; "" none */
	bool clients_own;		/* the client's If-None-Match was passed on */
	bool plain;			/* ask without condition */
	bool waited;
	struct buf refusal;		/* the beginning of a streamed 403's or 429's body */
};

/* ---- layer_api.c: leaving and ending ---- */

/* Ask GitHub, now or when it may be. */
void talk_ask(struct talk *);
/* The look-up has its outcome; the talk is gone after. */
void talk_finish(struct talk *);
/* The answer is there: another may leave. */
void talk_come_back(struct talk *);
/* May not leave before `until` (s): served, made to wait for the reset, or refused. */
void talk_on_spent(struct talk *, int64_t until);
/* GitHub's word that this token must wait: freeze it, if its own fields do not say so. */
void talk_freeze(struct talk *, const struct answer *, int64_t wait_s);
/* What a 200 showed of the ETag derivation: it may go out of force for its Accept class. */
void talk_check_derivation(struct talk *, const struct answer *);

/* ---- turns.c: who waits for a place ---- */

void turns_init(struct layer_api *);
/* Wait for a place, or for the next minute's points. */
void turns_wait(struct talk *);
/* Wait no more; NULL lane is fine. */
void turns_leave(struct talk *);
/* A place came free. */
void turns_wake(struct layer_api *);
/* Does anybody wait who is about to get a place? Then no newcomer takes it. */
bool turns_are_due(const struct layer_api *);

/* ---- talk_answer.c: what came back ---- */

void talk_on_done(void *arg, struct answer *, const struct err *);
/* A call that could not even begin, or broke off. */
void talk_on_failure(struct talk *, const struct err *);
enum cache_fwd talk_why_forwarded(const struct lookup *);
void talk_count_upstream(struct talk *, int status);
void talk_note_limits(struct talk *, const struct answer *);
void talk_note_refusal(const struct lookup *, int status);

/* ---- talk_stream.c: what is not kept ---- */

struct api_sink talk_stream_sink(struct talk *);
/* An answer turns out too large to keep: it is passed on instead. As api_sink's on_large. */
int talk_on_large(void *arg, struct answer *, struct api_sink *next);
void talk_flush(struct talk *);
/* The write under way is given up: nobody will know whether it happened. */
void talk_note_write(struct talk *);
bool talk_is_write(const struct request *);
void talk_stream(struct cache_layer *, struct lookup *, const void *p, size_t n);
void talk_pause(struct cache_layer *, struct lookup *, bool);
size_t talk_unsent(const struct cache_layer *, const struct lookup *);

#endif
