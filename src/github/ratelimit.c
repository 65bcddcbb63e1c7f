#include <string.h>

#include "base/clock.h"
#include "github/ratelimit.h"
#include "http/parse.h"

#define WAIT_DEFAULT_S 60		/* GitHub: "wait for at least one minute" */

static bool number(const struct http_head *h, const char *name, int64_t *out)
{
	uint64_t v;

	if (!span_u64(http_field(h, name), INT64_MAX / 2, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

void ratelimit_read(const struct http_head *h, struct ratelimit *r)
{
	memset(r, 0, sizeof(*r));
	r->known =
	    number(h, "x-ratelimit-remaining", &r->remaining) && number(h, "x-ratelimit-reset", &r->reset);
	number(h, "x-ratelimit-limit", &r->limit);
	number(h, "x-ratelimit-used", &r->used);
	if (!span_copy(r->resource, sizeof(r->resource), http_field(h, "x-ratelimit-resource")) ||
	    r->resource[0] == '\0')
		strcpy(r->resource, "core");
}

static bool retry_after(const struct http_head *h, int64_t now_s, int64_t *wait)
{
	struct span v = http_field(h, "retry-after");
	uint64_t s;
	int64_t at;

	if (span_u64(v, 86400 * 366, &s)) {
		*wait = (int64_t)s;
		return true;
	}
	if (!clock_http_parse(v, &at))
		return false;
	*wait = at > now_s ? at - now_s : 0;
	return true;
}

bool ratelimit_is_limit(const struct http_head *h, struct span body, int64_t now_s, int64_t *wait)
{
	struct ratelimit r;
	int64_t remaining = -1;

	if (h->status != 403 && h->status != 429)
		return false;
	ratelimit_read(h, &r);
	if (retry_after(h, now_s, wait))
		return true;
	if (r.known && r.remaining == 0) {
		*wait = r.reset > now_s ? r.reset - now_s + 1 : 1;
		return true;
	}
	*wait = WAIT_DEFAULT_S;
	number(h, "x-ratelimit-remaining", &remaining);
	return h->status == 429 || remaining == 0 || span_ifind(body, "secondary rate limit") >= 0 ||
	    span_ifind(body, "abuse detection") >= 0;
}
