#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "net/listen.h"
#include "p2p/flock.h"

#define REPLACED_MS 0		/* of two connections of a peer, the one that goes */

/* ---- peers: memory ---- */

struct peer *flock_add(struct swarm *sw)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->sw = sw;
	p->next = sw->peers;
	sw->peers = p;
	sw->npeers++;
	return p;
}

void flock_drop(struct peer *p)
{
	struct peer **at = &p->sw->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->sw->npeers--;
	flock_cancel_dial(p);
	basic_free(p->basic);
	session_free(p->session);
	free(p);
}

static void tell_done(struct peer *p, struct peer *who, const struct err *err)
{
	if (!p->asked)
		return;
	p->asked = false;
	p->done(p->arg, who, err);
}

static void note_failure(const struct peer *p, const char *why)
{
	char text[MULTIADDR_TEXT_MAX];

	if (p->target.host == MULTIADDR_NONE)
		return;
	multiaddr_text(&p->target, text);
	snprintf(p->sw->stats.failure, sizeof(p->sw->stats.failure), "%.120s: %.130s", text, why);
	log_debug("no connection to %s: %s", text, why);
}

void flock_failed(struct peer *p, const struct err *err)
{
	struct swarm *sw = p->sw;
	struct err why = *err;

	note_failure(p, err->msg);
	if (p->target.host == MULTIADDR_NONE)
		log_debug("a caller was not let in: %s", err->msg);
	if (!sw->stopping && flock_try_next(p, &why))
		return;
	sw->stats.failed++;
	if (p->entry != NULL)
		book_done(p->entry, false, loop_now(sw->loop));
	tell_done(p, NULL, &why);
	flock_drop(p);
	flock_look(sw);
}

/* ---- who is let in ---- */

static bool is_listed(const struct peerid *list, size_t n, const struct peerid *id)
{
	for (size_t i = 0; i < n; i++)
		if (peerid_same(&list[i], id))
			return true;
	return false;
}

static bool is_welcome(struct swarm *sw, const struct peerid *id)
{
	if (peerid_same(id, &sw->self.id) || is_listed(sw->block, sw->p.nblock, id) ||
	    (sw->p.nallow > 0 && !is_listed(sw->allow, sw->p.nallow, id))) {
		sw->stats.refused_id++;
		return false;
	}
	if (book_is_shunned(&sw->book, id, loop_now(sw->loop))) {
		sw->stats.shunned++;
		return false;
	}
	return true;
}

/* Both sides see it alike: that whose dialer has the smaller id stays; of two of one dialer, the newer. */
static bool beats(const struct swarm *sw, const struct peer *p, const struct peer *old)
{
	bool ours = session_dialled(p->session), olds = session_dialled(old->session);
	bool smaller = peerid_cmp(&sw->self.id, &p->id) < 0;

	return ours == olds || ours == smaller;
}

unsigned flock_taken(const struct swarm *sw)
{
	unsigned n = 0;

	for (const struct peer *q = sw->peers; q != NULL; q = q->next)
		n += q->up && !q->leaving && q->kind != PEER_PLAIN && q->kind != PEER_REFERENCE;
	return n;
}

static bool make_room(struct swarm *sw, struct peer *p)
{
	struct peer *old = swarm_peer(sw, &p->id);
	unsigned n = flock_taken(sw);

	if (old != NULL) {
		sw->stats.duplicates++;
		if (!beats(sw, p, old)) {
			tell_done(p, old, NULL);
			return false;
		}
		old->leaving = true;
		session_close(old->session, REPLACED_MS);
		return true;
	}
	if (n < sw->p.max_peers || p->asked)
		return true;
	sw->stats.refused_full++;
	p->visitor = true;
	return n < sw->p.max_peers + SWARM_VISITORS;
}

/* ---- sessions ---- */

static void on_known(void *arg, const struct basic_peer *b)
{
	struct peer *p = arg;
	struct swarm *sw = p->sw;

	/* Where a member listens now; peer_info told only where it did. */
	for (size_t i = 0; p->kind == PEER_MEMBER && i < b->naddrs; i++) {
		struct multiaddr m = b->addrs[i];

		m.peer = p->id;
		swarm_learn(sw, &m, SWARM_EXCHANGE, addr_is_loopback(&p->addr));
	}
	if (sw->p.ops.on_identify != NULL)
		sw->p.ops.on_identify(sw->p.ops.arg, p, b);
}

