#include "../guard.h"
#include "base/err.h"
#include "bytes.h"
#include "p2p/wire.h"

#define ID_A "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define ID_B "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV"

/* Made by Python's cryptography package from the words of wire.h: A dialled B; group key 00 01 … 1f, nonce a0
 * … ab. */
static const char header_i[] =
    "4001a0a1a2a3a4a5a6a7a8a9aaab9c29d725a6f0902cc8468d3861e782dc68bdeef3a28bd564f808621ddec79c11e112075f"
    "ae92886cc9f4490601d8e58661f110";
static const char last_r[] =
    "2301a0a1a2a3a4a5a6a7a8a9aaab46fc371bb9fb34e0f269448cc12c8cf2a82e02eaccce";
static const char empty_r[] =
    "1e01a0a1a2a3a4a5a6a7a8a9aaab46f82a75e55b7f24eae2c510e948b2a2c5";
static const char record_r[] =
    "820101a0a1a2a3a4a5a6a7a8a9aaab47ec2a0fadecefe10a052f786eaa5b1849bf59fcfc17d4d741fdae4a1b174dce98a27b"
    "885de81aa3fe6a0a6d5eb91e1ee1b6713780a5cc846c40eb55ccccc18989d4c1287557935f364a8904a6ef265e581c6dbbde"
    "b18f3657721853e99c25975cf7857b0a46a56e1c8103375a5acee9b4cf54b7d7";
#define REQUEST "{\"type\":\"cache_request\",\"key\":\"k\"}"

static struct wire_keys a, b;		/* the dialer's and the listener's */

static void make_keys(struct wire_keys *k, uint8_t first, bool dialled)
{
	uint8_t group[WIRE_GROUP_KEY_LEN];
	struct peerid ia, ib;

	for (uint8_t i = 0; i < sizeof(group); i++)
		group[i] = first + i;
	assert_true(peerid_parse(&ia, span_of(ID_A)) && peerid_parse(&ib, span_of(ID_B)));
	wire_keys_init(k, group, &ia, &ib, dialled);
}

static int begin(void **state)
{
	(void)state;
	make_keys(&a, 0, true);
	make_keys(&b, 0, false);
	return 0;
}

static void test_known(void **state)
{
	static const uint8_t nonce[12] = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa,
		0xab };
	char x[100];
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	wire_seal_with(&a.send, nonce, WIRE_HEADER, span_of(REQUEST), &out);
	bytes_expect(buf_span(&out), header_i);
	buf_clear(&out);
	wire_seal_with(&b.send, nonce, WIRE_LAST, span_of("hello"), &out);
	bytes_expect(buf_span(&out), last_r);
	buf_clear(&out);
	wire_seal_with(&b.send, nonce, WIRE_LAST, span_of(""), &out);
	bytes_expect(buf_span(&out), empty_r);
	buf_clear(&out);
	memset(x, 'x', sizeof(x));
	wire_seal_with(&b.send, nonce, WIRE_RECORD, span_make(x, sizeof(x)), &out);
	bytes_expect(buf_span(&out), record_r);
	buf_free(&out);
}

/* What a reader makes of some bytes: its events as letters, its payloads one behind the other. */
struct heard {
	char events[64];
	struct buf text;
	const char *why;
	bool unsealed, idle;
};

static void listen_to(struct heard *h, const struct wire_keys *keys, struct span in, size_t step,
    int64_t body)
{
	struct wire_reader r;
	size_t n = 0;

	memset(h->events, 0, sizeof(h->events));
	buf_init(&h->text, 32 << 20);
	wire_reader_init(&r, keys, WIRE_HEADER_MAX);
	while (in.n > 0) {
		struct span part = span_sub(in, 0, step), payload;
		enum wire_event ev;
		ssize_t used = wire_reader_feed(&r, guard_put(part.p, part.n), part.n, &ev, &payload);

		if (used < 0) {
			assert_int_equal(wire_reader_feed(&r, "", 0, &ev, &payload), -1);
			break;
		}
		buf_addspan(&h->text, payload);
		if (ev != WIRE_MORE && n < sizeof(h->events) - 1)
			h->events[n++] = " HBL"[ev];
		if (ev == WIRE_GOT_HEADER && body >= 0)
			wire_reader_expect(&r, (uint64_t)body);
		in = span_sub(in, (size_t)used, in.n);
	}
	h->why = r.why;
	h->unsealed = r.unsealed;
	h->idle = wire_reader_idle(&r);
	wire_reader_free(&r);
}

static void put(struct buf *out, const struct wire_keys *k, enum wire_kind kind, struct span payload)
{
	assert_int_equal(wire_seal(k, kind, payload, out, NULL), 0);
}

static void expect(struct buf *in, const struct wire_keys *keys, size_t step, int64_t body,
    const char *events, const char *text, const char *why)
{
	struct heard h;

	listen_to(&h, keys, buf_span(in), step, body);
	assert_string_equal(h.events, events);
	if (text != NULL)
		assert_string_equal(buf_cstr(&h.text), text);
	if (why == NULL)
		assert_null(h.why);
	else
		assert_non_null(strstr(h.why, why));
	buf_free(&h.text);
}

