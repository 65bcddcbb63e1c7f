#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/shims.h"
#include "codeql/toolchain.h"
#include "crypto/hash.h"

#define FILE_MAX ((size_t)65536)
#define CHOICE_MAX 128

static const struct manager {
	const char *name, *root_variable, *root; /* of its folder, below HOME if the variable is not set */
	const char *versions, *fallback;	 /* in it: a folder each, and the file with the default */
	const char *files[2];				/* in the source's folder, or one above it */
	const char *variable;
} managers[] = {
	{ "rustup", "RUSTUP_HOME", ".rustup", "toolchains", "settings.toml",
	    { "rust-toolchain", "rust-toolchain.toml" }, "RUSTUP_TOOLCHAIN" },
	{ "pyenv", "PYENV_ROOT", ".pyenv", "versions", "version", { ".python-version", NULL },
	    "PYENV_VERSION" },
	{ "rbenv", "RBENV_ROOT", ".rbenv", "versions", "version", { ".ruby-version", NULL },
	    "RBENV_VERSION" },
	{ "nodenv", "NODENV_ROOT", ".nodenv", "versions", "version", { ".node-version", NULL },
	    "NODENV_VERSION" },
	{ "goenv", "GOENV_ROOT", ".goenv", "versions", "version", { ".go-version", NULL }, "GOENV_VERSION" },
};

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

/* ---- whose shim ---- */

static bool root_of(const struct shims_place *p, const struct manager *m, char out[static PATH_MAX])
{
	const char *own = p->env(p->arg, m->root_variable), *home = p->env(p->arg, "HOME");

	if (own != NULL)
		return snprintf(out, PATH_MAX, "%s", own) < PATH_MAX;
	return home != NULL && snprintf(out, PATH_MAX, "%s/%s", home, m->root) < PATH_MAX;
}

/* rustup's are links to it, or copies under other names in its folder. */
static bool is_rustup(const char *file, const char *real)
{
	char beside[PATH_MAX];
	struct stat a, b;

	if (strcmp(base_of(real), "rustup") == 0 || strcmp(base_of(real), "rustup-init") == 0)
		return true;
	return snprintf(beside, sizeof(beside), "%.*srustup", (int)(base_of(file) - file), file) < PATH_MAX &&
	    stat(file, &a) == 0 && stat(beside, &b) == 0 && a.st_size == b.st_size;
}

static bool is_in_shims(const char *file, const char *root)
{
	size_t n = strlen(root);

	return strncmp(file, root, n) == 0 && span_starts(span_of(file + n), "/shims/");
}

static const struct manager *manager_of(const struct shims_place *p, const char *file, const char *real,
    char root[static PATH_MAX])
{
	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++)
		if (root_of(p, &managers[i], root) &&
		    (i == 0 ? is_rustup(file, real) : is_in_shims(file, root)))
			return &managers[i];
	return NULL;
}

/* ---- which version ---- */

/* "stable" of `channel = "stable"`; the whole text of a file that is no TOML. */
static struct span value_of(struct span text, const char *key)
{
	struct span line, all = text;

	while (span_cut(&text, '\n', &line)) {
		line = span_trim(line);
		if (!span_starts(line, key) || span_chr(line, '=') < 0)
			continue;
		line = span_trim(span_sub(line, (size_t)span_chr(line, '=') + 1, line.n));
		return line.n > 1 ? span_before(span_sub(line, 1, line.n), line.p[0]) : span_of("");
	}
	return span_chr(all, '=') < 0 ? all : span_of("");
}

static bool read_choice(const char *path, const char *key, char out[static CHOICE_MAX])
{
	struct buf text;
	bool ok;

	buf_init(&text, FILE_MAX);
	ok = file_read(path, FILE_MAX, true, &text, NULL) == 0;
	if (ok && !span_copy(out, CHOICE_MAX, span_trim(value_of(buf_span(&text), key))))
		out[0] = '\0';
	buf_free(&text);
	return ok;
}

/* The nearest of the manager's files, from the source up. */
static bool choose_by_file(const struct shims_place *p, const struct manager *m, char out[static CHOICE_MAX])
{
	char at[PATH_MAX], path[PATH_MAX + 32];

	if (realpath(p->source, at) == NULL)
		return false;
	for (char *slash;; *slash = '\0') {
		for (int i = 0; i < 2 && m->files[i] != NULL; i++) {
			snprintf(path, sizeof(path), "%s/%s", at, m->files[i]);
			if (read_choice(path, "channel", out))
				return true;
		}
		slash = strrchr(at, '/');
		if (slash == NULL)
			return false;
	}
}

/* false: it cannot be told. */
static bool choose(const struct shims_place *p, const struct manager *m, const char *root,
    char out[static CHOICE_MAX])
{
	const char *variable = p->env(p->arg, m->variable);
	char path[PATH_MAX];
	struct buf text;
	bool overrides;

	out[0] = '\0';
	if (variable != NULL)
		return span_copy(out, CHOICE_MAX, span_of(variable));
	snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 32, root, m->fallback);
	buf_init(&text, FILE_MAX);
	file_read(path, FILE_MAX, true, &text, NULL);
	ptrdiff_t at = m == managers ? span_find(buf_span(&text), "[overrides]") : -1;
	overrides = at >= 0 && span_chr(span_sub(buf_span(&text), (size_t)at, FILE_MAX), '=') >= 0;
	buf_free(&text);
	if (overrides)
		return false;
	return choose_by_file(p, m, out) || read_choice(path, "default_toolchain", out);
}

