#include <stddef.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cache/cache.h"
#include "cache/mem.h"
#include "cli/app.h"
#include "cli/serve_stats.h"
#include "github/ratelimit.h"
#include "store/entry.h"
#include "store/usage.h"

#define AT_ONCE 4	/* slices: a small store is counted while one waits */
#define OP_MAX 63
#define OPS_MAX 64

/* ---- the disk ---- */

static bool step(struct serve_stats *s)
{
	if (usage_step(s->count, &s->entries, &s->bytes) == 1)
		return true;
	usage_free(s->count);
	s->count = NULL;
	return false;
}

static void on_step(struct job *job)
{
	struct serve_stats *s =
	    (struct serve_stats *)(void *)((char *)job - offsetof(struct serve_stats, step));

	if (step(s))
		job_queue(s->app->loop, job);
	else
		s->at = loop_now(s->app->loop);
}

void serve_stats_count(struct serve_stats *s)
{
	if (s->app->store == NULL || s->count != NULL ||
	    (s->at != 0 && loop_now(s->app->loop) - s->at < SERVE_STATS_AGE_MS))
		return;
	s->at = 0;
	s->count = usage_start(s->app->store);
	for (unsigned i = 0; s->count != NULL && i < AT_ONCE; i++)
		step(s);
	if (s->count != NULL)
		job_queue(s->app->loop, &s->step);
}

void serve_stats_init(struct serve_stats *s, const struct app *app)
{
	*s = (struct serve_stats){ .app = app, .step = { .run = on_step }, .entries = -1, .bytes = -1 };
}

void serve_stats_wipe(struct serve_stats *s)
{
	if (s->count != NULL)
		job_cancel(s->app->loop, &s->step);
	usage_free(s->count);
	s->count = NULL;
}

/* ---- limits ---- */

void serve_stats_limits(const struct serve_stats *s, struct json *o)
{
	struct json *list = json_put_array(o, "rate_limits");
	const struct ratelimit *l;
	const char *tag;
	unsigned at = 0;

	while (cache_next_limit(s->app->cache, &at, &tag, &l)) {
		struct json *row = json_put_object(list, NULL);

		json_put_span(row, "token", span_sub(span_of(tag), 0, 8));
		json_put_str(row, "resource", l->resource);
		json_put_int(row, "remaining", l->remaining);
		json_put_int(row, "limit", l->limit);
		json_put_int(row, "reset", l->reset);
	}
}

/* ---- what is held ---- */

struct newest {
	struct json *by_op;
	size_t n;
	struct {
		struct span op;
		unsigned keys;
	} ops[OPS_MAX];
};

/* May one more key of this operation be told? */
static bool takes(struct newest *t, struct span op)
{
	size_t i = 0;

	while (i < t->n && !span_same(t->ops[i].op, op))
		i++;
	if (i == OPS_MAX)
		return false;
	if (i == t->n)
		t->ops[t->n++].op = op;
	return t->ops[i].keys++ < SERVE_STATS_NEWEST;
}

/* Without its query, which may hold what is nobody's business. */
static void put_entry(void *arg, const struct entry *e)
{
	struct newest *t = arg;
	struct json *list, *row;
	char op[OP_MAX + 1];

	if (!span_copy(op, sizeof(op), e->op) || !takes(t, e->op))
		return;
	list = json_get(t->by_op, op);
	row = json_put_object(list != NULL ? list : json_put_array(t->by_op, op), NULL);
	json_put_span(row, "key", span_before(e->key, '?'));
	json_put_int(row, "age", (clock_wall() - e->timestamp) / CLOCK_SEC);
	json_put_int(row, "ttl", e->ttl);
	json_put_int(row, "bytes", (int64_t)e->body.n);
}

static void put_amount(struct json *o, const char *key, int64_t n)
{
	if (n < 0)
		json_put_null(o, key);
	else
		json_put_int(o, key, n);
}

void serve_stats_cache(struct serve_stats *s, struct json *o)
{
	struct json *memory = json_put_object(o, "memory"), *disk = json_put_object(o, "disk");
	struct newest t = { .by_op = json_put_object(o, "newest") };

	serve_stats_count(s);
	json_put_int(memory, "entries", (int64_t)mem_count(s->app->mem));
	json_put_int(memory, "bytes", (int64_t)mem_bytes(s->app->mem));
	put_amount(disk, "entries", s->entries);
	put_amount(disk, "bytes", s->bytes);
	mem_each(s->app->mem, put_entry, &t);
}
