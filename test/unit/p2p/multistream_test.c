#include "../guard.h"
#include "bytes.h"
#include "p2p/multistream.h"

#define HEADER "\x13/multistream/1.0.0\n"
#define NOISE "\x07/noise\n"
#define TLS "\x0b/tls/1.0.0\n"
#define NA "\x03na\n"

static const char *const noise[] = { "/noise" };
static const char *const three[] = { "/a", "/b", "/c" };

/* The constants, as js was seen to send them. */
static void test_constants(void **state)
{
	static const char *const all[] = { "/noise" };
	struct multistream m;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	multistream_dial(&m, all, 1, &out);
	bytes_expect(buf_span(&out), "132f6d756c746973747265616d2f312e302e300a072f6e6f6973650a");
	buf_free(&out);
}

/* Feed in steps of a size; what was consumed. */
static size_t feed(struct multistream *m, const char *in, size_t n, size_t step, struct buf *out)
{
	size_t at = 0;

	while (at < n && m->state == MULTISTREAM_RUNNING) {
		size_t part = n - at < step ? n - at : step;
		ssize_t used = multistream_feed(m, guard_put(in + at, part), part, out);

		if (used < 0)
			return at;
		at += (size_t)used;
		assert_true(at == n || used == (ssize_t)part || m->state != MULTISTREAM_RUNNING);
	}
	return at;
}

static const struct {
	bool dialer;
	const char *const *protocols;
	size_t n;
	bool greet;
	const char *in;
	enum multistream_state state;
	size_t agreed, left;		/* bytes not consumed */
	const char *out;
} cases[] = {
	/* a dialer */
	{ true, noise, 1, false, HEADER NOISE "rest", MULTISTREAM_AGREED, 0, 4, HEADER NOISE },
	{ true, noise, 1, false, HEADER NA, MULTISTREAM_REFUSED, 0, 0, HEADER NOISE },
	{ true, three, 3, false, HEADER NA NA "\x03/c\n", MULTISTREAM_AGREED, 2, 0,
	    HEADER "\x03/a\n\x03/b\n\x03/c\n" },
	{ true, three, 3, false, HEADER NA NA NA, MULTISTREAM_REFUSED, 0, 0,
	    HEADER "\x03/a\n\x03/b\n\x03/c\n" },
	{ true, noise, 1, false, HEADER TLS, MULTISTREAM_BAD, 0, 12, HEADER NOISE },
	{ true, noise, 1, false, NOISE, MULTISTREAM_BAD, 0, 8, HEADER NOISE },
	{ true, three, 3, false, HEADER NA "\x03/a\n", MULTISTREAM_BAD, 0, 4, HEADER "\x03/a\n\x03/b\n" },
	{ true, noise, 1, false, HEADER, MULTISTREAM_RUNNING, 0, 0, HEADER NOISE },
	/* a listener; the first flight of rust with a Noise message behind it */
	{ false, noise, 1, true, HEADER NOISE "\x00\x20", MULTISTREAM_AGREED, 0, 0, HEADER NOISE },
	{ false, noise, 1, true, HEADER TLS NOISE "xyz", MULTISTREAM_AGREED, 0, 3, HEADER NA NOISE },
	{ false, noise, 1, false, HEADER TLS NOISE, MULTISTREAM_AGREED, 0, 0, HEADER NA NOISE },
	{ false, three, 3, false, HEADER "\x03ls\n\x03/c\n", MULTISTREAM_AGREED, 2, 0, HEADER NA "\x03/c\n" },
	{ false, three, 3, false, HEADER "\x04/cc\n\x02/\n\x01\n\x03/b\n", MULTISTREAM_AGREED, 1, 0,
	    HEADER NA NA NA "\x03/b\n" },
	{ false, noise, 1, true, "", MULTISTREAM_RUNNING, 0, 0, HEADER },
	{ false, noise, 1, false, "", MULTISTREAM_RUNNING, 0, 0, "" },
	{ false, noise, 1, false, HEADER, MULTISTREAM_RUNNING, 0, 0, HEADER },
	{ false, noise, 1, true,
	    "GET / HTTP/1.1\r\nHost: of a server that is not here\r\nAccept: anything at all\r\n\r\n",
	    MULTISTREAM_BAD, 0, 0, HEADER },
	{ false, noise, 1, false, "\x13/multistream/1.0.1\n", MULTISTREAM_BAD, 0, 0, "" },
	{ false, noise, 1, false, "\x12/multistream/1.0.0", MULTISTREAM_BAD, 0, 0, "" },
	{ false, noise, 1, false, HEADER "\x07/noisex", MULTISTREAM_BAD, 0, 0, HEADER },
	/* lengths: 1025, three bytes, not the shortest */
	{ false, noise, 1, false, HEADER "\x81\x08", MULTISTREAM_BAD, 0, 0, HEADER },
	{ false, noise, 1, false, HEADER "\x80\x80\x01", MULTISTREAM_BAD, 0, 0, HEADER },
	{ false, noise, 1, false, "\x93\x80\x00", MULTISTREAM_BAD, 0, 0, "" }
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t step = 1; step < 60; step++) {
			/* one of them holds a NUL */
			size_t n = strlen(cases[i].in);
			struct multistream m;
			struct buf out;

			buf_init(&out, 1000);
			if (cases[i].dialer)
				multistream_dial(&m, cases[i].protocols, cases[i].n, &out);
			else
				multistream_listen(&m, cases[i].protocols, cases[i].n, cases[i].greet, &out);
			size_t used = feed(&m, cases[i].in, n, step, &out);
			assert_int_equal(m.state, cases[i].state);
			assert_string_equal(buf_cstr(&out), cases[i].out);
			if (m.state == MULTISTREAM_AGREED)
				assert_int_equal(m.agreed, cases[i].agreed);
			if (m.state == MULTISTREAM_BAD)
				assert_true(strlen(m.why) > 0 && multistream_feed(&m, "x", 1, &out) == -1);
			else
				assert_int_equal(n - used, cases[i].left);
			buf_free(&out);
		}
}

