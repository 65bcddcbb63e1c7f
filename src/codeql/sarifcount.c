#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "codeql/sarifcount.h"
#include "codeql/sarifscan.h"

struct walk {
	const struct sarif *s;
	struct sarif_counts *counts;
	sarif_result_fn *fn;
	void *arg;
	size_t run;			/* the next one's number */
	uint64_t in_run;
	/* of the result that is read */
	struct sarif_result r;
	struct buf rule, uri, hash;
	bool has_rule, has_uri, has_hash;
	bool fails;			/* its kind is "fail" */
	uint8_t level;
	int64_t rule_index, ref_index, component, invocation, place_index;
	unsigned locations, suppressions;
};

/* ---- which rule, which level ---- */

static const struct sarif_rule *by_text(const struct walk *w, const struct sarif_run *run)
{
	struct span id = buf_span(&w->rule);
	const struct sarif_rule *rule = NULL;

	while (id.n > 0 && rule == NULL) {
		rule = sarif_rule_by_id(w->s, run, sarif_id(id), w->component);
		while (id.n > 0 && id.p[--id.n] != '/')
			;
	}
	return rule;
}

static const struct sarif_rule *rule_of(const struct walk *w, const struct sarif_run *run)
{
	int64_t index = w->ref_index >= 0 ? w->ref_index : w->rule_index;
	const struct sarif_rule *rule = NULL;

	/* tool.extensions[i] is component i + 1 here */
	if (index >= 0 && index <= UINT32_MAX && w->component < UINT32_MAX)
		rule =
		    sarif_rule_at(w->s, run, w->component >= 0 ? (uint32_t)w->component : 0, (uint32_t)index);
	return rule != NULL ? rule : by_text(w, run);
}

static uint8_t override_of(const struct walk *w, const struct sarif_run *run, const struct sarif_rule *rule)
{
	uint64_t id = rule != NULL ? rule->id : sarif_id(buf_span(&w->rule));

	for (size_t i = 0; i < run->noverrides && w->invocation >= 0; i++) {
		const struct sarif_override *o = &w->s->overrides[run->overrides + i];
		if (o->invocation != w->invocation)
			continue;
		if (o->index >= 0 && rule != NULL ?
		    o->index == rule->index && (o->component < 0 ? 0 : o->component + 1) == rule->component :
		    o->id != 0 && o->id == id)
			return o->level;
	}
	return LEVEL_UNSET;
}

static enum sarif_level level_of(const struct walk *w, const struct sarif_run *run,
    const struct sarif_rule *rule)
{
	uint8_t level = w->level;

	if (!w->fails)
		return LEVEL_NONE;
	if (level == LEVEL_UNSET)
		level = override_of(w, run, rule);
	if (level == LEVEL_UNSET && rule != NULL)
		level = rule->level;
	return level == LEVEL_UNSET ? LEVEL_WARNING : (enum sarif_level)level;
}

/* ---- one result ---- */

static void begin_result(struct walk *w, const struct sarif_event *e)
{
	uint64_t number = w->r.number;

	w->r = (struct sarif_result){ .number = number, .run = w->run, .at = e->end };
	buf_clear(&w->rule);
	buf_clear(&w->uri);
	buf_clear(&w->hash);
	w->has_rule = w->has_uri = w->has_hash = false;
	w->fails = true;
	w->level = LEVEL_UNSET;
	w->rule_index = w->ref_index = w->component = w->invocation = w->place_index = -1;
	w->locations = w->suppressions = 0;
}

/* Sums of hashes do not know an order, and two equal results count twice. */
static void add_digest(const struct walk *w)
{
	uint8_t out[SHA256_LEN];
	uint64_t part[2];
	struct hash_sha256 h;
	char line[16] = "";

	for (unsigned n = w->r.line, i = 0; n > 0 && i < 15; n /= 10)
		line[i++] = (char)('0' + n % 10);
	hash_sha256_init(&h);
	hash_sha256_field(&h, buf_span(&w->rule));
	hash_sha256_field(&h, w->r.uri);
	hash_sha256_field(&h, w->r.hash.p != NULL ? w->r.hash : span_of(line));
	hash_sha256_out(&h, out);
	memcpy(part, out, sizeof(part));
	w->counts->digest[0] += part[0];
	w->counts->digest[1] += part[1];
}

static int end_result(struct walk *w, struct err *err)
{
	const struct sarif_run *run = &w->s->runs[w->run];
	const struct sarif_rule *rule = rule_of(w, run);
	struct sarif_counts *c = w->counts;
	const char *artifact = w->has_uri ? NULL : sarif_artifact(w->s, run, w->place_index);

	w->r.rule = buf_span(&w->rule);
	w->r.uri = artifact != NULL ? span_of(artifact) : buf_span(&w->uri);
	w->r.hash = w->has_hash ? buf_span(&w->hash) : (struct span){ NULL, 0 };
	w->r.level = level_of(w, run, rule);
	w->r.severity = rule != NULL ? (enum sarif_severity)rule->severity : SEVERITY_NONE;
	c->results++;
	c->suppressed += w->suppressions > 0;
	c->level[w->r.level]++;
	c->severity[w->r.severity]++;
	if (++w->in_run > c->most)
		c->most = w->in_run;
	add_digest(w);
	int rc = w->fn != NULL ? w->fn(w->arg, &w->r, err) : 0;
	w->r.number++;
	return rc;
}

/* ---- events ---- */

