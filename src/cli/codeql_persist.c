/* `ghoard codeql persist`: scans of this configuration in the Actions cache, from one job to the next. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "cli/persist.h"
#include "codeql/carry.h"
#include "store/store.h"

#define FRONT "ghoard-codeql-"
#define KEY_MAX 160

static int restore(struct codeql *c, struct persist *p, const char *key, const char *front, size_t *entries,
    struct err *err)
{
	struct carried n = { .n = 0 };
	struct file_hold h;
	int rc = file_hold(&h, store_dirfd(c->app.store), "persist", err), fd = -1;

	if (rc != 0)
		return rc;
	rc = persist_fetch(p, key, front, h.fd, err);
	if (rc == 0 && (fd = cache_sub_reopen(&h, err)) < 0)
		rc = fd;
	if (rc == 0)
		rc = carry_in(c->scans, fd, &n, err);
	if (rc == 0 && n.left_out > 0)
		log_info("%zu restored scans are left out: no key in codeql.trusted_keys signed them",
		    n.left_out);
	if (fd >= 0)
		close(fd);
	file_rollback(&h);
	*entries = n.n;
	return rc;
}

struct newest {
	const struct codeql *c;
	bool differs;
	int64_t finished;
	char config[sizeof(((struct scan *)0)->config)];
};

static void note_field(void *arg, const char *name, const char *was, const char *is)
{
	struct newest *n = arg;

	(void)was;
	(void)is;
	n->differs |= codeql_is_given(n->c, name);
}

static int look_newest(void *arg, const struct scan_row *row)
{
	struct newest *n = arg;

	if (row->scan == NULL || row->label || row->answer != SCANS_FOUND ||
	    strcmp(row->scan->repo, n->c->want.repo) != 0 || row->scan->finished <= n->finished)
		return 0;
	n->differs = false;
	if (configkey_diff(row->scan->fields, &n->c->config, note_field, n) != 0 || n->differs)
		return 0;
	n->finished = row->scan->finished;
	snprintf(n->config, sizeof(n->config), "%s", row->scan->config);
	return 0;
}

/* Init and the build set variables and install tools, so that the configuration is another one after the scan
 * than check saw and store kept: of what the command line gives, the newest here is the one. */
static void take_stored_config(struct codeql *c)
{
	struct newest n = { .c = c };

	scans_each(c->scans, clock_wall(), c->max_age, look_newest, &n, NULL);
	if (n.config[0] != '\0')
		strcpy(c->want.config, n.config);
}

/* The key names the newest scan: what a build leaves in the tree would make another fingerprint of it. */
static int save(struct codeql *c, struct persist *p, const char *front, size_t *entries, struct err *err)
{
	struct carried n = { .n = 0 };
	char key[2 * KEY_MAX];
	struct file_hold h;
	int rc = file_hold(&h, store_dirfd(c->app.store), "persist", err), fd = -1;

	if (rc != 0)
		return rc;
	rc = carry_out(c->scans, c->want.config, c->max_age, h.fd, PERSIST_ARCHIVE_MAX, &n, err);
	if (rc == 0 && n.n == 0)
		rc = err_set(err, ERR_NOTFOUND, "no scan of this configuration is stored here");
	if (rc == 0 && (fd = cache_sub_reopen(&h, err)) < 0)
		rc = fd;
	snprintf(key, sizeof(key), "%s%s", front, n.newest);
	if (rc == 0)
		rc = persist_keep(p, key, fd, err);
	if (fd >= 0)
		close(fd);
	file_rollback(&h);
	*entries = n.n;
	return rc;
}

static int prepare(struct codeql *c, struct err *err)
{
	const char *reason;
	char detail[400];
	int rc = codeql_look(c, err);

	if (rc == 0 && codeql_no_key(c, &reason, detail, sizeof(detail)))
		rc = err_set(err, ERR_DENIED, "there is no key: %s: %s", reason, detail);
	return rc;
}

int codeql_persist(struct codeql *c, struct err *err)
{
	struct persist p = { .json = c->globals->json };
	char front[KEY_MAX], key[2 * KEY_MAX];
	size_t entries = 0;
	bool saves = false;
	int rc = c->keys->n == 1 ? persist_word(c->keys->arg[0], &saves, err) :
				   err_set(err, ERR_USAGE, "it is 'ghoard codeql persist restore|save'");
	int code;

	if (rc == 0)
		rc = app_open_store(&c->app, true, err);
	if (rc == 0)
		rc = app_open_cache(&c->app, (struct span){ NULL, 0 }, err);
	if (rc == 0)
		rc = persist_open(&p, &c->app, saves, c->o->keep_runtime, err);
	if (rc == 0)
		rc = prepare(c, err);
	if (rc == 0 && saves)
		take_stored_config(c);
	snprintf(front, sizeof(front), FRONT "%s-", c->want.config);
	snprintf(key, sizeof(key), "%s%s", front, c->want.fingerprint);
	if (rc == 0)
		saves ? save(c, &p, front, &entries, err) : restore(c, &p, key, front, &entries, err);
	p.saves = saves;
	code = persist_tell(&p, entries, err);
	if (code == XC_NO)
		err_init(err);
	persist_close(&p);
	return code;
}
