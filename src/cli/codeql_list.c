/* `ghoard codeql ls`, `invalidate` and `clear`: what is stored, by its real keys. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "store/entry.h"

static const char *state_of(const struct scan_row *row)
{
	if (row->label && row->scan != NULL)
		return "label";
	if (row->scan == NULL && row->entry != NULL)
		return "no evidence";
	if (row->answer == SCANS_FOUND)
		return row->is_signed ? "signed" : "local";
	return codeql_answer_name(row->answer);
}

static struct span key_of(const struct scan_row *row)
{
	return row->entry != NULL && row->entry->key.n > 0 ? row->entry->key : span_of(row->name);
}

/* ---- ls ---- */

struct listing {
	struct json *array;
	int64_t now;
	size_t n;
};

static void add_json(struct listing *l, const struct scan_row *row)
{
	struct json *o = json_put_object(l->array, NULL);

	json_put_span(o, "key", key_of(row));
	json_put_str(o, "name", row->name);
	json_put_str(o, "state", state_of(row));
	if (row->entry != NULL)
		json_put_int(o, "age", (l->now - row->entry->timestamp) / CLOCK_SEC);
	if (row->scan == NULL)
		return;
	json_put_str(o, "repo", row->scan->repo);
	json_put_str(o, "commit", row->scan->commit);
	json_put_str(o, "languages", row->scan->languages);
	json_put_str(o, "category", row->scan->category);
	json_put_str(o, "event", row->scan->event);
	json_put_str(o, "class", scan_class_name(row->scan->class));
	json_put_str(o, "tool", row->scan->tool);
	json_put_str(o, "version", row->scan->version);
	json_put_str(o, "sarif", row->scan->cid);
	json_put_int(o, "alerts", (int64_t)row->scan->counts.results);
	json_put_int(o, "duration", (row->scan->finished - row->scan->started) / CLOCK_SEC);
}

static int list_one(void *arg, const struct scan_row *row)
{
	struct listing *l = arg;
	char age[CLOCK_HUMAN_LEN] = "";

	l->n++;
	if (l->array != NULL) {
		add_json(l, row);
		return 0;
	}
	if (row->entry != NULL)
		clock_human(age, (l->now - row->entry->timestamp) / CLOCK_SEC);
	printf("%-11s %12s ", state_of(row), age);
	if (row->scan != NULL)
		printf("%6" PRIu64 " alerts %-8s ", row->scan->counts.results,
		    scan_class_name(row->scan->class));
	codeql_print(key_of(row));
	putchar('\n');
	return 0;
}

int codeql_ls(struct codeql *c, struct err *err)
{
	struct listing l = { .array = c->globals->json ? json_array() : NULL, .now = clock_wall() };
	struct buf b;
	int rc = scans_each(c->scans, l.now, c->max_age, list_one, &l, err);

	if (l.array != NULL) {
		buf_init(&b, (size_t)64 << 20);
		json_print(l.array, true, &b);
		printf("%s\n", buf_cstr(&b));
		buf_free(&b);
		json_free(l.array);
	}
	return rc != 0 ? cli_exit_code(err) : XC_OK;
}

/* ---- invalidate and clear ---- */

struct removal {
	struct codeql *c;
	size_t removed;
	struct err *err;
};

static bool is_meant(const struct removal *r, const struct scan_row *row)
{
	const struct scan *w = &r->c->want, *s = row->scan;

	if (r->c->keys->n > 0) {
		for (size_t i = 0; i < r->c->keys->n; i++)
			if (span_eq(key_of(row), r->c->keys->arg[i]))
				return true;
		return false;
	}
	if (s == NULL || strcmp(s->repo, w->repo) != 0)
		return false;
	if (r->c->o->commit != NULL)
		return strcmp(s->commit, r->c->o->commit) == 0;
	return strcmp(s->fingerprint, w->fingerprint) == 0 && strcmp(s->config, w->config) == 0 &&
	    strcmp(s->languages, w->languages) == 0;
}

static int remove_one(void *arg, const struct scan_row *row)
{
	struct removal *r = arg;

	if (!is_meant(r, row))
		return 0;
	int rc = scans_remove(r->c->scans, row->name, r->err);
	r->removed += rc == 0;
	return rc;
}

static void told(const struct codeql *c, int64_t removed)
{
	if (c->globals->json)
		printf("{\"removed\":%" PRId64 "}\n", removed);
	else
		printf("%" PRId64 " entr%s removed\n", removed, removed == 1 ? "y" : "ies");
}

int codeql_invalidate(struct codeql *c, struct err *err)
{
	struct removal r = { .c = c, .err = err };
	int rc = c->keys->n > 0 ? 0 : codeql_look(c, err);

	if (rc == 0)
		rc = scans_each(c->scans, clock_wall(), c->max_age, remove_one, &r, err);
	if (rc == 0 && r.removed == 0)
		rc = err_set(err, ERR_NOTFOUND, "no stored scan is meant; 'ghoard codeql ls' lists them");
	if (rc != 0)
		return cli_exit_code(err);
	told(c, (int64_t)r.removed);
	return XC_OK;
}

int codeql_clear(struct codeql *c, struct err *err)
{
	int64_t n = scans_clear(c->scans, err);

	if (n < 0)
		return cli_exit_code(err);
	told(c, n);
	return XC_OK;
}
