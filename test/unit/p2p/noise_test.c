#include "../guard.h"
#include "base/err.h"
#include "bytes.h"
#include "net/engine.h"
#include "p2p/noise.h"
#include "p2p/noisexx.h"
#include "p2p/protobuf.h"

/*
 * A whole handshake, made with another implementation's primitives and accepted by js: A, the dialer, is the
 * Ed25519 key of the peer-ids specification's vectors, B that of RFC 8032 test 1.
 */
static const char seed_a[] = "7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d";
static const char seed_b[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char static_a[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char static_b[] = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
static const char ephemeral_a[] = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
static const char ephemeral_b[] = "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60";
static const char frame1[] = "0020358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254";
static const char frame2[] = "00d864b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3"
			     "e46a2f58911a816d6e8346d4ea17a"
			     "6f2a0bb4ef4ed56c133cff4560a34e36ea82109f26cf2e5a5caf992b8b4dc7d75b059ef8acfcaa8"
			     "d7f988616566e2dfa0a25510cdbdc"
			     "3d7beff8879b673a63d5150987e8be249a38c1d1ee2dabcc4f3652fc3b01c84055fa138a269bca9"
			     "72012e22e9885f019ecc7ebc03cfc"
			     "4037e7ea21a1a0705ce47e046797f2d8f07339dde7b47a5994216610cafd32b1ac73bf9b837316a"
			     "6583a311a6aea653d0df255e79a7c"
			     "56ef";
static const char frame3[] = "00b887f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d953f272a15c2"
			     "7fe8f745a47ffa09009f502320cd7"
			     "b9b479fd98c480fafdd61f5e93858f566ed8b6e39a20b486d45185eb32978db15c655ce1de6fbbd"
			     "ffb953a0c39f0b45a87a12bdc01ae"
			     "e67172c64b22b78e1170970225393bcdaf4d88e502fc1b160fd8ebc2f9bab60db8d2f09cc148c20"
			     "dbe810831018a8cbc9debef6fdb1c"
			     "510dfc961b06f8a7496ee68c1e0fd7064db839fbaf4ec2e3";
static const char hash3[] = "6e3ca4ac6e94da8bb6be1091598a77a48907756ada0937ea1cfc7da561855391";
static const char transport1[] = "001cdc4a9c46c979611d0f700aec9c288cb51aed38473d43889f84b4956e";
static const char id_a[] = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq";
static const char id_b[] = "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV";

struct side {
	struct noise_identity self;
	struct engine *e;
	struct buf got;			/* plaintext */
};

static void make_identity(struct noise_identity *id, const char *seed, const char *fixed)
{
	uint8_t s[32], k[32];
	struct ed25519_key key;

	bytes_of(seed, s, 32);
	bytes_of(fixed, k, 32);
	ed25519_keygen(&key, s);
	assert_int_equal(noise_identity_init(id, &key, k, NULL), 0);
}

static void make_side(struct side *s, bool dialer, bool plain, const char *expect)
{
	uint8_t e[32];
	struct peerid id;
	struct noise_params p = { .self = &s->self, .dialer = dialer, .plain = plain, .ephemeral = e };

	make_identity(&s->self, dialer ? seed_a : seed_b, dialer ? static_a : static_b);
	bytes_of(dialer ? ephemeral_a : ephemeral_b, e, 32);
	if (expect != NULL) {
		assert_true(peerid_parse(&id, span_of(expect)));
		p.expect = &id;
	}
	assert_int_equal(noise_new(&p, &s->e, NULL), 0);
	buf_init(&s->got, 1 << 24);
}

static void free_side(struct side *s)
{
	s->e->ops->free(s->e);
	buf_free(&s->got);
	noise_identity_wipe(&s->self);
}

/* Put bytes in, in steps, as far as they are taken; plaintext gathers in `got`. */
static void put(struct side *s, const uint8_t *p, size_t n, size_t step)
{
	const struct engine_ops *op = s->e->ops;

	for (;;) {
		unsigned st = op->state(s->e);
		size_t room = 0;

		if (st & ENGINE_APP_OUT) {
			const uint8_t *plain = op->app_out(s->e, &room);
			size_t take = room < step ? room : step;

			assert_true(room > 0);
			buf_add(&s->got, plain, take);
			op->app_out_ack(s->e, take);
			continue;
		}
		if (n == 0 || !(st & ENGINE_NET_IN))
			break;
		uint8_t *to = op->net_in(s->e, &room);
		if (room > n)
			room = n;
		if (room > step)
			room = step;
		assert_true(room > 0);
		memcpy(to, p, room);
		op->net_in_ack(s->e, room);
		p += room;
		n -= room;
	}
}

/* All that waits to leave. */
static void take(struct side *s, struct buf *out)
{
	const struct engine_ops *op = s->e->ops;

	while (op->state(s->e) & ENGINE_NET_OUT) {
		size_t n;
		const uint8_t *p = op->net_out(s->e, &n);

		buf_add(out, p, n);
		op->net_out_ack(s->e, n);
	}
}

static void move(struct side *from, struct side *to, size_t step, const char *expect)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	take(from, &b);
	if (expect != NULL)
		bytes_expect(buf_span(&b), expect);
	put(to, buf_data(&b), buf_len(&b), step);
	buf_free(&b);
}

static void handshake(struct side *a, struct side *b, size_t step)
{
	for (unsigned i = 0; i < 3; i++)
		move(i % 2 ? b : a, i % 2 ? a : b, step, NULL);
	assert_true(a->e->ops->state(a->e) & ENGINE_APP_IN);
	assert_true(b->e->ops->state(b->e) & ENGINE_APP_IN);
}

static void say(struct side *s, const void *data, size_t n, struct buf *out)
{
	const struct engine_ops *op = s->e->ops;
	const uint8_t *p = data;

	while (n > 0) {
		size_t room;

		take(s, out);
		assert_true(op->state(s->e) & ENGINE_APP_IN);
		uint8_t *to = op->app_in(s->e, &room);
		if (room > n)
			room = n;
		memcpy(to, p, room);
		op->app_in_ack(s->e, room);
		p += room;
		n -= room;
	}
	op->flush(s->e);
	take(s, out);
}

/* Byte for byte what the other implementations send and take, fed in pieces of any size. */
static void test_vector(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 33, 34, 35, 100, 1000 };
	static const uint8_t frame[12] = { 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0 };
	char text[PEERID_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct side a, b;
		struct buf out;

		make_side(&a, true, false, id_b);
		make_side(&b, false, false, NULL);
		assert_int_equal(a.e->ops->state(a.e) & ENGINE_APP_IN, 0);
		move(&a, &b, steps[i], frame1);
		move(&b, &a, steps[i], frame2);
		move(&a, &b, steps[i], frame3);
		bytes_expect(span_make(noise_hash(a.e), 32), hash3);
		bytes_expect(span_make(noise_hash(b.e), 32), hash3);
		peerid_text(noise_peer(a.e), text);
		assert_string_equal(text, id_b);
		peerid_text(noise_peer(b.e), text);
		assert_string_equal(text, id_a);
		assert_true(noise_has_muxer(a.e) && noise_has_muxer(b.e));
		buf_init(&out, 1000);
		say(&a, frame, sizeof(frame), &out);
		bytes_expect(buf_span(&out), transport1);
		put(&b, buf_data(&out), buf_len(&out), steps[i]);
		assert_memory_equal(buf_data(&b.got), frame, sizeof(frame));
		assert_true(b.e->ops->ended(b.e));
		buf_free(&out);
		free_side(&a);
		free_side(&b);
	}
}

