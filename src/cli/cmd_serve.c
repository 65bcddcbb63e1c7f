#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "cache/mem.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/keeper.h"
#include "cli/p2p_scans.h"
#include "cli/serve_sockets.h"
#include "cli/serve_stats.h"
#include "config/layers.h"
#include "http/server.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "metrics/metrics.h"
#include "metrics/report.h"
#include "net/addr.h"
#include "cli/peering.h"
#include "cli/runtime.h"
#include "proxy/control.h"
#include "proxy/proxy.h"
#include "proxy/recent.h"
#include "proxy/repeat.h"
#include "p2p/share.h"
#include "store/gc.h"

#define MAX_CLIENTS 900
#define RESERVE 16		/* for commands, where these are taken */
#define HEAD_MS 10000
#define IDLE_MS 75000
#define STALL_MS 60000
#define GRACE_MS 30000		/* for running answers, after a stop */
#define TWICE_MS 500		/* a signal to the whole group comes directly and from the keeper */
#define GOODBYE_MS 1000		/* for what peers are in the middle of */
#define TICK_MS 1000
#define TTLS_MAX 64

static struct {
	const char *listen, *upstream, *rewrite, *p2p_port;
	struct opt_list resolve;
	bool listen_any, background, respawn;
	int64_t idle_exit;
} v = { .idle_exit = OPT_UNSET };

#define AT(member) offsetof(__typeof__(v), member)

static const struct opt opts[] = {
	{ "listen", 0, OPT_TEXT, "ADDR:PORT", AT(listen),
	    "where to listen on TCP, or none (default " SERVE_LISTEN ")" },
	{ "listen-any", 0, OPT_FLAG, NULL, AT(listen_any), "allow an address that is not loopback" },
	{ "upstream", 0, OPT_TEXT, "URL", AT(upstream),
	    "the GitHub API to ask (default https://api.github.com)" },
	{ "rewrite", 0, OPT_TEXT, "WHAT", AT(rewrite),
	    "none, links or all: addresses in answers that become the daemon's own" },
	{ "resolve", 0, OPT_LIST, "HOST:PORT:ADDR", AT(resolve),
	    "dial ADDR where HOST is meant; may be repeated" },
	{ "p2p-port", 0, OPT_TEXT, "N", AT(p2p_port), "where to listen for peers; 0 takes a free port" },
	{ "background", 0, OPT_FLAG, NULL, AT(background),
	    "leave a daemon behind, with its number in ghoard.pid" },
	{ "respawn", 0, OPT_FLAG, NULL, AT(respawn),
	    "with --background: start it anew, on the same sockets, when it dies; end when its socket's "
	    "file is gone" },
	{ "idle-exit", 0, OPT_SECONDS, "SEC", AT(idle_exit),
	    "end after this long without a request; with --respawn the next one starts it anew" },
	{ .name = NULL }
};

struct daemon {
	struct app app;
	struct server *server;
	struct proxy *proxy;
	struct control control;
	struct peering peering;
	struct recent *recent;
	struct timer tick;
	struct job sweep;		/* a slice of a collection */
	struct gc *gc;
	struct serve_stats stats;
	struct {
		const struct route *route;
		int64_t seconds;
	} ttls[TTLS_MAX];
	const char *resolve[OPT_LIST_MAX];
	char socket[256];
	struct serve_sockets at;
	char upstream[600];		/* as commands compare it */
	uint64_t seen;			/* exchanges, when last looked */
	int64_t begun;			/* loop time of the start */
	int64_t busy;			/* loop time of the last request */
	int64_t stopping;		/* loop time by when it must be over; 0: running */
	int64_t p2p_port;		/* -1: the settings' */
	bool done;
};

/* ---- what the control paths do ---- */

static void gauges(struct daemon *d, struct report_gauges *g)
{
	serve_stats_count(&d->stats);
	*g = (struct report_gauges){ .entries = d->stats.entries,
		.bytes = d->stats.bytes,
		.connected_peers = peering_count(&d->peering),
		.cache_dir = d->app.cache_dir,
		.version = strchr(cli_agent(), '/') + 1 };
}

