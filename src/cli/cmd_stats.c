#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/summary.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "metrics/metrics.h"
#include "metrics/report.h"
#include "store/store.h"

#define REPORT_MAX ((size_t)1 << 20)

static struct {
	const char *format;
	bool summary;
} v;

#define AT(member) offsetof(__typeof__(v), member)

static const struct opt opts[] = {
	{ "format", 0, OPT_TEXT, "FORMAT", AT(format),
	    "text, json, prometheus or markdown (default text)" },
	{ "summary", 0, OPT_FLAG, NULL, AT(summary),
	    "append Markdown to the file that GITHUB_STEP_SUMMARY names" },
	{ .name = NULL }
};

static int write_summary(const struct metrics *m, const struct report_gauges *g, struct err *err)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");
	struct buf b;
	int rc;

	if (path == NULL || path[0] == '\0')
		return err_set(err, ERR_USAGE,
		    "GITHUB_STEP_SUMMARY is not set; --summary is for a step of GitHub Actions");
	buf_init(&b, REPORT_MAX);
	report_write(m, g, REPORT_MARKDOWN, &b);
	rc = summary_append(path, buf_span(&b), err);
	buf_free(&b);
	return rc;
}

/* A command that ends at once has no peers: the daemon says how many it has. -1: it has none to be had, or
 * there is no daemon. */
static int64_t ask_peers(const struct app *app)
{
	char socket[256];
	struct span on, number;
	struct buf b;
	struct err none;
	uint64_t n = 0;
	bool ok;

	err_init(&none);
	buf_init(&b, REPORT_MAX);
	ok = !app->globals->no_daemon && daemon_socket(app, socket, sizeof(socket), &none) == 0 &&
	    daemon_ask(socket, "GET", "/_ghoard/stats", &b, &none) == 0 &&
	    jscan_member(buf_span(&b), "p2p_enabled", &on) == 1 && span_eq(on, "true") &&
	    jscan_member(buf_span(&b), "connected_peers", &number) == 1 && span_u64(number, INT32_MAX, &n);
	buf_free(&b);
	return ok ? (int64_t)n : -1;
}

static void take_gauges(const struct app *app, struct report_gauges *g)
{
	*g = (struct report_gauges){ .entries = -1,
		.bytes = -1,
		.connected_peers = ask_peers(app),
		.cache_dir = app->cache_dir,
		.version = strchr(cli_agent(), '/') + 1 };
	if (app->store != NULL && store_usage(app->store, &g->entries, &g->bytes, NULL) != 0)
		g->entries = g->bytes = -1;
}

static int report(const struct app *app, enum report_format format, struct err *err)
{
	struct metrics *m = app_all_metrics(app), *cred = app_cred_metrics(app);
	struct report_gauges g;
	struct buf b;
	int code = XC_OK;

	take_gauges(app, &g);
	g.cred = cred;
	buf_init(&b, REPORT_MAX);
	report_write(m, &g, format, &b);
	fwrite(buf_data(&b), 1, buf_len(&b), stdout);
	buf_free(&b);
	if (v.summary && write_summary(m, &g, err) != 0)
		code = cli_exit_code(err);
	metrics_free(cred);
	metrics_free(m);
	return code;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	const char *name = v.format != NULL ? v.format : g->json ? "json" : "text";
	enum report_format format;
	struct app app;
	int code;

	if (args->n > 0)
		err_set(err, ERR_USAGE, "stats takes no operands, not '%s'", args->arg[0]);
	else if (!report_format_parse(name, &format))
		err_set(err, ERR_USAGE, "--format takes text, json, prometheus or markdown, not '%s'", name);
	else if (g->json && format != REPORT_JSON)
		err_set(err, ERR_USAGE, "--json and --format %s contradict each other", name);
	if (err->cls != 0 || app_open(&app, g, err) != 0)
		return cli_exit_code(err);
	code = app_open_store(&app, false, err) != 0 ? cli_exit_code(err) : report(&app, format, err);
	app_close(&app);
	return code;
}

const struct command cmd_stats = {
	.name = "stats",
	.args = "[--format FORMAT] [--summary]",
	.summary = "what the cache has saved",
	.text =
	    "Prints the counters that all processes with this cache folder add to: requests,\n"
	    "hits by where they came from, calls and bytes saved, what reached GitHub; and those\n"
	    "of the credential folder. A running daemon is asked for its peers.",
	.opts = opts,
	.values = &v,
	.run = run
};
