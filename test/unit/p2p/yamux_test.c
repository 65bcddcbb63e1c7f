#include "../guard.h"
#include "base/err.h"
#include "bytes.h"
#include "p2p/yamux.h"

static struct yamux y;			/* under test */

/* Feed hexadecimal until an event or its end: the event; *used counts on. */
static struct yamux_event feed_some(const char *hex, size_t *used, size_t step)
{
	static uint8_t room[4096];
	size_t n = bytes_of(hex, room, sizeof(room));
	struct yamux_event ev = { .type = YAMUX_NONE };

	while (ev.type == YAMUX_NONE) {
		size_t part = n - *used < step ? n - *used : step;
		ssize_t got = yamux_feed(&y, guard_put(room + *used, part), part, &ev, NULL);

		assert_true(got >= 0);
		*used += (size_t)got;
		if (ev.type == YAMUX_DATA)	/* it points into what is about to go */
			ev.data = span_make(room + *used - ev.data.n, ev.data.n);
		if (part == 0)
			break;
	}
	return ev;
}

static struct yamux_event feed(const char *hex)
{
	size_t used = 0;
	struct yamux_event ev = feed_some(hex, &used, 1000);

	return ev;
}

static int feed_bad(const char *hex, const char *words)
{
	static uint8_t room[4096];
	size_t n = bytes_of(hex, room, sizeof(room)), at = 0;
	struct yamux_event ev;
	struct err err;
	ssize_t got;

	err_init(&err);
	while ((got = yamux_feed(&y, room + at, n - at, &ev, &err)) >= 0) {
		at += (size_t)got;
		if (at == n && ev.type == YAMUX_NONE)
			return 0;
	}
	assert_non_null(strstr(err.msg, words));
	/* sticky */
	assert_int_equal(yamux_feed(&y, room, 0, &ev, NULL), got);
	return (int)got;
}

static void expect_out(const char *hex)
{
	bytes_expect(buf_span(&y.out), hex);
	buf_clear(&y.out);
}

static void begin(bool dialer)
{
	yamux_free(&y);
	yamux_init(&y, dialer);
}

static int finish(void **state)
{
	(void)state;
	yamux_free(&y);
	return 0;
}

/* Headers as the specification draws them and js's codec test has them: version, type, flags, id, length. */
static void test_opening(void **state)
{
	struct yamux_stream *s, *t;

	(void)state;
	begin(true);
	s = yamux_open(&y, "mine");
	assert_string_equal(s->arg, "mine");
	expect_out("000100010000000100000000");
	assert_int_equal(yamux_write(&y, s, "abc", 3), 3);
	expect_out("000000000000000100000003616263");
	yamux_close(&y, s);
	expect_out("000100040000000100000000");
	t = yamux_open(&y, NULL);
	assert_int_equal(t->id, 3);
	yamux_reset(&y, t, YAMUX_RESET_RATE);
	expect_out("000100010000000300000000" "000100080000000300001003");
	/* neither closed nor reset a second time, nor written to */
	yamux_close(&y, s);
	yamux_close(&y, t);
	yamux_reset(&y, t, 0);
	assert_int_equal(yamux_write(&y, s, "x", 1) + yamux_write(&y, t, "x", 1), 0);
	yamux_release(&y, t);
	expect_out("");
	/* half closed is not over */
	yamux_release(&y, s);
	expect_out("000100080000000100000000");
	begin(false);
	assert_int_equal(yamux_open(&y, NULL)->id, 2);
}

/* As go, js and py open one: WindowUpdate|SYN, then data. The first frame back acknowledges, whatever it is.
 */
static void test_accepting(void **state)
{
	struct yamux_event ev;

	(void)state;
	begin(false);
	ev = feed("000100010000000100000000");
	assert_int_equal(ev.type, YAMUX_OPENED);
	assert_int_equal(ev.stream->id, 1);
	expect_out("");
	yamux_write(&y, ev.stream, "hi", 2);
	expect_out("0000000200000001000000026869");
	yamux_write(&y, ev.stream, "ho", 2);
	expect_out("000000000000000100000002686f");
	ev = feed("000100010000000300000000");
	yamux_close(&y, ev.stream);
	expect_out("000100060000000300000000");
	ev = feed("000100010000000500000000");
	yamux_release(&y, ev.stream);
	expect_out("0001000a0000000500000000");
}

