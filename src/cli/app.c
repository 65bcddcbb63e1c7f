#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cache/layer.h"
#include "cache/mem.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/p2p.h"
#include "config/layers.h"
#include "config/table.h"
#include "github/route.h"
#include "http/client.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "store/epochs.h"
#include "store/gc.h"
#include "store/store.h"

static void warn(const char *sentence)
{
	log_warn("%s", sentence);
}

/* A setting that somebody made; the flag beats it. A checkout's silences nothing. */
static void set_log_level(const struct app *a)
{
	enum log_level level;

	if (a->globals->log_level == NULL &&
	    strcmp(settings_origin(a->settings, "logging.level"), "default") != 0 &&
	    log_level_parse(settings_str(a->settings, "logging.level"), &level) &&
	    !(log_enabled(level) && settings_from_checkout(a->settings, "logging.level")))
		log_set_level(level);
}

int app_open(struct app *a, const struct globals *g, struct err *err)
{
	struct settings_params p = { .config_dir = g->config_dir != NULL ? g->config_dir : ".github",
		.host_dir = "/etc/ghoard", .warn = warn };
	int rc;

	memset(a, 0, sizeof(*a));
	a->globals = g;
	rc = settings_load(&p, &a->settings, err);
	if (rc == 0)
		set_log_level(a);
	if (rc == 0 && g->cache_dir != NULL)
		rc = settings_override(a->settings, "cache.directory", g->cache_dir, "--cache-dir", err);
	if (rc == 0 && g->socket != NULL)
		rc = settings_override(a->settings, "daemon.socket", g->socket, "--socket", err);
	if (rc != 0)
		app_close(a);
	return rc;
}

/* ---- the store ---- */

static bool wants_disk(const struct app *a)
{
	return settings_bool(a->settings, "cache.enabled") && settings_bool(a->settings, "cache.persistence");
}

int app_open_store(struct app *a, bool need, struct err *err)
{
	const char *dir = settings_str(a->settings, "cache.directory");
	struct err why;
	int rc;

	err_init(&why);
	if (dir == NULL)
		rc = err_set(&why, ERR_IO,
		    "there is no home folder to keep the cache in; set CACHE_DIR or HOME");
	else if ((a->cache_dir = str_dup(dir)) == NULL)
		rc = err_set(&why, ERR_INTERNAL, "no memory");
	else
		rc = store_open(dir, &a->store, &why);
	if (rc == ERR_DENIED || (rc != 0 && need && a->store == NULL)) {
		*err = why;
		return rc;
	}
	if (rc != 0 && !need)
		log_warn("%s; answers are not kept", why.msg);
	a->metrics = metrics_open(a->store != NULL && !store_is_read_only(a->store) ? a->cache_dir : NULL);
	a->epochs = epochs_new(a->store);
	return 0;
}

struct metrics *app_cred_metrics(const struct app *a)
{
	const char *dir = settings_str(a->settings, "credentials.directory");
	char path[4096];

	if (dir == NULL || snprintf(path, sizeof(path), "%s/.stats", dir) >= (int)sizeof(path) ||
	    access(path, R_OK) != 0)
		return NULL;
	return metrics_open(dir);
}

static void after_store(void *arg)
{
	struct app *a = arg;
	uint64_t every = (uint64_t)settings_int(a->settings, "cache.max_size") / 10;

	if (every == 0 || metrics_get(a->metrics, M_STORED) % every == 0)
		a->collect = true;
}

void app_note_collection(struct app *a, const struct gc *gc)
{
	metrics_add(a->metrics, M_GC_RUNS, 1);
	metrics_add(a->metrics, M_GC_REMOVED, gc_removed(gc));
	log_debug("collected: %zu of %zu entries removed", gc_removed(gc), gc_seen(gc));
}

static void collect(struct app *a)
{
	struct gc *gc = NULL;
	struct err err;

	err_init(&err);
	if (gc_start(a->store, (size_t)settings_int(a->settings, "cache.max_size"), clock_wall(), &gc,
		&err) != 1)
		return;
	while (gc_step(gc) == 1)
		;
	app_note_collection(a, gc);
	gc_free(gc);
}

struct metrics *app_all_metrics(const struct app *a)
{
	const char *dir = settings_str(a->settings, "codeql.directory");
	struct metrics *sum = metrics_open(NULL), *scans = NULL;
	char path[PATH_MAX];

	if (sum == NULL)
		return NULL;
	metrics_merge(sum, a->metrics);
	/* Asking for numbers makes no folder. */
	if (dir != NULL && snprintf(path, sizeof(path), "%s/.stats", dir) < PATH_MAX &&
	    access(path, R_OK) == 0)
		scans = metrics_open(dir);
	if (scans != NULL)
		metrics_merge(sum, scans);
	metrics_free(scans);
	return sum;
}

/* ---- the way to GitHub ---- */

const char *app_token(void)
{
	const char *t = getenv("GH_TOKEN");

	if (t == NULL || t[0] == '\0')
		t = getenv("GITHUB_TOKEN");
	return t != NULL && t[0] != '\0' ? t : NULL;
}

static int open_identity(struct app *a, struct span authorization, struct err *err)
{
	char value[SECRET_MAX];
	const char *token = app_token();
	bool ok;

	if (authorization.p == NULL && token != NULL) {
		int n = snprintf(value, sizeof(value), "token %s", token);	/* the form gh sends */

		authorization =
		    span_make(value, n > 0 && (size_t)n < sizeof(value) ? (size_t)n : sizeof(value) + 1);
		authorization = authorization.n > sizeof(value) ? span_make(NULL, 0) : authorization;
		if (authorization.p == NULL)
			return err_set(err, ERR_USAGE, "the token in GH_TOKEN or GITHUB_TOKEN is too long");
	}
	ok = identity_init(&a->id, span_trim(authorization));
	wipe(value, sizeof(value));
	return ok ? 0 : err_set(err, ERR_USAGE, "the Authorization value is too long");
}

