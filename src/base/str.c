#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same_n(const char *a, const char *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool isame_n(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

struct span span_of(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

struct span span_make(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* Mostly told apart by the first byte: the literal's length is not measured for that. */
bool span_eq(struct span a, const char *s)
{
	size_t i = 0;

	while (i < a.n && s[i] == a.p[i] && s[i] != '\0')
		i++;
	return i == a.n && s[i] == '\0';
}

bool span_ieq(struct span a, const char *s)
{
	size_t i = 0;

	while (i < a.n && lower(s[i]) == lower(a.p[i]) && s[i] != '\0')
		i++;
	return i == a.n && s[i] == '\0';
}

bool span_same(struct span a, struct span b)
{
	return a.n == b.n && same_n(a.p, b.p, a.n);
}

bool span_isame(struct span a, struct span b)
{
	return a.n == b.n && isame_n(a.p, b.p, a.n);
}

bool span_starts(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n >= n && same_n(a.p, s, n);
}

bool span_istarts(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n >= n && isame_n(a.p, s, n);
}

bool span_iends(struct span s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && span_ieq(span_sub(s, s.n - n, n), text);
}

bool span_ends(struct span a, const char *s)
{
	size_t n = strlen(s);

	return n == 0 || (a.n >= n && same_n(a.p + (a.n - n), s, n));
}

int str_bytes(const char *a, const char *b, size_t n)
{
	uint64_t x, y;

	for (; n >= sizeof(x); a += sizeof(x), b += sizeof(x), n -= sizeof(x)) {
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		if (x != y) {
			n = sizeof(x);
			break;
		}
	}
	for (; n > 0; a++, b++, n--)
		if (*a != *b)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int span_cmp(struct span a, struct span b)
{
	int r = str_bytes(a.p, b.p, a.n < b.n ? a.n : b.n);

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

ptrdiff_t span_chr(struct span a, char c)
{
	const char *at = a.n ? memchr(a.p, c, a.n) : NULL;

	return at ? at - a.p : -1;
}

static ptrdiff_t find(struct span a, const char *needle, bool (*same)(const char *, const char *, size_t))
{
	size_t n = strlen(needle);

	for (size_t i = 0; n <= a.n && i <= a.n - n; i++)
		if (n == 0 || same(a.p + i, needle, n))
			return (ptrdiff_t)i;
	return -1;
}

ptrdiff_t span_find(struct span a, const char *needle)
{
	return find(a, needle, same_n);
}

ptrdiff_t span_ifind(struct span a, const char *needle)
{
	return find(a, needle, isame_n);
}

struct span span_sub(struct span a, size_t from, size_t n)
{
	if (from > a.n)
		from = a.n;
	if (n > a.n - from)
		n = a.n - from;
	return (struct span){ a.p ? a.p + from : NULL, n };
}

struct span span_before(struct span s, char c)
{
	ptrdiff_t at = span_chr(s, c);

	return at < 0 ? s : span_sub(s, 0, (size_t)at);
}

struct span span_trim(struct span a)
{
	while (a.n && (a.p[0] == ' ' || a.p[0] == '\t')) {
		a.p++;
		a.n--;
	}
	while (a.n && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t'))
		a.n--;
	return a;
}

bool span_cut_line(struct span *rest, struct span *out)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
		n++;
	return span_cut(rest, n < rest->n ? rest->p[n] : '\n', out);
}

bool span_cut(struct span *rest, char sep, struct span *out)
{
	if (!rest->p)
		return false;
	ptrdiff_t at = span_chr(*rest, sep);
	if (at < 0) {
		*out = *rest;
		*rest = (struct span){ NULL, 0 };
		return true;
	}
	*out = span_sub(*rest, 0, (size_t)at);
	*rest = span_sub(*rest, (size_t)at + 1, rest->n);
	return true;
}

bool span_copy(char *dst, size_t size, struct span a)
{
	if (size == 0)
		return false;
	dst[0] = '\0';
	if (a.n >= size || span_chr(a, '\0') >= 0)
		return false;
	if (a.n)
		memcpy(dst, a.p, a.n);
	dst[a.n] = '\0';
	return true;
}

char *span_dup(struct span a)
{
	char *s = malloc(a.n + 1);

	if (!s)
		return NULL;
	if (a.n)
		memcpy(s, a.p, a.n);
	s[a.n] = '\0';
	return s;
}

char *str_dup(const char *s)
{
	return span_dup(span_of(s));
}

bool span_u64(struct span a, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (a.n == 0)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] < '0' || a.p[i] > '9')
			return false;
		unsigned digit = (unsigned)(a.p[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool span_i64(struct span a, int64_t *out)
{
	bool minus = a.n && a.p[0] == '-';
	uint64_t v;

	if (minus || (a.n && a.p[0] == '+'))
		a = span_sub(a, 1, a.n);
	if (!span_u64(a, (uint64_t)INT64_MAX + minus, &v))
		return false;
	/* -(v - 1) - 1 reaches INT64_MIN without passing a value that int64_t lacks. */
	*out = minus && v ? -(int64_t)(v - 1) - 1 : (int64_t)v;
	return true;
}

struct span span_of_i64(char room[static STR_I64_LEN], int64_t v)
{
	char *end = room + STR_I64_LEN, *p = end;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	if (v < 0)
		*--p = '-';
	return span_make(p, (size_t)(end - p));
}

/* Split the leading digits off *rest; false if there are none. */
static bool cut_number(struct span *rest, uint64_t max, uint64_t *v)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
		n++;
	if (!span_u64(span_sub(*rest, 0, n), max, v))
		return false;
	*rest = span_sub(*rest, n, rest->n);
	return true;
}

/* Split a decimal fraction off, as so many of `scale`; none is 0 of 1. */
static bool cut_fraction(struct span *rest, int64_t *part, int64_t *scale)
{
	uint64_t v = 0;
	size_t n;

	*part = 0;
	*scale = 1;
	if (rest->n == 0 || rest->p[0] != '.')
		return true;
	*rest = span_sub(*rest, 1, rest->n);
	n = rest->n;
	if (!cut_number(rest, 999999, &v) || n - rest->n > 6)
		return false;
	for (n -= rest->n; n > 0; n--)
		*scale *= 10;
	*part = (int64_t)v;
	return true;
}

/* Split a unit off, in milliseconds; 0: it is none. */
static int64_t cut_unit(struct span *rest)
{
	static const char letters[] = "smhdw";
	static const int64_t each[] = { 1000, 60000, 3600000, 86400000, 604800000 };
	bool ms = rest->n > 1 && rest->p[0] == 'm' && rest->p[1] == 's';
	const char *at = rest->n > 0 ? memchr(letters, rest->p[0], 5) : NULL;

	*rest = span_sub(*rest, ms ? 2 : 1, rest->n);
	return ms ? 1 : at != NULL ? each[at - letters] : 0;
}

#define DURATION_MAX ((int64_t)10 * 365 * 86400)

bool span_duration(struct span a, int64_t *seconds)
{
	int64_t sum = 0, last = INT64_MAX, part, scale;
	uint64_t v;

	if (span_u64(a, (uint64_t)DURATION_MAX, &v)) {
		*seconds = (int64_t)v;
		return true;
	}
	do {
		if (!cut_number(&a, (uint64_t)DURATION_MAX * 1000, &v) || !cut_fraction(&a, &part, &scale))
			return false;
		int64_t unit = cut_unit(&a);
		/* Each unit once and the larger first: "30m1h" is more likely a slip than a wish. */
		if (unit == 0 || unit >= last || (scale > 1 && a.n > 0) ||
		    (int64_t)v > DURATION_MAX * 1000 / unit)
			return false;
		last = unit;
		sum += (int64_t)v * unit + (part * unit + scale - 1) / scale;
		if (sum > DURATION_MAX * 1000)
			return false;
	} while (a.n);
	*seconds = (sum + 999) / 1000;
	return true;
}

static uint64_t size_unit(struct span s)
{
	static const char letters[] = "kmg";
	const char *at = s.n ? memchr(letters, lower(s.p[0]), 3) : NULL;

	if (s.n == 0)
		return 1;
	if (!at)
		return 0;
	struct span tail = span_sub(s, 1, s.n);
	uint64_t step = span_ieq(tail, "B") ? 1000 : 1024, unit = step;
	if (tail.n && !span_ieq(tail, "B") && !span_ieq(tail, "iB"))
		return 0;
	for (const char *p = letters; p < at; p++)
		unit *= step;
	return unit;
}

bool span_size(struct span a, uint64_t *bytes)
{
	uint64_t v;

	if (!cut_number(&a, UINT64_MAX, &v))
		return false;
	uint64_t unit = size_unit(a);
	if (unit == 0 || v > UINT64_MAX / unit)
		return false;
	*bytes = v * unit;
	return true;
}

/* Length of the well-formed sequence at p, 0 if there is none. RFC 3629 §4. */
static size_t utf8_len(const uint8_t *p, size_t n)
{
	uint8_t c = p[0], lo = 0x80, hi = 0xbf;
	size_t need = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (need > n)
		return 0;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	for (size_t i = 1; i < need; i++) {
		if (p[i] < lo || p[i] > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return need;
}

size_t span_utf8_char(struct span a, uint32_t *code)
{
	static const uint8_t lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	const uint8_t *p = (const uint8_t *)a.p;
	size_t n = a.n ? utf8_len(p, a.n) : 0;

	if (n == 0 || !code)
		return n;
	*code = p[0] & lead_bits[n];
	for (size_t i = 1; i < n; i++)
		*code = *code << 6 | (p[i] & 0x3f);
	return n;
}

bool span_utf8(struct span a)
{
	const uint8_t *p = (const uint8_t *)a.p;

	for (size_t i = 0; i < a.n;) {
		size_t n = utf8_len(p + i, a.n - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

#define DISTANCE_MAX 64

size_t span_distance(struct span a, struct span b, size_t cap)
{
	size_t row[DISTANCE_MAX + 1];

	if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
		return cap;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diag = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t up = row[j];
			size_t best = diag + (a.p[i - 1] != b.p[j - 1]);
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diag = up;
		}
	}
	return row[b.n] < cap ? row[b.n] : cap;
}

bool span_glob(const char *pattern, struct span a)
{
	const char *star = NULL;
	size_t i = 0, mark = 0;

	/* Only the last star needs to be retried: what an earlier one took can always be given to it. */
	while (i < a.n) {
		if (*pattern == '*') {
			star = ++pattern;
			mark = i;
		} else if (*pattern == '?' || (*pattern && *pattern == a.p[i])) {
			pattern++;
			i++;
		} else if (star) {
			pattern = star;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool mem_same_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}
