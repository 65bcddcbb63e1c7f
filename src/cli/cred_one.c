#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "cred/vault.h"

#define GRACE_S ((int64_t)24 * 3600)

extern char **environ;

/* K=V… as members of a JSON object; `ghoard` is ours. */
static int put_metadata(const struct opt_list *l, struct buf *b, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct span pair = span_of(l->item[i].value), key;
		ptrdiff_t eq = span_chr(pair, '=');

		if (eq <= 0)
			return err_set(err, ERR_USAGE, "--metadata takes K=V, not '%s'", l->item[i].value);
		key = span_sub(pair, 0, (size_t)eq);
		if (span_eq(key, "ghoard"))
			return err_set(err, ERR_USAGE, "the metadata key 'ghoard' is the store's own");
		if (i > 0)
			buf_adds(b, ", ");
		json_quote(b, key, true);
		buf_adds(b, ": ");
		json_quote(b, span_sub(pair, (size_t)eq + 1, pair.n), true);
	}
	return b->failed ? err_set(err, ERR_USAGE, "the metadata is longer than 16 KiB") : 0;
}

void cred_one_details(const struct vault_entry *e, int64_t ttl, struct buf *b)
{
	audit_detail(b, "scope", span_of(scope_name(e->scope)));
	audit_detail(b, "scope_filter", e->filter);
	if (ttl == OPT_UNSET || ttl == 0)
		buf_adds(b, ", \"ttl_hours\": null");
	else
		buf_addf(b, ", \"ttl_hours\": %.6g", (double)ttl / 3600);
}

static int commit(struct cred *c, const char *action, struct span name, struct buf *details, struct err *err)
{
	struct audit_event e = { .action = action, .credential = name, .details = buf_span(details) };
	int rc = vault_commit(c->vault, &e, err);

	if (rc == 0)
		cred_count_active(c);
	return rc;
}

int cred_one_set(struct cred *c, struct err *err)
{
	struct vault_entry e = { .name = span_of(c->arg[0]), .expires = RECORD_NEVER };
	struct buf metadata, details, value;
	int rc;

	buf_init(&metadata, 16384);
	buf_init(&details, AUDIT_LINE_MAX);
	if (!scope_name_ok(e.name)) {
		err_set(err, ERR_USAGE, "'%s' is no name of a variable ([A-Za-z_][A-Za-z0-9_]{0,127})",
		    c->arg[0]);
		return XC_USAGE;
	}
	if (cred_scope(c, &e.scope, &e.filter, err) != 0 ||
	    put_metadata(&c->o->metadata, &metadata, err) != 0) {
		buf_free(&metadata);
		return cred_exit_code(err);
	}
	e.metadata = buf_span(&metadata);
	rc = cred_read_value(c, "Value", &value, err);
	e.value = buf_span(&value);
	if (c->o->ttl != OPT_UNSET && c->o->ttl > 0)
		e.expires = clock_wall() + c->o->ttl * CLOCK_SEC;
	if (rc == 0)
		rc = cred_open(c, true, NULL, err);
	if (rc == 0)
		rc = vault_put(c->vault, &e, err);
	safe_buf_clear(&value);
	cred_one_details(&e, c->o->ttl, &details);
	if (rc == 0)
		rc = commit(c, "store", e.name, &details, err);
	buf_free(&metadata);
	buf_free(&details);
	return rc == 0 ? XC_OK : cred_exit_code(err);
}

int cred_one_rm(struct cred *c, struct err *err)
{
	struct record *r;
	struct buf details;
	int rc = cred_open(c, true, cred_existing, err);

	if (rc != 0)
		return cred_exit_code(err);
	r = cred_one(c, c->arg[0], err);
	if (r == NULL)
		return cred_exit_code(err);
	buf_init(&details, AUDIT_LINE_MAX);
	audit_detail(&details, "scope", span_of(scope_name(r->scope)));
	audit_detail(&details, "scope_filter", r->filter);
	vault_remove(c->vault, r);
	rc = commit(c, "delete", span_of(c->arg[0]), &details, err);
	buf_free(&details);
	return rc == 0 ? XC_OK : cred_exit_code(err);
}

/* ---- rotate ---- */

/* The program with the new value in the variable of its name: built by hand, for setenv would leave copies.
 */
static void prove_child(const char *cmd, const char *pair)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)cmd,
		NULL };
	size_t n = 0, k = 0, len = strcspn(pair, "=") + 1;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (env == NULL)
		_exit(127);
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], pair, len) != 0 && !cred_leads_to_key(environ[i]))
			env[k++] = environ[i];
	env[k] = (char *)(uintptr_t)pair;
	safe_soften();
	signal(SIGPIPE, SIG_DFL);
	execve("/bin/sh", argv, env);
	_exit(127);
}

