#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/siphash.h"
#include "cache/talk.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"

/*
 * Those of one token, operation and path (the pages of a list) wait in one lane, in the order they came: what
 * holds one back, holds back all of it. Places go to the token that has the fewest requests under way; among
 * its lanes, and among equals, to who waited longest for a turn.
 */
struct lane {
	struct lane *next;		/* the next to have a turn stands first */
	char tag[33];
	const char *op;
	uint64_t path;			/* its hash: two paths that share one wait together, no more */
	struct talk *first;
};

/* The governor's word for a token and operation; a hundred lanes mostly ask the same. */
struct word {
	const struct lane *of;		/* NULL: nobody asked yet */
	enum governor_word word;
	int64_t until;
};

static struct layer_api *of_job(struct job *j)
{
	return (struct layer_api *)(void *)((char *)j - offsetof(struct layer_api, run));
}

static void drop_if_empty(struct layer_api *l, struct lane *lane)
{
	struct lane **at = &l->lanes;

	if (lane->first != NULL)
		return;
	while (*at != lane)
		at = &(*at)->next;
	*at = lane->next;
	free(lane);
}

void turns_leave(struct talk *t)
{
	struct lane *lane = t->lane;
	struct talk **at;

	if (lane == NULL)
		return;
	for (at = &lane->first; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	t->lane = NULL;
	drop_if_empty(t->layer, lane);
}

static struct lane *lane_of(struct layer_api *l, const struct request *r)
{
	static const struct siphash_key key;
	uint64_t path = siphash(&key, span_before(buf_span(&r->target), '?'));
	struct lane **at = &l->lanes;

	while (*at != NULL &&
	    ((*at)->path != path || (*at)->op != r->route->op || strcmp((*at)->tag, r->id->tag) != 0))
		at = &(*at)->next;
	if (*at == NULL && (*at = calloc(1, sizeof(**at))) != NULL) {
		span_copy((*at)->tag, sizeof((*at)->tag), span_of(r->id->tag));
		(*at)->op = r->route->op;
		(*at)->path = path;
	}
	return *at;
}

void turns_wait(struct talk *t)
{
	struct lane *lane = lane_of(t->layer, t->lk->req);
	struct talk **at;

	if (lane == NULL) {
		err_set(&t->lk->err, ERR_INTERNAL, "no memory to wait for a place");
		talk_finish(t);
		return;
	}
	for (at = &lane->first; *at != NULL; at = &(*at)->next)
		;
	*at = t;
	t->next = NULL;
	t->lane = lane;
	turns_wake(t->layer);	/* what it waits for is found out there */
}

/* The whole lane at once: its token may not ask at all. */
static void spend(struct lane *lane, int64_t until)
{
	while (lane != NULL && lane->first != NULL) {
		struct talk *t = lane->first;
		bool last = t->next == NULL;

		turns_leave(t);
		talk_on_spent(t, until);
		lane = last ? NULL : lane;
	}
}

static void to_the_end(struct layer_api *l, struct lane *lane)
{
	struct lane **at = &l->lanes;

	while (*at != lane)
		at = &(*at)->next;
	*at = lane->next;
	while (*at != NULL)
		at = &(*at)->next;
	*at = lane;
	lane->next = NULL;
}

static enum governor_word ask(struct layer_api *l, const struct lane *lane, int64_t now, struct word *last)
{
	if (last->of == NULL || last->of->op != lane->op || strcmp(last->of->tag, lane->tag) != 0)
		last->word = governor_ask(&l->governor, lane->first->lk->req, now, &last->until);
	last->of = lane;
	return last->word;
}

/* Whose turn it is; NULL: nobody may leave. *soonest: when somebody's points are there (s; 0: nobody's). */
static struct lane *choose(struct layer_api *l, int64_t now, int64_t *soonest)
{
	struct lane *best = NULL, *next;
	struct word word = { .of = NULL };

	*soonest = 0;
	for (struct lane *lane = l->lanes; lane != NULL; lane = next) {
		next = lane->next;
		switch (ask(l, lane, now, &word)) {
		case GOVERNOR_GO:
		case GOVERNOR_SPARE:
			if (best == NULL ||
			    governor_away(&l->governor, lane->tag) < governor_away(&l->governor, best->tag))
				best = lane;
			break;
		case GOVERNOR_STOP:
			spend(lane, word.until);
			word.of = NULL;		/* it is gone */
			break;
		case GOVERNOR_LATER:
			if (word.until > 0 && (*soonest == 0 || word.until < *soonest))
				*soonest = word.until;
			break;
		}
	}
	return best;
}

static void on_run(struct job *job)
{
	struct layer_api *l = of_job(job);
	int64_t now = clock_wall() / CLOCK_SEC, soonest;
	struct lane *lane;

	while ((lane = choose(l, now, &soonest)) != NULL) {
		struct talk *t = lane->first;

		to_the_end(l, lane);
		turns_leave(t);
		t->ready = true;
		talk_ask(t);
	}
	if (soonest > 0)
		timer_set(l->p.loop, &l->again, loop_now(l->p.loop) + (soonest - now) * 1000);
}

static void on_again(struct timer *timer)
{
	turns_wake((struct layer_api *)(void *)((char *)timer - offsetof(struct layer_api, again)));
}

void turns_wake(struct layer_api *l)
{
	if (l->lanes != NULL)
		job_queue(l->p.loop, &l->run);
}

bool turns_are_due(const struct layer_api *l)
{
	return l->run.queued;
}

void turns_init(struct layer_api *l)
{
	l->run.run = on_run;
	l->again.fire = on_again;
}
