#include "http/proxyenv.h"
#include "cases.h"

static struct span guarded(const char *s)
{
	return span_make(guard_put(s, strlen(s)), strlen(s));
}

/* ---- NO_PROXY ---- */

static const struct {
	const char *name, *no_proxy, *host;
	uint16_t port;
	bool bypass;
} cases[] = {
	{ "nothing listed", "", "github.com", 443, false },
	{ "blank", " ,\t,", "github.com", 443, false },
	{ "star", "*", "github.com", 443, true },
	{ "star among others", "a, * ,b", "10.0.0.1", 443, true },
	{ "star with a port is no star", "*:443", "github.com", 443, false },

	{ "host", "github.com", "github.com", 443, true },
	{ "host without case", "GitHub.COM", "gIthub.com", 443, true },
	{ "another host", "github.com", "gitlab.com", 443, false },
	{ "subdomain", "github.com", "api.github.com", 443, true },
	{ "two levels below", "github.com", "a.b.github.com", 443, true },
	{ "no label boundary", "github.com", "notgithub.com", 443, false },
	{ "a domain that begins so", "github.com", "github.com.evil.org", 443, false },
	{ "the parent", "api.github.com", "github.com", 443, false },
	{ "leading dot, subdomain", ".github.com", "api.github.com", 443, true },
	{ "leading dot, the domain itself (curl)", ".github.com", "github.com", 443, true },
	{ "leading dot, no label boundary", ".github.com", "notgithub.com", 443, false },
	{ "star and dot, subdomain (Go)", "*.github.com", "api.github.com", 443, true },
	{ "star and dot, the domain itself (Go)", "*.github.com", "github.com", 443, false },
	{ "a dot alone", ".", "github.com", 443, false },
	{ "star and dot alone", "*.", "github.com", 443, false },
	{ "a star inside is no pattern", "git*.com", "github.com", 443, false },
	{ "final dot of the entry (curl)", "github.com.", "github.com", 443, true },
	{ "final dot of the host (curl)", "github.com", "api.github.com.", 443, true },
	{ "second of a list", "a.com,github.com", "github.com", 443, true },
	{ "spaces around", "a.com , github.com\t, b.com", "github.com", 443, true },
	{ "spaces between (curl)", "a.com github.com b.com", "github.com", 443, true },
	{ "empty entries", ",,github.com,,", "github.com", 443, true },

	{ "port", "github.com:443", "github.com", 443, true },
	{ "port, subdomain", "github.com:443", "api.github.com", 443, true },
	{ "another port", "github.com:8443", "github.com", 443, false },
	{ "another port, then the host", "github.com:8443,github.com", "github.com", 443, true },
	{ "empty port (Go)", "github.com:", "github.com", 443, true },
	{ "another port of a digit", "github.com:4", "github.com", 443, false },
	{ "port of letters", "github.com:https", "github.com", 443, false },
	{ "port above 65535", "github.com:65979", "github.com", 443, false },
	{ "a port alone", ":443", "github.com", 443, false },

	{ "IPv4", "10.0.0.1", "10.0.0.1", 443, true },
	{ "another IPv4", "10.0.0.1", "10.0.0.2", 443, false },
	{ "IPv4 and port", "10.0.0.1:443", "10.0.0.1", 443, true },
	{ "IPv4 and another port", "10.0.0.1:80", "10.0.0.1", 443, false },
	{ "IPv4 is no domain", "0.0.1", "10.0.0.1", 443, false },
	{ "IPv4 is no domain, with a dot", ".0.0.1", "10.0.0.1", 443, false },
	{ "IPv6", "2001:db8::1", "2001:db8::1", 443, true },
	{ "IPv6 written otherwise", "2001:DB8:0:0::1", "2001:db8::1", 443, true },
	{ "IPv6 in brackets", "[2001:db8::1]", "2001:db8::1", 443, true },
	{ "IPv6, brackets of the host", "2001:db8::1", "[2001:db8::1]", 443, true },
	{ "IPv6 and port", "[2001:db8::1]:443", "2001:db8::1", 443, true },
	{ "IPv6 and another port", "[2001:db8::1]:80", "2001:db8::1", 443, false },
	{ "half a pair of brackets", "x2001:db8::1]", "2001:db8::1", 443, false },
	{ "another IPv6", "2001:db8::1", "2001:db8::2", 443, false },
	{ "IPv4 inside IPv6 (Go)", "10.0.0.1", "::ffff:10.0.0.1", 443, true },
	{ "IPv6 of IPv4 listed (Go)", "::ffff:10.0.0.1", "10.0.0.1", 443, true },

	{ "CIDR /8", "10.0.0.0/8", "10.255.1.2", 443, true },
	{ "CIDR /8, outside", "10.0.0.0/8", "11.0.0.0", 443, false },
	{ "CIDR /12", "172.16.0.0/12", "172.31.255.255", 443, true },
	{ "CIDR /12, outside", "172.16.0.0/12", "172.32.0.0", 443, false },
	{ "CIDR /25", "10.0.0.0/25", "10.0.0.127", 443, true },
	{ "CIDR /25, outside", "10.0.0.0/25", "10.0.0.128", 443, false },
	{ "CIDR /32", "10.0.0.1/32", "10.0.0.1", 443, true },
	{ "CIDR /32, outside", "10.0.0.1/32", "10.0.0.0", 443, false },
	{ "CIDR /0", "0.0.0.0/0", "8.8.8.8", 443, true },
	{ "CIDR /0 is of one family", "0.0.0.0/0", "2001:db8::1", 443, false },
	{ "CIDR with host bits", "10.9.8.7/8", "10.1.2.3", 443, true },
	{ "CIDR /33", "10.0.0.0/33", "10.0.0.0", 443, false },
	{ "CIDR without bits", "10.0.0.0/", "10.0.0.0", 443, false },
	{ "CIDR of letters", "10.0.0.0/x", "10.0.0.0", 443, false },
	{ "CIDR, negative", "10.0.0.0/-1", "10.0.0.0", 443, false },
	{ "CIDR of a name, no bits", "github.com/0", "gitlab.com", 443, false },
	{ "CIDR of a name", "github.com/8", "github.com", 443, false },
	{ "CIDR, not for names", "0.0.0.0/0", "github.com", 443, false },
	{ "CIDR, IPv4 inside IPv6", "10.0.0.0/8", "::ffff:10.1.2.3", 443, true },
	{ "CIDR v6 /8", "fd00::/8", "fd12:3456::1", 443, true },
	{ "CIDR v6 /8, outside", "fd00::/8", "fe80::1", 443, false },
	{ "CIDR v6 /7", "fc00::/7", "fd00::1", 443, true },
	{ "CIDR v6 /127", "2001:db8::/127", "2001:db8::1", 443, true },
	{ "CIDR v6 /127, outside", "2001:db8::/127", "2001:db8::2", 443, false },
	{ "CIDR v6 /128", "2001:db8::1/128", "2001:db8::1", 443, true },
	{ "CIDR v6 /129", "2001:db8::1/129", "2001:db8::1", 443, false },
	{ "CIDR v6 /0 is of one family", "::/0", "10.0.0.1", 443, false },

	{ "loopback name", "", "localhost", 80, true },
	{ "loopback name without case", "", "LOCALHOST", 80, true },
	{ "below localhost", "", "x.localhost", 80, true },
	{ "not below localhost", "", "xlocalhost", 80, false },
	{ "loopback IPv4", "", "127.1.2.3", 80, true },
	{ "loopback IPv6", "", "::1", 80, true },
	{ "loopback IPv6 in brackets", "", "[::1]", 80, true },
	{ "loopback IPv4 inside IPv6", "", "::ffff:127.0.0.1", 80, true },
	{ "almost loopback", "", "128.0.0.1", 80, false },
};

