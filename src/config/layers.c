#include <assert.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/yaml.h"
#include "config/layers.h"
#include "config/table.h"
#include "config/value.h"

enum source { FROM_HOST, FROM_CHECKOUT, FROM_ENV, FROM_FLAG };

struct settings {
	struct value *values;	/* one a row of the table, in its order */
	size_t n;
	char *home;		/* NULL: none */
	char *cache_home;	/* XDG_CACHE_HOME, or NULL */
	char *checkout;		/* resolved parent of config_dir, or NULL */
	const char *const *only;
	void (*warn)(const char *);
};

/* Where a value stands, for sentences and for settings_origin. */
struct place {
	enum source source;
	const char *where;
	const char *origin;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "reading the settings: out of memory");
}

static void warn(const struct settings *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void warn(const struct settings *s, const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	if (!s->warn)
		return;
	buf_init(&b, 4096);
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	s->warn(b.failed ? fmt : buf_cstr(&b));
	buf_free(&b);
}

/* ---- folders ---- */

static bool below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return n > 0 && strncmp(path, folder, n) == 0 &&
	    (path[n] == '/' || path[n] == '\0' || folder[n - 1] == '/');
}

/* The path with the links of what exists of it resolved; NULL: no memory, or not even / exists. */
static char *resolve(const char *path)
{
	char *head = str_dup(path), *real = NULL, *whole = NULL;
	size_t n = strlen(path);

	while (head && !(real = realpath(n ? head : "/", NULL)) && n > 0) {
		while (n > 0 && head[n - 1] != '/')
			n--;
		while (n > 0 && head[n - 1] == '/')
			n--;
		head[n] = '\0';
	}
	if (real)
		whole = value_printf("%s%s", strcmp(real, "/") == 0 ? "" : real, path + n);
	free(head);
	free(real);
	return whole;
}

static bool is_plain(const char *path)
{
	struct span rest = span_of(path), part;

	while (span_cut(&rest, '/', &part))
		if (span_eq(part, ".."))
			return false;
	return path[0] == '/';
}

static bool in_home(const struct settings *s, const char *path)
{
	if (!path || !s->home || !is_plain(path) || !below(path, s->home))
		return false;
	if (!s->checkout)
		return true;
	char *real = resolve(path);
	bool forged = !real || below(real, s->checkout);
	free(real);
	return !forged;
}

/* Fill in `path`. A file that repeats the default means the default, with XDG_CACHE_HOME. */
static int expand(const struct settings *s, const struct setting *row, enum source source, struct value *v)
{
	static const char cache[] = "~/.cache/";

	if (row->type != SET_STRING || strncmp(v->text, "~/", 2) != 0)
		return 0;
	bool is_default = source <= FROM_CHECKOUT && strcmp(v->text, row->dflt) == 0;
	if (is_default && s->cache_home && strncmp(v->text, cache, sizeof cache - 1) == 0)
		v->path = value_printf("%s/%s", s->cache_home, v->text + sizeof cache - 1);
	else if (s->home)
		v->path = value_printf("%s%s", strcmp(s->home, "/") == 0 ? "" : s->home, v->text + 1);
	else
		return 0;
	return v->path ? 0 : ERR_INTERNAL;
}

/* ---- trust ---- */

/* May a file of the checkout put `to` in the place of `from`? */
static bool trusted(const struct settings *s, const struct setting *row, const struct value *from,
    const struct value *to)
{
	if (value_same(row, from, to))
		return true;
	switch (row->trust) {
	case TRUST_FREE:
		return true;
	case TRUST_LOWER:
		return value_lower(row, from, to);
	case TRUST_TRUE:
		return value_higher(row, from, to);
	case TRUST_HOME:
		return in_home(s, to->path ? to->path : to->text);
	case TRUST_NEVER:
		return false;
	}
	return false;
}

