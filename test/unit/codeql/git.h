/*
 * Trees made by git itself, each test's in a folder of its own, and our fingerprint of them beside what git
 * says.
 */
#ifndef UNIT_CODEQL_GIT_H
#define UNIT_CODEQL_GIT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/err.h"
#include "base/hex.h"
#include "codeql/fingerprint.h"

static struct fingerprint fp;
static char home[4096];

/* Settings of the machine and of its user must not decide what a test sees. */
static inline void git_environment(void)
{
	static const char *const set[] = { "GIT_CONFIG_NOSYSTEM", "1", "GIT_AUTHOR_NAME", "a",
		"GIT_AUTHOR_EMAIL", "a@example.org", "GIT_COMMITTER_NAME", "c", "GIT_COMMITTER_EMAIL",
		"c@example.org", "GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE",
		"2026-01-01T00:00:00Z", "GIT_OPTIONAL_LOCKS", "0", "GIT_CONFIG_COUNT", "1",
		"GIT_CONFIG_KEY_0", "init.defaultBranch", "GIT_CONFIG_VALUE_0", "master" };

	for (size_t i = 0; i < COUNT(set); i += 2)
		setenv(set[i], set[i + 1], 1);
	assert_non_null(getcwd(home, sizeof(home)));
	setenv("HOME", home, 1);
	unsetenv("XDG_CONFIG_HOME");
}

/* A folder "r" with a repository, in an empty folder that becomes the current one. */
static inline int git_setup(void **state)
{
	char dir[] = "git.XXXXXX";

	(void)state;
	if (mkdtemp(dir) == NULL || chdir(dir) != 0)
		return -1;
	git_environment();
	return 0;
}

static inline int git_teardown(void **state)
{
	(void)state;
	fingerprint_free(&fp);
	fp = (struct fingerprint){ 0 };
	return chdir("..");
}

/* A line of shell, in this folder; it must succeed. */
static inline void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void sh(const char *fmt, ...)
{
	char line[8192] = "set -e; exec >/dev/null 2>sh.log; ";
	size_t n = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	int need = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	assert_true(need >= 0 && (size_t)need < sizeof(line) - n);
	if (system(line) != 0)
		fail_msg("failed: %s", line + n);
}

/* What index.skipHash of git 2.40 does: the last 20 bytes are zeros. */
#define NO_HASH \
	"truncate -s $(($(wc -c <.git/index) - 20)) .git/index; head -c 20 /dev/zero >>.git/index; "

/* A repository "r" that has one commit of a few files of every kind. */
#define SOME_FILES \
	"mkdir -p d/e; echo a >a; chmod +x a; echo b >d/b; echo c >d/e/c; : >d/empty; ln -s d/b link; " \
	"echo x >d.c; echo y >d-y; printf 'no end' >z; "

static inline void make_repo(const char *init)
{
	sh("git init -q %s r; cd r; " SOME_FILES "git add -A; git commit -qm one", init);
}

