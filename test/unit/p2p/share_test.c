/*
 * Two or three real nodes on loopback in one loop; what they hold is invented.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/cid.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "p2p/share.h"
#include "p2p/swarm.h"

#define KEY "get_repo_info:/repos/o/r:0123456789abcdef"
#define URL "https://api.github.com/repos/o/r"
#define AUTH "0123456789abcdef0123456789abcdef"

struct node {
	struct share *share;
	struct swarm_source source;
	struct ed25519_key key;
	/* what it holds */
	bool holds, lies, asking;
	char cid[CID_TEXT_LEN + 1];
	struct buf body;
	char image[1024];
	unsigned finds, by_cid;
	int fd;				/* of a file with the body; 0: it is in memory */
	uint64_t read;			/* for each request */
	unsigned told, ntold;		/* messages of writes, and their paths */
	char paths[256][40];
	/* what it got */
	unsigned answers;
	enum share_outcome outcome;
	size_t got;
	bool same;
};

static struct loop *loop;
static struct node nodes[6];
static uint8_t group[2][WIRE_GROUP_KEY_LEN] = { { 1 }, { 2 } };
static bool done;
static int apart;		/* of the first so many each takes only neighbours for peers */

static void make_image(struct node *n, int64_t time)
{
	cid_of(n->cid, buf_data(&n->body), buf_len(&n->body));
	snprintf(n->image, sizeof(n->image),
	    "{\"cache_key\":\"" KEY "\",\"timestamp\":%lld.000000,\"ttl\":300,\"content_hash\":null,"
	    "\"validation_fields\":null,\"ghoard\":{\"v\":1,\"cid\":\"%s\",\"status\":200,\"url\":\"" URL
	    "\",\"variant\":{},\"auth\":\"" AUTH "\",\"proof\":\"" AUTH
	    "\",\"headers\":[],\"encoding\":\"json\"},\"data\":",
	    (long long)(time / 1000000), n->cid);
}

static bool find(void *arg, struct span key, struct span cid, struct swarm_held *held)
{
	struct node *n = arg;

	n->finds++;
	n->by_cid += cid.n > 0;
	held->read = n->read;
	if (!n->holds || !(cid.n > 0 ? key.n == 0 && (n->lies || span_eq(cid, n->cid)) : span_eq(key, KEY)))
		return false;
	held->image = span_of(n->image);
	held->body = buf_span(&n->body);
	held->entry = n;
	if (n->fd > 0) {
		held->body.p = NULL;
		held->fd = n->fd;
	}
	return true;
}

static void release(void *arg, struct swarm_held *held)
{
	(void)arg;
	(void)held;
}

static int64_t judge(void *arg, const struct message_entry *e)
{
	(void)arg;
	return span_eq(e->url, URL) ? 300 : -1;
}

static bool asking(void *arg, struct span key)
{
	(void)key;
	return ((struct node *)arg)->asking;
}

static void invalidate(void *arg, const struct span *prefixes, size_t n, int64_t time)
{
	struct node *to = arg;

	assert_true(n > 0 && time <= clock_wall());
	to->told++;
	for (size_t i = 0; i < n && to->ntold < 256; i++)
		assert_true(span_copy(to->paths[to->ntold++], sizeof(to->paths[0]), prefixes[i]));
}