static int64_t uptime(const struct daemon *d)
{
	return (loop_now(d->app.loop) - d->begun) / 1000;
}

/* What `ghoard stats --json` prints, and what only a daemon knows. */
static void write_stats(void *arg, struct buf *b)
{
	struct daemon *d = arg;
	struct metrics *m = app_all_metrics(&d->app), *cred;
	struct report_gauges g;
	struct json *o;

	gauges(d, &g);
	g.cred = cred = app_cred_metrics(&d->app);
	report_write(m, &g, REPORT_JSON, b);
	metrics_free(cred);
	metrics_free(m);
	if (json_parse(buf_span(b), &o) != 0)
		return;
	buf_clear(b);
	json_put_int(o, "uptime_seconds", uptime(d));
	json_put_int(o, "clients", (int64_t)server_clients(d->server));
	json_put_int(o, "exchanges", (int64_t)server_exchanges(d->server));
	json_put_int(o, "repeats", (int64_t)server_repeats(d->server));
	json_put_int(o, "memory_entries", (int64_t)mem_count(d->app.mem));
	json_put_int(o, "memory_bytes", (int64_t)mem_bytes(d->app.mem));
	serve_stats_limits(&d->stats, o);
	doors_report(&d->peering.doors, o);
	recent_write(d->recent, o, loop_now(d->app.loop));
	json_print(o, false, b);
	json_free(o);
}

/* For the user's own commands: where the page is, and the key to it. */
static void write_status(void *arg, struct buf *b)
{
	struct daemon *d = arg;
	struct json *o = json_object();
	char url[ADDR_TEXT_LEN + 16];

	/* An address that stands for all of them is no name for us. */
	if (strncmp(d->at.tcp, "0.0.0.0:", 8) == 0)
		snprintf(url, sizeof(url), "http://127.0.0.1:%s", d->at.tcp + 8);
	else if (strncmp(d->at.tcp, "[::]:", 5) == 0)
		snprintf(url, sizeof(url), "http://[::1]:%s", d->at.tcp + 5);
	else
		snprintf(url, sizeof(url), "http://%s", d->at.tcp);
	json_put_int(o, "pid", getpid());
	json_put_str(o, "socket", d->socket);
	json_put_str(o, "upstream", d->upstream);
	json_put_str(o, "url", d->at.tcp[0] != '\0' ? url : NULL);
	json_put_str(o, "key", d->control.key);
	json_put_int(o, "uptime", uptime(d));
	json_put_int(o, "clients", (int64_t)server_clients(d->server));
	json_print(o, false, b);
	json_free(o);
}

static void write_cache(void *arg, struct buf *b)
{
	struct daemon *d = arg;
	struct json *o = json_object();

	serve_stats_cache(&d->stats, o);
	json_print(o, false, b);
	json_free(o);
}

static void write_metrics(void *arg, struct buf *b)
{
	struct daemon *d = arg;
	struct metrics *m = app_all_metrics(&d->app), *cred;
	struct report_gauges g;

	gauges(d, &g);
	g.cred = cred = app_cred_metrics(&d->app);
	report_write(m, &g, REPORT_PROMETHEUS, b);
	metrics_free(cred);
	metrics_free(m);
}

static void write_peers(void *arg, struct buf *b)
{
	peering_report(&((struct daemon *)arg)->peering, b);
}

static void forget(void *arg)
{
	mem_clear(((struct daemon *)arg)->app.mem);
}

static void put(void *arg, struct span key)
{
	struct daemon *d = arg;

	if (d->peering.share != NULL)
		share_put_named(d->peering.share, key);
}

static void wind_up(struct daemon *d)
{
	d->stopping = loop_now(d->app.loop) + GRACE_MS;
	server_stop(d->server);
	peering_stop(&d->peering, GOODBYE_MS);
	timer_set(d->app.loop, &d->tick, loop_now(d->app.loop));
}

static void stop(void *arg)
{
	struct daemon *d = arg;

	if (!d->at.managed)
		keeper_remove();
	if (d->stopping == 0)
		wind_up(d);
	else if (loop_now(d->app.loop) >= d->stopping - GRACE_MS + TWICE_MS)
		d->done = true;		/* asked twice: at once */
}

