#include "../guard.h"
#include "bytes.h"
#include "net/addr.h"
#include "p2p/multiaddr.h"

#define ID "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define ID_HEX "a503260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"

static const struct {
	const char *text, *hex;
} good[] = {
	{ "/ip4/127.0.0.1/tcp/4001/p2p/" ID, "047f000001060fa1" ID_HEX },
	{ "/ip4/1.2.3.4/tcp/0", "0401020304060000" },
	{ "/ip6/2001:db8::1/tcp/65535", "2920010db800000000000000000000000106ffff" },
	{ "/dns/example.com/tcp/9000", "350b6578616d706c652e636f6d062328" },
	{ "/dns4/a/tcp/1", "360161060001" },
	{ "/dns6/_x-1.local/tcp/1/p2p/" ID, "370a5f782d312e6c6f63616c060001" ID_HEX },
	{ "/p2p/" ID, ID_HEX }
};

static int parse(struct multiaddr *m, const char *text)
{
	return multiaddr_parse(m, span_make(guard_put(text, strlen(text)), strlen(text)));
}

static int decode(struct multiaddr *m, const char *hex)
{
	uint8_t room[600];
	size_t n = bytes_of(hex, room, sizeof(room));

	return multiaddr_decode(m, span_make(guard_put(room, n), n));
}

static void test_good(void **state)
{
	char text[MULTIADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct multiaddr m, n;
		struct buf b;

		assert_int_equal(parse(&m, good[i].text), 1);
		assert_int_equal(decode(&n, good[i].hex), 1);
		assert_true(multiaddr_same(&m, &n) && peerid_same(&m.peer, &n.peer));
		multiaddr_text(&n, text);
		assert_string_equal(text, good[i].text);
		buf_init(&b, MULTIADDR_BIN_MAX);
		multiaddr_encode(&m, true, &b);
		bytes_expect(buf_span(&b), good[i].hex);
		buf_clear(&b);
		multiaddr_encode(&m, false, &b);
		assert_int_equal(buf_len(&b), strlen(good[i].hex) / 2 - (m.peer.n > 0 ? 41 : 0));
		buf_free(&b);
	}
}

static void test_other_names(void **state)
{
	struct multiaddr m, n;

	(void)state;
	assert_int_equal(parse(&m, "/ip4/1.2.3.4/tcp/5/ipfs/" ID), 1);
	assert_int_equal(parse(&n, "/ip4/1.2.3.4/tcp/5/p2p/"
				   "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6/"), 1);
	assert_true(peerid_same(&m.peer, &n.peer) && multiaddr_same(&m, &n));
	n.port++;
	assert_false(multiaddr_same(&m, &n));
}

/* Well-formed, and nothing a TCP node can use: with 1 they would be dialled, with -1 a list would be refused.
 */
static void test_foreign(void **state)
{
	static const char *const texts[] = { "/ip4/1.2.3.4/udp/4001/quic-v1", "/ip4/1.2.3.4", "/tcp/80",
		"/dns/a", "/ip4/1.2.3.4/tcp/80/ws", "/ip4/1.2.3.4/tcp/80/p2p/" ID "/p2p-circuit",
		"/dnsaddr/bootstrap.libp2p.io", "/ip4/1.2.3.4/tcp/80/tcp/81",
		"/ip4/1.2.3.4/ip4/1.2.3.4/tcp/1", "/unheard-of/x/y/z", "/ip4/1.2.3.4/p2p/" ID,
		"/p2p/" ID "/ip4/1.2.3.4/tcp/1", "/p2p/" ID "/p2p/" ID, "/ip6zone/eth0/ip6/fe80::1/tcp/80",
		"/ip4/1.2.3.4/tcp/80/p2p/" ID "/p2p/" ID, "/unix/a",
		"/ip4/1.2.3.4/tcp/80/tls/sni/example.com/ws", "/p2p-circuit" };
	static const char *const hex[] = { "0401020304910203e8", "0401020304910203e8cd03", "0401020304",
		"060050", "047f000001060fa1dd03", "0401020304060fa1d103", "ffff01", "047f000001060fa1a202",
		"380161" };
	struct multiaddr m;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(parse(&m, texts[i]), 0);
		assert_int_equal(m.host, MULTIADDR_NONE);
	}
	for (size_t i = 0; i < COUNT(hex); i++)
		assert_int_equal(decode(&m, hex[i]), 0);
}

