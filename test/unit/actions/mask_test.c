#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "actions/mask.h"
#include "base/b64.h"
#include "base/buf.h"

static struct buf out, scratch;

static const char *masks(const char *value, size_t n)
{
	buf_free(&out);
	buf_free(&scratch);
	buf_init(&out, MASK_ROOM(n));
	buf_init(&scratch, MASK_SCRATCH(n));
	mask_write(span_make(guard_put(value, n), n), &scratch, &out);
	assert_false(out.failed);
	assert_int_equal(buf_len(&scratch), 0);
	return buf_cstr(&out);
}

static void test_whole(void **state)
{
	(void)state;
	assert_string_equal(masks("abc", 3), "::add-mask::abc\n");
	assert_string_equal(masks("", 0), "");
	assert_string_equal(masks(" \n\t", 3), "");
	assert_non_null(strstr(masks("50%\r\nnext", 9), "::add-mask::50%25%0D%0Anext\n"));
}

/* Lines of 4 characters or more, trimmed. */
static void test_lines(void **state)
{
	const char *got = masks("  first \nabc\r\nsecond", 20);

	(void)state;
	assert_non_null(strstr(got, "::add-mask::first\n"));
	assert_non_null(strstr(got, "::add-mask::second\n"));
	assert_null(strstr(got, "::add-mask::abc\n"));
}

static void test_base64(void **state)
{
	/* "secret!" + newline is c2VjcmV0IQo=, and the runner knows c2VjcmV0IQ== */
	const char *got = masks("secret!", 7);

	(void)state;
	assert_non_null(strstr(got, "::add-mask::c2VjcmV0I\n"));
	/* nothing to trim where the length is a multiple of three */
	assert_null(strstr(masks("secret", 6), "c2VjcmV0\n"));
	got = masks("\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf", 8);
	assert_non_null(strstr(got, "w7_Dv8O_w7"));
}

static void keep(void *arg, struct span form)
{
	buf_addspan(arg, form);
	buf_addc(arg, '\n');
}

static const char *forms(const char *value, size_t n)
{
	buf_free(&out);
	buf_free(&scratch);
	buf_init(&out, MASK_ROOM(n));
	buf_init(&scratch, MASK_SCRATCH(n));
	mask_forms(span_make(guard_put(value, n), n), &scratch, keep, &out);
	assert_false(out.failed || scratch.failed);
	assert_int_equal(buf_len(&scratch), 0);
	return buf_cstr(&out);
}

/* What the runner makes itself, and our own filter must. */
static void test_forms(void **state)
{
	static char most[4096];

	(void)state;
	assert_string_equal(forms("secret", 6), "c2VjcmV0\nZWNyZX\nY3Jld\n");
	assert_non_null(strstr(forms("a \"b/c\\d", 8), "\na \\\"b/c\\\\d\n"));
	assert_non_null(strstr(buf_cstr(&out), "\na%20%22b%2Fc%5Cd\n"));
	assert_non_null(strstr(buf_cstr(&out), "\na%20%22b%2fc%5cd\n"));
	assert_non_null(strstr(buf_cstr(&out), "\na%20%22b/c%5Cd\n"));
	assert_non_null(strstr(buf_cstr(&out), "\na+%22b%2Fc%5Cd\n"));
	assert_non_null(strstr(forms("(it's)!", 7), "\n%28it%27s%29%21\n"));
	assert_non_null(strstr(forms("\xc3\xa4xyz", 5), "\n\\u00e4xyz\n"));
	assert_string_equal(forms("", 0), "");
	/* the room is enough for the worst */
	memset(most, 1, sizeof(most));
	forms(most, sizeof(most));
	memset(most, 0xff, sizeof(most));
	forms(most, sizeof(most));
}

static void test_leaves(void **state)
{
	static const char json[] =
	    "{\"key-name\": \"leaf one\", \"n\": [\"x\\\"y\\u0041zz\", 12345, true], \"s\": \"abc\"}";
	const char *got = masks(json, sizeof(json) - 1);

	(void)state;
	assert_non_null(strstr(got, "::add-mask::leaf one\n"));
	assert_non_null(strstr(got, "::add-mask::x\"yAzz\n"));
	assert_null(strstr(got, "::add-mask::key-name\n"));
	assert_null(strstr(got, "::add-mask::abc\n"));
}

/* The room that is promised is enough, for the worst values. */
static void test_room(void **state)
{
	static char value[20000];

	(void)state;
	for (size_t n = 0; n < 300; n++) {
		for (int fill = 0; fill < 5; fill++) {
			for (size_t i = 0; i < n; i++)
				value[i] = "%\n>~?"[fill] == '\n' ? "ab%c\n"[i % 5] : "%\n>~?"[fill];
			masks(value, n);
		}
	}
	value[0] = '[';
	for (size_t i = 1; i + 8 < sizeof(value); i += 7)
		memcpy(value + i, "\"%%%%\",", 7);
	memcpy(value + 1 + 7 * 2000, "1]", 2);
	masks(value, 1 + 7 * 2000 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_forms), cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_room) };
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&out);
	buf_free(&scratch);
	return rc;
}
