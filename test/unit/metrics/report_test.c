#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/jscan.h"
#include "metrics/metrics.h"
#include "metrics/report.h"

static const struct report_gauges gauges = { 12, 3456, -1, "/srv/u/.cache/a|b", "1.0 \"x\\" };

static struct metrics *counted(void)
{
	struct metrics *m = metrics_open(NULL);

	assert_non_null(m);
	metrics_add(m, M_REQUESTS, 200);
	metrics_add(m, M_HIT_MEM, 100);
	metrics_add(m, M_HIT_DISK, 40);
	metrics_add(m, M_HIT_P2P, 9);
	metrics_add(m, M_HIT_STALE, 1);
	metrics_add(m, M_CALLS_SAVED, 151);
	metrics_add(m, M_BYTES_SAVED, UINT64_MAX);
	metrics_add_named(m, "route.get_repo_info", 7);
	metrics_add_named(m, "layer.mem", 3);
	metrics_add_named(m, "route.other", 8);
	return m;
}

static void report(const struct metrics *m, const struct report_gauges *g, enum report_format f,
    struct buf *out)
{
	buf_init(out, BUF_MAX_ANY);
	report_write(m, g, f, out);
	assert_false(out->failed);
}

static void has(struct buf *out, const char *want)
{
	if (!strstr(buf_cstr(out), want))
		fail_msg("'%s' is not in:\n%s", want, buf_cstr(out));
}

static void test_formats(void **state)
{
	enum report_format f;

	(void)state;
	assert_true(report_format_parse("text", &f) && f == REPORT_TEXT);
	assert_true(report_format_parse("json", &f) && f == REPORT_JSON);
	assert_true(report_format_parse("prometheus", &f) && f == REPORT_PROMETHEUS);
	assert_true(report_format_parse("markdown", &f) && f == REPORT_MARKDOWN);
	assert_false(report_format_parse("JSON", &f));
	assert_false(report_format_parse("", &f));
}

static void member_is(struct buf *out, const char *path, const char *want)
{
	struct span value;

	assert_int_equal(jscan_path(buf_span(out), path, &value), 1);
	if (!span_eq(value, want))
		fail_msg("%s: %.*s", path, (int)value.n, value.p);
}

static void test_json(void **state)
{
	struct report_gauges none = { -1, -1, 2, NULL, NULL, NULL };
	struct span value;
	struct buf out;

	(void)state;
	struct metrics *m = counted();
	report(m, &gauges, REPORT_JSON, &out);
	assert_true(jscan_valid(buf_span(&out)));
	member_is(&out, "total_requests", "200");
	member_is(&out, "total_hits", "150");
	member_is(&out, "local_hits", "141");
	member_is(&out, "peer_hits", "9");
	member_is(&out, "hit_rate", "0.75");
	member_is(&out, "api_calls_saved", "151");
	member_is(&out, "saved_bytes", "9223372036854775807");
	member_is(&out, "cache_size", "12");
	member_is(&out, "cache_bytes", "3456");
	member_is(&out, "connected_peers", "0");
	member_is(&out, "p2p_enabled", "false");
	member_is(&out, "cache_dir", "\"/srv/u/.cache/a|b\"");
	assert_int_equal(jscan_member(buf_span(&out), "named", &value), 1);
	struct span number;
	assert_int_equal(jscan_member(value, "route.get_repo_info", &number), 1);
	assert_true(span_eq(number, "7"));
	buf_free(&out);
	metrics_free(m);
	report(NULL, &none, REPORT_JSON, &out);
	assert_true(jscan_valid(buf_span(&out)));
	member_is(&out, "cache_size", "null");
	member_is(&out, "hit_rate", "0");
	member_is(&out, "connected_peers", "2");
	member_is(&out, "p2p_enabled", "true");
	member_is(&out, "total_requests", "0");
	buf_free(&out);
}

/* The text format's grammar, line by line, as far as we use it; families stand together and are announced
 * once. */
