/*
 * http and https URLs (RFC 3986), as an HTTP client needs them.
 *
 * Spans point into the text parsed, which must outlive them. No userinfo (refused), no fragment
 * (dropped), ports 1-65535. Bytes outside printable ASCII, spaces and a % without two hex digits are
 * refused: what is not encoded by the caller is not guessed. Names hold letters, digits, '-', '_' and
 * '.'; one that ends in a number must be a dotted quad ("127.1" and "0x7f000001", which getaddrinfo takes
 * for addresses, are refused).
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct buf;

#define URL_MAX 8192
#define URL_HOST_MAX 255

struct url {
	bool tls;		/* https */
	struct span host;	/* without brackets for an IPv6 literal */
	bool v6;		/* host is an IPv6 literal */
	uint16_t port;		/* 443 or 80 by default */
	struct span target;	/* path and query, "/" where the text has none */
};

/*
 * 0, or -1 with *why a phrase. Scheme and host compare without case. "http://h?q" is refused: no span of
 * it is "/?q".
 */
int url_parse(struct span, struct url *, const char **why);
/* "host" or "host:port" alone: sets host and v6, and port if there is one; changes nothing on failure. */
int url_parse_authority(struct span, struct url *, const char **why);

/* "host", or "host:port" where the port is not the scheme's own; IPv6 in brackets: for Host and messages. */
void url_authority(const struct url *, struct buf *);
/* scheme://authority */
void url_origin(const struct url *, struct buf *);
bool url_same_origin(const struct url *, const struct url *);

/*
 * Resolve a reference (RFC 3986 §5.2-5.3: absolute, "//host/p", "/p", "p", "?q", with dot segments)
 * against a base; the absolute URL, fragment dropped, is appended. -1 with *why and the buffer as it was.
 * The base must not point into the buffer.
 */
int url_resolve(const struct url *base, struct span ref, struct buf *, const char **why);

/* Is the host a loopback name or address: "localhost", "*.localhost", 127.0.0.0/8, ::1? */
bool url_is_loopback(const struct url *);
/* Is it an IP address literal? */
bool url_is_ip(const struct url *);

/* Append with everything but unreserved characters %-encoded (RFC 3986 §2.3), as in a query component. */
void url_encode(struct buf *, struct span);

/* What may be shown of a URL: no query, which can hold a signature or a token. */
struct span url_shown(struct span);

/* Undo it: the number of bytes, -1: a malformed escape, or longer than `size`. */
ssize_t url_decode(uint8_t *out, size_t size, struct span);

#endif
