/* From the command line and the environment to the scan that this run would be: `want` and `cfg`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "github/sarifup.h"

#define PAYLOAD_MAX ((size_t)32 << 20)

extern char **environ;

/* ---- the event ---- */

static enum codeql_event event_of(const char *name)
{
	static const struct {
		const char *name;
		enum codeql_event event;
	} rows[] = { { "push", EVENT_LOOKS }, { "pull_request", EVENT_LOOKS }, { "release", EVENT_LOOKS },
		{ "create", EVENT_LOOKS }, { "local", EVENT_LOOKS }, { "schedule", EVENT_SCHEDULE },
		{ "workflow_dispatch", EVENT_DISPATCH }, { "repository_dispatch", EVENT_DISPATCH },
		{ "merge_group", EVENT_MERGE_GROUP } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(name, rows[i].name) == 0)
			return rows[i].event;
	return EVENT_UNTRUSTED; /* pull_request_target, workflow_run, issue_comment, and what is not known */
}

void codeql_payload(const struct codeql *c, const char *path, char *out, size_t size)
{
	struct span v;

	out[0] = '\0';
	if (buf_len(&c->payload) == 0 || jscan_path(buf_span(&c->payload), path, &v) != 1 || v.n == 0)
		return;
	if (!(v.p[0] == '"' ? jscan_str(v, out, size) : span_copy(out, size, v)))
		out[0] = '\0';
}

/* Whose results are these going to be? Where nothing says that a pull request is of this repository, it is a
 * fork's. So is what an event of unknown sources stores, whatever ref it is given. CodeQL's action asks the
 * payload, not the event's name, which lines are a request's: so base and head count for every event. */
static void take_class(struct codeql *c)
{
	struct scan *w = &c->want;
	bool own;

	codeql_payload(c, "pull_request.head.repo.full_name", w->head_repo, sizeof(w->head_repo));
	codeql_payload(c, "pull_request.base.sha", w->base, sizeof(w->base));
	own = w->head_repo[0] != '\0' && strcasecmp(w->head_repo, w->repo) == 0;
	w->class = SCAN_FULL;
	if (strcmp(w->event, "pull_request") == 0)
		w->class = own ? SCAN_PULL : SCAN_FORK;
	else if (event_of(w->event) == EVENT_UNTRUSTED || span_starts(span_of(w->ref), "refs/pull/") ||
	    w->head_repo[0] != '\0' || w->base[0] != '\0')
		w->class = SCAN_FORK;
}

static int copy(char *out, size_t size, const char *value, const char *what, struct err *err)
{
	if (value != NULL && !span_copy(out, size, span_of(value)))
		return err_set(err, ERR_USAGE, "%s is too long", what);
	return 0;
}

int codeql_take_event(struct codeql *c, struct err *err)
{
	const char *name = c->o->event != NULL ? c->o->event : codeql_env("GITHUB_EVENT_NAME");
	const char *path = codeql_env("GITHUB_EVENT_PATH"), *run = codeql_env("GITHUB_RUN_ID");
	const char *attempt = codeql_env("GITHUB_RUN_ATTEMPT"), *job = codeql_env("GITHUB_JOB");
	const char *repo = c->o->repo != NULL ? c->o->repo : codeql_env("GITHUB_REPOSITORY");

	if (repo == NULL)
		return err_set(err, ERR_USAGE,
		    "which repository? Give --repo OWNER/NAME or set GITHUB_REPOSITORY");
	if (span_chr(span_of(repo), '/') <= 0 || span_chr(span_of(repo), ':') >= 0)
		return err_set(err, ERR_USAGE, "--repo is OWNER/NAME, not '%.80s'", repo);
	if (c->o->ref != NULL && !sarifup_ref_ok(span_of(c->o->ref)))
		return err_set(err, ERR_USAGE,
		    "--ref is a full ref (refs/heads/NAME, refs/tags/NAME, refs/pull/N/merge or head), not "
		    "'%.80s'",
		    c->o->ref);
	if (name == NULL)
		name = codeql_env("GITHUB_ACTIONS") != NULL ? "unknown" : "local";
	c->event = event_of(name);
	if (c->event == EVENT_UNTRUSTED && c->o->commit != NULL && c->o->ref != NULL)
		c->event = EVENT_LOOKS;
	if (path != NULL && file_read(path, PAYLOAD_MAX, true, &c->payload, NULL) != 0)
		log_debug("the event's payload %s cannot be read", path);
	if (run != NULL)
		snprintf(c->run, sizeof(c->run), "%s/%s/%s", run, attempt != NULL ? attempt : "1",
		    job != NULL ? job : "");
	if (copy(c->want.repo, sizeof(c->want.repo), repo, "--repo", err) != 0 ||
	    copy(c->want.event, sizeof(c->want.event), name, "--event", err) != 0 ||
	    copy(c->want.ref, sizeof(c->want.ref), c->o->ref != NULL ? c->o->ref : codeql_env("GITHUB_REF"),
		"the ref", err) != 0)
		return ERR_USAGE;
	for (char *p = c->want.repo; *p != '\0'; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 32) : *p;	/* GitHub's names have no case */
	take_class(c);
	return 0;
}

