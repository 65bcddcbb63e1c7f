#include <stdlib.h>

#include "../guard.h"
#include "../base/cm.h"
#include "base/buf.h"
#include "base/jscan.h"
#include "codeql/sarifscan.h"

/* What is left after the cuts. */
struct left {
	struct span text;
	bool *gone;
	struct buf log;
};

static int on_event(void *arg, const struct sarif_event *e, struct err *err)
{
	struct left *l = arg;

	(void)err;
	if (e->what != SARIF_CUT) {
		buf_addf(&l->log, "%d/%d ", e->what, e->ev);
		return 0;
	}
	assert_true(e->at < e->end && e->end <= l->text.n);
	for (uint64_t i = e->at; i < e->end; i++) {
		assert_false(l->gone[i]);
		l->gone[i] = true;
	}
	return 0;
}

static int scan(struct span text, size_t step, struct left *l, struct err *err)
{
	struct sarifscan *s = sarifscan_new(on_event, l);
	int rc = 0;

	err_init(err);
	l->text = text;
	l->gone = calloc(text.n + 1, sizeof(bool));
	buf_init(&l->log, 1 << 20);
	for (size_t at = 0; at < text.n && rc == 0; at += step) {
		size_t n = text.n - at < step ? text.n - at : step;
		rc = sarifscan_feed(s, guard_put(text.p + at, n), n, err);
	}
	if (rc == 0)
		rc = sarifscan_end(s, err);
	sarifscan_free(s);
	return rc;
}

static void left_free(struct left *l)
{
	free(l->gone);
	buf_free(&l->log);
}

static void expect_cut(const char *text, const char *want)
{
	for (size_t step = 1; step < 100; step += step < 8 ? 1 : 45) {
		struct left l;
		struct buf out;
		struct err err;
		assert_int_equal(scan(span_of(text), step, &l, &err), 0);
		buf_init(&out, 1 << 20);
		for (size_t i = 0; i < l.text.n; i++)
			if (!l.gone[i])
				buf_addc(&out, text[i]);
		assert_true(jscan_valid(buf_span(&out)));
		assert_string_equal(buf_cstr(&out), want);
		buf_free(&out);
		left_free(&l);
	}
}

#define PROPS(inside) "{\"runs\":[{\"properties\":{" inside "}}]}"
#define INVOCATION(inside) "{\"runs\":[{\"invocations\":[{" inside "}]}]}"

/* Wherever noise stands among its neighbours, what is left is JSON that lacks just it. */
static void test_cuts(void **state)
{
	(void)state;
	expect_cut(PROPS("\"jobRunUuid\":1"), PROPS(""));
	expect_cut(PROPS("\"a\":1,\"jobRunUuid\":{\"x\":[1]}"), PROPS("\"a\":1"));
	expect_cut(PROPS("\"jobRunUuid\":\"x\",\"a\":1"), PROPS("\"a\":1"));
	expect_cut(PROPS("\"a\":1,\"jobRunUuid\":2,\"b\":3"), PROPS("\"a\":1,\"b\":3"));
	expect_cut(INVOCATION("\"machine\":1,\"account\":2,\"processId\":3"), INVOCATION(""));
	expect_cut(INVOCATION("\"machine\":1,\"account\":2,\"x\":3"), INVOCATION("\"x\":3"));
	expect_cut(INVOCATION("\"x\":3,\"machine\":1,\"account\":2"), INVOCATION("\"x\":3"));
	expect_cut(INVOCATION("\"machine\":1,\"x\":3,\"account\":2,\"y\":{},\"stdin\":[]"),
	    INVOCATION("\"x\":3,\"y\":{}"));
	expect_cut("{ \"runs\" : [ { \"automationDetails\" : null , \"tool\" : { } } ] }",
	    "{ \"runs\" : [ { \"tool\" : { } } ] }");
	expect_cut("{\"runs\":[{\"tool\":{},\"results\":null}]}", "{\"runs\":[{\"tool\":{}}]}");
	expect_cut("{\"runs\":null}", "{}");
	expect_cut(PROPS("\"j\\u006fbRunUuid\":1"), PROPS(""));
	/* elsewhere the same names mean something else */
	expect_cut("{\"machine\":1,\"jobRunUuid\":2}", "{\"machine\":1,\"jobRunUuid\":2}");
	expect_cut("{\"x\":{\"runs\":[{\"properties\":{\"jobRunUuid\":1}}]}}",
	    "{\"x\":{\"runs\":[{\"properties\":{\"jobRunUuid\":1}}]}}");
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = { "", "[]", "1", "\"x\"", "null", "{\"runs\":{}}",
		"{\"runs\":[1]}", "{\"runs\":[null]}", "{\"runs\":[{\"tool\":[]}]}",
		"{\"runs\":[{\"results\":{}}]}", "{\"runs\":[{\"results\":[{\"ruleIndex\":\"1\"}]}]}",
		"{\"runs\":[],\"runs\":[]}", "{\"runs\":[],\"r\\u0075ns\":[]}", "{\"version\":1}",
		"{\"runs\":[{}]", "{\"a\":\"\xff\"}",
		"{\"runs\":[{\"invocations\":[{\"executionSuccessful\":\"no\"}]}]}" };

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		for (size_t step = 1; step < 60; step += 29) {
			struct left l;
			struct err err;
			assert_int_equal(scan(span_of(wrong[i]), step, &l, &err), ERR_DAMAGED);
			assert_true(err.msg[0] != '\0');
			left_free(&l);
		}
}

static void test_depth(void **state)
{
	struct buf text;
	struct left l;
	struct err err;

	(void)state;
	buf_init(&text, 1 << 16);
	for (int depth = JSCAN_DEPTH - 1; depth <= JSCAN_DEPTH; depth++) {
		buf_clear(&text);
		buf_adds(&text, "{\"runs\":[{\"x\":");
		for (int i = 3; i < depth + 1; i++)
			buf_addc(&text, '[');
		for (int i = 3; i < depth + 1; i++)
			buf_addc(&text, ']');
		buf_adds(&text, "}]}");
		assert_int_equal(scan(buf_span(&text), 7, &l, &err), depth < JSCAN_DEPTH ? 0 : ERR_DAMAGED);
		left_free(&l);
	}
	buf_free(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests_name("codeql/sarifscan", tests, NULL, NULL);
}
