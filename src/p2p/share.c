#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/addr.h"
#include "p2p/basic.h"
#include "p2p/sharing.h"

static const char *const serves[] = { WIRE_PROTOCOL, WIRE_ACCELERATE };

#define NSERVES 2
#define POOR 4			/* who has fewer members takes a place of others */
#define EVICT_MS 200		/* but not more often */

static void on_control(void *arg, struct stream *, enum stream_event);

bool member_is(const struct member *m)
{
	return m->informed && session_is_up(peer_session(m->peer));
}

/* ---- buckets ---- */

static void fill(struct bucket *b, int64_t now)
{
	int64_t more = (now - b->at) * b->rate / 1000;

	if (more <= 0)
		return;
	b->left = b->left + more < b->rate ? b->left + more : b->rate;
	b->at = now;
}

bool member_may_read(struct member *m)
{
	int64_t now = loop_now(m->share->loop), wait = 1;

	fill(&m->past->messages, now);
	fill(&m->past->bytes, now);
	if (m->past->messages.left > 0 && m->past->bytes.left > 0)
		return true;
	if (m->past->messages.left <= 0)
		wait = (1 - m->past->messages.left) * 1000 / m->past->messages.rate + 1;
	if (m->past->bytes.left <= 0 && (1 - m->past->bytes.left) * 1000 / m->past->bytes.rate + 1 > wait)
		wait = (1 - m->past->bytes.left) * 1000 / m->past->bytes.rate + 1;
	timer_set(m->share->loop, &m->refill, now + wait);
	return false;
}

void member_took(struct member *m, int64_t messages, int64_t bytes)
{
	m->past->messages.left -= messages;
	m->past->bytes.left -= bytes;
}

static void on_refill(struct timer *t)
{
	struct member *m = (struct member *)(void *)((char *)t - offsetof(struct member, refill));

	if (m->control != NULL)
		on_control(m, m->control, STREAM_DATAIN);
	serve_pump(m);
	ask_pump(m);
	named_pump(m);
}

/* ---- writing ---- */

int member_write(struct member *m, struct stream *s, struct span json)
{
	struct buf b;
	int rc;

	buf_init(&b, SHARING_ROOM);
	rc = wire_seal(&m->keys, WIRE_HEADER, json, &b, NULL);
	if (rc == 0)
		rc = b.failed ? ERR_INTERNAL : stream_write(s, buf_data(&b), buf_len(&b));
	buf_free(&b);
	return rc;
}

void member_broke(struct member *m, const struct wire_reader *r)
{
	*(r->unsealed ? &m->share->stats.bad_seal : &m->share->stats.bad_message) += 1;
	peer_shun(m->peer, r->unsealed ? "its messages are sealed with another key"
				       : "its messages break the form");
}

/* ---- peer_info ---- */

static void add_known(struct message *out, const struct member *m)
{
	const struct basic_peer *b = peer_basic(m->peer);
	struct multiaddr *a = &out->peers[out->npeers++];

	memset(a, 0, sizeof(*a));
	if (b != NULL && b->naddrs > 0)
		*a = b->addrs[0];
	a->peer = *peer_id(m->peer);
}

static void send_info(struct member *m)
{
	struct share *s = m->share;
	struct message *out = calloc(1, sizeof(*out));
	const struct multiaddr *addrs;
	size_t n = swarm_addrs(s->swarm, &addrs);
	struct buf b;

	if (out == NULL)
		return;
	out->network_id = span_of(s->network);
	out->agent = span_of(s->agent);
	out->time = clock_wall();
	for (size_t i = 0; i < n && out->naddrs < MESSAGE_ADDRS_MAX; i++) {
		out->addrs[out->naddrs] = addrs[i];
		out->addrs[out->naddrs++].peer = *swarm_id(s->swarm);
	}
	for (const struct member *o = s->members; o != NULL && out->npeers < MESSAGE_PEERS_MAX; o = o->next)
		if (o != m && o->informed)
			add_known(out, o);
	buf_init(&b, WIRE_HEADER_MAX);
	message_put_peer_info(&b, out);
	member_write(m, m->control, buf_span(&b));
	buf_free(&b);
	free(out);
}

static void on_news(struct timer *t)
{
	struct share *s = (struct share *)(void *)((char *)t - offsetof(struct share, news));

	s->news_due = 0;
	timer_clear(s->loop, t);
	for (struct member *m = s->members; m != NULL; m = m->next)
		if (member_is(m) && m->control != NULL)
			send_info(m);
}

