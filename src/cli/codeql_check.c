/* `ghoard codeql check`: would a scan see what one has seen already? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "config/layers.h"
#include "metrics/metrics.h"

#define DETAIL_MAX 700
#define SAMPLE_ALL 10000		/* hundredths of a per cent */

struct verdict {
	bool skip;
	const char *reason;
	char detail[DETAIL_MAX];
	struct scan_found found;
	struct intake in;
	bool hit;			/* `found` is evidence and proven */
	bool sampled;
	bool gated;
	int64_t saved;			/* s */
	const char *sarif;		/* where the result is */
};

/* ---- asking ---- */

/* "5%", "0.5%" or "5" in hundredths of a per cent; -1: no such thing. */
static int sample_of(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (*end == '%')
		end++;
	return end == text || *end != '\0' || !(v >= 0 && v <= 100) ? -1 : (int)(v * 100 + 0.5);
}

static bool is_sampled(const struct codeql *c)
{
	return c->o->sample != NULL && (int)rand_below(SAMPLE_ALL) < sample_of(c->o->sample);
}

/* The reason for a scan that the event alone gives, or NULL. */
static const char *refuse_event(const struct codeql *c, char *detail, size_t size)
{
	switch (c->event) {
	case EVENT_SCHEDULE:
		snprintf(detail, size, "a scan on a schedule is for what the tool has learned since");
		return "event-schedule";
	case EVENT_DISPATCH:
		snprintf(detail, size, "a scan was asked for by hand");
		return "event-dispatch";
	case EVENT_UNTRUSTED:
		snprintf(detail, size,
		    "on %s it is not known whose sources these are; give --commit and --ref", c->want.event);
		return "event-untrusted";
	case EVENT_LOOKS:
	case EVENT_MERGE_GROUP:
		break;
	}
	return NULL;
}

/* Hit with the verdict's result, or the reason why not. */
static const char *look(struct codeql *c, struct verdict *v)
{
	const char *reason = NULL;

	if (!settings_bool(c->app.settings, "codeql.enabled")) {
		snprintf(v->detail, sizeof(v->detail), "codeql.enabled is false");
		return "disabled";
	}
	if (codeql_no_key(c, &reason, v->detail, sizeof(v->detail)))
		return reason;
	reason = refuse_event(c, v->detail, sizeof(v->detail));
	return reason != NULL ? reason : codeql_find(c, &v->found, &v->in, v->detail, sizeof(v->detail));
}

static void tell_hit(const struct codeql *c, struct verdict *v)
{
	const struct scan *s = &v->found.scan;
	char age[CLOCK_HUMAN_LEN];

	v->reason =
	    strcmp(s->commit, c->want.commit) == 0 && s->commit[0] != '\0' ? "hit-commit" : "hit-tree";
	clock_human(age, v->found.age > 0 ? v->found.age : 0);
	snprintf(v->detail, sizeof(v->detail),
	    "the same sources and configuration were scanned %s ago%s%.12s", age,
	    s->commit[0] != '\0' ? " as " : "", s->commit);
}

/* A result that cannot be handed back is none. */
static void write_out(struct codeql *c, struct verdict *v)
{
	struct err why;

	err_init(&why);
	v->sarif = c->o->out;
	if (codeql_write_result(v->found.sarif, c->o->out, &why) == 0)
		return;
	v->skip = v->hit = false;
	v->sarif = "";
	v->reason = "no-store";
	snprintf(v->detail, sizeof(v->detail), "%s", why.msg);
}

static void decide(struct codeql *c, struct verdict *v)
{
	v->reason = look(c, v);
	v->hit = v->reason == NULL;
	v->skip = v->hit;
	if (v->hit)
		tell_hit(c, v);
	if (v->hit && is_sampled(c)) {
		v->sampled = true;
		v->skip = false;
		v->reason = "sample";
		snprintf(v->detail, sizeof(v->detail),
		    "a hit, scanned all the same so that `store` can compare");
	}
	/* Nothing can be uploaded for a merge group and no rule waits for it; a gate that must be answered is
	 * answered. */
	if (c->event == EVENT_MERGE_GROUP && !v->hit && c->o->fail_on == NULL &&
	    settings_bool(c->app.settings, "codeql.enabled")) {
		v->skip = true;
		v->reason = "event-merge-group";
		snprintf(v->detail, sizeof(v->detail), "results of merge groups are not uploaded");
	}
	v->sarif = v->hit && v->skip ? v->found.sarif : "";
	if (v->hit && v->skip && c->o->out != NULL)
		write_out(c, v);
	if (v->hit && c->o->fail_on != NULL)
		v->gated = sarifcount_at_least(&v->in.counts, c->o->fail_on) > 0;
}