static void open_node(int i, int of, const struct multiaddr *to, size_t nto)
{
	struct node *n = &nodes[i];
	struct addr at;
	struct err err;
	struct swarm_params sp = { .loop = loop, .key = &n->key, .agent = "ghoard/test", .listen = &at,
		.nlisten = 1, .max_peers = 20, .min_peers = 1, .outbound_max = 8, .handshake_ms = 5000,
		.bootstrap = to, .nbootstrap = nto };
	struct share_params p = { .group_key = group[of], .network_id = "net", .agent = "ghoard/test",
		.messages_per_s = 1000, .bytes_per_s = 100 << 20, .body_max = WIRE_BODY_MAX,
		.broadcast = true, .tmp_dir = "/tmp", .source = &n->source };
	uint8_t seed[ED25519_SEED_LEN] = { (uint8_t)(7 + i) };
	struct peerid others[6];

	memset(n, 0, sizeof(*n));
	buf_init(&n->body, BUF_MAX_ANY);
	ed25519_keygen(&n->key, seed);
	n->source = (struct swarm_source){ .find = find, .release = release, .judge = judge,
		.asking = asking, .invalidate = invalidate, .arg = n };
	sp.block = others;
	for (int k = 0; k < apart && k < i - 1; k++)
		peerid_of_ed25519(&others[sp.nblock++], nodes[k].key.pub);
	err_init(&err);
	assert_true(addr_parse(&at, span_of("127.0.0.1"), 0));
	if (share_new(&sp, &p, &n->share, &err) != 0 || swarm_listen(share_swarm(n->share), &err) != 0)
		fail_msg("%s", err.msg);
	swarm_start(share_swarm(n->share));
}

static struct multiaddr where(int i)
{
	const struct multiaddr *a;
	struct multiaddr m;

	assert_true(swarm_addrs(share_swarm(nodes[i].share), &a) > 0);
	m = a[0];
	m.peer = *swarm_id(share_swarm(nodes[i].share));
	return m;
}

static void on_late(struct timer *t)
{
	(void)t;
	done = true;
}

/* Let the loop run so long, or until somebody has an answer. */
static void run(int64_t ms, const struct node *until)
{
	struct timer t = { .fire = on_late };
	unsigned had = until != NULL ? until->answers : 0;

	for (int64_t end = clock_mono() + ms;
	     clock_mono() < end && (until == NULL || until->answers == had);) {
		done = false;
		timer_set(loop, &t, clock_mono() + 5);
		assert_int_equal(loop_run(loop, &done, NULL), 0);
	}
	timer_clear(loop, &t);
}

static size_t members(int i)
{
	return swarm_count(share_swarm(nodes[i].share), PEER_MEMBER);
}

static void begin(int n)
{
	struct multiaddr to;

	log_setup(LOG_ERROR, false, NULL);
	assert_int_equal(loop_new(&loop, NULL), 0);
	for (int i = 0; i < n; i++) {
		if (i > 0)
			to = where(i - 1);
		open_node(i, 0, &to, i > 0);
		for (int k = 0; i > 0 && k < 400 && (members(i) == 0 || members(i - 1) == 0); k++)
			run(10, NULL);
		assert_true(i == 0 || members(i) > 0);
	}
}

static void finish(int n)
{
	for (int i = 0; i < n; i++) {
		share_free(nodes[i].share);
		buf_free(&nodes[i].body);
	}
	loop_free(loop);
}

static void on_done(void *arg, const struct share_answer *a)
{
	struct node *n = arg;

	n->answers++;
	n->outcome = a->outcome;
	n->got = a->body.n;
	n->same = a->outcome == SHARE_HIT && span_same(a->body, buf_span(&nodes[0].body));
}

static int ask(int i, int64_t budget)
{
	struct share_want want = { .key = span_of(KEY), .unannounced = true, .budget_ms = budget };
	struct share_call *c;
	int rc = share_start(nodes[i].share, &want, on_done, &nodes[i], &c, NULL);

	if (rc == 0)
		run(budget + 500, &nodes[i]);
	return rc;
}

static void fill(struct node *n, size_t size)
{
	buf_clear(&n->body);
	while (buf_len(&n->body) < size)
		buf_adds(&n->body, "[1,2,3,4]");
	n->holds = true;
	make_image(n, clock_wall());
}

static void test_bodies(void **state)
{
	static const size_t sizes[] = { 0, 1, 70000, 1 << 20, 7 << 20 };

	(void)state;
	begin(2);
	assert_int_equal(ask(1, 1000), 0);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(&nodes[0], sizes[i]);
		assert_int_equal(ask(1, 20000), 0);
		assert_int_equal(nodes[1].outcome, SHARE_HIT);
		assert_true(nodes[1].same);
	}
	assert_int_equal(nodes[1].answers, 6);
	finish(2);
}

