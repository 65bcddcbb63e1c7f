#include <string.h>

#include "codeql/gitconfig.h"

struct text {
	struct span in;
	size_t at;
	char section[256], sub[1024], value[GITCONFIG_VALUE_MAX];
	size_t section_n, sub_n, value_n;
};

/* The next character, CRLF as LF; -1 at the end. */
static int next(struct text *t)
{
	if (t->at >= t->in.n)
		return -1;
	unsigned char c = (unsigned char)t->in.p[t->at++];
	if (c == '\r' && t->at < t->in.n && t->in.p[t->at] == '\n')
		c = (unsigned char)t->in.p[t->at++];
	return c;
}

static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_key(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static void skip_line(struct text *t)
{
	for (int c = next(t); c >= 0 && c != '\n';)
		c = next(t);
}

static bool quoted_sub(struct text *t)
{
	t->sub_n = 0;
	for (;;) {
		int c = next(t);

		if (c == '"')
			return next(t) == ']';
		if (c == '\\')
			c = next(t);
		if (c < 0 || c == '\n' || t->sub_n == sizeof(t->sub))
			return false;
		t->sub[t->sub_n++] = (char)c;
	}
}

/* Behind '['. The old form [a.b] has the subsection behind the first dot. */
static bool section(struct text *t)
{
	bool dot = false;

	t->section_n = t->sub_n = 0;
	for (;;) {
		int c = next(t);

		if (c == ']')
			return true;
		if (is_space(c) && c != '\n') {
			while (is_space(c) && c != '\n')
				c = next(t);
			return c == '"' && quoted_sub(t);
		}
		if (c == '.' && !dot) {
			dot = true;
			continue;
		}
		size_t *n = dot ? &t->sub_n : &t->section_n;
		if ((!is_key(c) && c != '.') || *n == sizeof(t->section))
			return false;
		(dot ? t->sub : t->section)[(*n)++] = (char)c;
	}
}

/* Behind a backslash: what it stands for, 0 for a joined line, -1 for what may not stand there. */
static int escaped(int c)
{
	switch (c) {
	case 't':
		return '\t';
	case 'b':
		return '\b';
	case 'n':
		return '\n';
	case '\\':
	case '"':
		return c;
	case '\n':
		return 0;
	default:
		return -1;
	}
}

/* Behind '='. White space at both ends goes, within quotes all stays. */
static bool value(struct text *t)
{
	bool quote = false;
	size_t trimmed = 0;

	t->value_n = 0;
	for (;;) {
		int c = next(t);

		if (c < 0 || c == '\n') {
			t->value_n = trimmed;
			return !quote;
		}
		if (!quote && (c == ';' || c == '#')) {
			skip_line(t);
			t->value_n = trimmed;
			return true;
		}
		if (!quote && is_space(c) && t->value_n == 0)
			continue;
		if (c == '"') {
			quote = !quote;
			continue;
		}
		bool literal = quote || !is_space(c);
		if (c == '\\' && (c = escaped(next(t))) <= 0) {
			if (c < 0)
				return false;
			continue;
		}
		if (t->value_n == sizeof(t->value))
			return false;
		t->value[t->value_n++] = (char)c;
		if (literal)
			trimmed = t->value_n;
	}
}

/* A line "key", or "key = value"; `t->at` is at its first letter. */
static bool variable(struct text *t, gitconfig_visit *visit, void *ctx)
{
	size_t from = t->at;
	int c = next(t);

	while (is_key(c))
		c = next(t);
	struct gitconfig_var v = { .section = span_make(t->section, t->section_n),
		.sub = span_make(t->sub, t->sub_n) };
	size_t end = from;
	while (end < t->in.n && is_key((unsigned char)t->in.p[end]))
		end++;
	v.key = span_sub(t->in, from, end - from);
	while (c == ' ' || c == '\t')
		c = next(t);
	if (c == '=') {
		if (!value(t))
			return false;
		v.value = span_make(t->value, t->value_n);
	} else if (c == '#' || c == ';') {
		skip_line(t);
	} else if (c >= 0 && c != '\n') {
		return false;
	}
	visit(ctx, &v);
	return true;
}

bool gitconfig_each(struct span text, gitconfig_visit *visit, void *ctx)
{
	struct text t = { .in = text };

	if (span_starts(text, "\xef\xbb\xbf"))
		t.at = 3;
	for (;;) {
		int c = next(&t);

		if (c < 0)
			return true;
		if (is_space(c))
			continue;
		if (c == '#' || c == ';') {
			skip_line(&t);
		} else if (c == '[') {
			if (!section(&t))
				return false;
		} else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
			t.at--;
			if (!variable(&t, visit, ctx))
				return false;
		} else {
			return false;
		}
	}
}

bool gitconfig_bool(struct span v, bool otherwise)
{
	int64_t n;

	if (v.p == NULL || span_ieq(v, "true") || span_ieq(v, "yes") || span_ieq(v, "on"))
		return true;
	if (v.n == 0 || span_ieq(v, "false") || span_ieq(v, "no") || span_ieq(v, "off"))
		return false;
	return span_i64(v, &n) ? n != 0 : otherwise;
}
