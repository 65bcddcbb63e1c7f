#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "config/value.h"

char *value_printf(const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	buf_init(&b, BUF_MAX_ANY);
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	char *s = b.failed ? NULL : str_dup(buf_cstr(&b));
	buf_free(&b);
	return s;
}

void value_wipe(struct value *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	free(v->shown);
	free(v->path);
	if (!v->is_default) {
		free(v->text);
		free(v->origin);
	}
	*v = (struct value){ 0 };
}

static int no_memory(struct value *v, struct err *e)
{
	value_wipe(v);
	return err_set(e, ERR_INTERNAL, "reading the settings: out of memory");
}

static bool parse_bool(struct span text, int64_t *num)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (span_ieq(text, words[i])) {
			*num = i % 2;
			return true;
		}
	}
	return false;
}

static bool parse_bytes(struct span text, int64_t *num)
{
	uint64_t n;

	if (!span_size(text, &n) || n > INT64_MAX)
		return false;
	*num = (int64_t)n;
	return true;
}

/* Position of the text among "a|b|c". */
static bool parse_word(const char *one_of, struct span text, int64_t *num)
{
	struct span rest = span_of(one_of), word;

	for (*num = 0; span_cut(&rest, '|', &word); ++*num)
		if (span_same(word, text))
			return true;
	return false;
}

/* What is wrong with the text of a scalar setting; NULL: nothing, and *num is set. */
static const char *parse(const struct setting *row, struct span text, int64_t *num)
{
	switch (row->type) {
	case SET_BOOL:
		return parse_bool(text, num) ? NULL : "is neither true nor false";
	case SET_INT:
		return span_i64(text, num) ? NULL : "is no whole number";
	case SET_SECONDS:
		return span_duration(text, num) ? NULL : "is no time (300, 5m, 1h30m)";
	case SET_BYTES:
		return parse_bytes(text, num) ? NULL : "is no size (16777216, 16MiB)";
	case SET_STRING:
		return !row->one_of || parse_word(row->one_of, text, num) ? NULL : "is none of ";
	case SET_LIST:
		break;
	}
	return NULL;
}

static int check(const struct setting *row, struct value *v, const char *where, struct err *e)
{
	bool bounds = row->type == SET_INT || row->type == SET_SECONDS || row->type == SET_BYTES;
	const char *wrong = parse(row, span_of(v->text), &v->num);

	if (wrong)
		return err_set(e, ERR_CONFIG, "%s: %s: '%s' %s%s", where, row->key, v->text, wrong,
		    row->one_of ? row->one_of : "");
	if (bounds && (v->num < row->min || v->num > row->max))
		return err_set(e, ERR_CONFIG, "%s: %s: '%s' is out of bounds (%lld to %lld)", where, row->key,
		    v->text, (long long)row->min, (long long)row->max);
	return 0;
}

/* A proxy's password is nobody's business who looks at the settings. */
static int hide_password(struct value *v)
{
	const char *scheme = strstr(v->text, "://"), *at = strrchr(v->text, '@');
	const char *user = scheme ? scheme + 3 : v->text;

	if (!at || at < user || (!scheme && !memchr(user, ':', (size_t)(at - user))))
		return 0;
	v->shown = value_printf("%.*s***%s", (int)(user - v->text), v->text, at);
	return v->shown ? 0 : ERR_INTERNAL;
}

static int add_item(struct value *v, struct span item)
{
	char **items = realloc(v->items, (v->n + 1) * sizeof *items);

	if (!items)
		return ERR_INTERNAL;
	v->items = items;
	items[v->n] = span_dup(item);
	if (!items[v->n])
		return ERR_INTERNAL;
	v->n++;
	return 0;
}

static int add_items(struct value *v, struct err *e)
{
	struct span rest = span_of(v->text), item;

	while (span_cut(&rest, ',', &item)) {
		item = span_trim(item);
		if (item.n && add_item(v, item) < 0)
			return no_memory(v, e);
	}
	return 0;
}

int value_of_text(const struct setting *row, const char *text, const char *where, struct value *v,
    struct err *e)
{
	*v = (struct value){ .text = str_dup(text) };
	if (!v->text)
		return no_memory(v, e);
	if (row->type == SET_LIST)
		return add_items(v, e);
	int r = check(row, v, where, e);
	if (r < 0)
		value_wipe(v);
	else if (row->type == SET_STRING && hide_password(v) < 0)
		return no_memory(v, e);
	return r;
}

int value_of_default(const struct setting *row, struct value *v, struct err *e)
{
	static char origin[] = "default";

	*v = (struct value){ .text = (char *)(uintptr_t)row->dflt, .origin = origin, .is_default = true };
	return row->type == SET_LIST ? add_items(v, e) : 0;
}

int64_t value_num(const struct setting *row, const struct value *v)
{
	int64_t num = v->num;

	if (v->is_default)
		parse(row, span_of(v->text), &num);
	return num;
}

int value_of_items(const char *const *items, size_t n, struct value *v, struct err *e)
{
	struct buf text;

	*v = (struct value){ 0 };
	buf_init(&text, BUF_MAX_ANY);
	for (size_t i = 0; i < n; i++) {
		if (!*items[i])
			continue;
		buf_adds(&text, v->n ? "," : "");
		buf_adds(&text, items[i]);
		if (add_item(v, span_of(items[i])) < 0)
			text.failed = true;
	}
	v->text = text.failed ? NULL : str_dup(buf_cstr(&text));
	buf_free(&text);
	return v->text ? 0 : no_memory(v, e);
}

static bool has_item(const struct value *v, const char *item)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i], item) == 0)
			return true;
	return false;
}

static bool has_all(const struct value *v, const struct value *of)
{
	for (size_t i = 0; i < of->n; i++)
		if (!has_item(v, of->items[i]))
			return false;
	return true;
}

bool value_same(const struct setting *row, const struct value *a, const struct value *b)
{
	if (row->type == SET_LIST)
		return has_all(a, b) && has_all(b, a);
	if (row->type == SET_STRING)
		return strcmp(a->text, b->text) == 0;
	return value_num(row, a) == value_num(row, b);
}

bool value_lower(const struct setting *row, const struct value *from, const struct value *to)
{
	return row->type == SET_LIST ? has_all(from, to) : value_num(row, to) < value_num(row, from);
}

bool value_higher(const struct setting *row, const struct value *from, const struct value *to)
{
	return row->type == SET_LIST ? has_all(to, from) : value_num(row, to) > value_num(row, from);
}
