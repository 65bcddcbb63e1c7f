#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "github/graphql.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"
#include "http/parse.h"
#include "http/url.h"

#define ACCEPT_CANONICAL "application/vnd.github+json"
#define TARGET_MAX (URL_MAX - 600)
#define VARIANT_HEX_BYTES 8

int upstream_parse(struct upstream *u, const char *text, struct err *err)
{
	struct url url;
	struct buf origin;
	const char *why;
	struct span base;

	memset(u, 0, sizeof(*u));
	u->agent = "ghoard";
	if (url_parse(span_of(text), &url, &why) != 0)
		return err_set(err, ERR_CONFIG, "the upstream '%s' is not a URL: %s", text, why);
	if (!url.tls && !url_is_loopback(&url))
		return err_set(err, ERR_CONFIG,
		    "the upstream '%s' is plain http, which would send the token in clear; http is "
		    "allowed for loopback addresses only",
		    text);
	base = url.target;
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	buf_init(&origin, sizeof(u->origin) - 1);
	url_origin(&url, &origin);
	snprintf(u->origin, sizeof(u->origin), "%s", buf_cstr(&origin));
	buf_free(&origin);
	u->host_at = (uint16_t)(strlen(url.tls ? "https://" : "http://") + (url.v6 ? 1 : 0));
	u->host_len = (uint16_t)url.host.n;
	if (span_chr(base, '?') >= 0 || !span_copy(u->base, sizeof(u->base), base))
		return err_set(err, ERR_CONFIG,
		    "the upstream '%s' must be an address and perhaps a path, no query", text);
	return 0;
}

struct span upstream_host(const struct upstream *u)
{
	return span_make(u->origin + u->host_at, u->host_len);
}

bool upstream_target(const struct upstream *u, struct span text, struct span *target)
{
	struct url url, own;
	const char *why;

	if (url_parse(text, &url, &why) != 0 || url_parse(span_of(u->origin), &own, &why) != 0)
		return false;
	if (!url_same_origin(&url, &own) || !span_starts(url.target, u->base))
		return false;
	*target = span_sub(url.target, strlen(u->base), url.target.n);
	return target->n > 0 && target->p[0] == '/';
}

static bool one_of(struct span s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(s, list[i]))
			return true;
	return false;
}

static bool accept_is_plain(struct span a)
{
	static const char *const same[] = { "", "*/*", "application/json", ACCEPT_CANONICAL,
		"application/vnd.github.v3+json" };

	return one_of(span_trim(a), same, sizeof(same) / sizeof(same[0]));
}

/* ---- what goes upstream ---- */

static int add(struct request *r, struct span name, struct span value, struct err *err)
{
	size_t at = buf_len(&r->text);

	if (!http_is_token(name) || !http_is_value(value))
		return err_set(err, ERR_USAGE, "the header '%.*s' is not one HTTP allows", (int)name.n,
		    name.p);
	if (r->nheaders == REQUEST_HEADERS_MAX)
		return err_set(err, ERR_USAGE, "more than %d headers", REQUEST_HEADERS_MAX);
	/* Room was reserved once: earlier spans stay good. */
	buf_addspan(&r->text, name);
	buf_addspan(&r->text, value);
	r->headers[r->nheaders++] = (struct http_header){ span_make(buf_data(&r->text) + at, name.n),
		span_make(buf_data(&r->text) + at + name.n, value.n) };
	return 0;
}

/* Ours to set, or the connection's and not the message's (RFC 9110 §7.6.1), or what answers vary on and no
 * key holds (github/answer). */
static bool is_ours(struct span name)
{
	static const char *const ours[] = { "accept", "accept-encoding", "authorization", "connection",
		"content-length", "expect", "host", "if-modified-since", "if-unmodified-since", "keep-alive",
		"origin", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding",
		"upgrade", "user-agent", "x-gh-cache-ttl", "x-requested-with" };

	return one_of(name, ours, sizeof(ours) / sizeof(ours[0]));
}

static struct span given(const struct request_in *in, const char *name)
{
	for (size_t i = 0; i < in->nheaders; i++)
		if (span_ieq(in->headers[i].name, name))
			return in->headers[i].value;
	return (struct span){ NULL, 0 };
}

