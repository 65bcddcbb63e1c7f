/*
 * A node of ours, and a bare swarm that speaks the reference's form by hand.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "p2p/legacy.h"
#include "p2p/share.h"
#include "p2p/swarm.h"

#define ENTRY "{\"data\":1}"

static struct loop *loop;
static const uint8_t group[WIRE_GROUP_KEY_LEN] = { 3 };
static const char *const cache[] = { WIRE_PROTOCOL };
static bool done;

/* ours */
static struct share *ours;
static struct peerid listed;	/* may have the form unasked */
static unsigned kept, asked;
static bool refuses;

/* the other's */
static struct swarm *theirs;
static struct peer *peer;
static struct stream *out;
static char answer[100];
static bool ended, reset;
static unsigned tokens;		/* that came and opened */

static bool get_named(void *arg, struct span key, struct buf *json)
{
	(void)arg;
	asked++;
	buf_adds(json, ENTRY);
	return span_eq(key, "op:mine");
}

static bool put_named(void *arg, struct span key, struct span json)
{
	(void)arg;
	kept += span_eq(key, "op:theirs") && span_eq(json, ENTRY);
	return !refuses;
}

static void on_late(struct timer *t)
{
	(void)t;
	done = true;
}

static void run(int64_t ms, const bool *until)
{
	struct timer t = { .fire = on_late };

	for (int64_t end = clock_mono() + ms; clock_mono() < end && (until == NULL || !*until);) {
		done = false;
		timer_set(loop, &t, clock_mono() + 5);
		assert_int_equal(loop_run(loop, &done, NULL), 0);
	}
	timer_clear(loop, &t);
}

/* ---- the other ---- */

static void on_peer_up(void *arg, struct peer *p)
{
	(void)arg;
	peer = p;
}

static void on_peer_down(void *arg, struct peer *p)
{
	(void)arg;
	(void)p;
	peer = NULL;
}

static void on_came(void *arg, struct stream *st, enum stream_event ev)
{
	struct legacy_message m;
	struct err err;

	(void)arg;
	err_init(&err);
	if (ev == STREAM_EOF) {
		struct span token = buf_span(stream_in(st));

		tokens += legacy_open(&m, group, token, clock_wall() / CLOCK_SEC, &err) == 0 &&
		    span_eq(m.key, "op:mine") && span_eq(m.entry, ENTRY);
		legacy_free(&m);
		stream_write(st, "OK", 2);
		stream_shutdown(st);
	}
	if (ev == STREAM_EOF || ev == STREAM_RESET)
		stream_free(st, 0);
}

static void on_stream(void *arg, struct peer *p, struct stream *st, size_t protocol)
{
	(void)arg;
	(void)p;
	(void)protocol;
	stream_accept(st, on_came, NULL);
}

static void on_answer(void *arg, struct stream *st, enum stream_event ev)
{
	(void)arg;
	if (ev == STREAM_DATAIN)
		span_copy(answer, sizeof(answer), buf_span(stream_in(st)));
	if (ev != STREAM_EOF && ev != STREAM_RESET)
		return;
	reset = ev == STREAM_RESET;
	ended = true;
	stream_shutdown(st);
	stream_free(st, 0);
	out = NULL;
}

/* Send text, half-close or not, and wait for the answer. */
static void say(struct span text, bool half)
{
	answer[0] = '\0';
	ended = reset = false;
	assert_non_null(peer);
	assert_int_equal(stream_open(peer_session(peer), cache, 1, on_answer, NULL, &out, NULL), 0);
	for (size_t at = 0; at < text.n; at += 1 << 16) {
		struct span part = span_sub(text, at, 1 << 16);

		for (int i = 0; i < 400 && stream_write(out, part.p, part.n) != 0; i++)
			run(5, &ended);
	}
	if (half && !ended)
		stream_shutdown(out);
	run(3000, &ended);
	assert_true(ended);
}

static void token(struct buf *b, int64_t off)
{
	struct err err;

	err_init(&err);
	buf_init(b, LEGACY_MAX);
	assert_int_equal(legacy_seal(group, span_of("op:theirs"), span_of(ENTRY),
			     clock_wall() / CLOCK_SEC + off, b, &err),
	    0);
}

static void say_token(int64_t off, bool half)
{
	struct buf b;

	token(&b, off);
	say(buf_span(&b), half);
	buf_free(&b);
}

/* ---- both ---- */

