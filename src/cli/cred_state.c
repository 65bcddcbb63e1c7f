#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "config/layers.h"
#include "cred/vault.h"

/* ---- status ---- */

static void put_order(struct json *o)
{
	struct json *list = json_put_array(o, "key_order");

	for (int s = MASTERKEY_NAMED; s <= MASTERKEY_PASS; s++)
		if (s != MASTERKEY_RING_NEXT && s != MASTERKEY_FILE_NEXT)
			json_put_str(list, NULL, masterkey_name((enum masterkey_source)s));
}

static void count_states(const struct recordset *s, size_t *active, size_t *expired)
{
	int64_t now = clock_wall();

	for (size_t i = 0; i < s->n; i++)
		++*(s->list[i].expires < now ? expired : active);
}

static struct json *describe(const struct cred *c)
{
	const struct vault *v = c->vault;
	struct json *o = json_object();
	size_t active = 0, expired = 0;

	json_put_str(o, "directory", c->dir);
	json_put_str(o, "access", settings_str(c->owner, "credentials.access"));
	json_put_str(o, "access_from", settings_origin(c->owner, "credentials.access"));
	json_put_str(o, "upstream", settings_str(c->owner, "upstream.url"));
	put_order(o);
	json_put_bool(o, "keyring", keyring_is_here());
	json_put_bool(o, "memory_locked", c->safe.locked);
	if (v == NULL) {
		json_put_null(o, "key");
		return o;
	}
	count_states(&v->set, &active, &expired);
	json_put_str(o, "key", masterkey_name(v->source));
	json_put_int(o, "active", (int64_t)active);
	json_put_int(o, "expired", (int64_t)expired);
	json_put_int(o, "unreadable", (int64_t)recordset_bad(&v->set));
	json_put_int(o, "generation", (int64_t)recordset_gen(&v->set));
	json_put_int(o, "audit_lines", (int64_t)v->audit.seq);
	json_put_str(o, "anchor", v->audit.head);
	return o;
}

static void print_status(const struct cred *c)
{
	const struct vault *v = c->vault;
	size_t active = 0, expired = 0;

	printf("folder      %s\n", c->dir);
	printf("access      %s (%s), asked at %s\n", settings_str(c->owner, "credentials.access"),
	    settings_origin(c->owner, "credentials.access"), settings_str(c->owner, "upstream.url"));
	printf("key order   GHOARD_MASTER_KEY_FILE, systemd credential, kernel keyring, keyring, "
	       ".master_key, passphrase\n");
	printf("keyring     %s\n",
	    keyring_is_here() ? "reachable" : "not here (no session bus, or no secret-tool)");
	printf("memory      %s\n",
	    c->safe.locked ? "locked, not in core files" : "not in core files; locking is not allowed");
	if (v == NULL) {
		printf("store       none yet; 'ghoard cred set NAME' makes it\n");
	} else {
		count_states(&v->set, &active, &expired);
		printf("key         %s\n", masterkey_name(v->source));
		printf("store       %zu active, %zu expired, %zu unreadable; generation %" PRIu64 "\n",
		    active, expired, recordset_bad(&v->set), recordset_gen(&v->set));
		printf("audit log   line %" PRIu64 ", anchor %s\n", v->audit.seq, v->audit.head);
	}
	printf("scopes      advisory under one uid: a job that runs as this user can read the key and the "
	       "store itself.\n"
	       "            They bind when the store belongs to another uid that runs this command for the "
	       "job, or when\n"
	       "            the key is a systemd credential that the job's processes cannot read.\n");
}

/* And free it. */
static void print_json(struct json *o)
{
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	if (json_print(o, true, &b) == 0)
		printf("%s\n", buf_cstr(&b));
	buf_free(&b);
	json_free(o);
}

int cred_state_status(struct cred *c, struct err *err)
{
	int rc = cred_open(c, false, NULL, err);

	if (rc != 0 && rc != ERR_NOTFOUND)
		return cred_exit_code(err);
	err_init(err);
	if (c->g->json)
		print_json(describe(c));
	else
		print_status(c);
	return c->vault != NULL && recordset_bad(&c->vault->set) > 0 ? XC_DAMAGED : XC_OK;
}