/* The longest message that is allowed is answered; a listener does not answer for ever. */
static void test_limits(void **state)
{
	char longest[2 + MULTISTREAM_MESSAGE_MAX];
	struct multistream m;
	struct buf out;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = (char)0x80;
	longest[1] = 8;			/* 1024 */
	longest[sizeof(longest) - 1] = '\n';
	buf_init(&out, 1000);
	multistream_listen(&m, noise, 1, false, &out);
	assert_int_equal(feed(&m, HEADER, 20, 20, &out), 20);
	for (unsigned i = 1; i < MULTISTREAM_TRIES_MAX; i++) {
		assert_int_equal(feed(&m, longest, sizeof(longest), 100, &out), sizeof(longest));
		assert_int_equal(buf_len(&out), 20 + 4 * i);
	}
	assert_int_equal(m.state, MULTISTREAM_RUNNING);
	feed(&m, longest, sizeof(longest), 100, &out);
	assert_int_equal(m.state, MULTISTREAM_BAD);
	buf_free(&out);
}

/* Two of ours agree, whatever the pieces; what the dialer put behind its flight stays. */
static void test_both(void **state)
{
	struct multistream d, l;
	struct buf to, from;

	(void)state;
	buf_init(&to, 1000);
	buf_init(&from, 1000);
	multistream_dial(&d, three + 1, 1, &to);
	buf_adds(&to, "request");
	multistream_listen(&l, three, 3, false, &from);
	buf_consume(&to, feed(&l, (char *)buf_data(&to), buf_len(&to), 1, &from));
	assert_int_equal(l.state, MULTISTREAM_AGREED);
	assert_int_equal(l.agreed, 1);
	assert_string_equal(buf_cstr(&to), "request");
	buf_consume(&from, feed(&d, (char *)buf_data(&from), buf_len(&from), 3, &to));
	assert_int_equal(d.state, MULTISTREAM_AGREED);
	assert_int_equal(buf_len(&from), 0);
	buf_free(&to);
	buf_free(&from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests_name("p2p/multistream", tests, NULL, NULL);
}