/* Without the extension on one side, or on both, the muxer is agreed later. */
static void test_no_early_muxer(void **state)
{
	(void)state;
	for (unsigned which = 1; which < 4; which++) {
		struct side a, b;

		make_side(&a, true, which & 1, NULL);
		make_side(&b, false, which & 2, NULL);
		handshake(&a, &b, 1000);
		assert_false(noise_has_muxer(a.e) || noise_has_muxer(b.e));
		free_side(&a);
		free_side(&b);
	}
}

/* js puts the first transport frame into the segment of its last handshake message. */
static void test_early_data(void **state)
{
	for (size_t step = 1; step < 300; step += 13) {
		struct side a, b;
		struct buf out;

		(void)state;
		make_side(&a, true, false, NULL);
		make_side(&b, false, false, NULL);
		move(&a, &b, step, NULL);
		move(&b, &a, step, NULL);
		buf_init(&out, 1000);
		say(&a, "early", 5, &out);
		put(&b, buf_data(&out), buf_len(&out), step);
		assert_string_equal(buf_cstr(&b.got), "early");
		buf_free(&out);
		free_side(&a);
		free_side(&b);
	}
}

/* Large and small, both ways. */
static void test_transport(void **state)
{
	static uint8_t data[300000];
	struct side a, b;
	struct buf out;

	(void)state;
	make_side(&a, true, false, NULL);
	make_side(&b, false, false, NULL);
	handshake(&a, &b, 100);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	buf_init(&out, 1 << 20);
	say(&b, data, sizeof(data), &out);
	assert_true(buf_len(&out) < sizeof(data) + 20 * (sizeof(data) / NOISE_SEND_MAX + 2));
	put(&a, buf_data(&out), buf_len(&out), 5000);
	assert_int_equal(buf_len(&a.got), sizeof(data));
	assert_memory_equal(buf_data(&a.got), data, sizeof(data));
	buf_clear(&out);
	say(&a, "x", 1, &out);
	put(&b, buf_data(&out), buf_len(&out), 1);
	assert_string_equal(buf_cstr(&b.got), "x");
	buf_free(&out);
	free_side(&a);
	free_side(&b);
}