/* The output of a command, NULs and all; the caller frees. */
static inline struct span output(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline struct span output(const char *fmt, ...)
{
	char line[4096];
	size_t n = 0, cap = 1 << 20;
	char *text = malloc(cap);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	FILE *f = popen(line, "r");
	assert_non_null(f);
	n = fread(text, 1, cap - 1, f);
	assert_int_equal(pclose(f), 0);
	text[n] = '\0';
	return span_make(text, n);
}

static inline void take_with(struct fingerprint_options *o)
{
	struct err e;

	fingerprint_free(&fp);
	err_init(&e);
	o->home = home;
	if (fingerprint_take(o, &fp, &e) != 0)
		fail_msg("%s", e.msg);
}

static inline void take(const char *dir)
{
	struct fingerprint_options o = { .source = dir };

	take_with(&o);
}

static inline void expect_usable(void)
{
	if (fp.reason != FP_USABLE)
		fail_msg("not usable: %s, %s", fingerprint_reason_name(fp.reason), fp.where);
	assert_int_equal(strlen(fp.whole), FINGERPRINT_LEN);
}

static inline void expect_reason(const char *dir, enum fingerprint_reason r)
{
	take(dir);
	assert_string_equal(fingerprint_reason_name(fp.reason), fingerprint_reason_name(r));
	assert_string_equal(fp.whole, "");
	assert_null(fp.manifest);
	assert_true(fp.where[0] != '\0');
}

/* The whole key of a folder. */
static inline const char *key_of(const char *dir)
{
	static char keys[8][FINGERPRINT_LEN + 1];
	static unsigned next;
	char *key = keys[next++ % 8];

	take(dir);
	expect_usable();
	return memcpy(key, fp.whole, sizeof(fp.whole));
}

/* Stat data of the index believed or not, with a .git or without: the key is the same. */
static inline void expect_one_key(const char *dir)
{
	struct fingerprint_options o = { .source = dir, .read_all = true };
	char key[FINGERPRINT_LEN + 1];

	memcpy(key, key_of(dir), sizeof(key));
	take_with(&o);
	expect_usable();
	assert_string_equal(fp.whole, key);
	o.format = fp.format;
	o.read_all = false;
	o.source = "bare";
	sh("rm -rf bare; cp -a %s bare; find bare -depth -name .git -exec rm -rf {} +", dir);
	take_with(&o);
	expect_usable();
	assert_false(fp.indexed);
	assert_string_equal(fp.whole, key);
	take(dir);
}

/* ---- what git says ---- */

static inline struct manifest_rec found(struct span path)
{
	struct manifest_rec r;

	if (!manifest_find(fp.manifest, path, &r))
		fail_msg("%.*s is not listed", (int)path.n, path.p);
	return r;
}

static inline struct manifest_rec rec(const char *path)
{
	return found(span_of(path));
}

/* git ls-files -s: mode, id, stage, path. */
static inline void expect_ids(const char *dir)
{
	struct span text = output("git -C %s ls-files -s -z", dir), rest = text, line;
	size_t n = 0, ours = 0;

	while (span_cut(&rest, '\0', &line)) {
		char id[OBJID_HEX_MAX];
		struct span path = span_sub(line, (size_t)span_chr(line, '\t') + 1, line.n);
		struct manifest_rec r;

		if (line.n == 0 || !manifest_find(fp.manifest, path, &r))
			continue;	/* what is not on disk; counted below */
		n++;
		assert_true(r.flags & MANIFEST_TRACKED);
		if (r.flags & (MANIFEST_DIRTY | MANIFEST_BYTES) && !(r.flags & MANIFEST_GONE))
			continue;
		hex_encode(id, r.id, objid_len(fp.format));
		assert_int_equal(strtoul(line.p, NULL, 8), r.mode);
		assert_true(span_eq(span_sub(line, 7, strlen(id)), id));
	}
	for (size_t i = 0; i < manifest_count(fp.manifest); i++)
		ours += (manifest_at(fp.manifest, i).flags & MANIFEST_TRACKED) != 0;
	assert_int_equal(n, ours);
	free((void *)(uintptr_t)text.p);
}

static inline void no_more(size_t from, unsigned flag, unsigned value)
{
	for (; from < manifest_count(fp.manifest); from++) {
		struct manifest_rec r = manifest_at(fp.manifest, from);

		if ((r.flags & flag) == value)
			fail_msg("git does not name %.*s", (int)r.path.n, r.path.p);
	}
}

/* The paths whose flags are so are these, NUL-terminated and ascending. */
static inline void expect_paths(struct span text, unsigned flag, unsigned value, bool status)
{
	struct span rest = text, line;
	size_t i = 0;

	while (span_cut(&rest, '\0', &line)) {
		if (line.n == 0 || (status && !strchr("MDT", line.p[1])))
			continue;
		struct span path = span_sub(line, status ? 3 : 0, line.n);
		struct manifest_rec r = { 0 };

		while (i < manifest_count(fp.manifest) &&
		    ((r = manifest_at(fp.manifest, i)).flags & flag) != value)
			i++;
		if (i++ >= manifest_count(fp.manifest) || !span_same(r.path, path))
			fail_msg("git says %.*s, we %.*s", (int)path.n, path.p, (int)r.path.n, r.path.p);
	}
	no_more(i, flag, value);
}

static inline void expect_like_git(const char *dir)
{
	expect_one_key(dir);
	expect_ids(dir);
	struct span dirty = output("git -C %s -c status.renames=false status --porcelain -z"
	    " --untracked-files=no --ignore-submodules=dirty | sort -z -k1.4", dir);
	expect_paths(dirty, MANIFEST_DIRTY, MANIFEST_DIRTY, true);
	free((void *)(uintptr_t)dirty.p);
	struct span others = output("git -C %s ls-files -o -z | LC_ALL=C sort -z", dir);
	expect_paths(others, MANIFEST_TRACKED, 0, false);
	free((void *)(uintptr_t)others.p);
}

#endif
