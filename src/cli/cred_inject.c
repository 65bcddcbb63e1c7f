#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/envfile.h"
#include "actions/mask.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cred_grant.h"
#include "cred/vault.h"

#define MASKS_AT_ONCE ((size_t)12 << 10)
#define JSON_INPUT_MAX ((size_t)1 << 20)
#define TTL_DEFAULT (24 * 3600)		/* the reference's, where neither ttl nor ttl_hours is given */

struct inject {
	struct cred *c;
	const char *env;		/* $GITHUB_ENV */
	struct grant list[CRED_NAMES_MAX];
	size_t n, empty;		/* empty: left out, for they had no value */
	bool asked;			/* for anything at all */
	struct buf json, text;		/* in c->safe; text: unescaped strings of it */
	struct buf details[CRED_NAMES_MAX];	/* of the lines of what the JSON brings */
};

/* A mask that lands in a file or on a screen is the secret itself, and hides nothing. */
static int check_output(struct inject *j, struct err *err)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) != 0 || (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
		return err_set(err, ERR_USAGE,
		    "standard output is no pipe to the runner, and the masks would not reach it; run "
		    "this as a step's command without redirection");
	j->env = getenv("GITHUB_ENV");
	if (j->env == NULL || j->env[0] == '\0')
		return err_set(err, ERR_USAGE,
		    "GITHUB_ENV is not set; 'cred inject' is for a step of GitHub Actions, elsewhere "
		    "use 'cred exec'");
	return 0;
}

/* ---- the JSON input ---- */

static int read_json(struct inject *j, struct err *err)
{
	const struct cred_opts *o = j->c->o;
	char *v;

	safe_buf(&j->c->safe, &j->json, JSON_INPUT_MAX);
	if (o->from_json_env != NULL) {
		v = getenv(o->from_json_env);
		if (v == NULL)
			return err_set(err, ERR_USAGE, "the environment has no %s", o->from_json_env);
		buf_adds(&j->json, v);
		wipe(v, strlen(v));
	} else if (cred_read_path(o->from_json, &j->json, err) != 0) {
		return err->cls;
	}
	if (j->json.failed)
		return err_set(err, ERR_USAGE, "the JSON of the credentials is longer than %zu KiB",
		    JSON_INPUT_MAX >> 10);
	safe_buf(&j->c->safe, &j->text, buf_len(&j->json) + 16);
	return 0;
}

/* Into j->text, which has room for all strings of the input. */
static bool take_str(struct inject *j, struct span raw, struct span *out)
{
	size_t at = buf_len(&j->text);

	if (jscan_unescape(raw, &j->text) != 0)
		return false;
	*out = span_make(buf_data(&j->text) + at, buf_len(&j->text) - at);
	return true;
}

static bool take_ttl(struct inject *j, struct span object, int64_t *seconds)
{
	struct span v, text;
	char number[32];
	double hours;

	bool given = jscan_member(object, "ttl", &v) == 1;

	*seconds = 0;
	if (given && !span_eq(v, "null")) {
		text = v;
		return (v.p[0] != '"' || take_str(j, v, &text)) &&
		    (text.n == 0 || span_duration(text, seconds));
	}
	if (jscan_member(object, "ttl_hours", &v) != 1) {
		*seconds = given ? 0 : TTL_DEFAULT;
		return true;
	}
	if (span_eq(v, "null"))
		return true;
	text = v;
	if ((v.p[0] == '"' && !take_str(j, v, &text)) || !span_copy(number, sizeof(number), text))
		return false;
	hours = strtod(number, NULL);
	if (!(hours >= 0 && hours <= 24.0 * 3660))
		return false;
	*seconds = (int64_t)(hours * 3600 + 0.999);
	return hours <= 0 || *seconds > 0;
}

/* One {name, value[, scope][, ttl|ttl_hours]}. The sentence names the name alone. */
static int take_one(struct inject *j, struct span object, struct vault_entry *e, int64_t *ttl,
    struct err *err)
{
	struct span v, word;

	*e = (struct vault_entry){ .expires = RECORD_NEVER, .filter = { NULL, 0 } };
	if (object.p[0] != '{' || jscan_member(object, "name", &v) != 1 || !take_str(j, v, &e->name) ||
	    jscan_member(object, "value", &v) != 1 || !take_str(j, v, &e->value))
		return err_set(err, ERR_USAGE, "entry %zu of the JSON has no name and value that are strings",
		    j->n + 1);
	if (jscan_member(object, "scope", &v) == 1 && !span_eq(v, "null") &&
	    (!take_str(j, v, &word) || !scope_parse(word, &e->scope)))
		return err_set(err, ERR_USAGE,
		    "the scope of %.*s is none of global, repo, workflow and runner",
		    (int)(e->name.n < 128 ? e->name.n : 128), e->name.p);
	if (e->scope != SCOPE_GLOBAL) {
		e->filter = scope_own(e->scope, &j->c->caller);
		if (e->filter.n == 0)
			return err_set(err, ERR_USAGE, "%.*s is for a %s, and none is named here",
			    (int)(e->name.n < 128 ? e->name.n : 128), e->name.p, scope_name(e->scope));
	}
	if (!take_ttl(j, object, ttl))
		return err_set(err, ERR_USAGE, "the lifetime of %.*s is none",
		    (int)(e->name.n < 128 ? e->name.n : 128), e->name.p);
	if (*ttl > 0)
		e->expires = clock_wall() + *ttl * CLOCK_SEC;
	/* before it takes the place of one that is stored */
	if (span_chr(e->value, '\0') >= 0)
		return err_set(err, ERR_USAGE,
		    "the value of %.*s has a NUL, which an environment cannot hold",
		    (int)(e->name.n < 128 ? e->name.n : 128), e->name.p);
	return e->value.n <= VAULT_VALUE_MAX ? 0 : err_set(err, ERR_USAGE, "a value is longer than 64 KiB");
}