/* 0, or ERR_NOTFOUND: the program says no. */
static int prove(struct cred *c, const char *name, struct span value, struct err *err)
{
	struct buf pair;
	bool pair_failed;
	int status = -1;
	pid_t pid;

	if (span_chr(value, '\0') >= 0)
		return err_set(err, ERR_USAGE, "a value with a NUL cannot be given to --verify");
	safe_buf(&c->safe, &pair, value.n + SCOPE_NAME_MAX + 2);
	buf_addf(&pair, "%s=", name);
	buf_addspan(&pair, value);
	buf_cstr(&pair);
	pair_failed = pair.failed;
	fflush(stdout);
	pid = pair.failed ? -1 : fork();
	if (pid == 0)
		prove_child(c->o->verify, buf_cstr(&pair));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	safe_buf_clear(&pair);
	if (pid < 0)
		return pair_failed ? err_set(err, ERR_LIMIT, "the value is too long for --verify")
				   : err_sys(err, ERR_IO, "running the command of --verify");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_NOTFOUND,
		    "the command of --verify says no (%s %d) to the new value of %s; nothing was "
		    "changed",
		    WIFEXITED(status) ? "exit" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), name);
	return 0;
}

static int rotate(struct cred *c, struct span value, struct err *err)
{
	int64_t grace = c->o->grace == OPT_UNSET ? GRACE_S : c->o->grace;
	struct record *r = cred_one(c, c->arg[0], err);
	struct buf details;
	int rc;

	if (r == NULL)
		return err->cls;
	if (r->state == RECORD_BAD || r->state == RECORD_ROTATED)
		return err_set(err, ERR_DAMAGED,
		    "credential %s cannot be read and is not overwritten; see 'ghoard cred doctor'",
		    c->arg[0]);
	buf_init(&details, AUDIT_LINE_MAX);
	buf_addf(&details, "\"old_created_at\": %" PRId64 ".%06" PRId64, r->created / CLOCK_SEC,
	    r->created % CLOCK_SEC);
	rc = vault_rotate(c->vault, r, value, grace > 0 ? clock_wall() + grace * CLOCK_SEC : 0, err);
	if (c->o->ttl != OPT_UNSET)
		r->expires_text = span_make(NULL, 0);
	if (c->o->ttl != OPT_UNSET)
		r->expires = c->o->ttl > 0 ? clock_wall() + c->o->ttl * CLOCK_SEC : RECORD_NEVER;
	buf_addf(&details, ", \"new_created_at\": %" PRId64 ".%06" PRId64 ", \"grace_seconds\": %" PRId64,
	    r->created / CLOCK_SEC, r->created % CLOCK_SEC, grace);
	audit_detail(&details, "scope", span_of(scope_name(r->scope)));
	audit_detail(&details, "scope_filter", r->filter);
	if (rc == 0)
		rc = commit(c, "rotate", span_of(c->arg[0]), &details, err);
	buf_free(&details);
	return rc;
}

/* Before a command runs with it in a variable of that name. */
static int check_there(struct cred *c, struct err *err)
{
	int rc;

	if (!scope_name_ok(span_of(c->arg[0])))
		return err_set(err, ERR_USAGE,
		    "'%s' is no name of a variable ([A-Za-z_][A-Za-z0-9_]{0,127})", c->arg[0]);
	rc = cred_open(c, false, NULL, err);
	if (rc == 0 && cred_one(c, c->arg[0], err) == NULL)
		rc = err->cls;
	vault_free(c->vault);
	c->vault = NULL;
	return rc;
}

int cred_one_rotate(struct cred *c, struct err *err)
{
	struct buf value;
	int rc = cred_read_value(c, "New value", &value, err);

	/* The proof may take its time: before the lock. */
	if (rc == 0 && c->o->verify != NULL)
		rc = check_there(c, err);
	if (rc == 0 && c->o->verify != NULL)
		rc = prove(c, c->arg[0], buf_span(&value), err);
	if (rc == 0)
		rc = cred_open(c, true, cred_existing, err);
	if (rc == 0)
		rc = rotate(c, buf_span(&value), err);
	safe_buf_clear(&value);
	if (rc == 0)
		cred_count(c, "cred.rotated", 1);
	return rc == 0 ? XC_OK : cred_exit_code(err);
}