static bool control(void *arg, struct exchange *x, struct span path)
{
	struct daemon *d = arg;

	control_answer(&d->control, x, path);
	return true;
}

static void control_gone(void *arg, struct exchange *x)
{
	(void)arg;
	p2p_scans_gone(x);
}

static void ask_scan(void *arg, struct exchange *x, struct span query)
{
	p2p_scans_ask(((struct daemon *)arg)->peering.share, x, query);
}

static void on_signal(void *arg, int sig)
{
	log_info("signal %d: finishing what is running", sig);
	stop(arg);
}

static void sample(struct daemon *d)
{
	struct metrics *m = d->app.metrics;
	struct recent_counters c = { .requests = metrics_get(m, M_REQUESTS),
		.saved = metrics_get(m, M_CALLS_SAVED),
		.hits = metrics_get(m, M_HIT_MEM) + metrics_get(m, M_HIT_P2P) + metrics_get(m, M_HIT_DISK) +
		    metrics_get(m, M_HIT_STALE) };

	recent_tick(d->recent, &c, loop_now(d->app.loop));
}

static void log_counters(const struct daemon *d)
{
	const struct metrics *m = d->app.metrics;

	if (settings_bool(d->app.settings, "monitoring.log_stats"))
		log_info("since the store was made: %" PRIu64 " requests, %" PRIu64 " calls saved, %" PRIu64
			 " requests to GitHub, %" PRIu64 " of them billed",
		    metrics_get(m, M_REQUESTS), metrics_get(m, M_CALLS_SAVED), metrics_get(m, M_UPSTREAM),
		    metrics_get(m, M_UPSTREAM_BILLABLE));
}

/* ---- collection, a slice a pass ---- */

static void on_sweep(struct job *job)
{
	struct daemon *d = (struct daemon *)(void *)((char *)job - offsetof(struct daemon, sweep));

	if (gc_step(d->gc) == 1) {
		job_queue(d->app.loop, job);
		return;
	}
	app_note_collection(&d->app, d->gc);
	gc_free(d->gc);
	d->gc = NULL;
}

static void collect_if_due(struct daemon *d)
{
	struct err err;

	if (!d->app.collect || d->gc != NULL || d->app.store == NULL)
		return;
	d->app.collect = false;
	err_init(&err);
	if (gc_start(d->app.store, (size_t)settings_int(d->app.settings, "cache.max_size"), clock_wall(),
		&d->gc, &err) == 1)
		job_queue(d->app.loop, &d->sweep);
}

/* With a keeper nobody notices. Who is connected might be about to ask; he is sent away after IDLE_MS. */
static void idle(struct daemon *d)
{
	if (!keeper_is_there()) {
		stop(d);
	} else if (server_clients(d->server) == 0) {
		keeper_rest();
		wind_up(d);
	}
}

/* Once a second, and when it is to stop: is it over, is nobody there? */
static void on_tick(struct timer *t)
{
	struct daemon *d = (struct daemon *)(void *)((char *)t - offsetof(struct daemon, tick));
	int64_t now = loop_now(d->app.loop);

	sample(d);
	server_sweep(d->server);
	collect_if_due(d);
	if (server_exchanges(d->server) != d->seen || server_busy(d->server)) {
		d->seen = server_exchanges(d->server);
		d->busy = now;
	}
	if (v.idle_exit != OPT_UNSET && d->stopping == 0 && now - d->busy >= v.idle_exit * 1000)
		idle(d);
	/* a runner empties the job's folder at the job's end: nobody will find us again */
	if (d->stopping == 0 && keeper_is_over())
		stop(d);
	if (d->stopping != 0 &&
	    ((server_clients(d->server) == 0 && peering_is_over(&d->peering)) || now >= d->stopping))
		d->done = true;
	timer_set(d->app.loop, t, now + (d->stopping != 0 ? TICK_MS / 20 : TICK_MS));
}

/* ---- setting up ---- */