/* ---- what is installed ---- */

struct installed {
	struct dirent **list;
	int n;
};

static int no_dots(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* 1.80.0 and nightly-2026-11-01 are one thing for ever, wherever they come from. */
static bool is_exact(struct span v)
{
	size_t dots = 0;

	for (size_t i = 0; i < v.n && v.p[i] != '-'; i++)
		dots += v.p[i] == '.';
	return dots == 2 || span_starts(v, "nightly-20") || span_starts(v, "beta-20");
}

/* Is each of the chosen versions there ("3.12" and "stable" stand for longer names), or exact for rustup,
 * which would fetch it? */
static bool all_there(const struct manager *m, const struct installed *in, const char *choice)
{
	struct span rest = span_of(choice);
	size_t n = 0;

	while (rest.n > 0) {
		size_t len = strcspn(rest.p, " \t\r\n:");
		struct span one = span_sub(rest, 0, len);
		bool there = m == managers && is_exact(one);

		rest = span_sub(rest, len + 1, rest.n);
		for (int i = 0; i < in->n && one.n > 0; i++) {
			const char *name = in->list[i]->d_name;
			there |= strncmp(name, one.p, one.n) == 0 && strchr("-.", name[one.n]) != NULL;
		}
		if (one.n > 0 && !there)
			return false;
		n += one.n > 0;
	}
	return n > 0;
}

static void describe_all(const struct installed *in, const char *folder, const char *tool, const char *choice,
    char hex[static 17])
{
	char path[PATH_MAX], text[PATH_MAX + 64];
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;

	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of(choice));
	for (int i = 0; i < in->n; i++) {
		bool fits = snprintf(path, sizeof(path), "%s/%s/bin/%s", folder, in->list[i]->d_name, tool) <
		    PATH_MAX;

		hash_sha256_field(&h, span_of(in->list[i]->d_name));
		if (fits && toolchain_describe(path, text, sizeof(text)))
			hash_sha256_field(&h, span_of(text));
	}
	hash_sha256_out(&h, digest);
	hex_encode(hex, digest, 8);
}

static enum shims_answer follow(const struct shims_place *p, const struct manager *m, const char *root,
    const char *tool, char *out, size_t size)
{
	char folder[PATH_MAX], choice[CHOICE_MAX] = "", hex[17];
	struct installed in = { NULL, 0 };
	bool ok = choose(p, m, root, choice);

	snprintf(out, size, "%s %s", m->name, choice);
	if (snprintf(folder, sizeof(folder), "%s/%s", root, m->versions) < PATH_MAX)
		in.n = scandir(folder, &in.list, no_dots, by_name);
	ok = ok && in.n > 0 && all_there(m, &in, choice);
	if (ok) {
		describe_all(&in, folder, tool, choice, hex);
		snprintf(out, size, "%s %s %s", m->name, choice, hex);
	}
	for (int i = 0; i < in.n; i++)
		free(in.list[i]);
	free(in.list);
	return ok ? SHIMS_KNOWN : SHIMS_UNKNOWN;
}

/* bazelisk fetches the bazel that is named, the newest if none is. */
static enum shims_answer follow_bazelisk(const struct shims_place *p, char *out, size_t size)
{
	static const struct manager m = { .name = "bazelisk", .files = { ".bazelversion", NULL } },
				    rc = { .files = { ".bazeliskrc", NULL } };
	const char *variable = p->env(p->arg, "USE_BAZEL_VERSION"), *home = p->env(p->arg, "HOME");
	char choice[CHOICE_MAX] = "", path[PATH_MAX] = "";

	if (home != NULL)
		snprintf(path, sizeof(path), "%s/.bazeliskrc", home);
	/* either file, and these two, may send it elsewhere */
	if (p->env(p->arg, "BAZELISK_BASE_URL") != NULL || p->env(p->arg, "BAZELISK_FORMAT_URL") != NULL ||
	    access(path, F_OK) == 0 || choose_by_file(p, &rc, choice))
		choice[0] = '\0';
	else if (variable != NULL)
		span_copy(choice, sizeof(choice), span_of(variable));
	else
		choose_by_file(p, &m, choice);
	snprintf(out, size, "%s %s", m.name, choice);
	return is_exact(span_of(choice)) ? SHIMS_KNOWN : SHIMS_UNKNOWN;
}

enum shims_answer shims_look(const struct shims_place *p, const char *tool, const char *file,
    const char *real, char *out, size_t size)
{
	static const char *const wrappers[] = { "ccache", "sccache", "distcc", "icecc", NULL };
	static const char *const others[] = { "asdf", "mise", "rtx", "volta-shim", "volta", "proto",
		"proto-shim", "aqua-proxy", "snap", NULL };
	char root[PATH_MAX];
	const struct manager *m = manager_of(p, file, real, root);

	if (m != NULL)
		return follow(p, m, root, tool, out, size);
	if (strstr(base_of(real), "bazelisk") != NULL)
		return follow_bazelisk(p, out, size);
	out[0] = '\0';
	if (is_one_of(base_of(real), wrappers))
		return SHIMS_WRAPPER;
	return is_one_of(base_of(real), others) || strstr(file, "/shims/") != NULL ||
		strstr(real, "/shims/") != NULL ? SHIMS_UNKNOWN : SHIMS_NONE;
}
