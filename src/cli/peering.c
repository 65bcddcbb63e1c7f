#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/p2p.h"
#include "cli/peering.h"
#include "config/layers.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "p2p/group.h"
#include "p2p/keyfile.h"
#include "p2p/share.h"
#include "p2p/swarm.h"

#ifdef GHOARD_ECHO
#include "peers/echo.h"
#endif

#define LISTEN_MAX 8
#define BOOTSTRAP_MAX 64
#define LIST_MAX 64
#define OUTBOUND_MAX 8

struct lists {				/* for swarm_new, which copies them */
	struct addr listen[LISTEN_MAX];
	struct multiaddr bootstrap[BOOTSTRAP_MAX];
	struct peerid allow[LIST_MAX], block[LIST_MAX];
};

/* ---- whether ---- */

static struct span env(const char *name)
{
	return span_of(getenv(name));
}

static enum group_choice choose(const struct app *a, struct span *secret, const char **why)
{
	bool token = settings_bool(a->settings, "p2p.encryption.token_based") &&
	    settings_bool(a->settings, "security.encryption.key_derivation.use_github_token");

	return group_choose(env("CACHE_P2P_SHARED_SECRET"), env("GH_TOKEN"), env("GITHUB_TOKEN"), token,
	    secret, why);
}

enum peering_state peering_judge(const struct app *a, const char **why)
{
	struct span secret;

	*why = "p2p.enabled is off";
	if (!settings_bool(a->settings, "p2p.enabled"))
		return PEERING_OFF;
	switch (choose(a, &secret, why)) {
	case GROUP_SECRET:
		return PEERING_ON;
	case GROUP_NONE:
		*why = "no group secret: set CACHE_P2P_SHARED_SECRET";
		break;
	case GROUP_JOB_TOKEN:
	case GROUP_WEAK:
		break;
	}
	return PEERING_OFF;
}

void peering_secret(const struct app *a, struct span *secret)
{
	const char *why;

	choose(a, secret, &why);
}

/* ---- who ---- */

static const char *named_file(const struct app *a)
{
	const char *named = settings_str(a->settings, "p2p.peer_key_file");

	return named != NULL && named[0] != '\0' ? named : NULL;
}

/* A runner's folder comes and goes with its job, and a cached one would be many nodes' at once. */
bool peering_is_fleeting(const struct app *a)
{
	return named_file(a) == NULL &&
	    (span_eq(env("GITHUB_ACTIONS"), "true") || a->store == NULL || a->cache_dir == NULL);
}

int peering_identity(const struct app *a, struct ed25519_key *key, struct err *err)
{
	const char *named = named_file(a);
	char path[FILE_TMP_MAX];
	struct err soft;
	int rc;

	if (named != NULL)
		return keyfile_load(named, false, key, err);
	if (peering_is_fleeting(a))
		return keyfile_fresh(key, err);
	err_init(&soft);
	snprintf(path, sizeof(path), "%s/" KEYFILE_NAME, a->cache_dir);
	rc = keyfile_load(path, true, key, &soft);
	if (rc != ERR_IO)
		return rc == 0 ? 0 : err_set(err, rc, "%s", soft.msg);
	log_warn("%s; this time another identity is used", soft.msg);
	return 0;
}

/* Two daemons of one identity would drive each other out at every peer. */
static int own_identity(struct peering *g, struct err *err)
{
	const char *named = named_file(g->app);
	char path[FILE_TMP_MAX];
	int rc = peering_identity(g->app, &g->key, err);

	if (rc != 0 || peering_is_fleeting(g->app))
		return rc;
	if (named == NULL)
		snprintf(path, sizeof(path), "%s/" KEYFILE_NAME, g->app->cache_dir);
	if (keyfile_hold(named != NULL ? named : path, &g->held))
		return 0;
	log_warn("another daemon has the libp2p identity of %s; this one uses another",
	    named != NULL ? named : path);
	return keyfile_fresh(&g->key, err);
}

static void let_go(struct peering *g)
{
	if (g->held > 0)
		close(g->held);
	g->held = 0;
}

/* ---- the swarm's parameters ---- */

static bool is_set(const struct app *a, const char *key)
{
	return strcmp(settings_origin(a->settings, key), "default") != 0;
}

/* A port that was named is that port; else the range. */
static void set_ports(const struct peering *g, struct swarm_params *p)
{
	const struct settings *s = g->app->settings;

	p->port = (uint16_t)settings_int(s, "p2p.listen_port");
	if (g->port >= 0) {
		p->port = (uint16_t)g->port;
	} else if (!is_set(g->app, "p2p.listen_port")) {
		p->port = p->first = (uint16_t)settings_int(s, "network.listen.port_range.start");
		p->last = (uint16_t)settings_int(s, "network.listen.port_range.end");
	}
}

