#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/qlconfig.h"
#include "codeql/scancfg.h"
#include "codeql/shims.h"
#include "codeql/toolchain.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define QUERY_FILE_MAX ((size_t)4 << 20)
#define FOLDER_DEPTH 16

static const struct profile {
	const char *tool;		/* NULL: any other */
	const char *prefixes[4];	/* of variables that reach the tool */
	const char *ours;		/* and of these, which do not */
	const char *tool_cache;		/* its folder below RUNNER_TOOL_CACHE */
	bool words;			/* queries, packs and the configuration file are CodeQL's */
} profiles[] = {
	{ "CodeQL", { "CODEQL_", "LGTM_", "SEMMLE_" }, "CODEQL_CACHE_", "CodeQL", true },
	{ NULL, { NULL }, NULL, NULL, false },
};

static const struct profile *profile_of(const char *tool)
{
	return tool == NULL || strcasecmp(tool, "codeql") == 0 ? &profiles[0] : &profiles[1];
}

bool scancfg_is_tool(const char *tool, const char *driver)
{
	return span_istarts(span_of(driver), tool != NULL ? tool : profiles[0].tool);
}

static const char *env_of(const struct scancfg *c, const char *name)
{
	for (size_t i = 0; i < c->nenv; i++)
		if (strcmp(c->env[i].name, name) == 0)
			return c->env[i].value[0] != '\0' ? c->env[i].value : NULL;
	return NULL;
}

static void add_text(struct configkey *k, const char *name, const char *value)
{
	if (value != NULL)
		configkey_add(k, name, span_of(value));
}

/* ---- languages ---- */

struct span scancfg_language(struct span l)
{
	static const char *const names[][2] = { { "c", "cpp" }, { "c++", "cpp" }, { "c-cpp", "cpp" },
		{ "cplusplus", "cpp" }, { "c#", "csharp" }, { "java-kotlin", "java" }, { "kotlin", "java" },
		{ "typescript", "javascript" }, { "javascript-typescript", "javascript" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(l, names[i][0]))
			return span_of(names[i][1]);
	return l;
}

static int by_bytes(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

bool scancfg_languages(const struct scancfg *c, char *out, size_t size)
{
	struct span names[SCANCFG_LANGUAGES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->nlanguages; i++)
		names[i] = scancfg_language(c->languages[i]);
	if (c->nlanguages > 1)
		qsort(names, c->nlanguages, sizeof(names[0]), by_bytes);
	out[0] = '\0';
	for (size_t i = 0; i < c->nlanguages; i++) {
		if (i > 0 && span_same(names[i], names[i - 1]))
			continue;
		if (n + names[i].n + 2 > size)
			return false;
		if (n > 0)
			out[n++] = ',';
		for (size_t k = 0; k < names[i].n; k++)
			out[n++] = (char)tolower((unsigned char)names[i].p[k]);
		out[n] = '\0';
	}
	return true;
}

static bool is_compiled(struct span l)
{
	static const char *const names[] = { "cpp", "csharp", "go", "java", "rust", "swift" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(l, names[i]))
			return true;
	return false;
}

/* Where no mode is given the action builds compiled languages (autobuild), and of an unknown tool nothing is
 * known. */
bool scancfg_builds(const struct scancfg *c)
{
	if (c->build_mode != NULL)
		return strcmp(c->build_mode, "none") != 0;
	for (size_t i = 0; i < c->nlanguages; i++)
		if (is_compiled(scancfg_language(c->languages[i])))
			return true;
	return c->nlanguages == 0;
}

bool scancfg_reads_more(const struct scancfg *c)
{
	if (profile_of(c->tool)->tool == NULL)
		return true;
	for (size_t i = 0; i < c->nenv; i++)
		if (span_starts(span_of(c->env[i].name), "LGTM_INDEX_") ||
		    span_starts(span_of(c->env[i].name), "CODEQL_EXTRACTOR_"))
			return true;
	return false;
}

/* ---- versions ---- */

void scancfg_version(const struct scancfg *c, char *out, size_t size)
{
	const char *cache = env_of(c, "RUNNER_TOOL_CACHE"), *folder = profile_of(c->tool)->tool_cache;
	char path[PATH_MAX];
	struct dirent *de;
	size_t n = 0;
	DIR *d;

	out[0] = '\0';
	if (c->version != NULL) {
		if (!span_copy(out, size, span_of(c->version)))
			out[0] = '\0';
		return;
	}
	if (cache == NULL || folder == NULL ||
	    snprintf(path, sizeof(path), "%s/%s", cache, folder) >= PATH_MAX || (d = opendir(path)) == NULL)
		return;
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] >= '0' && de->d_name[0] <= '9' && ++n == 1 &&
		    !span_copy(out, size, span_of(de->d_name)))
			n++;
	closedir(d);
	if (n != 1)
		out[0] = '\0';
}

