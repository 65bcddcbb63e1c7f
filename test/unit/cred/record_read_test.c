#include <inttypes.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "cred/record.h"

static const uint8_t key[RECORD_KEY_LEN] = { 1, 2, 3 };
static struct recordset set;

static int parse(const char *text)
{
	size_t n = strlen(text);
	struct err err;

	recordset_free(&set);
	err_init(&err);
	return recordset_parse(&set, span_make(guard_put(text, n), n), key, &err);
}

#define MEMBERS \
	"\"encrypted_value\": \"AA==\", \"scope\": \"global\", \"scope_filter\": null, " \
	"\"created_at\": 1.5, \"expires_at\": null"
#define RECORD "{\"name\": \"A\", " MEMBERS

static void expect_bad(const char *text, const char *why)
{
	assert_int_equal(parse(text), 0);
	assert_int_equal(set.n, 1);
	assert_int_equal(set.list[0].state, RECORD_BAD);
	if (strstr(set.list[0].why, why) == NULL)
		fail_msg("%s: %s", text, set.list[0].why);
	assert_true(span_eq(set.list[0].name, "A"));
}

static void test_records(void **state)
{
	(void)state;
	assert_int_equal(parse(" {} "), 0);
	assert_int_equal(set.n, 0);
	assert_int_equal(parse("{\"A\": " RECORD "}, \"B\": " RECORD ", \"access_count\": 7}}"), 0);
	assert_int_equal(set.n, 2);
	assert_int_equal(set.list[0].state, RECORD_UNBOUND);
	assert_int_equal(set.list[0].created, 1500000);
	assert_int_equal(set.list[1].count, 7);
	/* the reference looks up by the key */
	assert_true(span_eq(set.list[1].name, "B"));
	assert_true(span_eq(set.list[1].raw, RECORD ", \"access_count\": 7}"));
	assert_int_equal(parse("{\"A\\u0042\": " RECORD "}}"), 0);
	assert_true(span_eq(set.list[0].key, "AB"));
}

/* One bad record leaves the others. */
static void test_bad_records(void **state)
{
	(void)state;
	expect_bad("{\"A\": 1}", "no object");
	expect_bad("{\"A\": [{}]}", "no object");
	expect_bad("{\"A\": {}}", "missing");
	expect_bad("{\"A\": " RECORD ", \"more\": {\"name\": 1}}}", "nine");
	expect_bad("{\"A\": " RECORD ", \"name\": \"A\"}}", "twice");
	expect_bad("{\"A\": " RECORD ", \"metadata\": {}, \"metadata\": {}}}", "twice");
	expect_bad("{\"A\": " RECORD ", \"metadata\": []}}", "metadata is no object");
	expect_bad("{\"A\": " RECORD ", \"metadata\": {\"ghoard\": 1}}}", "as ghoard writes");
	expect_bad("{\"A\": " RECORD ", \"metadata\": {\"ghoard\": {\"v\": 1}}}}", "as ghoard writes");
	expect_bad("{\"A\": " RECORD ", \"metadata\": {\"ghoard\": {\"v\": 1, \"gen\": 1, \"mac\": \"\", "
		   "\"fix\": \"\", \"prev\": 1}}}}",
	    "as ghoard writes");
	assert_int_equal(parse("{\"A\": 1, \"B\": " RECORD "}}"), 0);
	assert_int_equal(set.list[1].state, RECORD_UNBOUND);
}

static void test_no_json(void **state)
{
	static const char *const texts[] = { "", "1", "[]", "{", "{\"A\"}", "{\"A\": " RECORD, "{} {}",
		"{\"A\": " RECORD "}", "{\"A\": " RECORD "}} x",
		"{\"A\": {\"metadata\": {\"ghoard\": {}]}}" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		if (parse(texts[i]) != ERR_DAMAGED)
			fail_msg("%s", texts[i]);
}

/* What is bound reads back bound: all of it, at any time that can be written, and with another's metadata. */
static void test_bound(void **state)
{
	static const int64_t times[] = { 0, -1, 1, 1795412843003405, 2250000000000001, 4102444800123457,
		8999999999999999, RECORD_NEVER };
	struct buf text;

	(void)state;
	buf_init(&text, 65536);
	for (size_t i = 0; i < COUNT(times); i++) {
		assert_int_equal(parse("{\"A\": " RECORD ", \"metadata\": {\"theirs\": [1]}}}"), 0);
		set.list[0].expires = times[i];
		set.list[0].created = times[i] == RECORD_NEVER ? 5 : times[i];
		set.list[0].created_text = set.list[0].expires_text = span_make(NULL, 0);
		set.list[0].prev.value = span_of("AAAA");
		set.list[0].prev.created = set.list[0].prev.until = set.list[0].created;
		record_bind(&set, &set.list[0], 3, key);
		buf_clear(&text);
		assert_int_equal(recordset_print(&set, &text, NULL), 0);
		assert_int_equal(parse(buf_cstr(&text)), 0);
		if (set.list[0].state != RECORD_BOUND || set.list[0].expires != times[i])
			fail_msg("%" PRId64 ": %" PRId64 " %s", times[i], set.list[0].expires,
			    buf_cstr(&text));
		assert_true(span_find(set.list[0].metadata, "\"theirs\": [1]") > 0);
		assert_int_equal(set.list[0].gen, 3);
		assert_true(span_eq(set.list[0].prev.value, "AAAA"));
	}
	buf_free(&text);
}

/* Any JSON number, as Python writes them. */
static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} table[] = { { "1", 1000000 }, { "1.0", 1000000 }, { "1.25", 1250000 }, { "-1.5", -1500000 },
		{ "1e3", 1000000000 }, { "1.7954128430034051e9", 1795412843003405 },
		{ "1795412843.0034051", 1795412843003405 }, { "1795412843.0034058", 1795412843003406 } };
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		snprintf(text, sizeof(text), "{\"A\": %s, \"last_accessed\": null}}", RECORD);
		char *at = strstr(text, "1.5"), rest[512];

		strcpy(rest, at + 3);
		strcpy(at, table[i].text);
		strcat(text, rest);
		assert_int_equal(parse(text), 0);
		if (set.list[0].created != table[i].us)
			fail_msg("%s: %" PRId64, table[i].text, set.list[0].created);
	}
	expect_bad("{\"A\": {\"name\": \"A\", \"encrypted_value\": \"\", \"scope\": \"global\", "
		   "\"scope_filter\": null, \"created_at\": 9000000000.5, \"expires_at\": null}}",
	    "time");
}

static int end(void **state)
{
	(void)state;
	recordset_free(&set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_records),
		cmocka_unit_test(test_bad_records), cmocka_unit_test(test_no_json),
		cmocka_unit_test(test_bound), cmocka_unit_test(test_times) };

	return cmocka_run_group_tests(tests, NULL, end);
}
