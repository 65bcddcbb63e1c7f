#include <string.h>

#include "../github/heads.h"
#include "../store/made.h"
#include "cache/deliver.h"
#include "cache/status.h"

static void field_is(const struct http_head *h, const char *name, const char *want)
{
	struct span v = http_field(h, name);

	if (want == NULL)
		assert_null(v.p);
	else if (!span_eq(v, want))
		fail_msg("%s is '%.*s', not '%s'", name, (int)v.n, v.p, want);
}

static void test_entry(void **state)
{
	static const struct cache_outcome hit = {
		.ttl = 9, .detail = "disk", .age = 291, .served_entry = true
	};
	static const struct cache_outcome odd = {
		.ttl = 9, .detail = "disk", .age = -5, .served_entry = true
	};
	struct entry_parts p = made_parts();
	struct entry *e = made(&p);
	struct delivery d;

	(void)state;
	deliver_entry(&d, e, &hit, NULL);
	assert_int_equal(d.head.status, 200);
	assert_int_equal(d.head.minor, 1);
	assert_true(span_eq(d.head.reason, "OK"));
	field_is(&d.head, "Content-Type", "application/json; charset=utf-8");
	field_is(&d.head, "ETag", "W/\"abc\"");
	field_is(&d.head, "Age", "291");
	field_is(&d.head, "X-From-Cache", "1");
	field_is(&d.head, "Cache-Status", "ghoard; hit; ttl=9; detail=disk");
	assert_int_equal(d.head.nfields, 5);
	deliver_entry(&d, e, &odd, NULL);		/* a clock that went back */
	field_is(&d.head, "Age", "0");
	entry_unref(e);
	p.status = 301;
	e = made(&p);
	deliver_entry(&d, e, &hit, NULL);
	assert_int_equal(d.head.status, 301);
	assert_true(span_eq(d.head.reason, "Moved Permanently"));
	entry_unref(e);
}

static void test_answer(void **state)
{
	static const struct cache_outcome miss = { .fwd = FWD_URI_MISS, .fwd_status = 404 };
	const struct http_head *h = head_of(404,
	    "Content-Type: application/json\r\nConnection: X-Hop, close\r\nKeep-Alive: timeout=5\r\n"
	    "Transfer-Encoding: chunked\r\nX-Hop: 1\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n"
	    "Proxy-Connection: x\r\nETag: \"x\"\r\nCache-Status: other; hit\r\nX-RateLimit-Remaining: 7\r\n");
	struct delivery d;

	(void)state;
	deliver_answer(&d, h, &miss);
	assert_int_equal(d.head.status, 404);
	assert_true(span_eq(d.head.reason, "Words"));
	field_is(&d.head, "content-type", "application/json");
	field_is(&d.head, "etag", "\"x\"");
	field_is(&d.head, "x-ratelimit-remaining", "7");
	field_is(&d.head, "cache-status", "other; hit");	/* an upstream's own stands first */
	assert_int_equal(http_field_count(&d.head, "cache-status"), 2);
	assert_true(span_eq(d.head.fields[d.head.nfields - 1].value, "ghoard; fwd=uri-miss; fwd-status=404"));
	/* RFC 9110 §7.6.1: what Connection names, and Connection itself, end here */
	field_is(&d.head, "x-hop", NULL);
	assert_int_equal(d.head.nfields, 5);
	field_is(&d.head, "age", NULL);
	field_is(&d.head, "x-from-cache", NULL);
}

static void test_length_goes(void **state)
{
	static const struct cache_outcome bypass = { .fwd = FWD_BYPASS };
	struct delivery d;

	(void)state;
	deliver_answer(&d, head_of(200, "Content-Length: 5\r\n"), &bypass);
	field_is(&d.head, "content-length", NULL);	/* framing is the server's */
	field_is(&d.head, "cache-status", "ghoard; fwd=bypass");
}

/* As many fields as a head may have: ours is among them all the same. */
static void test_full(void **state)
{
	static const struct cache_outcome bypass = { .fwd = FWD_BYPASS };
	static struct http_head h;
	struct delivery d;

	(void)state;
	h = (struct http_head){ .minor = 1, .status = 200, .nfields = HTTP_FIELDS_MAX };
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
		h.fields[i] = (struct http_field){ span_of("X"), span_of("1") };
	deliver_answer(&d, &h, &bypass);
	assert_int_equal(d.head.nfields, HTTP_FIELDS_MAX);
	field_is(&d.head, "cache-status", "ghoard; fwd=bypass");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_length_goes),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("cache/deliver", tests, NULL, NULL);
}
