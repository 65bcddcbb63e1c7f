#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "config/layers.h"
#include "metrics/metrics.h"

#define PAYLOAD_MAX ((size_t)32 << 20)
#define FIELDS_MAX ((size_t)128 << 10)

extern char **environ;

const char *codeql_env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

/* ---- keys ---- */

static int add_key(struct codeql *c, struct span text, const char *where, struct err *err)
{
	if (c->ntrusted == SCANS_KEYS_MAX)
		return err_set(err, ERR_CONFIG, "codeql.trusted_keys has more than %d keys", SCANS_KEYS_MAX);
	if (!scan_public_key(text, c->trusted[c->ntrusted]))
		return err_set(err, ERR_CONFIG, "%s: '%.80s' is no Ed25519 public key (64 hex digits, or base64 as "
		    "'openssl pkey -pubout' prints it)", where, text.p);
	c->ntrusted++;
	return 0;
}

/* A job that may sign trusts what it signs. */
static int take_keys(struct codeql *c, struct err *err)
{
	const char *const *items;
	const char *own = codeql_env("GHOARD_CODEQL_KEY");
	size_t n = settings_list(c->app.settings, "codeql.trusted_keys", &items);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_key(c, span_of(items[i]), "codeql.trusted_keys", err);
	if (rc != 0 || own == NULL)
		return rc;
	if (!scan_private_key(span_of(own), &c->key))
		return err_set(err, ERR_CONFIG, "GHOARD_CODEQL_KEY is no Ed25519 private key; make one with "
		    "'openssl genpkey -algorithm ed25519'");
	c->has_key = true;
	if (c->ntrusted == SCANS_KEYS_MAX)
		return err_set(err, ERR_CONFIG, "codeql.trusted_keys has no room for the public half of "
		    "GHOARD_CODEQL_KEY");
	memcpy(c->trusted[c->ntrusted++], c->key.pub, ED25519_PUB_LEN);
	return 0;
}

/* 7 days at most, unless whoever owns the machine or the job says otherwise; a checkout cannot. */
static int64_t max_age(const struct codeql *c)
{
	int64_t age = settings_int(c->app.settings, "operation_ttls.codeql_results");

	if (age > SCAN_TTL_MAX_S && settings_from_checkout(c->app.settings, "operation_ttls.codeql_results"))
		age = SCAN_TTL_MAX_S;
	if (c->o->allow_unpinned && age > SCAN_TTL_UNPINNED_S)
		age = SCAN_TTL_UNPINNED_S;
	return age;
}

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
	return EVENT_UNTRUSTED;		/* pull_request_target, workflow_run, issue_comment, and what is not known */
}

static void from_payload(const struct codeql *c, const char *path, char *out, size_t size)
{
	struct span v;

	out[0] = '\0';
	if (buf_len(&c->payload) > 0 && jscan_path(buf_span(&c->payload), path, &v) == 1)
		jscan_str(v, out, size);
}

/* Whose results are these going to be? Where nothing says that a pull request is of this repository, it is a fork's. */
static void take_class(struct codeql *c)
{
	struct scan *w = &c->want;

	w->class = SCAN_FULL;
	if (strcmp(w->event, "pull_request") == 0) {
		from_payload(c, "pull_request.head.repo.full_name", w->head_repo, sizeof(w->head_repo));
		w->class = w->head_repo[0] != '\0' && strcasecmp(w->head_repo, w->repo) == 0 ? SCAN_PULL : SCAN_FORK;
	} else if (span_starts(span_of(w->ref), "refs/pull/")) {
		w->class = SCAN_FORK;
	}
}

static int copy(char *out, size_t size, const char *value, const char *what, struct err *err)
{
	if (value != NULL && !span_copy(out, size, span_of(value)))
		return err_set(err, ERR_USAGE, "%s is too long", what);
	return 0;
}