static bool is_brought(const struct inject *j, const struct vault_entry *e)
{
	for (size_t i = 0; i < j->n; i++)
		if (span_same(j->list[i].name, e->name) && j->list[i].scope == e->scope)
			return true;
	return false;
}

static int put_one(struct inject *j, struct span object, struct err *err)
{
	struct vault_entry e;
	char name[SCOPE_NAME_MAX + 1];
	int64_t ttl;
	int rc = take_one(j, object, &e, &ttl, err);

	if (rc != 0)
		return rc;
	if (!span_copy(name, sizeof(name), e.name) || span_chr(e.name, ',') >= 0)
		return err_set(err, ERR_USAGE, "entry %zu of the JSON has a name that is no variable's",
		    j->n + 1);
	/* a secret that is not set comes as "": no reason to forget the one that is stored */
	if (e.value.n == 0) {
		log_warn("credential %s has an empty value in the JSON; it is left out", name);
		j->empty++;
		return 0;
	}
	if (is_brought(j, &e))
		return err_set(err, ERR_USAGE, "the JSON has %s twice for the same scope", name);
	/* checked as the names of --names are, deny-list and all */
	rc = grant_names(j->c, name, false, &j->list[j->n], CRED_NAMES_MAX - j->n, err);
	if (rc != 1)
		return rc < 0 ? rc : err_set(err, ERR_USAGE, "entry %zu of the JSON has no name", j->n + 1);
	j->list[j->n].name = recordset_keep(&j->c->vault->set, e.name);
	j->list[j->n].scope = e.scope;
	j->list[j->n].filter = e.filter;
	j->list[j->n].own = true;
	buf_init(&j->details[j->n], AUDIT_LINE_MAX);
	cred_one_details(&e, ttl, &j->details[j->n++]);
	return vault_put(j->c->vault, &e, err);
}

/* A line each, as `set` writes it. */
static int commit(struct inject *j, struct err *err)
{
	static struct audit_event events[CRED_NAMES_MAX];
	int rc;

	for (size_t i = 0; i < j->n; i++)
		events[i] = (struct audit_event){ .action = "store", .credential = j->list[i].name,
			.details = buf_span(&j->details[i]) };
	rc = vault_commit_all(j->c->vault, events, j->n, err);
	for (size_t i = 0; i < j->n; i++)
		buf_free(&j->details[i]);
	return rc;
}

static int store_json(struct inject *j, struct err *err)
{
	struct span text = span_trim(buf_span(&j->json)), key, one;
	size_t at = 0;
	int rc = 0;

	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	if (text.n == 0)
		return 0;
	if (!jscan_valid(text) || (text.p[0] != '[' && text.p[0] != '{'))
		return err_set(err, ERR_USAGE,
		    "the credentials are not JSON: a list of {name, value, scope, ttl}");
	j->asked = true;
	if (text.p[0] == '{')
		rc = put_one(j, text, err);
	else
		while (rc == 0 && jscan_next(text, &at, &key, &one) == 1)
			rc = j->n < CRED_NAMES_MAX
			    ? put_one(j, one, err)
			    : err_set(err, ERR_USAGE, "more than %d credentials", CRED_NAMES_MAX);
	if (rc != 0 || j->n == 0)
		return rc;
	return commit(j, err);
}

/* A variable has one value: what was brought goes before what is stored, then the most specific. */
static bool is_beaten(const struct grant *g, const struct grant *by)
{
	return span_same(g->name, by->name) && (g->own ? by->own && by->scope > g->scope : by->own);
}

static void keep_one_a_name(struct inject *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->n; i++) {
		bool beaten = false;

		/* one that beats and is gone was beaten by one that is not */
		for (size_t k = 0; k < j->n && !beaten; k++)
			beaten = (k < kept || k > i) && is_beaten(&j->list[i], &j->list[k]);
		if (!beaten)
			j->list[kept++] = j->list[i];
	}
	j->n = kept;
}

/* ---- out ---- */

static int flush(struct buf *out, struct err *err)
{
	if (file_write_all(STDOUT_FILENO, buf_data(out), buf_len(out)) < 0)
		return err_sys(err, ERR_IO, "writing the masks");
	safe_buf_clear(out);
	return 0;
}