static void check_exposition(struct span text)
{
	struct span line, rest = text, family = span_of("");

	while (span_cut(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		if (span_starts(line, "# HELP ")) {
			struct span name = span_sub(line, 7, line.n);
			family = span_sub(name, 0, (size_t)span_chr(name, ' '));
			struct buf again;
			buf_init(&again, BUF_MAX_ANY);
			buf_addf(&again, "# HELP %.*s ", (int)family.n, family.p);
			ptrdiff_t first = span_find(text, buf_cstr(&again));
			assert_ptr_equal(text.p + first, line.p);
			buf_free(&again);
			assert_true(span_starts(family, "ghoard_"));
			continue;
		}
		bool gauge = span_ends(line, " gauge");
		if (span_starts(line, "# TYPE ")) {
			assert_true(gauge || span_ends(line, " counter"));
			assert_true(gauge != span_ends(family, "_total"));
			line = span_sub(line, 7, line.n);
		}
		assert_true(line.n > family.n && memcmp(line.p, family.p, family.n) == 0);
		assert_true(line.p[family.n] == ' ' || line.p[family.n] == '{');
	}
}

static void test_prometheus(void **state)
{
	struct buf out;

	(void)state;
	struct metrics *m = counted();
	report(m, &gauges, REPORT_PROMETHEUS, &out);
	check_exposition(buf_span(&out));
	has(&out,
	    "# HELP ghoard_requests_total Look-ups by commands and the daemon.\n# TYPE ghoard_requests_total "
	    "counter\n"
	    "ghoard_requests_total 200\n");
	has(&out, "\nghoard_saved_bytes_total 18446744073709551615\n");
	has(&out, "\nghoard_gc_removed_total 0\n");
	has(&out, "# TYPE ghoard_by_route_total counter\nghoard_by_route_total{name=\"get_repo_info\"} 7\n"
	    "ghoard_by_route_total{name=\"other\"} 8\n");
	has(&out, "\nghoard_by_layer_total{name=\"mem\"} 3\n");
	has(&out, "\nghoard_cache_entries 12\n");
	has(&out, "\nghoard_connected_peers 0\n");
	has(&out, "\nghoard_build_info{version=\"1.0 \\\"x\\\\\"} 1\n");
	assert_int_equal(buf_data(&out)[buf_len(&out) - 1], '\n');
	buf_free(&out);
	struct report_gauges none = { .entries = -1, .bytes = -1, .connected_peers = -1 };
	report(m, &none, REPORT_PROMETHEUS, &out);
	check_exposition(buf_span(&out));
	assert_null(strstr(buf_cstr(&out), "ghoard_cache_entries"));
	buf_free(&out);
	metrics_free(m);
}

static void test_people(void **state)
{
	struct buf out;

	(void)state;
	struct metrics *m = counted();
	report(m, &gauges, REPORT_TEXT, &out);
	has(&out, "hit_rate                                 75.0 %\n");
	has(&out, "cache_dir                                /srv/u/.cache/a|b\n");
	has(&out, "route.other                              8\n");
	assert_null(strstr(buf_cstr(&out), "gc_runs"));
	buf_free(&out);
	report(m, &gauges, REPORT_MARKDOWN, &out);
	has(&out,
	    "| metric | value |\n|---|---|\n| total_requests | 200 |\n| total_hits | 150 |\n| hit_rate | "
	    "75.0 % |\n");
	has(&out, "| cache_dir | /srv/u/.cache/a&#124;b |\n");
	buf_free(&out);
	metrics_free(m);
	m = metrics_open(NULL);
	metrics_add(m, M_HIT_MEM, 3);
	metrics_add(m, M_REQUESTS, 2);
	report(m, &gauges, REPORT_TEXT, &out);
	has(&out, "hit_rate                                 100.0 %\n");
	buf_free(&out);
	metrics_free(m);
}

static void test_scans(void **state)
{
	struct metrics *m = counted();
	struct buf out;

	(void)state;
	report(m, &gauges, REPORT_JSON, &out);
	member_is(&out, "codeql_false_skip_rate", "null");
	buf_free(&out);
	metrics_add(m, M_CODEQL_HITS, 5);
	metrics_add(m, M_CODEQL_SAMPLED, 4);
	metrics_add(m, M_CODEQL_FALSE_SKIPS, 1);
	report(m, &gauges, REPORT_JSON, &out);
	member_is(&out, "codeql_scans", "5");
	member_is(&out, "codeql_false_skip_rate", "0.25");
	buf_free(&out);
	report(m, &gauges, REPORT_TEXT, &out);
	assert_true(span_find(buf_span(&out), "25.00 %") > 0);
	buf_free(&out);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_prometheus),
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_scans),
	};

	return cmocka_run_group_tests_name("metrics/report", tests, NULL, NULL);
}
