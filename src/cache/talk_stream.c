#include <string.h>

#include "base/clock.h"
#include "cache/deliver.h"
#include "cache/flight.h"
#include "cache/talk.h"
#include "github/answer.h"
#include "github/api.h"
#include "github/graphql.h"
#include "github/request.h"

bool talk_is_write(const struct request *r)
{
	return strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0 &&
	    strcmp(r->method, "OPTIONS") != 0;
}

/* Without an answer, or with one that speaks of a fault, nobody knows whether the write happened. */
static bool is_noted(const struct request *r, int status)
{
	return r->bypass != NULL && talk_is_write(r) && (status < 400 || status >= 500);
}

static void on_stream_head(void *arg, const struct http_head *head)
{
	struct talk *t = arg;
	struct lookup *lk = t->lk;
	struct delivery d;
	uint64_t length;

	/* Before anybody hears of it: who asks next may be told by the client. */
	if (is_noted(lk->req, head->status))
		talk_note_write(t);
	lk->outcome.fwd = lk->req->bypass == NULL ? talk_why_forwarded(lk) :
	    strcmp(lk->req->bypass, "method") == 0 ? FWD_METHOD : FWD_BYPASS;
	lk->outcome.fwd_status = head->status;
	lk->head_sent = true;
	if (!span_u64(http_field(head, "content-length"), INT64_MAX, &length))
		length = UINT64_MAX;
	lk->outcome.length = (int64_t)length;
	deliver_answer(&d, head, &lk->outcome);
	lk->sink.on_head(lk->sink.arg, &d.head, &lk->outcome);
}

static int on_stream_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct talk *t = arg;
	size_t room = t->refusal.max - buf_len(&t->refusal);

	if (t->lk->outcome.fwd_status == 403 || t->lk->outcome.fwd_status == 429)
		buf_add(&t->refusal, p, n < room ? n : room);
	return t->lk->sink.on_body(t->lk->sink.arg, p, n, err);
}

static void on_stream_drained(void *arg)
{
	struct talk *t = arg;

	if (t->lk->sink.on_drained != NULL)
		t->lk->sink.on_drained(t->lk->sink.arg);
}

/* What the client sent while it waited for its turn. */
void talk_flush(struct talk *t)
{
	if (buf_len(&t->body) > 0)
		api_send(t->call, buf_data(&t->body), buf_len(&t->body));
	buf_wipe(&t->body);
	if (t->body_over)
		api_send_end(t->call);
}

void talk_stream(struct cache_layer *l, struct lookup *lk, const void *p, size_t n)
{
	struct talk *t = lk->layer_state;

	(void)l;
	t->body_over = t->body_over || p == NULL;
	if (t->call == NULL)
		buf_add(&t->body, p, n);
	else if (p != NULL)
		api_send(t->call, p, n);
	else
		api_send_end(t->call);
}

void talk_pause(struct cache_layer *l, struct lookup *lk, bool pause)
{
	struct talk *t = lk->layer_state;

	(void)l;
	if (t->call != NULL)
		api_pause(t->call, pause);
}

size_t talk_unsent(const struct cache_layer *l, const struct lookup *lk)
{
	const struct talk *t = lk->layer_state;

	(void)l;
	return t->call != NULL ? api_unsent(t->call) : buf_len(&t->body);
}

/* A GraphQL document's operations name no path: if it may hold a mutation, all of this token's entries are
 * asked again. */
void talk_note_write(struct talk *t)
{
	const struct request *r = t->lk->req;

	t->noted = loop_pass(t->layer->p.loop);
	if (span_eq(span_before(buf_span(&r->target), '?'), "/graphql")) {
		if (!graphql_is_query(r->body))
			lookup_note_refusal(t->lk, span_of(""));
		return;
	}
	cache_note_write(t->lk->cache, buf_span(&r->target));
}

static void note_answer(struct talk *t, const struct answer *a)
{
	int64_t wait_s;

	talk_count_upstream(t, a->head.status);
	talk_note_limits(t, a);
	if (ratelimit_is_limit(&a->head, buf_span(&t->refusal), clock_wall() / CLOCK_SEC, &wait_s))
		talk_freeze(t, a, wait_s);
	else
		talk_note_refusal(t->lk, a->head.status);
}

static void on_stream_done(void *arg, struct answer *a, const struct err *err)
{
	struct talk *t = arg;

	t->call = NULL;
	talk_come_back(t);
	if (err->cls == 0)
		note_answer(t, a);
	/* Once more: what was asked while the answer went out left before the write was over. */
	if (t->noted != loop_pass(t->layer->p.loop) &&
	    is_noted(t->lk->req, err->cls == 0 ? a->head.status : 0))
		talk_note_write(t);
	t->lk->err = *err;
	talk_finish(t);
}

int talk_on_large(void *arg, struct answer *a, struct api_sink *next)
{
	struct talk *t = arg;
	struct err err;

	if (a->head.status >= 500 && lookup_may_stand_in(t->lk))
		return ERR_LIMIT;
	err_init(&err);
	flight_dissolve(t->lk);
	*next = talk_stream_sink(t);
	on_stream_head(t, &a->head);
	return buf_len(&a->body) > 0 ? on_stream_body(t, buf_data(&a->body), buf_len(&a->body), &err) : 0;
}

struct api_sink talk_stream_sink(struct talk *t)
{
	return (struct api_sink){ .on_head = on_stream_head,
		.on_body = on_stream_body,
		.on_done = on_stream_done,
		.on_drained = on_stream_drained,
		.arg = t };
}
