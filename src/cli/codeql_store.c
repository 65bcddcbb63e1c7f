/* `ghoard codeql store`: keep what a scan has found, under the key that `check` saw before the build. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "codeql/manifest.h"
#include "codeql/qllang.h"
#include "config/layers.h"
#include "metrics/metrics.h"

#define DURATION_MAX (5 * 86400 * CLOCK_SEC)	/* the longest a job may run */
#define AHEAD_US (60 * CLOCK_SEC)
#define COARSE_US (2 * CLOCK_SEC)	/* times are in whole seconds, of a shell or of a file system */

struct storing {
	struct codeql *c;
	struct state state;
	bool has_state;
	struct scan scan;
	struct intake in;
	char path[PATH_MAX];		/* of the state */
	char changed[256];		/* a file, or a field, that is not as it was */
};

/* Epoch seconds, with a fraction or not, or RFC 3339. */
static bool time_of(const char *text, int64_t *us)
{
	struct span s = span_of(text), whole = span_before(s, '.'), frac = span_sub(s, whole.n + 1, 6);
	uint64_t v, f = 0;

	if (clock_rfc3339_parse(s, us))
		return true;
	if (!span_u64(whole, (uint64_t)1 << 36, &v) || (frac.n > 0 && !span_u64(frac, 999999, &f)))
		return false;
	for (size_t i = frac.n; i < 6; i++)
		f *= 10;
	*us = (int64_t)(v * 1000000 + f);
	return true;
}

static int take_times(struct storing *s, struct err *err)
{
	const struct codeql_opts *o = s->c->o;

	if (o->sarif == NULL || o->started == NULL || o->finished == NULL)
		return err_set(err, ERR_USAGE,
		    "it is 'ghoard codeql store --sarif FILE|DIR --started T --finished T'");
	if (!time_of(o->started, &s->scan.started) || !time_of(o->finished, &s->scan.finished))
		return err_set(err, ERR_USAGE,
		    "--started and --finished take seconds since 1970 or a time like "
		    "2026-11-22T10:00:00Z");
	if (s->scan.started > s->scan.finished || s->scan.finished > clock_wall() + AHEAD_US)
		return err_set(err, ERR_USAGE, "the scan would have %s", s->scan.started > s->scan.finished ?
		    "finished before it started" : "finished in the future");
	if (s->scan.finished - s->scan.started > DURATION_MAX)
		return err_set(err, ERR_USAGE,
		    "the scan would have taken more than five days, which no job may");
	return 0;
}

/* ---- the key, as it was before the build ---- */

static bool note_change(void *ctx, enum manifest_change what, const struct manifest_rec *was,
    const struct manifest_rec *is)
{
	struct storing *s = ctx;
	struct span path = was != NULL ? was->path : is->path;

	(void)what;
	if (s->changed[0] == '\0')
		snprintf(s->changed, sizeof(s->changed), "%.*s", (int)(path.n < 200 ? path.n : 200), path.p);
	return true;
}

static int compare_tree(struct storing *s, struct err *err)
{
	struct manifest *was = scans_manifest(s->c->scans, s->state.scan.manifest);
	size_t n = 0;

	if (s->c->fp.reason != FP_USABLE)
		return err_set(err, ERR_PROTO, "%s: %s; nothing is stored",
		    fingerprint_reason_name(s->c->fp.reason), s->c->fp.where);
	if (was == NULL && strcmp(s->c->fp.whole, s->state.scan.manifest) != 0)
		return err_set(err, ERR_PROTO,
		    "the list of files that check left is gone; nothing is stored");
	if (was != NULL)
		n = manifest_since(was, s->c->fp.manifest, note_change, s);
	manifest_free(was);
	if (n == 0)
		return 0;
	return err_set(err, ERR_PROTO, "dirty: %s%s changed since the check; nothing is stored", s->changed,
	    n > 1 ? " and others" : "");
}

/* What the machine and its variables give a configuration may change between the two, as the action sets some
 * of its own and installs tools; what the command line gives may not. */
bool codeql_is_given(const struct codeql *c, const char *name)
{
	static const char *const fronts[] = { "env.", "tool.", "image", "file:", "os", "arch" };

	for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (span_starts(span_of(name), fronts[i]))
			return false;
	return strcmp(name, "tool-version") != 0 || c->cfg.version != NULL;
}

