#include <string.h>
#include <time.h>

#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cm.h"

static struct span guarded(const char *s)
{
	return span_make(guard_put(s, strlen(s)), strlen(s));
}

/* Rows as "key=value@line:column", with [item] where it is one, ! for quoted and ? for null. */
static void dump(const struct yaml_rows *y, struct buf *b)
{
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml_row *r = &y->rows[i];
		buf_adds(b, r->key);
		if (r->item != -2)
			buf_addf(b, "[%d]", r->item);
		buf_addf(b, "=%s%s%s@%u:%u\n", r->quoted ? "!" : "", r->null ? "?" : "", r->value, r->line,
		    r->column);
	}
}

static void expect(const char *text, const char *want)
{
	struct yaml_rows y;
	struct err e;
	struct buf b;

	err_init(&e);
	buf_init(&b, BUF_MAX_ANY);
	if (yaml_parse(guarded(text), "f.yml", &y, &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	dump(&y, &b);
	assert_string_equal(buf_cstr(&b), want);
	yaml_rows_free(&y);
	assert_null(y.rows);
	buf_free(&b);
}

static void refuse_span(struct span text, const char *why)
{
	struct yaml_rows y;
	struct err e;

	err_init(&e);
	assert_int_equal(yaml_parse(text, "f.yml", &y, &e), ERR_CONFIG);
	if (strcmp(e.msg, why) != 0)
		fail_msg("%.*s: %s, not %s", (int)(text.n < 99 ? text.n : 99), text.p, e.msg, why);
	assert_null(y.rows);
	assert_int_equal(y.n, 0);
}

static void refuse(const char *text, const char *why)
{
	refuse_span(guarded(text), why);
}

static void test_rows(void **state)
{
	(void)state;
	expect("cache:\n  max_size: 5000\n  dir: ~/x\np2p: true\n",
	    "cache.max_size=5000@2:3\ncache.dir=~/x@3:3\np2p=true@4:1\n");
	expect("a: {b: 1, c: {d: 2}, e: {}}\nf: x", "a.b=1@1:5\na.c.d=2@1:15\nf=x@2:1\n");
	expect("a:\n  - x\n  - 'y'\nb: [1, \"2\"]\nc: []\nd:\n- z\n",
	    "a[0]=x@2:5\na[1]=!y@3:5\nb[0]=1@4:5\nb[1]=!2@4:8\nc[-1]=@5:1\nd[0]=z@7:3\n");
	expect("# nothing\n", "");
	expect("", "");
	expect("---\n...\n", "");
	expect("~\n", "");
	expect("{}", "");
	expect("a.b: 1\n", "a.b=1@1:1\n");
	expect("\"quo ted\": 1\n", "quo ted=1@1:1\n");
	expect("\xef\xbb\xbf"
	       "a: 1\n",
	    "a=1@1:2\n");
	expect("a: \xe6\x9d\xb1 \xf0\x9f\x97\x9d\n", "a=\xe6\x9d\xb1 \xf0\x9f\x97\x9d@1:1\n");
	expect("a: 1 # why\r\nb: 2\r\n", "a=1@1:1\nb=2@2:1\n");
}

static void test_scalars(void **state)
{
	(void)state;
	expect("a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: 'null'\ng: ''\nh: \"~\"\ni: nULL\n",
	    "a=?@1:1\nb=?@2:1\nc=?@3:1\nd=?@4:1\ne=?@5:1\nf=!null@6:1\ng=!@7:1\nh=!~@8:1\ni=nULL@9:1\n");
	expect("a: [~, x, '']\n", "a[0]=?@1:5\na[1]=x@1:8\na[2]=!@1:11\n");
	expect("a: |\n  one\n  two\nb: >-\n  one\n  two\n", "a=!one\ntwo\n@1:1\nb=!one two@4:1\n");
	expect("a: one\n  two\n", "a=one two@1:1\n");
	expect("a: \"x\\ty\\u00e9\"\n", "a=!x\ty\xc3\xa9@1:1\n");
	expect("a: it's\n", "a=it's@1:1\n");
}

static void test_refused(void **state)
{
	(void)state;
	refuse("a: &x 1\n", "f.yml line 1 column 4: anchors are not supported");
	refuse("a: *x\n", "f.yml line 1 column 4: aliases are not supported");
	refuse("a: &x {b: 1}\n", "f.yml line 1 column 4: anchors are not supported");
	refuse("a: &x [1]\n", "f.yml line 1 column 4: anchors are not supported");
	refuse("&x a: 1\n", "f.yml line 1 column 1: anchors are not supported");
	refuse("a: !!int 1\n", "f.yml line 1 column 4: tags are not supported");
	refuse("a: ! 1\n", "f.yml line 1 column 4: tags are not supported");
	refuse("a: !x {}\n", "f.yml line 1 column 4: tags are not supported");
	refuse("!x a: 1\n", "f.yml line 1 column 1: tags are not supported");
	refuse("a:\n  <<: 1\n", "f.yml line 2 column 3: merge keys are not supported");
	refuse("a: 1\n---\nb: 2\n", "f.yml line 2 column 1: more than one document");
	refuse("a:\n  - b: 1\n", "f.yml line 2 column 5: a list may hold only plain values");
	refuse("a: [[1]]\n", "f.yml line 1 column 5: a list may hold only plain values");
	refuse("- a\n", "f.yml line 1 column 1: the file must hold keys with values");
	refuse("just text\n", "f.yml line 1 column 1: the file must hold keys with values");
	refuse("''\n", "f.yml line 1 column 1: the file must hold keys with values");
	refuse("[a]: 1\n", "f.yml line 1 column 1: a key must be a plain word");
	refuse("? {a: 1}\n: 1\n", "f.yml line 1 column 3: a key must be a plain word");
	refuse("'': 1\n", "f.yml line 1 column 1: an empty key");
	refuse("a: \"x\\0y\"\n", "f.yml line 1 column 4: a NUL character in a value");
	refuse("\"x\\0y\": 1\n", "f.yml line 1 column 1: a NUL character in a key");
}

static void test_duplicates(void **state)
{
	(void)state;
	refuse("a: 1\nb: 2\na: 3\n", "f.yml line 3 column 1: the key 'a' is there already, in line 1");
	refuse("a:\n  b: 1\na:\n  c: 1\n", "f.yml line 3 column 1: the key 'a' is there already, in line 1");
	refuse("a: {b: 1, b: 2}\n", "f.yml line 1 column 11: the key 'a.b' is there already, in line 1");
	refuse("a.b: 1\na:\n  b: 2\n", "f.yml line 3 column 3: the key 'a.b' is there already, in line 1");
	refuse("a: {}\n'a': {}\n", "f.yml line 2 column 1: the key 'a' is there already, in line 1");
	expect("a:\n  b: 1\nc:\n  b: 1\n", "a.b=1@2:3\nc.b=1@4:3\n");
}

static void test_syntax_errors(void **state)
{
	struct yaml_rows y;
	struct err e;

	(void)state;
	refuse("a: 1\n b: 2\n", "f.yml line 2 column 3: mapping values are not allowed in this context");
	refuse("a: [1\n", "f.yml line 2 column 1: did not find expected ',' or ']'");
	refuse("a: \"x\n", "f.yml line 2 column 1: found unexpected end of stream");
	refuse("a: \t@\n", "f.yml line 1 column 5: found character that cannot start any token");
	refuse("a: \xff\n", "f.yml byte 3: invalid leading UTF-8 octet");
	refuse("a: \xc3", "f.yml byte 3: incomplete UTF-8 octet sequence");
	refuse("a: \x01\n", "f.yml byte 3: control characters are not allowed");
	/* No guess at UTF-16. */
	refuse_span(span_make("\xff\xfe"
			      "a\0",
			4),
	    "f.yml byte 0: invalid leading UTF-8 octet");
	assert_int_equal(yaml_parse(guarded("["), "f", &y, NULL), ERR_CONFIG);
	err_init(&e);
	assert_int_equal(yaml_parse(guarded(": - x\n  y"), "f", &y, &e), ERR_CONFIG);
}

static void fill(struct buf *b, const char *first, const char *again, size_t size)
{
	buf_clear(b);
	buf_adds(b, first);
	while (buf_len(b) + strlen(again) <= size)
		buf_adds(b, again);
}

static void test_limits(void **state)
{
	struct yaml_rows y;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	fill(&b, "a: 1\n", "#", YAML_FILE_MAX);
	assert_int_equal(yaml_parse(buf_span(&b), "f", &y, NULL), 0);
	yaml_rows_free(&y);
	buf_addc(&b, '#');
	refuse_span(buf_span(&b), "f.yml: larger than 65536 bytes");
	buf_clear(&b);
	for (int i = 0; i < YAML_DEPTH - 1; i++)
		buf_adds(&b, "{a: ");
	buf_adds(&b, "{a: 1}");
	for (int i = 0; i < YAML_DEPTH - 1; i++)
		buf_addc(&b, '}');
	assert_int_equal(yaml_parse(buf_span(&b), "f", &y, NULL), 0);
	assert_int_equal(y.n, 1);
	assert_int_equal(strlen(y.rows[0].key), 31);
	yaml_rows_free(&y);
	fill(&b, "", "{a: ", 4 * (YAML_DEPTH + 1));
	refuse_span(buf_span(&b), "f.yml line 1 column 65: nested too deeply");
	fill(&b, "", "k", 255);
	buf_adds(&b, ": 1\n");
	assert_int_equal(yaml_parse(buf_span(&b), "f", &y, NULL), 0);
	yaml_rows_free(&y);
	fill(&b, "", "k", 256);
	buf_adds(&b, ": 1\n");
	refuse_span(buf_span(&b), "f.yml line 1 column 1: the key is too long");
	fill(&b, "", "k", 200);
	buf_adds(&b, ":\n  ");
	for (int i = 0; i < 55; i++)
		buf_addc(&b, 'k');
	buf_adds(&b, ": 1\n");
	refuse_span(buf_span(&b), "f.yml line 2 column 3: the key is too long");
	buf_free(&b);
}

/* 64 KiB of what is dear to libyaml. The slowest takes 18 ms, 65 under the sanitizers; quadratic, it would be
 * seconds. */
static void test_hostile(void **state)
{
	static const char *const again[] = {
		"[",
		"{",
		"- ",
		"? ",
		"[\n",
		"{\n",
		"a: [",
		"[{",
		"{a: ",
		"k: {",
		"[]: ",
		"\"\\\n",
		"a\n",
		"\n",
		"? a\n: b\n",
		"x\n: ",
		"[a,",
		"a: b\n",
		"'",
		"&a ",
		"!a ",
		"*a ",
		": ",
		"-\n",
		"|\n",
		"\t",
		"%a\n",
		"---\n",
		"a:\n ",
	};
	static const char *const first[] = { "", "a: [", "a: {" };
	struct yaml_rows y;
	struct buf b;

	(void)state;
	buf_init(&b, BUF_MAX_ANY);
	for (size_t i = 0; i < COUNT(again); i++)
		for (size_t k = 0; k < COUNT(first); k++) {
			struct timespec t0, t1;
			fill(&b, first[k], again[i], YAML_FILE_MAX);
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
			if (yaml_parse(buf_span(&b), "f", &y, NULL) == 0)
				yaml_rows_free(&y);
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
			long ms = (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000;
			if (ms > 400)
				fail_msg("%s and many %s: %ld ms", first[k], again[i], ms);
		}
	buf_free(&b);
}

static void test_every_prefix(void **state)
{
	static const char text[] =
	    "cache:\n  dir: \"a\\u00e9\"\n  list: [1, 'x', {]\nz: |\n \xe6\x9d\xb1\n? q\n: - 1\n";
	struct yaml_rows y;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		struct err e;
		err_init(&e);
		int r = yaml_parse(span_make(guard_put(text, n), n), "f", &y, &e);
		assert_true(r == 0 || (r == ERR_CONFIG && e.cls == r));
		if (r == 0)
			yaml_rows_free(&y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_syntax_errors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
