#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "p2p/mdns.h"
#include "p2p/mdnsmsg.h"

#define SECOND_MS 1000
#define ECHO_MS 200		/* our own question comes back within this; it was answered with the asking */
#define WAIT_MIN_MS 20		/* RFC 6762 §6: so many may have an answer */
#define WAIT_SPAN_MS 100
#define HOPS 255		/* §11 */

struct channel {		/* a socket of one family */
	struct io io;
	struct mdns *m;		/* NULL: over */
	bool v6;
};

struct interface {
	int index;
	bool loopback;
};

struct mdns {
	struct mdns_params p;
	struct peerid self;
	char service[MDNSMSG_SERVICE_MAX];
	char name[MDNSMSG_NAME_LEN + 1];
	struct channel *channels[2];
	struct interface at[MDNS_INTERFACES_MAX];
	size_t nat;
	struct timer ask, answer, second;
	int64_t pause;		/* between the next two rounds */
	int64_t asked, told;	/* loop time of the last ones; 0: never */
	int64_t from;		/* when the count of packets began */
	unsigned packets;
	struct mdns_stats stats;
};

#define MDNS_OF(member, ptr) ((struct mdns *)(void *)((char *)(ptr) - offsetof(struct mdns, member)))

/* ---- interfaces ---- */

static void note_interface(struct mdns *m, const struct ifaddrs *i)
{
	int index = (int)if_nametoindex(i->ifa_name);

	if (!(i->ifa_flags & IFF_UP) || !(i->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)) || index <= 0)
		return;
	for (size_t k = 0; k < m->nat; k++)
		if (m->at[k].index == index)
			return;
	if (m->nat < MDNS_INTERFACES_MAX)
		m->at[m->nat++] = (struct interface){ index, (i->ifa_flags & IFF_LOOPBACK) != 0 };
}

/* Being there already is an error that says so: fine. */
static void join(const struct mdns *m, const struct interface *at)
{
	struct ip_mreqn v4 = { .imr_ifindex = at->index };
	struct ipv6_mreq v6 = { .ipv6mr_interface = (unsigned)at->index };

	inet_pton(AF_INET, MDNS_GROUP4, &v4.imr_multiaddr);
	inet_pton(AF_INET6, MDNS_GROUP6, &v6.ipv6mr_multiaddr);
	if (m->channels[0] != NULL)
		setsockopt(m->channels[0]->io.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &v4, sizeof(v4));
	if (m->channels[1] != NULL)
		setsockopt(m->channels[1]->io.fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6, sizeof(v6));
}

/* Cables and containers come and go. */
static void look_around(struct mdns *m)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		return;
	m->nat = 0;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		note_interface(m, i);
	freeifaddrs(list);
	for (size_t k = 0; k < m->nat; k++)
		join(m, &m->at[k]);
}

/* ---- sending ---- */

