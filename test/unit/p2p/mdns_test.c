#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cm.h"
#include "../netns.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "p2p/mdns.h"
#include "p2p/mdnsmsg.h"

#define MANY 300

struct node {
	struct mdns *m;
	struct peerid id;
	struct multiaddr at[2];
	size_t nat, found, local;
	struct multiaddr last;
};

struct rig {
	struct loop *loop;
	struct node node[3];
	uint8_t group[32];
	char service[MDNSMSG_SERVICE_MAX];
	int fd;			/* a stranger on the port */
};

static size_t addrs(void *arg, const struct multiaddr **out)
{
	struct node *n = arg;

	*out = n->at;
	return n->nat;
}

static void found(void *arg, const struct multiaddr *m, bool local)
{
	struct node *n = arg;

	assert_false(peerid_same(&m->peer, &n->id));
	n->found++;
	n->local += local;
	n->last = *m;
}

static struct node *make(struct rig *r, unsigned i, uint8_t group)
{
	struct node *n = &r->node[i];
	uint8_t pub[32], key[32] = { group };
	struct mdns_params p = { .loop = r->loop, .group_key = key, .self = &n->id, .interval_ms = 5000,
		.ttl_s = 120, .addrs = addrs, .found = found, .arg = n };
	char text[64];

	memset(n, 0, sizeof(*n));
	memset(pub, (int)i + 1, sizeof(pub));
	peerid_of_ed25519(&n->id, pub);
	snprintf(text, sizeof(text), "/ip4/127.0.0.1/tcp/%u", 9100 + i);
	assert_int_equal(multiaddr_parse(&n->at[n->nat++], span_of(text)), 1);
	assert_int_equal(mdns_new(&p, &n->m, NULL), 0);
	return n;
}

static int stranger(void)
{
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex("lo") };
	struct addr at;
	int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	addr_parse(&at, span_of("0.0.0.0"), MDNS_PORT);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at.ss, at.len), 0);
	inet_pton(AF_INET, MDNS_GROUP4, &group.imr_multiaddr);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)), 0);
	return fd;
}

static void say_from(int fd, const struct buf *b)
{
	struct addr to;

	addr_parse(&to, span_of(MDNS_GROUP4), MDNS_PORT);
	assert_int_equal(sendto(fd, buf_data(b), buf_len(b), 0, (const struct sockaddr *)&to.ss, to.len),
	    buf_len(b));
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_int_equal(loop_new(&r->loop, NULL), 0);
	r->group[0] = 1;
	mdnsmsg_service(r->service, r->group);
	r->fd = stranger();
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 3; i++)
		mdns_free(r->node[i].m);
	close(r->fd);
	loop_free(r->loop);
	free(r);
	return 0;
}

struct end {
	struct timer timer;
	bool done;
};

static void on_end(struct timer *t)
{
	((struct end *)(void *)t)->done = true;
}

static void run_for(struct rig *r, int64_t ms)
{
	struct end e = { .timer.fire = on_end };

	timer_set(r->loop, &e.timer, clock_mono() + ms);
	assert_int_equal(loop_run(r->loop, &e.done, NULL), 0);
}

/* What the stranger heard of the service: questions, answers. */
static void drain(struct rig *r, size_t *asks, size_t *answers, struct mdnsmsg *last)
{
	uint8_t room[MDNSMSG_RECEIVE_MAX];
	struct mdnsmsg m;
	ssize_t n;

	*asks = *answers = 0;
	while ((n = recv(r->fd, room, sizeof(room), 0)) >= 0) {
		if (!mdnsmsg_parse(&m, room, (size_t)n, r->service))
			continue;
		*asks += m.asks;
		*answers += m.naddrs > 0;
		if (m.naddrs > 0 && last != NULL)
			*last = m;
	}
}

static void test_two_find_each_other(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0, 1), *b = make(r, 1, 1), *other = make(r, 2, 2);

	run_for(r, 300);
	assert_true(a->found > 0 && b->found > 0);
	assert_int_equal(other->found, 0);
	assert_true(peerid_same(&a->last.peer, &b->id) && multiaddr_same(&a->last, &b->at[0]));
	assert_true(peerid_same(&b->last.peer, &a->id));
	assert_int_equal(a->local, a->found);
	assert_true(mdns_stats(a->m)->sent > 0 && mdns_stats(a->m)->heard > 0);
	assert_int_equal(mdns_stats(other->m)->heard, 2 * (mdns_stats(other->m)->heard / 2));
}

