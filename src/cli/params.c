#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/params.h"
#include "http/url.h"

static const char *repository(void)
{
	const char *r = getenv("GH_REPO");

	return r != NULL && r[0] != '\0' ? r : getenv("GITHUB_REPOSITORY");
}

/* The value of one placeholder; p == NULL: it is none of ours. */
static int placeholder(struct span name, struct span *value, struct err *err)
{
	struct span repo = span_of(repository());
	ptrdiff_t slash = span_chr(repo, '/');

	*value = (struct span){ NULL, 0 };
	if (span_eq(name, "{branch}")) {
		*value = span_of(getenv("GITHUB_REF_NAME"));
		if (value->n == 0)
			return err_set(err, ERR_USAGE, "{branch} needs GITHUB_REF_NAME");
	} else if (span_eq(name, "{owner}") || span_eq(name, "{repo}")) {
		if (slash <= 0)
			return err_set(err, ERR_USAGE,
			    "%.*s needs GH_REPO or GITHUB_REPOSITORY to name owner/repo", (int)name.n,
			    name.p);
		*value = span_eq(name, "{owner}") ? span_sub(repo, 0, (size_t)slash)
						  : span_sub(repo, (size_t)slash + 1, repo.n);
	}
	return 0;
}

int params_expand(struct span text, struct buf *out, struct err *err)
{
	ptrdiff_t open;

	while ((open = span_chr(text, '{')) >= 0) {
		struct span rest = span_sub(text, (size_t)open, text.n), name, value;
		ptrdiff_t close = span_chr(rest, '}');

		if (close < 0)
			break;
		name = span_sub(rest, 0, (size_t)close + 1);
		if (placeholder(name, &value, err) != 0)
			return ERR_USAGE;
		if (value.p == NULL)
			name.n = 1; /* a brace of something else, which may hold one of ours: GraphQL */
		buf_add(out, text.p, (size_t)open);
		buf_addspan(out, value.p != NULL ? value : span_of("{"));
		text = span_sub(rest, name.n, rest.n);
	}
	buf_addspan(out, text);
	return 0;
}

