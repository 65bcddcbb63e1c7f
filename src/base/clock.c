#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

static int64_t now(clockid_t id, int64_t per_second)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0;
	return (int64_t)ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

int64_t clock_mono(void)
{
	return now(CLOCK_MONOTONIC, 1000);
}

int64_t clock_wall(void)
{
	return now(CLOCK_REALTIME, CLOCK_SEC);
}

/* Broken-down UTC, as it is written: month and day from 1. */
struct civil {
	int64_t year;
	unsigned month, day, hour, min, sec;
};

/*
 * Proleptic Gregorian days since 1970-01-01. Years are counted from March, so that the leap day is the last
 * of its year and the months before a given one have (153 m + 2) / 5 days; 400 years have 146097. Own
 * arithmetic, because timegm is not POSIX and strptime asks the locale.
 */
static int64_t days_of(const struct civil *c)
{
	int64_t y = c->year - (c->month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * ((int64_t)c->month + (c->month > 2 ? -3 : 9)) + 2) / 5 + c->day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_of(int64_t days, struct civil *c)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t m = (5 * doy + 2) / 153;

	c->day = (unsigned)(doy - (153 * m + 2) / 5 + 1);
	c->month = (unsigned)(m < 10 ? m + 3 : m - 9);
	c->year = yoe + era * 400 + (c->month <= 2);
}

static bool leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static bool to_seconds(const struct civil *c, int64_t *out)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (c->month < 1 || c->month > 12 || c->hour > 23 || c->min > 59 || c->sec > 60)
		return false;
	unsigned last = c->month == 2 && leap(c->year) ? 29 : days[c->month - 1];
	if (c->day < 1 || c->day > last)
		return false;
	*out = days_of(c) * 86400 + (int64_t)c->hour * 3600 + (int64_t)c->min * 60 + c->sec;
	return true;
}

/* A reader that stops for good at the first thing that does not fit. */
struct cursor {
	struct span rest;
	bool bad;
};

static void want(struct cursor *c, const char *text)
{
	if (c->bad || !span_starts(c->rest, text))
		c->bad = true;
	else
		c->rest = span_sub(c->rest, strlen(text), c->rest.n);
}

static unsigned digits(struct cursor *c, size_t n)
{
	uint64_t v = 0;

	if (c->bad || c->rest.n < n || !span_u64(span_sub(c->rest, 0, n), 9999, &v))
		c->bad = true;
	else
		c->rest = span_sub(c->rest, n, c->rest.n);
	return (unsigned)v;
}

/* Which of `count` names stands next; from 1. */
static unsigned name(struct cursor *c, const char *const *names, unsigned count)
{
	for (unsigned i = 0; !c->bad && i < count; i++)
		if (span_starts(c->rest, names[i])) {
			want(c, names[i]);
			return i + 1;
		}
	c->bad = true;
	return 0;
}

static unsigned month(struct cursor *c)
{
	static const char *const names[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};

	return name(c, names, 12);
}

static void time_of_day(struct cursor *c, struct civil *t)
{
	t->hour = digits(c, 2);
	want(c, ":");
	t->min = digits(c, 2);
	want(c, ":");
	t->sec = digits(c, 2);
}

/* Fri, 06 Nov 2026 08:49:37 GMT, after the comma */
static void imf_fixdate(struct cursor *c, struct civil *t)
{
	want(c, " ");
	t->day = digits(c, 2);
	want(c, " ");
	t->month = month(c);
	want(c, " ");
	t->year = digits(c, 4);
	want(c, " ");
	time_of_day(c, t);
	want(c, " GMT");
}

/* RFC 9110 §5.6.7: a year that seems more than 50 years ahead is the last one past with these digits. */
static int64_t full_year(unsigned yy)
{
	struct civil today;

	civil_of(clock_wall() / CLOCK_SEC / 86400, &today);
	int64_t year = today.year - today.year % 100 + yy;
	return year > today.year + 50 ? year - 100 : year;
}

/* Sunday, 06-Nov-94 08:49:37 GMT, after the comma */
static void rfc850(struct cursor *c, struct civil *t)
{
	want(c, " ");
	t->day = digits(c, 2);
	want(c, "-");
	t->month = month(c);
	want(c, "-");
	t->year = full_year(digits(c, 2));
	want(c, " ");
	time_of_day(c, t);
	want(c, " GMT");
}

