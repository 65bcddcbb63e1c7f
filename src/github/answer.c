#include <string.h>

#include "base/err.h"
#include "base/jscan.h"
#include "github/answer.h"
#include "github/link.h"
#include "github/request.h"
#include "github/route.h"

/* A head as large as one may be, and what the cache adds to it. */
#define TEXT_MAX (HTTP_HEAD_MAX + 4096)

void answer_init(struct answer *a, size_t max_body)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->text, TEXT_MAX);
	buf_init(&a->body, max_body);
}

void answer_free(struct answer *a)
{
	buf_free(&a->text);
	buf_free(&a->body);
}

static struct span copy(struct buf *b, struct span s)
{
	size_t at = buf_len(b);

	buf_addspan(b, s);
	return span_make(buf_data(b) + at, s.n);
}

int answer_take_head(struct answer *a, const struct http_head *h)
{
	if (buf_reserve(&a->text, TEXT_MAX) == NULL)	/* once: the spans stay good */
		return ERR_INTERNAL;
	a->head.minor = h->minor;
	a->head.status = h->status;
	a->head.reason = copy(&a->text, h->reason);
	a->head.nfields = h->nfields;
	for (size_t i = 0; i < h->nfields; i++) {
		a->head.fields[i].name = copy(&a->text, h->fields[i].name);
		a->head.fields[i].value = copy(&a->text, h->fields[i].value);
	}
	if (a->text.failed)
		return ERR_INTERNAL;
	ratelimit_read(&a->head, &a->limit);
	return 0;
}

/* Accept and Authorization are in the key, Accept-Encoding is always identity, requests with the others are
 * never kept; GitHub names X-Requested-With, which we never send. */
static bool vary_covered(struct span vary)
{
	static const char *const covered[] = { "accept", "authorization", "cookie", "x-github-otp",
		"accept-encoding", "x-requested-with", "origin" };
	struct span item;

	while (span_cut(&vary, ',', &item)) {
		bool known = span_trim(item).n == 0 || span_istarts(span_trim(item), "x-github-");

		for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++)
			known = known || span_ieq(span_trim(item), covered[i]);
		if (!known)
			return false;
	}
	return true;
}

bool answer_fields_storable(const struct answer *a)
{
	const struct http_head *h = &a->head;

	if (http_field(h, "content-encoding").n > 0 &&
	    !span_ieq(http_field(h, "content-encoding"), "identity"))
		return false;		/* identity was asked for: these are not the bytes a client expects */
	if (http_field_count(h, "set-cookie") > 0 || http_field_has(h, "cache-control", "no-store"))
		return false;
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, "vary") && !vary_covered(h->fields[i].value))
			return false;
	return true;
}

static bool has_errors(const struct answer *a)
{
	struct span errors;

	return jscan_member(buf_span(&a->body), "errors", &errors) != 0;
}

bool answer_storable(const struct answer *a, const struct request *r)
{
	const struct http_head *h = &a->head;

	if (h->status != 200 && (h->status != 301 || r->has_body))
		return false;
	if (strcmp(r->route->op, "graphql_query") == 0 && has_errors(a))
		return false;
	return answer_fields_storable(a);
}

const char *answer_kept_name(struct span name)
{
	static const char *const kept[] = { "content-type", "etag", "last-modified", "link", "location",
		"date", "cache-control", "vary", "x-poll-interval", "x-github-media-type",
		"x-github-api-version-selected", "deprecation", "sunset" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (span_ieq(name, kept[i]))
			return kept[i];
	return NULL;
}

/* Of the upstream: by its own origin, or as a path. */
static bool location_within(struct span url, const char *origin)
{
	return link_of_origin(url, origin) || (span_starts(url, "/") && !span_starts(url, "//"));
}

size_t answer_headers(const struct answer *a, const char *origin, struct entry_header out[ENTRY_HEADERS_MAX],
    unsigned *dropped)
{
	size_t n = 0;

	for (size_t i = 0; i < a->head.nfields && n < ENTRY_HEADERS_MAX; i++) {
		const struct http_field *f = &a->head.fields[i];
		const char *name = answer_kept_name(f->name);

		if (name == NULL)
			continue;
		if ((strcmp(name, "link") == 0 && !link_within(f->value, origin)) ||
		    (strcmp(name, "location") == 0 && !location_within(f->value, origin))) {
			++*dropped;
			continue;
		}
		out[n++] = (struct entry_header){ span_of(name), f->value };
	}
	return n;
}
