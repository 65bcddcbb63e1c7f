/*
 * config/layers: the input is both files of a checkout. Whatever stands there, it is settings within their
 * bounds or one sentence that names the file, and what a checkout may not loosen is as it was.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "config/layers.h"
#include "config/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/ghoard-fuzz-XXXXXX";
static char paths[2][64];

static void forget(void)
{
	unlink(paths[0]);
	unlink(paths[1]);
	rmdir(dir);
}

static void remember(void)
{
	if (paths[0][0])
		return;
	if (!mkdtemp(dir))
		abort();
	snprintf(paths[0], sizeof paths[0], "%s/cache-config.yml", dir);
	snprintf(paths[1], sizeof paths[1], "%s/p2p-config.yml", dir);
	atexit(forget);
}

static const char *no_env(const char *name)
{
	return strcmp(name, "HOME") == 0 ? "/srv/u" : NULL;
}

static void check(const struct settings *s)
{
	const struct setting *row;
	const char *const *items;

	for (size_t i = 0; (row = table_at(i)); i++) {
		assert(settings_text(s, row->key) && settings_origin(s, row->key));
		if (row->type == SET_INT || row->type == SET_SECONDS || row->type == SET_BYTES)
			assert(settings_int(s, row->key) >= row->min &&
			    settings_int(s, row->key) <= row->max);
		if (row->type == SET_LIST)
			for (size_t n = settings_list(s, row->key, &items); n > 0; n--)
				assert(items[n - 1][0]);
		if (row->type == SET_STRING && row->trust == TRUST_NEVER)
			assert(strcmp(settings_text(s, row->key), row->dflt) == 0);
		if (row->type == SET_BOOL && row->state == SETS_FIXED)
			assert(settings_bool(s, row->key));
		if (row->type == SET_BOOL && row->state == SETS_UNABLE)
			assert(!settings_bool(s, row->key));
	}
	assert(settings_int(s, "cache.permission_ttl") <= 3600);
	assert(strncmp(settings_str(s, "cache.directory"), "/srv/u/", 7) == 0);
	assert(settings_bool(s, "security.access_control.verify_repository_access"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_params p = { dir, NULL, no_env, NULL };
	struct settings *s;
	struct err e;

	remember();
	for (size_t i = 0; i < 2; i++) {
		/* One after the other: most texts are an error in one of the files. */
		unlink(paths[1 - i]);
		int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || write(fd, data, size) != (ssize_t)size)
			abort();
		close(fd);
		err_init(&e);
		int r = settings_load(&p, &s, &e);
		assert(r == 0 || (r == ERR_CONFIG && !s && strstr(e.msg, paths[i])));
		if (r == 0)
			check(s);
		settings_free(s);
	}
	return 0;
}