/* ---- what is left behind ---- */

static void leave_state(struct codeql *c, const struct verdict *v)
{
	char path[PATH_MAX];
	struct state s = { .scan = c->want, .sampled = v->sampled };
	struct err why;

	err_init(&why);
	if (c->fp.reason != FP_USABLE || !c->has_config || v->skip || !codeql_state_path(c, path))
		return;
	snprintf(s.run, sizeof(s.run), "%s", c->run);
	s.scan.started = clock_wall();
	if (v->sampled)
		memcpy(s.expected, v->found.scan.counts.digest, sizeof(s.expected));
	if (c->scans == NULL || scans_is_read_only(c->scans) ||
	    scans_put_manifest(c->scans, c->fp.whole, c->fp.manifest, &why) != 0 ||
	    state_write(path, &s, &why) != 0)
		log_warn("`ghoard codeql store` will have to compute the key itself%s%s",
		    why.cls != 0 ? ": " : "", why.msg);
}

static int64_t saved_by(const struct codeql *c, const struct verdict *v)
{
	int64_t took = (v->found.scan.finished - v->found.scan.started) / CLOCK_SEC;
	int64_t own = (clock_mono() - c->began + 999) / 1000;

	return v->skip && v->hit && took > own ? took - own : 0;
}

static void count(struct codeql *c, struct verdict *v)
{
	char name[64], once[600];

	metrics_add(c->metrics, M_CODEQL_CHECKS, 1);
	if (snprintf(name, sizeof(name), "codeql.%s", v->reason) < (int)sizeof(name)) {
		for (char *p = name; *p != '\0'; p++)
			*p = *p == '-' ? '_' : *p;
		metrics_add_named(c->metrics, name, 1);
	}
	if (!v->skip)
		return;
	metrics_add(c->metrics, M_CODEQL_HITS, 1);
	snprintf(once, sizeof(once), "%s %s %s", c->want.fingerprint, c->want.config, c->run);
	if (v->saved > 0 && c->scans != NULL && scans_count_once(c->scans, span_of(once)))
		metrics_add(c->metrics, M_CODEQL_SECONDS_SAVED, (uint64_t)v->saved);
}

/* ---- telling ---- */

static void print_json(const struct codeql *c, const struct verdict *v)
{
	static const char *const levels[] = { "none", "note", "warning", "error" };
	static const char *const severities[] = { NULL, "low", "medium", "high", "critical" };
	struct json *o = json_object(), *by;
	struct buf b;

	json_put_bool(o, "skip", v->skip);
	json_put_str(o, "reason", v->reason);
	json_put_str(o, "detail", v->detail);
	json_put_int(o, "alerts", v->hit ? (int64_t)v->in.counts.results : 0);
	by = json_put_object(o, "alerts_by");
	for (size_t i = 1; i < 5; i++)
		json_put_int(by, severities[i], v->hit ? (int64_t)v->in.counts.severity[i] : 0);
	for (size_t i = 0; i < 4; i++)
		json_put_int(by, levels[i], v->hit ? (int64_t)v->in.counts.level[i] : 0);
	json_put_str(o, "sarif_path", v->sarif);
	json_put_str(o, "matched_commit", v->hit ? v->found.scan.commit : "");
	json_put_int(o, "time_saved_seconds", v->saved);
	json_put_str(o, "trust", !v->hit ? "" : v->found.is_signed ? "signed" : "local");
	json_put_bool(o, "pinned", c->want.pinned);
	json_put_int(o, "age_seconds", v->hit ? v->found.age : 0);
	json_put_int(o, "proven", (int64_t)v->in.proven);
	json_put_bool(o, "upload", v->skip && v->hit && c->event != EVENT_MERGE_GROUP);
	json_put_str(o, "fingerprint", c->want.fingerprint);
	json_put_str(o, "config", c->want.config);
	json_put_str(o, "mode", c->fp.indexed ? "index" : "files");
	buf_init(&b, 65536);
	json_print(o, true, &b);
	printf("%s\n", buf_cstr(&b));
	buf_free(&b);
	json_free(o);
}