static bool on_up(void *arg, struct session *s)
{
	struct peer *p = arg;
	struct swarm *sw = p->sw;
	char text[PEERID_TEXT_MAX];

	p->id = *session_peer(s);
	if (sw->stopping || !is_welcome(sw, &p->id) || !make_room(sw, p) ||
	    basic_new(sw->loop, s, &sw->basic, on_known, p, &p->basic) != 0) {
		/* it answered, and the name's other addresses are hardly somebody else's */
		free(p->names);
		p->names = NULL;
		return false;
	}
	p->up = true;
	if (p->entry != NULL) {
		p->entry->addr.peer = p->id;
	}
	peerid_text(&p->id, text);
	log_info("peer %s is connected (%s)", text, session_dialled(s) ? "dialled" : "accepted");
	if (sw->p.ops.on_up != NULL)
		sw->p.ops.on_up(sw->p.ops.arg, p);
	tell_done(p, p, NULL);
	basic_start(p->basic);
	return true;
}

static void on_stream(void *arg, struct session *s, struct stream *st, size_t protocol)
{
	struct peer *p = arg;

	(void)s;
	if (!p->up)
		return;
	if (protocol < BASIC_SERVES)
		basic_take(p->basic, st, protocol);
	else if (p->sw->p.ops.on_stream != NULL)
		p->sw->p.ops.on_stream(p->sw->p.ops.arg, p, st, protocol - BASIC_SERVES);
}

static void on_down(void *arg, struct session *s, const struct err *err)
{
	struct peer *p = arg;
	struct swarm *sw = p->sw;
	char text[PEERID_TEXT_MAX];

	int64_t stayed = loop_now(sw->loop) - session_since(s);

	p->session = NULL;
	if (!p->up) {
		flock_failed(p, err);
		return;
	}
	peerid_text(&p->id, text);
	log_info("peer %s is gone%s%s", text, err->cls != 0 ? ": " : "", err->msg);
	if (p->kind == PEER_NEW && stayed < SWARM_STAYED_MS)
		note_failure(p, "it closed the connection before it was a member; is its secret another?");
	if (p->entry != NULL)
		book_done(p->entry, stayed >= SWARM_STAYED_MS, loop_now(sw->loop));
	basic_free(p->basic);
	p->basic = NULL;
	if (sw->p.ops.on_down != NULL)
		sw->p.ops.on_down(sw->p.ops.arg, p);
	flock_drop(p);
	flock_look(sw);
}

bool flock_begin(struct peer *p, int fd, const struct peerid *expect)
{
	struct swarm *sw = p->sw;
	struct session_params sp = { .loop = sw->loop,
		.self = &sw->self,
		.serves = sw->serves,
		.nserves = sw->nserves,
		.budget = &sw->budget,
		.handshake_ms = sw->p.handshake_ms,
		.keepalive_ms = sw->p.keepalive_ms,
		.ops = { on_up, on_stream, on_down, p } };
	struct err err;
	int one = 1;

	err_init(&err);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	addr_of_peer(&p->addr, fd);
	if (session_new(&sp, fd, expect, &p->session, &err) != 0) {
		flock_failed(p, &err);
		return false;
	}
	if (expect != NULL)
		sw->stats.dialled++;
	else
		sw->stats.accepted++;
	return true;
}

/* ---- listening ---- */

static bool is_same_host(const struct addr *a, const struct addr *b)
{
	size_t n, m;
	const uint8_t *p = addr_ip(a, &n), *q = addr_ip(b, &m);

	return n == m && memcmp(p, q, n) == 0;
}

/* Why a connection is not taken: the counter of that reason; NULL: it is. */
static uint64_t *refusal(struct swarm *sw, const struct addr *from)
{
	size_t unfinished = 0, same = 0;

	for (const struct peer *p = sw->peers; p != NULL; p = p->next) {
		unfinished += p->session != NULL && !p->up;
		same += p->session != NULL && is_same_host(&p->addr, from);
	}
	if (sw->stopping || sw->npeers >= SWARM_FDS_MAX)
		return &sw->stats.refused_full;
	if (unfinished >= SWARM_UNFINISHED_MAX)
		return &sw->stats.refused_handshakes;
	if (same >= SWARM_PER_ADDRESS && !addr_is_loopback(from))
		return &sw->stats.refused_address;
	return NULL;
}