/* What is announced is passed on to those alone that the sender does not know, so members have to know each
 * other's members. */
static void tell_news(struct share *s)
{
	if (s->news_due != 0 || s->closing)
		return;
	s->news_due = loop_now(s->loop) + SHARE_NEWS_MS;
	timer_set(s->loop, &s->news, s->news_due);
}

/* Until when it is kept; 0: it has done nothing lately. */
static int64_t worth(const struct member *m)
{
	return m->past->useful_until > loop_now(m->share->loop) ? m->past->useful_until : 0;
}

static bool is_worse(const struct member *m, const struct member *than)
{
	return worth(m) != worth(than)
	    ? worth(m) < worth(than)
	    : session_since(peer_session(m->peer)) < session_since(peer_session(than->peer));
}

/* All places are taken. The first who came would keep them for ever, and late ones find nobody: so a place of
 * the oldest that dialled us, which had the time to find others, goes to one that has next to nobody. It says
 * so itself, so a flood of such ones gets the places of those that did nothing lately; of others only while
 * they have more than three quarters, which shut out everybody else. */
static bool find_place(struct member *m, size_t has)
{
	struct share *s = m->share;
	const struct member *worst = NULL;
	size_t n = 0, useful = 0;

	if (has >= POOR || session_dialled(peer_session(m->peer)) ||
	    loop_now(s->loop) < s->evicted + EVICT_MS)
		return false;
	for (const struct member *o = s->members; o != NULL; o = o->next) {
		if (o == m || !member_is(o) || peer_is_visitor(o->peer))
			continue;
		n++;
		useful += worth(o) > 0;
		if (!session_dialled(peer_session(o->peer)) && (worst == NULL || is_worse(o, worst)))
			worst = o;
	}
	if (worst == NULL || (worth(worst) > 0 && useful * 4 <= n * 3))
		return false;
	s->evicted = loop_now(s->loop);
	session_close(peer_session(worst->peer), 0);
	peer_stays(m->peer);
	return true;
}

static bool is_our_network(const struct share *s, struct span id)
{
	return span_eq(id, s->network) || (s->shared[0] != '\0' && span_eq(id, s->shared));
}

static void learn(struct member *m, const struct message *in)
{
	bool loopback = addr_is_loopback(session_addr(peer_session(m->peer)));

	for (size_t i = 0; i < in->naddrs; i++)
		if (peerid_same(&in->addrs[i].peer, peer_id(m->peer)))
			swarm_learn(m->share->swarm, &in->addrs[i], SWARM_EXCHANGE, loopback);
	m->nknows = 0;
	for (size_t i = 0; i < in->npeers; i++) {
		m->knows[m->nknows++] = in->peers[i].peer;
		if (in->peers[i].host != MULTIADDR_NONE)
			swarm_learn(m->share->swarm, &in->peers[i], SWARM_EXCHANGE, loopback);
	}
}

static void on_info(struct member *m, const struct message *in)
{
	struct share *s = m->share;

	if (!is_our_network(s, in->network_id)) {
		peer_shun(m->peer, "it belongs to another network");
		return;
	}
	learn(m, in);
	if (m->informed)
		return;
	m->informed = m->past->member = true;
	named_on_member(m);
	m->reader.max = WIRE_HEADER_MAX;
	timer_clear(s->loop, &m->info);
	peer_set_kind(m->peer, PEER_MEMBER);
	if (!session_dialled(peer_session(m->peer)))
		send_info(m);
	tell_news(s);
	if (peer_is_visitor(m->peer) && !find_place(m, in->npeers))
		session_close(peer_session(m->peer), 0);
	else
		serve_pump(m);
}

/* ---- the control stream ---- */

/* false: the peer went. */
static bool on_header(struct member *m, struct span json)
{
	struct message *in = &m->share->message;

	if (message_parse(in, json, NULL) != 0 || (!m->informed && in->type != MESSAGE_PEER_INFO)) {
		m->share->stats.bad_message++;
		peer_shun(m->peer, "its messages break the form");
		return false;
	}
	switch (in->type) {
	case MESSAGE_PEER_INFO:
		on_info(m, in);
		break;
	case MESSAGE_CACHE_ENTRY:
		tell_on_entries(m, in);
		break;
	case MESSAGE_INVALIDATE:
		tell_on_invalidate(m, in);
		break;
	case MESSAGE_ERROR:
		log_debug("a peer says %.*s: %.*s", (int)in->code.n, in->code.p, (int)in->text.n, in->text.p);
		break;
	case MESSAGE_CACHE_REQUEST:
	case MESSAGE_CACHE_RESPONSE:
	case MESSAGE_UNKNOWN:
		break;
	}
	return session_is_up(peer_session(m->peer));
}

