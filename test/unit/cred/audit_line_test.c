#include <string.h>

#include "../base/cm.h"
#include "base/jscan.h"
#include "cred/audit.h"
#include "cred/audit_line.h"

static struct audit a;
static struct audit_lines lines;

static int setup(void **state)
{
	(void)state;
	memset(&a, 0, sizeof(a));
	memset(a.key, 7, sizeof(a.key));
	memset(a.head, '0', AUDIT_MAC_HEX);
	audit_lines_init(&lines, &a, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	audit_lines_free(&lines);
	return 0;
}

static struct span put(const char *name, const char *details)
{
	struct audit_event e = { .action = "access_granted", .credential = span_of(name),
		.details = span_of(details) };
	size_t at = buf_len(&lines.out);

	audit_put_line(&a, &e, &lines);
	return span_sub(buf_span(&lines.out), at, buf_len(&lines.out) - at - 1);
}

/* Read again it is what went in, and its mac fits; the next one hangs on it. */
static void test_two(void **state)
{
	struct audit_line one, two;
	char first[AUDIT_MAC_HEX + 1];

	(void)state;
	assert_true(audit_parse(put("ONE", "\"how\": \"get\""), &one));
	assert_true(audit_mac_ok(&a, &one));
	assert_true(span_eq(one.credential, "\"ONE\""));
	assert_true(span_eq(one.details, "{\"how\": \"get\"}"));
	assert_int_equal(one.seq, 1);
	assert_null(one.store.p);
	strcpy(first, a.head);
	a.has_gen = true;
	a.gen = 3;
	a.high = 4;
	strcpy(a.sha, "ab");
	assert_true(audit_parse(put("TWO", ""), &two));
	assert_true(audit_mac_ok(&a, &two));
	assert_true(span_eq(two.prev, first));
	assert_true(span_eq(two.store, "[3, 4, \"ab\"]"));
	assert_true(span_eq(two.mac, a.head));
}

/* A line that tells of a write has no other's. */
static void test_tells_store(void **state)
{
	struct audit_event e = { .action = "store", .details = span_of("\"gen\": 5"), .tells_store = true };
	struct audit_line l;

	(void)state;
	a.has_gen = true;
	audit_put_line(&a, &e, &lines);
	assert_true(audit_parse(span_sub(buf_span(&lines.out), 0, buf_len(&lines.out) - 1), &l));
	assert_null(l.store.p);
}

/* Nothing in it is a command to a runner, wherever it stands, and the text says the same. */
static void test_neutral(void **state)
{
	static const char *const given[] = { "::set-env::", ":::", "::", "a##[group]b", "###[x", "##[", "##",
		"#[", ":a:", "##:[", "a::" };
	char name[64];
	struct audit_line l;

	(void)state;
	for (size_t i = 0; i < COUNT(given); i++) {
		struct span line = put(given[i], "");

		assert_int_equal(span_find(line, "::"), -1);
		assert_int_equal(span_find(line, "##["), -1);
		assert_true(audit_parse(line, &l));
		assert_true(audit_mac_ok(&a, &l));
		assert_true(jscan_str(l.credential, name, sizeof(name)));
		assert_string_equal(name, given[i]);
	}
}

static void test_too_long(void **state)
{
	static char long_name[AUDIT_LINE_MAX];

	(void)state;
	put("ONE", "");
	assert_false(lines.out.failed);
	memset(long_name, 'a', sizeof(long_name) - 1);
	/* of one that only its mac makes too long, too */
	for (size_t n = 3700; !lines.out.failed; n++) {
		struct audit_event e = { .action = "x", .credential = span_make(long_name, n) };

		buf_clear(&lines.out);
		audit_put_line(&a, &e, &lines);
		if (!lines.out.failed)
			assert_in_range(buf_len(&lines.out), 1, AUDIT_LINE_MAX);
		else
			assert_false(lines.plain.failed);
	}
	buf_clear(&lines.out);
	audit_put_line(&a, &(struct audit_event){ .action = "x", .credential = span_of(long_name) }, &lines);
	assert_true(lines.out.failed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_two), TEST(test_tells_store), TEST(test_neutral),
		TEST(test_too_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
