#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/cm.h"
#include "file.h"
#include "base/err.h"
#include "codeql/proof.h"

static char folder[] = "/tmp/ghoard-proof-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/d", folder);
	mkdir(path, 0700);
	put("a", " a\nb\n  \t\tc\n d");
	put("d/with space", "x\n");
	return 0;
}

static int teardown(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

#define AT(uri, line, prints)                                                                                \
	"{\"ruleId\":\"r\",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"" uri       \
	"\"},\"region\":{\"startLine\":" line "}}}]" prints "}"
#define HASH(hash) ",\"partialFingerprints\":{\"primaryLocationLineHash\":\"" hash "\"}"

/* 1 proven, 0 not; *checked and *filled how many. */
static int prove(const char *results, size_t *checked, size_t *filled, struct proof_fault *fault)
{
	struct proof *p = proof_new(folder, true);
	struct sarif_counts counts;
	struct proof_fill fill;
	struct sarif s;
	struct buf text;
	struct err err;
	int fd, rc;

	err_init(&err);
	buf_init(&text, 1 << 20);
	buf_addf(&text,
	    "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"T\"}},\"results\":[%s]}]}",
	    results);
	fd = file_of(buf_span(&text));
	assert_int_equal(sarif_read(fd, &s, NULL, NULL, &err), 0);
	assert_int_equal(sarifcount_walk(fd, &s, &counts, proof_add, p, &err), 0);
	memset(fault, 0, sizeof(*fault));
	rc = proof_run(p, fault, &err);
	*checked = proof_checked(p);
	*filled = 0;
	for (size_t i = 0; rc == 1 && proof_next(p, &i, &fill);)
		++*filled;
	proof_free(p);
	sarif_free(&s);
	buf_free(&text);
	close(fd);
	return rc;
}

static void expect(const char *results, int want, size_t want_checked, size_t want_filled, const char *said)
{
	size_t checked, filled;
	struct proof_fault fault;

	assert_int_equal(prove(results, &checked, &filled, &fault), want);
	if (want == 1) {
		assert_int_equal(checked, want_checked);
		assert_int_equal(filled, want_filled);
	} else {
		assert_non_null(strstr(fault.text, said));
	}
}

static void test_proof(void **state)
{
	(void)state;
	expect("", 1, 0, 0, "");
	expect(AT("a", "1", HASH("271789c17abda88f:1")) "," AT("a", "3", HASH("180aee12dab6264:1")), 1, 2, 0,
	    "");
	expect(AT("a", "3", HASH("180aee12dab6264:1")) "," AT("a", "1", "") "," AT("d/with%20space", "1", ""),
	    1, 1, 2, "");
	expect(AT("file://a", "1", HASH("271789c17abda88f:1")), 1, 1, 0, "");
	expect(AT("./d/../a", "1", HASH("271789c17abda88f:1")), 1, 1, 0, "");
	expect(AT("a", "2", HASH("271789c17abda88f:1")), 0, 0, 0, "54703d4cd895b18:1");
	expect(AT("a", "1", HASH("271789c17abda88f:2")), 0, 0, 0, "another fingerprint");
	expect(AT("a", "5", HASH("271789c17abda88f:1")), 0, 0, 0, "line that this file does not have");
	expect(AT("a", "1", HASH("x")), 0, 0, 0, "another fingerprint");
	expect(AT("none", "1", HASH("271789c17abda88f:1")), 0, 0, 0, "file that this tree does not have");
	expect(AT("../../etc/hostname", "1", HASH("271789c17abda88f:1")), 0, 0, 0, "does not have");
	expect(AT("/etc/hostname", "1", HASH("271789c17abda88f:1")), 0, 0, 0, "does not have");
	expect(AT("http://a", "1", HASH("271789c17abda88f:1")), 0, 0, 0, "does not have");
	expect(AT("%zz", "1", HASH("271789c17abda88f:1")), 0, 0, 0, "does not have");
	expect(AT("d", "1", HASH("271789c17abda88f:1")), 0, 0, 0, "does not have");
	/* what cannot be filled stays as it is */
	expect(AT("none", "1", "") "," AT("../x", "1", "") "," AT("a", "99", "") "," "{}", 1, 0, 0, "");
}

static void test_an_absolute_address_below_the_folder(void **state)
{
	char text[PATH_MAX];

	(void)state;
	snprintf(text, sizeof(text), AT("%s/a", "1", HASH("271789c17abda88f:1")), folder);
	expect(text, 1, 1, 0, "");
}

static void test_many_files_and_results(void **state)
{
	size_t checked, filled;
	struct proof_fault fault;
	char name[32];
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(name, "one\ntwo\n");
		buf_addf(&b, "%s" AT("f%d", "2", "") "," AT("f%d", "1", ""), i > 0 ? "," : "", i, i);
	}
	assert_int_equal(prove(buf_cstr(&b), &checked, &filled, &fault), 1);
	assert_int_equal(filled, 1400);
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_proof),
		cmocka_unit_test(test_an_absolute_address_below_the_folder),
		cmocka_unit_test(test_many_files_and_results) };

	return cmocka_run_group_tests_name("codeql/proof", tests, setup, teardown);
}
