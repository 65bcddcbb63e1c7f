#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/doors.h"
#include "config/layers.h"
#include "crypto/hash.h"
#include "github/actionscache.h"
#include "github/cachelist.h"
#include "http/url.h"
#include "p2p/swarm.h"

#define LOOK_MS 5000

/* ---- the service, as the registry asks it ---- */

static struct cachelist_params rest(const struct doors *d)
{
	return (struct cachelist_params){ d->app->http, &d->app->upstream, &d->id, d->repository };
}

static void on_listed(void *arg, const struct span *keys, const uint64_t *ids, size_t n,
    const struct err *err)
{
	struct doors *d = arg;

	d->list = NULL;
	if (err->cls != 0 && d->swarm != NULL)
		log_warn("looking for peers: %s", err->msg);
	d->listed(d->p, keys, ids, n, err);
}

static int list(void *arg, struct span front,
    void (*done)(void *p, const struct span *keys, const uint64_t *ids, size_t n, const struct err *),
    void *p, struct err *err)
{
	struct doors *d = arg;
	struct cachelist_params q = rest(d);

	d->listed = done;
	d->p = p;
	return cachelist_list(&q, front, on_listed, d, &d->list, err);
}

static void on_created(void *arg, const struct actionscache_end *e)
{
	struct doors *d = arg;

	if (d->swarm == NULL)
		;		/* by hand: the command says it */
	else if (e->err->cls != 0)
		log_warn("registering this node: %s", e->err->msg);
	else
		log_info("this node is registered in the Actions cache of %s", d->repository);
	d->done(d->p, e->err);
}

static struct span version(void)
{
	static char text[2 * SHA256_LEN + 1];
	uint8_t digest[SHA256_LEN];

	hash_sha256(digest, "ghoard peers 1", 14);
	hex_encode(text, digest, sizeof(digest));
	return span_of(text);
}

static int create(void *arg, struct span key, void (*done)(void *p, const struct err *), void *p,
    struct err *err)
{
	struct actionscache_blob blob = { .bytes = { "1", 1 }, .fd = -1 };
	struct doors *d = arg;

	d->done = done;
	d->p = p;
	return actionscache_put(d->service, key, version(), &blob, on_created, d, err);
}

static void on_removed(void *arg, const struct span *keys, const uint64_t *ids, size_t n,
    const struct err *err)
{
	struct doors *d = arg;

	(void)keys;
	(void)ids;
	(void)n;
	d->list = NULL;
	if (err->cls != 0)
		log_info("taking this node's record back: %s", err->msg);
	d->done(d->p, err);
}

static int take_back(void *arg, uint64_t id, struct span key, void (*done)(void *p, const struct err *),
    void *p)
{
	struct doors *d = arg;
	struct cachelist_params q = rest(d);

	d->done = done;
	d->p = p;
	return cachelist_delete(&q, id, key, on_removed, d, &d->list, NULL);
}

static void cancel(void *arg)
{
	struct doors *d = arg;

	cachelist_cancel(d->list);
	d->list = NULL;
	if (d->service != NULL)
		actionscache_cancel(d->service);
}

/* ---- opening ---- */

void doors_take(struct doors *d, struct app *a)
{
	memset(d, 0, sizeof(*d));
	d->app = a;
	d->over = true;
	runtime_take(&d->runtime, false);
	snprintf(d->why, sizeof(d->why), "peers are not looked for");
}

static bool learn_identity(struct doors *d)
{
	const char *token = app_token();
	char text[SECRET_MAX];
	int n = token != NULL ? snprintf(text, sizeof(text), "token %s", token) : 0;
	bool ok = n > 0 && (size_t)n < sizeof(text) && identity_init(&d->id, span_make(text, (size_t)n));

	wipe(text, sizeof(text));
	return ok;
}

static const char *refusal(struct doors *d)
{
	const struct settings *s = d->app->settings;
	const char *repo = settings_str(s, "discovery.github.repository");

	if (repo == NULL || repo[0] == '\0')
		repo = getenv("GITHUB_REPOSITORY");
	if (!settings_bool(s, "p2p.peer_discovery") || !settings_bool(s, "discovery.enabled") ||
	    !settings_bool(s, "discovery.methods.github_cache_api"))
		return "discovery.methods.github_cache_api is off";
	if (d->app->globals->offline)
		return "--offline asks nobody";
	if (repo == NULL || !span_copy(d->repository, sizeof(d->repository), span_of(repo)) ||
	    repo[0] == '\0')
		return "no repository is known: set GITHUB_REPOSITORY or discovery.github.repository";
	if (!cachelist_names(d->repository))
		return "the repository's name is not like owner/name: mend GITHUB_REPOSITORY";
	return learn_identity(d) ? NULL : "there is no token to list the repository's caches: set GH_TOKEN";
}

/* What it lacks to register; it may still look. */
static void open_service(struct doors *d)
{
	const struct cachewire_rights *r;
	struct err err;

	err_init(&err);
	if (runtime_open(&d->runtime, d->app, &d->service, &err) != 0) {
		snprintf(d->why, sizeof(d->why), "%.290s", err.msg);
		return;
	}
	r = actionscache_rights(d->service);
	if (!r->write)
		snprintf(d->why, sizeof(d->why), "%.290s", r->why);
}