static void add_version(const struct scancfg *c, struct configkey *k)
{
	const struct profile *p = profile_of(c->tool);
	char version[128];

	scancfg_version(c, version, sizeof(version));
	configkey_add(k, "tool", span_of(p->tool != NULL ? p->tool : c->tool));
	configkey_add(k, "tool-version", span_of(version));
	if (version[0] != '\0')
		return;
	if (p->tool != NULL)
		configkey_unpinned(k, "the CodeQL version is not known (give --codeql-version, the output "
		    "codeql-version of github/codeql-action/init)");
	else
		configkey_unpinned(k, "the version of %s is not known (give --tool-version)", c->tool);
}

/* ---- files that are named ---- */

static bool path_below(const char *root, struct span word, char out[static PATH_MAX])
{
	if (word.n > 0 && word.p[0] == '/')
		return span_copy(out, PATH_MAX, word);
	return snprintf(out, PATH_MAX, "%s/%.*s", root, (int)word.n, word.p) < PATH_MAX;
}

/* The file below `base`, and what is there by that name below the source. How many there are, at least one;
 * ERR_USAGE: too long. */
static int named_paths(const struct scancfg *c, struct span word, char out[static 2][PATH_MAX])
{
	struct stat base, own;

	if (!path_below(c->base != NULL ? c->base : c->source, word, out[0]) ||
	    !path_below(c->source, word, out[1]))
		return ERR_USAGE;
	if (stat(out[1], &own) != 0)
		return 1;
	if (stat(out[0], &base) == 0)
		return base.st_dev == own.st_dev && base.st_ino == own.st_ino ? 1 : 2;
	strcpy(out[0], out[1]);
	return 1;
}

static int add_folder(struct hash_sha256 *h, const char *path, unsigned depth, struct err *err);

static int add_path(struct hash_sha256 *h, const char *path, unsigned depth, struct err *err)
{
	struct stat st;
	struct buf text;
	int rc;

	if (stat(path, &st) != 0)
		return err_sys(err, ERR_USAGE, "the configuration names %s", path);
	if (S_ISDIR(st.st_mode))
		return depth < FOLDER_DEPTH
		    ? add_folder(h, path, depth + 1, err)
		    : err_set(err, ERR_USAGE, "the configuration names folders deeper than %d at %s",
			  FOLDER_DEPTH, path);
	buf_init(&text, QUERY_FILE_MAX);
	rc = file_read(path, QUERY_FILE_MAX, true, &text, err);
	hash_sha256_field(h, buf_span(&text));
	buf_free(&text);
	return rc != 0 ? ERR_USAGE : 0;
}

static int no_dots(const struct dirent *de)
{
	return strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 &&
	    strcmp(de->d_name, ".git") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct hash_sha256 *h, const char *path, unsigned depth, struct err *err)
{
	char child[PATH_MAX];
	struct dirent **list;
	int n = scandir(path, &list, no_dots, by_name), rc = 0;

	if (n < 0)
		return err_sys(err, ERR_USAGE, "the configuration names %s", path);
	for (int i = 0; i < n; i++) {
		hash_sha256_field(h, span_of(list[i]->d_name));
		if (rc == 0 && snprintf(child, sizeof(child), "%s/%s", path, list[i]->d_name) < PATH_MAX)
			rc = add_path(h, child, depth, err);
		free(list[i]);
	}
	free(list);
	return rc;
}

static bool has_file(const char *folder, const char *name)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

/* A query or suite outside of the tree reads others around it: `path` becomes its pack's folder, or its own.
 */
static void widen(const struct scancfg *c, char path[static PATH_MAX])
{
	char root[PATH_MAX], at[PATH_MAX], *slash;
	size_t below = strcmp(c->source_root, ".") == 0 ? 0 : strlen(c->source_root) + 1;
	struct stat st;

	if (realpath(c->source, root) == NULL || realpath(path, at) == NULL || stat(at, &st) != 0 ||
	    S_ISDIR(st.st_mode) || strlen(root) <= below)
		return;
	root[strlen(root) - below] = '\0';
	if (span_starts(span_of(at), root) && at[strlen(root)] == '/')
		return;
	snprintf(path, PATH_MAX, "%.*s", (int)(strrchr(at, '/') - at), at);
	while ((slash = strrchr(at, '/')) != NULL && slash > at) {
		*slash = '\0';
		if (has_file(at, "qlpack.yml") || has_file(at, "codeql-pack.yml")) {
			strcpy(path, at);
			return;
		}
	}
}

/* What a path of the configuration holds, under "file:<path>". One that stands twice counts once. */
static int add_named(const struct scancfg *c, struct configkey *k, struct span word, bool query,
    struct err *err)
{
	char path[2][PATH_MAX], name[PATH_MAX + 8], hex[2 * SHA256_LEN + 1];
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;