static void test_bodies(void **state)
{
	static char data[40000];
	struct buf out;

	(void)state;
	memset(data, 'd', sizeof(data) - 1);
	for (size_t step = 1; step < 100; step += 9) {
		buf_init(&out, 1 << 20);
		put(&out, &b, WIRE_HEADER, span_of("{}"));
		put(&out, &b, WIRE_RECORD, span_make(data, WIRE_RECORD_MAX));
		put(&out, &b, WIRE_RECORD, span_make(data, 1));
		put(&out, &b, WIRE_LAST, span_make(data, 10));
		put(&out, &b, WIRE_HEADER, span_of("[]"));
		expect(&out, &a, step, WIRE_RECORD_MAX + 11, "HBBLH", NULL, NULL);
		buf_clear(&out);
		/* an empty body, and a last record that is empty though the size was reached */
		put(&out, &b, WIRE_HEADER, span_of("{}"));
		put(&out, &b, WIRE_LAST, span_of(""));
		expect(&out, &a, step, 0, "HL", "{}", NULL);
		buf_clear(&out);
		put(&out, &b, WIRE_HEADER, span_of("{}"));
		put(&out, &b, WIRE_RECORD, span_of("abc"));
		put(&out, &b, WIRE_LAST, span_of(""));
		expect(&out, &a, step, 3, "HBL", "{}abc", NULL);
		buf_free(&out);
	}
}

static void test_sizes(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	/* longer, shorter, and more than was said */
	put(&out, &b, WIRE_HEADER, span_of("{}"));
	put(&out, &b, WIRE_LAST, span_of("abcd"));
	expect(&out, &a, 1000, 3, "H", NULL, "another size");
	expect(&out, &a, 1000, 5, "H", NULL, "another size");
	expect(&out, &a, 1000, 4, "HL", "{}abcd", NULL);
	buf_clear(&out);
	put(&out, &b, WIRE_HEADER, span_of("{}"));
	put(&out, &b, WIRE_RECORD, span_of(""));
	expect(&out, &a, 1000, 5, "H", NULL, "empty record");
	buf_clear(&out);
	/* a header where a body should be, and the other way round */
	put(&out, &b, WIRE_HEADER, span_of("{}"));
	put(&out, &b, WIRE_HEADER, span_of("{}"));
	expect(&out, &a, 1000, 2, "H", NULL, "not sealed");
	expect(&out, &a, 1000, -1, "HH", "{}{}", NULL);
	buf_clear(&out);
	put(&out, &b, WIRE_LAST, span_of("{}"));
	expect(&out, &a, 1000, -1, "", NULL, "not sealed");
	buf_free(&out);
}

static void test_lengths(void **state)
{
	static char big[WIRE_HEADER_MAX + 1];
	static const char *const bad[] = { "00", "1d", "8080808080808080808001", "ffff04", "9e00", "9f8004" };
	struct buf out;
	struct err err;
	uint8_t room[100];

	(void)state;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < COUNT(bad); i++) {
		buf_clear(&out);
		buf_add(&out, room, bytes_of(bad[i], room, sizeof(room)));
		expect(&out, &a, 1, -1, "", NULL, "length");
	}
	buf_clear(&out);
	put(&out, &b, WIRE_HEADER, span_make(big, WIRE_HEADER_MAX));
	expect(&out, &a, 1000, -1, "H", NULL, NULL);
	buf_clear(&out);
	/* what we do not send */
	err_init(&err);
	assert_int_equal(wire_seal(&a, WIRE_HEADER, span_make(big, WIRE_HEADER_MAX + 1), &out,
			     &err),
	    ERR_LIMIT);
	assert_int_equal(wire_seal(&a, WIRE_LAST, span_make(big, WIRE_RECORD_MAX + 1), &out, &err),
	    ERR_LIMIT);
	assert_int_equal(buf_len(&out), 0);
	buf_free(&out);
}

/* Another group, our own message come back, another version, any bit. */
static void test_seal(void **state)
{
	struct wire_keys other;
	struct heard h;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	put(&out, &a, WIRE_HEADER, span_of("{}"));
	expect(&out, &b, 1000, -1, "H", "{}", NULL);
	expect(&out, &a, 1000, -1, "", NULL, "not sealed for this connection");
	make_keys(&other, 1, false);
	listen_to(&h, &other, buf_span(&out), 7, -1);
	assert_true(h.unsealed && !h.idle);
	buf_free(&h.text);
	for (size_t at = 1; at < buf_len(&out); at++) {
		buf_data(&out)[at] ^= 0x10;
		expect(&out, &b, 1000, -1, "", "", at == 1 ? "version" : "not sealed");
		buf_data(&out)[at] ^= 0x10;
	}
	/* and no two are alike */
	put(&out, &a, WIRE_HEADER, span_of("{}"));
	assert_memory_not_equal(buf_data(&out), buf_data(&out) + buf_len(&out) / 2, buf_len(&out) / 2);
	wire_keys_wipe(&other);
	buf_free(&out);
}

static void test_idle(void **state)
{
	struct heard h;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	put(&out, &a, WIRE_HEADER, span_of("{}"));
	for (size_t n = 0; n <= buf_len(&out); n++) {
		listen_to(&h, &b, span_make(buf_data(&out), n), 5, -1);
		assert_int_equal(h.idle, n == 0 || n == buf_len(&out));
		buf_free(&h.text);
	}
	listen_to(&h, &b, buf_span(&out), 5, 0);
	assert_false(h.idle);
	buf_free(&h.text);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_idle),
	};

	return cmocka_run_group_tests_name("p2p/wire", tests, begin, NULL);
}
