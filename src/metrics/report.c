#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "metrics/metrics.h"
#include "metrics/report.h"

bool report_format_parse(const char *text, enum report_format *format)
{
	static const char *const names[] = {
		[REPORT_TEXT] = "text", [REPORT_JSON] = "json", [REPORT_PROMETHEUS] = "prometheus",
		[REPORT_MARKDOWN] = "markdown",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*format = (enum report_format)i;
			return true;
		}
	}
	return false;
}

/* What the reference calls hits, from ours. */
struct derived {
	uint64_t local, peer, total;
	double rate;		/* 0 to 1 */
};

static struct derived derive(const struct metrics *m)
{
	struct derived d;
	uint64_t requests = metrics_get(m, M_REQUESTS);

	d.local = metrics_get(m, M_HIT_MEM) + metrics_get(m, M_HIT_DISK) + metrics_get(m, M_HIT_STALE);
	d.peer = metrics_get(m, M_HIT_P2P);
	d.total = d.local + d.peer;
	d.rate = requests ? (double)d.total / (double)requests : 0;
	/* The numbers are read one after the other while others count. */
	if (d.rate > 1)
		d.rate = 1;
	return d;
}

/* How often a scan that was called needless was not: measured by those that ran all the same. */
static double false_skip_rate(const struct metrics *m)
{
	return (double)metrics_get(m, M_CODEQL_FALSE_SKIPS) / (double)metrics_get(m, M_CODEQL_SAMPLED);
}

static int64_t clip(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

/* ---- credentials ---- */

static const struct {
	const char *name, *help;
} cred_rows[] = { { "active", "Credentials that have not expired, as of the last command that looked." },
	{ "accessed", "Credentials handed out." },
	{ "denied", "Requests for a credential that were refused." },
	{ "expired", "Credentials removed because they had expired." },
	{ "rotated", "Credentials given a new value." } };

#define CRED_ROWS (sizeof cred_rows / sizeof cred_rows[0])

static int64_t cred_number(const struct metrics *m, size_t row)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;

	for (size_t at = 0; metrics_next(m, &at, name, &n);)
		if (strncmp(name, "cred.", 5) == 0 && strcmp(name + 5, cred_rows[row].name) == 0)
			return clip(n);
	return 0;
}

/* ---- JSON ---- */

static void put_gauge(struct json *o, const char *key, int64_t n)
{
	if (n < 0)
		json_put_null(o, key);
	else
		json_put_int(o, key, n);
}

static void put_named(const struct metrics *m, struct json *o)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;

	for (size_t at = 0; metrics_next(m, &at, name, &n);)
		json_put_int(o, name, clip(n));
}

static void write_json(const struct metrics *m, const struct report_gauges *g, struct buf *out)
{
	struct json *o = json_object();
	struct derived d = derive(m);

	json_put_str(o, "version", g->version);
	json_put_str(o, "cache_dir", g->cache_dir);
	for (int i = 0; i < M_COUNT; i++)
		json_put_int(o, metrics_name((enum metric)i), clip(metrics_get(m, (enum metric)i)));
	json_put_int(o, "total_hits", clip(d.total));
	json_put_int(o, "local_hits", clip(d.local));
	json_put_int(o, "peer_hits", clip(d.peer));
	json_put_num(o, "hit_rate", d.rate);
	json_put_int(o, "codeql_scans", clip(metrics_get(m, M_CODEQL_HITS)));
	if (metrics_get(m, M_CODEQL_SAMPLED) > 0)
		json_put_num(o, "codeql_false_skip_rate", false_skip_rate(m));
	else
		json_put_null(o, "codeql_false_skip_rate");
	put_gauge(o, "cache_size", g->entries);
	put_gauge(o, "cache_bytes", g->bytes);
	json_put_int(o, "connected_peers", g->connected_peers < 0 ? 0 : g->connected_peers);
	json_put_bool(o, "p2p_enabled", g->connected_peers >= 0);
	put_named(m, json_put_object(o, "named"));
	struct json *cred = g->cred ? json_put_object(o, "credentials") : NULL;
	for (size_t i = 0; g->cred && i < CRED_ROWS; i++)
		json_put_int(cred, cred_rows[i].name, cred_number(g->cred, i));
	if (json_print(o, true, out) == 0)
		buf_addc(out, '\n');
	json_free(o);
}

