/* `ghoard codeql explain`: what differs from the nearest scan that is stored. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "codeql/manifest.h"
#include "store/entry.h"

#define PATHS_MAX 200			/* that are printed as text */

struct telling {
	struct codeql *c;
	struct entry *nearest;		/* NULL: none */
	struct scan scan;
	int rank;
	struct json *out, *fields, *paths;	/* with --json */
	size_t nfields, npaths, nuncounted;
};

/* ---- the nearest ---- */

/* Same key, then same configuration, then same sources, then the same languages; of equals the newest. */
static int rank_of(const struct codeql *c, const struct scan *s)
{
	bool config = strcmp(s->config, c->want.config) == 0;
	bool sources = strcmp(s->fingerprint, c->want.fingerprint) == 0;

	return config && sources ? 4
	    : config		 ? 3
	    : sources		 ? 2
				 : strcmp(s->languages, c->want.languages) == 0;
}

static int choose(void *arg, const struct scan_row *row)
{
	struct telling *t = arg;
	int rank;

	if (row->scan == NULL || row->label || strcmp(row->scan->repo, t->c->want.repo) != 0)
		return 0;
	rank = rank_of(t->c, row->scan);
	if (t->nearest != NULL && (rank < t->rank || (rank == t->rank &&
	    row->entry->timestamp <= t->nearest->timestamp)))
		return 0;
	entry_unref(t->nearest);
	t->nearest = entry_ref((struct entry *)row->entry);
	scan_parse(t->nearest, &t->scan);
	t->rank = rank;
	return 0;
}

/* ---- configuration ---- */

static void on_field(void *arg, const char *name, const char *was, const char *is)
{
	struct telling *t = arg;

	t->nfields++;
	if (t->out != NULL) {
		struct json *o = json_put_object(t->fields, NULL);
		json_put_str(o, "field", name);
		json_put_str(o, "was", was);
		json_put_str(o, "is", is);
		return;
	}
	printf("  ");
	codeql_print(span_of(name));
	printf(": ");
	codeql_print(span_of(was != NULL ? was : "(none)"));
	printf(" -> ");
	codeql_print(span_of(is != NULL ? is : "(none)"));
	putchar('\n');
}

static void tell_config(struct telling *t)
{
	struct json *all;

	if (t->out == NULL) {
		if (strcmp(t->scan.config, t->c->want.config) != 0)
			printf("configuration:\n");
		configkey_diff(t->scan.fields, &t->c->config, on_field, t);
		return;
	}
	t->fields = json_put_array(t->out, "fields");
	if (t->nearest != NULL)
		configkey_diff(t->scan.fields, &t->c->config, on_field, t);
	all = json_put_object(t->out, "configuration");
	for (size_t i = 0; i < t->c->config.n; i++)
		json_put_str(all, t->c->config.fields[i].name, t->c->config.fields[i].shown);
}

/* ---- sources ---- */

static const char *why_of(const struct manifest_rec *rec)
{
	if (rec->mode == MANIFEST_GITLINK)
		return "a gitlink counts by its own index and files";
	if (rec->mode == MANIFEST_LINK)
		return "a link's target always counts";
	if (!(rec->flags & MANIFEST_TRACKED))
		return "untracked, and a scan reads it";
	if (rec->flags & MANIFEST_DIRTY)
		return "changed after the checkout";
	if (rec->flags & MANIFEST_BYTES)
		return "converted by git, so it counts by its bytes";
	return "no extractor is known to leave it out";
}

static bool on_path(void *ctx, enum manifest_change what, const struct manifest_rec *was,
    const struct manifest_rec *is)
{
	static const char *const words[] = { "added", "removed", "changed" };
	struct telling *t = ctx;
	const struct manifest_rec *rec = is != NULL ? is : was;
	const char *why = why_of(rec);

	t->npaths++;
	if (t->out != NULL) {
		struct json *o = json_put_object(t->paths, NULL);
		json_put_span(o, "path", rec->path);
		json_put_str(o, "change", words[what]);
		json_put_str(o, "why", why);
	} else if (t->npaths <= PATHS_MAX) {
		printf("  %-7s ", words[what]);
		codeql_print(rec->path);
		printf("  (%s)\n", why);
	}
	return true;
}