/* The other side by hand, so that it can say what ours does not. */
struct forger {
	struct noisexx x;
	struct side victim;
};

static void begin_forger(struct forger *f, bool dialer, const char *expect)
{
	uint8_t s[32], e[32], pub[32];

	bytes_of(dialer ? static_a : static_b, s, 32);
	bytes_of(dialer ? ephemeral_a : ephemeral_b, e, 32);
	x25519_public(pub, s);
	noisexx_init(&f->x, dialer, s, pub, e, span_of(""));
	make_side(&f->victim, !dialer, false, expect);
}

static void send_forged(struct forger *f, struct span payload)
{
	static uint8_t room[70000];
	size_t n = noisexx_write(&f->x, payload, room + 2);

	room[0] = (uint8_t)(n >> 8);
	room[1] = (uint8_t)n;
	put(&f->victim, room, n + 2, 7000);
}

static void hear(struct forger *f)
{
	struct span payload;
	struct buf b;

	buf_init(&b, 10000);
	take(&f->victim, &b);
	assert_true(noisexx_read(&f->x, buf_data(&b) + 2, buf_len(&b) - 2, &payload));
	buf_free(&b);
}

/* A dialer's handshake with this payload in its last message. */
static void dial_with(struct forger *f, struct span payload)
{
	begin_forger(f, true, NULL);
	send_forged(f, span_of(""));
	hear(f);
	send_forged(f, payload);
}

static int verdict(struct forger *f, const char *words)
{
	struct err err;
	int rc;

	err_init(&err);
	rc = f->victim.e->ops->error(f->victim.e, &err);
	if (words != NULL)
		assert_non_null(strstr(err.msg, words));
	assert_int_equal(rc != 0, (f->victim.e->ops->state(f->victim.e) & ENGINE_CLOSED) != 0);
	free_side(&f->victim);
	return rc;
}

static struct span payload_of(struct buf *b, struct span key, const uint8_t *sig, size_t nsig)
{
	buf_clear(b);
	protobuf_put_bytes(b, 1, key);
	protobuf_put_bytes(b, 2, span_make(sig, nsig));
	return buf_span(b);
}

static void test_bad_identities(void **state)
{
	static uint8_t zeros[600], ecdsa[] = "\x08\x03\x12\x5b\x30", rsa[] = "\x08\x00\x12\xa6\x02\x30";
	struct noise_identity a, b;
	struct forger f;
	struct buf room;
	uint8_t key[600] = { 0 };
	struct span good, k;

	(void)state;
	buf_init(&room, 4096);
	make_identity(&a, seed_a, static_a);
	make_identity(&b, seed_b, static_a);
	good = span_make(a.payload, a.npayload);
	dial_with(&f, good);
	assert_int_equal(verdict(&f, NULL), 0);
	/* no payload; another's key with our signature; a signature over another static key */
	dial_with(&f, span_of(""));
	assert_int_equal(verdict(&f, "identity key is malformed"), ERR_PROTO);
	dial_with(&f, payload_of(&room, span_make(b.payload + 2, 36), a.payload + 40, 64));
	assert_int_equal(verdict(&f, "bad signature"), ERR_DENIED);
	make_identity(&b, seed_a, static_b);
	dial_with(&f, span_make(b.payload, b.npayload));
	assert_int_equal(verdict(&f, "bad signature"), ERR_DENIED);
	memcpy(key, a.payload + 40, 64);
	dial_with(&f, payload_of(&room, span_make(a.payload + 2, 36), key, 65));
	assert_int_equal(verdict(&f, "bad signature"), ERR_DENIED);
	dial_with(&f, payload_of(&room, span_make(a.payload + 2, 36), key, 64));
	assert_int_equal(verdict(&f, NULL), 0);
	memset(key, 0, sizeof(key));
	dial_with(&f, payload_of(&room, span_make(a.payload + 2, 36), a.payload + 40, 63));
	assert_int_equal(verdict(&f, "bad signature"), ERR_DENIED);
	dial_with(&f, payload_of(&room, span_make(a.payload + 2, 35), a.payload + 40, 64));
	assert_int_equal(verdict(&f, "malformed"), ERR_PROTO);
	/* types that are read and not verified */
	memcpy(key, ecdsa, 5);
	k = span_make(key, 95);
	dial_with(&f, payload_of(&room, k, zeros, 70));
	assert_int_equal(verdict(&f, "type ECDSA"), ERR_DENIED);
	memcpy(key, rsa, 6);
	k = span_make(key, 5 + 294);
	dial_with(&f, payload_of(&room, k, zeros, 256));
	assert_int_equal(verdict(&f, "type RSA"), ERR_DENIED);
	dial_with(&f, span_of("\x0a\xff"));
	assert_int_equal(verdict(&f, "payload is malformed"), ERR_PROTO);
	buf_free(&room);
}