static int add_headers(struct request *r, const struct request_in *in, struct err *err)
{
	struct span accept = given(in, "accept");
	size_t room = 1024 + r->id->authorization.len + accept.n;
	int rc;

	for (size_t i = 0; i < in->nheaders; i++)
		room += in->headers[i].name.n + in->headers[i].value.n;
	if (buf_reserve(&r->text, room) == NULL)
		return err_set(err, ERR_LIMIT, "the request's headers are too large");
	rc = add(r, span_of("Accept"),
	    accept_is_plain(accept) ? span_of(ACCEPT_CANONICAL) : span_trim(accept), err);
	r->accept = rc == 0 ? r->headers[0].value : accept;
	if (rc == 0 && !r->id->is_public)
		rc = add(r, span_of("Authorization"),
		    span_make(r->id->authorization.bytes, r->id->authorization.len), err);
	if (rc == 0)
		rc = add(r, span_of("User-Agent"), span_of(r->upstream->agent), err);
	if (rc == 0)
		rc = add(r, span_of("Accept-Encoding"), span_of("identity"), err);
	for (size_t i = 0; rc == 0 && i < in->nheaders; i++)
		if (!is_ours(in->headers[i].name))
			rc = add(r, in->headers[i].name, span_trim(in->headers[i].value), err);
	return rc;
}

struct span request_header(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->nheaders; i++)
		if (span_ieq(r->headers[i].name, name))
			return r->headers[i].value;
	return (struct span){ NULL, 0 };
}

/* ---- may it be kept, and under which key ---- */

/* The operation of a POST whose answer belongs to its body; NULL: it is an ordinary write. */
static const char *keyed_by_body(const struct request *r, const struct request_in *in)
{
	struct span t = buf_span(&r->target);

	if (strcmp(r->method, "POST") != 0 || !in->has_body || in->streamed)
		return NULL;
	if (span_eq(t, "/graphql"))
		return graphql_is_query(in->body) ? "graphql_query" : NULL;
	for (size_t i = 0; i < in->nbody_paths; i++)
		if (span_eq(t, in->body_paths[i]))
			return "copilot_completion";
	return NULL;
}

static bool given_twice(const struct request_in *in, const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < in->nheaders; i++)
		n += span_ieq(in->headers[i].name, name);
	return n > 1;
}

static const char *bypass_of(struct request *r, const struct request_in *in)
{
	static const char *const never[] = { "cookie", "x-github-otp", "range", "if-none-match", "if-match",
		"if-range" };

	const char *op = keyed_by_body(r, in);

	if (op != NULL) {
		r->route = route_by_op(span_of(op));
		r->ttl = r->route->ttl;
	} else if (strcmp(r->method, "GET") != 0 && !r->is_head) {
		return "method";
	} else if (in->has_body) {
		return "body";
	}
	if (!route_target_ok(buf_span(&r->target)))
		return "target";
	if (r->route->policy == ROUTE_NEVER)
		return "route";
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (given(in, never[i]).p != NULL)
			return "header";
	/* The key has room for one. */
	return given_twice(in, "x-github-api-version") ? "header" : NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct http_header *const *x = a, *const *y = b;
	int c = strncasecmp((*x)->name.p, (*y)->name.p,
	    (*x)->name.n < (*y)->name.n ? (*x)->name.n : (*y)->name.n);

	if (c != 0)
		return c;
	return (*x)->name.n < (*y)->name.n ? -1 : (*x)->name.n > (*y)->name.n;
}

/* The X-GitHub-* fields but the API version, in a fixed order. */
static size_t github_headers(const struct request *r, const struct http_header *out[REQUEST_HEADERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < r->nheaders; i++)
		if (span_istarts(r->headers[i].name, "x-github-") &&
		    !span_ieq(r->headers[i].name, "x-github-api-version"))
			out[n++] = &r->headers[i];
	qsort(out, n, sizeof(out[0]), by_name);
	return n;
}

static void put_member(struct request *r, struct hash_sha256 *h, const char *name, struct span value)
{
	hash_sha256_field(h, value);
	buf_addf(&r->variant, "%s\"%s\":", buf_len(&r->variant) > 1 ? "," : "", name);
	json_quote(&r->variant, value, false);
}

static void put_github_headers(struct request *r, struct hash_sha256 *h)
{
	const struct http_header *list[REQUEST_HEADERS_MAX];
	size_t n = github_headers(r, list);

	for (size_t i = 0; i < n; i++) {
		char name[128];
		size_t k = list[i]->name.n < sizeof(name) - 1 ? list[i]->name.n : sizeof(name) - 1;

		for (size_t j = 0; j < k; j++)
			name[j] = (char)(list[i]->name.p[j] |
			    (list[i]->name.p[j] >= 'A' && list[i]->name.p[j] <= 'Z' ? 0x20 : 0));
		name[k] = '\0';
		hash_sha256_field(h, span_of(name));
		put_member(r, h, name, list[i]->value);
	}
}