static void seed_key(struct ed25519_key *key, uint8_t first)
{
	uint8_t seed[ED25519_SEED_LEN] = { first };

	ed25519_keygen(key, seed);
}

static void open_ours(bool reference, bool is_listed)
{
	static struct swarm_source source = { .get_named = get_named, .put_named = put_named };
	static struct ed25519_key key, other;
	struct addr at;
	struct err err;
	struct swarm_params sp = { .loop = loop, .key = &key, .agent = "ghoard/test", .listen = &at,
		.nlisten = 1, .max_peers = 20, .outbound_max = 8, .handshake_ms = 5000 };
	struct share_params p = { .group_key = group, .network_id = "net", .agent = "ghoard/test",
		.messages_per_s = 1000, .bytes_per_s = 100 << 20, .body_max = WIRE_BODY_MAX,
		.reference = reference, .reference_peers = &listed, .nreference_peers = is_listed,
		.source = &source };

	err_init(&err);
	seed_key(&key, 1);
	seed_key(&other, 2);
	peerid_of_ed25519(&listed, other.pub);
	assert_true(addr_parse(&at, span_of("127.0.0.1"), 0));
	assert_int_equal(share_new(&sp, &p, &ours, &err), 0);
	assert_int_equal(swarm_listen(share_swarm(ours), &err), 0);
	swarm_start(share_swarm(ours));
}

static void on_dialled(void *arg, struct peer *p, const struct err *err)
{
	(void)arg;
	(void)p;
	(void)err;
	done = true;
}

static void dial(void)
{
	static struct ed25519_key key;
	const struct multiaddr *a;
	struct swarm_params sp = { .loop = loop, .key = &key, .agent = "py-libp2p/test", .max_peers = 20,
		.handshake_ms = 5000, .serves = cache, .nserves = 1,
		.ops = { .on_up = on_peer_up, .on_down = on_peer_down, .on_stream = on_stream } };
	struct multiaddr to;
	struct err err;

	err_init(&err);
	seed_key(&key, 2);
	assert_int_equal(swarm_new(&sp, &theirs, &err), 0);
	assert_true(swarm_addrs(share_swarm(ours), &a) > 0);
	to = a[0];
	to.peer = *swarm_id(share_swarm(ours));
	assert_int_equal(swarm_dial(theirs, &to, on_dialled, NULL, &err), 0);
	for (int i = 0; i < 400 && (peer == NULL || swarm_next(share_swarm(ours), NULL) == NULL); i++)
		run(10, NULL);
	assert_non_null(peer);
}

static void begin(bool reference, bool is_listed)
{
	kept = asked = tokens = 0;
	refuses = false;
	log_setup(LOG_ERROR, false, NULL);
	assert_int_equal(loop_new(&loop, NULL), 0);
	open_ours(reference, is_listed);
	dial();
}

static void finish(void)
{
	swarm_free(theirs);
	share_free(ours);
	peer = NULL;
	loop_free(loop);
}

static size_t references(void)
{
	return swarm_count(share_swarm(ours), PEER_REFERENCE);
}

/* ---- tests ---- */

static void test_both_ways(void **state)
{
	(void)state;
	begin(true, false);
	share_put_named(ours, span_of("op:mine"));	/* before it is known who that is */
	run(200, NULL);
	assert_int_equal(tokens, 0);
	say_token(0, false);		/* as the reference: it does not close before it has read */
	assert_string_equal(answer, "OK");
	assert_int_equal(kept, 1);
	assert_int_equal(references(), 1);
	run(300, NULL);
	assert_int_equal(tokens, 1);	/* what was put lately */
	share_put_named(ours, span_of("op:mine"));
	share_put_named(ours, span_of("op:unknown"));
	run(300, NULL);
	assert_int_equal(tokens, 2);
	refuses = true;
	say_token(0, true);
	assert_true(span_starts(span_of(answer), "ERROR"));
	assert_int_equal(share_stats(ours)->named_in, 1);
	assert_int_equal(share_stats(ours)->named_out, 2);
	finish();
}

/* In any pieces, with pauses shorter than the silence. */
static void test_pieces(void **state)
{
	struct buf b;

	(void)state;
	begin(true, false);
	token(&b, 0);
	ended = false;
	assert_int_equal(stream_open(peer_session(peer), cache, 1, on_answer, NULL, &out, NULL), 0);
	for (size_t i = 0; i < buf_len(&b); i += i < 8 ? 1 : 50) {
		struct span part = span_sub(buf_span(&b), i, i < 8 ? 1 : 50);

		assert_int_equal(stream_write(out, part.p, part.n), 0);
		run(15, NULL);
	}
	run(1000, &ended);
	assert_string_equal(answer, "OK");
	assert_int_equal(kept, 1);
	buf_free(&b);
	finish();
}