	snprintf(name, sizeof(name), "file:%.*s", (int)word.n, word.p);
	for (size_t i = 0; i < k->n; i++)
		if (k->fields[i].name != NULL && strcmp(k->fields[i].name, name) == 0)
			return 0;
	hash_sha256_init(&h);
	int n = named_paths(c, word, path), rc = 0;
	if (n < 0)
		return err_set(err, ERR_USAGE, "the configuration names a path that is too long");
	for (int i = 0; i < n && rc == 0; i++) {	/* which one the tool takes is its business */
		if (query)
			widen(c, path[i]);
		rc = add_path(&h, path[i], 0, err);
	}
	hash_sha256_out(&h, digest);
	hex_encode(hex, digest, 8);
	configkey_add(k, name, span_of(hex));
	return rc;
}

/* ---- CodeQL's words ---- */

struct words {
	const struct scancfg *c;
	struct configkey *k;
	struct err *err;
	int rc;
};

static void take_query(struct words *w, struct span item)
{
	enum qlconfig_pin pin = qlconfig_query(item);

	if (pin == QL_LOCAL && w->rc == 0)
		w->rc = add_named(w->c, w->k,
		    span_starts(item, "+") ? span_trim(span_sub(item, 1, item.n)) : item, true, w->err);
	else if (pin == QL_UNPINNED)
		configkey_unpinned(w->k, "the queries %.*s have no commit", (int)item.n, item.p);
}

static void take_pack(struct words *w, struct span item)
{
	enum qlconfig_pin pin = qlconfig_pack(item);

	if (pin == QL_LOCAL && w->rc == 0)
		w->rc = add_named(w->c, w->k, item, false, w->err);
	else if (pin == QL_UNPINNED)
		configkey_unpinned(w->k, "the pack %.*s has no exact version", (int)item.n, item.p);
}

static void on_config(void *arg, enum qlconfig_what what, struct span name, struct span text)
{
	struct words *w = arg;
	char field[128];

	switch (what) {
	case QL_BLOCK:
		snprintf(field, sizeof(field), "config.%.*s", (int)(name.n < 64 ? name.n : 64), name.p);
		configkey_add(w->k, field, text);
		return;
	case QL_USES:
		take_query(w, text);
		return;
	case QL_PACK:
		take_pack(w, text);
	}
}

static int add_config_file(struct words *w)
{
	const char *word = w->c->config_file;
	enum qlconfig_pin pin = qlconfig_file(span_of(word));
	char path[2][PATH_MAX];
	struct buf text;

	configkey_add(w->k, "config-file", span_of(word));
	if (pin == QL_UNPINNED)
		configkey_unpinned(w->k, "the configuration file %s has no commit", word);
	if (pin != QL_LOCAL)
		return 0;
	if (named_paths(w->c, span_of(word), path) < 0)
		return err_set(w->err, ERR_USAGE, "--config-file is too long");
	buf_init(&text, CONFIG_MAX);
	int rc = file_read(path[0], CONFIG_MAX, true, &text, w->err);
	if (rc == 0) {
		configkey_add(w->k, "config-file-content", buf_span(&text));
		qlconfig_walk(buf_span(&text), on_config, w);
		rc = w->rc;
	} else {
		err_prefix(w->err, "--config-file");
		rc = ERR_USAGE;
	}
	buf_free(&text);
	return rc;
}

static int add_words(const struct scancfg *c, struct configkey *k, struct err *err)
{
	struct words w = { c, k, err, 0 };
	struct span rest, item;
	bool own = profile_of(c->tool)->words;

	add_text(k, "queries", c->queries);
	add_text(k, "packs", c->packs);
	for (rest = span_of(own ? c->queries : NULL); span_cut(&rest, ',', &item);)
		take_query(&w, span_trim(item));
	for (rest = span_of(own ? c->packs : NULL); span_cut(&rest, ',', &item);)
		take_pack(&w, span_trim(item));
	if (w.rc == 0 && c->config_file != NULL && own)
		return add_config_file(&w);
	if (w.rc == 0 && c->config_file != NULL)
		return add_named(c, k, span_of(c->config_file), false, err);
	return w.rc;
}

/* ---- the environment ---- */

static bool reaches_tool(const struct scancfg *c, const char *name)
{
	const struct profile *p = profile_of(c->tool);
	char own[64];
	size_t n = 0;

	if (p->ours != NULL && strncmp(name, p->ours, strlen(p->ours)) == 0)
		return false;
	for (size_t i = 0; p->prefixes[i] != NULL; i++)
		if (strncmp(name, p->prefixes[i], strlen(p->prefixes[i])) == 0)
			return true;
	if (p->tool != NULL)
		return false;
	for (const char *t = c->tool; *t != '\0' && n + 2 < sizeof(own); t++)
		own[n++] = isalnum((unsigned char)*t) ? (char)toupper((unsigned char)*t) : '_';
	own[n++] = '_';
	return strncmp(name, own, n) == 0;
}

