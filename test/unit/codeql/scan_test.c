#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "codeql/scan.h"
#include "store/entry.h"

static struct scan made(void)
{
	struct scan s = { .repo = "o/r",
		.languages = "go,python",
		.tool = "CodeQL",
		.version = "2.25.6",
		.category = "c/",
		.event = "push",
		.ref = "refs/heads/main",
		.head_repo = "",
		.class = SCAN_FULL,
		.pinned = true,
		.started = 1763800000000000,
		.finished = 1763800600250000,
		.size = 99,
		.fields = { "{\"os\":\"Linux\"}", 14 } };

	memset(s.fingerprint, 'f', 64);
	memset(s.config, 'c', 64);
	memset(s.commit, 'a', 40);
	memset(s.origin, '0', 32);
	cid_of(s.cid, "x", 1);
	s.counts = (struct sarif_counts){ .results = 7,
		.level = { 1, 2, 3, 1 },
		.severity = { 3, 1, 1, 1, 1 },
		.digest = { 0x1122334455667788, 42 },
		.most = 7,
		.suppressed = 2 };
	return s;
}

static struct entry *entry_of(const struct scan *s, const struct ed25519_key *key)
{
	struct entry *e = NULL;
	struct err err;

	err_init(&err);
	assert_int_equal(scan_entry(s, false, 3600, "/x", key, &e, &err), 0);
	return e;
}

static struct entry *reparsed(struct span text)
{
	struct entry *e = NULL;
	struct buf b;

	buf_init(&b, ENTRY_FILE_MAX);
	buf_addspan(&b, text);
	return entry_parse(&b, &e, NULL) == 0 ? e : NULL;
}

static void test_round(void **state)
{
	struct scan s = made(), back;
	struct entry *e = entry_of(&s, NULL), *again;

	(void)state;
	again = reparsed(buf_span(&e->image));
	assert_non_null(again);
	assert_true(entry_cid_ok(again) && scan_parse(again, &back));
	assert_true(span_same(back.fields, s.fields));
	back.fields = s.fields;
	assert_memory_equal(back.repo, s.repo, sizeof(s.repo));
	assert_memory_equal(&back.counts.level, &s.counts.level, sizeof(s.counts.level));
	assert_memory_equal(back.counts.digest, s.counts.digest, sizeof(s.counts.digest));
	assert_int_equal(back.class, SCAN_FULL);
	assert_true(back.pinned && back.finished == s.finished && back.started == s.started);
	entry_unref(e);
	entry_unref(again);
}

/* Every byte of the file in turn: no changed one is still signed, unless what changed is not covered. */
static void test_signature(void **state)
{
	struct ed25519_key key, other;
	struct scan s = made();
	struct entry *e;
	struct buf image;
	size_t signed_still = 0, refused = 0;

	(void)state;
	ed25519_keygen(&key, (const uint8_t *)"0123456789abcdef0123456789abcdef");
	ed25519_keygen(&other, (const uint8_t *)"1123456789abcdef0123456789abcdef");
	e = entry_of(&s, &key);
	assert_true(scan_signed_by(e, (const uint8_t(*)[32]) & key.pub, 1));
	assert_false(scan_signed_by(e, (const uint8_t(*)[32]) & other.pub, 1));
	assert_false(scan_signed_by(e, NULL, 0));
	buf_init(&image, ENTRY_FILE_MAX);
	for (size_t i = 0; i < buf_len(&e->image); i++) {
		buf_clear(&image);
		buf_addspan(&image, buf_span(&e->image));
		buf_data(&image)[i] ^= 1;
		struct entry *bad = reparsed(buf_span(&image));
		if (bad != NULL && scan_signed_by(bad, (const uint8_t(*)[32]) & key.pub, 1))
			signed_still++;
		else
			refused++;
		entry_unref(bad);
	}
	/* content_hash, validation_fields, status, encoding and the names of such members say nothing here */
	assert_true(refused > 9 * signed_still);
	buf_free(&image);
	entry_unref(e);
}

/* An entry answers under the name that its own members give, and no other. */
static void test_names(void **state)
{
	char key[SCAN_KEY_MAX], label[SCAN_KEY_MAX], tag[32], tag2[32];
	struct scan s = made();

	(void)state;
	scan_key(&s, false, key);
	scan_key(&s, true, label);
	assert_true(span_starts(span_of(key), "codeql_tree:o/r:ffff") &&
	    span_ends(span_of(key), ":go,python"));
	assert_true(span_starts(span_of(label), "codeql:codeql_scan:o/r:aaaa"));
	scan_tag(&s, tag);
	assert_string_equal(tag, "full");
	s.class = SCAN_FORK;
	strcpy(s.head_repo, "m/f");
	scan_tag(&s, tag);
	strcpy(s.ref, "refs/pull/2/merge");
	scan_tag(&s, tag2);
	assert_true(tag[0] == 'f' && strlen(tag) == 15 && strcmp(tag, tag2) != 0);
}

static void expect_no_scan(struct entry *e)
{
	struct scan s;

	assert_false(scan_parse(e, &s));
	entry_unref(e);
}

static void test_what_lacks_something(void **state)
{
	static const size_t empty[] = { offsetof(struct scan, fingerprint), offsetof(struct scan, version),
		offsetof(struct scan, event), offsetof(struct scan, cid) };

	(void)state;
	for (size_t i = 0; i < COUNT(empty); i++) {
		struct scan s = made();
		((char *)&s)[empty[i]] = '\0';
		expect_no_scan(entry_of(&s, NULL));
	}
	struct scan s = made();
	s.started = s.finished + 1;
	expect_no_scan(entry_of(&s, NULL));
}

static void test_keys(void **state)
{
	static const char hex[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
	static const char pem[] =
	    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMc"
	    "rn9g\n-----END PRIVATE KEY-----\n";
	struct ed25519_key a, b, c;
	uint8_t pub[32];

	(void)state;
	assert_true(scan_private_key(span_of(hex), &a) && scan_private_key(span_of(pem), &b));
	assert_memory_equal(a.pub, b.pub, 32);
	assert_true(scan_private_key(span_of("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"), &c));
	assert_memory_equal(a.seed, c.seed, 32);
	assert_true(scan_public_key(span_of("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="),
	    pub));
	assert_int_equal(pub[0], 0x19);
	assert_false(scan_public_key(span_of(""), pub));
	assert_false(scan_public_key(span_of("nonsense"), pub));
	assert_false(scan_public_key(span_of(pem), pub));
	assert_false(scan_private_key(span_of("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="),
	    &a));
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_round),
		cmocka_unit_test(test_signature), cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_lacks_something), cmocka_unit_test(test_keys) };

	return cmocka_run_group_tests_name("codeql/scan", tests, NULL, NULL);
}