static int write_masks(struct inject *j, struct err *err)
{
	struct buf out, scratch;
	size_t most = 0;

	for (size_t i = 0; i < j->n; i++)
		if (j->list[i].answer == GRANT_YES && buf_len(&j->list[i].value) > most)
			most = buf_len(&j->list[i].value);
	safe_buf(&j->c->safe, &scratch, MASK_SCRATCH(most));
	safe_buf(&j->c->safe, &out, MASK_ROOM(most) + MASKS_AT_ONCE);
	for (size_t i = 0; i < j->n; i++) {
		if (j->list[i].answer != GRANT_YES)
			continue;
		mask_write(buf_span(&j->list[i].value), &scratch, &out);
		if (out.failed)
			return err_set(err, ERR_LIMIT,
			    "there is no room for the masks; inject fewer or shorter values at a time");
		if (buf_len(&out) > MASKS_AT_ONCE && flush(&out, err) != 0)
			return err->cls;
	}
	return flush(&out, err);
}

static int write_env(struct inject *j, struct err *err)
{
	char name[SCOPE_NAME_MAX + 1];
	struct buf out;
	size_t room = 16;
	int rc = 0;

	for (size_t i = 0; i < j->n; i++)
		room += ENVFILE_EXTRA + buf_len(&j->list[i].value);
	safe_buf(&j->c->safe, &out, room);
	for (size_t i = 0; rc == 0 && i < j->n; i++) {
		if (j->list[i].answer != GRANT_YES)
			continue;
		span_copy(name, sizeof(name), j->list[i].name);
		rc = envfile_entry(&out, name, buf_span(&j->list[i].value), err);
	}
	if (rc == 0 && buf_len(&out) > 0)
		rc = envfile_append(j->env, buf_span(&out), err);
	safe_buf_clear(&out);
	return rc;
}

static void say_refusals(const struct inject *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->list[i].answer != GRANT_YES)
			log_warn("credential %.*s is not injected: %s", (int)j->list[i].name.n,
			    j->list[i].name.p, j->list[i].why.msg);
}

static void write_outputs(size_t count, const char *status)
{
	const char *path = getenv("GITHUB_OUTPUT");
	struct err why;
	struct buf b;

	if (path == NULL || path[0] == '\0')
		return;
	err_init(&why);
	buf_init(&b, 512);
	buf_addf(&b, "count=%zu\nstatus=%s\n", count, status);
	if (envfile_append(path, buf_span(&b), &why) != 0)
		log_warn("%s", why.msg);
	buf_free(&b);
}

static int gather(struct inject *j, struct err *err)
{
	const struct cred_opts *o = j->c->o;
	bool json = o->from_json != NULL || o->from_json_env != NULL;
	int rc = 0, n = 0;

	if (o->from_json != NULL && o->from_json_env != NULL)
		rc = err_set(err, ERR_USAGE, "--from-json and --from-json-env are two inputs; give one");
	else if (json)
		rc = read_json(j, err);
	if (rc == 0)
		rc = cred_open(j->c, json && buf_len(&j->json) > 0, NULL, err);
	/* no store yet: nothing of it can be had */
	if (rc == ERR_NOTFOUND) {
		err_init(err);
		return 0;
	}
	if (rc == 0 && json)
		rc = store_json(j, err);
	if (rc == 0 && o->names != NULL)
		n = grant_names(j->c, o->names, false, j->list + j->n, CRED_NAMES_MAX - j->n, err);
	if (rc != 0 || n < 0)
		return rc != 0 ? rc : n;
	j->n += (size_t)n;
	keep_one_a_name(j);
	return j->n > 0 ? grant_all(j->c, j->list, j->n, "inject", err) : 0;
}

static int inject(struct inject *j, size_t *count, struct err *err)
{
	int rc = check_output(j, err);

	j->c->hold = CRED_TEXT;
	j->asked = j->c->o->names != NULL && span_trim(span_of(j->c->o->names)).n > 0;
	if (rc == 0)
		rc = gather(j, err);
	if (rc == 0)
		rc = write_masks(j, err);
	if (rc == 0)
		rc = write_env(j, err);
	for (size_t i = 0; i < j->n; i++)
		*count += rc == 0 && j->list[i].answer == GRANT_YES;
	grant_wipe(j->list, j->n);
	safe_buf_clear(&j->json);
	safe_buf_clear(&j->text);
	return rc;
}

int cred_inject_run(struct cred *c, struct err *err)
{
	static struct inject j;
	size_t count = 0;
	const char *status;
	int rc;

	j.c = c;		/* all else is zero: clearing 150 KiB anew would cost more than the work */
	rc = inject(&j, &count, err);
	status = rc != 0		   ? "error"
	    : !j.asked			   ? "skipped"
	    : count == 0		   ? "empty"
	    : count < j.n + j.empty	   ? "partial"
					   : "success";
	say_refusals(&j);
	write_outputs(count, status);
	if (c->g->json)
		log_info("%zu credentials injected, status %s", count, status);
	if (rc != 0)
		return cred_exit_code(err);
	return count == j.n + j.empty && (count > 0 || !j.asked) ? XC_OK : XC_NO;
}