static size_t read_addrs(const struct app *a, struct addr *out)
{
	const char *const *items;
	size_t n = settings_list(a->settings, "network.listen.addresses", &items), k = 0;

	for (size_t i = 0; i < n && k < LISTEN_MAX; i++)
		if (addr_parse(&out[k], span_of(items[i]), 0))
			k++;
		else
			log_warn("network.listen.addresses: '%s' is no IP address; it is passed over",
			    items[i]);
	return k;
}

static size_t read_bootstrap(const struct app *a, const char *key, struct multiaddr *out, size_t room)
{
	const char *const *items;
	size_t n = settings_list(a->settings, key, &items), k = 0;

	for (size_t i = 0; i < n && k < room; i++)
		if (multiaddr_parse(&out[k], span_of(items[i])) == 1 && out[k].host != MULTIADDR_NONE)
			k++;
		else
			log_warn("%s: '%s' is no address like /ip4/192.0.2.1/tcp/9000/p2p/12D3…; it is "
				 "passed over",
			    key, items[i]);
	return k;
}

/* An entry of the lists that cannot be read would open or close a door unseen: it is an error. */
static int read_ids(const struct app *a, const char *key, struct peerid *out, size_t *n, struct err *err)
{
	const char *const *items;
	size_t count = settings_list(a->settings, key, &items);

	if (count > LIST_MAX)
		return err_set(err, ERR_CONFIG, "%s: at most %d peers can be listed", key, LIST_MAX);
	for (*n = 0; *n < count; ++*n)
		if (!peerid_parse(&out[*n], span_of(items[*n])))
			return err_set(err, ERR_CONFIG, "%s: '%s' is no peer id like 12D3KooW…", key,
			    items[*n]);
	return 0;
}

static int fill(struct peering *g, struct swarm_params *p, struct lists *l, struct err *err)
{
	const struct settings *s = g->app->settings;

	p->loop = g->loop;
	p->key = &g->key;
	p->agent = cli_agent();
	p->listen = l->listen;
	p->nlisten = read_addrs(g->app, l->listen);
	set_ports(g, p);
	p->bootstrap = l->bootstrap;
	if (settings_bool(s, "discovery.enabled") && settings_bool(s, "discovery.methods.bootstrap")) {
		p->nbootstrap = read_bootstrap(g->app, "p2p.bootstrap_peers", l->bootstrap, BOOTSTRAP_MAX);
		p->nbootstrap += read_bootstrap(g->app, "discovery.bootstrap_peers",
		    l->bootstrap + p->nbootstrap, BOOTSTRAP_MAX - p->nbootstrap);
	}
	p->allow = l->allow;
	p->block = l->block;
	p->max_peers = (unsigned)settings_int(s, "network.connections.max_peers");
	p->min_peers = (unsigned)settings_int(s, "network.connections.min_peers");
	p->outbound_max = p->max_peers < OUTBOUND_MAX ? p->max_peers : OUTBOUND_MAX;
	p->handshake_ms = settings_int(s, "network.connections.timeout") * 1000;
	if (p->handshake_ms > SESSION_HANDSHAKE_MS)
		p->handshake_ms = SESSION_HANDSHAKE_MS;
	p->keepalive_ms = settings_int(s, "network.connections.keepalive_interval") * 1000;
	p->idle_ms = SWARM_IDLE_MS;
	if (read_ids(g->app, "security.access_control.peer_allowlist", l->allow, &p->nallow, err) != 0)
		return err->cls;
	return read_ids(g->app, "security.access_control.peer_blocklist", l->block, &p->nblock, err);
}

/* ---- life ---- */

static void give_up(struct peering *g, const struct err *err)
{
	snprintf(g->sentence, sizeof(g->sentence), "%s", err->msg);
	g->why = g->sentence;
	g->state = PEERING_OFF;
	log_warn("no peers: %s", g->why);
	let_go(g);
	lan_stop(&g->lan);
	p2p_close(g->app, g->share);
	g->share = NULL;
	g->swarm = NULL;
}

