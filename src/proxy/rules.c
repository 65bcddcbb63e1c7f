#include <string.h>

#include "base/buf.h"
#include "cache/cache.h"
#include "github/etag.h"
#include "github/request.h"
#include "http/parse.h"
#include "http/url.h"
#include "proxy/rules.h"

static bool is_upstream(struct span host, const struct upstream *u)
{
	return span_isame(host, upstream_host(u));
}

static bool is_loopback(struct span host)
{
	struct url url = { .host = host, .v6 = span_chr(host, ':') >= 0 };

	return url_is_loopback(&url);
}

/* "x.example" below ".example", without case. */
static bool below(struct span host, const char *suffix)
{
	struct span tail = span_of(suffix);

	return host.n > tail.n && span_isame(span_sub(host, host.n - tail.n, tail.n), tail);
}

enum rules_host rules_host(struct span host, const struct upstream *u)
{
	if (is_upstream(host, u) || span_ieq(host, "api.github.com") || is_loopback(host))
		return RULES_API;
	if (span_ieq(host, "uploads.github.com") || span_ieq(host, "github.com") || rules_read_only(host))
		return RULES_PASS;
	return RULES_FOREIGN;
}

bool rules_gets_auth(struct span host, const struct upstream *u)
{
	return is_upstream(host, u) || span_ieq(host, "uploads.github.com") || span_ieq(host, "github.com");
}

bool rules_read_only(struct span host)
{
	return span_ieq(host, "codeload.github.com") || below(host, ".githubusercontent.com") ||
	    below(host, ".blob.core.windows.net");
}

bool rules_is_foreign_page(const struct http_head *h, struct span authority)
{
	struct span origin = http_field(h, "origin"), site = http_field(h, "sec-fetch-site");
	struct url url;
	const char *why;
	struct buf own;
	bool same;

	if (site.p != NULL && !span_ieq(site, "same-origin") && !span_ieq(site, "none"))
		return true;
	if (origin.p == NULL)
		return false;
	if (url_parse(origin, &url, &why) != 0)
		return true;
	buf_init(&own, 512);
	url_authority(&url, &own);
	same = span_isame(buf_span(&own), authority);
	buf_free(&own);
	return !same;
}

bool rules_is_hop(const struct http_head *h, struct span name)
{
	char text[64];

	return span_copy(text, sizeof(text), name) && http_field_has(h, "connection", text);
}

struct span rules_target(struct span target)
{
	if (span_eq(target, "/api/graphql") || span_eq(target, "/api/v3/graphql"))
		return span_of("/graphql");
	if (span_starts(target, "/api/v3/"))
		return span_sub(target, 7, target.n);
	return target;
}

static void take_directive(struct span d, struct cache_ask *ask)
{
	uint64_t n;

	if (span_ieq(d, "no-cache"))
		ask->refresh = true;
	else if (span_ieq(d, "no-store"))
		ask->refresh = ask->no_store = true;
	else if (span_ieq(d, "only-if-cached"))
		ask->only_if_cached = true;
	else if (span_istarts(d, "max-age=") && span_u64(span_sub(d, 8, d.n), 1u << 31, &n)) {
		ask->limit_age = true;
		ask->age_limit = (int64_t)n;
	}
}

void rules_cache_control(const struct http_head *h, struct cache_ask *ask)
{
	for (size_t i = 0; i < h->nfields; i++) {
		struct span rest = h->fields[i].value, d;

		if (!span_ieq(h->fields[i].name, "cache-control"))
			continue;
		while (span_cut(&rest, ',', &d))
			take_directive(span_trim(d), ask);
	}
}

bool rules_etag_in(struct span list, struct span tag)
{
	struct span item;

	if (tag.n == 0)
		return false;
	while (span_cut(&list, ',', &item))
		if (span_eq(span_trim(item), "*") || etag_same(span_trim(item), tag))
			return true;
	return false;
}

/* What may stand after an origin in an answer: the next byte would otherwise belong to a longer host name. */
static bool ends_origin(struct span rest)
{
	return rest.n == 0 || strchr("/?\"'<>{} ,)\\", rest.p[0]) != NULL;
}

void rules_rewrite(struct span text, struct span from, struct span to, struct buf *out)
{
	while (text.n > 0) {
		char needle[300];
		ptrdiff_t at = span_copy(needle, sizeof(needle), from) ? span_find(text, needle) : -1;

		if (at < 0)
			break;
		buf_add(out, text.p, (size_t)at);
		text = span_sub(text, (size_t)at + from.n, text.n);
		buf_addspan(out, ends_origin(text) ? to : from);
	}
	buf_addspan(out, text);
}
