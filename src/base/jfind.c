/* The part of base/jscan.h that looks into whole texts and tokens. */
#include <string.h>

#include "base/buf.h"
#include "base/jscan.h"

/* ---- strings ---- */

static int hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			v = v << 4 | ((unsigned)(c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return (int)v;
}

static size_t put_utf8(char out[static 4], unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 63));
		out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63));
	out[3] = (char)(0x80 | (code & 63));
	return 4;
}

/* \uXXXX, or a pair of them, at the front of `s`: its length in *used; the code, or -1. */
static int unicode_escape(struct span s, size_t *used)
{
	int hi = s.n >= 6 ? hex4(s.p + 2) : -1;

	*used = 6;
	if (hi < 0xd800 || hi > 0xdfff)
		return hi;
	if (hi > 0xdbff || s.n < 12 || s.p[6] != '\\' || s.p[7] != 'u')
		return -1;
	int lo = hex4(s.p + 8);
	*used = 12;
	return lo < 0xdc00 || lo > 0xdfff ? -1 : 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
}

/* An escape at the front of `s`, decoded: the number of bytes in `out`, or -1. */
static int escape(struct span s, char out[static 4], size_t *used)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

	if (s.n < 2 || s.p[1] == '\0')
		return -1;
	if (s.p[1] == 'u') {
		int code = unicode_escape(s, used);
		return code < 0 ? -1 : (int)put_utf8(out, (unsigned)code);
	}
	const char *at = strchr(letters, s.p[1]);
	if (!at)
		return -1;
	out[0] = meant[at - letters];
	*used = 2;
	return 1;
}

/* Cut the next piece off what stands between the quotes: a run without escapes, or one escape. 1, 0 at the
 * end, -1. */
static int next_piece(struct span *rest, char tmp[static 4], struct span *piece)
{
	size_t used;

	if (rest->n == 0)
		return 0;
	ptrdiff_t slash = span_chr(*rest, '\\');
	if (slash != 0) {
		used = slash < 0 ? rest->n : (size_t)slash;
		*piece = span_sub(*rest, 0, used);
	} else {
		int n = escape(*rest, tmp, &used);
		if (n < 0)
			return -1;
		*piece = span_make(tmp, (size_t)n);
	}
	*rest = span_sub(*rest, used, rest->n);
	return 1;
}

static bool in_quotes(struct span raw, struct span *inside)
{
	*inside = span_sub(raw, 1, raw.n >= 2 ? raw.n - 2 : 0);
	return raw.n >= 2 && raw.p[0] == '"' && raw.p[raw.n - 1] == '"';
}

int jscan_unescape(struct span raw, struct buf *b)
{
	struct span rest, piece;
	char tmp[4];

	if (!in_quotes(raw, &rest) || !jscan_valid(raw))
		return -1;
	while (next_piece(&rest, tmp, &piece) > 0)
		buf_addspan(b, piece);
	return 0;
}

static bool raw_eq(struct span raw, struct span text)
{
	struct span rest, piece;
	char tmp[4];
	int r;

	if (!in_quotes(raw, &rest))
		return false;
	while ((r = next_piece(&rest, tmp, &piece)) > 0) {
		if (!span_same(span_sub(text, 0, piece.n), piece))
			return false;
		text = span_sub(text, piece.n, text.n);
	}
	return r == 0 && text.n == 0;
}

bool jscan_str_eq(struct span raw, const char *text)
{
	return raw_eq(raw, span_of(text));
}

bool jscan_str(struct span raw, char *out, size_t size)
{
	struct span rest, piece;
	size_t at = 0;
	char tmp[4];

	if (size == 0)
		return false;
	out[0] = '\0';
	if (!in_quotes(raw, &rest) || !jscan_valid(raw))
		return false;
	while (next_piece(&rest, tmp, &piece) > 0) {
		if (!span_copy(out + at, size - at, piece)) {
			out[0] = '\0';
			return false;
		}
		at += piece.n;
	}
	return true;
}

/* ---- look-ups ---- */

/* The next event at *at: 1, 0 at the end of a text that is JSON, -1. */
static int next_event(struct jscan *s, struct span text, size_t *at, enum jscan_event *ev)
{
	ssize_t r = jscan_feed(s, text.n ? text.p + *at : text.p, text.n - *at, ev);

	if (r < 0)
		return -1;
	*at += (size_t)r;
	if (*ev != JSCAN_NONE)
		return 1;
	if (jscan_end(s, ev) < 0)
		return -1;
	return *ev != JSCAN_NONE;
}

/* Go on to the end of the value whose first event has just come. */
static int whole_value(struct jscan *s, struct span text, size_t *at, enum jscan_event ev, struct span *value)
{
	size_t from = (size_t)s->start;
	unsigned outside = s->depth - 1;

	if (ev == JSCAN_OBJECT || ev == JSCAN_ARRAY)
		while (s->depth > outside)
			if (next_event(s, text, at, &ev) <= 0)
				return -1;
	*value = span_sub(text, from, (size_t)s->end - from);
	return 1;
}

/* Put the scanner behind the opening bracket, or behind the member that ended at *at. 0: a scalar. */
static int enter(struct jscan *s, struct span text, size_t *at)
{
	enum jscan_event ev;
	size_t first = 0;

	jscan_init(s);
	if (next_event(s, text, &first, &ev) <= 0)
		return -1;
	if (ev != JSCAN_OBJECT && ev != JSCAN_ARRAY)
		return jscan_valid(text) ? 0 : -1;
	if (*at == 0)
		*at = first;
	else
		jscan_resume(s, *at);
	return 1;
}

int jscan_next(struct span text, size_t *at, struct span *key, struct span *value)
{
	enum jscan_event ev;
	struct jscan s;
	size_t i = *at;

	int r = i > text.n ? -1 : enter(&s, text, &i);
	if (r <= 0)
		return r;
	if (next_event(&s, text, &i, &ev) <= 0)
		return -1;
	if (s.depth == 0)
		return next_event(&s, text, &i, &ev) == 0 ? 0 : -1;
	*key = (struct span){ NULL, 0 };
	if (ev == JSCAN_KEY) {
		*key = span_sub(text, (size_t)s.start, (size_t)(s.end - s.start));
		if (next_event(&s, text, &i, &ev) <= 0)
			return -1;
	}
	r = whole_value(&s, text, &i, ev, value);
	if (r > 0)
		*at = i;
	return r;
}

static bool is_object(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!memchr(" \t\r\n", text.p[i], 4))
			return text.p[i] == '{';
	return false;
}

/* Member of an object, or item of an array. */
static int child(struct span text, struct span name, struct span *value)
{
	bool object = is_object(text);
	struct span key, v;
	uint64_t index, i = 0;
	size_t at = 0;
	int r;

	if (!object && !span_u64(name, UINT64_MAX - 1, &index))
		index = UINT64_MAX;
	while ((r = jscan_next(text, &at, &key, &v)) > 0) {
		if (object ? raw_eq(key, name) : i++ == index) {
			*value = v;
			return 1;
		}
	}
	return r;
}

int jscan_member(struct span object, const char *key, struct span *value)
{
	if (!is_object(object))
		return jscan_valid(object) ? 0 : -1;
	return child(object, span_of(key), value);
}

int jscan_path(struct span text, const char *path, struct span *value)
{
	struct span rest = span_of(path), name;

	while (span_cut(&rest, '.', &name)) {
		int r = child(text, name, &text);
		if (r <= 0)
			return r;
	}
	*value = text;
	return 1;
}