/* May the value be taken? If not, it has been said why. */
static bool admit(const struct settings *s, const struct setting *row, const struct value *from,
    const struct value *to, const struct place *at)
{
	bool same = value_same(row, from, to);

	if (row->state == SETS_FIXED && !same) {
		warn(s, "%s: %s cannot be changed; it stays '%s'", at->where, row->key, from->text);
		return false;
	}
	if (row->state == SETS_UNABLE && (row->type == SET_BOOL ? value_num(row, to) != 0 : !same)) {
		warn(s, "%s: %s = '%s' cannot be honoured: %s", at->where, row->key, to->text, row->help);
		return false;
	}
	if (at->source == FROM_CHECKOUT && !trusted(s, row, from, to)) {
		warn(s,
		    "%s: %s = '%s' would loosen it and is ignored here: use the environment or /etc/ghoard",
		    at->where, row->key, to->text);
		return false;
	}
	return true;
}

/* Takes over what `to` holds, also when it fails. */
static int put(struct settings *s, size_t i, struct value *to, const struct place *at, struct err *e)
{
	const struct setting *row = table_at(i);
	struct value *v = &s->values[i];

	if (expand(s, row, at->source, to) < 0)
		goto fail;
	if (!admit(s, row, v, to, at)) {
		value_wipe(to);
		return 0;
	}
	to->origin = str_dup(at->origin);
	if (!to->origin)
		goto fail;
	to->from_checkout = at->source == FROM_CHECKOUT;
	value_wipe(v);
	*v = *to;
	return 0;
fail:
	value_wipe(to);
	return no_memory(e);
}

static size_t index_of(const char *key)
{
	const struct setting *row = table_find(key);

	assert(row);
	return (size_t)(row - table_at(0));
}

/* ---- files ---- */

struct file {
	const char *path;
	enum setting_file kind;
	enum source source;
};

static int bad_key(const struct file *f, const struct yaml_row *y, const struct setting *row, struct err *e)
{
	if (table_is_section(y->key))
		return err_set(e, ERR_CONFIG,
		    "%s line %u column %u: '%s' is a section: its settings stand below it", f->path, y->line,
		    y->column, y->key);
	if (row && row->file == SETF_NONE)
		return err_set(e, ERR_CONFIG,
		    "%s line %u column %u: '%s' is set by the environment alone (%s)", f->path, y->line,
		    y->column, y->key, row->env[0]);
	if (row)
		return err_set(e, ERR_CONFIG, "%s line %u column %u: '%s' belongs in %s", f->path, y->line,
		    y->column, y->key, row->file == SETF_P2P ? "p2p-config.yml" : "cache-config.yml");
	row = table_nearest(y->key);
	return err_set(e, ERR_CONFIG, "%s line %u column %u: unknown key '%s'%s%s%s", f->path, y->line,
	    y->column, y->key, row ? "; did you mean '" : "", row ? row->key : "", row ? "'?" : "");
}

static int check_shape(const struct setting *row, const struct yaml_row *y, const char *where, struct err *e)
{
	bool sequence = y->item >= -1;

	if (sequence && row->type != SET_LIST)
		return err_set(e, ERR_CONFIG, "%s: %s takes one value, not a list", where, row->key);
	if (!sequence && row->type == SET_LIST)
		return err_set(e, ERR_CONFIG, "%s: %s takes a list: write [%s]", where, row->key, y->value);
	return 0;
}

static int value_of_rows(const struct yaml_row *y, size_t n, struct value *v, struct err *e)
{
	const char **items = calloc(n, sizeof *items);

	if (!items)
		return no_memory(e);
	for (size_t i = 0; i < n; i++)
		items[i] = y[i].value;
	int r = value_of_items(items, n, v, e);
	free(items);
	return r;
}