static int read_stdin(struct buf *b, struct err *err)
{
	ssize_t n;

	do {
		uint8_t *p = buf_reserve(b, 65536);

		if (p == NULL)
			return err_set(err, ERR_LIMIT, "standard input is larger than %zu bytes", b->max);
		n = read(STDIN_FILENO, p, 65536);
		if (n > 0)
			buf_commit(b, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? err_sys(err, ERR_IO, "reading standard input") : 0;
}

int params_read_file(const char *path, struct buf *b, struct err *err)
{
	return strcmp(path, "-") == 0 ? read_stdin(b, err) : file_read(path, PARAMS_MAX, true, b, err);
}

static int split(const char *text, struct span *key, struct span *value, struct err *err)
{
	*value = span_of(text);
	if (span_chr(*value, '=') <= 0)
		return err_set(err, ERR_USAGE, "a field is written key=value, not '%s'", text);
	span_cut(value, '=', key);
	return 0;
}

/* Is the option -F, whose values have types? */
static bool is_typed(const struct opt *o)
{
	return o->letter == 'F';
}

/* The text a typed value stands for: of a file, or with its placeholders filled in. */
static int resolve(struct span v, struct buf *out, struct err *err)
{
	char path[4096];

	if (!span_starts(v, "@"))
		return params_expand(v, out, err);
	if (!span_copy(path, sizeof(path), span_sub(v, 1, v.n)))
		return err_set(err, ERR_USAGE, "a file name that is too long");
	return params_read_file(path, out, err);
}

static int put_typed(struct json *o, const char *key, struct span v, struct err *err)
{
	struct buf b;
	int64_t n;
	int rc = 0;

	if (span_eq(v, "true") || span_eq(v, "false")) {
		json_put_bool(o, key, span_eq(v, "true"));
	} else if (span_eq(v, "null")) {
		json_put_null(o, key);
	} else if (span_i64(v, &n)) {
		json_put_int(o, key, n);
	} else {
		buf_init(&b, PARAMS_MAX);
		rc = resolve(v, &b, err);
		if (rc == 0)
			json_put_span(o, key, buf_span(&b));
		buf_free(&b);
	}
	return rc;
}

static int put_value(struct json *o, const char *key, struct span v, bool typed, struct err *err)
{
	if (typed)
		return put_typed(o, key, v, err);
	json_put_span(o, key, v);
	return 0;
}

/* "[sub]" or "[]" off the front of what follows the first name. */
static bool cut_bracket(struct span *rest, struct span *name)
{
	ptrdiff_t close = span_chr(*rest, ']');

	if (rest->n < 2 || rest->p[0] != '[' || close < 0)
		return false;
	*name = span_sub(*rest, 1, (size_t)close - 1);
	*rest = span_sub(*rest, (size_t)close + 1, rest->n);
	return true;
}

/* The container that `key` of `o` is, made where it is missing; NULL: it is already something else. */
static struct json *container(struct json *o, const char *key, bool array)
{
	struct json *c = key != NULL ? json_get(o, key) : NULL;

	if (c == NULL)
		return array ? json_put_array(o, key) : json_put_object(o, key);
	return (array ? json_is_array(c) : json_is_object(c)) ? c : NULL;
}

/* An object in an array: the last one, or a new one once that has this key (gh: "a[][x]=1 a[][y]=2 a[][x]=3"
 * are two). */
static struct json *array_object(struct json *array, const char *key)
{
	struct json *last = json_last(array);

	if (last == NULL || !json_is_object(last) || json_get(last, key) != NULL)
		last = json_put_object(array, NULL);
	return last;
}

static int put_field(struct json *root, struct span key, struct span value, bool typed, struct err *err)
{
	ptrdiff_t open = span_chr(key, '[');
	struct span rest = open < 0 ? span_sub(key, key.n, 0) : span_sub(key, (size_t)open, key.n), sub;
	char name[256], next[256];
	struct json *o = root;
	bool in_array = false;

	if (!span_copy(name, sizeof(name), open < 0 ? key : span_sub(key, 0, (size_t)open)) ||
	    name[0] == '\0')
		goto malformed;
	while (rest.n > 0) {
		if (!cut_bracket(&rest, &sub) || !span_copy(next, sizeof(next), sub))
			goto malformed;
		o = container(o, in_array ? NULL : name, sub.n == 0);
		if (o == NULL)
			return err_set(err, ERR_USAGE,
			    "the field '%.*s' is used as two different kinds of value", (int)key.n, key.p);
		in_array = sub.n == 0;
		if (in_array && rest.n > 0 && cut_bracket(&rest, &sub) &&
		    span_copy(next, sizeof(next), sub) && sub.n > 0) {
			o = array_object(o, next);
			in_array = false;
		}
		memcpy(name, next, sizeof(name));
	}
	return put_value(o, in_array ? NULL : name, value, typed, err);
malformed:
	return err_set(err, ERR_USAGE, "the field name '%.*s' is malformed", (int)key.n, key.p);
}

int params_body(const struct opt_list *l, bool graphql, struct span cursor, struct buf *body, struct err *err)
{
	struct json *root = json_object(), *variables = graphql ? json_put_object(root, "variables") : root;
	struct span key, value;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->n; i++) {
		bool own;

		rc = split(l->item[i].value, &key, &value, err);
		if (rc != 0)
			break;
		own = graphql && (span_eq(key, "query") || span_eq(key, "operationName"));
		rc = put_field(own ? root : variables, key, value, is_typed(l->item[i].opt), err);
	}
	if (rc == 0 && cursor.p != NULL)
		json_put_span(variables, "endCursor", cursor);
	if (rc == 0 && json_print(root, false, body) != 0)
		rc = err_set(err, ERR_INTERNAL, "no memory for the request's body");
	json_free(root);
	return rc;
}

/* As gh: null is empty, files and placeholders are resolved, everything else stands as it was typed. */
static int query_value(const struct opt *o, struct span v, struct buf *target, struct err *err)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, PARAMS_MAX);
	if (!is_typed(o))
		buf_addspan(&b, v);
	else if (!span_eq(v, "null"))
		rc = resolve(v, &b, err);
	url_encode(target, buf_span(&b));
	buf_free(&b);
	return rc;
}

int params_query(const struct opt_list *l, struct buf *target, struct err *err)
{
	struct span key, value;
	bool first = span_chr(buf_span(target), '?') < 0;

	for (size_t i = 0; i < l->n; i++) {
		if (split(l->item[i].value, &key, &value, err) != 0)
			return ERR_USAGE;
		buf_addc(target, first ? '?' : '&');
		url_encode(target, key);
		buf_addc(target, '=');
		if (query_value(l->item[i].opt, value, target, err) != 0)
			return err->cls;
		first = false;
	}
	return 0;
}