/* Sun Nov  6 08:49:37 1994, after the day's name */
static void asctime_date(struct cursor *c, struct civil *t)
{
	want(c, " ");
	t->month = month(c);
	want(c, " ");
	if (span_starts(c->rest, " ")) {
		want(c, " ");
		t->day = digits(c, 1);
	} else {
		t->day = digits(c, 2);
	}
	want(c, " ");
	time_of_day(c, t);
	want(c, " ");
	t->year = digits(c, 4);
}

bool clock_http_parse(struct span text, int64_t *seconds)
{
	static const char *const longs[] = {
		"Monday,", "Tuesday,", "Wednesday,", "Thursday,", "Friday,", "Saturday,", "Sunday,"
	};
	static const char *const shorts[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	struct cursor c = { text, false };
	struct civil t = { 0 };

	if (name(&c, longs, 7)) {
		rfc850(&c, &t);
	} else {
		c = (struct cursor){ text, false };
		name(&c, shorts, 7);
		if (span_starts(c.rest, ",")) {
			want(&c, ",");
			imf_fixdate(&c, &t);
		} else {
			asctime_date(&c, &t);
		}
	}
	return !c.bad && c.rest.n == 0 && to_seconds(&t, seconds);
}

/* ".5", ".123456789": µs, further digits dropped. */
static unsigned fraction(struct cursor *c)
{
	unsigned us = 0, scale = 100000;
	size_t n = 0;

	if (c->bad || !span_starts(c->rest, "."))
		return 0;
	want(c, ".");
	for (; n < c->rest.n && c->rest.p[n] >= '0' && c->rest.p[n] <= '9'; n++) {
		us += (unsigned)(c->rest.p[n] - '0') * scale;
		scale /= 10;
	}
	c->bad = n == 0;
	c->rest = span_sub(c->rest, n, c->rest.n);
	return us;
}

/* "Z" or "+01:30", in seconds. */
static int64_t offset(struct cursor *c)
{
	bool minus = span_starts(c->rest, "-");

	if (span_istarts(c->rest, "z")) {
		c->rest = span_sub(c->rest, 1, c->rest.n);
		return 0;
	}
	want(c, minus ? "-" : "+");
	unsigned h = digits(c, 2);
	want(c, ":");
	unsigned m = digits(c, 2);
	if (h > 23 || m > 59)
		c->bad = true;
	int64_t s = (int64_t)h * 3600 + (int64_t)m * 60;
	return minus ? -s : s;
}

bool clock_rfc3339_parse(struct span text, int64_t *us)
{
	struct cursor c = { text, false };
	struct civil t;
	int64_t s;

	t.year = digits(&c, 4);
	want(&c, "-");
	t.month = digits(&c, 2);
	want(&c, "-");
	t.day = digits(&c, 2);
	want(&c, span_starts(c.rest, "t") ? "t" : "T");
	time_of_day(&c, &t);
	unsigned frac = fraction(&c);
	int64_t off = offset(&c);
	if (c.bad || c.rest.n != 0 || !to_seconds(&t, &s))
		return false;
	*us = (s - off) * CLOCK_SEC + frac;
	return true;
}

#define YEAR_0000 ((int64_t)-62167219200)
#define YEAR_9999 ((int64_t)253402300799)	/* its last second */

void clock_rfc3339(char out[static CLOCK_RFC3339_LEN], int64_t us)
{
	int64_t s = us / CLOCK_SEC - (us % CLOCK_SEC < 0);
	struct civil t;

	s = s < YEAR_0000 ? YEAR_0000 : s > YEAR_9999 ? YEAR_9999 : s;
	int64_t days = s / 86400 - (s % 86400 < 0);
	unsigned rest = (unsigned)(s - days * 86400);
	civil_of(days, &t);
	/* The remainders tell the compiler what the clamp above means: each field has its width. */
	snprintf(out, CLOCK_RFC3339_LEN, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)t.year % 10000,
	    t.month % 100, t.day % 100, rest / 3600 % 100, rest / 60 % 60, rest % 60);
}

void clock_human(char out[static CLOCK_HUMAN_LEN], int64_t seconds)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].s)
		i++;
	long long first = seconds / units[i].s;
	unsigned second = i < 3 ? (unsigned)(seconds % units[i].s / units[i + 1].s) % 100 : 0;
	if (second)
		snprintf(out, CLOCK_HUMAN_LEN, "%lld %s %u %s", first, units[i].name, second,
		    units[i + 1].name);
	else
		snprintf(out, CLOCK_HUMAN_LEN, "%lld %s", first, units[i].name);
}
