#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/hex.h"
#include "codeql/objid.h"

/* git hash-object --stdin, in repositories of both formats */
static const struct {
	enum objid_format format;
	const char *text, *id;
} cases[] = {
	{ OBJID_SHA1, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" },
	{ OBJID_SHA1, "hello\n", "ce013625030ba8dba906f756967f9e9ca394464a" },
	{ OBJID_SHA256, "", "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813" },
	{ OBJID_SHA256, "hello\n", "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4" },
};

static void test_known(void **state)
{
	char hex[OBJID_HEX_MAX];
	uint8_t id[OBJID_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = strlen(cases[i].text);

		memset(id, 0xff, sizeof(id));
		objid_blob(id, cases[i].format, guard_put(cases[i].text, n), n);
		hex_encode(hex, id, objid_len(cases[i].format));
		assert_string_equal(hex, cases[i].id);
		for (size_t j = objid_len(cases[i].format); j < OBJID_MAX; j++)
			assert_int_equal(id[j], 0);
	}
}

/* The number in the header, whatever its length: 10^k and one less. */
static void test_sizes(void **state)
{
	(void)state;
	for (uint64_t size = 1; size < 10000000000000000000u; size *= 10)
		for (uint64_t one = 0; one < 2; one++) {
			uint8_t ours[OBJID_MAX], want[OBJID_MAX];
			struct objid_hash h;
			char head[40];
			int n = snprintf(head, sizeof(head), "blob %llu", (unsigned long long)(size - one));

			objid_start(&h, OBJID_SHA1);
			objid_add(&h, head, (size_t)n + 1);
			objid_out(&h, want);
			objid_blob_start(&h, OBJID_SHA1, size - one);
			objid_out(&h, ours);
			assert_memory_equal(ours, want, OBJID_MAX);
		}
}

static void test_zero(void **state)
{
	uint8_t id[OBJID_MAX] = { 0 };

	(void)state;
	assert_true(objid_is_zero(id, OBJID_SHA256));
	id[SHA1_LEN] = 1;
	assert_true(objid_is_zero(id, OBJID_SHA1));
	assert_false(objid_is_zero(id, OBJID_SHA256));
	assert_string_equal(objid_name(OBJID_SHA1), "sha1");
	assert_string_equal(objid_name(OBJID_SHA256), "sha256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