/* An interface that cannot send now, or not in this family, is passed over: there are more rounds. */
static void send_by(struct mdns *m, const struct channel *c, int index, struct span data)
{
	struct in_pktinfo p4 = { .ipi_ifindex = index };
	struct in6_pktinfo p6 = { .ipi6_ifindex = (unsigned)index };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { .room = "" };
	struct iovec iov = { (void *)(uintptr_t)data.p, data.n };
	struct addr to;
	struct msghdr msg = { .msg_name = &to.ss, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	size_t n = c->v6 ? sizeof(p6) : sizeof(p4);

	if (!addr_parse(&to, span_of(c->v6 ? MDNS_GROUP6 : MDNS_GROUP4), MDNS_PORT))
		return;
	if (c->v6)
		((struct sockaddr_in6 *)(void *)&to.ss)->sin6_scope_id = (unsigned)index;
	msg.msg_namelen = to.len;
	msg.msg_controllen = (socklen_t)CMSG_SPACE(n);
	*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_len = (socklen_t)CMSG_LEN(n),
		.cmsg_level = c->v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		.cmsg_type = c->v6 ? IPV6_PKTINFO : IP_PKTINFO };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), c->v6 ? (void *)&p6 : (void *)&p4, n);
	if (sendmsg(c->io.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		m->stats.sent++;
}

static void send_on(struct mdns *m, const struct interface *at, const struct buf *b)
{
	for (size_t i = 0; i < 2 && !b->failed && buf_len(b) > 0; i++)
		if (m->channels[i] != NULL)
			send_by(m, m->channels[i], at->index, buf_span(b));
}

static bool is_loopback(const struct multiaddr *a)
{
	struct addr ip;

	return multiaddr_addr(a, &ip) && addr_is_loopback(&ip);
}

/* What others on this interface could dial; where that is nothing, nothing is said. */
static void put_answer(struct mdns *m, bool loopback, struct buf *b)
{
	struct multiaddr fit[MDNSMSG_ADDRS_MAX];
	const struct multiaddr *all;
	size_t n = m->p.addrs(m->p.arg, &all), k = 0;

	for (size_t i = 0; i < n && k < MDNSMSG_ADDRS_MAX; i++)
		if (loopback || !is_loopback(&all[i]))
			fit[k++] = all[i];
	buf_clear(b);
	if (k > 0)
		mdnsmsg_put_answer(b, m->service, m->name, &m->self, fit, k, m->p.ttl_s);
}

static void tell(struct mdns *m)
{
	struct buf b;

	buf_init(&b, MDNSMSG_MAX);
	for (size_t i = 0; i < m->nat; i++) {
		put_answer(m, m->at[i].loopback, &b);
		send_on(m, &m->at[i], &b);
	}
	buf_free(&b);
	m->told = loop_now(m->p.loop);
	timer_clear(m->p.loop, &m->answer);
}

static void ask(struct mdns *m)
{
	struct buf b;

	buf_init(&b, MDNSMSG_MAX);
	mdnsmsg_put_question(&b, m->service);
	for (size_t i = 0; i < m->nat; i++)
		send_on(m, &m->at[i], &b);
	buf_free(&b);
	m->asked = loop_now(m->p.loop);
}

/* ---- when ---- */

static void on_ask(struct timer *t)
{
	struct mdns *m = MDNS_OF(ask, t);
	int64_t max = m->p.is_short != NULL && m->p.is_short(m->p.arg) ? MDNS_ASK_SHORT_MS : MDNS_ASK_MAX_MS;
	int64_t pause = m->pause < max ? m->pause : max;

	look_around(m);
	tell(m);
	ask(m);
	/* the second round comes after a second (§8.3), the third after the interval */
	timer_set(m->p.loop, t, m->asked + pause + rand_below((uint32_t)(pause / 4 + 1)));
	m->pause = pause < m->p.interval_ms ? m->p.interval_ms : pause * 2;
}

static void on_answer(struct timer *t)
{
	tell(MDNS_OF(answer, t));
}

static void on_second(struct timer *t)
{
	struct mdns *m = MDNS_OF(second, t);

	m->packets = 0;		/* and the sockets are asked again */
}

void mdns_again(struct mdns *m)
{
	m->pause = SECOND_MS;
	timer_set(m->p.loop, &m->ask, loop_now(m->p.loop) + WAIT_MIN_MS + rand_below(WAIT_SPAN_MS));
}

/* ---- hearing ---- */

static void on_question(struct mdns *m)
{
	int64_t now = loop_now(m->p.loop), due = now + WAIT_MIN_MS + rand_below(WAIT_SPAN_MS);

	if (m->answer.link != NULL || (m->asked != 0 && now < m->asked + ECHO_MS))
		return;
	if (m->told != 0 && due < m->told + SECOND_MS)
		due = m->told + SECOND_MS;
	timer_set(m->p.loop, &m->answer, due);
}

/* The one piece of control data that was asked for says by which interface it came. */
static bool came_by_loopback(const struct mdns *m, struct msghdr *msg)
{
	const struct cmsghdr *h = CMSG_FIRSTHDR(msg);
	int index = 0;

	if (h != NULL && h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO)
		index = ((const struct in_pktinfo *)(const void *)CMSG_DATA(h))->ipi_ifindex;
	else if (h != NULL && h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PKTINFO)
		index = (int)((const struct in6_pktinfo *)(const void *)CMSG_DATA(h))->ipi6_ifindex;
	for (size_t i = 0; i < m->nat; i++)
		if (m->at[i].index == index)
			return m->at[i].loopback;
	return false;
}

static void on_message(struct mdns *m, struct span data, bool local)
{
	struct mdnsmsg msg;

	if (!mdnsmsg_parse(&msg, data.p, data.n, m->service))
		return;
	m->stats.heard += msg.asks || msg.naddrs > 0;
	if (msg.asks)
		on_question(m);
	for (size_t i = 0; i < msg.naddrs; i++)
		if (!peerid_same(&msg.addrs[i].peer, &m->self)) {
			m->stats.found++;
			m->p.found(m->p.arg, &msg.addrs[i], local);
		}
}

/* true: there may be more. */
static bool read_one(struct mdns *m, int fd)
{
	uint8_t room[MDNSMSG_RECEIVE_MAX];
	union {
		struct cmsghdr align;
		char room[256];
	} control;
	struct addr from = { .len = sizeof(from.ss) };
	struct iovec iov = { room, sizeof(room) };
	struct msghdr msg = { .msg_name = &from.ss, .msg_namelen = sizeof(from.ss), .msg_iov = &iov,
		.msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR;
	if (m->packets++ == 0) {
		m->from = loop_now(m->p.loop);
		timer_set(m->p.loop, &m->second, m->from + SECOND_MS);
	}
	if (addr_port(&from) == MDNS_PORT && !(msg.msg_flags & MSG_TRUNC))
		on_message(m, span_make(room, (size_t)n), came_by_loopback(m, &msg));
	return m->packets < MDNS_PACKETS_PER_S;
}

static struct channel *channel_of(struct io *io)
{
	return (struct channel *)(void *)((char *)io - offsetof(struct channel, io));
}

static unsigned want(struct io *io)
{
	const struct mdns *m = channel_of(io)->m;

	return m != NULL && m->packets < MDNS_PACKETS_PER_S ? LOOP_READ : 0;
}

static void ready(struct io *io, unsigned got)
{
	struct channel *c = channel_of(io);

	(void)got;
	while (c->m != NULL && read_one(c->m, io->fd))
		;
}

static void reap(struct io *io)
{
	close(io->fd);
	free(channel_of(io));
}

/* ---- life ---- */

static bool set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* The IPv4 socket is bound to the group, so that it takes no datagram meant for another responder of this
 * machine alone; an IPv6 socket would be bound to one interface by that. */
static int open_socket(bool v6)
{
	struct addr at;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	addr_parse(&at, span_of(v6 ? "::" : MDNS_GROUP4), MDNS_PORT);
	if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	    (v6 ? set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
			set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOPS)
		: set(fd, SOL_SOCKET, SO_REUSEPORT, 1) && set(fd, IPPROTO_IP, IP_PKTINFO, 1) &&
			set(fd, IPPROTO_IP, IP_MULTICAST_TTL, HOPS) &&
			set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)) &&
	    bind(fd, (const struct sockaddr *)&at.ss, at.len) == 0)
		return fd;
	close(fd);
	return -1;
}