static void tell_sources(struct telling *t)
{
	struct manifest *was = t->nearest != NULL ? scans_manifest(t->c->scans, t->scan.manifest) : NULL;
	bool differ = strcmp(t->scan.fingerprint, t->c->want.fingerprint) != 0;

	if (t->out != NULL)
		t->paths = json_put_array(t->out, "paths");
	else if (differ && t->nearest != NULL)
		printf("sources:\n");
	if (was != NULL && t->c->fp.manifest != NULL)
		manifest_diff(was, t->c->fp.manifest, t->c->cfg.nlanguages > 0, on_path, t);
	if (t->out == NULL && t->npaths > PATHS_MAX)
		printf("  and %zu more\n", t->npaths - PATHS_MAX);
	if (t->out == NULL && differ && was == NULL && t->nearest != NULL)
		printf("  the list of files of that scan is not stored\n");
	manifest_free(was);
}

/* ---- the whole ---- */

static void tell_nearest(struct telling *t, const char *reason, const char *detail)
{
	char age[CLOCK_HUMAN_LEN];
	int64_t s = t->nearest != NULL ? (clock_wall() - t->nearest->timestamp) / CLOCK_SEC : 0;

	if (t->out != NULL) {
		json_put_str(t->out, "reason", reason);
		json_put_str(t->out, "detail", detail);
		json_put_str(t->out, "fingerprint", t->c->want.fingerprint);
		json_put_str(t->out, "config", t->c->want.config);
		json_put_str(t->out, "mode", t->c->fp.indexed ? "index" : "files");
		json_put_str(t->out, "nearest_commit", t->nearest != NULL ? t->scan.commit : NULL);
		json_put_int(t->out, "nearest_age_seconds", s);
		return;
	}
	printf("%s%s", reason, detail[0] != '\0' ? ": " : "");
	codeql_print(span_of(detail));
	putchar('\n');
	if (t->nearest == NULL)
		return;
	clock_human(age, s > 0 ? s : 0);
	printf("nearest: ");
	codeql_print(span_of(t->scan.commit[0] != '\0' ? t->scan.commit : "no commit"));
	printf(", scanned %s ago by ", age);
	codeql_print(span_of(t->scan.tool));
	putchar(' ');
	codeql_print(span_of(t->scan.version));
	putchar('\n');
}

static void finish(struct telling *t)
{
	struct buf b;

	if (t->out == NULL) {
		if (t->nearest != NULL && t->nfields == 0 && t->npaths == 0 && t->rank == 4)
			printf("sources and configuration are the same\n");
		return;
	}
	buf_init(&b, (size_t)64 << 20);
	json_print(t->out, true, &b);
	printf("%s\n", buf_cstr(&b));
	buf_free(&b);
	json_free(t->out);
}

int codeql_explain(struct codeql *c, struct err *err)
{
	struct telling t = { .c = c };
	struct scan_found found = { .answer = SCANS_NONE };
	struct intake in;
	char detail[700] = "";
	const char *reason = NULL;
	int rc = codeql_look(c, err);

	if (rc != 0)
		return rc == ERR_NOTFOUND ? XC_USAGE : cli_exit_code(err);
	memset(&in, 0, sizeof(in));
	buf_init(&in.sarif.uris, 0);
	if (!codeql_no_key(c, &reason, detail, sizeof(detail)))
		reason = codeql_find(c, &found, &in, detail, sizeof(detail));
	scan_found_free(&found);
	intake_free(&in);
	t.out = c->globals->json ? json_object() : NULL;
	rc = scans_each(c->scans, clock_wall(), c->max_age, choose, &t, err);
	if (rc == 0) {
		tell_nearest(&t, reason != NULL ? reason : "hit", detail);
		tell_config(&t);
		tell_sources(&t);
		finish(&t);
	}
	bool any = t.nearest != NULL;
	entry_unref(t.nearest);
	return rc != 0 ? cli_exit_code(err) : any ? XC_OK : XC_NO;
}