/* As rust opens one: SYN with a body; and all at once, SYN, body and FIN; by single bytes too. */
static void test_syn_on_data(void **state)
{
	(void)state;
	for (size_t step = 1; step < 20; step++) {
		size_t used = 0, bytes = 0;
		const char *hex = "00000005000000010000000568656c6c6f" "000200010000000000000007";
		struct yamux_event ev;

		begin(false);
		ev = feed_some(hex, &used, step);
		assert_int_equal(ev.type, YAMUX_OPENED);
		while ((ev = feed_some(hex, &used, step)).type == YAMUX_DATA) {
			assert_memory_equal(ev.data.p, "hello" + bytes, ev.data.n);
			bytes += ev.data.n;
		}
		assert_int_equal(bytes, 5);
		assert_int_equal(ev.type, YAMUX_EOF);
		assert_int_equal(feed_some(hex, &used, step).type, YAMUX_PINGED);
		yamux_close(&y, ev.stream);
		assert_true(yamux_is_over(ev.stream));
		expect_out("000200020000000000000007" "000100060000000100000000");
		yamux_release(&y, ev.stream);
		expect_out("");
	}
}

static void test_reset(void **state)
{
	struct yamux_stream *s;
	struct yamux_event ev;

	(void)state;
	begin(true);
	s = yamux_open(&y, NULL);
	buf_clear(&y.out);
	ev = feed("000100080000000100001003");
	assert_int_equal(ev.type, YAMUX_RESET);
	assert_true(ev.stream == s && ev.value == YAMUX_RESET_RATE && yamux_is_over(s));
	assert_int_equal(yamux_write(&y, s, "x", 1), 0);
	/* the number was no credit, and what follows is nobody's */
	assert_int_equal(feed("00000000000000010000000161").type, YAMUX_NONE);
	yamux_release(&y, s);
	expect_out("");
	assert_int_equal(feed("00000000000000010000000161").type, YAMUX_NONE);
	assert_int_equal(feed("000100080000000100000000").type, YAMUX_NONE);
}

/* Frames of streams never heard of are passed over, with their bodies. */
static void test_unknown(void **state)
{
	(void)state;
	begin(true);
	assert_int_equal(feed("000000000000000400000003616263"
			      "000100000000000800000100"
			      "000100040000000600000000"
			      "000000080000000200000001ff"
			      "000000000000000500000000")
			     .type,
	    YAMUX_NONE);
	assert_int_equal(feed("000200010000000000000001").type, YAMUX_PINGED);
	expect_out("000200020000000000000001");
}

static void test_send_window(void **state)
{
	static uint8_t data[YAMUX_WINDOW + 10];
	struct yamux_stream *s;
	struct yamux_event ev;
	size_t sent = 0, n;

	(void)state;
	begin(true);
	s = yamux_open(&y, NULL);
	buf_clear(&y.out);
	/* never more at once than the room for data, in frames of 16 KiB */
	assert_int_equal(yamux_room(&y, s), YAMUX_OUT_DATA);
	n = yamux_write(&y, s, data, sizeof(data));
	assert_int_equal(n, YAMUX_OUT_DATA);
	assert_int_equal(buf_len(&y.out), n + 4 * YAMUX_HEADER_LEN);
	assert_memory_equal(buf_data(&y.out), "\0\0\0\0\0\0\0\1\0\0\x40\0", 12);
	assert_int_equal(yamux_write(&y, s, data, 1), 0);
	for (sent = n; sent < YAMUX_WINDOW; sent += n) {
		buf_clear(&y.out);
		n = yamux_write(&y, s, data, sizeof(data));
		assert_true(n > 0);
	}
	assert_int_equal(sent, YAMUX_WINDOW);
	buf_clear(&y.out);
	assert_int_equal(yamux_write(&y, s, data, 1), 0);
	assert_int_equal(buf_len(&y.out), 0);
	/* a delta, with the acknowledgement; told once */
	ev = feed("000100020000000100000003");
	assert_int_equal(ev.type, YAMUX_WRITABLE);
	assert_true(ev.stream == s);
	assert_int_equal(feed("000100000000000100000002").type, YAMUX_NONE);
	assert_int_equal(yamux_write(&y, s, data, 100), 5);
	assert_int_equal(feed("000100000000000100000001").type, YAMUX_WRITABLE);
	/* as large as it may get: it does not run over */
	for (unsigned i = 0; i < 3; i++)
		feed("0001000000000001ffffffff");
	assert_int_equal(s->credit, YAMUX_CREDIT_MAX);
}

