#include <string.h>

#include "actions/envfile.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "cli/cred_grant.h"
#include "config/layers.h"
#include "cred/vault.h"

#define DETAILS_USUAL 224

static void refuse(struct grant *g, enum grant_answer answer, const char *why)
{
	g->answer = answer;
	err_set(&g->why, ERR_DENIED, "%s", why);
}

/* The lengths keep one from running into the next. */
static void put_place(struct buf *b, const char *text)
{
	buf_addf(b, "%zu:%s,", text != NULL ? strlen(text) : 0, text != NULL ? text : "");
}

static const char *const places[] = { "upstream.url", "credentials.ca_file", "credentials.proxy" };

/* One question a call: its answer holds for all. */
static enum access_result ask_once(struct cred *c, bool global)
{
	struct access_probe probe = { cred_probe_ask, c };
	struct access_question q = { .global = global, .repo = c->caller.repo, .token = c->token };
	struct buf where;

	access_policy_parse(span_of(settings_str(c->owner, "credentials.access")), &q.policy);
	/* without either, only global ones are free: that is no answer of GitHub */
	if (q.policy == ACCESS_OFF || q.token.n == 0 || q.repo.n == 0) {
		err_init(&c->why);
		return access_ask(&q, &probe, c->vault->dirfd, c->vault->master, &c->why);
	}
	if (!c->asked) {
		c->asked = true;
		buf_init(&where, 16384);
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			put_place(&where, settings_str(c->owner, places[i]));
		q.where = buf_span(&where);
		c->answer = access_ask(&q, &probe, c->vault->dirfd, c->vault->master, &c->why);
		buf_free(&where);
		if (c->answer == ACCESS_SILENT)
			log_warn("access was not shown (%s); policy 'prefer' lets it pass, and it is noted",
			    c->why.msg);
	}
	return c->answer;
}

static void judge_record(struct grant *g)
{
	struct record *r = g->record;

	switch (r->state) {
	case RECORD_BAD:
		refuse(g, GRANT_BROKEN, r->why);
		return;
	case RECORD_ROTATED:
		refuse(g, GRANT_BROKEN,
		    "another program gave it another value; see 'ghoard cred doctor --adopt'");
		return;
	case RECORD_UNBOUND:
		log_warn("credential %.*s was written by another program and is not bound to its scope yet; "
			 "the next write "
			 "binds it",
		    (int)r->name.n, r->name.p);
		break;
	case RECORD_BOUND:
		break;
	}
	if (r->expires < clock_wall())
		refuse(g, GRANT_EXPIRED, "it has expired");
}

static void judge(struct cred *c, struct grant *g)
{
	bool others = false;

	g->answer = GRANT_YES;
	g->access = ACCESS_NOT_NEEDED;
	err_init(&g->why);
	/* what needs no token is what was brought, not a namesake that would be the closer match */
	if (g->own)
		g->record = recordset_exact(&c->vault->set, g->name, g->scope, g->filter);
	else
		g->record = recordset_match(&c->vault->set, g->name, &c->caller, &others);
	if (g->record == NULL) {
		refuse(g, others ? GRANT_SCOPE : GRANT_UNKNOWN,
		    others ? "it is for another repository, workflow or runner"
			   : "there is none of that name");
		return;
	}
	judge_record(g);
	if (g->answer != GRANT_YES || g->own)
		return;
	g->access = ask_once(c, g->record->scope == SCOPE_GLOBAL);
	if (!access_allows(g->access))
		refuse(g, GRANT_TOKEN, c->why.msg);
}

static void check_value(const struct cred *c, struct grant *g)
{
	struct span v = buf_span(&g->value);

	if (c->hold != CRED_ANY && span_chr(v, '\0') >= 0)
		refuse(g, GRANT_BROKEN, "its value has a NUL, which an environment cannot hold");
	else if (c->hold == CRED_TEXT && !span_utf8(v))
		refuse(g, GRANT_BROKEN, "its value is not UTF-8, and the runner's file holds text");
}

static void unseal(struct cred *c, struct grant *g)
{
	struct err why;
	struct span sealed = g->record->value;

	err_init(&why);
	if (c->o->previous) {
		sealed = g->record->prev.value;
		if (sealed.n == 0 || g->record->prev.until < clock_wall()) {
			refuse(g, GRANT_EXPIRED, "it has no previous version within its grace time");
			return;
		}
	}
	/* the size is known: base64 of nonce, value and tag */
	safe_buf(&c->safe, &g->value, sealed.n / 4 * 3 + 3);
	if (vault_value(c->vault, sealed, &g->value, &why) != 0)
		refuse(g, GRANT_BROKEN, why.msg);
	else
		check_value(c, g);
}

/* ---- the log ---- */