static void reads_no_proxy(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (proxyenv_bypass(guarded(cases[i].no_proxy), span_of(cases[i].host), cases[i].port) !=
		    cases[i].bypass)
			fail_msg("%s: NO_PROXY='%s', %s:%u", cases[i].name, cases[i].no_proxy, cases[i].host,
			    cases[i].port);
}

static void takes_no_list(void **state)
{
	(void)state;
	assert_false(proxyenv_bypass(span_of(NULL), guarded("github.com"), 443));
	assert_false(proxyenv_bypass(span_make("git\0hub.com", 11), guarded("hub.co"), 443));
}

/* ---- HTTPS_PROXY ---- */

static const struct {
	const char *name, *text, *host;
	uint16_t port;
	const char *userinfo;
} good[] = {
	{ "URL", "http://proxy.corp:3128", "proxy.corp", 3128, "" },
	{ "URL with a slash", "http://proxy.corp:3128/", "proxy.corp", 3128, "" },
	{ "scheme without case", "HTTP://proxy.corp:3128", "proxy.corp", 3128, "" },
	{ "no scheme", "proxy.corp:3128", "proxy.corp", 3128, "" },
	{ "no scheme, no port", "proxy.corp", "proxy.corp", 80, "" },
	{ "no port", "http://proxy.corp", "proxy.corp", 80, "" },
	{ "spaces around", " http://proxy.corp:1\t", "proxy.corp", 1, "" },
	{ "user and password", "http://user:pw@proxy.corp:3128", "proxy.corp", 3128, "user:pw" },
	{ "user alone", "http://user@proxy.corp", "proxy.corp", 80, "user" },
	{ "encoded password", "http://u:%40%3a%25@proxy.corp", "proxy.corp", 80, "u:%40%3a%25" },
	{ "an @ in the password (curl)", "http://u:p@ss@proxy.corp", "proxy.corp", 80, "u:p@ss" },
	{ "no scheme, user", "u:p@proxy.corp:3128", "proxy.corp", 3128, "u:p" },
	{ "empty userinfo", "http://@proxy.corp", "proxy.corp", 80, "" },
	{ "IPv4", "http://10.0.0.1:8080", "10.0.0.1", 8080, "" },
	{ "IPv6", "http://[::1]:8080", "::1", 8080, "" },
	{ "IPv6 and user", "http://u@[::1]", "::1", 80, "u" },
};