static int take_event(struct codeql *c, struct err *err)
{
	const char *name = c->o->event != NULL ? c->o->event : codeql_env("GITHUB_EVENT_NAME");
	const char *path = codeql_env("GITHUB_EVENT_PATH"), *run = codeql_env("GITHUB_RUN_ID");
	const char *attempt = codeql_env("GITHUB_RUN_ATTEMPT"), *job = codeql_env("GITHUB_JOB");
	const char *repo = c->o->repo != NULL ? c->o->repo : codeql_env("GITHUB_REPOSITORY");

	if (repo == NULL)
		return err_set(err, ERR_USAGE, "which repository? Give --repo OWNER/NAME or set GITHUB_REPOSITORY");
	if (span_chr(span_of(repo), '/') <= 0 || span_chr(span_of(repo), ':') >= 0)
		return err_set(err, ERR_USAGE, "--repo is OWNER/NAME, not '%.80s'", repo);
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
	    copy(c->want.ref, sizeof(c->want.ref), c->o->ref != NULL ? c->o->ref : codeql_env("GITHUB_REF"), "the ref",
		err) != 0)
		return ERR_USAGE;
	for (char *p = c->want.repo; *p != '\0'; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 32) : *p;	/* GitHub's names have no case */
	take_class(c);
	return 0;
}

/* ---- the scan's words ---- */

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