static void make_key(struct request *r)
{
	struct hash_sha256 h;
	uint8_t digest[SHA256_LEN];
	char upstream[sizeof(r->upstream->origin) + sizeof(r->upstream->base)];
	char body[2 * SHA256_LEN + 1] = "", hex[2 * VARIANT_HEX_BYTES + 1];

	hash_sha256_init(&h);
	buf_addc(&r->variant, '{');
	put_member(r, &h, "profile", span_of(REQUEST_PROFILE));
	snprintf(upstream, sizeof(upstream), "%s%s", r->upstream->origin, r->upstream->base);
	put_member(r, &h, "upstream", span_of(upstream));
	put_member(r, &h, "accept", r->accept);
	put_member(r, &h, "version", request_header(r, "x-github-api-version"));
	put_github_headers(r, &h);
	if (r->has_body) {
		hash_sha256(digest, r->body.p, r->body.n);
		hex_encode(body, digest, sizeof(digest));
	}
	put_member(r, &h, "body", span_of(body));
	buf_addc(&r->variant, '}');
	hash_sha256_out(&h, digest);
	hex_encode(hex, digest, VARIANT_HEX_BYTES);
	buf_addf(&r->key, "%s:%s", r->route->op, r->has_body ? r->method : "");
	buf_addspan(&r->key, buf_span(&r->target));
	buf_addf(&r->key, ":%s", hex);
}

static int take_target(struct request *r, struct span target, struct err *err)
{
	if (target.n == 0 || target.p[0] != '/' || target.n > TARGET_MAX)
		return err_set(err, ERR_USAGE, "'%.*s' is not a path of the GitHub API",
		    target.n < 80 ? (int)target.n : 80, target.p);
	for (size_t i = 0; i < target.n; i++)
		if ((uint8_t)target.p[i] <= ' ' || (uint8_t)target.p[i] >= 0x7F || target.p[i] == '#')
			return err_set(err, ERR_USAGE, "the path '%.*s' holds a byte that must be %%-encoded",
			    target.n < 80 ? (int)target.n : 80, target.p);
	buf_addspan(&r->target, target);
	/* GitHub Enterprise Server: REST below /api/v3, GraphQL at /api/graphql. */
	if (span_eq(target, "/graphql") && span_ends(span_of(r->upstream->base), "/api/v3"))
		buf_addf(&r->url, "%s%.*s", r->upstream->origin, (int)strlen(r->upstream->base) - 3,
		    r->upstream->base);
	else
		buf_addf(&r->url, "%s%s", r->upstream->origin, r->upstream->base);
	buf_addspan(&r->url, target);
	return 0;
}

int request_init(struct request *r, const struct upstream *u, const struct identity *id,
    const struct request_in *in, struct err *err)
{
	int rc = 0;

	memset(r, 0, sizeof(*r));
	r->upstream = u;
	r->id = id;
	r->has_body = in->has_body;
	r->body = in->body;
	r->streamed = in->streamed;
	r->length = in->length;
	buf_init(&r->target, TARGET_MAX);
	buf_init(&r->text, HTTP_HEAD_MAX);
	buf_init(&r->key, 2 * URL_MAX);
	buf_init(&r->variant, HTTP_HEAD_MAX * 2);
	buf_init(&r->url, URL_MAX);
	if (!http_is_token(span_of(in->method)) ||
	    !span_copy(r->method, sizeof(r->method), span_of(in->method)))
		rc = err_set(err, ERR_USAGE, "'%s' is not an HTTP method", in->method);
	r->is_head = strcmp(r->method, "HEAD") == 0;
	if (rc == 0)
		rc = take_target(r, in->target, err);
	if (rc == 0)
		rc = add_headers(r, in, err);
	if (rc != 0) {
		request_wipe(r);
		return rc;
	}
	r->route = route_find(span_of(r->is_head ? "GET" : r->method), in->target);
	r->ttl = r->route->ttl;
	r->bypass = bypass_of(r, in);
	if (r->bypass == NULL)
		make_key(r);
	return 0;
}

static bool copy_buf(struct buf *to, const struct buf *from)
{
	buf_init(to, from->max);
	buf_addspan(to, buf_span(from));
	return !to->failed;
}

int request_copy(struct request *to, const struct request *from, const struct identity *id)
{
	const char *old = (const char *)buf_data(&from->text);
	bool ok;

	*to = *from;
	to->id = id;
	ok = copy_buf(&to->target, &from->target);
	ok = copy_buf(&to->text, &from->text) && ok;
	ok = copy_buf(&to->key, &from->key) && ok;
	ok = copy_buf(&to->variant, &from->variant) && ok;
	ok = copy_buf(&to->url, &from->url) && ok;
	for (size_t i = 0; ok && i < to->nheaders; i++) {
		const char *text = (const char *)buf_data(&to->text);

		to->headers[i].name.p = text + (from->headers[i].name.p - old);
		to->headers[i].value.p = text + (from->headers[i].value.p - old);
	}
	to->accept = ok ? to->headers[0].value : to->accept;
	if (!ok)
		request_wipe(to);
	return ok ? 0 : ERR_INTERNAL;
}

void request_wipe(struct request *r)
{
	buf_free(&r->target);
	buf_wipe(&r->text);
	buf_free(&r->key);
	buf_free(&r->variant);
	buf_free(&r->url);
}