/* Half of the window, consumed, is given back; the rest is what may still come. */
static void test_receive_window(void **state)
{
	static uint8_t frame[YAMUX_HEADER_LEN + 65536] = { [7] = 2, [9] = 1 };
	struct yamux_stream *s;
	struct yamux_event ev;
	size_t got = 0;

	(void)state;
	begin(true);
	ev = feed("000100010000000200000000");
	s = ev.stream;
	for (unsigned i = 0; i < 4; i++)
		for (size_t at = 0; at < sizeof(frame);) {
			ssize_t n = yamux_feed(&y, frame + at, sizeof(frame) - at, &ev, NULL);

			assert_true(n > 0);
			at += (size_t)n;
			got += ev.type == YAMUX_DATA ? ev.data.n : 0;
		}
	assert_int_equal(got, YAMUX_WINDOW);
	yamux_consumed(&y, s, YAMUX_WINDOW / 2 - 1);
	expect_out("");
	yamux_consumed(&y, s, 1);
	expect_out("000100020000000200020000");
	yamux_consumed(&y, s, YAMUX_WINDOW / 2);
	expect_out("000100000000000200020000");
	assert_int_equal(s->window, YAMUX_WINDOW);
}

static void test_overrun(void **state)
{
	(void)state;
	begin(false);
	feed("000100010000000100000000");
	assert_int_equal(feed_bad("000000000000000100040001", "window"), ERR_PROTO);
	expect_out("000300000000000000000001");		/* GoAway: protocol error */
	begin(false);
	assert_int_equal(feed_bad("000000010000000100040001", "window"), ERR_PROTO);
	begin(false);
	assert_int_equal(feed_bad("000000000000000100040001", "window"), ERR_PROTO);
	begin(false);
	assert_int_equal(feed_bad("000000010000000100040000", ""), 0);
}

static void test_rules(void **state)
{
	(void)state;
	begin(false);
	assert_int_equal(feed_bad("000100010000000200000000", "id of ours"), ERR_PROTO);
	expect_out("000300000000000000000001");
	begin(true);
	assert_int_equal(feed_bad("000100010000000100000000", "id of ours"), ERR_PROTO);
	begin(true);
	assert_int_equal(feed_bad("000100010000000200000000"
				  "000000010000000200000000",
			     "that is open"),
	    ERR_PROTO);
	begin(true);
	assert_int_equal(feed_bad("010100010000000200000000", "version"), ERR_PROTO);
	begin(true);
	assert_int_equal(feed_bad("000400000000000000000000", "type"), ERR_PROTO);
	begin(true);
	assert_int_equal(feed_bad("000000000000000000000001", "without a stream"), ERR_PROTO);
	begin(true);
	assert_int_equal(feed_bad("000100010000000000000001", "without a stream"), ERR_PROTO);
	/* and nothing more is done */
	assert_null(yamux_open(&y, NULL));
	assert_false(yamux_ping(&y, 1));
}

/* The 65th stream is reset, and the 64 stay; one let go makes room. */
static void test_many(void **state)
{
	struct yamux_stream *first = NULL;
	char hex[25];

	(void)state;
	begin(false);
	for (unsigned i = 0; i < YAMUX_INBOUND_MAX; i++) {
		snprintf(hex, sizeof(hex), "00010001%08x00000000", 2 * i + 1);
		struct yamux_event ev = feed(hex);
		assert_int_equal(ev.type, YAMUX_OPENED);
		first = first ? first : ev.stream;
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(hex, sizeof(hex), "00010001%08x00000000", 2 * i + 1001);
		assert_int_equal(feed(hex).type, YAMUX_NONE);
		snprintf(hex, sizeof(hex), "00010008%08x00001002", 2 * i + 1001);
		expect_out(hex);
	}
	/* a body behind a refused SYN is passed over */
	assert_int_equal(feed("000000010000100100000003616263").type, YAMUX_NONE);
	buf_clear(&y.out);
	yamux_release(&y, first);
	assert_int_equal(feed("000100010000200100000000").type, YAMUX_OPENED);
	for (unsigned i = 0; i < YAMUX_OUTBOUND_MAX; i++)
		assert_non_null(yamux_open(&y, NULL));
	assert_null(yamux_open(&y, NULL));
}