/* The folder as it stands in its repository: no part of the place of the checkout. */
static void take_source_root(struct codeql *c)
{
	char real[PATH_MAX], probe[PATH_MAX + 8];
	struct stat st;
	size_t n;

	strcpy(c->source_root, ".");
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

static int take_words(struct codeql *c, struct err *err)
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
	c->cfg.matrix = o->matrix != NULL && strcmp(o->matrix, "null") != 0 && o->matrix[0] != '\0' ? o->matrix : NULL;
	c->cfg.source = o->source != NULL ? o->source : ".";
	c->cfg.os = codeql_env("RUNNER_OS") != NULL ? codeql_env("RUNNER_OS") : machine.sysname;
	c->cfg.arch = codeql_env("RUNNER_ARCH") != NULL ? codeql_env("RUNNER_ARCH") : machine.machine;
	c->cfg.ignore = c->ignore;
	c->cfg.nignore = take_list(&o->ignore, c->ignore);
	c->cfg.extra = c->extra;
	c->cfg.nextra = take_list(&o->extra, c->extra);
	if (c->cfg.matrix != NULL && !jscan_valid(span_of(c->cfg.matrix)))
		return err_set(err, ERR_USAGE, "--matrix is JSON, as ${{ toJson(matrix) }} gives it");
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

/* ---- opening ---- */

static int open_folder(struct codeql *c, bool write, struct err *err)
{
	const char *dir = settings_str(c->app.settings, "codeql.directory");
	struct scans_params p = { .dir = dir, .trusted = (const uint8_t(*)[ED25519_PUB_LEN])c->trusted,
		.ntrusted = c->ntrusted, .key = c->has_key ? &c->key : NULL };
	struct err why;
	int rc;

	err_init(&why);
	if (dir == NULL)
		return err_set(err, ERR_IO, "there is no home folder to keep scans in; set CODEQL_CACHE_DIR or HOME");
	rc = scans_open(&p, &c->scans, &why);
	if (rc != 0 && (write || c->scans == NULL)) {
		*err = why;
		return rc;
	}
	c->metrics = metrics_open(rc == 0 ? dir : NULL);
	return 0;
}

int codeql_open(struct codeql *c, const struct globals *g, const struct codeql_opts *o, bool write,
    struct err *err)
{
	int rc;

	memset(c, 0, sizeof(*c));
	c->globals = g;
	c->o = o;
	c->began = clock_mono();
	buf_init(&c->payload, PAYLOAD_MAX);
	buf_init(&c->category, 4096);
	buf_init(&c->fields, FIELDS_MAX);
	configkey_init(&c->config);
	err_init(&c->why);
	rc = app_open(&c->app, g, err);
	if (rc != 0)
		return rc;
	c->max_age = max_age(c);
	rc = take_keys(c, err);
	return rc != 0 ? rc : open_folder(c, write, err);
}

void codeql_close(struct codeql *c)
{
	fingerprint_free(&c->fp);
	configkey_free(&c->config);
	scans_free(c->scans);
	metrics_free(c->metrics);
	buf_free(&c->payload);
	buf_free(&c->category);
	buf_free(&c->fields);
	wipe(c->env_text, c->env_text != NULL ? strlen(c->env_text) : 0);
	free(c->env);
	free(c->env_text);
	ed25519_wipe(&c->key);
	app_close(&c->app);
}

/* ---- looking ---- */

static int take_fingerprint(struct codeql *c, struct err *err)
{
	const char *always[1] = { c->cfg.config_file };
	struct fingerprint_options o = { .source = c->cfg.source,
		.languages = c->cfg.languages,
		.nlanguages = c->cfg.nlanguages,
		.built = scancfg_builds(&c->cfg),
		.ignore = c->cfg.ignore,
		.nignore = c->cfg.nignore,
		.always = always,
		.nalways = c->cfg.config_file != NULL && c->cfg.config_file[0] != '/' ? 1 : 0,
		.home = codeql_env("HOME"),
		.xdg_config = codeql_env("XDG_CONFIG_HOME") };
	int rc = fingerprint_take(&o, &c->fp, err);

	if (rc != 0 || c->fp.reason != FP_USABLE)
		return rc;
	strcpy(c->want.fingerprint, c->cfg.nlanguages > 0 && c->fp.narrow[0] != '\0' ? c->fp.narrow : c->fp.whole);
	strcpy(c->want.manifest, c->fp.whole);
	return 0;
}

static void take_config(struct codeql *c)
{
	c->has_config = scancfg_key(&c->cfg, &c->config, &c->why) == 0;
	if (!c->has_config)
		return;
	strcpy(c->want.config, c->config.hash);
	configkey_json(&c->config, &c->fields);
	c->want.fields = buf_span(&c->fields);
	c->want.pinned = buf_len(&c->config.unpinned) == 0;
}

int codeql_look(struct codeql *c, struct err *err)
{
	const char *sha = codeql_env("GITHUB_SHA");
	int rc = take_event(c, err);

	if (rc == 0)
		rc = take_words(c, err);
	if (rc == 0)
		rc = take_fingerprint(c, err);
	if (rc != 0)
		return rc;
	take_config(c);
	if (c->o->commit != NULL)
		sha = c->o->commit;
	else if (c->fp.commit[0] != '\0')
		sha = c->fp.commit;
	return copy(c->want.commit, sizeof(c->want.commit), sha, "--commit", err);
}

int codeql_no_key(const struct codeql *c, const char **reason, char *detail, size_t size)
{
	if (c->fp.reason != FP_USABLE) {
		*reason = fingerprint_reason_name(c->fp.reason);
		snprintf(detail, size, "%s", c->fp.where);
		return 1;
	}
	*reason = "miss-config";
	if (!c->has_config) {
		snprintf(detail, size, "%s", c->why.msg);
		return 1;
	}
	if (c->want.pinned || c->o->allow_unpinned)
		return 0;
	snprintf(detail, size, "%.*s; --allow-unpinned takes results of at most 24 h all the same",
	    (int)buf_len(&c->config.unpinned), (const char *)buf_data(&c->config.unpinned));
	return 1;
}

/* ---- finding ---- */

const char *codeql_answer_name(enum scan_answer a)
{
	switch (a) {
	case SCANS_PARTIAL:
		return "partial";
	case SCANS_EXPIRED:
		return "expired";
	case SCANS_UNSIGNED:
		return "unsigned";
	case SCANS_UNTRUSTED:
		return "untrusted";
	case SCANS_DAMAGED:
		return "damaged";
	case SCANS_NONE:
	case SCANS_FOUND:
		break;
	}
	return "miss-none";
}

static void explain_answer(const struct scan_found *f, char *detail, size_t size)
{
	char age[CLOCK_HUMAN_LEN] = "";

	if (f->entry != NULL)
		clock_human(age, f->age > 0 ? f->age : 0);
	switch (f->answer) {
	case SCANS_PARTIAL:
		snprintf(detail, size, "the stored result is of an incremental scan (%s)", f->scan.incremental);
		break;
	case SCANS_EXPIRED:
		snprintf(detail, size, "the stored result is %s old", age);
		break;
	case SCANS_UNSIGNED:
		snprintf(detail, size, "the stored result is not signed, or was not made in this folder");
		break;
	case SCANS_UNTRUSTED:
		snprintf(detail, size, "the stored result is not signed by a key of codeql.trusted_keys");
		break;
	case SCANS_DAMAGED:
		snprintf(detail, size, "the stored result is damaged, or of the future");
		break;
	case SCANS_NONE:
	case SCANS_FOUND:
		break;
	}
}

/* What is nearest among the stored: other sources, or another configuration? */
struct nearest {
	const struct scan *want;
	bool same_sources, same_config;
};

static int look_near(void *arg, const struct scan_row *row)
{
	struct nearest *n = arg;

	if (row->scan == NULL || row->label || strcmp(row->scan->repo, n->want->repo) != 0)
		return 0;
	n->same_sources |= strcmp(row->scan->fingerprint, n->want->fingerprint) == 0;
	n->same_config |= strcmp(row->scan->config, n->want->config) == 0;
	return 0;
}

static const char *why_none(struct codeql *c, char *detail, size_t size)
{
	struct nearest n = { .want = &c->want };

	scans_each(c->scans, clock_wall(), c->max_age, look_near, &n, NULL);
	if (n.same_sources) {
		snprintf(detail, size, "these sources were scanned under another configuration; 'ghoard codeql explain' "
		    "says what differs");
		return "miss-config";
	}
	if (n.same_config) {
		snprintf(detail, size, "other sources were scanned under this configuration; 'ghoard codeql explain' says "
		    "what differs");
		return "miss-sources";
	}
	snprintf(detail, size, "no scan of %s is stored that is like this one", c->want.repo);
	return "miss-none";
}

static bool same_counts(const struct scan *s, const struct intake *in)
{
	return memcmp(&s->counts.level, &in->counts.level, sizeof(s->counts.level)) == 0 &&
	    s->counts.results == in->counts.results &&
	    memcmp(s->counts.severity + 1, in->counts.severity + 1, 4 * sizeof(uint64_t)) == 0;
}

const char *codeql_find(struct codeql *c, struct scan_found *f, struct intake *in, char *detail, size_t size)
{
	struct scan_ask ask = { .want = &c->want, .now = clock_wall(), .max_age = c->max_age };
	struct err why;
	int rc;

	memset(in, 0, sizeof(*in));
	buf_init(&in->sarif.uris, 0);
	err_init(&why);
	scans_find(c->scans, &ask, f);
	if (f->answer == SCANS_NONE)
		return why_none(c, detail, size);
	if (f->answer != SCANS_FOUND) {
		explain_answer(f, detail, size);
		return codeql_answer_name(f->answer);
	}
	rc = intake_prove(f->sarif, f->scan.cid, c->cfg.source, in, &why);
	if (rc == 0 && sarif_incremental(&in->sarif) != NULL)
		rc = err_set(&why, ERR_DAMAGED, "an incremental result is stored as a whole one");
	if (rc == 0 && !same_counts(&f->scan, in))
		rc = err_set(&why, ERR_DAMAGED, "the counts of the entry are not those of its SARIF");
	if (rc == 0)
		return NULL;
	snprintf(detail, size, "%s", why.msg);
	if (rc == ERR_PROTO)
		return "miss-proof";
	if (rc == ERR_DAMAGED)
		scans_set_aside(c->scans, f);
	return "damaged";
}

/* ---- files of the job ---- */

bool codeql_state_path(const struct codeql *c, char out[static PATH_MAX])
{
	const char *temp = codeql_env("RUNNER_TEMP");
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;
	char hex[17];

	if (c->o->state != NULL)
		return snprintf(out, PATH_MAX, "%s", c->o->state) < PATH_MAX;
	if (temp == NULL)
		return false;
	/* By what names the scan in a job: a job may check several languages one after the other. */
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of(c->want.repo));
	hash_sha256_field(&h, span_of(c->want.languages));
	hash_sha256_field(&h, span_of(c->cfg.tool));
	hash_sha256_field(&h, span_of(c->cfg.category));
	hash_sha256_field(&h, span_of(c->source_root));
	hash_sha256_field(&h, span_of(c->cfg.matrix));
	hash_sha256_field(&h, span_of(c->cfg.job));
	hash_sha256_out(&h, digest);
	hex_encode(hex, digest, 8);
	return snprintf(out, PATH_MAX, "%s/ghoard-codeql-%s.json", temp, hex) < PATH_MAX;
}

void codeql_output(const char *name, const char *value)
{
	const char *path = codeql_env("GITHUB_OUTPUT");
	uint8_t random[16];
	char mark[33];
	struct buf b;
	int fd;

	if (path == NULL || rand_bytes(random, sizeof(random), NULL) != 0)
		return;
	hex_encode(mark, random, sizeof(random));
	buf_init(&b, 65536);
	buf_addf(&b, "%s<<ghoard-%s\n%s\nghoard-%s\n", name, mark, value, mark);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || b.failed || file_write_all(fd, buf_data(&b), buf_len(&b)) != 0)
		log_warn("the output %s could not be written to %s", name, path);
	if (fd >= 0)
		close(fd);
	buf_free(&b);
}
