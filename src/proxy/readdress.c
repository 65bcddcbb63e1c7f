#include <string.h>

#include "http/parse.h"
#include "proxy/readdress.h"
#include "proxy/rules.h"

void readdress_init(struct readdress *r, const char *base)
{
	r->base = base;
	buf_init(&r->own, 600);
	buf_init(&r->values, 4 * HTTP_HEAD_MAX);
}

void readdress_free(struct readdress *r)
{
	buf_free(&r->own);
	buf_free(&r->values);
}

void readdress_to(struct readdress *r, struct span authority, const char *path)
{
	buf_adds(&r->own, "http://");
	buf_addspan(&r->own, authority);
	buf_adds(&r->own, path);
}

bool readdress_is_on(const struct readdress *r)
{
	return buf_len(&r->own) > 0;
}

static bool is_address(const struct http_field *f)
{
	return span_ieq(f->name, "link") || span_ieq(f->name, "location");
}

static void add_field(struct readdress *r, struct http_head *to, const struct http_field *from)
{
	size_t at = buf_len(&r->values);
	struct http_field *f = &to->fields[to->nfields];

	if (span_istarts(from->name, "access-control-"))	/* answers are not for web pages */
		return;
	*f = *from;
	to->nfields++;
	if (!readdress_is_on(r) || !is_address(from))
		return;
	readdress_body(r, from->value, &r->values);
	f->value = span_make(buf_data(&r->values) + at, buf_len(&r->values) - at);
}

void readdress_head(struct readdress *r, const struct http_head *from, struct http_head *to)
{
	size_t links = 0;

	to->status = from->status;
	to->reason = from->reason;
	to->nfields = 0;
	for (size_t i = 0; readdress_is_on(r) && i < from->nfields; i++)
		if (is_address(&from->fields[i]))
			links += from->fields[i].value.n;
	buf_clear(&r->values);
	if (links > 0)		/* room made once: the values stay where they are */
		buf_reserve(&r->values, links * (1 + buf_len(&r->own) / strlen("https://x")));
	for (size_t i = 0; i < from->nfields; i++)
		add_field(r, to, &from->fields[i]);
}

void readdress_body(const struct readdress *r, struct span body, struct buf *out)
{
	rules_rewrite(body, span_of(r->base), buf_span(&r->own), out);
}
