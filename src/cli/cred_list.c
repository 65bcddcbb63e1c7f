#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "cred/vault.h"

static const char *state(const struct record *r, int64_t now)
{
	switch (r->state) {
	case RECORD_BAD:
		return "damaged";
	case RECORD_ROTATED:
		return "rotated elsewhere";
	case RECORD_UNBOUND:
		return r->expires < now ? "expired" : "not bound";
	case RECORD_BOUND:
		break;
	}
	return r->expires < now ? "expired" : "active";
}

static void put_json(struct json *list, const struct record *r, int64_t now)
{
	struct json *o = json_put_object(list, NULL);
	char room[32];

	json_put_span(o, "name", r->name);
	json_put_str(o, "scope", scope_name(r->scope));
	if (r->filter.p != NULL)
		json_put_span(o, "scope_filter", r->filter);
	else
		json_put_null(o, "scope_filter");
	json_put_str(o, "created_at", cred_time(r->created, room));
	if (r->expires != RECORD_NEVER)
		json_put_str(o, "expires_at", cred_time(r->expires, room));
	else
		json_put_null(o, "expires_at");
	json_put_raw(o, "last_accessed", r->accessed);
	json_put_int(o, "access_count", (int64_t)r->count);
	json_put_bool(o, "is_expired", r->expires < now);
	json_put_str(o, "state", state(r, now));
	json_put_bool(o, "previous", r->prev.value.n > 0 && r->prev.until >= now);
}

static void put_line(const struct record *r, int64_t now)
{
	char room[32];

	cache_sub_print(r->name);
	printf("\t%s", scope_name(r->scope));
	if (r->filter.p != NULL) {
		printf(":");
		cache_sub_print(r->filter);
	}
	printf("\t%s\texpires %s\n", state(r, now), cred_time(r->expires, room));
}

int cred_list_ls(struct cred *c, struct err *err)
{
	struct json *list = c->g->json ? json_array() : NULL;
	int64_t now = clock_wall();
	struct buf b;
	int rc = cred_open(c, false, NULL, err);

	if (rc == ERR_NOTFOUND) {
		err_init(err);
		if (list != NULL)
			puts("[]");
		json_free(list);
		return XC_OK;
	}
	if (rc != 0) {
		json_free(list);
		return cred_exit_code(err);
	}
	for (size_t i = 0; i < c->vault->set.n; i++) {
		const struct record *r = &c->vault->set.list[i];

		if (r->expires < now && !c->o->all)
			continue;
		if (list != NULL)
			put_json(list, r, now);
		else
			put_line(r, now);
	}
	if (list != NULL) {
		buf_init(&b, JSON_MAX);
		if (json_print(list, true, &b) == 0)
			printf("%s\n", buf_cstr(&b));
		buf_free(&b);
		json_free(list);
	}
	cred_count_active(c);
	return recordset_bad(&c->vault->set) > 0 ? XC_DAMAGED : XC_OK;
}

struct going {
	struct audit_event *list;
	size_t n;
	bool failed;
};

/* A line each, as the reference writes them: who asks later where a secret went finds its name. */
static void note_gone(void *arg, const struct record *r, bool previous)
{
	struct going *g = arg;
	struct audit_event *more =
	    g->failed ? NULL : reallocarray(g->list, g->n + 1, sizeof(*g->list));
	struct buf b;

	g->failed = more == NULL;
	if (g->failed)
		return;
	g->list = more;
	buf_init(&b, AUDIT_LINE_MAX);
	audit_detail(&b, "reason", span_of("expired"));
	audit_detail(&b, "scope", span_of(scope_name(r->scope)));
	audit_detail(&b, "scope_filter", r->filter);
	buf_addf(&b, ", \"previous\": %s", previous ? "true" : "false");
	g->failed = b.failed;
	more[g->n++] = (struct audit_event){ .action = "cleanup", .credential = r->name,
		.details = span_of(span_dup(buf_span(&b))) };
	buf_free(&b);
}

static int cleanup(struct cred *c, size_t *expired, size_t *previous, struct err *err)
{
	struct going g = { NULL, 0, false };
	int rc;

	vault_cleanup(c->vault, clock_wall(), note_gone, &g, expired, previous);
	for (size_t i = 0; i < g.n; i++)
		g.failed = g.failed || g.list[i].details.n == 0;
	rc = g.failed ? err_set(err, ERR_INTERNAL, "no memory for the audit log")
	    : g.n > 0 ? vault_commit_all(c->vault, g.list, g.n, err)
		      : 0;
	for (size_t i = 0; i < g.n; i++)
		free((void *)(uintptr_t)g.list[i].details.p);
	free(g.list);
	return rc;
}

int cred_list_cleanup(struct cred *c, struct err *err)
{
	size_t expired = 0, previous = 0;
	int rc = cred_open(c, true, cred_existing, err);

	if (rc == 0)
		rc = cleanup(c, &expired, &previous, err);
	if (rc != 0 && rc != ERR_NOTFOUND)
		return cred_exit_code(err);
	err_init(err);
	cred_count(c, "cred.expired", expired);
	if (rc == 0)
		cred_count_active(c);
	if (c->g->json)
		printf("{\"removed\":%zu,\"previous\":%zu}\n", expired, previous);
	else
		printf("%zu expired credentials and %zu previous versions removed\n", expired, previous);
	return XC_OK;
}
