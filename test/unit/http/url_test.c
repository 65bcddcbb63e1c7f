#include "base/buf.h"
#include "http/url.h"
#include "cases.h"

static struct span guarded(const char *bytes, size_t n)
{
	return span_make(guard_put(bytes, n), n);
}

static const struct {
	const char *name;
	const char *text;
	bool tls, v6;
	const char *host;
	int port;
	const char *target;
} good[] = {
	{ "RFC 9110 §4.2.2 https", "https://api.github.com/repos", true, false, "api.github.com", 443,
	    "/repos" },
	{ "RFC 9110 §4.2.1 http", "http://example.com/", false, false, "example.com", 80, "/" },
	{ "RFC 9110 §4.2.3 no path", "https://example.com", true, false, "example.com", 443, "/" },
	{ "RFC 3986 §3.1 scheme without case", "HtTpS://Example.COM/A", true, false, "Example.COM", 443,
	    "/A" },
	{ "RFC 3986 §3.2.3 port", "http://h:8080/p", false, false, "h", 8080, "/p" },
	{ "RFC 3986 §3.2.3 port and no path", "https://h:1", true, false, "h", 1, "/" },
	{ "RFC 3986 §3.2.3 port 65535", "http://h:65535/", false, false, "h", 65535, "/" },
	{ "RFC 3986 §3.2.3 empty port", "https://h:/p", true, false, "h", 443, "/p" },
	{ "RFC 3986 §3.2.3 leading zeros", "http://h:00080/", false, false, "h", 80, "/" },
	{ "RFC 3986 §3.2.2 IPv4", "http://127.0.0.1:80/", false, false, "127.0.0.1", 80, "/" },
	{ "RFC 3986 §3.2.2 IPv6", "http://[::1]/x", false, true, "::1", 80, "/x" },
	{ "RFC 3986 §3.2.2 IPv6 and port", "https://[2001:db8::2:1]:8443/x", true, true, "2001:db8::2:1",
	    8443, "/x" },
	{ "RFC 3986 §3.2.2 IPv6 with IPv4", "http://[::ffff:10.0.0.1]", false, true, "::ffff:10.0.0.1", 80,
	    "/" },
	{ "RFC 3986 §3.2.2 final dot", "http://example.com./", false, false, "example.com.", 80, "/" },
	{ "RFC 3986 §3.2.2 underscore", "http://my_host-1/", false, false, "my_host-1", 80, "/" },
	{ "RFC 3986 §3.2.2 digits inside", "http://1.2.3.4.example/", false, false, "1.2.3.4.example", 80,
	    "/" },
	{ "RFC 3986 §3.4 query", "http://h/p?a=b&c=?/d", false, false, "h", 80, "/p?a=b&c=?/d" },
	{ "RFC 3986 §3.4 empty query", "http://h/p?", false, false, "h", 80, "/p?" },
	{ "RFC 3986 §3.5 fragment", "http://h/p?q#frag?/#x", false, false, "h", 80, "/p?q" },
	{ "RFC 3986 §3.5 fragment and no path", "http://h#frag", false, false, "h", 80, "/" },
	{ "RFC 3986 §3.5 an @ in the fragment", "http://h#@evil", false, false, "h", 80, "/" },
	{ "RFC 3986 §2.1 escapes stay", "http://h/%2e%2E/%41%00%aA%fF%09", false, false, "h", 80,
	    "/%2e%2E/%41%00%aA%fF%09" },
	{ "RFC 3986 §2.3 first and last of ASCII", "http://h/!~", false, false, "h", 80, "/!~" },
	{ "RFC 3986 §7.4 no number", "http://0xz/", false, false, "0xz", 80, "/" },
	{ "RFC 3986 §3.3 an @ and a : in the path", "http://h/a@b:c", false, false, "h", 80, "/a@b:c" },
	{ "RFC 3986 §3.3 dot segments stay", "http://h/a/../b", false, false, "h", 80, "/a/../b" },
	{ "RFC 3986 §3.3 two slashes", "http://h//a//", false, false, "h", 80, "//a//" },
};

