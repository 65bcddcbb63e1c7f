#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "base/hex.h"
#include "loop/loop.h"
#include "p2p/group.h"

/* Made with Python's hashlib.pbkdf2_hmac("sha256", secret, b"github-cache-p2p", 100000, 32). */
static const char secret[] = "a shared secret that is long enough to be one";
static const char derived[] = "ee1707565c86418d1b938b78e33ba767b04b48043c5ba790d1b68dce998b6200";

static void test_derive(void **state)
{
	char hex[2 * WIRE_GROUP_KEY_LEN + 1];
	uint8_t key[WIRE_GROUP_KEY_LEN];

	(void)state;
	group_derive(key, span_of(secret));
	hex_encode(hex, key, sizeof(key));
	assert_string_equal(hex, derived);
}

struct wait {
	char hex[2 * WIRE_GROUP_KEY_LEN + 1];
	bool done;
};

static void on_key(void *arg, const uint8_t *key, const struct err *err)
{
	struct wait *w = arg;

	assert_int_equal(err->cls, 0);
	hex_encode(w->hex, key, WIRE_GROUP_KEY_LEN);
	w->done = true;
}

static void test_derive_beside(void **state)
{
	struct wait w = { .done = false };
	struct group_job *job;
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(group_derive_start(loop, span_of(secret), on_key, &w, &job, NULL), 0);
	assert_false(w.done);
	assert_int_equal(loop_run(loop, &w.done, NULL), 0);
	assert_string_equal(w.hex, derived);
	loop_free(loop);
}

static void test_cancel(void **state)
{
	struct wait w = { .done = false };
	struct group_job *job;
	struct loop *loop;
	bool never = false;

	(void)state;
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(group_derive_start(loop, span_of(secret), on_key, &w, &job, NULL), 0);
	group_derive_cancel(job);
	assert_int_equal(loop_run(loop, &never, NULL), 0);	/* until nothing is held */
	assert_false(w.done);
	group_derive_cancel(NULL);
	loop_free(loop);
}

static void test_choose(void **state)
{
	static const struct {
		const char *shared, *gh, *github;
		bool token_based;
		enum group_choice choice;
		const char *secret;
	} cases[] = {
		{ "", "", "", true, GROUP_NONE, "" },
		{ secret, "ghp_x", "ghp_y", true, GROUP_SECRET, secret },
		{ secret, "ghp_x", "ghp_y", false, GROUP_SECRET, secret },
		{ "", "ghp_x", "ghp_y", true, GROUP_SECRET, "ghp_x" },
		{ "", "", "ghp_y", true, GROUP_SECRET, "ghp_y" },
		{ "", "ghp_x", "ghp_y", false, GROUP_NONE, "" },
		{ "", "ghs_x", "ghp_y", true, GROUP_JOB_TOKEN, NULL },
		{ "ghs_x", "", "", true, GROUP_WEAK, NULL },
		{ "ghs_0123456789012345678901234567890123", "", "", true, GROUP_JOB_TOKEN, NULL },
		{ "31 characters, which is too few.", "", "", true, GROUP_SECRET, NULL },
		{ "31 characters, which is too few", "ghp_x", "", true, GROUP_WEAK, NULL },
		{ "ghp_short", "", "", true, GROUP_WEAK, NULL },
		{ "github_pat_1", "", "", false, GROUP_WEAK, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span got;
		const char *why;

		assert_int_equal(group_choose(span_of(cases[i].shared), span_of(cases[i].gh),
		    span_of(cases[i].github), cases[i].token_based, &got, &why), cases[i].choice);
		if (cases[i].secret != NULL)
			assert_true(span_eq(got, cases[i].secret));
		if (cases[i].choice == GROUP_JOB_TOKEN || cases[i].choice == GROUP_WEAK)
			assert_non_null(strstr(why, "CACHE_P2P_SHARED_SECRET"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_derive),
		cmocka_unit_test(test_derive_beside),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_choose),
	};

	return cmocka_run_group_tests_name("p2p/group", tests, NULL, NULL);
}
