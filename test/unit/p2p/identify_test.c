#include "../guard.h"
#include "base/err.h"
#include "bytes.h"
#include "p2p/identify.h"
#include "p2p/protobuf.h"

#define KEY "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"

static void read_all(struct identify_reader *r, struct span in, size_t step, int want)
{
	int rc = 0;

	identify_reader_init(r);
	for (size_t at = 0; at < in.n && rc == 0; at += step) {
		struct span part = span_sub(in, at, step);

		rc = identify_reader_feed(r, guard_put(part.p, part.n), part.n);
	}
	assert_int_equal(rc, want);
}

static void test_round(void **state)
{
	static struct identify id, back;
	uint8_t key[36];
	struct buf b;

	(void)state;
	id.key = span_make(key, bytes_of(KEY, key, sizeof(key)));
	id.agent = span_of("ghoard/0.1.0");
	id.version = span_of(IDENTIFY_VERSION);
	id.has_observed = multiaddr_parse(&id.observed, span_of("/ip4/10.0.0.9/tcp/40000")) == 1;
	multiaddr_parse(&id.addrs[0], span_of("/ip4/10.0.0.1/tcp/9000"));
	multiaddr_parse(&id.addrs[1], span_of("/ip6/::1/tcp/9000"));
	id.naddrs = 2;
	id.protocols[0] = span_of(IDENTIFY_ID);
	id.protocols[1] = span_of("/github-cache/1.0.0");
	id.nprotocols = 2;
	buf_init(&b, 8192);
	identify_encode(&id, &b);
	/* the fields' tags, as the specification numbers them */
	assert_memory_equal(buf_data(&b), "\x8f\x01\x0a\x24\x08\x01", 6);
	for (size_t step = 1; step < buf_len(&b) + 2; step += 7) {
		struct identify_reader r;

		read_all(&r, buf_span(&b), step, 0);
		assert_int_equal(identify_reader_end(&r, &back), 0);
		assert_true(span_same(back.key, id.key) && span_same(back.agent, id.agent) &&
		    span_same(back.version, id.version));
		assert_true(back.has_observed && multiaddr_same(&back.observed, &id.observed));
		assert_int_equal(back.naddrs, 2);
		assert_true(multiaddr_same(&back.addrs[1], &id.addrs[1]));
		assert_true(identify_speaks(&back, "/github-cache/1.0.0"));
		assert_false(identify_speaks(&back, "/github-cache/1.0"));
		identify_reader_free(&r);
	}
	buf_free(&b);
}

/* What rust reads at most, whatever is to be said. */
static void test_sending_limit(void **state)
{
	static struct identify id, back;
	static char names[IDENTIFY_PROTOCOLS_MAX][200];
	struct identify_reader r;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < IDENTIFY_PROTOCOLS_MAX; i++) {
		memset(names[i], 'a', sizeof(names[i]));
		id.protocols[i] = span_make(names[i], sizeof(names[i]));
	}
	id.nprotocols = IDENTIFY_PROTOCOLS_MAX;
	buf_init(&b, 16384);
	identify_encode(&id, &b);
	assert_true(buf_len(&b) <= IDENTIFY_SEND_MAX && buf_len(&b) > IDENTIFY_SEND_MAX - 300);
	read_all(&r, buf_span(&b), 1000, 0);
	assert_int_equal(identify_reader_end(&r, &back), 0);
	assert_in_range(back.nprotocols, 15, 25);
	identify_reader_free(&r);
	buf_free(&b);
}

static int end_of(const char *hex, struct identify *id, struct identify_reader *r)
{
	uint8_t room[2000];
	size_t n = bytes_of(hex, room, sizeof(room));

	read_all(r, span_make(room, n), 3, 0);
	return identify_reader_end(r, id);
}

static void test_odd_peers(void **state)
{
	static struct identify id;
	struct identify_reader r;

	(void)state;
	/* go's second message has only field 8; then a broken, a foreign and a good address */
	assert_int_equal(end_of("053203616263" "03420155" "0312018f" "0d120b0401020304910203e8cd03"
				"0a1208040a000001062328", &id, &r), 0);
	assert_true(span_eq(id.agent, "abc"));
	assert_int_equal(id.naddrs, 1);
	assert_int_equal(id.addrs[0].port, 9000);
	identify_reader_free(&r);
	/* an agent that would upset a terminal; a varint is passed over; the last one wins */
	assert_int_equal(end_of("053203610a62" "020801", &id, &r), 0);
	assert_int_equal(id.agent.n, 0);
	identify_reader_free(&r);
	assert_int_equal(end_of("053203610a62" "03320178", &id, &r), 0);
	assert_true(span_eq(id.agent, "x"));
	identify_reader_free(&r);
	/* nothing at all is no message; an empty one is */
	assert_int_equal(end_of("", &id, &r), ERR_PROTO);
	identify_reader_free(&r);
	assert_int_equal(end_of("00", &id, &r), 0);
	identify_reader_free(&r);
	/* cut */
	assert_int_equal(end_of("0532036162", &id, &r), ERR_PROTO);
	identify_reader_free(&r);
	assert_int_equal(end_of("80", &id, &r), ERR_PROTO);
	identify_reader_free(&r);
	/* cut where a field ends, and behind the first byte of a second length */
	assert_int_equal(end_of("0a3203616263", &id, &r), ERR_PROTO);
	identify_reader_free(&r);
	assert_int_equal(end_of("05320361626380", &id, &r), ERR_PROTO);
	identify_reader_free(&r);
}

static void test_limits(void **state)
{
	static uint8_t big[4 + IDENTIFY_MESSAGE_MAX * 5];
	static const uint8_t eleven[IDENTIFY_MESSAGES_MAX + 1];
	struct identify_reader r;

	(void)state;
	read_all(&r, span_make(eleven, IDENTIFY_MESSAGES_MAX), 1, 0);
	identify_reader_free(&r);
	read_all(&r, span_make(eleven, IDENTIFY_MESSAGES_MAX + 1), 1, ERR_PROTO);
	identify_reader_free(&r);
	read_all(&r, span_make("\x81\x40", 2), 1, ERR_PROTO);		/* 8193 */
	identify_reader_free(&r);
	read_all(&r, span_make("\x80\x00", 2), 1, ERR_PROTO);
	identify_reader_free(&r);
	for (size_t at = 0; at + 2 + IDENTIFY_MESSAGE_MAX < sizeof(big); at += 2 + IDENTIFY_MESSAGE_MAX) {
		big[at] = 0x80;
		big[at + 1] = 0x40;
	}
	read_all(&r, span_make(big, 4 * (2 + IDENTIFY_MESSAGE_MAX)), 1000, 0);
	identify_reader_free(&r);
	big[4 * (2 + IDENTIFY_MESSAGE_MAX)] = 5;
	read_all(&r, span_make(big, 4 * (2 + IDENTIFY_MESSAGE_MAX) + 3), 1000, ERR_LIMIT);
	identify_reader_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_sending_limit),
		cmocka_unit_test(test_odd_peers),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("p2p/identify", tests, NULL, NULL);
}
