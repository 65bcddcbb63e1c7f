#include "github/ratelimit.h"
#include "heads.h"

#define NOW 1795353600		/* Sun, 22 Nov 2026 13:20:00 GMT */
#define NONE "X-RateLimit-Remaining: 0\r\n"
#define SOME "X-RateLimit-Remaining: 17\r\n"
#define RESET "X-RateLimit-Reset: 1795353900\r\n"

static void test_read(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_read(head_of(200,
			   "x-ratelimit-limit: 5000\r\nX-RateLimit-Remaining: 4999\r\nX-RateLimit-Used: 1\r\n"
			   "X-RateLimit-Reset: 1795353900\r\nX-RateLimit-Resource: search\r\n"),
	    &r);
	assert_true(r.known);
	assert_int_equal(r.limit, 5000);
	assert_int_equal(r.remaining, 4999);
	assert_int_equal(r.used, 1);
	assert_int_equal(r.reset, 1795353900);
	assert_string_equal(r.resource, "search");
}

static void test_read_little(void **state)
{
	static const char *const unknown[] = { "", SOME, RESET, "X-RateLimit-Remaining: -1\r\n" RESET,
		"X-RateLimit-Remaining: \r\n" RESET, SOME "X-RateLimit-Reset: soon\r\n",
		SOME "X-RateLimit-Reset: 99999999999999999999\r\n" };
	struct ratelimit r;

	(void)state;
	ratelimit_read(head_of(200, SOME RESET), &r);
	assert_true(r.known);
	assert_string_equal(r.resource, "core");
	for (size_t i = 0; i < COUNT(unknown); i++) {
		ratelimit_read(head_of(200, unknown[i]), &r);
		assert_false(r.known);
	}
	/* a name longer than there is room for */
	ratelimit_read(head_of(200,
			   SOME RESET "X-RateLimit-Resource: a_name_that_is_longer_than_32_bytes_\r\n"),
	    &r);
	assert_true(r.known && strlen(r.resource) < RATELIMIT_RESOURCE_MAX);
}

/* wait: 0 no limit, else in seconds */
static const struct {
	int status;
	const char *fields, *body;
	int64_t wait;
} limits[] = {
	{ 429, "", "", 60 },
	{ 429, "Retry-After: 30\r\n", "", 30 },
	{ 429, "Retry-After: Sun, 22 Nov 2026 13:21:40 GMT\r\n", "", 100 },
	{ 429, "Retry-After: soon\r\n", "", 60 },
	{ 429, SOME RESET, "", 60 },
	{ 403, "", "{\"message\":\"Resource not accessible by integration\"}", 0 },
	{ 403, SOME RESET, "", 0 },
	{ 403, "Retry-After: 45\r\n" SOME RESET, "", 45 },
	{ 403, "Retry-After: 45\r\n" NONE RESET, "", 45 },
	{ 403, NONE, "", 60 },
	{ 403, SOME RESET, "{\"message\":\"You have exceeded a secondary rate limit. Please wait\"}", 60 },
	{ 403, "Retry-After: soon\r\n" SOME RESET, "", 0 },
	{ 200, NONE RESET, "", 0 },
	{ 404, NONE RESET "Retry-After: 5\r\n", "", 0 },
	{ 401, NONE RESET, "", 0 },
	{ 503, "Retry-After: 5\r\n", "secondary rate limit", 0 }
};

static void test_is_limit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		int64_t wait = -1;
		bool yes = ratelimit_is_limit(head_of(limits[i].status, limits[i].fields),
		    span_of(limits[i].body), NOW, &wait);

		assert_int_equal(yes, limits[i].wait > 0);
		if (yes)
			assert_int_equal(wait, limits[i].wait);
	}
}

/* Until the reset; a second more, since the reset is told in whole seconds. */
static void test_until_the_reset(void **state)
{
	int64_t wait;

	(void)state;
	for (int status = 403; status <= 429; status += 26) {
		assert_true(ratelimit_is_limit(head_of(status, NONE RESET), span_of(""), NOW, &wait));
		assert_in_range(wait, 300, 301);
	}
	assert_true(ratelimit_is_limit(head_of(403, NONE RESET), span_of(""), NOW + 1000, &wait));
	assert_in_range(wait, 0, 1);
	assert_true(ratelimit_is_limit(head_of(403, "Retry-After: Sun, 22 Nov 2026 13:20:00 GMT\r\n"),
	    span_of(""), NOW + 9, &wait));
	assert_int_equal(wait, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_little),
		cmocka_unit_test(test_is_limit),
		cmocka_unit_test(test_until_the_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
