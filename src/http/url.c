#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"

static int bad(const char **why, const char *phrase)
{
	*why = phrase;
	return -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	char lower = (char)(c | 0x20);

	return is_digit(c) || (lower >= 'a' && lower <= 'f');
}

static bool is_alpha(char c)
{
	char lower = (char)(c | 0x20);

	return lower >= 'a' && lower <= 'z';
}

static bool is_alnum(char c)
{
	return is_digit(c) || is_alpha(c);
}

static int check_text(struct span s, const char **why)
{
	if (s.n > URL_MAX)
		return bad(why, "a URL of more than 8192 bytes");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return bad(why, "a space, control or non-ASCII character in a URL");
		if (s.p[i] == '%' && (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
			return bad(why, "a % without two hex digits in a URL");
	}
	return 0;
}

static bool to_address(int family, struct span host, uint8_t *out)
{
	char text[INET6_ADDRSTRLEN];

	return span_copy(text, sizeof(text), host) && inet_pton(family, text, out) == 1;
}

static struct span without_final_dot(struct span host)
{
	return span_ends(host, ".") ? span_sub(host, 0, host.n - 1) : host;
}

/* "1", "0177", "0x7f": what inet_aton reads as (a part of) an address. */
static bool is_number(struct span label)
{
	bool hex = span_istarts(label, "0x");

	for (size_t i = hex ? 2 : 0; i < label.n; i++)
		if (!(hex ? is_hex(label.p[i]) : is_digit(label.p[i])))
			return false;
	return true;
}

static struct span last_label(struct span host)
{
	size_t from = host.n;

	while (from > 0 && host.p[from - 1] != '.')
		from--;
	return span_sub(host, from, host.n);
}

static int check_name(struct span host, const char **why)
{
	struct span name = without_final_dot(host);
	uint8_t addr[4];

	if (name.n == 0)
		return bad(why, "a URL without a host");
	if (host.n > URL_HOST_MAX)
		return bad(why, "a host name of more than 255 bytes");
	for (size_t i = 0; i < name.n; i++)
		if (!is_alnum(name.p[i]) && (name.p[i] == 0 || !strchr("-_.", name.p[i])))
			return bad(why, "a character in the host name that may not stand there");
	if (name.p[0] == '.' || span_ends(name, ".") || span_find(name, "..") >= 0)
		return bad(why, "a host name with an empty label");
	if (is_number(last_label(name)) && !to_address(AF_INET, host, addr))
		return bad(why, "a malformed IPv4 address");
	return 0;
}

static int check_v6(struct span host, const char **why)
{
	uint8_t addr[16];

	return to_address(AF_INET6, host, addr) ? 0 : bad(why, "a malformed IPv6 address");
}

/* RFC 3986 §3.2.3 lets the digits be missing: "http://h:/". */
static int parse_port(struct span s, uint16_t *port, const char **why)
{
	uint64_t v;

	if (s.n == 0)
		return 0;
	if (!span_u64(s, UINT16_MAX, &v) || v == 0)
		return bad(why, "a port outside 1-65535");
	*port = (uint16_t)v;
	return 0;
}

/* Cut "host[:port]" before the colon; a host in brackets keeps them for now. */
static int split_port(struct span s, struct span *host, struct span *port, const char **why)
{
	ptrdiff_t bracket = span_chr(s, ']');
	size_t from = bracket < 0 ? 0 : (size_t)bracket + 1;
	ptrdiff_t colon = span_chr(span_sub(s, from, s.n), ':');
	size_t n = colon < 0 ? s.n : from + (size_t)colon;

	if (bracket >= 0 && n != from)
		return bad(why, "text after an IPv6 address");
	*host = span_sub(s, 0, n);
	*port = colon < 0 ? span_make(s.p, 0) : span_sub(s, n + 1, s.n);
	return 0;
}

int url_parse_authority(struct span s, struct url *u, const char **why)
{
	struct url out = *u;
	struct span port;

	if (span_chr(s, '@') >= 0)
		return bad(why, "a user name or password in a URL");
	if (split_port(s, &out.host, &port, why) < 0 || parse_port(port, &out.port, why) < 0)
		return -1;
	out.v6 = span_starts(out.host, "[") && span_ends(out.host, "]");
	if (out.v6)
		out.host = span_sub(out.host, 1, out.host.n - 2);
	if ((out.v6 ? check_v6(out.host, why) : check_name(out.host, why)) < 0)
		return -1;
	*u = out;
	return 0;
}

static struct span cut_fragment(struct span s)
{
	ptrdiff_t at = span_chr(s, '#');

	return at < 0 ? s : span_sub(s, 0, (size_t)at);
}

/* Length of what stands before the first of these characters. */
static size_t until(struct span s, const char *stop)
{
	size_t n = 0;

	while (n < s.n && !strchr(stop, s.p[n]))
		n++;
	return n;
}

int url_parse(struct span s, struct url *u, const char **why)
{
	struct url out = { .tls = span_istarts(s, "https://") };
	size_t n;

	if (check_text(s, why) < 0)
		return -1;
	if (!out.tls && !span_istarts(s, "http://"))
		return bad(why, "a URL that is neither http nor https");
	out.port = out.tls ? 443 : 80;
	s = cut_fragment(span_sub(s, out.tls ? 8 : 7, s.n));
	n = until(s, "/?");
	if (url_parse_authority(span_sub(s, 0, n), &out, why) < 0)
		return -1;
	out.target = n < s.n ? span_sub(s, n, s.n) : span_of("/");
	if (out.target.p[0] != '/')
		return bad(why, "a URL with a query and no path");
	*u = out;
	return 0;
}

void url_authority(const struct url *u, struct buf *out)
{
	buf_adds(out, u->v6 ? "[" : "");
	buf_addspan(out, u->host);
	buf_adds(out, u->v6 ? "]" : "");
	if (u->port != (u->tls ? 443 : 80))
		buf_addf(out, ":%u", (unsigned)u->port);
}

void url_origin(const struct url *u, struct buf *out)
{
	buf_adds(out, u->tls ? "https://" : "http://");
	url_authority(u, out);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && a->port == b->port && a->v6 == b->v6 && span_isame(a->host, b->host);
}

/* A reference as RFC 3986 appendix B cuts it. What is absent is empty; an absent authority has p == NULL. */
struct ref {
	struct span scheme;
	struct span authority;
	struct span path;
	struct span query;	/* with its '?' */
};

static struct span cut_scheme(struct span *s)
{
	size_t n = until(*s, ":/?");
	struct span scheme = span_sub(*s, 0, n);

	if (n == 0 || n == s->n || s->p[n] != ':' || !is_alpha(s->p[0]))
		return span_sub(*s, 0, 0);
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(scheme.p[i]) && !strchr("+-.", scheme.p[i]))
			return span_sub(*s, 0, 0);
	*s = span_sub(*s, n + 1, s->n);
	return scheme;
}

