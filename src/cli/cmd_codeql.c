#include <string.h>

#include "base/err.h"
#include "cli/cli.h"
#include "cli/codeql.h"

static struct codeql_opts v;

#define AT(member) offsetof(struct codeql_opts, member)

static const struct opt opts[] = { { "repo", 0, OPT_TEXT, "O/R", AT(repo),
				       "the repository (default GITHUB_REPOSITORY)" },
	{ "language", 0, OPT_LIST, "L", AT(languages), "a language of the scan; may be repeated" },
	{ "queries", 0, OPT_TEXT, "Q", AT(queries), "the queries, as the CodeQL action takes them" },
	{ "packs", 0, OPT_TEXT, "P", AT(packs), "the query packs, as the CodeQL action takes them" },
	{ "config-file", 0, OPT_TEXT, "F", AT(config_file),
	    "the CodeQL configuration file, below GITHUB_WORKSPACE or the top" },
	{ "build-mode", 0, OPT_TEXT, "M", AT(build_mode), "none, autobuild or manual" },
	{ "codeql-version", 0, OPT_TEXT, "V", AT(version),
	    "the version of CodeQL (default the tool cache's)" },
	{ "tool", 0, OPT_TEXT, "NAME", AT(tool), "another tool that writes SARIF (default CodeQL)" },
	{ "tool-version", 0, OPT_TEXT, "V", AT(version), "its version" },
	{ "category", 0, OPT_TEXT, "C", AT(category), "the category of the analysis" },
	{ "matrix", 0, OPT_TEXT, "JSON", AT(matrix),
	    "the job's matrix, ${{ toJSON(matrix) }}; empty: none (default GHOARD_MATRIX)" },
	{ "source", 0, OPT_TEXT, "DIR", AT(source), "the folder that is scanned (default .)" },
	{ "extra-key", 0, OPT_LIST, "TEXT", AT(extra),
	    "whatever else the result depends on; may be repeated" },
	{ "ignore-untracked", 0, OPT_LIST, "GLOB", AT(ignore),
	    "untracked files that do not count; may be repeated" },
	{ "allow-unpinned", 0, OPT_FLAG, NULL, AT(allow_unpinned),
	    "take results of at most 24 h although not all of the configuration is pinned" },
	{ "commit", 0, OPT_TEXT, "SHA", AT(commit), "the commit, a label (default HEAD, then GITHUB_SHA)" },
	{ "ref", 0, OPT_TEXT, "R", AT(ref), "the ref the commit belongs to (default GITHUB_REF)" },
	{ "event", 0, OPT_TEXT, "NAME", AT(event), "check, store: the event (default GITHUB_EVENT_NAME)" },
	{ "state", 0, OPT_TEXT, "FILE", AT(state),
	    "check, store: what check leaves for store (default below RUNNER_TEMP)" },
	{ "fail-on", 0, OPT_TEXT, "LEVEL", AT(fail_on),
	    "check: exit 7 if a known result is critical, high, medium, low, error, warning, note or any" },
	{ "sample", 0, OPT_TEXT, "N%", AT(sample),
	    "check: scan in this share of the hits, and let store compare" },
	{ "sarif", 0, OPT_TEXT, "FILE", AT(sarif), "store: what the scan wrote, or the folder of it" },
	{ "started", 0, OPT_TEXT, "T", AT(started), "store: when the scan began; seconds or RFC 3339" },
	{ "finished", 0, OPT_TEXT, "T", AT(finished), "store: when it ended" },
	{ "out", 0, OPT_TEXT, "FILE", AT(out),
	    "check, fetch: where the result goes; - is fetch's standard output" },
	{ "keep-runtime", 0, OPT_FLAG, NULL, AT(keep_runtime),
	    "persist: leave the file in GHOARD_RUNTIME_FILE for the next command" },
	{ .name = NULL } };

enum { NOTHING = 0, CHECKS = 1, STORES = 2, FETCHES = 4, KEY = 8, WRITES = 16, OPERANDS = 32 };

static const struct sub {
	const char *name;
	unsigned takes;
	int (*run)(struct codeql *, struct err *);
} subs[] = { { "check", KEY | CHECKS | FETCHES, codeql_check },
	{ "store", KEY | STORES | WRITES, codeql_store }, { "fetch", KEY | FETCHES, codeql_fetch },
	{ "upload", KEY, codeql_upload }, { "explain", KEY, codeql_explain },
	{ "invalidate", KEY | WRITES | OPERANDS, codeql_invalidate },
	{ "persist", KEY | WRITES | OPERANDS, codeql_persist }, { "ls", NOTHING, codeql_ls },
	{ "clear", WRITES, codeql_clear } };

static const struct sub *find(const char *name)
{
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (strcmp(subs[i].name, name) == 0)
			return &subs[i];
	return NULL;
}