/* ---- doctor ---- */

struct visit {
	struct cred *c;
	struct json *list;		/* NULL: as text */
	bool failed, fixed;
};

static void say(struct visit *d, bool bad, const char *text, const char *remedy)
{
	const char *word = bad ? "fail" : "ok";
	struct json *o = d->list != NULL ? json_put_object(d->list, NULL) : NULL;

	d->failed = d->failed || bad;
	if (o == NULL) {
		printf("%-5s %s%s%s\n", word, text, remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
		return;
	}
	json_put_str(o, "result", word);
	json_put_str(o, "finding", text);
	if (remedy != NULL)
		json_put_str(o, "remedy", remedy);
}

static void allow(const struct cred *c, struct vault_params *p)
{
	p->repair = p->existing = true;
	p->accept_rollback = c->o->accept_rollback;
}

/* What the good copy has, in place of what is bad; later changes are lost, and said to be. */
static int restore(struct visit *d, struct recordset *good, struct err *err)
{
	struct vault *v = d->c->vault;
	char aside[96];
	int rc = 0;

	if (v->damaged) {
		snprintf(aside, sizeof(aside), "%s.damaged-%" PRId64, VAULT_STORE, clock_wall());
		if (v->exists)
			rc = file_replace(v->dirfd, VAULT_STORE, aside, err);
		recordset_free(&v->set);
		v->set = *good;
		recordset_init(good);
	}
	for (size_t i = 0; rc == 0 && i < v->set.n; i++) {
		struct record *r = &v->set.list[i], *from;

		from = r->state == RECORD_BAD ? recordset_find_key(good, r->key) : NULL;
		if (from != NULL && from->state == RECORD_BOUND && recordset_copy(&v->set, r, from) != 0)
			rc = err_set(err, ERR_INTERNAL, "no memory for the credentials");
		/* under a new generation, which the log does not know better */
		if (r->state == RECORD_BOUND)
			r->state = RECORD_UNBOUND;
	}
	d->fixed = d->fixed || rc == 0;
	return rc;
}

static int repair(struct visit *d, struct err *err)
{
	struct vault *v = d->c->vault;
	struct recordset good;
	struct buf text;
	struct err why;
	int rc;

	if (!v->damaged && recordset_bad(&v->set) == 0)
		return 0;
	err_init(&why);
	recordset_init(&good);
	buf_init(&text, RECORD_STORE_MAX);
	rc = vault_open_file(v, VAULT_GOOD, v->master, &text, &why);
	if (rc == 0)
		rc = recordset_parse(&good, buf_span(&text), v->mac, &why);
	if (rc != 0)
		rc = err_set(err, ERR_DAMAGED, "there is no good copy to repair from: %s", why.msg);
	else
		rc = restore(d, &good, err);
	buf_wipe(&text);
	recordset_free(&good);
	return rc;
}

static int adopt(struct visit *d, const char *name, struct err *err)
{
	struct record *r = cred_one(d->c, name, err);

	if (r == NULL)
		return err->cls;
	if (r->state != RECORD_ROTATED)
		return err_set(err, ERR_USAGE,
		    "credential %s was not given another value by another program; there is nothing to "
		    "adopt",
		    name);
	r->state = RECORD_UNBOUND;
	d->fixed = true;
	return 0;
}

static int fix(struct visit *d, struct err *err)
{
	const struct cred_opts *o = d->c->o;
	struct audit_event e = { .action = "repair", .credential = span_of(o->adopt) };
	struct vault *v = d->c->vault;
	int rc = 0;

	/* each of them notes the store as it stands, and that would be to accept it */
	if (v->rolled_back && (o->restart_audit || o->repair || o->adopt != NULL))
		return err_set(err, ERR_DAMAGED,
		    "the store is older than the log's last write; put back the newer file, or add "
		    "--accept-rollback; nothing was changed");
	if (o->restart_audit) {
		rc = audit_restart(&v->audit, err);
		v->log_broken = v->log_broken && rc != 0;
		d->fixed = rc == 0;
	}
	if (rc == 0 && o->repair)
		rc = repair(d, err);
	if (rc == 0 && o->adopt != NULL)
		rc = adopt(d, o->adopt, err);
	if (rc != 0 || !d->fixed)
		return rc;
	if (v->log_broken)
		return err_set(err, ERR_DAMAGED,
		    "the audit log is broken and nothing can be noted; add --restart-audit");
	v->damaged = false;
	rc = vault_commit(v, &e, err);
	v->rolled_back = v->rolled_back && rc != 0;
	return rc;
}

static void tell_records(struct visit *d)
{
	const struct recordset *s = &d->c->vault->set;
	char text[600];
	struct buf remedy;
	size_t unbound = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct record *r = &s->list[i];

		unbound += r->state == RECORD_UNBOUND;
		if (r->state == RECORD_ROTATED) {
			snprintf(text, sizeof(text),
			    "credential %.*s was given another value by another program (the Python "
			    "reference?)",
			    (int)(r->name.n < 128 ? r->name.n : 128), r->name.p);
			buf_init(&remedy, 8192);
			buf_adds(&remedy, "if it was you, 'ghoard cred doctor --adopt ");
			record_which(r, &remedy);
			buf_adds(&remedy, "'");
			say(d, true, text, buf_cstr(&remedy));
			buf_free(&remedy);
		} else if (r->state == RECORD_BAD) {
			snprintf(text, sizeof(text), "credential %.*s: %s",
			    (int)(r->name.n < 128 ? r->name.n : 128), r->name.p, r->why);
			say(d, true, text, "'ghoard cred doctor --repair' takes it from the last good copy");
		}
	}
	snprintf(text, sizeof(text),
	    "%zu of %zu credentials are intact; %zu of them not bound yet (the next write does it)",
	    s->n - recordset_bad(s), s->n, unbound);
	say(d, false, text, NULL);
}

