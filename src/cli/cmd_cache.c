#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "config/layers.h"
#include "metrics/metrics.h"
#include "store/gc.h"

static struct {
	bool stale, keep_runtime;
	int64_t ttl;
	const char *prefix;
} v = { .ttl = OPT_UNSET };

#define AT(member) offsetof(__typeof__(v), member)

static const struct opt opts[] = {
	{ "stale", 0, OPT_FLAG, NULL, AT(stale),
	    "get: print the data even if its lifetime is over" },
	{ "ttl", 0, OPT_SECONDS, "SEC", AT(ttl),
	    "put: lifetime of the data (default that of the operation)" },
	{ "prefix", 0, OPT_TEXT, "P", AT(prefix), "ls, rm: the entries whose key begins so" },
	{ "keep-runtime", 0, OPT_FLAG, NULL, AT(keep_runtime),
	    "persist: leave the file in GHOARD_RUNTIME_FILE for the next command" },
	{ .name = NULL }
};

static int collect(const struct cache_sub *c, struct err *err)
{
	size_t max = (size_t)settings_int(c->app->settings, "cache.max_size"), steps = 0;
	struct gc *gc = NULL;
	int rc = gc_start(c->app->store, max, clock_wall(), &gc, err);

	if (rc < 0)
		return cli_exit_code(err);
	if (rc == 0) {
		err_set(err, ERR_NOTFOUND,
		    "another process is collecting %s already, or the folder is read-only",
		    c->app->cache_dir);
		return XC_NO;
	}
	while (gc_step(gc) == 1)
		if (++steps % 16 == 0)
			app_progress("entries seen:", gc_seen(gc), 0, false);
	if (steps >= 16)
		app_progress("entries seen:", gc_seen(gc), gc_seen(gc), true);
	metrics_add(c->app->metrics, M_GC_RUNS, 1);
	metrics_add(c->app->metrics, M_GC_REMOVED, gc_removed(gc));
	if (c->json)
		printf("{\"entries\":%zu,\"removed\":%zu,\"max\":%zu}\n", gc_seen(gc), gc_removed(gc), max);
	else
		printf("%zu of %zu entries removed; at most %zu are kept\n", gc_removed(gc), gc_seen(gc),
		    max);
	gc_free(gc);
	return XC_OK;
}

/* ---- which one ---- */

enum { TAKES_STALE = 1, TAKES_TTL = 2, TAKES_PREFIX = 4, TAKES_KEEP = 8 };

static const struct sub {
	const char *name;
	size_t min, max;		/* operands */
	unsigned takes;
	bool changes;			/* what a daemon may have in memory */
	const char *usage;
	int (*run)(const struct cache_sub *, struct err *);
} subs[] = { { "get", 1, OPT_ARGS_MAX, TAKES_STALE, false, "get OP [ARG...] [K=V...] [--stale]",
		 cache_named_get },
	{ "put", 1, OPT_ARGS_MAX, TAKES_TTL, true, "put OP [ARG...] [K=V...] [--ttl SEC] < DATA",
	    cache_named_put },
	{ "ls", 0, 0, TAKES_PREFIX, false, "ls [--prefix P]", cache_list_ls },
	{ "rm", 0, 1, TAKES_PREFIX, true, "rm KEY, or rm --prefix P", cache_list_rm },
	{ "clear", 0, 0, 0, true, "clear", cache_list_clear },
	{ "verify", 0, 0, 0, false, "verify", cache_list_verify }, { "gc", 0, 0, 0, true, "gc", collect },
	{ "export", 1, 1, 0, false, "export FILE", cache_export_run },
	{ "import", 1, 1, 0, true, "import FILE", cache_import_run },
	{ "persist", 1, 1, TAKES_KEEP, true, "persist restore|save [--keep-runtime]", cache_persist_run } };

static const struct sub *find(const char *name)
{
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (strcmp(subs[i].name, name) == 0)
			return &subs[i];
	return NULL;
}