/* From a file, as it stands there; one that has become shorter is none. */
static void test_from_a_file(void **state)
{
	static const size_t sizes[] = { 1, 16384, 70000, 7 << 20 };
	FILE *f;

	(void)state;
	begin(2);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(&nodes[0], sizes[i]);
		f = tmpfile();
		assert_true(f != NULL && fwrite(buf_data(&nodes[0].body), 1, buf_len(&nodes[0].body), f) ==
		    buf_len(&nodes[0].body) && fflush(f) == 0);
		nodes[0].fd = fileno(f);
		assert_int_equal(ask(1, 20000), 0);
		assert_int_equal(nodes[1].outcome, SHARE_HIT);
		assert_true(nodes[1].same);
		assert_int_equal(ftruncate(nodes[0].fd, (off_t)buf_len(&nodes[0].body) - 1), 0);
		assert_int_equal(ask(1, 20000), 0);
		assert_int_equal(nodes[1].outcome, SHARE_MISS);
		fclose(f);
	}
	assert_int_equal(share_stats(nodes[1].share)->bad_body, 0);
	assert_int_equal(members(1), 1);
	finish(2);
}

/* What is read for a peer comes out of its bucket, found or not: who asks for more waits. */
static void test_reading_costs(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(2);
		fill(&nodes[0], 100);
		nodes[0].holds = i == 0;
		nodes[0].read = 250 << 20;	/* of 100 MiB/s */
		assert_int_equal(ask(1, 1000), 0);
		assert_int_equal(nodes[1].outcome, i == 0 ? SHARE_HIT : SHARE_MISS);
		assert_int_equal(ask(1, 500), 0);
		assert_int_equal(nodes[1].outcome, SHARE_LATE);
		assert_int_equal(nodes[0].finds, 1);
		finish(2);
	}
}

static void test_poison(void **state)
{
	(void)state;
	begin(2);
	fill(&nodes[0], 100);
	buf_data(&nodes[0].body)[5] ^= 1;
	assert_int_equal(ask(1, 1000), 0);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	assert_int_equal(share_stats(nodes[1].share)->bad_body, 1);
	/* not what was asked for */
	fill(&nodes[0], 100);
	memcpy(strstr(nodes[0].image, "/repos/o/r"), "/repos/o/x", 10);
	assert_int_equal(ask(1, 1000), 0);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	finish(2);
}

static void test_busy(void **state)
{
	(void)state;
	begin(2);
	nodes[0].asking = true;
	assert_int_equal(ask(1, 100), 0);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	assert_true(share_stats(nodes[1].share)->busy_heard >= 1);
	finish(2);
}

static void announce_old(struct node *n, int64_t age)
{
	struct message_entry e = { .key = span_of(KEY), .url = span_of(URL), .auth = span_of(AUTH),
		.proof = span_of(AUTH), .timestamp = (clock_wall() / 1000000 - age) * 1000000, .ttl = 300,
		.size = buf_len(&n->body) };

	e.cid = span_of(n->cid);
	share_announce(n->share, &e);
	run(250, NULL);
}

static void announce(struct node *n)
{
	announce_old(n, 0);
}

static void test_announcements(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .own_only = true,
		.after = 1, .budget_ms = 100 };

	(void)state;
	begin(3);
	fill(&nodes[0], 100);
	announce(&nodes[0]);
	assert_int_equal(share_stats(nodes[1].share)->heard, 1);
	assert_true(share_would_ask(nodes[1].share, &want));
	/* at once, or over one more: each hears of it */
	assert_true(share_stats(nodes[2].share)->heard >= 1);
	finish(3);
}

static void write_to(const char *path)
{
	share_invalidate(nodes[0].share, span_of(path), clock_wall());
}

static bool heard(const struct node *n, const char *path)
{
	for (unsigned i = 0; i < n->ntold; i++)
		if (strncmp(path, n->paths[i], strlen(n->paths[i])) == 0)
			return true;
	return false;
}