/* The dialer's first stream begins in the reference's form, or it is not known yet. */
static bool is_named(struct member *m)
{
	int rc;

	if (m->informed || session_dialled(peer_session(m->peer)) || !wire_reader_idle(&m->reader))
		return false;
	rc = named_take(m, m->control);
	if (rc == 1)
		m->control = NULL;
	return rc != 0;
}

static void read_control(struct member *m)
{
	struct buf *in = stream_in(m->control);
	enum wire_event ev;
	struct span json;

	/* It answers our peer_info in its own words. */
	if (m->reference && session_dialled(peer_session(m->peer)))
		stream_consume(m->control, buf_len(in));
	if (is_named(m))
		return;
	while (buf_len(in) > 0 && member_may_read(m)) {
		ssize_t n = wire_reader_feed(&m->reader, buf_data(in), buf_len(in), &ev, &json);

		if (n < 0) {
			member_broke(m, &m->reader);
			return;
		}
		stream_consume(m->control, (size_t)n);
		member_took(m, ev == WIRE_GOT_HEADER, n);
		if (ev == WIRE_GOT_HEADER && !on_header(m, json))
			return;
	}
}

static void lose_control(struct member *m)
{
	stream_free(m->control, 0);
	m->control = NULL;
}

static void on_control(void *arg, struct stream *st, enum stream_event ev)
{
	struct member *m = arg;

	(void)st;
	switch (ev) {
	case STREAM_DATAIN:
		read_control(m);
		break;
	case STREAM_REFUSED:		/* `na`: a libp2p peer, and none of ours */
		lose_control(m);
		timer_clear(m->share->loop, &m->info);
		peer_set_kind(m->peer, PEER_PLAIN);
		break;
	case STREAM_RESET:
	case STREAM_EOF:
		lose_control(m);
		if (m->informed)	/* it would hear of nothing any more: it may come again */
			session_close(peer_session(m->peer), 0);
		break;
	case STREAM_OPEN:
	case STREAM_LOWAT:
	case STREAM_TIMEOUT:
		break;
	}
}

/* ---- peers come and go ---- */

static void on_silent(struct timer *t)
{
	struct member *m = (struct member *)(void *)((char *)t - offsetof(struct member, info));
	const struct basic_peer *b = peer_basic(m->peer);

	if (b != NULL && strncmp(b->agent, "ghoard/", 7) == 0)
		peer_shun(m->peer, "it calls itself ghoard and does not say who it is");
	else if (!named_on_silent(m))
		peer_set_kind(m->peer, PEER_PLAIN);
}

static void init_buckets(struct member *m)
{
	const struct share_params *p = &m->share->p;
	int64_t now = loop_now(m->share->loop);
	int64_t bytes = p->bytes_per_s < INT64_MAX / 1000000 ? (int64_t)p->bytes_per_s : INT64_MAX / 1000000;

	if (m->past->messages.rate > 0)
		return;
	m->past->messages = (struct bucket){ p->messages_per_s, p->messages_per_s, now };
	m->past->bytes = (struct bucket){ bytes, bytes, now };
}

static void on_up(void *arg, struct peer *peer)
{
	struct share *s = arg;
	struct member *m = calloc(1, sizeof(*m));
	bool dialled = session_dialled(peer_session(peer));

	if (m == NULL || (m->past = standing_enter(s->standings, peer_id(peer))) == NULL) {
		free(m);
		return;
	}
	peer_set(peer, m);
	m->share = s;
	m->peer = peer;
	m->info.fire = on_silent;
	m->refill.fire = on_refill;
	m->next = s->members;
	s->members = m;
	init_buckets(m);
	wire_keys_init(&m->keys, s->group, dialled ? swarm_id(s->swarm) : peer_id(peer),
	    dialled ? peer_id(peer) : swarm_id(s->swarm), dialled);
	wire_reader_init(&m->reader, &m->keys, WIRE_EARLY_MAX);
	timer_set(s->loop, &m->info, loop_now(s->loop) + SHARE_INFO_MS);
	if (dialled && stream_open(peer_session(peer), serves, 1, on_control, m, &m->control, NULL) == 0)
		send_info(m);
}

