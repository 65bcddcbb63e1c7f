#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "cache/renew.h"
#include "github/answer.h"
#include "github/fields.h"
#include "github/identity.h"
#include "github/link.h"
#include "github/request.h"
#include "github/route.h"
#include "store/entry.h"

static int build(const struct request *r, const struct answer *a, struct span body, int64_t ttl, int status,
    const struct entry_header *headers, size_t n, struct entry **out, struct err *err)
{
	struct buf fields;
	struct entry_parts p = { .key = buf_span(&r->key),
		.url = buf_span(&r->url),
		.auth = span_of(r->id->tag),
		.variant = buf_span(&r->variant),
		.proof_key = identity_key(r->id),
		.timestamp = a->received,
		.ttl = ttl,
		.status = status,
		.headers = headers,
		.nheaders = n,
		.body = body };
	int rc;

	buf_init(&fields, (size_t)1 << 20);
	if (fields_of(span_of(r->route->op), body, &fields) == 1 && !fields.failed)
		p.fields = buf_span(&fields);
	rc = entry_build(&p, out, err);
	buf_free(&fields);
	return rc;
}

int renew_from_200(const struct request *r, const struct answer *a, int64_t ttl, unsigned *dropped,
    struct entry **out, struct err *err)
{
	struct entry_header headers[ENTRY_HEADERS_MAX];
	size_t n = answer_headers(a, r->upstream->origin, headers, dropped);
	struct span next;

	if (*dropped > 0 &&
	    (a->head.status == 301 || link_rel(http_field(&a->head, "link"), "next", &next)))
		return err_set(err, ERR_DENIED, "the answer leads away from the upstream");
	if (a->head.status == 301 && ttl > RENEW_301_TTL)
		ttl = RENEW_301_TTL;
	return build(r, a, buf_span(&a->body), ttl, a->head.status, headers, n, out, err);
}

/* Fields of the 304 replace stored ones of the same name. */
static size_t lay_over(struct entry_header *h, size_t n, const struct answer *a, const char *origin)
{
	struct entry_header fresh[ENTRY_HEADERS_MAX];
	unsigned dropped = 0;
	size_t nfresh = answer_headers(a, origin, fresh, &dropped), kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool replaced = false;

		for (size_t k = 0; k < nfresh; k++)
			replaced = replaced || span_same(fresh[k].name, h[i].name);
		if (!replaced)
			h[kept++] = h[i];
	}
	for (size_t k = 0; k < nfresh && kept < ENTRY_HEADERS_MAX; k++)
		h[kept++] = fresh[k];
	return kept;
}

int renew_from_304(const struct request *r, const struct entry *own, const struct answer *a, int64_t ttl,
    struct entry **out, struct err *err)
{
	struct entry_header headers[ENTRY_HEADERS_MAX];
	size_t n = own->nheaders;

	memcpy(headers, own->headers, n * sizeof(headers[0]));
	n = lay_over(headers, n, a, r->upstream->origin);
	return build(r, a, own->body, ttl, own->status, headers, n, out, err);
}

static bool of_the_content(struct span name)
{
	static const char *const list[] = { "content-type", "last-modified", "x-github-media-type",
		"x-github-api-version-selected", "deprecation", "sunset" };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (span_eq(name, list[i]))
			return true;
	return false;
}

int renew_from_candidate(const struct request *r, const struct entry *c, const struct answer *a, int64_t ttl,
    struct entry **out, struct err *err)
{
	struct entry_header headers[ENTRY_HEADERS_MAX];
	struct buf link;
	size_t n = 0;
	int rc;

	buf_init(&link, 16384);
	for (size_t i = 0; i < c->nheaders; i++)
		if (of_the_content(c->headers[i].name))
			headers[n++] = c->headers[i];
	link_believable(entry_header(c, "link"), r->upstream->origin, r->upstream->base, buf_span(&r->target),
	    &link);
	if (buf_len(&link) > 0 && n < ENTRY_HEADERS_MAX)
		headers[n++] = (struct entry_header){ span_of("link"), buf_span(&link) };
	n = lay_over(headers, n, a, r->upstream->origin);
	rc = build(r, a, c->body, ttl, c->status, headers, n, out, err);
	buf_free(&link);
	return rc;
}

static int count_elements(struct span array)
{
	struct span key, value;
	size_t at = 0;
	int n = 0;

	while (jscan_next(array, &at, &key, &value) == 1)
		n++;
	return n;
}

/* The body is the list, or an object with the list in it ({"total_count":…,"workflow_runs":[…]}); -1:
 * neither. */
static int list_length(struct span body)
{
	struct span key, value;
	size_t at = 0;

	body = span_trim(body);
	if (body.n == 0 || body.p[0] == '[')
		return body.n == 0 ? -1 : count_elements(body);
	if (body.p[0] != '{' || jscan_member(body, "total_count", &value) != 1)
		return -1;
	while (jscan_next(body, &at, &key, &value) == 1)
		if (value.p[0] == '[')
			return count_elements(value);
	return -1;
}

bool renew_is_full_last_page(const struct request *r, const struct entry *e)
{
	struct span url;

	if (link_rel(entry_header(e, "link"), "next", &url))
		return false;
	return list_length(e->body) >= route_per_page(buf_span(&r->target));
}

bool renew_is_usable_candidate(const struct request *r, const struct entry *c)
{
	struct span link = entry_header(c, "link"), next;
	struct buf believed;
	bool usable;

	if (c->status != 200 || entry_header(c, "etag").n == 0 || renew_is_full_last_page(r, c))
		return false;
	if (!link_rel(link, "next", &next))
		return true;
	buf_init(&believed, 16384);
	link_believable(link, r->upstream->origin, r->upstream->base, buf_span(&r->target), &believed);
	usable = link_rel(buf_span(&believed), "next", &next);
	buf_free(&believed);
	return usable;
}

int renew_from_empty(const struct request *r, const struct answer *a, int64_t ttl, struct entry **out,
    struct err *err)
{
	struct entry_header headers[ENTRY_HEADERS_MAX];
	size_t n = 0;

	headers[n++] =
	    (struct entry_header){ span_of("content-type"), span_of("application/json; charset=utf-8") };
	n = lay_over(headers, n, a, r->upstream->origin);
	return build(r, a, span_of("[]"), ttl, 200, headers, n, out, err);
}

bool renew_is_list(struct span body)
{
	return list_length(body) >= 0;
}