/* A round asks and tells; the second comes a second later, the third after the interval. */
static void test_rounds(void **state)
{
	struct rig *r = *state;
	struct mdnsmsg m;
	size_t asks, answers;
	struct node *a = make(r, 0, 1);

	run_for(r, 300);
	drain(r, &asks, &answers, &m);
	assert_true(asks >= 1 && answers >= 1);
	assert_true(peerid_same(&m.addrs[0].peer, &a->id));
	assert_true(multiaddr_same(&m.addrs[0], &a->at[0]));
	run_for(r, 1300);
	drain(r, &asks, &answers, NULL);
	assert_true(asks >= 1 && answers >= 1);
	run_for(r, 1500);
	drain(r, &asks, &answers, NULL);
	assert_int_equal(asks + answers, 0);
	mdns_again(a->m);
	run_for(r, 300);
	drain(r, &asks, &answers, NULL);
	assert_true(asks >= 1 && answers >= 1);
}

/* However often it is asked, it answers once a second. */
static void test_once_a_second(void **state)
{
	struct rig *r = *state;
	size_t asks, answers;
	struct buf b;

	make(r, 0, 1);
	run_for(r, 2600);
	drain(r, &asks, &answers, NULL);
	buf_init(&b, MDNSMSG_MAX);
	mdnsmsg_put_question(&b, r->service);
	for (int i = 0; i < 8; i++) {
		say_from(r->fd, &b);
		run_for(r, 100);
	}
	buf_free(&b);
	drain(r, &asks, &answers, NULL);
	/* one; loopback may bring it twice */
	assert_in_range(answers, 1, 2);
	run_for(r, 500);
	drain(r, &asks, &answers, NULL);
	assert_in_range(answers, 1, 2);
}

/* In a flood 50 datagrams are read in a second. */
static void test_flood(void **state)
{
	struct rig *r = *state;
	size_t asks, answers;
	struct buf b;
	struct node *a = make(r, 0, 1);

	run_for(r, 1600);
	drain(r, &asks, &answers, NULL);
	buf_init(&b, MDNSMSG_MAX);
	mdnsmsg_put_question(&b, r->service);
	for (int i = 0; i < MANY; i++)
		say_from(r->fd, &b);
	buf_free(&b);
	drain(r, &asks, &answers, NULL);	/* its own would fill its buffer */
	run_for(r, 900);
	drain(r, &asks, &answers, NULL);
	/* one a copy: loopback may bring each twice */
	assert_in_range(answers, 1, 2);
	assert_true(mdns_stats(a->m)->heard < 150);
}

static void test_strangers(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0, 1);
	struct multiaddr m;
	uint64_t heard;
	size_t had;
	struct buf b;
	int fd;

	run_for(r, 300);
	/* an answer of the service is believed to be an address, whoever says it: found is all it does */
	buf_init(&b, MDNSMSG_MAX);
	assert_int_equal(multiaddr_parse(&m, span_of("/ip4/192.0.2.7/tcp/9000")), 1);
	make(r, 1, 1);
	had = a->found;
	mdnsmsg_put_answer(&b, r->service, "abcdefghijklmnopqrstuvwxyz012345", &r->node[1].id, &m, 1, 120);
	say_from(r->fd, &b);
	run_for(r, 10);
	assert_true(a->found > had && multiaddr_same(&a->last, &m));
	/* the same from another port: no mDNS */
	mdns_free(r->node[1].m);
	r->node[1].m = NULL;
	heard = mdns_stats(a->m)->heard;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF,
	    &(struct ip_mreqn){ .imr_ifindex = (int)if_nametoindex("lo") }, sizeof(struct ip_mreqn));
	say_from(fd, &b);
	run_for(r, 10);
	assert_int_equal(mdns_stats(a->m)->heard, heard);
	close(fd);
	/* noise */
	buf_clear(&b);
	buf_adds(&b, "\xff\xff\xff\xff this is no DNS message");
	say_from(r->fd, &b);
	run_for(r, 10);
	assert_int_equal(mdns_stats(a->m)->heard, heard);
	buf_free(&b);
}

/* On loopback all addresses are told; that others hear of no loopback address is seen in test/interop. */
static void test_what_is_told_where(void **state)
{
	struct rig *r = *state;
	struct node *a = make(r, 0, 1);
	struct mdnsmsg m;
	size_t asks, answers;

	assert_int_equal(multiaddr_parse(&a->at[a->nat++], span_of("/ip4/192.0.2.1/tcp/9000")), 1);
	run_for(r, 300);
	drain(r, &asks, &answers, &m);
	assert_int_equal(m.naddrs, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_find_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_once_a_second, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_told_where, setup, teardown),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