/* ---- the scan's words ---- */

/* With it git may see another repository or other settings than we do, who read the usual files alone. */
static bool steers_git(const char *name)
{
	static const char *const words[] = { "CONFIG", "ATTR_", "DIR", "WORK_TREE", "INDEX_", "COMMON_DIR",
		"OBJECT_", "ALTERNATE_", "REPLACE_", "NO_REPLACE_" };

	if (strncmp(name, "GIT_", 4) == 0)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strncmp(name + 4, words[i], strlen(words[i])) == 0)
				return true;
	return false;
}

static int take_environment(struct codeql *c)
{
	size_t n = 0, bytes = 0;
	char *to;

	for (char **e = environ; *e != NULL; e++, n++)
		bytes += strlen(*e) + 1;
	c->env = calloc(n + 1, sizeof(*c->env));
	c->env_text = malloc(bytes + 1);
	if (c->env == NULL || c->env_text == NULL)
		return ERR_INTERNAL;
	to = c->env_text;
	c->cfg.nenv = 0;
	for (char **e = environ; *e != NULL; e++) {
		char *eq;
		strcpy(to, *e);
		eq = strchr(to, '=');
		if (eq != NULL) {
			*eq = '\0';
			c->env[c->cfg.nenv++] = (struct scancfg_pair){ to, eq + 1 };
			c->git_steered |= steers_git(to);
		}
		to += strlen(*e) + 1;
	}
	c->cfg.env = c->env;
	return 0;
}

/* "octo/repo/.github/workflows/x.yml@refs/heads/main": the path, which is the same on every branch. */
static void take_workflow(struct codeql *c)
{
	const char *ref = codeql_env("GITHUB_WORKFLOW_REF");
	struct span path = span_of(ref != NULL ? ref : "");
	ptrdiff_t slash;

	for (int i = 0; i < 2 && (slash = span_chr(path, '/')) >= 0; i++)
		path = span_sub(path, (size_t)slash + 1, path.n);
	span_copy(c->workflow, sizeof(c->workflow), span_before(path, '@'));
	c->cfg.workflow = c->workflow[0] != '\0' ? c->workflow : codeql_env("GITHUB_WORKFLOW");
	c->cfg.job = codeql_env("GITHUB_JOB");
}

/* Without .git the checkout is the job's workspace, or whatever --source names outside of it. */
static void take_workspace(struct codeql *c, const char *real)
{
	const char *given = codeql_env("GITHUB_WORKSPACE");
	char root[PATH_MAX];
	size_t n;

	if (given == NULL || realpath(given, root) == NULL || (n = strlen(root)) < 2 ||
	    strncmp(real, root, n) != 0 || real[n] != '/')
		return;
	strcpy(c->workspace, root);
	snprintf(c->source_root, sizeof(c->source_root), "%s", real + n + 1);
}

