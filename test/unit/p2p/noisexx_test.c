#include "bytes.h"
#include "p2p/noisexx.h"

#define MESSAGES_MAX 6

/* One of the published vectors: names and hexadecimal, one a line. */
struct vector {
	uint8_t is[32], rs[32], ie[32], re[32], prologue[64];
	size_t nprologue;
	struct {
		uint8_t payload[64], sealed[256];
		size_t npayload, nsealed;
	} msg[MESSAGES_MAX];
	unsigned n;
};

static bool take_line(struct vector *v, struct span line)
{
	struct span name;
	uint8_t room[256];
	char hex[520];
	size_t n;

	if (!span_cut(&line, '=', &name) || line.n == 0 || !span_copy(hex, sizeof(hex), line))
		return false;
	if (span_eq(name, "handshake"))
		return true;
	n = bytes_of(hex, room, sizeof(room));
	if (span_eq(name, "init_static"))
		memcpy(v->is, room, 32);
	else if (span_eq(name, "resp_static"))
		memcpy(v->rs, room, 32);
	else if (span_eq(name, "gen_init_ephemeral"))
		memcpy(v->ie, room, 32);
	else if (span_eq(name, "gen_resp_ephemeral"))
		memcpy(v->re, room, 32);
	else if (span_eq(name, "prologue"))
		memcpy(v->prologue, room, v->nprologue = n);
	else if (span_ends(name, "_payload"))
		memcpy(v->msg[v->n].payload, room, v->msg[v->n].npayload = n);
	else if (span_ends(name, "_ciphertext")) {
		memcpy(v->msg[v->n].sealed, room, v->msg[v->n].nsealed = n);
		v->n++;
	}
	return true;
}

static void run_handshake(const struct vector *v, struct noisexx *a, struct noisexx *b)
{
	uint8_t room[300];
	struct span payload;

	for (unsigned i = 0; i < 3; i++) {
		struct noisexx *from = i % 2 ? b : a, *to = i % 2 ? a : b;

		assert_true(noisexx_writes(from) && !noisexx_writes(to));
		assert_int_equal(noisexx_write(from, span_make(v->msg[i].payload, v->msg[i].npayload), room),
		    v->msg[i].nsealed);
		assert_memory_equal(room, v->msg[i].sealed, v->msg[i].nsealed);
		assert_true(noisexx_read(to, room, v->msg[i].nsealed, &payload));
		assert_int_equal(payload.n, v->msg[i].npayload);
		assert_memory_equal(payload.p, v->msg[i].payload, payload.n);
	}
	assert_false(noisexx_writes(a) || noisexx_writes(b));
	assert_memory_equal(a->h, b->h, 32);
	assert_memory_equal(a->rs, b->s_pub, 32);
	assert_memory_equal(b->rs, a->s_pub, 32);
}

/* The published vectors go on to and fro: the fourth message is the dialer's. */
static void run_vector(const struct vector *v)
{
	struct noisexx a, b;
	uint8_t pub[32], room[300];

	x25519_public(pub, v->is);
	noisexx_init(&a, true, v->is, pub, v->ie, span_make(v->prologue, v->nprologue));
	x25519_public(pub, v->rs);
	noisexx_init(&b, false, v->rs, pub, v->re, span_make(v->prologue, v->nprologue));
	run_handshake(v, &a, &b);
	for (unsigned i = 3; i < v->n; i++) {
		/* the file's fourth message is the responder's second turn: the cipher tells */
		struct noisexx_cipher *tx = i % 2 ? &b.send : &a.send, *rx = i % 2 ? &a.receive : &b.receive;

		memcpy(room, v->msg[i].payload, v->msg[i].npayload);
		assert_true(noisexx_seal(tx, room, v->msg[i].npayload));
		if (memcmp(room, v->msg[i].sealed, v->msg[i].nsealed) != 0) {
			tx->n--;
			tx = i % 2 ? &a.send : &b.send;
			rx = i % 2 ? &b.receive : &a.receive;
			memcpy(room, v->msg[i].payload, v->msg[i].npayload);
			assert_true(noisexx_seal(tx, room, v->msg[i].npayload));
		}
		assert_memory_equal(room, v->msg[i].sealed, v->msg[i].nsealed);
		assert_true(noisexx_open(rx, room, v->msg[i].nsealed));
		assert_memory_equal(room, v->msg[i].payload, v->msg[i].npayload);
	}
	noisexx_wipe(&a);
	noisexx_wipe(&b);
}

