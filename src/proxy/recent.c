#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cache/status.h"
#include "proxy/recent.h"

#define METHOD_MAX 8
#define BRIEF_MAX (CACHE_STATUS_MAX + 32)

struct slot {
	int64_t over, ms;
	char method[METHOD_MAX];
	char path[RECENT_PATH_MAX];
	char tag[RECENT_TAG_LEN + 1];
	const char *op, *note;
	int status;
	bool has_outcome;
	struct cache_outcome outcome;
};

struct op {
	const char *name;
	uint64_t count;
	int64_t total, max;		/* ms */
};

struct recent {
	struct slot ring[RECENT_REQUESTS];
	uint64_t nrequests;		/* so far; the next goes to this, modulo */
	struct op ops[RECENT_OPS];
	size_t nops;
	struct recent_counters samples[RECENT_SAMPLES], last;
	uint64_t nsamples;
	int64_t sampled;		/* 0: not begun */
};

struct recent *recent_new(void)
{
	return calloc(1, sizeof(struct recent));
}

void recent_free(struct recent *r)
{
	free(r);
}

/* ---- taking ---- */

static void put_cut(char *to, size_t size, struct span text)
{
	size_t n = text.n < size - 1 ? text.n : size - 1;

	memcpy(to, text.p != NULL ? text.p : "", n);
	to[n] = '\0';
	if (n < text.n && size > 4)
		memcpy(to + n - 3, "...", 3);
}

static void put_path(struct slot *s, const struct recent_request *q)
{
	struct span host = span_sub(q->host, 0, RECENT_PATH_MAX / 2);

	put_cut(s->path, sizeof(s->path), host);
	put_cut(s->path + host.n, sizeof(s->path) - host.n, span_before(q->target, '?'));
}

static void count(struct recent *r, const char *name, int64_t ms)
{
	size_t i = 0;

	while (i < r->nops && strcmp(r->ops[i].name, name) != 0)
		i++;
	if (i == RECENT_OPS)
		return;
	if (i == r->nops)
		r->ops[r->nops++].name = name;
	r->ops[i].count++;
	r->ops[i].total += ms;
	if (ms > r->ops[i].max)
		r->ops[i].max = ms;
}

void recent_add(struct recent *r, const struct recent_request *q, int64_t now)
{
	struct slot *s;

	if (r == NULL)
		return;
	s = &r->ring[r->nrequests++ % RECENT_REQUESTS];
	s->over = now;
	s->ms = now > q->begun ? now - q->begun : 0;
	put_cut(s->method, sizeof(s->method), q->method);
	put_path(s, q);
	put_cut(s->tag, sizeof(s->tag), span_sub(span_of(q->tag), 0, RECENT_TAG_LEN));
	s->op = q->op;
	s->note = q->note;
	s->status = q->status;
	s->has_outcome = q->outcome != NULL;
	if (s->has_outcome)
		s->outcome = *q->outcome;
	count(r, s->op, s->ms);
}

void recent_tick(struct recent *r, const struct recent_counters *c, int64_t now)
{
	if (r->sampled != 0 && now - r->sampled < RECENT_SAMPLE_MS)
		return;
	if (r->sampled != 0)
		r->samples[r->nsamples++ % RECENT_SAMPLES] = (struct recent_counters){
			c->requests - r->last.requests, c->hits - r->last.hits, c->saved - r->last.saved };
	/* A late tick does not make the next one late. */
	if (r->sampled != 0 && now - r->sampled < 2 * RECENT_SAMPLE_MS)
		r->sampled += RECENT_SAMPLE_MS;
	else
		r->sampled = now;
	r->last = *c;
}

/* ---- showing ---- */

/* "hit; ttl=287; detail=disk" of "ghoard; hit; ttl=287; detail=disk". */
static void put_brief(const struct slot *s, char out[static BRIEF_MAX])
{
	char text[CACHE_STATUS_MAX];
	const char *rest = "";

	if (s->has_outcome) {
		status_text(&s->outcome, text);
		rest = strstr(text, "; ");
		rest = rest != NULL ? rest + 2 : text;
	}
	snprintf(out, BRIEF_MAX, "%s%s%s", rest, rest[0] != '\0' && s->note != NULL ? "; " : "",
	    s->note != NULL ? s->note : "");
}

static void write_requests(const struct recent *r, struct json *list, int64_t now)
{
	int64_t wall = clock_wall();
	uint64_t n = r->nrequests < RECENT_REQUESTS ? r->nrequests : RECENT_REQUESTS;

	for (uint64_t i = 1; i <= n; i++) {
		const struct slot *s = &r->ring[(r->nrequests - i) % RECENT_REQUESTS];
		struct json *o = json_put_object(list, NULL);
		char time[CLOCK_RFC3339_LEN], brief[BRIEF_MAX];

		clock_rfc3339(time, wall - (now - s->over) * (CLOCK_SEC / 1000));
		put_brief(s, brief);
		json_put_str(o, "time", time);
		json_put_str(o, "method", s->method);
		json_put_span(o, "path", span_of(s->path));
		json_put_str(o, "operation", s->op);
		json_put_int(o, "status", s->status);
		json_put_str(o, "cache", brief);
		json_put_int(o, "ms", s->ms);
		json_put_str(o, "token", s->tag);
	}
}

static int by_slowest(const void *a, const void *b)
{
	const struct op *x = a, *y = b;

	if (x->max != y->max)
		return x->max < y->max ? 1 : -1;
	return (x->total < y->total) - (x->total > y->total);
}

static void write_ops(const struct recent *r, struct json *list)
{
	struct op ops[RECENT_OPS];

	memcpy(ops, r->ops, sizeof(ops));
	qsort(ops, r->nops, sizeof(ops[0]), by_slowest);
	for (size_t i = 0; i < r->nops; i++) {
		struct json *o = json_put_object(list, NULL);

		json_put_str(o, "operation", ops[i].name);
		json_put_int(o, "count", (int64_t)ops[i].count);
		json_put_int(o, "max_ms", ops[i].max);
		json_put_num(o, "mean_ms", (double)(ops[i].total * 10 / (int64_t)ops[i].count) / 10);
	}
}

static void write_samples(const struct recent *r, struct json *list)
{
	uint64_t from = r->nsamples < RECENT_SAMPLES ? 0 : r->nsamples - RECENT_SAMPLES;

	for (uint64_t i = from; i < r->nsamples; i++) {
		const struct recent_counters *c = &r->samples[i % RECENT_SAMPLES];
		struct json *o = json_put_object(list, NULL);

		json_put_int(o, "requests", (int64_t)c->requests);
		json_put_int(o, "hits", (int64_t)c->hits);
		json_put_int(o, "saved", (int64_t)c->saved);
	}
}

void recent_write(const struct recent *r, struct json *o, int64_t now)
{
	write_requests(r, json_put_array(o, "recent"), now);
	write_ops(r, json_put_array(o, "routes"));
	write_samples(r, json_put_array(o, "history"));
}
