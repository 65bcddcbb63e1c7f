#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codeql/qllang.h"
#include "codeql/sarif.h"
#include "codeql/sarifscan.h"

struct reader {
	struct sarif *s;
	sarif_cut_fn *cut;
	void *arg;
	struct hash_sha256 hash;
	struct sarif_run *run;		/* the one that is read; NULL: none */
	uint32_t component, rule_index;	/* the next rule's */
	uint32_t invocation;
	bool successful;		/* the invocation says so */
	struct sarif_rule rule;
	struct sarif_override override;
	bool note_in_run;
	struct buf text;
};

/* ---- words and numbers ---- */

bool sarif_level_parse(struct span raw, enum sarif_level *level)
{
	static const char *const words[] = { "none", "note", "warning", "error" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (jscan_str_eq(raw, words[i])) {
			*level = (enum sarif_level)i;
			return true;
		}
	return false;
}

/* Tenths would do for the bounds, but 8.99 is no 9: so digits are compared, up to nine of the fraction. */
static bool number(struct span text, uint64_t *nano)
{
	ptrdiff_t dot = span_chr(text, '.');
	struct span whole = dot < 0 ? text : span_sub(text, 0, (size_t)dot);
	struct span frac = dot < 0 ? span_of("") : span_sub(text, (size_t)dot + 1, text.n);
	uint64_t units, parts = 0;

	for (size_t i = 0; i < frac.n; i++)
		if (frac.p[i] < '0' || frac.p[i] > '9')
			return false;
	if (!span_u64(whole, 1000000, &units) || (dot >= 0 && frac.n == 0))
		return false;
	for (size_t i = 0; i < 9; i++)
		parts = 10 * parts + (i < frac.n ? (uint64_t)(frac.p[i] - '0') : 0);
	*nano = units * 1000000000 + parts;
	return true;
}

enum sarif_severity sarif_severity_of(struct span text, bool *odd)
{
	uint64_t nano, one = 1000000000;

	*odd = !number(span_trim(text), &nano);
	if (*odd || nano == 0 || nano > 10 * one)
		return SEVERITY_NONE;
	return nano >= 9 * one ? SEVERITY_CRITICAL : nano >= 7 * one ? SEVERITY_HIGH :
	    nano >= 4 * one ? SEVERITY_MEDIUM : SEVERITY_LOW;
}

uint64_t sarif_id(struct span id)
{
	uint8_t digest[SHA256_LEN];
	uint64_t v;

	hash_sha256(digest, id.p, id.n);
	memcpy(&v, digest, sizeof(v));
	return v != 0 ? v : 1;
}

static int64_t index_of(struct span raw)
{
	uint64_t v;

	return raw.p != NULL && span_u64(raw, INT32_MAX, &v) ? (int64_t)v : -1;
}

/* ---- growing ---- */

static int room(void **items, size_t *have, size_t n, size_t size, struct err *err)
{
	size_t want = *have > 0 ? 2 * *have : 64;
	void *more;

	if (n < *have)
		return 0;
	more = realloc(*items, want * size);
	if (more == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to read SARIF");
	*items = more;
	*have = want;
	return 0;
}

static int add_rule(struct reader *r, struct err *err)
{
	struct sarif *s = r->s;

	if (s->nrules == SARIF_RULES_MAX)
		return err_set(err, ERR_LIMIT, "a SARIF file with more than %d rules", SARIF_RULES_MAX);
	if (room((void **)&s->rules, &s->rules_room, s->nrules, sizeof(*s->rules), err) != 0)
		return ERR_INTERNAL;
	r->rule.component = r->component;
	r->rule.index = r->rule_index++;
	s->rules[s->nrules++] = r->rule;
	r->run->nrules++;
	return 0;
}

static int add_override(struct reader *r, struct err *err)
{
	struct sarif *s = r->s;

	if (r->override.level == LEVEL_UNSET)
		return 0;
	if (s->noverrides == SARIF_RULES_MAX)
		return err_set(err, ERR_LIMIT, "a SARIF file with more than %d overrides", SARIF_RULES_MAX);
	if (room((void **)&s->overrides, &s->overrides_room, s->noverrides, sizeof(*s->overrides), err) != 0)
		return ERR_INTERNAL;
	r->override.invocation = r->invocation;
	s->overrides[s->noverrides++] = r->override;
	r->run->noverrides++;
	return 0;
}

/* An artifact without an address has the empty one, so that the others keep their numbers. */
static int add_artifact(struct reader *r, struct err *err)
{
	struct sarif *s = r->s;

	if (room((void **)&s->artifacts, &s->artifacts_room, s->nartifacts, sizeof(*s->artifacts), err) != 0)
		return ERR_INTERNAL;
	s->artifacts[s->nartifacts++] = (uint32_t)buf_len(&s->uris);
	r->run->nartifacts++;
	if (buf_len(&r->text) > 0 && memchr(buf_data(&r->text), '\0', buf_len(&r->text)) == NULL)
		buf_addspan(&s->uris, buf_span(&r->text));
	buf_addc(&s->uris, '\0');
	if (s->uris.failed || s->nartifacts > SARIF_ARTIFACTS_MAX / 8)
		return err_set(err, ERR_LIMIT, "a SARIF file with too many artifacts");
	return 0;
}

static int begin_run(struct reader *r, const struct sarif_event *e, struct err *err)
{
	struct sarif *s = r->s;

	if (s->nruns == SARIF_RUNS_MAX)
		return err_set(err, ERR_LIMIT, "a SARIF file with more than %d runs; GitHub takes 20",
		    SARIF_RUNS_MAX);
	if (s->runs == NULL)
		s->runs = calloc(SARIF_RUNS_MAX, sizeof(*s->runs));
	if (s->runs == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to read SARIF");
	r->run = &s->runs[s->nruns++];
	*r->run = (struct sarif_run){ .at = e->end, .rules = s->nrules, .overrides = s->noverrides,
		.artifacts = s->nartifacts, .ncomponents = 1 };
	r->invocation = 0;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct sarif_rule *x = a, *y = b;

	if (x->component != y->component)
		return x->component < y->component ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_id(const void *a, const void *b)
{
	const struct sarif_rule *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return by_place(a, b);
}

static int end_run(struct reader *r, struct err *err)
{
	struct sarif *s = r->s;
	size_t from = r->run->rules, n = r->run->nrules;

	r->run = NULL;
	if (n == 0)
		return 0;
	struct sarif_rule *ids = realloc(s->ids, s->nrules * sizeof(*ids));
	if (ids == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to read SARIF");
	s->ids = ids;
	qsort(&s->rules[from], n, sizeof(*ids), by_place);
	memcpy(&ids[from], &s->rules[from], n * sizeof(*ids));
	qsort(&ids[from], n, sizeof(*ids), by_id);
	return 0;
}

/* ---- events ---- */

static void take_text(struct reader *r, const struct sarif_event *e, char *out, size_t size)
{
	if (e->raw.p == NULL || !jscan_str(e->raw, out, size))
		r->run->cut = true;
}

static void take_security(struct reader *r, const struct sarif_event *e)
{
	char text[32];
	bool odd = false;

	if (e->ev == JSCAN_NUMBER)
		r->rule.severity = (uint8_t)sarif_severity_of(e->raw, &odd);
	else if (e->ev == JSCAN_STRING && e->raw.p != NULL && jscan_str(e->raw, text, sizeof(text)))
		r->rule.severity = (uint8_t)sarif_severity_of(span_of(text), &odd);
	else
		odd = true;
	r->s->odd_severities += odd && e->ev != JSCAN_OBJECT_END && e->ev != JSCAN_ARRAY_END;
}

static int take_level(struct span raw, uint8_t *level, struct err *err)
{
	enum sarif_level l;

	if (raw.p == NULL || !sarif_level_parse(raw, &l))
		return err_set(err, ERR_DAMAGED, "not SARIF 2.1.0: a level is '%.*s'",
		    raw.p != NULL && raw.n < 40 ? (int)raw.n : 0, raw.p != NULL ? raw.p : "");
	*level = (uint8_t)l;
	return 0;
}

static uint64_t id_of(struct reader *r, struct span raw)
{
	buf_clear(&r->text);
	if (raw.p == NULL || jscan_unescape(raw, &r->text) != 0)
		return 0;
	return sarif_id(buf_span(&r->text));
}

static int on_tool(struct reader *r, const struct sarif_event *e, bool open, struct err *err)
{
	struct sarif_run *run = r->run;
	uint8_t level;

	switch ((int)e->what) {
	case SARIF_DRIVER:
		run->has_tool = true;
		r->component = r->rule_index = 0;
		return 0;
	case SARIF_EXTENSION:
		if (open)
			r->component = run->ncomponents++;
		r->rule_index = 0;
		return 0;
	case SARIF_EXTENSION_NAME:
		buf_clear(&r->text);
		if (e->raw.p != NULL && jscan_unescape(e->raw, &r->text) == 0)
			run->languages |= qllang_of_pack(buf_span(&r->text));
		return 0;
	case SARIF_TOOL_NAME:
		take_text(r, e, run->tool, sizeof(run->tool));
		return 0;
	case SARIF_TOOL_SEMVER:
		take_text(r, e, run->version, sizeof(run->version));
		return 0;
	case SARIF_TOOL_VERSION:
		if (run->version[0] == '\0')
			take_text(r, e, run->version, sizeof(run->version));
		return 0;
	case SARIF_RULE:
		if (!open)
			return add_rule(r, err);
		r->rule = (struct sarif_rule){ .level = LEVEL_UNSET };
		return 0;
	case SARIF_RULE_ID:
		r->rule.id = id_of(r, e->raw);
		return 0;
	case SARIF_RULE_LEVEL:
		if (take_level(e->raw, &level, err) != 0)
			return ERR_DAMAGED;
		r->rule.level = level;
		return 0;
	case SARIF_RULE_SECURITY:
		take_security(r, e);
	}
	return 0;
}

static int on_invocation(struct reader *r, const struct sarif_event *e, bool open, struct err *err)
{
	uint8_t level = LEVEL_UNSET;

	switch ((int)e->what) {
	case SARIF_INVOCATION:
		r->invocation += !open;
		r->run->failed |= !open && !r->successful;
		r->successful = false;
		break;
	case SARIF_SUCCESSFUL:
		r->successful = e->ev == JSCAN_TRUE;
		break;
	case SARIF_EXIT_CODE:
		r->run->failed |= e->raw.p == NULL || !span_eq(e->raw, "0");
		break;
	case SARIF_EXIT_SIGNAL:
		r->run->failed = true;
		break;
	case SARIF_NOTE_LEVEL:
		if (take_level(e->raw, &level, err) != 0)
			return ERR_DAMAGED;
		r->run->errors += level == LEVEL_ERROR;
		break;
	case SARIF_OVERRIDE:
		if (!open)
			return add_override(r, err);
		r->override = (struct sarif_override){ .component = -1, .index = -1, .level = LEVEL_UNSET };
		break;
	case SARIF_DESCRIPTOR_ID:
		r->override.id = id_of(r, e->raw);
		break;
	case SARIF_DESCRIPTOR_INDEX:
		r->override.index = index_of(e->raw);
		break;
	case SARIF_DESCRIPTOR_COMPONENT_INDEX:
		r->override.component = index_of(e->raw);
		break;
	case SARIF_OVERRIDE_LEVEL:
		return take_level(e->raw, &r->override.level, err);
	}
	return 0;
}

static int on_run(struct reader *r, const struct sarif_event *e, bool open, struct err *err)
{
	struct sarif_run *run = r->run;

	switch ((int)e->what) {
	case SARIF_RUN:
		if (open)
			return begin_run(r, e, err);
		run->end = e->end;
		return end_run(r, err);
	case SARIF_RESULTS:
		run->has_results = true;
		break;
	case SARIF_EXTERNAL_RESULTS:
		run->external = true;
		break;
	case SARIF_AUTOMATION:
		if (open)
			run->automation_at = e->end;
		run->has_automation = true;
		run->automation_empty = e->empty;
		break;
	case SARIF_AUTOMATION_ID:
		run->has_category = true;
		take_text(r, e, run->category, sizeof(run->category));
		break;
	case SARIF_INCREMENTAL:
		if (e->ev == JSCAN_STRING)
			take_text(r, e, run->incremental, sizeof(run->incremental));
		else if (e->ev != JSCAN_FALSE)
			strcpy(run->incremental, "yes");
		break;
	case SARIF_ARTIFACT:
		if (!open)
			return add_artifact(r, err);
		buf_clear(&r->text);
		break;
	case SARIF_ARTIFACT_URI:
		if (e->raw.p != NULL)
			jscan_unescape(e->raw, &r->text);
	}
	return 0;
}

static int on_log(struct reader *r, const struct sarif_event *e, struct err *err)
{
	if (e->what == SARIF_RUNS)
		r->s->has_runs = true;
	if (e->what != SARIF_VERSION)
		return 0;
	r->s->has_version = jscan_str_eq(e->raw, "2.1.0");
	if (r->s->has_version)
		return 0;
	return err_set(err, ERR_DAMAGED, "SARIF of version %.*s; 2.1.0 is needed",
	    e->raw.n < 20 ? (int)e->raw.n : 0, e->raw.p != NULL ? e->raw.p : "");
}

static int on_event(void *arg, const struct sarif_event *e, struct err *err)
{
	struct reader *r = arg;
	bool open = e->ev == JSCAN_OBJECT || e->ev == JSCAN_ARRAY;

	if (e->what == SARIF_CUT)
		return r->cut != NULL ? r->cut(r->arg, e->at, e->end) : 0;
	if (e->what <= SARIF_RUNS)
		return on_log(r, e, err);
	if (e->what >= SARIF_TOOL && e->what <= SARIF_RULE_SECURITY)
		return on_tool(r, e, open, err);
	if (e->what >= SARIF_INVOCATIONS && e->what <= SARIF_OVERRIDE_LEVEL)
		return on_invocation(r, e, open, err);
	return on_run(r, e, open, err);
}

static void on_piece(void *arg, const void *p, size_t n)
{
	struct reader *r = arg;

	hash_sha256_add(&r->hash, p, n);
	r->s->size += n;
}

int sarif_read(int fd, struct sarif *s, sarif_cut_fn *cut, void *arg, struct err *err)
{
	struct reader r = { .s = s, .cut = cut, .arg = arg };
	int rc;

	memset(s, 0, sizeof(*s));
	buf_init(&s->uris, SARIF_ARTIFACTS_MAX);
	buf_init(&r.text, TOKENS_MAX);
	hash_sha256_init(&r.hash);
	rc = sarifscan_fd(fd, on_event, &r, on_piece, err);
	hash_sha256_out(&r.hash, s->digest);
	buf_free(&r.text);
	if (rc == 0 && !s->has_version)
		rc = err_set(err, ERR_DAMAGED, "not SARIF 2.1.0: it has no version");
	return rc;
}

void sarif_free(struct sarif *s)
{
	free(s->runs);
	free(s->rules);
	free(s->ids);
	free(s->overrides);
	free(s->artifacts);
	buf_free(&s->uris);
	memset(s, 0, sizeof(*s));
}

/* ---- answers ---- */

static int run_evidence(const struct sarif *s, size_t i, struct err *err)
{
	const struct sarif_run *run = &s->runs[i];

	if (!run->has_tool || run->tool[0] == '\0')
		return err_set(err, ERR_PROTO, "run %zu names no tool", i);
	if (run->cut)
		return err_set(err, ERR_PROTO, "run %zu has a tool, version or category that is too long", i);
	if (run->failed)
		return err_set(err, ERR_PROTO, "run %zu (%s) does not say that its invocation was successful",
		    i, run->tool);
	if (run->errors > 0)
		return err_set(err, ERR_PROTO, "run %zu (%s) notes %u errors of the tool itself", i,
		    run->tool, run->errors);
	if (run->external)
		return err_set(err, ERR_PROTO, "run %zu (%s) has its results in other files", i, run->tool);
	if (!run->has_results)
		return err_set(err, ERR_PROTO,
		    "run %zu (%s) has no results, not even none: the scan did not finish", i, run->tool);
	for (size_t k = 0; k < i; k++)
		if (strcmp(run->tool, s->runs[k].tool) == 0 &&
		    strcmp(run->category, s->runs[k].category) == 0)
			return err_set(err, ERR_PROTO,
			    "runs %zu and %zu are both of %s and category '%s'; GitHub refuses such a file",
			    k, i, run->tool, run->category);
	return 0;
}

int sarif_evidence(const struct sarif *s, struct err *err)
{
	int rc = 0;

	if (s->nruns == 0)
		return err_set(err, ERR_PROTO, "it has no runs, so it shows nothing");
	for (size_t i = 0; i < s->nruns && rc == 0; i++)
		rc = run_evidence(s, i, err);
	return rc;
}

const char *sarif_incremental(const struct sarif *s)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (s->runs[i].incremental[0] != '\0')
			return s->runs[i].incremental;
	return NULL;
}

/* The first of a run's rules, in that order, that is not below `key`; NULL: none. */
static const struct sarif_rule *lower(const struct sarif_rule *base, size_t n, const struct sarif_rule *key,
    int (*order)(const void *, const void *))
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (order(&base[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n ? &base[lo] : NULL;
}

const struct sarif_rule *sarif_rule_by_id(const struct sarif *s, const struct sarif_run *run, uint64_t id,
    int64_t component)
{
	struct sarif_rule key = { .id = id, .component = component > 0 ? (uint32_t)component : 0 };
	const struct sarif_rule *rule;

	if (run->nrules == 0 || id == 0 || component > UINT32_MAX)
		return NULL;
	rule = lower(&s->ids[run->rules], run->nrules, &key, by_id);
	if (rule == NULL || rule->id != id || (component >= 0 && rule->component != component))
		return NULL;
	return rule;
}

const struct sarif_rule *sarif_rule_at(const struct sarif *s, const struct sarif_run *run, uint32_t component,
    uint32_t index)
{
	struct sarif_rule key = { .component = component, .index = index };
	const struct sarif_rule *rule;

	if (run->nrules == 0)
		return NULL;
	rule = lower(&s->rules[run->rules], run->nrules, &key, by_place);
	return rule != NULL && rule->component == component && rule->index == index ? rule : NULL;
}

const char *sarif_artifact(const struct sarif *s, const struct sarif_run *run, int64_t index)
{
	if (index < 0 || (uint64_t)index >= run->nartifacts)
		return NULL;
	return (const char *)buf_data(&s->uris) + s->artifacts[run->artifacts + (size_t)index];
}