static int parse_rewrite(enum proxy_rewrite *out, struct err *err)
{
	static const char *const names[] = { "none", "links", "all" };

	*out = REWRITE_LINKS;
	for (int i = 0; v.rewrite != NULL && i < 3; i++)
		if (strcmp(v.rewrite, names[i]) == 0) {
			*out = (enum proxy_rewrite)i;
			return 0;
		}
	return v.rewrite == NULL
	    ? 0
	    : err_set(err, ERR_USAGE, "--rewrite takes none, links or all, not '%s'", v.rewrite);
}

static int parse_p2p_port(struct daemon *d, struct err *err)
{
	uint64_t port = 0;

	d->p2p_port = -1;
	if (v.p2p_port == NULL)
		return 0;
	if (!span_u64(span_of(v.p2p_port), 65535, &port))
		return err_set(err, ERR_USAGE, "--p2p-port takes a port, not '%s'", v.p2p_port);
	d->p2p_port = (int64_t)port;
	return 0;
}

static int open_server(struct daemon *d, struct err *err)
{
	struct server_params p = { .loop = d->app.loop,
		.max_clients = MAX_CLIENTS,
		.reserve = RESERVE,
		.reserved_for = "/_ghoard/",
		.head_ms = HEAD_MS,
		.idle_ms = IDLE_MS,
		.stall_ms = STALL_MS,
		.max_body = (uint64_t)settings_int(d->app.settings, "daemon.max_request_body"),
		.ops = { proxy_on_request, proxy_on_body, proxy_on_body_end, proxy_on_drained, proxy_on_gone,
		    proxy_on_again, proxy_forget, repeat_hold, repeat_release, d->proxy } };
	int rc = server_new(&p, &d->server, err);

	if (rc == 0 && d->at.fds[0] < 0)
		rc = serve_sockets(&d->at, d->socket, v.listen, v.listen_any, err);
	const char *sockets[] = { d->at.managed || keeper_is_there() ? "" : d->socket, NULL };
	for (int i = 0; rc == 0 && i < 2; i++)
		if (d->at.fds[i] >= 0) {
			rc = server_listen_fd(d->server, d->at.fds[i], sockets[i], err);
			d->at.fds[i] = -1;
		}
	return rc;
}

/* Settings are found by name, which takes a look at each: once a route. */
static int64_t ttl(void *arg, const struct route *r)
{
	struct daemon *d = arg;
	size_t i = 0;

	while (i < TTLS_MAX && d->ttls[i].route != NULL && d->ttls[i].route != r)
		i++;
	if (i == TTLS_MAX)
		return app_ttl(&d->app, r);
	if (d->ttls[i].route == NULL) {
		d->ttls[i].route = r;
		d->ttls[i].seconds = app_ttl(&d->app, r);
	}
	return d->ttls[i].seconds;
}