static const char *reason(const struct grant *g)
{
	switch (g->answer) {
	case GRANT_YES:
		break;
	case GRANT_UNKNOWN:
		return "unknown";
	case GRANT_SCOPE:
		return "scope_mismatch";
	case GRANT_EXPIRED:
		return "expired";
	case GRANT_TOKEN:
		return "token";
	case GRANT_BROKEN:
		return "damaged";
	}
	return NULL;
}

static struct span or_null(struct span s)
{
	return s.n > 0 ? s : span_make(NULL, 0);
}

static void put_details(const struct cred *c, const struct grant *g, const char *how, struct buf *b)
{
	if (g->answer != GRANT_YES)
		audit_detail(b, "reason", span_of(reason(g)));
	audit_detail(b, "repo", or_null(c->caller.repo));
	audit_detail(b, "workflow", or_null(c->caller.workflow));
	audit_detail(b, "runner_id", or_null(c->caller.runner));
	if (g->record != NULL && g->record->state != RECORD_BAD) {
		audit_detail(b, "scope", span_of(scope_name(g->record->scope)));
		audit_detail(b, "scope_filter", g->record->filter);
	}
	audit_detail(b, "how", span_of(how));
	audit_detail(b, "access", span_of(g->own ? "own" : access_word(g->access)));
	if (g->access == ACCESS_SILENT || g->answer == GRANT_TOKEN)
		audit_detail(b, "why", span_of(c->why.msg));
}

static int log_all(struct cred *c, const struct grant *g, size_t n, const char *how, struct err *err)
{
	struct audit_event events[CRED_NAMES_MAX];
	struct buf details[CRED_NAMES_MAX];
	int rc;

	for (size_t i = 0; i < n; i++) {
		buf_init(&details[i], AUDIT_LINE_MAX);
		buf_reserve(&details[i], DETAILS_USUAL);
		put_details(c, &g[i], how, &details[i]);
		events[i] = (struct audit_event){ .action = g[i].answer == GRANT_YES ? "access_granted"
										     : "access_denied",
			.credential = g[i].name,
			.details = buf_span(&details[i]) };
	}
	rc = audit_append(&c->vault->audit, events, n, err);
	for (size_t i = 0; i < n; i++)
		buf_free(&details[i]);
	return rc;
}

void grant_wipe(struct grant *g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (g[i].value.base != NULL)
			safe_buf_clear(&g[i].value);
}

int grant_all(struct cred *c, struct grant *g, size_t n, const char *how, struct err *err)
{
	uint64_t granted = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		judge(c, &g[i]);
		if (g[i].answer == GRANT_YES)
			unseal(c, &g[i]);
		granted += g[i].answer == GRANT_YES;
	}
	safe_scrub_stack();
	rc = log_all(c, g, n, how, err);
	if (rc != 0) {
		grant_wipe(g, n);
		err_prefix(err, "nothing was handed out");
		return rc;
	}
	cred_count(c, "cred.accessed", granted);
	cred_count(c, "cred.denied", n - granted);
	cred_count_active(c);
	return 0;
}

/* ---- names ---- */

static bool is_allowed(const struct cred *c, struct span name)
{
	for (size_t i = 0; i < c->o->allow.n; i++)
		if (span_eq(name, c->o->allow.item[i].value))
			return true;
	return false;
}

static int check_name(const struct cred *c, struct span name, struct err *err)
{
	const char *pattern = envfile_denied(name);

	if (!scope_name_ok(name))
		return err_set(err, ERR_USAGE,
		    "'%.*s' is no name of a variable ([A-Za-z_][A-Za-z0-9_]{0,127})",
		    (int)(name.n < 200 ? name.n : 200), name.p);
	if (pattern != NULL && !is_allowed(c, name))
		return err_set(err, ERR_USAGE,
		    "a secret must not be called %.*s: %s changes what programs do; if it is meant, "
		    "--allow %.*s",
		    (int)name.n, name.p, pattern, (int)name.n, name.p);
	return 0;
}

int grant_names(const struct cred *c, const char *names, bool any, struct grant *g, size_t room,
    struct err *err)
{
	struct span rest = span_of(names), name;
	size_t n = 0;

	while (span_cut(&rest, ',', &name)) {
		bool twice = false;

		name = span_trim(name);
		for (size_t i = 0; i < n; i++)
			twice = twice || span_same(g[i].name, name);
		if (name.n == 0 || twice)
			continue;
		if (n == room)
			return err_set(err, ERR_USAGE, "more than %zu names", room);
		if (!any && check_name(c, name, err) != 0)
			return err->cls;
		memset(&g[n], 0, sizeof(g[n]));
		g[n++].name = name;
	}
	return (int)n;
}