static void note_field(void *arg, const char *name, const char *was, const char *is)
{
	struct storing *s = arg;

	(void)is;
	/* a build may leave things beside the sources */
	if (was == NULL && span_starts(span_of(name), "beside."))
		return;
	if (s->changed[0] == '\0' && codeql_is_given(s->c, name))
		snprintf(s->changed, sizeof(s->changed), "%s", name);
}

/* A job may check one after the other under several configurations, and only the last has its record. */
static int compare_config(struct storing *s, struct err *err)
{
	struct codeql *c = s->c;

	if (!c->has_config)
		return err_set(err, ERR_PROTO, "miss-config: %s; nothing is stored", c->why.msg);
	if (configkey_diff(s->state.scan.fields, &c->config, note_field, s) != 0)
		return err_set(err, ERR_PROTO, "the record of the check is damaged; nothing is stored");
	if (s->changed[0] == '\0')
		return 0;
	return err_set(err, ERR_PROTO,
	    "%s is not what the last check of this job had; nothing is stored (give "
	    "store the same options, and each check its own --state)",
	    s->changed);
}

static int take_state(struct storing *s, const char *path, struct err *err)
{
	if (s->scan.started < s->state.scan.started - COARSE_US)
		return err_set(err, ERR_PROTO,
		    "the scan would have begun before the check that left %s; nothing is stored", path);
	if (strcmp(s->state.run, s->c->run) != 0)
		return err_set(err, ERR_PROTO, "%s is of another job (%s); nothing is stored", path,
		    s->state.run[0] != '\0' ? s->state.run : "none");
	int rc = compare_tree(s, err);
	if (rc == 0)
		rc = compare_config(s, err);
	int64_t started = s->scan.started, finished = s->scan.finished;

	s->scan = s->state.scan;
	s->scan.started = started;
	s->scan.finished = finished;
	return rc;
}

/* Without a record nothing says what the sources were before the build, unless there was none to speak of. */
static int take_tree(struct storing *s, struct err *err)
{
	const struct codeql *c = s->c;
	const struct fingerprint_counts *n = &c->fp.counts;
	int64_t started = s->scan.started, finished = s->scan.finished;
	const char *reason;
	char detail[400];

	if (codeql_no_key(c, &reason, detail, sizeof(detail)))
		return err_set(err, ERR_PROTO, "%s: %s; nothing is stored", reason, detail);
	if (!c->fp.indexed)
		return err_set(err, ERR_PROTO,
		    "no record of 'ghoard codeql check' is there, and without .git nobody "
		    "knows what the build left; run check before the scan, with RUNNER_TEMP or --state");
	if (n->untracked > 0 || n->dirty > 0)
		return err_set(err, ERR_PROTO,
		    "no record of 'ghoard codeql check' is there, and the tree has %zu "
		    "untracked and %zu changed files; run check before the scan, with RUNNER_TEMP or --state",
		    n->untracked, n->dirty);
	s->scan = c->want;
	s->scan.started = started;
	s->scan.finished = finished;
	return 0;
}

static int take_key(struct storing *s, struct err *err)
{
	struct err why;
	int rc;

	err_init(&why);
	if (!codeql_state_path(s->c, s->path))
		return take_tree(s, err);
	rc = state_read(s->path, &s->state, &why);
	if (rc == ERR_NOTFOUND && s->c->o->state == NULL)
		return take_tree(s, err);
	if (rc != 0)
		return err_set(err, ERR_PROTO, "%s; nothing is stored", why.msg);
	s->has_state = true;
	rc = take_state(s, s->path, err);
	if (rc == 0 && !s->scan.pinned && !s->c->o->allow_unpinned)
		rc = err_set(err, ERR_PROTO,
		    "miss-config: the configuration is not pinned; nothing is stored without "
		    "--allow-unpinned");
	return rc;
}

/* ---- the result ---- */

static struct span version_in_key(const struct scan *scan, char *room, size_t size)
{
	struct span v;

	return jscan_member(scan->fields, "tool-version", &v) == 1 && jscan_str(v, room, size) ? span_of(room)
											       : span_of("");
}

/* "c/" and "c/run-5" are of category "c", and so is "c" itself, as some tools write it. */
static bool is_of_category(struct span id, struct span category)
{
	size_t n = id.n;

	if (category.n > 0 && category.p[category.n - 1] == '/')
		category.n--;
	if (span_same(id, category))
		return true;
	while (n > 0 && id.p[n - 1] != '/')
		n--;
	return n > 0 && span_same(span_sub(id, 0, n - 1), category);
}