static void open_channel(struct mdns *m, bool v6)
{
	struct channel *c = calloc(1, sizeof(*c));
	int fd = c != NULL ? open_socket(v6) : -1;

	if (fd >= 0) {
		*c = (struct channel){ .io = { .fd = fd, .want = want, .ready = ready, .reap = reap },
			.m = m,
			.v6 = v6 };
		if (loop_add(m->p.loop, &c->io, NULL) == 0) {
			m->channels[v6] = c;
			return;
		}
		close(fd);
	}
	free(c);
}

static void make_name(struct mdns *m)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < MDNSMSG_NAME_LEN; i++)
		m->name[i] = letters[rand_below(sizeof(letters) - 1)];
}

int mdns_new(const struct mdns_params *p, struct mdns **out, struct err *err)
{
	struct mdns *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for mDNS");
	m->p = *p;
	m->p.interval_ms = p->interval_ms >= SECOND_MS ? p->interval_ms : SECOND_MS;
	m->self = *p->self;
	mdnsmsg_service(m->service, p->group_key);
	m->p.group_key = NULL;
	m->p.self = &m->self;
	m->ask.fire = on_ask;
	m->answer.fire = on_answer;
	m->second.fire = on_second;
	make_name(m);
	errno = 0;
	open_channel(m, false);
	open_channel(m, true);
	look_around(m);
	if ((m->channels[0] == NULL && m->channels[1] == NULL) || m->nat == 0) {
		err_sys(err, ERR_IO, "no multicast on UDP port %d", MDNS_PORT);
		mdns_free(m);
		return ERR_IO;
	}
	mdns_again(m);
	*out = m;
	return 0;
}

void mdns_free(struct mdns *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < 2; i++)
		if (m->channels[i] != NULL) {
			m->channels[i]->m = NULL;
			m->channels[i]->io.dead = true;
		}
	timer_clear(m->p.loop, &m->ask);
	timer_clear(m->p.loop, &m->answer);
	timer_clear(m->p.loop, &m->second);
	free(m);
}

const struct mdns_stats *mdns_stats(const struct mdns *m)
{
	return &m->stats;
}
