#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codeql/gitattr.h"
#include "codeql/wild.h"

#define LINE_MAX_LEN 2047	/* git ignores longer lines */

struct line {
	struct wild wild;
	uint8_t state[GITATTR_COUNT];
	uint32_t value[GITATTR_COUNT], value_n[GITATTR_COUNT];	/* in the text */
};

struct gitattr_file {
	const struct gitattr_file *outer;
	char *text, *prefix;
	size_t prefix_n;
	struct buf lines;
	bool unsure;
};

static const char *const names[GITATTR_COUNT] = { "text", "crlf", "eol", "ident", "filter",
	"working-tree-encoding" };

static int name_of(struct span s)
{
	for (int i = 0; i < GITATTR_COUNT; i++)
		if (span_eq(s, names[i]))
			return i;
	return -1;
}

/* One word of a line: name, -name, !name, name=value. True: it is about one of the six. */
static bool take_word(const struct gitattr_file *f, struct line *l, struct span word)
{
	enum gitattr_state state = GITATTR_SET;
	ptrdiff_t eq = span_chr(word, '=');
	struct span value = span_of("");

	if (span_eq(word, "binary")) {
		l->state[GITATTR_TEXT] = GITATTR_UNSET;
		l->value_n[GITATTR_TEXT] = 0;
		return true;
	}
	if (word.p[0] == '-' || word.p[0] == '!') {
		state = word.p[0] == '-' ? GITATTR_UNSET : GITATTR_UNSPECIFIED;
		word = span_sub(word, 1, word.n);
	} else if (eq >= 0) {
		state = GITATTR_VALUE;
		value = span_sub(word, (size_t)eq + 1, word.n);
		word = span_sub(word, 0, (size_t)eq);
	}
	int i = name_of(word);
	if (i < 0)
		return false;
	l->state[i] = (uint8_t)state;
	l->value[i] = state == GITATTR_VALUE ? (uint32_t)(value.p - f->text) : 0;
	l->value_n[i] = (uint32_t)value.n;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool next_word(struct span *in, struct span *word)
{
	size_t from = 0, to;

	while (from < in->n && is_blank(in->p[from]))
		from++;
	for (to = from; to < in->n && !is_blank(in->p[to]); to++)
		;
	*word = span_sub(*in, from, to - from);
	*in = span_sub(*in, to, in->n);
	return word->n > 0;
}

static int octal(const char *p)
{
	for (int i = 0; i < 3; i++)
		if (p[i] < '0' || p[i] > '7')
			return -1;
	return (p[0] - '0') * 64 + (p[1] - '0') * 8 + p[2] - '0';
}

/* A pattern in quotes, as C has them, resolved where it stands. False: not ended. */
static bool unquote(struct span *in, struct span *pattern)
{
	static const char from[] = "abfnrtv\\\"", to[] = "\a\b\f\n\r\t\v\\\"";
	char *p = (char *)(uintptr_t)in->p, *out = p;
	size_t i = 1;

	for (; i < in->n && p[i] != '"'; i++) {
		const char *found;

		if (p[i] != '\\') {
			*out++ = p[i];
		} else if (i + 3 < in->n && octal(p + i + 1) >= 0) {
			*out++ = (char)octal(p + i + 1);
			i += 3;
		} else if (++i < in->n && (found = strchr(from, p[i])) != NULL && *found) {
			*out++ = to[found - from];
		} else {
			return false;
		}
	}
	if (i >= in->n)
		return false;
	*pattern = span_make(p, (size_t)(out - p));
	*in = span_sub(*in, i + 1, in->n);
	return true;
}

static void take_line(struct gitattr_file *f, struct span in)
{
	struct line l = { 0 };
	struct span pattern, word;
	bool about = false;

	while (in.n > 0 && is_blank(in.p[0]))
		in = span_sub(in, 1, in.n);
	if (in.n == 0 || in.p[0] == '#' || in.n > LINE_MAX_LEN)
		return;
	if (in.p[0] == '"' ? !unquote(&in, &pattern) : !next_word(&in, &pattern)) {
		f->unsure = true;
		return;
	}
	bool macro = span_starts(pattern, "[attr]");
	while (next_word(&in, &word))
		about = take_word(f, &l, word) || about;
	if (!about || pattern.n == 0 || pattern.p[0] == '!')
		return;
	if (macro) {
		f->unsure = true;
		return;
	}
	/* one that ends with '/' would match folders, which have no attributes */
	if (wild_init(&l.wild, pattern) && !l.wild.folder)
		buf_add(&f->lines, &l, sizeof(l));
}

static struct gitattr_file *file_new(struct span text, struct span prefix, const struct gitattr_file *outer)
{
	struct gitattr_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	buf_init(&f->lines, BUF_MAX_ANY);
	f->outer = outer;
	f->text = malloc(text.n + 1);
	f->prefix = malloc(prefix.n + 1);
	if (f->text == NULL || f->prefix == NULL) {
		gitattr_free(f);
		return NULL;
	}
	if (text.n)
		memcpy(f->text, text.p, text.n);
	if (prefix.n)
		memcpy(f->prefix, prefix.p, prefix.n);
	f->prefix_n = prefix.n;
	return f;
}

struct gitattr_file *gitattr_parse(struct span text, struct span prefix, const struct gitattr_file *outer)
{
	if (span_starts(text, "\xef\xbb\xbf"))
		text = span_sub(text, 3, text.n);
	struct gitattr_file *f = file_new(text, prefix, outer);
	if (f == NULL)
		return NULL;
	struct span rest = span_make(f->text, text.n), line;
	while (span_cut(&rest, '\n', &line))
		take_line(f, line);
	f->unsure = f->unsure || f->lines.failed;
	return f;
}

struct gitattr_file *gitattr_unsure(const struct gitattr_file *outer)
{
	struct gitattr_file *f = file_new(span_of(""), span_of(""), outer);

	if (f)
		f->unsure = true;
	return f;
}

void gitattr_free(struct gitattr_file *f)
{
	if (f == NULL)
		return;
	buf_free(&f->lines);
	free(f->text);
	free(f->prefix);
	free(f);
}

bool gitattr_empty(const struct gitattr_file *f)
{
	for (; f; f = f->outer)
		if (f->unsure || buf_len(&f->lines) > 0)
			return false;
	return true;
}

static void apply(const struct gitattr_file *f, const struct line *l, struct gitattr *out)
{
	for (int i = 0; i < GITATTR_COUNT; i++) {
		if (out->state[i] != GITATTR_SILENT || l->state[i] == GITATTR_SILENT)
			continue;
		out->state[i] = (enum gitattr_state)l->state[i];
		out->value[i] = span_make(f->text + l->value[i], l->value_n[i]);
	}
}

static void ask(const struct gitattr_file *f, struct span path, struct gitattr *out)
{
	const struct line *lines = (const struct line *)(const void *)buf_data(&f->lines);
	struct span below = span_sub(path, f->prefix_n, path.n);

	out->unsure = out->unsure || f->unsure;
	if (path.n < f->prefix_n || memcmp(path.p, f->prefix, f->prefix_n) != 0)
		return;
	for (size_t i = buf_len(&f->lines) / sizeof(*lines); i > 0; i--) {
		enum wild_answer a = wild_match(&lines[i - 1].wild, below);

		out->unsure = out->unsure || a == WILD_UNSURE;
		if (a == WILD_YES)
			apply(f, &lines[i - 1], out);
	}
}

void gitattr_look(const struct gitattr_file *first, const struct gitattr_file *f, struct span path,
    struct gitattr *out)
{
	*out = (struct gitattr){ 0 };
	if (first)
		ask(first, path, out);
	for (; f; f = f->outer)
		ask(f, path, out);
}