/* Of many writes all are heard of, in fewer messages than a member takes. */
static void test_writes(void **state)
{
	char path[80];

	(void)state;
	begin(2);
	write_to("/repos");
	write_to("/repos/o/r/\x7f");
	write_to("/repos/*/r");
	write_to("/repos/o/r/issues");
	run(40, NULL);
	assert_int_equal(nodes[1].told, 1);
	assert_int_equal(nodes[1].ntold, 1);
	for (int i = 0; i < 150; i++) {
		snprintf(path, sizeof(path), "/repos/o/r/%d/more", i);
		write_to(path);
		write_to("/repos/o/q/%/x");
		if (i == 100)
			write_to("/repos/o/r/1");
	}
	run(200, NULL);
	assert_int_equal(nodes[1].told, 2);
	assert_int_equal(nodes[1].ntold, 3);
	for (int i = 0; i < 150; i++) {
		snprintf(path, sizeof(path), "/repos/o/r/%d/more", i);
		assert_true(heard(&nodes[1], path));
	}
	assert_true(heard(&nodes[1], "/repos/o/q/%/x"));
	/* one by one: what is more waits, and leaves with who is asked to go */
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/repos/p/r%d/x", i);
		write_to(path);
		run(i < 10 ? 70 : 5, NULL);
	}
	assert_int_equal(nodes[1].told, SHARE_INVALIDATES_PER_MIN / 2);
	assert_false(heard(&nodes[1], "/repos/p/r19/x"));
	share_flush(nodes[0].share);
	share_flush(nodes[0].share);
	run(100, NULL);
	assert_int_equal(nodes[1].told, SHARE_INVALIDATES_PER_MIN / 2 + 2);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/repos/p/r%d/x", i);
		assert_true(heard(&nodes[1], path));
	}
	finish(2);
}

/* Two hops away: who passed the announcement on fetches it for the asker, and keeps nothing. */
static void test_passed_on(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .budget_ms = 1000 };
	static const size_t sizes[] = { 100, 70000, 1 << 20 };
	struct share_call *c;
	unsigned tries = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		apart = 6;
		begin(3);
		apart = 0;
		fill(&nodes[0], sizes[i] - 9);
		announce(&nodes[0]);
		assert_int_equal(share_stats(nodes[2].share)->heard, 1);
		assert_int_equal(share_start(nodes[2].share, &want, on_done, &nodes[2], &c, NULL), 0);
		run(1500, &nodes[2]);
		if (nodes[2].outcome != SHARE_HIT && tries++ < 20) {
			finish(3);	/* 40 ms are not much for 1 MiB on a busy machine */
			i--;
			continue;
		}
		assert_int_equal(nodes[2].outcome, SHARE_HIT);
		assert_true(nodes[2].same);
		assert_int_equal(share_stats(nodes[1].share)->passed, 1);
		assert_int_equal(share_stats(nodes[1].share)->asked, 0);
		/* the one that holds it is gone in the midst of it, or does not hold it any more */
		nodes[0].holds = false;
		assert_int_equal(share_start(nodes[2].share, &want, on_done, &nodes[2], &c, NULL), 0);
		run(1500, &nodes[2]);
		assert_int_equal(nodes[2].outcome, SHARE_MISS);
		assert_int_equal(share_stats(nodes[2].share)->denied, 1);
		assert_int_equal(share_stats(nodes[1].share)->served, 1);
		finish(3);
	}
}

/* Three hops away, each asks one that is nearer. */
static void test_passed_on_twice(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .budget_ms = 1000 };
	struct share_call *c;

	(void)state;
	apart = 6;
	begin(4);
	apart = 0;
	fill(&nodes[0], 100);
	announce(&nodes[0]);
	assert_int_equal(share_stats(nodes[3].share)->heard, 1);
	assert_int_equal(share_start(nodes[3].share, &want, on_done, &nodes[3], &c, NULL), 0);
	run(1500, &nodes[3]);
	assert_int_equal(nodes[3].outcome, SHARE_HIT);
	assert_true(nodes[3].same);
	assert_int_equal(share_stats(nodes[2].share)->passed, 1);
	assert_int_equal(share_stats(nodes[1].share)->passed, 1);
	finish(4);
}