static void test_malformed(void **state)
{
	static const char *const texts[] = { "", "/", "ip4/1.2.3.4/tcp/80", "/ip4", "/ip4/",
		"/ip4/1.2.3/tcp/80", "/ip4/1.2.3.4/tcp", "/ip4/1.2.3.4/tcp/65536", "/ip4/1.2.3.4/tcp/-1",
		"/ip4/1.2.3.4/tcp/", "/ip4/1.2.3.4//tcp/80", "//ip4/1.2.3.4/tcp/80", "/ip6/1.2.3.4/tcp/80",
		"/ip6/::1%eth0/tcp/80", "/dns/a..b/tcp/80", "/dns/a b/tcp/80", "/dns/.a/tcp/80",
		"/ip4/1.2.3.4/tcp/80/p2p/x", "/ip4/1.2.3.4/tcp/80/p2p" };
	static const char *const hex[] = { "", "04", "04010203", "0401020304060f", "350461", "8100",
		"ffffffffffffffffff01", "047f000001060fa1a50326", "047f000001060fa1a50300", "35026100060001",
		"35010a060001", "38ff" };
	char many[400] = "";
	struct multiaddr m;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(parse(&m, texts[i]), -1);
	for (size_t i = 0; i < COUNT(hex); i++)
		assert_int_equal(decode(&m, hex[i]), -1);
	for (unsigned i = 0; i < MULTIADDR_COMPONENTS_MAX; i++)
		strcat(many, "/ws");
	assert_int_equal(parse(&m, many), 0);
	strcat(many, "/ws");
	assert_int_equal(parse(&m, many), -1);
}

static void test_sockets(void **state)
{
	char text[MULTIADDR_TEXT_MAX], host[MULTIADDR_NAME_MAX + 1];
	struct multiaddr m;
	struct addr a, b;

	(void)state;
	assert_true(addr_parse(&a, span_of("2001:db8::7"), 9000));
	multiaddr_of_addr(&m, &a);
	multiaddr_text(&m, text);
	assert_string_equal(text, "/ip6/2001:db8::7/tcp/9000");
	assert_true(multiaddr_addr(&m, &b) && a.len == b.len && memcmp(&a.ss, &b.ss, a.len) == 0);
	assert_true(multiaddr_dial_host(&m, host));
	assert_string_equal(host, "2001:db8::7");
	assert_int_equal(parse(&m, "/dns4/peer.local/tcp/9000"), 1);
	assert_false(multiaddr_addr(&m, &b));
	assert_true(multiaddr_dial_host(&m, host));
	assert_string_equal(host, "peer.local");
	assert_int_equal(parse(&m, "/p2p/" ID), 1);
	assert_false(multiaddr_dial_host(&m, host) || multiaddr_addr(&m, &b));
	memset(&m, 0, sizeof(m));
	multiaddr_text(&m, text);
	assert_string_equal(text, "");
}

static const struct {
	const char *text;
	bool remote, local;		/* may be dialled when heard from afar, over loopback */
} refusals[] = {
	{ "/ip4/10.0.0.1/tcp/1024/p2p/" ID, true, true },
	{ "/ip4/8.8.8.8/tcp/9000/p2p/" ID, true, true },
	{ "/ip6/fd00::1/tcp/9000/p2p/" ID, true, true },
	{ "/ip4/127.0.0.1/tcp/9000/p2p/" ID, false, true },
	{ "/ip4/127.9.9.9/tcp/9000/p2p/" ID, false, true },
	{ "/ip6/::1/tcp/9000/p2p/" ID, false, true },
	{ "/ip6/::ffff:127.0.0.1/tcp/9000/p2p/" ID, false, true },
	{ "/ip4/10.0.0.1/tcp/1023/p2p/" ID, false, false },
	{ "/ip4/10.0.0.1/tcp/9000", false, false },
	{ "/dns4/example.com/tcp/9000/p2p/" ID, false, false },
	{ "/p2p/" ID, false, false },
	{ "/ip4/169.254.169.254/tcp/9000/p2p/" ID, false, false },
	{ "/ip4/0.0.0.0/tcp/9000/p2p/" ID, false, false },
	{ "/ip4/0.1.2.3/tcp/9000/p2p/" ID, false, false },
	{ "/ip4/224.0.0.251/tcp/9000/p2p/" ID, false, false },
	{ "/ip4/255.255.255.255/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/::/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/fe80::1/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/febf::1/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/ff02::1/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/::ffff:169.254.169.254/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/64:ff9b::169.254.169.254/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/64:ff9b:1::169.254.169.254/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/64:ff9b:1:7::192.0.2.1/tcp/9000/p2p/" ID, true, true },
	{ "/ip6/2002:a9fe:a9fe::1/tcp/9000/p2p/" ID, false, false },
	{ "/ip6/::169.254.169.254/tcp/9000/p2p/" ID, false, false }
};

static void test_refusals(void **state)
{
	struct multiaddr m;

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		assert_int_equal(parse(&m, refusals[i].text), 1);
		assert_int_equal(multiaddr_refusal(&m, false) == NULL, refusals[i].remote);
		assert_int_equal(multiaddr_refusal(&m, true) == NULL, refusals[i].local);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("p2p/multiaddr", tests, NULL, NULL);
}
