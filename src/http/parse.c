#include "http/parse.h"

#include <string.h>

/* Every length we accept must survive a trip through off_t and ssize_t. */
#define LENGTH_MAX ((uint64_t)INT64_MAX)

static int bad(const char **why, const char *phrase)
{
	*why = phrase;
	return -1;
}

static bool is_tchar(uint8_t c)
{
	uint8_t lower = c | 0x20;

	if ((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z'))
		return true;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* field-vchar, SP and HTAB of RFC 9110 §5.5. */
static bool is_text(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

bool http_is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_tchar((uint8_t)s.p[i]))
			return false;
	return s.n > 0;
}

bool http_is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_text((uint8_t)s.p[i]))
			return false;
	return span_trim(s).n == s.n;
}

/* One line from *off, without its CRLF: 0, -1 or -2. */
static int take_line(struct span in, size_t *off, struct span *line, const char **why)
{
	for (size_t i = *off; i < in.n; i++) {
		uint8_t c = (uint8_t)in.p[i];

		if (is_text(c))
			continue;
		if (c == '\n')
			return bad(why, "a bare LF ends a line");
		if (c != '\r')
			return bad(why, c == 0 ? "a NUL byte" : "a control character");
		if (i + 1 == in.n)
			return -2;
		if (in.p[i + 1] != '\n')
			return bad(why, "a bare CR in a line");
		*line = span_make(in.p + *off, i - *off);
		*off = i + 2;
		return 0;
	}
	return -2;
}

/* Needs no full line, so that a peer speaking another protocol is found out at its first bytes. */
static bool is_http1(struct span in)
{
	static const char prefix[] = "HTTP/1.";
	size_t n = in.n < sizeof(prefix) - 1 ? in.n : sizeof(prefix) - 1;

	return n == 0 || memcmp(in.p, prefix, n) == 0;
}

static int parse_status_line(struct span line, struct http_head *h, const char **why)
{
	uint64_t status;

	if (line.n < 8 || (line.p[7] != '0' && line.p[7] != '1'))
		return bad(why, "a version other than HTTP/1.0 and HTTP/1.1");
	if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
		return bad(why, "a malformed status line");
	if (!span_u64(span_sub(line, 9, 3), 599, &status) || status < 100)
		return bad(why, "a malformed status code");
	h->minor = line.p[7] - '0';
	h->status = (int)status;
	/* "HTTP/1.1 200" lacks a space the grammar demands; it is common and harmless. */
	h->reason = span_sub(line, 13, line.n);
	return 0;
}

static int parse_field(struct span line, struct http_field *f, const char **why)
{
	ptrdiff_t colon = span_chr(line, ':');

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return bad(why, "a folded line");
	if (colon < 0)
		return bad(why, "a field line without a colon");
	f->name = span_sub(line, 0, (size_t)colon);
	if (span_trim(f->name).n < f->name.n)
		return bad(why, "white space before the colon of a field");
	if (!http_is_token(f->name))
		return bad(why, "a malformed field name");
	f->value = span_trim(span_sub(line, (size_t)colon + 1, line.n));
	return 0;
}

/* Field lines from *off up to and with the empty line: 0, -1 or -2. */
static int take_fields(struct span in, size_t *off, struct http_field *f, size_t max, size_t *nfields,
    const char **why)
{
	struct span line;
	int r;

	*nfields = 0;
	while ((r = take_line(in, off, &line, why)) == 0 && line.n > 0) {
		if (*nfields == max)
			return bad(why, "too many fields");
		if (parse_field(line, &f[*nfields], why) < 0)
			return -1;
		++*nfields;
	}
	return r;
}

/* What lies beyond the limit is never looked at, so the answer does not depend on how much has come. */
static struct span clip(const void *p, size_t n)
{
	return span_make(p, n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX);
}

static ssize_t finish(int r, size_t off, struct span in, const char **why)
{
	if (r == -2 && in.n == HTTP_HEAD_MAX)
		return bad(why, "a head of more than 64 KiB");
	return r == 0 ? (ssize_t)off : r;
}

ssize_t http_parse_response(const void *p, size_t n, struct http_head *h, const char **why)
{
	struct span in = clip(p, n), line;
	size_t off = 0;
	int r;

	h->nfields = 0;
	if (!is_http1(in))
		return bad(why, "not an HTTP/1 response");
	r = take_line(in, &off, &line, why);
	if (r == 0)
		r = parse_status_line(line, h, why);
	if (r == 0)
		r = take_fields(in, &off, h->fields, HTTP_FIELDS_MAX, &h->nfields, why);
	return finish(r, off, in, why);
}

/* RFC 9112 §3: method SP request-target SP HTTP-version, one space each. */
static int parse_request_line(struct span line, struct http_head *h, const char **why)
{
	struct span rest = line, version;

	if (!span_cut(&rest, ' ', &h->method) || !span_cut(&rest, ' ', &h->target) ||
	    !http_is_token(h->method))
		return bad(why, "a malformed request line");
	version = rest;
	for (size_t i = 0; i < h->target.n; i++)
		if ((uint8_t)h->target.p[i] <= ' ' || (uint8_t)h->target.p[i] >= 0x7f)
			return bad(why, "a malformed request target");
	if (h->target.n == 0)
		return bad(why, "a malformed request line");
	if (!span_eq(version, "HTTP/1.1") && !span_eq(version, "HTTP/1.0"))
		return bad(why, span_starts(version, "HTTP/") ? "a version other than HTTP/1.0 and HTTP/1.1" :
		    "a malformed request line");
	h->minor = version.p[7] - '0';
	return 0;
}