static int check(const struct opt_args *args, const struct sub **out, struct err *err)
{
	unsigned given = (v.stale ? TAKES_STALE : 0) | (v.ttl != OPT_UNSET ? TAKES_TTL : 0) |
	    (v.prefix != NULL ? TAKES_PREFIX : 0) | (v.keep_runtime ? TAKES_KEEP : 0);
	const struct sub *s = args->n > 0 ? find(args->arg[0]) : NULL;

	if (s == NULL)
		return err_set(err, ERR_USAGE,
		    "cache takes get, put, ls, rm, clear, verify, gc, export, import or persist%s%s; see "
		    "'ghoard help cache'",
		    args->n > 0 ? ", not " : "", args->n > 0 ? args->arg[0] : "");
	if (args->n - 1 < s->min || args->n - 1 > s->max || (given & ~s->takes) != 0)
		return err_set(err, ERR_USAGE, "it is 'ghoard cache %s'; see 'ghoard help cache'", s->usage);
	*out = s;
	return 0;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct app app;
	struct cache_sub c = {
		.app = &app, .json = g->json, .stale = v.stale, .ttl = v.ttl, .prefix = v.prefix,
		.keep_runtime = v.keep_runtime
	};
	const struct sub *s = NULL;
	int code;

	if (check(args, &s, err) != 0 || app_open(&app, g, err) != 0)
		return cli_exit_code(err);
	c.arg = args->arg + 1;
	c.nargs = args->n - 1;
	code = app_open_store(&app, true, err) != 0 ? cli_exit_code(err) : s->run(&c, err);
	if (s->changes && err->cls == 0)
		daemon_forget(&app);
	app_close(&app);
	return code;
}

const struct command cmd_cache = {
	.name = "cache",
	.args = "get|put|ls|rm|clear|verify|gc|export|import|persist ...",
	.summary = "look after the stored answers",
	.text =
	    "  get OP [ARG...] [K=V...] [--stale]\n"
	    "  put OP [ARG...] [K=V...] [--ttl SEC] < DATA\n"
	    "  ls [--prefix P]\n"
	    "  rm KEY | --prefix P\n"
	    "  clear\n"
	    "  verify\n"
	    "  gc\n"
	    "  export FILE\n"
	    "  import FILE\n"
	    "  persist restore|save [--keep-runtime]\n"
	    "\n"
	    "get and put keep any data by name: an operation, then arguments, then K=V\n"
	    "pairs in any order. get prints the very bytes that were put, or nothing with\n"
	    "exit 1 when there are none or their lifetime is over.\n"
	    "\n"
	    "ls prints key, age, lifetime left and size of every entry. rm removes what is\n"
	    "stored under a key, of all tokens; clear removes everything.\n"
	    "\n"
	    "verify recomputes the CID of every entry and prints those that are damaged; it\n"
	    "moves nothing and exits with 5 if there are any. gc brings the store down to\n"
	    "cache.max_size, which also happens by itself.\n"
	    "\n"
	    "export writes all sound entries to a CARv1 archive that any IPFS tool can list\n"
	    "and check; import reads one, from another runner for example. It checks all of\n"
	    "it first. An imported answer to a request is its token's own if its proof says\n"
	    "so; for anybody else it counts once GitHub has confirmed it, or offline. The\n"
	    "file - is standard output or input.\n"
	    "\n"
	    "persist keeps such an archive in the Actions cache under ghoard-api-RUN, and\n"
	    "restores the newest one; it is sealed under GHOARD_PERSIST_SECRET, for whoever\n"
	    "can open a pull request can read these caches. It exits with 0 if that was\n"
	    "done, with 1 and the reason if not: it is no reason to fail a job. The job's\n"
	    "token comes from GHOARD_RUNTIME_FILE, JSON with results_url, runtime_token and\n"
	    "cache_mode, mode 0600, read once and unlinked; else from ACTIONS_RESULTS_URL,\n"
	    "ACTIONS_RUNTIME_TOKEN and ACTIONS_CACHE_MODE.",
	.opts = opts,
	.values = &v,
	.run = run
};
