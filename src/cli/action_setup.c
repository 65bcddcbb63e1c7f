/* `ghoard action setup`: a daemon for this job, and where the job's steps find it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/action.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/peering.h"
#include "config/layers.h"

/* What it holds in memory goes then; the next request starts another one. */
#define IDLE_DEFAULT "6h"
#define STATUS_MAX ((size_t)2 << 20)

struct setup {
	char folder[ACTION_PATH_MAX], socket[ACTION_PATH_MAX], log[ACTION_PATH_MAX + 32], url[128];
	char cache_dir[ACTION_PATH_MAX];
	bool peers;
	const char *why;		/* there are none */
};

static int look(struct setup *s, const struct globals *g, struct err *err)
{
	struct app app;
	const char *dir;
	int rc = app_open(&app, g, err);

	if (rc != 0)
		return rc;
	dir = settings_str(app.settings, "cache.directory");
	snprintf(s->cache_dir, sizeof(s->cache_dir), "%s", dir != NULL ? dir : "");
	s->peers = peering_judge(&app, &s->why) == PEERING_ON;
	app_close(&app);
	return 0;
}

/* The port of the reference's default is the first of a range, as two jobs of one machine may not have the
 * same; any other one is meant. */
static void free_port(void)
{
	const char *port = action_env("P2P_LISTEN_PORT");

	if (port != NULL && strcmp(port, "9000") == 0)
		unsetenv("P2P_LISTEN_PORT");
}

static int start(struct setup *s, struct err *err)
{
	const char *idle = action_env("GHOARD_IDLE_EXIT");
	struct action_call c;
	struct span said, url;
	char why[300];
	int code;

	action_begin(&c, "serve", "--background");
	action_arg(&c, "--respawn");
	action_opt(&c, "--socket", s->socket);
	action_opt(&c, "--listen", "127.0.0.1:0");
	action_opt(&c, "--idle-exit", idle != NULL ? idle : IDLE_DEFAULT);
	c.log = s->log;
	code = action_run(&c);
	said = buf_span(&c.out);
	if (code == XC_OK && span_find(said, "http://") > 0) {
		url = span_sub(said, (size_t)span_find(said, "http://"), said.n);
		span_copy(s->url, sizeof(s->url), span_before(url, '\n'));
	}
	action_end(&c);
	if (s->url[0] != '\0')
		return 0;
	action_last_line(s->log, why, sizeof(why));
	return err_set(err, ERR_IO, "%s", why[0] != '\0' ? why : "the daemon does not start");
}

static void remove_folder(const struct setup *s)
{
	action_gh_remove(s->folder);
	action_socket_remove(s->folder);
	unlink(s->log);
	rmdir(s->folder);
}

/* Of an earlier setup in this job, whose daemon has died, the configuration of gh is not the user's. */
static void leave_old(void)
{
	const char *job = action_env("GHOARD_JOB"), *dir = action_env("GH_CONFIG_DIR"),
		   *before = action_env("GHOARD_GH_BEFORE");
	size_t n = job != NULL ? strlen(job) : 0;

	if (n > 0 && dir != NULL && strncmp(dir, job, n) == 0 && strcmp(dir + n, "/gh") == 0)
		action_export("GH_CONFIG_DIR", before != NULL ? before : "");
}

static int open_job(struct setup *s, struct err *err)
{
	int rc;

	leave_old();
	rc = action_folder(s->folder, err);
	if (rc != 0)
		return rc;
	snprintf(s->log, sizeof(s->log), "%s/ghoard.log", s->folder);
	setenv("GHOARD_JOB", s->folder, 1);	/* the daemon's keeper watches it */
	rc = action_socket(s->folder, s->socket, err);
	if (rc == 0)
		rc = action_gh_config(s->folder, s->socket, err);
	if (rc == 0)
		rc = start(s, err);
	if (rc != 0)
		remove_folder(s);
	return rc;
}

static void count_peers(const struct setup *s, char *out, size_t size)
{
	struct json *o = NULL;
	struct buf b;
	size_t n = 0;

	buf_init(&b, STATUS_MAX);
	if (s->peers && daemon_ask(s->socket, "GET", "/_ghoard/peers", &b, NULL) == 0 &&
	    json_parse(buf_span(&b), &o) == 0)
		while (json_at(json_get(o, "peers"), n) != NULL)
			n++;
	snprintf(out, size, "%zu", n);
	json_free(o);
	buf_free(&b);
}

/* What the reference's action exports, with the words given. */
static void export_inputs(const char *port)
{
	static const char *const names[] = { "ENABLE_P2P_CACHE", "GITHUB_CACHE_SIZE", "CACHE_DEFAULT_TTL",
		"ENABLE_PEER_DISCOVERY" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (action_env(names[i]) != NULL)
			action_export(names[i], action_env(names[i]));
	if (port[0] != '\0')
		action_export("P2P_LISTEN_PORT", port);
}

static void export_job(const struct setup *s)
{
	const char *before = action_env("GH_CONFIG_DIR");
	char gh[ACTION_PATH_MAX + 8];

	snprintf(gh, sizeof(gh), "%s/gh", s->folder);
	action_export("GHOARD_JOB", s->folder);
	action_export("GHOARD_SOCKET", s->socket);
	action_export("GHOARD_API_URL", s->url);
	action_export("GHOARD_GH_BEFORE", before != NULL ? before : "");
	action_export("GH_CONFIG_DIR", gh);
}

static void tell(const struct setup *s, const char *status)
{
	char count[24];

	count_peers(s, count, sizeof(count));
	action_output("cache-status", status);
	action_output("peer-count", count);
	action_output("cache-dir", s->cache_dir);
	action_output("api-url", s->url);
	action_output("socket", s->socket);
	printf("GitHub API cache: %s, %s\n", status, s->url[0] != '\0' ? s->url : "as before");
	if (!s->peers && s->why != NULL)
		printf("no peers: %s\n", s->why);
}

static int run(struct setup *s, const struct globals *g, struct err *err)
{
	const char *given = action_env("P2P_LISTEN_PORT"), *running = action_env("GHOARD_SOCKET");
	struct action_call c;
	char port[16];
	int rc;

	snprintf(port, sizeof(port), "%s", given != NULL ? given : "");
	rc = look(s, g, err);
	if (rc != 0)
		return rc;
	export_inputs(port);
	action_export("CACHE_DIR", s->cache_dir);
	/* a second time in one job: it runs */
	if (running != NULL && action_env("GHOARD_JOB") != NULL && daemon_is_ours(running)) {
		snprintf(s->socket, sizeof(s->socket), "%s", running);
		snprintf(s->url, sizeof(s->url), "%s",
		    action_env("GHOARD_API_URL") != NULL ? action_env("GHOARD_API_URL") : "");
		return 0;
	}
	if (action_persists(&c, "cache", "restore"))
		action_persist(&c);
	free_port();
	rc = open_job(s, err);
	if (rc == 0)
		export_job(s);
	return rc;
}

int action_setup(const struct globals *g, struct err *err)
{
	struct setup s;

	memset(&s, 0, sizeof(s));
	if (run(&s, g, err) == 0) {
		tell(&s, s.peers ? "success" : "fallback");
		return XC_OK;
	}
	log_warn("the GitHub API cache is off in this job: %s", err->msg);
	err_init(err);
	action_output("cache-status", "disabled");
	action_output("peer-count", "0");
	action_output("cache-dir", s.cache_dir);
	return XC_OK;
}