static struct ref split_ref(struct span s)
{
	struct ref r = { 0 };
	size_t n;

	s = cut_fragment(s);
	r.scheme = cut_scheme(&s);
	if (span_starts(s, "//")) {
		s = span_sub(s, 2, s.n);
		n = until(s, "/?");
		r.authority = span_sub(s, 0, n);
		s = span_sub(s, n, s.n);
	}
	n = until(s, "?");
	r.path = span_sub(s, 0, n);
	r.query = span_sub(s, n, s.n);
	return r;
}

static void drop_segment(struct buf *out, size_t root)
{
	size_t n = buf_len(out);

	while (n > root && buf_data(out)[n - 1] != '/')
		n--;
	buf_truncate(out, n > root ? n - 1 : root);
}

/* RFC 3986 §5.2.4 on segments that each follow a '/'; `open`: more of the path comes after them. */
static void add_segments(struct buf *out, size_t root, struct span path, bool open)
{
	struct span s;

	while (span_cut(&path, '/', &s)) {
		bool dots = span_eq(s, ".") || span_eq(s, "..");

		if (span_eq(s, ".."))
			drop_segment(out, root);
		if (!dots || (path.p == NULL && !open))
			buf_addc(out, '/');
		if (!dots)
			buf_addspan(out, s);
	}
}