static void reads_proxies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		const char *why = NULL;
		struct proxyenv p;

		if (proxyenv_parse(guarded(good[i].text), &p, &why) < 0)
			fail_msg("%s: %s", good[i].name, why);
		if (!span_eq(p.host, good[i].host) || p.port != good[i].port || !span_eq(p.userinfo,
		    good[i].userinfo))
			fail_msg("%s: '%.*s' %u '%.*s'", good[i].name, (int)p.host.n, p.host.p, p.port,
			    (int)p.userinfo.n, p.userinfo.p);
	}
}

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "a URL without a host" },
	{ "http://", "a URL without a host" },
	{ "http://u:p@", "a URL without a host" },
	{ "http://:3128", "a URL without a host" },
	{ "https://proxy.corp:3128", "a proxy that is not reached over http" },
	{ "socks5://proxy.corp:1080", "a proxy that is not reached over http" },
	{ "socks5h://u:p@proxy.corp:1080", "a proxy that is not reached over http" },
	{ "http://proxy.corp:0", "a port outside 1-65535" },
	{ "http://proxy.corp:99999", "a port outside 1-65535" },
	{ "http://proxy.corp/path", "a character in the host name that may not stand there" },
	{ "http://proxy.corp//", "a character in the host name that may not stand there" },
	{ "http://pro xy.corp", "a character in the host name that may not stand there" },
	{ "http://proxy.corp\r\nX: y", "a port outside 1-65535" },
	{ "http://proxy.corp\r\n", "a character in the host name that may not stand there" },
	{ "http://u\r\n:p@proxy.corp", "a control character in the proxy's user name or password" },
};

static void refuses_proxies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct proxyenv p = { .port = 7 };
		const char *why = "";

		if (proxyenv_parse(guarded(refused[i].text), &p, &why) == 0)
			fail_msg("%s: taken", refused[i].text);
		if (strcmp(why, refused[i].why) != 0)
			fail_msg("%s: '%s', not '%s'", refused[i].text, why, refused[i].why);
		assert_int_equal(p.port, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_no_proxy),
		cmocka_unit_test(takes_no_list),
		cmocka_unit_test(reads_proxies),
		cmocka_unit_test(refuses_proxies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