static int open_swarm(struct peering *g, struct err *err)
{
	struct lists *l = calloc(1, sizeof(*l));
	struct swarm_params p = { .loop = g->loop };
	int rc;

	if (l == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for peers");
	rc = fill(g, &p, l, err);
#ifdef GHOARD_ECHO
	echo_serve(&p);
#endif
	if (rc == 0)
		rc = p2p_open(g->app, g->group_key, &p, &g->share, err);
	if (rc == 0)
		g->swarm = share_swarm(g->share);
	if (rc == 0)
		rc = swarm_listen(g->swarm, err);
	free(l);
	return rc;
}

static void announce(const struct peering *g)
{
	char text[MULTIADDR_TEXT_MAX];
	const struct multiaddr *addrs;
	size_t n = swarm_addrs(g->swarm, &addrs);

	for (size_t i = 0; i < n; i++) {
		multiaddr_text(&addrs[i], text);
		log_info("listening for peers on %s", text);
	}
}

static void on_key(void *arg, const uint8_t *key, const struct err *err)
{
	struct peering *g = arg;
	struct err why;

	err_init(&why);
	g->job = NULL;
	if (key == NULL) {
		give_up(g, err);
		return;
	}
	memcpy(g->group_key, key, sizeof(g->group_key));
	if (open_swarm(g, &why) != 0) {
		give_up(g, &why);
		return;
	}
	announce(g);
	swarm_start(g->swarm);
	doors_start(&g->doors, g->swarm, g->group_key, g->key.pub);
	lan_start(&g->lan, g->app, g->loop, g->swarm, g->group_key);
	g->state = PEERING_ON;
}

void peering_start(struct peering *g, struct app *a, struct loop *loop, int64_t port)
{
	struct span secret;
	struct err err;

	memset(g, 0, sizeof(*g));
	g->app = a;
	g->loop = loop;
	g->port = port;
	doors_take(&g->doors, a);
	err_init(&err);
	if (peering_judge(a, &g->why) == PEERING_OFF) {
		const char *why;

		if (settings_bool(a->settings, "p2p.enabled") && choose(a, &secret, &why) != GROUP_NONE)
			log_warn("%s", g->why);
		return;
	}
	choose(a, &secret, &g->why);
	g->why = "";
	if (own_identity(g, &err) != 0 ||
	    group_derive_start(loop, secret, on_key, g, &g->job, &err) != 0)
		give_up(g, &err);
	else
		g->state = PEERING_STARTING;
}

void peering_stop(struct peering *g, int64_t ms)
{
	group_derive_cancel(g->job);
	g->job = NULL;
	let_go(g);
	doors_stop(&g->doors);
	lan_stop(&g->lan);
	if (g->share != NULL)
		share_flush(g->share);
	if (g->swarm != NULL)
		swarm_stop(g->swarm, ms);
}

bool peering_is_over(const struct peering *g)
{
	return (g->swarm == NULL || swarm_next(g->swarm, NULL) == NULL) && doors_is_over(&g->doors);
}

void peering_free(struct peering *g)
{
	group_derive_cancel(g->job);
	let_go(g);
	doors_free(&g->doors);
	lan_stop(&g->lan);
	p2p_close(g->app, g->share);
	g->share = NULL;
	ed25519_wipe(&g->key);
	wipe(g->group_key, sizeof(g->group_key));
	g->job = NULL;
	g->swarm = NULL;
}

/* ---- telling ---- */

static void put_addrs(struct peering *g, struct json *o)
{
	struct json *list = json_put_array(o, "addrs");
	char text[MULTIADDR_TEXT_MAX];
	const struct multiaddr *addrs;
	size_t n = swarm_addrs(g->swarm, &addrs);

	for (size_t i = 0; i < n; i++) {
		struct multiaddr m = addrs[i];

		m.peer = *swarm_id(g->swarm);
		multiaddr_text(&m, text);
		json_put_str(list, NULL, text);
	}
}

static void put_self(struct peering *g, struct json *o)
{
	char text[PEERID_TEXT_MAX];

	peerid_text(swarm_id(g->swarm), text);
	json_put_str(o, "id", text);
	peerid_cid(swarm_id(g->swarm), text);
	json_put_str(o, "cid", text);
	put_addrs(g, o);
}

int peering_describe(struct app *a, const struct ed25519_key *key, bool listen, struct json *o,
    struct err *err)
{
	struct peering g = { .app = a, .port = -1, .key = *key };
	struct swarm_params p = { .loop = NULL };
	struct lists *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? loop_new(&g.loop, err) : err_set(err, ERR_INTERNAL, "no memory for peers");

	if (rc == 0)
		rc = fill(&g, &p, l, err);
	p.nlisten = listen ? p.nlisten : 0;
	if (rc == 0)
		rc = swarm_new(&p, &g.swarm, err);
	if (rc == 0)
		rc = swarm_listen(g.swarm, err);
	if (g.swarm != NULL)
		put_self(&g, o);
	swarm_free(g.swarm);
	loop_free(g.loop);
	ed25519_wipe(&g.key);
	free(l);
	return rc;
}

static void put_swarm(struct peering *g, struct json *o)
{
	struct buf b;

	put_self(g, o);
	json_put_str(o, "failure", swarm_stats(g->swarm)->failure);
	lan_report(&g->lan, o);
	p2p_report(g->share, o);
	buf_init(&b, (size_t)1 << 20);
	swarm_report(g->swarm, &b);
	json_put_raw(o, "peers", buf_span(&b));
	buf_free(&b);
}

int64_t peering_count(const struct peering *g)
{
	int64_t n = 0;

	if (g->swarm == NULL)
		return -1;
	for (struct peer *p = NULL; (p = swarm_next(g->swarm, p)) != NULL;)
		n++;
	return n;
}

void peering_report(struct peering *g, struct buf *b)
{
	static const char *const states[] = { "off", "starting", "on" };
	struct json *o = json_object();

	json_put_str(o, "state", states[g->state]);
	json_put_str(o, "why", g->why);
	if (g->swarm != NULL)
		put_swarm(g, o);
	doors_report(&g->doors, o);
	json_print(o, false, b);
	json_free(o);
}
