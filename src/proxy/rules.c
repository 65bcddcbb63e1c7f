#include <string.h>

#include "base/buf.h"
#include "cache/cache.h"
#include "github/etag.h"
#include "github/request.h"
#include "http/parse.h"
#include "http/url.h"
#include "net/addr.h"
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

/* A client that means api.github.com sends its token for that: it is for no other upstream, but for one on
 * this machine that stands in for it. */
static bool means_github(struct span host, const struct upstream *u)
{
	return span_ieq(host, "api.github.com") && is_loopback(upstream_host(u));
}

enum rules_host rules_host(struct span host, const struct upstream *u)
{
	if (is_upstream(host, u) || is_loopback(host) || means_github(host, u))
		return RULES_API;
	if (span_ieq(host, "uploads.github.com") || span_ieq(host, "github.com") || rules_read_only(host))
		return RULES_PASS;
	return RULES_FOREIGN;
}

static bool is_ip(struct span name)
{
	struct addr a;

	return addr_parse(&a, name, 1);
}

/* "/o/r/archive/…" and the like, and what no API path begins with. */
static bool is_beside_api(struct span target)
{
	static const char *const first[] = { "api", "repos", "users", "orgs", "teams", "gists", "user",
		"enterprises" };
	static const char *const third[] = { "archive", "raw", "releases", "suites", "zip", "tar.gz",
		"legacy.zip", "legacy.tar.gz" };
	struct span rest = span_before(target, '?'), part[4] = { { NULL, 0 } };
	bool known = false;

	if (span_starts(target, "/api/uploads/") || span_starts(target, "/_") ||
	    span_starts(target, "/storage/") || span_starts(target, "/raw/"))
		return !span_starts(target, "/_ghoard");
	for (size_t i = 0; i < 4 && span_cut(&rest, '/', &part[i]); i++)
		;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		known = known || span_eq(part[1], first[i]);
	for (size_t i = 0; !known && i < sizeof(third) / sizeof(third[0]); i++)
		if (span_eq(part[3], third[i]))
			return true;
	return false;
}

enum rules_host rules_meaning(const struct http_head *h, const struct upstream *u, bool any_ip)
{
	struct span authority = http_field(h, "host"), name = rules_name(authority);
	enum rules_host r = rules_host(name, u);

	if (r == RULES_API && u->base[0] != '\0' && rules_is_authority(u, authority) &&
	    is_beside_api(h->target))
		return RULES_PASS;
	return r == RULES_FOREIGN && any_ip && is_ip(name) ? RULES_API : r;
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

struct span rules_name(struct span authority)
{
	ptrdiff_t colon = span_chr(authority, ':'), close = span_chr(authority, ']');

	if (close > 0)
		return span_sub(authority, 1, (size_t)close - 1);
	return colon < 0 ? authority : span_sub(authority, 0, (size_t)colon);
}

bool rules_is_authority(const struct upstream *u, struct span host)
{
	struct span origin = span_of(u->origin);

	return origin.n > host.n + 3 && span_isame(span_sub(origin, origin.n - host.n, host.n), host) &&
	    origin.p[origin.n - host.n - 1] == '/';
}

bool rules_answers_for(const struct http_head *h, bool is_unix, const struct upstream *u, bool any_ip)
{
	struct span host = rules_name(http_field(h, "host"));

	switch (rules_meaning(h, u, any_ip)) {
	case RULES_API:
		return true;
	case RULES_PASS:
		return is_unix &&
		    (!rules_read_only(host) || span_eq(h->method, "GET") || span_eq(h->method, "HEAD"));
	case RULES_FOREIGN:
		return false;
	}
	return false;
}

bool rules_is_hop(const struct http_head *h, struct span name)
{
	char text[64];

	return span_copy(text, sizeof(text), name) && http_field_has(h, "connection", text);
}

int64_t rules_body_length(const struct http_head *h)
{
	uint64_t n;

	return span_u64(http_field(h, "content-length"), INT64_MAX, &n) ? (int64_t)n : -1;
}

bool rules_has_body(const struct http_head *h)
{
	int64_t n = rules_body_length(h);

	return http_field(h, "transfer-encoding").p != NULL || n > 0 ||
	    (n == 0 && !span_eq(h->method, "GET") && !span_eq(h->method, "HEAD"));
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