static bool is_near(const struct app *a)
{
	struct url u;
	const char *why;

	return url_parse(span_of(a->upstream.origin), &u, &why) == 0 && url_is_loopback(&u);
}

int doors_open(struct doors *d, struct loop *loop, const struct doors_params *q, struct err *err)
{
	const struct settings *s = d->app->settings;
	const char *why = refusal(d);
	struct registry_params p = { .loop = loop,
		.key = &d->key,
		.max_taken = (unsigned)settings_int(s, "discovery.github.max_peers_per_query"),
		.ttl_s = settings_int(s, "discovery.github.peer_ttl_minutes") * 60,
		.beat_ms = settings_int(s, "discovery.github.discovery_interval") * 1000,
		.found = q->found,
		.addrs = q->addrs,
		.arg = q->arg };

	if (why != NULL) {
		snprintf(d->why, sizeof(d->why), "%s", why);
		return err_set(err, ERR_DENIED, "%s", why);
	}
	d->why[0] = '\0';
	d->near = is_near(d->app);
	open_service(d);
	memcpy(d->key.pub, q->pub, sizeof(d->key.pub));
	p.scope = (struct registry_scope){ q->group_key,
		settings_str(s, "discovery.github.peer_cache_key"), settings_str(s, "network.network_id"),
		d->repository };
	p.io = (struct registry_io){ d, list, create, take_back, cancel, d->why[0] == '\0' };
	return registry_new(&p, &d->registry, err);
}

/* ---- the daemon's ---- */

static void found(void *arg, const struct registry_record *r)
{
	struct doors *d = arg;

	for (size_t i = 0; i < r->naddrs; i++)
		swarm_learn(d->swarm, &r->addrs[i], SWARM_REGISTRY, d->near);
}

/* An address that nobody else could dial is no door. */
static size_t addrs(void *arg, const struct multiaddr **out)
{
	struct doors *d = arg;
	const struct multiaddr *all;
	size_t n = swarm_addrs(d->swarm, &all), k = 0;

	for (size_t i = 0; i < n && k < REGISTRY_ADDRS_MAX; i++) {
		d->addrs[k] = all[i];
		d->addrs[k].peer = *swarm_id(d->swarm);
		k += multiaddr_refusal(&d->addrs[k], d->near) == NULL;
	}
	*out = d->addrs;
	return k;
}

static void on_look(struct timer *t)
{
	struct doors *d = (struct doors *)(void *)((char *)t - offsetof(struct doors, look));

	if (swarm_count(d->swarm, PEER_MEMBER) < d->min_peers)
		registry_nudge(d->registry);
	timer_set(d->app->loop, t, loop_now(d->app->loop) + LOOK_MS);
}

void doors_start(struct doors *d, struct swarm *swarm, const uint8_t *group_key, const uint8_t *pub)
{
	struct doors_params p = { group_key, pub, found, addrs, d };
	struct err err;

	err_init(&err);
	d->swarm = swarm;
	d->min_peers = (unsigned)settings_int(d->app->settings, "network.connections.min_peers");
	if (doors_open(d, d->app->loop, &p, &err) != 0) {
		log_msg(d->repository[0] == '\0' || cachelist_names(d->repository) ? LOG_INFO : LOG_WARN,
		    "peers are not looked for in an Actions cache: %s", err.msg);
		return;
	}
	if (d->why[0] != '\0')
		log_warn("this node looks for peers, but others do not find it: %s", d->why);
	d->over = false;
	registry_start(d->registry);
	d->look.fire = on_look;
	timer_set(d->app->loop, &d->look, loop_now(d->app->loop) + LOOK_MS);
}

static void on_stopped(void *arg)
{
	((struct doors *)arg)->over = true;
}

void doors_stop(struct doors *d)
{
	if (d->over)
		return;
	timer_clear(d->app->loop, &d->look);
	registry_stop(d->registry, on_stopped, d);
}

bool doors_is_over(const struct doors *d)
{
	return d->over;
}

void doors_free(struct doors *d)
{
	if (d->look.due != 0)
		timer_clear(d->app->loop, &d->look);
	registry_free(d->registry);
	if (d->app != NULL)
		cancel(d);
	actionscache_free(d->service);
	d->registry = NULL;
	d->service = NULL;
	d->over = true;
	identity_wipe(&d->id);
	runtime_wipe(&d->runtime);
}

/* ---- telling ---- */

void doors_report(const struct doors *d, struct json *o)
{
	const struct registry_stats *t = d->registry != NULL ? registry_stats(d->registry) : NULL;
	struct json *n = json_put_object(o, "registry");

	json_put_str(n, "state",
	    t == NULL		  ? "off" :
	    d->why[0] != '\0'	  ? "looks" :
	    t->registered > 0	  ? "registered" :
				    "open");
	json_put_str(n, "why", d->why[0] != '\0' ? d->why : t != NULL ? t->last_error : "");
	json_put_str(n, "repository", d->repository);
	if (t == NULL)
		return;
	json_put_int(n, "listed", (int64_t)t->listed);
	json_put_int(n, "records", (int64_t)t->records);
	json_put_int(n, "foreign", (int64_t)t->foreign);
	json_put_int(n, "registered", (int64_t)t->registered);
	json_put_int(n, "removed", (int64_t)t->removed);
	json_put_int(n, "failed", (int64_t)t->failed);
}
