#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "codeql/gitrefs.h"

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"
#define ID3 "3333333333333333333333333333333333333333"
#define LONG "4444444444444444444444444444444444444444444444444444444444444444"

static const char packed[] =
    "# pack-refs with: peeled fully-peeled sorted \n" ID1 " refs/heads/main\n" ID2 " refs/tags/v1\n^" ID3
    "\n" LONG " refs/heads/long\nnot a line\n" ID3 " refs/heads/last";

static bool find(const char *name, enum objid_format f, char out[static OBJID_HEX_MAX])
{
	out[0] = '\0';
	return gitrefs_packed(span_make(guard_put(packed, strlen(packed)), strlen(packed)), span_of(name), f,
	    out);
}

static void test_packed(void **state)
{
	char id[OBJID_HEX_MAX];

	(void)state;
	assert_true(find("refs/heads/main", OBJID_SHA1, id));
	assert_string_equal(id, ID1);
	assert_true(find("refs/tags/v1", OBJID_SHA1, id));
	assert_string_equal(id, ID2);
	assert_true(find("refs/heads/last", OBJID_SHA1, id));
	assert_string_equal(id, ID3);
	assert_true(find("refs/heads/long", OBJID_SHA256, id));
	assert_string_equal(id, LONG);
	assert_false(find("refs/heads/long", OBJID_SHA1, id));
	assert_false(find("refs/heads/main", OBJID_SHA256, id));
	assert_false(find("refs/heads/mai", OBJID_SHA1, id));
	assert_false(find("heads/main", OBJID_SHA1, id));
	assert_false(find("", OBJID_SHA1, id));
}

/* No repository: nothing is known, nothing is read. */
static void test_nothing(void **state)
{
	static struct gitrepo r;
	struct gitrefs_head h;

	(void)state;
	memset(&h, 0xff, sizeof(h));
	gitrefs_head(&r, &h);
	assert_string_equal(h.commit, "");
	assert_string_equal(h.ref, "");
	assert_false(h.reftable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