static void test_published(void **state)
{
	static struct vector v;
	struct buf b;
	struct span rest, line;
	unsigned seen = 0;

	(void)state;
	bytes_shared("noise/xx_25519_chachapoly_sha256.txt", &b);
	rest = buf_span(&b);
	while (span_cut(&rest, '\n', &line)) {
		line = span_trim(line);
		if (line.n > 0 && span_ends(line, "_payload=")) {
			v.msg[v.n].npayload = 0;
			continue;
		}
		if (line.n > 0) {
			assert_true(take_line(&v, line));
			continue;
		}
		if (v.n > 3) {
			run_vector(&v);
			seen++;
		}
		memset(&v, 0, sizeof(v));
	}
	if (v.n > 3) {
		run_vector(&v);
		seen++;
	}
	buf_free(&b);
	assert_int_equal(seen, 4);
}

static void pair(struct noisexx *a, struct noisexx *b)
{
	uint8_t key[4][32], pub[32];

	for (uint8_t i = 0; i < 4; i++)
		memset(key[i], i + 1, 32);
	x25519_public(pub, key[0]);
	noisexx_init(a, true, key[0], pub, key[1], span_of(""));
	x25519_public(pub, key[2]);
	noisexx_init(b, false, key[2], pub, key[3], span_of(""));
}

/* The messages up to the one that is `which`, written into `room`: its length. */
static size_t write_up_to(struct noisexx *a, struct noisexx *b, unsigned which, uint8_t room[static 300])
{
	struct span payload;

	for (unsigned i = 0;; i++) {
		size_t n = noisexx_write(i % 2 ? b : a, span_of("payload"), room);

		if (i == which)
			return n;
		assert_true(noisexx_read(i % 2 ? a : b, room, n, &payload));
	}
}

/* Any one byte changed in any message ends it, at the latest in the next; a cut one does too. */
static void test_tampered(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 3; which++)
		for (size_t at = 0; at < 200; at++) {
			struct noisexx a, b;
			struct span payload;
			uint8_t room[300];

			pair(&a, &b);
			size_t n = write_up_to(&a, &b, which, room);
			if (at >= n)
				break;
			room[at] ^= 1;
			struct noisexx *to = which % 2 ? &a : &b, *from = which % 2 ? &b : &a;
			bool ok = noisexx_read(to, room, n, &payload);
			assert_true(!ok || which == 0 || at < 32);
			if (!ok)
				continue;
			/* A changed key of the first message, or its open payload: the answer does not open.
			 */
			n = noisexx_write(to, span_of("answer"), room);
			assert_true(n == 0 || !noisexx_read(from, room, n, &payload));
		}
}

static void test_cut(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 3; which++)
		for (size_t n = 0; n < 200; n++) {
			struct noisexx a, b;
			struct span payload;
			uint8_t room[300];

			pair(&a, &b);
			size_t whole = write_up_to(&a, &b, which, room);
			if (n >= whole)
				break;
			/* the first one's payload is open: 32 bytes are a whole message */
			bool ok = noisexx_read(which % 2 ? &a : &b, room, n, &payload);
			assert_int_equal(ok, which == 0 && n >= 32);
		}
}

/* A point of small order as a key gives no secret. */
static void test_no_key(void **state)
{
	struct noisexx a, b;
	struct span payload;
	uint8_t room[300];
	size_t n;

	(void)state;
	pair(&a, &b);
	n = noisexx_write(&a, span_of(""), room);
	memset(room, 0, 32);
	assert_true(noisexx_read(&b, room, n, &payload));
	assert_int_equal(noisexx_write(&b, span_of(""), room), 0);
}

static void test_transport(void **state)
{
	struct noisexx a, b;
	struct span payload;
	uint8_t room[300], copy[300];
	size_t n;

	(void)state;
	pair(&a, &b);
	n = write_up_to(&a, &b, 2, room);
	assert_true(noisexx_read(&b, room, n, &payload));
	memcpy(room, "hello", 5);
	assert_true(noisexx_seal(&a.send, room, 5));
	memcpy(copy, room, 21);
	assert_true(noisexx_open(&b.receive, room, 21));
	assert_memory_equal(room, "hello", 5);
	/* neither twice, nor to where it came from, nor short */
	memcpy(room, copy, 21);
	assert_false(noisexx_open(&b.receive, room, 21));
	memcpy(room, copy, 21);
	assert_false(noisexx_open(&a.receive, room, 21));
	assert_false(noisexx_open(&b.receive, room, 15));
	a.send.n = UINT64_MAX;
	assert_false(noisexx_seal(&a.send, room, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_no_key),
		cmocka_unit_test(test_transport),
	};

	return cmocka_run_group_tests_name("p2p/noisexx", tests, NULL, NULL);
}
