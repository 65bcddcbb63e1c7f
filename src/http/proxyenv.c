#include "http/proxyenv.h"

#include <arpa/inet.h>
#include <string.h>

#include "http/parse.h"
#include "http/url.h"

struct addr {
	size_t n;		/* 4, 16, or 0: not an address */
	uint8_t b[16];
};

struct wanted {
	struct span host;
	struct addr addr;
	uint16_t port;
};

static int bad(const char **why, const char *phrase)
{
	*why = phrase;
	return -1;
}

static struct span unbracket(struct span s)
{
	return span_starts(s, "[") && span_ends(s, "]") ? span_sub(s, 1, s.n - 2) : s;
}

static struct addr to_addr(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	struct addr a = { 0 };

	if (!span_copy(text, sizeof(text), s))
		return a;
	if (inet_pton(AF_INET, text, a.b) == 1)
		a.n = 4;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		a.n = 16;
	return a;
}

/* ::ffff:10.0.0.1 goes over the wire to 10.0.0.1, so it must match what 10.0.0.1 does. */
static struct addr unmap(struct addr a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a.n != 16 || memcmp(a.b, mapped, sizeof(mapped)) != 0)
		return a;
	a.n = 4;
	memmove(a.b, a.b + sizeof(mapped), 4);
	return a;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, size_t bits)
{
	size_t whole = bits / 8;
	unsigned shift = 8 - (unsigned)(bits % 8);

	return memcmp(a, b, whole) == 0 && (shift == 8 || a[whole] >> shift == b[whole] >> shift);
}

static bool in_block(struct span cidr, size_t slash, const struct addr *addr)
{
	struct addr a = to_addr(span_sub(cidr, 0, slash));
	uint64_t bits;

	if (a.n == 0 || a.n != addr->n || !span_u64(span_sub(cidr, slash + 1, cidr.n), 8 * a.n, &bits))
		return false;
	return same_bits(a.b, addr->b, (size_t)bits);
}

/* Drop ":port" from an entry; false if it names another port. Several colons: an address without a port. */
static bool cut_port(struct span *entry, uint16_t port)
{
	ptrdiff_t colon = span_chr(*entry, ':');
	uint64_t v = port;

	if (span_starts(*entry, "[")) {
		colon = span_find(*entry, "]:");
		colon += colon >= 0;
	}
	if (colon < 0)
		return true;
	struct span digits = span_sub(*entry, (size_t)colon + 1, entry->n);
	if (span_chr(digits, ':') >= 0)
		return true;
	if (digits.n > 0 && !span_u64(digits, UINT16_MAX, &v))
		return false;
	*entry = span_sub(*entry, 0, (size_t)colon);
	return v == port;
}

static struct span without_final_dot(struct span s)
{
	return span_ends(s, ".") ? span_sub(s, 0, s.n - 1) : s;
}

/* curl and Go disagree on ".a.b" (curl: also a.b itself); "*.a.b", which only Go knows: names below a.b. */
static bool in_domain(struct span entry, struct span host)
{
	bool below = span_starts(entry, "*.");

	entry = without_final_dot(entry);
	if (below || span_starts(entry, "."))
		entry = span_sub(entry, below ? 2 : 1, entry.n);
	if (entry.n == 0 || host.n < entry.n)
		return false;
	if (!span_isame(span_sub(host, host.n - entry.n, entry.n), entry))
		return false;
	return host.n == entry.n ? !below : host.p[host.n - entry.n - 1] == '.';
}

static bool matches(struct span entry, const struct wanted *w)
{
	ptrdiff_t slash = span_chr(entry, '/');

	if (span_eq(entry, "*"))
		return true;
	if (slash >= 0)
		return in_block(entry, (size_t)slash, &w->addr);
	if (!cut_port(&entry, w->port))
		return false;
	if (w->addr.n == 0)
		return in_domain(entry, w->host);
	struct addr a = unmap(to_addr(unbracket(entry)));
	return a.n == w->addr.n && memcmp(a.b, w->addr.b, a.n) == 0;
}

/* curl also takes white space between entries. */
static struct span cut_entry(struct span *list)
{
	size_t n = 0;

	while (n < list->n && !strchr(", \t", list->p[n]))
		n++;
	struct span entry = span_sub(*list, 0, n);
	*list = span_sub(*list, n + (n < list->n), list->n);
	return entry;
}

bool proxyenv_bypass(struct span no_proxy, struct span host, uint16_t port)
{
	struct span name = unbracket(host);
	struct wanted w = { without_final_dot(name), unmap(to_addr(name)), port };
	struct url u = { .host = name, .v6 = w.addr.n == 16 };

	if (url_is_loopback(&u) || (w.addr.n == 4 && w.addr.b[0] == 127))
		return true;
	while (no_proxy.n > 0)
		if (matches(cut_entry(&no_proxy), &w))
			return true;
	return false;
}

/* Cut "user:pw@" off the front. The last '@' ends it: passwords with an unencoded one are met. */
static struct span cut_userinfo(struct span *s)
{
	size_t n = s->n;

	while (n > 0 && s->p[n - 1] != '@')
		n--;
	struct span userinfo = span_sub(*s, 0, n > 0 ? n - 1 : 0);
	*s = span_sub(*s, n, s->n);
	return userinfo;
}

int proxyenv_parse(struct span s, struct proxyenv *out, const char **why)
{
	struct url u = { .port = 80 };

	s = span_trim(s);
	if (span_istarts(s, "http://"))
		s = span_sub(s, 7, s.n);
	else if (span_find(s, "://") >= 0)
		return bad(why, "a proxy that is not reached over http");
	if (span_ends(s, "/"))
		s = span_sub(s, 0, s.n - 1);
	struct span userinfo = cut_userinfo(&s);
	if (!http_is_value(userinfo))
		return bad(why, "a control character in the proxy's user name or password");
	if (url_parse_authority(s, &u, why) < 0)
		return -1;
	*out = (struct proxyenv){ u.host, u.port, userinfo };
	return 0;
}