/* One key: a scalar, or the `n` rows of a sequence. */
static int on_key(struct settings *s, const struct file *f, const struct yaml_row *y, size_t n, struct err *e)
{
	const struct setting *row = table_find(y->key);
	struct value v;
	int r;

	if (!row && y->null && table_is_section(y->key))
		return 0;
	if (!row || (row->file != f->kind && row->file != SETF_BOTH))
		return bad_key(f, y, row, e);
	if ((y->null && y->item == -2) || !s->values[index_of(y->key)].text)
		return 0;
	char *where = value_printf("%s line %u column %u", f->path, y->line, y->column);
	char *origin = value_printf("%s:%u", f->path, y->line);
	struct place at = { f->source, where, origin };
	if (!where || !origin)
		r = no_memory(e);
	else
		r = check_shape(row, y, where, e);
	if (r == 0)
		r = row->type == SET_LIST ? value_of_rows(y, n, &v, e)
					  : value_of_text(row, y->value, where, &v, e);
	if (r == 0)
		r = put(s, index_of(y->key), &v, &at, e);
	free(where);
	free(origin);
	return r;
}

static int on_rows(struct settings *s, const struct file *f, const struct yaml_rows *y, struct err *e)
{
	for (size_t i = 0, n; i < y->n; i += n) {
		for (n = 1; i + n < y->n && strcmp(y->rows[i].key, y->rows[i + n].key) == 0; n++)
			;
		int r = on_key(s, f, &y->rows[i], n, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_file(struct settings *s, const struct file *f, struct err *e)
{
	struct yaml_rows rows;
	struct err why;
	struct buf text;

	err_init(&why);
	buf_init(&text, YAML_FILE_MAX);
	/* A link in the checkout would print lines of any file of this machine into the log as "unknown
	 * keys". */
	int r = file_read(f->path, YAML_FILE_MAX, f->source == FROM_HOST, &text, &why);
	if (r == ERR_NOTFOUND)
		r = 0;
	else if (r < 0)
		r = err_set(e, r == ERR_INTERNAL ? r : ERR_CONFIG, "%s", why.msg);
	else if ((r = yaml_parse(buf_span(&text), f->path, &rows, e)) == 0) {
		r = on_rows(s, f, &rows, e);
		yaml_rows_free(&rows);
	}
	buf_free(&text);
	return r;
}

static int read_dir(struct settings *s, const char *dir, enum source source, struct err *e)
{
	static const struct {
		const char *base;
		enum setting_file kind;
	} files[] = { { "p2p-config.yml", SETF_P2P }, { "cache-config.yml", SETF_CACHE } };

	for (size_t i = 0; dir && i < sizeof files / sizeof files[0]; i++) {
		char *path = value_printf("%s/%s", dir, files[i].base);
		if (!path)
			return no_memory(e);
		struct file f = { path, files[i].kind, source };
		int r = read_file(s, &f, e);
		free(path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the other layers ---- */

static bool is_wanted(const struct settings *s, const struct setting *row)
{
	bool wanted = !s->only;

	for (size_t i = 0; !wanted && s->only[i]; i++)
		wanted = strncmp(row->key, s->only[i], strlen(s->only[i])) == 0;
	return wanted;
}

static int set_defaults(struct settings *s, struct err *e)
{
	const struct setting *row;

	for (size_t i = 0; (row = table_at(i)); i++) {
		struct value *v = &s->values[i];
		int r = 0;
		if (!is_wanted(s, row))
			continue;
		r = value_of_default(row, v, e);
		if (r < 0)
			return r;
		if (expand(s, row, FROM_HOST, v) < 0)
			return no_memory(e);
	}
	return 0;
}

static const char *variable(const struct settings_params *p, const char *name)
{
	const char *text = p->env ? p->env(name) : getenv(name);

	return text && *text ? text : NULL;
}

static int set_variable(struct settings *s, size_t i, const char *name, const char *text, struct err *e)
{
	char *where = value_printf("environment %s", name);
	struct place at = { FROM_ENV, where, where };
	struct value v;
	int r = where ? value_of_text(table_at(i), text, where, &v, e) : no_memory(e);

	if (r == 0)
		r = put(s, i, &v, &at, e);
	free(where);
	return r;
}

static int read_environment(struct settings *s, const struct settings_params *p, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *const *env = table_at(i)->env;
		if (!s->values[i].text)
			continue;
		for (size_t k = 0; k < 3 && env[k]; k++) {
			const char *text = variable(p, env[k]);
			if (!text)
				continue;
			int r = set_variable(s, i, env[k], text, e);
			if (r < 0)
				return r;
			break;
		}
	}
	return 0;
}

static char *home_of(const struct settings_params *p)
{
	const char *home = variable(p, "HOME");

	if (home && home[0] == '/')
		return str_dup(home);
	struct passwd *pw = getpwuid(geteuid());
	return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? str_dup(pw->pw_dir) : NULL;
}

static char *parent_of(const char *dir)
{
	char *path = str_dup(dir), *parent = NULL;
	size_t n = path ? strlen(path) : 0;

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	if (path) {
		path[n] = '\0';
		parent = realpath(n ? path : ".", NULL);
	}
	free(path);
	return parent;
}

static struct settings *settings_new(const struct settings_params *p)
{
	struct settings *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	while (table_at(s->n))
		s->n++;
	s->values = calloc(s->n, sizeof *s->values);
	if (!s->values) {
		free(s);
		return NULL;
	}
	const char *xdg = variable(p, "XDG_CACHE_HOME");
	s->home = home_of(p);
	s->cache_home = xdg && xdg[0] == '/' ? str_dup(xdg) : NULL;
	s->checkout = p->config_dir ? parent_of(p->config_dir) : NULL;
	s->warn = p->warn;
	s->only = p->only;
	return s;
}

int settings_load(const struct settings_params *p, struct settings **out, struct err *e)
{
	struct settings *s = settings_new(p);
	int r;

	*out = NULL;
	if (!s)
		return no_memory(e);
	if ((r = set_defaults(s, e)) < 0 || (r = read_dir(s, p->host_dir, FROM_HOST, e)) < 0 ||
	    (r = read_dir(s, p->config_dir, FROM_CHECKOUT, e)) < 0 || (r = read_environment(s, p, e)) < 0) {
		settings_free(s);
		return r;
	}
	*out = s;
	return 0;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->values[i].text)
			value_wipe(&s->values[i]);
	free(s->values);
	free(s->home);
	free(s->cache_home);
	free(s->checkout);
	free(s);
}

int settings_override(struct settings *s, const char *key, const char *value, const char *flag, struct err *e)
{
	size_t i = index_of(key);
	struct place at = { FROM_FLAG, flag, flag };
	struct value v;
	int r = value_of_text(table_at(i), value, flag, &v, e);

	return r < 0 ? r : put(s, i, &v, &at, e);
}

/* ---- answers ---- */

static const struct value *value_at(const struct settings *s, const char *key)
{
	const struct value *v = &s->values[index_of(key)];

	assert(v->text);
	return v;
}

bool settings_bool(const struct settings *s, const char *key)
{
	const struct setting *row = table_find(key);

	return row->state != SETS_UNABLE && value_num(row, value_at(s, key)) != 0;
}

int64_t settings_int(const struct settings *s, const char *key)
{
	return value_num(table_find(key), value_at(s, key));
}

const char *settings_str(const struct settings *s, const char *key)
{
	const struct value *v = value_at(s, key);

	return strncmp(v->text, "~/", 2) == 0 ? v->path : v->text;
}

size_t settings_list(const struct settings *s, const char *key, const char *const **items)
{
	const struct value *v = value_at(s, key);

	*items = (const char *const *)v->items;
	return v->n;
}

const char *settings_text(const struct settings *s, const char *key)
{
	const struct value *v = value_at(s, key);

	return v->shown ? v->shown : v->text;
}

const char *settings_origin(const struct settings *s, const char *key)
{
	return value_at(s, key)->origin;
}

bool settings_from_checkout(const struct settings *s, const char *key)
{
	return value_at(s, key)->from_checkout;
}