static int check_opts(const struct sub *s, struct err *err)
{
	bool checks = v.fail_on != NULL || v.sample != NULL;
	bool stores = v.sarif != NULL || v.started != NULL || v.finished != NULL;
	bool key = v.repo != NULL || v.queries != NULL || v.packs != NULL || v.config_file != NULL ||
	    v.languages.n > 0 || v.source != NULL;

	if (checks && !(s->takes & CHECKS))
		return err_set(err, ERR_USAGE, "--fail-on and --sample are of 'ghoard codeql check'");
	if (stores && !(s->takes & STORES))
		return err_set(err, ERR_USAGE,
		    "--sarif, --started and --finished are of 'ghoard codeql store'");
	if (v.keep_runtime && s->run != codeql_persist)
		return err_set(err, ERR_USAGE, "--keep-runtime is of 'ghoard codeql persist'");
	if (v.out != NULL && !(s->takes & FETCHES))
		return err_set(err, ERR_USAGE, "--out is of 'ghoard codeql check' and 'fetch'");
	if (key && !(s->takes & KEY))
		return err_set(err, ERR_USAGE,
		    "'ghoard codeql %s' takes no key: it is about all that is stored", s->name);
	return 0;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	const struct sub *s = args->n > 0 ? find(args->arg[0]) : NULL;
	struct opt_args rest = { .n = args->n > 0 ? args->n - 1 : 0 };
	enum codeql_need need = s == NULL || (s->takes & CHECKS) ? FOLDER_IF_ANY :
	    s->takes & WRITES ? FOLDER_TO_WRITE : FOLDER_TO_READ;
	struct codeql c;
	int code;

	if (s == NULL)
		err_set(err, ERR_USAGE,
		    "codeql takes check, store, fetch, upload, explain, invalidate, persist, ls or "
		    "clear%s%s; "
		    "see 'ghoard help codeql'",
		    args->n > 0 ? ", not " : "", args->n > 0 ? args->arg[0] : "");
	else if (rest.n > 0 && !(s->takes & OPERANDS))
		err_set(err, ERR_USAGE, "'ghoard codeql %s' takes no operands, not '%s'", s->name,
		    args->arg[1]);
	if (err->cls != 0 || check_opts(s, err) != 0)
		return XC_USAGE;
	memcpy(rest.arg, args->arg + 1, rest.n * sizeof(rest.arg[0]));
	if (codeql_open(&c, g, &v, need, err) != 0) {
		code = cli_exit_code(err);
	} else {
		c.keys = &rest;
		code = s->run(&c, err);
	}
	codeql_close(&c);
	return code;
}

const struct command cmd_codeql = {
	.name = "codeql",
	.args = "check|store|fetch|upload|explain|invalidate|persist|ls|clear ...",
	.summary = "replay a scan's result when sources and scan are the same",
	.text =
	    "  check [--out FILE] [--fail-on LEVEL] [--sample N%] [--allow-unpinned]\n"
	    "  store --sarif FILE|DIR --started T --finished T\n"
	    "  fetch --out FILE\n"
	    "  upload [--ref R]\n"
	    "  explain\n"
	    "  invalidate [KEY...]\n"
	    "  persist restore|save [--keep-runtime]\n"
	    "  ls\n"
	    "  clear\n"
	    "\n"
	    "check, run straight after the checkout, exits with 0 if a stored scan saw the\n"
	    "same sources under the same configuration, and names the SARIF; with 1 if a\n"
	    "scan is needed. It asks nobody and needs no git. In a workflow it writes the\n"
	    "outputs should_skip, reason, sarif_path, alerts, time_saved_seconds and\n"
	    "matched_commit. Any doubt means scan. A step does not see its job's matrix: in a\n"
	    "workflow it must be told by GHOARD_MATRIX or --matrix, also that there is none.\n"
	    "\n"
	    "store, run after the scan, keeps its SARIF under the key that check saw before\n"
	    "the build, unless a file it saw has changed since, the scan failed, its options\n"
	    "are not those of the job's last check, or the SARIF is older than the check, of\n"
	    "another category or language or no result of these sources. Incremental results\n"
	    "are kept apart and answer nothing.\n"
	    "\n"
	    "Before a result is handed back the line hash of each alert is computed anew\n"
	    "from the files of this tree. That shows that what is listed belongs here, not\n"
	    "that nothing was left out: with GHOARD_CODEQL_KEY results are signed, and with\n"
	    "codeql.trusted_keys only signed ones count.\n"
	    "\n"
	    "upload sends the result to GitHub's code scanning for the commit of HEAD and\n"
	    "waits until it is processed; fetch writes it to a file, for example for\n"
	    "github/codeql-action/upload-sarif. explain says what differs from the nearest\n"
	    "stored scan. invalidate removes the scan of this key, of --commit, or of the\n"
	    "keys given as ls prints them; clear removes all.\n"
	    "\n"
	    "persist keeps the scans of this configuration and their SARIF in the Actions\n"
	    "cache under ghoard-codeql-CONFIG-FINGERPRINT and restores the newest of the\n"
	    "configuration, sealed under GHOARD_PERSIST_SECRET, with 'ghoard cache persist's\n"
	    "environment and exit codes. Where no key is trusted, a restored scan counts as\n"
	    "this store's own, because the seal shows that a job with the secret made it.",
	.opts = opts,
	.values = &v,
	.run = run
};
