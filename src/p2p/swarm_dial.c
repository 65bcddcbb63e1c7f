#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "net/dial.h"
#include "net/resolve.h"
#include "p2p/flock.h"

#define LOOK_MS 1000
#define MINUTE_MS 60000

/* ---- one dial ---- */

static void on_dialled(void *arg, int fd, const struct err *err)
{
	struct peer *p = arg;

	p->dial = NULL;
	if (fd < 0)
		flock_failed(p, err);
	else
		flock_begin(p, fd, &p->target.peer);
}

static int dial_host(struct peer *p, struct span host, struct err *err)
{
	return dial_start(p->sw->loop, host, p->target.port, SWARM_DIAL_MS, on_dialled, p, &p->dial, err);
}

static int dial_addr(struct peer *p, const struct addr *a, struct err *err)
{
	char text[MULTIADDR_NAME_MAX + 1];
	struct multiaddr m;

	multiaddr_of_addr(&m, a);
	multiaddr_dial_host(&m, text);
	return dial_host(p, span_of(text), err);
}

/* ---- a name's addresses ---- */

struct flock_names {
	struct addr addrs[RESOLVE_MAX];
	size_t n, at;			/* the next to dial */
	struct err first;		/* why the first one failed */
};

bool flock_try_next(struct peer *p, struct err *err)
{
	struct flock_names *n = p->names;

	if (n == NULL)
		return false;
	if (n->first.cls == 0)
		n->first = *err;
	while (n->at < n->n)
		if (dial_addr(p, &n->addrs[n->at++], err) == 0)
			return true;
	*err = n->first;
	if (n->n > 1)
		err_prefix(err, "none of %zu addresses of %s is a peer", n->n, p->target.name);
	return false;
}

static bool is_wanted(const struct multiaddr *m, const struct addr *a)
{
	return m->host == MULTIADDR_DNS || addr_is_v6(a) == (m->host == MULTIADDR_DNS6);
}

static void on_resolved(void *arg, const struct addr *addrs, size_t n, const struct err *err)
{
	struct peer *p = arg;
	struct err why = *err;

	p->resolve = NULL;
	p->names = calloc(1, sizeof(*p->names));
	for (size_t i = 0; p->names != NULL && i < n; i++)
		if (is_wanted(&p->target, &addrs[i]))
			p->names->addrs[p->names->n++] = addrs[i];
	if (p->names == NULL)
		err_set(&why, ERR_INTERNAL, "no memory for the addresses of %s", p->target.name);
	else if (n > 0 && p->names->n == 0)
		err_set(&why, ERR_UNAVAIL, "%s has no IPv%d address", p->target.name,
		    p->target.host == MULTIADDR_DNS6 ? 6 : 4);
	else if (n > 0 && dial_addr(p, &p->names->addrs[p->names->at++], &why) == 0)
		return;
	flock_failed(p, &why);
}

static int start(struct peer *p, struct err *err)
{
	char host[MULTIADDR_NAME_MAX + 1];

	if (!multiaddr_dial_host(&p->target, host))
		return err_set(err, ERR_USAGE, "a peer id without an address cannot be dialled");
	if (p->target.host == MULTIADDR_DNS || p->target.host == MULTIADDR_DNS4 ||
	    p->target.host == MULTIADDR_DNS6)
		return resolve_start(p->sw->loop, span_of(host), p->target.port, on_resolved, p, &p->resolve,
		    err);
	return dial_host(p, span_of(host), err);
}

void flock_cancel_dial(struct peer *p)
{
	if (p->resolve != NULL)
		resolve_cancel(p->resolve);
	if (p->dial != NULL)
		dial_cancel(p->dial);
	free(p->names);
	p->resolve = NULL;
	p->dial = NULL;
	p->names = NULL;
}