static int check_host(const struct http_head *h, const char **why)
{
	size_t n = http_field_count(h, "Host");

	if (n > 1 || (n == 0 && h->minor == 1))
		return bad(why, n == 0 ? "no Host field" : "more than one Host field");
	return 0;
}

ssize_t http_parse_request(const void *p, size_t n, struct http_head *h, const char **why)
{
	struct span in = clip(p, n), line;
	size_t off = 0;
	int r;

	h->nfields = 0;
	h->status = 0;
	r = take_line(in, &off, &line, why);
	if (r == 0)
		r = parse_request_line(line, h, why);
	if (r == 0)
		r = take_fields(in, &off, h->fields, HTTP_FIELDS_MAX, &h->nfields, why);
	if (r == 0)
		r = check_host(h, why);
	return finish(r, off, in, why);
}

ssize_t http_parse_fields(const void *p, size_t n, struct http_field *f, size_t max, size_t *nfields,
    const char **why)
{
	struct span in = clip(p, n);
	size_t off = 0;
	int r = take_fields(in, &off, f, max, nfields, why);

	return finish(r, off, in, why);
}

struct span http_field(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, name))
			return h->fields[i].value;
	return (struct span){ NULL, 0 };
}

size_t http_field_count(const struct http_head *h, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < h->nfields; i++)
		count += span_ieq(h->fields[i].name, name);
	return count;
}

/* One element off the front of a list; a comma inside a quoted string does not separate. */
static bool cut_element(struct span *rest, struct span *element)
{
	bool quoted = false;
	size_t i;

	if (rest->n == 0)
		return false;
	for (i = 0; i < rest->n && (quoted || rest->p[i] != ','); i++) {
		if (rest->p[i] == '"')
			quoted = !quoted;
		else if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
	}
	*element = span_trim(span_sub(*rest, 0, i));
	*rest = span_sub(*rest, i + 1, rest->n);
	return true;
}

static bool list_has(struct span list, const char *token)
{
	struct span element;

	while (cut_element(&list, &element))
		if (span_ieq(element, token))
			return true;
	return false;
}

bool http_field_has(const struct http_head *h, const char *name, const char *token)
{
	for (size_t i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, name) && list_has(h->fields[i].value, token))
			return true;
	return false;
}

static bool status_has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static int framing_te(const struct http_head *h, enum http_framing *framing, const char **why)
{
	if (h->minor == 0)
		return bad(why, "Transfer-Encoding in HTTP/1.0");
	if (http_field_count(h, "Content-Length") > 0)
		return bad(why, "both Transfer-Encoding and Content-Length");
	if (http_field_count(h, "Transfer-Encoding") > 1 ||
	    !span_ieq(http_field(h, "Transfer-Encoding"), "chunked"))
		return bad(why, "a transfer coding other than chunked");
	*framing = HTTP_BODY_CHUNKED;
	return 0;
}

/* What the fields say, whatever the request and the status. */
static int framing_of_fields(const struct http_head *h, enum http_framing *framing, uint64_t *length,
    const char **why)
{
	size_t count = http_field_count(h, "Content-Length");

	*length = 0;
	*framing = HTTP_BODY_CLOSE;
	if (http_field_count(h, "Transfer-Encoding") > 0)
		return framing_te(h, framing, why);
	if (count == 0)
		return 0;
	if (count > 1)
		return bad(why, "more than one Content-Length");
	if (!span_u64(http_field(h, "Content-Length"), LENGTH_MAX, length))
		return bad(why, "a malformed Content-Length");
	*framing = HTTP_BODY_LENGTH;
	return 0;
}

int http_request_framing(const struct http_head *h, enum http_framing *framing, uint64_t *length,
    const char **why)
{
	if (framing_of_fields(h, framing, length, why) < 0)
		return -1;
	if (*framing == HTTP_BODY_CLOSE || (*framing == HTTP_BODY_LENGTH && *length == 0))
		*framing = HTTP_BODY_NONE;
	return 0;
}

int http_framing(const struct http_head *h, bool request_was_head, enum http_framing *framing,
    uint64_t *length, const char **why)
{
	if (!request_was_head && !status_has_no_body(h->status))
		return framing_of_fields(h, framing, length, why);
	*framing = HTTP_BODY_NONE;
	*length = 0;
	return 0;
}

/* A server that announces a body where none may be might send it, and it would be read as the next head. */
static bool announces_stray_body(const struct http_head *h)
{
	enum http_framing framing;
	uint64_t length;
	const char *why;

	if (framing_of_fields(h, &framing, &length, &why) < 0)
		return true;
	if (h->status >= 200 && h->status != 204)
		return false;
	return framing == HTTP_BODY_CHUNKED || length > 0;
}

bool http_keep_alive(const struct http_head *h, enum http_framing framing)
{
	if (framing == HTTP_BODY_CLOSE || h->status == 101)
		return false;
	if (framing == HTTP_BODY_NONE && announces_stray_body(h))
		return false;
	if (http_field_has(h, "Connection", "close"))
		return false;
	return h->minor > 0 || http_field_has(h, "Connection", "keep-alive");
}