static void print_text(const struct codeql *c, const struct verdict *v)
{
	const struct sarif_counts *k = &v->in.counts;

	printf("%s: %s: ", v->skip ? "skip" : "scan", v->reason);
	codeql_print(span_of(v->detail));
	putchar('\n');
	if (!v->hit || !v->skip)
		return;
	printf("alerts: %" PRIu64 " (error %" PRIu64 ", warning %" PRIu64 ", note %" PRIu64
	       "; critical %" PRIu64 ", high %" PRIu64 ", medium %" PRIu64 ", low %" PRIu64
	       "), %zu proven on this tree\n",
	    k->results, k->level[LEVEL_ERROR], k->level[LEVEL_WARNING], k->level[LEVEL_NOTE],
	    k->severity[SEVERITY_CRITICAL], k->severity[SEVERITY_HIGH], k->severity[SEVERITY_MEDIUM],
	    k->severity[SEVERITY_LOW], v->in.proven);
	printf("trust: %s\nsarif: %s\n", v->found.is_signed ? "signed" : "local", v->sarif);
	if (buf_len(&c->config.unpinned) > 0) {
		printf("not pinned, so a scan of today may find other results: ");
		codeql_print(buf_span(&c->config.unpinned));
		putchar('\n');
	}
	if (v->saved > 0)
		printf("time saved: %" PRId64 " s\n", v->saved);
}

static void write_outputs(const struct verdict *v)
{
	char number[24];

	codeql_output("should_skip", v->skip ? "true" : "false");
	codeql_output("reason", v->reason);
	codeql_output("sarif_path", v->sarif);
	snprintf(number, sizeof(number), "%" PRIu64, v->hit ? v->in.counts.results : 0);
	codeql_output("alerts", number);
	snprintf(number, sizeof(number), "%" PRId64, v->saved);
	codeql_output("time_saved_seconds", number);
	codeql_output("matched_commit", v->hit ? v->found.scan.commit : "");
}

int codeql_check(struct codeql *c, struct err *err)
{
	struct verdict v;
	int rc, code;

	memset(&v, 0, sizeof(v));
	buf_init(&v.in.sarif.uris, 0);
	if (c->o->sample != NULL && sample_of(c->o->sample) < 0)
		return cli_exit_code((err_set(err, ERR_USAGE, "--sample takes a share such as 5%%, not '%s'",
		    c->o->sample), err));
	if (c->o->fail_on != NULL && sarifcount_at_least(&v.in.counts, c->o->fail_on) < 0)
		return cli_exit_code((err_set(err, ERR_USAGE,
					  "--fail-on takes critical, high, medium, low, error, "
					  "warning, note or any, not '%s'",
					  c->o->fail_on),
		    err));
	if (c->o->out != NULL && strcmp(c->o->out, "-") == 0)
		return cli_exit_code((err_set(err, ERR_USAGE,
		    "check --out takes a file; fetch --out - prints the result"),
		    err));
	rc = codeql_look(c, err);
	if (rc != 0)
		return rc == ERR_USAGE || rc == ERR_NOTFOUND ? XC_USAGE
		    : rc == ERR_CONFIG			     ? XC_CONFIG
							     : XC_NO;
	decide(c, &v);
	v.saved = saved_by(c, &v);
	leave_state(c, &v);
	count(c, &v);
	if (c->globals->json)
		print_json(c, &v);
	else
		print_text(c, &v);
	write_outputs(&v);
	code = v.gated ? XC_GATE : v.skip ? XC_OK : XC_NO;
	scan_found_free(&v.found);
	intake_free(&v.in);
	return code;
}