static void wait_members(int i, size_t n)
{
	for (int k = 0; k < 400 && members(i) < n; k++)
		run(10, NULL);
	assert_int_equal(members(i), n);
}

/* All have said that they hold it, and none does any more: who is asked does not ask the others in turn. */
static void test_no_circle(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .budget_ms = 1000 };
	struct multiaddr to[2];
	struct share_call *c;

	(void)state;
	begin(2);
	to[0] = where(0);
	to[1] = where(1);
	open_node(2, 0, to, 2);
	run(1500, NULL);		/* of two that dialled each other one connection stays */
	for (int i = 0; i < 3; i++)
		wait_members(i, 2);
	for (int i = 0; i < 3; i++) {
		fill(&nodes[i], 100);
		announce_old(&nodes[i], 10 * i);
	}
	for (int i = 0; i < 3; i++)
		nodes[i].holds = false;
	assert_int_equal(share_start(nodes[0].share, &want, on_done, &nodes[0], &c, NULL), 0);
	run(1500, &nodes[0]);
	assert_int_equal(nodes[0].outcome, SHARE_MISS);
	assert_int_equal(nodes[0].finds, 0);
	assert_int_equal(nodes[1].finds + nodes[2].finds, 2);
	finish(3);
}

/* A miss after asking others is one like any other: busy while it is fetched, here or by who was told to. */
static void test_busy_after_passing(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		apart = 6;
		begin(3);
		apart = 0;
		fill(&nodes[0], 100);
		announce(&nodes[0]);
		nodes[0].holds = false;
		nodes[1].asking = i == 0;
		assert_int_equal(ask(2, 1000), 0);
		if (i == 1) {
			assert_int_equal(share_stats(nodes[1].share)->busy_sent, 0);
			assert_int_equal(ask(2, 1000), 0);
		}
		/* and once more, when it is asked again */
		assert_int_equal(share_stats(nodes[1].share)->busy_sent, 2);
		assert_int_equal(nodes[0].finds, 1);
		finish(3);
	}
}

/* What we have no room for now is still held by who said so. */
static void test_own_limit(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .budget_ms = 20000 };
	struct share_call *c;

	(void)state;
	begin(2);
	fill(&nodes[0], 7 << 20);
	announce(&nodes[0]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(share_start(nodes[1].share, &want, on_done, &nodes[1], &c, NULL), 0);
	run(20000, &nodes[1]);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	assert_int_equal(share_stats(nodes[1].share)->denied, 0);
	want = (struct share_want){ .cid = span_of(nodes[0].cid) };
	assert_true(share_would_ask(nodes[1].share, &want));
	finish(2);
}

/* Sixteen are passed on already: the next hears that it is busy, and not that nobody has it. */
static void test_no_room_to_pass(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .budget_ms = 1000 };
	struct multiaddr to;
	struct share_call *c;

	(void)state;
	apart = 1;
	begin(3);
	to = where(1);
	open_node(3, 0, &to, 1);
	apart = 0;
	wait_members(1, 3);
	run(1500, NULL);
	fill(&nodes[0], (1 << 20) - 9);
	announce(&nodes[0]);
	for (int i = 0; i < 16; i++)
		assert_int_equal(share_start(nodes[2].share, &want, on_done, &nodes[2], &c, NULL), 0);
	for (int i = 0; i < 100 && nodes[0].finds < 16; i++)
		run(1, NULL);
	assert_int_equal(nodes[0].finds, 16);
	assert_int_equal(share_start(nodes[3].share, &want, on_done, &nodes[3], &c, NULL), 0);
	run(1500, &nodes[3]);
	assert_true(share_stats(nodes[3].share)->busy_heard > 0);
	finish(4);
}

static void on_pass(struct job *j)
{
	(void)j;
	done = true;
}