static void tell(struct visit *d)
{
	const struct vault *v = d->c->vault;
	char text[300];

	snprintf(text, sizeof(text), "key: %s", masterkey_name(v->source));
	say(d, false, text, NULL);
	if (v->damaged)
		say(d, true, v->exists ? "the store does not open: it is damaged" : "the store is gone",
		    "'ghoard cred doctor --repair' takes the last good copy; what was written after it is "
		    "lost");
	else
		tell_records(d);
	if (v->rolled_back)
		say(d, true, "the store is older than the log's last write: it was rolled back",
		    "put back the newer file; or, if it was you, 'ghoard cred doctor --accept-rollback'");
	if (v->log_broken)
		say(d, true, v->log_why.msg, NULL);
	say(d, false,
	    d->c->safe.locked ? "memory is locked" : "memory cannot be locked here; secrets may reach swap",
	    NULL);
	say(d, false,
	    keyring_is_here() ? "a keyring is reachable"
			      : "no keyring is reachable; the key is in a file or a "
				"passphrase",
	    NULL);
}

int cred_state_doctor(struct cred *c, struct err *err)
{
	const struct cred_opts *o = c->o;
	struct visit d = { .c = c, .list = c->g->json ? json_array() : NULL };
	bool change = o->repair || o->adopt != NULL || o->accept_rollback || o->restart_audit;
	int rc = cred_open(c, change, allow, err);
	bool none = rc == ERR_NOTFOUND && !change;

	if (rc == 0)
		rc = fix(&d, err);
	if (none)
		say(&d, false, "there are no credentials here yet", NULL);
	else if (rc == 0)
		tell(&d);
	if (none)
		err_init(err);
	else if (rc != 0)
		return json_free(d.list), cred_exit_code(err);
	if (d.list != NULL)
		print_json(d.list);
	return d.failed ? XC_DAMAGED : XC_OK;
}
