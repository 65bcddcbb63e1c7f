#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/err.h"
#include "base/yaml.h"

/* Rows repeat the keys above them: without a limit 64 KiB of text could become a gigabyte of rows. */
#define KEY_MAX 256

struct seen_key {
	char *path;
	unsigned line, column;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t ev;
	bool have;		/* `ev` is to be deleted */
	const char *name;
	struct err *err;
	struct yaml_rows *out;
	size_t room;
	struct seen_key *keys;
	size_t nkeys, keys_room;
	char path[KEY_MAX];
	size_t len;
	unsigned depth;
};

static int bad(struct reader *r, yaml_mark_t at, const char *what)
{
	return err_set(r->err, ERR_CONFIG, "%s line %zu column %zu: %s", r->name, at.line + 1, at.column + 1,
	    what);
}

static int no_memory(struct reader *r)
{
	return err_set(r->err, ERR_INTERNAL, "reading %s: out of memory", r->name);
}

static int syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(r);
	const char *what = p->problem ? p->problem : "not YAML";
	if (p->error == YAML_READER_ERROR)
		return err_set(r->err, ERR_CONFIG, "%s byte %zu: %s", r->name, p->problem_offset, what);
	return bad(r, p->problem_mark, what);
}

static void drop_event(struct reader *r)
{
	if (r->have)
		yaml_event_delete(&r->ev);
	r->have = false;
}

static int next_event(struct reader *r)
{
	drop_event(r);
	if (!yaml_parser_parse(&r->parser, &r->ev))
		return syntax_error(r);
	r->have = true;
	return 0;
}

static bool is(const struct reader *r, yaml_event_type_t type)
{
	return r->ev.type == type;
}

/* What would make a file mean something else than it shows. */
static int refuse_extras(struct reader *r)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (is(r, YAML_ALIAS_EVENT))
		return bad(r, r->ev.start_mark, "aliases are not supported");
	if (is(r, YAML_SCALAR_EVENT)) {
		anchor = r->ev.data.scalar.anchor;
		tag = r->ev.data.scalar.tag;
	} else if (is(r, YAML_MAPPING_START_EVENT)) {
		anchor = r->ev.data.mapping_start.anchor;
		tag = r->ev.data.mapping_start.tag;
	} else if (is(r, YAML_SEQUENCE_START_EVENT)) {
		anchor = r->ev.data.sequence_start.anchor;
		tag = r->ev.data.sequence_start.tag;
	}
	if (anchor)
		return bad(r, r->ev.start_mark, "anchors are not supported");
	return tag ? bad(r, r->ev.start_mark, "tags are not supported") : 0;
}

/* The next event that may be part of the content. */
static int next_part(struct reader *r)
{
	int rc = next_event(r);

	return rc < 0 ? rc : refuse_extras(r);
}

static struct span scalar(const struct reader *r)
{
	return span_make(r->ev.data.scalar.value, r->ev.data.scalar.length);
}

