#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/b64.h"
#include "base/hex.h"
#include "github/identity.h"

#define TOKEN "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
/* Python: HKDF-SHA256 of TOKEN, no salt, info "ghoard tag 1" and "ghoard entry 1" */
#define TAG "8271b4dae17e086771214e4ba632dd6a"
#define PROOF_KEY "9c20c7c3149a8857998f56ce2e6b291abcb7837dfbdf0637cc31c72790cf2cdc"

static struct span basic(struct buf *b, const char *pair)
{
	buf_init(b, 1000);
	buf_adds(b, "Basic ");
	b64_encode(b, pair, strlen(pair));
	return buf_span(b);
}

static void expect(struct span value, bool same)
{
	struct identity id;
	char hex[2 * IDENTITY_KEY_LEN + 1];

	assert_true(identity_init(&id, value));
	assert_false(id.is_public);
	assert_int_equal(strcmp(id.tag, TAG) == 0, same);
	assert_int_equal(strlen(id.tag), IDENTITY_TAG_LEN);
	assert_true(hex_is(span_of(id.tag), false));
	assert_ptr_equal(identity_key(&id), id.proof_key);
	hex_encode(hex, identity_key(&id), IDENTITY_KEY_LEN);
	assert_int_equal(strcmp(hex, PROOF_KEY) == 0, same);
	/* what was sent stays as it was, to the byte */
	assert_true(span_same(span_make(id.authorization.bytes, id.authorization.len), value));
	identity_wipe(&id);
}

static void test_one_token_in_three_spellings(void **state)
{
	struct buf b;

	(void)state;
	expect(span_of("token " TOKEN), true);
	expect(span_of("Bearer " TOKEN), true);
	expect(span_of("bearer " TOKEN), true);
	expect(span_of("TOKEN  " TOKEN), true);
	expect(basic(&b, "octo:" TOKEN), true);
	buf_free(&b);
	expect(basic(&b, "x-access-token:" TOKEN), true);
	buf_free(&b);
	expect(span_of("token " TOKEN "x"), false);
	expect(span_of("token ghp_0123456789abcdefghijklmnopqrstuvwxyZ"), false);
	expect(basic(&b, TOKEN ":"), false);
	buf_free(&b);
	expect(span_of("Basic !!"), false);
	expect(span_of("Bearer"), false);
}

/* `curl -u TOKEN:x-oauth-basic`: the token is the user's name, so the password must not stand for it. */
static void test_token_as_user_name(void **state)
{
	static const char *const words[] = { "x-oauth-basic", "x", "" };
	struct identity one, other;
	struct buf a, b;
	char pair[200];

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		snprintf(pair, sizeof(pair), TOKEN ":%s", words[i]);
		assert_true(identity_init(&one, basic(&a, pair)));
		snprintf(pair, sizeof(pair), "ghp_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz:%s", words[i]);
		assert_true(identity_init(&other, basic(&b, pair)));
		assert_string_not_equal(one.tag, other.tag);
		assert_memory_not_equal(one.proof_key, other.proof_key, IDENTITY_KEY_LEN);
		buf_free(&a);
		buf_free(&b);
		identity_wipe(&one);
		identity_wipe(&other);
	}
}

static void test_public(void **state)
{
	struct identity id;

	(void)state;
	assert_true(identity_init(&id, (struct span){ NULL, 0 }));
	assert_true(id.is_public);
	assert_string_equal(id.tag, "public");
	assert_null(identity_key(&id));
	assert_false(secret_is_set(&id.authorization));
	identity_wipe(&id);
}

static void test_length(void **state)
{
	static char long_value[SECRET_MAX + 2];
	struct identity id;

	(void)state;
	memset(long_value, 'x', sizeof(long_value));
	assert_false(identity_init(&id, span_make(long_value, SECRET_MAX + 1)));
	expect(span_make(long_value, SECRET_MAX), false);
	memcpy(long_value, "Basic ", 6);
	expect(span_make(long_value, SECRET_MAX - 2), false);
}

static void test_wipe(void **state)
{
	static const struct identity empty;
	struct identity id;

	(void)state;
	assert_true(identity_init(&id, span_of("token " TOKEN)));
	identity_wipe(&id);
	assert_memory_equal(&id, &empty, sizeof(id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_token_in_three_spellings),
		cmocka_unit_test(test_token_as_user_name),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