/* The asker goes, or the node itself, while another is being asked. */
static void test_passing_ends(void **state)
{
	struct share_want want = { .key = span_of(KEY), .auth = span_of(AUTH), .budget_ms = 1000 };
	struct share_call *c;

	(void)state;
	for (int i = 0; i < 40; i++) {
		apart = 6;
		begin(3);
		apart = 0;
		fill(&nodes[0], 60000);
		announce(&nodes[0]);
		assert_int_equal(share_start(nodes[2].share, &want, on_done, &nodes[2], &c, NULL), 0);
		for (int k = 0; k < i / 2; k++) {
			struct job j = { .run = on_pass };

			done = false;
			job_queue(loop, &j);
			assert_int_equal(loop_run(loop, &done, NULL), 0);
		}
		if (i % 2 == 0 && nodes[2].answers == 0)
			share_cancel(c);
		share_free(nodes[1 + i % 2].share);
		nodes[1 + i % 2].share = NULL;
		run(100, NULL);
		finish(3);
	}
}

/* As many streams as a peer takes, which would reset more: the others wait, and miss nothing. */
static void test_streams_at_once(void **state)
{
	struct share_want want = { .key = span_of(KEY), .unannounced = true, .budget_ms = 5000 };
	struct share_call *c;
	const struct session *to;

	(void)state;
	begin(2);
	fill(&nodes[0], 30000);
	to = peer_session(swarm_next(share_swarm(nodes[1].share), NULL));
	for (int i = 0; i < 60; i++)
		assert_int_equal(share_start(nodes[1].share, &want, on_done, &nodes[1], &c, NULL), 0);
	assert_in_range(session_streams(to), SHARE_STREAMS, SHARE_STREAMS + 2);
	for (int i = 0; i < 2000 && nodes[1].answers < 60; i++)
		run(5, NULL);
	assert_int_equal(share_stats(nodes[1].share)->hits, 60);
	/* what is left of them ends in time */
	nodes[0].holds = false;
	nodes[0].asking = true;
	want.budget_ms = 60;
	for (int i = 0; i < 40; i++)
		assert_int_equal(share_start(nodes[1].share, &want, on_done, &nodes[1], &c, NULL), 0);
	run(1000, NULL);
	assert_int_equal(nodes[1].answers, 100);
	finish(2);
}

static int ask_cid(int i, const char *cid)
{
	struct share_want want = { .cid = span_of(cid), .budget_ms = 1000 };
	struct share_call *c;
	int rc = share_start(nodes[i].share, &want, on_done, &nodes[i], &c, NULL);

	if (rc == 0)
		run(1500, &nodes[i]);
	return rc;
}

/* By CID alone: who announced it is asked, and only that body is taken. */
static void test_by_cid(void **state)
{
	char cid[CID_TEXT_LEN + 1], other[CID_TEXT_LEN + 1];

	(void)state;
	begin(2);
	cid_of(other, "x", 1);
	fill(&nodes[0], 100);
	memcpy(cid, nodes[0].cid, sizeof(cid));
	assert_int_equal(ask_cid(1, cid), 1);
	announce(&nodes[0]);
	assert_int_equal(ask_cid(1, cid), 0);
	assert_int_equal(nodes[1].outcome, SHARE_HIT);
	assert_true(nodes[1].same);
	assert_int_equal(nodes[0].by_cid, 1);
	assert_int_equal(ask_cid(1, other), 1);
	/* the right CID, another body */
	buf_data(&nodes[0].body)[5] ^= 1;
	assert_int_equal(ask_cid(1, cid), 0);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	assert_int_equal(share_stats(nodes[1].share)->bad_body, 1);
	/* a body that fits its CID, which is not the one asked for */
	fill(&nodes[0], 200);
	nodes[0].lies = true;
	assert_int_equal(ask_cid(1, cid), 0);
	assert_int_equal(nodes[1].outcome, SHARE_MISS);
	assert_int_equal(nodes[0].by_cid, 3);
	assert_int_equal(share_stats(nodes[1].share)->bad_body, 1);
	finish(2);
}

