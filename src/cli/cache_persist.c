/* `ghoard cache persist`: the store of API answers in the Actions cache, from one job to the next. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "cli/persist.h"
#include "store/store.h"

#define FRONT "ghoard-api-"

static int restore(const struct cache_sub *c, struct persist *p, const char *key, size_t *entries,
    struct err *err)
{
	struct cache_imported n = { .imported = 0 };
	struct file_hold h;
	int rc = file_hold(&h, store_dirfd(c->app->store), "persist", err), fd = -1;

	if (rc != 0)
		return rc;
	rc = persist_fetch(p, key, FRONT, h.fd, err);
	if (rc == 0 && (fd = cache_sub_reopen(&h, err)) < 0)
		rc = fd;
	if (rc == 0)
		rc = cache_import_from(c->app, fd, p->key, &n, err);
	if (fd >= 0)
		close(fd);
	file_rollback(&h);
	*entries = n.imported;
	return rc;
}

static int save(const struct cache_sub *c, struct persist *p, const char *key, size_t *entries,
    struct err *err)
{
	struct file_hold h;
	int rc = file_hold(&h, store_dirfd(c->app->store), "persist", err), fd = -1;

	if (rc != 0)
		return rc;
	rc = cache_export_to(c->app, h.fd, PERSIST_ARCHIVE_MAX, entries, err);
	if (rc == 0 && *entries == 0)
		rc = err_set(err, ERR_NOTFOUND, "there is nothing to keep");
	if (rc == 0 && (fd = cache_sub_reopen(&h, err)) < 0)
		rc = fd;
	if (rc == 0)
		rc = persist_keep(p, key, fd, err);
	if (fd >= 0)
		close(fd);
	file_rollback(&h);
	return rc;
}

static int key_of_run(char *key, size_t size, struct err *err)
{
	const char *run = getenv("GITHUB_RUN_ID");
	uint64_t number;

	if (run == NULL || !span_u64(span_of(run), UINT64_MAX, &number))
		return err_set(err, ERR_DENIED, "GITHUB_RUN_ID is not set, so this is no job");
	snprintf(key, size, FRONT "%s", run);
	return 0;
}

int cache_persist_run(const struct cache_sub *c, struct err *err)
{
	struct persist p = { .json = c->json };
	size_t entries = 0;
	char key[64];
	bool saves;
	int rc = persist_word(c->arg[0], &saves, err), code;

	if (rc == 0)
		rc = app_open_cache(c->app, (struct span){ NULL, 0 }, err);
	if (rc == 0)
		rc = persist_open(&p, c->app, saves, c->keep_runtime, err);
	if (rc == 0)
		rc = key_of_run(key, sizeof(key), err);
	if (rc == 0 && store_is_read_only(c->app->store))
		rc = err_set(err, ERR_IO, "the cache folder %s cannot be written", c->app->cache_dir);
	if (rc == 0)
		saves ? save(c, &p, key, &entries, err) : restore(c, &p, key, &entries, err);
	p.saves = saves;
	code = persist_tell(&p, entries, err);
	if (code == XC_NO)
		err_init(err);
	persist_close(&p);
	return code;
}