/* The dialer says no more to one who is not whom it dialled. */
static void test_wrong_peer(void **state)
{
	struct noise_identity b;
	struct forger f;
	struct buf out;

	(void)state;
	make_identity(&b, seed_b, static_b);
	begin_forger(&f, false, id_a);
	hear(&f);
	send_forged(&f, span_make(b.payload, b.npayload));
	buf_init(&out, 1000);
	take(&f.victim, &out);
	assert_int_equal(buf_len(&out), 0);
	buf_free(&out);
	assert_int_equal(verdict(&f, id_b), ERR_DENIED);
}

static struct span with_muxers(struct buf *b, const struct noise_identity *id, const char *const *names,
    size_t n)
{
	struct buf ext;

	buf_init(&ext, 4096);
	for (size_t i = 0; i < n; i++)
		protobuf_put_bytes(&ext, 2, span_of(names[i % 2]));
	buf_clear(b);
	buf_add(b, id->payload, id->nplain);
	protobuf_put_bytes(b, 4, buf_span(&ext));
	buf_free(&ext);
	return buf_span(b);
}

static void test_muxer_lists(void **state)
{
	static const char *const mplex[] = { "/mplex/6.7.0", "/yamux/1.0.0" };
	struct noise_identity a;
	struct forger f;
	struct buf room;

	(void)state;
	buf_init(&room, 8192);
	make_identity(&a, seed_a, static_a);
	dial_with(&f, with_muxers(&room, &a, mplex, 2));
	assert_true(noise_has_muxer(f.victim.e));
	assert_int_equal(verdict(&f, NULL), 0);
	dial_with(&f, with_muxers(&room, &a, mplex, 0));
	assert_false(noise_has_muxer(f.victim.e));
	assert_int_equal(verdict(&f, NULL), 0);
	dial_with(&f, with_muxers(&room, &a, mplex, 1));
	assert_int_equal(verdict(&f, "no muxer in common"), ERR_PROTO);
	dial_with(&f, with_muxers(&room, &a, mplex, NOISE_MUXERS_MAX));
	assert_int_equal(verdict(&f, NULL), 0);
	dial_with(&f, with_muxers(&room, &a, mplex, NOISE_MUXERS_MAX + 1));
	assert_int_equal(verdict(&f, "extensions are malformed"), ERR_PROTO);
	buf_free(&room);
}

static void test_frames(void **state)
{
	static uint8_t big[2 + NOISE_FRAME_MAX];
	struct noise_identity a;
	struct forger f;

	(void)state;
	make_identity(&a, seed_a, static_a);
	/* before anybody is known: not longer than that */
	begin_forger(&f, true, NULL);
	put(&f.victim, (const uint8_t *)"\x20\x01", 2, 1);
	assert_int_equal(verdict(&f, "8193 bytes"), ERR_PROTO);
	/* after: the longest, empty ones, and one that is no frame at all */
	dial_with(&f, span_make(a.payload, a.npayload));
	memset(big, 'y', sizeof(big));
	big[0] = big[1] = 0xff;
	assert_true(noisexx_seal(&f.x.send, big + 2, NOISE_FRAME_MAX - 16));
	put(&f.victim, big, sizeof(big), 30000);
	assert_int_equal(buf_len(&f.victim.got), NOISE_FRAME_MAX - 16);
	for (unsigned i = 0; i < 3; i++) {
		big[0] = 0;
		big[1] = 16;
		assert_true(noisexx_seal(&f.x.send, big + 2, 0));
		put(&f.victim, big, 18, 18);
	}
	assert_int_equal(buf_len(&f.victim.got), NOISE_FRAME_MAX - 16);
	put(&f.victim, (const uint8_t *)"\x00\x0f" "123456789012345", 17, 17);
	assert_int_equal(verdict(&f, "tampered"), ERR_PROTO);
	dial_with(&f, span_make(a.payload, a.npayload));
	big[0] = 0;
	big[1] = 21;
	assert_true(noisexx_seal(&f.x.send, big + 2, 5));
	big[3] ^= 1;
	put(&f.victim, big, 23, 23);
	assert_int_equal(buf_len(&f.victim.got), 0);
	assert_int_equal(verdict(&f, "tampered"), ERR_PROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_no_early_muxer),
		cmocka_unit_test(test_early_data),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_bad_identities),
		cmocka_unit_test(test_wrong_peer),
		cmocka_unit_test(test_muxer_lists),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests_name("p2p/noise", tests, NULL, NULL);
}