static void on_accept(void *arg, int fd, bool is_unix, uid_t uid)
{
	struct swarm *sw = arg;
	struct peer *p = NULL;
	uint64_t *why;
	struct addr from;

	(void)is_unix;
	(void)uid;
	why = addr_of_peer(&from, fd) ? refusal(sw, &from) : &sw->stats.failed;
	if (why == NULL)
		p = flock_add(sw);
	if (p == NULL) {
		if (why != NULL)
			++*why;
		close(fd);
		return;
	}
	flock_begin(p, fd, NULL);
}

static bool bind_one(struct swarm *sw, const struct addr *a, uint16_t port, struct err *err)
{
	struct addr at;
	uint16_t taken = port;
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	if (!addr_of_ip(&at, ip, n, port) ||
	    listen_tcp(sw->loop, &at, &taken, on_accept, sw, &sw->listeners, err) != 0)
		return false;
	addr_of_ip(&sw->bound[sw->nbound++], ip, n, taken);
	return true;
}

static bool bind_some(struct swarm *sw, const struct addr *a, struct err *err)
{
	struct err later;

	if (bind_one(sw, a, sw->p.port, err))
		return true;
	for (unsigned port = sw->p.first; port > 0 && port <= sw->p.last; port++) {
		err_init(&later);
		if (port != sw->p.port && bind_one(sw, a, (uint16_t)port, &later))
			return true;
	}
	return false;
}

static void note_addrs(struct swarm *sw);
static uint64_t addrs_hash(const struct swarm *sw);

int swarm_listen(struct swarm *sw, struct err *err)
{
	struct err why;

	err_init(&why);
	for (size_t i = 0; i < sw->p.nlisten && sw->nbound < FLOCK_LISTEN_MAX; i++)
		bind_some(sw, &sw->listen[i], &why);
	note_addrs(sw);
	sw->told = addrs_hash(sw);
	if (sw->nbound > 0 || sw->p.nlisten == 0)
		return 0;
	return err_set(err, ERR_IO, "no port for peers: %u and %u to %u were tried: %s", sw->p.port,
	    sw->p.first, sw->p.last, why.msg);
}

/* ---- where we are ---- */

static bool is_any(const struct addr *a)
{
	static const uint8_t zero[16];
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	return memcmp(ip, zero, n) == 0;
}

static void note(struct swarm *sw, const struct addr *a)
{
	if (sw->basic.naddrs == FLOCK_ADDRS_MAX)
		return;
	multiaddr_of_addr(&sw->addrs[sw->basic.naddrs], a);
	sw->basic.naddrs++;
}

static bool addr_of_interface(struct addr *a, const struct ifaddrs *i, uint16_t port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)i->ifa_addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)i->ifa_addr;

	if (i->ifa_addr == NULL || !(i->ifa_flags & IFF_UP))
		return false;
	if (i->ifa_addr->sa_family == AF_INET)
		return addr_of_ip(a, (const uint8_t *)&v4->sin_addr, 4, port);
	return i->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
	    addr_of_ip(a, (const uint8_t *)&v6->sin6_addr, 16, port);
}

static void note_interfaces(struct swarm *sw, const struct addr *bound, bool loopback)
{
	struct ifaddrs *list = NULL;
	struct addr a;

	if (getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		if (addr_of_interface(&a, i, addr_port(bound)) && addr_is_v6(&a) == addr_is_v6(bound) &&
		    addr_is_loopback(&a) == loopback)
			note(sw, &a);
	freeifaddrs(list);
}

static void note_addrs(struct swarm *sw)
{
	sw->basic.naddrs = 0;
	for (int loopback = 0; loopback < 2; loopback++)
		for (size_t i = 0; i < sw->nbound; i++)
			if (is_any(&sw->bound[i]))
				note_interfaces(sw, &sw->bound[i], loopback == 1);
			else if (addr_is_loopback(&sw->bound[i]) == (loopback == 1))
				note(sw, &sw->bound[i]);
}

size_t swarm_addrs(struct swarm *sw, const struct multiaddr **out)
{
	note_addrs(sw);
	*out = sw->addrs;
	return sw->basic.naddrs;
}

/* FNV-1a over what is dialled. */
static uint64_t addrs_hash(const struct swarm *sw)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < sw->basic.naddrs; i++) {
		const struct multiaddr *m = &sw->addrs[i];

		for (size_t k = 0; k < sizeof(m->ip); k++)
			h = (h ^ m->ip[k]) * 0x100000001b3;
		h = (h ^ m->port) * 0x100000001b3;
	}
	return h;
}

static void look_at_addrs(struct swarm *sw)
{
	uint64_t now;

	note_addrs(sw);
	now = addrs_hash(sw);
	if (now == sw->told)
		return;
	sw->told = now;
	sw->moves++;
	log_info("the addresses for peers have changed");
	for (struct peer *p = NULL; (p = swarm_next(sw, p)) != NULL;)
		basic_push(p->basic);
}