/* Nothing is stored of these, and nothing is earned by them. */
static void test_refused(void **state)
{
	struct buf b;
	char *junk = malloc(LEGACY_MAX + 100);

	(void)state;
	begin(true, false);
	say(span_of("{\"key\": \"op:theirs\", \"entry\": {\"data\": 1}}"), true);
	assert_string_equal(answer, "ERROR: plain JSON is not taken");
	say_token(-LEGACY_SKEW_S - 5, true);
	assert_string_equal(answer, "ERROR: the token does not verify");
	token(&b, 0);
	buf_data(&b)[50] ^= 1;
	say(buf_span(&b), true);
	assert_string_equal(answer, "ERROR: the token does not verify");
	memset(junk, 'A', LEGACY_MAX + 100);
	memcpy(junk, "gAAAAA", 6);
	say(span_make(junk, LEGACY_MAX + 100), true);
	assert_true(reset || span_starts(span_of(answer), "ERROR"));
	share_put_named(ours, span_of("op:mine"));
	run(300, NULL);
	assert_true(kept == 0 && tokens == 0 && references() == 0);
	buf_data(&b)[50] ^= 1;
	say(buf_span(&b), true);
	assert_string_equal(answer, "OK");
	say(buf_span(&b), true);
	assert_string_equal(answer, "ERROR: the token came before");
	assert_int_equal(kept, 1);
	buf_free(&b);
	free(junk);
	finish();
}

static void test_off(void **state)
{
	(void)state;
	begin(false, true);
	say_token(0, true);
	assert_string_equal(answer, "ERROR: this form is not for you");
	share_put_named(ours, span_of("op:mine"));
	run(SHARE_INFO_MS + 300, NULL);
	assert_true(kept == 0 && tokens == 0 && asked == 0 && references() == 0);
	finish();
}

/* By name alone, when no peer_info came; who only claims it gets nothing. */
static void test_named(void **state)
{
	(void)state;
	for (int is_listed = 0; is_listed < 2; is_listed++) {
		begin(true, is_listed == 1);
		share_put_named(ours, span_of("op:mine"));
		run(SHARE_INFO_MS + 500, NULL);
		assert_int_equal(references(), is_listed);
		share_put_named(ours, span_of("op:mine"));
		run(300, NULL);
		assert_int_equal(tokens, 2 * is_listed);
		finish();
	}
}

/* One that was a member comes again and claims to be the reference: the form would be a step down. */
static void test_downgrade(void **state)
{
	static struct ed25519_key key;
	struct share *member = NULL;
	const struct multiaddr *a;
	struct multiaddr to;
	struct err err;
	struct swarm_source source = { .get_named = get_named };
	struct swarm_params sp = { .loop = loop, .key = &key, .agent = "ghoard/test", .max_peers = 20,
		.outbound_max = 8, .handshake_ms = 5000, .bootstrap = &to, .nbootstrap = 1 };
	struct share_params p = { .group_key = group, .network_id = "net", .agent = "ghoard/test",
		.source = &source };

	(void)state;
	err_init(&err);
	kept = tokens = 0;
	assert_int_equal(loop_new(&loop, NULL), 0);
	open_ours(true, true);
	seed_key(&key, 2);
	assert_true(swarm_addrs(share_swarm(ours), &a) > 0);
	to = a[0];
	to.peer = *swarm_id(share_swarm(ours));
	sp.loop = loop;
	assert_int_equal(share_new(&sp, &p, &member, &err), 0);
	swarm_start(share_swarm(member));
	for (int i = 0; i < 400 && swarm_count(share_swarm(ours), PEER_MEMBER) == 0; i++)
		run(10, NULL);
	assert_int_equal(swarm_count(share_swarm(ours), PEER_MEMBER), 1);
	share_put_named(ours, span_of("op:mine"));
	share_free(member);
	run(200, NULL);
	dial();
	say_token(0, true);
	assert_string_equal(answer, "ERROR: this form is not for you");
	run(SHARE_INFO_MS + 300, NULL);
	assert_true(kept == 0 && tokens == 0 && references() == 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_downgrade),
	};

	return cmocka_run_group_tests_name("p2p/share_named", tests, NULL, NULL);
}
