/*
 * HTTP/1.1 message heads: an engine (bytes in, spans out). RFC 9112 §2-5, RFC 9110 §5.
 *
 * Strict where leniency has been used to smuggle: lines end in CRLF, no bare CR or LF, no NUL or other
 * control character but HTAB, no obs-fold, no white space before the colon, field names are tokens, the
 * status is three digits 100-599, the version is HTTP/1.0 or 1.1. Empty lines before a status line are
 * not skipped. Field values are trimmed and may hold obs-text (0x80-0xFF). The one leniency: "HTTP/1.1
 * 200" without a space and a reason.
 *
 * All spans point into the caller's bytes. No allocation.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

#define HTTP_HEAD_MAX ((size_t)64 << 10)	/* start line, fields and the empty line */
#define HTTP_FIELDS_MAX 128

struct http_field {
	struct span name, value;
};

struct http_head {
	int minor;		/* HTTP/1.<minor> */
	struct span method, target;	/* of a request */
	int status;			/* of a response */
	struct span reason;
	size_t nfields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/*
 * Parse one response head at the start of [p, p+n). Returns the bytes it took (its empty line included),
 * -1 bad with *why set to a phrase ("a bare LF ends a line"), -2 more bytes are needed. A head that does
 * not end within HTTP_HEAD_MAX bytes is bad. The head holds nothing of use unless the answer is positive.
 */
ssize_t http_parse_response(const void *p, size_t n, struct http_head *, const char **why);

/*
 * The same for a request head (RFC 9112 §3). The target is one or more visible ASCII characters; its form is
 * the caller's to judge. In HTTP/1.1 exactly one Host field is there (§3.2). Bad versions: *why begins with
 * "a version".
 */
ssize_t http_parse_request(const void *p, size_t n, struct http_head *, const char **why);

/* Trailer fields (RFC 9112 §7.1.2) up to and with their empty line; the same returns. */
ssize_t http_parse_fields(const void *p, size_t n, struct http_field *, size_t max, size_t *nfields,
    const char **why);

/* First field of that name, compared without case; the empty span with p == NULL if there is none. */
struct span http_field(const struct http_head *, const char *name);
size_t http_field_count(const struct http_head *, const char *name);
/* A comma-separated list field (all lines of it) holds this token, without case. */
bool http_field_has(const struct http_head *, const char *name, const char *token);

/* How the body of a response ends, RFC 9112 §6.3. */
enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_CLOSE };

/*
 * Decide it for a response to a request of this method. -1 with *why: Transfer-Encoding together with
 * Content-Length, any transfer coding but a single "chunked", Transfer-Encoding in HTTP/1.0, several or
 * malformed Content-Length, one above 2^63-1. (A list "5, 5" is refused too: RFC 9112 §6.3 permits it.)
 * To HEAD and with 1xx, 204 and 304 there is no body whatever the fields say; http_keep_alive looks at
 * them then.
 */
int http_framing(const struct http_head *, bool request_was_head, enum http_framing *, uint64_t *length,
    const char **why);

/* How the body of a request ends: HTTP_BODY_NONE, LENGTH or CHUNKED. -1 as above. */
int http_request_framing(const struct http_head *, enum http_framing *, uint64_t *length, const char **why);

/*
 * May the connection carry another request after this response? RFC 9112 §9.3. Not after 101, nor where a
 * response without a body has fields that http_framing would refuse, nor where a 1xx or 204 announces a
 * body.
 */
bool http_keep_alive(const struct http_head *, enum http_framing);

/* What may stand in a request we write. */
bool http_is_token(struct span);		/* RFC 9110 §5.6.2, not empty */
bool http_is_value(struct span);		/* VCHAR, obs-text, SP, HTAB; no space at the ends */

#endif
