#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache/deliver.h"
#include "cache/status.h"
#include "github/ratelimit.h"
#include "store/entry.h"

static void add(struct http_head *h, struct span name, struct span value)
{
	if (h->nfields < HTTP_FIELDS_MAX)
		h->fields[h->nfields++] = (struct http_field){ name, value };
}

/* Appended after an upstream's own, as RFC 9211 §2 wants: a field of its own counts as one more member of the
 * list. */
static void add_status(struct delivery *d, const struct cache_outcome *o)
{
	status_text(o, d->status);
	add(&d->head, span_of("Cache-Status"), span_of(d->status));
}

static const char *reason_of(int status)
{
	return status == 200 ? "OK" : status == 301 ? "Moved Permanently" : "";
}

void deliver_limits(struct delivery *d, const struct ratelimit *l)
{
	static const char *const names[] = { "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Used",
		"X-RateLimit-Reset" };
	const int64_t values[] = { l->limit, l->remaining, l->used, l->reset };

	for (size_t i = 0; i < 4; i++) {
		snprintf(d->limit[i], sizeof(d->limit[i]), "%" PRId64, values[i]);
		add(&d->head, span_of(names[i]), span_of(d->limit[i]));
	}
	add(&d->head, span_of("X-RateLimit-Resource"), span_of(l->resource));
}

void deliver_entry(struct delivery *d, const struct entry *e, const struct cache_outcome *o,
    const struct ratelimit *limit)
{
	d->head.nfields = 0;
	d->head.minor = 1;
	d->head.status = e->status;
	d->head.reason = span_of(reason_of(e->status));
	for (size_t i = 0; i < e->nheaders; i++)
		add(&d->head, e->headers[i].name, e->headers[i].value);
	snprintf(d->age, sizeof(d->age), "%" PRId64, o->age > 0 ? o->age : 0);
	add(&d->head, span_of("Age"), span_of(d->age));
	add(&d->head, span_of("X-From-Cache"), span_of("1"));
	if (limit != NULL)
		deliver_limits(d, limit);
	add_status(d, o);
}

static bool of_the_connection(const struct http_head *h, struct span name)
{
	char option[64];
	static const char *const list[] = { "connection", "keep-alive", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade", "content-length" };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (span_ieq(name, list[i]))
			return true;
	return span_copy(option, sizeof(option), name) && http_field_has(h, "connection", option);
}

void deliver_answer(struct delivery *d, const struct http_head *from, const struct cache_outcome *o)
{
	d->head.minor = from->minor;
	d->head.status = from->status;
	d->head.reason = from->reason;
	d->head.nfields = 0;
	/* one place is kept for our own */
	for (size_t i = 0; i < from->nfields && d->head.nfields + 1 < HTTP_FIELDS_MAX; i++)
		if (!of_the_connection(from, from->fields[i].name))
			add(&d->head, from->fields[i].name, from->fields[i].value);
	add_status(d, o);
}