static int open_proxy(struct daemon *d, struct err *err)
{
	struct proxy_params p = { .loop = d->app.loop,
		.cache = d->app.cache,
		.http = d->app.http,
		.upstream = &d->app.upstream,
		.recent = d->recent = recent_new(),
		.offline = d->app.globals->offline,
		.max_body = (size_t)settings_int(d->app.settings, "cache.max_body"),
		.any_ip = v.listen_any,
		.ttl = ttl,
		.control = control,
		.control_gone = control_gone,
		.arg = d };

	p.nbody_paths = settings_list(d->app.settings, "cache.copilot_paths", &p.body_paths);
	d->control = (struct control){ .stats = write_stats,
		.metrics = write_metrics,
		.status = write_status,
		.peers = write_peers,
		.cache = write_cache,
		.scan = ask_scan,
		.forget = forget,
		.put = put,
		.stop = stop,
		.arg = d };
	if (d->recent == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the daemon");
	control_make_key(&d->control);
	if (parse_rewrite(&p.rewrite, err) != 0)
		return ERR_USAGE;
	return proxy_new(&p, &d->proxy, err);
}

/* The sockets belong to a process that does nothing else; the daemon is its child. All its children have the
 * settings of the start: a checkout may have brought others since. */
static int keep(struct daemon *d, const struct globals *g, struct err *err)
{
	int rc = app_open(&d->app, g, err);

	if (rc == 0)
		rc = app_open_store(&d->app, false, err);
	if (rc == 0)
		rc = daemon_socket(&d->app, d->socket, sizeof(d->socket), err);
	if (rc == 0)
		rc = serve_sockets(&d->at, d->socket, v.listen, v.listen_any, err);
	app_reopen(&d->app);
	runtime_hold();
	return rc == 0 ? keeper_fork(d->socket, d->at.fds, err) : rc;
}

static int open_daemon(struct daemon *d, const struct globals *g, struct err *err)
{
	int rc = d->app.settings != NULL ? 0 : app_open(&d->app, g, err);

	serve_sockets_room(MAX_CLIENTS);
	if (rc == 0 && v.upstream != NULL)
		rc = settings_override(d->app.settings, "upstream.url", v.upstream, "--upstream", err);
	if (rc == 0)
		rc = app_open_store(&d->app, false, err);
	if (rc == 0)
		rc = daemon_socket(&d->app, d->socket, sizeof(d->socket), err);
	d->app.is_daemon = true;
	if (rc == 0)
		rc = app_open_cache(&d->app, span_of(""), err);
	for (size_t i = 0; i < v.resolve.n; i++)
		d->resolve[i] = v.resolve.item[i].value;
	d->app.env.resolve = d->resolve;
	d->app.env.nresolve = v.resolve.n;
	serve_stats_init(&d->stats, &d->app);
	daemon_upstream(&d->app, d->upstream, sizeof(d->upstream));
	if (rc == 0)
		rc = open_proxy(d, err);
	if (rc == 0)
		rc = open_server(d, err);
	return rc;
}

static void close_daemon(struct daemon *d)
{
	gc_free(d->gc);
	serve_stats_wipe(&d->stats);
	peering_free(&d->peering);
	server_free(d->server);
	proxy_free(d->proxy);
	recent_free(d->recent);
	app_close(&d->app);
}

/* ---- running ---- */

static void announce(const struct daemon *d)
{
	printf("listening on %s", d->socket);
	if (d->at.tcp[0] != '\0')
		printf(" and http://%s", d->at.tcp);
	printf("\n");
	fflush(stdout);
}

static int run_loop(struct daemon *d, struct err *err)
{
	int rc;

	d->tick.fire = on_tick;
	d->sweep.run = on_sweep;
	d->begun = d->busy = loop_now(d->app.loop);
	sample(d);
	peering_start(&d->peering, &d->app, d->app.loop, d->p2p_port);
	timer_set(d->app.loop, &d->tick, d->busy + TICK_MS);
	rc = loop_run(d->app.loop, &d->done, err);
	timer_clear(d->app.loop, &d->tick);
	signal_release();
	log_counters(d);
	return rc;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct daemon d;
	int rc = 0;

	memset(&d, 0, sizeof(d));
	d.at.fds[0] = d.at.fds[1] = -1;
	if (args->n > 0)
		rc = err_set(err, ERR_USAGE, "serve takes no operands, not '%s'", args->arg[0]);
	if (rc == 0)
		rc = parse_p2p_port(&d, err);
	keeper_hide();
	if (rc == 0 && v.background)
		rc = keeper_detach(err);
	if (rc == 0 && v.background && v.respawn)
		rc = keep(&d, g, err);
	if (rc == 0)
		rc = open_daemon(&d, g, err);
	if (rc == 0)
		rc = signal_catch(d.app.loop, on_signal, &d, err);
	if (rc == 0) {
		daemon_write_pid(&d.app);
		announce(&d);
		keeper_served();
		if (v.background)
			keeper_let_go();
		rc = run_loop(&d, err);
		daemon_remove_pid(&d.app);
	}
	close_daemon(&d);
	return rc == 0 ? XC_OK : cli_exit_code(err);
}

const struct command cmd_serve = { "serve", "[options]", "answer local tools from the cache",
	"Runs a GitHub API endpoint for every tool on this machine: plain HTTP on a unix socket and on a "
	"loopback port, answered from the cache, "
	"everything else passed on to GitHub. It never adds a credential: a request without Authorization "
	"goes out without.\n"
	"\n"
	"gh uses it after `gh config set http_unix_socket PATH`; other clients take http://127.0.0.1:9014 as "
	"their base URL. SIGTERM and `ghoard "
	"stop` let running answers finish.\n",
	opts, &v, run };