static void takes_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		const char *why = NULL;
		struct url u;

		if (url_parse(guarded(good[i].text, strlen(good[i].text)), &u, &why) < 0)
			fail_msg("%s: %s", good[i].name, why);
		if (u.tls != good[i].tls || u.v6 != good[i].v6 || u.port != good[i].port)
			fail_msg("%s: tls %d v6 %d port %u", good[i].name, u.tls, u.v6, u.port);
		if (!span_eq(u.host, good[i].host) || !span_eq(u.target, good[i].target))
			fail_msg("%s: host '%.*s' target '%.*s'", good[i].name, (int)u.host.n, u.host.p,
			    (int)u.target.n, u.target.p);
	}
}

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	const char *why;
} refused[] = {
	{ "empty", B(""), "a URL that is neither http nor https" },
	{ "RFC 3986 §3.1 ftp", B("ftp://h/"), "a URL that is neither http nor https" },
	{ "RFC 3986 §3.1 httpss", B("httpss://h/"), "a URL that is neither http nor https" },
	{ "RFC 3986 §3.1 no scheme", B("example.com/x"), "a URL that is neither http nor https" },
	{ "RFC 3986 §4.2 relative", B("//h/x"), "a URL that is neither http nor https" },
	{ "RFC 3986 §3 one slash", B("http:/h/x"), "a URL that is neither http nor https" },
	{ "RFC 9110 §4.2.1 no host", B("http:///x"), "a URL without a host" },
	{ "RFC 9110 §4.2.1 nothing", B("https://"), "a URL without a host" },
	{ "RFC 9110 §4.2.1 a port alone", B("http://:80/"), "a URL without a host" },
	{ "RFC 9110 §4.2.1 a dot", B("http://./"), "a URL without a host" },
	{ "RFC 9110 §4.2.4 user", B("http://u@h/"), "a user name or password in a URL" },
	{ "RFC 9110 §4.2.4 user and password", B("https://github.com:x@evil/"),
	    "a user name or password in a URL" },
	{ "RFC 9110 §4.2.4 empty user", B("http://@h/"), "a user name or password in a URL" },
	{ "RFC 3986 §3.2 backslash", B("http://good\\@evil/"), "a user name or password in a URL" },
	{ "RFC 3986 §3.2 backslash for a slash", B("http://good\\x"),
	    "a character in the host name that may not stand there" },
	{ "RFC 3986 §3.2.2 escape in the host", B("http://ex%61mple/"),
	    "a character in the host name that may not stand there" },
	{ "RFC 3986 §3.2.2 sub-delim first in the host", B("http://,a/"),
	    "a character in the host name that may not stand there" },
	{ "RFC 3986 §3.2.2 sub-delim in the host", B("http://a,b/"),
	    "a character in the host name that may not stand there" },
	{ "RFC 3986 §3.2.2 empty label", B("http://a..b/"), "a host name with an empty label" },
	{ "RFC 3986 §3.2.2 first dot", B("http://.a/"), "a host name with an empty label" },
	{ "RFC 3986 §3.2.2 two final dots", B("http://a../"), "a host name with an empty label" },
	{ "RFC 3986 §7.4 short IPv4", B("http://127.1/"), "a malformed IPv4 address" },
	{ "RFC 3986 §7.4 decimal IPv4", B("http://2130706433/"), "a malformed IPv4 address" },
	{ "RFC 3986 §7.4 hexadecimal IPv4", B("http://0x7f000001/"), "a malformed IPv4 address" },
	{ "RFC 3986 §7.4 hexadecimal label", B("http://127.0.0.0x1/"), "a malformed IPv4 address" },
	{ "RFC 3986 §7.4 octal IPv4", B("http://0177.0.0.1/"), "a malformed IPv4 address" },
	{ "RFC 3986 §3.2.2 IPv4 of five", B("http://1.2.3.4.5/"), "a malformed IPv4 address" },
	{ "RFC 3986 §3.2.2 IPv4 out of range", B("http://1.2.3.256/"), "a malformed IPv4 address" },
	{ "RFC 3986 §3.2.2 IPv4 with a final dot", B("http://127.0.0.1./"), "a malformed IPv4 address" },
	{ "RFC 3986 §3.2.2 bare IPv6", B("http://::1/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.2 bare IPv6 of words", B("http://fe80::1/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.2 open bracket", B("http://[::1/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.2 text after the bracket", B("http://[::1]x/"), "text after an IPv6 address" },
	{ "RFC 3986 §3.2.2 text before the bracket", B("http://x[::1]/"),
	    "a character in the host name that may not stand there" },
	{ "RFC 3986 §3.2.2 empty brackets", B("http://[]/"), "a malformed IPv6 address" },
	{ "RFC 3986 §3.2.2 a name in brackets", B("http://[localhost]/"), "a malformed IPv6 address" },
	{ "RFC 3986 §3.2.2 IPvFuture", B("http://[v1.x]/"), "a malformed IPv6 address" },
	{ "RFC 6874 §2 zone", B("http://[fe80::1%25eth0]/"), "a malformed IPv6 address" },
	{ "RFC 3986 §3.2.3 port 0", B("http://h:0/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.3 port 65536", B("http://h:65536/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.3 port 2^64+80", B("http://h:18446744073709551696/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.3 signed port", B("http://h:+80/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.3 two ports", B("http://h:80:80/"), "a port outside 1-65535" },
	{ "RFC 3986 §3.2.3 port of letters", B("http://h:http/"), "a port outside 1-65535" },
	{ "RFC 9112 §3.2.1 query and no path", B("http://h?q"), "a URL with a query and no path" },
	{ "RFC 3986 §2 space", B("http://h/a b"), "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2 CR LF", B("http://h/\r\nX: y"), "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2 NUL", B("http://h/\0"), "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2 NUL in the host", B("http://h\0.evil/"),
	    "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2 DEL", B("http://h/\x7f"), "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2 UTF-8", B("http://h/\xc3\xa9"), "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2 space in the fragment", B("http://h/# "),
	    "a space, control or non-ASCII character in a URL" },
	{ "RFC 3986 §2.1 %", B("http://h/100%"), "a % without two hex digits in a URL" },
	{ "RFC 3986 §2.1 %4", B("http://h/%4"), "a % without two hex digits in a URL" },
	{ "RFC 3986 §2.1 %zz", B("http://h/%zz"), "a % without two hex digits in a URL" },
	{ "RFC 3986 §2.1 %g4", B("http://h/%g4"), "a % without two hex digits in a URL" },
	{ "RFC 3986 §2.1 %4g", B("http://h/%4g"), "a % without two hex digits in a URL" },
};

static void refuses_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct url u = { .port = 7 };
		const char *why = "";

		if (url_parse(guarded(refused[i].bytes, refused[i].n), &u, &why) == 0)
			fail_msg("%s: taken", refused[i].name);
		if (strcmp(why, refused[i].why) != 0)
			fail_msg("%s: '%s', not '%s'", refused[i].name, why, refused[i].why);
		assert_int_equal(u.port, 7);
	}
}

/* No prefix may be read past its end. What it means may change with every byte. */
static void reads_no_prefix_too_far(void **state)
{
	const char *why;
	struct url u;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		for (size_t n = 0; n <= strlen(good[i].text); n++)
			url_parse(guarded(good[i].text, n), &u, &why);
}

/* "" or why not. */
static const char *parse_long(size_t host, size_t total)
{
	const char *why = "";
	struct buf b;
	struct url u;

	buf_init(&b, BUF_MAX_ANY);
	buf_adds(&b, "http://");
	while (buf_len(&b) < 7 + host)
		buf_addc(&b, 'a');
	buf_addc(&b, '/');
	while (buf_len(&b) < total)
		buf_addc(&b, 'a');
	int r = url_parse(buf_span(&b), &u, &why);
	assert_int_equal(r, *why ? -1 : 0);
	buf_free(&b);
	return why;
}

static void limits_urls(void **state)
{
	(void)state;
	assert_string_equal(parse_long(1, URL_MAX), "");
	assert_string_equal(parse_long(1, URL_MAX + 1), "a URL of more than 8192 bytes");
	assert_string_equal(parse_long(URL_HOST_MAX, 0), "");
	assert_string_equal(parse_long(URL_HOST_MAX + 1, 0), "a host name of more than 255 bytes");
}

static void takes_an_authority(void **state)
{
	const char *why = NULL;
	struct url u = { .port = 9 };

	(void)state;
	assert_int_equal(url_parse_authority(span_of("proxy.corp"), &u, &why), 0);
	assert_true(span_eq(u.host, "proxy.corp"));
	assert_int_equal(u.port, 9);
	assert_int_equal(url_parse_authority(span_of("[::1]:3128"), &u, &why), 0);
	assert_true(u.v6 && span_eq(u.host, "::1"));
	assert_int_equal(u.port, 3128);
	assert_int_equal(url_parse_authority(span_of("h:0"), &u, &why), -1);
	assert_int_equal(url_parse_authority(span_of("h/p"), &u, &why), -1);
	assert_int_equal(url_parse_authority(guarded(B("h\0")), &u, &why), -1);
	assert_int_equal(url_parse_authority(span_of(""), &u, &why), -1);
	assert_true(span_eq(u.host, "::1"));
}

/* ---- writing ---- */

static void parse(const char *text, struct url *u)
{
	const char *why = NULL;

	if (url_parse(span_of(text), u, &why) < 0)
		fail_msg("%s: %s", text, why);
}

static const struct {
	const char *text, *authority, *origin;
} written[] = {
	{ "https://Api.github.com/x", "Api.github.com", "https://Api.github.com" },
	{ "https://h:443/", "h", "https://h" },
	{ "https://h:80/", "h:80", "https://h:80" },
	{ "http://h:80/", "h", "http://h" },
	{ "http://h:443/", "h:443", "http://h:443" },
	{ "http://[::1]:8080/", "[::1]:8080", "http://[::1]:8080" },
	{ "https://[::1]", "[::1]", "https://[::1]" },
};

static void writes_authority_and_origin(void **state)
{
	struct buf b;
	struct url u;

	(void)state;
	for (size_t i = 0; i < COUNT(written); i++) {
		buf_init(&b, BUF_MAX_ANY);
		parse(written[i].text, &u);
		url_authority(&u, &b);
		assert_string_equal(buf_cstr(&b), written[i].authority);
		buf_clear(&b);
		url_origin(&u, &b);
		assert_string_equal(buf_cstr(&b), written[i].origin);
		buf_free(&b);
	}
}

static const struct {
	const char *a, *b;
	bool same;
} origins[] = {
	{ "https://h/a", "https://h/b?c", true },
	{ "https://h", "https://H:443", true },
	{ "http://[::A]/", "http://[::a]/", true },
	{ "https://h", "http://h", false },
	{ "https://h:80", "http://h:80", false },
	{ "https://h", "https://h:444", false },
	{ "https://h", "https://h.x", false },
	{ "https://a.h", "https://h", false },
	{ "https://h", "https://h.", false },
};

static void compares_origins(void **state)
{
	struct url a, b;

	(void)state;
	for (size_t i = 0; i < COUNT(origins); i++) {
		parse(origins[i].a, &a);
		parse(origins[i].b, &b);
		if (url_same_origin(&a, &b) != origins[i].same || url_same_origin(&b, &a) != origins[i].same)
			fail_msg("%s %s", origins[i].a, origins[i].b);
	}
}

/* ---- resolving ---- */

#define RFC_BASE "http://a/b/c/d;p?q"

static const struct {
	const char *name, *base, *ref, *want;	/* want NULL: refused */
} refs[] = {
	{ "RFC 3986 §5.4.1", RFC_BASE, "g:h", NULL },
	{ "RFC 3986 §5.4.1", RFC_BASE, "g", "http://a/b/c/g" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "./g", "http://a/b/c/g" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "g/", "http://a/b/c/g/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "/g", "http://a/g" },
	{ "RFC 3986 §5.4.1 (RFC 9110 §4.2.3: the empty path is /)", RFC_BASE, "//g", "http://g/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "?y", "http://a/b/c/d;p?y" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "g?y", "http://a/b/c/g?y" },
	{ "RFC 3986 §5.4.1 (fragment dropped)", RFC_BASE, "#s", "http://a/b/c/d;p?q" },
	{ "RFC 3986 §5.4.1 (fragment dropped)", RFC_BASE, "g#s", "http://a/b/c/g" },
	{ "RFC 3986 §5.4.1 (fragment dropped)", RFC_BASE, "g?y#s", "http://a/b/c/g?y" },
	{ "RFC 3986 §5.4.1", RFC_BASE, ";x", "http://a/b/c/;x" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "g;x", "http://a/b/c/g;x" },
	{ "RFC 3986 §5.4.1 (fragment dropped)", RFC_BASE, "g;x?y#s", "http://a/b/c/g;x?y" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "", "http://a/b/c/d;p?q" },
	{ "RFC 3986 §5.4.1", RFC_BASE, ".", "http://a/b/c/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "./", "http://a/b/c/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "..", "http://a/b/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "../", "http://a/b/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "../g", "http://a/b/g" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "../..", "http://a/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "../../", "http://a/" },
	{ "RFC 3986 §5.4.1", RFC_BASE, "../../g", "http://a/g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "../../../g", "http://a/g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "../../../../g", "http://a/g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "/./g", "http://a/g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "/../g", "http://a/g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g.", "http://a/b/c/g." },
	{ "RFC 3986 §5.4.2", RFC_BASE, ".g", "http://a/b/c/.g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g..", "http://a/b/c/g.." },
	{ "RFC 3986 §5.4.2", RFC_BASE, "..g", "http://a/b/c/..g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "./../g", "http://a/b/g" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "./g/.", "http://a/b/c/g/" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g/./h", "http://a/b/c/g/h" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g/../h", "http://a/b/c/h" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g;x=1/./y", "http://a/b/c/g;x=1/y" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g;x=1/../y", "http://a/b/c/y" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g?y/./x", "http://a/b/c/g?y/./x" },
	{ "RFC 3986 §5.4.2", RFC_BASE, "g?y/../x", "http://a/b/c/g?y/../x" },
	{ "RFC 3986 §5.4.2 (fragment dropped)", RFC_BASE, "g#s/./x", "http://a/b/c/g" },
	{ "RFC 3986 §5.4.2 (fragment dropped)", RFC_BASE, "g#s/../x", "http://a/b/c/g" },
	{ "RFC 3986 §5.4.2 (strict)", RFC_BASE, "http:g", NULL },

	{ "RFC 3986 §5.2.2 absolute", RFC_BASE, "HTTPS://X.y:8443/p/../q?r#s", "HTTPS://X.y:8443/q?r" },
	{ "RFC 3986 §5.2.2 absolute, no path", RFC_BASE, "https://x", "https://x/" },
	{ "RFC 3986 §5.2.2 absolute, query and no path", RFC_BASE, "https://x?q", "https://x/?q" },
	{ "RFC 3986 §5.2.2 scheme of the base", "https://a/b", "//x/y", "https://x/y" },
	{ "RFC 3986 §5.2.2 port of the base", "https://a:8443/b?c", "/y", "https://a:8443/y" },
	{ "RFC 3986 §5.2.2 IPv6 base", "http://[::1]:8080/b", "y", "http://[::1]:8080/y" },
	{ "RFC 3986 §5.2.2 empty query", RFC_BASE, "?", "http://a/b/c/d;p?" },
	{ "RFC 3986 §5.2.3 base of no path", "http://a", "g", "http://a/g" },
	{ "RFC 3986 §5.2.3 base of no path, query", "http://a", "?g", "http://a/?g" },
	{ "RFC 3986 §5.2.3 slash in the base's query", "http://a/b?c/d", "g", "http://a/g" },
	{ "RFC 3986 §5.2.4 empty segments", "http://a//x", "g", "http://a//g" },
	{ "RFC 3986 §5.2.4 empty segments", "http://a/b//", "../g", "http://a/b/g" },
	{ "RFC 3986 §5.2.4 dots in the base", "http://a/b/../c/./d", "g", "http://a/c/g" },
	{ "RFC 3986 §5.2.4 no host from a path", "http://a/", "/..//evil/x", "http://a//evil/x" },
	{ "RFC 3986 §2.1 an escaped dot is no dot", RFC_BASE, "%2e%2e/g", "http://a/b/c/%2e%2e/g" },
	{ "RFC 3986 §4.2 a colon after a slash", RFC_BASE, "./g:h", "http://a/b/c/g:h" },
	{ "RFC 3986 §3.1 no scheme begins with a digit", RFC_BASE, "1:2", "http://a/b/c/1:2" },
	{ "RFC 3986 §3.1 no scheme begins with a mark", RFC_BASE, "+a:2", "http://a/b/c/+a:2" },
	{ "RFC 3986 §3.1 no scheme has a _", RFC_BASE, "a_b:c", "http://a/b/c/a_b:c" },
	{ "RFC 3986 §3.1 a scheme may have marks", RFC_BASE, "a+b-.1://x", NULL },
	{ "RFC 3986 §3.1 a scheme of a letter", RFC_BASE, "g://x/y", NULL },
	{ "RFC 3986 §5.2.4 a dot ends an absolute path", RFC_BASE, "/x/.", "http://a/x/" },
	{ "RFC 3986 §5.2.4 two dots end an absolute path", RFC_BASE, "/x/y/..", "http://a/x/" },

	{ "another scheme", RFC_BASE, "ftp://x/y", NULL },
	{ "javascript", RFC_BASE, "javascript:alert(1)", NULL },
	{ "userinfo", RFC_BASE, "//u:p@x/y", NULL },
	{ "userinfo, absolute", RFC_BASE, "http://u@x/y", NULL },
	{ "no host", RFC_BASE, "http:///y", NULL },
	{ "no host, relative", RFC_BASE, "///y", NULL },
	{ "bad port", RFC_BASE, "//x:0/y", NULL },
	{ "space", RFC_BASE, "/a b", NULL },
	{ "space first", RFC_BASE, " x", NULL },
	{ "CR LF", RFC_BASE, "/a\r\nX: y", NULL },
	{ "UTF-8", RFC_BASE, "/\xc3\xa9", NULL },
	{ "bad escape", RFC_BASE, "/%", NULL },
};

static void resolves_references(void **state)
{
	struct url base;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(refs); i++) {
		const char *why = NULL;

		buf_init(&b, BUF_MAX_ANY);
		buf_adds(&b, "kept ");
		parse(refs[i].base, &base);
		int r = url_resolve(&base, guarded(refs[i].ref, strlen(refs[i].ref)), &b, &why);
		if (r != (refs[i].want ? 0 : -1) || (r < 0 && !why))
			fail_msg("%s: '%s' gives %d", refs[i].name, refs[i].ref, r);
		if (strncmp(buf_cstr(&b), "kept ", 5) != 0 || strcmp(buf_cstr(&b) + 5,
		    r ? "" : refs[i].want) != 0)
			fail_msg("%s: '%s' gives '%s'", refs[i].name, refs[i].ref, buf_cstr(&b));
		buf_free(&b);
	}
}

static int resolve_into(size_t max, size_t ref_len, size_t *len)
{
	static const char slash_a[] = "/aaaaaaaaaaaaaaa";
	const char *why = NULL;
	struct buf b, ref;
	struct url base;

	buf_init(&ref, BUF_MAX_ANY);
	while (buf_len(&ref) < ref_len)
		buf_add(&ref, slash_a, 16);
	buf_truncate(&ref, ref_len);
	buf_init(&b, max);
	parse("http://h/", &base);
	int r = url_resolve(&base, buf_span(&ref), &b, &why);
	assert_int_equal(r < 0, why != NULL);
	*len = buf_len(&b);
	buf_free(&b);
	buf_free(&ref);
	return r;
}

static void limits_resolving(void **state)
{
	size_t n;

	(void)state;
	assert_int_equal(resolve_into(BUF_MAX_ANY, URL_MAX - 8, &n), 0);
	assert_int_equal(n, URL_MAX);
	assert_int_equal(resolve_into(BUF_MAX_ANY, URL_MAX - 7, &n), -1);
	assert_int_equal(n, 0);
	assert_int_equal(resolve_into(BUF_MAX_ANY, URL_MAX + 1, &n), -1);
	assert_int_equal(resolve_into(107, 100, &n), -1);
	assert_int_equal(n, 0);
	assert_int_equal(resolve_into(108, 100, &n), 0);
	assert_int_equal(n, 108);
}

/* ---- kinds of hosts ---- */

static const struct {
	const char *text;
	bool loopback, ip;
} hosts[] = {
	{ "http://localhost/", true, false },
	{ "http://LocalHost:80/", true, false },
	{ "http://localhost./", true, false },
	{ "http://a.b.localhost/", true, false },
	{ "http://x.LOCALHOST./", true, false },
	{ "http://127.0.0.1/", true, true },
	{ "http://127.255.255.254/", true, true },
	{ "http://[::1]/", true, true },
	{ "http://[0:0:0:0:0:0:0:1]/", true, true },
	{ "http://localhost.evil.com/", false, false },
	{ "http://notlocalhost/", false, false },
	{ "http://127.0.0.1.evil.com/", false, false },
	{ "http://128.0.0.1/", false, true },
	{ "http://12.7.0.1/", false, true },
	{ "http://[::]/", false, true },
	{ "http://[::2]/", false, true },
	{ "http://[fe80::1]/", false, true },
	{ "http://github.com/", false, false },
};

static void knows_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct url u;

		parse(hosts[i].text, &u);
		if (url_is_loopback(&u) != hosts[i].loopback || url_is_ip(&u) != hosts[i].ip)
			fail_msg("%s", hosts[i].text);
	}
}

static void encodes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	url_encode(&b, span_of("azAZ09-._~"));
	assert_string_equal(buf_cstr(&b), "azAZ09-._~");
	buf_clear(&b);
	url_encode(&b, guarded(B("a b/?#%&=+:@[`{\0\x7f\x80\xff")));
	assert_string_equal(buf_cstr(&b), "a%20b%2F%3F%23%25%26%3D%2B%3A%40%5B%60%7B%00%7F%80%FF");
	buf_free(&b);
}

static ssize_t decode(uint8_t *out, size_t size, const char *text)
{
	return url_decode(out, size, guarded(text, strlen(text)));
}

static void decodes(void **state)
{
	static const char *const bad[] = { "%", "a%", "%4", "%4g", "%g4", "%%41", "%-1", "%4%31" };
	uint8_t out[4], all[256], back[256];
	struct buf b;

	(void)state;
	assert_int_equal(decode(out, 4, ""), 0);
	assert_int_equal(decode(out, 4, "%00%aFx+"), 4);
	assert_memory_equal(out, "\x00\xafx+", 4);
	assert_int_equal(decode(out, 4, "abcd"), 4);
	assert_int_equal(decode(out, 4, "abcde"), -1);
	assert_int_equal(decode(out, 4, "abcd%41"), -1);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (decode(out, 4, bad[i]) != -1)
			fail_msg("%s", bad[i]);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	buf_init(&b, BUF_MAX_ANY);
	url_encode(&b, span_make(all, sizeof(all)));
	assert_int_equal(url_decode(back, sizeof(back), buf_span(&b)), sizeof(all));
	assert_memory_equal(back, all, sizeof(all));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_urls),
		cmocka_unit_test(refuses_urls),
		cmocka_unit_test(reads_no_prefix_too_far),
		cmocka_unit_test(limits_urls),
		cmocka_unit_test(takes_an_authority),
		cmocka_unit_test(writes_authority_and_origin),
		cmocka_unit_test(compares_origins),
		cmocka_unit_test(resolves_references),
		cmocka_unit_test(limits_resolving),
		cmocka_unit_test(knows_hosts),
		cmocka_unit_test(encodes),
		cmocka_unit_test(decodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
