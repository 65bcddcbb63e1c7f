#include <stdlib.h>

#include "../guard.h"
#include "../base/cm.h"
#include "base/err.h"
#include "codeql/tokens.h"

struct seen {
	struct tokens *t;
	struct buf log;
	int stop_after;
};

static int note(void *arg, enum jscan_event ev, struct span raw)
{
	struct seen *s = arg;

	buf_addf(&s->log, "%d %u-%u ", ev, (unsigned)s->t->scan.start, (unsigned)s->t->scan.end);
	if (raw.p == NULL)
		buf_adds(&s->log, "(long)");
	buf_addspan(&s->log, raw);
	buf_addc(&s->log, '\n');
	return --s->stop_after == 0 ? ERR_LIMIT : 0;
}

static int run(struct span text, size_t step, struct seen *s)
{
	struct tokens t;
	int rc = 0;

	tokens_init(&t);
	s->t = &t;
	buf_clear(&s->log);
	for (size_t at = 0; at < text.n && rc == 0; at += step) {
		size_t n = text.n - at < step ? text.n - at : step;
		rc = tokens_feed(&t, guard_put(text.p + at, n), n, note, s);
	}
	if (rc == 0)
		rc = tokens_end(&t, note, s);
	tokens_free(&t);
	return rc;
}

static void test_every_piece_size(void **state)
{
	static const char *const texts[] = {
		"{\"key\":\"value\",\"n\":[12345,-1.5e7,true,null,\"\\u00e4\\n\"]}", " [ \"\" , {} , [ ] ] ",
		"12345", "\"a\xc3\xa4\xf0\x9f\x8e\x89\"", "{\"a\":{\"b\":{\"c\":[\"deep\"]}}}"
	};
	struct seen whole = { .stop_after = -1 }, cut = { .stop_after = -1 };

	(void)state;
	buf_init(&whole.log, 65536);
	buf_init(&cut.log, 65536);
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(run(span_of(texts[i]), SIZE_MAX / 2, &whole), 0);
		for (size_t step = 1; step < 20; step++) {
			assert_int_equal(run(span_of(texts[i]), step, &cut), 0);
			assert_string_equal(buf_cstr(&cut.log), buf_cstr(&whole.log));
		}
	}
	buf_free(&whole.log);
	buf_free(&cut.log);
}

static void test_long_tokens_have_offsets_only(void **state)
{
	struct seen s = { .stop_after = -1 };
	struct buf text;

	(void)state;
	buf_init(&s.log, 1 << 20);
	buf_init(&text, 1 << 20);
	for (int over = 0; over < 2; over++) {
		buf_clear(&text);
		buf_adds(&text, "[\"");
		for (size_t i = 0; i < TOKENS_MAX - 2 + (size_t)over; i++)
			buf_addc(&text, 'x');
		buf_adds(&text, "\",1]");
		for (size_t step = 1000; step < 200000; step *= 3) {
			assert_int_equal(run(buf_span(&text), step, &s), 0);
			assert_int_equal(span_find(buf_span(&s.log), "(long)") >= 0, over);
			assert_true(span_find(buf_span(&s.log), "1\n") > 0);
		}
	}
	buf_free(&text);
	buf_free(&s.log);
}

static void test_errors(void **state)
{
	static const char *const wrong[] = { "", "{", "[1,]", "{\"a\" 1}", "\"\xff\"", "1 2" };
	struct seen s = { .stop_after = -1 };

	(void)state;
	buf_init(&s.log, 65536);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(run(span_of(wrong[i]), 3, &s), ERR_DAMAGED);
	s.stop_after = 2;
	assert_int_equal(run(span_of("[1,2,3]"), 1, &s), ERR_LIMIT);
	buf_free(&s.log);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_piece_size),
		cmocka_unit_test(test_long_tokens_have_offsets_only),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("codeql/tokens", tests, NULL, NULL);
}
