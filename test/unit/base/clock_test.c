#include <string.h>
#include <time.h>

#include "../guard.h"
#include "base/clock.h"
#include "base/str.h"
#include "cm.h"

static struct span guarded(const char *s)
{
	return span_make(guard_put(s, strlen(s)), strlen(s));
}

static void test_now(void **state)
{
	int64_t mono = clock_mono(), wall = clock_wall();

	(void)state;
	assert_true(wall / CLOCK_SEC - (int64_t)time(NULL) <= 1 &&
	    (int64_t)time(NULL) - wall / CLOCK_SEC <= 1);
	struct timespec ts = { 0, 5000000 };
	nanosleep(&ts, NULL);
	assert_in_range(clock_mono() - mono, 4, 2000);
	assert_in_range(clock_wall() - wall, 4000, 2000000);
}

static void test_http(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} table[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Sun Nov 16 08:49:37 1994", 784111777 + 10 * 86400 },
		{ "Sun, 22 Nov 2026 10:00:00 GMT", 1795341600 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
		{ "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		int64_t got = 12345;
		assert_true(clock_http_parse(guarded(table[i].text), &got));
		assert_int_equal(got, table[i].want);
		/* No shorter text is a date, and a longer one is none either. */
		for (size_t n = 0; n < strlen(table[i].text); n++)
			assert_false(clock_http_parse(span_make(guard_put(table[i].text, n), n), &got));
		char longer[64];
		snprintf(longer, sizeof longer, "%s ", table[i].text);
		assert_false(clock_http_parse(guarded(longer), &got));
	}
}

static void test_http_bad(void **state)
{
	static const char *const table[] = {
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 31 Jun 1994 08:49:37 GMT",
		"Sun, 00 Jun 1994 08:49:37 GMT",
		"Wed, 29 Feb 2023 00:00:00 GMT",
		"Thu, 29 Feb 1900 00:00:00 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun,06 Nov 1994 08:49:37 GMT",
		"Sun, 06-Nov-1994 08:49:37 GMT",
		"Sunday, 06 Nov 1994 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994",
		"Sun Nov 06 08:49:37 94",
		"0",
		"-1",
		"1994-11-06T08:49:37Z",
		"Sun, +6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT\n",
	};
	int64_t got = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (clock_http_parse(guarded(table[i]), &got))
			fail_msg("taken: %s", table[i]);
	assert_int_equal(got, 5);
}

/* RFC 850 has two digits: within 50 years ahead, else the last one past. */
static void test_two_digit_years(void **state)
{
	time_t t = time(NULL);
	int64_t year = 1900 + gmtime(&t)->tm_year, got, last;
	char text[64], out[CLOCK_RFC3339_LEN];

	(void)state;
	for (int64_t y = year - 49; y <= year + 50; y++) {
		snprintf(text, sizeof text, "Monday, 01-Jul-%02d 00:00:00 GMT", (int)(y % 100));
		assert_true(clock_http_parse(guarded(text), &got));
		clock_rfc3339(out, got * CLOCK_SEC);
		last = (out[0] - '0') * 1000 + (out[1] - '0') * 100 + (out[2] - '0') * 10 + (out[3] - '0');
		assert_int_equal(last, y);
	}
}

/* Each day of the years 1 to 2400 against the C library, there and back. */
static void test_calendar(void **state)
{
	char text[CLOCK_RFC3339_LEN], want[CLOCK_RFC3339_LEN];

	(void)state;
	for (int64_t day = -719162; day < 157054; day++) {
		int64_t got, s = day * 86400 + (day & 0xffff);
		time_t t = (time_t)s;
		const struct tm *tm = gmtime(&t);
		snprintf(want, sizeof want, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		    (unsigned)(tm->tm_year + 1900) % 10000, (unsigned)(tm->tm_mon + 1) % 100,
		    (unsigned)tm->tm_mday % 100, (unsigned)tm->tm_hour % 100, (unsigned)tm->tm_min % 100,
		    (unsigned)tm->tm_sec % 100);
		clock_rfc3339(text, s * CLOCK_SEC);
		if (strcmp(text, want) != 0)
			fail_msg("%s is not %s", text, want);
		assert_true(clock_rfc3339_parse(span_of(text), &got));
		assert_true(got == s * CLOCK_SEC);
	}
}

static void test_rfc3339(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} table[] = {
		{ "2026-11-22T10:00:00Z", 1795341600000000 },
		{ "2026-11-22t10:00:00z", 1795341600000000 },
		{ "2026-11-22T10:00:00.5Z", 1795341600500000 },
		{ "2026-11-22T10:00:00.123456789Z", 1795341600123456 },
		{ "2026-11-22T11:30:00+01:30", 1795341600000000 },
		{ "2026-11-22T08:30:00.000001-01:30", 1795341600000001 },
		{ "2026-11-22T10:00:00-00:00", 1795341600000000 },
		{ "0000-01-01T00:00:00Z", -62167219200000000 },
		{ "9999-12-31T23:59:59.999999Z", 253402300799999999 },
		{ "1969-12-31T23:59:59.9Z", -100000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		int64_t got = 12345;
		assert_true(clock_rfc3339_parse(guarded(table[i].text), &got));
		assert_true(got == table[i].want);
		for (size_t n = 0; n < strlen(table[i].text); n++)
			assert_false(clock_rfc3339_parse(span_make(guard_put(table[i].text, n), n), &got));
	}
}

static void test_rfc3339_bad(void **state)
{
	static const char *const table[] = {
		"2026-11-22 10:00:00Z",
		"2026-11-22T10:00:00",
		"2026-11-22T10:00Z",
		"2026-11-22T10:00:00.Z",
		"2026-13-22T10:00:00Z",
		"2026-02-29T10:00:00Z",
		"2026-11-22T10:00:00+0130",
		"2026-11-22T10:00:00+24:00",
		"2026-11-22T10:00:00+01:60",
		"2026-11-22T10:00:00Zx",
		"26-11-22T10:00:00Z",
		"2026-1-22T10:00:00Z",
		"+026-11-22T10:00:00Z",
		"2026-11-22T10:00:00,5Z",
		"2026-11-22",
		"1795341600",
	};
	int64_t got = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (clock_rfc3339_parse(guarded(table[i]), &got))
			fail_msg("taken: %s", table[i]);
	assert_int_equal(got, 5);
}

/* The last day of each month is one, the next is none. */
static void test_month_ends(void **state)
{
	static const unsigned ends[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	char text[64];
	int64_t got;

	(void)state;
	for (unsigned m = 1; m <= 12; m++)
		for (unsigned d = 0; d <= 40; d++) {
			snprintf(text, sizeof text, "2027-%02u-%02uT00:00:00Z", m, d);
			assert_int_equal(clock_rfc3339_parse(guarded(text), &got),
			    d >= 1 && d <= ends[m - 1]);
		}
	assert_true(clock_rfc3339_parse(guarded("2028-02-29T00:00:00Z"), &got));
	assert_false(clock_rfc3339_parse(guarded("2100-02-29T00:00:00Z"), &got));
	assert_false(clock_rfc3339_parse(guarded("2027-00-01T00:00:00Z"), &got));
}

static void test_rfc3339_clamped(void **state)
{
	char out[CLOCK_RFC3339_LEN];

	(void)state;
	clock_rfc3339(out, -1);
	assert_string_equal(out, "1969-12-31T23:59:59Z");
	clock_rfc3339(out, INT64_MAX);
	assert_string_equal(out, "9999-12-31T23:59:59Z");
	clock_rfc3339(out, INT64_MIN);
	assert_string_equal(out, "0000-01-01T00:00:00Z");
}

static void test_human(void **state)
{
	static const struct {
		int64_t s;
		const char *want;
	} table[] = {
		{ 0, "0 s" },
		{ -5, "0 s" },
		{ 59, "59 s" },
		{ 60, "1 min" },
		{ 243, "4 min 3 s" },
		{ 3600, "1 h" },
		{ 3659, "1 h" },
		{ 7500, "2 h 5 min" },
		{ 86400 * 3 + 4 * 3600 + 59, "3 d 4 h" },
		{ INT64_MAX, "106751991167300 d 15 h" },
	};
	char out[CLOCK_HUMAN_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		clock_human(out, table[i].s);
		assert_string_equal(out, table[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_http_bad),
		cmocka_unit_test(test_two_digit_years),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_rfc3339),
		cmocka_unit_test(test_rfc3339_bad),
		cmocka_unit_test(test_month_ends),
		cmocka_unit_test(test_rfc3339_clamped),
		cmocka_unit_test(test_human),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