static void on_down(void *arg, struct peer *peer)
{
	struct share *s = arg;
	struct member *m = peer_get(peer), **at = &s->members;

	if (m == NULL)
		return;
	peer_set(peer, NULL);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	timer_clear(s->loop, &m->info);
	timer_clear(s->loop, &m->refill);
	m->informed = false;
	tell_news(s);
	tell_forget(s, m);
	holders_remove_peer(s->holders, m);
	serve_forget(m);
	named_forget(m);
	ask_forget(m);
	lose_control(m);
	wire_reader_free(&m->reader);
	wire_keys_wipe(&m->keys);
	standing_leave(m->past, loop_now(s->loop));
	free(m);
}

/* Of the cache's protocols the dialer's first is the control stream; every other is a request. */
static void on_stream(void *arg, struct peer *peer, struct stream *st, size_t protocol)
{
	struct member *m = peer_get(peer);

	struct share *s = arg;

	if (protocol >= NSERVES && s->others.on_stream != NULL)
		s->others.on_stream(s->others.arg, peer, st, protocol - NSERVES);
	if (protocol >= NSERVES || m == NULL)
		return;
	if (!m->informed && m->control == NULL && !session_dialled(peer_session(peer))) {
		m->control = st;
		stream_accept(st, on_control, m);
		if (buf_len(stream_in(st)) > 0)
			read_control(m);
		return;
	}
	serve_take(m, st);
}

static void on_short(void *arg)
{
	struct share *s = arg;

	if (s->p.on_short != NULL)
		s->p.on_short(s->p.arg);
}

/* ---- life ---- */

static bool keep_params(struct share *s, const struct share_params *p)
{
	s->p = *p;
	memcpy(s->group, p->group_key, WIRE_GROUP_KEY_LEN);
	if (p->body_max > WIRE_BODY_MAX)
		s->p.body_max = WIRE_BODY_MAX;
	if (p->messages_per_s == 0)
		s->p.messages_per_s = 100;
	if (p->bytes_per_s == 0)
		s->p.bytes_per_s = (uint64_t)10 << 20;
	return span_copy(s->network, sizeof(s->network), span_of(p->network_id)) &&
	    span_copy(s->shared, sizeof(s->shared), span_of(p->shared_network_id)) &&
	    span_copy(s->agent, sizeof(s->agent), span_of(p->agent)) &&
	    span_copy(s->tmp_dir, sizeof(s->tmp_dir), span_of(p->tmp_dir));
}

int share_new(const struct swarm_params *sp, const struct share_params *p, struct share **out,
    struct err *err)
{
	struct swarm_params params = *sp;
	struct share *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL || (s->holders = holders_new()) == NULL)
		rc = err_set(err, ERR_INTERNAL, "no memory for the peers");
	if (rc == 0 && !keep_params(s, p))
		rc = err_set(err, ERR_CONFIG,
		    "the network's name, the agent or the folder for temporary files is too long");
	if (rc == 0) {
		message_init(&s->message);
		s->loop = sp->loop;
		s->gather.fire = tell_on_gather;
		s->writing.fire = tell_on_writes;
		s->news.fire = on_news;
		params.serves = s->serves;
		params.nserves = NSERVES;
		memcpy(s->serves, serves, sizeof(serves));
		for (size_t i = 0; i < sp->nserves && i < SHARING_SERVES; i++)
			s->serves[params.nserves++] = sp->serves[i];
		s->others = sp->ops;
		params.ops = (struct swarm_ops){ on_up, on_down, on_stream, NULL, on_short, s };
		rc = swarm_new(&params, &s->swarm, err);
	}
	if (rc != 0) {
		share_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void share_free(struct share *s)
{
	if (s == NULL)
		return;
	s->closing = true;
	for (struct member *m = s->members; m != NULL; m = m->next)
		serve_forget(m);
	while (s->calls != NULL)
		share_cancel(s->calls);
	while (s->members != NULL)
		on_down(s, s->members->peer);
	if (s->loop != NULL) {
		timer_clear(s->loop, &s->gather);
		timer_clear(s->loop, &s->writing);
		timer_clear(s->loop, &s->news);
	}
	tell_forget(s, NULL);
	tell_forget_writes(s);
	swarm_free(s->swarm);
	holders_free(s->holders);
	message_free(&s->message);
	memset(s->group, 0, sizeof(s->group));
	free(s);
}

struct swarm *share_swarm(struct share *s)
{
	return s->swarm;
}

const struct share_stats *share_stats(const struct share *s)
{
	return &s->stats;
}
