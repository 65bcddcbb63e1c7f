#include <string.h>

#include "base/hex.h"
#include "codeql/qlconfig.h"

/* ---- pins ---- */

static bool is_commit(struct span ref)
{
	return (ref.n == 40 || ref.n == 64) && hex_is(ref, true);
}

static ptrdiff_t last_at(struct span s)
{
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == '@')
			return (ptrdiff_t)i;
	return -1;
}

static bool is_path(struct span s)
{
	return span_starts(s, "./") || span_starts(s, "../") || span_starts(s, "/") || span_eq(s, ".");
}

/* The suites that come with a release of CodeQL. */
static bool is_suite(struct span s)
{
	static const char *const names[] = { "default", "security-extended", "security-and-quality",
		"security-experimental", "code-scanning", "code-quality" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(s, names[i]))
			return true;
	return false;
}

enum qlconfig_pin qlconfig_query(struct span item)
{
	ptrdiff_t at;

	item = span_trim(item);
	if (span_starts(item, "+"))
		item = span_trim(span_sub(item, 1, item.n));
	if (is_path(item))
		return QL_LOCAL;
	at = last_at(item);
	if (at < 0)
		return is_suite(item) ? QL_PINNED : QL_UNPINNED;
	return is_commit(span_sub(item, (size_t)at + 1, item.n)) ? QL_PINNED : QL_UNPINNED;
}

/* 1.2.3, also with -pre and +build; not a range. */
static bool is_version(struct span v)
{
	size_t dots = 0, digits = 0;

	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		if (c >= '0' && c <= '9') {
			digits++;
		} else if (c == '.' && digits > 0) {
			dots++;
			digits = 0;
		} else {
			return dots == 2 && digits > 0 && (c == '-' || c == '+') && i + 1 < v.n;
		}
	}
	return dots == 2 && digits > 0;
}

enum qlconfig_pin qlconfig_pack(struct span item)
{
	ptrdiff_t at;

	item = span_trim(item);
	if (span_starts(item, "+"))
		item = span_trim(span_sub(item, 1, item.n));
	if (is_path(item))
		return QL_LOCAL;
	at = span_chr(item, '@');
	if (at <= 0)
		return QL_UNPINNED;
	return is_version(span_before(span_sub(item, (size_t)at + 1, item.n), ':')) ? QL_PINNED : QL_UNPINNED;
}

enum qlconfig_pin qlconfig_file(struct span word)
{
	ptrdiff_t at = last_at(word);

	if (at < 0 || is_path(word))
		return QL_LOCAL;
	return is_commit(span_sub(word, (size_t)at + 1, word.n)) ? QL_PINNED : QL_UNPINNED;
}

/* ---- the file ---- */

static struct span unquote(struct span s)
{
	s = span_trim(s);
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s = span_trim(span_sub(s, 0, s.n - 1));
	if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
		return span_sub(s, 1, s.n - 2);
	return s;
}

/* A comment begins with '#' at the start or behind a space, but not in quotes. */
static struct span no_comment(struct span line)
{
	char quote = 0;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i], before = i > 0 ? line.p[i - 1] : ' ';

		if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if ((c == '"' || c == '\'') && strchr(" \t[{,:", before) != NULL)
			quote = c;
		else if (c == '#' && (before == ' ' || before == '\t'))
			return span_sub(line, 0, i);
	}
	return line;
}

/* A key of its own line ("? uses"), or one that an escape may spell: what it is is not looked for. */
static bool is_hidden(struct span line)
{
	line = span_trim(line);
	while (span_starts(line, "- "))
		line = span_trim(span_sub(line, 2, line.n));
	return span_starts(line, "?") || (span_chr(line, '"') >= 0 &&
	    (span_find(line, "\\x") >= 0 || span_find(line, "\\u") >= 0 || span_find(line, "\\U") >= 0));
}

static bool is_top(struct span line)
{
	return line.n > 0 && strchr(" \t#-\r}]", line.p[0]) == NULL && span_chr(line, ':') > 0;
}

struct walk {
	qlconfig_fn *fn;
	void *arg;
};

static void tell_uses(const struct walk *w, struct span text)
{
	ptrdiff_t at;

	while ((at = span_find(text, "uses")) >= 0) {
		struct span rest = span_sub(text, (size_t)at + 4, text.n), item;
		while (rest.n > 0 && strchr("\"' \t", rest.p[0]) != NULL)
			rest = span_sub(rest, 1, rest.n);
		text = rest;
		if (rest.n == 0 || rest.p[0] != ':')
			continue;
		item = span_before(span_before(span_sub(rest, 1, rest.n), '}'), ',');
		item = unquote(item);
		w->fn(w->arg, QL_USES, span_of("uses"), item.n > 0 ? item : span_of("of the next line"));
	}
}

/* A line below `packs:`, or behind it: items between [ ] , and behind "- "; `name:` in front is a language.
 */
static void tell_packs(const struct walk *w, struct span line)
{
	while (line.n > 0) {
		size_t n = 0;
		while (n < line.n && strchr(",[]{}", line.p[n]) == NULL)
			n++;
		struct span item = span_trim(span_sub(line, 0, n));
		line = span_sub(line, n + 1, line.n);
		if (span_starts(item, "- "))
			item = span_trim(span_sub(item, 2, item.n));
		ptrdiff_t colon = span_find(item, ": ");
		if (colon >= 0)
			item = span_sub(item, (size_t)colon + 2, item.n);
		item = unquote(item);
		if (item.n > 0 && item.p[item.n - 1] != ':' && !span_eq(item, "-"))
			w->fn(w->arg, QL_PACK, span_of("packs"), item);
	}
}

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0;
}

/* Text that is no block of the usual form could name anything: its lines are items that nobody can pin. */
static void tell_odd(const struct walk *w, struct span text)
{
	struct span line;

	while (span_cut_line(&text, &line)) {
		line = unquote(no_comment(line));
		if (line.n > 0 && !span_eq(line, "---") && !span_eq(line, "..."))
			w->fn(w->arg, QL_PACK, span_of("packs"), line);
	}
}

static void tell_block(const struct walk *w, struct span name, struct span text)
{
	struct span rest, line;
	bool packs = span_eq(name, "packs");

	if (!is_word(name)) {
		tell_odd(w, text);
		return;
	}
	w->fn(w->arg, QL_BLOCK, name, text);
	rest = span_sub(text, (size_t)span_chr(text, ':') + 1, text.n);
	while (span_cut_line(&rest, &line)) {
		line = no_comment(line);
		if (is_hidden(line))
			tell_odd(w, line);
		else if (packs)
			tell_packs(w, line);
		else
			tell_uses(w, line);
	}
}

void qlconfig_walk(struct span file, qlconfig_fn *fn, void *arg)
{
	struct walk w = { fn, arg };
	struct span rest, line, name = span_of("");

	if (span_starts(file, "\xef\xbb\xbf"))
		file = span_sub(file, 3, file.n);
	const char *from = file.p;
	rest = file;

	while (span_cut_line(&rest, &line)) {
		if (!is_top(line))
			continue;
		tell_block(&w, name, span_make(from, (size_t)(line.p - from)));
		name = unquote(span_before(line, ':'));
		from = line.p;
	}
	tell_block(&w, name, span_make(from, file.n - (size_t)(from - file.p)));
}