static bool is_plain(const struct reader *r)
{
	return r->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool is_null(struct span s)
{
	return s.n == 0 || span_eq(s, "~") || span_eq(s, "null") || span_eq(s, "Null") || span_eq(s, "NULL");
}

/* Room for one more in an array that doubles. */
static bool more(void **array, size_t size, size_t n, size_t *room)
{
	if (n < *room)
		return true;
	size_t want = *room ? 2 * *room : 32;
	void *p = reallocarray(*array, want, size);
	if (!p)
		return false;
	*array = p;
	*room = want;
	return true;
}

static int add_row(struct reader *r, struct span value, int item, yaml_mark_t at)
{
	void *rows = r->out->rows;

	if (!more(&rows, sizeof *r->out->rows, r->out->n, &r->room))
		return no_memory(r);
	r->out->rows = rows;
	struct yaml_row *row = &r->out->rows[r->out->n];
	*row = (struct yaml_row){
		.item = item, .line = (unsigned)at.line + 1, .column = (unsigned)at.column + 1
	};
	row->key = span_dup(span_make(r->path, r->len));
	row->value = span_dup(value);
	if (!row->key || !row->value) {
		free(row->key);
		free(row->value);
		return no_memory(r);
	}
	r->out->n++;
	return 0;
}

/* The scalar that has just come, as the value of the key in `path`. */
static int on_scalar(struct reader *r, int item, yaml_mark_t at)
{
	struct span value = scalar(r);
	bool null = is_plain(r) && is_null(value);

	if (span_chr(value, '\0') >= 0)
		return bad(r, r->ev.start_mark, "a NUL character in a value");
	int rc = add_row(r, null ? span_of("") : value, item, at);
	if (rc < 0)
		return rc;
	r->out->rows[r->out->n - 1].null = null;
	r->out->rows[r->out->n - 1].quoted = !is_plain(r);
	return 0;
}

static int on_sequence(struct reader *r, yaml_mark_t at)
{
	int item = 0;

	for (;; item++) {
		int rc = next_part(r);
		if (rc < 0)
			return rc;
		if (is(r, YAML_SEQUENCE_END_EVENT))
			break;
		if (!is(r, YAML_SCALAR_EVENT))
			return bad(r, r->ev.start_mark, "a list may hold only plain values");
		rc = on_scalar(r, item, r->ev.start_mark);
		if (rc < 0)
			return rc;
	}
	return item ? 0 : add_row(r, span_of(""), -1, at);
}

/* Append the scalar that has just come to `path`. */
static int on_key(struct reader *r)
{
	struct span key = scalar(r);
	yaml_mark_t at = r->ev.start_mark;
	void *keys = r->keys;

	if (key.n == 0)
		return bad(r, at, "an empty key");
	if (is_plain(r) && span_eq(key, "<<"))
		return bad(r, at, "merge keys are not supported");
	if (span_chr(key, '\0') >= 0)
		return bad(r, at, "a NUL character in a key");
	if (r->len + (r->len > 0) + key.n >= sizeof r->path)
		return bad(r, at, "the key is too long");
	if (r->len)
		r->path[r->len++] = '.';
	memcpy(r->path + r->len, key.p, key.n);
	r->len += key.n;
	if (!more(&keys, sizeof *r->keys, r->nkeys, &r->keys_room))
		return no_memory(r);
	r->keys = keys;
	char *path = span_dup(span_make(r->path, r->len));
	if (!path)
		return no_memory(r);
	r->keys[r->nkeys++] = (struct seen_key){ path, (unsigned)at.line, (unsigned)at.column };
	return 0;
}

static int on_mapping(struct reader *r);

static int on_value(struct reader *r, yaml_mark_t key_at)
{
	int rc = next_part(r);

	if (rc < 0)
		return rc;
	if (is(r, YAML_SCALAR_EVENT))
		return on_scalar(r, -2, key_at);
	if (++r->depth > YAML_DEPTH)
		return bad(r, r->ev.start_mark, "nested too deeply");
	rc = is(r, YAML_SEQUENCE_START_EVENT) ? on_sequence(r, key_at) : on_mapping(r);
	r->depth--;
	return rc;
}

/* Recursion is bounded by YAML_DEPTH. */
static int on_mapping(struct reader *r)
{
	size_t len = r->len;

	for (;;) {
		int rc = next_part(r);
		if (rc < 0)
			return rc;
		if (is(r, YAML_MAPPING_END_EVENT))
			return 0;
		yaml_mark_t at = r->ev.start_mark;
		if (!is(r, YAML_SCALAR_EVENT))
			return bad(r, at, "a key must be a plain word");
		rc = on_key(r);
		if (rc < 0)
			return rc;
		rc = on_value(r, at);
		if (rc < 0)
			return rc;
		r->len = len;
	}
}

static int on_document(struct reader *r)
{
	int rc = next_part(r);

	if (rc < 0)
		return rc;
	if (is(r, YAML_SCALAR_EVENT) && is_plain(r) && is_null(scalar(r)))
		return next_event(r);
	if (!is(r, YAML_MAPPING_START_EVENT))
		return bad(r, r->ev.start_mark, "the file must hold keys with values");
	r->depth = 1;
	rc = on_mapping(r);
	return rc < 0 ? rc : next_event(r);
}

static int on_stream(struct reader *r)
{
	int rc = next_event(r);

	if (rc == 0)
		rc = next_event(r);
	if (rc == 0 && is(r, YAML_DOCUMENT_START_EVENT)) {
		rc = on_document(r);
		if (rc == 0)
			rc = next_event(r);
	}
	if (rc == 0 && !is(r, YAML_STREAM_END_EVENT))
		return bad(r, r->ev.start_mark, "more than one document");
	return rc;
}

static int by_path(const void *a, const void *b)
{
	const struct seen_key *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	if (r == 0)
		r = (x->line > y->line) - (x->line < y->line);
	return r ? r : (x->column > y->column) - (x->column < y->column);
}

/* At the end, sorted: a search at each key would take half a second for 64 KiB of them. */
static int refuse_duplicates(struct reader *r)
{
	const struct seen_key *k = r->keys;

	if (r->nkeys == 0)
		return 0;
	qsort(r->keys, r->nkeys, sizeof *r->keys, by_path);
	for (size_t i = 1; i < r->nkeys; i++)
		if (strcmp(k[i - 1].path, k[i].path) == 0)
			return err_set(r->err, ERR_CONFIG,
			    "%s line %u column %u: the key '%s' is there already, in line %u", r->name,
			    k[i].line + 1, k[i].column + 1, k[i].path, k[i - 1].line + 1);
	return 0;
}

static int read_rows(struct reader *r, struct span text)
{
	if (!yaml_parser_initialize(&r->parser))
		return no_memory(r);
	/* Without it libyaml guesses UTF-16 from the first bytes. */
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const yaml_char_t *)(text.n ? text.p : ""), text.n);
	int rc = on_stream(r);
	if (rc == 0)
		rc = refuse_duplicates(r);
	drop_event(r);
	yaml_parser_delete(&r->parser);
	for (size_t i = 0; i < r->nkeys; i++)
		free(r->keys[i].path);
	free(r->keys);
	return rc;
}

int yaml_parse(struct span text, const char *name, struct yaml_rows *out, struct err *e)
{
	struct reader r = { .name = name, .err = e, .out = out };

	*out = (struct yaml_rows){ NULL, 0 };
	if (text.n > YAML_FILE_MAX)
		return err_set(e, ERR_CONFIG, "%s: larger than %zu bytes", name, YAML_FILE_MAX);
	int rc = read_rows(&r, text);
	if (rc < 0)
		yaml_rows_free(out);
	return rc;
}

void yaml_rows_free(struct yaml_rows *y)
{
	for (size_t i = 0; i < y->n; i++) {
		free(y->rows[i].key);
		free(y->rows[i].value);
	}
	free(y->rows);
	*y = (struct yaml_rows){ NULL, 0 };
}