unsigned swarm_moves(const struct swarm *sw)
{
	return sw->moves;
}

/* ---- who is idle ---- */

/* Whom we dialled we wanted, members have their control stream; others may come again. */
static bool is_idle(const struct peer *p, int64_t now)
{
	return p->sw->p.idle_ms > 0 && p->kind != PEER_MEMBER && !session_dialled(p->session) &&
	    session_streams(p->session) == 0 && now - session_used(p->session) >= p->sw->p.idle_ms;
}

void flock_tend(struct swarm *sw)
{
	int64_t now = loop_now(sw->loop);

	for (struct peer *p = NULL; (p = swarm_next(sw, p)) != NULL;)
		if (is_idle(p, now))
			session_close(p->session, 0);
	if (now - sw->tended >= SWARM_ADDRS_MS) {
		sw->tended = now;
		look_at_addrs(sw);
	}
}

/* ---- life ---- */

static void *copy(const void *p, size_t n)
{
	void *c = malloc(n > 0 ? n : 1);

	if (c != NULL && n > 0)
		memcpy(c, p, n);
	return c;
}

static int copy_params(struct swarm *sw)
{
	struct swarm_params *p = &sw->p;

	sw->agent = str_dup(p->agent);
	sw->listen = copy(p->listen, p->nlisten * sizeof(p->listen[0]));
	sw->allow = copy(p->allow, p->nallow * sizeof(p->allow[0]));
	sw->block = copy(p->block, p->nblock * sizeof(p->block[0]));
	p->bootstrap = copy(p->bootstrap, p->nbootstrap * sizeof(p->bootstrap[0]));
	sw->nserves = BASIC_SERVES + p->nserves;
	sw->serves = calloc(sw->nserves, sizeof(sw->serves[0]));
	if (sw->agent == NULL || sw->listen == NULL || sw->allow == NULL || sw->block == NULL ||
	    p->bootstrap == NULL || sw->serves == NULL)
		return ERR_INTERNAL;
	memcpy(sw->serves, basic_serves, BASIC_SERVES * sizeof(sw->serves[0]));
	for (size_t i = 0; i < p->nserves; i++)
		sw->serves[BASIC_SERVES + i] = p->serves[i];
	return 0;
}

int swarm_new(const struct swarm_params *p, struct swarm **out, struct err *err)
{
	struct swarm *sw = calloc(1, sizeof(*sw));
	int rc;

	if (sw == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for peers");
	sw->p = *p;
	sw->loop = p->loop;
	sw->budget.max = SWARM_MEMORY_MAX;
	rc = copy_params(sw);
	if (rc != 0)
		err_set(err, rc, "no memory for peers");
	else
		rc = noise_identity_init(&sw->self, p->key, NULL, err);
	peerid_own_key(sw->key, p->key->pub);
	sw->basic = (struct basic_self){ .key = sw->key,
		.agent = sw->agent,
		.addrs = sw->addrs,
		.protocols = sw->serves,
		.nprotocols = sw->nserves };
	flock_init_dialling(sw);
	if (rc != 0) {
		swarm_free(sw);
		return rc;
	}
	*out = sw;
	return 0;
}

void swarm_free(struct swarm *sw)
{
	if (sw == NULL)
		return;
	while (sw->peers != NULL)
		flock_drop(sw->peers);
	listen_close(&sw->listeners);
	flock_end_dialling(sw);
	free(sw->agent);
	free(sw->listen);
	free(sw->allow);
	free(sw->block);
	free((void *)(uintptr_t)sw->p.bootstrap);
	free(sw->serves);
	noise_identity_wipe(&sw->self);
	free(sw);
}

void swarm_stop(struct swarm *sw, int64_t ms)
{
	struct peer *next;

	sw->stopping = true;
	flock_end_dialling(sw);
	listen_close(&sw->listeners);
	for (struct peer *p = sw->peers; p != NULL; p = next) {
		next = p->next;
		if (p->up)
			session_close(p->session, ms);
		else if (!p->asked)
			flock_drop(p);
	}
}

const struct peerid *swarm_id(const struct swarm *sw)
{
	return &sw->self.id;
}

const struct swarm_stats *swarm_stats(const struct swarm *sw)
{
	return &sw->stats;
}

struct session_budget *swarm_budget(struct swarm *sw)
{
	return &sw->budget;
}
