#include "../base/cm.h"
#include "cache/status.h"

/* The forms of CLI.md, "Every answer carries Cache-Status". */
static const struct {
	struct cache_outcome o;
	const char *want;
} cases[] = {
	{ { .ttl = 287, .detail = "memory", .served_entry = true }, "ghoard; hit; ttl=287; detail=memory" },
	{ { .ttl = 0, .detail = "disk" }, "ghoard; hit; ttl=0; detail=disk" },
	{ { .ttl = -30, .detail = "offline" }, "ghoard; hit; ttl=-30; detail=offline" },
	{ { .ttl = -30, .detail = "rate-limited" }, "ghoard; hit; ttl=-30; detail=rate-limited" },
	{ { .fwd = FWD_URI_MISS, .fwd_status = 200, .stored = true },
	    "ghoard; fwd=uri-miss; fwd-status=200; stored" },
	{ { .fwd = FWD_URI_MISS, .fwd_status = 404 }, "ghoard; fwd=uri-miss; fwd-status=404" },
	{ { .fwd = FWD_VARY_MISS, .fwd_status = 200, .stored = true },
	    "ghoard; fwd=vary-miss; fwd-status=200; stored" },
	{ { .fwd = FWD_URI_MISS, .fwd_status = 304, .stored = true, .detail = "candidate" },
	    "ghoard; fwd=uri-miss; fwd-status=304; stored; detail=candidate" },
	{ { .fwd = FWD_STALE, .fwd_status = 304, .detail = "revalidated", .ttl = 5 },
	    "ghoard; fwd=stale; fwd-status=304; detail=revalidated" },
	{ { .fwd = FWD_REQUEST, .fwd_status = 304, .detail = "no-cache" },
	    "ghoard; fwd=request; fwd-status=304; detail=no-cache" },
	{ { .fwd = FWD_STALE, .fwd_status = 502, .detail = "stale-if-error" },
	    "ghoard; fwd=stale; fwd-status=502; detail=stale-if-error" },
	{ { .fwd = FWD_STALE, .detail = "stale-if-error" }, "ghoard; fwd=stale; detail=stale-if-error" },
	{ { .fwd = FWD_BYPASS, .fwd_status = 200 }, "ghoard; fwd=bypass" },
	{ { .fwd = FWD_METHOD, .fwd_status = 201 }, "ghoard; fwd=method" },
	{ { .ttl = INT64_MIN, .detail = "stale-while-revalidate" },
	    "ghoard; hit; ttl=-9223372036854775808; detail=stale-while-revalidate" },
};

static void test_text(void **state)
{
	char text[CACHE_STATUS_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		status_text(&cases[i].o, text);
		assert_string_equal(text, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text) };

	return cmocka_run_group_tests_name("cache/status", tests, NULL, NULL);
}
