#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "crypto/cid.h"

/* The first three by an independent script, the last by the Python reference (its hash of validation fields).
 */
static const struct {
	const char *text, *cid;
} cases[] = {
	{ "", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku" },
	{ "hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e" },
	{ "abc", "bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu" },
	{ "{\"pushedAt\": null, \"updatedAt\": \"2026-11-01T00:00:00Z\"}",
	  "bafkreigzmj7254yzs4amicttimlfxadq62w25u3xnu4ljgl3l2fm2schzy" }
};

static struct span guarded(const char *text)
{
	return span_make(guard_put(text, strlen(text)), strlen(text));
}

static void test_known(void **state)
{
	char cid[CID_TEXT_LEN + 1];
	uint8_t digest[SHA256_LEN], back[SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cid_of(cid, cases[i].text, strlen(cases[i].text));
		assert_string_equal(cid, cases[i].cid);
		hash_sha256(digest, cases[i].text, strlen(cases[i].text));
		cid_text(cid, digest);
		assert_string_equal(cid, cases[i].cid);
		assert_true(cid_parse(guarded(cid), back));
		assert_memory_equal(back, digest, SHA256_LEN);
	}
}

static void test_not_of_this_kind(void **state)
{
	static const char *const bad[] = { "", "b", "bafkrei",
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk",	/* short */
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykua", /* long */
		"BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
		"bAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykU",
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv", /* an unused bit is set */
		"bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", /* dag-pb */
		"zafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk1",
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk=",
		"QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n" };
	uint8_t digest[SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(cid_parse(guarded(bad[i]), digest));
}

/* One CID is written in one way: no other character anywhere gives the same digest. */
static void test_one_spelling(void **state)
{
	uint8_t digest[SHA256_LEN], other[SHA256_LEN];
	char cid[CID_TEXT_LEN + 1];

	(void)state;
	hash_sha256(digest, "abc", 3);
	for (size_t i = 0; i < CID_TEXT_LEN; i++)
		for (int c = 0; c < 256; c++) {
			cid_text(cid, digest);
			if (cid[i] == (char)c)
				continue;
			cid[i] = (char)c;
			if (cid_parse(span_make(cid, CID_TEXT_LEN), other))
				assert_memory_not_equal(other, digest, SHA256_LEN);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_not_of_this_kind),
		cmocka_unit_test(test_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
