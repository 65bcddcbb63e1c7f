#include <stdio.h>
#include <string.h>

#include "../base/cm.h"
#include "base/wipe.h"
#include "github/identity.h"
#include "proxy/who.h"

static int setup(void **state)
{
	*state = who_new();
	return *state == NULL;
}

static int teardown(void **state)
{
	who_free(*state);
	return 0;
}

static struct who_ref *numbered(struct who *w, unsigned n)
{
	char text[48];

	snprintf(text, sizeof(text), "token ghp_%030u", n);
	return who_get(w, span_of(text));
}

/* Get many that are let go of at once. */
static void crowd(struct who *w, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		who_release(numbered(w, first + i));
}

static void is_the_identity(void **state)
{
	struct who_ref *r = who_get(*state, span_of("token abc"));
	struct identity want;

	assert_true(identity_init(&want, span_of("token abc")));
	assert_string_equal(who_identity(r)->tag, want.tag);
	assert_false(who_identity(r)->is_public);
	assert_memory_equal(identity_key(who_identity(r)), identity_key(&want), IDENTITY_KEY_LEN);
	identity_wipe(&want);
	who_release(r);
}

static void is_derived_once(void **state)
{
	struct who_ref *a = who_get(*state, span_of("token abc")), *b = who_get(*state, span_of("token abd"));
	struct who_ref *again = who_get(*state, span_of("token abc"));

	assert_ptr_equal(a, again);
	assert_ptr_not_equal(a, b);
	who_release(a);
	assert_string_not_equal(who_identity(again)->tag, who_identity(b)->tag);
	who_release(again);
	again = who_get(*state, span_of("token abc"));
	assert_ptr_equal(a, again);
	who_release(again);
	who_release(b);
	who_release(NULL);
}

/* One token in two spellings is one identity, with each its own value to be sent. */
static void keeps_spellings_apart(void **state)
{
	struct who_ref *a = who_get(*state, span_of("token abc")),
		       *b = who_get(*state, span_of("Bearer abc"));

	assert_ptr_not_equal(a, b);
	assert_string_equal(who_identity(a)->tag, who_identity(b)->tag);
	assert_memory_equal(who_identity(b)->authorization.bytes, "Bearer abc", 10);
	who_release(a);
	who_release(b);
}

static void knows_nobody(void **state)
{
	struct who_ref *a = who_get(*state, (struct span){ NULL, 0 });
	struct who_ref *b = who_get(*state, (struct span){ NULL, 0 });

	assert_true(who_identity(a)->is_public);
	assert_string_equal(who_identity(a)->tag, "public");
	assert_null(identity_key(who_identity(a)));
	assert_ptr_equal(a, b);
	who_release(a);
	who_release(b);
}

static void refuses_what_is_too_long(void **state)
{
	static char text[SECRET_MAX + 2];

	memset(text, 'x', SECRET_MAX + 1);
	assert_null(who_get(*state, span_of(text)));
	text[SECRET_MAX] = '\0';
	who_release(who_get(*state, span_of(text)));
}

/* However many come and go, whoever is used stays good, and what was used last stays known. */
static void keeps_what_is_used(void **state)
{
	struct who_ref *held[3 * WHO_MAX], *first = numbered(*state, 0);

	crowd(*state, 1000, 5 * WHO_MAX);
	assert_ptr_equal(numbered(*state, 0), first);
	who_release(first);
	for (unsigned i = 0; i < 3 * WHO_MAX; i++) {
		held[i] = numbered(*state, 5000 + i);
		assert_non_null(held[i]);
	}
	for (unsigned i = 0; i < 3 * WHO_MAX; i++) {
		char text[48];

		snprintf(text, sizeof(text), "token ghp_%030u", 5000 + i);
		assert_int_equal(who_identity(held[i])->authorization.len, strlen(text));
		assert_memory_equal(who_identity(held[i])->authorization.bytes, text, strlen(text));
	}
	for (unsigned i = 0; i < 3 * WHO_MAX; i++)
		who_release(held[i]);
	crowd(*state, 9000, WHO_MAX / 2);
	assert_ptr_equal(numbered(*state, 0), first);
	who_release(first);
	who_release(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_the_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(is_derived_once, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_spellings_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(knows_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_what_is_used, setup, teardown),
	};

	return cmocka_run_group_tests_name("proxy/who", tests, NULL, NULL);
}
