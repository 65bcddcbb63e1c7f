#include "http/redirect.h"

#include <string.h>

#include "base/buf.h"
#include "http/url.h"

static int bad(const char **why, const char *phrase)
{
	*why = phrase;
	return -1;
}

bool http_is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool turns_into_get(int status, const char *method)
{
	if (status == 303)
		return strcmp(method, "HEAD") != 0;
	return (status == 301 || status == 302) && strcmp(method, "POST") == 0;
}

int http_redirect(int status, const char *method, const struct url *from, struct span location,
    struct buf *next, struct http_redirect *out, const char **why)
{
	size_t mark = buf_len(next);
	bool get = turns_into_get(status, method);
	struct url to;

	if (!http_is_redirect(status))
		return bad(why, "a status that is not a redirect");
	if (location.n == 0)
		return bad(why, "a redirect without a Location");
	if (url_resolve(from, location, next, why) < 0)
		return -1;
	if (url_parse(span_sub(buf_span(next), mark, URL_MAX), &to, why) < 0 || (from->tls && !to.tls)) {
		buf_truncate(next, mark);
		return bad(why, "a redirect from https to http");
	}
	*out = (struct http_redirect){
		.method = get ? "GET" : method,
		.drop_body = get || status == 303,
		.drop_auth = !url_same_origin(from, &to),
	};
	return 0;
}
