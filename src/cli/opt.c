#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/opt.h"

struct parser {
	const struct opt_set *sets;
	size_t nsets;
	struct opt_args *args;
	struct err *err;
};

static const struct opt *find_long(const struct parser *p, struct span name, void **values)
{
	for (size_t s = 0; s < p->nsets; s++)
		for (const struct opt *o = p->sets[s].opts; o != NULL && o->name != NULL; o++)
			if (span_eq(name, o->name)) {
				*values = p->sets[s].values;
				return o;
			}
	return NULL;
}

static const struct opt *find_letter(const struct parser *p, char c, void **values)
{
	for (size_t s = 0; s < p->nsets; s++)
		for (const struct opt *o = p->sets[s].opts; o != NULL && o->name != NULL; o++)
			if (o->letter == c) {
				*values = p->sets[s].values;
				return o;
			}
	return NULL;
}

static int unknown(const struct parser *p, struct span name)
{
	const char *near = NULL;
	size_t best = 3;

	for (size_t s = 0; s < p->nsets; s++)
		for (const struct opt *o = p->sets[s].opts; o != NULL && o->name != NULL; o++) {
			size_t d = span_distance(name, span_of(o->name), best);

			if (d < best) {
				best = d;
				near = o->name;
			}
		}
	if (near != NULL)
		return err_set(p->err, ERR_USAGE, "unknown option --%.*s; did you mean --%s?", (int)name.n,
		    name.p, near);
	return err_set(p->err, ERR_USAGE, "unknown option --%.*s", (int)name.n, name.p);
}

static int add_item(const struct parser *p, const struct opt *o, struct opt_list *l, const char *value)
{
	if (l->n == OPT_LIST_MAX)
		return err_set(p->err, ERR_USAGE, "--%s is given more than %d times", o->name, OPT_LIST_MAX);
	l->item[l->n].opt = o;
	l->item[l->n++].value = value;
	return 0;
}

static int set(const struct parser *p, const struct opt *o, void *values, const char *value)
{
	void *at = (char *)values + o->at;
	bool *flag = at;
	const char **text = at;
	int64_t *seconds = at;

	switch (o->kind) {
	case OPT_FLAG:
		*flag = true;
		return 0;
	case OPT_TEXT:
		if (*text != NULL)
			return err_set(p->err, ERR_USAGE, "--%s is given twice", o->name);
		*text = value;
		return 0;
	case OPT_SECONDS:
		if (*seconds != OPT_UNSET)
			return err_set(p->err, ERR_USAGE, "--%s is given twice", o->name);
		if (!span_duration(span_of(value), seconds))
			return err_set(p->err, ERR_USAGE,
			    "--%s takes seconds or a duration like 5m, not '%s'", o->name, value);
		return 0;
	case OPT_LIST:
		return add_item(p, o, at, value);
	}
	return err_set(p->err, ERR_INTERNAL, "an option of no kind");
}

/* Uses 1 or 2 arguments; the number, or a negative class. */
static int take_long(const struct parser *p, const char *text, const char *next)
{
	struct span name = span_of(text);
	ptrdiff_t eq = span_chr(name, '=');
	const char *value = eq >= 0 ? text + eq + 1 : next;
	void *values;
	const struct opt *o;
	int rc;

	if (eq >= 0)
		name.n = (size_t)eq;
	o = find_long(p, name, &values);
	if (o == NULL)
		return unknown(p, name);
	if (o->kind == OPT_FLAG && eq >= 0)
		return err_set(p->err, ERR_USAGE, "--%s takes no value", o->name);
	if (o->kind != OPT_FLAG && value == NULL)
		return err_set(p->err, ERR_USAGE, "--%s needs a value: %s", o->name, o->arg);
	rc = set(p, o, values, value);
	return rc != 0 ? rc : o->kind == OPT_FLAG || eq >= 0 ? 1 : 2;
}

static int take_short(const struct parser *p, const char *text, const char *next)
{
	void *values;
	int rc;

	for (; *text != '\0'; text++) {
		const struct opt *o = find_letter(p, *text, &values);
		const char *value = text[1] != '\0' ? text + 1 : next;

		if (o == NULL)
			return err_set(p->err, ERR_USAGE, "unknown option -%c", *text);
		if (o->kind != OPT_FLAG && value == NULL)
			return err_set(p->err, ERR_USAGE, "-%c needs a value: %s", *text, o->arg);
		rc = set(p, o, values, value);
		if (rc != 0)
			return rc;
		if (o->kind != OPT_FLAG)
			return text[1] != '\0' ? 1 : 2;
	}
	return 1;
}

static int take_operand(const struct parser *p, const char *arg)
{
	if (p->args->n == OPT_ARGS_MAX)
		return err_set(p->err, ERR_USAGE, "more than %d operands", OPT_ARGS_MAX);
	p->args->arg[p->args->n++] = arg;
	return 1;
}

int opt_parse(int argc, char **argv, const struct opt_set *sets, size_t nsets, struct opt_args *args,
    struct err *err)
{
	struct parser p = { sets, nsets, args, err };
	bool only_operands = false;

	for (int i = 0; i < argc;) {
		const char *a = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		int used;

		if (!only_operands && strcmp(a, "--") == 0) {
			only_operands = true;
			used = 1;
		} else if (only_operands || a[0] != '-' || a[1] == '\0') {
			used = take_operand(&p, a);
		} else if (a[1] == '-') {
			used = take_long(&p, a + 2, next);
		} else {
			used = take_short(&p, a + 1, next);
		}
		if (used < 0)
			return used;
		i += used;
	}
	return 0;
}