static int check_category(const struct storing *s, struct err *err)
{
	const char *wanted = s->c->o->category;

	for (size_t i = 0; wanted != NULL && i < s->in.sarif.nruns; i++) {
		const char *id = s->in.sarif.runs[i].category;
		if (!is_of_category(span_of(id), span_of(wanted)))
			return err_set(err, ERR_PROTO,
			    "the SARIF is of category '%.200s', not of '%.200s' (--category); nothing is "
			    "stored",
			    id, wanted);
	}
	return 0;
}

/* Packs and categories of CodeQL name languages: where they do, none may be another than the key's, and none
 * of the key's may be missing. */
static int check_languages(const struct storing *s, struct err *err)
{
	const struct scancfg *cfg = &s->c->cfg;
	uint32_t wanted = 0, seen = 0;
	bool all = true;

	for (size_t i = 0; i < cfg->nlanguages; i++)
		wanted |= qllang_bit(cfg->languages[i]);
	for (size_t i = 0; i < s->in.sarif.nruns; i++) {
		const struct sarif_run *run = &s->in.sarif.runs[i];
		uint32_t by_name = qllang_of_category(span_of(run->category));

		if ((run->languages != 0 && !(run->languages & wanted)) ||
		    (by_name != 0 && !(by_name & wanted)))
			return err_set(err, ERR_PROTO,
			    "the SARIF (category '%.200s') is of another language than %s (--language); "
			    "nothing is "
			    "stored",
			    run->category, s->c->want.languages);
		all = all && (run->languages | by_name) != 0;
		seen |= run->languages | by_name;
	}
	if (all && (wanted & ~seen) != 0)
		return err_set(err, ERR_PROTO,
		    "the SARIF has no run for one of the languages %s (--language); "
		    "nothing is stored",
		    s->c->want.languages);
	return 0;
}

/* The scan must be of the tool and the version that the key says. */
static int check_tool(struct storing *s, struct err *err)
{
	const struct sarif *sarif = &s->in.sarif;
	char room[128] = "";
	struct span wanted = version_in_key(&s->scan, room, sizeof(room));

	for (size_t i = 0; i < sarif->nruns; i++) {
		const struct sarif_run *run = &sarif->runs[i];
		if (!scancfg_is_tool(s->c->o->tool, run->tool))
			return err_set(err, ERR_PROTO, "the SARIF is of %s, not of %s (--tool)", run->tool,
			    s->c->o->tool != NULL ? s->c->o->tool : "CodeQL");
		if (wanted.n > 0 && run->version[0] != '\0' && !span_eq(wanted, run->version))
			return err_set(err, ERR_PROTO,
			    "%s %s made the SARIF and the key is of %s; nothing is stored", run->tool,
			    run->version, room);
	}
	snprintf(s->scan.tool, sizeof(s->scan.tool), "%s", sarif->runs[0].tool);
	if (!span_copy(s->scan.version, sizeof(s->scan.version), sarif->runs[0].version[0] != '\0' ?
		span_of(sarif->runs[0].version) : wanted))
		return err_set(err, ERR_PROTO, "the version of %s is too long", s->scan.tool);
	if (s->scan.version[0] == '\0')
		return err_set(err, ERR_PROTO,
		    "the SARIF does not say which version of %s made it; give --tool-version "
		    "to check",
		    s->scan.tool);
	return 0;
}

static int take_result(struct storing *s, struct err *err)
{
	struct codeql *c = s->c;
	struct intake_params p = { .folder = scans_sarif_fd(c->scans), .source = c->cfg.source,
		.not_before = s->scan.started - COARSE_US, .category = buf_cstr(&c->category) };
	const char *incremental;
	/* After the check, too: what --started says cannot make an older file newer. */
	if (s->has_state && s->state.scan.started - COARSE_US > p.not_before)
		p.not_before = s->state.scan.started - COARSE_US;
	int rc = intake_take(&p, c->o->sarif, &s->in, err);

	if (rc == 0)
		rc = check_tool(s, err);
	if (rc == 0)
		rc = check_category(s, err);
	if (rc == 0 && s->c->cfg.nlanguages > 0 && scancfg_is_tool(s->c->o->tool, "CodeQL"))
		rc = check_languages(s, err);
	if (rc != 0)
		return rc;
	incremental = sarif_incremental(&s->in.sarif);
	if (incremental != NULL) {
		s->scan.class = SCAN_PARTIAL;
		snprintf(s->scan.incremental, sizeof(s->scan.incremental), "%s", incremental);
	}
	snprintf(s->scan.category, sizeof(s->scan.category), "%s", s->in.sarif.runs[0].category);
	strcpy(s->scan.cid, s->in.cid);
	s->scan.counts = s->in.counts;
	s->scan.size = (int64_t)s->in.sarif.size;
	return 0;
}