static void ask_any(int i, struct share_want want)
{
	struct share_call *c;

	want.unannounced = true;
	want.budget_ms = 1000;
	assert_int_equal(share_start(nodes[i].share, &want, on_done, &nodes[i], &c, NULL), 0);
	run(1500, &nodes[i]);
}

/* What nobody announced is not asked of the same three each time; its body by CID of who had the entry. */
static void test_anybody(void **state)
{
	struct multiaddr to;
	char key[32];

	(void)state;
	begin(1);
	to = where(0);
	for (int i = 1; i < 6; i++) {
		open_node(i, 0, &to, 1);
		wait_members(0, (size_t)i);
	}
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "codeql_tree:%d", i);
		ask_any(0, (struct share_want){ .key = span_of(key) });
	}
	for (int i = 1; i < 6; i++)
		assert_true(nodes[i].finds > 0);
	fill(&nodes[1], 100);
	for (int i = 0; i < 40 && nodes[0].outcome != SHARE_HIT; i++)
		ask_any(0, (struct share_want){ .key = span_of(KEY) });
	for (int i = 0; i < 10; i++) {
		ask_any(0, (struct share_want){ .cid = span_of(nodes[1].cid) });
		assert_int_equal(nodes[0].outcome, SHARE_HIT);
	}
	for (int i = 2; i < 6; i++)
		assert_int_equal(nodes[i].by_cid, 0);
	finish(6);
}

/* Whose candidates GitHub does not confirm is asked for none, as a coordinator neither; who only passed them
 * on is asked for its own. */
static void test_distrust(void **state)
{
	struct share_want want = { .key = span_of(KEY), .candidate = true, .budget_ms = 100 };
	const struct peerid *from;
	char key[40];

	(void)state;
	begin(2);
	fill(&nodes[0], 100);
	announce(&nodes[0]);
	from = swarm_id(share_swarm(nodes[0].share));
	for (int i = 0; i < SHARE_DISTRUST; i++)
		share_confirmed(nodes[1].share, from, true, false);
	assert_true(share_would_ask(nodes[1].share, &want));
	for (int i = 0; i < SHARE_DISTRUST; i++)
		share_confirmed(nodes[1].share, from, false, false);
	assert_false(share_would_ask(nodes[1].share, &want));
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "get_repo_info:/repos/o/%d", i);
		want.key = span_of(key);
		assert_false(share_would_ask(nodes[1].share, &want));
	}
	finish(2);
}

static void test_another_group(void **state)
{
	struct multiaddr to;

	(void)state;
	begin(1);
	to = where(0);
	open_node(1, 1, &to, 1);
	run(600, NULL);
	assert_int_equal(members(0), 0);
	assert_int_equal(members(1), 0);
	assert_int_equal(share_stats(nodes[0].share)->bad_seal, 1);
	assert_int_equal(ask(1, 100), 1);
	finish(2);
}

static void test_going(void **state)
{
	struct share_want want = { .key = span_of(KEY), .unannounced = true, .budget_ms = 3000 };
	struct share_call *c;

	(void)state;
	begin(2);
	fill(&nodes[0], 6 << 20);
	assert_int_equal(share_start(nodes[1].share, &want, on_done, &nodes[1], &c, NULL), 0);
	run(3, NULL);
	share_free(nodes[0].share);
	nodes[0].share = NULL;
	run(1000, &nodes[1]);
	assert_int_equal(nodes[1].answers, 1);
	finish(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_from_a_file),
		cmocka_unit_test(test_reading_costs),
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_announcements),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_passed_on),
		cmocka_unit_test(test_passed_on_twice),
		cmocka_unit_test(test_no_circle),
		cmocka_unit_test(test_busy_after_passing),
		cmocka_unit_test(test_own_limit),
		cmocka_unit_test(test_no_room_to_pass),
		cmocka_unit_test(test_passing_ends),
		cmocka_unit_test(test_by_cid),
		cmocka_unit_test(test_streams_at_once),
		cmocka_unit_test(test_anybody),
		cmocka_unit_test(test_distrust),
		cmocka_unit_test(test_another_group),
		cmocka_unit_test(test_going),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
