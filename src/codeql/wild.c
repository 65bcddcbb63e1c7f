#include <string.h>

#include "codeql/wild.h"

/* Compared characters: far above what an honest pattern takes (length of path times stars). */
#define STEPS_MAX 200000

struct scan {
	struct span pat, text;
	size_t p, t;
	/* where to go on after the last '*' and the last '**': the pattern behind it, the text it has not
	 * taken yet; SIZE_MAX: there is none */
	size_t star_p, star_t, deep_p, deep_t;
	bool unsure;
};

bool wild_init(struct wild *w, struct span s)
{
	*w = (struct wild){ .last = true };
	if (s.n > 1 && s.p[s.n - 1] == '/') {
		w->folder = true;
		s.n--;
	}
	if (s.n > 0 && s.p[0] == '/') {
		w->last = false;
		s = span_sub(s, 1, s.n);
	}
	if (s.n == 0)
		return false;
	w->last = w->last && span_chr(s, '/') < 0;
	w->pattern = s;
	w->suffix = w->last && s.p[0] == '*';
	for (size_t i = 1; i < s.n; i++)
		w->suffix = w->suffix && s.p[i] && !strchr("*?[\\", s.p[i]);
	return true;
}

static bool in_class(struct span name, unsigned char c)
{
	bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
	bool graph = c > ' ' && c < 127, alnum = lower || upper || digit;
	bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
	const struct {
		const char *name;
		bool yes;
	} classes[] = { { "alpha", lower || upper }, { "digit", digit }, { "alnum", alnum },
		{ "lower", lower }, { "upper", upper }, { "space", c == ' ' || (c >= '\t' && c <= '\r') },
		{ "blank", c == ' ' || c == '\t' }, { "punct", graph && !alnum },
		{ "print", graph || c == ' ' }, { "graph", graph }, { "cntrl", c < ' ' || c == 127 },
		{ "xdigit", hex } };

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (span_eq(name, classes[i].name))
			return classes[i].yes;
	return false;
}

/* One item of a bracket at *p: a class, a range or a character. False: the pattern ends in it. */
static bool bracket_item(struct span pat, size_t *p, unsigned char c, bool *in)
{
	struct span rest = span_sub(pat, *p, pat.n);
	ptrdiff_t end = span_starts(rest, "[:") ? span_find(rest, ":]") : -1;

	if (end >= 0) {
		*in = *in || in_class(span_sub(rest, 2, (size_t)end - 2), c);
		*p += (size_t)end + 2;
		return true;
	}
	unsigned char first = (unsigned char)pat.p[*p], last;
	if (first == '\\' && ++*p < pat.n)
		first = (unsigned char)pat.p[*p];
	if (*p >= pat.n)
		return false;
	last = first;
	++*p;
	if (*p + 1 < pat.n && pat.p[*p] == '-' && pat.p[*p + 1] != ']') {
		++*p;
		if (pat.p[*p] == '\\' && *p + 1 < pat.n)
			++*p;
		last = (unsigned char)pat.p[(*p)++];
	}
	*in = *in || (c >= first && c <= last);
	return true;
}

/* pat[*p] is '['; on a match *p is behind its ']'. */
static bool bracket(struct span pat, size_t *p, unsigned char c)
{
	size_t at = *p + 1;
	bool not = at < pat.n && (pat.p[at] == '!' || pat.p[at] == '^'), in = false;

	at += not;
	for (size_t first = at; at < pat.n && (pat.p[at] != ']' || at == first);)
		if (!bracket_item(pat, &at, c, &in))
			return false;
	if (at >= pat.n || in == not || c == '/')
		return false;
	*p = at + 1;
	return true;
}

/* One character of text against one of the pattern that is no star. */
static bool one(struct scan *s)
{
	unsigned char c = (unsigned char)s->text.p[s->t];

	if (s->p >= s->pat.n)
		return false;
	switch (s->pat.p[s->p]) {
	case '?':
		if (c == '/')
			return false;
		s->p++;
		break;
	case '[':
		if (!bracket(s->pat, &s->p, c))
			return false;
		break;
	case '\\':
		if (s->p + 1 < s->pat.n)
			s->p++;
		if ((unsigned char)s->pat.p[s->p] != c)
			return false;
		s->p++;
		break;
	default:
		if ((unsigned char)s->pat.p[s->p] != c)
			return false;
		s->p++;
	}
	s->t++;
	return true;
}

/* A star at s->p. Two or more are deep where they are a whole component. */
static void star(struct scan *s)
{
	size_t from = s->p, end = from;

	while (end < s->pat.n && s->pat.p[end] == '*')
		end++;
	bool whole = end - from >= 2 && (from == 0 || s->pat.p[from - 1] == '/') &&
	    (end == s->pat.n || s->pat.p[end] == '/');
	if (!whole) {
		/* versions of git differ on "a**" */
		s->unsure = end - from > 1;
		s->p = s->star_p = end;
		s->star_t = s->t;
		return;
	}
	/* behind "**" + "/": any component's beginning, this one first */
	s->p = s->deep_p = end == s->pat.n ? end : end + 1;
	s->deep_t = s->t;
	s->star_p = SIZE_MAX;
}

/* Let the last star take one character more, or the last deep one a component more. */
static bool again(struct scan *s)
{
	if (s->star_p != SIZE_MAX && s->star_t < s->text.n && s->text.p[s->star_t] != '/') {
		s->p = s->star_p;
		s->t = ++s->star_t;
		return true;
	}
	if (s->deep_p == SIZE_MAX)
		return false;
	ptrdiff_t slash = span_chr(span_sub(s->text, s->deep_t, s->text.n), '/');
	if (slash < 0)
		return false;
	s->deep_t += (size_t)slash + 1;
	s->p = s->deep_p;
	s->t = s->deep_t;
	s->star_p = SIZE_MAX;
	return true;
}

static enum wild_answer match(struct span pat, struct span text)
{
	struct scan s = { .pat = pat, .text = text, .star_p = SIZE_MAX, .deep_p = SIZE_MAX };

	for (int steps = 0; steps < STEPS_MAX && !s.unsure; steps++) {
		if (s.p < pat.n && pat.p[s.p] == '*') {
			star(&s);
			/* "**" at the end takes all there is, but not nothing */
			if (s.p == pat.n && s.deep_p == s.p && s.star_p == SIZE_MAX)
				return s.t < text.n ? WILD_YES : WILD_NO;
			continue;
		}
		if (s.t == text.n && s.p == pat.n)
			return WILD_YES;
		if ((s.t == text.n || !one(&s)) && !again(&s))
			return WILD_NO;
	}
	return WILD_UNSURE;
}

enum wild_answer wild_match(const struct wild *w, struct span path)
{
	struct span text = path;

	if (w->last)
		for (size_t i = path.n; i > 0; i--)
			if (path.p[i - 1] == '/') {
				text = span_sub(path, i, path.n);
				break;
			}
	if (!w->suffix)
		return match(w->pattern, text);
	size_t n = w->pattern.n - 1;
	return text.n >= n && memcmp(text.p + text.n - n, w->pattern.p + 1, n) == 0 ? WILD_YES : WILD_NO;
}