/* The folder as it stands in its repository: no part of the place of the checkout. */
static void take_source_root(struct codeql *c)
{
	char real[PATH_MAX], probe[PATH_MAX + 8];
	struct stat st;
	size_t n;

	strcpy(c->source_root, ".");
	c->workspace[0] = '\0';
	if (realpath(c->cfg.source, real) == NULL)
		return;
	for (n = strlen(real); n > 0;) {
		snprintf(probe, sizeof(probe), "%.*s/.git", (int)n, real);
		if (lstat(probe, &st) == 0) {
			if (real[n] == '/')
				snprintf(c->source_root, sizeof(c->source_root), "%s", real + n + 1);
			return;
		}
		do
			n--;
		while (n > 0 && real[n] != '/');
	}
	take_workspace(c, real);
}

/* A step does not see its job's matrix, and two legs that have one key would take each other's results: so in
 * Actions it must be said, also that there is none. */
static void take_matrix(struct codeql *c)
{
	const char *text = c->o->matrix != NULL ? c->o->matrix : getenv("GHOARD_MATRIX");

	if (text == NULL && codeql_in_actions())
		configkey_unpinned(&c->config,
		    "the job's matrix is not known (set GHOARD_MATRIX or give --matrix: "
		    "${{ toJSON(matrix) }}, or an empty text where there is none)");
	c->cfg.matrix = text != NULL && text[0] != '\0' && strcmp(text, "null") != 0 ? text : NULL;
}

static size_t take_list(const struct opt_list *l, const char **out)
{
	for (size_t i = 0; i < l->n; i++)
		out[i] = l->item[i].value;
	return l->n;
}

static int take_languages(struct codeql *c, struct err *err)
{
	const struct opt_list *l = &c->o->languages;

	for (size_t i = 0; i < l->n; i++) {
		struct span rest = span_of(l->item[i].value), one;
		while (span_cut(&rest, ',', &one)) {
			one = span_trim(one);
			if (one.n == 0)
				continue;
			if (c->cfg.nlanguages == SCANCFG_LANGUAGES_MAX)
				return err_set(err, ERR_USAGE, "--language is given more than %d times",
				    SCANCFG_LANGUAGES_MAX);
			c->cfg.languages[c->cfg.nlanguages++] = one;
		}
	}
	if (!scancfg_languages(&c->cfg, c->want.languages, sizeof(c->want.languages)) ||
	    strchr(c->want.languages, ':') != NULL)
		return err_set(err, ERR_USAGE, "--language is no language");
	return 0;
}

int codeql_take_words(struct codeql *c, struct err *err)
{
	static struct utsname machine;
	const struct codeql_opts *o = c->o;
	struct span inputs;

	uname(&machine);
	c->cfg.tool = o->tool;
	c->cfg.version = o->version;
	c->cfg.queries = o->queries;
	c->cfg.packs = o->packs;
	c->cfg.config_file = o->config_file;
	c->cfg.build_mode = o->build_mode;
	c->cfg.category = o->category;
	take_matrix(c);
	c->cfg.source = o->source != NULL ? o->source : ".";
	c->cfg.os = codeql_env("RUNNER_OS") != NULL ? codeql_env("RUNNER_OS") : machine.sysname;
	c->cfg.arch = codeql_env("RUNNER_ARCH") != NULL ? codeql_env("RUNNER_ARCH") : machine.machine;
	c->cfg.ignore = c->ignore;
	c->cfg.nignore = take_list(&o->ignore, c->ignore);
	c->cfg.extra = c->extra;
	c->cfg.nextra = take_list(&o->extra, c->extra);
	if (c->cfg.matrix != NULL && !jscan_valid(span_of(c->cfg.matrix)))
		return err_set(err, ERR_USAGE,
		    "--matrix (GHOARD_MATRIX) is JSON, as ${{ toJSON(matrix) }} gives it");
	if (buf_len(&c->payload) > 0 && (jscan_member(buf_span(&c->payload), "inputs", &inputs) == 1 ||
	    jscan_member(buf_span(&c->payload), "client_payload", &inputs) == 1) && !span_eq(inputs, "null"))
		c->cfg.dispatch = inputs;
	take_workflow(c);
	take_source_root(c);
	c->cfg.source_root = c->source_root;
	intake_category(o->category, c->cfg.workflow, c->cfg.job, c->cfg.matrix, &c->category);
	if (take_environment(c) != 0 || c->category.failed)
		return err_set(err, ERR_INTERNAL, "no memory");
	return take_languages(c, err);
}