/* The empty path, which may follow an authority, comes out as "/". */
static void add_absolute(struct buf *out, struct span path)
{
	add_segments(out, buf_len(out), span_sub(path, 1, path.n), false);
}

/* RFC 3986 §5.2.3: the reference replaces what follows the last '/' of the base. */
static void add_merged(struct buf *out, struct span base, struct span path)
{
	size_t root = buf_len(out), last = base.n;

	while (last > 0 && base.p[last - 1] != '/')
		last--;
	if (last > 1)
		add_segments(out, root, span_sub(base, 1, last - 2), true);
	add_segments(out, root, path, false);
}

static void add_path_and_query(struct buf *out, const struct ref *r, struct span base)
{
	size_t n = until(base, "?");

	if (r->authority.p != NULL || span_starts(r->path, "/"))
		add_absolute(out, r->path);
	else if (r->path.n > 0)
		add_merged(out, span_sub(base, 0, n), r->path);
	else
		buf_addspan(out, span_sub(base, 0, n));
	if (r->query.n == 0 && r->path.n == 0 && r->authority.p == NULL)
		buf_addspan(out, span_sub(base, n, base.n));
	else
		buf_addspan(out, r->query);
}

static void add_resolved(struct buf *out, const struct url *base, const struct ref *r)
{
	if (r->authority.p == NULL) {
		url_origin(base, out);
	} else {
		buf_addspan(out, r->scheme.n > 0 ? r->scheme : span_of(base->tls ? "https" : "http"));
		buf_adds(out, "://");
		buf_addspan(out, r->authority);
	}
	add_path_and_query(out, r, base->target);
}

int url_resolve(const struct url *base, struct span ref, struct buf *out, const char **why)
{
	size_t mark = buf_len(out);
	struct url u;

	if (check_text(ref, why) < 0)
		return -1;
	struct ref r = split_ref(ref);
	if (r.scheme.n > 0 && r.authority.p == NULL)
		return bad(why, "a URL with a scheme and no host");
	add_resolved(out, base, &r);
	if (!out->failed && url_parse(span_sub(buf_span(out), mark, URL_MAX + 1), &u, why) == 0)
		return 0;
	buf_truncate(out, mark);
	return out->failed ? bad(why, "no room for a URL") : -1;
}

bool url_is_loopback(const struct url *u)
{
	static const uint8_t v6[16] = { [15] = 1 };
	struct span name = without_final_dot(u->host);
	uint8_t addr[16];

	if (u->v6)
		return to_address(AF_INET6, u->host, addr) && memcmp(addr, v6, sizeof(v6)) == 0;
	if (to_address(AF_INET, u->host, addr))
		return addr[0] == 127;
	if (span_ieq(name, "localhost"))
		return true;
	return name.n > 10 && span_ieq(span_sub(name, name.n - 10, 10), ".localhost");
}

bool url_is_ip(const struct url *u)
{
	uint8_t addr[4];

	return u->v6 || to_address(AF_INET, u->host, addr);
}

void url_encode(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c != 0 && (is_alnum((char)c) || strchr("-._~", c)))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

struct span url_shown(struct span url)
{
	return span_before(url, '?');
}

ssize_t url_decode(uint8_t *out, size_t size, struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (n == size)
			return -1;
		if (s.p[i] != '%') {
			out[n++] = (uint8_t)s.p[i];
			continue;
		}
		if (!hex_decode(&out[n++], 1, span_sub(s, i + 1, 2)))
			return -1;
		i += 2;
	}
	return (ssize_t)n;
}