/* ---- Prometheus ---- */

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP ghoard_%s %s\n# TYPE ghoard_%s %s\n", name, help, name, type);
}

static void put_counter(struct buf *out, const struct metrics *m, enum metric which)
{
	struct span name = span_of(metrics_name(which));
	char full[METRICS_NAME_MAX + sizeof "_total"];

	/* "total_requests" would become ghoard_total_requests_total. */
	if (span_starts(name, "total_"))
		name = span_sub(name, 6, name.n);
	span_copy(full, sizeof full, name);
	strcat(full, "_total");
	put_head(out, full, "counter", metrics_help(which));
	buf_addf(out, "ghoard_%s %" PRIu64 "\n", full, metrics_get(m, which));
}

static void put_cred(struct buf *out, const struct metrics *cred)
{
	char full[64];

	for (size_t i = 0; cred && i < CRED_ROWS; i++) {
		snprintf(full, sizeof full, "credentials_%s%s", cred_rows[i].name, i ? "_total" : "");
		put_head(out, full, i ? "counter" : "gauge", cred_rows[i].help);
		buf_addf(out, "ghoard_%s %" PRId64 "\n", full, cred_number(cred, i));
	}
}

static void put_prom_gauge(struct buf *out, const char *name, const char *help, int64_t n)
{
	if (n < 0)
		return;
	put_head(out, name, "gauge", help);
	buf_addf(out, "ghoard_%s %" PRId64 "\n", name, n);
}

/* "route.get_repo_info": family and label. */
static struct span family_of(const char *name, const char **label)
{
	size_t n = strcspn(name, ".");

	*label = name[n] ? name + n + 1 : "";
	return span_make(name, n);
}

static bool seen_before(const struct metrics *m, size_t upto, struct span family)
{
	char name[METRICS_NAME_MAX + 1];
	const char *label;
	uint64_t n;

	for (size_t at = 0; metrics_next(m, &at, name, &n) && at < upto;)
		if (span_same(family_of(name, &label), family))
			return true;
	return false;
}

static void put_family(struct buf *out, const struct metrics *m, struct span family)
{
	char name[METRICS_NAME_MAX + 1], full[METRICS_NAME_MAX + sizeof "by__total"];
	const char *label;
	uint64_t n;

	snprintf(full, sizeof full, "by_%.*s_total", (int)family.n, family.p);
	put_head(out, full, "counter", "Requests by name.");
	for (size_t at = 0; metrics_next(m, &at, name, &n);)
		if (span_same(family_of(name, &label), family))
			buf_addf(out, "ghoard_%s{name=\"%s\"} %" PRIu64 "\n", full, label, n);
}

static void put_label(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_addc(out, '\\');
		if (*text == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, *text);
	}
}

static void write_prometheus(const struct metrics *m, const struct report_gauges *g, struct buf *out)
{
	char name[METRICS_NAME_MAX + 1];
	const char *label;
	uint64_t n;

	for (int i = 0; i < M_COUNT; i++)
		put_counter(out, m, (enum metric)i);
	/* The lines of a family must stand together, its names come as they were first counted. */
	for (size_t at = 0; metrics_next(m, &at, name, &n);) {
		struct span family = family_of(name, &label);
		if (!seen_before(m, at, family))
			put_family(out, m, family);
	}
	put_prom_gauge(out, "cache_entries", "Entries in the store.", g->entries);
	put_prom_gauge(out, "cache_bytes", "Bytes in the store.", g->bytes);
	put_prom_gauge(out, "connected_peers", "Peers connected now.",
	    g->connected_peers < 0 ? 0 : g->connected_peers);
	put_prom_gauge(out, "p2p_enabled", "Whether entries are shared with peers.", g->connected_peers >= 0);
	put_cred(out, g->cred);
	put_head(out, "build_info", "gauge", "The version of this program.");
	buf_adds(out, "ghoard_build_info{version=\"");
	put_label(out, g->version ? g->version : "");
	buf_adds(out, "\"} 1\n");
}