/* ---- shadow mode ---- */

static void compare_sample(struct storing *s)
{
	bool same = memcmp(s->state.expected, s->in.counts.digest, sizeof(s->state.expected)) == 0;

	if (!s->has_state || !s->state.sampled)
		return;
	metrics_add(s->c->metrics, M_CODEQL_SAMPLED, 1);
	metrics_add(s->c->metrics, M_CODEQL_FALSE_SKIPS, !same);
	if (!same)
		log_warn("a false skip: the scan found other results than the stored scan of the same "
			 "sources and "
			 "configuration; please look at what is not in the key");
}

static void tell(const struct storing *s, bool kept)
{
	const struct sarif_counts *k = &s->scan.counts;
	char key[SCAN_KEY_MAX];
	struct json *o;
	struct buf b;

	scan_key(&s->scan, false, key);
	if (!s->c->globals->json) {
		printf("%s: ", kept ? "kept what is there" : "stored");
		codeql_print(span_of(s->scan.tool));
		putchar(' ');
		codeql_print(span_of(s->scan.version));
		printf(", %" PRIu64 " result%s, %s, %s\n", k->results, k->results == 1 ? "" : "s",
		    scan_class_name(s->scan.class), s->c->has_key ? "signed" : "not signed");
		return;
	}
	o = json_object();
	json_put_bool(o, "stored", !kept);
	json_put_str(o, "key", key);
	json_put_str(o, "class", scan_class_name(s->scan.class));
	json_put_str(o, "sarif_cid", s->scan.cid);
	json_put_int(o, "alerts", (int64_t)k->results);
	json_put_str(o, "category", s->scan.category);
	json_put_bool(o, "signed", s->c->has_key);
	if (s->has_state && s->state.sampled)
		json_put_bool(o, "same_as_expected",
		    memcmp(s->state.expected, s->in.counts.digest, sizeof(s->state.expected)) == 0);
	buf_init(&b, 65536);
	json_print(o, true, &b);
	printf("%s\n", buf_cstr(&b));
	buf_free(&b);
	json_free(o);
}

static int put(struct storing *s, struct err *err)
{
	struct codeql *c = s->c;
	int64_t ttl = c->max_age, keep = 2 * c->max_age;
	int rc;

	if (!s->scan.pinned && ttl > SCAN_TTL_UNPINNED_S)
		ttl = SCAN_TTL_UNPINNED_S;
	rc = scans_put(c->scans, &s->scan, ttl, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		metrics_add(c->metrics, M_CODEQL_STORED, 1);
	/* For `explain`; a scan without it is as good. */
	if (strcmp(c->fp.whole, s->scan.manifest) == 0)
		scans_put_manifest(c->scans, c->fp.whole, c->fp.manifest, NULL);
	compare_sample(s);
	tell(s, rc == 1);
	if (s->has_state)
		unlink(s->path);
	scans_sweep(c->scans, clock_wall(), keep > SCAN_TTL_MAX_S + 86400 ? keep : SCAN_TTL_MAX_S + 86400);
	return 0;
}

static int code_of(const struct err *err)
{
	switch (err->cls) {
	case ERR_PROTO:
	case ERR_DAMAGED:
	case ERR_NOTFOUND:
		return XC_NO;		/* what was given is no evidence: nothing is stored */
	}
	return cli_exit_code(err);
}

int codeql_store(struct codeql *c, struct err *err)
{
	struct storing s;
	int rc;

	memset(&s, 0, sizeof(s));
	s.c = c;
	buf_init(&s.in.sarif.uris, 0);
	buf_init(&s.state.text, 0);
	rc = take_times(&s, err);
	if (rc == 0 && !settings_bool(c->app.settings, "codeql.enabled"))
		rc = err_set(err, ERR_NOTFOUND, "codeql.enabled is false; nothing is stored");
	if (rc == 0)
		rc = codeql_look(c, err);
	if (rc == 0)
		rc = take_key(&s, err);
	if (rc == 0)
		rc = take_result(&s, err);
	if (rc == 0)
		rc = put(&s, err);
	intake_free(&s.in);
	state_free(&s.state);
	return rc == 0 ? XC_OK : code_of(err);
}