static void test_pings(void **state)
{
	struct yamux_event ev;

	(void)state;
	begin(true);
	assert_int_equal(feed("000200010000000012345678").type, YAMUX_PINGED);
	expect_out("000200020000000012345678");
	/* an answer nobody asked for says nothing; ours is told once */
	assert_int_equal(feed("000200020000000000000009").type, YAMUX_NONE);
	assert_true(yamux_ping(&y, 9));
	assert_false(yamux_ping(&y, 10));
	expect_out("000200010000000000000009");
	assert_int_equal(feed("000200020000000000000008").type, YAMUX_NONE);
	ev = feed("000200020000000000000009");
	assert_true(ev.type == YAMUX_PONG && ev.value == 9);
	assert_int_equal(feed("000200020000000000000009").type, YAMUX_NONE);
	assert_true(yamux_ping(&y, 10));
}

/* Who pings and reads nothing is stopped before it costs memory. */
static void test_ping_flood(void **state)
{
	static const uint8_t ping[12] = { 0, 2, 0, 1 };
	struct yamux_event ev;
	struct err err;
	ssize_t rc = 0;
	unsigned n;

	(void)state;
	begin(true);
	err_init(&err);
	for (n = 0; n < 100000 && rc >= 0; n++)
		rc = yamux_feed(&y, ping, sizeof(ping), &ev, &err);
	assert_in_range(n, YAMUX_OUT_MAX / 12, YAMUX_OUT_MAX / 12 + 3);
	assert_int_equal(rc, ERR_LIMIT);
	assert_true(buf_len(&y.out) <= YAMUX_OUT_MAX);
}

static void test_goaway(void **state)
{
	struct yamux_event ev;

	(void)state;
	begin(true);
	yamux_goaway(&y, YAMUX_NORMAL);
	expect_out("000300000000000000000000");
	ev = feed("000300000000000000001002" "ffff");
	assert_true(ev.type == YAMUX_GOAWAY && ev.value == 0x1002);
	/* whatever follows */
	assert_int_equal(feed("ffffffffffffffffffffffff").type, YAMUX_NONE);
	assert_null(yamux_open(&y, NULL));
}

/* A stream let go in the middle of its own body: the rest is nobody's. */
static void test_release_in_body(void **state)
{
	size_t used = 0;
	const char *hex = "000000050000000200000006616263646566" "000200010000000000000001";
	struct yamux_event ev;

	(void)state;
	begin(true);
	ev = feed_some(hex, &used, 1);
	assert_int_equal(ev.type, YAMUX_OPENED);
	ev = feed_some(hex, &used, 2);
	assert_int_equal(ev.type, YAMUX_DATA);
	yamux_release(&y, ev.stream);
	assert_int_equal(feed_some(hex, &used, 3).type, YAMUX_PINGED);
	assert_int_equal(y.inbound, 0);
}

/* Two of ours, 8 MiB and back, through whatever pieces: every byte arrives, in order. */
static void test_both(void **state)
{
	static struct yamux a, b;
	static uint8_t block[5000];
	struct yamux_stream *s, *t = NULL;
	uint64_t sent = 0, got = 0;
	const uint64_t total = 8 << 20;

	(void)state;
	yamux_init(&a, true);
	yamux_init(&b, false);
	s = yamux_open(&a, NULL);
	while (got < total) {
		struct yamux *from[2] = { &a, &b }, *to[2] = { &b, &a };

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((sent + i) * 31 >> 2);
		sent += yamux_write(&a, s, block,
		    total - sent < sizeof(block) ? (size_t)(total - sent) : sizeof(block));
		for (unsigned d = 0; d < 2; d++)
			while (buf_len(&from[d]->out) > 0) {
				struct yamux_event ev;
				size_t n = buf_len(&from[d]->out) < 777 ? buf_len(&from[d]->out) : 777;
				ssize_t used = yamux_feed(to[d], buf_data(&from[d]->out), n, &ev, NULL);

				assert_true(used >= 0);
				if (ev.type == YAMUX_OPENED)
					t = ev.stream;
				for (size_t i = 0; ev.type == YAMUX_DATA && i < ev.data.n; i++, got++)
					if ((uint8_t)ev.data.p[i] != (uint8_t)(got * 31 >> 2))
						fail();
				if (ev.type == YAMUX_DATA)
					yamux_consumed(&b, t, ev.data.n);
				buf_consume(&from[d]->out, (size_t)used);
			}
	}
	assert_int_equal(sent, total);
	yamux_free(&a);
	yamux_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_accepting),
		cmocka_unit_test(test_syn_on_data),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_send_window),
		cmocka_unit_test(test_receive_window),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_ping_flood),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_release_in_body),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests_name("p2p/yamux", tests, NULL, finish);
}
