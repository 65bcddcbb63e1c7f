#include "../guard.h"
#include "bytes.h"
#include "p2p/mdnsmsg.h"

#define ID "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define SERVICE "_p2p._udp.local"
#define SERVICE_HEX "045f703270045f756470056c6f63616c00"
#define NAME "abcdefghijklmnopqrstuvwxyz012345"

static bool parse(struct mdnsmsg *m, const void *p, size_t n)
{
	return mdnsmsg_parse(m, guard_put(p, n), n, SERVICE);
}

static bool parse_hex(struct mdnsmsg *m, const char *hex)
{
	uint8_t room[1000];

	return parse(m, room, bytes_of(hex, room, sizeof(room)));
}

static void test_service(void **state)
{
	uint8_t key[32] = { 0 }, other[32] = { 1 };
	char a[MDNSMSG_SERVICE_MAX], b[MDNSMSG_SERVICE_MAX];

	(void)state;
	mdnsmsg_service(a, key);
	mdnsmsg_service(b, other);
	assert_int_equal(strlen(a), strlen("_p2p-0123456789abcdef._udp.local"));
	assert_memory_equal(a, "_p2p-", 5);
	assert_string_equal(a + 21, "._udp.local");
	assert_string_not_equal(a, b);
}

/* The question as the specification has it: `_p2p._udp.local PTR`. */
static void test_question(void **state)
{
	struct mdnsmsg m;
	struct buf b;

	(void)state;
	buf_init(&b, MDNSMSG_MAX);
	mdnsmsg_put_question(&b, SERVICE);
	bytes_expect(buf_span(&b), "000000000001000000000000" SERVICE_HEX "000c0001");
	assert_true(parse(&m, buf_data(&b), buf_len(&b)));
	assert_true(m.asks && !m.asks_unicast && m.naddrs == 0);
	buf_free(&b);
	assert_true(parse_hex(&m,
	    "000000000001000000000000"
	    "045f503270045f554450054c6f63616c00"
	    "00ff8001"));
	assert_true(m.asks && m.asks_unicast);
	/* another service, another type, another class, an answer */
	assert_true(parse_hex(&m,
	    "000000000001000000000000"
	    "045f703370045f756470056c6f63616c00"
	    "000c0001"));
	assert_false(m.asks);
	assert_true(parse_hex(&m, "000000000001000000000000" SERVICE_HEX "00010001"));
	assert_false(m.asks);
	assert_true(parse_hex(&m, "000000000001000000000000" SERVICE_HEX "000c0003"));
	assert_false(m.asks);
	assert_true(parse_hex(&m, "000084000001000000000000" SERVICE_HEX "000c0001"));
	assert_false(m.asks);
	/* two questions, the second by a pointer into the first */
	assert_true(parse_hex(&m,
	    "000000000002000000000000"
	    "0178" SERVICE_HEX "00010001"
	    "c00e"
	    "000c0001"));
	assert_true(m.asks);
}

static void test_answer(void **state)
{
	struct multiaddr addrs[3];
	struct peerid id;
	struct mdnsmsg m;
	struct buf b;

	(void)state;
	assert_true(peerid_parse(&id, span_of(ID)));
	multiaddr_parse(&addrs[0], span_of("/ip4/10.0.0.1/tcp/9000"));
	multiaddr_parse(&addrs[1], span_of("/ip6/2001:db8::1/tcp/9001"));
	buf_init(&b, MDNSMSG_MAX);
	mdnsmsg_put_answer(&b, SERVICE, NAME, &id, addrs, 2, 120);
	assert_false(b.failed);
	assert_true(parse(&m, buf_data(&b), buf_len(&b)));
	assert_int_equal(m.naddrs, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(multiaddr_same(&m.addrs[i], &addrs[i]) && peerid_same(&m.addrs[i].peer, &id));
	/* every shorter message is none; in a question answers say nothing; nor does a goodbye */
	for (size_t n = 0; n < buf_len(&b); n++)
		assert_false(parse(&m, buf_data(&b), n));
	buf_data(&b)[2] = 0;
	assert_true(parse(&m, buf_data(&b), buf_len(&b)));
	assert_int_equal(m.naddrs, 0);
	buf_clear(&b);
	mdnsmsg_put_answer(&b, SERVICE, NAME, &id, addrs, 2, 0);
	assert_true(parse(&m, buf_data(&b), buf_len(&b)));
	assert_int_equal(m.naddrs, 0);
	buf_clear(&b);
	mdnsmsg_put_answer(&b, "_p2p-1._udp.local", NAME, &id, addrs, 2, 120);
	assert_true(parse(&m, buf_data(&b), buf_len(&b)));
	assert_int_equal(m.naddrs, 0);
	buf_free(&b);
}

/* One datagram, whatever there is to tell. */
static void test_room(void **state)
{
	static struct multiaddr addrs[40];
	struct peerid id;
	struct mdnsmsg m;
	struct buf b;

	(void)state;
	assert_true(peerid_parse(&id, span_of(ID)));
	for (unsigned i = 0; i < COUNT(addrs); i++) {
		multiaddr_parse(&addrs[i], span_of("/ip4/10.0.0.1/tcp/9000"));
		addrs[i].port = (uint16_t)(9000 + i);
	}
	buf_init(&b, 2 * MDNSMSG_MAX);
	mdnsmsg_put_answer(&b, SERVICE, NAME, &id, addrs, COUNT(addrs), 120);
	assert_in_range(buf_len(&b), MDNSMSG_MAX - 100, MDNSMSG_MAX);
	assert_true(parse(&m, buf_data(&b), buf_len(&b)));
	assert_in_range(m.naddrs, 10, MDNSMSG_ADDRS_MAX);
	buf_free(&b);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = { "", "000000000001000000000000", "0000000000010000000000",
		"000000000001000000000000"
		"c00c"
		"000c0001", /* a pointer to itself */
		"000000000001000000000000"
		"c020"
		"000c0001"
		"00", /* and forwards */
		"000000000002000000000000"
		"0161c00c"
		"000c0001"
		"c00c"
		"000c0001", /* round and round */
		"000000000001000000000000"
		"40"
		"000c0001",
		"000000000001000000000000"
		"05616263"
		"00",
		"000000000001000000000000" SERVICE_HEX "000c",
		"000084000000000100000000" SERVICE_HEX "001000010000007800ff00" };
	char jumps[1000] = "00000000001e000000000000" "00" "00010001";
	struct mdnsmsg m;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(parse_hex(&m, bad[i]));
	/* a chain of pointers: each question's name points at the one before */
	for (unsigned i = 0; i < 29; i++) {
		unsigned to = i == 0 ? 12 : 17 + 6 * (i - 1);

		snprintf(jumps + strlen(jumps), 20, "c0%02x00010001", to);
	}
	assert_false(parse_hex(&m, jumps));
	jumps[11] = 'f';	/* 15 of them are short enough a chain */
	jumps[10] = '0';
	assert_true(parse_hex(&m, jumps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests_name("p2p/mdnsmsg", tests, NULL, NULL);
}