/* Variables by which a build finds or makes other code; a '*' at the end stands for any rest. GOOGLE_* are
 * not Go's: they are a cloud's, and differ from run to run. */
static bool reaches_build(const char *name)
{
	static const char *const names[] = { "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS",
		"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "LD", "AR",
		"MAKE*", "GNUMAKEFLAGS", "LIBS", "LD_*", "CCACHE_PATH", "CCACHE_COMPILER", "CMAKE_*",
		"PKG_CONFIG_*", "VCPKG_ROOT", "GO*", "CGO_*", "MAVEN_*", "GRADLE_*", "JAVA_*",
		"_JAVA_OPTIONS", "JDK_*", "DOTNET_*", "NUGET_*", "MSBUILD*", "ANDROID_*", "RUST*", "CARGO_*",
		"USE_BAZEL_VERSION", "NODE_OPTIONS", "PYTHONPATH", "ORG_GRADLE_PROJECT_*", "ANT_*", "SBT_*",
		"M2_HOME", "Configuration", "Platform", "DefineConstants" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i]);
		bool front = names[i][n - 1] == '*';
		if (front ? strncmp(name, names[i], n - 1) == 0 : strcmp(name, names[i]) == 0)
			return strncmp(name, "GOOGLE_", 7) != 0;
	}
	return false;
}

static void add_environment(const struct scancfg *c, struct configkey *k)
{
	bool builds = scancfg_builds(c);
	char name[256];

	for (size_t i = 0; i < c->nenv; i++) {
		if (!reaches_tool(c, c->env[i].name) && !(builds && reaches_build(c->env[i].name)))
			continue;
		snprintf(name, sizeof(name), "env.%s", c->env[i].name);
		configkey_add_hidden(k, name, span_of(c->env[i].value));
	}
}

static void on_tool(void *arg, const char *name, struct span value, bool known)
{
	/* what the user's own files hold may be guessed from a hash */
	if (strchr("~$", name[5]) != NULL)
		configkey_add_hidden(arg, name, value);
	else
		configkey_add(arg, name, value);
	if (!known)
		configkey_unpinned(arg, "%s (%.*s) stands for a program whose version is not known: put that "
		    "program's folder first in PATH", name, (int)(value.n < 200 ? value.n : 200), value.p);
}

static const char *look_up(const void *arg, const char *name)
{
	return env_of(arg, name);
}

static void add_machine(const struct scancfg *c, struct configkey *k)
{
	const struct shims_place place = { .source = c->source, .env = look_up, .arg = c };

	add_text(k, "os", c->os);
	add_text(k, "arch", c->arch);
	if (!scancfg_builds(c))
		return;
	add_text(k, "image", env_of(c, "ImageOS"));
	add_text(k, "image-version", env_of(c, "ImageVersion"));
	toolchain_walk(&place, on_tool, k);
	for (size_t i = 0; i < c->nenv; i++)
		if (reaches_build(c->env[i].name))
			toolchain_named(&place, c->env[i].name, on_tool, k);
}

static void add_list(struct configkey *k, const char *name, const char *const *items, size_t n)
{
	struct buf all;

	buf_init(&all, CONFIG_MAX);
	for (size_t i = 0; i < n; i++) {
		buf_adds(&all, i > 0 ? "\n" : "");
		buf_adds(&all, items[i]);
	}
	if (n > 0)
		configkey_add(k, name, buf_span(&all));
	k->failed |= all.failed;
	buf_free(&all);
}

int scancfg_key(const struct scancfg *c, struct configkey *k, struct err *err)
{
	char languages[512];
	int rc;

	if (!scancfg_languages(c, languages, sizeof(languages)))
		return err_set(err, ERR_USAGE, "too many languages");
	add_version(c, k);
	add_text(k, "languages", languages);
	add_text(k, "build-mode", c->build_mode);
	add_text(k, "source-root", c->source_root);
	add_text(k, "workflow", c->workflow);
	add_text(k, "job", c->job);
	add_text(k, "matrix", c->matrix);
	add_text(k, "category", c->category);
	if (c->dispatch.n > 0)
		configkey_add(k, "dispatch-inputs", c->dispatch);
	add_list(k, "extra-key", c->extra, c->nextra);
	add_list(k, "ignore-untracked", c->ignore, c->nignore);
	add_environment(c, k);
	add_machine(c, k);
	rc = add_words(c, k, err);
	return rc != 0 ? rc : configkey_finish(k, err);
}
