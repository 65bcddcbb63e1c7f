#include "base/json.h"
#include "base/log.h"
#include "p2p/flock.h"

static const char *const kinds[] = { "new", "member", "reference", "plain" };

/* ---- which there are ---- */

static struct peer *first_up(struct peer *p)
{
	while (p != NULL && (!p->up || p->leaving))
		p = p->next;
	return p;
}

struct peer *swarm_next(const struct swarm *sw, const struct peer *p)
{
	return first_up(p == NULL ? sw->peers : p->next);
}

struct peer *swarm_peer(const struct swarm *sw, const struct peerid *id)
{
	struct peer *p = NULL;

	while ((p = swarm_next(sw, p)) != NULL)
		if (peerid_same(&p->id, id))
			return p;
	return NULL;
}

size_t swarm_count(const struct swarm *sw, enum peer_kind kind)
{
	size_t n = 0;

	for (const struct peer *p = sw->peers; p != NULL; p = p->next)
		n += p->up && p->kind == kind;
	return n;
}

/* ---- one ---- */

const struct peerid *peer_id(const struct peer *p)
{
	return &p->id;
}

struct session *peer_session(const struct peer *p)
{
	return p->session;
}

const struct basic_peer *peer_basic(const struct peer *p)
{
	return basic_peer(p->basic);
}

enum peer_kind peer_kind(const struct peer *p)
{
	return p->kind;
}

static bool is_outside(enum peer_kind kind)
{
	return kind == PEER_PLAIN || kind == PEER_REFERENCE;
}

bool peer_set_kind(struct peer *p, enum peer_kind kind)
{
	if (is_outside(kind) && !is_outside(p->kind) &&
	    (p->visitor ||
		swarm_count(p->sw, PEER_PLAIN) + swarm_count(p->sw, PEER_REFERENCE) >= SWARM_PLAIN_MAX)) {
		p->sw->stats.refused_full++;
		session_close(p->session, 0);
		return false;
	}
	p->kind = kind;
	return true;
}

void peer_set(struct peer *p, void *state)
{
	p->state = state;
}

void *peer_get(const struct peer *p)
{
	return p->state;
}

bool peer_is_visitor(const struct peer *p)
{
	return p->visitor;
}

void peer_stays(struct peer *p)
{
	p->visitor = false;
}

bool peer_is_bootstrap(const struct peer *p)
{
	return p->bootstrap;
}

bool peer_ping(struct peer *p, void (*done)(void *arg, int64_t us), void *arg)
{
	return basic_ping(p->basic, done, arg);
}

void peer_shun(struct peer *p, const char *why)
{
	char text[PEERID_TEXT_MAX];

	peerid_text(&p->id, text);
	log_warn("peer %s is left alone for a while: %s", text, why);
	p->sw->stats.shunned++;
	book_shun(&p->sw->book, &p->id, loop_now(p->sw->loop));
	session_close(p->session, 0);
}

/* ---- ls ---- */

static void put_peer(const struct swarm *sw, struct peer *p, struct json *list)
{
	struct json *o = json_put_object(list, NULL);
	char id[PEERID_TEXT_MAX], at[MULTIADDR_TEXT_MAX];
	struct multiaddr m;

	peerid_text(&p->id, id);
	multiaddr_of_addr(&m, &p->addr);
	multiaddr_text(&m, at);
	json_put_str(o, "id", id);
	json_put_str(o, "addr", at);
	json_put_str(o, "direction", session_dialled(p->session) ? "out" : "in");
	json_put_str(o, "kind", kinds[p->kind]);
	json_put_str(o, "agent", basic_peer(p->basic)->agent);
	json_put_int(o, "seconds", (loop_now(sw->loop) - session_since(p->session)) / 1000);
	json_put_int(o, "rtt_ms", session_rtt(p->session));
}

void swarm_report(const struct swarm *sw, struct buf *out)
{
	struct json *list = json_array();
	struct peer *p = NULL;

	while ((p = swarm_next(sw, p)) != NULL)
		put_peer(sw, p, list);
	json_print(list, false, out);
	json_free(list);
}
