#include <string.h>

#include "base/buf.h"
#include "github/link.h"
#include "github/route.h"
#include "http/parse.h"
#include "http/url.h"

bool link_of_origin(struct span url, const char *origin)
{
	struct url u, o;
	const char *why;

	return url_parse(url, &u, &why) == 0 && url_parse(span_of(origin), &o, &why) == 0 &&
	    url_same_origin(&u, &o);
}

/* A comma inside the brackets does not end a member, so the search is for brackets. */
bool link_next(struct span *rest, struct span *url, struct span *params)
{
	ptrdiff_t open = span_chr(*rest, '<'), close;
	struct span from = span_sub(*rest, (size_t)open + 1, rest->n);

	if (open < 0 || (close = span_chr(from, '>')) < 0)
		return false;
	*url = span_sub(from, 0, (size_t)close);
	*rest = span_sub(from, (size_t)close + 1, from.n);
	open = span_chr(*rest, '<');
	*params = open < 0 ? *rest : span_sub(*rest, 0, (size_t)open);
	return true;
}

bool link_within(struct span link, const char *origin)
{
	struct span url, params;

	while (link_next(&link, &url, &params))
		if (!link_of_origin(url, origin))
			return false;
	return span_chr(link, '<') < 0;		/* one that is not closed points nobody knows where */
}

/* rel = "prev next": white space around the "=" and several in one are allowed (RFC 8288 §3, §3.3). */
static bool has_rel(struct span params, const char *rel)
{
	struct span item, name, one;

	while (span_cut(&params, ';', &item)) {
		if (!span_cut(&item, '=', &name) || !span_ieq(span_trim(name), "rel"))
			continue;
		while (span_cut(&item, ' ', &one)) {
			while (one.n > 0 && strchr("\",\t", one.p[one.n - 1]) != NULL)
				one.n--;
			while (one.n > 0 && strchr("\"\t", one.p[0]) != NULL)
				one = span_sub(one, 1, one.n);
			if (span_ieq(one, rel))
				return true;
		}
	}
	return false;
}

bool link_rel(struct span link, const char *rel, struct span *url)
{
	struct span params;

	while (link_next(&link, url, &params))
		if (has_rel(params, rel))
			return true;
	return false;
}

/* "/orgs/x/repos" and "/organizations/5/repos" are one list, and so on: GitHub links pages by number. */
static bool same_numbered(struct span a, struct span b, const char *named, const char *numbered)
{
	struct span ra, rb, ignored;

	if (!span_starts(a, named) || !span_starts(b, numbered))
		return false;
	ra = span_sub(a, strlen(named), a.n);
	rb = span_sub(b, strlen(numbered), b.n);
	return span_cut(&ra, '/', &ignored) && span_cut(&rb, '/', &ignored) && span_same(ra, rb);
}

static bool same_list(struct span a, struct span b)
{
	struct span ra = route_repo_prefix(a), rb = route_repo_prefix(b);

	if (span_same(a, b) || same_numbered(a, b, "/orgs/", "/organizations/") ||
	    same_numbered(a, b, "/users/", "/user/"))
		return true;
	return span_starts(ra, "/repos/") && span_starts(rb, "/repositories/") &&
	    span_same(span_sub(a, ra.n, a.n), span_sub(b, rb.n, b.n));
}

static bool believable(struct span url, const char *origin, const char *base, struct span target)
{
	struct url u;
	const char *why;

	if (!link_of_origin(url, origin) || url_parse(url, &u, &why) != 0 || !span_starts(u.target, base))
		return false;
	return same_list(span_before(target, '?'),
	    span_before(span_sub(u.target, strlen(base), u.target.n), '?'));
}

void link_believable(struct span link, const char *origin, const char *base, struct span target,
    struct buf *out)
{
	struct span url, params;
	size_t at = buf_len(out);

	while (link_next(&link, &url, &params)) {
		if (!believable(url, origin, base, target) || !http_is_value(span_trim(params))) {
			buf_truncate(out, at);
			return;
		}
		if (has_rel(params, "last"))
			continue;
		params = span_trim(params);
		while (params.n > 0 && strchr(", \t", params.p[params.n - 1]) != NULL)
			params.n--;
		buf_addf(out, "%s<%.*s>%.*s", buf_len(out) > at ? ", " : "", (int)url.n, url.p, (int)params.n,
		    params.p);
	}
	if (span_chr(link, '<') >= 0)
		buf_truncate(out, at);
}
