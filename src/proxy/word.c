#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cache/deliver.h"
#include "http/parse.h"
#include "http/server.h"
#include "proxy/word.h"

static void add(struct http_head *h, const char *name, struct span value)
{
	h->fields[h->nfields++] = (struct http_field){ span_of(name), value };
}

/* With the fields that are in the head already. */
static void say(struct exchange *x, int status, const char *sentence, struct http_head *h)
{
	struct buf b;

	buf_init(&b, 8192);
	buf_adds(&b, "{\"message\":");
	json_quote(&b, span_of(sentence), false);
	buf_adds(&b, "}");
	add(h, "Content-Type", span_of("application/json; charset=utf-8"));
	exchange_head(x, status, span_of(""), h->fields, h->nfields, (int64_t)buf_len(&b));
	exchange_body(x, buf_data(&b), buf_len(&b));
	exchange_end(x);
	buf_free(&b);
}

void word_say(struct exchange *x, int status, const char *sentence)
{
	struct http_head h = { .nfields = 0 };

	add(&h, "Cache-Status", span_of("ghoard; fwd=bypass"));
	say(x, status, sentence, &h);
}

void word_fail(struct exchange *x, const struct err *err, const struct ratelimit *limits)
{
	struct delivery d = { .head.nfields = 0 };
	struct buf seconds;

	buf_init(&seconds, 20);
	buf_addi(&seconds, err->retry_s);
	if (err->cls == ERR_SPENT) {
		if (limits != NULL)
			deliver_limits(&d, limits);
		add(&d.head, "Retry-After", buf_span(&seconds));
		add(&d.head, "Cache-Status", span_of("ghoard; detail=rate-limited"));
	} else {
		add(&d.head, "Cache-Status",
		    span_of(err->cls == ERR_NOTFOUND ? "ghoard; detail=only-if-cached"
						     : "ghoard; fwd=uri-miss"));
	}
	say(x, word_status(err), err->msg, &d.head);
	buf_free(&seconds);
}

int word_status(const struct err *err)
{
	if (err->cls == ERR_SPENT)
		return 429;
	return err->cls == ERR_TIMEOUT || err->cls == ERR_NOTFOUND ? 504 : err->cls == ERR_USAGE ? 400 : 502;
}
