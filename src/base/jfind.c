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
	/* most that differ do so here */
	if (raw.n > 2 && raw.p[1] != text[0] && raw.p[1] != '\\')
		return false;
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

/* ---- walks ---- */

void jscan_walk(struct jscan_walk *w, struct span text)
{
	jscan_init(&w->s);
	w->text = text;
	w->at = 0;
}

int jscan_step(struct jscan_walk *w, enum jscan_event *ev)
{
	const char *p = w->text.n ? w->text.p + w->at : w->text.p;
	ssize_t r = jscan_feed(&w->s, p, w->text.n - w->at, ev);

	if (r < 0)
		return -1;
	w->at += (size_t)r;
	if (*ev != JSCAN_NONE)
		return 1;
	if (jscan_end(&w->s, ev) < 0)
		return -1;
	return *ev != JSCAN_NONE;
}

struct span jscan_token(const struct jscan_walk *w)
{
	return span_sub(w->text, (size_t)w->s.start, (size_t)(w->s.end - w->s.start));
}

int jscan_rest(struct jscan_walk *w, enum jscan_event ev, struct span *value)
{
	size_t from = (size_t)w->s.start;
	unsigned outside = w->s.depth - 1;

	if (ev == JSCAN_OBJECT || ev == JSCAN_ARRAY)
		while (w->s.depth > outside)
			if (jscan_step(w, &ev) <= 0)
				return -1;
	*value = span_sub(w->text, from, (size_t)w->s.end - from);
	return 0;
}

/* ---- look-ups ---- */

/* Put the walk behind the opening bracket, or behind the member that ended at `at`. 1; 0: a scalar; -1. */
static int enter(struct jscan_walk *w, struct span text, size_t at)
{
	enum jscan_event ev;

	jscan_walk(w, text);
	if (jscan_step(w, &ev) <= 0)
		return -1;
	if (ev != JSCAN_OBJECT && ev != JSCAN_ARRAY)
		return jscan_valid(text) ? 0 : -1;
	if (at > 0) {
		w->at = at;
		jscan_resume(&w->s, at);
	}
	return 1;
}

int jscan_next(struct span text, size_t *at, struct span *key, struct span *value)
{
	enum jscan_event ev;
	struct jscan_walk w;

	int r = *at > text.n ? -1 : enter(&w, text, *at);
	if (r <= 0)
		return r;
	if (jscan_step(&w, &ev) <= 0)
		return -1;
	if (w.s.depth == 0)
		return jscan_step(&w, &ev) == 0 ? 0 : -1;
	*key = (struct span){ NULL, 0 };
	if (ev == JSCAN_KEY) {
		*key = jscan_token(&w);
		if (jscan_step(&w, &ev) <= 0)
			return -1;
	}
	if (jscan_rest(&w, ev, value) < 0)
		return -1;
	*at = w.at;
	return 1;
}

int jscan_pick(struct span object, const char *const *keys, size_t n, struct span *values)
{
	enum jscan_event ev;
	struct jscan_walk w;
	struct span value;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		values[i] = (struct span){ NULL, 0 };
	jscan_walk(&w, object);
	if (jscan_step(&w, &ev) <= 0 || ev != JSCAN_OBJECT)
		return -1;
	while ((r = jscan_step(&w, &ev)) > 0) {
		if (ev != JSCAN_KEY)
			continue;
		for (i = 0; i < n && !jscan_str_eq(jscan_token(&w), keys[i]); i++)
			;
		if (jscan_step(&w, &ev) <= 0 || jscan_rest(&w, ev, &value) < 0)
			return -1;
		if (i < n && !values[i].p)
			values[i] = value;
	}
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