static int64_t index_of(struct span raw)
{
	uint64_t v;

	return raw.p != NULL && span_u64(raw, INT32_MAX, &v) ? (int64_t)v : -1;
}

static int take_text(struct span raw, struct buf *to, bool *has, const char *what, struct err *err)
{
	buf_clear(to);
	*has = true;
	if (raw.p == NULL || jscan_unescape(raw, to) != 0 || to->failed)
		return err_set(err, ERR_DAMAGED, "a result's %s is too long", what);
	return 0;
}

static int on_rule_part(struct walk *w, const struct sarif_event *e, struct err *err)
{
	enum sarif_level level;

	switch ((int)e->what) {
	case SARIF_RESULT_RULE_ID:
		return take_text(e->raw, &w->rule, &w->has_rule, "ruleId", err);
	case SARIF_RESULT_RULE_REF_ID:
		return w->has_rule ? 0 : take_text(e->raw, &w->rule, &w->has_rule, "rule.id", err);
	case SARIF_RESULT_RULE_INDEX:
		w->rule_index = index_of(e->raw);
		break;
	case SARIF_RESULT_RULE_REF_INDEX:
		w->ref_index = index_of(e->raw);
		break;
	case SARIF_RESULT_COMPONENT_INDEX:
		w->component = index_of(e->raw);
		w->component += w->component >= 0;
		break;
	case SARIF_RESULT_KIND:
		w->fails = e->raw.p != NULL && jscan_str_eq(e->raw, "fail");
		break;
	case SARIF_RESULT_LEVEL:
		if (e->raw.p == NULL || !sarif_level_parse(e->raw, &level))
			return err_set(err, ERR_DAMAGED, "not SARIF 2.1.0: the level of result %" PRIu64,
			    w->r.number);
		w->level = (uint8_t)level;
		break;
	case SARIF_PROVENANCE_INVOCATION:
		w->invocation = index_of(e->raw);
	}
	return 0;
}

static int on_place_part(struct walk *w, const struct sarif_event *e, bool open, struct err *err)
{
	int64_t line;

	switch ((int)e->what) {
	case SARIF_LOCATION:
		w->locations += open;
		break;
	case SARIF_PLACE_URI:
		return w->locations == 1 ? take_text(e->raw, &w->uri, &w->has_uri, "address", err) : 0;
	case SARIF_PLACE_INDEX:
		if (w->locations == 1)
			w->place_index = index_of(e->raw);
		break;
	case SARIF_START_LINE:
		line = index_of(e->raw);
		if (w->locations == 1 && line > 0)
			w->r.line = (uint32_t)line;
		break;
	case SARIF_FINGERPRINTS:
		if (open)
			w->r.prints_at = e->end;
		w->r.has_prints = true;
		w->r.prints_empty = e->empty;
		break;
	case SARIF_LINE_HASH:
		return take_text(e->raw, &w->hash, &w->has_hash, "primaryLocationLineHash", err);
	case SARIF_SUPPRESSION:
		w->suppressions += open;
	}
	return 0;
}

static int on_event(void *arg, const struct sarif_event *e, struct err *err)
{
	struct walk *w = arg;
	bool open = e->ev == JSCAN_OBJECT || e->ev == JSCAN_ARRAY;

	if (e->what == SARIF_RUN && !open) {
		w->run++;
		w->in_run = 0;
	}
	if (w->run >= w->s->nruns && e->what >= SARIF_RESULTS && e->what <= SARIF_SUPPRESSION)
		return err_set(err, ERR_DAMAGED, "the SARIF file changed while it was read");
	if (e->what == SARIF_RESULT && open)
		begin_result(w, e);
	else if (e->what == SARIF_RESULT)
		return end_result(w, err);
	if (e->what >= SARIF_RESULT_RULE_ID && e->what <= SARIF_PROVENANCE_INVOCATION)
		return on_rule_part(w, e, err);
	if (e->what >= SARIF_LOCATIONS && e->what <= SARIF_SUPPRESSION)
		return on_place_part(w, e, open, err);
	return 0;
}

int sarifcount_walk(int fd, const struct sarif *s, struct sarif_counts *counts, sarif_result_fn *fn,
    void *arg, struct err *err)
{
	struct walk w = { .s = s, .counts = counts, .fn = fn, .arg = arg };
	int rc;

	memset(counts, 0, sizeof(*counts));
	buf_init(&w.rule, TOKENS_MAX);
	buf_init(&w.uri, TOKENS_MAX);
	buf_init(&w.hash, TOKENS_MAX);
	rc = sarifscan_fd(fd, on_event, &w, NULL, err);
	buf_free(&w.rule);
	buf_free(&w.uri);
	buf_free(&w.hash);
	return rc;
}

int64_t sarifcount_at_least(const struct sarif_counts *c, const char *word)
{
	static const char *const severities[] = { "", "low", "medium", "high", "critical" };
	static const char *const levels[] = { "", "note", "warning", "error" };
	uint64_t n = 0;

	if (strcmp(word, "any") == 0)
		return (int64_t)c->results;
	for (size_t i = 5; i-- > 1;) {
		n += c->severity[i];
		if (strcmp(word, severities[i]) == 0)
			return (int64_t)n;
	}
	n = 0;
	for (size_t i = 4; i-- > 1;) {
		n += c->level[i];
		if (strcmp(word, levels[i]) == 0)
			return (int64_t)n;
	}
	return -1;
}