static int open_http(struct app *a, struct err *err)
{
	const struct settings *s = a->settings;
	struct http_timeouts t = { .first_byte_ms = settings_int(s, "upstream.first_byte_timeout") * 1000,
		.total_ms = settings_int(s, "upstream.timeout") * 1000 };
	const char *proxy = settings_str(s, "network.proxy"), *ca_file = settings_str(s, "tls.ca_file"),
	    *ca_dir = settings_str(s, "tls.ca_dir"), *no_proxy = settings_str(s, "network.no_proxy");
	int rc = loop_new(&a->loop, err);

	if (rc != 0)
		return rc;
	http_env_init(&a->env, a->loop);
	a->env.connect_ms = settings_int(s, "upstream.connect_timeout") * 1000;
	a->env.tls_ms = settings_int(s, "upstream.tls_timeout") * 1000;
	a->env.proxy = proxy != NULL && proxy[0] != '\0' ? proxy : NULL;
	a->env.no_proxy = no_proxy;
	a->env.ca_file = ca_file != NULL && ca_file[0] != '\0' ? ca_file : NULL;
	a->env.ca_dir = ca_dir != NULL && ca_dir[0] != '\0' ? ca_dir : NULL;
	return http_client_new(&a->env, &t, &a->http, err);
}

static int add_layer(struct app *a, struct cache_layer *l, struct err *err)
{
	if (l == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the cache");
	a->layers[a->nlayers++] = l;
	return 0;
}

/* The order of the layers: this array. */
static int open_layers(struct app *a, struct err *err)
{
	const struct settings *s = a->settings;
	struct layer_api_params api = { .loop = a->loop,
		.http = a->http,
		.metrics = a->metrics,
		.max_body = (size_t)settings_int(s, "cache.max_body"),
		.max_wait_s = settings_int(s, "rate_limiting.max_wait"),
		.warning_threshold = settings_int(s, "rate_limiting.warning_threshold"),
		.aggressive_threshold = settings_int(s, "rate_limiting.aggressive_threshold"),
		.cache_first = settings_bool(s, "rate_limiting.cache_first_mode") };
	int rc = 0;

	a->mem = mem_new((size_t)settings_int(s, "cache.memory_entries"),
	    (size_t)settings_int(s, "cache.memory_bytes"));
	if (a->mem == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the cache");
	if (settings_bool(s, "cache.enabled"))
		rc = add_layer(a, layer_mem_new(a->mem), err);
	if (rc == 0 && a->store != NULL && wants_disk(a))
		rc = add_layer(a, layer_disk_new(a->store, a->metrics, after_store, a), err);
	if (rc == 0 && a->is_daemon && settings_bool(s, "cache.enabled"))
		rc = add_layer(a, a->peers = p2p_layer(a), err);
	return rc != 0 ? rc : add_layer(a, layer_api_new(&api), err);
}

int app_open_cache(struct app *a, struct span authorization, struct err *err)
{
	const struct settings *s = a->settings;
	struct cache_params p = { .layers = a->layers, .metrics = a->metrics,
		.permission_s = settings_int(s, "cache.permission_ttl"),
		.stale_if_error_s = settings_int(s, "cache.stale_if_error") };
	int rc = upstream_parse(&a->upstream, settings_str(s, "upstream.url"), err);

	a->upstream.agent = cli_agent();
	if (rc == 0)
		rc = open_identity(a, authorization, err);
	if (rc == 0)
		rc = open_http(a, err);
	if (rc == 0)
		rc = open_layers(a, err);
	if (rc != 0)
		return rc;
	if (a->is_daemon)
		p.stale_while_revalidate_s = settings_int(s, "cache.stale_while_revalidate");
	p.loop = a->loop;
	p.nlayers = a->nlayers;
	p.epochs = a->epochs;
	return cache_new(&p, &a->cache, err);
}

void app_close(struct app *a)
{
	if (a->collect && a->store != NULL)
		collect(a);
	cache_free(a->cache);
	for (size_t i = 0; i < a->nlayers; i++)
		layer_free(a->layers[i]);
	mem_free(a->mem);
	http_client_free(a->http);
	loop_free(a->loop);
	if (a->env.loop != NULL)
		http_env_wipe(&a->env);
	identity_wipe(&a->id);
	epochs_free(a->epochs);
	metrics_free(a->metrics);
	store_free(a->store);
	free(a->cache_dir);
	settings_free(a->settings);
	memset(a, 0, sizeof(*a));
}

void app_reopen(struct app *a)
{
	struct app fresh = { .globals = a->globals, .settings = a->settings };

	a->settings = NULL;
	app_close(a);
	*a = fresh;
}

int64_t app_ttl(const struct app *a, const struct route *r)
{
	char key[64];

	if (r->policy == ROUTE_ASK || r->policy == ROUTE_NEVER)
		return 0;
	snprintf(key, sizeof(key), "operation_ttls.%s", r->op);
	if (table_find(key) != NULL)
		return settings_int(a->settings, key);
	return strcmp(r->op, "other") == 0 ? settings_int(a->settings, "cache.default_ttl") : r->ttl;
}

void app_progress(const char *what, size_t n, size_t total, bool done)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (total > 0)
		fprintf(stderr, "\r%s %zu of %zu%s", what, n, total, done ? "\n" : "");
	else
		fprintf(stderr, "\r%s %zu", what, n);
	fflush(stderr);
}
