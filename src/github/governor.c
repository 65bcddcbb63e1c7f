#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "github/governor.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"

/* GitHub's resource of a request, before an answer names it: docs, "Rate limits for the REST API". */
static const char *resource_of(const struct request *r)
{
	struct span t = buf_span(&r->target);

	if (span_eq(t, "/rate_limit"))
		return "";		/* a look at the limits is free */
	if (span_eq(t, "/graphql"))
		return "graphql";
	if (span_starts(t, "/search/code"))
		return "code_search";
	return span_starts(t, "/search/") ? "search" : "core";
}

void governor_init(struct governor *g, int64_t warning, int64_t aggressive)
{
	memset(g, 0, sizeof(*g));
	g->warning = warning;
	g->aggressive = aggressive;
}

static struct governor_row *find(const struct governor *g, const char *tag, const char *resource)
{
	for (size_t i = 0; i < GOVERNOR_ROWS; i++) {
		const struct governor_row *r = &g->rows[i];

		if (strcmp(r->tag, tag) == 0 && strcmp(r->limit.resource, resource) == 0)
			return (struct governor_row *)(uintptr_t)r;
	}
	return NULL;
}

static bool is_held(const struct governor_row *r, int64_t now)
{
	return r->frozen_until > now || (r->limit.known && r->limit.remaining == 0 && r->limit.reset > now);
}

/* The least recently used; one that holds a token back only if all do: to forget it would let it go. */
static struct governor_row *victim(struct governor *g, int64_t now)
{
	struct governor_row *worst = &g->rows[0];

	for (size_t i = 1; i < GOVERNOR_ROWS; i++) {
		struct governor_row *r = &g->rows[i];
		bool held = is_held(r, now), worst_held = is_held(worst, now);

		if (held != worst_held ? worst_held : r->used < worst->used)
			worst = r;
	}
	return worst;
}

static struct governor_row *row(struct governor *g, const char *tag, const char *resource, int64_t now)
{
	struct governor_row *r = find(g, tag, resource);

	if (r == NULL) {
		r = victim(g, now);
		memset(r, 0, sizeof(*r));
		snprintf(r->tag, sizeof(r->tag), "%s", tag);
		snprintf(r->limit.resource, sizeof(r->limit.resource), "%s", resource);
	}
	r->used = now;
	g->changes++;
	return r;
}

static bool is_read(const struct request *r)
{
	return strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 ||
	    strcmp(r->method, "OPTIONS") == 0;
}

static struct governor_points *points_of(struct governor *g, const struct request *r, int64_t minute)
{
	struct governor_points *oldest = &g->points[0];

	for (size_t i = 0; i < GOVERNOR_ROWS; i++) {
		struct governor_points *p = &g->points[i];

		if (p->op == r->route->op && strcmp(p->tag, r->id->tag) == 0) {
			if (p->minute != minute)
				p->points = 0;
			p->minute = minute;
			return p;
		}
		if (p->minute < oldest->minute || (p->minute == oldest->minute && p->points < oldest->points))
			oldest = p;
	}
	*oldest = (struct governor_points){ .op = r->route->op, .minute = minute };
	snprintf(oldest->tag, sizeof(oldest->tag), "%s", r->id->tag);
	return oldest;
}

/* Of the token, whichever of its resources was told to wait. */
static int64_t frozen_until(const struct governor *g, const char *tag)
{
	int64_t until = 0;

	for (size_t i = 0; i < GOVERNOR_ROWS; i++)
		if (g->rows[i].frozen_until > until && strcmp(g->rows[i].tag, tag) == 0)
			until = g->rows[i].frozen_until;
	return until;
}

/* The token's row, or a free one; NULL: all are taken. */
static struct governor_away *away_row(struct governor *g, const char *tag)
{
	struct governor_away *unused = NULL;

	for (size_t i = 0; i < GOVERNOR_CONCURRENT; i++) {
		if (g->away[i].n > 0 && strcmp(g->away[i].tag, tag) == 0)
			return &g->away[i];
		if (g->away[i].n == 0 && unused == NULL)
			unused = &g->away[i];
	}
	return unused;
}

unsigned governor_away(const struct governor *g, const char *tag)
{
	for (size_t i = 0; i < GOVERNOR_CONCURRENT; i++)
		if (g->away[i].n > 0 && strcmp(g->away[i].tag, tag) == 0)
			return g->away[i].n;
	return 0;
}

enum governor_word governor_ask(struct governor *g, const struct request *r, int64_t now, int64_t *until)
{
	const struct governor_row *row = find(g, r->id->tag, resource_of(r));

	*until = frozen_until(g, r->id->tag);
	if (*until > now)
		return GOVERNOR_STOP;
	*until = 0;
	if (row != NULL && row->limit.known && row->limit.reset > now && row->limit.remaining == 0) {
		*until = row->limit.reset;
		return GOVERNOR_STOP;
	}
	if (points_of(g, r, now / 60)->points + (is_read(r) ? 1 : 5) > GOVERNOR_POINTS) {
		*until = (now / 60 + 1) * 60;
		return GOVERNOR_LATER;
	}
	if (g->running >= GOVERNOR_CONCURRENT || governor_away(g, r->id->tag) >= GOVERNOR_TOKEN)
		return GOVERNOR_LATER;
	if (row != NULL && row->limit.known && row->limit.reset > now && row->limit.remaining < g->aggressive)
		return GOVERNOR_SPARE;
	return GOVERNOR_GO;
}

void governor_leave(struct governor *g, const struct request *r, int64_t now)
{
	struct governor_away *a = away_row(g, r->id->tag);

	g->running++;
	if (a != NULL) {
		a->n++;
		snprintf(a->tag, sizeof(a->tag), "%s", r->id->tag);
	}
	points_of(g, r, now / 60)->points += is_read(r) ? 1 : 5;
}

void governor_back(struct governor *g, const struct request *r)
{
	struct governor_away *a = away_row(g, r->id->tag);

	g->running--;
	if (a != NULL && a->n > 0)
		a->n--;
}

bool governor_note(struct governor *g, const struct request *r, const struct ratelimit *limit, int64_t now)
{
	struct governor_row *to;
	bool first;

	if (!limit->known)
		return false;
	to = row(g, r->id->tag, limit->resource, now);
	if (limit->reset != to->limit.reset)
		to->warned = false;
	to->limit = *limit;
	first = limit->remaining < g->warning && !to->warned;
	to->warned = to->warned || first;
	return first;
}

void governor_freeze(struct governor *g, const struct request *r, int64_t until, int64_t now)
{
	row(g, r->id->tag, resource_of(r), now)->frozen_until = until;
}

const struct ratelimit *governor_limits(const struct governor *g, const struct request *r)
{
	const struct governor_row *row = find(g, r->id->tag, resource_of(r));

	return row != NULL && row->limit.known ? &row->limit : NULL;
}