int swarm_dial(struct swarm *sw, const struct multiaddr *m,
    void (*done)(void *arg, struct peer *, const struct err *), void *arg, struct err *err)
{
	struct peer *p = flock_add(sw);
	int rc;

	if (p == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a connection");
	p->target = *m;
	rc = start(p, err);
	if (rc != 0) {
		flock_drop(p);
		return rc;
	}
	p->asked = true;
	p->done = done;
	p->arg = arg;
	return 0;
}

/* ---- by choice ---- */

static bool skip(void *arg, const struct multiaddr *m)
{
	struct swarm *sw = arg;

	for (const struct peer *p = sw->peers; p != NULL; p = p->next)
		if (m->peer.n > 0 &&
		    (peerid_same(&p->id, &m->peer) || peerid_same(&p->target.peer, &m->peer)))
			return true;
	return false;
}

static unsigned underway(const struct swarm *sw, unsigned *connected)
{
	unsigned n = 0;

	*connected = 0;
	for (const struct peer *p = sw->peers; p != NULL; p = p->next) {
		n += p->entry != NULL && !p->up;
		*connected += p->entry != NULL && p->up;
	}
	return n;
}

static void dial_entry(struct swarm *sw, struct book_entry *e)
{
	struct peer *p = flock_add(sw);
	struct err err;

	if (p == NULL)
		return;
	err_init(&err);
	p->target = e->addr;
	p->entry = e;
	p->bootstrap = e->via == SWARM_BOOTSTRAP;
	e->busy = true;
	sw->minute_dials++;
	if (start(p, &err) != 0)
		flock_failed(p, &err);
}

static void tell_short(struct swarm *sw, int64_t now)
{
	unsigned connected = 0;

	for (const struct peer *p = sw->peers; p != NULL; p = p->next)
		connected += p->up;
	if (connected >= sw->p.min_peers || now < sw->short_told + LOOK_MS || sw->p.ops.on_short == NULL)
		return;
	sw->short_told = now;
	sw->p.ops.on_short(sw->p.ops.arg);
}

static void look(struct swarm *sw)
{
	int64_t now = loop_now(sw->loop);
	struct book_entry *e = NULL;
	unsigned connected, n = underway(sw, &connected), taken = flock_taken(sw);

	if (now - sw->minute >= MINUTE_MS) {
		sw->minute = now;
		sw->minute_dials = 0;
	}
	while (n < SWARM_DIALS && connected + n < sw->p.outbound_max && taken < sw->p.max_peers &&
	    sw->minute_dials < SWARM_DIALS_PER_MIN && sw->npeers < SWARM_FDS_MAX) {
		e = book_next(&sw->book, now, skip, sw);
		if (e == NULL)
			break;
		dial_entry(sw, e);
		n++;
	}
	if (n == 0 && e == NULL)
		tell_short(sw, now);
}

static void on_look(struct job *j)
{
	struct swarm *sw = (struct swarm *)(void *)((char *)j - offsetof(struct swarm, look));

	if (sw->dialling && !sw->stopping)
		look(sw);
}

static void on_tick(struct timer *t)
{
	struct swarm *sw = (struct swarm *)(void *)((char *)t - offsetof(struct swarm, tick));

	flock_tend(sw);
	flock_look(sw);
	timer_set(sw->loop, t, loop_now(sw->loop) + LOOK_MS);
}

void flock_look(struct swarm *sw)
{
	job_queue(sw->loop, &sw->look);
}

void flock_init_dialling(struct swarm *sw)
{
	sw->look.run = on_look;
	sw->tick.fire = on_tick;
}

void flock_end_dialling(struct swarm *sw)
{
	job_cancel(sw->loop, &sw->look);
	timer_clear(sw->loop, &sw->tick);
	sw->dialling = false;
}

void swarm_start(struct swarm *sw)
{
	sw->dialling = true;
	sw->minute = loop_now(sw->loop);
	for (size_t i = 0; i < sw->p.nbootstrap; i++)
		if (!peerid_same(&sw->p.bootstrap[i].peer, &sw->self.id))
			book_learn(&sw->book, &sw->p.bootstrap[i], SWARM_BOOTSTRAP);
	flock_look(sw);
	timer_set(sw->loop, &sw->tick, loop_now(sw->loop) + LOOK_MS);
}

void swarm_learn(struct swarm *sw, const struct multiaddr *m, enum swarm_via via, bool over_loopback)
{
	if (peerid_same(&m->peer, &sw->self.id) || multiaddr_refusal(m, over_loopback) != NULL ||
	    book_is_shunned(&sw->book, &m->peer, loop_now(sw->loop)))
		return;
	book_learn(&sw->book, m, via);
	if (sw->dialling)
		flock_look(sw);
}