/* ---- for people ---- */

/* One writer for text and Markdown: a line has a name and a value. */
struct lines {
	struct buf *out;
	bool markdown;
};

static void put_cell(struct lines *l, const char *text)
{
	for (; *text; text++) {
		if (l->markdown && strchr("|`*<>\\&", *text))
			buf_addf(l->out, "&#%d;", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			buf_addc(l->out, '?');
		else
			buf_addc(l->out, *text);
	}
}

static void put_line(struct lines *l, const char *name, const char *value)
{
	if (l->markdown)
		buf_addf(l->out, "| %s | ", name);
	else
		buf_addf(l->out, "%-40s ", name);
	put_cell(l, value);
	buf_adds(l->out, l->markdown ? " |\n" : "\n");
}

static void put_number(struct lines *l, const char *name, int64_t n)
{
	char text[24] = "unknown";

	if (n >= 0)
		snprintf(text, sizeof text, "%" PRId64, n);
	put_line(l, name, text);
}

static void write_lines(const struct metrics *m, const struct report_gauges *g, struct lines *l)
{
	char name[METRICS_NAME_MAX + 1], rate[16];
	struct derived d = derive(m);
	uint64_t n;

	put_number(l, "total_requests", clip(metrics_get(m, M_REQUESTS)));
	put_number(l, "total_hits", clip(d.total));
	snprintf(rate, sizeof rate, "%.1f %%", d.rate * 100);
	put_line(l, "hit_rate", rate);
	put_number(l, "api_calls_saved", clip(metrics_get(m, M_CALLS_SAVED)));
	put_number(l, "local_hits", clip(d.local));
	put_number(l, "peer_hits", clip(d.peer));
	put_number(l, "cache_size", g->entries);
	put_number(l, "cache_bytes", g->bytes);
	put_number(l, "connected_peers", g->connected_peers < 0 ? 0 : g->connected_peers);
	put_line(l, "p2p_enabled", g->connected_peers >= 0 ? "true" : "false");
	put_line(l, "cache_dir", g->cache_dir ? g->cache_dir : "");
	/* Those above, and what never happened, would only be noise here; JSON has them all. */
	for (int i = 0; i < M_COUNT; i++)
		if (i != M_REQUESTS && i != M_CALLS_SAVED && metrics_get(m, (enum metric)i))
			put_number(l, metrics_name((enum metric)i), clip(metrics_get(m, (enum metric)i)));
	if (metrics_get(m, M_CODEQL_SAMPLED)) {
		snprintf(rate, sizeof rate, "%.2f %%", false_skip_rate(m) * 100);
		put_line(l, "codeql_false_skip_rate", rate);
	}
	for (size_t at = 0; metrics_next(m, &at, name, &n);)
		put_number(l, name, clip(n));
	for (size_t i = 0; g->cred && i < CRED_ROWS; i++) {
		snprintf(name, sizeof name, "credentials_%s", cred_rows[i].name);
		put_number(l, name, cred_number(g->cred, i));
	}
}

static void write_markdown(const struct metrics *m, const struct report_gauges *g, struct buf *out)
{
	struct lines l = { out, true };

	buf_adds(out, "### ghoard cache\n\n| metric | value |\n|---|---|\n");
	write_lines(m, g, &l);
	buf_addc(out, '\n');
}

void report_write(const struct metrics *m, const struct report_gauges *g, enum report_format format,
    struct buf *out)
{
	struct lines text = { out, false };

	switch (format) {
	case REPORT_TEXT:
		write_lines(m, g, &text);
		return;
	case REPORT_JSON:
		write_json(m, g, out);
		return;
	case REPORT_PROMETHEUS:
		write_prometheus(m, g, out);
		return;
	case REPORT_MARKDOWN:
		write_markdown(m, g, out);
		return;
	}
}
