/* What lies in the job's workspace beside the checkout: a build may read it, an extractor alone does not. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "cli/codeql.h"
#include "codeql/filehash.h"

#define NAME_MAX_LEN 200	/* of a field, after "beside." */

static bool hash_folder(const struct codeql *c, const char *path, char out[static FINGERPRINT_LEN + 1])
{
	struct fingerprint_options o = { .source = path, .alone = true,
		.home = codeql_env("HOME"),
		.xdg_config = codeql_env("XDG_CONFIG_HOME"),
		.read_all = c->git_steered,
		.read_plain = c->o->sarif != NULL,
		.format = c->fp.format };
	struct fingerprint fp;
	bool ok = fingerprint_take(&o, &fp, NULL) == 0 && fp.reason == FP_USABLE;

	strcpy(out, fp.whole);
	fingerprint_free(&fp);
	return ok;
}

static bool hash_file(const struct codeql *c, const char *path, struct stat *st,
    char out[static FINGERPRINT_LEN + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t id[OBJID_MAX];
	struct filehash h;
	bool ok = fd >= 0 && filehash_init(&h, c->fp.format) == 0;

	if (ok) {
		ok = filehash_fd(&h, fd, st, id) == FILEHASH_OK;
		hex_encode(out, id, objid_len(c->fp.format));
		filehash_free(&h);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

/* `name` is below the workspace. */
static void take_one(struct codeql *c, const char *path, const char *name)
{
	char hash[FINGERPRINT_LEN + 1], field[NAME_MAX_LEN + 16];
	struct stat st;
	bool ok = strlen(name) <= NAME_MAX_LEN && span_utf8(span_of(name)) && stat(path, &st) == 0;

	if (ok && S_ISDIR(st.st_mode))
		ok = hash_folder(c, path, hash);
	else if (ok && S_ISREG(st.st_mode))
		ok = hash_file(c, path, &st, hash);
	else if (ok)
		return;
	snprintf(field, sizeof(field), "beside.%.*s", NAME_MAX_LEN, name);
	if (ok)
		configkey_add(&c->config, field, span_of(hash));
	else
		configkey_unpinned(&c->config, "what is in %.*s beside the checkout cannot be told",
		    NAME_MAX_LEN, name);
}

static void take_all(struct codeql *c, const char *folder, const char *but, size_t skip)
{
	char path[PATH_MAX];
	struct dirent *de;
	DIR *d = opendir(folder);

	if (d == NULL)
		configkey_unpinned(&c->config, "the folder above the checkout cannot be read");
	while (d != NULL && (de = readdir(d)) != NULL) {
		const char *name = de->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0 ||
		    strcmp(name, but) == 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", folder, name) < PATH_MAX)
			take_one(c, path, path + skip);
		else
			configkey_unpinned(&c->config, "a path beside the checkout is too long");
	}
	if (d != NULL)
		closedir(d);
}

void codeql_take_beside(struct codeql *c)
{
	const char *given = codeql_env("GITHUB_WORKSPACE");
	char space[PATH_MAX], at[PATH_MAX];
	size_t n;

	if (c->fp.reason != FP_USABLE || given == NULL ||
	    !(scancfg_builds(&c->cfg) || scancfg_reads_more(&c->cfg)) ||
	    realpath(given, space) == NULL || realpath(c->fp.top, at) == NULL || (n = strlen(space)) < 2 ||
	    strncmp(at, space, n) != 0)
		return;
	while (at[n] == '/') {
		char *slash = strrchr(at, '/');

		*slash = '\0';
		take_all(c, at, slash + 1, n + 1);
	}
}
